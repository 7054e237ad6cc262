"""Settings in words: absolute, relative, refused."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.chat.method import read_compute, read_method, read_publish
from assistant.chat.numbers import digits
from assistant.chat.settings import read_settings
from assistant.chat.words import tidy
from recipes.plan import Plan

PLAN = Plan().changed(
    {
        "training.epochs": 4, "training.learning_rate": 2e-5, "training.batch_size": 16, "training.max_length": 128,
        "method.name": "lora", "method.rank": 8, "evaluation.test_fraction": 0.2,
    }
)  # fmt: skip


def settings(text: str, plan: Plan | None = None, rows: int | None = None) -> dict[str, Any]:
    return read_settings(digits(tidy(text)), plan, rows)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("train for three epochs with lr 2e-5", {"training.epochs": 3, "training.learning_rate": 2e-5}),
        (
            "a learning rate of 0.0003 and a batch of thirty-two",
            {"training.learning_rate": 0.0003, "training.batch_size": 32},
        ),
        ("epochs=5, lr=3e-5, bs=16", {"training.epochs": 5, "training.learning_rate": 3e-5, "training.batch_size": 16}),
        ("go over the data four times", {"training.epochs": 4}),
        ("3 to 5 epochs", {"training.epochs": 4}),
        ("no more than 5 epochs", {"training.epochs": 5}),
        ("32 rows per step", {"training.batch_size": 32}),
        ("at most 256 tokens", {"training.max_length": 256}),
        ("cut texts after 100 tokens", {"training.max_length": 100}),
        ("max length five hundred and twelve", {"training.max_length": 512}),
        ("no longer than half an hour", {"training.max_minutes": 30}),
        ("finished before lunch, that's in one hour", {"training.max_minutes": 60}),
        ("do it overnight", {"training.max_minutes": 480}),
        ("no time limit", {"training.max_minutes": None}),
        ("seed 7", {"training.seed": 7}),
        ("stop early when it no longer gets better", {"training.early_stopping": 3}),
        ("patience of 5", {"training.early_stopping": 5}),
        ("no early stopping", {"training.early_stopping": None}),
        ("keep 20 percent for testing and judge by F1", {"evaluation.test_fraction": 0.2, "evaluation.metric": "f1"}),
        ("80/20 split", {"evaluation.test_fraction": 0.2}),
        ("train on 70 percent, test on the rest", {"evaluation.test_fraction": 0.3}),
        ("set aside a quarter of the rows for the test", {"evaluation.test_fraction": 0.25}),
        ("optimise for recall", {"evaluation.metric": "recall"}),
        ("balance the classes", {"training.class_weights": "balanced"}),
        ("on 2 gpus", {"compute.devices": 2}),
        ("20% of the rows should be the test", {"evaluation.test_fraction": 0.2}),
        ("one fifth of the rows held out", {"evaluation.test_fraction": 0.2}),
        ("stop as soon as it brings nothing for 3 evaluations", {"training.early_stopping": 3}),
        ("give up when two checks in a row bring no gain", {"training.early_stopping": 2}),
        ("end sooner when the score stays flat", {"training.early_stopping": 3}),
        ("one example per batch", {"training.batch_size": 1}),
        ("rows per step: 4", {"training.batch_size": 4}),
        ("touch nothing except the batch size, that goes to 32", {"training.batch_size": 32}),
        ("not the epochs, the batch size should become 24", {"training.batch_size": 24}),
        ("keep everything but the epochs: 8", {"training.epochs": 8}),
    ],
)
def test_absolute(text: str, wanted: dict[str, Any]) -> None:
    assert settings(text) == wanted


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("make it twice as many epochs", "training.epochs", 8),
        ("half as many epochs", "training.epochs", 2),
        ("two more epochs", "training.epochs", 6),
        ("one epoch less", "training.epochs", 3),
        ("triple the epochs", "training.epochs", 12),
        ("train longer", "training.epochs", 6),
        ("increase epochs by 3", "training.epochs", 7),
        ("double the learning rate", "training.learning_rate", 4e-5),
        ("lower the learning rate", "training.learning_rate", 1e-5),
        ("make the learning rate ten times smaller", "training.learning_rate", 2e-6),
        ("divide the learning rate by two", "training.learning_rate", 1e-5),
        ("the learning rate is too high", "training.learning_rate", 1e-5),
        ("lower the learning rate to 5e-6", "training.learning_rate", 5e-6),
        ("halve the batch size", "training.batch_size", 8),
        ("bigger batches", "training.batch_size", 32),
        ("double the rank", "method.rank", 16),
        ("shorter max length", "training.max_length", 64),
        ("from 4 to 9 epochs", "training.epochs", 9),
        ("quadruple the epochs", "training.epochs", 16),
        ("cut the epochs to a half", "training.epochs", 2),
        ("that's twice too many epochs", "training.epochs", 2),
        ("that learning rate scares me, go lower", "training.learning_rate", 1e-5),
    ],
)
def test_relative(text: str, path: str, value: float) -> None:
    assert settings(text, PLAN)[path] == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "don't change the epochs",
        "30 second clips of birds",
        "two hours of recordings",
        "the 3 people in our shop",
        "i have 5000 rows",
        "10 minutes ago",
        "what the accuracy means",
    ],
)
def test_what_is_no_setting(text: str) -> None:
    assert settings(text, PLAN) == {}


def test_a_factor_of_zero_divides_nothing() -> None:
    for text in ("make the learning rate 0 times smaller", "divide the batch size by 0", "learning rate times 0"):
        assert all(value for value in settings(text, PLAN).values())


def test_a_count_of_test_rows_needs_the_size_of_the_file() -> None:
    assert settings("hold out 100 rows for testing", rows=500) == {"evaluation.test_fraction": 0.2}
    assert settings("hold out 100 rows for testing") == {}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("only retrain the last layer", {"method.name": "head"}),
        ("keep all the pretrained weights exactly as they are", {"method.name": "head"}),
        ("freeze the whole network", {"method.name": "head"}),
        ("linear probing", {"method.name": "head"}),
        ("freeze everything but the last two layers", {"method.name": "last_layers", "method.layers": 2}),
        ("freeze all layers except the top five", {"method.name": "last_layers", "method.layers": 5}),
        ("unfreeze the top four layers", {"method.name": "last_layers", "method.layers": 4}),
        ("freeze the first 8 layers", {"method.name": "last_layers", "method.layers": 4}),
        ("with lora", {"method.name": "lora"}),
        ("qlora, 4 bit", {"method.name": "qlora"}),
        ("full fine-tuning instead", {"method.name": "full"}),
        ("train all weights", {"method.name": "full"}),
        ("do not freeze anything", {"method.name": "full"}),
        ("do not use lora", {"avoid": ["lora"]}),
        ("full fine-tuning, no lora", {"method.name": "full"}),
        ("the reviews by mood", {}),
    ],
)
def test_method(text: str, wanted: dict[str, Any]) -> None:
    assert read_method(digits(tidy(text)), layers=12) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("on hugging face jobs with an a10g", {"compute.target": "hf_jobs", "compute.flavor": "a10g-small"}),
        ("rent an a100", {"compute.target": "hf_jobs", "compute.flavor": "a100-large"}),
        ("i have an a100", {}),
        ("on our ray cluster", {"compute.target": "ray"}),
        ("x-ray pictures", {}),
        ("on my laptop", {"compute.target": "local"}),
        ("not in the cloud", {"compute.target": "local", "compute.flavor": None}),
        ("our data is confidential", {"compute.target": "local", "output.publish": None}),
        ("nothing may leave this computer", {"compute.target": "local", "output.publish": None}),
        ("on both gpus", {"compute.devices": 2}),
    ],
)
def test_compute(text: str, wanted: dict[str, Any]) -> None:
    assert read_compute(digits(tidy(text))) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("push the model to the hub as anna/shop", (True, "anna/shop", "model")),
        ("when it is done push it to anna/shop", (True, "anna/shop", "model")),
        ("do not publish it", (False, None, "model")),
        ("put up a demo page so my boss can play with it", (True, None, "space")),
        ("sort my posts", (None, None, "model")),
    ],
)
def test_publish(text: str, wanted: tuple[bool | None, str | None, str]) -> None:
    assert read_publish(tidy(text)) == wanted
