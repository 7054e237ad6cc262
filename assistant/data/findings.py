"""What a finding is, and the view of a table that the checks share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from assistant.data.cells import is_missing
from assistant.data.guesses import TaskGuess
from assistant.data.kinds import split_labels
from assistant.data.media import Medium, look, role_of
from assistant.data.profile import Profile, shown
from assistant.data.roles import guess_tasks
from assistant.data.similar import normalised
from assistant.data.table import Table

Severity = Literal["error", "warning", "info"]

MAX_ROWS = 20
#: Codes of findings that are no facts but suspicions: once answered, they are not raised again.
SUSPICIONS = frozenset(("likely-wrong-labels",))
#: Characters of a text that the checks look at.
LOOKED_AT = 20_000


class Finding(BaseModel):
    """One thing that is wrong, or worth knowing.

    Attributes:
        code: stable name, of `doctor.FINDING_CODES`.
        severity: error: nothing can be trained like this; warning: the result will suffer; info: good to know.
        rows: numbers of the first 20 rows concerned, from 1, the header not counted.
        count: how many rows (or labels, or columns) are concerned.
        text: what was found, with values, and what it does to the result. Hostile until escaped: it may quote cells.
        fix: what the person can do.
        fixable: whether it can be mended by a yes: by `fix`, or by `change`.
        other_fix: the code of a second fix, where there is a choice.
        change: dotted plan paths that mend it instead of the rows.
        examples: at most three values from the file, cut to 80 characters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    severity: Severity
    rows: list[int] = []
    count: int = 0
    text: str
    fix: str = ""
    fixable: bool = False
    other_fix: str = ""
    change: dict[str, str] = {}
    examples: list[str] = []


@dataclass(frozen=True)
class View:
    """A table seen through a guess: which columns are read, which hold the labels."""

    table: Table
    profile: Profile
    guess: TaskGuess
    text_columns: list[str]
    label_column: str | None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.table.rows

    @property
    def problem(self) -> str | None:
        """single_label_classification, multi_label_classification, regression, or None for other tasks."""
        return self.guess.problem

    @cached_property
    def texts(self) -> list[str]:
        """What is read of each row: its text columns joined; empty where all are missing. Shape (rows,)."""
        return join_texts(self.table, self.text_columns)

    @cached_property
    def media(self) -> list[Medium | None]:
        """What is known of each row's picture or recording. Shape (rows,); empty where the rows have none."""
        return look(self.table) if role_of(self.table) else []

    @cached_property
    def keys(self) -> list[str]:
        """What makes two rows the same to a reader: the content of their picture or recording, else their texts, case
        and spaces aside. Shape (rows,)."""
        if self.media:
            return [medium.digest if medium is not None else "" for medium in self.media]
        return [normalised(text) for text in self.texts]

    @cached_property
    def labels(self) -> list[list[str]]:
        """The labels of each row, as texts; none where the cell is empty. Shape (rows, labels of the row)."""
        return [] if self.label_column is None else labels_of(self.table, self.label_column, self.guess.label_separator)

    @cached_property
    def label_counts(self) -> Counter[str]:
        """Label -> rows."""
        return Counter(label for labels in self.labels for label in dict.fromkeys(labels))


Check = Callable[[View], Iterable[Finding]]

_TEXT_ROLES = (
    "text", "question", "context", "source", "target", "prompt", "completion", "chosen", "rejected", "sentence1",
    "sentence2", "anchor", "positive", "negative", "messages", "tokens", "transcript",
)  # fmt: skip


def make_view(table: Table, profile: Profile, guess: TaskGuess | None) -> View:
    """The view of a table; columns that a guess names but the table lacks are left out."""
    guess = guess or guess_tasks(profile)[0]
    return View(table, profile, guess, read_columns(table, guess.columns), label_column(table, guess.columns))


def read_columns(table: Table, columns: Mapping[str, Any]) -> list[str]:
    """The columns that are read as text, in the order of the roles."""
    names = [name for role in _TEXT_ROLES for name in column_list(columns, role) if name in table.columns]
    return list(dict.fromkeys(names))


def label_column(table: Table, columns: Mapping[str, Any]) -> str | None:
    """The column of labels; None where there is none, or one column for each label: nothing to check for spelling."""
    names = column_list(columns, "label")
    return names[0] if len(names) == 1 and names[0] in table.columns else None


def column_list(columns: Mapping[str, Any], role: str) -> list[str]:
    """The columns of a role, as a list."""
    found = columns.get(role) or []
    return [found] if isinstance(found, str) else list(found)


def join_texts(table: Table, columns: Sequence[str]) -> list[str]:
    """The cells of several columns of each row, one a line. Shape (rows,)."""
    parts = [[cell_text(cell) for cell in table.frame[name].tolist()] for name in columns]
    if len(parts) == 1:
        return parts[0]
    return ["\n".join(filter(None, cells)) for cells in zip(*parts, strict=True)] if parts else [""] * table.rows


def empty_rows(table: Table, columns: Mapping[str, Any]) -> list[int]:
    """Positions of the rows that lack a text in one of the roles: a question without its answer teaches nothing."""
    lacking: set[int] = set()
    for role in _TEXT_ROLES:
        names = [name for name in column_list(columns, role) if name in table.columns]
        if names:
            lacking |= {row for row, text in enumerate(join_texts(table, names)) if not text or text.isspace()}
    return sorted(lacking)


def cell_text(cell: Any) -> str:
    """A cell as text; lists of words and turns of a chat are joined."""
    if isinstance(cell, str):
        return cell if not cell.isspace() else ""
    if is_missing(cell):
        return ""
    if isinstance(cell, list):
        turns = [item.get("content", item.get("value", "")) if isinstance(item, dict) else item for item in cell]
        return " ".join(map(str, turns))
    return str(cell)


def labels_of(table: Table, column: str, separator: str | None) -> list[list[str]]:
    """The labels of each row as texts. Shape (rows, labels of the row)."""
    result: list[list[str]] = []
    for cell in table.frame[column].tolist():
        if is_missing(cell):
            result.append([])
        elif isinstance(cell, list):
            result.append([str(item) for item in cell if not is_missing(item)])
        elif separator and isinstance(cell, str):
            result.append(split_labels(cell, separator))
        else:
            result.append([label_text(cell)])
    return result


def label_text(cell: Any) -> str:
    """A label as text: 1 and 1.0 are the same one."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def first_rows(positions: Iterable[int]) -> list[int]:
    """Row numbers from 1 of the first positions."""
    return [position + 1 for position in list(positions)[:MAX_ROWS]]


def some_examples(texts: Iterable[str]) -> list[str]:
    """At most three different values, each one line of at most 80 characters."""
    return list(dict.fromkeys(shown(text, 80) for text in list(texts)[:10]))[:3]


def counted(number: int, one: str, many: str) -> str:
    """1 row, 2 rows."""
    return f"{number:,} {one if number == 1 else many}"


def share_of(part: int, whole: int) -> str:
    """A share for a sentence; small ones keep a digit."""
    percent = 100 * part / max(1, whole)
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %"
