"""Exact and near copies among texts.

Copies are texts that are equal once case, spaces and punctuation are ignored, or whose sets of word 5-grams overlap by
80 % or more (Jaccard). If a copy of a test row is trained on, the test measures memory instead of skill.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence

import numpy as np
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Rows = NDArray[np.intp]

SIMILAR = 0.8  #: Jaccard overlap of word 5-grams from which two texts count as near copies
SHINGLE = 5  #: words in one shingle
SHORT = 10  #: texts of fewer words are compared exactly: one changed word leaves them hardly a common 5-gram
MANY = 20_000  #: rows from which a lighter search is used, so that 100,000 rows take about a minute
#: (hashes, bands, rows a band, words read). With 21 bands of 6, a pair at 0.8 is found with probability 0.998; with
#: 10 bands of 6, with 0.95 (a pair at 0.9: 0.9995). Every pair found is then checked exactly.
THOROUGH = (126, 21, 6, 2_000)
LIGHT = (60, 10, 6, 300)
ENOUGH = 50  #: members of one family that are searched; a template used 5,000 times would cost quadratic time otherwise
_WORD = re.compile(r"\w+")


def normalised(text: str) -> str:
    """The text without case, punctuation and repeated spaces; texts of symbols only stay as they are."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return " ".join(words) if words else " ".join(text.split())


def find_copies(texts: Sequence[str]) -> tuple[Rows, list[str]]:
    """Number the texts so that exact and near copies have the same number.

    Returns:
        Shape (rows,) of numbers from 0, and sentences about what was found and how it was searched.
    """
    keys = [normalised(text) for text in texts]
    first_with: dict[str, int] = {}
    exact = np.array([first_with.setdefault(key, len(first_with)) for key in keys], dtype=np.intp)
    unique = list(first_with)
    links = _near_copies(unique, LIGHT if len(unique) > MANY else THOROUGH)
    groups = components(len(unique), links)[exact] if links else exact
    return groups, _copy_notes(len(texts), len(unique), len(np.unique(groups)) if len(groups) else 0)


def _copy_notes(rows: int, unique: int, distinct: int) -> list[str]:
    notes = []
    if unique < rows:
        repeats = count_of(rows - unique, "row repeats", "rows repeat")
        notes.append(f"{repeats} another row's text word for word; copies were kept on one side of the split.")
    if distinct < unique:
        near = count_of(unique - distinct, "text is", "texts are")
        notes.append(
            f"{near} nearly the same as another one (80 % of the word groups shared); near copies were kept on one "
            "side of the split."
        )
    if unique > MANY:
        notes.append(
            f"With {unique:,} different texts, near copies were searched with a lighter method (first {LIGHT[3]} words "
            f"of each text, {LIGHT[0]} hashes): it misses about 1 in 20 of those that are only just similar enough."
        )
    return notes


def _near_copies(keys: list[str], effort: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    """Pairs of positions in `keys` that are near copies, enough of them to join every family of copies."""
    hashes, bands, band_rows, longest = effort
    positions = [position for position, key in enumerate(keys) if key.count(" ") >= SHORT - 1]
    shingles = {position: _shingles(keys[position], longest) for position in positions}
    index = MinHashLSH(num_perm=hashes, params=(bands, band_rows))
    families = DisjointSet(positions)
    links: list[tuple[int, int]] = []
    sketches = MinHash.generator(shingles.values(), num_perm=hashes, hashfunc=int)
    for position, sketch in zip(positions, sketches, strict=True):
        for other in sorted(index.query(sketch)):
            if not families.connected(position, other) and _jaccard(shingles[position], shingles[other]) >= SIMILAR:
                families.merge(position, other)
                links.append((position, other))
        if families.subset_size(position) <= ENOUGH:
            index.insert(position, sketch, check_duplication=False)
    return links


def _shingles(key: str, longest: int) -> NDArray[np.uint32]:
    """Sorted unique hashes of the runs of five words."""
    words = key.encode().split(b" ")[:longest]
    runs = {zlib.crc32(b" ".join(words[start : start + SHINGLE])) for start in range(len(words) - SHINGLE + 1)}
    return np.fromiter(sorted(runs), dtype=np.uint32, count=len(runs))


def _jaccard(left: NDArray[np.uint32], right: NDArray[np.uint32]) -> float:
    shared = np.intersect1d(left, right, assume_unique=True).size
    return float(shared / (left.size + right.size - shared))


def components(size: int, links: Sequence[tuple[int, int]]) -> Rows:
    """Number each of `size` things so that linked ones have the same number."""
    pairs = np.array(links, dtype=np.intp).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.intp)


def count_of(number: int, one: str, many: str) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{number:,} {one if number == 1 else many}"
