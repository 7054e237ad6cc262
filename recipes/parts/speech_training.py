"""Fine-tuning a speech model with transformers.Trainer and the clock, checkpoints and guards of `steady`.

outcome = fine_tune(job, settings, run, place, memory, folder)      the best state is loaded into the model

While it learns, Whisper mostly hears a window as long as the longest recording of a batch instead of thirty seconds:
the silence that fills the rest up costs as much as speech. Now and then it hears the whole window all the same, because
everything that is reported is heard with the whole one, as plain transformers does, and as it will be used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.trainer_callback import PrinterCallback

from recipes.parts import checkpoints, speech_metrics, steady
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.linear_head import Quality
from recipes.parts.methods import micro_batches
from recipes.parts.speech_metrics import Normaliser
from recipes.parts.speech_models import IGNORED, Sounds, SpeechModel
from recipes.parts.steady import LikeLengthBatches, Loader, Outcome, Pace, Schedule, Settings, Steady, Watch

NO_DECAY = ("bias", "layer_norm.weight", "norm.weight")
WINDOW_STEP = 1.0  # seconds: windows are whole multiples of it
WINDOW_MARGIN = 0.5  # seconds of silence after the longest recording
WHOLE = 1 / 16  # share of the batches that are heard with the whole window
EVALUATED = 64  # validation recordings that are written down at each evaluation


@dataclass
class Job:
    """What is trained on what.

    Attributes:
        sounds: of all rows; labels: what the model shall write for each; texts: the transcripts.
        seconds: length of each recording; train, validation: row indices.
        most: tokens that are written for a recording at most.
        reserve_seconds: time to leave for judging and saving.
    """

    model: SpeechModel
    sounds: Sounds
    labels: list[list[int]]
    texts: list[str]
    seconds: NDArray[np.float64]
    train: NDArray[Any]
    validation: NDArray[Any]
    normal: Normaliser
    metric: str
    most: int
    reserve_seconds: float = 0.0


class SpeechTrainer(Steady):  # type: ignore[misc]
    """Trainer whose loss is the model's own: of tokens, or of letters."""

    loss_is_scaled_for_ga = True

    def __init__(self, job: Job, run: RunContext, place: Device, loader: Loader, watch: Watch, **kwargs: Any) -> None:
        self.job, self.place = job, place
        self.watched(run, watch, loader)
        super().__init__(model=job.model.module, train_dataset=loader.dataset, callbacks=[watch], **kwargs)
        self.remove_callback(PrinterCallback)

    def judge(self) -> Quality:
        """Error rate of what is written for validation recordings, and their loss, which breaks ties."""
        job, run = self.job, self.run
        rows = job.validation[:EVALUATED].tolist()
        heard, loss = run.on_main(lambda: written_and_loss(job, rows, self.place))
        counts = speech_metrics.count_errors([job.texts[row] for row in rows], heard, job.normal)
        return Quality(job.metric, counts.rate(job.metric), loss)

    def units(self, batch: dict[str, Any]) -> torch.Tensor:
        """Tokens (or recordings), fillers not counted."""
        return self.job.model.units(batch["labels"])

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Summed over what is learned at hand, divided by that of the effective batch."""
        speech = self.job.model
        heard = {name: value for name, value in inputs.items() if name != "labels"}
        with speech.reading(speech.seconds_of(heard)):
            bare, speech.module = speech.module, model  # as it is wrapped for several processes
            try:
                summed, logits = speech.loss(heard, inputs["labels"])
            finally:
                speech.module = bare
        # The processes' gradients are averaged, so each one's share counts as many times as there are processes.
        loss = summed * self.run.world_size / num_items_in_batch
        return (loss, {"logits": logits}) if return_outputs else loss


def written_and_loss(job: Job, rows: Sequence[int], place: Device) -> tuple[list[str], float]:
    """What the model writes for some rows, and the mean loss of their transcripts; each is listened to once."""
    model, found, total, units = job.model, [""] * len(rows), 0.0, 0
    with torch.inference_mode(), place.autocast():
        for places, sound in model.batches(job.sounds, rows, place):
            batch = model.heard_once(sound)
            wanted = filled([job.labels[rows[number]] for number in places]).to(place.torch_device)
            total += float(model.loss(batch, wanted)[0])
            units += int(model.units(wanted))
            for number, text in zip(places, model.written(batch, job.most), strict=True):
                found[number] = " ".join(text.split())
    return found, total / max(1, units)


def mean_loss(model: SpeechModel, sounds: Sounds, labels: list[list[int]], rows: Sequence[int], place: Device) -> float:
    """Mean loss of some rows, in evaluation mode."""
    total, units = 0.0, 0
    with torch.inference_mode(), place.autocast():
        for places, batch in model.batches(sounds, rows, place):
            wanted = filled([labels[rows[number]] for number in places]).to(place.torch_device)
            total += float(model.loss(batch, wanted)[0])
            units += int(model.units(wanted))
    return total / max(1, units)


def filled(labels: Sequence[Sequence[int]]) -> torch.Tensor:
    """Labels of some rows filled up with -100, shape (rows, longest)."""
    width = max(1, *(len(each) for each in labels))
    return torch.tensor([[*each, *[IGNORED] * (width - len(each))] for each in labels], dtype=torch.int64)


def collate(job: Job, sampler: LikeLengthBatches) -> Callable[[list[int]], dict[str, torch.Tensor]]:
    """Rows to a batch: the model's inputs and labels; a filler row's labels count nothing.

    Which batches are heard whole follows from seed, epoch and rows alone, so that a resumed run hears the same.
    """

    def make(places: list[int]) -> dict[str, torch.Tensor]:
        rows = [int(job.train[place if place >= 0 else ~place]) for place in places]
        whole = np.random.default_rng((sampler.seed, sampler.epoch, *rows)).random() < WHOLE
        window = job.model.longest if whole else window_for(float(job.seconds[rows].max()), job.model)
        with job.model.reading(window):
            batch = job.model.inputs(job.sounds, rows)
        batch["labels"] = filled(
            [job.labels[row] if place >= 0 else [] for row, place in zip(rows, places, strict=True)]
        )
        return batch

    return make


def window_for(longest_seconds: float, model: SpeechModel) -> float:
    """Seconds that hold the longest recording and a little silence, at most what the model hears."""
    wanted = math.ceil((longest_seconds + WINDOW_MARGIN) / WINDOW_STEP) * WINDOW_STEP
    return min(model.longest, wanted)


def costs(job: Job) -> NDArray[np.int64]:
    """What rows are sorted into batches by, shape (rows,): for Whisper whole windows, so that batches still differ."""
    if job.model.kind == "whisper":
        return np.ceil(job.seconds / WINDOW_STEP).astype(np.int64)
    return job.sounds.lengths


def fine_tune(
    job: Job, settings: Settings, run: RunContext, place: Device, memory: checkpoints.Memory, folder: Path
) -> Outcome:
    """Train, keep the best state by the validation recordings, and load it into the model.

    Args:
        folder: where checkpoints live; the newest valid one is gone on from.

    Raises:
        RecipeError: `nan`.
    """
    micro, accumulation = micro_batches(settings.batch_size, run.world_size, settings.micro_batch_size)
    lengths = costs(job)
    sampler = LikeLengthBatches(lengths[job.train], settings.batch_size, accumulation, settings.seed, run)
    loader = Loader(range(len(job.train)), batch_sampler=sampler, collate_fn=collate(job, sampler))  # type: ignore[arg-type]
    steps_an_epoch = len(sampler) // accumulation
    schedule = Schedule(max(1, math.ceil(settings.epochs * steps_an_epoch)), settings.warmup)
    cost = float(next(iter(job.model.inputs(job.sounds, job.validation[:1].tolist()).values())).numel())
    pace = Pace(
        early_stopping=settings.early_stopping,
        validation_cost=cost * min(EVALUATED, len(job.validation)),
        reserve_seconds=job.reserve_seconds,
    )
    watch = Watch(run, pace, job.model.module, schedule, memory)
    # Writing recordings down costs as much as learning from them: once an epoch.
    watch.evaluate_every = max(steps_an_epoch, steady.evaluations(steps_an_epoch, schedule.total_steps))
    trainer = SpeechTrainer(
        job, run, place, loader, watch,
        args=steady.arguments(settings, place, folder, rows=micro, accumulation=accumulation),
        optimizers=_optimizer(job, settings, schedule, place),
    )  # fmt: skip
    return steady.train(trainer, watch, folder)


def _optimizer(job: Job, settings: Settings, schedule: Schedule, place: Device) -> Any:
    """AdamW; biases and norms do not decay."""
    trained = [(name, each) for name, each in job.model.module.named_parameters() if each.requires_grad]
    plain = [each for name, each in trained if name.endswith(NO_DECAY)]
    decayed = [each for name, each in trained if not name.endswith(NO_DECAY)]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return steady.optimizer(groups, settings.learning_rate, schedule, place)
