"""A run as it looks from outside: a fold of `events.jsonl`, the same for a live, a finished and a remote run.

fold(events) -> RunView            pure; any sequence of events is accepted
load(run_dir) -> RunView           events and result of a run folder; only what was appended since the last call is read
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recipes import events as contract

Status = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]

#: Points kept of one curve: twice what a 300 pixel wide drawing can show.
MAX_POINTS = 400
MAX_WARNINGS = 20
MAX_STRETCHES = 40
#: Followed runs kept in memory; a run that fell out is read again from its beginning.
MAX_FOLLOWED = 64


class View(BaseModel):
    """A frozen record."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Stretch(View):
    """One phase of the run. `seconds` is None while it lasts."""

    name: str
    text: str = ""
    seconds: float | None = None


class Notice(View):
    """A warning: its code has a page in the concepts."""

    code: str
    text: str


class Failure(View):
    """Why a run failed, in the three sentences of `failed`."""

    code: str
    what: str
    expected: str = ""
    fix: str = ""


class Estimates(View):
    """Predicted and measured cost; bytes at the peak, seconds of the whole run."""

    predicted_peak_bytes: int | None = None
    measured_peak_bytes: int | None = None
    predicted_seconds: float | None = None
    measured_seconds: float | None = None


class ReadPart(View):
    """A part of one training row as a language model reads it, and whether it is learned."""

    text: str
    learned: bool = False


class RunView(View):
    """What a page, a terminal or a test needs to show a run.

    `curves` maps "split/name" to `[[step, value], …]`, at most `MAX_POINTS` points each, the last one always there.
    `seconds` is the time in which the run was at work, without the pauses between a stop and a resume.
    """

    status: Status = "queued"
    phase: str = ""
    phase_text: str = ""
    stretches: list[Stretch] = Field(default_factory=list)
    step: int = 0
    total_steps: int = 0
    eta_seconds: float | None = None
    curves: dict[str, list[list[float]]] = Field(default_factory=dict)
    warnings: list[Notice] = Field(default_factory=list)
    failure: Failure | None = None
    estimate: Estimates = Estimates()
    started_at: float | None = None
    updated_at: float | None = None
    ended_at: float | None = None
    seconds: float = 0.0
    device: str = ""
    processes: int = 1
    resumed: int = 0
    best_step: int | None = None
    model_kept: bool = False
    verdict_code: str = ""
    verdict: str = ""
    reads: list[ReadPart] = Field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether something may still change."""
        return self.status in ("queued", "running")

    @property
    def fraction(self) -> float | None:
        """Share of the steps that are done, 0 to 1; None before the first progress."""
        return min(1.0, max(0.0, self.step / self.total_steps)) if self.total_steps > 0 else None


class _Curve:
    """Points of one curve, thinned evenly when there are too many."""

    def __init__(self) -> None:
        self.points: list[list[float]] = []
        self._stride = 1
        self._seen = 0
        self._last: list[float] = []

    def add(self, step: int, value: float) -> None:
        if value != value or value in (float("inf"), float("-inf")):
            return  # no place on a drawing; the run itself reports such a value as a failure
        self._last = [float(step), value]
        if self._seen % self._stride == 0:
            self.points.append(self._last)
        self._seen += 1
        if len(self.points) >= MAX_POINTS:
            self.points = self.points[::2]
            self._stride *= 2

    def all(self) -> list[list[float]]:
        """The kept points, and the newest."""
        ends = not self._last or (bool(self.points) and self.points[-1] is self._last)
        return [*self.points] if ends else [*self.points, self._last]

    def forget_after(self, step: int) -> None:
        """A resumed run repeats the steps after its checkpoint."""
        self.points = [point for point in self.points if point[0] <= step]
        self._last = self.points[-1] if self.points else []


class Fold:
    """Takes events in order, in as many portions as they come; `view()` is the state so far."""

    def __init__(self) -> None:
        self._now: dict[str, Any] = {}
        self._curves: dict[str, _Curve] = {}
        self._warnings: list[Notice] = []
        self._stretches: list[Stretch] = []
        self._stretch_began: float | None = None
        self._segment_began: float | None = None
        self._worked = 0.0

    def feed(self, events: Iterable[Any]) -> Fold:
        """Take further events; one of an unknown kind changes nothing."""
        for event in events:
            handler = getattr(self, f"_{getattr(event, 'kind', '')}", None)
            if handler is not None:
                handler(event)
                self._now["updated_at"] = event.at
        return self

    def view(self) -> RunView:
        """The run as of the last event."""
        working = 0.0
        if self._segment_began is not None:
            working = max(0.0, self._now.get("updated_at", self._segment_began) - self._segment_began)
        return RunView(
            **self._now,
            seconds=self._worked + working,
            curves={name: curve.all() for name, curve in self._curves.items() if curve.all()},
            warnings=self._warnings,
            stretches=self._stretches,
        )

    def _begin(self, at: float) -> None:
        """The run is at work (again): an earlier last word no longer holds."""
        self._end_segment(at if self._segment_began is None else self._now.get("updated_at", at))
        self._segment_began = at
        self._now.setdefault("started_at", at)
        for stale in ("ended_at", "failure", "verdict", "verdict_code", "model_kept", "eta_seconds"):
            self._now.pop(stale, None)
        self._now["status"] = "running"

    def _end_segment(self, at: float) -> None:
        if self._segment_began is not None:
            self._worked += max(0.0, at - self._segment_began)
            self._segment_began = None
        self._close_stretch(at)

    def _close_stretch(self, at: float) -> None:
        if self._stretches and self._stretches[-1].seconds is None:
            seconds = max(0.0, at - (at if self._stretch_began is None else self._stretch_began))
            self._stretches[-1] = self._stretches[-1].model_copy(update={"seconds": seconds})

    def _last_word(self, at: float, **state: Any) -> None:
        self._end_segment(at)
        self._now.update(state, ended_at=at, eta_seconds=None)

    def _started(self, event: contract.Started) -> None:
        self._begin(event.at)
        self._now.update(device=event.device, processes=event.processes)

    def _resumed(self, event: contract.Resumed) -> None:
        self._begin(event.at)
        self._now.update(step=event.step, resumed=self._now.get("resumed", 0) + 1)
        for curve in self._curves.values():
            curve.forget_after(event.step)

    def _phase(self, event: contract.Phase) -> None:
        self._close_stretch(event.at)
        self._stretch_began = event.at
        self._stretches = [*self._stretches, Stretch(name=event.name, text=event.text)][-MAX_STRETCHES:]
        self._now.update(phase=event.name, phase_text=event.text, step=0, total_steps=0, eta_seconds=None)

    def _progress(self, event: contract.Progress) -> None:
        self._now.update(step=event.step, total_steps=event.total_steps, eta_seconds=event.eta_seconds)

    def _metric(self, event: contract.Metric) -> None:
        self._curves.setdefault(f"{event.split}/{event.name}", _Curve()).add(event.step, event.value)

    def _estimate(self, event: contract.Estimate) -> None:
        known: Estimates = self._now.get("estimate", Estimates())
        told = {name: getattr(event, name) for name in Estimates.model_fields if getattr(event, name) is not None}
        self._now["estimate"] = known.model_copy(update=told)

    def _sample(self, event: contract.Sample) -> None:
        """Of samples, the view shows what a language model reads; others are for whoever reads the events."""
        if event.name == "what-the-model-reads":
            parts = event.value.get("parts") or []
            self._now["reads"] = [ReadPart.model_validate(part) for part in parts if isinstance(part, dict)]

    def _checkpoint(self, event: contract.Checkpoint) -> None:
        if event.best:
            self._now["best_step"] = event.step

    def _warning(self, event: contract.Warned) -> None:
        notice = Notice(code=event.code, text=event.text)
        if notice not in self._warnings:
            self._warnings = [*self._warnings, notice][-MAX_WARNINGS:]

    def _finished(self, event: contract.Finished) -> None:
        self._last_word(event.at, status="finished", verdict_code=event.verdict, verdict=event.text)

    def _failed(self, event: contract.Failed) -> None:
        failure = Failure(code=event.code, what=event.what, expected=event.expected, fix=event.fix)
        self._last_word(event.at, status="failed", failure=failure)

    def _cancelled(self, event: contract.Cancelled) -> None:
        self._last_word(event.at, status="cancelled", model_kept=event.model_kept)


def fold(events: Iterable[Any]) -> RunView:
    """The run after these events (`recipes.events` records, in order)."""
    return Fold().feed(events).view()


class _Follower:
    """One `events.jsonl` and how far it was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._restart()

    def _restart(self) -> None:
        self._offset = 0
        self._identity = 0
        self._fold = Fold()
        self._view = self._fold.view()

    def view(self) -> RunView:
        with self._lock:
            try:
                state = self._path.stat()
            except OSError:
                self._restart()
                return self._view
            if state.st_ino != self._identity or state.st_size < self._offset:
                self._restart()
                self._identity = state.st_ino
            if state.st_size > self._offset:
                events, self._offset = contract.read_events(self._path, self._offset)
                self._view = self._fold.feed(events).view()
            return self._view


_followers: OrderedDict[Path, _Follower] = OrderedDict()
_followers_lock = threading.Lock()


def load(run_dir: Path) -> RunView:
    """The run in a folder; "queued" when it has said nothing yet.

    `result.json` is what makes a run finished: without it a `finished` event means that it is still saving, and with it
    a missing last word changes nothing.
    """
    path = run_dir.absolute() / "events.jsonl"
    with _followers_lock:
        follower = _followers.setdefault(path, _Follower(path))
        _followers.move_to_end(path)
        while len(_followers) > MAX_FOLLOWED:
            _followers.popitem(last=False)
    view = follower.view()
    has_result = (run_dir / "result.json").exists()
    if view.status == "finished" and not has_result:
        return view.model_copy(update={"status": "running", "phase": "saving", "phase_text": "Saving the result"})
    if has_result and view.status != "finished":
        return _with_result(view, run_dir / "result.json")
    return view


def _with_result(view: RunView, path: Path) -> RunView:
    """The view of a run whose result is there and whose last word is not; as it was when the result is torn."""
    try:
        verdict = contract.Result.load(path).verdict
    except (OSError, ValueError):
        return view
    told = {"status": "finished", "verdict_code": verdict.code, "verdict": verdict.text, "failure": None}
    return view.model_copy(update={**told, "ended_at": view.ended_at or view.updated_at})
