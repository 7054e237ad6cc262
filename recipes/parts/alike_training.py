"""Learning which texts are close: the new projection on frozen numbers, and the body from there on.

head = fit_projection(study, values, seed)         values: what the frozen body says, shape (texts, width)
AlikeTrainer                                       trains the body (`training.fine_tune(kind=AlikeTrainer)`)

Scored pairs are learned with CoSENT (Su 2022, in sentence-transformers): of two pairs, the one with the higher score
shall be closer. Pairs and triplets are learned with all other texts of the batch as wrong answers (Henderson 2017), in
both directions. This second loss is our own for one reason: a text that belongs to another row of the batch as well,
because it is the same or nearly the same, is no wrong answer; sentence-transformers would have to keep such rows apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from recipes.parts import alike_figures
from recipes.parts.alike_model import unit, vectors
from recipes.parts.alike_rows import NONE, AlikeStudy
from recipes.parts.features import Encoded
from recipes.parts.linear_head import Quality
from recipes.parts.steady import LikeLengthBatches
from recipes.parts.training import ClassifierTrainer, Job

SCALE = 20.0  # of cosines in both losses: what sentence-transformers takes
HEAD_BATCH, HEAD_RATE = 256, 1e-3  # of the projection: its numbers are computed once, so large batches are cheap
HEAD_EPOCHS, HEAD_STEPS = 30, 1500  # passes, and steps at most


@dataclass(frozen=True)
class Projection:
    """The best new last layer, in the form that `classification.compare` reads.

    Attributes:
        weight: shape (width, width); validation: its quality on the validation rows.
    """

    weight: NDArray[np.float32]
    validation: Quality
    seconds: float

    @property
    def held_out(self) -> Quality:
        """The only quality that is known."""
        return self.validation


def loss_of(study: AlikeStudy, rows: NDArray[Any], sides: list[torch.Tensor]) -> torch.Tensor:
    """Loss of some rows, shape ().

    Args:
        sides: numbers of the texts in `study.columns`, shape (rows, width) each; a wrong text that a row lacks is not
            looked at.
    """
    first, second, *more = (functional.normalize(side.float(), dim=1) for side in sides)
    if study.scores is not None:
        from sentence_transformers.sentence_transformer.losses import CoSENTLoss

        scores = torch.as_tensor(study.scores[rows], dtype=torch.float32, device=first.device)
        found: torch.Tensor = CoSENTLoss(None, SCALE).compute_loss_from_embeddings([first, second], scores)  # type: ignore[arg-type]
        return found
    given = study.third[rows] != NONE
    others = torch.cat([second, *(third[torch.from_numpy(given).to(third.device)] for third in more)])
    kin = study.kin[np.concatenate([study.second[rows], study.third[rows][given]])]
    return ranking_loss(first, others, study.kin[study.first[rows]], kin)


def ranking_loss(
    first: torch.Tensor, others: torch.Tensor, kin: NDArray[Any], kin_of_others: NDArray[Any]
) -> torch.Tensor:
    """Each first text shall be closest to its own partner, and each partner to its own first text; shape ().

    Args:
        first: shape (rows, width), of length one; others: the partners in the same order, then wrong texts.
        kin, kin_of_others: texts with the same number belong together: such a one is no wrong answer.
    """
    own = torch.arange(len(first), device=first.device)
    related = torch.from_numpy(kin[:, None] == kin_of_others[None, :]).to(first.device)
    related[own, own] = False
    scores = (SCALE * first @ others.T).masked_fill(related, -torch.inf)
    return (functional.cross_entropy(scores, own) + functional.cross_entropy(scores[:, : len(first)].T, own)) / 2


def quality(study: AlikeStudy, values: NDArray[np.float32], rows: NDArray[Any], metric: str) -> Quality:
    """How good numbers of all texts are for some rows."""
    sides = [torch.from_numpy(values[column[rows]]) for column in study.columns]
    with torch.no_grad():
        loss = float(loss_of(study, rows, sides))
    return Quality(metric, alike_figures.value(study, values, rows, metric), loss)


# The projection


def fit_projection(study: AlikeStudy, values: NDArray[np.float32], metric: str, seed: int) -> Projection:
    """A linear layer on frozen numbers, from the identity on; the best pass by the validation rows is kept.

    Args:
        values: what the frozen body says of every text, shape (texts, width).
    """
    start, chance = time.monotonic(), np.random.default_rng(seed)
    width = values.shape[1]
    weight = torch.eye(width).requires_grad_(True)
    frozen = torch.from_numpy(values)
    optimizer = torch.optim.Adam([weight], lr=HEAD_RATE)
    judged = study.validation if len(study.validation) else study.train
    texts, after = study.texts_of(judged), np.zeros_like(values)
    best: tuple[Quality, NDArray[np.float32]] | None = None
    steps = 0
    for _ in range(HEAD_EPOCHS):
        shuffled = chance.permutation(study.train)
        for first in range(0, len(shuffled), HEAD_BATCH):
            rows = shuffled[first : first + HEAD_BATCH]
            sides = [frozen[column[rows]] @ weight.T for column in study.columns]
            optimizer.zero_grad()
            loss_of(study, rows, sides).backward()
            optimizer.step()
            steps += 1
        now = weight.detach().numpy().copy()
        after[texts] = projected(values[texts], now)
        found = quality(study, after, judged, metric)
        if best is None or found.beats(best[0]):
            best = found, now
        if steps >= HEAD_STEPS:
            break
    if best is None:
        raise AssertionError("there is at least one pass")
    return Projection(best[1], best[0], time.monotonic() - start)


def projected(values: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Numbers after a new last layer, of length one."""
    return unit(values @ weight.T)


# The body


@dataclass(frozen=True)
class Sides:
    """Rows of several texts, in the form that the batches need.

    Attributes:
        study: which texts each row has; tokens: of all texts.
    """

    study: AlikeStudy
    tokens: Encoded

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, all its texts together, shape (rows,)."""
        of_text = np.append(self.tokens.lengths, 0)  # a text that a row lacks (-1) has none
        return np.asarray(sum(of_text[column] for column in self.study.columns), dtype=np.int64)

    def cost(self, batch: dict[str, torch.Tensor]) -> int:
        """Tokens, padding included."""
        return int(batch["input_ids"].numel())


class AlikeTrainer(ClassifierTrainer):
    """A trainer whose rows are compared with each other: the whole effective batch is one comparison.

    Few texts in memory at once change nothing but the time: their numbers are then computed again for the gradient
    (as in GradCache, Gao 2021). Of several processes each reads its share, and all compare all.
    """

    job: Job

    @staticmethod
    def collate(job: Job, sampler: LikeLengthBatches) -> Callable[[list[int]], dict[str, torch.Tensor]]:
        """The texts of some rows: first all first ones, then all second ones, then the wrong ones; fillers are said."""
        del sampler
        sides: Any = job.encoded

        def make(places: list[int]) -> dict[str, torch.Tensor]:
            rows = job.train[[place if place >= 0 else ~place for place in places]]
            texts = np.concatenate([column[rows] for column in sides.study.columns])
            batch = sides.tokens.batch(np.where(texts == NONE, texts[0], texts))
            real = torch.tensor([float(place >= 0) for place in places])
            return {**batch, "rows": torch.from_numpy(rows.astype(np.int64)), "real": real}

        return make

    def judge(self) -> Quality:
        """Quality of the numbers of the validation rows' texts."""
        job = self.job
        sides: Any = job.encoded
        texts = sides.study.texts_of(job.validation)
        values = np.zeros((len(sides.study.texts), job.classifier.head.out_features), dtype=np.float32)
        values[texts] = vectors(job.classifier, sides.tokens, texts, self.device_used, self.run)  # type: ignore[arg-type]
        return job.judge(values)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of the effective batch, the same in every process."""
        del num_items_in_batch
        sides: Any = self.job.encoded
        found = self._numbers(model, inputs["input_ids"], inputs["attention_mask"])
        rows, real = inputs["rows"], inputs["real"]
        parts = list(found.chunk(len(sides.study.columns)))
        if self.run.world_size > 1:
            rows, real, parts = _gathered(rows, real, parts)
        kept = real > 0
        loss = loss_of(sides.study, rows[kept].cpu().numpy(), [part[kept] for part in parts])
        return (loss, {}) if return_outputs else loss

    def _numbers(self, model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Numbers of texts, shape (texts, width), a few texts in memory at a time where that is asked for."""
        most = (self.run.rows_in_memory or len(ids)) * len(self.job.encoded.study.columns)  # type: ignore[attr-defined]
        if len(ids) <= most:
            return torch.as_tensor(model(input_ids=ids, attention_mask=mask)["logits"])

        def read(some: torch.Tensor, mask_of_some: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(model(input_ids=some, attention_mask=mask_of_some)["logits"])

        pieces = zip(ids.split(most), mask.split(most), strict=True)
        return torch.cat([checkpoint(read, some, its, use_reentrant=False) for some, its in pieces])


def _gathered(
    rows: torch.Tensor, real: torch.Tensor, parts: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """The same of all processes together; gradients find their way back. Shares that are one row short are filled."""
    from sentence_transformers.util import all_gather, all_gather_with_grad

    longest = torch.tensor(len(rows), device=rows.device)
    torch.distributed.all_reduce(longest, op=torch.distributed.ReduceOp.MAX)
    missing = int(longest) - len(rows)

    def filled(values: torch.Tensor) -> torch.Tensor:
        return torch.cat([values, values.new_zeros((missing, *values.shape[1:]))]).contiguous()

    return all_gather(filled(rows)), all_gather(filled(real)), [all_gather_with_grad(filled(part)) for part in parts]
