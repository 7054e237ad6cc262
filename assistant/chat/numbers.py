"""Numbers as people write them, made into digits: "thirty-two" -> "32", "half an hour" -> "30 minutes"."""

from __future__ import annotations

import re
from collections.abc import Callable

#: A plain number in a text that `digits` has been over.
NUMBER = r"(\d+(?:\.\d+)?(?:e-?\d+)?)"

_ONES = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_WORD = "|".join([*_ONES, *_TENS, *_SCALES])
_SPELLED = re.compile(rf"\b(?:a (?=hundred|thousand|million))?(?:{_WORD})(?:(?:[ -]| and )(?:{_WORD}))*\b")

#: "one" is a number only before something that is counted; "that one" and "which one" stay words.
_COUNTED = (
    r"(?:epoch|hour|minute|min\b|second|day|gpu|card|layer|block|pass|round|percent|%|row|point|times?\b|hundred"
    r"|thousand|million|e\b|half|graphics|(?:example|sample|text|image|picture|clip|sentence)s? (?:per|at a|each"
    r"|in (?:a"
    r"|each|every) batch)|more (?:epoch|pass|round|layer)|full|whole|in \w+|out of|tenth|fifth|third"
    r"|quarter|evaluation)"
)
_PARTS = {
    "half": 50.0, "third": 100 / 3, "quarter": 25.0, "fourth": 25.0, "fifth": 20.0, "sixth": 100 / 6, "eighth": 12.5,
    "tenth": 10.0, "twentieth": 5.0,
}  # fmt: skip


def digits(text: str) -> str:
    """The text with numbers, parts and times in digits, as the patterns of `settings` expect them."""
    text = _scientific(text)
    for pattern, replacement in _BEFORE:
        text = pattern.sub(replacement, text)
    text = _SPELLED.sub(_value_of_words, text)
    for pattern, replacement in _AFTER:
        text = pattern.sub(replacement, text)
    return text


def plain(number: float) -> str:
    """A number without needless zeros: 90, 0.5, 2e-05."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(f"{number:.10g}"))


def _value_of_words(match: re.Match[str]) -> str:
    words = match.group().replace("-", " ").split()
    if words == ["one"] and not re.match(rf"[ -]{_COUNTED}", match.string[match.end() :]):
        return "one"
    if words in (["hundred"], ["thousand"], ["million"]):
        return words[0]
    groups, total, current, last = [], 0, 0, ""
    for word in words:
        if word in ("a", "and"):
            continue
        if word in _SCALES:
            scale = _SCALES[word]
            current = max(current, 1) * scale
            if scale >= 1000:
                total, current = total + current, 0
        elif word in _TENS:
            if last in _ONES or last in _TENS:
                groups.append(total + current)
                total = current = 0
            current += _TENS[word]
        else:
            if last in _ONES:
                groups.append(total + current)
                total = current = 0
            current += _ONES[word]
        last = word
    groups.append(total + current)
    return " ".join(str(group) for group in groups)


def _scientific(text: str) -> str:
    """One way of writing 2e-5: from "2 x 10^-5", "2·10-5", "two e minus five" (after its words became digits)."""
    text = re.sub(r"(\d+(?:\.\d+)?)\s*(?:x|\*|·|times)\s*10\s*(?:\^|\*\*)?\s*\(?(-\d+)\)?", r"\1e\2", text)
    text = re.sub(r"\b10\s*(?:\^|\*\*)\s*\(?(-\d+)\)?", r"1e\1", text)
    text = re.sub(r"(\d)\s*e\s*-\s*(\d+)\b", r"\1e-\2", text)
    text = re.sub(r"(?<![\d.,])0,(?=\d)", "0.", text)
    return re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)


def _minutes(text: str, factor: float) -> str:
    return f"{plain(float(text) * factor)} minutes"


def _share(match: re.Match[str]) -> str:
    count = match.groupdict().get("count")
    many = {"two": 2, "three": 3, "2": 2, "3": 3, "four": 4}.get(count or "", 1)
    return f"{plain(round(many * _PARTS[match.group('part').rstrip('s')], 4))} %"


_OF_ROWS = (
    r"(?= (?:of|for|as|to|from)\b| (?:the )?(?:rows|data|examples|samples|file|set|images|pictures|photos|clips|lines"
    r"|reviews|tickets|messages|recordings)\b)"
)
_Replacement = str | Callable[[re.Match[str]], str]
_BEFORE: tuple[tuple[re.Pattern[str], _Replacement], ...] = (
    (re.compile(r"\bthree[- ]quarters? of an hour\b"), "45 minutes"),
    (re.compile(r"\b(?:a |one )?quarter (?:of an )?hour\b"), "15 minutes"),
    (re.compile(r"\bhalf[- ](?:an? )?hour\b|\bhalf of an hour\b"), "30 minutes"),
    (re.compile(r"\ban hour and a half\b|\bone and a half hours?\b|\b1\.5 hours?\b"), "90 minutes"),
    (re.compile(r"\b(\w+) and a half hours?\b"), lambda m: f"{m.group(1)} hours 30 minutes"),
    (re.compile(r"\b(?:an?|one|1) hour\b"), "60 minutes"),
    (re.compile(r"\b(?:an?|one|1) minute\b"), "1 minutes"),
    (re.compile(r"\bhalf a day\b"), "720 minutes"),
    (re.compile(r"\ba (?:single )?day\b(?= (?:at most|max))"), "1440 minutes"),
    (re.compile(r"\b(?:a )?couple of\b"), "2"),
    (re.compile(r"\b(?:a |one |just a |only a )?single (?=epoch|pass|round|gpu|graphics|layer|step)"), "1 "),
    (re.compile(r"\b(?:only |just )?once (?=over|through)"), "1 times "),
    (re.compile(r"\bhalf a dozen\b"), "6"),
    (re.compile(r"\ba dozen\b"), "12"),
    (re.compile(r"\b(?:nought|naught|oh|o) point\b"), "zero point"),
    (re.compile(r"\b(?:one|1) in (two|three|four|five|six|eight|ten|twenty|\d+)\b"), lambda m: _one_in(m.group(1))),
    (
        re.compile(r"\b(?:one|1) out of (?:every )?(two|three|four|five|ten|twenty|\d+)\b"),
        lambda m: _one_in(m.group(1)),
    ),
    (
        re.compile(
            r"\bevery (tenth|fifth|fourth|third) (?:row|example|line|one|\w+(?= (?:for|to|as|in|into|goes|is"
            r"|should)\b))"
        ),
        lambda m: _every(m.group(1)),
    ),
    (
        re.compile(
            rf"\b(?:(?P<count>an?|one|two|three|four|[1-4])[ -])?(?P<part>quarter|third|fourth|fifth|tenth|eighth"
            rf"|twentieth)s?{_OF_ROWS}"
        ),
        _share,
    ),
    (
        re.compile(
            r"\b(?P<count>an?|one|two|three|four|[1-4])[ -](?P<part>quarter|third|fourth|fifth|tenth|eighth"
            r"|twentieth)s?\b"
            r"(?! (?:time|run|person|party|attempt|column|one|try|model|file|option|of an hour|hour))"
        ),
        _share,
    ),
    (
        re.compile(
            r"\b(?P<part>half)(?: of)?(?= (?:the |my |all )*(?:rows|data|examples|file)\b| (?:of it )?(?:for"
            r"|as) (?:the |a )?test)"
        ),
        _share,
    ),
)
_AFTER: tuple[tuple[re.Pattern[str], _Replacement], ...] = (
    (re.compile(r"\b(\d+) point ((?:\d+ ?)+)"), lambda m: f"{m.group(1)}.{m.group(2).replace(' ', '')} "),
    (re.compile(r"(?<![\d.])point ((?:\d+ )*\d+)\b"), lambda m: f"0.{m.group(1).replace(' ', '')}"),
    (re.compile(r"(?<![\w.])\.(\d)"), r"0.\1"),
    (re.compile(r"\b(\d+) and a half\b"), r"\1.5"),
    (re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?) ?k\b(?!b)"), lambda m: plain(float(m.group(1)) * 1000)),
    (re.compile(r"\b(\d+(?:\.\d+)?)\s*(?:percent|per cent|pct|percents|prozent)\b"), r"\1 %"),
    (re.compile(r"\b(\d+(?:\.\d+)?)%"), r"\1 %"),
    (re.compile(r"\b(\d+(?:\.\d+)?) ?(?:times )?10 to the (?:power of )?(?:minus|-) ?(\d+)\b"), r"\1e-\2"),
    (re.compile(r"\b(\d+(?:\.\d+)?) e (?:minus|-) ?(\d+)\b"), r"\1e-\2"),
    (re.compile(r"\b(\d+) hours 30 minutes\b"), lambda m: _minutes(m.group(1), 60)[:-8] + " minutes + 30 minutes"),
    (re.compile(r"\b(\d+) minutes \+ 30 minutes\b"), lambda m: f"{int(m.group(1)) + 30} minutes"),
    (re.compile(r"\b(\d+) ?(?:h|hrs?|hours?) (?:and )?(\d+) ?(?:m|mins?|minutes)\b"), lambda m: _clock(m)),
    (re.compile(r"\b(\d+) ?h ?(\d{1,2})\b"), lambda m: _clock(m)),
    (re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?)[ -]?(?:h|hrs?|hours?)\b"), lambda m: _minutes(m.group(1), 60)),
    (re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?)[ -]?(?:mins?|minutes?)\b(?!-)"), r"\1 minutes"),
    (re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?)[ -]?(?:days?)\b"), lambda m: _minutes(m.group(1), 1440)),
    (re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?)[ -]?(?:secs?|seconds?)\b"), lambda m: _minutes(m.group(1), 1 / 60)),
)


def _clock(match: re.Match[str]) -> str:
    return f"{int(match.group(1)) * 60 + int(match.group(2))} minutes"


def _one_in(word: str) -> str:
    count = int(word) if word.isdigit() else (_ONES | _TENS).get(word, 0)
    return f"{plain(round(100 / count, 4))} %" if count else word


def _every(word: str) -> str:
    return f"{plain(round(_PARTS[word], 4))} %"
