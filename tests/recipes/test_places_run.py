"""A ResNet of PyTorch Hub and a MobileNet of Keras learn a small set, and their own libraries load what was learned."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from recipes.parts import places

#: The last line of a card's usage prints {label: logit or probability}.
PRINTED = re.compile(r"^\{.*\}$", re.MULTILINE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with no network; `models/` may be given weight files."""
    monkeypatch.setenv("FINETUNE_ASSISTANT_HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "models").mkdir()
    return tmp_path


def resnet(home: Path) -> str:
    """Random weights of a ResNet-18, as torchvision would have left them."""
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    torch.save(models.resnet18().state_dict(), home / "models" / "resnet18-f37072fd.pth")
    return "pytorch/vision:resnet18"


def mobilenet(home: Path) -> str:
    """Random weights of Keras' MobileNet, in Keras' own form."""
    if importlib.util.find_spec("keras") is None:  # importing it here would choose a backend
        pytest.skip("the extra `keras` is not installed")
    from recipes.parts import keras_models

    keras_models.keras().utils.set_random_seed(0)
    network = keras_models.build("MobileNet", 224)
    for layer in network.layers:
        if "BatchNormalization" in type(layer).__name__:
            layer.momentum = 0.0  # one pass in training mode sets the averages that random weights lack
    network(torch.rand(8, 224, 224, 3) * 2 - 1, training=True)
    network.save_weights(home / "models" / "MobileNet.weights.h5")
    return "keras/applications:MobileNet"


def answer_of_own_library(model: Path, base: str, picture: Path) -> dict[str, float]:
    """The card's lines, run in a fresh process in the model's folder."""
    card = (model / "README.md").read_text(encoding="utf-8")
    lines = "\n".join(places.usage(base))
    assert lines in card
    Image.open(picture).convert("RGB").save(model / "photo.jpg", quality=100, subsampling=0)
    code = lines + "\nimport sys; assert 'recipes' not in sys.modules and 'transformers' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=model, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(PRINTED.findall(done.stdout)[-1].replace("'", '"'))
    return found


@pytest.mark.filterwarnings("ignore")  # of Keras itself
@pytest.mark.parametrize(("weights", "method"), [(resnet, "last_layers"), (mobilenet, "last_layers")])
def test_learns_and_is_loaded_by_its_own_library(
    weights: Callable[[Path], str], method: str, home: Path, new_picture_run: Callable[..., Path],
    run_here: Callable[..., Any],
) -> None:  # fmt: skip
    base = weights(home)
    plan = new_picture_run(method, base_model=base, rows=72, training__epochs=1)
    run = run_here(plan)
    assert run.code == 0, run.last
    result = run.result
    assert result.base_model == base
    assert result.metrics["accuracy"].value > 0.8
    assert result.total_parameters > 1_000_000
    rows = [json.loads(line) for line in (run.folder / "data" / "train.jsonl").read_text().splitlines()]
    right = 0
    for label in ("red", "green", "blue"):
        row = next(row for row in rows if row["label"] == label)
        answer = answer_of_own_library(run.folder / "model", base, run.folder / "data" / row["image"])
        assert set(answer) == {"red", "green", "blue"}
        right += max(answer, key=lambda name: answer[name]) == label
    assert right >= 2


def test_without_weights_the_run_says_where_they_could_lie(
    home: Path, new_picture_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    pytest.importorskip("torchvision")
    run = run_here(new_picture_run("head", base_model="pytorch/vision:resnet34", rows=40))
    assert run.code == 1
    assert run.last.code == "weights-not-found"
    assert "resnet34" in run.last.what and "models/" in run.last.fix
