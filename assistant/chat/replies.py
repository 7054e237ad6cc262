"""Every sentence the assistant says, as functions of typed values. No decisions are taken here.

Names from outside pass through `wording.safe`; a page escapes the whole once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.advise.catalog import Model
from assistant.chat.explain import Concept
from assistant.chat.turns import FileCard, Option, Reply, RunCard
from assistant.chat.wording import (
    RUNNABLE_TASKS,
    TASKS,
    between,
    choice_name,
    choice_value,
    code,
    codes,
    duration,
    listed,
    many,
    percent,
    problem,
    safe,
    size,
    value_at,
)  # fmt: skip
from recipes.plan import Plan

START = Option(label="Start", say="start")
FASTER = Option(label="Faster", say="faster")
ACCURATE = Option(label="More accurate", say="more accurate")
EXPLAIN = Option(label="Explain", say="explain the plan")
STATUS = Option(label="How is it going?", say="how is it going?")
REPORT = Option(label="Show the report", say="show the report")
TRY = Option(label="Try it", say="try it")
DOWNLOAD = Option(label="Download", say="download the model")
IMPROVE = Option(label="Improve", say="improve the result")
RESUME = Option(label="Resume", say="resume")
CHECK = Option(label="Check my data", say="check my data")
EXAMPLE = Option(label="Spam or not", say="try the spam example")
UNDO = Option(label="Undo", say="undo")
MEASURE = Option(label="Measure first", say="measure first")
NEAREST = Option(label="Take the plan that works", say="take the plan that works")
HELP = Option(label="What can you do?", say="what can you do?")
YES_DELETE = Option(label="Yes, delete it", say="yes, delete it")
NO = Option(label="No", say="no")

#: Rows of the plan's table, in this order.
_SHOWN = (
    "base_model", "method.name", "training.epochs", "training.learning_rate", "training.batch_size",
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


def error(problem: Mapping[str, str], options: Sequence[Option] = ()) -> Reply:
    """What happened, what was expected, how to go on."""
    parts = [problem.get("what", ""), problem.get("expected", ""), problem.get("fix", "")]
    return Reply(
        text=" ".join(safe(part, 600) for part in parts if part),
        card="error",
        data=dict(problem),
        options=list(options),
    )


# ---------------------------------------------------------------- welcome, help, what is not done


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


# ---------------------------------------------------------------- files


def data_card(file: FileCard) -> Reply:
    """What a file holds."""
    profile = file.profile
    rows, columns = int(profile.get("rows") or 0), profile.get("columns") or []
    names = [column.get("name") for column in columns]
    lines = [f"I read {code(file.name)}: {many(rows, 'row')}, {many(len(columns), 'column')} ({codes(names)})."]
    guess = file.guesses[0] if file.guesses else None
    if guess is not None and guess.get("task") and float(guess.get("score", 0)) >= 0.5:
        lines.append(_found(guess))
        lines += _counts(file, guess)
    elif guess is not None:
        lines += [safe(sentence, 400) for sentence in guess.get("evidence", [])[:1]]
    lines += _notes(profile)
    problems = finding_lines(file.findings, 3)
    text = " ".join(lines) + ("\n\n" + "\n".join(problems) if problems else "")
    data = {"file": file.model_dump(mode="json")}
    return Reply(text=text, card="data", data=data, options=[*_plan_it(guess), *guess_options(file), CHECK])


def _plan_it(guess: Mapping[str, Any] | None) -> list[Option]:
    """A button for the likeliest plan, when the data leave little doubt."""
    sure = guess is not None and guess.get("task") in TASKS and float(guess.get("score", 0)) >= 0.6
    return [Option(label="Make a plan", say="make a plan from this file")] if sure else []


def _found(guess: Mapping[str, Any]) -> str:
    columns = guess.get("columns") or {}
    parts = [f"{codes([names] if isinstance(names, str) else names)} as the {role}" for role, names in columns.items()]
    return f"It looks like data for a model that {TASKS.get(str(guess['task']), str(guess['task']))}: {listed(parts)}."


def _counts(file: FileCard, guess: Mapping[str, Any]) -> list[str]:
    columns = guess.get("columns") or {}
    label = columns.get("label") or columns.get("tags")
    column = next((column for column in file.profile.get("columns", []) if column.get("name") == label), None)
    counts: dict[str, int] = (column or {}).get("label_counts") or {}
    if not counts:
        return []
    if columns.get("tags"):
        return _kinds(counts)
    shown = [f"{safe(name, 40)} {count:,}" for name, count in list(counts.items())[:8]]
    more = f" and {len(counts) - 8} more" if len(counts) > 8 else ""
    return [f"Rows by label: {', '.join(shown)}{more}."]


def _kinds(counts: Mapping[str, int]) -> list[str]:
    """The kinds of entities that tags name, with the rows that hold one."""
    begins = {tag[2:]: count for tag, count in counts.items() if tag[:2] in ("B-", "S-", "U-", "B_", "S_", "U_")}
    kinds = begins or {tag.removeprefix("I-"): count for tag, count in counts.items() if tag not in ("O", "o")}
    shown = [f"{safe(name, 40)} {count:,}" for name, count in list(kinds.items())[:10]]
    more = f" and {len(kinds) - 10} more" if len(kinds) > 10 else ""
    return [f"Rows that hold each kind: {', '.join(shown)}{more}."] if shown else []


def _notes(profile: Mapping[str, Any]) -> list[str]:
    return [safe(note, 300) for note in (profile.get("notes") or [])[:2]]


def finding_lines(findings: Sequence[Mapping[str, Any]], most: int) -> list[str]:
    """Findings as a Markdown list."""
    marks = {"error": "**Must be mended:** ", "warning": "**Note:** ", "info": ""}
    lines = [
        f"- {marks.get(str(finding.get('severity')), '')}{safe(finding.get('text', ''), 500)}"
        + (f" {safe(finding['fix'], 300)}" if finding.get("fix") else "")
        for finding in findings[:most]
    ]
    if len(findings) > most:
        lines.append(f"- and {len(findings) - most} more; say “check my data” to see all.")
    return lines


def checked(file: FileCard) -> Reply:
    """The data check in full."""
    profile = file.profile
    rows = int(profile.get("rows") or 0)
    head = f"{code(file.name)} has {many(rows, 'row')} and {many(len(profile.get('columns') or []), 'column')}."
    columns = [_column_line(column) for column in (profile.get("columns") or [])[:20]]
    problems = finding_lines(file.findings, 30)
    found = "**What I found**\n" + "\n".join(problems) if problems else "I found nothing wrong in the rows."
    notes = "".join(f"\n- {note}" for note in _notes(profile))
    fixable = [finding for finding in file.findings if finding.get("fixable")]
    options = [option for finding in fixable[:3] for option in fix_options(finding)]
    return Reply(
        text=f"{head}\n\n**Columns**\n" + "\n".join(columns) + f"\n\n{found}{notes}",
        card="data",
        data={"file": file.model_dump(mode="json"), "full": True},
        options=options,
    )


def fix_options(finding: Mapping[str, Any]) -> list[Option]:
    """The buttons that mend one finding: one for each way to do it."""
    other = Option(label="Set the likely labels", say="correct the wrong labels")
    return [fix_option(finding), *([other] if finding.get("other_fix") == "set-likely-labels" else [])]


def fix_option(finding: Mapping[str, Any]) -> Option:
    """A button that mends one finding."""
    name = str(finding.get("code", "")).replace("-", " ")
    column = (finding.get("change") or {}).get("data.columns.group")
    if column:
        return Option(label=f"Split by {safe(column, 40)}", say=f"fix the {name}")
    if finding.get("other_fix"):
        return Option(label="Leave these rows out", say=f"fix the {name}")
    return Option(label=f"Fix: {name}", say=f"fix the {name}")


def _column_line(column: Mapping[str, Any]) -> str:
    parts = [str(column.get("kind", ""))]
    if column.get("missing"):
        parts.append(f"{int(column['missing']):,} empty")
    if column.get("unique"):
        parts.append(f"{int(column['unique']):,} different")
    counts: dict[str, int] = column.get("label_counts") or {}
    if counts and len(counts) <= 10:
        parts.append(", ".join(f"{safe(name, 30)} {count:,}" for name, count in counts.items()))
    return f"- {code(column.get('name'))}: {', '.join(parts)}"


def no_file_to_check() -> Reply:
    """There is nothing to look at yet."""
    return Reply(text="There is no file to look at yet. Please add one: CSV, Excel, JSON, Parquet, text or a zip.")


def fixed(file: FileCard, before: int, sentence_code: str) -> Reply:
    """A problem of the data was mended."""
    rows = int(file.profile.get("rows") or 0)
    name = sentence_code.replace("-", " ")
    change = f"{before:,} rows became {rows:,}" if rows != before else f"still {many(rows, 'row')}"
    text = f"Done ({safe(name)}): {change}. Your own file is unchanged; I work with a mended copy. "
    text += "Say “undo” to take it back."
    return Reply(
        text=text,
        card="data",
        data={"file": file.model_dump(mode="json"), "note": text},
        options=[option for found in file.findings if found.get("fixable") for option in fix_options(found)][:2],
    )


def unmended(file: FileCard) -> Reply:
    """A mending of the data was taken back."""
    rows = int(file.profile.get("rows") or 0)
    text = f"Taken back: I work with {code(file.name)} as it was before, {many(rows, 'row')}."
    return Reply(text=text, card="data", data={"file": file.model_dump(mode="json"), "note": text})


def nothing_to_fix(findings: Sequence[Mapping[str, Any]]) -> Reply:
    """No finding that can be mended by a click."""
    if not findings:
        return Reply(text="I found nothing in the data that needs mending.")
    return Reply(text="What I found cannot be mended without you:\n" + "\n".join(finding_lines(findings, 8)))


def which_fix(findings: Sequence[Mapping[str, Any]]) -> Reply:
    """Several findings could be meant."""
    return Reply(
        text="Which of these should I fix?\n" + "\n".join(finding_lines(findings, 8)),
        options=[option for finding in findings[:4] for option in fix_options(finding)],
    )


# ---------------------------------------------------------------- asking for what is missing

_WANTED: dict[str, str] = {
    "text-classification": "a file with one column of texts and one column with the right label (or number) for each",
    "token-classification": "a JSONL or CoNLL file with the words of each sentence and a tag for each word",
    "question-answering": "a JSONL file with question, context and answers",
    "text2text-generation": "a file with two columns: the text that goes in and the text that should come out",
    "text-generation": "a file of chats (messages), of questions and answers in two columns, or plain text to learn "
    "a style",
    "preference-tuning": "a file with prompt, chosen and rejected answer",
    "sentence-similarity": "a file with two sentences in a row and a score of how close they are",
    "image-classification": "a zip with one folder of pictures for each class",
    "object-detection": "a zip of pictures with a file that lists the boxes in each",
    "image-segmentation": "a zip of pictures and their masks",
    "image-text-to-text": "a zip of pictures with a file that gives question and answer (or description) for each",
    "audio-classification": "a zip with one folder of recordings for each class",
    "automatic-speech-recognition": "a zip of recordings with a file that gives the spoken text for each",
}


def ask_for_file(task: str, plan: Plan, kept: Sequence[str], refused: bool = False) -> Reply:
    """A request without data: one sentence on the file that is needed."""
    does = TASKS[task]
    text = f"A model that {does}: that is {task.replace('-', ' ')}, and I can plan it. "
    if refused:
        text += f"I need a file that I can read: {_WANTED[task]}."
    else:
        text += f"Please upload your data: {_WANTED[task]}. A few hundred rows are a good start"
        text += ", or try the spam example first." if task == "text-classification" else "."
    if kept:
        text += f" I have noted: {listed(kept)}."
    options = [EXAMPLE] if task == "text-classification" else []
    return Reply(text=text, card=None, data={"plan": plan.model_dump(mode="json")}, options=options)


def ask_what(file: FileCard | None) -> Reply:
    """Neither the words nor the data say what should be learned."""
    if file is None:
        return Reply(
            text="Gladly. What should it learn? Tell me what goes in and what should come out, and upload a file with "
            "examples of both: “sort my e-mails into spam and not spam”, say.",
            options=[
                Option(label="Sort texts into classes", say="I want to sort texts into classes"),
                Option(label="Sort pictures", say="I want to sort pictures into classes"),
                Option(label="Write down speech", say="I want to turn speech into text"),
            ],
        )
    return Reply(text=f"What should a model learn from {code(file.name)}?", options=guess_options(file))


def guess_options(file: FileCard) -> list[Option]:
    """One button for each thing that the data could be used for."""
    options: list[Option] = []
    for guess in file.guesses[:4]:
        label = (guess.get("columns") or {}).get("label")
        if guess.get("task") == "text-classification" and isinstance(label, str):
            options.append(column_option(label))
        elif guess.get("task") in TASKS:
            options.append(
                Option(label=_capital(TASKS[guess["task"]]), say=f"I want a model that {TASKS[guess['task']]}")
            )
    return list({option.say: option for option in options}.values())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def column_option(name: str, role: str = "label") -> Option:
    """A button that names a column."""
    return Option(label=safe(name, 40), say=f"use the column {' '.join(name.split())[:100]} as the {role}")


def ask_which_label(file: FileCard, labels: Sequence[str]) -> Reply:
    """Several columns could be the answer."""
    return Reply(
        text=f"What should the model learn from {code(file.name)}: {codes(labels, 'or')}?",
        options=[column_option(name) for name in labels[:5]],
    )


def labels_missing(file: FileCard, task: str, evidence: str) -> Reply:
    """The data lack the answers."""
    if task.startswith(("image", "audio")):
        need = "Put the files of each class into a folder with its name (cats/…, dogs/…) and zip the folders."
    else:
        need = (
            "Add a column with the right label or category for each row (50 rows a class are a good start), then "
            "upload it again."
        )
    why = safe(evidence, 300) if evidence else "No column says which class each row belongs to."
    return Reply(
        text=f"To learn {task.replace('-', ' ')} I need examples with answers. In {code(file.name)}: {why} {need} "
        "We go on as soon as you have them."
    )


def does_not_fit(file: FileCard, task: str) -> Reply:
    """The file holds no data for the task that the words ask for."""
    best = next((guess for guess in file.guesses if guess.get("task") in TASKS), None)
    text = f"For a model that {TASKS[task]} I need {_WANTED[task]}; {code(file.name)} does not look like that."
    if best:
        text += f" It looks like data for a model that {TASKS[best['task']]}. What would you like?"
    return Reply(text=text, options=guess_options(file))


def honest(text: str) -> Reply:
    """Something other than fine-tuning may be the better tool."""
    return Reply(text=f"First, honestly: {text}")


def hub_dataset(name: str, task: str | None, plan: Plan, kept: Sequence[str]) -> Reply:
    """A data set of the Hub was named."""
    does = f", for a model that {TASKS[task]}" if task else ""
    text = (
        f"{code(name)} is a data set on the Hugging Face Hub{does}. I have put it into the plan, and read its rows "
        "from there where a network is."
    )
    if kept:
        text += f" I have noted: {listed(kept)}."
    if task is None:
        text += " What should the model learn from it?"
    return Reply(text=text, data={"plan": plan.model_dump(mode="json")})


def noted(plan: Plan, paths: Sequence[str]) -> list[str]:
    """Wishes in words: "Epochs 3"."""
    return [f"{choice_name(path).lower()} {choice_value(path, value_at(plan, path), plan)}" for path in paths]


# ---------------------------------------------------------------- the plan


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
        text += f"\n\nThe nearest plan that can run: {listed(parts)}. Everything else stays as it is."
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


def changes(before: Plan, after: Plan, paths: Sequence[str]) -> str:
    """What changed, from what to what, in one line."""
    parts = []
    for path in paths:
        old, new = value_at(before, path), value_at(after, path)
        parts.append(f"{choice_name(path)}: {choice_value(path, old, before)} → {choice_value(path, new, after)}")
    return "Changed: " + "; ".join(parts) + "." if parts else "Nothing had to change: the plan already is like that."


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


# ---------------------------------------------------------------- runs


def no_runs() -> Reply:
    """There is no run at all."""
    return Reply(text="There are no runs yet. When a plan is ready and you say “start”, the first one begins.")


def no_such_run(spoken: object, runs: Sequence[RunCard]) -> Reply:
    """A run that does not exist."""
    known = listed([f"run {run.number}" for run in runs[-8:]])
    return Reply(text=f"There is no run {safe(spoken)}. I know {known}." if runs else no_runs().text)


def no_finished_run(runs: Sequence[RunCard], what: str) -> Reply:
    """Something that needs a finished model was asked for."""
    live = next((run for run in reversed(runs) if run.status in ("queued", "running")), None)
    if live is not None:
        return Reply(
            text=f"Run {live.number} is still {_STATUS[live.status]}; when it has finished you can {what}.",
            options=[STATUS],
        )
    return Reply(text=f"There is no finished model yet. Once a run has finished you can {what}.")


_STATUS = {
    "queued": "waiting for its turn",
    "running": "running",
    "finished": "finished",
    "failed": "failed",
    "cancelled": "stopped",
    "interrupted": "interrupted",
}


def run_began(run: RunCard) -> Reply:
    """The live card of a run."""
    text = (
        f"Run {run.number} is {_STATUS.get(run.status, run.status)}. I tell you here when it ends; “how is it "
        f"going?” and “stop” work at any time."
    )
    return Reply(
        text=text,
        card="run",
        data={"run": run.id},
        options=[STATUS, Option(label="Stop", say=f"stop run {run.number}")],
    )


def run_status(run: RunCard, view: Mapping[str, Any]) -> Reply:
    """How a run stands."""
    status = _STATUS.get(run.status, run.status)
    parts = [f"Run {run.number} is {status}"]
    if run.status == "running":
        phase = str(view.get("phase_text") or view.get("phase") or "")
        if phase:
            parts[0] += f": {safe(phase, 120)}"
        if view.get("total_steps"):
            parts.append(f"step {int(view.get('step') or 0):,} of {int(view['total_steps']):,}")
        if view.get("eta_seconds") is not None:
            parts.append(f"about {duration(view['eta_seconds'])} to go")
        last = _last_figures(view.get("curves") or {})
        if last:
            parts.append(last)
    elif view.get("seconds"):
        parts.append(f"it worked for {duration(view['seconds'])}")
    options = {
        "running": [STATUS, Option(label="Stop", say=f"stop run {run.number}")],
        "queued": [STATUS, Option(label="Stop", say=f"stop run {run.number}")],
        "finished": [REPORT, TRY],
        "cancelled": [RESUME],
        "interrupted": [RESUME],
        "failed": [Option(label="Why?", say="why did it stop?")],
    }
    return Reply(text=", ".join(parts) + ".", options=options.get(run.status, []))


def _last_figures(curves: Mapping[str, Any]) -> str:
    shown = []
    for name, points in curves.items():
        if name.startswith("validation/") and points:
            metric = name.partition("/")[2]
            shown.append(f"{metric} {points[-1][1]:.3f} on the validation rows")
    return listed(shown[:2])


def stopping(run: RunCard) -> Reply:
    """A stop was wished."""
    if run.status == "cancelled":
        return Reply(
            text=f"Run {run.number} is stopped. Its best state so far is kept; “resume” goes on with it.",
            options=[RESUME],
        )
    return Reply(text=f"Run {run.number} stops at its next step and keeps its best state. Say “resume” to go on later.")


def cancelled(run: RunCard, view: Mapping[str, Any]) -> Reply:
    """A run was stopped, or was interrupted."""
    if run.status == "interrupted":
        text = (
            f"Run {run.number} was interrupted (the computer or the process went away). It can go on from its "
            f"last checkpoint."
        )
        return Reply(text=text, options=[RESUME])
    kept = " The best state so far is kept and can be tried." if view.get("model_kept") else ""
    options = [RESUME, TRY, DOWNLOAD] if view.get("model_kept") else [RESUME]
    return Reply(text=f"Run {run.number} is stopped.{kept} Say “resume” to go on where it left off.", options=options)


def failed(run: RunCard, view: Mapping[str, Any]) -> Reply:
    """A run failed: what, expected, fix."""
    failure = view.get("failure") or {}
    what = failure.get("what") or "It ended without a word about why."
    parts = [f"Run {run.number} failed. {safe(what, 600)}"]
    parts += [safe(failure[key], 600) for key in ("expected", "fix") if failure.get(key)]
    options = (
        [Option(label="What does that mean?", say=f"what does {failure['code']} mean?")] if failure.get("code") else []
    )
    data = {
        "run": run.id,
        **{key: str(failure.get(key) or "") for key in ("code", "expected", "fix")},
        "what": f"Run {run.number} failed. {what}",
    }
    return Reply(
        text=" ".join(parts), card="error", data=data, options=[*options, Option(label="Start again", say="start")]
    )


def run_list(runs: Sequence[RunCard]) -> Reply:
    """All runs as a table."""
    lines = ["| Run | What | State |", "|---|---|---|"]
    lines += [
        f"| {run.number} | {safe(run.title or run.task, 60)} | {_STATUS.get(run.status, run.status)} |"
        for run in runs[-30:]
    ]
    more = f"\n\nThe oldest {len(runs) - 30} are not shown." if len(runs) > 30 else ""
    data = {"runs": [run.model_dump(mode="json") for run in runs[-30:]]}
    finished = [run for run in runs if run.status == "finished"]
    options = [REPORT] if finished else []
    if len(finished) > 1:
        options.append(
            Option(label="Compare the last two", say=f"compare run {finished[-2].number} and run {finished[-1].number}")
        )
    return Reply(text="\n".join(lines) + more, card="runs", data=data, options=options)


def ask_delete(run: RunCard) -> Reply:
    """Deleting needs a yes."""
    return Reply(
        text=f"Delete run {run.number} ({safe(run.title or run.task, 60)}) with its model, report and data copy? "
        f"This cannot be undone. Say yes to delete it.",
        options=[YES_DELETE, NO],
    )


def which_run(runs: Sequence[RunCard], verb: str) -> Reply:
    """Several runs could be meant."""
    return Reply(
        text=f"Which run should I {verb}?",
        options=[Option(label=f"Run {run.number}", say=f"{verb} run {run.number}") for run in runs[-5:]],
    )


def deleted(number: object) -> Reply:
    """A run is gone."""
    return Reply(text=f"Run {safe(number)} is deleted.")


def comparing(runs: Sequence[RunCard]) -> Reply:
    """A comparison is being made."""
    return Reply(text=f"Comparing {listed([f'run {run.number}' for run in runs])}.")


def compare_needs_two(runs: Sequence[RunCard]) -> Reply:
    """Fewer than two finished runs."""
    finished = sum(run.status == "finished" for run in runs)
    return Reply(
        text=f"A comparison needs two finished runs; there {'is' if finished == 1 else 'are'} {finished or 'none'}. "
        f"Change the plan and start another run, then I compare them."
    )


# ---------------------------------------------------------------- the model


def try_now(run: RunCard) -> Reply:
    """The next plain text, or the next picture or recording, is an input."""
    what = {"image": "add a picture", "audio": "add a recording"}.get(run.task.partition("-")[0], "type a text")
    what = "add a recording" if run.task == "automatic-speech-recognition" else what
    return Reply(
        text=f"Run {run.number} is ready to be tried: {what} and I tell you what the model says. Say “stop” "
        f"when you are done."
    )


def predictions(found: Sequence[Mapping[str, Any]]) -> Reply:
    """What the model says to one or more inputs."""
    lines = [_prediction(one) for one in found[:20]]
    return Reply(
        text="\n\n".join(lines) or "The model gave no answer.", card="prediction", data={"predictions": list(found)}
    )


def _prediction(one: Mapping[str, Any]) -> str:
    answer, scores = one.get("prediction"), one.get("scores") or {}
    if "untuned" in one:
        return _written(one)
    if isinstance(answer, list) and not scores:
        return _entities(answer)
    if isinstance(answer, list):
        shown = listed([f"**{safe(name)}**" for name in answer]) or "**none of the labels**"
        most = sorted(scores.items(), key=lambda pair: -pair[1])[:5]
        return f"{shown} ({', '.join(f'{safe(name, 40)} {percent(value, 0)}' for name, value in most)})."
    if isinstance(answer, (int, float)) and not isinstance(answer, bool) and not scores:
        return f"The model says **{answer:.3g}**."
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    top = ranked[0][1] if ranked else None
    sure = "" if top is None else f", {percent(top, 0)} sure"
    rest = ", ".join(f"{safe(name, 40)} {percent(value, 0)}" for name, value in ranked[1:5])
    close = " That is close to a guess." if top is not None and len(ranked) > 1 and top - ranked[1][1] < 0.1 else ""
    return f"**{safe(answer)}**{sure}{f' ({rest})' if rest else ''}.{close}"


def _entities(answer: Sequence[Mapping[str, Any]]) -> str:
    """What was found in a text, one after the other."""
    found = [f"**{safe(each['text'], 80)}**: {safe(each['label'], 40)} ({percent(float(each['score']), 0)} sure)"
             for each in answer[:30]]  # fmt: skip
    more = f" And {len(answer) - 30} more." if len(answer) > 30 else ""
    return f"{'; '.join(found)}.{more}" if found else "I found nothing to mark in this text."


def _written(one: Mapping[str, Any]) -> str:
    """What a model writes, and what it wrote before the tuning."""
    said = f"**The tuned model:** {safe(one.get('prediction') or 'nothing', 2000)}"
    before = one.get("untuned")
    return said if before is None else f"{said}\n\n**Before the tuning:** {safe(before or 'nothing', 2000)}"


def trying_over() -> Reply:
    """Trying was ended."""
    return Reply(text="All right, no more inputs. What next?", options=[REPORT, IMPROVE, DOWNLOAD])


def evaluating(run: RunCard, file: FileCard) -> Reply:
    """A file is being scored."""
    return Reply(text=f"Scoring run {run.number} on {code(file.name)} ({many(file.profile.get('rows') or 0, 'row')}).")


def ask_evaluation_file() -> Reply:
    """There is no file to score on."""
    return Reply(
        text="Please add the file to test on: it needs the same columns as the training file, with the right answers."
    )


def exporting(form: str) -> Reply:
    """Files are being written."""
    named = {"adapter": "the adapter", "merged": "the whole model", "onnx": "ONNX", "gguf": "GGUF"}[form]
    return Reply(text=f"Writing the files ({named}).")


def files(found: Sequence[Mapping[str, Any]], form: str) -> Reply:
    """Exported files."""
    total = sum(float(one.get("bytes") or 0) for one in found)
    names = ", ".join(f"{code(one.get('name'))} ({size(one.get('bytes'))})" for one in found[:12])
    where = str(found[0].get("path", "")) if found else ""
    folder = where[: -len(str(found[0].get("name", "")))].rstrip("/\\") if found else ""
    text = f"The model is ready ({form}, {size(total)}): {names}."
    if folder:
        text += f" The files are in {code(folder, 300)}."
    return Reply(text=text, card="files", data={"files": list(found)})


def gguf_not_for(task: str) -> Reply:
    """GGUF holds language models only."""
    return Reply(
        text=f"GGUF (for Ollama and llama.cpp) holds language models that write; this model does "
        f"{task.replace('-', ' ')}. "
        "I can export it as the whole model (transformers) or as ONNX.",
        options=[Option(label="Whole model", say="download the model"), Option(label="ONNX", say="export as onnx")],
    )


def ask_publish(run: RunCard, repo: str | None, kind: str) -> Reply:
    """Publishing needs a yes."""
    what = "a demo page (Space)" if kind == "space" else "the model"
    where = f" as {code(repo)}" if repo else ""
    return Reply(
        text=f"Put {what} of run {run.number} on the Hugging Face Hub{where}? Others may then be able to see it. It "
        f"needs your login (HF_TOKEN). Say yes to go on.",
        options=[Option(label="Yes, publish it", say="yes"), NO],
    )


# ---------------------------------------------------------------- explanations


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
        f"{safe(model.licence)}. From it I can make a model that {does}. It learned from a large amount of general "
        "data; fine-tuning adds your task to that.",
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
