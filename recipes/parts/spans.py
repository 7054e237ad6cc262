"""Questions with the text that holds their answer: read from rows in the shapes of SQuAD, checked, and divided by text.

study, asked = read_study(plan, run)
asked.questions, asked.contexts, asked.answers      of every row; study.train, .validation, .test: which of them

An answer is a place in its text, in characters. A question whose answer does not stand in the text has none.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import copies, data, metrics
from recipes.parts.context import RunContext
from recipes.parts.data import Record, Warn
from recipes.parts.errors import RecipeError
from recipes.parts.splits import CannotSplit
from recipes.parts.study import Goal, Study, divide
from recipes.plan import Plan

ROLES = ("question", "context", "answers")
METRICS = ("answer_f1", "exact_match")  # the first decides where the plan names none of them
OUTPUTS = ["start", "end"]  # what the last layer says of each token
TEXT, START = ("text", "answer", "answer_text", "value"), ("answer_start", "start", "answer_offset", "start_char")
NONE_SAID = "is_impossible"

Place = tuple[int, int]  #: first character of an answer, and the one after its last
Given = tuple[str, int | None]  #: an answer as a row has it: its words, and where they begin, if it says so


@dataclass(frozen=True)
class Asked:
    """Questions about texts.

    Attributes:
        answers: right answers to each, as places in its text; none where the text does not hold one.
        numbers: the row's number in its file, from 1.
        groups: shape (rows,): what the person's own group column holds, else None.
    """

    questions: list[str]
    contexts: list[str]
    answers: list[list[Place]]
    numbers: list[int]
    groups: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def has_answer(self) -> NDArray[np.bool_]:
        """Shape (rows,)."""
        return np.array([bool(each) for each in self.answers], dtype=np.bool_)

    def right(self, row: int) -> list[str]:
        """The right answers to a question, in words."""
        return [self.contexts[row][start:end] for start, end in self.answers[row]]

    def families(self, rows: Sequence[int]) -> list[Any]:
        """What makes some rows depend on each other: their group, or the text that they ask about."""
        return [self.contexts[row] if self.groups is None else self.groups[row] for row in rows]

    def and_then(self, more: Asked) -> Asked:
        """These rows, then those."""
        return Asked(
            self.questions + more.questions,
            self.contexts + more.contexts,
            self.answers + more.answers,
            self.numbers + more.numbers,
            None if self.groups is None or more.groups is None else self.groups + more.groups,
        )


# Rows


def read_study(plan: Plan, run: RunContext) -> tuple[Study, Asked]:
    """Read the plan's questions and set test questions aside, before anything is trained.

    Returns:
        The study: its rows are the questions; and all questions with their texts and answers.

    Raises:
        RecipeError: the data cannot be used. splits.CannotSplit: they cannot be divided.
    """
    source, test_source = plan.data.source or "", plan.data.test_source
    records = data.read_records(source, run.directory, "train")
    asked = asked_rows(records, plan, run.warn, plan.data.name or source, run.note)
    _check_answers(asked)
    own = None
    if test_source:
        records = data.read_records(test_source, run.directory, "test")
        own = asked_rows(records, plan, run.warn, plan.data.test_name or test_source, run.note)
    else:
        _check_texts(asked)
    split = plan.changed({"problem": metrics.SINGLE, "evaluation.metric": None})
    study = divide(_rows(asked), None if own is None else _rows(own), split, run, same_texts)
    every = asked if own is None else asked.and_then(own)
    wished = {"f1": "answer_f1"}.get(plan.evaluation.metric or "", plan.evaluation.metric)
    goal = Goal(metrics.SINGLE, OUTPUTS, wished if wished in METRICS else METRICS[0], False, plan.training.seed)
    return dataclasses.replace(study, goal=goal), every


def _rows(asked: Asked) -> data.Rows:
    """Texts, with whether they answer their question: both kinds go to every side in proportion."""
    labels = asked.has_answer.astype(np.int64)
    return data.Rows(
        asked.contexts, labels, ["no answer", "answer"], np.array(asked.numbers, dtype=np.int64), asked.groups
    )


def same_texts(contexts: Sequence[str]) -> tuple[copies.Rows, list[str]]:
    """Number texts so that equal and nearly equal ones share a number: all questions about one stay on one side."""
    place: dict[str, int] = {}
    which = np.array([place.setdefault(text, len(place)) for text in contexts], dtype=np.intp)
    numbers, notes = copies.find_copies(list(place))
    if len(place) < len(contexts):
        notes.insert(0, f"{len(contexts):,} questions are about {len(place):,} different texts; all questions about a "
                     "text stay on one side of the split.")  # fmt: skip
    return numbers[which], notes


def asked_rows(
    records: list[Record], plan: Plan, warn: Warn, file_name: str, note: Any = lambda _text: None
) -> Asked:  # fmt: skip
    """Questions of records; those that cannot be used are left out, and counted in a warning.

    Args:
        note: hears what was mended.

    Raises:
        RecipeError: `column-missing` or `no-usable-rows`.
    """
    data.check_columns(records, plan, file_name, ROLES)
    group = plan.column("group")
    found = Asked([], [], [], [], [] if group else None)
    faults: Counter[str] = Counter()
    moved = 0
    for number, record in enumerate(records, start=1):
        question = " ".join(data.join_text(record, plan.column("question")).split())
        context = data.join_text(record, plan.column("context"))
        given = answers_of(record, plan.column("answers")[0])
        if not question or not context.strip():
            faults["have no question or no text"] += 1
            continue
        if given is None:
            faults["have answers that cannot be read"] += 1
            continue
        places, wrong = places_of(given, context)
        if given and not places:
            faults["have an answer that does not stand in their text word for word"] += 1
            continue
        moved += wrong
        found.questions.append(question)
        found.contexts.append(context)
        found.answers.append(places)
        found.numbers.append(number)
        if found.groups is not None:
            found.groups.append(record.get(group[0]))
    if faults:
        said = "; ".join(f"{count:,} {why}" for why, count in faults.most_common())
        left_out = sum(faults.values())
        warn("rows-left-out", f"{left_out:,} of {len(records):,} rows of {file_name} are left out: {said}.")
    if not len(found):
        raise _nothing_usable(records, file_name)
    _tell(found, moved, note)
    return found


def _tell(found: Asked, moved: int, note: Any) -> None:
    if moved:
        note(f"{moved:,} answers do not stand where their row says; they were found elsewhere in their text.")
    without = int((~found.has_answer).sum())
    if without:
        note(f"{without:,} of {len(found):,} questions have no answer in their text; the model learns to say so.")


def _nothing_usable(records: list[Record], file_name: str) -> RecipeError:
    return RecipeError(
        "no-usable-rows",
        f"None of the {len(records):,} rows of {file_name} can be used.",
        "Each row needs a question, a text, and an answer that stands in the text word for word.",
        "Check that the right columns were chosen. If your answers are written freely, not copied from the text, "
        "fine-tune a language model on questions and answers instead.",
    )


# Answers


def answers_of(record: Record, column: str) -> list[Given] | None:
    """The answers that a row gives: SQuAD's record of two lists, a list of records, a list of texts, or one text.

    Returns:
        None where the cell holds something else; an empty list where there is no answer.
    """
    if record.get(NONE_SAID) is True:
        return []
    cell = _unpacked(record.get(column))
    start = next((record[name] for name in START if isinstance(record.get(name), (int, np.integer))), None)
    try:
        found = list(_answers(cell, start))
    except TypeError:
        return None
    return [(text.strip(), _after_spaces(text, place)) for text, place in found if text.strip()]


def _after_spaces(text: str, place: int | None) -> int | None:
    return None if place is None or place < 0 else place + len(text) - len(text.lstrip())


def _answers(cell: Any, start: Any) -> Iterator[Given]:
    """Answers of a cell. TypeError: it holds none that can be read."""
    if cell is None or cell == "" or isinstance(cell, float):
        if isinstance(cell, float) and np.isfinite(cell):
            yield from _answers(data.label_name(cell), start)
    elif isinstance(cell, (str, int)):
        yield str(cell), None if start is None else int(start)
    elif isinstance(cell, dict):
        texts = next((cell[name] for name in TEXT if name in cell), None)
        starts = next((cell[name] for name in START if name in cell), None)
        texts, starts = (_unpacked(each) for each in (texts, starts))
        if not isinstance(texts, list):
            yield from _answers(texts, starts)
            return
        places = starts if isinstance(starts, list) and len(starts) == len(texts) else [None] * len(texts)
        for text, place in zip(texts, places, strict=True):
            yield from _answers(text, place)
    elif isinstance(cell, list):
        for item in cell:
            yield from _answers(item, None)
    else:
        raise TypeError(type(cell).__name__)


def _unpacked(cell: Any) -> Any:
    """Arrays of a Parquet file as lists; a JSON list or object that a table holds as text as what it says."""
    if isinstance(cell, (np.ndarray, np.generic)):
        return cell.tolist()
    if isinstance(cell, str) and cell.strip().startswith(("{", "[")):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return list(cell) if isinstance(cell, tuple) else cell


def places_of(given: Sequence[Given], context: str) -> tuple[list[Place], int]:
    """Answers as places in their text: where the row says, else the nearest place with the same words.

    Returns:
        The places, each once, and how many of the answers stand elsewhere than their row says.
    """
    places: list[Place] = []
    moved = 0
    for text, start in given:
        place = start if start is not None and context[start : start + len(text)] == text else None
        if place is None:
            place = _nearest(text, context, start or 0)
            moved += place is not None and start is not None and place != start
        if place is not None and (place, place + len(text)) not in places:
            places.append((place, place + len(text)))
    return places, moved


def _nearest(text: str, context: str, start: int) -> int | None:
    """Where words stand in a text, nearest to a place; capitals count only where a text has both writings."""
    for part, whole in ((text, context), (text.lower(), context.lower())):
        if len(whole) != len(context):  # rare letters grow when they are made small
            continue
        found, at = [], whole.find(part)
        while at >= 0:
            found.append(at)
            at = whole.find(part, at + 1)
        if found:
            return min(found, key=lambda each: abs(each - start))
    return None


# Checks


def _check_answers(asked: Asked) -> None:
    """Refuse questions of which none, or hardly any, has an answer.

    Raises:
        RecipeError: `one-class`.
    """
    if asked.has_answer.any():
        return
    raise RecipeError(
        "one-class",
        f"None of the {len(asked):,} questions has an answer in its text.",
        "A model learns to point to answers, so most questions need one that stands in the text word for word.",
        "Check that the right column of answers was chosen, or add questions with answers.",
    )


def _check_texts(asked: Asked) -> None:
    """Refuse questions that are all about one text.

    Raises:
        splits.CannotSplit: `one-group-only`.
    """
    if len(set(asked.contexts)) > 1:
        return
    raise CannotSplit(
        "one-group-only",
        f"All {len(asked):,} questions are about one and the same text.",
        "An honest test asks about texts that the model never saw, so at least two different ones are needed.",
        "Add questions about other texts, or cut this one into its sections and give each question its section.",
    )
