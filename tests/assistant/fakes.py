"""Stand-ins shared by the tests of the jobs, the session and the command: real processes, but no model in them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from assistant.jobs import launchers
from assistant.jobs.home import Home
from assistant.jobs.store import Store
from assistant.jobs.worker import Worker

FAKE = Path(__file__).with_name("fake_recipe.py")


class FakeLocal(launchers.Local):
    """The local launcher, with the fake recipe in place of Accelerate."""

    def command(self, launch: launchers.Launch) -> list[str]:
        extra = ["--micro-batch-size", str(launch.micro_batch_size)] if launch.micro_batch_size else []
        return [sys.executable, str(FAKE), str(launch.run_dir / "plan.json"), *extra]


def new_worker(home: Home, store: Store, ended: list[str]) -> Worker:
    return Worker(home, store, ended=ended.append, targets={**launchers.LAUNCHERS, "local": FakeLocal()})


def work_until(worker: Worker, condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Rounds of the worker until something holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        worker.tick()
        time.sleep(0.03)
