"""The last layer, fitted on cached features: logistic or ridge regression, its strength chosen on rows held out.

head = fit(features, labels, problem=…, classes=…, strength=…, balanced=…)
head.logits(features)     the same numbers as a linear layer with head.weight and head.bias
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from recipes.parts.baselines import Predictions
from recipes.parts.metrics import HIGHER_IS_BETTER, MULTI, REGRESSION, SINGLE, score

#: Inverse strengths of the penalty that are tried, on standardised features, weakest model first.
STRENGTHS = tuple(float(10.0**exponent) for exponent in np.arange(-4.0, 1.01, 0.5))
ENOUGH_ROWS = 20_000  # more rows do not change which strength is best, but cost time
SMALL_PROBLEM = 10_000_000  # numbers in a feature matrix
ABSENT = -20.0  # logit of a class that no training row has

Folds = Sequence[tuple[NDArray[Any], NDArray[Any]]]


@dataclass(frozen=True)
class LinearHead:
    """A linear layer: `weight`, shape (outputs, width), and `bias`, shape (outputs,), for raw features."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    strength: float

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Shape (rows, width) -> (rows, outputs)."""
        return np.asarray(features @ self.weight.T + self.bias, dtype=np.float64)


@dataclass(frozen=True)
class Quality:
    """How good answers for held-out rows are: the figure that decides, and the loss that breaks ties."""

    metric: str
    value: float
    loss: float

    def beats(self, other: Quality, margin: float = 0.0) -> bool:
        """Better by more than `margin` in the figure, or as good with a lower loss."""
        sign = 1.0 if HIGHER_IS_BETTER[self.metric] else -1.0
        gain = sign * (self.value - other.value)
        if abs(gain) > max(margin, 1e-9):
            return gain > 0
        return self.loss < other.loss


def fit(
    features: NDArray[np.float32], labels: NDArray[Any], *, problem: str, classes: int, strength: float, balanced: bool
) -> LinearHead:
    """Fit a linear layer; the standardisation of the features is folded into its weights.

    Args:
        features: shape (rows, width); labels as in `recipes.parts.metrics`.
        strength: inverse of the L2 penalty (C); larger fits the rows more closely.
        balanced: rare classes count as much as frequent ones.
    """
    with _threads_for(features):
        return _fit(features, labels, problem=problem, classes=classes, strength=strength, balanced=balanced)


def _fit(
    features: NDArray[np.float32], labels: NDArray[Any], *, problem: str, classes: int, strength: float, balanced: bool
) -> LinearHead:
    mean, deviation = scale(features)
    standard = (features - mean) / deviation
    if problem == REGRESSION:
        weight, bias = _fit_ridge(standard, labels, strength)
    elif problem == MULTI:
        columns = [_fit_binary(standard, labels[:, number], strength, balanced) for number in range(classes)]
        weight, bias = np.stack([column[0] for column in columns]), np.array([column[1] for column in columns])
    else:
        weight, bias = _fit_classes(standard, labels, classes, strength, balanced)
    raw_weight = weight / deviation
    raw_bias = bias - raw_weight @ mean
    return LinearHead(raw_weight.astype(np.float32), raw_bias.astype(np.float32), strength)


def scale(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each feature, shape (width,); 1 where a feature never changes."""
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
    return mean, np.where(deviation > 1e-6, deviation, np.float32(1.0)).astype(np.float32)


def _logistic(features: Any, labels: Any, strength: float, balanced: bool) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():  # a head that has not quite converged is a little more regularised: no harm
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, class_weight="balanced" if balanced else None, max_iter=500, tol=1e-4)
        return model.fit(features, labels)


def _fit_classes(standard: Any, labels: Any, classes: int, strength: float, balanced: bool) -> tuple[Any, Any]:
    weight = np.zeros((classes, standard.shape[1]))
    bias = np.full(classes, ABSENT)
    present = np.unique(labels)
    if len(present) == 1:
        bias[int(present[0])] = 0.0
        return weight, bias
    model = _logistic(standard, labels, strength, balanced)
    if len(present) == 2:  # one plane for two classes: half of it each way gives the same probabilities
        weight[present] = np.stack([-model.coef_[0] / 2, model.coef_[0] / 2])
        bias[present] = [-model.intercept_[0] / 2, model.intercept_[0] / 2]
    else:
        weight[present], bias[present] = model.coef_, model.intercept_
    return weight, bias


def _fit_binary(standard: Any, on: Any, strength: float, balanced: bool) -> tuple[Any, float]:
    if on.min() == on.max():
        return np.zeros(standard.shape[1]), -ABSENT if on.min() > 0 else ABSENT
    model = _logistic(standard, on.astype(np.int64), strength, balanced)
    return model.coef_[0], float(model.intercept_[0])


def _fit_ridge(standard: Any, labels: Any, strength: float) -> tuple[Any, Any]:
    from sklearn.linear_model import Ridge

    scale = float(np.std(labels)) or 1.0
    model = Ridge(alpha=1.0 / strength).fit(standard.astype(np.float64), (labels - labels.mean()) / scale)
    return (model.coef_ * scale)[None, :], np.array([model.intercept_ * scale + labels.mean()])


def predict(logits: NDArray[Any], problem: str) -> Predictions:
    """Answers and probabilities from logits, shape (rows, outputs)."""
    if problem == REGRESSION:
        return Predictions(np.asarray(logits[:, 0], dtype=np.float64))
    if problem == SINGLE:
        scores = softmax(np.asarray(logits, dtype=np.float64), axis=1)
        return Predictions(scores.argmax(axis=1), scores)
    scores = expit(np.asarray(logits, dtype=np.float64))
    return Predictions((scores > 0.5).astype(np.int64), scores)


def loss(logits: NDArray[Any], labels: NDArray[Any], problem: str, row_weights: NDArray[Any] | None = None) -> float:
    """Mean cross-entropy (single), mean binary cross-entropy (multi-label) or mean squared error (regression)."""
    logits = np.asarray(logits, dtype=np.float64)
    if problem == REGRESSION:
        each = (logits[:, 0] - labels) ** 2
    elif problem == SINGLE:
        each = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    else:
        each = (np.logaddexp(0, logits) - labels * logits).mean(axis=1)
    return float(np.average(each, weights=row_weights))


def quality(logits: NDArray[Any], labels: NDArray[Any], *, problem: str, classes: int, metric: str) -> Quality:
    """The figure that decides and the loss, from logits for held-out rows."""
    answers = predict(logits, problem).prediction
    return Quality(metric, score(problem, metric, labels, answers, classes or None), loss(logits, labels, problem))


def class_row_weights(labels: NDArray[Any], classes: int, balanced: bool) -> NDArray[np.float32]:
    """Weight of each row in the loss, shape (rows,), mean 1; balanced: every class weighs the same in all."""
    if not balanced or labels.ndim > 1 or not classes:
        return np.ones(len(labels), dtype=np.float32)
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    weights = (1.0 / counts)[labels]
    return np.asarray(weights / weights.mean(), dtype=np.float32)


def _threads_for(features: Any) -> Any:
    """One thread for small problems: two spend longer meeting each other than computing."""
    return _thread_pools().limit(limits=1 if features.size < SMALL_PROBLEM else None)


@cache
def _thread_pools() -> Any:
    """The libraries that have threads; looking for them takes longer than a small fit, so it is done once."""
    import sklearn.linear_model  # noqa: F401 its libraries must be there to be found
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def held_out_logits(
    features: NDArray[np.float32],
    labels: NDArray[Any],
    folds: Folds,
    *,
    problem: str,
    classes: int,
    strength: float,
    balanced: bool,
) -> NDArray[np.float64]:
    """Logits for rows by heads that did not see them, averaged where a row is held out more than once.

    Returns:
        Shape (rows, outputs); rows that no fold holds out are NaN.
    """
    total = np.zeros((len(features), max(classes, 1)))
    times = np.zeros(len(features))
    for train, held_out in folds:
        head = fit(
            features[train], labels[train], problem=problem, classes=classes, strength=strength, balanced=balanced
        )
        total[held_out] += head.logits(features[held_out])
        times[held_out] += 1
    with np.errstate(invalid="ignore"):
        return np.where(times[:, None] > 0, total / np.maximum(times, 1)[:, None], np.nan)


def choose_strength(
    features: NDArray[np.float32], labels: NDArray[Any], folds: Folds, *, problem: str, classes: int, balanced: bool
) -> tuple[float, NDArray[np.float64]]:
    """The strength with the least loss on held-out rows, and its logits for them; the stronger penalty wins ties.

    Walks from the strongest penalty to weaker ones and stops once two in a row are worse.

    Returns:
        The strength, and logits of shape (rows, outputs), NaN for rows that no fold holds out.
    """
    best, best_logits, best_loss, worse = STRENGTHS[0], np.zeros((0, 0)), np.inf, 0
    for strength in STRENGTHS:
        logits = held_out_logits(
            features, labels, folds, problem=problem, classes=classes, strength=strength, balanced=balanced
        )
        rows = ~np.isnan(logits[:, 0])
        weights = class_row_weights(labels[rows], classes, balanced and problem == SINGLE)
        found = loss(logits[rows], labels[rows], problem, weights)
        if found < best_loss * (1 - 1e-4):
            best, best_logits, best_loss, worse = strength, logits, found, 0
        else:
            worse += 1
        if worse == 2:
            break
    return best, best_logits
