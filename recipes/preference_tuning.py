"""Preference tuning: a language model learns which of two answers people like better.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "preference-tuning"

Direct preference optimisation in the order of `train`: both answers of every pair are read by the untuned model, which
is the reference; adapters (or all weights) learn to prefer the better one; then the test pairs, seen for the first
time, judge how often it does, and whether it only learned to like long answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Estimate, Interval, Result, Verdict
from recipes.parts import (
    chatting,
    data,
    device,
    judging,
    language_card,
    language_memory,
    language_model,
    language_run,
    language_study,
    methods,
    preference_figures,
    preferences,
)
from recipes.parts.before import Before
from recipes.parts.chat_format import Encoded
from recipes.parts.context import RunContext
from recipes.parts.errors import RecipeError
from recipes.parts.language_run import SAVING_SECONDS, Work
from recipes.parts.language_study import LanguageStudy
from recipes.parts.language_training import answer_losses
from recipes.parts.preference_training import Job, Pairs, fine_tune
from recipes.plan import Plan

#: For predict, evaluate and export.
open_model, write_merged, model_card = chatting.open_chat, chatting.write_merged, language_card.model_card


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    with run.phase("reading", "Reading the pairs and setting test pairs aside"):
        study = language_study.read_study(plan, run, preferences.read)
    with run.phase("model", f"Loading {plan.base_model}"):
        model = language_run.load(plan, place, run)
        sides = [side for pair in study.examples for side in pair.sides()]  # type: ignore[attr-defined]
        encoded = language_run.encode(plan, sides, model, run)
        study = whole_pairs(study, encoded)
        memory = language_run.settle_precision(plan, model, encoded, place, run)
        shown = [sides[2 * row] for row in study.train]
        language_run.show_one_example(model, shown, language_run.tokens_of(encoded, 2 * study.train), run)
    work = Work(plan, run, place, study, model, encoded, memory)
    with run.phase("baselines", "Asking the model as it is, which is what it is held to"):
        before = ask_untuned(work)
        pairs = pairs_of(encoded, before)
    with run.phase("training", "Learning which answers are liked"):
        language_model.prepare(model, plan.method, plan.training.seed)
        job, how, folder = make_job(work, pairs), language_run.settings(plan), run.directory / "checkpoints"
        outcome = language_run.learn(work, lambda: fine_tune(job, how, run, place, memory, folder))
    with run.phase("testing", "Judging on pairs that the model never saw", stoppable=False):
        result = judge(work, pairs, before).model_copy(update={"curves": outcome.curves})
    with run.phase("saving", "Saving the model and checking that it answers as in training", stoppable=False):
        run.on_main(lambda: language_run.save_and_verify(work))
    return run.on_main(lambda: language_run.complete(work, result))


def whole_pairs(study: LanguageStudy, encoded: Encoded) -> LanguageStudy:
    """Without the pairs of which one answer could not be read.

    Raises:
        RecipeError: `no-usable-rows`.
    """
    readable = np.isin(np.arange(encoded.examples), encoded.usable)
    kept = readable[0::2] & readable[1::2]
    sides = [rows[kept[rows]] for rows in (study.train, study.validation, study.test)]
    if not len(sides[0]) or not len(sides[2]):
        raise RecipeError(
            "no-usable-rows",
            f"{len(sides[0]):,} pairs are left to learn from and {len(sides[2]):,} to judge by.",
            "At least one of each is needed, and some 100 of each for a verdict.",
            "Bring more pairs, or read more tokens of each (training.max_length).",
        )
    validation = sides[1] if len(sides[1]) else sides[0][-1:]
    return LanguageStudy(study.examples, sides[0], validation, sides[2], study.own_test)


# The untuned model


def ask_untuned(work: Work) -> Before:
    """How surprised it is by every answer: the reference of the training, and a rival at the end."""
    known = Before.known(work.run)
    if known is not None:
        return known
    every = np.arange(len(work.encoded.ids))
    before = Before(losses=answer_losses(work.model, work.encoded, every, work.place, work.run).tolist())
    before.general = language_run.general_losses(work).summed.tolist()
    before.keep(work.run)
    return before


def pairs_of(encoded: Encoded, before: Before) -> Pairs:
    """Both sequences of every pair; -1 where one could not be read."""
    of_example = np.full(encoded.examples, -1, dtype=np.int64)
    of_example[encoded.owner] = np.arange(len(encoded.owner))
    return Pairs(encoded, of_example[0::2], of_example[1::2], np.array(before.losses))


# The training


def make_job(work: Work, pairs: Pairs) -> Job:
    """What is trained on what, laid out for the memory at hand."""
    plan, run, study = work.plan, work.run, work.study
    lengths, batch = pairs.lengths[study.train], language_run.settings(plan).batch_size
    longest, limit = int(lengths.max()), run.micro_batch_size or plan.training.micro_batch_size
    tokens = int(lengths.mean() * batch) + 1
    room = language_memory.room_for(work.model.module, plan.method, longest, tokens, work.place, limit)
    run.predicted_peak_bytes, run.rows_in_memory = room.peak_bytes, min(batch, max(1, room.tokens // longest))
    run.write(Estimate(predicted_peak_bytes=room.peak_bytes))
    return Job(
        model=work.model,
        pairs=pairs,
        train=study.train,
        validation=study.validation,
        tokens_at_once=room.tokens,
        rows_at_once=limit or batch,
        checkpointing=room.checkpointing,
        reserve_seconds=SAVING_SECONDS,
        test_cost=float(pairs.lengths[study.test].sum()),
    )


# The verdict


@dataclass(frozen=True)
class Liked:
    """Which answers are liked: figures of the tuned model, of its rivals, and the verdict."""

    metrics: dict[str, Interval]
    baselines: dict[str, dict[str, Interval]]
    verdict: Verdict


def judge(work: Work, pairs: Pairs, before: Before) -> Result:
    """Figures, rivals and verdict on the test pairs.

    Raises:
        RecipeError: `nan`, the model's answers are no numbers.
    """
    plan, run, study = work.plan, work.run, work.study
    losses = answer_losses(work.model, pairs.encoded, pairs.sequences(study.test), work.place, run)
    language_run.refuse_no_numbers(losses)
    found = liked(work, pairs, losses)
    language_run.tell_forgetting(work, before.general)
    trainable, total = methods.count_parameters(work.model.module)
    return Result(
        task=str(plan.task),
        base_model=str(plan.base_model),
        method=plan.method.model_dump(exclude_none=True),
        rows={"train": len(study.train), "validation": len(study.validation), "test": len(study.test)},
        metrics=found.metrics,
        baselines=found.baselines,
        verdict=found.verdict,
        trainable_parameters=trainable,
        total_parameters=total,
        seconds={},
        peak_bytes={},
        environment=judging.environment(work.place, run),
        data_sha256=data.data_sha256(plan, run.directory),
        seed=plan.training.seed,
        metric="reward_accuracy",
        evaluation="test pairs",
        model_format=language_model.model_format(work.model),
    )


def liked(work: Work, pairs: Pairs, losses: NDArray[Any]) -> Liked:
    """How often the better answer is liked more, by the tuned model and by its rivals; what it may cost is said."""
    test, encoded = work.study.test, pairs.encoded
    margins = pairs.margins(losses, test)
    before = pairs.reference[pairs.sequences(test)]
    longer = encoded.learned[pairs.chosen[test]] > encoded.learned[pairs.rejected[test]]
    rivals = {"untuned": before[: len(test)] < before[len(test) :], "longer": longer}
    groups = work.study.groups(test)
    preference_figures.tell_length_bias(margins, longer, work.run)
    preference_figures.tell_collapse(before[: len(test)], losses[: len(test)], work.run)
    return Liked(
        metrics=preference_figures.figures(margins > 0, groups, margins),
        baselines={name: preference_figures.figures(right, groups) for name, right in rivals.items()},
        verdict=preference_figures.judge(margins > 0, rivals, groups),
    )
