"""Sentences about a file: what it holds, what is wrong with it, and what it is still to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.chat.buttons import CHECK, UNDO
from assistant.chat.turns import FileCard, Option, Reply
from assistant.chat.wording import (
    TASKS,
    code,
    codes,
    listed,
    many,
    safe,
)  # fmt: skip
from recipes.plan import Plan


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
    options = [option for finding in fixable[:3] for option in fix_options(finding)] + fix_all_option(fixable)
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


def fix_all_option(findings: Sequence[Mapping[str, Any]]) -> list[Option]:
    """A button that mends at once all that needs no second thought; none where it would mend less than two things."""
    sure = [finding for finding in findings if safe_to_fix(finding)]
    return [Option(label=f"Fix these {len(sure)} things", say="fix everything")] if len(sure) > 1 else []


def safe_to_fix(finding: Mapping[str, Any]) -> bool:
    """Whether a finding is a fact about the rows and is mended in them: no suspicion, no choice, no change of plan."""
    return bool(finding.get("fixable")) and not finding.get("other_fix") and not finding.get("change")


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
    done = f" {safe(file.mended, 900)}" if file.mended else ""
    what = "" if name == "everything" else f" ({safe(name)})"
    text = f"Done{what}: {change}.{done} Your own file is unchanged; I work with a mended copy. "
    text += "Say “undo” to take it back."
    others = [option for found in file.findings if found.get("fixable") for option in fix_options(found)][:2]
    return Reply(
        text=text,
        card="data",
        data={"file": file.model_dump(mode="json"), "note": text, "brief": True},
        options=[*others, *fix_all_option(file.findings), UNDO],
    )


def unmended(file: FileCard) -> Reply:
    """A mending of the data was taken back."""
    rows = int(file.profile.get("rows") or 0)
    text = f"Taken back: I work with {code(file.name)} as it was before, {many(rows, 'row')}."
    data = {"file": file.model_dump(mode="json"), "note": text, "brief": True}
    return Reply(text=text, card="data", data=data)


def nothing_to_fix(findings: Sequence[Mapping[str, Any]]) -> Reply:
    """No finding that can be mended by a click."""
    if not findings:
        return Reply(text="I found nothing in the data that needs mending.")
    return Reply(text="What I found cannot be mended without you:\n" + "\n".join(finding_lines(findings, 8)))


def which_fix(findings: Sequence[Mapping[str, Any]]) -> Reply:
    """Several findings could be meant."""
    return Reply(
        text="Which of these should I fix?\n" + "\n".join(finding_lines(findings, 8)),
        options=[*fix_all_option(findings), *(option for finding in findings[:4] for option in fix_options(finding))],
    )


_WANTED: dict[str, str] = {
    "text-classification": "a file with one column of texts and one column with the right label (or number) for each",
    "token-classification": "a JSONL or CoNLL file with the words of each sentence and a tag for each word",
    "question-answering": "a JSONL file with question, context and answers",
    "text2text-generation": "a file with two columns: the text that goes in and the text that should come out",
    "text-generation": "a file of chats (messages), of questions and answers in two columns, or plain text to learn "
    "a style",
    "preference-tuning": "a file with prompt, chosen and rejected answer",
    "sentence-similarity": "a file with two texts in a row, with a score of how close they are if you have one",
    "image-classification": "a zip with one folder of pictures for each class",
    "object-detection": "a zip of pictures with a file that lists the boxes in each",
    "image-segmentation": "a zip of pictures and their masks",
    "image-text-to-text": "a zip of pictures with a file that gives question and answer (or description) for each",
    "audio-classification": "a zip with one folder of recordings for each class",
    "automatic-speech-recognition": "a zip of recordings with a file that gives the spoken text for each",
}


#: A task -> (the shipped example that shows it, what its button says).
_EXAMPLES = {
    "text-classification": ("spam", "Spam or not"),
    "token-classification": ("addresses", "Parts of an address"),
    "question-answering": ("answers", "Answers in notices"),
    "sentence-similarity": ("alike", "Commands by their meaning"),
    "image-classification": ("clothes", "Kinds of clothes"),
    "audio-classification": ("commands", "Spoken commands"),
    "automatic-speech-recognition": ("accent", "An accent"),
}


def ask_for_file(task: str, plan: Plan, kept: Sequence[str], refused: bool = False) -> Reply:
    """A request without data: one sentence on the file that is needed."""
    does = TASKS[task]
    text = f"A model that {does}: that is {task.replace('-', ' ')}, and I can plan it. "
    if refused:
        text += f"I need a file that I can read: {_WANTED[task]}."
    else:
        text += f"Please upload your data: {_WANTED[task]}. A few hundred rows are a good start"
        text += f", or try the {_EXAMPLES[task][0]} example first." if task in _EXAMPLES else "."
    if kept:
        text += f" I have noted: {listed(kept)}."
    name, label = _EXAMPLES.get(task, ("", ""))
    options = [Option(label=label, say=f"try the {name} example")] if name else []
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
