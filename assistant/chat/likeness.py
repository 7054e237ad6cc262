"""Which task a request is like: a small index of example requests, for what the concepts of the lexicon do not name.

`requests.txt` holds one a line, "task: sentence". Two sentences are alike by the rare words and letter triples that
they share (cosine of TF-IDF vectors).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

from assistant.chat.words import words_of

#: Longer messages are stories.
MOST_WORDS = 30

_EMPTY = words_of(
    """
    a an the it its this that these those my your our his her their me you i we us he she they them please now then
    and so just can could may might will would should do does did be is are was were have has had am to of for on in
    at with as by from up out into over about some any all every each no not or but if very want need like get make
    made give let use using model models ai network computer machine program system something someone thing things
    train teach learn fine tune tuning help possible able way new good one two other more also when what how there
    """
)


def like_request(text: str) -> dict[str, float]:
    """Task -> likeness of its nearest example request, 0 to 1; "none" stands for what is no request for a training.

    Only words that carry meaning count, and there must be two of them.
    """
    content = _content(text)
    if not 2 <= len(content.split()) <= MOST_WORDS:
        return {}
    names, index, idf = _index()
    sums: dict[int, float] = defaultdict(float)
    for feature, weight in _vector(content, idf).items():
        for place, other in index.get(feature, ()):
            sums[place] += weight * other
    found: dict[str, float] = {}
    for place, score in sums.items():
        found[names[place]] = max(found.get(names[place], 0.0), score)
    return found


def has_content(text: str) -> bool:
    """Whether a text has words that carry meaning: "this or that" has none."""
    return bool(_content(text))


def _content(text: str) -> str:
    """The words that carry meaning."""
    return " ".join(word for word in re.findall(r"[^\W\d_]{2,}", text) if word not in _EMPTY)


@cache
def _index() -> tuple[list[str], dict[str, list[tuple[int, float]]], dict[str, float]]:
    lines = (Path(__file__).parent / "requests.txt").read_text(encoding="utf-8").splitlines()
    named = [line.split(": ", 1) for line in lines if ": " in line and not line.startswith("#")]
    pairs = [(name, _content(sentence)) for name, sentence in named]
    documents = [Counter(_features(sentence)) for _, sentence in pairs]
    counts = Counter(feature for document in documents for feature in document)
    idf = {feature: math.log(1 + len(documents) / count) for feature, count in counts.items()}
    index: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for place, (_, sentence) in enumerate(pairs):
        for feature, weight in _vector(sentence, idf).items():
            index[feature].append((place, weight))
    return [name for name, _ in pairs], dict(index), idf


def _vector(text: str, idf: dict[str, float]) -> dict[str, float]:
    rarest = max(idf.values(), default=1.0)
    raw = {feature: count * idf.get(feature, rarest) for feature, count in Counter(_features(text)).items()}
    length = math.sqrt(sum(value * value for value in raw.values())) or 1.0
    return {feature: value / length for feature, value in raw.items()}


def _features(text: str) -> list[str]:
    """Words (each a strong feature, numbers alike) and letter triples."""
    words = ["0" if word.isdigit() else word for word in re.findall(r"[a-z]+|\d+", text)]
    joined = f" {' '.join(words)} "
    triples = [joined[place : place + 3] for place in range(len(joined) - 2)]
    return [f"={word}" for word in words] * 2 + triples
