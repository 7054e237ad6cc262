"""Base models that are not in the form of transformers: those of PyTorch Hub and of Keras.

prepare("pytorch/vision:resnet50", folders)    -> a folder that the rest of the program reads like any other model's
know(folder)                                   before such a folder is read: its classes are made known to transformers

The folder holds the weights as the model's own library writes them, and a `config.json` whose `model_type` says whose.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

PYTORCH_HUB = "pytorch/vision:"
KERAS = "keras/applications:"
KERAS_HUB = "keras/hub:"
TORCHVISION_TYPE, KERAS_TYPE = "torchvision_image_classifier", "keras_image_classifier"


def is_placed(base_model: str) -> bool:
    """Whether a base model comes from PyTorch Hub or Keras."""
    return base_model.startswith((PYTORCH_HUB, KERAS, KERAS_HUB))


def prepare(base_model: str, places: Sequence[Path]) -> Path:
    """The folder of such a model; made where it is missing, in the first of the places.

    Args:
        places: folders that may hold prepared models, and weight files that a person put there.

    Raises:
        RecipeError: `model-not-found`, `weights-not-found` or `model-not-usable`.
    """
    place, _, entry = base_model.partition(":")
    if place + ":" == PYTORCH_HUB:
        from recipes.parts import torchvision_models

        return torchvision_models.prepare(entry, places)
    from recipes.parts import keras_models

    if place + ":" == KERAS_HUB:
        return keras_models.prepare_preset(entry, places)
    return keras_models.prepare(entry, places)


def prepared(name: str, weights: str, places: Sequence[Path], file: Path | None) -> Path | None:
    """The prepared folder of a model, if there is one; one that is older than the person's own file is thrown away.

    Args:
        name: of the folder; weights: of the file in it. places: folders that may hold it. file: the person's own.
    """
    for place in places:
        made = place / name / weights
        if made.is_file():
            if file is None or file.stat().st_mtime <= made.stat().st_mtime:
                return place / name
            shutil.rmtree(place / name, ignore_errors=True)
    return None


def is_weight_file(base_model: str) -> bool:
    """Whether a base model is the path of a file of weights."""
    path = Path(base_model).expanduser()
    return path.suffix in (".pth", ".pt", ".safetensors", ".keras") and path.is_file()


def prepare_file(file: Path, folders: Sequence[Path]) -> Path:
    """The folder of a weight file that a person has: of torchvision (`.pth`, safetensors) or of Keras (`.keras`).

    Raises:
        RecipeError: `model-not-found`, `unsafe-weights` or `model-not-usable`.
    """
    if file.suffix == ".keras":
        from recipes.parts import keras_models

        return keras_models.prepare_file(file, folders)
    from recipes.parts import torchvision_models

    return torchvision_models.prepare_file(file, folders)


def know(source: str | Path) -> None:
    """Make the classes of a prepared or saved model known to transformers; nothing happens for any other."""
    try:
        kind = json.loads((Path(source) / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        return
    if kind == TORCHVISION_TYPE:
        from recipes.parts import torchvision_models

        torchvision_models.register()
    elif kind == KERAS_TYPE:
        from recipes.parts import keras_models

        keras_models.register()


def usage(base_model: str) -> list[str]:
    """Python lines that load a saved model with its own library alone, and print the answer for one picture."""
    if base_model.startswith(PYTORCH_HUB):
        return list(_TORCHVISION_LINES)
    if base_model.startswith(KERAS_HUB):  # its layers may be KerasHub's, and its pixels are scaled by the preset's rule
        return [line for old in _KERAS_LINES for line in _KERAS_HUB_CHANGES.get(old, (old,))]
    return list(_KERAS_LINES)


_TORCHVISION_LINES = (
    "import json, torch, torchvision",
    "from PIL import Image",
    "from safetensors.torch import load_file",
    "",
    'config = json.load(open("config.json"))',
    'labels, options = config["id2label"], config["options"]',
    'model = torchvision.models.get_model(config["architecture"], num_classes=len(labels), **options)',
    'model.load_state_dict(load_file("model.safetensors"))',
    "model.eval()",
    'prepare = torchvision.models.get_weight(config["weights"]).transforms()',
    "with torch.no_grad():",
    '    logits = model(prepare(Image.open("photo.jpg").convert("RGB"))[None])[0]',
    "print({labels[str(i)]: float(value) for i, value in enumerate(logits)})",
)
_KERAS_LINES = (
    "import json, os",
    'os.environ.setdefault("KERAS_BACKEND", "torch")',
    "import keras, numpy",
    "",
    'config = json.load(open("config.json"))',
    'labels, size = config["id2label"], config["image_size"]',
    'model = keras.saving.load_model("model.keras", compile=False)',
    'how = {"interpolation": "bilinear", "keep_aspect_ratio": True}',
    'picture = keras.utils.load_img("photo.jpg", target_size=(size, size), **how)',
    'prepare = getattr(keras.applications, config["preprocessing"]).preprocess_input',
    "pixels = numpy.ascontiguousarray(prepare(keras.utils.img_to_array(picture)[None]))",
    "answers = model(pixels, training=False)[0]",
    "print({labels[str(i)]: float(value) for i, value in enumerate(answers)})",
)
_KERAS_HUB_CHANGES = {
    "import keras, numpy": ("import keras, keras_hub, numpy",),
    'prepare = getattr(keras.applications, config["preprocessing"]).preprocess_input': (
        'mean, spread = config["pixel_mean"], config["pixel_spread"]',
        "prepare = lambda pixels: (pixels / 255 - mean) / spread",
    ),
}
