"""Runs through the real launcher: one process, two processes, killed and resumed, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipes.events import Result, read_events

ROOT = Path(__file__).resolve().parents[2]


def launch(plan: Path, processes: int = 1) -> subprocess.Popen[bytes]:
    """`accelerate launch -m recipes.run plan.json` as the worker starts it, in its own process group."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", str(processes)]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    # --multi_gpu is how several processes start; ACCELERATE_USE_CPU, set for all tests, makes them speak gloo.
    command += ["--multi_gpu", "--main_process_port", "0"] if processes > 1 else ["--cpu"]
    with (plan.parent / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [*command, "-m", "recipes.run", str(plan)], cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )


def run(plan: Path, processes: int = 1) -> int:
    """Launch and wait; returns the exit code."""
    return launch(plan, processes).wait(timeout=300)


def log_of(plan: Path) -> str:
    return (plan.parent / "log.txt").read_text(encoding="utf-8")[-3000:]


def wait_for(plan: Path, kind: str, process: subprocess.Popen[bytes] | None, seconds: float = 120) -> Any:
    """The first event of a kind."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for event in read_events(plan.parent / "events.jsonl")[0]:
            if event.kind == kind:
                return event
        assert process is None or process.poll() is None, log_of(plan)
        time.sleep(0.05)
    raise AssertionError(f"no {kind} event in {seconds} seconds: {log_of(plan)}")


def test_two_processes_give_the_result_of_one(new_run: Callable[..., Path]) -> None:
    """Same batches, same head, same weights up to the order of sums; one writer."""
    changes = {"training.batch_size": 10, "training.micro_batch_size": 3}
    one, two = new_run("full", name="one", **changes), new_run("full", name="two", **changes)
    assert run(one) == 0, log_of(one)
    assert run(two, processes=2) == 0, log_of(two)
    first, second = Result.load(one.parent / "result.json"), Result.load(two.parent / "result.json")
    assert second.environment["processes"] == 2
    assert first.metrics == second.metrics
    assert first.rows == second.rows
    assert first.curves is not None and second.curves is not None
    for name, points in first.curves.items():
        assert [step for step, _ in second.curves[name]] == [step for step, _ in points]
        assert [value for _, value in second.curves[name]] == pytest.approx(
            [value for _, value in points], rel=0.02, abs=1e-3
        )
    kinds = [event.kind for event in read_events(two.parent / "events.jsonl")[0]]
    assert kinds.count("started") == 1 and kinds.count("finished") == 1


def test_killed_and_started_again(new_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """kill -9 of the whole group after a checkpoint; the same command goes on and ends as an uninterrupted run does."""
    changes = {"training.epochs": 12, "training.learning_rate": 3e-4}
    whole, broken = new_run("full", name="whole", **changes), new_run("full", name="broken", **changes)
    process = launch(broken)
    wait_for(broken, "checkpoint", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    assert not (broken.parent / "result.json").exists()
    before = [event.kind for event in read_events(broken.parent / "events.jsonl")[0]]
    assert before[0] == "started" and "finished" not in before
    assert run(broken) == 0, log_of(broken)
    events = read_events(broken.parent / "events.jsonl")[0]
    assert next(event.step for event in events if event.kind == "resumed") > 0
    assert events[-1].kind == "finished"
    assert run(whole) == 0, log_of(whole)
    first, second = Result.load(whole.parent / "result.json"), Result.load(broken.parent / "result.json")
    assert first.metrics == second.metrics
    assert first.curves == second.curves


def test_a_signal_stops_cleanly(new_run: Callable[..., Path]) -> None:
    """SIGTERM to the group: the best state is kept, the last word is `cancelled`."""
    plan = new_run("full", **{"training.epochs": 200})
    process = launch(plan)
    wait_for(plan, "checkpoint", process)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=120)  # the launcher goes at once, the run itself tidies up first
    last = wait_for(plan, "cancelled", None)
    assert last.model_kept
    assert (plan.parent / "model" / "config.json").is_file()
