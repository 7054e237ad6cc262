"""Mendings that a person can say yes to. Each returns a new table; the one at hand and the file stay as they are."""

from __future__ import annotations

import html as html_entities
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from assistant.data import personal
from assistant.data.cells import is_missing
from assistant.data.findings import column_list, counted, empty_rows, join_texts, label_column, labels_of, read_columns
from assistant.data.kinds import split_labels
from assistant.data.label_checks import label_key, spelling_variants
from assistant.data.media import Medium, look, role_of
from assistant.data.media_checks import is_silent
from assistant.data.similar import normalised
from assistant.data.suspects import find_suspects
from assistant.data.table import Table
from assistant.errors import PlainError

Columns = Mapping[str, str | list[str]]

_BREAK = re.compile(r"<\s*(br|/p|/div|/li|/tr|/h[1-6])\b[^<>]{0,200}>", re.IGNORECASE)
_HIDDEN = re.compile(
    r"<(script|style)\b[^<>]{0,500}>.{0,100000}?</\1\s*>|<!--.{0,100000}?-->", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]{0,10}(\s[^<>]{0,500})?/?>")


def fix(
    table: Table, code: str, columns: Columns, *, label_separator: str | None = None, found: Collection[str] = ()
) -> tuple[Table, str]:
    """Mend what a finding reported.

    Args:
        table: the rows; stays as it is.
        code: the finding's code, one of `FIXES`; or `EVERYTHING`: all of `SAFE` that was found.
        columns: role -> column or columns, as in the guess or the plan.
        label_separator: what parts the labels inside one cell, if anything does.
        found: the codes that the check found; only for `EVERYTHING`.

    Returns:
        The mended table, and a sentence on what was done, or one for each thing.

    Raises:
        PlainError: fix-unknown, when nothing can be mended under this code; no-rows, when no row would be left.
    """
    if code == EVERYTHING:
        said = []
        for each in SAFE:
            if each in found:
                table, sentence = fix(table, each, columns, label_separator=label_separator)
                said.append(sentence)
        return table, " ".join(said)
    mend = FIXES.get(code)
    if mend is None:
        raise PlainError(
            "fix-unknown",
            f"There is no fix for “{code[:60]}” that I can do for you.",
            f"I can mend: {', '.join(FIXES)}.",
            "Mend the file yourself and upload it again.",
        )
    mended, sentence = mend(_Work(table, columns, label_separator))
    if mended.frame.empty:
        raise PlainError("no-rows", "This fix would leave no row.", "", "Nothing was changed.")
    return mended, sentence


class _Work:
    """What the mendings share."""

    def __init__(self, table: Table, columns: Columns, separator: str | None) -> None:
        self.table = table
        self.columns = columns
        self.separator = separator
        self.texts = read_columns(table, columns)
        self.label = label_column(table, columns)

    def media(self) -> list[Medium | None]:
        """What is known of each row's picture or recording. Shape (rows,); empty where the rows have none."""
        return look(self.table) if role_of(self.table) else []

    def keys(self) -> list[str]:
        """What makes two rows the same to a reader. Shape (rows,)."""
        media = self.media()
        if media:
            return [medium.digest if medium is not None else "" for medium in media]
        return [normalised(text) for text in join_texts(self.table, self.texts)]

    def labels(self) -> list[list[str]]:
        """The labels of each row. Shape (rows, labels of the row)."""
        return labels_of(self.table, self.label, self.separator) if self.label else [[] for _ in range(self.table.rows)]

    def without(self, rows: Collection[int]) -> Table:
        """The table without these positions."""
        keep = [row for row in range(self.table.rows) if row not in rows]
        return replace(self.table, frame=self.table.frame.iloc[keep].reset_index(drop=True))

    def changed(self, cells: Mapping[str, list[Any]]) -> Table:
        """The table with other cells in some columns."""
        frame = self.table.frame.copy()
        for name, column in cells.items():
            frame[name] = pd.Series(column, dtype=object, index=frame.index)
        return replace(self.table, frame=frame)

    def each_text(self, mend: Callable[[str], str]) -> tuple[Table, int]:
        """The table with every text mended, in chats and lists of words too, and how many rows changed."""
        before = {name: self.table.frame[name].tolist() for name in self.texts}
        after = {name: [mended_cell(cell, mend) for cell in cells] for name, cells in before.items()}
        answers = [name for name in column_list(self.columns, "answers") if name in self.table.columns]
        for context in column_list(self.columns, "context"):
            for name in answers:
                cells = self.table.frame[name].tolist()
                pairs = zip(cells, before[context], after[context], strict=True)
                after[name] = [_moved(cell, old, new, mend) for cell, old, new in pairs]
        rows = {
            row
            for name, cells in before.items()
            for row, (old, new) in enumerate(zip(cells, after[name], strict=True))
            if old is not new and old != new
        }
        return self.changed(after), len(rows)


def mended_cell(cell: Any, mend: Callable[[str], str]) -> Any:
    """A cell with its texts mended: a text, the words of a list, what is said in a chat."""
    if isinstance(cell, str):
        return mend(cell) or None
    if isinstance(cell, list):
        return [(mend(item) or item) if isinstance(item, str) else mended_cell(item, mend) for item in cell]
    if isinstance(cell, dict):
        return {key: mend(item) if key in _SAID and isinstance(item, str) else item for key, item in cell.items()}
    return cell


#: Where the words of a turn stand, in the usual forms of chats.
_SAID = ("content", "value", "text")


def _moved(answers: Any, old: Any, new: Any, mend: Callable[[str], str]) -> Any:
    """Answers mended like the text that they stand in, with their places in it found again.

    {"text": ["Oslo"], "answer_start": [17]}: an answer that cannot be found any more is taken out.
    """
    if not (isinstance(answers, dict) and isinstance(old, str) and isinstance(new, str) and old != new):
        return answers
    texts, starts = answers.get("text"), answers.get("answer_start")
    if not (isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts)):
        return answers
    found = [(text, _place(text, start, old, new)) for text, start in zip(map(mend, texts), starts, strict=True)]
    kept = [(text, place) for text, place in found if place >= 0]
    return {**answers, "text": [text for text, _ in kept], "answer_start": [place for _, place in kept]}


def _place(text: str, start: int, old: str, new: str) -> int:
    """The place of a text in the mended one that is the nearest to where it stood; -1: nowhere."""
    expected = start * len(new) / max(1, len(old))
    places = [match.start() for match in re.finditer(re.escape(text), new)] if text else []
    return min(places, key=lambda place: abs(place - expected), default=-1)


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
    empty = set(empty_rows(work.table, work.columns))
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
    return work.changed({work.label: after}), (
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


def _drop_suspects(work: _Work) -> tuple[Table, str]:
    found, _ = find_suspects(join_texts(work.table, work.texts), work.labels())
    rows = {suspect.row for suspect in found}
    return work.without(rows), (
        f"{counted(len(rows), 'row', 'rows')} whose label may be wrong {_were(len(rows))} left out."
    )


def _relabel_suspects(work: _Work) -> tuple[Table, str]:
    if work.label is None:
        return work.table, "There is no label column, so nothing was changed."
    found, _ = find_suspects(join_texts(work.table, work.texts), work.labels())
    cells = work.table.frame[work.label].tolist()
    written = {names[0]: cell for names, cell in zip(work.labels(), cells, strict=True) if len(names) == 1}
    for suspect in found:
        cells[suspect.row] = written[suspect.likely]
    what = counted(len(found), "label was", "labels were")
    return work.changed({work.label: cells}), f"{what} set to what the text seems to say."


def _drop_broken(work: _Work) -> tuple[Table, str]:
    rows = {row for row, medium in enumerate(work.media()) if medium is not None and medium.fault}
    return work.without(rows), f"{counted(len(rows), 'file', 'files')} that cannot be read {_were(len(rows))} left out."


def _drop_silent(work: _Work) -> tuple[Table, str]:
    rows = {row for row, medium in enumerate(work.media()) if medium is not None and is_silent(medium)}
    return work.without(
        rows
    ), f"{counted(len(rows), 'recording', 'recordings')} without sound {_were(len(rows))} left out."


FIXES: dict[str, Callable[[_Work], tuple[Table, str]]] = {
    "duplicates": _drop_copies,
    "missing-text": _drop_empty_texts,
    "missing-label": _drop_empty_labels,
    "label-spelling": _respell_labels,
    "conflicting-labels": _settle_conflicts,
    "html": _strip_html,
    "mojibake": _mend_letters,
    "personal-data": _mask_personal,
    "likely-wrong-labels": _drop_suspects,
    "set-likely-labels": _relabel_suspects,
    "broken-media": _drop_broken,
    "silent-audio": _drop_silent,
}

#: The code that mends all of `SAFE` which was found.
EVERYTHING = "everything"
#: What can be mended at once: facts, no suspicions. Texts and labels are set right before copies are looked for.
SAFE = (
    "broken-media", "silent-audio", "mojibake", "html", "missing-text", "missing-label", "label-spelling",
    "personal-data", "conflicting-labels", "duplicates",
)  # fmt: skip
