"""Sentences whose words carry tags: read from tokens with tags or from texts with marked parts, and divided.

study, tagged = read_study(plan, run)
tagged.texts, tagged.words, tagged.spans       of every sentence; study.train, .validation, .test: which of them
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import data, metrics, tags
from recipes.parts.context import RunContext
from recipes.parts.data import Record, Warn
from recipes.parts.errors import RecipeError
from recipes.parts.study import Goal, Study, divide
from recipes.parts.tags import OUTSIDE, Span
from recipes.plan import Plan

#: Words of a text: runs of letters and digits, single marks; scripts without spaces letter by letter.
WORDS = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]")
SPACED = re.compile(r"\S+")
GLUED = re.compile(r"\w[^\w\s]+$|^[^\w\s]+\w")  # a word with a mark at its edge, as "York,"
GLUED_SHARE = 0.5  # of the edge marks: from here on the file's words are what stands between spaces
START, END = ("start", "begin", "start_offset", "start_char", "from"), ("end", "stop", "end_offset", "end_char", "to")
KIND = ("label", "type", "tag", "entity", "entity_group", "entity_type", "category", "class")
PLAIN_METRIC, METRIC = "word_accuracy", "entity_f1"

Place = tuple[int, int]  #: first character of a word, and the one after its last


@dataclass(frozen=True)
class Tagged:
    """Sentences, word by word.

    Attributes:
        texts: what the model reads; words: places of the words in it; spans: their entities, in words.
        numbers: the sentence's number in its file, from 1.
        plain: every word has a tag of its own (parts of speech) instead of belonging to an entity or not.
        spaced: words are what stands between spaces, marks included; False: marks are words of their own.
    """

    texts: list[str]
    words: list[list[Place]]
    spans: list[list[Span]]
    numbers: list[int]
    groups: list[Any] | None = None
    plain: bool = False
    spaced: bool = True

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Words of each sentence, shape (sentences,)."""
        return np.array([len(each) for each in self.words], dtype=np.int64)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Each sentence's first word among the words of all, shape (sentences + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts)]).astype(np.int64)

    def written(self, sentence: int) -> list[str]:
        """The words of a sentence."""
        text = self.texts[sentence]
        return [text[start:end] for start, end in self.words[sentence]]

    def tags(self, sentence: int) -> list[str]:
        """The tags of a sentence, in BIO (or plain)."""
        return tags.bio(self.spans[sentence], len(self.words[sentence]), self.plain)

    def and_then(self, more: Tagged) -> Tagged:
        """These sentences, then those."""
        return dataclasses.replace(
            self,
            texts=self.texts + more.texts,
            words=self.words + more.words,
            spans=self.spans + more.spans,
            numbers=self.numbers + more.numbers,
            groups=None if self.groups is None or more.groups is None else self.groups + more.groups,
        )


def split_words(text: str, spaced: bool) -> list[Place]:
    """Places of the words of a text; `spaced` as in `Tagged`."""
    return [match.span() for match in (SPACED if spaced else WORDS).finditer(text)]


# Rows


def read_study(plan: Plan, run: RunContext) -> tuple[Study, Tagged]:
    """Read the plan's sentences and set test sentences aside, before anything is trained.

    Returns:
        The study: its rows are the sentences, `goal.names` the tags in the order of the model's outputs; and all
        sentences with their words.

    Raises:
        RecipeError: the data cannot be used. splits.CannotSplit: they cannot be divided.
    """
    source, test_source = plan.data.source or "", plan.data.test_source
    records = data.read_records(source, run.directory, "train")
    tagged = tagged_rows(records, plan, run.warn, plan.data.name or source, run.note)
    check_types(tagged)
    own = None
    if test_source:
        records = data.read_records(test_source, run.directory, "test")
        own = tagged_rows(records, plan, run.warn, plan.data.test_name or test_source, run.note, tagged.plain)
        warn_unknown(tags.types_of(tagged.spans), own, run.warn, plan.data.test_name or test_source)
    study = divide(_rows(tagged, tagged), None if own is None else _rows(own, tagged), _by_types(plan), run)
    every = tagged if own is None else tagged.and_then(own)
    return dataclasses.replace(study, goal=_goal(plan, study, every)), every


def _by_types(plan: Plan) -> Plan:
    """Sentences are divided like rows with several labels: each type of entity in proportion on both sides."""
    return plan.changed({"problem": metrics.MULTI, "evaluation.metric": None})


def _rows(tagged: Tagged, known: Tagged) -> data.Rows:
    """Sentences with which types they hold, shape (sentences, types)."""
    types = tags.types_of(known.spans)
    index = {kind: place for place, kind in enumerate(types)}
    present = np.zeros((len(tagged), len(types)), dtype=np.float32)
    for row, spans in enumerate(tagged.spans):
        present[row, [index[kind] for _, _, kind in spans if kind in index]] = 1.0
    return data.Rows(tagged.texts, present, types, np.array(tagged.numbers, dtype=np.int64), tagged.groups)


def _goal(plan: Plan, study: Study, tagged: Tagged) -> Goal:
    """What each word gets: the tags of the sentences to learn from, no tag first."""
    found = {name for row in study.learnable for name in tagged.tags(int(row))} - {OUTSIDE}
    names = sorted(found, key=lambda name: (name.partition("-")[2], name) if not tagged.plain else (name, ""))
    usual = PLAIN_METRIC if tagged.plain else METRIC
    asked = {"accuracy": PLAIN_METRIC, "precision": "entity_precision", "recall": "entity_recall", "f1": METRIC}
    metric = asked.get((plan.evaluation.metric or "").lower().removeprefix("entity_"), usual)
    outside = [] if tagged.plain else [OUTSIDE]
    return Goal(
        problem=metrics.SINGLE, names=outside + names, metric=usual if tagged.plain else metric,
        balanced=plan.training.class_weights == "balanced", seed=plan.training.seed,
    )  # fmt: skip


def tagged_rows(
    records: list[Record], plan: Plan, warn: Warn, file_name: str, note: Any = None, plain: bool | None = None
) -> Tagged:
    """Sentences of records; those that cannot be used are left out, and counted in a warning.

    Args:
        note: hears what was mended; plain: whether every word has a tag of its own; None: found out.

    Raises:
        RecipeError: `column-missing` or `no-usable-rows`.
    """
    with_tokens = bool(plan.column("tokens"))
    data.check_columns(records, plan, file_name, ("tokens" if with_tokens else "text", "tags"))
    say = note or (lambda _text: None)
    found, faults = (_from_tokens if with_tokens else _from_texts)(records, plan, say, plain)
    if faults:
        said = "; ".join(f"{count:,} {why}" for why, count in faults.most_common())
        left_out = sum(faults.values())
        warn("rows-left-out", f"{left_out:,} of {len(records):,} rows of {file_name} are left out: {said}.")
    if not len(found):
        raise RecipeError(
            "no-usable-rows",
            f"None of the {len(records):,} rows of {file_name} can be used.",
            "Each row needs a list of words with a list of as many tags, or a text with the places and labels of its "
            "entities.",
            "Check that the right columns were chosen.",
        )
    group = plan.column("group")
    if group:
        found = dataclasses.replace(found, groups=[records[number - 1].get(group[0]) for number in found.numbers])
    return found


def _from_tokens(records: list[Record], plan: Plan, note: Any, plain: bool | None) -> tuple[Tagged, Counter[str]]:
    """Rows of words and tags: two lists of one length, or text with spaces between them."""
    words_column, tags_column = plan.column("tokens")[0], plan.column("tags")[0]
    faults: Counter[str] = Counter()
    sentences, given, numbers = [], [], []
    for number, record in enumerate(records, start=1):
        words, marks = listed(record.get(words_column)), listed(record.get(tags_column))
        if not any(str(word).strip() for word in words):
            faults["have no words"] += 1
        elif len(words) != len(marks):
            faults["have more words than tags or fewer"] += 1
        else:
            kept = [(str(word).strip(), mark) for word, mark in zip(words, marks, strict=True) if str(word).strip()]
            sentences.append([_clean(word) for word, _ in kept])
            given.append([mark for _, mark in kept])
            numbers.append(number)
    reading = tags.read(given)
    is_plain = reading.scheme == "plain" if plain is None else plain
    _tell(reading, given, note)
    laid = [_laid_out(words) for words in sentences]
    spaced = _is_spaced(sentences)
    return Tagged(
        [text for text, _ in laid], [places for _, places in laid], reading.spans, numbers, None, is_plain, spaced
    ), faults


def _tell(reading: tags.Reading, given: Sequence[Sequence[Any]], note: Any) -> None:
    """How the tags were read, and what did not fit."""
    if reading.scheme != "bio":
        note(f"The tags are written as {tags.NAMES[reading.scheme]}; the model learns the same entities in BIO."
             if reading.scheme != "plain" else "Every word has a tag of its own, as for parts of speech.")  # fmt: skip
    if reading.repaired:
        wrong, every = sum(reading.repaired.values()), sum(map(len, given))
        note(
            f"{wrong:,} of {every:,} tags in {len(reading.repaired):,} sentences do not follow the others (as I- "
            "without a B- before it); they were read as the usual scorers do: an entity begins there."
        )


def _clean(word: str) -> str:
    return " ".join(word.split()).encode("utf-8", "replace").decode("utf-8")


def _laid_out(words: Sequence[str]) -> tuple[str, list[Place]]:
    """Words with a space between them, and where each of them stands."""
    places, at = [], 0
    for word in words:
        places.append((at, at + len(word)))
        at += len(word) + 1
    return " ".join(words), places


def _is_spaced(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether marks stick to words in this file ("York,"), so that words of new texts are cut at spaces alone."""
    glued = alone = 0
    for words in sentences:
        for word in words:
            glued += bool(GLUED.search(word))
            alone += not any(letter.isalnum() for letter in word)
    return glued > GLUED_SHARE * (glued + alone)


def _from_texts(records: list[Record], plan: Plan, note: Any, plain: bool | None) -> tuple[Tagged, Counter[str]]:
    """Rows of a text and the places of its entities in characters."""
    del plain
    column = plan.column("tags")[0]
    faults: Counter[str] = Counter()
    found = Tagged([], [], [], [], spaced=False)
    widened = dropped = 0
    for number, record in enumerate(records, start=1):
        text = data.join_text(record, plan.column("text"))
        places = split_words(text, spaced=False)
        marks = marked_parts(record.get(column))
        if not places:
            faults["have no text"] += 1
            continue
        if marks is None:
            faults["have entities that cannot be read"] += 1
            continue
        spans, wide, lost = in_words(marks, places, text)
        widened, dropped = widened + wide, dropped + lost
        found.texts.append(text)
        found.words.append(places)
        found.spans.append(spans)
        found.numbers.append(number)
    if widened:
        note(f"{widened:,} entities begin or end inside a word; they were widened to whole words.")
    if dropped:
        note(f"{dropped:,} entities overlap a longer one, are empty, or lie outside of their text; they are left out.")
    return found, faults


def marked_parts(cell: Any) -> list[tuple[int, int, str]] | None:
    """The entities of a cell, in characters: objects with start, end and label, or lists of the three.

    Returns:
        None where the cell holds something else.
    """
    parts = []
    for item in listed(cell):
        if isinstance(item, dict):
            value = [next((item[name] for name in names if name in item), None) for names in (START, END, KIND)]
        elif isinstance(item, (list, tuple, np.ndarray)) and len(item) == 3:
            value = list(item)
        else:
            return None
        label = value[2][0] if isinstance(value[2], (list, tuple)) and value[2] else value[2]
        name = data.label_name(label)
        if name is None or not all(isinstance(each, (int, np.integer)) for each in value[:2]):
            return None
        parts.append((int(str(value[0])), int(str(value[1])), name))
    return parts


def in_words(marks: Sequence[tuple[int, int, str]], places: Sequence[Place], text: str) -> tuple[list[Span], int, int]:
    """Entities in characters as entities in words; the longest wins where two overlap.

    Returns:
        The spans in order, how many were widened to whole words, and how many were left out.
    """
    spans: list[Span] = []
    taken: set[int] = set()
    widened = 0
    for start, end, kind in sorted(marks, key=lambda mark: (mark[0] - mark[1], mark)):
        inside = [number for number, (first, last) in enumerate(places) if first < end and last > start]
        if not inside or end > len(text) or start < 0 or taken & set(inside):
            continue
        part = text[start:end]
        first, last = start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
        widened += (places[inside[0]][0], places[inside[-1]][1]) != (first, last)
        taken |= set(inside)
        spans.append((inside[0], inside[-1] + 1, kind))
    return sorted(spans), widened, len(marks) - len(spans)


def listed(cell: Any) -> list[Any]:
    """A cell as a list: a list, a JSON list as text, or words with spaces between them."""
    if isinstance(cell, (list, tuple, np.ndarray)):
        return list(cell)
    if isinstance(cell, str) and cell.strip().startswith("["):
        try:
            tree = json.loads(cell)
        except ValueError:
            return cell.split()
        return tree if isinstance(tree, list) else cell.split()
    return str(cell).split() if isinstance(cell, str) else []


# Checks


def check_types(tagged: Tagged) -> None:
    """Refuse sentences that give nothing to find.

    Raises:
        RecipeError: `one-class`.
    """
    types = tags.types_of(tagged.spans)
    if len(types) > (1 if tagged.plain else 0):
        return
    what = f"the same tag, “{types[0]}”" if types else "no entity in them"
    raise RecipeError(
        "one-class",
        f"All words of the {len(tagged):,} sentences have {what}.",
        "A model learns to tell tags apart, so some words must have a tag that others lack.",
        "Check that the right column of tags was chosen, or add sentences.",
    )


def warn_unknown(known: Sequence[str], own: Tagged, warn: Warn, file_name: str) -> None:
    """Say which types of another file the model cannot know; they count as not found."""
    unknown = [kind for kind in tags.types_of(own.spans) if kind not in set(known)]
    if unknown:
        warn(
            "unknown-test-labels",
            f"{file_name} has entities that no sentence to learn from has: {', '.join(unknown[:5])}. They count as not "
            "found.",
        )
