"""Fine-tuning a classifier with transformers.Trainer, from its fitted head on.

outcome = fine_tune(job, settings, run, device, memory, folder)       the best state is loaded into the classifier

The clock, the checkpoints and the guards are those of `steady`; here is what is a classifier's own: rows that weigh
differently, one loss for each problem, and learning rates that fall with depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers.trainer_callback import PrinterCallback

from recipes.parts import checkpoints, steady
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.features import ROWS_A_BATCH, buckets
from recipes.parts.linear_head import Quality
from recipes.parts.methods import Classifier, micro_batches, parameter_groups
from recipes.parts.modality import Inputs
from recipes.parts.steady import LikeLengthBatches, Loader, Outcome, Pace, Schedule, Settings, Steady, Watch

OURS = ("labels", "weights", "real")  # of a batch: what the model does not read


@dataclass
class Job:
    """What is trained on what.

    Attributes:
        encoded: all rows, prepared for the model; train, validation: row indices into it.
        labels: of all rows, in the form of `recipes.parts.metrics`; row_weights: shape (train rows,), mean 1.
        problem: as in the plan.
        judge: logits of the validation rows -> their quality.
        reserve_seconds: time to leave for saving; test_share: tokens to test on, as a share of the validation rows'.
        share_of_time: of the time that is left when training begins.
        vary: how rows differ from pass to pass, where the inputs do not say it themselves.
    """

    classifier: Classifier
    encoded: Inputs
    train: NDArray[Any]
    validation: NDArray[Any]
    labels: NDArray[Any]
    row_weights: NDArray[np.float32]
    problem: str
    judge: Callable[[NDArray[Any]], Quality]
    reserve_seconds: float = 0.0
    test_share: float = 0.0
    share_of_time: float = 1.0
    vary: Any = None


class ClassifierTrainer(Steady):  # type: ignore[misc]
    """Trainer with row weights and the loss of the problem."""

    loss_is_scaled_for_ga = True

    def __init__(self, job: Job, run: RunContext, device: Device, loader: Loader, watch: Watch, **kwargs: Any) -> None:
        self.job = job
        self.device_used = device
        self.watched(run, watch, loader)
        super().__init__(model=job.classifier.module, train_dataset=loader.dataset, callbacks=[watch], **kwargs)
        self.remove_callback(PrinterCallback)
        deviation = float(np.std(job.labels[job.train])) if job.problem == "regression" else 1.0
        self.loss_scale = 1.0 / max(deviation**2, 1e-12)

    def judge(self) -> Quality:
        """Quality of the logits of the validation rows."""
        job = self.job
        return job.judge(logits_of(job.classifier, job.encoded, job.validation, self.device_used, self.run))

    def cost(self, batch: dict[str, Any]) -> int:
        """Rows times the costliest of them, in the unit of `Inputs.lengths`."""
        return self.job.encoded.cost(batch)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weighted sum over the rows at hand, divided by the rows of the effective batch."""
        given = {name: value for name, value in inputs.items() if name not in OURS}
        logits = model(**given)["logits"].float()
        each = row_losses(logits, inputs["labels"], self.job.problem)
        total = (each * inputs["weights"] * inputs["real"]).sum() * self.loss_scale
        # The processes' gradients are averaged, so each one's share counts as many times as there are processes.
        loss = total * self.run.world_size / num_items_in_batch
        return (loss, {"logits": logits}) if return_outputs else loss

    @staticmethod
    def collate(job: Job, sampler: LikeLengthBatches) -> Callable[[list[int]], dict[str, torch.Tensor]]:
        """Rows to a batch: the model's inputs, labels, the rows' weights, and which of them are real."""
        kind = torch.int64 if job.problem == "single_label_classification" else torch.float32

        def make(places: list[int]) -> dict[str, torch.Tensor]:
            index = np.array([place if place >= 0 else ~place for place in places])
            rows = job.train[index]
            batch = job.encoded.batch(rows, sampler.epoch)
            batch["labels"] = torch.as_tensor(job.labels[rows]).to(kind)
            batch["weights"] = torch.from_numpy(job.row_weights[index])
            batch["real"] = torch.tensor([float(place >= 0) for place in places])
            return batch

        return make


def row_losses(logits: torch.Tensor, labels: torch.Tensor, problem: str) -> torch.Tensor:
    """Loss of each row, shape (rows,): cross-entropy, mean binary cross-entropy, or squared error."""
    if problem == "regression":
        return (logits[:, 0] - labels) ** 2
    if problem == "multi_label_classification":
        return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(1)
    return functional.cross_entropy(logits, labels, reduction="none")


def logits_of(
    classifier: Classifier, encoded: Inputs, rows: NDArray[Any], device: Device, run: RunContext | None = None
) -> NDArray[np.float32]:
    """Logits of rows, shape (rows, outputs), in evaluation mode; shared between processes when there is a run."""
    module = classifier.module
    module.eval()
    lengths = encoded.lengths[rows]
    most = min(ROWS_A_BATCH, (run.micro_batch_size if run else None) or ROWS_A_BATCH)
    batches = buckets(lengths, most)
    rank, world_size = (run.rank, run.world_size) if run is not None else (0, 1)
    found = []
    with torch.inference_mode(), device.autocast():
        for places in batches[rank::world_size]:
            batch = {name: value.to(device.torch_device) for name, value in encoded.batch(rows[places]).items()}
            found.append((places, module(**batch)["logits"].float().cpu().numpy()))
    shards = [found]
    if world_size > 1:
        shards = [[] for _ in range(world_size)]
        torch.distributed.all_gather_object(shards, found)
    logits = np.zeros((len(rows), classifier.head.out_features), dtype=np.float32)
    for shard in shards:
        for places, values in shard:
            logits[places] = values
    return logits


def fine_tune(
    job: Job, settings: Settings, run: RunContext, device: Device, memory: checkpoints.Memory, folder: Path,
    kind: type[ClassifierTrainer] = ClassifierTrainer,
) -> Outcome:  # fmt: skip
    """Train, keep the best state by the validation rows, and load it into the classifier.

    Args:
        folder: where checkpoints live; the newest valid one is gone on from.
        kind: the trainer, with the loss and the batches of what is classified.

    Raises:
        RecipeError: `nan`.
    """
    micro, accumulation = micro_batches(settings.batch_size, run.world_size, settings.micro_batch_size)
    lengths = job.encoded.lengths[job.train]
    sampler = LikeLengthBatches(lengths, settings.batch_size, accumulation, settings.seed, run)
    loader = Loader(range(len(job.train)), batch_sampler=sampler, collate_fn=kind.collate(job, sampler))  # type: ignore[arg-type]
    steps_an_epoch = len(sampler) // accumulation
    schedule = Schedule(max(1, math.ceil(settings.epochs * steps_an_epoch)), settings.warmup)
    pace = Pace(
        early_stopping=settings.early_stopping,
        validation_cost=float(job.encoded.lengths[job.validation].sum()),
        test_share=job.test_share,
        reserve_seconds=job.reserve_seconds,
        share_of_time=job.share_of_time,
        keep_checkpoints=settings.keep_checkpoints,
    )
    watch = Watch(run, pace, job.classifier.module, schedule, memory)
    watch.evaluate_every = steady.evaluations(steps_an_epoch, schedule.total_steps)
    trainer = kind(
        job, run, device, loader, watch,
        args=steady.arguments(settings, device, folder, rows=micro, accumulation=accumulation),
        optimizers=_optimizer(job, settings, schedule, device),
    )  # fmt: skip
    return steady.train(trainer, watch, folder)


def _optimizer(job: Job, settings: Settings, schedule: Schedule, device: Device) -> Any:
    job.classifier.module.to(device.torch_device)
    groups = parameter_groups(
        job.classifier.module,
        job.classifier.head,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        layer_decay=settings.layer_decay,
    )
    return steady.optimizer(groups, settings.learning_rate, schedule, device)
