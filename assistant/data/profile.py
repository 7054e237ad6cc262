"""What a table holds, in figures: kinds of columns, missing cells, lengths, label counts, duplicates, languages.

A Profile is plain JSON: the chat, the advisor and a second reader see it, never the rows (but for five short samples).
"""

from __future__ import annotations

import re
from collections import Counter
from statistics import fmean
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from assistant.data.cells import is_missing
from assistant.data.kinds import MAX_CLASS_LENGTH, MAX_CLASSES, Kind, scalar_kind, split_labels, spread
from assistant.data.languages import language_of
from assistant.data.media import mean_seconds
from assistant.data.table import Table

TOP_LABELS = 50


class ColumnProfile(BaseModel):
    """One column.

    Attributes:
        kind: what its cells are.
        missing: cells that are empty or white space only.
        unique: different values among the others.
        examples: at most three values, cut to 80 characters.
        mean_length, p99_length: characters of a text; items of a list; turns of a chat.
        label_counts: value -> rows, the 50 most frequent, for columns with few values (of lists: item -> rows).
        separator: what parts several labels inside one cell; None: one value a cell, or real lists.
        keys: the keys of records, of chat turns or of lists of records.
        language: ISO 639-1 code of the texts, roughly; None when unsure.
        whole_numbers: for numbers: none has a fraction.
        multiple: for lists: the share of rows with more than one item.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    missing: int = 0
    unique: int = 0
    examples: list[str] = []
    mean_length: float = 0.0
    p99_length: int = 0
    label_counts: dict[str, int] = {}
    separator: str | None = None
    keys: list[str] = []
    language: str | None = None
    whole_numbers: bool = False
    multiple: float = 0.0


class Profile(BaseModel):
    """A whole table.

    Attributes:
        columns: in the file's order.
        duplicates: rows that repeat an earlier row in every column but ids and dates.
        sample: the first five rows, cells as text cut to 200 characters.
        languages: ISO 639-1 codes of the texts, the most frequent first.
        aligned: pairs of list columns whose cells have one length in every row (tokens and their tags).
        notes: what was guessed or repaired while reading.
        clip_seconds: mean length of the recordings; 0 where there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    format: str
    rows: int
    columns: list[ColumnProfile]
    duplicates: int = 0
    sample: list[dict[str, str]] = []
    languages: list[str] = []
    aligned: list[list[str]] = []
    notes: list[str] = []
    clip_seconds: float = 0.0

    def column(self, name: str) -> ColumnProfile | None:
        """The column of a name; None when there is none."""
        return next((column for column in self.columns if column.name == name), None)


def profile(table: Table) -> Profile:
    """Look at a table; about a second for 10,000 rows of text."""
    columns = [_column(str(name), table.frame[name].tolist()) for name in table.frame.columns]
    return Profile(
        name=table.name,
        format=table.format,
        rows=table.rows,
        columns=columns,
        duplicates=count_duplicates(table.frame, columns),
        sample=_sample(table.frame),
        languages=_languages(table.frame, columns),
        aligned=_aligned(table.frame, columns),
        notes=list(table.notes),
        clip_seconds=round(mean_seconds(table), 2),
    )


def _column(name: str, cells: list[Any]) -> ColumnProfile:
    present = [cell for cell in cells if not is_missing(cell)]
    missing = len(cells) - len(present)
    if not present:
        return ColumnProfile(name=name, kind="empty", missing=missing)
    if sum(isinstance(cell, list) for cell in present) > 0.5 * len(present):
        return _list_column(name, [cell for cell in present if isinstance(cell, list)], missing)
    if sum(isinstance(cell, dict) for cell in present) > 0.5 * len(present):
        keys = list(dict.fromkeys(str(key) for cell in present[:100] if isinstance(cell, dict) for key in cell))
        examples = [shown(cell, 80) for cell in present[:3]]
        return ColumnProfile(name=name, kind="record", missing=missing, examples=examples, keys=keys[:20])
    return _scalar_column(name, present, missing)


def shown(cell: Any, most: int) -> str:
    """A cell as one line of text, cut to `most` characters."""
    if is_missing(cell):
        return ""
    text = " ".join(_as_text(cell)[: 4 * most].split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _as_text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, list) and all(isinstance(item, (str, int, float)) for item in cell):
        return ", ".join(map(str, cell))
    return str(cell)


def _list_column(name: str, present: list[list[Any]], missing: int) -> ColumnProfile:
    lengths = sorted(map(len, present))
    common: dict[str, Any] = {
        "name": name,
        "missing": missing,
        "examples": [shown(cell, 80) for cell in present[:3]],
        "mean_length": round(fmean(lengths), 1),
        "p99_length": _percentile(lengths, 0.99),
        "multiple": round(sum(length > 1 for length in lengths) / len(lengths), 4),
    }
    if all(isinstance(item, dict) for cell in present[:200] for item in cell):
        keys = list(dict.fromkeys(str(key) for cell in present[:200] for item in cell for key in item))
        speaker = {"role", "from"} & set(keys)
        content = {"content", "value", "text"} & set(keys)
        return ColumnProfile(kind="messages" if speaker and content else "list", keys=keys[:20], **common)
    counts = Counter(str(item) for cell in present for item in dict.fromkeys(map(str, cell)))
    top = dict(counts.most_common(TOP_LABELS))
    few = len(counts) <= MAX_CLASSES and max(map(len, top), default=0) <= MAX_CLASS_LENGTH
    items = sum(lengths)
    tokens = fmean(lengths) >= 4 and len(counts) > 50 and len(counts) > 0.02 * items
    unique = len(counts)
    if tokens and not _is_tag_set(counts):
        return ColumnProfile(kind="tokens", unique=unique, **common)
    return ColumnProfile(kind="list", unique=unique, label_counts=top if few else {}, **common)


def _is_tag_set(counts: Counter[str]) -> bool:
    return all(tag == "O" or re.fullmatch(r"[BIESLUM]-\S+", tag) for tag in counts)


def _scalar_column(name: str, present: list[Any], missing: int) -> ColumnProfile:
    texts = [cell if isinstance(cell, str) else _as_text(cell) for cell in present]
    counts = Counter(texts)
    lengths = sorted(map(len, texts))
    kind, separator = scalar_kind(name, present, texts, counts, lengths)
    fields: dict[str, Any] = {}
    if kind == "list":
        parting = separator or ";"
        split = [split_labels(text, parting) for text in texts]
        labels = Counter(label for cell in split for label in dict.fromkeys(cell))
        fields["label_counts"] = dict(labels.most_common(TOP_LABELS))
        fields["multiple"] = round(sum(len(cell) > 1 for cell in split) / len(split), 4)
    elif kind in ("category", "boolean") or (kind == "number" and len(counts) <= TOP_LABELS):
        fields["label_counts"] = dict(counts.most_common(TOP_LABELS))
    if kind == "text":
        fields["language"] = language_of(spread(texts, 200))
    if kind == "number":
        fields["whole_numbers"] = all(float(text.rstrip("%").replace(",", ".")).is_integer() for text in counts)
    return ColumnProfile(
        name=name,
        kind=kind,
        missing=missing,
        unique=len(counts),
        examples=[shown(text, 80) for text in list(counts)[:3]],
        mean_length=round(fmean(lengths), 1),
        p99_length=_percentile(lengths, 0.99),
        separator=separator,
        **fields,
    )


def _percentile(ordered: list[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def count_duplicates(frame: pd.DataFrame, columns: list[ColumnProfile]) -> int:
    """Rows that repeat an earlier row, ids and dates left aside."""
    names = [column.name for column in columns if column.kind not in ("id", "date", "empty")]
    if not names or len(frame) < 2:
        return 0
    keys = zip(*(map(_hashable, frame[name].tolist()) for name in names), strict=True)
    return len(frame) - len(set(keys))


def _hashable(cell: Any) -> Any:
    return repr(cell) if isinstance(cell, (list, dict)) else cell.strip() if isinstance(cell, str) else cell


def _sample(frame: pd.DataFrame) -> list[dict[str, str]]:
    head = frame.head(5)
    return [
        {str(name): shown(cell, 200) for name, cell in zip(frame.columns, row, strict=True)}
        for row in head.itertuples(index=False, name=None)
    ]


def _languages(frame: pd.DataFrame, columns: list[ColumnProfile]) -> list[str]:
    """Languages of at least a tenth of the texts, by the longest text columns."""
    texts = sorted((c for c in columns if c.kind in ("text", "tokens", "messages")), key=lambda c: -c.mean_length)[:3]
    spoken = [spread(frame[column.name].tolist(), 200) for column in texts]
    cells = [_words_of(cell) for column in spoken for cell in column if not is_missing(cell)]
    counts = Counter(found for found in (language_of([cell]) for cell in cells) if found)
    total = sum(counts.values())
    if total < 0.3 * len(cells):
        whole = language_of(cells)
        return [whole] if whole else []
    return [code for code, count in counts.most_common(12) if count >= max(2, 0.05 * total)] if total else []


def _words_of(cell: Any) -> str:
    if isinstance(cell, list):
        turns = [item.get("content") or item.get("value") if isinstance(item, dict) else item for item in cell[:50]]
        return " ".join(str(turn) for turn in turns)
    return str(cell)


def _aligned(frame: pd.DataFrame, columns: list[ColumnProfile]) -> list[list[str]]:
    lists = [column.name for column in columns if column.kind in ("list", "tokens") and column.separator is None][:6]
    lengths = {name: [len(c) if isinstance(c, list) else -1 for c in frame[name].tolist()] for name in lists}
    pairs: list[list[str]] = []
    for position, first in enumerate(lists):
        for second in lists[position + 1 :]:
            same = sum(a == b >= 0 for a, b in zip(lengths[first], lengths[second], strict=True))
            if same >= 0.95 * len(frame) and max(lengths[first]) > 1:
                pairs.append([first, second])
    return pairs
