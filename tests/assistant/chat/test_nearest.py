"""Answers of a sentence encoder, in words and drawn: both sides, numbers as people read them, nothing hostile."""

from __future__ import annotations

import pytest

from assistant.chat import nearest, run_replies
from assistant.chat.turns import Reply
from assistant.ui import render

NEAR = {
    "input": "list <b>files</b>", "prediction": "ls -l", "nearest": [{"text": "ls -l", "score": 0.812}],
    "untuned": [{"text": "<script>alert(1)</script>", "score": 0.4}],
}  # fmt: skip
PAIR = {"input": "a ↔ b", "prediction": 0.0, "untuned": 0.617}


def test_the_nearest_texts_stand_after_and_before_the_tuning() -> None:
    said = nearest.said(NEAR)
    assert "1. ls -l (0.81)" in said and said.index("tuned model") < said.index("Before the tuning")
    drawn = render.prediction_card(Reply(text="", card="prediction", data={"predictions": [NEAR]}))
    assert "<script>" not in drawn and "<b>" not in drawn
    assert "<li>ls -l <small>0.81</small></li>" in drawn and "0.40" in drawn


def test_two_texts_are_a_number_each_also_when_it_is_zero() -> None:
    assert "They are **0.00** close" in nearest.said(PAIR) and "**0.62**" in nearest.said(PAIR)
    assert "Before" not in nearest.said({**PAIR, "untuned": None})
    drawn = render.prediction_card(Reply(text="", card="prediction", data={"predictions": [PAIR]}))
    assert "0.00" in drawn and "0.62" in drawn


@pytest.mark.parametrize(
    "other",
    [{"prediction": "A text.", "untuned": "Another."}, {"prediction": 3.2}, {"prediction": [{"text": "x"}]}],
)
def test_other_models_answer_as_before(other: dict[str, object]) -> None:
    assert not nearest.is_one({"input": "x", **other})
    assert run_replies.predictions([{"input": "x", "prediction": 3.25}]).text == "The model says **3.25**."
