"""CSV and its relatives: any delimiter, quoted line breaks, ragged rows, quotes that never close, no header."""

from __future__ import annotations

import csv
import io
import re
import statistics
from collections import Counter
from typing import Any

import pandas as pd

from assistant.data.cells import (
    decimal_commas,
    is_number_text,
    make_frame,
    row_list,
    unique_names,
    unpack_lists,
)
from assistant.data.names import IN_HEADERS
from assistant.errors import PlainError

#: A cell may be as long as an upload; the module's own limit is 128 KiB.
csv.field_size_limit(2**31 - 1)

#: The rarer inside a text, the earlier: with equal evidence the first one wins.
_USUAL = ("\t", "|", ";", ",")
_RARE = ("^", "~", "\x01", "\x1f", ":", "#")
_NO_DELIMITER = "\x1e"
#: Cells that are read at most; each takes some 60 bytes of memory or more.
MAX_CELLS = 50_000_000
#: A quoted cell that does not close within so many lines is a quote that somebody forgot.
_MAX_QUOTED_LINES = 2_000
_SNIFFED_LINES = 200

Records = list[list[str]]


def read_delimited(text: str) -> tuple[pd.DataFrame, list[str]]:
    """Rows of a delimited text whose delimiter, quotes and header are found from the text itself.

    Returns:
        The frame (every cell str or None) and the notes on what had to be guessed or repaired.
    """
    notes: list[str] = []
    text, delimiter = _declared_delimiter(text)
    delimiter = delimiter or sniff_delimiter(text) or _NO_DELIMITER
    records, broken = parse(text, delimiter)
    if broken:
        notes.append(
            f"{len(broken):,} line{'s have' if len(broken) > 1 else ' has'} quotation marks that do not match "
            f"(line {row_list(broken)}); they were read as part of the text."
        )
    frame = frame_from_records(records, notes, delimiter)
    if delimiter not in (",", _NO_DELIMITER):
        frame = decimal_commas(frame, notes)
    return unpack_lists(frame, notes), notes


def _declared_delimiter(text: str) -> tuple[str, str | None]:
    """Excel writes "sep=;" as first line."""
    found = re.match(r'"?sep=(.)"?\n', text)
    return (text[found.end() :], found.group(1)) if found else (text, None)


def sniff_delimiter(text: str) -> str | None:
    """The character that cuts most lines into the same number of cells, two at least; None when there is none."""
    head = "\n".join(text[:400_000].split("\n")[:_SNIFFED_LINES])
    usual = [(_consistency(head, candidate), candidate) for candidate in _USUAL]
    good = [pair for pair in usual if pair[0] > 0]
    if good:
        return max(good, key=lambda pair: pair[0])[1]
    rare = [(_consistency(head, candidate), candidate) for candidate in _RARE if candidate in head]
    sure = [pair for pair in rare if pair[0] > 0.98]
    return max(sure)[1] if sure and head.count("\n") >= 3 else None


def _consistency(head: str, delimiter: str) -> float:
    """Share of the lines with as many cells as the first one; 0 when these are too few to believe in."""
    records = [record for record in parse(head, delimiter)[0] if any(record)]
    if not records or len(records[0]) < 2:
        usual = Counter(map(len, records)).most_common(1)
        sure = bool(usual) and usual[0][0] > 1 and usual[0][1] >= 0.95 * len(records) and len(records) > 5
        return 0.5 if sure else 0.0
    width = len(records[0])
    same = sum(len(record) == width for record in records) / len(records)
    row_names = sum(len(record) == width + 1 for record in records[1:]) / max(1, len(records) - 1)
    share = max(same, row_names if len(records) > 2 else 0.0)
    # Rows with unquoted delimiters in their text have more cells; a file of them is still cut by this character.
    at_least = sum(len(record) >= width for record in records) / len(records)
    return share if share >= 0.3 or (share > 0.1 and at_least > 0.9) or _named(records[0]) else 0.0


def _named(cells: list[str]) -> bool:
    return sum(cell.strip().lower() in IN_HEADERS for cell in cells) >= 2


def parse(text: str, delimiter: str) -> tuple[Records, list[int]]:
    """Records of a text, and the numbers of the lines whose quotes had to be read as text.

    The quick way is the csv module in strict mode. Only if that objects, line by line: outside of a quoted cell the
    number of quotes so far is even, so a record ends at the first line end where it is.
    """
    records: Records = []
    cells = 0
    try:
        for record in csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True):
            records.append(record)
            cells += len(record) + 1
            if cells > MAX_CELLS:
                raise PlainError(
                    "file-too-large", f"The file has more than {MAX_CELLS:,} cells.", "", "Upload a part of the rows."
                )
        return records, []
    except csv.Error:
        return _parse_line_by_line(text.split("\n"), delimiter)


def _parse_line_by_line(lines: list[str], delimiter: str) -> tuple[Records, list[int]]:
    records: Records = []
    broken: list[int] = []
    start = 0
    while start < len(lines):
        if '"' not in lines[start]:
            records.append(lines[start].split(delimiter) if lines[start] else [])
            start += 1
            continue
        end = _record_end(lines, start)
        record = _strict_record(lines[start:end], delimiter) if end else None
        if record is None:
            broken.append(start + 1)
            record = _loose_record(lines[start], delimiter)
            end = start + 1
        records.append(record)
        start = end or start + 1
    return records, broken


def _record_end(lines: list[str], start: int) -> int | None:
    quotes = 0
    for position in range(start, min(len(lines), start + _MAX_QUOTED_LINES)):
        quotes += lines[position].count('"')
        if quotes % 2 == 0:
            return position + 1
    return None


def _strict_record(lines: list[str], delimiter: str) -> list[str] | None:
    try:
        found = list(csv.reader([line + "\n" for line in lines], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return found[0] if len(found) == 1 else None


def _loose_record(line: str, delimiter: str) -> list[str]:
    if line.count('"') % 2 == 0:
        found = list(csv.reader([line], delimiter=delimiter))
        return found[0] if found else []
    return [cell.strip('"').replace('""', '"') for cell in line.split(delimiter)]


def frame_from_records(records: list[list[Any]], notes: list[str], delimiter: str = ",") -> pd.DataFrame:
    """A frame from raw records: empty rows left out, the header found, ragged rows made even; all of it noted.

    Args:
        records: cells as str (delimited files) or as typed values (sheets); None and "" are empty.
        notes: sentences are added here.
        delimiter: what joins the pieces of a text that was cut apart.
    """
    kept = [(number, record) for number, record in enumerate(records, 1) if any(c not in (None, "") for c in record)]
    if not kept:
        return pd.DataFrame()
    numbers, rows = [number for number, _ in kept], [record for _, record in kept]
    blank = sum(any(True for _ in record) for record in records) - len(rows)
    if blank > 0 and len(rows) > 1:
        notes.append(
            f"{blank:,} row{'s' if blank > 1 else ''} without any content {'were' if blank > 1 else 'was'} left out."
        )
    header = has_header(rows)
    names = _header(rows, header, notes)
    body, at = (rows[1:], numbers[1:]) if header else (rows, numbers)
    even = _make_even(body, at, len(names), delimiter, notes)
    names, even = _drop_nameless(names, even)
    columns: list[Any] = list(zip(*even, strict=True)) if even else [[] for _ in names]
    return make_frame(unique_names(names, notes), columns)


def _header(rows: list[list[Any]], header: bool, notes: list[str]) -> list[Any]:
    if not header:
        width = max(1, statistics.mode(len(row) for row in rows))
        notes.append("The first row looks like data, so the columns are called column_1, column_2 and so on.")
        return [f"column_{number}" for number in range(1, width + 1)]
    names = list(rows[0])
    used = max((position for row in rows for position, cell in enumerate(row) if cell not in (None, "")), default=0) + 1
    while len(names) > used:
        names.pop()
    wider = [len(row) for row in rows[1:]]
    if wider and statistics.mode(wider) == len(rows[0]) + 1 and all(_filled(row) for row in rows[1:20]):
        return ["", *names]  # R writes row names without a name for their column.
    return names


def _filled(row: list[Any]) -> bool:
    return row[-1] not in (None, "")


def _drop_nameless(names: list[Any], rows: list[list[Any]]) -> tuple[list[Any], list[list[Any]]]:
    """Columns without a name and without any content are an accident of the export."""
    empty = [
        position
        for position, name in enumerate(names)
        if name in (None, "") and all(row[position] in (None, "") for row in rows)
    ]
    if not empty or len(empty) == len(names):
        return names, rows
    keep = [position for position in range(len(names)) if position not in empty]
    return [names[p] for p in keep], [[row[p] for p in keep] for row in rows]


def has_header(rows: list[list[Any]]) -> bool:
    """Whether the first row names the columns: its cells are unlike the cells below them."""
    first = ["" if cell is None else str(cell).strip() for cell in rows[0]]
    if len(rows) == 1 or any(cell.lower() in IN_HEADERS for cell in first):
        return True
    if any(not isinstance(cell, str) and cell is not None for cell in rows[0]):
        return False
    below = rows[1:200]
    sentences = 0
    for position, cell in enumerate(first):
        column = [
            str(row[position]).strip() for row in below if len(row) > position and row[position] not in (None, "")
        ]
        if not column or not cell:
            continue
        if is_number_text(cell) and sum(map(is_number_text, column)) >= 0.9 * len(column):
            return False
        if len(column) >= 4 and cell in column and len(set(column)) <= 0.6 * len(column):
            return False
        sentences += _is_sentence(cell) and statistics.median(map(len, column)) > 20
    return not sentences


def _is_sentence(cell: str) -> bool:
    return len(cell.split()) >= 6 or (len(cell) > 15 and cell[-1] in ".!?")


def _make_even(rows: list[list[Any]], at: list[int], width: int, delimiter: str, notes: list[str]) -> list[list[Any]]:
    """Every row with `width` cells: short rows are filled, long rows mended or cut."""
    short = [number for number, row in zip(at, rows, strict=True) if len(row) < width]
    if short and width > 1:
        notes.append(
            f"{len(short):,} row{'s have' if len(short) > 1 else ' has'} fewer cells than the {width} columns "
            f"(line {row_list(short)}); the rest of the row was left empty."
        )
    long = [number for number, row in zip(at, rows, strict=True) if any(c not in (None, "") for c in row[width:])]
    result = [list(row[:width]) + [""] * (width - len(row)) for row in rows]
    if long:
        mended = _mend_long_rows(rows, result, width, delimiter)
        what = "its text holds the delimiter, so the parts were joined again" if mended == len(long) else (
            f"{mended:,} could be joined again, from the others the surplus cells were left out" if mended
            else "the surplus cells were left out"
        )  # fmt: skip
        notes.append(
            f"{len(long):,} row{'s have' if len(long) > 1 else ' has'} more cells than the {width} columns "
            f"(line {row_list(long)}): {what}."
        )
    return result


def _mend_long_rows(rows: list[list[Any]], result: list[list[Any]], width: int, delimiter: str) -> int:
    """Join the pieces of an unquoted text again where the last cell is a value that the last column often has."""
    whole = [row for row in rows if len(row) == width]
    usual = {value for value, count in Counter(str(row[-1]) for row in whole).items() if count > 1 and value}
    if width < 2 or not usual:
        return 0
    lengths = [statistics.mean(len(str(row[p])) for row in whole) for p in range(width - 1)]
    widest = lengths.index(max(lengths))
    mended = 0
    for position, row in enumerate(rows):
        extra = len(row) - width
        if extra > 0 and str(row[-1]).strip() in usual:
            text = delimiter.join(str(cell) for cell in row[widest : widest + extra + 1])
            result[position] = [*row[:widest], text, *row[widest + extra + 1 :]]
            mended += 1
    return mended
