"""A finished model that writes one text from another, beside the model it was made from.

rewriter = open_rewriter(run_folder, plan)
rewriter.answer({"text": "…"})                {"input", "prediction", "untuned"}
rewriter.evaluate(path)                       its figures on the rows of a file
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.events import EventWriter
from recipes.parts import conversations, data, device, model_files, pairs, seq2seq_model, text_metrics
from recipes.parts.context import RunContext
from recipes.parts.conversations import Example
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.model_files import TRIAL_TEXTS
from recipes.parts.seq2seq_model import Seq2Seq
from recipes.parts.seq2seq_training import target_losses
from recipes.parts.starter import resolve
from recipes.plan import Method, Plan

ROWS = 16  # texts that are written together
MAX_LENGTH = 512  # tokens of a text, where the plan leaves it open
SECONDS = 60.0  # for one text that somebody tries


def write(
    model: Seq2Seq,
    sources: Sequence[NDArray[np.int32]],
    place: Device,
    check_stop: Callable[[], None] = lambda: None,
    seconds: float | None = None,
) -> list[str]:
    """What the model writes for each source, in the way that `settle_generation` laid down.

    Args:
        seconds: for each batch; a text that is not finished by then ends where it is.
    """
    texts = [""] * len(sources)
    order = sorted(range(len(sources)), key=lambda number: -len(sources[number]))
    model.module.eval()
    for start in range(0, len(order), ROWS):
        check_stop()
        rows = order[start : start + ROWS]
        batch = pairs.sources_of([sources[row] for row in rows], int(model.tokenizer.pad_token_id or 0))
        batch = {name: value.to(place.torch_device) for name, value in batch.items()}
        with torch.inference_mode(), place.autocast():
            written = model.module.generate(**batch, max_time=seconds)
        for row, text in zip(rows, model.tokenizer.batch_decode(written, skip_special_tokens=True), strict=True):
            texts[row] = text.strip()
    return texts


class Rewriter:
    """A loaded model; the untuned one is the same with its adapters off, or a second one for a model trained whole."""

    def __init__(self, model: Seq2Seq, plan: Plan, place: Device, run: Path) -> None:
        self.model, self.plan, self.place, self.run = model, plan, place, run
        self._other: Seq2Seq | None = None

    @property
    def longest(self) -> int:
        """Tokens that are read of a text."""
        return min(self.plan.training.max_length or MAX_LENGTH, self.model.context)

    def answer(self, tree: dict[str, Any]) -> dict[str, Any]:
        """What the tuned and the untuned model write.

        Args:
            tree: {"text": …} or {"inputs": {column: …}}; "untuned": false leaves the second one out.

        Raises:
            RecipeError: `input-unusable`.
        """
        inputs = tree.get("inputs")
        text = data.join_text(inputs, self.plan.column("source")) if isinstance(inputs, dict) else tree.get("text")
        if not isinstance(text, str) or not text.strip():
            raise RecipeError(
                "input-unusable",
                f"This input cannot be used: {str(tree)[:80]}",
                'Each line is an object, as {"text": "what the model shall read"}.',
                "Send the text under the name text.",
            )
        sources = pairs.source_tokens(self.model, [text], self.longest)
        said: dict[str, Any] = {"input": text, "prediction": write(self.model, sources, self.place, seconds=SECONDS)[0]}
        if tree.get("untuned", True):
            said["untuned"] = self._untuned(sources)
        return said

    def _untuned(self, sources: Sequence[NDArray[np.int32]]) -> str | None:
        """None where the base model cannot be had."""
        if self.model.adapter:
            with self.model.untuned():
                return write(self.model, sources, self.place, seconds=SECONDS)[0]
        if self._other is None:
            name = self.plan.base_model or ""
            try:
                self._other = seq2seq_model.load(resolve(name, self.run), name, self.place, Method(name="full"))
            except RecipeError:
                return None
            self._other.bare.generation_config = self.model.bare.generation_config
        return write(self._other, sources, self.place, seconds=SECONDS)[0]

    def evaluate(self, path: Path) -> dict[str, Any]:
        """Figures with their intervals on the rows of a file.

        Raises:
            RecipeError: rows that cannot be used.
        """
        reading = conversations.read(data.read_records(path.name, path.resolve().parent), self.plan, path.name)
        examples = reading.examples
        encoded = pairs.encode(self.model, examples, self.longest)
        written = write(self.model, encoded.sources, self.place)
        expected = [example.answer for example in examples]
        language = self.model.languages[1] if self.model.languages else ""
        groups = [example.group for example in examples] if self.plan.column("group") else None
        found = text_metrics.figures(text_metrics.score(written, expected, language), groups)
        notes = [f"{count:,} rows are left out: {reason}." for reason, count in reading.left_out.most_common(5)]
        if encoded.cut_sources:
            notes.append(f"{encoded.cut_sources:,} texts are longer than {self.longest:,} tokens and lose their end.")
        report = {"rows": len(examples), "metrics": {name: figure.model_dump() for name, figure in found.items()}}
        return report | ({"notes": notes} if notes else {})


def open_rewriter(directory: Path, plan: Plan) -> Rewriter:
    """Load a run's model.

    Raises:
        RecipeError: there is none.
    """
    place = device.set_up(RunContext(directory, EventWriter(None)))
    return Rewriter(seq2seq_model.load_saved(directory / "model", place), plan, place, directory)


def write_merged(run: Path, folder: Path) -> None:
    """One whole model for plain transformers; its losses are compared with those of the adapter and its base.

    Raises:
        RecipeError: the base model cannot be had, or `verification-failed`.
    """
    place = device.set_up(RunContext(run, EventWriter(None)))
    model = seq2seq_model.load_saved(run / "model", place)
    trial = [Example(({"role": "user", "content": each}, {"role": "user", "content": each})) for each in TRIAL_TEXTS]
    encoded, rows = pairs.encode(model, trial, MAX_LENGTH), np.arange(len(trial))
    expected = target_losses(model, encoded, rows, place)
    model.module, model.adapter = model.module.merge_and_unload(), False
    seq2seq_model.save(model, folder)
    found = target_losses(seq2seq_model.load_saved(folder, place), encoded, rows, place)
    allowed = (2e-2 if place.torch_device.type == "cuda" else 1e-3) * max(1.0, float(np.abs(expected).max()))
    model_files.check_same(float(np.abs(found - expected).max()), allowed)
