"""A model that writes, as files that plain transformers and PEFT load; and the precision that it computes in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recipes.parts import checkpoints, device
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError

ADAPTER_FILE = "adapter_config.json"
#: On which a merged model must answer as the adapter did.
TRIAL_TEXTS = ("Yes.", "The parcel arrived two days late.", "Das ist kein englischer Satz; 123 € und ein Emoji 🙂.")


def write(module: Any, bare: Any, processor: Any, dropout: dict[str, float], folder: Path) -> None:
    """Write the model (of an adapter, that alone), how it generates, and its processor, whole or not at all.

    Args:
        module: the model, or the adapters' wrapping of it; bare: the model itself.
        processor: a tokenizer or processor; dropout: the configuration's own values, where they were set to zero.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    config = bare.config
    zero = {key: getattr(config, key) for key in dropout}
    for key, value in dropout.items():  # zero only served our own training
        setattr(config, key, value)
    try:
        if module is not bare:
            # The vocabulary is never resized here; asking PEFT to check would look the base model up on the Hub.
            module.save_pretrained(partial, save_embedding_layers=False)
            config.save_pretrained(partial)
            if bare.can_generate():
                bare.generation_config.save_pretrained(partial)
        else:
            module.save_pretrained(partial)
    finally:
        for key, value in zero.items():
            setattr(config, key, value)
    processor.save_pretrained(partial)
    checkpoints.replace_folder(partial, folder)


def check_same(apart: float, allowed: float) -> None:
    """A saved model must answer as the trained one did.

    Raises:
        RecipeError: `verification-failed`, also when `apart` is not a number.
    """
    if not apart <= allowed:
        raise RecipeError(
            "verification-failed",
            f"The saved model answers differently from the one that was trained: apart by {apart:.3g}, where "
            f"{allowed:.3g} is allowed.",
            "Both must give the same answers, or the figures would not hold for the saved model.",
            "Start the run again; if it happens again, choose another base model and report it.",
        )


def settle_precision(wish: str, forward: Callable[[], Any], place: Device, run: RunContext) -> checkpoints.Memory:
    """Find the fastest safe precision; it is remembered, so that a resumed run computes alike.

    Args:
        wish: the plan's; forward: one pass over a small batch, features of shape (rows, width).
    """
    folder = run.directory / "checkpoints"
    memory: checkpoints.Memory = run.on_main(lambda: checkpoints.Memory.load(folder))
    if memory.precision and memory.device == place.name:
        place.use(memory.precision)  # type: ignore[arg-type]
        return memory
    place.use(device.choose_precision(wish, place, forward, run))
    memory.precision, memory.device = place.precision, place.name
    run.on_main(lambda: memory.save(folder))
    return memory
