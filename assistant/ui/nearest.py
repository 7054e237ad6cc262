"""What a sentence encoder says, drawn: the nearest texts after the tuning and before it, or how close two texts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from assistant.chat.nearest import SHOWN, SIDES

HEADINGS = {"prediction": "The tuned model", "untuned": "Before the tuning"}


def drawn(prediction: Mapping[str, Any]) -> str:
    """The inside of the card, everything from outside escaped."""
    asked = f"<blockquote>{escape(str(prediction.get('input') or ''))}</blockquote>"
    if "nearest" in prediction:
        sides = [(title, _list(prediction[side])) for side, title in SIDES if prediction.get(side)]
    else:
        found = [(title, prediction.get(side)) for side, title in HEADINGS.items()]
        sides = [
            (title, f'<p class="fa-written">{float(close):.2f}</p>') for title, close in found if close is not None
        ]
    shown = "".join(f"<section><h4>{escape(title)}</h4>{inside}</section>" for title, inside in sides)
    return f'{asked}<div class="fa-sides">{shown}</div>'


def _list(found: Sequence[Mapping[str, Any]]) -> str:
    lines = (
        f"<li>{escape(_short(str(each['text'])))} <small>{float(each['score']):.2f}</small></li>" for each in found
    )
    return f'<ol class="fa-written">{"".join(lines)}</ol>'


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
