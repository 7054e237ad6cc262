"""The intent of the example sentence that a message is most like, where the words hold what the intent needs."""

from __future__ import annotations

import re
from typing import Any

from assistant.chat import about_model, controls, run_control
from assistant.chat.asking import question
from assistant.chat.explain import find_topic
from assistant.chat.intents import intent
from assistant.chat.message import Message
from assistant.chat.turns import Intent

OF_DATA = re.compile(
    r"\b(?:data|files?|csv|table|data ?set|(?:my|the|this) upload|rows|columns|zip|examples|cells|spreadsheet"
    r"|duplicates)\b"
)
_OF_SOME_DATA = re.compile(
    OF_DATA.pattern + r"|\b(?:labels?|doubles?|entries|classes|characters|cells|fix"
    r"|problems?)\b"
)


def goes_on(message: Message) -> bool:
    """ "good, carry on" before a plan, with no run that could go on, is a yes."""
    text, plan = message.text, message.plan
    if plan is None or plan.base_model is None or re.search(r"\brun\b|stopped|left|paus|interrupt|resume", text):
        return False
    stopped = any(run.status in ("cancelled", "interrupted", "failed") for run in message.state.runs)
    return not stopped and bool(re.search(r"\b(?:good|ok|okay|yes|fine|great|right)\b", text))


def by_phrase(message: Message, name: str) -> Intent | None:
    """The intent of the nearest phrasing, with the slots that the words give; None where they do not suffice."""
    text, run = message.text, run_control.run_slot(message.text)
    if name == "explain":
        topic = find_topic(text)
        return question(message) or (intent("explain", topic=topic) if topic else None)
    if name == "resume" and goes_on(message) and len(text.split()) <= 4:
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
    if name in ("check_data", "fix_data") and message.file is None and not _OF_SOME_DATA.search(text):
        return False
    if name == "check_data" and re.search(r"\b(?:enough|sufficient|need)\b", text):
        return False
    return name not in _NEEDS or bool(_NEEDS[name].search(text))


#: Words of which an intent needs one.
_NEEDS: dict[str, re.Pattern[str]] = {
    "delete_run": re.compile(r"\b(?:runs?|trainings?|models?|experiments?|attempt|it|that|one)\b"),
    "list_runs": re.compile(r"\b(?:runs?|train\w*|models?|experiments?|attempts?|jobs?|history|overview|everything)\b"),
    "predict": re.compile(
        r"\b(?:it|its|model|this|that|these|one|bot|run \d+|examples?|sentence|predict\w*|demo|try|test|play|ask|what"
        r"|how)\b|[:'\"]"
    ),
}
