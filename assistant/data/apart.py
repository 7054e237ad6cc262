"""Work on files in a process of its own: its memory goes back when it ends, and a file that kills it kills only it.

    call("look", {"path": "spam.csv", "name": "spam.csv"})       the same as `desk.perform`, in some 1.5 s more

Importing this is cheap: pandas and all that reads files are imported in the child alone.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from assistant.errors import PlainError

log = logging.getLogger(__name__)

#: Seconds that one request may take; 100,000 rows take some 20.
SECONDS = 300.0
#: Requests at once; more wait. Each child needs up to some hundred megabytes.
AT_ONCE = 2

_ROOT = str(Path(__file__).resolve().parents[2])  # where the package lies
_turn = threading.BoundedSemaphore(AT_ONCE)


def call(action: str, arguments: dict[str, Any], seconds: float = SECONDS) -> dict[str, Any]:
    """Let a child perform an action of the desk.

    Raises:
        PlainError: what the action raised; took-too-long; file-too-large, when the child was ended for want of memory.
    """
    command = [sys.executable, "-W", "ignore", "-m", "assistant.data"]
    request = json.dumps({"action": action, "arguments": arguments}).encode()
    shown = str(arguments.get("name") or arguments.get("dataset") or "The file")[:200]
    with _turn:
        try:
            done = subprocess.run(
                command, input=request, capture_output=True, env=_environment(), cwd=_ROOT, timeout=seconds,
                start_new_session=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise PlainError(
                "took-too-long",
                f"{shown} was not read within {seconds:.0f} seconds, so I stopped.",
                "Some ten thousand rows take a few seconds.",
                "Bring a part of it: some thousand rows are often enough.",
            ) from None
    return _answer(done, shown)


def _answer(done: subprocess.CompletedProcess[bytes], shown: str) -> dict[str, Any]:
    trace = done.stderr.decode("utf-8", "replace")
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout)
        if "error" in answer:
            raise PlainError(**answer["error"])
        return answer
    if done.returncode in (-9, 137) or "MemoryError" in trace[-500:]:
        raise PlainError(
            "file-too-large",
            f"{shown} needs more memory than this machine has left, so reading it was ended.",
            "",
            "Bring a part of it, or close other programs and try again.",
        )
    log.error("reading %s ended with code %s:\n%s", shown, done.returncode, trace[-5000:])
    raise PlainError(
        "file-unreadable",
        f"Reading {shown} failed in a way that I did not expect (exit code {done.returncode}).",
        "The details are in the assistant's log.",
        "Save it in another form, CSV for instance, and add that.",
    )


def _environment() -> dict[str, str]:
    child = {name: value for name, value in os.environ.items() if name != "FINETUNE_ASSISTANT_READER_KEY"}
    child["PYTHONPATH"] = os.pathsep.join(part for part in (_ROOT, child.get("PYTHONPATH", "")) if part)
    child["PYTHONSAFEPATH"] = "1"
    child["PYTHONUTF8"] = "1"
    child["HF_HUB_DISABLE_TELEMETRY"] = "1"
    return child
