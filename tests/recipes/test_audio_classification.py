"""Sounds through the recipe for classifiers: windows, methods, and models that plain transformers loads."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from recipes import evaluate, export, predict
from recipes.audio_classification import KIND
from recipes.parts import answering
from recipes.parts.sounds import statistics
from recipes.plan import Plan
from tests.recipes.test_contract import check_events
from tests.recipes.tiny_speech import PITCHES, RATE, save_tiny_wav2vec2, save_tiny_whisper, tones

SAVE = {"whisper": save_tiny_whisper, "wav2vec2": save_tiny_wav2vec2}
CLASSES = sorted(PITCHES)[:3]
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # PEFT asks for it
]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each kind, made once."""
    return {kind: make(tmp_path_factory.mktemp(kind)) for kind, make in SAVE.items()}


@pytest.fixture
def sound_run(tmp_path: Path, models: dict[str, Path]) -> Callable[..., Path]:
    """sound_run(kind, method, **{dotted path: value}) -> the path of a plan that is ready to run."""

    def make(kind: str, method: str, *, count: int = 120, **changes: Any) -> Path:
        folder = tmp_path / "runs" / "run"
        media, chance, rows = folder / "data" / "media", random.Random(0), []
        media.mkdir(parents=True)
        for number in range(count):
            label = CLASSES[number % len(CLASSES)]
            soundfile.write(media / f"{number}.wav", tones([label] * chance.randint(1, 3), chance), RATE)
            rows.append({"clip": f"media/{number}.wav", "kind": label})
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "data" / "train.jsonl").write_text(text, encoding="utf-8")
        settings = {
            "task": "audio-classification",
            "problem": "single_label_classification",
            "base_model": str(models[kind]),
            "method.name": method,
            "method.layers": 1 if method == "last_layers" else None,
            "method.rank": 4 if method == "lora" else None,
            "data.source": "data/train.jsonl",
            "data.columns.audio": "clip",
            "data.columns.label": "kind",
            "training.epochs": 2,
            "training.learning_rate": 1e-3,
            "training.batch_size": 16,
            "compute.precision": "float32",
            "evaluation.validation_fraction": 0.25,
            "evaluation.baselines": ["majority", "sound_statistics", "nearest_centroid"],
        }
        Plan().changed({**settings, **changes}).save(folder / "plan.json")
        return folder / "plan.json"

    return make


@pytest.mark.parametrize("method", ["head", "last_layers", "lora", "full"])
@pytest.mark.parametrize("kind", ["whisper"])
def test_every_kind_by_every_method(
    kind: str, method: str, sound_run: Callable[..., Path], run_here: Callable[..., Any], models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A run ends with figures against the simple methods; plain transformers hears what our own reader hears."""
    monkeypatch.setattr("recipes.parts.linear_head.Quality.beats", lambda *_: True)  # keep what was trained
    done = run_here(sound_run(kind, method, **{"training.learning_rate": 1e-5}))
    assert done.code == 0, done.last
    check_events(done.events)
    result = done.result
    assert set(result.baselines) == {"majority", "sound_statistics", "nearest_centroid"}
    assert result.labels == CLASSES and sum(result.rows.values()) == 120
    assert result.metrics["accuracy"].value > 0.6
    assert all(mistake.audio and (done.folder / mistake.audio).is_file() for mistake in result.mistakes or [])
    paths = [str(done.folder / "data" / "media" / f"{number}.wav") for number in range(3)]
    answers = answering.answer(answering.open_model(done.folder, KIND), paths)
    expected = plain_scores(done.folder / "model", paths, models[kind])
    for answer, row in zip(answers, expected, strict=True):
        assert list(answer["scores"].values()) == pytest.approx(row, abs=2e-3)


def plain_scores(folder: Path, paths: list[str], base: Path) -> list[list[float]]:
    """Probabilities of a saved model by transformers and PEFT alone."""
    from peft import PeftModel
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForAudioClassification

    extractor = AutoFeatureExtractor.from_pretrained(folder)
    if (folder / "adapter_config.json").exists():
        config = AutoConfig.from_pretrained(folder)
        model = AutoModelForAudioClassification.from_pretrained(base, config=config, ignore_mismatched_sizes=True)
        model = PeftModel.from_pretrained(model, folder).eval()
    else:
        model = AutoModelForAudioClassification.from_pretrained(folder).eval()
    found = []
    for path in paths:
        inputs = extractor(soundfile.read(path)[0], sampling_rate=RATE, return_tensors="pt")
        with torch.no_grad():
            found.append(model(**inputs).logits.softmax(-1)[0].tolist())
    return found


def test_the_window_is_as_long_as_the_recordings(sound_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Recordings of at most half a second: Whisper hears one second instead of two, and its files say so."""
    done = run_here(sound_run("whisper", "head"))
    assert done.code == 0, done.last
    config = json.loads((done.folder / "model" / "config.json").read_text(encoding="utf-8"))
    extractor = json.loads((done.folder / "model" / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert config["max_source_positions"] == 50 and extractor["chunk_length"] == 1


def test_broken_files_predictions_figures_and_exports(
    sound_run: Callable[..., Path], run_here: Callable[..., Any], tmp_path: Path
) -> None:
    """A broken file is named; lines in, answers out; rows in, figures out; a merged model of an adapter."""
    plan = sound_run("whisper", "lora")
    (plan.parent / "data" / "media" / "5.wav").write_text("no sound", encoding="utf-8")
    soundfile.write(plan.parent / "data" / "media" / "6.wav", np.zeros(RATE), RATE)
    done = run_here(plan)
    assert done.code == 0, done.last
    assert sum(done.result.rows.values()) == 118
    assert "5.wav is not a sound file" in " ".join(warning["text"] for warning in done.result.warnings or [])
    loaded, model = predict.load(plan.parent)
    path = str(plan.parent / "data" / "media" / "0.wav")
    lines = [json.dumps({"audio": path}), json.dumps({"inputs": {"clip": path}}), json.dumps({"audio": "gone.wav"})]
    answers = list(predict.answers(io.StringIO("\n".join(lines)), loaded, model))
    assert answers[0]["prediction"] == answers[1]["prediction"] and answers[2]["error"]["code"] == "input-unusable"
    assert evaluate.main([str(plan.parent), str(plan.parent / "data" / "train.jsonl"), str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["rows"] == 118
    assert "config.json" in export.export(plan.parent, "merged", tmp_path / "merged")


def test_a_model_that_silence_would_mislead_is_refused(
    sound_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    """wav2vec 2.0 of the first kind knows no mask: said before anything is trained."""
    done = run_here(sound_run("wav2vec2", "head"))
    assert (done.code, done.last.code) == (1, "model-not-usable")
    assert "where a recording ends" in done.last.what


def test_statistics_tell_pitches_apart() -> None:
    """The simple method's numbers differ between pitches more than between takes of one."""
    chance = random.Random(0)
    low, again, high = (statistics(tones([word], chance)) for word in ("bad", "bad", "mop"))
    assert np.isfinite(low).all()
    assert np.linalg.norm(low - again) < 0.3 * np.linalg.norm(low - high)
