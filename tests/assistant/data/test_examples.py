"""The shipped example can be shown to anyone and makes a good first run."""

from __future__ import annotations

import re

import pytest

from assistant.data import personal
from assistant.data.doctor import check
from assistant.data.examples import example, example_names
from assistant.data.profile import profile
from assistant.data.roles import guess_tasks
from assistant.data.table import read_table
from assistant.errors import PlainError


@pytest.mark.parametrize("name", example_names())
def test_an_example_is_whole(name: str) -> None:
    found = example(name)
    assert found.path.is_file() and found.request and found.title and found.description
    assert found.path.stat().st_size < 1_000_000
    assert found.path.with_name("README.md").read_text(encoding="utf-8").count(found.path.name)


def test_the_emails() -> None:
    table = read_table(example("spam").path)
    seen = profile(table)
    best = guess_tasks(seen)[0]
    assert best.columns == {"text": ["subject", "body"], "label": "label"}
    label = seen.column("label")
    assert label is not None and set(label.label_counts) == {"ham", "spam"}
    assert 500 <= table.rows <= 700 and min(label.label_counts.values()) >= 200
    assert max(map(len, table.frame["body"])) <= 600
    assert [finding.code for finding in check(table, seen) if finding.severity != "info"] == []


def test_the_emails_name_no_address() -> None:
    frame = read_table(example("spam").path).frame
    texts = [*frame["subject"], *frame["body"]]
    assert [text for text in texts if personal.find(text)] == []
    assert [text for text in texts if re.search(r"\w@\w[\w-]*\.[a-z]{2}", text) and "\\" not in text] == []


def test_the_recordings() -> None:
    """Folders of spoken words, and sentences with what is said: both are known for what they are, with no fault."""
    words, accent = (read_table(example(name).path) for name in ("commands", "accent"))
    best = guess_tasks(profile(words))[0]
    assert (best.task, best.columns) == ("audio-classification", {"audio": "audio", "label": "label"})
    assert set(words.frame["label"].value_counts()) == {40} and words.frame["label"].nunique() == 8
    best = guess_tasks(profile(accent))[0]
    assert (best.task, best.columns) == ("automatic-speech-recognition", {"audio": "audio", "transcript": "text"})
    assert accent.rows == 120 and accent.frame["voice"].nunique() == 4
    for table in (words, accent):
        assert [finding.code for finding in check(table, profile(table)) if finding.severity == "warning"] == []


def test_the_commands_of_a_terminal() -> None:
    """Things to do, each with its command; no two rows say the same."""
    table = read_table(example("alike").path)
    best = guess_tasks(profile(table))[0]
    assert (best.task, best.columns) == ("sentence-similarity", {"anchor": "query", "positive": "positive"})
    assert table.rows == 700 and table.frame["query"].is_unique and table.frame["positive"].is_unique
    assert example("alike").path.stat().st_size < 200_000
    assert check(table, profile(table)) == []


def test_an_example_that_is_not_there() -> None:
    with pytest.raises(PlainError, match="spam") as caught:
        example("spma")
    assert caught.value.code == "example-unknown"
