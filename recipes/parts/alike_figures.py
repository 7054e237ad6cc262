"""How well texts are compared: ranks of scored pairs, and whether each text finds its partner among many.

figures(study, values, rows)       intervals by families of rows that share a text
rivals(study, frozen)              the untuned model, shared rare words (TF-IDF), shared words
judge(study, answers, ...)         against the best of them, on the same rows
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

from recipes.events import Interval, Mistake, Verdict
from recipes.parts import verdict
from recipes.parts.alike_rows import NONE, AlikeStudy
from recipes.parts.metrics import FIGURES, REGRESSION, SHARES, SINGLE, columns_of
from recipes.parts.resample import bootstrap, by_group, group_numbers, totals
from recipes.parts.verdict import Failure

Floats = NDArray[np.float64]
RANKING = ("mrr", "recall_at_1", "recall_at_5")
TRIPLETS = "triplet_accuracy"
AT_ONCE = 1024  # texts that are compared with all others at once
ENOUGH_TRIPLETS = 10
SHOWN, MOST_MISTAKES = 300, 50
_WORD = re.compile(r"\w+")
#: Numbers of texts, shape (n,) and (m,) -> how close each is to each, shape (n, m); or pairwise, shape (n,).
Near = Callable[[NDArray[Any], NDArray[Any]], Floats]


@dataclass(frozen=True)
class Closeness:
    """A way to compare texts by their numbers. `all`: each with each; `pairs`: one with one."""

    all: Near
    pairs: Near


def by_vectors(values: NDArray[np.float32]) -> Closeness:
    """Cosines of numbers of length one, shape (texts, width)."""
    return Closeness(
        lambda left, right: (values[left] @ values[right].T).astype(np.float64),
        lambda left, right: np.einsum("ij,ij->i", values[left], values[right]).astype(np.float64),
    )


def by_words(counts: csr_matrix) -> Closeness:
    """Products of sparse rows of length one, shape (texts, words)."""
    return Closeness(
        lambda left, right: (counts[left] @ counts[right].T).toarray(),
        lambda left, right: np.asarray(counts[left].multiply(counts[right]).sum(axis=1)).reshape(-1),
    )


def rivals(study: AlikeStudy, frozen: NDArray[np.float32]) -> dict[str, Closeness]:
    """What a tuned model must beat.

    Args:
        frozen: what the untuned model says of every text, shape (texts, width).
    """
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.preprocessing import normalize

    weighted = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+")
    counted = CountVectorizer(binary=True, token_pattern=r"\w+", dtype=np.float64)
    try:
        weighted.fit([study.texts[text] for text in study.texts_of(study.train)])
        words = {"rare_words": weighted.transform(study.texts), "word_overlap": counted.fit_transform(study.texts)}
    except ValueError:  # no text holds a word
        words = {}
    return {"untuned": by_vectors(frozen)} | {name: by_words(normalize(each).tocsr()) for name, each in words.items()}


@dataclass(frozen=True)
class Answers:
    """What a way of comparing says about some rows.

    Attributes:
        close: of the two texts of each row, shape (rows,).
        ranks: of each partner among all candidates, from 1, ties in the middle, shape (rows,); None for scored pairs.
        nearest: the closest candidate's number and how close it is, shape (rows,) each; None for scored pairs.
        triplets: 1 where the partner is closer than the wrong text, 0.5 for a tie, shape (triplets,); rows of them.
        candidates: how many texts each was looked for among.
    """

    close: Floats
    ranks: Floats | None = None
    nearest: tuple[NDArray[np.int64], Floats] | None = None
    triplets: Floats | None = None
    triplet_rows: NDArray[np.int64] | None = None
    candidates: int = 0


def ask(study: AlikeStudy, near: Closeness, rows: NDArray[Any]) -> Answers:
    """Compare the texts of some rows."""
    first, second, third = study.first[rows], study.second[rows], study.third[rows]
    close = near.pairs(first, second)
    if study.scores is not None:
        return Answers(close)
    given = np.flatnonzero(third != NONE)
    pool = np.unique(np.concatenate([second, third[given]]))
    ranks, best, how_close = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows))
    for start in range(0, len(rows), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        table = near.all(first[part], pool)
        own = np.searchsorted(pool, second[part])
        line = np.arange(len(own))
        related = study.kin[first[part]][:, None] == study.kin[pool][None, :]
        related[line, own] = False
        table[related] = -np.inf  # belongs to it as well: neither right nor wrong
        mine = table[line, own][:, None]
        higher, same = (table > mine + 1e-9).sum(axis=1), (np.abs(table - mine) <= 1e-9).sum(axis=1)
        ranks[part] = higher + (same + 1) / 2
        top = table.argmax(axis=1)
        best[part], how_close[part] = pool[top], table[line, top]
    return Answers(close, ranks, (best, how_close), *_triplets(near, first, second, third, given, close), len(pool))


def _triplets(
    near: Closeness, first: NDArray[Any], second: NDArray[Any], third: NDArray[Any], given: NDArray[Any], close: Floats
) -> tuple[Floats | None, NDArray[np.int64] | None]:
    del second
    if len(given) < ENOUGH_TRIPLETS:
        return None, None
    wrong = near.pairs(first[given], third[given])
    return np.where(np.abs(close[given] - wrong) <= 1e-9, 0.5, close[given] > wrong).astype(np.float64), given


def columns(study: AlikeStudy, found: Answers, rows: NDArray[Any], metric: str) -> Floats:
    """What a figure sums over the rows, shape (rows, columns)."""
    if study.scores is not None:
        return np.asarray(columns_of(REGRESSION, "spearman", study.scores[rows], found.close, 0))
    if metric == TRIPLETS and found.triplets is not None:
        values = found.triplets
    elif found.ranks is None:
        raise AssertionError("rows without scores have ranks")
    elif metric == "mrr":
        values = 1 / found.ranks
    else:
        values = (found.ranks <= int(metric.rpartition("_")[2])).astype(np.float64)
    return np.column_stack([values, np.ones(len(values))])


def value(study: AlikeStudy, values: NDArray[np.float32], rows: NDArray[Any], metric: str) -> float:
    """A figure without its interval.

    Args:
        values: numbers of all texts, of length one, shape (texts, width).
    """
    found = ask(study, by_vectors(values), rows)
    return float(FIGURES[metric](totals(columns(study, found, rows, metric)))[0])


def figures(study: AlikeStudy, found: Answers, rows: NDArray[Any]) -> dict[str, Interval]:
    """All figures with their intervals; families of rows that share a text are drawn again."""
    names = ("spearman",) if study.scores is not None else RANKING
    result = {name: _interval(study, found, rows, name) for name in names}
    if found.triplets is not None and found.triplet_rows is not None:
        result[TRIPLETS] = _interval(study, found, rows[found.triplet_rows], TRIPLETS)
    return result


def _interval(study: AlikeStudy, found: Answers, rows: NDArray[Any], metric: str) -> Interval:
    groups = group_numbers(study.families[rows].tolist(), len(rows))
    return bootstrap(by_group(columns(study, found, rows, metric), groups), FIGURES[metric], bounded=metric in SHARES)


def metric_for(study: AlikeStudy, asked: str | None) -> str:
    """The plan's figure where it fits, else the usual one."""
    fitting = ("spearman",) if study.scores is not None else RANKING
    return asked if asked is not None and asked in fitting else fitting[0]


def judge(
    study: AlikeStudy, ours: Answers, theirs: Mapping[str, Answers], metric: str, test_fraction: float | None
) -> Verdict:
    """The tuned model against the best rival on the same rows, by a paired bootstrap."""
    rows = study.test
    groups = group_numbers(study.families[rows].tolist(), len(rows))
    tables = {name: columns(study, each, rows, metric) for name, each in theirs.items()}
    reached = {name: float(FIGURES[metric](totals(table))[0]) for name, table in tables.items()}
    best = max(reached, key=lambda name: reached[name])
    compared = verdict.compare_columns(metric, columns(study, ours, rows, metric), tables[best], groups)
    return verdict.pronounce(
        SINGLE, metric, _interval(study, ours, rows, metric), best, reached[best], compared, len(rows),
        noun="pairs", cross_validated=False, test_fraction=None if study.own_test else test_fraction,
    )  # fmt: skip


def learned(study: AlikeStudy, values: NDArray[np.float32], found: Answers) -> Failure | None:
    """What shows that the model learned nothing, or None.

    Args:
        values: numbers of the judged texts; found: what they say about the test rows.
    """
    if not np.isfinite(values).all() or not np.isfinite(found.close).all():
        return verdict.overflowed()
    if study.scores is not None:
        return verdict.learned(REGRESSION, study.scores[study.test], found.close)
    spread = float(np.std(values, axis=0).max()) if len(values) > 1 else 1.0
    if spread > 1e-4:
        return None
    return Failure(
        "one-class-predicted",
        f"The model gives all {len(values):,} texts of the test the same numbers: it learned nothing that tells them "
        "apart.",
        "Different texts should get different numbers.",
        "Try the method head first, or a learning rate ten times smaller.",
    )


def mistakes(study: AlikeStudy, found: Answers) -> list[Mistake]:
    """Test rows whose partner was not found first, the closest one first; of scored pairs those ranked most wrongly.

    A cosine is no probability, so no mistake says how sure the model was.
    """
    rows = study.test
    if study.scores is not None:
        return _misranked(study, found.close, rows)
    if found.nearest is None or found.ranks is None:
        return []
    best, close = found.nearest
    wrong = np.flatnonzero((best != study.second[rows]) & (found.ranks > 1))
    order = wrong[np.argsort(-close[wrong], kind="stable")][:MOST_MISTAKES]
    return [
        Mistake(
            row=int(study.numbers[rows[place]]),
            input=study.texts[study.first[rows[place]]][:SHOWN],
            expected=study.texts[study.second[rows[place]]][:SHOWN],
            predicted=study.texts[int(best[place])][:SHOWN],
        )
        for place in order.tolist()
    ]


def _misranked(study: AlikeStudy, close: Floats, rows: NDArray[Any]) -> list[Mistake]:
    scores = study.scores[rows] if study.scores is not None else close
    apart = np.abs(rankdata(scores) - rankdata(close)) / max(1, len(rows) - 1)
    order = [place for place in np.argsort(-apart, kind="stable").tolist() if apart[place] > 0.25][:MOST_MISTAKES]
    return [
        Mistake(
            row=int(study.numbers[rows[place]]),
            input=f"{study.texts[study.first[rows[place]]][: SHOWN // 2 - 2]} ↔ "
            f"{study.texts[study.second[rows[place]]][: SHOWN // 2 - 2]}",
            expected=f"{scores[place]:g}",
            predicted=f"{close[place]:.2f}",
        )
        for place in order
    ]
