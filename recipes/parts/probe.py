"""The linear probe of a study: a new last layer on frozen features, for each way of pooling; the better one is kept.

choice = fit_head(study, features)
choice.pooling, choice.head, choice.validation
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import linear_head, metrics, splits
from recipes.parts.baselines import Predictions
from recipes.parts.features import Features
from recipes.parts.linear_head import LinearHead, Quality
from recipes.parts.methods import Pooling
from recipes.parts.study import FOLDS, Study

ROWS_FOR_FOLDS = 5_000  # up to so many rows the strength is chosen by cross-validation, beyond on the validation rows
HAIR = 0.005  # mean pooling must win by more than this: it costs a few more lines to load
CLEARLY_LOWER = 0.97  # or, as good by the figure, have a loss below this share of the other's
SHARES_OF_ROWS = (0.1, 0.25, 0.5, 1.0)
LEAST_ROWS = 10


@dataclass(frozen=True)
class HeadChoice:
    """The best head found, fitted on the training rows.

    Attributes:
        pooling: which features it reads.
        held_out: its quality on training rows held out in turn; validation: on the validation rows, if there are any.
        compared: quality on rows held out, by pooling.
    """

    pooling: Pooling
    head: LinearHead
    held_out: Quality
    validation: Quality | None
    seconds: float
    compared: dict[str, Quality]

    @property
    def sentence(self) -> str:
        """What the comparison of the poolings found; empty when there was only one."""
        if len(self.compared) < 2:
            return ""
        model, mean = self.compared["model"], self.compared["mean"]
        kept = "the average of all tokens" if self.pooling == "mean" else "the model's own summary"
        return (
            f"On rows held out, a last layer on the model's own summary of a text reaches {model.metric} "
            f"{model.value:.3f} (loss {model.loss:.3f}), on the average of all its tokens {mean.value:.3f} (loss "
            f"{mean.loss:.3f}): {kept} is read."
        )


def fit_head(study: Study, found: Features) -> HeadChoice:
    """Fit heads for each pooling, keep the better one by rows held out, judge it on the validation rows."""
    start = time.monotonic()
    pooling, strength, compared = choose(study, found, study.train, study.goal.seed)
    head = fit(study, found[pooling], study.train, strength)
    validation = None
    if len(study.validation):
        validation = quality(study, head.logits(found[pooling][study.validation]), study.validation)
    return HeadChoice(pooling, head, compared[pooling], validation, time.monotonic() - start, compared)


def choose(study: Study, found: Features, rows: NDArray[Any], seed: int) -> tuple[Pooling, float, dict[str, Quality]]:
    """Pooling and strength by rows of `rows` that are held out in turn (many rows: by the validation rows).

    Returns:
        The pooling, its strength, and the quality of every pooling.
    """
    goal = study.goal
    if len(rows) <= ROWS_FOR_FOLDS or not len(study.validation):
        labels, families = study.labels(rows), study.families[rows]
        pairs = splits.folds(labels, problem=goal.problem, n_splits=FOLDS, repeats=1, seed=seed, groups=families)
    else:
        some = np.random.default_rng(seed).permutation(rows)[: linear_head.ENOUGH_ROWS]
        rows = np.concatenate([some, study.validation])
        labels, pairs = study.labels(rows), [(np.arange(len(some)), np.arange(len(some), len(rows)))]
    strengths: dict[str, float] = {}
    compared: dict[str, Quality] = {}
    for name, values in found.items():
        strengths[name], logits = linear_head.choose_strength(
            values[rows], labels, pairs, problem=goal.problem, classes=len(goal.names), balanced=goal.balanced
        )
        held_out = ~np.isnan(logits[:, 0])
        compared[name] = quality(study, logits[held_out], rows[held_out])
    pooling = better_pooling(compared)
    return pooling, strengths[pooling], compared


def better_pooling(compared: dict[str, Quality]) -> Pooling:
    """The model's own pooling, unless the mean wins by more than a hair."""
    if "mean" not in compared:
        return "model"
    if "model" not in compared:
        return "mean"
    model, mean = compared["model"], compared["mean"]
    hair = HAIR * (1.0 if model.metric in metrics.SHARES else abs(model.value))
    clear = abs(mean.value - model.value) > hair or mean.loss < CLEARLY_LOWER * model.loss
    return "mean" if clear and mean.beats(model, margin=hair) else "model"


def fit(study: Study, values: NDArray[Any], rows: NDArray[Any], strength: float) -> LinearHead:
    """A head fitted on some rows; values: features of all rows, shape (rows, width)."""
    goal = study.goal
    return linear_head.fit(
        values[rows],
        study.labels(rows),
        problem=goal.problem,
        classes=len(goal.names),
        strength=strength,
        balanced=goal.balanced,
    )


def answers_from(
    study: Study, values: NDArray[Any], rows: NDArray[Any], validation: NDArray[Any] | None, asked: NDArray[Any]
) -> Predictions:
    """A linear model on simple statistics; its strength is chosen on the validation rows, which it then learns too.

    Args:
        values: shape (len(rows) + len(validation), width): statistics of both, in this order.
        rows, validation: row indices; asked: statistics of the rows to answer, shape (n, width).
    """
    goal = study.goal
    known = rows if validation is None else np.concatenate([rows, validation])
    how: dict[str, Any] = {"problem": goal.problem, "classes": len(goal.names), "balanced": goal.balanced}
    strength = 0.1
    if validation is not None and len(validation):
        pairs = [(np.arange(len(rows)), np.arange(len(rows), len(known)))]
        strength, _ = linear_head.choose_strength(values, study.labels(known), pairs, **how)
    head = linear_head.fit(values, study.labels(known), strength=strength, **how)
    return linear_head.predict(head.logits(asked), goal.problem)


def quality(study: Study, logits: NDArray[Any], rows: NDArray[Any]) -> Quality:
    """Quality of logits, shape (n, outputs), for rows, shape (n,)."""
    goal = study.goal
    return linear_head.quality(
        logits, study.labels(rows), problem=goal.problem, classes=len(goal.names), metric=goal.metric
    )


def cross_validated_logits(study: Study, found: Features) -> NDArray[Any]:
    """Logits of every row by heads that did not see it, their pooling and strength chosen without it too."""
    total = np.zeros((len(study.rows), study.goal.outputs))
    times = np.zeros(len(study.rows))
    for number, (rows, held_out) in enumerate(study.folds):
        pooling, strength, _ = choose(study, found, rows, study.goal.seed + number)
        total[held_out] += fit(study, found[pooling], rows, strength).logits(found[pooling][held_out])
        times[held_out] += 1
    return total / np.maximum(times, 1)[:, None]


def curve_by_rows(study: Study, found: Features, head: HeadChoice) -> dict[str, list[list[float]]]:
    """How the last layer does on the validation rows with a part of the training rows: would more rows help?"""
    values = found[head.pooling]

    def reached(rows: NDArray[Any]) -> float:
        fitted = fit(study, values, rows, head.head.strength)
        return quality(study, fitted.logits(values[study.validation]), study.validation).value

    return curve_by_share(study, reached)


def curve_by_share(study: Study, reached: Callable[[NDArray[Any]], float | None]) -> dict[str, list[list[float]]]:
    """The figure that decides on the validation rows, by how many of the others were learned from.

    Args:
        reached: some training rows -> the figure of what learns from them alone; None: nothing can.
    """
    if not len(study.validation):
        return {}
    shuffled = np.random.default_rng(study.goal.seed).permutation(study.train)
    points = []
    for share in SHARES_OF_ROWS:
        rows = shuffled[: round(share * len(shuffled))]
        value = reached(rows) if len(rows) >= LEAST_ROWS else None
        if value is not None:
            points.append([float(len(rows)), value])
    return {f"rows/{study.goal.metric}": points}
