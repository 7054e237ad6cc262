"""Whether documents that are laid end to end cannot see each other: asked of the model itself, at the start of a run.

is_safe(model, place, run)      False on a CPU, where batches of like length serve as well

A model that ignores the restart of the positions, or a kernel that ignores them, lets each document read the one
before it: training looks fine and the model is worse (trl#3910). Two documents together must answer as each alone.
"""

from __future__ import annotations

import torch

from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.language_model import LanguageModel

LENGTHS = (24, 40)  # tokens of the two documents
TOLERANCE = 0.02  # of the largest score: rounding of bfloat16; documents that see each other are apart by far more


def is_safe(model: LanguageModel, place: Device, run: RunContext) -> bool:
    """Whether to pack: on a GPU whose attention keeps two documents apart."""
    if place.is_cpu:
        return False
    safe = run.agree(keeps_apart(model, place))
    if not safe:
        run.note(
            "Rows are not laid end to end: with this model's attention they would see each other. They are padded to "
            "like lengths instead, which is slower."
        )
    return safe


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
