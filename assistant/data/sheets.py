"""Excel workbooks (the first sheet with content) and Parquet files."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from typing import Any

import pandas as pd

from assistant.data.cells import clean_value, make_frame, unique_names, unpack_lists
from assistant.data.delimited import frame_from_records
from assistant.errors import PlainError

#: Cells of a sheet that are read at most: some minutes of work and a few GB otherwise.
MAX_CELLS = 20_000_000
MAX_PARQUET_BYTES = 2 * 1024**3


def read_xlsx(data: bytes, name: str) -> tuple[pd.DataFrame, list[str]]:
    """The first sheet that is not empty; a cell with a formula gives the value that Excel computed last.

    Raises:
        PlainError: file-unreadable, when the workbook is damaged or locked by a password.
    """
    notes: list[str] = []
    try:
        title, records, others = _first_sheet(data, values=True)
        records = _with_formulas(data, records, notes)
    except PlainError:
        raise
    except Exception as error:
        raise _damaged(name, "an Excel workbook", error) from error
    if others:
        notes.append(f"The workbook has {others + 1} sheets; the sheet {title} was read.")
    frame = frame_from_records(records, notes)
    return unpack_lists(frame, notes), notes


def _first_sheet(data: bytes, *, values: bool) -> tuple[str, list[list[Any]], int]:
    from openpyxl import load_workbook  # noqa: PLC0415  only workbooks need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions that do not matter here
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=values, keep_links=False)
        try:
            sheets = book.worksheets
            for sheet in sheets:
                records = _sheet_records(sheet)
                if records:
                    return str(sheet.title), records, len(sheets) - 1
        finally:
            book.close()
    return "", [], 0


def _sheet_records(sheet: Any) -> list[list[Any]]:
    records: list[list[Any]] = []
    cells = 0
    sheet.reset_dimensions()  # a wrong size written by other programs would cut rows off
    for row in sheet.iter_rows(values_only=True):
        record = [clean_value(cell) for cell in row]
        while record and record[-1] in (None, ""):
            record.pop()
        records.append(record)
        cells += len(record) + 1
        if cells > MAX_CELLS:
            raise PlainError(
                "file-too-large",
                f"The sheet has more than {MAX_CELLS:,} cells.",
                "",
                "Save it as CSV with the columns that matter, and upload that.",
            )
    while records and not records[-1]:
        records.pop()
    width = max((len(record) for record in records), default=0)
    return [record + [None] * (width - len(record)) for record in records]


def _with_formulas(data: bytes, records: list[list[Any]], notes: list[str]) -> list[list[Any]]:
    """Cells whose formula was never computed show the formula itself, as text; it is never computed here."""
    if not _has_formulas(data):
        return records
    _, written, _ = _first_sheet(data, values=False)
    formulas = uncomputed = 0
    for row, record in enumerate(written):
        for position, cell in enumerate(record):
            if not (isinstance(cell, str) and cell.startswith("=")) or row >= len(records):
                continue
            formulas += 1
            if position >= len(records[row]):
                records[row] += [None] * (position + 1 - len(records[row]))
            if records[row][position] is None:
                records[row][position] = cell
                uncomputed += 1
    if formulas:
        rest = f", but {uncomputed:,} were never computed and stand here as text" if uncomputed else ""
        notes.append(f"{formulas:,} cells hold formulas; the values that Excel computed last were read{rest}.")
    return records


def _has_formulas(data: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        for member in book.namelist():
            if member.startswith("xl/worksheets/"):
                with book.open(member) as stream:
                    if re.search(rb"<f[ >/]", stream.read(50_000_000)):
                        return True
    return False


#: First bytes of pictures and recordings -> the ending of their names.
_MEDIA = (
    (b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"), (b"BM", "bmp"), (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"), (b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3", "mp3"), (b"\xff\xfb", "mp3"),
    (b"\xff\xf3", "mp3"),
)  # fmt: skip
_SOUNDS = ("wav", "flac", "ogg", "mp3")


def _media_ending(data: bytes) -> str | None:
    if data[:4] == b"RIFF":
        return {b"WAVE": "wav", b"WEBP": "webp"}.get(data[8:12])
    return next((ending for start, ending in _MEDIA if data.startswith(start)), None)


def _media_bytes(cell: Any) -> bytes | None:
    """The bytes of a picture or recording as the Hub's data sets keep them: {"bytes": …, "path": …}, or plain."""
    found = cell.get("bytes") if isinstance(cell, dict) else cell
    return found if isinstance(found, bytes) and found else None


def media_cells(data: bytes) -> list[bytes | None]:
    """The bytes of the first column of pictures or recordings, a row each; a cell without any is None."""
    import pyarrow.parquet as parquet  # noqa: PLC0415  only Parquet needs it

    arrow = parquet.read_table(io.BytesIO(data))
    for column in arrow.columns:
        cells = column.to_pylist()
        if _media_kind(cells):
            return [_media_bytes(cell) for cell in cells]
    return []


def _media_kind(cells: list[Any]) -> str | None:
    """Whether most cells hold pictures ("image") or recordings ("audio")."""
    present = [found for cell in cells if (found := _media_bytes(cell)) is not None]
    endings = [ending for found in present[:50] if (ending := _media_ending(found))]
    if not endings or len(endings) < 0.5 * len(present[:50]) or len(present) < 0.5 * len(cells):
        return None
    return "audio" if endings[0] in _SOUNDS else "image"


def read_parquet(data: bytes, name: str) -> tuple[str, pd.DataFrame, list[str]]:
    """All rows of a Parquet file, typed values kept, dates as ISO texts; the first column of pictures or recordings
    becomes a column of names (image/000012.png is the one of row 12).

    Returns:
        The format (parquet, parquet-images, parquet-audio), the frame and the notes.

    Raises:
        PlainError: file-unreadable, file-too-large.
    """
    import pyarrow.parquet as parquet  # noqa: PLC0415  only Parquet needs it

    notes: list[str] = []
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        arrow = _read_capped(file, name)
        form, columns = _parquet_columns([column.to_pylist() for column in arrow.columns])
        names = [str(column) for column in arrow.column_names]
    except PlainError:
        raise
    except Exception as error:
        raise _damaged(name, "a Parquet file", error) from error
    keep = [position for position, column in enumerate(names) if column != "__index_level_0__"]
    return form, make_frame(unique_names([names[p] for p in keep], notes), [columns[p] for p in keep]), notes


def _parquet_columns(columns: list[list[Any]]) -> tuple[str, list[list[Any]]]:
    """The format, and the columns as plain values."""
    form, plain = "parquet", []
    for cells in columns:
        kind = _media_kind(cells) if form == "parquet" else None
        if kind is None:
            plain.append([clean_value(cell) for cell in cells])
            continue
        form = "parquet-images" if kind == "image" else "parquet-audio"
        found = [_media_bytes(cell) for cell in cells]
        plain.append(
            [
                f"{kind}/{row:06}.{_media_ending(data) or 'bin'}" if data is not None else None
                for row, data in enumerate(found, start=1)
            ]
        )
    return form, plain


def _read_capped(file: Any, name: str) -> Any:
    """All rows, batch by batch: a few bytes of Parquet can stand for gigabytes of repeated texts."""
    from pyarrow import Table as ArrowTable  # noqa: PLC0415  only Parquet needs it

    rows, width = file.metadata.num_rows, file.metadata.num_columns
    batches: list[Any] = []
    size = 0
    if rows * max(1, width) <= MAX_CELLS:
        for batch in file.iter_batches(batch_size=1_000):
            size += batch.nbytes
            if size > MAX_PARQUET_BYTES:
                break
            batches.append(batch)
        else:
            return ArrowTable.from_batches(batches, schema=file.schema_arrow)
    raise PlainError(
        "file-too-large",
        f"{name} holds {rows:,} rows of {width} columns, or texts of more than 2 GB.",
        f"At most {MAX_CELLS:,} cells and 2 GB are read.",
        "Upload a part of the rows.",
    )


def _damaged(name: str, what: str, error: Exception) -> PlainError:
    reason = " ".join(str(error).split())[:200]
    return PlainError(
        "file-unreadable",
        f"{name} looks like {what}, but it cannot be opened ({type(error).__name__}{': ' + reason if reason else ''}).",
        "It is damaged, locked by a password, or was cut off while it was copied.",
        "Open it in the program that wrote it, save it again as CSV, and upload that.",
    )
