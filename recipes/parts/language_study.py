"""Which rows a language model learns from, which steer, and which judge.

study = read_study(plan, run)
study.train, study.validation, study.test      numbers of examples in study.examples
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import conversations, data, splits
from recipes.parts.chat_format import Encoded
from recipes.parts.context import RunContext
from recipes.parts.conversations import Example, Reading
from recipes.parts.copies import normalised
from recipes.parts.errors import RecipeError
from recipes.plan import Plan

Reader = Callable[[list[data.Record], Plan, str], Reading]
TEST_FRACTION, VALIDATION_FRACTION = 0.2, 0.15  # where the plan leaves them open
SAME_QUESTION = 0.2  # share of the rows from which one question is a form (“Summarise this:”) and says nothing
#: Rows that judge and steer at most: more make the figures hardly surer, and a CPU reads some 5 rows a second.
MOST_TEST, MOST_VALIDATION = 1000, 300


@dataclass(frozen=True)
class LanguageStudy:
    """All examples and which of them learn, steer and judge.

    Attributes:
        examples: the plan's rows, then the person's own test rows.
        train, validation, test: numbers of examples, shape (n,) each.
    """

    examples: list[Example]
    train: NDArray[Any]
    validation: NDArray[Any]
    test: NDArray[Any]
    own_test: bool

    def of(self, rows: NDArray[Any]) -> list[Example]:
        """Some of the examples."""
        return [self.examples[row] for row in rows]

    def groups(self, rows: NDArray[Any]) -> list[Any] | None:
        """The person's groups of some rows; None without any."""
        found = [self.examples[row].group for row in rows]
        return None if all(group is None for group in found) else found

    def limited_to(self, encoded: Encoded) -> LanguageStudy:
        """Without the rows that have nothing left to learn.

        Raises:
            RecipeError: `no-usable-rows` when one side has none.
        """
        kept = {side: rows[np.isin(rows, encoded.usable)] for side, rows in self._sides().items()}
        if not len(kept["train"]) or not len(kept["test"]):
            raise RecipeError(
                "no-usable-rows",
                f"Of the rows that can be learned from, {len(kept['train']):,} are left to learn and "
                f"{len(kept['test']):,} to judge by.",
                "At least one of each is needed, and some 50 of each for a verdict.",
                "Bring more rows, or read more tokens of each (training.max_length).",
            )
        if not len(kept["validation"]):
            kept["validation"] = kept["train"][-1:]
        return dataclasses.replace(self, train=kept["train"], validation=kept["validation"], test=kept["test"])

    def _sides(self) -> dict[str, NDArray[Any]]:
        return {"train": self.train, "validation": self.validation, "test": self.test}


def read_study(plan: Plan, run: RunContext, reader: Reader = conversations.read) -> LanguageStudy:
    """Read the rows and set test rows aside, before anything is trained. Copies stay on one side.

    Args:
        reader: records to examples.

    Raises:
        RecipeError: the data cannot be used. splits.CannotSplit: it cannot be divided.
    """
    reading = _read(plan, run, reader, "train")
    examples, own = reading.examples, None
    if plan.data.test_source:
        own = _read(plan, run, reader, "test").examples
    parts = run.on_main(
        lambda: splits.split(
            [example.whole for example in examples],
            np.array([float(len(example.answer)) for example in examples]),  # long and short answers on every side
            problem="regression",
            test_fraction=plan.evaluation.test_fraction or TEST_FRACTION,
            validation_fraction=plan.evaluation.validation_fraction or VALIDATION_FRACTION,
            seed=plan.training.seed,
            groups=_together(examples),
            fixed_test=[example.whole for example in own] if own is not None else None,
        )
    )
    for sentence in parts.notes:
        run.note(sentence)
    test = parts.test if own is None else np.arange(len(examples), len(examples) + len(own))
    chance = np.random.default_rng(plan.training.seed)
    return LanguageStudy(
        examples=examples + (own or []),
        train=parts.train,
        validation=at_most(parts.validation, MOST_VALIDATION, chance),
        test=at_most(test, MOST_TEST, chance, run),
        own_test=own is not None,
    )


def _read(plan: Plan, run: RunContext, reader: Reader, side: str) -> Reading:
    source = (plan.data.source if side == "train" else plan.data.test_source) or ""
    name = (plan.data.name if side == "train" else plan.data.test_name) or source
    reading = reader(data.read_records(source, run.directory, side), plan, name)
    say_left_out(reading.left_out, len(reading.examples), name, run)
    return reading


def say_left_out(left_out: Counter[str], used: int, name: str, run: RunContext) -> None:
    """A warning with how many rows were left out, and why."""
    total = sum(left_out.values())
    if total:
        why = "; ".join(f"{count:,}: {reason}" for reason, count in left_out.most_common(3))
        run.warn("rows-left-out", f"{total:,} of {total + used:,} rows of {name} are left out ({why}).")


def _together(examples: list[Example]) -> list[Any]:
    """The person's groups, else rows that ask the same: else the test would ask what was trained on."""
    if any(example.group is not None for example in examples):
        return [example.group for example in examples]
    asked = [normalised(example.prompt) if example.messages else "" for example in examples]
    counts = Counter(asked)
    return [key if key and counts[key] <= SAME_QUESTION * len(asked) else None for key in asked]


def at_most(rows: NDArray[Any], most: int, chance: np.random.Generator, run: RunContext | None = None) -> NDArray[Any]:
    """Some of the rows, drawn by chance; with a run, the report says so."""
    if len(rows) <= most:
        return rows
    if run is not None:
        run.note(
            f"The verdict is about {most:,} rows drawn from the {len(rows):,} test rows: more would not change it."
        )
    return np.sort(chance.choice(rows, most, replace=False))
