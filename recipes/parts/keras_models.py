"""Keras Applications on Keras 3's torch backend: trained like any torch module, saved for plain Keras.

prepare("MobileNetV2", folders) -> a folder: config.json, preprocessor_config.json, model.keras (the body)

A Keras network is called through `stateless_call`: its variables are parameters and buffers of a torch module here, so
that freezing, optimizers and devices work as for any other. A pretrained body always runs in inference mode
(`training=False`): its BatchNorm keeps the averages that it learned, as Keras itself advises for fine-tuning.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForImageClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

from recipes.parts.errors import RecipeError
from recipes.parts.places import KERAS_TYPE, prepared

MODEL = "model.keras"
HEAD = "labels"  # the name of the last layer in a saved model
#: Pixels a side, where it is not 224 (keras.applications, the default input shape of each).
_SIZES = {
    "InceptionV3": 299, "InceptionResNetV2": 299, "Xception": 299, "NASNetLarge": 331, "EfficientNetB1": 240,
    "EfficientNetB2": 260, "EfficientNetB3": 300, "EfficientNetB4": 380, "EfficientNetB5": 456, "EfficientNetB6": 528,
    "EfficientNetB7": 600, "EfficientNetV2B1": 240, "EfficientNetV2B2": 260, "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384, "EfficientNetV2M": 480, "EfficientNetV2L": 480,
}  # fmt: skip
#: The beginning of a name -> (the module of keras.applications whose `preprocess_input` belongs to it, its mode).
_FAMILIES = (
    ("MobileNetV3", "mobilenet_v3", "raw"), ("MobileNetV2", "mobilenet_v2", "tf"), ("MobileNet", "mobilenet", "tf"),
    ("ResNet50V2", "resnet_v2", "tf"), ("ResNet101V2", "resnet_v2", "tf"), ("ResNet152V2", "resnet_v2", "tf"),
    ("ResNet", "resnet", "caffe"), ("VGG16", "vgg16", "caffe"), ("VGG19", "vgg19", "caffe"),
    ("DenseNet", "densenet", "torch"), ("EfficientNetV2", "efficientnet_v2", "raw"),
    ("EfficientNet", "efficientnet", "raw"), ("ConvNeXt", "convnext", "raw"), ("InceptionV3", "inception_v3", "tf"),
    ("InceptionResNetV2", "inception_resnet_v2", "tf"), ("Xception", "xception", "tf"), ("NASNet", "nasnet", "tf"),
)  # fmt: skip
#: What each mode of `preprocess_input` does to pixels of 0 to 1: subtract a mean, divide by a spread.
_LOOKS = {
    "tf": ([0.5] * 3, [0.5] * 3),
    "torch": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "caffe": ([123.68 / 255, 116.779 / 255, 103.939 / 255], [1 / 255] * 3),  # then the colours in the order BGR
    "raw": ([0.0] * 3, [1 / 255] * 3),
}
#: Layers of one block have names that begin alike.
_BLOCK = re.compile(
    r"(?:.*stage_?\d+_block_?\d+|block_?\d+[a-z]?|conv\d+_block\d+|expanded_conv_\d+|conv_[dp]w_\d+)(?=_|$)"
)


def keras() -> Any:
    """The package, on its torch backend.

    Raises:
        RecipeError: `model-not-usable`, it is not installed, or was imported with another backend.
    """
    if importlib.util.find_spec("keras") is None:
        raise RecipeError(
            "model-not-usable", "This base model is one of Keras, and Keras is not installed.",
            "It is an extra of this program.", 'Install it: python -m pip install "finetune-assistant[keras]"',
        )  # fmt: skip
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    import keras as package

    if package.backend.backend() != "torch":
        raise RecipeError("model-not-usable", f"Keras runs on {package.backend.backend()} here, not on torch.")
    return package


class KerasConfig(PretrainedConfig):  # type: ignore[misc]
    """Which application of Keras it is (or preset of KerasHub), how large its pictures are, and what it does to pixels.

    Args:
        flip_colours: the colours are wanted in the order blue, green, red.
        pixel_mean, pixel_spread: of a preset, for pixels from 0 to 1.
    """

    model_type = KERAS_TYPE

    def __init__(
        self, application: str = "MobileNetV2", image_size: int = 224, flip_colours: bool = False, preset: str = "",
        pixel_mean: Sequence[float] = (), pixel_spread: Sequence[float] = (), **rest: Any,
    ) -> None:  # fmt: skip
        rest.pop("preprocessing", None)
        super().__init__(**rest)
        self.preset = preset
        self.pixel_mean, self.pixel_spread = list(pixel_mean), list(pixel_spread)
        self.application = application
        self.image_size = image_size
        self.flip_colours = flip_colours
        self.preprocessing = _family(application)[0]


class KerasBody(nn.Module):  # type: ignore[misc]
    """A Keras network as a torch module: pictures, shape (rows, 3, height, width), to features, shape (rows, width).

    `blocks` holds the variables of the network's layers, those of one block together, in the order of the network.

    Args:
        learns_averages: for random weights: in training, BatchNorm learns its averages too.
    """

    def __init__(self, network: Any, flip_colours: bool, learns_averages: bool = False) -> None:
        super().__init__()
        self._learns_averages = learns_averages
        self._kept = [network]  # in a list, so that torch does not count its variables a second time
        self._flip = flip_colours
        self.blocks = nn.ModuleList()
        places: dict[int, tuple[nn.Module, str]] = {}
        before = ""
        trained = {id(variable) for variable in network.trainable_variables}
        for layer in network.layers:
            if not layer.weights:
                continue
            block = _block(layer.name)
            if block != before or not self.blocks:
                self.blocks.append(nn.Module())
                before = block
            for variable in layer.weights:
                name = variable.path.replace(".", "_")
                value = variable.value.detach().clone()
                if id(variable) in trained:
                    self.blocks[-1].register_parameter(name, nn.Parameter(value))
                else:
                    self.blocks[-1].register_buffer(name, value)
                places[id(variable)] = (self.blocks[-1], name)
        self._trained = [places[id(variable)] for variable in network.trainable_variables]
        self._fixed = [places[id(variable)] for variable in network.non_trainable_variables]

    @property
    def network(self) -> Any:
        """The Keras network, with the values that are trained here."""
        network = self._kept[0]
        for variables, places in (
            (network.trainable_variables, self._trained), (network.non_trainable_variables, self._fixed)
        ):  # fmt: skip
            for variable, (module, name) in zip(variables, places, strict=True):
                variable.assign(getattr(module, name).detach())
        return network

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Features, float."""
        pixels = pixel_values.permute(0, 2, 3, 1)
        if self._flip:
            pixels = pixels.flip(-1)
        trained = [getattr(module, name) for module, name in self._trained]
        fixed = [getattr(module, name) for module, name in self._fixed]
        learning = self.training and self._learns_averages
        features, changed = self._kept[0].stateless_call(trained, fixed, pixels, training=learning)
        if learning:
            with torch.no_grad():
                for value, now in zip(fixed, changed, strict=True):
                    value.copy_(now)
        return features  # type: ignore[no-any-return]


def _block(layer: str) -> str:
    found = _BLOCK.match(layer)
    return found.group() if found else layer


class KerasForImageClassification(PreTrainedModel):  # type: ignore[misc]
    """A Keras network and a last linear layer. On disk it is one `.keras` file that plain Keras loads."""

    config_class = KerasConfig
    base_model_prefix = "body"
    main_input_name = "pixel_values"

    def __init__(self, config: KerasConfig, network: Any = None) -> None:
        super().__init__(config)
        random = network is None
        network = _random_network(config) if random else network
        self.body = KerasBody(network, config.flip_colours, learns_averages=random)
        self.classifier = nn.Linear(network.output_shape[-1], config.num_labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Keras, or the caller, has set them."""

    def forward(self, pixel_values: torch.Tensor, **_: Any) -> ImageClassifierOutput:
        """Logits, shape (rows, labels)."""
        return ImageClassifierOutput(logits=self.classifier(self.body(pixel_values)))

    def save_pretrained(self, save_directory: str | Path, **_: Any) -> None:
        """The whole network with its last layer as a `.keras` file, and the configuration."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        network = self.body.network
        last = keras().layers.Dense(self.config.num_labels, activation=_activation(self.config), name=HEAD)
        whole = keras().Model(network.inputs, last(network.output), name="classifier")
        last.set_weights([value.detach().cpu().numpy() for value in (self.classifier.weight.T, self.classifier.bias)])
        whole.save(folder / MODEL)
        self.config.save_pretrained(folder)

    @classmethod
    def from_pretrained(
        cls, source: str | Path, *_: Any, config: Any = None, output_loading_info: bool = False, **rest: Any
    ) -> Any:
        """Read a folder; a last layer for another number of labels stays new."""
        config = config or cls.config_class.from_pretrained(source)
        if config.preset:  # its layers must be known before they are read
            from recipes.parts import keras_hub_models

            keras_hub_models.package()
        whole = keras().saving.load_model(Path(source) / MODEL, compile=False, safe_mode=True)
        last = whole.layers[-1] if whole.layers[-1].name == HEAD else None
        network = whole if last is None else keras().Model(whole.inputs, whole.layers[-2].output)
        model = cls(config, network)
        fresh = ["classifier.weight", "classifier.bias"]
        if last is not None and last.units == config.num_labels:
            weight, bias = last.get_weights()
            with torch.no_grad():
                model.classifier.weight.copy_(torch.from_numpy(weight.T.copy()))
                model.classifier.bias.copy_(torch.from_numpy(bias))
            fresh = []
        dtype = rest.get("dtype")
        if dtype is not None:
            model = model.to(dtype)
        model.eval()
        return (model, {"missing_keys": fresh, "mismatched_keys": []}) if output_loading_info else model


def _random_network(config: KerasConfig) -> Any:
    if not config.preset:
        return build(config.application, config.image_size)
    from recipes.parts import keras_hub_models, starters

    return keras_hub_models.build(config.preset, starters.folders(), random=True)[0]


def _activation(config: Any) -> str:
    """What plain Keras answers with: probabilities, or the number itself."""
    if config.problem_type == "regression":
        return "linear"
    return "sigmoid" if config.problem_type == "multi_label_classification" else "softmax"


def register() -> None:
    """Let transformers' Auto classes find these models."""
    AutoConfig.register(KERAS_TYPE, KerasConfig, exist_ok=True)
    AutoModel.register(KerasConfig, KerasForImageClassification, exist_ok=True)
    AutoModelForImageClassification.register(KerasConfig, KerasForImageClassification, exist_ok=True)


# ---------------------------------------------------------------- the networks


def applications() -> list[str]:
    """Names of the classes in keras.applications."""
    found = vars(keras().applications)
    return sorted(name for name, value in found.items() if name[0].isupper() and callable(value))


def named(spoken: str) -> str:
    """The application of a name, upper and lower case aside.

    Raises:
        RecipeError: `model-not-found`.
    """
    known = applications()
    plain = {re.sub(r"\W|_", "", name.casefold()): name for name in known}
    wanted = re.sub(r"\W|_", "", spoken.casefold())
    if wanted in plain:
        return plain[wanted]
    near = [plain[name] for name in difflib.get_close_matches(wanted, plain, n=3, cutoff=0.5)]
    raise RecipeError(
        "model-not-found",
        f"keras.applications has no model “{spoken}”.",
        "Models are named as its classes.",
        f"Did you mean {', '.join(near or ['MobileNetV2', 'ResNet50'])}?",
    )


def build(application: str, size: int, weights: str | None = None) -> Any:
    """The network up to its pooled features, with random weights unless `weights` says otherwise."""
    make = getattr(keras().applications, application)
    return make(weights=weights, include_top=False, pooling="avg", input_shape=(size, size, 3))


def _family(application: str) -> tuple[str, str]:
    return next((module, mode) for start, module, mode in _FAMILIES if application.startswith(start))


def prepare(entry: str, places: Sequence[Path]) -> Path:
    """The folder of an application with its pretrained weights; made in the first place where it is missing.

    Raises:
        RecipeError: `model-not-found`, `weights-not-found` or `model-not-usable`.
    """
    application = named(entry)
    name = f"keras-{application}"
    file = local_file(application, places)
    made = prepared(name, MODEL, places, file)
    if made is not None:
        return made
    size = _SIZES.get(application, 224)
    network = _from_file(application, size, file) if file is not None else _fetched(application, size)
    return _made(_config_of(application), network, places[0] / name)


def prepare_preset(preset: str, places: Sequence[Path]) -> Path:
    """The folder of a KerasHub preset.

    Raises:
        RecipeError: `model-not-found`, `weights-not-found` or `model-not-usable`.
    """
    from recipes.parts import keras_hub_models

    name = f"keras-hub-{preset}"
    for place in places:
        if (place / name / MODEL).is_file():
            return place / name
    network, converter = keras_hub_models.build(preset, places)
    mean, spread = keras_hub_models.looks(converter)
    size = int((converter.image_size or (224, 224))[0])
    config = KerasConfig(preset=preset, image_size=size, pixel_mean=mean, pixel_spread=spread)
    return _made(config, network, places[0] / name)


def _config_of(application: str) -> KerasConfig:
    mode = _family(application)[1]
    mean, spread = _LOOKS[mode]
    return KerasConfig(
        application=application, image_size=_SIZES.get(application, 224), flip_colours=mode == "caffe",
        pixel_mean=mean, pixel_spread=spread,
    )  # fmt: skip


def prepare_file(file: Path, places: Sequence[Path]) -> Path:
    """The folder of a weight file that a person has; its name must begin with the application's.

    Raises:
        RecipeError: `model-not-found` or `model-not-usable`.
    """
    found = [name for name in applications() if file.name.startswith(name)]
    if not found:
        raise RecipeError(
            "model-not-found", f"The name of {file.name} does not say which application of Keras it is of.",
            "It should begin with the class's name, as MobileNetV2-mine.keras.", "Rename the file.",
        )  # fmt: skip
    application = max(found, key=len)
    network = _from_file(application, _SIZES.get(application, 224), file)
    return _made(_config_of(application), network, places[0] / f"keras-{file.stem}")


def _made(config: KerasConfig, network: Any, target: Path) -> Path:
    """Write the folder beside its place, then move it there in one step."""
    from transformers import CLIPImageProcessor

    size = config.image_size
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{target.name}-", dir=target.parent, ignore_cleanup_errors=True
    ) as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        network.save(made / MODEL)
        config.save_pretrained(made)
        CLIPImageProcessor(
            do_resize=True, size={"shortest_edge": size}, resample=2, do_center_crop=True,
            crop_size={"height": size, "width": size}, do_rescale=True, rescale_factor=1 / 255, do_normalize=True,
            image_mean=config.pixel_mean, image_std=config.pixel_spread, do_convert_rgb=True,
        ).save_pretrained(made)  # fmt: skip
        try:
            made.rename(target)
        except OSError:
            if not (target / MODEL).is_file():
                raise
    return target


def local_file(application: str, places: Sequence[Path]) -> Path | None:
    """A weight file that a person put into one of the places: `MobileNetV2.keras`, `MobileNetV2.weights.h5`, …"""
    for place in places:
        for path in sorted(place.glob(f"{application}*")):
            rest = path.name.removeprefix(application)
            if path.suffix in (".keras", ".h5") and re.fullmatch(r"[-._].*", rest):
                return path
    return None


def _from_file(application: str, size: int, file: Path) -> Any:
    """The network with the weights of a file: a whole `.keras` model or weights alone, with a last layer or without.

    Raises:
        RecipeError: `model-not-usable`, they do not belong to this application.
    """
    network = build(application, size)
    try:
        if file.suffix == ".keras":
            _copy(keras().saving.load_model(file, compile=False, safe_mode=True), network)
        else:
            try:
                network.load_weights(file)
            except (ValueError, KeyError):
                whole = getattr(keras().applications, application)(weights=None)
                whole.load_weights(file)
                _copy(whole, network)
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise RecipeError(
            "model-not-usable",
            f"{file.name} does not hold the weights of {application}: {str(error).splitlines()[0][:200]}",
            "A weight file must be of exactly this application, as Keras writes it.",
            "Choose the application that the file was made with, or another file.",
        ) from error
    return network


def _copy(source: Any, target: Any) -> None:
    """Weights of layers with the same name; every layer of the target must get its own."""
    for layer in target.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def _fetched(application: str, size: int) -> Any:
    """With the weights that Keras publishes, downloaded once into its own cache.

    Raises:
        RecipeError: `weights-not-found`.
    """
    try:
        if os.environ.get("HF_HUB_OFFLINE", "").casefold() in ("1", "true", "yes", "on"):
            raise OSError("this machine is set to work offline")
        return build(application, size, "imagenet")
    except Exception as error:  # Keras wraps what went wrong in the network into a bare Exception
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(
            "weights-not-found",
            f"The weights of {application} are not on this machine and cannot be fetched: {str(error)[:150]}.",
            "Keras downloads them once into its own cache.",
            f"Connect to the network, or put a weight file named {application}.keras into the home's folder models/.",
        ) from error
