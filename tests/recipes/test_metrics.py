"""Figures against scikit-learn, intervals against values worked out elsewhere."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn import metrics as reference

from recipes.parts.metrics import (
    DECIDING,
    HIGHER_IS_BETTER,
    MULTI,
    REGRESSION,
    SINGLE,
    compute,
    confusion,
    metric_name,
    mistakes,
    per_class,
    primary,
    score,
)
from recipes.parts.resample import _wilson, bootstrap, proportion


def answers(rows: int, classes: int, right: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(classes, size=rows)
    return truth, np.where(generator.random(rows) < right, truth, generator.integers(classes, size=rows))


def test_wilson_by_hand() -> None:
    """8 of 10: (0.8 + z²/20 ± z sqrt(0.8*0.2/10 + z²/400)) / (1 + z²/10) with z = 1.959964: 0.4902 and 0.9433."""
    found = proportion([1] * 8 + [0] * 2)
    assert found is not None
    assert found.value == 0.8
    assert found.low == pytest.approx(0.49016, abs=1e-5)
    assert found.high == pytest.approx(0.94332, abs=1e-5)


def test_wilson_at_the_edges() -> None:
    """z²/(n + z²) = 0.2775 for n = 10: all right is not 100 % for sure."""
    perfect = proportion([1] * 10)
    assert perfect is not None and perfect.low == pytest.approx(0.72247, abs=1e-5) and perfect.high == 1
    assert proportion([]) is None


@given(rows=st.integers(1, 300), share=st.floats(0, 1))
@settings(deadline=None, max_examples=50)
def test_our_wilson_for_broken_counts_agrees_with_scipy_on_whole_ones(rows: int, share: float) -> None:
    right = int(share * rows)
    found = proportion([1] * right + [0] * (rows - right))
    assert found is not None and found.low is not None and found.high is not None
    assert _wilson(right / rows, rows) == pytest.approx((found.low, found.high), abs=1e-9)


def test_groups_widen_the_interval_by_what_they_repeat() -> None:
    """Each row four times says no more than each row once."""
    once = np.array([1] * 80 + [0] * 20)
    repeated, groups = np.repeat(once, 4), np.repeat(np.arange(100), 4)
    single, grouped, careless = proportion(once), proportion(repeated, groups), proportion(repeated)
    assert single is not None and grouped is not None and careless is not None
    assert grouped.low == pytest.approx(single.low, abs=0.003)
    assert grouped.high == pytest.approx(single.high, abs=0.003)
    assert (careless.low or 0) > (grouped.low or 0)


@pytest.mark.parametrize(("rows", "classes"), [(40, 2), (500, 2), (500, 7)])
def test_single_label_agrees_with_scikit_learn(rows: int, classes: int) -> None:
    truth, prediction = answers(rows, classes, 0.8)
    found = compute(SINGLE, truth, prediction, None, [str(each) for each in range(classes)])
    assert found["accuracy"].value == pytest.approx(reference.accuracy_score(truth, prediction))
    assert found["f1"].value == pytest.approx(reference.f1_score(truth, prediction, average="macro"))
    assert found["balanced_accuracy"].value == pytest.approx(reference.balanced_accuracy_score(truth, prediction))
    assert ("precision" in found) == (classes == 2)
    for figure in found.values():
        assert figure.low is not None and figure.high is not None
        assert 0 <= figure.low < figure.value < figure.high <= 1


def test_with_two_classes_precision_and_recall_are_those_of_the_rarer_one() -> None:
    truth = np.array([0] * 5 + [1] * 15)
    prediction = np.array([0, 0, 0, 1, 1] + [0] + [1] * 14)
    found = compute(SINGLE, truth, prediction, None, ["rare", "common"])
    assert found["precision"].value == pytest.approx(3 / 4)
    assert found["recall"].value == pytest.approx(3 / 5)


def test_roc_auc_of_perfect_useless_and_usual_scores() -> None:
    truth, _ = answers(600, 2, 1.0)
    noise = np.random.default_rng(1).normal(size=600)
    usual = 1 / (1 + np.exp(-(truth + noise)))
    found = compute(SINGLE, truth, truth, np.column_stack([1 - usual, usual]), ["a", "b"])["roc_auc"]
    assert found.value == pytest.approx(reference.roc_auc_score(truth, usual))
    assert found.low is not None and found.high is not None
    # Hanley and McNeil's standard error at AUC 0.76, 300 a class, is 0.0194: half-width 0.038
    assert (found.high - found.low) / 2 == pytest.approx(0.038, abs=0.005)


def test_multi_label_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random((300, 5)) < 0.3).astype(int)
    prediction = np.where(generator.random(truth.shape) < 0.9, truth, 1 - truth)
    found = compute(MULTI, truth, prediction)
    assert found["f1_micro"].value == pytest.approx(reference.f1_score(truth, prediction, average="micro"))
    assert found["f1_macro"].value == pytest.approx(reference.f1_score(truth, prediction, average="macro"))
    assert found["recall_micro"].value == pytest.approx(reference.recall_score(truth, prediction, average="micro"))
    assert found["subset_accuracy"].value == pytest.approx(reference.accuracy_score(truth, prediction))


def test_regression_agrees_with_scikit_learn_and_scipy() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=200) * 3 + 1000
    prediction = truth + generator.normal(size=200)
    found = compute(REGRESSION, truth, prediction)
    assert found["mae"].value == pytest.approx(reference.mean_absolute_error(truth, prediction))
    assert found["rmse"].value == pytest.approx(reference.root_mean_squared_error(truth, prediction))
    assert found["r2"].value == pytest.approx(reference.r2_score(truth, prediction))
    assert found["spearman"].value == pytest.approx(spearmanr(truth, prediction)[0])


def test_a_constant_truth_has_no_r2_and_still_the_others() -> None:
    found = compute(REGRESSION, np.full(20, 3.0), np.arange(20.0))
    assert "r2" not in found
    assert found["mae"].value > 0


def test_the_bootstrap_interval_of_a_mean_is_that_of_the_normal_theory() -> None:
    values = np.random.default_rng(0).normal(size=(400, 1))
    columns = np.hstack([values, np.ones((400, 1))])
    found = bootstrap(columns, lambda sums: sums[:, 0] / sums[:, 1], bounded=False)
    assert found.low is not None and found.high is not None
    expected = 1.96 * values.std() / 20
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["accuracy", "f1"])
def test_the_intervals_hold_the_truth_in_95_of_100(metric: str) -> None:
    inside = 0
    true_value = {"accuracy": 0.9, "f1": 0.9}[metric]  # 80 % right plus half of 20 % guessed right, two even classes
    for seed in range(200):
        truth, prediction = answers(150, 2, 0.8, seed)
        found = compute(SINGLE, truth, prediction, None, ["a", "b"])[metric]
        inside += (found.low or 0) <= true_value <= (found.high or 1)
    assert inside >= 180


def test_a_perfect_score_on_few_rows_has_an_honest_interval() -> None:
    truth = np.array([0, 1] * 10)
    f1 = compute(SINGLE, truth, truth, None, ["a", "b"])["f1"]
    assert f1.value == 1 and f1.high == 1
    assert f1.low == pytest.approx(0.8389, abs=1e-3)  # Wilson for 20 of 20


def test_a_hundred_thousand_rows_take_seconds() -> None:
    truth, prediction = answers(100_000, 20, 0.8)
    start = time.monotonic()
    compute(SINGLE, truth, prediction, None, [str(each) for each in range(20)])
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("problem", [SINGLE, MULTI, REGRESSION])
def test_every_deciding_figure_has_a_direction_and_a_quick_form(problem: str) -> None:
    generator = np.random.default_rng(0)
    truth = {
        SINGLE: generator.integers(2, size=50),
        MULTI: generator.integers(2, size=(50, 3)),
        REGRESSION: generator.normal(size=50),
    }[problem]
    full = compute(problem, truth, truth[::-1])
    for name in DECIDING[problem]:
        assert name in HIGHER_IS_BETTER
        assert score(problem, name, truth, truth[::-1]) == pytest.approx(full[name].value)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([2166, 834], "accuracy"),
        ([950, 50], "f1"),
        ([100, 100, 9], "f1"),
        ({"a": 5, "b": 5}, "accuracy"),
        (None, "accuracy"),
    ],
)
def test_the_deciding_figure_sees_rare_classes(counts: object, expected: str) -> None:
    assert primary(SINGLE, counts) == expected  # type: ignore[arg-type]
    assert primary(REGRESSION, None) == "mae"


@pytest.mark.parametrize(
    ("problem", "asked", "expected"),
    [
        (SINGLE, "F1", "f1"), (SINGLE, "f1-macro", "f1"), (SINGLE, "wer", "accuracy"), (SINGLE, None, "accuracy"),
        (MULTI, "f1", "f1_micro"), (MULTI, "accuracy", "subset_accuracy"), (REGRESSION, "accuracy", "mae"),
    ],
)  # fmt: skip
def test_a_metric_that_was_asked_for(problem: str, asked: str | None, expected: str) -> None:
    assert metric_name(problem, asked, [50, 50]) == expected


def test_confusion_and_class_figures_by_hand() -> None:
    truth, prediction = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    assert confusion(truth, prediction, 3) == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    first, second, third = per_class(SINGLE, truth, prediction, ["a", "b", "c"])
    assert (first.rows, second.rows, third.rows) == (3, 2, 1)
    assert first.precision is not None and first.precision.value == pytest.approx(2 / 3)
    assert second.recall is not None and second.recall.value == 1
    assert second.f1 == pytest.approx(0.8)
    assert third.precision is None and third.f1 == 0


def test_mistakes_come_surest_first_with_their_row_in_the_file() -> None:
    truth, prediction = np.array([0, 1, 1, 0]), np.array([1, 1, 0, 1])
    scores = np.array([[0.4, 0.6], [0.1, 0.9], [0.8, 0.2], [0.05, 0.95]])
    found = mistakes(
        SINGLE, ["w", "x", "y", "z"], truth, prediction, scores=scores, labels=["ham", "spam"], rows=[10, 11, 12, 13]
    )
    assert [(each.row, each.input, each.expected, each.predicted) for each in found] == [
        (13, "z", "ham", "spam"), (12, "y", "spam", "ham"), (10, "w", "ham", "spam"),
    ]  # fmt: skip
    assert found[0].confidence == pytest.approx(0.95)


def test_mistakes_with_several_labels_and_with_numbers() -> None:
    truth, prediction = np.array([[1, 0], [0, 0]]), np.array([[1, 0], [1, 1]])
    (wrong,) = mistakes(
        MULTI, ["x", "y"], truth, prediction, scores=np.array([[0.9, 0.2], [0.6, 0.8]]), labels=["a", "b"]
    )
    assert (wrong.expected, wrong.predicted, wrong.confidence) == ("(none)", "a, b", 0.8)
    largest, _ = mistakes(REGRESSION, ["x", "y"], np.array([1.0, 2.0]), np.array([1.5, 5.0]))
    assert (largest.input, largest.expected, largest.predicted) == ("y", "2", "5")
