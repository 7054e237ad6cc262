"""A small real server that speaks the chat-completions protocol, well or badly: one prepared response a request.

with Endpoint([calls("change", {"training.epochs": 6})]) as server:
    reader = server.reader()
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from assistant.chat.llm import SecondReader, endpoint

#: What a response does: writes to the handler whatever it likes.
Response = Callable[[BaseHTTPRequestHandler], None]
KEY = "sk-a-secret-that-nobody-may-see"


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def completion(message: dict[str, Any]) -> Response:
    body = json.dumps({"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": message}]})
    return lambda handler: send(handler, body.encode())


def calls(intent: str, slots: dict[str, Any] | None = None, name: str = "answer") -> Response:
    """A call of the function, as OpenAI sends it: the arguments are a string."""
    arguments = json.dumps({"intent": intent, "slots": slots or {}})
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}
    return completion({"role": "assistant", "content": None, "tool_calls": [call]})


def says(content: Any) -> Response:
    """Plain text as the answer."""
    return completion({"role": "assistant", "content": content})


def raw(body: bytes) -> Response:
    return lambda handler: send(handler, body)


def fails(status: int, **headers: str) -> Response:
    return lambda handler: send(handler, b'{"error": {"message": "a detail of the server"}}', status, **headers)


def waits(seconds: float) -> Response:
    """Nothing for a while, then a good answer."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        calls("help")(handler)

    return respond


def drips(seconds: float) -> Response:
    """A response that comes byte by byte, each in time."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)

    return respond


class Endpoint:
    """The server, in a thread. `requests` holds what it was sent, `headers` the headers that came with it."""

    def __init__(self, responses: Sequence[Response]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        prepared = list(responses)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                outer.requests.append(json.loads(self.rfile.read(length)))
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                outer.paths.append(self.path)
                respond = prepared.pop(0) if len(prepared) > 1 else prepared[0]
                with contextlib.suppress(OSError):  # the reader hung up
                    respond(self)

            def do_GET(self) -> None:  # a redirect that is followed comes as a GET
                outer.paths.append(self.path)
                calls("start")(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Endpoint:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reader(self, seconds: float = 5.0, pause: float = 30.0) -> SecondReader:
        return SecondReader(endpoint(self.address, "tiny-reader", KEY), seconds=seconds, pause=pause)

    @property
    def text(self) -> str:
        """Everything that was sent, as text."""
        return json.dumps(self.requests, ensure_ascii=False)
