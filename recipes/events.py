"""The events and the result: what comes out of a run. Standard library and pydantic only.

`events.jsonl` holds one JSON object a line, `{"at": seconds since the epoch, "kind": …}`. First is `started`; the last
is one of `finished`, `failed`, `cancelled`; steps never go back except after a `resumed`. One process writes (rank 0);
a reader keeps a byte offset, stops at the last newline and skips kinds that it does not know.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

LAST_WORDS = ("finished", "failed", "cancelled")


class Record(BaseModel):
    """A frozen record; fields added by a later version are kept out of an older reader's way."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Record):
    """What every event has."""

    at: float = Field(default_factory=time.time)


class Started(Event):
    kind: Literal["started"] = "started"
    versions: dict[str, str]
    device: str
    plan: str  # Plan.fingerprint()
    pid: int | None = None
    processes: int = 1


class Resumed(Event):
    kind: Literal["resumed"] = "resumed"
    step: int
    reason: str = ""


class Phase(Event):
    """A stretch of work with a name: reading, baselines, features, head, training, testing, saving, …"""

    kind: Literal["phase"] = "phase"
    name: str
    text: str = ""


class Progress(Event):
    kind: Literal["progress"] = "progress"
    step: int
    total_steps: int
    eta_seconds: float | None = None
    phase: str = "training"


class Metric(Event):
    kind: Literal["metric"] = "metric"
    split: Literal["train", "validation", "test"]
    step: int
    name: str
    value: float


class Estimate(Event):
    kind: Literal["estimate"] = "estimate"
    predicted_peak_bytes: int | None = None
    measured_peak_bytes: int | None = None
    predicted_seconds: float | None = None
    measured_seconds: float | None = None


class Sample(Event):
    kind: Literal["sample"] = "sample"
    name: str
    value: dict[str, Any]


class Checkpoint(Event):
    kind: Literal["checkpoint"] = "checkpoint"
    step: int
    path: str
    best: bool = False


class Warned(Event):
    kind: Literal["warning"] = "warning"
    code: str
    text: str


class Finished(Event):
    kind: Literal["finished"] = "finished"
    verdict: str
    text: str


class Failed(Event):
    """Why it failed, for a beginner: what happened with values, what was expected, what to do."""

    kind: Literal["failed"] = "failed"
    code: str
    what: str
    expected: str = ""
    fix: str = ""


class Cancelled(Event):
    kind: Literal["cancelled"] = "cancelled"
    step: int = 0
    text: str = ""
    model_kept: bool = False


AnyEvent = Annotated[
    Started
    | Resumed
    | Phase
    | Progress
    | Metric
    | Estimate
    | Sample
    | Checkpoint
    | Warned
    | Finished
    | Failed
    | Cancelled,
    Field(discriminator="kind"),
]
_ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyEvent)
_KINDS = {
    "started", "resumed", "phase", "progress", "metric", "estimate", "sample", "checkpoint", "warning", *LAST_WORDS,
}  # fmt: skip


class EventWriter:
    """Appends events to a file, one line and one flush each. A writer of another rank (`path=None`) is silent."""

    def __init__(self, path: Path | None, echo: TextIO | None = None) -> None:
        self.path = path
        self._echo = echo
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, event: Event) -> None:
        """Append one event; whole lines only, so that a reader never sees half of one as a record."""
        line = event.model_dump_json() + "\n"
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
        if self._echo is not None:
            self._echo.write("@event " + line)
            self._echo.flush()

    def sync(self) -> None:
        """Make sure that what was written survives a power cut."""
        if self.path is not None and self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())


def read_events(path: Path, offset: int = 0) -> tuple[list[Any], int]:
    """Events after a byte offset, and the offset to go on from.

    A torn last line is left for the next call; lines of unknown kinds, or that are not events, are skipped.
    """
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        chunk = file.read()
    end = chunk.rfind(b"\n") + 1
    events: list[Any] = []
    for line in chunk[:end].splitlines():
        try:
            tree = json.loads(line)
            if isinstance(tree, dict) and str(tree.get("kind")) in _KINDS:
                events.append(_ADAPTER.validate_python(tree))
        except (ValueError, ValidationError, RecursionError):
            continue
    return events, offset + end


class Interval(Record):
    """A figure with its 95 % interval."""

    value: float
    low: float | None = None
    high: float | None = None


class Verdict(Record):
    code: Literal["better", "same", "worse", "not_enough_data"]
    text: str
    best_baseline: str | None = None
    metric: str | None = None
    difference: Interval | None = None  # model minus best baseline, in the metric's unit, positive is good
    p_value: float | None = None


class ClassFigures(Record):
    """How one class did on the test rows."""

    label: str
    rows: int
    precision: Interval | None = None
    recall: Interval | None = None
    f1: float | None = None


class Mistake(Record):
    """One test row that the model got wrong, the surest first. Stays in the run's folder."""

    row: int
    input: str
    expected: str
    predicted: str
    confidence: float | None = None
    picture: str | None = None  # a small copy of the picture, relative to the run's folder
    audio: str | None = None  # the recording, relative to the run's folder


class Written(Record):
    """What a language model wrote for one test row, before the training and after it. Stays in the run's folder."""

    row: int
    prompt: str
    expected: str
    before: str
    after: str


class Heard(Record):
    """What was said in a test recording, and what was written before the training and after it. Stays in the run."""

    row: int
    audio: str  # the recording, relative to the run's folder
    expected: str
    before: str
    after: str
    wrong: int  # wrong words after the training, of `words`
    words: int


class WordFigures(Record):
    """A word, how often it was said in the test recordings, how often it was wrong, and what was heard instead."""

    word: str
    said: int
    wrong: int
    heard: str = ""


class Candidate(Record):
    """One way of training that was tried, and its figure on the validation rows."""

    name: str
    metric: str
    value: float
    seconds: float | None = None
    chosen: bool = False
    note: str = ""


class Result(Record):
    """`result.json`: written last, so its presence means success."""

    task: str
    base_model: str
    method: dict[str, Any]
    problem: str | None = None
    rows: dict[str, int]
    metrics: dict[str, Interval]
    baselines: dict[str, dict[str, Interval]]
    verdict: Verdict
    trainable_parameters: int
    total_parameters: int
    seconds: dict[str, float]
    peak_bytes: dict[str, int | None]
    environment: dict[str, Any]
    data_sha256: str
    seed: int
    metric: str = ""
    labels: list[str] | None = None
    confusion: list[list[int]] | None = None  # rows: true class, columns: predicted class, in the order of labels
    classes: list[ClassFigures] | None = None
    mistakes: list[Mistake] | None = None
    examples: dict[str, str] | None = None  # class -> a small picture of it, relative to the run's folder
    candidates: list[Candidate] | None = None
    written: list[Written] | None = None
    heard: list[Heard] | None = None
    words: list[WordFigures] | None = None  # those most often wrong
    curves: dict[str, list[list[float]]] | None = None  # "train/loss" -> [[step, value], …]
    warnings: list[dict[str, str]] | None = None
    notes: list[str] | None = None
    evaluation: str | None = None  # "test rows" or "5-fold cross-validation, 4 times"
    model_format: str | None = None  # "transformers" or "peft", "+head": with a head file

    @classmethod
    def load(cls, path: Path) -> Result:
        """Read `result.json`.

        Raises:
            OSError, pydantic.ValidationError: there is none, or it is not one.
        """
        return cls.model_validate_json(path.read_text(encoding="utf-8"))
