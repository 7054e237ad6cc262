"""Tiny vision models and pictures that can be learned, made anew for each test session."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 32
COLOURS = {"blue": (40, 60, 200), "green": (40, 190, 60), "red": (200, 50, 40)}
KINDS = ("vit", "dinov2", "swin", "resnet", "convnext", "mobilenetv2", "timm")


def save_tiny_vision(folder: Path, kind: str) -> Path:
    """A random vision model of a kind with its image processor, as it would lie on the Hub."""
    import torch
    import transformers as t

    torch.manual_seed(0)
    small: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": SIDE}
    configs: dict[str, Any] = {
        "vit": lambda: t.ViTConfig(**small, intermediate_size=48, patch_size=8),
        "dinov2": lambda: t.Dinov2Config(**small, mlp_ratio=2, patch_size=8),
        "swin": lambda: t.SwinConfig(
            image_size=SIDE, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4
        ),
        "resnet": lambda: t.ResNetConfig(
            embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic", num_channels=3
        ),
        "convnext": lambda: t.ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2, image_size=SIDE),
        "mobilenetv2": lambda: t.MobileNetV2Config(depth_multiplier=0.25, image_size=SIDE, min_depth=8),
    }
    if kind == "timm":
        return _save_timm(folder)
    model = t.AutoModelForImageClassification.from_config(configs[kind]())
    model.train()  # averages as after a training: with those of a new model, what deep networks say dies away
    with torch.no_grad():
        for _ in range(30):
            model(pixel_values=2 * torch.rand(16, 3, SIDE, SIDE) - 1 + torch.randn(16, 3, 1, 1) / 2)
    model.eval()
    model.save_pretrained(folder)
    t.ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def _save_timm(folder: Path) -> Path:
    import timm

    model = timm.create_model("test_efficientnet", pretrained=False, num_classes=7)
    timm.models.save_for_hf(model, folder, safe_serialization=True)
    return folder


def make_pictures(folder: Path, count: int, problem: str, seed: int = 0) -> list[dict[str, Any]]:
    """Noisy pictures of one colour (or with patches of several); the colours are the labels, or their number is.

    Returns:
        Rows with the paths of the files, relative to the parent of `folder`.
    """
    chance, noise = random.Random(seed), np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        single = problem == "single_label_classification"
        named = chance.sample(sorted(COLOURS), 1 if single else chance.randint(0, 3))
        pixels = noise.integers(90, 160, (SIDE, SIDE, 3))
        width = SIDE // max(1, len(named))
        for place, colour in enumerate(named):
            part = pixels[:, place * width : (place + 1) * width]
            part[:] = (part + 2 * np.array(COLOURS[colour])) // 3
        path = folder / f"{number:04}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        label: Any = named[0] if single else named
        if problem == "regression":
            label = float(len(named)) * 2.5 + chance.random() * 0.1
        rows.append({"image": path.relative_to(folder.parent).as_posix(), "label": label, "number": number})
    return rows
