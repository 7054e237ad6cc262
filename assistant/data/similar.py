"""Texts that are nearly the same as an earlier one, found in seconds even among 100,000.

Two texts are near copies when their sets of word 5-grams overlap by 80 % or more (Jaccard). MinHash signatures in
buckets (8 bands of 4 find a pair at 0.8 with probability 0.98) propose pairs; each pair is then checked exactly.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIMILAR = 0.8
SHINGLE = 5
#: Texts of fewer words are only compared as a whole: one changed word leaves them hardly a common 5-gram.
SHORT = 10
_BANDS, _BAND_ROWS = 8, 4
#: Words that are looked at in all: what the search costs, some 5 s on one core.
_WORD_BUDGET = 5_000_000
_MOST_WORDS = 300
_MOST_PAIRS = 200_000
#: Pairs that are compared in full; with more, the file is made of near copies, and the first ones say enough.
_MOST_COMPARED = 10_000
_WORD = re.compile(r"\w+")

Hashes = NDArray[np.uint64]


def normalised(text: str) -> str:
    """The text without case and repeated spaces: texts with the same one are the same to a reader."""
    return " ".join(text.casefold().split())


def near_copies(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (row, earlier row) of positions whose texts are near or exact copies; each row at most once."""
    most = min(_MOST_WORDS, max(4 * SHORT, _WORD_BUDGET // max(1, len(texts))))
    rows, shingles, ends = _shingles(texts, most)
    if len(rows) < 2:
        return []
    starts = np.concatenate(([0], ends[:-1]))
    sets: dict[int, set[int]] = {}

    def of(position: int) -> set[int]:
        if position not in sets:
            sets[position] = set(shingles[starts[position] : ends[position]].tolist())
        return sets[position]

    found: dict[int, int] = {}
    compared = 0
    for earlier, later in _candidates(_signatures(shingles, starts)):
        if later in found:
            continue
        if not _alike(of(earlier), of(later)):
            continue
        compared += 1
        if compared > _MOST_COMPARED:
            break
        if _alike_to_the_end(texts[rows[earlier]], texts[rows[later]], most):
            found[later] = earlier
    return sorted((rows[later], rows[earlier]) for later, earlier in found.items())


def _alike(first: set[Any], second: set[Any]) -> bool:
    common = len(first & second)
    return common >= SIMILAR * (len(first) + len(second) - common)


def _alike_to_the_end(first: str, second: str, most: int) -> bool:
    """Whether texts that begin alike also go on alike, where only their beginnings were compared so far."""
    if most >= _MOST_WORDS or max(len(first), len(second)) <= most:
        return True
    words = [_WORD.findall(text[: 12 * _MOST_WORDS].casefold())[:_MOST_WORDS] for text in (first, second)]
    sets = [{tuple(cut[start : start + SHINGLE]) for start in range(len(cut) - SHINGLE + 1)} for cut in words]
    return _alike(sets[0], sets[1])


def _shingles(texts: Sequence[str], most: int) -> tuple[list[int], Hashes, NDArray[np.int64]]:
    """Rows with enough words, the hashes of their 5-grams one after the other, and where each row's end."""
    vocabulary: defaultdict[str, int] = defaultdict(count().__next__)  # word -> its number, in order of appearance
    numbers: list[int] = []
    rows: list[int] = []
    lengths: list[int] = []
    for row, text in enumerate(texts):
        words = _WORD.findall(text[: 12 * most].casefold())[:most]
        if len(words) < SHORT:
            continue
        rows.append(row)
        lengths.append(len(words))
        numbers.extend(map(vocabulary.__getitem__, words))
    hashes = np.array([zlib.crc32(word.encode("utf-8", "replace")) for word in vocabulary], dtype=np.uint64)
    words_at = _mix(hashes)[np.array(numbers, dtype=np.int64)] if numbers else np.zeros(0, dtype=np.uint64)
    if not rows:
        return [], words_at, np.zeros(0, dtype=np.int64)
    grams = words_at[: len(words_at) - SHINGLE + 1].copy()
    for step in range(1, SHINGLE):
        grams = _mix(grams + words_at[step : len(words_at) - SHINGLE + 1 + step])
    # 5-grams that would reach into the next row are left out.
    ends = np.cumsum(lengths)
    inside = np.ones(len(words_at), dtype=bool)
    for step in range(1, SHINGLE):
        inside[ends - step] = False
    return rows, grams[inside[: len(grams)]], ends - np.arange(1, len(rows) + 1) * (SHINGLE - 1)


def _mix(values: Hashes) -> Hashes:
    """SplitMix64: spreads every bit of a number over all bits."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _signatures(shingles: Hashes, starts: NDArray[np.int64]) -> Hashes:
    """MinHash signatures, shape (rows, bands): the hashes of a band are folded into one number."""
    seeds = _mix(np.arange(1, _BANDS * _BAND_ROWS + 1, dtype=np.uint64)) | np.uint64(1)
    bands = np.zeros((len(starts), _BANDS), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for number, seed in enumerate(seeds):
            mixed = shingles * seed
            mixed ^= mixed >> np.uint64(32)
            lowest = np.minimum.reduceat(mixed, starts)
            band = number // _BAND_ROWS
            bands[:, band] = _mix(bands[:, band] + lowest)
    return bands


def _candidates(bands: Hashes) -> list[tuple[int, int]]:
    """Pairs of neighbours in one bucket, earlier position first."""
    pairs: set[tuple[int, int]] = set()
    for band in range(bands.shape[1]):
        order = np.argsort(bands[:, band], kind="stable")
        equal = np.flatnonzero(bands[order[1:], band] == bands[order[:-1], band])
        pairs.update(zip(order[equal].tolist(), order[equal + 1].tolist(), strict=True))
        if len(pairs) > _MOST_PAIRS:
            break
    return sorted(pairs)
