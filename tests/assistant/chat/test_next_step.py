"""The one proposal after a run: from its evidence, with gain and cost, and honest when nothing is left."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.chat.next_step import Proposal, proposal
from recipes.plan import Plan
from tests.conversations.shell import RESULTS, interval, result

CUT_SHORT = RESULTS["cut-short"]
PLAN = Plan().changed({
    "task": "text-classification", "base_model": "sentence-transformers/all-MiniLM-L6-v2", "method.name": "full",
    "training.epochs": 3, "training.batch_size": 16, "training.max_minutes": 15, "training.max_length": 128,
})  # fmt: skip
FLAT = {"validation/accuracy": [[105, 0.84], [210, 0.85], [315, 0.849], [402, 0.85]],
        "rows/accuracy": [[844, 0.75], [1688, 0.76], [3375, 0.755]]}  # fmt: skip


def of(tree: dict[str, Any], plan: Plan | None = PLAN, **changes: Any) -> Proposal:
    return proposal({**tree, **changes}, plan)


def test_a_training_that_was_cut_short_gets_its_time() -> None:
    found = of(CUT_SHORT)
    assert found.changes == {"training.max_minutes": 27.0}
    assert "402 of 633 steps" in found.text
    assert "0.7 points" in found.gain
    assert "10 minutes more" in found.cost


def test_a_curve_that_still_rises_gets_more_epochs() -> None:
    rising = {**FLAT, "validation/accuracy": [[105, 0.6], [210, 0.7], [315, 0.8]]}
    found = of(CUT_SHORT, warnings=[], curves=rising)
    assert found.changes == {"training.epochs": 6.0}
    assert "10.0 points" in found.gain
    assert found.cost


def test_a_model_that_has_only_begun_to_learn_gets_twice_the_epochs() -> None:
    curves = {"validation/accuracy": [[8, 0.66], [16, 0.66], [24, 0.66], [32, 0.66]],
              "validation/loss": [[8, 0.64], [16, 0.62], [24, 0.58], [32, 0.55]]}  # fmt: skip
    slow = {"labels": ["great", "other"], "confusion": [[25, 1], [13, 1]], "curves": curves, "warnings": []}
    found = of(CUT_SHORT, **slow)
    assert found.changes == {"training.epochs": 6.0}
    assert "38 of 40" in found.text and "0.58 halfway, 0.55 at the end" in found.text
    still = {**curves, "validation/loss": [[8, 0.64], [16, 0.6], [24, 0.6], [32, 0.6]]}
    assert of(CUT_SHORT, **{**slow, "curves": still}).changes != {"training.epochs": 6.0}


def test_a_last_layer_alone_gets_more_layers() -> None:
    found = of(result(), PLAN.changed({"method.name": "head"}))
    assert found.changes["method.name"] == "last_layers"
    assert found.changes["method.layers"] == 3
    assert "cannot end worse" in found.gain
    full = of(result(rows={"train": 4000, "validation": 400, "test": 1000}), PLAN)
    assert full.changes["method.name"] == "full"


def test_so_few_rows_do_not_get_more_layers() -> None:
    found = of(result(rows={"train": 40, "validation": 0, "test": 40}, evaluation="5-fold cross-validation, 4 times"))
    assert "method.name" not in found.changes


def test_a_weak_class_with_few_rows_gets_more_of_them() -> None:
    classes = [
        {"label": "rare", "rows": 4, "precision": interval(0.6), "recall": interval(0.5), "f1": 0.55},
        {"label": "usual", "rows": 36, "precision": interval(0.95), "recall": interval(0.97), "f1": 0.96},
    ]
    found = of(result(classes=classes))
    assert "“rare”" in found.text
    assert not found.changes
    assert "rows to label" in found.cost


def test_a_rare_class_that_is_overlooked_counts_more() -> None:
    classes = [
        {"label": "rare", "rows": 150, "precision": interval(0.95), "recall": interval(0.6), "f1": 0.86},
        {"label": "usual", "rows": 850, "precision": interval(0.95), "recall": interval(0.97), "f1": 0.96},
    ]
    assert of(CUT_SHORT, warnings=[], curves=FLAT, classes=classes).changes == {"training.class_weights": "balanced"}
    balanced = PLAN.changed({"training.class_weights": "balanced"})
    assert "training.class_weights" not in of(CUT_SHORT, balanced, warnings=[], curves=FLAT, classes=classes).changes


def test_cut_texts_are_read_further() -> None:
    note = "2,280 of 3,800 texts are longer than 128 tokens; only their beginning is read."
    found = of(CUT_SHORT, warnings=[], curves=FLAT, notes=[note])
    assert found.changes == {"training.max_length": 256}
    assert "60 %" in found.text
    few = "43 of 4,972 texts are longer than 128 tokens; only their beginning is read."
    assert "training.max_length" not in of(CUT_SHORT, warnings=[], curves=FLAT, notes=[few]).changes


def test_sure_mistakes_ask_for_a_look_at_the_labels() -> None:
    mistakes = [{"row": row, "input": "x", "expected": "a", "predicted": "b", "confidence": 0.99} for row in range(9)]
    found = of(CUT_SHORT, warnings=[], curves=FLAT, mistakes=mistakes)
    assert "surest mistakes" in found.text
    assert not found.changes


def test_more_rows_where_their_curve_rises() -> None:
    rising = {**FLAT, "rows/accuracy": [[844, 0.6], [1688, 0.7], [3375, 0.8]]}
    found = of(CUT_SHORT, warnings=[], curves=rising, mistakes=[])
    assert "Label more rows" in found.text
    assert "10.0 points" in found.text


def test_a_larger_model_is_the_last_of_the_settings() -> None:
    found = of(CUT_SHORT, warnings=[], curves=FLAT, mistakes=[])
    assert found.changes["base_model"]
    assert "download" in found.cost


@pytest.mark.parametrize("code", ["better", "same"])
def test_nothing_promising_is_said_when_nothing_is(code: str) -> None:
    verdict = {**CUT_SHORT["verdict"], "code": code}
    found = of(
        CUT_SHORT, None, warnings=[], curves=FLAT, mistakes=[], verdict=verdict, base_model="FacebookAI/xlm-roberta-xl"
    )  # fmt: skip
    assert found.nothing_left
    assert "nothing promising left" in found.text


def test_not_enough_data_asks_for_rows_and_nothing_else() -> None:
    found = of(result("not_enough_data", rows={"train": 50, "validation": 10, "test": 30}))
    assert "Label more rows" in found.text
    assert not found.changes
    more = of(result("not_enough_data"), PLAN.changed({"method.name": "head"}))
    assert more.changes["method.name"] == "last_layers", "a run costs less than a day of labelling"
    tried = [{"name": name, "metric": "accuracy", "value": 0.9, "chosen": name == "head"} for name in ("head", "full")]
    assert "Label more rows" in of(result("not_enough_data", candidates=tried)).text
    crossed = result("not_enough_data", evaluation="5-fold cross-validation, 4 times",
                     rows={"train": 60, "validation": 0, "test": 60})  # fmt: skip
    assert "60 rows are too few" in of(crossed).text


def test_all_right_leaves_nothing() -> None:
    assert of(RESULTS["perfect"]).nothing_left


def test_an_empty_result_does_not_break_it() -> None:
    assert proposal({}, None).text
