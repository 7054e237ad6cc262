"""What a finished run says: the report in words, and the next thing to try.

Functions of `result.json` (as a plain dictionary) and of the run's plan; every figure that is said stands there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assistant.chat import buttons, figures
from assistant.chat.figures import Result
from assistant.chat.next_step import Proposal, evidence, proposal
from assistant.chat.turns import Option, Reply, RunCard
from assistant.chat.wording import BASELINES, METRICS, duration, figure, many, percent, safe, size, with_interval
from recipes.plan import Plan


def report(run: RunCard, result: Result, plan: Plan | None = None) -> Reply:
    """The verdict first, then the figures, what it gets wrong, what it cost, what next."""
    verdict = result.get("verdict") or {}
    parts = [f"**{safe(verdict.get('text', 'The run is finished.'), 600)}**", _comparison(result)]
    parts += [part for part in (_weak(result), _candidates(result), _cost(result), _next_line(result, plan)) if part]
    text = f"Run {run.number} is finished.\n\n" + "\n\n".join(parts)
    options = [buttons.TRY, buttons.DOWNLOAD, buttons.IMPROVE]
    if figures.verdict_code(result) != "better":  # then the next step is wanted more than the model
        options = [buttons.IMPROVE, buttons.TRY, buttons.DOWNLOAD]
    data = {"run": run.id, "next": _next_line(result, plan)}
    return Reply(text=text, card="report", data=data, options=options)


def _comparison(result: Result) -> str:
    metric = figures.main_metric(result)
    name = METRICS.get(metric, metric)
    lines = [f"| | {name} (95 % interval) |", "|---|---|"]
    own = (result.get("metrics") or {}).get(metric)
    if own:
        lines.append(f"| **this model** | **{with_interval(own, metric)}** |")
    for baseline, known in (result.get("baselines") or {}).items():
        if metric in known:
            lines.append(f"| {BASELINES.get(baseline, safe(baseline))} | {with_interval(known[metric], metric)} |")
    others = [
        f"{METRICS.get(other, other)} {with_interval(value, other)}"
        for other, value in (result.get("metrics") or {}).items()
        if other != metric
    ]
    more = f"\n\nAlso: {', '.join(others[:4])}." if others else ""
    rows = result.get("rows") or {}
    return "\n".join(lines) + f"{more}\n\nMeasured on {_measured_on(result, rows)}."


def _measured_on(result: Result, rows: Mapping[str, Any]) -> str:
    how = str(result.get("evaluation") or "")
    if "cross" in how:
        return f"{safe(how, 120)}: each row was judged by a model that never saw it"
    return (
        f"{many(float(rows.get('test') or 0), 'row')} that the model never saw; it learned from "
        f"{many(float(rows.get('train') or 0), 'row')}"
    )


def _weak(result: Result) -> str:
    parts = []
    confused = figures.most_confused(result)
    if confused:
        parts.append(
            f"The most frequent mistake: “{safe(confused[0], 40)}” taken for “{safe(confused[1], 40)}” "
            f"({many(confused[2], 'time')})."
        )
    worst = figures.worst_classes(result)
    if len(worst) > 2 and figures.class_figure(worst[0]) < 0.9 * figures.class_figure(worst[-1]):
        parts.append(
            f"The weakest class is “{safe(worst[0].get('label'), 40)}” (F1 {figures.class_figure(worst[0]):.2f} on "
            f"{many(float(worst[0]['rows']), 'row')})."
        )
    return " ".join(parts)


def _candidates(result: Result) -> str:
    tried = result.get("candidates") or []
    chosen = next((one for one in tried if one.get("chosen")), None)
    if len(tried) < 2 or chosen is None:
        return ""
    metric = str(chosen.get("metric", ""))
    others = [f"{_way(one)} {figure(float(one['value']), metric)}" for one in tried if one is not chosen]
    return (
        f"On the validation rows {_way(chosen)} won with {figure(float(chosen['value']), metric)} "
        f"(the others: {', '.join(others[:4])})."
    )


def _way(one: Mapping[str, Any]) -> str:
    name = str(one.get("name", ""))
    return _WAYS.get(name, safe(name, 40))


_WAYS = {
    "head": "a new last layer",
    "last_layers": "training the last layers",
    "lora": "LoRA",
    "full": "training all layers",
}


def _cost(result: Result) -> str:
    seconds = result.get("seconds") or {}
    total = seconds.get("total") or sum(float(value) for value in seconds.values() if value)
    peak = (result.get("peak_bytes") or {}).get("measured")
    trainable, every = float(result.get("trainable_parameters") or 0), float(result.get("total_parameters") or 0)
    text = f"It took {duration(total)}" + (f" and {size(peak)} of memory" if peak else "")
    if trainable and every:
        text += f"; {trainable:,.0f} of {every:,.0f} weights were trained ({percent(trainable / every, 1)})"
    return text + "."


def _next_line(result: Result, plan: Plan | None) -> str:
    return f"**What next:** {proposal(result, plan).text}"


def improve(run: RunCard, result: Result, found: Proposal, *, planned: bool) -> Reply:
    """One proposal with its evidence, what it may gain and what it costs.

    Args:
        planned: the plan that it makes is shown below, ready to start.
    """
    now = evidence(result)
    text = f"Run {run.number} reached {now}." if now else ""
    text += f" {found.text}" if found.nothing_left else f"\n\n**My proposal:** {found.text}"
    text += "".join(f"\n- {name}: {said}" for name, said in (("Gain", found.gain), ("Cost", found.cost)) if said)
    if planned:
        return Reply(text=f"{text}\n\nHere is the plan:")
    options = [Option(label=found.label, say=found.say)] if found.say else []
    return Reply(text=text, options=[*options, buttons.REPORT, *([] if found.say else [buttons.CHECK])])


# ---------------------------------------------------------------- a model in use


def _type_row(one: Mapping[str, Any]) -> str:
    """A type of entity in a table: how many there are, and how well they are found."""
    shares = [with_interval(one[name], f"entity_{name}") if one.get(name) else "–" for name in ("precision", "recall")]
    f1 = "–" if one.get("f1") is None else percent(float(one["f1"]))
    return f"| {safe(one.get('label'), 40)} | {int(one.get('rows') or 0):,} | {' | '.join(shares)} | {f1} |"


def evaluation(run: RunCard | None, data: Mapping[str, Any], file: str) -> Reply:
    """A model scored on another file."""
    metrics: Mapping[str, Any] = data.get("metrics") or {}
    lines = ["| Figure | Value (95 % interval) |", "|---|---|"]
    lines += [f"| {METRICS.get(name, safe(name))} | {with_interval(value, name)} |" for name, value in metrics.items()]
    if data.get("classes"):
        lines += ["", "| Type | In the file | Precision | Recall | F1 |", "|---|---|---|---|---|"]
        lines += [_type_row(one) for one in data["classes"][:30]]
    head = f"Run {run.number} on" if run else "On"
    return Reply(
        text=f"{head} {many(float(data.get('rows') or 0), 'row')} of `{safe(file)}`:\n\n" + "\n".join(lines),
        card=None,
        data=dict(data),
        options=[buttons.TRY],
    )
