"""Tiny speech models and recordings made of tones: each word is a pitch. Nothing is downloaded."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from recipes.plan import Plan

RATE = 16_000
PITCHES = {"bad": 300, "gone": 600, "high": 1200, "keel": 2400, "mop": 4000}
WORD_SECONDS = 0.16
SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}


def tones(words: list[str], chance: random.Random, rate: int = RATE) -> np.ndarray[Any, Any]:
    """Words as pitches with pauses between them, a little noise over all."""
    time = np.arange(int(WORD_SECONDS * rate)) / rate
    envelope = np.minimum(1.0, 20 * np.minimum(time, WORD_SECONDS - time))
    pieces = []
    for word in words:
        pitch = PITCHES[word] * (1 + 0.01 * chance.uniform(-1, 1))
        pieces += [0.5 * envelope * np.sin(2 * np.pi * pitch * time), np.zeros(rate // 50)]
    sound = np.concatenate(pieces)
    noise = np.random.default_rng(chance.randrange(10**6)).normal(size=len(sound))
    return np.asarray(sound + 0.002 * noise, dtype=np.float32)


def write_clips(folder: Path, count: int, seed: int = 0, words: int = 3, rate: int = RATE) -> list[dict[str, Any]]:
    """Recordings in `folder`/data/media, and their rows."""
    chance = random.Random(seed)
    media = folder / "data" / "media"
    media.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        said = [chance.choice(list(PITCHES)) for _ in range(chance.randint(1, words))]
        name = f"data/media/{seed}-{number}.wav"
        soundfile.write(folder / name, tones(said, chance, rate), rate)
        rows.append({"clip": name, "said": " ".join(said).capitalize() + ".", "who": f"voice {number % 4}"})
    return rows


def save_tiny_whisper(folder: Path) -> Path:
    """A random Whisper that hears two seconds."""
    import transformers as t
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    special = ["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*letters, *special])}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = t.WhisperTokenizer(
        tokenizer_object=backend, bos_token=special[0], eos_token=special[0], unk_token=special[0], pad_token=special[0]
    )
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    start, plain, end = (tokenizer.convert_tokens_to_ids(each) for each in (special[1], special[2], special[0]))
    torch.manual_seed(0)
    config = t.WhisperConfig(
        vocab_size=len(tokenizer), num_mel_bins=20, d_model=32, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        max_source_positions=100, max_target_positions=64, pad_token_id=end, bos_token_id=end, eos_token_id=end,
        decoder_start_token_id=start, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    model = t.WhisperForConditionalGeneration(config)
    model.generation_config.update(
        is_multilingual=False, no_timestamps_token_id=plain, forced_decoder_ids=None, max_length=64
    )
    extractor = t.WhisperFeatureExtractor(feature_size=20, chunk_length=2)
    model.save_pretrained(folder)
    t.WhisperProcessor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def save_tiny_wav2vec2(folder: Path) -> Path:
    """A random wav2vec 2.0 as it comes from pretraining: it knows no letters."""
    import transformers as t

    torch.manual_seed(0)
    config = t.Wav2Vec2Config(
        **SIZES, conv_dim=(32, 32, 32), conv_stride=(10, 8, 4), conv_kernel=(20, 16, 8), num_feat_extract_layers=3,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, mask_time_prob=0.0, layerdrop=0.0,
    )  # fmt: skip
    t.Wav2Vec2Model(config).save_pretrained(folder)
    t.Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    return folder


def speech_plan(folder: Path, model: Path, method: str, rows: list[dict[str, Any]], **changes: Any) -> Path:
    """A plan that is ready to run, in a folder of its own."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "data" / "train.jsonl").write_text(text, encoding="utf-8")
    settings = {
        "task": "automatic-speech-recognition",
        "base_model": str(model),
        "method.name": method,
        "method.layers": 1 if method == "last_layers" else None,
        "method.rank": 8 if method == "lora" else None,
        "data.source": "data/train.jsonl",
        "data.columns.audio": "clip",
        "data.columns.transcript": "said",
        "training.epochs": 2,
        "training.learning_rate": 3e-3,
        "training.batch_size": 16,
        "compute.precision": "float32",
        "evaluation.test_fraction": 0.3,
    }
    plan = Plan().changed({**settings, **{path.replace("__", "."): value for path, value in changes.items()}})
    plan.save(folder / "plan.json")
    return folder / "plan.json"
