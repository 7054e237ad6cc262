"""Two models on the same test rows: is one better, or could the difference be chance?

    read(run_dir)                   -> Answers | None       what the model said on each judged row
    compare(first, second, metric)  -> Paired | None        None where they were not judged on the same rows

Accuracy by the exact test of McNemar (only rows on which the two disagree count); every other figure by drawing the
rows again 1,000 times, the same rows for both models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from assistant.report import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "answers.json"
RESAMPLES = 1000
SURE = 0.05  # below this p the difference is called real


class Answers(BaseModel):
    """`answers.json`. `rows`: a key for each row; `truth`, `prediction`: class numbers, 0/1 rows, or numbers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    problem: str
    labels: list[str]
    rows: list[str]
    truth: list[Any]
    prediction: list[Any]


@dataclass(frozen=True)
class Paired:
    """The second model against the first, on the same rows.

    Attributes:
        difference, low, high: second minus first, with its 95 % interval; for errors less is better all the same.
        p_value: how likely so large a difference is if the two were equally good.
        only_first, only_second: rows that only this one gets right; None where rows are not right or wrong.
    """

    metric: str
    rows: int
    difference: float
    low: float
    high: float
    p_value: float
    only_first: int | None = None
    only_second: int | None = None

    @property
    def real(self) -> bool:
        """Whether the difference is hardly chance."""
        return self.p_value < SURE


def read(run_dir: Path) -> Answers | None:
    """The kept answers of a run; None for a run that kept none."""
    try:
        return Answers.model_validate_json((run_dir / FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def same_rows(first: Answers, second: Answers) -> int | None:
    """How many rows both were judged on, when these are all rows of both; else None."""
    same = sorted(first.rows) == sorted(second.rows) and first.labels == second.labels
    return len(first.rows) if same and first.problem == second.problem else None


def shared(first: Answers, second: Answers) -> int:
    """Rows that both were judged on."""
    return len(set(first.rows) & set(second.rows))


def compare(first: Answers, second: Answers, metric: str) -> Paired | None:
    """The paired comparison; None where the rows differ, or there are none."""
    import numpy as np  # noqa: PLC0415 - only a comparison needs it

    if not same_rows(first, second) or not first.rows:
        return None
    truth, one, two = _aligned(first, second)
    if metric == "accuracy" and first.problem == "single_label_classification":
        return _mcnemar(truth, one, two)
    figure = _figure(first.problem, metric, len(first.labels))
    if figure is None:
        return None
    generator = np.random.default_rng(0)
    drawn = [generator.integers(0, len(truth), len(truth)) for _ in range(RESAMPLES)]
    differences = np.array([figure(truth[rows], two[rows]) - figure(truth[rows], one[rows]) for rows in drawn])
    difference = figure(truth, two) - figure(truth, one)
    low, high = np.percentile(differences, [2.5, 97.5])
    tail = min((differences <= 0).mean(), (differences >= 0).mean())
    return Paired(metric, len(truth), float(difference), float(low), float(high), float(min(1.0, 2 * tail)))


def _aligned(first: Answers, second: Answers) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Truth and both predictions in one order of the rows."""
    import numpy as np  # noqa: PLC0415

    left, right = (sorted(range(len(one.rows)), key=one.rows.__getitem__) for one in (first, second))
    truth = np.asarray([first.truth[row] for row in left])
    return (
        truth,
        np.asarray([first.prediction[row] for row in left]),
        np.asarray([second.prediction[row] for row in right]),
    )


def _mcnemar(truth: NDArray[Any], one: NDArray[Any], two: NDArray[Any]) -> Paired:
    """Exact McNemar test; the interval of the difference by the normal approximation for paired shares."""
    only_one = int(((one == truth) & (two != truth)).sum())
    only_two = int(((two == truth) & (one != truth)).sum())
    apart, rows = only_one + only_two, len(truth)
    few = min(only_one, only_two)
    log_half = apart * math.log(2)
    tail = sum(math.exp(_log_choose(apart, count) - log_half) for count in range(few + 1))
    p_value = min(1.0, 2 * tail) if only_one != only_two else 1.0
    difference = (only_two - only_one) / rows
    width = 1.96 * math.sqrt(max(0.0, (apart - (only_two - only_one) ** 2 / rows))) / rows
    return Paired(
        "accuracy", rows, difference, difference - width, difference + width, p_value, only_one, only_two
    )  # fmt: skip


def _log_choose(many: int, few: int) -> float:
    return math.lgamma(many + 1) - math.lgamma(few + 1) - math.lgamma(many - few + 1)


Figure = Callable[["NDArray[Any]", "NDArray[Any]"], float]


def _figure(problem: str, metric: str, classes: int) -> Figure | None:
    """The metric as a function of truth and prediction; None for one that needs more than these."""
    import numpy as np  # noqa: PLC0415

    def of_classes(truth: Any, said: Any) -> tuple[Any, Any, Any]:
        hits = np.bincount(truth[truth == said], minlength=classes)
        return hits, np.bincount(truth, minlength=classes), np.bincount(said, minlength=classes)

    def f1(truth: Any, said: Any) -> float:
        hits, real, named = of_classes(truth, said)
        known = (real + named) > 0
        return float((2 * hits[known] / (real + named)[known]).mean())

    def balanced(truth: Any, said: Any) -> float:
        hits, real, _ = of_classes(truth, said)
        return float((hits[real > 0] / real[real > 0]).mean())

    def f1_over(axis: int | None) -> Figure:
        def figure(truth: Any, said: Any) -> float:
            hits, total = (truth * said).sum(axis), (truth + said).sum(axis)
            return float(np.mean(2 * hits / np.maximum(total, 1)))

        return figure

    known: dict[str, dict[str, Figure]] = {
        "single_label_classification": {"f1": f1, "balanced_accuracy": balanced},
        "multi_label_classification": {
            "f1_micro": f1_over(None), "f1_macro": f1_over(0),
            "subset_accuracy": lambda truth, said: float((truth == said).all(axis=1).mean()),
        },
        "regression": {
            "mae": lambda truth, said: float(np.abs(truth - said).mean()),
            "rmse": lambda truth, said: float(np.sqrt(((truth - said) ** 2).mean())),
            "r2": lambda truth, said: float(1 - ((truth - said) ** 2).sum() / max(1e-12, truth.var() * len(truth))),
        },
    }  # fmt: skip
    return known.get(problem, {}).get(metric)


def sentence(first: str, second: str, found: Paired) -> str:
    """ "On the same 1,000 test rows run 2 is better than run 1: accuracy +2.1 points (+0.4 to +3.8), p = 0.02." """
    better = found.difference < 0 if found.metric in words.ERRORS else found.difference > 0
    share = found.metric in words.SHARES
    scale, unit = (100, " points") if share else (1, "")
    value, low, high = (
        f"{scale * number:+.{1 if share else 3}f}".replace("-", "−")
        for number in (found.difference, found.low, found.high)
    )
    head = f"On the same {found.rows:,} test rows "
    if found.difference == 0:
        text = f"{head}{first} and {second} do equally well"
    elif found.real:
        winner, other = (second, first) if better else (first, second)
        text = f"{head}{winner} is better than {other}, and that is hardly chance"
    else:
        text = f"{head}{first} and {second} cannot be told apart: the difference could be chance"
    p_value = "p < 0.0001" if found.p_value < 1e-4 else f"p = {found.p_value:.2g}"
    text += (
        f" ({words.metric_name(found.metric).lower()}, {second} against {first}: {value}{unit}, 95 % interval {low} "
    )
    text += f"to {high}, {p_value})."
    if found.only_first is not None and found.only_second is not None:
        text += f" {found.only_second:,} rows only {second} gets right, {found.only_first:,} only {first}."
    return text
