"""Few words are read as the answer to what was just asked or offered, and to nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.chat import offers, rules, why_not
from assistant.chat.turns import State
from assistant.data.examples import example_names
from recipes.plan import Plan

PLAN = Plan().changed({
    "task": "text-classification", "base_model": "sentence-transformers/all-MiniLM-L6-v2", "method.name": "last_layers",
    "method.layers": 3, "training.epochs": 3, "reasons": {"method.name": "Enough rows for the upper layers."},
})  # fmt: skip


def read(text: str, **state: Any) -> tuple[str, dict[str, Any]] | None:
    found = offers.read(text, State(**state), ())
    return (found.name, found.slots) if found else None


@pytest.mark.parametrize(
    "text", ["texts", "a class", "several", "I have no data", "take the plan that works", "measure it"]
)
def test_without_an_offer_they_are_left_to_the_other_readers(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "step"),
    [("texts", "text"), ("e-mails", "text"), ("It's about tickets!", "text"), ("photos", "image"), ("voice", "audio")],
)
def test_the_first_question(text: str, step: str) -> None:
    assert read(text, pending="guide:inputs") == ("help", {"kind": "hello", "step": step})


@pytest.mark.parametrize(
    ("step", "text", "task"),
    [
        ("text", "one class for each text", "text-classification"),
        ("text", "several labels", "text-classification"),
        ("text", "a rating", "text-classification"),
        ("text", "the names in it", "token-classification"),
        ("text", "a summary", "text2text-generation"),
        ("image", "boxes around things in each picture", "object-detection"),
        ("image", "a class", "image-classification"),
        ("audio", "the spoken words of each recording", "automatic-speech-recognition"),
    ],
)
def test_the_second_question(step: str, text: str, task: str) -> None:
    found = read(text, pending=f"guide:{step}")
    assert found is not None
    assert found[1]["task"] == task


def test_every_button_of_the_guide_is_understood() -> None:
    question, pending = offers.ask("inputs")
    for option in question.options:
        answer = read(option.say, pending=pending)
        assert answer is not None, option
        if "step" in answer[1]:
            inner, inner_pending = offers.ask(answer[1]["step"])
            for choice in inner.options:
                assert read(choice.say, pending=inner_pending) is not None, choice


def test_a_whole_sentence_is_no_answer_to_the_guide() -> None:
    wish = "I want to train a model that sorts the tickets of our shop by department"
    assert read(wish, pending="guide:inputs") is None
    assert rules.read(wish, State(pending="guide:inputs")).name == "plan"


@pytest.mark.parametrize("text", ["try the spam example", "show me an example", "use the example", "example please"])
def test_the_example_can_always_be_asked_for(text: str) -> None:
    assert read(text) == ("plan", {"example": "spam"})


@pytest.mark.parametrize(
    ("text", "name"),
    [("show me the picture example", "clothes"), ("use the clothes data", "clothes"),
     ("try the accent example", "accent"), ("load the sound example please", "commands"),
     ("use the spam data", "spam"), *((f"show me the {name} example", name) for name in example_names())],
)  # fmt: skip
def test_an_example_by_its_subject(text: str, name: str) -> None:
    assert read(text) == ("plan", {"example": name})
    assert name in example_names()


@pytest.mark.parametrize(
    "text", ["for example e-mails", "what is an example of overfitting?", "spam examples in my file"]
)
def test_an_example_of_something_is_none(text: str) -> None:
    assert read(text) is None


def test_why_after_an_answer_about_a_run_asks_for_its_evidence() -> None:
    assert read("but why?", pending="told:is it good") == ("explain", {"topic": "mistakes"})
    assert read("why these columns?", pending="told:is it good") is None
    assert read("why?") is None


def test_no_data_means_the_example_once_data_were_asked_for() -> None:
    assert read("I have no data yet", pending="guide:file") == ("plan", {"example": "spam"})
    assert read("I don't have any", pending="guide:text") == ("plan", {"example": "spam"})
    assert read("I have no data yet", pending="guide:image") == ("plan", {"example": "clothes"})
    assert read("I have no data yet", pending="guide:audio") == ("plan", {"example": "commands"})


def test_the_nearest_plan_is_taken_whole() -> None:
    nearest = {"training.max_minutes": 12.0, "method.name": "lora"}
    assert read("take the plan that works", nearest=nearest) == ("change", nearest)


@pytest.mark.parametrize("text", ["measure first", "Measure it first please", "do a dry run", "make a trial run first"])
def test_measuring_needs_a_plan(text: str) -> None:
    assert read(text, plan=PLAN) == ("explain", {"topic": "measure"})
    assert read(text) is None


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("why this model and not roberta?", "RoBERTa base instead of MiniLM"),
        ("why not LoRA?", "Why not LoRA"),
        ("why not full fine-tuning?", "Why not Full fine-tuning"),
        ("why minilm instead of a multilingual model?", ""),
        ("why not more epochs?", "learns the rows by heart"),
        ("why not a bigger model?", "parameters"),
        ("why this method?", ""),
        ("why not the last layers?", ""),  # that is what the plan does
    ],
)
def test_alternatives_are_held_against_the_plan(asked: str, part: str) -> None:
    found = why_not.answer(asked, PLAN, None)
    assert (part in found[0]) if part and found else (found is None) == (not part)


def test_an_alternative_offers_itself() -> None:
    found = why_not.answer("why not LoRA?", PLAN, None)
    assert found is not None
    assert [option.say for option in found[1]] == ["use lora"]
    assert "Enough rows" in found[0]
