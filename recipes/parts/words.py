"""Texts read word by word: sub-tokens lined up with words, long texts in windows that overlap, tags out of logits.

windows = encode(tokenizer, tagged.texts, tagged.words, max_length, limit)
numbers, values = each_word(forward, windows, rows, place)      what a model says about each word
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.parts import features
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.features import LONGEST_BY_DEFAULT, ROWS_A_BATCH, Encoded, buckets
from recipes.parts.methods import Base, Classifier
from recipes.parts.modality import Inputs
from recipes.parts.study import Study
from recipes.parts.tagged import Place, Tagged, split_words
from recipes.parts.texts import Texts, max_tokens
from recipes.plan import Plan

IGNORED = -100  # the label of sub-tokens that carry none; torch's own sign for it
OVERLAP = 64  # tokens that two windows of a long text share, at most a quarter of a window
TEXTS_AT_ONCE = 1000

Tell = Callable[[int, int, float | None], None]


@dataclass(frozen=True, kw_only=True)
class Windows(Encoded):
    """Token ids of texts, long ones in several windows; each row is a window.

    Every word belongs to one window, the one in which it has the most words around it, and to its first sub-token.

    Attributes:
        sentences: shape (windows,): the text that a window is of.
        numbers, places: shape (words read,): the number of a word among the words of all texts, and the place of its
            first sub-token in its window; sorted by window.
        ends: shape (words read,): the place after a word's last sub-token in its window.
        firsts: shape (windows + 1,): where each window's words begin in them.
        words: of all texts, those that no token stands for included.
    """

    sentences: NDArray[np.int64]
    numbers: NDArray[np.int64]
    places: NDArray[np.int64]
    ends: NDArray[np.int64]
    firsts: NDArray[np.int64]
    words: int

    def of(self, sentences: NDArray[Any]) -> NDArray[np.int64]:
        """The windows of some texts."""
        return np.flatnonzero(np.isin(self.sentences, sentences))

    def picked(self, rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The words of some windows: row in the batch, place in it, and number, shape (words,) each."""
        counts = self.firsts[rows + 1] - self.firsts[rows]
        every = np.concatenate([np.arange(self.firsts[row], self.firsts[row + 1]) for row in rows])
        return np.repeat(np.arange(len(rows)), counts), self.places[every], self.numbers[every]

    def content(self) -> bytes:
        """The tokens of all windows, and which of them stand for words."""
        return super().content() + self.places.tobytes() + self.firsts.tobytes()


def encode(
    tokenizer: Any, texts: Sequence[str], words: Sequence[Sequence[Place]], longest: int,
    check: Callable[[], None] = lambda: None,
) -> Windows:  # fmt: skip
    """Tokenise texts once and line their tokens up with their words.

    Args:
        words: places of each text's words. longest: tokens of a window. check: called now and then; may raise.
    """
    prefix, suffix = around(tokenizer)
    room = max(1, longest - len(prefix) - len(suffix))
    ids: list[list[int]] = []
    sentences: list[int] = []
    numbers: list[NDArray[np.int64]] = []
    places: list[NDArray[np.int64]] = []
    ends: list[NDArray[np.int64]] = []
    before = 0
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        check()
        some = list(texts[start : start + TEXTS_AT_ONCE])
        found = tokenizer(
            some, add_special_tokens=False, return_offsets_mapping=True, return_attention_mask=False, verbose=False
        )
        for row, (tokens, offsets) in enumerate(zip(found["input_ids"], found["offset_mapping"], strict=True), start):
            first = first_tokens(offsets, words[row])
            last = _ends(first, len(tokens))
            for begin, end, mine in windows_of(len(tokens), first, room):
                ids.append([*prefix, *tokens[begin:end], *suffix])
                sentences.append(row)
                numbers.append(before + mine)
                places.append(first[mine] - begin + len(prefix))
                ends.append(np.minimum(last[mine], end) - begin + len(prefix))
            before += len(words[row])
    return Windows(
        ids=np.fromiter(itertools.chain.from_iterable(ids), dtype=np.int32),
        starts=bounds(ids),
        padding=int(tokenizer.pad_token_id or 0),
        max_length=longest,
        cut=len(ids) - len(texts),
        sentences=np.array(sentences, dtype=np.int64),
        numbers=np.concatenate([*numbers, np.zeros(0, dtype=np.int64)]),
        places=np.concatenate([*places, np.zeros(0, dtype=np.int64)]),
        ends=np.concatenate([*ends, np.zeros(0, dtype=np.int64)]),
        firsts=bounds(numbers),
        words=before,
    )


def bounds(pieces: Sequence[Any]) -> NDArray[np.int64]:
    """Where each of some pieces begins when they follow each other, and the end, shape (pieces + 1,)."""
    return np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)


def around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that a tokenizer puts before and after a text."""
    found = tokenizer("a", return_special_tokens_mask=True, return_attention_mask=False)
    ids, mask = list(found["input_ids"]), list(found["special_tokens_mask"])
    inner = [place for place, special in enumerate(mask) if not special] or [len(ids)]
    return ids[: inner[0]], ids[inner[-1] + 1 :]


def first_tokens(offsets: Sequence[tuple[int, int]], words: Sequence[Place]) -> NDArray[np.int64]:
    """The first token of each word, shape (words,); -1 where no token stands for it alone.

    Args:
        offsets: of the tokens in the text, in order; a token of two words belongs to the first of them.
    """
    if not words or not offsets:
        return np.full(len(words), -1, dtype=np.int64)
    token_starts, token_ends = np.array(offsets, dtype=np.int64).T
    token_ends = np.maximum.accumulate(token_ends)
    starts, ends = np.array(words, dtype=np.int64).T
    found = np.searchsorted(token_ends, starts, side="right")
    inside = np.minimum(found, len(token_starts) - 1)
    stands = (found < len(token_starts)) & (token_starts[inside] < ends)
    stands[1:] &= found[1:] != found[:-1]
    return np.where(stands, found, -1)


def _ends(first: NDArray[np.int64], tokens: int) -> NDArray[np.int64]:
    """The token after each word's last one, shape (words,): the first of the next word that has any."""
    stands = np.flatnonzero(first >= 0)
    ends = np.full(len(first), tokens, dtype=np.int64)
    ends[stands[:-1]] = first[stands[1:]]
    return ends


def windows_of(tokens: int, first: NDArray[np.int64], room: int) -> list[tuple[int, int, NDArray[np.int64]]]:
    """Windows over a text: (first token, token after the last, the words that belong to it).

    Args:
        first: as from `first_tokens`; room: tokens that fit into a window.
    """
    stands = np.flatnonzero(first >= 0)
    if tokens <= room:
        return [(0, tokens, stands)]
    step = room - min(OVERLAP, room // 4)
    begins = np.arange(0, max(1, tokens - room) + step, step)
    begins = np.unique(np.minimum(begins, tokens - room))
    # How far a word is from the nearer cut of each window; the text's own ends are no cuts.
    left = np.where(begins == 0, tokens, first[stands][:, None] - begins)
    right = np.where(begins + room >= tokens, tokens, begins + room - 1 - first[stands][:, None])
    best = np.minimum(left, right).argmax(axis=1)
    return [(int(begin), int(begin) + room, stands[best == number]) for number, begin in enumerate(begins)]


def each_word(
    forward: Callable[[dict[str, torch.Tensor]], torch.Tensor],
    windows: Windows,
    rows: NDArray[Any],
    place: Device,
    run: RunContext | None = None,
    tell: Tell | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """What a model says about each word of some windows; several processes share them, and every one gets all.

    Args:
        forward: a batch -> values of its tokens, shape (rows, tokens, width).
        tell: called with batches done, batches in all, seconds left; the run may then be stopped in between.

    Returns:
        The words' numbers, shape (words,), and the values, shape (words, width).
    """
    rank, world_size = (run.rank, run.world_size) if run is not None else (0, 1)
    most = min(ROWS_A_BATCH, (run.micro_batch_size if run else None) or ROWS_A_BATCH)
    batches = buckets(windows.lengths[rows], most)
    rounds, start = math.ceil(len(batches) / world_size), time.monotonic()
    found: list[tuple[Any, Any]] = []
    with torch.inference_mode(), place.autocast():
        for number in range(rounds):
            if run is not None and tell is not None:
                run.check_stop()
            for index in batches[number * world_size + rank : (number + 1) * world_size][:1]:
                some = rows[index]
                batch = {name: value.to(place.torch_device) for name, value in windows.batch(some).items()}
                lines, tokens, words = windows.picked(some)
                found.append((words, forward(batch)[lines, tokens].float().cpu().numpy()))
            if tell is not None:
                left = (time.monotonic() - start) / (number + 1) * (rounds - number - 1)
                tell(number + 1, rounds, left)
    shards = [found]
    if world_size > 1:
        shards = [[] for _ in range(world_size)]
        torch.distributed.all_gather_object(shards, found)
    pieces = [piece for shard in shards for piece in shard]
    numbers = np.concatenate([words for words, _ in pieces])
    order = np.argsort(numbers, kind="stable")  # the same order whatever the number of processes
    return numbers[order], np.concatenate([values for _, values in pieces])[order]


def word_logits(
    classifier: Classifier, windows: Windows, rows: NDArray[Any], place: Device, run: RunContext | None = None
) -> NDArray[np.float32]:
    """Logits of the words of some windows, shape (words of all texts, tags); zeros for words that were not read."""
    classifier.module.eval()
    numbers, values = each_word(lambda batch: classifier.module(**batch)["logits"], windows, rows, place, run)
    logits = np.zeros((windows.words, classifier.head.out_features), dtype=np.float32)
    logits[numbers] = values
    return logits


def word_features(
    base: Base, windows: Windows, rows: NDArray[Any], place: Device, run: RunContext, tell: Tell
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """What the last layer reads of each word, from the frozen body or from the cache: numbers and (words, width)."""
    numbers = np.sort(windows.picked(rows)[2])
    asked = dataclasses.replace(windows, places=np.concatenate([windows.places, rows]))  # for the key alone
    folder = run.cache / "features" / features.cache_key(base, asked, place)
    known = features.load_features(folder, len(numbers)) if run.is_main else None
    known = run.agree(known)
    if known is not None:
        return numbers, known["words"]
    base.model.eval()

    def forward(batch: dict[str, torch.Tensor]) -> torch.Tensor:
        base.model(**batch)
        return heard["head_input"]

    with features.listening(base) as heard:
        found, values = each_word(forward, windows, rows, place, run, tell)
    if run.is_main:
        try:
            features.save_features(folder, {"words": values})
        except OSError as error:
            run.warn("cache-unusable", f"The features could not be kept for the next run ({error}); this one goes on.")
    return found, values


def check_tokenizer(base: Base, why: str) -> None:
    """The tokenizer says which letters a token stands for, as all fast ones do.

    Raises:
        RecipeError: `model-not-usable`.
    """
    if not getattr(base.processor, "is_fast", False):
        raise RecipeError(
            "model-not-usable",
            f"The tokenizer of “{base.name}” does not say which letters its tokens stand for.",
            why,
            base.kind.another_model,
        )


class Tags(Texts):
    """Texts whose words get tags, for the encoders that transformers loads for token classification."""

    task = "token-classification"
    one, many = "text", "texts"
    another_model = (
        "Choose an encoder that transformers can load for token classification: BERT, RoBERTa, DistilBERT, "
        "ModernBERT, DeBERTa, MiniLM, XLM-R, …"
    )
    peft_task = "TOKEN_CLS"

    def auto_model(self, with_head: bool = True) -> Any:
        """Of transformers."""
        from transformers import AutoModel, AutoModelForTokenClassification

        return AutoModelForTokenClassification if with_head else AutoModel

    def check(self, base: Base) -> None:
        """The tokenizer says which letters a token stands for, as all fast ones do."""
        check_tokenizer(base, "Tags belong to words, so tokens and words must be lined up.")
        super().check(base)

    def encode(self, plan: Plan, study: Study, base: Base, run: RunContext) -> Inputs:
        """All sentences as windows of tokens, once. `study.material` holds them with their words."""
        tagged: Tagged = study.material
        longest = min(plan.training.max_length or LONGEST_BY_DEFAULT, max_tokens(base.model, base.processor))
        windows = encode(base.processor, tagged.texts, tagged.words, longest, run.check_stop)
        if windows.cut:
            long = int((np.bincount(windows.sentences) > 1).sum())
            run.note(
                f"{long:,} of {len(tagged):,} texts are longer than {longest} tokens; they are read in "
                f"{windows.cut + long:,} windows that overlap, so that nothing is cut off."
            )
        unread = windows.words - len(windows.numbers)
        if unread:
            run.note(f"{unread:,} of {windows.words:,} words have no token of their own (marks, rare letters); they "
                     "are taken for no entity.")  # fmt: skip
        return windows

    def encode_new(self, classifier: Classifier, values: Sequence[Any]) -> Windows:
        """New texts, cut into words as those of the training file were."""
        tokenizer = classifier.processor
        longest = min(max_tokens(classifier.module, tokenizer), int(tokenizer.model_max_length))
        spaced = bool(getattr(classifier.module.config, "words_between_spaces", False))
        return encode(tokenizer, list(values), [split_words(text, spaced) for text in values], longest)
