"""What both speed comparisons share: the same rows, the recipe in its own process, and a plain Trainer."""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that `python benchmarks/….py` works from a checkout that is not installed

from recipes.events import Interval, Result, read_events  # noqa: E402
from recipes.plan import Plan  # noqa: E402

SHARED = ROOT.parent / "shared" / "data" / "email-spam"
EXAMPLE = ROOT / "assistant" / "examples" / "spam.csv"
LONGEST = 512  # tokens: where the tokenizer cuts by itself, as in the tutorials; also the longest default plan
BASE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Rows:
    """Texts and labels of the rows to learn from and of the rows to judge by."""

    train: list[dict[str, str]]
    test: list[dict[str, str]]

    @property
    def labels(self) -> list[str]:
        """The classes in order."""
        return sorted({row["label"] for row in self.train})


def arguments(description: str, **defaults: Any) -> argparse.ArgumentParser:
    """The options that both comparisons have."""
    parser = argparse.ArgumentParser(description=description)
    source = SHARED if SHARED.is_dir() else EXAMPLE
    columns = "columns subject, body, label"
    parser.add_argument(
        "--data", type=Path, default=source, help=f"folder with train.jsonl, test.jsonl, or CSV; {columns}"
    )
    parser.add_argument("--rows", type=int, default=None, help="use only so many rows to learn from")
    parser.add_argument("--test-rows", type=int, default=None, help="use only so many rows to judge by")
    parser.add_argument(
        "--max-length", type=int, default=defaults.get("max_length", 128), help="tokens read of each text"
    )
    parser.add_argument("--batch-size", type=int, default=defaults.get("batch_size", 32), help="of the recipe")
    parser.add_argument("--trainer-batch-size", type=int, default=defaults.get("trainer_batch_size", 8))
    parser.add_argument("--work", type=Path, default=None, help="folder for the runs; default: a temporary one")
    return parser


def read_rows(source: Path, limit: int | None, test_limit: int | None = None) -> Rows:
    """Rows of a folder with train.jsonl and test.jsonl, or of one CSV file of which a fifth is held out."""
    if source.is_dir():
        lines = [(source / f"{part}.jsonl").read_text(encoding="utf-8").splitlines() for part in ("train", "test")]
        train, test = ([json.loads(line) for line in part] for part in lines)
    else:
        with source.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        order = np.random.default_rng(0).permutation(len(rows))
        held_out = set(order[: len(rows) // 5].tolist())
        train = [row for number, row in enumerate(rows) if number not in held_out]
        test = [rows[number] for number in sorted(held_out)]
    return Rows(train[:limit], test[:test_limit])


def run_recipe(folder: Path, rows: Rows, changes: dict[str, Any]) -> tuple[Result, list[Any]]:
    """Run a plan in its own process, as a person would, and return its result and events."""
    (folder / "data").mkdir(parents=True)
    for part, records in (("train", rows.train), ("test", rows.test)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / "data" / f"{part}.jsonl").write_text(text, encoding="utf-8")
    plan = Plan().changed(
        {
            "task": "text-classification",
            "problem": "single_label_classification",
            "base_model": BASE_MODEL,
            "data.source": "data/train.jsonl",
            "data.test_source": "data/test.jsonl",
            "data.columns": {"text": ["subject", "body"], "label": "label"},
            "training.epochs": 1,
            "training.learning_rate": 5e-5,
            "evaluation.baselines": ("majority",),
            **changes,
        }
    )
    plan.save(folder / "plan.json")
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)}
    with (folder / "log.txt").open("w") as log:
        subprocess.run(
            [sys.executable, "-m", "recipes.run", str(folder / "plan.json")],
            stdout=log, stderr=log, env=environment, check=False,
        )  # fmt: skip
    if not (folder / "result.json").is_file():
        raise SystemExit(f"the run failed: {read_events(folder / 'events.jsonl')[0][-1:]}, see {folder / 'log.txt'}")
    return Result.load(folder / "result.json"), read_events(folder / "events.jsonl")[0]


@dataclass(frozen=True)
class TrainerRun:
    """What the plain Trainer took and reached.

    Attributes:
        seconds: in `train()`; test_seconds: answering the test rows; steady_seconds: from the end of the first training
            step to the end of the last.
        prediction: class indices of the test rows, shape (test rows,).
    """

    seconds: float
    test_seconds: float
    steady_seconds: float
    prediction: Any


def train_plainly(
    rows: Rows, options: argparse.Namespace, *, frozen: bool, folder: Path, **settings: Any
) -> TrainerRun:
    """`Trainer` as the tutorials have it: tokenised beforehand, padded to the longest text of each batch.

    Args:
        frozen: train only the new last layer.
        settings: TrainingArguments that differ from their defaults.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

    from recipes.parts.device import available_cores
    from recipes.parts.starter import resolve

    torch.set_num_threads(available_cores())
    torch.manual_seed(42)
    source = resolve(BASE_MODEL)
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForSequenceClassification.from_pretrained(source, num_labels=len(rows.labels))
    if frozen:
        for parameter in model.base_model.parameters():
            parameter.requires_grad_(False)

    def prepared(records: list[dict[str, str]]) -> list[dict[str, Any]]:
        texts = [f"{record['subject']}\n{record['body']}" for record in records]
        tokens = tokenizer(texts, truncation=True, max_length=options.max_length)["input_ids"]
        return [{"input_ids": ids, "attention_mask": [1] * len(ids), "label": rows.labels.index(record["label"])}
                for ids, record in zip(tokens, records, strict=True)]  # fmt: skip

    trainer = Trainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=prepared(rows.train),
        args=TrainingArguments(
            output_dir=str(folder), use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True,
            per_device_train_batch_size=options.trainer_batch_size, per_device_eval_batch_size=32, **settings,
        ),
        callbacks=[clock := step_clock()],
    )  # fmt: skip
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    test = prepared(rows.test)
    start = time.perf_counter()
    logits = trainer.predict(test).predictions
    return TrainerRun(seconds, time.perf_counter() - start, clock.ends[-1] - clock.ends[0], logits.argmax(axis=1))


def step_clock() -> Any:
    """A callback that notes when each step ended."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Ends of the steps, in seconds of a clock that never goes back."""

        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            """Called by the Trainer."""
            self.ends.append(time.perf_counter())

    return Clock()


def accuracy(rows: Rows, prediction: Any) -> Interval:
    """Share of the test rows that are right, with Wilson's interval."""
    from recipes.parts.metrics import SINGLE, compute

    truth = np.array([rows.labels.index(row["label"]) for row in rows.test])
    return compute(SINGLE, truth, prediction, None, rows.labels)["accuracy"]


def shown(figure: Interval) -> str:
    """ "95.4 % (93.7-96.6)"."""
    bounds = "" if figure.low is None or figure.high is None else f" ({100 * figure.low:.1f}-{100 * figure.high:.1f})"
    return f"{100 * figure.value:.1f} %{bounds}"
