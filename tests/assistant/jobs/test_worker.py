"""The worker against real processes: every way in which a run can end, and a worker that starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import new_worker, work_until

from assistant.errors import PlainError
from assistant.jobs import launchers, rundir
from assistant.jobs import worker as workers
from assistant.jobs.home import Home
from assistant.jobs.store import QueueRow, Store
from assistant.jobs.worker import HomeLock, Worker, resume_run, stop_run
from recipes.events import read_events

Add = Callable[..., QueueRow]


def words(home: Home, row: QueueRow) -> list[str]:
    return [event.kind for event in read_events(home.run_dir(row.run) / "events.jsonl")[0]]


def steps(home: Home, row: QueueRow) -> list[int]:
    events = read_events(home.run_dir(row.run) / "events.jsonl")[0]
    return [event.step for event in events if event.kind == "progress"]


def status(store: Store, row: QueueRow) -> str:
    fresh = store.run(row.run)
    return fresh.status if fresh is not None else "gone"


def run_to_end(worker: Worker, store: Store, row: QueueRow) -> str:
    work_until(worker, lambda: status(store, row) in rundir.ENDED)
    return status(store, row)


def test_a_run_that_finishes(worker: Worker, home: Home, store: Store, add: Add, ended: list[str]) -> None:
    row = add("finish")
    assert run_to_end(worker, store, row) == "finished"
    assert words(home, row)[0] == "started"
    assert words(home, row)[-1] == "finished"
    assert ended == [row.run]
    assert "hello from finish" in (home.run_dir(row.run) / "log.txt").read_text()


def test_a_run_that_says_why_it_failed(worker: Worker, home: Home, store: Store, add: Add, ended: list[str]) -> None:
    row = add("fail")
    assert run_to_end(worker, store, row) == "failed"
    assert words(home, row).count("failed") == 1, "the worker must not add a second last word"
    assert rundir.last_word(home.run_dir(row.run)).code == "one-class"
    assert ended == [row.run]


def test_a_run_that_dies_without_a_word_gets_one(worker: Worker, home: Home, store: Store, add: Add) -> None:
    row = add("silent-death")
    assert run_to_end(worker, store, row) == "failed"
    word = rundir.last_word(home.run_dir(row.run))
    assert word.code == "process-died"
    assert "the cable was pulled" in word.what
    assert "resume" in word.fix


def test_a_run_killed_by_the_system_is_tried_once_with_half_the_micro_batch(
    worker: Worker, home: Home, store: Store, add: Add
) -> None:
    row = add("killed-once")
    assert run_to_end(worker, store, row) == "finished"
    events = read_events(home.run_dir(row.run) / "events.jsonl")[0]
    warning = next(event for event in events if event.kind == "warning")
    assert warning.code == "out-of-memory"
    assert "8 rows" in warning.text
    card = rundir.read_process(home.run_dir(row.run))
    assert card is not None
    assert (card.relaunches, card.micro_batch_size) == (1, 8)


def test_a_run_killed_twice_fails(worker: Worker, home: Home, store: Store, add: Add) -> None:
    row = add("killed")
    assert run_to_end(worker, store, row) == "failed"
    assert words(home, row).count("warning") == 1
    assert "memory" in rundir.last_word(home.run_dir(row.run)).what


def test_accelerates_message_about_a_killed_child_is_understood(
    worker: Worker, home: Home, store: Store, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accelerate's launcher exits with 1 whatever its child died of; only its log tells of the signal."""
    code = "import sys; print('subprocess.CalledProcessError: … died with <Signals.SIGKILL: 9>.'); sys.exit(1)"
    launcher = worker._targets["local"]
    monkeypatch.setattr(launcher, "command", lambda launch: [sys.executable, "-c", code])
    row = add("finish")
    assert run_to_end(worker, store, row) == "failed"
    assert words(home, row) == ["warning", "failed"]


def test_stop_keeps_the_best_state_and_resume_goes_on(
    worker: Worker, home: Home, store: Store, add: Add, ended: list[str]
) -> None:
    row = add("steps")
    work_until(worker, lambda: len(steps(home, row)) > 3)
    stop_run(home, store, row.run)
    assert run_to_end(worker, store, row) == "cancelled"
    stopped_at = steps(home, row)[-1]
    assert (home.run_dir(row.run) / "model").is_dir()
    assert ended == [row.run]
    with pytest.raises(PlainError, match="not running"):
        stop_run(home, store, row.run)
    resume_run(home, store, row.run)
    assert status(store, row) == "queued"
    work_until(worker, lambda: len(steps(home, row)) > stopped_at + 3)
    assert rundir.status(home.run_dir(row.run)) == "running"
    assert steps(home, row) == sorted(steps(home, row)), "steps never go back"
    with pytest.raises(PlainError, match="still at work"):
        resume_run(home, store, row.run)
    stop_run(home, store, row.run)
    assert run_to_end(worker, store, row) == "cancelled"
    assert "resumed" in words(home, row)


def test_a_queued_run_is_taken_from_the_queue(worker: Worker, home: Home, store: Store, add: Add) -> None:
    row = add("steps")
    stop_run(home, store, row.run)
    assert status(store, row) == "cancelled"
    assert not worker.tick()
    assert words(home, row) == ["cancelled"]


def test_a_run_that_does_not_listen_is_ended(
    worker: Worker, home: Home, store: Store, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "TERM_SECONDS", 0.2)
    monkeypatch.setattr(workers, "KILL_SECONDS", 0.6)
    row = add("deaf")
    work_until(worker, lambda: len(steps(home, row)) > 2)
    stop_run(home, store, row.run)
    assert run_to_end(worker, store, row) == "cancelled", "a run that was to stop has not failed"
    assert not rundir.is_alive(home.run_dir(row.run))


def test_one_run_at_a_time_in_the_order_of_asking(worker: Worker, home: Home, store: Store, add: Add) -> None:
    first, second = add("steps"), add("finish")
    work_until(worker, lambda: len(steps(home, first)) > 2)
    assert status(store, second) == "queued"
    stop_run(home, store, first.run)
    assert run_to_end(worker, store, second) == "finished"
    assert status(store, first) == "cancelled"


def test_a_new_worker_attaches_to_the_run_that_goes_on(home: Home, store: Store, add: Add, ended: list[str]) -> None:
    row = add("steps")
    first = new_worker(home, store, ended)
    assert first.take()
    work_until(first, lambda: len(steps(home, row)) > 2)
    card = rundir.read_process(home.run_dir(row.run))
    first.close()
    second = new_worker(home, store, ended)
    try:
        assert second.take()
        second.tick()
        assert status(store, row) == "running"
        assert rundir.read_process(home.run_dir(row.run)) == card, "it must not be launched again"
        stop_run(home, store, row.run)
        assert run_to_end(second, store, row) == "cancelled"
        assert ended == [row.run]
    finally:
        launchers.end_processes(home.run_dir(row.run), force=True)
        second.close()


def test_a_worker_whose_server_was_killed_finds_the_end_that_it_missed(
    home: Home, store: Store, add: Add, ended: list[str]
) -> None:
    """The server is killed with SIGKILL ; the run does not notice; a new worker records its end."""
    row = add("steps")
    code = (
        "import sys, time, pathlib\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from assistant.jobs.home import Home\n"
        "from assistant.jobs.store import Store\n"
        "from fakes import new_worker\n"
        "home = Home(pathlib.Path(sys.argv[1])); store = Store(home)\n"
        "worker = new_worker(home, store, []); worker.start()\n"
        "time.sleep(60)\n"
    )
    root = str(Path(__file__).resolve().parents[1])
    server = subprocess.Popen([sys.executable, "-c", code, str(home.root), root])
    try:
        waiter = new_worker(home, store, ended)
        until = time.monotonic() + 20
        while len(steps(home, row)) < 3:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert not waiter.take(), "one process at a time works a home"
        assert waiter.served()
    finally:
        server.kill()
        server.wait()
    assert waiter.take(), "the system frees the lock of a process that was killed"
    work_until(waiter, lambda: rundir.is_alive(home.run_dir(row.run)))
    stop_run(home, store, row.run)
    assert run_to_end(waiter, store, row) == "cancelled"
    assert ended == [row.run]
    waiter.close()


def test_a_reused_process_number_is_not_taken_for_the_run(
    home: Home, store: Store, worker: Worker, add: Add, ended: list[str]
) -> None:
    row = add("finish")
    store.claim()
    card = rundir.ProcessCard(pid=os.getpid(), start_time="another boot:1", launched_at=time.time())
    rundir.write_json(home.run_dir(row.run) / "process.json", card)
    assert rundir.status(home.run_dir(row.run)) == "interrupted"
    worker.tick()
    assert status(store, row) == "failed"
    assert rundir.last_word(home.run_dir(row.run)).code == "process-died"
    resume_run(home, store, row.run)
    assert run_to_end(worker, store, row) == "finished"


def test_a_claimed_run_whose_worker_died_before_the_launch_is_launched(
    worker: Worker, home: Home, store: Store, add: Add
) -> None:
    row = add("finish")
    store.claim()
    assert run_to_end(worker, store, row) == "finished"


def test_a_launched_run_whose_worker_died_before_its_note_is_not_launched_twice(
    worker: Worker, home: Home, store: Store, add: Add
) -> None:
    row = add("steps")
    work_until(worker, lambda: len(steps(home, row)) > 2)
    (home.run_dir(row.run) / "process.json").unlink()
    work_until(worker, lambda: len(steps(home, row)) > 8)
    assert words(home, row).count("started") == 1
    assert steps(home, row) == sorted(set(steps(home, row))), "two processes would write each step twice"
    stop_run(home, store, row.run)
    assert run_to_end(worker, store, row) == "cancelled"


def test_a_run_outlives_its_killed_launcher(
    worker: Worker, home: Home, store: Store, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher is killed, the process that trains is not: the run goes on, and is not started a second time."""
    real = worker._targets["local"].command
    wrapper = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    launcher = worker._targets["local"]
    monkeypatch.setattr(launcher, "command", lambda launch: [sys.executable, "-c", wrapper, *real(launch)])
    row = add("steps")
    work_until(worker, lambda: len(steps(home, row)) > 2)
    card = rundir.read_process(home.run_dir(row.run))
    assert card is not None
    os.kill(card.pid, signal.SIGKILL)
    seen = len(steps(home, row))
    work_until(worker, lambda: len(steps(home, row)) > seen + 5)
    assert status(store, row) == "running"
    stop_run(home, store, row.run)
    assert run_to_end(worker, store, row) == "cancelled"


def test_a_target_that_is_not_there_fails_with_a_sentence(worker: Worker, home: Home, store: Store, add: Add) -> None:
    row = add("finish", target="hf_jobs")
    assert run_to_end(worker, store, row) == "failed"
    assert rundir.last_word(home.run_dir(row.run)).code == "target-not-available"


def test_a_run_above_its_time_is_stopped(home: Home, store: Store, add: Add, ended: list[str]) -> None:
    row = add("steps")
    worker = Worker(
        home,
        store,
        ended=ended.append,
        targets={"local": new_worker(home, store, [])._targets["local"]},
        longest_seconds=0.5,
    )
    assert worker.take()
    assert run_to_end(worker, store, row) == "cancelled"
    worker.close()


def test_the_lock_says_who_holds_it(home: Home) -> None:
    first, second = HomeLock(home.lock), HomeLock(home.lock)
    assert second.kind() is None
    assert first.take("server")
    assert not second.take()
    assert second.kind() == "server"
    first.free()
    assert second.take()
    second.free()


def test_the_thread_works_until_it_is_closed(home: Home, store: Store, add: Add, ended: list[str]) -> None:
    worker = new_worker(home, store, ended)
    worker.start()
    worker.start()
    row = add("finish")
    until = time.monotonic() + 20
    while not ended and time.monotonic() < until:
        time.sleep(0.05)
    worker.close()
    assert ended == [row.run]
    assert status(store, row) == "finished"


def test_a_launch_that_fails_is_told_and_the_queue_goes_on(
    worker: Worker, home: Home, store: Store, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = worker._targets["local"]
    real = launcher.command
    monkeypatch.setattr(launcher, "command", lambda launch: ["/no/such/program"])
    row = add("finish")
    assert run_to_end(worker, store, row) == "failed"
    assert rundir.last_word(home.run_dir(row.run)).code == "internal-error"
    monkeypatch.setattr(launcher, "command", real)
    assert run_to_end(worker, store, add("finish")) == "finished"
