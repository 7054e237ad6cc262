"""Whether fine-tuning is the right tool: said where the words or the rows are plain about it, and only there."""

from __future__ import annotations

import pytest
from sample_profiles import LAPTOP, even, texts

from assistant.advise import tool
from assistant.advise.advisor import advise


@pytest.mark.parametrize(
    ("goal", "kind"),
    [
        ("I want a chatbot that answers questions about my pdf", "search"),
        ("ask questions to our employee handbook", "search"),
        ("the model should know all our products", "search"),
        ("find every mail that contains the word invoice", "rule"),
        ("flag messages with a phone number", "rule"),
        ("extract all e-mail addresses", "rule"),
        ("texts that start with Dear", "rule"),
        ("which language is each sentence?", "existing model"),
        ("translate my letters into German", "existing model"),
        ("transcribe clear English speech", "existing model"),
        ("are these tweets positive or negative", "existing model"),
        ("mark toxic comments", "existing model"),
        ("tell dogs from cats in photos", "existing model"),
        ("sort my 12 emails into spam and not spam", "more data"),
        ("30 tickets in 20 departments", "more data"),
        ("sort these texts, it is a one-off job", "prompt"),
    ],
)
def test_the_words_name_a_better_tool(goal: str, kind: str) -> None:
    found = tool.by_words(goal)
    assert found is not None and found.kind == kind, found
    assert found.text.endswith(".")


@pytest.mark.parametrize(
    "goal",
    [
        "Tell spam from real e-mails",
        "sort support tickets by department",
        "predict the rating from the review text",
        "tell healthy from sick leaves in photos",
        "write down speech with a strong accent",
        "sort 3000 emails into 5 folders",
        "answer customers in our tone",
        "",
    ],
)
def test_elsewhere_the_words_say_nothing(goal: str) -> None:
    assert tool.by_words(goal) is None


def test_too_few_rows_say_how_many_would_do() -> None:
    profile, guess = texts({"a": 4, "b": 4, "c": 4})
    said = advise(profile, {}, LAPTOP, guess=guess).advice
    assert any("12 rows for 3 classes are too few" in one and "150 rows (50 a class)" in one for one in said)
    assert "From about 30 (10 a class)" in tool.too_few(12, 3)


def test_enough_rows_are_not_talked_down() -> None:
    profile, guess = even(2000)
    assert not any("too few" in one for one in advise(profile, {}, LAPTOP, guess=guess).advice)


def test_a_rule_in_the_data_comes_first() -> None:
    profile, guess = even(400)
    finding = {"code": "one-word-rule", "text": "A rule does this: the word “invoice”.", "fix": "Use the rule."}
    said = advise(profile, {}, LAPTOP, guess=guess, findings=[finding, {"code": "duplicates"}]).advice
    assert said[0] == "A rule does this: the word “invoice”. Use the rule."


def test_the_goal_of_a_plan_is_heard() -> None:
    profile, guess = even(400)
    assert any("Whisper" in one for one in advise(profile, {}, LAPTOP, guess=guess, goal="transcribe speech").advice)
