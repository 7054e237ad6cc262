"""The effects of a dialogue, performed: the part of the shell that reads tables, makes run directories and asks models.

One method an effect; each returns the event that goes back into the dialogue, or raises PlainError.
"""
# ruff: noqa: PLC0415 - an answer must come within a second of the command: what is heavy is imported where it is used

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from assistant import measuring
from assistant.chat.turns import (
    Answered,
    Effect,
    FileCard,
    FileRead,
    FileRefused,
    Input,
    PlanPrepared,
    RunChanged,
    State,
)
from assistant.data.stored import Stored, perform
from assistant.errors import PlainError
from assistant.jobs import hub, launchers, rundir, starters, worker
from assistant.jobs.home import MAX_UPLOAD_BYTES, Home, display_name, new_run_id, new_secret
from assistant.jobs.rundir import About
from assistant.jobs.store import QueueRow, Store
from assistant.jobs.try_it import TryIt
from recipes.plan import Plan

#: Seconds that an evaluation of a file, and an export, may take.
EVALUATE_SECONDS = 1800.0
EXPORT_SECONDS = 1800.0
#: Seconds that reading a data set of the Hub may take, and the rows that are taken of it.
HUB_SECONDS = 300.0
HUB_ROWS = 20_000
EXPORT_FORMATS = ("adapter", "merged", "onnx", "gguf")


@dataclass(frozen=True)
class Limits:
    """What one visitor may use. All that differs in demo mode stands here."""

    demo: bool = False
    rows: int | None = None  # of the training file; more are sampled down
    minutes: float | None = None  # of one run
    runs: int | None = None  # of one visitor
    waiting: int | None = None  # runs in the queue of the whole server
    upload_bytes: int = MAX_UPLOAD_BYTES
    publish: bool = True


OPEN = Limits()
#: A free Space has two cores for everybody: small runs, and few of them.
DEMO = Limits(
    demo=True, rows=2000, minutes=5, runs=3, waiting=10, upload_bytes=10 * 1024 * 1024, publish=False
)  # fmt: skip


class Shell(Protocol):
    """What the effects need of the session that performs them."""

    home: Home
    store: Store
    limits: Limits
    try_it: TryIt
    apart: bool  # whether a process of its own reads files

    def state(self, conversation: str) -> State:
        """What a conversation remembers."""
        ...

    def hardware(self) -> dict[str, Any]:
        """This machine."""
        ...

    def find_run(self, spoken: str, conversation: str | None = None) -> QueueRow:
        """A run as people name it, if this conversation may see it."""
        ...

    def status(self, row: QueueRow) -> rundir.Status:
        """How a run stands."""
        ...

    def changed(self, row: QueueRow, *, with_result: bool = False) -> RunChanged:
        """The event that tells how a run stands."""
        ...

    def resume(self, row: QueueRow) -> None:
        """Put a run that ended early back into the queue."""
        ...


def file_card(
    home: Home, upload: str, name: str, role: Literal["train", "test"] = "train", *, apart: bool = False
) -> FileCard:
    """Read an upload into what the dialogue knows of it: profile, task guesses, findings.

    Args:
        apart: let a process of its own read it.

    Raises:
        PlainError: it cannot be read.
    """
    seen = Stored(home.upload_path(upload), name, apart).look()
    return FileCard(id=upload, name=name, role=role, **seen)


def parts(error: PlainError) -> dict[str, str]:
    """The parts of an error, as the dialogue takes them."""
    return {"code": error.code, "what": error.what, "expected": error.expected, "fix": error.fix}


class Effects:
    """Performs the effects of one message. `started`: the runs that were put into the queue."""

    def __init__(self, session: Shell, conversation: str, *, dry_run: bool, visitor: str) -> None:
        self._session = session
        self._home = session.home
        self._store = session.store
        self._conversation = conversation
        self._dry_run = dry_run
        self._visitor = visitor
        self.started: list[str] = []

    def perform(self, effect: Effect) -> Input:
        """Do it.

        Raises:
            PlainError: it cannot be done.
        """
        actions: dict[str, Callable[[dict[str, Any]], Input]] = {
            "prepare_plan": self.prepare_plan, "start_run": self.start_run, "stop_run": self.stop_run,
            "resume_run": self.resume_run, "run_status": self.run_status, "report": self.report,
            "compare": self.compare, "predict": self.predict, "evaluate": self.evaluate, "export": self.export,
            "delete_run": self.delete_run, "fix_data": self.fix_data, "publish": self.publish,
            "forget_file": self.forget_file, "read_hub": self.read_hub, "use_example": self.use_example,
            "measure": self.measure,
            "get_starter": self.get_starter,
        }  # fmt: skip
        return actions[effect.kind](effect.arguments)

    # ------------------------------------------------------------ plan

    def prepare_plan(self, arguments: dict[str, Any]) -> PlanPrepared:
        """Ask the adviser; the hub is asked only where the plan depends on it, and never in a dry run."""
        try:
            return self._advised(arguments)
        except PlainError as error:
            plan = self._session.state(self._conversation).plan
            return PlanPrepared(plan=plan or Plan(), problem=parts(error))

    def _advised(self, arguments: dict[str, Any]) -> PlanPrepared:
        from assistant.advise.advisor import advise
        from assistant.advise.estimate import estimate
        from assistant.advise.hardware import Hardware
        from assistant.advise.measured import correct
        from assistant.data.profile import Profile
        from assistant.data.roles import TaskGuess

        wish = dict(arguments.get("wish") or {})
        train, test = self._file(arguments.get("file")), self._file(arguments.get("test_file"))
        profile = Profile.model_validate(train.profile) if train is not None else None
        hardware = Hardware.model_validate(self._session.hardware())
        guesses = [TaskGuess.model_validate(one) for one in train.guesses] if train is not None else []
        guess = best_guess(guesses, wish)
        test_rows = Profile.model_validate(test.profile).rows if test is not None else None
        details: dict[str, Any] = {
            "guess": guess, "test_rows": test_rows, "demo": self._session.limits.demo,
            "goal": arguments.get("goal") or "", "findings": train.findings if train is not None else [],
        }  # fmt: skip
        offline = hub.remembered(self._home.hub_cache) is False
        advice = advise(profile, wish, hardware, offline=offline, **details)
        again = self._checked_again(train, advice.plan)
        if again is not None:
            details["findings"] = again.findings
            advice = advise(profile, wish, hardware, offline=offline, **details)
        if not offline and self._needs_hub(advice.plan) and not hub.reachable(self._home.hub_cache):
            offline = True
            advice = advise(profile, wish, hardware, offline=True, **details)
        changes: dict[str, Any] = {}
        for card, path in ((train, ""), (test, "test_")):
            if card is not None:
                changes |= {f"data.{path}source": card.name, f"data.{path}name": card.name}
        plan = limited(advice.plan.changed(changes), self._session.limits)
        expected = correct(estimate(plan, profile, hardware, test_rows), plan, measuring.known(self._home, self._store))
        figures = expected.model_dump(mode="json")
        middle = (expected.seconds_low * expected.seconds_high) ** 0.5  # the middle of a range of factors
        plan = plan.changed({"compute.expected_seconds": round(middle, 1)})
        nearest = nearest_changes(advice.plan, advice.nearest)
        return PlanPrepared(
            plan=plan, estimate=figures, advice=list(advice.advice), problem=advice.problem, nearest=nearest,
            starter=self._missing_starter(plan) if offline else None, file=again,
        )  # fmt: skip

    def _checked_again(self, card: FileCard | None, plan: Plan) -> FileCard | None:
        """The file with its findings under the plan's columns, where these are not those that it was checked for."""
        if card is None or plan.task is None or not plan.data.columns:
            return None
        best = card.guesses[0] if card.guesses else {}
        before = card.checked or best.get("columns") or {}
        wanted = {role: names for role, names in plan.data.columns.items() if role != "group"}
        if wanted == {role: names for role, names in before.items() if role != "group"}:
            return None
        try:
            seen = self._stored(card).look(agreed(card, plan))
        except PlainError:
            return None  # it was read before; what it lacks now is told where it is needed
        return card.model_copy(update={"findings": seen["findings"], "checked": dict(plan.data.columns)})

    def measure(self, arguments: dict[str, Any]) -> Answered:
        """A few real steps of the plan, which correct its estimate."""
        from assistant.advise.estimate import estimate
        from assistant.advise.hardware import Hardware
        from assistant.advise.measured import correct
        from assistant.data.profile import Profile

        if self._session.limits.demo:
            raise PlainError(
                "demo-limit", "This demo makes no trials: its machine is shared.", fix="Start; runs here are short."
            )
        plan, card = Plan.model_validate(arguments["plan"]), self._file(arguments.get("file"))
        if card is None:
            raise PlainError("file-gone", "The file of this plan is not here any more.", fix="Please add it again.")
        check_can_run(plan)
        measuring.refuse_if_busy(self._store)
        hardware = Hardware.model_validate(self._session.hardware())
        before = estimate(plan, Profile.model_validate(card.profile), hardware)
        found, _ = measuring.measure(self._home, plan, self._stored(card), hardware)
        after = correct(before, plan, measuring.known(self._home, self._store))
        return Answered(effect="measure", data=measuring.answer(plan, before, after, found))

    def _needs_hub(self, plan: Plan) -> bool:
        """Whether the plan names something that only the hub has; False in a dry run, which never asks it."""
        model = plan.base_model
        if self._dry_run or not model or os.path.isdir(model) or hub.in_local_cache(model):
            return False
        from assistant.advise.catalog import resolve

        known = resolve(model)
        return known is None or not starters.is_here(self._home, known.starter, known.package)

    def _missing_starter(self, plan: Plan) -> dict[str, Any] | None:
        """The plan's base model where it is a starter that is not here yet, and the hub cannot bring it."""
        from assistant.advise.catalog import lookup

        model = lookup(plan.base_model)
        if not model.starter or starters.is_here(self._home, model.starter, model.package):
            return None
        if hub.in_local_cache(model.id):
            return None
        return {"name": model.starter, "title": model.name, "mb": model.download_mb}

    def get_starter(self, arguments: dict[str, Any]) -> Answered:
        """Download and prepare a starter model."""
        from assistant.advise.catalog import starter

        model = starter(str(arguments.get("name")))
        if model is None:
            raise PlainError("starter-unknown", "There is no starter model of that name.", fix="Ask for the starters.")
        was_here = starters.is_here(self._home, model.starter, model.package)
        if not was_here:
            starters.get(self._home, model.starter)
        return Answered(effect="get_starter", data={"name": model.starter, "was_here": was_here})

    def _file(self, upload: str | None) -> FileCard | None:
        files = self._session.state(self._conversation).files
        return next((card for card in files if card.id == upload), None) if upload else None

    # ------------------------------------------------------------ runs

    def start_run(self, arguments: dict[str, Any]) -> RunChanged:
        """Make the run directory and put the run into the queue.

        A second yes to the same plan while its run waits or works (another tab, a double click) is the same run.
        """
        plan = Plan.model_validate(arguments["plan"])
        state = self._session.state(self._conversation)
        for row in self._session.store.runs(self._conversation):
            if row.status in ("queued", "running") and self._same_plan(row, plan):
                return self._session.changed(row)
        check_can_run(plan)
        self._check_limits()
        train = named_file(state.files, plan.data.source, plan.data.name)
        test = named_file(state.files, plan.data.test_source, plan.data.test_name)
        files = {
            role: self._stored(card) for role, card in (("train", train), ("test", test)) if card is not None
        }  # fmt: skip
        if train is None and not is_hub_id(plan.data.source):
            raise PlainError("file-gone", "The file of this plan is not here any more.", fix="Please add it again.")
        title = state.goal or plan.data.name or plan.task or ""
        run = create_run(
            self._session, plan, files, title=title, conversation=self._conversation, visitor=self._visitor
        )  # fmt: skip
        self._expect(run, plan, train, test)
        self.started.append(run.run)
        return self._session.changed(run)

    def _expect(self, run: QueueRow, plan: Plan, train: FileCard | None, test: FileCard | None) -> None:
        """Keep what is expected of the run beside it."""
        from assistant.advise.hardware import Hardware
        from assistant.data.profile import Profile

        if train is None:
            return
        rows = Profile.model_validate(test.profile).rows if test is not None else None
        hardware = Hardware.model_validate(self._session.hardware())
        with contextlib.suppress(OSError):  # the run does without
            folder = self._home.run_dir(run.run)
            measuring.expect(folder, plan, Profile.model_validate(train.profile), hardware, rows)

    def _same_plan(self, row: QueueRow, plan: Plan) -> bool:
        asked = rundir.read_about(self._home.run_dir(row.run))
        return asked is not None and asked.asked == plan.fingerprint()

    def _check_limits(self) -> None:
        limits, store = self._session.limits, self._session.store
        if limits.runs is not None and store.count_of_visitor(self._visitor) >= limits.runs:
            raise PlainError(
                "demo-limit",
                f"This demo gives {limits.runs} runs to each visitor, and yours are used up.",
                fix="Install it on your own machine for as many as you like: pip install finetune-assistant.",
            )
        if limits.waiting is not None and len(store.runs(status="queued")) >= limits.waiting:
            raise PlainError("demo-limit", f"{limits.waiting} runs are waiting already.", fix="Try again in a while.")

    def _stored(self, card: FileCard) -> Stored:
        return Stored(self._home.upload_path(card.id), card.name, self._session.apart)

    def stop_run(self, arguments: dict[str, Any]) -> RunChanged:
        """Wish that it stops; the end comes with the worker."""
        row = self._row(arguments)
        worker.stop_run(self._home, self._session.store, row.run)
        fresh = self._session.store.run(row.run) or row
        if fresh.status == "cancelled":  # it only waited: this answer is the telling
            self._session.store.claim_telling(row.run)
        return self._session.changed(fresh)

    def resume_run(self, arguments: dict[str, Any]) -> RunChanged:
        """Put it back into the queue."""
        row = self._row(arguments)
        self._session.resume(row)
        self.started.append(row.run)
        return self._session.changed(row)

    def run_status(self, arguments: dict[str, Any]) -> RunChanged:
        """How it stands."""
        return self._session.changed(self._row(arguments))

    def report(self, arguments: dict[str, Any]) -> RunChanged:
        """Its result."""
        return self._session.changed(self._row(arguments), with_result=True)

    def compare(self, arguments: dict[str, Any]) -> Answered:
        """Several runs side by side."""
        rows = [self._session.find_run(str(run), self._conversation) for run in arguments.get("runs") or []]
        return Answered(effect="compare", data=compare_runs(self._session, rows))

    def delete_run(self, arguments: dict[str, Any]) -> Answered:
        """Remove a run and all that it made."""
        row = self._row(arguments)
        remove_run(self._session, row)
        return Answered(effect="delete_run", data={"run": row.run, "number": row.number})

    def _row(self, arguments: dict[str, Any]) -> QueueRow:
        return self._session.find_run(str(arguments.get("run") or "last"), self._conversation)

    # ------------------------------------------------------------ models

    def predict(self, arguments: dict[str, Any]) -> Answered:
        """Ask the model."""
        row = self._row(arguments)
        found = predict(self._session, row, list(arguments.get("inputs") or []))
        return Answered(effect="predict", data={"run": row.run, "number": row.number, "predictions": found})

    def evaluate(self, arguments: dict[str, Any]) -> Answered:
        """Score the model on another file."""
        row, card = self._row(arguments), self._file(arguments.get("file"))
        if card is None:
            raise PlainError("file-gone", "That file is not known here.", fix="Please add it again.")
        found = evaluate(self._session, row, self._stored(card))
        return Answered(effect="evaluate", data={"run": row.run, "number": row.number, "file": card.name, **found})

    def export(self, arguments: dict[str, Any]) -> Answered:
        """Write the model in a format of choice."""
        row = self._row(arguments)
        form = str(arguments.get("format") or "merged")
        files = export(self._session, row, form)
        return Answered(effect="export", data={"run": row.run, "number": row.number, "format": form, "files": files})

    def publish(self, arguments: dict[str, Any]) -> Answered:
        """Not in this version, and never in a demo."""
        del arguments
        if not self._session.limits.publish:
            raise PlainError(
                "publish-not-available", "This demo does not publish models.", fix="Download the model instead."
            )
        raise PlainError(
            "publish-not-available",
            "This version cannot publish to the Hugging Face Hub yet.",
            fix="Export the model and upload its folder with `hf upload YOUR_NAME/YOUR_MODEL FOLDER`.",
        )

    # ------------------------------------------------------------ files

    def fix_data(self, arguments: dict[str, Any]) -> FileRead:
        """Mend what the data check found: a new upload of the same name, the old one stays as it was."""
        card = self._file(arguments.get("file"))
        if card is None:
            raise PlainError("file-gone", "That file is not known here.", fix="Please add it again.")
        plan = self._session.state(self._conversation).plan
        form = str(card.profile.get("format"))
        ending = ".zip" if form.endswith(("-images", "-audio")) else ".jsonl"
        upload, path = self._home.new_upload(Path(card.name).stem + ending)
        before = [str(finding.get("code")) for finding in card.findings]
        code, meant = str(arguments.get("code")), agreed(card, plan)
        try:
            mended = self._stored(card).mend(code, meant, path, form=form, before=before)
        except BaseException:
            self._home.forget_upload(upload)
            raise
        names, done = meant.get("columns") or {}, str(mended.pop("sentence"))
        return FileRead(
            file=FileCard(
                id=upload, name=card.name, role=card.role, mends=card.id, mended=done, checked=names, **mended
            )
        )

    def read_hub(self, arguments: dict[str, Any]) -> FileRead | FileRefused:
        """Bring the rows of a Hub data set into the conversation, as if they had been uploaded."""
        dataset = str(arguments.get("dataset"))
        try:
            return FileRead(file=self._from_hub(dataset))
        except PlainError as error:
            return FileRefused(name=dataset, code=error.code, what=error.what, expected=error.expected, fix=error.fix)

    def _from_hub(self, dataset: str) -> FileCard:
        if not hub.reachable(self._home.hub_cache):
            raise PlainError(
                "hub-unreachable",
                f"The Hub cannot be reached from here, so I cannot read the data set {display_name(dataset)}.",
                fix="Download it from its page, save it as CSV, JSONL or Parquet, and upload that file.",
            )
        upload, path = self._home.new_upload("rows")
        try:
            most = self._session.limits.rows or HUB_ROWS
            asked = {"dataset": dataset, "out": str(path), "most": most}
            found = perform("fetch", asked, apart=True, seconds=HUB_SECONDS)  # a network may hang
            seen = Stored(path, display_name(dataset), self._session.apart).look()
        except BaseException:
            self._home.forget_upload(upload)
            raise
        seen["profile"]["notes"] = [*filter(None, [found["note"]]), *seen["profile"]["notes"]]
        return FileCard(id=upload, name=display_name(dataset), **seen)

    def use_example(self, arguments: dict[str, Any]) -> FileRead:
        """Bring the data of a shipped example into the conversation, as if they had been uploaded."""
        from assistant.data.examples import example

        chosen = example(str(arguments.get("name")))
        upload = self._home.keep_upload(chosen.path, chosen.path.name, self._session.limits.upload_bytes)
        return FileRead(file=file_card(self._home, upload, chosen.path.name, apart=self._session.apart))

    def forget_file(self, arguments: dict[str, Any]) -> Answered:
        """Remove an upload."""
        self._home.forget_upload(str(arguments.get("file")))
        return Answered(effect="forget_file", data=dict(arguments))


# ---------------------------------------------------------------- shared with the command


def nearest_changes(plan: Plan, nearest: Plan | None) -> dict[str, Any]:
    """The dotted paths in which the nearest plan that works differs, with its values; empty without one."""
    from assistant.chat.plans import changed_paths
    from assistant.chat.wording import value_at

    return {path: value_at(nearest, path) for path in changed_paths(plan, nearest)} if nearest is not None else {}


def agreed(card: FileCard, plan: Plan | None) -> dict[str, Any]:
    """The task and columns that the person agreed to in a plan; the best guess where there is none."""
    guess = card.guesses[0] if card.guesses else {"task": None}
    if plan is None or plan.task is None or not plan.data.columns:
        return guess
    separator = plan.data.label_separator or guess.get("label_separator")
    columns = {role: plan.data.columns[role] for role in plan.data.columns}
    return {"task": plan.task, "problem": plan.problem, "columns": columns, "label_separator": separator, "score": 1.0}


def best_guess(guesses: list[Any], wish: dict[str, Any]) -> Any | None:
    """The best guess that agrees with what was asked for; the best of all where none does."""
    for paths in (("task", "problem"), ("task",)):
        for guess in guesses:
            if all(wish.get(path) in (None, getattr(guess, path)) for path in paths):
                return guess
    return guesses[0] if guesses else None


def limited(plan: Plan, limits: Limits) -> Plan:
    """The plan within what a visitor may use."""
    if limits.minutes is None or (plan.training.max_minutes or limits.minutes + 1) <= limits.minutes:
        return plan
    reason = f"This demo gives each run {limits.minutes:g} minutes; the best state until then is kept."
    reasons = {**plan.reasons, "training.max_minutes": reason}
    return plan.changed({"training.max_minutes": limits.minutes, "reasons": reasons})


def named_file(files: list[FileCard], source: str | None, name: str | None) -> FileCard | None:
    """The newest file of that id or name."""
    wanted = {text for text in (source, name) if text}
    return next((card for card in reversed(files) if card.id in wanted or card.name in wanted), None)


def check_can_run(plan: Plan) -> None:
    """Refuse a plan with gaps, or a task without a recipe, before anything is written.

    Raises:
        PlainError: with all gaps at once.
    """
    module = (plan.task or "").replace("-", "_")
    if plan.task and importlib.util.find_spec(f"recipes.{module}") is None:
        raise PlainError(
            "task-not-available",
            f"This version cannot train {plan.task} yet.",
            "It trains text classification: sorting texts into classes, several labels a text, or a number a text.",
            "Say what you would like to sort, and add a file of examples.",
        )
    missing = plan.gaps()
    if missing:
        raise PlainError(
            "plan-incomplete", f"The plan still lacks: {', '.join(missing)}.", fix="Say what they should be."
        )


def create_run(
    session: Shell,
    plan: Plan,
    files: dict[str, Stored],
    *,
    title: str,
    conversation: str | None = None,
    visitor: str | None = None,
) -> QueueRow:
    """Make the run directory, with the data in canonical form, and queue the run; all of it or nothing.

    Args:
        files: "train", and "test" where the person has a test file.
    """
    store, home, asked = session.store, session.home, plan.fingerprint()
    run = new_run_id()
    folder = home.runs / f".new-{run}"
    (folder / "data").mkdir(parents=True, mode=0o700)
    try:
        changes: dict[str, Any] = {}
        for role, file in files.items():
            most = session.limits.rows if role == "train" else None
            file.copy(folder / "data" / f"{role}.jsonl", most=most, seed=plan.training.seed)
            path, name = ("data.source", "data.name") if role == "train" else ("data.test_source", "data.test_name")
            changes |= {path: f"data/{role}.jsonl", name: display_name(file.name)}
        limited(plan.changed(changes), session.limits).save(folder / "plan.json")
        with store.change():
            about = About(
                id=run, number=store.next_number(), title=display_name(title)[:80], conversation=conversation,
                visitor=visitor, created=time.time(), asked=asked,
            )  # fmt: skip
            rundir.write_json(folder / "run.json", about)
            folder.rename(home.run_dir(run))
            store.add_run(about, plan.task or "")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            what = f"The disk of {home.root} is full: the run's copy of the data does not fit."
            raise PlainError("disk-full", what, fix="Delete old runs or other files, and start again.") from error
        raise
    row = store.run(run)
    if row is None:  # only if another process removed it in this instant
        raise PlainError("run-unknown", f"Run {about.number} was removed.", fix="Start it again.")
    return row


def remove_run(session: Shell, row: QueueRow) -> None:
    """Remove a run from the list and from the disk.

    Raises:
        PlainError: it still works.
    """
    folder = session.home.run_dir(row.run)
    worker.settle(session.home, session.store, row.run, patience=worker.LEAVING_SECONDS)
    fresh = session.store.run(row.run)
    if rundir.is_alive(folder) or (fresh is not None and fresh.status == "running"):
        raise PlainError(
            "run-active",
            f"Run {row.number} is still at work.",
            "It can be deleted when it has ended.",
            "Stop it first.",
        )
    session.try_it.close(folder)
    session.store.remove_run(row.run)
    if folder.exists():
        trash = folder.with_name(f".trash-{row.run}")
        folder.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)


def model_folder(session: Shell, row: QueueRow) -> Path:
    """The folder of a run that has a model to use; a stopped run keeps its best state.

    Raises:
        PlainError: there is none.
    """
    folder = session.home.run_dir(row.run)
    status = session.status(row)
    if status in ("queued", "running") or not (folder / "model").is_dir():
        raise PlainError(
            "no-model",
            f"Run {row.number} has no model to use: it is {status}.",
            "A run has one when it is finished, or when it was stopped after its first step.",
            "Ask how it stands." if status in ("queued", "running") else "Start a new run, or resume this one.",
        )
    return folder


def predict(session: Shell, row: QueueRow, inputs: list[Any]) -> list[dict[str, Any]]:
    """One answer an input."""
    return session.try_it.ask(model_folder(session, row), inputs)


def evaluate(session: Shell, row: QueueRow, file: Stored) -> dict[str, Any]:
    """Score a run's model on a file: `{"rows", "metrics", …}`."""
    folder = model_folder(session, row)
    work = folder / "evaluations"
    work.mkdir(exist_ok=True)
    rows, out = work / f"{new_secret()}.jsonl", work / f"{new_secret()}.json"
    problem: PlainError | None = None
    try:
        file.copy(rows)
        arguments = [str(folder), str(rows), str(out)]
        try:
            launchers.call_recipe("evaluate", arguments, log=folder / "evaluate.log", seconds=EVALUATE_SECONDS)
        except PlainError as error:
            problem = error  # what it wrote itself says more
        answer = rundir.read_json(out)
    finally:
        rows.unlink(missing_ok=True)
        out.unlink(missing_ok=True)
    launchers.raise_told(answer or {})
    if answer is None or problem is not None:
        raise problem or launchers.died("evaluate", None, folder / "evaluate.log")
    return answer


def export(session: Shell, row: QueueRow, form: str, out: Path | None = None) -> list[dict[str, Any]]:
    """Write the model as files: `[{"name", "path", "bytes"}]`.

    Args:
        form: one of EXPORT_FORMATS.
        out: the folder to write to; default: inside the run's folder.
    """
    if form not in EXPORT_FORMATS:
        raise PlainError(
            "export-format", f"There is no format {display_name(form)!r}.", f"Known are {', '.join(EXPORT_FORMATS)}."
        )
    folder = model_folder(session, row)
    target = out or folder / "exports" / form
    target.mkdir(parents=True, exist_ok=True)
    launchers.call_recipe("export", [str(folder), form, str(target)], log=folder / "export.log", seconds=EXPORT_SECONDS)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    return [
        {"name": path.relative_to(target).as_posix(), "path": str(path), "bytes": path.stat().st_size} for path in files
    ]


def compare_runs(session: Shell, rows: list[QueueRow]) -> dict[str, Any]:
    """Finished runs side by side: `{"runs": [{"id", "number", "title", "result"}], "text": Markdown}`.

    Raises:
        PlainError: fewer than two of them are finished.
    """
    from assistant.report import paired
    from assistant.report.compare import Finished, comparison_markdown
    from recipes.events import Result

    finished = [row for row in rows if session.status(row) == "finished"]
    if len(finished) < 2:
        raise PlainError(
            "compare-needs-two",
            f"{len(finished)} of these runs {'is' if len(finished) == 1 else 'are'} finished.",
            "Two finished runs are needed for a comparison.",
            "Change the plan and start another run.",
        )
    columns, data = [], []
    for row in finished:
        folder = session.home.run_dir(row.run)
        result = Result.load(folder / "result.json")
        plan, answers = Plan.load(folder / "plan.json"), paired.read(folder)
        columns.append(Finished(f"run {row.number}", result, plan, answers))
        data.append({"id": row.run, "number": row.number, "title": row.title, "result": result.model_dump(mode="json")})
    return {"runs": data, "text": comparison_markdown(columns)}


def is_hub_id(source: str | None) -> bool:
    """Whether a source looks like a Hub data set (owner/name)."""
    return bool(source) and str(source).count("/") == 1 and not str(source).startswith((".", "/"))
