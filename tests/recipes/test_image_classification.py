"""Runs on pictures: every kind of architecture, models that plain libraries load, broken files, frozen averages."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from recipes import evaluate, export, predict
from recipes.parts import answering, decoding, features, methods
from recipes.parts.pictures import PictureKind
from recipes.plan import Method, Plan
from tests.recipes.conftest import write_rows
from tests.recipes.picture_runs import KINDS, make_pictures

KIND = PictureKind()
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # PEFT asks for it
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture(kind: str, new_picture_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Transformers and convolutional networks, of transformers and of timm, are trained, saved and verified."""
    done = run_here(new_picture_run("last_layers", kind=kind, rows=120, **{"training.epochs": 1}))
    assert done.code == 0, done.last
    assert done.result.metrics["accuracy"].value > 0.7
    assert done.result.labels == ["blue", "green", "red"]


@pytest.mark.parametrize(("method", "kind"), [("head", "mobilenetv2"), ("lora", "vit"), ("full", "resnet")])
def test_plain_libraries_load_the_model(
    method: str, kind: str, new_picture_run: Callable[..., Path], run_here: Callable[..., Any],
    tiny_vision: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Processor and model of transformers (and PEFT) give the answers of `recipes.predict`."""
    from peft import PeftModel
    from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageClassification

    monkeypatch.setattr("recipes.parts.linear_head.Quality.beats", lambda *_: True)  # keep what was trained
    plan = new_picture_run(method, kind=kind, **{"training.learning_rate": 1e-5, "training.epochs": 1})
    done = run_here(plan)
    assert done.code == 0, done.last
    folder, paths = plan.parent / "model", [str(plan.parent / f"data/media/{number:04}.png") for number in range(6)]
    source = tiny_vision(kind) if method == "lora" else folder
    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForImageClassification.from_pretrained(source, config=config, ignore_mismatched_sizes=True)
    model = (PeftModel.from_pretrained(model, folder) if method == "lora" else model).eval()
    inputs = AutoImageProcessor.from_pretrained(folder)([Image.open(path) for path in paths], return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs).logits.softmax(-1).numpy()
    answers = answering.answer(answering.open_model(plan.parent, KIND), paths)
    found = np.array([list(answer["scores"].values()) for answer in answers])
    assert np.abs(found - expected).max() < 1e-3


def test_predict_evaluate_and_export(
    new_picture_run: Callable[..., Path], run_here: Callable[..., Any], tmp_path: Path
) -> None:
    """Paths in, answers out; a file of rows in, figures out; what cannot be read is a sentence."""
    plan = new_picture_run("head")
    assert run_here(plan).code == 0
    loaded, model = predict.load(plan.parent)
    first = str(plan.parent / "data" / "media" / "0000.png")
    lines = [{"image": first}, {"inputs": {"image": first}}, {"image": str(plan)}, {"text": "a cat"}, {"image": "/no"}]
    answers = list(predict.answers(io.StringIO("\n".join(map(json.dumps, lines))), loaded, model))
    assert answers[0]["prediction"] == answers[1]["prediction"] in ("blue", "green", "red")
    assert [answer["error"]["code"] for answer in answers[2:]] == ["input-unusable"] * 3
    rows, out = tmp_path / "more" / "rows.jsonl", tmp_path / "out.json"
    more = make_pictures(tmp_path / "more" / "media", 40, "single_label_classification", seed=5)
    (tmp_path / "more" / "media" / "0003.png").write_bytes(b"no picture")
    write_rows(rows, [*more, {"image": "../../etc/passwd", "label": "red"}])
    assert evaluate.main([str(plan.parent), str(rows), str(out)]) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["rows"] == 39
    assert report["metrics"]["accuracy"]["value"] > 0.8
    assert "0003.png" in report["notes"][0] and "passwd" in report["notes"][0]
    assert "model.safetensors" in export.export(plan.parent, "merged", tmp_path / "merged")


def test_broken_files_are_named_and_left_out(
    new_picture_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    plan = new_picture_run("head")
    (plan.parent / "data" / "media" / "0007.png").write_bytes(b"no picture")
    (plan.parent / "data" / "media" / "0009.png").unlink()
    done = run_here(plan)
    assert done.code == 0, done.last
    assert sum(done.result.rows.values()) == 158
    text = next(warning["text"] for warning in done.result.warnings or [] if warning["code"] == "files-left-out")
    assert "2 of 160" in text and "0007.png" in text and "0009.png" in text


def test_the_report_has_small_pictures(new_picture_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """One of each class, and one of each mistake; none lies outside of the run's folder."""
    done = run_here(new_picture_run("head", rows=120, **{"training.seed": 3}))
    result = done.result
    assert set(result.examples or {}) == {"blue", "green", "red"}
    named = [*(result.examples or {}).values(), *(mistake.picture for mistake in result.mistakes or [])]
    for name in named:
        assert name is not None
        with Image.open(done.folder / name) as picture:
            assert max(picture.size) <= 128


def test_the_second_run_reads_neither_files_nor_body(
    new_picture_run: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same pictures, same model: pixels and features come from the cache."""
    assert run_here(new_picture_run("head", name="first")).code == 0
    monkeypatch.setattr(features, "_forward_all", lambda *_: pytest.fail("the body read them again"))
    monkeypatch.setattr(decoding, "_decode_into", lambda *_: pytest.fail("they were decoded again"))
    done = run_here(new_picture_run("head", name="second", **{"evaluation.metric": "f1"}))
    assert done.code == 0, done.last


@pytest.mark.parametrize("method", [Method(name="head"), Method(name="last_layers", layers=1), Method(name="full")])
def test_batch_normalisation_keeps_its_averages(method: Method, tiny_vision: Callable[[str], Path]) -> None:
    """Whatever is trained: passes in training mode leave them as they are."""
    base = methods.load_base(
        KIND, str(tiny_vision("resnet")), "tiny", labels=["a", "b"], problem="single_label_classification", seed=0,
        no_dropout=True,
    )  # fmt: skip
    classifier = methods.classifier_of(base, "model", 32, 2)
    methods.prepare(classifier, method, base.fresh)
    before = {name: value.clone() for name, value in classifier.module.named_buffers()}
    classifier.module.train()
    classifier.module(pixel_values=torch.rand(4, 3, 32, 32))
    assert any("running_mean" in name for name in before)
    for name, value in classifier.module.named_buffers():
        assert torch.equal(value, before[name]), name


def test_without_pretraining_they_are_learned_and_kept(
    new_picture_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    """The rival from scratch trains its averages too, so that it is a fair one."""
    plan = new_picture_run("last_layers", kind="resnet", **{"training.epochs": 3})
    wanted = ("majority", "picture_statistics", "nearest_centroid", "from_scratch")
    Plan.load(plan).changed({"evaluation.baselines": wanted}).save(plan)
    done = run_here(plan)
    assert done.code == 0, done.last
    assert done.result.baselines["from_scratch"]["accuracy"].value > 0.5


def test_adapters_on_convolutions_are_a_sentence(
    new_picture_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    done = run_here(new_picture_run("lora", kind="resnet"))
    assert (done.code, done.last.code) == (1, "no-layers")
    assert "last_layers" in done.last.fix


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_where_it_looked(kind: str, new_picture_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """An answer that is asked to explain itself brings a picture; the weights have no gradients left behind."""
    plan = new_picture_run("head", kind=kind, rows=120)
    assert run_here(plan).code == 0
    loaded, model = predict.load(plan.parent)
    line = json.dumps({"image": str(plan.parent / "data" / "media" / "0001.png"), "explain": True})
    (answer,) = predict.answers(io.StringIO(line), loaded, model)
    assert answer["looked_at"].startswith("data:image/jpeg;base64,")
    assert all(parameter.grad is None for parameter in model.classifier.module.parameters())


@pytest.mark.parametrize("kind", ["mobilenetv2", "resnet", "timm"])
def test_folding_changes_no_answer(kind: str, tiny_vision: Callable[[str], Path]) -> None:
    """Normalisations are gone from the copy that reads, its answers are those of the model, which stays as it was."""
    base = methods.load_base(
        KIND, str(tiny_vision(kind)), "tiny", labels=["a", "b"], problem="single_label_classification", seed=0,
        no_dropout=True,
    )  # fmt: skip
    for module in base.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # random models come with averages of zero and one
            torch.nn.init.normal_(module.running_mean, 0.1, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    batch, before = KIND.trial_batch(base), methods.weights_sha256(base.model, trainable=None)
    lean = KIND.for_reading(base, batch).model
    left = [module for module in lean.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert lean is not base.model and not left
    assert methods.weights_sha256(base.model, trainable=None) == before
    with torch.no_grad():
        assert torch.allclose(lean(**batch)["logits"], base.model(**batch)["logits"], atol=1e-4)
