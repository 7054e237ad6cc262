"""Data sets of a Hub: a small one on this machine, over HTTP, in the process that the server starts for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_mirror import hub
from media_files import media_parquet, picture

from assistant.data import apart, desk, hub_sets
from assistant.errors import PlainError

CARD = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': bad
          '1': good
---
"""
IMAGES = """---
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': cat
          '1': dog
---
"""


def lines(count: int) -> bytes:
    """Rows sorted by their label, as they often are."""
    return "".join(json.dumps({"text": f"row {n}", "label": int(n >= count / 2)}) + "\n" for n in range(count)).encode()


SETS = {
    "acme/reviews": {"README.md": CARD.encode(), "train.jsonl": lines(60), "test.jsonl": lines(10)},
    "acme/pets": {
        "README.md": IMAGES.encode(),
        "data/train-0.parquet": media_parquet([picture(n) for n in range(12)], [n % 2 for n in range(12)]),
    },
    "acme/parts": {"one/train.jsonl": lines(4), "two/train.jsonl": lines(6), "README.md": b"""---
configs:
- config_name: one
  data_files: one/*.jsonl
- config_name: two
  data_files: two/*.jsonl
---
"""},
    "acme/runs-code": {"runs-code.py": b"import os; os.system('touch /tmp/was-run')\n"},
}  # fmt: skip


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hub(SETS) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", address)
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        patch.delenv("HF_HUB_CACHE", raising=False)
        yield address


def fetched(dataset: str, out: Path, **limits: Any) -> dict[str, Any]:
    return apart.call("fetch", {"dataset": dataset, "out": str(out), "most": 1000, **limits})


def test_rows_come_with_the_names_of_their_classes(mirror: str, tmp_path: Path) -> None:
    assert fetched("acme/reviews", tmp_path / "rows") == {"rows": 60, "part": "train", "note": ""}
    first, *_, last = [json.loads(line) for line in (tmp_path / "rows").read_text(encoding="utf-8").splitlines()]
    assert (first, last) == ({"text": "row 0", "label": "bad"}, {"text": "row 59", "label": "good"})
    seen = desk.look(str(tmp_path / "rows"), "acme/reviews")
    assert seen["guesses"][0]["columns"] == {"text": "text", "label": "label"}


def test_of_many_rows_some_are_drawn(mirror: str, tmp_path: Path) -> None:
    found = fetched("acme/reviews", tmp_path / "rows", most=20)
    assert found["rows"] == 20 and "20 of the 60 rows" in found["note"]


def test_a_large_one_is_not_downloaded_whole(mirror: str, tmp_path: Path) -> None:
    found = fetched("acme/reviews", tmp_path / "rows", most=20, whole=10)
    labels = {json.loads(line)["label"] for line in (tmp_path / "rows").read_text(encoding="utf-8").splitlines()}
    assert found["rows"] == 20 and "too large" in found["note"] and labels == {"bad", "good"}


def test_pictures_come_too(mirror: str, tmp_path: Path) -> None:
    fetched("acme/pets", tmp_path / "rows")
    seen = desk.look(str(tmp_path / "rows"), "acme/pets")
    assert seen["guesses"][0]["task"] == "image-classification"
    assert seen["profile"]["columns"][1]["label_counts"] == {"cat": 6, "dog": 6}


@pytest.mark.parametrize(
    ("dataset", "code", "word"),
    [
        ("acme/parts", "dataset-unusable", "one, two"),
        ("acme/runs-code", "dataset-unusable", "acme/runs-code"),
        ("acme/nothing", "dataset-unknown", "acme/nothing"),
        ("../etc", "dataset-unknown", "etc"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(dataset: str, code: str, word: str, mirror: str, tmp_path: Path) -> None:
    with pytest.raises(PlainError) as caught:
        fetched(dataset, tmp_path / "rows")
    assert caught.value.code == code and word in caught.value.text()
    assert not Path("/tmp/was-run").exists()


def test_a_subset_is_named_after_a_colon(mirror: str, tmp_path: Path) -> None:
    assert fetched("acme/parts:two", tmp_path / "rows")["rows"] == 6


def test_a_hub_that_goes_away_while_it_is_read() -> None:
    class LocalEntryNotFoundError(FileNotFoundError):
        """As huggingface_hub calls it."""

    error = FileNotFoundError("no data file; on the Hub either: LocalEntryNotFoundError: An error happened while")
    assert hub_sets.told(error, "acme/reviews").code == "hub-unreachable"
    error = ValueError("what follows from it")
    error.__cause__ = LocalEntryNotFoundError("no connection")
    assert hub_sets.told(error, "acme/reviews").code == "hub-unreachable"
