"""Picture files to pixels: any common format, safely, as a model's image processor wants them; decoded once and kept.

found = decode_all(paths, processor, cache, check)     found.pixels[rows]: (rows, height, width, 3), uint8, from disk

What a file claims is checked before its pixels are unpacked; a file that cannot be read is named and left out.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL import __version__ as pillow_version

from recipes.parts.device import available_cores, versions
from recipes.parts.errors import RecipeError
from recipes.parts.starter import file_sha256

MOST_PIXELS = 100_000_000  # of one picture: more is no photo, or a bomb
LONGEST_RATIO = 8  # of the sides; of a longer strip the middle is read
DRAFT_FACTOR = 4  # JPEG files so many times as large as needed are unpacked at a smaller size
CHUNK = 16  # pictures that a thread prepares together
CACHE_BYTES = 6 << 30
HASH_SIDE = 12
PIXELS = "pixels.bin"
Pixels = NDArray[np.uint8]
BACKGROUND = (255, 255, 255)  # behind transparent pictures


class Unreadable(ValueError):
    """A picture that cannot be used, with the reason in a few words."""


@dataclass(frozen=True)
class Geometry:
    """How an image processor turns the bytes 0 to 255 into what a model reads: `pixel * scale + offset`, by channel.

    Attributes:
        height, width: of the prepared picture.
        scale, offset: shape (3,), float32.
        stops_early: whether the processor can leave out what comes after the cropping (five times as fast).
    """

    processor: Any
    height: int
    width: int
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    stops_early: bool = False

    def pixels(self, pictures: Sequence[Any]) -> Pixels:
        """Resized and cropped pictures, shape (pictures, height, width, 3): what the processor does, before scaling."""
        if self.stops_early:
            raw: Pixels = _process(self.processor, pictures, **EARLY).permute(0, 2, 3, 1).contiguous().numpy()
            return raw
        values = _process(self.processor, pictures).float().permute(0, 2, 3, 1).contiguous().numpy()
        values = (values - self.offset) / self.scale
        found: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        return found


@dataclass(frozen=True)
class PixelFile:
    """Prepared pictures on disk, read when they are asked for: a map of the file would count as memory of the run.

    Attributes:
        path: their bytes, one picture after the other. shape: (pictures, height, width, 3).
    """

    path: Path
    shape: tuple[int, int, int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.int64]) -> Pixels:
        """The pictures of some rows, shape (rows, height, width, 3)."""
        found: Pixels = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        size = math.prod(self.shape[1:])
        with self.path.open("rb", buffering=0) as file:
            for place, row in zip(found, rows, strict=True):
                file.seek(int(row) * size)
                file.readinto(place.data)
        return found


@dataclass(frozen=True)
class Decoded:
    """Many pictures, prepared.

    Attributes:
        paths: of the pictures that could be read; pixels: of these, in the same order.
        hashes: path -> the picture in 432 bytes, by which near copies are found.
        broken: path -> why it cannot be read.
        key: what the pixels depend on.
    """

    paths: list[str]
    pixels: PixelFile
    hashes: dict[str, bytes]
    broken: dict[str, str]
    key: str


EARLY = {"do_rescale": False, "do_normalize": False}


def _process(processor: Any, pictures: Sequence[Any], **how: Any) -> Any:
    return processor(list(pictures), return_tensors="pt", **how)["pixel_values"]


def geometry(processor: Any) -> Geometry:
    """Read off an image processor what it does to a black and to a white picture; both stay one colour."""
    side = 64
    black, white = (Image.new("RGB", (side, side), colour) for colour in ((0, 0, 0), (255, 255, 255)))
    low, high = _process(processor, [black, white]).float().numpy()
    height, width = low.shape[-2:]
    offset = low[:, height // 2, width // 2]
    scale = (high[:, height // 2, width // 2] - offset) / 255.0
    made = Geometry(processor, height, width, scale.astype(np.float32), offset.astype(np.float32))
    return replace(made, stops_early=_stops_early(made))


def _stops_early(made: Geometry) -> bool:
    """Whether the short way gives the same bytes as the whole one, on a picture of noise."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8))
    try:
        short = _process(made.processor, [noise], **EARLY)
    except (TypeError, ValueError, KeyError):
        return False
    values: Any = short.permute(0, 2, 3, 1).numpy()
    return values.dtype == np.uint8 and bool((values == made.pixels([noise])).all())


def open_picture(source: Any, smallest: int = 0) -> Image.Image:
    """A picture file as RGB, upright.

    Args:
        source: a path or an open file.
        smallest: pixels that the shorter side needs at least; larger JPEG files are unpacked faster.

    Raises:
        Unreadable: it is damaged, no picture, or too large.
    """
    try:
        with Image.open(source) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise Unreadable(f"it has {width:,} by {height:,} pixels; at most {MOST_PIXELS:,} are read")
            if smallest and min(width, height) > DRAFT_FACTOR * smallest:
                picture.draft("RGB", (2 * smallest, 2 * smallest))
            return _middle(_upright_rgb(picture))
    except Unreadable:
        raise
    except Image.DecompressionBombError:
        raise Unreadable(f"it has more than {MOST_PIXELS:,} pixels") from None
    except Exception as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unreadable("it is damaged or no picture" if "identify" in first_line else first_line[:120]) from error


def _upright_rgb(picture: Image.Image) -> Image.Image:
    """The first frame, turned as its EXIF data say, in 8-bit RGB; transparent parts become white."""
    picture = ImageOps.exif_transpose(picture) or picture
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = _eight_bits(picture)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, (*BACKGROUND, 255))
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit, 32-bit and floating-point greys: the full range of the type, or of the picture where it is unknown."""
    values = np.asarray(picture).astype(np.float64)
    values = np.nan_to_num(values)
    if picture.mode.startswith("I;16") or (picture.mode == "I" and values.min() >= 0 and values.max() <= 65535):
        low, high = 0.0, 65535.0 if values.max() > 255 else 255.0
    else:
        low, high = float(values.min()), float(values.max())
    scaled = (values - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8), mode=None)


def _middle(picture: Image.Image) -> Image.Image:
    """Of a long strip the middle: resized by its short side, the whole would fill the memory."""
    width, height = picture.size
    most = LONGEST_RATIO * min(width, height)
    if max(width, height) <= most:
        return picture
    left, top = max(0, (width - most) // 2), max(0, (height - most) // 2)
    return picture.crop((left, top, left + min(width, most), top + min(height, most)))


def fingerprint(picture: Image.Image) -> bytes:
    """The picture in 12 by 12 colours: so small, a copy that was scaled or saved anew looks as the original does."""
    return picture.resize((HASH_SIDE, HASH_SIDE), Image.Resampling.BOX).tobytes()


def decode_new(pictures: Sequence[Any], made: Geometry) -> Pixels:
    """Pixels of a few new pictures (paths, or open ones), shape (pictures, height, width, 3).

    Raises:
        RecipeError: `input-unusable`.
    """
    opened = []
    for each in pictures:
        try:
            opened.append(each if isinstance(each, Image.Image) else open_picture(each, made.height))
        except Unreadable as error:
            raise RecipeError(
                "input-unusable",
                f"The picture {Path(str(each)).name} cannot be read: {error}.",
                "A picture is a PNG, JPEG, GIF, BMP, WebP or TIFF file.",
                "Save it again as PNG or JPEG.",
            ) from error
    if not opened:
        return np.zeros((0, made.height, made.width, 3), dtype=np.uint8)
    return made.pixels(opened)


def decode_all(paths: Sequence[str], made: Geometry, cache: Path, check: Callable[[], None] = lambda: None) -> Decoded:
    """Decode files once, in several threads, into a file of pixels; the next run with the same files finds it there.

    Args:
        paths: absolute; each is read once however often it is named.
        cache: the folder of all such files.
        check: called now and then; may raise to stop.

    Raises:
        RecipeError: `disk-full`.
    """
    unique = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(max(2, available_cores())) as threads, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of damaged metadata and large pictures: both are dealt with here
        digests = list(threads.map(_digest, unique))
        key = _key(made, digests)
        folder = cache / key
        if not (folder / "about.json").is_file():
            _decode_into(folder, unique, made, threads, check)
    return _load(folder, unique, made, key)


def _digest(path: str) -> str:
    try:
        return file_sha256(Path(path))
    except OSError:
        return "missing"


def _key(made: Geometry, digests: list[str]) -> str:
    try:
        processor = made.processor.to_json_string()
    except (AttributeError, TypeError):
        processor = repr(made.processor)
    about = versions()
    facts = [processor, made.height, made.width, made.scale.tolist(), made.offset.tolist(), pillow_version]
    facts += [about.get("transformers"), about.get("torch"), LONGEST_RATIO, DRAFT_FACTOR, PIXELS]
    return hashlib.sha256(json.dumps([facts, digests], default=str).encode()).hexdigest()[:32]


def _decode_into(
    folder: Path, paths: list[str], made: Geometry, threads: ThreadPoolExecutor, check: Callable[[], None]
) -> None:
    size = len(paths) * made.height * made.width * 3
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    if size > 0.9 * free:
        raise RecipeError(
            "disk-full",
            f"The {len(paths):,} pictures take {size / 2**30:.1f} GB once they are prepared; {free / 2**30:.1f} GB are "
            "free on the disk.",
            "Pictures are prepared once and kept on the disk while the run works.",
            "Free some space, or use fewer pictures.",
        )
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        chunks = [range(start, min(start + CHUNK, len(paths))) for start in range(0, len(paths), CHUNK)]
        marks: list[str] = []
        with (partial / PIXELS).open("wb") as pixels:
            for values, told in threads.map(lambda rows: _chunk([paths[row] for row in rows], made), chunks):
                check()
                marks += told
                pixels.write(values.data)
        (partial / "about.json").write_text(json.dumps(marks), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _trim(folder)


def _chunk(paths: list[str], made: Geometry) -> tuple[Pixels, list[str]]:
    """Pixels of the pictures that can be read, and for each path its fingerprint, or “!” and a reason."""
    opened, marks = [], []
    for path in paths:
        try:
            picture = open_picture(path, made.height)
        except Unreadable as error:
            marks.append(f"!{error}")
            continue
        marks.append(fingerprint(picture).hex())
        opened.append(picture)
    return decode_new(opened, made), marks


def _load(folder: Path, paths: list[str], made: Geometry, key: str) -> Decoded:
    marks = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    os.utime(folder)
    good = [row for row, mark in enumerate(marks) if not mark.startswith("!")]
    return Decoded(
        paths=[paths[row] for row in good],
        pixels=PixelFile(folder / PIXELS, (len(good), made.height, made.width, 3)),
        hashes={paths[row]: bytes.fromhex(marks[row]) for row in good},
        broken={path: mark[1:] for path, mark in zip(paths, marks, strict=True) if mark.startswith("!")},
        key=key,
    )


def _trim(kept: Path) -> None:
    """Drop what was used longest ago, beyond the cap; never what was just made."""
    entries = sorted(
        (entry for entry in kept.parent.iterdir() if entry.is_dir()), key=lambda each: each.stat().st_mtime
    )
    sizes = {entry: sum(file.stat().st_size for file in entry.iterdir()) for entry in entries}
    total = sum(sizes.values())
    for entry in entries:
        if total <= CACHE_BYTES:
            break
        if entry != kept:
            shutil.rmtree(entry, ignore_errors=True)
            total -= sizes[entry]
