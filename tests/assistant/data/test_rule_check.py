"""A word that decides is found; one that only helps is not."""

from __future__ import annotations

import pandas as pd
import pytest

from assistant.data.findings import Finding, make_view
from assistant.data.profile import profile
from assistant.data.roles import guess_tasks
from assistant.data.rule_check import one_word_rule
from assistant.data.table import Table

_WORDS = ("parcel", "invoice", "login", "colour", "battery", "garden", "train", "window", "letter", "music")


def found(texts: list[str], labels: list[str]) -> list[Finding]:
    table = Table(name="a.csv", format="csv", frame=pd.DataFrame({"text": texts, "label": labels}), notes=[])
    seen = profile(table)
    return list(one_word_rule(make_view(table, seen, guess_tasks(seen)[0])))


def rows(count: int, special: str) -> tuple[list[str], list[str]]:
    """Every third row holds something special and has the label of it."""
    labels = ["special" if i % 3 == 0 else "usual" for i in range(count)]
    texts = [f"I write about my {_WORDS[i % 10]} and the {_WORDS[i * 7 % 10]} of case {'abcdefghij'[i % 10]} today"
             + (f" {special}" if label == "special" else "") for i, label in enumerate(labels)]  # fmt: skip
    return texts, labels


@pytest.mark.parametrize(
    ("special", "sign"),
    [("Bankruptcy", "the word “bankruptcy”"), ("http://x.example", "a web address"), ("cost $5", "a sum of money")],
)
def test_a_sign_that_decides_is_found(special: str, sign: str) -> None:
    (finding,) = found(*rows(120, special))
    assert finding.code == "one-word-rule"
    if sign.startswith("the word"):
        assert sign in finding.text
    assert "100 %" in finding.text


def test_a_word_that_only_helps_is_no_rule() -> None:
    texts, labels = rows(120, "bankruptcy")
    texts = [text.replace("bankruptcy", "parcel") if i % 2 else text for i, text in enumerate(texts)]
    assert found(texts, labels) == []


def test_few_rows_and_many_classes_are_left_alone() -> None:
    texts, labels = rows(36, "bankruptcy")
    assert found(texts, labels) == []  # twelve rows agree by chance
    texts, labels = rows(120, "bankruptcy")
    assert found(texts, [f"{label}-{i % 2}" for i, label in enumerate(labels)]) == []
