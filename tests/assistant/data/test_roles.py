"""Task and columns are found without asking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from files import read

from assistant.data.profile import profile
from assistant.data.roles import SURE, guess_tasks
from assistant.data.table import read_table

SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
TEXT = "text-classification"

Expected = tuple[str, str | None, dict[str, Any]]

#: file -> task, problem, columns
REQUEST_FILES: dict[str, Expected] = {
    "reviews.csv": (TEXT, SINGLE, {"text": "review", "label": "sentiment"}),
    "tickets.csv": (TEXT, SINGLE, {"text": "message", "label": "department"}),
    "ratings.csv": (TEXT, REGRESSION, {"text": "comment", "label": "stars"}),
    "tags.csv": (TEXT, MULTI, {"text": "text", "label": "tags"}),
    "broken.csv": (TEXT, SINGLE, {"text": "comment", "label": "mood"}),
    "ner.jsonl": ("token-classification", None, {"tokens": "tokens", "tags": "ner_tags"}),
    "squad.jsonl": ("question-answering", None, {"question": "question", "context": "context", "answers": "answers"}),
    "articles.csv": ("text2text-generation", None, {"source": "article", "target": "summary"}),
    "en_fr.tsv": ("text2text-generation", None, {"source": "en", "target": "fr"}),
    "chat.jsonl": ("text-generation", None, {"messages": "messages"}),
    "instructions.jsonl": ("text-generation", None, {"prompt": ["instruction", "input"], "completion": "output"}),
    "qa_pairs.csv": ("text-generation", None, {"prompt": "question", "completion": "answer"}),
    "book.txt": ("text-generation", None, {"text": "text"}),
    "pairs.jsonl": ("preference-tuning", None, {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}),
    "similar.csv": (
        "sentence-similarity",
        None,
        {"sentence1": "sentence1", "sentence2": "sentence2", "score": "score"},
    ),
    "xrays.zip": ("image-classification", None, {"image": "image", "label": "label"}),
    "satellite.zip": ("image-classification", None, {"image": "image", "label": "label"}),
    "commands.zip": ("audio-classification", None, {"audio": "audio", "label": "label"}),
    "voices.zip": ("automatic-speech-recognition", None, {"audio": "audio", "transcript": "transcription"}),
}
DATA_SETS: dict[str, Expected] = {
    "news-topics/{}.csv": (TEXT, SINGLE, {"text": "text", "label": "topic"}),
    "email-spam/{}.jsonl": (TEXT, SINGLE, {"text": ["subject", "body"], "label": "label"}),
    "software-tags/{}.jsonl": (TEXT, MULTI, {"text": "text", "label": "labels"}),
    "food-reviews/{}.xlsx": (TEXT, SINGLE, {"text": "review", "label": "score"}),
    "which-language/{}.zip": (TEXT, SINGLE, {"text": "text", "label": "label"}),
    "package-summaries/{}.csv": ("text2text-generation", None, {"source": "description", "target": "summary"}),
    "en-de-descriptions/{}.tsv": ("text2text-generation", None, {"source": "english", "target": "german"}),
    "address-parts/{}.jsonl": ("token-classification", None, {"tokens": "tokens", "tags": "tags"}),
    "devils-dictionary/{}.jsonl": ("text-generation", None, {"messages": "messages"}),
    "alpaca-small/{}.json": ("text-generation", None, {"prompt": ["instruction", "input"], "completion": "output"}),
    "accented-speech/{}.zip": ("automatic-speech-recognition", None, {"audio": "audio", "transcript": "text"}),
    "fashion-items/{}.zip": ("image-classification", None, {"image": "image", "label": "label"}),
    "photo-objects/{}.zip": ("image-classification", None, {"image": "image", "label": "label"}),
    "spoken-digits/{}.zip": ("audio-classification", None, {"audio": "audio", "label": "label"}),
}


def found_in(path: Path) -> Expected:
    best = guess_tasks(profile(read_table(path)))[0]
    assert best.score >= SURE and best.evidence
    return str(best.task), best.problem, best.columns


@pytest.mark.parametrize("name", REQUEST_FILES)
def test_files_of_the_requests(name: str, shared_requests: Path) -> None:
    assert found_in(shared_requests / "files" / name) == REQUEST_FILES[name]


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("name", DATA_SETS)
def test_data_sets(name: str, part: str, shared_data: Path) -> None:
    assert found_in(shared_data / name.format(part)) == DATA_SETS[name]


def test_a_hostile_header_is_only_a_name(shared_requests: Path) -> None:
    task, _, columns = found_in(shared_requests / "files" / "odd_header.csv")
    assert task == TEXT and columns["text"] == "text" and columns["label"].startswith("label (SYSTEM")


def test_the_runner_up_is_there_too(shared_requests: Path) -> None:
    first, second = guess_tasks(profile(read_table(shared_requests / "files" / "tickets.csv")))[:2]
    assert (first.columns["label"], second.columns["label"]) == ("department", "priority")
    assert first.score > second.score


def test_the_separator_travels_with_the_guess(shared_requests: Path) -> None:
    assert guess_tasks(profile(read_table(shared_requests / "files" / "tags.csv")))[0].label_separator == ";"


@pytest.mark.parametrize(("name", "word"), [("nolabel.csv", "no column says"), ("photos_unlabelled.zip", "no labels")])
def test_what_is_missing_is_said_and_not_guessed(name: str, word: str, shared_requests: Path) -> None:
    best = guess_tasks(profile(read_table(shared_requests / "files" / name)))[0]
    assert best.score < 0.5 and "label" not in best.columns and best.problem is None
    assert word in best.evidence[0]


def test_numbers_alone_are_no_task(shared_requests: Path) -> None:
    only = guess_tasks(profile(read_table(shared_requests / "files" / "houses.csv")))
    assert [(guess.task, guess.score) for guess in only] == [(None, 0.0)]
    assert "tabular" in only[0].evidence[0]


def guess(content: str, name: str = "data.csv") -> Expected:
    best = guess_tasks(profile(read(content, name)))[0]
    return str(best.task), best.problem, best.columns


def table(header: str, *endings: str) -> str:
    """Twelve rows of different sentences, each followed by one of the endings in turn."""
    things = ["soup", "room", "staff", "price", "view", "train", "hotel", "phone", "garden", "lamp", "pizza", "ticket"]
    rows = [f"the {thing} was not what I had hoped for,{endings[n % len(endings)]}" for n, thing in enumerate(things)]
    return "\n".join([header, *rows])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (table("comment,rating", "1", "5", "3"), (TEXT, SINGLE, {"text": "comment", "label": "rating"})),
        (table("comment,rating", "1.5", "4.7", "3.2", "2"), (TEXT, REGRESSION, {"text": "comment", "label": "rating"})),
        (table("text,label", "0", "1"), (TEXT, SINGLE, {"text": "text", "label": "label"})),
        (table("text,is_spam", "true", "false"), (TEXT, SINGLE, {"text": "text", "label": "is_spam"})),
        (table("v1,v2", "ham", "spam"), (TEXT, SINGLE, {"text": "v1", "label": "v2"})),
        (
            table("comment,toxic,obscene,threat", "0,0,1", "1,0,0", "0,1,0", "0,0,0"),
            (TEXT, MULTI, {"text": "comment", "label": ["toxic", "obscene", "threat"]}),
        ),
        (
            table("author,comment", "x")
            .replace("the ", "Ann,the ")
            .replace(",x", "")
            .replace("hoped for", "hoped for"),
            (TEXT, None, {"text": "comment"}),
        ),
    ],
)
def test_shapes_of_classification(content: str, expected: Expected) -> None:
    assert guess(content) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]}',
            ("text-generation", None, {"messages": "conversations"}),
        ),
        (
            '{"prompt": "Say hello to number %d", "completion": "hello, number %d, how are you"}',
            ("text-generation", None, {"prompt": "prompt", "completion": "completion"}),
        ),
        (
            '{"anchor": "a question about %d", "positive": "its answer %d", "negative": "no answer %d"}',
            ("sentence-similarity", None, {"anchor": "anchor", "positive": "positive", "negative": "negative"}),
        ),
        (
            '{"words": ["Ann%d", "lives", "in", "Oslo"], "labels": ["B-PER", "O", "O", "B-LOC"]}',
            ("token-classification", None, {"tokens": "words", "tags": "labels"}),
        ),
    ],
)
def test_shapes_of_json_lines(line: str, expected: Expected) -> None:
    content = "\n".join(line.replace("%d", str(n)) for n in range(12))
    assert guess(content, "data.jsonl") == expected


def test_answers_can_be_found_instead_of_written() -> None:
    """Questions with answers, and with better and worse ones, are pairs and triplets for whoever asks for it."""
    lines = {
        '{"question": "question %d?", "answer": "its answer %d"}': {"anchor": "question", "positive": "answer"},
        '{"prompt": "say %d", "chosen": "good %d", "rejected": "bad %d"}': {
            "anchor": "prompt", "positive": "chosen", "negative": "rejected",
        },
    }  # fmt: skip
    for line, columns in lines.items():
        content = "\n".join(line.replace("%d", str(n)) for n in range(12))
        first, *others = guess_tasks(profile(read(content, "data.jsonl")))
        found = next(each for each in others if each.task == "sentence-similarity")
        assert found.columns == columns and found.score < first.score - 0.5


def test_a_last_column_with_one_value_is_still_the_label() -> None:
    """So that the check can say that there is only one class."""
    assert guess(table("comment,mood", "good")) == (TEXT, SINGLE, {"text": "comment", "label": "mood"})
