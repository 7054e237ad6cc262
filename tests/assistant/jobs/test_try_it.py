"""Trying a model: one process that is kept while questions come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.errors import PlainError
from assistant.jobs import launchers, try_it
from assistant.jobs.try_it import TryIt

CODE = """
import json, os, sys
print("a library says hello")
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    text = question.get("text")
    if text == "die":
        sys.exit(3)
    if text == "hang":
        import time; time.sleep(60)
    if text == "refuse":
        print(json.dumps({"error": {"code": "bad-input", "what": "Not this."}}), flush=True)
        continue
    answer = {"input": question, "prediction": "spam", "scores": {"spam": 1.0}, "pid": os.getpid()}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "fake_predict.py").write_text(CODE)
    monkeypatch.setattr(launchers, "_PACKAGES", str(tmp_path / "code"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def model() -> Iterator[Callable[..., TryIt]]:
    made: list[TryIt] = []

    def make(idle_seconds: float = 60.0) -> TryIt:
        made.append(TryIt(idle_seconds, module="fake_predict"))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_answers_come_in_order_from_one_process(run: Path, model: Callable[..., TryIt]) -> None:
    one = model()
    first = one.ask(run, ["a", {"subject": "b", "body": "c"}])
    assert [answer["input"] for answer in first] == [{"text": "a"}, {"inputs": {"subject": "b", "body": "c"}}]
    assert one.ask(run, ["d"])[0]["pid"] == first[0]["pid"], "the model stays loaded"


def test_another_run_is_another_process(run: Path, model: Callable[..., TryIt]) -> None:
    other = run.with_name("other")
    other.mkdir()
    one = model()
    assert one.ask(run, ["a"])[0]["pid"] != one.ask(other, ["a"])[0]["pid"]


def test_a_process_that_dies_is_a_sentence_and_the_next_question_works(run: Path, model: Callable[..., TryIt]) -> None:
    one = model()
    with pytest.raises(PlainError, match="exit code 3"):
        one.ask(run, ["die"])
    assert one.ask(run, ["a"])[0]["prediction"] == "spam"


def test_what_the_model_refuses_is_told(run: Path, model: Callable[..., TryIt]) -> None:
    with pytest.raises(PlainError, match="Not this") as caught:
        model().ask(run, ["refuse"])
    assert caught.value.code == "bad-input"


def test_no_answer_waits_for_ever(run: Path, model: Callable[..., TryIt], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(try_it, "ANSWER_SECONDS", 0.3)
    with pytest.raises(PlainError, match="did not answer"):
        model().ask(run, ["hang"])


def test_it_lets_the_model_go_when_nobody_asks(run: Path, model: Callable[..., TryIt]) -> None:
    one = model(idle_seconds=0.2)
    one.ask(run, ["a"])
    process = one._process
    assert process is not None
    until = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.poll() is not None


def test_limits(run: Path, model: Callable[..., TryIt]) -> None:
    with pytest.raises(PlainError, match="at once"):
        model().ask(run, ["a"] * 1001)
    with pytest.raises(PlainError, match="characters"):
        model().ask(run, ["a" * 100_001])
