"""The optional second reader: an OpenAI-compatible endpoint fills the same intents, for what the offline reader finds
unclear. Only the server's owner sets it; a chat message never can.

    reader = from_environment()        # None where it is not set: then nothing is ever sent
    reader.read(text, state)           # an Intent, or None: the offline reader's answer stands

It never raises, takes `SECONDS` at most with its one retry, follows no redirect, and logs neither key nor answers.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import logging
import os
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.chat import second
from assistant.chat.turns import FileCard, Intent, State
from assistant.errors import PlainError

log = logging.getLogger(__name__)

URL_VARIABLE = "FINETUNE_ASSISTANT_READER_URL"
MODEL_VARIABLE = "FINETUNE_ASSISTANT_READER_MODEL"
KEY_VARIABLE = "FINETUNE_ASSISTANT_READER_KEY"

#: Seconds for one message, retry included: as long as a person waits for an answer without wondering.
SECONDS = 8.0
#: After an endpoint failed it is left alone for so long, so that a dead one does not slow every message down.
PAUSE_SECONDS = 30.0
#: Bytes of a response that are read; an answer has some hundred.
MAX_BYTES = 64 * 1024
#: Questions at the same time, and in a minute: a public page must not run up a bill.
AT_ONCE, A_MINUTE = 4, 30
#: Statuses of an endpoint that knows no forced tool call, or not with these settings; it is asked by JSON Schema then.
_NO_TOOLS = (400, 422, 501)


@dataclass(frozen=True)
class Endpoint:
    """Where the second reader is: the address up to and including `/chat/completions`, the model's name, the key."""

    url: str
    model: str
    key: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        """Host and port, for people."""
        return urllib.parse.urlsplit(self.url).netloc


class Unusable(Exception):
    """The endpoint gave no answer; the reason holds nothing that it sent. `status`: of HTTP, 0 without one."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


# ---------------------------------------------------------------- what the owner sets


def from_environment(url: str | None = None, model: str | None = None) -> SecondReader | None:
    """The second reader of the three variables; None where no address is set.

    Args:
        url, model: the options of the command, which beat the variables. The key comes from its variable alone,
            because options can be seen by every user of the machine.

    Raises:
        PlainError: reader-settings.
    """
    address = (url or os.environ.get(URL_VARIABLE, "")).strip()
    if not address:
        return None
    name = (model or os.environ.get(MODEL_VARIABLE, "")).strip()
    return SecondReader(endpoint(address, name, os.environ.get(KEY_VARIABLE, "").strip()))


def endpoint(address: str, model: str, key: str = "") -> Endpoint:
    """The endpoint of a base address such as `http://127.0.0.1:11434/v1`.

    Raises:
        PlainError: reader-settings; the sentence never holds the key.
    """
    parts = _split(address)
    if not model or len(model) > 200 or not model.isprintable():
        raise _wrong(
            f"{MODEL_VARIABLE} names no model.", "Set it to the name under which the endpoint knows its model."
        )
    if key and not re.fullmatch(r"[!-~]{1,4000}", key):
        raise _wrong(f"{KEY_VARIABLE} holds a space or an unusual character.", "Set it to the key alone.")
    if key and parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise _wrong(f"{KEY_VARIABLE} would go to {parts.hostname} unencrypted.", "Use an address with https://.")
    path = parts.path.rstrip("/")
    path = path if path.endswith("/chat/completions") else path + "/chat/completions"
    return Endpoint(urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, parts.query, "")), model, key)


def _split(address: str) -> urllib.parse.SplitResult:
    expected = "Set it to an address such as http://127.0.0.1:11434/v1."
    try:
        parts = urllib.parse.urlsplit(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or not re.fullmatch(r"[!-~]{1,1000}", address):
        raise _wrong(f"{URL_VARIABLE} is not an address of the web.", expected)
    if parts.username is not None or parts.password is not None:
        raise _wrong(f"{URL_VARIABLE} holds a name or a password.", f"Leave it out there, and set {KEY_VARIABLE}.")
    return parts


def _wrong(what: str, fix: str) -> PlainError:
    return PlainError("reader-settings", what, "The second reader needs an address and a model.", fix)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


# ---------------------------------------------------------------- the reader


class SecondReader:
    """Asks the endpoint. Safe for threads.

    Args:
        seconds: for one message, retry included.
        pause: seconds of rest after the endpoint failed.
    """

    def __init__(self, endpoint: Endpoint, *, seconds: float = SECONDS, pause: float = PAUSE_SECONDS) -> None:
        self.endpoint = endpoint
        self._seconds = seconds
        self._pause = pause
        self._rests_until = 0.0
        self._tools = True  # until the endpoint refuses them
        self._asked: deque[float] = deque()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        handlers: list[Any] = [_NoRedirect()]
        if _is_this_machine(urllib.parse.urlsplit(endpoint.url).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy has its own idea of 127.0.0.1
        self._opener = urllib.request.build_opener(*handlers)

    def read(self, text: str, state: State, files_now: Sequence[FileCard] = ()) -> Intent | None:
        """What a message wants; None where the endpoint does not help, for whatever reason."""
        if not self._may_ask():
            return None
        try:
            return self._answer(text, state, files_now)
        except Unusable as error:
            self._rests_until = time.monotonic() + self._pause
            reason = str(error)
        except second.Fault:
            reason = "its answers did not fit, even after a second try"
        except Exception as error:  # noqa: BLE001 - an optional helper must not break an answer; its text may hold the key
            reason = f"an unexpected {type(error).__name__}"
        log.warning("the second reader at %s did not help: %s", self.endpoint.host, reason)
        return None

    def _may_ask(self) -> bool:
        now = time.monotonic()
        with self._lock:
            while self._asked and now - self._asked[0] > 60:
                self._asked.popleft()
            if now < self._rests_until or len(self._asked) >= A_MINUTE:
                return False
            self._asked.append(now)
            return True

    def _answer(self, text: str, state: State, files_now: Sequence[FileCard]) -> Intent:
        """One question, and one more with what was wrong."""
        until = time.monotonic() + self._seconds
        told, said = second.messages(text, state, files_now), ""
        try:
            said = self._ask(told, until)
            return second.checked(parsed(said), text, state, files_now)
        except Unusable as error:
            if error.status not in _NO_TOOLS or not self._tools:
                raise
            self._tools = False
        except second.Fault as fault:
            wrong = f"That does not fit: {str(fault)[:1500]}. Answer again, in the form that was asked for."
            told += [{"role": "assistant", "content": said[:2000]}] if said else []
            told += [{"role": "user", "content": wrong}]
        return second.checked(parsed(self._ask(told, until)), text, state, files_now)

    def _ask(self, messages: list[dict[str, str]], until: float) -> str:
        """One request; the text of the answer, which should be JSON.

        Raises:
            Unusable: there is none in time.
            second.Fault: the response is not of the protocol.
        """
        body: dict[str, Any] = {"model": self.endpoint.model, "messages": messages, "stream": False}
        if self._tools:
            function = {"name": "answer", "description": "What the person wants.", "parameters": second.schema()}
            body |= {
                "temperature": 0,
                "tools": [{"type": "function", "function": function}],
                "tool_choice": {"type": "function", "function": {"name": "answer"}},
            }
        else:
            form = {"name": "answer", "schema": second.schema()}
            body |= {"response_format": {"type": "json_schema", "json_schema": form}}
        return content_of(self._post(json.dumps(body).encode(), until))

    def _post(self, body: bytes, until: float) -> bytes:
        """Send it and wait. In a thread, because a name lookup and slow headers obey no time limit."""
        if not self._places.acquire(blocking=False):
            raise Unusable(f"{AT_ONCE} questions are waiting already")
        found: list[bytes | Unusable] = []
        thread = threading.Thread(target=self._call, args=(body, until, found), daemon=True)
        thread.start()
        thread.join(max(0.0, until - time.monotonic()))
        if not found:
            raise Unusable(f"no answer within {self._seconds:g} seconds")
        if isinstance(found[0], Unusable):
            raise found[0]
        return found[0]

    def _call(self, body: bytes, until: float, found: list[bytes | Unusable]) -> None:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "finetune-assistant"}
        if self.endpoint.key:
            headers["Authorization"] = f"Bearer {self.endpoint.key}"
        request = urllib.request.Request(self.endpoint.url, data=body, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=max(0.05, until - time.monotonic())) as response:
                found.append(_limited(response, until))
        except Unusable as error:
            found.append(error)
        except urllib.error.HTTPError as error:
            error.close()
            found.append(Unusable(f"HTTP status {error.code}", error.code))
        except (OSError, ValueError, http.client.HTTPException) as error:
            found.append(Unusable(f"no connection ({type(error).__name__})"))
        finally:
            self._places.release()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Requests, and the key, go to the one address that the owner named."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None makes the redirect an error."""


def _limited(response: Any, until: float) -> bytes:
    """The body, up to a size and a time."""
    parts: list[bytes] = []
    size = 0
    while part := response.read1(16 * 1024):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise Unusable(f"a response of more than {MAX_BYTES // 1024} kB")
        if time.monotonic() > until:
            raise Unusable("a response that does not end")
    return b"".join(parts)


# ---------------------------------------------------------------- the protocol


def content_of(body: bytes) -> str:
    """The arguments of the call of `answer`, else the text, of a chat completion.

    Raises:
        second.Fault: it is none.
    """
    try:
        message = json.loads(body)["choices"][0]["message"]
        calls = message.get("tool_calls") or []
        arguments = next((one["function"]["arguments"] for one in calls if one["function"]["name"] == "answer"), None)
        found = arguments if arguments is not None else message.get("content")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise second.Fault("the response is no chat completion") from error
    if isinstance(found, dict):  # some servers send the arguments parsed
        return json.dumps(found)
    if not isinstance(found, str) or not found.strip():
        raise second.Fault("the function `answer` was not called")
    return found


def parsed(said: str) -> Any:
    """The JSON object in an answer; fences, and thoughts before it, are left aside.

    Raises:
        second.Fault: there is none.
    """
    plain = re.sub(r"<think>.*?</think>", "", said, flags=re.DOTALL)
    start, end = plain.find("{"), plain.rfind("}")
    try:
        return json.loads(plain[start : end + 1] if 0 <= start < end else plain, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise second.Fault("the answer is not one JSON object") from error


def _no_number(name: str) -> Any:
    raise ValueError(name)
