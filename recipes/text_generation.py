"""Text generation: a language model learns to answer as the rows do, or to write like a text.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "text-generation"

Transfer learning in the order of `train`: the rows are put into the model's chat format, and shown once as it reads
them; the untuned model is judged, alone and with examples in its prompt; small adapters (or all weights) learn the
answers; then the test rows, seen for the first time, judge again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Estimate, Result, Sample, Written
from recipes.parts import (
    chat_format,
    chatting,
    checkpoints,
    data,
    device,
    few_shot,
    judging,
    language_card,
    language_figures,
    language_memory,
    language_model,
    language_study,
    methods,
    packing,
    verdict,
    writing,
)
from recipes.parts.chat_format import Encoded
from recipes.parts.context import RunContext
from recipes.parts.conversations import Example
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, Stopped
from recipes.parts.language_figures import Losses
from recipes.parts.language_model import LanguageModel
from recipes.parts.language_study import LanguageStudy
from recipes.parts.language_training import Job, Settings, answer_losses, fine_tune
from recipes.parts.starter import resolve
from recipes.parts.steady import Outcome
from recipes.plan import Plan

MAX_LENGTH = 1024  # tokens of a row, where the plan leaves it open
BATCH_SIZE = 16
SHOWN = 5  # prompts that are answered before and after
COMPARED = 40  # answers that are written and compared, where answers can be
ANSWER_TOKENS = 96
TEXT_SHOWN = 600  # characters of a prompt or an answer in the report
VERIFIED_ROWS = 4
SAVING_SECONDS = 20.0
WRITING_SHARE = 0.05  # of the time that is left: for answers written before, and again after
#: For predict, evaluate and export.
open_model, write_merged, model_card = chatting.open_chat, chatting.write_merged, language_card.model_card
GENERAL = Path(__file__).parent / "parts" / "general_english.txt"


@dataclass(frozen=True)
class Work:
    """What every step after the loading needs."""

    plan: Plan
    run: RunContext
    place: Device
    study: LanguageStudy
    model: LanguageModel
    encoded: Encoded
    memory: checkpoints.Memory


@dataclass
class Before:
    """The untuned model on the rows that will judge, and what it writes; a resumed run need not ask again.

    Attributes:
        losses, few_shot: summed loss of each test sequence; few_shot is empty for plain text.
        shots: how many examples the prompt held.
        general: summed loss of each sentence of plain English.
        rows: test rows whose answers were written; written: those answers.
    """

    losses: list[float] = field(default_factory=list)
    few_shot: list[float] = field(default_factory=list)
    shots: int = 0
    general: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    seconds: float = 0.0


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    with run.phase("reading", "Reading the rows and setting test rows aside"):
        study = language_study.read_study(plan, run)
    with run.phase("model", f"Loading {plan.base_model}"):
        model = language_model.load(
            resolve(plan.base_model or "", run.directory), plan.base_model or "", place, plan.method
        )
        encoded = encode(plan, study, model, run)
        study = study.limited_to(encoded)
        memory = settle_precision(plan, model, encoded, place, run)
        show_one_example(study, model, encoded, run)
    work = Work(plan, run, place, study, model, encoded, memory)
    with run.phase("baselines", "Asking the model as it is, alone and with examples in its prompt"):
        before = ask_untuned(work)
    with run.phase("training", "Learning the answers"):
        outcome = learn(work, before)
    with run.phase("testing", "Judging on rows that the model never saw", stoppable=False):
        result = judge(work, before, outcome)
    with run.phase("saving", "Saving the model and checking that it answers as in training", stoppable=False):
        run.on_main(lambda: save_and_verify(work))
    return run.on_main(lambda: complete(work, result))


# What the model reads


def encode(plan: Plan, study: LanguageStudy, model: LanguageModel, run: RunContext) -> Encoded:
    """All rows as tokens, once; rows that are cut, or have nothing to learn, are counted and said."""
    longest = min(plan.training.max_length or MAX_LENGTH, model.context)
    encoded = chat_format.encode(model.form, study.examples, longest, run.check_stop)
    language_model.settle_generation(model)
    language_study.say_left_out(encoded.left_out, len(encoded.usable), plan.data.name or "the file", run)
    if encoded.cut:
        lost = encoded.cut_answer_tokens
        run.warn(
            "rows-cut",
            f"{encoded.cut:,} of {encoded.examples:,} rows are longer than {longest:,} tokens and lose their end"
            + (f", together {lost:,} tokens of answers" if lost else "")
            + ". More tokens a row (training.max_length) keep them whole, and cost more time and memory.",
        )
    if model.form.simple and any(example.messages for example in study.examples):
        run.note(
            "The model brought no chat format, so it got a simple one: “User: …”, “Assistant: …”. Use the same words "
            "when you ask it."
        )
    return encoded


def show_one_example(study: LanguageStudy, model: LanguageModel, encoded: Encoded, run: RunContext) -> None:
    """A training row of middling length as the model reads it, with what is learned marked."""
    order = np.argsort(_lengths(encoded, study.train), kind="stable")
    parts = model.form.parts(study.examples[study.train[order[len(order) // 2]]])
    value = {"parts": [{"text": text[:TEXT_SHOWN], "learned": learned} for text, learned in parts]}
    run.write(Sample(name="what-the-model-reads", value=value))


def settle_precision(
    plan: Plan, model: LanguageModel, encoded: Encoded, place: Device, run: RunContext
) -> checkpoints.Memory:
    """Find the fastest safe precision; it is remembered, so that a resumed run computes alike."""
    import torch

    folder = run.directory / "checkpoints"
    memory: checkpoints.Memory = run.on_main(lambda: checkpoints.Memory.load(folder))
    if memory.precision and memory.device == place.name:
        place.use(memory.precision)  # type: ignore[arg-type]
        return memory
    few = [encoded.ids[row][:128] for row in np.argsort(-encoded.lengths)[:4]]
    ids = torch.from_numpy(chat_format.padded(few, few, 0)["input_ids"]).to(place.torch_device)
    shortest = min(len(each) for each in few)

    def forward() -> Any:
        hidden = model.module.base_model(input_ids=ids, use_cache=False)[0]
        return hidden[:, :shortest].float().mean(1).cpu().numpy()

    wish = plan.compute.precision
    if wish == "auto" and place.torch_device.type == "cuda":
        wish = "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    place.use(device.choose_precision(wish, place, forward, run))
    memory.precision, memory.device = place.precision, place.name
    run.on_main(lambda: memory.save(folder))
    return memory


# The untuned model


def ask_untuned(work: Work) -> Before:
    """Its losses on the test rows, alone and with examples in the prompt, on plain English, and what it writes."""
    folder = work.run.directory / "checkpoints"
    known = work.run.on_main(lambda: _known_before(folder / "before.json"))
    if known is not None:
        return known
    model, study, encoded, place, run = work.model, work.study, work.encoded, work.place, work.run
    tests = encoded.sequences(study.test)
    before = Before(losses=answer_losses(model, encoded, tests, place, run).tolist())
    shots = few_shot.choose(
        study.examples, study.train, _lengths(encoded, study.train), work.plan.training.seed, model.context
    )
    if shots:
        found = few_shot.losses(model, encoded, tests, study.examples, shots, place, run)
        before.few_shot, before.shots = found.tolist(), len(shots)
    before.general = answer_losses(model, *general(model), place, run).tolist()
    before.rows = rows_to_write(work)
    before.written, before.seconds = write(work, before.rows)
    run.on_main(lambda: _keep_before(folder, before))
    return before


def _known_before(path: Path) -> Before | None:
    try:
        return Before(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _keep_before(folder: Path, before: Before) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints.write_atomically(folder / "before.json", json.dumps(dataclasses.asdict(before)))


def _lengths(encoded: Encoded, rows: NDArray[Any]) -> NDArray[np.int64]:
    """Tokens of examples, shape (rows,)."""
    totals = np.bincount(encoded.owner, weights=encoded.lengths, minlength=encoded.examples)
    lengths: NDArray[np.int64] = totals[rows].astype(np.int64)
    return lengths


def general(model: LanguageModel) -> tuple[Encoded, NDArray[np.int64]]:
    """A few dozen sentences of plain English: what a model must not forget while it learns something else."""
    sentences = [line for line in GENERAL.read_text(encoding="utf-8").splitlines() if line.strip()]
    encoded = chat_format.encode(model.form, [Example(text=line) for line in sentences], 128)
    return encoded, np.arange(len(encoded.ids))


def rows_to_write(work: Work) -> list[int]:
    """Test rows whose answers are written: five to look at, more where answers can be compared."""
    chance = np.random.default_rng(work.plan.training.seed)
    order = chance.permutation(work.study.test)
    kind = language_figures.kind_of_answers([example.answer for example in work.study.of(work.study.train)[:500]])
    comparable = bool(work.study.examples[0].messages)
    number = SHOWN if not comparable else min(COMPARED, 16 if kind == "rouge_l" and work.place.is_cpu else COMPARED)
    return [int(row) for row in order[:number]]


def write(work: Work, rows: list[int]) -> tuple[list[str], float]:
    """Answers for some rows, within a share of the time that is left."""
    left = work.run.agree(work.run.seconds_left())
    batches = math.ceil(len(rows) / writing.ROWS)
    seconds = None if math.isinf(left) else max(2.0, WRITING_SHARE * left / batches)
    start = time.monotonic()
    prompts = writing.prompts_of(work.model, work.study.of(np.array(rows)), ANSWER_TOKENS)
    answers = work.run.on_main(lambda: writing.write(work.model, prompts, work.place, ANSWER_TOKENS, seconds=seconds))
    return answers, time.monotonic() - start


# Training


def learn(work: Work, before: Before) -> Outcome:
    """Train adapters or all weights; what must not change is checked to be unchanged, bit for bit.

    Raises:
        RecipeError: `nan`, `no-step`, `weights-unchanged` or `frozen-changed`. Stopped: the best state is in `model/`.
    """
    plan, run, model = work.plan, work.run, work.model
    language_model.prepare(model, plan.method, plan.training.seed)
    job = make_job(work, before)
    frozen = methods.weights_sha256(model.module, trainable=False)
    outcome = fine_tune(job, settings(plan), run, work.place, work.memory, run.directory / "checkpoints")
    if methods.weights_sha256(model.module, trainable=False) != frozen:
        raise RecipeError(
            "frozen-changed",
            "Weights that were to stay as they are have changed during the training.",
            f"The method {plan.method.name} trains only a part of the model.",
            "This is a fault of the program: report it.",
        )
    if outcome.stopped:
        if outcome.quality is not None:
            run.on_main(lambda: save_and_verify(work))
        raise Stopped(outcome.steps, model_kept=outcome.quality is not None)
    check_it_moved(plan, outcome, run)
    return outcome


def make_job(work: Work, before: Before) -> Job:
    """What is trained on what, laid out for the memory at hand."""
    plan, run, encoded, study = work.plan, work.run, work.encoded, work.study
    train = encoded.sequences(study.train)
    lengths = encoded.lengths[train]
    longest, batch = int(lengths.max()), settings(plan).batch_size
    limit = run.micro_batch_size or plan.training.micro_batch_size
    room = language_memory.room_for(
        work.model.module, plan.method, longest, int(lengths.mean() * batch) + 1, work.place, limit
    )
    run.predicted_peak_bytes, run.rows_in_memory = room.peak_bytes, max(1, room.tokens // longest)
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
        packed=packing.is_safe(work.model, work.place, run),
        checkpointing=room.checkpointing,
        reserve_seconds=SAVING_SECONDS + before.seconds,
        test_cost=float(encoded.lengths[encoded.sequences(study.test)].sum()),
    )


def settings(plan: Plan) -> Settings:
    """The plan's numbers; `Plan.gaps` has seen to it that the needed ones are there."""
    training = plan.training
    return Settings(
        epochs=training.epochs or 1.0,
        learning_rate=training.learning_rate or 2e-4,
        batch_size=training.batch_size or BATCH_SIZE,
        seed=training.seed,
        warmup=training.warmup,
        weight_decay=training.weight_decay,
        early_stopping=training.early_stopping,
    )


def check_it_moved(plan: Plan, outcome: Outcome, run: RunContext) -> None:
    """A training without a step, or whose weights are what they were, has failed."""
    if outcome.steps == 0:
        raise RecipeError(
            "no-step",
            "The training ended without a single step: "
            + ("the time was over before it." if run.seconds_left() < SAVING_SECONDS else "there was nothing to do."),
            "At least one step is needed to learn anything.",
            "Allow more time (training.max_minutes), more epochs, or a smaller base model.",
        )
    if not outcome.moved:
        raise RecipeError(
            "weights-unchanged",
            f"After {outcome.steps:,} steps every trained weight is what it was before.",
            "Training changes weights; it cannot when the learning rate is too small to matter.",
            f"Choose a higher learning rate than {plan.training.learning_rate:g}.",
        )


# The verdict


def judge(work: Work, before: Before, outcome: Outcome) -> Result:
    """Figures, rivals and verdict on the test rows.

    Raises:
        RecipeError: `nan`, the model's answers are no numbers.
    """
    plan, run, study, encoded = work.plan, work.run, work.study, work.encoded
    tests = encoded.sequences(study.test)
    after = answer_losses(work.model, encoded, tests, work.place, run)
    if not np.isfinite(after).all():
        raise RecipeError(
            "nan",
            "The model's answers are not numbers: its weights overflowed during training.",
            "",
            "Start again with a learning rate ten times smaller.",
        )
    written, _ = write(work, before.rows)
    losses = language_figures.by_example(encoded, tests, after)
    rivals = {"untuned": language_figures.by_example(encoded, tests, np.array(before.losses))}
    if before.few_shot:
        rivals["few_shot"] = language_figures.by_example(encoded, tests, np.array(before.few_shot))
    groups = study.groups(study.test)
    tell_forgetting(work, before)
    mine, theirs = compare_written(work, before, written)
    trainable, total = methods.count_parameters(work.model.module)
    baselines = {name: language_figures.figures(rival, groups) for name, rival in rivals.items()}
    baselines["untuned"] |= theirs
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
        curves=outcome.curves,
        written=side_by_side(work, before, written),
        evaluation="test rows",
        model_format=language_model.model_format(work.model),
    )


def tell_forgetting(work: Work, before: Before) -> None:
    """Whether plain English became harder for it: what a training on something else can cost."""
    encoded, sequences = general(work.model)
    tokens = encoded.learned.astype(np.float64)
    now = Losses(answer_losses(work.model, encoded, sequences, work.place, work.run), tokens)
    then = Losses(np.array(before.general), tokens)
    found = language_figures.compare(now, then)
    figures = f"its loss on {len(tokens)} sentences of plain English went from {then.mean:.2f} to {now.mean:.2f}"
    worse = found.p_value < verdict.ALPHA and found.difference.value < 0
    if worse and now.mean > 1.1 * then.mean:
        work.run.warn(
            "forgetting",
            f"The model lost some of what it knew: {figures}. Fewer epochs, a smaller learning rate, or adapters "
            "instead of all weights keep more.",
        )
    else:
        work.run.note(f"What it knew is {'slightly harder for it now' if worse else 'still there'}: {figures}.")


def compare_written(work: Work, before: Before, written: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of the written answers after and before, where answers can be compared with the expected ones."""
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
    rows = before.rows[:SHOWN]
    return [
        Written(
            row=work.study.examples[row].row,
            prompt=(work.study.examples[row].prompt or work.study.examples[row].text)[:TEXT_SHOWN],
            expected=work.study.examples[row].answer[:TEXT_SHOWN],
            before=then[:TEXT_SHOWN],
            after=now[:TEXT_SHOWN],
        )
        for row, then, now in zip(rows, before.written, written, strict=False)
    ]


# The end


def save_and_verify(work: Work) -> None:
    """Write `model/`, load it again, and compare its losses with those of the run.

    Raises:
        RecipeError: `verification-failed`.
    """
    folder = work.run.directory / "model"
    rows = work.encoded.sequences(work.study.test)[:VERIFIED_ROWS]
    expected = answer_losses(work.model, work.encoded, rows, work.place)
    language_model.save(work.model, folder)
    again = language_model.load_saved(folder, work.place)
    found = answer_losses(again, work.encoded, rows, work.place)
    tolerance = 2e-3 if work.place.precision == "float32" else 5e-2
    apart = float(np.abs(found - expected).max())
    if not apart <= tolerance * max(1.0, float(np.abs(expected).max())):
        raise RecipeError(
            "verification-failed",
            f"The saved model answers differently from the one that was trained: apart by {apart:.3g}.",
            "Both must give the same answers, or the figures would not hold for the saved model.",
            "Start the run again; if it happens again, choose another base model and report it.",
        )


def complete(work: Work, result: Result) -> Result:
    """The result with what is known only at the end; the model's card is written from it."""
    run = work.run
    if work.model.adapter:
        run.note(
            "What was saved is an adapter: a small file that changes the base model and needs it beside it. The card "
            "in model/ shows the three lines that load it; the export “merged” makes one whole model of both."
        )
    measured = device.peak_bytes(work.place)
    seconds = {name: round(value, 3) for name, value in run.seconds.items()}
    expected = work.plan.compute.expected_seconds
    seconds |= {"predicted": expected} if expected is not None else {}
    final = result.model_copy(
        update={
            "seconds": {**seconds, "total": round(run.elapsed(), 3)},
            "peak_bytes": {"predicted": run.predicted_peak_bytes, "measured": measured},
            "warnings": run.warnings,
            "notes": run.notes,
        }
    )
    (run.directory / "model" / "README.md").write_text(language_card.model_card(work.plan, final), encoding="utf-8")
    run.write(
        Estimate(
            predicted_peak_bytes=run.predicted_peak_bytes,
            measured_peak_bytes=measured,
            predicted_seconds=expected,
            measured_seconds=run.elapsed(),
        )
    )
    return final
