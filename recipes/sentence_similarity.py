"""Sentence similarity: texts that belong together get like numbers, so that one finds the other.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "sentence-similarity"

Transfer learning in the order of `train`: the frozen pretrained encoder reads every text once; a linear projection of
what it says is fitted; where the plan asks for more, the encoder is trained on from there, and kept only if it does
better on validation rows; then the test rows judge, against the untuned encoder and against counting shared words.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.events import Candidate, Estimate, Result
from recipes.parts import (
    alike_answering,
    alike_card,
    alike_figures,
    alike_model,
    alike_rows,
    checkpoints,
    classification,
    data,
    device,
    ending,
    features,
    judging,
    methods,
    model_files,
)
from recipes.parts.alike_figures import Answers, Closeness
from recipes.parts.alike_model import Encoder
from recipes.parts.alike_rows import AlikeStudy
from recipes.parts.alike_training import AlikeTrainer, Projection, Sides, fit_projection, projected, quality
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, Stopped
from recipes.parts.features import Encoded
from recipes.parts.judging import SAVING_SECONDS, VERIFIED_ROWS
from recipes.parts.starter import check_reachable, resolve
from recipes.parts.steady import Outcome
from recipes.parts.training import Job, fine_tune
from recipes.plan import Plan

open_model, model_card = alike_answering.open_model, alike_card.model_card
TRIAL_TEXTS = 16  # that the precisions are compared on


@dataclass(frozen=True)
class Work:
    """What every step after the loading needs.

    Attributes:
        metric: the figure that decides.
        frozen: what the untuned encoder says of every text, shape (texts, width), of length one.
    """

    plan: Plan
    run: RunContext
    place: Device
    study: AlikeStudy
    tokens: Encoded
    memory: checkpoints.Memory
    metric: str
    frozen: NDArray[np.float32]


@dataclass(frozen=True)
class Chosen:
    """What goes into `model/`, and what it says of the judged texts: shape (texts, width), zeros for the others."""

    encoder: Encoder
    values: NDArray[np.float32]
    candidates: list[Candidate]
    trainable: int
    curves: dict[str, list[list[float]]]


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    with run.phase("reading", "Reading the texts and setting test rows aside"):
        study = alike_rows.read_study(plan, run)
        metric = alike_figures.metric_for(study, plan.evaluation.metric)
    with run.phase("model", f"Loading {plan.base_model}"):
        encoder = load(plan, place, run)
        tokens = alike_model.encode(encoder, study.texts, plan.training.max_length, run)
        say_cut(tokens, run)
        memory = settle_precision(plan, encoder, tokens, place, run)
        predict_memory(plan, encoder, study, tokens, place, run)
    with run.phase("features", "The pretrained encoder reads every text once"):
        every = np.arange(len(study.texts))
        tell = classification.teller(plan, run)
        frozen = alike_model.vectors(encoder, tokens, every, place, run, lambda done, of: tell(done, of, None))
    work = Work(plan, run, place, study, tokens, memory, metric, frozen)
    with run.phase("head", "Fitting a linear projection of what it says"):
        head = run.on_main(lambda: fit_projection(study, frozen, metric, plan.training.seed))
    with run.phase("baselines", "Asking what the untuned encoder and shared words reach"):
        rivals = run.on_main(lambda: asked(study, alike_figures.rivals(study, frozen)))
    chosen = best_of_head_and_body(work, encoder, head)
    with run.phase("testing", "Judging on rows that the model never saw", stoppable=False):
        result = run.on_main(lambda: judge(work, chosen, rivals))
    with run.phase("saving", "Saving the model and checking that it answers as in training", stoppable=False):
        save_and_verify(work, chosen)
    return run.on_main(lambda: ending.complete(plan, run, place, result, model_card))


# The encoder


def load(plan: Plan, place: Device, run: RunContext) -> Encoder:
    """The base model with a projection that changes nothing yet, on the device.

    Raises:
        RecipeError: it cannot be had.
    """
    kind: Any = SimpleNamespace(many="pairs of texts")
    classification.refuse_qlora(plan, kind, place)
    source = resolve(plan.base_model or "", run.directory)
    run.on_main(lambda: check_reachable(source))
    torch.manual_seed(plan.training.seed)
    encoder = alike_model.load(source, plan.base_model or "", quiet=place.is_cpu)
    encoder.module.to(place.torch_device)
    return encoder


def say_cut(tokens: Encoded, run: RunContext) -> None:
    """How many texts are longer than what is read of them."""
    if tokens.cut:
        run.warn(
            "rows-cut",
            f"{tokens.cut:,} of {len(tokens):,} texts are longer than the {tokens.max_length:,} tokens that are read "
            "of each; what stands behind that is not seen. More tokens (training.max_length) cost more time.",
        )


def settle_precision(
    plan: Plan, encoder: Encoder, tokens: Encoded, place: Device, run: RunContext
) -> checkpoints.Memory:
    """The fastest precision in which a few of the texts get the same numbers."""
    few = tokens.batch(np.argsort(-tokens.lengths)[:TRIAL_TEXTS])
    batch = {name: value.to(place.torch_device) for name, value in few.items()}
    return model_files.settle_precision(
        plan.compute.precision, lambda: encoder.module(**batch)["logits"].float().cpu().numpy(), place, run
    )


def predict_memory(
    plan: Plan, encoder: Encoder, study: AlikeStudy, tokens: Encoded, place: Device, run: RunContext
) -> None:
    """Forecast the peak, to be held against the measured one."""
    rows, _ = classification.rows_at_once(plan, run)
    at_once = rows * len(study.columns) * int(tokens.lengths.max(initial=1))
    every = int(tokens.lengths.sum())
    peak = device.predicted_peak_bytes(
        encoder.module, plan.method, at_once, place, reading=min(features.TOKENS_A_BATCH, every), every=every
    )
    run.predicted_peak_bytes, run.rows_in_memory = peak, rows
    run.write(Estimate(predicted_peak_bytes=peak))


def asked(study: AlikeStudy, rivals: dict[str, Closeness]) -> dict[str, Answers]:
    """What each rival says about the test rows."""
    return {name: alike_figures.ask(study, rival, study.test) for name, rival in rivals.items()}


# Training the encoder, from the fitted projection on


def best_of_head_and_body(work: Work, encoder: Encoder, head: Projection) -> Chosen:
    """Train the encoder where the plan asks for it; the winner on the validation rows is kept.

    Raises:
        Stopped: somebody asked for it; the better one so far is in `model/`.
    """
    plan, run = work.plan, work.run
    known: Any = work
    if plan.method.name == "head" or not classification.can_train_body(known):
        return head_alone(work, encoder, head, [], {})
    with run.phase("training", "Training the encoder from the fitted projection on"):
        outcome = train_body(work, encoder, head)
    as_head: Any = head
    candidates = classification.compare(plan, as_head, outcome)
    if candidates[-1].chosen:
        trainable, _ = methods.count_parameters(encoder.module)
        chosen = Chosen(encoder, judged_values(work, encoder), candidates, trainable, outcome.curves)
    else:
        classification.say_head_kept(candidates, outcome, run)
        chosen = head_alone(work, load(plan, work.place, run), head, candidates, outcome.curves)
    if outcome.stopped:
        save_and_verify(work, chosen)
        raise Stopped(outcome.steps, model_kept=True)
    return chosen


def train_body(work: Work, encoder: Encoder, head: Projection) -> Outcome:
    """Train; what must not change is checked to be unchanged, bit for bit.

    Raises:
        RecipeError: `nan`, `no-step`, `weights-unchanged`, `frozen-changed` or `no-layers`.
    """
    plan, run, place, study = work.plan, work.run, work.place, work.study
    put(encoder, head)
    methods.prepare(encoder, plan.method, [])
    encoder.module.to(place.torch_device)
    few = work.tokens.batch(study.first[study.train[:2]])
    methods.freeze_unused(encoder, {name: value.to(place.torch_device) for name, value in few.items()})
    frozen = methods.weights_sha256(encoder.module, trainable=False)
    # The whole effective batch is one comparison; `AlikeTrainer` reads it in pieces where memory is short.
    how = dataclasses.replace(classification.settings(plan, run), micro_batch_size=None)
    folder = run.directory / "checkpoints"
    outcome = fine_tune(make_job(work, encoder), how, run, place, work.memory, folder, kind=AlikeTrainer)
    ending.check_frozen(plan, encoder.module, frozen, "start again with the method head, and ")
    if not outcome.stopped:
        classification.check_it_moved(plan, outcome, run)
    return outcome


def put(encoder: Encoder, head: Projection) -> None:
    """The fitted projection into the encoder."""
    with torch.no_grad():
        encoder.classifier.weight.copy_(torch.from_numpy(head.weight))


def make_job(work: Work, encoder: Encoder) -> Job:
    """The training rows, and how the validation rows judge."""
    study = work.study
    sides: Any = Sides(study, work.tokens)
    test_cost, validation_cost = (int(sides.lengths[rows].sum()) for rows in (study.test, study.validation))
    return Job(
        classifier=encoder,
        encoded=sides,
        train=study.train,
        validation=study.validation,
        labels=study.numbers,
        row_weights=np.ones(len(study.train), dtype=np.float32),
        problem="",
        judge=lambda values: quality(study, values, study.validation, work.metric),
        reserve_seconds=SAVING_SECONDS,
        test_share=test_cost / max(1, validation_cost),
    )


def head_alone(
    work: Work, encoder: Encoder, head: Projection, candidates: list[Candidate], curves: dict[str, list[list[float]]]
) -> Chosen:
    """The frozen encoder with the fitted projection."""
    put(encoder, head)
    known = head.validation
    alone = Candidate(name="head", metric=known.metric, value=known.value, seconds=head.seconds, chosen=True)
    return Chosen(encoder, projected(work.frozen, head.weight), candidates or [alone], head.weight.size, curves)


def judged_values(work: Work, encoder: Encoder) -> NDArray[np.float32]:
    """What a trained encoder says of the test rows' texts."""
    texts = work.study.texts_of(work.study.test)
    values = np.zeros_like(work.frozen)
    values[texts] = alike_model.vectors(encoder, work.tokens, texts, work.place, work.run)
    return values


# The verdict


def judge(work: Work, chosen: Chosen, rivals: dict[str, Answers]) -> Result:
    """Figures, rivals and verdict on the test rows.

    Raises:
        RecipeError: the model tells no texts apart.
    """
    plan, study, run = work.plan, work.study, work.run
    ours = alike_figures.ask(study, alike_figures.by_vectors(chosen.values), study.test)
    failure = alike_figures.learned(study, chosen.values[study.texts_of(study.test)], ours)
    if failure is not None:
        raise RecipeError(failure.code, failure.what, failure.expected, failure.fix)
    if ours.candidates:
        run.note(f"Each test text was looked for among {ours.candidates:,} candidates; among more, it is found less.")
    if chosen.encoder.adapter:
        run.note("The adapter was merged into the saved model, so that SentenceTransformer loads it as it stands.")
    return Result(
        task=str(plan.task),
        base_model=str(plan.base_model),
        method=plan.method.model_dump(exclude_none=True),
        rows={"train": len(study.train), "validation": len(study.validation), "test": len(study.test)},
        metrics=alike_figures.figures(study, ours, study.test),
        baselines={name: alike_figures.figures(study, each, study.test) for name, each in rivals.items()},
        verdict=alike_figures.judge(study, ours, rivals, work.metric, plan.evaluation.test_fraction),
        trainable_parameters=chosen.trainable,
        total_parameters=methods.count_parameters(chosen.encoder.module)[1],
        seconds={},
        peak_bytes={},
        environment=judging.environment(work.place, run),
        data_sha256=data.data_sha256(plan, run.directory),
        seed=plan.training.seed,
        metric=work.metric,
        mistakes=alike_figures.mistakes(study, ours),
        candidates=chosen.candidates,
        curves=chosen.curves,
        evaluation=study.evaluation,
        model_format=alike_model.FORMAT,
    )


# The end


def save_and_verify(work: Work, chosen: Chosen) -> None:
    """Write `model/`, load it with sentence-transformers alone, and compare its numbers with those of the run."""
    folder, texts = work.run.directory / "model", work.study.texts_of(work.study.test)[:VERIFIED_ROWS]

    def do() -> None:
        alike_model.save(chosen.encoder, folder, work.tokens.max_length)
        some = [work.study.texts[text] for text in texts]
        alike_model.verify(folder, some, chosen.values[texts], work.place)

    work.run.on_main(do)
