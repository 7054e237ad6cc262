"""Fine-tuning with transformers.Trainer: like-length batches, the same in every layout, a clock, honest stops.

outcome = fine_tune(job, settings, run)       the best state is loaded into the classifier

What Trainer lacks and this adds: the same batches for any number of processes and any micro-batch, a learning rate that
still ends at zero when the time is short, checkpoints that are verified, and a stop before a step that is not a number.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from recipes.events import Checkpoint, Metric
from recipes.parts import checkpoints
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.features import ROWS_A_BATCH, Encoded, buckets
from recipes.parts.linear_head import Quality
from recipes.parts.methods import Classifier, load_trainable, micro_batches, parameter_groups, trainable_state

POOLED_BATCHES = 50  # batches whose rows are sorted by length together
EVALUATIONS_AN_EPOCH = 2
MOST_EVALUATIONS = 60
POINTS_OF_A_CURVE = 100
MEASURED_STEPS = 4  # steps before the speed is believed; the first ones warm up
CHECKPOINT_SHARE = 0.05  # writing checkpoints may take this share of the time
CHECKPOINT_SECONDS = 180.0  # and at least every so many seconds there is one
LARGEST_GRADIENT = 1.0


@dataclass
class Job:
    """What is trained on what.

    Attributes:
        encoded: tokens of all rows; train, validation: row indices into it.
        labels: of all rows, in the form of `recipes.parts.metrics`; row_weights: shape (train rows,), mean 1.
        problem: as in the plan.
        judge: logits of the validation rows -> their quality.
        reserve_seconds: time to leave for saving; test_share: tokens to test on, as a share of the validation rows'.
        share_of_time: of the time that is left when training begins.
    """

    classifier: Classifier
    encoded: Encoded
    train: NDArray[Any]
    validation: NDArray[Any]
    labels: NDArray[Any]
    row_weights: NDArray[np.float32]
    problem: str
    judge: Callable[[NDArray[Any]], Quality]
    reserve_seconds: float = 0.0
    test_share: float = 0.0
    share_of_time: float = 1.0


@dataclass(frozen=True)
class Settings:
    """How it is trained; the names are those of the plan."""

    epochs: float
    learning_rate: float
    batch_size: int
    micro_batch_size: int | None
    seed: int
    warmup: float
    weight_decay: float
    layer_decay: float | None
    early_stopping: int | None
    keep_checkpoints: bool = True


@dataclass
class Progress:
    """What training has seen so far; travels in each checkpoint."""

    step: int = 0
    total_steps: int = 0
    best: Quality | None = None
    best_step: int = -1
    without_gain: int = 0
    finished: bool = False
    curves: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, split: str, step: int, name: str, value: float) -> None:
        """A point of a curve."""
        self.curves.setdefault(f"{split}/{name}", []).append([step, value])

    def dump(self) -> str:
        """As JSON."""
        best = None if self.best is None else [self.best.metric, self.best.value, self.best.loss]
        return json.dumps({**self.__dict__, "best": best})

    @classmethod
    def parse(cls, text: str) -> Progress:
        """From JSON."""
        tree = json.loads(text)
        tree["best"] = None if tree["best"] is None else Quality(*tree["best"])
        return cls(**tree)


@dataclass(frozen=True)
class Outcome:
    """How training ended. The classifier holds the best state.

    Attributes:
        quality: of the best state on the validation rows; None: stopped before the first evaluation.
        stopped: somebody asked for it; moved: whether any trained weight differs from its start.
    """

    quality: Quality | None
    steps: int
    planned_steps: int
    stopped: bool
    moved: bool
    curves: dict[str, list[list[float]]]
    seconds: float


class LikeLengthBatches(Sampler[list[int]]):  # type: ignore[misc]
    """Micro-batches of one process. Every effective batch holds the same rows whatever the number of processes.

    Rows are shuffled by (seed, epoch), sorted by length within a pool of batches, cut into effective batches, and
    these are shuffled. A filler row, written as `~row`, keeps the processes in step; it weighs nothing.
    """

    def __init__(
        self, lengths: NDArray[np.int64], batch_size: int, accumulation: int, seed: int, run: RunContext
    ) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.accumulation = accumulation
        self.seed = seed
        self.rank, self.world_size = run.rank, run.world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Trainer calls it before each pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size) * self.accumulation

    def effective_batches(self) -> list[NDArray[np.int64]]:
        """The batches of this epoch, rows of all processes together."""
        random = np.random.default_rng((self.seed, self.epoch))
        order = random.permutation(len(self.lengths))
        pool = POOLED_BATCHES * self.batch_size
        batches = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(-self.lengths[rows], kind="stable")]
            batches += [rows[first : first + self.batch_size] for first in range(0, len(rows), self.batch_size)]
        shuffled = [batches[number] for number in random.permutation(len(batches))]
        if self.epoch == 0:  # the heaviest first: memory that runs out, runs out at once
            heaviest = max(
                range(len(shuffled)), key=lambda number: self.lengths[shuffled[number]].max() * len(shuffled[number])
            )
            shuffled.insert(0, shuffled.pop(heaviest))
        return shuffled

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.effective_batches():
            mine = batch[self.rank :: self.world_size]
            for micro in np.array_split(mine, self.accumulation):
                yield micro.tolist() if len(micro) else [~int(batch[0])]


class Loader(DataLoader):  # type: ignore[misc, type-arg]
    """A DataLoader that tells its batch sampler the epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Trainer calls it before each pass."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


class Schedule:
    """Learning rate factor by step: a linear rise, then a cosine to zero. Can be shortened on the way without a jump.

    Its attributes travel in the scheduler's state, so a resumed run goes on with them.
    """

    def __init__(self, total_steps: int, warmup: float) -> None:
        self.total_steps = total_steps
        self.warmup = warmup
        self.since_step = 0
        self.since_progress = 0.0

    def progress(self, step: int) -> float:
        """Share of the schedule that lies behind, 0 to 1."""
        ahead = max(1, self.total_steps - self.since_step)
        return min(1.0, self.since_progress + (1 - self.since_progress) * (step - self.since_step) / ahead)

    def shorten(self, step: int, total_steps: int) -> None:
        """From here on, be done at `total_steps`."""
        self.since_progress = self.progress(step)
        self.since_step = step
        self.total_steps = total_steps

    def __call__(self, step: int) -> float:
        progress = self.progress(step)
        if progress < self.warmup:
            return max(progress, 1.0 / max(1, self.total_steps)) / self.warmup
        return 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / max(1e-9, 1 - self.warmup)))


class SteadyTrainer(Trainer):  # type: ignore[misc]
    """Trainer with our batches, loss, checkpoints and guards."""

    loss_is_scaled_for_ga = True

    def __init__(self, job: Job, run: RunContext, device: Device, loader: Loader, watch: Watch, **kwargs: Any) -> None:
        self.job = job
        self.run = run
        self.device_used = device
        self.loader = loader
        self.watch = watch
        super().__init__(model=job.classifier.module, train_dataset=loader.dataset, callbacks=[watch], **kwargs)
        self.remove_callback(PrinterCallback)
        deviation = float(np.std(job.labels[job.train])) if job.problem == "regression" else 1.0
        self.loss_scale = 1.0 / max(deviation**2, 1e-12)

    def get_train_dataloader(self) -> DataLoader:  # type: ignore[type-arg]
        """Our loader: it shares rows between processes itself."""
        return self.loader

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """Rows of the effective batch over all processes, fillers not counted."""
        self.watch.tokens = sum(int(batch["input_ids"].numel()) for batch in batch_samples)
        count = torch.stack([batch["real"].sum() for batch in batch_samples]).sum().to(device)
        if self.run.world_size > 1:
            torch.distributed.all_reduce(count)
        return count

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weighted sum over the rows at hand, divided by the rows of the effective batch."""
        logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])["logits"].float()
        each = row_losses(logits, inputs["labels"], self.job.problem)
        total = (each * inputs["weights"] * inputs["real"]).sum() * self.loss_scale
        # The processes' gradients are averaged, so each one's share counts as many times as there are processes.
        loss = total * self.run.world_size / num_items_in_batch
        return (loss, {"logits": logits}) if return_outputs else loss

    def _clip_grad_norm(self, model: Any) -> Any:
        """Clip, and leave before a step that would ruin the weights."""
        norm = super()._clip_grad_norm(model)
        if self.accelerator.scaler is None and not bool(torch.isfinite(torch.as_tensor(norm))):
            raise not_a_number(self.state.global_step + 1)
        return norm

    def _evaluate(self, trial: Any, ignore_keys_for_eval: Any, skip_scheduler: bool = False) -> dict[str, float]:
        """Judge the validation rows."""
        del trial, ignore_keys_for_eval, skip_scheduler
        start = time.monotonic()
        logits = logits_of(self.job.classifier, self.job.encoded, self.job.validation, self.device_used, self.run)
        found = self.job.judge(logits)
        control: TrainerControl = self.control
        self.watch.judged(found, self.state.global_step, self.job.classifier.module, control)
        self.watch.evaluation_seconds = time.monotonic() - start
        self.callback_handler.on_evaluate(self.args, self.state, control, {})
        return {}

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Only what is trained: the rest comes from the base model again."""
        del state_dict
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(trainable_state(self.job.classifier.module), folder / "trainable.safetensors")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        del model
        load_trainable(self.job.classifier.module, load_file(Path(resume_from_checkpoint) / "trainable.safetensors"))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Written anew, completed, sealed; then the oldest goes."""
        start = time.monotonic()
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        if self.run.is_main:
            shutil.rmtree(folder, ignore_errors=True)
        self.run.agree(None)
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.run.is_main:
            self.watch.save(folder)
            checkpoints.seal(folder)
            checkpoints.prune(folder.parent)
            best = self.watch.progress.best_step == self.state.global_step
            self.run.write(Checkpoint(step=self.state.global_step, path=f"checkpoints/{folder.name}", best=best))
        self.run.agree(None)
        self.watch.checkpoint_written(time.monotonic() - start)


class Watch(TrainerCallback):  # type: ignore[misc]
    """Turns Trainer's progress into events, keeps the best state, watches the clock and the wish to stop."""

    def __init__(
        self, job: Job, settings: Settings, run: RunContext, schedule: Schedule, memory: checkpoints.Memory
    ) -> None:
        self.job = job
        self.settings = settings
        self.run = run
        self.schedule = schedule
        self.memory = memory
        self.progress = Progress(total_steps=schedule.total_steps)
        self.best_state: dict[str, torch.Tensor] | None = None
        self.stopped = False
        self.tokens = 0
        self.evaluation_seconds = 0.0
        self.evaluate_every = 1
        self._speed = Speed()
        self._step_started = 0.0
        self._checkpoint_seconds = 0.0
        self._last_checkpoint = time.monotonic()
        self._deadline = time.monotonic() + run.seconds_left() * job.share_of_time

    # What Trainer tells us

    def on_train_begin(self, _args: Any, state: TrainerState, _control: Any, **_: Any) -> None:
        """The clock of the checkpoints starts; a resumed run may know a shorter schedule."""
        self._last_checkpoint = time.monotonic()
        state.max_steps = self.schedule.total_steps
        self.run.progress(state.global_step, state.max_steps, None, "training")

    def on_step_begin(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """A step's time is taken without evaluations and checkpoints."""
        self._step_started = time.monotonic()

    def on_step_end(self, _args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Decide, on every rank alike: evaluate, save, shorten, stop."""
        self._speed.add(time.monotonic() - self._step_started, self.tokens)
        step = state.global_step
        self.progress.step = step
        stop, total = self.run.agree((self.run.stop_requested(), self._steps_in_time(step)))
        if total < self.schedule.total_steps:
            self._shorten(step, total)
            state.max_steps = total
        last = step >= state.max_steps
        control.should_evaluate = last or step % self.evaluate_every == 0
        due = stop or last or self._checkpoint_is_due(control.should_evaluate)
        control.should_save = self.settings.keep_checkpoints and self.run.agree(due)
        self.progress.finished = last
        control.should_log = control.should_evaluate or step % max(1, state.max_steps // POINTS_OF_A_CURVE) == 0
        control.should_training_stop = control.should_training_stop or last or stop
        self.stopped = stop  # an evaluation that is due takes place all the same, or a resumed run would lack it
        self.run.progress(step, state.max_steps, self._eta(step), "training")

    def on_log(
        self, _args: Any, state: TrainerState, _control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        """Loss and learning rate become curves."""
        for name in ("loss", "learning_rate"):
            if logs and name in logs:
                self._record("train", state.global_step, name, logs[name])

    # What the trainer asks for

    def judged(self, found: Quality, step: int, module: Any, control: TrainerControl) -> None:
        """Take in an evaluation: better states are kept, too many without gain end the training."""
        self._record("validation", step, found.metric, found.value)
        self._record("validation", step, "loss", found.loss)
        if self.progress.best is None or found.beats(self.progress.best):
            self.progress.best, self.progress.best_step, self.progress.without_gain = found, step, 0
            self.best_state = trainable_state(module)
            return
        self.progress.without_gain += 1
        if self.settings.early_stopping is not None and self.progress.without_gain >= self.settings.early_stopping:
            control.should_training_stop = self.progress.finished = True
            control.should_save = self.settings.keep_checkpoints
            self.run.note(
                f"Training ended after step {step} of {self.schedule.total_steps}: "
                f"{self.progress.without_gain} evaluations in a row brought no gain on the validation rows."
            )

    def save(self, folder: Path) -> None:
        """Add what only we know to a checkpoint."""
        (folder / "progress.json").write_text(self.progress.dump(), encoding="utf-8")
        if self.best_state is not None and self.progress.best_step != self.progress.step:
            save_file(self.best_state, folder / "best.safetensors")
        self.memory.elapsed_seconds = self.run.elapsed()
        self.memory.save(folder.parent)

    def load(self, folder: Path) -> None:
        """Go on from a checkpoint."""
        self.progress = Progress.parse((folder / "progress.json").read_text(encoding="utf-8"))
        if self.progress.best is not None:
            file = "trainable" if self.progress.best_step == self.progress.step else "best"
            self.best_state = load_file(folder / f"{file}.safetensors")

    def checkpoint_written(self, seconds: float) -> None:
        """How long the last checkpoint took."""
        self._checkpoint_seconds = seconds
        self._last_checkpoint = time.monotonic()

    # The clock

    def _checkpoint_is_due(self, evaluated: bool) -> bool:
        since = time.monotonic() - self._last_checkpoint
        affordable = since >= self._checkpoint_seconds / CHECKPOINT_SHARE
        return (evaluated and affordable) or since >= max(CHECKPOINT_SECONDS, self._checkpoint_seconds)

    def _seconds_a_step(self) -> float:
        return self._speed.seconds_a_step() + self._seconds_an_evaluation() / self.evaluate_every

    def _eta(self, step: int) -> float | None:
        if not self._speed.believable:
            return None
        return (self.schedule.total_steps - step) * self._seconds_a_step() + self._reserve()

    def _reserve(self) -> float:
        """Seconds for the last evaluation, the test and the saving."""
        return self.job.reserve_seconds + self._seconds_an_evaluation() * (1 + self.job.test_share)

    def _seconds_an_evaluation(self) -> float:
        """Measured; before the first one from the training's speed (a forward pass is about a third of a step)."""
        if self.evaluation_seconds:
            return self.evaluation_seconds
        return self._speed.seconds_a_token() * float(self.job.encoded.lengths[self.job.validation].sum()) / 3

    def _steps_in_time(self, step: int) -> int:
        """How many steps fit into the time that is left; the planned number when they all do."""
        total = self.schedule.total_steps
        left = self._deadline - time.monotonic()
        if not self._speed.believable or math.isinf(left):
            return total
        left -= self._reserve()
        if left <= 0:
            return min(total, step)
        fitting = step + int(left / max(self._seconds_a_step(), 1e-6))
        return total if fitting * 1.03 >= total else max(step, fitting)

    def _shorten(self, step: int, total: int) -> None:
        first = not any(warning["code"] == "time-limit" for warning in self.run.warnings)
        if first:
            minutes = (self.run.max_seconds or 0.0) / 60
            self.run.warn(
                "time-limit",
                f"The {self.schedule.total_steps:,} planned steps do not fit into {minutes:g} minutes, so training "
                f"will end after about {total:,}. The learning rate still falls to zero by then. More minutes "
                "(training.max_minutes) allow all of them.",
            )
        self.schedule.shorten(step, max(total, 1))
        self.progress.total_steps = self.schedule.total_steps

    def _record(self, split: Any, step: int, name: str, value: float) -> None:
        self.progress.add(split, step, name, value)
        self.run.write(Metric(split=split, step=step, name=name, value=value))


class Speed:
    """Seconds a token, over the steps so far; the first ones warm up and do not count once others are there."""

    def __init__(self) -> None:
        self._steps = 0
        self._seconds = 0.0
        self._tokens = 0
        self._all_tokens = 0

    def add(self, seconds: float, tokens: int) -> None:
        """One step and the padded tokens it read."""
        self._steps += 1
        self._all_tokens += tokens
        if self._steps > 1:
            self._seconds += seconds
            self._tokens += tokens

    @property
    def believable(self) -> bool:
        """Enough steps were seen."""
        return self._steps > MEASURED_STEPS

    def seconds_a_token(self) -> float:
        """Of the padded tokens of a training step."""
        return self._seconds / max(1, self._tokens)

    def seconds_a_step(self) -> float:
        """Of a step of average length."""
        return self.seconds_a_token() * self._all_tokens / max(1, self._steps)


def row_losses(logits: torch.Tensor, labels: torch.Tensor, problem: str) -> torch.Tensor:
    """Loss of each row, shape (rows,): cross-entropy, mean binary cross-entropy, or squared error."""
    if problem == "regression":
        return (logits[:, 0] - labels) ** 2
    if problem == "multi_label_classification":
        return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(1)
    return functional.cross_entropy(logits, labels, reduction="none")


def not_a_number(step: int) -> RecipeError:
    """What a person reads when the gradients are no numbers any more."""
    return RecipeError(
        "nan",
        f"At step {step} the training's numbers overflowed (a gradient was not a number), so it stopped before they "
        "could ruin the model.",
        "This happens when the learning rate is too high, or when the precision is too low for the model.",
        "Start again with a learning rate ten times smaller, or with compute.precision float32.",
    )


def logits_of(
    classifier: Classifier, encoded: Encoded, rows: NDArray[Any], device: Device, run: RunContext | None = None
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


def collate(job: Job) -> Callable[[list[int]], dict[str, torch.Tensor]]:
    """Rows to a batch: tokens, labels, the rows' weights, and which of them are real."""
    kind = torch.int64 if job.problem == "single_label_classification" else torch.float32

    def make(places: list[int]) -> dict[str, torch.Tensor]:
        index = np.array([place if place >= 0 else ~place for place in places])
        rows = job.train[index]
        batch = job.encoded.batch(rows)
        batch["labels"] = torch.as_tensor(job.labels[rows]).to(kind)
        batch["weights"] = torch.from_numpy(job.row_weights[index])
        batch["real"] = torch.tensor([float(place >= 0) for place in places])
        return batch

    return make


def fine_tune(
    job: Job, settings: Settings, run: RunContext, device: Device, memory: checkpoints.Memory, folder: Path
) -> Outcome:
    """Train, keep the best state by the validation rows, and load it into the classifier.

    Args:
        folder: where checkpoints live; the newest valid one is gone on from.

    Raises:
        RecipeError: `nan`.
    """
    start = time.monotonic()
    micro, accumulation = micro_batches(settings.batch_size, run.world_size, settings.micro_batch_size)
    lengths = job.encoded.lengths[job.train]
    sampler = LikeLengthBatches(lengths, settings.batch_size, accumulation, settings.seed, run)
    loader = Loader(range(len(job.train)), batch_sampler=sampler, collate_fn=collate(job))  # type: ignore[arg-type]
    steps_an_epoch = len(sampler) // accumulation
    schedule = Schedule(max(1, math.ceil(settings.epochs * steps_an_epoch)), settings.warmup)
    watch = Watch(job, settings, run, schedule, memory)
    watch.evaluate_every = max(1, steps_an_epoch // EVALUATIONS_AN_EPOCH, schedule.total_steps // MOST_EVALUATIONS)
    planned = schedule.total_steps
    before = trainable_state(job.classifier.module)
    trainer = SteadyTrainer(
        job, run, device, loader, watch,
        args=_arguments(settings, device, folder, micro, accumulation),
        optimizers=_optimizer(job, settings, schedule, device),
    )  # fmt: skip
    resume = _resume_from(folder, run, watch)
    if not watch.progress.finished:
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    elif resume is not None:
        trainer._load_from_checkpoint(str(resume))
    now = trainable_state(job.classifier.module)
    moved = any(not torch.equal(value, before[name]) for name, value in now.items())
    if watch.best_state is not None:
        load_trainable(job.classifier.module, watch.best_state)
    progress = watch.progress
    return Outcome(
        progress.best, progress.step, planned, watch.stopped, moved, progress.curves, time.monotonic() - start
    )


def _optimizer(job: Job, settings: Settings, schedule: Schedule, device: Device) -> tuple[Any, Any]:
    job.classifier.module.to(device.torch_device)
    groups = parameter_groups(
        job.classifier.module,
        job.classifier.head,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        layer_decay=settings.layer_decay,
    )
    optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, fused=device.torch_device.type in ("cpu", "cuda"))
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)


def _arguments(settings: Settings, device: Device, folder: Path, micro: int, accumulation: int) -> TrainingArguments:
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulation,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        max_grad_norm=LARGEST_GRADIENT,
        bf16=device.precision == "bfloat16",
        fp16=device.precision == "float16",
        use_cpu=device.is_cpu,
        seed=settings.seed,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=not device.is_cpu,
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        report_to="none",
        log_level="error",
    )
    _ = arguments.device  # counts the GPUs …
    arguments._n_gpu = min(1, arguments._n_gpu)  # … of which one process uses one: more of them are more processes
    return arguments


def _resume_from(folder: Path, run: RunContext, watch: Watch) -> Path | None:
    """The newest checkpoint that is whole; those that are not are said and left."""
    newest, damaged = run.on_main(lambda: checkpoints.newest_valid(folder))
    for checkpoint in damaged:
        run.warn("checkpoint-damaged", f"The checkpoint {checkpoint.name} is not whole, so the one before it is used.")
        if run.is_main:
            shutil.rmtree(checkpoint, ignore_errors=True)
    if newest is None:
        return None
    watch.load(newest)
    return newest
