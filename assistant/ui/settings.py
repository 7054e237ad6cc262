"""The settings form below the chat: the plan at hand as a few fields. Apply says the changes as one sentence, so that
the form can do nothing that words cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from assistant.report import words
from recipes.plan import Plan

#: (words on the form, value in the plan)
METHODS = [
    ("New last layer only: quickest", "head"),
    ("The last layers too", "last_layers"),
    ("LoRA: small adapters in every layer", "lora"),
    ("All layers: slowest", "full"),
]
#: How each field is said; `{}` is the value.
SENTENCES = {
    "method.name": "use method {}",
    "training.epochs": "set epochs to {}",
    "training.learning_rate": "set the learning rate to {}",
    "training.max_length": "set max length to {}",
    "training.max_minutes": "take at most {} minutes",
}
METHOD_WORDS = {"head": "head", "last_layers": "last layers", "lora": "LoRA", "full": "full fine-tuning"}


def _read(plan: Plan, path: str) -> Any:
    value: Any = plan
    for name in path.split("."):
        value = getattr(value, name)
    return value


class Form:
    """The components of the form; `inputs` in the order of `SENTENCES`."""

    def __init__(self) -> None:
        with gr.Accordion("Settings of this plan", open=False, visible=False, elem_id="fa-settings") as self.panel:
            with gr.Row():
                method = gr.Dropdown(METHODS, label="What is trained", min_width=220)
                epochs = gr.Number(label="Passes over the rows", minimum=0, maximum=1000, min_width=120)
                rate = gr.Number(label="Learning rate", minimum=0, maximum=1, step=0.00001, min_width=120)
            with gr.Row():
                length = gr.Number(label="Tokens read of a text", minimum=8, precision=0, min_width=120)
                minutes = gr.Number(label="Time limit in minutes", minimum=0, min_width=120)
                self.apply = gr.Button("Apply", elem_id="fa-apply", min_width=120, scale=0)
        self.inputs = [method, epochs, rate, length, minutes]
        self.outputs = [self.panel, *self.inputs]

    def show(self, plan: Plan | None) -> list[Any]:
        """Updates for `outputs`: the plan's values; hidden while there is no plan to change."""
        if plan is None or plan.method.name is None:
            return [gr.update(visible=False), *([gr.skip()] * len(self.inputs))]
        return [gr.update(visible=True), *(gr.update(value=_read(plan, path)) for path in SENTENCES)]

    def sentence(self, plan: Plan, values: Sequence[Any]) -> str:
        """The changes as a sentence; "" when nothing differs from the plan."""
        parts = []
        for (path, template), value in zip(SENTENCES.items(), values, strict=True):
            if value is None or value == _read(plan, path):
                continue
            spoken = METHOD_WORDS.get(value, "") if path == "method.name" else _number(value)
            parts += [template.format(spoken)] if spoken else []
        return ", ".join(parts)


def _number(value: Any) -> str:
    """A number as a person types it; "" for anything else."""
    return words.plain(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""
