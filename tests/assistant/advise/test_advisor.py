"""The plan is complete and sensible for every data set, every choice has a reason, and wishes win."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_profiles import LAPTOP, WORKSTATION, even, texts

from assistant.advise import catalog, estimate
from assistant.advise.advisor import Advice, advise, faster, more_accurate
from assistant.advise.draft import ASKED
from assistant.advise.hardware import Gpu, Hardware
from assistant.data.guesses import TaskGuess
from assistant.data.profile import ColumnProfile, Profile
from recipes.plan import Plan, Problem, Task

CHOICES = (
    "task", "problem", "base_model", "method.name", "data.columns.text", "data.columns.label", "training.epochs",
    "training.learning_rate", "training.batch_size", "training.max_length", "training.max_minutes", "evaluation.metric",
    "evaluation.validation_fraction",
)  # fmt: skip


def plan_for(rows: int = 2000, classes: int = 2, hardware: Hardware = LAPTOP, **wish: Any) -> Plan:
    return advice_for(rows, classes, hardware, **wish).plan


def advice_for(rows: int = 2000, classes: int = 2, hardware: Hardware = LAPTOP, **wish: Any) -> Advice:
    profile, guess = even(rows, classes)
    return advise(profile, {path.replace("__", "."): value for path, value in wish.items()}, hardware, guess=guess)


def seconds_of(plan: Plan, profile: Profile, hardware: Hardware = LAPTOP) -> float:
    return estimate.estimate(plan, profile, hardware).seconds


# ---------------------------------------------------------------- every size of data


@pytest.mark.parametrize("rows", [16, 40, 99, 100, 400, 999, 1000, 4000, 20_000, 100_000])
@pytest.mark.parametrize("hardware", [LAPTOP, WORKSTATION], ids=["cpu", "gpu"])
@pytest.mark.parametrize("offline", [True, False])
def test_every_size_gets_a_whole_plan_with_reasons(rows: int, hardware: Hardware, offline: bool) -> None:
    profile, guess = even(rows)
    advice = advise(profile, {}, hardware, guess=guess, offline=offline)
    assert advice.plan.gaps() == []
    assert advice.problem is None
    for path in CHOICES:
        assert advice.plan.reasons.get(path), path
    assert "evaluation.test_fraction" in advice.plan.reasons
    if offline:
        assert advice.plan.base_model == catalog.STARTER
    assert advice.plan.data.source == "data.csv"


def test_few_rows_train_less_than_many() -> None:
    profile, _ = even(16)
    few, many = plan_for(16), plan_for(2000)
    assert few.method.name == "head"
    assert many.method.name == "full"
    assert plan_for(400).method.name == "last_layers"
    assert seconds_of(few, profile) < 30
    assert plan_for(100_000).training.batch_size > many.training.batch_size > few.training.batch_size


def test_eight_rows_a_class_are_planned_with_a_warning() -> None:
    advice = advice_for(16)
    assert advice.plan.method.name == "head"
    assert "cross-validation" in advice.plan.reasons["evaluation.test_fraction"]
    assert any("100 rows (50 a class)" in sentence for sentence in advice.advice)
    assert any("only 3 rows" in sentence for sentence in advice_of({"a": 20, "b": 3}).advice)


def advice_of(counts: dict[str, int], **details: Any) -> Advice:
    profile, guess = texts(counts)
    return advise(profile, {}, LAPTOP, guess=guess, **details)


def test_a_hundred_thousand_rows_on_two_cores_stay_possible() -> None:
    advice = advice_for(100_000)
    assert advice.plan.method.name == "head"
    assert advice.plan.training.max_length is not None and advice.plan.training.max_length <= 64
    assert advice.plan.evaluation.test_fraction == 0.05
    longer = advise(*_long(100_000), LAPTOP, guess=even(100_000)[1])
    assert longer.plan.training.max_minutes is not None
    assert (
        seconds_of(longer.plan, even(100_000, characters=4000, longest=20_000)[0])
        <= 60 * longer.plan.training.max_minutes
    )


def _long(rows: int) -> tuple[Profile, dict[str, Any]]:
    return even(rows, characters=4000, longest=20_000)[0], {}


def test_a_graphics_card_gets_a_larger_model_and_every_layer() -> None:
    plan = plan_for(4000, hardware=WORKSTATION)
    assert plan.base_model == "answerdotai/ModernBERT-base"
    assert plan.method.name == "full"
    assert "H100" in plan.reasons["base_model"]


# ---------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("name", "rows", "minutes"), [("email-spam", 3000, 15), ("news-topics", 1649, 15), ("food-reviews", 3972, 20)]
)
def test_the_real_sets_are_planned_within_their_time(shared_data: Path, name: str, rows: int, minutes: float) -> None:
    from assistant.data.profile import profile as look
    from assistant.data.roles import guess_tasks
    from assistant.data.table import read_table

    file = next((shared_data / name).glob("train.*"))
    profile = look(read_table(file))
    assert profile.rows == rows
    plan = advise(profile, {}, LAPTOP, guess=guess_tasks(profile)[0], offline=True, test_rows=1000).plan
    assert estimate.estimate(plan, profile, LAPTOP, 1000).seconds < 0.8 * 60 * minutes
    assert plan.training.max_minutes is not None and plan.training.max_minutes <= minutes
    assert plan.evaluation.metric == "accuracy"
    assert plan.training.class_weights is None


def test_the_shipped_example_takes_about_a_minute() -> None:
    from assistant.data.profile import profile as look
    from assistant.data.roles import guess_tasks
    from assistant.data.table import read_table

    file = Path(__file__).resolve().parents[3] / "assistant" / "examples" / "spam.csv"
    profile = look(read_table(file))
    plan = advise(profile, {}, LAPTOP, guess=guess_tasks(profile)[0], offline=True).plan
    assert seconds_of(plan, profile) <= 70
    assert plan.method.name != "head"
    patient = more_accurate(profile, {}, LAPTOP, guess=guess_tasks(profile)[0], offline=True).plan
    assert patient.method.name == "full"
    assert seconds_of(patient, profile) > 70


def test_a_time_wish_steers_the_method_and_is_kept() -> None:
    profile, guess = even(3000, characters=1500, longest=4000)
    hour, short = (advise(profile, {"training.max_minutes": minutes}, LAPTOP, guess=guess).plan for minutes in (60, 4))
    assert (hour.training.max_minutes, short.training.max_minutes) == (60, 4)
    assert hour.method.name == "full"
    assert seconds_of(short, profile) < 4 * 60 < seconds_of(hour, profile) < 60 * 60
    assert short.reasons["training.max_minutes"] == ASKED
    assert short.method.name != "full"
    assert "Training every layer is the runner-up" in short.reasons["method.name"]


def test_a_time_that_nothing_fits_is_refused_with_the_nearest_plan() -> None:
    profile, guess = even(50_000, characters=1500, longest=4000)
    advice = advise(profile, {"training.max_minutes": 1, "training.max_length": 256}, LAPTOP, guess=guess)
    assert advice.problem is not None
    assert advice.problem["code"] == "not-enough-time"
    assert "1 minute." in advice.problem["expected"]
    assert advice.nearest is not None
    assert advice.nearest.training.max_minutes is not None
    assert 60 * advice.nearest.training.max_minutes > seconds_of(advice.nearest, profile)


def test_no_limit_is_a_wish_too() -> None:
    advice = advice_for(2000, training__max_minutes=None, training__early_stopping=None)
    assert advice.plan.training.max_minutes is None
    assert advice.plan.training.early_stopping is None
    assert advice.problem is None


def test_a_demo_is_short() -> None:
    profile, guess = even(4000, characters=1500, longest=4000)
    plan = advise(profile, {}, LAPTOP, guess=guess, demo=True).plan
    assert plan.training.max_minutes == 10
    assert seconds_of(plan, profile) < 600


# ---------------------------------------------------------------- wishes and preferences


WISHES = {
    "method.name": "lora", "method.rank": 4, "training.epochs": 7, "training.learning_rate": 3e-5,
    "training.batch_size": 12, "training.max_length": 77, "training.max_minutes": 33, "training.seed": 5,
    "training.layer_decay": 0.8, "evaluation.metric": "f1", "evaluation.test_fraction": 0.3,
    "training.weight_decay": 0.1,
    "base_model": "FacebookAI/roberta-base", "compute.devices": 2, "compute.target": "ray",
    "output.publish": "anna/shop",
    "training.early_stopping": 9, "compute.precision": "float32",
}  # fmt: skip


@pytest.mark.parametrize("path", WISHES)
def test_each_wish_wins(path: str) -> None:
    plan = advise(even(2000)[0], {path: WISHES[path]}, LAPTOP, guess=even(2000)[1]).plan
    assert read(plan, path) == WISHES[path]
    assert plan.reasons[path] == ASKED
    assert plan.gaps() == []


@pytest.mark.parametrize("rows", [16, 2000, 100_000])
def test_all_wishes_together_win(rows: int) -> None:
    profile, guess = even(rows)
    plan = advise(profile, WISHES, LAPTOP, guess=guess).plan
    assert {path: read(plan, path) for path in WISHES} == WISHES


def read(plan: Plan, path: str) -> Any:
    value: Any = plan.model_dump()
    for name in path.split("."):
        value = value[name]
    return value


def test_layers_or_a_rank_name_the_method() -> None:
    assert plan_for(method__layers=2).method.name == "last_layers"
    assert plan_for(method__layers=2).method.layers == 2
    assert plan_for(method__rank=8).method.name == "lora"
    assert plan_for(16, method__layers=1).method.name == "last_layers"


def test_more_layers_than_there_are_means_all() -> None:
    advice = advice_for(method__layers=99)
    assert advice.plan.method.layers == 6
    assert any("MiniLM has 6 layers" in sentence for sentence in advice.advice)


def test_a_wish_that_no_plan_can_hold_is_left_out_and_told() -> None:
    advice = advice_for(training__epochs=-3, training__batch_size="many", nonsense__path=1, reasons__task="x")
    assert advice.plan.gaps() == []
    assert advice.plan.training.epochs == 3
    assert sum("I left out" in sentence for sentence in advice.advice) == 4


def test_what_is_not_wanted_is_avoided() -> None:
    profile, guess = even(2000)
    plan = advise(profile, {"avoid": ["full", "minilm"]}, LAPTOP, guess=guess).plan
    assert plan.method.name != "full"
    assert "MiniLM" not in (plan.base_model or "")
    assert plan.gaps() == []


def test_a_named_method_beats_what_is_avoided() -> None:
    plan = plan_for(method__name="lora", avoid=["lora", "head"])
    assert (plan.method.name, plan.method.rank) == ("lora", 16)
    assert plan.gaps() == []


@pytest.mark.parametrize("rows", [400, 3000, 20_000])
def test_preferences_change_the_time(rows: int) -> None:
    profile, guess = even(rows, characters=600, longest=2000)
    usual, quick, good = (
        advise(profile, {}, LAPTOP, guess=guess).plan,
        faster(profile, {}, LAPTOP, guess=guess).plan,
        more_accurate(profile, {}, LAPTOP, guess=guess).plan,
    )
    assert seconds_of(quick, profile) < seconds_of(usual, profile) < seconds_of(good, profile)
    assert good.training.max_minutes == 45


def test_smaller_takes_a_smaller_model_even_against_an_earlier_wish() -> None:
    plan = plan_for(base_model="FacebookAI/roberta-large", preference="smaller")
    assert plan.base_model == "FacebookAI/roberta-base"
    assert "smaller" in plan.reasons["base_model"]
    assert plan_for(hardware=WORKSTATION, preference="smaller").base_model != plan_for(hardware=WORKSTATION).base_model


def test_wishes_survive_a_preference() -> None:
    assert plan_for(preference="faster", method__name="full", training__epochs=6).method.name == "full"
    assert plan_for(preference="more accurate", training__max_length=64).training.max_length == 64


# ---------------------------------------------------------------- what the data ask for


def test_uneven_classes_get_f1_and_weights_and_even_ones_do_not() -> None:
    uneven, level = advice_of({"no": 1900, "yes": 100}).plan, advice_of({"no": 1000, "yes": 1000}).plan
    assert (uneven.evaluation.metric, uneven.training.class_weights) == ("f1", "balanced")
    assert (level.evaluation.metric, level.training.class_weights) == ("accuracy", None)
    assert "95%" in uneven.reasons["evaluation.metric"]
    assert "1,900 rows against 100" in uneven.reasons["training.class_weights"]


def test_numbers_and_several_labels_get_their_own_metric() -> None:
    number = texts(rows=1000, problem="regression")
    labels = texts({"a": 400, "b": 300, "c": 600}, rows=1000, problem="multi_label_classification")
    assert advise(number[0], {}, LAPTOP, guess=number[1]).plan.evaluation.metric == "mae"
    several = advise(labels[0], {}, LAPTOP, guess=labels[1]).plan
    assert (several.evaluation.metric, several.data.label_separator) == ("f1_micro", ";")


@pytest.mark.parametrize(("longest", "low", "high"), [(60, 32, 48), (250, 64, 96), (900, 256, 384), (9000, 512, 512)])
def test_the_length_follows_the_texts(longest: int, low: int, high: int) -> None:
    profile, guess = even(300, characters=longest / 3, longest=longest)
    length = advise(profile, {"training.max_minutes": 600}, LAPTOP, guess=guess).plan.training.max_length
    assert length is not None and low <= length <= high


def test_foreign_texts_get_a_model_that_knows_them_or_a_warning() -> None:
    profile, guess = texts({"a": 500, "b": 500}, language="de")
    online = advise(profile, {}, LAPTOP, guess=guess)
    assert catalog.lookup(online.plan.base_model).speaks("de")
    assert "German" in online.plan.reasons["base_model"]
    offline = advise(profile, {}, LAPTOP, guess=guess, offline=True)
    assert offline.plan.base_model == catalog.STARTER
    assert any("German" in sentence for sentence in offline.advice)
    english = advise(*texts({"a": 500, "b": 500})[:1], {}, LAPTOP, guess=guess)
    assert not any("learned" in sentence for sentence in english.advice)


def test_the_own_test_file_takes_the_place_of_the_split() -> None:
    profile, guess = even(1000)
    plan = advise(profile, {}, LAPTOP, guess=guess, test_rows=300).plan
    assert plan.evaluation.test_fraction is None
    assert "evaluation.test_fraction" not in plan.reasons


def test_columns_by_word_beat_the_guess_and_change_the_problem() -> None:
    profile, guess = even(1000)
    stars = ColumnProfile(name="stars", kind="number", unique=40, label_counts={})
    wider = profile.model_copy(update={"columns": [*profile.columns, stars]})
    plan = advise(wider, {"data.columns.label": "stars"}, LAPTOP, guess=guess).plan
    assert plan.column("label") == ["stars"]
    assert plan.problem == "regression"
    assert plan.column("text") == ["message"]


# ---------------------------------------------------------------- honest words


def test_one_class_is_refused() -> None:
    advice = advice_of({"same": 100})
    assert advice.problem is not None and advice.problem["code"] == "one-class"


def test_a_table_of_numbers_is_refused_with_the_right_tool() -> None:
    column = ColumnProfile(name="price", kind="number", unique=40)
    profile = Profile(name="houses.csv", format="csv", rows=40, columns=[column])
    advice = advise(profile, {}, LAPTOP, guess=TaskGuess(task=None, evidence=["Only numbers."]))
    assert advice.problem is not None
    assert advice.problem["code"] == "no-task"
    assert "gradient boosting" in advice.problem["expected"]


def test_a_model_larger_than_memory_is_refused_with_the_nearest_plan() -> None:
    small = Hardware(cores=2, memory_bytes=int(4e9), free_disk_bytes=int(60e9))
    advice = advice_for(2000, hardware=small, base_model="FacebookAI/xlm-roberta-large", method__name="full")
    assert advice.problem is not None and advice.problem["code"] == "not-enough-memory"
    assert advice.plan.base_model == "FacebookAI/xlm-roberta-large"
    assert advice.nearest is not None
    profile, _ = even(2000)
    assert estimate.estimate(advice.nearest, profile, small).peak_bytes_low < 3e9
    assert advice.nearest.gaps() == []


def test_a_full_disk_is_refused() -> None:
    full = Hardware(cores=2, memory_bytes=int(24e9), free_disk_bytes=int(20e6))
    advice = advice_for(2000, hardware=full)
    assert advice.problem is not None and advice.problem["code"] == "not-enough-disk"


def test_four_bits_without_a_card_are_refused_for_lora() -> None:
    advice = advice_for(2000, method__name="qlora")
    assert advice.problem is not None and advice.problem["code"] == "qlora-needs-gpu"
    assert advice.nearest is not None and advice.nearest.method.name == "lora"
    generation = advise(even(2000)[0], {"task": "text-generation", "method.name": "qlora"}, WORKSTATION)
    assert generation.problem is None


def test_words_about_network_login_and_licence() -> None:
    profile, guess = even(1000)
    said = advise(profile, {"base_model": "bert"}, LAPTOP, guess=guess, offline=True)
    assert said.plan.base_model == "google-bert/bert-base-uncased"
    assert any("cannot be reached" in sentence and "minilm" in sentence for sentence in said.advice)
    gated = advise(profile, {"task": "text-generation", "base_model": "meta-llama/Llama-3.2-1B-Instruct"}, LAPTOP)
    assert any("HF_TOKEN" in sentence for sentence in gated.advice)
    bound = advise(profile, {"task": "image-segmentation", "base_model": "nvidia/mit-b0"}, LAPTOP)
    assert any("commercially" in sentence for sentence in bound.advice)


def test_a_question_about_one_document_is_a_search() -> None:
    profile, guess = even(1000)
    advice = advise(profile, {}, LAPTOP, guess=guess, goal="I want to ask questions about my pdf")
    assert any("retrieval" in sentence for sentence in advice.advice)


def test_graphics_cards_that_are_not_there_are_named() -> None:
    assert any("no graphics card" in sentence for sentence in advice_for(2000, compute__devices=2).advice)


# ---------------------------------------------------------------- the other tasks


@pytest.mark.parametrize("task", [task for task in get_args(Task) if task != "text-classification"])
@pytest.mark.parametrize("hardware", [LAPTOP, WORKSTATION], ids=["cpu", "gpu"])
def test_every_other_task_gets_a_whole_plan_too(task: Task, hardware: Hardware) -> None:
    column = ColumnProfile(name="x", kind="text", unique=300, mean_length=100, p99_length=300, language="en")
    profile = Profile(name="data.jsonl", format="jsonl", rows=300, columns=[column], languages=["en"])
    roles = "source target image audio label transcript tokens tags question context answers sentence1 sentence2"
    columns = dict.fromkeys(roles.split(), "x")
    problem: Problem | None = "single_label_classification" if task.endswith("classification") else None
    guess = TaskGuess(task=task, problem=problem, columns=columns, score=0.9, evidence=["x."])
    plan = advise(profile, {}, hardware, guess=guess).plan
    assert plan.gaps() == []
    assert plan.task == task
    model = catalog.get(plan.base_model or "")
    assert model is not None and task in model.tasks
    for path in ("base_model", "method.name", "training.epochs", "training.learning_rate", "evaluation.metric"):
        assert plan.reasons[path]
    asked = advise(
        profile, {"method.name": "lora", "method.rank": 5, "training.epochs": 11}, hardware, guess=guess
    ).plan
    assert (asked.method.name, asked.method.rank, asked.training.epochs) == ("lora", 5, 11)


def test_a_translation_gets_a_translator() -> None:
    columns = [
        ColumnProfile(name="a", kind="text", unique=99, mean_length=80, p99_length=200, language="en"),
        ColumnProfile(name="b", kind="text", unique=99, mean_length=80, p99_length=200, language="de"),
    ]
    profile = Profile(name="x.tsv", format="tsv", rows=500, columns=columns, languages=["en", "de"])
    guess = TaskGuess(task="text2text-generation", columns={"source": "a", "target": "b"}, score=0.9)
    plan = advise(profile, {}, LAPTOP, guess=guess).plan
    assert plan.base_model == "Helsinki-NLP/opus-mt-en-de"
    assert plan.evaluation.metric == "chrf"
    assert plan.data.languages == ("en", "de") and plan.data.prefix is None
    told = advise(profile, {"base_model": "t5-small"}, LAPTOP, guess=guess).plan
    assert told.data.prefix == "translate English to German: " and told.reasons["data.prefix"]
    own = advise(profile, {"base_model": "t5-small", "data.prefix": ""}, LAPTOP, guess=guess).plan
    assert own.data.prefix == "", "what the person wants comes first"


def test_a_model_that_only_writes_on_learns_the_same_rows_as_instructions() -> None:
    columns = [
        ColumnProfile(name="article", kind="text", unique=99, mean_length=900, p99_length=2000, language="en"),
        ColumnProfile(name="summary", kind="text", unique=99, mean_length=80, p99_length=200, language="en"),
    ]
    profile = Profile(name="x.csv", format="csv", rows=500, columns=columns, languages=["en"])
    guess = TaskGuess(
        task="text2text-generation", columns={"source": "article", "target": "summary"}, score=0.9, evidence=["Pairs."]
    )
    wish = {"task": "text2text-generation", "base_model": "smollm2"}
    advice = advise(profile, wish, LAPTOP, guess=guess)
    assert advice.plan.task == "text-generation" and advice.problem is None
    assert advice.plan.data.columns == {"source": "article", "target": "summary"}
    assert "instructions" in advice.advice[0] and "instructions" in advice.plan.reasons["task"]
    assert advice.plan.evaluation.metric == "loss" and advice.plan.method.name == "lora"
    t5 = advise(profile, {"base_model": "t5-small"}, LAPTOP, guess=guess).plan
    assert (t5.task, t5.data.prefix, t5.evaluation.metric) == ("text2text-generation", "summarize: ", "rouge")
    large = advise(profile, {"base_model": "facebook/bart-large"}, LAPTOP, guess=guess).plan
    assert (large.method.name, large.method.rank) == ("lora", 16), "a processor trains adapters of a large one"
    assert (t5.method.name, t5.training.learning_rate) == ("full", 3e-4)
    assert large.training.learning_rate == pytest.approx(1.5e-4)
    offline = advise(profile, {}, LAPTOP, guess=guess, offline=True)
    assert any("use smollm2" in said for said in offline.advice), "a way that needs no network"
    head = advise(profile, {"method.name": "head"}, LAPTOP, guess=guess)
    assert head.problem is not None and head.problem["code"] == "method-not-available"


def test_no_file_yet_gives_a_draft_with_only_the_data_missing() -> None:
    advice = advise(None, {"task": "text-classification"}, LAPTOP)
    assert advice.problem is None
    assert advice.plan.base_model == catalog.STARTER
    assert advice.plan.gaps() == ["data.source", "data.columns.text", "data.columns.label"]
    nothing = advise(None, {}, LAPTOP)
    assert nothing.problem is None
    assert nothing.plan.task is None


def test_a_rented_card_is_chosen_by_the_models_size() -> None:
    plan = plan_for(compute__target="hf_jobs")
    assert plan.compute.flavor == "t4-small"
    column = ColumnProfile(name="x", kind="text", unique=300, mean_length=100, p99_length=300)
    profile = Profile(name="d.jsonl", format="jsonl", rows=300, columns=[column])
    wish = {"task": "text-generation", "base_model": "Qwen/Qwen3-8B", "compute.target": "hf_jobs"}
    assert advise(profile, wish, LAPTOP).plan.compute.flavor not in (None, "t4-small", "t4-medium")
    asked = advise(profile, {**wish, "compute.flavor": "a100-large"}, LAPTOP).plan
    assert (asked.compute.flavor, asked.reasons["compute.flavor"]) == ("a100-large", ASKED)


# ---------------------------------------------------------------- for any data


hardwares = st.builds(
    Hardware,
    cores=st.integers(1, 64),
    memory_bytes=st.integers(int(1e9), int(5e11)),
    free_disk_bytes=st.integers(0, int(1e12)),
    gpus=st.lists(
        st.builds(
            Gpu,
            name=st.sampled_from(["Tesla T4", "NVIDIA A100", "Odd 3"]),
            memory_bytes=st.integers(int(4e9), int(8e10)),
        ),
        max_size=2,
    ).map(tuple),
)
wishes = st.fixed_dictionaries(
    {},
    optional={
        "method.name": st.sampled_from(["head", "last_layers", "lora", "qlora", "full"]),
        "method.layers": st.integers(1, 30),
        "method.rank": st.integers(1, 64),
        "training.epochs": st.floats(0.5, 20),
        "training.max_minutes": st.floats(0.5, 600),
        "training.max_length": st.integers(8, 4096),
        "training.learning_rate": st.floats(1e-6, 1e-2),
        "training.batch_size": st.integers(1, 512),
        "evaluation.test_fraction": st.floats(0.05, 0.5),
        "base_model": st.sampled_from(["minilm", "FacebookAI/roberta-large", "Qwen/Qwen3-8B", "acme/own-3b"]),
        "preference": st.sampled_from(["faster", "more accurate", "smaller"]),
        "avoid": st.lists(st.sampled_from(["head", "full", "lora", "minilm", "bert"]), max_size=5),
        "compute.target": st.sampled_from(["local", "hf_jobs", "ray"]),
    },
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    counts=st.lists(st.integers(1, 60_000), min_size=2, max_size=60),
    characters=st.floats(1, 20_000),
    spread=st.floats(1, 50),
    problem=st.sampled_from(["single_label_classification", "multi_label_classification", "regression"]),
    language=st.sampled_from([None, "en", "de", "zh", "xx"]),
    hardware=hardwares,
    wish=wishes,
    flags=st.tuples(st.booleans(), st.booleans(), st.one_of(st.none(), st.integers(1, 5000))),
)
def test_any_data_any_machine_any_wish_gives_a_valid_plan(
    counts: list[int], characters: float, spread: float, problem: str, language: str | None, hardware: Hardware,
    wish: dict[str, Any], flags: tuple[bool, bool, int | None],
) -> None:  # fmt: skip
    offline, demo, test_rows = flags
    classes = {f"class {number}": count for number, count in enumerate(counts)}
    profile, guess = texts(
        {} if problem == "regression" else classes, rows=sum(counts), characters=characters,
        longest=int(characters * spread) + 1, problem=problem, language=language,
    )  # fmt: skip
    advice = advise(profile, wish, hardware, guess=guess, offline=offline, demo=demo, test_rows=test_rows)
    plan = advice.plan
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    assert plan.gaps() == []
    for path, value in wish.items():
        if path in ("preference", "avoid", "base_model") or (path, wish.get("preference")) == ("base_model", "smaller"):
            continue
        if path == "method.layers":
            assert plan.method.layers == value or plan.method.name != "last_layers" or value > (plan.method.layers or 0)
        elif not (path == "evaluation.test_fraction" and test_rows is not None):
            assert read(plan, path) == pytest.approx(value) if isinstance(value, float) else read(plan, path) == value
    for path in ("base_model", "method.name", "training.epochs", "training.max_length", "evaluation.metric"):
        assert plan.reasons[path]
    if advice.nearest is not None:
        assert advice.problem is not None
        assert advice.nearest.gaps() == []
    result = estimate.estimate(plan, profile, hardware, test_rows)
    assert 0 < result.seconds_low < result.seconds_high
    assert 0 < result.peak_bytes_low < result.peak_bytes_high


@settings(max_examples=40, deadline=None, derandomize=True)
@given(rows=st.integers(16, 50_000), more=st.integers(1, 50_000))
def test_the_same_plan_never_gets_quicker_with_more_rows(rows: int, more: int) -> None:
    plan = plan_for(rows)
    fewer, larger = even(rows)[0], even(rows + more)[0]
    assert seconds_of(plan, fewer) <= seconds_of(plan, larger)


@pytest.mark.parametrize(("rows", "wish", "method"), [
    (2500, {}, "full"), (2500, {"preference": "faster"}, "head"), (600, {}, "head"), (40_000, {}, "head"),
])  # fmt: skip
def test_a_processor_trains_all_of_a_small_network_where_pictures_are_enough(
    rows: int, wish: dict[str, Any], method: str
) -> None:
    """Ten kinds of thing; every layer in three passes where each kind has a hundred pictures and minutes are enough."""
    counts = {f"kind {number}": rows // 10 for number in range(10)}
    columns = [
        ColumnProfile(name="image", kind="image", unique=rows),
        ColumnProfile(name="label", kind="category", unique=10, label_counts=counts),
    ]
    seen = Profile(name="photos.zip", format="zip of images", rows=rows, columns=columns)
    guess = TaskGuess(task="image-classification", columns={"image": "image", "label": "label"}, score=0.95)
    plan = advise(seen, wish, LAPTOP, guess=guess, offline=True).plan
    assert plan.method.name == method
    assert plan.training.epochs == (3 if method == "full" else 1)
