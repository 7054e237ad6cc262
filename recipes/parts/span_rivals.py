"""What a model that points to answers must beat: the most alike sentence, and a regression on pieces of the text.

The regression is SQuAD's own first baseline in small (Rajpurkar 2016): every short piece of the sentences that are most
alike to the question is a candidate, told by its neighbours, its shape and the question's own words. Where questions
without an answer occur, always saying so is a rival too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from recipes.parts import span_metrics
from recipes.parts.spans import Asked, Place
from recipes.parts.study import Study

NEVER, SENTENCE, PIECES = "never_answering", "alike_sentence", "span_regression"
ENDS = re.compile(r"(?<=[.!?;:])\s+|(?<=[。！？])|\n+")
WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]")
LONGEST = 8  # words of a piece
SENTENCES = 3  # that pieces are taken from
MOST_QUESTIONS = 2_000  # that the regression learns from
WRONG_A_QUESTION = 40  # pieces that are not the answer, drawn by chance
FEATURES = 2**15
REMEMBERED = 1_000  # questions whose pieces are kept in memory: some 60 MB
STRENGTH = 1.0
THRESHOLDS = 41

Answers = list[str]  #: "" for none


def ask_all(study: Study, asked: Asked) -> dict[str, Answers]:
    """Each rival's answers to the judged questions, by name; with few questions on the same folds as the model."""
    names = [SENTENCE, PIECES]
    if not asked.has_answer[study.learnable].all():
        names.append(NEVER)
    pieces = Pieces(asked)
    return {name: _folded(name, study, pieces) if study.folds else _held_out(name, study, pieces) for name in names}


def _held_out(name: str, study: Study, pieces: Pieces) -> Answers:
    return ask(name, pieces, study.train.tolist(), study.validation.tolist(), study.test.tolist())


def _folded(name: str, study: Study, pieces: Pieces) -> Answers:
    """Every repeat has a say; the most frequent answer to a question counts."""
    said: dict[int, Answers] = defaultdict(list)
    for rows, held_out in study.folds:
        for row, answer in zip(held_out.tolist(), ask(name, pieces, rows.tolist(), [], held_out.tolist()), strict=True):
            said[row].append(answer)
    return [Counter(said[row]).most_common(1)[0][0] for row in study.judged.tolist()]


def ask(name: str, pieces: Pieces, rows: list[int], validation: list[int], wanted: list[int]) -> Answers:
    """One rival's answers to some questions, learned from others; `validation` settles when it gives none."""
    if name == NEVER:
        return [""] * len(wanted)
    if name == SENTENCE:
        return [pieces.near.best(row) for row in wanted]
    model = pieces.learn(rows)
    if model is None:
        return [pieces.near.best(row) for row in wanted]
    least = _least(pieces, model, validation or rows)
    return [text if sure >= least else "" for text, sure in (pieces.best(model, row) for row in wanted)]


def _least(pieces: Pieces, model: Any, rows: list[int]) -> float:
    """How sure it must be to answer, so that these questions are answered best."""
    right = [pieces.asked.right(row) for row in rows]
    if all(right):
        return -np.inf
    found = [pieces.best(model, row) for row in rows]
    sure = np.array([each for _, each in found])
    value = span_metrics.score([text for text, _ in found], right)[:, 0]
    none = np.array([float(not each) for each in right])
    tried = np.concatenate([[-np.inf], np.unique(np.quantile(sure, np.linspace(0, 1, THRESHOLDS)))])
    return float(max(tried, key=lambda each: np.where(sure >= each, value, none).mean()))


class Likeness:
    """Which sentences of a text are most alike to a question, by TF-IDF.

    Words are counted over all texts, those of the test too: no answer is seen, and it can only help a rival.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.places = {text: sentences_of(text) for text in dict.fromkeys(asked.contexts)}
        written = [text[slice(*place)] for text, places in self.places.items() for place in places]
        counts = TfidfVectorizer(tokenizer=WORD.findall, token_pattern=None, sublinear_tf=True)
        self.sentences_counted = counts.fit_transform(written)
        self.questions_counted = counts.transform(asked.questions)
        ends = np.cumsum([len(places) for places in self.places.values()])
        self.ends = dict(zip(self.places, ends.tolist(), strict=True))

    def sentences(self, row: int) -> list[Place]:
        """Places of the sentences of a question's text, the most alike first."""
        text = self.asked.contexts[row]
        places, end = self.places[text], self.ends[text]
        some = self.sentences_counted[end - len(places) : end]
        likeness = (some @ self.questions_counted[row].T).toarray()[:, 0]
        return [places[number] for number in np.argsort(-likeness, kind="stable")]

    def best(self, row: int) -> str:
        """The most alike sentence."""
        return self.asked.contexts[row][slice(*self.sentences(row)[0])].strip()


def sentences_of(text: str) -> list[Place]:
    """Where the sentences of a text stand, without the spaces around them; at least one."""
    bounds = [0, *(place for match in ENDS.finditer(text) for place in match.span()), len(text)]
    found = [(start, end) for start, end in zip(bounds[::2], bounds[1::2], strict=True) if text[start:end].strip()]
    return found or [(0, len(text))]


class Pieces:
    """A logistic regression on pieces of texts. What is known of the pieces of a question is worked out once."""

    def __init__(self, asked: Asked) -> None:
        self.asked, self.near = asked, Likeness(asked)
        self.hasher = FeatureHasher(FEATURES)
        self._known: dict[int, tuple[list[Place], Any]] = {}

    def of(self, row: int) -> tuple[list[Place], Any]:
        """Short pieces of the sentences that are most alike to the question, and what tells of each: a sparse matrix,
        shape (pieces, features)."""
        if row not in self._known:
            places, told = self._pieces(row)
            found = (places, self.hasher.transform(told))
            if len(self._known) >= REMEMBERED:
                return found
            self._known[row] = found
        return self._known[row]

    def _pieces(self, row: int) -> tuple[list[Place], list[dict[str, float]]]:
        question = [word.casefold() for word in WORD.findall(self.asked.questions[row])]
        text, places, told = self.asked.contexts[row], [], []
        for rank, (start, end) in enumerate(self.near.sentences(row)[:SENTENCES]):
            words = [
                (match.group().casefold(), match.start(), match.end()) for match in WORD.finditer(text, start, end)
            ]
            for first in range(len(words)):
                for last in range(first, min(first + LONGEST, len(words))):
                    places.append((words[first][1], words[last][2]))
                    told.append(_told(question, text, words, first, last, rank))
        return places or [(0, len(text))], told or [{}]

    def learn(self, rows: Sequence[int]) -> Any:
        """A regression that tells answers from other pieces, fitted on some questions; None: nothing to learn from."""
        chance = np.random.default_rng(0)
        parts, labels = [], []
        for row in chance.permutation(np.asarray(rows, dtype=np.int64))[:MOST_QUESTIONS].tolist():
            places, told = self.of(row)
            right = {self._words(row, place) for place in self.asked.answers[row]}
            hit = np.array([self._words(row, place) in right for place in places])
            drawn = chance.permutation(np.flatnonzero(~hit))[:WRONG_A_QUESTION]
            parts.append(told[np.concatenate([np.flatnonzero(hit), drawn])])
            labels += [1] * int(hit.sum()) + [0] * len(drawn)
        if not 0 < sum(labels) < len(labels):
            return None
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300)
        return model.fit(vstack(parts), labels)

    def _words(self, row: int, place: Place) -> str:
        return " ".join(span_metrics.words(self.asked.contexts[row][slice(*place)]))

    def best(self, model: Any, row: int) -> tuple[str, float]:
        """The likeliest piece of a question's text, and how sure the regression is of it."""
        places, told = self.of(row)
        sure: NDArray[Any] = model.decision_function(told)
        best = int(sure.argmax())
        return self.asked.contexts[row][slice(*places[best])], float(sure[best])


def _told(
    question: Sequence[str], text: str, words: Sequence[tuple[str, int, int]], first: int, last: int, rank: int
) -> dict[str, float]:
    """What tells of a piece: its neighbours, shape and length, with the words that the question begins with."""
    kind = " ".join(question[:2])
    inside = {words[place][0] for place in range(first, last + 1)}
    before = words[first - 1][0] if first else "<"
    after = words[last + 1][0] if last + 1 < len(words) else ">"
    near = [1 / (1 + min(abs(place - first), abs(place - last))) for place, (word, _, _) in enumerate(words)
            if word in question and word.isalnum() and not first <= place <= last]  # fmt: skip
    shapes = [_shape(text[words[place][1] : words[place][2]]) for place in (first, last)]
    told = {
        f"before={before}": 1.0, f"after={after}": 1.0, f"first={shapes[0]}": 1.0, f"last={shapes[1]}": 1.0,
        f"words={last - first}": 1.0, f"rank={rank}": 1.0, "asked inside": float(len(inside & set(question))),
        "asked near": sum(near), f"ends={words[last][0]}": 1.0,
    }  # fmt: skip
    for begins in (question[0] if question else "", kind):
        for each in (f"before={before}", f"after={after}", f"words={last - first}", f"{shapes}", words[last][0]):
            told[f"{begins}|{each}"] = 1.0
    return told


def _shape(word: str) -> str:
    if word.isdigit():
        return f"{min(len(word), 5)} digits"
    if not word[:1].isalnum():
        return word
    return "Name" if word[:1].isupper() else "word"
