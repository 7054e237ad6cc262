"""A real session in a home of its own, and runs that were finished before."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from assistant.chat.turns import Reply
from assistant.jobs import rundir
from assistant.jobs.home import new_run_id
from assistant.session import Session
from recipes import events as contract
from recipes.plan import Data, Method, Plan, Training

PLAN = Plan(
    task="text-classification", problem="single_label_classification", base_model="minilm",
    method=Method(name="head"), data=Data(source="data/train.jsonl", columns={"text": "text", "label": "label"}),
    training=Training(epochs=3, learning_rate=0.001, batch_size=16, max_length=128),
)  # fmt: skip
RESULT = {
    "task": "text-classification", "base_model": "minilm", "method": {"name": "head"},
    "rows": {"train": 80, "test": 20}, "metrics": {"accuracy": {"value": 0.95, "low": 0.76, "high": 0.99}},
    "baselines": {"majority": {"accuracy": {"value": 0.5}}},
    "verdict": {"code": "better", "text": "On 20 texts it never saw, 95.0 % are right."},
    "trainable_parameters": 770, "total_parameters": 22713986, "seconds": {"total": 12.0}, "peak_bytes": {},
    "environment": {}, "data_sha256": "ab" * 32, "seed": 42, "metric": "accuracy",
    "mistakes": [{"row": 7, "input": "a private text", "expected": "a", "predicted": "b", "confidence": 0.9}],
}  # fmt: skip


T = TypeVar("T")


def in_a_loop(make: Callable[[], T]) -> T:
    """Make Gradio blocks inside a running event loop: outside of one they leave new loops unclosed (a warning)."""

    async def run() -> T:
        return make()

    return asyncio.run(run())


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """The real session; no worker runs."""
    opened = Session(tmp_path / "home")
    yield opened
    opened.close()


def add_run(session: Session, conversation: str, *, finished: bool = True, told: bool = True) -> str:
    """A run as a worker leaves it behind, and its live card in the conversation."""
    run = new_run_id()
    folder = session.home.run_dir(run)
    (folder / "model").mkdir(parents=True)
    PLAN.save(folder / "plan.json")
    (folder / "model" / "config.json").write_text("{}")
    (folder / "model" / "model.safetensors").write_bytes(bytes(range(256)) * 20_000)
    about = rundir.About(
        id=run, number=session.store.next_number(), title="mails", conversation=conversation, created=time.time()
    )
    rundir.write_json(folder / "run.json", about)
    writer = contract.EventWriter(folder / "events.jsonl")
    writer.write(contract.Started(versions={}, device="cpu", plan="x"))
    writer.write(contract.Progress(step=3, total_steps=9, eta_seconds=60))
    if finished:
        writer.write(contract.Finished(verdict="better", text="Good."))
        (folder / "result.json").write_text(json.dumps(RESULT))
    session.store.add_run(about, "text-classification", "finished" if finished else "running", told=told)
    if not finished:  # this process plays the run's
        mine = rundir.ProcessCard(
            pid=os.getpid(), start_time=rundir.start_time(os.getpid()) or "", launched_at=time.time()
        )
        rundir.write_json(folder / "process.json", mine)
    for card in ["run", "report"] if finished else ["run"]:
        reply = Reply(text="A run.", card=card, data={"run": run})
        session.store.add_message(conversation, "assistant", reply.model_dump(mode="json"))
    return run
