"""What a language model reads: the chat template, which part of it is learned, and both as tokens.

form = chat_format.of(tokenizer)          a model without a template gets a simple one
form.parts(example)                       [(text, whether it is learned), …]
encode(form, examples, max_length)        tokens and labels of all rows

Prompt and answer are made into tokens one after the other, as they are when the model answers: the first token of an
answer never depends on the prompt's last letters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jinja2 import TemplateError
from numpy.typing import NDArray

from recipes.parts.conversations import Example, Message
from recipes.parts.errors import RecipeError

IGNORED = -100  # the label of a token that is read but not learned
#: For a model that was never trained to chat: plain words, so that no token is new to it. The end token closes answers.
SIMPLE_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}Assistant: {{ message['content'] }}{{ eos_token }}\n\n"
    "{% elif message['role'] == 'user' %}User: {{ message['content'] }}\n\n"
    "{% else %}{{ message['content'] }}\n\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
Part = tuple[str, bool]


@dataclass
class Format:
    """A tokenizer with a chat template.

    Attributes:
        simple: the model brought no template, so it got `SIMPLE_TEMPLATE`.
        end_tokens: the tokens that close an answer, as they were met.
    """

    tokenizer: Any
    simple: bool
    end_tokens: set[str] = field(default_factory=set)

    def parts(self, example: Example) -> list[Part]:
        """The whole text in order, each part with whether it is learned.

        Raises:
            TemplateError, ValueError: the model's template refuses the conversation.
        """
        if not example.messages:
            return [(example.text, True)]
        messages = list(example.messages)
        whole = self.render(messages)
        spans = [self._span(messages, place, whole) for place, turn in enumerate(messages) if turn["role"] == ANSWER]
        learned = [span for span in spans if span is not None]
        learned = learned[-1:] if example.last_only else learned
        if not learned:
            raise ValueError("the chat template does not show the answer")
        parts: list[Part] = []
        position = 0
        for start, end in learned:
            parts += [(whole[position:start], False), (self._closed(whole[start:end]), True)]
            position = end
        return [part for part in parts if part[0]]

    def render(self, messages: Sequence[Message], for_answer: bool = False) -> str:
        """The conversation as the model reads it; `for_answer`: up to where it begins to answer."""
        try:
            return self._apply(messages, for_answer)
        except TemplateError:
            if messages[0]["role"] != "system":
                raise
            return self._apply(_system_in_user(messages), for_answer)  # Gemma and others have no such role

    def _apply(self, messages: Sequence[Message], for_answer: bool) -> str:
        text: str = self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=for_answer)
        return text

    def _span(self, messages: list[Message], place: int, whole: str) -> tuple[int, int] | None:
        """Where an answer stands in the whole text; None when a template writes earlier answers differently."""
        after = self.render(messages[: place + 1])
        if not whole.startswith(after.rstrip()):
            return None
        before = self.render(messages[:place], True) if place else ""
        asked = before and after.startswith(before)
        start = len(before) if asked else after.rfind(messages[place]["content"].strip())
        return (start, len(after.rstrip())) if start >= 0 else None

    def _closed(self, answer: str) -> str:
        """An answer that ends with a token which says so: without one, the model would never stop."""
        special = [token for token in self.specials if answer.endswith(token)]
        if not special:
            return answer + str(self.tokenizer.eos_token or "")
        self.end_tokens.update(special)
        return answer

    @cached_property
    def specials(self) -> list[str]:
        """The tokenizer's tokens that are marks, not words."""
        added = self.tokenizer.added_tokens_decoder.values()
        marks = {*self.tokenizer.all_special_tokens, *(str(token) for token in added if token.special)}
        return sorted(mark for mark in marks if mark)

    def tokens(self, text: str) -> list[int]:
        """Tokens of a part, nothing added."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def plain_tokens(self, text: str) -> list[int]:
        """Tokens of a plain text, begun and ended as the model is used to."""
        ids: list[int] = list(self.tokenizer(text)["input_ids"])
        end = self.tokenizer.eos_token_id
        return ids if end is None or (ids and ids[-1] == end) else [*ids, end]

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Tokens up to where the model begins to answer."""
        return self.tokens(self.render(messages, True))


ANSWER = "assistant"


def _system_in_user(messages: Sequence[Message]) -> list[Message]:
    """The system message put before the first question, for templates without that role."""
    system, *rest = messages
    if not rest:
        return [{"role": "user", "content": system["content"]}]
    return [{**rest[0], "content": f"{system['content']}\n\n{rest[0]['content']}"}, *rest[1:]]


def of(tokenizer: Any) -> Format:
    """The tokenizer with a template that works and a padding token."""
    # Some tokenizers add token types unasked; a model that writes has no use for them and refuses them.
    tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = ["input_ids", "attention_mask"]
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.chat_template:
        return Format(tokenizer, simple=False)
    begins = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    tokenizer.chat_template = ("{{ bos_token }}" if begins else "") + SIMPLE_TEMPLATE
    return Format(tokenizer, simple=True)


@dataclass(frozen=True)
class Encoded:
    """Token sequences. A plain text longer than the limit is several of them.

    Attributes:
        ids, labels: shape (tokens,) each; a label is the token itself where it is learned, else `IGNORED`.
        owner: shape (sequences,): which example each came from.
        examples: of these, `usable` says which have a sequence.
        cut: rows whose end did not fit; cut_answer_tokens: tokens of answers lost that way.
        left_out: why rows have no sequence, counted.
    """

    ids: list[NDArray[np.int32]]
    labels: list[NDArray[np.int32]]
    owner: NDArray[np.int64]
    examples: int
    max_length: int
    cut: int
    cut_answer_tokens: int
    left_out: Counter[str]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)

    @property
    def learned(self) -> NDArray[np.int64]:
        """Tokens that count, of each sequence (the first token of all has nothing before it to be told from)."""
        return np.array([int((labels[1:] != IGNORED).sum()) for labels in self.labels], dtype=np.int64)

    @property
    def usable(self) -> NDArray[np.int64]:
        """Examples that have a sequence, sorted."""
        return np.unique(self.owner)

    def sequences(self, examples: NDArray[Any]) -> NDArray[np.int64]:
        """The sequences of some examples."""
        return np.flatnonzero(np.isin(self.owner, examples))


def encode(
    form: Format, examples: Sequence[Example], max_length: int, check_stop: Callable[[], None] = lambda: None
) -> Encoded:
    """Tokens of all examples.

    Raises:
        RecipeError: `all-masked` when no row has a token to learn from.
    """
    ids: list[NDArray[np.int32]] = []
    labels: list[NDArray[np.int32]] = []
    owner: list[int] = []
    left_out: Counter[str] = Counter()
    cut = lost = 0
    for number, example in enumerate(examples):
        if number % 1000 == 0:
            check_stop()
        try:
            sequence, label = tokens_and_labels(form, example)
        except (TemplateError, ValueError, TypeError) as error:
            left_out[f"the model's chat template refuses it: {str(error)[:120]}"] += 1
            continue
        pieces = _pieces(sequence, label, max_length, split=not example.messages)
        whole, kept = int((label[1:] != IGNORED).sum()), sum(int((piece[1:] != IGNORED).sum()) for _, piece in pieces)
        if kept == 0:
            left_out[f"its answer begins after the first {max_length:,} tokens, which are all that is read"] += 1
            continue
        if example.messages and len(sequence) > max_length:
            cut, lost = cut + 1, lost + whole - kept
        for piece, label_piece in pieces:
            ids.append(piece)
            labels.append(label_piece)
            owner.append(number)
    if not ids:
        raise _all_masked(len(examples), left_out)
    return Encoded(ids, labels, np.array(owner, dtype=np.int64), len(examples), max_length, cut, lost, left_out)


def tokens_and_labels(form: Format, example: Example) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """All tokens of an example and their labels, uncut, shape (tokens,) each.

    Raises:
        TemplateError, ValueError: the model's template refuses the conversation.
    """
    if not example.messages:
        ids = np.array(form.plain_tokens(example.text), dtype=np.int32)
        return ids, ids.copy()
    sequence: list[int] = []
    label: list[int] = []
    for text, learned in form.parts(example):
        tokens = form.tokens(text)
        sequence += tokens
        label += tokens if learned else [IGNORED] * len(tokens)
    return np.array(sequence, dtype=np.int32), np.array(label, dtype=np.int32)


def _pieces(
    ids: NDArray[np.int32], labels: NDArray[np.int32], max_length: int, split: bool
) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """The beginning that fits; of plain text, every piece that fits (a single last token is dropped)."""
    if not split or len(ids) <= max_length:
        return [(ids[:max_length], labels[:max_length])]
    starts = [start for start in range(0, len(ids), max_length) if len(ids) - start > 1]
    return [(ids[start : start + max_length], labels[start : start + max_length]) for start in starts]


def _all_masked(examples: int, left_out: Counter[str]) -> RecipeError:
    why = "; ".join(f"{count:,} rows: {reason}" for reason, count in left_out.most_common(3))
    return RecipeError(
        "all-masked",
        f"None of the {examples:,} rows has a word left that could be learned ({why}).",
        "Only answers are learned, so each row must show the beginning of its answer within the limit.",
        "Read more tokens of each row (training.max_length), shorten what is asked, or choose another base model when "
        "its chat template refuses the conversations.",
    )


def padded(
    ids: Sequence[NDArray[np.int32]], labels: Sequence[NDArray[np.int32]], pad_token: int
) -> dict[str, NDArray[np.int64]]:
    """Sequences of a batch, padded on the right: `input_ids`, `labels`, `attention_mask`, shape (rows, tokens) each."""
    width = max(len(each) for each in ids)
    batch = {
        "input_ids": np.full((len(ids), width), pad_token, dtype=np.int64),
        "labels": np.full((len(ids), width), IGNORED, dtype=np.int64),
        "attention_mask": np.zeros((len(ids), width), dtype=np.int64),
    }
    for row, (tokens, label) in enumerate(zip(ids, labels, strict=True)):
        batch["input_ids"][row, : len(tokens)] = tokens
        batch["labels"][row, : len(tokens)] = label
        batch["attention_mask"][row, : len(tokens)] = 1
    return batch
