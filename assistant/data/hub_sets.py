"""A data set of the Hugging Face Hub becomes a file of rows, like one that a person uploads."""

from __future__ import annotations

from typing import Any


def fetch(name: str, out: str, **options: Any) -> dict[str, Any]:
    raise NotImplementedError
