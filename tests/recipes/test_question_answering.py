"""Runs of the recipe for answers in texts, whole: the saved model, no answer, windows, an own test file, few rows."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipes import evaluate, export, predict
from recipes.events import Result
from tests.recipes.conftest import KINDS, WORDS, write_rows
from tests.recipes.span_runs import make_questions

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
TEXT, QUESTION = "word3 word7 apple word1 word2", "word4 ?"


def asked(folder: Path, *trees: dict[str, Any]) -> list[dict[str, Any]]:
    """What a run's model says to some inputs."""
    plan, model = predict.load(folder)
    return list(predict.answers([json.dumps(tree) for tree in trees], plan, model))  # type: ignore[arg-type]


def test_the_model_says_when_there_is_no_answer(
    new_span_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    """Figures of both kinds of questions; the saved model answers alike, and the lines of its card find the same."""
    done = run_here(new_span_run("full", questions=make_questions(160, KINDS, WORDS[:12], without=0.3)))
    assert done.code == 0, done.last
    assert set(done.result.baselines) == {"alike_sentence", "span_regression", "never_answering"}
    assert done.result.metrics["answer_f1"].value > 0.7
    assert [each.label for each in done.result.classes] == ["the text answers it", "no answer in the text"]
    found, alone, none, joined, bad = asked(
        done.folder, {"question": QUESTION, "context": TEXT}, {"text": "word5 ?"},
        {"inputs": {"question": QUESTION, "context": "word3 word7 word1 word2"}}, {"text": f"{QUESTION} {TEXT}"},
        {"text": "apple"},
    )  # fmt: skip
    assert (found["prediction"], found["start"], found["end"]) == ("apple", 12, 17)
    assert 0.1 < found["score"] <= 1 and found["input"] == TEXT and found["question"] == QUESTION
    assert (alone["prediction"], alone["input"]) == ("apple", TEXT)
    assert none["prediction"] == "" and "start" not in none
    assert joined["prediction"] == "apple"
    assert bad["error"]["code"] == "input-unusable" and "question" in bad["error"]["fix"]
    assert card_says(done.folder / "model", QUESTION, TEXT) == "apple"
    assert card_says(done.folder / "model", QUESTION, "word3 word7 word1 word2") == "The text does not answer it."


def card_says(folder: Path, question: str, text: str) -> str:
    """What the lines of a model's card print, run as they stand but for the words."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    lines = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]  # type: ignore[index]
    lines = lines.replace("Put your question here?", question).replace("Put the text that holds the answer here.", text)
    out, before = io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out):
            exec(lines, {})
    finally:
        os.chdir(before)
    return out.getvalue().strip()


def test_long_texts_with_an_own_test_file(new_span_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Texts three times as long as a window are read whole; texts of the test file are not learned from."""
    rows = make_questions(120, KINDS, WORDS[:12])
    filler = " ".join(WORDS[:12] * 4)
    test = [{**row, "context": f"{filler} {row['context']}", "answers": row["answers"]["text"]} for row in rows[:30]]
    plan = new_span_run(
        "head", questions=[*rows, {**rows[0], "context": test[0]["context"], "answers": test[0]["answers"]}],
        **{"data.test_source": "data/test.jsonl", "training.max_length": 32},
    )  # fmt: skip
    write_rows(plan.parent / "data" / "test.jsonl", test)
    done = run_here(plan)
    assert done.code == 0, done.last
    assert done.result.rows["test"] == 30 and done.result.evaluation == "your own test file"
    assert sum(done.result.rows.values()) == 150
    assert done.result.metrics["answer_f1"].value > 0.5
    assert any("windows that overlap" in note for note in done.result.notes or [])
    assert done.result.classes is None
    report = evaluate.evaluate(done.folder, plan.parent / "data" / "test.jsonl")
    assert report["rows"] == 30
    assert report["metrics"]["answer_f1"]["value"] == pytest.approx(done.result.metrics["answer_f1"].value)
    assert "always points to something" in (done.folder / "model" / "README.md").read_text(encoding="utf-8")


def test_few_questions_are_cross_validated(new_span_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    done = run_here(new_span_run("full", questions=make_questions(24, KINDS, WORDS[:12], without=0.2)))
    assert done.code == 0, done.last
    assert done.result.evaluation == "5-fold cross-validation, 4 times" and done.result.rows["test"] == 24
    assert "too-few-rows" in [each["code"] for each in done.result.warnings]
    assert done.result.metrics["answer_f1"].value > 0.4


@pytest.mark.parametrize(
    ("questions", "changes", "code"),
    [
        ([{"question": "a", "context": f"b {row}", "answers": []} for row in range(120)], {}, "one-class"),
        ([{"question": "a", "context": "b", "answers": ["c"]}] * 120, {}, "no-usable-rows"),
        ([{"question": "a", "context": "b", "answers": ["b"]}] * 120, {}, "one-group-only"),
        ([{"question": "a", "context": "b", "answers": 1.5}] * 5, {"data.columns.context": "text"}, "column-missing"),
        ([{"question": "a", "context": "b"}] * 5, {"data.columns": {"question": "question"}}, "plan-incomplete"),
    ],
)
def test_a_mistake_is_a_sentence(
    questions: Any, changes: dict[str, Any], code: str, new_span_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    done = run_here(new_span_run(questions=questions, **changes))
    assert (done.code, done.last.code) == (1, code)
    assert done.last.what


def test_stopped_and_gone_on(new_span_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """A stop keeps the best state; the same command goes on and ends as an uninterrupted run does."""
    from recipes.parts import steady

    whole, broken = (new_span_run("full", name=name, rows=120) for name in ("whole", "broken"))
    first = run_here(whole).result
    before = steady.Watch.on_step_end

    def stop_at_six(self: Any, *given: Any, **named: Any) -> None:
        if given[1].global_step == 6:
            (broken.parent / "stop").touch()
        before(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steady.Watch, "on_step_end", stop_at_six)
        stopped = run_here(broken)
    assert (stopped.code, stopped.last.kind, stopped.last.model_kept) == (3, "cancelled", True)
    assert asked(broken.parent, {"question": QUESTION, "context": TEXT})[0]["input"] == TEXT
    (broken.parent / "stop").unlink()
    gone_on = run_here(broken)
    assert gone_on.code == 0, gone_on.last
    assert gone_on.result.metrics == first.metrics
    assert gone_on.result.curves == first.curves


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(new_span_run: Callable[..., Path]) -> None:
    """Same batches, same answers, same figures."""
    from tests.recipes.test_processes import log_of, run

    changes = {"training.batch_size": 10, "training.micro_batch_size": 3}
    questions = make_questions(140, KINDS, WORDS[:12], without=0.2)
    one, two = (new_span_run("full", name=name, questions=questions, **changes) for name in ("one", "two"))
    assert run(one) == 0, log_of(one)
    assert run(two, processes=2) == 0, log_of(two)
    first, second = Result.load(one.parent / "result.json"), Result.load(two.parent / "result.json")
    assert second.environment["processes"] == 2
    assert first.metrics == second.metrics


@pytest.mark.parametrize("kind", ["deberta", "modernbert"])
def test_every_architecture(kind: str, new_span_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Any encoder that transformers loads for question answering; an adapter can be merged."""
    done = run_here(new_span_run("lora" if kind == "deberta" else "last_layers", kind=kind, **{"training.epochs": 1}))
    assert done.code == 0, done.last
    assert done.result.metrics["answer_f1"].value > 0.5
    if kind == "deberta":  # an adapter, or the head that beat it: merged, it answers alike
        assert "config.json" in export.export(done.folder, "merged", done.folder / "merged")
