"""How good a language model is on rows it never saw: its losses there, what it writes, and the verdict.

Every figure of one row is a sum (of losses, of tokens), so that rows can be resampled and two models be compared on
the same draws. A row's answer is one unit: its tokens are not independent of each other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Interval, Verdict
from recipes.parts.chat_format import Encoded
from recipes.parts.metrics import FIGURES
from recipes.parts.resample import bootstrap, by_group, group_numbers, proportion
from recipes.parts.sentences import count, p_value
from recipes.parts.text_metrics import rouge_l
from recipes.parts.verdict import ALPHA, FEW_ROWS, Comparison, compare_columns

BLUNT = 0.10  #: an undecided difference that is known no better than this (loss a token) says nothing
SHORT_ANSWER = 40  #: characters: answers this short can be right word for word
SHORT_SHARE, JSON_SHARE = 0.8, 0.9  #: share of the answers that must be short, or JSON, to be judged so


@dataclass(frozen=True)
class Losses:
    """Summed loss and number of learned tokens of each judged row, shape (rows,) each."""

    summed: NDArray[np.float64]
    tokens: NDArray[np.float64]

    @property
    def columns(self) -> NDArray[np.float64]:
        """What is resampled, shape (rows, 2)."""
        return np.column_stack([self.summed, self.tokens])

    @property
    def mean(self) -> float:
        """Loss a token."""
        return float(self.summed.sum() / max(1.0, self.tokens.sum()))


def by_example(encoded: Encoded, sequences: NDArray[Any], summed: NDArray[Any]) -> Losses:
    """Losses of rows from those of their sequences: a plain text of several sequences is one row."""
    owner = np.unique(encoded.owner[sequences], return_inverse=True)[1]
    tokens = encoded.learned[sequences].astype(np.float64)
    sums = [np.bincount(owner, weights=weights).astype(np.float64) for weights in (summed, tokens)]
    return Losses(sums[0], sums[1])


def figures(losses: Losses, groups: Sequence[Any] | None = None) -> dict[str, Interval]:
    """Loss a token and perplexity with their intervals."""
    numbers = group_numbers(groups, len(losses.summed))
    loss = bootstrap(by_group(losses.columns, numbers), FIGURES["loss"], bounded=False)
    return {"loss": loss, "perplexity": perplexity(loss)}


def perplexity(loss: Interval) -> Interval:
    """Between how many equally likely pieces of words the model wavers: the exponential of the loss."""

    def power(value: float | None) -> float | None:
        return None if value is None else math.exp(min(value, 50.0))

    return Interval(value=power(loss.value) or 0.0, low=power(loss.low), high=power(loss.high))


def judge(losses: Losses, rivals: Mapping[str, Losses], examples: int, groups: Sequence[Any] | None = None) -> Verdict:
    """Against the best of the rivals, on the same rows, by a paired bootstrap.

    Args:
        rivals: `untuned`, and `few_shot` where there is one.
        examples: how many the few-shot prompt held.
    """
    found = figures(losses, groups)["loss"]
    best = min(rivals, key=lambda name: rivals[name].mean)
    comparison = compare(losses, rivals[best], groups)
    code = _code(comparison, len(losses.summed))
    rows = count(len(losses.summed), "rows")
    bounds = f" (95 % interval {found.low:.3g}–{found.high:.3g})" if found.low is not None else ""
    said = f"On {rows} it never saw, the tuned model's loss is {found.value:.3g} a token{bounds}; smaller is better. "
    said += _rivals_said(rivals, examples)
    said += _ending(code, comparison, losses.mean, rivals[best].mean, len(rivals), len(losses.summed))
    return Verdict(
        code=code, text=said, best_baseline=best, metric="loss", difference=comparison.difference,
        p_value=comparison.p_value,
    )  # fmt: skip


def compare(ours: Losses, theirs: Losses, groups: Sequence[Any] | None = None) -> Comparison:
    """Paired difference of the loss a token; positive where ours is smaller."""
    return compare_columns("loss", ours.columns, theirs.columns, group_numbers(groups, len(ours.summed)))


def _code(found: Comparison, rows: int) -> Any:
    if found.p_value < ALPHA and found.difference.value != 0 and rows >= FEW_ROWS:
        return "better" if found.difference.value > 0 else "worse"
    half = ((found.difference.high or 0.0) - (found.difference.low or 0.0)) / 2
    return "not_enough_data" if rows < FEW_ROWS or half > BLUNT else "same"


def _rivals_said(rivals: Mapping[str, Losses], examples: int) -> str:
    said = f"Before the tuning it was {rivals['untuned'].mean:.3g}"
    if "few_shot" in rivals:
        shown = f"{examples} examples" if examples > 1 else "one example"
        said += f", and {rivals['few_shot'].mean:.3g} with {shown} in the prompt instead of any training"
    return said


def _ending(code: str, found: Comparison, ours: float, theirs: float, rivals: int, rows: int) -> str:
    """What it means, for somebody who never saw a loss."""
    if code == "better":
        both = "both" if rivals > 1 else "that"
        return (
            f": the tuned model is better than {both}, and that is hardly chance ({p_value(found.p_value)}). Where it "
            f"wavered between {math.exp(min(theirs, 50)):,.1f} equally likely next pieces of a word, it now wavers "
            f"between {math.exp(min(ours, 50)):,.1f}."
        )
    if code == "worse":
        return (
            f": the tuned model is worse, and that is hardly chance ({p_value(found.p_value)}). As it stands, use the "
            "model as it was, with examples in the prompt where they help."
        )
    if code == "same":
        return ": the difference could be chance. The training changed little that these rows can show."
    return f". {count(rows, 'rows')} are too few to tell which is better: bring more rows, or a larger test file."


# What it writes


def kind_of_answers(answers: Sequence[str]) -> str:
    """How written answers can be judged: "json_valid", "exact_match" or "rouge_l"."""
    if not answers:
        return "rouge_l"
    if sum(is_json(answer) for answer in answers) >= JSON_SHARE * len(answers):
        return "json_valid"
    short = sum(len(answer.strip()) <= SHORT_ANSWER for answer in answers)
    return "exact_match" if short >= SHORT_SHARE * len(answers) else "rouge_l"


def written_figures(kind: str, written: Sequence[str], expected: Sequence[str]) -> dict[str, Interval]:
    """Figures of what was written, with intervals; nothing without rows."""
    if not written:
        return {}
    exact = proportion([_same(mine, right) for mine, right in zip(written, expected, strict=True)])
    found: dict[str, Interval] = {}
    if kind == "json_valid":
        valid = proportion([is_json(mine) for mine in written])
        found |= {"json_valid": valid} if valid else {}
    if kind in ("json_valid", "exact_match") and exact is not None:
        found["exact_match"] = exact
    if kind == "rouge_l":
        shares = np.array([rouge_l(mine, right) for mine, right in zip(written, expected, strict=True)])
        columns = np.column_stack([shares, np.ones(len(shares))])
        found["rouge_l"] = bootstrap(columns, FIGURES["mean"], bounded=True)
    return found


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    try:
        return isinstance(json.loads(text), (dict, list))
    except ValueError:
        return False


def _same(mine: str, right: str) -> bool:
    if is_json(mine) and is_json(right):
        return bool(json.loads(mine) == json.loads(right))
    return " ".join(mine.split()).casefold().rstrip(".") == " ".join(right.split()).casefold().rstrip(".")
