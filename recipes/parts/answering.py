"""A finished model that answers: inputs to labels with probabilities, to lists of labels, or to numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from recipes.parts import device, save
from recipes.parts.baselines import Predictions
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.linear_head import predict
from recipes.parts.methods import Classifier
from recipes.parts.modality import Modality
from recipes.parts.training import logits_of
from recipes.plan import Plan

MULTI, REGRESSION = "multi_label_classification", "regression"


class OpenModel:
    """A loaded model on its device."""

    def __init__(self, classifier: Classifier, place: Device, plan: Plan) -> None:
        self.classifier = classifier
        self.place = place
        self.plan = plan
        self.problem: str = classifier.module.config.problem_type
        self.labels = save.labels_of(classifier)

    def predictions(self, values: list[str]) -> Predictions:
        """Answers and probabilities for inputs (texts, or paths of files), in their order."""
        encoded = self.classifier.kind.encode_new(self.classifier, values)
        logits = logits_of(self.classifier, encoded, np.arange(len(values)), self.place)
        return predict(logits, self.problem)

    def answer(self, tree: dict[str, Any]) -> dict[str, Any]:
        """The answer to one line of `recipes.predict`.

        Raises:
            RecipeError: `input-unusable`.
        """
        kind = self.classifier.kind
        value = kind.value_of(tree, self.plan)
        if not value.strip():
            raise RecipeError(
                "input-unusable",
                f"This input holds no {kind.one}: {json.dumps(tree, ensure_ascii=False)[:80]}",
                f'Each line is an object, as {{"{kind.role}": "…"}}.',
                f"Send the {kind.one} under the name {kind.role}.",
            )
        found = answer(self, [value])[0]
        return {**found, **kind.explain(self.classifier, value)} if tree.get("explain") else found


def open_model(directory: Path, kind: Modality) -> OpenModel:
    """Load a run's model.

    Args:
        kind: what it classifies.

    Raises:
        RecipeError: there is none.
    """
    from recipes.events import EventWriter

    place = device.set_up(RunContext(directory, EventWriter(None)))
    return OpenModel(save.load(directory / "model", kind, place), place, Plan.load(directory / "plan.json"))


def answer(model: OpenModel, values: list[str]) -> list[dict[str, Any]]:
    """`{"input", "prediction", "scores"}` for each input; no scores for numbers."""
    found = model.predictions(values)
    result = []
    for number, text in enumerate(values):
        if model.problem == REGRESSION or found.scores is None:
            result.append({"input": text, "prediction": float(found.prediction[number])})
            continue
        scores = {label: float(score) for label, score in zip(model.labels, found.scores[number], strict=True)}
        if model.problem == MULTI:
            said: Any = [model.labels[index] for index in np.flatnonzero(found.prediction[number])]
        else:
            said = model.labels[int(found.prediction[number])]
        result.append({"input": text, "prediction": said, "scores": scores})
    return result
