"""The pages: short, found by many names, one for every code in use."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from assistant.chat.explain import find_topic, page, pages
from assistant.data.doctor import FINDING_CODES
from recipes.parts.errors import FAILURE_CODES, WARNING_CODES

ROOT = Path(__file__).resolve().parents[3]
#: What carries a code for a person: errors, ends and warnings of runs, findings of the data check.
_CARRIERS = {"PlainError", "Failed", "Warned", "Finding", "RecipeError", "Failure"}


def codes_in_use() -> set[str]:
    """Every code that the sources give to an error, a failure, a warning or a finding."""
    found = {*FINDING_CODES, *FAILURE_CODES, *WARNING_CODES}
    for path in [*(ROOT / "assistant").rglob("*.py"), *(ROOT / "recipes").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            values = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            if name in _CARRIERS or name.lstrip("_").lower() in ("warn", "warning", "fail", "trouble", "problem"):
                values += node.args[:1]
            found |= {
                value.value
                for value in values
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and is_code(value.value)
            }
    return found


def is_code(text: str) -> bool:
    return 3 < len(text) < 40 and all(part.isalnum() and part.islower() for part in text.split("-"))


def test_every_code_in_use_has_a_page() -> None:
    assert sorted(codes_in_use() - set(pages())) == []


def test_no_page_explains_a_code_that_is_gone() -> None:
    assert sorted({name for name, found in pages().items() if found.code} - codes_in_use()) == []


def test_pages_are_short_and_whole() -> None:
    assert len(pages()) >= 60
    long = {name: found.words for name, found in pages().items() if found.words > 150}
    assert long == {}
    for name, found in pages().items():
        assert found.words >= 15, name
        assert found.title, name
        assert "TODO" not in found.text, name
        assert "<script" not in found.text, name


def test_no_name_stands_for_two_pages() -> None:
    owners: dict[str, list[str]] = {}
    for found in pages().values():
        for alias in {*found.aliases, found.title.casefold()}:
            owners.setdefault(alias, []).append(found.name)
    assert {alias: names for alias, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("lora", "lora"),
        ("LoRA", "lora"),
        ("epochs", "epoch"),
        ("overfiting", "overfitting"),
        ("the learning rate", "learning-rate"),
        ("what is a confusion matrix", "confusion-matrix"),
        ("tf-idf", "word-counts"),
        ("out-of-memory", "out-of-memory"),
        ("95 % interval", "confidence-interval"),
        ("frozen layers", "freezing"),
        ("bfloat16", "mixed-precision"),
    ],
)
def test_pages_are_found_by_many_names(asked: str, name: str) -> None:
    found = page(asked)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("text", ["", "   ", "../../etc/passwd", "the weather", "x" * 5000, "\x00"])
def test_what_is_no_term(text: str) -> None:
    assert find_topic(text) is None
