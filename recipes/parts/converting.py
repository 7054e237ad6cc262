"""The starters' weights, from the form that their packages hold into folders that plain transformers loads.

convert("whisper-tiny-en", {"model/model.bin": path, …}, folder)    config.json, model.safetensors, what reads inputs

Only data are read: safetensors, GGUF, CTranslate2's plain layout, and `.pth` files with `weights_only=True`.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipes.parts.errors import RecipeError

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
Files = Mapping[str, Path]


def convert(name: str, files: Files, folder: Path) -> None:
    """Write the model of a starter.

    Args:
        files: what was unpacked of the package, by path below it.
        folder: exists, and is empty.

    Raises:
        KeyError: there is no such starter. RecipeError: `starter-damaged`, the file does not hold what it should.
    """
    try:
        _CONVERTERS[name](files, folder)
    except (AssertionError, ValueError, struct.error, RuntimeError) as error:
        raise RecipeError(
            "starter-damaged", f"The weights of {name} could not be read: {str(error)[:200]}", "",
            "Get the starter anew; if it happens again, choose another base model.",
        ) from error  # fmt: skip


def save_weights(model: Any, folder: Path) -> None:
    """A model's weights as safetensors, tied ones once, with its configuration."""
    model.save_pretrained(folder, safe_serialization=True, max_shard_size="10GB")


def _copied(files: Files, folder: Path) -> None:
    """A package that holds the model as transformers loads it."""
    for name, path in files.items():
        target = folder / name.partition("/")[2]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


# ---------------------------------------------------------------- pictures


def _mobilenet(files: Files, folder: Path) -> None:
    from torchvision.models import get_weight
    from transformers import MobileNetV2Config, MobileNetV2ForImageClassification, MobileNetV2ImageProcessor

    state = _pth(next(iter(files.values())))
    names = get_weight("MobileNet_V2_Weights.IMAGENET1K_V1").meta["categories"]
    config = MobileNetV2Config(
        num_labels=len(names), id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)},
        image_size=224, tf_padding=False, layer_norm_eps=1e-5, hidden_act="relu6", finegrained_output=True,
        first_layer_is_expansion=True, classifier_dropout_prob=0.2,
    )  # fmt: skip
    model = MobileNetV2ForImageClassification(config)
    model.load_state_dict(_in_the_order_of(state, model.state_dict()), strict=True)
    save_weights(model, folder)
    # As in torchvision: the shorter side becomes 256, the middle 224 are taken.
    MobileNetV2ImageProcessor(
        do_resize=True, size={"shortest_edge": 256}, resample=2, do_center_crop=True,
        crop_size={"height": 224, "width": 224}, do_rescale=True, rescale_factor=1 / 255, do_normalize=True,
        image_mean=IMAGENET_MEAN, image_std=IMAGENET_STD,
    ).save_pretrained(folder)  # fmt: skip


def _efficientnet(files: Files, folder: Path) -> None:
    """In the form of timm, which transformers loads by its TimmWrapper where timm is installed."""
    import timm
    from safetensors.torch import save_file

    name = "tf_efficientnet_lite0"
    model = timm.create_model(name, pretrained=False)
    model.load_state_dict(_in_the_order_of(_pth(next(iter(files.values()))), model.state_dict()), strict=True)
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    looks = {
        "tag": "in1k", "custom_load": False, "input_size": [3, 224, 224], "fixed_input_size": False,
        "num_classes": 1000, "pool_size": [7, 7], "license": "apache-2.0", "mean": [0.498] * 3, "std": [0.502] * 3,
        "interpolation": "bicubic", "crop_pct": 0.875, "crop_mode": "center", "first_conv": "conv_stem",
        "classifier": "classifier",
    }  # fmt: skip
    config = {
        "architecture": name, "num_classes": 1000, "num_features": model.num_features, "global_pool": "avg",
        "pretrained_cfg": looks,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def _pth(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a `.pth` file; anything but weights in it is refused by torch."""
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _in_the_order_of(state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same layers in the same order under other names; every shape and kind of weight is compared."""
    if len(state) != len(wanted):
        raise ValueError(f"{len(state)} weights, {len(wanted)} expected")
    renamed = {}
    for (old, value), (new, like) in zip(state.items(), wanted.items(), strict=True):
        if value.shape != like.shape or old.rpartition(".")[2] != new.rpartition(".")[2]:
            raise ValueError(f"{old} {tuple(value.shape)} is not {new} {tuple(like.shape)}")
        renamed[new] = value.contiguous()
    return renamed


# ---------------------------------------------------------------- speech


def _whisper(files: Files, folder: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperProcessor
    from transformers import WhisperTokenizerFast as Fast

    variables = ctranslate2_variables(files["model/model.bin"])
    tokenizer = Tokenizer.from_file(str(files["model/tokenizer.json"]))
    config = _whisper_config(variables, tokenizer)
    model = WhisperForConditionalGeneration(config)
    model.load_state_dict(_whisper_weights(variables), strict=True)
    model.tie_weights()
    asides = json.loads(files["model/config.json"].read_text(encoding="utf-8"))
    model.generation_config = _whisper_generation(config, tokenizer, asides)
    save_weights(model, folder)
    end = "<|endoftext|>"
    fast = Fast(
        tokenizer_object=tokenizer, bos_token=end, eos_token=end, pad_token=end, unk_token=end, model_max_length=1024,
        add_prefix_space=False, clean_up_tokenization_spaces=False,
    )  # fmt: skip
    features = WhisperFeatureExtractor(feature_size=config.num_mel_bins, sampling_rate=16000)
    WhisperProcessor(features, fast).save_pretrained(folder)


def _whisper_config(variables: Mapping[str, Any], tokenizer: Any) -> Any:
    from transformers import WhisperConfig

    vocabulary, width = variables["decoder/embeddings/weight"].shape
    heads = int(variables["encoder/num_heads"]) if "encoder/num_heads" in variables else width // 64
    end, begin = tokenizer.token_to_id("<|endoftext|>"), tokenizer.token_to_id("<|startoftranscript|>")
    return WhisperConfig(
        vocab_size=vocabulary, d_model=width, num_mel_bins=variables["encoder/conv1/weight"].shape[1],
        encoder_layers=_layers(variables, "encoder"), decoder_layers=_layers(variables, "decoder"),
        encoder_attention_heads=heads, decoder_attention_heads=heads,
        encoder_ffn_dim=variables["encoder/layer_0/ffn/linear_0/weight"].shape[0],
        decoder_ffn_dim=variables["decoder/layer_0/ffn/linear_0/weight"].shape[0],
        max_source_positions=variables["encoder/position_encodings/encodings"].shape[0],
        max_target_positions=variables["decoder/position_encodings/encodings"].shape[0],
        bos_token_id=begin, eos_token_id=end, pad_token_id=end, decoder_start_token_id=begin,
        dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, activation_function="gelu",
        scale_embedding=False, tie_word_embeddings=True,
    )  # fmt: skip


def _layers(variables: Mapping[str, Any], side: str) -> int:
    count = 0
    while f"{side}/layer_{count}/ffn/linear_0/weight" in variables:
        count += 1
    return count


def _whisper_generation(config: Any, tokenizer: Any, asides: Mapping[str, Any]) -> Any:
    """How the English-only Whisper writes: no time stamps, and the tokens that it must not begin with."""
    from transformers import GenerationConfig

    no_times = tokenizer.token_to_id("<|notimestamps|>")
    return GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id,
        decoder_start_token_id=config.decoder_start_token_id, suppress_tokens=asides["suppress_ids"],
        begin_suppress_tokens=asides["suppress_ids_begin"], alignment_heads=asides.get("alignment_heads"),
        max_length=config.max_target_positions, max_initial_timestamp_index=50, no_timestamps_token_id=no_times,
        prev_sot_token_id=tokenizer.token_to_id("<|startofprev|>"), return_timestamps=False, is_multilingual=False,
        forced_decoder_ids=[[1, no_times]],
    )  # fmt: skip


def _whisper_weights(variables: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """CTranslate2's variables under transformers' names; projections that it joined are parted again."""
    state: dict[str, torch.Tensor] = {}

    def put(name: str, array: Any) -> None:
        state[name] = torch.from_numpy(np.ascontiguousarray(array.astype(np.float32)))

    def linear(source: str, target: str, parts: list[str]) -> None:
        weights = np.split(variables[f"{source}/weight"], len(parts))
        biases = np.split(variables[f"{source}/bias"], len(parts))
        for part, weight, bias in zip(parts, weights, biases, strict=True):
            put(f"{target}.{part}.weight", weight)
            if part != "k_proj":  # Whisper's keys have no bias
                put(f"{target}.{part}.bias", bias)
            elif np.any(bias):
                raise ValueError("a bias of the keys, where Whisper has none")

    def norm(source: str, target: str) -> None:
        put(f"{target}.weight", variables[f"{source}/gamma"])
        put(f"{target}.bias", variables[f"{source}/beta"])

    for part in ("conv1", "conv2"):
        for kind in ("weight", "bias"):
            put(f"model.encoder.{part}.{kind}", variables[f"encoder/{part}/{kind}"])
    for side in ("encoder", "decoder"):
        put(f"model.{side}.embed_positions.weight", variables[f"{side}/position_encodings/encodings"])
        norm(f"{side}/layer_norm", f"model.{side}.layer_norm")
        for number in range(_layers(variables, side)):
            source, target = f"{side}/layer_{number}", f"model.{side}.layers.{number}"
            linear(f"{source}/self_attention/linear_0", f"{target}.self_attn", ["q_proj", "k_proj", "v_proj"])
            linear(f"{source}/self_attention/linear_1", f"{target}.self_attn", ["out_proj"])
            norm(f"{source}/self_attention/layer_norm", f"{target}.self_attn_layer_norm")
            if side == "decoder":
                linear(f"{source}/attention/linear_0", f"{target}.encoder_attn", ["q_proj"])
                linear(f"{source}/attention/linear_1", f"{target}.encoder_attn", ["k_proj", "v_proj"])
                linear(f"{source}/attention/linear_2", f"{target}.encoder_attn", ["out_proj"])
                norm(f"{source}/attention/layer_norm", f"{target}.encoder_attn_layer_norm")
            linear(f"{source}/ffn/linear_0", target, ["fc1"])
            linear(f"{source}/ffn/linear_1", target, ["fc2"])
            norm(f"{source}/ffn/layer_norm", f"{target}.final_layer_norm")
    put("model.decoder.embed_tokens.weight", variables["decoder/embeddings/weight"])
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    return state


def ctranslate2_variables(path: Path) -> dict[str, Any]:
    """The arrays of a CTranslate2 `model.bin`, binary version 5 or 6, by name.

    Layout (little-endian): u32 version; text specification; u32 revision; u32 count; each variable: text name, u8
    dimensions, u32 each, u8 type, u32 bytes, data; u32 aliases; each: text alias, text variable. A text is its u16
    length with the closing zero, then the bytes.
    """
    data = memoryview(path.read_bytes())
    position = 0
    types = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}

    def number(kind: str) -> int:
        nonlocal position
        (value,) = struct.unpack_from(f"<{kind}", data, position)
        position += struct.calcsize(kind)
        return int(value)

    def text() -> str:
        nonlocal position
        length = number("H")
        found = bytes(data[position : position + length - 1]).decode("utf-8")
        position += length
        return found

    version = number("I")
    if version not in (5, 6):
        raise ValueError(f"model.bin has the binary version {version}; 5 or 6 are known")
    text(), number("I")
    variables: dict[str, Any] = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = number("B"), number("I")
        variables[name] = np.frombuffer(data[position : position + size], types[kind]).reshape(shape)
        position += size
    for _ in range(number("I")):
        alias, target = text(), text()
        variables[alias] = variables[target]
    if position != len(data):
        raise ValueError("model.bin is longer than what it lists")
    return variables


# ---------------------------------------------------------------- language


def _smollm(files: Files, folder: Path) -> None:
    """SmolLM2 from its GGUF file: transformers reads the weights; the tokenizer is built from the file's own lists.

    The tokenizer that transformers derives from a GGUF file leaves out SmolLM2's rule that digits stand alone.
    """
    import transformers
    from transformers import AutoModelForCausalLM, GenerationConfig

    path = next(iter(files.values()))
    # Newer versions keep a GGUF file's weights packed unless they are told not to.
    packed = hasattr(transformers, "GgufConfig")
    options = {"quantization_config": transformers.GgufConfig(dequantize=True)} if packed else {}
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32, **options)
    model = _unpacked(model)
    fields = _gguf_fields(path)
    ends = {
        "bos_token_id": int(fields["tokenizer.ggml.bos_token_id"]),
        "eos_token_id": int(fields["tokenizer.ggml.eos_token_id"]),
        "pad_token_id": int(fields["tokenizer.ggml.padding_token_id"]),
    }
    for key, value in ends.items():
        setattr(model.config, key, value)
    model.generation_config = GenerationConfig(**ends)
    save_weights(model, folder)
    tokenizer = _smollm_tokenizer(fields)
    tokenizer.save_pretrained(folder)


def _unpacked(model: Any) -> Any:
    """The model as if it had never been quantized: plain bfloat16 weights of the same class."""
    config = type(model.config).from_dict(model.config.to_dict())
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config._name_or_path = ""
    config.rms_norm_eps = float(f"{config.rms_norm_eps:.1e}")  # 1e-5, which the file holds in 32 bits
    config.dtype = torch.bfloat16
    plain = type(model)(config).to(torch.bfloat16)
    plain.load_state_dict(model.state_dict(), strict=True)
    return plain


def _gguf_fields(path: Path) -> dict[str, Any]:
    from gguf import GGUFReader

    return {key: field.contents() for key, field in GGUFReader(str(path)).fields.items()}


def _smollm_tokenizer(fields: Mapping[str, Any]) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokens, kinds = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    inner = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.ByteLevel(trim_offsets=True)
    control = 3  # GGUF's type of a token that is no text
    special = [
        AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, kinds, strict=True) if k == control
    ]
    inner.add_special_tokens(special)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=tokens[fields["tokenizer.ggml.bos_token_id"]],
        eos_token=tokens[fields["tokenizer.ggml.eos_token_id"]],
        pad_token=tokens[fields["tokenizer.ggml.padding_token_id"]],
        unk_token=tokens[fields["tokenizer.ggml.unknown_token_id"]],
        model_max_length=int(fields["llama.context_length"]),
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = fields["tokenizer.chat_template"]
    return fast


_CONVERTERS: dict[str, Callable[[Files, Path], None]] = {
    "minilm": _copied,
    "efficientnet-lite0": _efficientnet,
    "mobilenetv2": _mobilenet,
    "whisper-tiny-en": _whisper,
    "smollm2": _smollm,
}
