"""A result with figures that occur only once, so that a test can see where each of them is shown."""

from __future__ import annotations

from typing import Any

from recipes.plan import Data, Evaluation, Method, Plan, Training

PLAN = Plan(
    task="text-classification",
    problem="single_label_classification",
    base_model="some/encoder",
    method=Method(name="last_layers", layers=2),
    data=Data(source="mails.csv", name="mails.csv", columns={"text": ["subject", "body"], "label": "kind"}),
    training=Training(epochs=7, learning_rate=0.00003, batch_size=19, max_length=113),
    evaluation=Evaluation(metric="accuracy", test_fraction=0.21),
    reasons={"training.epochs": "Few rows.", "base_model": "Small."},
)


def interval(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def result_tree() -> dict[str, Any]:
    """A fresh `result.json` as a tree that a test may change."""
    return {
        "task": "text-classification", "base_model": "some/encoder", "method": {"name": "last_layers", "layers": 2},
        "problem": "single_label_classification", "rows": {"train": 2161, "validation": 243, "test": 607},
        "metrics": {"accuracy": interval(0.9731, 0.9572, 0.9843), "f1": interval(0.9024, 0.8815, 0.9206)},
        "baselines": {
            "majority": {"accuracy": interval(0.6217, 0.5828, 0.6599), "f1": interval(0.3831, 0.3682, 0.3973)},
            "word_counts": {"accuracy": interval(0.9614, 0.9435, 0.9746), "f1": interval(0.8717, 0.8518, 0.8979)},
        },
        "verdict": {
            "code": "same", "text": "97.3 % are right. The difference could be chance.", "best_baseline": "word_counts",
            "metric": "accuracy", "difference": interval(0.0117, -0.0032, 0.0266), "p_value": 0.1472,
        },
        "trainable_parameters": 3_554_402, "total_parameters": 22_713_986,
        "seconds": {"predicted": 213.0, "total": 187.0, "features": 14.0, "training": 161.0},
        "peak_bytes": {"predicted": 912_000_000, "measured": 874_000_000},
        "environment": {"device": "cpu, 2 cores"}, "data_sha256": "9f2c" * 16, "seed": 4711, "metric": "accuracy",
        "labels": ["ham", "spam"], "confusion": [[366, 17], [29, 195]],
        "classes": [
            {"label": "ham", "rows": 383, "precision": interval(0.9266, 0.9017, 0.9468),
             "recall": interval(0.9559, 0.9301, 0.9713), "f1": 0.941},
            {"label": "spam", "rows": 224, "precision": interval(0.9198, 0.8776, 0.9487),
             "recall": interval(0.8705, 0.8203, 0.9086), "f1": 0.8945},
        ],
        "mistakes": [{"row": 4321, "input": "you won", "expected": "ham", "predicted": "spam", "confidence": 0.99}],
        "candidates": [
            {"name": "head", "metric": "accuracy", "value": 0.9535, "seconds": 16.0, "note": "first"},
            {"name": "last_layers", "metric": "accuracy", "value": 0.9757, "seconds": 158.0, "chosen": True},
        ],
        "curves": {"train/loss": [[0, 0.71], [90, 0.12]], "validation/accuracy": [[45, 0.951], [90, 0.968]]},
        "warnings": [{"code": "few-rows", "text": "Only 11 rows of one class."}],
        "notes": ["13 copies stayed on one side."], "evaluation": "607 test rows", "model_format": "transformers",
    }  # fmt: skip
