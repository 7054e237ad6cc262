"""The real command with a home of its own, and Chromium to look at it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


class Server:
    """`finetune-assistant` on a free port; it can be killed and started again on the same home and port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = home.with_suffix(".log")

    def start(self) -> None:
        """Start it and wait for the first page."""
        command = [sys.executable, "-m", "assistant", "--port", str(self.port), "--home", str(self.home)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.time() + 90
        while time.time() < deadline:
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.1)
        raise AssertionError(f"no page after 90 s: {self.log.read_text()}")

    def kill(self) -> None:
        """End it without a word, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server a module; its runs are stopped in the end."""
    made = Server(tmp_path_factory.mktemp("server") / "home")
    made.start()
    yield made
    made.kill()
    for run in (made.home / "runs").iterdir():
        (run / "stop").touch()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser; the tests are skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}; name one in the variable CHROMIUM")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--headless"])
        yield browser
        browser.close()


class Page:
    """A page of the chat with what went wrong on it."""

    def __init__(self, context: Any, server: Server) -> None:
        self.server = server
        self.errors: list[str] = []
        self.tab = context.new_page()
        self.tab.set_default_timeout(60_000)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", self._console)

    def _console(self, message: Any) -> None:
        # A server that was killed on purpose is reported by the browser itself
        if message.type == "error" and not re.search(r"ERR_CONNECTION|Failed to fetch|net::ERR", message.text):
            self.errors.append(message.text)

    def open(self, chat: str = "") -> Page:
        """Open the chat; wait until something is drawn."""
        self.tab.goto(self.server.url + (f"/?chat={chat}" if chat else "/"))
        self.tab.wait_for_selector(".fa-welcome, .fa-said, .fa-text, .fa-card")
        return self

    def say(self, text: str) -> None:
        """Type and send."""
        self.tab.fill("#fa-box textarea", text)
        self.tab.press("#fa-box textarea", "Enter")

    def wait(self, selector: str, seconds: float = 60) -> Any:
        """Wait for an element."""
        return self.tab.wait_for_selector(selector, timeout=1000 * seconds)

    def text(self) -> str:
        """What can be read in the conversation."""
        return str(self.tab.inner_text("#fa-chat"))

    def overflow(self) -> int:
        """Pixels by which the page is wider than the screen."""
        return int(self.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def shot(self, path: Path) -> None:
        """A picture of the screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.tab.screenshot(path=str(path))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures of this test go."""
    return tmp_path / "pictures"


@pytest.fixture
def new_page(chromium: Any, server: Server) -> Iterator[Any]:
    """Opens pages, each in a browser profile of its own unless one is shared; none may have reported an error."""
    contexts, pages = [], []

    def make(context: Any = None, **options: Any) -> Page:
        if context is None:
            context = chromium.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
            contexts.append(context)
        pages.append(Page(context, server))
        return pages[-1]

    yield make
    for context in contexts:
        context.close()
    assert [error for page in pages for error in page.errors] == []


def copy_screenshot(picture: Path) -> None:
    """The README's picture, only where it is asked for: `FINETUNE_ASSISTANT_SCREENSHOT=1`."""
    if os.environ.get("FINETUNE_ASSISTANT_SCREENSHOT"):
        target = Path(__file__).resolve().parents[2] / "docs" / "screenshot.png"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(picture, target)
