"""The model's card: figures as in the result, none of the person's rows, and code lines that really run."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipes.events import Candidate, ClassFigures, Interval, Mistake, Result, Verdict
from recipes.parts.card import model_card, usage
from recipes.plan import Data, Method, Output, Plan, Training

LABELS = ["ham", "spam"]
SECRET = "Dear Ms Example, your account 4711 is overdrawn"


def plan_of(**changes: Any) -> Plan:
    return Plan(
        task="text-classification",
        problem="single_label_classification",
        base_model="minilm",
        method=Method(name="full"),
        data=Data(
            source="data/train.jsonl", name="letters of Ms Example.csv", columns={"text": "body", "label": "kind"}
        ),
        training=Training(epochs=3, learning_rate=5e-5, batch_size=32, max_length=128),
        output=Output(),
    ).changed(changes)


def result_of(**changes: Any) -> Result:
    fields: dict[str, Any] = {
        "task": "text-classification",
        "base_model": "minilm",
        "method": {"name": "full"},
        "problem": "single_label_classification",
        "rows": {"train": 2400, "validation": 600, "test": 800},
        "metrics": {"accuracy": Interval(value=0.97125, low=0.957, high=0.981), "roc_auc": Interval(value=0.99)},
        "baselines": {"word_counts": {"accuracy": Interval(value=0.9625, low=0.947, high=0.973)}},
        "verdict": Verdict(code="same", text="On 800 texts it never saw, 97.1 % are right."),
        "trainable_parameters": 22_000_000,
        "total_parameters": 22_713_728,
        "seconds": {"total": 81.4},
        "peak_bytes": {"predicted": None, "measured": 2**30},
        "environment": {"torch": "2.14.1", "device": "cpu"},
        "data_sha256": "ab" * 32,
        "seed": 42,
        "metric": "accuracy",
        "labels": LABELS,
        "classes": [
            ClassFigures(label="ham", rows=577, precision=Interval(value=0.98, low=0.96, high=0.99), f1=0.981),
            ClassFigures(label="spam", rows=5),
        ],
        "mistakes": [Mistake(row=3, input=SECRET, expected="ham", predicted="spam", confidence=0.99)],
        "candidates": [
            Candidate(name="head", metric="accuracy", value=0.95),
            Candidate(name="full", metric="accuracy", value=0.97, chosen=True),
        ],
        "notes": [SECRET],
        "model_format": "transformers",
    }
    return Result(**{**fields, **changes})


def front_matter(card: str) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(card.split("---")[1])
    return tree


def test_the_front_matter_is_what_the_hub_reads() -> None:
    tree = front_matter(model_card(plan_of(), result_of()))
    assert tree["library_name"] == "transformers"
    assert tree["pipeline_tag"] == "text-classification"
    assert tree["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert tree["license"] == "apache-2.0"
    entry = tree["model-index"][0]["results"][0]
    assert entry["metrics"][0]["type"] == "accuracy"
    assert entry["metrics"][0]["value"] == 0.97125


def test_an_adapter_says_so_and_an_unknown_licence_points_to_the_base() -> None:
    plan = plan_of(**{"base_model": "someone/encoder", "method.name": "lora", "method.rank": 8})
    tree = front_matter(model_card(plan, result_of(method={"name": "lora"}, candidates=None, model_format="peft")))
    assert tree["library_name"] == "peft"
    assert tree["base_model_relation"] == "adapter"
    assert tree["license"] == "other"
    assert tree["license_link"] == "https://huggingface.co/someone/encoder"
    assert "lora" in tree["tags"]


def test_a_given_licence_is_inherited() -> None:
    assert front_matter(model_card(plan_of(base_model="a/b"), result_of(), "mit"))["license"] == "mit"


def test_a_local_base_model_does_not_show_its_path() -> None:
    card = model_card(plan_of(base_model="/home/someone/models/encoder"), result_of(model_format="peft"))
    assert "/home/someone" not in card
    assert "base_model" not in front_matter(card)


def test_every_figure_of_the_result_stands_in_the_card() -> None:
    card = model_card(plan_of(), result_of())
    assert "97.1 % (95.7–98.1)" in card
    assert "| counting words | 96.2 % (94.7–97.3) | – |" in card
    assert "| ham | 577 | 98.0 % (96.0–99.0) | – | 98.1 % |" in card
    assert "2,400 rows to learn from, 600 to steer the training, 800 for the figures above" in card
    assert "22,000,000 of 22,713,728 weights" in card
    assert "81 seconds" in card and "1.00 GiB" in card
    assert "accuracy 97.0 % (kept)" in card


def test_it_holds_no_row_and_no_file_name_of_the_person() -> None:
    card = model_card(plan_of(), result_of())
    assert "4711" not in card
    assert "Ms Example" not in card


def test_limits_name_what_was_not_shown() -> None:
    card = model_card(plan_of(), result_of())
    assert "not shown to be better" in card
    assert "Fewer than 10 test rows stand behind the figures of `spam`" in card
    assert "first 128 tokens" in card


def test_hostile_labels_cannot_break_the_card() -> None:
    labels = ["a|b", "<img src=x onerror=alert(1)>\n# h", "---\nlicense: evil"]
    classes = [ClassFigures(label=label, rows=50) for label in labels]
    card = model_card(plan_of(), result_of(labels=labels, classes=classes))
    assert "<img" not in card
    assert "\n# h" not in card
    tree = front_matter(card)
    assert tree["license"] == "apache-2.0"
    rows = [line for line in card.splitlines() if line.count("|") == 6]
    assert len(rows) == 2 + len(labels)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer BERT with random weights and a word tokenizer, as a base model on disk."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("base") / "tiny"
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "put", "your", "text", "here"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=6, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, id2label={0: "ham", 1: "spam"}, label2id={"ham": 0, "spam": 1},
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


# PEFT 0.21 asks transformers 5.23 for a name that it is about to lose.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("transformers", "single_label_classification"),
        ("transformers+head", "single_label_classification"),
        ("peft", "single_label_classification"),
        ("peft+head", "single_label_classification"),
        ("transformers", "multi_label_classification"),
        ("peft+head", "multi_label_classification"),
        ("transformers+head", "regression"),
    ],
)
def test_the_lines_of_the_card_run(
    kind: str, problem: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = write_model(kind, tiny, tmp_path / "model")
    plan = plan_of(base_model=str(tiny), problem=problem)
    card = model_card(plan, result_of(model_format=kind, problem=problem))
    block = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert block is not None
    (tmp_path / "model" / "tiny").symlink_to(tiny)  # where the lines look for a base model that is not on the Hub
    monkeypatch.chdir(tmp_path / "model")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block[1], {})
    answer = ast.literal_eval(printed.getvalue().strip())
    if problem == "single_label_classification":
        assert answer == [LABELS[int(expected.argmax())]]
    elif problem == "multi_label_classification":
        assert answer == [[LABELS[i] for i in (expected[0] > 0).nonzero().flatten().tolist()]]
    else:
        assert answer == pytest.approx([float(expected[0, 0])], abs=1e-5)


def write_model(kind: str, tiny: Path, folder: Path) -> Any:
    """A model in one of the saved forms; returns its logits for the card's text, shape (1, 2)."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model
    from safetensors.torch import save_file
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

    with_head, adapter = kind.endswith("+head"), kind.startswith("peft")
    torch.manual_seed(3)
    auto = AutoModel if with_head else AutoModelForSequenceClassification
    model = auto.from_pretrained(tiny)
    config = model.config
    if adapter:
        task = TaskType.FEATURE_EXTRACTION if with_head else TaskType.SEQ_CLS
        model = get_peft_model(model, LoraConfig(task_type=task, r=4, target_modules=["query", "value"]))
        for name, value in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(value)  # a fresh adapter changes nothing: give it something to say
    model.eval().save_pretrained(folder)
    config.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.save_pretrained(folder)
    inputs = tokenizer(["Put your text here."], return_tensors="pt")
    with torch.no_grad():
        if not with_head:
            return model(**inputs).logits
        weight, bias = torch.randn(2, 16), torch.randn(2)
        save_file({"weight": weight, "bias": bias}, folder / "classification_head.safetensors")
        return model(**inputs).last_hidden_state.mean(1) @ weight.T + bias


def test_the_lines_name_the_repository_that_it_is_published_to() -> None:
    assert 'snapshot_download("me/spam")' in usage(plan_of(**{"output.publish": "me/spam"}), result_of())
