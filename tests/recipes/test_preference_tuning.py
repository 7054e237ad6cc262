"""A language model learns which of two answers people like better."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_language
import torch

from recipes.events import EventWriter
from recipes.parts import chat_format, language_model, preference_figures, preferences
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.language_training import answer_losses
from recipes.parts.preference_training import BETA, Job, Pairs, pieces_of
from recipes.plan import Method, Plan

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


def columns(**roles: Any) -> Plan:
    return Plan().changed({"data.columns": roles})


PLAIN = columns(prompt="p", chosen="c", rejected="r")
WHOLE = columns(chosen="c", rejected="r")


def said(*turns: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(turns)]


@pytest.mark.parametrize(
    ("record", "plan"),
    [
        ({"p": "a", "c": "b", "r": "x"}, PLAIN),
        ({"p": said("a"), "c": said("", "b")[1:], "r": said("", "x")[1:]}, PLAIN),
        ({"p": "a", "c": said("a", "b"), "r": said("a", "x")}, PLAIN),
        ({"c": said("a", "b"), "r": said("a", "x")}, WHOLE),
        ({"c": "\n\nHuman: a\n\nAssistant: b", "r": "\n\nHuman: a\n\nAssistant: x"}, WHOLE),
    ],
)
def test_every_shape_becomes_the_same_pair(record: dict[str, Any], plan: Plan) -> None:
    pair = preferences.read([record], plan, "file").examples[0]
    chosen, rejected = pair.sides()  # type: ignore[attr-defined]
    assert [turn["content"] for turn in chosen.messages] == ["a", "b"]
    assert [turn["content"] for turn in rejected.messages] == ["a", "x"]


def test_pairs_that_say_nothing_are_counted() -> None:
    records = [
        {"p": "a", "c": "b", "r": "x"}, {"p": "a", "c": "b", "r": "b "}, {"p": "", "c": "b", "r": "x"},
        {"p": "a", "c": "", "r": "x"},
    ]  # fmt: skip
    reading = preferences.read(records, PLAIN, "file")
    assert len(reading.examples) == 1 and sum(reading.left_out.values()) == 3
    with pytest.raises(RecipeError) as none:
        preferences.read([{"c": said("a", "b"), "r": said("z", "x")}], WHOLE, "file")
    assert none.value.code == "no-usable-rows"


def test_the_loss_is_that_of_the_paper(tmp_path: Path) -> None:
    """-log sigmoid(beta ((log p/ref)(chosen) - (log p/ref)(rejected))), cut into pieces or not."""
    place = Device(torch.device("cpu"), "CPU, 1 core", 1)
    folder = tiny_language.save(tmp_path / "model")
    model = language_model.load(str(folder), "tiny", place, Method(name="lora", rank=4))
    pair = preferences.read([{"p": "what ?", "c": "it is rome", "r": "paris"}] * 3, PLAIN, "file").examples
    encoded = chat_format.encode(model.form, [side for one in pair for side in one.sides()], 64)  # type: ignore[attr-defined]
    every = np.arange(6)
    losses = answer_losses(model, encoded, every, place)
    reference = losses + np.array([1.0, 0.5, 2.0, -1.0, 0.0, 0.0])
    pairs = Pairs(encoded, every[0::2], every[1::2], reference)
    margins = pairs.margins(losses[pairs.sequences(np.arange(3))], np.arange(3))
    assert margins == pytest.approx([BETA * 0.5, BETA * 3.0, 0.0], abs=1e-6)
    job = Job(model, pairs, np.arange(3), np.arange(3), tokens_at_once=10_000, rows_at_once=2)
    rows = pairs.sequences(np.arange(3))
    batch = {
        name: torch.from_numpy(value)
        for name, value in chat_format.padded(
            [encoded.ids[row] for row in rows], [encoded.labels[row] for row in rows], 0
        ).items()
    }
    batch |= {"reference": torch.from_numpy(reference[rows]).float(), "real": torch.ones(3)}
    pieces = list(pieces_of(batch, job))
    assert sorted(len(piece["real"]) for piece in pieces) == [1, 2]
    assert all(len(piece["input_ids"]) == 2 * len(piece["real"]) for piece in pieces)


def test_length_bias_and_collapse_are_said(tmp_path: Path) -> None:
    run = RunContext(tmp_path, EventWriter(None))
    longer = np.array([True] * 6 + [False] * 4)
    preference_figures.tell_length_bias(np.where(longer, 1.0, -1.0), longer, run)
    assert [warning["code"] for warning in run.warnings] == ["length-bias"]
    preference_figures.tell_length_bias(np.ones(10), longer, run)
    assert len(run.warnings) == 1 and "60 %" in run.notes[0]
    preference_figures.tell_collapse(np.array([10.0, 20.0]), np.array([30.0, 40.0]), run)
    assert run.warnings[-1]["code"] == "preferred-unlikely"


def make_pairs(number: int) -> list[dict[str, Any]]:
    """The better answer is a capital, the other a filler word; as long as each other."""
    chance = random.Random(0)
    return [
        {
            "prompt": row["question"],
            "chosen": row["answer"],
            "rejected": f"it is {chance.choice(tiny_language.FILLER)}",
        }
        for row in tiny_language.rows(number)
    ]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_model_learns_what_is_liked(method: str, tmp_path: Path, run_here: Callable[..., Any]) -> None:
    folder = tmp_path / "runs" / "run"
    (folder / "data").mkdir(parents=True)
    rows = make_pairs(200)
    (folder / "data" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    plan = Plan().changed({
        "task": "preference-tuning", "base_model": str(tiny_language.save(tmp_path / "model")), "method.name": method,
        "method.rank": 8 if method == "lora" else None, "data.source": "data/train.jsonl",
        "data.columns": {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}, "training.epochs": 3,
        "training.learning_rate": 1e-2, "training.batch_size": 16, "training.max_length": 64,
        "compute.precision": "float32",
    })  # fmt: skip
    plan.save(folder / "plan.json")
    done = run_here(folder / "plan.json")
    assert done.code == 0, done.last
    result = done.result
    assert result.metric == "reward_accuracy"
    assert result.metrics["reward_accuracy"].value > 0.9 and result.metrics["margin"].value > 0
    assert set(result.baselines) == {"untuned", "longer"}
    assert result.verdict.code == "better" and "pairs" in result.verdict.text
    assert (folder / "model" / "adapter_config.json").is_file() == (method == "lora")
    if method == "lora":
        config = json.loads((folder / "model" / "adapter_config.json").read_text(encoding="utf-8"))
        assert config["r"] == 8
        assert not (folder / "model" / "ref").exists(), "no second adapter"
