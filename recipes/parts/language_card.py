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
    base = card.base_name(plan, result)
    parts = [
        f"---\n{card.front_matter(plan, result, base_license)}\n---\n",
        f"# {base.split('/')[-1]}, fine-tuned {_purpose(plan)}\n",
        _what_it_is(plan, result, base),
        f"## How good it is\n\n{card.plain(result.verdict.text)}\n\n{card.figures_table(result)}",
        f"## How to use it\n\n{_usage_note(result)}```python\n{usage(plan, result)}```\n",
        f"## Data\n\n{card.data_section(result)}",
        f"## Limits\n\n{_limits(plan, result)}",
        f"## How it was made\n\n{card.making(plan, result)}",
    ]
    return "\n".join(parts)


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


def _purpose(plan: Plan) -> str:
    return "on plain text" if plan.column("text") else "to answer"


def _what_it_is(plan: Plan, result: Result, base: str) -> str:
    linked = f"[{base}](https://huggingface.co/{base})" if "/" in base else f"`{base}`"
    does = "It goes on writing a text." if plan.column("text") else "It answers in a chat."
    share = 100 * result.trainable_parameters / max(result.total_parameters, 1)
    method = _METHODS.get(str(result.method.get("name")), "it was trained")
    return (
        f"{does} It was made from the pretrained model {linked}: {method} ({result.trainable_parameters:,} of "
        f"{result.total_parameters:,} weights, {share:.3g} %). It learned only the answers, not the questions.\n"
    )


def _usage_note(result: Result) -> str:
    if not (result.model_format or "").startswith("peft"):
        return ""
    return (
        "These files are an adapter: a small change to the base model, which is loaded first. The tokenizer here "
        "brings the chat format that it was trained with.\n\n"
    )


def _limits(plan: Plan, result: Result) -> str:
    limits = [
        "It writes what is likely, not what is true: check what matters.",
        "The figures hold for questions like those it was trained on; on others it may do much worse.",
        "It inherits what its base model learned, its mistakes and prejudices included, and its licence.",
    ]
    if plan.training.max_length:
        limits.append(f"It was trained on rows of at most {plan.training.max_length:,} tokens.")
    if result.verdict.code != "better":
        limits.append("It was not shown to be better than the base model (see above).")
    return "\n".join(f"- {limit}" for limit in limits) + "\n"
