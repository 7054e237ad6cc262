"""The rival that costs no training: the untuned model with a few of the training rows in its prompt.

shots = choose(study.examples, rows, lengths, seed)
losses(model, encoded, rows, examples, shots, place, run)
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.parts.chat_format import IGNORED, Encoded, padded, tokens_and_labels
from recipes.parts.context import RunContext
from recipes.parts.conversations import Example
from recipes.parts.device import Device
from recipes.parts.language_model import LanguageModel
from recipes.parts.language_training import CPU_TOKENS, by_row
from recipes.parts.steps import like_lengths

SHOTS = 4
MOST_TOKENS = 800  # of all examples in the prompt together
Pair = tuple[NDArray[np.int32], NDArray[np.int32]]


def choose(
    examples: Sequence[Example], rows: NDArray[Any], lengths: NDArray[np.int64], seed: int, context: int
) -> list[Example]:
    """A few training rows of common length, drawn by the seed; none for plain text.

    Args:
        rows: examples that may be shown; lengths: their tokens, shape (rows,).
    """
    common = rows[lengths <= np.median(lengths)] if len(rows) else rows
    room = min(MOST_TOKENS, context // 4)
    chosen: list[Example] = []
    tokens = dict(zip(rows.tolist(), lengths.tolist(), strict=True))
    for row in np.random.default_rng(seed).permutation(common).tolist():
        example = examples[row]
        if not example.messages or len(chosen) == SHOTS:
            break
        if tokens[row] <= room:
            chosen.append(example)
            room -= tokens[row]
    return chosen


def losses(
    model: LanguageModel,
    encoded: Encoded,
    sequences: NDArray[Any],
    examples: Sequence[Example],
    shots: Sequence[Example],
    place: Device,
    run: RunContext,
) -> NDArray[np.float64]:
    """Loss of each sequence's own answer when the shots stand before it, shape (sequences,).

    What all prompts have in common is read once.
    """
    pairs = [_with_shots(model, encoded, number, examples[encoded.owner[number]], shots) for number in sequences]
    common = _common(pairs)
    prefix = pairs[0][0][:common]
    suffixes = [(ids[common:], labels[common:]) for ids, labels in pairs]
    lengths = np.array([len(ids) for ids, _ in suffixes])
    groups = like_lengths(lengths, CPU_TOKENS * (1 if place.is_cpu else 8))
    found = []
    model.module.eval()
    with torch.inference_mode(), place.autocast(), model.untuned():
        known = _read_once(model, prefix, place)
        for places in groups[run.rank :: run.world_size]:
            run.check_stop() if run.world_size == 1 else None
            found.append((places, _batch(model, known, [suffixes[each] for each in places], place)))
    return _gathered(found, len(sequences), run)


def _with_shots(
    model: LanguageModel, encoded: Encoded, number: int, example: Example, shots: Sequence[Example]
) -> Pair:
    """The row's tokens with the shots before it; only what is learned of the row itself counts."""
    messages = list(example.messages)
    system = messages[:1] if messages[0]["role"] == "system" else []
    shown = [message for shot in shots for message in shot.messages if message["role"] != "system"]
    whole = Example((*system, *shown, *messages[len(system) :]))
    ids, labels = tokens_and_labels(model.form, whole)
    alone, _ = tokens_and_labels(model.form, example)
    missing = len(alone) - len(encoded.ids[number])  # what the limit cut off
    ids, labels = ids[: len(ids) - missing], labels[: len(labels) - missing].copy()
    counted = int((encoded.labels[number][1:] != IGNORED).sum())
    labels[np.flatnonzero(labels != IGNORED)[:-counted]] = IGNORED
    return ids, labels


def _common(pairs: Sequence[Pair]) -> int:
    """Tokens that all begin with, ending before anything that counts."""
    limit = min(int(np.flatnonzero(labels != IGNORED)[0]) - 1 for _, labels in pairs)
    first = pairs[0][0][:limit]
    for ids, _ in pairs[1:]:
        differs = np.flatnonzero(ids[: len(first)] != first)
        first = first[: int(differs[0])] if len(differs) else first
    return max(0, len(first))


def _read_once(model: LanguageModel, prefix: NDArray[np.int32], place: Device) -> Any:
    if not len(prefix):
        return None
    ids = torch.from_numpy(prefix.astype(np.int64))[None].to(place.torch_device)
    return model.module(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values


def _batch(model: LanguageModel, known: Any, suffixes: Sequence[Pair], place: Device) -> NDArray[np.float64]:
    batch = padded([ids for ids, _ in suffixes], [labels for _, labels in suffixes], 0)
    labels = torch.from_numpy(batch["labels"]).to(place.torch_device)
    ids = torch.from_numpy(batch["input_ids"]).to(place.torch_device)
    memory = copy.deepcopy(known)
    if memory is not None:
        memory.batch_repeat_interleave(len(suffixes))
    each = model.module(input_ids=ids, labels=labels, past_key_values=memory, token_loss="each")["loss"]
    return by_row(each, labels)


def _gathered(found: list[Any], number: int, run: RunContext) -> NDArray[np.float64]:
    shards = [found]
    if run.world_size > 1:
        shards = [[] for _ in range(run.world_size)]
        torch.distributed.all_gather_object(shards, found)
    result = np.zeros(number)
    for shard in shards:
        for places, values in shard:
            result[places] = values
    return result
