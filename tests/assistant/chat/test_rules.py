"""The reader: whole sentences, with and without data and plan; any text at all; in milliseconds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chat import rules
from assistant.chat.intents import INTENTS
from assistant.chat.turns import FileCard, RunCard, State
from assistant.chat.words import words_of
from recipes.plan import Plan
from tests.assistant.chat import cards

SENTENCES = [
    line.split(": ", 1)
    for line in (Path(__file__).parent / "sentences.txt").read_text(encoding="utf-8").splitlines()
    if ": " in line and not line.startswith("#")
]
PLAN = Plan().changed(
    {
        "task": "text-classification", "problem": "single_label_classification", "training.epochs": 4,
        "base_model": "distilbert/distilbert-base-uncased", "data.columns.text": "message", "method.name": "full",
        "data.columns.label": "department", "data.source": "tickets.csv", "training.learning_rate": 2e-5,
    }
)  # fmt: skip


def planned() -> State:
    return State(plan=PLAN, files=[cards.tickets()])


@pytest.mark.parametrize(("wanted", "sentence"), SENTENCES, ids=[sentence[:60] for _, sentence in SENTENCES])
def test_sentences_with_nothing_at_hand(wanted: str, sentence: str) -> None:
    found = rules.read(sentence, State())
    name, _, task = wanted.partition(" ")
    assert found.name == name
    if task:
        assert found.slots["task"] == task


@pytest.mark.parametrize(
    ("text", "file", "wanted"),
    [
        ("sort by mood, good or bad", cards.reviews, {"task": "text-classification"}),
        ("predict the department and not the priority", cards.tickets, {"data.columns.label": "department"}),
        ("low, medium or high?", cards.tickets, {"data.columns.label": "priority"}),
        ("the label is priority", cards.tickets, {"data.columns.label": "priority"}),
        ("not the department but the priority", cards.tickets, {"data.columns.label": "priority"}),
        (
            "use subject and body together, predict the kind",
            cards.mails,
            {"data.columns.text": ["subject", "body"], "data.columns.label": "kind"},
        ),
        ("only the body is the text, kind is the label", cards.mails, {"data.columns.text": "body"}),
        ("a chatbot that answers like this", cards.chats, {"task": "text-generation"}),
        ("sentiment with distilbert, 3 epochs and start", cards.reviews, {"training.epochs": 3, "then": "start"}),
        (
            "sentiment please, load the model from ../../etc/passwd",
            cards.reviews,
            {"refused": "path", "task": "text-classification"},
        ),
    ],
)
def test_requests_with_a_file(text: str, file: Any, wanted: dict[str, Any]) -> None:
    card: FileCard = file()
    found = rules.read(text, State(files=[card]), [card])
    assert found.name == "plan"
    assert {path: found.slots.get(path) for path in wanted} == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("use roberta instead", {"base_model": "FacebookAI/roberta-base"}),
        ("twice as many epochs", {"training.epochs": 8}),
        ("no, the label is the priority column", {"data.columns.label": "priority"}),
        ("I meant priority", {"data.columns.label": "priority"}),
        ("make it a regression, I want a number", {"problem": "regression"}),
        ("smaller model please", {"preference": "smaller"}),
        ("faster", {"preference": "faster"}),
        ("quality matters more than time", {"preference": "more accurate"}),
        ("not distilbert please", {"avoid": ["distilbert"]}),
        ("without full fine-tuning", {"avoid": ["full"]}),
        ("push it to my-org/feel when done", {"output.publish": "my-org/feel"}),
        ("don't change the epochs, only set the learning rate to 1e-5", {"training.learning_rate": 1e-5}),
        (
            "4 epochs, lora rank 8, max 20 minutes",
            {"training.epochs": 4, "method.name": "lora", "method.rank": 8, "training.max_minutes": 20},
        ),
    ],
)
def test_changes_of_a_plan(text: str, wanted: dict[str, Any]) -> None:
    found = rules.read(text, planned())
    assert found.name == "change"
    assert found.slots == wanted


@pytest.mark.parametrize(
    "text",
    [
        "go",
        "yes do it",
        "looks good, run it",
        "yep, start the training now",
        "ok",
        "I agree, please begin",
        "launch it!",
    ],
)
def test_a_yes_starts(text: str) -> None:
    assert rules.read(text, planned()).name == "start"


@pytest.mark.parametrize(
    "text",
    [
        "don't start yet", "wait", "not now", "no", "I'm not ready", "start a club for readers",
        "what happens if I start?", "how do I start?", "is it good to start with 3 epochs?", "run rm -rf /",
        "the training of dogs", "perfect weather today",
        "when will you start?", "before you start, what is lora?", "never start without asking me",
    ],
)  # fmt: skip
def test_nothing_starts_without_a_yes(text: str) -> None:
    assert rules.read(text, planned()).name != "start"
    assert rules.read(text, planned()).slots.get("then") is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("why did you choose this model?", {"topic": "base_model"}),
        ("why so few epochs?", {"topic": "training.epochs"}),
        ("explain the plan", {"topic": "plan"}),
        ("what is lora?", {"topic": "lora"}),
        ("what's the difference between accuracy and f1?", {"topic": "accuracy", "other": "f1"}),
        ("is 300 rows enough?", {"topic": "how much data", "rows": 300}),
        ("how long will it take?", {"topic": "time estimate"}),
    ],
)
def test_questions_about_a_plan(text: str, wanted: dict[str, Any]) -> None:
    found = rules.read(text, planned())
    assert found.name == "explain"
    assert found.slots == wanted


def test_while_a_model_is_tried_plain_text_is_an_input() -> None:
    state = planned().model_copy(update={"trying": True, "runs": [RunCard(id="a", number=1, status="finished")]})
    for text in (
        "the parcel never came",
        "Is this a good phone?",
        "stop sending me letters about the invoice please",
        "<b>hi</b>",
    ):
        found = rules.read(text, state)
        assert (found.name, found.slots.get("input")) == ("predict", text)
    assert rules.read("stop", state).name == "stop"
    assert rules.read("show me the report", state).name == "report"
    assert rules.read("download the model", state).name == "export"


def test_a_pending_question_is_answered_by_yes_only() -> None:
    runs = [RunCard(id="a", number=1, status="finished")]
    state = planned().model_copy(update={"pending": "delete_run:a", "runs": runs})
    assert rules.read("yes", state).name == "delete_run"
    assert rules.read("no", state).name != "delete_run"
    assert rules.read("what does that mean for my data?", state).name != "delete_run"


def test_a_table_of_numbers_is_out_of_scope() -> None:
    card = cards.houses()
    found = rules.read("predict the price of a house from these", State(files=[card]), [card])
    assert (found.name, found.slots) == ("unclear", {"why": "tabular"})


def test_reading_is_pure_and_quick() -> None:
    state, card = planned(), cards.tickets()
    before = state.model_dump()
    rules.read("warm up", state)
    text = "which department, use roberta, 3 epochs, lr 2e-5, 20 % test, at most 30 minutes, not the priority"
    started = time.process_time()
    answers = [rules.read(text, state, [card]) for _ in range(20)]
    each = (time.process_time() - started) / 20
    assert all(answer == answers[0] for answer in answers)
    assert state.model_dump() == before
    assert each < 0.15


def test_a_huge_message_is_read_quickly() -> None:
    rules.read("warm up", planned())
    started = time.process_time()
    assert rules.read("a" * 100_000, State()).name == "unclear"
    assert rules.read("not " * 20_000, planned()).name in INTENTS
    assert rules.read("1 " * 20_000, planned()).name in INTENTS
    assert rules.read("the last " * 5_000, planned()).name in INTENTS
    assert time.process_time() - started < 4


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    for state in (State(), planned(), planned().model_copy(update={"trying": True})):
        found = rules.read(text, state)
        INTENTS[found.name].model_validate(found.slots)


_PIECES = st.sampled_from(
    sorted(
        words_of(
            """
            not don't use train start stop the a last 3 three epochs layers lr 2e-5 % learning rate of rows
            test percent bert roberta lora department priority ../../etc/passwd <script> {0} %s $HOME ';
            DROP why what is ? , . and or instead smaller model half hour on gpu to hub anna/shop as label
            column minutes twice more freeze everything but run 2 delete undo
            """
        )
    )
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES, max_size=14))
def test_any_mixture_of_words_is_read(pieces: list[str]) -> None:
    found = rules.read(" ".join(pieces), planned(), [cards.tickets()])
    INTENTS[found.name].model_validate(found.slots)
    for path, value in found.slots.items():
        assert ".." not in str(value), path
        assert "<script" not in str(value) or path == "input"
