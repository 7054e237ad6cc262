"""Pictures and recordings for the tests, made in memory."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np


def picture(number: int = 0, size: tuple[int, int] = (32, 32), mode: str = "RGB", form: str = "PNG") -> bytes:
    """A picture that no other number has."""
    from PIL import Image

    noise = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise, "RGB").convert(mode).save(stream, form)
    return stream.getvalue()


def moving_picture() -> bytes:
    from PIL import Image

    frames = [Image.new("P", (32, 32), color) for color in (1, 2, 3)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def sound(number: int = 0, seconds: float = 0.5, rate: int = 8000, loudness: float = 0.5) -> bytes:
    """A tone that no other number has."""
    time = np.arange(int(seconds * rate)) / rate
    samples = (loudness * 32767 * np.sin(2 * np.pi * (200 + 7 * number) * time)).astype("<i2")
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return stream.getvalue()


def media_parquet(cells: list[bytes], labels: list[Any], column: str = "image") -> bytes:
    """A Parquet file as the Hub's image and audio data sets are."""
    import pyarrow as arrow
    from pyarrow import parquet

    stream = io.BytesIO()
    media = arrow.array([{"bytes": data, "path": None} for data in cells])
    parquet.write_table(arrow.table({column: media, "label": arrow.array(labels)}), stream)
    return stream.getvalue()
