"""The Space: its front matter, its requirements, and that it starts exactly as a Space would start it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import gradio
import pytest

from assistant.session import DEMO

ROOT = Path(__file__).resolve().parents[3]
SPACE = ROOT / "space"
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
README = (SPACE / "README.md").read_text(encoding="utf-8")


def front_matter() -> dict[str, str]:
    block = README.split("---")[1]
    return dict(re.findall(r"^(\w+): (.+)$", block, re.MULTILINE))


def test_front_matter_is_what_a_space_takes() -> None:
    fields = front_matter()
    assert fields["sdk"] == "gradio" and (SPACE / fields["app_file"]).is_file()
    assert {fields["colorFrom"], fields["colorTo"]} <= COLOURS
    assert len(fields["short_description"]) <= 60 and fields["license"] == "apache-2.0"
    assert fields["sdk_version"] == gradio.__version__, "the page is tested with another version of gradio"


def test_requirements_ask_for_this_package_and_leave_gradio_to_the_space() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [line for line in (SPACE / "requirements.txt").read_text().splitlines() if not line.startswith(("#", "--"))]
    assert len(lines) == 1
    name, low, high = re.fullmatch(r"([\w-]+)\[starter\]>=([\d.]+),<([\d.]+)", lines[0]).groups()  # type: ignore[union-attr]
    assert name == project["name"] and "starter" in project["optional-dependencies"]
    assert version(low) <= version(project["version"]) < version(high)


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_the_readme_tells_the_limits_that_hold() -> None:
    flat = " ".join(README.split())
    assert f"{DEMO.rows:,} rows, {DEMO.minutes:g} minutes a run and {DEMO.runs} runs a visitor" in flat


@pytest.fixture
def running(tmp_path: Path) -> Iterator[str]:
    """The Space in a folder of its own, as its repository would be checked out."""
    shutil.copytree(SPACE, tmp_path / "space")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "GRADIO_SERVER_PORT": str(port),
        "FINETUNE_ASSISTANT_HOME": str(tmp_path / "home"),
        "HF_TOKEN": "hf_the_owners_secret",
    }
    server = subprocess.Popen([sys.executable, "app.py"], cwd=tmp_path / "space", env=environment)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_it_starts_as_a_space_would_start_it(running: str) -> None:
    deadline = time.time() + 120
    while True:
        try:
            page = urllib.request.urlopen(running, timeout=30).read().decode()
            break
        except OSError:
            assert time.time() < deadline, "the Space has not answered for two minutes"
            time.sleep(0.2)
    assert "Finetune Assistant" in page and "hf_the_owners_secret" not in page
    # behind the Space's proxy the host is another one
    asked = urllib.request.Request(running, headers={"Host": "someone-finetune-assistant.hf.space"})
    assert urllib.request.urlopen(asked, timeout=30).status == 200
    for private in ("/gradio_api/file=/etc/passwd", "/docs", "/openapi.json", "/download/x/model.zip"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(running + private, timeout=30)
        assert refused.value.code in (403, 404)
        refused.value.close()
