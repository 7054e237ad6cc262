"""The sense of a whole message weighed against what was read from its words."""

from __future__ import annotations

import re
from typing import Any

from assistant.chat import about_model, controls, run_control, sense
from assistant.chat.about_data import OF_DATA
from assistant.chat.asking import question
from assistant.chat.explain import find_topic
from assistant.chat.intents import intent
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
    bare = answer.name == "unclear" or (answer.name == "plan" and not answer.slots)  # no word speaks for it
    needed = _LIKELIER_THAN_UNCLEAR if bare else _LIKELIER
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
    return _named(message, name)


def _named(message: Message, name: str) -> Intent | None:
    """An intent with the slots that the words give; None where they do not suffice."""
    text, run = message.text, run_control.run_slot(message.text)
    if name == "explain":
        topic = find_topic(text)
        return question(message) or (intent("explain", topic=topic) if topic else None)
    if name == "resume" and message.goes_on and len(text.split()) <= 4:
        return intent("start")
    if not _has_what_it_needs(message, name):
        return None
    slots: dict[str, dict[str, Any]] = {
        "help": {"kind": controls.help_kind(text)},
        "compare": {"runs": run_control.run_numbers(text)},
        "predict": {"run": run, "input": about_model.what_to_try(message.raw)},
        "export": {"run": run, "format": about_model.export_format(text)},
        "publish": {"run": run, "repo": message.publish[1], "kind": about_model.publish_kind(text)},
    }
    without = name in ("undo", "list_runs", "check_data", "fix_data")
    return intent(name, **({} if without else slots.get(name, {"run": run})))


def _has_what_it_needs(message: Message, name: str) -> bool:
    """Whether the words hold what an intent cannot be without."""
    text = message.text
    # A run starts on a plain yes only, never on a likeness; and "why" asks for more than how it stands.
    if name in ("start", "unclear") or (name == "status" and re.search(r"\bwhy\b", text)):
        return False
    if name in ("check_data", "fix_data") and message.file is None and not _SOME_DATA.search(text):
        return False
    if name == "check_data" and re.search(r"\b(?:enough|sufficient|need)\b", text):
        return False
    return name not in _NEEDS or bool(_NEEDS[name].search(text))


_SOME_DATA = re.compile(rf"{OF_DATA.pattern}|\b(?:labels?|doubles?|entries|classes|characters|cells|fix|problems?)\b")
#: Words of which an intent needs one.
_NEEDS: dict[str, re.Pattern[str]] = {
    "delete_run": re.compile(r"\b(?:runs?|trainings?|models?|experiments?|attempt|it|that|one)\b"),
    "list_runs": re.compile(r"\b(?:runs?|train\w*|models?|experiments?|attempts?|jobs?|history|overview|everything)\b"),
    "predict": re.compile(
        r"\b(?:it|its|model|this|that|these|one|bot|run \d+|examples?|sentence|predict\w*|demo|try|test|play|ask|what"
        r"|how)\b|[:'\"]"
    ),
}
