"""The sense of a whole message weighed against what was read from its words."""

from __future__ import annotations

from assistant.chat import run_control, sense
from assistant.chat.asking import question
from assistant.chat.explain import find_topic
from assistant.chat.intents import intent
from assistant.chat.likeness import by_phrase
from assistant.chat.message import STRONGLY_TRAINS, Message
from assistant.chat.tasks import SURE
from assistant.chat.turns import Intent
from assistant.chat.wish import as_change, plan_slots

#: How likely another intent must be, and how many times likelier than what the patterns read, or than "unclear". On 650
#: messages that neither had seen, the patterns were right about 618 intents, both together about 631.
_LIKELY_SENSE, _LIKELIER, _LIKELIER_THAN_UNCLEAR = 0.6, 30.0, 5.0
#: How likely a wish must be that starts, stops or deletes something.
_SURE_TO_ACT = 0.75
_ACTS = frozenset({"start", "stop", "resume", "delete_run", "publish"})


def second_thought(message: Message, answer: Intent) -> Intent:
    """What the whole sense of a message says, where it is much likelier than what the patterns read."""
    if answer.slots.get("why") or message.state.trying or message.hostile or message.refused:
        return answer
    if answer.name == "publish":  # which of now and after the training is meant is read from the plan at hand
        return answer
    file = len(message.state.files) > len(message.files_now)
    chances = sense.meant(message.text, plan=message.has_plan, file_now=bool(message.files_now), file=file)
    name = max(chances, key=lambda each: chances[each], default=answer.name)
    needed = _LIKELIER_THAN_UNCLEAR if answer.name == "unclear" else _LIKELIER
    if name == answer.name or chances[name] < max(_LIKELY_SENSE, needed * chances.get(answer.name, 0.0)):
        return answer
    if not _may_overrule(message, answer, name):
        return answer
    if name in _ACTS and (chances[name] < _SURE_TO_ACT or run_control.holds_back(message.text)):
        return answer
    return _meant_as(message, name) or answer


#: Wishes whose patterns are narrow: a request for a training must be plain to stand against them.
_PLAINLY_OTHER = frozenset({"explain", "help", "predict", "evaluate", "improve", "report", "export", "publish"})


def _may_overrule(message: Message, answer: Intent, name: str) -> bool:
    """Whether nothing that was read word by word speaks against the sense of the whole."""
    if answer.name == "change" and message.settings and name != "explain":
        return False  # a setting was named
    if answer.slots.get("topic") == "where-it-looked":
        return False  # these words mean nothing else
    if name == "publish" and message.publish[0] is False:
        return False  # "don't publish it"
    if answer.name in _PLAINLY_OTHER and name == "plan":
        return message.task.score >= SURE and bool(STRONGLY_TRAINS.search(message.text))
    return not (answer.name == "stop" and name == "delete_run")  # a run that is stopped can be deleted later


def _meant_as(message: Message, name: str) -> Intent | None:
    """A message as an intent that its patterns did not show; None where it lacks what the intent needs."""
    if name == "plan":
        return None if message.has_plan else intent("plan", **plan_slots(message))
    if name == "change":
        slots = as_change(message, plan_slots(message)) if message.has_plan else {}
        return intent("change", **slots) if set(slots) - {"refused", "then"} else None
    if name == "start":
        return intent("start") if message.has_plan else None
    if name == "unclear":
        return None if message.has_plan and message.settings else intent("unclear")
    if name == "explain":
        return question(message) or intent("explain", topic=find_topic(message.text) or message.text[:200])
    return by_phrase(message, name)
