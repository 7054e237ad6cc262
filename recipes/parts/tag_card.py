"""The card of a tagger: README.md beside the weights. It holds none of the person's rows.

Figures come from `result.json` alone. The lines that load the model run as they stand, with no code of this project.
"""

from __future__ import annotations

from recipes.events import Result
from recipes.parts import card
from recipes.parts.card import METHODS, method_used, plain
from recipes.plan import Plan


def model_card(plan: Plan, result: Result, base_license: str | None = None) -> str:
    """Markdown with YAML front matter; arguments as in `card.model_card`."""
    base = card.base_name(plan, result)
    parts = [
        f"---\n{card.front_matter(plan, result, base_license)}\n---\n",
        f"# {base.split('/')[-1]}, fine-tuned to mark words in texts\n",
        _what_it_is(result, base),
        f"## How good it is\n\n{plain(result.verdict.text)}\n\n{card.figures_table(result)}",
        "An entity counts as found when its type and both of its ends are right.\n",
        card.class_table(result),
        f"## How to use it\n\n{_usage_note(result)}```python\n{usage(plan, result)}```\n",
        f"## Data\n\n{card.data_section(result)}",
        f"## Limits\n\n{_limits(result)}",
        f"## How it was made\n\n{card.making(plan, result)}",
    ]
    return "\n".join(part for part in parts if part)


def usage(plan: Plan, result: Result) -> str:
    """Python lines that load the model with transformers (and PEFT) alone and print what it finds."""
    asked = [
        'find = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first")',
        'for found in find("Put your text here."):',
        '    print(found["entity_group"], found["start"], found["end"], round(float(found["score"]), 3))',
    ]
    lines = card.loading(plan, result, "AutoModelForTokenClassification", "pipeline")
    return "\n".join([*lines, *asked]) + "\n"


def _what_it_is(result: Result, base: str) -> str:
    linked = f"[{base}](https://huggingface.co/{base})" if "/" in base else f"`{base}`"
    share = 100 * result.trainable_parameters / max(result.total_parameters, 1)
    named = ", ".join(f"`{plain(label)}`" for label in result.labels or [])
    return (
        f"It reads a text and marks words in it: {named}. It was made from the pretrained model {linked}: "
        f"{METHODS[method_used(result)]} ({result.trainable_parameters:,} of {result.total_parameters:,} weights, "
        f"{share:.3g} %).\n"
    )


def _usage_note(result: Result) -> str:
    adapter = "These files are an adapter: a small change to the base model, which is loaded first.\n\n"
    return adapter if (result.model_format or "").startswith("peft") else ""


def _limits(result: Result) -> str:
    limits = [
        "The figures hold for texts like those it was trained on; on others (another source, language or year) it may "
        "do much worse, and it will not say so.",
        "It inherits what its base model learned, its mistakes and prejudices included, and its licence.",
        "A word that it never saw in training can be taken for anything that stands in such a place.",
    ]
    if result.verdict.code != "better":
        limits.append("It was not shown to be better than a simple method (see above).")
    rare = [plain(each.label) for each in result.classes or [] if each.rows < 10]
    if rare:
        limits.append(f"Fewer than 10 entities stand behind the figures of {', '.join(rare[:5])}.")
    return "\n".join(f"- {limit}" for limit in limits) + "\n"
