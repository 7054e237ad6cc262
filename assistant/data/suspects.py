"""Labels that are probably wrong: rows that a model of word counts, which never saw them, is sure belong elsewhere.

Each row is judged by a model that learned from the other rows (five folds), and cleanlab's confident learning
(Northcutt et al. 2021) picks those whose label the probabilities contradict. With 3 % of the labels set wrong on
purpose, 95 % of what it picked in e-mails were such rows, and nearly all in news; where word counts cannot tell the
classes apart (food reviews: 79 % right), it says nothing.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.data.findings import Check, Finding, View, counted, first_rows, share_of, some_examples
from assistant.data.guesses import SINGLE
from assistant.data.kinds import spread

#: Fewer rows than this, of all or of one class, tell nothing.
FEWEST_ROWS = 200
FEWEST_OF_CLASS = 10
MOST_CLASSES = 50
#: Files with so many rows are looked at whole (some 5 s); of larger ones, whose other checks take longer, a part.
WHOLE_UP_TO = 10_000
PART = 4_000
MOST_CHARACTERS = 8_000_000
OF_EACH_TEXT = 2_000
FOLDS = 5
#: Right among the rows it never saw; a model that is wrong more often cannot accuse a label.
ABLE = 0.85
#: More than this share is no slip of the pen: the classes overlap.
MOST_WRONG = 0.2


@dataclass(frozen=True)
class Suspect:
    """A row whose label is probably wrong: its position, the label it has, the one it seems to have."""

    row: int
    label: str
    likely: str


def find_suspects(texts: list[str], labels: list[list[str]]) -> tuple[list[Suspect], int]:
    """Rows whose labels are probably wrong, the surest first, and how many rows were looked at (0: it cannot tell).

    Args:
        texts: shape (rows,). labels: the labels of each row; rows without exactly one are passed over.
    """
    usable = [row for row, text in enumerate(texts) if text and len(labels[row]) == 1]
    counts = Counter(labels[row][0] for row in usable)
    enough = {label for label, count in counts.items() if count >= FEWEST_OF_CLASS}
    rows = _looked_at([row for row in usable if labels[row][0] in enough], texts)
    names = sorted({labels[row][0] for row in rows})
    if len(rows) < FEWEST_ROWS or not 2 <= len(names) <= MOST_CLASSES:
        return [], 0
    number = {name: position for position, name in enumerate(names)}
    given = np.array([number[labels[row][0]] for row in rows])
    if np.bincount(given).min() < FEWEST_OF_CLASS:
        return [], 0
    chances = _chances([texts[row][:OF_EACH_TEXT] for row in rows], given)
    if chances is None:
        return [], 0
    picked = _contradicted(given, chances)
    if len(picked) > MOST_WRONG * len(rows):
        return [], 0
    best = chances.argmax(axis=1)
    return [Suspect(rows[at], names[given[at]], names[best[at]]) for at in picked], len(rows)


def _looked_at(rows: list[int], texts: list[str]) -> list[int]:
    length = sum(min(OF_EACH_TEXT, len(texts[row])) for row in rows) / max(1, len(rows))
    most = len(rows) if len(rows) <= WHOLE_UP_TO else PART
    return spread(rows, min(most, int(MOST_CHARACTERS / max(1.0, length))))


def _chances(texts: list[str], given: NDArray[Any]) -> NDArray[Any] | None:
    """The chance of each class for each row, by a model that did not see the row, shape (rows, classes); None when
    such models are no good here."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415  slow to import
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  scikit-learn's own

    chances = np.zeros((len(given), int(given.max()) + 1))
    # The vectors are short: more threads only wait for each other, five times as long on a busy machine.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # a fit that is stopped early is good enough
        try:
            words = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=20_000, dtype=np.float32)
            counts = words.fit_transform(texts)
        except ValueError:  # no word stands in two texts
            return None
        for known, unseen in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(counts, given):
            model = LogisticRegression(C=10.0, max_iter=100).fit(counts[known], given[known])
            chances[unseen] = model.predict_proba(counts[unseen])
            if _balanced(chances[unseen].argmax(axis=1), given[unseen]) < ABLE:
                return None
    return chances


def _balanced(predicted: NDArray[Any], given: NDArray[Any]) -> float:
    """The share that is right, the mean over the classes: always saying the largest one is no ability."""
    right = np.bincount(given, weights=predicted == given, minlength=int(given.max()) + 1)
    total = np.bincount(given, minlength=int(given.max()) + 1)
    return float((right[total > 0] / total[total > 0]).mean())


def _contradicted(given: NDArray[Any], chances: NDArray[Any]) -> list[int]:
    """Positions whose label the chances contradict, the surest first."""
    from cleanlab.filter import find_label_issues  # noqa: PLC0415  slow to import

    picked = find_label_issues(
        given, chances, filter_by="confident_learning", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return [int(position) for position in picked]


def likely_wrong_labels(view: View) -> Iterable[Finding]:
    """Rows whose label is probably wrong."""
    if view.problem != SINGLE or view.guess.task != "text-classification" or view.label_column is None:
        return
    found, looked_at = find_suspects(view.texts, view.labels)
    if not found:
        return
    rows = [suspect.row for suspect in found]
    listed = "; ".join(
        f"row {suspect.row + 1:,} is “{suspect.label[:40]}” and reads like “{suspect.likely[:40]}”"
        for suspect in found[:5]
    )
    part = f" of the {looked_at:,} rows looked at" if looked_at < view.rows else " of all"
    yield Finding(
        code="likely-wrong-labels",
        severity="warning" if len(found) > 0.01 * looked_at else "info",
        rows=first_rows(rows),
        count=len(found),
        text=f"{counted(len(found), 'label', 'labels')} in {view.label_column} may be wrong "
        f"({share_of(len(found), looked_at)}{part}): {listed}. Models that never saw these rows are sure of another "
        "label. Please look at them: such a model can be wrong too. Wrong labels teach the wrong thing, and make a "
        "good model look bad in the test.",
        fix="Leave these rows out, or set them to the label that they seem to have.",
        fixable=True,
        other_fix="set-likely-labels",
        examples=some_examples(f"{one.label} or {one.likely}? {view.texts[one.row]}" for one in found),
    )


CHECKS: tuple[Check, ...] = (likely_wrong_labels,)
