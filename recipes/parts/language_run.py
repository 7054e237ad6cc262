"""What the recipes for language models share on the way from the rows to the result.

encode, settle_precision, show_one_example      before the training
learn                                           trained, and checked that only what should change did
forgetting, save_and_verify, complete           after it
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Result, Sample
from recipes.parts import (
    chat_format,
    checkpoints,
    device,
    ending,
    language_card,
    language_figures,
    language_model,
    language_study,
    model_files,
    verdict,
)
from recipes.parts.chat_format import Encoded
from recipes.parts.context import RunContext
from recipes.parts.conversations import Example
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.language_figures import Losses
from recipes.parts.language_model import LanguageModel
from recipes.parts.language_study import LanguageStudy
from recipes.parts.language_training import answer_losses
from recipes.parts.starter import resolve
from recipes.parts.steady import Outcome, Settings
from recipes.plan import Plan

MAX_LENGTH = 1024  # tokens of a row, where the plan leaves it open
BATCH_SIZE = 16
TEXT_SHOWN = 600  # characters of a prompt or an answer in the report
VERIFIED_ROWS = 4
TRIAL_ROWS, TRIAL_TOKENS = 2, 64  # on which precisions are tried: a slow one takes seconds a pass
SAVING_SECONDS = 20.0
GENERAL = Path(__file__).parent / "general_english.txt"
TWICE = 1.3  # times a model's size that must be free to load it a second time
MUCH_FORGOTTEN = 1.1  # times the loss on plain English that it had


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


# Before the training


def load(plan: Plan, place: Device, run: RunContext) -> LanguageModel:
    """The plan's base model on the device.

    Raises:
        RecipeError: it cannot be had, or is no language model.
    """
    name = plan.base_model or ""
    return language_model.load(resolve(name, run.directory), name, place, plan.method)


def encode(plan: Plan, examples: Sequence[Example], model: LanguageModel, run: RunContext) -> Encoded:
    """All examples as tokens, once; rows that are cut, or have nothing to learn, are counted and said."""
    longest = min(plan.training.max_length or MAX_LENGTH, model.context)
    encoded = chat_format.encode(model.form, examples, longest, run.check_stop)
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
    if model.form.simple and any(example.messages for example in examples):
        run.note(
            "The model brought no chat format, so it got a simple one: “User: …”, “Assistant: …”. Use the same words "
            "when you ask it."
        )
    return encoded


def show_one_example(model: LanguageModel, examples: Sequence[Example], lengths: NDArray[Any], run: RunContext) -> None:
    """A training row of middling length as the model reads it, with what is learned marked."""
    middle = examples[int(np.argsort(lengths, kind="stable")[len(lengths) // 2])]
    parts = [{"text": text[:TEXT_SHOWN], "learned": learned} for text, learned in model.form.parts(middle)]
    run.write(Sample(name="what-the-model-reads", value={"parts": parts}))


def settle_precision(
    plan: Plan, model: LanguageModel, encoded: Encoded, place: Device, run: RunContext
) -> checkpoints.Memory:
    """Find the fastest safe precision; it is remembered, so that a resumed run computes alike."""
    import torch

    few = [encoded.ids[row][:TRIAL_TOKENS] for row in np.argsort(-encoded.lengths)[:TRIAL_ROWS]]
    ids = torch.from_numpy(chat_format.padded(few, few, 0)["input_ids"]).to(place.torch_device)
    shortest = min(len(each) for each in few)

    def forward() -> Any:
        hidden = model.module.base_model(input_ids=ids, use_cache=False)[0]
        return hidden[:, :shortest].float().mean(1).cpu().numpy()

    wish: str = plan.compute.precision
    if wish == "auto" and place.torch_device.type == "cuda":
        wish = "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return model_files.settle_precision(wish, forward, place, run)


def tokens_of(encoded: Encoded, rows: NDArray[Any]) -> NDArray[np.int64]:
    """Tokens of examples, shape (rows,)."""
    totals = np.bincount(encoded.owner, weights=encoded.lengths, minlength=encoded.examples)
    lengths: NDArray[np.int64] = totals[rows].astype(np.int64)
    return lengths


# The training


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


def learn(work: Work, train: Callable[[], Outcome]) -> Outcome:
    """Run a training, checked as every training is.

    Raises:
        RecipeError: `nan`, `no-step`, `weights-unchanged` or `frozen-changed`. Stopped: the best state is in `model/`.
    """
    return ending.learn(work.plan, work.run, work.model.module, train, lambda: save_and_verify(work), SAVING_SECONDS)


# After it


def refuse_no_numbers(losses: Any) -> None:
    """Weights that overflowed are no model.

    Raises:
        RecipeError: `nan`.
    """
    if not np.isfinite(losses).all():
        raise RecipeError(
            "nan",
            "The model's answers are not numbers: its weights overflowed during training.",
            "",
            "Start again with a learning rate ten times smaller.",
        )


def general_losses(work: Work) -> Losses:
    """A few dozen sentences of plain English: what a model must not forget while it learns something else."""
    sentences = [line for line in GENERAL.read_text(encoding="utf-8").splitlines() if line.strip()]
    encoded = chat_format.encode(work.model.form, [Example(text=line) for line in sentences], 128)
    every = np.arange(len(encoded.ids))
    summed = answer_losses(work.model, encoded, every, work.place, work.run)
    return Losses(summed, encoded.learned.astype(np.float64))


def tell_forgetting(work: Work, before: Sequence[float]) -> None:
    """Whether plain English became harder for it: what a training on something else can cost."""
    now = general_losses(work)
    then = Losses(np.array(before), now.tokens)
    found = language_figures.compare(now, then)
    figures = f"its loss on {len(now.tokens)} sentences of plain English went from {then.mean:.2f} to {now.mean:.2f}"
    worse = found.p_value < verdict.ALPHA and found.difference.value < 0
    if worse and now.mean > MUCH_FORGOTTEN * then.mean:
        work.run.warn(
            "forgetting",
            f"The model lost some of what it knew: {figures}. Fewer epochs, a smaller learning rate, or adapters "
            "instead of all weights keep more.",
        )
    else:
        work.run.note(f"What it knew is {'slightly harder for it now' if worse else 'still there'}: {figures}.")


def save_and_verify(work: Work) -> None:
    """Write `model/`, load it again, and compare its losses with those of the run.

    Where memory does not hold the model twice, the weights in the files are compared instead.

    Raises:
        RecipeError: `verification-failed`.
    """
    folder, place = work.run.directory / "model", work.place
    language_model.save(work.model, folder)
    size = sum(each.numel() * each.element_size() for each in work.model.module.parameters())
    if device.free_memory_bytes(place) < TWICE * size:
        apart = 0.0 if language_model.same_weights(work.model, folder) else float("inf")
        allowed = 0.0
    else:
        rows = work.encoded.sequences(work.study.test[:VERIFIED_ROWS])[:VERIFIED_ROWS]
        expected = answer_losses(work.model, work.encoded, rows, place)
        found = answer_losses(language_model.load_saved(folder, place), work.encoded, rows, place)
        apart = float(np.abs(found - expected).max())
        allowed = (2e-3 if place.precision == "float32" else 5e-2) * max(1.0, float(np.abs(expected).max()))
    model_files.check_same(apart, allowed)


def complete(work: Work, result: Result) -> Result:
    """The result with what is known only at the end; the model's card is written from it."""
    run = work.run
    if work.model.adapter:
        run.note(
            "What was saved is an adapter: a small file that changes the base model and needs it beside it. The card "
            "in model/ shows the three lines that load it; the export “merged” makes one whole model of both."
        )
    return ending.complete(work.plan, run, work.place, result, language_card.model_card)
