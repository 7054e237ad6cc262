"""What `transformers.Trainer` lacks: an honest clock, verified checkpoints, stops, the same batches in every layout.

class MyTrainer(Steady): ...        brings `judge()`; for another trainer: class MyTrainer(Steady, SFTTrainer)
watch = Watch(run, pace, trained, schedule, memory)
outcome = train(trainer, watch, folder)      the best state is loaded into the trained module

A learning rate that still ends at zero when the time is short, the best state by the validation rows, checkpoints that
are whole or do not count, and a stop before a step that is not a number.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, Sampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from recipes.events import Checkpoint, Metric
from recipes.parts import checkpoints
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.linear_head import Quality
from recipes.parts.methods import load_trainable, trainable_state

POOLED_BATCHES = 50  # batches whose rows are sorted by length together
EVALUATIONS_AN_EPOCH = 2
MOST_EVALUATIONS = 60
POINTS_OF_A_CURVE = 100
MEASURED_STEPS = 4  # steps before the speed is believed; the first ones warm up
CHECKPOINT_SHARE = 0.05  # writing checkpoints may take this share of the time
CHECKPOINT_SECONDS = 180.0  # and at least every so many seconds there is one
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Settings:
    """How a model is trained; the names are those of the plan. What a recipe does not use stays as it is here."""

    epochs: float
    learning_rate: float
    batch_size: int
    seed: int
    warmup: float
    weight_decay: float
    early_stopping: int | None
    micro_batch_size: int | None = None
    layer_decay: float | None = None
    keep_checkpoints: bool = True


@dataclass(frozen=True)
class Pace:
    """What the clock must know of a training.

    Attributes:
        early_stopping: evaluations without gain before it ends; None: never.
        validation_cost: what the validation rows cost, in the unit of `Steady.cost`.
        test_share: what the test rows cost, as a share of that.
        reserve_seconds: time to leave for saving; share_of_time: of the time that is left when training begins.
    """

    early_stopping: int | None
    validation_cost: float
    test_share: float = 0.0
    reserve_seconds: float = 0.0
    share_of_time: float = 1.0
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
    """How training ended. The trained module holds the best state.

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


class Steady(Trainer):  # type: ignore[misc]
    """A Trainer with our batches, evaluations, checkpoints and guards. Call `watched` before its constructor."""

    run: RunContext
    watch: Watch
    loader: Loader
    trained: Any

    def watched(self, run: RunContext, watch: Watch, loader: Loader) -> None:
        """Take what the guards need; before Trainer's own constructor, which knows nothing of it."""
        self.run, self.watch, self.loader, self.trained = run, watch, loader, watch.trained

    def judge(self) -> Quality:
        """How good the model is on the validation rows now."""
        raise NotImplementedError

    def cost(self, batch: dict[str, Any]) -> int:
        """What a batch costs, in any unit that is proportional to time: padded tokens, pixels, samples."""
        return int(next(iter(batch.values())).numel())

    def units(self, batch: dict[str, Any]) -> torch.Tensor:
        """What the loss of a batch is divided by, shape (): its rows, fillers not counted."""
        count: torch.Tensor = batch["real"].sum()
        return count

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        """Units of the effective batch over all processes."""
        count = torch.stack([self.units(batch) for batch in batch_samples]).sum().to(device)
        if self.run.world_size > 1:
            torch.distributed.all_reduce(count)
        return count.clamp(min=1)

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        """The micro-batches of one step; their cost is what the clock counts by."""
        samples, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.watch.cost = sum(self.cost(batch) for batch in samples)
        return samples, count

    def get_train_dataloader(self) -> DataLoader:  # type: ignore[type-arg]
        """Our loader: it shares rows between processes itself."""
        return self.loader

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
        found = self.judge()
        control: TrainerControl = self.control
        self.watch.judged(found, self.state.global_step, control)
        self.watch.evaluation_seconds = time.monotonic() - start
        self.callback_handler.on_evaluate(self.args, self.state, control, {})
        return {}

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Only what is trained: the rest comes from the base model again."""
        del state_dict
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(trainable_state(self.trained), folder / "trainable.safetensors")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        del model
        load_trainable(self.trained, load_file(Path(resume_from_checkpoint) / "trainable.safetensors"))

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
        self, run: RunContext, pace: Pace, trained: torch.nn.Module, schedule: Schedule, memory: checkpoints.Memory
    ) -> None:
        self.run = run
        self.pace = pace
        self.trained = trained
        self.schedule = schedule
        self.memory = memory
        self.progress = Progress(total_steps=schedule.total_steps)
        self.best_state: dict[str, torch.Tensor] | None = None
        self.stopped = False
        self.cost = 0
        self.evaluation_seconds = 0.0
        self.evaluate_every = 1
        self._speed = Speed()
        self._step_started = 0.0
        self._checkpoint_seconds = 0.0
        self._last_checkpoint = time.monotonic()
        self._deadline = time.monotonic() + run.seconds_left() * pace.share_of_time

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
        self._speed.add(time.monotonic() - self._step_started, self.cost)
        step = state.global_step
        self.progress.step = step
        stop, total = self.run.agree((self.run.stop_requested(), self._steps_in_time(step)))
        if total < self.schedule.total_steps:
            self._shorten(step, total)
            state.max_steps = total
        last = step >= state.max_steps
        control.should_evaluate = last or step % self.evaluate_every == 0
        due = stop or last or self._checkpoint_is_due(control.should_evaluate)
        control.should_save = self.pace.keep_checkpoints and self.run.agree(due)
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

    def judged(self, found: Quality, step: int, control: TrainerControl) -> None:
        """Take in an evaluation: better states are kept, too many without gain end the training."""
        self._record("validation", step, found.metric, found.value)
        if found.metric != "loss":
            self._record("validation", step, "loss", found.loss)
        if self.progress.best is None or found.beats(self.progress.best):
            self.progress.best, self.progress.best_step, self.progress.without_gain = found, step, 0
            self.best_state = trainable_state(self.trained)
            return
        self.progress.without_gain += 1
        if self.pace.early_stopping is not None and self.progress.without_gain >= self.pace.early_stopping:
            control.should_training_stop = self.progress.finished = True
            control.should_save = self.pace.keep_checkpoints
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
        return self.pace.reserve_seconds + self._seconds_an_evaluation() * (1 + self.pace.test_share)

    def _seconds_an_evaluation(self) -> float:
        """Measured; before the first one from the training's speed (a forward pass is about a third of a step)."""
        if self.evaluation_seconds:
            return self.evaluation_seconds
        return self._speed.seconds_a_unit() * self.pace.validation_cost / 3

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
    """Seconds a unit of cost (padded tokens, pixels, samples); the first step warms up and does not count."""

    def __init__(self) -> None:
        self._steps = 0
        self._seconds = 0.0
        self._cost = 0
        self._all_cost = 0

    def add(self, seconds: float, cost: int) -> None:
        """One step and what it read."""
        self._steps += 1
        self._all_cost += cost
        if self._steps > 1:
            self._seconds += seconds
            self._cost += cost

    @property
    def believable(self) -> bool:
        """Enough steps were seen."""
        return self._steps > MEASURED_STEPS

    def seconds_a_unit(self) -> float:
        """Of the cost of a training step."""
        return self._seconds / max(1, self._cost)

    def seconds_a_step(self) -> float:
        """Of a step of average cost."""
        return self.seconds_a_unit() * self._all_cost / max(1, self._steps)


def not_a_number(step: int) -> RecipeError:
    """What a person reads when the gradients are no numbers any more."""
    return RecipeError(
        "nan",
        f"At step {step} the training's numbers overflowed (a gradient was not a number), so it stopped before they "
        "could ruin the model.",
        "This happens when the learning rate is too high, or when the precision is too low for the model.",
        "Start again with a learning rate ten times smaller, or with compute.precision float32.",
    )


def train(trainer: Any, watch: Watch, folder: Path) -> Outcome:
    """Train from the newest valid checkpoint (or from the start), and load the best state.

    Args:
        trainer: a `Trainer` with `Steady`; folder: where its checkpoints lie.

    Raises:
        RecipeError: `nan`.
    """
    start = time.monotonic()
    planned = watch.schedule.total_steps
    before = trainable_state(watch.trained)
    resume = resume_from(folder, watch)
    if not watch.progress.finished:
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    elif resume is not None:
        trainer._load_from_checkpoint(str(resume))
    now = trainable_state(watch.trained)
    moved = any(not torch.equal(value, before[name]) for name, value in now.items())
    if watch.best_state is not None:
        load_trainable(watch.trained, watch.best_state)
    progress = watch.progress
    seconds = time.monotonic() - start
    return Outcome(progress.best, progress.step, planned, watch.stopped, moved, progress.curves, seconds)


def resume_from(folder: Path, watch: Watch) -> Path | None:
    """The newest checkpoint that is whole; those that are not are said and left."""
    run = watch.run
    newest, damaged = run.on_main(lambda: checkpoints.newest_valid(folder))
    for checkpoint in damaged:
        run.warn("checkpoint-damaged", f"The checkpoint {checkpoint.name} is not whole, so the one before it is used.")
        if run.is_main:
            shutil.rmtree(checkpoint, ignore_errors=True)
    if newest is None:
        return None
    watch.load(newest)
    return newest


def evaluations(steps_an_epoch: int, total_steps: int) -> int:
    """Steps between two evaluations: two an epoch, but not more than 60 in all."""
    return max(1, steps_an_epoch // EVALUATIONS_AN_EPOCH, total_steps // MOST_EVALUATIONS)


def arguments(
    settings: Settings, device: Device, folder: Path, *, rows: int, accumulation: int = 1,
    kind: Any = TrainingArguments, **own: Any,
) -> Any:  # fmt: skip
    """Arguments of a trainer that leaves clock, batches, evaluations and checkpoints to this module.

    Args:
        settings: their epochs, learning rate and seed.
        rows, accumulation: rows in memory at once, and how many times so many make a step.
        kind: TrainingArguments or a child of it; own: what only this training sets.
    """
    found = kind(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=accumulation,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
        max_grad_norm=LARGEST_GRADIENT,
        bf16=device.precision == "bfloat16",
        fp16=device.precision == "float16",
        use_cpu=device.is_cpu,
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
        **own,
    )
    _ = found.device  # counts the GPUs …
    found._n_gpu = min(1, found._n_gpu)  # … of which one process uses one: more of them are more processes
    return found


def optimizer(groups: list[dict[str, Any]], learning_rate: float, schedule: Schedule, device: Device) -> Any:
    """AdamW over groups of parameters (empty ones are left out), and its schedule: a pair for a trainer."""
    filled = [group for group in groups if group["params"]]
    found = torch.optim.AdamW(filled, lr=learning_rate, fused=device.torch_device.type in ("cpu", "cuda"))
    return found, torch.optim.lr_scheduler.LambdaLR(found, schedule)
