"""Pictures looked at in other ways: varied for training, as simple statistics, as thumbnails for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from recipes.parts import decoding

CROP_SCALE = (0.5, 1.0)  # of the area; facts: RandomResizedCrop(0.5-1), mirroring and light RandAugment below 20k rows
OPERATIONS, MAGNITUDE = 1, 5
THUMBNAIL_SIDE = 128
CELLS, DIRECTIONS, COLOUR_SIDE = 7, 9, 8
STATISTICS_BATCH = 256


def vary(pictures: torch.Tensor, seeds: Sequence[tuple[int, int, int]]) -> torch.Tensor:
    """Each picture cropped, mirrored and altered by a light RandAugment (Cubuk 2020), as its seed alone says.

    Args:
        pictures: shape (rows, 3, height, width), uint8; seeds: (seed of the run, pass, row), one for each.
    """
    from torchvision.transforms import v2

    side = tuple(pictures.shape[-2:])
    change = v2.Compose(
        [
            v2.RandomResizedCrop(side, scale=CROP_SCALE, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandAugment(OPERATIONS, MAGNITUDE),
        ]
    )
    changed = []
    with torch.random.fork_rng(devices=[]):
        for picture, seed in zip(pictures, seeds, strict=True):
            torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1)))
            changed.append(change(picture))
    return torch.stack(changed).contiguous(memory_format=torch.channels_last)


def statistics(pixels: NDArray[np.uint8] | decoding.PixelFile, index: NDArray[np.int64]) -> NDArray[np.float32]:
    """Colours in 8 by 8 fields, and how strong edges of each direction are in 7 by 7 fields: shape (rows, 633)."""
    found = []
    for start in range(0, len(index), STATISTICS_BATCH):
        some = torch.from_numpy(np.ascontiguousarray(pixels[index[start : start + STATISTICS_BATCH]]))
        small = functional.adaptive_avg_pool2d(some.permute(0, 3, 1, 2).float() / 255, CELLS * 8)
        colours = functional.adaptive_avg_pool2d(small, COLOUR_SIDE).flatten(1)
        found.append(torch.cat([colours, _edges(small.mean(1))], dim=1).numpy())
    return np.concatenate(found).astype(np.float32)


def _edges(grey: torch.Tensor) -> torch.Tensor:
    """Histograms of gradients: (rows, side, side) -> (rows, directions * cells * cells), each cell of length one."""
    across = functional.pad(grey[:, :, 2:] - grey[:, :, :-2], (1, 1))
    down = functional.pad(grey[:, 2:, :] - grey[:, :-2, :], (0, 0, 1, 1))
    strength = torch.hypot(across, down)
    angle = torch.remainder(torch.atan2(down, across), torch.pi)
    bins = (angle / torch.pi * DIRECTIONS).long().clamp(max=DIRECTIONS - 1)
    each = torch.zeros(len(grey), DIRECTIONS, *grey.shape[1:]).scatter_(1, bins[:, None], strength[:, None])
    cells = functional.adaptive_avg_pool2d(each, CELLS)
    return functional.normalize(cells, dim=1, eps=1e-3).flatten(1)


def thumbnail(source: Any, folder: Path, name: str) -> str | None:
    """A small JPEG of a picture in the folder; returns its path from the folder's parent, None if it cannot be read."""
    try:
        picture = decoding.open_picture(source, THUMBNAIL_SIDE)
    except decoding.Unreadable:
        return None
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    folder.mkdir(exist_ok=True)
    picture.save(folder / f"{name}.jpg", quality=80)
    return f"{folder.name}/{name}.jpg"
