"""A finished model that answers: texts to labels with probabilities, to lists of labels, or to numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recipes.parts import device, save
from recipes.parts.baselines import Predictions
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.linear_head import predict
from recipes.parts.methods import Classifier
from recipes.parts.training import logits_of

MULTI, REGRESSION = "multi_label_classification", "regression"


class OpenModel:
    """A loaded model on its device."""

    def __init__(self, classifier: Classifier, place: Device) -> None:
        self.classifier = classifier
        self.place = place
        self.problem: str = classifier.module.config.problem_type
        self.labels = save.labels_of(classifier)

    def predictions(self, texts: list[str]) -> Predictions:
        """Answers and probabilities for texts, in their order."""
        encoded = save.encode_for(self.classifier, texts)
        logits = logits_of(self.classifier, encoded, np.arange(len(texts)), self.place)
        return predict(logits, self.problem)


def open_model(directory: Path) -> OpenModel:
    """Load a run's model.

    Raises:
        RecipeError: there is none.
    """
    from recipes.events import EventWriter

    place = device.set_up(RunContext(directory, EventWriter(None)))
    return OpenModel(save.load(directory / "model", place), place)


def answer(model: OpenModel, texts: list[str]) -> list[dict[str, Any]]:
    """`{"input", "prediction", "scores"}` for each text; no scores for numbers."""
    found = model.predictions(texts)
    result = []
    for number, text in enumerate(texts):
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
