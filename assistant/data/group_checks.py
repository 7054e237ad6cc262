"""Rows that belong together: of one person, one document, one source. They must not be learned from and tested on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from assistant.data.cells import is_missing
from assistant.data.findings import Check, Finding, View, column_list, counted, first_rows, share_of
from assistant.data.names import is_origin
from assistant.data.profile import ColumnProfile

#: Fewer groups than this cannot be shared out between learning and testing.
FEWEST_GROUPS = 5
#: A group with a larger share of the rows would make the test too large, or the training too small.
LARGEST_SHARE = 0.4
#: Share of the rows that have a companion in their group, from which on it matters.
MATTERS = 0.1


def group_leak(view: View) -> Iterable[Finding]:
    """A column says which rows are of one person or source, and nothing keeps those on one side of the test."""
    if column_list(view.guess.columns, "group") or not view.guess.task:
        return
    used = {name for role in view.guess.columns for name in column_list(view.guess.columns, role)}
    for column in view.profile.columns:
        if column.name in used or column.kind in ("empty", "list", "record", "messages", "boolean"):
            continue
        if not is_origin(column.name):
            continue
        found = _told(view, column)
        if found is not None:
            yield found
            return


def _told(view: View, column: ColumnProfile) -> Finding | None:
    cells = [None if is_missing(cell) else str(cell).strip() for cell in view.table.frame[column.name].tolist()]
    counts = Counter(cell for cell in cells if cell)
    shared = [row for row, cell in enumerate(cells) if cell and counts[cell] > 1]
    groups = len(counts)
    if groups < FEWEST_GROUPS or len(shared) < max(MATTERS * view.rows, 4):
        return None
    (_, largest), *_ = counts.most_common(1)
    if largest > LARGEST_SHARE * view.rows:
        return None
    several = sum(count > 1 for count in counts.values())
    return Finding(
        code="group-leak",
        severity="warning",
        rows=first_rows(shared),
        count=len(shared),
        text=f"{column.name} has {groups:,} different values, and "
        f"{counted(several, 'of them stands', 'of them stand')} in more than one row "
        f"({share_of(len(shared), view.rows)} of the rows). If one {column.name} is both learned from and tested on, "
        "the model can do well by recognising it, and the test looks better than what new ones will give.",
        fix=f"Split by {column.name}: all rows of one stay together, to learn from or to test on.",
        fixable=True,
        change={"data.columns.group": column.name},
    )


CHECKS: tuple[Check, ...] = (group_leak,)
