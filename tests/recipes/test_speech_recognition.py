"""Speech recognition from recordings to a model that plain libraries load: by every method, for both families."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from recipes import automatic_speech_recognition, evaluate, predict
from recipes.events import EventWriter
from recipes.parts import audio, speech_loading, speech_models, speech_training
from recipes.parts.device import Device
from recipes.plan import Method, Plan
from tests.recipes.test_contract import check_events
from tests.recipes.tiny_speech import save_tiny_wav2vec2, save_tiny_whisper, speech_plan, tones, write_clips

SAVE = {"whisper": save_tiny_whisper, "ctc": save_tiny_wav2vec2}
CPU = Device(torch.device("cpu"), "CPU", 1)
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # PEFT asks for it
]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each family, made once."""
    return {kind: make(tmp_path_factory.mktemp(kind)) for kind, make in SAVE.items()}


@pytest.fixture
def speech_run(tmp_path: Path, models: dict[str, Path]) -> Callable[..., Path]:
    """speech_run(kind, method, **{dotted path: value}) -> the path of a plan that is ready to run."""

    def make(kind: str, method: str, *, name: str = "run", count: int = 60, words: int = 3, **changes: Any) -> Path:
        folder = tmp_path / "runs" / name
        return speech_plan(folder, models[kind], method, write_clips(folder, count, words=words), **changes)

    return make


@pytest.mark.parametrize("method", ["lora", "last_layers", "full"])
@pytest.mark.parametrize("kind", ["whisper", "ctc"])
def test_every_family_by_every_method(
    kind: str, method: str, speech_run: Callable[..., Path], run_here: Callable[..., Any], models: dict[str, Path]
) -> None:
    """A run ends with a result whose fields are filled; plain transformers hears what our own reader hears."""
    done = run_here(speech_run(kind, method))
    assert done.code == 0, done.last
    check_events(done.events)
    result = done.result
    assert {"wer", "cer"} <= set(result.metrics) and set(result.baselines) == {"untuned"}
    assert set(result.metrics) == set(result.baselines["untuned"])
    for figure in (*result.metrics.values(), *result.baselines["untuned"].values()):
        assert math.isfinite(figure.value) and figure.low is not None and figure.low <= figure.value
    assert sum(result.rows.values()) == 60 and result.rows["test"] >= 12
    assert result.verdict.text == done.last.text and result.verdict.best_baseline == "untuned"
    assert 0 < result.trainable_parameters <= result.total_parameters
    assert {"reading", "features", "baselines", "training", "testing", "saving", "total"} <= set(result.seconds)
    assert result.peak_bytes["predicted"] and result.peak_bytes["measured"]
    assert result.heard and all((done.folder / one.audio).is_file() for one in result.heard)
    assert result.words is not None and result.curves is not None and "validation/wer" in result.curves
    assert result.model_format == ("peft" if method == "lora" else "transformers")
    assert (done.folder / "model" / "README.md").read_text(encoding="utf-8").startswith("---")
    assert not (done.folder / "checkpoints" / "encoder_states.npy").exists()
    path = done.folder / "data" / "media" / "0-0.wav"
    plan, model = predict.load(done.folder)
    (answer,) = predict.answers(io.StringIO(json.dumps({"audio": str(path)})), plan, model)
    assert answer["prediction"] == plain_answer(done.folder / "model", path, models[kind])


def plain_answer(folder: Path, path: Path, base: Path) -> str:
    """What a saved model hears, by transformers and PEFT alone."""
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCTC, AutoModelForSpeechSeq2Seq, AutoProcessor

    config = AutoConfig.from_pretrained(folder)
    auto = AutoModelForSpeechSeq2Seq if config.is_encoder_decoder else AutoModelForCTC
    processor = AutoProcessor.from_pretrained(folder)
    if (folder / "adapter_config.json").exists():
        model = auto.from_pretrained(base, config=config, ignore_mismatched_sizes=True)
        model = PeftModel.from_pretrained(model, folder).eval().get_base_model()
    else:
        model = auto.from_pretrained(folder).eval()
    sound, rate = soundfile.read(path)
    inputs = processor(sound, sampling_rate=rate, return_tensors="pt")
    with torch.no_grad():
        if config.is_encoder_decoder:
            model.generation_config.max_length = None
            tokens = model.generate(**inputs, max_new_tokens=56)
            text = processor.batch_decode(tokens, skip_special_tokens=True)[0]
        else:
            text = processor.batch_decode(model(**inputs).logits.argmax(-1))[0]
    return " ".join(str(text).split())


def test_it_learns(speech_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """A model that knows no letters learns to spell five pitches, and the verdict says so.

    One word a recording: with up to three, 12 passes over 200 of them are too few for weights that start at random (a
    model of letters has half of the letters right, and no word; Whisper's attention finds nothing yet).
    """
    how = {"training.epochs": 12, "training.learning_rate": 5e-3, "training.batch_size": 8}
    done = run_here(speech_run("ctc", "full", count=160, words=1, **how, **{"evaluation.test_fraction": 0.2}))
    assert done.code == 0, done.last
    before = done.result.baselines["untuned"]["wer"].value
    assert done.result.metrics["wer"].value < 0.3 < 0.9 < before
    assert done.result.verdict.code == "better"
    assert done.result.words is not None and all(word.wrong <= word.said for word in done.result.words)


def test_other_speech_is_a_figure_where_the_model_knew_it() -> None:
    """Three words more are wrong in clear English than before: said in a warning, and two figures; noise is none."""
    _, said = automatic_speech_recognition.general_speech()
    warned: list[str] = []
    tokenizer = SimpleNamespace(tokenizer=SimpleNamespace(english_spelling_normalizer={}))
    work: Any = SimpleNamespace(
        model=SimpleNamespace(processor=tokenizer),
        run=SimpleNamespace(warn=lambda code, _: warned.append(code), note=lambda _: warned.append("note")),
    )
    worse = [*said[:1], *[" ".join(["what", *text.split()[1:]]) for text in said[1:]]]
    found = automatic_speech_recognition.elsewhere(work, said, worse)
    assert found["untuned"]["general_wer"].value == 0
    assert found["tuned"]["general_wer"].value == pytest.approx(4 / sum(len(text.split()) for text in said), abs=0.02)
    automatic_speech_recognition.elsewhere(work, said, said)
    assert warned == ["forgetting", "note"]
    assert automatic_speech_recognition.elsewhere(work, ["mm"] * len(said), said) == {} and len(warned) == 2


def test_a_killed_run_goes_on_to_the_same_end(
    speech_run: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after a checkpoint and started again: same weights and figures; the untuned model is not asked again."""
    long = {"training.epochs": 4, "training.early_stopping": None}
    whole, broken = (speech_run("whisper", "full", name=name, **long) for name in ("whole", "broken"))
    reference = run_here(whole)
    assert reference.code == 0, reference.last
    monkeypatch.setattr("recipes.parts.steady.CHECKPOINT_SHARE", 1e9)  # a checkpoint at every evaluation
    written = EventWriter.write

    class Killed(BaseException):
        pass

    def write(self: EventWriter, event: Any) -> None:
        written(self, event)
        if event.kind == "checkpoint" and self.path is not None and self.path.parent.name == "broken":
            raise Killed

    monkeypatch.setattr(EventWriter, "write", write)
    with pytest.raises(Killed):
        run_here(broken)
    monkeypatch.setattr(EventWriter, "write", written)
    monkeypatch.setattr("recipes.automatic_speech_recognition.listen_to_both", _once())
    resumed = run_here(broken)
    assert resumed.code == 0, resumed.last
    assert "resumed" in resumed.kinds
    assert resumed.result.metrics == reference.result.metrics
    one, two = (load_file(plan.parent / "model" / "model.safetensors") for plan in (whole, broken))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def _once() -> Callable[..., Any]:
    """Listening is for the tuned model alone."""
    from recipes.automatic_speech_recognition import listen_to_both

    times: list[int] = []

    def listen(work: Any) -> Any:
        times.append(1)
        assert len(times) == 1
        return listen_to_both(work)

    return listen


def test_recordings_that_cannot_be_used_are_named(
    speech_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    """Broken, silent and over-long ones are left out by the name that the person knows; the run goes on."""
    plan = speech_run("whisper", "full", **{"training.epochs": 1})
    folder = plan.parent
    rows = [
        json.loads(line) for line in (plan.parent / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    (folder / rows[0]["clip"]).write_text("no sound", encoding="utf-8")
    soundfile.write(folder / rows[1]["clip"], np.zeros(16_000), 16_000)
    soundfile.write(folder / rows[2]["clip"], np.random.default_rng(0).normal(0, 0.1, 40 * 16_000), 16_000)
    rows[3]["clip"], rows[4]["said"], rows[0]["file"] = "../../secret.wav", " ", "my talk.wav"
    (folder / "data" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = run_here(plan)
    assert done.code == 0, done.last
    assert sum(done.result.rows.values()) == 55
    said = " ".join(warning["text"] for warning in done.result.warnings or [])
    assert "my talk.wav is not a sound file" in said and "is silent" in said and "40 seconds long" in said
    assert "1 of 60 rows" in said and "1 more" in said


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"data.columns.audio": "sound"}, "column-missing"),
        ({"method.name": "head"}, "method-not-available"),
        ({"data.columns.transcript": None}, "plan-incomplete"),
    ],
)
def test_a_persons_mistake_is_a_sentence(
    changes: dict[str, Any], code: str, speech_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    plan = speech_run("whisper", "full", count=12)
    tree = json.loads(plan.read_text(encoding="utf-8"))
    for path, value in changes.items():
        *parents, leaf = path.split(".")
        node = tree
        for name in parents:
            node = node[name]
        node[leaf] = value
        if value is None:
            del node[leaf]
    plan.write_text(json.dumps(tree), encoding="utf-8")
    done = run_here(plan)
    assert (done.code, done.last.kind, done.last.code) == (1, "failed", code)
    assert done.last.what and done.last.fix


def test_evaluate_on_other_recordings(
    speech_run: Callable[..., Path], run_here: Callable[..., Any], tmp_path: Path
) -> None:
    """Figures with intervals; recordings are found beside the rows; a long one is heard in pieces."""
    plan = speech_run("ctc", "full", **{"training.epochs": 1})
    assert run_here(plan).code == 0
    rows = write_clips(tmp_path / "other", 9, seed=5)
    long = np.concatenate([tones(["high"], random.Random(1)) for _ in range(200)])
    soundfile.write(tmp_path / "other" / "data" / "media" / "long.wav", long, 16_000)
    rows.append({"clip": "media/long.wav", "said": "high " * 200})
    file, out = tmp_path / "other" / "data" / "more.jsonl", tmp_path / "out.json"
    file.write_text("".join(json.dumps({**row, "clip": row["clip"].removeprefix("data/")}) + "\n" for row in rows))
    assert evaluate.main([str(plan.parent), str(file), str(out)]) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["rows"] == 10 and set(report["metrics"]) == {"wer", "cer"}
    loaded, model = predict.load(plan.parent)
    answers = list(predict.answers(io.StringIO('{"audio": "gone.wav"}\n{"audio": 3}\n'), loaded, model))
    assert [answer["error"]["code"] for answer in answers] == ["input-unusable"] * 2


def test_spectrograms_are_those_of_transformers(models: dict[str, Path], tmp_path: Path) -> None:
    """Kept short and filled up with one constant, they are what the feature extractor makes of the padded sound."""
    rows = write_clips(tmp_path, 4)
    model = speech_loading.load(str(models["whisper"]), "tiny", CPU)
    samples = [audio.load(tmp_path / row["clip"]) for row in rows]
    expected = model.processor.feature_extractor(samples, sampling_rate=16_000, return_tensors="pt").input_features
    found = model.inputs(model.listen(samples), range(4))["input_features"]
    assert float((found - expected).abs().max()) < 2e-3


def test_a_kept_encoder_says_the_same(models: dict[str, Path], tmp_path: Path) -> None:
    """The states that are kept for a frozen encoder give the same loss and the same text."""
    rows = write_clips(tmp_path, 5)
    model = speech_loading.load(str(models["whisper"]), "tiny", CPU)
    assert isinstance(model, speech_models.Whisper)
    sounds = model.listen([audio.load(tmp_path / row["clip"]) for row in rows])
    labels = torch.tensor(model.labels(["mop"] * 5))
    with torch.no_grad():
        plain = float(model.loss(model.inputs(sounds, range(5)), labels)[0])
    heard = model.transcribe(sounds, range(5), CPU, 20)
    model.keep_hearing(sounds, CPU, tmp_path / "states.npy", lambda: None)
    with torch.no_grad():
        assert float(model.loss(model.inputs(sounds, range(5)), labels)[0]) == pytest.approx(plain, rel=1e-3)
    assert model.transcribe(sounds, range(5), CPU, 20) == heard


def test_a_batch_is_heard_as_long_as_it_lasts(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of whole seconds that holds the longest recording of the batch, or now and then the whole one."""
    model = speech_loading.load(str(models["whisper"]), "tiny", CPU)
    seconds = np.array([0.2, 0.3, 1.2])
    sounds = model.listen([np.ones(int(each * 16_000), dtype=np.float32) for each in seconds])
    job: Any = SimpleNamespace(
        model=model, sounds=sounds, seconds=seconds, train=np.arange(3), labels=model.labels(["mop"] * 3)
    )
    monkeypatch.setattr(speech_training, "WHOLE", 0.0)
    make = speech_training.collate(job, SimpleNamespace(seed=0, epoch=0))  # type: ignore[arg-type]
    assert [make(rows)["input_features"].shape[2] for rows in ([0, 1], [1, 2], [0, ~2])] == [100, 200, 200]
    monkeypatch.setattr(speech_training, "WHOLE", 1.0)
    assert make([0, 1])["input_features"].shape[2] == 200


def test_validation_is_listened_to_once(models: dict[str, Path], tmp_path: Path) -> None:
    """What is written, and the loss, are those of listening twice."""
    rows = write_clips(tmp_path, 5)
    model = speech_loading.load(str(models["whisper"]), "tiny", CPU)
    sounds = model.listen([audio.load(tmp_path / row["clip"]) for row in rows])
    labels = model.labels(["mop", "bad", "gone", "high", "keel"])
    job: Any = SimpleNamespace(model=model, sounds=sounds, labels=labels, most=20)
    heard, loss = speech_training.written_and_loss(job, [4, 0, 2], CPU)
    assert heard == model.transcribe(sounds, [4, 0, 2], CPU, 20)
    assert loss == pytest.approx(speech_training.mean_loss(model, sounds, labels, [4, 0, 2], CPU), rel=1e-5)


def test_blank_pieces_are_for_learning_alone(models: dict[str, Path], tmp_path: Path) -> None:
    """While it learns each look differs; judged, it does not; and the saved model's files know nothing of it."""
    model = speech_loading.load(str(models["whisper"]), "tiny", CPU)
    sounds, labels = model.listen([np.ones(8_000, dtype=np.float32)]), torch.tensor(model.labels(["mop"]))
    speech_loading.hide_parts(model)

    def looks() -> set[float]:
        with torch.no_grad():
            return {float(model.loss(model.inputs(sounds, [0]), labels)[0]) for _ in range(4)}

    assert len(looks()) == 1
    model.module.train()
    assert len(looks()) > 1
    speech_loading.save(model, tmp_path / "saved")
    saved = json.loads((tmp_path / "saved" / "config.json").read_text(encoding="utf-8"))
    assert not saved["apply_spec_augment"] and saved["mask_time_prob"] == 0.05
    assert model.bare.config.apply_spec_augment


@pytest.mark.parametrize("kind", ["whisper", "ctc"])
def test_the_memory_of_a_recording_is_what_autograd_keeps(kind: str, models: dict[str, Path]) -> None:
    """A second more of sound: the forecast is within a fifth of what the way back really holds on to.

    Frozen convolutions keep nothing; what they have at work is left out of the forecast by a stride without bounds.
    """
    model = speech_loading.load(str(models[kind]), "tiny", CPU, ["mop"])
    speech_loading.prepare(model, Method(name="full"), 0)
    model.bare.config.mask_time_prob = 0.0
    labels = torch.tensor(model.labels(["mop"]))
    model.module.train()

    def kept(seconds: float) -> int:
        sounds = model.listen([np.random.default_rng(0).normal(0, 0.1, int(seconds * 16_000)).astype(np.float32)])
        weights = {weight.untyped_storage().data_ptr() for weight in model.module.parameters()}
        held: dict[int, int] = {}

        def hold(value: torch.Tensor) -> torch.Tensor:
            if value.untyped_storage().data_ptr() not in weights:
                held[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
            return value

        with model.reading(seconds), torch.autograd.graph.saved_tensors_hooks(hold, lambda value: value):
            summed, _ = model.loss(model.inputs(sounds, [0]), labels)
        assert summed.requires_grad
        return sum(held.values())

    more = kept(2.0) - kept(1.0)
    if kind == "ctc":
        assert model.kept_bytes(1.0, 3) == 16_000 / 10 * 32 * 12 > more
        model.bare.config.conv_stride = [10**6]
    assert model.kept_bytes(2.0, 3) - model.kept_bytes(1.0, 3) == pytest.approx(more, rel=0.2)


def test_letters_come_from_the_transcripts(models: dict[str, Path], tmp_path: Path) -> None:
    """A model without letters gets those of the transcripts; one that lacks some keeps what it knew of the others."""
    fresh = speech_loading.load(str(models["ctc"]), "tiny", CPU, ["Bad mop!", "keel’s 2"])
    letters = fresh.processor.tokenizer.get_vocab()
    assert {"b", "a", "d", "m", "o", "p", "k", "'", "2", "|"} <= set(letters) and "B" not in letters
    speech_loading.save(fresh, tmp_path / "known")
    more = speech_loading.load(str(tmp_path / "known"), "known", CPU, ["über bad"])
    grown = more.processor.tokenizer.get_vocab()
    assert {name: number for name, number in grown.items() if name in letters} == letters and "ü" in grown
    for letter in ("b", "|", "<pad>"):
        assert torch.equal(more.bare.lm_head.weight[grown[letter]], fresh.bare.lm_head.weight[letters[letter]])
    assert speech_models.spelled("Über-BAD!", more.processor.tokenizer) == "über bad"


def test_an_own_test_file_judges(speech_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Its recordings are heard at the end only, and sentences that it holds are not learned where few repeat."""
    plan = speech_run("whisper", "last_layers")
    more = write_clips(plan.parent, 14, seed=3)
    (plan.parent / "data" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in more), encoding="utf-8")
    Plan.load(plan).changed({"data.test_source": "data/test.jsonl", "data.columns.group": "who"}).save(plan)
    done = run_here(plan)
    assert done.code == 0, done.last
    assert done.result.rows["test"] == 14 and done.result.evaluation == "your own test file"
    assert "speakers only" in done.result.verdict.text
