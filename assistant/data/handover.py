"""Pictures and recordings for a run: unpacked beside its rows, under names of our own.

    unpack_media(table, Path("runs/1/data/train.jsonl"))     runs/1/data/media/train/000001.png, …

No name from an archive is used as it is: of a file's own name only a known ending is kept.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from assistant.data.archive import IMAGES, SOUNDS
from assistant.data.media import contents, role_of
from assistant.data.table import Table

#: The column that keeps the name under which a person knows the file.
OWN_NAME = "file"


def unpack_media(table: Table, rows: Path) -> Table:
    """Write the media of a table's rows beside its file of rows.

    Args:
        table: with `content`; others come back as they are.
        rows: the file of rows, which need not exist yet.

    Returns:
        The table with paths relative to the folder of `rows`, and the names that the person knows in the column file.
    """
    role = role_of(table)
    if role is None or role not in table.columns:
        return table
    folder = rows.parent / "media" / rows.stem
    folder.mkdir(parents=True, exist_ok=True)
    own = table.frame[role].tolist()
    paths: list[str | None] = []
    for number, (name, data) in enumerate(zip(own, contents(table), strict=True), start=1):
        if data is None:
            paths.append(None)
            continue
        suffix = PurePosixPath(str(name)).suffix.lower()
        path = folder / f"{number:06}{suffix if suffix in IMAGES | SOUNDS else ''}"
        path.write_bytes(data)
        paths.append(path.relative_to(rows.parent).as_posix())
    frame = table.frame.copy()
    frame[role] = paths
    if OWN_NAME not in frame.columns:
        frame[OWN_NAME] = own
    return replace(table, frame=frame)
