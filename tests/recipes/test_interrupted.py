"""Runs that are stopped, killed, or whose checkpoints are damaged go on to the result of an uninterrupted one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from recipes.events import EventWriter, Result
from recipes.parts import steady, training

LONG = {"training.epochs": 8, "training.early_stopping": None, "training.learning_rate": 3e-4}
NEVER = 10**9


class Killed(BaseException):
    """Ends a run at once, without a last word, as kill -9 does."""


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """at_step(step, kind, do): call `do(folder)` when an event of that kind has reached that step."""
    written = EventWriter.write

    monkeypatch.setattr("recipes.parts.context.PROGRESS_SECONDS", 0.0)  # every step is told

    def arrange(step: int, kind: str, do: Callable[[Path], None]) -> None:
        def write(self: EventWriter, event: Any) -> None:
            written(self, event)
            if self.path is not None and event.kind == kind and getattr(event, "step", -1) >= step:
                do(self.path.parent)

        monkeypatch.setattr(EventWriter, "write", write)

    return arrange


def die(_folder: Path) -> None:
    raise Killed


def wish_to_stop(folder: Path) -> None:
    (folder / "stop").touch()


def same_model(one: Path, two: Path) -> None:
    """Bit for bit the same weights."""
    first, second = load_file(one / "model" / "model.safetensors"), load_file(two / "model" / "model.safetensors")
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def same_result(one: Result, two: Result) -> None:
    assert one.metrics == two.metrics
    assert one.curves == two.curves
    assert one.candidates is not None and two.candidates is not None
    assert [found.value for found in one.candidates] == [found.value for found in two.candidates]


def test_stopped_then_killed_then_resumed_equals_uninterrupted(
    new_run: Callable[..., Path], run_here: Callable[..., Any], at_step: Callable[..., None]
) -> None:
    """Stopped in the middle of an epoch, killed later, resumed twice: the same weights, curves and figures."""
    whole, broken = new_run("full", name="whole", **LONG), new_run("full", name="broken", **LONG)
    reference = run_here(whole)
    assert reference.code == 0, reference.last

    at_step(8, "progress", wish_to_stop)
    stopped = run_here(broken)
    assert stopped.code == 3
    assert (stopped.last.kind, stopped.last.step, stopped.last.model_kept) == ("cancelled", 9, True)
    assert (broken.parent / "model" / "config.json").is_file()
    assert not (broken.parent / "result.json").exists()
    (broken.parent / "stop").unlink()
    at_step(30, "progress", die)
    with pytest.raises(Killed):
        run_here(broken)
    at_step(NEVER, "progress", die)

    resumed = run_here(broken)
    assert resumed.code == 0, resumed.last
    assert next(event.step for event in resumed.events if event.kind == "resumed") == 9
    assert resumed.kinds.count("started") == 1 and resumed.kinds.count("resumed") == 2
    same_result(reference.result, resumed.result)
    same_model(whole.parent, broken.parent)


def test_a_damaged_checkpoint_is_left_for_the_one_before(
    new_run: Callable[..., Path],
    run_here: Callable[..., Any],
    at_step: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One flipped byte in the newest checkpoint: it does not count, and the end is the same."""
    monkeypatch.setattr(steady, "CHECKPOINT_SHARE", 1e9)  # a checkpoint at every evaluation
    whole, broken = new_run("last_layers", name="whole", **LONG), new_run("last_layers", name="broken", **LONG)
    reference = run_here(whole)
    at_step(20, "checkpoint", die)
    with pytest.raises(Killed):
        run_here(broken)
    at_step(NEVER, "checkpoint", die)
    folders = sorted((broken.parent / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    assert len(folders) == 2
    optimizer = folders[-1] / "optimizer.pt"
    content = bytearray(optimizer.read_bytes())
    content[len(content) // 2] ^= 1
    optimizer.write_bytes(content)
    resumed = run_here(broken)
    assert resumed.code == 0, resumed.last
    assert [event.step for event in resumed.events if event.kind == "resumed"] == [int(folders[0].name[11:])]
    assert "checkpoint-damaged" in [event.code for event in resumed.events if event.kind == "warning"]
    same_result(reference.result, resumed.result)
    same_model(whole.parent, broken.parent)


def test_a_number_that_is_none_stops_before_the_step(
    new_run: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step whose gradient is not a number is never taken."""
    plan = new_run("full", **LONG)
    losses, calls = training.row_losses, []

    def sometimes_nan(logits: torch.Tensor, labels: torch.Tensor, problem: str) -> torch.Tensor:
        calls.append(1)
        return losses(logits, labels, problem) * (float("nan") if len(calls) == 6 else 1.0)

    monkeypatch.setattr(training, "row_losses", sometimes_nan)
    done = run_here(plan)
    assert (done.code, done.last.kind, done.last.code) == (1, "failed", "nan")
    assert "step 6" in done.last.what
    assert max(event.step for event in done.events if event.kind == "progress") <= 5
    assert not (plan.parent / "model").exists()


def test_memory_that_runs_out_halves_the_rows_in_memory_not_the_batch(
    new_run: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh process with half the micro-batch learns the same as the run would have with enough memory."""
    plan, reference = new_run("full", name="poor"), run_here(new_run("full", name="rich"))
    losses, restarts = training.row_losses, []

    def no_memory(logits: torch.Tensor, labels: torch.Tensor, problem: str) -> torch.Tensor:
        if len(logits) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return losses(logits, labels, problem)

    class Replaced(BaseException):
        pass

    def execv(_path: str, arguments: list[str]) -> None:
        restarts.append(arguments)
        raise Replaced

    monkeypatch.setattr(training, "row_losses", no_memory)
    monkeypatch.setattr("os.execv", execv)
    with pytest.raises(Replaced):
        run_here(plan)
    assert restarts[0][-4:] == ["recipes.run", str(plan), "--micro-batch-size", "8"]
    done = run_here(plan, *restarts[0][-2:])
    assert done.code == 0, done.last
    assert [event.code for event in done.events if event.kind == "warning"] == ["out-of-memory"]
    assert "16" in next(event.text for event in done.events if event.kind == "warning")
    assert done.result.metrics == reference.result.metrics
    mine, theirs = done.result.curves, reference.result.curves
    assert mine is not None and theirs is not None and mine.keys() == theirs.keys()
    for name in mine:
        assert [y for _, y in mine[name]] == pytest.approx([y for _, y in theirs[name]], rel=0.02, abs=1e-3)


def test_stopped_before_there_is_a_model(new_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    plan = new_run("full")
    wish_to_stop(plan.parent)
    done = run_here(plan)
    assert done.code == 3
    assert (done.last.kind, done.last.model_kept) == ("cancelled", False)


def test_time_is_kept(
    new_run: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand epochs in a minute on a slow machine: shortened with a word, the learning rate ends near zero."""
    monkeypatch.setattr(steady.Speed, "seconds_a_unit", lambda _self: 0.005)  # about a second a step
    done = run_here(new_run("full", **{**LONG, "training.epochs": 1000, "training.max_minutes": 1}))
    assert done.code == 0, done.last
    assert [event.code for event in done.events if event.kind == "warning"].count("time-limit") == 1
    steps = max(event.step for event in done.events if event.kind == "progress")
    assert 6 <= steps <= 120
    assert done.result.curves is not None
    rates = [value for _, value in done.result.curves["train/learning_rate"]]
    assert rates[-1] < 0.2 * max(rates)
