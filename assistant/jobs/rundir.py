"""The run directory is the truth: how one is made, and what can be read from it alone.

runs/<id>/plan.json  events.jsonl  result.json  log.txt  data/  model/  checkpoints/
          run.json       number, title, conversation, when it was made: enough to rebuild the run list
          process.json   which process works on it: pid and start time, so that a restarted server finds it
          stop           an empty file: the wish to stop
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from recipes.events import LAST_WORDS, EventWriter, read_events
from recipes.plan import Plan

Status = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]
ENDED: tuple[Status, ...] = ("finished", "failed", "cancelled", "interrupted")
#: Set in the environment of a run's processes: finds those that outlived their launcher.
RUN_VARIABLE = "FINETUNE_ASSISTANT_RUN"
#: Bytes at the end of events.jsonl that certainly hold the last line (one event is far below this).
_TAIL_BYTES = 64 * 1024


class About(BaseModel):
    """`run.json`: what the queue knows about a run beyond its plan."""

    model_config = ConfigDict(extra="ignore")

    id: str
    number: int
    title: str = ""
    conversation: str | None = None
    visitor: str | None = None
    created: float
    asked: str = ""  # fingerprint of the plan as it was asked for, before the data got its place


class ProcessCard(BaseModel):
    """`process.json`: which process works on a run."""

    model_config = ConfigDict(extra="ignore")

    pid: int
    start_time: str
    launched_at: float
    relaunches: int = 0
    micro_batch_size: int | None = None
    log_offset: int = 0  # where in log.txt this launch begins


def write_json(path: Path, value: BaseModel | dict[str, Any]) -> None:
    """Write a small JSON file so that a reader sees the old one or the new one, never half of it."""
    text = value.model_dump_json(indent=2) if isinstance(value, BaseModel) else json.dumps(value, indent=2)
    partial = path.with_name(path.name + f".{os.getpid()}.tmp")
    partial.write_text(text + "\n", encoding="utf-8")
    os.replace(partial, path)


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file, or None where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def read_about(run_dir: Path) -> About | None:
    """`run.json`, or None where there is none that can be read."""
    try:
        return About.model_validate_json((run_dir / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def read_plan(run_dir: Path) -> Plan | None:
    """`plan.json`, or None where there is none that can be read."""
    try:
        return Plan.load(run_dir / "plan.json")
    except (OSError, ValueError):
        return None


def read_process(run_dir: Path) -> ProcessCard | None:
    """`process.json`, or None where there is none that can be read."""
    try:
        return ProcessCard.model_validate_json((run_dir / "process.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


# ---------------------------------------------------------------- events


def last_word(run_dir: Path) -> Any | None:
    """The `finished`, `failed` or `cancelled` that ends the events so far; None while the run goes on.

    A last word that is followed by `resumed` or `started` means that the run goes on.
    """
    path = run_dir / "events.jsonl"
    try:
        offset = max(0, path.stat().st_size - _TAIL_BYTES)
        with path.open("rb") as file:
            file.seek(offset)
            tail = file.read()
    except OSError:
        return None
    if not any(f'"{kind}"'.encode() in tail for kind in LAST_WORDS):
        return None  # the usual case while it goes on, and asked often: nothing needs to be parsed
    word = None
    for event in read_events(path, offset)[0]:
        if event.kind in LAST_WORDS:
            word = event
        elif event.kind in ("started", "resumed"):
            word = None
    return word


def append_event(run_dir: Path, event: Any) -> None:
    """Add an event in the name of a process that is gone (only the worker does); a torn line is ended first."""
    path = run_dir / "events.jsonl"
    if path.exists() and path.stat().st_size:
        with path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
    writer = EventWriter(path)
    writer.write(event)
    writer.sync()


# ---------------------------------------------------------------- processes


def start_time(pid: int) -> str | None:
    """When a process began, as a text that only this process has; None when it is gone or a zombie.

    Linux counts in ticks since the boot, which no change of the clock moves; with the boot's id it is unique.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()  # the name in brackets may hold anything
        if fields[0] in ("Z", "X"):
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}:{fields[19]}"
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.0f}"
    except psutil.Error:
        return None


def processes_of(run_dir: Path) -> Iterator[psutil.Process]:
    """Every living process that was started for this run, found by its environment."""
    mark = run_dir.name
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(RUN_VARIABLE) == mark:
                yield process
        except (psutil.Error, OSError):
            continue


def is_alive(run_dir: Path) -> bool:
    """Whether a process works on this run: its launcher, or what the launcher left behind when it was killed."""
    card = read_process(run_dir)
    if card is not None and start_time(card.pid) == card.start_time:
        return True
    return next(processes_of(run_dir), None) is not None


# ---------------------------------------------------------------- status


def status(run_dir: Path) -> Status:
    """How a run stands, from its folder alone."""
    if (run_dir / "result.json").exists():
        return "finished"
    word = end_of_launch(run_dir)
    if word is not None:
        return "failed" if word.kind == "failed" else "cancelled"
    return "running" if is_alive(run_dir) else "interrupted"


def end_of_launch(run_dir: Path) -> Any | None:
    """The `failed` or `cancelled` of the newest launch; None while it goes on, and for one of an earlier launch."""
    word, card = last_word(run_dir), read_process(run_dir)
    if word is None or word.kind == "finished" or (card is not None and word.at < card.launched_at):
        return None
    return word


def request_stop(run_dir: Path) -> None:
    """Wish that the run stops: every process of it looks for this file at each step."""
    (run_dir / "stop").touch()


def stop_requested(run_dir: Path) -> float | None:
    """Seconds since the epoch at which the stop was wished; None when it was not."""
    try:
        return (run_dir / "stop").stat().st_mtime
    except OSError:
        return None


def log_tail(run_dir: Path, *, offset: int = 0, limit: int = 20_000) -> str:
    """The end of log.txt, at most `limit` bytes of it, nothing before `offset`."""
    try:
        with (run_dir / "log.txt").open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(offset, file.tell() - limit, 0))
            return file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""


def last_words_of_log(run_dir: Path, offset: int = 0) -> str:
    """The last line of the log that says something, cut to 300 characters: a hint where nothing else is known."""
    lines = [line.strip() for line in log_tail(run_dir, offset=offset).splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
