"""Small indexes of example sentences: what the patterns do not read is compared with sentences of known meaning.

`phrases.txt` holds one a line, "intent: sentence"; `requests.txt` the same for tasks. Two sentences are alike by the
rare words and letter triples that they share (cosine of TF-IDF vectors). An index only speaks when its
nearest examples agree.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

from assistant.chat.words import words_of

#: Likeness from which the nearest example is believed; found on held-out phrasings.
NEAR = 0.44
#: The same where the winner is far ahead of all other intents.
NEAR_ALONE, FAR_AHEAD = 0.36, 0.12
#: Likeness and distance to the others from which an example outweighs the patterns.
SURELY, SURELY_AHEAD = 0.68, 0.2
#: Words of a short message, and how much liker an intent it must be than a request.
SHORT, MORE_THAN_A_REQUEST = 9, 0.1
#: Intents that only show something: there a wrong guess costs a glance, so a smaller lead is enough.
_SHOWS = words_of("status report compare improve list_runs help check_data predict evaluate")
AHEAD_TO_SHOW = 0.02
#: The same for one or two words, which share letters with anything.
NEAR_SHORT = 0.75
#: How much nearer the winner must be than the best example of another intent.
AHEAD = 0.06
#: Longer messages are stories, not commands.
MOST_WORDS = 14
MOST_WORDS_OF_REQUEST = 30

_EMPTY = words_of(
    """
    a an the it its this that these those my your our his her their me you i we us he she they them please now then
    and so just can could may might will would should do does did be is are was were have has had am to of for on in
    at with as by from up out into over about some any all every each no not or but if very want need like get make
    made give let use using model models ai network computer machine program system something someone thing things
    train teach learn fine tune tuning help possible able way new good one two other more also when what how there
    """
)


def surely(text: str) -> str | None:
    """The intent of an example that is so near, and so far ahead of the others, that no pattern counts more."""
    if not 2 <= len(text.split()) <= MOST_WORDS:
        return None
    best = sorted(_scores("phrases.txt", text).items(), key=lambda pair: -pair[1])[:2]
    if not best or best[0][1] < SURELY or (len(best) > 1 and best[0][1] - best[1][1] < SURELY_AHEAD):
        return None
    return best[0][0]


def leaning(text: str) -> str | None:
    """The intent of a short message that is much more like an example of it than like any request for a training."""
    if not 2 <= len(text.split()) <= SHORT:
        return None
    best = sorted(_scores("phrases.txt", text).items(), key=lambda pair: -pair[1])[:2]
    if not best or best[0][1] < NEAR or (len(best) > 1 and best[0][1] - best[1][1] < AHEAD):
        return None
    request = max(
        (score for name, score in _scores("requests.txt", _content(text)).items() if name != "none"), default=0.0
    )
    return best[0][0] if best[0][1] > request + MORE_THAN_A_REQUEST else None


def nearest(text: str, believed: float = NEAR) -> str | None:
    """The intent of the nearest examples; None when nothing is near or two intents are about as near.

    Args:
        believed: the likeness from which the nearest example counts.
    """
    if not 1 <= len(text.split()) <= MOST_WORDS:
        return None
    scores = _scores("phrases.txt", text)
    best = sorted(scores.items(), key=lambda pair: -pair[1])[:2]
    if not best:
        return None
    likeness, ahead = best[0][1], best[0][1] - (best[1][1] if len(best) > 1 else 0.0)
    short = len(text.split()) <= 2
    alone = not short and likeness >= max(NEAR_ALONE, believed - NEAR + NEAR_ALONE) and ahead >= FAR_AHEAD
    near = likeness >= (NEAR_SHORT if short else believed) and ahead >= (
        AHEAD_TO_SHOW if best[0][0] in _SHOWS else AHEAD
    )
    return best[0][0] if near or alone else None


def like_request(text: str) -> dict[str, float]:
    """Task -> likeness of its nearest example request, 0 to 1; "none" stands for what is no request for a training.

    Only words that carry meaning count, and there must be two of them.
    """
    content = _content(text)
    if not 2 <= len(content.split()) <= MOST_WORDS_OF_REQUEST:
        return {}
    return _scores("requests.txt", content)


def has_content(text: str) -> bool:
    """Whether a text has words that carry meaning: "this or that" has none."""
    return bool(_content(text))


def _content(text: str) -> str:
    """The words that carry meaning."""
    return " ".join(word for word in re.findall(r"[^\W\d_]{2,}", text) if word not in _EMPTY)


def _scores(file: str, text: str) -> dict[str, float]:
    """Meaning -> likeness of its nearest example."""
    names, index, idf = _index(file)
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
def _index(file: str) -> tuple[list[str], dict[str, list[tuple[int, float]]], dict[str, float]]:
    lines = (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines()
    pairs = [line.split(": ", 1) for line in lines if ": " in line and not line.startswith("#")]
    if file == "requests.txt":
        pairs = [[name, _content(sentence)] for name, sentence in pairs]
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
