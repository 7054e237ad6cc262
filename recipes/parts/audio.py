"""Sound files to mono samples at one rate: read once, kept on disk, and what cannot be used is said by name.

clips = read_clips(paths, names, rate=16000, cache=run.cache, check_stop=run.check_stop)
clips.samples(3)      float32, shape (samples,), of the fourth file
clips.faults          {row: "is silent", …}

wav, flac, mp3, ogg and more by libsndfile; resampling by soxr.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts.errors import RecipeError

RATE = 16_000  # samples a second: what Whisper, wav2vec2 and their kin listen at
SHORTEST_SECONDS = 0.05
LONGEST_SECONDS = 1800.0  # of a file that is opened at all
QUIETEST = 1e-4  # largest sample of a recording that counts as silent (-80 dB)
NAMED = 3  # faulty files that a warning names
CACHE_BYTES = 4 << 30
_SCALE = 32767.0


class Unreadable(Exception):
    """A sound that cannot be used; its text goes after the file's name."""


@dataclass(frozen=True)
class Clips:
    """Recordings one after the other, 16 bits a sample.

    Attributes:
        flat: shape (all samples,), int16, usually mapped from disk.
        starts: shape (files + 1,): where each file begins; a faulty file is empty.
        faults: number of a file -> what is wrong with it, to be said after its name.
        content: SHA-256 of each file's bytes; "" where there is no file.
    """

    flat: NDArray[np.int16]
    starts: NDArray[np.int64]
    rate: int
    faults: dict[int, str] = field(default_factory=dict)
    content: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Length of each file, shape (files,)."""
        return np.diff(self.starts) / self.rate

    def samples(self, number: int) -> NDArray[np.float32]:
        """Samples of a file between -1 and 1, shape (samples,)."""
        piece = self.flat[self.starts[number] : self.starts[number + 1]]
        return np.asarray(piece, dtype=np.float32) / np.float32(_SCALE)


def load(source: Path | bytes, rate: int = RATE) -> NDArray[np.float32]:
    """One sound as mono samples.

    Args:
        source: a file, or its bytes.

    Returns:
        Float32 between -1 and 1, shape (samples,), at `rate`.

    Raises:
        Unreadable: it is no sound, silent, too short or too long.
    """
    import soundfile
    import soxr

    try:
        with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as file:
            seconds = file.frames / max(1, file.samplerate)
            if seconds > LONGEST_SECONDS:
                raise Unreadable(f"is {seconds / 60:,.0f} minutes long, and at most 30 are read")
            found, own_rate = file.read(dtype="float32", always_2d=True), file.samplerate
    except (OSError, RuntimeError, ValueError, TypeError) as error:  # libsndfile's errors are RuntimeErrors
        raise Unreadable("is not a sound file that can be read (wav, flac, mp3 or ogg)") from error
    mono = found.mean(axis=1)
    if len(mono) < SHORTEST_SECONDS * own_rate:
        raise Unreadable("holds hardly any sound: it is shorter than a twentieth of a second")
    if not np.isfinite(mono).all():
        raise Unreadable("holds samples that are not numbers")
    if float(np.abs(mono).max()) < QUIETEST:
        raise Unreadable("is silent")
    if own_rate != rate:
        mono = soxr.resample(mono, own_rate, rate)
    clipped: NDArray[np.float32] = np.clip(mono, -1.0, 1.0).astype(np.float32)
    return clipped


def read_clips(
    sources: Sequence[Path | None],
    *,
    rate: int = RATE,
    cache: Path | None = None,
    check_stop: Callable[[], None] = lambda: None,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Clips:
    """Read many files once; what was read is kept in `cache` under the content of the files.

    Args:
        sources: files; None where a row names none that may be read.
        tell: told how many of how many files are done.
    """
    content = [_sha256(path) for path in sources]
    key = hashlib.sha256(json.dumps([rate, content]).encode()).hexdigest()[:32]
    folder = cache / "sounds" / key if cache is not None else None
    if folder is not None and (kept := _kept(folder, rate, content)) is not None:
        return kept
    pieces: list[NDArray[np.int16]] = []
    faults: dict[int, str] = {}
    for number, path in enumerate(sources):
        check_stop()
        try:
            if path is None or not content[number]:
                raise Unreadable("is not there")
            pieces.append(np.round(load(path, rate) * _SCALE).astype(np.int16))
        except Unreadable as error:
            faults[number] = str(error)
            pieces.append(np.empty(0, dtype=np.int16))
        tell(number + 1, len(sources))
    starts = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
    clips = Clips(np.concatenate(pieces) if pieces else np.empty(0, np.int16), starts, rate, faults, content)
    if folder is not None:
        _keep(folder, clips)
    return clips


def _sha256(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _kept(folder: Path, rate: int, content: list[str]) -> Clips | None:
    """What an earlier run read, or None where it is not whole."""
    try:
        faults = json.loads((folder / "faults.json").read_text(encoding="utf-8"))
        starts = np.load(folder / "starts.npy", allow_pickle=False)
        flat = np.load(folder / "flat.npy", mmap_mode="r", allow_pickle=False)
        if len(starts) != len(content) + 1 or len(flat) != int(starts[-1]):
            return None
        return Clips(flat, starts, rate, {int(number): text for number, text in faults.items()}, content)
    except (OSError, ValueError, EOFError):
        return None


def _keep(folder: Path, clips: Clips) -> None:
    """Keep what was read; a full disk costs only the next run's time."""
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        np.save(partial / "flat.npy", clips.flat, allow_pickle=False)
        np.save(partial / "starts.npy", clips.starts, allow_pickle=False)
        (partial / "faults.json").write_text(json.dumps(clips.faults), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        _prune(folder.parent)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)


def _prune(folder: Path) -> None:
    """The oldest go when there is more than the cache may hold."""
    entries = sorted((entry for entry in folder.iterdir() if entry.is_dir()), key=lambda entry: -entry.stat().st_mtime)
    total = 0
    for number, entry in enumerate(entries):
        total += sum(path.stat().st_size for path in entry.iterdir())
        if number and total > CACHE_BYTES:
            shutil.rmtree(entry, ignore_errors=True)


def name_of(value: Any) -> str:
    """A recording as people know it: the last part of its path."""
    if isinstance(value, dict):
        value = value.get("path") or ""
    return str(value or "").replace("\\", "/").rpartition("/")[2][:80] or "(no name)"


def say_faults(faults: dict[str, str], rows: int, file_name: str) -> str:
    """A sentence that names recordings which are left out.

    Args:
        faults: name -> what is wrong with it.
    """
    shown = [f"{name} {why}" for name, why in list(faults.items())[:NAMED]]
    more = f"; and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
    are = "is" if len(faults) == 1 else "are"
    return f"{len(faults):,} of {rows:,} recordings of {file_name} {are} left out: {'; '.join(shown)}{more}."


def no_usable_sound(rows: int, file_name: str, faults: dict[str, str]) -> RecipeError:
    """What a person reads when nothing is left."""
    first = next((f"; the first, {name}, {why}" for name, why in faults.items()), "")
    return RecipeError(
        "no-usable-rows",
        f"None of the {rows:,} recordings of {file_name} can be used{first}.",
        "Each row needs a sound file (wav, flac, mp3 or ogg) and what belongs to it.",
        "Check that the right columns were chosen, and that the recordings play on this computer.",
    )


def windows(samples: NDArray[np.float32], longest: int, rate: int = RATE) -> list[NDArray[np.float32]]:
    """A long recording in pieces of at most `longest` samples, cut where it is quietest near the end of each."""
    pieces = []
    frame, search = rate // 50, max(rate // 50, longest // 5)
    while len(samples) > longest:
        tail = samples[longest - search : longest]
        loudness = np.square(tail[: len(tail) // frame * frame].reshape(-1, frame)).mean(axis=1)
        cut = longest - search + int(loudness.argmin()) * frame + frame // 2
        pieces.append(samples[:cut])
        samples = samples[cut:]
    return [*pieces, samples]
