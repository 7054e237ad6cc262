"""The page says when a second reader is on, and nothing where it is off."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.chat.llm import SecondReader, endpoint
from assistant.session import Session
from assistant.ui import app, theme

from .conftest import in_a_loop


@pytest.mark.parametrize("on", [True, False])
def test_the_page_says_who_reads_along(tmp_path: Path, on: bool) -> None:
    reader = SecondReader(endpoint("https://reader.example/v1", "small-model", "sk-secret")) if on else None
    session = Session(tmp_path / "home", reader=reader)
    try:
        page = str(in_a_loop(lambda: app.build(session)).get_config_file())
    finally:
        session.close()
    line = "Unclear requests are also read by small-model at reader.example."
    assert (line in page) is on
    assert ("never your rows" in page) is on
    assert "sk-secret" not in page


def test_a_models_name_is_text() -> None:
    assert "<img" not in theme.reader("<img src=x onerror=alert(1)>", "h")
