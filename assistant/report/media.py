"""The small pictures and recordings of a run's report as data: addresses, so that a page needs nothing but itself."""

from __future__ import annotations

import base64
from pathlib import Path

from recipes.events import Result

MAX_BYTES = 100_000  # of one picture; a run writes some 5,000
FOLDER = "report"
_JPEG = b"\xff\xd8\xff"
MAX_SOUND_BYTES = 500_000  # of one recording: some fifteen seconds of wav
MAX_SOUNDS_BYTES = 2_000_000  # of all of them: they travel with the page
ROWS = "data"  # the folder of a run that its recordings lie in
#: First bytes of a sound file -> what a browser calls it.
_SOUNDS = {b"RIFF": "wav", b"fLaC": "flac", b"OggS": "ogg", b"ID3": "mpeg", b"\xff\xfb": "mpeg", b"\xff\xf3": "mpeg"}


def pictures_of(folder: Path, result: Result, most: int = 200) -> dict[str, str]:
    """Path, as in the result -> a data: address, recordings among them (`sounds_of`).

    What is not a small JPEG file in the run's folder `report` is left out.

    Args:
        folder: the run's folder. most: how many pictures are read.
    """
    named = [mistake.picture for mistake in result.mistakes or [] if mistake.picture]
    named += list((result.examples or {}).values())
    found = sounds_of(folder, result)
    inside = (folder / FOLDER).resolve()
    for name in dict.fromkeys(named[:most]):
        path = (folder / name).resolve()
        if not path.is_relative_to(inside) or not path.is_file() or path.stat().st_size > MAX_BYTES:
            continue
        data = path.read_bytes()
        if data.startswith(_JPEG):
            found[name] = "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
    return found


def sounds_of(folder: Path, result: Result) -> dict[str, str]:
    """Path, as in the result -> a data: address; what is no small sound file in the run's folder `data` is left out.

    Args:
        folder: the run's folder.
    """
    named = [one.audio for one in result.heard or []]
    named += [mistake.audio for mistake in (result.mistakes or [])[:16] if mistake.audio]
    found: dict[str, str] = {}
    inside, total = (folder / ROWS).resolve(), 0
    for name in dict.fromkeys(named):
        path = (folder / name).resolve()
        if not path.is_relative_to(inside) or not path.is_file() or path.stat().st_size > MAX_SOUND_BYTES:
            continue
        data = path.read_bytes()
        kind = sound_kind(data)
        if kind and total + len(data) <= MAX_SOUNDS_BYTES:
            total += len(data)
            found[name] = f"data:audio/{kind};base64," + base64.b64encode(data).decode("ascii")
    return found


def sound_kind(data: bytes) -> str:
    """What a browser calls a sound file, by its first bytes: "wav", "ogg", …; "" for anything else."""
    return next((kind for start, kind in _SOUNDS.items() if data.startswith(start)), "")
