"""Text classification: which column holds the texts, which the labels, and what kind of labels they are."""

from __future__ import annotations

import re

from assistant.data import names
from assistant.data.guesses import MULTI, REGRESSION, SINGLE, TaskGuess, named, texts_of
from assistant.data.names import key_of
from assistant.data.profile import ColumnProfile, Profile


def classification(profile: Profile) -> list[TaskGuess]:
    """Guesses that the table is for text classification, the likeliest label column first; empty without texts."""
    if any(column.kind in ("image", "audio", "messages") for column in profile.columns):
        return []
    text = text_column(profile)
    if text is None:
        return []
    columns = text_columns(profile, text)
    used = set(columns)
    labels = [c for c in profile.columns if c.name not in used and label_score(c, profile) > 0]
    flags = _flag_columns(profile, used)
    guesses = [guess for label in labels for guess in _label_guesses(profile, columns, label)] if not flags else []
    if flags:
        says = f"{', '.join(flags[:6])} are {len(flags)} columns of 0 and 1, one for each label."
        guesses.append(
            TaskGuess(task="text-classification", problem=MULTI, columns={"text": _one(columns), "label": flags},
                      score=0.85, evidence=[f"{columns[-1]} holds the texts.", says])
        )  # fmt: skip
    guesses.sort(key=lambda guess: -guess.score)
    return guesses[:4]


def _one(columns: list[str]) -> str | list[str]:
    return columns[0] if len(columns) == 1 else columns


def text_column(profile: Profile) -> ColumnProfile | None:
    """The column to read: long, and named like a text."""
    texts = texts_of(profile)
    if not texts:  # words to sort, as names by language
        texts = [
            c for c in profile.columns if c.kind == "id" and re.search("[a-z]", "".join(c.examples), re.IGNORECASE)
        ]
        texts += [c for c in profile.columns if c.kind == "category" and key_of(c.name) in names.TEXT]
    return max(texts, key=_text_score, default=None)


def _text_score(column: ColumnProfile) -> float:
    key = key_of(column.name)
    named = key in names.TEXT or any(word in names.TEXT for word in key.split("_"))
    title = key in names.TITLE
    return (2.0 if named and not title else 1.0 if title else 0.0) + min(column.mean_length, 400) / 200


def text_columns(profile: Profile, text: ColumnProfile) -> list[str]:
    """The text column, with its subject or title before it where there is one."""
    if key_of(text.name) not in names.BODY:
        return [text.name]
    title = named(profile, names.TITLE[:3], ("text",))
    return [title.name, text.name] if title and title is not text else [text.name]


def label_score(column: ColumnProfile, profile: Profile) -> float:
    """How much a column looks like what is to be predicted; 0: it cannot be."""
    values = column.unique
    key = key_of(column.name)
    last = profile.columns[-1] is column
    if values < 2 and column.kind != "list" and not last and key not in names.LABEL:
        return 0.0
    labelled = max(1, profile.rows - column.missing)
    words = set(key.split("_"))
    if column.kind in ("category", "boolean", "list"):
        if column.kind == "list" and not column.label_counts:
            return 0.0
        score = 0.45
    elif column.kind == "number":
        score = 0.35
    else:
        return 0.0
    if key in names.LABEL:
        score += 0.4
    elif key in names.RATING:
        score += 0.35
    elif names.is_origin(column.name):
        return score  # who said it is seldom the question
    elif key in names.LESSER:
        score += 0.05
    elif words & {*names.LABEL, *names.RATING}:
        score += 0.3
    else:
        score += 0.15 if column.kind != "number" else 0.0
    score -= 0.15 if values < 2 or (column.kind == "category" and values > 0.2 * labelled) else 0.0
    score += 0.05 if last else 0.0
    return score


def _label_guesses(profile: Profile, texts: list[str], label: ColumnProfile) -> list[TaskGuess]:
    score = min(0.95, label_score(label, profile) + 0.05)
    columns: dict[str, str | list[str]] = {"text": _one(texts), "label": label.name}
    reads = f"{' and '.join(texts)} hold{'s' if len(texts) == 1 else ''} the texts."
    if label.kind == "list":
        says = f"{label.name} holds {len(label.label_counts)} labels, several in {label.multiple:.0%} of the rows."
        return [
            TaskGuess(task="text-classification", problem=MULTI, columns=columns, score=score, evidence=[reads, says],
                      label_separator=label.separator)
        ]  # fmt: skip
    single = f"{label.name} holds {label.unique} different values that come back again and again."
    number = f"{label.name} holds numbers with {label.unique} different values."
    makes: list[tuple[str, float, str]] = []
    if label.kind != "number":
        makes.append((SINGLE, score, single))
    elif _are_classes(label):
        makes += [(SINGLE, score, single), (REGRESSION, score - 0.08, number)]
    else:
        makes.append((REGRESSION, score, number))
    return [
        TaskGuess(task="text-classification", problem=problem, columns=columns, score=round(value, 3),
                  evidence=[reads, says])
        for problem, value, says in makes
    ]  # fmt: skip


def problem_of(label: ColumnProfile) -> str:
    """What kind of answer a column of labels is: one class, several labels, or a number."""
    if label.kind == "list":
        return MULTI
    return REGRESSION if label.kind == "number" and not _are_classes(label) else SINGLE


def _are_classes(label: ColumnProfile) -> bool:
    """Whole numbers are classes when they are few; a rating with many steps is a quantity."""
    key = key_of(label.name)
    most = 5 if key in names.RATING else 20 if key in names.LABEL else 10
    return label.whole_numbers and label.unique <= most


def _flag_columns(profile: Profile, used: set[str]) -> list[str]:
    """Three or more columns that hold only 0 and 1: one column for each label."""
    flags = [
        column.name
        for column in profile.columns
        if column.name not in used and column.kind in ("number", "boolean") and column.label_counts
        and {value.lower() for value in column.label_counts} <= {"0", "1", "0.0", "1.0", "true", "false"}
    ]  # fmt: skip
    return flags if len(flags) >= 3 else []
