"""Texts and what shall be written from them, as numbers: cut to the limit, and what was lost counted.

pairs = encode(model, examples, longest)
pairs.sources[row], pairs.targets[row]          token numbers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.parts.conversations import Example
from recipes.parts.seq2seq_model import Seq2Seq

IGNORED = -100
CHUNK = 500  # texts that are read between two looks for a wish to stop
REPEATED = 4  # tokens: a run of so many that comes twice is a repetition
MAY_REPEAT = 0.02  # share of the expected texts with such a repetition from which it is no fault
ROOM = 1.25  # times the tokens of all but the longest expected texts that may be written
SHORTER = 0.5  # of the words: from here on what is written is a summary


@dataclass(frozen=True)
class Pairs:
    """Encoded rows.

    Attributes:
        sources, targets: token numbers of each row; targets without the token that writing begins with.
        cut_sources, cut_targets: rows that lost their end.
        unknown: share of the targets' tokens that the model has no piece for.
    """

    sources: list[NDArray[np.int32]]
    targets: list[NDArray[np.int32]]
    cut_sources: int = 0
    cut_targets: int = 0
    unknown: float = 0.0

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of both sides, shape (rows,)."""
        return np.array([len(one) + len(two) for one, two in zip(self.sources, self.targets, strict=True)], np.int64)

    @property
    def longest(self) -> tuple[int, int]:
        """Tokens of the longest source and of the longest target."""
        return max(map(len, self.sources)), max(map(len, self.targets))

    def learned(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Tokens that are learned of some rows, shape (rows,)."""
        return np.array([len(self.targets[row]) for row in rows], dtype=np.float64)


def encode(
    model: Seq2Seq, examples: Sequence[Example], longest: int, check_stop: Callable[[], None] = lambda: None
) -> Pairs:
    """All rows as tokens, once; the model's prefix stands before each source.

    Args:
        longest: tokens of a source or a target; longer ones lose their end.
    """
    sources: list[NDArray[np.int32]] = []
    targets: list[NDArray[np.int32]] = []
    cut = [0, 0]
    for start in range(0, len(examples), CHUNK):
        check_stop()
        some = examples[start : start + CHUNK]
        for ids in source_tokens(model, [example.prompt for example in some], longest * 64):
            cut[0] += len(ids) > longest
            sources.append(ids)
        for ids in model.tokenizer(text_target=[example.answer for example in some], verbose=False)["input_ids"]:
            cut[1] += len(ids) > longest
            targets.append(np.array(ids[:longest], dtype=np.int32))  # a cut text does not learn to end there
    long = [row for row, ids in enumerate(sources) if len(ids) > longest]
    for row, ids in zip(long, source_tokens(model, [examples[row].prompt for row in long], longest), strict=True):
        sources[row] = ids
    return Pairs(sources, targets, cut[0], cut[1], _unknown(model.tokenizer, targets))


def source_tokens(model: Seq2Seq, texts: Sequence[str], longest: int) -> list[NDArray[np.int32]]:
    """What the model reads of some texts, its prefix before each, its end mark behind."""
    if not texts:
        return []
    found = model.tokenizer([model.prefix + text for text in texts], truncation=True, max_length=longest)["input_ids"]
    return [np.array(ids, dtype=np.int32) for ids in found]


def _unknown(tokenizer: Any, targets: Sequence[NDArray[np.int32]]) -> float:
    number = tokenizer.unk_token_id
    if number is None or not targets:
        return 0.0
    tokens = np.concatenate(targets)
    return float((tokens == number).mean())


def shortens(examples: Sequence[Example]) -> bool:
    """Whether what is written is mostly a good deal shorter than what is read."""
    shares = [len(one.answer.split()) / max(1, len(one.prompt.split())) for one in examples]
    return bool(shares) and float(np.median(shares)) <= SHORTER


def room_to_write(targets: Sequence[NDArray[np.int32]], longest: int) -> int:
    """Tokens of the longest text that is written: a little more than 99 of 100 expected ones have."""
    return int(min(longest, ROOM * float(np.quantile([len(ids) for ids in targets], 0.99)) + 8))


def no_repeat(targets: Sequence[NDArray[np.int32]]) -> int:
    """The length of a run of tokens that must not come twice; 0 where the expected texts repeat themselves too."""
    return REPEATED if np.mean([_repeats(ids) for ids in targets]) <= MAY_REPEAT else 0


def _repeats(ids: NDArray[np.int32]) -> bool:
    runs = [tuple(ids[start : start + REPEATED].tolist()) for start in range(len(ids) - REPEATED + 1)]
    return len(set(runs)) < len(runs)


def sources_of(sources: Sequence[NDArray[np.int32]], pad: int) -> dict[str, torch.Tensor]:
    """Sources filled up on the right: `input_ids` and `attention_mask`, shape (rows, longest) each."""
    ids = _filled(sources, pad)
    mask = _filled([np.ones_like(each) for each in sources], 0)
    return {"input_ids": ids, "attention_mask": mask}


def targets_of(targets: Sequence[NDArray[np.int32]]) -> torch.Tensor:
    """Targets filled up with -100, which counts nothing, shape (rows, longest)."""
    return _filled(targets, IGNORED)


def _filled(rows: Sequence[NDArray[np.int32]], filler: int) -> torch.Tensor:
    found = np.full((len(rows), max(1, *(len(each) for each in rows))), filler, dtype=np.int64)
    for number, each in enumerate(rows):
        found[number, : len(each)] = each
    return torch.from_numpy(found)
