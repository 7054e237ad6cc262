"""Speech models from files and back again, and which of their weights each method trains.

model = load(source, name, place, texts)      Whisper, or a model of letters that knows those of the transcripts
prepare(model, method, seed)                  which weights train
save(model, folder); load_saved(folder, place)
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recipes.parts import methods, model_files
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, cannot_load, no_model
from recipes.parts.model_files import ADAPTER_FILE
from recipes.parts.speech_models import (
    ROWS_A_BATCH,
    Letters,
    Sounds,
    SpeechModel,
    Whisper,
    is_upper,
    plain_letters,
)
from recipes.parts.starter import check_reachable, resolve
from recipes.plan import Method

ANOTHER_MODEL = "Choose Whisper (openai/whisper-tiny, -base, -small, …), wav2vec2, HuBERT or XLS-R."

#: SpecAugment as transformers does it: the share of the time, and of the bands, in pieces of so many.
HIDDEN_PARTS = {
    "apply_spec_augment": True, "mask_time_prob": 0.1, "mask_time_length": 20, "mask_feature_prob": 0.2,
    "mask_feature_length": 8,
}  # fmt: skip

# Loading


def load(source: str, name: str, place: Device, texts: Sequence[str] = (), *, no_dropout: bool = True) -> SpeechModel:
    """Load Whisper or a model of letters, in float32, in evaluation mode.

    Args:
        source: a local folder or a Hub id; safetensors only, no code of the repository is run.
        texts: transcripts whose letters a model of letters must know.

    Raises:
        RecipeError: `unsafe-weights`, `remote-code`, `hub-unreachable`, `model-not-usable`.
    """
    from transformers import AutoConfig

    check_reachable(source)
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    methods.check_weight_files(source, name)
    torch.manual_seed(0)  # new letters start alike in every run
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        dropout = methods.zero_dropout(config) if no_dropout and place.is_cpu else {}
        if getattr(config, "layerdrop", 0.0):
            config.layerdrop = 0.0  # skipped layers have no gradient, which several processes cannot agree on
        seq2seq = bool(getattr(config, "is_encoder_decoder", False))
        model = _load_whisper(source, name, config) if seq2seq else _load_letters(source, name, config, texts)
    except RecipeError:
        raise
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise cannot_load(name, error, " for writing down speech", ANOTHER_MODEL) from error
    model.dropout = dropout
    model.module.to(place.torch_device)
    model.module.eval()
    return model


def _load_whisper(source: str, name: str, config: Any) -> Whisper:
    from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

    if config.model_type != "whisper":
        raise RecipeError(
            "model-not-usable", f"“{name}” is of the kind {config.model_type}, which this recipe does not train.",
            "", ANOTHER_MODEL,
        )  # fmt: skip
    module = AutoModelForSpeechSeq2Seq.from_pretrained(
        source, config=config, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
    )
    processor = AutoProcessor.from_pretrained(source, trust_remote_code=False)
    generation = module.generation_config
    generation.max_length = None  # the number of new tokens is what limits it
    generation.forced_decoder_ids = None
    module.config.forced_decoder_ids = None
    if not _knows_languages(module):
        return Whisper(module, processor, name, "en")
    generation.task = "transcribe"
    language = getattr(generation, "language", None)
    model = Whisper(module, processor, name)
    if language:
        tell_language(model, str(language))
    return model


def _knows_languages(module: Any) -> bool:
    """Whether a Whisper writes more than English; older files say so by the size of the vocabulary alone."""
    return bool(getattr(module.generation_config, "is_multilingual", module.config.vocab_size >= 51_865))


def tell_language(model: SpeechModel, language: str) -> None:
    """From now on Whisper is told the language, while learning and while writing; saved with the model.

    Args:
        language: as Whisper writes it: “de”, or “<|de|>”.
    """
    code = language.strip("<|>")
    names = {str(token).strip("<|>") for token in (model.bare.generation_config.lang_to_id or {})}
    if code not in names:
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        code = TO_LANGUAGE_CODE.get(code.lower(), code)
    model.bare.generation_config.language = code
    model.bare.generation_config.task = "transcribe"
    model.processor.tokenizer.set_prefix_tokens(language=code, task="transcribe", predict_timestamps=False)
    model.language = code


def most_likely_language(model: Whisper, sounds: Sounds, rows: Sequence[int], place: Device) -> str:
    """The language that Whisper hears in most of some recordings, as “de”."""
    votes: Counter[str] = Counter()
    names = {int(number): str(token).strip("<|>") for token, number in model.bare.generation_config.lang_to_id.items()}
    with torch.inference_mode(), place.autocast():
        for start in range(0, len(rows), ROWS_A_BATCH):
            batch = model.inputs(sounds, rows[start : start + ROWS_A_BATCH])["input_features"]
            found = model.bare.detect_language(input_features=batch.to(place.torch_device))
            votes.update(names.get(int(number), "en") for number in found.flatten().tolist())
    return votes.most_common(1)[0][0]


def _load_letters(source: str, name: str, config: Any, texts: Sequence[str]) -> Letters:
    from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer, Wav2Vec2Processor

    extractor = AutoFeatureExtractor.from_pretrained(source, trust_remote_code=False)
    tokenizer: Any = None
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    known = _vocabulary(tokenizer)
    letters = _with_letters(known, texts)
    if letters != known:
        tokenizer = _tokenizer(letters)
    config.vocab_size, config.pad_token_id = len(letters), int(tokenizer.pad_token_id)
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    module, report = AutoModelForCTC.from_pretrained(
        source, config=config, dtype=torch.float32, use_safetensors=True, trust_remote_code=False,
        ignore_mismatched_sizes=True, output_loading_info=True,
    )  # fmt: skip
    mismatched = [key[0] if isinstance(key, (tuple, list)) else key for key in report.get("mismatched_keys", [])]
    lacking = [key for key in report.get("missing_keys", []) if "lm_head" not in key and "masked_spec" not in key]
    if lacking:
        raise RecipeError(
            "model-not-usable",
            f"The files of “{name}” lack {len(lacking)} weights that its configuration names, as {lacking[0]}.",
            "A pretrained model brings the weights of all its layers.",
            "Choose another base model, or mend the folder.",
        )
    if known and any("lm_head" in key for key in mismatched):
        _keep_known_letters(module, source, known, letters)
    return Letters(module, Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer), name)


def _vocabulary(tokenizer: Any) -> dict[str, int]:
    """The letters of a tokenizer for CTC; empty for another tokenizer, or none."""
    if tokenizer is None or not hasattr(tokenizer, "word_delimiter_token"):
        return {}
    return dict(tokenizer.get_vocab())


def _with_letters(known: dict[str, int], texts: Sequence[str]) -> dict[str, int]:
    """A vocabulary that holds every letter of the transcripts, the known ones in their places."""
    letters = known or {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4}
    upper = is_upper(letters)
    needed = sorted({character for text in texts for character in plain_letters(text, upper)} - {" "})
    lacking = [character for character in needed if character not in letters]
    return letters | {character: len(letters) + number for number, character in enumerate(lacking)}


def _tokenizer(letters: dict[str, int]) -> Any:
    from transformers import Wav2Vec2CTCTokenizer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.json"
        path.write_text(json.dumps(letters, ensure_ascii=False), encoding="utf-8")
        special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
        special = {role: token for role, token in special.items() if token in letters}
        if "[PAD]" in letters:
            special |= {"pad_token": "[PAD]", "unk_token": "[UNK]"}
        return Wav2Vec2CTCTokenizer(str(path), word_delimiter_token="|", **special)


def _keep_known_letters(module: Any, source: str, known: dict[str, int], letters: dict[str, int]) -> None:
    """Letters that the checkpoint could hear already keep their weights; new ones start near nothing."""
    from transformers import AutoModelForCTC

    old = AutoModelForCTC.from_pretrained(source, dtype=torch.float32, use_safetensors=True, trust_remote_code=False)
    with torch.no_grad():
        module.lm_head.weight.normal_(0.0, 0.02)
        module.lm_head.bias.fill_(float(old.lm_head.bias.min()))
        for letter, number in known.items():
            if number < old.lm_head.out_features:
                module.lm_head.weight[letters[letter]] = old.lm_head.weight[number]
                module.lm_head.bias[letters[letter]] = old.lm_head.bias[number]


# What trains


def prepare(model: SpeechModel, method: Method, seed: int) -> None:
    """Set what trains.

    Raises:
        RecipeError: `method-not-available`.
    """
    torch.manual_seed(seed)
    module = model.module
    for parameter in module.parameters():
        parameter.requires_grad_(method.name == "full")
    if method.name == "last_layers":
        for part in model.trained_parts(method.layers or 1):
            for parameter in part.parameters():
                parameter.requires_grad_(True)
    elif method.name == "lora":
        _add_adapters(model, method)
    elif method.name != "full":
        raise RecipeError(
            "method-not-available",
            f"The method {method.name} is not for speech: there is no new last layer that could be trained alone.",
            "Speech models are trained with lora (small adapters), last_layers (the last blocks) or full (all).",
            "Choose the method lora or full.",
        )
    for part in model.always_frozen():
        for parameter in part.parameters():
            parameter.requires_grad_(False)
    if hasattr(model.bare, "freeze_feature_encoder"):  # or a gradient of the waveform is computed all the same
        model.bare.freeze_feature_encoder()
    _freeze_unused(model)


def hide_parts(model: SpeechModel) -> None:
    """While it learns, pieces of each spectrogram are blank (SpecAugment), so that less is learned by heart."""
    if model.kind != "whisper":  # the others do so by their own configuration
        return
    for key, value in HIDDEN_PARTS.items():
        model.dropout[key] = getattr(model.bare.config, key)
        setattr(model.bare.config, key, value)


def _freeze_unused(model: SpeechModel) -> None:
    """Vectors that stand for masked sound train only where masking is on."""
    config = model.bare.config
    masked = getattr(model.bare.base_model, "masked_spec_embed", None)
    if masked is not None and not (config.mask_time_prob > 0 and getattr(config, "apply_spec_augment", True)):
        masked.requires_grad_(False)


def _add_adapters(model: SpeechModel, method: Method) -> None:
    """LoRA in every linear layer of every block, attention and feed-forward alike."""
    from peft import LoraConfig, get_peft_model

    names = {id(module): name for name, module in model.module.named_modules()}
    patterns = []
    for blocks in model.blocks():
        inner = sorted(
            {label for block in blocks for label, module in block.named_modules() if isinstance(module, nn.Linear)}
        )
        patterns.append(rf"{re.escape(names[id(blocks)])}\.\d+\.(?:{'|'.join(re.escape(label) for label in inner)})")
    rank = method.rank or 32
    config = LoraConfig(
        r=rank,
        lora_alpha=method.alpha or 2 * rank,
        lora_dropout=method.dropout or 0.0,
        target_modules="|".join(patterns),
        modules_to_save=["lm_head"] if model.kind == "ctc" else None,
    )
    wrapped = get_peft_model(model.module, config)
    wrapped.peft_config["default"].base_model_name_or_path = model.name
    model.module, model.adapter = wrapped, True


# Files


def save(model: SpeechModel, folder: Path) -> None:
    """Write the model (of a LoRA run, the adapter) and its processor, whole or not at all."""
    model_files.write(model.module, model.bare, model.processor, model.dropout, folder)


def load_saved(folder: Path, place: Device) -> SpeechModel:
    """Load what `save` wrote, in evaluation mode.

    Raises:
        RecipeError: `no-model`; or the adapter's base model cannot be had.
    """
    if not (folder / "config.json").is_file():
        raise no_model(folder)
    if not (folder / ADAPTER_FILE).is_file():
        return load(str(folder), str(folder), place)
    return _load_adapter(folder, place)


def _load_adapter(folder: Path, place: Device) -> SpeechModel:
    from peft import PeftConfig, PeftModel
    from transformers import AutoConfig, AutoModelForCTC, AutoModelForSpeechSeq2Seq, AutoProcessor, GenerationConfig

    name = str(PeftConfig.from_pretrained(folder).base_model_name_or_path)
    source = resolve(name, folder.parent)
    check_reachable(source)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    seq2seq = bool(getattr(config, "is_encoder_decoder", False))
    auto = AutoModelForSpeechSeq2Seq if seq2seq else AutoModelForCTC
    base = auto.from_pretrained(
        source, config=config, dtype=torch.float32, use_safetensors=True, trust_remote_code=False,
        ignore_mismatched_sizes=True,
    )  # fmt: skip
    processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    language = None
    if seq2seq:
        base.generation_config = GenerationConfig.from_pretrained(folder)
        language = base.generation_config.language if _knows_languages(base) else "en"
    module = PeftModel.from_pretrained(base, folder).to(place.torch_device).eval()
    model: SpeechModel = (Whisper if seq2seq else Letters)(module, processor, name, language)
    model.adapter = True
    return model


def model_format(model: SpeechModel) -> str:
    """The form that `save` gives it: “peft” or “transformers”."""
    return "peft" if model.adapter else "transformers"
