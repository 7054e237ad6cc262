"""Rows as conversations, whatever shape they come in, or as plain text.

read(records, plan, file_name) -> examples, and why rows were left out

messages            [{"role": "user", "content": …}, …]; ShareGPT's [{"from": "human", "value": …}, …] reads the same
prompt, completion  strings, or lists of messages; several prompt columns (instruction, input) are joined
question, answers   a table of questions and answers
source, target      any text to any text
text                plain text: the model goes on learning to write like it
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from recipes.parts.data import Record, check_columns, join_text
from recipes.parts.errors import RecipeError
from recipes.plan import Plan

Message = dict[str, str]
ROLES = {
    "human": "user", "user": "user", "customer": "user", "question": "user", "prompter": "user",
    "gpt": "assistant", "assistant": "assistant", "bot": "assistant", "model": "assistant", "chatgpt": "assistant",
    "bing": "assistant", "bard": "assistant", "answer": "assistant", "agent": "assistant",
    "system": "system", "developer": "system", "tool": "tool", "function": "tool", "observation": "tool",
}  # fmt: skip
#: Pairs of roles that make one question and one answer, the most explicit first.
PAIRS = (("prompt", "completion"), ("question", "answers"), ("source", "target"))


@dataclass(frozen=True)
class Example:
    """One row to learn from.

    Attributes:
        messages: ends with an answer; empty for plain text.
        text: the plain text; empty for a conversation.
        row: the row's number in the file, from 1.
        group: the person's own group; rows of one group stay on one side of a split.
        last_only: only the last answer is learned.
    """

    messages: tuple[Message, ...] = ()
    text: str = ""
    row: int = 0
    group: Any = None
    last_only: bool = False

    @property
    def prompt(self) -> str:
        """What comes before the last answer, as text; empty for plain text."""
        return "\n".join(message["content"] for message in self.messages[:-1])

    @property
    def answer(self) -> str:
        """The last answer, or the plain text."""
        return self.messages[-1]["content"] if self.messages else self.text

    @property
    def whole(self) -> str:
        """Everything that is said, as text: what copies are found by."""
        return f"{self.prompt}\n{self.answer}" if self.messages else self.text


@dataclass
class Reading:
    """Examples, and how many rows were left out for which reason."""

    examples: list[Example] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read(records: list[Record], plan: Plan, file_name: str) -> Reading:
    """Every usable row as an example.

    Raises:
        RecipeError: `column-missing`, `plan-incomplete` (no shape fits the plan's columns) or `no-usable-rows`.
    """
    check_columns(records, plan, file_name, plan.data.columns)
    reader = _reader(plan)
    group = plan.column("group")
    reading = Reading()
    for number, record in enumerate(records, start=1):
        found = reader(record)
        if isinstance(found, str):
            reading.left_out[found] += 1
            continue
        messages, text = found
        of_group = record.get(group[0]) if group else None
        reading.examples.append(Example(tuple(messages), text, number, of_group))
    refuse_nothing(reading, len(records), file_name)
    return reading


def refuse_nothing(reading: Reading, records: int, file_name: str) -> None:
    """Say so when no row can be learned from.

    Raises:
        RecipeError: `no-usable-rows`.
    """
    if not reading.examples:
        why = "; ".join(f"{count:,} rows: {reason}" for reason, count in reading.left_out.most_common(3))
        raise RecipeError(
            "no-usable-rows",
            f"None of the {records:,} rows of {file_name} can be learned from ({why or 'the file is empty'}).",
            "Each row needs something that is asked and the answer to it, a conversation that ends with an answer, or "
            "a text.",
            "Check that the right columns were chosen.",
        )


def _reader(plan: Plan) -> Any:
    """How a row becomes an example: by the roles that the plan's columns play."""
    columns = plan.column
    if columns("messages"):
        name = columns("messages")[0]
        return lambda record: _conversation(record.get(name))
    for asked, answered in PAIRS:
        if columns(answered):
            return partial(_pair, asked=columns(asked), answered=columns(answered))
    if columns("text"):
        return lambda record: _plain(join_text(record, columns("text")))
    raise RecipeError(
        "plan-incomplete",
        "The plan does not say which columns hold what is asked and what is answered.",
        "A language model learns from conversations (messages), from pairs (prompt and completion, question and "
        "answers, source and target), or from plain text (text).",
        "Name the columns, as “the questions are in Q and the answers in A”.",
    )


def _plain(text: str) -> tuple[list[Message], str] | str:
    return ([], text) if text.strip() else "the text is empty"


def _pair(record: Record, asked: list[str], answered: list[str]) -> tuple[list[Message], str] | str:
    """A question and its answer; either may be a list of messages already."""
    answer = _first(record.get(answered[0])) if len(answered) == 1 else join_text(record, answered)
    prompt = record.get(asked[0]) if len(asked) == 1 else None
    before = messages_of(prompt) if prompt is not None else None
    after = messages_of(answer)
    if before is None:
        text = join_text(record, asked)
        if asked and not text.strip():
            return "what is asked is empty"
        before = [{"role": "user", "content": text}] if asked else []
    if after is None:
        text = "" if answer is None else str(answer).encode("utf-8", "replace").decode("utf-8")
        if not text.strip():
            return "the answer is empty"
        after = [{"role": "assistant", "content": text}]
    return _finished([*before, *after])


def _first(answer: Any) -> Any:
    """One answer of several: SQuAD's {"text": […]}, or a list of strings."""
    if isinstance(answer, dict) and "text" in answer:
        answer = answer["text"]
    if isinstance(answer, list) and (not answer or isinstance(answer[0], str)):
        return answer[0] if answer else None
    return answer


def _conversation(value: Any) -> tuple[list[Message], str] | str:
    messages = messages_of(value)
    return "it holds no conversation" if messages is None else _finished(messages)


def messages_of(value: Any) -> list[Message] | None:
    """Messages with the roles user, assistant, system and tool; None when the value holds no conversation."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if isinstance(value, dict):
        value = next((value[key] for key in ("messages", "conversations") if isinstance(value.get(key), list)), None)
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        return None
    messages = []
    for turn in value:
        speaker = str(turn.get("role", turn.get("from", turn.get("speaker", "")))).strip().lower()
        content = next((turn[key] for key in ("content", "value", "text") if turn.get(key) is not None), "")
        if speaker not in ROLES:
            return None
        messages.append({"role": ROLES[speaker], "content": _words(content)})
    return messages


def _words(content: Any) -> str:
    """The text of a message; of a list of parts, the text parts."""
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content).encode("utf-8", "replace").decode("utf-8")


def _finished(messages: list[Message]) -> tuple[list[Message], str] | str:
    """The conversation up to its last answer; what follows has no answer to learn from."""
    while messages and messages[-1]["role"] != "assistant":
        messages = messages[:-1]
    if not messages:
        return "no answer in it"
    if not messages[-1]["content"].strip():
        return "the answer is empty"
    return messages, ""
