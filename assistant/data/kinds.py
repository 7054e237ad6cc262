"""What the cells of a column are: classes, numbers, dates, ids, several labels in a cell, or texts."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from statistics import fmean
from typing import Any, Literal

from assistant.data.cells import is_number_text

Kind = Literal[
    "text", "category", "number", "list", "messages", "tokens", "record", "image", "audio", "id", "date", "boolean",
    "empty",
]  # fmt: skip

#: Figures that need every cell's content are taken from so many rows, spread over the file; counts are always exact.
SAMPLED_ROWS = 5_000
#: More different values than this is no set of classes.
MAX_CLASSES = 1_000
#: A class name is short: longer cells are texts.
MAX_CLASS_LENGTH = 60

_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2})?\S*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}( \d{1,2}:\d{2}(:\d{2})?)?|"
    r"\d{4}/\d{1,2}/\d{1,2}( \d{1,2}:\d{2}(:\d{2})?)?"
)
_BOOLEANS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
_FILE = re.compile(r"[^\n]{1,300}\.(png|jpe?g|gif|bmp|webp|tiff?|wav|flac|mp3|ogg|m4a|opus)", re.IGNORECASE)
_SOUND = re.compile(r".*\.(wav|flac|mp3|ogg|m4a|opus)", re.IGNORECASE)
_SEPARATORS = (";", "|", ",", "/")


def scalar_kind(
    name: str, present: list[Any], texts: list[str], counts: Counter[str], lengths: list[int]
) -> tuple[Kind, str | None]:
    """The kind of a column of single values, and the separator where it holds several labels a cell."""
    values = list(counts)
    folded = {value.strip().lower() for value in values[:10]}
    if all(isinstance(cell, bool) for cell in present) or any(folded <= pair for pair in _BOOLEANS):
        return "boolean", None
    sampled = spread(texts, SAMPLED_ROWS)
    if _share(sampled, is_number_text) > 0.97 and all(map(is_number_text, values)):
        return ("id" if _is_counter(name, texts, counts) else "number"), None
    if _share(sampled, lambda text: _DATE.fullmatch(text.strip()) is not None) > 0.9:
        return "date", None
    if _share(sampled, lambda text: _FILE.fullmatch(text.strip()) is not None) > 0.9:
        return ("audio" if _SOUND.fullmatch(texts[0].strip()) else "image"), None
    separator = _label_separator(counts, len(texts))
    if separator:
        return "list", separator
    if _is_category(counts, lengths):
        return "category", None
    if _is_id(name, sampled, counts, len(texts)):
        return "id", None
    return "text", None


def _is_counter(name: str, texts: list[str], counts: Counter[str]) -> bool:
    """Whole numbers, each once, that are called an id or go up by one."""
    if len(counts) < len(texts) or len(texts) < 3 or not all(text.strip().isdigit() for text in texts):
        return False
    named = re.search(r"(^|[^a-z])(id|nr|no|number|index|row|key|unnamed: 0)$|^column_1$", name.lower()) is not None
    numbers = [int(text) for text in texts]
    steps = sum(after - before == 1 for before, after in pairwise(numbers))
    return named or steps > 0.95 * (len(numbers) - 1)


def _is_category(counts: Counter[str], lengths: list[int]) -> bool:
    rows = sum(counts.values())
    values = len(counts)
    if values > MAX_CLASSES or fmean(map(len, counts)) > MAX_CLASS_LENGTH or lengths[-1] > 4 * MAX_CLASS_LENGTH:
        return False
    if values <= 2 and rows >= 4:
        return values < rows / 2 or max(map(len, counts)) <= 30
    # Sentences that repeat now and then are texts; names that come back again and again are classes.
    words = fmean(len(value.split()) for value in counts)
    return values <= (0.5 if words <= 3 else 0.2) * rows and (words <= 6 or values <= 0.05 * rows)


def _is_id(name: str, sampled: list[str], counts: Counter[str], rows: int) -> bool:
    """Codes without spaces, nearly all different."""
    if len(counts) < 0.3 * rows:
        return False
    code = _share(sampled, lambda text: re.fullmatch(r"\S{1,64}", text.strip()) is not None)
    with_digit = _share(sampled, lambda text: any(letter.isdigit() for letter in text))
    named = re.search(r"(^|[^a-z])(id|uuid|guid|key|hash|url|link|user|product|sku)s?$", name.lower()) is not None
    return code > 0.95 and (named or with_digit > 0.6)


def _label_separator(counts: Counter[str], rows: int) -> str | None:
    """The separator of a column with several labels in a cell, as "sport;health"; None when it holds single values.

    Its parts are few, short and come back in other combinations; "Home, Garden" that always stays together is one name.
    """
    if fmean(map(len, counts)) > 3 * MAX_CLASS_LENGTH or rows < 4:
        return None
    for separator in _SEPARATORS:
        cells = [(split_labels(value, separator), count) for value, count in counts.items()]
        multiple = sum(count for parts, count in cells if len(parts) > 1)
        if multiple < max(2, 0.02 * rows):
            continue
        parts = Counter(part for labels, count in cells for part in labels for _ in range(count))
        homes = Counter(part for labels, _ in cells for part in set(labels))
        short = all(len(part) <= 40 and len(part.split()) <= 4 for part in parts)
        few = len(parts) <= min(MAX_CLASSES, 0.5 * sum(parts.values()))
        mixed = sum(count > 1 for count in homes.values()) >= 0.5 * len(homes)
        words = any(any(letter.isalpha() for letter in part) for part in parts)
        if short and few and mixed and (words or separator in ";|") and len(cells) > 2:
            return separator
    return None


def split_labels(cell: str, separator: str) -> list[str]:
    """The labels of one cell, without white space around and without empty ones."""
    return [part.strip() for part in cell.split(separator) if part.strip()]


def spread(items: list[Any], most: int) -> list[Any]:
    """At most `most` items, evenly spread over the list."""
    if len(items) <= most:
        return items
    step = len(items) / most
    return [items[int(position * step)] for position in range(most)]


def _share(texts: list[str], test: Any) -> float:
    return sum(1 for text in texts if test(text)) / len(texts) if texts else 0.0
