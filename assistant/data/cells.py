"""Small helpers that every reader of a file shares: names of columns, empty cells, frames of plain Python values.

A frame always has dtype object: a text is str, a missing cell is None, and what the file typed (numbers, lists,
records) stays as it was. Nothing is guessed here, so a label "1" or "NA" stays the text that the person wrote.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from assistant.errors import PlainError

#: More columns than this is no table of examples; it also bounds the memory of ragged records.
MAX_COLUMNS = 1_000

_NUMBER = re.compile(r"[-+]?(\d+([.,]\d+)?|[.,]\d+)([eE][-+]?\d+)?%?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+(,\d+)?")
_PYTHON_ITEM = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|-?\d+(?:\.\d+)?"
_PYTHON_LIST = re.compile(rf"\[\s*(?:(?:{_PYTHON_ITEM})(?:\s*,\s*|\s+|(?=\s*\])))*\s*\]")
_PYTHON_ARRAY = rf"'(?P<key>\w+)'\s*:\s*(?:array\(\s*)?(?P<items>{_PYTHON_LIST.pattern})(?:,\s*dtype=\w+)?\)?[\s,]*"
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_missing(value: object) -> bool:
    """True for None, NaN, an empty text, white space only, and an empty list."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value or value.isspace()
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, list) and not value


def is_number_text(text: str) -> bool:
    """True when a text is nothing but a number, as 3, -1.5, 2,5, 1e-4 or 20%."""
    return _NUMBER.fullmatch(text.strip()) is not None


def clean_text(text: str) -> str:
    """The text without lone surrogates, which no file could store as UTF-8."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def clean_value(value: Any) -> Any:
    """A cell as plain JSON values: NaN and infinity become None, dates ISO texts; bytes are decoded or left out."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [clean_value(item) for item in value]
    if isinstance(value, bytes):
        return _decode_bytes(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if hasattr(value, "item"):
        return clean_value(value.item())
    return clean_text(str(value))


def _decode_bytes(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def unique_names(names: Sequence[object], notes: list[str]) -> list[str]:
    """Column names that are texts, not empty and all different; every change is noted."""
    result: list[str] = []
    taken = {str(name).strip() for name in names if name is not None}
    for position, raw in enumerate(names, start=1):
        name = clean_text(" ".join(str(raw).split())) if raw is not None else ""
        if not name:
            name = _free_name("column", position, taken)
            notes.append(f"Column {position} has no name in the header; it is called {name} here.")
        elif name in result:
            new = _free_name(name, 2, taken)
            notes.append(f"Two columns are called {name}; the later one is called {new} here.")
            name = new
        taken.add(name)
        result.append(name)
    return result


def _free_name(stem: str, number: int, taken: set[str]) -> str:
    while f"{stem}_{number}" in taken:
        number += 1
    return f"{stem}_{number}"


def make_frame(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """A frame of dtype object from named columns; empty texts become None.

    Raises:
        PlainError: more columns than a table of examples can have.
    """
    if len(names) > MAX_COLUMNS:
        raise PlainError(
            "file-unsupported",
            f"The file has {len(names):,} columns.",
            f"A table of examples has a few columns, at most {MAX_COLUMNS:,}.",
            "Keep the columns with the texts and the labels, and upload that.",
        )
    series = {
        name: pd.Series([None if value == "" else value for value in values], dtype=object)
        for name, values in zip(names, columns, strict=True)
    }
    return pd.DataFrame(series, columns=list(names), dtype=object)


def row_list(rows: Iterable[int], most: int = 5) -> str:
    """Row numbers for a sentence: "3, 7 and 12 more"."""
    numbers = list(rows)
    shown = ", ".join(f"{number:,}" for number in numbers[:most])
    return f"{shown} and {len(numbers) - most:,} more" if len(numbers) > most else shown


def unpack_lists(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Columns whose every cell is a list written as text, as ["a", "b"] or ['a', 'b'], become lists; SQuAD's answers,
    as pandas writes them into a table, become records."""
    for name in frame.columns:
        cells = [cell for cell in frame[name] if cell is not None]
        if not cells or not all(isinstance(cell, str) and cell.strip().startswith(("[", "{")) for cell in cells):
            continue
        parsed = [None if cell is None else _parsed(cell) for cell in frame[name]]
        if all(after is not None for before, after in zip(frame[name], parsed, strict=True) if before is not None):
            frame[name] = pd.Series(parsed, dtype=object, index=frame.index)
            kind = "answers" if isinstance(parsed[0], dict) else "lists"
            notes.append(f"Column {name} holds {kind} written as text; they were read as {kind}.")
    return frame


def _parsed(cell: str) -> list[Any] | dict[str, list[Any]] | None:
    return parse_list(cell) if cell.strip().startswith("[") else parse_answers(cell)


def parse_list(cell: str) -> list[Any] | None:
    """A list from its JSON or Python spelling; None when the text is not a list. Nothing is evaluated."""
    text = cell.strip()
    try:
        value = json.loads(text)
        return clean_value(value) if isinstance(value, list) else None
    except (ValueError, RecursionError):
        pass
    if len(text) > 1_000_000 or not _PYTHON_LIST.fullmatch(text):
        return None
    return [_python_item(item) for item in re.findall(_PYTHON_ITEM, text)]


def parse_answers(cell: str) -> dict[str, list[Any]] | None:
    """SQuAD's answers from their JSON or Python spelling, as {'text': array(['Oslo'], dtype=object), 'answer_start':
    array([17])}; None when the text is something else. Nothing is evaluated."""
    text = cell.strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        whole = len(text) <= 100_000 and re.sub(_PYTHON_ARRAY, "", text).strip() == "{}"
        value = {each["key"]: parse_list(each["items"]) for each in re.finditer(_PYTHON_ARRAY, text)} if whole else None
    return value if isinstance(value, dict) and "answer_start" in value else None


def _python_item(item: str) -> str | int | float:
    if item[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", item[1:-1])
    return float(item) if "." in item else int(item)


def decimal_commas(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Number columns written with decimal commas (3,5) are rewritten with points (3.5), still as text.

    Only for files whose delimiter is not the comma. A column whose commas all stand before three digits is left alone:
    1,250 may mean one thousand two hundred and fifty.
    """
    for name in frame.columns:
        cells = [cell.strip() for cell in frame[name] if isinstance(cell, str)]
        with_comma = [cell for cell in cells if "," in cell]
        if not with_comma or not all(_DECIMAL_COMMA.fullmatch(cell) for cell in cells):
            continue
        if all(len(cell.rpartition(",")[2]) == 3 for cell in with_comma):
            continue
        changed = [cell.replace(",", ".") if isinstance(cell, str) else cell for cell in frame[name]]
        frame[name] = pd.Series(changed, dtype=object, index=frame.index)
        notes.append(
            f"Column {name} has decimal commas: {with_comma[0]} was read as {with_comma[0].replace(',', '.')}."
        )
    return frame
