"""What a tagger must beat: the tag that each word had most often, and a conditional random field on spelling.

The conditional random field (CRFsuite) is the strong one: for a decade it was the usual way to find entities, it reads
each word's letters, its shape and its neighbours, and learns in seconds.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from recipes.parts import tag_metrics, tags
from recipes.parts.study import Study
from recipes.parts.tagged import Tagged
from recipes.parts.tags import OUTSIDE

NAMES = ("most_frequent_tag", "crf")
PENALTIES = ((0.1, 0.01), (0.01, 0.1), (0.3, 0.03))  # L1 and L2, tried on the validation sentences
USUAL_PENALTY = (0.1, 0.01)
MANY_WORDS = 60_000  # from here on one penalty is tried: each costs a training
ITERATIONS, FEW_ITERATIONS = 100, 50

Answers = list[list[str]]  #: tags of each sentence


def ask_all(study: Study, tagged: Tagged) -> dict[str, Answers]:
    """Each baseline's tags for the judged sentences, by name; with few sentences on the same folds as the model."""
    return {name: _folded(name, study, tagged) if study.folds else _held_out(name, study, tagged) for name in NAMES}


def _held_out(name: str, study: Study, tagged: Tagged) -> Answers:
    return ask(name, tagged, study.train.tolist(), study.validation.tolist(), study.test.tolist())


def _folded(name: str, study: Study, tagged: Tagged) -> Answers:
    """Every repeat has a say; the most frequent answer for a word counts."""
    said: dict[int, list[list[str]]] = defaultdict(list)
    for rows, held_out in study.folds:
        answers = ask(name, tagged, rows.tolist(), [], held_out.tolist())
        for row, answer in zip(held_out.tolist(), answers, strict=True):
            said[row].append(answer)
    return [[Counter(each).most_common(1)[0][0] for each in zip(*said[row], strict=True)]
            for row in study.judged.tolist()]  # fmt: skip


def ask(name: str, tagged: Tagged, rows: list[int], validation: list[int], asked: list[int]) -> Answers:
    """One baseline's tags for some sentences, learned from others; `validation` chooses, and is then learned too."""
    if name == "most_frequent_tag":
        return most_frequent_tag(tagged, rows + validation, asked)
    penalty = USUAL_PENALTY
    words = sum(len(tagged.words[row]) for row in rows)
    if validation and words <= MANY_WORDS:
        reached = {each: _reached(tagged, rows, validation, each) for each in PENALTIES}
        penalty = max(PENALTIES, key=lambda each: reached[each])
    return crf(tagged, rows + validation, asked, penalty)


def _reached(tagged: Tagged, rows: list[int], validation: list[int], penalty: tuple[float, float]) -> float:
    found = [tags.spans_of(each, tagged.plain) for each in crf(tagged, rows, validation, penalty)]
    lengths = [len(tagged.words[row]) for row in validation]
    counts = tag_metrics.count([tagged.spans[row] for row in validation], found, lengths, tagged.plain)
    return counts.value("word_accuracy" if tagged.plain else "entity_f1")


def most_frequent_tag(tagged: Tagged, rows: Sequence[int], asked: Sequence[int]) -> Answers:
    """For each word the tag that it had most often; for a new one no tag (plain tags: the most frequent)."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    every: Counter[str] = Counter()
    for row in rows:
        for word, tag in zip(tagged.written(row), tagged.tags(row), strict=True):
            seen[word.casefold()][tag] += 1
            every[tag] += 1
    usual = every.most_common(1)[0][0] if tagged.plain and every else OUTSIDE
    best = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    return [[best.get(word.casefold(), usual) for word in tagged.written(row)] for row in asked]


def crf(tagged: Tagged, rows: Sequence[int], asked: Sequence[int], penalty: tuple[float, float]) -> Answers:
    """A linear-chain conditional random field on the spelling of each word and its neighbours (CRFsuite, L-BFGS).

    Args:
        penalty: strengths of L1 and L2.
    """
    import pycrfsuite

    many = sum(len(tagged.words[row]) for row in rows) > MANY_WORDS
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params({
        "c1": penalty[0], "c2": penalty[1], "max_iterations": FEW_ITERATIONS if many else ITERATIONS,
        "feature.possible_transitions": True,
    })  # fmt: skip
    for row in rows:
        trainer.append(spelled(tagged.written(row)), tagged.tags(row))
    with tempfile.TemporaryDirectory() as folder:  # not from memory: its model must outlive every answer
        path = str(Path(folder) / "crf")
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        found = [list(tagger.tag(spelled(tagged.written(row)))) for row in asked]
        tagger.close()
    return found


def spelled(words: Sequence[str]) -> list[list[str]]:
    """What the random field reads of each word: letters, shape, ends, and the two words on either side."""
    own = [_features(word) for word in words]
    found = []
    for place, _ in enumerate(words):
        each = ["bias", *own[place], f"place={min(place, 3)}"]
        for apart in (-2, -1, 1, 2):
            near = place + apart
            if 0 <= near < len(words):
                each += [f"{apart}:{feature}" for feature in own[near][: 3 if abs(apart) == 1 else 1]]
            else:
                each.append(f"{apart}:none")
        found.append(each)
    return found


def _features(word: str) -> list[str]:
    small = word.casefold()
    shape = "".join("d" if each.isdigit() else "X" if each.isupper() else "x" if each.isalpha() else each
                    for each in word)  # fmt: skip
    short = "".join(each for place, each in enumerate(shape) if place == 0 or each != shape[place - 1])
    ends = [f"{side}={part}" for size in (1, 2, 3, 4) if len(small) > size
            for side, part in (("begin", small[:size]), ("end", small[-size:]))]  # fmt: skip
    bare = small.strip(".,;:!?()[]\"'")
    return [f"word={small}", f"shape={short}", f"bare={bare}", f"digits={sum(map(str.isdigit, word))}",
            f"length={min(len(word), 8)}", *ends]  # fmt: skip
