"""The one next thing to try after a run: from its own evidence, with what it may gain and what it costs. Pure.

`proposal(result, plan)` asks the rules below in turn; the first that has evidence speaks. A rule that changes settings
names the plan paths, so that a plan ready to start can be made of it; one without changes asks the person to act.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.chat import figures
from assistant.chat.figures import Result, metric_name
from assistant.chat.mentions import next_size
from assistant.chat.wording import BASELINES, duration, figure, many, percent, safe, with_interval
from recipes.plan import Plan

#: Rows of a class below which "label more of it" is the first advice [rule of thumb].
FEW_PER_CLASS = 50
#: Rows below which labelling more comes before any setting [rule of thumb].
WORTH_A_RUN = 100
#: Share of the mistakes, and of the test rows, from which sure mistakes are worth a look at the labels.
SURE, SURE_MISTAKES, SURE_SHARE = 0.95, 5, 0.005
#: Share of the texts that must be cut before reading more of each is worth a run.
MANY_CUT = 0.2
LONGEST = 512
#: One training step costs about so many times as much as reading the rows once.
TRAINING_COST = 3.0


@dataclass(frozen=True)
class Proposal:
    """One thing to try.

    Attributes:
        text: what, and the evidence for it. gain, cost: sentences; "" where nothing can be said.
        changes: dotted plan paths that it sets; empty when the person has to act, or when nothing is left.
        say, label: a button that says it in words.
        nothing_left: there is nothing promising to try.
    """

    text: str
    gain: str = ""
    cost: str = ""
    say: str = ""
    label: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    nothing_left: bool = False

    def sentence(self) -> str:
        """All of it."""
        return " ".join(part for part in (self.text, self.gain, self.cost) if part)


Rule = Callable[[Result, Plan | None], Proposal | None]


def proposal(result: Result, plan: Plan | None = None) -> Proposal:
    """The one next step that the evidence speaks for most.

    Args:
        plan: of the run, where it is at hand: some steps need its settings.
    """
    for rule in RULES:
        found = rule(result, plan)
        if found:
            return found
    return _end(result)


# ---------------------------------------------------------------- the rules, in the order in which they are asked


def _nothing_left(result: Result, plan: Plan | None) -> Proposal | None:
    """All test rows are right, or so nearly that settings cannot be told apart."""
    del plan
    metric = figures.main_metric(result)
    own = (result.get("metrics") or {}).get(metric)
    if metric in figures.ERRORS or metric in ("r2", "spearman", "pearson") or not own or float(own["value"]) < 0.995:
        return None
    best = figures.best_baseline(result, metric)
    if best is not None and best[1] >= 0.995:
        text = (
            f"Nothing is left to gain on these rows, and {BASELINES.get(best[0], best[0])} does as well: use the "
            "simple way, or collect harder rows if new ones will be less clear than these."
        )
    else:
        text = (
            "Nothing is left to gain on these rows. Try it on some of your own; if some go wrong, add such rows with "
            "their labels."
        )
    return Proposal(text, nothing_left=True)


def _needs_rows(result: Result, plan: Plan | None) -> Proposal | None:
    """So few rows that nothing else is worth a run."""
    found = _undecided(result, plan)
    rows = result.get("rows") or {}
    crossed = "cross" in str(result.get("evaluation") or "")
    return found if crossed or sum(int(count or 0) for count in rows.values()) < WORTH_A_RUN else None


def _undecided(result: Result, plan: Plan | None) -> Proposal | None:
    """Too few rows to tell the model from the simple ways."""
    del plan
    rows = result.get("rows") or {}
    total = int(rows.get("test") or 0)
    if "cross" not in str(result.get("evaluation") or ""):  # cross-validated rows are trained and tested
        total = sum(int(rows.get(name) or 0) for name in ("train", "validation", "test"))
    if figures.verdict_code(result) != "not_enough_data":
        return None
    return Proposal(
        f"Label more rows: {many(total, 'row')} are too few to tell the model from the simple ways.",
        gain="With twice as many the interval shrinks by about a third, and the model usually gains as well.",
        cost=f"Your time: {many(total, 'more row')} to label.",
    )


def _time_ran_out(result: Result, plan: Plan | None) -> Proposal | None:
    """The time limit cut a training short that was still gaining."""
    metric, points = figures.validation_curve(result)
    if figures.warned(result, "time-limit") is None or len(points) < 2 or plan is None:
        return None
    gained = abs(points[-1][1] - points[-2][1])
    rising = figures.best_point(points, metric) == len(points) - 1
    train = int((result.get("rows") or {}).get("train") or 0)
    planned = math.ceil(train / (plan.training.batch_size or 16)) * (plan.training.epochs or 1)
    done = points[-1][0]
    seconds = float((result.get("seconds") or {}).get("training") or 0)
    minutes = plan.training.max_minutes or 0
    if not rising or done >= planned or not minutes or not seconds:
        return None
    more = seconds * (planned / done - 1)
    wanted = math.ceil(minutes + 1.15 * more / 60)
    return Proposal(
        f"Let it finish: the time limit ended the training after {done:,.0f} of {planned:,.0f} steps, and the "
        f"{metric_name(metric)} on the validation rows was still improving.",
        gain=f"The last stretch gained {figures.gap(gained, metric)} on the validation rows; expect about as much.",
        cost=f"About {duration(more)} more than the {duration(figures.total_seconds(result))} of this run.",
        say=f"give it {wanted} minutes",
        label=f"{wanted} minutes",
        changes={"training.max_minutes": float(wanted)},
    )


def _needs_class(result: Result, plan: Plan | None) -> Proposal | None:
    del plan
    worst = figures.worst_classes(result)
    if len(worst) < 2:
        return None
    weak, strong = worst[0], worst[-1]
    about, value = figures.training_rows(result, weak), figures.class_figure(weak)
    if value > 0.85 or about >= 2 * FEW_PER_CLASS or value > 0.9 * figures.class_figure(strong):
        return None
    wanted = max(FEW_PER_CLASS - about, about)
    share = int(weak["rows"]) / max(1, sum(int(one["rows"]) for one in worst))
    most = share * (figures.class_figure(strong) - value)
    return Proposal(
        f"Add rows of the class “{safe(weak.get('label'), 40)}”: it has the lowest F1 ({value:.2f}) and only about "
        f"{many(about, 'training row')}. Some {wanted} more of it would probably help more than a setting.",
        gain=f"If it became as good as “{safe(strong.get('label'), 40)}” ({figures.class_figure(strong):.2f}), about "
        f"{100 * most:.1f} of 100 rows more would be right.",
        cost=f"Your time: {many(wanted, 'row')} to label.",
    )


def _still_rising(result: Result, plan: Plan | None) -> Proposal | None:
    """The validation figure was best at its last check, and clearly above the one before."""
    metric, points = figures.validation_curve(result)
    gained = abs(points[-1][1] - points[-2][1]) if len(points) > 2 else 0.0
    rising = len(points) > 2 and figures.best_point(points, metric) == len(points) - 1
    if not rising or gained < 0.5 * figures.noise(result) or gained < 0.004:
        return _learning_slowly(result, plan)
    epochs = (plan.training.epochs if plan is not None else None) or 0
    wanted = math.ceil(1.7 * epochs) if epochs else 0
    seconds = float((result.get("seconds") or {}).get("training") or 0)
    return Proposal(
        f"Train longer: on the validation rows the {metric_name(metric)} was still improving at the end "
        f"({figure(points[-2][1], metric)}, then {figure(points[-1][1], metric)}).",
        gain=f"The last look gained {figures.gap(gained, metric)}; expect that much or less.",
        cost=f"About {duration(seconds * (wanted / epochs - 1))} more." if epochs and seconds else "",
        say=f"{wanted} epochs" if wanted else "twice as many epochs",
        label=f"{wanted} epochs" if wanted else "More epochs",
        changes={"training.epochs": float(wanted)} if wanted else {},
    )


def _learning_slowly(result: Result, plan: Plan | None) -> Proposal | None:
    """It answers nearly one class only, and its loss was still falling at the end: it has only begun to learn."""
    one, falling = figures.says_one_class(result), figures.falling_loss(result)
    epochs = (plan.training.epochs if plan is not None else None) or 0
    if one is None or falling is None or not epochs:
        return None
    seconds = float((result.get("seconds") or {}).get("training") or 0)
    return Proposal(
        f"Train longer: it says “{safe(one[0], 40)}” for {one[1]:,} of {one[2]:,} test rows, but its loss on the "
        f"validation rows was still falling ({falling[0]:.2f} halfway, {falling[1]:.2f} at the end), so it has only "
        "begun to learn.",
        gain="How much cannot be read from this run; the answers change only after the loss has fallen further.",
        cost=f"About {duration(seconds)} more." if seconds else "",
        say=f"{2 * epochs:g} epochs",
        label=f"{2 * epochs:g} epochs",
        changes={"training.epochs": 2 * epochs},
    )


def _unfreeze(result: Result, plan: Plan | None) -> Proposal | None:
    """Only the last layer was trained, and nothing else was tried."""
    if figures.chosen(result) != "head" or len(result.get("candidates") or []) > 1:
        return None
    rows = result.get("rows") or {}
    train = int(rows.get("train") or 0)
    if "cross" in str(result.get("evaluation") or "") or train < 80:
        return None  # so few rows cannot show whether training more helps or harms
    classes = max(2, len(result.get("labels") or []) or 2)
    method = "full" if train / classes >= 200 else "last_layers"
    read = float((result.get("seconds") or {}).get("features") or 0)
    epochs = 3.0 if method == "full" else 5.0
    share = (1.0 if method == "full" else 0.6) * TRAINING_COST
    cost = f"About {duration(read * epochs * share)} on top of this run." if read > 1 else ""
    what = "every layer" if method == "full" else "the upper half of the layers too"
    says = {"full": "full fine-tuning", "last_layers": f"train the last {_half(plan)} layers"}[method]
    layers = {"method.layers": _half(plan)} if method == "last_layers" else {}
    return Proposal(
        f"Train {what}: so far the pretrained model stayed frozen and only a new last layer was fitted, on "
        f"{many(train, 'row')}. It gains most where your rows differ from what the model knows.",
        gain=f"{_room(result)}It starts from this last layer and is kept only if it does better on the validation "
        "rows, so it cannot end worse there.",
        cost=cost,
        say=says,
        label="Train all layers" if method == "full" else "Train more layers",
        changes={"method.name": method, **layers, "training.epochs": epochs},
    )


def _room(result: Result) -> str:
    """What is left to gain at most, where the figure is a share of right answers."""
    metric = figures.main_metric(result)
    own = (result.get("metrics") or {}).get(metric)
    if own is None or metric not in ("accuracy", "balanced_accuracy", "subset_accuracy"):
        return "How much cannot be read from this run. "
    return f"At most the {figures.gap(1 - float(own['value']), metric)} that are wrong now, mostly a part of them. "


def _half(plan: Plan | None) -> int:
    from assistant.advise import catalog  # noqa: PLC0415 - the table of models is read only where it is asked for

    layers = catalog.lookup(plan.base_model if plan is not None else None).layers
    return max(1, math.ceil(layers / 2))


def _longer_texts(result: Result, plan: Plan | None) -> Proposal | None:
    """Many texts were cut, and the model can read more of them."""
    cut = figures.cut_texts(result)
    if cut is None or cut[0] < MANY_CUT * cut[1] or cut[2] >= LONGEST:
        return None
    wanted = min(LONGEST, 2 * cut[2])
    del plan
    seconds = result.get("seconds") or {}
    work = sum(float(seconds.get(name) or 0) for name in ("features", "training"))
    return Proposal(
        f"Let it read more of each text: {cut[0]:,} of {cut[1]:,} ({percent(cut[0] / cut[1], 0)}) were cut after "
        f"{cut[2]} tokens.",
        gain="How much that gains depends on what stands further down; a model that decides by the beginning gains "
        "nothing.",
        cost=f"With {wanted} tokens about {duration(work * (wanted / cut[2] - 1))} more." if work else "",
        say=f"max length {wanted}",
        label=f"Read {wanted} tokens",
        changes={"training.max_length": wanted},
    )


def _mistaken_labels(result: Result, plan: Plan | None) -> Proposal | None:
    del plan
    mistakes = result.get("mistakes") or []
    sure = [one for one in mistakes if float(one.get("confidence") or 0) > SURE]
    test = int((result.get("rows") or {}).get("test") or 0)
    if not test or len(sure) < max(SURE_MISTAKES, SURE_SHARE * test):
        return None
    rows = ", ".join(f"{int(one['row']):,}" for one in sure[:6] if one.get("row") is not None)
    return Proposal(
        f"Look at its surest mistakes in the report: on {len(sure)} of {test:,} test rows it was more than 95 % sure "
        f"and “wrong”{f' (rows {rows} and so on)' if rows else ''}. Often the label in the file is the mistake.",
        gain=f"If half of them are wrong labels, about {percent(len(sure) / 2 / test)} of the test rows were judged "
        "wrongly, and the training rows probably hold as many.",
        cost=f"Your time: {len(sure)} rows to read.",
    )


def _rare_class(result: Result, plan: Plan | None) -> Proposal | None:
    """A rare class that is overlooked: it counts more."""
    worst = figures.worst_classes(result)
    if len(worst) < 2 or plan is None or plan.training.class_weights == "balanced" or plan.task == "question-answering":
        return None
    weak = worst[0]
    recall, precision = (
        float((weak.get(name) or {}).get("value") or 0) for name in ("recall", "precision")
    )  # fmt: skip
    share = int(weak["rows"]) / max(1, sum(int(one["rows"]) for one in worst))
    if share > 0.25 or recall > 0.75 or precision < recall + 0.1:
        return None
    return Proposal(
        f"Let rare classes count more: of “{safe(weak.get('label'), 40)}” ({percent(share, 0)} of the rows) it finds "
        f"only {percent(recall, 0)}, though it is right in {percent(precision, 0)} of the cases where it says so.",
        gain="It will find more of them, and raise more false alarms: worth it where a miss costs more.",
        cost="A run as long as this one.",
        say="balance the classes",
        label="Balance the classes",
        changes={"training.class_weights": "balanced"},
    )


def _more_rows(result: Result, plan: Plan | None) -> Proposal | None:
    """The learning curve by rows still rises."""
    del plan
    gained, metric = figures.last_doubling(result), figures.main_metric(result)
    if gained is None or gained < 0.01 or gained < 0.5 * figures.noise(result):
        return None
    rows = int(figures.rows_curve(result)[-1][0])
    return Proposal(
        f"Label more rows: the last doubling of the rows gained {figures.gap(gained, metric)} on the validation rows.",
        gain="Another doubling may bring about as much, or a little less.",
        cost=f"Your time: about {many(rows, 'more row')} to label.",
    )


def _more_layers(result: Result, plan: Plan | None) -> Proposal | None:
    """Training the last layers beat the head clearly: perhaps the rest is worth it too."""
    head, mine = figures.candidate(result, "head"), figures.candidate(result, "last_layers")
    if not head or not mine or not mine.get("chosen"):
        return None
    metric = str(mine.get("metric") or figures.main_metric(result))
    gained = float(mine["value"]) - float(head["value"])
    gained = -gained if metric in figures.ERRORS else gained
    if gained < 0.01:
        return None
    seconds = float(mine.get("seconds") or 0)
    del plan
    return Proposal(
        f"Train every layer: training the last ones gained {figures.gap(gained, metric)} on the validation rows over "
        "the last layer alone.",
        gain="The lower layers usually add less than the upper ones did.",
        cost=f"Training takes about {duration(1.6 * seconds)} instead of {duration(seconds)}." if seconds else "",
        say="full fine-tuning",
        label="Train all layers",
        changes={"method.name": "full"},
    )


def _larger_model(result: Result, plan: Plan | None) -> Proposal | None:
    """A larger base model, where this one is small."""
    from assistant.advise import catalog  # noqa: PLC0415

    name = str(result.get("base_model") or "")
    other = next_size(name, plan.task if plan is not None else None, +1)
    now, larger = catalog.lookup(name), catalog.lookup(other) if other else None
    if larger is None or now.parameters > 5e8 or figures.chosen(result) == "head":
        return None
    times = larger.parameters / max(now.parameters, 1)
    work = sum(float((result.get("seconds") or {}).get(part) or 0) for part in ("features", "training"))
    same = figures.verdict_code(result) in ("same", "worse")
    simple = "A simple way does as well here, so use that one unless you need the model for something else. "
    return Proposal(
        f"{simple if same else ''}A larger model is what is left to try: {larger.name} has {larger.size_text} "
        f"parameters, {times:.0f} times as many as {now.name}.",
        gain="It usually adds a little (one or two points), and nothing where the labels are the limit; this run "
        "cannot tell.",
        cost=f"About {duration(times * work)} on this machine"
        + ("." if larger.starter else ", and a download, so a network once."),
        say=f"use {larger.id}",
        label=f"Use {larger.name}",
        changes={"base_model": larger.id},
    )


RULES: tuple[Rule, ...] = (
    _nothing_left, _needs_rows, _time_ran_out, _still_rising, _needs_class, _unfreeze, _undecided, _rare_class,
    _longer_texts, _more_layers, _mistaken_labels, _more_rows, _larger_model,
)  # fmt: skip


def _end(result: Result) -> Proposal:
    """No rule had anything to say."""
    if figures.verdict_code(result) in ("same", "worse"):
        metric = figures.main_metric(result)
        best = figures.best_baseline(result, metric)
        rival = BASELINES.get(best[0], best[0]) if best else "a simple way"
        return Proposal(
            f"I see nothing promising left to try with these rows: {rival} does as well, so use that one. More varied "
            "rows, or labels that tell more, are what would change that.",
            nothing_left=True,
        )
    metric = figures.main_metric(result)
    own = (result.get("metrics") or {}).get(metric) or {}
    reached = f" ({metric_name(metric)} {with_interval(own, metric)})" if own else ""
    return Proposal(
        f"I see nothing promising left to try by settings{reached}: the curves are flat. More labelled rows of the "
        "kinds that it gets wrong are what is left.",
        nothing_left=True,
    )


def evidence(result: Mapping[str, Any]) -> str:
    """Where the run stands, to begin the answer with."""
    metric = figures.main_metric(result)
    own = (result.get("metrics") or {}).get(metric)
    return f"{metric_name(metric)} {with_interval(own, metric)}" if own else ""
