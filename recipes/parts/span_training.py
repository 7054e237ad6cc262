"""The last layer and the body of a model that points to answers: of the tokens of a text, which is the first, which the
last? One choice for each window, so a softmax over its candidates.

head = HeadFitter(…).choose()       a softmax regression on what the frozen body says about each token
SpanTrainer                         trains the body on from there (`training.fine_tune(kind=SpanTrainer)`)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch.nn import functional

from recipes.parts import span_metrics
from recipes.parts.linear_head import STRENGTHS, LinearHead, Quality, scale
from recipes.parts.probe import HeadChoice, curve_by_share
from recipes.parts.span_windows import Passages, Targets, best_answers, heads, margins, shifted, span_logits
from recipes.parts.spans import Asked
from recipes.parts.steady import LikeLengthBatches
from recipes.parts.study import Study
from recipes.parts.training import ClassifierTrainer, Job

MOST_TOKENS = 60_000  # that the last layer is fitted on: more hardly change it, but cost time and memory
CHOOSING_TOKENS = 8_000  # that choose the penalty
ITERATIONS = 200
HELD_OUT = 3  # one text of so many chooses the penalty where there are no validation rows
LONGER = 1.5  # an answer may be so much longer than the longest one that was learned from
THRESHOLDS = 41  # that are tried for “no answer”
OURS = ("starts", "ends", "open", "real")  # of a batch: what the model does not read


@dataclass(frozen=True)
class Reader:
    """How logits become answers.

    Attributes:
        longest: tokens of an answer; decides: whether some questions have no answer, so that it may say so.
    """

    study: Study
    asked: Asked
    passages: Passages
    targets: Targets
    longest: int
    decides: bool

    @classmethod
    def of(cls, study: Study, asked: Asked, passages: Passages) -> Reader:
        """For the answers of the rows to learn from."""
        targets = passages.targets(asked)
        windows = passages.of(study.learnable)
        tokens = targets[windows, 1] - targets[windows, 0] + 1
        decides = not bool(asked.has_answer[study.learnable].all())
        return cls(study, asked, passages, targets, max(2, int(LONGER * tokens.max(initial=1))), decides)

    def said(self, logits: NDArray[Any], rows: NDArray[Any], above: float | None) -> list[span_metrics.Answer]:
        """Answers to some questions; above: as of `threshold`."""
        return best_answers(logits, self.passages, rows, self.longest, above)

    def spoken(self, said: list[span_metrics.Answer], rows: NDArray[Any]) -> list[str]:
        """Answers in words, "" for none."""
        texts = [self.asked.contexts[row] for row in rows]
        return ["" if each.place is None else text[slice(*each.place)].strip()
                for each, text in zip(said, texts, strict=True)]  # fmt: skip

    def threshold(self, logits: NDArray[Any], rows: NDArray[Any]) -> float | None:
        """By how much “no answer” must beat the best place, so that these rows are answered best; None: never said.

        Of thresholds that do equally well the middle one counts.
        """
        if not self.decides:
            return None
        right = [self.asked.right(row) for row in rows]
        value = span_metrics.score(self.spoken(self.said(logits, rows, None), rows), right)[:, 0]
        none = np.array([float(not each) for each in right])
        margin = margins(logits, self.passages, rows, self.longest)
        tried = np.unique(np.quantile(margin, np.linspace(0, 1, THRESHOLDS))) if len(margin) else np.zeros(1)
        tried = np.concatenate([[tried[0] - 1.0], tried])
        reached = np.array([np.where(margin > each, none, value).mean() if len(margin) else 0.0 for each in tried])
        best = tried[reached >= reached.max() - 1e-9]
        return float(best[len(best) // 2])

    def quality(self, logits: NDArray[Any], rows: NDArray[Any]) -> Quality:
        """The figure that decides, with the threshold that suits these rows best, and the mean loss of the windows."""
        said = self.said(logits, rows, self.threshold(logits, rows))
        scores = span_metrics.score(self.spoken(said, rows), [self.asked.right(row) for row in rows])
        metric = self.study.goal.metric
        return Quality(metric, span_metrics.value(scores, metric), self.loss(logits, rows))

    def loss(self, logits: NDArray[Any], rows: NDArray[Any]) -> float:
        """Mean cross-entropy of the first and the last token over the windows of some questions."""
        windows = self.passages.of(rows)
        wanted = [np.arange(*self.passages.firsts[[window, window + 1]]) for window in windows]
        if not wanted:
            return 0.0
        local = np.concatenate(wanted)
        starts = np.cumsum([0, *map(len, wanted)])[:-1]
        each = log_softmax(np.asarray(logits[local], dtype=np.float64), starts)
        places = starts[:, None] + self.targets[windows] - self.passages.firsts[windows][:, None]
        return float(-(each[places[:, 0], 0] + each[places[:, 1], 1]).mean() / 2)


def log_softmax(logits: NDArray[np.float64], starts: NDArray[Any]) -> NDArray[np.float64]:
    """Log probabilities within pieces, shape (candidates, 2); a piece begins at each of `starts`."""
    counts = np.diff(np.append(starts, len(logits)))
    shift = np.repeat(np.maximum.reduceat(logits, starts), counts, axis=0)
    total = np.add.reduceat(np.exp(logits - shift), starts)
    found: NDArray[np.float64] = logits - shift - np.repeat(np.log(total), counts, axis=0)
    return found


# The last layer


def windows_to_read(study: Study, passages: Passages) -> NDArray[np.int64]:
    """Windows that the frozen body reads: of the rows to learn from, of very many a part drawn by chance."""
    chance = np.random.default_rng(study.goal.seed)
    kept = []
    for rows in (study.train, study.validation):
        windows = passages.of(chance.permutation(rows))
        shuffled = chance.permutation(windows)
        sizes = (passages.firsts[shuffled + 1] - passages.firsts[shuffled]).cumsum()
        kept.append(shuffled[sizes <= MOST_TOKENS])
    return np.sort(np.concatenate(kept)).astype(np.int64)


@dataclass(frozen=True)
class TokenFeatures:
    """What the frozen body says about candidates.

    Attributes:
        windows: that were read; numbers: of their candidates, sorted, shape (n,); values: shape (n, width).
    """

    windows: NDArray[np.int64]
    numbers: NDArray[np.int64]
    values: NDArray[np.float32]


class HeadFitter:
    """Fits last layers on the features of tokens."""

    def __init__(self, reader: Reader, found: TokenFeatures) -> None:
        self.reader, self.found = reader, found
        self.study, self.passages = reader.study, reader.passages

    def windows(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Those of some questions that were read."""
        return self.found.windows[np.isin(self.passages.sentences[self.found.windows], rows)]

    def rows_read(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Those of some questions of which every window was read."""
        unread = np.setdiff1d(self.passages.of(rows), self.found.windows)
        return np.setdiff1d(rows, self.passages.sentences[unread])

    def fit(self, rows: NDArray[Any], strength: float, most: int = MOST_TOKENS) -> LinearHead:
        """A head fitted on some questions."""
        windows = self.windows(rows)
        windows = np.random.default_rng(self.study.goal.seed).permutation(windows)
        sizes = (self.passages.firsts[windows + 1] - self.passages.firsts[windows]).cumsum()
        windows = windows[: max(1, int((sizes <= most).sum()))]
        pieces = [np.arange(*self.passages.firsts[[window, window + 1]]) for window in windows]
        numbers = np.concatenate(pieces)
        starts = np.cumsum([0, *map(len, pieces)])[:-1]
        targets = starts[:, None] + self.reader.targets[windows] - self.passages.firsts[windows][:, None]
        places = np.searchsorted(self.found.numbers, numbers)
        return softmax_regression(self.found.values[places], starts, targets, strength)

    def logits(self, head: LinearHead, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Logits of all candidates, shape (candidates, 2); zeros but for those of some questions."""
        logits = np.zeros((self.passages.words, 2))
        numbers = self.passages.candidates(rows)
        logits[numbers] = head.logits(self.found.values[np.searchsorted(self.found.numbers, numbers)])
        return logits

    def quality(self, head: LinearHead, rows: NDArray[Any]) -> Quality:
        """How good a head is on some questions."""
        rows = self.rows_read(rows)
        return self.reader.quality(self.logits(head, rows), rows)

    def strength(self, train: NDArray[Any], held_out: NDArray[Any]) -> float:
        """The penalty that does best on questions held out, by their loss: it moves where few answers do."""
        held_out = self.rows_read(held_out)
        tried = {}
        for each in STRENGTHS[::2]:
            head = self.fit(train, each, CHOOSING_TOKENS)
            tried[each] = self.reader.loss(self.logits(head, held_out), held_out)
        return min(tried, key=lambda each: tried[each])

    def choose(self) -> HeadChoice:
        """The head for the rows to train on, judged on the validation rows."""
        start, study = time.monotonic(), self.study
        rest, held_out = (study.train, study.validation) if len(study.validation) else self.parted(study.train)
        strength = self.strength(rest, held_out)
        reached = self.quality(self.fit(rest, strength), held_out)
        head = self.fit(study.train, strength)
        known = reached if len(study.validation) else None
        return HeadChoice("model", head, reached, known, time.monotonic() - start, {})

    def parted(self, rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows in two parts, the questions about a text together."""
        families = self.study.families[rows]
        shuffled = np.random.default_rng(self.study.goal.seed).permutation(np.unique(families))
        held_out = np.isin(families, shuffled[: max(1, len(shuffled) // HELD_OUT)])
        return rows[~held_out], rows[held_out]

    def cross_validated(self) -> NDArray[np.float64]:
        """Logits of every candidate by heads that did not see its text, averaged over the repeats.

        Each head's own threshold, chosen on texts that it was not fitted on either, is taken into account.
        """
        total = np.zeros((self.passages.words, 2))
        for rows, held_out in self.study.folds:
            strength, above = self._settled(rows)
            found = shifted(self.logits(self.fit(rows, strength), held_out), self.passages, above)
            some = self.passages.candidates(held_out)
            total[some] += found[some]
        return total * len(self.study.judged) / sum(len(held_out) for _, held_out in self.study.folds)

    def usual_threshold(self) -> float | None:
        """The threshold for a head that is fitted on all rows, chosen with a part of them held out."""
        return self._settled(self.study.learnable)[1]

    def _settled(self, rows: NDArray[Any]) -> tuple[float, float | None]:
        """Penalty and threshold for a head on some questions, by a part of their texts that is held out."""
        first, second = self.parted(rows)
        first = first if len(first) else rows
        strength = self.strength(first, second)
        return strength, self.reader.threshold(self.logits(self.fit(first, strength), second), second)

    def curve(self, strength: float) -> dict[str, list[list[float]]]:
        """How the last layer does on the validation rows with a part of the others: would more help?"""

        def reached(rows: NDArray[Any]) -> float | None:
            known = len(self.windows(rows))
            return self.quality(self.fit(rows, strength), self.study.validation).value if known else None

        return curve_by_share(self.study, reached)


def softmax_regression(
    values: NDArray[np.float32], starts: NDArray[Any], targets: NDArray[Any], strength: float
) -> LinearHead:
    """Two linear functions of a candidate's features: of each piece's candidates, the target has the highest value.

    Args:
        values: shape (candidates, width); a piece begins at each of `starts`.
        targets: shape (pieces, 2): the candidate that each function should choose.
        strength: inverse of the L2 penalty, as in `linear_head`.
    """
    mean, deviation = scale(values)
    standard = (values - mean) / deviation
    wanted = np.zeros((len(values), 2), dtype=np.float32)
    for side in (0, 1):
        np.add.at(wanted[:, side], targets[:, side], 1.0)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight = flat.reshape(2, -1)
        logs = log_softmax((standard @ weight.T.astype(np.float32)).astype(np.float64), starts)
        total = -sum(float(logs[targets[:, side], side].sum()) for side in (0, 1))
        slope = (np.exp(logs).astype(np.float32) - wanted).T @ standard
        return total + float((flat**2).sum()) / (2 * strength), (slope + weight / strength).ravel().astype(np.float64)

    zero = np.zeros(2 * values.shape[1])
    found = minimize(loss, zero, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    weight = found.x.reshape(2, -1) / deviation
    bias = -weight @ mean  # the same for every candidate of a window: it changes no choice
    return LinearHead(weight.astype(np.float32), bias.astype(np.float32), strength)


# The body


class SpanTrainer(ClassifierTrainer):
    """A trainer whose rows are windows with the places of an answer's first and last token."""

    job: Job

    @staticmethod
    def collate(job: Job, sampler: LikeLengthBatches) -> Callable[[list[int]], dict[str, torch.Tensor]]:
        """Windows to a batch: the model's inputs, both places, which tokens are candidates, which rows are real."""
        passages: Any = job.encoded

        def make(places: list[int]) -> dict[str, torch.Tensor]:
            rows = job.train[[place if place >= 0 else ~place for place in places]]
            batch: dict[str, torch.Tensor] = passages.batch(rows, sampler.epoch)
            lines, tokens, _ = passages.picked(rows)
            candidates = torch.zeros(batch["input_ids"].shape, dtype=torch.bool)
            candidates[lines, tokens] = True
            starts, ends = torch.from_numpy(passages.places[job.labels[rows]]).T
            real = torch.tensor([float(place >= 0) for place in places])
            return batch | {"starts": starts, "ends": ends, "open": candidates, "real": real}

        return make

    def judge(self) -> Quality:
        """Quality of the answers to the validation questions."""
        job = self.job
        passages: Any = job.encoded
        return job.judge(span_logits(job.classifier, passages, job.validation, self.device_used, self.run))

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean cross-entropy of both places, summed over the windows at hand, divided by those of the whole batch."""
        given = {name: value for name, value in inputs.items() if name not in OURS}
        logits = heads(model(**given)).float()
        logits = logits.masked_fill(~inputs["open"].unsqueeze(-1), torch.finfo(logits.dtype).min)
        each = functional.cross_entropy(logits[..., 0], inputs["starts"], reduction="none")
        each = each + functional.cross_entropy(logits[..., 1], inputs["ends"], reduction="none")
        # The processes' gradients are averaged, so each one's share counts as many times as there are processes.
        loss = (each / 2 * inputs["real"]).sum() * self.run.world_size / num_items_in_batch
        return (loss, {"logits": logits}) if return_outputs else loss
