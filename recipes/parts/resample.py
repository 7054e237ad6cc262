"""Intervals at 95 %: Wilson for proportions, bootstrap for everything that is computed from sums over rows.

A figure (F1, mean error, …) is written as sums over the test rows and a function of those sums. Resampling then only
re-weights the rows, so thousands of resamples are a few matrix products, and two models are compared on the same
resamples by putting their columns side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse
from scipy.stats import binomtest, norm

from recipes.events import Interval

Floats = NDArray[np.float64]
Figure = Callable[[Floats], Floats]  #: sums over rows, shape (resamples, columns) -> values, shape (resamples,)

RESAMPLES = 2_000  #: Efron and Tibshirani 1993: 1,000 to 2,000 for percentile intervals
CELLS = 6_000_000  #: rows x resamples that are drawn at most: fewer for many rows, so that it stays within a second
CHUNK = 2_000_000  #: of these held in memory at once (16 MB)
Z = float(norm.ppf(0.975))


def group_numbers(groups: Sequence[Any] | None, rows: int) -> NDArray[np.intp] | None:
    """Groups as numbers from 0, shape (rows,); None when no two rows share one (then rows are resampled)."""
    if groups is None:
        return None
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    return numbers if int(numbers.max(initial=-1)) + 1 < rows else None


def by_group(columns: Any, groups: NDArray[np.intp] | None) -> Any:
    """Sum the rows of each group: shape (rows, columns) -> (groups, columns)."""
    if groups is None:
        return columns
    return csr_matrix((np.ones(len(groups)), (groups, np.arange(len(groups))))) @ columns


def totals(columns: Any) -> Floats:
    """The sums over all rows, shape (1, columns)."""
    return np.asarray(columns.sum(axis=0), dtype=np.float64).reshape(1, -1)


def resampled_totals(columns: Any, seed: int = 0) -> Floats:
    """Sums over rows drawn with replacement.

    Args:
        columns: shape (rows, columns), dense or sparse; a row may be a whole group.
        seed: same seed, same draws.

    Returns:
        Shape (resamples, columns), 200 to 2,000 resamples.
    """
    rows = columns.shape[0]
    resamples = int(np.clip(CELLS // max(rows, 1), 200, RESAMPLES))
    generator = np.random.default_rng(seed)
    step = max(1, CHUNK // max(rows, 1))
    result = np.empty((resamples, columns.shape[1]))
    transposed = columns.T.tocsr() if issparse(columns) else np.asarray(columns, dtype=np.float64).T
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = generator.integers(rows, size=(count, rows)) + np.arange(count)[:, None] * rows
        weights = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
        result[start : start + count] = np.asarray(transposed @ weights.T.astype(np.float64)).T
    return result


def bootstrap(columns: Any, figure: Figure, *, bounded: bool, seed: int = 0) -> Interval:
    """A figure with its percentile interval.

    Args:
        columns: what is summed, shape (rows or groups, columns).
        figure: from sums to the value.
        bounded: the value is a share between 0 and 1. Where it is the same in every resample (a perfect score), the
            bootstrap sees no spread at all; Wilson's interval for as many rows is given instead.
        seed: of the draws.
    """
    value = float(figure(totals(columns))[0])
    spread = figure(resampled_totals(columns, seed))
    spread = spread[np.isfinite(spread)]
    if len(spread) == 0:
        return Interval(value=value)
    low, high = (float(bound) for bound in np.quantile(spread, [0.025, 0.975]))
    if bounded and high - low < 1e-12:
        low, high = _wilson(value, columns.shape[0])
    return Interval(value=value, low=min(low, value), high=max(high, value))


def proportion(hits: Any, groups: NDArray[np.intp] | None = None) -> Interval | None:
    """The share of rows that are right, with Wilson's interval; None without rows.

    Args:
        hits: shape (rows,) of 0 and 1.
        groups: shape (rows,) of numbers; rows of one group are not independent, so that the interval is computed for
            the number of independent rows that would spread as much (design effect, Kish 1965).
    """
    right = np.asarray(hits, dtype=np.float64)
    if len(right) == 0:
        return None
    value = float(right.mean())
    if groups is None:
        found = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
        return Interval(value=value, low=float(found.low), high=float(found.high))
    low, high = _wilson(value, _independent_rows(right, groups))
    return Interval(value=value, low=low, high=high)


def _independent_rows(right: Floats, groups: NDArray[np.intp]) -> float:
    """How many independent rows say as much as these grouped ones: between the number of groups' worth and all."""
    sizes = np.bincount(groups).astype(np.float64)
    sizes_present = sizes[sizes > 0]
    number = len(sizes_present)
    value = float(right.mean())
    if value in (0.0, 1.0) or number < 2:
        return float(number)
    residuals = (np.bincount(groups, weights=right) - value * sizes)[sizes > 0]
    variance = number / (number - 1) * float((residuals**2).sum()) / len(right) ** 2
    return float(np.clip(value * (1 - value) / max(variance, 1e-12), 1.0, len(right)))


def _wilson(value: float, rows: float) -> tuple[float, float]:
    """Wilson's bounds for a share and a number of rows that need not be whole (scipy's takes whole counts only)."""
    centre = (value + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    half = Z / (1 + Z**2 / rows) * float(np.sqrt(value * (1 - value) / rows + Z**2 / (4 * rows**2)))
    return min(max(0.0, centre - half), value), max(min(1.0, centre + half), value)
