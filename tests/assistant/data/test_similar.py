"""Near copies are found among many texts, and only they."""

from __future__ import annotations

import random

import pytest

from assistant.data import similar
from assistant.data.similar import near_copies

WORDS = [f"w{number}" for number in range(3_000)]


def text(seed: int, length: int = 60) -> list[str]:
    return random.Random(seed).choices(WORDS, k=length)


def test_pairs_above_the_limit_are_found_and_others_not() -> None:
    texts = [" ".join(text(seed)) for seed in range(400)]
    for seed in range(100):
        words = text(seed)
        words[seed % 60] = "other"  # one word of 60: Jaccard of 5-grams about 51 / 61
        texts.append(" ".join(words))
    for seed in range(100, 200):
        words = text(seed)
        for position in range(0, 60, 6):
            words[position] = f"other{position}"
        texts.append(" ".join(words))
    found = near_copies(texts)
    assert all(later == earlier + 400 and earlier < 100 for later, earlier in found)
    assert len(found) >= 97


def test_case_and_punctuation_do_not_matter_and_short_texts_are_left_alone() -> None:
    words = " ".join(text(1, 20))
    assert near_copies([words, words.upper().replace(" ", ", "), "very good", "very good!"]) == [(1, 0)]
    assert near_copies([]) == near_copies(["one"]) == near_copies(["", "", " "]) == []


def test_texts_that_only_begin_alike_are_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many texts only their beginnings are hashed; pairs are still compared to the end."""
    monkeypatch.setattr(similar, "_WORD_BUDGET", 100)
    shared = " ".join(text(7, 60))
    first, second = (shared + " " + " ".join(text(seed, 200)) for seed in (8, 9))
    assert near_copies([first, second]) == []
    assert near_copies([first, first + " more"]) == [(1, 0)]
