"""Tiny real models and small learnable data, made anew for each test session; nothing is downloaded."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipes.events import Result, read_events
from recipes.plan import Plan
from tests.recipes.alike_runs import make_scored
from tests.recipes.picture_runs import make_pictures, save_tiny_vision
from tests.recipes.span_runs import make_questions
from tests.recipes.tag_runs import make_sentences

WORDS = [f"word{number}" for number in range(60)]
KINDS = {"fruit": ["apple", "pear", "plum"], "metal": ["iron", "gold", "zinc"], "cloth": ["silk", "wool", "jute"]}
SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48}


def tiny_tokenizer() -> Any:
    """Whole words of a closed vocabulary, with the special tokens of BERT."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = special + WORDS + [word for kind in KINDS.values() for word in kind]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names)


def save_tiny(folder: Path, kind: str) -> Path:
    """A random encoder of a kind, as a masked language model's checkpoint would lie on the Hub."""
    import torch
    import transformers as t

    tokenizer = tiny_tokenizer()
    common = {**SIZES, "vocab_size": len(tokenizer), "pad_token_id": 0, "max_position_embeddings": 66}
    torch.manual_seed(0)
    model: Any
    if kind == "bert":
        model = t.BertModel(t.BertConfig(**common))
    elif kind == "bert-mlm":  # a checkpoint without a pooler
        model = t.BertForMaskedLM(t.BertConfig(**common))
    elif kind == "roberta":
        model = t.RobertaForMaskedLM(t.RobertaConfig(**common, bos_token_id=2, eos_token_id=3))
    elif kind == "distilbert":
        sizes = {"dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 48}
        model = t.DistilBertForMaskedLM(
            t.DistilBertConfig(**sizes, vocab_size=len(tokenizer), max_position_embeddings=66)
        )
    elif kind == "modernbert":
        special = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
        model = t.ModernBertForMaskedLM(t.ModernBertConfig(**common, **special))
    elif kind == "deberta":
        config = t.DebertaV2Config(
            **common,
            relative_attention=True,
            pos_att_type=["p2c", "c2p"],
            position_buckets=8,
            norm_rel_ebd="layer_norm",
        )
        model = t.DebertaV2Model(config)
    else:
        raise ValueError(kind)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """tiny("bert") -> a folder with a tiny model of that kind, made once."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = save_tiny(tmp_path_factory.mktemp(kind), kind)
        return made[kind]

    return get


@pytest.fixture(scope="session")
def tiny_vision(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """tiny_vision("vit") -> a folder with a tiny vision model of that kind, made once."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = save_tiny_vision(tmp_path_factory.mktemp(kind), kind)
        return made[kind]

    return get


def make_rows(count: int, problem: str, seed: int = 0) -> list[dict[str, Any]]:
    """Texts of filler words and words of a kind; the kinds are the labels, or their number is."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        kinds = chance.sample(sorted(KINDS), chance.randint(0, 3) if problem != "single_label_classification" else 1)
        words = [chance.choice(WORDS) for _ in range(chance.randint(2, 6))]
        words += [chance.choice(KINDS[kind]) for kind in kinds for _ in range(3)]
        chance.shuffle(words)
        label: Any = kinds[0] if problem == "single_label_classification" else kinds
        if problem == "regression":
            label = float(len(kinds)) * 2.5 + chance.random() * 0.1
        rows.append({"text": " ".join(words), "label": label, "number": number})
    return rows


@pytest.fixture
def new_run(tmp_path: Path, tiny: Callable[[str], Path]) -> Callable[..., Path]:
    """new_run(method, problem, **{dotted path: value}) -> the path of a plan that is ready to run."""

    def make(
        method: str = "head", problem: str = "single_label_classification", *, rows: int = 160, name: str = "run",
        kind: str = "bert", **changes: Any,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "runs" / name
        (folder / "data").mkdir(parents=True)
        write_rows(folder / "data" / "train.jsonl", make_rows(rows, problem))
        settings = {
            "task": "text-classification",
            "problem": problem,
            "base_model": str(tiny(kind)),
            "method.name": method,
            "method.layers": 1 if method == "last_layers" else None,
            "method.rank": 4 if method in ("lora", "qlora") else None,
            "data.source": "data/train.jsonl",
            "data.columns.text": "text",
            "data.columns.label": "label",
            "training.epochs": 2,
            "training.learning_rate": 1e-3,
            "training.batch_size": 16,
            "training.max_length": 32,
            "compute.precision": "float32",
            "evaluation.validation_fraction": 0.25,
        }
        plan = Plan().changed({**settings, **{path.replace("__", "."): value for path, value in changes.items()}})
        plan.save(folder / "plan.json")
        return folder / "plan.json"

    return make


@pytest.fixture
def new_picture_run(tmp_path: Path, tiny_vision: Callable[[str], Path]) -> Callable[..., Path]:
    """new_picture_run(method, problem, **{dotted path: value}) -> the path of a plan for pictures."""

    def make(
        method: str = "head", problem: str = "single_label_classification", *, rows: int = 160, name: str = "run",
        kind: str = "vit", **changes: Any,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "runs" / name
        (folder / "data").mkdir(parents=True)
        write_rows(folder / "data" / "train.jsonl", make_pictures(folder / "data" / "media", rows, problem))
        settings = {
            "task": "image-classification",
            "problem": problem,
            "base_model": str(tiny_vision(kind)),
            "method.name": method,
            "method.layers": 1 if method == "last_layers" else None,
            "method.rank": 4 if method in ("lora", "qlora") else None,
            "data.source": "data/train.jsonl",
            "data.columns.image": "image",
            "data.columns.label": "label",
            "training.epochs": 2,
            "training.learning_rate": 1e-3,
            "training.batch_size": 16,
            "compute.precision": "float32",
            "evaluation.validation_fraction": 0.25,
            "evaluation.baselines": ("majority", "picture_statistics", "nearest_centroid"),
        }
        plan = Plan().changed({**settings, **{path.replace("__", "."): value for path, value in changes.items()}})
        plan.save(folder / "plan.json")
        return folder / "plan.json"

    return make


@pytest.fixture
def new_tag_run(tmp_path: Path, tiny: Callable[[str], Path]) -> Callable[..., Path]:
    """new_tag_run(method, **{dotted path: value}) -> the path of a plan for tagged sentences."""

    def make(
        method: str = "head", problem: None = None, *, rows: int = 160, name: str = "run", kind: str = "bert",
        sentences: list[dict[str, Any]] | None = None, **changes: Any,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "runs" / name
        columns = {"tokens": "tokens", "tags": "tags"}
        return write_run(
            folder,
            "token-classification",
            sentences or make_sentences(rows, KINDS, WORDS[:12]),
            columns,
            str(tiny(kind)),
            method,
            problem=problem,
            **changes,
        )

    return make


@pytest.fixture
def new_span_run(tmp_path: Path, tiny: Callable[[str], Path]) -> Callable[..., Path]:
    """new_span_run(method, **{dotted path: value}) -> the path of a plan for questions with their texts."""

    def make(
        method: str = "head", problem: None = None, *, rows: int = 160, name: str = "run", kind: str = "bert",
        questions: list[dict[str, Any]] | None = None, **changes: Any,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "runs" / name
        columns = {"question": "question", "context": "context", "answers": "answers"}
        return write_run(
            folder,
            "question-answering",
            questions or make_questions(rows, KINDS, WORDS[:12]),
            columns,
            str(tiny(kind)),
            method,
            problem=problem,
            **changes,
        )

    return make


@pytest.fixture
def new_alike_run(tmp_path: Path, tiny: Callable[[str], Path]) -> Callable[..., Path]:
    """new_alike_run(method, **{dotted path: value}) -> the path of a plan for scored pairs of texts."""

    def make(
        method: str = "head", problem: None = None, *, rows: int = 160, name: str = "run", kind: str = "bert",
        texts: list[dict[str, Any]] | None = None, **changes: Any,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "runs" / name
        columns = {"sentence1": "sentence1", "sentence2": "sentence2", "score": "score"}
        return write_run(
            folder,
            "sentence-similarity",
            texts or make_scored(rows, KINDS, WORDS[:12]),
            columns,
            str(tiny(kind)),
            method,
            problem=problem,
            **changes,
        )

    return make


def write_run(
    folder: Path, task: str, rows: list[dict[str, Any]], columns: dict[str, str], base_model: str, method: str,
    /, **changes: Any,
) -> Path:  # fmt: skip
    """A run's folder with its rows and a plan of few small steps; `changes` are dotted paths with __ for the dot."""
    (folder / "data").mkdir(parents=True)
    write_rows(folder / "data" / "train.jsonl", rows)
    settings = {
        "task": task,
        "base_model": base_model,
        "method.name": method,
        "method.layers": 1 if method == "last_layers" else None,
        "method.rank": 4 if method in ("lora", "qlora") else None,
        "data.source": "data/train.jsonl",
        "data.columns": columns,
        "training.epochs": 2,
        "training.learning_rate": 1e-3,
        "training.batch_size": 16,
        "compute.precision": "float32",
        "evaluation.validation_fraction": 0.25,
    }
    plan = Plan().changed({**settings, **{path.replace("__", "."): value for path, value in changes.items()}})
    plan.save(folder / "plan.json")
    return folder / "plan.json"


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests give the same results on every machine; one thread, because tiny models only wait for a second one."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr("recipes.parts.device.available_cores", lambda: 1)


class Finished:
    """What a run left behind."""

    def __init__(self, plan: Path, code: int) -> None:
        self.folder = plan.parent
        self.code = code
        self.events: list[Any] = read_events(self.folder / "events.jsonl")[0]
        self.kinds = [event.kind for event in self.events]

    @property
    def result(self) -> Result:
        """Its result."""
        return Result.load(self.folder / "result.json")

    @property
    def last(self) -> Any:
        """Its last event."""
        return self.events[-1]


@pytest.fixture
def run_here() -> Callable[..., Finished]:
    """run_here(plan) -> runs it in this process, which is much faster than a launch."""
    from recipes.run import main

    def run(plan: Path, *options: str) -> Finished:
        return Finished(plan, main([str(plan), *options]))

    return run


@pytest.fixture
def run_until(run_here: Callable[..., Finished]) -> Callable[[Path, int], Finished]:
    """run_until(plan, step) -> runs it, and asks it to stop at that step of the training."""
    from recipes.parts import steady

    def run(plan: Path, step: int) -> Finished:
        before = steady.Watch.on_step_end

        def stop_there(self: Any, *given: Any, **named: Any) -> None:
            if given[1].global_step == step:
                (plan.parent / "stop").touch()
            before(self, *given, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(steady.Watch, "on_step_end", stop_there)
            found = run_here(plan)
        (plan.parent / "stop").unlink(missing_ok=True)
        return found

    return run
