"""Where a model looked: which parts of a picture spoke for its answer, drawn over the picture.

Grad-CAM (Selvaraju 2017): the last maps (or tokens) of the body, weighted by how much each raises the answer's logit.
It shows where the evidence lay, not why it counted.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from recipes.parts.methods import Classifier, find_blocks

STRENGTH = 0.55  # of the colour where the evidence is strongest
QUALITY = 85


def heat(classifier: Classifier, pixel_values: torch.Tensor, answer: int) -> NDArray[np.float32] | None:
    """How much each part of a picture speaks for an answer, shape (height, width) of the body's maps, 0 to 1.

    Args:
        pixel_values: shape (1, 3, height, width); answer: the index of a class.

    Returns:
        None where the body has no maps or tokens to look at, or nothing speaks for the answer.
    """
    module = classifier.module
    seen: list[torch.Tensor] = []
    hooks = _listen(module, seen)
    try:
        with torch.enable_grad():
            logits = module(pixel_values=pixel_values.clone().requires_grad_(True))["logits"]
            maps = next((each for each in reversed(seen) if _grid(each) is not None), None)
            if maps is None:
                return None
            (slope,) = torch.autograd.grad(logits[0, answer], maps, allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    if slope is None:
        return None
    values, slopes = _grid(maps), _grid(slope)
    if values is None or slopes is None:
        return None
    found = torch.relu((values * slopes.mean(dim=(1, 2), keepdim=True)).sum(0)).detach().float().cpu().numpy()
    most = float(found.max())
    return np.asarray(found / most, dtype=np.float32) if np.isfinite(most) and most > 0 else None


def _listen(module: Any, seen: list[torch.Tensor]) -> list[Any]:
    """Keep what may be looked at, in the order of the pass: what comes into the last block, and every map.

    The last block of a transformer hands only its first token on, so its own output would say nothing of the others.
    """

    def keep(_module: Any, _given: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output.requires_grad:
            seen.append(output)

    def keep_given(_module: Any, given: Any, named: dict[str, Any]) -> None:
        first = next((each for each in (*given, *named.values()) if isinstance(each, torch.Tensor)), None)
        if first is not None and first.requires_grad:
            seen.append(first)

    blocks = find_blocks(module)
    maps = (nn.Conv2d, _BatchNorm)  # of other layers it is not known on which axis the channels lie
    hooks = [each.register_forward_hook(keep) for each in module.modules() if isinstance(each, maps)]
    if blocks is not None:
        hooks.append(blocks[1][-1].register_forward_pre_hook(keep_given, with_kwargs=True))
    return hooks


def _grid(maps: torch.Tensor) -> torch.Tensor | None:
    """Maps as (channels, height, width): (1, channels, h, w), or tokens (1, prefix + side * side, channels)."""
    if maps.ndim == 4:
        one = maps[0]
        return one if min(one.shape[1:]) > 1 else None
    if maps.ndim != 3:
        return None
    side = int(maps.shape[1] ** 0.5)
    if side < 2:
        return None
    tokens = maps[0, maps.shape[1] - side * side :]
    return tokens.T.reshape(-1, side, side)


def drawn(pixels: NDArray[np.uint8], strength: NDArray[np.float32]) -> str:
    """The picture with its evidence in red, as a data: address.

    Args:
        pixels: shape (height, width, 3); strength: shape (h, w), 0 to 1.
    """
    height, width = pixels.shape[:2]
    small = Image.fromarray((strength * 255).astype(np.uint8))
    wide = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)[..., None] / 255
    grey = pixels.mean(axis=2, keepdims=True).repeat(3, axis=2)
    mixed = grey * (1 - STRENGTH * wide) + np.array([255, 40, 20]) * (STRENGTH * wide)
    file = io.BytesIO()
    Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
