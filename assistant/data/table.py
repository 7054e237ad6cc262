"""Any file that a beginner brings becomes a Table, or one plain sentence says why it cannot.

The content decides what a file is, its name only where the content leaves it open. Files are read, never run: no
pickle, no eval, no macros, nothing unpacked to disk.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from assistant.data import archive, sheets
from assistant.data.cells import clean_value
from assistant.data.delimited import read_delimited
from assistant.data.encoding import decode, wide_encoding
from assistant.data.plain_text import read_text
from assistant.data.records import looks_like_json, read_json
from assistant.errors import PlainError

MAX_BYTES = 200 * 1024**2

#: Every code of a PlainError that reading a file can raise.
ERROR_CODES = (
    "archive-unsafe", "file-empty", "file-missing", "file-too-large", "file-unreadable", "file-unsupported", "no-rows",
)  # fmt: skip

READABLE = (
    "I can read CSV, TSV, JSON, JSONL, Parquet, Excel (.xlsx), plain text, and zip files of texts, pictures or "
    "recordings."
)
_ONE_PICTURE = "Put the pictures of each class into a folder of its name, zip the folders, and upload that."
_ONE_SOUND = "Put the recordings of each class into a folder of its name, zip the folders, and upload that."

#: First bytes -> what the file is, in words, and what to do instead.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"MZ", "a Windows program", "Upload the file with your examples instead."),
    (b"\x7fELF", "a Linux program", "Upload the file with your examples instead."),
    (b"%PDF", "a PDF document", "Copy its table into a spreadsheet, save that as CSV, and upload it."),
    (b"\x89PNG", "a picture", _ONE_PICTURE),
    (b"\xff\xd8\xff", "a picture", _ONE_PICTURE),
    (b"GIF8", "a picture", _ONE_PICTURE),
    (b"RIFF", "a recording or a video", _ONE_SOUND),
    (b"ID3", "a recording", _ONE_SOUND),
    (b"OggS", "a recording", _ONE_SOUND),
    (b"fLaC", "a recording", _ONE_SOUND),
    (b"\xd0\xcf\x11\xe0", "an old Office file (.xls or .doc)", "Open it, save it as .xlsx or CSV, and upload that."),
    (b"\x1f\x8b", "a gzip file", "Unpack it, and upload the file inside, or pack it as a zip."),
    (b"BZh", "a bzip2 file", "Unpack it, and upload the file inside, or pack it as a zip."),
    (b"\xfd7zXZ", "an xz file", "Unpack it, and upload the file inside, or pack it as a zip."),
    (b"7z\xbc\xaf", "a 7-Zip file", "Unpack it, and pack the files as a zip."),
    (b"Rar!", "a RAR file", "Unpack it, and pack the files as a zip."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV, and upload that."),
    (b"\x93NUMPY", "a NumPy array", "Save the examples as CSV with their texts and labels, and upload that."),
    (b"\x89HDF", "an HDF5 file", "Save the examples as CSV with their texts and labels, and upload that."),
    (b"ARROW1", "an Arrow file", "Save it as Parquet or CSV, and upload that."),
    (b"{\\rtf", "an RTF document", "Save it as plain text or CSV, and upload that."),
)  # fmt: skip

#: A member that tells which kind of document a zip really is.
_DOCUMENTS = (
    ("word/document.xml", "a Word document", "Copy its table into a spreadsheet, save that as CSV, and upload it."),
    ("ppt/presentation.xml", "a PowerPoint presentation", "Save the examples as CSV, and upload that."),
    ("content.xml", "an OpenDocument file", "Save it as .xlsx or CSV, and upload that."),
    ("META-INF/MANIFEST.MF", "a Java program", "Upload the file with your examples instead."),
    ("data.pkl", "a PyTorch file", "Upload the file with your examples instead."),
)


@dataclass(frozen=True)
class Table:
    """Rows as they stand in a file.

    Attributes:
        name: the file's name as the person knows it.
        format: csv, txt, conll, fasttext, json, jsonl, xlsx, parquet, parquet-images, parquet-audio, zip, zip-text,
            zip-images, zip-audio.
        frame: one row an example; dtype object, texts as str, missing cells None, lists and records as they are.
        notes: what was guessed or repaired while reading, as sentences.
        content: the file itself, where the rows name pictures or recordings inside it.
    """

    name: str
    format: str
    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    content: bytes | None = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.frame)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the file's order."""
        return [str(name) for name in self.frame.columns]


def read_table(path: Path | str, name: str | None = None) -> Table:
    """Read a file of any supported kind.

    Args:
        path: where the file lies.
        name: its name as the person knows it; default: the path's last part.

    Raises:
        PlainError: with a code of `ERROR_CODES`, whatever is wrong with the file.
    """
    path = Path(path)
    name = name or path.name
    try:
        if not path.is_file():
            raise PlainError(
                "file-missing", f"There is no file {name}.", "", "Check the name, or upload the file again."
            )
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise PlainError(
                "file-too-large",
                f"{name} has {size / 1024**2:,.0f} MB.",
                f"At most {MAX_BYTES // 1024**2} MB can be uploaded.",
                "Upload a part of it; some thousand rows are often enough.",
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise PlainError(
            "file-unreadable", f"{name} cannot be opened ({error}).", "", "Check the file, and upload it again."
        ) from error
    return read_bytes(data, name)


def read_bytes(data: bytes, name: str) -> Table:
    """Read a file's content; `name` only decides where the content could be several things.

    Raises:
        PlainError: as `read_table`.
    """
    if not data or not data.strip(b"\0\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise PlainError(
            "file-empty",
            f"{name} is empty: there is nothing in it.",
            "A file with one row for each example is expected.",
            "Check that the file was saved, and upload it again.",
        )
    try:
        form, frame, notes = _read(data, name)
    except (RecursionError, MemoryError) as error:
        raise PlainError(
            "file-too-large", f"{name} is too large or too deeply nested to read.", "", "Upload a part of it."
        ) from error
    if frame.empty:
        header = ", ".join(map(str, frame.columns))[:200]
        raise PlainError(
            "no-rows",
            f"{name} holds no rows" + (f", only the header {header}." if header else "."),
            "A row for each example is expected below the header.",
            "Add your examples, and upload it again.",
        )  # fmt: skip
    content = data if form in archive.MEDIA_FORMATS else None
    return Table(name, form, frame.reset_index(drop=True), notes, content)


def _read(data: bytes, name: str) -> tuple[str, pd.DataFrame, list[str]]:
    suffix = Path(name).suffix.lower()
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _read_zip(data, name)
    if data.startswith(b"PAR1"):
        return sheets.read_parquet(data, name)
    _refuse_binary(data, name)
    text, repairs = decode(data)
    if looks_like_json(text) or suffix in (".json", ".jsonl", ".ndjson"):
        form, frame, notes = read_json(text, name)
    elif text.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<?xml")):
        raise _unsupported(name, "a web page or XML", "Save the table as CSV, and upload that.")
    elif suffix in (".csv", ".tsv", ".tab", ".psv"):
        form, (frame, notes) = "tsv" if suffix in (".tsv", ".tab") else "csv", read_delimited(text)
    else:
        form, frame, notes = read_text(text)
    return form, frame, [*repairs, *notes]


def _read_zip(data: bytes, name: str) -> tuple[str, pd.DataFrame, list[str]]:
    with archive.open_archive(data, name) as opened:
        members = set(opened.namelist())
        if "xl/workbook.xml" in members:
            archive.check_unpacked(opened, name, archive.MAX_TABLE_BYTES)
    if "xl/workbook.xml" in members:
        return "xlsx", *sheets.read_xlsx(data, name)
    for member, what, fix in _DOCUMENTS:
        if any(found == member or (found.endswith("/" + member) and member == "data.pkl") for found in members):
            raise _unsupported(name, what, fix)
    return archive.read_archive(data, name, _read_inside)


def _read_inside(data: bytes, name: str) -> tuple[pd.DataFrame, list[str]]:
    """A table inside an archive; an archive inside an archive is not opened."""
    if data.startswith(b"PK") and not name.lower().endswith(".xlsx"):
        raise _unsupported(name, "an archive inside an archive", "Upload the inner one.")
    table = read_bytes(data, name)
    return table.frame, table.notes


def _refuse_binary(data: bytes, name: str) -> None:
    """Raise for what is no text: known first bytes, or many control characters."""
    for signature, what, fix in _SIGNATURES:
        if data.startswith(signature) and (len(signature) > 2 or not _mostly_text(data)):
            raise _unsupported(name, what, fix)
    if data[4:8] == b"ftyp":
        raise _unsupported(name, "a video or a recording", "Upload the file with your examples instead.")
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        fix = "Save the examples as CSV or JSONL, and upload that."
        raise _unsupported(name, "a Python pickle, which could run code and is never opened", fix)
    if not _mostly_text(data):
        raise _unsupported(name, "no text but binary data", "Save the examples as CSV, and upload that.")


def _mostly_text(data: bytes) -> bool:
    head = data[:65_536]
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")) or wide_encoding(head):
        return True
    control = sum(head.count(byte) for byte in (*range(9), *range(14, 27), *range(28, 32), 127))
    return control <= max(0.02 * len(head), 3)


def _unsupported(name: str, what: str, fix: str) -> PlainError:
    return PlainError("file-unsupported", f"{name} is {what}; it cannot be read as examples.", READABLE, fix)


def write_rows(table: Table, path: Path | str) -> None:
    """Write the canonical copy: JSON lines in UTF-8, one object a row, missing cells null, texts as they are."""
    names = table.columns
    columns = [table.frame[name].tolist() for name in table.frame.columns]
    with Path(path).open("w", encoding="utf-8", newline="\n") as stream:
        for cells in zip(*columns, strict=True):
            row = {name: plain_cell(cell) for name, cell in zip(names, cells, strict=True)}
            stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def plain_cell(cell: Any) -> Any:
    """A cell as JSON takes it: missing numbers are null."""
    if cell is None or isinstance(cell, (str, bool, int)):
        return cell
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    return clean_value(cell)
