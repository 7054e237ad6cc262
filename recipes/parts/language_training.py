"""Fine-tuning a causal language model on answers, with TRL's SFTTrainer and the clock and guards of `steady`.

outcome = fine_tune(job, settings, run, place, memory, folder)      the best state is loaded into the model
losses = answer_losses(model, encoded, sequences, place, run)       summed loss of each sequence

A step learns from `batch_size` rows whatever the memory: they are read a few at a time, as many as `tokens_at_once`
allows. Where documents were seen to stay apart, those few are laid end to end without padding (`packed`).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from recipes.parts import checkpoints, steady
from recipes.parts.chat_format import IGNORED, Encoded, padded
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.language_model import LanguageModel
from recipes.parts.linear_head import Quality
from recipes.parts.steady import LikeLengthBatches, Loader, Outcome, Pace, Schedule, Settings, Steady, Watch
from recipes.parts.steps import like_lengths, optimizer_for

CPU_TOKENS, GPU_TOKENS = 1024, 8192  # in memory at once; a CPU's matrix products are no faster with more
EVALUATION_TOKENS = 4  # times as many where nothing is kept for the way back
MULTIPLE = 128  # packed rows are filled up to a multiple of it, so that a GPU meets few different lengths


@dataclass
class Job:
    """What is trained on what.

    Attributes:
        train, validation: numbers of sequences in `encoded`.
        tokens_at_once, rows_at_once: the most in memory at once, of one process.
        packed: documents are laid end to end; only where they cannot see each other.
        checkpointing: keep less for the way back and compute it again.
        test_cost: tokens to judge on after the training.
    """

    model: LanguageModel
    encoded: Encoded
    train: NDArray[Any]
    validation: NDArray[Any]
    tokens_at_once: int
    rows_at_once: int
    packed: bool = False
    checkpointing: bool = False
    reserve_seconds: float = 0.0
    test_cost: float = 0.0


class InPieces(Steady):
    """A TRL trainer that gets one effective batch at a time, cuts it to what memory holds, and tells nobody."""

    loss_is_scaled_for_ga = True

    def pieces(self, batch: dict[str, Any]) -> Sequence[dict[str, torch.Tensor]]:
        """The batch, cut."""
        raise NotImplementedError

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """One batch, a piece at a time; processes exchange gradients once, after the last of them."""
        pieces = self.pieces(inputs)
        total = torch.zeros((), device=self.args.device)
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(model):
                total += super().training_step(model, piece, num_items_in_batch)
        return total

    def _send_telemetry(self) -> None:
        """Nothing about a person's run leaves their machine."""

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """The card is written once, at the end, by this project."""


class AnswersTrainer(InPieces, SFTTrainer):  # type: ignore[misc]
    """SFTTrainer whose steps are cut by tokens, and whose loss is computed on answers alone."""

    def __init__(self, job: Job, run: RunContext, place: Device, loader: Loader, watch: Watch, **kwargs: Any) -> None:
        self.job, self.place = job, place
        self.watched(run, watch, loader)
        rows = Dataset.from_dict({"row": list(range(len(loader.dataset)))})  # type: ignore[arg-type]
        super().__init__(
            model=job.model.module,
            processing_class=job.model.tokenizer,
            train_dataset=rows,
            data_collator=list,
            callbacks=[watch],
            **kwargs,
        )
        self.remove_callback(PrinterCallback)

    def judge(self) -> Quality:
        """Mean loss a token on the validation rows; smaller is better, so it is compared with its sign turned."""
        job = self.job
        losses = answer_losses(job.model, job.encoded, job.validation, self.place, self.run, job.tokens_at_once)
        loss = float(losses.sum() / max(1, job.encoded.learned[job.validation].sum()))
        return Quality("loss", loss, loss)

    def units(self, batch: dict[str, Any]) -> torch.Tensor:
        """Learned tokens."""
        return (batch["labels"][:, 1:] != IGNORED).sum()

    def pieces(self, batch: dict[str, Any]) -> Sequence[dict[str, torch.Tensor]]:
        """A few rows at a time."""
        return pieces_of(batch, self.job)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Summed over the learned tokens at hand, divided by those of the effective batch."""
        found = model(**inputs, token_loss="sum")
        # The processes' gradients are averaged, so each one's share counts as many times as there are processes.
        loss = found["loss"] * self.run.world_size / num_items_in_batch
        return (loss, found) if return_outputs else loss


def pieces_of(batch: dict[str, torch.Tensor], job: Job) -> list[dict[str, torch.Tensor]]:
    """A batch cut by rows and tokens; each piece is what one pass of the model reads.

    Padding is on the right and a token sees only what is before it, so no attention mask is needed: without one, the
    quick way through attention is taken.
    """
    lengths = batch["attention_mask"].sum(1).tolist()
    pieces = []
    for rows in _runs(lengths, job):
        width = max(lengths[row] for row in rows)
        tokens, labels = batch["input_ids"][rows, :width], batch["labels"][rows, :width]
        if job.packed:
            pieces.append(_end_to_end(tokens, labels, [lengths[row] for row in rows]))
        else:
            pieces.append({"input_ids": tokens, "labels": labels})
    return pieces


def _runs(lengths: list[int], job: Job) -> Iterator[list[int]]:
    """Rows, the longest first, in groups that fit into memory together."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    group: list[int] = []
    for row in order:
        widest = lengths[group[0]] if group else lengths[row]
        tokens = sum(lengths[one] for one in group) + lengths[row] if job.packed else widest * (len(group) + 1)
        if group and (tokens > job.tokens_at_once or len(group) >= job.rows_at_once):
            yield group
            group = []
        group.append(row)
    yield group


def _end_to_end(tokens: torch.Tensor, labels: torch.Tensor, lengths: list[int]) -> dict[str, torch.Tensor]:
    """Documents in one row, each with positions from 0; the first token of each is told by nothing."""
    ids = [row[:length] for row, length in zip(tokens, lengths, strict=True)]
    targets = [row[:length].clone() for row, length in zip(labels, lengths, strict=True)]
    for target in targets:
        target[0] = IGNORED
    filler = -sum(lengths) % MULTIPLE
    positions = [torch.arange(length) for length in [*lengths, filler]]
    joined, target = torch.cat(ids), torch.cat(targets)
    return {
        "input_ids": torch.cat([joined, joined.new_full((filler,), int(joined[-1]))])[None],
        "labels": torch.cat([target, target.new_full((filler,), IGNORED)])[None],
        "position_ids": torch.cat(positions)[None].to(joined.device),
    }


def answer_losses(
    model: LanguageModel,
    encoded: Encoded,
    sequences: NDArray[Any],
    place: Device,
    run: RunContext | None = None,
    tokens_at_once: int = CPU_TOKENS,
) -> NDArray[np.float64]:
    """Loss of each sequence, summed over its learned tokens, shape (sequences,); shared between processes."""
    module = model.module
    module.eval()
    lengths = encoded.lengths[sequences]
    groups = like_lengths(lengths, EVALUATION_TOKENS * tokens_at_once)
    rank, world_size = (run.rank, run.world_size) if run is not None else (0, 1)
    found = []
    with torch.inference_mode(), place.autocast():
        for places in groups[rank::world_size]:
            rows = sequences[places]
            batch = padded([encoded.ids[row] for row in rows], [encoded.labels[row] for row in rows], 0)
            labels = torch.from_numpy(batch["labels"]).to(place.torch_device)
            ids = torch.from_numpy(batch["input_ids"]).to(place.torch_device)
            each = module(input_ids=ids, labels=labels, token_loss="each")["loss"]
            found.append((places, by_row(each, labels)))
    shards = [found]
    if world_size > 1:
        shards = [[] for _ in range(world_size)]
        torch.distributed.all_gather_object(shards, found)
    losses = np.zeros(len(sequences))
    for shard in shards:
        for places, values in shard:
            losses[places] = values
    return losses


def by_row(each: torch.Tensor, labels: torch.Tensor) -> NDArray[np.float64]:
    """Losses of the learned tokens, summed by row: shape (learned tokens,), (rows, tokens) -> (rows,)."""
    learned = (labels[:, 1:] != IGNORED).sum(1).tolist()
    return np.array([float(part.sum()) for part in each.double().cpu().split(learned)])


def fine_tune(
    job: Job, settings: Settings, run: RunContext, place: Device, memory: checkpoints.Memory, folder: Path
) -> Outcome:
    """Train, keep the best state by the validation rows, and load it into the model.

    Args:
        folder: where checkpoints live; the newest valid one is gone on from.

    Raises:
        RecipeError: `nan`.
    """
    encoded, rows = job.encoded, job.train
    pad_token = int(job.model.tokenizer.pad_token_id or 0)

    def collate(places: list[int]) -> dict[str, torch.Tensor]:
        chosen = [rows[place if place >= 0 else ~place] for place in places]
        nothing = np.full(2, IGNORED, dtype=np.int32)
        labels = [encoded.labels[row] if place >= 0 else nothing for row, place in zip(chosen, places, strict=True)]
        ids = [
            encoded.ids[row] if place >= 0 else encoded.ids[row][:2] for row, place in zip(chosen, places, strict=True)
        ]
        return {name: torch.from_numpy(value) for name, value in padded(ids, labels, pad_token).items()}

    sampler = LikeLengthBatches(encoded.lengths[rows], settings.batch_size, 1, settings.seed, run)
    loader = Loader(range(len(rows)), batch_sampler=sampler, collate_fn=collate)  # type: ignore[arg-type]
    steps_an_epoch = len(sampler)
    schedule = Schedule(max(1, math.ceil(settings.epochs * steps_an_epoch)), settings.warmup)
    cost = float(encoded.lengths[job.validation].sum())
    pace = Pace(
        early_stopping=settings.early_stopping,
        validation_cost=cost,
        test_share=job.test_cost / max(1.0, cost),
        reserve_seconds=job.reserve_seconds,
    )
    watch = Watch(run, pace, job.model.module, schedule, memory)
    watch.evaluate_every = steady.evaluations(steps_an_epoch, schedule.total_steps)
    arguments = steady.arguments(
        settings, place, folder, rows=settings.batch_size, kind=SFTConfig, activation_checkpointing=job.checkpointing,
        max_length=encoded.max_length, packing=False, dataset_kwargs={"skip_prepare_dataset": True},
    )  # fmt: skip
    trainer = AnswersTrainer(
        job, run, place, loader, watch,
        args=arguments,
        optimizers=optimizer_for(job.model.module, settings, schedule, place),
    )  # fmt: skip
    return steady.train(trainer, watch, folder)
