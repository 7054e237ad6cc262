"""The small pictures of a run's report as data: addresses, so that a page needs nothing but itself."""

from __future__ import annotations

import base64
from pathlib import Path

from recipes.events import Result

MAX_BYTES = 100_000  # of one picture; a run writes some 5,000
FOLDER = "report"
_JPEG = b"\xff\xd8\xff"


def pictures_of(folder: Path, result: Result, most: int = 200) -> dict[str, str]:
    """Path, as in the result -> a data: address; what is not a small JPEG file in the run's folder `report` is left out.

    Args:
        folder: the run's folder. most: how many pictures are read.
    """
    named = [mistake.picture for mistake in result.mistakes or [] if mistake.picture]
    named += list((result.examples or {}).values())
    found: dict[str, str] = {}
    inside = (folder / FOLDER).resolve()
    for name in dict.fromkeys(named[:most]):
        path = (folder / name).resolve()
        if not path.is_relative_to(inside) or not path.is_file() or path.stat().st_size > MAX_BYTES:
            continue
        data = path.read_bytes()
        if data.startswith(_JPEG):
            found[name] = "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
    return found
