"""Answers to "what is", "why" and "is it enough": from the pages, the plan's own reasons, and rules of thumb. Pure."""

from __future__ import annotations

import re
from typing import Any

from assistant.advise import catalog, estimate, facts, tool
from assistant.advise.hardware import Hardware
from assistant.chat import buttons, own_figures, plan_replies, replies, run_answers, why_not
from assistant.chat.explain import Concept, page, pages
from assistant.chat.intents import is_plan_path
from assistant.chat.turns import Option, Reply, RunCard, State
from assistant.chat.wording import many, value_at
from assistant.data.profile import Profile
from recipes.plan import Plan

#: Topics that a finished run answers from its own numbers.
RUN_TOPICS = run_answers.TOPICS
#: A page's name -> the choice of the plan that it is about.
_CHOICE_OF: dict[str, str] = {
    "epoch": "training.epochs",
    "learning-rate": "training.learning_rate",
    "batch-size": "training.batch_size",
    "max-length": "training.max_length",
    "early-stopping": "training.early_stopping",
    "test-set": "evaluation.test_fraction",
    "base-model": "base_model",
    "pretrained-model": "base_model",
    "fine-tuning-methods": "method.name",
    "lora": "method.name",
    "last-layer": "method.name",
    "full-fine-tuning": "method.name",
    "last-layers": "method.name",
    "seed": "training.seed",
    "metric": "evaluation.metric",
    "weight-decay": "training.weight_decay",
    "warm-up": "training.warmup",
    "time-limit": "training.max_minutes",
}
#: A choice of the plan -> the page that explains it where the plan has no reason.
_PAGE_OF = {
    "base_model": "pretrained-model",
    "method.name": "fine-tuning-methods",
    "training.learning_rate": "learning-rate",
    "training.epochs": "epoch",
    "training.batch_size": "batch-size",
    "training.max_length": "max-length",
    "evaluation.test_fraction": "test-set",
    "evaluation.metric": "metric",
    "training.early_stopping": "early-stopping",
    "training.max_minutes": "time-limit",
    "problem": "label",
    "task": "fine-tuning",
    "compute.target": "gpu",
    "data.columns": "label",
}


def explain(state: State, text: str, slots: dict[str, Any]) -> Reply:
    """The answer to a question."""
    topic = str(slots.get("topic") or "")
    if topic == "is fine-tuning right":
        return _right_tool(state, text)
    if topic == "how much data":
        return _enough(state, slots.get("rows"))
    if topic == "time estimate":
        return _time(state)
    if topic == "plan":
        return _why_not(state, text) or _plan(state)
    if topic in RUN_TOPICS:
        return _without_run(topic, text)
    if is_plan_path(topic) or topic == "data.columns":
        return _why_not(state, text) or _choice(state, topic)
    return _page(state, topic, slots.get("other"))


def _why_not(state: State, text: str) -> Reply | None:
    """Why an alternative that the question names was not taken; None where it names none."""
    if state.plan is None or state.plan.base_model is None:
        return None
    file = next((file for file in reversed(state.files) if file.role == "train"), None)
    found = why_not.answer(text, state.plan, file)
    return Reply(text=found[0], options=[*found[1], buttons.START]) if found else None


def with_run(state: State, topic: str, run: RunCard, result: dict[str, Any], plan: Plan | None) -> Reply:
    """A page with what its term was in a finished run."""
    found = page(topic)
    said = own_figures.sentence(found.name, result, plan) if found else ""
    if found is None or not said:
        return _page(state, topic, None)
    drawn = own_figures.PICTURES.get(found.name)
    picture = {"run": run.id, "picture": drawn} if drawn else None
    planned = _in_your_plan(state, found)
    told = "\n\n".join(filter(None, [f"In your run {run.number}: {said}", planned]))
    options = [buttons.REPORT, buttons.IMPROVE]
    return replies.concept([found], told, picture).model_copy(update={"options": options})


def has_own_figure(topic: str) -> bool:
    """Whether a page can be shown with a number of a finished run."""
    found = page(topic)
    return found is not None and own_figures.known(found.name)


def _page(state: State, topic: str, other: object) -> Reply:
    found = page(topic)
    if found is None:
        model = catalog.get(topic)
        return replies.base_model(model) if model else replies.no_page(topic)
    second = page(str(other)) if other else None
    both = [found] if second is None or second is found else [found, second]
    ready = state.plan is not None and state.plan.base_model is not None and state.current_run is None
    told = replies.concept(both, "" if second else _in_your_plan(state, found))
    return told.model_copy(update={"options": [buttons.START]}) if ready and state.problem is None else told


def _in_your_plan(state: State, found: Concept) -> str:
    path = _CHOICE_OF.get(found.name)
    if not path or state.plan is None or value_at(state.plan, path) is None:
        return ""
    return f"In your plan: {plan_replies.reason(path, state.plan)}"


def _choice(state: State, path: str) -> Reply:
    plan = state.plan
    if plan is None or plan.base_model is None:
        found = pages().get(_PAGE_OF.get(path, "")) or pages().get("fine-tuning")
        return replies.concept([found]) if found else replies.no_page(path)
    if path == "data.columns":
        lines = [plan_replies.reason(f"data.columns.{role}", plan) for role in plan.data.columns]
        return Reply(text="\n\n".join(lines) or "The plan names no columns yet.", options=[buttons.START])
    text = plan_replies.reason(path, plan)
    more = pages().get(_PAGE_OF.get(path, ""))
    options = [Option(label=f"What is: {more.title}", say=f"what is {more.title.casefold()}?")] if more else []
    return Reply(text=text, options=[*options, buttons.START])


def _plan(state: State) -> Reply:
    if state.plan is None or state.plan.base_model is None:
        found = pages().get("fine-tuning")
        return replies.concept([found]) if found else plan_replies.plan_first()
    return Reply(text=plan_replies.why_plan(state.plan), options=[buttons.START, buttons.FASTER, buttons.ACCURATE])


def _without_run(topic: str, text: str) -> Reply:
    found = pages().get(run_answers.TOPICS[topic])
    note = run_answers.without_run(topic, text)
    return replies.concept([found], note) if found else Reply(text=note)


_IT_DEPENDS = (
    "It depends on what you have. Fine-tune when you have some hundred examples of one task that comes again and again "
    "(sorting texts, say), when it must run cheaply, quickly or on your own machine, or when a prompt is not accurate "
    "enough.\n\n"
    "Something simpler is better when a rule does it (a keyword, a sender), when you have fewer than about 10 examples "
    "a class (ask a ready chat model with a good prompt), when a ready model already does it (speech, translation, "
    "everyday pictures), when you want to look up facts in documents (search, or retrieval), or when the data are "
    "numbers in a table (gradient boosting). I always measure simple ways too, and say so if one of them is as good."
)


def _right_tool(state: State, text: str) -> Reply:
    """Whether fine-tuning is the right tool: by the words, else by the data at hand, else in general."""
    other = tool.by_words(text) or tool.by_words(state.goal)
    options = [buttons.EXAMPLE, Option(label="How much data do I need?", say="how much data do I need?")]
    of_data = _right_for_data(state)
    if other is not None and other.kind == "existing model" and of_data:
        return Reply(text=f"{other.text}\n\n{of_data}", options=[buttons.START, buttons.CHECK])
    if other is not None:
        begin = {"search": "Probably not. ", "rule": "Probably not. ", "prompt": "Probably not. "}.get(other.kind, "")
        return Reply(text=f"{begin}{other.text}", options=options)
    if re.search(r"\b(?:pdf|document|book|manual|handbook|wiki)", text.casefold()):
        return Reply(text=f"Probably not. {tool.SEARCH}", options=options)
    if of_data:
        return Reply(text=of_data, options=[buttons.START, buttons.CHECK])
    return Reply(text=_IT_DEPENDS, options=options)


def _right_for_data(state: State) -> str:
    """The answer for the file at hand: what its rows say, and what will prove it."""
    file = next((file for file in reversed(state.files) if file.role == "train"), None)
    plan = state.plan
    if file is None or plan is None or plan.base_model is None:
        return ""
    profile = Profile.model_validate(file.profile)
    data = facts.read(profile, plan.data.columns, plan.problem, None)
    against = [one.text for one in tool.by_data(plan, data, file.findings)]
    if against:
        return "Probably not yet. " + " ".join(against)
    each = f" ({data.rows // data.classes:,} for each of {data.classes} classes)" if data.classes else ""
    return (
        f"For your data it is worth trying: {data.rows:,} rows{each} are enough to learn from, and I found no simple "
        "rule "
        "that gives the answers. Counting words, the nearest class centre and the most frequent answer are measured on "
        "the same rows; if one of them does as well, the verdict says so and you need no model."
    )


def _enough(state: State, rows: object) -> Reply:
    """Whether there are enough rows."""
    file = next((file for file in reversed(state.files) if file.role == "train"), None)
    count = rows if isinstance(rows, int) else int(file.profile.get("rows") or 0) if file else None
    classes = _classes(state)
    if count is None:
        said = (
            "For sorting texts: from about 10 examples a class it can begin, 50 a class is a good start, a few "
            "hundred a class usually do "
            "well; more helps less and less. A language model that should answer in your style wants a few hundred "
            "good examples. At least "
            "100 rows should be left over for an honest test."
        )
    else:
        said = _judged(count, classes)
    return Reply(text=said, options=[buttons.CHECK] if file else [])


def _classes(state: State) -> int | None:
    plan = state.plan
    file = next((file for file in reversed(state.files) if file.role == "train"), None)
    label = plan.data.columns.get("label") if plan else None
    columns = file.profile.get("columns", []) if file else []
    found = next((column for column in columns if column.get("name") == label), None)
    return len(found["label_counts"]) if found and found.get("label_counts") else None


def _judged(rows: int, classes: int | None) -> str:
    each = f" That is about {rows // classes} for each of your {classes} classes." if classes else ""
    head = f"{many(rows, 'row')}:{each} "
    per_class = rows / (classes or 3)
    if rows < 30:
        verdict = (
            "too few to learn from or to judge by. Aim for 50 for each class; until then a ready chat model "
            "with a good prompt is better."
        )
    elif per_class < 20:
        verdict = (
            "it can begin, but the verdict will be rough. I would judge it by cross-validation. About 50 for "
            "each class would be better."
        )
    elif per_class < 100:
        verdict = (
            "enough for a first model of two to five clear classes, on top of a pretrained one. More of the "
            "rarest class helps most."
        )
    elif rows < 5000:
        verdict = "enough to fine-tune well; whether more would help shows in the report."
    else:
        verdict = "plenty. More rows will change little; clean labels matter more now."
    test = max(1, round(0.2 * rows))
    width = 196 * (0.9 * 0.1 / test) ** 0.5
    return (
        f"{head}{verdict} With a fifth kept for the test ({many(test, 'row')}), an accuracy of 90 % would be "
        f"known to about ±{width:.0f} points."
    )


def _time(state: State) -> Reply:
    plan = state.plan
    if plan is None or plan.base_model is None:
        return Reply(
            text="It depends on rows, text length and model. A few thousand short texts with the small starter model "
            "take some minutes on a laptop, without a graphics card. Add your file and I estimate time and "
            "memory before anything starts."
        )
    parts = [
        _expected(state, plan),
        plan_replies.reason("training.max_minutes", plan) if plan.training.max_minutes else "",
    ]
    parts.append("The first measured steps correct the time left while it runs.")
    options = [buttons.START, buttons.MEASURE, buttons.FASTER]
    return Reply(text=" ".join(part for part in parts if part), options=options)


#: A cheap rented machine with a card, and a quicker one, to compare with.
_RENTED = ("t4-small", "a10g-small")


def _expected(state: State, plan: Plan) -> str:
    """Time, memory and disk here, and what the same would take and cost on rented machines."""
    file = next((file for file in reversed(state.files) if file.role == "train"), None)
    if file is None or not state.hardware:
        return "The plan card shows the time and memory that I expect, as a range."
    profile, hardware = Profile.model_validate(file.profile), Hardware.model_validate(state.hardware)
    here = estimate.sentence(estimate.estimate(plan, profile, hardware))
    if plan.compute.target != "local" or hardware.gpus:
        return here
    rented = []
    for flavor in _RENTED:
        there = plan.changed({"compute.target": "hf_jobs", "compute.flavor": flavor})
        cost = estimate.estimate(there, profile, hardware)
        low, high = estimate.readable_seconds(cost.seconds_low), estimate.readable_seconds(cost.seconds_high)
        rented.append(f"{flavor}: {low} to {high}, ${cost.dollars_low:.2f} to ${max(cost.dollars_high, 0.01):.2f}")
    return (
        f"Here: {here[:1].lower()}{here[1:]} On a rented machine with a graphics card, by list prices that change "
        f"({'; '.join(rented)}); this version runs on your own machine."
    )
