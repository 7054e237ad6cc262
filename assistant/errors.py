"""The one error that people see.

PlainError(code, what, expected, fix)
 - raised anywhere in `assistant` for something that a person can mend;
 - shown by the chat as one reply, by the command as one line on standard error with exit code 1;
 - anything else that is raised is a bug, and goes to the log with its traceback.
"""

from __future__ import annotations


class PlainError(Exception):
    """What happened (with values), what was expected, and how to fix it.

    Args:
        code: stable name with a page in `assistant/chat/concepts/`.
        what: one sentence: what happened, with the values at hand.
        expected: one sentence: what would have been right; may be empty.
        fix: one sentence: what to do next; may be empty.
    """

    def __init__(self, code: str, what: str, expected: str = "", fix: str = "") -> None:
        self.code = code
        self.what = what
        self.expected = expected
        self.fix = fix
        super().__init__(self.text())

    def text(self) -> str:
        """The sentences in order, joined."""
        return " ".join(part for part in (self.what, self.expected, self.fix) if part)
