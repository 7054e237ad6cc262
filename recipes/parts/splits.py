"""Which rows train, which steer and which judge: fixed before training, stratified, copies kept on one side.

parts = split(texts, labels, problem=problem, test_fraction=0.2, validation_fraction=0.1, seed=42)
parts.train, parts.validation, parts.test      row indices, sorted
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from recipes.parts.copies import Rows, components, count_of, find_copies

CopyFinder = Callable[[Sequence[str]], tuple[Rows, list[str]]]


class CannotSplit(ValueError):
    """The rows cannot be divided: what happened with values, what was expected, how to mend it."""

    def __init__(self, code: str, what: str, expected: str = "", fix: str = "") -> None:
        self.code, self.what, self.expected, self.fix = code, what, expected, fix
        super().__init__(" ".join(part for part in (what, expected, fix) if part))


@dataclass(frozen=True)
class Split:
    """Row indices of each part, sorted; together with `left_out` every row exactly once.

    Attributes:
        train: shape (train rows,).
        validation: shape (validation rows,); may be empty.
        test: shape (test rows,); empty when the person brought their own test file.
        duplicate_groups: shape (rows,); rows with the same number are copies of each other or share a group.
        left_out: rows that equal, or nearly equal, a row of the person's own test file: not trained on.
        notes: sentences for the report.
    """

    train: Rows
    validation: Rows
    test: Rows
    duplicate_groups: Rows
    left_out: Rows = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    notes: list[str] = field(default_factory=list)


def split(  # noqa: PLR0913 - one flat call reads better than a bag of options
    texts: Sequence[str],
    labels: Any,
    *,
    problem: str,
    test_fraction: float,
    validation_fraction: float,
    seed: int,
    groups: Sequence[Any] | None = None,
    fixed_test: Sequence[str] | None = None,
    find_copies: CopyFinder = find_copies,
) -> Split:  # fmt: skip
    """Divide the rows; the test part depends on the texts, the labels, `test_fraction` and `seed` alone.

    Args:
        texts: shape (rows,).
        labels: single-label: class indices, shape (rows,); multi-label: 0/1, shape (rows, classes); regression: floats.
        problem: as in the plan; regression is stratified by quantile.
        test_fraction: share of all rows held out for the verdict; not used with `fixed_test`.
        validation_fraction: share of the other rows that steers the training; 0: none.
        seed: same seed, same rows: same split.
        groups: shape (rows,): rows of one group (a customer, a document) stay together; None and NaN: no group.
        fixed_test: the person's own test texts; training rows that equal or nearly equal one are left out.
        find_copies: numbers texts (or what stands for a row) so that copies share a number.

    Raises:
        CannotSplit: everything is one group, or nothing is left to train on.
    """
    every = [*texts, *(fixed_test or [])]
    copies, notes = find_copies(every)
    together = _join(copies[: len(texts)], groups)
    kept = np.arange(len(texts), dtype=np.intp)
    left_out = test = np.empty(0, dtype=np.intp)
    strata = _strata(labels, problem)
    if fixed_test is not None:
        seen = np.isin(copies[: len(texts)], copies[len(texts) :])
        left_out, rest = kept[seen], kept[~seen]
        notes += _left_out_notes(len(left_out), len(texts))
    else:
        rest, test = _two_sides(kept, strata, together, test_fraction, seed)
    train, validation = _two_sides(rest, strata, together, validation_fraction, seed + 1)
    _check_sides(train, test if fixed_test is None else None, together)
    notes += _missing_notes(strata, test, problem)
    return Split(train, validation, test, together, left_out, notes)


def folds(
    labels: Any,
    *,
    problem: str,
    n_splits: int,
    repeats: int,
    seed: int,
    groups: Sequence[Any] | None = None,
    texts: Sequence[str] | None = None,
    find_copies: CopyFinder = find_copies,
) -> list[tuple[Rows, Rows]]:  # fmt: skip
    """Repeated stratified cross-validation, for data too small for one test set.

    Args:
        labels, problem, groups: as in `split`.
        n_splits: parts; every row is tested once a repeat. Fewer are made when there are fewer families of copies.
        repeats: how often the rows are dealt anew.
        texts: shape (rows,): when given, copies stay in one part; find_copies: as in `split`.

    Returns:
        `n_splits * repeats` pairs (train rows, test rows), sorted; the pairs of one repeat follow each other.

    Raises:
        CannotSplit: fewer than two families of rows.
    """
    strata = _strata(labels, problem)
    rows = strata.shape[0]
    copies = find_copies(texts)[0] if texts is not None else np.arange(rows, dtype=np.intp)
    together = _join(copies, groups)
    parts = min(n_splits, len(np.unique(together)))
    if parts < 2:
        raise _one_family(rows)
    result = []
    for repeat in range(repeats):
        side = _deal(strata, together, np.full(parts, 1 / parts), seed + repeat, keep_single_in_first=False)
        result += [(np.flatnonzero(side != part), np.flatnonzero(side == part)) for part in range(parts)]
    return [(train, test) for train, test in result if len(test) and len(train)]


def _join(copies: Rows, groups: Sequence[Any] | None) -> Rows:
    """Join families of copies with the person's groups: rows linked by either have the same number."""
    if groups is None:
        return copies
    first_in: dict[Any, int] = {}
    links = [(row, first_in.setdefault(group, row)) for row, group in enumerate(groups) if _is_value(group)]
    first_copy: dict[int, int] = {}
    links += [(row, first_copy.setdefault(int(copy), row)) for row, copy in enumerate(copies)]
    return components(len(copies), links)


def _is_value(group: Any) -> bool:
    """Neither None nor NaN (the only value that differs from itself)."""
    return group is not None and group == group


def _strata(labels: Any, problem: str) -> csr_matrix:
    """What is kept in proportion: shape (rows, strata), 1 where the row belongs to the stratum."""
    values = np.asarray(labels)
    if problem == "multi_label_classification":
        bare = (values.sum(axis=1, keepdims=True) == 0).astype(np.int64)  # rows without any label: a stratum too
        return csr_matrix(np.hstack([values.astype(np.int64), bare]))
    if problem == "regression":
        bins = int(np.clip(len(values) // 5, 1, 10))
        values = (
            np.digitize(values, np.unique(np.quantile(values, np.arange(1, bins) / bins))) if bins > 1 else values * 0
        )
    values = values.astype(np.intp)
    ones = np.ones(len(values), dtype=np.int64)
    return csr_matrix((ones, (np.arange(len(values)), values)), shape=(len(values), int(values.max(initial=0)) + 1))


def _two_sides(rows: Rows, strata: csr_matrix, together: Rows, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Hold `fraction` of `rows` out: (the others, those held out), both sorted."""
    if fraction <= 0 or len(rows) == 0:
        return rows, rows[:0]
    side = _deal(strata[rows], together[rows], np.array([1 - fraction, fraction]), seed, keep_single_in_first=True)
    return rows[side == 0], rows[side == 1]


def _deal(
    strata: csr_matrix, together: Rows, fractions: NDArray[np.float64], seed: int, *, keep_single_in_first: bool
) -> Rows:
    """Deal families of rows to sides, rarest stratum first (after Sechidis et al. 2011, iterative stratification).

    A family goes where its rarest stratum is most wanting; what rounding leaves over is balanced between strata, so
    that many classes of two rows do not all end up on one side. A stratum with a single family goes to the first side
    (a class can only be learned from training rows).

    Returns:
        Shape (rows,): the side of each row.
    """
    rows, sides = strata.shape[0], len(fractions)
    family = np.unique(together, return_inverse=True)[1].reshape(-1)
    members = csr_matrix((np.ones(rows, dtype=np.int64), (family, np.arange(rows))))
    counts = (members @ strata).tocsr()
    totals = np.asarray(strata.sum(axis=0)).reshape(-1)
    families_with = np.asarray((counts > 0).sum(axis=0)).reshape(-1)
    sizes = np.asarray(members.sum(axis=1)).reshape(-1)
    rarest = np.array([_rarest(counts, number, totals) for number in range(counts.shape[0])], dtype=np.intp)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    order = shuffled[np.lexsort((-sizes[shuffled], rarest[shuffled], totals[rarest[shuffled]]))]
    wanting = [[float(fraction * total) for total in totals] for fraction in fractions]
    surplus = [0.0] * sides
    chosen = np.zeros(len(sizes), dtype=np.intp)
    for number in order:
        stratum, size = int(rarest[number]), float(sizes[number])
        if keep_single_in_first and families_with[stratum] == 1:
            side = 0
        else:
            want = [wanting[side][stratum] - min(max(surplus[side], -0.5), 0.5) for side in range(sides)]
            side = want.index(max(want))
        chosen[number] = side
        start, end = counts.indptr[number], counts.indptr[number + 1]
        for label, count in zip(counts.indices[start:end], counts.data[start:end], strict=True):
            wanting[side][label] -= float(count)
        surplus = [value - size * float(fractions[other]) for other, value in enumerate(surplus)]
        surplus[side] += size
    return chosen[family]


def _rarest(counts: csr_matrix, number: int, totals: NDArray[np.int64]) -> int:
    labels = counts.indices[counts.indptr[number] : counts.indptr[number + 1]]
    return int(labels[np.argmin(totals[labels])]) if len(labels) else 0


def _check_sides(train: Rows, test: Rows | None, together: Rows) -> None:
    if len(train) == 0 and test is None:
        raise CannotSplit(
            "nothing-left-to-train",
            f"All {len(together):,} training rows are (nearly) the same as rows of the test file.",
            "A test is only honest on rows that were not trained on.",
            "Bring a test file with other rows, or leave it away: then a part of the rows is held out.",
        )
    if test is not None and (len(train) == 0 or len(test) == 0):
        raise (
            _one_family(len(together))
            if len(np.unique(together)) < 2
            else CannotSplit(
                "too-few-rows-to-split",
                f"From {len(together):,} rows, no test rows could be held out without losing a whole class.",
                "At least two different rows of each class are needed.",
                "Add rows, or remove the classes that have a single row.",
            )
        )


def _one_family(rows: int) -> CannotSplit:
    return CannotSplit(
        "one-group-only",
        f"All {rows:,} rows are copies of each other or belong to one group.",
        "At least two different rows (or groups) are needed, so that one can be held out for the test.",
        "Add different rows, or choose another group column.",
    )


def _left_out_notes(count: int, rows: int) -> list[str]:
    if not count:
        return []
    was = "was" if count == 1 else "were"
    return [
        f"{count_of(count, 'row', 'rows')} of the {rows:,} training rows {was} left out because the test file holds "
        "the same or nearly the same: the test shall ask for something new."
    ]


def _missing_notes(strata: csr_matrix, test: Rows, problem: str) -> list[str]:
    """Say when classes have no test row; regression has no classes."""
    if problem == "regression" or len(test) == 0:
        return []
    present = np.asarray(strata.sum(axis=0)).reshape(-1) > 0
    tested = np.asarray(strata[test].sum(axis=0)).reshape(-1) > 0
    if problem == "multi_label_classification":  # the last stratum is "no label at all"
        present, tested = present[:-1], tested[:-1]
    missing = int((present & ~tested).sum())
    if not missing:
        return []
    return [f"{count_of(missing, 'class has', 'classes have')} too few rows to hold one out for the test; nothing is "
            "known about how well the model does there."]  # fmt: skip
