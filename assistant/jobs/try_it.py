"""Try it: holds one `recipes.predict` process for the model being tried, and lets it go when nobody asks for a while.

The model stays in the memory of that process, so the second answer takes milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.errors import PlainError
from assistant.jobs import launchers

#: Seconds without a question after which the model is let go.
IDLE_SECONDS = 300.0
#: Seconds that loading a model, and one answer, may take.
LOAD_SECONDS = 180.0
ANSWER_SECONDS = 120.0
#: What may be asked at once, and how long one input may be (characters; models read far less).
MAX_INPUTS = 1000
MAX_CHARACTERS = 100_000


class TryIt:
    """At most one prediction process. Safe for several threads: questions wait for each other."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS, module: str = "recipes.predict") -> None:
        self._idle_seconds = idle_seconds
        self._module = module
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._run_dir: Path | None = None
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._timer: threading.Timer | None = None

    def ask(self, run_dir: Path, inputs: Sequence[str | dict[str, Any]]) -> list[dict[str, Any]]:
        """One answer an input, in order: `{"input", "prediction", "scores"}`.

        Args:
            inputs: texts, or `{column: text}` where the model reads several columns, or such a one under "inputs" with
                "explain" beside it.

        Raises:
            PlainError: the model cannot be loaded, an input is too long, or an answer takes too long.
        """
        if len(inputs) > MAX_INPUTS:
            raise PlainError("too-many-inputs", f"{len(inputs):,} inputs at once; up to {MAX_INPUTS:,} are taken.",
                             fix="Use `finetune-assistant evaluate` for a whole file.")  # fmt: skip
        if any(len(json.dumps(one)) > MAX_CHARACTERS for one in inputs):
            raise PlainError("message-too-long", f"An input is longer than {MAX_CHARACTERS:,} characters.",
                             fix="Send a shorter text.")  # fmt: skip
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            try:
                if self._run_dir != run_dir or self._process is None or self._process.poll() is not None:
                    self._open(run_dir)
                return [self._answer(one) for one in inputs]
            except PlainError:
                self.close()
                raise
            finally:
                self._wait_for_idle()

    def close(self, run_dir: Path | None = None) -> None:
        """Let the model go; with `run_dir`, only when it is that run's."""
        with self._lock:
            if run_dir is not None and run_dir != self._run_dir:
                return
            if self._timer is not None:
                self._timer.cancel()
            process, self._process, self._run_dir = self._process, None, None
            if process is None:
                return
            with contextlib.suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait_for_idle(self) -> None:
        if self._process is not None:
            self._timer = threading.Timer(self._idle_seconds, self.close)
            self._timer.daemon = True
            self._timer.start()

    def _open(self, run_dir: Path) -> None:
        self.close()
        with (run_dir / "predict.log").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", self._module, str(run_dir)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=run_dir,
                env=launchers.environment(),
                start_new_session=True,  # Ctrl-C in a terminal is for us
            )
        self._process, self._run_dir, self._lines = process, run_dir, queue.Queue()
        threading.Thread(target=_read_lines, args=(process, self._lines), daemon=True).start()
        self._next(LOAD_SECONDS)  # {"ready": true}

    def _answer(self, one: str | dict[str, Any]) -> dict[str, Any]:
        question: dict[str, Any] = {"text": one} if isinstance(one, str) else {"inputs": one}
        if isinstance(one, dict) and isinstance(one.get("inputs"), dict):
            question = dict(one)  # with something besides, as "explain"
        process = self._process
        try:
            if process is None or process.stdin is None:
                raise BrokenPipeError
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            pass  # it has died: the reader tells how
        return self._next(ANSWER_SECONDS)

    def _next(self, seconds: float) -> dict[str, Any]:
        process, run_dir = self._process, self._run_dir
        if process is None or run_dir is None:
            raise PlainError("process-died", "The model has been let go.", fix="Ask again.")
        while True:
            try:
                line = self._lines.get(timeout=seconds)
            except queue.Empty:
                raise PlainError("took-too-long", f"The model did not answer within {seconds:.0f} seconds.",
                                 fix="Try a shorter text, or try again.") from None  # fmt: skip
            if line is None:
                raise launchers.died("predict", process.wait(), run_dir / "predict.log")
            try:
                answer = json.loads(line)
            except ValueError:
                continue  # a library that prints: not an answer
            if isinstance(answer, dict):
                launchers.raise_told(answer)
                return answer


def _read_lines(process: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]) -> None:
    """Move a process's lines into a queue, so that waiting for one can have a limit. None: it has closed its output."""
    if process.stdout is not None:
        with process.stdout:
            for line in process.stdout:
                lines.put(line)
    lines.put(None)
