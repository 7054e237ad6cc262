"""Measure first: a few real steps of a plan on a part of its rows, in a process of their own, before the run itself.

The trial is an ordinary run of the recipe on some hundred rows, in a folder that is removed afterwards; what it took is
read from its events and its result, as of any other run.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import PlainError
from assistant.jobs import launchers, rundir
from assistant.jobs.launchers import LAUNCHERS, Launch, Machine
from recipes.events import Progress, read_events
from recipes.plan import Plan

#: Rows of a trial: enough for some twelve steps, for a judgement, and above the number that is cross-validated.
STEPS, LEAST_ROWS, MOST_ROWS = 12, 160, 800
SECONDS = 300.0
MINUTES = 3.0
#: First steps that warm up and are not counted.
WARM_UP = 1


@dataclass(frozen=True)
class Trial:
    """What a trial took. `step_seconds`: mean of its steps, None where it trained none."""

    result: dict[str, Any]
    plan: Plan
    step_seconds: float | None


def rows_for(plan: Plan) -> int:
    """Rows that a trial of this plan takes."""
    return max(LEAST_ROWS, min(MOST_ROWS, STEPS * (plan.training.batch_size or 16)))


def trial_plan(plan: Plan) -> Plan:
    """The plan of the trial: the same work on fewer rows, once through, without what only the verdict needs."""
    changes: dict[str, Any] = {
        "data.source": "data/train.jsonl", "data.test_source": None, "data.test_name": None,
        "training.max_minutes": MINUTES, "evaluation.baselines": ("majority",),
        "evaluation.test_fraction": 0.15, "evaluation.validation_fraction": 0.12,
    }  # fmt: skip
    if plan.method.name != "head":
        changes["training.epochs"] = 1.0
    return plan.changed(changes)


def run(folder: Path, plan: Plan, machine: Machine) -> Trial:
    """Run the trial whose `plan.json` and data lie in `folder`; the folder is gone afterwards.

    Raises:
        PlainError: it failed (with the run's own words), or took too long.
    """
    try:
        process = LAUNCHERS["local"].start(Launch(folder, plan, machine))
        try:
            process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise PlainError(
                "took-too-long",
                f"The trial of a few steps did not end within {SECONDS / 60:.0f} minutes.",
                "A dozen steps on some hundred rows take about a minute on most machines.",
                "If something else keeps this machine busy, ask again later; else choose a smaller model.",
            ) from None
        finally:
            launchers.end_processes(folder, force=True)
            process.wait()
        return _outcome(folder, plan)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _outcome(folder: Path, plan: Plan) -> Trial:
    result = rundir.read_json(folder / "result.json")
    if result is None:
        word = rundir.last_word(folder)
        if word is not None and word.kind == "failed":
            raise PlainError(word.code, f"The trial failed. {word.what}", word.expected, word.fix)
        raise launchers.died("run", None, folder / "log.txt")
    return Trial(result, plan, step_seconds(folder / "events.jsonl"))


def step_seconds(events: Path) -> float | None:
    """Mean seconds of a training step, by the times at which the progress was told; None where there was none.

    Steps that were made anew after a pause count from the pause on.
    """
    told: list[tuple[float, int]] = []
    longest: list[tuple[float, int]] = []
    for event in read_events(events)[0]:
        if isinstance(event, Progress) and event.phase == "training" and event.step > WARM_UP:
            if told and event.step <= told[-1][1]:
                told = []
            told.append((event.at, event.step))
            longest = told if len(told) > len(longest) else longest
    if len(longest) < 2:
        return None
    (first, before), (last, after) = longest[0], longest[-1]
    return (last - first) / (after - before) if after > before else None
