"""Pictures in the page: a zip of class folders, the report with its pictures, and one picture tried."""

from __future__ import annotations

import random
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

pytestmark = pytest.mark.browser
RUN_SECONDS = 300  # that the run may take on a busy machine
KINDS = {"red": (200, 40, 40), "green": (30, 160, 60), "blue": (40, 60, 200)}
EACH = 36


def picture(kind: str, draw: random.Random) -> bytes:
    """A white disc on a ground of one colour and some noise, as a PNG file."""
    side = 48
    noise, ground = Image.effect_noise((side, side), 60).convert("RGB"), Image.new("RGB", (side, side), KINDS[kind])
    made = Image.blend(ground, noise, 0.4)
    x, y, size = draw.randrange(4, 18), draw.randrange(4, 18), draw.randrange(18, 28)
    ImageDraw.Draw(made).ellipse((x, y, x + size, y + size), fill="white")
    file = BytesIO()
    made.save(file, "PNG")
    return file.getvalue()


def class_folders(path: Path) -> None:
    """A zip with a folder for each kind; some pictures lie in a wrong one, so that the report has mistakes to show."""
    draw, names = random.Random(1), list(KINDS)
    with zipfile.ZipFile(path, "w") as archive:
        for number, kind in enumerate(names):
            for row in range(EACH):
                shown = names[(number + 1) % 3] if row % 9 == 0 else kind
                archive.writestr(f"colours/{kind}/{row:03}.png", picture(shown, draw))


def small_network(home: Path) -> None:
    """MobileNetV3 with random weights as a file of one's own, where the assistant looks for it."""
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision.models", reason="torchvision is not installed: pip install '.[dev]'")
    torch.manual_seed(0)
    network = models.mobilenet_v3_small(weights=None)
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0  # one pass in training mode sets the averages that random weights lack
    draw = random.Random(2)
    shown = [Image.open(BytesIO(picture(kind, draw))).resize((224, 224)) for kind in KINDS for _ in range(4)]
    values = torch.stack([torch.frombuffer(bytearray(each.tobytes()), dtype=torch.uint8) for each in shown])
    with torch.no_grad():
        network.train()(values.view(-1, 224, 224, 3).permute(0, 3, 1, 2) / 127.5 - 1)
    (home / "models").mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), home / "models" / "mobilenet_v3_small-mine.pth")


def test_pictures_from_the_zip_to_one_that_is_tried(new_page: Any, server: Any, tmp_path: Path, pictures: Path) -> None:
    small_network(server.home)
    class_folders(tmp_path / "colours.zip")
    (tmp_path / "new one.png").write_bytes(picture("red", random.Random(7)))
    page = new_page().open()

    def add(path: Path) -> None:
        page.tab.set_input_files("#fa-box input[type=file]", str(path))
        page.wait("#fa-box .thumbnail-item, #fa-box .file, #fa-box [data-testid*=thumbnail]")

    add(tmp_path / "colours.zip")
    page.say("sort my pictures with mobilenet_v3_small from pytorch hub")
    page.wait(".fa-plan")
    assert "108 rows" in page.tab.inner_text(".fa-data")
    plan = page.tab.inner_text(".fa-plan")
    assert "sort pictures into classes" in plan and "pytorch/vision:mobilenet_v3_small" in plan
    page.shot(pictures / "plan.png")

    page.tab.click("[data-say=start]")
    page.wait(".fa-report", RUN_SECONDS)
    assert "pictures it never saw" in page.tab.inner_text(".fa-verdict")
    matrix = page.tab.query_selector_all('.fa-report [data-key="matrix"] img, .fa-report [data-key="matrix"] image')
    assert len(matrix) >= len(KINDS)
    page.tab.click('.fa-report [data-key="mistakes"] summary')
    gallery = page.tab.query_selector_all(".fa-gallery img")
    assert gallery and all(one.get_attribute("src").startswith("data:image/jpeg") for one in gallery)
    page.shot(pictures / "mistakes.png")

    page.tab.click('[data-say="try it"]')
    page.wait(".fa-mode")
    add(tmp_path / "new one.png")
    page.tab.press("#fa-box textarea", "Enter")
    page.wait(".fa-prediction", 120)
    assert page.tab.inner_text(".fa-answer") in KINDS
    assert page.tab.locator(".fa-prediction figure").count() == 2  # the picture, and where the model looked
    page.tab.reload()
    page.wait(".fa-prediction")
    assert page.overflow() <= 0
