"""Text to text: a model learns to write summaries, translations, or any text from another.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "text2text-generation"

Transfer learning in the order of `train`: rows become pairs of texts; the untuned model writes test rows; small
adapters, the last blocks or all weights learn the expected texts; then the tuned model writes the same rows, and is
compared with the untuned one and with what costs no training: copying, the first words, the most similar row's text.
"""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Candidate, Estimate, Interval, Result, Sample, Written
from recipes.parts import (
    checkpoints,
    data,
    device,
    ending,
    judging,
    language_study,
    methods,
    model_files,
    pairs,
    rewriting,
    rewriting_card,
    seq2seq_model,
    text_metrics,
    text_rivals,
    tongues,
)
from recipes.parts.before import Before
from recipes.parts.context import RunContext
from recipes.parts.conversations import Example
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.language_study import LanguageStudy
from recipes.parts.pairs import Pairs
from recipes.parts.seq2seq_model import Seq2Seq
from recipes.parts.seq2seq_training import Job, batch_of, fine_tune, target_losses
from recipes.parts.starter import resolve
from recipes.parts.steady import Outcome, Settings
from recipes.plan import Plan

BATCH_SIZE = 16  # where the plan leaves it open
CPU_TOKENS, GPU_TOKENS = 4096, 16384  # of both sides in memory at once
MOST_WRITTEN, MOST_WRITTEN_ON_CPU = 1000, 400  # test rows that are written before and after
WRITING_SHARE = 0.1  # of the time that is left: for texts written before, and again after
WRITTEN_AT_ONCE = 4 * rewriting.ROWS  # test rows between two looks at the clock
SHOWN, TEXT_SHOWN = 5, 600  # rows, and characters of each text, in the report
VERIFIED_ROWS = 4
SAVING_SECONDS = 20.0
UNKNOWN = 0.005  # share of the expected texts' tokens without a piece of their own that is worth a warning

open_model, write_merged, model_card = rewriting.open_rewriter, rewriting.write_merged, rewriting_card.model_card


@dataclass(frozen=True)
class Work:
    """What every step after the loading needs."""

    plan: Plan
    run: RunContext
    place: Device
    study: LanguageStudy
    model: Seq2Seq
    pairs: Pairs
    memory: checkpoints.Memory
    longest: int

    @property
    def metric(self) -> str:
        """The figure that decides."""
        return text_metrics.deciding(self.plan.evaluation.metric, self.plan.data.languages is not None)

    @property
    def language(self) -> str:
        """Of what is written, where the plan names it."""
        return self.plan.data.languages[1] if self.plan.data.languages else ""

    def score(self, written: list[str], rows: list[int]) -> text_metrics.Scores:
        """What was written for some rows, compared with what was expected."""
        return text_metrics.score(written, [self.study.examples[row].answer for row in rows], self.language)


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    with run.phase("reading", "Reading the rows and setting test rows aside"):
        study = language_study.read_study(plan, run)
        study = dataclasses.replace(study, test=few_enough(study.test, plan, place, run))
    with run.phase("model", f"Loading {plan.base_model}"):
        source = resolve(plan.base_model or "", run.directory)
        model = seq2seq_model.load(source, plan.base_model or "", place, plan.method)
        tell(plan, model, study, run)
        work = encode(plan, study, model, place, run)
        show_one_row(work)
    with run.phase("baselines", "Asking the model as it is, and what costs no training"):
        before = ask_untuned(work)
        simple = run.on_main(
            lambda: text_rivals.ask_all(
                study.of(study.train), study.of(np.array(before.rows)), pairs.shortens(study.of(study.train))
            )
        )
    with run.phase("training", "Learning the expected texts"):
        outcome = learn(work, before)
    with run.phase("testing", "Judging on rows that the model never saw", stoppable=False):
        result = judge(work, before, simple, outcome)
    with run.phase("saving", "Saving the model and checking that it writes as in training", stoppable=False):
        run.on_main(lambda: save_and_verify(work))
        say_adapter(work)
    return run.on_main(lambda: ending.complete(plan, run, place, result, model_card))


# Before the training


def few_enough(rows: NDArray[Any], plan: Plan, place: Device, run: RunContext) -> NDArray[Any]:
    """Test rows in an order drawn by the seed, no more than can be written in reasonable time."""
    most = MOST_WRITTEN_ON_CPU if place.is_cpu else MOST_WRITTEN
    if len(rows) > most:
        run.note(f"Writing takes long: the verdict is about {most:,} of the {len(rows):,} test rows, drawn by chance.")
    return np.random.default_rng(plan.training.seed).permutation(rows)[:most]


def tell(plan: Plan, model: Seq2Seq, study: LanguageStudy, run: RunContext) -> None:
    """The words or languages that the model must be told, said in the report."""
    prefix = plan.data.prefix
    if prefix is None:
        shorter = pairs.shortens(study.of(study.train))
        prefix = tongues.prefix_for(model.bare.config, plan.data.languages, shorter)
    run.note(seq2seq_model.tell(model, prefix, plan.data.languages))
    if prefix:
        run.note(f"“{prefix.strip()}” stands before each text, as this model was trained with. Write it there too.")


def encode(plan: Plan, study: LanguageStudy, model: Seq2Seq, place: Device, run: RunContext) -> Work:
    """All rows as tokens, once; rows that are cut, and letters that the model cannot write, are counted and said."""
    longest = min(plan.training.max_length or rewriting.MAX_LENGTH, model.context)
    encoded = pairs.encode(model, study.examples, longest, run.check_stop)
    say_cut(encoded, longest, run)
    if encoded.unknown >= UNKNOWN:
        run.warn(
            "letters-unknown",
            f"{100 * encoded.unknown:.1f} % of the pieces of your expected texts are letters or words that "
            f"“{model.name}” does not know, so it can never write them. A model of many languages (mT5) or of bytes "
            "(ByT5) knows them.",
        )
    learned = [encoded.targets[row] for row in study.train]
    room = pairs.room_to_write([encoded.targets[row] for row in study.train], longest)
    seq2seq_model.settle_generation(model, room, pairs.no_repeat(learned))
    memory = settle_precision(plan, model, encoded, place, run)
    return Work(plan, run, place, study, model, encoded, memory, longest)


def say_cut(encoded: Pairs, longest: int, run: RunContext) -> None:
    """A warning with how many rows lose their end."""
    if encoded.cut_sources or encoded.cut_targets:
        run.warn(
            "rows-cut",
            f"Of {len(encoded.sources):,} rows, {encoded.cut_sources:,} texts and {encoded.cut_targets:,} expected "
            f"texts are longer than {longest:,} tokens and lose their end. More tokens (training.max_length) keep them "
            "whole, and cost more time and memory.",
        )


def settle_precision(plan: Plan, model: Seq2Seq, encoded: Pairs, place: Device, run: RunContext) -> checkpoints.Memory:
    """The fastest safe precision. Never float16: T5's inner numbers overflow in it, and Pegasus' too."""
    wish: str = plan.compute.precision
    if wish == "float16":
        run.warn(
            "number-format", "float16 overflows in T5 and its kin, so the fastest other precision is used instead."
        )
        wish = "auto"
    if wish == "auto" and place.torch_device.type == "cuda":
        import torch

        wish = "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    few = np.argsort(-encoded.lengths)[:2]

    def forward() -> Any:
        batch = batch_of(model, encoded, few, place)
        found = model.bare.get_encoder()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])[0]
        return found.float().mean(1).cpu().numpy()

    return model_files.settle_precision(wish, forward, place, run)


def show_one_row(work: Work) -> None:
    """A training row of middling length as the model reads it, with what is learned marked."""
    rows = work.study.train
    row = rows[int(np.argsort(work.pairs.lengths[rows], kind="stable")[len(rows) // 2])]
    sides = ((work.pairs.sources[row], False), (work.pairs.targets[row], True))
    parts = [
        {"text": work.model.tokenizer.decode(ids, skip_special_tokens=False)[:TEXT_SHOWN], "learned": learned}
        for ids, learned in sides
    ]
    work.run.write(Sample(name="what-the-model-reads", value={"parts": parts}))


# The untuned model


def ask_untuned(work: Work) -> Before:
    """What it writes for test rows: as many as a share of the time allows, the same that the tuned model writes."""
    known = Before.known(work.run)
    if known is not None:
        return known
    start = time.monotonic()
    left = work.run.agree(work.run.seconds_left())
    rows, written = [], []
    for first in range(0, len(work.study.test), WRITTEN_AT_ONCE):
        if first and work.run.agree(time.monotonic() - start > WRITING_SHARE * left):
            break
        work.run.check_stop()
        rows += work.study.test[first : first + WRITTEN_AT_ONCE].tolist()
        written += write(work, rows[first:])
    rows, written = work.run.agree((rows, written))
    if len(rows) < len(work.study.test):
        work.run.note(
            f"Writing takes long: the verdict is about {len(rows):,} of the {len(work.study.test):,} test rows, drawn "
            "by chance."
        )
    before = Before(rows=rows, written=written, seconds=time.monotonic() - start)
    before.keep(work.run)
    return before


def write(work: Work, rows: list[int]) -> list[str]:
    """What the model writes now for some rows."""
    sources = [work.pairs.sources[row] for row in rows]
    written: list[str] = work.run.on_main(lambda: rewriting.write(work.model, sources, work.place))
    return written


# The training


def learn(work: Work, before: Before) -> Outcome:
    """Train; what must not change is checked to be unchanged, bit for bit.

    Raises:
        RecipeError: `nan`, `no-step`, `weights-unchanged` or `frozen-changed`. Stopped: the best state is in `model/`.
    """
    plan, run, study = work.plan, work.run, work.study
    seq2seq_model.prepare(work.model, plan.method, plan.training.seed)
    rows = rows_at_once(work)
    run.predicted_peak_bytes, run.rows_in_memory = predicted_peak_bytes(work, rows), rows
    run.write(Estimate(predicted_peak_bytes=run.predicted_peak_bytes))
    validation = study.validation if len(study.validation) else study.train[-1:]
    job = Job(work.model, work.pairs, study.train, validation, SAVING_SECONDS + before.seconds)
    how, folder = settings(plan, rows), run.directory / "checkpoints"
    return ending.learn(
        plan, run, work.model.module,
        lambda: fine_tune(job, how, run, work.place, work.memory, folder),
        lambda: save_and_verify(work), SAVING_SECONDS,
    )  # fmt: skip


def rows_at_once(work: Work) -> int:
    """Rows in memory at once, by the longest; fewer after memory ran out."""
    training = work.plan.training
    fitting = max(1, (CPU_TOKENS if work.place.is_cpu else GPU_TOKENS) // int(work.pairs.lengths.max()))
    wishes = (training.micro_batch_size or fitting, work.run.micro_batch_size, training.batch_size or BATCH_SIZE)
    return min(limit for limit in wishes if limit)


def predicted_peak_bytes(work: Work, rows: int) -> int:
    """A forecast: what is held now, gradients, AdamW's moments and kept states, activations, and logits.

    Bytes a token and block of float32 activations, 32 H + 16 I for H the width and I the inner width, as for other
    transformers; a decoder's block holds its cross-attention too. Scores of the vocabulary: 12 bytes a token and word.
    """
    trained, total = methods.count_parameters(work.model.module)
    source, target = work.pairs.longest
    width, inner, layers = seq2seq_model.sizes(work.model)
    writing = target * (layers * (48 * width + 16 * inner) + 12 * len(work.model.tokenizer))
    activations = rows * (source * layers * (32 * width + 16 * inner) + writing)
    held = total * 4 if work.place.torch_device.type == "cuda" else device.peak_bytes(work.place)
    return int(held + trained * (4 + 8 + 8) + activations)


def settings(plan: Plan, rows: int) -> Settings:
    """The plan's numbers; `Plan.gaps` has seen to it that the needed ones are there."""
    training = plan.training
    return Settings(
        epochs=training.epochs or 1.0,
        learning_rate=training.learning_rate or 3e-5,
        batch_size=training.batch_size or BATCH_SIZE,
        micro_batch_size=rows,
        seed=training.seed,
        warmup=training.warmup,
        weight_decay=training.weight_decay,
        early_stopping=training.early_stopping,
    )


# The verdict


def judge(work: Work, before: Before, simple: dict[str, list[str]], outcome: Outcome) -> Result:
    """Figures, rivals and verdict on the test rows that were written.

    Raises:
        RecipeError: the model writes the same for every row, or its scores are no numbers.
    """
    plan, run, study = work.plan, work.run, work.study
    written = write(work, before.rows)
    expected = study.of(np.array(before.rows))
    failure = text_metrics.learned(written, [example.answer for example in expected])
    if failure is not None:
        raise RecipeError(failure.code, failure.what, failure.expected, failure.fix)
    groups = study.groups(np.array(before.rows))
    ours = work.score(written, before.rows)
    rivals = {name: work.score(texts, before.rows) for name, texts in ({"untuned": before.written} | simple).items()}
    trainable, total = methods.count_parameters(work.model.module)
    loss = outcome.quality.value if outcome.quality is not None else math.nan
    return Result(
        task=str(plan.task),
        base_model=str(plan.base_model),
        method=plan.method.model_dump(exclude_none=True),
        rows={"train": len(study.train), "validation": len(study.validation), "test": len(before.rows)},
        metrics=figures(work, ours, groups),
        baselines={name: figures(work, scores, groups) for name, scores in rivals.items()},
        verdict=text_metrics.judge(
            work.metric, ours, rivals, groups, None if study.own_test else plan.evaluation.test_fraction
        ),
        trainable_parameters=trainable,
        total_parameters=total,
        seconds={},
        peak_bytes={},
        environment=judging.environment(work.place, run) | ({"prefix": work.model.prefix} if work.model.prefix else {}),
        data_sha256=data.data_sha256(plan, run.directory),
        seed=plan.training.seed,
        metric=work.metric,
        written=side_by_side(expected, before.written, written),
        candidates=[
            Candidate(name=str(plan.method.name), metric="loss", value=loss, seconds=outcome.seconds, chosen=True)
        ],
        curves=outcome.curves,
        evaluation="your own test file" if study.own_test else "test rows",
        model_format=seq2seq_model.model_format(work.model),
    )


def figures(work: Work, scores: text_metrics.Scores, groups: list[Any] | None) -> dict[str, Interval]:
    """All figures with intervals, the one that decides first."""
    found = text_metrics.figures(scores, groups, work.metric)
    return {work.metric: found[work.metric]} | found


def side_by_side(examples: list[Example], before: list[str], after: list[str]) -> list[Written]:
    """Five test rows: the text, what was expected, and what was written before and after."""
    return [
        Written(
            row=example.row,
            prompt=example.prompt[:TEXT_SHOWN],
            expected=example.answer[:TEXT_SHOWN],
            before=then[:TEXT_SHOWN],
            after=now[:TEXT_SHOWN],
        )
        for example, then, now in zip(examples[:SHOWN], before, after, strict=False)
    ]


# The end


def save_and_verify(work: Work) -> None:
    """Write `model/`, load it again, and compare its losses, and a text that it writes, with those of the run.

    Raises:
        RecipeError: `verification-failed`.
    """
    folder, place, rows = work.run.directory / "model", work.place, work.study.test[:VERIFIED_ROWS]
    expected = target_losses(work.model, work.pairs, rows, place)
    seq2seq_model.save(work.model, folder)
    loaded = seq2seq_model.load_saved(folder, place)
    found = target_losses(loaded, work.pairs, rows, place)
    allowed = (2e-3 if place.precision == "float32" else 5e-2) * max(1.0, float(np.abs(expected).max()))
    model_files.check_same(float(np.abs(found - expected).max()), allowed)
    sources = pairs.source_tokens(loaded, [work.study.examples[row].prompt for row in rows], work.longest)
    same = all(np.array_equal(one, work.pairs.sources[row]) for one, row in zip(sources, rows, strict=True))
    model_files.check_same(0.0 if same else math.inf, 0.0)


def say_adapter(work: Work) -> None:
    """What was saved by a LoRA run."""
    if work.model.adapter:
        work.run.note(
            "What was saved is an adapter: a small file that changes the base model and needs it beside it. The card "
            "in model/ shows the lines that load it; the export “merged” makes one whole model of both."
        )
