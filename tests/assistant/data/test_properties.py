"""Whatever bytes come in: rows come out, or one PlainError, and nothing else."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from files import xlsx_of, zip_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.data.doctor import check
from assistant.data.profile import profile
from assistant.data.roles import guess_tasks
from assistant.data.table import ERROR_CODES, Table, read_bytes, read_table, write_rows
from assistant.errors import PlainError

QUIET = settings(deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))
NAMES = ["x.csv", "x.tsv", "x.json", "x.jsonl", "x.txt", "x.zip", "x.xlsx", "x.parquet", "x", "x.bin"]

#: Bytes that look like something: more of the readers is reached than by noise.
SCRAPS = [
    *(b"text,label\n", b"\n", b"\r\n", b'"', b'""', b",", b";", b"\t", b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"a\0"),
    *(b"[", b"]", b"{", b"}", b'{"text": "a"}', b'{"text": ["a", 1, null]}', b'"\\ud800"', b"NaN", b"1e999"),
    *(b"PK\x03\x04", b"PAR1", b"MZ", b"%PDF", b"O\n", b"EU B-ORG\n", b"__label__a b\n", b"=1+1", b"<br>", b"sep=;\n"),
    *("Jörg".encode(), "Jörg".encode("cp1252"), "日本".encode("shift_jis"), b"1,5", b"['a', 'b']", b"-1", b"x" * 100),
]
BYTES = st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(SCRAPS), max_size=30).map(b"".join))
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
#: What people can type into a cell.
TYPED = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], include_characters="\n\t"), min_size=1)


def read_or_refuse(data: bytes, name: str) -> Table | None:
    try:
        return read_bytes(data, name)
    except PlainError as error:
        assert error.code in ERROR_CODES and error.what
        return None


def use(table: Table) -> None:
    """All that happens to an upload."""
    assert table.rows > 0 and len(set(table.columns)) == len(table.columns)
    seen = profile(table)
    seen.model_dump_json()
    best = guess_tasks(seen)[0]
    for finding in check(table, seen, best):
        finding.model_dump_json()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_rows(table, path)
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        assert len(lines) == table.rows
        for line in lines:
            json.loads(line, parse_constant=pytest.fail)


@QUIET
@given(data=BYTES, name=st.sampled_from(NAMES))
def test_any_bytes_under_any_name(data: bytes, name: str) -> None:
    table = read_or_refuse(data, name)
    if table is not None:
        use(table)


@QUIET
@given(data=BYTES, at=st.integers(0, 10_000), kind=st.sampled_from(["zip", "xlsx"]))
def test_archives_with_damage_anywhere(data: bytes, at: int, kind: str) -> None:
    whole = ARCHIVES[kind]
    at %= len(whole)
    table = read_or_refuse(whole[:at] + data + whole[at + len(data) :], f"x.{kind}")
    if table is not None:
        use(table)


ARCHIVES = {
    "zip": zip_of({"a/1.txt": "hello there", "b/2.txt": "good bye", "m.csv": "file,text\n1.txt,x\n"}),
    "xlsx": xlsx_of([["text", "label"], ["fine", "a"], ["=1+1", "b"]]),
}


@QUIET
@given(members=st.dictionaries(st.text(min_size=1, max_size=12), st.binary(max_size=60), max_size=5))
def test_any_members_in_a_zip(members: dict[str, bytes]) -> None:
    try:
        content = zip_of(members)
    except (UnicodeEncodeError, ValueError, IndexError):
        return  # not a name that a zip can hold
    table = read_or_refuse(content, "x.zip")
    if table is not None:
        use(table)


@QUIET
@given(rows=st.lists(st.tuples(VALUES, st.text(max_size=30)), min_size=1, max_size=6))
def test_what_is_written_reads_back_the_same(rows: list[tuple[Any, str]]) -> None:
    frame = pd.DataFrame({"value": [row[0] for row in rows], "text": [row[1] + "." for row in rows]}, dtype=object)
    frame["value"] = pd.Series([row[0] for row in rows], dtype=object)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_rows(Table("rows.jsonl", "jsonl", frame), path)
        back = read_table(path)
    clean = [text.encode("utf-8", "replace").decode("utf-8") for text in frame["text"]]
    assert back.frame["text"].tolist() == clean
    assert [None if value == "" else value for value in frame["value"]] == back.frame["value"].tolist()


@settings(QUIET, max_examples=60)
@given(cells=st.lists(st.tuples(TYPED, st.sampled_from("ab")), min_size=3, max_size=8))
def test_what_csv_writers_write_is_read_as_it_was(cells: list[tuple[str, str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([("text", "label"), *cells])
    table = read_bytes(stream.getvalue().encode(), "x.csv")
    assert table.columns == ["text", "label"]
    assert list(table.frame["label"]) == [label for _, label in cells]
    if all(not text.strip().startswith("[") for text, _ in cells):
        assert list(table.frame["text"]) == [text for text, _ in cells]
