"""Checks of words with tags and of texts with marked parts: lists that do not fit, broken sequences, rare types."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from assistant.data.cells import row_list
from assistant.data.findings import Check, Finding, View, column_list, counted, first_rows, share_of, some_examples

TASK = "token-classification"
FEW = 10  # entities of a type from which its figures begin to mean something
_KIND = ("label", "type", "tag", "entity", "entity_group", "entity_type", "category", "class")
_TAG = re.compile(r"([BIESLUM])[-_](.+)", re.DOTALL)


def tag_lists(view: View) -> list[tuple[list[Any], list[Any]]]:
    """Words and tags of each row; empty where the rows are no lists of both."""
    columns = [column_list(view.guess.columns, role) for role in ("tokens", "tags")]
    if view.guess.task != TASK or not all(names and names[0] in view.table.columns for names in columns):
        return []
    cells = [[_listed(cell) for cell in view.table.frame[names[0]].tolist()] for names in columns]
    return list(zip(*cells, strict=True))


def _listed(cell: Any) -> list[Any]:
    return list(cell) if isinstance(cell, (list, tuple)) else cell.split() if isinstance(cell, str) else []


def misaligned(view: View) -> Iterable[Finding]:
    """Rows with more words than tags, or fewer."""
    wrong = [row for row, (words, tags) in enumerate(tag_lists(view)) if len(words) != len(tags)]
    if wrong:
        yield Finding(
            code="tags-misaligned",
            severity="warning",
            rows=first_rows(wrong),
            count=len(wrong),
            text=f"{counted(len(wrong), 'row has', 'rows have')} more words than tags, or fewer (row "
            f"{row_list(row + 1 for row in wrong)}), so nobody can tell which tag belongs to which word. They are "
            "left out.",
            fix="Give each word of these rows one tag, and upload the file again.",
        )


def broken(view: View) -> Iterable[Finding]:
    """I- without an entity of its type before it, in a file that otherwise marks each beginning."""
    found = [tags for words, tags in tag_lists(view) if len(words) == len(tags)]
    letters = Counter(parted(tag)[0] for tags in found for tag in tags)
    orphans = {row: wrong for row, tags in enumerate(found) if (wrong := orphans_of(tags))}
    several = sum(len(each) for each in orphans.values())
    if not orphans or several > letters["B"] + letters["S"]:  # then B- is not how this file marks a beginning
        return
    yield Finding(
        code="broken-tags",
        severity="info",
        rows=first_rows(orphans),
        count=several,
        text=f"{counted(several, 'tag goes', 'tags go')} on with an entity that was never begun, as I-City without a "
        f"B-City before it (in {share_of(len(orphans), view.rows)} of the rows). Each is read as the beginning of an "
        "entity, as the usual scorers do.",
        fix="Nothing has to be done if that is meant; else mend these tags.",
        examples=some_examples(tag for wrong in orphans.values() for tag in wrong),
    )


def parted(tag: Any) -> tuple[str, str]:
    """ "B-City" -> ("B", "City"); another tag -> ("", the tag)."""
    match = _TAG.fullmatch(str(tag))
    return (match[1], match[2]) if match else ("", str(tag))


def orphans_of(tags: Sequence[Any]) -> list[str]:
    """Tags that go on with an entity that was never begun."""
    wrong = []
    before = ("", "O")
    for tag in tags:
        letter, kind = parted(tag)
        if letter in ("I", "E", "M", "L") and (before[0] in ("", "E", "S", "L", "U") or before[1] != kind):
            wrong.append(str(tag))
        before = (letter, kind)
    return wrong


def entity_counts(view: View) -> Counter[str]:
    """Type -> entities, of tagged words and of marked texts; empty for other rows."""
    counts: Counter[str] = Counter()
    for words, tags in tag_lists(view):
        before = ("", "O")
        for tag in tags if len(words) == len(tags) else []:
            letter, kind = parted(tag)
            begins = letter in ("B", "S", "U") or (bool(letter) and (before[0] in ("", "E", "S") or before[1] != kind))
            counts[kind] += begins
            before = (letter, kind)
    if view.guess.task == TASK and column_list(view.guess.columns, "text"):
        names = column_list(view.guess.columns, "tags")
        for cell in view.table.frame[names[0]].tolist() if names and names[0] in view.table.columns else []:
            for mark in cell if isinstance(cell, list) else []:
                named = next((mark[key] for key in _KIND if key in mark), None) if isinstance(mark, dict) else None
                counts[str(named)] += named is not None
    return +counts


def rare_types(view: View) -> Iterable[Finding]:
    """Types with so few entities that nothing can be told about them."""
    counts = entity_counts(view)
    rare = [kind for kind, count in counts.most_common() if count < FEW]
    if rare:
        named = ", ".join(f"{kind} ({counts[kind]:,})" for kind in rare[:5])
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        yield Finding(
            code="small-class",
            severity="warning",
            count=len(rare),
            text=f"{counted(len(rare), 'type has', 'types have')} fewer than {FEW} entities: {named}{more}. From so "
            "few a model hardly learns them, and a handful in the test says nothing about how well it finds them.",
            fix="Add sentences that hold them, or join them with a type that is close.",
            examples=rare[:3],
        )


CHECKS: tuple[Check, ...] = (misaligned, broken, rare_types)
