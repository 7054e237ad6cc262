"""JSON and JSON lines: ragged keys, nested records, the shapes that SQuAD, ShareGPT, Alpaca and pandas write."""

from __future__ import annotations

import json
import re
from typing import Any

import pandas as pd

from assistant.data.cells import clean_text, make_frame, row_list, unique_names
from assistant.errors import PlainError

_BLANK = re.compile(r"\s*")
_ODD_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def looks_like_json(text: str) -> bool:
    """Whether a text begins like JSON: an object with a quoted key, or an array of such, of arrays or of texts."""
    return re.match(r'\s*(\{\s*["}]|\[\s*[\[{"\]])', text[:2_000]) is not None


def read_json(text: str, name: str) -> tuple[str, pd.DataFrame, list[str]]:
    """Rows of a JSON document, or of a file with one JSON value a line.

    Args:
        text: the file's content.
        name: the file's name, for sentences.

    Returns:
        The format (json, jsonl), the frame and the notes.

    Raises:
        PlainError: file-unreadable, when less than half of it is JSON; file-unsupported, when it holds no rows.
    """
    notes: list[str] = []
    odd = _ODD_ESCAPE.search(text) is not None
    document, fault = _whole(text)
    if fault is not None:
        rows, form = _lines(text, name, fault, notes), "jsonl"
    elif isinstance(document, dict) and (name.lower().endswith((".jsonl", ".ndjson")) or not _container(document)):
        rows, form = [document], "jsonl"  # a file of one line
    else:
        rows, form = rows_of(document), "json"
    if rows is None:
        raise PlainError(
            "file-unsupported",
            f"{name} is JSON, but it holds no list of rows.",
            'A list of objects is expected, as [{"text": "…", "label": "…"}, …], or one object a line.',
            "Write one object for each example, all with the same keys.",
        )
    return form, frame_from_objects(rows, notes, odd=odd), notes


def _load(text: str) -> Any:
    return json.loads(text, parse_constant=lambda _name: None, parse_float=_finite)


def _finite(text: str) -> float | None:
    """1e999 is infinite, which JSON cannot write back."""
    value = float(text)
    return value if abs(value) != float("inf") else None


def _whole(text: str) -> tuple[Any, str | None]:
    try:
        return _load(text), None
    except RecursionError:
        return None, "it is nested too deeply"
    except ValueError as error:
        return None, str(error)


def _lines(text: str, name: str, fault: str, notes: list[str]) -> list[Any] | None:
    """One value a line; values over several lines are tried where lines fail."""
    rows: list[Any] = []
    bad: list[int] = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(_load(line.strip().rstrip(",")))
        except (ValueError, RecursionError):
            bad.append(number)
    if len(bad) > len(rows):
        several = _concatenated(text)
        if several:
            return several
        raise PlainError(
            "file-unreadable",
            f"{name} looks like JSON, but it cannot be read as such: {fault or 'most of its lines are broken'}.",
            "Expected is one JSON list of objects, or one object a line.",
            "Open it in an editor that checks JSON, mend that place, and upload it again.",
        )
    if bad:
        notes.append(f"{len(bad):,} lines are not JSON and were left out (line {row_list(bad)}).")
    return rows_of(rows)


def _concatenated(text: str) -> list[Any] | None:
    """Objects that are printed over several lines, one after the other."""
    decoder = json.JSONDecoder(parse_constant=lambda _name: None, parse_float=_finite)
    rows: list[Any] = []
    position = 0
    while True:
        position = _skip(text, position)
        if position >= len(text):
            return rows
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return None
        rows.append(value)


def _skip(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    position = found.end() if found else position
    return position + 1 if text[position : position + 1] == "," else position


def rows_of(document: Any) -> list[Any] | None:
    """The list of rows inside a JSON document; None when there is none."""
    if isinstance(document, list):
        if document and all(isinstance(item, list) for item in document):
            return _from_arrays(document)
        return document
    if not isinstance(document, dict):
        return None
    container = _container(document)
    if container is None:
        return [document]
    if isinstance(container, dict):
        return _from_columns(container)
    return _from_squad(container) or container


def _container(document: dict[str, Any]) -> Any:
    """What holds the rows: the longest list of objects, or the whole as a set of equally long columns."""
    lists = [value for value in document.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    # {"messages": [...]} is one example of a chat, not a list of examples.
    chat = any(isinstance(document.get(key), list) for key in ("messages", "conversations"))
    if lists and not chat:
        return max(lists, key=len)
    values = list(document.values())
    columns = bool(values) and all(isinstance(value, (list, dict)) for value in values)
    if columns and len({len(value) for value in values}) == 1 and not chat and len({type(v) for v in values}) == 1:
        return document
    return None


def _from_columns(document: dict[str, Any]) -> list[Any]:
    """{"text": ["a", "b"], "label": [0, 1]} or {"text": {"0": "a"}, …}, as pandas writes them."""
    columns = {name: list(v.values()) if isinstance(v, dict) else v for name, v in document.items()}
    length = max((len(values) for values in columns.values()), default=0)
    return [{name: values[row] for name, values in columns.items()} for row in range(length)]


def _from_arrays(document: list[list[Any]]) -> list[Any]:
    """[["text", "label"], ["…", "…"]]: the first array names the columns."""
    names = [str(cell) for cell in document[0]]
    named = len(set(names)) == len(names) and all(isinstance(cell, str) for cell in document[0])
    if not named or len(document) < 2:
        names = [f"column_{number}" for number in range(1, max(map(len, document)) + 1)]
        return [dict(zip(names, row, strict=False)) for row in document]
    return [dict(zip(names, row, strict=False)) for row in document[1:]]


def _from_squad(articles: list[Any]) -> list[Any] | None:
    """SQuAD's own file: articles of paragraphs of questions."""
    rows: list[Any] = []
    for article in articles:
        if not isinstance(article, dict) or not isinstance(article.get("paragraphs"), list):
            return None
        for paragraph in article["paragraphs"]:
            if not isinstance(paragraph, dict) or not isinstance(paragraph.get("qas"), list):
                return None
            rows += [_squad_row(paragraph, item) for item in paragraph["qas"] if isinstance(item, dict)]
    return rows


def _squad_row(paragraph: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    answers = [answer for answer in item.get("answers") or [] if isinstance(answer, dict)]
    return {
        "question": item.get("question"),
        "context": paragraph.get("context"),
        "answers": {
            "text": [answer.get("text") for answer in answers],
            "answer_start": [answer.get("answer_start") for answer in answers],
        },
    }


def frame_from_objects(rows: list[Any], notes: list[str], *, odd: bool = False) -> pd.DataFrame:
    """A frame from a list of JSON values: the union of their keys; values that are no objects go to the column text.

    Args:
        rows: JSON values.
        notes: sentences are added here.
        odd: whether texts may hold lone surrogates, which are then replaced.
    """
    objects = [row if isinstance(row, dict) else {"text": row} for row in rows if row not in (None, {}, [], "")]
    keys = list(dict.fromkeys(key for row in objects for key in row))
    lacking = {key: sum(key not in row for row in objects) for key in keys}
    ragged = [f"{key} ({count:,} times)" for key, count in lacking.items() if count]
    if ragged:
        more = f" and {len(ragged) - 5} more" if len(ragged) > 5 else ""
        notes.append(f"Not every row has every key; missing are {', '.join(ragged[:5])}{more}. These cells are empty.")
    names = unique_names(keys, notes)
    columns = [[_clean(row.get(key)) if odd else row.get(key) for row in objects] for key in keys]
    return make_frame(names, columns)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(key): _clean(item) for key, item in value.items()}
    return value
