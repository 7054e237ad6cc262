"""Every form in which people bring data: read without a question, with the right task and columns."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd
import pytest
from files import read, xlsx_of, zip_of
from media_files import media_parquet, picture, sound

from assistant.data.profile import profile
from assistant.data.roles import SURE, guess_tasks

COUNT = 40
REVIEWS = [
    {"review": f"Das Café Nr. {n} war für {n * 3} Gäste; “sehr” schön, {n} Sterne", "mood": ("gut", "schlecht")[n % 2]}
    for n in range(COUNT)
]


def delimited(mark: str) -> str:
    quoted = [[f'"{row["review"]}"', row["mood"]] for row in REVIEWS]
    return "\n".join(mark.join(cells) for cells in [["review", "mood"], *quoted])


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def parquet() -> bytes:
    stream = io.BytesIO()
    pd.DataFrame(REVIEWS).to_parquet(stream)
    return stream.getvalue()


def turns(n: int) -> list[tuple[str, str]]:
    return [("user", f"Where is hall {n} of the museum?"), ("assistant", f"Hall {n} is on floor {n % 5}.")]


def conll(mark: str) -> str:
    return "\n".join(f"Ann{n}{mark}B-PER\nlives{mark}O\nin{mark}O\nOslo{mark}B-LOC\n" for n in range(COUNT))


TEXT, CHAT = ("text-classification", {"text": "review", "label": "mood"}), "text-generation"
ASKED = [f"Name {n} things that one finds in hall {n * 7}, please." for n in range(COUNT)]
SAID = [f"There are {n * 3} pictures and {n} statues in it." for n in range(COUNT)]

#: What it is -> name, content, format, (task, columns).
FORMS: dict[str, tuple[str, str | bytes, str, tuple[str, dict[str, Any]]]] = {
    "comma": ("d.csv", delimited(","), "csv", TEXT),
    "semicolon": ("d.csv", delimited(";"), "csv", TEXT),
    "tab": ("d.tsv", delimited("\t"), "tsv", TEXT),
    "bar": ("d.csv", delimited("|"), "csv", TEXT),
    "tab under another name": ("d.csv", delimited("\t"), "csv", TEXT),
    "UTF-8 with a mark": ("d.csv", delimited(",").encode("utf-8-sig"), "csv", TEXT),
    "Windows": ("d.csv", delimited(";").encode("cp1252"), "csv", TEXT),
    "UTF-16": ("d.csv", delimited("\t").encode("utf-16"), "csv", TEXT),
    "Mac line ends": ("d.csv", delimited(",").replace("\n", "\r"), "csv", TEXT),
    "a list of records": ("d.json", json.dumps(REVIEWS), "json", TEXT),
    "records under a key": ("d.json", json.dumps({"data": REVIEWS}), "json", TEXT),
    "columns": ("d.json", json.dumps({name: [row[name] for row in REVIEWS] for name in REVIEWS[0]}), "json", TEXT),
    "JSON lines": ("d.jsonl", lines(REVIEWS), "jsonl", TEXT),
    "JSON lines under another name": ("d.txt", lines(REVIEWS), "jsonl", TEXT),
    "Parquet": ("d.parquet", parquet(), "parquet", TEXT),
    "Excel": ("d.xlsx", xlsx_of([], [["review", "mood"], *[list(row.values()) for row in REVIEWS]]), "xlsx", TEXT),
    "a zip with a table": ("d.zip", zip_of({"train.csv": delimited(",")}), "zip", TEXT),
    "a book": ("d.txt", "\n\n".join(f"Chapter {n}. It rained for {n} days on end." for n in range(COUNT)), "txt",
               (CHAT, {"text": "text"})),
    "words with tags": ("d.conll", conll(" "), "conll",
                        ("token-classification", {"tokens": "tokens", "tags": "ner_tags"})),
    "words with tags, tabs": ("d.txt", conll("\t"), "conll",
                              ("token-classification", {"tokens": "tokens", "tags": "ner_tags"})),
    "class folders of texts": ("d.zip", zip_of({f"train/{row['mood']}/{n}.txt": row["review"]
                                                for n, row in enumerate(REVIEWS)}), "zip-text",
                               ("text-classification", {"text": "text", "label": "label"})),
    "class folders of pictures": ("d.zip", zip_of({f"pets/{('cat', 'dog')[n % 2]}/{n}.png": picture(n)
                                                   for n in range(COUNT)}), "zip-images",
                                  ("image-classification", {"image": "image", "label": "label"})),
    "pictures with a table": ("d.zip", zip_of({f"images/{n}.png": picture(n) for n in range(COUNT)} | {
        "metadata.csv": "file_name,kind\n" + "".join(f"{n}.png,k{n % 2}\n" for n in range(COUNT))}), "zip-images",
        ("image-classification", {"image": "image", "label": "kind"})),
    "class folders of sounds": ("d.zip", zip_of({f"{('bark', 'purr')[n % 2]}/{n}.wav": sound(n)
                                                 for n in range(COUNT)}), "zip-audio",
                                ("audio-classification", {"audio": "audio", "label": "label"})),
    "speech with a table": ("d.zip", zip_of({f"wavs/{n}.wav": sound(n) for n in range(COUNT)} | {
        "metadata.jsonl": lines([{"file_name": f"wavs/{n}.wav", "transcription": f"we met {n} people in hall {n * 7}"}
                                 for n in range(COUNT)])}), "zip-audio",
        ("automatic-speech-recognition", {"audio": "audio", "transcript": "transcription"})),
    "speech as LJSpeech has it": ("d.zip", zip_of({f"wavs/LJ{n:03}.wav": sound(n) for n in range(COUNT)} | {
        "metadata.csv": "".join(f"LJ{n:03}|We met {n} people.|we met {n} people in hall {n * 7}\n"
                                for n in range(COUNT))}), "zip-audio",
        ("automatic-speech-recognition", {"audio": "audio"})),
    "Parquet with pictures": ("d.parquet", media_parquet([picture(n) for n in range(COUNT)],
                                                         [("cat", "dog")[n % 2] for n in range(COUNT)]),
                              "parquet-images", ("image-classification", {"image": "image", "label": "label"})),
    "Parquet with sounds": ("d.parquet", media_parquet([sound(n) for n in range(COUNT)],
                                                       [("bark", "purr")[n % 2] for n in range(COUNT)], "audio"),
                            "parquet-audio", ("audio-classification", {"audio": "audio", "label": "label"})),
    "messages": ("d.jsonl", lines([{"messages": [{"role": role, "content": said} for role, said in turns(n)]}
                                   for n in range(COUNT)]), "jsonl", (CHAT, {"messages": "messages"})),
    "ShareGPT": ("d.json", json.dumps([{"id": n, "conversations": [
        {"from": {"user": "human", "assistant": "gpt"}[role], "value": said} for role, said in turns(n)]}
        for n in range(COUNT)]), "json", (CHAT, {"messages": "conversations"})),
    "Alpaca": ("d.json", json.dumps([{"instruction": asked, "input": "" if n % 3 else f"hall {n}", "output": said}
                                     for n, (asked, said) in enumerate(zip(ASKED, SAID, strict=True))]), "json",
               (CHAT, {"prompt": ["instruction", "input"], "completion": "output"})),
    "prompt and completion": ("d.jsonl", lines([{"prompt": asked, "completion": said}
                                                for asked, said in zip(ASKED, SAID, strict=True)]), "jsonl",
                              (CHAT, {"prompt": "prompt", "completion": "completion"})),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_it_is_read_without_a_question(form: str) -> None:
    name, content, expected, (task, columns) = FORMS[form]
    table = read(content, name)
    assert table.format == expected, table.notes
    guess = guess_tasks(profile(table))[0]
    assert (guess.task, guess.score >= SURE) == (task, True), guess
    assert {role: guess.columns.get(role) for role in columns} == columns
    if columns == TEXT[1]:
        assert table.frame["review"].tolist() == [row["review"] for row in REVIEWS]
        assert table.frame["mood"].tolist() == [row["mood"] for row in REVIEWS]
    assert table.rows == (COUNT if expected != "txt" else table.rows)
