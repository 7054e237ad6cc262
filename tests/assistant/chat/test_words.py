"""Tidying, spelling and negation."""

from __future__ import annotations

import pytest

from assistant.chat import lexicon
from assistant.chat.words import negated, repair, tidy


def test_tidy_makes_one_spelling() -> None:
    assert tidy("DON’T  start\u202e “yet” 😀 \x00") == 'do not start "yet"'
    assert tidy("x" * 500) == ""
    assert len(tidy("word " * 10_000)) <= 4000


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("custmer messages", "customer messages"),
        ("sentimet of reviws", "sentiment of reviews"),
        ("tranlate this", "translate this"),
        ("lerning rate", "learning rate"),
        ("epoches", "epochs"),
        ("departement", "department"),
    ],
)
def test_repair(wrong: str, right: str) -> None:
    assert repair(wrong, lexicon.VOCABULARY) == right


@pytest.mark.parametrize(
    "text", ["stars", "flight to lisbon", "a model window", "trainings", "some-user/odd-modle", "modell.csv"]
)
def test_right_words_and_names_are_left_alone(text: str) -> None:
    assert repair(text, lexicon.VOCABULARY) == text


@pytest.mark.parametrize(
    ("text", "word", "wanted"),
    [
        ("do not use lora", "lora", False),
        ("not whisper, wav2vec", "wav2vec", True),
        ("not whisper, wav2vec", "whisper", False),
        ("roberta instead of bert", "bert", False),
        ("roberta instead of bert", "roberta", True),
        ("anything but resnet", "resnet", False),
        ("without a gpu", "gpu", False),
        ("department and not the priority", "priority", False),
        ("not only the head", "head", True),
        ("do not change the epochs, only the rate", "rate", True),
        ("lora is not what i want", "lora", False),
    ],
)
def test_negated(text: str, word: str, wanted: bool) -> None:
    start = text.rindex(word)
    assert negated(text, start, start + len(word)) is not wanted
