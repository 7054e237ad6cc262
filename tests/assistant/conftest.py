"""A home with a store, runs in it, and a launcher that starts the fake recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import new_worker

from assistant.jobs import launchers, rundir
from assistant.jobs.home import Home, new_run_id
from assistant.jobs.rundir import About
from assistant.jobs.store import QueueRow, Store
from assistant.jobs.worker import Worker
from recipes.plan import Plan


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    store = Store(home)
    yield store
    store.close()


@pytest.fixture
def add(home: Home, store: Store) -> Callable[..., QueueRow]:
    """Adds a run that behaves as named."""

    def add(how: str, conversation: str | None = None, target: str = "local") -> QueueRow:
        run = new_run_id()
        folder = home.run_dir(run)
        folder.mkdir()
        plan = Plan.model_validate({"task": "text-classification", "base_model": how, "compute": {"target": target}})
        plan.save(folder / "plan.json")
        about = About(id=run, number=store.next_number(), title=how, conversation=conversation, created=time.time())
        rundir.write_json(folder / "run.json", about)
        store.add_run(about, "text-classification")
        row = store.run(run)
        assert row is not None
        return row

    return add


@pytest.fixture
def ended() -> list[str]:
    """The runs whose end was told."""
    return []


@pytest.fixture
def worker(home: Home, store: Store, ended: list[str]) -> Iterator[Worker]:
    worker = new_worker(home, store, ended)
    assert worker.take()
    yield worker
    worker.close()
    for row in store.runs():
        launchers.end_processes(home.run_dir(row.run), force=True)
