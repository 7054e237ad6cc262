"""A plan in the making: every choice is a value with its reason, and a wish of the person beats any choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from recipes.plan import Plan

ASKED = "You asked for it."
#: Wishes that steer choices without being a field of the plan.
PSEUDO_KEYS = ("preference", "avoid", "goal")
#: Fields where None is a wish of its own (never, no limit); elsewhere it means that nothing was said.
MAY_BE_NONE = (
    "training.early_stopping", "training.max_minutes", "training.class_weights", "training.layer_decay",
    "output.publish",
)  # fmt: skip


class Draft:
    """Choices so far. Wishes that a plan cannot hold are left out, and told in `refused`."""

    def __init__(self, wish: Mapping[str, Any]) -> None:
        self.refused: list[str] = []
        self.wish: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self.reasons: dict[str, str] = {}
        for path, value in wish.items():
            if path in PSEUDO_KEYS or (value is None and path not in MAY_BE_NONE):
                continue
            checked, fault = _checked(path, value)
            if fault:
                self.refused.append(fault)
            else:
                self.wish[path] = checked
        self.preference = str(wish.get("preference") or "").lower()
        avoid = wish.get("avoid") or ()
        self.avoid = [str(item).lower() for item in ([avoid] if isinstance(avoid, str) else avoid)]

    def wished(self, path: str) -> bool:
        """Whether the person said something about a field."""
        return path in self.wish

    @property
    def method(self) -> str | None:
        """The method that the person named, or that follows from what they named (layers, a rank)."""
        named = self.wish.get("method.name")
        if named:
            return str(named)
        return "last_layers" if "method.layers" in self.wish else "lora" if "method.rank" in self.wish else None

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


def _checked(path: str, value: Any) -> tuple[Any, str]:
    """The value as a plan holds it, and why it cannot stand in one (empty when it can)."""
    shown = str(value)[:60]
    if path.startswith(("reasons", "version")) or not path:
        return None, f"I left out “{path[:60]} = {shown}”: that is not something to set by hand."
    try:
        tree: Any = Plan().changed({path: value}).model_dump()
    except ValidationError as error:
        reasons = "; ".join(dict.fromkeys(fault["msg"] for fault in error.errors()[:2]))
        return None, f"I left out “{path[:60]} = {shown}”: {reasons[:1].lower()}{reasons[1:]}."
    except (AttributeError, TypeError):
        return None, f"I left out “{path[:60]} = {shown}”: a plan has no such field."
    for name in path.split("."):
        tree = tree[name]
    return tree, ""
