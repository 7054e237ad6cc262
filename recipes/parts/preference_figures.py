"""How often a model likes the better answer more, and whether it learned something else instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Interval, Verdict
from recipes.parts import verdict
from recipes.parts.baselines import Predictions
from recipes.parts.context import RunContext
from recipes.parts.metrics import FIGURES, SINGLE
from recipes.parts.resample import bootstrap, by_group, group_numbers, proportion

MUCH_MORE = 0.15  # share of pairs by which a model may favour the longer answer beyond the pairs themselves
COLLAPSED = 1.5  # times as surprising as before: preferred answers that became this unlikely


def figures(
    right: NDArray[Any], groups: Sequence[Any] | None = None, margins: NDArray[np.float64] | None = None
) -> dict[str, Interval]:
    """Share of pairs in which the better answer is liked more (Wilson), and the mean margin (bootstrap).

    Args:
        right: shape (pairs,), true where the better answer is liked more; margins: by how much.
    """
    numbers = group_numbers(groups, len(right))
    share = proportion(right, numbers)
    found = {"reward_accuracy": share} if share is not None else {}
    if margins is not None and len(margins):
        columns = by_group(np.column_stack([margins, np.ones(len(margins))]), numbers)
        found["margin"] = bootstrap(columns, FIGURES["mean"], bounded=False)
    return found


def judge(right: NDArray[Any], rivals: Mapping[str, NDArray[Any]], groups: Sequence[Any] | None = None) -> Verdict:
    """Against the best rival on the same pairs, by McNemar's test: a pair is right where the better answer is liked."""
    found = verdict.judge(
        SINGLE,
        "accuracy",
        np.ones(len(right), dtype=np.int64),
        Predictions(np.asarray(right, dtype=np.int64)),
        {name: Predictions(np.asarray(each, dtype=np.int64)) for name, each in rivals.items()},
        labels=["the worse answer", "the better answer"],
        groups=groups,
        noun="pairs",
    )
    text = found.text.replace(" are right", " are ordered as people did", 1)
    return found.model_copy(update={"metric": "reward_accuracy", "text": text})


def tell_length_bias(margins: NDArray[np.float64], longer: NDArray[Any], run: RunContext) -> None:
    """Whether it simply came to like long answers.

    Args:
        longer: shape (pairs,), true where the better answer is the longer one.
    """
    prefers_longer = float(np.mean((margins > 0) == longer))
    among_pairs = float(np.mean(longer))
    said = (
        f"It likes the longer answer in {100 * prefers_longer:.0f} % of the test pairs; people did in "
        f"{100 * among_pairs:.0f} %."
    )
    if prefers_longer > among_pairs + MUCH_MORE:
        run.warn(
            "length-bias",
            f"{said} It may have learned that long is good: read some of its answers, and add pairs in which the "
            "shorter answer is the better one.",
        )
    else:
        run.note(said)


def tell_collapse(before: NDArray[np.float64], after: NDArray[np.float64], run: RunContext) -> None:
    """Whether preferred answers became unlikely as well, which this way of training can do.

    Args:
        before, after: summed loss of the preferred answers, shape (pairs,).
    """
    if float(after.sum()) > COLLAPSED * float(before.sum()):
        run.warn(
            "preferred-unlikely",
            f"The preferred answers became less likely too: their loss went from {before.mean():.1f} to "
            f"{after.mean():.1f} an answer. Use fewer epochs or a smaller learning rate.",
        )
