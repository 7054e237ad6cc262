"""Picture files of every kind become the pixels that a plain image processor would make, or are named as broken."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from recipes.parts import decoding, picture_views
from recipes.parts.errors import RecipeError
from recipes.parts.pictures import PictureKind, find_copies, own_names, warn_of_broken
from recipes.plan import Plan

NOISE = np.random.default_rng(0).integers(0, 255, (60, 40, 3)).astype(np.uint8)
RGB = Image.fromarray(NOISE)


def stored(picture: Image.Image, form: str, **how: Any) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, form, **how)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("picture", "form"),
    [
        (RGB.convert("L"), "PNG"),
        (RGB.convert("1"), "PNG"),
        (RGB.convert("LA"), "PNG"),
        (RGB.convert("P"), "GIF"),
        (RGB.convert("CMYK"), "JPEG"),
        (RGB.convert("RGBA"), "WEBP"),
        (Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257), "PNG"),
        (Image.fromarray(NOISE[..., 0].astype(np.float32) / 255), "TIFF"),
        (Image.fromarray(NOISE[..., 0].astype(np.int32) * 257), "TIFF"),
    ],
)
def test_every_kind_of_colours(picture: Image.Image, form: str) -> None:
    """All come out as 8-bit RGB of about the same brightness."""
    found = decoding.open_picture(stored(picture, form))
    assert (found.mode, found.size) == ("RGB", (40, 60))
    assert abs(np.asarray(found).mean() - NOISE.mean()) < 8


def test_transparent_parts_become_white() -> None:
    picture = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert np.asarray(decoding.open_picture(stored(picture, "PNG"))).min() == 255


def test_a_turned_photo_stands_upright() -> None:
    """EXIF orientation 6: to be turned by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decoding.open_picture(stored(RGB, "JPEG", exif=exif)).size == (60, 40)


def test_of_an_animation_the_first_frame_is_read() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black")]
    file = stored(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.asarray(decoding.open_picture(file)).min() == 255


def test_of_a_long_strip_the_middle_is_read() -> None:
    assert decoding.open_picture(stored(Image.new("RGB", (2, 5000)), "PNG")).size == (2, 16)


@pytest.mark.parametrize("content", [b"", b"no picture", stored(RGB, "PNG").getvalue()[:2000]])
def test_what_cannot_be_read_says_so(content: bytes) -> None:
    with pytest.raises(decoding.Unreadable, match=r"damaged|truncated"):
        decoding.open_picture(io.BytesIO(content))


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The claimed size counts, before a single pixel is made."""
    file = stored(RGB, "BMP")
    monkeypatch.setattr(decoding, "MOST_PIXELS", 1000)
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("the pixels were unpacked"))
    with pytest.raises(decoding.Unreadable, match="40 by 60 pixels"):
        decoding.open_picture(file)


@pytest.mark.parametrize("kind", ["vit", "mobilenetv2-own", "timm"])
def test_pixels_are_those_of_the_models_own_processor(kind: str, tiny_vision: Callable[[str], Path]) -> None:
    """Resized, cropped, scaled and shifted as transformers does it with the same files."""
    from transformers import MobileNetV2ImageProcessor

    own = MobileNetV2ImageProcessor(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32})
    processor = own if kind == "mobilenetv2-own" else PictureKind().load_processor(str(tiny_vision(kind)))
    made = decoding.geometry(processor)
    mine = made.pixels([RGB]).transpose(0, 3, 1, 2) * made.scale[:, None, None] + made.offset[:, None, None]
    theirs = processor([RGB], return_tensors="pt")["pixel_values"].numpy()
    assert np.abs(mine - theirs).max() < 1e-5


def test_files_are_decoded_once(tiny_vision: Callable[[str], Path], tmp_path: Path, monkeypatch: Any) -> None:
    """The second time they come from the disk; another content is another key; broken ones keep their reason."""
    paths = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        RGB.rotate(10 * number).save(path)
        paths.append(str(path))
    (tmp_path / "3.png").write_bytes(b"no picture")
    made = decoding.geometry(PictureKind().load_processor(str(tiny_vision("vit"))))
    first = decoding.decode_all(paths, made, tmp_path / "cache")
    assert first.pixels.shape == (4, 32, 32, 3)
    assert [Path(path).name for path in first.broken] == ["3.png"]
    rows = np.array([3, 0])
    assert np.array_equal(first.pixels[rows], made.pixels([Image.open(paths[4]), Image.open(paths[0])]))
    monkeypatch.setattr(decoding, "open_picture", lambda *_: pytest.fail("decoded again"))
    again = decoding.decode_all(paths, made, tmp_path / "cache")
    assert np.array_equal(first.pixels[rows], again.pixels[rows]) and first.hashes == again.hashes
    monkeypatch.undo()
    RGB.rotate(5).save(paths[0])
    assert decoding.decode_all(paths, made, tmp_path / "cache").key != first.key


def test_a_new_picture_that_is_broken_is_a_sentence(tiny_vision: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"meow")
    made = decoding.geometry(PictureKind().load_processor(str(tiny_vision("vit"))))
    with pytest.raises(RecipeError, match=r"cat\.png cannot be read") as raised:
        decoding.decode_new([tmp_path / "cat.png"], made)
    assert raised.value.code == "input-unusable"


def test_pictures_that_look_the_same_are_one_family() -> None:
    """A copy saved smaller, as JPEG and a little brighter is a copy; a mirrored one and another scene are not."""
    scene, other = (
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (9, 9, 3)).astype(np.uint8)).resize((108, 108))
        for seed in (1, 2)
    )
    copy = decoding.open_picture(stored(scene.resize((70, 70)).point(lambda value: min(255, value + 10)), "JPEG"))
    named = {"scene": scene, "copy": copy, "mirrored": scene.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "other": other}
    hashes = {name: decoding.fingerprint(picture) for name, picture in named.items()}
    decoded = decoding.Decoded([], decoding.PixelFile(Path(), (0, 1, 1, 3)), hashes, {}, "")
    groups, notes = find_copies(list(named), decoded)
    assert groups[0] == groups[1] and len(set(groups.tolist())) == 3
    assert notes == [
        "1 picture looks (nearly) the same as another one; such copies were kept on one side of the split."
    ]


def test_variations_follow_from_their_seed_alone() -> None:
    """So a run that was stopped sees the same when it goes on; the world's other random numbers are left alone."""
    import torch

    pictures = torch.from_numpy(np.stack([NOISE, NOISE])).permute(0, 3, 1, 2)
    torch.manual_seed(5)
    one = picture_views.vary(pictures, [(1, 0, 7), (1, 0, 8)])
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
    assert torch.equal(one[1:], picture_views.vary(pictures[1:], [(1, 0, 8)]))
    assert not torch.equal(one[1:], picture_views.vary(pictures[1:], [(1, 1, 8)]))
    assert one.shape == pictures.shape and one.dtype == torch.uint8


def test_broken_files_have_the_names_that_the_person_gave_them(tmp_path: Path) -> None:
    (tmp_path / "000001.png").write_bytes(b"no picture")
    (tmp_path / "rows.jsonl").write_text('{"image": "000001.png", "file": "cats/my cat.png", "label": "cat"}\n')
    broken = {str(tmp_path / "000001.png"): "it is damaged"}
    decoded = decoding.Decoded([], decoding.PixelFile(Path(), (0, 1, 1, 3)), {}, broken, "")
    told: list[str] = []
    plan = Plan().changed({"data.source": "rows.jsonl"})
    warn_of_broken(decoded, 2, lambda _code, text: told.append(text), own_names(plan, tmp_path))
    assert told == ["1 of 2 pictures cannot be read and is left out: cats/my cat.png (it is damaged)."]
