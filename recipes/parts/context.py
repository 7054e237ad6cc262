"""What a recipe may know about its run: where it writes, who else computes, how long it may take, whether to stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from recipes.events import Event, EventWriter, Phase, Progress, Warned
from recipes.parts.errors import Stopped

Value = TypeVar("Value")
PROGRESS_SECONDS = 0.5  # at most two progress events a second


@dataclass
class RunContext:
    """One process's view of a run. Only rank 0 writes; the other ranks' event writer is silent.

    Attributes:
        directory: the run's folder.
        micro_batch_size: set after memory ran out: at most so many rows in memory at once.
        max_seconds: the whole run's budget, counted over all phases and all restarts; None: no limit.
        seconds_before: what earlier processes of this run took.
        signalled: a signal asked for a stop.
        predicted_peak_bytes, rows_in_memory: what the recipe expects to need, and its micro-batch.
    """

    directory: Path
    events: EventWriter
    rank: int = 0
    world_size: int = 1
    local_world_size: int = 1
    micro_batch_size: int | None = None
    max_seconds: float | None = None
    seconds_before: float = 0.0
    signalled: bool = False
    predicted_peak_bytes: int | None = None
    rows_in_memory: int | None = None
    started: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _last_progress: float = 0.0

    @property
    def is_main(self) -> bool:
        """Whether this process is rank 0."""
        return self.rank == 0

    @property
    def cache(self) -> Path:
        """Shared between the runs of one home; inside the run's folder when the run lives somewhere else."""
        parent = self.directory.parent
        return (parent.parent if parent.name == "runs" else self.directory) / "cache"

    def write(self, event: Event) -> None:
        """Append an event; silent on other ranks."""
        if self.is_main:
            self.events.write(event)

    def warn(self, code: str, text: str) -> None:
        """Say something that the person should know, now and in the report."""
        self.warnings.append({"code": code, "text": text})
        self.write(Warned(code=code, text=text))

    def note(self, text: str) -> None:
        """A sentence for the report."""
        if text and text not in self.notes:
            self.notes.append(text)

    @contextmanager
    def phase(self, name: str, text: str = "", stoppable: bool = True) -> Iterator[None]:
        """A stretch of work: announced, timed, and not begun when the run shall stop (unless it is soon over)."""
        if stoppable:
            self.check_stop()
        self.write(Phase(name=name, text=text))
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start

    def progress(self, step: int, total_steps: int, eta_seconds: float | None, phase: str) -> None:
        """How far a phase is; events that come too fast are left out."""
        now = time.monotonic()
        if now - self._last_progress >= PROGRESS_SECONDS or step >= total_steps:
            self._last_progress = now
            self.write(Progress(step=step, total_steps=total_steps, eta_seconds=eta_seconds, phase=phase))

    def elapsed(self) -> float:
        """Seconds since the first start of this run, restarts counted, pauses not."""
        return self.seconds_before + time.monotonic() - self.started

    def seconds_left(self) -> float:
        """Seconds of the budget that are left; infinite without one, never negative."""
        return float("inf") if self.max_seconds is None else max(0.0, self.max_seconds - self.elapsed())

    def stop_requested(self) -> bool:
        """Whether this process sees a wish to stop: the file `stop`, or a signal."""
        return self.signalled or (self.directory / "stop").exists()

    def check_stop(self) -> None:
        """Leave when rank 0 sees a wish to stop; every rank leaves at the same place.

        Raises:
            Stopped: no model was kept.
        """
        if self.agree(self.stop_requested()):
            raise Stopped()

    def agree(self, value: Value) -> Value:
        """Rank 0's value, on every rank."""
        if self.world_size == 1:
            return value
        import torch.distributed as dist

        if not dist.is_initialized():
            return value
        box: list[Any] = [value]
        dist.broadcast_object_list(box, src=0)
        result: Value = box[0]
        return result

    def on_main(self, work: Callable[[], Value]) -> Value:
        """Do the work on rank 0 and hand its result, or its error, to every rank."""
        if self.world_size == 1:
            return work()
        result: Value | None = None
        failure: BaseException | None = None
        if self.is_main:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 every rank must hear of it, or the others wait for ever
                failure = error
        result, failure = self.agree((result, failure))
        if failure is not None:
            raise failure
        return result  # type: ignore[return-value]


def ranks_from_environment() -> tuple[int, int, int]:
    """Rank, world size and local world size, as the launcher set them."""
    return (
        int(os.environ.get("RANK", "0")),
        int(os.environ.get("WORLD_SIZE", "1")),
        int(os.environ.get("LOCAL_WORLD_SIZE", os.environ.get("WORLD_SIZE", "1"))),
    )
