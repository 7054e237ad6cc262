"""A trial: fewer rows, the same work; the time of a step is read from the run's own events."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.jobs import trial
from recipes.events import EventWriter, Phase, Progress
from recipes.plan import Plan

PLAN = Plan().changed({
    "task": "text-classification", "base_model": "m", "method.name": "full", "training.epochs": 5,
    "training.batch_size": 16, "data.source": "mine.csv", "data.test_source": "test.csv", "data.test_name": "test.csv",
})  # fmt: skip


def test_the_trial_does_the_same_work_on_fewer_rows() -> None:
    small = trial.trial_plan(PLAN)
    assert (small.base_model, small.method, small.training.batch_size) == (PLAN.base_model, PLAN.method, 16)
    assert (small.training.epochs, small.data.test_source, small.evaluation.baselines) == (1.0, None, ("majority",))
    assert trial.trial_plan(PLAN.changed({"method.name": "head", "training.epochs": 1})).method.name == "head"


@pytest.mark.parametrize(("batch", "rows"), [(8, 160), (16, 192), (32, 384), (256, 800)])
def test_rows_make_some_steps(batch: int, rows: int) -> None:
    assert trial.rows_for(PLAN.changed({"training.batch_size": batch})) == rows


def write(path: Path, told: list[tuple[float, int]]) -> None:
    writer = EventWriter(path)
    writer.write(Phase(name="training"))
    for at, step in told:
        writer.write(Progress(at=at, step=step, total_steps=100, phase="training"))


def test_a_step_is_timed_after_the_first(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [(0.0, 0), (9.0, 1), (10.0, 2), (11.0, 4), (12.0, 6)])
    assert trial.step_seconds(path) == pytest.approx(0.5)


def test_a_pause_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, [(10.0, 2), (11.0, 4), (12.0, 6), (13.0, 8), (5000.0, 4), (5001.0, 6)])
    assert trial.step_seconds(path) == pytest.approx(0.5)


@pytest.mark.parametrize("told", [[], [(1.0, 1)], [(1.0, 2)]])
def test_without_steps_there_is_no_time(tmp_path: Path, told: list[tuple[float, int]]) -> None:
    path = tmp_path / "events.jsonl"
    write(path, told)
    assert trial.step_seconds(path) is None
    assert trial.step_seconds(tmp_path / "nowhere.jsonl") is None
