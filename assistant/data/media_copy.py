"""A mended copy of a zip of pictures or recordings: the rows that are left, with their columns in metadata.jsonl."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path, PurePosixPath

from assistant.data.media import contents, role_of
from assistant.data.table import Table, plain_cell


def write_media(table: Table, out: Path) -> None:
    """Write a zip with the media of the table's rows, and a metadata.jsonl that names their other columns."""
    role = str(role_of(table))
    columns = [name for name in table.columns if name != role]
    lines = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        cells = table.frame.to_dict("records")
        taken: set[str] = set()
        for row, (values, data) in enumerate(zip(cells, contents(table), strict=True), start=1):
            name = str(values[role] or "")
            if not name or name in taken or name == "metadata.jsonl":
                name = f"media/{row:06}{PurePosixPath(name).suffix.lower()}"
            taken.add(name)
            archive.writestr(name, data or b"")
            lines.append({"file_name": name, **{column: plain_cell(values[column]) for column in columns}})
        archive.writestr("metadata.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
