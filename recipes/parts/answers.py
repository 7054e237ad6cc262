"""What a model answered on each judged row, kept beside the result: so two runs can be compared row by row.

`answers.json` holds no texts: a row is known by a hash of what was read and of its right answer.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

FILE = "answers.json"


def write(
    directory: Path, problem: str, labels: list[str], shown: list[str], truth: NDArray[Any], prediction: NDArray[Any]
) -> None:
    """Write `answers.json`.

    Args:
        shown: what each row reads, shape (rows,), as text.
        truth, prediction: shape (rows,), or (rows, labels) for several labels a row.
    """
    answers = {
        "problem": problem,
        "labels": labels,
        "rows": [_key(text, right) for text, right in zip(shown, truth.tolist(), strict=True)],
        "truth": truth.tolist(),
        "prediction": prediction.tolist(),
    }
    (directory / FILE).write_text(json.dumps(answers, separators=(",", ":")) + "\n", encoding="utf-8")


def _key(text: str, right: Any) -> str:
    """Sixteen hexadecimal digits: enough for millions of rows."""
    return hashlib.sha256(f"{right}\x00{text}".encode("utf-8", "replace")).hexdigest()[:16]
