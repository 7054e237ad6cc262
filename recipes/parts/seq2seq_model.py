"""Encoder-decoder models that write a text from a text (T5, BART, Marian, mT5 …): loaded, made trainable, saved.

model = load(source, name, place, method)      the model with its tokenizer
tell(model, prefix, languages)                 what it must be told before it reads
prepare(model, method, seed)                   what trains
save(model, folder)                            load_saved(folder, place) gives it back
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from recipes.parts import methods, model_files, tongues
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, cannot_load, no_model
from recipes.parts.model_files import ADAPTER_FILE
from recipes.parts.starter import check_reachable, resolve
from recipes.plan import Method

ANOTHER_MODEL = "Choose a model that reads one text and writes another: T5, Flan-T5, mT5, BART, Marian (opus-mt), …"
WITHOUT_NETWORK = (
    "Name a folder on this machine that holds the model, or connect to the network and start again. Without a network "
    "the same rows can teach the starter model SmolLM2 as instructions (task text-generation)."
)
CONVERTER = "SFconvertbot"  # the Hub's own, which offers safetensors as a pull request
LONGEST = 4096  # tokens, where neither model nor tokenizer names a limit
DEFAULT_RANK = 16


@dataclass
class Seq2Seq:
    """An encoder-decoder model and how it reads.

    Attributes:
        module: the model, or a PeftModel around it; tokenizer: of both sides.
        name: the plan's base model; dropout: the configuration's own values, where they were set to zero.
        prefix: put before each text; languages: that it was told.
    """

    module: Any
    tokenizer: Any
    name: str
    dropout: dict[str, float]
    adapter: bool = False
    prefix: str = ""
    languages: tuple[str, str] | None = None

    @property
    def bare(self) -> Any:
        """The model without the adapters' wrapping."""
        return self.module.get_base_model() if self.adapter else self.module

    @property
    def context(self) -> int:
        """The most tokens that it can read, or write, at once."""
        said = [getattr(self.bare.config, "max_position_embeddings", None), self.tokenizer.model_max_length]
        return max(16, min([int(limit) for limit in said if limit] + [LONGEST]))

    @contextlib.contextmanager
    def untuned(self) -> Iterator[None]:
        """The model as it was: its adapters switched off."""
        with self.module.disable_adapter() if self.adapter else contextlib.nullcontext():
            yield


# Loading


def load(source: str, name: str, place: Device, method: Method) -> Seq2Seq:
    """Load a base model on the device, in evaluation mode; safetensors only, no code of the repository is run.

    Weights that stay as they are (adapters) are kept in bfloat16 on a GPU that has it, all others in float32.

    Raises:
        RecipeError: `method-not-available`, `hub-unreachable`, `unsafe-weights`, `remote-code` or `model-not-usable`.
    """
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    check_method(method)
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    try:
        check_reachable(source)
    except RecipeError as error:
        raise RecipeError(error.code, error.what, error.expected, WITHOUT_NETWORK) from error
    methods.check_weight_files(source, name)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        refuse_other_models(config, name)
        dropout = methods.zero_dropout(config) if place.is_cpu else {}
        tokenizer = tokenizer_of(source)
        module = AutoModelForSeq2SeqLM.from_pretrained(
            source, config=config, dtype=_dtype(place, method), use_safetensors=True, trust_remote_code=False,
            revision=safe_revision(source),
        )  # fmt: skip
    except RecipeError:
        raise
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        if isinstance(error, RuntimeError) and "out of memory" in str(error).lower():
            raise
        raise cannot_load(name, error, " to write one text from another", ANOTHER_MODEL) from error
    if len(tokenizer) > module.get_input_embeddings().num_embeddings:
        raise RecipeError(
            "model-not-usable",
            f"The tokenizer of “{name}” knows {len(tokenizer):,} tokens, its model only "
            f"{module.get_input_embeddings().num_embeddings:,}.",
            "Tokenizer and model must belong together.",
            "Use the tokenizer that the model was trained with.",
        )
    module.config.pad_token_id = tokenizer.pad_token_id
    module.to(place.torch_device).eval()
    return Seq2Seq(module, tokenizer, name, dropout)


def tokenizer_of(source: str) -> Any:
    """The tokenizer of a folder or Hub id. Marian's advises a package that changes how texts are read: it stays out, so
    that the saved model reads everywhere as it did here.
    """
    from transformers import AutoTokenizer

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False)


def refuse_other_models(config: Any, name: str) -> None:
    """A model that only continues a text has no encoder; the same rows can teach it as instructions.

    Raises:
        RecipeError: `model-not-usable`.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as WRITERS

    if getattr(config, "is_encoder_decoder", False):
        return
    if config.model_type in WRITERS and not str((config.architectures or [""])[0]).endswith("MaskedLM"):
        raise RecipeError(
            "model-not-usable",
            f"“{name}” ({config.model_type}) goes on writing where a text ends; it has no part that only reads.",
            "Text to text here means an encoder that reads and a decoder that writes, as T5, BART or Marian have.",
            "The same rows can teach it all the same, as instructions: choose the task text-generation for this model. "
            "Or choose T5, Flan-T5, mT5, BART or Marian.",
        )
    raise RecipeError(
        "model-not-usable",
        f"“{name}” ({config.model_type}) reads texts but does not write any.",
        "A decoder is needed, as T5, BART or Marian have one.",
        ANOTHER_MODEL,
    )


def safe_revision(source: str) -> str:
    """Where a repository's safetensors lie: on its main branch, else in the pull request of the Hub's own converter.

    Most Marian models and mT5 have only pickle files on the main branch. The converter's copy holds the same weights.
    """
    from huggingface_hub import HfApi

    if Path(source).is_dir():
        return "main"
    try:
        hub = HfApi()
        if any(file.endswith(".safetensors") for file in hub.list_repo_files(source)):
            return "main"
        offers = [each.num for each in hub.get_repo_discussions(source, author=CONVERTER) if each.is_pull_request]
    except (OSError, ValueError):  # no network: what was downloaded once is looked for under its own name
        return "main"
    return f"refs/pr/{max(offers)}" if offers else "main"


def _dtype(place: Device, method: Method) -> torch.dtype:
    if place.torch_device.type == "cuda" and method.name == "lora" and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return torch.float32


def tell(model: Seq2Seq, prefix: str, languages: tuple[str, str] | None) -> str:
    """What the model is told before it reads, now and when it is loaded again; a sentence about languages, or nothing.

    Raises:
        RecipeError: `plan-incomplete`: it must be told its languages, or does not know one.
    """
    said = tongues.tell_languages(model.bare, model.tokenizer, languages, model.name)
    model.prefix, model.languages = prefix, languages
    config = model.bare.config
    config.prefix, config.languages = prefix, list(languages) if languages else None
    return said


def settle_generation(model: Seq2Seq, new_tokens: int, no_repeat: int) -> None:
    """How texts are written from now on: the model's own marks, greedy, so that before and after can be compared.

    Lengths and beams that a base model brings along are those of its own task (BART for news: 56 to 142 tokens).

    Args:
        new_tokens: of the longest text; no_repeat: a run of so many tokens is not written twice; 0: it may be.
    """
    known = model.bare.generation_config
    if known.decoder_start_token_id is None:
        known.decoder_start_token_id = model.bare.config.decoder_start_token_id
    known.update(
        do_sample=False, num_beams=1, min_length=0, min_new_tokens=None, max_length=None, max_new_tokens=new_tokens,
        no_repeat_ngram_size=no_repeat, length_penalty=1.0, early_stopping=False,
        pad_token_id=model.tokenizer.pad_token_id,
    )  # fmt: skip


def sizes(model: Seq2Seq) -> tuple[int, int, int]:
    """Width, inner width, and blocks of one half: of T5 and BART, or of two models joined (EncoderDecoderModel)."""
    config = getattr(model.bare.config, "encoder", model.bare.config)
    width = int(config.hidden_size)
    named = ("d_ff", "encoder_ffn_dim", "intermediate_size", "ffn_dim")
    inner = next((int(found) for name in named if (found := getattr(config, name, None))), 4 * width)
    return width, inner, int(config.num_hidden_layers)


# What trains


def check_method(method: Method) -> None:
    """Refuse, before anything is loaded, what such a model has no use for.

    Raises:
        RecipeError: `method-not-available`.
    """
    if method.name in ("full", "last_layers", "lora"):
        return
    head = "there is no new last layer that could be trained alone"
    why = head if method.name == "head" else "it is small enough to be trained as it is"
    raise RecipeError(
        "method-not-available",
        f"The method {method.name} is not for a model that writes one text from another: {why}.",
        "Such models are trained with lora (small adapters), last_layers (the last writing blocks) or full (all).",
        "Choose the method full, or lora when memory is short.",
    )


def prepare(model: Seq2Seq, method: Method, seed: int) -> None:
    """Set what trains, by a method that `check_method` knows; all weights where it is `full`.

    What nobody ever learned (Marian's positions are sines) stays as it is.
    """
    torch.manual_seed(seed)
    if method.name == "lora":
        _add_adapters(model, method)
    elif method.name == "last_layers":
        chosen = {id(each) for part in _last_parts(model.bare, method.layers or 1) for each in part.parameters()}
        for parameter in model.module.parameters():
            parameter.requires_grad_(parameter.requires_grad and id(parameter) in chosen)


def _last_parts(bare: Any, layers: int) -> list[Any]:
    """The decoder's last blocks, and the norm behind them."""
    decoder = bare.get_decoder()
    found = methods.find_blocks(decoder)
    if found is None:
        raise RecipeError("no-layers", f"No stack of blocks was found in {type(decoder).__name__}.", "", ANOTHER_MODEL)
    norms = [getattr(decoder, name, None) for name in ("final_layer_norm", "layer_norm")]
    return [*list(found[1])[-layers:], *[norm for norm in norms if norm is not None]]


def _add_adapters(model: Seq2Seq, method: Method) -> None:
    """LoRA in all linear layers of both halves, attention and feed-forward alike (LoRA Without Regret, 2025)."""
    from peft import LoraConfig, get_peft_model

    rank = method.rank or DEFAULT_RANK
    config = LoraConfig(
        task_type="SEQ_2_SEQ_LM",
        r=rank,
        lora_alpha=method.alpha or 2 * rank,
        lora_dropout=method.dropout or 0.0,
        target_modules="all-linear",
    )
    wrapped = get_peft_model(model.module, config)
    wrapped.peft_config["default"].base_model_name_or_path = model.name
    model.module, model.adapter = wrapped, True


# Files


def model_format(model: Seq2Seq) -> str:
    """The form that `save` gives it: “peft” or “transformers”."""
    return "peft" if model.adapter else "transformers"


def save(model: Seq2Seq, folder: Path) -> None:
    """Write the model (of a LoRA run, the adapter), its tokenizer, and how it writes."""
    model_files.write(model.module, model.bare, model.tokenizer, model.dropout, folder)


def load_saved(folder: Path, place: Device) -> Seq2Seq:
    """Load what `save` wrote, with what it must be told.

    Raises:
        RecipeError: `no-model`; or the adapter's base model cannot be had.
    """
    from transformers import AutoConfig, GenerationConfig

    if not (folder / "config.json").is_file():
        raise no_model(folder)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if not (folder / ADAPTER_FILE).is_file():
        model = load(str(folder), str(folder), place, Method(name="full"))
    else:
        from peft import PeftConfig, PeftModel

        name = str(PeftConfig.from_pretrained(folder).base_model_name_or_path)
        model = load(resolve(name, folder.parent), name, place, Method(name="lora"))
        model.tokenizer = tokenizer_of(str(folder))
        model.module = PeftModel.from_pretrained(model.module, folder).eval()
        model.adapter = True
    model.bare.generation_config = GenerationConfig.from_pretrained(folder)
    languages = getattr(config, "languages", None)
    tell(model, str(getattr(config, "prefix", None) or ""), (languages[0], languages[1]) if languages else None)
    return model
