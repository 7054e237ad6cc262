"""What speech costs: the measured speeds and memory, the length of the recordings, and the choice of adapters."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from sample_profiles import LAPTOP

from assistant.advise import catalog, estimate, facts, sounds
from assistant.advise.advisor import advise
from assistant.data.guesses import TaskGuess
from assistant.data.profile import ColumnProfile, Profile
from recipes.plan import Plan

TINY = "openai/whisper-tiny.en"
COLUMNS: dict[str, Any] = {"audio": "sound", "transcript": "text"}


def recordings(rows: int = 320, seconds: float = 0.0, characters: float = 50.0) -> Profile:
    text = ColumnProfile(name="text", kind="text", unique=rows, mean_length=characters, p99_length=120, language="en")
    sound = ColumnProfile(name="sound", kind="text", unique=rows, mean_length=12, p99_length=12)
    return Profile(
        name="a.zip", format="zip-audio", rows=rows, columns=[sound, text], languages=["en"], clip_seconds=seconds
    )


def speech(method: str = "lora", seconds: float = 3.1, **changes: Any) -> estimate.Estimate:
    plan = Plan().changed(
        {"task": "automatic-speech-recognition", "base_model": TINY, "method.name": method, "method.rank": 32,
         "training.epochs": 4, "training.batch_size": 8, "data.columns.transcript": "text", **changes}
    )  # fmt: skip
    return estimate.estimate(plan, recordings(seconds=seconds), LAPTOP, 64)


def test_training_takes_the_measured_time() -> None:
    """Adapters of Whisper tiny, 4 passes over 288 recordings: 370 seconds of one core, without the looks between."""
    assert speech().terms["seconds/training"] == pytest.approx(370 / 2, rel=0.25)


def test_longer_recordings_take_longer_until_the_window_is_full() -> None:
    short, long, full = (speech(seconds=seconds).terms["seconds/training"] for seconds in (2.0, 10.0, 30.0))
    assert 2 * short < long < 0.5 * full
    profile = recordings(characters=150.0)
    assert facts.read(profile, COLUMNS, None, None).clip_seconds == pytest.approx(10)
    assert facts.read(recordings(seconds=4.0), COLUMNS, None, None).clip_seconds == 4


def test_the_memory_is_what_autograd_counted() -> None:
    """One recording of Whisper tiny, 1,500 positions of 128,296 bytes each."""
    tiny = catalog.lookup(TINY)
    assert sounds.kept_bytes(tiny, 0.0, 1) == pytest.approx(1500 * 128_296, rel=0.05)
    assert speech("full").peak_bytes > speech("lora").peak_bytes + 16 * 30e6


def test_a_classifier_hears_only_as_much_as_the_recordings_last() -> None:
    plan = Plan().changed({"task": "audio-classification", "base_model": TINY, "method.name": "head"})
    data = facts.read(recordings(rows=400, seconds=0.6), COLUMNS, None, None)
    tiny = catalog.lookup(TINY)
    short = estimate.of(plan, tiny, data, LAPTOP)
    long = estimate.of(plan, tiny, dataclasses.replace(data, clip_seconds=10.0), LAPTOP)
    assert 5 * short.terms["seconds/features"] < long.terms["seconds/features"]


@pytest.mark.parametrize(
    ("rows", "language", "method"), [(320, "en", "lora"), (20_000, "en", "full"), (320, "ps", "full")]
)
def test_few_recordings_of_a_known_language_train_adapters(rows: int, language: str, method: str) -> None:
    seen = recordings(rows=rows, seconds=3.0)
    columns = [column.model_copy(update={"language": language}) for column in seen.columns]
    seen = seen.model_copy(update={"columns": columns, "languages": [language]})
    guess = TaskGuess(task="automatic-speech-recognition", columns=COLUMNS, score=0.9, evidence=["x."])
    plan = advise(seen, {"base_model": TINY}, LAPTOP, guess=guess).plan
    assert plan.method.name == method
    assert plan.training.augmentation is False and plan.reasons["training.augmentation"]
    assert plan.training.learning_rate == (1e-3 if method == "lora" else 3e-5)
    assert (plan.training.batch_size == 8) == (rows < 1000)
