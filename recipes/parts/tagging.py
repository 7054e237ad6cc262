"""A finished tagger that answers: a text to its entities, with their places in characters and how sure they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from recipes.parts import data, device, save, tag_metrics, tags
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.methods import Classifier
from recipes.parts.tagged import Tagged, listed, split_words, tagged_rows, warn_unknown
from recipes.parts.texts import max_tokens
from recipes.parts.words import Tags, encode, word_logits
from recipes.plan import Plan


def describe(config: Any, tagged: Tagged) -> None:
    """Write into a model's configuration how texts are cut into words and what its tags are."""
    config.words_between_spaces, config.tag_every_word = tagged.spaced, tagged.plain


class Tagger:
    """A loaded model on its device."""

    def __init__(self, classifier: Classifier, place: Device, plan: Plan) -> None:
        self.classifier, self.place, self.plan = classifier, place, plan
        config = classifier.module.config
        self.names = save.labels_of(classifier)
        self.spaced, self.plain = (bool(getattr(config, name, False))
                                   for name in ("words_between_spaces", "tag_every_word"))  # fmt: skip

    def scores(self, tagged: Tagged) -> list[Any]:
        """Probabilities of the tags of each text's words, shape (words, tags) each."""
        tokenizer = self.classifier.processor
        longest = min(max_tokens(self.classifier.module, tokenizer), int(tokenizer.model_max_length))
        windows = encode(tokenizer, tagged.texts, tagged.words, longest)
        if not len(windows.numbers):
            return [np.zeros((len(each), len(self.names))) for each in tagged.words]
        found = softmax(word_logits(self.classifier, windows, np.arange(len(windows)), self.place), axis=1)
        return np.split(found, tagged.starts[1:-1])

    def spans(self, scores: Sequence[Any]) -> list[list[tags.Span]]:
        """Entities of texts from the scores of their words."""
        return [tags.spans_of([self.names[best] for best in each.argmax(axis=1)], self.plain) for each in scores]

    def answer(self, tree: dict[str, Any]) -> dict[str, Any]:
        """`{"input", "prediction": [{"text", "label", "start", "end", "score"}]}` for `{"text"}` or `{"tokens"}`.

        start and end count characters of the input; score is the mean probability of the entity's words.

        Raises:
            RecipeError: `input-unusable`.
        """
        tagged = self._read(tree)
        text, places, sure = tagged.texts[0], tagged.words[0], self.scores(tagged)[0]
        entities = []
        for start, end, kind in self.spans([sure])[0]:
            first, last = places[start][0], places[end - 1][1]
            score = float(sure[start:end].max(axis=1).mean())
            entities.append({"text": text[first:last], "label": kind, "start": first, "end": last, "score": score})
        return {"input": text, "prediction": entities}

    def _read(self, tree: dict[str, Any]) -> Tagged:
        given = tree.get("inputs") if isinstance(tree.get("inputs"), dict) else tree
        assert given is not None  # noqa: S101 for the type checker
        tokens = next((given[name] for name in (*self.plan.column("tokens"), "tokens") if name in given), None)
        if isinstance(tokens, list) and tokens:
            given = {"text": " ".join(str(token) for token in listed(tokens))}
        columns = [name for name in (*self.plan.column("text"), "text", "tokens") if name in given][:1]
        text = data.join_text(given, columns)
        places = split_words(text, self.spaced)
        if not places:
            raise RecipeError(
                "input-unusable",
                f"This input holds no text: {json.dumps(tree, ensure_ascii=False)[:80]}",
                'Each line is an object, as {"text": "Maria lives in Oslo."}.',
                "Send the text under the name text.",
            )
        return Tagged([text], [places], [[]], [1], None, self.plain, self.spaced)

    def evaluate(self, path: Path) -> dict[str, Any]:
        """Figures with their intervals on the rows of a file, type by type too.

        Raises:
            RecipeError: rows that cannot be used.
        """
        notes: list[str] = []
        records = data.read_records(path.name, path.resolve().parent)

        def warn(_code: str, text: str) -> None:
            notes.append(text)

        rows = tagged_rows(records, self.plan, warn, path.name, notes.append, self.plain)
        warn_unknown([name.removeprefix("B-") for name in self.names], rows, warn, path.name)
        found = self.spans(self.scores(rows))
        counts = tag_metrics.count(rows.spans, found, rows.counts.tolist(), self.plain)
        report: dict[str, Any] = {
            "rows": len(rows),
            "metrics": {name: each.model_dump() for name, each in tag_metrics.figures(counts, rows.groups).items()},
            "classes": [each.model_dump() for each in tag_metrics.per_type(counts)],
            "labels": counts.types,
        }
        return report | ({"notes": notes} if notes else {})


def open_tagger(directory: Path, plan: Plan) -> Tagger:
    """Load a run's model.

    Raises:
        RecipeError: there is none.
    """
    from recipes.events import EventWriter

    place = device.set_up(RunContext(directory, EventWriter(None)))
    return Tagger(save.load(directory / "model", Tags(), place), place, plan)
