"""What goes into and comes out of one step of the dialogue: typed values only, no I/O.

    step(state, event) -> Turn(state, replies, effects)

The session (the only shell) performs the effects, each of which comes back as an event.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recipes.plan import Plan


class Value(BaseModel):
    """A frozen record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Intent(Value):
    """What the person wants: one of the closed set, with its slots (plan paths are dotted)."""

    name: str
    slots: dict[str, Any] = Field(default_factory=dict)


# ---------------------------------------------------------------- what the dialogue remembers


class FileCard(Value):
    """A file of the conversation as the dialogue knows it: its profile, never its rows beyond a small sample."""

    id: str  # the session's handle for the stored upload
    name: str  # as the person knows it; hostile until escaped
    profile: dict[str, Any]  # assistant.data.profile.Profile.model_dump()
    guesses: list[dict[str, Any]] = Field(default_factory=list)  # roles.TaskGuess dumps, best first
    findings: list[dict[str, Any]] = Field(default_factory=list)  # doctor.Finding dumps
    role: Literal["train", "test"] = "train"
    checked: dict[str, Any] = Field(default_factory=dict)  # role -> column of the findings; {}: the best guess
    mends: str = ""  # a mended copy: the id of the file that it was made from
    mended: str = ""  # of such a copy: what was done to it, in sentences


class RunCard(Value):
    """A run as the dialogue knows it."""

    id: str
    number: int  # "run 2", as people say it
    status: str  # queued running finished failed cancelled interrupted
    task: str = ""
    title: str = ""


class State(Value):
    """All that one conversation remembers between two messages; JSON in SQLite."""

    plan: Plan | None = None
    history: list[Plan] = Field(default_factory=list)  # earlier plans, newest last: `undo`
    wishes: list[dict[str, Any]] = Field(default_factory=list)  # the wish that belongs to each plan of the history
    learned_from: list[str] = Field(default_factory=list)  # the file's id of each plan of the history
    wish: dict[str, Any] = Field(default_factory=dict)  # dotted plan paths that the person asked for
    problem: dict[str, str] | None = None  # why the plan at hand cannot run (a PlainError's parts)
    nearest: dict[str, Any] = Field(default_factory=dict)  # with a problem: the changes that make the plan work
    starter: dict[str, Any] | None = None  # the base model that must be downloaded first: name, title, mb
    guessed: list[str] = Field(default_factory=list)  # paths of the wish that a second reader took from unclear words
    goal: str = ""  # the first request, in the person's words
    files: list[FileCard] = Field(default_factory=list)
    runs: list[RunCard] = Field(default_factory=list)  # every run of this home, oldest first
    current_run: str | None = None
    pending: str | None = None  # what a bare "yes" would mean now: start, delete_run:<id>, publish:<repo>, fix:<code> …
    trying: bool = False  # the next plain text is an input for "Try it"
    hardware: dict[str, Any] = Field(default_factory=dict)  # advise.hardware.Hardware.model_dump()
    demo: bool = False
    offline: bool = False  # the hub could not be reached


# ---------------------------------------------------------------- events in


class Said(Value):
    """A message; the files that came with it were read before (`FileRead` or `FileRefused` events).

    `second`: what a second reader makes of it; it counts only where the offline reader is unsure (`chat.second`).
    """

    kind: Literal["said"] = "said"
    text: str
    second: Intent | None = None


class FileRead(Value):
    """A file came with the message, or was mended, and could be read."""

    kind: Literal["file_read"] = "file_read"
    file: FileCard


class FileRefused(Value):
    """A file came with the message and could not be read: a PlainError's parts."""

    kind: Literal["file_refused"] = "file_refused"
    name: str
    code: str
    what: str
    expected: str = ""
    fix: str = ""


class PlanPrepared(Value):
    """Answer to `PreparePlan`: the adviser's plan, its estimate, and what it has to say about the fit of the tool."""

    kind: Literal["plan_prepared"] = "plan_prepared"
    plan: Plan
    estimate: dict[str, Any] = Field(default_factory=dict)  # advise.estimate.Estimate dump
    advice: list[str] = Field(default_factory=list)  # sentences: too few rows, one class, hub not reachable …
    problem: dict[str, str] | None = None  # a PlainError's parts when no plan is possible
    file: FileCard | None = None  # checked again, where the plan reads other columns than the best guess
    nearest: dict[str, Any] = Field(default_factory=dict)  # with a problem: the least changes that make it work
    starter: dict[str, Any] | None = None  # the plan's base model is a starter to be downloaded: name, title, mb


class RunChanged(Value):
    """A run began, moved on or ended."""

    kind: Literal["run_changed"] = "run_changed"
    run: RunCard
    view: dict[str, Any] = Field(default_factory=dict)  # report.run.RunView dump
    result: dict[str, Any] | None = None  # recipes.events.Result dump
    plan: Plan | None = None  # of the run; with a result


class Answered(Value):
    """Answer to an effect that only fetches: predictions, an evaluation, exported files, a comparison, a failure."""

    kind: Literal["answered"] = "answered"
    effect: str  # the effect's kind
    data: dict[str, Any] = Field(default_factory=dict)
    problem: dict[str, str] | None = None  # a PlainError's parts


Input = Annotated[Said | FileRead | FileRefused | PlanPrepared | RunChanged | Answered, Field(discriminator="kind")]


# ---------------------------------------------------------------- effects out


class Effect(Value):
    """What the session is asked to do. `kind` is one of:

    prepare_plan   {"wish": {dotted: value}, "file": id | None, "test_file": id | None, "goal": text} -> PlanPrepared
    start_run      {"plan": Plan dump} -> RunChanged                 stop_run     {"run": id} -> RunChanged
    resume_run     {"run": id} -> RunChanged                         run_status   {"run": id} -> RunChanged
    report         {"run": id} -> RunChanged with result             compare      {"runs": [ids]} -> Answered
    get_starter    {"name": name} -> Answered {"name", "was_here"}
    use_example    {"name": name} -> FileRead                        measure      {"plan", "file"} -> Answered
    predict        {"run": id, "inputs": [text]} -> Answered {"predictions": [{"input","prediction","scores"}]}
    evaluate       {"run": id, "file": id} -> Answered {"rows", "metrics"}
    export         {"run": id, "format": name} -> Answered {"files": [{"name","path","bytes"}]}
    delete_run     {"run": id} -> Answered                           fix_data     {"file": id, "code": code} -> FileRead
    publish        {"run": id, "repo": id, "kind": "model" | "space"} -> Answered
    forget_file    {"file": id}                                      read_hub {"dataset": id} -> FileRead | FileRefused
    """

    kind: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Option(Value):
    """A button below a reply; clicking it says `say`."""

    label: str
    say: str


class Reply(Value):
    """One thing the assistant says. `text` is whole by itself (Markdown, safe for a terminal); a page may draw `card`
    from `data` instead.

    card: None, "data", "plan", "download", "run", "report", "prediction", "files", "runs", "comparison", "error",
          "concept"
    """

    text: str
    card: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    options: list[Option] = Field(default_factory=list)


class Turn(Value):
    """The outcome of one step."""

    state: State
    replies: list[Reply] = Field(default_factory=list)
    effects: list[Effect] = Field(default_factory=list)
    intent: Intent | None = None
