"""A small index of example phrasings: what the patterns do not read is compared with sentences of known intent.

`phrases.txt` holds one a line, "intent: sentence". Two sentences are alike by the rare words and letter triples that
they share (cosine of TF-IDF vectors). The index is a fallback: it only speaks when the nearest examples agree.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

#: Likeness from which the nearest example is believed; found on held-out phrasings.
NEAR = 0.5
#: The same for one or two words, which share letters with anything.
NEAR_SHORT = 0.75
#: How much nearer the winner must be than the best example of another intent.
AHEAD = 0.06
#: Longer messages are stories, not commands.
MOST_WORDS = 14


def nearest(text: str) -> str | None:
    """The intent of the nearest examples; None when nothing is near or two intents are about as near."""
    if not 1 <= len(text.split()) <= MOST_WORDS:
        return None
    scores = _scores(text)
    best = sorted(scores.items(), key=lambda pair: -pair[1])[:2]
    if (
        not best
        or best[0][1] < (NEAR if len(text.split()) > 2 else NEAR_SHORT)
        or (len(best) > 1 and best[0][1] - best[1][1] < AHEAD)
    ):
        return None
    return best[0][0]


def _scores(text: str) -> dict[str, float]:
    """Intent -> likeness of its nearest example."""
    names, index, idf = _index()
    vector = _vector(text, idf)
    sums: dict[int, float] = defaultdict(float)
    for feature, weight in vector.items():
        for place, other in index.get(feature, ()):
            sums[place] += weight * other
    found: dict[str, float] = {}
    for place, score in sums.items():
        found[names[place]] = max(found.get(names[place], 0.0), score)
    return found


@cache
def _index() -> tuple[list[str], dict[str, list[tuple[int, float]]], dict[str, float]]:
    lines = (Path(__file__).parent / "phrases.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split(": ", 1) for line in lines if ": " in line and not line.startswith("#")]
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
