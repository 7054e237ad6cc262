"""What open pages cost the server while a run goes on.

    python benchmarks/pages.py [--pages 30] [--seconds 30]

Starts the real command with a home of its own, opens so many pages on one conversation of 50 messages whose run moves
every second (the dearest case: each look of each page finds something new), and prints the server's share of one core,
its memory, and how long a look takes.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from assistant.chat.turns import Reply
from assistant.jobs import rundir
from assistant.jobs.home import new_run_id
from assistant.session import Session
from recipes import events as contract
from recipes.plan import Data, Method, Plan

TICK_SECONDS = 3.0


def conversation_with_a_live_run(home: Path) -> tuple[str, Path]:
    """A conversation of 50 messages that ends with the live card of a run; returns its id and the run's folder."""
    session = Session(home)
    chat = session.open(None)
    for number in range(24):
        session.store.add_message(chat, "user", {"text": f"What is a learning rate, part {number}?", "files": []})
        reply = Reply(text="The **learning rate** is the size of each step. " * 6)
        session.store.add_message(chat, "assistant", reply.model_dump(mode="json"))
    run = new_run_id()
    folder = session.home.run_dir(run)
    folder.mkdir(parents=True)
    Plan(task="text-classification", method=Method(name="head"), data=Data(source="x")).save(folder / "plan.json")
    about = rundir.About(id=run, number=1, title="mails", conversation=chat, created=time.time())
    rundir.write_json(folder / "run.json", about)
    session.store.add_run(about, "text-classification", "running")
    session.store.add_message(chat, "assistant", Reply(text="", card="run", data={"run": run}).model_dump(mode="json"))
    me = rundir.ProcessCard(pid=os.getpid(), start_time=rundir.start_time(os.getpid()) or "", launched_at=time.time())
    rundir.write_json(folder / "process.json", me)
    session.close()
    return chat, folder


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(address: str, body: dict[str, Any] | None = None) -> Any:
    """JSON from the server."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def one_page(server: str, calls: dict[str, int], chat: str, number: int, until: float) -> list[float]:
    """What a page does: load, then look every three seconds; returns the seconds of each look."""
    time.sleep(random.random() * TICK_SECONDS)
    page, took = f"page{number}", []

    def call(event: str, data: list[Any]) -> None:
        body = {"data": data, "fn_index": calls[event], "session_hash": page, "event_data": None}
        fetch(f"{server}/gradio_api/run/predict", body)

    call("load", [chat])
    while time.time() < until:
        began = time.perf_counter()
        call("tick", [chat, None, None])
        took.append(time.perf_counter() - began)
        time.sleep(max(0.0, TICK_SECONDS - took[-1]))
    return took


def measure(pages: int, seconds: float) -> dict[str, float]:
    """Run it all; shares are of one core."""
    with tempfile.TemporaryDirectory() as folder:
        chat, run = conversation_with_a_live_run(Path(folder))
        port, environment = free_port(), {**os.environ, "FINETUNE_ASSISTANT_HOME": folder}
        began = time.perf_counter()
        command = [sys.executable, "-m", "assistant", "--port", str(port), "--home", folder]
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            return _measured(server, f"http://127.0.0.1:{port}", chat, run, pages, seconds, began)
        finally:
            server.terminate()
            server.wait()


def _measured(
    server: subprocess.Popen[bytes], address: str, chat: str, run: Path, pages: int, seconds: float, began: float
) -> dict[str, float]:
    while True:
        try:
            urllib.request.urlopen(address).read()
            break
        except OSError:
            time.sleep(0.02)
    first = time.perf_counter() - began
    process = psutil.Process(server.pid)
    start_bytes = process.memory_info().rss
    wanted = {"load": "load", "tick": "tick"}
    calls = {
        target[1]: entry["id"]
        for entry in fetch(f"{address}/config")["dependencies"]
        for target in entry["targets"]
        if target[1] in wanted and entry["backend_fn"]
    }
    writer = contract.EventWriter(run / "events.jsonl")
    writer.write(contract.Started(versions={}, device="cpu", plan="x"))
    until = time.time() + seconds
    before, clock = sum(process.cpu_times()[:2]), time.time()
    with concurrent.futures.ThreadPoolExecutor(pages) as pool:
        opened = [pool.submit(one_page, address, calls, chat, number, until) for number in range(pages)]
        step = 0
        while time.time() < until:
            step += 1
            writer.write(contract.Progress(step=step, total_steps=1000, eta_seconds=100.0))
            writer.write(contract.Metric(split="train", step=step, name="loss", value=1 / step))
            time.sleep(1)
        looks = [took for page in opened for took in page.result()]
    share = (sum(process.cpu_times()[:2]) - before) / (time.time() - clock)
    return {
        "first page served after, seconds": first,
        "memory when served, MB": start_bytes / 1e6,
        f"memory with {pages} pages, MB": process.memory_info().rss / 1e6,
        f"share of one core with {pages} pages, %": 100 * share,
        "looks": len(looks),
        "median look, ms": 1000 * statistics.median(looks),
        "95th percentile look, ms": 1000 * statistics.quantiles(looks, n=20)[-1],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What open pages cost the server while a run goes on.")
    parser.add_argument("--pages", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    for name, value in measure(options.pages, options.seconds).items():
        print(f"{name:45s} {value:8.1f}")
