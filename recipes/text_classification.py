"""Text classification: one label, several labels, or a number for each text.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "text-classification"

Transfer learning in the order of `train`: the frozen pretrained body reads every text once; a new last layer is fitted on
what it says; where the plan asks for more, the body is trained on from there, and kept only if it does better on
validation rows; then the test rows, seen for the first time, judge.
"""

from __future__ import annotations

import dataclasses
import math
import platform
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Candidate, Estimate, EventWriter, Interval, Mistake, Result, Verdict
from recipes.parts import baselines, checkpoints, data, device, features, linear_head, methods, metrics, save, splits
from recipes.parts import card as cards
from recipes.parts import verdict as verdicts
from recipes.parts.baselines import Predictions
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, Stopped
from recipes.parts.features import Encoded, Features
from recipes.parts.linear_head import LinearHead, Quality
from recipes.parts.methods import Base, Classifier, Pooling
from recipes.parts.starter import check_reachable, resolve
from recipes.parts.training import Job, Outcome, Settings, fine_tune, logits_of
from recipes.plan import Plan

FEW_ROWS = 100  # below, one small test set says too little: repeated cross-validation instead
FOLDS, REPEATS = 5, 4
ROWS_FOR_FOLDS = (
    5_000  # up to so many rows the head's strength is chosen by cross-validation, beyond on validation rows
)
LEAST_VALIDATION = 10  # fewer rows cannot tell whether training the body helped
TEST_FRACTION, VALIDATION_FRACTION = 0.2, 0.15  # where the plan leaves them open
EPOCHS, LEARNING_RATE, BATCH_SIZE = 3.0, 2e-5, 16  # likewise
HAIR = 0.005  # mean pooling must win by more than this: it costs a few more lines to load
CLEARLY_LOWER = 0.97  # or, as good by the figure, have a loss below this share of the other's
VERIFIED_ROWS = 8
INPUT_SHOWN = 300  # characters of a mistaken text in the report
SAVING_SECONDS = 8.0
SCRATCH_LEARNING_RATE = 3e-4  # random weights need larger steps than pretrained ones
SCRATCH_SECONDS = 600.0
SHARES_OF_ROWS = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Goal:
    """What is predicted and how it is judged.

    Attributes:
        names: the classes; empty for regression.
        metric: the figure that decides.
        balanced: rare classes count as much as frequent ones.
    """

    problem: str
    names: list[str]
    metric: str
    balanced: bool
    seed: int

    @property
    def outputs(self) -> int:
        """Width of the last layer."""
        return max(1, len(self.names))


@dataclass(frozen=True)
class Study:
    """All rows and which of them learn, steer and judge.

    Attributes:
        rows: the plan's rows, then the person's own test rows.
        train, validation, test: row indices, shape (n,) each.
        families: shape (rows of the plan,): copies and groups share a number.
        folds: (train rows, held-out rows) pairs instead of a test part, when there are few rows.
    """

    rows: data.Rows
    goal: Goal
    train: NDArray[Any]
    validation: NDArray[Any]
    test: NDArray[Any]
    families: NDArray[Any]
    folds: list[tuple[NDArray[Any], NDArray[Any]]]
    own_test: bool

    @property
    def learnable(self) -> NDArray[Any]:
        """Rows that the final head may learn from."""
        return np.sort(np.concatenate([self.train, self.validation]))

    @property
    def judged(self) -> NDArray[Any]:
        """Rows that the verdict is about."""
        return self.learnable if self.folds else self.test


@dataclass(frozen=True)
class HeadChoice:
    """The best head found: which pooling, how strong, how good on rows held out; fitted on the training rows."""

    pooling: Pooling
    head: LinearHead
    held_out: Quality
    validation: Quality | None
    seconds: float
    compared: dict[str, Quality] = field(default_factory=dict)


@dataclass(frozen=True)
class Chosen:
    """What goes into `model/`, and its answers for the judged rows."""

    classifier: Classifier
    answers: Predictions
    sample_logits: NDArray[Any]
    candidates: list[Candidate]
    trainable: int
    total: int
    curves: dict[str, list[list[float]]] = field(default_factory=dict)


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    with run.phase("reading", "Reading the rows and setting test rows aside"):
        study = _read(plan, run)
    with run.phase("model", f"Loading {plan.base_model}"):
        base = _load_base(plan, study, place, run)
        encoded = _encode(plan, study, base, run)
        memory = _settle_precision(plan, base, place, run)
        _predict_memory(plan, base, encoded, place, run)
    with run.phase("features", "The pretrained model reads every text once"):
        found = _features(plan, base, encoded, place, run)
    with run.phase("head", "Fitting a new last layer"):
        head = run.on_main(lambda: _fit_head(study, found, run))
    with run.phase("baselines", "Asking what simple methods reach"):
        rivals = run.on_main(lambda: _baselines(plan, study, found))
    chosen = _fine_tuned_or_head(plan, study, base, encoded, found, head, place, memory, run)
    if "from_scratch" in plan.evaluation.baselines and not study.folds:
        with run.phase("from_scratch", "Training the same architecture without pretraining, to compare"):
            rivals |= _from_scratch(plan, study, base, encoded, chosen, place, run)
    with run.phase("testing", "Judging on rows that the model never saw", stoppable=False):
        result = run.on_main(lambda: _judge(plan, study, found, head, chosen, rivals, place, run))
    with run.phase("saving", "Saving the model and checking that it answers as in training", stoppable=False):
        _save(plan, study, encoded, chosen, place, run)
    return run.on_main(lambda: _completed(plan, result, place, run))


# Rows


def _read(plan: Plan, run: RunContext) -> Study:
    rows, own_test = data.read_rows(plan, run.directory, run.warn)
    problem = plan.problem or "single_label_classification"
    counts = np.bincount(rows.labels).tolist() if problem == metrics.SINGLE else None
    goal = Goal(
        problem=problem,
        names=rows.names,
        metric=metrics.metric_name(problem, plan.evaluation.metric, counts),
        balanced=plan.training.class_weights == "balanced",
        seed=plan.training.seed,
    )
    everything = _joined(rows, own_test)
    if own_test is None and len(rows) < FEW_ROWS:
        return _cross_validated(plan, everything, goal, run)
    parts = run.on_main(
        lambda: splits.split(
            rows.texts,
            rows.labels,
            problem=problem,
            test_fraction=plan.evaluation.test_fraction or TEST_FRACTION,
            validation_fraction=plan.evaluation.validation_fraction or VALIDATION_FRACTION,
            seed=goal.seed,
            groups=rows.groups,
            fixed_test=own_test.texts if own_test is not None else None,
        )
    )
    for sentence in parts.notes:
        run.note(sentence)
    test = parts.test if own_test is None else np.arange(len(rows), len(everything))
    return Study(
        everything, goal, parts.train, parts.validation, test, parts.duplicate_groups, [], own_test is not None
    )


def _joined(rows: data.Rows, own_test: data.Rows | None) -> data.Rows:
    if own_test is None:
        return rows
    return data.Rows(
        rows.texts + own_test.texts,
        np.concatenate([rows.labels, own_test.labels]),
        rows.names,
        np.concatenate([rows.numbers, own_test.numbers]),
        None if rows.groups is None or own_test.groups is None else rows.groups + own_test.groups,
    )


def _cross_validated(plan: Plan, rows: data.Rows, goal: Goal, run: RunContext) -> Study:
    """Few rows: every row is tested, by heads that did not see it."""
    pairs = run.on_main(
        lambda: splits.folds(
            rows.labels, problem=goal.problem, n_splits=FOLDS, repeats=REPEATS, seed=goal.seed, groups=rows.groups,
            texts=rows.texts,
        )
    )  # fmt: skip
    if plan.method.name != "head":
        run.warn(
            "too-few-rows",
            f"With {len(rows):,} labelled rows only the new last layer is trained: fewer than {FEW_ROWS} rows cannot show "
            f"whether training more of the model (method {plan.method.name}) helps or harms.",
        )
    every, none = np.arange(len(rows)), np.empty(0, dtype=np.intp)
    return Study(rows, goal, every, none, none, every, pairs, own_test=False)


# The base model and what it says about the texts


def _load_base(plan: Plan, study: Study, place: Device, run: RunContext, from_scratch: bool = False) -> Base:
    _refuse_qlora(plan, place)
    name = plan.base_model or ""
    source = resolve(name, run.directory)
    run.on_main(lambda: check_reachable(source))
    base = methods.load_base(
        source,
        name,
        labels=study.goal.names,
        problem=study.goal.problem,
        seed=study.goal.seed,
        no_dropout=place.is_cpu,
        from_scratch=from_scratch,
    )
    base.model.to(place.torch_device)
    return base


def _refuse_qlora(plan: Plan, place: Device) -> None:
    import importlib.util

    if plan.method.name != "qlora":
        return
    if place.torch_device.type == "cuda" and importlib.util.find_spec("bitsandbytes") is not None:
        reason = "4-bit weights are not built into this recipe yet"
    else:
        reason = f"this run is on {place.name}" + (" without the package bitsandbytes" if not place.is_cpu else "")
    raise RecipeError(
        "qlora-needs-gpu",
        f"The method qlora keeps the model in 4 bits, which needs an NVIDIA GPU and the package bitsandbytes; {reason}.",
        "For text classification the base models are small, so lora saves nearly the same.",
        "Choose the method lora.",
    )


def _encode(plan: Plan, study: Study, base: Base, run: RunContext) -> Encoded:
    encoded = features.encode(
        base.tokenizer, study.rows.texts, plan.training.max_length, base.max_tokens, run.check_stop
    )
    if encoded.cut:
        run.note(
            f"{encoded.cut:,} of {len(encoded):,} texts are longer than {encoded.max_length} tokens; only their beginning is read."
        )
    return encoded


def _settle_precision(plan: Plan, base: Base, place: Device, run: RunContext) -> checkpoints.Memory:
    """What the trial finds is remembered, so that a resumed run computes alike."""
    folder = run.directory / "checkpoints"
    memory: checkpoints.Memory = run.on_main(lambda: checkpoints.Memory.load(folder))
    if memory.precision and memory.device == place.name:
        place.use(memory.precision)  # type: ignore[arg-type]
    else:
        memory.precision = features.settle_precision(base, plan.compute.precision, place, run)
        memory.device = place.name
        if run.is_main:
            memory.save(folder)
    if base.dropout:
        run.note("Dropout is off: on a CPU, drawing its random masks takes as long as the model itself.")
    return memory


def _predict_memory(plan: Plan, base: Base, encoded: Encoded, place: Device, run: RunContext) -> None:
    micro, _ = _micro_batch(plan, run)
    peak = device.predicted_peak_bytes(base.model, plan.method, micro * encoded.max_length, place)
    run.predicted_peak_bytes, run.rows_in_memory = peak, micro
    run.write(Estimate(predicted_peak_bytes=peak))


def _features(plan: Plan, base: Base, encoded: Encoded, place: Device, run: RunContext) -> Features:
    alone = plan.method.name == "head"

    def tell(step: int, total: int, eta: float | None) -> None:
        # Steps never go back: where a training follows, only its own steps are counted.
        run.progress(step if alone else 0, total, eta, "features")

    return features.frozen_features(base, encoded, place, run, tell)


# The head


def _fit_head(study: Study, found: Features, run: RunContext) -> HeadChoice:
    """Fit heads for each pooling, keep the better one by rows held out, judge it on the validation rows."""
    start = time.monotonic()
    pooling, strength, compared = _choose_head(study, found, study.train, study.goal.seed)
    head = _fit(study, found[pooling], study.train, strength)
    validation = None
    if len(study.validation):
        validation = _quality(study, head.logits(found[pooling][study.validation]), study.validation)
    if len(compared) > 1:
        run.note(_pooling_sentence(pooling, compared))
    return HeadChoice(pooling, head, compared[pooling], validation, time.monotonic() - start, compared)


def _choose_head(
    study: Study, found: Features, rows: NDArray[Any], seed: int
) -> tuple[Pooling, float, dict[str, Quality]]:
    """Pooling and strength by rows of `rows` that are held out in turn (many rows: by the validation rows)."""
    goal = study.goal
    if len(rows) <= ROWS_FOR_FOLDS or not len(study.validation):
        pairs = splits.folds(
            study.rows.labels[rows],
            problem=goal.problem,
            n_splits=FOLDS,
            repeats=1,
            seed=seed,
            groups=study.families[rows],
        )
        chosen_rows = rows
    else:
        some = np.random.default_rng(seed).permutation(rows)[: linear_head.ENOUGH_ROWS]
        chosen_rows = np.concatenate([some, study.validation])
        pairs = [(np.arange(len(some)), np.arange(len(some), len(chosen_rows)))]
    labels = study.rows.labels[chosen_rows]
    strengths: dict[str, float] = {}
    compared: dict[str, Quality] = {}
    for pooling, values in found.items():
        strengths[pooling], logits = linear_head.choose_strength(
            values[chosen_rows], labels, pairs, problem=goal.problem, classes=len(goal.names), balanced=goal.balanced
        )
        held_out = ~np.isnan(logits[:, 0])
        compared[pooling] = linear_head.quality(
            logits[held_out], labels[held_out], problem=goal.problem, classes=len(goal.names), metric=goal.metric
        )
    pooling = _better_pooling(compared)
    return pooling, strengths[pooling], compared


def _better_pooling(compared: dict[str, Quality]) -> Pooling:
    """The model's own pooling, unless the mean wins by more than a hair."""
    if "model" not in compared:
        return "mean"
    model, mean = compared["model"], compared["mean"]
    hair = HAIR * (1.0 if model.metric in metrics.SHARES else abs(model.value))
    if mean.beats(model, margin=hair) and (
        abs(mean.value - model.value) > hair or mean.loss < CLEARLY_LOWER * model.loss
    ):
        return "mean"
    return "model"


def _pooling_sentence(pooling: Pooling, compared: dict[str, Quality]) -> str:
    model, mean = compared["model"], compared["mean"]
    kept = "the average of all tokens is read" if pooling == "mean" else "the model's own summary of a text is read"
    return (
        f"On rows held out, a last layer on the model's own summary of a text reaches {model.metric} {model.value:.3f} "
        f"(loss {model.loss:.3f}), on the average of all its tokens {mean.value:.3f} (loss {mean.loss:.3f}): {kept}."
    )


def _fit(study: Study, values: NDArray[Any], rows: NDArray[Any], strength: float) -> LinearHead:
    goal = study.goal
    return linear_head.fit(
        values[rows],
        study.rows.labels[rows],
        problem=goal.problem,
        classes=len(goal.names),
        strength=strength,
        balanced=goal.balanced,
    )


def _quality(study: Study, logits: NDArray[Any], rows: NDArray[Any]) -> Quality:
    goal = study.goal
    return linear_head.quality(
        logits, study.rows.labels[rows], problem=goal.problem, classes=len(goal.names), metric=goal.metric
    )


def _cross_validated_logits(study: Study, found: Features) -> NDArray[Any]:
    """Logits of every row by heads that did not see it, their pooling and strength chosen without it too."""
    total = np.zeros((len(study.rows), study.goal.outputs))
    times = np.zeros(len(study.rows))
    for number, (rows, held_out) in enumerate(study.folds):
        pooling, strength, _ = _choose_head(study, found, rows, study.goal.seed + number)
        total[held_out] += _fit(study, found[pooling], rows, strength).logits(found[pooling][held_out])
        times[held_out] += 1
    return total / np.maximum(times, 1)[:, None]


# Training the body, from the fitted head on


def _fine_tuned_or_head(
    plan: Plan, study: Study, base: Base, encoded: Encoded, found: Features, head: HeadChoice, place: Device,
    memory: checkpoints.Memory, run: RunContext,
) -> Chosen:  # fmt: skip
    """Train the body where the plan asks for it; the winner on the validation rows is kept."""
    if plan.method.name == "head" or study.folds or not _can_fine_tune(plan, study, run):
        return _head_alone(study, base, found, head, [])
    with run.phase("training", "Training the model from the fitted last layer on"):
        classifier, outcome = _train_body(plan, study, base, encoded, head, place, memory, run)
    candidates = _candidates(plan, head, outcome)
    if candidates[-1].chosen:
        chosen = _fine_tuned(study, classifier, encoded, candidates, outcome, place, run)
    else:
        _say_head_kept(candidates, outcome, run)
        chosen = _head_alone(study, _load_base(plan, study, place, run), found, head, candidates)
    if outcome.stopped:
        _save(plan, study, encoded, chosen, place, run)
        raise Stopped(outcome.steps, model_kept=True)
    return dataclasses.replace(chosen, curves=outcome.curves)


def _can_fine_tune(plan: Plan, study: Study, run: RunContext) -> bool:
    if len(study.validation) < LEAST_VALIDATION:
        run.warn(
            "too-few-rows",
            f"Only {len(study.validation)} rows are left to check the training with, too few to tell whether training "
            f"more of the model (method {plan.method.name}) helps; the new last layer alone is kept.",
        )
        return False
    if run.agree(run.seconds_left()) <= SAVING_SECONDS:
        run.warn(
            "time-limit",
            f"The {plan.training.max_minutes:g} minutes were over before the model itself could be trained; the new last "
            "layer alone is kept. More minutes (training.max_minutes) allow it.",
        )
        return False
    return True


def _train_body(
    plan: Plan, study: Study, base: Base, encoded: Encoded, head: HeadChoice, place: Device,
    memory: checkpoints.Memory, run: RunContext,
) -> tuple[Classifier, Outcome]:  # fmt: skip
    """Train from the fitted head on; what must not change is checked to be unchanged, bit for bit.

    Raises:
        RecipeError: `nan`, `no-step`, `weights-unchanged` or `frozen-changed`.
    """
    classifier = methods.classifier_of(base, head.pooling, head.head.weight.shape[1], study.goal.outputs)
    classifier.set_head(head.head.weight, head.head.bias)
    methods.prepare(classifier, plan.method, base.fresh)
    classifier.module.to(place.torch_device)
    few = {name: value.to(place.torch_device) for name, value in encoded.batch(study.train[:2]).items()}
    methods.freeze_unused(classifier, few)
    frozen = methods.weights_sha256(classifier.module, trainable=False)
    job = _job(study, classifier, encoded)
    if "from_scratch" in plan.evaluation.baselines:
        job.share_of_time = 0.5
    outcome = fine_tune(job, _settings(plan, run), run, place, memory, run.directory / "checkpoints")
    if methods.weights_sha256(classifier.module, trainable=False) != frozen:
        raise RecipeError(
            "frozen-changed",
            "Weights that were to stay as they are have changed during the training.",
            f"The method {plan.method.name} trains only a part of the model.",
            "This is a fault of the program: start again with the method head, and report it.",
        )
    if not outcome.stopped:
        _check_learned_something(plan, outcome, run)
    return classifier, outcome


def _job(study: Study, classifier: Classifier, encoded: Encoded) -> Job:
    goal = study.goal
    test_tokens, validation_tokens = (int(encoded.lengths[rows].sum()) for rows in (study.test, study.validation))
    return Job(
        classifier=classifier,
        encoded=encoded,
        train=study.train,
        validation=study.validation,
        labels=study.rows.labels,
        row_weights=linear_head.class_row_weights(study.rows.labels[study.train], len(goal.names), goal.balanced),
        problem=goal.problem,
        judge=lambda logits: _quality(study, logits, study.validation),
        reserve_seconds=SAVING_SECONDS,
        test_share=test_tokens / max(1, validation_tokens),
    )


def _settings(plan: Plan, run: RunContext) -> Settings:
    training = plan.training
    micro, batch_size = _micro_batch(plan, run)
    return Settings(
        epochs=training.epochs or EPOCHS,
        learning_rate=training.learning_rate or LEARNING_RATE,
        batch_size=batch_size,
        micro_batch_size=micro,
        seed=training.seed,
        warmup=training.warmup,
        weight_decay=training.weight_decay,
        layer_decay=training.layer_decay,
        early_stopping=training.early_stopping,
    )


def _micro_batch(plan: Plan, run: RunContext) -> tuple[int, int]:
    """Rows in memory at once (fewer after memory ran out), and rows a step."""
    batch_size = plan.training.batch_size or BATCH_SIZE
    limits = [limit for limit in (plan.training.micro_batch_size, run.micro_batch_size, batch_size) if limit]
    return min(limits), batch_size


def _check_learned_something(plan: Plan, outcome: Outcome, run: RunContext) -> None:
    if outcome.steps == 0 and run.seconds_left() > SAVING_SECONDS:
        raise RecipeError(
            "no-step",
            "The training ended without a single step.",
            "At least one step is needed to learn anything.",
            "Allow more time (training.max_minutes) or more epochs.",
        )
    if outcome.steps and not outcome.moved:
        raise RecipeError(
            "weights-unchanged",
            f"After {outcome.steps:,} steps every trained weight is what it was before.",
            "Training changes weights; it cannot when the learning rate is too small to matter.",
            f"Choose a higher learning rate than {plan.training.learning_rate:g}.",
        )


def _candidates(plan: Plan, head: HeadChoice, outcome: Outcome) -> list[Candidate]:
    """The head and the trained body, on the same validation rows; the last one is the trained body."""
    floor, reached = head.validation, outcome.quality
    wins = floor is not None and reached is not None and reached.beats(floor)
    metric = head.held_out.metric
    result = [
        Candidate(
            name="head", metric=metric, value=floor.value if floor else math.nan, seconds=head.seconds, chosen=not wins
        )
    ]
    value = reached.value if reached is not None else math.nan
    note = "" if reached is not None else "no evaluation took place"
    return [
        *result,
        Candidate(
            name=str(plan.method.name), metric=metric, value=value, seconds=outcome.seconds, chosen=wins, note=note
        ),
    ]


def _say_head_kept(candidates: list[Candidate], outcome: Outcome, run: RunContext) -> None:
    head, body = candidates
    if outcome.quality is None:
        run.warn("head-kept", "The new last layer alone is kept: the training ended before it could be judged once.")
        return
    run.warn(
        "head-kept",
        f"The new last layer alone is kept: training more of the model ({body.name}) reached {body.metric} {body.value:.3f} on "
        f"the validation rows, the last layer alone {head.value:.3f}.",
    )


def _fine_tuned(
    study: Study, classifier: Classifier, encoded: Encoded, candidates: list[Candidate], outcome: Outcome, place: Device,
    run: RunContext,
) -> Chosen:  # fmt: skip
    rows = study.judged[:VERIFIED_ROWS] if outcome.stopped else study.judged
    logits = logits_of(classifier, encoded, rows, place, run)
    trainable, total = methods.count_parameters(classifier.module)
    return Chosen(
        classifier,
        linear_head.predict(logits, study.goal.problem),
        logits[:VERIFIED_ROWS],
        candidates,
        trainable,
        total,
    )


def _head_alone(study: Study, base: Base, found: Features, head: HeadChoice, candidates: list[Candidate]) -> Chosen:
    """The frozen body with the head fitted on all rows that may be learned from; answers from the cached features."""
    values = found[head.pooling]
    final = _fit(study, values, study.learnable, head.head.strength)
    classifier = methods.classifier_of(base, head.pooling, values.shape[1], study.goal.outputs)
    classifier.set_head(final.weight, final.bias)
    logits = _cross_validated_logits(study, found) if study.folds else final.logits(values[study.test])
    if not candidates:
        known = head.validation or head.held_out
        candidates = [Candidate(name="head", metric=known.metric, value=known.value, seconds=head.seconds, chosen=True)]
    trainable = sum(parameter.numel() for parameter in classifier.head.parameters())
    total = methods.count_parameters(classifier.module)[1]
    sample = final.logits(values[study.judged[:VERIFIED_ROWS]])
    return Chosen(classifier, linear_head.predict(logits, study.goal.problem), sample, candidates, trainable, total)


def _save(plan: Plan, study: Study, encoded: Encoded, chosen: Chosen, place: Device, run: RunContext) -> None:
    """Write `model/`, load it again, and compare its answers with those of the run."""
    folder = run.directory / "model"

    def work() -> None:
        save.save(chosen.classifier, folder, encoded.max_length)
        texts = [study.rows.texts[row] for row in study.judged[:VERIFIED_ROWS]]
        save.verify(folder, texts, chosen.sample_logits, place, study.goal.problem)

    run.on_main(work)


# What it must beat


def _baselines(plan: Plan, study: Study, found: Features) -> dict[str, Predictions]:
    wanted = [name for name in plan.evaluation.baselines if name != "from_scratch"]
    if not study.folds:
        validation = study.validation if len(study.validation) else None
        return {name: _rival(name, study, found, study.train, validation, study.test) for name in wanted}
    return {name: _cross_validated_rival(name, study, found) for name in wanted}


def _rival(
    name: str, study: Study, found: Features, rows: NDArray[Any], validation: NDArray[Any] | None, test: NDArray[Any]
) -> Predictions:
    """One baseline's answers for `test`, learned from `rows` (and the validation rows)."""
    labels, texts = study.rows.labels, study.rows.texts
    problem, classes = study.goal.problem, len(study.goal.names)
    learnable = rows if validation is None else np.concatenate([rows, validation])
    if name == "majority":
        return baselines.majority(labels[learnable], len(test), problem=problem, classes=classes)
    if name == "nearest_centroid":
        values = found.get("mean", next(iter(found.values())))
        return baselines.nearest_centroid(
            values[learnable], labels[learnable], values[test], problem=problem, classes=classes
        )
    return baselines.word_counts(
        [texts[row] for row in rows],
        labels[rows],
        [texts[row] for row in test],
        problem=problem,
        classes=classes,
        validation=None if validation is None else ([texts[row] for row in validation], labels[validation]),
        class_weight="balanced" if study.goal.balanced else None,
    )


def _cross_validated_rival(name: str, study: Study, found: Features) -> Predictions:
    """A baseline on the same folds as the model; what it says about a row is averaged over the repeats."""
    total = np.zeros((len(study.rows), study.goal.outputs))
    times = np.zeros(len(study.rows))
    for rows, held_out in study.folds:
        answers = _rival(name, study, found, rows, None, held_out)
        total[held_out] += answers.prediction[:, None] if answers.scores is None else answers.scores
        times[held_out] += 1
    mean = total / np.maximum(times, 1)[:, None]
    if study.goal.problem == metrics.REGRESSION:
        return Predictions(mean[:, 0])
    if study.goal.problem == metrics.SINGLE:
        return Predictions(mean.argmax(axis=1), mean)
    return Predictions((mean > 0.5).astype(np.int64), mean)


def _from_scratch(
    plan: Plan, study: Study, base: Base, encoded: Encoded, chosen: Chosen, place: Device, run: RunContext
) -> dict[str, Predictions]:
    """The same architecture with random weights, as many epochs and about as much time: what pretraining is worth."""
    seconds = max(60.0, min(SCRATCH_SECONDS, 2 * run.seconds.get("training", SCRATCH_SECONDS)))
    seconds = min(seconds, run.agree(run.seconds_left()) - SAVING_SECONDS)
    if seconds <= 0:
        run.warn(
            "baseline-left-out",
            "No time was left to train the same architecture without pretraining, so it is not compared.",
        )
        return {}
    random_base = _load_base(plan, study, place, run, from_scratch=True)
    pooling = chosen.classifier.pooling
    width = chosen.classifier.head.in_features
    classifier = methods.classifier_of(random_base, pooling, width, study.goal.outputs)
    methods.prepare(classifier, plan.method.model_copy(update={"name": "full"}), [])
    few = {name: value.to(place.torch_device) for name, value in encoded.batch(study.train[:2]).items()}
    classifier.module.to(place.torch_device)
    methods.freeze_unused(classifier, few)
    quiet = dataclasses.replace(
        run, events=EventWriter(None), warnings=[], notes=[], max_seconds=run.elapsed() + seconds
    )
    settings = dataclasses.replace(
        _settings(plan, run), learning_rate=SCRATCH_LEARNING_RATE, layer_decay=None, keep_checkpoints=False
    )
    folder = run.directory / "checkpoints" / "from_scratch"
    outcome = fine_tune(_job(study, classifier, encoded), settings, quiet, place, checkpoints.Memory(), folder)
    shutil.rmtree(folder, ignore_errors=True)
    if outcome.stopped:
        raise Stopped(outcome.steps, model_kept=False)
    run.note(f"Without pretraining, the same architecture trained for {outcome.steps:,} steps.")
    return {
        "from_scratch": linear_head.predict(logits_of(classifier, encoded, study.test, place, run), study.goal.problem)
    }


# The verdict


def _judge(
    plan: Plan, study: Study, found: Features, head: HeadChoice, chosen: Chosen, rivals: dict[str, Predictions],
    place: Device, run: RunContext,
) -> Result:  # fmt: skip
    """Figures, baselines and verdict on the judged rows.

    Raises:
        RecipeError: the model gives every text the same answer.
    """
    goal, rows = study.goal, study.rows.take(study.judged)
    answers = chosen.answers
    _check_answers(goal, rows, answers)
    return Result(
        task=str(plan.task),
        base_model=str(plan.base_model),
        method=plan.method.model_dump(exclude_none=True),
        problem=goal.problem,
        rows={"train": len(study.train), "validation": len(study.validation), "test": len(study.judged)},
        metrics=_figures(goal, rows, answers),
        baselines={name: _figures(goal, rows, answer) for name, answer in rivals.items()},
        verdict=_verdict(study, rows, answers, rivals),
        trainable_parameters=chosen.trainable,
        total_parameters=chosen.total,
        seconds={},
        peak_bytes={},
        environment=_environment(place, run),
        data_sha256=data.data_sha256(plan, run.directory),
        seed=goal.seed,
        metric=goal.metric,
        labels=goal.names or None,
        confusion=_confusion(goal, rows, answers),
        classes=metrics.per_class(goal.problem, rows.labels, answers.prediction, goal.names) or None,
        mistakes=_mistakes(goal, rows, answers),
        candidates=chosen.candidates,
        curves={**chosen.curves, **_curve_by_rows(study, found, head)},
        evaluation=_evaluation(study),
        model_format=save.model_format(chosen.classifier),
    )


def _completed(plan: Plan, result: Result, place: Device, run: RunContext) -> Result:
    """The result with what is known only at the end; the model's card is written from it."""
    measured = device.peak_bytes(place)
    seconds = {name: round(value, 3) for name, value in run.seconds.items()}
    complete = result.model_copy(
        update={
            "seconds": {**seconds, "total": round(run.elapsed(), 3)},
            "peak_bytes": {"predicted": run.predicted_peak_bytes, "measured": measured},
            "warnings": run.warnings,
            "notes": run.notes,
        }
    )
    card = cards.model_card(plan, complete)
    (run.directory / "model" / "README.md").write_text(card, encoding="utf-8")
    run.write(
        Estimate(
            predicted_peak_bytes=run.predicted_peak_bytes, measured_peak_bytes=measured, measured_seconds=run.elapsed()
        )
    )
    return complete


def _check_answers(goal: Goal, rows: data.Rows, answers: Predictions) -> None:
    failure = verdicts.learned(goal.problem, rows.labels, answers.prediction, labels=goal.names or None)
    if failure is not None:
        raise RecipeError(failure.code, failure.what, failure.expected, failure.fix)


def _figures(goal: Goal, rows: data.Rows, answers: Predictions) -> dict[str, Interval]:
    return metrics.compute(
        goal.problem, rows.labels, answers.prediction, answers.scores, goal.names or None, rows.groups
    )


def _verdict(study: Study, rows: data.Rows, answers: Predictions, rivals: dict[str, Predictions]) -> Verdict:
    return verdicts.judge(
        study.goal.problem,
        study.goal.metric,
        rows.labels,
        answers,
        rivals,
        labels=study.goal.names or None,
        groups=rows.groups,
        cross_validated=bool(study.folds),
    )


def _confusion(goal: Goal, rows: data.Rows, answers: Predictions) -> list[list[int]] | None:
    if goal.problem != metrics.SINGLE:
        return None
    return metrics.confusion(rows.labels, answers.prediction, len(goal.names))


def _mistakes(goal: Goal, rows: data.Rows, answers: Predictions) -> list[Mistake]:
    return metrics.mistakes(
        goal.problem,
        [text[:INPUT_SHOWN] for text in rows.texts],
        rows.labels,
        answers.prediction,
        scores=answers.scores,
        labels=goal.names or None,
        rows=rows.numbers.tolist(),
    )


def _curve_by_rows(study: Study, found: Features, head: HeadChoice) -> dict[str, list[list[float]]]:
    """How the last layer does on the validation rows with a part of the training rows: would more rows help?"""
    if not len(study.validation):
        return {}
    values, shuffled = found[head.pooling], np.random.default_rng(study.goal.seed).permutation(study.train)
    points = []
    for share in SHARES_OF_ROWS:
        rows = shuffled[: round(share * len(shuffled))]
        if len(rows) >= LEAST_VALIDATION and (
            study.goal.problem != metrics.SINGLE or len(set(study.rows.labels[rows])) > 1
        ):
            fitted = _fit(study, values, rows, head.head.strength)
            points.append(
                [float(len(rows)), _quality(study, fitted.logits(values[study.validation]), study.validation).value]
            )
    return {f"rows/{study.goal.metric}": points}


def _evaluation(study: Study) -> str:
    if study.folds:
        parts = len(study.folds) // REPEATS
        return f"{parts}-fold cross-validation, {REPEATS} times"
    return "your own test file" if study.own_test else "test rows"


def _environment(place: Device, run: RunContext) -> dict[str, Any]:
    return {
        **device.versions(),
        "device": place.name,
        "precision": place.precision,
        "threads": place.threads,
        "processes": run.world_size,
        "platform": platform.platform(),
    }
