"""What an honest adviser says before the start: is it the right tool, are the data enough, can it work. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.advise import catalog, estimate, tool
from assistant.advise.catalog import Model
from assistant.advise.estimate import Estimate, readable_bytes, readable_seconds
from assistant.advise.facts import DataFacts
from assistant.advise.hardware import Hardware
from assistant.advise.models import language_name, memory_limit
from assistant.advise.tasks import LANGUAGE_MODEL_TASKS
from assistant.errors import PlainError
from recipes.plan import CLASSIFICATION, Plan

ENOUGH_PER_CLASS = 50  # rows a class from which the result is usually worth trusting [judgement]


def about_data(plan: Plan, data: DataFacts, model: Model) -> list[str]:
    """Sentences on the data's size, balance and language."""
    said = []
    if plan.task in CLASSIFICATION:
        said += _size(plan, data)
    elif data.rows < 50:
        said.append(
            f"{data.rows} examples are few to learn from; a few hundred would be a good start. Take the result as a "
            "first hint."
        )
    if data.missing:
        what = CLASSIFICATION.get(plan.task or "", "text")
        rows = "row lacks" if data.missing == 1 else "rows lack"
        said.append(f"{data.missing:,} {rows} a {what} or a label and will be left out.")
    unknown = [code for code in (data.languages or (data.language,))[:3] if code and not model.speaks(code)]
    if unknown:
        said.append(
            f"Your texts look {_listed(unknown)}, but {model.name} learned {_listed(model.languages[:3])}. Expect "
            "counting "
            "words to be a strong rival. A multilingual model reads them better, and needs a network once: say “use "
            "multilingual minilm”."
        )
    return said


def _listed(codes: Sequence[str]) -> str:
    """ "German", "German and Dutch", "German, Dutch and French" """
    names = [language_name(code) for code in codes]
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _size(plan: Plan, data: DataFacts) -> list[str]:
    said = []
    if data.classes == 1:
        said.append(
            "Every row has the same label, so there is nothing to tell apart. Add rows with at least one other label."
        )
    few = data.smallest_class
    if data.classes > 1 and data.rows < tool.BEGIN_PER_CLASS * data.classes:
        return said  # `tool.by_data` says that these are too few, and how many would do
    if data.classes > 1 and few < 8:
        rows = "row" if few == 1 else "rows"
        said.append(
            f"The rarest class has only {few} {rows}. I would aim for about {ENOUGH_PER_CLASS} a class"
            f" ({max(1, ENOUGH_PER_CLASS - few)} more of that one); until then take the result as a first hint."
        )
    elif data.classes > 1 and data.per_class < ENOUGH_PER_CLASS:
        wanted = ENOUGH_PER_CLASS * data.classes
        said.append(
            f"{data.rows:,} rows for {data.classes} classes is a small set: it can work, and about {wanted:,} rows "
            f"({ENOUGH_PER_CLASS} a class) would make it surer."
        )
    _, _, test = estimate.split_sizes(plan, data.rows, data.test_rows)
    if data.rows >= 100 and 0 < test < 100 and plan.problem != "regression":
        width = 196 * math.sqrt(0.9 * 0.1 / test)
        said.append(f"The verdict rests on {test} test rows, so it can be off by about {width:.0f} points either way.")
    return said


def about_tool(plan: Plan, data: DataFacts, goal: str, findings: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Whether something simpler would do: by the words, then by the rows."""
    said = [other.text for other in tool.by_data(plan, data, findings)]
    by_words = tool.by_words(goal)
    if by_words is not None and by_words.kind != "more data":  # the rows themselves say that better
        said.insert(0, by_words.text)
    elif plan.task == "automatic-speech-recognition":
        said.append("Whisper already writes down clear speech: the report shows what it reaches untouched, to compare.")
    return said


def about_machine(plan: Plan, hardware: Hardware) -> list[str]:
    """Whether the machine has what was asked for."""
    wanted = plan.compute.devices or 0
    machine = estimate.effective(plan, hardware)
    if wanted < 2 or len(machine.gpus) >= wanted or plan.compute.target != "local":
        return []
    if not machine.gpus:
        return [f"This machine has no graphics card, so {wanted} devices means {wanted} processes on its processor."]
    return [f"This machine has {len(machine.gpus)} graphics card(s), not {wanted}; it will use what is there."]


def about_model(plan: Plan, model: Model, offline: bool) -> list[str]:
    """Network, login, licence."""
    said = []
    if offline and not model.starter:
        where = "The model hub" if catalog.is_hub_id(model.id) else "The network"
        said.append(
            f"{where} cannot be reached from here, so {model.name} works only if its weights are on this machine. "
            + _starter_instead(plan)
        )
    if model.gated:
        said.append(f"{model.name} asks for a login: accept its licence on the Hub and set HF_TOKEN before the start.")
    if "-nc" in model.licence or "research only" in model.licence:
        said.append(f"{model.name} may not be used commercially (licence: {model.licence_text}).")
    return [sentence.strip() for sentence in said]


def _starter_instead(plan: Plan) -> str:
    """The starter model of the task, where it has one."""
    starter = catalog.default(plan.task, "starter") if plan.task else None
    if plan.task == "text2text-generation":  # no package brings a model of this kind
        starter = catalog.default("text-generation", "starter")
        return (
            f"It can also be a folder of yours. Without a network the same rows can teach {starter.name}, a starter "
            f"model, as instructions ({starter.download_mb:.0f} MB as a package): say “use {starter.aliases[0]}”."
            if starter
            else ""
        )
    if starter is None:
        return ""
    at_once = "works at once" if starter.package else f"needs no model hub ({starter.download_mb:.0f} MB as a package)"
    return f"{starter.name}, a starter model, {at_once}: say “use {starter.aliases[0]}”."


def problem(plan: Plan, model: Model, data: DataFacts, hardware: Hardware, expected: Estimate) -> PlainError | None:
    """Why a plan cannot work on this machine, with what would; None when nothing speaks against it."""
    machine = estimate.effective(plan, hardware)
    if plan.task is None:
        return PlainError(
            "no-task",
            "I found no texts, pictures or sounds to learn from in these data.",
            "Fine-tuning suits those; for tables of numbers gradient boosting (scikit-learn) is better and quicker.",
            "Add a file with a column of texts, or name the column to learn from.",
        )
    if plan.task in CLASSIFICATION and data.classes == 1:
        return PlainError(
            "one-class",
            f"All {data.rows:,} rows have the same label.",
            "A classifier needs at least two kinds of rows.",
            "Add rows of another class, or name another label column.",
        )
    if plan.task in LANGUAGE_MODEL_TASKS and plan.method.name in ("head", "last_layers"):
        return PlainError(
            "method-not-available",
            f"A language model has no new last layer, so {plan.method.name.replace('_', ' ')} is not for it.",
            "It learns with small adapters (lora) or with every weight (full).",
            "Say “use lora” instead.",
        )
    if plan.task == "text2text-generation" and plan.method.name in ("head", "qlora"):
        return PlainError(
            "method-not-available",
            f"The method {plan.method.name} is not for a model that writes one text from another.",
            "Such a model learns with every weight (full), its last blocks (last_layers) or small adapters (lora).",
            "Say “use lora” or “train all layers” instead.",
        )
    if plan.method.name == "qlora" and (machine.gpu is None or plan.task in CLASSIFICATION):
        why = "this machine has none" if machine.gpu is None else "and is not built in for classification"
        return PlainError(
            "qlora-needs-gpu",
            f"QLoRA keeps the model in 4 bits, which needs an NVIDIA graphics card; {why}.",
            "LoRA does the same with the model as it is.",
            "Say “use lora” instead.",
        )
    return _too_large(machine, model, expected)


def _too_large(machine: Hardware, model: Model, expected: Estimate) -> PlainError | None:
    limit = memory_limit(machine)
    if expected.peak_bytes_low > limit:
        where = machine.gpu.name if machine.gpu else "This machine"
        return PlainError(
            "not-enough-memory",
            f"Training {model.name} this way needs about {readable_bytes(expected.peak_bytes)} of memory.",
            f"{where} can give about {readable_bytes(limit)} to a run.",
            "Say “smaller model”, or take the plan that I propose instead.",
        )
    if expected.disk_bytes > machine.free_disk_bytes:
        return PlainError(
            "not-enough-disk",
            f"This run needs about {readable_bytes(expected.disk_bytes)} of disk.",
            f"{readable_bytes(machine.free_disk_bytes)} are free.",
            "Free some space, or say “smaller model”.",
        )
    return None


def not_enough_time(minutes: float, expected: Estimate) -> PlainError:
    """The wished time is too short for even the quickest way."""
    needed = max(1, math.ceil(expected.seconds / 60 / 0.75))
    return PlainError(
        "not-enough-time",
        f"Even the quickest way takes about {readable_seconds(expected.seconds)} here.",
        f"You gave it {minutes:g} minute{'s' if minutes != 1 else ''}.",
        f"Give it {needed} minutes, fewer rows, or a faster machine.",
    )
