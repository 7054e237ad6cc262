"""The card of a sentence encoder: README.md beside the weights. It holds none of the person's rows.

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
    front = card.front_matter(plan, result, base_license)
    front = front.replace("library_name: transformers", "library_name: sentence-transformers", 1)
    parts = [
        f"---\n{front}\n---\n",
        f"# {base.split('/')[-1]}, fine-tuned to tell how close two texts are\n",
        _what_it_is(result, base),
        f"## How good it is\n\n{plain(result.verdict.text)}\n\n{card.figures_table(result)}",
        _meaning(result),
        f"## How to use it\n\n```python\n{usage(plan)}```\n",
        f"## Data\n\n{card.data_section(result)}",
        f"## Limits\n\n{_limits(result)}",
        f"## How it was made\n\n{card.making(plan, result)}",
    ]
    return "\n".join(part for part in parts if part)


def usage(plan: Plan) -> str:
    """Three lines of Python that load the model with sentence-transformers alone and compare two texts."""
    where = f'"."  # the folder of this card, or its id on the Hub, as "{plan.output.publish or "NAME/MODEL"}"'
    return (
        "from sentence_transformers import SentenceTransformer\n"
        f"model = SentenceTransformer({where})\n"
        'print(model.similarity(model.encode(["One text."]), model.encode(["Another text.", "A third one."])))\n'
    )


def _what_it_is(result: Result, base: str) -> str:
    linked = f"[{base}](https://huggingface.co/{base})" if "/" in base else f"`{base}`"
    share = 100 * result.trainable_parameters / max(result.total_parameters, 1)
    how = METHODS[method_used(result)].replace("a new last layer", "a new linear projection")
    return (
        f"It turns a text into a list of numbers, so that texts that belong together get like numbers (cosine). It was "
        f"made from the pretrained model {linked}: {how} ({result.trainable_parameters:,} of "
        f"{result.total_parameters:,} weights, {share:.3g} %).\n"
    )


def _meaning(result: Result) -> str:
    if "spearman" in result.metrics:
        return "Rank correlation: 1 where it orders all pairs as people did, 0 where its order says nothing.\n"
    return (
        "Each test text was compared with all candidates of the test rows; its partner's place among them counts. "
        "Among more candidates, partners are found less often.\n"
    )


def _limits(result: Result) -> str:
    limits = [
        "The figures hold for texts like those it was trained on; on others (another source, language or year) it may "
        "do much worse, and it will not say so.",
        "It inherits what its base model learned, its mistakes and prejudices included, and its licence.",
        "Closeness is no fixed scale: compare it between pairs, and choose a limit on pairs of your own.",
    ]
    if result.verdict.code != "better":
        limits.append("It was not shown to be better than the best simple method (see above).")
    return "\n".join(f"- {limit}" for limit in limits) + "\n"
