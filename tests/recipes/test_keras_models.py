"""Models of Keras: trained as torch modules, saved so that plain Keras loads them."""

# ruff: noqa: E402 - what needs Keras comes after the question whether it is there

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

if importlib.util.find_spec("keras") is None:  # importing it here would choose a backend
    pytest.skip("the extra `keras` is not installed", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore")  # of Keras itself

from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from recipes.parts import keras_models, places
from recipes.parts.errors import RecipeError
from recipes.parts.starter import resolve

PIXELS = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose models/ holds a weight file of Keras' MobileNet."""
    home = tmp_path_factory.mktemp("home")
    (home / "models").mkdir()
    keras = keras_models.keras()
    keras.utils.set_random_seed(0)
    keras_models.build("MobileNet", 224).save_weights(home / "models" / "MobileNet.weights.h5")
    return home


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINETUNE_ASSISTANT_HOME", str(home))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def loaded(folder: str | Path, labels: int | None = None):  # type: ignore[no-untyped-def]
    places.know(folder)
    config = keras_models.KerasConfig.from_pretrained(folder)
    if labels is not None:
        config.id2label = {number: f"class {number}" for number in range(labels)}
        config.label2id = {name: number for number, name in config.id2label.items()}
        config.problem_type = "single_label_classification"
    return AutoModelForImageClassification.from_pretrained(folder, config=config, output_loading_info=True)


def test_a_network_answers_as_in_keras_and_learns_as_in_torch(home: Path) -> None:
    folder = resolve("keras/applications:mobilenet")
    assert folder == str(home / "models" / "keras-MobileNet") == resolve("keras/applications:MobileNet")
    model, report = loaded(folder, labels=3)
    assert report["missing_keys"] == ["classifier.weight", "classifier.bias"]
    network = keras_models.build("MobileNet", 224)
    network.load_weights(home / "models" / "MobileNet.weights.h5")
    expected = network(PIXELS.permute(0, 2, 3, 1), training=False).detach()
    assert torch.allclose(model.body(PIXELS), expected, atol=1e-5)
    assert sum(weight.numel() for weight in model.body.parameters()) == sum(
        int(torch.tensor(variable.shape).prod()) for variable in network.trainable_variables
    )
    model.train()
    still = {name: value.clone() for name, value in model.named_buffers()}
    model(pixel_values=PIXELS).logits.pow(2).sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())
    assert all(torch.equal(value, still[name]) for name, value in model.named_buffers())
    assert len(model.body.blocks) > 10


def test_pictures_are_prepared_as_keras_does(home: Path) -> None:
    import numpy as np

    keras = keras_models.keras()
    picture = np.random.default_rng(0).integers(0, 255, (224, 224, 3), dtype=np.uint8)
    processor = AutoImageProcessor.from_pretrained(resolve("keras/applications:MobileNet"))
    ours = processor(Image.fromarray(picture), return_tensors="pt")["pixel_values"][0].permute(1, 2, 0)
    theirs = keras.applications.mobilenet.preprocess_input(picture.astype("float32"))
    assert torch.allclose(ours, torch.as_tensor(theirs), atol=1e-2)
    for application, mode in (("ResNet50", "caffe"), ("DenseNet121", "torch"), ("EfficientNetB0", "raw")):
        module = getattr(keras.applications, keras_models._family(application)[0])
        expected = torch.from_numpy(np.ascontiguousarray(module.preprocess_input(picture.astype("float32"))))
        mean, spread = (torch.tensor(value) for value in keras_models._LOOKS[mode])
        found = (torch.from_numpy(picture / 255).float() - mean) / spread
        assert torch.allclose(found.flip(-1) if mode == "caffe" else found, expected, atol=1e-3)


def test_a_saved_model_loads_in_plain_keras(home: Path, tmp_path: Path) -> None:
    model, _ = loaded(resolve("keras/applications:MobileNet"), labels=3)
    with torch.no_grad():
        model.classifier.weight.mul_(30)
        next(model.body.parameters()).mul_(1.1)
    model.save_pretrained(tmp_path / "saved")
    with torch.no_grad():
        expected = model(pixel_values=PIXELS).logits
    torch.save({"pixels": PIXELS, "expected": expected.softmax(-1)}, tmp_path / "saved" / "check.pt")
    Image.new("RGB", (300, 260), (200, 30, 90)).save(tmp_path / "saved" / "photo.jpg")
    code = [
        *places.usage("keras/applications:MobileNet"),
        "import torch, sys",
        "check = torch.load('check.pt', weights_only=True)",
        "found = model(check['pixels'].permute(0, 2, 3, 1), training=False)",
        "assert 'recipes' not in sys.modules and 'transformers' not in sys.modules",
        "assert torch.allclose(found, check['expected'], atol=1e-4), (found, check['expected'])",
        "assert abs(float(answers.sum()) - 1) < 1e-4 and len(labels) == 3",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)], cwd=tmp_path / "saved", capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    again, report = loaded(tmp_path / "saved")
    assert report["missing_keys"] == []
    with torch.no_grad():
        assert torch.allclose(again(pixel_values=PIXELS).logits, expected, atol=1e-4)


def test_weights_that_cannot_be_fetched_get_a_sentence() -> None:
    with pytest.raises(RecipeError, match="not on this machine and cannot be fetched") as told:
        resolve("keras/applications:MobileNetV2")
    assert told.value.code == "weights-not-found"
    assert "MobileNetV2.keras" in str(told.value)


def test_an_unknown_application_gets_near_names() -> None:
    with pytest.raises(RecipeError, match="MobileNet"):
        resolve("keras/applications:MobileNot")


def test_what_the_catalog_names_is_in_keras() -> None:
    from assistant.advise import catalog

    named = [model.id.partition(":")[2] for model in catalog.placed() if model.id.startswith("keras/")]
    assert len(named) > 10
    assert sorted(set(named) - set(keras_models.applications())) == []


def test_a_preset_of_keras_hub_is_read_from_its_folder_and_saved_for_it(home: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("keras_hub") is None:
        pytest.skip("KerasHub is not installed")
    from recipes.parts import keras_hub_models

    hub = keras_hub_models.package()
    body = hub.models.ResNetBackbone(
        input_conv_filters=[64], input_conv_kernel_sizes=[7], stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1], stackwise_num_strides=[1, 2], block_type="basic_block", image_shape=(64, 64, 3),
    )  # fmt: skip
    converter = hub.layers.ImageConverter(image_size=(64, 64), scale=1 / 127.5, offset=-1.0)
    body.save_to_preset(home / "models" / "tiny_resnet")
    converter.save_to_preset(home / "models" / "tiny_resnet")
    folder = resolve("keras/hub:tiny_resnet")
    model, _ = loaded(folder, labels=3)
    pixels = PIXELS[:, :, :64, :64]
    expected = body(pixels.permute(0, 2, 3, 1)).mean((1, 2))
    assert torch.allclose(model.body(pixels), expected, atol=1e-5)
    processor = AutoImageProcessor.from_pretrained(folder)
    white = processor(Image.new("RGB", (64, 64), "white"), return_tensors="pt")["pixel_values"]
    assert torch.allclose(white, torch.ones_like(white), atol=1e-2)
    model.save_pretrained(tmp_path / "saved")
    again, report = loaded(tmp_path / "saved")
    assert report["missing_keys"] == [] and torch.allclose(again(pixels).logits, model(pixels).logits, atol=1e-5)
    with pytest.raises(RecipeError, match="not on this machine"):
        resolve("keras/hub:resnet_50_imagenet")


def test_a_file_of_another_application_is_refused(tmp_path: Path) -> None:
    keras = keras_models.keras()
    file = tmp_path / "MobileNet-mine.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(file)
    with pytest.raises(RecipeError, match="does not hold the weights of MobileNet"):
        resolve(str(file))


def test_a_file_that_holds_code_is_refused(tmp_path: Path) -> None:
    keras = keras_models.keras()
    file = tmp_path / "MobileNet-mine.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)]).save(file)
    with pytest.raises(RecipeError, match="does not hold the weights"):
        resolve(str(file))
