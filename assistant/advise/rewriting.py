"""Text to text: the two languages of a translation, what a model is told, and models that are of another kind. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.advise import catalog, models
from assistant.advise.catalog import Model
from assistant.advise.draft import Draft
from recipes.plan import Plan, Task

if TYPE_CHECKING:
    from assistant.data.profile import ColumnProfile, Profile

TASK: Task = "text2text-generation"
SHORTER = 0.5  # of the length: from here on what comes out is a summary
#: T5 learned from texts that began with such words; Flan-T5 and mT5 did not.
TOLD = ("t5-small", "t5-base", "t5-large", "t5-3b", "t5-11b")


def another_kind(draft: Draft) -> bool:
    """Whether the named model only goes on writing where a text ends: then the rows teach it as instructions.

    Sets the task, and says so.
    """
    named = draft.wish.get("base_model")
    if draft.values.get("task") != TASK or not named:
        return False
    model = catalog.lookup(str(named), TASK)
    if TASK in model.tasks or "text-generation" not in model.tasks:
        return False
    draft.wish.pop("task", None)
    reason = (
        f"{model.name} goes on writing where a text ends, so your pairs of texts teach it as instructions. Runner-up: "
        "a model that reads one text and writes another (T5, BART)."
    )
    draft.choose("task", "text-generation", reason)
    draft.refused.append(
        f"{model.name} writes on where a text ends; it has no half that only reads. So I planned the same rows as "
        "instructions for it: each text is what is asked, and what should come out of it is the answer."
    )
    return True


def languages_of(profile: Profile | None, plan: Plan) -> tuple[str, ...]:
    """(from, to) when source and target are texts of two languages."""
    if profile is None or plan.task != TASK:
        return ()
    spoken = {name.lower(): code for code, name in models.LANGUAGES.items()} | {code: code for code in models.LANGUAGES}
    named = [(next(iter(plan.column(role)), None) or "") for role in ("source", "target")]
    columns = [_column(profile, name) for name in named]
    codes = [
        (column.language if column else "") or spoken.get(name.lower(), "")
        for column, name in zip(columns, named, strict=True)
    ]
    return tuple(str(code) for code in codes) if all(codes) and codes[0] != codes[1] else ()


def settle(profile: Profile | None, languages: tuple[str, ...], model: Model, draft: Draft) -> None:
    """The languages, and the words that stand before each text."""
    if draft.values.get("task") != TASK:
        return
    names = [models.language_name(code) for code in languages]
    if len(languages) == 2:
        draft.choose(
            "data.languages", list(languages),
            f"The texts look {names[0]} on one side and {names[1]} on the other. Runner-up: the other way round; say "
            "“swap the columns”.",
        )  # fmt: skip
    if model.id.rpartition("/")[2].lower() not in TOLD:
        return
    words = f"translate {names[0]} to {names[1]}: " if names else "summarize: " if _shortens(profile, draft) else ""
    if words:
        draft.choose(
            "data.prefix", words,
            f"{model.name} was trained on texts that begin with such words and does better with them. Runner-up: none, "
            "as for Flan-T5 and mT5.",
        )  # fmt: skip


def _shortens(profile: Profile | None, draft: Draft) -> bool:
    plan = draft.plan()
    columns = [_column(profile, next(iter(plan.column(role)), "")) for role in ("source", "target")]
    if columns[0] is None or columns[1] is None:
        return False
    return columns[1].mean_length <= SHORTER * columns[0].mean_length


def _column(profile: Profile | None, name: str) -> ColumnProfile | None:
    return profile.column(name) if profile and name else None
