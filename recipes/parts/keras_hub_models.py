"""KerasHub presets (which took over TensorFlow Hub's place) on Keras 3's torch backend, as bodies of image classifiers.

build("resnet_50_imagenet", places) -> (network up to its pooled features, the preset's image converter)

A preset is a folder that a person has, `models/<preset>` in the home, or one that KerasHub downloads once by its name.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recipes.parts.errors import RecipeError
from recipes.parts.keras_models import keras

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{2,99}")


def package() -> Any:
    """KerasHub, on the torch backend.

    Raises:
        RecipeError: `model-not-usable`, it is not installed.
    """
    keras()
    if importlib.util.find_spec("keras_hub") is None:
        raise RecipeError(
            "model-not-usable", "This base model is a preset of KerasHub, and KerasHub is not installed.",
            "It is a package of its own, beside the extra “keras”.", "Install it: python -m pip install keras-hub",
        )  # fmt: skip
    import keras_hub

    return keras_hub


def build(preset: str, places: Sequence[Path], *, random: bool = False) -> tuple[Any, Any]:
    """The network of a preset and its image converter.

    Args:
        places: folders that may hold the preset's folder.
        random: random weights instead of the pretrained ones.

    Raises:
        RecipeError: `model-not-found`, `weights-not-found` or `model-not-usable`.
    """
    hub = package()
    source = _source(preset, places)
    try:
        body = hub.models.Backbone.from_preset(source, load_weights=not random)
        converter = hub.layers.ImageConverter.from_preset(source)
    except Exception as error:
        raise RecipeError(
            "weights-not-found",
            f"The preset {preset} of KerasHub is not on this machine and cannot be fetched: {str(error)[:150]}.",
            "KerasHub downloads a preset once into its own cache.",
            f"Check its name, connect to the network, or put its folder into the home as models/{preset}.",
        ) from error
    return _pooled(body, preset), converter


def _source(preset: str, places: Sequence[Path]) -> str:
    if not _NAME.fullmatch(preset):
        raise RecipeError(
            "model-not-found", f"“{preset[:60]}” is not the name of a KerasHub preset.",
            "A preset's name is letters, digits and underscores, as resnet_50_imagenet.", "Check the spelling.",
        )  # fmt: skip
    for place in places:
        if (place / preset / "config.json").is_file():
            return str(place / preset)
    if os.environ.get("HF_HUB_OFFLINE", "").casefold() in ("1", "true", "yes", "on"):
        raise RecipeError(
            "weights-not-found",
            f"The preset {preset} of KerasHub is not on this machine, which is set to work offline.",
            "KerasHub downloads a preset once into its own cache.",
            f"Connect to the network, or put its folder into the home as models/{preset}.",
        )
    return preset


def _pooled(body: Any, preset: str) -> Any:
    """Up to one row of numbers a picture: the mean over the map, or the token that stands for the whole picture."""
    shape = getattr(body, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) not in (2, 3, 4) or len(body.inputs) != 1:
        raise RecipeError(
            "model-not-usable", f"The preset {preset} is not a network that reads pictures.",
            "An image backbone was expected, as ResNet, EfficientNet or ViT.", "Choose another preset.",
        )  # fmt: skip
    features = body.output
    if len(shape) == 4:
        features = keras().layers.GlobalAveragePooling2D()(features)
    elif len(shape) == 3:
        features = features[:, 0]
    return keras().Model(body.inputs, features)


def looks(converter: Any) -> tuple[list[float], list[float]]:
    """The converter's `pixel * scale + offset` as the mean and the spread of an image processor."""

    def three(value: Any, missing: float) -> list[float]:
        found = missing if value is None else value
        return [float(one) for one in found] if isinstance(found, (list, tuple)) else [float(found)] * 3

    scale, offset = three(converter.scale, 1.0), three(converter.offset, 0.0)
    return (
        [-away / (255 * each) for away, each in zip(offset, scale, strict=True)],
        [1 / (255 * each) for each in scale],
    )
