"""Sentences with entities that a tiny model can learn: a word of a kind, or two, are one entity."""

from __future__ import annotations

import random
from typing import Any


def make_sentences(count: int, kinds: dict[str, list[str]], others: list[str], seed: int = 0) -> list[dict[str, Any]]:
    """Rows of tokens and tags in BIO; two entities never touch."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        words, tags = [], []
        for _ in range(chance.randint(1, 3)):
            kind = chance.choice(sorted(kinds))
            filler = [chance.choice(others) for _ in range(chance.randint(1, 3))]
            first, *more = kinds[kind]  # a word says whether it begins an entity: tiny models learn no more
            entity = [first, *(chance.choice(more) for _ in range(chance.randint(0, 1)) if more)]
            words += filler + entity
            tags += ["O"] * len(filler) + [f"B-{kind}"] + [f"I-{kind}"] * (len(entity) - 1)
        rows.append({"tokens": words, "tags": tags})
    return rows


def as_marked_texts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same sentences as texts with the places of their entities."""
    found = []
    for row in rows:
        text, entities, at = " ".join(row["tokens"]), [], 0
        for word, tag in zip(row["tokens"], row["tags"], strict=True):
            if tag.startswith("B-"):
                entities.append({"start": at, "end": at + len(word), "label": tag[2:]})
            elif tag.startswith("I-"):
                entities[-1]["end"] = at + len(word)
            at += len(word) + 1
        found.append({"text": text, "entities": entities})
    return found
