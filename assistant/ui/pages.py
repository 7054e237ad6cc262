"""What all open pages share: each conversation as last drawn. Pages ask every three seconds, so an answer that has not
changed costs one small question to the database, and a run that moved costs its own card alone.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.chat.turns import State
from assistant.data import examples
from assistant.errors import PlainError
from assistant.report import media
from assistant.report.run import RunView
from assistant.session import Session, StoredMessage
from assistant.trying import ROLES
from assistant.ui import downloads, render
from recipes.events import Result
from recipes.plan import Plan

#: Messages of a conversation that a page shows; more cost every page at every change.
WINDOW = 50
#: Conversations kept drawn.
MAX_DRAWN = 200
#: A run is looked at so often, however many pages show it.
RUN_SECONDS = 0.9
#: Ends that happened while no server worked are looked for so often.
CATCH_UP_SECONDS = 5.0
_OVER = ("finished", "failed", "cancelled")


@dataclass
class Drawn:
    """A conversation as drawn. `signature` changes whenever it looks different; `moving` are runs that may move."""

    version: int
    signature: str
    blocks: list[render.Block]
    plan: Plan | None = None
    trying: bool = False
    moving: list[str] = field(default_factory=list)
    messages: Sequence[StoredMessage] = ()
    live: bool = False
    tries: str = "text"  # what the model that is tried answers to: text, image or audio
    download: dict[str, Any] | None = None  # how far the model is that the newest message is about

    @property
    def over(self) -> bool:
        """Whether every run of it has come to an end."""
        return not self.moving


class Pages:
    """The session as pages see it. Safe for threads: at worst two draw the same thing."""

    def __init__(self, session: Session) -> None:
        self.session = session
        shipped = {name: examples.example(name) for name in examples.example_names()}
        cards = [render.Example(name, one.title, one.description) for name, one in shipped.items()]
        self._welcome = render.Block(
            "assistant", render.welcome(cards, demo=session.limits.demo, reader=session.reader is not None)
        )
        self._drawn: OrderedDict[str, Drawn] = OrderedDict()
        self._runs: OrderedDict[tuple[str, str], tuple[float, render.RunShown | None]] = OrderedDict()
        self._caught_up: dict[str, float] = {}

    def known(self, conversation: object) -> str:
        """The conversation's id if there is such a one, else ""; what a page or an address says is never trusted."""
        if not isinstance(conversation, str):
            return ""
        if conversation in self._drawn:
            return conversation
        try:
            self.session.state(conversation)
        except PlainError:
            return ""
        return conversation

    def look(self, conversation: str) -> Drawn:
        """The conversation as it is now ("": the welcome), drawn anew only where it changed."""
        if not conversation:
            return Drawn(0, "welcome", [self._welcome])
        version = self._version(conversation)
        before = self._drawn.get(conversation)
        same = before if before is not None and before.version == version else None
        if same is not None and not same.moving and not _starter_of(same.messages):
            return same
        messages = same.messages if same is not None else self.session.messages(conversation, limit=WINDOW)
        runs = self._runs_of(conversation, messages, anew=same is None)
        starter = _starter_of(messages)
        download = self.session.download(starter) if starter else None
        signature = _signature(version, runs, download)
        if same is not None and same.signature == signature:
            return same
        now = self._draw(conversation, version, signature, messages, runs, same)
        if download is not None:
            now.download = download
            now.blocks = [*now.blocks[:-1], render.block(_with_progress(messages[-1], download), {}, newest=True)]
        self._drawn[conversation] = now
        if len(self._drawn) > MAX_DRAWN:
            oldest, _ = self._drawn.popitem(last=False)
            self._caught_up.pop(oldest, None)
        return now

    def _draw(
        self,
        conversation: str,
        version: int,
        signature: str,
        messages: Sequence[StoredMessage],
        runs: dict[str, render.RunShown],
        same: Drawn | None,
    ) -> Drawn:
        """Draw it; where only runs moved (`same`), the other blocks are taken over."""
        if not messages:
            return Drawn(version, signature, [self._welcome])
        if same is not None:
            blocks = [
                render.block(message, runs, newest=message is messages[-1], chat=conversation)
                if _run_of(message)
                else old
                for message, old in zip(messages, same.blocks, strict=True)
            ]
            plan, trying, tries = same.plan, same.trying, same.tries
        else:
            blocks = render.view(messages, runs, chat=conversation)
            state = self.session.state(conversation)
            plan, trying, tries = state.plan, state.trying, _tried(state)
        moving = [run.id for run in runs.values() if run.view.status not in _OVER]
        live = any(run.view.live for run in runs.values())
        return Drawn(version, signature, blocks, plan, trying, moving, messages, live, tries)

    def _version(self, conversation: str) -> int:
        now = time.monotonic()
        if now - self._caught_up.get(conversation, -CATCH_UP_SECONDS) < CATCH_UP_SECONDS:
            return self.session.store.version(conversation)
        self._caught_up[conversation] = now
        return self.session.version(conversation)

    def _runs_of(
        self, conversation: str, messages: Sequence[StoredMessage], *, anew: bool
    ) -> dict[str, render.RunShown]:
        found = {run: self._run(run, conversation, anew=anew) for run in map(_run_of, messages) if run}
        return {run: shown for run, shown in found.items() if shown is not None}

    def _run(self, run: str, conversation: str, *, anew: bool) -> render.RunShown | None:
        """What the cards of a run are drawn from; None for one that was deleted."""
        at, shown = self._runs.get((conversation, run), (0.0, None))
        settled = shown is not None and shown.view.status in _OVER
        if not anew and (settled or time.monotonic() - at < RUN_SECONDS):
            return shown
        try:
            shown = self._run_now(run, conversation)
        except PlainError:
            shown = None
        self._runs[(conversation, run)] = (time.monotonic(), shown)
        if len(self._runs) > 4 * MAX_DRAWN:
            self._runs.popitem(last=False)
        return shown

    def _run_now(self, run: str, conversation: str) -> render.RunShown:
        fields = self.session.run_view(run, conversation)
        view, result, plan = RunView.model_validate(fields), None, None
        if view.status == "finished":
            shown = self.session.show(run, conversation)
            result = Result.model_validate(shown["result"]) if shown["result"] else None
            plan = Plan.model_validate(shown["plan"]) if shown["plan"] else None
        links = downloads.links(fields["id"], conversation) if result else {}
        pictures = media.pictures_of(self.session.home.run_dir(fields["id"]), result) if result else {}
        return render.RunShown(run, int(fields["number"]), view, result, plan, links, pictures)


def _tried(state: State) -> str:
    """What the current run's model answers to: text, image or audio."""
    run = next((run for run in state.runs if run.id == state.current_run), None)
    return ROLES.get(run.task, "text") if run is not None else "text"


def _run_of(message: StoredMessage) -> str:
    """The run whose card a message is; "" for any other."""
    reply = message.reply
    return str(reply.data.get("run", "")) if reply is not None and reply.card in ("run", "report", "concept") else ""


def _starter_of(messages: Sequence[StoredMessage]) -> str:
    """The starter model that the newest message says is on its way; "" for any other."""
    reply = messages[-1].reply if messages else None
    return str(reply.data.get("starter", "")) if reply is not None and reply.card == "download" else ""


def _with_progress(message: StoredMessage, download: dict[str, Any]) -> StoredMessage:
    reply = message.reply
    if reply is None:
        return message
    return message.model_copy(update={"reply": reply.model_copy(update={"data": {**reply.data, "progress": download}})})


def _signature(version: int, runs: dict[str, render.RunShown], download: dict[str, Any] | None = None) -> str:
    parts = [[run.id, run.view.status, run.view.updated_at, run.view.step, run.result is None] for run in runs.values()]
    return json.dumps([version, parts, *([download] if download else [])])
