"""Launchers: start a run's process, and end it. One class a target, in a dict.

local    `accelerate launch … -m recipes.run RUN/plan.json` in a process group of its own, so that neither Ctrl-C in a
         terminal nor the end of the server reaches it
hf_jobs, ray    not in this version: they say so
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

import recipes
from assistant.errors import PlainError
from assistant.jobs import rundir
from recipes.plan import Plan

#: Everything of ours that a child may run is found here, wherever it is started.
_PACKAGES = str(Path(recipes.__file__).resolve().parents[1])


@dataclass(frozen=True)
class Machine:
    """What a launcher needs to know of this machine."""

    cores: int = 1
    gpus: int = 0


@dataclass(frozen=True)
class Launch:
    """What is to be started, and where. `micro_batch_size` overrides the plan's after memory ran out."""

    run_dir: Path
    plan: Plan
    machine: Machine
    micro_batch_size: int | None = None


class Launcher(Protocol):
    """Starts the process of one run."""

    def start(self, launch: Launch) -> subprocess.Popen[bytes]:
        """Launch and return the process; its output goes to log.txt.

        Raises:
            PlainError: this target cannot be used.
        """
        ...


def environment(run_dir: Path | None = None) -> dict[str, str]:
    """The environment of a child: ours without the chat's key, the packages findable, its own folder not importable."""
    child = {name: value for name, value in os.environ.items() if name != "FINETUNE_ASSISTANT_READER_KEY"}
    child["PYTHONPATH"] = os.pathsep.join(part for part in (_PACKAGES, child.get("PYTHONPATH", "")) if part)
    child["PYTHONSAFEPATH"] = "1"
    child["PYTHONUNBUFFERED"] = "1"
    child["PYTHONUTF8"] = "1"
    child["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if run_dir is not None:
        child[rundir.RUN_VARIABLE] = run_dir.name
    return child


class Local:
    """This machine, through Accelerate."""

    def command(self, launch: Launch) -> list[str]:
        """The command line: one process on the CPU or one GPU, or one process a device."""
        machine = launch.machine
        processes = launch.plan.compute.devices or max(1, machine.gpus)
        if machine.gpus:
            processes = min(processes, machine.gpus)
        arguments = [sys.executable, "-m", "accelerate.commands.launch", "--num_machines", "1"]
        arguments += ["--num_processes", str(processes), "--mixed_precision", "no", "--dynamo_backend", "no"]
        arguments += ["--num_cpu_threads_per_process", str(max(1, machine.cores // processes))]
        if processes > 1:
            # torchrun starts several; without a GPU, ACCELERATE_USE_CPU makes them speak gloo. Port 0: any free one.
            arguments += ["--multi_gpu", "--main_process_port", "0"]
        elif not machine.gpus:
            arguments += ["--cpu"]
        arguments += ["-m", "recipes.run", str(launch.run_dir / "plan.json")]
        if launch.micro_batch_size:
            arguments += ["--micro-batch-size", str(launch.micro_batch_size)]
        return arguments

    def start(self, launch: Launch) -> subprocess.Popen[bytes]:
        """Launch in a session of its own."""
        child = environment(launch.run_dir)
        if not launch.machine.gpus:
            child["ACCELERATE_USE_CPU"] = "true"
        with (launch.run_dir / "log.txt").open("ab") as output:
            return subprocess.Popen(
                self.command(launch),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=launch.run_dir,
                env=child,
                start_new_session=True,
            )


class NotHere:
    """A target that this version does not know how to reach."""

    def __init__(self, name: str) -> None:
        self.name = name

    def start(self, launch: Launch) -> subprocess.Popen[bytes]:
        """Refuse with a sentence."""
        del launch
        raise PlainError(
            "target-not-available",
            f"The plan asks for a rented machine ({self.name}), which this version cannot start yet.",
            "It can run here, on this machine.",
            'Say "run it here" and start again.',
        )


LAUNCHERS: dict[str, Launcher] = {"local": Local(), "hf_jobs": NotHere("Hugging Face Jobs"), "ray": NotHere("Ray")}


def end_processes(run_dir: Path, *, force: bool) -> None:
    """Ask every process of a run to end (SIGTERM), or end it at once (SIGKILL)."""
    card = rundir.read_process(run_dir)
    family = list(rundir.processes_of(run_dir))
    if card is not None and rundir.start_time(card.pid) == card.start_time:
        family += [psutil.Process(card.pid)]
    for process in {one.pid: one for one in family}.values():
        try:
            process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM) if force else signal.SIGTERM)
        except psutil.Error:
            continue  # it has ended meanwhile


def call_recipe(module: str, arguments: Sequence[str], *, log: Path, seconds: float) -> dict[str, Any]:
    """Run `python -m recipes.<module> …` to its end; returns the last JSON object that it printed, or {}.

    Raises:
        PlainError: the process said what is wrong (`{"error": {…}}`), died, or took longer than `seconds`.
    """
    command = [sys.executable, "-m", f"recipes.{module}", *arguments]
    try:
        with log.open("ab") as errors:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment(),
                cwd=log.parent, timeout=seconds, check=False,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PlainError("took-too-long", f"The step “{module}” was ended after {seconds / 60:.0f} minutes.",
                         fix="Try it with fewer rows.") from None  # fmt: skip
    answer = _last_object(done.stdout.decode("utf-8", errors="replace"))
    raise_told(answer)
    if done.returncode != 0:
        raise died(module, done.returncode, log)
    return answer


def _last_object(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            return found if isinstance(found, dict) else {}
    return {}


def raise_told(answer: dict[str, Any]) -> None:
    """Raise what a recipe's process answered as its error, if it did."""
    error = answer.get("error")
    if isinstance(error, dict):
        parts = {key: str(error.get(key) or "") for key in ("code", "what", "expected", "fix")}
        raise PlainError(parts["code"] or "process-died", parts["what"], parts["expected"], parts["fix"])


def died(module: str, code: int | None, log: Path) -> PlainError:
    """The error for a process that ended without saying why."""
    why = (
        "was ended by the system, most often for want of memory"
        if code in (-9, 137)
        else f"ended early (exit code {code})"
    )
    return PlainError("process-died", f"The process for “{module}” {why}.", fix=f"The details are at the end of {log}.")
