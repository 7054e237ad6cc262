"""What is done with a stored file, as plain JSON: look at it, mend a copy of it, write the copy that a run reads.

The page's server lets a process of its own do this (`apart.call`), so that it stays small; the command does it itself:

    perform("look", {"path": "spam.csv", "name": "spam.csv"})
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.data import hub_sets
from assistant.data.archive import MEDIA_FORMATS
from assistant.data.doctor import check, fix
from assistant.data.findings import SUSPICIONS
from assistant.data.guesses import TaskGuess
from assistant.data.handover import unpack_media
from assistant.data.media_copy import write_media
from assistant.data.profile import profile
from assistant.data.roles import guess_tasks
from assistant.data.table import Table, read_table, write_rows
from assistant.errors import PlainError


def look(path: str, name: str, *, meant: dict[str, Any] | None = None) -> dict[str, Any]:
    """Profile, task guesses and findings of a file.

    Args:
        meant: the task and columns that the person agreed to (a TaskGuess as JSON); None: the best guess.

    Raises:
        PlainError: it cannot be read.
    """
    return _seen(read_table(Path(path), name), TaskGuess.model_validate(meant) if meant else None)


def _seen(table: Table, meant: TaskGuess | None = None, settled: Iterable[str] = ()) -> dict[str, Any]:
    seen = profile(table)
    guesses = guess_tasks(seen)
    findings = check(table, seen, meant or guesses[0], settled=settled)
    return {
        "profile": seen.model_dump(mode="json"),
        "guesses": [guess.model_dump(mode="json") for guess in guesses],
        "findings": [finding.model_dump(mode="json") for finding in findings],
    }


def mend(
    path: str, name: str, code: str, meant: dict[str, Any], out: str, *, form: str = "", before: Iterable[str] = ()
) -> dict[str, Any]:
    """Write a mended copy of a file, and look at it; the file itself stays as it is.

    Args:
        code: the fix, of `doctor.FIXES`, or "everything".
        meant: the guess that the person agreed to (a TaskGuess as JSON).
        out: where the copy goes: JSON lines, or a zip where the rows are pictures or recordings.
        form: the format of the person's own file; a copy of a copy keeps it.
        before: the codes that were found before; a suspicion that was not among them is not raised by mending.

    Returns:
        As `look`, and "sentence": what was done.

    Raises:
        PlainError: as `doctor.fix`; disk-full.
    """
    table = read_table(Path(path), name)
    if form:
        table = replace(table, format=form)
    guess = TaskGuess.model_validate(meant)
    before = set(before)
    mended, sentence = fix(table, code, guess.columns, label_separator=guess.label_separator, found=before)
    with _room_on_disk(name):
        (write_media if mended.format in MEDIA_FORMATS else write_rows)(mended, Path(out))
    settled = {code, *(SUSPICIONS - before)}
    return {"sentence": sentence, **_seen(mended, guess, settled)}


def copy(
    path: str, name: str, out: str, *, most: int | None = None, seed: int = 0, look: bool = False
) -> dict[str, Any]:
    """Write the canonical copy that a run reads, pictures and recordings beside it.

    Of more than `most` rows as many are drawn by `seed`, in order.

    Returns:
        "rows": how many; with `look`, also their "profile".

    Raises:
        PlainError: as `read_table`; disk-full.
    """
    table = read_table(Path(path), name)
    if most is not None and table.rows > most:
        frame = table.frame.sample(n=most, random_state=seed).sort_index().reset_index(drop=True)
        table = replace(table, frame=frame)
    with _room_on_disk(name):
        write_rows(unpack_media(table, Path(out)), Path(out))
    return {"rows": table.rows, **({"profile": profile(table).model_dump(mode="json")} if look else {})}


@contextmanager
def _room_on_disk(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        what = f"The disk is full: a copy of {name} does not fit."
        raise PlainError("disk-full", what, fix="Delete old runs or other files, and try again.") from error


ACTIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "look": look, "mend": mend, "copy": copy, "fetch": hub_sets.fetch,
}  # fmt: skip


def perform(action: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Do one of `ACTIONS`.

    Raises:
        PlainError: as the action.
    """
    return ACTIONS[action](**arguments)
