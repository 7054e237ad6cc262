"""A plan in the making: every choice is a value with its reason, and a wish of the person beats any choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from recipes.plan import Plan

ASKED = "You asked for it."
#: Wishes that steer choices without being a field of the plan.
PSEUDO_KEYS = ("preference", "avoid", "goal")


class Draft:
    """Choices so far. Wishes that a plan cannot hold are left out, and told in `refused`."""

    def __init__(self, wish: Mapping[str, Any]) -> None:
        self.refused: list[str] = []
        self.wish: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self.reasons: dict[str, str] = {}
        for path, value in wish.items():
            if path in PSEUDO_KEYS:
                continue
            fault = _fault(path, value)
            if fault:
                self.refused.append(fault)
            else:
                self.wish[path] = value
        self.preference = str(wish.get("preference") or "").lower()
        avoid = wish.get("avoid") or ()
        self.avoid = [str(item).lower() for item in ([avoid] if isinstance(avoid, str) else avoid)]

    def wished(self, path: str) -> bool:
        """Whether the person said something about a field."""
        return path in self.wish

    def choose(self, path: str, value: Any, reason: str) -> Any:
        """Set a field: to the wish where there is one, else to the value; returns what it became."""
        if path in self.wish:
            value, reason = self.wish[path], ASKED
        self.values[path] = value
        if reason:
            self.reasons[path] = reason
        return value

    def plan(self) -> Plan:
        """All choices and the wishes that no choice touched, as a plan."""
        rest = {path: value for path, value in self.wish.items() if path not in self.values}
        self.reasons.update({path: ASKED for path in rest if not path.startswith("data.")})
        return Plan().changed({**self.values, **rest, "reasons": self.reasons})


def _fault(path: str, value: Any) -> str:
    """Why a wish cannot stand in a plan, in one sentence; empty when it can."""
    shown = str(value)[:60]
    if path.startswith(("reasons", "version")) or not path:
        return f"I left out “{path} = {shown}”: that is not something to set by hand."
    try:
        Plan().changed({path: value})
    except ValidationError as error:
        reasons = "; ".join(dict.fromkeys(fault["msg"] for fault in error.errors()[:2]))
        return f"I left out “{path} = {shown}”: {reasons[:1].lower()}{reasons[1:]}."
    except (AttributeError, TypeError):
        return f"I left out “{path} = {shown}”: a plan has no such field."
    return ""
