"""The finished model as files that plain transformers and PEFT load, and back again.

Four forms, said in `result.model_format`:
transformers        AutoModelForSequenceClassification.from_pretrained("model")
transformers+head   AutoModel.from_pretrained("model"), mean over the tokens, and one linear layer from
                    model/classification_head.safetensors (weight, bias)
peft, peft+head     an adapter for the base model; with the head file where the mean over the tokens is read
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from recipes.parts import checkpoints, places
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, no_model
from recipes.parts.linear_head import predict
from recipes.parts.methods import HEAD_FILE, Classifier, MeanPooledClassifier
from recipes.parts.modality import Modality
from recipes.parts.starter import check_reachable, resolve

ADAPTER_FILE = "adapter_config.json"


def model_format(classifier: Classifier) -> str:
    """The form that `save` will give a classifier."""
    kind = "peft" if classifier.adapter else "transformers"
    return kind if classifier.pooling == "model" else f"{kind}+head"


def save(classifier: Classifier, folder: Path, max_length: int) -> None:
    """Write the model, what prepares its inputs, and its labels, whole or not at all.

    Args:
        folder: replaced when it exists.
        max_length: of the run's inputs, as tokens read of each text.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    target = classifier.module if classifier.pooling == "model" else classifier.module.body
    config = target.config
    dropout_free = {key: getattr(config, key) for key in classifier.dropout}
    for key, value in classifier.dropout.items():  # zero only served our own training
        setattr(config, key, value)
    try:
        if classifier.adapter:
            # The vocabulary is never resized here; asking PEFT to check would look the base model up on the Hub.
            target.save_pretrained(partial, save_embedding_layers=False)
            config.save_pretrained(partial)
        else:
            target.save_pretrained(partial)
    finally:
        for key, value in dropout_free.items():
            setattr(config, key, value)
    if classifier.pooling == "mean":
        head = {"weight": classifier.head.weight, "bias": classifier.head.bias}
        save_file({name: value.detach().cpu().contiguous() for name, value in head.items()}, partial / HEAD_FILE)
    classifier.kind.save_processor(classifier.processor, partial, max_length)
    checkpoints.replace_folder(partial, folder)


def load(folder: Path, kind: Modality, device: Device | None = None) -> Classifier:
    """Load what `save` wrote, in evaluation mode.

    Args:
        kind: what it classifies.

    Raises:
        RecipeError: `no-model`; or the adapter's base model cannot be had.
    """
    if not (folder / "config.json").is_file():
        raise no_model(folder)
    places.know(folder)
    processor = kind.load_processor(str(folder))
    is_adapter, has_head = (folder / ADAPTER_FILE).is_file(), (folder / HEAD_FILE).is_file()
    auto = kind.auto_model(with_head=not has_head)
    module, name = _load_adapter(folder, auto) if is_adapter else (_load_plain(folder, auto), str(folder))
    if has_head:
        weights = load_file(folder / HEAD_FILE)
        whole = MeanPooledClassifier(module, weights["weight"].shape[1], weights["weight"].shape[0])
        whole.classifier.load_state_dict(weights)
        module = whole
    module.eval()
    if device is not None:
        module.to(device.torch_device)
    return Classifier(module, "mean" if has_head else "model", processor, name, kind, adapter=is_adapter)


def _load_plain(folder: Path, auto: Any) -> Any:
    return auto.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False)


def _load_adapter(folder: Path, auto: Any) -> tuple[Any, str]:
    from peft import PeftConfig, PeftModel
    from transformers import AutoConfig

    name = PeftConfig.from_pretrained(folder).base_model_name_or_path
    source = resolve(name, folder.parent)
    check_reachable(source)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    base = auto.from_pretrained(
        source,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        ignore_mismatched_sizes=True,
    )
    return PeftModel.from_pretrained(base, folder), name


def labels_of(classifier: Classifier) -> list[str]:
    """The classes in order; empty for regression."""
    config = classifier.module.config
    if config.problem_type == "regression":
        return []
    return [config.id2label[number] for number in range(len(config.id2label))]


def verify(
    folder: Path,
    kind: Modality,
    logits: Callable[[Classifier], NDArray[Any]],
    expected: NDArray[Any],
    device: Device,
    problem: str,
) -> None:
    """Load the saved model and compare its answers with those that the run counted on.

    Args:
        logits: a loaded model -> its logits for a few inputs; expected: those in the run, shape (n, outputs).

    Raises:
        RecipeError: `verification-failed`.
    """
    classifier = load(folder, kind, device)
    found = logits(classifier)
    # Half-precision bodies differ a little with the batch that a text is in; float32 ones hardly do.
    tolerance = (2e-3 if device.precision == "float32" else 5e-2) * max(1.0, float(np.abs(expected).max()))
    apart = float(np.abs(found - expected).max())
    same = _same_answers(found, expected, problem, tolerance)
    if not np.isfinite(apart) or apart > tolerance or not same:
        raise RecipeError(
            "verification-failed",
            f"The saved model answers differently from the one that was trained: apart by {apart:.3g}, where "
            f"{tolerance:.3g} is allowed.",
            "Both must give the same answers, or the figures would not hold for the saved model.",
            "Start the run again; if it happens again, choose another base model and report it.",
        )


def _same_answers(found: NDArray[Any], expected: NDArray[Any], problem: str, tolerance: float) -> bool:
    """Same answers, but for rows whose best two answers are as close as the tolerance."""
    if problem == "regression":
        return True
    mine, theirs = predict(found, problem).prediction, predict(expected, problem).prediction
    if problem == "multi_label_classification":
        return bool(((mine == theirs) | (np.abs(expected) <= tolerance)).all())
    ordered = np.sort(expected, axis=1)
    close = ordered[:, -1] - ordered[:, -2] <= 2 * tolerance
    return bool(((mine == theirs) | close).all())
