"""Language models learn answers: every shape of data, every method, and the laws of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_language

from recipes.plan import Plan

pytestmark = [pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")]
SHAPES = ("messages", "sharegpt", "alpaca", "prompt", "table", "text")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """tiny_model("llama") -> a folder with a tiny random model, made once."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = tiny_language.save(tmp_path_factory.mktemp(kind), kind)
        return made[kind]

    return get


@pytest.fixture
def new_chat(tmp_path: Path, tiny_model: Callable[[str], Path]) -> Callable[..., Path]:
    """new_chat(shape, method, **{dotted path: value}) -> the path of a plan that is ready to run."""

    def make(
        shape: str = "messages", method: str = "lora", *, rows: int = 120, kind: str = "llama", name: str = "run",
        data: list[dict[str, Any]] | None = None, **changes: Any,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "runs" / name
        (folder / "data").mkdir(parents=True)
        made, columns = tiny_language.as_shape(shape, tiny_language.rows(rows))
        lines = "".join(json.dumps(row) + "\n" for row in (data or made))
        (folder / "data" / "train.jsonl").write_text(lines, encoding="utf-8")
        settings = {
            "task": "text-generation",
            "base_model": str(tiny_model(kind)),
            "method.name": method,
            "method.rank": 8 if method == "lora" else None,
            "data.source": "data/train.jsonl",
            "data.columns": columns,
            "training.epochs": 4,
            "training.learning_rate": 1e-2,
            "training.batch_size": 16,
            "training.max_length": 64,
            "compute.precision": "float32",
        }
        plan = Plan().changed({**settings, **changes})
        plan.save(folder / "plan.json")
        return folder / "plan.json"

    return make


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_data_is_learned(
    shape: str, new_chat: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    done = run_here(new_chat(shape))
    assert done.code == 0, done.last
    result = done.result
    assert sum(result.rows.values()) == 120
    assert result.metric == "loss" and result.model_format == "peft"
    assert result.metrics["loss"].value < 0.8 * result.baselines["untuned"]["loss"].value
    assert result.metrics["perplexity"].value == pytest.approx(math.exp(result.metrics["loss"].value))
    assert result.verdict.code in ("better", "not_enough_data") and result.verdict.text == done.last.text
    assert ("few_shot" in result.baselines) == (shape != "text")
    assert 0 < result.trainable_parameters < result.total_parameters
    shown = next(event for event in done.events if event.kind == "sample")
    learned = "".join(part["text"] for part in shown.value["parts"] if part["learned"])
    assert learned.startswith("it is") == (shape != "text")
    assert (done.folder / "model" / "adapter_config.json").is_file()
