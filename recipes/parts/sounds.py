"""Sounds as classification needs them: decoded once, cut to one window, compared with statistics of their spectrum.

The window is as long as the recordings, not as long as the model could hear: Whisper's encoder then reads a second
instead of thirty, at a thirtieth of the cost, in training and ever after (the saved model says so itself).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recipes.events import Mistake
from recipes.parts import audio, data, device, probe, speech_models
from recipes.parts.audio import Clips
from recipes.parts.baselines import Predictions
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.methods import Base, Classifier
from recipes.parts.modality import Inputs, Modality
from recipes.parts.speech_models import Sounds
from recipes.parts.study import Study, divide
from recipes.plan import Plan

LONGEST_WINDOW = 15.0  # seconds of a recording, for models that could hear any length
COVERED = 0.99  # share of the recordings that fit into the window whole
TRIAL_ROWS = 4
BANDS = 64  # of the spectrum that the simple method reads
WIDE = 512  # samples of one spectrum


@dataclass(frozen=True)
class SoundInputs:
    """Recordings of many rows, prepared for a model.

    Attributes:
        sounds: spectrograms or waveforms; filler: what fills the window up ("last": the last frame).
        name: what the model calls its input; mask: whether it wants to know where the sound ends.
        width: frames or samples of the window; unit: of these one token of the model.
        clips, numbers: the decoded recordings and each row's number among them, for the simple method.
    """

    sounds: Sounds
    name: str
    width: int
    unit: int
    mask: bool = False
    bands_first: bool = False
    filler: str = "zero"
    clips: Clips | None = None
    numbers: NDArray[np.int64] | None = None

    @property
    def max_length(self) -> int:
        """Tokens of the window."""
        return max(1, self.width // self.unit)

    def __len__(self) -> int:
        return len(self.sounds)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens: the window's where everything is filled up to it, else the recording's, shape (rows,)."""
        if self.filler == "last" or self.bands_first:
            return np.full(len(self), self.max_length, dtype=np.int64)
        return np.asarray(np.maximum(1, np.minimum(self.sounds.lengths, self.width) // self.unit), dtype=np.int64)

    def batch(self, rows: Any, epoch: int | None = None) -> dict[str, torch.Tensor]:
        """The model's input, and its mask where it has one; recordings are the same in every pass."""
        del epoch
        pieces = [self.sounds.piece(int(row))[: self.width] for row in rows]
        fixed = self.filler == "last" or self.bands_first
        width = self.width if fixed else max(len(piece) for piece in pieces)
        values = np.zeros((len(pieces), width, pieces[0].shape[1]), dtype=np.float32)
        mask = np.zeros((len(pieces), width), dtype=np.int64)
        for number, piece in enumerate(pieces):
            values[number, : len(piece)] = piece
            mask[number, : len(piece)] = 1
            if self.filler == "last":
                values[number, len(piece) :] = piece[-1]
        if self.name == "input_values" and values.shape[2] == 1:
            values = values[:, :, 0]
        if self.filler == "last":
            values = np.ascontiguousarray(values.transpose(0, 2, 1))
        batch = {self.name: torch.from_numpy(values)}
        if self.mask:
            batch["attention_mask"] = torch.from_numpy(mask)
        return batch

    def cost(self, batch: dict[str, torch.Tensor]) -> int:
        """Tokens of the batch, padding included."""
        values = batch[self.name]
        frames = values.shape[2] if self.filler == "last" else values.shape[1]
        return max(1, int(values.shape[0] * frames // self.unit))

    def content(self) -> bytes:
        """The prepared numbers themselves, and the window."""
        return self.sounds.flat.tobytes() + self.sounds.starts.tobytes() + f"{self.name} {self.width}".encode()


class SoundKind(Modality):
    """Recordings, for the models that transformers loads for audio classification."""

    task = "audio-classification"
    role = "audio"
    one, many = "recording", "recordings"
    simple = "sound_statistics"
    keeps_dropout = False
    another_model = (
        "Choose a model that transformers can load for audio classification: Whisper (its encoder), wav2vec2, HuBERT, "
        "WavLM, the Audio Spectrogram Transformer, …"
    )

    # The rows

    def study(self, plan: Plan, run: RunContext) -> Study:
        """The recordings of the plan's rows, decoded; files that cannot be used are named and left out."""
        rows, own_test = data.read_rows(plan, run.directory, run.warn, self.role, self.one)
        rows = placed(rows, run.directory)
        own_test = placed(own_test, run.directory) if own_test is not None else None
        named = [*rows.inputs, *(own_test.inputs if own_test is not None else [])]
        paths = [Path(name) for name in named]
        clips = audio.read_clips(paths, cache=run.cache, check_stop=run.check_stop)
        names = list(dict.fromkeys(named))
        place = {name: number for number, name in reversed(list(enumerate(named)))}
        faults = {audio.name_of(name): clips.faults[place[name]] for name in names if place[name] in clips.faults}
        if faults:
            run.warn("files-left-out", audio.say_faults(faults, len(names), plan.data.name or "the file"))
        rows = usable(rows, place, clips)
        own_test = usable(own_test, place, clips) if own_test is not None else None
        if plan.problem != "regression":
            data.check_classes(rows, plan)
        material = (clips, place)
        return divide(rows, own_test, plan, run, lambda inputs: find_copies(inputs, clips, place), material)

    def fit_to(self, base: Base, study: Study) -> None:
        """Give the model a window as long as the recordings, and a plain way from its states to the last layer."""
        clips, place = study.material
        numbers = np.array([place[name] for name in study.rows.inputs])
        set_window(base, window_for(clips.seconds[numbers], base))
        plain_projector(base.model)

    def encode(self, plan: Plan, study: Study, base: Base, run: RunContext) -> SoundInputs:
        """The recordings as the model's feature extractor prepares them."""
        del plan
        clips, place = study.material
        numbers = np.array([place[name] for name in study.rows.inputs], dtype=np.int64)
        window = window_of(base.model, base.processor)
        longer = int((clips.seconds[numbers] > window + 0.01).sum())
        if longer:
            run.note(
                f"{longer:,} of {len(numbers):,} recordings are longer than the {window:g} seconds that the model "
                "hears; of these the loudest stretch is heard."
            )
        samples = [clips.samples(int(number)) for number in numbers]
        return prepared(base.model, base.processor, samples, window, clips, numbers)

    def encode_new(self, classifier: Classifier, values: Sequence[Any]) -> SoundInputs:
        """New recordings, from paths."""
        body = classifier.module
        try:
            samples = [audio.load(Path(value).expanduser()) for value in values]
        except audio.Unreadable as error:
            raise RecipeError(
                "input-unusable",
                f"The recording {error}.",
                "A recording is a wav, flac, mp3 or ogg file with something to hear in it.",
                "Choose another recording.",
            ) from error
        window = window_of(body, classifier.processor)
        return prepared(body, classifier.processor, samples, window)

    def read_new(
        self, records: list[data.Record], plan: Plan, names: list[str] | None, file: Path, warn: data.Warn
    ) -> data.Rows:
        """Rows of another file; recordings that cannot be used are named and left out."""
        rows = data.labelled_rows(records, plan, names, warn, file.name, self.role, self.one)
        paths = [data.file_in(file.parent, name) for name in rows.inputs]
        clips = audio.read_clips(paths)
        if clips.faults:
            faults = {audio.name_of(rows.inputs[number]): why for number, why in clips.faults.items()}
            warn("files-left-out", audio.say_faults(faults, len(rows), file.name))
        kept = rows.take([number for number in range(len(rows)) if number not in clips.faults])
        found = [str(path) for number, path in enumerate(paths) if number not in clips.faults]
        if not found:
            raise audio.no_usable_sound(len(rows), file.name, {})
        return data.Rows(found, kept.labels, kept.names, kept.numbers, kept.groups)

    def value_of(self, tree: dict[str, Any], plan: Plan) -> str:
        """The path under the name audio, or under the column's name."""
        inputs = tree.get("inputs")
        found = data.join_text(inputs, plan.column(self.role)) if isinstance(inputs, dict) else ""
        return str(found or tree.get(self.role) or tree.get("text") or "")

    def shown(self, values: Sequence[str]) -> list[str]:
        """The names of files, with their folder."""
        return ["/".join(Path(value).parts[-2:]) for value in values]

    def baseline(
        self,
        name: str,
        study: Study,
        inputs: Inputs,
        rows: NDArray[Any],
        validation: NDArray[Any] | None,
        test: NDArray[Any],
    ) -> Predictions:
        """Logistic regression on how loud each band of the mel spectrum is: mean, spread, and change over time."""
        del name, inputs
        clips, place = study.material
        known = rows if validation is None else np.concatenate([rows, validation])
        found = np.stack([statistics(clips.samples(place[name])) for name in study.inputs(np.arange(len(study.rows)))])
        return probe.answers_from(study, found[known], rows, validation, found[test])

    def illustrate(self, run: RunContext, study: Study, mistakes: list[Mistake]) -> list[Mistake]:
        """Each mistake with its recording."""
        by_row = dict(zip(study.rows.take(study.judged).numbers.tolist(), study.inputs(study.judged), strict=True))
        root = run.directory.resolve()
        found = []
        for mistake in mistakes:
            path = data.file_in(run.directory, by_row[mistake.row])
            audio_path = path.relative_to(root).as_posix() if path is not None else None
            found.append(mistake.model_copy(update={"audio": audio_path}))
        return found

    # The model

    def auto_model(self, with_head: bool = True) -> Any:
        """Of transformers."""
        from transformers import AutoModel, AutoModelForAudioClassification

        return AutoModelForAudioClassification if with_head else AutoModel

    def load_processor(self, source: str) -> Any:
        """The feature extractor.

        Raises:
            RecipeError: `model-not-usable`.
        """
        from transformers import AutoFeatureExtractor

        brings = "A model for sound brings a file preprocessor_config.json."
        return self.processor_by(AutoFeatureExtractor, source, "sound", brings)

    def save_processor(self, processor: Any, folder: Path, max_length: int) -> None:
        """The feature extractor; it carries the window."""
        del max_length
        processor.save_pretrained(folder)

    def check(self, base: Base) -> None:
        """It listens at 16,000 samples a second, and can be told where a recording ends.

        The base forms of wav2vec 2.0 and HuBERT normalise the first layer's output over the whole time (group norm),
        the filling included, so that a recording in a batch is heard differently from the same one alone (logits of a
        random tiny model: apart by 0.03; with a layer norm and a mask: by less than 0.00001).
        """
        rate = int(base.processor.sampling_rate)
        if rate != audio.RATE:
            raise RecipeError(
                "model-not-usable",
                f"The model “{base.name}” listens at {rate:,} samples a second.",
                f"Recordings are prepared at {audio.RATE:,}.",
                self.another_model,
            )
        fixed = is_whisper(base.model) or hasattr(base.processor, "num_mel_bins")
        if not fixed and not base.processor.return_attention_mask:
            raise RecipeError(
                "model-not-usable",
                f"The model “{base.name}” cannot be told where a recording ends, so the silence that fills shorter "
                "ones up would change its answers.",
                "Recordings of different lengths are read together.",
                "Choose Whisper, the Audio Spectrogram Transformer, XLS-R, or the large form of wav2vec2 or WavLM.",
            )

    def trial_batch(self, base: Base) -> dict[str, torch.Tensor]:
        """Noise of half a window."""
        window = window_of(base.model, base.processor)
        noise = np.random.default_rng(0).normal(0, 0.1, (TRIAL_ROWS, int(min(window, 4.0) * audio.RATE / 2)))
        inputs = prepared(base.model, base.processor, list(noise.astype(np.float32)), window)
        return inputs.batch(np.arange(TRIAL_ROWS))

    def trial_inputs(self, classifier: Classifier) -> dict[str, torch.Tensor]:
        """Noise as long as the window."""
        window = window_of(classifier.module, classifier.processor)
        noise = np.random.default_rng(1).normal(0, 0.1, (2, int(window * audio.RATE)))
        return prepared(classifier.module, classifier.processor, list(noise.astype(np.float32)), window).batch([0, 1])

    def pooled(
        self, base: Base, heard: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """{"model": what the last layer reads}."""
        del base, batch
        return {"model": heard["head_input"].to(torch.float32)}

    def peak_bytes(self, plan: Plan, base: Base, inputs: Inputs, rows: int, place: Device) -> int:
        """From the sizes in the configuration and the tokens of the window."""
        return device.predicted_peak_bytes(base.model, plan.method, rows * inputs.max_length, place)


# Windows


def is_whisper(model: Any) -> bool:
    """Whether it is Whisper's encoder."""
    return str(model.config.model_type) == "whisper"


def window_of(model: Any, processor: Any) -> float:
    """Seconds that a model hears at once, as its files say."""
    if is_whisper(model):
        return float(processor.chunk_length)
    if hasattr(processor, "num_mel_bins"):  # the Audio Spectrogram Transformer: frames of 10 milliseconds
        return float(processor.max_length) / 100
    return float(getattr(processor, "window_seconds", None) or LONGEST_WINDOW)


def window_for(seconds: NDArray[np.float64], base: Base) -> float:
    """Whole seconds that hold nearly all recordings, at most what the model can hear."""
    wanted = max(1.0, float(math.ceil(float(np.quantile(seconds, COVERED)) - 0.01)))
    return min(wanted, window_of(base.model, base.processor))


def set_window(base: Base, seconds: float) -> None:
    """Shorten what the model hears; its files will say so, so that plain transformers prepares sound alike."""
    model, processor = base.model, base.processor
    if not is_whisper(model):
        if not hasattr(processor, "num_mel_bins"):
            processor.window_seconds = seconds
        return
    length = int(seconds)
    processor.chunk_length = length
    processor.n_samples = length * processor.sampling_rate
    processor.nb_max_frames = processor.n_samples // processor.hop_length
    encoder, positions = model.encoder, length * speech_models.POSITIONS_A_SECOND
    whole = encoder.embed_positions
    if positions < whole.num_embeddings:
        short = nn.Embedding(positions, whole.embedding_dim, device=whole.weight.device)
        short.weight = nn.Parameter(whole.weight[:positions].detach().clone(), requires_grad=False)
        encoder.embed_positions = short
    model.config.max_source_positions = encoder.max_source_positions = positions


def plain_projector(model: Any) -> None:
    """Where a random layer narrows the states before the last one, let them through whole instead."""
    projector = getattr(model, "projector", None)
    classifier = getattr(model, "classifier", None)
    if not isinstance(projector, nn.Linear) or not isinstance(classifier, nn.Linear):
        return
    width, place = projector.in_features, projector.weight.device
    model.projector, model.classifier = (
        nn.Linear(width, width, device=place),
        nn.Linear(width, classifier.out_features, device=place),
    )
    with torch.no_grad():
        nn.init.eye_(model.projector.weight)
        nn.init.zeros_(model.projector.bias)
    model.config.classifier_proj_size = width


# Recordings


def loudest(samples: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    """At most `longest` samples: those of the loudest stretch."""
    if len(samples) <= longest:
        return samples
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    step = max(1, audio.RATE // 20)
    starts = np.arange(0, len(samples) - longest + 1, step)
    start = int(starts[np.argmax(energy[starts + longest] - energy[starts])])
    return samples[start : start + longest]


def prepared(
    model: Any, processor: Any, samples: Sequence[NDArray[np.float32]], window: float, clips: Clips | None = None,
    numbers: NDArray[np.int64] | None = None,
) -> SoundInputs:  # fmt: skip
    """Recordings as the model reads them, cut to the window."""
    cut = [loudest(each, int(window * audio.RATE)) for each in samples]
    known: dict[str, Any] = {"clips": clips, "numbers": numbers}
    if is_whisper(model):
        sounds = speech_models.log_mel(processor, cut)
        return SoundInputs(sounds, "input_features", int(window * 100), 2, filler="last", **known)
    if hasattr(processor, "num_mel_bins"):
        pieces = [processor(each, sampling_rate=audio.RATE, return_tensors="np")["input_values"][0] for each in cut]
        sounds = speech_models.joined([piece.astype(np.float16) for piece in pieces])
        return SoundInputs(sounds, "input_values", int(processor.max_length), 1, bands_first=True, **known)
    sounds = speech_models.waveforms(cut, bool(processor.do_normalize))
    mask = bool(processor.return_attention_mask)
    return SoundInputs(sounds, "input_values", int(window * audio.RATE), audio.RATE // 50, mask, **known)


def statistics(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean, spread, change and extremes of each mel band's loudness, shape (5 x bands,)."""
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    filters = mel_filter_bank(1 + WIDE // 2, BANDS, 0.0, audio.RATE / 2, audio.RATE, norm="slaney", mel_scale="slaney")
    padded = np.pad(samples, (0, max(0, 2 * WIDE - len(samples))))
    found = spectrogram(
        padded, window_function(WIDE, "hann"), WIDE, WIDE // 2, power=2.0, mel_filters=filters, log_mel="log10",
        mel_floor=1e-8,
    )  # fmt: skip
    change = np.abs(np.diff(found, axis=1)).mean(axis=1)
    low, high = np.quantile(found, [0.1, 0.9], axis=1)
    return np.concatenate([found.mean(axis=1), found.std(axis=1), change, low, high]).astype(np.float32)


def placed(rows: data.Rows, folder: Path) -> data.Rows:
    """The rows with whole paths; one that leads out of the folder becomes that of a file that is not there."""
    paths = [str(data.file_in(folder, name) or folder / "missing" / Path(name).name) for name in rows.inputs]
    return data.Rows(paths, rows.labels, rows.names, rows.numbers, rows.groups)


def usable(rows: data.Rows, place: dict[str, int], clips: Clips) -> data.Rows:
    """The rows whose recording could be read.

    Raises:
        RecipeError: `no-usable-rows`.
    """
    good = [row for row, name in enumerate(rows.inputs) if place[name] not in clips.faults]
    if not good:
        name = rows.inputs[0]
        raise audio.no_usable_sound(len(rows), "the file", {audio.name_of(name): clips.faults[place[name]]})
    return rows.take(good) if len(good) < len(rows) else rows


def find_copies(inputs: Sequence[str], clips: Clips, place: dict[str, int]) -> tuple[NDArray[np.intp], list[str]]:
    """Number recordings so that equal files have the same number."""
    content = [clips.content[place[name]] for name in inputs]
    numbers = np.unique(np.array(content), return_inverse=True)[1].reshape(-1).astype(np.intp)
    extra = len(inputs) - len(set(content))
    if not extra:
        return numbers, []
    are = "recording is" if extra == 1 else "recordings are"
    return numbers, [f"{extra:,} {are} the same as another one; copies were kept on one side of the split."]
