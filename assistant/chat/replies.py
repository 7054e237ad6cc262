"""Sentences about the talk itself: welcome, help, errors, what is not done or not understood, terms.

This module and its siblings `data_replies`, `plan_replies` and `run_replies` hold every sentence that the assistant
says, as functions of typed values; no decisions are taken in them. Names from outside pass through `wording.safe`; a
page escapes the whole once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.advise.catalog import Model
from assistant.chat.buttons import EXAMPLE, HELP, NO
from assistant.chat.data_replies import fix_option
from assistant.chat.explain import Concept
from assistant.chat.run_replies import no_runs, no_such_run, which_run
from assistant.chat.turns import Option, Reply, RunCard
from assistant.chat.wording import (
    RUNNABLE_TASKS,
    TASKS,
    codes,
    listed,
    safe,
)  # fmt: skip


def error(problem: Mapping[str, str], options: Sequence[Option] = ()) -> Reply:
    """What happened, what was expected, how to go on."""
    parts = [problem.get("what", ""), problem.get("expected", ""), problem.get("fix", "")]
    return Reply(
        text=" ".join(safe(part, 600) for part in parts if part),
        card="error",
        data=dict(problem),
        options=list(options),
    )


def hello(demo: bool) -> Reply:
    """The first words."""
    text = (
        "Hello! Tell me in your own words what a model should learn, and drop in a file of examples. I look at the "
        "data, "
        "propose a plan with a reason for every choice, train when you say yes, and then tell you honestly how good "
        "the "
        "model is.\n\nFor example: “Sort these support tickets by department”, with a file that has the tickets in one "
        "column and their departments in another."
    )
    if demo:
        text += "\n\nThis is a public demo: please add no private data."
    return Reply(text=text, options=[EXAMPLE, HELP])


def abilities() -> Reply:
    """What the assistant can do."""
    trained = "; ".join(does for task, does in TASKS.items() if task in RUNNABLE_TASKS)
    planned = "; ".join(does for task, does in TASKS.items() if task not in RUNNABLE_TASKS)
    return Reply(
        text="I fine-tune a pretrained model on your examples, which means: I train it further until it does your "
        "task.\n\n"
        "- **Say what you want** and add a file (CSV, Excel, JSON, Parquet, text or zip). I find the task and the "
        "columns.\n"
        "- **Read the plan.** Every choice has its reason. Change it by saying so: “5 epochs”, “use roberta”, "
        "“faster”.\n"
        "- **Say start.** I train on this machine, show how it goes, and keep the best state. “Stop” and “resume” "
        "work.\n"
        "- **Get a verdict** on rows the model never saw, against simple ways such as counting words.\n"
        "- **Use it:** “try it”, “test it on this file”, “download the model”, “compare run 1 and 2”.\n"
        "- **Ask anything:** “what is an epoch?”, “why this model?”, “is 300 rows enough?”\n\n"
        f"I can train a model that does one of these: {trained}. So far I can plan, but not train, one that {planned}.",
        options=[EXAMPLE, Option(label="Should I fine-tune at all?", say="should I fine-tune at all?")],
    )


def thanks() -> Reply:
    """An answer to thanks and goodbye."""
    return Reply(text="You're welcome. Say what you would like to do next; everything stays as it is until then.")


def how_to_begin() -> Reply:
    """Three short steps for someone who does not know where to begin."""
    return Reply(
        text="I fine-tune a model on your examples; that takes three things. **1.** What goes in: texts, pictures or "
        "recordings? **2.** What should come out: a class "
        "(spam or not), several labels, a number, a text? **3.** A file with examples of both, a few hundred rows if "
        "you "
        "can: for texts a table with the text in one column and the right answer in another.\n\n"
        "What should the model do for you?",
        options=[
            Option(label="Sort texts into classes", say="I want to sort texts into classes"),
            Option(label="Rate texts with a number", say="I want to predict a number from each text"),
            EXAMPLE,
        ],
    )


OUT_OF_SCOPE: dict[str, str] = {
    "image-generation": "I don't train models that make pictures. I can plan models that sort pictures, find things in "
    "them or describe them.",
    "video": "I don't work with video. Single frames, as pictures in a zip, can be sorted; the sound can be "
    "transcribed.",
    "speech-generation": "I don't train models that speak. I can plan models that write down speech or sort "
    "recordings.",
    "music-generation": "I don't train models that make music. I can plan models that sort recordings, by genre for "
    "example.",
    "tabular": "This looks like a table of numbers. Fine-tuning suits texts, pictures and sounds; for numbers in "
    "columns "
    "gradient boosting (scikit-learn's HistGradientBoosting, XGBoost) is better and quicker. If there is also a "
    "column of "
    "texts, I can learn from that.",
    "forecasting": "I don't forecast time series: a statistical model (ARIMA, Prophet) or gradient boosting does that "
    "better. If your rows hold texts, I can learn from those.",
    "reinforcement-learning": "I don't train players or robots. I train models from labelled examples: texts, pictures "
    "or recordings with the right answer beside them.",
    "clustering": "I learn from examples with answers; finding groups without labels is clustering, another tool. If "
    "you "
    "label a few dozen rows by hand, I can sort the rest.",
    "recommender": "I don't train recommenders from clicks and purchases. I can plan a model that finds texts with "
    "similar meaning.",
    "errand": "That is not something I can do: I only fine-tune models on your examples.",
    "not-a-command": "I read that as plain text: I run no commands and show nothing of this machine. I fine-tune "
    "models on "
    "your examples.",
}


def out_of_scope(topic: str) -> Reply:
    """One sentence on what is not done, and what is."""
    text = OUT_OF_SCOPE[topic]
    return Reply(text=f"{text}\n\nWhat should a model learn from your examples?", options=[HELP, EXAMPLE])


def not_understood(options: Sequence[Option], hint: str = "") -> Reply:
    """Ask back, with what would make sense now."""
    return Reply(
        text=f"I'm not sure what you mean. {hint or 'Could you say it in other words?'}".strip(), options=list(options)
    )


#: What acts -> what it would do, in words, and the sentence that asks for it.
_ACTS: dict[str, tuple[str, str]] = {
    "start": ("start the training with the plan at hand", "start"),
    "stop": ("stop the training and keep its best state", "stop the run"),
    "resume": ("go on with the run that was stopped", "resume"),
    "undo": ("take the last change of the plan back", "undo"),
    "fix_data": ("mend what I found in your data", "fix the data"),
    "predict": ("try the model on a text", "try it"),
    "evaluate": ("test the finished model on your other file", "evaluate the model on this file"),
    "export": ("write the model as files to download", "download the model"),
    "publish": ("publish the model on the Hugging Face Hub", "publish the model"),
    "delete_run": ("delete a run", "delete a run"),
    "get_starter": ("download a starter model", "download the starter model"),
}


def did_you_mean(name: str, slots: Mapping[str, Any], runs: Sequence[RunCard]) -> Reply:
    """The second reader took the words for something that acts: only the person's own yes does it."""
    if name not in _ACTS:
        return not_understood([HELP])
    words, say = _ACTS[name]
    number = slots.get("run")
    if number is not None and all(run.number != number for run in runs):
        return no_such_run(number, runs)
    if name == "delete_run" and number is None:
        return which_run(runs, "delete") if runs else no_runs()
    if number is not None:
        words = {"stop": "stop", "resume": "go on with", "delete_run": "delete"}[name] + f" run {number}"
        say = f"{say.split()[0]} run {number}"
    if name == "fix_data" and slots.get("code"):
        say = fix_option({"code": slots["code"]}).say
        words = f"mend your data ({str(slots['code']).replace('-', ' ')})"
    if name == "export" and slots.get("format"):
        words, say = f"{words} ({slots['format']})", f"{say} as {slots['format']}"
    return Reply(
        text=f"I'm not sure I understood. Do you want me to {words}? I do that only when you say so yourself.",
        options=[Option(label=f"Yes, {words.split(' (')[0]}", say=say), NO],
    )


def read_by_second(*, can_undo: bool) -> Reply:
    """The words were unclear, and a second reader took them for this plan."""
    back = "say “undo”, or say it in other words" if can_undo else "say it in other words"
    return Reply(text=f"I was not sure what you mean and asked the second reader. If this is not it, {back}.")


def unknown_model(name: str, close: Sequence[str]) -> Reply:
    """A model's name that nobody knows."""
    if not close:
        return Reply(
            text=f"I know no model called “{safe(name)}”. A Hub id such as `distilbert/distilbert-base-uncased` "
            f"always works. Which one do you mean?"
        )
    return Reply(
        text=f"I know no model called “{safe(name)}”. Did you mean {codes(close, 'or')}?",
        options=[Option(label=name_.rpartition("/")[2], say=f"use {name_}") for name_ in close],
    )


def refused_part(kind: str) -> str:
    """What a chat message can never set."""
    if kind == "path":
        return (
            "I left out the path: models are taken by their name on the Hub, never from a place on this machine's disk."
        )
    return "I never run code that comes with a model; only models that the installed libraries know can be trained."


def concept(pages: Sequence[Concept], extra: str = "", picture: Mapping[str, str] | None = None) -> Reply:
    """One page or two, and what they mean for the plan at hand, or in a run.

    Args:
        picture: {"run": id, "picture": name} of the drawing of a run that belongs to the page.
    """
    text = "\n\n".join(f"**{page.title}**\n\n{page.text}" for page in pages)
    return Reply(
        text=text + (f"\n\n{extra}" if extra else ""),
        card="concept",
        data={"name": pages[0].name, "title": pages[0].title, **(picture or {})},
    )


def base_model(model: Model) -> Reply:
    """A model of the catalog, for someone who asked what it is."""
    languages = "many languages" if model.multilingual else listed(model.languages[:4])
    speaks = f"; languages: {languages}" if model.languages else ""
    does = listed([TASKS[task] for task in model.tasks[:3]])
    return Reply(
        text=f"`{safe(model.id)}` is a pretrained model to start from: {model.size_text} parameters{speaks}; licence "
        f"{safe(model.licence_text)}. From it I can make a model that {does}. It learned from a large amount of "
        "general data; fine-tuning adds your task to that.",
        options=[
            Option(label="Use it", say=f"use {model.id}"),
            Option(label="What is fine-tuning?", say="what is fine-tuning?"),
        ],
    )


def no_page(topic: str) -> Reply:
    """A term without a page."""
    return Reply(
        text=f"I have no page on “{safe(topic)}”. I can explain what stands on the cards: epochs, learning rate, "
        f"LoRA, test rows, baselines, F1 and so on. Which one?",
        options=[
            Option(label="Fine-tuning", say="what is fine-tuning?"),
            Option(label="The plan", say="explain the plan"),
        ],
    )
