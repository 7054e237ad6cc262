"""What a message says without naming it: "no, I meant 14", "double it", "the other way round", "the other column".

All of it is read against what was said before: the setting that was changed last, the columns that the plan has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.chat.numbers import NUMBER
from assistant.chat.settings import NAMES, read_settings
from assistant.chat.turns import State
from assistant.chat.wording import value_at
from assistant.chat.words import negated, words_of
from recipes.plan import Plan

# ---------------------------------------------------------------- a setting that was named before

#: Settings that a bare number can correct, as one says them.
_SAID: dict[str, str] = {
    "training.epochs": "epochs",
    "training.learning_rate": "learning rate",
    "training.batch_size": "batch size",
    "training.max_length": "max length",
    "training.max_minutes": "minutes",
    "training.seed": "seed",
    "training.early_stopping": "patience",
    "method.rank": "rank",
    "method.layers": "layers",
    "evaluation.test_fraction": "test share",
}
_CORRECTS = re.compile(
    r"\b(?:meant?|sorry|oops|ups|typo|not|no|nope|rather|instead|actually|wait|make (?:it|that)|should be|i said|better"
    r"|set (?:it|that) to|change (?:it|that) to|let us (?:say|do|take)|or (?:maybe |rather )?|take|use|try|do|hmm"
    r"|wrong)\b"
    r"|^[~ ]*" + NUMBER + r" ?%?(?: please)?[.! ]*$"
)
_SOMETHING_ELSE = re.compile(
    r"\b(?:runs?|models?|files?|gpus?|columns?|rows?|examples?|option|version|layers?|seed|metric|split|label"
    r"|accuracy|correct|right)\b"
)
_MORE = re.compile(
    r"^(?:(?:no|ok|okay|hmm|and|please|but|even|a (?:bit|little)|much|way|still|make (?:it|that)|that is|it is|can you"
    r"|could you|go|just|lets?|us|maybe|slightly|one|set)[, ]+)*"
    r"(double|twice|half|halve|triple|quarter|more|less|fewer|higher|lower|longer|shorter|too (?:much|many|high|large"
    r"|big|long|low|few"
    r"|little|small|short))\b(?: (?:of )?(?:it|that|this|as (?:much|many|high|low|long|big|large|small)))?(?: please"
    r"| again| still)*[.! ]*$"
)


def read_again(text: str, state: State) -> dict[str, Any]:
    """What a short message says about the setting that was changed last, which it does not name.

    Args:
        text: tidy, in digits.
    """
    plan = state.plan
    if plan is None or len(text.split()) > 12 or re.search(rf"\b(?:{'|'.join(NAMES.values())})\b", text):
        return {}
    path = next((path for path in reversed(_said_last(state)) if path in _SAID), None)
    if path is None:
        return {}
    more = _MORE.match(text)
    if more and path in NAMES:
        word = more.group(1)
        order = f"{_SAID[path]} {word}" if word.startswith("too") else f"{word} {_SAID[path]}"
        return {key: value for key, value in read_settings(order, plan).items() if key == path}
    if not _CORRECTS.search(text) or _SOMETHING_ELSE.search(text):
        return {}
    now = value_at(plan, path)
    numbers = [_as(path, value) for value in re.findall(rf"(?<![\w.]){NUMBER}(?![\w.]\w)", text)]
    other = [number for number in numbers if number is not None and number != now]
    return {path: other[-1]} if len(other) == 1 else {}


#: "make it 8" after a question: the setting is the one that was asked about.
_MAKE_IT = re.compile(
    r"\b(?:make (?:it|that|them)|set (?:it|that) to|put (?:it|that) (?:at|to)|take|use|try|go (?:with|for)|i want|do)"
    rf" (?:just |only |about )?{NUMBER}(?=\s*(?:[,.;!]|$|instead\b|please\b|and\b|then\b|for\b))"
)


def read_after_question(text: str, plan: Plan | None) -> dict[str, Any]:
    """ "why only a few epochs? make it 8": a number that belongs to the one setting which the question names."""
    asked, mark, rest = text.partition("?")
    wanted = _MAKE_IT.search(rest) if mark and plan is not None else None
    named = [path for path, name in NAMES.items() if re.search(rf"\b(?:{name})\b", asked) and path in _SAID]
    value = _as(named[0], wanted.group(1)) if wanted and len(named) == 1 else None
    return {named[0]: value} if value is not None else {}


def _said_last(state: State) -> list[str]:
    """The paths that the last message with settings named, else all that were asked for."""
    before: Mapping[str, Any] = state.wishes[-1] if state.wishes else {}
    changed = [path for path, value in state.wish.items() if before.get(path) != value]
    return changed or list(state.wish)


def _as(path: str, spoken: str) -> float | int | None:
    value = float(spoken)
    if path == "evaluation.test_fraction":
        value = value / 100 if value >= 1 else value
        return value if 0 < value < 0.9 else None
    if path == "training.learning_rate":
        return value if 0 < value < 1 else None
    return int(value) if value.is_integer() else None


# ---------------------------------------------------------------- which column becomes which

#: Language -> how it is said, and how columns of it are called.
_LANGUAGES: dict[str, frozenset[str]] = {
    code: words_of(said)
    for code, said in {
        "en": "english eng en", "fr": "french francais français fra fre fr", "de": "german deutsch ger deu de",
        "es": "spanish espanol español castilian spa es", "it": "italian italiano ita it",
        "nl": "dutch nederlands nld nl",
        "pt": "portuguese brazilian por pt", "pl": "polish polski pol pl", "ru": "russian rus ru",
        "sv": "swedish swe sv", "da": "danish dan da", "no": "norwegian nor no nb", "fi": "finnish fin fi",
        "cs": "czech ces cze cs", "el": "greek ell el", "tr": "turkish tur tr", "ar": "arabic ara ar",
        "zh": "chinese mandarin zho zh cn", "ja": "japanese jpn ja jp", "ko": "korean kor ko", "hi": "hindi hin hi",
        "uk": "ukrainian ukr uk", "ro": "romanian ron rum ro", "hu": "hungarian hun hu", "ca": "catalan cat ca",
    }.items()
}  # fmt: skip
_REVERSED = re.compile(
    r"\b(?:the )?(?:other|opposite|reverse|wrong|inverse) (?:way|direction)\b|\bway (?:a)?round\b|\bvice versa\b"
    r"|\b(?:reverse|swap|switch|flip|exchange|invert|turn around|turn round)(?:d|ed|ped)? (?:the |both |those |these "
    r"|my )*"
    r"(?:columns?|direction|languages?|source|roles?|sides?|them|it|that|two|order)\b|\bbackwards?\b"
    r"|\bback[- ]translation\b"
)
_PAIRED = {"text2text-generation": ("source", "target"), "text-generation": ("prompt", "completion")}


def read_direction(
    text: str, columns: Sequence[Mapping[str, Any]], task: str | None, now: Mapping[str, Any]
) -> dict[str, Any]:
    """Which of two text columns goes in and which comes out, where the words say it ("French into English").

    Args:
        columns: the file's, as its profile has them.
        now: role -> column, as the plan or the file's first guess has them.
    """
    roles = _PAIRED.get(task or "")
    if roles is None:
        return {}
    texts = [str(column["name"]) for column in columns if column.get("kind") in ("text", "category")]
    spoken = {name: "|".join(sorted(map(re.escape, _called(name)), key=len, reverse=True)) for name in texts}
    pair = next(
        (
            (first, second)
            for first in texts
            for second in texts
            if first != second
            and _goes_to(text, spoken[first], spoken[second], languages=_is_language(first) and _is_language(second))
        ),
        None,
    )
    if pair is None and _REVERSED.search(text):
        source, target = now.get(roles[0]), now.get(roles[1])
        pair = (str(target), str(source)) if isinstance(source, str) and isinstance(target, str) else None
    return {f"data.columns.{role}": name for role, name in zip(roles, pair, strict=True)} if pair else {}


def _called(name: str) -> set[str]:
    """How a column may be said: its name, or the language that its name stands for."""
    lowered = name.casefold()
    parts = set(re.findall(r"[a-z]+", lowered))
    said = {" ".join(re.findall(r"[^\W_]+", lowered))} - {""}
    for words in _LANGUAGES.values():
        if parts & words:
            said |= words
    return said


def _is_language(name: str) -> bool:
    parts = set(re.findall(r"[a-z]+", name.casefold()))
    return any(parts & words for words in _LANGUAGES.values())


_ARROW = r" ?(?:-+>|=+>|→|>)+ ?"
_INTO = r" (?:in)?to (?:the |its |an? )?"


def _goes_to(text: str, first: str, second: str, *, languages: bool) -> bool:
    """ "from A to B", "A -> B", "A goes in, B comes out"; between languages also "A to B", "A in B", "A/B".

    "The answer to a question" turns nothing into a question, so plain words link languages only.
    """
    one, other = rf"\b(?:{first})s?(?: \w+)?", rf"(?:{second})s?\b"
    orders = [
        rf"{one}{_ARROW}{other}",
        rf"\b(?:from|turn|convert|make|rewrite) (?:the |an? |each |every |my )?{one}{_INTO}{other}",
        rf"{one} in,? (?:and )?(?:the |an? )?{other}(?: comes| goes| is)? out\b",
        rf"{one} (?:goes |comes |is put )in,? (?:and )?(?:the |an? )?{other}",
        rf"\b(?:{second})s? (?:from|out of|given) (?:the |its |an? )?(?:{first})s?\b",
    ]
    if languages:
        orders.append(rf"{one}(?:{_INTO}|[-/]| in | ){other}")
        orders.append(rf"\b(?:{first})\b(?:(?! not )[^.;]){{0,50}} (?:in|into|to) (?:the |plain |good )?{other}")
    hits = [match for order in orders for match in re.finditer(order, text)]
    return any(not negated(text, match.start()) for match in hits)


def other_column(text: str, columns: Sequence[Mapping[str, Any]], now: str | None) -> str | None:
    """ "no, I meant the other column": the only other one that could be the label."""
    if not re.search(
        r"\b(?:the )?other (?:column|label|field|one)\b|\bnot (?:this|that) (?:column|label|field)\b", text
    ):
        return None
    labels = [str(column["name"]) for column in columns if column.get("kind") in ("category", "boolean", "list")]
    rest = [name for name in labels if name != now]
    return rest[0] if now in labels and len(rest) == 1 else None


def columns_at_hand(plan: Plan | None, guess: Mapping[str, Any] | None) -> dict[str, Any]:
    """Role -> column, of the plan, else of the file's first guess."""
    if plan is not None and plan.data.columns:
        return dict(plan.data.columns)
    return dict((guess or {}).get("columns") or {})
