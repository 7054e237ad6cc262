"""Data and models in use: check, mend, compare, try, evaluate, export, publish, delete; and what came of it. Pure."""

from __future__ import annotations

import re
from typing import Any

from assistant.chat import buttons, data_replies, outcomes, plans, replies, run_replies
from assistant.chat.talk import find_run
from assistant.chat.turns import Answered, Effect, FileCard, Intent, Reply, RunCard, State, Turn
from assistant.chat.wording import value_at

#: States of a run that may hold a model: finished, or stopped with its best state kept.
WITH_MODEL = ("finished", "cancelled")
#: Beginnings of the tasks whose inputs are files.
FILE_TASKS = ("image-", "audio-", "automatic-speech")
#: Words of a wish -> the finding that it is about.
_FINDING_WORDS: tuple[tuple[str, str], ...] = (
    ("likely-wrong-labels", r"(?:likely )?wrong labels?|mislabel|label (?:errors?|noise)|suspicious labels?|relabel"),
    ("group-leak", r"group leak|same (?:person|people|speaker|patient|user|author|source)|both sides"),
    ("broken-media", r"(?:broken|damaged|unreadable|corrupt\w*) (?:media|files?|pictures?|images?|photos?|audio"
                     r"|recordings?|clips?)"),
    ("silent-audio", r"silen(?:t|ce)"),
    ("near-duplicates", r"near[- ]?dup|almost the same|similar rows|near copies"),
    ("duplicates", r"duplic|doubles?\b|double (?:rows|entries)|copies|repeat|same row|de-?dup"),
    ("missing-text", r"(?:empty|blank|missing) texts?|without (?:a )?text|empty messages"),
    ("missing-label", r"(?:empty|blank|missing) labels?|without (?:a )?label|unlabel"),
    ("missing", r"empty|blank|missing|null|nan\b"),
    ("label-spelling", r"spelling|variants?|inconsisten|label names|unif|merge the labels|capital|upper|lower case"
                       r"|harmoni"),
    ("conflicting-labels", r"conflict|contradict|two labels|different labels"),
    ("html", r"html|markup|tags\b"),
    ("mojibake", r"mojibake|encoding|umlaut|broken characters|garbled|weird characters"),
    ("personal-data", r"personal|privac|phone|e-?mail addresses|pii|card numbers|anonym|mask"),
    ("small-class", r"small class|rare class|tiny class|too few rows|classes with"),
    ("label-leak", r"leak|gives (?:the label|it) away"),
    ("test-leak", r"in both|test leak"),
    ("long-texts", r"too long|long texts"),
    ("formulas", r"formula"),
)  # fmt: skip


def _training_file(state: State) -> FileCard | None:
    return next((file for file in reversed(state.files) if file.role == "train"), None)


# ---------------------------------------------------------------- data


def check_data(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """What the file holds and what is wrong with it."""
    del text, intent
    file = files_now[-1] if files_now else _training_file(state)
    if file is None:
        said = [] if pending.startswith("refused") else [data_replies.no_file_to_check()]
        if pending.startswith("refused"):
            said = [Reply(text="That is what is wrong with it: I could not read it. Please add it in another form.")]
        return Turn(state=state, replies=said)
    keep = state.model_copy(update={"pending": pending}) if files_now else state
    return Turn(state=keep, replies=[data_replies.checked(file.model_copy(update={"findings": _open(state, file)}))])


def _open(state: State, file: FileCard) -> list[dict[str, Any]]:
    """The findings that the plan at hand does not settle already."""
    plan = state.plan

    def settled(change: dict[str, Any]) -> bool:
        return plan is not None and bool(change) and all(value_at(plan, path) == change[path] for path in change)

    return [finding for finding in file.findings if not settled(finding.get("change") or {})]


def fix_data(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """Mend one finding; the person's words are the yes."""
    del pending
    file = files_now[-1] if files_now else _training_file(state)
    if file is None:
        return Turn(state=state, replies=[data_replies.no_file_to_check()])
    fixable = [finding for finding in _open(state, file) if finding.get("fixable")]
    if _EVERYTHING.search(text.casefold()) and not _finding_meant(text, []) and data_replies.fix_all_option(fixable):
        effect = Effect(kind="fix_data", arguments={"file": file.id, "code": "everything"})
        return Turn(state=state.model_copy(update={"pending": "prepared:fix:everything"}), effects=[effect])
    code = intent.slots.get("code") or _finding_meant(text, fixable)
    named = next((finding for finding in fixable if finding.get("code") == code), None)
    if named is None and len(fixable) == 1 and not _finding_meant(text, []):
        named = fixable[0]
    if named is None:
        wanted = _finding_meant(text, [])
        if wanted and not any(finding.get("code") == wanted for finding in file.findings):
            return Turn(
                state=state,
                replies=[
                    Reply(text=f"I found no {wanted.replace('-', ' ')} in the data, so there is nothing to mend there.")
                ],
            )
        return Turn(
            state=state,
            replies=[
                data_replies.which_fix(fixable) if len(fixable) > 1 else data_replies.nothing_to_fix(file.findings)
            ],
        )
    if named.get("change"):  # mended by the plan: the rows stay as they are
        return plans.change(state, text, Intent(name="change", slots=dict(named["change"])), files_now)
    chosen = str(named["other_fix"]) if named.get("other_fix") and _OTHER_FIX.search(text.casefold()) else named["code"]
    effect = Effect(kind="fix_data", arguments={"file": file.id, "code": chosen})
    return Turn(state=state.model_copy(update={"pending": f"prepared:fix:{chosen}"}), effects=[effect])


#: All of it at once.
_EVERYTHING = re.compile(r"\b(?:everything|all|both|(?:these|those|the) (?:\d+|two|three|four|five|six) \w+)\b")
#: Words for setting labels right, where leaving the rows out is the other way.
_OTHER_FIX = re.compile(
    r"\bcorrect|\brelabel|\bre-?label|\bset (?:them|the|these)|\bchange (?:them|the|these)|right label"
)


def _finding_meant(text: str, findings: list[dict[str, Any]]) -> str | None:
    """The code that the words are about: among the findings, or any when none are given."""
    lowered = text.casefold()
    codes = [str(finding.get("code")) for finding in findings]
    for code, pattern in _FINDING_WORDS:
        if re.search(rf"\b(?:{pattern})", lowered):
            if not findings:
                return code
            match = next((known for known in codes if known == code or known.startswith(code)), None)
            if match:
                return match
    return next((code for code in codes if code.replace("-", " ") in lowered), None)


# ---------------------------------------------------------------- models


def _model_run(state: State, intent: Intent) -> RunCard | None:
    run = find_run(state, intent.slots.get("run"), WITH_MODEL)
    return run if run is not None and run.status in WITH_MODEL else None


def _no_model(state: State, intent: Intent, what: str) -> Turn:
    spoken = intent.slots.get("run")
    if isinstance(spoken, int) and find_run(state, spoken) is None:
        return Turn(state=state, replies=[run_replies.no_such_run(spoken, state.runs)])
    return Turn(state=state, replies=[run_replies.no_finished_run(state.runs, what)])


def predict(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """Try the model on a text, or begin to."""
    del text, files_now, pending
    run = _model_run(state, intent)
    if run is None:
        return _no_model(state, intent, "try it on any text")
    state = state.model_copy(update={"trying": True, "current_run": run.id})
    given = intent.slots.get("input")
    if not given or run.task.startswith(FILE_TASKS):  # these answer to a file that is added, not to words
        return Turn(state=state, replies=[run_replies.try_now(run)])
    effect = Effect(kind="predict", arguments={"run": run.id, "inputs": [str(given)]})
    return Turn(state=state, effects=[effect])


def evaluate(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """Score a finished model on another file."""
    del text, pending
    run = _model_run(state, intent)
    used = state.plan.data.name if state.plan else None
    file = files_now[-1] if files_now else next((file for file in reversed(state.files) if file.name != used), None)
    if file is not None:  # a file to test on is none to learn from
        files = [known.model_copy(update={"role": "test"}) if known.id == file.id else known for known in state.files]
        state = state.model_copy(update={"files": files})
    if run is None:
        return _no_model(state, intent, "score it on this or any other file")
    if file is None:
        return Turn(state=state, replies=[run_replies.ask_evaluation_file()])
    effect = Effect(kind="evaluate", arguments={"run": run.id, "file": file.id})
    return Turn(state=state, replies=[run_replies.evaluating(run, file)], effects=[effect])


def export(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """The model as files."""
    del text, files_now, pending
    run = _model_run(state, intent)
    form = str(intent.slots.get("format") or "merged")
    if run is None:
        return _no_model(
            state, intent, "download the model" + (f" as {form.upper()}" if form in ("onnx", "gguf") else "")
        )
    if form == "gguf" and run.task not in ("", "text-generation", "preference-tuning"):
        return Turn(state=state, replies=[run_replies.gguf_not_for(run.task)])
    effect = Effect(kind="export", arguments={"run": run.id, "format": form})
    return Turn(state=state, replies=[run_replies.exporting(form)], effects=[effect])


def publish(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """Push to the Hub: only after a yes."""
    del text, files_now
    run = _model_run(state, intent)
    if run is None:
        return _no_model(state, intent, "publish it on the Hub, after a last question")
    kind, _, rest = pending.partition(":")
    repo, form = intent.slots.get("repo"), str(intent.slots.get("kind") or "model")
    if kind == "publish":
        form, _, repo = rest.partition(":")
        effect = Effect(kind="publish", arguments={"run": run.id, "repo": repo or None, "kind": form or "model"})
        return Turn(state=state, replies=[Reply(text="I ask the Hub.")], effects=[effect])
    state = state.model_copy(update={"pending": f"publish:{form}:{repo or ''}"})
    return Turn(state=state, replies=[run_replies.ask_publish(run, repo, form)])


def compare(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """Runs side by side."""
    del text, files_now, pending
    numbers = intent.slots.get("runs") or []
    for number in numbers:
        if find_run(state, number) is None:
            return Turn(state=state, replies=[run_replies.no_such_run(number, state.runs)])
    finished = [run for run in state.runs if run.status == "finished"]
    chosen = [run for run in state.runs if run.number in numbers] if numbers else finished[-2:]
    if len(chosen) < 2 or len(finished) < 2:
        return Turn(state=state, replies=[run_replies.compare_needs_two(state.runs)])
    effect = Effect(kind="compare", arguments={"runs": [run.id for run in chosen]})
    return Turn(state=state, replies=[run_replies.comparing(chosen)], effects=[effect])


def delete_run(state: State, text: str, intent: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """Remove a run: asks first."""
    del files_now
    kind, _, waiting = pending.partition(":")
    spoken = intent.slots.get("run")
    run = find_run(state, spoken)
    if not state.runs:
        return Turn(state=state, replies=[run_replies.no_runs()])
    if spoken is None and len(state.runs) > 1 and state.current_run is None:
        return Turn(state=state, replies=[run_replies.which_run(state.runs, "delete")])
    if run is None:
        return Turn(state=state, replies=[run_replies.no_such_run(spoken, state.runs)])
    if (
        kind == "delete_run"
        and waiting == run.id
        and re.match(r"\W*(?:yes|yep|yeah|ok|okay|sure|do it|go ahead|please do|confirm|delete it)\b", text.casefold())
    ):
        return Turn(state=state, effects=[Effect(kind="delete_run", arguments={"run": run.id})])
    return Turn(
        state=state.model_copy(update={"pending": f"delete_run:{run.id}"}), replies=[run_replies.ask_delete(run)]
    )


# ---------------------------------------------------------------- what came of it


def answered(state: State, event: Answered) -> Turn:
    """The answer to an effect."""
    if event.problem is not None:
        pending = state.pending or ""
        keep = None if pending.startswith(("run:", "prepared:")) else state.pending
        return Turn(state=state.model_copy(update={"pending": keep}), replies=[replies.error(event.problem)])
    data = event.data
    run = find_run(state, data.get("run")) if data.get("run") else None
    if event.effect == "measure":
        return plans.was_measured(state, data)
    if event.effect == "predict":
        return Turn(state=state, replies=[run_replies.predictions(data.get("predictions") or [])])
    if event.effect == "evaluate":
        return Turn(state=state, replies=[outcomes.evaluation(run, data, str(data.get("file") or "the file"))])
    if event.effect == "export":
        return Turn(
            state=state, replies=[run_replies.files(data.get("files") or [], str(data.get("format") or "files"))]
        )
    if event.effect == "compare":
        said = Reply(text=str(data.get("text") or ""), card="comparison", data=data, options=[buttons.IMPROVE])
        return Turn(state=state, replies=[said])
    if event.effect == "delete_run":
        gone = data.get("run")
        runs = [known for known in state.runs if known.id != gone]
        current = None if state.current_run == gone else state.current_run
        return Turn(
            state=state.model_copy(update={"runs": runs, "current_run": current}),
            replies=[run_replies.deleted(data.get("number", gone))],
        )
    if event.effect == "publish":
        where = str(data.get("url") or data.get("repo") or "the Hub")
        return Turn(state=state, replies=[Reply(text=f"It is on the Hub now: {where[:200]}")])
    return Turn(state=state)
