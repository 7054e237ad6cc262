"""Everything that the words say about a plan: settings, task, columns, model, what matters most."""

from __future__ import annotations

import re
from typing import Any, cast

from assistant.chat import mentions, run_control, words
from assistant.chat.message import Message, first_guess
from assistant.chat.tasks import SURE
from recipes.plan import CLASSIFICATION, Task

_SMALL = re.compile(
    r"\bsmall enough\b|\b(?:fit|fits|run|runs|work|works|go|goes|use it)\b[\w ]{0,20}\b(?:phone|mobile|smartphone"
    r"|raspberry|browser|edge|watch|microcontroller|tablet|old (?:computer|laptop|pc))\b|\b(?:for|on) (?:a |my |the "
    r"|an? )?(?:phone|mobile|smartphone|raspberry ?pi|browser|edge device|jetson|android|iphone|embedded \w+"
    r"|tablet)\b|\bas small as possible\b|\b(?:tiny|lightweight|light-weight|compact|little) (?:\w+ )?(?:model|one"
    r"|network)\b"
    r"|\b(?:model|it) (?:must|should|has to|needs to|shall) be (?:\w+ )?(?:small|tiny|light|compact)\b"
    r"|\bnot (?:a )?(?:big|large|huge) (?:model|computer|one)\b|\bno big (?:model|computer)\b|\bless than \d+ ?(?:mb"
    r"|million parameters)\b|\bold (?:laptop|computer|pc)\b|\bweak (?:laptop|computer|pc|machine)\b"
    r"|\bsmall(?:er)? (?:language )?model\b(?! than)|\bnot (?:\w+ )?(?:big|good|fast|strong) computer\b"
)
_FAST = re.compile(
    r"^(?:make it |do it |go |a bit |much |even |please )*(?:faster|quicker|speed it up|quick|fast)(?: please"
    r"| version| plan| training)*[.! ]*$|\b(?:faster|quicker|speed (?:it|things|this|that) up|takes too long|too slow"
    r"|can not wait (?:that|so) long|less time|in less time|hurry|be quick|must be (?:quick|fast)|has to be (?:quick"
    r"|fast)|as (?:fast"
    r"|quick(?:ly)?) as possible|quick(?:est)? (?:way|version|result|and dirty|try|test)|quickly|save time"
    r"|not (?:take|last) (?:so |too )?long|fastest)\b"
    r"|\b(?:training|run|it|this|that) (?:\w+ )?(?:cheaper|shorter)\b|^(?:cheaper|shorter)\b"
)
ACCURATE = re.compile(
    r"^(?:make it |a bit |much |even |please )*(?:more accurate|better|as accurate as possible)(?: please)?[.! ]*$"
    r"|\b(?:more accurate|most accurate|(?:better|best|higher|highest|maximum|max) (?:possible )?(?:quality|accuracy"
    r"|results?)|as (?:good|accurate) as (?:possible|it gets)|accuracy (?:is )?(?:most |more )?(?:important|first"
    r"|matters)|quality (?:first|matters|before speed|over speed)|take all the time|do not care how long"
    r"|time does not matter|slower but better|more precise|fewer (?:mistakes|errors))\b"
)


def plan_slots(message: Message) -> dict[str, Any]:
    """Everything that the words say about the plan."""
    slots: dict[str, Any] = dict(message.settings)
    task = message.task
    if task.task and task.score >= SURE * 0.5:
        slots["task"] = task.task
    if task.problem and task.task in (None, *CLASSIFICATION):
        slots["problem"] = task.problem
    if message.dataset[0]:
        slots["data.source"] = message.dataset[0]
    slots |= message.columns
    slots |= _model_slots(message)
    preference = _preference(message.text)
    if preference and not (preference == "smaller" and "base_model" in slots):
        slots.setdefault("preference", preference)
    if run_control.trailing_start(message.text):
        slots["then"] = "start"
    if message.refused:
        slots["refused"] = message.refused
    return slots


def _model_slots(message: Message) -> dict[str, Any]:
    models, plan = message.models, message.plan
    task = cast(
        "Task | None",
        message.task.task or (plan.task if plan else None) or (first_guess(message.file) or {}).get("task"),
    )
    direction = mentions.relative_size(message.text)
    other = mentions.sibling(message.text, plan.base_model, task) if plan and not models.wanted else None
    if other:
        return {"base_model": other}
    if models.wanted:
        now = plan.base_model if plan else None
        chosen = next((mention.id for mention in models.wanted if mention.id != now), models.wanted[0].id)
        unwanted = (
            {"avoid": mentions.families_of(models.refused)}
            if models.refused and not message.settings.get("avoid")
            else {}
        )
        return {
            "base_model": chosen,
            **(unwanted if not set(unwanted.get("avoid", [])) & set(mentions.families_of(models.wanted)) else {}),
        }
    if direction and plan is not None and plan.base_model:
        much = direction < 0 and re.search(
            r"\b(?:much|far|way|lot|tiny|considerably"
            r"|really) (?:\w+ )?\w+er\b",
            message.text,
        )
        next_one = (
            mentions.next_size(plan.base_model, task, direction, much=bool(much)) if direction > 0 or much else None
        )
        return {"base_model": next_one} if next_one else {"preference": "smaller" if direction < 0 else "more accurate"}
    if models.refused:
        return {"avoid": [*message.settings.get("avoid", []), *mentions.families_of(models.refused)]}
    return {"like": models.unknown} if models.unknown else {}


def _preference(text: str) -> str | None:
    for name, pattern in (("smaller", _SMALL), ("faster", _FAST), ("more accurate", ACCURATE)):
        match = pattern.search(text)
        if match and (match.group().startswith(("not ", "no ")) or not words.negated(text, match.start())):
            return name
    return None


def as_change(message: Message, slots: dict[str, Any]) -> dict[str, Any]:
    """Only what differs from the plan at hand, or what was said in so many words."""
    plan, text = message.plan, message.text
    if plan is None:
        return slots
    kept = dict(slots)
    if (
        kept.get("task") == plan.task
        or message.task.score < 1.3
        or not re.search(r"\b(?:task|instead|rather|actually|no|not|change|want|make it|should|treat)\b", text)
    ):
        kept.pop("task", None)
    if kept.get("problem") == plan.problem:
        kept.pop("problem", None)
    if not message.has_plan or message.settings or message.models.wanted or message.columns:
        kept.pop("preference", None) if kept.get("preference") in ("faster", "more accurate") and (
            "training.epochs" in kept or "base_model" in kept
        ) else None
    return kept
