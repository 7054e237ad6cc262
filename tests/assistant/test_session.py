"""The shell between the words and the world: what is done, stored, told and refused."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import scripted
from fakes import FakeLocal

import assistant.chat
from assistant import session as sessions
from assistant.effects import create_run
from assistant.errors import PlainError
from assistant.jobs import launchers, rundir
from assistant.session import Limits, Session
from recipes.plan import Plan

ROWS = "text,label\n" + "".join(f"come to the meeting number {i},ham\nwin prize {i} now,spam\n" for i in range(40))


@pytest.fixture(autouse=True)
def dialogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "assistant.chat.dialogue", scripted)  # type: ignore[arg-type]
    monkeypatch.setattr(assistant.chat, "dialogue", scripted, raising=False)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Makes sessions on one home, as several processes would."""
    made: list[Session] = []

    def make(demo: bool = False) -> Session:
        session = Session(tmp_path / "home", demo=demo)
        session.worker._targets = {**launchers.LAUNCHERS, "local": FakeLocal()}
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()
        for folder in session.home.runs.iterdir():
            launchers.end_processes(folder, force=True)


@pytest.fixture
def session(make: Callable[..., Session]) -> Session:
    return make()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "mails.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def texts(session: Session, conversation: str) -> list[str]:
    return [m.reply.text if m.reply else f"> {m.text}" for m in session.messages(conversation)]


def started(session: Session, rows: Path, how: str = "finish", conversation: str | None = None) -> tuple[str, str]:
    """A conversation with a run that has been put into the queue."""
    answer = session.say(conversation, "plan", [rows])
    answer = session.say(answer.conversation, f"start {how}")
    return answer.conversation, answer.started[0]


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


# ---------------------------------------------------------------- from the request to the end


def test_from_a_file_to_the_end_of_a_run(session: Session, rows: Path) -> None:
    answer = session.say(None, "plan", [rows])
    assert answer.intent.name == "plan"
    assert answer.plan is not None
    assert answer.plan.data.source == "mails.csv"
    assert answer.plan.column("text") == ["text"]
    assert answer.run is None
    answer = session.say(answer.conversation, "start finish")
    assert answer.run is not None
    assert (answer.run.number, answer.run.status) == (1, "queued")
    run = answer.started[0]
    assert session.wait(run) == "finished"
    assert texts(session, answer.conversation)[-2:] == ["run 1 queued", "run 1 finished with result"]


def test_the_run_directory_holds_the_data_in_canonical_form(session: Session, rows: Path) -> None:
    _, run = started(session, rows)
    folder = session.home.run_dir(run)
    plan = Plan.load(folder / "plan.json")
    assert (plan.data.source, plan.data.name) == ("data/train.jsonl", "mails.csv")
    lines = (folder / plan.data.source).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 80
    assert json.loads(lines[0]) == {"text": "come to the meeting number 0", "label": "ham"}
    assert not list(session.home.runs.glob(".*"))


def test_the_json_of_an_answer(session: Session, rows: Path) -> None:
    answer = session.say(None, "plan", [rows]).as_json()
    assert set(answer) == {"conversation", "intent", "plan", "run", "replies"}
    assert answer["intent"] == {"name": "plan", "slots": {}}
    assert answer["run"] is None
    assert answer["replies"] == ["planned"]
    json.dumps(answer)


def test_a_request_without_a_file_has_a_plan_with_gaps(session: Session) -> None:
    answer = session.say(None, "plan")
    assert answer.plan is not None
    assert answer.plan.data.source is None


def test_a_dry_run_decides_but_does_nothing(session: Session, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assistant.jobs import hub

    monkeypatch.setattr(hub, "_ask", lambda seconds: pytest.fail("a dry run must not ask the network"))
    monkeypatch.setattr(hub, "remembered", lambda cache: None)
    answer = session.say(None, "plan", [rows], dry_run=True)
    assert answer.plan is not None
    for text in ("start finish", "delete_run run=1", "publish", "export", "predict inputs=a"):
        answer = session.say(answer.conversation, text, dry_run=True)
        assert answer.as_json()["run"] is None
    assert session.runs() == []
    assert list(session.home.runs.iterdir()) == []


def test_the_same_yes_twice_is_one_run(session: Session, rows: Path) -> None:
    conversation, run = started(session, rows, "steps")
    again = session.say(conversation, "start steps")
    assert again.started == []
    assert [card.id for card in session.runs()] == [run]


# ---------------------------------------------------------------- telling


def test_the_end_is_told_exactly_once(make: Callable[..., Session], rows: Path) -> None:
    session, other = make(), make()
    conversation, run = started(session, rows)
    session.wait(run)
    readers = [threading.Thread(target=one.messages, args=(conversation,)) for one in (session, other) * 4]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert texts(other, conversation).count("run 1 finished with result") == 1


def test_an_end_without_any_server_is_told_when_somebody_looks(make: Callable[..., Session], rows: Path) -> None:
    session = make()
    conversation, run = started(session, rows)
    assert session.worker.take()
    session.worker.tick()
    folder = session.home.run_dir(run)
    until(lambda: (folder / "result.json").exists() and rundir.last_word(folder) is not None)
    session.worker._children[run].wait()
    session.worker.close()  # the server is gone before it saw the end
    other = make()
    assert texts(other, conversation)[-1] == "run 1 finished with result"
    assert other.runs()[0].status == "finished"


def test_a_restarted_server_goes_on_with_the_run(make: Callable[..., Session], rows: Path) -> None:
    first = make()
    conversation, run = started(first, rows, "steps")
    first.worker.start()
    until(lambda: first.runs()[0].status == "running")
    first.close()
    second = make()
    second.worker.start()
    assert second.run_view(run)["status"] == "running"
    second.say(conversation, f"stop_run run={run}")
    until(lambda: second.runs()[0].status == "cancelled")
    until(lambda: texts(second, conversation)[-1] == "run 1 cancelled")
    assert texts(second, conversation).count("run 1 cancelled") == 1


def test_a_step_that_fails_leaves_the_end_to_be_told_again(
    session: Session, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation, run = started(session, rows)
    real = scripted.step
    monkeypatch.setattr(scripted, "step", lambda state, event: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        session.wait(run)
    monkeypatch.setattr(scripted, "step", real)
    assert texts(session, conversation)[-1] == "run 1 finished with result"


# ---------------------------------------------------------------- two tabs


def test_two_tabs_lose_nothing(make: Callable[..., Session]) -> None:
    tabs = [make(), make()]
    conversation = tabs[0].open(None)
    threads = [
        threading.Thread(target=lambda tab=tab: [tab.say(conversation, "hello") for _ in range(10)]) for tab in tabs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = texts(tabs[0], conversation)
    assert said.count("> hello") == 20
    assert said.count("Hello.") == 20


# ---------------------------------------------------------------- what goes wrong


def test_a_bug_in_the_dialogue_is_one_sentence_and_a_traceback_in_the_log(session: Session) -> None:
    answer = session.say(None, "boom")
    assert "internal" in answer.replies[0].data["code"]
    assert "RuntimeError" in answer.replies[0].text
    assert "Traceback" not in answer.replies[0].text
    assert "a bug in the dialogue" in session.home.log.read_text()
    assert session.say(answer.conversation, "hello").replies[0].text == "Hello."


def test_a_bug_in_an_effect_goes_back_into_the_dialogue(
    session: Session, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.effects.export", lambda *_: 1 / 0)
    conversation, _ = started(session, rows)
    assert session.say(conversation, "export run=1").replies[0].text == "export: internal-error"


def test_an_effect_that_nobody_knows_is_no_end(session: Session) -> None:
    assert session.say(None, "no_such_effect").replies[0].text == "no_such_effect: internal-error"


def test_a_bad_file_is_refused_and_not_kept(session: Session, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"")
    answer = session.say(None, "hello", [bad])
    assert answer.replies[0].text.startswith("refused file-empty")
    assert list(session.home.uploads.iterdir()) == []


@pytest.mark.parametrize("name", ["../../evil.csv", "\x1b[2J.csv", "<script>.csv", "\udcff.csv"])
def test_a_hostile_name_is_shown_on_one_line_and_stored_in_its_place(session: Session, rows: Path, name: str) -> None:
    answer = session.say(None, "plan", [rows], names=[name])
    assert answer.plan is not None
    assert answer.plan.data.source is not None and answer.plan.data.source.isprintable()
    stored = [path.resolve() for path in session.home.uploads.rglob("*") if path.is_file()]
    assert len(stored) == 1 and stored[0].is_relative_to(session.home.uploads.resolve())


def test_too_long_a_message_and_too_many_files_are_refused(session: Session, rows: Path) -> None:
    assert session.say(None, "a" * 20_001).replies[0].data["code"] == "message-too-long"
    answer = session.say(None, "hello", [rows] * 11)
    assert answer.replies[0].data["code"] == "too-many-files"
    assert list(session.home.uploads.iterdir()) == []


@pytest.mark.parametrize("conversation", ["0" * 32, "../../x", "", "'; DROP TABLE messages; --"])
def test_a_conversation_that_nobody_knows(session: Session, conversation: str) -> None:
    with pytest.raises(PlainError, match="not known"):
        session.say(conversation, "hello")
    assert session.open(conversation) != conversation


def test_a_conversation_of_another_version_keeps_its_messages(session: Session) -> None:
    conversation = session.say(None, "hello").conversation
    session.store.set_state(conversation, '{"from": "the future"}')
    assert session.say(conversation, "hello").replies[0].text == "Hello."
    assert len(texts(session, conversation)) == 4


def test_half_characters_and_zeros_are_no_trouble(session: Session) -> None:
    answer = session.say(None, "hello \udcff \x00")
    assert answer.replies[0].text == "Hello."
    assert session.messages(answer.conversation)[0].text == "hello ? \x00"


def test_a_plan_with_gaps_and_a_task_without_a_recipe_do_not_start(session: Session, rows: Path) -> None:
    conversation = session.say(None, "plan").conversation
    assert session.say(conversation, "start finish").replies[0].text == "start_run: plan-incomplete"
    with session.store.change():
        state = session.state(conversation)
        plan = Plan(task="object-detection")
        session.store.set_state(conversation, state.model_copy(update={"plan": plan}).model_dump_json())
    assert session.say(conversation, "start finish").replies[0].text == "start_run: task-not-available"
    assert session.runs() == []


def test_a_run_that_cannot_be_made_leaves_nothing(
    session: Session, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = session.say(None, "plan", [rows]).conversation

    def full(table: object, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("assistant.data.desk.write_rows", full)
    assert session.say(conversation, "start finish").replies[0].text == "start_run: disk-full"
    assert session.runs() == []
    assert list(session.home.runs.iterdir()) == []


# ---------------------------------------------------------------- runs


def test_stop_resume_status_report_and_delete(session: Session, rows: Path) -> None:
    conversation, run = started(session, rows, "steps")
    session.worker.start()
    until(lambda: len((session.home.run_dir(run) / "events.jsonl").read_text().splitlines()) > 4
          if (session.home.run_dir(run) / "events.jsonl").exists() else False)  # fmt: skip
    assert session.say(conversation, "run_status run=1").replies[0].text == "run 1 running"
    assert session.say(conversation, "delete_run run=1").replies[0].text == "delete_run: run-active"
    session.say(conversation, "stop_run run=1")
    until(lambda: session.runs()[0].status == "cancelled")
    answer = session.say(conversation, "resume_run run=1")
    assert answer.started == [run]
    until(lambda: session.runs()[0].status == "running")
    session.say(conversation, "stop_run run=last")
    until(lambda: session.runs()[0].status == "cancelled")
    assert "delete_run: {'run'" in session.say(conversation, "delete_run run=1").replies[-1].text
    assert session.runs() == []
    assert not session.home.run_dir(run).exists()
    assert list(session.home.runs.iterdir()) == []


def test_runs_are_found_as_people_name_them(session: Session, rows: Path) -> None:
    _, first = started(session, rows)
    _, second = started(session, rows)
    for spoken in (first, "1", "run 1", "#1", "Run #1", first[:-1]):
        assert session.find_run(spoken).run == first
    assert session.find_run("last").run == second
    for spoken in ("3", "", "..", "2026", "../" + first):
        with pytest.raises(PlainError, match="no run"):
            session.find_run(spoken)


def test_show_and_view(session: Session, rows: Path) -> None:
    _, run = started(session, rows)
    assert session.show(run)["status"] == "queued"
    assert session.run_view(run)["status"] == "queued"
    session.wait(run)
    shown = session.show(run)
    assert set(shown) == {"id", "status", "plan", "result"}
    assert shown["result"]["verdict"]["code"] == "better"
    assert shown["plan"]["data"]["name"] == "mails.csv"
    view = session.run_view(run)
    assert (view["id"], view["number"], view["status"]) == (run, 1, "finished")


def test_compare_needs_two_finished_runs(session: Session, rows: Path) -> None:
    conversation, run = started(session, rows)
    session.wait(run)
    assert session.say(conversation, "compare runs=1").replies[0].text == "compare: compare-needs-two"
    session.say(conversation, "start finish")
    session.wait(session.find_run("2").run)
    assert "run 2" in session.say(conversation, "compare runs=1,2").replies[0].text


def test_a_run_without_a_model_cannot_be_tried(session: Session, rows: Path) -> None:
    conversation, _ = started(session, rows)
    assert session.say(conversation, "predict run=1 inputs=a").replies[0].text == "predict: no-model"
    assert session.say(conversation, "publish").replies[0].text == "publish: publish-not-available"
    assert session.say(conversation, "export run=1 format=../x").replies[0].text == "export: export-format"


def test_a_fixed_file_is_a_new_upload_of_the_same_name(session: Session, tmp_path: Path) -> None:
    twice = tmp_path / "twice.csv"
    twice.write_text(ROWS + ROWS.split("\n", 1)[1], encoding="utf-8")
    conversation = session.say(None, "plan", [twice]).conversation
    before = session.state(conversation).files[0]
    session.say(conversation, "fix_data file=x code=duplicates")
    after = session.state(conversation).files[0]
    assert (after.name, after.profile["rows"]) == ("twice.csv", before.profile["rows"] / 2)
    assert after.id != before.id
    assert session.home.upload_path(before.id).exists()


# ---------------------------------------------------------------- demo


def test_a_visitor_of_the_demo_sees_only_the_own_runs(make: Callable[..., Session], rows: Path) -> None:
    session = make(demo=True)
    mine, run = started(session, rows)
    other = session.say(None, "hello").conversation
    assert [card.id for card in session.runs(mine)] == [run]
    assert session.runs(other) == session.runs() == []
    assert session.run_view(run, mine)["id"] == run
    for ask in (session.run_view, session.show, session.find_run):
        for conversation in (other, None):
            with pytest.raises(PlainError, match="no run"):
                ask(run, conversation)
    for text in (
        f"delete_run run={run}",
        f"stop_run run={run}",
        f"run_status run={run}",
        f"predict run={run} inputs=a",
    ):
        assert session.say(other, text).replies[0].text.endswith(": run-unknown")
    assert session.state(other).runs == []


def test_the_limits_of_the_demo(make: Callable[..., Session], tmp_path: Path) -> None:
    session = make(demo=True)
    many = tmp_path / "many.csv"
    many.write_text("text,label\n" + "".join(f"text number {i} is here,{i % 2}\n" for i in range(2500)))
    conversation, run = started(session, many)
    plan = Plan.load(session.home.run_dir(run) / "plan.json")
    assert plan.training.max_minutes is not None and plan.training.max_minutes <= 5
    assert len((session.home.run_dir(run) / "data" / "train.jsonl").read_text().splitlines()) == 2000
    for how in ("steps", "fail"):
        assert session.say(conversation, f"start {how}").started
    answer = session.say(conversation, "start deaf")
    assert answer.replies[0].text == "start_run: demo-limit"
    assert session.say(conversation, "publish").replies[0].text == "publish: publish-not-available"
    assert session.worker._longest == 600


def test_the_demo_counts_the_visitor_not_the_conversation(make: Callable[..., Session], rows: Path) -> None:
    session = make(demo=True)
    for _ in range(3):
        conversation = session.say(None, "plan", [rows], visitor="v").conversation
        assert session.say(conversation, "start finish", visitor="v").started
    conversation = session.say(None, "plan", [rows], visitor="v").conversation
    assert session.say(conversation, "start finish", visitor="v").replies[0].text == "start_run: demo-limit"
    assert session.say(conversation, "start finish", visitor="w").started


def test_the_owners_token_is_not_for_visitors(make: Callable[..., Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    make(demo=True)
    assert "HF_TOKEN" not in launchers.environment()


def test_a_queue_that_is_full_takes_no_more(make: Callable[..., Session], rows: Path) -> None:
    session = make()
    session.limits = Limits(demo=True, waiting=1, runs=99)
    conversation, _ = started(session, rows)
    assert session.say(conversation, "start steps").replies[0].text == "start_run: demo-limit"


# ---------------------------------------------------------------- the rest


def test_the_process_of_the_words_knows_no_torch() -> None:
    # a process of its own: other tests of this one have imported all of it
    code = "import sys, assistant.cli, assistant.session, assistant.effects; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "assistant.session" in done.stdout.split()
    assert not {"torch", "transformers", "accelerate", "peft", "gradio"} & set(done.stdout.split())


def test_a_plan_made_without_a_chat(session: Session, rows: Path) -> None:
    from assistant.data.stored import Stored

    plan = Plan.model_validate({"task": "text-classification", "base_model": "finish"})
    row = create_run(session, plan, {"train": Stored(rows, rows.name)}, title="by hand")
    assert session.wait(row.run) == "finished"
    assert session.store.untold() == []


def test_the_version_grows_with_each_message(session: Session) -> None:
    conversation = session.open(None)
    seen = session.version(conversation)
    session.say(conversation, "hello")
    assert session.version(conversation) > seen
    assert session.messages(conversation, after=session.version(conversation)) == []


def test_too_many_effects_are_cut(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_EFFECTS", 2)
    assert len(session.say(None, "circle").replies) <= 3
