"""A request for a plan, or a change of the plan at hand; and what is left when no pattern speaks."""

from __future__ import annotations

import re
from typing import Any

from assistant.chat import controls
from assistant.chat.intents import intent
from assistant.chat.likeness import has_content
from assistant.chat.message import STRONGLY_TRAINS, TRAINS, Message
from assistant.chat.tasks import SURE
from assistant.chat.turns import Intent, State
from assistant.chat.wish import as_change, plan_slots

_WISHES = re.compile(
    r"\b(?:want|like|need|help|please|can you|could you|is it possible|possible|goal|task|looking for|would|should"
    r"|must|my|our|these|this|the|all|every|each)\b|^(?:\w+)\b"
)
_TEST_FILE = re.compile(
    r"\b(?:use|take|keep|treat|put|have)\b (?:\w+ ){0,5}(?:as|for|to) (?:the |a |my |our )?(?:test\w*|evaluat\w*"
    r"|hold-?out|final check)\b|\b(?:this|it|that|here) (?:\w+ )?(?:is|comes?) (?:the|my|a|our) (?:test|evaluation"
    r"|held-?out) (?:set|file|data|rows)\b|\b(?:test|evaluation) (?:file|set|data)\b(?! (?:of|to|should|at|=))"
    r"|\bfor (?:the )?test(?:ing|s)?\b$|\btest (?:it |the model )?on this (?:file|one)\b"
)


def request(message: Message) -> Intent | None:
    """A plan that is asked for, or a change of the one at hand; None where nothing asks for either."""
    slots = plan_slots(message)
    fresh = bool(message.files_now) or not message.has_plan or _asks_anew(message)
    if fresh:
        return _fresh(message, slots)
    asked, slots = slots, as_change(message, slots)
    if set(slots) == {"then"}:
        return intent("start")
    if set(slots) - {"refused"}:
        return intent("change", **slots)
    whole = TRAINS.search(message.text) or len(message.text.split()) >= 5
    if message.task.task and message.task.score >= SURE and whole:
        return intent("plan", **asked)  # the same wish in other words
    return _last_resort(message)


def was_refused(state: State) -> bool:
    """Whether a file came with the message, and could not be read."""
    return (state.pending or "").startswith("refused")


#: A score that is enough where the words also say what goes in and that something should be learned.
LIKELY = 0.55


def _fresh(message: Message, slots: dict[str, Any]) -> Intent | None:
    text, score = message.text, message.task.score
    if message.files_now:
        if _TEST_FILE.search(text) and message.plan is not None and message.plan.data.source:
            return intent("change", **{**as_change(message, slots), "data.test_source": message.files_now[-1].name})
        return intent("plan", **slots)
    if controls.is_help(text) and not (
        score >= 1.4 and (TRAINS.search(text) or _WISHES.search(text)) and len(text.split()) > 6
    ):
        return intent("help", kind=controls.help_kind(text))
    spoken = score >= LIKELY and message.task.modality is not None and len(text.split()) >= 6
    told = len(text.split()) >= 15 and _WISHES.search(text)
    if message.file is None and len(text.split()) <= 4 and not has_content(text) and not TRAINS.search(text):
        return None
    named = (
        (spoken and (TRAINS.search(text) or told))
        or message.dataset[0]
        or (message.models.wanted and (message.file or TRAINS.search(text) or score > 0))
    )
    settings = {key for key in slots if key not in ("task", "problem", "then", "refused", "like")}
    if (score >= SURE and (TRAINS.search(text) or _WISHES.search(text))) or named or STRONGLY_TRAINS.search(text):
        return intent("plan", **slots)
    if was_refused(message.state) and (TRAINS.search(text) or score > 0):
        return intent("plan", **slots)
    if message.file is not None and (slots or score >= 0.5):
        return intent("plan", **slots)
    if settings and (message.plan is not None or len(settings) > 1 or message.models.wanted):
        return intent("plan", **slots)
    return _last_resort(message)


def _last_resort(message: Message) -> Intent | None:
    """What the patterns left: a question for help, an unknown model's name, or a sentence like a request."""
    text = message.text
    if controls.is_help(text):
        return intent("help", kind=controls.help_kind(text))
    if message.models.unknown:
        return intent("unclear", why=f"model:{message.models.unknown}")
    task = message.task
    asks = re.match(r"(?:when|who|where|how|why|what|which day)\b", text)
    if not message.has_plan and not asks and task.alike and task.score >= LIKELY and len(text.split()) >= 5:
        return intent("plan", **plan_slots(message))
    return None


def _asks_anew(message: Message) -> bool:
    """Another wish than the plan at hand: another task in a whole sentence, or another data set."""
    text, task, plan = message.text, message.task, message.plan
    if re.search(
        r"\b(?:new|another|different|second|other) (?:\w+ )?(?:task|project|problem|plan|model for|thing|idea|request"
        r"|training)\b|\bstart over\b|\bfrom the beginning\b|\bforget (?:all|everything|it all)\b",
        text,
    ):
        return bool(task.task and task.score >= SURE) or bool(
            re.search(r"\bstart over\b|\bnew (?:task|project|plan)\b", text)
        )
    if message.dataset[0] and plan is not None and plan.data.source != message.dataset[0]:
        return True
    return bool(
        plan is not None
        and task.task
        and task.task != plan.task
        and task.score >= 1.8
        and TRAINS.search(text)
        and len(text.split()) >= 5
    )
