"""Fixes mend a copy; the table at hand and the file stay as they are."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from files import save

from assistant.data import personal
from assistant.data.doctor import FIXES, check, fix
from assistant.data.fixes import strip_html
from assistant.data.guesses import TaskGuess
from assistant.data.profile import profile
from assistant.data.table import Table, read_table
from assistant.errors import PlainError

COLUMNS: dict[str, str | list[str]] = {"text": "text", "label": "label"}
GUESS = TaskGuess(task="text-classification", problem="single_label_classification", columns=COLUMNS)


def mended(code: str, texts: list[Any], labels: list[Any], **more: Any) -> tuple[list[Any], list[Any], str]:
    table = Table("data.csv", "csv", pd.DataFrame({"text": texts, "label": labels}, dtype=object))
    before = copy.deepcopy(table.frame)
    after, sentence = fix(table, code, COLUMNS, **more)
    pd.testing.assert_frame_equal(table.frame, before)
    return after.frame["text"].tolist(), after.frame["label"].tolist(), sentence


def test_copies_go_and_the_first_stays() -> None:
    texts, labels, sentence = mended(
        "duplicates", ["a b", "c", "A  b", "a b", None, None], ["x", "x", "x", "y", "x", "x"]
    )
    assert (texts, labels) == (["a b", "c", "a b", None, None], ["x", "x", "y", "x", "x"])
    assert sentence.startswith("1 copy was removed")


def test_rows_without_text_or_label_go() -> None:
    assert mended("missing-text", ["a", None, " "], ["x", "y", "z"])[0] == ["a"]
    assert mended("missing-label", ["a", "b", "c"], ["x", None, ""])[0] == ["a"]


def test_all_that_was_found_goes_at_once_and_nothing_else() -> None:
    """Labels are spelled alike before copies are looked for; what was not found is left alone."""
    texts, labels = ["a <b>x</b>", "c", "C", None, "jo@example.com"], ["yes", "no", "No", "no", "yes"]
    found = ["duplicates", "label-spelling", "missing-text", "html", "likely-wrong-labels"]
    after = mended("everything", texts, labels, found=found)
    assert after[:2] == (["a x", "c", "jo@example.com"], ["yes", "no", "yes"])
    assert "1 copy was removed" in after[2] and "1 row without a text" in after[2] and "masked" not in after[2]


def test_labels_are_spelled_alike() -> None:
    labels = ["positive"] * 3 + ["Positive", "positive ", None, "negative"]
    assert mended("label-spelling", list("abcdefg"), labels)[1] == ["positive"] * 5 + [None, "negative"]


def test_labels_inside_cells_and_lists_are_spelled_alike() -> None:
    cells = ["a;b", "A;c", "a", "b;a"]
    assert mended("label-spelling", list("wxyz"), cells, label_separator=";")[1] == ["a;b", "a;c", "a", "b;a"]
    lists = [["a", "b"], ["A", "a"], ["a"]]
    assert mended("label-spelling", list("xyz"), lists)[1] == [["a", "b"], ["a"], ["a"]]


def test_the_majority_settles_a_conflict_and_ties_go() -> None:
    texts = ["same", "same", "Same", "tie", "tie", "other"]
    labels = ["x", "x", "y", "x", "y", "y"]
    after = mended("conflicting-labels", texts, labels)
    assert after[:2] == (["same", "same", "other"], ["x", "x", "y"])
    assert "3 rows were removed" in after[2]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Great<br />soup &amp; bread", "Great\nsoup & bread"),
        ("<p>One</p><p class='x'>two</p>", "One\ntwo"),
        ("<script>alert(1)</script>hi <!-- no -->there", "hi there"),
        ("if a < b then I <3 it", "if a < b then I <3 it"),
        ("caf&eacute;&nbsp;au lait", "café au lait"),
    ],
)
def test_html_is_taken_out(text: str, clean: str) -> None:
    assert strip_html(text) == clean


def test_broken_letters_are_mended() -> None:
    texts, _, sentence = mended("mojibake", ["Das BrÃ¶tchen", "Brötchen", "plain"], ["a", "b", "c"])
    assert texts == ["Das Brötchen", "Brötchen", "plain"]
    assert "1 text." in sentence


def test_personal_data_is_masked() -> None:
    text = "Ann <ann@example.org> or +49 (0) 30 901820, card 4111-1111-1111-1111, 12.03.2024, 3.14159265358979"
    assert mended("personal-data", [text], ["x"])[0] == [
        "Ann <[email]> or [phone], card [card], 12.03.2024, 3.14159265358979"
    ]


@pytest.mark.parametrize(
    "text", ["2025-02-03 08:12", "10.0.0.1", "1234567890123", "a@b", "price 1 200 000", "0.123456789012345"]
)
def test_what_is_not_personal(text: str) -> None:
    assert personal.find(text) == []
    assert personal.mask(text) == text


def test_every_fix_makes_its_finding_go_away() -> None:
    texts = [f"a text that is unlike the others, number {n}, said {n * 7} times" for n in range(60)]
    labels: list[str | None] = ["positive", "negative"] * 30
    texts += [
        texts[0],
        texts[2],
        "<b>bold</b> words here",
        "BrÃ¶tchen und sÃ¼ÃŸe Brezeln",
        "mail me@example.org now",
        "",
    ]
    labels += ["positive", "negative", "Positive", "negative", None, "positive"]
    table = Table("data.csv", "csv", pd.DataFrame({"text": texts, "label": labels}, dtype=object))
    found = [finding.code for finding in check(table, profile(table), GUESS) if finding.fixable]
    assert set(found) == set(FIXES) - {"likely-wrong-labels", "set-likely-labels", "broken-media", "silent-audio"}
    for code in found:
        after, sentence = fix(table, code, COLUMNS)
        left = [finding.code for finding in check(after, profile(after), GUESS)]
        assert code not in left and sentence.endswith(".")


def test_unknown_fixes_and_fixes_that_would_leave_nothing() -> None:
    table = Table("data.csv", "csv", pd.DataFrame({"text": [None], "label": ["x"]}, dtype=object))
    with pytest.raises(PlainError) as caught:
        fix(table, "imbalance", COLUMNS)
    assert caught.value.code == "fix-unknown" and "duplicates" in caught.value.text()
    with pytest.raises(PlainError) as caught:
        fix(table, "missing-text", COLUMNS)
    assert caught.value.code == "no-rows"


def test_the_file_is_never_touched(tmp_path: Path) -> None:
    path = save(tmp_path / "data.csv", "text,label\na b,x\na b,x\n<b>c</b>,y\n")
    before = path.read_bytes()
    table = read_table(path)
    for code in FIXES:
        fix(table, code, COLUMNS)
    assert path.read_bytes() == before
