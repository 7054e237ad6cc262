"""Mendings that a person can say yes to. Each returns a new table; the one at hand and the file stay as they are."""

from __future__ import annotations

import html as html_entities
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from assistant.data import personal
from assistant.data.cells import is_missing
from assistant.data.findings import column_list, counted, join_texts, labels_of
from assistant.data.kinds import split_labels
from assistant.data.label_checks import label_key, spelling_variants
from assistant.data.similar import normalised
from assistant.data.table import Table
from assistant.errors import PlainError

Columns = Mapping[str, str | list[str]]

_BREAK = re.compile(r"<\s*(br|/p|/div|/li|/tr|/h[1-6])\b[^<>]{0,200}>", re.IGNORECASE)
_HIDDEN = re.compile(
    r"<(script|style)\b[^<>]{0,500}>.{0,100000}?</\1\s*>|<!--.{0,100000}?-->", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]{0,10}(\s[^<>]{0,500})?/?>")


def fix(table: Table, code: str, columns: Columns, *, label_separator: str | None = None) -> tuple[Table, str]:
    """Mend what a finding reported.

    Args:
        table: the rows; stays as it is.
        code: the finding's code, one of `FIXES`.
        columns: role -> column or columns, as in the guess or the plan.
        label_separator: what parts the labels inside one cell, if anything does.

    Returns:
        The mended table, and a sentence on what was done.

    Raises:
        PlainError: fix-unknown, when nothing can be mended under this code; no-rows, when no row would be left.
    """
    mend = FIXES.get(code)
    if mend is None:
        raise PlainError(
            "fix-unknown",
            f"There is no fix for “{code[:60]}” that I can do for you.",
            f"I can mend: {', '.join(FIXES)}.",
            "Mend the file yourself and upload it again.",
        )
    texts = [name for role, _ in columns.items() if role not in _NOT_TEXT for name in column_list(dict(columns), role)]
    work = _Work(
        table, [name for name in dict.fromkeys(texts) if name in table.columns], _label(table, columns), label_separator
    )
    mended, sentence = mend(work)
    if mended.frame.empty:
        raise PlainError("no-rows", "This fix would leave no row.", "", "Nothing was changed.")
    return mended, sentence


_NOT_TEXT = ("label", "tags", "tokens", "messages", "answers", "score", "group", "image", "audio", "objects", "mask")


class _Work:
    """What the mendings share."""

    def __init__(self, table: Table, texts: list[str], label: str | None, separator: str | None) -> None:
        self.table = table
        self.texts = texts
        self.label = label
        self.separator = separator

    def keys(self) -> list[str]:
        """The texts as a reader compares them. Shape (rows,)."""
        return [normalised(text) for text in join_texts(self.table, self.texts)]

    def labels(self) -> list[list[str]]:
        """The labels of each row. Shape (rows, labels of the row)."""
        return labels_of(self.table, self.label, self.separator) if self.label else [[] for _ in range(self.table.rows)]

    def without(self, rows: set[int]) -> Table:
        """The table without these positions."""
        keep = [row for row in range(self.table.rows) if row not in rows]
        return replace(self.table, frame=self.table.frame.iloc[keep].reset_index(drop=True))

    def changed(self, name: str, cells: list[Any]) -> Table:
        """The table with other cells in one column."""
        frame = self.table.frame.copy()
        frame[name] = pd.Series(cells, dtype=object)
        return replace(self.table, frame=frame)

    def each_text(self, mend: Callable[[str], str]) -> tuple[Table, int]:
        """The table with every text mended, and how many rows changed."""
        table, rows = self.table, set()
        for name in self.texts:
            before = table.frame[name].tolist()
            after = [mend(cell) if isinstance(cell, str) else cell for cell in before]
            rows |= {
                row for row, (old, new) in enumerate(zip(before, after, strict=True)) if old is not new and old != new
            }
            table = _Work(table, self.texts, self.label, self.separator).changed(
                name, [cell or None if isinstance(cell, str) else cell for cell in after]
            )
        return table, len(rows)


def _label(table: Table, columns: Columns) -> str | None:
    names = column_list(dict(columns), "label")
    return names[0] if len(names) == 1 and names[0] in table.columns else None


def _drop_copies(work: _Work) -> tuple[Table, str]:
    seen: set[tuple[str, ...]] = set()
    copies: set[int] = set()
    labels = work.labels()
    for row, key in enumerate(work.keys()):
        whole = (key, *sorted(labels[row]))
        if key and whole in seen:
            copies.add(row)
        seen.add(whole)
    return work.without(copies), f"{counted(len(copies), 'copy was', 'copies were')} removed; the first of each stayed."


def _drop_empty_texts(work: _Work) -> tuple[Table, str]:
    empty = {row for row, key in enumerate(work.keys()) if not key}
    return work.without(empty), f"{counted(len(empty), 'row', 'rows')} without a text {_were(len(empty))} removed."


def _drop_empty_labels(work: _Work) -> tuple[Table, str]:
    empty = {row for row, labels in enumerate(work.labels()) if not labels} if work.label else set()
    return work.without(empty), f"{counted(len(empty), 'row', 'rows')} without a label {_were(len(empty))} removed."


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _respell_labels(work: _Work) -> tuple[Table, str]:
    if work.label is None:
        return work.table, "There is no label column, so nothing was changed."
    variants = spelling_variants(Counter(label for labels in work.labels() for label in dict.fromkeys(labels)))
    before = work.table.frame[work.label].tolist()
    after = [_respelled(cell, variants, work.separator) for cell in before]
    changed = sum(old != new for old, new in zip(before, after, strict=True))
    return work.changed(work.label, after), (
        f"{counted(changed, 'label was', 'labels were')} written in the usual spelling; "
        f"{counted(len(variants), 'odd spelling is', 'odd spellings are')} gone."
    )


def _respelled(cell: Any, variants: dict[str, str], separator: str | None) -> Any:
    if is_missing(cell):
        return cell
    if isinstance(cell, list):
        return list(dict.fromkeys(variants.get(str(item), item) for item in cell))
    if separator and isinstance(cell, str):
        return separator.join(dict.fromkeys(variants.get(item, item) for item in split_labels(cell, separator)))
    return variants.get(cell, cell) if isinstance(cell, str) else cell


def _settle_conflicts(work: _Work) -> tuple[Table, str]:
    votes: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    keys = work.keys()
    named = [tuple(sorted(map(label_key, labels))) for labels in work.labels()]
    for key, labels in zip(keys, named, strict=True):
        if key and labels:
            votes[key][labels] += 1
    winners: dict[str, tuple[str, ...] | None] = {}
    for key, counts in votes.items():
        if len(counts) > 1:
            (best, most), (_, second) = counts.most_common(2)
            winners[key] = best if most > second else None
    gone = {row for row, key in enumerate(keys) if key in winners and named[row] != winners[key]}
    settled = sum(winner is not None for winner in winners.values())
    return work.without(gone), (
        f"{counted(len(gone), 'row was', 'rows were')} removed: {counted(settled, 'text', 'texts')} kept the label of "
        f"the majority, {counted(len(winners) - settled, 'text', 'texts')} without a majority went."
    )


def strip_html(text: str) -> str:
    """The text without tags, with line ends for breaks and letters for entities."""
    if "<" in text:
        text = _TAG.sub(" ", _BREAK.sub("\n", _HIDDEN.sub(" ", text)))
    if "&" in text:
        text = html_entities.unescape(text).replace("\xa0", " ")
    return re.sub(r"[ \t]{2,}", " ", re.sub(r" ?\n ?", "\n", text)).strip()


def _strip_html(work: _Work) -> tuple[Table, str]:
    table, rows = work.each_text(lambda text: strip_html(text) if "<" in text or "&" in text else text)
    return table, f"HTML was taken out of {counted(rows, 'text', 'texts')}."


def _mend_letters(work: _Work) -> tuple[Table, str]:
    from ftfy import fix_encoding  # noqa: PLC0415  slow to import

    table, rows = work.each_text(lambda text: text if text.isascii() else fix_encoding(text))
    return table, f"Broken letters were mended in {counted(rows, 'text', 'texts')}."


def _mask_personal(work: _Work) -> tuple[Table, str]:
    table, rows = work.each_text(personal.mask)
    return table, f"E-mail addresses, phone numbers and card numbers were masked in {counted(rows, 'text', 'texts')}."


FIXES: dict[str, Callable[[_Work], tuple[Table, str]]] = {
    "duplicates": _drop_copies,
    "missing-text": _drop_empty_texts,
    "missing-label": _drop_empty_labels,
    "label-spelling": _respell_labels,
    "conflicting-labels": _settle_conflicts,
    "html": _strip_html,
    "mojibake": _mend_letters,
    "personal-data": _mask_personal,
}
