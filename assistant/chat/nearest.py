"""What a sentence encoder says in “Try it”: the nearest of a run's own texts, and how close two texts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.chat.wording import safe

TASK = "sentence-similarity"
HOW = "type a text, and I show the nearest of your rows; or type two texts with | between them,"
SHOWN = 200  # characters of a text
SIDES = (("nearest", "The tuned model"), ("untuned", "Before the tuning"))


def said(one: Mapping[str, Any]) -> str:
    """The nearest texts after the tuning and before it, as Markdown; or the closeness of two texts."""
    if "nearest" in one:
        parts = [f"**{title}:**\n\n{_numbered(one[side])}" for side, title in SIDES if one.get(side)]
        return "\n\n".join(parts)
    before = one.get("untuned")
    beside = "" if before is None else f" Before the tuning: **{float(before):.2f}**."
    return f"They are **{float(one['prediction']):.2f}** close; the same text is 1.{beside}"


def is_one(one: Mapping[str, Any]) -> bool:
    """Whether an answer comes from a sentence encoder."""
    return "nearest" in one or ("untuned" in one and isinstance(one.get("prediction"), float))


def _numbered(found: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(
        f"{place}. {safe(each['text'], SHOWN)} ({float(each['score']):.2f})"
        for place, each in enumerate(found, start=1)
    )
