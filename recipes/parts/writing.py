"""Answers that a language model writes: the same every time, several prompts at once.

write(model, prompts, place)        prompts as tokens -> texts
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from recipes.parts.chat_format import ANSWER
from recipes.parts.conversations import Example, Message
from recipes.parts.device import Device
from recipes.parts.language_model import LanguageModel

ROWS = 8  # prompts that are answered at once


def room_for_prompt(model: LanguageModel, new_tokens: int) -> int:
    """Tokens that a prompt may have: what the answer leaves of the context, at least half of it."""
    return max(model.context - new_tokens, model.context // 2)


def prompts_of(model: LanguageModel, examples: Sequence[Example], new_tokens: int) -> list[list[int]]:
    """Tokens up to where each example's last answer begins; of plain text, its first half.

    What does not fit into the model's context together with an answer loses its beginning.
    """
    room = room_for_prompt(model, new_tokens)
    found = []
    for example in examples:
        if example.messages:
            tokens = model.form.prompt_tokens(example.messages[:-1])
        else:
            whole = model.form.tokens(example.text)
            tokens = whole[: max(1, min(len(whole) // 2, 32))]
        found.append(tokens[-room:])
    return found


def write(
    model: LanguageModel,
    prompts: Sequence[list[int]],
    place: Device,
    new_tokens: int = 128,
    check_stop: Callable[[], None] = lambda: None,
    seconds: float | None = None,
) -> list[str]:
    """What the model writes after each prompt: greedy, so that before and after can be compared.

    Args:
        new_tokens: the longest answer.
        seconds: for each batch of prompts; an answer that is not finished by then ends where it is.
    """
    texts = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda place_: -len(prompts[place_]))
    for start in range(0, len(order), ROWS):
        check_stop()
        rows = order[start : start + ROWS]
        answers = _batch(model, [prompts[row] for row in rows], place, new_tokens, seconds)
        for row, text in zip(rows, answers, strict=True):
            texts[row] = text
    return texts


def _batch(
    model: LanguageModel, prompts: list[list[int]], place: Device, new_tokens: int, seconds: float | None
) -> list[str]:
    """Padded on the left, so that every prompt ends where its answer begins."""
    from transformers import GenerationConfig

    width = max(len(prompt) for prompt in prompts)
    filler = int(model.tokenizer.pad_token_id or 0)
    ids = torch.tensor([[filler] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    known = model.module.generation_config
    how = GenerationConfig(
        eos_token_id=known.eos_token_id,
        pad_token_id=filler,
        bos_token_id=known.bos_token_id,
        do_sample=False,
        max_new_tokens=new_tokens,
        max_time=seconds,
    )
    model.module.eval()
    with torch.inference_mode(), place.autocast():
        written = model.module.generate(
            input_ids=ids.to(place.torch_device), attention_mask=mask.to(place.torch_device), generation_config=how
        )
    found: list[str] = model.tokenizer.batch_decode(written[:, width:].cpu(), skip_special_tokens=True)
    return [text.strip() for text in found]


def reply(model: LanguageModel, messages: Sequence[Message], place: Device, **how: Any) -> str:
    """The next message of a conversation."""
    example = Example((*messages, {"role": ANSWER, "content": ""}))
    new_tokens = int(how.pop("new_tokens", 256))
    return write(model, prompts_of(model, [example], new_tokens), place, new_tokens, **how)[0]
