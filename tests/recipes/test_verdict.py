"""The verdict: right codes, right tests, and sentences whose numbers are those that went in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.events import Interval
from recipes.parts.baselines import Predictions
from recipes.parts.metrics import MULTI, REGRESSION, SINGLE
from recipes.parts.sentences import figure, measured, more_rows, p_value
from recipes.parts.verdict import compare, judge, learned, mcnemar_rows

LABELS = ["ham", "spam"]


def rows_with(
    both: int, only_model: int, only_baseline: int, neither: int
) -> tuple[np.ndarray, Predictions, Predictions]:
    """Truth and two answers from the four cells of a paired table."""
    model = np.array([1] * both + [1] * only_model + [0] * only_baseline + [0] * neither)
    baseline = np.array([1] * both + [0] * only_model + [1] * only_baseline + [0] * neither)
    truth = np.arange(len(model)) % 2
    return (
        truth,
        Predictions(np.where(model == 1, truth, 1 - truth)),
        Predictions(np.where(baseline == 1, truth, 1 - truth)),
    )


def verdict_of(cells: tuple[int, int, int, int], **more: Any) -> Any:
    truth, model, baseline = rows_with(*cells)
    trivial = Predictions(np.zeros_like(truth))
    return judge(
        SINGLE, "accuracy", truth, model, {"majority": trivial, "word_counts": baseline}, labels=LABELS, **more
    )


def test_the_sentence_of_a_difference_that_could_be_chance() -> None:
    """777 of 800 right against 770: the example of the documentation."""
    found = verdict_of((762, 15, 8, 15), noun="e-mails")
    assert found.code == "same"
    assert found.text == (
        "On 800 e-mails it never saw, 97.1 % are right (95 % interval 95.7–98.1). Counting words reaches 96.2 %: the "
        "difference could be chance."
    )
    assert found.best_baseline == "word_counts"


def test_the_sentence_of_a_better_model() -> None:
    """Exact McNemar of 60 against 20: 2 P(X <= 20 | 80, 1/2) = 8.5e-06."""
    found = verdict_of((800, 60, 20, 120))
    assert found.code == "better"
    assert found.p_value == pytest.approx(8.57e-06, rel=0.02)
    assert found.text == (
        "On 1,000 texts it never saw, 86.0 % are right (95 % interval 83.7–88.0). Counting words reaches 82.0 %: the "
        "model is better, and that is hardly chance (p < 0.0001)."
    )
    assert found.difference.value == pytest.approx(0.04)
    assert found.difference.low > 0


def test_the_sentence_of_a_worse_model_names_the_method_to_use() -> None:
    found = verdict_of((700, 20, 60, 220))
    assert found.code == "worse"
    assert "72.0 %" in found.text and "76.0 %" in found.text
    assert "counting words is the method to use" in found.text
    assert found.difference.high < 0


def test_a_model_below_the_trivial_answer_learned_nothing_of_use() -> None:
    truth = np.array([0] * 180 + [1] * 20)
    model = np.where(np.arange(200) % 2, truth, 1 - truth)
    found = judge(
        SINGLE, "accuracy", truth, Predictions(model), {"majority": Predictions(np.zeros(200, int))}, labels=LABELS
    )
    assert found.code == "worse"
    assert "Always answering the most frequent class reaches 90.0 %" in found.text
    assert "learned nothing of use" in found.text


def test_mcnemar_by_hand() -> None:
    """Discordant 1 and 9: 2 (C(10,0) + C(10,1)) / 2^10 = 22 / 1024."""
    truth, model, baseline = rows_with(80, 9, 1, 10)
    found = compare(SINGLE, "accuracy", truth, model.prediction, baseline.prediction)
    assert found.p_value == pytest.approx(22 / 1024)
    assert found.difference.value == pytest.approx(0.08)


def test_few_rows_are_too_few_and_the_sentence_says_how_many_would_do() -> None:
    found = verdict_of((16, 2, 1, 1), noun="e-mails", test_fraction=0.2)
    assert found.code == "not_enough_data"
    assert "20 e-mails are too few to tell which is better" in found.text
    assert "with 20 % held out, label some" in found.text


def test_few_rows_with_a_plain_difference_are_enough() -> None:
    """12 against 0 discordant: p = 2 / 4096; no need for more rows."""
    assert verdict_of((8, 12, 0, 4)).code == "better"


def test_cross_validation_that_is_undecided_asks_for_more_rows() -> None:
    found = verdict_of((50, 5, 3, 6), cross_validated=True, noun="reviews")
    assert found.code == "not_enough_data"
    assert found.text.startswith("Over 64 reviews, each answered by models that never saw it, 85.9 % are right")
    assert "more labelled reviews would show a difference of 3 points" in found.text


def test_a_blunt_undecided_comparison_does_not_say_same() -> None:
    assert verdict_of((25, 9, 6, 5)).code == "not_enough_data"
    assert verdict_of((450, 9, 6, 35)).code == "same"


def test_equal_figures_are_no_difference() -> None:
    assert verdict_of((700, 10, 10, 80)).text.endswith("Counting words reaches 88.8 % too: there is no difference.")


def test_without_baselines_there_is_no_verdict() -> None:
    truth, model, _ = rows_with(50, 0, 0, 10)
    assert judge(SINGLE, "accuracy", truth, model, {}, labels=LABELS).code == "not_enough_data"


@pytest.mark.parametrize(
    ("difference", "disagreement", "rows"), [(0.02, 0.10, 1960), (0.05, 0.15, 470), (0.10, 0.20, 155)]
)
def test_the_number_of_rows_for_a_power_of_80_percent(difference: float, disagreement: float, rows: int) -> None:
    assert mcnemar_rows(difference, disagreement) == pytest.approx(rows, rel=0.01)


@given(cells=st.tuples(st.integers(1, 400), st.integers(0, 80), st.integers(0, 80), st.integers(0, 100)))
@settings(deadline=None, max_examples=60)
def test_the_numbers_in_the_text_are_those_of_the_rows(cells: tuple[int, int, int, int]) -> None:
    both, only_model, only_baseline, _ = cells
    rows = sum(cells)
    truth, model, baseline = rows_with(*cells)
    found = judge(SINGLE, "accuracy", truth, model, {"word_counts": baseline}, labels=LABELS)
    assert figure("accuracy", (both + only_model) / rows) in found.text
    assert figure("accuracy", (both + only_baseline) / rows) in found.text
    assert found.text.startswith(f"On {rows:,} text")
    assert found.difference is not None
    assert found.difference.value == pytest.approx((only_model - only_baseline) / rows)
    if found.code == "better":
        assert only_model > only_baseline and (found.p_value or 1) < 0.05
    if found.code == "worse":
        assert only_model < only_baseline and (found.p_value or 1) < 0.05


def test_the_paired_bootstrap_agrees_with_mcnemar_on_accuracy() -> None:
    truth, model, baseline = rows_with(700, 60, 30, 110)
    exact = compare(SINGLE, "accuracy", truth, model.prediction, baseline.prediction)
    resampled = compare(
        SINGLE, "accuracy", truth, model.prediction, baseline.prediction, groups=[*range(899), 898]
    )  # one shared group: by bootstrap
    assert resampled.difference.value == pytest.approx(exact.difference.value)
    assert resampled.difference.low == pytest.approx(exact.difference.low, abs=0.004)
    assert resampled.p_value == pytest.approx(exact.p_value, abs=0.004)


def test_repeated_rows_do_not_make_a_difference_surer() -> None:
    truth, model, baseline = rows_with(150, 15, 8, 27)
    once = compare(SINGLE, "accuracy", truth, model.prediction, baseline.prediction)
    again = compare(
        SINGLE, "accuracy", np.tile(truth, 10), np.tile(model.prediction, 10), np.tile(baseline.prediction, 10),
        groups=np.tile(np.arange(200), 10).tolist(),
    )  # fmt: skip
    assert once.p_value > 0.05
    assert again.p_value > 0.05


@pytest.mark.slow
def test_a_false_better_is_rare() -> None:
    """Two equally good models: a difference is declared in at most some 5 of 100 cases."""
    generator = np.random.default_rng(0)
    declared = {"accuracy": 0, "f1": 0}
    for _ in range(200):
        truth = generator.integers(2, size=200)
        model, baseline = (np.where(generator.random(200) < 0.85, truth, 1 - truth) for _ in range(2))
        for metric in declared:
            declared[metric] += compare(SINGLE, metric, truth, model, baseline, LABELS).p_value < 0.05
    assert max(declared.values()) <= 18


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy", "precision", "recall"])
def test_other_figures_of_single_labels(metric: str) -> None:
    truth, model, baseline = rows_with(800, 60, 20, 120)
    found = judge(SINGLE, metric, truth, model, {"word_counts": baseline}, labels=LABELS)
    assert found.code == "better"
    assert found.metric == metric
    assert found.difference is not None and found.difference.value > 0


def test_numbers_that_should_be_small() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=300) * 10
    model, baseline = (
        Predictions(truth + generator.normal(size=300)),
        Predictions(truth + 2 * generator.normal(size=300)),
    )
    found = judge(REGRESSION, "mae", truth, model, {"word_counts": baseline}, noun="houses")
    assert found.code == "better"
    assert found.text.startswith("On 300 houses it never saw, its answers are off by 0.")
    assert "Counting words is off by 1." in found.text
    assert judge(REGRESSION, "mae", truth, baseline, {"word_counts": model}).code == "worse"


def test_several_labels() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(2, size=(300, 4))
    good, bad = (
        Predictions(np.where(generator.random(truth.shape) < right, truth, 1 - truth)) for right in (0.95, 0.8)
    )
    assert judge(MULTI, "f1_micro", truth, good, {"word_counts": bad}).code == "better"
    assert judge(MULTI, "subset_accuracy", truth, bad, {"word_counts": good}).code == "worse"


def test_one_answer_for_everything_is_a_failure() -> None:
    truth = np.array([0] * 15 + [1] * 5)
    found = learned(SINGLE, truth, np.zeros(20, int), labels=LABELS)
    assert found is not None
    assert found.code == "one-class-predicted"
    assert '"ham"' in found.what and "20 test rows" in found.what and found.fix
    assert learned(SINGLE, truth, truth, labels=LABELS) is None
    assert learned(SINGLE, np.zeros(20, int), np.zeros(20, int), labels=LABELS) is None  # the test rows hold one class


def test_no_label_one_number_and_not_a_number_are_failures() -> None:
    several = learned(MULTI, np.eye(10, dtype=int), np.zeros((10, 10), int))
    assert several is not None and "no label at all" in several.what
    number = learned(REGRESSION, np.arange(20.0), np.full(20, 9.5))
    assert number is not None and "9.5" in number.what
    broken = learned(REGRESSION, np.arange(20.0), np.full(20, np.nan))
    assert broken is not None and broken.code == "nan"
    overflown = learned(SINGLE, np.array([0, 1]), np.array([0, 1]), scores=np.full((2, 2), np.nan))
    assert overflown is not None and overflown.code == "nan"
    assert learned(REGRESSION, np.arange(20.0), np.arange(20.0) + 1) is None


def test_figures_in_words() -> None:
    assert figure("accuracy", 0.97125) == "97.1 %"
    assert figure("accuracy", 0.9999) == "99.9 %"  # not perfect
    assert figure("accuracy", 1.0) == "100.0 %"
    assert figure("mae", 0.5234) == "0.523"
    assert figure("mae", 12345.6) == "12,346"
    assert p_value(0.00042) == "p = 0.0004"
    assert p_value(0.31) == "p = 0.31"
    assert p_value(1e-9) == "p < 0.0001"
    assert measured("r2", Interval(value=0.1, low=-0.2, high=0.4), 1, "texts", False).startswith("On 1 text it")
    assert "-0.200 to 0.400" in measured("r2", Interval(value=0.1, low=-0.2, high=0.4), 9, "texts", False)
    assert (
        more_rows(437, None, "texts", 0.05, "test") == "About 440 more test texts would show a difference of 5 points."
    )
    assert more_rows(437, 0.2, "texts", None, "test").endswith(
        "would show a difference of this size: with 20 % held out, label some 2,200 more texts."
    )
