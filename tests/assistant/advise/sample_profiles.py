"""Profiles of made-up data, as `assistant.data` would describe them, for the adviser's tests."""

from __future__ import annotations

from typing import Any

from assistant.advise.hardware import Gpu, Hardware
from assistant.data.guesses import TaskGuess
from assistant.data.profile import ColumnProfile, Profile

LAPTOP = Hardware(cores=2, memory_bytes=int(24e9), free_disk_bytes=int(60e9))
WORKSTATION = Hardware(
    cores=16,
    memory_bytes=int(128e9),
    free_disk_bytes=int(500e9),
    gpus=(Gpu(name="NVIDIA H100", memory_bytes=int(80e9)),),
)
PROSE = "The quick brown fox jumps over the lazy dog and then it sleeps in the sun"


def texts(
    counts: dict[str, int] | None = None,
    *,
    rows: int | None = None,
    characters: float = 250.0,
    longest: int = 1000,
    problem: str = "single_label_classification",
    language: str | None = "en",
    missing: int = 0,
) -> tuple[Profile, TaskGuess]:
    """A file with a column of texts and one of labels, and the guess that fits it.

    Args:
        counts: rows of each class; for regression leave it out and give `rows`.
        characters, longest: mean length and 99th percentile.
    """
    counts = counts or {}
    total = rows if rows is not None else sum(counts.values())
    kind: Any = {"regression": "number", "multi_label_classification": "list"}.get(problem, "category")
    text = ColumnProfile(
        name="message", kind="text", unique=total, examples=[PROSE], mean_length=characters, p99_length=longest,
        language=language, missing=missing,
    )  # fmt: skip
    label = ColumnProfile(
        name="topic", kind=kind, unique=len(counts) or max(21, total // 2),
        label_counts=dict(sorted(counts.items(), key=lambda pair: -pair[1])[:50]),
        separator=";" if kind == "list" else None,
    )  # fmt: skip
    profile = Profile(
        name="data.csv", format="csv", rows=total + missing, columns=[text, label],
        sample=[{"message": PROSE, "topic": "a"}], languages=[language] if language else [],
    )  # fmt: skip
    guess = TaskGuess(
        task="text-classification", problem=problem, columns={"text": "message", "label": "topic"}, score=0.9,
        evidence=["message holds the texts.", "topic holds what to learn."],
        label_separator=";" if kind == "list" else None,
    )  # fmt: skip
    return profile, guess


def even(rows: int, classes: int = 2, **details: Any) -> tuple[Profile, TaskGuess]:
    """As `texts`, with equally large classes."""
    return texts({f"class {number}": rows // classes for number in range(classes)}, **details)
