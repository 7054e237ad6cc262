"""Rows of texts that belong together, and which of them learn, steer and judge.

    sentence1, sentence2, score     how close two texts are, as a number
    sentence1, sentence2            pairs that mean the same
    anchor, positive                a text and the one that belongs to it (a question and its answer)
    anchor, positive, negative      and one that does not

study = read_study(plan, run)
study.train, study.validation, study.test      row numbers; study.first[row], study.second[row]: numbers of texts

The same text is never on two sides. Rows that share a text, or nearly share it, stay together; a wrong text (negative)
that the other side knows is left out.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import copies, data, splits
from recipes.parts.context import RunContext
from recipes.parts.errors import RecipeError
from recipes.parts.language_study import TEST_FRACTION, VALIDATION_FRACTION, at_most, say_left_out
from recipes.plan import Plan

NONE = -1  # instead of a text's number
YES, NO = ("true", "yes", "y", "same", "duplicate"), ("false", "no", "n", "different", "other")
#: Rows that judge and steer at most: each text is compared with all others.
MOST_TEST, MOST_VALIDATION = 2000, 500
ROLES = (("sentence1", "sentence2"), ("anchor", "positive"))


@dataclass(frozen=True)
class Row:
    """One usable row. `number`: in the file, from 1."""

    first: str
    second: str
    third: str | None
    score: float | None
    number: int
    group: Any = None


@dataclass(frozen=True)
class AlikeStudy:
    """All rows as numbers of texts, and which of them learn, steer and judge.

    Attributes:
        texts: every different text.
        first, second, third: numbers of texts, shape (rows,); third is -1 where there is no wrong text.
        scores: shape (rows,), or None where rows only say what belongs together.
        kin: shape (texts,): texts with the same number belong together, directly or over others.
        train, validation, test: numbers of rows, shape (n,) each.
        families: shape (rows,): rows with the same number share a text.
    """

    texts: list[str]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    third: NDArray[np.int64]
    scores: NDArray[np.float64] | None
    kin: NDArray[np.int64]
    numbers: NDArray[np.int64]
    families: NDArray[np.int64]
    train: NDArray[Any]
    validation: NDArray[Any]
    test: NDArray[Any]
    own_test: bool

    #: As other studies have it: these rows are never judged in turns.
    folds: tuple[()] = ()

    @property
    def metric(self) -> str:
        """The figure that decides unless the plan names one that fits."""
        return "mrr" if self.scores is None else "spearman"

    @property
    def columns(self) -> tuple[NDArray[np.int64], ...]:
        """Numbers of the rows' texts: first, second, and wrong ones where there are any."""
        return (self.first, self.second, self.third)[: 3 if bool((self.third != NONE).any()) else 2]

    def texts_of(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Numbers of the texts of some rows, each once."""
        found = np.unique(np.concatenate([column[rows] for column in self.columns]))
        return np.asarray(found[found != NONE])

    @property
    def rows(self) -> NDArray[np.int64]:
        """What is counted as rows."""
        return self.numbers

    @property
    def evaluation(self) -> str:
        """How the figures came about, in words."""
        return "your own test file" if self.own_test else "test rows"


def read_study(plan: Plan, run: RunContext) -> AlikeStudy:
    """Read the rows and set test rows aside, before anything is trained.

    Raises:
        RecipeError: the data cannot be used. splits.CannotSplit: it cannot be divided.
    """
    rows = read(plan, run, "train")
    own = read(plan, run, "test") if plan.data.test_source else []
    study = _numbered(rows + own, bool(own))
    stratum = np.zeros(len(rows), dtype=np.int64) if study.scores is None else study.scores[: len(rows)]
    parts = run.on_main(
        lambda: splits.split(
            [""] * len(rows),
            stratum,
            problem="single_label_classification" if study.scores is None else "regression",
            test_fraction=plan.evaluation.test_fraction or TEST_FRACTION,
            validation_fraction=plan.evaluation.validation_fraction or VALIDATION_FRACTION,
            seed=plan.training.seed,
            groups=[row.group for row in rows],
            fixed_test=[""] * len(own) if own else None,
            find_copies=lambda _: (study.families, []),
        )
    )
    for sentence in parts.notes:
        run.note(sentence)
    chance = np.random.default_rng(plan.training.seed)
    test = parts.test if not own else np.arange(len(rows), len(study.numbers))
    divided = dataclasses.replace(
        study,
        train=parts.train,
        validation=at_most(parts.validation, MOST_VALIDATION, chance),
        test=at_most(test, MOST_TEST, chance, run),
    )
    return _without_shared_negatives(divided, run)


def read(plan: Plan, run: RunContext, side: str) -> list[Row]:
    """Usable rows of the plan's file; the others are counted in a warning."""
    source = (plan.data.source if side == "train" else plan.data.test_source) or ""
    name = (plan.data.name if side == "train" else plan.data.test_name) or source
    left_out: Counter[str] = Counter()
    rows = usable_rows(data.read_records(source, run.directory, side), plan, name, left_out)
    say_left_out(left_out, len(rows), name, run)
    return rows


def roles_of(plan: Plan) -> tuple[list[str], list[str]]:
    """Columns of the first and of the second text."""
    first, second = next((pair for pair in ROLES if plan.column(pair[0])), ROLES[0])
    return plan.column(first), plan.column(second)


def usable_rows(records: list[data.Record], plan: Plan, name: str, left_out: Counter[str]) -> list[Row]:
    """Records as rows.

    Args:
        left_out: counts why records could not be used.

    Raises:
        RecipeError: `column-missing`, `label-not-number`, `one-class` or `no-usable-rows`.
    """
    data.check_columns(records, plan, name, [role for role in plan.data.columns if role != "group"])
    (first, second), third, score = roles_of(plan), plan.column("negative"), plan.column("score")
    group = plan.column("group")
    rows = []
    for number, record in enumerate(records, start=1):
        texts = [data.join_text(record, columns).strip() for columns in (first, second, third)]
        given = _score(record.get(score[0]), number, score[0]) if score else None
        if not texts[0] or not texts[1]:
            left_out["one of the two texts is empty"] += 1
        elif score and given is None:
            left_out["the score is empty"] += 1
        else:
            of_group = record.get(group[0]) if group else None
            rows.append(Row(texts[0], texts[1], texts[2] or None, given, number, of_group))
    if not rows:
        raise RecipeError(
            "no-usable-rows",
            f"None of the {len(records):,} rows of {name} has two texts{' and a score' if score else ''}.",
            "Each row needs two texts that can be compared.",
            "Check that the right columns were chosen.",
        )
    if score and len({row.score for row in rows}) < 2:
        raise RecipeError(
            "one-class",
            f"All {len(rows):,} rows of {name} have the same score, {rows[0].score:g}.",
            "A model learns which pairs are closer than others, so scores must differ.",
            "If all of these pairs belong together, leave the score away: then it learns to find each text's partner.",
        )
    return rows


def _score(value: Any, number: int, column: str) -> float | None:
    """A score as a number; yes and no are 1 and 0; None where the cell is empty."""
    said = data.label_name(value)
    if said is None:
        return None
    if said.lower() in YES + NO:
        return float(said.lower() in YES)
    try:
        found = float(said)
    except ValueError:
        found = math.nan
    if math.isfinite(found):
        return found
    raise RecipeError(
        "label-not-number",
        f"Row {number} has “{said[:60]}” in the column “{column}”, which is not a number.",
        "A score is a number: the higher, the closer the two texts are. Yes and no are read as 1 and 0.",
        "Choose another column, or leave the score away where all pairs belong together.",
    )


def _numbered(rows: list[Row], own_test: bool) -> AlikeStudy:
    """Rows as numbers of texts, not divided yet."""
    known: dict[str, int] = {}
    first = _ids([row.first for row in rows], known)
    second = _ids([row.second for row in rows], known)
    third = np.array([NONE if row.third is None else known.setdefault(row.third, len(known)) for row in rows])
    copied, _ = copies.find_copies(list(known))
    kin = copies.components(int(copied.max(initial=0)) + 1, list(zip(copied[first], copied[second], strict=True)))
    kin = kin[copied].astype(np.int64)
    none = np.empty(0, dtype=np.intp)
    return AlikeStudy(
        texts=list(known),
        first=first,
        second=second,
        third=third.astype(np.int64),
        scores=None if rows[0].score is None else np.array([row.score for row in rows], dtype=np.float64),
        kin=kin,
        numbers=np.array([row.number for row in rows], dtype=np.int64),
        families=kin[first],
        train=none,
        validation=none,
        test=none,
        own_test=own_test,
    )


def only_test(rows: list[Row]) -> AlikeStudy:
    """Rows of another file, all of which judge; there are at most as many as a run would judge by."""
    study = _numbered(rows, own_test=True)
    chance = np.random.default_rng(0)
    return dataclasses.replace(study, test=at_most(np.arange(len(rows)), MOST_TEST, chance))


def _ids(texts: list[str], known: dict[str, int]) -> NDArray[np.int64]:
    return np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int64)


def _without_shared_negatives(study: AlikeStudy, run: RunContext) -> AlikeStudy:
    """A wrong text stays only where no other side knows it."""
    third, given = study.third.copy(), int((study.third != NONE).sum())
    if not given:
        return study
    owner: dict[int, str] = {}
    sides = {"test": study.test, "validation": study.validation, "train": study.train}
    for column in (study.first, study.second, study.third):  # what is right somewhere counts before what is wrong
        for side, rows in sides.items():
            for text in column[rows]:
                if text != NONE:
                    owner.setdefault(int(study.kin[text]), side)
    for side, rows in sides.items():
        for row in rows:
            if third[row] != NONE and owner[int(study.kin[third[row]])] != side:
                third[row] = NONE
    dropped = given - int((third != NONE).sum())
    if dropped:
        run.note(
            f"{dropped:,} of {given:,} wrong texts (negatives) were left out, because rows on another side of "
            "the split hold the same text; their rows are still used as pairs."
        )
    return dataclasses.replace(study, third=third)
