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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.ui import quick

quick.install()

import gradio as gr  # noqa: E402 - after the hook that shortens its import
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: E402

from assistant.data import examples  # noqa: E402
from assistant.errors import PlainError  # noqa: E402
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
    """What all open pages share: the session, and the conversations as last drawn."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.examples = _examples()
        self._drawn: OrderedDict[str, tuple[str, View]] = OrderedDict()
        self._live: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def known(self, conversation: object) -> str:
        """The conversation's id if there is such a one, else ""; what a page or an address says is never trusted."""
        try:
            self.session.state(str(conversation or ""))
        except PlainError:
            return ""
        return str(conversation)

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
        if messages:
            blocks = render.view(messages, runs, chat=conversation)
        else:
            blocks = [render.Block("assistant", render.welcome(self.examples, demo=self.session.limits.demo))]
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

    def is_live(self, conversation: str) -> bool:
        """Whether a run of the conversation goes on or waits, as of the last drawing."""
        return bool(self._live.get(conversation))

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
    shipped = {name: examples.example(name) for name in examples.example_names()}
    return [render.Example(name, one.title, one.description) for name, one in shipped.items()]


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
        _wire(page, pages, Parts(browser, seen, busy, chat, form, mode, box, clicked), click, fresh)
    return page


@dataclass(frozen=True)
class Parts:
    """The components that the handlers fill."""

    browser: gr.BrowserState
    seen: gr.State  # the signature of what this page shows
    busy: gr.State  # whether an answer is on its way: ticks leave the sign of thinking alone
    chat: gr.Chatbot
    form: settings.Form
    mode: gr.HTML
    box: gr.MultimodalTextbox
    clicked: gr.Textbox

    @property
    def shown(self) -> list[Any]:
        """Outputs of a look at the session."""
        return [self.chat, self.seen, self.browser, self.mode, *self.form.outputs]


class Handlers:
    """Events -> updates. Each gets the browser's id, so that an open page outlives its server."""

    def __init__(self, pages: Pages, parts: Parts) -> None:
        self._pages = pages
        self._parts = parts

    def _nothing(self, more: int = 0) -> list[Any]:
        return [gr.skip()] * (len(self._parts.shown) + more)

    def _look(self, conversation: str, seen: str | None = None) -> list[Any]:
        """Updates for `Parts.shown`; none when the page shows it already."""
        pages, form = self._pages, self._parts.form
        signature = pages.signature(conversation)
        if signature == seen:
            return self._nothing()
        view = pages.view(conversation, signature)
        signature = pages.signature(conversation)  # now that it is known which runs are live
        state = pages.session.state(conversation) if conversation else None
        changeable = state is not None and not state.trying and not pages.is_live(conversation)
        plan = state.plan if state is not None and changeable else None
        return [view, signature, conversation, theme.mode(state is not None and state.trying), *form.show(plan)]

    def load(self, stored: Any, request: gr.Request) -> list[Any]:
        """A page opens. The address counts only where the browser remembers nothing: no link may plant a chat."""
        asked = "" if stored else dict(request.query_params).get("chat", "")
        return self._look(self._pages.known(stored) or self._pages.known(asked))

    def tick(self, stored: Any, seen: str, busy: bool) -> list[Any]:
        """Two seconds went by."""
        if busy or (isinstance(stored, str) and self._pages.signature(stored) == seen):
            return self._nothing()  # the usual case, kept cheap: every open page asks
        return self._look(self._pages.known(stored), seen)

    def fresh(self) -> list[Any]:
        """A new chat; the old one stays in the home."""
        return self._look("")

    def send(self, message: dict[str, Any] | None, stored: Any, request: gr.Request) -> Iterator[list[Any]]:
        """The box was sent."""
        message = message or {}
        text, files = str(message.get("text") or ""), [Path(str(file)) for file in message.get("files") or []]
        if not text.strip() and not files:
            yield self._nothing(2)
            return
        for count, updates in enumerate(self._talk(stored, text, files, request)):
            yield [*updates, {"text": "", "files": []} if count == 0 else gr.skip()]

    def press(self, said: str, stored: Any, request: gr.Request) -> Iterator[list[Any]]:
        """A button inside a card was clicked."""
        text, files = _pressed(said)
        if text:
            yield from self._talk(stored, text, files, request)
        else:
            yield self._nothing(1)

    def apply(self, stored: Any, *values: Any) -> Iterator[list[Any]]:
        """The settings form was applied: its changes are said as a sentence."""
        conversation = self._pages.known(stored)
        plan = self._pages.session.state(conversation).plan if conversation else None
        sentence = self._parts.form.sentence(plan, values) if plan is not None else ""
        if sentence:
            yield from self._talk(conversation, sentence, [], None)
        else:
            gr.Info("Nothing was changed in the settings.")
            yield self._nothing(1)

    def _talk(self, stored: Any, text: str, files: list[Path], request: gr.Request | None) -> Iterator[list[Any]]:
        """Two updates: at once the words with the sign of thinking, then the answer."""
        pages = self._pages
        visitor = _visitor(pages, request) if request is not None else None
        known = pages.known(stored)
        conversation = known or pages.session.open(None, visitor)
        said = render.said(text, [path.name for path in files])
        waiting = [*pages.view(known, pages.signature(known))] if known else []
        waiting += [_message(render.Block("user", said)), _message(render.Block("assistant", render.thinking()))]
        yield [waiting, "", conversation, *[gr.skip()] * (len(self._parts.shown) - 3), True]
        pages.say(conversation, text, files, visitor)
        yield [*self._look(conversation), False]


def _wire(page: gr.Blocks, pages: Pages, parts: Parts, click: gr.Button, fresh: gr.Button) -> None:
    """Which event calls which handler."""
    handlers = Handlers(pages, parts)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    quick: dict[str, Any] = {**quiet, "queue": False}
    slow: dict[str, Any] = {**quiet, "concurrency_limit": ANSWERS_AT_ONCE, "concurrency_id": "answers"}
    told = [*parts.shown, parts.busy]
    address: dict[str, Any] = {"fn": None, "inputs": parts.browser, "js": theme.ADDRESS_JS}
    page.load(handlers.load, parts.browser, parts.shown, **quick).then(**address)
    timer = gr.Timer(TICK_SECONDS)
    timer.tick(handlers.tick, [parts.browser, parts.seen, parts.busy], parts.shown, **quick)
    parts.box.submit(handlers.send, [parts.box, parts.browser], [*told, parts.box], **slow).then(**address)
    click.click(handlers.press, [parts.clicked, parts.browser], told, **slow).then(**address)
    parts.form.apply.click(handlers.apply, [parts.browser, *parts.form.inputs], told, **slow)
    fresh.click(handlers.fresh, None, parts.shown, **quick).then(**address)


def _pressed(said: str) -> tuple[str, list[Path]]:
    """What a click means: a sentence, or an example's sentence with its file. Anything else means nothing."""
    try:
        wish = json.loads(said)
    except ValueError:
        return "", []
    if not isinstance(wish, dict):
        return "", []
    if "example" in wish:
        name = str(wish["example"])
        if name not in examples.example_names():
            return "", []
        chosen = examples.example(name)
        return chosen.request, [chosen.path]
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
    everybody = host in ("0.0.0.0", "::")
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
