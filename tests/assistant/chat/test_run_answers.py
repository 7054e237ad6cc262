"""Questions about a run are read, and answered with the run's own figures and no others."""

from __future__ import annotations

import re
from typing import Any

import pytest

from assistant.chat import figures, own_figures, run_answers
from assistant.chat.explain import pages
from assistant.chat.turns import RunCard
from recipes.plan import Plan
from tests.conversations.shell import RESULTS, result

RUN = RunCard(id="run-1", number=1, status="finished")
CUT_SHORT = RESULTS["cut-short"]


def said(topic: str, tree: dict[str, Any]) -> str:
    return run_answers.answer(topic, RUN, tree).text


@pytest.mark.parametrize(
    ("asked", "topic"),
    [
        ("which class is worst?", "worst class"),
        ("was 3 epochs enough?", "enough epochs"),
        ("did more epochs help?", "enough epochs"),
        ("is 91% good", "is it good"),
        ("did it overfit?", "did it overfit"),
        ("is it overfitting?", "did it overfit"),
        ("did it learn by heart?", "did it overfit"),
        ("what did it get wrong?", "mistakes"),
        ("show me the mistakes", "mistakes"),
        ("how sure are you?", "how sure"),
        ("can i trust this?", "how sure"),
        ("is it just luck?", "how sure"),
        ("would more data help?", "more data"),
        ("should i label more rows?", "more data"),
        ("how long did it take?", "time taken"),
        ("how much memory did it use?", "memory taken"),
        ("why did it stop?", "why it ended"),
        ("why did the training fail?", "why it ended"),
        ("how much memory do i need?", None),
        ("how long will it take?", None),
        ("what is overfitting?", None),
        ("use more data", None),
        ("sort my mistakes by kind", None),
    ],
)
def test_what_is_asked(asked: str, topic: str | None) -> None:
    assert run_answers.topic_of(asked) == topic


def test_every_topic_has_a_page_and_an_answer() -> None:
    for topic, name in run_answers.TOPICS.items():
        assert name in pages()
        for tree in (result(), CUT_SHORT, RESULTS["perfect"], {"verdict": {"code": "same", "text": "Even."}}):
            assert said(topic, tree).startswith("Run 1: ")


@pytest.mark.parametrize(("asked", "figure"), [("is 91 % good?", 91.0), ("is 99.5% ok", 99.5), ("is it good?", None),
                                               ("is 910 % good?", None)])  # fmt: skip
def test_the_figure_that_is_asked_about(asked: str, figure: float | None) -> None:
    assert run_answers.asked_figure(asked) == figure


def test_another_figure_is_put_right_and_the_own_one_is_not() -> None:
    assert "91 % is not its figure" in said("is it good:91", CUT_SHORT)
    assert "is not its figure" not in said("is it good:85.7", CUT_SHORT)


def test_overfitting_follows_the_two_losses() -> None:
    assert "So yes, a little" in said("did it overfit", CUT_SHORT)
    falling = {**CUT_SHORT["curves"], "validation/loss": [[105, 0.4], [210, 0.36], [315, 0.34], [402, 0.33]]}
    assert "no sign of overfitting" in said("did it overfit", {**CUT_SHORT, "curves": falling})
    assert "hardly possible" in said("did it overfit", result())


def test_more_data_helps_only_where_the_curve_still_rises() -> None:
    assert "the curve is flat" in said("more data", CUT_SHORT)
    rising = {**CUT_SHORT["curves"], "rows/accuracy": [[844, 0.6], [1688, 0.7], [3375, 0.8]]}
    answer = said("more data", {**CUT_SHORT, "curves": rising})
    assert "gained 10.0 points" in answer
    assert "twice as many rows may give about that much" in answer


def test_epochs_that_did_not_help_are_told_from_those_that_did() -> None:
    peaked = {**CUT_SHORT["curves"], "validation/accuracy": [[105, 0.8], [210, 0.9], [315, 0.85], [402, 0.84]]}
    assert "more epochs would not help" in said("enough epochs", {**CUT_SHORT, "curves": peaked})
    rising = {**CUT_SHORT["curves"], "validation/accuracy": [[105, 0.6], [210, 0.7], [315, 0.8], [402, 0.9]]}
    assert "still improving" in said("enough epochs", {**CUT_SHORT, "curves": rising})


#: A run that has only begun to learn: one answer for nearly all rows, the figure still, the loss falling.
SLOW = {
    **result(), "labels": ["great", "other"], "confusion": [[25, 1], [13, 1]],
    "rows": {"train": 128, "validation": 32, "test": 40},
    "curves": {"validation/accuracy": [[8, 0.66], [16, 0.66], [24, 0.66], [32, 0.66], [40, 0.66]],
               "validation/loss": [[8, 0.64], [16, 0.62], [24, 0.6], [32, 0.57], [40, 0.55]]},
}  # fmt: skip


def test_a_loss_that_still_falls_speaks_for_more_epochs() -> None:
    text = said("enough epochs", SLOW)
    assert "stood at 66.0 % from step 8 on" in text
    assert "0.60 halfway, 0.55 at the end" in text and "more epochs may help" in text
    planned = run_answers.answer("enough epochs", RUN, SLOW, Plan().changed({"training.batch_size": 16})).text
    assert "it saw its training rows 5 times" in planned and "from pass 1 on" in planned


def test_one_answer_for_nearly_all_rows_is_told() -> None:
    for topic in ("worst class", "is it good"):
        assert "says “great” for 38 of 40 test rows" in said(topic, SLOW)
        assert "hardly tells" not in said(topic, CUT_SHORT)


def test_every_percentage_that_is_said_stands_in_the_result() -> None:
    """No answer makes a figure up: each percentage is one of the result's, rounded."""
    known = {f"{100 * value:.1f}" for value in _numbers(CUT_SHORT)} | {f"{100 * v:.0f}" for v in _numbers(CUT_SHORT)}
    for topic in ("worst class", "is it good", "mistakes", "enough epochs", "more data"):
        for shown in re.findall(r"(\d+(?:\.\d+)?) %", said(topic, CUT_SHORT)):
            assert shown in known, f"{topic}: {shown} %"


def _numbers(tree: Any) -> list[float]:
    if isinstance(tree, dict):
        return [number for value in tree.values() for number in _numbers(value)]
    if isinstance(tree, list):
        return [number for value in tree for number in _numbers(value)]
    return [float(tree)] if isinstance(tree, (int, float)) and not isinstance(tree, bool) else []


def test_hostile_labels_and_texts_stay_text() -> None:
    tree = result(
        labels=["<script>", "b`ad"], mistakes=[{"row": 1, "input": "<img src=x>", "expected": "<script>",
                                                "predicted": "b`ad", "confidence": 0.9}],
    )  # fmt: skip
    tree["classes"][0]["label"] = "<script>"
    for topic in run_answers.TOPICS:
        assert "<" not in said(topic, tree)


@pytest.mark.parametrize("name", sorted(own_figures._SPEAKERS))
def test_every_page_with_an_own_figure_exists_and_speaks(name: str) -> None:
    assert name in pages()
    for tree in (result(), CUT_SHORT, {}):
        assert isinstance(own_figures.sentence(name, tree, None), str)


def test_pictures_belong_to_pages_with_figures() -> None:
    assert set(own_figures.PICTURES) <= set(own_figures._SPEAKERS) | {"warm-up"}


def test_noise_is_wider_on_fewer_validation_rows() -> None:
    few = figures.noise({**CUT_SHORT, "rows": {"train": 3375, "validation": 60, "test": 1000}})
    assert few > 2 * figures.noise(CUT_SHORT) > 0
