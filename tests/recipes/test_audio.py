"""Sound files of every kind become the same samples, once; what cannot be used is said by name."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recipes.parts import audio, sounds
from tests.recipes.tiny_speech import tones


@pytest.fixture
def sound() -> Any:
    """Half a second of two tones."""
    return tones(["high", "gone", "bad"], random.Random(0))


@pytest.mark.parametrize(("ending", "rate", "channels"), [("wav", 16_000, 1), ("wav", 8_000, 2), ("flac", 44_100, 2),
                                                          ("ogg", 48_000, 1), ("mp3", 44_100, 2)])  # fmt: skip
def test_every_format_gives_the_same_sound(sound: Any, ending: str, rate: int, channels: int, tmp_path: Path) -> None:
    """Mono at 16,000 samples a second, whatever lies in the file."""
    import soxr

    path = tmp_path / f"clip.{ending}"
    original = soxr.resample(sound, 16_000, rate)
    soundfile.write(path, np.repeat(original[:, None], channels, axis=1), rate)
    found = audio.load(path)
    assert found.dtype == np.float32 and abs(len(found) - len(sound)) < 0.05 * 16_000
    length = min(len(found), len(sound)) // 2

    def loudness(samples: Any, pitch: int) -> float:
        spectrum = np.abs(np.fft.rfft(samples[: 2 * length]))
        return float(spectrum[int(pitch * 2 * length / 16_000) - 20 : int(pitch * 2 * length / 16_000) + 20].max())

    for pitch in (300, 600, 1200):
        assert loudness(found, pitch) == pytest.approx(loudness(sound, pitch), rel=0.25)


def test_faults_are_said_by_name(sound: Any, tmp_path: Path) -> None:
    """A text, silence, nothing, and a file that is not there; the good one in between is read."""
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    soundfile.write(tmp_path / "good.wav", sound, 16_000)
    names = ["text.wav", "silent.wav", "good.wav", "empty.wav", "gone.wav"]
    clips = audio.read_clips([tmp_path / name for name in names])
    assert sorted(clips.faults) == [0, 1, 3, 4]
    assert "not a sound file" in clips.faults[0] and "silent" in clips.faults[1] and "not there" in clips.faults[4]
    assert np.abs(clips.samples(2) - sound).max() < 1e-3
    sentence = audio.say_faults({names[number]: why for number, why in clips.faults.items()}, 5, "talk.zip")
    assert sentence.startswith("4 of 5 recordings of talk.zip are left out: text.wav is not") and "1 more" in sentence


def test_the_second_reading_comes_from_the_disk(sound: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same content under other names is not decoded again; a damaged cache is."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / f"{folder}.wav", sound, 16_000)
    first = audio.read_clips([tmp_path / "one" / "one.wav"], cache=tmp_path / "cache")
    decode, times = audio.load, []
    monkeypatch.setattr(audio, "load", lambda *given: times.append(1) or decode(*given))
    second = audio.read_clips([tmp_path / "two" / "two.wav"], cache=tmp_path / "cache")
    assert not times and np.array_equal(first.flat, second.flat)
    next((tmp_path / "cache" / "sounds").glob("*/flat.npy")).write_bytes(b"torn")
    third = audio.read_clips([tmp_path / "two" / "two.wav"], cache=tmp_path / "cache")
    assert times and np.array_equal(first.flat, third.flat)


def test_long_recordings_are_cut_where_it_is_quiet(sound: Any) -> None:
    """Nothing is lost, no piece is too long, and the cut lies in the pause."""
    pause = np.zeros(3200, dtype=np.float32)
    long = np.concatenate([sound, pause, sound])
    pieces = audio.windows(long, len(sound) + 3000)
    assert np.array_equal(np.concatenate(pieces), long)
    assert len(pieces) == 2 and len(sound) <= len(pieces[0]) <= len(sound) + 3000


def test_the_loudest_stretch_is_heard(sound: Any) -> None:
    quiet = 0.01 * np.random.default_rng(0).normal(size=48_000).astype(np.float32)
    quiet[20_000 : 20_000 + len(sound)] += sound
    heard = sounds.loudest(quiet, 12_000)
    assert len(heard) == 12_000
    assert np.square(heard).sum() > 0.95 * np.square(quiet).sum()
