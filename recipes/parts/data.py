"""Rows of a plan: read from a file beside it or from the Hub, inputs joined, labels made into numbers.

rows = read_rows(plan, folder, run)
rows.inputs, rows.labels, rows.names, rows.groups
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts.errors import RecipeError
from recipes.parts.starter import file_sha256
from recipes.plan import Plan

Record = dict[str, Any]
Warn = Callable[[str, str], None]


@dataclass(frozen=True)
class Rows:
    """Inputs with their labels.

    Attributes:
        inputs: shape (rows,): texts, or the paths of files.
        labels: single-label: class indices, int64, shape (rows,); multi-label: 0/1, float32, shape (rows, classes);
            regression: float64, shape (rows,).
        names: the classes, in the order of the indices; empty for regression.
        numbers: shape (rows,): the row's number in the file, from 1.
        groups: shape (rows,), or None: rows of one group stay on one side of a split.
    """

    inputs: list[str]
    labels: NDArray[Any]
    names: list[str]
    numbers: NDArray[np.int64]
    groups: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Iterable[int]) -> Rows:
        """Some of the rows, in the order asked for."""
        index = np.asarray(list(rows), dtype=np.int64)
        return Rows(
            [self.inputs[row] for row in index],
            self.labels[index],
            self.names,
            self.numbers[index],
            [self.groups[row] for row in index] if self.groups is not None else None,
        )


def read_rows(plan: Plan, folder: Path, warn: Warn, role: str = "text", one: str = "text") -> tuple[Rows, Rows | None]:
    """The rows to learn from, and the person's own test rows when the plan names such a file.

    Args:
        role: of the columns that hold the inputs; one: what an input is called.

    Raises:
        RecipeError: the file, a column, or usable rows are missing; one class only; a label is not a number.
    """
    source = plan.data.source or ""
    records = read_records(source, folder, "train")
    rows = labelled_rows(records, plan, None, warn, plan.data.name or source, role, one)
    if plan.problem != "regression":
        check_classes(rows, plan)
    if not plan.data.test_source:
        return rows, None
    name = plan.data.test_name or plan.data.test_source
    records = read_records(plan.data.test_source, folder, "test")
    return rows, labelled_rows(records, plan, rows.names, warn, name, role, one)


def data_sha256(plan: Plan, folder: Path) -> str:
    """SHA-256 over the bytes of the plan's files; of a Hub data set, over its id."""
    digest = hashlib.sha256()
    for source in (plan.data.source, plan.data.test_source):
        if source:
            path = folder / source
            digest.update((file_sha256(path) if path.is_file() else source).encode())
    return digest.hexdigest()


def read_records(source: str, folder: Path, split: str = "train") -> list[Record]:
    """Records of a JSONL, CSV or Parquet file in `folder`, or of a data set on the Hub.

    Raises:
        RecipeError: `data-missing` or `data-unreadable`.
    """
    path = folder / source
    if not path.is_file():
        return _read_hub(source, split)
    try:
        if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
            with path.open(encoding="utf-8") as file:
                return [record for line in file if line.strip() and isinstance(record := json.loads(line), dict)]
        import pandas

        frame = pandas.read_parquet(path) if path.suffix.lower() == ".parquet" else pandas.read_csv(path)
        records = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return [{str(name): value for name, value in record.items()} for record in records]
    except (ValueError, OSError) as error:
        raise RecipeError(
            "data-unreadable",
            f"The file {source} cannot be read: {str(error)[:200]}",
            "The run's copy of the data is JSON lines (one object a line), CSV or Parquet.",
            "Upload the file again.",
        ) from error


def _read_hub(source: str, split: str) -> list[Record]:
    missing = RecipeError(
        "data-missing",
        f"There is no file “{source}” beside the plan, and no such data set was found on the Hub.",
        "data.source names a file in the plan's folder, or a Hub data set's id.",
        "Upload the file again, or check the name.",
    )
    if "/" not in source or source.startswith(("/", ".", "data/")):
        raise missing
    import datasets

    try:
        return [dict(record) for record in datasets.load_dataset(source, split=split)]
    except (OSError, ValueError, RuntimeError) as error:
        raise missing from error


def labelled_rows(
    records: list[Record],
    plan: Plan,
    names: list[str] | None,
    warn: Warn,
    file_name: str,
    role: str = "text",
    one: str = "text",
) -> Rows:
    """Inputs and labels of records; rows that lack one are left out, and counted in a warning.

    Args:
        names: the classes to use; None: those of the plan, or those found.
        role, one: as in `read_rows`.
    """
    check_columns(records, plan, file_name, (role, "label"))
    reader = {
        "single_label_classification": _single_labels,
        "multi_label_classification": _multi_labels,
        "regression": _numbers,
    }[plan.problem or "single_label_classification"]
    inputs = [join_text(record, plan.column(role)) for record in records]
    labels, found, usable = reader(records, plan, names)
    kept = np.array([row for row in range(len(records)) if usable[row] and inputs[row].strip()], dtype=np.int64)
    unknown = sum(1 for state in usable if state is None)
    if unknown:
        warn(
            "unknown-test-labels",
            f"{unknown:,} rows of {file_name} have a label that no row to learn from has; they are left out.",
        )
    left_out = len(records) - len(kept) - unknown
    if left_out > 0:
        empty = f"{left_out:,} of {len(records):,} rows of {file_name}"
        warn("rows-left-out", f"{empty} are left out: their {one} or their label is empty.")
    if len(kept) == 0:
        raise RecipeError(
            "no-usable-rows",
            f"None of the {len(records):,} rows of {file_name} has both a {one} and a label.",
            f"Each row needs a {one} in the {role} column and a label in the label column.",
            "Check that the right columns were chosen.",
        )
    groups = None
    if plan.column("group"):
        groups = [records[row].get(plan.column("group")[0]) for row in kept]
    return Rows([inputs[row] for row in kept], labels[kept], found, kept + 1, groups)


def join_text(record: Record, columns: list[str]) -> str:
    """The text columns in order, one a line, in clean Unicode."""
    parts = [str(value) for column in columns if (value := record.get(column)) not in (None, "")]
    return "\n".join(parts).encode("utf-8", "replace").decode("utf-8")


def file_in(folder: Path, named: str) -> Path | None:
    """The file that a row names, as `media/train/000001.png`: beside the rows; None outside of the folder, or absent.

    Args:
        folder: the run's folder (its rows lie in `data/`), or the one that a file of rows lies in.
    """
    root = folder.resolve()
    for base in (root, root / "data", root / "data" / "media"):
        path = (base / named.strip()).resolve()
        if path.is_relative_to(root) and path.is_file():
            return path
    return None


def label_name(value: Any) -> str | None:
    """A class as text: 1 and 1.0 are both “1”; None, NaN and blank are no label."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip().encode("utf-8", "replace").decode("utf-8") or None


def label_list(value: Any, separator: str | None) -> list[str]:
    """The labels in one cell: a list, or text with a separator between them; an empty cell has none."""
    if isinstance(value, (list, tuple, np.ndarray)):
        cells = list(value)
    elif isinstance(value, str) and value.strip().startswith("[") and _is_json_list(value):
        cells = json.loads(value)
    elif isinstance(value, str) and separator:
        cells = value.split(separator)
    else:
        cells = [value]
    return list(dict.fromkeys(name for cell in cells if (name := label_name(cell)) is not None))


def in_order(names: set[str]) -> list[str]:
    """Classes sorted: by value when all are numbers, else by text."""
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)


def _is_json_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


Reading = tuple[NDArray[Any], list[str], list[bool | None]]


def _single_labels(records: list[Record], plan: Plan, names: list[str] | None) -> Reading:
    column = plan.column("label")[0]
    found = [label_name(record.get(column)) for record in records]
    names = names or plan.data.labels or in_order({name for name in found if name is not None})
    index = {name: number for number, name in enumerate(names)}
    usable = [False if name is None else True if name in index else None for name in found]
    labels = np.array([index.get(name, 0) if name is not None else 0 for name in found], dtype=np.int64)
    return labels, list(names), usable


def _multi_labels(records: list[Record], plan: Plan, names: list[str] | None) -> Reading:
    columns = plan.column("label")
    if len(columns) > 1:  # one 0/1 column a class
        found = [[column for column in columns if _is_on(record.get(column))] for record in records]
        names = names or plan.data.labels or list(columns)
    else:
        found = [label_list(record.get(columns[0]), plan.data.label_separator) for record in records]
        names = names or plan.data.labels or in_order({name for cell in found for name in cell})
    index = {name: number for number, name in enumerate(names)}
    labels = np.zeros((len(records), len(names)), dtype=np.float32)
    for row, cell in enumerate(found):
        labels[row, [index[name] for name in cell if name in index]] = 1.0
    usable = [None if cell and not any(name in index for name in cell) else True for cell in found]
    return labels, list(names), usable


def _is_on(value: Any) -> bool:
    return str(value).strip().lower() in ("1", "1.0", "true", "yes", "x")


def _numbers(records: list[Record], plan: Plan, names: list[str] | None) -> Reading:
    del names
    column = plan.column("label")[0]
    labels = np.full(len(records), np.nan)
    for row, record in enumerate(records):
        value = record.get(column)
        if label_name(value) is None:
            continue
        try:
            labels[row] = float(str(value))
        except (TypeError, ValueError):
            raise RecipeError(
                "label-not-number",
                f"Row {row + 1} has “{str(value)[:60]}” in the column “{column}”, which is not a number.",
                "Predicting a number (regression) needs a number in every row.",
                "Choose another column, or sort the rows into classes instead.",
            ) from None
    return labels, [], [bool(number) for number in np.isfinite(labels)]


def check_columns(records: list[Record], plan: Plan, file_name: str, roles: Iterable[str]) -> None:
    """Every column that the plan names for some roles is there.

    Raises:
        RecipeError: `column-missing`.
    """
    present = {column for record in records[:1000] for column in record}
    for role in roles:
        for column in plan.column(role):
            if column not in present:
                raise RecipeError(
                    "column-missing",
                    f"{file_name} has no column “{column}”, which the plan uses as the {role}.",
                    f"Its columns are: {', '.join(sorted(present)[:30]) or 'none'}.",
                    "Choose one of these columns, or rename the column in the file.",
                )


def check_classes(rows: Rows, plan: Plan) -> None:
    """Refuse rows that give nothing to tell apart.

    Raises:
        RecipeError: `one-class`, or that labels are missing.
    """
    if plan.problem == "multi_label_classification":
        constant = rows.labels.min(axis=0) == rows.labels.max(axis=0)
        if not len(rows.names) or bool(constant.all()):
            raise RecipeError(
                "one-class",
                f"All {len(rows):,} rows have the same labels.",
                "A model learns to tell labels apart, so some rows must have a label that others lack.",
                "Check that the right label column was chosen, or add rows.",
            )
        return
    present = np.unique(rows.labels)
    if len(present) < 2:
        only = rows.names[int(present[0])]
        raise RecipeError(
            "one-class",
            f"All {len(rows):,} rows have the same label, “{only}”.",
            "A model learns to tell classes apart, so at least two are needed.",
            "Check that the right label column was chosen, or add rows of another class.",
        )
