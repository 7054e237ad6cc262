"""Would a rule do? A single word, or a kind of pattern, that tells the classes apart makes a model needless."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from assistant.data.findings import Check, Finding, View, share_of

#: Rows looked at; a word that decides shows in a few thousand.
LOOKED_AT_ROWS = 1000
CHARACTERS = 1000
#: Rows of a class that show which signs are worth counting.
FIRST_ROWS = 40
#: A class and the rest must have so many rows; fewer agree by chance.
FEWEST = 15
#: Share of a class that holds the word, and share of the word's rows that are of the class.
FOUND, RIGHT = 0.97, 0.97
_WORD = re.compile(r"[^\W_]{2,30}")
_PATTERNS = {
    "a web address": re.compile(r"https?://|\bwww\."),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.\w"),
    "a question mark": re.compile(r"\?"),
    "a number": re.compile(r"\d"),
    "a sum of money": re.compile(r"[$€£]\s?\d|\d\s?[$€£]"),
}


def one_word_rule(view: View) -> Iterable[Finding]:
    """A word or pattern that nearly every row of a class holds, and nearly no other row."""
    if view.label_column is None or view.problem != "single_label_classification" or not view.text_columns:
        return
    rows = [(text, labels[0]) for text, labels in zip(view.texts, view.labels, strict=True) if labels and text]
    rows = rows[:: max(1, -(-len(rows) // LOOKED_AT_ROWS))]
    sizes = Counter(label for _, label in rows)
    if len(sizes) != 2 or min(sizes.values()) < FEWEST:
        return  # with more classes one word cannot decide
    found = _decisive(rows, sizes)
    if found is None:
        return
    sign, label, hits, right = found
    yield Finding(
        code="one-word-rule",
        severity="warning",
        count=hits,
        text=f"A rule does this without a model: {sign} stands in {share_of(hits, sizes[label])} of the rows of "
        f"“{label[:40]}”, and {share_of(right, 100)} of the rows that hold it are “{label[:40]}”.",
        fix="Use the rule, or bring rows where it is not so clear; else the model only learns this sign.",
    )


def _decisive(rows: list[tuple[str, str]], sizes: Counter[str]) -> tuple[str, str, int, int] | None:
    """(sign, class, rows of the class that hold it, percent of its rows that are of the class)."""
    best: tuple[float, str, str, int, int] | None = None
    for label in sizes:
        some = [_signs(text) for text, other in rows if other == label][:FIRST_ROWS]
        held = Counter(sign for signs in some for sign in signs)
        candidates = {sign for sign, count in held.items() if count >= 0.9 * len(some)}
        if not candidates:
            continue
        hits: Counter[tuple[str, bool]] = Counter()
        for text, other in rows:
            hits.update((sign, other == label) for sign in candidates & _signs(text))
        for sign in candidates:
            mine, others = hits[sign, True], hits[sign, False]
            found, right = mine / sizes[label], mine / max(1, mine + others)
            if found >= FOUND and right >= RIGHT and (best is None or found + right > best[0]):
                best = found + right, sign, label, mine, round(100 * right)
    return best[1:] if best else None


def _signs(text: str) -> set[str]:
    words = {f"the word “{word}”" for word in _WORD.findall(text[:CHARACTERS].casefold())}
    return words | {name for name, pattern in _PATTERNS.items() if pattern.search(text[:CHARACTERS])}


CHECKS: tuple[Check, ...] = (one_word_rule,)
