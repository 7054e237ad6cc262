"""A tiny random language model with words of its own, and small conversations that can be learned."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

CAPITALS = {
    "france": "paris", "spain": "madrid", "italy": "rome", "japan": "tokyo", "egypt": "cairo", "peru": "lima",
    "cuba": "havana", "norway": "oslo", "austria": "vienna", "greece": "athens", "kenya": "nairobi",
    "chile": "santiago",
}  # fmt: skip
FILLER = [f"word{number}" for number in range(30)]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }} {{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant {% endif %}"
)


def tokenizer(chat: bool = True) -> Any:
    """Whole words of a closed vocabulary."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<unk>", "<eos>", "<|start|>", "<|end|>"]
    words = [*CAPITALS, *CAPITALS.values(), *FILLER]
    words += ["user", "assistant", "system", "User", "Assistant", ":", "capital", "of", "what", "is", "the", "?", "it"]
    vocabulary = {word: number for number, word in enumerate([*special, *dict.fromkeys(words)])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    found = PreTrainedTokenizerFast(
        tokenizer_object=made, model_max_length=128, pad_token="<pad>", unk_token="<unk>", eos_token="<eos>",
        additional_special_tokens=["<|start|>", "<|end|>"],
    )  # fmt: skip
    found.chat_template = CHAT_TEMPLATE if chat else None
    return found


def save(folder: Path, kind: str = "llama") -> Path:
    """A random model: "llama" with a chat template, "llama-plain" and "gpt2" without one."""
    import torch
    import transformers as t

    words = tokenizer(chat=kind == "llama")
    torch.manual_seed(0)
    common = {"vocab_size": len(words), "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0}
    common["initializer_range"] = 0.3  # scores that differ, or adapters would have nothing to turn
    if kind == "gpt2":
        model: Any = t.GPT2LMHeadModel(t.GPT2Config(**common, n_embd=32, n_layer=2, n_head=2, n_positions=128))
    else:
        config = t.LlamaConfig(
            **common, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
            intermediate_size=48, max_position_embeddings=128, tie_word_embeddings=True,
        )  # fmt: skip
        model = t.LlamaForCausalLM(config)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def rows(number: int, seed: int = 0) -> list[dict[str, Any]]:
    """Questions with some noise and the capital as the answer, as chat messages."""
    chance = random.Random(seed)
    found = []
    for _ in range(number):
        land = chance.choice(list(CAPITALS))
        noise = " ".join(chance.choice(FILLER) for _ in range(chance.randint(1, 6)))
        found.append({"question": f"{noise} what is the capital of {land} ?", "answer": f"it is {CAPITALS[land]}"})
    return found


def as_shape(shape: str, pairs: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows in one of the usual shapes, and the plan's columns for it."""
    if shape == "messages":
        made = [
            {"messages": [{"role": "user", "content": p["question"]}, {"role": "assistant", "content": p["answer"]}]}
            for p in pairs
        ]
        return made, {"messages": "messages"}
    if shape == "sharegpt":
        made = [
            {"conversations": [{"from": "human", "value": p["question"]}, {"from": "gpt", "value": p["answer"]}]}
            for p in pairs
        ]
        return made, {"messages": "conversations"}
    if shape == "alpaca":
        made = [{"instruction": p["question"], "input": "", "output": p["answer"]} for p in pairs]
        return made, {"prompt": ["instruction", "input"], "completion": "output"}
    if shape == "prompt":
        made = [{"prompt": p["question"], "completion": p["answer"]} for p in pairs]
        return made, {"prompt": "prompt", "completion": "completion"}
    if shape == "table":
        return pairs, {"question": "question", "answers": "answer"}
    return [{"text": f"{p['question']} {p['answer']}"} for p in pairs], {"text": "text"}
