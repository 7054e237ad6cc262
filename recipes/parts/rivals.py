"""The baselines of a study: what a model must beat, on the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import baselines, metrics
from recipes.parts.baselines import Predictions
from recipes.parts.features import Features
from recipes.parts.study import Study


def ask_all(names: list[str], study: Study, found: Features) -> dict[str, Predictions]:
    """Each baseline's answers for the judged rows, by name."""
    if study.folds:
        return {name: _cross_validated(name, study, found) for name in names}
    validation = study.validation if len(study.validation) else None
    return {name: ask(name, study, found, study.train, validation, study.test) for name in names}


def ask(
    name: str, study: Study, found: Features, rows: NDArray[Any], validation: NDArray[Any] | None, test: NDArray[Any]
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
    return baselines.word_counts(
        study.texts(rows),
        study.labels(rows),
        study.texts(test),
        problem=problem,
        classes=classes,
        validation=None if validation is None else (study.texts(validation), study.labels(validation)),
        class_weight="balanced" if study.goal.balanced else None,
    )


def _cross_validated(name: str, study: Study, found: Features) -> Predictions:
    """On the same folds as the model; what a baseline says about a row is averaged over the repeats."""
    total = np.zeros((len(study.rows), study.goal.outputs))
    times = np.zeros(len(study.rows))
    for rows, held_out in study.folds:
        answers = ask(name, study, found, rows, None, held_out)
        total[held_out] += answers.prediction[:, None] if answers.scores is None else answers.scores
        times[held_out] += 1
    mean = total / np.maximum(times, 1)[:, None]
    if study.goal.problem == metrics.REGRESSION:
        return Predictions(mean[:, 0])
    if study.goal.problem == metrics.SINGLE:
        return Predictions(mean.argmax(axis=1), mean)
    return Predictions((mean > 0.5).astype(np.int64), mean)
