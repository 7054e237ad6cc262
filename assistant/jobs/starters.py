"""Starter models in the home: which are there, getting one by a process of its own, and how far that is.

Nothing here is loaded or checked: the process that prepares a starter checks it, and so does every run that reads it.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.jobs import launchers, rundir
from assistant.jobs.home import Home

#: Seconds for download and conversion together; the download alone is ended sooner.
LIMIT_SECONDS = 900.0
#: Seconds between two looks at how far it is.
LOOK_SECONDS = 0.3


def is_here(home: Home, name: str, package: str = "") -> bool:
    """Whether a starter needs no download: it is prepared, or its package is installed.

    Args:
        package: the module that holds its weights, where the extra `starter` installs it; found, never imported.
    """
    if name and (home.models / name / "model.safetensors").is_file():
        return True
    return bool(package) and importlib.util.find_spec(package) is not None


def get(home: Home, name: str) -> Path:
    """Download and prepare a starter; the folder that it is in.

    Raises:
        PlainError: it cannot be downloaded, is not what was recorded, or took too long.
    """
    home.models.mkdir(exist_ok=True, mode=0o700)
    arguments = [name, str(home.models)]
    answer = launchers.call_recipe("starter", arguments, log=home.models / "log.txt", seconds=LIMIT_SECONDS)
    return Path(str(answer.get("folder")))


def get_watched(home: Home, name: str, watch: Callable[[dict[str, Any]], None]) -> Path:
    """`get`, and `watch` is told a few times a second how far it is."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_SECONDS):
            now = progress(home, name)
            if now is not None:
                watch(now)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        return get(home, name)
    finally:
        over.set()
        looking.join()


def progress(home: Home, name: str) -> dict[str, Any] | None:
    """How far the starter that is being prepared is: {"text", "done", "total"} in bytes; None where none is."""
    found = rundir.read_json(home.models / f"{name}.progress")
    return found if isinstance(found, dict) and {"text", "done", "total"} <= found.keys() else None
