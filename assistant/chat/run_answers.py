"""Questions about a finished run, answered from its own numbers: "which class is worst?", "did it overfit?". Pure.

Every figure that is said stands in `result.json`. `topic_of` reads the question; `answer` answers it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from assistant.chat import buttons, figures
from assistant.chat.explain import pages
from assistant.chat.figures import Result, metric_name
from assistant.chat.turns import Option, Reply, RunCard
from assistant.chat.wording import BASELINES, duration, figure, listed, many, percent, safe, size, with_interval
from recipes.plan import Plan

#: A question's topic -> the page that explains what it is about; the run's figures come first where there is a run.
TOPICS = {
    "worst class": "confusion-matrix",
    "enough epochs": "epoch",
    "is it good": "baseline",
    "why it ended": "early-stopping",
    "did it overfit": "overfitting",
    "mistakes": "confusion-matrix",
    "how sure": "confidence-interval",
    "more data": "training-set",
    "time taken": "time-limit",
    "memory taken": "gpu-memory",
}
#: What a bare "why?" asks after an answer about a run: the evidence behind it.
WHY = {
    "worst class": "mistakes",
    "enough epochs": "did it overfit",
    "is it good": "mistakes",
    "why it ended": "time taken",
    "did it overfit": "enough epochs",
    "mistakes": "worst class",
    "how sure": "is it good",
    "more data": "worst class",
}
#: What is asked about a run that is over, the more special first; each needs its words in the past or about the model.
_ASKED: tuple[tuple[str, str], ...] = (
    ("did it overfit", r"\b(?:did|does|has|is|was) (?:it|this|that|the (?:model|run|training)) (?:\w+ )?(?:over-?fit\w*"
                    r"|memori[sz]\w*|learn\w* (?:it |them |everything )?by heart)\b"
                    r"|\bis (?:there|it) (?:\w+ )?over-?fit\w*"),
    ("time taken", r"\bhow (?:long|much time|many minutes) did (?:it|this|that|the (?:run|training|last run))\b"
                   r"|\bwhy did (?:it|the (?:run|training)) take (?:so|that|this) long\b"
                   r"|\bhow (?:good|accurate|right|wrong) was (?:the|your) (?:time )?(?:estimate|prediction)\b"
                   r"|\b(?:how long|time) (?:\w+ ){0,4}(?:compared to|against|versus|vs\.?) (?:the |your )?"
                   r"(?:predict\w*|estimate\w*|expect\w*)\b|\blonger than (?:you )?(?:predicted|expected|said)\b"),
    ("memory taken", r"\bhow much (?:memory|ram|vram) did (?:it|this|that|the (?:run|training))\b"
                     r"|\bhow much (?:memory|ram|vram) was (?:used|needed|taken)\b"),
    ("mistakes", r"\bwhat (?:did|does) (?:it|the model) (?:get|do) wrong\b|\bwhat (?:are|were) (?:its|the) "
                 r"(?:worst |biggest |surest )?(?:mistakes|errors)\b|\bwhich (?:rows|texts|ones|messages|e-?mails) "
                 r"(?:did|does|were|are) (?:\w+ ){0,2}wrong\b|\bwhere (?:is|was|does) it (?:go )?wrong\b"
                 r"|\bshow (?:me )?(?:the |its |some )?(?:mistakes|errors|wrong ones)\b|\bwhat went wrong\b"
                 r"|\b(?:which|what) mistakes (?:does|did|has)\b"),
    ("how sure", r"\bhow (?:sure|certain|confident) (?:are you|is (?:it|that|this)|can i be)\b|\bcan i trust (?:it"
                 r"|this|that|the (?:result|verdict|number|figure|model|report))\b|\bis (?:that|it|this) (?:just |only "
                 r"|pure )?(?:chance|luck|significant|reliable|real)\b|\bcould (?:it|that|this) be (?:just )?(?:chance"
                 r"|luck)\b|\bhow reliable\b"),
    ("more data", r"\b(?:would|will|do|does|could) (?:more|additional|extra|other) (?:data|rows|examples|labels|texts)"
                  r"(?: \w+){0,3} help\b|\bdo(?:es)? it need more (?:data|rows|examples)\b"
                  r"|\bshould i (?:label|collect|add|get) more(?: data| rows| examples| texts)?\b"
                  r"|\bwill it get better with more\b|\bhow much would more (?:data|rows|examples)\b"),
    ("why it ended", r"\bwhy (?:did|has) (?:it|this|that|the (?:run|training|model)) (?:\w+ )?(?:stop\w*|end\w*|fail\w*"
                     r"|crash\w*|finish\w*|break|broke)\b|\bwhat (?:made|let) it stop\b"),
    ("worst class", r"\bwhich (?:class|label|category|department|topic|one|group|kind)\b[\w ]{0,25}\b(?:worst|best"
                    r"|hardest|easiest|confus\w*|weak\w*|mixed up|poor\w*|difficult)\b|\b(?:worst|weakest|hardest|best)"
                    r" (?:class|label|category)\b"),
    ("enough epochs", r"\b(?:was|were) (?:\d+ |the )?(?:epochs?|passes)(?: \w+){0,2} (?:enough|too (?:much|many|few"
                      r"|little|long|short))\b|\bdid it (?:train|learn|run) (?:long enough|too (?:long|short))\b"
                      r"|\b(?:would|did|do|will) more (?:epochs|passes|training) (?:\w+ )?help\b"),
)  # fmt: skip
_TRUST = 30  # test rows of a class below which its figure is rough
_OVERCONFIDENT = 1.15  # the validation loss at the end, against its best: from here on it learns by heart


_GOOD = re.compile(
    r"\bis (?:an? )?(?:\w+ of )?\d+(?:\.\d+)? ?(?:%|percent)(?: \w+){0,2} (?:good|bad|ok|okay|enough"
    r"|a lot)\b"
)


def topic_of(text: str) -> str | None:
    """The topic of a question about a run that is over; None when it is none of these."""
    if _GOOD.search(text):
        return "is it good"
    return next((topic for topic, pattern in _ASKED if re.search(pattern, text)), None)


def asked_figure(text: str) -> float | None:
    """The percentage that a question names: "is 91 % good?" """
    match = re.search(r"(\d{1,3}(?:\.\d+)?) ?(?:%|percent|per cent)", text)
    return float(match.group(1)) if match and float(match.group(1)) <= 100 else None


def answer(topic: str, run: RunCard, result: Result, plan: Plan | None = None) -> Reply:
    """An answer from the run's own figures. `topic` may carry a figure that was asked about: "is it good:91"."""
    name, _, detail = topic.partition(":")
    texts: dict[str, Callable[[Result], str]] = {
        "worst class": about_classes,
        "enough epochs": lambda known: about_epochs(known, plan),
        "why it ended": lambda known: why_ended(known, plan),
        "did it overfit": about_overfitting,
        "mistakes": about_mistakes,
        "how sure": how_sure,
        "more data": about_more_data,
        "time taken": time_taken,
        "memory taken": memory_taken,
    }
    asked = float(detail) if detail else None
    text = texts[name](result) if name in texts else is_it_good(result, asked)
    options = [buttons.REPORT, buttons.IMPROVE]
    if name in TOPICS:
        title = pages()[TOPICS[name]].title
        options.append(Option(label=f"What is: {title}", say=f"what is {title.casefold()}?"))
    return Reply(text=f"Run {run.number}: {text}", options=options)


def about_classes(result: Result) -> str:
    """The weakest and the strongest class, and what is mixed up."""
    worst = figures.worst_classes(result)
    if not worst:
        return f"there are no classes to compare. {is_it_good(result)}"
    weak, strong = worst[0], worst[-1]
    if len(worst) > 1 and figures.class_figure(weak) == figures.class_figure(strong):
        return f"all {len(worst)} classes do equally well (F1 {figures.class_figure(weak):.2f})."
    text = (
        f"the weakest class is “{safe(weak.get('label'), 40)}” with F1 {figures.class_figure(weak):.2f} "
        f"({many(float(weak['rows']), 'test row')})"
    )
    if strong is not weak:
        text += f", the strongest “{safe(strong.get('label'), 40)}” with {figures.class_figure(strong):.2f}"
    text += f"{_found_and_right(weak)}{_confused(result)}{_says_one(result)}"
    if float(weak["rows"]) < _TRUST:
        text += ". With so few test rows of that class the figure is rough"
    return text + "."


def _found_and_right(one: Mapping[str, Any]) -> str:
    recall, precision = (one.get("recall") or {}).get("value"), (one.get("precision") or {}).get("value")
    if recall is None or precision is None:
        return ""
    return (
        f". It finds {percent(float(recall), 0)} of them, and is right in {percent(float(precision), 0)} of the cases "
        "where it says so"
    )


def _confused(result: Result) -> str:
    confused = figures.most_confused(result)
    if not confused:
        return ""
    return (
        f". Most often “{safe(confused[0], 40)}” is taken for “{safe(confused[1], 40)}” ({many(confused[2], 'time')})"
    )


def passes(result: Result, plan: Plan | None, steps: float | None = None) -> float | None:
    """How often the training had seen every row, after so many steps or at its end; None where that is not known."""
    train = int((result.get("rows") or {}).get("train") or 0)
    batch = plan.training.batch_size if plan is not None else None
    _, points = figures.validation_curve(result)
    done = steps if steps is not None else points[-1][0] if points else 0
    return done / math.ceil(train / batch) if train and batch and done else None


def _when(result: Result, plan: Plan | None, step: float) -> str:
    seen = passes(result, plan, step)
    return f"step {step:,.0f}" if seen is None else f"pass {seen:.1f}".removesuffix(".0")


def _course(result: Result, plan: Plan | None, metric: str, points: list[tuple[float, float]]) -> str:
    """How a figure went: its last looks, or that it stood still."""
    last = points[-4:]
    if len({figure(value, metric) for _, value in last}) == 1:
        began = next(step for step, value in points if figure(value, metric) == figure(last[0][1], metric))
        return f"stood at {figure(last[0][1], metric)} from {_when(result, plan, began)} on"
    return "was " + listed([f"{figure(value, metric)} ({_when(result, plan, step)})" for step, value in last])


def _says_one(result: Result) -> str:
    one = figures.says_one_class(result)
    if one is None:
        return ""
    return (
        f". It says “{safe(one[0], 40)}” for {one[1]:,} of {one[2]:,} test rows, so it hardly tells the classes apart"
    )


def about_epochs(result: Result, plan: Plan | None = None) -> str:
    """Whether the training was long enough, by the validation rows."""
    metric, points = figures.validation_curve(result)
    if not points:
        return "only a last layer was fitted, which has no epochs to count, so it could not run too long or too short."
    best, seen, falling = figures.best_point(points, metric), passes(result, plan), figures.falling_loss(result)
    text = f"it saw its training rows {seen:.1f} times. ".replace(".0 times", " times") if seen else ""
    text += f"{'On' if text else 'on'} the validation rows the {metric_name(metric)} "
    text += f"{_course(result, plan, metric, points)}. "
    if figures.warned(result, "time-limit"):
        text += "The time limit cut the training short. "
    if best < len(points) - 1 and falling is not None:
        return (
            f"{text}But its loss there, which shows small changes sooner, was still falling ({falling[0]:.2f} halfway, "
            f"{falling[1]:.2f} at the end): more epochs may help. Say “twice as many epochs”."
        )
    if best < len(points) - 1:
        return (
            f"{text}It was best at {_when(result, plan, points[best][0])} ({figure(points[best][1], metric)}) and got "
            "no better after that: more epochs would not help. The best state was kept."
        )
    gained = abs(points[-1][1] - points[-2][1])
    if gained < 0.5 * figures.noise(result):
        return (
            f"{text}It was best at the end, but the last step up ({figures.gap(gained, metric)}) is within chance: it "
            "was about enough."
        )
    return f"{text}It was still improving at the end, so more epochs may help: say “twice as many epochs”."


def about_overfitting(result: Result) -> str:
    """Whether it learned its training rows by heart, by the two losses."""
    points, training = figures.curve(result, "validation/loss"), figures.curve(result, "train/loss")
    own = (result.get("metrics") or {}).get(figures.main_metric(result)) or {}
    if len(points) < 2 or not training:
        tried = figures.candidate(result, "head")
        text = "hardly possible: only a last layer was fitted on a frozen model, and its strength was chosen on rows "
        text += "held out"
        if tried and own:
            metric = str(tried.get("metric") or figures.main_metric(result))
            text += (
                f". Rows that chose it: {figure(float(tried['value']), metric)}; test rows it never saw: "
                f"{figure(float(own['value']), metric)}"
            )
        return text + "."
    best = figures.best_point(points, "loss")
    start, end = (sum(value for _, value in some) / len(some) for some in (training[:3], training[-3:]))
    text = (
        f"on the rows it learned from, the loss was {start:.2f} at first and {end:.2f} at the end; on the validation "
        f"rows it was lowest at step {points[best][0]:,.0f} ({points[best][1]:.2f}) and {points[-1][1]:.2f} at the "
        "end. "
    )
    if points[-1][1] > _OVERCONFIDENT * points[best][1]:
        metric, watched = figures.validation_curve(result)
        text += "So yes, a little: after that it grew too sure of itself on new rows"
        if metric and metric != "loss" and figures.best_point(watched, metric) == len(watched) - 1:
            text += f", while its answers still became better ({metric_name(metric)} {figure(watched[-1][1], metric)})"
        return text + ". The best state by the validation rows was kept, and the test rows judged that one."
    return text + "That is no sign of overfitting: on new rows it did not become worse."


def about_mistakes(result: Result) -> str:
    """How many are wrong, which kinds, and the surest one."""
    pairs, mistakes = figures.confusions(result), result.get("mistakes") or []
    test = int((result.get("rows") or {}).get("test") or 0)
    wrong = sum(count for *_, count in pairs) or len(mistakes)
    if not wrong:
        return "it made no mistake on the test rows." if result.get("confusion") else f"{is_it_good(result)}"
    text = f"{many(wrong, 'test row')} of {test:,} are wrong"
    if pairs:
        kinds = [f"“{safe(true, 40)}” taken for “{safe(said, 40)}” {many(n, 'time')}" for true, said, n in pairs]
        text += f": {listed(kinds[:4])}" + (f", and {len(kinds) - 4} other kinds" if len(kinds) > 4 else "")
    if mistakes:
        one = mistakes[0]
        sure = one.get("confidence")
        said = f"{percent(float(sure), 0)} sure" if sure is not None else "sure"
        text += (
            f". The surest one is row {int(one.get('row', 0)):,}: it said “{safe(one.get('predicted'), 40)}” ({said}), "
            f"the file says “{safe(one.get('expected'), 40)}”: “{safe(one.get('input'), 160)}”"
        )
    return text + ". The report lists the surest ones; where the model looks right, the label may be wrong."


def how_sure(result: Result) -> str:
    """The interval, the paired test, and how many rows they rest on."""
    metric = figures.main_metric(result)
    own = (result.get("metrics") or {}).get(metric)
    verdict = result.get("verdict") or {}
    test = int((result.get("rows") or {}).get("test") or 0)
    if not own or own.get("low") is None:
        return is_it_good(result)
    text = (
        f"{metric_name(metric)} {with_interval(own, metric)} on {many(test, 'row')} it never saw: its share of right "
        "answers on all rows of this kind lies in that range, with 95 % confidence"
    )
    difference = verdict.get("difference") or {}
    if difference.get("low") is not None and verdict.get("best_baseline"):
        low, high = (100 * float(difference[end]) for end in ("low", "high"))
        unit, rival = "points", BASELINES.get(verdict["best_baseline"], safe(verdict["best_baseline"]))
        if metric not in ("accuracy", "balanced_accuracy", "subset_accuracy"):
            low, high, unit = low / 100, high / 100, ""
        text += f". Against {rival} on the same rows the difference is {low:+.1f} to {high:+.1f} {unit}".rstrip()
        if verdict.get("p_value") is not None:
            text += f" (p = {float(verdict['p_value']):.2g})"
    text += (
        ". That holds for rows like those in your file; for rows of another kind nobody has measured it"
        if verdict.get("code") != "not_enough_data"
        else ". The test rows are too few to be sure of more"
    )
    return text + "."


def about_more_data(result: Result) -> str:
    """The learning curve by rows, in words."""
    metric, points = figures.main_metric(result), figures.rows_curve(result)
    gained = figures.last_doubling(result)
    if gained is None or len(points) < 2:
        rows = int((result.get("rows") or {}).get("train") or 0)
        return (
            f"it was not measured on so few rows ({rows:,}). As a rule more rows help most below some hundred a class, "
            "and the verdict becomes surer with every test row."
        )
    shown = [f"{figure(value, metric)} with {rows:,.0f} rows" for rows, value in points]
    text = f"with a part of the rows the last layer alone reached {listed(shown)} (on the validation rows). "
    last = f"The last doubling {'gained' if gained >= 0 else 'lost'} {figures.gap(gained, metric)}"
    if gained > 0.5 * figures.noise(result) and gained > 0.003:
        return f"{text}{last}, so twice as many rows may give about that much again, or a little less."
    return (
        f"{text}{last}, which is within chance: the curve is flat, so more rows of the same kind would hardly help the "
        "last layer. Rows of the kinds that it gets wrong still could."
    )


def time_taken(result: Result) -> str:
    """Seconds against the prediction, and what took them."""
    seconds = result.get("seconds") or {}
    total, predicted = figures.total_seconds(result), seconds.get("predicted")
    parts = sorted(
        ((float(value), name) for name, value in seconds.items() if value and name not in ("total", "predicted")),
        reverse=True,
    )
    text = f"it took {duration(total)}"
    if predicted:
        ratio = total / max(float(predicted), 1e-9)
        close = "as expected" if 0.8 <= ratio <= 1.25 else f"{ratio:.1f} times what I expected"
        text += f"; I had expected about {duration(float(predicted))}, so that is {close}"
    if parts:
        text += f". Most of it: {listed([f'{_PARTS.get(name, name)} {duration(value)}' for value, name in parts[:3]])}"
    return text + "."


_PARTS = {
    "features": "reading every row once", "training": "training", "head": "the last layer", "model": "loading the "
    "model", "reading": "reading the rows", "baselines": "the simple ways", "testing": "testing", "saving": "saving",
    "from_scratch": "the same network without pretraining",
}  # fmt: skip


def memory_taken(result: Result) -> str:
    """Peak memory against the prediction."""
    peak = result.get("peak_bytes") or {}
    measured, predicted = peak.get("measured"), peak.get("predicted")
    if not measured:
        return "its memory was not measured."
    text = f"it held at most {size(float(measured))} of memory"
    if predicted:
        off = 100 * (float(measured) / float(predicted) - 1)
        text += f"; I had expected {size(float(predicted))} ({off:+.0f} %)"
    return text + "."


def is_it_good(result: Result, asked: float | None = None) -> str:
    """The main figure against the simple ways; `asked`: the percentage that the person named."""
    metric = figures.main_metric(result)
    own = (result.get("metrics") or {}).get(metric)
    verdict = result.get("verdict") or {}
    if not own:
        return safe(verdict.get("text", "the result holds no figure."), 400)
    text = ""
    shown = 100 * float(own["value"])
    if asked is not None and abs(asked - shown) > 1:
        text = f"{asked:g} % is not its figure; that is "
    text += f"{metric_name(metric)} {with_interval(own, metric)}. Whether that is good depends on what is easy here"
    lazy, best = (result.get("baselines") or {}).get("majority", {}).get(metric), figures.best_baseline(result, metric)
    if lazy:
        text += f": always giving the most frequent answer reaches {figure(float(lazy['value']), metric)}"
    if best and best[0] != "majority":
        text += f"{', ' if lazy else ': '}{BASELINES.get(best[0], safe(best[0]))} {figure(best[1], metric)}"
    judged = {
        "better": "So yes: it is clearly better than the simple ways.",
        "same": "So it is no better than the best simple way, as far as these test rows can tell.",
        "worse": "So no: a simple way does better.",
        "not_enough_data": "The test rows are too few to say more.",
    }.get(figures.verdict_code(result), safe(verdict.get("text", ""), 400))
    if shown >= 99.5 and metric == "accuracy":
        judged += " So high a figure is worth a second look: check that no column gives the answer away."
    if asked is not None and best and abs(asked - shown) > 1 and metric in ("accuracy", "balanced_accuracy"):
        beats = "more" if asked > 100 * best[1] else "no more"
        judged += f" {asked:g} % on these rows would be {beats} than the best simple way."
    return f"{text}{_says_one(result)}. {judged}"


def why_ended(result: Result, plan: Plan | None = None) -> str:
    """Why the training came to its end: the time, early stopping, or all its epochs."""
    total = duration(figures.total_seconds(result))
    limit = figures.warned(result, "time-limit")
    if limit:
        return f"the time limit cut its training short; it took {total}. {safe(limit, 400)}"
    notes = [safe(note, 300) for note in result.get("notes") or []]
    stopped = next((note for note in notes if re.search(r"\bstop(?:s|ped)\b|\bended\b", note.casefold())), None)
    if stopped:
        return f"it ended after {total}. {stopped}"
    kept = figures.warned(result, "head-kept")
    text = f"it ran to its end in {total}; it was neither stopped nor cut short."
    seen, train = passes(result, plan), int((result.get("rows") or {}).get("train") or 0)
    if seen:
        _, points = figures.validation_curve(result)
        text += (
            f" It made {points[-1][0]:,.0f} steps, which is {many(round(seen), 'pass', 'passes')} over {train:,} rows."
        )
    return f"{text} {safe(kept, 400)}" if kept else text


def without_run(topic: str, text: str) -> str:
    """What can be said about a figure before any run."""
    asked = asked_figure(text)
    if topic.partition(":")[0] == "is it good" and asked is not None:
        return (
            f"{asked:g} % alone says little: with two even classes guessing reaches 50 %, and where nine of ten rows "
            "are of one class, always saying that one reaches 90 %. Good means: clearly better than the best simple "
            "way on the same rows. The report of each run makes that comparison."
        )
    return "There is no finished run here whose own numbers I could read yet."
