"""A finished sentence encoder that answers, beside the one it was made from.

{"text": "…"}                              the nearest of the run's own texts
{"text": "one text | another text"}        how close the two are: a cosine, at most 1
{"inputs": {"sentence1": …, "sentence2": …}}  the same
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import EventWriter
from recipes.parts import alike_figures, alike_model, alike_rows, data, device
from recipes.parts.alike_model import Encoder
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.starter import resolve
from recipes.plan import Plan

NEAREST = 5
MOST_TEXTS = 2000  # of the run's own that a text is compared with: some seconds on a processor
_BETWEEN = re.compile(r"\s*(?:\n+|\|+|↔|<->|<=>)\s*")


class OpenEncoder:
    """A loaded encoder on its device; the untuned one is loaded with the first question."""

    def __init__(self, encoder: Encoder, plan: Plan, place: Device, run: Path) -> None:
        self.encoder, self.plan, self.place, self.run = encoder, plan, place, run
        self._untuned: Encoder | None = None
        self._untuned_tried = False
        self._own: list[str] | None = None
        self._known: dict[bool, NDArray[np.float32]] = {}

    def answer(self, tree: dict[str, Any]) -> dict[str, Any]:
        """How close two texts are, or the nearest of the run's own texts, after the tuning and before it.

        Returns:
            Two texts: {"input", "prediction": cosine, "untuned": cosine or None}. One text: {"input", "prediction":
            the nearest text, "nearest": [{"text", "score"}], "untuned": the same list by the untuned model, or None}.

        Raises:
            RecipeError: `input-unusable`.
        """
        texts = self._texts(tree)
        if len(texts) == 2:
            return {
                "input": " ↔ ".join(texts),
                "prediction": self._closeness(self.encoder, texts),
                "untuned": None if (other := self._other()) is None else self._closeness(other, texts),
            }
        near = self._nearest(texts[0], tuned=True)
        before = None if self._other() is None else self._nearest(texts[0], tuned=False)
        return {"input": texts[0], "prediction": near[0]["text"], "nearest": near, "untuned": before}

    def _texts(self, tree: dict[str, Any]) -> list[str]:
        """One or two texts out of a line of input."""
        given = tree.get("inputs") if isinstance(tree.get("inputs"), dict) else tree
        assert given is not None  # noqa: S101 for the type checker
        alone = ""
        for roles in (alike_rows.roles_of(self.plan), *(([one], [two]) for one, two in alike_rows.ROLES)):
            pair = [data.join_text(given, columns).strip() for columns in roles]
            if all(pair):
                return pair
            alone = alone or pair[0] or pair[1]
        alone = alone or data.join_text(given, ["text"]).strip()
        texts = [text for text in _BETWEEN.split(alone) if text]
        if not texts or len(texts) > 2:
            raise RecipeError(
                "input-unusable",
                f"This input holds {len(texts)} texts: {str(tree)[:80]}",
                'One text is compared with your rows, two with each other: {"text": "one text | another text"}.',
                "Send one text, or two with | between them.",
            )
        return texts

    def _other(self) -> Encoder | None:
        """The untuned encoder; None where it cannot be had."""
        if not self._untuned_tried:
            self._untuned_tried = True
            name = self.plan.base_model or ""
            try:
                self._untuned = alike_model.load(resolve(name, self.run), name, quiet=True)
                self._untuned.module.to(self.place.torch_device)
            except RecipeError:
                self._untuned = None
        return self._untuned

    def _numbers(self, encoder: Encoder, texts: list[str]) -> NDArray[np.float32]:
        tokens = alike_model.encode(encoder, texts, self.encoder.limit)
        return alike_model.vectors(encoder, tokens, np.arange(len(texts)), self.place)

    def _closeness(self, encoder: Encoder, texts: list[str]) -> float:
        one, two = self._numbers(encoder, texts)
        return round(float(one @ two), 3)

    def _nearest(self, text: str, *, tuned: bool) -> list[dict[str, Any]]:
        encoder = self.encoder if tuned else self._other()
        if encoder is None:
            raise AssertionError("asked only where there is one")
        own = self._own_texts()
        if tuned not in self._known:
            self._known[tuned] = self._numbers(encoder, own)
        close = self._known[tuned] @ self._numbers(encoder, [text])[0]
        order = [place for place in np.argsort(-close, kind="stable").tolist() if own[place] != text][:NEAREST]
        return [{"text": own[place], "score": round(float(close[place]), 3)} for place in order]

    def _own_texts(self) -> list[str]:
        """Texts of the run's rows that can be found: the second ones; of scored pairs both.

        Raises:
            RecipeError: `input-unusable`, the rows are not there any more.
        """
        if self._own is None:
            try:
                records = data.read_records(self.plan.data.source or "", self.run)
            except RecipeError as error:
                raise RecipeError(
                    "input-unusable",
                    "The rows of this run are not there any more, so there is nothing to look in.",
                    "Two texts can still be compared with each other.",
                    "Send two texts with | between them.",
                ) from error
            first, second = alike_rows.roles_of(self.plan)
            wanted = (first, second) if self.plan.column("score") else (second,)
            texts = [data.join_text(record, columns).strip() for record in records for columns in wanted]
            self._own = list(dict.fromkeys(text for text in texts if text))[:MOST_TEXTS]
        return self._own

    def evaluate(self, path: Path) -> dict[str, Any]:
        """Figures with their intervals on the rows of a file.

        Raises:
            RecipeError: rows that cannot be used.
        """
        left_out: Counter[str] = Counter()
        records = data.read_records(path.name, path.resolve().parent)
        study = alike_rows.only_test(alike_rows.usable_rows(records, self.plan, path.name, left_out))
        values = self._numbers(self.encoder, study.texts)
        found = alike_figures.ask(study, alike_figures.by_vectors(values), study.test)
        figures = alike_figures.figures(study, found, study.test)
        report: dict[str, Any] = {
            "rows": len(study.test),
            "metrics": {name: figure.model_dump() for name, figure in figures.items()},
        }
        notes = [f"{count:,} rows are left out: {reason}." for reason, count in left_out.most_common(5)]
        notes += [f"Each text was looked for among {found.candidates:,} candidates."] if found.candidates else []
        return report | ({"notes": notes} if notes else {})


def open_model(directory: Path, plan: Plan) -> OpenEncoder:
    """Load a run's model.

    Raises:
        RecipeError: there is none.
    """
    place = device.set_up(RunContext(directory, EventWriter(None)))
    return OpenEncoder(alike_model.open_saved(directory / "model", place), plan, place, directory)
