"""Causal language models: loaded, given adapters, saved as plain transformers and PEFT load them, and back.

model = load(source, name, place, method)       a model with its tokenizer, ready for `token_loss`
add_adapters(model, method)                     lora and qlora
save(model, folder, max_length)                 load_saved(folder, place) gives it back
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from recipes.parts import chat_format, checkpoints
from recipes.parts.chat_format import Format
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, cannot_load, no_model
from recipes.parts.methods import check_weight_files, find_blocks, zero_dropout
from recipes.parts.starter import check_reachable, resolve
from recipes.parts.token_loss import add_token_loss
from recipes.plan import Method

ADAPTER_FILE = "adapter_config.json"
NEW_TOKENS = 256  # the longest answer that a saved model writes unless it is asked for more
RSLORA_FROM = 64  # from this rank on, adapters are scaled by the root of the rank (PEFT's comparison of methods)
ANOTHER_MODEL = (
    "Choose a model that writes text and that transformers can load: SmolLM2, Qwen3, Llama, Gemma, Mistral, …"
)


@dataclass
class LanguageModel:
    """A causal language model and how it reads.

    Attributes:
        module: the model, or a PeftModel around it.
        form: its tokenizer with a chat template.
        name: the plan's base model; source: the folder or Hub id it was loaded from.
        dropout: the configuration's own dropout values, where they were set to zero for speed.
    """

    module: Any
    form: Format
    name: str
    source: str
    adapter: bool
    dropout: dict[str, float]

    @property
    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return self.form.tokenizer

    @property
    def context(self) -> int:
        """The most tokens that it can read at once."""
        said = [getattr(self.module.config, "max_position_embeddings", None), self.tokenizer.model_max_length]
        return max(16, min([int(limit) for limit in said if limit] + [1_000_000]))

    @contextmanager
    def untuned(self) -> Iterator[None]:
        """The model as it was: its adapters switched off."""
        if not self.adapter:
            yield
            return
        with self.module.disable_adapter():
            yield


def load(source: str, name: str, place: Device, method: Method) -> LanguageModel:
    """Load a base model on the device; safetensors only, no code of the repository is run.

    On a GPU, weights that stay as they are are kept in bfloat16 (or 4 bits); weights that train are float32, because
    bfloat16 would lose small steps. On a CPU everything is float32: what it computes in is `place.precision`.

    Raises:
        RecipeError: `model-not-found`, `unsafe-weights`, `remote-code`, `model-not-usable` or `qlora-needs-gpu`.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    quantised = four_bits(place) if method.name == "qlora" else None
    check_reachable(source)
    check_weight_files(source, name)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        dropout = zero_dropout(config) if place.is_cpu else {}
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        module = AutoModelForCausalLM.from_pretrained(
            source,
            config=config,
            dtype=_dtype(place, method),
            use_safetensors=True,
            trust_remote_code=False,
            **({"quantization_config": quantised, "device_map": {"": place.torch_device}} if quantised else {}),
        )
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, AttributeError) as error:
        if isinstance(error, RuntimeError) and "out of memory" in str(error).lower():
            raise
        raise cannot_load(name, error, "", ANOTHER_MODEL) from error
    if quantised is None:
        module.to(place.torch_device)
    return _ready(LanguageModel(module, chat_format.of(tokenizer), name, source, False, dropout))


def _dtype(place: Device, method: Method) -> torch.dtype:
    frozen = method.name in ("lora", "qlora")
    if place.torch_device.type == "cuda" and frozen and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return torch.float32


def four_bits(place: Device) -> Any:
    """The configuration of 4-bit weights: nf4, quantised twice, computing in bfloat16 (QLoRA, 2305.14314).

    Raises:
        RecipeError: `qlora-needs-gpu`.
    """
    reason = ""
    if place.torch_device.type != "cuda":
        reason = f"this run is on {place.name}"
    elif importlib.util.find_spec("bitsandbytes") is None:
        reason = "the package is not installed (python -m pip install bitsandbytes)"
    if reason:
        raise RecipeError(
            "qlora-needs-gpu",
            f"The method qlora keeps the model in 4 bits; that takes an NVIDIA GPU and the package bitsandbytes: "
            f"{reason}.",
            "With the same adapters, lora learns the same and needs about four times the memory for the model.",
            "Choose the method lora, or a smaller base model when memory is short.",
        )
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _ready(model: LanguageModel) -> LanguageModel:
    """Check that model and tokenizer fit, and settle padding, stopping and the loss."""
    module, tokenizer = model.module, model.tokenizer
    if find_blocks(module) is None or module.get_output_embeddings() is None:
        raise RecipeError(
            "model-not-usable",
            f"“{model.name}” ({type(module).__name__}) is not a language model that writes text.",
            "It must be made of a stack of blocks and end in scores for each word.",
            ANOTHER_MODEL,
        )
    embeddings = module.get_input_embeddings().num_embeddings
    if len(tokenizer) > embeddings:
        raise RecipeError(
            "model-not-usable",
            f"The tokenizer of “{model.name}” knows {len(tokenizer):,} tokens, its model only {embeddings:,}.",
            "Tokenizer and model must belong together.",
            "Use the tokenizer that the model was trained with.",
        )
    module.config.pad_token_id = tokenizer.pad_token_id
    module.config.use_cache = True
    settle_generation(model)
    add_token_loss(module)
    module.eval()
    return model


def settle_generation(model: LanguageModel) -> None:
    """Answers end where an answer ends, are padded with the padding token, and are the same every time."""
    from transformers import GenerationConfig

    tokenizer, old = model.tokenizer, model.module.generation_config
    ends = old.eos_token_id if isinstance(old.eos_token_id, list) else [old.eos_token_id]
    ends += [tokenizer.eos_token_id, *(tokenizer.convert_tokens_to_ids(token) for token in model.form.end_tokens)]
    model.module.generation_config = GenerationConfig(
        bos_token_id=old.bos_token_id,
        eos_token_id=list(dict.fromkeys(int(end) for end in ends if end is not None)),
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
        max_new_tokens=NEW_TOKENS,
    )


# What trains


def prepare(model: LanguageModel, method: Method, seed: int) -> None:
    """Set what trains: adapters in every linear layer of every block, or all weights.

    Raises:
        RecipeError: `method-not-available`.
    """
    torch.manual_seed(seed)
    if method.name in ("lora", "qlora"):
        add_adapters(model, method)
    elif method.name == "full":
        for parameter in model.module.parameters():
            parameter.requires_grad_(True)
    else:
        raise RecipeError(
            "method-not-available",
            f"The method {method.name} is for models that sort things; a language model has no new last layer.",
            "Language models are trained with lora (small adapters), qlora or full (every weight).",
            "Choose the method lora.",
        )


def add_adapters(model: LanguageModel, method: Method) -> None:
    """LoRA in all linear layers of the blocks, attention and feed-forward alike (LoRA Without Regret, 2025)."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers.pytorch_utils import Conv1D

    module = model.module
    if method.name == "qlora":
        module = prepare_model_for_kbit_training(module, use_gradient_checkpointing=False)
    rank = method.rank or 16
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=method.alpha or 2 * rank,
        lora_dropout=method.dropout or 0.0,
        use_rslora=rank >= RSLORA_FROM,
        target_modules="all-linear",
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in module.modules()),  # GPT-2 stores them transposed
    )
    wrapped = get_peft_model(module, config)
    wrapped.peft_config["default"].base_model_name_or_path = model.name
    model.module, model.adapter = wrapped, True


# Files


def model_format(model: LanguageModel) -> str:
    """The form that `save` gives it: “peft” or “transformers”."""
    return "peft" if model.adapter else "transformers"


def save(model: LanguageModel, folder: Path) -> None:
    """Write the model (of an adapter run, the adapter), its tokenizer with the chat template, and how it answers."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    module, config = model.module, model.module.config
    settle_generation(_bare(model))
    zero = {key: getattr(config, key) for key in model.dropout}
    for key, value in model.dropout.items():  # zero only served our own training
        setattr(config, key, value)
    try:
        if model.adapter:
            # The vocabulary is never resized here; asking PEFT to check would look the base model up on the Hub.
            module.save_pretrained(partial, save_embedding_layers=False)
            config.save_pretrained(partial)
            module.get_base_model().generation_config.save_pretrained(partial)
        else:
            module.save_pretrained(partial)
    finally:
        for key, value in zero.items():
            setattr(config, key, value)
    model.tokenizer.save_pretrained(partial)
    checkpoints.replace_folder(partial, folder)


def same_weights(model: LanguageModel, folder: Path) -> bool:
    """Whether the saved files hold the model's weights bit for bit (of an adapter run, the adapter's)."""
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    own = get_peft_model_state_dict(model.module) if model.adapter else model.module.state_dict()
    seen = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 a file, not a dict
                seen += 1
                if name not in own or not torch.equal(file.get_tensor(name), own[name].detach().cpu()):
                    return False
    return seen > 0


def _bare(model: LanguageModel) -> LanguageModel:
    """The model without the adapters' wrapping, which has no generation settings of its own."""
    if not model.adapter:
        return model
    return LanguageModel(model.module.get_base_model(), model.form, model.name, model.source, False, model.dropout)


def load_saved(folder: Path, place: Device) -> LanguageModel:
    """Load what `save` wrote.

    Raises:
        RecipeError: `no-model`; or the adapter's base model cannot be had.
    """
    from transformers import AutoTokenizer, GenerationConfig

    if not (folder / "config.json").is_file():
        raise no_model(folder)
    if not (folder / ADAPTER_FILE).is_file():
        model = load(str(folder), str(folder), place, Method(name="full"))
        return model
    from peft import PeftConfig, PeftModel

    name = str(PeftConfig.from_pretrained(folder).base_model_name_or_path)
    model = load(resolve(name, folder.parent), name, place, Method(name="lora"))
    model.form = chat_format.of(AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
    model.module.generation_config = GenerationConfig.from_pretrained(folder)
    model.module = PeftModel.from_pretrained(model.module, folder).eval()
    model.adapter = True
    return model
