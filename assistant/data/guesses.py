"""What a guess is, and how its readers find columns in a profile."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from assistant.data.names import key_of
from assistant.data.profile import ColumnProfile, Profile

#: A guess from this score on can be planned without a question.
SURE = 0.6

SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"


class TaskGuess(BaseModel):
    """One thing that could be learned.

    Attributes:
        task: a task of the plan; None: the data fit no task, the evidence says why.
        problem: for text classification; None when there is no label.
        columns: role -> column, or several columns that are joined.
        score: 0 to 1.
        evidence: sentences on why, or on what is missing.
        label_separator: what parts the labels inside one cell, for multi-label columns of text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str | None
    problem: str | None = None
    columns: dict[str, str | list[str]] = {}
    score: float = 0.0
    evidence: list[str] = []
    label_separator: str | None = None


def named(profile: Profile, wanted: Iterable[str], kinds: Iterable[str] = ()) -> ColumnProfile | None:
    """The first column with one of the wanted names, in the order of the names."""
    keys = {key_of(column.name): column for column in reversed(profile.columns) if not kinds or column.kind in kinds}
    return next((keys[name] for name in wanted if name in keys), None)


def texts_of(profile: Profile) -> list[ColumnProfile]:
    """The columns that hold running text, in the file's order."""
    return [column for column in profile.columns if column.kind == "text"]
