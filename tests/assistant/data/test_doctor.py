"""Each finding is found where it is, not found where it is not, and says it in a plain sentence."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pandas as pd
import pytest
from files import read

from assistant.data.doctor import FINDING_CODES, Finding, check
from assistant.data.guesses import TaskGuess
from assistant.data.profile import profile
from assistant.data.table import Table, read_table

PLACES = ["harbour", "station", "market", "museum", "library", "bakery", "garden", "office", "school", "theatre"]
THINGS = ["ticket", "window", "letter", "basket", "engine", "mirror", "blanket", "ladder", "bottle", "camera"]


def sentence(number: int) -> str:
    """A sentence that no other number has."""
    place, thing = PLACES[number % 10], THINGS[number // 10 % 10]
    return f"In the {place} somebody left a {thing} on chair {number} and never came back for it"


def labelled(count: int = 120, labels: tuple[str, ...] = ("good", "bad")) -> list[tuple[str | None, str | None]]:
    return [(sentence(number), labels[number % len(labels)]) for number in range(count)]


def table_of(pairs: list[tuple[str | None, str | None]], name: str = "data.csv") -> Table:
    texts, labels = zip(*pairs, strict=True)
    return Table(name, "csv", pd.DataFrame({"text": texts, "label": labels}, dtype=object))


def findings(table: Table, guess: TaskGuess | None = None, test: Table | None = None) -> dict[str, Finding]:
    found = check(table, profile(table), guess, test=test)
    assert {finding.code for finding in found} <= set(FINDING_CODES)
    order = ["error", "warning", "info"]
    assert [order.index(finding.severity) for finding in found] == sorted(order.index(f.severity) for f in found)
    for finding in found:
        assert finding.text.endswith(".") and finding.count > 0 and len(finding.rows) <= 20
    return {finding.code: finding for finding in found}


def test_a_clean_table_has_no_findings() -> None:
    assert findings(table_of(labelled())) == {}


def test_missing_texts_and_labels() -> None:
    found = findings(table_of([*labelled(), (None, "good"), ("  ", "bad"), (sentence(500), None)]))
    assert (found["missing-text"].rows, found["missing-text"].fixable) == ([121, 122], True)
    assert (found["missing-label"].rows, found["missing-label"].count) == ([123], 1)
    assert "121, 122" in found["missing-text"].text


def test_duplicates_and_conflicts_are_two_things() -> None:
    found = findings(table_of([*labelled(), (sentence(0).upper() + " ", "good"), (sentence(2), "bad")]))
    assert found["duplicates"].rows == [121]
    assert found["conflicting-labels"].rows == [3, 122]
    assert "bad" in found["conflicting-labels"].text and "good" in found["conflicting-labels"].text


def test_one_spelling_difference_is_no_conflict() -> None:
    found = findings(table_of([*labelled(), (sentence(0), "Good ")]))
    assert "conflicting-labels" not in found
    assert "“Good ” for “good”" in found["label-spelling"].text


def test_near_duplicates() -> None:
    words = [f"word{number}" for number in range(200)]
    long = [" ".join(random.Random(seed).choices(words, k=80)) for seed in range(120)]
    pairs = [(text, ("good", "bad")[number % 2]) for number, text in enumerate(long)]
    found = findings(table_of([*pairs, (long[7] + " and one more", "bad")]))
    assert (found["near-duplicates"].rows, found["near-duplicates"].count) == ([121], 1)
    assert "row 121 and row 8" in found["near-duplicates"].text
    assert "duplicates" not in found


@pytest.mark.parametrize("count", [1, 7])
def test_nothing_can_be_learned_from_a_few_rows(count: int) -> None:
    assert findings(table_of(labelled(count)), _SINGLE)["too-few-rows"].severity == "error"


def test_few_rows_make_the_result_uncertain() -> None:
    assert findings(table_of(labelled(40)))["too-few-rows"].severity == "warning"


_SINGLE = TaskGuess(
    task="text-classification", problem="single_label_classification", columns={"text": "text", "label": "label"}
)


def test_one_class() -> None:
    found = findings(table_of(labelled(120, ("same",))))["one-class"]
    assert found.severity == "error" and "same" in found.text


def test_small_classes_and_imbalance() -> None:
    found = findings(table_of([*labelled(110, ("good",)), *[(sentence(n), "bad") for n in range(200, 204)]]))
    assert "bad (4)" in found["small-class"].text
    assert "good has 110 rows, bad only 4" in found["imbalance"].text
    assert "96 %" in found["imbalance"].text


def test_hundreds_of_rare_classes() -> None:
    pairs = [(sentence(number), f"class{number // 3}") for number in range(120)]
    found = findings(table_of(pairs), _SINGLE)
    assert found["many-classes"].count == 40 and "small-class" not in found


def test_label_spelling_and_slips() -> None:
    labels = ["positive"] * 60 + ["Positive", "positive ", "POSITIVE.", "postive"] + ["negative"] * 56
    found = findings(table_of([(sentence(number), label) for number, label in enumerate(labels)]), _SINGLE)
    assert found["label-spelling"].rows == [61, 62, 63, 64]


@pytest.mark.parametrize("labels", [("+", "-"), ("1", "-1"), ("a1", "a2"), ("C", "C++"), ("1.0", "1.5")])
def test_labels_that_differ_by_a_sign_are_different(labels: tuple[str, ...]) -> None:
    assert "label-spelling" not in findings(table_of(labelled(120, labels)), _SINGLE)


def test_html_and_entities() -> None:
    found = findings(table_of([*labelled(), ("Great<br />soup", "good"), ("fish &amp; chips &#39;", "bad")]))["html"]
    assert (found.rows, found.severity) == ([121, 122], "info")
    clean = findings(table_of([*labelled(), ("if a < b and c > d then 3 <4", "good"), ("R&D & more <3", "bad")]))
    assert "html" not in clean


def test_mojibake() -> None:
    found = findings(table_of([*labelled(), ("Das BrÃ¶tchen war sÃ¼ÃŸ", "good"), ("Das Brötchen war süß", "bad")]))
    assert found["mojibake"].rows == [121]


def test_personal_data() -> None:
    extra: list[tuple[str | None, str | None]] = [
        ("write to ann.lee@example.org please", "good"),
        ("call me on +44 20 7946 0958 today", "bad"),
        ("card 4111 1111 1111 1111 was charged", "good"),
        ("order 1234567890123 of 2025-02-03, version 10.2.3.4", "bad"),
    ]
    found = findings(table_of([*labelled(), *extra]))["personal-data"]
    assert found.rows == [121, 122, 123]
    assert "e-mail address in 1 row, phone number in 1 row, card number in 1 row" in found.text
    assert "ann.lee" not in found.model_dump_json()


def test_long_texts() -> None:
    found = findings(table_of([*labelled(), ("word " * 500, "good")]))["long-texts"]
    assert (found.rows, found.severity) == ([121], "info")


def test_formulas() -> None:
    found = findings(table_of([*labelled(), ("=1+1", "good"), ("#REF!", "bad"), ("= equal", "bad"), ("-5", "bad")]))
    assert found["formulas"].rows == [121, 122]


def test_a_column_that_gives_the_label_away() -> None:
    table = table_of(labelled())
    table.frame["stars"] = ["5" if label == "good" else "1" for label in table.frame["label"]]
    found = findings(table)["label-leak"]
    assert found.severity == "info" and "stars" in found.text and "It is not read" in found.text
    read_too = TaskGuess(
        task="text-classification", problem="single_label_classification",
        columns={"text": ["text", "stars"], "label": "label"},
    )  # fmt: skip
    assert findings(table, read_too)["label-leak"].severity == "warning"


def test_a_column_of_other_things_gives_nothing_away() -> None:
    table = table_of(labelled())
    table.frame["shop"] = [PLACES[number % 7] for number in range(120)]
    table.frame["id"] = [str(number) for number in range(120)]
    assert "label-leak" not in findings(table)


def test_texts_that_name_their_own_label() -> None:
    pairs = [(f"[{label}] {text}", label) for text, label in labelled(120, ("sports", "politics"))]
    assert "name of their own label" in findings(table_of(pairs))["label-leak"].text


def test_words_where_numbers_are_predicted() -> None:
    pairs = [(sentence(number), str(number % 7 + 0.5)) for number in range(119)]
    regression = TaskGuess(task="text-classification", problem="regression", columns={"text": "text", "label": "label"})
    found = findings(table_of([*pairs, (sentence(500), "four")]), regression)["label-not-number"]
    assert (found.rows, found.severity) == ([120], "error")


def test_several_labels_a_row() -> None:
    cells = ["sport;health", "sport", "Sport;economy", "economy", "health;economy", ""]
    content = "text,tags\n" + "".join(f"{sentence(number)},{cells[number % 6]}\n" for number in range(120))
    found = findings(read(content))
    assert found["label-spelling"].count == 20
    assert found["missing-label"].severity == "info"
    assert "one-class" not in found


def test_test_rows_that_were_trained_on() -> None:
    test = table_of([(sentence(3), "bad"), (sentence(900), "good")], "test.csv")
    found = findings(table_of(labelled()), test=test)["test-leak"]
    assert found.rows == [1] and "test.csv" in found.text and "50 %" in found.text


# ---------------------------------------------------------------- bad files, from bytes to sentence


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        ("text\n" + "\n".join(map(sentence, range(120))), "no-label-column", "one column, text"),
        ("text,label\nonly one,a\n", "too-few-rows", "1 row"),
        ("a,b\n" + "\n".join(f"{n},{n * n}" for n in range(120)), "no-text-column", "numbers"),
        ("text,label\n" + "\n".join(f"{sentence(n)},same" for n in range(120)), "one-class", "same label"),
    ],
)
def test_files_that_cannot_be_learned_from(content: str, code: str, word: str) -> None:
    found = findings(read(content))[code]
    assert found.severity == "error" and word in found.text and found.fix


def test_what_was_repaired_is_told(shared_requests: Path) -> None:
    table = read_table(shared_requests / "files" / "broken.csv")
    told = " ".join(f.text for f in check(table, profile(table)) if f.code == "file-repaired")
    for word in ("encoding", "line 4", "more cells", "fewer cells", "NUL"):
        assert word in told


@pytest.mark.parametrize(
    "name", ["chat.jsonl", "ner.jsonl", "squad.jsonl", "xrays.zip", "voices.zip", "book.txt", "pairs.jsonl"]
)
def test_other_tasks_are_checked_too(name: str, shared_requests: Path) -> None:
    assert "too-few-rows" in findings(read_table(shared_requests / "files" / name))


@pytest.mark.parametrize(("rows", "seconds"), [(10_000, 6), pytest.param(100_000, 20, marks=pytest.mark.slow)])
def test_a_large_file_is_checked_in_seconds(rows: int, seconds: float, shared_data: Path) -> None:
    """Processor time: other processes may run beside the tests. Measured on one core: 1.3 s and 12 s."""
    source = read_table(shared_data / "food-reviews" / "train.xlsx").frame["review"].tolist()
    chance = random.Random(1)
    words = " ".join(source).split()
    texts = []
    for _ in range(rows):
        start, length = chance.randrange(len(words) - 200), chance.randrange(10, 120)
        texts.append(" ".join(words[start : start + length]))
    labels = chance.choices(["a", "b"], k=rows)
    table = Table("big.csv", "csv", pd.DataFrame({"text": texts, "label": labels}, dtype=object))
    seen = profile(table)
    started = time.process_time()
    found = {finding.code for finding in check(table, seen)}
    assert "html" in found
    assert time.process_time() - started < seconds


def test_an_odd_spelling_is_no_small_class() -> None:
    """What is told as a spelling is not told again as a class with one row, or as two uneven classes."""
    rows = [*labelled(), ("Somebody else came by with a lamp", "Good"), ("Nobody came by with a lamp", "bad ")]
    found = findings(table_of(rows))
    assert "label-spelling" in found and not {"small-class", "imbalance"} & set(found)
    assert "small-class" in findings(table_of([*rows, ("One more came by", "odd")]))
