"""Speech recognition: a model learns to write down an accent, a language, or the words of a trade.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "automatic-speech-recognition"

Transfer learning in the order of `train`: every recording is read once; the untuned model writes the test recordings
down; small adapters, the last blocks or all weights learn the transcripts; then the tuned model writes the test
recordings down, and other speech too, so that forgetting shows.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Candidate, Estimate, Interval, Result, Sample
from recipes.parts import (
    audio,
    checkpoints,
    data,
    device,
    ending,
    hearing,
    judging,
    methods,
    model_files,
    speech_card,
    speech_loading,
    speech_metrics,
    speech_models,
    speech_study,
)
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.speech_metrics import Normaliser
from recipes.parts.speech_models import Sounds, SpeechModel, Whisper
from recipes.parts.speech_study import SpeechStudy
from recipes.parts.speech_training import Job, filled, fine_tune, window_for
from recipes.parts.starter import resolve
from recipes.parts.steady import Outcome, Settings
from recipes.plan import Plan

BATCH_SIZE = 16  # where the plan leaves it open
CPU_ROWS, GPU_ROWS = 8, 16  # recordings in memory at once
LANGUAGE_ROWS = 32  # recordings by which Whisper finds out the language
VERIFIED_ROWS = 2
SAVING_SECONDS = 15.0
KEPT_BYTES = 8 << 30  # of the encoder's states, on disk
LARGEST_KEPT = 16 << 20  # bytes of a freed block of memory that is kept for the next
BESIDES = 1.2  # of the activations: what the way back computes from them, and holes between blocks (measured)
SHORTEST_MASKED = 1.0  # seconds: in shorter recordings nothing can be masked
GENERAL = Path(__file__).parent / "parts" / "general_speech"
GENERAL_NAME = "five sentences of an English audiobook"
NOT_ITS_LANGUAGE = 0.6  # error rate on English from which a model is taken not to know it

open_model, write_merged, model_card = hearing.open_hearing, hearing.write_merged, speech_card.model_card


@dataclass(frozen=True)
class Work:
    """What every step after the loading needs."""

    plan: Plan
    run: RunContext
    place: Device
    study: SpeechStudy
    model: SpeechModel
    sounds: Sounds
    labels: list[list[int]]
    normal: Normaliser
    memory: checkpoints.Memory

    @property
    def most(self) -> int:
        """Tokens that are written for a recording at most: a model that repeats itself is cut off."""
        return max(32, int(1.5 * max(len(each) for each in self.labels)) + 8)

    @property
    def metric(self) -> str:
        """The figure that decides."""
        return "cer" if self.plan.evaluation.metric == "cer" else "wer"


@dataclass
class Before:
    """What the untuned model writes; a resumed run need not ask again.

    Attributes:
        test, general: what it wrote for the test recordings and for other speech; seconds: what that took.
    """

    test: list[str] = field(default_factory=list)
    general: list[str] = field(default_factory=list)
    seconds: float = 0.0


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the recordings to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    device.keep_freed_memory(LARGEST_KEPT)
    with run.phase("reading", "Reading the recordings and setting test recordings aside"):
        study = speech_study.read_study(plan, run, rate=audio.RATE, longest=speech_models.LONGEST)
    with run.phase("model", f"Loading {plan.base_model}"):
        source = resolve(plan.base_model or "", run.directory)
        model = speech_loading.load(source, plan.base_model or "", place, study.texts_of(study.train))
        refuse_other_rate(model)
    with run.phase("features", "Preparing every recording for the model once"):
        sounds = model.listen([study.samples(row) for row in range(len(study))], run.check_stop)
        settle_language(model, study, sounds, place, run)
        memory = settle_precision(plan, model, sounds, place, run)
        labels = model.labels(study.texts)
    normal = speech_metrics.normaliser(model.language, model.processor.tokenizer)
    work = Work(plan, run, place, study, model, sounds, labels, normal, memory)
    with run.phase("baselines", "The model as it is writes the test recordings down"):
        before = ask_untuned(work)
    with run.phase("training", "Learning the transcripts"):
        outcome = learn(work, before)
    with run.phase("testing", "Judging on recordings that the model never heard", stoppable=False):
        result = judge(work, before, outcome)
    with run.phase("saving", "Saving the model and checking that it hears as in training", stoppable=False):
        run.on_main(lambda: save_and_verify(work))
    return run.on_main(lambda: ending.complete(plan, run, place, result, model_card))


# What the model hears


def refuse_other_rate(model: SpeechModel) -> None:
    """Recordings are read at 16,000 samples a second, which every known speech model wants."""
    if model.rate != audio.RATE:
        raise RecipeError(
            "model-not-usable",
            f"“{model.name}” listens at {model.rate:,} samples a second.",
            f"Recordings are prepared at {audio.RATE:,}.",
            speech_loading.ANOTHER_MODEL,
        )


def settle_language(model: SpeechModel, study: SpeechStudy, sounds: Sounds, place: Device, run: RunContext) -> None:
    """A Whisper of many languages is told one, in training and ever after: the one it hears most often."""
    if not isinstance(model, Whisper) or model.language is not None:
        return
    chance = np.random.default_rng(0)
    rows = chance.permutation(study.train)[:LANGUAGE_ROWS].tolist()
    language: str = run.on_main(lambda: speech_loading.most_likely_language(model, sounds, rows, place))
    speech_loading.tell_language(model, language)
    run.note(
        f"Whisper takes the recordings for “{language}” and is told so from now on. Where that is not the language "
        "spoken, it stands in for one that Whisper does not know."
    )


def settle_precision(
    plan: Plan, model: SpeechModel, sounds: Sounds, place: Device, run: RunContext
) -> checkpoints.Memory:
    """Find the fastest safe precision; it is remembered, so that a resumed run computes alike."""
    rows = list(range(min(2, len(sounds))))

    def forward() -> Any:
        batch = {name: value.to(place.torch_device) for name, value in model.inputs(sounds, rows).items()}
        body = model.bare.model.encoder if isinstance(model, Whisper) else model.bare.base_model
        return body(**batch)[0].float().mean(1).cpu().numpy()

    with model.reading(window_for(float(sounds_seconds(sounds, model)[rows].max()), model)):
        return model_files.settle_precision(plan.compute.precision, forward, place, run)


def sounds_seconds(sounds: Sounds, model: SpeechModel) -> NDArray[np.float64]:
    """Length of each prepared recording, shape (recordings,)."""
    unit = speech_models.FRAME if isinstance(model, Whisper) else 1
    return np.asarray(sounds.lengths * unit / model.rate, dtype=np.float64)


# The untuned model


def ask_untuned(work: Work) -> Before:
    """What it writes for the test recordings, and for other speech."""
    folder = work.run.directory / "checkpoints"
    known: Before | None = work.run.on_main(lambda: _known_before(folder / "before.json"))
    if known is not None:
        return known
    start = time.monotonic()
    test, general = listen_to_both(work)
    before = Before(test, general, time.monotonic() - start)
    work.run.on_main(lambda: _keep_before(folder, before))
    few = zip(work.study.test[:3], before.test, strict=False)
    shown = [{"said": work.study.texts[row], "heard": text} for row, text in few]
    work.run.write(Sample(name="what-the-untuned-model-hears", value={"rows": shown}))
    return before


def _known_before(path: Path) -> Before | None:
    try:
        return Before(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _keep_before(folder: Path, before: Before) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints.write_atomically(folder / "before.json", json.dumps(dataclasses.asdict(before)))


def listen_to_both(work: Work) -> tuple[list[str], list[str]]:
    """What the model writes now for the test recordings and for other speech."""
    model, place, run = work.model, work.place, work.run
    test: list[str] = run.on_main(lambda: model.transcribe(work.sounds, work.study.test.tolist(), place, work.most))
    samples, _ = general_speech()
    other: list[str] = run.on_main(lambda: model.transcribe(model.listen(samples), range(len(samples)), place, 128))
    return test, other


def general_speech() -> tuple[list[NDArray[np.float32]], list[str]]:
    """Clear English read aloud, with what is said: what a model must not forget while it learns something else."""
    lines = (GENERAL / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return [audio.load(GENERAL / row["audio"]) for row in rows], [row["text"] for row in rows]


# Training


def learn(work: Work, before: Before) -> Outcome:
    """Train; what must not change is checked to be unchanged, bit for bit.

    Raises:
        RecipeError: `nan`, `no-step`, `weights-unchanged` or `frozen-changed`. Stopped: the best state is in `model/`.
    """
    plan, run, model = work.plan, work.run, work.model
    speech_loading.prepare(model, plan.method, plan.training.seed)
    if plan.training.augmentation:
        speech_loading.hide_parts(model)
    if work.study.seconds[work.study.train].min() < SHORTEST_MASKED and hasattr(model.bare.config, "mask_time_prob"):
        model.bare.config.mask_time_prob = 0.0

    def train_it() -> Outcome:
        with KeptEncoder(work):
            job = make_job(work, before)
            how = settings(plan, run, work.place)
            return fine_tune(job, how, run, work.place, work.memory, run.directory / "checkpoints")

    return ending.learn(plan, run, model.module, train_it, lambda: save_and_verify(work), SAVING_SECONDS)


class KeptEncoder:
    """While entered, an encoder that does not train has run over every recording once."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.path = work.run.directory / "checkpoints" / "encoder_states.npy"

    def __enter__(self) -> None:
        model, sounds = self.work.model, self.work.sounds
        if not isinstance(model, Whisper) or self.work.run.world_size > 1:
            return
        if any(parameter.requires_grad for parameter in model.bare.model.encoder.parameters()):
            return
        config = model.bare.config
        if 2 * len(sounds) * config.max_source_positions * config.d_model > KEPT_BYTES:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        model.keep_hearing(sounds, self.work.place, self.path, self.work.run.check_stop)

    def __exit__(self, *_: object) -> None:
        if isinstance(self.work.model, Whisper):
            self.work.model.kept = None
        self.path.unlink(missing_ok=True)


def make_job(work: Work, before: Before) -> Job:
    """What is trained on what, and the forecast of the memory it takes."""
    study, run = work.study, work.run
    rows = rows_at_once(work.plan, run, work.place)
    learned = np.concatenate([study.train, study.validation])
    longest = window_for(float(study.seconds[learned].max()), work.model)
    whole = work.model.longest if isinstance(work.model, Whisper) else longest  # of some batches
    peak = predicted_peak_bytes(work, rows, whole)
    run.predicted_peak_bytes, run.rows_in_memory = peak, rows
    run.write(Estimate(predicted_peak_bytes=peak))
    validation = study.validation if len(study.validation) else study.train
    return Job(
        model=work.model,
        sounds=work.sounds,
        labels=work.labels,
        texts=study.texts,
        seconds=study.seconds,
        train=study.train,
        validation=validation,
        normal=work.normal,
        metric=work.metric,
        most=work.most,
        reserve_seconds=SAVING_SECONDS + before.seconds,
    )


def rows_at_once(plan: Plan, run: RunContext, place: Device) -> int:
    """Recordings in memory at once; fewer after memory ran out."""
    batch = plan.training.batch_size or BATCH_SIZE
    usual = CPU_ROWS if place.is_cpu else GPU_ROWS
    return min(limit for limit in (plan.training.micro_batch_size or usual, run.micro_batch_size, batch) if limit)


def predicted_peak_bytes(work: Work, rows: int, window: float) -> int:
    """A forecast: what is held now, gradients, AdamW's moments and kept states, and activations."""
    trained, total = methods.count_parameters(work.model.module)
    row = work.model.kept_bytes(window, max(len(each) for each in work.labels))
    held = total * 4 if work.place.torch_device.type == "cuda" else device.peak_bytes(work.place)
    return int(held + trained * (4 + 8 + 8) + BESIDES * rows * row)


def settings(plan: Plan, run: RunContext, place: Device) -> Settings:
    """The plan's numbers; `Plan.gaps` has seen to it that the needed ones are there."""
    training = plan.training
    return Settings(
        epochs=training.epochs or 1.0,
        learning_rate=training.learning_rate or 1e-5,
        batch_size=training.batch_size or BATCH_SIZE,
        micro_batch_size=rows_at_once(plan, run, place),
        seed=training.seed,
        warmup=training.warmup,
        weight_decay=training.weight_decay,
        early_stopping=training.early_stopping,
    )


# The verdict


def judge(work: Work, before: Before, outcome: Outcome) -> Result:
    """Figures of the untuned and of the tuned model on the test recordings, and on other speech.

    Raises:
        RecipeError: the model writes the same for every recording.
    """
    plan, run, study = work.plan, work.run, work.study
    heard, other = listen_to_both(work)
    said, speakers = study.texts_of(study.test), study.speakers_of(study.test)
    ours, theirs = (speech_metrics.count_errors(said, written, work.normal) for written in (heard, before.test))
    failure = speech_metrics.learned(heard, before.test, ours, theirs)
    if failure is not None:
        raise RecipeError(failure.code, failure.what, failure.expected, failure.fix)
    general = elsewhere(work, before.general, other)
    trainable, total = methods.count_parameters(work.model.module)
    reached = outcome.quality.value if outcome.quality is not None else math.nan
    return Result(
        task=str(plan.task),
        base_model=str(plan.base_model),
        method=plan.method.model_dump(exclude_none=True),
        rows={"train": len(study.train), "validation": len(study.validation), "test": len(study.test)},
        metrics=speech_metrics.figures(ours, speakers) | general.get("tuned", {}),
        baselines={"untuned": speech_metrics.figures(theirs, speakers) | general.get("untuned", {})},
        verdict=speech_metrics.judge(
            work.metric, ours, theirs, speakers, None if study.own_test else plan.evaluation.test_fraction
        ),
        trainable_parameters=trainable,
        total_parameters=total,
        seconds={},
        peak_bytes={},
        environment=judging.environment(work.place, run) | {"family": work.model.kind},
        data_sha256=data.data_sha256(plan, run.directory),
        seed=plan.training.seed,
        metric=work.metric,
        heard=speech_metrics.side_by_side(
            study.numbers[study.test].tolist(), recordings(work), said, before.test, heard, ours
        ),
        words=speech_metrics.worst_words(said, heard, work.normal),
        candidates=[
            Candidate(
                name=str(plan.method.name), metric=work.metric, value=reached, seconds=outcome.seconds, chosen=True
            )
        ],
        curves=outcome.curves,
        evaluation="your own test file" if study.own_test else "test rows",
        model_format=speech_loading.model_format(work.model),
    )


def recordings(work: Work) -> list[str]:
    """The test recordings, relative to the run's folder."""
    root = work.run.directory.resolve()
    found = [data.file_in(root, work.study.names[row]) for row in work.study.test]
    return [path.relative_to(root).as_posix() if path is not None else "" for path in found]


def elsewhere(work: Work, before: list[str], now: list[str]) -> dict[str, dict[str, Interval]]:
    """Figures on other speech, "tuned" and "untuned"; empty for a model that does not know English.

    Says whether clear English became harder for it: what a training on something else can cost.
    """
    _, said = general_speech()
    normal = speech_metrics.normaliser("en", work.model.processor.tokenizer)
    counts = {name: speech_metrics.count_errors(said, heard, normal) for name, heard in
              (("untuned", before), ("tuned", now))}  # fmt: skip
    if counts["untuned"].rate("wer") > NOT_ITS_LANGUAGE:
        return {}
    forgotten, sentence = speech_metrics.forgetting(counts["tuned"], counts["untuned"], GENERAL_NAME)
    if forgotten:
        work.run.warn("forgetting", sentence)
    else:
        work.run.note(sentence)
    return {name: {"general_wer": speech_metrics.figures(each)["wer"]} for name, each in counts.items()}


# The end


def save_and_verify(work: Work) -> None:
    """Write `model/`, load it again, and compare what it hears with what the run counted on.

    Raises:
        RecipeError: `verification-failed`.
    """
    folder = work.run.directory / "model"
    rows = work.study.test[:VERIFIED_ROWS].tolist()
    expected = logits(work, work.model, rows)
    speech_loading.save(work.model, folder)
    found = logits(work, speech_loading.load_saved(folder, work.place), rows)
    tolerance = (2e-3 if work.place.precision == "float32" else 5e-2) * max(1.0, float(np.abs(expected).max()))
    apart = float(np.abs(found - expected).max()) if found.shape == expected.shape else math.inf
    model_files.check_same(apart, tolerance)


def logits(work: Work, model: SpeechModel, rows: list[int]) -> NDArray[np.float32]:
    """What the model says about a few recordings, given their transcripts."""
    import torch

    model.module.eval()
    batch = {name: value.to(work.place.torch_device) for name, value in model.inputs(work.sounds, rows).items()}
    wanted = filled([work.labels[row] for row in rows]).to(work.place.torch_device)
    with torch.inference_mode(), work.place.autocast():
        return np.asarray(model.loss(batch, wanted)[1].float().cpu().numpy())
