"""A file with rows where it lies, and who reads it: this process (the command), or one of its own (the server).

    Stored(Path("upload/spam.csv"), "spam.csv").look()

Importing this is cheap; pandas comes in with the first file that this process reads itself.
"""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.data import apart


@dataclass(frozen=True)
class Stored:
    """A file.

    Attributes:
        name: as the person knows it.
        apart: a process of its own reads it, so that this one stays small and alive whatever the file does.
    """

    path: Path
    name: str
    apart: bool = False

    def look(self, meant: dict[str, Any] | None = None) -> dict[str, Any]:
        """Its "profile", "guesses" and "findings"; under the columns that are meant, or the best guess."""
        return self._do("look", meant=meant)

    def mend(self, code: str, meant: dict[str, Any], out: Path, *, form: str, before: Iterable[str]) -> dict[str, Any]:
        """Write a mended copy, and look at it; see `desk.mend`."""
        return self._do("mend", code=code, meant=meant, out=str(out), form=form, before=list(before))

    def copy(self, out: Path, *, most: int | None = None, seed: int = 0, look: bool = False) -> dict[str, Any]:
        """Write the canonical copy, of at most `most` rows: {"rows"}, with `look` also its "profile"."""
        return self._do("copy", out=str(out), most=most, seed=seed, look=look)

    def _do(self, action: str, **arguments: Any) -> dict[str, Any]:
        return perform(action, {"path": str(self.path), "name": self.name, **arguments}, apart=self.apart)


def perform(action: str, arguments: dict[str, Any], *, apart: bool, seconds: float = apart.SECONDS) -> dict[str, Any]:
    """Do one of `desk.ACTIONS`, here, or in a process of its own that may take so many seconds.

    Raises:
        PlainError: as the action.
    """
    if apart:
        return _call(action, arguments, seconds)
    from assistant.data import desk

    return desk.perform(action, arguments)


_call = apart.call
