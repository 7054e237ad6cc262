"""The other end of `apart.call`: one request as JSON on standard input, one answer as JSON on standard output.

python -m assistant.data
"""

from __future__ import annotations

import json
import os
import sys
import warnings

from assistant.errors import PlainError


def main() -> None:
    """Answer one request; whatever libraries print goes to standard error."""
    _first_to_go()
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    from assistant.data import desk  # noqa: PLC0415 - slow to import: after what must come first

    try:
        answer = desk.perform(request["action"], request["arguments"])
    except PlainError as error:
        told = {"code": error.code, "what": error.what, "expected": error.expected, "fix": error.fix}
        answer = {"error": told}
    json.dump(answer, answers)
    answers.close()


def _first_to_go() -> None:
    """When memory runs out, Linux shall end this process and not the server that waits for it."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
            score.write("1000")
    except OSError:
        pass  # another system


if __name__ == "__main__":
    main()
