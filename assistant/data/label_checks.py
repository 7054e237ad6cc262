"""Checks of the labels: missing ones, spelling, balance, contradictions, and columns that give them away."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from assistant.data.cells import is_missing, is_number_text, row_list
from assistant.data.checks import FEWEST_ROWS
from assistant.data.findings import Check, Finding, View, counted, first_rows, share_of, some_examples

SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
#: The largest class so many times as large as the smallest: a model gains by ignoring the small one.
IMBALANCED = 10.0


def _classes(view: View) -> bool:
    """Whether the labels are classes (of texts, pictures or sounds)."""
    return view.label_column is not None and view.problem != REGRESSION and view.guess.task != "sentence-similarity"


def _counts(view: View) -> Counter[str]:
    """Label -> rows; empty where the labels are no classes."""
    return view.label_counts if _classes(view) else Counter()


def _spelled_alike(view: View) -> Counter[str]:
    """Label -> rows, as if each label were spelled in one way: odd spellings have a finding of their own."""
    alike: Counter[str] = Counter()
    variants = spelling_variants(_counts(view))
    for label, rows in _counts(view).items():
        alike[variants.get(label, label)] += rows
    return alike


def missing_label(view: View) -> Iterable[Finding]:
    """Rows without a label; in a multi-label column these may just have none."""
    if view.label_column is None:
        return
    empty = [row for row, labels in enumerate(view.labels) if not labels]
    if not empty:
        return
    what = counted(len(empty), "row has", "rows have")
    several = view.problem == MULTI
    they, are = ("It", "is") if len(empty) == 1 else ("They", "are")
    effect = (
        f"{they} {are} read as {'a row' if are == 'is' else 'rows'} to which no label applies." if several
        else f"{they} cannot be learned from and {are} left out."
    )  # fmt: skip
    yield Finding(
        code="missing-label",
        severity="info" if several else "warning",
        rows=first_rows(empty),
        count=len(empty),
        text=f"{what} no label in {view.label_column} (row {row_list(row + 1 for row in empty)}). {effect}",
        fix="Remove these rows, or fill in their labels."
        if not several
        else "Remove them if their labels are unknown.",
        fixable=True,
    )


def one_class(view: View) -> Iterable[Finding]:
    """Only one label: nothing to tell apart."""
    counts = _counts(view)
    together = len({tuple(sorted(labels)) for labels in view.labels}) < 2
    if counts and (len(counts) == 1 if view.problem != MULTI else together):
        label = next(iter(counts))
        yield Finding(
            code="one-class",
            severity="error",
            count=1,
            text=f"All rows have the same label in {view.label_column}: {label[:60]}. A model learns to tell classes "
            "apart, so there is nothing to learn.",
            fix="Add rows of at least one other class, or name another label column.",
        )


def small_class(view: View) -> Iterable[Finding]:
    """Classes with too few rows to learn and to test."""
    counts = _spelled_alike(view)
    small = {label: count for label, count in counts.items() if count < FEWEST_ROWS}
    if not small or len(counts) < 2 or len(small) > 0.5 * max(20, len(counts)):
        return
    listed = ", ".join(
        f"{label[:40]} ({count})" for label, count in sorted(small.items(), key=lambda item: item[1])[:5]
    )
    more = f" and {len(small) - 5} more" if len(small) > 5 else ""
    rows = [row for row, labels in enumerate(view.labels) if any(label in small for label in labels)]
    yield Finding(
        code="small-class",
        severity="warning",
        rows=first_rows(rows),
        count=len(small),
        text=f"{counted(len(small), 'class has', 'classes have')} fewer than {FEWEST_ROWS} rows: {listed}{more}. The "
        "model will hardly ever predict them, and the test can say nothing about them.",
        fix="Add rows of these classes, merge them with a related one, or leave them out.",
    )


def many_classes(view: View) -> Iterable[Finding]:
    """So many labels with so few rows that the column may not be the right one."""
    counts = _counts(view)
    rare = sum(count < FEWEST_ROWS for count in counts.values())
    if len(counts) > 20 and rare > 0.5 * len(counts):
        yield Finding(
            code="many-classes",
            severity="warning",
            count=len(counts),
            text=f"{view.label_column} has {len(counts):,} different labels, and {rare:,} of them have fewer than "
            f"{FEWEST_ROWS} rows. From so few rows a class cannot be learned.",
            fix="Check that this is the label column; else merge labels into fewer classes, or bring more rows.",
        )


def imbalance(view: View) -> Iterable[Finding]:
    """One class far more frequent than another."""
    counts = _spelled_alike(view)
    if len(counts) < 2:
        return
    (largest, most), (smallest, fewest) = counts.most_common()[0], counts.most_common()[-1]
    if most < IMBALANCED * fewest:
        return
    yield Finding(
        code="imbalance",
        severity="warning",
        count=fewest,
        text=f"{largest[:40]} has {most:,} rows, {smallest[:40]} only {fewest:,}. A model that always says "
        f"{largest[:40]} would be right in {share_of(most, view.rows)} of the rows, so accuracy alone misleads.",
        fix="The plan can count rare classes more and judge by F1; more rows of the rare classes are better still.",
    )


def label_key(label: str) -> str:
    """What two spellings of one label have in common: case, spaces, hyphens and a final dot aside."""
    joined = re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", label.strip().casefold())
    return re.sub(r"[\s.,;:!]+$", "", joined) or label


def spelling_variants(counts: Counter[str]) -> dict[str, str]:
    """Odd spelling -> the usual spelling of the same label, the most frequent one; slips of one letter too."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label, _ in counts.most_common():
        groups[label_key(label)].append(label)
    variants = {odd: usual for usual, *others in groups.values() for odd in others}
    keys = {key: labels[0] for key, labels in groups.items()}
    totals = {key: sum(counts[label] for label in labels) for key, labels in groups.items()}
    for key, usual in _slips(totals).items():
        for odd in groups[key]:
            variants[odd] = keys[usual]
    return variants


def _slips(totals: dict[str, int]) -> dict[str, str]:
    """Rare labels that differ by one letter from one at least twenty times as frequent."""
    from rapidfuzz.distance import OSA  # noqa: PLC0415  only where labels are many

    frequent = [key for key, count in totals.items() if count >= 20 and len(key) >= 5]
    found: dict[str, str] = {}
    for key, count in totals.items():
        if len(key) < 5 or any(letter.isdigit() for letter in key):
            continue
        near = [f for f in frequent if totals[f] >= 20 * count and OSA.distance(key, f, score_cutoff=1) == 1]
        if len(near) == 1:
            found[key] = near[0]
    return found


def label_spelling(view: View) -> Iterable[Finding]:
    """One label written in several ways."""
    variants = spelling_variants(_counts(view))
    if not variants:
        return
    rows = [row for row, labels in enumerate(view.labels) if any(label in variants for label in labels)]
    listed = ", ".join(f"“{odd[:40]}” for “{usual[:40]}”" for odd, usual in list(variants.items())[:4])
    yield Finding(
        code="label-spelling",
        severity="warning",
        rows=first_rows(rows),
        count=len(rows),
        text=f"{counted(len(variants), 'label seems', 'labels seem')} to be another spelling of one that is there: "
        f"{listed}. Each spelling would become a class of its own.",
        fix="Write them all alike, in the most frequent spelling.",
        fixable=True,
        examples=some_examples(variants),
    )


def conflicting_labels(view: View) -> Iterable[Finding]:
    """The same text under different labels."""
    if not _classes(view) or not (view.text_columns or view.media):
        return
    seen: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for key, labels in zip(view.keys, view.labels, strict=True):
        if key and labels:
            seen[key].add(tuple(sorted(map(label_key, labels))))
    torn = {key for key, found in seen.items() if len(found) > 1}
    rows = [row for row, key in enumerate(view.keys) if key in torn]
    if rows:
        what = "file" if view.media else "text"
        first = next(iter(seen[view.keys[rows[0]]] - {()}))
        both = " and ".join(sorted({"/".join(labels) for labels in seen[view.keys[rows[0]]]})[:3]) or "/".join(first)
        yield Finding(
            code="conflicting-labels",
            severity="warning",
            rows=first_rows(rows),
            count=len(rows),
            text=f"{counted(len(torn), f'{what} stands', f'{what}s stand')} in the file with different labels (row "
            f"{rows[0] + 1}, for instance, as {both[:100]}). No model can get both right.",
            fix=f"Keep the label that the {what} has most often, and remove {what}s without a majority.",
            fixable=True,
            examples=some_examples(view.texts[row] for row in rows),
        )


def label_not_number(view: View) -> Iterable[Finding]:
    """Cells that are no number where a number is to be predicted."""
    if view.problem != REGRESSION or view.label_column is None:
        return
    odd = [row for row, labels in enumerate(view.labels) if labels and not is_number_text(labels[0])]
    if odd:
        yield Finding(
            code="label-not-number",
            severity="error",
            rows=first_rows(odd),
            count=len(odd),
            text=f"{counted(len(odd), 'row has', 'rows have')} something else than a number in {view.label_column} "
            f"(row {row_list(row + 1 for row in odd)}: {view.labels[odd[0]][0][:40]}).",
            fix="Write numbers only, or sort the texts into classes instead.",
            examples=some_examples(view.labels[row][0] for row in odd),
        )


def label_leak(view: View) -> Iterable[Finding]:
    """Another column that tells the label, or the label's own name inside the text."""
    if not _classes(view) or view.problem == MULTI:
        return
    labels = [found[0] if found else None for found in view.labels]
    for column in view.profile.columns:
        if column.name == view.label_column or column.kind not in ("category", "boolean", "number", "text"):
            continue
        if column.name in view.text_columns and len(view.text_columns) == 1:
            continue
        if _tells(view.table.frame[column.name].tolist(), labels):
            used = column.name in view.text_columns
            yield Finding(
                code="label-leak",
                severity="warning" if used else "info",
                count=1,
                text=f"The column {column.name} gives the label away: each of its values always goes with the same "
                f"{view.label_column}. "
                + ("A model that reads it learns nothing else." if used else "It is not read."),
                fix=f"Do not use {column.name} as text unless it is known when the model is used.",
            )
    yield from _named_in_text(view, labels)


def _tells(cells: list[Any], labels: list[str | None]) -> bool:
    """Whether each value of a column goes with one label only, and enough rows prove it."""
    owner: dict[str, str] = {}
    proofs = rows = 0
    for cell, label in zip(cells, labels, strict=True):
        if label is None or is_missing(cell):
            continue
        rows += 1
        before = owner.setdefault(str(cell), label)
        if before != label:
            return False
        proofs += before == label
    return rows >= 20 and len(set(owner.values())) > 1 and rows - len(owner) >= 0.8 * rows and proofs == rows


def _named_in_text(view: View, labels: list[str | None]) -> Iterable[Finding]:
    names = {label: label_key(label) for label in {label for label in labels if label}}
    if len(view.text_columns) == 0 or not 2 <= len(names) <= 20 or any(len(key) < 3 for key in names.values()):
        return
    patterns = {label: re.compile(rf"\b{re.escape(key)}\b") for label, key in names.items()}
    own = other = rows = 0
    for key, label in zip(view.keys, labels, strict=True):
        if label is None or not key:
            continue
        rows += 1
        here = {name for name, pattern in patterns.items() if names[name] in key and pattern.search(key)}
        own += label in here
        other += bool(here - {label})
    if rows >= 20 and own > 0.5 * rows and other < 0.1 * rows:
        yield Finding(
            code="label-leak",
            severity="warning",
            count=own,
            text=f"{share_of(own, rows)} of the texts hold the name of their own label. The model will learn to find "
            "that word, and fail on texts without it.",
            fix="Take the label's name out of the texts, unless it will stand there later too.",
        )


CHECKS: tuple[Check, ...] = (
    one_class, label_not_number, missing_label, label_spelling, conflicting_labels, small_class, many_classes,
    imbalance, label_leak,
)  # fmt: skip
