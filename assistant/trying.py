"""Try a model on a picture or a recording that a person adds to the conversation.

row = run_for(session, conversation, "cat.png", path)      the run whose model takes such a file
ask(session, row, "cat.png", path)                         its answer, with a small copy of a picture to show
"""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant import effects
from assistant.jobs import rundir
from assistant.jobs.store import QueueRow
from recipes.plan import Plan

if TYPE_CHECKING:
    from assistant.effects import Shell

#: Tasks whose model answers to a file, and the role of that file.
ROLES = {"image-classification": "image", "audio-classification": "audio", "automatic-speech-recognition": "audio"}
PREVIEW_SIDE = 160
MAX_PIXELS = 50_000_000
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_SOUNDS = (b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf3")


def kind_of(path: Path) -> str | None:
    """ "image", "audio", or None for any other file, by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return None
    if head.startswith(b"RIFF"):
        return {b"WEBP": "image", b"WAVE": "audio"}.get(head[8:12])
    if head.startswith(_PICTURES):
        return "image"
    return "audio" if head.startswith(_SOUNDS) or head[4:8] == b"ftyp" else None


def run_for(session: Shell, conversation: str, path: Path) -> QueueRow | None:
    """The conversation's run (the current one first, then the newest) that has a model for such a file."""
    kind = kind_of(path)
    if kind is None:
        return None
    state = session.state(conversation)
    rows = list(reversed(session.store.runs(conversation)))
    rows.sort(key=lambda row: row.run != state.current_run)
    for row in rows:
        ended = session.status(row) not in ("queued", "running")
        if ROLES.get(row.task) == kind and ended and (session.home.run_dir(row.run) / "model").is_dir():
            return row
    return None


def ask(session: Shell, row: QueueRow, name: str, path: Path) -> dict[str, Any]:
    """The model's answer to a file, for the card.

    Raises:
        PlainError: the file cannot be read, or the model cannot answer.
    """
    folder = session.home.run_dir(row.run)
    plan = Plan.model_validate(rundir.read_json(folder / "plan.json"))
    role = ROLES[str(plan.task)]
    column = (plan.column(role) or [role])[0]
    question = {"inputs": {column: str(path.resolve())}, "explain": role == "image"}
    answer = effects.predict(session, row, [question])[0]
    return {**answer, "input": name, **({"picture": preview(path)} if role == "image" else {})}


def inputs_of(session: Shell, row: QueueRow, spoken: list[str]) -> list[Any]:
    """What the command's words mean to a run's model: texts as they are, or the files of these names."""
    if row.task not in ROLES:
        return list(spoken)
    role = ROLES[row.task]
    plan = Plan.model_validate(rundir.read_json(session.home.run_dir(row.run) / "plan.json"))
    column = (plan.column(role) or [role])[0]
    return [{column: str(Path(name).expanduser().resolve())} for name in spoken]


def preview(path: Path) -> str:
    """A small copy of a picture as a data: address; "" where it cannot be read."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return ""
            picture.draft("RGB", (2 * PREVIEW_SIDE, 2 * PREVIEW_SIDE))
            small = (ImageOps.exif_transpose(picture) or picture).convert("RGB")
            small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    except Exception:  # noqa: BLE001 - Pillow's readers raise almost anything on damaged files
        return ""
    file = io.BytesIO()
    small.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
