"""The sense of a whole message: the starter read by numpy gives what transformers gives; its layer is up to date."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assistant.chat import encoder, rules, sense
from assistant.chat.turns import State
from recipes.plan import Plan

needs_starter = pytest.mark.skipif(encoder.load() is None, reason="the extra starter is not installed")
SENTENCES = ["is it done yet?", "Größe: 3 × ü — naïve 😀", "a word " * 200, "?"]
PLAN = Plan().changed({"task": "text-classification", "base_model": "bert-base-uncased", "training.epochs": 3})


@needs_starter
def test_numpy_reads_as_transformers_does() -> None:
    reader = encoder.load()
    assert reader is not None
    code = (
        "import json, sys, torch\n"
        "from transformers import AutoModel, AutoTokenizer\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "model = AutoModel.from_pretrained(sys.argv[1]).eval()\n"
        "vectors = []\n"
        "for sentence in json.loads(sys.argv[2]):\n"
        "    tokens = tokenizer([sentence], truncation=True, max_length=int(sys.argv[3]), return_tensors='pt')\n"
        "    with torch.inference_mode():\n"
        "        mean = model(**tokens).last_hidden_state[0].mean(0)\n"
        "    vectors.append(torch.nn.functional.normalize(mean, dim=0).tolist())\n"
        "print(json.dumps(vectors))\n"
    )
    arguments = [str(encoder.folder()), json.dumps(SENTENCES), str(encoder.MOST_TOKENS)]
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code, *arguments], capture_output=True, check=True)
    for sentence, expected in zip(SENTENCES, json.loads(done.stdout), strict=True):
        assert np.abs(reader.vector(sentence) - np.array(expected)).max() < 1e-5


def test_the_layer_was_fitted_on_the_sentences_of_today() -> None:
    with np.load(sense.LAYER, allow_pickle=False) as kept:
        assert str(kept["fitted_on"]) == sense.fingerprint(), "run: python -m assistant.chat.sense"


@needs_starter
def test_what_the_conversation_holds_counts() -> None:
    with_plan = sense.meant("three rounds over the data are plenty", plan=True, file_now=False, file=True)
    without = sense.meant("three rounds over the data are plenty", plan=False, file_now=False, file=False)
    assert max(with_plan, key=with_plan.__getitem__) == "change"
    assert with_plan["change"] > 10 * without["change"]
    assert sum(with_plan.values()) == pytest.approx(1, abs=1e-4)


@needs_starter
def test_what_the_patterns_leave_unclear_is_read_by_its_sense() -> None:
    message = "please sweep the repeated rows out"
    assert rules.read(message, State()).name in ("fix_data", "check_data")


def test_without_the_starter_the_patterns_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.chat.encoder.load", lambda: None)
    assert sense.meant("start", plan=True, file_now=False, file=True) == {}
    assert rules.read("start the training", State(plan=PLAN)).name == "start"


def test_a_foreign_package_of_that_name_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are not the recorded ones are never read."""
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 64)
    monkeypatch.setattr("assistant.chat.encoder.folder", lambda: tmp_path)
    encoder.load.cache_clear()
    try:
        assert encoder.load() is None
    finally:
        encoder.load.cache_clear()


@needs_starter
@pytest.mark.parametrize("text", ["do not start yet, i have to ask my boss", "what would happen if i started it now?"])
def test_a_run_is_never_started_by_likeness_against_the_words(text: str) -> None:
    assert rules.read(text, State(plan=PLAN)).name != "start"
