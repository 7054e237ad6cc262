"""Small files for the tests, made in memory."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from assistant.data.table import Table, read_bytes


def read(content: str | bytes, name: str = "data.csv") -> Table:
    return read_bytes(content.encode() if isinstance(content, str) else content, name)


def rows(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, cells, strict=True)) for cells in table.frame.itertuples(index=False, name=None)]


def zip_of(members: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def xlsx_of(*sheets: list[list[Any]]) -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for number, records in enumerate(sheets, start=1):
        sheet = book.create_sheet(f"Sheet{number}")
        for record in records:
            sheet.append(record)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def save(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
