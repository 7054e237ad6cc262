"""Tags of words in any of the usual schemes, as spans and back: BIO, IOB1, BIOES (BILOU, BMES), IO, and plain tags.

reading = read([["B-PER", "I-PER", "O"]])
reading.spans      [[(0, 2, "PER")]]       first word, word after the last, type
bio(reading.spans[0], 3)                   ["B-PER", "I-PER", "O"]
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Span = tuple[int, int, str]  #: first word, the word after the last one, type
Scheme = Literal["bio", "iob1", "bioes", "io", "plain"]

OUTSIDE = "O"
_NOTHING = frozenset({"O", "o", "", "_", "-", "None", "none", "null", "OUT"})
_PREFIXED = re.compile(r"([BIESLUMbieslum])[-_](.+)", re.DOTALL)
_SAME = {"L": "E", "U": "S", "M": "I"}  # BILOU and BMES write the letters of BIOES otherwise

#: How a scheme is called in a sentence.
NAMES: dict[Scheme, str] = {
    "bio": "BIO (B- begins an entity, I- goes on)",
    "iob1": "IOB1 (B- only where two entities of one type touch)",
    "bioes": "BIOES (with marks for the end of an entity and for single words)",
    "io": "one tag for each word of an entity, without marks for its begin",
    "plain": "a tag for every word",
}


@dataclass(frozen=True)
class Reading:
    """What the tags of a file say.

    Attributes:
        spans: of each sentence, in order; they do not overlap.
        scheme: what the file is written in.
        repaired: words whose tag does not fit the scheme, by sentence: {sentence: words}.
    """

    spans: list[list[Span]]
    scheme: Scheme
    repaired: dict[int, int]

    @property
    def types(self) -> list[str]:
        """The types of entities, sorted."""
        return types_of(self.spans)


def types_of(spans: Iterable[Sequence[Span]]) -> list[str]:
    """The types of entities in some sentences, sorted."""
    return sorted({kind for each in spans for _, _, kind in each})


def parted(tag: object) -> tuple[str, str]:
    """A tag as letter and type: "B-PER" -> ("B", "PER"); "PER" -> ("", "PER"); outside of an entity -> ("O", "")."""
    text = "" if tag is None else str(tag).strip()
    if text in _NOTHING:
        return OUTSIDE, ""
    match = _PREFIXED.fullmatch(text)
    if match is None:
        return "", text
    letter = match[1].upper()
    return _SAME.get(letter, letter), match[2]


def read(sentences: Sequence[Sequence[object]]) -> Reading:
    """Spans of tagged sentences, whatever the scheme; broken sequences are read as the usual scorers read them.

    An entity begins at B- or S-, after the end of another one, and where the type changes (as in CoNLL's `conlleval`).
    """
    tagged = [[parted(tag) for tag in tags] for tags in sentences]
    scheme = scheme_of(tagged)
    spans = [_words(tags) if scheme == "plain" else _entities(tags) for tags in tagged]
    if scheme == "bio" and _is_iob1(tagged, spans):
        scheme = "iob1"
    repaired = {}
    for number, (tags, found) in enumerate(zip(tagged, spans, strict=True)):
        right = _written(found, len(tags), scheme)
        wrong = sum(mine != own and scheme != "io" for mine, own in zip(tags, right, strict=True))
        if wrong:
            repaired[number] = wrong
    return Reading(spans, scheme, repaired)


def scheme_of(tagged: Iterable[Sequence[tuple[str, str]]]) -> Scheme:
    """The scheme that most of the tags, as `parted`, are written in."""
    letters: Counter[str] = Counter(letter for tags in tagged for letter, _ in tags)
    marked = sum(letters[letter] for letter in "BIES")
    if letters[""] > marked:
        return "io" if letters[OUTSIDE] else "plain"
    if letters["E"] + letters["S"]:
        return "bioes"
    return "bio" if letters["B"] else "io"


def _entities(tags: Sequence[tuple[str, str]]) -> list[Span]:
    found: list[Span] = []
    before, kind, start = OUTSIDE, "", 0
    for place, (letter, own) in enumerate([*tags, (OUTSIDE, "")]):
        begins = letter != OUTSIDE and (letter in ("B", "S") or before in (OUTSIDE, "E", "S") or own != kind)
        if before != OUTSIDE and (begins or letter == OUTSIDE):
            found.append((start, place, kind))
        if begins:
            start = place
        before, kind = letter, own
    return found


def _words(tags: Sequence[tuple[str, str]]) -> list[Span]:
    return [(place, place + 1, kind) for place, (letter, kind) in enumerate(tags) if letter != OUTSIDE]


def _is_iob1(tagged: Sequence[Sequence[tuple[str, str]]], spans: Sequence[Sequence[Span]]) -> bool:
    """B- stands only where an entity touches one of its own type before it, and most entities begin with I-."""
    needless = begun = 0
    for tags, found in zip(tagged, spans, strict=True):
        touched = {(end, kind) for _, end, kind in found}
        for start, _, kind in found:
            if tags[start][0] == "B":
                begun += 1
                needless += (start, kind) not in touched
    return needless == 0 and begun < sum(map(len, spans))


def _written(spans: Sequence[Span], words: int, scheme: Scheme) -> list[tuple[str, str]]:
    """The tags, as `parted`, that a scheme has for some spans."""
    tags = [(OUTSIDE, "")] * words
    ends = {(end, kind) for _, end, kind in spans}
    for start, end, kind in spans:
        if scheme in ("io", "plain"):
            tags[start:end] = [("", kind)] * (end - start)
            continue
        tags[start:end] = [("I", kind)] * (end - start)
        if scheme != "iob1" or (start, kind) in ends:
            tags[start] = ("B", kind)
        if scheme == "bioes":
            tags[end - 1] = ("S" if end - start == 1 else "E", kind)
    return tags


def bio(spans: Sequence[Span], words: int, plain: bool = False) -> list[str]:
    """Tags of a sentence in BIO, or the types alone.

    Args:
        spans: must not overlap; words: of the sentence.
    """
    written = _written(spans, words, "plain" if plain else "bio")
    return [OUTSIDE if letter == OUTSIDE else f"{letter}-{kind}" if letter else kind for letter, kind in written]


def spans_of(names: Sequence[str], plain: bool = False) -> list[Span]:
    """Spans of a sentence from tags in BIO; an I- without a begin begins an entity.

    Args:
        plain: every word is a span of its own.
    """
    if plain:
        return [(place, place + 1, name) for place, name in enumerate(names) if name != OUTSIDE]
    return _entities([parted(name) for name in names])
