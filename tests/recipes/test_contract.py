"""The contract that every recipe keeps: plan in, events and result out, and the laws of both."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from recipes.events import LAST_WORDS
from recipes.plan import Plan

PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")
METHODS = ("head", "last_layers", "lora", "full")
#: A task, the baseline that reads its inputs, and what a tiny random model reaches at least.
TASKS = (("text-classification", "word_counts", 0.8), ("image-classification", "picture_statistics", 0.8))
CASES = [(*task, problem) for task in TASKS for problem in PROBLEMS] + [
    ("token-classification", "crf", 0.8, None), ("question-answering", "span_regression", 0.7, None),
    ("sentence-similarity", "rare_words", 0.5, None),
]  # fmt: skip
#: What decides where the plan has no problem, and the baselines that every such run has.
OWN = {
    "token-classification": ("entity_f1", {"most_frequent_tag"}),
    "question-answering": ("answer_f1", {"alike_sentence"}),
    "sentence-similarity": ("spearman", {"untuned", "word_overlap"}),
}
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # PEFT asks for it
]


def check_events(events: list[Any]) -> None:
    """First `started`, exactly one last word at the end, steps that never go back, times that never go back."""
    assert events[0].kind == "started"
    assert [event.kind for event in events if event.kind in LAST_WORDS] == [events[-1].kind]
    assert all(earlier.at <= later.at for earlier, later in pairwise(events))
    for kind in ("progress", "metric", "checkpoint"):
        steps = [event.step for event in events if event.kind == kind]
        assert steps == sorted(steps), kind


@pytest.fixture
def plan_for(
    new_run: Callable[..., Path],
    new_picture_run: Callable[..., Path],
    new_tag_run: Callable[..., Path],
    new_span_run: Callable[..., Path],
    new_alike_run: Callable[..., Path],
) -> Callable[..., Path]:
    """plan_for(task, method, problem) -> a plan that is ready to run."""
    makers = {
        "text-classification": new_run, "image-classification": new_picture_run, "token-classification": new_tag_run,
        "question-answering": new_span_run, "sentence-similarity": new_alike_run,
    }  # fmt: skip
    return lambda task, *given, **changes: makers[task](*given, **changes)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("task", "own_baseline", "least", "problem"), CASES)
def test_every_problem_by_every_method(
    task: str, own_baseline: str, least: float, problem: str | None, method: str,
    plan_for: Callable[..., Path], run_here: Callable[..., Any],
) -> None:  # fmt: skip
    """A run ends with a result whose every field is filled, and a model that answers."""
    done = run_here(plan_for(task, method, problem))
    assert done.code == 0, done.last
    assert done.last.kind == "finished"
    check_events(done.events)
    result = done.result
    assert result.problem == problem
    assert result.method["name"] == method
    assert sum(result.rows.values()) == 160
    simple = {"majority", "nearest_centroid"} if problem else OWN[task][1]
    assert set(result.baselines) == simple | {own_baseline}
    assert result.metric in result.metrics
    assert all(result.metric in figures for figures in result.baselines.values())
    for figure in result.metrics.values():
        assert math.isfinite(figure.value)
        assert figure.low is None or figure.high is None or figure.low <= figure.value <= figure.high
    assert result.verdict.text == done.last.text and result.verdict.code == done.last.verdict
    assert 0 < result.trainable_parameters <= result.total_parameters
    assert {"reading", "features", "head", "testing", "saving", "total"} <= set(result.seconds)
    assert result.peak_bytes["predicted"] and result.peak_bytes["measured"]
    assert {"python", "torch", "transformers", "device", "precision", "threads"} <= set(result.environment)
    assert len(result.data_sha256) == 64
    assert result.candidates is not None
    assert [candidate.chosen for candidate in result.candidates].count(True) == 1
    assert [candidate.name for candidate in result.candidates] == (["head"] if method == "head" else ["head", method])
    assert all(len(mistake.input) <= 300 for mistake in result.mistakes or [])
    assert (done.folder / "model" / "README.md").read_text(encoding="utf-8").startswith("---")
    assert not list((done.folder / "model").glob("*.bin"))
    if problem is None:
        assert result.metric == OWN[task][0] and result.metrics[result.metric].value > least
    if problem == "single_label_classification":
        assert result.labels is not None and len(result.labels) == 3
        assert result.confusion is not None and sum(map(sum, result.confusion)) == result.rows["test"]
        assert result.metrics["accuracy"].value > least
    if method != "head":
        assert result.curves is not None and {"train/loss", f"validation/{result.metric}"} <= set(result.curves)


@pytest.mark.parametrize("kind", ["bert-mlm", "roberta", "distilbert", "modernbert", "deberta"])
def test_every_architecture(kind: str, new_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Any encoder that transformers loads for text classification can be trained, saved and verified."""
    done = run_here(new_run("full", kind=kind, **{"training.epochs": 1}))
    assert done.code == 0, done.last
    assert done.result.metrics["accuracy"].value > 0.7


@pytest.mark.parametrize("kind", ["roberta", "deberta", "modernbert"])
@pytest.mark.parametrize("method", ["last_layers", "lora"])
def test_partly_trained_architectures(
    kind: str, method: str, new_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    """Blocks and linear layers are found by structure, not by name."""
    done = run_here(new_run(method, kind=kind, **{"training.epochs": 1}))
    assert done.code == 0, done.last


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"task": "object-detection"}, "task-not-available"),
        ({"data.columns.text": "body"}, "column-missing"),
        ({"data.source": "data/other.jsonl"}, "data-missing"),
        ({"training.epochs": None}, "plan-incomplete"),
        ({"base_model": "someone/some-model"}, "hub-unreachable"),
        ({"method.name": "qlora", "method.rank": 4}, "qlora-needs-gpu"),
        ({"problem": "regression"}, "label-not-number"),
    ],
)
def test_a_persons_mistake_is_a_sentence(
    changes: dict[str, Any], code: str, new_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    """Exit code 1, one `failed` event with its code and words, no result."""
    plan = new_run()
    Plan.load(plan).changed(changes).save(plan)
    done = run_here(plan)
    assert done.code == 1
    assert done.last.kind == "failed"
    assert done.last.code == code
    assert done.last.what and (done.last.expected or done.last.fix)
    assert not (done.folder / "result.json").exists()
    check_events(done.events)


def test_a_plan_that_is_none_reports_all_its_faults(new_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    plan = new_run()
    tree = json.loads(plan.read_text(encoding="utf-8"))
    tree["training"]["epochs"] = -1
    tree["colour"] = "red"
    plan.write_text(json.dumps(tree), encoding="utf-8")
    done = run_here(plan)
    assert (done.code, done.last.code) == (1, "plan-invalid")
    assert "training.epochs" in done.last.what and "colour" in done.last.what


def test_an_old_result_does_not_survive_a_new_failure(
    new_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    plan = new_run()
    (plan.parent / "result.json").write_text("{}", encoding="utf-8")
    (plan.parent / "data" / "train.jsonl").unlink()
    assert run_here(plan).code == 1
    assert not (plan.parent / "result.json").exists()
