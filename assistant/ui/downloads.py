"""What a page may download of a run: its report, and its model as a zip that is made while it is sent.

    GET /download/<run>/model.zip?chat=<conversation>
        likewise export-<format>.zip, report.html, report-with-mistakes.html, report.md
    GET /sound/<upload>/<row>?chat=<conversation>          one of the first recordings of an uploaded zip

Nothing is copied into a public folder: each request asks the session whether this conversation may see the run.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from assistant.errors import PlainError
from assistant.report import card, media
from recipes.events import Result
from recipes.plan import Plan

if TYPE_CHECKING:
    from assistant.session import Session

#: More than this is fetched from the folder itself, or by the command `export`.
MAX_ZIP_BYTES = 8_000_000_000
MAX_ZIP_FILES = 500
CHUNK_BYTES = 1 << 20
#: Of a recording that the page plays: some five minutes of wav.
MAX_SOUND_BYTES = 10_000_000
_EXPORT = re.compile(r"export-([a-z0-9_]{1,20})\.zip")


def routes(session: Session) -> list[Route]:
    """The routes to add to the page's server."""

    def download(request: Request) -> Response:
        run, name = request.path_params["run"], request.path_params["name"]
        try:
            return _answer(session, run, name, request.query_params.get("chat"))
        except PlainError as error:
            return PlainTextResponse(error.text(), status_code=404)

    def sound(request: Request) -> Response:
        try:
            data = recording(session, request.path_params["upload"], request.path_params["row"],
                             request.query_params.get("chat") or "")  # fmt: skip
        except PlainError as error:
            return PlainTextResponse(error.text(), status_code=404)
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=3600"}
        return Response(data, media_type=f"audio/{media.sound_kind(data)}", headers=headers)

    return [
        Route("/download/{run}/{name}", download, methods=["GET"]),
        Route("/sound/{upload}/{row:int}", sound, methods=["GET"]),
    ]


def recording(session: Session, upload: str, row: int, conversation: str) -> bytes:
    """One of the first recordings of a zip that was added to a conversation; its name comes from what was read then.

    Raises:
        PlainError: there is none, it is too large to be played here, or it is no sound.
    """
    card = next((card for card in session.state(conversation).files if card.id == upload), None)
    sample = (card.profile.get("sample") or []) if card is not None else []
    name = str(sample[row].get("audio") or "") if row < len(sample) else ""
    path = session.home.upload_path(upload)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            data = file.read(MAX_SOUND_BYTES + 1)
    except (OSError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        data = b""
    if not media.sound_kind(data) or len(data) > MAX_SOUND_BYTES:
        raise PlainError(
            "file-gone", "This recording cannot be played here.", "It must be a wav, flac, mp3 or ogg file."
        )
    return data


def links(run: str, conversation: str) -> dict[str, str]:
    """Name of a button -> address, for a finished run."""
    names = {"Model (zip)": "model.zip", "Report (HTML)": "report.html", "Report (Markdown)": "report.md"}
    return {title: f"download/{run}/{name}?chat={conversation}" for title, name in names.items()}


def _answer(session: Session, run: str, name: str, conversation: str | None) -> Response:
    shown = session.show(run, conversation)
    folder = session.home.run_dir(shown["id"])
    if name == "model.zip":
        return _zip(folder / "model", f"{shown['id']}-model.zip")
    if exported := _EXPORT.fullmatch(name):
        return _zip(folder / "exports" / exported[1], f"{shown['id']}-{exported[1]}.zip")
    if shown["result"] is None:
        raise PlainError("run-not-finished", "This run has no report to download.", "It must be finished.")
    result, plan = Result.model_validate(shown["result"]), Plan.model_validate(shown["plan"])
    if name in ("report.html", "report-with-mistakes.html"):
        with_rows = name == "report-with-mistakes.html"
        title, pictures = f"Report of run {shown['id']}", media.pictures_of(folder, result) if with_rows else {}
        page = card.report_page(result, plan, title=title, with_rows=with_rows, pictures=pictures)
        return HTMLResponse(page, headers=_attached(f"{shown['id']}-{name}"))
    if name == "report.md":
        text = card.report_markdown(result, plan)
        return PlainTextResponse(text, media_type="text/markdown", headers=_attached(f"{shown['id']}-report.md"))
    return PlainTextResponse("There is nothing of that name to download.", status_code=404)


def _zip(folder: Path, name: str) -> Response:
    files = model_files(folder)
    return StreamingResponse(stream_zip(files), media_type="application/zip", headers=_attached(name))


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}


def model_files(folder: Path) -> list[tuple[str, Path]]:
    """Names and paths of a model's files; links are left out, since they could lead outside.

    Raises:
        PlainError: there is no model, or it is too large for one download.
    """
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    real = folder.resolve()
    files = [(path.relative_to(folder).as_posix(), path) for path in found if path.resolve().is_relative_to(real)]
    total = sum(path.stat().st_size for _, path in files)
    if not files:
        raise PlainError("model-missing", "There are no model files of this run.", "They lie in the run's folder.")
    if total > MAX_ZIP_BYTES or len(files) > MAX_ZIP_FILES:
        raise PlainError(
            "model-too-large",
            f"The model has {len(files)} files with {total / 1e9:.1f} GB, too much for one download.",
            fix=f"Take the files from {folder}.",
        )
    return files


class _Pipe(io.RawIOBase):
    """Takes what the zip writer writes, and gives it away in pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        return len(piece)

    def drain(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def stream_zip(files: list[tuple[str, Path]]) -> Iterator[bytes]:
    """A zip of the files, stored as they are (weights do not shrink), in pieces of about a megabyte."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    yield pipe.drain()
            yield pipe.drain()
    yield pipe.drain()
