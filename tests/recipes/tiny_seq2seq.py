"""Tiny random encoder-decoder models (T5, BART, Marian) with words of their own, and short texts to learn from."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import tiny_language

LANDS = ("france", "spain", "japan", "egypt")
SIZES = {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2}


def rows(number: int, seed: int = 0) -> list[dict[str, Any]]:
    """Texts with a little noise that name a country, and the short text about its capital."""
    chance, found = random.Random(seed), []
    for _ in range(number):
        land = chance.choice(LANDS)
        noise = " ".join(chance.choice(tiny_language.FILLER) for _ in range(chance.randint(1, 3)))
        found.append({"long": f"{noise} the capital of {land} ?", "short": f"it is {tiny_language.CAPITALS[land]}"})
    return found


def tokenizer() -> Any:
    """Whole words of a closed vocabulary, and an end mark behind each text."""
    from tokenizers import processors

    found = tiny_language.tokenizer(chat=False)
    end = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 2)])
    found.backend_tokenizer.post_processor = end
    return found


def marian_tokenizer(folder: Path) -> Any:
    """Marian's own: pieces of both languages by SentencePiece, trained here, and one list of numbers for both."""
    import sentencepiece
    from transformers import MarianTokenizer

    sides = {"source": [row["long"] for row in rows(300)], "target": [row["short"] for row in rows(300)]}
    vocabulary = {"</s>": 0, "<unk>": 1}
    for side, texts in sides.items():
        (folder / f"{side}.txt").write_text("\n".join(texts), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / f"{side}.txt"), model_prefix=str(folder / side), vocab_size=80,
            hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        pieces = sentencepiece.SentencePieceProcessor(str(folder / f"{side}.spm"))
        for number in range(pieces.get_piece_size()):
            vocabulary.setdefault(pieces.id_to_piece(number), len(vocabulary))
    vocabulary["<pad>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    return MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"), model_max_length=64
    )


def save(folder: Path, kind: str) -> Path:
    """A random model of a kind, with its tokenizer, as a checkpoint would lie on the Hub."""
    import torch
    import transformers as t

    words = marian_tokenizer(folder) if kind == "marian" else tokenizer()
    torch.manual_seed(0)
    special = {"pad_token_id": words.pad_token_id, "eos_token_id": words.eos_token_id, "vocab_size": len(words)}
    model: Any
    if kind == "t5":
        told = {"summarization": {"prefix": "what is "}}  # words that the vocabulary holds
        model = t.T5ForConditionalGeneration(
            t.T5Config(
                **special, d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2, decoder_start_token_id=0,
                task_specific_params=told, initializer_factor=0.3,
            )
        )  # fmt: skip
    elif kind == "bart":
        sizes = {**SIZES, "d_model": 32, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 64}
        config = t.BartConfig(
            **special, **sizes, bos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2, init_std=0.2
        )
        model = t.BartForConditionalGeneration(config)
        model.generation_config.update(min_length=30, num_beams=4, no_repeat_ngram_size=3)  # as BART for news
    else:
        sizes = {**SIZES, "d_model": 32, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 64}
        start = words.pad_token_id
        config = t.MarianConfig(**special, **sizes, decoder_start_token_id=start, bad_words_ids=[[start]], init_std=0.2)
        model = t.MarianMTModel(config)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
