"""PyTorch Hub's `pytorch/vision` classification models: torchvision's own architectures with torchvision's own weights.

prepare("resnet50", folders) -> a folder: config.json, preprocessor_config.json, and weights under torchvision's names

No code of a hub is run: an entry's name is an architecture of the installed torchvision, its weights come from
torchvision's table of weights (checked by the checksum in their name) or from a file that a person has, and `.pth`
files are read with `weights_only=True`. A saved model loads in plain torchvision: `places.usage` says how.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import models
from transformers import AutoConfig, AutoModel, AutoModelForImageClassification, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

from recipes.parts.errors import RecipeError
from recipes.parts.places import TORCHVISION_TYPE, prepared
from recipes.parts.starter import file_sha256

WEIGHTS = "model.safetensors"
#: Seconds in which the server of the weights must answer; the download itself may take longer.
ANSWER_SECONDS = 5.0
#: Architectures with a second head that only their training from scratch used.
_WITH_AUXILIARY = ("googlenet", "inception_v3")
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.(?:weight|bias|running_mean|running_var))$")


class TorchvisionConfig(PretrainedConfig):  # type: ignore[misc]
    """Which architecture it is, with which options; and the entry of torchvision's table that its pictures follow."""

    model_type = TORCHVISION_TYPE

    def __init__(self, architecture: str = "resnet18", weights: str = "", image_size: int = 224, **rest: Any) -> None:
        self.options = rest.pop("options", None) or _options(architecture)
        super().__init__(**rest)
        self.architecture = architecture
        self.weights = weights or str(models.get_model_weights(architecture).DEFAULT)
        self.image_size = image_size


class TorchvisionForImageClassification(PreTrainedModel):  # type: ignore[misc]
    """A torchvision network with a last linear layer for the labels of the configuration.

    Input: `pixel_values`, shape (rows, 3, height, width). On disk its weights have torchvision's own names.
    """

    config_class = TorchvisionConfig
    base_model_prefix = "network"
    main_input_name = "pixel_values"

    def __init__(self, config: TorchvisionConfig) -> None:
        super().__init__(config)
        self.network = build(config.architecture, config.num_labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Torchvision has set them."""

    def forward(self, pixel_values: torch.Tensor, **_: Any) -> ImageClassifierOutput:
        """Logits, shape (rows, labels)."""
        return ImageClassifierOutput(logits=self.network(pixel_values))

    def save_pretrained(self, save_directory: str | Path, **_: Any) -> None:
        """Weights under torchvision's names, and the configuration."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: value.detach().cpu().contiguous().clone() for name, value in self.network.state_dict().items()}
        save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
        self.config.save_pretrained(folder)

    @classmethod
    def from_pretrained(
        cls, source: str | Path, *_: Any, config: Any = None, output_loading_info: bool = False, **rest: Any
    ) -> Any:
        """Read a folder; layers of another shape than the file's (the head, for other labels) stay new."""
        config = config or cls.config_class.from_pretrained(source)
        model = cls(config)
        state, own = load_file(Path(source) / WEIGHTS), model.network.state_dict()
        fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
        model.network.load_state_dict(fitting, strict=False)
        fresh = [f"network.{name}" for name in own if name not in fitting]
        dtype = rest.get("dtype")
        if dtype is not None:
            model = model.to(dtype)
        model.eval()
        return (model, {"missing_keys": fresh, "mismatched_keys": []}) if output_loading_info else model


def register() -> None:
    """Let transformers' Auto classes find these models."""
    AutoConfig.register(TORCHVISION_TYPE, TorchvisionConfig, exist_ok=True)
    AutoModel.register(TorchvisionConfig, TorchvisionForImageClassification, exist_ok=True)
    AutoModelForImageClassification.register(TorchvisionConfig, TorchvisionForImageClassification, exist_ok=True)


def entries() -> list[str]:
    """Names of the classification architectures of the installed torchvision."""
    return sorted(models.list_models(module=models))


def build(architecture: str, outputs: int) -> nn.Module:
    """The architecture with random weights and a last linear layer of `outputs`.

    Raises:
        RecipeError: `model-not-found`, or `model-not-usable` where it does not end in a linear layer.
    """
    if architecture not in entries():
        near = difflib.get_close_matches(architecture, entries(), n=3, cutoff=0.5) or ["resnet18", "mobilenet_v2"]
        raise RecipeError(
            "model-not-found",
            f"PyTorch Hub's pytorch/vision has no classification model “{architecture}”.",
            "Entry names are written as in torchvision.",
            f"Did you mean {', '.join(near)}?",
        )
    network: nn.Module = models.get_model(architecture, weights=None, num_classes=outputs, **_options(architecture))
    _last_linear(network, architecture, outputs)
    return network


def _options(architecture: str) -> dict[str, bool]:
    """Without the second head, and with the change of colours that its pretrained weights want."""
    if architecture in _WITH_AUXILIARY:
        return {"aux_logits": False, "init_weights": False, "transform_input": True}
    return {}


def _last_linear(network: nn.Module, architecture: str, outputs: int) -> str:
    """The name of the head."""
    found = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == outputs
    ]
    if not found:
        raise RecipeError(
            "model-not-usable",
            f"{architecture} does not end in a linear layer.",
            "The last layer is exchanged for a new one, so there must be one.",
            "Choose another: resnet18, mobilenet_v2, efficientnet_b0, …",
        )
    head: str = found[-1]
    return head


# ---------------------------------------------------------------- weights


def prepare(architecture: str, places: Sequence[Path]) -> Path:
    """The folder of an architecture with its pretrained weights; made in the first place where it is missing.

    Raises:
        RecipeError: `model-not-found`, `weights-not-found` or `model-not-usable`.
    """
    name = f"torchvision-{architecture}"
    file = local_file(architecture, places) if architecture in entries() else None
    made = prepared(name, WEIGHTS, places, file)
    if made is not None:
        return made
    build(architecture, 2)  # the name is checked before anything is fetched
    weights = _enumeration(architecture, file)
    return _made(architecture, read_state(file or _fetched(architecture, weights)), weights, places[0] / name)


def prepare_file(file: Path, places: Sequence[Path]) -> Path:
    """The folder of a weight file that a person has; its name must begin with the architecture, as torchvision's do.

    Raises:
        RecipeError: `model-not-found`, `unsafe-weights` or `model-not-usable`.
    """
    architecture = next((name for name in sorted(entries(), key=len, reverse=True) if file.name.startswith(name)), None)
    if architecture is None:
        raise RecipeError(
            "model-not-found",
            f"The name of {file.name} does not say which architecture its weights are of.",
            "It should begin with torchvision's name of it, as resnet18-mine.pth.",
            "Rename the file.",
        )
    target = places[0] / f"torchvision-{file.stem}-{file_sha256(file)[:12]}"
    if (target / WEIGHTS).is_file():
        return target
    return _made(architecture, read_state(file), _enumeration(architecture, file), target)


def _made(architecture: str, state: Mapping[str, torch.Tensor], weights: Any, target: Path) -> Path:
    """Write the folder beside its place, then move it there in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{target.name}-", dir=target.parent, ignore_cleanup_errors=True
    ) as scratch:
        made = Path(scratch) / "model"
        write(architecture, state, weights, made)
        try:
            made.rename(target)
        except OSError:
            if not (target / WEIGHTS).is_file():
                raise
    return target


def write(architecture: str, state: Mapping[str, torch.Tensor], weights: Any, folder: Path) -> None:
    """A folder of an architecture with these weights, after a check of every name and shape.

    Raises:
        RecipeError: `model-not-usable`.
    """
    outputs = 1000
    network = build(architecture, outputs)
    head = f"{_last_linear(network, architecture, outputs)}.weight"
    if head in state and state[head].ndim == 2 and state[head].shape[0] != outputs:
        outputs = state[head].shape[0]
        network = build(architecture, outputs)
    state, wanted = _kept(state), network.state_dict()
    wrong = sorted(set(state) ^ set(wanted)) or [
        f"{name} has the shape {tuple(state[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if state[name].shape != wanted[name].shape
    ]
    if wrong:
        raise RecipeError(
            "model-not-usable",
            f"The weights do not belong to {architecture}: {len(wrong)} of them differ, as {wrong[0]}.",
            "A weight file must hold the weights of exactly this architecture, as torchvision names them.",
            "Choose the architecture that the file was made with, or another file.",
        )
    crop, looks = _preprocessing(weights)
    config = TorchvisionConfig(architecture=architecture, weights=str(weights), image_size=crop, num_labels=outputs)
    names = weights.meta["categories"]
    if outputs == len(names):
        config.id2label = dict(enumerate(names))
        config.label2id = {name: number for number, name in enumerate(names)}
    folder.mkdir(parents=True)
    save_file({name: value.contiguous().clone() for name, value in state.items()}, folder / WEIGHTS, {"format": "pt"})
    config.save_pretrained(folder)
    looks.save_pretrained(folder)


def _kept(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without second heads, and old DenseNet names made new."""
    return {
        _OLD_DENSENET.sub(r"\1\2", name): value
        for name, value in state.items()
        if not name.startswith(("AuxLogits.", "aux1.", "aux2."))
    }


def local_file(architecture: str, places: Sequence[Path]) -> Path | None:
    """A weight file that is on this machine: `resnet18*.pth` in one of the places, or what torchvision once fetched."""
    for place in places:
        for path in sorted(place.glob(f"{architecture}*")):
            rest = path.name.removeprefix(architecture)
            if path.suffix in (".pth", ".pt", ".safetensors") and re.fullmatch(r"([-.].*)", rest):
                return path
    cached = Path(torch.hub.get_dir()) / "checkpoints"
    for weights in models.get_model_weights(architecture):
        fetched: Path = cached / weights.url.rpartition("/")[2]
        if fetched.is_file():
            return fetched
    return None


def _enumeration(architecture: str, file: Path | None) -> Any:
    """The entry of torchvision's table that a file is of, else the one that torchvision recommends."""
    known = models.get_model_weights(architecture)
    of_file = next((one for one in known if file is not None and one.url.endswith("/" + file.name)), None)
    return of_file or known.DEFAULT


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a `.pth` or safetensors file; torch refuses anything else in a pickle.

    Raises:
        RecipeError: `unsafe-weights`.
    """
    if path.suffix == ".safetensors":
        return dict(load_file(path))
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 torch has many words for "not only weights"
        state, reason = None, str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    else:
        reason = "it holds something else"
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise RecipeError(
            "unsafe-weights",
            f"{path.name} is not a file of weights alone: {reason}.",
            "A .pth file may hold code; only files from which weights alone can be read are used.",
            "Use a file that torchvision published, or save yours again as safetensors.",
        )
    return state


def _fetched(architecture: str, weights: Any) -> Path:
    """Have torchvision's published weights downloaded once; their name carries a checksum that is compared.

    Raises:
        RecipeError: `weights-not-found`.
    """
    path: Path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    try:
        if os.environ.get("HF_HUB_OFFLINE", "").casefold() in ("1", "true", "yes", "on"):
            raise OSError("this machine is set to work offline")
        with urllib.request.urlopen(urllib.request.Request(weights.url, method="HEAD"), timeout=ANSWER_SECONDS):
            pass
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.load_state_dict_from_url(weights.url, progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError, urllib.error.URLError) as error:
        reason = str(getattr(error, "reason", error))[:150]
        raise RecipeError(
            "weights-not-found",
            f"The weights of {architecture} are not on this machine and cannot be fetched: {reason}.",
            f"They are published for torchvision as the file {path.name}.",
            f"Connect to the network, or put that file into {path.parent} or into the home's folder models/.",
        ) from error
    return path


def _preprocessing(weights: Any) -> tuple[int, Any]:
    """Pixels a side, and an image processor of transformers that does as torchvision's presets."""
    from transformers import CLIPImageProcessor

    looks = weights.transforms()
    crop, resize = int(looks.crop_size[0]), int(looks.resize_size[0])
    resample = {"bilinear": 2, "bicubic": 3, "nearest": 0}[looks.interpolation.value]
    processor = CLIPImageProcessor(
        do_resize=True, size={"shortest_edge": resize}, resample=resample, do_center_crop=True,
        crop_size={"height": crop, "width": crop}, do_rescale=True, rescale_factor=1 / 255, do_normalize=True,
        image_mean=list(looks.mean), image_std=list(looks.std), do_convert_rgb=True,
    )  # fmt: skip
    return crop, processor
