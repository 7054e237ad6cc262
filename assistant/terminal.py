"""What the command writes for people: replies, tables, and the progress of a run on standard error."""

from __future__ import annotations

import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer

from assistant.chat.turns import Reply
from assistant.errors import PlainError
from recipes.events import read_events

#: Seconds between two lines of progress where the output is not a terminal that can overwrite one.
QUIET_SECONDS = 10.0


def printable(text: str) -> str:
    """A text without the characters that could move a terminal's cursor or turn its writing direction round."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def write(text: str) -> None:
    """A line, or several, on standard output."""
    typer.echo(printable(text))


def note(text: str) -> None:
    """A line on standard error."""
    typer.echo(printable(text), err=True)


def complain(error: PlainError) -> None:
    """An error on standard error: one block, its sentences a line each."""
    lines = [part for part in (error.what, error.expected, error.fix) if part]
    note("\n       ".join(["Error: " + lines[0], *lines[1:]]) if lines else f"Error: {error.code}")


def write_replies(replies: Sequence[Reply]) -> None:
    """Replies as Markdown, and what may be said next."""
    for reply in replies:
        write(reply.text.rstrip() + "\n")
    said = list(dict.fromkeys(option.say for option in (replies[-1].options if replies else [])))
    if said:
        write("You can say: " + " · ".join(said) + "\n")


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Follows the events of one run and writes them to standard error; call it a few times a second."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / "events.jsonl"
        self._offset = self._path.stat().st_size if self._path.exists() else 0  # a run that goes on: only what is new
        self._line = ""  # the one that is being overwritten
        self._written = 0.0
        self._overwrite = sys.stderr.isatty()

    def __call__(self, run: str) -> None:
        """Write what is new."""
        del run
        events, self._offset = read_events(self._path, self._offset)
        for event in events:
            self._show(event)

    def _show(self, event: Any) -> None:
        if event.kind == "phase":
            self._whole(f"… {event.text or event.name}")
        elif event.kind == "progress":
            left = f", about {duration(event.eta_seconds)} left" if event.eta_seconds is not None else ""
            self._brief(f"  {event.phase}: step {event.step} of {event.total_steps}{left}")
        elif event.kind == "metric" and event.split == "validation":
            self._brief(f"  step {event.step}: {event.name.replace('_', ' ')} {event.value:.4g} on the validation rows")
        elif event.kind == "warning":
            self._whole(f"! {event.text}")
        elif event.kind == "resumed":
            self._whole(f"… going on from step {event.step}")
        elif event.kind == "cancelled":
            self._whole("Stopped." + (" The best state so far is kept." if event.model_kept else ""))

    def _whole(self, text: str) -> None:
        if self._line:
            typer.echo("\r" + " " * len(self._line) + "\r", err=True, nl=False)
            self._line = ""
        note(text)

    def _brief(self, text: str) -> None:
        text = printable(text)[:100]
        if self._overwrite:
            typer.echo("\r" + text.ljust(len(self._line)), err=True, nl=False)
            self._line = text
        elif time.monotonic() - self._written >= QUIET_SECONDS:
            self._written = time.monotonic()
            note(text)


def download_progress() -> Callable[[dict[str, Any]], None]:
    """Writes how far a download is to standard error: a line that is overwritten, or now and then a new one."""
    before, at, overwrite = "", 0.0, sys.stderr.isatty()

    def show(now: dict[str, Any]) -> None:
        nonlocal before, at
        done, total = float(now["done"]), float(now["total"])
        text = f"{now['text']}" + (f": {done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else " …")
        if text == before or not (overwrite or now["text"] not in before or time.monotonic() - at >= QUIET_SECONDS):
            return
        if overwrite:
            typer.echo("\r" + printable(text).ljust(len(before)), err=True, nl=not total)
        else:
            note(text)
        before, at = text, time.monotonic()

    return show


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of texts as columns; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
