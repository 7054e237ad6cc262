"""Files are read in a process of their own: the same answers, and whatever happens there is one sentence here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from files import save

from assistant.data import apart, desk
from assistant.data.stored import Stored
from assistant.errors import PlainError

CONTENT = "text,label\n" + "".join(f"text number {n} about it,{'ab'[n % 2]}\n" for n in range(30))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save(tmp_path / "data.csv", CONTENT)


def test_a_child_answers_as_this_process_would(file: Path, tmp_path: Path) -> None:
    here, there = Stored(file, "mine.csv"), Stored(file, "mine.csv", apart=True)
    assert there.look() == here.look()
    assert there.look()["profile"]["name"] == "mine.csv"
    assert there.copy(tmp_path / "rows.jsonl", most=7, seed=1, look=True)["profile"]["rows"] == 7
    assert len((tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()) == 7


def test_the_parent_stays_without_pandas(file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from assistant.data.stored import Stored\n"
        f"Stored(Path({str(file)!r}), 'mine.csv', apart=True).look(); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_a_file_is_refused_for_comes_through(tmp_path: Path) -> None:
    with pytest.raises(PlainError) as caught:
        Stored(save(tmp_path / "empty.csv", ""), "empty.csv", apart=True).look()
    assert caught.value.code == "file-empty" and "empty.csv is empty" in caught.value.what


def test_too_slow_is_a_sentence(file: Path) -> None:
    with pytest.raises(PlainError) as caught:
        apart.call("look", {"path": str(file), "name": "mine.csv"}, seconds=0.05)
    assert caught.value.code == "took-too-long" and "mine.csv" in caught.value.what


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "file-too-large"),
        ("raise MemoryError", "file-too-large"),
        ("raise KeyError('a bug')", "file-unreadable"),
        ("import sys; sys.exit(3)", "file-unreadable"),
    ],
)
def test_a_child_that_dies_is_a_sentence(
    ends: str, code: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "fake" / "assistant" / "data"
    fake.mkdir(parents=True)
    for folder in (fake.parent, fake):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    (fake / "__main__.py").write_text(ends + "\n", encoding="utf-8")
    monkeypatch.setattr(apart, "_ROOT", str(tmp_path / "fake"))
    with pytest.raises(PlainError) as caught:
        Stored(file, "mine.csv", apart=True).look()
    assert caught.value.code == code and "mine.csv" in caught.value.what


def test_a_copy_of_a_copy_keeps_what_the_file_was(tmp_path: Path) -> None:
    """A book is a book after its letters were mended."""
    text = "\n\n".join(f"Chapter {n}. It was a dark and stormy night in the year {1800 + n}." for n in range(40))
    book = save(tmp_path / "book.txt", text + "\n\nDas BrÃ¶tchen was cold. Write to me@example.org.")
    card = desk.look(str(book), "book.txt")
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    desk.mend(str(book), "book.txt", "mojibake", card["guesses"][0], str(first), form="txt")
    last = desk.mend(str(first), "book.txt", "personal-data", card["guesses"][0], str(second), form="txt")
    assert last["profile"]["format"] == "txt" and last["guesses"][0]["task"] == "text-generation"
    assert "Brötchen" in second.read_text(encoding="utf-8") and "[email]" in second.read_text(encoding="utf-8")


def test_a_suspicion_is_raised_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What mending makes look odd was not there before: it is not asked about."""
    table = save(tmp_path / "d.jsonl", "".join(
        json.dumps({"text": f"<b>{word}</b> in garden {n}", "label": label}) + "\n"
        for n in range(200) for word, label in [(("rose", "plant"), ("dog", "animal"))[n % 2]]))  # fmt: skip
    card = desk.look(str(table), "d.jsonl")
    assert "likely-wrong-labels" not in [finding["code"] for finding in card["findings"]]
    monkeypatch.setattr("assistant.data.suspects.find_suspects", lambda *_: pytest.fail("it was asked again"))
    desk.mend(str(table), "d.jsonl", "html", card["guesses"][0], str(tmp_path / "out.jsonl"), before=["html"])
