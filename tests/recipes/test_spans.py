"""Answers in texts, part by part: reading them, checking their places, windows, the best place, figures, rivals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recipes.parts import span_metrics, span_rivals, span_training, span_windows, spans
from recipes.parts.span_answering import apart
from recipes.parts.splits import CannotSplit
from recipes.plan import Plan
from tests.recipes.conftest import WORDS, tiny_tokenizer
from tests.recipes.span_runs import make_questions

TEXT = "The pool opens at nine. Children pay two pounds, adults pay five pounds."


def read(rows: list[dict[str, Any]], **columns: str) -> tuple[spans.Asked, list[str]]:
    """Questions of records, and what was said about them."""
    said: list[str] = []
    roles = {"question": "question", "context": "context", "answers": "answers"} | columns
    plan = Plan().changed({"task": "question-answering", "data.columns": roles})
    return spans.asked_rows(rows, plan, lambda _code, text: said.append(text), "file", said.append), said


@pytest.mark.parametrize(
    ("cell", "more"),
    [
        ({"text": ["nine"], "answer_start": [18]}, {}),
        ({"text": np.array(["nine"]), "answer_start": np.array([18])}, {}),
        ('{"text": ["nine"], "answer_start": [18]}', {}),
        ({"text": "nine", "answer_start": 18}, {}),
        ([{"text": "nine", "answer_start": 18}, {"text": " nine", "answer_start": 17}], {}),
        (["nine", "nine"], {}),
        ("nine", {}),
        ("Nine ", {"answer_start": 18}),
    ],
)
def test_every_shape_of_an_answer_is_read(cell: Any, more: dict[str, Any]) -> None:
    """SQuAD's two lists, Parquet's arrays, JSON in a table's cell, records, plain words with or without a place."""
    found, said = read([{"question": "When?", "context": TEXT, "answers": cell, **more}])
    assert found.answers == [[(18, 22)]] and found.right(0) == ["nine"]
    assert said == []


@pytest.mark.parametrize("cell", [None, "", [], {"text": [], "answer_start": []}, float("nan")])
def test_no_answer_is_an_answer(cell: Any) -> None:
    found, said = read([{"question": "Who?", "context": TEXT, "answers": cell}])
    assert found.answers == [[]] and not found.has_answer[0]
    assert "1 of 1 questions have no answer" in said[0]
    impossible, _ = read([{"question": "Who?", "context": TEXT, "answers": "nine", "is_impossible": True}])
    assert impossible.answers == [[]]


def test_answers_are_checked_against_their_text() -> None:
    """One at the wrong place is found again, the nearest; one that stands nowhere is left out and counted."""
    rows = [
        {"question": "Adults?", "context": TEXT, "answers": {"text": ["pounds"], "answer_start": [70]}},
        {"question": "Price?", "context": TEXT, "answers": {"text": ["three pounds"], "answer_start": [37]}},
        {"question": "", "context": TEXT, "answers": "nine"},
    ]
    found, said = read(rows)
    assert found.numbers == [1] and found.answers == [[(65, 71)]]
    assert "2 of 3 rows of file are left out" in said[0] and "1 have an answer that does not stand" in said[0]
    assert "1 answers do not stand where their row says" in said[1]
    with pytest.raises(CannotSplit, match="one and the same text"):
        spans._check_texts(found)


def test_questions_about_a_text_stay_together() -> None:
    numbers, notes = spans.same_texts(["a", "b", "a", "B!"])
    assert numbers[0] == numbers[2] and numbers[1] == numbers[3] and numbers[0] != numbers[1]
    assert "4 questions are about 3 different texts" in notes[0]


# Windows


def windows(context: str, longest: int = 16, question: str = "word1 ?") -> span_windows.Passages:
    return span_windows.encode(tiny_tokenizer(), [question], [context], longest, True)


def test_every_token_of_a_text_is_in_a_window_and_types_tell_the_parts_apart() -> None:
    words = " ".join(WORDS[:30])
    found = windows(words)
    assert len(found) > 2 and found.lengths.max() <= 16
    covered = {tuple(each) for each in found.letters.tolist()} - {(0, 0)}
    assert [words[start:end] for start, end in sorted(covered)] == WORDS[:30]
    batch = found.batch(np.arange(len(found)))
    assert batch["token_type_ids"][0].tolist()[:5] == [0, 0, 0, 0, 1]
    assert (batch["input_ids"][:, 0] == 2).all() and (found.places[found.firsts[:-1]] == 0).all()


def test_a_question_longer_than_a_window_leaves_room_for_its_text() -> None:
    found = windows("apple pear", question=" ".join(WORDS))
    assert len(found) == 1 and found.lengths[0] <= 16
    assert (found.letters[1:] == [[0, 5], [6, 10]]).all()


def test_the_best_place_over_all_windows_counts() -> None:
    """An answer stands where its window holds all of it; the others point to their first token."""
    words = " ".join([*WORDS[:20], "apple", "pear", *WORDS[20:25]])
    place = (words.index("apple"), words.index("pear") + 4)
    found = windows(words)
    asked = spans.Asked(["word1 ?"], [words], [[place]], [1])
    targets = found.targets(asked)
    inside = [window for window in range(len(found)) if targets[window, 0] != found.firsts[window]]
    assert inside and len(inside) < len(found)
    logits = np.zeros((found.words, 2))
    for window in inside:
        logits[targets[window, 0], 0], logits[targets[window, 1], 1] = 5.0, 5.0
    rows = np.array([0])
    answer = span_windows.best_answers(logits, found, rows, 4, None)[0]
    assert answer.place == place and 0 < answer.sure < 1
    assert span_windows.best_answers(logits, found, rows, 1, None)[0].place != place  # longer than is allowed
    margin = span_windows.margins(logits, found, rows, 4)[0]
    assert margin < -5  # “no answer” is unlikely where the answer stands, and as likely as anything elsewhere
    assert span_windows.best_answers(logits, found, rows, 4, margin - 0.1)[0].place is None
    assert span_windows.best_answers(span_windows.shifted(logits, found, -10.1), found, rows, 4, 0.0)[0].place is None


def test_softmax_regression_finds_the_right_candidate() -> None:
    """Against a plain loop: its loss is where its slope is zero, and it points to what it was shown."""
    random = np.random.default_rng(0)
    values = random.normal(size=(60, 5)).astype(np.float32)
    starts = np.arange(0, 60, 6)
    targets = starts[:, None] + np.stack(
        [values[:, 0].reshape(10, 6).argmax(1), values[:, 1].reshape(10, 6).argmax(1)], 1
    )
    head = span_training.softmax_regression(values, starts, targets, 10.0)
    logits = head.logits(values).reshape(10, 6, 2)
    assert (logits.argmax(axis=1) + starts[:, None] == targets).all()
    logs = span_training.log_softmax(head.logits(values), starts).reshape(10, 6, 2)
    assert np.exp(logs).sum(axis=1) == pytest.approx(1.0)


# Figures and rivals


@pytest.mark.parametrize(
    ("said", "right", "f1", "exact"),
    [
        ("the nine", ["nine"], 1.0, 1.0),
        ("five pounds", ["two pounds", "pounds"], 2 / 3, 0.0),
        ("", [], 1.0, 1.0),
        ("", ["nine"], 0.0, 0.0),
        ("nine", [], 0.0, 0.0),
        ("在北京", ["北京"], 0.8, 0.0),
        ("!", ["!"], 1.0, 1.0),
    ],
)
def test_figures_are_those_of_squad(said: str, right: list[str], f1: float, exact: float) -> None:
    assert span_metrics.alike(said, right) == pytest.approx((f1, exact))


def test_intervals_draw_texts_again_not_questions() -> None:
    """Ten questions about one text say as much as one."""
    scores = np.repeat(np.random.default_rng(0).random((20, 2)).round(), 10, axis=0)
    alone = span_metrics.figures(scores, list(range(200)))["answer_f1"]
    together = span_metrics.figures(scores, np.repeat(np.arange(20), 10).tolist())["answer_f1"]
    assert alone.value == together.value
    assert (together.high - together.low) > 2 * (alone.high - alone.low)  # type: ignore[operator]
    kinds = span_metrics.per_kind(["", "x", ""], [[], ["x"], ["y"]])
    assert kinds is not None and [each.rows for each in kinds] == [2, 1]
    assert kinds[1].precision is not None and kinds[1].precision.value == 0.5
    assert span_metrics.per_kind(["x"], [["x"]]) is None


def test_rivals_learn_what_surrounds_an_answer() -> None:
    rows = make_questions(120, {"fruit": ["apple", "pear"]}, WORDS[:12], without=0.2)
    asked, _ = read(rows)
    train, test = list(range(80)), list(range(80, 120))
    right = [asked.right(row) for row in test]
    pieces = span_rivals.Pieces(asked)
    found = {name: span_rivals.ask(name, pieces, train[:60], train[60:], test)
             for name in (span_rivals.SENTENCE, span_rivals.PIECES, span_rivals.NEVER)}  # fmt: skip
    reached = {name: span_metrics.score(said, right)[:, 0].mean() for name, said in found.items()}
    assert reached[span_rivals.PIECES] > 0.9 > 0.5 > reached[span_rivals.NEVER] > 0
    assert len(found[span_rivals.SENTENCE][0].split()) > 5
    near = span_rivals.Likeness(read([{"question": "What do children pay?", "context": TEXT, "answers": "two"}])[0])
    assert near.best(0).startswith("Children pay")


@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        ("When does it open? The pool opens at nine.", ("When does it open?", "The pool opens at nine.")),
        ("The pool opens at nine. When does it open?", ("When does it open?", "The pool opens at nine.")),
        ("It opens at nine\nWhen does it open?", ("When does it open?", "It opens at nine")),
        ("Question: when Text: at nine", ("when", "at nine")),
        ("context: At nine. question: when?", ("when?", "At nine.")),
        ("When does it open?", None),
        ("The pool opens at nine.", None),
    ],
)
def test_question_and_text_of_one_message(spoken: str, expected: tuple[str, str] | None) -> None:
    assert apart(spoken) == expected
