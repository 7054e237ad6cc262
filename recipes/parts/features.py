"""Texts to tokens, and tokens to frozen features: the body runs once over every text, and the result is kept on disk.

encoded = encode(tokenizer, texts, max_length)
features = frozen_features(base, encoded, device, run)      {"model": (rows, width), "mean": (rows, width)}
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.parts.context import RunContext
from recipes.parts.device import Device, Precision, choose_precision, versions
from recipes.parts.methods import Base, weights_sha256
from recipes.parts.modality import Inputs

Features = dict[str, NDArray[np.float32]]
LONGEST_BY_DEFAULT = 512  # tokens; attention's cost grows with the square
CHARACTERS_A_TOKEN = 64  # text beyond so many characters for each token that is read is not even tokenised
TOKENS_A_BATCH = 8192  # measured on 2 cores: larger batches of a small encoder gain nothing
ROWS_A_BATCH = 64
CACHE_BYTES = 2 << 30


@dataclass(frozen=True)
class Encoded:
    """Token ids of many texts, without padding, in one flat array.

    Attributes:
        ids: shape (all tokens,), int32; starts: shape (rows + 1,), int64: where each row begins.
        padding: the token id that fills a batch up.
        cut: how many texts were longer than `max_length`.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    padding: int
    max_length: int
    cut: int = 0

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, shape (rows,)."""
        return np.diff(self.starts)

    def cost(self, batch: dict[str, torch.Tensor]) -> int:
        """Tokens, padding included."""
        return int(batch["input_ids"].numel())

    def content(self) -> bytes:
        """The tokens of all rows."""
        return self.ids.tobytes() + self.starts.tobytes()

    def batch(self, rows: Any, epoch: int | None = None) -> dict[str, torch.Tensor]:
        """Rows padded to the longest of them: `input_ids` and `attention_mask`, shape (rows, tokens)."""
        del epoch  # texts are the same in every pass
        pieces = [self.ids[self.starts[row] : self.starts[row + 1]] for row in rows]
        width = max(len(piece) for piece in pieces)
        ids = np.full((len(pieces), width), self.padding, dtype=np.int64)
        mask = np.zeros((len(pieces), width), dtype=np.int64)
        for number, piece in enumerate(pieces):
            ids[number, : len(piece)] = piece
            mask[number, : len(piece)] = 1
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}


def encode(
    tokenizer: Any, texts: list[str], max_length: int | None, limit: int, check: Callable[[], None] = lambda: None
) -> Encoded:
    """Tokenise texts once.

    Args:
        max_length: tokens read of each text; None: the 99th percentile of the texts, at most 512.
        limit: the most that the model can read.
        check: called now and then; may raise to stop.
    """
    longest = min(max_length or LONGEST_BY_DEFAULT, limit)
    pieces, cut = _tokenise(tokenizer, texts, longest, check)
    if max_length is None and pieces:
        lengths = [len(piece) for piece in pieces]
        wanted = max(16, math.ceil(float(np.percentile(lengths, 99)) / 8) * 8)
        if wanted < longest:
            longest = wanted
            too_long = [row for row, length in enumerate(lengths) if length > longest]
            again, _ = _tokenise(tokenizer, [texts[row] for row in too_long], longest, check)
            for row, piece in zip(too_long, again, strict=True):
                pieces[row] = piece
            cut = len(too_long)
    starts = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
    ids = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int32)
    return Encoded(ids.astype(np.int32), starts, int(tokenizer.pad_token_id or 0), longest, cut)


def _tokenise(
    tokenizer: Any, texts: list[str], longest: int, check: Callable[[], None]
) -> tuple[list[NDArray[np.int32]], int]:
    pieces: list[NDArray[np.int32]] = []
    fallback = next(
        (
            token
            for token in (tokenizer.unk_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
            if token is not None
        ),
        0,
    )
    for start in range(0, len(texts), 1000):
        check()
        some = [text[: CHARACTERS_A_TOKEN * longest] for text in texts[start : start + 1000]]
        found = tokenizer(some, truncation=True, max_length=longest, padding=False, return_attention_mask=False)
        pieces += [np.asarray(ids or [fallback], dtype=np.int32) for ids in found["input_ids"]]
    return pieces, sum(1 for piece in pieces if len(piece) >= longest)


def buckets(lengths: NDArray[np.int64], rows_a_batch: int = ROWS_A_BATCH) -> list[NDArray[np.int64]]:
    """Rows in batches of like length, the longest first (memory that runs out, runs out at once)."""
    order = np.argsort(-lengths, kind="stable")
    result = []
    start = 0
    while start < len(order):
        fitting = max(1, TOKENS_A_BATCH // max(1, int(lengths[order[start]])))
        size = min(rows_a_batch, fitting)
        result.append(order[start : start + size])
        start += size
    return result


@contextmanager
def listening(base: Base) -> Iterator[dict[str, torch.Tensor]]:
    """While open, every forward pass of the base leaves its last hidden states and the head's input in the dict."""
    heard: dict[str, torch.Tensor] = {}

    def hear_body(_module: Any, _inputs: Any, output: Any) -> None:
        heard["hidden"] = output[0]

    def hear_head(_module: Any, inputs: Any) -> None:
        heard["head_input"] = inputs[0]

    hooks = [base.model.base_model.register_forward_hook(hear_body), base.head.register_forward_pre_hook(hear_head)]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def _for_reading(base: Base, device: Device) -> tuple[Base, dict[str, torch.Tensor]]:
    """The base as it reads fastest, and made-up inputs for it."""
    batch = {name: value.to(device.torch_device) for name, value in base.kind.trial_batch(base).items()}
    return base.kind.for_reading(base, batch), batch


def settle_precision(base: Base, wish: str, device: Device, run: RunContext) -> Precision:
    """Try precisions on made-up inputs and use the best from here on."""
    base, batch = _for_reading(base, device)

    def forward() -> Any:
        with listening(base) as heard:
            base.model(**batch)
            return base.kind.pooled(base, heard, batch)[base.kind.trial_pooling].cpu().numpy()

    precision = choose_precision(wish, device, forward, run)
    device.use(precision)
    return precision


def frozen_features(
    base: Base, encoded: Inputs, device: Device, run: RunContext, tell: Callable[[int, int, float | None], None]
) -> Features:
    """Features of every row by every pooling, from one forward pass in evaluation mode, or from the cache.

    Several processes share the batches; every one gets all features.

    Args:
        tell: called with batches done, batches in all, and the seconds that are left.
    """
    key = cache_key(base, encoded, device)
    folder = run.cache / "features" / key
    cached = load_features(folder, len(encoded)) if run.is_main else None
    if run.agree(cached is not None):
        return cached if cached is not None else _load_shared(folder, len(encoded), run)
    run.agree(None)
    features = _forward_all(base, encoded, device, run, tell)
    if run.is_main:
        try:
            save_features(folder, features)
        except OSError as error:
            run.warn("cache-unusable", f"The features could not be kept for the next run ({error}); this one goes on.")
    return features


def _load_shared(folder: Path, rows: int, run: RunContext) -> Features:
    features = load_features(folder, rows)
    if features is None:
        raise RuntimeError(f"rank {run.rank} cannot read the features that rank 0 found in {folder}")
    return features


def _forward_all(
    base: Base, encoded: Inputs, device: Device, run: RunContext, tell: Callable[[int, int, float | None], None]
) -> Features:
    batches = buckets(encoded.lengths, min(ROWS_A_BATCH, run.micro_batch_size or ROWS_A_BATCH))
    mine = batches[run.rank :: run.world_size]
    rounds = math.ceil(len(batches) / run.world_size)
    cost = [len(rows) * int(encoded.lengths[rows[0]]) for rows in batches]
    total_cost, done_cost, start = sum(cost), 0, time.monotonic()
    base, _ = _for_reading(base, device)
    base.model.eval()
    found: list[tuple[NDArray[np.int64], dict[str, NDArray[np.float32]]]] = []
    with listening(base) as heard, torch.inference_mode(), device.autocast():
        for number in range(rounds):
            run.check_stop()
            if number < len(mine):
                batch = {name: value.to(device.torch_device) for name, value in encoded.batch(mine[number]).items()}
                base.model(**batch)
                found.append(
                    (
                        mine[number],
                        {name: value.cpu().numpy() for name, value in base.kind.pooled(base, heard, batch).items()},
                    )
                )
            done_cost += sum(cost[number * run.world_size : (number + 1) * run.world_size])
            spent = time.monotonic() - start
            tell(number + 1, rounds, spent / done_cost * (total_cost - done_cost) if done_cost else None)
    return _assemble(found, len(encoded), run)


def _assemble(found: list[Any], rows: int, run: RunContext) -> Features:
    shards = [found]
    if run.world_size > 1:
        import torch.distributed as dist

        shards = [[] for _ in range(run.world_size)]
        dist.all_gather_object(shards, found)
    features: Features = {}
    for shard in shards:
        for index, values in shard:
            for name, value in values.items():
                if name not in features:
                    features[name] = np.zeros((rows, value.shape[1]), dtype=np.float32)
                features[name][index] = value
    return features


def cache_key(base: Base, encoded: Inputs, device: Device) -> str:
    """What features depend on: the inputs and their preparation, weights, precision, library versions."""
    digest = hashlib.sha256()
    digest.update(weights_sha256(base.model, trainable=None, without=base.head).encode())
    digest.update(encoded.content())
    about = versions()
    facts = [
        type(base.model).__name__,
        device.precision,
        device.torch_device.type,
        about.get("torch"),
        about.get("transformers"),
    ]
    digest.update(json.dumps(facts).encode())
    return digest.hexdigest()[:32]


def load_features(folder: Path, rows: int) -> Features | None:
    """Features from the cache; None when they are not there or not whole."""
    try:
        sizes = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        features = {}
        for name, size in sizes.items():
            if (folder / name).stat().st_size != size:
                return None
            features[Path(name).stem] = np.load(folder / name, allow_pickle=False)
        os.utime(folder)
    except (OSError, ValueError):
        return None
    return features if features and all(len(value) == rows for value in features.values()) else None


def save_features(folder: Path, features: Features) -> None:
    """Put features into the cache whole or not at all, and drop what was used longest ago beyond the cap."""
    if sum(value.nbytes for value in features.values()) > CACHE_BYTES:
        return
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    sizes = {}
    for name, value in features.items():
        np.save(partial / f"{name}.npy", value)
        sizes[f"{name}.npy"] = (partial / f"{name}.npy").stat().st_size
    (partial / "manifest.json").write_text(json.dumps(sizes), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    _trim(folder.parent)


def _trim(cache: Path) -> None:
    entries = sorted((entry for entry in cache.iterdir() if entry.is_dir()), key=lambda entry: entry.stat().st_mtime)
    sizes = {entry: sum(file.stat().st_size for file in entry.iterdir()) for entry in entries}
    total = sum(sizes.values())
    for entry in entries[:-1]:
        if total <= CACHE_BYTES:
            break
        shutil.rmtree(entry, ignore_errors=True)
        total -= sizes[entry]
