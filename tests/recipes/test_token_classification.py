"""Runs of the recipe for tagged words, whole: data in every form, the saved model, answers, windows, few sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recipes import evaluate, export, predict
from recipes.events import Result, read_events
from recipes.plan import Plan
from tests.recipes.conftest import KINDS, WORDS, write_rows
from tests.recipes.tag_runs import as_marked_texts, make_sentences

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
TEXT = "word3 apple plum word7 iron word1"


def test_plain_transformers_loads_the_model_and_finds_the_same(
    new_tag_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    """AutoModelForTokenClassification, its tokenizer and a pipeline; safetensors only; our answer says the same."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    done = run_here(new_tag_run("full"))
    assert done.code == 0, done.last
    folder = done.folder / "model"
    assert list(folder.glob("*.safetensors")) and not [*folder.glob("*.bin"), *folder.glob("*.pt")]
    model = AutoModelForTokenClassification.from_pretrained(folder)
    find = pipeline("token-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(folder),
                    aggregation_strategy="simple")  # fmt: skip
    theirs = [(each["entity_group"], each["start"], each["end"]) for each in find(TEXT)]
    plan, tagger = predict.load(done.folder)
    answer = next(predict.answers([json.dumps({"text": TEXT})], plan, tagger))
    ours = [(each["label"], each["start"], each["end"]) for each in answer["prediction"]]
    assert ours == theirs == [("fruit", 6, 16), ("metal", 23, 27)]
    assert [each["text"] for each in answer["prediction"]] == ["apple plum", "iron"]
    assert all(0.3 < each["score"] <= 1 for each in answer["prediction"])
    again = next(predict.answers([json.dumps({"inputs": {"tokens": TEXT.split()}})], plan, tagger))
    assert again["prediction"] == answer["prediction"]
    bad = next(predict.answers(['{"text": "  "}'], plan, tagger))
    assert bad["error"]["code"] == "input-unusable"
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"{100 * done.result.metrics['entity_f1'].value:.1f} %" in card and "| fruit |" in card
    assert "pipeline_tag: token-classification" in card


def test_marked_texts_with_an_own_test_file(new_tag_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Entities as places in characters; a type that only the test file has counts as not found; another file later."""
    rows = as_marked_texts(make_sentences(140, KINDS, WORDS[:12]))
    test = as_marked_texts(make_sentences(40, KINDS, WORDS[:12], seed=9))
    test[0] = {"text": "word1 apple", "entities": [{"start": 6, "end": 11, "label": "drink"}]}
    columns = {"data.columns": {"text": "text", "tags": "entities"}, "data.test_source": "data/test.jsonl"}
    plan = new_tag_run("head", sentences=rows, **columns)
    write_rows(plan.parent / "data" / "test.jsonl", test)
    done = run_here(plan)
    assert done.code == 0, done.last
    assert done.result.rows["test"] == 40 and done.result.evaluation == "your own test file"
    assert done.result.labels == ["cloth", "drink", "fruit", "metal"]
    drink = next(each for each in done.result.classes if each.label == "drink")
    assert drink.recall.value == 0.0 and drink.precision is None
    assert [each["code"] for each in done.result.warnings] == ["unknown-test-labels"]
    report = evaluate.evaluate(done.folder, plan.parent / "data" / "test.jsonl")
    assert report["rows"] == 40
    assert report["metrics"]["entity_f1"]["value"] == pytest.approx(done.result.metrics["entity_f1"].value)
    assert [each["label"] for each in report["classes"]] == done.result.labels
    assert "drink" in report["notes"][0]


def test_long_texts_are_read_in_windows(new_tag_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Nothing is cut: entities at the end of a text four times as long as the limit are found."""
    short = make_sentences(400, KINDS, WORDS[:12])
    joined = [
        {name: [each for row in short[start : start + 4] for each in row[name]] for name in ("tokens", "tags")}
        for start in range(0, 400, 4)
    ] + short[:60]  # fmt: skip
    done = run_here(new_tag_run("full", sentences=joined, **{"training.max_length": 12}))
    assert done.code == 0, done.last
    assert any("windows that overlap" in note for note in done.result.notes)
    assert done.result.metrics["entity_f1"].value > 0.8
    _plan, tagger = predict.load(done.folder)
    answer = tagger.answer({"text": "word1 " * 40 + "apple pear"})
    assert [(each["label"], each["text"]) for each in answer["prediction"]] == [("fruit", "apple pear")]


def test_few_sentences_and_plain_tags(new_tag_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Below a hundred sentences each is judged by models that never saw it; parts of speech have no outside."""
    rows = [
        {"tokens": row["tokens"], "tags": [tag[2:] or "other" for tag in row["tags"]]}
        for row in make_sentences(60, KINDS, WORDS[:12])
    ]
    done = run_here(new_tag_run("full", sentences=rows))
    assert done.code == 0, done.last
    assert done.result.rows == {"train": 60, "validation": 0, "test": 60}
    assert "cross-validation" in done.result.evaluation
    assert done.result.metric == "word_accuracy" and done.result.metrics["word_accuracy"].value > 0.7
    assert done.result.labels == ["cloth", "fruit", "metal", "other"]
    assert "too-few-rows" in [each["code"] for each in done.result.warnings]


@pytest.mark.parametrize(
    ("sentences", "changes", "code"),
    [
        ([{"tokens": ["a", "b"], "tags": ["O", "O"]}] * 120, {}, "one-class"),
        ([{"tokens": ["a", "b"], "tags": ["O"]}] * 120, {}, "no-usable-rows"),
        ([{"tokens": ["a"], "tags": ["O"]}] * 5, {"data.columns.tags": "labels"}, "column-missing"),
        ([{"tokens": ["a"], "tags": ["O"]}] * 5, {"data.columns": {"tags": "tags"}}, "plan-incomplete"),
    ],
)
def test_a_mistake_is_a_sentence(
    sentences: Any, changes: dict[str, Any], code: str, new_tag_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    done = run_here(new_tag_run(sentences=sentences, **changes))
    assert (done.code, done.last.code) == (1, code)
    assert done.last.what


def test_stopped_and_gone_on(new_tag_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """A stop keeps the best state; the same command goes on and ends as an uninterrupted run does."""
    from recipes.parts import steady

    whole, broken = (new_tag_run("full", name=name, **{"training.epochs": 3}) for name in ("whole", "broken"))
    first = run_here(whole).result
    before = steady.Watch.on_step_end

    def stop_at_ten(self: Any, *given: Any, **named: Any) -> None:
        if given[1].global_step == 10:
            (broken.parent / "stop").touch()
        before(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steady.Watch, "on_step_end", stop_at_ten)
        stopped = run_here(broken)
    assert (stopped.code, stopped.last.kind, stopped.last.model_kept) == (3, "cancelled", True)
    assert predict.load(broken.parent)[1].answer({"text": TEXT})["input"] == TEXT
    (broken.parent / "stop").unlink()
    gone_on = run_here(broken)
    assert gone_on.code == 0, gone_on.last
    assert gone_on.result.metrics == first.metrics
    assert gone_on.result.curves == first.curves


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(new_tag_run: Callable[..., Path]) -> None:
    """Same batches, same words, same figures."""
    from tests.recipes.test_processes import log_of, run

    changes = {"training.batch_size": 10, "training.micro_batch_size": 3}
    one, two = new_tag_run("full", name="one", **changes), new_tag_run("full", name="two", **changes)
    assert run(one) == 0, log_of(one)
    assert run(two, processes=2) == 0, log_of(two)
    first, second = Result.load(one.parent / "result.json"), Result.load(two.parent / "result.json")
    assert second.environment["processes"] == 2
    assert first.metrics == second.metrics
    for name, points in (first.curves or {}).items():
        assert np.array((second.curves or {})[name]) == pytest.approx(np.array(points), rel=0.02, abs=1e-3)
    assert [event.kind for event in read_events(two.parent / "events.jsonl")[0]].count("finished") == 1


@pytest.mark.parametrize("kind", ["deberta", "modernbert"])
def test_every_architecture(kind: str, new_tag_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Any encoder that transformers loads for token classification; lora where it has linear layers."""
    done = run_here(new_tag_run("lora" if kind == "deberta" else "last_layers", kind=kind, **{"training.epochs": 1}))
    assert done.code == 0, done.last
    assert done.result.metrics["entity_f1"].value > 0.6
    assert Plan.load(done.folder / "plan.json").task == "token-classification"
    if kind == "deberta":  # an adapter, or the head that beat it: merged, it answers alike
        assert "config.json" in export.export(done.folder, "merged", done.folder / "merged")
