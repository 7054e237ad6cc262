"""Files on their way through a session: read apart, checked under the plan's columns, mended and taken back."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.data import apart
from assistant.jobs import hub
from assistant.session import Session

ROWS = "note,urgent,mood,patient_id\n" + "".join(
    f"Visit {n} of the patient was about pain number {n * 7} in the knee,{('yes', 'no')[n % 2]},"
    f"{('good', 'bad', 'fair')[n % 3] if n else 'Good'},P{n % 12}\n"
    for n in range(120)
)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    opened = Session(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_text(ROWS + ROWS.splitlines()[3] + "\n", encoding="utf-8")
    return path


def codes(session: Session, conversation: str) -> list[str]:
    return [finding["code"] for finding in session.state(conversation).files[-1].findings]


def test_a_server_never_reads_a_file_itself(session: Session, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def call(action: str, arguments: dict[str, Any], seconds: float = 1) -> dict[str, Any]:
        asked.append(action)
        return apart.call(action, arguments)

    monkeypatch.setattr("assistant.data.stored._call", call)
    monkeypatch.setattr("assistant.data.desk.perform", lambda *_: pytest.fail("read by the server"))
    session.apart = True
    answer = session.say(None, "predict the mood", [rows])
    session.say(answer.conversation, "remove the duplicates")
    session.say(answer.conversation, "start")
    assert {"look", "mend", "copy"} <= set(asked)
    assert session.state(answer.conversation).files[-1].profile["rows"] == 120


def test_the_server_stays_small(shared_data: Path, tmp_path: Path) -> None:
    """Measured: 142 MB with the page, 176 MB when words were read, 178 MB after 1,649 rows were read apart and planned.

    Asserted is what holds on any machine: how much a file adds, and that nothing large is loaded.
    """
    code = (
        "import sys, psutil, pathlib\n"
        "from assistant.ui.lean import without_pyarrow\n"
        "without_pyarrow()\n"
        "import assistant.ui.app\n"
        "from assistant.session import Session\n"
        "session = Session(pathlib.Path(sys.argv[1])); session.apart = True\n"
        "page = assistant.ui.app.build(session)\n"
        "session.say(None, 'sort the news', dry_run=True)\n"  # what reading words needs is loaded by the first message
        "before = psutil.Process().memory_info().rss\n"
        "answer = session.say(None, 'sort the news', [pathlib.Path(sys.argv[2])], dry_run=True)\n"
        "print(psutil.Process().memory_info().rss - before, answer.plan.data.columns['label'])\n"
        "print(*(name for name, module in sys.modules.items() if module is not None))\n"
    )
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        code,
        str(tmp_path),
        str(shared_data / "news-topics" / "train.csv"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures, modules = done.stdout.splitlines()
    added, label = figures.split()
    assert label == "topic"
    assert int(added) < 30 * 1024**2
    large = {
        "torch",
        "transformers",
        "accelerate",
        "peft",
        "datasets",
        "sklearn",
        "scipy",
        "pyarrow",
        "cleanlab",
        "matplotlib",
    }
    assert not large & set(modules.split())


def test_the_findings_follow_the_label(session: Session, rows: Path) -> None:
    answer = session.say(None, "predict the mood from the note", [rows], dry_run=True)
    assert answer.plan is not None and answer.plan.data.columns["label"] == "mood"
    assert "label-spelling" in codes(session, answer.conversation)
    answer = session.say(answer.conversation, "no, predict urgent instead", dry_run=True)
    assert answer.plan is not None and answer.plan.data.columns["label"] == "urgent"
    assert "label-spelling" not in codes(session, answer.conversation)


def test_mending_before_there_is_a_plan_can_be_taken_back(session: Session, rows: Path) -> None:
    conversation = session.say(None, "just check my data", [rows], dry_run=True).conversation
    said = session.say(conversation, "remove the duplicates", dry_run=True).replies[0].text
    assert "121 rows became 120" in said
    assert session.state(conversation).files[-1].profile["rows"] == 120
    session.say(conversation, "undo", dry_run=True)
    assert session.state(conversation).files[-1].profile["rows"] == 121
    assert rows.read_text(encoding="utf-8").startswith("note,urgent")


def test_without_a_hub_a_data_set_is_one_sentence(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the question, and never answers
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        assert not hub.reachable(session.home.hub_cache)
        assert time.monotonic() - started < 3.5
        answer = session.say(None, "use the data set ag_news from the hub")
    assert "The Hub cannot be reached" in answer.replies[-1].text and "ag_news" in answer.replies[-1].text
    assert session.state(answer.conversation).files == []


def test_a_dry_run_does_not_ask_the_network(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.jobs.hub.reachable", lambda *_: pytest.fail("asked"))
    answer = session.say(None, "use the data set ag_news from the hub", dry_run=True)
    assert answer.plan is not None and answer.plan.data.source == "ag_news"
