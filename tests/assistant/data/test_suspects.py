"""Wrong labels are found on real data, few others are accused, and where nothing can be told nothing is said."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from assistant.data.findings import make_view
from assistant.data.profile import profile
from assistant.data.suspects import find_suspects
from assistant.data.table import read_table

SETS = {"email-spam": "train.jsonl", "news-topics": "train.csv", "which-language": "train.zip"}


def real(folder: Path, name: str) -> tuple[list[str], list[list[str]]]:
    table = read_table(folder / name)
    view = make_view(table, profile(table), None)
    return view.texts, view.labels


def with_wrong(labels: list[list[str]], share: float, seed: int) -> tuple[list[list[str]], dict[int, str]]:
    """The labels with a share of them set wrong, and what these were before."""
    chance = random.Random(seed)
    names = sorted({label[0] for label in labels})
    rows = chance.sample(range(len(labels)), int(share * len(labels)))
    changed = list(labels)
    for row in rows:
        changed[row] = [chance.choice([name for name in names if name != labels[row][0]])]
    return changed, {row: labels[row][0] for row in rows}


@pytest.mark.parametrize("name", SETS)
def test_most_of_what_is_found_was_set_wrong(name: str, shared_data: Path) -> None:
    """Measured with seeds 1 and 2: 95 and 94 % of what was found in e-mails (79 and 72 % of what was set wrong was
    found), 100 and 97 % in news (69 and 63 %), all in languages."""
    texts, labels = real(shared_data / name, SETS[name])
    wrong, truth = with_wrong(labels, 0.03, seed=1)
    found, looked_at = find_suspects(texts, wrong)
    rows = {suspect.row for suspect in found}
    assert looked_at == len(texts)
    assert len(rows & set(truth)) >= 0.85 * len(rows)
    assert len(rows & set(truth)) >= 0.4 * len(truth)
    right = [suspect for suspect in found if suspect.row in truth and suspect.likely == truth[suspect.row]]
    assert len(right) >= 0.9 * len(rows & set(truth))


@pytest.mark.parametrize("name", SETS)
def test_clean_data_are_hardly_accused(name: str, shared_data: Path) -> None:
    """Measured: 2 of 3,000 e-mails, 1 of 1,649 news, none of 545 languages."""
    texts, labels = real(shared_data / name, SETS[name])
    assert len(find_suspects(texts, labels)[0]) <= 0.002 * len(texts) + 1


def test_where_words_cannot_tell_nothing_is_said(shared_data: Path) -> None:
    texts, labels = real(shared_data / "food-reviews", "train.xlsx")
    assert find_suspects(texts, labels) == ([], 0)
    assert find_suspects(texts, with_wrong(labels, 0.03, seed=1)[0]) == ([], 0)


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (["a few words"] * 20, [["x"], ["y"]] * 10),
        ([f"text {n}" for n in range(300)], [["one"]] * 300),
        ([f"text {n}" for n in range(300)], [[f"class {n // 2}"] for n in range(300)]),
        ([f"word{n}" for n in range(300)], [["x"], ["y"]] * 150),
        ([""] * 300, [["x"], ["y"]] * 150),
        ([f"text {n}" for n in range(300)], [[]] * 300),
        ([f"text {n}" for n in range(300)], [["x", "y"]] * 300),
    ],
)
def test_data_that_tell_nothing(texts: list[str], labels: list[list[str]]) -> None:
    assert find_suspects(texts, labels) == ([], 0)


def test_a_large_file_is_looked_at_in_part(shared_data: Path) -> None:
    texts, labels = real(shared_data / "email-spam", "train.jsonl")
    started = time.process_time()
    found, looked_at = find_suspects([text[:300] for text in texts] * 30, labels * 30)
    assert 1_000 < looked_at <= 4_000 and len(found) < 0.02 * looked_at
    assert time.process_time() - started < 15
