"""A finished language model that answers, beside the model it was made from.

chat = open_chat(run_folder, plan)
chat.answer({"text": "…"})                    {"input", "prediction", "untuned"}
chat.answer({"messages": [{"role": …}, …]})   the same for a whole conversation
chat.evaluate(path)                           its figures on the rows of a file
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recipes.events import EventWriter
from recipes.parts import (
    chat_format,
    conversations,
    data,
    device,
    language_figures,
    language_model,
    writing,
)
from recipes.parts.context import RunContext
from recipes.parts.conversations import Example, Message
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.language_model import LanguageModel
from recipes.parts.language_training import answer_losses
from recipes.parts.model_files import TRIAL_TEXTS
from recipes.parts.starter import resolve
from recipes.plan import Method, Plan

NEW_TOKENS = 200
SECONDS = 60.0  # an answer that takes longer ends where it is


class OpenChat:
    """A loaded model; the untuned one is the same with its adapters off, or a second one for a model trained whole."""

    def __init__(self, model: LanguageModel, plan: Plan, place: Device, run: Path) -> None:
        self.model, self.plan, self.place, self.run = model, plan, place, run
        self._other: LanguageModel | None = None

    def answer(self, tree: dict[str, Any]) -> dict[str, Any]:
        """What the tuned and the untuned model say.

        Args:
            tree: {"text": …}, {"inputs": {column: …}} or {"messages": […]}; "untuned": false leaves the second one out.

        Raises:
            RecipeError: `input-unusable`.
        """
        said: dict[str, Any]
        if not self._chats():
            text = str(tree.get("text") or data.join_text(tree.get("inputs") or {}, self.plan.column("text")))
            if not text.strip():
                raise unusable(tree)
            prompt = self.model.form.tokenizer(text)["input_ids"]
            said = {"input": text, "prediction": self._write(self.model, prompt)}
        else:
            messages = self._messages(tree)
            prompt = self.model.form.prompt_tokens(messages)
            said = {"input": messages[-1]["content"], "prediction": self._write(self.model, prompt)}
        if tree.get("untuned", True):
            said["untuned"] = self._untuned(prompt)
        return said

    def _chats(self) -> bool:
        return not self.plan.column("text")

    def _messages(self, tree: dict[str, Any]) -> list[Message]:
        found = conversations.messages_of(tree.get("messages"))
        if found is not None:
            return found
        inputs = tree.get("inputs")
        asked = self.plan.column("prompt") or self.plan.column("question") or self.plan.column("source")
        text = data.join_text(inputs, asked) if isinstance(inputs, dict) else str(tree.get("text") or "")
        if not text.strip():
            raise unusable(tree)
        return [{"role": "user", "content": text}]

    def _write(self, model: LanguageModel, prompt: list[int]) -> str:
        room = writing.room_for_prompt(model, NEW_TOKENS)
        return writing.write(model, [prompt[-room:]], self.place, NEW_TOKENS, seconds=SECONDS)[0]

    def _untuned(self, prompt: list[int]) -> str | None:
        """None where the base model cannot be had."""
        if self.model.adapter:
            with self.model.untuned():
                return self._write(self.model, prompt)
        if self._other is None:
            name = self.plan.base_model or ""
            try:
                source = resolve(name, self.run)
                self._other = language_model.load(source, name, self.place, Method(name="full"))
            except RecipeError:
                return None
        return self._write(self._other, prompt)

    def evaluate(self, path: Path) -> dict[str, Any]:
        """Loss and perplexity with their intervals on the rows of a file.

        Raises:
            RecipeError: rows that cannot be used.
        """
        reading = conversations.read(data.read_records(path.name, path.resolve().parent), self.plan, path.name)
        longest = min(self.plan.training.max_length or self.model.context, self.model.context)
        encoded = chat_format.encode(self.model.form, reading.examples, longest)
        losses = answer_losses(self.model, encoded, np.arange(len(encoded.ids)), self.place)
        found = language_figures.by_example(encoded, np.arange(len(encoded.ids)), losses)
        figures = language_figures.figures(found)
        report: dict[str, Any] = {
            "rows": len(found.summed),
            "metrics": {name: figure.model_dump() for name, figure in figures.items()},
        }
        left_out = reading.left_out + encoded.left_out
        if left_out:
            report["notes"] = [f"{count:,} rows are left out: {reason}." for reason, count in left_out.most_common(5)]
        return report


def open_chat(directory: Path, plan: Plan) -> OpenChat:
    """Load a run's model.

    Raises:
        RecipeError: there is none.
    """
    place = device.set_up(RunContext(directory, EventWriter(None)))
    return OpenChat(language_model.load_saved(directory / "model", place), plan, place, directory)


def unusable(tree: Any) -> RecipeError:
    """What a person reads who sent something that holds no question."""
    return RecipeError(
        "input-unusable",
        f"This input cannot be used: {str(tree)[:80]}",
        'Each line is an object, as {"text": "a question"} or {"messages": [{"role": "user", "content": "…"}]}.',
        "Send the question under the name text.",
    )


def write_merged(run: Path, folder: Path) -> None:
    """One whole model for plain transformers; its losses are compared with those of the adapter and its base.

    Raises:
        RecipeError: the base model cannot be had, or `verification-failed`.
    """
    place = device.set_up(RunContext(run, EventWriter(None)))
    model = language_model.load_saved(run / "model", place)
    encoded = chat_format.encode(model.form, [Example(text=text) for text in TRIAL_TEXTS], 128)
    every = np.arange(len(encoded.ids))
    expected = answer_losses(model, encoded, every, place)
    model.module = model.module.merge_and_unload()
    model.adapter = False
    language_model.save(model, folder)
    found = answer_losses(language_model.load_saved(folder, place), encoded, every, place)
    apart = float(np.abs(found - expected).max())
    allowed = (2e-2 if place.torch_device.type == "cuda" else 1e-3) * max(1.0, float(np.abs(expected).max()))
    if not apart <= allowed:
        raise RecipeError(
            "verification-failed",
            f"The merged model answers differently from the one that was trained: apart by {apart:.3g}, where "
            f"{allowed:.3g} is allowed.",
            "Both must give the same answers; the files were not kept.",
            "Use the adapter as it is.",
        )
