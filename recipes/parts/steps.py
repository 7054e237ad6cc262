"""How a training that learns from tokens lays out its steps: rows of like length together, and what decays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import steady
from recipes.parts.device import Device
from recipes.parts.steady import Schedule, Settings


def like_lengths(lengths: NDArray[np.int64], tokens: int) -> list[NDArray[np.int64]]:
    """Places in batches of like length, the longest first."""
    order = np.argsort(-lengths, kind="stable")
    result, start = [], 0
    while start < len(order):
        size = max(1, tokens // max(1, int(lengths[order[start]])))
        result.append(order[start : start + size])
        start += size
    return result


def optimizer_for(module: Any, settings: Settings, schedule: Schedule, place: Device) -> Any:
    """AdamW; biases and norms do not decay."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [each for each in trained if each.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [each for each in trained if each.ndim < 2], "weight_decay": 0.0},
    ]
    return steady.optimizer(groups, settings.learning_rate, schedule, place)
