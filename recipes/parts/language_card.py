"""The card of a language model: README.md beside the weights. It holds none of the person's rows.

Figures come from `result.json` alone. The lines that load the model run as they stand, with no code of this project.
"""

from __future__ import annotations

import json

from recipes.events import Result
from recipes.parts import card
from recipes.plan import Plan

_METHODS = {
    "lora": "small adapters (LoRA) in every layer were trained, the pretrained weights left as they are",
    "qlora": "small adapters (QLoRA) in every layer were trained, the pretrained weights kept in 4 bits",
    "full": "all weights were trained",
}


def model_card(plan: Plan, result: Result, base_license: str | None = None) -> str:
    """Markdown with YAML front matter; arguments as in `card.model_card`."""
    does = "It goes on writing a text." if plan.column("text") else "It answers in a chat."
    made = card.made_from(plan, result, _METHODS)
    return card.assembled(
        plan, result, base_license,
        purpose="on plain text" if plan.column("text") else "to answer",
        what=f"{does} {made} It learned only the answers, not the questions.",
        lines=usage(plan, result), note=_usage_note(result), limits=_limits(plan, result),
    )  # fmt: skip


def usage(plan: Plan, result: Result) -> str:
    """Python lines that load the model with transformers (and PEFT) alone and print its answer."""
    adapter = (result.model_format or "").startswith("peft")
    folder = (
        f'folder = "."  # the folder of this card, or its id on the Hub, as "{plan.output.publish or "NAME/MODEL"}"'
    )
    lines = ["from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig", "", folder]
    if adapter:
        base = json.dumps(card.base_name(plan, result))
        lines = ["from peft import PeftModel", *lines]
        lines += [
            "tokenizer = AutoTokenizer.from_pretrained(folder)",
            f"base = AutoModelForCausalLM.from_pretrained({base})  # the base model: its id, or its folder",
            "model = PeftModel.from_pretrained(base, folder).eval()",
        ]
    else:
        lines += [
            "tokenizer = AutoTokenizer.from_pretrained(folder)",
            "model = AutoModelForCausalLM.from_pretrained(folder).eval()",
        ]
    if plan.column("text"):
        lines += ["", 'inputs = tokenizer("Once upon a time", return_tensors="pt")']
    else:
        lines += [
            "",
            'messages = [{"role": "user", "content": "Put your question here."}]',
            "inputs = tokenizer.apply_chat_template(",
            '    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"',
            ")",
        ]
    lines += [
        "how = GenerationConfig.from_pretrained(folder)  # knows where an answer ends",
        "written = model.generate(**inputs, generation_config=how)",
        'print(tokenizer.decode(written[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))',
    ]
    return "\n".join(lines) + "\n"


def _usage_note(result: Result) -> str:
    if not (result.model_format or "").startswith("peft"):
        return ""
    return (
        "These files are an adapter: a small change to the base model, which is loaded first. The tokenizer here "
        "brings the chat format that it was trained with."
    )


def _limits(plan: Plan, result: Result) -> list[str]:
    limits = [
        "It writes what is likely, not what is true: check what matters.",
        "The figures hold for questions like those it was trained on; on others it may do much worse.",
        "It inherits what its base model learned, its mistakes and prejudices included, and its licence.",
    ]
    if plan.training.max_length:
        limits.append(f"It was trained on rows of at most {plan.training.max_length:,} tokens.")
    if result.verdict.code != "better":
        limits.append("It was not shown to be better than the base model (see above).")
    return limits
