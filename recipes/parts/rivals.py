"""The baselines of a study: what a model must beat, on the same rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import baselines, metrics
from recipes.parts.baselines import Predictions
from recipes.parts.features import Features
from recipes.parts.modality import Inputs, Modality
from recipes.parts.study import Study

OWN = ("word_counts", "picture_statistics", "sound_statistics")  # baselines that read the inputs themselves


def ask_all(names: list[str], study: Study, found: Features, kind: Modality, inputs: Inputs) -> dict[str, Predictions]:
    """Each baseline's answers for the judged rows, by name."""
    if study.folds:
        return {name: _cross_validated(name, study, found, kind, inputs) for name in names}
    validation = study.validation if len(study.validation) else None
    return {name: ask(name, study, found, kind, inputs, study.train, validation, study.test) for name in names}


def names_for(kind: Modality, wanted: Iterable[str]) -> list[str]:
    """The baselines of a plan; the one that reads the inputs themselves is that of the modality."""
    named = (kind.simple if name in OWN else str(name) for name in wanted if name != "from_scratch")
    return list(dict.fromkeys(named))


def ask(
    name: str,
    study: Study,
    found: Features,
    kind: Modality,
    inputs: Inputs,
    rows: NDArray[Any],
    validation: NDArray[Any] | None,
    test: NDArray[Any],
) -> Predictions:
    """One baseline's answers for `test`, learned from `rows` and the validation rows."""
    problem, classes = study.goal.problem, len(study.goal.names)
    learnable = rows if validation is None else np.concatenate([rows, validation])
    if name == "majority":
        return baselines.majority(study.labels(learnable), len(test), problem=problem, classes=classes)
    if name == "nearest_centroid":
        values = found.get("mean", next(iter(found.values())))
        return baselines.nearest_centroid(
            values[learnable], study.labels(learnable), values[test], problem=problem, classes=classes
        )
    return kind.baseline(name, study, inputs, rows, validation, test)


def _cross_validated(name: str, study: Study, found: Features, kind: Modality, inputs: Inputs) -> Predictions:
    """On the same folds as the model; what a baseline says about a row is averaged over the repeats."""
    total = np.zeros((len(study.rows), study.goal.outputs))
    times = np.zeros(len(study.rows))
    for rows, held_out in study.folds:
        answers = ask(name, study, found, kind, inputs, rows, None, held_out)
        total[held_out] += answers.prediction[:, None] if answers.scores is None else answers.scores
        times[held_out] += 1
    mean = total / np.maximum(times, 1)[:, None]
    if study.goal.problem == metrics.REGRESSION:
        return Predictions(mean[:, 0])
    if study.goal.problem == metrics.SINGLE:
        return Predictions(mean.argmax(axis=1), mean)
    return Predictions((mean > 0.5).astype(np.int64), mean)
