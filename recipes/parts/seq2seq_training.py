"""Fine-tuning an encoder-decoder model with transformers.Trainer and the clock, checkpoints and guards of `steady`.

outcome = fine_tune(job, settings, run, place, memory, folder)      the best state is loaded into the model
losses = target_losses(model, pairs, rows, place)                   summed loss of each row

Only what shall be written is learned; rows of like length go together, so that little padding is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers.trainer_callback import PrinterCallback

from recipes.parts import checkpoints, pairs, steady
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.linear_head import Quality
from recipes.parts.methods import micro_batches
from recipes.parts.pairs import IGNORED, Pairs
from recipes.parts.seq2seq_model import Seq2Seq
from recipes.parts.steady import LikeLengthBatches, Loader, Outcome, Pace, Schedule, Settings, Steady, Watch
from recipes.parts.steps import like_lengths, optimizer_for

JUDGED_TOKENS = 8192  # of both sides in memory at once, where nothing is kept for the way back


@dataclass
class Job:
    """What is trained on what.

    Attributes:
        train, validation: row numbers in `pairs`.
        reserve_seconds: time to leave for writing the test rows and for saving.
    """

    model: Seq2Seq
    pairs: Pairs
    train: NDArray[Any]
    validation: NDArray[Any]
    reserve_seconds: float = 0.0


class PairTrainer(Steady):  # type: ignore[misc]
    """Trainer whose loss is that of the targets' tokens, each alike."""

    loss_is_scaled_for_ga = True

    def __init__(self, job: Job, run: RunContext, place: Device, loader: Loader, watch: Watch, **kwargs: Any) -> None:
        self.job, self.place = job, place
        self.watched(run, watch, loader)
        super().__init__(model=job.model.module, train_dataset=loader.dataset, callbacks=[watch], **kwargs)
        self.remove_callback(PrinterCallback)

    def judge(self) -> Quality:
        """Mean loss a token on the validation rows."""
        job = self.job
        losses = self.run.on_main(lambda: target_losses(job.model, job.pairs, job.validation, self.place))
        loss = float(losses.sum() / max(1.0, job.pairs.learned(job.validation).sum()))
        return Quality("loss", loss, loss)

    def cost(self, batch: dict[str, Any]) -> int:
        """Tokens of both sides, padding included."""
        return int(batch["input_ids"].numel() + batch["labels"].numel())

    def units(self, batch: dict[str, Any]) -> torch.Tensor:
        """Learned tokens, fillers not counted."""
        return (batch["labels"] != IGNORED).sum()

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Summed over the learned tokens at hand, divided by those of the effective batch."""
        losses = token_losses(model, self.job.model.bare, inputs)
        # The processes' gradients are averaged, so each one's share counts as many times as there are processes.
        loss = losses.sum() * self.run.world_size / num_items_in_batch
        return (loss, {"loss": loss}) if return_outputs else loss


def token_losses(module: Any, bare: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Loss of each token of the targets, shape (rows, longest); 0 for padding.

    Args:
        module: the model as it is wrapped for adapters or several processes; bare: the model itself.
        batch: `input_ids`, `attention_mask` and `labels`.
    """
    labels = batch["labels"]
    logits = module(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], decoder_input_ids=moved(bare, labels)
    ).logits
    flat = functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return flat.view(labels.shape)


def moved(bare: Any, labels: torch.Tensor) -> torch.Tensor:
    """What the decoder has read before each token: its own start token, then the targets, shape as `labels`."""
    if hasattr(bare, "prepare_decoder_input_ids_from_labels"):
        own: torch.Tensor = bare.prepare_decoder_input_ids_from_labels(labels=labels)
        return own
    before = labels.new_full(labels.shape, bare.config.decoder_start_token_id)
    before[:, 1:] = labels[:, :-1]
    return before.masked_fill(before == IGNORED, bare.config.pad_token_id)


def target_losses(model: Seq2Seq, encoded: Pairs, rows: NDArray[Any], place: Device) -> NDArray[np.float64]:
    """Loss of each row, summed over its target, shape (rows,), in evaluation mode."""
    model.module.eval()
    found = np.zeros(len(rows))
    with torch.inference_mode(), place.autocast():
        for places in like_lengths(encoded.lengths[rows], JUDGED_TOKENS):
            losses = token_losses(model.module, model.bare, batch_of(model, encoded, rows[places], place))
            found[places] = losses.double().sum(1).cpu().numpy()
    return found


def batch_of(
    model: Seq2Seq, encoded: Pairs, rows: NDArray[Any], place: Device | None = None
) -> dict[str, torch.Tensor]:
    """Some rows as the model reads them, with `labels`; on the device where one is given."""
    batch = pairs.sources_of([encoded.sources[row] for row in rows], int(model.tokenizer.pad_token_id or 0))
    batch["labels"] = pairs.targets_of([encoded.targets[row] for row in rows])
    return batch if place is None else {name: value.to(place.torch_device) for name, value in batch.items()}


def fine_tune(
    job: Job, settings: Settings, run: RunContext, place: Device, memory: checkpoints.Memory, folder: Path
) -> Outcome:
    """Train, keep the best state by the validation rows, and load it into the model.

    Args:
        folder: where checkpoints live; the newest valid one is gone on from.

    Raises:
        RecipeError: `nan`.
    """

    def collate(places: list[int]) -> dict[str, torch.Tensor]:
        batch = batch_of(job.model, job.pairs, job.train[[place if place >= 0 else ~place for place in places]])
        batch["labels"][[place < 0 for place in places]] = IGNORED
        return batch

    micro, accumulation = micro_batches(settings.batch_size, run.world_size, settings.micro_batch_size)
    lengths = job.pairs.lengths
    sampler = LikeLengthBatches(lengths[job.train], settings.batch_size, accumulation, settings.seed, run)
    loader = Loader(range(len(job.train)), batch_sampler=sampler, collate_fn=collate)  # type: ignore[arg-type]
    steps_an_epoch = len(sampler) // accumulation
    schedule = Schedule(max(1, math.ceil(settings.epochs * steps_an_epoch)), settings.warmup)
    pace = Pace(
        early_stopping=settings.early_stopping,
        validation_cost=float(lengths[job.validation].sum()),
        reserve_seconds=job.reserve_seconds,
    )
    watch = Watch(run, pace, job.model.module, schedule, memory)
    watch.evaluate_every = steady.evaluations(steps_an_epoch, schedule.total_steps)
    trainer = PairTrainer(
        job, run, place, loader, watch,
        args=steady.arguments(settings, place, folder, rows=micro, accumulation=accumulation),
        optimizers=optimizer_for(job.model.module, settings, schedule, place),
    )  # fmt: skip
    return steady.train(trainer, watch, folder)
