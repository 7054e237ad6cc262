"""Pairs, triplets and scored pairs that a tiny encoder can learn: two texts belong together when they name one kind."""

from __future__ import annotations

import random
from typing import Any


def make_scored(count: int, kinds: dict[str, list[str]], others: list[str], seed: int = 0) -> list[dict[str, Any]]:
    """Two texts and a score: 5 where both name the same kind, else 0, and a little noise."""
    chance = random.Random(seed)

    def text(kind: str) -> str:
        words = [chance.choice(others) for _ in range(3)] + [chance.choice(kinds[kind]) for _ in range(3)]
        return " ".join(chance.sample(words, len(words)))

    rows = []
    for number in range(count):
        one = chance.choice(sorted(kinds))
        two = one if number % 2 else chance.choice(sorted(set(kinds) - {one}))
        score = (5.0 if one == two else 0.0) + chance.random() * 0.1
        rows.append({"sentence1": text(one), "sentence2": text(two), "score": score})
    return rows


def make_pairs(
    count: int, kinds: dict[str, list[str]], others: list[str], seed: int = 0, *, triplets: bool = False
) -> list[dict[str, Any]]:
    """A text and its partner: both hold the same two rare words, beside noise of which words of one kind are the most.

    Args:
        triplets: with a wrong text, which holds other words.
    """
    chance = random.Random(seed)
    noise = [word for kind in kinds.values() for word in kind]

    def text(key: list[str]) -> str:
        words = key + [chance.choice(noise) for _ in range(4)]
        return " ".join(chance.sample(words, len(words)))

    rows = []
    for _ in range(count):
        key, other = chance.sample(others, 2), chance.sample(others, 2)
        row = {"anchor": text(key), "positive": text(key)}
        rows.append(row | ({"negative": text(other)} if triplets else {}))
    return rows
