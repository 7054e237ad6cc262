"""Estimates follow the measured speeds, grow with the work, and come as ranges with their terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sample_profiles import LAPTOP, WORKSTATION, even

from assistant.advise import catalog, estimate, facts
from assistant.advise.estimate import Estimate
from assistant.advise.hardware import Gpu, Hardware
from assistant.data.examples import example
from assistant.data.profile import profile
from assistant.data.table import read_table
from recipes.plan import Plan

BASE: dict[str, Any] = {
    "task": "text-classification", "problem": "single_label_classification", "base_model": catalog.STARTER,
    "method.name": "full", "data.source": "a.csv", "data.columns.text": "message", "data.columns.label": "topic",
    "training.epochs": 3, "training.learning_rate": 1e-4, "training.batch_size": 16, "training.max_length": 128,
    "evaluation.test_fraction": 0.2, "evaluation.validation_fraction": 0.1,
}  # fmt: skip


def of(rows: int = 2000, hardware: Hardware = LAPTOP, characters: float = 400, **changes: Any) -> Estimate:
    profile, _ = even(rows, characters=characters, longest=int(characters * 4))
    dotted = {path.replace("__", "."): value for path, value in changes.items()}
    return estimate.estimate(Plan().changed({**BASE, **dotted}), profile, hardware)


@pytest.mark.parametrize(
    ("tokens", "low", "high"),  # MiniLM, texts a second on two cores without bfloat16, as measured
    [(64, 115, 146), (128, 55, 66), (256, 23, 32)],
)
def test_the_speed_of_reading_is_the_measured_one(tokens: int, low: float, high: float) -> None:
    model = catalog.lookup(None)
    a_second = estimate.speed(model, LAPTOP) / estimate.forward_operations(model, tokens)
    assert 0.85 * low <= a_second <= 1.15 * high


@pytest.mark.parametrize(
    ("method", "layers", "tokens", "measured"),
    [("full", None, 64, 40), ("full", None, 128, 20), ("full", None, 256, 10), ("last_layers", 3, 64, 75),
     ("last_layers", 3, 256, 17)],
)  # fmt: skip
def test_the_speed_of_training_is_the_measured_one(
    method: str, layers: int | None, tokens: int, measured: float
) -> None:
    model = catalog.lookup(None)
    profile, guess = even(100, characters=40_000, longest=40_000)  # every text is longer than the limit
    data = facts.read(profile, guess.columns, guess.problem, None)
    plan = Plan().changed({**BASE, "method.name": method, "method.layers": layers, "training.max_length": tokens})
    work = estimate.work_of(plan, model, data)
    assert work.tokens == pytest.approx(tokens, rel=0.02)
    a_second = estimate.speed(model, LAPTOP) / estimate.training_operations(model, work)
    assert a_second == pytest.approx(measured, rel=0.3)


def test_more_rows_epochs_length_layers_and_parameters_take_longer() -> None:
    for few, many in (
        (of(1000), of(4000)),
        (of(training__epochs=1), of(training__epochs=4)),
        (of(training__max_length=32), of(training__max_length=256)),
        (of(method__name="head"), of(method__name="last_layers", method__layers=2)),
        (of(method__name="last_layers", method__layers=2), of(method__name="full")),
        (of(), of(base_model="google-bert/bert-base-uncased")),
        (of(hardware=WORKSTATION), of()),
        (of(hardware=Hardware(cores=8, memory_bytes=int(8e9), free_disk_bytes=1)), of()),
    ):
        assert few.seconds_low < many.seconds_low
        assert few.seconds_high < many.seconds_high


def test_more_rows_at_once_and_more_weights_take_more_memory() -> None:
    for few, many in (
        (of(training__batch_size=4), of(training__batch_size=32)),
        (of(training__micro_batch_size=2), of(training__batch_size=32)),
        (of(training__max_length=64), of(training__max_length=512)),
        (of(method__name="head"), of(method__name="full")),
        (of(method__name="lora", method__rank=8), of(method__name="lora", method__rank=256)),
        (of(), of(base_model="FacebookAI/roberta-large")),
    ):
        assert few.peak_bytes_low < many.peak_bytes_low


def test_ranges_hold_their_middle_and_the_terms_add_up() -> None:
    result = of()
    assert result.seconds_low < result.seconds < result.seconds_high
    assert result.peak_bytes_low < result.peak_bytes < result.peak_bytes_high
    assert result.seconds == pytest.approx(sum(v for k, v in result.terms.items() if k.startswith("seconds/")))
    assert {"seconds/training", "seconds/features", "bytes/weights", "bytes/activations"} <= set(result.terms)
    assert all(value >= 0 for value in result.terms.values())
    assert Estimate.model_validate_json(result.model_dump_json()) == result


def test_full_training_in_float32_holds_24_bytes_a_parameter() -> None:
    """4 weights, 4 gradients, 8 optimiser, 8 for the best and the first state."""
    terms = of().terms
    parameters = catalog.lookup(None).parameters
    assert terms["bytes/weights"] + terms["bytes/gradients and optimiser"] == pytest.approx(24 * parameters, rel=0.01)


@pytest.mark.parametrize(
    ("method", "tokens", "measured"),  # MiniLM, 16 rows at once: bytes above Python and torch, without the kept copies
    [("full", 256, 1091e6), ("full", 512, 1806e6), ("last_layers", 128, 397e6), ("lora", 256, 1583e6)],
)
def test_memory_is_the_measured_one(method: str, tokens: int, measured: float) -> None:
    result = of(
        200, characters=40_000, method__name=method, method__layers=3, method__rank=16, training__max_length=tokens
    )
    trained = result.terms["bytes/gradients and optimiser"] * 8 / 20
    own = sum(result.terms[f"bytes/{name}"] for name in ("weights", "gradients and optimiser", "activations")) - trained
    assert own == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(
    ("name", "changes", "test_rows", "measured"),  # peaks of whole runs on two cores, by their own reports
    [
        ("email-spam/train.jsonl", {"method.name": "last_layers", "method.layers": 3, "training.max_length": 256,
                                    "data.columns.text": ["subject", "body"], "data.columns.label": "label"},
         800, 2.56e9),
        ("food-reviews/train.xlsx", {"method.name": "full", "training.max_length": 512, "data.columns.text": "review",
                                     "data.columns.label": "score"}, 1000, 3.83e9),
        ("", {"method.name": "head", "training.max_length": 256, "data.columns.text": ["subject", "body"],
              "data.columns.label": "label"}, None, 1.48e9),
    ],
)  # fmt: skip
def test_the_memory_of_whole_runs_is_the_measured_one(
    shared_data: Path, name: str, changes: dict[str, Any], test_rows: int | None, measured: float
) -> None:
    path = shared_data / name if name else example("spam").path
    seen = profile(read_table(path, path.name))
    result = estimate.estimate(Plan().changed({**BASE, **changes}), seen, LAPTOP, test_rows=test_rows)
    assert result.peak_bytes == pytest.approx(measured, rel=0.15)
    assert result.peak_bytes_low < measured < result.peak_bytes_high


def test_adapters_of_an_8_billion_model_match_the_measured_memory() -> None:
    """Measured on an H100: 8B, LoRA r16 all-linear, packed, batch 2: 37.1 GiB; within a factor 1.5."""
    profile, _ = even(1000, characters=8000, longest=9000)
    plan = Plan().changed({
        "task": "text-generation", "base_model": "meta-llama/Llama-3.1-8B-Instruct", "method.name": "lora",
        "method.rank": 16, "training.batch_size": 2, "training.micro_batch_size": 1, "training.max_length": 2048,
        "training.epochs": 1, "data.columns.text": "message",
    })  # fmt: skip
    result = estimate.estimate(plan, profile, WORKSTATION)
    assert 25e9 < result.peak_bytes < 56e9
    assert (
        40e6
        < estimate.work_of(plan, catalog.lookup(plan.base_model), facts.read(profile, {}, None, None)).adapters
        < 52e6
    )


def test_a_rented_machine_costs_money_and_is_judged_by_its_card() -> None:
    here = of(base_model="FacebookAI/roberta-large")
    there = of(base_model="FacebookAI/roberta-large", compute__target="hf_jobs", compute__flavor="a10g-small")
    assert here.dollars_high == 0
    assert 0 < there.dollars_low < there.dollars_high
    assert there.dollars_high == pytest.approx(there.seconds_high / 3600, rel=0.01)  # a dollar an hour
    assert (here.device, there.device) == ("cpu", "A10G")
    assert there.seconds < here.seconds
    assert "Rented" in estimate.sentence(there)
    assert "Rented" not in estimate.sentence(here)


def test_an_unknown_flavor_and_an_unknown_card_do_not_break_it() -> None:
    assert of(compute__target="hf_jobs", compute__flavor="quantum-9000").seconds_low > 0
    odd = Hardware(cores=4, memory_bytes=1, free_disk_bytes=1, gpus=(Gpu(name="Foo 1", memory_bytes=1),))
    assert of(hardware=odd).seconds < of().seconds


def test_the_own_test_file_counts() -> None:
    profile, _ = even(1000)
    plan = Plan().changed({**BASE, "method.name": "head"})
    few, many = (estimate.estimate(plan, profile, LAPTOP, test_rows=rows) for rows in (100, 10_000))
    assert few.seconds < many.seconds
    assert estimate.split_sizes(plan, 1000, 100) == (900, 100, 100)
    assert estimate.split_sizes(plan, 1000, None) == (720, 80, 200)


@pytest.mark.parametrize(
    "plan", [Plan(), Plan().changed({"task": "image-classification", "base_model": "microsoft/resnet-50"})]
)
def test_a_plan_with_gaps_can_be_estimated(plan: Plan) -> None:
    assert estimate.estimate(plan, None, LAPTOP).seconds_high > 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 seconds"),
        (42, "40 seconds"),
        (90, "2 minutes"),
        (660, "11 minutes"),
        (9000, "2.5 hours"),
        (90_000, "25 hours"),
    ],
)
def test_seconds_are_readable(seconds: float, text: str) -> None:
    assert estimate.readable_seconds(seconds) == text


def test_bytes_are_readable() -> None:
    assert estimate.readable_bytes(349.2e6) == "350 MB"
    assert estimate.readable_bytes(1.44e9) == "1.4 GB"


def test_pictures_are_counted_by_the_maps_of_their_network() -> None:
    """A ResNet-18 has thrice the weights of a MobileNet and keeps a quarter of its maps."""
    small = pictures_plan("pytorch/vision:resnet18"), pictures_plan("pytorch/vision:mobilenet_v2")
    resnet, mobilenet = (estimate.estimate(plan, None, LAPTOP) for plan in small)
    assert resnet.terms["bytes/activations"] < 0.5 * mobilenet.terms["bytes/activations"]
    head = estimate.estimate(pictures_plan("pytorch/vision:mobilenet_v2", "head"), None, LAPTOP)
    assert head.peak_bytes < 0.6 * mobilenet.peak_bytes


def pictures_plan(model: str, method: str = "full") -> Plan:
    return Plan().changed(
        {"task": "image-classification", "base_model": model, "method.name": method, "training.batch_size": 32}
    )
