"""Starter models in the dialogue: understood, offered where no hub is there, and the plan that waited goes on."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.chat import rules
from assistant.chat.dialogue import step
from assistant.chat.turns import Answered, PlanPrepared, Said, State
from recipes.plan import Plan
from tests.assistant.chat.cards import reviews

MOBILENET = {"name": "mobilenetv2", "title": "MobileNetV2", "mb": 13.0}


def waiting_state() -> State:
    plan = Plan().changed(
        {"task": "text-classification", "base_model": "pytorch/vision:mobilenet_v2", "data.source": "photos.zip"}
    )
    return step(State(pending="prepared:new"), PlanPrepared(plan=plan, starter=MOBILENET)).state


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("download the starter model", None),
        ("Please get the starter model!", None),
        ("download mobilenetv2", "mobilenetv2"),
        ("can you fetch whisper tiny english", "whisper-tiny-en"),
        ("install smollm2", "smollm2"),
        ("download the starter model smollm2", "smollm2"),
        ("download the base model", None),
    ],
)
def test_a_wish_for_a_starter_is_read(text: str, name: str | None) -> None:
    wanted = rules.read(text, State())
    assert wanted.name == "get_starter"
    assert wanted.slots.get("starter") == name


@pytest.mark.parametrize(
    "text", ["download the model", "what is the starter model?", "use minilm", "download the report", "get bert", "yes"]
)
def test_other_wishes_are_not_taken_for_it(text: str) -> None:
    assert rules.read(text, State()).name != "get_starter"


def test_the_plan_offers_one_button_in_the_place_of_start() -> None:
    plan = Plan().changed({"task": "text-classification", "base_model": "pytorch/vision:mobilenet_v2"})
    turn = step(State(pending="prepared:new"), PlanPrepared(plan=plan, starter=MOBILENET))
    options = turn.replies[-1].options
    assert options[0].label == "Download MobileNetV2 (13 MB)"
    assert "start" not in [option.say for option in options]
    assert rules.read(options[0].say, turn.state).name == "get_starter"
    assert "cannot be reached" in turn.replies[-1].text


def test_a_start_asks_for_the_download_first_and_a_yes_means_it() -> None:
    asked = step(waiting_state(), Said(text="start"))
    assert asked.effects == [] and "MobileNetV2" in asked.replies[-1].text
    turn = step(asked.state, Said(text="yes"))
    assert [(effect.kind, effect.arguments) for effect in turn.effects] == [("get_starter", {"name": "mobilenetv2"})]
    assert turn.replies[-1].card == "download"


def answered(problem: dict[str, str] | None = None, **data: Any) -> Answered:
    return Answered(effect="get_starter", data={"name": "mobilenetv2", **data}, problem=problem)


def test_the_plan_goes_on_when_it_is_here() -> None:
    state = waiting_state().model_copy(update={"files": [reviews()]})
    turn = step(state, answered())
    assert turn.state.starter is None
    assert [effect.kind for effect in turn.effects] == ["prepare_plan"]
    plan = state.plan
    assert plan is not None
    shown = step(turn.state, PlanPrepared(plan=plan))
    assert shown.replies[-1].options[0].say == "start"


def test_a_failure_is_told_and_can_be_tried_again() -> None:
    turn = step(waiting_state(), answered(problem={"code": "starter-not-downloaded", "what": "No network."}))
    assert turn.state.starter == MOBILENET
    assert [option.say for option in turn.replies[-1].options] == ["download the starter model"]


def test_without_a_name_and_without_a_plan_the_starters_are_listed() -> None:
    turn = step(State(), Said(text="download a starter model"))
    assert turn.effects == []
    assert "MobileNetV2" in turn.replies[-1].text and "71 MB" in turn.replies[-1].text
    for option in turn.replies[-1].options:
        assert rules.read(option.say, turn.state).name == "get_starter"
