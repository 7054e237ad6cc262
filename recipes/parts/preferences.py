"""Rows as pairs: what is asked, the answer that was preferred, and the one that was not.

read(records, plan, file_name) -> pairs, and why rows were left out

prompt, chosen, rejected     strings, or lists of messages
chosen, rejected             whole conversations that begin alike; also “Human: … Assistant: …” in one string
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from recipes.parts.conversations import Example, Message, Reading, messages_of, refuse_nothing
from recipes.parts.data import Record, check_columns, join_text
from recipes.plan import Plan

_TURN = re.compile(r"\n*(Human|Assistant):[ \t]*")


@dataclass(frozen=True)
class Pair(Example):
    """A question with the preferred answer as its last message, and the answer that was not preferred."""

    rejected: str = ""

    @property
    def whole(self) -> str:
        """Everything that is said, as text."""
        return f"{self.prompt}\n{self.answer}\n{self.rejected}"

    def sides(self) -> tuple[Example, Example]:
        """The conversation with the preferred answer, and with the other; only these answers count."""
        chosen = Example(self.messages, row=self.row, last_only=True)
        other = {"role": "assistant", "content": self.rejected}
        return chosen, dataclasses.replace(chosen, messages=(*self.messages[:-1], other))


def read(records: list[Record], plan: Plan, file_name: str) -> Reading:
    """Every usable row as a pair.

    Raises:
        RecipeError: `column-missing` or `no-usable-rows`.
    """
    check_columns(records, plan, file_name, plan.data.columns)
    group = plan.column("group")
    reading = Reading()
    for number, record in enumerate(records, start=1):
        found = _pair(record, plan)
        if isinstance(found, str):
            reading.left_out[found] += 1
            continue
        messages, rejected = found
        of_group = record.get(group[0]) if group else None
        reading.examples.append(Pair(tuple(messages), row=number, group=of_group, rejected=rejected))
    refuse_nothing(reading, len(records), file_name)
    return reading


def _pair(record: Record, plan: Plan) -> tuple[list[Message], str] | str:
    asked = plan.column("prompt")
    before: list[Message] = []
    if asked:
        value = record.get(asked[0]) if len(asked) == 1 else None
        before = messages_of(value) or [{"role": "user", "content": join_text(record, asked)}]
        if not before[-1]["content"].strip():
            return "what is asked is empty"
    chosen, rejected = (_side(record.get(plan.column(role)[0]), before) for role in ("chosen", "rejected"))
    if chosen is None or rejected is None:
        return "an answer is empty"
    if chosen[:-1] != rejected[:-1]:
        return "the two conversations differ before their last answer"
    if chosen[-1]["content"].strip() == rejected[-1]["content"].strip():
        return "both answers are the same"
    if len(chosen) < 2:
        return "nothing is asked"
    return chosen, rejected[-1]["content"]


def _side(value: Any, before: list[Message]) -> list[Message] | None:
    """The conversation up to and with this answer; None without an answer."""
    messages = messages_of(value) or _spoken(value)
    if messages is None:
        text = "" if value is None else str(value).encode("utf-8", "replace").decode("utf-8")
        messages = [{"role": "assistant", "content": text}]
    if before and messages[: len(before)] != before:
        messages = [*before, *messages]
    answered = messages[-1]["role"] == "assistant" and messages[-1]["content"].strip()
    return messages if answered else None


def _spoken(value: Any) -> list[Message] | None:
    """“Human: … Assistant: …” in one string, as in Anthropic's first preference data."""
    if not isinstance(value, str) or not value.lstrip().startswith("Human:"):
        return None
    _, *parts = _TURN.split(value.strip())
    roles = {"Human": "user", "Assistant": "assistant"}
    return [
        {"role": roles[speaker], "content": text.strip()} for speaker, text in zip(parts[::2], parts[1::2], strict=True)
    ]
