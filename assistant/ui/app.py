"""The page: layout and wiring only. What it shows comes from the session and is drawn by `render`.

    launch(Session(home), host="127.0.0.1", port=7860)

The conversation lives in the session; a page holds its id (browser storage, with the address as a second carrier) and
asks every two seconds whether something changed. A reload, a second tab or a new server show the same conversation.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistant.ui import quick

quick.install()

import gradio as gr  # noqa: E402 - after the hook that shortens its import
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: E402

from assistant.chat.turns import Reply  # noqa: E402
from assistant.errors import PlainError  # noqa: E402
from assistant.jobs.home import is_secret  # noqa: E402
from assistant.report.run import RunView  # noqa: E402
from assistant.session import Session, StoredMessage  # noqa: E402
from assistant.ui import downloads, render, settings, theme  # noqa: E402
from recipes.events import Result  # noqa: E402
from recipes.plan import Plan  # noqa: E402

log = logging.getLogger(__name__)

#: Messages of a conversation that a page shows; more cost every page at every change.
WINDOW = 50
#: Seconds between two looks at the session.
TICK_SECONDS = 2.0
#: Answers that are prepared at the same time; each may read a file or wait for a model.
ANSWERS_AT_ONCE = 8
MAX_DRAWN = 200
STORAGE_KEY = "finetune-assistant-chat"
LOCAL_HOSTS = ["127.0.0.1", "localhost", "[::1]", "::1"]
FILE_TYPES = [".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".zip", ".conll", ".gz"]

View = list[dict[str, Any]]


class Pages:
    """What all open pages share: the session and the conversations as last drawn."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.examples = _examples()
        self._drawn: OrderedDict[str, tuple[str, View]] = OrderedDict()
        self._live: dict[str, list[str]] = {}
        self._ended: OrderedDict[str, render.RunShown] = OrderedDict()
        self._lock = threading.Lock()

    def known(self, conversation: object) -> str:
        """The conversation's id if there is such a one, else ""; an id from a page or an address is never trusted."""
        if not isinstance(conversation, str) or not is_secret(conversation):
            return ""
        try:
            self.session.state(conversation)
        except PlainError:
            return ""
        return conversation

    def signature(self, conversation: str) -> str:
        """Changes whenever the page of a conversation would look different."""
        if not conversation:
            return "welcome"
        parts: list[object] = [self.session.version(conversation)]
        for run in self._live.get(conversation, []):
            view = self.session.run_view(run, conversation)
            parts += [run, view["status"], view["updated_at"], view["step"]]
        return json.dumps(parts)

    def view(self, conversation: str, signature: str) -> View:
        """The newest messages, drawn; tabs of one conversation share the drawing."""
        with self._lock:
            known = self._drawn.get(conversation)
        if known is not None and known[0] == signature:
            return known[1]
        messages = self.session.messages(conversation, limit=WINDOW) if conversation else []
        runs = self._runs(conversation, messages)
        blocks = render.view(messages, runs, self.examples, demo=self.session.limits.demo)
        drawn = [_message(block) for block in blocks]
        with self._lock:
            self._live[conversation] = [run.id for run in runs.values() if run.view.live]
            self._drawn[conversation] = (signature, drawn)
            self._drawn.move_to_end(conversation)
            while len(self._drawn) > MAX_DRAWN:
                oldest, _ = self._drawn.popitem(last=False)
                self._live.pop(oldest, None)
        return drawn

    def _runs(self, conversation: str, messages: list[StoredMessage]) -> dict[str, render.RunShown]:
        wanted = [str(m.reply.data.get("run", "")) for m in messages if m.reply and m.reply.card in ("run", "report")]
        found: dict[str, render.RunShown] = {}
        for run in dict.fromkeys(wanted):
            try:
                found[run] = self._run(run, conversation)
            except PlainError:
                continue  # it was deleted: the message's own text is shown
        return found

    def _run(self, run: str, conversation: str) -> render.RunShown:
        view = RunView.model_validate(fields := self.session.run_view(run, conversation))
        result, plan = None, None
        if view.status == "finished":
            shown = self.session.show(run, conversation)
            result = Result.model_validate(shown["result"]) if shown["result"] else None
            plan = Plan.model_validate(shown["plan"]) if shown["plan"] else None
        links = downloads.links(fields["id"], conversation) if result else {}
        return render.RunShown(run, int(fields["number"]), view, result, plan, links)

    def plan(self, conversation: str) -> Plan | None:
        """The plan that the settings form edits: the one at hand while no run of it has begun."""
        return self.session.state(conversation).plan if conversation and not self._live.get(conversation) else None

    def trying(self, conversation: str) -> bool:
        """Whether the next message goes to the model."""
        return bool(conversation) and self.session.state(conversation).trying

    def say(self, conversation: str, text: str, files: list[Path], visitor: str | None) -> None:
        """Say it; whatever goes wrong becomes a reply or a notice, never a stack trace on the page."""
        try:
            self.session.say(conversation, text, files, visitor=visitor)
        except PlainError as error:
            gr.Warning(render.keep(error.text()), title="Not done")
        except Exception:
            log.exception("an answer failed")
            gr.Warning("Something in the assistant itself went wrong. Nothing is lost; the details are in its log.")


def _message(block: render.Block) -> dict[str, Any]:
    """A block as Gradio's chat takes it: plain HTML without a script."""
    return {"role": block.role, "content": gr.HTML(block.html, js_on_load=None, apply_default_css=False)}


def _examples() -> list[render.Example]:
    """The shipped examples as cards of the welcome."""
    from assistant.data import examples  # noqa: PLC0415 - pandas comes with it

    return [render.Example(example.name, example.title, example.say) for example in examples.all_examples()]


# ---------------------------------------------------------------- the page


def build(session: Session) -> gr.Blocks:
    """The page of a session."""
    pages = Pages(session)
    with gr.Blocks(
        title="Finetune Assistant", analytics_enabled=False, fill_height=True, delete_cache=(3600, 86400)
    ) as page:
        browser = gr.BrowserState("", storage_key=STORAGE_KEY, secret=STORAGE_KEY)
        seen, busy = gr.State(""), gr.State(False)
        with gr.Row(elem_id="fa-top"):
            gr.HTML(theme.BRAND, js_on_load=None, apply_default_css=False)
            fresh = gr.Button("New chat", elem_id="fa-new", size="sm", scale=0)
        chat = gr.Chatbot(
            elem_id="fa-chat", show_label=False, autoscroll=False, layout="panel", buttons=[], height="100%",
            latex_delimiters=[], placeholder="", allow_file_downloads=False,
        )  # fmt: skip
        form = settings.Form()
        mode = gr.HTML("", elem_id="fa-mode", js_on_load=None, apply_default_css=False)
        box = gr.MultimodalTextbox(
            elem_id="fa-box", show_label=False, file_count="multiple", file_types=FILE_TYPES, max_lines=8,
            max_plain_text_length=20_000, placeholder=theme.PLACEHOLDER, autofocus=True,
            html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=True),
        )  # fmt: skip
        clicked = gr.Textbox(elem_id="fa-say", visible="hidden", max_length=4000)
        click = gr.Button("Say", elem_id="fa-say-go", visible="hidden")
        _wire(page, pages, Parts(browser, seen, busy, chat, form, mode, box, clicked, click, fresh))
    return page


class Parts:
    """The components that the wiring knows."""

    def __init__(self, *parts: Any) -> None:
        (self.browser, self.seen, self.busy, self.chat, self.form, self.mode, self.box, self.clicked, self.click,
         self.fresh) = parts  # fmt: skip
        self.shown = [self.chat, self.seen, self.browser, self.mode, *self.form.outputs]


def _wire(page: gr.Blocks, pages: Pages, parts: Parts) -> None:
    """Events -> handlers. Each handler gets the browser's id, so that an open page outlives a server."""

    def look(conversation: str, seen: str, *, force: bool = False) -> list[Any]:
        signature = pages.signature(conversation)
        if signature == seen and not force:
            return [gr.skip()] * len(parts.shown)
        view = pages.view(conversation, signature)
        now = pages.signature(conversation)  # the first drawing finds out which runs are live
        return [
            view,
            now,
            conversation,
            theme.mode(pages.trying(conversation)),
            *parts.form.show(pages.plan(conversation)),
        ]

    def load(stored: Any, request: gr.Request) -> list[Any]:
        asked = dict(request.query_params).get("chat", "") if not stored else ""
        return look(pages.known(stored) or pages.known(asked), "", force=True)

    def tick(stored: Any, seen: str, busy: bool) -> list[Any]:
        if busy:
            return [gr.skip()] * len(parts.shown)
        conversation = pages.known(stored)
        return look(conversation, seen)

    def talk(stored: Any, text: str, files: list[Path], request: gr.Request) -> Iterator[list[Any]]:
        """Two looks: at once the words with the sign of thinking, then the answer."""
        conversation = pages.session.open(pages.known(stored) or None, _visitor(pages, request))
        waiting = [*pages.view(conversation, pages.signature(conversation))] if pages.known(stored) else []
        waiting += [_message(render.Block("user", render.said(text, [path.name for path in files])))]
        waiting += [_message(render.Block("assistant", render.thinking()))]
        idle = [gr.skip()] * (len(parts.shown) - 3)
        yield [waiting, "", conversation, *idle, True]
        pages.say(conversation, text, files, _visitor(pages, request))
        yield [*look(conversation, "", force=True), False]

    def send(message: dict[str, Any] | None, stored: Any, request: gr.Request) -> Iterator[list[Any]]:
        text, files = str((message or {}).get("text") or ""), [Path(str(f)) for f in (message or {}).get("files") or []]
        if not text.strip() and not files:
            yield [gr.skip()] * (len(parts.shown) + 2)
            return
        for step in talk(stored, text, files, request):
            yield [*step, {"text": "", "files": []} if step[-1] else gr.skip()]

    def press(said: str, stored: Any, request: gr.Request) -> Iterator[list[Any]]:
        text, files = _pressed(said)
        if text:
            yield from talk(stored, text, files, request)
        else:
            yield [gr.skip()] * (len(parts.shown) + 1)

    def apply(stored: Any, request: gr.Request, *values: Any) -> Iterator[list[Any]]:
        plan = pages.plan(pages.known(stored))
        sentence = parts.form.sentence(plan, values) if plan is not None else ""
        if sentence:
            yield from talk(stored, sentence, [], request)
        else:
            gr.Info("Nothing was changed in the settings.")
            yield [gr.skip()] * (len(parts.shown) + 1)

    def start_fresh() -> list[Any]:
        return look("", "", force=True)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    slow: dict[str, Any] = {**quiet, "concurrency_limit": ANSWERS_AT_ONCE, "concurrency_id": "answers"}
    told = [*parts.shown, parts.busy]
    address: dict[str, Any] = {"fn": None, "inputs": parts.browser, "js": theme.ADDRESS_JS}
    page.load(load, parts.browser, parts.shown, queue=False, **quiet).then(**address)
    gr.Timer(TICK_SECONDS).tick(tick, [parts.browser, parts.seen, parts.busy], parts.shown, queue=False, **quiet)
    parts.box.submit(send, [parts.box, parts.browser], [*told, parts.box], **slow).then(**address)
    parts.click.click(press, [parts.clicked, parts.browser], told, **slow).then(**address)
    parts.form.apply.click(apply, [parts.browser, *parts.form.inputs], told, **slow)
    parts.fresh.click(start_fresh, None, parts.shown, queue=False, **quiet).then(**address)


def _pressed(said: str) -> tuple[str, list[Path]]:
    """What a click means: a sentence, or an example's sentence with its file. Anything else means nothing."""
    try:
        wish = json.loads(said)
    except ValueError:
        return "", []
    if not isinstance(wish, dict):
        return "", []
    if "example" in wish:
        from assistant.data import examples  # noqa: PLC0415 - pandas comes with it

        example = examples.find(str(wish["example"]))
        return (example.say, [example.path]) if example is not None else ("", [])
    return str(wish.get("say") or "")[:2000], []


def _visitor(pages: Pages, request: gr.Request) -> str | None:
    """Who is counted on a public page: the address that the nearest proxy saw, as a hash."""
    if not pages.session.limits.demo:
        return None
    forwarded = str(request.headers.get("x-forwarded-for") or "").split(",")[-1].strip()
    address = forwarded or (request.client.host if request.client else "")
    return hashlib.sha256(address.encode()).hexdigest()[:32]


# ---------------------------------------------------------------- the server


def launch(session: Session, host: str = "127.0.0.1", port: int | None = 7860, *, block: bool = True) -> Any:
    """Serve the page and work the queue until interrupted; never shared to the internet by itself.

    Args:
        port: None: `GRADIO_SERVER_PORT`, else the first free one from 7860 on.
        block: False: return the server's app at once (for tests).
    """
    page = build(session)
    page.queue(default_concurrency_limit=ANSWERS_AT_ONCE, max_size=200)
    session.worker.start()
    everybody = host in ("0.0.0.0", "::")  # noqa: S104 - asked for by the person who starts it
    hosts = ["*"] if everybody else [*LOCAL_HOSTS, host]
    app, _, _ = page.launch(
        server_name=host, server_port=port, prevent_thread_lock=True, share=False, quiet=True, inbrowser=False,
        show_error=False, footer_links=[], run_history=False, enable_monitoring=False, ssr_mode=False, pwa=False,
        mcp_server=False, theme=theme.theme(), css=theme.CSS, head=theme.HEAD, blocked_paths=[str(session.home.root)],
        max_file_size=session.limits.upload_bytes, strict_cors=True,
        app_kwargs={
            "middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
            "routes": downloads.routes(session),
            "docs_url": None, "redoc_url": None, "openapi_url": None,
        },
    )  # fmt: skip
    if block:
        page.block_thread()
    return app
