"""The card of a model that writes one text from another: README.md beside the weights, without the person's rows.

Figures come from `result.json` alone. The lines that load the model run as they stand, with no code of this project.
"""

from __future__ import annotations

import json

from recipes.events import Result
from recipes.parts import card
from recipes.plan import Plan

_METHODS = {
    "lora": "small adapters (LoRA) in every layer were trained, the pretrained weights left as they are",
    "last_layers": "the last blocks that write were trained, all others left as they are",
    "full": "all weights were trained",
}


def model_card(plan: Plan, result: Result, base_license: str | None = None) -> str:
    """Markdown with YAML front matter; arguments as in `card.model_card`."""
    return card.assembled(
        plan, result, base_license,
        purpose="to write one text from another",
        what=f"It reads a text and writes another one. {card.made_from(plan, result, _METHODS)}",
        lines=usage(plan, result), note=_usage_note(result), limits=_limits(plan, result),
    )  # fmt: skip


def usage(plan: Plan, result: Result) -> str:
    """Python lines that load the model with transformers (and PEFT) alone and print what it writes."""
    adapter = (result.model_format or "").startswith("peft")
    where = f'"."  # the folder of this card, or its id on the Hub, as "{plan.output.publish or "NAME/MODEL"}"'
    names = "AutoModelForSeq2SeqLM, AutoTokenizer" + (", GenerationConfig" if adapter else "")
    lines = [*(["from peft import PeftModel"] if adapter else []), f"from transformers import {names}", ""]
    lines += [f"folder = {where}", "tokenizer = AutoTokenizer.from_pretrained(folder)"]
    if adapter:
        base = json.dumps(card.base_name(plan, result))
        lines += [
            f"base = AutoModelForSeq2SeqLM.from_pretrained({base})  # the base model: its id, or its folder",
            "model = PeftModel.from_pretrained(base, folder).eval()",
            "base.generation_config = GenerationConfig.from_pretrained(folder)",
        ]
    else:
        lines.append("model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()")
    text = json.dumps(_prefix(result) + "Put your text here.", ensure_ascii=False)
    lines += [
        "",
        f'inputs = tokenizer({text}, return_tensors="pt")',
        "written = model.generate(**inputs)",
        "print(tokenizer.decode(written[0], skip_special_tokens=True))",
    ]
    return "\n".join(lines) + "\n"


def _prefix(result: Result) -> str:
    return str(result.environment.get("prefix") or "")


def _usage_note(result: Result) -> str:
    note = ""
    if (result.model_format or "").startswith("peft"):
        note += "These files are an adapter: a small change to the base model, which is loaded first. "
    if _prefix(result):
        note += f"Each text begins with “{card.plain(_prefix(result))}”, as in the training. "
    return note + "It writes greedily, as in the test; `num_beams=4` is slower and often a little better."


def _limits(plan: Plan, result: Result) -> list[str]:
    limits = [
        "The figures hold for texts like those it was trained on. They count shared words and letters: whether what it "
        "writes is true, they do not tell. It can leave out or invent things; read it before you use it.",
        "It inherits what its base model learned, its mistakes and prejudices included, and its licence.",
    ]
    if plan.training.max_length:
        limits.append(f"It reads the first {plan.training.max_length:,} tokens of a text and ignores the rest.")
    if result.verdict.code != "better":
        limits.append("It was not shown to be better than a simple way (see above).")
    return limits
