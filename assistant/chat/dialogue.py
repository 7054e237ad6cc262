"""The dialogue: step(state, event) -> Turn. Pure; one handler for every intent and for every event that comes back.

`state.pending` says what a bare yes, or the next event, would mean now:
    files:<ids>        files came and nothing was said about them yet       refused:<code>   a file could not be read
    prepared:<why>     a plan is being made: new, change, change+start, new+start, fix:<code>, improve:<run's number>
    run:<why>          a run is being asked about: start, stop, resume, status, report, improve, question:<topic>
    delete_run:<id>, publish:<repo>, fix:<code>, starter     a yes is needed
    guide:<step>       the guide asked what goes in, what comes out, or for a file       example:<name>  it is read
    asked:<intent>:<slot>=<value>                   a second reader took the words for this; a yes is needed
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from assistant.advise import catalog, tool
from assistant.chat import (
    buttons,
    data_replies,
    fulfil,
    offers,
    plan_replies,
    plans,
    replies,
    rules,
    second,
    starter,
    talk,
)
from assistant.chat.turns import (
    FileCard,
    FileRead,
    FileRefused,
    Input,
    Intent,
    PlanPrepared,
    Reply,
    RunChanged,
    Said,
    State,
    Turn,
)

#: Files and earlier plans that a conversation remembers.
MAX_FILES = 10


@dataclass(frozen=True)
class Context:
    """One message with what belongs to it."""

    text: str
    intent: Intent
    files_now: tuple[FileCard, ...] = ()
    pending: str = ""


Handler = Callable[[State, Context], Turn]


def step(state: State, event: Input) -> Turn:
    """One step of the conversation.

    Returns:
        the new state, what is said, and what the session is to do; `intent` is set for a message.
    """
    if isinstance(event, Said):
        return _said(state, event)
    if isinstance(event, FileRead):
        return _file_read(state, event.file)
    if isinstance(event, FileRefused):
        return _file_refused(state, event)
    if isinstance(event, PlanPrepared):
        return plans.prepared(state, event)
    if isinstance(event, RunChanged):
        return talk.run_changed(state, event)
    if event.effect == "get_starter":
        turn = starter.got(state, event)
        return plans.starter_came(turn) if state.starter != turn.state.starter else turn
    return fulfil.answered(state, event)


# ---------------------------------------------------------------- events


def _said(state: State, event: Said) -> Turn:
    pending = state.pending or ""
    files_now = new_files(state)
    wanted = rules.read(event.text, state, files_now)
    decided = wanted
    if event.second is not None:
        decided = second.decide(wanted, event.second, event.text, state, files_now)
    state = state.model_copy(update={"guessed": second.guessed(state.guessed, wanted, decided)})
    turn = act(state, event.text, decided, files_now, pending)
    if decided == wanted or decided.name not in second.PLANS:
        return turn
    note = replies.read_by_second(can_undo=decided.name == "change")
    return turn.model_copy(update={"replies": [note, *turn.replies]})


def unsure(state: State, text: str) -> bool:
    """Whether the offline reader would like a second reader's help with a message; decides without a network."""
    files_now = new_files(state)
    return bool(text.strip()) and second.unsure(rules.read(text, state, files_now), state, files_now)


def act(state: State, text: str, wanted: Intent, files_now: tuple[FileCard, ...] = (), pending: str = "") -> Turn:
    """Do what an intent asks for."""
    context = Context(text, wanted, files_now, pending)
    turn = HANDLERS[wanted.name](state.model_copy(update={"pending": None}), context)
    trying = turn.state.trying and wanted.name in ("predict", "explain", "status", "report")
    return turn.model_copy(update={"intent": wanted, "state": turn.state.model_copy(update={"trying": trying})})


def new_files(state: State) -> tuple[FileCard, ...]:
    """The files that came with the message at hand, or that nothing was said about yet."""
    kind, _, ids = (state.pending or "").partition(":")
    if kind != "files":
        return ()
    wanted = ids.split(",")
    return tuple(file for file in state.files if file.id in wanted)


#: Names that people give to rows that are kept for judging.
TEST_NAME = re.compile(r"(?<![a-z])(?:test|testing|held[\s_-]?out|holdout|eval|evaluation)(?![a-z])", re.IGNORECASE)


def _file_read(state: State, file: FileCard) -> Turn:
    kind, _, rest = (state.pending or "").partition(":")
    if kind == "prepared" and rest.startswith("fix:"):
        return plans.data_fixed(state, file, rest.removeprefix("fix:"))
    if kind == "example":
        return plans.example_read(state, file, rest)
    if kind == "hub":
        return plans.hub_read(state, file)
    waiting = rest.split(",") if kind == "files" else []
    files = [*(known for known in state.files if known.id != file.id), file][-MAX_FILES:]
    together = [*waiting, file.id]
    files = _test_file_told_apart(files, together)
    state = state.model_copy(update={"files": files, "pending": "files:" + ",".join(together)})
    return Turn(state=state, replies=[data_replies.data_card(file)])


def _test_file_told_apart(files: list[FileCard], together: list[str]) -> list[FileCard]:
    """Of files that came together with the same columns, the one whose name says so holds the test rows."""
    came = [file for file in files if file.id in together]
    columns = {file.id: [column.get("name") for column in file.profile.get("columns", [])] for file in came}
    tests = [file for file in came if TEST_NAME.search(file.name)]
    if len(tests) != 1 or not any(columns[file.id] == columns[tests[0].id] for file in came if file is not tests[0]):
        return files
    return [file.model_copy(update={"role": "test"}) if file.id == tests[0].id else file for file in files]


def _file_refused(state: State, event: FileRefused) -> Turn:
    problem = {"code": event.code, "what": event.what, "expected": event.expected, "fix": event.fix}
    kind = (state.pending or "").partition(":")[0]
    update = {} if kind == "files" else {"pending": f"refused:{event.code}"}
    return Turn(state=state.model_copy(update=update), replies=[replies.error(problem)])


# ---------------------------------------------------------------- small handlers


def _plan(state: State, context: Context) -> Turn:
    return plans.request(state, context.text, context.intent, context.files_now, context.pending)


def _change(state: State, context: Context) -> Turn:
    return plans.change(state, context.text, context.intent, context.files_now)


def _start(state: State, context: Context) -> Turn:
    del context
    return plans.start(state)


def _undo(state: State, context: Context) -> Turn:
    del context
    return plans.undo(state)


def _help(state: State, context: Context) -> Turn:
    kind, step = context.intent.slots.get("kind"), context.intent.slots.get("step")
    if kind == "hello" and (step or not (state.files or state.plan)):
        question, pending = offers.ask(str(step or "inputs"))
        greeting = [] if step else [replies.hello(state.demo)]
        return Turn(state=state.model_copy(update={"pending": pending}), replies=[*greeting, question])
    reply = {
        "hello": lambda: replies.hello(state.demo),
        "thanks": replies.thanks,
        "how": replies.how_to_begin,
    }.get(str(kind), replies.abilities)()
    return Turn(state=state, replies=[reply])


def _unclear(state: State, context: Context) -> Turn:
    why = str(context.intent.slots.get("why") or "")
    if why in replies.OUT_OF_SCOPE:
        return Turn(state=state, replies=[replies.out_of_scope(why)])
    if why.startswith(second.ASKS):
        meant = second.confirmed(why) or Intent(name="unclear")
        reply = replies.did_you_mean(meant.name, meant.slots, state.runs)
        return Turn(state=state.model_copy(update={"pending": why}), replies=[reply])
    other = tool.by_words(context.text)
    if other is not None and not why:
        return Turn(state=state, replies=[plan_replies.honest(other.text)])
    if why.startswith("model:"):
        name = why.removeprefix("model:")
        return Turn(state=state, replies=[replies.unknown_model(name, catalog.suggest(name))])
    return Turn(state=state, replies=[_ask_back(state)])


def _ask_back(state: State) -> Reply:
    """Ask back with what would make sense now."""
    live = [run for run in state.runs if run.status in ("queued", "running")]
    if live:
        return replies.not_understood([buttons.STATUS], "A run is at work: do you want to know how it stands?")
    if state.plan is not None and state.plan.base_model:
        options = [buttons.START, buttons.FASTER, buttons.ACCURATE, buttons.EXPLAIN]
        return replies.not_understood(options, "What should I change, or shall I start?")
    if any(run.status == "finished" for run in state.runs):
        return replies.not_understood([buttons.REPORT, buttons.TRY, buttons.IMPROVE], "Is it about the last run?")
    file = next((file for file in reversed(state.files) if file.role == "train"), None)
    if file is not None and file.guesses:
        return replies.not_understood(data_replies.guess_options(file), "What should a model learn from your file?")
    return replies.not_understood([buttons.HELP, buttons.EXAMPLE], "What should a model learn for you?")


def _with(handler: Callable[[State, str, Intent, tuple[FileCard, ...], str], Turn]) -> Handler:
    def handle(state: State, context: Context) -> Turn:
        return handler(state, context.text, context.intent, context.files_now, context.pending)

    return handle


HANDLERS: dict[str, Handler] = {
    "plan": _plan,
    "change": _change,
    "start": _start,
    "undo": _undo,
    "stop": _with(talk.stop),
    "resume": _with(talk.resume),
    "status": _with(talk.status),
    "report": _with(talk.report),
    "improve": _with(talk.improve),
    "list_runs": _with(talk.list_runs),
    "explain": _with(talk.explain),
    "check_data": _with(fulfil.check_data),
    "fix_data": _with(fulfil.fix_data),
    "compare": _with(fulfil.compare),
    "predict": _with(fulfil.predict),
    "evaluate": _with(fulfil.evaluate),
    "export": _with(fulfil.export),
    "publish": _with(fulfil.publish),
    "delete_run": _with(fulfil.delete_run),
    "get_starter": _with(starter.get),
    "help": _help,
    "unclear": _unclear,
}
