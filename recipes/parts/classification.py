"""Classification of anything: one label, several labels, or a number for each input.

result = train(plan, run, kind)        kind: what is special about texts, pictures, sounds (`recipes.parts.modality`)

Transfer learning in the order of `train`: the frozen pretrained body reads every input once; a new last layer is fitted
on what it says; where the plan asks for more, the body is trained on from there, and kept only if it does better on
validation rows; then the test rows, seen for the first time, judge.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import shutil
from collections.abc import Callable
from typing import Any

from recipes.events import Candidate, Estimate, EventWriter, Result
from recipes.parts import card, checkpoints, device, ending, features, linear_head, methods, probe, rivals
from recipes.parts.baselines import Predictions
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, Stopped
from recipes.parts.judging import SAVING_SECONDS, VERIFIED_ROWS, Chosen, Work, judge, save_and_verify
from recipes.parts.methods import Base, Classifier
from recipes.parts.modality import Inputs, Modality
from recipes.parts.probe import HeadChoice
from recipes.parts.starter import check_reachable, resolve
from recipes.parts.steady import Outcome, Settings
from recipes.parts.study import FEW_ROWS, Study
from recipes.parts.training import Job, fine_tune, logits_of
from recipes.plan import Plan

LEAST_VALIDATION = 10  # fewer rows cannot tell whether training the body helped
BATCH_SIZE = 16  # where the plan leaves it open
SCRATCH_LEARNING_RATE = 3e-4  # random weights need larger steps than pretrained ones
SCRATCH_EPOCHS = 10.0  # where the plan trains no body; the time ends it sooner
SCRATCH_SECONDS = (60.0, 600.0)  # least and most


def train(plan: Plan, run: RunContext, kind: Modality) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Args:
        kind: what is classified.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    with run.phase("reading", "Reading the rows and setting test rows aside"):
        study = kind.study(plan, run)
    with run.phase("model", f"Loading {plan.base_model}"):
        base = load_base(plan, kind, study, place, run)
        encoded = kind.encode(plan, study, base, run)
        memory = settle_precision(plan, base, place, run)
        predict_memory(plan, base, encoded, place, run)
    with run.phase("features", f"The pretrained model reads every {kind.one} once"):
        found = features.frozen_features(base, encoded, place, run, teller(plan, run))
    work = Work(plan, run, kind, place, study, encoded, found, memory)
    with run.phase("head", "Fitting a new last layer"):
        head = run.on_main(lambda: probe.fit_head(study, found))
        run.note(head.sentence)
    with run.phase("baselines", "Asking what simple methods reach"):
        simple = rivals.names_for(kind, plan.evaluation.baselines)
        answers = run.on_main(lambda: rivals.ask_all(simple, study, found, kind, encoded))
    chosen = best_of_head_and_body(work, base, head)
    if "from_scratch" in plan.evaluation.baselines and not study.folds:
        with run.phase("from_scratch", "Training the same architecture without pretraining, to compare"):
            answers |= from_scratch(work, chosen)
    with run.phase("testing", "Judging on rows that the model never saw", stoppable=False):
        result = run.on_main(lambda: judge(work, head, chosen, answers))
    with run.phase("saving", "Saving the model and checking that it answers as in training", stoppable=False):
        save_and_verify(work, chosen)
    return run.on_main(lambda: ending.complete(plan, run, place, result, card.model_card))


# The base model


def load_base(
    plan: Plan, kind: Modality, study: Study, place: Device, run: RunContext, from_scratch: bool = False
) -> Base:
    """The base model with a new last layer, on the device."""
    refuse_qlora(plan, kind, place)
    name = plan.base_model or ""
    source = resolve(name, run.directory)
    run.on_main(lambda: check_reachable(source))
    base = methods.load_base(
        kind,
        source,
        name,
        labels=study.goal.names,
        problem=study.goal.problem,
        seed=study.goal.seed,
        no_dropout=place.is_cpu or not kind.keeps_dropout,
        from_scratch=from_scratch,
    )
    kind.fit_to(base, study)
    base.model.to(place.torch_device)
    return base


def refuse_qlora(plan: Plan, kind: Modality, place: Device) -> None:
    """4-bit weights are not for this recipe: say why, and what to do instead."""
    if plan.method.name != "qlora":
        return
    reason = f"this run is on {place.name}"
    if place.torch_device.type == "cuda":
        has_package = importlib.util.find_spec("bitsandbytes") is not None
        reason = "this recipe does not use it yet" if has_package else "the package is not installed"
    raise RecipeError(
        "qlora-needs-gpu",
        f"The method qlora keeps the model in 4 bits; that takes an NVIDIA GPU and the package bitsandbytes: {reason}.",
        f"Base models for classifying {kind.many} are small, so lora needs hardly more memory.",
        "Choose the method lora.",
    )


def settle_precision(plan: Plan, base: Base, place: Device, run: RunContext) -> checkpoints.Memory:
    """Find the fastest safe precision; it is remembered, so that a resumed run computes alike."""
    folder = run.directory / "checkpoints"
    memory: checkpoints.Memory = run.on_main(lambda: checkpoints.Memory.load(folder))
    if memory.precision and memory.device == place.name:
        place.use(memory.precision)  # type: ignore[arg-type]
    else:
        memory.precision = features.settle_precision(base, plan.compute.precision, place, run)
        memory.device = place.name
        run.on_main(lambda: memory.save(folder))
    if base.dropout and base.kind.keeps_dropout and plan.method.name != "head":
        run.note("Dropout is off: on a CPU, drawing its random masks takes as long as the model itself.")
    return memory


def predict_memory(plan: Plan, base: Base, encoded: Inputs, place: Device, run: RunContext) -> None:
    """Forecast the peak, to be held against the measured one."""
    micro, _ = rows_at_once(plan, run)
    peak = base.kind.peak_bytes(plan, base, encoded, micro, place)
    run.predicted_peak_bytes, run.rows_in_memory = peak, micro
    run.write(Estimate(predicted_peak_bytes=peak))


def teller(plan: Plan, run: RunContext) -> Any:
    """Progress of the features. Steps never go back: where a training follows, only its own steps are counted."""
    alone = plan.method.name == "head"
    return lambda step, total, eta: run.progress(step if alone else 0, total, eta, "features")


# Training the body, from the fitted head on


@dataclasses.dataclass(frozen=True)
class Steps:
    """What differs where each word of a text is classified, instead of the text.

    Attributes:
        job: what is trained on what; tune: does it.
        head_alone, trained_body: what is kept, with its answers; save: writes `model/` and checks it.
    """

    job: Callable[[Any, Classifier], Job]
    tune: Callable[..., Outcome]
    head_alone: Callable[[Any, Base, HeadChoice, list[Candidate]], Chosen]
    trained_body: Callable[[Any, Classifier, list[Candidate], Outcome], Chosen]
    save: Callable[[Any, Chosen], None]


def best_of_head_and_body(work: Work, base: Base, head: HeadChoice, steps: Steps | None = None) -> Chosen:
    """Train the body where the plan asks for it; the winner on the validation rows is kept.

    Args:
        steps: None: those of whole rows.

    Raises:
        Stopped: somebody asked for it; the better one so far is in `model/`.
    """
    plan, run = work.plan, work.run
    steps = steps or Steps(make_job, fine_tune, head_alone, trained_body, save_and_verify)
    if plan.method.name == "head" or not can_train_body(work):
        return steps.head_alone(work, base, head, [])
    with run.phase("training", "Training the model from the fitted last layer on"):
        classifier, outcome = train_body(work, base, head, steps)
    candidates = compare(plan, head, outcome)
    if candidates[-1].chosen:
        chosen = steps.trained_body(work, classifier, candidates, outcome)
    else:
        say_head_kept(candidates, outcome, run)
        chosen = steps.head_alone(work, load_base(plan, work.kind, work.study, work.place, run), head, candidates)
    if outcome.stopped:
        steps.save(work, chosen)
        raise Stopped(outcome.steps, model_kept=True)
    return dataclasses.replace(chosen, curves=outcome.curves)


def can_train_body(work: Work) -> bool:
    """Whether there are rows to judge it by, and time; if not, the person hears why."""
    plan, study, run = work.plan, work.study, work.run
    if study.folds:
        why = (
            f"With {len(study.rows):,} labelled rows only the new last layer is trained: fewer than {FEW_ROWS} rows "
            f"cannot show whether training more of the model (method {plan.method.name}) helps or harms."
        )
    elif len(study.validation) < LEAST_VALIDATION:
        why = (
            f"Only {len(study.validation)} rows are left to check the training with, too few to tell whether training "
            f"more of the model (method {plan.method.name}) helps; the new last layer alone is kept."
        )
    elif run.agree(run.seconds_left()) > SAVING_SECONDS:
        return True
    else:
        run.warn(
            "time-limit",
            f"The {plan.training.max_minutes:g} minutes were over before the model itself could be trained; the new "
            "last layer alone is kept. More minutes (training.max_minutes) allow it.",
        )
        return False
    run.warn("too-few-rows", why)
    return False


def train_body(work: Work, base: Base, head: HeadChoice, steps: Steps) -> tuple[Classifier, Outcome]:
    """Train from the fitted head on; what must not change is checked to be unchanged, bit for bit.

    Raises:
        RecipeError: `nan`, `no-step`, `weights-unchanged` or `frozen-changed`.
    """
    plan, run = work.plan, work.run
    classifier = methods.classifier_of(base, head.pooling, head.head.weight.shape[1], work.study.goal.outputs)
    classifier.set_head(head.head.weight, head.head.bias)
    prepare(work, classifier, plan.method, base.fresh)
    frozen = methods.weights_sha256(classifier.module, trainable=False)
    share = 0.5 if "from_scratch" in plan.evaluation.baselines else 1.0
    job = dataclasses.replace(steps.job(work, classifier), share_of_time=share)
    outcome = steps.tune(job, settings(plan, run), run, work.place, work.memory, run.directory / "checkpoints")
    ending.check_frozen(plan, classifier.module, frozen, "start again with the method head, and ")
    if not outcome.stopped:
        check_it_moved(plan, outcome, run)
    return classifier, outcome


def prepare(work: Work, classifier: Classifier, method: Any, fresh: list[str], from_scratch: bool = False) -> None:
    """Set what trains, on the device; weights that no input reaches stay frozen."""
    methods.prepare(classifier, method, fresh, from_scratch)
    classifier.module.to(work.place.torch_device)
    few = work.encoded.batch(work.study.train[:2])
    methods.freeze_unused(classifier, {name: value.to(work.place.torch_device) for name, value in few.items()})


def make_job(work: Work, classifier: Classifier) -> Job:
    """The training rows, what their labels weigh, and how the validation rows judge."""
    study, encoded = work.study, work.encoded
    test_cost, validation_cost = (int(encoded.lengths[rows].sum()) for rows in (study.test, study.validation))
    return Job(
        classifier=classifier,
        encoded=encoded,
        train=study.train,
        validation=study.validation,
        labels=study.rows.labels,
        row_weights=linear_head.class_row_weights(
            study.labels(study.train), len(study.goal.names), study.goal.balanced
        ),
        problem=study.goal.problem,
        judge=lambda logits: probe.quality(study, logits, study.validation),
        reserve_seconds=SAVING_SECONDS,
        test_share=test_cost / max(1, validation_cost),
    )


def settings(plan: Plan, run: RunContext) -> Settings:
    """The plan's numbers; `check_ready` has seen to it that the needed ones are there."""
    training = plan.training
    micro, batch_size = rows_at_once(plan, run)
    return Settings(
        epochs=training.epochs or 1.0,
        learning_rate=training.learning_rate or 1e-5,
        batch_size=batch_size,
        micro_batch_size=micro,
        seed=training.seed,
        warmup=training.warmup,
        weight_decay=training.weight_decay,
        layer_decay=training.layer_decay,
        early_stopping=training.early_stopping,
    )


def rows_at_once(plan: Plan, run: RunContext) -> tuple[int, int]:
    """Rows in memory at once (fewer after memory ran out), and rows a step."""
    batch_size = plan.training.batch_size or BATCH_SIZE
    limits = [limit for limit in (plan.training.micro_batch_size, run.micro_batch_size, batch_size) if limit]
    return min(limits), batch_size


def check_it_moved(plan: Plan, outcome: Outcome, run: RunContext) -> None:
    """A training without a step, or whose weights are what they were, has failed."""
    if outcome.steps == 0 and run.seconds_left() > SAVING_SECONDS:
        raise RecipeError(
            "no-step",
            "The training ended without a single step.",
            "At least one step is needed to learn anything.",
            "Allow more time (training.max_minutes) or more epochs.",
        )
    ending.check_moved(plan, outcome)


def compare(plan: Plan, head: HeadChoice, outcome: Outcome) -> list[Candidate]:
    """The head and the trained body, on the same validation rows; the last one is the trained body."""
    floor, reached = head.validation, outcome.quality
    wins = floor is not None and reached is not None and reached.beats(floor)
    metric = head.held_out.metric
    alone = floor.value if floor is not None else head.held_out.value
    body = reached.value if reached is not None else math.nan
    note = "" if reached is not None else "it ended before it could be judged"
    return [
        Candidate(name="head", metric=metric, value=alone, seconds=head.seconds, chosen=not wins),
        Candidate(
            name=str(plan.method.name), metric=metric, value=body, seconds=outcome.seconds, chosen=wins, note=note
        ),
    ]


def say_head_kept(candidates: list[Candidate], outcome: Outcome, run: RunContext) -> None:
    """The person asked for more than the last layer and does not get it: say so."""
    head, body = candidates
    if outcome.quality is None:
        run.warn("head-kept", "The new last layer alone is kept: the training ended before it could be judged once.")
        return
    run.warn(
        "head-kept",
        f"The new last layer alone is kept: training more of the model ({body.name}) reached {body.metric} "
        f"{body.value:.3f} on the validation rows, the last layer alone {head.value:.3f}.",
    )


def trained_body(work: Work, classifier: Classifier, candidates: list[Candidate], outcome: Outcome) -> Chosen:
    """The trained body, and its answers."""
    rows = work.study.judged[:VERIFIED_ROWS] if outcome.stopped else work.study.judged
    logits = logits_of(classifier, work.encoded, rows, work.place, work.run)
    trainable, total = methods.count_parameters(classifier.module)
    answers = linear_head.predict(logits, work.study.goal.problem)
    return Chosen(classifier, answers, logits[:VERIFIED_ROWS], candidates, trainable, total)


def head_alone(work: Work, base: Base, head: HeadChoice, candidates: list[Candidate]) -> Chosen:
    """The frozen body with the head fitted on all rows that may be learned from; answers from the cached features."""
    study, found = work.study, work.found
    values = found[head.pooling]
    final = work.run.on_main(lambda: probe.fit(study, values, study.learnable, head.head.strength))
    classifier = methods.classifier_of(base, head.pooling, values.shape[1], study.goal.outputs)
    classifier.set_head(final.weight, final.bias)
    if study.folds:
        logits = work.run.on_main(lambda: probe.cross_validated_logits(study, found))
    else:
        logits = final.logits(values[study.test])
    known = head.validation or head.held_out
    alone = Candidate(name="head", metric=known.metric, value=known.value, seconds=head.seconds, chosen=True)
    return Chosen(
        classifier=classifier,
        answers=linear_head.predict(logits, study.goal.problem),
        sample_logits=final.logits(values[study.judged[:VERIFIED_ROWS]]),
        candidates=candidates or [alone],
        trainable=sum(parameter.numel() for parameter in classifier.head.parameters()),
        total=methods.count_parameters(classifier.module)[1],
    )


def from_scratch(work: Work, chosen: Chosen) -> dict[str, Predictions]:
    """The same architecture with random weights, as many epochs, about as much time: what pretraining is worth."""
    plan, run, study = work.plan, work.run, work.study
    least, most = SCRATCH_SECONDS
    seconds = max(least, min(most, 2 * run.seconds.get("training", most)))
    seconds = min(seconds, run.agree(run.seconds_left()) - SAVING_SECONDS)
    if seconds <= 0 or len(study.validation) < LEAST_VALIDATION:
        run.warn(
            "baseline-left-out",
            "There was no time, or too few rows, to train the same architecture without pretraining.",
        )
        return {}
    base = load_base(plan, work.kind, study, work.place, run, from_scratch=True)
    kept = chosen.classifier
    classifier = methods.classifier_of(base, kept.pooling, kept.head.in_features, study.goal.outputs)
    prepare(work, classifier, plan.method.model_copy(update={"name": "full"}), [], from_scratch=True)
    silent = dataclasses.replace(
        run, events=EventWriter(None), warnings=[], notes=[], seconds_before=0.0, max_seconds=run.elapsed() + seconds
    )
    usual = settings(plan, run)
    epochs = SCRATCH_EPOCHS if plan.method.name == "head" else usual.epochs  # a head's one pass would be no match
    how = dataclasses.replace(
        usual, epochs=epochs, learning_rate=SCRATCH_LEARNING_RATE, layer_decay=None, keep_checkpoints=False
    )
    folder = run.directory / "checkpoints" / "from_scratch"
    outcome = fine_tune(make_job(work, classifier), how, silent, work.place, checkpoints.Memory(), folder)
    shutil.rmtree(folder, ignore_errors=True)
    if outcome.stopped:
        save_and_verify(work, chosen)
        raise Stopped(outcome.steps, model_kept=True)
    run.note(f"Without pretraining, the same architecture was trained for {outcome.steps:,} steps.")
    logits = logits_of(classifier, work.encoded, study.test, work.place, run)
    return {"from_scratch": linear_head.predict(logits, study.goal.problem)}
