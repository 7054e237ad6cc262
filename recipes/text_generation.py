"""Text generation: a language model learns to answer as the rows do, or to write like a text.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "text-generation"

Transfer learning in the order of `train`: the rows are put into the model's chat format, and shown once as it reads
them; the untuned model is judged, alone and with examples in its prompt; small adapters (or all weights) learn the
answers; then the test rows, seen for the first time, judge again.
"""

from __future__ import annotations

import math
import time

import numpy as np

from recipes.events import Estimate, Interval, Result, Written
from recipes.parts import (
    chatting,
    data,
    device,
    few_shot,
    judging,
    language_card,
    language_figures,
    language_memory,
    language_model,
    language_run,
    language_study,
    methods,
    packing,
    writing,
)
from recipes.parts.before import Before
from recipes.parts.context import RunContext
from recipes.parts.language_run import SAVING_SECONDS, TEXT_SHOWN, Work
from recipes.parts.language_training import Job, answer_losses, fine_tune
from recipes.plan import Plan

SHOWN = 5  # prompts that are answered before and after
COMPARED, COMPARED_ON_CPU = 40, 16  # answers that are written and compared, where answers can be
ANSWER_TOKENS = 96
WRITING_SHARE = 0.05  # of the time that is left: for answers written before, and again after
#: For predict, evaluate and export.
open_model, write_merged, model_card = chatting.open_chat, chatting.write_merged, language_card.model_card


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    with run.phase("reading", "Reading the rows and setting test rows aside"):
        study = language_study.read_study(plan, run)
    with run.phase("model", f"Loading {plan.base_model}"):
        model = language_run.load(plan, place, run)
        encoded = language_run.encode(plan, study.examples, model, run)
        study = study.limited_to(encoded)
        memory = language_run.settle_precision(plan, model, encoded, place, run)
        language_run.show_one_example(model, study.of(study.train), language_run.tokens_of(encoded, study.train), run)
    work = Work(plan, run, place, study, model, encoded, memory)
    with run.phase("baselines", "Asking the model as it is, alone and with examples in its prompt"):
        before = ask_untuned(work)
    with run.phase("training", "Learning the answers"):
        language_model.prepare(model, plan.method, plan.training.seed)
        how, folder = language_run.settings(plan), run.directory / "checkpoints"
        with packing.best_attention(model, place, run) as packed:
            job = make_job(work, before, packed)
            outcome = language_run.learn(work, lambda: fine_tune(job, how, run, place, memory, folder))
    with run.phase("testing", "Judging on rows that the model never saw", stoppable=False):
        result = judge(work, before).model_copy(update={"curves": outcome.curves})
    with run.phase("saving", "Saving the model and checking that it answers as in training", stoppable=False):
        run.on_main(lambda: language_run.save_and_verify(work))
    return run.on_main(lambda: language_run.complete(work, result))


# The untuned model


def ask_untuned(work: Work) -> Before:
    """Its losses on the test rows, alone and with examples in the prompt, on plain English, and what it writes."""
    known = Before.known(work.run)
    if known is not None:
        return known
    model, study, encoded, place, run = work.model, work.study, work.encoded, work.place, work.run
    tests = encoded.sequences(study.test)
    before = Before(losses=answer_losses(model, encoded, tests, place, run).tolist())
    lengths = language_run.tokens_of(encoded, study.train)
    shots = few_shot.choose(study.examples, study.train, lengths, work.plan.training.seed, model.context)
    if shots:
        found = few_shot.losses(model, encoded, tests, study.examples, shots, place, run)
        before.few_shot, before.shots = found.tolist(), len(shots)
    before.general = language_run.general_losses(work).summed.tolist()
    before.rows = rows_to_write(work)
    before.written, before.seconds = write(work, before.rows)
    before.keep(run)
    return before


def rows_to_write(work: Work) -> list[int]:
    """Test rows whose answers are written: five to look at, more where answers can be compared."""
    study = work.study
    order = np.random.default_rng(work.plan.training.seed).permutation(study.test)
    number = SHOWN
    if study.examples[0].messages:
        kind = language_figures.kind_of_answers([example.answer for example in study.of(study.train[:500])])
        number = COMPARED_ON_CPU if kind == "rouge_l" and work.place.is_cpu else COMPARED
    return [int(row) for row in order[:number]]


def write(work: Work, rows: list[int]) -> tuple[list[str], float]:
    """Answers for some rows, within a share of the time that is left; and the seconds that it took."""
    left = work.run.agree(work.run.seconds_left())
    batches = math.ceil(len(rows) / writing.ROWS)
    seconds = None if math.isinf(left) else max(2.0, WRITING_SHARE * left / batches)
    start = time.monotonic()
    prompts = writing.prompts_of(work.model, work.study.of(np.array(rows)), ANSWER_TOKENS)
    answers = work.run.on_main(lambda: writing.write(work.model, prompts, work.place, ANSWER_TOKENS, seconds=seconds))
    return answers, time.monotonic() - start


# The training


def make_job(work: Work, before: Before, packed: bool) -> Job:
    """What is trained on what, laid out for the memory at hand."""
    plan, run, encoded, study = work.plan, work.run, work.encoded, work.study
    train = encoded.sequences(study.train)
    lengths, batch = encoded.lengths[train], language_run.settings(plan).batch_size
    longest, limit = int(lengths.max()), run.micro_batch_size or plan.training.micro_batch_size
    tokens = int(lengths.mean() * batch) + 1
    room = language_memory.room_for(work.model.module, plan.method, longest, tokens, work.place, limit)
    run.predicted_peak_bytes, run.rows_in_memory = room.peak_bytes, min(batch, max(1, room.tokens // longest))
    run.write(Estimate(predicted_peak_bytes=room.peak_bytes))
    if room.checkpointing:
        run.note("Memory is short, so a part of each step is computed twice: about a quarter slower, the same result.")
    return Job(
        model=work.model,
        encoded=encoded,
        train=train,
        validation=encoded.sequences(study.validation),
        tokens_at_once=room.tokens,
        rows_at_once=limit or batch,
        packed=packed,
        checkpointing=room.checkpointing,
        reserve_seconds=SAVING_SECONDS + before.seconds,
        test_cost=float(encoded.lengths[encoded.sequences(study.test)].sum()),
    )


# The verdict


def judge(work: Work, before: Before) -> Result:
    """Figures, rivals and verdict on the test rows.

    Raises:
        RecipeError: `nan`, the model's answers are no numbers.
    """
    plan, run, study, encoded = work.plan, work.run, work.study, work.encoded
    tests = encoded.sequences(study.test)
    after = answer_losses(work.model, encoded, tests, work.place, run)
    language_run.refuse_no_numbers(after)
    written, _ = write(work, before.rows)
    losses = language_figures.by_example(encoded, tests, after)
    rivals = {
        name: language_figures.by_example(encoded, tests, np.array(summed))
        for name, summed in (("untuned", before.losses), ("few_shot", before.few_shot))
        if summed
    }
    groups = study.groups(study.test)
    language_run.tell_forgetting(work, before.general)
    mine, theirs = compare_written(work, before, written)
    baselines = {name: language_figures.figures(rival, groups) for name, rival in rivals.items()}
    baselines["untuned"] |= theirs
    trainable, total = methods.count_parameters(work.model.module)
    return Result(
        task=str(plan.task),
        base_model=str(plan.base_model),
        method=plan.method.model_dump(exclude_none=True),
        rows={"train": len(study.train), "validation": len(study.validation), "test": len(study.test)},
        metrics=language_figures.figures(losses, groups) | mine,
        baselines=baselines,
        verdict=language_figures.judge(losses, rivals, before.shots, groups),
        trainable_parameters=trainable,
        total_parameters=total,
        seconds={},
        peak_bytes={},
        environment=judging.environment(work.place, run),
        data_sha256=data.data_sha256(plan, run.directory),
        seed=plan.training.seed,
        metric="loss",
        written=side_by_side(work, before, written),
        evaluation="test rows",
        model_format=language_model.model_format(work.model),
    )


def compare_written(work: Work, before: Before, written: list[str]) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Figures of the written answers after and before, where they can be compared with the expected ones."""
    examples = work.study.of(np.array(before.rows))
    if len(written) <= SHOWN or not examples[0].messages:
        return {}, {}
    expected = [example.answer for example in examples]
    kind = language_figures.kind_of_answers(expected)
    return (
        language_figures.written_figures(kind, written, expected),
        language_figures.written_figures(kind, before.written, expected),
    )


def side_by_side(work: Work, before: Before, written: list[str]) -> list[Written]:
    """Five prompts, the expected answer, and what the model wrote before and after."""
    examples = work.study.of(np.array(before.rows[:SHOWN]))
    return [
        Written(
            row=example.row,
            prompt=(example.prompt or example.text)[:TEXT_SHOWN],
            expected=example.answer[:TEXT_SHOWN],
            before=then[:TEXT_SHOWN],
            after=now[:TEXT_SHOWN],
        )
        for example, then, now in zip(examples, before.written, written, strict=False)
    ]
