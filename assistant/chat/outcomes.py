"""What a finished run says: the report in words, answers to questions about its numbers, and the next thing to try.

Functions of `result.json` alone, as a plain dictionary; every figure that is said stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.chat import replies
from assistant.chat.turns import Option, Reply, RunCard
from assistant.chat.wording import BASELINES, METRICS, duration, figure, many, percent, safe, size, with_interval

Result = Mapping[str, Any]
#: Rows of a class below which "label more of it" is the first advice [rule of thumb].
FEW_PER_CLASS = 50
#: Metrics of which less is better.
_ERRORS = ("mae", "rmse", "wer", "cer", "loss")


def main_metric(result: Result) -> str:
    """The metric that decided."""
    named = str(result.get("metric") or (result.get("verdict") or {}).get("metric") or "")
    metrics = result.get("metrics") or {}
    return named if named in metrics else next(iter(metrics), "accuracy")


def report(run: RunCard, result: Result) -> Reply:
    """The verdict first, then the figures, what it gets wrong, what it cost, what next."""
    verdict = result.get("verdict") or {}
    parts = [f"**{safe(verdict.get('text', 'The run is finished.'), 600)}**", _comparison(result)]
    parts += [part for part in (_weak(result), _candidates(result), _cost(result), _next_line(result)) if part]
    text = f"Run {run.number} is finished.\n\n" + "\n\n".join(parts)
    return Reply(
        text=text, card="report", data={"run": run.id}, options=[replies.TRY, replies.DOWNLOAD, replies.IMPROVE]
    )


def _comparison(result: Result) -> str:
    metric = main_metric(result)
    name = METRICS.get(metric, metric)
    lines = [f"| | {name} (95 % interval) |", "|---|---|"]
    own = (result.get("metrics") or {}).get(metric)
    if own:
        lines.append(f"| **this model** | **{with_interval(own, metric)}** |")
    for baseline, figures in (result.get("baselines") or {}).items():
        if metric in figures:
            lines.append(f"| {BASELINES.get(baseline, safe(baseline))} | {with_interval(figures[metric], metric)} |")
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


def worst_classes(result: Result) -> list[Mapping[str, Any]]:
    """Classes by their F1, the weakest first; only those with test rows."""
    known = [one for one in result.get("classes") or [] if one.get("rows")]
    return sorted(known, key=_class_figure)


def _class_figure(one: Mapping[str, Any]) -> float:
    recall = one.get("recall") or {}
    value = one.get("f1") if one.get("f1") is not None else recall.get("value")
    return float(value if value is not None else 1.0)


def most_confused(result: Result) -> tuple[str, str, int] | None:
    """(true class, what it was taken for, how often) of the most frequent confusion."""
    labels, matrix = result.get("labels") or [], result.get("confusion") or []
    pairs = [
        (count, row, column)
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    if not pairs or len(labels) != len(matrix):
        return None
    count, row, column = max(pairs)
    return str(labels[row]), str(labels[column]), int(count)


def _weak(result: Result) -> str:
    parts = []
    confused = most_confused(result)
    if confused:
        parts.append(
            f"The most frequent mistake: “{safe(confused[0], 40)}” taken for “{safe(confused[1], 40)}” "
            f"({many(confused[2], 'time')})."
        )
    worst = worst_classes(result)
    if len(worst) > 2 and _class_figure(worst[0]) < 0.9 * _class_figure(worst[-1]):
        parts.append(
            f"The weakest class is “{safe(worst[0].get('label'), 40)}” (F1 {_class_figure(worst[0]):.2f} on "
            f"{many(float(worst[0]['rows']), 'row')})."
        )
    return " ".join(parts)


def _candidates(result: Result) -> str:
    tried = result.get("candidates") or []
    chosen = next((one for one in tried if one.get("chosen")), None)
    if len(tried) < 2 or chosen is None:
        return ""
    metric = str(chosen.get("metric", ""))
    others = [
        f"{safe(one.get('name'), 40)} {figure(float(one['value']), metric)}" for one in tried if one is not chosen
    ]
    return (
        f"On the validation rows {safe(chosen.get('name'), 40)} won with {figure(float(chosen['value']), metric)} "
        f"(the others: {', '.join(others[:4])})."
    )


def _cost(result: Result) -> str:
    seconds = result.get("seconds") or {}
    total = seconds.get("total") or sum(float(value) for value in seconds.values() if value)
    peak = (result.get("peak_bytes") or {}).get("measured")
    trainable, every = float(result.get("trainable_parameters") or 0), float(result.get("total_parameters") or 0)
    text = f"It took {duration(total)}" + (f" and {size(peak)} of memory" if peak else "")
    if trainable and every:
        text += f"; {trainable:,.0f} of {every:,.0f} weights were trained ({percent(trainable / every, 1)})"
    return text + "."


def _next_line(result: Result) -> str:
    return f"**What next:** {proposal(result).text}"


# ---------------------------------------------------------------- what to try next


@dataclass(frozen=True)
class Proposal:
    """One thing to try: why, and the plan paths that it changes (empty when the person has to act)."""

    text: str
    say: str = ""
    label: str = ""
    changes: dict[str, Any] = field(default_factory=dict)


def proposal(result: Result) -> Proposal:
    """The one next step that the evidence speaks for most."""
    for rule in (_nothing_left, _needs_rows, _needs_class, _cut_texts, _unfreeze, _mistaken_labels):
        found = rule(result)
        if found:
            return found
    verdict = (result.get("verdict") or {}).get("code")
    if verdict in ("same", "worse"):
        return Proposal(
            "A simple way does as well here, so use that one unless you need the model for something else. A larger "
            "model could "
            "still find more: it takes longer.", "use a bigger model", "Larger model", {"preference": "more accurate"},
        )  # fmt: skip
    return Proposal(
        "It is hard to gain much more by settings. A larger model may add a little; more labelled rows help most.",
        "use a bigger model", "Larger model", {"preference": "more accurate"},
    )  # fmt: skip


def _nothing_left(result: Result) -> Proposal | None:
    """All test rows are right, or so nearly that settings cannot be told apart."""
    metric = main_metric(result)
    own = (result.get("metrics") or {}).get(metric)
    if metric in _ERRORS or metric in ("r2", "spearman", "pearson") or not own or float(own["value"]) < 0.995:
        return None
    best = _best_baseline(result, metric)
    if best is not None and best[1] >= 0.995:
        return Proposal(
            f"Nothing is left to gain on these rows, and {BASELINES.get(best[0], best[0])} does as well: use the "
            f"simple way, or "
            "collect harder rows if new texts will be less clear than these."
        )
    return Proposal(
        "Nothing is left to gain on these rows. Try it on texts of your own; if some go wrong, add such texts with "
        "their labels."
    )


def _needs_rows(result: Result) -> Proposal | None:
    rows = result.get("rows") or {}
    total = sum(int(rows.get(name) or 0) for name in ("train", "validation", "test"))
    if (result.get("verdict") or {}).get("code") != "not_enough_data":
        return None
    return Proposal(
        f"Label more rows: {many(total, 'row')} are too few to be sure of anything. With twice as many the interval "
        f"shrinks by about "
        "a third, and the model usually gains as well."
    )


def _needs_class(result: Result) -> Proposal | None:
    worst = worst_classes(result)
    if len(worst) < 2:
        return None
    weak, test_rows = worst[0], sum(int(one["rows"]) for one in worst)
    train = int((result.get("rows") or {}).get("train") or 0)
    about = round(train * int(weak["rows"]) / max(1, test_rows))
    if _class_figure(weak) > 0.85 or about >= 2 * FEW_PER_CLASS or _class_figure(weak) > 0.9 * _class_figure(worst[-1]):
        return None
    wanted = max(FEW_PER_CLASS - about, about)
    return Proposal(
        f"Add rows of the class “{safe(weak.get('label'), 40)}”: it has the lowest F1 ({_class_figure(weak):.2f}) "
        f"and only about "
        f"{many(about, 'training row')}. Some {wanted} more of it would help more than any setting."
    )


def _cut_texts(result: Result) -> Proposal | None:
    cut = next(
        (
            one
            for one in result.get("warnings") or []
            if "truncat" in str(one.get("code", "")) or "long" in str(one.get("code", ""))
        ),
        None,
    )
    if cut is None:
        return None
    return Proposal(
        f"Let it read longer texts: {safe(cut.get('text', 'many texts were cut'), 200)}",
        "twice the max length",
        "Read longer texts",
    )


def _unfreeze(result: Result) -> Proposal | None:
    if (result.get("method") or {}).get("name") != "head":
        return None
    tried = [str(one.get("name", "")) for one in result.get("candidates") or []]
    if any(name in " ".join(tried) for name in ("full", "last_layers", "lora")):
        return None
    return Proposal(
        "Retrain more than the last layer: so far the pretrained model stayed frozen. It takes several times as long "
        "and gains most "
        "where your texts differ from what the model knows.", "full fine-tuning", "Train all layers", {"method.name":
            "full"},
    )  # fmt: skip


def _mistaken_labels(result: Result) -> Proposal | None:
    sure = [one for one in result.get("mistakes") or [] if float(one.get("confidence") or 0) > 0.95]
    test = int((result.get("rows") or {}).get("test") or 0)
    if len(sure) < 3 or not test:
        return None
    return Proposal(
        f"Look at its surest mistakes in the report: on {len(sure)} test rows it was more than 95 % sure and "
        f"“wrong”. Often the label "
        "in the file is the mistake; mending such labels is the cheapest gain."
    )


def improve(run: RunCard, result: Result) -> Reply:
    """One proposal with its evidence, as a plan that a yes makes."""
    metric = main_metric(result)
    own = (result.get("metrics") or {}).get(metric)
    now = f"Run {run.number} reached {METRICS.get(metric, metric)} {with_interval(own, metric)}. " if own else ""
    found = proposal(result)
    options = [Option(label=found.label, say=found.say)] if found.say else []
    return Reply(
        text=f"{now}My proposal: {found.text}",
        options=[*options, replies.ACCURATE] if found.say else [replies.ACCURATE, replies.CHECK],
    )


# ---------------------------------------------------------------- questions about a run's own numbers


def answer(topic: str, run: RunCard, result: Result) -> Reply:
    """An answer from the run's own figures."""
    texts = {
        "worst class": _about_classes,
        "enough epochs": _about_epochs,
        "is it good": _is_it_good,
        "why it ended": _why_ended,
    }
    text = texts.get(topic, _is_it_good)(result)
    return Reply(text=f"Run {run.number}: {text}", options=[replies.REPORT, replies.IMPROVE])


def _about_classes(result: Result) -> str:
    worst = worst_classes(result)
    if not worst:
        return f"there are no classes to compare. {_is_it_good(result)}"
    weak, strong = worst[0], worst[-1]
    if len(worst) > 1 and _class_figure(weak) == _class_figure(strong):
        return f"all {len(worst)} classes do equally well (F1 {_class_figure(weak):.2f})."
    text = (
        f"the weakest class is “{safe(weak.get('label'), 40)}” with F1 {_class_figure(weak):.2f} "
        f"({many(float(weak['rows']), 'test row')})"
    )
    if strong is not weak:
        text += f", the strongest “{safe(strong.get('label'), 40)}” with {_class_figure(strong):.2f}"
    confused = most_confused(result)
    if confused:
        text += (
            f". Most often “{safe(confused[0], 40)}” is taken for “{safe(confused[1], 40)}” "
            f"({many(confused[2], 'time')})"
        )
    if float(weak["rows"]) < 30:
        text += ". With so few test rows of that class the figure is rough"
    return text + "."


def _about_epochs(result: Result) -> str:
    curves = result.get("curves") or {}
    name = next((name for name in curves if name.startswith("validation/") and len(curves[name]) > 1), None)
    if name is None:
        return "only a last layer was fitted, which has no epochs to count, so it could not run too long."
    points = curves[name]
    metric = name.partition("/")[2]
    pick = min if metric in _ERRORS else max
    best = pick(range(len(points)), key=lambda place: points[place][1])
    value = f"{points[best][1]:.3f}"
    if best == len(points) - 1:
        return (
            f"the {metric} on the validation rows was best at its last check ({value}), so a little more training "
            f"might still help."
        )
    return (
        f"the {metric} on the validation rows was best ({value}) at step {points[best][0]:,.0f} and got no better "
        f"after it. More epochs would not help; the best state was kept."
    )


def _is_it_good(result: Result) -> str:
    metric = main_metric(result)
    own = (result.get("metrics") or {}).get(metric)
    verdict = result.get("verdict") or {}
    if not own:
        return safe(verdict.get("text", "the result holds no figure."), 400)
    best = _best_baseline(result, metric)
    text = (
        f"{METRICS.get(metric, metric)} {with_interval(own, metric)}. Whether that is good depends on what is easy here"
    )
    if best:
        text += f": {BASELINES.get(best[0], best[0])} reaches {figure(best[1], metric)}"
    return f"{text}. {safe(verdict.get('text', ''), 400)}".strip()


def _best_baseline(result: Result, metric: str) -> tuple[str, float] | None:
    known = {
        name: float(figures[metric]["value"])
        for name, figures in (result.get("baselines") or {}).items()
        if metric in figures
    }
    if not known:
        return None
    name = (min if metric in _ERRORS else max)(known, key=lambda one: known[one])
    return name, known[name]


def _why_ended(result: Result) -> str:
    notes = [safe(note, 300) for note in result.get("notes") or []]
    stopped = next(
        (
            note
            for note in notes
            if "stop" in note.casefold() or "early" in note.casefold() or "time" in note.casefold()
        ),
        None,
    )
    seconds = result.get("seconds") or {}
    total = seconds.get("total") or sum(float(value) for value in seconds.values() if value)
    return f"it ran to its end in {duration(total)}. {stopped or 'It was neither stopped nor cut short.'}"


def evaluation(run: RunCard | None, data: Mapping[str, Any], file: str) -> Reply:
    """A model scored on another file."""
    metrics: Mapping[str, Any] = data.get("metrics") or {}
    lines = ["| Figure | Value (95 % interval) |", "|---|---|"]
    lines += [f"| {METRICS.get(name, safe(name))} | {with_interval(value, name)} |" for name, value in metrics.items()]
    head = f"Run {run.number} on" if run else "On"
    return Reply(
        text=f"{head} {many(float(data.get('rows') or 0), 'row')} of `{safe(file)}`:\n\n" + "\n".join(lines),
        card=None,
        data=dict(data),
        options=[replies.TRY],
    )
