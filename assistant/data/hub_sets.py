"""A data set of the Hugging Face Hub becomes a file of rows, like one that a person uploads.

Only data files are read: code that comes with a data set is never run. Runs in a process of its own, with a time limit.
"""
# ruff: noqa: PLC0415 - `datasets` takes seconds to import, and only this needs it

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from assistant.data.cells import clean_value
from assistant.errors import PlainError

#: Up to so many bytes are downloaded whole; of more only the beginning is read.
MOST_BYTES = 500 * 1024**2
#: Rows that a stream is shuffled in, so that a file sorted by its label does not give one class only.
SHUFFLED_IN = 10_000
#: An id, and after a colon one of its subsets: nyu-mll/glue:sst2
_ID = re.compile(r"[\w][\w.-]{0,95}(?:/[\w][\w.-]{0,95})?(?::[\w.-]{1,95})?")

Change = Callable[[Any], Any]


def fetch(dataset: str, out: str, most: int, whole: int = MOST_BYTES) -> dict[str, Any]:
    """Write the rows of a data set's training part as JSON lines (as Parquet where it holds pictures or recordings).

    Args:
        dataset: an id, as stanfordnlp/imdb or nyu-mll/glue:sst2 (with a subset).
        most: rows that are taken of a larger data set, drawn at random.
        whole: bytes up to which a data set is downloaded whole.

    Returns:
        "rows": how many were written; "part": which part they are of; "note": a sentence where they are not all.

    Raises:
        PlainError: dataset-unknown, dataset-unusable, hub-unreachable.
    """
    if not _ID.fullmatch(dataset) or ".." in dataset:
        raise _unknown(dataset)
    import datasets
    from datasets.utils import logging as datasets_logging

    datasets.disable_progress_bars()
    datasets_logging.set_verbosity_error()
    name, _, subset = dataset.partition(":")
    with tempfile.TemporaryDirectory() as nowhere:
        from contextlib import chdir

        with chdir(nowhere):  # a folder of the data set's name must not be taken for it
            try:
                rows, part, total = _load(datasets, name, subset or None, most, whole)
                _write(datasets, rows, Path(out))
                count = rows.num_rows
            except PlainError:
                raise
            except Exception as error:
                raise told(error, dataset) from error
    note = f"{count:,} of the {total:,} rows of its part “{part}” were drawn at random." if count < total else ""
    if total < 0:
        note = (
            f"The first {count:,} rows of its part “{part}” were read, in mixed order: it is too large to read whole."
        )
    return {"rows": count, "part": part, "note": note}


def _load(datasets: Any, name: str, subset: str | None, most: int, whole: int) -> tuple[Any, str, int]:
    """The rows, the name of their part, and how many that has (-1: too large to know)."""
    subset = subset or _only_subset(datasets, name)
    builder = datasets.load_dataset_builder(name, subset)
    parts = list(builder.info.splits or datasets.get_dataset_split_names(name, subset))
    part = next((one for one in ("train", "training", *parts) if one in parts), "train")
    size = builder.info.download_size or _bytes_of(name)
    if size is not None and size <= whole:
        rows = datasets.load_dataset(name, subset, split=part)
        total = len(rows)
        return (rows.shuffle(seed=0).select(range(most)) if total > most else rows), part, total
    stream = datasets.load_dataset(name, subset, split=part, streaming=True)
    stream = _undecoded(datasets, stream).shuffle(seed=0, buffer_size=SHUFFLED_IN).take(most)
    rows = datasets.Dataset.from_generator(lambda: (yield from stream), features=stream.features)
    return rows, part, -1


def _only_subset(datasets: Any, name: str) -> str | None:
    subsets = datasets.get_dataset_config_names(name)
    if len(subsets) < 2 or "default" in subsets:
        return None
    shown = ", ".join(subsets[:8]) + (f" and {len(subsets) - 8} more" if len(subsets) > 8 else "")
    raise PlainError(
        "dataset-unusable",
        f"The data set {name} has {len(subsets)} subsets: {shown}.",
        "One of them is needed.",
        f"Say which, as “use the data set {name}:{subsets[0]}”.",
    )


def _bytes_of(name: str) -> int | None:
    """The size of all files of a data set; None when the Hub does not say."""
    from huggingface_hub import HfApi

    found = HfApi().dataset_info(name, files_metadata=True)
    sizes = [file.size for file in found.siblings or []]
    return sum(size or 0 for size in sizes) if sizes and any(sizes) else None


def _undecoded(datasets: Any, rows: Any) -> Any:
    """The rows with pictures and recordings as the bytes that they are."""
    for name, feature in (rows.features or {}).items():
        if isinstance(feature, (datasets.Image, datasets.Audio)):
            rows = rows.cast_column(name, type(feature)(decode=False))
    return rows


def _write(datasets: Any, rows: Any, out: Path) -> None:
    rows = _undecoded(datasets, rows)
    media = [name for name, feature in rows.features.items() if isinstance(feature, (datasets.Image, datasets.Audio))]
    changes = {name: change for name, feature in rows.features.items() if (change := _named(datasets, feature))}
    records = ({name: changes.get(name, _same)(cell) for name, cell in row.items()} for row in rows)
    if media:
        _write_parquet(records, media[0], out)
        return
    with out.open("w", encoding="utf-8", newline="\n") as stream:
        for record in records:
            stream.write(json.dumps(clean_value(record), ensure_ascii=False) + "\n")


def _write_parquet(records: Iterable[dict[str, Any]], medium: str, out: Path) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    rows = [
        {name: cell if name == medium else clean_value(cell) for name, cell in record.items()} for record in records
    ]
    parquet.write_table(arrow.Table.from_pylist([_readable(row, medium) for row in rows]), out)


def _readable(row: dict[str, Any], medium: str) -> dict[str, Any]:
    """A picture that is only named by a path on this machine is read; nothing else refers to a path."""
    cell = row[medium]
    if isinstance(cell, dict) and cell.get("bytes") is None and cell.get("path"):
        return {**row, medium: {"bytes": Path(cell["path"]).read_bytes(), "path": None}}
    return {**row, medium: {"bytes": (cell or {}).get("bytes"), "path": None}}


def _same(cell: Any) -> Any:
    return cell


def _named(datasets: Any, feature: Any) -> Change | None:
    """How the numbers of a feature become the names of its classes; None where they have none."""
    if isinstance(feature, datasets.ClassLabel):
        names = list(feature.names)
        return lambda cell: names[cell] if isinstance(cell, int) and 0 <= cell < len(names) else None
    inner = getattr(feature, "feature", None) or (feature[0] if isinstance(feature, list) and feature else None)
    change = _named(datasets, inner) if inner is not None and not isinstance(inner, dict) else None
    if change is None:
        return None
    return lambda cell: [change(item) for item in cell] if isinstance(cell, list) else cell


def _unknown(dataset: str) -> PlainError:
    return PlainError(
        "dataset-unknown",
        f"There is no data set {dataset[:100]} on the Hub, or it is private.",
        "An id has the form owner/name, as stanfordnlp/imdb.",
        "Check the name on huggingface.co/datasets, or upload the data as a file.",
    )


def told(error: Exception, dataset: str) -> PlainError:
    """What went wrong while a data set was read, in a sentence."""
    kinds = _kinds(error)
    text = " ".join(str(error).split())
    if "gated" in text.casefold() or "GatedRepoError" in kinds:
        return PlainError(
            "dataset-unusable", f"The data set {dataset} asks for a login.", "Its owner wants its licence accepted.",
            "Accept it on the data set's page, set HF_TOKEN before the start, and try again.",
        )  # fmt: skip
    if "script" in text.casefold() and "support" in text.casefold():
        return PlainError(
            "dataset-unusable", f"The data set {dataset} can only be read by code of its own.",
            "Code from the Hub is never run here.", "Look for a copy of it in Parquet or CSV, and name that.",
        )  # fmt: skip
    if kinds & {
        "ConnectionError",
        "ConnectError",
        "TimeoutException",
        "OfflineModeIsEnabled",
        "LocalEntryNotFoundError",
    }:
        return unreachable(dataset)
    if kinds & {"DatasetNotFoundError", "RepositoryNotFoundError", "HFValidationError"}:
        return _unknown(dataset)
    return PlainError(
        "dataset-unusable",
        f"The data set {dataset} cannot be read ({type(error).__name__}: {text[:160]}).",
        "",
        "Download it from its page, and upload it as a file.",
    )


def _kinds(error: BaseException | None) -> set[str]:
    """The names of the classes of an error, and of those that led to it."""
    names: set[str] = set()
    while error is not None and len(names) < 100:
        names |= {kind.__name__ for kind in type(error).__mro__} | set(_NAMED.findall(str(error)))
        error = error.__cause__ or error.__context__
    return names


#: Errors that another error's text only names.
_NAMED = re.compile(r"\b(LocalEntryNotFoundError|OfflineModeIsEnabled|ConnectError|ConnectionError)\b")


def unreachable(dataset: str) -> PlainError:
    """The Hub does not answer."""
    return PlainError(
        "hub-unreachable",
        f"The Hub cannot be reached from here, so I cannot read the data set {dataset[:100]}.",
        "",
        "Download it from its page, save it as CSV, JSONL or Parquet, and upload that file.",
    )
