"""The home folder: where the state lives, who may read it, and which names may become paths.

    <home>/assistant.db  assistant.log  worker.lock  hub.json
    <home>/runs/<run>/  uploads/<upload>/<safe name>  models/<starter>/

Every id is checked by its pattern before it becomes part of a path; a name that a person chose never does, only its
harmless shadow (`safe_name`).
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
import unicodedata
from pathlib import Path

from assistant.errors import PlainError

HOME_VARIABLE = "FINETUNE_ASSISTANT_HOME"
#: Bytes of one uploaded file: what a laptop still reads in a few seconds.
MAX_UPLOAD_BYTES = 200 * 1024 * 1024
#: Characters of a file's name that are kept; most file systems take 255 bytes.
MAX_NAME = 100
_SECRET = re.compile(r"[0-9a-f]{32}")
_RUN = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
#: Folders that were being made or removed when a process died are swept after a day.
_STALE_SECONDS = 24 * 3600


def default_home() -> Path:
    """`FINETUNE_ASSISTANT_HOME`, else the user's data folder."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen)
    import platformdirs  # noqa: PLC0415 - needed only where the variable is not set

    return Path(platformdirs.user_data_dir("finetune-assistant", appauthor=False))


def new_secret() -> str:
    """128 random bits in hexadecimal: the id of a conversation or an upload; who knows it may read it."""
    return secrets.token_hex(16)


def is_secret(text: object) -> bool:
    """Whether a text has the shape of a conversation's or an upload's id."""
    return isinstance(text, str) and _SECRET.fullmatch(text) is not None


def new_run_id(now: float | None = None) -> str:
    """`20261123-142530-3fa9c1`: sorts by time, and two runs of one second do not meet."""
    return time.strftime("%Y%m%d-%H%M%S", time.localtime(now)) + "-" + secrets.token_hex(3)


def is_run_id(text: object) -> bool:
    """Whether a text has the shape of a run's id."""
    return isinstance(text, str) and _RUN.fullmatch(text) is not None


def display_name(name: str) -> str:
    """A file's name as it may be shown: one line, no control or direction characters, at most 300 characters."""
    shown = "".join(c if c.isprintable() else " " if unicodedata.category(c) == "Zs" else "" for c in name)
    return shown[:300].strip() or "file"


def safe_name(name: str) -> str:
    """The shadow of a file's name that may become part of a path: letters, digits, dot, dash, underscore.

    The suffix is kept, since it tells the format.
    """
    plain = unicodedata.normalize("NFKD", name.replace("\\", "/").rsplit("/", 1)[-1])
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", plain.encode("ascii", "ignore").decode()).strip("._-")
    stem, dot, suffix = plain.rpartition(".")
    if not dot:
        stem, suffix = plain, ""
    suffix = suffix[:10]
    return (stem[: MAX_NAME - 11] or "file") + (f".{suffix}" if suffix else "")


class Home:
    """One home folder; made, with rights for its owner alone, when it does not exist."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or default_home()).expanduser().absolute()
        self.runs = self.root / "runs"
        self.uploads = self.root / "uploads"
        self.models = self.root / "models"  # the starters, made when the first one comes
        self.database = self.root / "assistant.db"
        self.log = self.root / "assistant.log"
        self.lock = self.root / "worker.lock"
        self.hub_cache = self.root / "hub.json"
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.database.exists() or not any(self.root.iterdir()):
                self.root.chmod(0o700)  # a folder that is used for other things too keeps its rights
            for folder in (self.runs, self.uploads):
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise PlainError(
                "home-not-writable",
                f"The folder {self.root} cannot be used ({error.strerror or error}).",
                "It holds the conversations and the runs, so it must be writable.",
                f"Name another one with --home, or with the variable {HOME_VARIABLE}.",
            ) from error

    def run_dir(self, run: str) -> Path:
        """The folder of a run.

        Raises:
            PlainError: the id has not the shape of one (it may come from outside).
        """
        if not is_run_id(run):
            raise PlainError("run-unknown", f"There is no run {display_name(str(run))!r}.", fix="Ask for my runs.")
        return self.runs / run

    def upload_dir(self, upload: str) -> Path:
        """The folder of an upload; the same guard as for runs."""
        if not is_secret(upload):
            raise PlainError("file-gone", "That file is not known here.", fix="Please add it again.")
        return self.uploads / upload

    def upload_path(self, upload: str) -> Path:
        """The one file in an upload's folder.

        Raises:
            PlainError: it has been removed.
        """
        folder = self.upload_dir(upload)
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        if not files:
            raise PlainError("file-gone", "That file is no longer stored here.", fix="Please add it again.")
        return files[0]

    def keep_upload(self, source: Path, name: str, limit: int = MAX_UPLOAD_BYTES) -> str:
        """Copy a file that a person gave into the home; returns the upload's id.

        Raises:
            PlainError: it cannot be read, or is larger than `limit` bytes.
        """
        shown = display_name(name)
        try:
            if not source.is_file():
                raise PlainError(
                    "file-unreadable",
                    f"{shown} is not a file that can be read.",
                    "One file with rows was expected.",
                    "For a folder, make a zip of it and add that.",
                )
            size = source.stat().st_size
            if size > limit:
                raise PlainError(
                    "file-too-large",
                    f"{shown} has {size / 1e6:,.0f} MB; up to {limit / 1e6:,.0f} MB are taken.",
                    fix="Keep a part of the rows: a few thousand are often enough.",
                )
            upload, target = self._new_upload(name)
            shutil.copyfile(source, target)
        except OSError as error:
            raise PlainError(
                "file-unreadable",
                f"{shown} could not be read ({error.strerror or error}).",
                fix="Check it, or add it again.",
            ) from error
        return upload

    def _new_upload(self, name: str) -> tuple[str, Path]:
        upload = new_secret()
        folder = self.upload_dir(upload)
        folder.mkdir(mode=0o700)
        return upload, folder / safe_name(name)

    def new_upload(self, name: str) -> tuple[str, Path]:
        """An id and the path at which the caller may write a file of that name."""
        return self._new_upload(name)

    def forget_upload(self, upload: str) -> None:
        """Remove an upload; nothing happens when it is gone."""
        shutil.rmtree(self.upload_dir(upload), ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a process that died left half made or half removed."""
        for folder in self.runs.glob(".*"):
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
