""" "Why this model and not X?": the alternative that a question names, held against the plan at hand. Pure."""

from __future__ import annotations

import re

from assistant.advise import catalog
from assistant.advise.catalog import Model
from assistant.chat.explain import pages
from assistant.chat.mentions import next_size, read_models
from assistant.chat.method import read_method
from assistant.chat.turns import FileCard, Option
from assistant.chat.words import tidy
from recipes.plan import Plan

_OTHER = re.compile(
    r"\b(?:(?:and|but) not|why not|instead of|rather than|not (?:use|take|choose|train)|over|better than)\b(.{2,80})$"
)
_LARGER = re.compile(r"\b(?:bigger|larger|better|stronger|more powerful|newer)\b(?: \w+)? ?(?:model|one)?\b")
_SMALLER = re.compile(r"\b(?:smaller|lighter|tinier|quicker|faster) (?:model|one)\b")
_MORE_EPOCHS = re.compile(r"\bmore (?:epochs|passes)|\blonger\b|\b\d+ epochs\b")


def alternative(text: str) -> str:
    """What a question asks about instead of the choice: the words after "not", "instead of", "rather than"."""
    match = _OTHER.search(tidy(text))
    return match.group(1).strip(" ?.!") if match else ""


def answer(text: str, plan: Plan, file: FileCard | None) -> tuple[str, list[Option]] | None:
    """Why the named alternative was not taken, and a button that takes it; None where no alternative is named."""
    other = alternative(text)
    if not other:
        return None
    method = read_method(other).get("method.name")
    if method and method != plan.method.name:
        return _method(str(method), plan, file)
    if _MORE_EPOCHS.search(other) and plan.training.epochs:
        return _epochs(plan)
    model = _model(other, plan)
    if model is not None and model.id != plan.base_model:
        return _other_model(model, plan)
    return None


def _model(other: str, plan: Plan) -> Model | None:
    found = read_models(other, plan.task).wanted
    if found:
        return catalog.lookup(found[0].id, plan.task)
    direction = 1 if _LARGER.search(other) else -1 if _SMALLER.search(other) else 0
    name = next_size(plan.base_model, plan.task, direction) if direction else None
    return catalog.lookup(name, plan.task) if name else None


def _other_model(other: Model, plan: Plan) -> tuple[str, list[Option]]:
    now = catalog.lookup(plan.base_model, plan.task)
    times = other.parameters / max(now.parameters, 1)
    parts = [f"**{other.name} instead of {now.name}?** It has {other.size_text} parameters, {now.name} {now.size_text}"]
    if times >= 1.3:
        parts[0] += f": about {_times(times)} the time for each step, and usually a little more accurate."
    elif times <= 0.75:
        parts[0] += f": about {_times(1 / times)} as quick, and usually a little less accurate."
    else:
        parts[0] += ", so time and memory are about the same."
    if plan.task and plan.task not in other.tasks:
        parts.append(f"It was not made for {plan.task.replace('-', ' ')}.")
    if other.languages != now.languages:
        parts.append(f"It knows {_languages(other)}; {now.name} knows {_languages(now)}.")
    if not other.starter and now.starter:
        parts.append(f"{now.name} is installed here; {other.name} has to be downloaded once.")
    if other.gated:
        parts.append("Its makers ask for a login on the Hub first.")
    if other.licence != now.licence:
        parts.append(f"Its licence is {other.licence_text}.")
    parts.append("You can try both: each run is judged on the same test rows, and “compare” puts them side by side.")
    return " ".join(parts), [Option(label=f"Use {other.name}", say=f"use {other.id}")]


def _times(factor: float) -> str:
    return f"{factor:.1f} times" if factor < 3 else f"{factor:.0f} times"


def _languages(model: Model) -> str:
    if model.multilingual:
        return "many languages"
    return "English" if "en" in model.languages[:1] else ", ".join(model.languages[:3]) or "no language in particular"


_METHODS = {
    "head": "Fitting only a new last layer takes seconds, and it is where every run here begins: what is trained "
    "beyond "
    "it is kept only if it does better on the validation rows. So you lose nothing by trying more, but time.",
    "last_layers": "Training only the last layers costs about half as much as training all of them, and adapts less.",
    "lora": "LoRA trains small adapters and leaves the rest frozen. It saves memory, above all for large models; it "
    "saves little time, and it learns a little less where there are enough rows to move every weight.",
    "qlora": "QLoRA keeps a large language model in 4 bits so that it fits a small graphics card. For a model of this "
    "size it saves nothing worth having, and it needs an NVIDIA card.",
    "full": "Training every layer adapts the most. It takes about twice as long as the upper half of the layers, and "
    "with few rows it can learn them by heart.",
}


def _method(method: str, plan: Plan, file: FileCard | None) -> tuple[str, list[Option]]:
    now = catalog.lookup(plan.base_model, plan.task)
    rows = int(file.profile.get("rows") or 0) if file is not None else 0
    name = pages()[_PAGES[method]].title
    parts = [f"**Why not {name}?** {_METHODS[method]}"]
    if method == "lora" and now.parameters < 3e8:
        parts.append(f"{now.name} has only {now.size_text} parameters, so memory is not what limits it here.")
    if method == "full" and rows:
        parts.append(f"You have {rows:,} rows.")
    reason = plan.reasons.get("method.name", "")
    if reason:
        parts.append(f"The choice in your plan: {reason}")
    if method == "qlora":
        return " ".join(parts), []
    say = {"head": "only the last layer", "last_layers": "train the last layers", "lora": "use lora",
           "full": "full fine-tuning"}[method]  # fmt: skip
    return " ".join(parts), [Option(label=f"Use {name}", say=say)]


_PAGES = {"head": "last-layer", "last_layers": "last-layers", "lora": "lora", "qlora": "qlora",
          "full": "full-fine-tuning"}  # fmt: skip


def _epochs(plan: Plan) -> tuple[str, list[Option]]:
    now = plan.training.epochs or 1
    reason = plan.reasons.get("training.epochs", "")
    text = (
        f"**Why not more epochs?** Each one takes as long as the one before and gains less; after some, the model "
        f"learns the rows by heart. {reason}"
    )
    more = round(now * 2)
    return text.strip(), [Option(label=f"{more} epochs", say=f"{more} epochs")]
