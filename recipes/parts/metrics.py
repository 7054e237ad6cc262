"""How good predictions are, each figure with its 95 % interval.

Labels and predictions have the same form everywhere: single-label: class indices, shape (rows,); multi-label: 0/1,
shape (rows, classes); regression: numbers, shape (rows,). Scores are probabilities, shape (rows, classes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from scipy.special import expit, logit
from scipy.stats import rankdata
from sklearn.metrics import confusion_matrix, roc_auc_score

from recipes.events import ClassFigures, Interval, Mistake
from recipes.parts.resample import (
    Figure,
    Floats,
    Z,
    bootstrap,
    by_group,
    group_numbers,
    proportion,
    totals,
)

SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"

#: The figure that decides unless the plan names one (see `primary` for imbalanced classes).
DEFAULT_METRIC = {SINGLE: "accuracy", MULTI: "f1_micro", REGRESSION: "mae"}

HIGHER_IS_BETTER = {
    "accuracy": True,
    "f1": True,
    "balanced_accuracy": True,
    "precision": True,
    "recall": True,
    "roc_auc": True,
    "f1_micro": True,
    "f1_macro": True,
    "precision_micro": True,
    "recall_micro": True,
    "subset_accuracy": True,
    "mae": False,
    "rmse": False,
    "r2": True,
    "spearman": True,
    "loss": False,
    "wer": False,
    "cer": False,
    "general_wer": False,
    "perplexity": False,
    "reward_accuracy": True,
    "entity_f1": True,
    "entity_precision": True,
    "entity_recall": True,
    "word_accuracy": True,
    "mrr": True,
    "recall_at_1": True,
    "recall_at_5": True,
    "triplet_accuracy": True,
    "exact_match": True,
    "answer_f1": True,
    "rouge_1": True,
    "rouge_2": True,
    "rouge_l": True,
    "chrf": True,
    "bleu": True,
}

#: The figures that can decide, by problem: those that can be resampled in pairs.
DECIDING = {
    SINGLE: ("accuracy", "f1", "balanced_accuracy", "precision", "recall"),
    MULTI: ("f1_micro", "f1_macro", "precision_micro", "recall_micro", "subset_accuracy"),
    REGRESSION: ("mae", "rmse", "r2", "spearman"),
}
#: Figures between 0 and 1.
SHARES = frozenset(HIGHER_IS_BETTER) - {
    "mae", "rmse", "r2", "spearman", "loss", "perplexity", "wer", "cer", "general_wer",
}  # fmt: skip

LARGEST_SHARE = 0.8  #: from here always answering the largest class looks good by accuracy
LARGEST_RATIO = 10  #: largest to smallest class: accuracy then hardly sees the smallest


def primary(problem: str, label_counts: Mapping[Any, int] | Sequence[int] | None = None) -> str:
    """The figure that decides: accuracy, unless the classes are so uneven that it hides the rare ones (then F1)."""
    if problem != SINGLE or label_counts is None:
        return DEFAULT_METRIC[problem]
    counts = [
        count for count in (label_counts.values() if isinstance(label_counts, Mapping) else label_counts) if count
    ]
    uneven = bool(counts) and (max(counts) > LARGEST_SHARE * sum(counts) or max(counts) >= LARGEST_RATIO * min(counts))
    return "f1" if uneven else "accuracy"


def metric_name(problem: str, asked: str | None, label_counts: Mapping[Any, int] | Sequence[int] | None = None) -> str:
    """The plan's metric under the name used here; one that does not fit the problem gives way to `primary`."""
    name = (asked or "").strip().lower().replace("-", "_").replace(" ", "_")
    name = {"f1_macro": "f1", "macro_f1": "f1"}.get(name, name) if problem == SINGLE else name
    name = {"f1": "f1_micro", "accuracy": "subset_accuracy"}.get(name, name) if problem == MULTI else name
    return name if name in DECIDING[problem] else primary(problem, label_counts)


def compute(
    problem: str,
    truth: Any,
    prediction: Any,
    scores: Any = None,
    labels: Sequence[str] | None = None,
    groups: Sequence[Any] | None = None,
) -> dict[str, Interval]:
    """All figures of a problem with their intervals.

    Args:
        problem: as in the plan.
        truth: labels of the test rows, in the form of the module's docstring.
        prediction: the same form.
        scores: shape (rows, classes), or None; with two classes they give the ROC AUC.
        labels: names of the classes; their number counts here.
        groups: shape (rows,): rows of one group (or repeats of one row) are not independent; intervals by group.

    Returns:
        Name -> figure. With two classes `precision` and `recall` are those of the rarer class.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    classes = class_count(problem, labels, truth, prediction)
    figures: dict[str, Interval] = {}
    for name in DECIDING[problem]:
        if name in ("precision", "recall") and classes != 2:
            continue
        found = with_interval(problem, name, truth, prediction, labels, groups)
        if np.isfinite(found.value):  # R² of a constant truth is not defined
            figures[name] = found
    if problem == SINGLE and classes == 2 and scores is not None and len(np.unique(truth)) == 2:
        figures["roc_auc"] = _roc_auc(truth, np.asarray(scores)[:, 1], group_numbers(groups, len(truth)))
    return figures


def with_interval(
    problem: str,
    metric: str,
    truth: Any,
    prediction: Any,
    labels: Sequence[str] | None = None,
    groups: Sequence[Any] | None = None,
) -> Interval:
    """One figure with its interval; arguments as in `compute`."""
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    numbers = group_numbers(groups, len(truth))
    exact = _exact(metric, truth, prediction, numbers)
    if exact is not None:
        return exact
    columns = columns_of(problem, metric, truth, prediction, class_count(problem, labels, truth, prediction))
    return bootstrap(by_group(columns, numbers), FIGURES[metric], bounded=metric in SHARES)


def score(problem: str, metric: str, truth: Any, prediction: Any, classes: int | None = None) -> float:
    """One figure without its interval, as for choosing on validation rows."""
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    count = max(classes or 0, class_count(problem, None, truth, prediction))
    return float(FIGURES[metric](totals(columns_of(problem, metric, truth, prediction, count)))[0])


def class_count(problem: str, labels: Sequence[str] | None, *answers: NDArray[Any]) -> int:
    """The number of classes: of the names, else what the answers hold; 0 for regression."""
    if problem == REGRESSION:
        return 0
    if labels is not None:
        return len(labels)
    return int(answers[0].shape[1]) if problem == MULTI else max(int(each.max(initial=0)) for each in answers) + 1


def rarer_class(truth: Any) -> int:
    """Of two classes the rarer one (the second, when they are even)."""
    counts = np.bincount(np.asarray(truth, dtype=np.intp), minlength=2)
    return 0 if counts[0] < counts[1] else 1


def confusion(truth: Any, prediction: Any, classes: int) -> list[list[int]]:
    """Rows: true class; columns: predicted class; shape (classes, classes)."""
    table: list[list[int]] = confusion_matrix(truth, prediction, labels=np.arange(classes)).tolist()
    return table


def per_class(problem: str, truth: Any, prediction: Any, labels: Sequence[str]) -> list[ClassFigures]:
    """Precision and recall of each class with Wilson's intervals, and F1; empty for regression."""
    if problem == REGRESSION:
        return []
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    result = []
    for number, label in enumerate(labels):
        true = truth[:, number] == 1 if problem == MULTI else truth == number
        said = prediction[:, number] == 1 if problem == MULTI else prediction == number
        present = int(true.sum() + said.sum())
        result.append(
            ClassFigures(
                label=label,
                rows=int(true.sum()),
                precision=proportion(true[said]),
                recall=proportion(said[true]),
                f1=float(2 * (true & said).sum() / present) if present else None,
            )
        )
    return result


def mistakes(
    problem: str,
    texts: Sequence[str],
    truth: Any,
    prediction: Any,
    *,
    scores: Any = None,
    labels: Sequence[str] | None = None,
    rows: Sequence[int] | None = None,
    limit: int = 50,
) -> list[Mistake]:
    """The test rows that the model got wrong, the surest first; regression: the largest errors.

    Args:
        problem, truth, prediction, scores, labels: as in `compute`.
        texts: shape (test rows,).
        rows: shape (test rows,): each row's number in the person's file; None: its place among the test rows.
        limit: how many are listed.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    wrong, surety = _wrong_and_surety(problem, truth, prediction, None if scores is None else np.asarray(scores))
    order = np.flatnonzero(wrong)
    order = order[np.argsort(-surety[order], kind="stable")][:limit]
    known = scores is not None and problem != REGRESSION
    return [
        Mistake(
            row=int(rows[place]) if rows is not None else place,
            input=texts[place],
            expected=_in_words(problem, truth[place], labels),
            predicted=_in_words(problem, prediction[place], labels),
            confidence=float(surety[place]) if known else None,
        )
        for place in order.tolist()
    ]


def _wrong_and_surety(
    problem: str, truth: NDArray[Any], prediction: NDArray[Any], scores: Floats | None
) -> tuple[NDArray[np.bool_], Floats]:
    """Which rows are wrong, and how sure the model was of the wrong part; shapes (rows,)."""
    if problem == REGRESSION:
        error = np.abs(truth - prediction)
        return error > 0, error
    if problem == SINGLE:
        wrong = truth != prediction
        return wrong, scores[np.arange(len(truth)), prediction] if scores is not None else np.zeros(len(truth))
    apart = truth != prediction
    sure = np.where(prediction == 1, scores, 1 - scores) if scores is not None else np.ones(truth.shape)
    return apart.any(axis=1), np.where(apart, sure, 0.0).max(axis=1)


def _in_words(problem: str, value: Any, labels: Sequence[str] | None) -> str:
    if problem == REGRESSION:
        return f"{float(value):.6g}"
    names = labels or [str(number) for number in range(int(np.max(value)) + 1 if problem == SINGLE else len(value))]
    if problem == SINGLE:
        return names[int(value)]
    return ", ".join(names[number] for number in np.flatnonzero(value).tolist()) or "(none)"


def _exact(
    name: str, truth: NDArray[Any], prediction: NDArray[Any], groups: NDArray[np.intp] | None
) -> Interval | None:
    """Figures that are plain proportions, by Wilson; None for the others, and for a share of no rows."""
    if name == "accuracy":
        return proportion(truth == prediction, groups)
    if name == "subset_accuracy":
        return proportion((truth == prediction).all(axis=1), groups)
    if name in ("precision", "recall"):
        rare = rarer_class(truth)
        among = (prediction if name == "precision" else truth) == rare
        hits = (truth if name == "precision" else prediction)[among] == rare
        kept = None if groups is None else group_numbers(groups[among].tolist(), int(among.sum()))
        return proportion(hits, kept) or Interval(value=0.0)
    return None


def _roc_auc(truth: NDArray[Any], scores: Floats, groups: NDArray[np.intp] | None) -> Interval:
    """ROC AUC of class 1 with DeLong's interval (1988) on the logit scale; widened by group where rows share one."""
    value = float(roc_auc_score(truth, scores))
    positive, negative = scores[truth == 1], scores[truth == 0]
    ranks, many, few = rankdata(scores), len(negative), len(positive)
    above = (ranks[truth == 1] - rankdata(positive)) / many
    below = 1 - (ranks[truth == 0] - rankdata(negative)) / few
    if min(many, few) < 2 or not 0 < value < 1:
        return Interval(value=value)
    variance = float(np.var(above, ddof=1) / few + np.var(below, ddof=1) / many)
    variance *= 1.0 if groups is None else len(truth) / (int(groups.max()) + 1)
    half = Z * variance**0.5 / (value * (1 - value))
    low, high = expit(logit(value) - half), expit(logit(value) + half)
    return Interval(value=value, low=float(low), high=float(high))


def columns_of(problem: str, metric: str, truth: NDArray[Any], prediction: NDArray[Any], classes: int) -> Any:
    """What a metric sums over the rows: shape (rows, columns), sparse for single-label."""
    if problem == SINGLE:
        return _single_columns(metric, truth, prediction, classes)
    if problem == MULTI:
        true, said = truth.astype(np.float64), prediction.astype(np.float64)
        if metric == "subset_accuracy":
            return np.column_stack([(truth == prediction).all(axis=1), np.ones(len(truth))]).astype(np.float64)
        columns = np.hstack([true * said, true, said])
        if metric == "f1_macro":
            return columns
        return np.column_stack([part.sum(axis=1) for part in np.split(columns, 3, axis=1)])
    truth, prediction = truth.astype(np.float64), prediction.astype(np.float64)
    if metric == "spearman":
        # Ranks are taken once: re-ranking each resample changes the interval little and costs a sort each.
        left, right = rankdata(truth), rankdata(prediction)
        left, right = left - left.mean(), right - right.mean()
        return np.column_stack([left * right, left, right, left**2, right**2, np.ones(len(left))])
    error, centred = truth - prediction, truth - truth.mean()
    return np.column_stack([np.abs(error), error**2, centred, centred**2, np.ones(len(error))])


def _single_columns(metric: str, truth: NDArray[Any], prediction: NDArray[Any], classes: int) -> Any:
    """Right, true and said, as 0/1 a class: shape (rows, 3 x classes); of one class for precision and recall."""
    hits = truth == prediction
    if metric == "accuracy":
        return np.column_stack([hits, np.ones(len(hits))]).astype(np.float64)
    if metric in ("precision", "recall"):
        rare = rarer_class(truth)
        return np.column_stack([hits & (truth == rare), truth == rare, prediction == rare]).astype(np.float64)
    rows, shape = np.arange(len(truth)), (len(truth), classes)
    ones = np.ones(len(truth))
    true, said = csr_matrix((ones, (rows, truth)), shape=shape), csr_matrix((ones, (rows, prediction)), shape=shape)
    right = csr_matrix((hits.astype(np.float64), (rows, truth)), shape=shape)
    return hstack([right, true, said]).tocsr()


def _ratio(part: Floats, whole: Floats) -> Floats:
    """part / whole, and 0 where there is nothing to share."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _mean_where(values: Floats, present: Any) -> Floats:
    """The mean over the classes that are present in a resample; shape (resamples,)."""
    return np.asarray(_ratio((values * present).sum(axis=1), present.sum(axis=1).astype(np.float64)))


def _macro_f1(sums: Floats) -> Floats:
    right, true, said = np.split(sums, 3, axis=1)
    return _mean_where(_ratio(2 * right, true + said), true + said > 0)


def _balanced_accuracy(sums: Floats) -> Floats:
    right, true, _ = np.split(sums, 3, axis=1)
    return _mean_where(_ratio(right, true), true > 0)


def _r2(sums: Floats) -> Floats:
    spread = sums[:, 3] - sums[:, 2] ** 2 / sums[:, 4]
    return np.asarray(1 - np.divide(sums[:, 1], spread, out=np.full(len(sums), np.nan), where=spread > 0))


def _correlation(sums: Floats) -> Floats:
    product, left, right, left2, right2, rows = sums.T
    spread = (left2 - left**2 / rows) * (right2 - right**2 / rows)
    return np.asarray(np.where(spread > 0, (product - left * right / rows) / np.sqrt(np.maximum(spread, 1e-300)), 0.0))


def _chrf(sums: Floats) -> Floats:
    """chrF (Popović 2015) as sacrebleu computes it: groups of 1 to 6 letters, recall counting twice as much."""
    said, true, same = (sums[:, place::3] for place in range(3))
    counted = (said > 0) & (true > 0)
    precision, recall = (_mean_where(_ratio(same, whole), counted) for whole in (said, true))
    return _ratio(5 * precision * recall, 4 * precision + recall)


def _bleu(sums: Floats) -> Floats:
    """BLEU (Papineni 2002) as sacrebleu computes it: groups of 1 to 4 words, exponential smoothing."""
    said, true, same, whole = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:10]
    halved = 2.0 ** -np.cumsum(same == 0, axis=1)
    precision = _ratio(np.where(same == 0, halved, same), whole)
    with np.errstate(divide="ignore"):
        mean = np.exp(np.log(precision).mean(axis=1))
    short = np.exp(np.minimum(0.0, 1 - _ratio(true, said)))
    return np.asarray(np.where(same.any(axis=1), short * mean, 0.0))


#: From sums over rows to the figure; the columns are those of `columns_of`.
FIGURES: dict[str, Figure] = {
    "accuracy": lambda sums: _ratio(sums[:, 0], sums[:, 1]),
    "f1": _macro_f1,
    "balanced_accuracy": _balanced_accuracy,
    "precision": lambda sums: _ratio(sums[:, 0], sums[:, 2]),
    "recall": lambda sums: _ratio(sums[:, 0], sums[:, 1]),
    "f1_micro": lambda sums: _ratio(2 * sums[:, 0], sums[:, 1] + sums[:, 2]),
    "f1_macro": _macro_f1,
    "precision_micro": lambda sums: _ratio(sums[:, 0], sums[:, 2]),
    "recall_micro": lambda sums: _ratio(sums[:, 0], sums[:, 1]),
    "subset_accuracy": lambda sums: _ratio(sums[:, 0], sums[:, 1]),
    "entity_f1": lambda sums: _ratio(2 * sums[:, 0], sums[:, 1] + sums[:, 2]),  # right, true and said entities
    "entity_precision": lambda sums: _ratio(sums[:, 0], sums[:, 2]),
    "entity_recall": lambda sums: _ratio(sums[:, 0], sums[:, 1]),
    "answer_f1": lambda sums: _ratio(sums[:, 0], sums[:, 1]),  # summed F1 of the answers, questions
    "word_accuracy": lambda sums: _ratio(sums[:, 0], sums[:, 1]),  # words with the right tag, words
    **dict.fromkeys(  # summed values (one over the rank, found or not), rows
        ("mrr", "recall_at_1", "recall_at_5", "triplet_accuracy"), lambda sums: _ratio(sums[:, 0], sums[:, 1])
    ),
    "mae": lambda sums: sums[:, 0] / sums[:, 4],
    "rmse": lambda sums: np.sqrt(sums[:, 1] / sums[:, 4]),
    "r2": _r2,
    "spearman": _correlation,
    "loss": lambda sums: _ratio(sums[:, 0], sums[:, 1]),  # summed losses, tokens
    "wer": lambda sums: _ratio(sums[:, 0], sums[:, 1]),  # wrong words, words
    "cer": lambda sums: _ratio(sums[:, 0], sums[:, 1]),
    "mean": lambda sums: sums[:, 0] / np.maximum(sums[:, 1], 1),  # summed values, rows
    **dict.fromkeys(("exact_match", "rouge_1", "rouge_2", "rouge_l"), lambda sums: _ratio(sums[:, 0], sums[:, 1])),
    "chrf": _chrf,
    "bleu": _bleu,
}
