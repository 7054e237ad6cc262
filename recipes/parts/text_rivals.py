"""What a model that writes texts must beat, none of which costs a training.

copied          the text as it is
first_words     its first words, as many as the expected texts have: strong for summaries
nearest_row     the expected text of the most similar row that was learned from
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from recipes.parts.conversations import Example

ROWS_AT_ONCE = 200  # test rows compared with all others at once
MOST_FEATURES = 200_000


def ask_all(train: Sequence[Example], test: Sequence[Example], shortens: bool) -> dict[str, list[str]]:
    """What each rival writes for the test rows.

    Args:
        train: rows learned from. shortens: the expected texts are mostly much shorter than what is read.
    """
    found = {"copied": [example.prompt for example in test]}
    if shortens:
        words = int(np.median([len(example.answer.split()) for example in train]))
        found["first_words"] = [" ".join(example.prompt.split()[:words]) for example in test]
    found["nearest_row"] = nearest(train, test)
    return found


def nearest(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    """The expected text of the training row whose text shares most words (or letters) with each test row's."""
    asked = [example.prompt for example in train]
    reader = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, max_features=MOST_FEATURES, dtype=np.float32
    )
    try:
        known = reader.fit_transform(asked)
    except ValueError:  # no letters at all
        return [train[0].answer for _ in test]
    questions = reader.transform([example.prompt for example in test])
    found: list[str] = []
    for start in range(0, len(test), ROWS_AT_ONCE):
        alike = (questions[start : start + ROWS_AT_ONCE] @ known.T).tocsr()
        found += [train[int(row.argmax())].answer for row in alike]
    return found
