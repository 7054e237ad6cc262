"""Sentences about a plan: its choices and their reasons, its cost, what changed, why it cannot run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.advise.draft import ASKED
from assistant.chat.buttons import ACCURATE, EXAMPLE, EXPLAIN, FASTER, HELP, MEASURE, START
from assistant.chat.data_replies import column_option
from assistant.chat.replies import error
from assistant.chat.turns import Option, Reply
from assistant.chat.wording import (
    between,
    choice_name,
    choice_value,
    code,
    codes,
    duration,
    listed,
    many,
    problem,
    safe,
    size,
    value_at,
)  # fmt: skip
from recipes.plan import Plan

#: Rows of the plan's table, in this order.
_SHOWN = (
    "base_model", "data.languages", "data.prefix", "method.name", "training.epochs", "training.learning_rate",
    "training.batch_size",
    "training.max_length", "evaluation.test_fraction", "evaluation.metric", "training.max_minutes",
    "training.early_stopping", "training.class_weights", "compute.target", "compute.flavor", "compute.devices",
    "output.publish",
)  # fmt: skip
_ALWAYS = (
    "base_model",
    "method.name",
    "training.epochs",
    "training.learning_rate",
    "evaluation.test_fraction",
    "evaluation.metric",
)


def honest(text: str) -> Reply:
    """Something other than fine-tuning may be the better tool."""
    return Reply(text=f"First, honestly: {text}")


def noted(plan: Plan, paths: Sequence[str]) -> list[str]:
    """Wishes in words: "Epochs 3"."""
    return [f"{choice_name(path).lower()} {choice_value(path, value_at(plan, path), plan)}" for path in paths]


def plan_card(
    plan: Plan, estimate: Mapping[str, Any], advice: Sequence[str], *, note: str = "", runnable: bool = True
) -> Reply:
    """The plan: each choice with its reason, then the cost."""
    lines = [*(safe(sentence, 600) for sentence in advice), _what(plan), "", *_table(plan), "", _cost(estimate)]
    if note:
        lines.append(note)
    lines.append("Change anything by saying so, or say “start”." if runnable else not_runnable(plan.task))
    options = [START, FASTER, ACCURATE, EXPLAIN, *_measure_option(estimate)] if runnable else [EXPLAIN]
    data = {"plan": plan.model_dump(mode="json"), "estimate": dict(estimate), "advice": list(advice)}
    data["note"] = " ".join(part for part in (note, "" if runnable else not_runnable(plan.task)) if part)
    return Reply(text="\n".join(line for line in lines if line is not None), card="plan", data=data, options=options)


def cannot_run(
    plan: Plan, problem: Mapping[str, str], options: Sequence[Option], nearest: Mapping[str, Any] | None = None
) -> Reply:
    """A plan that this machine cannot carry out, and the ways out.

    Args:
        nearest: the least changes that make it work, as dotted paths.
    """
    ways = [Option(label="Smaller model", say="smaller model")] if "memory" in problem.get("code", "") else []
    ways += [Option(label="Use LoRA", say="use lora")] if problem.get("code") == "qlora-needs-gpu" else []
    said = error(problem, [*options[:1], *ways, *options[1:], EXPLAIN])
    text = f"This plan cannot run here. {said.text}\n\n{_what(plan)}"
    if nearest:
        parts = [
            f"{choice_name(path).lower()} {choice_value(path, value)}"
            for path, value in nearest.items()
            if value is not None and path != "method.alpha"
        ]
        way_out = f"The nearest plan that can run: {listed(parts)}. Everything else stays as it is."
        text += f"\n\n{way_out}"
        said = said.model_copy(update={"data": {**said.data, "nearest": way_out}})
    return said.model_copy(update={"text": text})


#: Seconds of a run from which a trial before it is worth its own half minute.
WORTH_A_TRIAL = 150.0


def _measure_option(estimate: Mapping[str, Any]) -> list[Option]:
    long = float(estimate.get("seconds_high") or 0) > WORTH_A_TRIAL
    return [MEASURE] if long and not estimate.get("note") else []


def measuring() -> Reply:
    """A trial begins."""
    return Reply(text="I run a few real steps on a part of your rows and time them. That takes about a minute.")


def measured(plan: Plan, text: str, estimate: Mapping[str, Any]) -> Reply:
    """A trial is over: what it found, and the corrected expectation."""
    data = {"plan": plan.model_dump(mode="json"), "estimate": dict(estimate), "advice": [text], "note": ""}
    expected = _cost({**estimate, "note": ""})
    return Reply(text=f"{text} {expected}", card="plan", data=data, options=[START, FASTER, EXPLAIN])


def _what(plan: Plan) -> str:
    columns = [f"{codes(plan.column(role))} as the {role}" for role in plan.data.columns]
    kind = f" ({problem(plan.problem, plan.task)})" if plan.problem else ""
    source = f" from {code(plan.data.name or plan.data.source)}" if plan.data.source else ""
    test = f", tested on {code(plan.data.test_name or plan.data.test_source)}" if plan.data.test_source else ""
    task = str(plan.task).replace("-", " ")
    return f"**Plan: {task}**{kind}{source}{test}" + (f", with {listed(columns)}." if columns else ".")


def _table(plan: Plan) -> list[str]:
    lines = ["| Choice | | Why |", "|---|---|---|"]
    for path in _SHOWN:
        value = value_at(plan, path)
        optional = path not in _ALWAYS
        if value is None or (path == "compute.target" and value == "local" and path not in plan.reasons):
            continue
        if optional and path == "compute.target" and value == "local" and plan.reasons.get(path, "").startswith("You"):
            pass
        why = safe(plan.reasons.get(path, ""), 500)
        lines.append(f"| {choice_name(path)} | {choice_value(path, value, plan)} | {why} |")
    return lines


def _cost(estimate: Mapping[str, Any]) -> str:
    if not estimate:
        return ""
    time = between(duration(estimate.get("seconds_low")), duration(estimate.get("seconds_high")))
    memory = between(size(estimate.get("peak_bytes_low")), size(estimate.get("peak_bytes_high")))
    dollars = float(estimate.get("dollars_high") or 0)
    money = f", about ${float(estimate.get('dollars_low') or 0):.2f} to ${dollars:.2f}" if dollars else ""
    disk = f" and {size(estimate['disk_bytes'])} of disk" if estimate.get("disk_bytes") else ""
    note = f" {safe(estimate['note'], 300)}" if estimate.get("note") else ""
    return f"I expect {time}, {memory} of memory{disk}{money}.{note}"


def not_runnable(task: str | None) -> str:
    """This version has no recipe for the task."""
    return (
        f"This version cannot train {str(task).replace('-', ' ')} yet: it trains text classification. The plan shows "
        f"how "
        "it would go; if your data also hold texts with labels, I can train on those now."
    )


#: What a new model or method brings with it.
_FOLLOWS = (
    "method.alpha", "training.learning_rate", "training.early_stopping", "training.layer_decay", "training.epochs",
    "training.warmup", "training.weight_decay",
)  # fmt: skip
#: What the words for a method say already.
_IN_THE_NAME = ("method.layers", "method.rank")


def changes(before: Plan, after: Plan, paths: Sequence[str]) -> str:
    """What changed, from what to what, in one line; what only follows from a new method in a second one."""
    follows = []
    if "method.name" in paths:
        paths = [path for path in paths if path not in _IN_THE_NAME]
        follows = [path for path in paths if path in _FOLLOWS and not _asked_for(path, after)]
    parts = []
    for path in paths:
        old, new = value_at(before, path), value_at(after, path)
        if path not in follows:
            parts.append(f"{choice_name(path)}: {choice_value(path, old, before)} → {choice_value(path, new, after)}")
    if not parts:
        return "Nothing had to change: the plan already is like that."
    also = [f"{choice_name(path).lower()} {choice_value(path, value_at(after, path), after)}" for path in follows]
    return "Changed: " + "; ".join(parts) + "." + (f" With it: {listed(also)}." if also else "")


def _asked_for(path: str, plan: Plan) -> bool:
    return plan.reasons.get(path, "") == ASKED or plan.reasons.get(path, "").startswith("My proposal")


def only_more_time(rows: int) -> str:
    """More accuracy was asked for, and nothing in the plan but its time limit would help."""
    return (
        f"With {many(rows, 'row')} I know of no setting that is likely to be more accurate: a larger training would "
        "learn these rows by heart. What helps most is more labelled rows; a larger base model may help a little (say "
        "“use a larger model”)."
    )


def other_reading(labels: Sequence[str]) -> Reply:
    """The label that was taken is not the only one possible."""
    return Reply(
        text=f"Or should it learn {codes(labels, 'or')} instead?", options=[column_option(name) for name in labels[:3]]
    )


def waiting(plan: Plan | None) -> Reply:
    """Nothing starts without a yes."""
    if plan is None or plan.task is None:
        return Reply(text="All right. Nothing happens until you say so.")
    return Reply(
        text="All right, nothing starts until you say so. The plan stays as it is; change it, ask about it, or say "
        "“start”.",
        options=[START, EXPLAIN],
    )


def undone(before: Plan, after: Plan, paths: Sequence[str]) -> str:
    """A change was taken back."""
    line = changes(before, after, paths)
    return "Taken back. " + line if paths else "Taken back."


def nothing_to_undo() -> Reply:
    """There is no earlier plan."""
    return Reply(text="There is nothing to take back: the plan has not been changed.")


def plan_first() -> Reply:
    """There is no plan to start or change."""
    return Reply(
        text="There is no plan yet. Tell me what the model should learn and upload a file of examples; then I make "
        "one. What should it learn?",
        options=[EXAMPLE, HELP],
    )


_GAPS = {
    "task": "what the model should learn",
    "data.source": "a file with your examples",
    "base_model": "the base model",
    "method.name": "what is trained",
    "problem": "whether the answer is a class, several labels or a number",
    "data.columns.text": "which column holds the texts",
    "data.columns.label": "which column holds the labels",
}


def gaps(missing: Sequence[str]) -> Reply:
    """What a plan lacks before it can start."""
    first = [path for path in missing if path in ("task", "data.source")] or list(missing)
    named = list(dict.fromkeys(_GAPS.get(path, choice_name(path).lower()) for path in first))
    return Reply(
        text=f"It cannot start yet: the plan still needs {listed(named)}. Please upload the file or say which one, "
        f"and I fill in the rest."
    )


def starting(number_waiting: int) -> Reply:
    """The yes was heard."""
    text = "Starting the run."
    if number_waiting:
        text = f"Starting: it waits for {many(number_waiting, 'run')} before it."
    return Reply(text=text)


def reason(path: str, plan: Plan) -> str:
    """A choice and why it was made."""
    value = choice_value(path, value_at(plan, path), plan)
    why = plan.reasons.get(path) or "It follows from the other choices."
    return f"**{choice_name(path)}: {value}.** {safe(why, 700)}"


def why_plan(plan: Plan) -> str:
    """All choices with their reasons."""
    lines = [
        f"- {reason(path, plan)}"
        for path in (*_SHOWN, "task", "problem")
        if value_at(plan, path) is not None and plan.reasons.get(path)
    ]
    return "Why the plan looks like this:\n" + "\n".join(lines) if lines else "The plan has no choices to explain yet."
