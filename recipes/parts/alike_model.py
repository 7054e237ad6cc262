"""Sentence encoders: a text becomes a list of numbers, and texts that are close in meaning get like numbers.

    encoder = load(source, name, quiet=True)              any model of sentence-transformers, or any encoder
    encode(encoder, texts, max_length)                    tokens
    vectors(encoder, tokens, rows, place, run)            shape (rows, width), of length one

The library sentence-transformers loads and saves them, so that pooling and whatever follows it are the model's own.
One layer is new: a linear projection of the finished numbers, which starts as the identity.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recipes.parts import checkpoints, features, methods, model_files
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, cannot_load, no_model
from recipes.parts.features import Encoded
from recipes.parts.methods import Classifier
from recipes.parts.texts import Texts
from recipes.parts.training import logits_of

FORMAT = "sentence-transformers"
ROWS_AT_ONCE = 2048  # texts between two looks at the clock and at the wish to stop
ANOTHER = "Choose an encoder such as sentence-transformers/all-MiniLM-L6-v2."


class Embedder(nn.Module):  # type: ignore[misc]
    """Body, pooling and what follows it, and the new projection.

    Input: `input_ids`, `attention_mask`, shape (rows, tokens). Output: {"logits": shape (rows, width)}.
    """

    def __init__(self, sentence_model: Any, quiet: bool) -> None:
        super().__init__()
        first, *after = list(sentence_model)
        self.body = first.auto_model
        self.after = nn.ModuleList(after)
        width = int(sentence_model.get_embedding_dimension())
        self.classifier = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.classifier.weight)
        self.config = self.body.config
        self.quiet = quiet

    def train(self, mode: bool = True) -> Embedder:
        """Training mode only switches dropout on; on a CPU, drawing its masks costs as much as the model."""
        super().train(mode and not self.quiet)
        return self

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.body(input_ids=input_ids, attention_mask=attention_mask)[0]
        found = {"token_embeddings": hidden, "attention_mask": attention_mask}
        for module in self.after:
            found = module(found)
        return {"logits": self.classifier(found["sentence_embedding"].float())}


class Encoder(Classifier):
    """An `Embedder` in the form that methods and training know, with its model of sentence-transformers."""

    whole: Any

    @property
    def width(self) -> int:
        """Numbers that a text becomes."""
        return int(self.classifier.out_features)

    @property
    def classifier(self) -> Any:
        """The new projection."""
        return self.module.classifier

    @property
    def limit(self) -> int:
        """Tokens that the model can read."""
        return int(self.whole.max_seq_length or features.LONGEST_BY_DEFAULT)


def load(source: str, name: str, *, quiet: bool) -> Encoder:
    """Load an encoder; safetensors only, no code of its repository is run.

    Args:
        source: a folder or a Hub id; name: as the person knows it; quiet: no dropout.

    Raises:
        RecipeError: `unsafe-weights`, `remote-code` or `model-not-usable`.
    """
    from sentence_transformers import SentenceTransformer

    methods.check_weight_files(source, name)
    check_modules(source, name)
    try:
        whole = SentenceTransformer(
            source,
            device="cpu",
            trust_remote_code=False,
            local_files_only=Path(source).is_dir(),
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
        parts = [type(part).__name__ for part in whole]
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise cannot_load(name, error, " to compare texts", ANOTHER) from error
    if parts[:2] != ["Transformer", "Pooling"]:
        raise RecipeError(
            "model-not-usable",
            f"The model “{name}” is made of {', '.join(parts)}.",
            "Texts are compared with a transformer whose tokens are pooled.",
            ANOTHER,
        )
    if whole.default_prompt_name and whole.prompts.get(whole.default_prompt_name):
        raise RecipeError(
            "model-not-usable",
            f"The model “{name}” puts words of its own before each text.",
            "Such prompts are not part of the training here.",
            ANOTHER,
        )
    encoder = Encoder(Embedder(whole, quiet), "mean", whole.tokenizer, name, Texts())
    encoder.whole = whole
    encoder.module.eval()
    return encoder


def check_modules(source: str, name: str) -> None:
    """A folder may name only parts of sentence-transformers itself.

    Raises:
        RecipeError: `remote-code`.
    """
    import json

    listed = Path(source) / "modules.json"
    if not listed.is_file():
        return
    try:
        kinds = [str(part["type"]) for part in json.loads(listed.read_text(encoding="utf-8"))]
    except (ValueError, KeyError, TypeError) as error:
        raise cannot_load(name, ValueError("its modules.json cannot be read"), " to compare texts", ANOTHER) from error
    if strange := [kind for kind in kinds if not kind.startswith("sentence_transformers.")]:
        raise RecipeError(
            "remote-code",
            f"The model “{name}” needs code that is not part of sentence-transformers: {strange[0][:100]}.",
            "Code of strangers is never run.",
            ANOTHER,
        )


def encode(encoder: Encoder, texts: list[str], max_length: int | None, run: RunContext | None = None) -> Encoded:
    """Tokens of texts, once.

    Args:
        max_length: tokens read of each; None: what 99 of 100 texts have.
    """
    check = run.check_stop if run is not None else lambda: None
    return features.encode(encoder.processor, texts, max_length, encoder.limit, check)


def vectors(
    encoder: Encoder, encoded: Encoded, rows: NDArray[Any], place: Device, run: RunContext | None = None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> NDArray[np.float32]:  # fmt: skip
    """Numbers of texts, shape (rows, width), each of length one; zeros for a text that has none.

    Args:
        tell: called with how many are done, of how many.
    """
    found = [np.zeros((0, encoder.width), dtype=np.float32)]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        if start and run is not None:
            run.check_stop()
        found.append(logits_of(encoder, encoded, rows[start : start + ROWS_AT_ONCE], place, run))
        tell(min(len(rows), start + ROWS_AT_ONCE), len(rows))
    return unit(np.concatenate(found))


def unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length one, so that their products are cosines."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(lengths, 1e-12), dtype=np.float32)


# Saving


def save(encoder: Encoder, folder: Path, max_length: int) -> None:
    """Write a folder that `SentenceTransformer(folder)` loads, whole or not at all. Adapters are merged into it.

    Args:
        folder: replaced when it exists; max_length: tokens read of each text.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    module = encoder.module
    if encoder.adapter:
        module.body = module.body.merge_and_unload()
        encoder.whole[0].model = module.body
        encoder.adapter = False
    parts = list(encoder.whole)
    if not bool(torch.equal(module.classifier.weight.cpu(), torch.eye(encoder.width))):
        dense = Dense(encoder.width, encoder.width, bias=False, activation_function=nn.Identity())
        dense.linear.weight = nn.Parameter(module.classifier.weight.detach().clone())
        parts += [dense, *([Normalize()] if any(isinstance(part, Normalize) for part in parts) else [])]
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    whole = SentenceTransformer(
        modules=parts, device=str(next(module.parameters()).device), similarity_fn_name="cosine"
    )
    before, whole.max_seq_length = whole.max_seq_length, max_length
    try:
        whole.save(str(partial), create_model_card=False)
    finally:
        whole.max_seq_length = before
    checkpoints.replace_folder(partial, folder)


def verify(folder: Path, texts: list[str], expected: NDArray[np.float32], place: Device) -> None:
    """Load the saved model with sentence-transformers alone and compare its numbers with those of the run.

    Raises:
        RecipeError: `verification-failed`.
    """
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(folder), device=str(place.torch_device), local_files_only=True)
    found = unit(np.asarray(plain.encode(texts, show_progress_bar=False), dtype=np.float32))
    apart = float(1 - (found * expected).sum(axis=1).min())  # one less the cosine
    model_files.check_same(apart, 1e-4 if place.precision == "float32" else 1e-2)


def open_saved(folder: Path, place: Device) -> Encoder:
    """What `save` wrote.

    Raises:
        RecipeError: `no-model`.
    """
    if not (folder / "modules.json").is_file():
        raise no_model(folder)
    encoder = load(str(folder), str(folder), quiet=True)
    encoder.module.to(place.torch_device)
    return encoder
