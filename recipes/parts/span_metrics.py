"""How good answers from a text are, question by question: word for word right, and how many words are shared.

scores = score(said, right)                    shape (questions, 2): shared words (F1), exact match
figures(scores, groups), judge(…), mistakes(…)

The figures are those of SQuAD's own script: capitals, marks and English articles do not count; of several right answers
the most alike one does; where the text holds no answer, saying so is right. Intervals come from drawing texts again.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import ClassFigures, Interval, Mistake, Verdict
from recipes.parts import metrics, verdict
from recipes.parts.metrics import FIGURES, SINGLE
from recipes.parts.resample import bootstrap, by_group, group_numbers
from recipes.parts.spans import METRICS, Asked, Place
from recipes.parts.verdict import Failure

ARTICLES = frozenset({"a", "an", "the"})
ALONE = re.compile(r"([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff])")  # scripts without spaces: letter by letter
MOST_MISTAKES, INPUT_SHOWN = 50, 300
ENOUGH = 8  # questions with an answer from which on finding none at all is no accident
NO_ANSWER, KINDS = "no answer", ["the text answers it", "no answer in the text"]


@dataclass(frozen=True)
class Answer:
    """What was found for a question.

    Attributes:
        place: in its text, or None where it is said to hold no answer.
        sure: 0 to 1: the probability of this place's first and last token, or of there being none.
    """

    place: Place | None
    sure: float


def words(text: str) -> list[str]:
    """The words of an answer that count."""
    kept = "".join(each for each in text.casefold() if not unicodedata.category(each).startswith("P"))
    found = [word for word in ALONE.sub(r" \1 ", kept).split() if word not in ARTICLES]
    return found or text.casefold().split()  # an answer of marks or articles alone


def alike(said: str, right: Sequence[str]) -> tuple[float, float]:
    """Shared words (F1) and exact match of an answer, 0 to 1; "" and no right answer: there is none."""
    if not right or not said:
        same = float(not right and not said)
        return same, same
    mine = words(said)
    best = (0.0, 0.0)
    for each in right:
        theirs = words(each)
        shared = sum((Counter(mine) & Counter(theirs)).values())
        best = max(best, (2 * shared / (len(mine) + len(theirs)), float(mine == theirs)))
    return best


def score(said: Sequence[str], right: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Shape (questions, 2): the figures of `spans.METRICS`.

    Args:
        said: the answer to each question in words, "" for none; right: all right answers to each.
    """
    return np.array([alike(*pair) for pair in zip(said, right, strict=True)], dtype=np.float64).reshape(-1, 2)


def columns(scores: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """What a figure sums over the questions, shape (questions, 2)."""
    return np.column_stack([scores[:, METRICS.index(metric)], np.ones(len(scores))])


def value(scores: NDArray[np.float64], metric: str) -> float:
    """A figure without its interval."""
    return float(scores[:, METRICS.index(metric)].mean()) if len(scores) else 0.0


def figures(scores: NDArray[np.float64], groups: Sequence[Any]) -> dict[str, Interval]:
    """The figures with their intervals; texts are drawn again, not questions: those about one text are alike."""
    numbers = group_numbers(groups, len(scores))
    return {name: bootstrap(by_group(columns(scores, name), numbers), FIGURES[name], bounded=True) for name in METRICS}


def per_kind(said: Sequence[str], right: Sequence[Sequence[str]]) -> list[ClassFigures] | None:
    """Whether it knows which questions their text answers; None where every text does."""
    without = np.array([not each for each in right], dtype=np.int64)
    if not without.any():
        return None
    return metrics.per_class(SINGLE, without, np.array([not each for each in said], dtype=np.int64), KINDS)


def judge(
    metric: str, ours: NDArray[np.float64], theirs: Mapping[str, NDArray[np.float64]], groups: Sequence[Any], *,
    cross_validated: bool = False, test_fraction: float | None = None,
) -> Verdict:  # fmt: skip
    """The model against the best baseline on the same questions."""
    best = max(theirs, key=lambda name: value(theirs[name], metric))
    numbers = group_numbers(groups, len(ours))
    found = verdict.compare_columns(metric, columns(ours, metric), columns(theirs[best], metric), numbers)
    own = bootstrap(by_group(columns(ours, metric), numbers), FIGURES[metric], bounded=True)
    return verdict.pronounce(
        SINGLE, metric, own, best, value(theirs[best], metric), found, len(ours), noun="questions",
        cross_validated=cross_validated, test_fraction=test_fraction,
    )  # fmt: skip


def learned(said: Sequence[Answer], right: Sequence[Sequence[str]], logits: NDArray[Any]) -> Failure | None:
    """What shows that the model learned nothing, or None."""
    if not np.isfinite(logits).all():
        return verdict.overflowed()
    answerable = sum(bool(each) for each in right)
    if answerable < ENOUGH or any(each.place is not None for each in said):
        return None
    return Failure(
        "one-class-predicted",
        f"The model says for all {len(said):,} test questions that the text holds no answer; {answerable:,} have one.",
        "It should point to some of them.",
        "Check that questions, texts and answers belong together. If they do, allow more epochs or the method full.",
    )


def mistakes(asked: Asked, rows: Sequence[int], said: Sequence[Answer], spoken: Sequence[str]) -> list[Mistake]:
    """Questions that are not answered word for word right; the surest first."""
    found = []
    for row, answer, mine in zip(rows, said, spoken, strict=True):
        right = asked.right(row)
        if alike(mine, right)[1] == 1.0:
            continue
        at = asked.answers[row][0] if right else answer.place or (0, 0)
        found.append(
            Mistake(
                row=asked.numbers[row], input=_around(asked, row, at[0]),
                expected=" / ".join(right)[:INPUT_SHOWN] or NO_ANSWER, predicted=mine[:INPUT_SHOWN] or NO_ANSWER,
                confidence=answer.sure,
            )
        )  # fmt: skip
    return sorted(found, key=lambda each: (-(each.confidence or 0.0), each.row))[:MOST_MISTAKES]


def _around(asked: Asked, row: int, at: int) -> str:
    """The question, and the part of the text around an answer."""
    question, text = asked.questions[row][: INPUT_SHOWN // 2], asked.contexts[row]
    room = INPUT_SHOWN - len(question) - 5
    if len(text) > room:
        start = max(0, min(at - room // 2, len(text) - room))
        text = f"…{text[start + 1 : start + room - 1]}…"
    return f"{question} — {text}"
