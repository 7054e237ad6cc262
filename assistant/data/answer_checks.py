"""Checks of questions with a text each: answers that do not stand in their text, and questions that have none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from assistant.data.findings import (
    Check,
    Finding,
    View,
    cell_text,
    column_list,
    counted,
    first_rows,
    share_of,
    some_examples,
)

TASK = "question-answering"


def answers_of(cell: Any) -> list[str]:
    """The answers in a cell, in words: of SQuAD's record, of a list of texts or of records, or of a text."""
    if isinstance(cell, dict):
        return answers_of(next((cell[name] for name in ("text", "answer", "answer_text") if name in cell), None))
    if isinstance(cell, list):
        return [answer for item in cell for answer in answers_of(item)]
    words = cell_text(cell).strip()
    if words.startswith(("{", "[")):  # JSON in a cell of a table
        try:
            return answers_of(json.loads(words))
        except ValueError:
            return [words]
    return [words] if words else []


def rows_of(view: View) -> list[tuple[str, list[str]]]:
    """Text and answers of each row; empty where the rows are no questions about texts."""
    columns = [column_list(view.guess.columns, role) for role in ("context", "answers")]
    if view.guess.task != TASK or not all(names and names[0] in view.table.columns for names in columns):
        return []
    contexts, cells = (view.table.frame[names[0]].tolist() for names in columns)
    return [(cell_text(text), answers_of(cell)) for text, cell in zip(contexts, cells, strict=True)]


def not_found(view: View) -> Iterable[Finding]:
    """Answers that do not stand in their text word for word."""
    rows = rows_of(view)
    wrong = [row for row, (text, answers) in enumerate(rows)
             if answers and not any(answer.lower() in text.lower() for answer in answers)]  # fmt: skip
    if wrong:
        yield Finding(
            code="answer-not-in-text",
            severity="warning",
            rows=first_rows(wrong),
            count=len(wrong),
            text=f"{counted(len(wrong), 'answer does', 'answers do')} not stand in the text of the row word for word "
            f"({share_of(len(wrong), view.rows)}). A model that marks answers cannot learn from these rows; they are "
            "left out.",
            fix="Copy the answers from the texts as they stand there. If they are meant to be written freely, ask for "
            "a language model that answers questions instead.",
            examples=some_examples(rows[row][1][0] for row in wrong),
        )


def without(view: View) -> Iterable[Finding]:
    """Questions whose answer is left empty: the model learns to say that there is none."""
    rows = rows_of(view)
    empty = [row for row, (_, answers) in enumerate(rows) if not answers]
    if empty and len(empty) < len(rows):
        yield Finding(
            code="no-answer-given",
            severity="info",
            rows=first_rows(empty),
            count=len(empty),
            text=f"{counted(len(empty), 'question has', 'questions have')} no answer "
            f"({share_of(len(empty), view.rows)}). They are taken to mean that the text does not answer "
            "them, and the model learns to say so.",
            fix="Nothing has to be done if that is meant; else add the answers, or take the rows out.",
        )


CHECKS: tuple[Check, ...] = (not_found, without)
