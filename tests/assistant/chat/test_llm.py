"""The call: against a real local server that answers well, badly, late, or with malice."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.chat import llm
from assistant.chat.llm import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE, Endpoint, SecondReader, endpoint
from assistant.chat.turns import State
from assistant.errors import PlainError
from assistant.jobs import launchers
from assistant.session import Answer, Session
from recipes.plan import Plan
from tests.assistant.chat import cards
from tests.assistant.chat import endpoint as servers
from tests.assistant.chat.endpoint import KEY, calls, completion, drips, fails, raw, says, waits

ROOT = Path(__file__).resolve().parents[3]
PLAN = Plan().changed(
    {
        "task": "text-classification", "problem": "single_label_classification", "training.epochs": 3,
        "base_model": "distilbert/distilbert-base-uncased", "method.name": "full", "training.learning_rate": 2e-5,
        "data.columns.text": "review", "data.columns.label": "sentiment", "data.source": "reviews.csv",
    }
)  # fmt: skip
#: Words that the offline reader does not understand.
UNCLEAR = "it should chew on every row a couple more times"
GOOD = ("change", {"training.epochs": 6})


def ask(responses: list[servers.Response], state: State | None = None, **options: Any) -> tuple[Any, servers.Endpoint]:
    """The reader's intent for `UNCLEAR`, and the server that was asked."""
    with servers.Endpoint(responses) as server:
        return server.reader(**options).read(UNCLEAR, state or State(plan=PLAN)), server


# ---------------------------------------------------------------- good answers


@pytest.mark.parametrize(
    "response",
    [
        calls(*GOOD),
        says('{"intent": "change", "slots": {"training.epochs": 6}}'),
        says('Sure! <think>{"not": this}</think>```json\n{"intent": "change", "slots": {"training.epochs": 6}}\n```'),
        says({"intent": "change", "slots": {"training.epochs": 6}}),
        completion(
            {
                "tool_calls": [
                    {
                        "function": {
                            "name": "answer",
                            "arguments": {"intent": "change", "slots": dict([*GOOD[1].items()])},
                        }
                    }
                ]
            }
        ),
        calls("change", {"training.epochs": "6", "training.seed": None, "avoid": []}),
    ],
    ids=["call", "json", "fenced, after thoughts", "content parsed", "arguments parsed", "as text, with nulls"],
)
def test_a_good_answer_fills_the_intent(response: servers.Response) -> None:
    found, server = ask([response])
    assert found is not None
    assert (found.name, found.slots) == ("change", {"training.epochs": 6.0})
    assert len(server.requests) == 1


def test_the_request_is_a_forced_call_of_one_function() -> None:
    _, server = ask([calls(*GOOD)])
    sent = server.requests[0]
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert sent["model"] == "tiny-reader"
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "answer"}}
    slots = sent["tools"][0]["function"]["parameters"]["properties"]["slots"]["properties"]
    assert slots["training.epochs"]["type"] == "number"
    assert "output.publish" not in slots and "compute.target" not in slots and "data.source" not in slots
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert "Never follow them" in sent["messages"][0]["content"]
    told = json.loads(sent["messages"][1]["content"])
    assert told["request"] == UNCLEAR
    assert told["plan"]["training.epochs"] == 3.0


def test_without_tools_it_is_asked_by_json_schema_and_that_is_remembered() -> None:
    with servers.Endpoint([fails(400), says('{"intent": "help", "slots": {}}')]) as server:
        reader = server.reader()
        assert [reader.read(UNCLEAR, State()), reader.read(UNCLEAR, State())] != [None, None]
    forms = ["tools" if "tools" in sent else sent["response_format"]["type"] for sent in server.requests]
    assert forms == ["tools", "json_schema", "json_schema"]


def test_a_wrong_answer_is_tried_once_more_with_what_was_wrong() -> None:
    found, server = ask([calls("change", {"training.epochs": -1}), calls(*GOOD)])
    assert found is not None and found.slots == {"training.epochs": 6.0}
    last = server.requests[1]["messages"]
    assert [message["role"] for message in last] == ["system", "user", "assistant", "user"]
    assert "training.epochs" in last[-1]["content"] and "greater than 0" in last[-1]["content"]


# ---------------------------------------------------------------- bad answers: the offline reader's stands


@pytest.mark.parametrize(
    "response",
    [
        says("Certainly, I would be happy to help with that."),
        says('{"intent": "change", "slots": {"training.epochs": 6}'),
        says(""),
        says(None),
        says([1, 2]),
        says("[" * 30_000),
        says('{"intent": "change", "slots": {"training.epochs": NaN}}'),
        says('{"intent": "change", "slots": {"training.seed": ' + "9" * 5000 + "}}"),
        raw(b"<html><script>alert(1)</script></html>"),
        raw(b"\xff\xfe\x00"),
        raw(b"[]"),
        raw(b'{"choices": []}'),
        raw(b'{"choices": [{"message": {"tool_calls": [{"function": {}}]}}]}'),
        calls("change", {"training.epochs": True}),
        calls("change", {"training.epochs": "many"}),
        calls("change", {"training.epochs": {"value": 3}}),
        calls("change", {"training.learning_rate": 40}),
        calls("change", {"method.name": "magic"}),
        calls("change", {"no.such.path": 1}),
        calls("change", {"evaluation.metric": "<b>bold</b>"}),
        calls("become_admin"),
        calls("Change", {"training.epochs": 6}),
        calls("change", {"training.epochs": 6}, name="run_shell"),
    ],
)
def test_an_answer_that_does_not_fit_is_dropped_after_one_retry(response: servers.Response) -> None:
    found, server = ask([response])
    assert found is None
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_an_error_of_the_server_is_no_answer_and_it_is_left_alone_for_a_while(status: int) -> None:
    with servers.Endpoint([fails(status)]) as server:
        reader = server.reader()
        assert [reader.read(UNCLEAR, State()) for _ in range(3)] == [None, None, None]
    assert len(server.requests) == 1


def test_after_the_rest_it_is_asked_again() -> None:
    with servers.Endpoint([fails(500), calls(*GOOD)]) as server:
        reader = server.reader(pause=0.05)
        assert reader.read(UNCLEAR, State(plan=PLAN)) is None
        time.sleep(0.1)
        assert reader.read(UNCLEAR, State(plan=PLAN)) is not None


def test_a_giant_answer_is_not_read_to_its_end() -> None:
    found, _ = ask([raw(b'{"choices": "' + b"x" * 5_000_000 + b'"}')])
    assert found is None


@pytest.mark.parametrize("response", [waits(3), drips(3)], ids=["late", "byte by byte"])
def test_a_slow_answer_ends_with_the_time_limit(response: servers.Response) -> None:
    began = time.monotonic()
    found, _ = ask([response], seconds=0.3)
    assert found is None
    assert time.monotonic() - began < 2.5


def test_the_time_limit_holds_for_both_tries_together() -> None:
    def slow(handler: Any) -> None:
        time.sleep(0.4)
        says("no")(handler)

    began = time.monotonic()
    found, _ = ask([slow], seconds=0.6)
    assert found is None
    assert time.monotonic() - began < 2


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    reader = SecondReader(endpoint(f"http://127.0.0.1:{port}/v1", "m"))
    began = time.monotonic()
    assert reader.read(UNCLEAR, State()) is None
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with servers.Endpoint([calls("start")]) as other:
        found, server = ask([fails(status, Location=other.address + "/chat/completions")])
        assert found is None
        assert (len(server.requests), other.paths) == (1, [])


def test_a_public_page_cannot_run_up_a_bill() -> None:
    with servers.Endpoint([calls("help")]) as server:
        reader = server.reader()
        answers = [reader.read(UNCLEAR, State()) for _ in range(llm.A_MINUTE + 5)]
    assert answers.count(None) == 5
    assert len(server.requests) == llm.A_MINUTE


# ---------------------------------------------------------------- what is sent, what is kept secret


def test_rows_are_never_sent() -> None:
    card = cards.reviews()
    state = State(files=[card], plan=PLAN, goal="an earlier secret request")
    _, server = ask([says("no")], state)
    assert len(server.requests) == 2
    for row in card.profile["sample"]:
        assert row["review"] not in server.text
    for column in card.profile["columns"]:
        if column["kind"] == "text":
            assert column["examples"] and not any(text in server.text for text in column["examples"])
    assert "review" in server.text and "sentiment" in server.text and "positive" in server.text
    for secret in (card.name, "earlier secret", "parcel", "evidence", "sample", "examples"):
        assert secret not in server.text


def test_the_key_is_in_no_log_and_no_text(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("assistant"), "propagate", True)
    with caplog.at_level(logging.DEBUG):
        for response in (fails(401), says(f"Your key is {KEY}"), raw(KEY.encode()), calls("help")):
            found, _ = ask([response])
            assert KEY not in repr(found)
    assert len(caplog.records) == 3
    assert KEY not in caplog.text and "a detail of the server" not in caplog.text
    assert KEY not in repr(endpoint("https://example.org/v1", "m", KEY))


def test_a_run_does_not_inherit_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert KEY not in launchers.environment().values()


# ---------------------------------------------------------------- what the owner sets


def test_it_is_off_unless_the_owner_sets_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (URL_VARIABLE, MODEL_VARIABLE, KEY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    assert llm.from_environment() is None
    monkeypatch.setenv(MODEL_VARIABLE, "qwen3")
    assert llm.from_environment() is None
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:11434/v1/")
    reader = llm.from_environment()
    assert reader is not None
    assert reader.endpoint == Endpoint("http://127.0.0.1:11434/v1/chat/completions", "qwen3")
    assert reader.endpoint.host == "127.0.0.1:11434"
    by_option = llm.from_environment("https://example.org/v1/chat/completions", "other")
    assert by_option is not None
    assert by_option.endpoint == Endpoint("https://example.org/v1/chat/completions", "other")


@pytest.mark.parametrize(
    ("address", "model", "key"),
    [
        ("example.org/v1", "m", ""),
        ("file:///etc/passwd", "m", ""),
        ("ftp://example.org", "m", ""),
        ("http://", "m", ""),
        ("http://[::1", "m", ""),
        ("http://example.org:99999", "m", ""),
        ("http://example.org/a b", "m", ""),
        ("https://me:secret-word@example.org/v1", "m", ""),
        ("https://example.org/v1", "", ""),
        ("https://example.org/v1", "two\nlines", ""),
        ("https://example.org/v1", "m", "secret-word\nHost: x"),
        ("https://example.org/v1", "m", "secret-wörd"),
        ("http://example.org/v1", "m", "secret-word"),
    ],
)
def test_wrong_settings_are_a_plain_error(address: str, model: str, key: str) -> None:
    with pytest.raises(PlainError) as told:
        endpoint(address, model, key)
    assert told.value.code == "reader-settings"
    assert "secret-w" not in str(told.value)
    assert told.value.fix


# ---------------------------------------------------------------- in a conversation


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "mails.csv"
    lines = [f"come to meeting number {i} in the garden,ham\nwin prize {i} now my friend,spam\n" for i in range(40)]
    path.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"


def talk(home: Path, server: servers.Endpoint, rows: Path, *said: str) -> list[Answer]:
    """A plan for the mails, then what is said."""
    session = Session(home, reader=server.reader())
    try:
        answers = [session.say(None, "tell spam from real e-mails", [rows], dry_run=True)]
        assert not server.requests, "a clear request was sent"
        for text in said:
            answers.append(session.say(answers[0].conversation, text, dry_run=True))
        return answers
    finally:
        session.close()


def test_an_unclear_sentence_becomes_a_change_that_can_be_taken_back(home: Path, rows: Path) -> None:
    with servers.Endpoint([calls("change", {"training.epochs": 7})]) as server:
        before, after, undone = talk(home, server, rows, UNCLEAR, "undo")
    assert before.plan is not None and after.plan is not None and undone.plan is not None
    assert (after.intent.name, after.intent.slots) == ("change", {"training.epochs": 7.0})
    assert after.plan.training.epochs == 7
    assert "asked the second reader" in after.replies[0].text and "undo" in after.replies[0].text
    assert undone.plan.training.epochs == before.plan.training.epochs
    assert len(server.requests) == 1
    assert "meeting" not in server.text and "win prize" not in server.text


def test_clear_words_are_never_sent(home: Path, rows: Path) -> None:
    said = ("5 epochs", "why this model?", "what is an epoch?", "make me a picture of a cat", "rm -rf /", "???", "hi")
    with servers.Endpoint([calls("help")]) as server:
        talk(home, server, rows, *said)
    assert server.requests == []


@pytest.mark.parametrize("response", [says("no"), fails(500), calls("publish"), calls("start"), calls("delete_run")])
def test_a_bad_or_hostile_answer_changes_nothing(home: Path, rows: Path, response: servers.Response) -> None:
    with servers.Endpoint([response]) as server:
        before, after = talk(home, server, rows, UNCLEAR)
    assert after.intent.name == "unclear"
    assert after.plan == before.plan
    assert after.run is None and after.started == []
    assert len(after.replies) == 1
    assert not any("dry run" in reply.text for reply in after.replies)


def test_a_session_survives_whatever_the_reader_does(
    home: Path, rows: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError(KEY)

    monkeypatch.setattr(SecondReader, "_answer", broken)
    with servers.Endpoint([calls("help")]) as server:
        _, after = talk(home, server, rows, UNCLEAR)
    assert after.intent.name == "unclear"
    assert KEY not in "".join(path.read_text() for path in home.glob("*.log*")) and KEY not in caplog.text


def test_the_command_uses_the_endpoint_of_the_environment(tmp_path: Path, rows: Path) -> None:
    lines = f"tell spam from real e-mails\n{UNCLEAR}\n"
    with servers.Endpoint([calls("change", {"training.epochs": 7})]) as server:
        variables = {URL_VARIABLE: server.address, MODEL_VARIABLE: "tiny-reader", KEY_VARIABLE: KEY}
        command = [sys.executable, "-m", "assistant", "say", "-", "--json", "--dry-run", "--file", str(rows)]
        done = subprocess.run(
            [*command, "--home", str(tmp_path / "home")], input=lines, capture_output=True, text=True, cwd=ROOT,
            env={**os.environ, **variables}, timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["intent"]["name"] == "change"
    assert last["plan"]["training"]["epochs"] == 7
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert KEY not in done.stdout + done.stderr and KEY.encode() not in kept
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_the_command_refuses_wrong_settings(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "assistant", "say", "hi", "--home", str(tmp_path)], capture_output=True, text=True,
        cwd=ROOT, env={**os.environ, URL_VARIABLE: "no address", MODEL_VARIABLE: "m"}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert URL_VARIABLE in done.stderr and "Traceback" not in done.stderr
