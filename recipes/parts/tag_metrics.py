"""How good tags are, entity by entity: an entity counts when its type and both of its ends are right.

counts = count(truth, found, types)            spans of each sentence
figures(counts), per_type(counts), mistakes(…)

The counts are those of CoNLL's `conlleval` and of seqeval; intervals come from drawing sentences again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import ClassFigures, Interval, Mistake, Verdict
from recipes.parts import verdict
from recipes.parts.metrics import FIGURES, SINGLE
from recipes.parts.resample import bootstrap, by_group, group_numbers, proportion, totals
from recipes.parts.tagged import PLAIN_METRIC, Tagged
from recipes.parts.tags import OUTSIDE, Span
from recipes.parts.verdict import Failure

ENTITY = ("entity_f1", "entity_precision", "entity_recall")
INPUT_SHOWN = 300  # characters of a sentence in the report
MOST_MISTAKES = 50
ENOUGH_ENTITIES = 8  # from here on, finding none at all is no accident


@dataclass(frozen=True)
class Counts:
    """What was right in each sentence.

    Attributes:
        types: of entities; right, true, said: entities of each sentence and type, shape (sentences, types).
        words: words with the right tag, and words, shape (sentences, 2).
    """

    types: list[str]
    right: NDArray[np.float64]
    true: NDArray[np.float64]
    said: NDArray[np.float64]
    words: NDArray[np.float64]
    plain: bool = False

    def columns(self, metric: str) -> NDArray[np.float64]:
        """What a figure sums over the sentences, shape (sentences, columns)."""
        if metric == PLAIN_METRIC:
            return self.words
        return np.column_stack([part.sum(axis=1) for part in (self.right, self.true, self.said)])

    def value(self, metric: str) -> float:
        """A figure without its interval."""
        return float(FIGURES[metric](totals(self.columns(metric)))[0])


def count(
    truth: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]], lengths: Sequence[int], plain: bool = False
) -> Counts:
    """Compare spans sentence by sentence.

    Args:
        lengths: words of each sentence.
    """
    types = sorted({kind for each in (*truth, *found) for _, _, kind in each})
    index = {kind: number for number, kind in enumerate(types)}
    shape = (len(truth), len(types))
    right, true, said = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    words = np.zeros((len(truth), 2))
    for row, (one, two) in enumerate(zip(truth, found, strict=True)):
        for table, spans in ((true, one), (said, two), (right, set(one) & set(two))):
            for _, _, kind in spans:
                table[row, index[kind]] += 1
        words[row] = _same_words(one, two, lengths[row]), lengths[row]
    return Counts(types, right, true, said, words, plain)


def _same_words(one: Sequence[Span], two: Sequence[Span], words: int) -> int:
    """Words with the same type, outside included."""
    kinds = []
    for spans in (one, two):
        each = [""] * words
        for start, end, kind in spans:
            each[start:end] = [kind] * (end - start)
        kinds.append(each)
    return sum(mine == right for mine, right in zip(*kinds, strict=True))


def figures(counts: Counts, groups: Sequence[Any] | None = None) -> dict[str, Interval]:
    """The figures with their intervals; sentences (or groups of them) are drawn again."""
    names = (PLAIN_METRIC,) if counts.plain else (*ENTITY, PLAIN_METRIC)
    numbers = group_numbers(groups, len(counts.words))
    return {name: bootstrap(by_group(counts.columns(name), numbers), FIGURES[name], bounded=True) for name in names}


def per_type(counts: Counts) -> list[ClassFigures]:
    """Precision, recall and F1 of each type; sentences are what is independent. `rows`: entities in the test."""
    result = []
    for number, kind in enumerate(counts.types):
        right, true, said = (table[:, number] for table in (counts.right, counts.true, counts.said))
        every = float(true.sum() + said.sum())
        result.append(
            ClassFigures(
                label=kind,
                rows=int(true.sum()),
                precision=_share(right, said),
                recall=_share(right, true),
                f1=float(2 * right.sum() / every) if every else None,
            )
        )
    return result


def _share(right: NDArray[np.float64], every: NDArray[np.float64]) -> Interval | None:
    """The share of entities that are right, with Wilson's interval by sentence."""
    sentences = np.repeat(np.arange(len(every)), every.astype(np.int64))
    hits = [place < good for count, good in zip(every, right, strict=True) for place in range(int(count))]
    return proportion(hits, group_numbers(sentences.tolist(), len(sentences)) if len(sentences) else None)


def judge(
    metric: str, ours: Counts, theirs: Mapping[str, Counts], *, groups: Sequence[Any] | None = None,
    cross_validated: bool = False, test_fraction: float | None = None,
) -> Verdict:  # fmt: skip
    """The model against the best baseline on the same sentences."""
    best = max(theirs, key=lambda name: theirs[name].value(metric))
    numbers = group_numbers(groups, len(ours.words))
    found = verdict.compare_columns(metric, ours.columns(metric), theirs[best].columns(metric), numbers)
    own = bootstrap(by_group(ours.columns(metric), numbers), FIGURES[metric], bounded=True)
    return verdict.pronounce(
        SINGLE, metric, own, best, theirs[best].value(metric), found, len(ours.words), noun="sentences",
        cross_validated=cross_validated, test_fraction=test_fraction,
    )  # fmt: skip


def learned(counts: Counts, logits: NDArray[Any], names: Sequence[str]) -> Failure | None:
    """What shows that the model learned nothing, or None."""
    if not np.isfinite(logits).all():
        return verdict.overflowed()
    if not counts.plain and counts.said.sum() == 0 and counts.true.sum() >= ENOUGH_ENTITIES:
        return Failure(
            "one-class-predicted",
            f"The model finds no entity in the {len(counts.words):,} test sentences, which hold "
            f"{int(counts.true.sum()):,}: it learned nothing that tells them from other words.",
            "It should find some of them.",
            "Check that tags and words belong together. If they do, try the method head first, more epochs, or "
            "balanced class weights: most words are no entity.",
        )
    answers = logits.argmax(axis=1)
    if counts.plain and len(answers) >= ENOUGH_ENTITIES and bool((answers == answers[0]).all()):
        return Failure(
            "one-class-predicted",
            f"The model gives all {len(answers):,} test words the same tag, “{names[int(answers[0])]}”.",
            "The test words have different tags.",
            "Check that tags and words belong together. If they do, try the method head first.",
        )
    return None


def mistakes(
    tagged: Tagged, rows: Sequence[int], found: Sequence[Sequence[Span]], scores: Sequence[NDArray[Any]],
    names: Sequence[str],
) -> list[Mistake]:  # fmt: skip
    """Entities that are wrong or were not found, the surest first.

    Args:
        rows: the judged sentences; found: what the model found in each; scores: of each one's words, (words, tags).
    """
    result = []
    for row, said, sure in zip(rows, found, scores, strict=True):
        true, wrong = tagged.spans[row], set(said) - set(tagged.spans[row])
        met: set[Span] = set()
        for span in sorted(wrong):
            near = [each for each in true if each[0] < span[1] and each[1] > span[0]]
            met.update(near)
            result.append(_mistake(tagged, row, near, [span], float(sure[span[0] : span[1]].max(axis=1).mean())))
        for span in set(true) - set(said) - met:
            outside = sure[span[0] : span[1], names.index(OUTSIDE)] if OUTSIDE in names else sure.max(axis=1)
            result.append(_mistake(tagged, row, [span], [], float(outside.mean())))
    order = sorted(result, key=lambda each: (-(each.confidence or 0.0), each.row))
    return order[:MOST_MISTAKES]


def _mistake(tagged: Tagged, row: int, true: list[Span], said: list[Span], sure: float) -> Mistake:
    places, text = tagged.words[row], tagged.texts[row]

    def spoken(spans: list[Span]) -> str:
        named = [f"{kind}: {text[places[start][0] : places[end - 1][1]]}" for start, end, kind in spans]
        return "; ".join(named)[:INPUT_SHOWN] or "no entity"

    return Mistake(
        row=tagged.numbers[row], input=_around(text, places, true or said), expected=spoken(true),
        predicted=spoken(said), confidence=sure,
    )  # fmt: skip


def _around(text: str, places: Sequence[tuple[int, int]], spans: list[Span]) -> str:
    """The sentence; of a long one the part around an entity."""
    if len(text) <= INPUT_SHOWN:
        return text
    middle = places[spans[0][0]][0]
    start = max(0, min(middle - INPUT_SHOWN // 2, len(text) - INPUT_SHOWN))
    return "…" + text[start + 1 : start + INPUT_SHOWN - 1] + "…"
