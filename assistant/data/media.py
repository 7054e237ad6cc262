"""Pictures and recordings inside a zip or a Parquet file, measured: size, colours, length, loudness, damage.

`contents(table)` gives their bytes, `look(table)` what is known of each; nothing is unpacked to disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import math
import time
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from assistant.data.archive import read_member
from assistant.data.table import Table
from assistant.errors import PlainError

#: Seconds of this process's work that looking into pictures and recordings may take; the rest is only counted.
BUDGET_SECONDS = 8.0
#: One picture or recording may have so many bytes.
MAX_MEDIUM_BYTES = 100 * 1024**2
#: Samples of a recording that are read to see whether it is silent: five minutes at 48 kHz.
_MOST_FRAMES = 15_000_000
_MEASURED = 64  # recordings whose lengths tell how long they are on average


@dataclass(frozen=True)
class Medium:
    """One picture or recording.

    Attributes:
        digest: the same for files with the same content.
        fault: why it cannot be used; empty when it can, or when it was not looked into.
        seen: whether it was looked into.
        width, height: pixels; mode: Pillow's name of the colours; frames: more than one: it moves.
        seconds: length; rate: samples a second; peak: the loudest sample, 0 to 1.
    """

    digest: str
    fault: str = ""
    seen: bool = False
    width: int = 0
    height: int = 0
    mode: str = ""
    frames: int = 1
    seconds: float = 0.0
    rate: int = 0
    peak: float = 0.0


def role_of(table: Table) -> str | None:
    """ "image" or "audio" when the rows name media inside the file, else None."""
    if table.content is None:
        return None
    return "image" if table.format.endswith("images") else "audio"


def look(table: Table, budget: float = BUDGET_SECONDS) -> list[Medium | None]:
    """What is known of each row's picture or recording, shape (rows,); None where a row has none.

    After `budget` seconds of work the others are only told apart by their digest.
    """
    role, started = role_of(table), time.process_time()
    found: list[Medium | None] = []
    for data in contents(table):
        if data is None:
            found.append(None)
            continue
        digest = hashlib.blake2b(data, digest_size=12).hexdigest()
        if time.process_time() - started > budget:
            found.append(Medium(digest))
        elif not data:
            found.append(Medium(digest, "it is empty", seen=True))
        else:
            found.append(_picture(data, digest) if role == "image" else _recording(data, digest))
    return found


def contents(table: Table) -> Iterator[bytes | None]:
    """The bytes of each row's medium, in order; None where a row has none. Empty where it cannot be read."""
    role = role_of(table)
    names = table.frame[role].tolist() if role in table.columns else []
    if table.content is None:
        return
    if table.format.startswith("parquet"):
        yield from _from_parquet(table.content, names)
        return
    with zipfile.ZipFile(io.BytesIO(table.content)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        for name in names:
            member = members.get(name) if isinstance(name, str) else None
            try:
                yield read_member(archive, member, table.name, MAX_MEDIUM_BYTES) if member else None
            except PlainError:
                yield b""


def _from_parquet(data: bytes, names: list[object]) -> Iterator[bytes | None]:
    """Media lie in the Parquet file itself; their names say in which row: "image/000012.png" is row 12."""
    from assistant.data.sheets import media_cells  # noqa: PLC0415  only Parquet needs it

    cells = media_cells(data)
    for name in names:
        yield cells[int(str(name).rpartition("/")[2].partition(".")[0]) - 1] if name else None


def _picture(data: bytes, digest: str) -> Medium:
    from PIL import Image  # noqa: PLC0415  only pictures need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata
        try:
            with Image.open(io.BytesIO(data)) as picture:
                frames = int(getattr(picture, "n_frames", 1))
                width, height, mode = picture.width, picture.height, picture.mode
                if width * height > Image.MAX_IMAGE_PIXELS:  # type: ignore[operator]
                    return Medium(digest, f"it has {width:,} x {height:,} pixels", True, width, height, mode)
                picture.load()
        except Image.DecompressionBombError:
            return Medium(digest, f"it has more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels", seen=True)  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001 - whatever a damaged picture does to the reader
            return Medium(digest, _reason(error), seen=True)
    return Medium(digest, "", True, width, height, mode, frames)


def _recording(data: bytes, digest: str) -> Medium:
    import soundfile  # noqa: PLC0415  only recordings need it

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            rate, frames = int(sound.samplerate), len(sound)
            samples = sound.read(min(frames, _MOST_FRAMES), dtype="float32")
    except Exception as error:  # noqa: BLE001 - whatever a damaged recording does to the reader
        if b"ftyp" in data[4:12] or data[:4] in (b"\xff\xf1", b"\xff\xf9", b"\x30\x26\xb2\x75"):
            return Medium(digest)  # m4a, aac, wma: another reader's
        return Medium(digest, _reason(error), seen=True)
    peak = float(np.abs(samples).max()) if samples.size else 0.0
    fault = "" if samples.size else "it has no sound in it"
    if not math.isfinite(peak):
        fault, peak = "its samples are no numbers", 0.0
    return Medium(digest, fault, True, seconds=frames / max(1, rate), rate=rate, peak=peak)


def mean_seconds(table: Table) -> float:
    """Mean length of the first recordings, by their headers; 0 where the rows are no recordings."""
    import soundfile  # noqa: PLC0415  only recordings need it

    if role_of(table) != "audio":
        return 0.0
    found = []
    for data in itertools.islice(contents(table), _MEASURED):
        with contextlib.suppress(Exception):  # whatever a damaged recording does to the reader
            found.append(float(soundfile.info(io.BytesIO(data or b"")).duration))
    return sum(found) / max(1, len(found))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "BytesIO" in text or not text:
        return "it is damaged, or no such file at all"
    return text[:100]
