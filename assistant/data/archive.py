"""Zip files: class folders of texts, pictures or recordings, a metadata file beside media, or one table inside.

Nothing is ever written to disk, so no name inside an archive can reach a file outside of it; what an archive claims is
checked before anything is unpacked, and every member is read with a cap, because claims can be false.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from assistant.data.cells import make_frame, row_list
from assistant.data.encoding import decode
from assistant.data.names import words
from assistant.errors import PlainError

#: What a zip may claim to unpack to, and how much smaller than that it may be (deflate itself ends at 1,032).
MAX_UNPACKED_BYTES = 2 * 1024**3 - 1
MAX_RATIO = 200
RATIO_MATTERS_FROM = 50 * 1024**2
MAX_MEMBERS = 100_000
MAX_TEXT_BYTES = 5 * 1024**2
MAX_TABLE_BYTES = 500 * 1024**2

IMAGES = frozenset(words(".png .jpg .jpeg .gif .bmp .webp .tif .tiff"))
SOUNDS = frozenset(words(".wav .flac .mp3 .ogg .m4a .opus .aac .wma .aiff .aif"))
#: Formats whose rows name pictures or recordings inside the file.
MEDIA_FORMATS = ("zip-images", "zip-audio", "parquet-images", "parquet-audio")
TABLES = frozenset(words(".csv .tsv .json .jsonl .ndjson .parquet .xlsx .conll"))
TEXTS = frozenset(words(".txt .text .md"))
_PARTS = frozenset(words("train training test testing val valid validation dev eval"))
#: Names of folders that part the rows instead of naming a class.
SPLITS = _PARTS | frozenset(words("data dataset images image audio wavs clips files"))
_METADATA = re.compile(r"(metadata|labels?|annotations?|transcripts?|index|manifest|train|data)\.", re.IGNORECASE)

TableReader = Callable[[bytes, str], tuple[pd.DataFrame, list[str]]]


def open_archive(data: bytes, name: str) -> zipfile.ZipFile:
    """The archive, after its claims were found harmless.

    Raises:
        PlainError: file-unreadable (damaged, locked), archive-unsafe (paths that lead outside, a zip bomb),
            file-too-large (it claims too much).
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, IndexError, OverflowError) as error:
        raise damaged(name, str(error)) from error
    _check_size(members, len(data), name)
    for member in members:
        _check_member(member, name)
    return archive


def _check_size(members: list[zipfile.ZipInfo], size: int, name: str) -> None:
    claimed = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS:
        raise PlainError(
            "file-too-large", f"{name} holds {len(members):,} files.", f"At most {MAX_MEMBERS:,} are read.",
            "Pack a part of them.",
        )  # fmt: skip
    if claimed > MAX_UNPACKED_BYTES:
        raise PlainError(
            "file-too-large", f"{name} claims to unpack to {claimed / 1024**3:,.1f} GB.",
            "At most 2 GB are unpacked, so it was not opened.", "Pack a part of the files, or smaller ones.",
        )  # fmt: skip
    if claimed > RATIO_MATTERS_FROM and claimed > MAX_RATIO * size:
        raise PlainError(
            "archive-unsafe",
            f"{name} has {size / 1024:,.0f} KB but claims to unpack to {claimed / 1024**2:,.0f} MB.",
            "Real texts, pictures and sounds do not shrink that much; it looks like a zip bomb and was not opened.",
            "Pack your files anew, and upload that.",
        )


def check_unpacked(archive: zipfile.ZipFile, name: str, most: int) -> None:
    """Refuse an archive that claims to unpack to more than `most` bytes.

    Raises:
        PlainError: file-too-large.
    """
    claimed = sum(member.file_size for member in archive.infolist())
    if claimed > most:
        raise PlainError(
            "file-too-large", f"{name} unpacks to {claimed / 1024**2:,.0f} MB.",
            f"At most {most // 1024**2} MB of it can be read.", "Save it as CSV with the columns that matter.",
        )  # fmt: skip


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    path = member.filename
    outside = path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path) or ".." in re.split(r"[/\\]", path)
    if outside or "\0" in getattr(member, "orig_filename", ""):
        raise PlainError(
            "archive-unsafe",
            f"{name} holds a file whose name leads outside of the archive: {path[:80]}",
            "Names must be plain, as cats/photo1.png; the archive was not opened.",
            "Pack the folder anew from inside, and upload that.",
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise PlainError(
            "archive-unsafe",
            f"{name} holds a link ({path[:80]}) instead of a file.",
            "Links are not followed.",
            "Pack the files themselves, and upload that.",
        )
    if member.flag_bits & 0x1:
        raise PlainError(
            "file-unreadable", f"{name} is locked by a password.", "Only open archives can be read.",
            "Pack the files without a password, and upload that.",
        )  # fmt: skip


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, cap: int) -> bytes:
    """The content of one member, at most `cap` bytes of it whatever the archive claims.

    Raises:
        PlainError: file-too-large, file-unreadable.
    """
    try:
        with archive.open(member) as stream:
            data = stream.read(cap + 1)
    except Exception as error:
        raise damaged(name, f"{member.filename[:80]}: {error}") from error
    if len(data) > cap:
        raise PlainError(
            "file-too-large",
            f"{member.filename[:80]} inside {name} is larger than {cap // 1024**2} MB.",
            "",
            "Upload a part of it.",
        )
    return data


def damaged(name: str, reason: str) -> PlainError:
    """The error for an archive that cannot be opened."""
    return PlainError(
        "file-unreadable",
        f"{name} looks like a zip file, but it cannot be opened ({' '.join(reason.split())[:160]}).",
        "It is damaged, or was cut off while it was copied.",
        "Pack the files anew, and upload that.",
    )


def read_archive(data: bytes, name: str, read_table_bytes: TableReader) -> tuple[str, pd.DataFrame, list[str]]:
    """Rows of a zip file.

    Args:
        data: the archive.
        name: its name, for sentences.
        read_table_bytes: reads a table inside the archive from its bytes and name.

    Returns:
        The format (zip-images, zip-audio, zip-text, or zip with the table's), the frame and the notes. Pictures and
        recordings are listed by their path in the archive, not read.

    Raises:
        PlainError: see `open_archive`; file-unsupported, when it holds nothing to learn from.
    """
    with open_archive(data, name) as archive:
        members = [member for member in archive.infolist() if _is_content(member)]
        if not members:
            raise PlainError(
                "file-empty", f"{name} holds no files.", "", "Pack your texts, pictures or recordings, and upload that."
            )
        images, sounds = _of(members, IMAGES), _of(members, SOUNDS)
        tables, texts = _of(members, TABLES), _of(members, TEXTS)
        if images or sounds:
            role, media = ("image", images) if len(images) >= len(sounds) else ("audio", sounds)
            frame, notes = _read_media(archive, name, role, media, [*tables, *texts], read_table_bytes)
            return f"zip-{'images' if role == 'image' else role}", frame, notes
        if tables:
            return "zip", *_read_inner_table(archive, name, tables, read_table_bytes)
        if texts:
            return "zip-text", *_read_texts(archive, name, texts, read_table_bytes)
    kinds = sorted({PurePosixPath(member.filename).suffix.lower() or "no extension" for member in members})
    raise PlainError(
        "file-unsupported",
        f"{name} holds {len(members):,} files of kinds that cannot be read ({', '.join(kinds[:6])}).",
        "A zip may hold texts (.txt), pictures (.png, .jpg), recordings (.wav, .mp3), or a table (.csv, .jsonl).",
        "Put the files of each class into a folder of its name, pack the folders, and upload that.",
    )


def _is_content(member: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(member.filename).parts
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts) or "Thumbs.db" in parts
    return not member.is_dir() and bool(parts) and not hidden


def _of(members: list[zipfile.ZipInfo], suffixes: frozenset[str]) -> list[zipfile.ZipInfo]:
    return [member for member in members if PurePosixPath(member.filename).suffix.lower() in suffixes]


def folder_label(path: str) -> str | None:
    """The class that a path names by its folder; None for files at the top or in folders as train/ or images/."""
    folders = PurePosixPath(path).parts[:-1]
    return folders[-1] if folders and folders[-1].lower() not in SPLITS else None


def folder_split(path: str) -> str | None:
    """The part of the data that a path names by a folder (train, test …); None when it names none."""
    return next((part.lower() for part in PurePosixPath(path).parts[:-1] if part.lower() in _PARTS), None)


def _folder_columns(paths: list[str], notes: list[str]) -> dict[str, list[Any]]:
    """Columns label and split from the folders, where they say something."""
    labels = [folder_label(path) for path in paths]
    columns: dict[str, list[Any]] = {}
    if len(set(labels) - {None}) == 1 and len({PurePosixPath(path).parent for path in paths}) == 1:
        notes.append(f"All files lie in one folder ({labels[0]}), so no classes can be told from folders.")
    elif any(labels):
        columns["label"] = labels
        notes.append(f"The folder of each file was read as its label: {len(set(labels) - {None})} folders.")
    splits = [folder_split(path) for path in paths]
    if len(set(splits)) > 1:
        columns["split"] = splits
    return columns


def _read_media(
    archive: zipfile.ZipFile, name: str, role: str, media: list[zipfile.ZipInfo], others: list[zipfile.ZipInfo],
    read_table_bytes: TableReader,
) -> tuple[pd.DataFrame, list[str]]:  # fmt: skip
    paths = [member.filename for member in media]
    notes: list[str] = []
    tables = sorted(others, key=lambda m: (_METADATA.match(PurePosixPath(m.filename).name) is None, m.filename))
    for member in tables[:20]:
        cap = min(MAX_TABLE_BYTES, MAX_TEXT_BYTES * 10)
        try:
            table, inner = read_table_bytes(read_member(archive, member, name, cap), member.filename)
        except PlainError:
            continue
        joined = _join(table, paths, role, member.filename, notes)
        if joined is not None:
            return joined, [*inner, *notes]
    columns = _folder_columns(paths, notes)
    return make_frame([role, *columns], [paths, *columns.values()]), notes


def _join(table: pd.DataFrame, paths: list[str], role: str, source: str, notes: list[str]) -> pd.DataFrame | None:
    """The rows of a metadata file whose media are in the archive; None when no column of it names them."""
    folder = PurePosixPath(source).parent
    by_key: dict[str, str] = {}
    for path in paths:
        inside = PurePosixPath(path)
        for key in (inside.stem, inside.name, path):  # later ones win: the whole path is the surest
            by_key[key] = path
    for column in table.columns:
        cells = [cell if isinstance(cell, str) else "" for cell in table[column]]
        found = [by_key.get(str(folder / cell)) or by_key.get(cell.removeprefix("./")) for cell in cells]
        hits = sum(path is not None for path in found)
        if not hits or hits < 0.5 * min(len(found), len(paths)):
            continue
        missing = [row for row, path in enumerate(found, start=2) if path is None]
        if missing:
            notes.append(
                f"{len(missing):,} rows of {source} name files that are not in the zip (line {row_list(missing)}); "
                "they were left out."
            )
        unlisted = len(set(paths) - set(found))
        if unlisted:
            notes.append(f"{unlisted:,} files in the zip are not named in {source}; they were left out.")
        keep = [row for row, path in enumerate(found) if path is not None]
        rest = [name for name in table.columns if name != column]
        names = [role, *(f"{name}_2" if name == role else name for name in rest)]
        values = [[found[row] for row in keep], *([table[name].iloc[row] for row in keep] for name in rest)]
        return make_frame(names, values)
    return None


def _read_inner_table(
    archive: zipfile.ZipFile, name: str, tables: list[zipfile.ZipInfo], read_table_bytes: TableReader
) -> tuple[pd.DataFrame, list[str]]:
    first = min(tables, key=lambda m: ("train" not in m.filename.lower(), "test" in m.filename.lower(), m.filename))
    frame, notes = read_table_bytes(read_member(archive, first, name, MAX_TABLE_BYTES), first.filename)
    if len(tables) > 1:
        notes.insert(0, f"{name} holds {len(tables)} tables; {first.filename} was read.")
    return frame, notes


def _read_texts(
    archive: zipfile.ZipFile, name: str, texts: list[zipfile.ZipInfo], read_table_bytes: TableReader
) -> tuple[pd.DataFrame, list[str]]:
    if len(texts) == 1:
        return read_table_bytes(read_member(archive, texts[0], name, MAX_TABLE_BYTES), texts[0].filename)
    notes: list[str] = []
    contents: list[str] = []
    repaired: list[str] = []
    for member in texts:
        text, odd = decode(read_member(archive, member, name, MAX_TEXT_BYTES))
        contents.append(text.strip())
        repaired += [member.filename] if odd else []
    if repaired:
        notes.append(
            f"{len(repaired):,} files are not in the encoding UTF-8 ({repaired[0]} is one); they were read "
            "all the same."
        )
    paths = [member.filename for member in texts]
    columns = _folder_columns(paths, notes)
    if "label" not in columns:
        columns = {"file": list(paths), **columns}
    return make_frame(["text", *columns], [contents, *columns.values()]), notes
