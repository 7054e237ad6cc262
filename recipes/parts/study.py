"""Which rows of a plan learn, steer and judge, and what is predicted.

study = divide(rows, own_test, plan, run)
study.train, study.validation, study.test      row indices into study.rows
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import copies, data, metrics, splits
from recipes.parts.context import RunContext
from recipes.parts.splits import CopyFinder
from recipes.plan import Plan

FEW_ROWS = 100  # below, one small test set says too little: repeated cross-validation instead
FOLDS, REPEATS = 5, 4
TEST_FRACTION, VALIDATION_FRACTION = 0.2, 0.15  # where the plan leaves them open


@dataclass(frozen=True)
class Goal:
    """What is predicted and how it is judged.

    Attributes:
        names: the classes; empty for regression.
        metric: the figure that decides.
        balanced: rare classes count as much as frequent ones.
    """

    problem: str
    names: list[str]
    metric: str
    balanced: bool
    seed: int

    @property
    def outputs(self) -> int:
        """Width of the last layer."""
        return max(1, len(self.names))


@dataclass(frozen=True)
class Study:
    """All rows and which of them learn, steer and judge.

    Attributes:
        rows: the plan's rows, then the person's own test rows.
        train, validation, test: row indices, shape (n,) each.
        families: shape (rows of the plan,): copies and groups share a number.
        folds: (train rows, held-out rows) pairs instead of a test part, when there are few rows.
        material: what reading the rows made already, for `Modality.encode` (decoded files).
    """

    rows: data.Rows
    goal: Goal
    train: NDArray[Any]
    validation: NDArray[Any]
    test: NDArray[Any]
    families: NDArray[Any]
    folds: list[tuple[NDArray[Any], NDArray[Any]]]
    own_test: bool
    material: Any = None

    @property
    def learnable(self) -> NDArray[Any]:
        """Rows that the final model may learn from."""
        return np.sort(np.concatenate([self.train, self.validation]))

    @property
    def judged(self) -> NDArray[Any]:
        """Rows that the verdict is about."""
        return self.learnable if self.folds else self.test

    @property
    def evaluation(self) -> str:
        """How the figures came about, in words."""
        if self.folds:
            return f"{len(self.folds) // REPEATS}-fold cross-validation, {REPEATS} times"
        return "your own test file" if self.own_test else "test rows"

    def inputs(self, rows: NDArray[Any]) -> list[str]:
        """Inputs of some rows."""
        return [self.rows.inputs[row] for row in rows]

    def labels(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Labels of some rows."""
        labels: NDArray[Any] = self.rows.labels[rows]
        return labels


def divide(
    rows: data.Rows,
    own_test: data.Rows | None,
    plan: Plan,
    run: RunContext,
    find_copies: CopyFinder = copies.find_copies,
    material: Any = None,
) -> Study:
    """Set test rows aside, before anything is trained.

    Args:
        own_test: the person's own test rows, as in `data.read_rows`.
        find_copies: numbers inputs so that copies share a number, and says what it found.
        material: kept for `Modality.encode`.

    Raises:
        splits.CannotSplit: the rows cannot be divided.
    """
    problem = plan.problem or metrics.SINGLE
    counts = np.bincount(rows.labels).tolist() if problem == metrics.SINGLE else None
    goal = Goal(
        problem=problem,
        names=rows.names,
        metric=metrics.metric_name(problem, plan.evaluation.metric, counts),
        balanced=plan.training.class_weights == "balanced",
        seed=plan.training.seed,
    )
    if own_test is None and len(rows) < FEW_ROWS:
        return replace(_cross_validated(rows, goal, run, find_copies), material=material)
    parts = run.on_main(
        lambda: splits.split(
            rows.inputs,
            rows.labels,
            problem=problem,
            test_fraction=plan.evaluation.test_fraction or TEST_FRACTION,
            validation_fraction=plan.evaluation.validation_fraction or VALIDATION_FRACTION,
            seed=goal.seed,
            groups=rows.groups,
            fixed_test=own_test.inputs if own_test is not None else None,
            find_copies=find_copies,
        )
    )
    for sentence in parts.notes:
        run.note(sentence)
    everything = rows if own_test is None else joined(rows, own_test)
    test = parts.test if own_test is None else np.arange(len(rows), len(everything))
    families = parts.duplicate_groups
    return Study(everything, goal, parts.train, parts.validation, test, families, [], own_test is not None, material)


def joined(rows: data.Rows, more: data.Rows) -> data.Rows:
    """Rows of two files, one after the other."""
    return data.Rows(
        rows.inputs + more.inputs,
        np.concatenate([rows.labels, more.labels]),
        rows.names,
        np.concatenate([rows.numbers, more.numbers]),
        None if rows.groups is None or more.groups is None else rows.groups + more.groups,
    )


def _cross_validated(rows: data.Rows, goal: Goal, run: RunContext, find_copies: CopyFinder) -> Study:
    """Few rows: every row is tested, by models that did not see it."""
    pairs = run.on_main(
        lambda: splits.folds(
            rows.labels,
            problem=goal.problem,
            n_splits=FOLDS,
            repeats=REPEATS,
            seed=goal.seed,
            groups=rows.groups,
            texts=rows.inputs,
            find_copies=find_copies,
        )
    )
    every, none = np.arange(len(rows)), np.empty(0, dtype=np.intp)
    return Study(rows, goal, every, none, none, every, pairs, own_test=False)
