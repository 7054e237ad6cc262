"""Answers of a finished model, one text a line.

    python -m recipes.predict RUN < texts.jsonl

Reads `{"text": "…"}` (pictures: `{"image": "path"}`; questions: `{"question", "context"}`) or
`{"inputs": {"column": …}}`, a JSON object a line, from standard input. Prints
`{"ready": true}` once the model is loaded, then for each line `{"input", "prediction", "scores": {label: number}}`:
with `"explain": true`, a picture's answer also says where the model looked;
without scores for numbers, with a list of labels as prediction where a text can have several. A line that cannot be
used gets `{"error"}`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from recipes.parts.errors import RecipeError, explain
from recipes.plan import Plan


def main(argv: list[str] | None = None) -> int:
    """Answer lines until standard input ends; returns the exit code."""
    parser = argparse.ArgumentParser(prog="recipes.predict", description="Answers of a finished model.")
    parser.add_argument("run", type=Path, help="the run's folder")
    directory: Path = parser.parse_args(argv).run
    out = _own_standard_output()
    try:
        plan, classifier = load(directory)
    except Exception as error:  # noqa: BLE001 whoever reads our output must learn of it
        _print(out, {"error": _plainly(error)})
        return 1
    _print(out, {"ready": True})
    for answer in answers(sys.stdin, plan, classifier):
        _print(out, answer)
    return 0


def load(directory: Path) -> tuple[Plan, Any]:
    """The run's plan and its model.

    Raises:
        RecipeError: there is none.
    """
    try:
        plan = Plan.load(directory / "plan.json")
    except (OSError, ValueError) as error:
        raise RecipeError(
            "no-model", f"{directory} is not the folder of a run.", "It holds plan.json and model/."
        ) from error
    from recipes.parts import answering
    from recipes.run import recipe

    if hasattr(recipe(plan), "open_model"):  # it answers in a way of its own
        return plan, recipe(plan).open_model(directory, plan)
    return plan, answering.open_model(directory, recipe(plan).KIND)


def answers(lines: TextIO, plan: Plan, model: Any) -> Iterator[dict[str, Any]]:
    """One answer a line, as soon as the line is there."""
    del plan
    for line in lines:
        if not line.strip():
            continue
        try:
            yield model.answer(object_of(line))
        except RecipeError as error:
            yield {"error": _plainly(error)}


def object_of(line: str) -> dict[str, Any]:
    """One line of input as an object.

    Raises:
        RecipeError: `input-unusable`.
    """
    try:
        tree = json.loads(line)
    except ValueError:
        tree = None
    if not isinstance(tree, dict):
        raise RecipeError(
            "input-unusable",
            f"This input cannot be used: {line.strip()[:80]}",
            'Each line is an object, as {"text": "some words"} or {"image": "path of a picture"}.',
            "Send the input under its name.",
        )
    return tree


def _own_standard_output() -> TextIO:
    """The real standard output for us alone: what libraries print goes to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _plainly(error: Exception) -> dict[str, str]:
    failed = explain(error)
    return {"code": failed.code, "what": failed.what, "expected": failed.expected, "fix": failed.fix}


def _print(out: TextIO, tree: dict[str, Any]) -> None:
    out.write(json.dumps(tree, ensure_ascii=False) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
