"""The database: migrations, the queue, and the run list made again from the run directories."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.errors import PlainError
from assistant.jobs import rundir
from assistant.jobs import store as stores
from assistant.jobs.home import Home
from assistant.jobs.store import QueueRow, Store
from recipes.events import Cancelled, Failed

Add = Callable[..., QueueRow]


@pytest.mark.parametrize("version", range(len(stores.MIGRATIONS) + 1))
def test_a_database_of_every_older_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    home = Home(tmp_path / "home")
    db = sqlite3.connect(home.database)
    for step in stores.MIGRATIONS[:version]:
        step(db)
    db.execute(f"PRAGMA user_version = {version}")
    if version:
        db.execute("INSERT INTO conversations VALUES ('c', '{}', NULL, 0, 0)")
    if version == 2:
        db.execute("INSERT INTO queue VALUES ('20260101-000000-abcdef', 1, 'finished', 't', '', 'c', NULL, 0, 0)")
    db.commit()
    db.close()
    store = Store(home)
    try:
        assert store._rows("PRAGMA user_version") == [(len(stores.MIGRATIONS),)]
        assert store.state("c") == ("{}" if version else None)
        assert [row.told for row in store.runs()] == ([False] if version == 2 else [])
    finally:
        store.close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    db = sqlite3.connect(home.database)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(PlainError, match="newer version"):
        Store(home)


def test_a_failed_migration_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    Store(home).close()

    def broken(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (x)")
        raise RuntimeError("power cut")

    monkeypatch.setattr(stores, "MIGRATIONS", (*stores.MIGRATIONS, broken))
    with pytest.raises(RuntimeError, match="power cut"):
        Store(home)
    monkeypatch.undo()
    store = Store(home)
    assert store._rows("SELECT name FROM sqlite_master WHERE name = 'half'") == []
    store.close()


def test_the_run_list_is_made_again_from_the_run_directories(home: Home, store: Store, add: Add) -> None:
    rows = [add("finish", conversation="c" * 32) for _ in range(4)]
    folders = [home.run_dir(row.run) for row in rows]
    (folders[0] / "result.json").write_text("{}")
    rundir.append_event(folders[1], Failed(code="one-class", what="One class."))
    rundir.append_event(folders[2], Cancelled())
    (home.runs / "not-a-run").mkdir()
    (home.runs / "20260101-000000-abcdef").mkdir()  # no plan
    store.close()
    for path in home.root.glob("assistant.db*"):
        path.unlink()
    again = Store(home)
    try:
        found = again.runs()
        assert [row.status for row in found] == ["finished", "failed", "cancelled", "interrupted"]
        assert [(row.run, row.number, row.title, row.conversation) for row in found] == [
            (row.run, row.number, row.title, row.conversation) for row in rows
        ]
        assert again.claim() is None, "nothing starts by itself"
        assert again.rebuild() == 0
    finally:
        again.close()


def test_a_damaged_database_is_set_aside(home: Home, store: Store, add: Add) -> None:
    row = add("finish")
    store.close()
    for path in home.root.glob("assistant.db*"):
        path.write_bytes(b"this is no database, whatever its name says" * 100)
    again = Store(home)
    try:
        assert [one.run for one in again.runs()] == [row.run]
        assert list(home.root.glob("assistant.db.damaged-*"))
    finally:
        again.close()


def test_claims_are_made_once_in_the_order_of_asking(home: Home, store: Store, add: Add) -> None:
    rows = [add("finish") for _ in range(20)]
    other = Store(home)
    claimed: list[str] = []

    def claim(one: Store) -> None:
        while (row := one.claim()) is not None:
            claimed.append(row.run)

    threads = [threading.Thread(target=claim, args=(one,)) for one in (store, other, store)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(claimed) == sorted(row.run for row in rows)


def test_numbers_grow_and_the_end_is_told_once(store: Store, add: Add) -> None:
    first, second = add("finish", conversation="c"), add("finish", conversation="c")
    assert (first.number, second.number) == (1, 2)
    assert store.claim_telling(first.run)
    assert not store.claim_telling(first.run)
    assert [row.run for row in store.untold("c")] == [second.run]
    store.set_status(first.run, "failed")
    store.set_status(first.run, "queued")
    assert store.claim_telling(first.run), "a run that goes on is told of again"


def test_a_status_changes_only_from_where_it_may(store: Store, add: Add) -> None:
    row = add("finish")
    assert not store.set_status(row.run, "finished", only_from=("running",))
    assert store.set_status(row.run, "cancelled", only_from=("queued", "running"))


def test_messages_come_in_order_and_only_the_new_ones(store: Store) -> None:
    conversation = store.new_conversation("{}")
    ids = [store.add_message(conversation, "user", {"text": str(i)}) for i in range(5)]
    assert [row.body["text"] for row in store.messages(conversation, limit=2)] == ["3", "4"]
    assert [row.id for row in store.messages(conversation, after=ids[2])] == ids[3:]
    assert store.version(conversation) == ids[-1]
    assert store.version("0" * 32) == 0


def test_whatever_is_raised_in_a_change_undoes_it(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.change():
        conversation = store.new_conversation("{}")
        store.add_message(conversation, "user", {})
        raise ZeroDivisionError
    assert store.state(conversation) is None


def test_the_status_of_a_run_directory(home: Home, add: Add) -> None:
    folder = home.run_dir(add("finish").run)
    assert rundir.status(folder) == "interrupted"
    rundir.append_event(folder, Failed(code="x", what="x"))
    assert rundir.status(folder) == "failed"
    rundir.write_json(
        folder / "process.json", rundir.ProcessCard(pid=1, start_time="never", launched_at=time.time() + 1)
    )
    assert rundir.status(folder) == "interrupted", "the word is of an earlier launch"
    (folder / "result.json").write_text("{}")
    assert rundir.status(folder) == "finished"


def test_an_event_that_is_added_begins_on_a_line_of_its_own(home: Home, add: Add) -> None:
    folder = home.run_dir(add("finish").run)
    (folder / "events.jsonl").write_text('{"kind": "progress", "step": 1, "total_st')  # torn by a kill
    rundir.append_event(folder, Failed(code="process-died", what="It died."))
    assert rundir.last_word(folder).code == "process-died"
