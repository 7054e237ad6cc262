"""The only shell: read -> step -> perform the effects -> feed the results back. Owns the home, the clock and the ids.

    session = Session(home)
    answer = session.say(None, "Tell spam from real e-mails", [Path("spam.csv")])
    session.say(answer.conversation, "start"); session.wait(run)

Each step of a conversation is one transaction, so two tabs, or a server and a terminal, cannot tear its state.
"""
# ruff: noqa: PLC0415 - an answer must come within a second of the command: what is heavy is imported where it is used

from __future__ import annotations

import logging
import logging.handlers
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from assistant import trying
from assistant.chat.turns import (
    Answered,
    Effect,
    FileCard,
    FileRead,
    FileRefused,
    Input,
    Intent,
    Reply,
    RunCard,
    RunChanged,
    Said,
    State,
    Turn,
)
from assistant.effects import DEMO, OPEN, Effects, Limits, file_card, parts
from assistant.errors import PlainError
from assistant.jobs import rundir, starters
from assistant.jobs.home import Home, display_name, is_secret
from assistant.jobs.launchers import Machine
from assistant.jobs.rundir import ENDED
from assistant.jobs.store import QueueRow, Store
from assistant.jobs.try_it import TryIt
from assistant.jobs.worker import LEAVING_SECONDS, Worker, resume_run, settle, was_launched
from recipes.plan import Plan

if TYPE_CHECKING:
    from assistant.chat.llm import SecondReader

log = logging.getLogger(__name__)

#: Characters of one message: some ten pages. Rows belong into a file.
MAX_TEXT = 20_000
#: Files with one message.
MAX_FILES = 10
#: Effects that one message may set off, one after the other: a guard against a dialogue that goes in circles.
MAX_EFFECTS = 20
#: What a dry run does not do: it decides and answers, but starts, deletes and publishes nothing.
_ACTS = {
    "start_run", "stop_run", "resume_run", "predict", "evaluate", "export", "delete_run", "publish", "forget_file",
    "get_starter", "measure", "read_hub",
}  # fmt: skip


class StoredMessage(BaseModel):
    """One message of a conversation. A person's has `text` and the names of its `files`; the assistant's a `reply`."""

    model_config = ConfigDict(frozen=True)

    id: int
    role: Literal["user", "assistant"]
    at: float
    text: str = ""
    files: list[str] = Field(default_factory=list)
    reply: Reply | None = None


@dataclass
class Answer:
    """What came of one message. `started`: the runs that it put into the queue."""

    conversation: str
    intent: Intent
    plan: Plan | None
    run: RunCard | None
    replies: list[Reply]
    started: list[str] = field(default_factory=list)
    last_message: int = 0

    def as_json(self) -> dict[str, Any]:
        """The object that `say --json` prints."""
        return {
            "conversation": self.conversation,
            "intent": self.intent.model_dump(mode="json"),
            "plan": self.plan.model_dump(mode="json") if self.plan is not None else None,
            "run": {"id": self.run.id, "status": self.run.status} if self.run is not None else None,
            "replies": [reply.text for reply in self.replies],
        }


class Session:
    """Everything between the words and the world, for one home.

    Args:
        home: the folder of the state; None: `FINETUNE_ASSISTANT_HOME`, else the user's data folder.
        demo: for a public page: `DEMO` limits, and a visitor sees the runs of the own conversation only.
        reader: asked about what the offline reader finds unclear; None: nothing leaves this machine.
    """

    def __init__(self, home: Path | None = None, *, demo: bool = False, reader: SecondReader | None = None) -> None:
        self.home = Home(home)
        self.reader = reader
        self.apart = False  # a server lets a process of its own read files, so that it stays small
        self._log = open_log(self.home)
        self.limits: Limits = DEMO if demo else OPEN
        if demo:  # the owner's token is not for visitors
            for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN"):
                os.environ.pop(name, None)
        self.store = Store(self.home)
        self.try_it = TryIt()
        longest = None if self.limits.minutes is None else self.limits.minutes * 60 * 2
        self.worker = Worker(
            self.home, self.store, ended=self._tell, machine=self._machine, longest_seconds=longest
        )  # fmt: skip
        self._hardware: dict[str, Any] = {}
        self._catching_up = threading.Lock()
        self.home.sweep()

    def close(self) -> None:
        """Let everything go; runs go on."""
        self.worker.close()
        self.try_it.close()
        self.store.close()
        logging.getLogger("assistant").removeHandler(self._log)
        self._log.close()

    # ------------------------------------------------------------ conversations

    def open(self, conversation: str | None, visitor: str | None = None) -> str:
        """The conversation itself where it exists, else a new one. Its id is a bearer secret of 128 random bits."""
        if is_secret(conversation) and conversation is not None and self.store.state(conversation) is not None:
            return conversation
        return self.store.new_conversation(State(demo=self.limits.demo).model_dump_json(), visitor)

    def state(self, conversation: str) -> State:
        """What a conversation remembers.

        Raises:
            PlainError: there is none of this id.
        """
        text = self.store.state(conversation) if is_secret(conversation) else None
        if text is None:
            raise PlainError(
                "conversation-unknown",
                "That conversation is not known here.",
                "It may belong to another home folder.",
                "Leave out the conversation to begin a new one.",
            )
        return self._fresh(_load_state(text), conversation)

    def messages(self, conversation: str, limit: int = 50, after: int = 0) -> list[StoredMessage]:
        """The newest messages, oldest first; ends of runs that happened meanwhile are told before."""
        self._catch_up(conversation)
        return [_stored(row.id, row.role, row.body, row.at) for row in self.store.messages(conversation, limit, after)]

    def version(self, conversation: str) -> int:
        """Grows with every new message; cheap enough to be asked each second by every open page."""
        self._catch_up(conversation)
        return self.store.version(conversation)

    def say(
        self,
        conversation: str | None,
        text: str,
        files: Sequence[Path] = (),
        *,
        names: Sequence[str] | None = None,
        dry_run: bool = False,
        visitor: str | None = None,
    ) -> Answer:
        """One message, with its files.

        Args:
            conversation: None: a new one begins.
            names: what the person calls the files; default: the last part of each path.
            dry_run: decide and answer, but start, delete and publish nothing.
            visitor: who is counted in demo mode; default: the conversation.

        Raises:
            PlainError: no such conversation. Whatever else is wrong comes as a reply.
        """
        text = text.encode("utf-8", "replace").decode("utf-8")  # half characters from a shell or a page
        if conversation is None:
            conversation = self.open(None, visitor)
        self.state(conversation)
        self._catch_up(conversation)
        talk = _Talk(self, conversation, dry_run=dry_run, visitor=visitor)
        return talk.answer(text, files, list(names) if names else [path.name for path in files])

    # ------------------------------------------------------------ runs

    def runs(self, conversation: str | None = None) -> list[RunCard]:
        """The runs, oldest first; in demo mode those of the given conversation only."""
        return [self.card(row) for row in self._rows(conversation)]

    def find_run(self, spoken: str, conversation: str | None = None) -> QueueRow:
        """A run by its id, the beginning of it, its number, or "last".

        Raises:
            PlainError: there is none, or none that this conversation may see.
        """
        rows, wanted = self._rows(conversation), str(spoken).strip().casefold().removeprefix("run").strip(" #")
        if wanted in ("last", "latest", "newest") and rows:
            return rows[-1]
        for row in rows:
            if row.run == wanted or str(row.number) == wanted:
                return row
        close = [row for row in rows if len(wanted) >= 4 and row.run.startswith(wanted)]
        if len(close) == 1:
            return close[0]
        known = f"Known are run {', '.join(str(row.number) for row in rows[-10:])}." if rows else "There is no run yet."
        raise PlainError(
            "run-unknown", f"There is no run {display_name(str(spoken))!r}.", known, "Ask for the list of runs."
        )

    def card(self, row: QueueRow) -> RunCard:
        """A run as the dialogue knows it."""
        return RunCard(id=row.run, number=row.number, status=self.status(row), task=row.task, title=row.title)

    def status(self, row: QueueRow) -> rundir.Status:
        """How a run stands: the run directory knows, but for what only waits."""
        if row.status != "running":
            return row.status
        folder = self.home.run_dir(row.run)
        return rundir.status(folder) if was_launched(row, folder) else "queued"

    def run_view(self, run: str, conversation: str | None = None) -> dict[str, Any]:
        """The fold of a run's events (`report.run.RunView`) with "id", "number" and "title".

        Raises:
            PlainError: there is no such run, or in demo mode none of this conversation.
        """
        from assistant.report.run import load

        row = self.find_run(run, conversation)
        view = load(self.home.run_dir(row.run)).model_dump(mode="json")
        return {**view, "status": self.status(row), "id": row.run, "number": row.number, "title": row.title}

    def download(self, starter: str) -> dict[str, Any] | None:
        """How far the starter model is that is being prepared (`jobs.starters.progress`); None where none is."""
        return starters.progress(self.home, starter)

    def show(self, run: str, conversation: str | None = None) -> dict[str, Any]:
        """`show RUN --json`: id, status, plan and, where it is finished, the result."""
        row = self.find_run(run, conversation)
        folder = self.home.run_dir(row.run)
        status = self.status(row)
        result = rundir.read_json(folder / "result.json") if status == "finished" else None
        return {"id": row.run, "status": status, "plan": rundir.read_json(folder / "plan.json"), "result": result}

    def wait(self, run: str, watch: Callable[[str], None] | None = None) -> rundir.Status:
        """Wait for the end of a run, working the queue meanwhile where no other process does.

        Args:
            watch: called a few times a second, for showing progress.
        """
        while True:
            row = self.store.run(run)
            if row is None or row.status in ENDED:
                break
            if self.worker.take():
                self.worker.tick()
            else:
                settle(self.home, self.store, run)
            if watch is not None:
                watch(run)
            time.sleep(0.2)
        if watch is not None:
            watch(run)
        self._tell(run)
        return row.status if row is not None else "interrupted"

    def resume(self, row: QueueRow) -> None:
        """Put a run that ended early back into the queue; its end is told before, if it was not.

        Raises:
            PlainError: it is finished, or still works.
        """
        settle(self.home, self.store, row.run, patience=LEAVING_SECONDS)
        self._tell(row.run)
        resume_run(self.home, self.store, row.run)

    def read_file(self, upload: str, name: str, role: Literal["train", "test"] = "train") -> FileCard:
        """Read an upload into what the dialogue knows of it.

        Raises:
            PlainError: it cannot be read.
        """
        return file_card(self.home, upload, name, role, apart=self.apart)

    # ------------------------------------------------------------ steps (for _Talk and the worker)

    def step(self, conversation: str, event: Input) -> Turn:
        """One step of the dialogue, stored with its replies in one transaction."""
        from assistant.chat import dialogue

        with self.store.change():
            state = self.state(conversation)
            turn: Turn = dialogue.step(state, event)
            self.store.set_state(conversation, turn.state.model_dump_json())
            for reply in turn.replies:
                self.store.add_message(conversation, "assistant", reply.model_dump(mode="json"))
        return turn

    def changed(self, row: QueueRow, *, with_result: bool = False) -> RunChanged:
        """The event that tells a conversation how a run stands."""
        fresh = self.store.run(row.run) or row
        card = self.card(fresh)
        result = plan = None
        if with_result or card.status == "finished":
            folder = self.home.run_dir(row.run)
            result, plan = rundir.read_json(folder / "result.json"), rundir.read_plan(folder)
        return RunChanged(run=card, view=self.run_view(row.run, row.conversation), result=result, plan=plan)

    def hardware(self) -> dict[str, Any]:
        """This machine, asked once."""
        if not self._hardware:
            from assistant.advise.hardware import detect

            self._hardware = detect().model_dump(mode="json")
        return self._hardware

    def _machine(self) -> Machine:
        hardware = self.hardware()
        return Machine(cores=int(hardware.get("cores") or 1), gpus=len(hardware.get("gpus") or ()))

    def _rows(self, conversation: str | None) -> list[QueueRow]:
        if not self.limits.demo:
            return self.store.runs()
        return self.store.runs(conversation) if conversation else []

    def _fresh(self, state: State, conversation: str) -> State:
        """The state with what the world knows better: the runs, the machine, the mode."""
        update: dict[str, Any] = {"runs": self.runs(conversation), "demo": self.limits.demo}
        if self._hardware:
            update["hardware"] = self._hardware
        return state.model_copy(update=update)

    # ------------------------------------------------------------ telling of ends

    def _catch_up(self, conversation: str) -> None:
        """Tell of the ends that happened while nobody listened."""
        with self._catching_up:
            for row in self.store.untold(conversation):
                settle(self.home, self.store, row.run)
                self._tell(row.run)

    def _tell(self, run: str) -> None:
        """Tell the run's conversation of its end, exactly once over all processes."""
        row = self.store.run(run)
        if row is None or row.told or row.conversation is None or row.status not in ENDED:
            return
        if self.store.state(row.conversation) is None:
            return
        with self.store.change():
            if self.store.claim_telling(run):
                self.step(row.conversation, self.changed(row))


class _Talk:
    """One message on its way through the dialogue."""

    def __init__(self, session: Session, conversation: str, *, dry_run: bool, visitor: str | None) -> None:
        self._session = session
        self._conversation = conversation
        self._dry_run = dry_run
        self._effects = Effects(session, conversation, dry_run=dry_run, visitor=visitor or conversation)
        self._replies: list[Reply] = []

    def answer(self, text: str, files: Sequence[Path], names: list[str]) -> Answer:
        """Read the files, say the text, perform what follows from it."""
        session, conversation = self._session, self._conversation
        shown = [display_name(name) for name in names[:MAX_FILES]]
        session.store.add_message(conversation, "user", {"text": text[:MAX_TEXT], "files": shown})
        if len(text) > MAX_TEXT or len(files) > MAX_FILES:
            self._complain(_too_much(len(text), len(files)))
            return self._result(Intent(name="unclear"))
        events = [self._file(path, name) for path, name in zip(files, shown, strict=True)]
        for event in events:
            self._drive(event)
        if events and all(isinstance(event, Answered) for event in events):
            return self._result(Intent(name="predict"))
        intent = None
        if text.strip() or not files or any(isinstance(event, FileRead) for event in events):
            turn = self._drive(self._heard(text))
            intent = turn.intent if turn is not None else None
        return self._result(intent or Intent(name="check_data" if files and not text.strip() else "unclear"))

    def _heard(self, text: str) -> Said:
        """The message, read once more by the second reader where there is one and the offline reader is unsure.

        The network is asked here, outside of any transaction; what its answer may do, the dialogue decides.
        """
        reader = self._session.reader
        if reader is None:
            return Said(text=text)
        from assistant.chat import dialogue

        state = self._session.state(self._conversation)
        if not dialogue.unsure(state, text):
            return Said(text=text)
        return Said(text=text, second=reader.read(text, state, dialogue.new_files(state)))

    def _result(self, intent: Intent) -> Answer:
        session, conversation = self._session, self._conversation
        state = session.state(conversation)
        run = next((card for card in state.runs if card.id == state.current_run), None)
        return Answer(
            conversation=conversation,
            intent=intent,
            plan=state.plan,
            run=None if self._dry_run else run,
            replies=self._replies,
            started=self._effects.started,
            last_message=session.store.version(conversation),
        )

    def _file(self, path: Path, name: str) -> FileRead | FileRefused | Answered:
        """A file of examples; or a picture or recording for the model of a finished run, and what it answers."""
        session = self._session
        upload = None
        try:
            row = trying.run_for(session, self._conversation, path)
            if row is not None and not self._dry_run:
                answer = trying.ask(session, row, name, path)
                return Answered(effect="predict", data={"run": row.run, "number": row.number, "predictions": [answer]})
            upload = session.home.keep_upload(path, name, session.limits.upload_bytes)
            return FileRead(file=session.read_file(upload, name))
        except PlainError as error:
            problem = error
        except Exception as error:
            log.exception("reading a file failed")
            problem = _bug(session.home, error)
        if upload is not None:
            session.home.forget_upload(upload)
        return FileRefused(name=name, code=problem.code, what=problem.what, expected=problem.expected, fix=problem.fix)

    def _drive(self, event: Input) -> Turn | None:
        """Step, perform, feed back, until nothing is left to do; returns the first turn."""
        first, events = None, deque([event])
        for _ in range(MAX_EFFECTS):
            if not events:
                return first
            turn = self._step(events.popleft())
            if turn is None:
                return first
            first = first or turn
            for effect in turn.effects:
                if self._dry_run and effect.kind in _ACTS:
                    self._say_dry(effect)
                else:
                    events.append(self._perform(effect))
        log.error("a message set off more than %s effects", MAX_EFFECTS)
        return first

    def _step(self, event: Input) -> Turn | None:
        try:
            turn = self._session.step(self._conversation, event)
        except PlainError as error:
            self._complain(error)
            return None
        except Exception as error:
            log.exception("a step of the dialogue failed")
            self._complain(_bug(self._session.home, error))
            return None
        self._replies += turn.replies
        return turn

    def _perform(self, effect: Effect) -> Input:
        try:
            return self._effects.perform(effect)
        except PlainError as error:
            problem = error
        except Exception as error:
            log.exception("the effect %s failed", effect.kind)
            problem = _bug(self._session.home, error)
        return Answered(effect=effect.kind, data=effect.arguments, problem=parts(problem))

    def _say_dry(self, effect: Effect) -> None:
        if not self._replies:
            deed = effect.kind.replace("_", " ")
            self._replies.append(Reply(text=f"This is a dry run: now I would {deed}, but nothing is done."))

    def _complain(self, error: PlainError) -> None:
        reply = Reply(text=error.text(), card="error", data=parts(error))
        self._session.store.add_message(self._conversation, "assistant", reply.model_dump(mode="json"))
        self._replies.append(reply)


def _bug(home: Home, error: Exception) -> PlainError:
    """What a person reads when this program is wrong; the traceback is in the log."""
    return PlainError(
        "internal-error",
        f"Something in the assistant itself went wrong ({type(error).__name__}); it is not your mistake.",
        f"The details are in {home.log}.",
        "Try it again or say it in another way.",
    )


def _too_much(characters: int, files: int) -> PlainError:
    """A message above the limits."""
    if files > MAX_FILES:
        return PlainError(
            "too-many-files", f"{files} files at once; up to {MAX_FILES} are taken.", fix="Add fewer files."
        )
    return PlainError(
        "message-too-long",
        f"The message has {characters:,} characters; up to {MAX_TEXT:,} are read.",
        fix="Put rows of data into a file and add that.",
    )


def _load_state(text: str) -> State:
    try:
        return State.model_validate_json(text)
    except ValueError:
        log.exception("a conversation of another version: its messages are kept, its plan is forgotten")
        return State()


def _stored(number: int, role: str, body: dict[str, Any], at: float) -> StoredMessage:
    if role == "user":
        return StoredMessage(id=number, role="user", at=at, text=str(body.get("text", "")), files=body.get("files", []))
    return StoredMessage(id=number, role="assistant", at=at, reply=Reply.model_validate(body))


def open_log(home: Home) -> logging.Handler:
    """Tracebacks and notes go to the home's log file, and nowhere else."""
    handler = logging.handlers.RotatingFileHandler(
        home.log, maxBytes=1_000_000, backupCount=1, delay=True, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("assistant")
    logger.addHandler(handler)
    logger.propagate = False
    return handler
