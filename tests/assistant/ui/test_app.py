"""The page's handlers with a real session: identity, what changes when, and what a forged request cannot do."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from assistant.chat.turns import Intent, Option, Reply, State
from assistant.errors import PlainError
from assistant.session import Answer, Session
from assistant.ui import app, render, settings
from assistant.ui.pages import RUN_SECONDS, WINDOW, Pages
from recipes import events as contract
from recipes.plan import Plan

from .conftest import PLAN, add_run, in_a_loop


class Talking(Session):
    """A session whose dialogue echoes: what the page does must not depend on what is said."""

    def say(self, conversation: str | None, text: str, files: Any = (), **options: Any) -> Answer:
        conversation = self.open(conversation)
        if text == "break":
            raise RuntimeError("a secret detail")
        if text == "refuse":
            raise PlainError("x", "Not <b>today</b>.")
        self.store.add_message(conversation, "user", {"text": text, "files": [path.name for path in files]})
        reply = Reply(text=f"You said {text}", options=[Option(label="Go on", say="go on")])
        self.store.add_message(conversation, "assistant", reply.model_dump(mode="json"))
        return Answer(conversation, Intent(name="help"), None, None, [reply])


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talking]:
    session = Talking(tmp_path_factory.mktemp("page") / "home")
    yield session
    session.close()


@pytest.fixture(scope="module")
def handlers(talking: Talking) -> app.Handlers:
    """The handlers of a page; built once, since each test has a conversation of its own."""
    made: list[app.Handlers] = []
    genuine = app.Handlers

    def keep(pages: Pages, parts: app.Parts) -> app.Handlers:
        made.append(genuine(pages, parts))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "Handlers", keep)
        in_a_loop(lambda: app.build(talking))
    return made[0]


def request(**query: str) -> Any:
    return SimpleNamespace(query_params=query, headers={}, client=SimpleNamespace(host="127.0.0.1"))


def html(updates: list[Any]) -> str:
    return "\n".join(message["content"][0]["value"] for message in updates[0])


def skipped(updates: list[Any]) -> bool:
    return all(update == gr.skip() for update in updates)


def said(handlers: app.Handlers, text: str, chat: str = "", files: list[str] | None = None) -> list[list[Any]]:
    return list(handlers.send({"text": text, "files": files or []}, chat, request()))


# ---------------------------------------------------------------- identity


def test_a_new_visitor_sees_the_welcome_and_makes_no_conversation(handlers: app.Handlers, talking: Talking) -> None:
    count = "SELECT COUNT(*) FROM conversations"
    before = talking.store._rows(count)
    updates = handlers.load("", request())
    assert "fa-welcome" in html(updates) and updates[2] == ""
    assert talking.store._rows(count) == before


def test_the_first_message_begins_a_conversation_and_tells_the_browser(handlers: app.Handlers) -> None:
    first, last = said(handlers, "hello")
    chat = first[2]
    assert len(chat) == 32 and last[2] == chat
    assert "fa-thinking" in html(first) and "hello" in html(first) and first[-1] == {"text": "", "files": []}
    assert "You said hello" in html(last) and "fa-thinking" not in html(last)
    assert (first[-2], last[-2]) == (True, False)
    assert "You said hello" in html(handlers.load(chat, request())), "a reload shows the same"


def test_the_address_counts_only_where_the_browser_remembers_nothing(handlers: app.Handlers) -> None:
    mine, planted = said(handlers, "mine")[0][2], said(handlers, "planted")[0][2]
    assert "You said mine" in html(handlers.load(mine, request(chat=planted)))
    assert "You said planted" in html(handlers.load("", request(chat=planted)))


@pytest.mark.parametrize("forged", ["0" * 32, "../../etc", "' OR 1=1 --", {"a": 1}, ["x"], 5, None, True, "x" * 10_000])
def test_a_forged_id_is_a_new_visitor(handlers: app.Handlers, forged: Any) -> None:
    said(handlers, "someone's secret")
    assert "fa-welcome" in html(handlers.load(forged, request()))
    ticked = handlers.tick(forged, "", False)
    assert skipped(ticked) or "fa-welcome" in html(ticked)
    begun = next(handlers.send({"text": "hi", "files": []}, forged, request()))
    assert begun[2] != forged and "secret" not in html(begun)


def test_a_new_chat_leaves_the_old_one_alone(handlers: app.Handlers) -> None:
    chat = said(handlers, "old")[0][2]
    assert "fa-welcome" in html(handlers.fresh()) and handlers.fresh()[2] == ""
    assert "You said old" in html(handlers.load(chat, request()))


# ---------------------------------------------------------------- ticks


def test_a_tick_without_news_updates_nothing(handlers: app.Handlers) -> None:
    last = said(handlers, "hello")[-1]
    chat, seen = last[2], last[1]
    assert skipped(handlers.tick(chat, seen, False))
    news = said(handlers, "from another tab", chat)[-1]
    ticked = handlers.tick(chat, seen, False)
    assert "from another tab" in html(ticked) and ticked[1] == news[1]


def test_a_tick_leaves_a_page_alone_that_waits_for_an_answer(handlers: app.Handlers) -> None:
    chat = said(handlers, "hello")[0][2]
    assert skipped(handlers.tick(chat, "", True))


def test_a_live_run_is_redrawn_when_it_moves(handlers: app.Handlers, talking: Talking) -> None:
    chat = said(handlers, "hello")[0][2]
    run = add_run(talking, chat, finished=False)
    drawn = handlers.tick(chat, "", False)
    assert "step 3 of 9" in html(drawn)
    assert skipped(handlers.tick(chat, drawn[1], False))
    writer = contract.EventWriter(talking.home.run_dir(run) / "events.jsonl")
    writer.write(contract.Progress(at=time.time() + 1, step=4, total_steps=9))
    time.sleep(RUN_SECONDS)
    assert "step 4 of 9" in html(handlers.tick(chat, drawn[1], False))


def test_a_finished_run_shows_its_report_with_downloads(handlers: app.Handlers, talking: Talking) -> None:
    chat = said(handlers, "hello")[0][2]
    run = add_run(talking, chat)
    drawn = html(handlers.tick(chat, "", False))
    assert "On 20 texts it never saw" in drawn and f'href="download/{run}/model.zip?chat={chat}"' in drawn


def test_a_run_that_goes_on_after_its_end_is_live_again(handlers: app.Handlers, talking: Talking) -> None:
    chat = said(handlers, "hello")[0][2]
    run = add_run(talking, chat, finished=False)
    writer = contract.EventWriter(talking.home.run_dir(run) / "events.jsonl")
    writer.write(contract.Cancelled(at=time.time() + 1, step=3, model_kept=True))
    talking.store.set_status(run, "cancelled")
    time.sleep(RUN_SECONDS)
    stopped = handlers.tick(chat, "", False)
    assert "Stopped after" in html(stopped) and skipped(handlers.tick(chat, stopped[1], False))
    talking.store.set_status(run, "running")
    writer.write(contract.Resumed(at=time.time() + 2, step=3))
    talking.store.add_message(chat, "user", {"text": "resume", "files": []})
    assert "stop run" in html(handlers.tick(chat, stopped[1], False))


def test_the_chat_sends_what_gradio_itself_would_send() -> None:
    """The quick way to a message says nothing that the documented one does not say."""
    block = render.Block("assistant", "<b>{x}</b>")
    slow = gr.HTML(block.html, js_on_load=None, apply_default_css=False, render=False)
    chat = in_a_loop(lambda: gr.Chatbot(render=False))
    documented = chat.postprocess([{"role": "assistant", "content": slow}]).model_dump()[0]
    quick = chat.postprocess([app.Drawing().message(block)]).model_dump()[0]
    (short,), (long,) = quick.pop("content"), documented.pop("content")
    properties = short.pop("props")
    assert properties.items() <= long.pop("props").items()
    short.pop("constructor_args"), long.pop("constructor_args")
    assert (quick, short) == (documented, long)


def test_a_deleted_run_leaves_the_words(handlers: app.Handlers, talking: Talking) -> None:
    chat = said(handlers, "hello")[0][2]
    talking.store.remove_run(add_run(talking, chat))
    assert "A run." in html(handlers.tick(chat, "", False))


def test_a_long_chat_shows_its_newest_messages(handlers: app.Handlers, talking: Talking) -> None:
    chat = said(handlers, "hello")[0][2]
    for number in range(80):
        talking.store.add_message(chat, "user", {"text": f"message {number}", "files": []})
    view = handlers.tick(chat, "", False)[0]
    assert len(view) == WINDOW and "message 79" in view[-1]["content"][0]["value"]


# ---------------------------------------------------------------- saying


def test_files_are_named_at_once(handlers: app.Handlers, tmp_path: Path) -> None:
    file = tmp_path / "<b>mails.csv"
    file.write_text("a,b\n1,2\n")
    first, last = said(handlers, "", files=[str(file)])
    assert "&lt;b&gt;mails.csv" in html(first) and "&lt;b&gt;mails.csv" in html(last)


@pytest.mark.parametrize("nothing", [None, {}, {"text": "  ", "files": []}, {"text": "", "files": None}])
def test_nothing_said_is_nothing(handlers: app.Handlers, nothing: Any) -> None:
    (updates,) = handlers.send(nothing, "", request())
    assert skipped(updates)


def test_a_click_says_its_sentence(handlers: app.Handlers) -> None:
    *_, last = handlers.press(json.dumps({"say": "make it faster"}), "", request())
    assert "You said make it faster" in html(last)


def test_an_example_brings_its_file(handlers: app.Handlers) -> None:
    *_, last = handlers.press(json.dumps({"example": "spam"}), "", request())
    assert "spam.csv" in html(last)


@pytest.mark.parametrize(
    "forged", ["", "not json", "[]", "7", '{"example": "../../etc/passwd"}', '{"say": ""}', '{"file": "/etc"}']
)
def test_a_forged_click_says_nothing(handlers: app.Handlers, forged: str) -> None:
    (updates,) = handlers.press(forged, "", request())
    assert skipped(updates)


def test_an_error_is_a_notice_and_the_page_goes_on(
    handlers: app.Handlers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notices: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: notices.append(text))
    chat = said(handlers, "hello")[0][2]
    for text in ("break", "refuse"):
        assert said(handlers, text, chat)[-1][-2] is False, "the sign of thinking goes away"
    assert "Nothing is lost" in notices[0] and "secret" not in notices[0]
    assert notices[1] == "Not &lt;b&gt;today&lt;/b&gt;."


# ---------------------------------------------------------------- settings


def form() -> settings.Form:
    def make() -> settings.Form:
        with gr.Blocks():
            return settings.Form()

    return in_a_loop(make)


def values(**changes: Any) -> list[Any]:
    plain = {"method": "head", "epochs": 3, "rate": 0.001, "length": 128, "minutes": None}
    return list({**plain, **changes}.values())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, ""),
        ({"epochs": 5}, "set epochs to 5"),
        ({"rate": 0.00002}, "set the learning rate to 0.00002"),
        ({"method": "last_layers", "minutes": 10}, "use method last layers, take at most 10 minutes"),
        ({"length": None}, ""),
        ({"method": "<script>"}, ""),
        ({"epochs": "5; delete run 1"}, ""),
        ({"epochs": True}, ""),
    ],
)
def test_settings_are_said_as_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert form().sentence(PLAN, values(**changes)) == sentence


def test_the_form_shows_the_plan_at_hand(handlers: app.Handlers, talking: Talking) -> None:
    chat = said(handlers, "hello")[0][2]
    assert handlers.tick(chat, "", False)[5] == gr.update(visible=False)
    talking.store.set_state(chat, State(plan=PLAN).model_dump_json())
    talking.store.add_message(chat, "user", {"text": "x", "files": []})
    updates = handlers.tick(chat, "", False)
    assert updates[5] == gr.update(visible=True)
    assert [update["value"] for update in updates[6:]] == values()
    add_run(talking, chat, finished=False)
    assert handlers.tick(chat, "", False)[5] == gr.update(visible=False), "a run goes on: there is nothing to set"


def test_apply_says_what_differs_from_the_plan(handlers: app.Handlers, talking: Talking) -> None:
    chat = said(handlers, "hello")[0][2]
    talking.store.set_state(chat, State(plan=PLAN).model_dump_json())
    *_, last = handlers.apply(chat, *values(epochs=9))
    assert "You said set epochs to 9" in html(last)


def test_every_setting_is_a_path_of_the_plan() -> None:
    for path in settings.SENTENCES:
        settings._read(Plan(), path)


# ---------------------------------------------------------------- demo


def test_a_demo_counts_visitors_by_the_nearest_proxys_word(tmp_path: Path) -> None:
    session = Session(tmp_path / "home", demo=True)
    ask = request()
    ask.headers = {"x-forwarded-for": "forged, 10.0.0.9"}
    same = request()
    same.headers = {"x-forwarded-for": "other, 10.0.0.9"}
    one, two, three = (app._visitor(session, each) for each in (ask, same, request()))
    assert one == two != three and one is not None and "10.0" not in one
    session.close()


def test_at_home_nobody_is_counted(talking: Talking) -> None:
    assert app._visitor(talking, request()) is None


# ---------------------------------------------------------------- the server


def test_a_taken_port_is_said_plainly(talking: Talking, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: Any, **__: Any) -> None:
        raise OSError("Cannot find empty port in range")  # as Gradio says it

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(talking.home.root / "uploads-of-the-page"))
    monkeypatch.setattr(gr.Blocks, "launch", taken)
    with pytest.raises(PlainError, match="port 4711") as caught:
        in_a_loop(lambda: app.launch(talking, port=4711, block=False))
    assert "--port 4712" in caught.value.fix and not talking.worker.working


def test_only_local_hosts_are_answered_at_home_and_all_on_a_public_server(talking: Talking) -> None:
    hosts = [
        app._server_options(talking, host)["middleware"][0].kwargs["allowed_hosts"] for host in ("127.0.0.1", "0.0.0.0")
    ]
    assert "localhost" in hosts[0] and "*" not in hosts[0] and hosts[1] == ["*"]


def test_uploads_are_private_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "x")  # so that it is put back
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    app._keep_uploads_private()
    assert Path(os.environ["GRADIO_TEMP_DIR"]).stat().st_mode & 0o077 == 0
