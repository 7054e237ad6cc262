"""Exports: what is written loads without our code and answers as the run's model does."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recipes import export
from recipes.parts.errors import RecipeError
from recipes.plan import Data, Method, Plan
from recipes.text_classification import KIND

HAS_ONNX = all(importlib.util.find_spec(name) is not None for name in export.ONNX_PACKAGES)
TEXTS = ["apple word1 word2", "iron iron gold " * 8]
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # PEFT asks for it
]


@pytest.fixture
def make_run(tmp_path: Path, tiny: Callable[[str], Path]) -> Callable[..., Path]:
    """make_run(pooling, adapter) -> the folder of a run with a model, as a recipe saves it."""

    def make(pooling: Any, adapter: bool) -> Path:
        import torch

        from recipes.parts import methods, save

        source = str(tiny("bert"))
        base = methods.load_base(
            KIND,
            source,
            source,
            labels=["fruit", "metal"],
            problem="single_label_classification",
            seed=0,
            no_dropout=True,
        )
        classifier = methods.classifier_of(base, pooling, 32, 2)
        if adapter:
            methods.prepare(classifier, Method(name="lora", rank=4), base.fresh)
            for name, value in classifier.module.named_parameters():
                if "lora_B" in name:
                    torch.nn.init.normal_(value)  # a fresh adapter changes nothing: give it something to say
        run = tmp_path / "run"
        run.mkdir()
        save.save(classifier, run / "model", 32)
        Plan(task="text-classification", base_model=source, data=Data(source="data/train.jsonl")).save(
            run / "plan.json"
        )
        return run

    return make


def logits_of(folder: Path) -> Any:
    from recipes.parts import save

    classifier = save.load(folder, KIND)
    return export._logits(classifier, tokens_of(classifier))


def tokens_of(classifier: Any) -> dict[str, Any]:
    inputs = classifier.processor(TEXTS, truncation=True, padding=True, return_tensors="pt")
    return {name: inputs[name] for name in ("input_ids", "attention_mask")}


def run_command(run: Path, form: str, out: Path) -> tuple[int, dict[str, Any]]:
    """The exit code, and the last line that was printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = export.main([str(run), form, str(out)])
    return code, json.loads(printed.getvalue().splitlines()[-1])


@pytest.mark.parametrize("pooling", ["model", "mean"])
def test_merged_is_one_plain_model_with_the_adapters_answers(
    pooling: str, make_run: Callable[..., Path], tmp_path: Path
) -> None:
    from transformers import AutoModel, AutoModelForSequenceClassification

    run, out = make_run(pooling, True), tmp_path / "out"
    code, report = run_command(run, "merged", out)
    assert code == 0, report
    assert "model.safetensors" in report["files"]
    assert not any("adapter" in name for name in report["files"])
    assert np.abs(logits_of(out) - logits_of(run / "model")).max() < 1e-4
    auto = AutoModelForSequenceClassification if pooling == "model" else AutoModel
    model, loading = auto.from_pretrained(out, output_loading_info=True)
    assert not loading["missing_keys"] and not loading["unexpected_keys"]
    assert model.config.id2label == {0: "fruit", 1: "metal"}


def test_merged_of_a_whole_model_is_a_copy(make_run: Callable[..., Path], tmp_path: Path) -> None:
    run = make_run("mean", False)
    names = export.export(run, "merged", tmp_path / "out")
    assert {"model.safetensors", "classification_head.safetensors", "tokenizer.json", "config.json"} <= set(names)
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (run / "model" / name).read_bytes()


def test_an_adapter_is_copied_and_other_files_in_the_folder_stay(make_run: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "diary.txt").write_text("mine")
    code, report = run_command(make_run("mean", True), "adapter", out)
    assert code == 0
    assert {"adapter_config.json", "adapter_model.safetensors", "classification_head.safetensors"} <= set(
        report["files"]
    )
    assert (out / "diary.txt").read_text() == "mine"
    assert not [path.name for path in out.iterdir() if path.name.endswith(".partial")]


def test_a_merge_that_answers_differently_is_not_handed_out(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft.tuners.tuners_utils import BaseTuner

    run = make_run("model", True)
    monkeypatch.setattr(
        BaseTuner, "merge_and_unload", lambda self, *args, **kwargs: self.unload()
    )  # forgets the adapter
    code, report = run_command(run, "merged", tmp_path / "out")
    assert code == 1
    assert report["error"]["code"] == "verification-failed"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("form", "code", "words"),
    [
        ("gguf", "export-format", "GGUF is a format for language models"),
        ("docx", "export-format", "cannot be exported as “docx”"),
        ("adapter", "no-adapter", "has no adapter"),
    ],
)
def test_what_cannot_be_done_is_said_plainly(
    form: str, code: str, words: str, make_run: Callable[..., Path], tmp_path: Path
) -> None:
    exit_code, report = run_command(make_run("model", False), form, tmp_path / "out")
    assert exit_code == 1
    assert report["error"]["code"] == code
    assert words in report["error"]["what"]
    assert "merged" in report["error"]["fix"]
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="There is no model in") as caught:
        export.export(tmp_path, "merged", tmp_path / "out")
    assert caught.value.code == "no-model"


def test_without_its_packages_onnx_names_the_command(
    make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ONNX_PACKAGES", ("onnx_that_nobody_has",))
    exit_code, report = run_command(make_run("model", False), "onnx", tmp_path / "out")
    assert exit_code == 1
    assert report["error"]["code"] == "onnx-missing"
    assert "python -m pip install onnx_that_nobody_has" in report["error"]["fix"]


@pytest.mark.skipif(not HAS_ONNX, reason="needs the packages onnx, onnxscript and onnxruntime")
@pytest.mark.parametrize(("pooling", "adapter"), [("model", False), ("mean", False), ("mean", True)])
def test_onnx_answers_as_the_model_and_its_lines_run(
    pooling: str, adapter: bool, make_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recipes.parts import save

    run, out = make_run(pooling, adapter), tmp_path / "out"
    assert {"model.onnx", "tokenizer.json", "config.json", "README.md"} <= set(export.export(run, "onnx", out))
    classifier = save.load(run / "model", KIND)
    inputs = tokens_of(classifier)
    assert np.abs(export._onnx_logits(out, inputs) - export._logits(classifier, inputs)).max() < 1e-4
    block = re.search(r"```python\n(.*?)```", (out / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    monkeypatch.chdir(out)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block[1], {})
    (answer,) = ast.literal_eval(printed.getvalue().strip())
    assert answer in ("fruit", "metal")
