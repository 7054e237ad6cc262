"""Checkpoints that are whole or do not count: a manifest with sizes and SHA-256 is written last.

seal(folder)            every file flushed to disk, then the manifest
newest_valid(folder)    the newest checkpoint whose manifest holds
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recipes.parts.starter import file_sha256

MANIFEST = "manifest.json"
KEPT = 2


def seal(folder: Path) -> None:
    """Flush every file of a checkpoint to the disk, then write the manifest that makes it count."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    manifest = {}
    for path in files:
        _flush(path)
        manifest[str(path.relative_to(folder))] = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1))
    _flush(folder.parent)


def is_valid(folder: Path) -> bool:
    """Whether the manifest is there and every file is what it says."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(manifest) and all(
            (folder / name).stat().st_size == entry["size"] and file_sha256(folder / name) == entry["sha256"]
            for name, entry in manifest.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def step_of(folder: Path) -> int:
    """The step in a checkpoint's name; -1 for another folder."""
    name, _, step = folder.name.rpartition("-")
    return int(step) if name == "checkpoint" and step.isdigit() else -1


def newest_valid(folder: Path) -> tuple[Path | None, list[Path]]:
    """The newest checkpoint that is whole, and the newer ones that are not."""
    damaged: list[Path] = []
    for checkpoint in _newest_first(folder):
        if is_valid(checkpoint):
            return checkpoint, damaged
        damaged.append(checkpoint)
    return None, damaged


def prune(folder: Path) -> None:
    """Keep the newest two; one that is not sealed is left to its writer only when it is the newest."""
    for checkpoint in _newest_first(folder)[KEPT:]:
        shutil.rmtree(checkpoint, ignore_errors=True)


def _newest_first(folder: Path) -> list[Path]:
    found = [entry for entry in folder.iterdir() if step_of(entry) >= 0] if folder.is_dir() else []
    return sorted(found, key=step_of, reverse=True)


def write_atomically(path: Path, text: str) -> None:
    """Replace a small file so that a reader sees the old one or the new one, also after a power cut."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    _flush(partial)
    partial.replace(path)
    _flush(path.parent)


def replace_folder(partial: Path, folder: Path) -> None:
    """Put a finished folder in another's place."""
    for path in partial.rglob("*"):
        if path.is_file():
            _flush(path)
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    _flush(folder.parent)


def _flush(path: Path) -> None:
    """fsync of a file or a folder; a file system that cannot is left alone."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


@dataclass
class Memory:
    """What a restarted run must know to go on as if nothing had happened: `checkpoints/run.json`.

    Attributes:
        precision: what the trial found on `device`.
        elapsed_seconds: time that the run's processes have taken so far.
    """

    device: str = ""
    precision: str = ""
    elapsed_seconds: float = 0.0

    @classmethod
    def load(cls, folder: Path) -> Memory:
        """Read it; an empty one when there is none."""
        try:
            tree: Any = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            return cls(**tree)
        except (OSError, ValueError, TypeError):
            return cls()

    def save(self, folder: Path) -> None:
        """Write it whole."""
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "run.json", json.dumps(asdict(self)))
