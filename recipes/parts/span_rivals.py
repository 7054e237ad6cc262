"""What a model that points to answers must beat: the most alike sentence, and a regression on pieces of the text.

The regression is SQuAD's own first baseline in small (Rajpurkar 2016): every short piece of the sentences that are most
alike to the question is a candidate, told by its neighbours, its shape and the question's own words. Where questions
without an answer occur, always saying so is a rival too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
FEATURES = 2**16
STRENGTH = 1.0
THRESHOLDS = 41

Answers = list[str]  #: "" for none


def ask_all(study: Study, asked: Asked) -> dict[str, Answers]:
    """Each rival's answers to the judged questions, by name; with few questions on the same folds as the model."""
    names = [SENTENCE, PIECES]
    if not asked.has_answer[study.learnable].all():
        names.append(NEVER)
    return {name: _folded(name, study, asked) if study.folds else _held_out(name, study, asked) for name in names}


def _held_out(name: str, study: Study, asked: Asked) -> Answers:
    return ask(name, asked, study.train.tolist(), study.validation.tolist(), study.test.tolist())


def _folded(name: str, study: Study, asked: Asked) -> Answers:
    """Every repeat has a say; the most frequent answer to a question counts."""
    said: dict[int, Answers] = defaultdict(list)
    for rows, held_out in study.folds:
        for row, answer in zip(held_out.tolist(), ask(name, asked, rows.tolist(), [], held_out.tolist()), strict=True):
            said[row].append(answer)
    return [Counter(said[row]).most_common(1)[0][0] for row in study.judged.tolist()]


def ask(name: str, asked: Asked, rows: list[int], validation: list[int], wanted: list[int]) -> Answers:
    """One rival's answers to some questions, learned from others; `validation` settles when it gives none."""
    if name == NEVER:
        return [""] * len(wanted)
    near = Likeness(asked, rows + validation)
    if name == SENTENCE:
        return [asked.contexts[row][slice(*near.sentences(row)[0])].strip() for row in wanted]
    pieces = Pieces(asked, near, rows)
    found = [pieces.best(row) for row in wanted]
    least = _least(asked, pieces, validation or rows)
    return [text if sure >= least else "" for text, sure in found]


def _least(asked: Asked, pieces: Pieces, rows: list[int]) -> float:
    """How sure it must be to answer, so that these questions are answered best."""
    right = [asked.right(row) for row in rows]
    if all(right):
        return -np.inf
    found = [pieces.best(row) for row in rows]
    sure = np.array([each for _, each in found])
    value = span_metrics.score([text for text, _ in found], right)[:, 0]
    none = np.array([float(not each) for each in right])
    tried = np.concatenate([[-np.inf], np.unique(np.quantile(sure, np.linspace(0, 1, THRESHOLDS)))])
    return float(max(tried, key=lambda each: np.where(sure >= each, value, none).mean()))


class Likeness:
    """Which sentences of a text are most alike to a question, by TF-IDF over the texts that were learned from."""

    def __init__(self, asked: Asked, rows: Sequence[int]) -> None:
        self.asked = asked
        known = sorted({asked.contexts[row] for row in rows})
        self.counts = TfidfVectorizer(tokenizer=WORD.findall, token_pattern=None, sublinear_tf=True)
        self.counts.fit([text[slice(*place)] for text in known for place in sentences_of(text)])

    def sentences(self, row: int) -> list[Place]:
        """Places of the sentences of a question's text, the most alike first."""
        text = self.asked.contexts[row]
        places = sentences_of(text)
        values = self.counts.transform([text[slice(*place)] for place in places])
        likeness = (values @ self.counts.transform([self.asked.questions[row]]).T).toarray()[:, 0]
        return [places[number] for number in np.argsort(-likeness, kind="stable")]


def sentences_of(text: str) -> list[Place]:
    """Where the sentences of a text stand, without the spaces around them; at least one."""
    bounds = [0, *(place for match in ENDS.finditer(text) for place in match.span()), len(text)]
    found = [(start, end) for start, end in zip(bounds[::2], bounds[1::2], strict=True) if text[start:end].strip()]
    return found or [(0, len(text))]


@dataclass(frozen=True)
class Piece:
    """A few words of a text that may be the answer, with what tells of it."""

    place: Place
    told: dict[str, float]


class Pieces:
    """A logistic regression on pieces of texts."""

    def __init__(self, asked: Asked, near: Likeness, rows: Sequence[int]) -> None:
        self.asked, self.near = asked, near
        self.hasher = FeatureHasher(FEATURES)
        self.model: Any = None
        self._learn(rows)

    def _learn(self, rows: Sequence[int]) -> None:
        chance = np.random.default_rng(0)
        told: list[dict[str, float]] = []
        labels: list[int] = []
        for row in chance.permutation(np.asarray(rows, dtype=np.int64))[:MOST_QUESTIONS].tolist():
            right = {self._words(row, place) for place in self.asked.answers[row]}
            pieces = self.pieces(row)
            hits = [piece for piece in pieces if self._words(row, piece.place) in right]
            others = [piece for piece in pieces if self._words(row, piece.place) not in right]
            drawn = chance.permutation(len(others))[:WRONG_A_QUESTION]
            told += [piece.told for piece in hits] + [others[number].told for number in drawn]
            labels += [1] * len(hits) + [0] * len(drawn)
        if 0 < sum(labels) < len(labels):
            model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=300)
            self.model = model.fit(self.hasher.transform(told), labels)

    def _words(self, row: int, place: Place) -> str:
        return " ".join(span_metrics.words(self.asked.contexts[row][slice(*place)]))

    def best(self, row: int) -> tuple[str, float]:
        """The likeliest piece of a question's text, and how sure the regression is of it."""
        pieces = self.pieces(row)
        if self.model is None or not pieces:
            return self.asked.contexts[row][slice(*self.near.sentences(row)[0])].strip(), 0.0
        sure: NDArray[Any] = self.model.decision_function(self.hasher.transform([piece.told for piece in pieces]))
        best = int(sure.argmax())
        return self.asked.contexts[row][slice(*pieces[best].place)], float(sure[best])

    def pieces(self, row: int) -> list[Piece]:
        """All short pieces of the sentences that are most alike to the question."""
        question = [word.casefold() for word in WORD.findall(self.asked.questions[row])]
        found = []
        for rank, (start, end) in enumerate(self.near.sentences(row)[:SENTENCES]):
            text = self.asked.contexts[row]
            words = [
                (match.group().casefold(), match.start(), match.end()) for match in WORD.finditer(text, start, end)
            ]
            for first in range(len(words)):
                for last in range(first, min(first + LONGEST, len(words))):
                    told = _told(question, text, words, first, last, rank)
                    found.append(Piece((words[first][1], words[last][2]), told))
        return found


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
