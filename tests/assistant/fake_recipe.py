"""A recipe without a model: a real process that writes real events. The plan's `base_model` says how it behaves.

finish        a few steps, then a result
fail          a reason, exit code 1
steps         a step each 50 ms until it is stopped; keeps its best state, exit code 3
deaf          as `steps`, but looks for no stop file and ignores SIGTERM
silent-death  ends without a word
killed-once   kills itself as the kernel would, until it is started with a smaller micro batch
killed        always kills itself
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from recipes.events import (
    Cancelled,
    EventWriter,
    Failed,
    Finished,
    Interval,
    Phase,
    Progress,
    Result,
    Resumed,
    Started,
    Verdict,
    read_events,
)
from recipes.plan import Plan


def result(plan: Plan) -> Result:
    verdict = Verdict(code="better", text="On 2 texts it never saw, all are right.")
    return Result(
        task="text-classification", base_model="finish", method={"name": "head"},
        rows={"train": 8, "validation": 2, "test": 2}, metrics={"accuracy": Interval(value=1.0, low=0.3, high=1.0)},
        baselines={"majority": {"accuracy": Interval(value=0.5)}}, verdict=verdict, trainable_parameters=10,
        total_parameters=100, seconds={"total": 0.1}, peak_bytes={"predicted": 1, "measured": 1}, environment={},
        data_sha256="0" * 64, seed=plan.training.seed, metric="accuracy", problem="single_label_classification",
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]).parent
    plan = Plan.load(Path(arguments[0]))
    how = plan.base_model
    writer = EventWriter(folder / "events.jsonl")
    before = [event.step for event in read_events(folder / "events.jsonl")[0] if event.kind == "progress"]
    if before:
        writer.write(Resumed(step=before[-1]))
    else:
        writer.write(Started(versions={}, device="cpu", plan=plan.fingerprint(), pid=os.getpid()))
    writer.write(Phase(name="training", text="Training"))
    sys.stdout.write(f"hello from {how}\n")
    if how == "fail":
        writer.write(
            Failed(code="one-class", what="All 8 rows are “spam”.", expected="Two classes.", fix="Add others.")
        )
        return 1
    if how == "silent-death":
        sys.stdout.write("RuntimeError: the cable was pulled\n")
        return 7
    if how == "killed" or (how == "killed-once" and "--micro-batch-size" not in arguments):
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    first = before[-1] + 1 if before else 1
    for step in range(first, first + (3 if how in ("finish", "killed-once") else 2000)):
        writer.write(Progress(step=step, total_steps=2000))
        time.sleep(0.02)
        if how != "deaf" and (folder / "stop").exists():
            (folder / "model").mkdir(exist_ok=True)
            writer.write(Cancelled(step=step, model_kept=True))
            return 3
    (folder / "model").mkdir(exist_ok=True)
    (folder / "result.json").write_text(result(plan).model_dump_json(), encoding="utf-8")
    writer.write(Finished(verdict="better", text="On 2 texts it never saw, all are right."))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
