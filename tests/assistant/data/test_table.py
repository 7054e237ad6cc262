"""Every file that a beginner brings is read, or refused in one plain sentence."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from files import read, rows, save, xlsx_of, zip_of

from assistant.data import archive, delimited, sheets
from assistant.data import table as table_module
from assistant.data.table import ERROR_CODES, Table, read_table, write_rows
from assistant.errors import PlainError


def refused(content: str | bytes, name: str) -> PlainError:
    with pytest.raises(PlainError) as caught:
        read(content, name)
    assert caught.value.code in ERROR_CODES
    assert name in caught.value.text()
    return caught.value


# ---------------------------------------------------------------- delimited


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~"])
def test_any_delimiter(delimiter: str) -> None:
    lines = [
        ("text", "label"),
        ("good, very good", "pos"),
        ("bad: awful", "neg"),
        ("fine; really", "pos"),
        ("so so", "neg"),
    ]
    content = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    found = rows(read(content))
    assert found[0] == {"text": "good, very good", "label": "pos"}
    assert found[2] == {"text": "fine; really", "label": "pos"}


def test_the_delimiter_that_excel_declares() -> None:
    assert rows(read("sep=|\ntext|label\na;b,c|x\n")) == [{"text": "a;b,c", "label": "x"}]


def test_cells_stay_the_text_that_was_written() -> None:
    content = "text,label\nNone of it works,NA\nnull,1\n007,None\n,nan\n1.0,true\n"
    assert rows(read(content)) == [
        {"text": "None of it works", "label": "NA"},
        {"text": "null", "label": "1"},
        {"text": "007", "label": "None"},
        {"text": None, "label": "nan"},
        {"text": "1.0", "label": "true"},
    ]


def test_quoted_line_breaks_and_doubled_quotes() -> None:
    content = 'text,label\r\n"first line\r\nsecond, line",a\r\n"She said ""no""",b\r\n'
    assert rows(read(content)) == [
        {"text": "first line\nsecond, line", "label": "a"},
        {"text": 'She said "no"', "label": "b"},
    ]


def test_a_quote_that_never_closes_costs_one_row_only() -> None:
    found = read('text,label\nok,a\n"never closed,b\nlater,a\n"quoted, later",b\n')
    assert [row["text"] for row in rows(found)] == ["ok", "never closed", "later", "quoted, later"]
    assert any("quotation marks that do not match (line 3)" in note for note in found.notes)


def test_ragged_rows_are_told_and_kept() -> None:
    found = read("a_text;b;label\nx;y;pos\nonly\np;q;neg;extra;more\nr;s;pos;\n;;\n")
    assert [row["a_text"] for row in rows(found)] == ["x", "only", "p", "r"]
    assert rows(found)[1] == {"a_text": "only", "b": None, "label": None}
    assert any("fewer cells" in note and "line 3" in note for note in found.notes)
    assert any("more cells" in note and "line 4" in note for note in found.notes)
    assert any("1 row without any content" in note for note in found.notes)


def test_a_text_with_unquoted_commas_is_joined_again() -> None:
    content = "text,label\nfine,pos\nugly,neg\nnice,pos\nwell, I liked it, really,pos\nno,neg\n"
    assert rows(read(content))[3] == {"text": "well, I liked it, really", "label": "pos"}


def test_a_file_without_a_header_gets_column_names() -> None:
    content = "\n".join(
        f"{label}\tthis is message number {n}, as people write them" for n, label in enumerate(["ham", "spam"] * 4)
    )
    found = read(content, "SMSSpamCollection.txt")
    assert found.columns == ["column_1", "column_2"] and found.rows == 8
    assert any("first row looks like data" in note for note in found.notes)


def test_twice_the_same_name_and_no_name() -> None:
    found = read("text,label,label,\na,b,c,d\n")
    assert found.columns == ["text", "label", "label_2", "column_4"]
    assert read("text,label,\na,b,\n").columns == ["text", "label"]


def test_decimal_commas_where_the_delimiter_leaves_no_doubt() -> None:
    found = read("text;stars;price\nfine;3,5;1,250\nbad;1,0;2,500\n")
    assert [row["stars"] for row in rows(found)] == ["3.5", "1.0"]
    assert [row["price"] for row in rows(found)] == ["1,250", "2,500"]


def test_lists_written_as_text_become_lists() -> None:
    found = rows(read('text,tags\na,"[\'x\', \'it\\\'s\']"\nb,"[""y""]"\nc,[]\n'))
    assert [row["tags"] for row in found] == [["x", "it's"], ["y"], []]


def test_formulas_are_text() -> None:
    assert rows(read('text,label\n=1+1,a\n=HYPERLINK("x"),b\n'))[0]["text"] == "=1+1"


def test_a_very_long_cell() -> None:
    long = "word " * 100_000
    assert rows(read(f'text,label\n"{long}",a\nb,c\n'))[0]["text"] == long


def test_one_column_is_read() -> None:
    found = read('feedback\nIt is late\n"Please, add a way"\nEverything works, thank you\n')
    assert [row["feedback"] for row in rows(found)] == [
        "It is late",
        "Please, add a way",
        "Everything works, thank you",
    ]


# ---------------------------------------------------------------- encodings


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_western_encodings(codec: str) -> None:
    content = "text,label\nDas Brötchen für Jörg war süß,gut\nTrès déçu à Orléans,schlecht\nplain words,gut\n"
    assert rows(read(content.encode(codec)))[0]["text"] == "Das Brötchen für Jörg war süß"


def test_cyrillic_in_its_old_encoding() -> None:
    lines = [
        "Очень хороший товар, всем советую купить",
        "Ужасное качество, деньги на ветер",
        "Доставка была быстрой",
    ] * 5
    content = "text,label\n" + "".join(f'"{line}",a\n' for line in lines)
    found = read(content.encode("cp1251"))
    assert rows(found)[0]["text"] == lines[0]
    assert any("not in the encoding UTF-8" in note for note in found.notes)


def test_a_mix_of_encodings_is_mended_line_by_line() -> None:
    found = read("text,label\nJörg,a\n".encode() + "Jürgen,b\n".encode("cp1252") + b"nul\0l,c\n")
    assert [row["text"] for row in rows(found)] == ["Jörg", "Jürgen", "null"]
    assert any("line 3" in note and "Windows-1252" in note for note in found.notes)
    assert any("NUL" in note for note in found.notes)


# ---------------------------------------------------------------- JSON


def test_json_lines_with_ragged_keys() -> None:
    found = read('{"text": "a", "label": 1}\n{"text": "b"}\nbroken\n{"label": null, "text": ""}\n', "rows.jsonl")
    assert rows(found) == [{"text": "a", "label": 1}, {"text": "b", "label": None}, {"text": None, "label": None}]
    assert any("Not every row has every key" in note and "label" in note for note in found.notes)
    assert any("not JSON" in note and "line 3" in note for note in found.notes)


@pytest.mark.parametrize(
    "content",
    [
        '[{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]',
        '{"version": 1, "data": [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]}',
        '{"text": ["a", "b"], "label": ["x", "y"]}',
        '{"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}',
        '[["text", "label"], ["a", "x"], ["b", "y"]]',
        '{\n "text": "a",\n "label": "x"\n}\n{\n "text": "b",\n "label": "y"\n}\n',
        '{"text": "a", "label": "x"},\n{"text": "b", "label": "y"},\n',
    ],
)
def test_the_shapes_of_json(content: str) -> None:
    assert rows(read(content, "data.json")) == [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]


def test_nested_records_stay_whole() -> None:
    chat = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
    assert rows(read(json.dumps(chat), "chat.jsonl")) == [chat]
    assert rows(read(json.dumps([chat]), "chat.json")) == [chat]
    share = {"conversations": [{"from": "human", "value": "hi"}]}
    assert rows(read(json.dumps([share, share]), "share.json")) == [share, share]


def test_the_file_of_squad_itself() -> None:
    answers = [{"text": "five euros", "answer_start": 3}]
    article = {"title": "x", "paragraphs": [{"context": "It is…", "qas": [{"question": "How?", "answers": answers}]}]}
    assert rows(read(json.dumps({"version": "1.1", "data": [article]}), "dev.json")) == [
        {"question": "How?", "context": "It is…", "answers": {"text": ["five euros"], "answer_start": [3]}}
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "{'text': array(['five euros'], dtype=object), 'answer_start': array([3], dtype=int32)}",
        "{'text': ['five euros'], 'answer_start': [3]}",
        '{"text": ["five euros"], "answer_start": [3]}',
    ],
)
def test_answers_that_a_table_holds_as_text_are_records_again(cell: str) -> None:
    """As pandas writes them into a CSV file; nothing is evaluated, and what is no such record stays text."""
    quoted = cell.replace('"', '""')
    found = read(f'question,context,answers\nHow?,It is five euros,"{quoted}"\nWho?,It is,"{quoted}"\n', "qa.csv")
    assert [row["answers"] for row in rows(found)] == [{"text": ["five euros"], "answer_start": [3]}] * 2
    other = read("text,label\nhello there,{'a': __import__('os')}\nyou there,{'b': 1}\n", "x.csv")
    assert rows(other)[0]["label"] == "{'a': __import__('os')}"


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": NaN, "b": 1e999}', "[1e999, Infinity]", '{"a": ' * 50_000])
def test_hostile_json_does_no_harm(content: str, tmp_path: Path) -> None:
    try:
        write_rows(read(content, "data.json"), tmp_path / "rows.jsonl")
    except PlainError as error:
        assert error.code in ERROR_CODES
    else:
        for line in (tmp_path / "rows.jsonl").read_text().splitlines():
            json.loads(line, parse_constant=pytest.fail)


def test_lone_surrogates_can_be_written_again(tmp_path: Path) -> None:
    write_rows(read('{"text": "a\\ud800b", "n": ["\\uDfff"]}\n', "x.jsonl"), tmp_path / "rows.jsonl")
    assert json.loads((tmp_path / "rows.jsonl").read_text(encoding="utf-8")) == {"text": "a\ufffdb", "n": ["\ufffd"]}


# ---------------------------------------------------------------- text files


def test_conll_becomes_lists_of_tokens_and_tags() -> None:
    content = "-DOCSTART- -X- O O\n\nEU NNP B-ORG\nrejects VBZ O\n\nPeter NNP B-PER\nBlackburn NNP I-PER\n"
    found = read(content, "train.txt")
    assert found.format == "conll"
    assert rows(found) == [
        {"tokens": ["EU", "rejects"], "ner_tags": ["B-ORG", "O"]},
        {"tokens": ["Peter", "Blackburn"], "ner_tags": ["B-PER", "I-PER"]},
    ]


def test_fasttext_lines() -> None:
    one = read("__label__good what a film\n__label__bad no\n", "train.txt")
    assert rows(one) == [{"text": "what a film", "label": "good"}, {"text": "no", "label": "bad"}]
    several = read("__label__a __label__b both\n__label__a one\n", "train.txt")
    assert [row["labels"] for row in rows(several)] == [["a", "b"], ["a"]]


def test_prose_is_cut_into_paragraphs_or_lines() -> None:
    book = read("One line,\ngoes on.\n\nNext, one.\n\nAnd a third, too.\n", "book.txt")
    assert (book.format, [row["text"] for row in rows(book)]) == (
        "txt",
        ["One line, goes on.", "Next, one.", "And a third, too."],
    )
    assert read("a sentence, here\nanother one\n", "lines.txt").rows == 2


# ---------------------------------------------------------------- Excel, Parquet


def test_the_first_sheet_with_content() -> None:
    found = read(xlsx_of([], [["text", "label"], ["fine", 1], [None, None], ["=1+1", 2.5]]), "book.xlsx")
    assert rows(found) == [{"text": "fine", "label": 1}, {"text": "=1+1", "label": 2.5}]
    assert any("2 sheets" in note for note in found.notes)
    assert any("formulas" in note and "never computed" in note for note in found.notes)


def test_parquet_keeps_types() -> None:
    stream = io.BytesIO()
    frame = pd.DataFrame({"text": ["a", None], "tags": [["x"], ["y", "z"]], "n": [1.5, None]})
    frame["day"] = pd.to_datetime(["2025-01-02", "2025-01-03"])
    frame.to_parquet(stream)
    found = rows(read(stream.getvalue(), "data.parquet"))
    assert found[0] == {"text": "a", "tags": ["x"], "n": 1.5, "day": "2025-01-02T00:00:00"}
    assert found[1]["text"] is None and found[1]["n"] is None


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("secret.exe", b"MZ\x90\x00\x03\x00\x00\x00 not a program", "Windows program"),
        ("run.csv", b"\x7fELF\x02\x01\x01" + bytes(range(256)), "Linux program"),
        ("photo.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "picture"),
        ("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0", "picture"),
        ("letter.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, ".xlsx"),
        ("model.pkl", b"\x80\x04\x95\x10\x00\x00\x00", "pickle"),
        ("data.csv.gz", b"\x1f\x8b\x08\x00\x00\x00", "gzip"),
        ("page.csv", b"<!DOCTYPE html><html><table>", "web page"),
        ("noise.csv", bytes(range(256)) * 20, "binary"),
        ("letter.docx", zip_of({"[Content_Types].xml": "x", "word/document.xml": "x"}), "Word"),
        ("model.pt", zip_of({"archive/data.pkl": "x"}), "PyTorch"),
        ("nest.zip", zip_of({"inner.csv": zip_of({"a.csv": "a,b"})}), "inside"),
        ("tools.zip", zip_of({"a.dll": b"x", "b.bin": b"y"}), ".dll"),
    ],
)
def test_what_is_no_data_is_named(name: str, content: bytes, word: str) -> None:
    with pytest.raises(PlainError) as caught:
        read(content, name)
    assert caught.value.code == "file-unsupported"
    assert word in caught.value.text()
    assert caught.value.fix or "CSV" in caught.value.expected


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\xef\xbb\xbf", b"\0\0\0"])
def test_empty_files(content: bytes) -> None:
    assert refused(content, "empty.csv").code == "file-empty"


def test_only_a_header() -> None:
    error = refused("text,label\n", "bare.csv")
    assert error.code == "no-rows" and "text, label" in error.text()
    assert refused("[]", "bare.json").code == "no-rows"


@pytest.mark.parametrize("name", ["cut.xlsx", "cut.parquet", "cut.zip"])
def test_damaged_files(name: str) -> None:
    whole = {
        "cut.xlsx": xlsx_of([["text", "label"], ["a", "b"]]),
        "cut.parquet": b"PAR1" + b"\x15\x04" * 30 + b"PAR1",
        "cut.zip": zip_of({"a/1.txt": "hello " * 100, "b/2.txt": "bye"}),
    }[name]
    assert refused(whole[: len(whole) * 2 // 3], name).code == "file-unreadable"


def test_json_that_is_none() -> None:
    assert refused('[{"text": "a", "label": }', "broken.json").code == "file-unreadable"
    assert refused("12", "number.json").code == "file-unsupported"


def test_thousands_of_columns() -> None:
    with pytest.raises(PlainError, match="2,000 columns") as caught:
        read(",".join(f"c{n}" for n in range(2_000)) + "\n" + "1," * 1_999 + "1\n", "wide.csv")
    assert caught.value.code == "file-unsupported"


def test_a_file_beyond_the_limit_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "MAX_BYTES", 10)
    with pytest.raises(PlainError) as caught:
        read_table(save(tmp_path / "large.csv", "text,label\na,b\n"))
    assert caught.value.code == "file-too-large"


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(PlainError) as caught:
            read_table(path)
        assert caught.value.code == "file-missing"


# ---------------------------------------------------------------- the canonical copy


def test_the_canonical_copy_reads_back_the_same(tmp_path: Path) -> None:
    before = Table("x", "csv", pd.DataFrame({"text": ["1", "NA", None], "n": [1, float("nan"), True]}, dtype=object))
    write_rows(before, tmp_path / "rows.jsonl")
    assert (tmp_path / "rows.jsonl").read_text().splitlines() == [
        '{"text": "1", "n": 1}', '{"text": "NA", "n": null}', '{"text": null, "n": true}'
    ]  # fmt: skip
    assert rows(read_table(tmp_path / "rows.jsonl")) == [
        {"text": "1", "n": 1}, {"text": "NA", "n": None}, {"text": None, "n": True}
    ]  # fmt: skip


def test_the_name_is_the_one_that_the_person_knows(tmp_path: Path) -> None:
    path = save(tmp_path / "upload-17", "text;label\na;b\n")
    assert read_table(path, name="meine Daten.csv").name == "meine Daten.csv"


# ---------------------------------------------------------------- files made to exhaust the machine


def test_more_cells_than_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_CELLS", 100)
    with pytest.raises(PlainError) as caught:
        read("text,label\n" + "a,b\n" * 100)
    assert caught.value.code == "file-too-large"


def test_a_little_parquet_that_stands_for_a_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    pd.DataFrame({"text": ["x" * 10_000] * 5_000}).to_parquet(stream)
    assert len(stream.getvalue()) < 100_000
    monkeypatch.setattr(sheets, "MAX_PARQUET_BYTES", 10_000_000)
    with pytest.raises(PlainError) as caught:
        read(stream.getvalue(), "bomb.parquet")
    assert caught.value.code == "file-too-large"


def test_entities_that_multiply_in_a_workbook() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    with zipfile.ZipFile(io.BytesIO(xlsx_of([["text", "label"], ["a", "b"]]))) as book:
        members = {name: book.read(name) for name in book.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"].decode().replace("<t>a</t>", "<t>&l9;</t>")
    members["xl/worksheets/sheet1.xml"] = f'<!DOCTYPE worksheet [<!ENTITY l0 "lol">{laughs}]>{sheet}'.encode()
    assert refused(zip_of(members), "laughs.xlsx").code == "file-unreadable"


def test_a_workbook_that_claims_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TABLE_BYTES", 1_000)
    assert refused(xlsx_of([["text", "label"], ["a", "b"]]), "huge.xlsx").code == "file-too-large"
