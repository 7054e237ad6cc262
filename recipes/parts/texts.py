"""Texts as classification needs them: read as tokens, pooled over the tokens, compared with counting words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recipes.parts import baselines, data, device, features
from recipes.parts.baselines import Predictions
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.features import Encoded
from recipes.parts.methods import Base, Classifier, Pooling, mean_pool
from recipes.parts.modality import Inputs, Modality
from recipes.parts.study import Study, divide
from recipes.plan import Plan

INPUT_SHOWN = 300  # characters of a mistaken text in the report
TRIAL_ROWS, TRIAL_TOKENS = 16, 48
#: Short and long, plain and odd: what an exported model must answer as the original does.
TRIAL_TEXTS = (
    "Yes.",
    "The parcel arrived two days late, but the support was friendly and sent a new one at once.",
    "Das ist kein englischer Satz; 123 € und ein Emoji 🙂.",
    "word " * 120,
)


class Texts(Modality):
    """Texts, for the encoders that transformers loads for sequence classification."""

    task = "text-classification"
    role = "text"
    one, many = "text", "texts"
    simple = "word_counts"
    another_model = (
        "Choose an encoder that transformers can load for text classification: BERT, RoBERTa, DistilBERT, ModernBERT, "
        "DeBERTa, MiniLM, XLM-R, …"
    )
    trial_pooling: Pooling = "mean"
    peft_task = "SEQ_CLS"
    free_axes: Mapping[int, str] = {0: "batch", 1: "tokens"}

    def study(self, plan: Plan, run: RunContext) -> Study:
        """The rows of the plan's file; a copy is a text that is (nearly) the same."""
        rows, own_test = data.read_rows(plan, run.directory, run.warn)
        return divide(rows, own_test, plan, run)

    def encode(self, plan: Plan, study: Study, base: Base, run: RunContext) -> Inputs:
        """All texts as tokens, once."""
        limit = max_tokens(base.model, base.processor)
        encoded = features.encode(base.processor, study.rows.inputs, plan.training.max_length, limit, run.check_stop)
        if encoded.cut:
            run.note(
                f"{encoded.cut:,} of {len(encoded):,} texts are longer than {encoded.max_length} tokens; only their "
                "beginning is read."
            )
        return encoded

    def encode_new(self, classifier: Classifier, values: Sequence[Any]) -> Encoded:
        """Tokens of new texts."""
        tokenizer = classifier.processor
        limit = max_tokens(classifier.module, tokenizer)
        return features.encode(tokenizer, list(values), min(limit, int(tokenizer.model_max_length)), limit)

    def baseline(
        self,
        name: str,
        study: Study,
        inputs: Inputs,
        rows: NDArray[Any],
        validation: NDArray[Any] | None,
        test: NDArray[Any],
    ) -> Predictions:
        """Counting words."""
        del name, inputs
        return baselines.word_counts(
            study.inputs(rows),
            study.labels(rows),
            study.inputs(test),
            problem=study.goal.problem,
            classes=len(study.goal.names),
            validation=None if validation is None else (study.inputs(validation), study.labels(validation)),
            class_weight="balanced" if study.goal.balanced else None,
        )

    def value_of(self, tree: dict[str, Any], plan: Plan) -> str:
        """The text under the name text, or of the plan's columns, joined as for training."""
        if isinstance(tree.get("inputs"), dict):
            return data.join_text(tree["inputs"], plan.column(self.role))
        return data.join_text(tree, [self.role])

    def shown(self, values: Sequence[str]) -> list[str]:
        """The beginnings of texts."""
        return [text[:INPUT_SHOWN] for text in values]

    def auto_model(self, with_head: bool = True) -> Any:
        """Of transformers."""
        from transformers import AutoModel, AutoModelForSequenceClassification

        return AutoModelForSequenceClassification if with_head else AutoModel

    def load_processor(self, source: str) -> Any:
        """The tokenizer."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(source, trust_remote_code=False)

    def save_processor(self, processor: Any, folder: Path, max_length: int) -> None:
        """The tokenizer, which carries how many tokens are read of each text."""
        limit, processor.model_max_length = processor.model_max_length, max_length
        processor.save_pretrained(folder)
        processor.model_max_length = limit

    def check(self, base: Base) -> None:
        """The tokenizer fits the embeddings; one without a padding token pads with its end token."""
        tokenizer, config = base.processor, base.model.config
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        if config.pad_token_id is None:
            config.pad_token_id = tokenizer.pad_token_id
        embeddings = base.model.get_input_embeddings().num_embeddings
        if len(tokenizer) > embeddings:
            raise RecipeError(
                "model-not-usable",
                f"The tokenizer of “{base.name}” knows {len(tokenizer):,} tokens, its model only {embeddings:,}.",
                "Tokenizer and model must belong together.",
                "Use the tokenizer that the model was trained with.",
            )

    def trial_batch(self, base: Base) -> dict[str, torch.Tensor]:
        """Random tokens."""
        shape = (TRIAL_ROWS, min(TRIAL_TOKENS, max_tokens(base.model, base.processor)))
        ids = torch.from_numpy(np.random.default_rng(0).integers(5, base.model.config.vocab_size - 1, shape))
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def trial_inputs(self, classifier: Classifier) -> dict[str, torch.Tensor]:
        """Tokens of texts short and long, plain and odd."""
        inputs = classifier.processor(list(TRIAL_TEXTS), truncation=True, padding=True, return_tensors="pt")
        return {name: inputs[name] for name in ("input_ids", "attention_mask")}

    def limit(self, processor: Any) -> int:
        """Tokens read of each text."""
        return int(processor.model_max_length)

    def pooled(
        self, base: Base, heard: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """{"mean": mean over the real tokens, "model": the head's input}.

        "model" is absent where the head reads every token, or has no bias to fold the standardisation into.
        """
        found = {"mean": mean_pool(heard["hidden"], batch["attention_mask"])}
        if heard["head_input"].ndim == 2 and base.head.bias is not None:
            found["model"] = heard["head_input"].to(torch.float32)
        return found

    def peak_bytes(self, plan: Plan, base: Base, inputs: Inputs, rows: int, place: Device) -> int:
        """From the sizes in the configuration and the tokens of the longest text."""
        every, longest = int(inputs.lengths.sum()), int(inputs.lengths.max(initial=1))
        return device.predicted_peak_bytes(
            base.model, plan.method, rows * longest, place, reading=min(features.TOKENS_A_BATCH, every), every=every
        )


def max_tokens(model: Any, tokenizer: Any) -> int:
    """The longest input in tokens: the least of what tokenizer and position embeddings say."""
    limits = [limit for limit in (tokenizer.model_max_length,) if isinstance(limit, int) and 0 < limit < 1_000_000]
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and name.endswith(("position_embeddings", "wpe")):
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - offset)
    if not limits:
        limits = [int(getattr(model.config, "max_position_embeddings", None) or 512)]
    return max(8, min(limits))
