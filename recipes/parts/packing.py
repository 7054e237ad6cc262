"""Whether documents can be laid end to end: only where they cannot see each other, asked of the model itself.

with packing.best_attention(model, place, run) as packed: …      for the length of a training; never on a CPU, where
                                                                 batches of like length serve as well

A model that ignores the restart of the positions, or a kernel that ignores them, lets each document read the one
before it: training looks fine and the model is worse (trl#3910). Two documents together must answer as each alone.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.language_model import LanguageModel

LENGTHS = (56, 72)  # tokens of the two documents, together a multiple of 128
TOLERANCE = 0.02  # of the largest score: rounding of bfloat16; documents that see each other are apart by far more
#: Ways through attention that know where a document ends, the quickest first (one H100, 1 and 8 billion parameters:
#: flex attention 1.8 times as quick as sdpa with its mask of all pairs).
KERNELS = ("flash_attention_2", "flex_attention", "sdpa")


@contextmanager
def best_attention(model: LanguageModel, place: Device, run: RunContext) -> Iterator[bool]:
    """The quickest attention that keeps two documents apart, while entered; whether there is one (else padding)."""
    if place.torch_device.type != "cuda":
        yield False
        return
    module = model.module
    usual = module.config._attn_implementation
    chosen = run.agree(next((kernel for kernel in KERNELS if _serves(model, place, kernel)), ""))
    module.set_attn_implementation(chosen or usual)
    if not chosen:
        run.note(
            "Rows are not laid end to end: with this model's attention they would see each other. They are padded to "
            "like lengths instead, which is slower."
        )
    try:
        yield bool(chosen)
    finally:
        module.set_attn_implementation(usual)


def _serves(model: LanguageModel, place: Device, kernel: str) -> bool:
    """Whether a kernel is there, runs, and keeps documents apart."""
    if kernel == "flash_attention_2" and importlib.util.find_spec("flash_attn") is None:
        return False
    try:
        model.module.set_attn_implementation(kernel)
        return keeps_apart(model, place)
    except Exception as error:  # noqa: BLE001 a kernel that cannot be built or run is one that is not there
        sys.stderr.write(f"{kernel} is not used: {type(error).__name__}: {str(error)[:300]}\n")
        return False


def keeps_apart(model: LanguageModel, place: Device) -> bool:
    """The two-document test."""
    return apart_by(model, place) <= TOLERANCE


def apart_by(model: LanguageModel, place: Device) -> float:
    """How far the scores of two documents together are from those of each alone, relative to the largest score."""
    module = model.module
    module.eval()
    chance = torch.Generator().manual_seed(0)
    vocabulary = min(1000, int(module.get_input_embeddings().num_embeddings))
    documents = [torch.randint(1, vocabulary, (1, length), generator=chance) for length in LENGTHS]
    together = torch.cat(documents, 1).to(place.torch_device)
    positions = torch.cat([torch.arange(length) for length in LENGTHS])[None].to(place.torch_device)
    with torch.inference_mode(), place.autocast():
        packed = module(input_ids=together, position_ids=positions, use_cache=False).logits.float()
        alone = [module(input_ids=each.to(place.torch_device), use_cache=False).logits.float() for each in documents]
    expected = torch.cat(alone, 1)
    return float((packed - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
