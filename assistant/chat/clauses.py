"""What the words around a word make of it: taken back, told of the past or of others, or a person's name."""

from __future__ import annotations

import re

#: "5 epochs, no, 6": what follows counts.
CORRECTION = re.compile(
    r"(?:\.\.\.|[,;.!?])\s*(?:no wait|no|sorry|wait|actually|oops|i mean|or rather|rather|make that)\b[\s,]*"
)
_BREAK = re.compile(r"[,;.:!?]+(?=\s|$)| (?:but|so|therefore|hence|now|and i|and we) ")
_TELLS = re.compile(
    r"\b(?:last (?:time|week|month|year|try)|before|earlier|previously|yesterday|formerly|used to|paper|tutorial|book"
    r"|(?:have|has|had) (?:already )?(?:tried|used|done|trained|been)|tried|did|was|were|took|said"
    r"|(?:server|box|computer|machine|cluster|lab|office|we|it|he|she|they) (?:has|have|had|owns?)|of the \d+)\b"
)
_WISHES = re.compile(
    r"\b(?:want|wish|would like|should|must|please|this time|only|instead|rather|make|set|let|train|teach|need|now"
    r"|prefer|try)\b"
)


def told(text: str, start: int) -> bool:
    """Whether the clause around a place tells what was or what others do: "a paper used 1e-3, but I'd like 1e-4"."""
    begin = max((match.end() for match in _BREAK.finditer(text, 0, start)), default=0)
    after = _BREAK.search(text, start)
    clause = text[begin : after.start() if after else len(text)]
    return bool(_TELLS.search(clause)) and not _WISHES.search(clause)


_KIN = (
    r"(?:sister|brother|colleague|boss|friend|wife|husband|mother|father|daughter|son|manager|teacher|aunt|uncle"
    r"|neighbou?r|assistant|intern|cousin|partner|student|co-?worker|secretary|predecessor|cat|dog)"
)
_PERSON_BEFORE = re.compile(rf"\b(?:{_KIN}|mrs?\.?|ms\.?|dr\.?|uncle|aunt|dear|named|hi|hello|thanks|regards),? $")
_PERSON_AFTER = re.compile(
    rf"^(?:'s)?,? (?:(?:my|our|his|her|their|a|the) (?:\w+ )?{_KIN}\b"
    r"|from (?:our|my|the) (?:shop|office|team|department|company|school|lab|desk|support|accounting)\b"
    r"|(?:has|had|have)(?: \w+)? (?:said|answered|written|noted|labell?ed|sorted|asked|told|collected|marked|left)\b"
    r"|(?:said|says|wrote|asked|answered|noted|told|thinks|collected|labell?ed|sorted) )"
)


def person(text: str, start: int, end: int) -> bool:
    """Whether a name is somebody's here: "my sister Roberta", "Gemma from our shop"."""
    return bool(_PERSON_BEFORE.search(text[:start]) or _PERSON_AFTER.match(text[end:]))
