"""What a second reader's answer may do: read and plan; everything that acts becomes a question."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chat import dialogue, replies, rules, second
from assistant.chat.intents import INTENTS
from assistant.chat.turns import FileCard, Intent, PlanPrepared, RunCard, Said, State, Turn
from recipes.plan import Plan
from tests.assistant.chat import cards

PLAN = Plan().changed(
    {
        "task": "text-classification", "problem": "single_label_classification", "training.epochs": 3,
        "base_model": "distilbert/distilbert-base-uncased", "method.name": "full", "training.learning_rate": 2e-5,
        "training.batch_size": 16, "data.columns.text": "review", "data.columns.label": "sentiment",
        "data.source": "reviews.csv", "data.name": "reviews.csv",
    }
)  # fmt: skip
RUNS = [
    RunCard(id="a", number=1, status="finished", task="text-classification", title="reviews"),
    RunCard(id="b", number=2, status="cancelled", task="text-classification", title="reviews"),
    RunCard(id="c", number=3, status="running", task="text-classification", title="reviews"),
]
UNCLEAR = "zorble the whatsit"
FINDING = {"code": "exact-duplicates", "severity": "warning", "text": "x", "fix": "y", "fixable": True, "count": 2}


def full_state(**changes: Any) -> State:
    """A plan at hand, a file with a finding, runs in every state."""
    file = cards.reviews().model_copy(update={"findings": [FINDING]})
    return State(plan=PLAN, files=[file], runs=RUNS, current_run="a", history=[PLAN]).model_copy(update=changes)


def said(text: str, name: str, slots: dict[str, Any] | None = None, state: State | None = None) -> Turn:
    answer = Intent(name=name, slots=slots or {})
    return dialogue.step(state if state is not None else full_state(), Said(text=text, second=answer))


# ---------------------------------------------------------------- the rule


def test_every_intent_has_a_place_and_new_ones_are_asked_about() -> None:
    assert set(INTENTS) == second.READS | second.PLANS | second.ASKED
    assert {"start", "stop", "resume", "publish", "delete_run", "fix_data", "evaluate", "export"} <= second.ASKED
    assert set(replies._ACTS) >= second.ASKED, "each needs its words, so that it can be asked about"


@pytest.mark.parametrize("name", sorted(second.ASKED))
@pytest.mark.parametrize("slots", [{}, {"run": 2}])
def test_what_acts_is_asked_about_and_nothing_else_happens(name: str, slots: dict[str, Any]) -> None:
    state = full_state()
    turn = said(UNCLEAR, name, slots if "run" in INTENTS[name].model_fields else {}, state)
    assert turn.effects == []
    assert turn.intent is not None and turn.intent.name == "unclear"
    assert turn.state.model_copy(update={"pending": None}) == state
    assert turn.replies[-1].options, "a question needs buttons"
    assert turn.replies[-1].text.endswith("?") or "Do you want me to" in turn.replies[-1].text


@pytest.mark.parametrize("name", sorted(second.ASKED))
def test_the_button_and_a_bare_yes_mean_what_was_asked(name: str) -> None:
    turn = said(UNCLEAR, name)
    button = turn.replies[-1].options[0].say
    assert rules.read(button, turn.state.model_copy(update={"pending": None})).name == name
    if name != "delete_run":
        assert rules.read("yes", turn.state).name == name


@pytest.mark.parametrize(
    ("name", "slots", "expected"),
    [
        ("delete_run", {"run": 2}, {"run": 2}),
        ("stop", {"run": 3}, {"run": 3}),
        ("fix_data", {"code": "exact-duplicates"}, {"code": "exact-duplicates"}),
        ("export", {"format": "onnx"}, {"format": "onnx"}),
    ],
)
def test_the_question_is_about_the_thing_that_was_named(
    name: str, slots: dict[str, Any], expected: dict[str, Any]
) -> None:
    turn = said(UNCLEAR, name, slots)
    yes = rules.read("yes", turn.state)
    assert (yes.name, yes.slots) == (name, expected)
    clicked = rules.read(turn.replies[-1].options[0].say, turn.state)
    assert clicked.name == name
    assert clicked.slots.get("run") == expected.get("run")


def test_a_yes_to_a_deletion_is_asked_once_more() -> None:
    asked = said(UNCLEAR, "delete_run", {"run": 2})
    again = dialogue.step(asked.state, Said(text="yes"))
    assert again.effects == []
    assert "cannot be undone" in again.replies[-1].text
    assert [effect.kind for effect in dialogue.step(again.state, Said(text="yes")).effects] == ["delete_run"]


def test_a_no_ends_it() -> None:
    asked = said(UNCLEAR, "start")
    turn = dialogue.step(asked.state, Said(text="no"))
    assert turn.effects == [] and turn.state.pending is None
    assert dialogue.step(turn.state, Said(text="no")).effects == []


def test_a_run_that_is_not_there_is_said_so() -> None:
    turn = said(UNCLEAR, "delete_run", {"run": 77})
    assert "no run 77" in turn.replies[-1].text
    assert turn.effects == []


def test_nothing_is_asked_while_the_offline_reader_is_sure() -> None:
    turn = said("5 epochs", "delete_run", {"run": 1})
    assert turn.intent is not None and turn.intent.name == "change"
    assert said("what is an epoch?", "start").intent == Intent(name="explain", slots={"topic": "epoch"})


# ---------------------------------------------------------------- slots


@pytest.mark.parametrize(
    "slots",
    [
        {"output.publish": "evil/steal"},
        {"compute.target": "hf_jobs"},
        {"compute.flavor": "a100"},
        {"data.source": "/etc/passwd"},
        {"data.test_source": "../x"},
        {"data.name": "x"},
        {"reasons": {"x": "y"}},
        {"reasons.base_model": "<b>trust me</b>"},
        {"base_model": "/etc/passwd"},
        {"base_model": "../../evil"},
        {"base_model": "evil/backdoor-model"},
        {"data.columns.label": "no such column"},
        {"data.columns.label": ["sentiment", "no such column"]},
        {"data.columns.evil": "sentiment"},
        {"evaluation.metric": "Visit https://evil.example"},
        {"avoid": ["<script>"]},
        {"preference": "expensive"},
        {"then": "start"},
        {"like": "evil words"},
        {"refused": "path"},
        {"training.epochs": 10**9},
        {"training.seed": [1]},
        {"__class__": "x"},
    ],
)
def test_a_slot_that_is_not_allowed_drops_the_whole_answer(slots: dict[str, Any]) -> None:
    state = full_state()
    with pytest.raises(second.Fault):
        second.checked({"intent": "change", "slots": {"training.epochs": 6, **slots}}, UNCLEAR, state)
    turn = said(UNCLEAR, "change", {"training.epochs": 6, **slots}, state)
    assert turn.effects == []
    assert turn.intent == Intent(name="unclear")
    assert "evil" not in turn.model_dump_json(include={"replies"})


def test_values_come_in_the_plans_own_types_and_the_catalogs_own_names() -> None:
    slots = {
        "base_model": "roberta", "training.epochs": "4", "method.name": "lora", "training.batch_size": 8,
        "data.columns.text": ["review"], "preference": "faster", "avoid": ["qlora"], "evaluation.metric": "f1",
    }  # fmt: skip
    found = second.checked({"intent": "change", "slots": slots}, UNCLEAR, full_state())
    assert found.slots["base_model"] == "FacebookAI/roberta-base"
    assert (found.slots["training.epochs"], found.slots["training.batch_size"]) == (4.0, 8)


def test_an_unlisted_model_counts_only_where_the_person_wrote_it() -> None:
    answer = {"intent": "change", "slots": {"base_model": "someone/their-model"}}
    found = second.checked(answer, "zorble it with someone/their-model pretty please", full_state())
    assert found.slots == {"base_model": "someone/their-model"}
    with pytest.raises(second.Fault):
        second.checked(answer, "zorble it", full_state())


def test_a_column_is_named_as_the_file_names_it_however_long() -> None:
    frame_name = "x" * 300
    profile = {**cards.reviews().profile, "columns": [{"name": frame_name, "kind": "text"}]}
    state = State(files=[cards.reviews().model_copy(update={"profile": profile})])
    answer = {"intent": "plan", "slots": {"data.columns.text": "x" * second.MAX_NAME}}
    assert second.checked(answer, UNCLEAR, state).slots == {"data.columns.text": frame_name}


@pytest.mark.parametrize(
    ("topic", "expected"), [("epochs", "epoch"), ("LoRA", "lora"), ("time estimate", "time estimate"), ("plan", "plan")]
)
def test_a_topic_is_shown_by_our_own_name(topic: str, expected: str) -> None:
    assert second.checked({"intent": "explain", "slots": {"topic": topic}}, UNCLEAR, State()).slots["topic"] == expected


@pytest.mark.parametrize("topic", ["call 555-1234 now", "data.columns.<b>evil</b>", "x" * 3000, 7])
def test_a_topic_without_a_page_is_a_fault(topic: Any) -> None:
    with pytest.raises(second.Fault):
        second.checked({"intent": "explain", "slots": {"topic": topic}}, UNCLEAR, State())


def test_an_input_must_be_the_persons_own_words() -> None:
    text = "zorble what our thing makes of: free money now"
    own = said(text, "predict", {"input": "free money now"})
    assert [effect.arguments["inputs"] for effect in own.effects] == [["free money now"]]
    other = said(text, "predict", {"input": "a planted text"})
    assert other.effects == [] and "planted" not in other.model_dump_json(include={"replies", "state"})


def test_out_of_scope_is_a_reason_of_our_own_list() -> None:
    assert "recommenders" in said(UNCLEAR, "unclear", {"why": "recommender"}).replies[0].text
    assert said(UNCLEAR, "unclear", {"why": "asked:start:"}).intent == Intent(name="unclear")
    assert said(UNCLEAR, "unclear", {"why": "<b>evil</b>"}).intent == Intent(name="unclear")


# ---------------------------------------------------------------- plans


def test_a_plan_at_hand_is_changed_so_that_undo_has_it() -> None:
    turn = said(UNCLEAR, "plan", {"task": "text-classification", "training.epochs": 9})
    assert turn.intent == Intent(name="change", slots={"training.epochs": 9.0})
    assert [effect.kind for effect in turn.effects] == ["prepare_plan"]
    assert "second reader" in turn.replies[0].text and "undo" in turn.replies[0].text


def test_the_plan_says_who_chose_until_the_person_does() -> None:
    asked = said(UNCLEAR, "change", {"training.epochs": 9})
    assert asked.state.guessed == ["training.epochs"]
    reasons = {"training.epochs": "You asked for it.", "method.name": "You asked for it."}
    prepared = PlanPrepared(plan=PLAN.changed({"training.epochs": 9, "reasons": reasons}))
    plan = dialogue.step(asked.state, prepared).state.plan
    assert plan is not None
    assert "second reader" in plan.reasons["training.epochs"]
    assert plan.reasons["method.name"] == "You asked for it."
    own = dialogue.step(asked.state, Said(text="5 epochs"))
    assert own.state.guessed == []


def test_an_echo_of_the_plan_is_no_change() -> None:
    turn = said(UNCLEAR, "change", {"training.epochs": 3, "method.name": "full"})
    assert turn.intent == Intent(name="unclear") and turn.effects == []


def test_a_request_in_another_language_becomes_a_plan() -> None:
    turn = said("bitte lerne aus meinen Mails was Werbung ist", "plan", {"task": "text-classification"}, State())
    assert turn.state.plan is not None and turn.state.plan.task == "text-classification"
    assert "upload" in turn.replies[-1].text


def test_of_a_plan_whose_task_nobody_knows_only_what_is_missing_is_taken() -> None:
    offline = Intent(name="plan", slots={"training.epochs": 2.0})
    answer = Intent(name="plan", slots={"task": "text-classification", "training.epochs": 50})
    assert second.unsure(offline, State())
    found = second.decide(offline, answer, "train it, 2 epochs", State())
    assert found.slots == {"task": "text-classification", "training.epochs": 2.0}
    assert second.decide(offline, Intent(name="start"), "train it, 2 epochs", State()) == offline


@pytest.mark.parametrize(
    ("offline", "state", "files", "expected"),
    [
        (Intent(name="unclear"), State(), [], True),
        (Intent(name="unclear", slots={"why": "tabular"}), State(), [], False),
        (Intent(name="unclear", slots={"why": "model:foo"}), State(), [], False),
        (Intent(name="explain", slots={"topic": "lora"}), State(), [], False),
        (Intent(name="plan"), State(), [], True),
        (Intent(name="plan", slots={"task": "text-classification"}), State(), [], False),
        (Intent(name="plan"), State(), [cards.reviews()], False),
        (Intent(name="plan"), State(plan=PLAN), [], False),
    ],
)
def test_when_help_is_wanted(offline: Intent, state: State, files: list[FileCard], expected: bool) -> None:
    assert second.unsure(offline, state, files) is expected


# ---------------------------------------------------------------- what is told


def test_only_labels_that_stand_in_more_than_one_row_are_told() -> None:
    profile = json.loads(json.dumps(cards.reviews().profile))
    profile["columns"][1]["label_counts"] = {"positive": 30, "my only secret cell": 1}
    profile["columns"][0]["label_counts"] = {"a text that came twice": 2}
    told = json.dumps(second.briefing("x", State(files=[cards.reviews().model_copy(update={"profile": profile})])))
    assert "positive" in told
    assert "my only secret cell" not in told and "a text that came twice" not in told


def test_the_briefing_stays_small() -> None:
    column = {"name": "c" * 5000, "kind": "text", "label_counts": {"l" * 5000: 2}}
    profile = {**cards.reviews().profile, "columns": [column] * 3000}
    state = State(files=[cards.reviews().model_copy(update={"profile": profile})])
    assert len(json.dumps(second.messages("r" * 20_000, state))) < 40_000


def test_the_schema_names_no_place_where_a_model_could_go() -> None:
    allowed = second.schema()["properties"]["slots"]["properties"]
    assert not {"output.publish", "compute.target", "data.source", "data.test_source", "then", "repo"} & set(allowed)
    assert allowed["task"]["enum"][0] == "text-classification"
    assert allowed["training.class_weights"]["const"] == "balanced"


# ---------------------------------------------------------------- anything at all

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    [*second.PATHS, "run", "runs", "topic", "input", "code", "format", "kind", "why", "then", "repo",
     "output.publish", "data.columns.label", "avoid", "preference", "rows", "other"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(INTENTS)), slots=st.dictionaries(_KEYS, _JSON, max_size=4))
def test_no_answer_at_all_acts(name: str, slots: dict[str, Any]) -> None:
    turn = said(UNCLEAR, name, slots)
    harmless = {"prepare_plan", "run_status", "report", "compare"}
    assert {effect.kind for effect in turn.effects} <= harmless
    assert len(turn.state.runs) == len(RUNS)
    assert turn.state.plan == PLAN


@settings(max_examples=150, deadline=None)
@given(answer=_JSON | st.fixed_dictionaries({"intent": st.sampled_from(sorted(INTENTS)), "slots": _JSON}))
def test_an_answer_fits_or_is_a_fault(answer: Any) -> None:
    try:
        found = second.checked(answer, UNCLEAR, full_state())
    except second.Fault:
        return
    assert found.name in INTENTS
