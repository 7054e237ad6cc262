"""Figures in words: what the verdict's sentences are made of. Pure text, no statistics."""

from __future__ import annotations

import math

from recipes.events import Interval

#: metric -> (before the number, after it) for the model; shares are shown in percent.
_MEASURED = {
    "accuracy": ("", " are right"),
    "f1": ("the mean F1 score of the classes is ", ""),
    "balanced_accuracy": ("the mean share of each class that is found is ", ""),
    "precision": ("of what it puts into the rarer class, ", " belongs there"),
    "recall": ("of the rarer class, ", " is found"),
    "f1_micro": ("the F1 score over all labels is ", ""),
    "f1_macro": ("the mean F1 score of the labels is ", ""),
    "precision_micro": ("of the labels it gives, ", " are right"),
    "recall_micro": ("of the true labels, ", " are found"),
    "subset_accuracy": ("", " have exactly the right labels"),
    "mae": ("its answers are off by ", " on average"),
    "rmse": ("its root mean square error is ", ""),
    "r2": ("it explains a share of the differences (R²) of ", ""),
    "spearman": ("its answers rank the texts with a correlation of ", ""),
    "entity_f1": ("the F1 score of its entities is ", ""),
    "entity_precision": ("of the entities it finds, ", " are right"),
    "entity_recall": ("of the entities, ", " are found"),
    "answer_f1": ("the F1 score of the words of its answers is ", ""),
    "word_accuracy": ("", " of the words get the right tag"),
    "mrr": ("the mean reciprocal rank of the right partner (1: always first) is ", ""),
    "recall_at_1": ("", " find their partner first"),
    "recall_at_5": ("", " find their partner among the first five"),
    "exact_match": ("", " are written word for word as expected"),
    "rouge_1": ("what it writes shares ", " of the words with the expected texts (ROUGE-1)"),
    "rouge_2": ("what it writes shares ", " of the pairs of words with the expected texts (ROUGE-2)"),
    "rouge_l": ("what it writes shares ", " of the words, in order, with the expected texts (ROUGE-L)"),
    "chrf": ("what it writes shares ", " of the groups of letters with the expected texts (chrF)"),
    "bleu": ("what it writes shares ", " of the groups of words with the expected texts (BLEU)"),
}
#: metric -> its name in a table.
METRIC_NAMES = {
    "accuracy": "accuracy",
    "f1": "F1, mean of the classes",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision of the rarer class",
    "recall": "recall of the rarer class",
    "roc_auc": "area under the ROC curve",
    "f1_micro": "F1 over all labels",
    "f1_macro": "F1, mean of the labels",
    "precision_micro": "precision over all labels",
    "recall_micro": "recall over all labels",
    "subset_accuracy": "all labels right",
    "mae": "mean error",
    "rmse": "root mean square error",
    "r2": "R²",
    "spearman": "rank correlation",
    "loss": "loss a token",
    "perplexity": "perplexity",
    "wer": "words that are wrong (WER)",
    "cer": "characters that are wrong (CER)",
    "general_wer": "words that are wrong in other speech",
    "exact_match": "answers word for word right",
    "rouge_1": "words shared with the expected text (ROUGE-1)",
    "rouge_2": "pairs of words shared with the expected text (ROUGE-2)",
    "rouge_l": "words shared with the expected answer, in order (ROUGE-L)",
    "chrf": "groups of letters shared with the expected text (chrF)",
    "bleu": "groups of words shared with the expected text (BLEU)",
    "json_valid": "answers that are valid JSON",
    "reward_accuracy": "pairs in which it likes the better answer more",
    "margin": "margin between the two answers",
    "entity_f1": "F1 of whole entities",
    "entity_precision": "entities found that are right (precision)",
    "entity_recall": "entities that are found (recall)",
    "answer_f1": "words shared with the right answer (F1)",
    "word_accuracy": "words with the right tag",
    "mrr": "mean reciprocal rank (MRR)",
    "recall_at_1": "right partner found first",
    "recall_at_5": "right partner among the first five",
    "triplet_accuracy": "right text closer than the wrong one",
}
_PERCENT = frozenset(METRIC_NAMES) - {"mae", "rmse", "r2", "spearman", "loss", "perplexity", "margin", "mrr"}
_VERB = {"mae": "is off by", "rmse": "has an error of"}


def figure(metric: str, value: float) -> str:
    """A figure as people write it: "97.1 %", "0.52"."""
    return f"{_digits(metric, value)} %" if metric in _PERCENT else _digits(metric, value)


def interval_text(metric: str, found: Interval) -> str:
    """ "95 % interval 95.7–98.1", or nothing where there is none."""
    if found.low is None or found.high is None:
        return ""
    low, high = _digits(metric, found.low), _digits(metric, found.high)
    return f"95 % interval {low} to {high}" if found.low < 0 else f"95 % interval {low}–{high}"


def measured(metric: str, found: Interval, rows: int, noun: str, cross_validated: bool) -> str:
    """How good the model is: "On 800 e-mails it never saw, 97.1 % are right (95 % interval 95.7–98.1)." """
    before, after = _MEASURED[metric]
    bounds = interval_text(metric, found)
    said = f"{before}{figure(metric, found.value)}{after}{f' ({bounds})' if bounds else ''}."
    if cross_validated:
        return f"Over {count(rows, noun)}, each answered by models that never saw it, {said}"
    return f"On {count(rows, noun)} it never saw, {said}"


def reached(metric: str, name: str, value: float) -> str:
    """What the baseline reaches: "Counting words reaches 96.2 %"."""
    return f"{name[0].upper()}{name[1:]} {_VERB.get(metric, 'reaches')} {figure(metric, value)}"


def p_value(p: float) -> str:
    """ "p = 0.0004"; very small ones as a bound."""
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {p:.1g}" if p < 0.001 else f"p = {p:.2g}"


def more_rows(missing: int, test_fraction: float | None, noun: str, difference: float | None, kind: str) -> str:
    """How many more rows would show a difference, in round numbers.

    Args:
        missing: test rows wanted beyond those at hand.
        test_fraction: share of all rows that is held out: the labelled rows to collect are as many times more.
        noun: what the rows are, in the plural.
        difference: between two shares, as 0.05; None: no size is named.
        kind: of rows that are wanted: "test", or "labelled" where every row is tested.
    """
    missing = max(missing, 10)
    size = f"a difference of {100 * difference:.0f} points" if difference else "a difference of this size"
    if not test_fraction:
        return f"About {_round_up(missing):,} more {kind} {noun} would show {size}."
    labelled = _round_up(math.ceil(missing / test_fraction))
    return (
        f"About {_round_up(missing):,} more in the test would show {size}: with {100 * test_fraction:.0f} % held out, "
        f"label some {labelled:,} more {noun}."
    )


def count(number: int, noun: str) -> str:
    """ "1,200 texts", "1 text"."""
    return f"{number:,} {noun[:-1] if number == 1 and noun.endswith('s') else noun}"


def _digits(metric: str, value: float) -> str:
    if metric in _PERCENT:
        shown = f"{100 * value:.1f}"
        return shown if shown != "100.0" or value == 1 else "99.9"  # never round up to perfect
    if metric in ("r2", "spearman", "mrr"):
        return f"{value:.3f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _round_up(number: int) -> int:
    """To two leading digits: 437 -> 440, 12,345 -> 13,000."""
    step = int(10 ** max(len(str(number)) - 2, 0))
    return math.ceil(number / step) * step
