"""Splits: no row twice, copies on one side, classes in proportion."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.parts import copies
from recipes.parts.copies import find_copies, normalised
from recipes.parts.splits import CannotSplit, Split, folds, split

SINGLE = "single_label_classification"
QUICK = settings(max_examples=60, deadline=None)


def words(seed: int, count: int) -> str:
    return " ".join(random.Random(seed).choices([f"word{number}" for number in range(3000)], k=count))


def texts_of(rows: int, length: int = 6) -> list[str]:
    return [f"{words(row, length)} {row}" for row in range(rows)]


def parts_of(found: Split) -> list[int]:
    return sorted(np.concatenate([found.train, found.validation, found.test, found.left_out]).tolist())


@QUICK
@given(
    labels=st.lists(st.integers(0, 4), min_size=20, max_size=120),
    copied=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=10),
    test=st.floats(0.1, 0.5),
    validation=st.floats(0, 0.4),
    seed=st.integers(0, 1000),
)
def test_every_row_is_in_one_part_and_copies_share_it(
    labels: list[int], copied: list[tuple[int, int]], test: float, validation: float, seed: int
) -> None:
    texts = texts_of(len(labels))
    for source, target in copied:
        texts[target] = texts[source].upper() + " !"
    found = split(
        texts, np.array(labels), problem=SINGLE, test_fraction=test, validation_fraction=validation, seed=seed
    )
    assert parts_of(found) == list(range(len(labels)))
    side = np.zeros(len(labels), dtype=int)
    side[found.validation], side[found.test] = 1, 2
    for source, target in copied:
        if normalised(texts[source]) == normalised(texts[target]):
            assert side[source] == side[target]


@QUICK
@given(counts=st.lists(st.integers(5, 60), min_size=2, max_size=6), test=st.floats(0.1, 0.5), seed=st.integers(0, 1000))
def test_classes_keep_their_proportion(counts: list[int], test: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    found = split(texts_of(len(labels)), labels, problem=SINGLE, test_fraction=test, validation_fraction=0, seed=seed)
    for each, count in enumerate(counts):
        held_out = int((labels[found.test] == each).sum())
        assert abs(held_out - count * test) <= 1.5  # within rounding
        assert held_out < count  # something is left to learn from


@QUICK
@given(rows=st.integers(20, 80), groups=st.integers(3, 12), seed=st.integers(0, 1000))
def test_a_group_stays_together(rows: int, groups: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    belongs = generator.integers(groups, size=rows)
    labels = generator.integers(2, size=rows)
    if len(np.unique(belongs)) < 2:
        return
    try:
        found = split(
            texts_of(rows), labels, problem=SINGLE, test_fraction=0.3, validation_fraction=0.2, seed=seed,
            groups=[f"customer {group}" for group in belongs],
        )  # fmt: skip
    except CannotSplit:
        return
    sides = [set(belongs[part]) for part in (found.train, found.validation, found.test)]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])


def test_rows_without_a_group_are_not_one_group() -> None:
    groups = [None, float("nan")] * 50
    labels = np.arange(100) % 2
    found = split(
        texts_of(100), labels, problem=SINGLE, test_fraction=0.2, validation_fraction=0.1, seed=1, groups=groups
    )
    assert len(found.test) == 20


def test_the_test_part_does_not_hang_on_the_validation_fraction() -> None:
    texts, labels = texts_of(200), np.arange(200) % 3
    tests = [
        split(texts, labels, problem=SINGLE, test_fraction=0.2, validation_fraction=fraction, seed=7).test
        for fraction in (0.0, 0.1, 0.3)
    ]
    assert (tests[0] == tests[1]).all() and (tests[0] == tests[2]).all()


def test_another_seed_deals_other_rows_and_the_same_seed_the_same() -> None:
    texts, labels = texts_of(200), np.arange(200) % 3
    one, again, other = (
        split(texts, labels, problem=SINGLE, test_fraction=0.2, validation_fraction=0.1, seed=seed).test
        for seed in (1, 1, 2)
    )
    assert (one == again).all()
    assert len(one) == len(other) and (one != other).any()


def test_many_tiny_classes_do_not_all_end_up_on_one_side() -> None:
    labels = np.repeat(np.arange(100), 2)
    found = split(texts_of(200), labels, problem=SINGLE, test_fraction=0.2, validation_fraction=0, seed=3)
    assert 30 <= len(found.test) <= 50
    assert len(np.unique(labels[found.train])) == 100  # every class can be learned


def test_a_class_with_one_row_is_trained_on_and_reported() -> None:
    labels = np.array([0] * 30 + [1] * 30 + [2])
    found = split(texts_of(61), labels, problem=SINGLE, test_fraction=0.3, validation_fraction=0.2, seed=0)
    assert 60 in found.train
    assert any("1 class has too few rows to hold one out" in note for note in found.notes)


def test_multi_label_keeps_each_label_in_proportion() -> None:
    generator = np.random.default_rng(0)
    labels = (generator.random((1000, 5)) < [0.5, 0.2, 0.1, 0.05, 0.02]).astype(int)
    found = split(
        texts_of(1000), labels, problem="multi_label_classification", test_fraction=0.2, validation_fraction=0.1, seed=0
    )  # fmt: skip
    shares = labels[found.test].sum(axis=0) / labels.sum(axis=0)
    assert np.abs(shares - 0.2).max() < 0.04
    assert abs(len(found.test) - 200) <= 10


def test_regression_keeps_the_distribution() -> None:
    values = np.random.default_rng(0).lognormal(size=400)
    found = split(texts_of(400), values, problem="regression", test_fraction=0.25, validation_fraction=0.1, seed=0)
    assert abs(len(found.test) - 100) <= 5
    assert np.median(values[found.test]) == pytest.approx(np.median(values), rel=0.15)


def test_near_copies_are_found_and_texts_that_only_resemble_are_not() -> None:
    base = words(1, 40)
    one_word_off = base.rsplit(" ", 1)[0] + " changed"
    half = " ".join(base.split()[:20]) + " " + words(2, 20)
    numbers, notes = find_copies([base, "unrelated " + words(3, 40), one_word_off, half, "  " + base.upper() + "!!"])
    assert numbers[0] == numbers[2] == numbers[4]
    assert len({int(numbers[0]), int(numbers[1]), int(numbers[3])}) == 3
    assert any("1 row repeats another row's text word for word" in note for note in notes)
    assert any("1 text is nearly the same" in note for note in notes)


def test_near_copies_of_a_chain_and_of_a_template_stay_together_and_quick() -> None:
    template = words(5, 60)
    texts = [f"{template} {number}" for number in range(1500)] + texts_of(100, 30)
    numbers, _ = find_copies(texts)
    assert len(set(numbers[:1500].tolist())) == 1
    assert len(set(numbers[1500:].tolist())) == 100


def test_nearly_all_planted_near_copies_are_found_by_both_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    originals = texts_of(300, 40)
    texts = originals + [f"{' '.join(text.split()[:-1])} new" for text in originals]  # Jaccard 0.95
    for many in (copies.MANY, 10):
        monkeypatch.setattr(copies, "MANY", many)
        numbers, notes = find_copies(texts)
        assert int((numbers[:300] == numbers[300:]).sum()) >= 297
        assert any("lighter method" in note for note in notes) == (many == 10)


def test_short_texts_differ_by_one_word() -> None:
    numbers, _ = find_copies(["good service", "bad service", "Good  service!", "👍", "👎", ""])
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 5


def test_rows_that_stand_in_the_test_file_are_left_out() -> None:
    texts, labels = texts_of(60, 30), np.arange(60) % 2
    own_test = [texts[3].upper(), texts[10] + " added", "something new"]
    found = split(
        texts, labels, problem=SINGLE, test_fraction=0.2, validation_fraction=0.2, seed=0, fixed_test=own_test
    )
    assert found.left_out.tolist() == [3, 10]
    assert len(found.test) == 0
    assert parts_of(found) == list(range(60))
    assert any("2 rows of the 60 training rows were left out" in note for note in found.notes)


def test_a_test_file_that_repeats_all_rows_is_refused() -> None:
    texts, labels = texts_of(20), np.arange(20) % 2
    with pytest.raises(CannotSplit, match="All 20 training rows") as caught:
        split(texts, labels, problem=SINGLE, test_fraction=0.2, validation_fraction=0.2, seed=0, fixed_test=texts)
    assert caught.value.code == "nothing-left-to-train"
    assert caught.value.fix


def test_rows_that_are_all_alike_are_refused() -> None:
    with pytest.raises(CannotSplit, match="All 30 rows are copies of each other") as caught:
        split(["same"] * 30, np.arange(30) % 2, problem=SINGLE, test_fraction=0.2, validation_fraction=0.1, seed=0)
    assert caught.value.code == "one-group-only"


@QUICK
@given(
    rows=st.integers(8, 60), parts=st.integers(2, 6), repeats=st.integers(1, 3), classes=st.integers(2, 4),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_folds_test_every_row_once_a_repeat(rows: int, parts: int, repeats: int, classes: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(classes, size=rows)
    found = folds(labels, problem=SINGLE, n_splits=parts, repeats=repeats, seed=seed)
    assert len(found) == parts * repeats
    tested = np.zeros(rows, dtype=int)
    for train, test in found:
        assert sorted([*train.tolist(), *test.tolist()]) == list(range(rows))
        tested[test] += 1
    assert (tested == repeats).all()


def test_folds_are_stratified_and_differ_between_repeats() -> None:
    labels = np.array([0] * 40 + [1] * 10)
    found = folds(labels, problem=SINGLE, n_splits=5, repeats=2, seed=0)
    assert [int(labels[test].sum()) for _, test in found] == [2] * 10
    assert {tuple(test) for _, test in found[:5]} != {tuple(test) for _, test in found[5:]}


def test_folds_keep_copies_together() -> None:
    texts = texts_of(30)
    texts[1], texts[20] = texts[0], texts[0].upper()
    for _, test in folds(np.arange(30) % 2, problem=SINGLE, n_splits=5, repeats=3, seed=0, texts=texts):
        assert len({0, 1, 20} & set(test.tolist())) in (0, 3)


def test_folds_of_one_family_are_refused() -> None:
    with pytest.raises(CannotSplit):
        folds(np.array([0, 1, 0]), problem=SINGLE, n_splits=3, repeats=1, seed=0, groups=["a", "a", "a"])
