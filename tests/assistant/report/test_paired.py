"""Two runs on the same rows: the exact test by hand, the bootstrap on data with a known difference, and refusals."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from assistant.report import compare, paired
from assistant.report.paired import Answers
from recipes.events import Result
from recipes.parts import answers as kept

from .samples import result_tree

SINGLE = "single_label_classification"


def answers(truth: list[Any], said: list[Any], problem: str = SINGLE, labels: tuple[str, ...] = ("a", "b")) -> Answers:
    rows = [f"row-{number}" for number in range(len(truth))]
    return Answers(problem=problem, labels=list(labels), rows=rows, truth=truth, prediction=said)


def two(only_first: int, only_second: int, both: int = 50) -> tuple[Answers, Answers]:
    """Answers where so many rows are right for one only."""
    truth = [1] * (only_first + only_second + both)
    first = [1] * only_first + [0] * only_second + [1] * both
    second = [0] * only_first + [1] * only_second + [1] * both
    return answers(truth, first), answers(truth, second)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (1, 0), (3, 9), (10, 10), (0, 20), (40, 80)])
def test_mcnemar_is_the_exact_binomial_test(only_first: int, only_second: int) -> None:
    found = paired.compare(*two(only_first, only_second), "accuracy")
    assert found is not None
    apart = only_first + only_second
    expected = binomtest(only_first, apart).pvalue if apart else 1.0
    assert found.p_value == pytest.approx(expected, abs=1e-9)
    assert found.difference == pytest.approx((only_second - only_first) / (apart + 50))
    assert found.low <= found.difference <= found.high
    assert (found.only_first, found.only_second) == (only_first, only_second)


def test_the_order_of_the_rows_does_not_matter() -> None:
    first, second = two(3, 9)
    places = list(range(len(first.rows)))
    random.Random(1).shuffle(places)
    mixed = Answers(
        problem=SINGLE, labels=second.labels, rows=[second.rows[place] for place in places],
        truth=[second.truth[place] for place in places], prediction=[second.prediction[place] for place in places],
    )  # fmt: skip
    assert paired.compare(first, mixed, "accuracy") == paired.compare(first, second, "accuracy")


def test_the_bootstrap_finds_a_real_difference_and_no_other() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 600)
    poor = np.where(generator.random(600) < 0.6, truth, (truth + 1) % 3)
    good = np.where(generator.random(600) < 0.8, truth, (truth + 1) % 3)
    other = np.where(generator.random(600) < 0.8, truth, (truth + 2) % 3)
    labels = ("a", "b", "c")
    one, two_, three = (answers(truth.tolist(), said.tolist(), labels=labels) for said in (poor, good, other))
    for metric in ("f1", "balanced_accuracy"):
        better, even = paired.compare(one, two_, metric), paired.compare(two_, three, metric)
        assert better is not None and even is not None
        assert better.real and better.low > 0.1
        assert not even.real and even.low < 0 < even.high


def test_f1_is_the_field_s_own() -> None:
    from sklearn.metrics import balanced_accuracy_score, f1_score

    generator = np.random.default_rng(2)
    truth, said = generator.integers(0, 4, 200), generator.integers(0, 4, 200)
    several, named = generator.integers(0, 2, (50, 5)), generator.integers(0, 2, (50, 5))
    for metric, expected in (
        ("f1", f1_score(truth, said, average="macro")), ("balanced_accuracy", balanced_accuracy_score(truth, said)),
    ):  # fmt: skip
        figure = paired._figure(SINGLE, metric, 4)
        assert figure is not None and figure(truth, said) == pytest.approx(expected)
    for metric, average in (("f1_micro", "micro"), ("f1_macro", "macro")):
        figure = paired._figure("multi_label_classification", metric, 5)
        assert figure is not None
        assert figure(several, named) == pytest.approx(f1_score(several, named, average=average, zero_division=0))


def test_numbers_are_compared_by_their_distance() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random(300)
    near, far = truth + 0.05 * generator.standard_normal(300), truth + 0.3 * generator.standard_normal(300)
    one, two_ = (answers(truth.tolist(), said.tolist(), "regression", ()) for said in (far, near))
    found = paired.compare(one, two_, "mae")
    assert found is not None and found.real and found.difference < 0
    assert "run 2 is better than run 1" in paired.sentence("run 1", "run 2", found)


def test_other_rows_are_not_compared() -> None:
    first, second = two(3, 9)
    fewer = second.model_copy(update={"rows": [f"other-{row}" for row in second.rows]})
    assert paired.compare(first, fewer, "accuracy") is None
    assert paired.shared(first, fewer) == 0
    assert paired.compare(answers([], []), answers([], []), "accuracy") is None
    assert paired.compare(first, second, "a metric that needs probabilities") is None


def test_what_a_recipe_writes_is_what_is_read(tmp_path: Path) -> None:
    truth, said = np.array([0, 1, 1]), np.array([0, 0, 1])
    kept.write(tmp_path, SINGLE, ["a", "b"], ["secret one", "secret two", "secret two"], truth, said)
    assert kept.FILE == paired.FILE
    found = paired.read(tmp_path)
    assert found is not None
    assert (found.truth, found.prediction, len(set(found.rows))) == ([0, 1, 1], [0, 0, 1], 2)
    assert "secret" not in (tmp_path / kept.FILE).read_text(encoding="utf-8")
    assert paired.read(tmp_path / "nowhere") is None
    (tmp_path / kept.FILE).write_text("{", encoding="utf-8")
    assert paired.read(tmp_path) is None


def run(name: str, kept_answers: Answers | None, **changes: Any) -> compare.Finished:
    return compare.Finished(name, Result.model_validate(result_tree() | changes), None, kept_answers)


def test_the_comparison_says_which_is_better_and_whether_that_is_sure() -> None:
    first, second = two(3, 30, both=400)
    text = compare.comparison_markdown([run("run 1", first), run("run 2", second)])
    assert "run 2 is better than run 1, and that is hardly chance" in text
    assert "30 rows only run 2 gets right, 3 only run 1" in text
    even = compare.verdict([run("run 1", first), run("run 3", first)])
    assert "run 1 and run 3 do equally well" in even
    close = two(9, 12, both=400)
    assert "cannot be told apart" in compare.verdict([run("run 1", close[0]), run("run 2", close[1])])


def test_the_comparison_refuses_where_the_rows_differ() -> None:
    first, second = two(3, 30)
    other = second.model_copy(update={"rows": [*second.rows[:-5], *(f"new-{n}" for n in range(5))]})
    said = compare.verdict([run("run 1", first), run("run 2", other)])
    assert "I cannot say which is better" in said
    assert f"only {len(first.rows) - 5:,} are the same" in said
    assert "different tasks" in compare.verdict([run("run 1", first), run("run 2", second, task="regression")])
    assert compare.verdict([run("run 1", None), run("run 2", second)]) == ""


def test_three_runs_are_held_against_the_best() -> None:
    first, second = two(3, 30, both=400)
    worse = run("run 1", first)
    best = run("run 2", second, metrics={**result_tree()["metrics"], "accuracy": {"value": 0.999}})
    said = compare.verdict([worse, best, run("run 3", first)])
    assert said.count("On the same") == 2
