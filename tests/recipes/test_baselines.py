"""Baselines: as strong as they should be on real data, sane on odd data."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recipes.parts import baselines
from recipes.parts.baselines import Predictions, majority, name_of, nearest_centroid, word_counts
from recipes.parts.metrics import MULTI, REGRESSION, SINGLE, score

PRAISE = ["great food and kind people", "lovely place, great service", "great great great", "kind and lovely"]
COMPLAINT = ["cold food and rude people", "awful place, rude service", "rude rude rude", "cold and awful"]


def emails(path: Path) -> tuple[list[str], np.ndarray]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row["subject"] + "\n" + row["body"] for row in rows], np.array(
        [int(row["label"] == "spam") for row in rows]
    )


def test_counting_words_on_emails_reaches_what_was_measured_before(shared_data: Path) -> None:
    train, train_labels = emails(shared_data / "email-spam" / "train.jsonl")
    test, truth = emails(shared_data / "email-spam" / "test.jsonl")
    found = word_counts(train, train_labels, test, problem=SINGLE, classes=2)
    assert score(SINGLE, "accuracy", truth, found.prediction) >= 0.965
    trivial = majority(train_labels, len(test), problem=SINGLE, classes=2)
    assert score(SINGLE, "accuracy", truth, trivial.prediction) == pytest.approx(0.72125)


def test_counting_words_on_news_reaches_what_was_measured_before(shared_data: Path) -> None:
    train, test = (pd.read_csv(shared_data / "news-topics" / f"{part}.csv") for part in ("train", "test"))
    names = sorted(train["topic"].unique())
    labels, truth = (frame["topic"].map(names.index).to_numpy() for frame in (train, test))
    found = word_counts(train["text"].tolist(), labels, test["text"].tolist(), problem=SINGLE, classes=5)
    assert score(SINGLE, "accuracy", truth, found.prediction) >= 0.98
    assert found.scores is not None
    assert found.scores.shape == (len(test), 5)
    assert found.scores.sum(axis=1) == pytest.approx(1)


def test_validation_rows_are_learned_from_too(shared_data: Path) -> None:
    texts, labels = emails(shared_data / "email-spam" / "train.jsonl")
    texts, labels = texts[:600], labels[:600]
    few = word_counts(texts[:100], labels[:100], texts[400:], problem=SINGLE, classes=2)
    more = word_counts(
        texts[:100], labels[:100], texts[400:], problem=SINGLE, classes=2, validation=(texts[100:400], labels[100:400])
    )
    truth = labels[400:]
    assert score(SINGLE, "accuracy", truth, more.prediction) > score(SINGLE, "accuracy", truth, few.prediction)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_handful_of_rows(class_weight: str | None) -> None:
    labels = np.array([1] * 4 + [0] * 4)
    found = word_counts(
        PRAISE + COMPLAINT, labels, ["a lovely place", "so rude"], problem=SINGLE, classes=2, class_weight=class_weight
    )
    assert found.prediction.tolist() == [1, 0]


def test_a_class_without_training_rows_is_never_predicted() -> None:
    labels = np.array([2] * 4 + [0] * 4)
    found = word_counts(PRAISE + COMPLAINT, labels, PRAISE, problem=SINGLE, classes=3)
    assert found.scores is not None
    assert found.scores[:, 1].tolist() == [0] * 4
    assert found.prediction.tolist() == [2] * 4


def test_one_class_alone_is_always_predicted() -> None:
    found = word_counts(PRAISE, np.zeros(4, dtype=int), COMPLAINT, problem=SINGLE, classes=2)
    assert found.prediction.tolist() == [0] * 4


def test_languages_without_spaces_are_read_in_characters() -> None:
    good, bad = ["很好的餐厅", "非常好吃", "好极了", "服务很好"], ["很差的餐厅", "非常难吃", "差极了", "服务很差"]
    found = word_counts(good + bad, np.array([1] * 4 + [0] * 4), ["味道很好", "态度很差"], problem=SINGLE, classes=2)
    assert found.prediction.tolist() == [1, 0]


def test_texts_of_symbols_only() -> None:
    found = word_counts(["👍", "👍👍", "👎", "👎👎", ""], np.array([1, 1, 0, 0, 0]), ["👍"], problem=SINGLE, classes=2)
    assert found.prediction.tolist() == [1]


def test_several_labels() -> None:
    texts = (PRAISE + COMPLAINT) * 5
    labels = np.array(
        [[1, int("food" in text), 0] for text in PRAISE] + [[0, int("food" in text), 0] for text in COMPLAINT]
    )
    labels = np.tile(labels, (5, 1))
    found = word_counts(texts, labels, ["great food", "rude place"], problem=MULTI, classes=3)
    assert found.prediction.tolist() == [[1, 1, 0], [0, 0, 0]]
    assert found.scores is not None and found.scores.shape == (2, 3)
    trivial = majority(np.array([[1, 0], [1, 0], [0, 1]]), 2, problem=MULTI, classes=2)
    assert trivial.prediction.tolist() == [[1, 0], [1, 0]]


def test_numbers() -> None:
    texts = [f"{'long ' * number}text" for number in range(1, 60)]
    values = np.arange(1, 60).astype(float)
    found = word_counts(texts[::2], values[::2], texts[1::2], problem=REGRESSION, classes=0)
    trivial = majority(values[::2], len(found.prediction), problem=REGRESSION, classes=0)
    assert found.scores is None
    assert score(REGRESSION, "mae", values[1::2], found.prediction) < score(
        REGRESSION, "mae", values[1::2], trivial.prediction
    )


def clusters(rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(classes, size=rows)
    return np.eye(classes, 8)[labels] + 0.2 * generator.normal(size=(rows, 8)), labels


def test_the_nearest_class_average() -> None:
    features, labels = clusters(200, 4)
    found = nearest_centroid(features[:150], labels[:150], features[150:], problem=SINGLE, classes=5)
    assert score(SINGLE, "accuracy", labels[150:], found.prediction, 5) > 0.9
    assert found.scores is not None
    assert found.scores[:, 4].max() == 0  # no training row: no probability
    assert found.scores.sum(axis=1) == pytest.approx(1)


def test_the_nearest_class_average_with_several_labels_and_with_numbers() -> None:
    features, labels = clusters(200, 4)
    marks = np.column_stack([labels < 2, labels % 2 == 0, np.zeros(200, dtype=bool)]).astype(int)
    found = nearest_centroid(features[:150], marks[:150], features[150:], problem=MULTI, classes=3)
    assert score(MULTI, "f1_micro", marks[150:], found.prediction) > 0.85
    assert found.prediction[:, 2].max() == 0
    number = nearest_centroid(features[:150], labels[:150] * 2.5, features[150:], problem=REGRESSION, classes=0)
    assert score(REGRESSION, "mae", labels[150:] * 2.5, number.prediction) < 0.5


@pytest.mark.parametrize(
    "texts", [PRAISE + COMPLAINT, ["很好", "好吃", "好极了", "很好的", "很差", "难吃", "差极了", "很差的"]]
)
def test_large_data_are_hashed_and_answered_alike(texts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.array([1] * 4 + [0] * 4)
    listed = word_counts(texts, labels, texts, problem=SINGLE, classes=2)
    monkeypatch.setattr(baselines, "LARGE", 10)
    hashed = word_counts(texts, labels, texts, problem=SINGLE, classes=2)
    assert hashed.scores == pytest.approx(listed.scores, abs=1e-3)


def test_twenty_five_thousand_rows_take_seconds() -> None:
    generator = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(5000)])
    labels = generator.integers(5, size=25_000)
    picks = generator.integers(4000, size=(25_000, 12))
    picks[:, 0] = 4000 + labels * 200 + generator.integers(200, size=25_000)
    texts = [" ".join(row) for row in words[picks]]
    start = time.monotonic()
    found = word_counts(texts[:24_000], labels[:24_000], texts[24_000:], problem=SINGLE, classes=5)
    assert time.monotonic() - start < 60
    assert score(SINGLE, "accuracy", labels[24_000:], found.prediction, 5) > 0.9


def test_names_for_people() -> None:
    assert name_of("word_counts", SINGLE) == "counting words"
    assert name_of("majority", SINGLE) == "always answering the most frequent class"
    assert name_of("nearest_centroid", SINGLE) == "the nearest class average"
    assert name_of("majority", REGRESSION) == "always answering the average"
    assert isinstance(Predictions(np.zeros(1)).scores, type(None))
