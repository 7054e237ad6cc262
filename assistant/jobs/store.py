"""SQLite: conversations, messages and the queue. Opening it brings an older file up to date; `rebuild` makes the run
list again from the run directories, which are the truth.

Several processes share one file (a server, a `say` in a terminal): every change is one short immediate transaction.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import PlainError
from assistant.jobs import home as homes
from assistant.jobs import rundir
from assistant.jobs.rundir import About, Status
from recipes.plan import Plan

log = logging.getLogger(__name__)
#: Seconds that a change waits for one of another process.
_BUSY_SECONDS = 20.0


# ---------------------------------------------------------------- migrations: numbered, only ever appended


def _conversations(db: sqlite3.Connection) -> None:
    db.execute(
        "CREATE TABLE conversations "
        "(id TEXT PRIMARY KEY, state TEXT NOT NULL, visitor TEXT, created REAL, changed REAL)"
    )
    db.execute(
        "CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT NOT NULL, role TEXT NOT NULL, "
        "body TEXT NOT NULL, at REAL NOT NULL)"
    )
    db.execute("CREATE INDEX messages_of ON messages (conversation, id)")


def _queue(db: sqlite3.Connection) -> None:
    db.execute(
        "CREATE TABLE queue (run TEXT PRIMARY KEY, number INTEGER UNIQUE NOT NULL, status TEXT NOT NULL, "
        "title TEXT NOT NULL, task TEXT NOT NULL, conversation TEXT, visitor TEXT, created REAL NOT NULL, "
        "queued REAL NOT NULL)"
    )


def _told(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE queue ADD COLUMN told INTEGER NOT NULL DEFAULT 0")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_conversations, _queue, _told)


# ---------------------------------------------------------------- rows


@dataclass(frozen=True)
class QueueRow:
    """A run in the queue. `told`: its conversation has heard of the end."""

    run: str
    number: int
    status: Status
    title: str
    task: str
    conversation: str | None
    visitor: str | None
    created: float
    queued: float
    told: bool


@dataclass(frozen=True)
class MessageRow:
    """One message as stored; `body` is JSON."""

    id: int
    role: str
    body: dict[str, Any]
    at: float


_QUEUE_COLUMNS = "run, number, status, title, task, conversation, visitor, created, queued, told"


class Store:
    """The database of one home. Safe for the threads of one process and for several processes."""

    def __init__(self, home: homes.Home) -> None:
        self._home = home
        self._lock = threading.RLock()
        fresh = not home.database.exists()
        try:
            self._db = self._open()
        except sqlite3.DatabaseError:
            log.exception("the database is damaged; it is set aside and the run list is made again")
            home.database.replace(home.database.with_name(f"assistant.db.damaged-{int(time.time())}"))
            for leftover in ("-wal", "-shm"):
                home.database.with_name(home.database.name + leftover).unlink(missing_ok=True)
            self._db, fresh = self._open(), True
        if fresh:
            self.rebuild()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._home.database,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            self._home.database.chmod(0o600)
            migrate(db)
        except BaseException:
            db.close()
            raise
        return db

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction over all processes; nested ones join it. Whatever is raised inside undoes it."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # ------------------------------------------------------------ conversations

    def new_conversation(self, state: str, visitor: str | None = None) -> str:
        """Add a conversation with its first state (JSON); returns its id, a bearer secret."""
        conversation, now = homes.new_secret(), time.time()
        with self.change() as db:
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?)", (conversation, state, visitor, now, now))
        return conversation

    def state(self, conversation: str) -> str | None:
        """The state (JSON) of a conversation; None where there is no such."""
        rows = self._rows("SELECT state FROM conversations WHERE id = ?", conversation)
        return str(rows[0][0]) if rows else None

    def set_state(self, conversation: str, state: str) -> None:
        """Replace the state; call it in the same `change` that read it."""
        with self.change() as db:
            db.execute(
                "UPDATE conversations SET state = ?, changed = ? WHERE id = ?", (state, time.time(), conversation)
            )

    def add_message(self, conversation: str, role: str, body: dict[str, Any]) -> int:
        """Append a message; returns its id, which only grows."""
        with self.change() as db:
            cursor = db.execute(
                "INSERT INTO messages (conversation, role, body, at) VALUES (?, ?, ?, ?)",
                (conversation, role, json.dumps(body), time.time()),
            )
            return int(cursor.lastrowid or 0)

    def messages(self, conversation: str, limit: int = 50, after: int = 0) -> list[MessageRow]:
        """The newest messages with an id above `after`, oldest first."""
        rows = self._rows(
            "SELECT id, role, body, at FROM messages WHERE conversation = ? AND id > ? ORDER BY id DESC LIMIT ?",
            conversation,
            after,
            limit,
        )
        return [MessageRow(int(r[0]), str(r[1]), json.loads(r[2]), float(r[3])) for r in reversed(rows)]

    def version(self, conversation: str) -> int:
        """The id of a conversation's newest message; cheap, for a page that asks whether there is anything new."""
        return int(self._rows("SELECT COALESCE(MAX(id), 0) FROM messages WHERE conversation = ?", conversation)[0][0])

    # ------------------------------------------------------------ queue

    def add_run(self, about: About, task: str, status: Status = "queued", told: bool = False) -> None:
        """Add a run; its number must be free."""
        with self.change() as db:
            db.execute(
                f"INSERT INTO queue ({_QUEUE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (about.id, about.number, status, about.title, task, about.conversation, about.visitor, about.created,
                 time.time(), int(told)),
            )  # fmt: skip

    def next_number(self) -> int:
        """The number for the next run ("run 3"); numbers of removed runs are not used again while newer ones exist."""
        return int(self._rows("SELECT COALESCE(MAX(number), 0) + 1 FROM queue")[0][0])

    def run(self, run: str) -> QueueRow | None:
        """One run of the queue."""
        rows = self._rows(f"SELECT {_QUEUE_COLUMNS} FROM queue WHERE run = ?", run)
        return _queue_row(rows[0]) if rows else None

    def runs(self, conversation: str | None = None, status: Status | None = None) -> list[QueueRow]:
        """The runs, oldest first; of one conversation or status where asked."""
        rows = self._rows(
            f"SELECT {_QUEUE_COLUMNS} FROM queue "
            "WHERE (?1 IS NULL OR conversation = ?1) AND (?2 IS NULL OR status = ?2) ORDER BY number",
            conversation,
            status,
        )
        return [_queue_row(row) for row in rows]

    def count_of_visitor(self, visitor: str) -> int:
        """How many runs a visitor has asked for."""
        return int(self._rows("SELECT COUNT(*) FROM queue WHERE visitor = ?", visitor)[0][0])

    def claim(self) -> QueueRow | None:
        """Take the run that has waited longest and mark it running; None when none waits."""
        with self.change() as db:
            rows = db.execute(
                f"SELECT {_QUEUE_COLUMNS} FROM queue WHERE status = 'queued' ORDER BY queued, number LIMIT 1"
            ).fetchall()
            if not rows:
                return None
            row = _queue_row(rows[0])
            db.execute("UPDATE queue SET status = 'running' WHERE run = ?", (row.run,))
            return row

    def set_status(self, run: str, status: Status, *, only_from: tuple[Status, ...] = ()) -> bool:
        """Change a run's status; with `only_from`, only where it has one of these. Returns whether it changed.

        A run that is queued again will be told of again.
        """
        with self.change() as db:
            marks = ", ".join("?" for _ in only_from)
            guard = f" AND status IN ({marks})" if only_from else ""
            fresh = ", told = 0, queued = ?" if status == "queued" else ""
            values = (status, *([time.time()] if fresh else []), run, *only_from)
            return db.execute(f"UPDATE queue SET status = ?{fresh} WHERE run = ?{guard}", values).rowcount == 1

    def claim_telling(self, run: str) -> bool:
        """Whether the caller is the one who tells the conversation of this end; true once."""
        with self.change() as db:
            return db.execute("UPDATE queue SET told = 1 WHERE run = ? AND told = 0", (run,)).rowcount == 1

    def untold(self, conversation: str | None = None) -> list[QueueRow]:
        """Runs of which a conversation has not yet heard the end."""
        return [row for row in self.runs(conversation) if not row.told and row.conversation]

    def remove_run(self, run: str) -> None:
        """Take a run from the list; its folder is the caller's business."""
        with self.change() as db:
            db.execute("DELETE FROM queue WHERE run = ?", (run,))

    def rebuild(self) -> int:
        """Make the run list again from the run directories; returns how many runs it found that were not listed.

        A run that still works is listed as running, so that a worker attaches to it; one that was waiting, or was cut
        off, as interrupted: nothing starts by itself.
        """
        found = 0
        with self.change():
            known = {row.run for row in self.runs()}
            used = {row.number for row in self.runs()}
            for folder in sorted(self._home.runs.glob("[0-9]*")):
                if folder.name in known or not homes.is_run_id(folder.name):
                    continue
                about, task = _describe(folder)
                if about is None:
                    continue
                if about.number in used:
                    about = about.model_copy(update={"number": max(used) + 1})
                used.add(about.number)
                self.add_run(about, task, rundir.status(folder), told=True)
                found += 1
        return found


def migrate(db: sqlite3.Connection) -> None:
    """Bring a database up to date.

    Raises:
        PlainError: it was written by a newer version of this program.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise PlainError(
            "home-too-new",
            f"The home folder was last used by a newer version of Finetune Assistant (its database has format "
            f"{version}, this version knows {len(MIGRATIONS)}).",
            fix="Update with `pip install --upgrade finetune-assistant`, or name another folder with --home.",
        )
    if version == len(MIGRATIONS):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])  # another process may have been quicker
        for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
            step(db)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _queue_row(row: Any) -> QueueRow:
    return QueueRow(
        row[0], int(row[1]), row[2], row[3], row[4], row[5], row[6], float(row[7]), float(row[8]), bool(row[9])
    )


def _describe(folder: Path) -> tuple[About | None, str]:
    """What a run directory says about itself; a folder without a plan is no run."""
    try:
        plan = Plan.load(folder / "plan.json")
    except (OSError, ValueError):
        log.warning("no plan that can be read in %s", folder)
        return None, ""
    about = rundir.read_about(folder)
    if about is None:
        about = About(id=folder.name, number=1, title=plan.data.name or "", created=folder.stat().st_mtime)
    return about.model_copy(update={"id": folder.name}), plan.task or ""
