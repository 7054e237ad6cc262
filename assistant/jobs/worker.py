"""The worker: claims one queued run at a time, launches it, watches it, and records its end.

It keeps no state of its own: a worker that starts (again) finds the runs that go on by `process.json` and goes on
watching them. One process works a home at a time; a lock that the system frees when its holder dies decides which.
"""

from __future__ import annotations

import logging
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from assistant.errors import PlainError
from assistant.jobs import launchers, rundir
from assistant.jobs.home import Home
from assistant.jobs.launchers import Launch, Launcher, Machine
from assistant.jobs.rundir import ENDED, ProcessCard
from assistant.jobs.store import QueueRow, Store
from recipes.events import Cancelled, Failed, Warned
from recipes.plan import Plan

log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
#: Seconds between two attempts to get the lock that another process holds.
LOCK_SECONDS = 2.0
#: A run that does not stop by itself is asked with SIGTERM, then ended, after so many seconds.
TERM_SECONDS = 60.0
KILL_SECONDS = 120.0
#: Seconds that a process which has said its last word may take to leave.
LEAVING_SECONDS = 10.0
#: How Accelerate's launchers report that the system killed their child (they themselves exit with 1).
_KILLED = re.compile(r"Signals\.SIGKILL|exitcode\s*:\s*-9|Signal 9 \(SIGKILL\)")
#: Rows in memory at once when the plan leaves it open.
_DEFAULT_MICRO_BATCH = 16


class HomeLock:
    """At most one process works a home. The system frees the lock when its holder dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._file is not None

    def take(self, kind: str = "command") -> bool:
        """Take it if it is free; returns whether it is held now. `kind` is noted for those who come later."""
        if self._file is not None:
            return True
        file = self._path.open("a+b")
        if not _lock_file(file):
            file.close()
            return False
        file.truncate(0)
        file.write(kind.encode())
        file.flush()
        self._file = file
        return True

    def kind(self) -> str | None:
        """What kind of process holds it: "server" or "command"; None when it is free."""
        if self._file is None and self.take():
            self.free()
            return None
        return self._path.read_bytes().decode(errors="replace")

    def free(self) -> None:
        """Give it back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock_file(file: IO[bytes]) -> bool:
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        import msvcrt  # noqa: PLC0415 - only on Windows

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class Worker:
    """Works the queue of one home.

    Args:
        ended: called with a run's id when it has ended, in the worker's thread.
        machine: asked at each launch for the cores and GPUs to use.
        longest_seconds: a run that takes longer is stopped (its best state is kept); None: no limit.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        *,
        ended: Callable[[str], None] | None = None,
        machine: Callable[[], Machine] = Machine,
        targets: dict[str, Launcher] | None = None,
        longest_seconds: float | None = None,
    ) -> None:
        self._home = home
        self._store = store
        self._ended = ended
        self._machine = machine
        self._targets = launchers.LAUNCHERS if targets is None else targets
        self._longest = longest_seconds
        self._lock = HomeLock(home.lock)
        self._asked: set[str] = set()  # runs that got a SIGTERM
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------ life

    @property
    def working(self) -> bool:
        """Whether this process is the one that works the home."""
        return self._lock.held

    def take(self) -> bool:
        """Try to become the one that works this home."""
        return self._lock.take()

    def served(self) -> bool:
        """Whether a server, in whatever process, works this home."""
        return self._lock.kind() == "server"

    def start(self) -> None:
        """Work in a thread until `close`; where another process works the home, wait for its end first."""
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._loop, name="worker", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop working. Runs go on; the next worker attaches to them."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        for child in self._children.values():
            child.poll()
            if child.returncode is None:
                child.returncode = 0  # it outlives us on purpose: silence the warning about an unwaited child
        self._children.clear()
        self._lock.free()

    def _loop(self) -> None:
        while not self._closing.is_set():
            if not self._lock.take("server"):
                self._closing.wait(LOCK_SECONDS)
                continue
            try:
                self.tick()
            except Exception:
                log.exception("the worker's round failed; it goes on")
                self._closing.wait(2.0)
            self._closing.wait(TICK_SECONDS)

    # ------------------------------------------------------------ one round

    def tick(self) -> bool:
        """Look after the run that goes on; launch the next where none does. Returns whether anything is left to do."""
        running = self._store.runs(status="running")
        for run in set(self._children) - {row.run for row in running}:
            if self._children[run].poll() is not None:  # its end was noted elsewhere: free the process table's entry
                del self._children[run]
        for row in running:
            self._look_after(row)
        if any(self._is_running(row.run) for row in running):
            return True
        claimed = self._store.claim()
        if claimed is not None:
            self._launch(claimed)
        return claimed is not None

    def _is_running(self, run: str) -> bool:
        row = self._store.run(run)
        return row is not None and row.status == "running"

    def _launch(self, row: QueueRow, relaunches: int = 0, micro_batch_size: int | None = None) -> None:
        run_dir = self._home.run_dir(row.run)
        try:
            if relaunches == 0 and self._attach(row, run_dir):
                return
            plan = Plan.load(run_dir / "plan.json")
            before = time.time()
            offset = (run_dir / "log.txt").stat().st_size if (run_dir / "log.txt").exists() else 0
            child = self._targets[plan.compute.target].start(Launch(run_dir, plan, self._machine(), micro_batch_size))
        except PlainError as error:
            self._fail(row.run, error.code, error.what, error.expected, error.fix)
            return
        except (OSError, ValueError, KeyError) as error:
            log.exception("the run %s could not be launched", row.run)
            what = f"The run could not be started: {error}."
            self._fail(row.run, "internal-error", what, f"The details are in {self._home.log}.", "Try it again.")
            return
        former = self._children.pop(row.run, None)
        if former is not None:
            former.wait()  # it has ended, else this run would not be launched again
        self._children[row.run] = child
        card = ProcessCard(
            pid=child.pid,
            start_time=rundir.start_time(child.pid) or "gone",
            launched_at=before,
            relaunches=relaunches,
            micro_batch_size=micro_batch_size,
            log_offset=offset,
        )
        rundir.write_json(run_dir / "process.json", card)

    def _attach(self, row: QueueRow, run_dir: Path) -> bool:
        """Note the process of a run whose worker died between the launch and the note; whether there is one."""
        found = min(rundir.processes_of(run_dir), key=lambda process: process.create_time(), default=None)
        if found is None:
            return False
        begun = rundir.start_time(found.pid) or "gone"
        card = ProcessCard(pid=found.pid, start_time=begun, launched_at=row.queued)
        rundir.write_json(run_dir / "process.json", card)
        return True

    def _look_after(self, row: QueueRow) -> None:
        run_dir = self._home.run_dir(row.run)
        child = self._children.get(row.run)
        if child is not None:
            child.poll()  # frees the process table's entry
        if not run_dir.is_dir():
            self._store.remove_run(row.run)
        elif not was_launched(row, run_dir):
            self._launch(row)  # its worker died after the claim
        elif rundir.is_alive(run_dir):
            self._press_stop(row.run, run_dir)
        else:
            self._asked.discard(row.run)
            self._children.pop(row.run, None)
            self._record_end(row, run_dir, child.wait() if child is not None else None)

    def _press_stop(self, run: str, run_dir: Path) -> None:
        """A run looks for the wish to stop at each step; one that does not get there is asked harder."""
        wished = rundir.stop_requested(run_dir)
        card = rundir.read_process(run_dir)
        if wished is None:
            if self._longest is not None and card is not None and time.time() - card.launched_at > self._longest:
                rundir.request_stop(run_dir)
            return
        waited = time.time() - wished
        if waited > KILL_SECONDS:
            launchers.end_processes(run_dir, force=True)
        elif waited > TERM_SECONDS and run not in self._asked:
            self._asked.add(run)
            launchers.end_processes(run_dir, force=False)

    # ------------------------------------------------------------ the end

    def _record_end(self, row: QueueRow, run_dir: Path, code: int | None) -> None:
        status = rundir.status(run_dir)
        if status == "running":
            return  # another process of it has been found meanwhile
        if status != "interrupted":
            self._end(row.run, status)
            return
        if rundir.stop_requested(run_dir) is not None:
            text = "Stopped before it could say how far it was."
            rundir.append_event(run_dir, Cancelled(text=text, model_kept=(run_dir / "model").is_dir()))
            self._end(row.run, "cancelled")
            return
        card = rundir.read_process(run_dir)
        offset = card.log_offset if card else 0
        killed = code in (-9, 137) or bool(_KILLED.search(rundir.log_tail(run_dir, offset=offset)))
        if killed and card is not None and card.relaunches == 0:
            self._relaunch_smaller(row, run_dir)
            return
        hint = rundir.last_words_of_log(run_dir, offset)
        what = (
            "The operating system ended the run, most often because memory ran out."
            if killed
            else "The run's process ended without saying why." + (f" Its last line was: {hint}" if hint else "")
        )
        fix = 'Say "resume" to go on from the last checkpoint, or choose a smaller batch size or model.'
        self._fail(row.run, "process-died", what, "A run ends with a result or with a reason.", fix)

    def _relaunch_smaller(self, row: QueueRow, run_dir: Path) -> None:
        plan, card = Plan.load(run_dir / "plan.json"), rundir.read_process(run_dir)
        now = plan.training.micro_batch_size or min(
            plan.training.batch_size or _DEFAULT_MICRO_BATCH, _DEFAULT_MICRO_BATCH
        )
        if card is not None and card.micro_batch_size:
            now = card.micro_batch_size
        smaller = max(1, now // 2)
        text = (
            f"The operating system ended the run, most often because memory ran out. It goes on with {smaller} rows in "
            f"memory at once instead of {now}; the result stays the same, it only takes longer."
        )
        rundir.append_event(run_dir, Warned(code="out-of-memory", text=text))
        self._launch(row, relaunches=1, micro_batch_size=smaller)

    def _fail(self, run: str, code: str, what: str, expected: str, fix: str) -> None:
        rundir.append_event(self._home.run_dir(run), Failed(code=code, what=what, expected=expected, fix=fix))
        self._end(run, "failed")

    def _end(self, run: str, status: rundir.Status) -> None:
        if self._store.set_status(run, status, only_from=("running",)):
            try:
                if self._ended is not None:
                    self._ended(run)
            except Exception:
                log.exception(
                    "the end of run %s could not be told; it is tried again when its conversation is read", run
                )


# ---------------------------------------------------------------- wishes, from any process


def was_launched(row: QueueRow, run_dir: Path) -> bool:
    """Whether a process has been started since the run was last queued."""
    card = rundir.read_process(run_dir)
    return card is not None and card.launched_at >= row.queued


def settle(home: Home, store: Store, run: str, patience: float = 0.0) -> None:
    """Note the end of a run that no worker has noted yet, where its folder leaves no doubt.

    Args:
        patience: seconds to wait for a process that has said its last word and is only leaving.
    """
    row, run_dir, until = store.run(run), home.run_dir(run), time.monotonic() + patience
    if row is None or row.status != "running":
        return
    status = rundir.status(run_dir)
    while status in ("finished", "failed", "cancelled"):
        if not rundir.is_alive(run_dir):
            store.set_status(run, status, only_from=("running",))
            return
        if time.monotonic() >= until:
            return
        time.sleep(0.05)


def stop_run(home: Home, store: Store, run: str) -> None:
    """Wish that a run stops: one that waits is taken from the queue, one that works keeps its best state.

    Raises:
        PlainError: it has ended already.
    """
    settle(home, store, run)
    row, run_dir = store.run(run), home.run_dir(run)
    if row is None:
        raise PlainError("run-unknown", f"There is no run {run}.", fix="Ask for my runs.")
    if store.set_status(run, "cancelled", only_from=("queued",)):
        rundir.append_event(run_dir, Cancelled(text="Taken from the queue before it began."))
        return
    if row.status in ENDED:
        raise PlainError("run-not-running", f"Run {row.number} is not running: it has {_ended_how(row)}.")
    rundir.request_stop(run_dir)


def resume_run(home: Home, store: Store, run: str) -> None:
    """Put a stopped, failed or cut-off run back into the queue; it goes on from its newest checkpoint.

    Raises:
        PlainError: it is finished, or still works.
    """
    settle(home, store, run, patience=LEAVING_SECONDS)
    row, run_dir = store.run(run), home.run_dir(run)
    if row is None:
        raise PlainError("run-unknown", f"There is no run {run}.", fix="Ask for my runs.")
    if row.status == "finished":
        raise PlainError(
            "run-finished",
            f"Run {row.number} is finished: there is nothing left to resume.",
            fix="To train further, change the plan (for example more epochs) and start a new run.",
        )
    if rundir.is_alive(run_dir) or row.status in ("queued", "running"):
        raise PlainError("run-active", f"Run {row.number} is still at work.", fix="Ask how it stands, or stop it.")
    (run_dir / "stop").unlink(missing_ok=True)
    store.set_status(run, "queued", only_from=("failed", "cancelled", "interrupted"))


def _ended_how(row: QueueRow) -> str:
    return {"finished": "finished", "failed": "failed", "cancelled": "been stopped"}.get(row.status, "been cut off")
