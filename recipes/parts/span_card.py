"""The card of a model that points to answers: README.md beside the weights. It holds none of the person's rows.

Figures come from `result.json` alone. The lines that load the model run as they stand, with no code of this project.
"""

from __future__ import annotations

from recipes.events import Result
from recipes.parts import card
from recipes.parts.card import METHODS, method_used, plain
from recipes.plan import Plan

_ANSWER = """\

question, text = "Put your question here?", "Put the text that holds the answer here."
inputs = tokenizer(question, text, truncation="only_second", return_tensors="pt", return_offsets_mapping=True)
places, parts = inputs.pop("offset_mapping")[0], inputs.sequence_ids(0)
with torch.no_grad():
    found = model(**inputs)
scores = found.start_logits[0][:, None] + found.end_logits[0][None, :]  # of each first and last token together
inside = torch.tensor([part == 1 for part in parts])
allowed = (inside[:, None] & inside[None, :]).triu().tril(model.config.longest_answer - 1)
first, last = divmod(int(scores.masked_fill(~allowed, -torch.inf).argmax()), len(inside))
above = getattr(model.config, "no_answer_above", None)  # None: every text was one that holds the answer
if above is not None and scores[0, 0] - scores[first, last] > above:
    print("The text does not answer it.")
else:
    print(text[places[first, 0] : places[last, 1]])
"""


def model_card(plan: Plan, result: Result, base_license: str | None = None) -> str:
    """Markdown with YAML front matter; arguments as in `card.model_card`."""
    base = card.base_name(plan, result)
    parts = [
        f"---\n{card.front_matter(plan, result, base_license)}\n---\n",
        f"# {base.split('/')[-1]}, fine-tuned to point to answers in texts\n",
        _what_it_is(result, base),
        f"## How good it is\n\n{plain(result.verdict.text)}\n\n{card.figures_table(result)}",
        "Answers are compared as SQuAD's own script does: capitals, punctuation and English articles do not count.\n",
        card.class_table(result),
        f"## How to use it\n\n{_usage_note(result)}```python\n{usage(plan, result)}```\n",
        f"## Data\n\n{card.data_section(result)}",
        f"## Limits\n\n{_limits(plan, result)}",
        f"## How it was made\n\n{card.making(plan, result)}",
    ]
    return "\n".join(part for part in parts if part)


def usage(plan: Plan, result: Result) -> str:
    """Python lines that load the model with transformers (and PEFT) alone and print an answer.

    Transformers 5 has no pipeline for this task any more, so they take the best place from the logits themselves.
    """
    return "\n".join(["import torch", *card.loading(plan, result, "AutoModelForQuestionAnswering")]) + "\n" + _ANSWER


def _what_it_is(result: Result, base: str) -> str:
    linked = f"[{base}](https://huggingface.co/{base})" if "/" in base else f"`{base}`"
    share = 100 * result.trainable_parameters / max(result.total_parameters, 1)
    none = " It may also say that the text does not answer the question." if result.classes else ""
    return (
        "It reads a question and a text, and marks the words of the text that answer it; it writes nothing of its "
        f"own.{none} It was made from the pretrained model {linked}: {METHODS[method_used(result)]} "
        f"({result.trainable_parameters:,} of {result.total_parameters:,} weights, {share:.3g} %).\n"
    )


def _usage_note(result: Result) -> str:
    note = "These lines read as much of the text as fits into the model; cut a longer one into parts that overlap.\n\n"
    adapter = "These files are an adapter: a small change to the base model, which is loaded first.\n\n"
    return note + (adapter if (result.model_format or "").startswith("peft") else "")


def _limits(plan: Plan, result: Result) -> str:
    limits = [
        "The figures hold for questions and texts like those it was trained on; on others (another source, language or "
        "year) it may do much worse, and it will not say so.",
        "It inherits what its base model learned, its mistakes and prejudices included, and its licence.",
        "It points to words; whether the text is right, it cannot tell.",
    ]
    if plan.training.max_length:
        limits.append(f"It was trained on windows of {plan.training.max_length:,} tokens, question and text together.")
    if not result.classes:
        limits.append("It always points to something: it never saw a question that its text does not answer.")
    if result.verdict.code != "better":
        limits.append("It was not shown to be better than a simple method (see above).")
    return "\n".join(f"- {limit}" for limit in limits) + "\n"
