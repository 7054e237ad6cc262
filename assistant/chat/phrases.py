"""What a sentence is likely to mean, from example sentences of known meaning: for what the patterns do not read.

`phrases.txt` holds examples one a line, "intent: sentence"; `requests.txt` the same for tasks ("none": small talk).
Both are learned by complement naive Bayes over words, their stems and pairs of stems (Rennie et al. 2003), in
milliseconds. To teach the reader a new way of saying something, add a line.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path

from assistant.chat.words import words_of

#: Counts that every word is given beforehand; the best of 0.05 to 1 on held-out sentences.
SMOOTHING, SMOOTHING_OF_TASKS = 0.1, 1.0
#: Longer messages are stories, not commands.
MOST_WORDS = 24
MOST_WORDS_OF_REQUEST = 80

_EMPTY = words_of(
    """
    a an the it its this that these those my your our his her their me you i we us he she they them please now then
    and so just can could may might will would should do does did be is are was were have has had am to of for on in
    at with as by from up out into over about some any all every each no not or but if very want need like get make
    made give let use using model models ai network computer machine program system something someone thing things
    train teach learn fine tune tuning help possible able way new good one two other more also when what how there
    """
)
_ENDING = re.compile(r"(?:ations?|ings?|ers?|ed|es|s|e|ions?|ly)$")


class Examples:
    """Sentences of known meaning; `leads` says which meaning a new sentence most likely has."""

    def __init__(self, pairs: Iterable[tuple[str, str]], smoothing: float) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        for meaning, sentence in pairs:
            self._counts[meaning].update(_features(sentence))
        self._all = Counter[str]()
        for counts in self._counts.values():
            self._all.update(counts)
        self._smoothing = smoothing
        self._rest = {
            meaning: math.log(smoothing * len(self._all) + self._all.total() - counts.total())
            for meaning, counts in self._counts.items()
        }

    def leads(self, text: str) -> dict[str, float]:
        """Meaning -> how far it lies behind the likeliest, in nats (0 for the likeliest); {} for unknown words only."""
        known = [feature for feature in _features(text) if feature in self._all]
        if not known:
            return {}
        scores = {meaning: self._score(meaning, known) for meaning in self._counts}
        best = max(scores.values())
        return {meaning: score - best for meaning, score in scores.items()}

    def _score(self, meaning: str, features: Iterable[str]) -> float:
        counts, rest = self._counts[meaning], self._rest[meaning]
        return sum(rest - math.log(self._smoothing + self._all[one] - counts[one]) for one in features)


def meant(text: str) -> tuple[str, float] | None:
    """The likeliest intent of a message and its lead over the next, in nats; None for stories and unknown words.

    "plan" stands for a request for a training. Of held-out sentences nine of ten are right with a lead of 1, and
    nineteen of twenty with a lead of 2.
    """
    if not 1 <= len(text.split()) <= MOST_WORDS:
        return None
    leads = _intents().leads(text)
    order = sorted(leads, key=lambda name: -leads[name])
    return (order[0], -leads[order[1]]) if len(order) > 1 else None


def task_leads(text: str) -> dict[str, float]:
    """Task -> how far it lies behind the likeliest one (0), in nats; "none" stands for what is no request at all.

    Only words that carry meaning count, and there must be two of them.
    """
    content = _content(text)
    if not 2 <= len(content.split()) <= MOST_WORDS_OF_REQUEST:
        return {}
    return _tasks().leads(content)


def has_content(text: str) -> bool:
    """Whether a text has words that carry meaning: "this or that" has none."""
    return bool(_content(text))


def _content(text: str) -> str:
    """The words that carry meaning."""
    return " ".join(word for word in re.findall(r"[^\W\d_]{2,}", text.casefold()) if word not in _EMPTY)


def _read(file: str) -> list[tuple[str, str]]:
    lines = (Path(__file__).parent / file).read_text(encoding="utf-8").splitlines()
    parts = (line.split(": ", 1) for line in lines if ": " in line and not line.startswith("#"))
    return [(name, sentence) for name, sentence in parts]


@cache
def _intents() -> Examples:
    requests = [("unclear" if task == "none" else "plan", sentence) for task, sentence in _read("requests.txt")]
    return Examples([*_read("phrases.txt"), *requests], SMOOTHING)


@cache
def _tasks() -> Examples:
    return Examples([(task, _content(sentence)) for task, sentence in _read("requests.txt")], SMOOTHING_OF_TASKS)


def _features(text: str) -> set[str]:
    """Words (numbers alike), stems, and pairs of neighbouring stems."""
    words = ["0" if word.isdigit() else word for word in re.findall(r"[a-zà-ÿ]+|\d+", text.casefold())]
    stems = [_ENDING.sub("", word) if len(word) > 4 else word for word in words]
    return {*words, *(f"~{stem}" for stem in stems), *(f"{one} {two}" for one, two in pairwise(stems))}
