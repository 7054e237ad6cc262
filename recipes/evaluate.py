"""Score a finished model on other rows.

    python -m recipes.evaluate RUN ROWS.jsonl OUT.json

Writes `{"rows", "metrics": {name: {"value", "low", "high"}}, "confusion", "labels"}`, or on a person's mistake
`{"error": {"code", "what", "expected", "fix"}}` with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from recipes.parts.errors import explain
from recipes.predict import load


def main(argv: list[str] | None = None) -> int:
    """Evaluate once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="recipes.evaluate", description="Score a finished model on other rows.")
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("rows", type=Path, help="JSON lines, CSV or Parquet with the run's columns")
    parser.add_argument("out", type=Path, help="where the figures go")
    arguments = parser.parse_args(argv)
    try:
        report, code = evaluate(arguments.run, arguments.rows), 0
    except Exception as error:  # noqa: BLE001 whoever reads the file must learn of it
        traceback.print_exc()
        failed = explain(error)
        report, code = {"error": {name: getattr(failed, name) for name in ("code", "what", "expected", "fix")}}, 1
    arguments.out.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return code


def evaluate(directory: Path, path: Path) -> dict[str, Any]:
    """Figures with their intervals on the rows of a file.

    Raises:
        RecipeError: no model, or rows that cannot be used.
    """
    from recipes.parts import data, metrics

    plan, model = load(directory)
    if hasattr(model, "evaluate"):
        own: dict[str, Any] = model.evaluate(path)
        return own
    notes: list[str] = []
    records = data.read_records(path.name, path.resolve().parent)
    names = model.labels or None
    kind = model.classifier.kind
    rows = kind.read_new(records, plan, names, path.resolve(), lambda _code, text: notes.append(text))
    found = model.predictions(rows.inputs)
    figures = metrics.compute(model.problem, rows.labels, found.prediction, found.scores, names, rows.groups)
    report: dict[str, Any] = {
        "rows": len(rows),
        "metrics": {name: figure.model_dump() for name, figure in figures.items()},
    }
    if model.problem == metrics.SINGLE:
        report["confusion"] = metrics.confusion(rows.labels, found.prediction, len(model.labels))
    if names:
        report["labels"] = names
    if notes:
        report["notes"] = notes
    return report


if __name__ == "__main__":
    sys.exit(main())
