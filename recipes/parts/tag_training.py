"""The last layer and the body of a tagger: each word is a row, its label sits on its first sub-token.

head = fit_head(study, tagged, features)        logistic regression on what the frozen body says about each word
TagTrainer                                      trains the body on from there (`training.fine_tune(kind=TagTrainer)`)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from recipes.parts import linear_head, tag_metrics, tags
from recipes.parts.linear_head import LinearHead, Quality
from recipes.parts.probe import HeadChoice, curve_by_share
from recipes.parts.steady import LikeLengthBatches
from recipes.parts.study import Study
from recipes.parts.tag_variation import Variation
from recipes.parts.tagged import Tagged
from recipes.parts.tags import Span
from recipes.parts.training import ClassifierTrainer, Job
from recipes.parts.words import IGNORED, Windows, word_logits

MOST_WORDS = 40_000  # words that the last layer is fitted on: more hardly change it, but cost time and memory
CHOOSING_WORDS = 4_000  # that choose the penalty: a dozen heads are fitted for it
HELD_OUT = 3  # one sentence of so many chooses the penalty where there are no validation sentences


@dataclass(frozen=True)
class WordFeatures:
    """What the frozen body says about words.

    Attributes:
        numbers: of the words among those of all sentences, shape (words,), sorted; values: shape (words, width).
        sentences: shape (words,): the sentence of each.
    """

    numbers: NDArray[np.int64]
    values: NDArray[np.float32]
    sentences: NDArray[np.int64]

    @classmethod
    def of_all(cls, numbers: NDArray[np.int64], values: NDArray[np.float32], tagged: Tagged) -> WordFeatures:
        """With the sentence of each word."""
        return cls(numbers, values, np.searchsorted(tagged.starts, numbers, side="right") - 1)

    def of(self, sentences: NDArray[Any]) -> NDArray[np.int64]:
        """Places of the words of some sentences."""
        return np.flatnonzero(np.isin(self.sentences, sentences))


def sentences_to_read(study: Study, tagged: Tagged) -> NDArray[np.int64]:
    """Sentences that the frozen body reads: those to learn from, of very many a part drawn by chance."""
    chance = np.random.default_rng(study.goal.seed)
    kept = []
    for rows in (study.train, study.validation):
        shuffled = chance.permutation(rows)
        kept.append(shuffled[np.cumsum(tagged.counts[shuffled]) <= MOST_WORDS] if len(rows) else rows)
    return np.sort(np.concatenate(kept)).astype(np.int64)


def labels_of(tagged: Tagged, names: Sequence[str]) -> NDArray[np.int64]:
    """The tag of each word of all sentences as an index, shape (words,); one that the model lacks is the first."""
    index = {name: number for number, name in enumerate(names)}
    return np.array([index.get(tag, 0) for row in range(len(tagged)) for tag in tagged.tags(row)], dtype=np.int64)


def spans_from(logits: NDArray[Any], tagged: Tagged, rows: Sequence[int], names: Sequence[str]) -> list[list[Span]]:
    """The spans of some sentences from logits of the words of all, shape (words, tags)."""
    best, starts = logits.argmax(axis=1), tagged.starts
    return [tags.spans_of([names[each] for each in best[starts[row] : starts[row + 1]]], tagged.plain) for row in rows]


def counts_of(logits: NDArray[Any], study: Study, tagged: Tagged, rows: NDArray[Any]) -> tag_metrics.Counts:
    """What logits get right in some sentences."""
    wanted = rows.tolist()
    found = spans_from(logits, tagged, wanted, study.goal.names)
    return tag_metrics.count(
        [tagged.spans[row] for row in wanted], found, [len(tagged.words[row]) for row in wanted], tagged.plain
    )


def quality(
    logits: NDArray[Any], study: Study, tagged: Tagged, labels: NDArray[np.int64], rows: NDArray[Any]
) -> Quality:
    """The figure that decides for some sentences, and the mean loss of their words."""
    words = words_of(tagged, rows)
    loss = linear_head.loss(logits[words], labels[words], study.goal.problem)
    return Quality(study.goal.metric, counts_of(logits, study, tagged, rows).value(study.goal.metric), loss)


def words_of(tagged: Tagged, rows: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers of the words of some sentences."""
    starts = tagged.starts
    return np.concatenate([np.arange(starts[row], starts[row + 1]) for row in rows] or [np.zeros(0, dtype=np.int64)])


# The last layer


class HeadFitter:
    """Fits last layers on the features of words."""

    def __init__(self, study: Study, tagged: Tagged, found: WordFeatures, labels: NDArray[np.int64]) -> None:
        self.study, self.tagged, self.found, self.labels = study, tagged, found, labels
        self.how: dict[str, Any] = {
            "problem": study.goal.problem, "classes": len(study.goal.names), "balanced": study.goal.balanced,
        }  # fmt: skip

    def fit(self, sentences: NDArray[Any], strength: float) -> LinearHead:
        """A head fitted on the words of some sentences."""
        places = self.found.of(sentences)
        return linear_head.fit(
            self.found.values[places], self.labels[self.found.numbers[places]], strength=strength, **self.how
        )

    def logits(self, head: LinearHead, sentences: NDArray[Any]) -> NDArray[np.float64]:
        """Logits of the words of all sentences, shape (words, tags); zeros but for the words of some."""
        places = self.found.of(sentences)
        logits = np.zeros((len(self.labels), len(self.study.goal.names)))
        logits[self.found.numbers[places]] = head.logits(self.found.values[places])
        return logits

    def quality(self, head: LinearHead, sentences: NDArray[Any]) -> Quality:
        """How good a head is on some sentences."""
        sentences = np.intersect1d(sentences, self.found.sentences)
        return quality(self.logits(head, sentences), self.study, self.tagged, self.labels, sentences)

    def strength(self, train: NDArray[Any], held_out: NDArray[Any]) -> float:
        """The penalty that does best on sentences held out."""
        first, second = self.found.of(train), self.found.of(held_out)[:CHOOSING_WORDS]
        first = np.random.default_rng(self.study.goal.seed).permutation(first)[:CHOOSING_WORDS]
        places = np.concatenate([first, second])
        pairs = [(np.arange(len(first)), np.arange(len(first), len(places)))]
        labels = self.labels[self.found.numbers[places]]
        return linear_head.choose_strength(self.found.values[places], labels, pairs, **self.how)[0]

    def choose(self) -> HeadChoice:
        """The head for the training sentences, judged on the validation sentences."""
        start, study = time.monotonic(), self.study
        if len(study.validation):
            strength = self.strength(study.train, study.validation)
            head = self.fit(study.train, strength)
            reached = self.quality(head, study.validation)
            return HeadChoice("model", head, reached, reached, time.monotonic() - start, {})
        rest, held_out = self._parted(study.train)
        strength = self.strength(rest, held_out)
        reached = self.quality(self.fit(rest, strength), held_out)
        head = self.fit(study.train, strength)
        return HeadChoice("model", head, reached, None, time.monotonic() - start, {})

    def _parted(self, rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        shuffled = np.random.default_rng(self.study.goal.seed).permutation(rows)
        held_out = max(1, len(rows) // HELD_OUT)
        return np.sort(shuffled[held_out:]), np.sort(shuffled[:held_out])

    def cross_validated(self) -> NDArray[np.float64]:
        """Logits of every word by heads that did not see its sentence, averaged over the repeats."""
        total = np.zeros((len(self.labels), len(self.study.goal.names)))
        for rows, held_out in self.study.folds:
            head = self.fit(rows, self.strength(*self._parted(rows)))
            total += self.logits(head, held_out)
        return total * len(self.study.judged) / sum(len(held_out) for _, held_out in self.study.folds)

    def curve(self, strength: float) -> dict[str, list[list[float]]]:
        """How the last layer does on the validation sentences with a part of the others: would more help?"""

        def reached(rows: NDArray[Any]) -> float | None:
            known = len(self.found.of(rows))
            return self.quality(self.fit(rows, strength), self.study.validation).value if known else None

        return curve_by_share(self.study, reached)


# The body


class TagTrainer(ClassifierTrainer):
    """A trainer in whose batches the rows are windows and each word's first sub-token has a label."""

    job: Job

    @staticmethod
    def collate(job: Job, sampler: LikeLengthBatches) -> Callable[[list[int]], dict[str, torch.Tensor]]:
        """Windows to a batch: the model's inputs, and labels and weights of their tokens; a filler has no label."""
        if job.vary is not None:
            return _varied(job, sampler, job.vary)
        windows: Any = job.encoded

        def make(places: list[int]) -> dict[str, torch.Tensor]:
            rows = job.train[[place if place >= 0 else ~place for place in places]]
            real = np.array([place >= 0 for place in places])
            batch: dict[str, torch.Tensor] = windows.batch(rows, sampler.epoch)
            labels = np.full(batch["input_ids"].shape, IGNORED, dtype=np.int64)
            weights = np.zeros(labels.shape, dtype=np.float32)
            lines, tokens, words = windows.picked(rows)
            kept = real[lines]
            labels[lines[kept], tokens[kept]] = job.labels[words[kept]]
            weights[lines[kept], tokens[kept]] = job.row_weights[words[kept]]
            return batch | {"labels": torch.from_numpy(labels), "weights": torch.from_numpy(weights)}

        return make

    def judge(self) -> Quality:
        """Quality of the words of the validation sentences."""
        job = self.job
        windows: Any = job.encoded
        return job.judge(word_logits(job.classifier, windows, job.validation, self.device_used, self.run))

    def units(self, batch: dict[str, Any]) -> torch.Tensor:
        """Words with a label."""
        return (batch["labels"] != IGNORED).sum()

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weighted sum over the words at hand, divided by the words of the effective batch."""
        given = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        logits = model(**given)["logits"].float()
        each = functional.cross_entropy(
            logits.flatten(0, 1), inputs["labels"].flatten(), reduction="none", ignore_index=IGNORED
        )
        # The processes' gradients are averaged, so each one's share counts as many times as there are processes.
        loss = (each * inputs["weights"].flatten()).sum() * self.run.world_size / num_items_in_batch
        return (loss, {"logits": logits}) if return_outputs else loss


def _varied(job: Job, sampler: LikeLengthBatches, vary: Variation) -> Callable[[list[int]], dict[str, torch.Tensor]]:
    """As `TagTrainer.collate`, the windows a little different in each pass."""

    def make(places: list[int]) -> dict[str, torch.Tensor]:
        rows = job.train[[place if place >= 0 else ~place for place in places]]
        real = np.array([place >= 0 for place in places])
        found: dict[str, torch.Tensor] = vary.batch(rows, real, sampler.epoch, job.row_weights)
        return found

    return make


def word_weights(study: Study, tagged: Tagged, labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """What each word weighs in the loss, shape (words,), 1 on average over the words to learn from."""
    weights = np.ones(len(labels), dtype=np.float32)
    words = words_of(tagged, study.train)
    weights[words] = linear_head.class_row_weights(labels[words], len(study.goal.names), study.goal.balanced)
    return weights


def windows_of(windows: Windows, rows: NDArray[Any]) -> NDArray[np.int64]:
    """Windows of some sentences that hold a word."""
    found = windows.of(rows)
    return found[windows.firsts[found + 1] > windows.firsts[found]]
