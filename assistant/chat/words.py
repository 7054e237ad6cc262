"""From what people type to words that can be read: one spelling, one case, no ornaments.

`words.txt` lists 13,000 common words (from the vocabulary file of MiniLM, Apache-2.0). A word that stands there is
never
"corrected": "stars" is no misspelt "start".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from rapidfuzz import process
from rapidfuzz.distance import OSA

#: What is read of a message; nobody explains a wish in more, and a reader must answer in milliseconds.
LONGEST_MESSAGE = 4000
#: Characters of a word; longer "words" are noise, data or an attack.
LONGEST_WORD = 60

_QUOTES = str.maketrans("‘’‚‛“”„‟«»‹›´`·×", '\'\'\'\'""""""""\'\'*x')
_DASHES = re.compile(r"[‐‑‒–—−]")
_CONTRACTIONS = (
    (re.compile(r"\b(do|does|did|is|are|was|has|have|should|would|could|must|need|ai)n'?t\b"), r"\1 not"),
    (re.compile(r"\b(don|doesn|isn|dont|doesnt|isnt) ?t?\b(?!')"), "do not"),
    (re.compile(r"\b(can'?t|cannot)\b"), "can not"),
    (re.compile(r"\b(won'?t)\b"), "will not"),
    (
        re.compile(
            r"^((?:\w+[, ]+){0,2}?)(can|could) not (it|this|that|we|you|the model"
            r"|the training) (?=[^?]*\?)"
        ),
        r"\1\2 \3 ",
    ),
    (re.compile(r"\blet'?s\b"), "let us"),
    (re.compile(r"\b(i|you|we|they)'?(?:ve)\b"), r"\1 have"),
    (re.compile(r"\bi'?m\b"), "i am"),
    (re.compile(r"\b(i|you|we|they|he|she|it)'d\b"), r"\1 would"),
    (re.compile(r"\b(i|you|we|they|he|she|it)'ll\b"), r"\1 will"),
    (re.compile(r"\b(you|we|they)'re\b"), r"\1 are"),
    (re.compile(r"\b(what|how|that|it|where|there|who|he|she|which)'s\b"), r"\1 is"),
    (re.compile(r"\b(whats)\b"), "what is"),
    (re.compile(r"\b(?:wat|wut|wot|waht)\b"), "what"),
    (re.compile(r"\b(hows)\b"), "how is"),
    (re.compile(r"\b(gonna)\b"), "going to"),
    (re.compile(r"\b(wanna)\b"), "want to"),
    (re.compile(r"\b(gimme)\b"), "give me"),
    (re.compile(r"\b(plz|pls|pleas)\b"), "please"),
    (re.compile(r"\b(thx|thanx|tnx|ty)\b"), "thanks"),
    (re.compile(r"\b(thats)\b"), "that is"),
    (re.compile(r"\b(you|they)re\b"), r"\1 are"),
    (re.compile(r"\b(lemme)\b"), "let me"),
    (re.compile(r"\b(gotta)\b"), "have to"),
    (re.compile(r"\b(dunno|idk)\b"), "i do not know"),
    (
        re.compile(r"\b(i|we|you|he|she|they) not (?=(?:know|understand|get|want|need|have|see|like|think)\b)"),
        r"\1 do not ",
    ),
    (re.compile(r"(?<!\w)w/o(?!\w)"), "without"),
    (re.compile(r"(?<!\w)w/\s?(?=\w{2})"), "with "),
    (re.compile(r"\b(cuz|coz|bcoz|b/c)\b"), "because"),
    (re.compile(r"\b(smth|sth|smt)\b"), "something"),
    (re.compile(r"\b(ppl)\b"), "people"),
    (re.compile(r"\b(msg)(s?)\b"), r"message\2"),
    (re.compile(r"\b(dept)(s?)\b"), r"department\2"),
    (re.compile(r"\b(abt)\b"), "about"),
    (re.compile(r"\b(ur)\b"), "your"),
    (
        re.compile(
            r"\b(what|why|how|who|where) (?:on earth|the heck|the hell|in the world|the devil|exactly"
            r"|actually)\b"
        ),
        r"\1",
    ),
    (re.compile(r"\b(clf)\b"), "classifier"),
    (re.compile(r"^(?:k|kk|y|yy|jo|ja|si|oui|da|aye|yea|ya|yah|yess+|jep|jup|yas|affirmative)[.! ]*$"), "yes"),
    (re.compile(r"\bfine tun(e|ed|es|ing)\b"), r"fine-tun\1"),
    (
        re.compile(
            r"\b(?:any|every|all|whatever) (?:other )?(?:models?|methods?|networks?|columns?|one) (?:but"
            r"|except)\b"
        ),
        "anything but",
    ),
    (re.compile(r"\bpos ?(/|or|and|vs\.?) ?neg\b"), r"positive \1 negative"),
    (
        re.compile(
            r"^((?:oh |ah |hmm |hm |well |ok |sorry )?(?:no|nope|nah)) (?=(?:use|take|the|i|it|make|do|that|this|set"
            r"|put|give|keep|please|actually|rather|sorry|let|we|change|predict|label|try|go|switch)\b)"
        ),
        r"\1, ",
    ),
    (re.compile(r"\b(u)\b(?= (?:can|do|please|train|make))"), "you"),
)


def words_of(text: str) -> frozenset[str]:
    """A set of words, written as one text."""
    return frozenset(text.split())


def tidy(text: str) -> str:
    """Lower case, plain quotes and dashes, no control characters or pictures, single spaces; long words are dropped."""
    text = unicodedata.normalize("NFKC", text[:LONGEST_MESSAGE]).translate(_QUOTES)
    text = _DASHES.sub("-", text).casefold()
    kept = (character if _readable(character) else " " for character in text)
    words = (word for word in "".join(kept).split() if len(word) <= LONGEST_WORD)
    text = " ".join(words)
    for pattern, plain in _CONTRACTIONS:
        text = pattern.sub(plain, text)
    return text


def _readable(character: str) -> bool:
    return (character.isascii() and character.isprintable()) or unicodedata.category(character)[0] in "LNM"


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Words that are right as they stand."""
    return frozenset((Path(__file__).parent / "words.txt").read_text(encoding="utf-8").split())


def repair(text: str, vocabulary: Iterable[str], known: Iterable[str] = ()) -> str:
    """Put misspelt words right, towards a vocabulary that matters.

    A word is changed when it is no common word, not among `known`, and one word of the vocabulary is near: one edit for
    4 to 6 letters, two for 7 and more, the same first letter.
    """
    wanted = vocabulary if isinstance(vocabulary, frozenset) else frozenset(vocabulary)
    right = common_words()
    names = frozenset(known)

    def put_right(match: re.Match[str]) -> str:
        word = match.group()
        if (
            word in right
            or word in wanted
            or word in names
            or any(word.removesuffix(end) in wanted for end in ("ed", "d", "ing", "er"))
            or word.removesuffix("s") in right
            or word.removesuffix("s") in wanted
        ):
            return word
        if any(word.startswith(part) or word.endswith(part) for part in _long(wanted)):
            return word
        return _nearest(word, wanted) or word

    return re.sub(r"(?<![\w./@-])[a-z]{4,20}(?![\w/@-]|\.\w)", put_right, text)


@lru_cache(maxsize=8)
def _long(vocabulary: frozenset[str]) -> tuple[str, ...]:
    """Words that make up longer ones: "deduplicate" is no slip of "duplicate"."""
    return tuple(word for word in vocabulary if len(word) >= 7)


def _nearest(word: str, vocabulary: frozenset[str]) -> str | None:
    allowed = 1 if len(word) < 7 else 2
    near = process.extract(
        word, _by_first_letter(vocabulary).get(word[0], ()), scorer=OSA.distance, score_cutoff=allowed, limit=2
    )
    if not near or (len(near) > 1 and near[0][1] == near[1][1] and near[0][1] > 1):
        return None
    return str(near[0][0])


@lru_cache(maxsize=8)
def _by_first_letter(vocabulary: frozenset[str]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for word in sorted(vocabulary):
        groups.setdefault(word[0], []).append(word)
    return {letter: tuple(group) for letter, group in groups.items()}


_BOUNDARY = re.compile(
    r"[.;:!?,()\n]|(?:instead of|rather than|other than) (?:the )?[\w-]+ (?:use|take|choose|pick|try|predict|learn|do"
    r"|go with)\b"
    r"|\band (?:then |please |rather )?(?:train|use|take|make|set|learn|tune|choose|pick|try)\b"
    r"|\b(?:keep|leave) (?:everything|all|the rest)(?: \w+){0,2} (?:but|except|besides|apart from)(?: for)?\b"
    r"|\bnothing (?:else )?(?:except|but|besides|apart from|other than)\b"
    r"|(?<!anything )(?<!everything )(?<!all )(?<!nothing )\bbut\b|\b(?:only|just|instead(?! of)|then|so"
    r"|because|however|except that|it should|please)\b"
)
_NOT_BEFORE = re.compile(
    r"\b(?:not|no|never|without|nor|neither|avoid|skip|except|excluding|ignore|ignoring|drop|instead of|rather than"
    r"|other than|anything but|(?<!freeze )(?<!frozen )(?:everything|all) but|leave out|forget|forget about"
    r"|do not use|stop using|away from|none of|don)\b"
    r"(?:\s+[\w'./-]+){0,3}\s*$"
)
#: "leave out LoRA and train it fully": what comes after "and" with a new order is wanted.
_NEW_ORDER = re.compile(r"(?:train|use|take|make|set|learn|tune|choose|pick|try)\b")
_NOT_ONLY = re.compile(r"\bnot (?:only|just)\b[^.;!?,]*$")
_NOT_AFTER = re.compile(
    r"^\s*(?:is|are|was)?\s*(?:not (?:what|the (?:label|target|one|right|answer|class)|needed|necessary|wanted"
    r"|allowed|a good|possible|an option|for me|my thing)|out of the question|is wrong"
    r"|a no[- ]?go|forbidden|banned|prohibited|off limits|no option|taboo|excluded)\b"
)


def negated(text: str, start: int, end: int | None = None) -> bool:
    """Whether what stands at `start` is something that the person does *not* want ("not whisper, wav2vec")."""
    before = text[max(0, start - 80) : start]
    if _NOT_ONLY.search(before):
        return False
    cut = max((match.end() for match in _BOUNDARY.finditer(before)), default=0)
    if re.search(r"\band (?:then |please |rather )?$", before) and _NEW_ORDER.match(text, start):
        return False
    if _NOT_BEFORE.search(before[cut:]):
        return True
    return end is not None and bool(_NOT_AFTER.search(text[end : end + 40]))
