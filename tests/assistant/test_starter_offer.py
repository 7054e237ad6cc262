"""Starter models from the command to the page: listed, got, offered where a plan lacks one, shown while it comes."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from assistant import cli
from assistant.errors import PlainError
from assistant.jobs import rundir, starters
from assistant.jobs.home import HOME_VARIABLE, Home
from assistant.session import Session
from assistant.ui.pages import Pages


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a model hub nor a source of packages."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(tmp_path / "home")
    yield session
    session.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A zip with a folder of pictures for each of two classes."""
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(40):
            picture = io.BytesIO()
            Image.new("RGB", (40, 40), (number * 6, 200 - number * 5, (number % 2) * 200)).save(picture, "PNG")
            archive.writestr(f"{('cat', 'dog')[number % 2]}/{number}.png", picture.getvalue())
    return path


def arrived(home: Home, name: str) -> Path:
    """As if a starter had been prepared."""
    folder = home.models / name
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_the_command_lists_the_starters() -> None:
    shown = CliRunner().invoke(cli.app, ["starter", "--json"])
    assert shown.exit_code == 0
    rows = {row["name"]: row for row in json.loads(shown.stdout)}
    assert {"minilm", "efficientnet-lite0", "mobilenetv2", "whisper-tiny-en", "smollm2"} == set(rows)
    assert rows["mobilenetv2"]["installed"] is False and rows["smollm2"]["licence"] == "apache-2.0"
    table = CliRunner().invoke(cli.app, ["starter"]).stdout
    assert "71 MB" in table and "finetune-assistant starter NAME" in table


def test_an_unknown_starter_is_wrong_usage_and_one_that_is_here_is_no_work(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli.app, ["starter", "bert"]).exit_code == 2
    arrived(Home(tmp_path / "home"), "mobilenetv2")
    shown = CliRunner().invoke(cli.app, ["starter", "mobilenetv2"])
    assert shown.exit_code == 0 and "MobileNetV2 is here" in shown.stdout


def test_without_a_network_the_command_says_so(tmp_path: Path) -> None:
    failed = CliRunner().invoke(cli.app, ["starter", "mobilenetv2"])
    assert isinstance(failed.exception, PlainError)
    assert failed.exception.code == "starter-not-downloaded"
    assert [path.name for path in (tmp_path / "home" / "models").iterdir()] == ["log.txt"]


def test_a_plan_without_its_starter_offers_it_and_goes_on(
    session: Session, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = session.say(None, "tell cats from dogs with mobilenet", [photos])
    assert answer.plan is not None and answer.plan.base_model == "pytorch/vision:mobilenet_v2"
    first = answer.replies[-1].options[0]
    assert (first.label, first.say) == ("Download MobileNetV2 (13 MB)", "download the starter model")
    assert session.say(answer.conversation, "start").started == []
    failed = session.say(answer.conversation, "yes")
    assert "could not be downloaded" in failed.replies[-1].text and failed.replies[-1].options[0].label == "Try again"
    monkeypatch.setattr(starters, "get", lambda home, name: arrived(home, name))
    here = session.say(answer.conversation, failed.replies[-1].options[0].say)
    assert any("MobileNetV2 is ready" in reply.text for reply in here.replies)
    assert "start" in [option.say for option in here.replies[-1].options]
    assert session.state(answer.conversation).starter is None


def test_a_dry_run_downloads_nothing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starters, "get", lambda *_: pytest.fail("downloaded in a dry run"))
    answer = session.say(None, "download mobilenetv2", dry_run=True)
    assert answer.intent.name == "get_starter"


def test_the_page_shows_how_far_a_download_is(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    pages, seen = Pages(session), []

    def get(home: Home, name: str) -> Path:
        home.models.mkdir()
        for done in (1_000_000, 9_000_000):
            rundir.write_json(
                home.models / f"{name}.progress", {"text": "Downloading", "done": done, "total": 13_000_000}
            )
            seen.append(pages.look(conversation))
        (home.models / f"{name}.progress").unlink()
        return arrived(home, name)

    monkeypatch.setattr(starters, "get", get)
    conversation = session.open(None)
    session.say(conversation, "download mobilenetv2")
    assert ["1 of 13 MB" in seen[0].blocks[-1].html, "9 of 13 MB" in seen[1].blocks[-1].html] == [True, True]
    assert seen[0].signature != seen[1].signature
    over = pages.look(conversation)
    assert over.download is None and "is ready" in over.blocks[-1].html
