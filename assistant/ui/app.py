"""The page: layout and wiring only. What it shows comes from the session and is drawn by `render`.

    launch(Session(home), host="127.0.0.1", port=7860)

The conversation lives in the session; a page holds its id (browser storage, with the address as a second carrier) and
asks every three seconds whether something changed. A reload, a second tab or a new server show the same conversation.
"""

from __future__ import annotations

import atexit
import contextvars
import functools
import hashlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
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
from assistant.session import Session  # noqa: E402
from assistant.ui import downloads, render, settings, theme  # noqa: E402
from assistant.ui.pages import Drawn, Pages  # noqa: E402

log = logging.getLogger(__name__)

#: Seconds between two looks at the session.
TICK_SECONDS = 3.0
#: Seconds between two looks while an answer is being made: only a download shows in between.
LOOK_SECONDS = 0.5
#: Answers that are prepared at the same time; each may read a file or wait for a model.
ANSWERS_AT_ONCE = 8
STORAGE_KEY = "finetune-assistant-chat"
LOCAL_HOSTS = ["127.0.0.1", "localhost", "[::1]", "::1"]


#: What the browser needs of a `gr.HTML` component; each further property costs every page at every change.
_PROPERTIES = (
    "value", "html_template", "css_template", "js_on_load", "apply_default_css", "visible", "elem_classes", "props",
)  # fmt: skip


class Drawing:
    """Blocks -> messages of `gr.Chatbot`: plain HTML without a script, from one component that is made once."""

    def __init__(self) -> None:
        component = gr.HTML("", js_on_load=None, apply_default_css=False, render=False)
        self._properties = {name: component.get_config()[name] for name in _PROPERTIES}

    def message(self, block: render.Block) -> dict[str, Any]:
        """One message, in the form that Gradio gives a component in a chat."""
        content = {
            "type": "component",
            "component": "html",
            "value": block.html,
            "constructor_args": {},
            "props": {**self._properties, "value": block.html},
        }
        return {"role": block.role, "content": [content]}


# ---------------------------------------------------------------- the page


def build(session: Session) -> gr.Blocks:
    """The page of a session."""
    pages = Pages(session)
    with gr.Blocks(
        title="Finetune Assistant", analytics_enabled=False, fill_height=True, delete_cache=(600, 3600)
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
        mic = gr.Audio(
            elem_id="fa-mic", sources=["microphone"], type="filepath", format="wav", visible=False,
            interactive=True, buttons=[], label="Record something for the model",
        )  # fmt: skip
        box = gr.MultimodalTextbox(
            elem_id="fa-box", show_label=False, file_count="multiple", max_lines=8,
            max_plain_text_length=20_000, placeholder=theme.PLACEHOLDER, autofocus=True,
            html_attributes=gr.InputHTMLAttributes(autocomplete="off", spellcheck=True),
        )  # fmt: skip
        if session.reader is not None:
            told = theme.reader(session.reader.endpoint.model, session.reader.endpoint.host)
            gr.HTML(told, elem_id="fa-reader", js_on_load=None, apply_default_css=False)
        clicked = gr.Textbox(elem_id="fa-say", visible="hidden", max_length=4000)
        click = gr.Button("Say", elem_id="fa-say-go", visible="hidden")
        _wire(page, pages, Parts(browser, seen, busy, chat, form, mode, mic, box, clicked), click, fresh)
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
    mic: gr.Audio  # only while a model that listens is tried
    box: gr.MultimodalTextbox
    clicked: gr.Textbox

    @property
    def shown(self) -> list[Any]:
        """Outputs of a look at the session."""
        return [self.chat, self.seen, self.browser, self.mode, self.mic, *self.form.outputs]


class Handlers:
    """Events -> updates. Each gets the browser's id, so that an open page outlives its server."""

    def __init__(self, pages: Pages, parts: Parts) -> None:
        self._pages = pages
        self._parts = parts
        self._drawing = Drawing()

    def _nothing(self, more: int = 0) -> list[Any]:
        return [gr.skip()] * (len(self._parts.shown) + more)

    def _look(self, conversation: str, seen: str | None = None) -> list[Any]:
        """Updates for `Parts.shown`; none when the page shows it already."""
        now = self._pages.look(conversation)
        if now.signature == seen:
            return self._nothing()
        view = [self._drawing.message(block) for block in now.blocks]
        if seen is not None and seen.startswith(f"[{now.version}, ") and not now.over:
            return [view, now.signature, *[gr.skip()] * (len(self._parts.shown) - 2)]  # only a run has moved
        plan = None if now.live or now.trying else now.plan
        mode, listens = theme.mode(now.trying, now.tries), now.trying and now.tries == "audio"
        mic = gr.update(visible=True) if listens else gr.update(visible=False, value=None)
        return [view, now.signature, conversation, mode, mic, *self._parts.form.show(plan)]

    def load(self, stored: Any, request: gr.Request) -> list[Any]:
        """A page opens. The address counts only where the browser remembers nothing: no link may plant a chat."""
        asked = "" if stored else dict(request.query_params).get("chat", "")
        return self._look(self._pages.known(stored) or self._pages.known(asked))

    def tick(self, stored: Any, seen: str, busy: bool) -> list[Any]:
        """Three seconds went by."""
        return self._nothing() if busy else self._look(self._pages.known(stored), seen)

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

    def hear(self, recording: str | None, stored: Any, request: gr.Request) -> Iterator[list[Any]]:
        """Something was recorded for the model that is tried."""
        if not recording:
            yield self._nothing(1)
            return
        place = self._parts.shown.index(self._parts.mic)
        for updates in self._talk(stored, "", [Path(recording)], request):
            updates[place] = gr.update(value=None)  # ready for the next one
            yield updates

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
        visitor = _visitor(pages.session, request) if request is not None else None
        known = pages.known(stored)
        conversation = known or pages.session.open(None, visitor)
        blocks = [*pages.look(known).blocks] if known and pages.look(known).messages else []
        blocks.append(render.Block("user", render.said(text, [path.name for path in files])))
        blocks.append(render.Block("assistant", render.thinking()))
        waiting = [self._drawing.message(block) for block in blocks]
        yield [waiting, "", conversation, *[gr.skip()] * (len(self._parts.shown) - 3), True]
        for now in self._meanwhile(conversation, text, files, visitor):
            shown = [
                self._drawing.message(block) for block in [*now.blocks, render.Block("assistant", render.thinking())]
            ]
            yield [shown, "", conversation, *[gr.skip()] * (len(self._parts.shown) - 3), True]
        yield [*self._look(conversation), False]

    def _meanwhile(self, conversation: str, text: str, files: list[Path], visitor: str | None) -> Iterator[Drawn]:
        """Say it; yields the conversation each time that a download which it set off has moved."""
        here = contextvars.copy_context()  # so that notices find their page
        say = functools.partial(here.run, _say, self._pages.session, conversation, text, files, visitor)
        saying = threading.Thread(target=say, daemon=True)
        saying.start()
        seen = ""
        while saying.is_alive():
            saying.join(LOOK_SECONDS)
            now = self._pages.look(conversation)
            if now.download is not None and now.signature != seen:
                seen = now.signature
                yield now


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
    parts.mic.stop_recording(handlers.hear, [parts.mic, parts.browser], told, **slow).then(**address)
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


def _say(session: Session, conversation: str, text: str, files: list[Path], visitor: str | None) -> None:
    """Say it; whatever goes wrong becomes a notice, never a stack trace on the page."""
    try:
        session.say(conversation, text, files, visitor=visitor)
    except PlainError as error:
        gr.Warning(render.keep(error.text()), title="Not done")
    except Exception:
        log.exception("an answer failed")
        gr.Warning("Something in the assistant itself went wrong. Nothing is lost; the details are in its log.")


def _visitor(session: Session, request: gr.Request) -> str | None:
    """Who is counted on a public page: the address that the nearest proxy saw, as a hash."""
    if not session.limits.demo:
        return None
    forwarded = str(request.headers.get("x-forwarded-for") or "").split(",")[-1].strip()
    address = forwarded or (request.client.host if request.client else "")
    return hashlib.sha256(address.encode()).hexdigest()[:32]


# ---------------------------------------------------------------- the server


def launch(session: Session, host: str = "127.0.0.1", port: int | None = 7860, *, block: bool = True) -> Any:
    """Serve the page and work the queue until interrupted; never shared to the internet by itself.

    Args:
        port: None: `GRADIO_SERVER_PORT`, else the first free one from 7860 on.
        block: False: return the server's app at once.

    Raises:
        PlainError: port-taken.
    """
    if block:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that everything is closed in order
    _keep_uploads_private()
    session.apart = True
    page = build(session)
    page.queue(default_concurrency_limit=ANSWERS_AT_ONCE, max_size=200)
    try:
        app, address, _ = page.launch(
            server_name=host, server_port=port, prevent_thread_lock=True, share=False, quiet=True, inbrowser=False,
            show_error=False, footer_links=[], run_history=False, enable_monitoring=False, ssr_mode=False, pwa=False,
            mcp_server=False, theme=theme.theme(), css=theme.CSS, head=theme.HEAD, strict_cors=True,
            blocked_paths=[str(session.home.root)], max_file_size=session.limits.upload_bytes,
            app_kwargs=_server_options(session, host),
        )  # fmt: skip
    except OSError as error:
        raise PlainError(
            "port-taken",
            f"The page cannot be served at {host}, port {port if port is not None else 'any'}.",
            "Most likely another program, or another Finetune Assistant, uses that port.",
            f"Open that one, or choose another port: finetune-assistant --port {(port or 7860) + 1}",
        ) from error
    session.worker.start()
    if block:
        sys.stdout.write(f"Finetune Assistant is open at {address}\nPress Ctrl-C to close it; a run goes on.\n")
        sys.stdout.flush()
        page.block_thread()
    return app


def _keep_uploads_private() -> None:
    """Gradio's own place for uploads is one folder that every user of the machine can read: take one of our own.

    The session keeps its copy in the home, so that this one goes with the process.
    """
    if "GRADIO_TEMP_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="finetune-assistant-uploads-")
        os.environ["GRADIO_TEMP_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _server_options(session: Session, host: str) -> dict[str, Any]:
    """Which hosts are answered (against DNS rebinding at home), the downloads, and no public description of the API."""
    everybody = host in ("0.0.0.0", "::")  # asked for by whoever starts it so
    hosts = ["*"] if everybody else [*LOCAL_HOSTS, host]
    return {
        "middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        "routes": downloads.routes(session),
        "docs_url": None,
        "redoc_url": None,
        "openapi_url": None,
    }
