"""How many tokens of a language model's training fit into memory at once, and whether to keep less for the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recipes.parts.device import Device, free_memory_bytes, peak_bytes
from recipes.parts.language_training import CPU_TOKENS, GPU_TOKENS
from recipes.parts.token_loss import PIECE
from recipes.plan import Method

USABLE = 0.75  # of the free memory: the rest is for what nobody counted
MOMENTS = 8  # bytes a trained weight of AdamW's two moments
COPIES = 8  # bytes a trained weight of the best and the first state


@dataclass(frozen=True)
class Room:
    """What fits.

    Attributes:
        tokens: in memory at once, at least one row of the longest.
        checkpointing: keep only each block's input for the way back, and compute the rest again (a quarter slower).
        peak_bytes: the forecast.
    """

    tokens: int
    checkpointing: bool
    peak_bytes: int


def activation_bytes(config: Any, method: Method, place: Device, checkpointing: bool = False) -> float:
    """Bytes that one token leaves for the way back, all blocks together.

    H the width, I the inner width, KV that of keys and values; bytes a block by what is kept, measured with
    saved_tensors_hooks for gated blocks: adapters under bfloat16 25 H + 8.2 I + 4 KV, all weights under bfloat16
    34 H + 14 I + 8 KV, all weights in float32 32 H + 16 I + 8 KV; adapters in float32 keep twice what bfloat16 ones do.
    """
    config = config.get_text_config()
    width = int(config.hidden_size)
    inner = int(getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * width)
    heads = int(config.num_attention_heads)
    keys = int(getattr(config, "num_key_value_heads", None) or heads) * int(
        getattr(config, "head_dim", None) or width // heads
    )
    depth = int(config.num_hidden_layers)
    adapters = method.name in ("lora", "qlora")
    if place.torch_device.type == "cuda":
        block = 25 * width + 8.2 * inner + 4 * keys if adapters else 34 * width + 14 * inner + 8 * keys
    else:
        block = 50 * width + 16.4 * inner + 8 * keys if adapters else 32 * width + 16 * inner + 8 * keys
    return depth * 4 * width + block if checkpointing else depth * block


def room_for(
    module: Any, method: Method, longest: int, batch_tokens: int, place: Device, rows_limit: int | None
) -> Room:
    """How to lay out a step.

    Args:
        module: with its trainable weights set.
        longest: tokens of the longest row; batch_tokens: of a whole step.
        rows_limit: set after memory ran out: at most so many rows of the longest at once.
    """
    everything = list(module.parameters())
    trained = sum(each.numel() for each in everything if each.requires_grad)
    on_gpu = place.torch_device.type == "cuda"
    wanted = min(GPU_TOKENS if on_gpu else CPU_TOKENS, batch_tokens)
    if rows_limit is not None:
        wanted = min(wanted, rows_limit * longest)
    tokens = max(longest, wanted)
    vocabulary = int(module.get_output_embeddings().weight.shape[0])
    fixed = trained * (4 + MOMENTS + COPIES) + 3 * 4 * PIECE * vocabulary
    held = sum(each.numel() * each.element_size() for each in everything) if on_gpu else peak_bytes(place)
    free = USABLE * free_memory_bytes(place)
    config = module.config
    plain = tokens * activation_bytes(config, method, place)
    while fixed + plain > free and tokens > longest:  # fewer rows first: that costs nothing
        tokens = max(longest, tokens // 2)
        plain = tokens * activation_bytes(config, method, place)
    checkpointing = fixed + plain > free
    kept = tokens * activation_bytes(config, method, place, True) if checkpointing else plain
    return Room(tokens, checkpointing, int(held + fixed + kept))
