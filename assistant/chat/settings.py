"""Settings of the plan in a message: epochs, learning rate, time, test rows and the like, as numbers or as changes.

Every reader takes the text after `words.tidy`, `words.repair` and `numbers.digits`, and returns dotted plan paths.
What is
negated ("don't change the epochs") is left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from assistant.chat.clauses import CORRECTION, told
from assistant.chat.numbers import NUMBER
from assistant.chat.words import negated
from recipes.plan import Plan

_LINK = (
    r"(?:\s*(?:,\s*(?:that|which|it|this)(?: one)?|that|which|=|:|->|to|of|at|is|be|as|should be|set|about|around"
    r"|roughly"
    r"|exactly|only|just|a|the|than|size"
    r"|value|count|number|up|down|maybe|rather|please"
    r"|should|shall|must|will|may|can|becomes?|becoming|goes|go|bigger|larger|smaller|lower"
    r"|higher)){0,4}\s*"
)
_AMOUNT = r"(?:at most|no more than|not more than|max(?:imum)?|up to|about|around|exactly|only|just|for)?\s*"

_EPOCH = r"(?:epochs?|epoches|eps?\b|passes|rounds|iterations over|sweeps|cycles|times (?:over|through)|runs through)"
_RATE = r"(?:learning[- ]?rate|learn(?:ing)? rates|lr|step[- ]size)"
_BATCH = (
    r"(?:(?:rows|examples|samples) per (?:step|update|batch)|batch(?:es)?(?:[- ]?size)?(?: of| sizes)?|bs"
    r"|mini-?batch(?:es)?)"
)
_LENGTH = (
    r"(?:max(?:imum|imal)?[_ -]?(?:sequence |token |input |text |context )?(?:length|tokens|len)|sequence[_ -]length"
    r"|seq[_ -]?len(?:gth)?|context (?:length|window|size)|max[_ -]?seq[_ -]?len(?:gth)?|token limit|tokens|(?:text"
    r"|input) length)"
)
_ROWS_OF = (
    r"(?:rows?|examples?|samples?|images?|pictures?|photos?|clips?|sentences?|texts?|tickets?|reviews?|messages?"
    r"|items?|records?)"
)

#: What a setting is called, for relative changes and for what is not to change.
NAMES: dict[str, str] = {
    "training.epochs": rf"{_EPOCH}|epoch count|number of epochs|training time in epochs",
    "training.learning_rate": _RATE,
    "training.batch_size": _BATCH,
    "training.max_length": rf"{_LENGTH}|max length|length limit",
    "method.rank": r"(?:lora )?rank|r\b(?= ?=)",
    "method.layers": r"(?:(?:unfrozen|trained|trainable|last) )?layers|blocks",
    "evaluation.test_fraction": r"test (?:set|share|split|fraction|part|rows|data|portion)|held[- ]out (?:part|rows"
    r"|share)|hold-?out",
    "training.max_minutes": r"time limit|minutes|time budget",
    "training.early_stopping": r"patience",
}

_COUNTED: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (path, re.compile(pattern))
    for path, pattern in (
        ("training.epochs", rf"{NUMBER} (?:more |full |whole |complete |training |entire )*{_EPOCH}"),
        ("training.epochs", rf"\b(?:epochs|epoch(?! ?\d)|num train epochs|number of epochs)\b{_LINK}{NUMBER}"),
        ("training.epochs", rf"(?:go|run|loop|pass|train|iterate|see|read|show|look|use)\w* [\w ]{{0,30}}?(?:data"
                            rf"|{_ROWS_OF}|file|set|all|everything|over (?:it|them)|through (?:it|them)|every \w+"
                            rf"|each \w+|(?:over|through) (?:the|my|our|these) \w+) {NUMBER} times"),
        ("training.epochs", rf"train(?:ed|ing)? (?:it )?(?:for )?{NUMBER} times"),
        ("training.epochs", rf"{NUMBER} ?(?:x|times) (?:over|through) (?:the |my |all )*(?:data|rows|file|set|texts)"),
        ("training.learning_rate", rf"\b{_RATE}\b{_LINK}{NUMBER}"),
        ("training.learning_rate", rf"{NUMBER} (?:as|for|is) (?:the |a |my )?{_RATE}"),
        ("training.learning_rate", rf"{NUMBER} {_RATE}"),
        ("training.batch_size", rf"\b{_BATCH}{_LINK}{NUMBER}"),
        ("training.batch_size", rf"{NUMBER} (?:as|for) (?:the |a )?batch"),
        ("training.batch_size", rf"{NUMBER} (?:\w+ )?(?:per|in (?:a|each|one|every)) batch"),
        ("training.batch_size", rf"{NUMBER} {_ROWS_OF} (?:per step|at a time|at once|a step|each step|together)"),
        ("training.batch_size", rf"{NUMBER} at a time"),
        ("training.batch_size", rf"{NUMBER} (?:mini-?)?batch(?:[- ]?size)?\b(?! of)"),
        ("training.max_length", rf"{NUMBER}[ -]?tokens?\b"),
        ("training.max_length", rf"\b{_LENGTH}\b{_LINK}{NUMBER}"),
        ("training.max_length", rf"(?:cut|truncate|shorten|limit|crop)\w* [\w ]{{0,40}}?(?:after|at"
                                rf"|to) {NUMBER}(?! ?(?:%|epoch|min))"),
        ("training.seed", rf"\b(?:seed|random state)\b(?: number)?{_LINK}(\d+)"),
        ("training.seed", r"(\d+) (?:as|for) (?:the |a |my )?(?:random )?(?:seed|random state)"),
        ("method.rank", rf"\brank\b{_LINK}(\d+)"),
        ("method.rank", r"\br ?[=:] ?(\d+)"),
        ("method.rank", r"\blora\b[\w ,:(]{0,12}?\br ?(\d+)"),
        ("method.rank", r"\brank-(\d+)"),
        ("method.rank", r"(\d+) (?:as|for) (?:the )?rank"),
        ("method.alpha", rf"\balpha\b{_LINK}(\d+)"),
        ("training.early_stopping", rf"\bpatience\b{_LINK}(\d+)"),
        ("training.early_stopping", r"(?:after|for) (\d+) (?:evaluations?|checks?|rounds?|epochs?|times?) (?:without"
                                    r"|with no|of no)"),
        ("training.early_stopping", r"(?:stop|end|quit|abort|finish)\w*\b[^.;]{0,60}\b(?:nothing|no|not|any ?more|worse"
                                    r"|flat|stuck|stall\w*|plateau\w*|same)\b[^.;]{0,40}\b(\d+) (?:evaluations?"
                                    r"|checks?|validations?|tests|times? (?:in a row|running))"),
        ("training.early_stopping", r"(?:stop|end|quit|abort|finish|give up"
        r"|halt)\w*\b[^.;]{0,40}\b(\d+) (?:evaluations?"
                                    r"|checks?|validations?|epochs|rounds|times)\b[^.;]{0,30}\b(?:no|not|nothing"
                                    r"|without|worse|flat|the same)\b"),
        ("training.early_stopping", r"(?:not|no|stops?|nothing) (?:improv|gain|better|progress)\w* (?:for|in"
                                    r"|after) (\d+)"),
        ("training.weight_decay", rf"weight decay{_LINK}{NUMBER}"),
        ("training.warmup", rf"warm-?up{_LINK}{NUMBER}(?! ?step)"),
        ("compute.devices", r"(\d+) (?:\w+ )?(?:gpus?|graphics cards?|video cards?|cards)\b"),
        ("compute.devices", r"(\d+) ?x? ?(?:nvidia |geforce |rtx |gtx )*(?:gpus?|a100s?|h[12]00s?|t4s?|l4s?|l40s?"
        "|a10gs?"
                            r"|[2345]0[5-9]0s?(?: ?ti)?|v100s?|titans?|p100s?|a[456]000s?)\b"),
    )
)  # fmt: skip
_WHOLE = {
    "training.batch_size", "training.max_length", "training.seed", "method.rank", "method.alpha", "compute.devices",
    "training.early_stopping", "method.layers",
}  # fmt: skip

_RANGE = re.compile(
    rf"(?:(?:between )?\b(\d+(?:\.\d+)?) ?(?:-|to|or) ?(\d+(?:\.\d+)?)"
    rf"|between (\d+(?:\.\d+)?) and (\d+(?:\.\d+)?))(?= (?:more |full |training )?(?:{_EPOCH}|tokens|minutes|%))"
)
_FROM_TO = re.compile(rf"\bfrom {NUMBER} (?:\w+ )?to (?={NUMBER})")


@dataclass(frozen=True)
class Reading:
    """One setting that was read, and where."""

    path: str
    value: Any
    start: int


def read_settings(text: str, plan: Plan | None, rows: int | None = None) -> dict[str, Any]:
    """All settings that a message names: absolute numbers first, then changes relative to the plan at hand.

    Args:
        text: tidy, in digits.
        plan: what "twice as many" refers to.
        rows: the rows of the file at hand, for "hold out 100 rows".
    """
    text = _one_number(_NAME_IN_CODE.sub(" ", text))
    found = _counted(text)
    correction = CORRECTION.search(text)
    if correction:
        found |= _counted(text[correction.end() :])
    found |= {path: value for path, value in _test_share(text, rows).items() if path not in found}
    if plan is not None:
        changed = _relative(text, plan)
        found |= {path: value for path, value in changed.items() if path not in found or _AMOUNTS.search(text)}
    for reader in (_early_stopping, _time, _metric, _class_weights):
        for path, value in reader(text).items():
            found.setdefault(path, value)
    if "training.learning_rate" not in found:
        bare = _BARE_RATE.search(text)
        if bare and not negated(text, bare.start()):
            found["training.learning_rate"] = float(bare.group(1))
    told_of = [told(text, rate.start()) for rate in _BARE_RATE.finditer(text)]
    if any(told_of) and told_of[-1:] == [False]:  # "a paper used 1e-3, but I'd like 1e-4"
        found["training.learning_rate"] = float(_BARE_RATE.findall(text)[-1])
    return found


_BARE_RATE = re.compile(r"(?<![\w.-])(\d(?:\.\d+)?e-\d+)\b")
#: "batch_size=16" is said like "batch size 16".
_NAME_IN_CODE = re.compile(r"(?<=[a-z])_(?=[a-z])")
#: Words that make a number an amount of change: "2 more epochs" sets no 2 epochs.
_AMOUNTS = re.compile(
    rf"{NUMBER} (?:\w+ )?(?:more|extra|additional|further|fewer|less|times|x|fold)\b"
    r"|\b(?:add|remove|drop|take away|by|twice|double|triple|halve|half|quarter|another|plus|minus|divide|multiply)\b"
)


#: "3 epochs, no, better 10": the second number takes the place of the first.
_BETTER = re.compile(
    rf"(?<![\w.]){NUMBER}(?P<unit>(?: [a-z]+)?)\s*[-,;:.!(]*\s*"
    r"(?:(?:no|nope|sorry|wait|actually|oops|better|rather|hm+|er|i mean|or|make (?:that|it)|scratch that|correction"
    r"|let us say|say)\b[\s,:;.!-]*){1,4}"
    rf"(?P<second>{NUMBER})(?=(?P=unit)\b|\s*(?:[,.;!?)]|$|and\b|please\b|instead\b|but\b|with\b))"
)
#: "I did 10 epochs last time, so only 4 this time", "8 GPUs, but only 2 of them are mine".
_THIS_TIME = re.compile(
    rf"(?<![\w.]){NUMBER}(?P<unit> [a-z]+)\b(?=[^;]{{0,60}}?\b(?:so|but|now)\b,? (?:i |we )?(?:want |take |use |do "
    rf"|try "
    rf"|need )?(?:only |just )?(?P<second>{NUMBER})(?: (?:this time|now|instead|of (?:them|those|these))\b|[,.;!]|$))"
)


def _one_number(text: str) -> str:
    """A range becomes its middle ("3 to 5 epochs"), a correction its target ("from 3 to 5 epochs", "3, no, 5")."""
    text = _FROM_TO.sub("to ", text)
    for corrected in (_BETTER, _THIS_TIME):
        text = corrected.sub(lambda match: match["second"] + match["unit"], text)

    def middle(match: re.Match[str]) -> str:
        low, high = (float(group) for group in match.groups() if group)
        value = (low + high) / 2
        return f"{int(value) if value.is_integer() else value}"

    return _RANGE.sub(middle, text)


def _counted(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, pattern in _COUNTED:
        matches = list(pattern.finditer(text))
        wished = [match for match in matches if not told(text, match.start(1))]
        for match in wished or matches:
            if path in found:
                continue
            value = float(match.group(1))
            if re.match(r" ?(?:(?:times|x|fold)\b|%)", text[match.end() :]):
                continue  # "batch size 4 times as big" sets no 4
            if negated(text, match.start(), match.end()) and not _limit(text, match.start()):
                other = re.match(
                    rf"[^.;]{{0,12}}\b(?:use|take|make it|but|rather|do|only|just) {NUMBER}(?! ?%)", text[match.end() :]
                )
                if other is None:  # "not 3 epochs, 4"
                    other = re.match(rf"\s*,\s*(?:but |rather |make it )?{NUMBER}\b{_UNIT}", text[match.end() :])
                if other is None:
                    continue
                value = float(other.group(1))  # "not 4 epochs, use 2"
            if path in _WHOLE:
                if not value.is_integer():
                    continue
                found[path] = int(value)
            else:
                found[path] = int(value) if value.is_integer() else value
    rate = found.get("training.learning_rate")
    if rate is not None and rate >= 1:
        del found["training.learning_rate"]
    return found


def _limit(text: str, start: int) -> bool:
    """ "no more than 5 epochs" and "not over 256 tokens" name a number; they refuse nothing."""
    before = text[max(0, start - 30) : start]
    return bool(
        re.search(
            r"\b(?:no|not|never)(?: \w+){0,2} (?:more|longer|higher|larger|bigger|over|above"
            r"|beyond)(?: than)?\s*$",
            before,
        )
    )


# ---------------------------------------------------------------- relative changes

_TWICE = r"(?:double|twice|2 ?times|two times|2x|x2)"
_UP = r"(?:more|higher|larger|bigger|longer|increase|raise|up|bump(?: up)?|grow|extend|greater|boost|crank up|turn up)"
_DOWN = (
    r"(?:fewer|less|lower|smaller|shorter|decrease|reduce|cut|shrink|drop|down|shorten|lessen|turn down"
    r"|bring down|tiny bit less)"
)
_FILLER = (
    r"(?:\s(?:the|a|an|my|it|its|as|many|much|of|that|with|number|use|bit|little|in|training|by|for|to|slightly"
    r"|lot)){0,5}\s"
)
_STEP = {
    "training.epochs": 1.5,
    "training.learning_rate": 2.0,
    "training.batch_size": 2.0,
    "training.max_length": 2.0,
    "method.rank": 2.0,
    "method.layers": 2.0,
    "evaluation.test_fraction": 1.5,
    "training.max_minutes": 2.0,
    "training.early_stopping": 2.0,
}


def _relative(text: str, plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, name in NAMES.items():
        now = _value(plan, path)
        told = re.search(
            rf"\b(?:{_UP}|{_DOWN}) (?:{name})[,:]? (?:like |say |maybe |about "
            rf"|to )*{NUMBER}\b{_UNIT}",
            text,
        )
        if told and not negated(text, told.start()):  # "a higher rank, 64"
            value = float(told.group(1))
            found[path] = int(value) if value.is_integer() else value
            continue
        factor = _factor(text, name, path)
        if now is None or factor is None:
            continue
        found[path] = _scaled(path, float(now), factor)
    if "training.epochs" not in found and plan.training.epochs:
        found |= _train_longer(text, plan.training.epochs)
    return found


#: What follows a number that belongs to something else: "lower learning rate, 3 epochs".
_UNIT = rf"(?! ?(?:{_EPOCH}|%|min|tokens?|times|x\b|gpus?|layers?|rows|more|less))"
_Factor = float | tuple[str, float]
_MUCH = r"(high|large|big|long|many|much|low|small|short|few|little)"


def _factor(text: str, name: str, path: str) -> _Factor | None:
    """A factor, or ("add", count); None when the text does not change this setting relatively."""
    for reader in (_added, _times, _of_that, _too_much, _at_the_end):
        found = reader(text, name, path)
        if found is not None:
            return found
    again = rf"(?:{name})\b"
    patterns: list[tuple[str, float]] = [
        (rf"\b{_TWICE}{_FILLER}{again}|\b{again}[\w ]{{0,20}}?\b{_TWICE}\b|{_TWICE} (?=(?:{name}))", 2.0),
        (rf"\b(?:triple|3 times|3x|thrice|three ?fold){_FILLER}{again}", 3.0),
        (rf"\b(?:quadruple|4 times|4x|four ?fold){_FILLER}{again}", 4.0),
        (rf"\b(?:quintuple|5 times|5x|five ?fold){_FILLER}{again}", 5.0),
        (rf"\b(?:halve|half)(?: as (?:many|much|high|big|long|large))?{_FILLER}{again}"
         rf"|\b{again}[\w ]{{0,20}}?\bhal(?:f|ved?)\b", 0.5),
        (rf"\bquarter{_FILLER}{again}", 0.25),
        (rf"\b{_DOWN}{_FILLER}{again}|\b{again}[\w ]{{0,25}}?\b{_DOWN}\b", -1.0),
        (rf"\b{_UP}{_FILLER}{again}|\b{again}[\w ]{{0,25}}?\b{_UP}\b", 1.0),
    ]  # fmt: skip
    for pattern, value in patterns:
        match = re.search(pattern, text)
        if match and not negated(text, match.start()):
            return _by_how_much(text, match, value, path)
    return None


def _added(text: str, name: str, path: str) -> _Factor | None:
    """ "add 2 epochs", "2 more epochs", "one epoch less", "another epoch"."""
    del path
    again = rf"(?:{name})\b"
    added = re.search(rf"\b(add|remove|take away|drop) {NUMBER} (?:more |extra )?{again}", text)
    if added and not negated(text, added.start()):
        return "add", float(added.group(2)) * (1.0 if added.group(1) == "add" else -1.0)
    plus = re.search(rf"\b(another|plus|minus) {NUMBER} (?:more |extra )?{again}", text)
    if plus and not negated(text, plus.start()):
        return "add", float(plus.group(2)) * (-1.0 if plus.group(1) == "minus" else 1.0)
    number = re.search(rf"{NUMBER} (more|extra|additional|further|fewer|less) {again}", text)
    number = number or re.search(rf"{NUMBER} {again} (more|less|fewer)\b", text)
    if number and not negated(text, number.start()):
        return "add", float(number.group(1)) * (-1.0 if number.group(2) in ("fewer", "less") else 1.0)
    another = re.search(rf"\b(?:another|one more|an extra|an additional) {again}|\b(?:an?|one) (?:{name}) more\b", text)
    return ("add", 1.0) if another and not negated(text, another.start()) else None


def _times(text: str, name: str, path: str) -> _Factor | None:
    """ "3 times as many epochs", "learning rate times 10", "divide it by 2", "ten times smaller"."""
    del path
    again = rf"(?:{name})\b"
    up = re.search(
        rf"{NUMBER} ?(?:times|x|fold) (?:as many|as much|the|more|higher|larger){_FILLER}?(?:{name})", text
    ) or re.search(rf"\b(?:{name}) (?:times|x|\*) ?{NUMBER}|\bmultiply (?:the )?(?:{name}) (?:by|with) {NUMBER}", text)
    down = re.search(rf"\bdivide (?:the )?(?:{name}) by {NUMBER}|\b(?:{name}) ?(?:divided by|over|/) ?{NUMBER}", text)
    fold = re.search(rf"\b{again}[\w ]{{0,20}}? {NUMBER} ?(?:times|x|fold)(?: as)? ({_UP}|{_DOWN}|{_MUCH})", text)
    match = up or down or fold
    down_to = re.search(rf"\b(?:{name}) (?:down |back )?to {NUMBER} %", text)
    if down_to and "test" not in text and not negated(text, down_to.start()):  # "cut the epochs to a third"
        return float(down_to.group(1)) / 100 or None
    part = re.search(
        rf"{NUMBER} % (?:of|as (?:many|much|high|large|big|long)) (?:the |its |my |as )?(?:current "
        rf"|present |old )?{again}",
        text,
    )
    if part and "test" not in text:  # "a tenth of the learning rate"
        return float(part.group(1)) / 100 or None
    before = re.search(rf"{NUMBER} ?(?:times|x|fold) ({_UP}|{_DOWN}) (?:a |the )?{again}", text)
    if before:
        amount = float(before.group(1)) or 1.0
        return amount if re.fullmatch(_UP, before.group(2)) else 1 / amount
    if not match:
        return None
    amount = float(next(group for group in match.groups() if group))
    smaller = match is down or (match is fold and re.fullmatch(_DOWN, fold.group(2)) is not None)
    if amount <= 0:
        return None
    return 1 / amount if smaller else amount


_OF_THAT: tuple[tuple[str, float], ...] = (
    (rf"{_TWICE} (?:of )?(?:that|it|as (?:many|much|high|large|big|long)|this)|\bdouble (?:that|it)", 2.0),
    (r"(?:triple|thrice|3 times) (?:of )?(?:that|it|as (?:many|much|high|large|big|long))", 3.0),
    (r"(?:half|halve) (?:of )?(?:that|it|this|as (?:many|much|high|large|big|long)|would|is|should|will)"
     r"|\bcut (?:that|it) in half|\bby half", 0.5),
    (r"quarter (?:of )?(?:that|it)", 0.25),
)  # fmt: skip


def _of_that(text: str, name: str, path: str) -> _Factor | None:
    """ "too many epochs, half of that is ok": the share of what was just named."""
    del path
    named = re.search(rf"\b(?:{name})\b", text)
    if not named:
        return None
    for pattern, value in _OF_THAT:
        match = re.search(rf"\b(?:{pattern})", text[named.end() :])
        if match and not negated(text, named.end() + match.start()):
            return value
    return None


def _at_the_end(text: str, name: str, path: str) -> _Factor | None:
    """ "that learning rate scares me, go lower": a direction after the setting, and nothing behind it."""
    match = re.search(
        rf"\b(?:{name})\b[^;]{{0,40}}[,.] (?:please |so |rather |better )*(?:go|make it|turn it|put it|set it|try"
        rf"|prefer"
        rf"|rather|be|use|take|use a|take a|a bit|much|something)(?: a bit| much| a little)? ({_UP}|{_DOWN})[.! ]*"
        r"(?:please)?[.! ]*$",
        text,
    )
    if match is None or negated(text, match.start(1)):
        return None
    return _STEP[path] if re.fullmatch(_UP, match.group(1)) else 1 / _STEP[path]


def _too_much(text: str, name: str, path: str) -> _Factor | None:
    """ "the learning rate is too high", "twice too many epochs"."""
    fold = re.search(rf"\b(twice|{NUMBER} times) too {_MUCH}(?: an?)? (?:{name})\b", text)
    if fold and not negated(text, fold.start()):
        amount = float(fold.group(2) or 2) or 1.0
        return 1 / amount if fold.group(3) in ("high", "large", "big", "long", "many", "much") else amount
    too = re.search(
        rf"\b(?:{name}) (?:is |are |seems? |looks? )?(?:much |far |way )?too {_MUCH}\b"
        rf"|\btoo {_MUCH}(?: a| an)? (?:{name})\b",
        text,
    )
    if not too:
        return None
    down = next(group for group in too.groups() if group) in ("high", "large", "big", "long", "many", "much")
    return 1 / _STEP[path] if down else _STEP[path]


def _by_how_much(text: str, match: re.Match[str], value: float, path: str) -> _Factor | None:
    if value not in (1.0, -1.0):
        return value
    rest = text[match.start() : match.end() + 40]
    if re.search(rf"\b(?:to|=|at|of) {NUMBER}", rest) and not re.search(r"\bby\b", rest):
        return None  # "lower the learning rate to 1e-5" names its number
    step = _STEP[path]
    percent = re.search(rf"by {NUMBER} ?%", rest)
    factor = re.search(rf"by (?:(?:a )?factor (?:of )?)?{NUMBER}(?: ?(?:x|times|fold))?", rest)
    tenfold = re.search(r"\b(?:an order of magnitude|tenfold)\b", rest)
    if percent:
        return max(0.05, 1 + value * float(percent.group(1)) / 100)
    if re.search(r"by (?:a )?half|in half", rest):
        return 0.5 if value < 0 else 1.5
    if tenfold:
        step = 10.0
    elif (factor and re.search(r"factor|times|x\b|fold", factor.group())) or (
        factor and path == "training.learning_rate"
    ):
        step = float(factor.group(1)) or step
    elif factor:
        return "add", value * float(factor.group(1))
    return step if value > 0 else 1 / step


def _train_longer(text: str, epochs: float) -> dict[str, Any]:
    longer = re.search(
        r"\b(?:train|run|learn)\w*(?: it)?(?: a (?:bit|little|lot))? (longer|shorter|twice as long|half as long)\b",
        text,
    )
    if not longer or negated(text, longer.start()):
        return {}
    factor = {"longer": 1.5, "shorter": 1 / 1.5, "twice as long": 2.0, "half as long": 0.5}[longer.group(1)]
    return {"training.epochs": _scaled("training.epochs", epochs, factor)}


def _scaled(path: str, now: float, factor: _Factor) -> Any:
    new = now + factor[1] if isinstance(factor, tuple) else now * factor
    if path == "training.epochs":
        up = new > now
        whole = max(1, round(new))
        if not isinstance(factor, tuple) and factor in (2.0, 3.0):
            whole_exact = new
            return int(whole_exact) if float(whole_exact).is_integer() else whole_exact
        if whole == now:
            whole = int(now + 1) if up else max(1, int(now - 1))
        return whole
    if path in _WHOLE:
        whole = max(1, round(new))
        if whole == now:
            whole = int(now + 1) if new > now else max(1, int(now - 1))
        return max(8, whole) if path == "training.max_length" else whole
    if path == "evaluation.test_fraction":
        return round(min(new, 0.5), 4)
    return float(f"{new:.6g}")


def _value(plan: Plan, path: str) -> Any:
    node: Any = plan
    for name in path.split("."):
        node = getattr(node, name, None)
    return node


# ---------------------------------------------------------------- other settings


def _early_stopping(text: str) -> dict[str, Any]:
    off = (
        r"(?:no|without|disable|turn off|switch off|skip|not) (?:the |any |use |want |do )*(?:early[- ]?stop(?:ping)?"
        r"|stop(?:ping)? early)"
        r"|early[- ]?stopping (?:off|disabled|away|out)|never stop(?:s|ping)? early|(?:do|must|should"
        r"|may) not stop early"
        r"|run all (?:the |of the )?epochs|do not stop (?:it )?before the (?:last|end)"
    )
    on = (
        r"early[- ]?stop(?:ping)?|(?:stop|quit|end|abort|finish|halt|give up|break off)(?:s|ping)?(?: it| the training"
        r"| training)? "
        r"(?:early|earlier|sooner|ahead of time)|(?:stop|quit|end|abort|finish|halt|give up"
        r"|break off)\w*\b[\w ]{0,25}\b(?:when"
        r"|once"
        r"|if|as soon as|in case)\b[\w ]{0,40}\b(?:flat|constant|unchanged|the same|stagnat\w*|levels? off|nothing"
        r"|stop(?:s|ped)? (?:improv|gain|learn|get)\w*|no longer|(?:not|no|any) (?:more )?(?:improv|progress|gain"
        r"|better"
        r"|learn)\w*)\b"
        r"|stop(?:s|ping)?(?: it"
        r"| training"
        r"| the training)? (?:when|once|if|as soon as) "
        r"(?:it|the|nothing|there|validation|results?)[\w ]{0,30}?(?:better|improv|gain|plateau|worse|rising|flat"
        r"|stall|learn|progress)"
        r"|until it (?:stops|no longer)[\w ]{0,20}(?:better|improv)|as long as it (?:gets better|improves)"
    )
    if re.search(off, text):
        return {"training.early_stopping": None}
    match = re.search(on, text)
    return {"training.early_stopping": 3} if match and not negated(text, match.start()) else {}


_NOT_A_LIMIT = (
    r"(?: of \w+ \w+ing\b| of (?:\w+ )?(?:people|elders|patients|customers|callers|speakers|students|interviews|calls"
    r"|children|speech|audio|recording|recordings|sound|video|music|talk|voice|data|material|footage)"
    r"| (?:long )?(?:clips?|audio|recordings?"
    r"|songs?|segments?|sounds?|samples?|snippets?|files?|speech|videos?)| ago| old| each day| a day| per day| daily"
    r"| later| late| every|-long)"
)


def _time(text: str) -> dict[str, Any]:
    if re.search(
        r"\bno time limit|without (?:a |any )?time limit|as long as it (?:takes|needs)|take all the time", text
    ):
        return {"training.max_minutes": None}
    total: float | None = None
    for match in re.finditer(rf"{NUMBER} minutes", text):
        if re.match(_NOT_A_LIMIT, text[match.end() :]) or re.search(
            r"every $|(?:last|past|each) $", text[: match.start()]
        ):
            continue
        if re.search(r"\b(?:more|at least|over) (?:than )?$", text[: match.start()]) and not _limit(
            text, match.start()
        ):
            continue
        total = float(match.group(1))
    if total is None:
        for phrase, minutes in _BREAKS:
            match_phrase = re.search(phrase, text)
            if match_phrase and not negated(text, match_phrase.start()):
                total = minutes
                break
    if not total:
        return {}
    return {"training.max_minutes": int(total) if float(total).is_integer() else round(total, 2)}


_BREAKS: tuple[tuple[str, float], ...] = (
    (r"\bovernight\b|\bwhile i sleep\b|\bover night\b|\bby tomorrow(?: morning)?\b|\buntil tomorrow morning\b", 480),
    (r"\bcoffee break\b", 15),
    (r"\b(?:over|during|in) (?:my |the )?lunch(?: ?break)?\b", 60),
)

_METRICS: tuple[tuple[str, str], ...] = (
    ("f1_micro", r"micro[- ]?(?:averaged )?f1|f1[- _]micro"),
    ("f1", r"(?:macro[- ]?(?:averaged )?|weighted )?f[- ]?1(?:[- ]?(?:score|measure))?|f[- ]score"),
    ("balanced_accuracy", r"balanced accuracy"),
    ("accuracy", r"accuracy|share (?:that is )?right|percent correct"),
    ("precision", r"precision"),
    ("recall", r"recall|sensitivity"),
    ("roc_auc", r"(?:roc[- ]?)?auc\b"),
    ("wer", r"wer\b|word error rate"),
    ("cer", r"cer\b|character error rate"),
    ("rouge", r"rouge(?:-?[12l]\b)?"),
    ("bleu", r"(?:sacre)?bleu"),
    ("chrf", r"chrf"),
    ("exact_match", r"exact[- ]match"),
    ("rmse", r"rmse\b|root mean squared? error"),
    ("mae", r"mae\b|mean absolute error|average error"),
    ("r2", r"r2\b|r squared|r\^2"),
    ("spearman", r"spearman"),
    ("pearson", r"pearson"),
    ("map", r"\bmap\b|mean average precision"),
    ("iou", r"\bm?iou\b|intersection over union"),
    ("perplexity", r"perplexity"),
)
#: The metrics that a plan may name.
METRIC_NAMES = tuple(name for name, _ in _METRICS)
_JUDGED = (
    r"(?:judged?|measured?|metric|scored?|evaluated?|rated?|graded?|optimi[sz]ed?|compared?|report|selected?|decides?"
    r"|decided|looked at"
    r"|look at|care about|go by|going by|count|counts|matters?|want|use|using|take|based on|in terms of|according to"
    r"|maximi[sz]e|by|with|on)"
)


def _metric(text: str) -> dict[str, Any]:
    for name, pattern in _METRICS:
        before = re.search(rf"\b{_JUDGED}\b[^.;!?]{{0,40}}?\b(?:{pattern})", text)
        after = re.search(
            rf"\b(?:{pattern})[^.;!?]{{0,25}}?\b(?:metric|matters?|counts?|decides?|decide|instead|is what"
            rf"|as (?:the )?(?:score|figure|measure))",
            text,
        )
        alone = re.search(
            rf"(?:^|[,;/|] ?| - |\. )(?:the )?(?:{pattern})(?: score)?(?= ?(?:$|[,;/|]| - |\. "
            rf"|\.$| please| not | instead| rather))",
            text,
        )
        match = before or after or alone
        if match and not negated(text, match.end() - 1) and not re.search(rf"not (?:the |by )?(?:{pattern})", text):
            return {"evaluation.metric": name}
    return {}


def _class_weights(text: str) -> dict[str, Any]:
    match = re.search(
        r"class weights|balance the classes|balanced classes|weight the (?:rare|small)[\w ]* (?:more|higher)"
        r"|rare classes (?:should )?count more",
        text,
    )
    if not match:
        return {}
    return {"training.class_weights": None if negated(text, match.start()) else "balanced"}


_HOLD = r"(?:keep|set|hold|put|reserve|leave|use|save|take|spare|withhold)"
_FOR_TEST = (
    r"(?:for|as|to|in|into)(?: the| a| my| its| final)* ?(?:test\w*|evaluat\w*|hold-?out|held[- ]out|exam"
    r"|check\w*|verdict|scor\w*)"
)


def _test_share(text: str, rows: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    validation = re.search(
        rf"{NUMBER} % (?:\w+ ){{0,4}}(?:for|as) (?:the )?validation|validation (?:set|share|split)(?: of| ="
        rf"| to)? {NUMBER} ?%",
        text,
    )
    if validation:
        value = next(group for group in validation.groups() if group)
        found["evaluation.validation_fraction"] = round(float(value) / 100, 4)
    share = _test_percent(text)
    if share is None:
        share = _split_ratio(text)
    if share is None and rows:
        count = re.search(
            rf"{_HOLD} (?:\w+ ){{0,3}}?{NUMBER} (?:of the |of my )?(?:{_ROWS_OF}|lines)(?: \w+){{0,4}}? {_FOR_TEST}"
            rf"|(?:hold out|set aside) {NUMBER} (?:{_ROWS_OF}|lines)",
            text,
        )
        if count:
            share = float(next(group for group in count.groups() if group)) / rows
    if share is not None and 0 < share < 0.9:
        found["evaluation.test_fraction"] = round(share, 4)
    return found


def _test_percent(text: str) -> float | None:
    learn = re.search(
        rf"(?:train|learn)\w*(?: it)? (?:on|with|from) {NUMBER} %|{NUMBER} % (?:\w+ ){{0,4}}?(?:for|to|as|of) (?:the )?"
        rf"(?:train|learn)|{NUMBER} % (?:train|learn)",
        text,
    )
    if learn and not negated(text, learn.start()):
        return 1 - float(next(group for group in learn.groups() if group)) / 100
    patterns = (
        rf"{NUMBER} % (?:\S+ ){{0,6}}?{_FOR_TEST}",
        rf"(?:set aside|hold out|hold back|keep back|put aside|put away|withhold|held out|holdout|reserve|hide"
        rf"|leave out)(?: \w+)? {NUMBER} %",
        rf"(?:set|hold|put|keep|leave|take)(?: \w+)? {NUMBER} % (?:\S+ ){{0,5}}?(?:aside|out|back|away|apart)",
        rf"test(?:ing|s)?(?:[- _](?:set|share|split|fraction|size|part|rows|data|portion))?{_LINK}{NUMBER} %",
        rf"test(?:[- _](?:set|share|split|fraction|size|part))?{_LINK}(0?\.\d+)\b",
        rf"test (?:it )?(?:on|with) (?:a )?{NUMBER} %",
        rf"{NUMBER} % (?:test\b|held[- ]out|hold-?out)",
        r"(0?\.\d+) of (?:the |my |our |all )*\w+ (?:\w+ ){0,3}(?:test\w*|held[- ]out|hold-?out)\b",
        rf"{NUMBER} % (?:of (?:the |my |our |all )*\w+ )(?:is |are |be |being )?(?:held[- ](?:out|back)|set aside"
        rf"|kept (?:back|aside|out|apart)|put (?:aside|away)|left out|reserved|withheld)\b",
        rf"{NUMBER} % (?:of (?:the |my |our |all )*\w+ )?(?:should |shall |must |will |can |may )?(?:be|become|is|are"
        rf"|form"
        rf"|make(?: up)?|go (?:in)?to)(?: the| a| my| our)? (?:test\w*|held[- ]out|hold-?out)\b",
    )
    for pattern in patterns:
        match = re.search(pattern, text)
        if match and not negated(text, match.start()):
            value = float(match.group(1))
            return value if value < 1 else value / 100
    return None


def _split_ratio(text: str) -> float | None:
    match = re.search(
        r"\b(\d{2}) ?%? ?(?:/|:|-|to|and) ?(\d{2}) ?%?(?![\w/%:-])"
        r"|\bsplit(?: \w+)? (\d{2}) (\d{2})\b",
        text,
    )
    parts = [int(group) for group in match.groups() if group] if match else []
    if len(parts) == 2 and sum(parts) == 100:
        return min(parts) / 100
    return None
