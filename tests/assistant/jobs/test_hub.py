"""The question whether the hub is there: short, and remembered."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.jobs import hub


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_address[1]}"
        one.shutdown()


def test_a_hub_that_answers_is_there_and_remembered(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server)
    cache = tmp_path / "hub.json"
    assert hub.remembered(cache) is None
    assert hub.reachable(cache)
    assert hub.remembered(cache) is True
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert hub.remembered(cache) is None, "another hub is another question"
    assert not hub.reachable(cache)
    assert hub.remembered(cache) is False


def test_a_network_that_hangs_costs_the_limit_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_ask", lambda seconds: time.sleep(5) or True)
    began = time.monotonic()
    assert not hub.reachable(tmp_path / "hub.json", seconds=0.3)
    assert time.monotonic() - began < 2


def test_the_wish_to_be_offline_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.remembered(tmp_path / "hub.json") is False


def test_old_and_broken_answers_do_not_count(tmp_path: Path) -> None:
    cache = tmp_path / "hub.json"
    cache.write_text(f'{{"reachable": true, "at": {time.time() - 1e5}, "endpoint": "{hub.endpoint()}"}}')
    assert hub.remembered(cache) is None
    cache.write_text("[1")
    assert hub.remembered(cache) is None


def test_a_model_in_the_local_cache_needs_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--org--name" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    assert not hub.in_local_cache("org/name")
    (folder / "config.json").write_text("{}")
    assert hub.in_local_cache("org/name")
