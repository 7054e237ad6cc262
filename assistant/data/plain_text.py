"""TXT files: CoNLL columns, fastText labels, or plain prose; which one is told from the text itself."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from assistant.data.cells import make_frame, row_list
from assistant.data.delimited import parse, read_delimited, sniff_delimiter
from assistant.data.names import IN_HEADERS

_TAG = re.compile(r"O|[BIESLUM]-\S+")
_FASTTEXT = re.compile(r"((?:__label__\S+\s+)+)(.*)", re.DOTALL)


def read_text(text: str) -> tuple[str, pd.DataFrame, list[str]]:
    """Rows of a TXT file.

    Returns:
        The format (conll, fasttext, csv, txt), the frame and the notes.
    """
    if is_conll(text):
        return "conll", *read_conll(text)
    if is_fasttext(text):
        return "fasttext", *read_fasttext(text)
    if _is_delimited(text):
        return "csv", *read_delimited(text)
    return "txt", *read_prose(text)


def is_conll(text: str) -> bool:
    """Lines of two or more words, the last one a tag as B-PER or O, sentences parted by empty lines."""
    lines = [line.split() for line in text[:200_000].split("\n")[:2_000] if not _is_comment(line)]
    words = [line for line in lines if line]
    if len(words) < 3 or len(words) == len(lines):
        return False
    tagged = [line for line in words if len(line) >= 2 and _TAG.fullmatch(line[-1])]
    return len(tagged) >= 0.95 * len(words) and any(line[-1] != "O" for line in tagged)


def _is_comment(line: str) -> bool:
    return line.startswith(("-DOCSTART-", "# "))


def read_conll(text: str) -> tuple[pd.DataFrame, list[str]]:
    """One row a sentence: columns tokens and ner_tags, two lists of one length."""
    tokens: list[list[str]] = [[]]
    tags: list[list[str]] = [[]]
    odd: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if not words or _is_comment(line):
            if tokens[-1]:
                tokens.append([])
                tags.append([])
        elif len(words) < 2:
            odd.append(number)
        else:
            tokens[-1].append(words[0])
            tags[-1].append(words[-1])
    if not tokens[-1]:
        tokens.pop()
        tags.pop()
    notes = [f"{len(tokens):,} sentences were read from CoNLL lines, the first word and the last tag of each."]
    if odd:
        notes.append(f"{len(odd):,} lines without a tag were left out (line {row_list(odd)}).")
    return make_frame(["tokens", "ner_tags"], [tokens, tags]), notes


def is_fasttext(text: str) -> bool:
    """Most lines begin with __label__."""
    lines = [line for line in text[:200_000].split("\n")[:500] if line.strip()]
    return bool(lines) and sum(line.startswith("__label__") for line in lines) >= 0.9 * len(lines)


def read_fasttext(text: str) -> tuple[pd.DataFrame, list[str]]:
    """Columns text and label; labels are a list in each cell where some line has several."""
    texts: list[str] = []
    labels: list[list[str]] = []
    skipped: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        found = _FASTTEXT.fullmatch(line.strip() + " ")
        if found is None:
            skipped += [number] if line.strip() else []
            continue
        labels.append([label.removeprefix("__label__") for label in found.group(1).split()])
        texts.append(found.group(2).strip())
    notes = ["The lines begin with __label__, as fastText writes them; labels and texts were parted."]
    if skipped:
        notes.append(f"{len(skipped):,} lines without a label were left out (line {row_list(skipped)}).")
    several = any(len(cell) > 1 for cell in labels)
    cells: list[Any] = list(labels) if several else [cell[0] for cell in labels]
    return make_frame(["text", "labels" if several else "label"], [texts, cells]), notes


def _is_delimited(text: str) -> bool:
    """A table under the name .txt: tabs (or a named header) cut nearly every line into the same number of cells."""
    delimiter = sniff_delimiter(text)
    if delimiter is None:
        return False
    records = [record for record in parse("\n".join(text[:200_000].split("\n")[:200]), delimiter)[0] if any(record)]
    width = len(records[0])
    even = sum(len(record) == width for record in records) / len(records)
    named = sum(cell.strip().lower() in IN_HEADERS for cell in records[0]) >= 2
    return width >= 2 and len(records) > 1 and even >= 0.9 and (delimiter in "\t|" or named)


def read_prose(text: str) -> tuple[pd.DataFrame, list[str]]:
    """One row a paragraph where empty lines part them, else one row a line; column text."""
    paragraphs = [" ".join(part.split("\n")).strip() for part in re.split(r"\n[ \t]*\n", text)]
    paragraphs = [part for part in paragraphs if part]
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    # A few empty lines, as around headings, do not make paragraphs.
    by_paragraph = len(paragraphs) >= max(2, len(lines) / 10)
    rows, unit = (paragraphs, "paragraph") if by_paragraph else (lines, "line")
    return make_frame(["text"], [rows]), [f"The file is plain text; each {unit} is one row, in the column text."]
