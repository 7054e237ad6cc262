"""One run, as a process: reads the plan, does what it says, writes events, a model and a result.

    accelerate launch -m recipes.run RUN/plan.json [--micro-batch-size ROWS]

Exit code 0: finished, and `result.json` exists. 1: failed. 3: stopped on request. The last line of `events.jsonl` says
the same. Started again on the same folder, it goes on from the newest checkpoint that is whole.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from recipes.events import Cancelled, EventWriter, Finished, Result, Resumed, Started, Warned
from recipes.parts import checkpoints
from recipes.parts.context import RunContext, ranks_from_environment
from recipes.parts.errors import RecipeError, Stopped, explain, is_out_of_memory
from recipes.plan import Plan

#: A task and the module whose `train(plan, run)` does it.
RECIPES = {
    "image-classification": "recipes.image_classification",
    "text-classification": "recipes.text_classification",
    "token-classification": "recipes.token_classification",
    "question-answering": "recipes.question_answering",
    "text-generation": "recipes.text_generation",
    "text2text-generation": "recipes.text2text_generation",
    "preference-tuning": "recipes.preference_tuning",
    "sentence-similarity": "recipes.sentence_similarity",
    "audio-classification": "recipes.audio_classification",
    "automatic-speech-recognition": "recipes.automatic_speech_recognition",
}
FINISHED, FAILED, CANCELLED = 0, 1, 3
SMALLEST_MICRO_BATCH = 1
DEFAULT_MICRO_BATCH = 16


def main(argv: list[str] | None = None) -> int:
    """Run one plan; returns the exit code."""
    parser = argparse.ArgumentParser(prog="recipes.run", description="Run one plan.")
    parser.add_argument("plan", type=Path, help="plan.json; its folder becomes the run's folder")
    parser.add_argument("--micro-batch-size", type=int, default=None, help="at most so many rows in memory at once")
    arguments = parser.parse_args(argv)
    # Threads that wait sleep instead of spinning: with busy neighbours that is twice as fast. Read when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    directory = arguments.plan.resolve().parent
    rank, world_size, local_world_size = ranks_from_environment()
    run = RunContext(
        directory=directory,
        events=EventWriter(directory / "events.jsonl" if rank == 0 else None),
        rank=rank,
        world_size=world_size,
        local_world_size=local_world_size,
        micro_batch_size=arguments.micro_batch_size,
    )
    if run.is_main:
        (directory / "result.json").unlink(missing_ok=True)
    with _Signals(run):
        return _guarded(arguments.plan, run)


def _guarded(path: Path, run: RunContext) -> int:
    """Run, and turn however it ends into one last word and an exit code."""
    try:
        plan = _load(path, run)
        result = recipe(plan).train(plan, run)
        if run.is_main:
            _write_result(run, result)
        run.write(Finished(verdict=result.verdict.code, text=result.verdict.text))
        return FINISHED
    except Stopped as stop:
        run.write(Cancelled(step=stop.step, text=_stopped_sentence(stop), model_kept=stop.model_kept))
        return CANCELLED
    except Exception as error:  # noqa: BLE001 the last word must be written whatever happened
        traceback.print_exc()
        if is_out_of_memory(error) and _may_go_on_smaller(run):
            _go_on_smaller(path, run)
        run.write(explain(error))
        return FAILED
    finally:
        _remember_time(run)
        run.events.sync()


def _load(path: Path, run: RunContext) -> Plan:
    """Say that the run started (or goes on), then read its plan and check that nothing is missing.

    Raises:
        RecipeError: `plan-invalid` or `plan-incomplete`, with every fault.
    """
    plan, fault = _read(path)
    _say_started(run, plan)
    if plan is None:
        raise RecipeError(
            "plan-invalid", f"The plan {path.name} cannot be used: {fault}", "", "Correct it and start again."
        )
    gaps = plan.gaps()
    if gaps:
        raise RecipeError(
            "plan-incomplete",
            f"The plan leaves open: {', '.join(gaps)}.",
            "A run needs a value for each.",
            "Fill them in and start again.",
        )
    run.max_seconds = None if plan.training.max_minutes is None else plan.training.max_minutes * 60
    run.seconds_before = checkpoints.Memory.load(run.directory / "checkpoints").elapsed_seconds
    return plan


def _read(path: Path) -> tuple[Plan | None, str]:
    try:
        return Plan.load(path), ""
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'plan'}: {fault['msg']}" for fault in error.errors()]
        return None, "; ".join(faults[:20])
    except (OSError, ValueError) as error:
        return None, str(error)


def _say_started(run: RunContext, plan: Plan | None) -> None:
    from recipes.parts.device import versions

    if not run.is_main:
        return
    newest, _ = checkpoints.newest_valid(run.directory / "checkpoints")
    if _has_begun(run.directory / "events.jsonl"):
        step = max(0, checkpoints.step_of(newest)) if newest is not None else 0
        reason = (
            f"from the checkpoint of step {step:,}"
            if newest is not None
            else "from the beginning; no checkpoint was written yet"
        )
        run.write(Resumed(step=step, reason=reason))
        return
    run.write(
        Started(
            versions=versions(),
            device=_device_in_words(),
            plan=plan.fingerprint() if plan is not None else "",
            pid=os.getpid(),
            processes=run.world_size,
        )
    )


def _has_begun(events: Path) -> bool:
    try:
        with events.open(encoding="utf-8") as file:
            return '"kind":"started"' in file.readline().replace(" ", "")
    except OSError:
        return False


def _device_in_words() -> str:
    """A quick look without loading torch; the result names the device exactly."""
    if os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes"):
        return "cpu"
    return "cuda" if Path("/dev/nvidiactl").exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != "" else "cpu"


def recipe(plan: Plan) -> Any:
    """The module that does a plan's task.

    Raises:
        RecipeError: `task-not-available`.
    """
    name = RECIPES.get(str(plan.task))
    if name is None:
        raise RecipeError(
            "task-not-available",
            f"There is no recipe for the task {plan.task} yet.",
            f"What can be trained: {', '.join(RECIPES)}.",
            "Choose one of these tasks.",
        )
    return importlib.import_module(name)


def _write_result(run: RunContext, result: Result) -> None:
    checkpoints.write_atomically(run.directory / "result.json", result.model_dump_json(indent=2) + "\n")


def _stopped_sentence(stop: Stopped) -> str:
    if stop.model_kept:
        return f"Stopped after step {stop.step:,}. The best state so far is kept, and the run can go on later."
    return "Stopped before there was a model to keep. Starting it again goes on from here."


def _remember_time(run: RunContext) -> None:
    """A restarted run counts the time that this process took."""
    folder = run.directory / "checkpoints"
    if run.is_main and folder.is_dir():
        memory = checkpoints.Memory.load(folder)
        memory.elapsed_seconds = run.elapsed()
        memory.save(folder)


# Memory


def _may_go_on_smaller(run: RunContext) -> bool:
    return run.world_size == 1 and (run.micro_batch_size or DEFAULT_MICRO_BATCH) > SMALLEST_MICRO_BATCH


def _go_on_smaller(path: Path, run: RunContext) -> None:
    """Become a fresh process with half as many rows in memory; a step still learns from as many rows."""
    now = run.rows_in_memory or run.micro_batch_size or DEFAULT_MICRO_BATCH
    smaller = max(SMALLEST_MICRO_BATCH, now // 2)
    run.write(
        Warned(
            code="out-of-memory",
            text=f"Memory ran out with {now} texts at once. The run goes on with {smaller} at once; each step still "
            "learns from as many texts, so the result stays the same, only slower.",
        )
    )
    _remember_time(run)
    run.events.sync()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "recipes.run", str(path), "--micro-batch-size", str(smaller)])


# Signals


class _Signals:
    """While entered, SIGTERM and SIGINT ask the run to stop at its next step."""

    def __init__(self, run: RunContext) -> None:
        self.run = run
        self._before: dict[signal.Signals, Any] = {}

    def _ask(self, *_: Any) -> None:
        self.run.signalled = True

    def __enter__(self) -> None:
        for which in (signal.SIGTERM, signal.SIGINT):
            self._before[which] = signal.signal(which, self._ask)

    def __exit__(self, *_: Any) -> None:
        for which, handler in self._before.items():
            signal.signal(which, handler)


if __name__ == "__main__":
    sys.exit(main())
