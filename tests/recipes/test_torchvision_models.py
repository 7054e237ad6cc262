"""Models of PyTorch Hub: found by entry name, read from local files, saved so that plain torchvision loads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("torchvision")

from PIL import Image
from torchvision import models
from transformers import AutoImageProcessor, AutoModelForImageClassification

from recipes.parts import methods, places, torchvision_models
from recipes.parts.errors import RecipeError
from recipes.parts.starter import resolve

PIXELS = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose models/ holds a weight file of ResNet-18, as torchvision names it."""
    monkeypatch.setenv("FINETUNE_ASSISTANT_HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "models").mkdir()
    torch.manual_seed(0)
    torch.save(models.resnet18(num_classes=1000).state_dict(), tmp_path / "models" / "resnet18-f37072fd.pth")
    return tmp_path


def loaded(folder: str | Path, labels: int | None = None):  # type: ignore[no-untyped-def]
    places.know(folder)
    config = torchvision_models.TorchvisionConfig.from_pretrained(folder)
    if labels is not None:
        config.id2label = {number: f"class {number}" for number in range(labels)}
        config.label2id = {name: number for number, name in config.id2label.items()}
    return AutoModelForImageClassification.from_pretrained(folder, config=config, output_loading_info=True)


def picture(path: Path) -> None:
    """Something smooth with colours, 300 by 260."""
    rows, columns = torch.meshgrid(torch.arange(260), torch.arange(300), indexing="ij")
    values = torch.stack([rows % 256, columns % 256, (rows + columns) // 3 % 256], dim=-1).to(torch.uint8)
    Image.fromarray(values.numpy()).save(path, quality=95)


def test_an_entry_with_a_local_file_answers_as_torchvision(home: Path) -> None:
    folder = resolve("pytorch/vision:resnet18")
    assert folder == str(home / "models" / "torchvision-resnet18") == resolve("pytorch/vision:resnet18")
    model, report = loaded(folder)
    original = models.resnet18()
    original.load_state_dict(torch.load(home / "models" / "resnet18-f37072fd.pth", weights_only=True))
    original.eval()
    with torch.no_grad():
        assert torch.equal(model(pixel_values=PIXELS).logits, original(PIXELS))
    assert report["missing_keys"] == []
    assert model.config.id2label[281] == "tabby"
    processor = AutoImageProcessor.from_pretrained(folder)
    assert (processor.size["shortest_edge"], processor.crop_size["height"]) == (256, 224)


def test_newer_weights_take_the_place_of_what_was_prepared(home: Path) -> None:
    before = loaded(resolve("pytorch/vision:resnet18"))[0]
    file = home / "models" / "resnet18-f37072fd.pth"
    torch.save(models.resnet18(num_classes=1000).state_dict(), file)
    os.utime(file, (file.stat().st_mtime + 60,) * 2)
    after = loaded(resolve("pytorch/vision:resnet18"))[0]
    with torch.no_grad():
        assert not torch.allclose(before(pixel_values=PIXELS).logits, after(pixel_values=PIXELS).logits)


def test_a_new_head_is_new_and_the_body_is_not(home: Path) -> None:
    model, report = loaded(resolve("pytorch/vision:resnet18"), labels=3)
    assert report["missing_keys"] == ["network.fc.weight", "network.fc.bias"]
    assert model.network.fc.out_features == 3


def test_a_saved_model_loads_in_plain_torchvision(home: Path, tmp_path: Path) -> None:
    model, _ = loaded(resolve("pytorch/vision:resnet18"), labels=3)
    model.save_pretrained(tmp_path / "saved")
    with torch.no_grad():
        expected = model(pixel_values=PIXELS).logits
    torch.save({"pixels": PIXELS, "expected": expected}, tmp_path / "saved" / "check.pt")
    picture(tmp_path / "saved" / "photo.jpg")
    code = [*places.usage("pytorch/vision:resnet18"), "import sys", "check = torch.load('check.pt', weights_only=True)",
            "assert 'recipes' not in sys.modules and set(labels.values()) == {'class 0', 'class 1', 'class 2'}",
            "assert torch.allclose(model(check['pixels']), check['expected'], atol=1e-5)",
            "print(json.dumps(logits.tolist()))"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)], cwd=tmp_path / "saved", capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    processor = AutoImageProcessor.from_pretrained(resolve("pytorch/vision:resnet18"))
    pixels = processor(Image.open(tmp_path / "saved" / "photo.jpg"), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        ours = model(pixel_values=pixels).logits[0]
    theirs = torch.tensor(json.loads(done.stdout.splitlines()[-1]))
    assert torch.allclose(ours, theirs, atol=0.05 * float(ours.abs().max())), "prepared differently"
    again, report = loaded(tmp_path / "saved")
    assert report["missing_keys"] == []
    with torch.no_grad():
        assert torch.equal(again(pixel_values=PIXELS).logits, expected)


def test_weights_that_cannot_be_fetched_get_a_sentence(home: Path) -> None:
    with pytest.raises(RecipeError, match="not on this machine and cannot be fetched") as told:
        resolve("pytorch/vision:resnet34")
    assert told.value.code == "weights-not-found"
    assert "resnet34-b627a593.pth" in str(told.value)
    assert sorted(path.name for path in (home / "models").iterdir()) == ["resnet18-f37072fd.pth"]


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [("resnet19", "model-not-found", "resnet1"), ("fcn_resnet50", "model-not-found", "Did you mean"),
     ("squeezenet1_0", "model-not-usable", "linear layer")],
)  # fmt: skip
def test_what_is_no_classifier_with_a_last_layer_is_refused(home: Path, entry: str, code: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words) as told:
        resolve(f"pytorch/vision:{entry}")
    assert told.value.code == code


def test_weights_of_another_architecture_are_refused(home: Path) -> None:
    (home / "models" / "resnet18-f37072fd.pth").rename(home / "models" / "resnet34-b627a593.pth")
    with pytest.raises(RecipeError, match="do not belong to resnet34"):
        resolve("pytorch/vision:resnet34")


def test_a_file_that_holds_code_is_refused_and_not_run(home: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save({"fc.weight": Hostile()}, home / "models" / "resnet18-f37072fd.pth")
    with pytest.raises(RecipeError) as told:
        resolve("pytorch/vision:resnet18")
    assert told.value.code == "unsafe-weights"
    assert not (tmp_path / "ran").exists()


def test_a_file_of_ones_own_is_read_by_its_name(home: Path, tmp_path: Path) -> None:
    torch.save(models.mobilenet_v3_small(num_classes=7).state_dict(), tmp_path / "mobilenet_v3_small-mine.pth")
    folder = resolve(str(tmp_path / "mobilenet_v3_small-mine.pth"))
    config = json.loads((Path(folder) / "config.json").read_text())
    assert config["architecture"] == "mobilenet_v3_small"
    assert load_file(Path(folder) / "model.safetensors")["classifier.3.weight"].shape[0] == 7
    torch.save({}, tmp_path / "mine.pth")
    with pytest.raises(RecipeError, match="Rename"):
        resolve(str(tmp_path / "mine.pth"))


def test_every_entry_that_is_offered_can_be_built() -> None:
    for entry in ("resnet50", "vgg16", "densenet121", "inception_v3", "vit_b_16", "efficientnet_b0"):
        with torch.device("meta"):
            assert torchvision_models.build(entry, 3) is not None


def test_what_the_catalog_names_is_in_torchvision() -> None:
    from assistant.advise import catalog

    named = [model.id.partition(":")[2] for model in catalog.placed() if model.id.startswith("pytorch/vision:")]
    assert len(named) > 30
    assert sorted(set(named) - set(torchvision_models.entries())) == []


def test_what_features_are_kept_by_knows_averages_of_any_kind() -> None:
    """Networks of Keras keep the averages of batch normalisation in plain buffers."""
    network = torch.nn.Linear(2, 2)
    network.register_buffer("average", torch.zeros(2))
    before = methods.weights_sha256(network, trainable=None)
    network.average += 1
    assert methods.weights_sha256(network, trainable=None) != before
