"""Talking about runs, and explaining: status, stop, resume, report, improve, list, "what is" and "why". Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from assistant.chat import answers, buttons, outcomes, plans, run_answers, run_replies
from assistant.chat.next_step import proposal
from assistant.chat.turns import Effect, FileCard, Intent, Reply, RunCard, RunChanged, State, Turn

LIVE = ("queued", "running")
ENDED = ("finished", "failed", "cancelled", "interrupted")
#: States from which a run can go on.
RESUMABLE = ("cancelled", "interrupted", "failed")


def find_run(state: State, spoken: object, statuses: Sequence[str] = ()) -> RunCard | None:
    """The run that is meant: by number or id, else the one at hand, else the newest; of these states where given."""
    runs = state.runs
    if spoken is not None and spoken != "last":
        return next((run for run in runs if run.number == spoken or run.id == spoken), None)
    fitting = [run for run in runs if not statuses or run.status in statuses]
    if spoken is None:
        at_hand = next((run for run in fitting if run.id == state.current_run), None)
        if at_hand is not None:
            return at_hand
    return fitting[-1] if fitting else None


def _ask(state: State, run: RunCard, kind: str, why: str, said: Sequence[Reply] = ()) -> Turn:
    state = state.model_copy(update={"pending": f"run:{why}", "current_run": run.id})
    return Turn(state=state, replies=list(said), effects=[Effect(kind=kind, arguments={"run": run.id})])


def _named_but_unknown(state: State, intent: Intent) -> Reply | None:
    spoken = intent.slots.get("run")
    if isinstance(spoken, int) and find_run(state, spoken) is None:
        return run_replies.no_such_run(spoken, state.runs)
    return None


def _missing(state: State, intent: Intent) -> Turn:
    return Turn(state=state, replies=[_named_but_unknown(state, intent) or run_replies.no_runs()])


def status(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """How a run stands."""
    del text, files_now, pending
    spoken = intent.slots.get("run")
    run = find_run(state, spoken, LIVE) or find_run(state, spoken)
    if run is None:
        return _missing(state, intent)
    return _ask(state, run, "run_status", "status")


def stop(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """Stop a run, or the trying of a model."""
    del files_now, pending
    run = find_run(state, intent.slots.get("run"), LIVE)
    if state.trying and (run is None or re.search(r"\btry", text, re.IGNORECASE)):
        return Turn(state=state.model_copy(update={"trying": False}), replies=[run_replies.trying_over()])
    if run is None or run.status not in LIVE:
        unknown = _named_but_unknown(state, intent)
        return Turn(state=state, replies=[unknown or Reply(text="There is nothing to stop: no run is at work.")])
    return _ask(state, run, "stop_run", "stop")


def resume(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """Go on with a run that was stopped."""
    del text, files_now, pending
    run = find_run(state, intent.slots.get("run"), RESUMABLE)
    if run is None:
        live = find_run(state, None, LIVE)
        if live is not None:
            return Turn(
                state=state, replies=[Reply(text=f"Run {live.number} is at work already.", options=[buttons.STATUS])]
            )
        unknown = _named_but_unknown(state, intent)
        return Turn(state=state, replies=[unknown or Reply(text="There is no stopped run to go on with.")])
    if run.status not in RESUMABLE:
        return Turn(state=state, replies=[Reply(text=f"Run {run.number} is {run.status}; there is nothing to resume.")])
    return _ask(state, run, "resume_run", "resume", [Reply(text=f"Run {run.number} goes on from its last checkpoint.")])


def report(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """The results of a run."""
    del text, files_now, pending
    spoken = intent.slots.get("run")
    run = find_run(state, spoken, ("finished",) if spoken in (None, "last") else ()) or find_run(state, spoken)
    if run is None:
        unknown = _named_but_unknown(state, intent)
        return Turn(state=state, replies=[unknown or run_replies.no_finished_run(state.runs, "see its report")])
    return _ask(state, run, "report", "report")


def improve(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """The next thing to try."""
    del text, files_now, pending
    run = find_run(state, intent.slots.get("run"), ("finished",))
    if run is not None and run.status == "finished":
        return _ask(state, run, "report", "improve")
    if state.plan is not None and state.plan.base_model:
        said = (
            "No run has finished yet, so there are no mistakes to learn from. I can make the plan itself more "
            "thorough: it will take longer."
        )
        return Turn(state=state, replies=[Reply(text=said, options=[buttons.ACCURATE, buttons.START])])
    said = (
        "There is no finished run here to improve. In general more and cleaner labelled rows help most, then "
        "training more layers, then "
        "a larger model. Add your data and say what the model should learn, and I look at what would help."
    )
    return Turn(state=state, replies=[Reply(text=said, options=[buttons.HELP])])


def list_runs(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """All runs."""
    del text, intent, files_now, pending
    return Turn(state=state, replies=[run_replies.run_list(state.runs) if state.runs else run_replies.no_runs()])


def explain(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """A term, a choice, a number, an error."""
    del files_now, pending
    topic = str(intent.slots.get("topic") or "")
    if topic == "measure":
        return plans.measure(state)
    if topic in run_answers.TOPICS:
        ended = ENDED if topic == "why it ended" else ("finished",)
        run = find_run(state, intent.slots.get("run"), ended)
        if run is not None:
            asked = run_answers.asked_figure(text) if topic == "is it good" else None
            return _ask(state, run, "report", f"question:{topic}" + (f":{asked:g}" if asked is not None else ""))
    run = find_run(state, intent.slots.get("run"), ("finished",)) if not intent.slots.get("other") else None
    if run is not None and run.status == "finished" and answers.has_own_figure(topic):
        return _ask(state, run, "report", f"concept:{topic}")
    return Turn(state=state, replies=[answers.explain(state, text, intent.slots)])


# ---------------------------------------------------------------- a run changed


def run_changed(state: State, event: RunChanged) -> Turn:
    """What a run became; a question about it is answered from what came."""
    run, result = event.run, event.result
    why = (state.pending or "").removeprefix("run:") if (state.pending or "").startswith("run:") else ""
    runs = [run if known.id == run.id else known for known in state.runs]
    if run.id not in {known.id for known in runs}:
        runs.append(run)
    update: dict[str, Any] = {"runs": runs, "current_run": run.id}
    if why:
        update["pending"] = f"told:{why.split(':')[1]}" if why.startswith("question:") else None
    state = state.model_copy(update=update)
    if why == "improve" and result:
        return _improved(state, event, result)
    if why.startswith("concept:") and result:
        told = answers.with_run(state, why.removeprefix("concept:"), run, result, event.plan)
        return Turn(state=state, replies=[told])
    return Turn(state=state, replies=[_told(why, event)])


def _improved(state: State, event: RunChanged, result: dict[str, Any]) -> Turn:
    """The one proposal; where it is a change of settings and the data are here, as a plan ready to start."""
    found = proposal(result, event.plan)
    effect = plans.improved(state, event.plan, found.changes) if found.changes else None
    said = outcomes.improve(event.run, result, found, planned=effect is not None)
    if effect is None:
        return Turn(state=state, replies=[said])
    changes = {"pending": f"prepared:improve:{event.run.number}", "wish": effect.arguments["wish"]}
    wishes = [*state.wishes[: len(state.history)], state.wish]
    return Turn(state=state.model_copy(update={**changes, "wishes": wishes}), replies=[said], effects=[effect])


def _told(why: str, event: RunChanged) -> Reply:
    run, view, result = event.run, event.view, event.result
    if why in ("start", "resume") and run.status in LIVE:
        return run_replies.run_began(run)
    if why == "stop":
        return run_replies.stopping(run)
    if why.startswith("question:") and result:
        return run_answers.answer(why.removeprefix("question:"), run, result, event.plan)
    if why == "status" and run.status != "failed":
        return run_replies.run_status(run, view)
    if run.status == "finished" and result:
        return outcomes.report(run, result, event.plan)
    if run.status == "failed":
        return run_replies.failed(run, view)
    if run.status in ("cancelled", "interrupted"):
        return run_replies.cancelled(run, view)
    return run_replies.run_status(run, view)
