"""The verdict: is the model better than the best simple method, on the same rows, by a paired test?

    judge(problem, metric, truth, model, baselines, noun="e-mails").text
    "On 800 e-mails it never saw, 97.1 % are right (95 % interval 95.7–98.1). Counting words reaches 96.2 %: the
    difference could be chance."

Accuracy is compared by the exact McNemar test (only rows on which the two disagree count), every other figure by a
paired bootstrap. The chance of a false "better" is held at 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import hstack, issparse
from scipy.stats import binomtest, norm

from recipes.events import Interval, Verdict
from recipes.parts.baselines import Predictions, name_of
from recipes.parts.metrics import (
    FIGURES,
    HIGHER_IS_BETTER,
    MULTI,
    REGRESSION,
    SHARES,
    SINGLE,
    class_count,
    columns_of,
    score,
    with_interval,
)
from recipes.parts.resample import Z, by_group, group_numbers, resampled_totals, totals
from recipes.parts.sentences import count, measured, more_rows, p_value, reached

ALPHA = 0.05
FEW_ROWS = 30  #: fewer undecided test rows say nothing: at 90 % right, 20 rows leave an interval of 70 to 97 %
BLUNT = 0.10  #: a share's difference known to no better than this, undecided, says nothing either
BLUNT_ERROR = 0.20  #: the same for errors, as a part of the baseline's error
POWER = float(norm.ppf(0.80))
SMALLEST = 0.02  #: differences under two points are not worth collecting rows for


@dataclass(frozen=True)
class Failure:
    """A run that did not learn: what a `failed` event needs."""

    code: str
    what: str
    expected: str
    fix: str


@dataclass(frozen=True)
class Comparison:
    """Model against one baseline on the same rows; the difference is positive where the model is better."""

    difference: Interval
    p_value: float
    rows_wanted: int  #: test rows that would show the difference, or one of two points where it is smaller


def judge(  # noqa: PLR0913 - one flat call reads better than a bag of options
    problem: str,
    metric: str,
    truth: Any,
    model: Predictions,
    baselines: Mapping[str, Predictions],
    rows: int | None = None,
    labels: Sequence[str] | None = None,
    *,
    groups: Sequence[Any] | None = None,
    noun: str = "texts",
    cross_validated: bool = False,
    test_fraction: float | None = None,
) -> Verdict:
    """Compare the model with the best baseline and say it in plain words.

    Args:
        problem: as in the plan.
        metric: the figure that decides, one of `metrics.DECIDING[problem]`.
        truth: labels of the test rows, in the form of `recipes.parts.metrics`.
        model: its answers for the test rows.
        baselines: answers for the same rows, by name.
        rows: how many different rows were tested; None: all of `truth`.
        labels: names of the classes.
        groups: shape (rows,): rows of one group are not independent; compared by group.
        noun: what the rows are, in the plural.
        cross_validated: every row was answered by models that had not seen it (small data), instead of a test set.
        test_fraction: share of the rows held out, to say how many labelled rows the wanted test rows take.
    """
    truth = np.asarray(truth)
    number = len(truth) if rows is None else rows
    interval = with_interval(problem, metric, truth, model.prediction, labels, groups)
    opening = measured(metric, interval, number, noun, cross_validated)
    if not baselines:
        return Verdict(code="not_enough_data", text=opening + " There was nothing to compare it with.", metric=metric)
    best, theirs = _best(problem, metric, truth, baselines, labels)
    found = compare(problem, metric, truth, model.prediction, baselines[best].prediction, labels, groups)
    return pronounce(
        problem, metric, interval, best, theirs, found, number,
        noun=noun, cross_validated=cross_validated, test_fraction=test_fraction,
    )  # fmt: skip


def pronounce(  # noqa: PLR0913 - one flat call reads better than a bag of options
    problem: str,
    metric: str,
    interval: Interval,
    best: str,
    theirs: float,
    found: Comparison,
    number: int,
    *,
    noun: str,
    cross_validated: bool,
    test_fraction: float | None,
) -> Verdict:
    """The verdict of a comparison, in plain words.

    Args:
        interval: the model's figure; best, theirs: the best baseline's name and figure; number: of test rows.
        problem, metric, noun, cross_validated, test_fraction: as in `judge`.
    """
    opening = measured(metric, interval, number, noun, cross_validated)
    code = _code(metric, found, theirs, number, cross_validated)
    rival = reached(metric, name_of(best, problem), theirs)
    size = max(abs(found.difference.value), SMALLEST) if metric in SHARES else None
    fraction, kind = (None, "labelled") if cross_validated else (test_fraction, "test")
    wanted = more_rows(found.rows_wanted - number, fraction, noun, size, kind)
    close = abs(found.difference.value) < 1e-12
    return Verdict(
        code=code,
        text=f"{opening} {rival}{_ending(code, found.p_value, close, name_of(best, problem), wanted, number, noun)}",
        best_baseline=best,
        metric=metric,
        difference=found.difference,
        p_value=found.p_value,
    )


def compare(
    problem: str,
    metric: str,
    truth: Any,
    model: Any,
    baseline: Any,
    labels: Sequence[str] | None = None,
    groups: Sequence[Any] | None = None,
) -> Comparison:
    """Paired difference of a figure with its interval and p value.

    Args:
        truth, model, baseline: labels and predictions of the same rows.
        labels: names of the classes.
        groups: shape (rows,): compared by group, where rows share one.
    """
    truth, model, baseline = np.asarray(truth), np.asarray(model), np.asarray(baseline)
    numbers = group_numbers(groups, len(truth))
    if metric in ("accuracy", "subset_accuracy") and numbers is None:
        return _mcnemar(_right(problem, truth, model), _right(problem, truth, baseline))
    classes = class_count(problem, labels, truth, model, baseline)
    ours = columns_of(problem, metric, truth, model, classes)
    theirs = columns_of(problem, metric, truth, baseline, classes)
    return compare_columns(metric, ours, theirs, numbers)


def learned(
    problem: str,
    truth: Any,
    prediction: Any,
    *,
    scores: Any = None,
    labels: Sequence[str] | None = None,
) -> Failure | None:
    """What shows that the model learned nothing, or None.

    Args:
        truth, prediction, scores: of the test rows, in the form of `recipes.parts.metrics`.
        labels: names of the classes.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if not np.isfinite(np.asarray(prediction, dtype=np.float64)).all() or (
        scores is not None and not np.isfinite(np.asarray(scores)).all()
    ):
        return overflowed()
    if problem == REGRESSION:
        return _one_number(truth, prediction)
    if len(truth) < 8 or not _one_answer(truth, prediction):
        return None
    answer = _spoken(problem, prediction[0], labels)
    return Failure(
        "one-class-predicted",
        f"The model gives all {len(truth):,} test rows the same answer, {answer}: it learned nothing that tells the "
        "classes apart.",
        f"The test rows hold {len(np.unique(truth, axis=0)):,} different answers.",
        "Check that the labels match the texts. If they do, try the method head first, a smaller learning rate, or "
        "balanced class weights when one class is rare.",
    )


def overflowed() -> Failure:
    """Answers that are no numbers."""
    return Failure(
        "nan",
        "The model's answers are not numbers: its weights overflowed during training.",
        "Every answer should be a probability or a number.",
        "Start again with a learning rate ten times smaller.",
    )


def _one_answer(truth: NDArray[Any], prediction: NDArray[Any]) -> bool:
    """One answer for every row, while at least two rows deserve another."""
    return (
        bool((prediction == prediction[0]).all())
        and int((truth != prediction).reshape(len(truth), -1).any(1).sum()) > 1
    )


def _spoken(problem: str, answer: Any, labels: Sequence[str] | None) -> str:
    if problem == SINGLE:
        return f'"{labels[int(answer)]}"' if labels else f"class {int(answer)}"
    names = [labels[each] if labels else str(each) for each in np.flatnonzero(answer).tolist()]
    return f'"{", ".join(names)}"' if names else "no label at all"


def _one_number(truth: NDArray[Any], prediction: NDArray[Any]) -> Failure | None:
    if len(truth) < 8 or float(np.std(truth)) == 0 or float(np.std(prediction)) > 1e-3 * float(np.std(truth)):
        return None
    return Failure(
        "one-class-predicted",
        f"The model answers {float(np.mean(prediction)):.4g} for all {len(truth):,} test rows: it learned nothing that "
        "tells them apart.",
        f"The right answers lie between {float(np.min(truth)):.4g} and {float(np.max(truth)):.4g}.",
        "Check that the numbers match the texts. If they do, try the method head first, or another learning rate.",
    )


def _best(
    problem: str, metric: str, truth: Any, baselines: Mapping[str, Predictions], labels: Sequence[str] | None
) -> tuple[str, float]:
    """The strongest baseline on these rows, and its figure. Picking it here favours the baselines, if anyone."""
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    classes = len(labels) if labels else None
    found = {name: score(problem, metric, truth, each.prediction, classes) for name, each in baselines.items()}
    best = max(found, key=lambda name: sign * found[name])
    return best, found[best]


def _right(problem: str, truth: NDArray[Any], prediction: NDArray[Any]) -> NDArray[np.bool_]:
    right = truth == prediction
    return np.asarray(right.all(axis=1) if problem == MULTI else right)


def _mcnemar(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> Comparison:
    """Exact McNemar test; the interval of the difference after Agresti and Min 2005 (half a row added to each cell)."""
    rows = len(ours)
    wins, losses = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    p = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    value = (wins - losses) / rows
    apart, centre = (wins + losses + 1) / (rows + 2), (wins - losses) / (rows + 2)
    half = Z * float(np.sqrt(max(apart - centre**2, 0) / (rows + 2)))
    interval = Interval(value=value, low=max(-1.0, min(centre - half, value)), high=min(1.0, max(centre + half, value)))
    return Comparison(interval, p, mcnemar_rows(max(abs(value), SMALLEST), apart))


def mcnemar_rows(difference: float, disagreement: float) -> int:
    """Test rows for a chance of 80 % to show a difference at the 5 % level (Connor 1987).

    Args:
        difference: between the two shares of right rows.
        disagreement: share of rows on which one is right and the other wrong.
    """
    apart = max(disagreement, difference)
    wanted = (Z * apart**0.5 + POWER * max(apart - difference**2, 0) ** 0.5) ** 2 / difference**2
    return int(np.ceil(wanted))


def compare_columns(metric: str, ours: Any, theirs: Any, groups: NDArray[np.intp] | None) -> Comparison:
    """Both figures on the same resamples; p is twice the share of resamples on the other side of zero.

    Args:
        ours, theirs: the columns that `FIGURES[metric]` sums, shape (rows, columns) each.
    """
    sign = 1.0 if HIGHER_IS_BETTER[metric] else -1.0
    width, rows = ours.shape[1], ours.shape[0]
    both = by_group(hstack([ours, theirs]).tocsr() if issparse(ours) else np.hstack([ours, theirs]), groups)

    def differences(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        return sign * (FIGURES[metric](sums[:, :width]) - FIGURES[metric](sums[:, width:]))

    value = float(differences(totals(both))[0])
    spread = differences(resampled_totals(both))
    spread = spread[np.isfinite(spread)]
    if len(spread) == 0 or not np.isfinite(value):
        return Comparison(Interval(value=0.0), 1.0, rows)
    other_side = min(int((spread <= 0).sum()), int((spread >= 0).sum()))
    p = min(1.0, 2 * (other_side + 1) / (len(spread) + 1))
    low, high = (float(bound) for bound in np.quantile(spread, [0.025, 0.975]))
    interval = Interval(value=value, low=min(low, value), high=max(high, value))
    least = SMALLEST if metric in SHARES else 0.02 * abs(float(FIGURES[metric](totals(theirs))[0])) or SMALLEST
    wanted = rows * ((Z + POWER) * float(np.std(spread)) / max(abs(value), least)) ** 2
    return Comparison(interval, p, int(np.ceil(wanted)))


def _code(metric: str, found: Comparison, theirs: float, rows: int, cross_validated: bool) -> Any:
    """Decided differences count at any size of an exact test; undecided ones need rows enough to mean "same"."""
    exact = metric in ("accuracy", "subset_accuracy")
    if found.p_value < ALPHA and found.difference.value != 0 and (exact or rows >= FEW_ROWS):
        return "better" if found.difference.value > 0 else "worse"
    half = ((found.difference.high or 0.0) - (found.difference.low or 0.0)) / 2
    blunt = BLUNT_ERROR * abs(theirs) if metric in ("mae", "rmse") else BLUNT
    return "not_enough_data" if rows < FEW_ROWS or cross_validated or half > blunt else "same"


def _ending(code: str, p: float, close: bool, name: str, wanted: str, rows: int, noun: str) -> str:
    """What the comparison means, after the baseline's figure."""
    if code == "better":
        return f": the model is better, and that is hardly chance ({p_value(p)})."
    if code == "worse" and name == name_of("majority", SINGLE):
        return f": the model is worse, and that is hardly chance ({p_value(p)}). It has learned nothing of use yet."
    if code == "worse":
        return (
            f": the model is worse, and that is hardly chance ({p_value(p)}). As it stands, {name} is the method to "
            "use: it is simpler and answers better."
        )
    if code == "same":
        return " too: there is no difference." if close else ": the difference could be chance."
    return f"{' too' if close else ''}. {count(rows, noun)} are too few to tell which is better. {wanted}"
