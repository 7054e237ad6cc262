"""The model's card: README.md beside the weights, for people and for the Hub. It holds none of the person's rows.

Figures come from `result.json` alone. The lines that load the model run as they stand, with no code of this project.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from recipes.events import Interval, Result
from recipes.parts import places
from recipes.parts.baselines import name_of
from recipes.parts.card_words import words_for
from recipes.parts.metrics import MULTI, REGRESSION
from recipes.parts.sentences import METRIC_NAMES, figure, interval_text
from recipes.parts.starter import STARTER_ID, STARTER_NAMES
from recipes.plan import Plan

STARTER_LICENCE = "apache-2.0"
_FILE = re.compile(r"\.(jsonl?|csv|tsv|parquet|xlsx?|txt|zip)$", re.IGNORECASE)
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_HUB_METRICS = {
    "balanced_accuracy": "accuracy",
    "subset_accuracy": "accuracy",
    "f1_micro": "f1",
    "f1_macro": "f1",
    "precision_micro": "precision",
    "recall_micro": "recall",
    "r2": "r_squared",
    "spearman": "spearmanr",
    "general_wer": "wer",
}
METHODS = {
    "head": "the pretrained body was left as it is and only a new last layer was fitted",
    "last_layers": "the last blocks and a new last layer were trained, the blocks below left as they are",
    "lora": "small adapters (LoRA) and a new last layer were trained, the pretrained weights left as they are",
    "qlora": "small adapters (QLoRA) and a new last layer were trained, the pretrained weights left as they are",
    "full": "all weights were trained",
}
_USAGE_HEAD = """\
folder = "."  # the folder of this card; for a model on the Hub: huggingface_hub.snapshot_download("{name}")
{given}
"""


def model_card(plan: Plan, result: Result, base_license: str | None = None) -> str:
    """Markdown with YAML front matter.

    Args:
        plan: how the model was made.
        result: what came out.
        base_license: the base model's licence as the Hub writes it ("apache-2.0"), which this model inherits; None:
            known for the starter model, otherwise the card points to the base model.
    """
    parts = [
        f"---\n{front_matter(plan, result, base_license)}\n---\n",
        f"# {_title(plan, result)}\n",
        _what_it_is(plan, result),
        f"## How good it is\n\n{plain(result.verdict.text)}\n\n{figures_table(result)}",
        class_table(result),
        f"## How to use it\n\n{_usage_note(result)}```python\n{usage(plan, result)}```\n",
        f"## Data\n\n{data_section(result)}",
        f"## Limits\n\n{_limits(plan, result)}",
        f"## How it was made\n\n{making(plan, result)}",
    ]
    return "\n".join(part for part in parts if part)


def assembled(  # noqa: PLR0913 - one flat call reads better than a bag of options
    plan: Plan, result: Result, base_license: str | None, *, purpose: str, what: str, lines: str, note: str = "",
    remark: str = "", limits: list[str],
) -> str:  # fmt: skip
    """The card of a model that writes: its own words, and what all cards share.

    Args:
        base_license: as in `model_card`. purpose: ends the title. what: what it is, in sentences.
        lines: Python that loads it; note: before them. remark: after the figures.
    """
    parts = [
        f"---\n{front_matter(plan, result, base_license)}\n---\n",
        f"# {base_name(plan, result).split('/')[-1]}, fine-tuned {purpose}\n",
        f"{what}\n",
        f"## How good it is\n\n{plain(result.verdict.text)}\n\n{figures_table(result)}",
        f"{remark}\n" if remark else "",
        "## How to use it\n\n" + (f"{note}\n\n" if note else "") + f"```python\n{lines}```\n",
        f"## Data\n\n{data_section(result)}",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits) + "\n",
        f"## How it was made\n\n{making(plan, result)}",
    ]
    return "\n".join(part for part in parts if part)


def made_from(plan: Plan, result: Result, methods: dict[str, str]) -> str:
    """ "It was made from the pretrained model …: …" with the share of the weights that was trained."""
    base = base_name(plan, result)
    linked = f"[{base}](https://huggingface.co/{base})" if "/" in base else f"`{base}`"
    share = 100 * result.trainable_parameters / max(result.total_parameters, 1)
    method = methods.get(str(result.method.get("name")), "it was trained")
    return (
        f"It was made from the pretrained model {linked}: {method} ({result.trainable_parameters:,} of "
        f"{result.total_parameters:,} weights, {share:.3g} %)."
    )


def usage(plan: Plan, result: Result) -> str:
    """Python lines that load the model with transformers (and PEFT) alone and print its answers.

    The last line prints one answer an input: a label, a list of labels, or a number.
    """
    kind = result.model_format or "transformers"
    adapter, with_head = kind.startswith("peft"), kind.endswith("+head")
    if places.is_placed(plan.base_model or "") and not adapter:
        return "\n".join(places.usage(plan.base_model or "")) + "\n"
    words = words_for(result.task)
    auto = words.body if with_head else words.auto
    imports = ["import torch"]
    imports += ["from peft import PeftModel"] if adapter else []
    imports += words.imports
    imports += ["from safetensors.torch import load_file"] if with_head else []
    names = sorted([words.processor, auto, *(["AutoConfig"] if adapter else [])])
    imports.append(f"from transformers import {', '.join(names)}")
    lines = [*imports, "", _USAGE_HEAD.format(name=plan.output.publish or "NAME/MODEL", given=words.given)]
    lines.append(f"{words.name} = {words.processor}.from_pretrained(folder)")
    if adapter:
        base = base_name(plan, result)
        comment = "" if _HUB_ID.fullmatch(base) else "  # the folder of the base model"
        lines.append(f"base = {json.dumps(base)}{comment}")
        lines.append("config = AutoConfig.from_pretrained(folder)")
        lines.append(f"base = {auto}.from_pretrained(base, config=config, ignore_mismatched_sizes=True)")
        lines.append("model = PeftModel.from_pretrained(base, folder).eval()")
    else:
        lines.append(f"model = {auto}.from_pretrained(folder).eval()")
    lines += [words.prepared, "with torch.no_grad():"]
    if with_head:
        lines += [
            "    hidden = model(**inputs).last_hidden_state",
            '    mask = inputs["attention_mask"].unsqueeze(-1)',
            "    features = (hidden * mask).sum(1) / mask.sum(1)  # the mean over the tokens of each text",
            '    head = load_file(f"{folder}/classification_head.safetensors")',
            '    logits = features @ head["weight"].T + head["bias"]',
        ]
    else:
        lines.append("    logits = model(**inputs).logits")
    labels = "config.id2label" if adapter else "model.config.id2label"
    return "\n".join([*lines, *_answers(result.problem, labels)]) + "\n"


def loading(plan: Plan, result: Result, auto: str, *others: str) -> list[str]:
    """Lines that load `tokenizer` and `model`, an adapter merged into its base.

    Args:
        auto: the model's class; others: what else of transformers the lines after these need.
    """
    adapter = (result.model_format or "").startswith("peft")
    names = sorted([auto, "AutoTokenizer", *others, *(["AutoConfig"] if adapter else [])])
    folder = (
        f'folder = "."  # the folder of this card, or its id on the Hub, as "{plan.output.publish or "NAME/MODEL"}"'
    )
    lines = ["from peft import PeftModel"] if adapter else []
    lines += [f"from transformers import {', '.join(names)}", "", folder]
    if not adapter:
        return [*lines, "tokenizer = AutoTokenizer.from_pretrained(folder)", f"model = {auto}.from_pretrained(folder)"]
    return [
        *lines,
        f"base = {json.dumps(base_name(plan, result))}  # the base model: its id, or its folder",
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
        "config = AutoConfig.from_pretrained(folder)",
        f"base = {auto}.from_pretrained(base, config=config, ignore_mismatched_sizes=True)",
        "model = PeftModel.from_pretrained(base, folder).merge_and_unload()",
    ]


def _answers(problem: str | None, labels: str) -> list[str]:
    if problem == REGRESSION:
        return ["print(logits[:, 0].tolist())"]
    if problem == MULTI:
        return [
            "scores = logits.sigmoid()",
            f"print([[{labels}[i] for i in row.nonzero().flatten().tolist()] for row in scores > 0.5])",
        ]
    return ["scores = logits.softmax(-1)", f"print([{labels}[i] for i in scores.argmax(-1).tolist()])"]


def front_matter(plan: Plan, result: Result, base_license: str | None) -> str:
    """The YAML front matter, without its dashes; arguments as in `model_card`."""
    base = base_name(plan, result)
    on_hub = bool(_HUB_ID.fullmatch(base))
    adapter = (result.model_format or "").startswith("peft")
    method = method_used(result)
    fields: dict[str, Any] = {
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": result.task,
        "tags": ["finetune-assistant", *(["lora"] if adapter else []), method.replace("_", "-")],
        **_licence(base, on_hub, base_license),
    }
    if on_hub:
        fields |= {"base_model": base, "base_model_relation": "adapter" if adapter else "finetune"}
    dataset, dataset_id = _dataset(plan)
    if dataset_id is not None:
        fields["datasets"] = [dataset_id]
    fields["metrics"] = list(dict.fromkeys(_HUB_METRICS.get(name, name) for name in result.metrics))
    # No labels here: they come from a person's file, and a line of dashes would end the front matter.
    name = (plan.output.publish or f"{base}-finetuned").split("/")[-1]
    results = [
        EvalResult(
            task_type=result.task, dataset_type=dataset_id or "private", dataset_name=dataset, dataset_split="test",
            metric_type=metric, metric_name=METRIC_NAMES.get(metric, metric), metric_value=round(found.value, 6),
        )
        for metric, found in result.metrics.items()
    ]  # fmt: skip
    return str(ModelCardData(model_name=name, eval_results=results, **fields).to_yaml()).strip()


def _licence(base: str, on_hub: bool, base_license: str | None) -> dict[str, str]:
    known = base_license or (STARTER_LICENCE if base == STARTER_ID else None)
    if known:
        return {"license": known}
    where = f"https://huggingface.co/{base}" if on_hub else None
    return {"license": "other", "license_name": "as-the-base-model", **({"license_link": where} if where else {})}


def base_name(plan: Plan, result: Result) -> str:
    """The base model as others can find it: its Hub id, or the last part of a folder's path."""
    name = plan.base_model or result.base_model
    if name in STARTER_NAMES:
        return STARTER_ID
    return name if _HUB_ID.fullmatch(name) else PurePath(name).name


def _dataset(plan: Plan) -> tuple[str, str | None]:
    """How the data is called in public, and its Hub id; a person's own file stays unnamed."""
    source = plan.data.source or ""
    if _HUB_ID.fullmatch(source) and not _FILE.search(source):
        return source, source
    return "private data", None


def method_used(result: Result) -> str:
    """What won: the candidate that was chosen, else the plan's method."""
    chosen = next((candidate.name for candidate in result.candidates or [] if candidate.chosen), None)
    return chosen if chosen in METHODS else str(result.method.get("name") or "head")


def _title(plan: Plan, result: Result) -> str:
    base = base_name(plan, result).split("/")[-1]
    if result.problem == REGRESSION:
        return f"{base}, fine-tuned to predict a number from a {words_for(result.task).one}"
    labels = result.labels or []
    if 2 <= len(labels) <= 4:
        named = ", ".join(labels[:-1]) + f" and {labels[-1]}"
        return plain(f"{base}, fine-tuned to {'tag' if result.problem == MULTI else 'tell apart'} {named}")
    return f"{base}, fine-tuned to {'give' if result.problem == MULTI else 'tell apart'} {len(labels)} classes"


def _what_it_is(plan: Plan, result: Result) -> str:
    base = base_name(plan, result)
    base = f"[{base}](https://huggingface.co/{base})" if _HUB_ID.fullmatch(base) else f"`{base}`"
    does = words_for(result.task).does
    purpose = {
        REGRESSION: f"It {does} and answers with a number.",
        MULTI: f"It {does} and gives it any number of labels.",
    }.get(result.problem or "", f"It {does} and puts it into one class.")
    share = 100 * result.trainable_parameters / max(result.total_parameters, 1)
    labels = f" Its labels: {', '.join(f'`{plain(label)}`' for label in result.labels)}." if result.labels else ""
    return (
        f"{purpose} It was made from the pretrained model {base}: {METHODS[method_used(result)]} "
        f"({result.trainable_parameters:,} of {result.total_parameters:,} weights, {share:.3g} %).{labels}\n"
    )


def figures_table(result: Result) -> str:
    """The model and what it was compared with, figure by figure, as a Markdown table."""
    names = list(result.metrics)
    rows = [("**this model**", result.metrics)]
    rows += [(plain(name_of(name, result.problem or "")), found) for name, found in result.baselines.items()]
    lines = [
        "| | " + " | ".join(METRIC_NAMES.get(name, name) for name in names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for label, found in rows:
        lines.append(f"| {label} | " + " | ".join(_cell(name, found.get(name)) for name in names) + " |")
    lines += ["", "In brackets: the interval that holds the true value with 95 % confidence."]
    return "\n".join(lines) + "\n"


def _cell(metric: str, found: Interval | None) -> str:
    if found is None:
        return "–"
    bounds = interval_text(metric, found).removeprefix("95 % interval ")
    return figure(metric, found.value) + (f" ({bounds})" if bounds else "")


def class_table(result: Result) -> str:
    """Each class's figures as a Markdown table with its meaning; empty where there are none."""
    if not result.classes:
        return ""
    lines = ["### Class by class", "", "| class | in the test | precision | recall | F1 |", "|---|---|---|---|---|"]
    for each in result.classes:
        f1 = figure("f1", each.f1) if each.f1 is not None else "–"
        precision, recall = _cell("precision", each.precision), _cell("recall", each.recall)
        lines.append(f"| {plain(each.label)} | {each.rows:,} | {precision} | {recall} | {f1} |")
    many = words_for(result.task).many
    meaning = (
        f"Precision: of the {many} put into this class, how many belong there. Recall: of the {many} that belong "
        "there, how many were found."
    )
    return "\n".join([*lines, "", meaning]) + "\n"


def _usage_note(result: Result) -> str:
    if (result.model_format or "").endswith("+head"):
        return (
            "This model reads the mean over the tokens, which `AutoModelForSequenceClassification` does not do for "
            "this architecture; these lines do it:\n\n"
        )
    return ""


def data_section(result: Result) -> str:
    """How many rows learned, steered and judged; none of the rows themselves."""
    train, validation, test = (result.rows.get(part, 0) for part in ("train", "validation", "test"))
    counts = f"{train:,} rows to learn from, {validation:,} to steer the training, {test:,} for the figures above"
    how = f" ({plain(result.evaluation)})" if result.evaluation else ""
    return (
        f"{counts}{how}. Copies and near copies of a {words_for(result.task).one} were kept on one side. The rows "
        f"themselves are not part of this card; the SHA-256 of the data is `{result.data_sha256}`.\n"
    )


def _limits(plan: Plan, result: Result) -> str:
    limits = [
        f"The figures hold for {words_for(result.task).many} like those it was trained on; on others (another source, "
        "language or year) it may do much worse, and it will not say so.",
        "It inherits what its base model learned, its mistakes and prejudices included.",
    ]
    if plan.training.max_length:
        limits.append(f"It reads the first {plan.training.max_length:,} tokens of a text and ignores the rest.")
    if result.problem != REGRESSION:
        limits.append("A high score is not a promise: wrong answers can come with high scores too.")
    if result.verdict.code == "worse":
        limits.append("A simple method does better on these rows (see above): use that one.")
    if result.verdict.code in ("same", "not_enough_data"):
        limits.append("It was not shown to be better than a simple method (see above).")
    rare = [each for each in result.classes or [] if each.rows < 10]
    if rare:
        few = ", ".join(f"`{plain(each.label)}`" for each in rare[:5])
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        limits.append(f"Fewer than 10 test rows stand behind the figures of {few}{more}.")
    return "\n".join(f"- {limit}" for limit in limits) + "\n"


def making(plan: Plan, result: Result) -> str:
    """Settings, time, memory and versions, as a Markdown list."""
    training = plan.training
    settings: dict[str, Any] = {"method": method_used(result), "seed": result.seed}
    if method_used(result) != "head":
        settings |= {
            "epochs": training.epochs, "learning rate": training.learning_rate, "batch size": training.batch_size,
            **{key: value for key, value in result.method.items() if key != "name"},
        }  # fmt: skip
    settings["tokens read of each text"] = training.max_length
    total = result.seconds.get("total")
    peak = result.peak_bytes.get("measured")
    settings |= {"time": f"{total:,.0f} seconds" if total else None}
    settings |= {"peak memory": f"{peak / 2**30:.2f} GiB" if peak else None}
    settings |= result.environment
    lines = [f"- {plain(str(key))}: {plain(str(value))}" for key, value in settings.items() if value is not None]
    tried = [each for each in result.candidates or [] if len(result.candidates or []) > 1]
    if tried:
        lines += ["", "Tried on the validation rows:", ""]
        lines += [
            f"- {plain(each.name)}: {METRIC_NAMES.get(each.metric, each.metric)} {figure(each.metric, each.value)}"
            + (" (kept)" if each.chosen else "")
            for each in tried
        ]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Text that cannot break a table, open a tag or a link: labels come from a person's file."""
    one_line = " ".join(text.split())
    return re.sub(r"([|`\[\]<>])", lambda found: f"&#{ord(found[1])};", one_line)
