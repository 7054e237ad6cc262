"""A finished model that points to answers: a question and a text to the place of the answer, or to none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from recipes.parts import data, device, save, span_metrics
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.methods import Classifier
from recipes.parts.span_metrics import Answer
from recipes.parts.span_windows import Spans, best_answers, span_logits
from recipes.parts.spans import asked_rows
from recipes.plan import Plan

USUAL_LENGTH = 30  # tokens of an answer, where the model's files do not say it
NAMED = re.compile(r"\b(question|q|context|text|passage)\s*:\s*", re.IGNORECASE)
QUESTION_FIRST = re.compile(r"\s*([^\n?？]+[?？])\s+(\S.*)", re.DOTALL)
ALONE = re.compile(r"[^.!?。？]*[?？]")
QUESTION_LAST = re.compile(r"\s*(.*(?:[.!。\"”)\n]|\S(?=\n)))\s*([^\n.!?？。]+[?？])\s*", re.DOTALL)


def describe(config: Any, longest: int, above: float | None) -> None:
    """Write into a model's configuration how its logits become answers."""
    config.longest_answer, config.no_answer_above = longest, above


class Pointer:
    """A loaded model on its device."""

    def __init__(self, classifier: Classifier, place: Device, plan: Plan) -> None:
        self.classifier, self.place, self.plan = classifier, place, plan
        config = classifier.module.config
        self.longest = int(getattr(config, "longest_answer", None) or USUAL_LENGTH)
        self.above: float | None = getattr(config, "no_answer_above", None)
        self._text = ""  # the last one: a question alone asks about it

    def answers(self, pairs: list[tuple[str, str]]) -> list[Answer]:
        """The answer to each question in its text."""
        passages = self.classifier.kind.encode_new(self.classifier, pairs)
        logits = span_logits(self.classifier, passages, np.arange(len(passages)), self.place)  # type: ignore[arg-type]
        return best_answers(logits, passages, np.arange(len(pairs)), self.longest, self.above)  # type: ignore[arg-type]

    def answer(self, tree: dict[str, Any]) -> dict[str, Any]:
        """`{"input", "question", "prediction", "start", "end", "score"}` for `{"question", "context"}`.

        input is the text, prediction the answer in its words or "" where it holds none; start and end count characters
        of the text; score is how sure the model is, 0 to 1. Both may come as one `{"text"}`; a question alone asks
        about the text before.

        Raises:
            RecipeError: `input-unusable`.
        """
        question, context = self._read(tree)
        found = self.answers([(question, context)])[0]
        start, end = found.place or (0, 0)
        said = {"input": context, "question": question, "prediction": context[start:end], "score": found.sure}
        return said | ({"start": start, "end": end} if found.place else {})

    def _read(self, tree: dict[str, Any]) -> tuple[str, str]:
        given = tree.get("inputs") if isinstance(tree.get("inputs"), dict) else tree
        assert given is not None  # noqa: S101 for the type checker
        parts = []
        for role in ("question", "context"):
            columns = [name for name in (*self.plan.column(role), role) if name in given]
            parts.append(data.join_text(given, columns[:1]).strip())
        if not all(parts):
            spoken = data.join_text(given, ["text"])
            whole = "\n".join(part for part in (*parts, spoken) if part).strip()
            alone = whole if len(whole.splitlines()) == 1 and ALONE.fullmatch(whole) else ""
            parts = list(apart(whole) or (alone, self._text))
        if not all(parts):
            raise RecipeError(
                "input-unusable",
                "This input is not a question with a text: " + json.dumps(tree, ensure_ascii=False)[:80],
                "The model points to the answer inside a text, so it needs both.",
                "Write the question, with its question mark, and then the text that may hold the answer.",
            )
        self._text = parts[1]
        return " ".join(parts[0].split()), parts[1]

    def evaluate(self, path: Path) -> dict[str, Any]:
        """Figures with their intervals on the rows of a file.

        Raises:
            RecipeError: rows that cannot be used.
        """
        notes: list[str] = []
        records = data.read_records(path.name, path.resolve().parent)
        rows = asked_rows(records, self.plan, lambda _code, text: notes.append(text), path.name, notes.append)
        found = self.answers(list(zip(rows.questions, rows.contexts, strict=True)))
        said = ["" if each.place is None else text[slice(*each.place)]
                for each, text in zip(found, rows.contexts, strict=True)]  # fmt: skip
        right = [rows.right(row) for row in range(len(rows))]
        figures = span_metrics.figures(span_metrics.score(said, right), rows.families(range(len(rows))))
        kinds = span_metrics.per_kind(said, right) or []
        report: dict[str, Any] = {
            "rows": len(rows), "metrics": {name: each.model_dump() for name, each in figures.items()},
        }  # fmt: skip
        report |= {"classes": [each.model_dump() for each in kinds]} if kinds else {}
        return report | ({"notes": notes} if notes else {})


def apart(spoken: str) -> tuple[str, str] | None:
    """Question and text of one message: “Question: … Text: …”, or a question before or after the text; else None."""
    named = NAMED.split(spoken)
    if len(named) == 5 and not named[0].strip():  # nothing, name, part, name, part
        parts = {name.lower()[0]: part.strip() for name, part in zip(named[1::2], named[2::2], strict=True)}
        question = parts.pop("q", "")
        text = next(iter(parts.values()), "")
        return (question, text) if question and text else None
    first = QUESTION_FIRST.fullmatch(spoken)
    if first:
        return first[1].strip(), first[2].strip()
    last = QUESTION_LAST.fullmatch(spoken)
    return (last[2].strip(), last[1].strip()) if last else None


def open_pointer(directory: Path, plan: Plan) -> Pointer:
    """Load a run's model.

    Raises:
        RecipeError: there is none.
    """
    from recipes.events import EventWriter

    place = device.set_up(RunContext(directory, EventWriter(None)))
    return Pointer(save.load(directory / "model", Spans(), place), place, plan)
