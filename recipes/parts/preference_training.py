"""Learning which of two answers is better, with TRL's DPOTrainer and the clock and guards of `steady`.

outcome = fine_tune(job, settings, run, place, memory, folder)     the best state is loaded into the model

Direct preference optimisation (Rafailov 2023): the preferred answer shall become more likely than it was, and the
other less, measured against the model before the training. That reference is asked once, before the first step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch.nn import functional
from transformers.trainer_callback import PrinterCallback
from trl import DPOConfig, DPOTrainer

from recipes.parts import checkpoints, steady
from recipes.parts.chat_format import IGNORED, Encoded, padded
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.language_model import LanguageModel
from recipes.parts.language_training import InPieces, answer_losses
from recipes.parts.linear_head import Quality
from recipes.parts.steady import LikeLengthBatches, Loader, Outcome, Pace, Schedule, Settings, Watch
from recipes.parts.steps import optimizer_for

BETA = 0.1  # how strongly the model is held to what it was (DPO paper)


@dataclass(frozen=True)
class Pairs:
    """Two sequences a pair, and how surprised the untuned model is by each.

    Attributes:
        encoded: of all pairs' conversations; chosen, rejected: sequence numbers, shape (pairs,).
        reference: summed loss of every sequence by the untuned model, shape (sequences,).
    """

    encoded: Encoded
    chosen: NDArray[np.int64]
    rejected: NDArray[np.int64]
    reference: NDArray[np.float64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of both sides, shape (pairs,)."""
        return self.encoded.lengths[self.chosen] + self.encoded.lengths[self.rejected]

    def margins(self, losses: NDArray[np.float64], pairs: NDArray[Any]) -> NDArray[np.float64]:
        """How much better the preferred answer is liked than before, less the same for the other, shape (pairs,).

        Args:
            losses: summed loss of every sequence, in the order of `self.sequences(pairs)`.
        """
        gain = BETA * (self.reference[self.sequences(pairs)] - losses)
        return gain[: len(pairs)] - gain[len(pairs) :]

    def sequences(self, pairs: NDArray[Any]) -> NDArray[np.int64]:
        """Sequence numbers of some pairs: first all preferred ones, then all others."""
        return np.concatenate([self.chosen[pairs], self.rejected[pairs]])


@dataclass
class Job:
    """What is trained on what; the attributes are those of `language_training.Job`, counted in pairs."""

    model: LanguageModel
    pairs: Pairs
    train: NDArray[Any]
    validation: NDArray[Any]
    tokens_at_once: int
    rows_at_once: int
    checkpointing: bool = False
    reserve_seconds: float = 0.0
    test_cost: float = 0.0


class PreferenceTrainer(InPieces, DPOTrainer):  # type: ignore[misc]
    """DPOTrainer whose steps are cut by tokens and whose reference is known beforehand."""

    def __init__(self, job: Job, run: RunContext, place: Device, loader: Loader, watch: Watch, **kwargs: Any) -> None:
        self.job, self.place = job, place
        self.watched(run, watch, loader)
        rows = Dataset.from_dict({"row": list(range(len(loader.dataset)))})  # type: ignore[arg-type]
        module = job.model.module
        super().__init__(
            model=module,
            processing_class=job.model.tokenizer,
            train_dataset=rows,
            data_collator=list,
            callbacks=[watch],
            **kwargs,
        )
        if job.model.adapter and "ref" in module.peft_config:
            module.delete_adapter("ref")  # a copy of the new adapter; the reference here is the model without any
        self.remove_callback(PrinterCallback)

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """The rows are tokens already."""
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """The reference is known already."""
        return dataset

    def judge(self) -> Quality:
        """Mean loss a pair on the validation rows."""
        margins = margins_of(self.job.model, self.job.pairs, self.job.validation, self.place, self.run)
        loss = float(np.logaddexp(0.0, -margins).mean())
        return Quality("loss", loss, loss)

    def pieces(self, batch: dict[str, Any]) -> Sequence[dict[str, torch.Tensor]]:
        """A few pairs at a time."""
        return list(pieces_of(batch, self.job))

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """-log sigmoid of the margin, summed over the pairs at hand, divided by those of the effective batch."""
        labels = inputs["labels"]
        each = model(input_ids=inputs["input_ids"], labels=labels, token_loss="each+gradient")["loss"]
        rows = (labels[:, 1:] != IGNORED).nonzero()[:, 0]
        losses = torch.zeros(len(labels), device=each.device).index_add(0, rows, each)
        gain = BETA * (inputs["reference"] - losses)
        chosen, rejected = gain.chunk(2)
        total = -(functional.logsigmoid(chosen - rejected) * inputs["real"]).sum()
        # The processes' gradients are averaged, so each one's share counts as many times as there are processes.
        loss = total * self.run.world_size / num_items_in_batch
        return (loss, {"margins": chosen - rejected}) if return_outputs else loss


def pieces_of(batch: dict[str, torch.Tensor], job: Job) -> Iterator[dict[str, torch.Tensor]]:
    """A batch cut by pairs and tokens; the first half of each piece are preferred answers, the second the others."""
    number = len(batch["real"])
    lengths = batch["attention_mask"].sum(1)
    longest = torch.maximum(lengths[:number], lengths[number:])
    group: list[int] = []
    for pair in longest.argsort(descending=True).tolist():
        width = int(longest[group[0]] if group else longest[pair])
        if group and (2 * width * (len(group) + 1) > job.tokens_at_once or len(group) >= job.rows_at_once):
            yield _piece(batch, group, number, int(longest[group[0]]))
            group = []
        group.append(pair)
    yield _piece(batch, group, number, int(longest[group[0]]))


def _piece(batch: dict[str, torch.Tensor], group: list[int], number: int, width: int) -> dict[str, torch.Tensor]:
    both = [*group, *(pair + number for pair in group)]
    return {
        "input_ids": batch["input_ids"][both, :width],
        "labels": batch["labels"][both, :width],
        "reference": batch["reference"][both],
        "real": batch["real"][group],
    }


def margins_of(
    model: LanguageModel, pairs: Pairs, chosen: NDArray[Any], place: Device, run: RunContext | None = None
) -> NDArray[np.float64]:
    """Margins of some pairs by the model as it is now, shape (pairs,)."""
    losses = answer_losses(model, pairs.encoded, pairs.sequences(chosen), place, run)
    return pairs.margins(losses, chosen)


def fine_tune(
    job: Job, settings: Settings, run: RunContext, place: Device, memory: checkpoints.Memory, folder: Path
) -> Outcome:
    """Train, keep the best state by the validation pairs, and load it into the model.

    Args:
        folder: where checkpoints live; the newest valid one is gone on from.

    Raises:
        RecipeError: `nan`.
    """
    sampler = LikeLengthBatches(job.pairs.lengths[job.train], settings.batch_size, 1, settings.seed, run)
    loader = Loader(range(len(job.train)), batch_sampler=sampler, collate_fn=_collate(job))  # type: ignore[arg-type]
    steps_an_epoch = len(sampler)
    schedule = Schedule(max(1, math.ceil(settings.epochs * steps_an_epoch)), settings.warmup)
    cost = float(job.pairs.lengths[job.validation].sum())
    pace = Pace(
        early_stopping=settings.early_stopping,
        validation_cost=cost,
        test_share=job.test_cost / max(1.0, cost),
        reserve_seconds=job.reserve_seconds,
    )
    watch = Watch(run, pace, job.model.module, schedule, memory)
    watch.evaluate_every = steady.evaluations(steps_an_epoch, schedule.total_steps)
    arguments = steady.arguments(
        settings, place, folder, rows=settings.batch_size, kind=DPOConfig, activation_checkpointing=job.checkpointing,
        beta=BETA, max_length=job.pairs.encoded.max_length, precompute_ref_log_probs=True,
    )  # fmt: skip
    trainer = PreferenceTrainer(
        job, run, place, loader, watch,
        args=arguments,
        optimizers=optimizer_for(job.model.module, settings, schedule, place),
    )  # fmt: skip
    return steady.train(trainer, watch, folder)


def _collate(job: Job) -> Any:
    pairs, encoded = job.pairs, job.pairs.encoded
    pad_token = int(job.model.tokenizer.pad_token_id or 0)

    def make(places: list[int]) -> dict[str, torch.Tensor]:
        chosen = np.array([job.train[place if place >= 0 else ~place] for place in places])
        rows = pairs.sequences(chosen)
        batch = padded([encoded.ids[row] for row in rows], [encoded.labels[row] for row in rows], pad_token)
        found = {name: torch.from_numpy(value) for name, value in batch.items()}
        found["reference"] = torch.from_numpy(pairs.reference[rows]).float()
        found["real"] = torch.tensor([float(place >= 0) for place in places])
        return found

    return make
