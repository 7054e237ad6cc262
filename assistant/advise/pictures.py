"""What networks that look at pictures need of memory and time, where the sums for transformers do not hold. Pure.

A convolutional network's memory follows from the size of its maps, not from its weights: the table was counted with
autograd over torchvision's and timm's networks, one picture of 224 pixels (more where the network wants more).
"""

from __future__ import annotations

from assistant.advise.catalog import Model

#: A part of the id -> bytes that one picture leaves for the way back; the first that fits counts.
_KEPT = (
    ("mobilenet_v3_small", 17e6), ("mobilenetv3_small", 17e6), ("mobilenetv3small", 17e6), ("mobilenet_v3", 45e6),
    ("mobilenetv3", 45e6), ("mobilenet", 79e6), ("efficientnet_lite", 80e6), ("efficientnet_b3", 314e6),
    ("efficientnet_v2", 250e6), ("efficientnet", 95e6), ("resnet18", 23e6), ("resnet-18", 23e6), ("resnet34", 34e6),
    ("resnet-34", 34e6), ("resnet50", 87e6), ("resnet-50", 87e6), ("resnet101", 128e6), ("resnet-101", 128e6),
    ("resnet152", 180e6), ("resnet-152", 180e6), ("resnext", 120e6), ("convnext_base", 233e6), ("convnext", 110e6),
    ("densenet", 131e6), ("vgg", 74e6), ("alexnet", 5e6), ("squeezenet", 21e6), ("shufflenet", 21e6),
    ("mnasnet", 45e6), ("regnet", 34e6), ("swin", 108e6),
)  # fmt: skip
_USUAL = 85e6
#: Bytes of one picture while a frozen network reads it, as a share of what it would keep, and at least (measured with
#: EfficientNet-Lite0 and ResNet-18, 32 pictures at once: 0.62 and 0.4 GB).
_READING_SHARE, _LEAST_READING = 0.25, 12e6
ROWS_AT_ONCE = 32  # pictures that a frozen network reads at once
PYTHON_BYTES = 1.3e9  # Python with torch, torchvision, timm and transformers (measured: 1.32 GB)
TRAINING = 5.0  # passes forward that one picture costs in training; varying it included (measured: 5 to 5.5)
HEAD_SECONDS = 0.25e-6  # a row, feature and class (measured: 8 s for 2,500 rows, 1,280 features, 10 classes)
MOST_PARAMETERS, MOST_ROWS = 6e6, 4000  # of what a processor trains whole in some ten minutes, in three passes
STAGES = 7  # of a network whose layers are not listed: what `last_layers` counts in timm's


def is_transformer(model: Model) -> bool:
    """Whether a vision model is a transformer; convolutional networks bear a higher learning rate."""
    name = model.id.lower()
    return any(word in name for word in ("vit", "dino", "deit", "swin", "beit", "siglip", "clip"))


def trains_in_minutes(model: Model, rows: int) -> bool:
    """Whether two cores train the whole network on so many pictures in some ten minutes (measured: 18 a second)."""
    return model.parameters <= MOST_PARAMETERS and rows <= MOST_ROWS


def kept_bytes(model: Model, trained: float) -> float:
    """What one picture leaves for the way back when this share of the network is trained: the upper maps are small."""
    name = model.id.lower()
    whole = next((kept for part, kept in _KEPT if part in name), _USUAL)
    return float(whole * trained * trained)


def reading_bytes(model: Model) -> float:
    """What one picture takes while the frozen network reads it."""
    return max(_LEAST_READING, _READING_SHARE * kept_bytes(model, 1.0))
