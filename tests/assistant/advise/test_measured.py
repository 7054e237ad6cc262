"""What a machine really did corrects what is expected of it: by ratios, of the same plan first."""

from __future__ import annotations

from typing import Any

import pytest
from sample_profiles import LAPTOP, even

from assistant.advise import measured
from assistant.advise.estimate import Estimate, estimate
from assistant.advise.measured import Measured, correct
from recipes.plan import Plan

PLAN = Plan().changed({
    "task": "text-classification", "problem": "single_label_classification", "method.name": "full",
    "base_model": "sentence-transformers/all-MiniLM-L6-v2", "data.source": "a.csv", "data.columns.text": "message",
    "data.columns.label": "topic", "training.epochs": 3, "training.batch_size": 16, "training.max_length": 128,
})  # fmt: skip


def expected(plan: Plan = PLAN, rows: int = 2000) -> Estimate:
    return estimate(plan, even(rows, characters=400, longest=1600)[0], LAPTOP)


def seen(plan: Plan = PLAN, **changes: Any) -> Measured:
    base = {"base_model": plan.base_model, "method": plan.method.name, "origin": "run 1", "features": 2.0,
            "training": 3.0, "memory": 1.2, "seconds_a_step": 0.4}  # fmt: skip
    return Measured.model_validate(base | changes)


def test_ratios_are_measured_over_expected() -> None:
    before = expected()
    steps = measured.planned_steps(PLAN, 1440)
    work = before.terms["seconds/training"] + before.terms["seconds/optimiser"]
    result = {
        "seconds": {"features": 2 * before.terms["seconds/features"]}, "rows": {"train": 1440},
        "peak_bytes": {"measured": 1.5 * before.peak_bytes},
    }  # fmt: skip
    found = measured.ratios(PLAN, before, result, 3 * work / steps, origin="run 1", trial=False)
    assert found is not None
    assert found.features == pytest.approx(2, rel=0.01)
    assert found.training == pytest.approx(3, rel=0.01)
    assert found.memory == pytest.approx(1.5, rel=0.01)


def test_features_that_were_kept_from_before_tell_no_speed() -> None:
    before = expected()
    for read in (0.01, before.terms["seconds/features"] / 1000):
        result = {"seconds": {"features": read}, "rows": {"train": 1440}, "peak_bytes": {}}
        assert measured.ratios(PLAN, before, result, None, origin="run 1", trial=False) is None


def test_nothing_known_changes_nothing() -> None:
    before = expected()
    assert correct(before, PLAN, []) == before
    assert correct(before, PLAN, [seen(device="NVIDIA H100")]) == before


def test_the_same_plan_is_corrected_and_narrowed() -> None:
    before, after = expected(), correct(expected(), PLAN, [seen()])
    for name, factor in (("features", 2), ("training", 3), ("optimiser", 3), ("start", 1)):
        assert after.terms[f"seconds/{name}"] == pytest.approx(factor * before.terms[f"seconds/{name}"])
    assert after.seconds_high / after.seconds_low < before.seconds_high / before.seconds_low
    assert after.seconds_low < after.seconds < after.seconds_high
    assert after.peak_bytes == pytest.approx(1.2 * before.peak_bytes)
    assert after.peak_bytes_low < after.peak_bytes < after.peak_bytes_high
    assert after.note == "By what run 1 took here with the same model and method (0.4 s a step)."


def test_a_trial_beats_earlier_runs() -> None:
    trial = seen(origin="a trial on this machine", trial=True, training=1.0)
    after = correct(expected(), PLAN, [trial, seen(), seen()])
    assert after.note == "Measured on this machine: 0.4 s a step."
    assert after.terms["seconds/training"] == pytest.approx(expected().terms["seconds/training"], rel=0.01)


def test_another_model_tells_the_speed_but_not_the_memory() -> None:
    other = PLAN.changed({"base_model": "google-bert/bert-base-uncased"})
    before, after = expected(other), correct(expected(other), other, [seen(), seen(origin="run 2")])
    assert after.seconds > before.seconds
    assert after.peak_bytes_high == before.peak_bytes_high
    assert after.note == "By the speed of run 1 and run 2 on this machine, with another model or method."


def test_one_odd_run_does_not_turn_the_estimate() -> None:
    after = correct(expected(), PLAN, [seen(training=19.0), seen(training=1.0), seen(training=1.1)])
    assert after.terms["seconds/training"] == pytest.approx(1.1 * expected().terms["seconds/training"], rel=0.01)


def test_a_trial_is_told_in_words() -> None:
    before = expected()
    for training, words in ((1.0, "as I had expected"), (4.0, "times what I had expected"), (0.2, "as quick as")):
        found = seen(features=training, training=training, memory=None, trial=True)
        assert words in measured.told(before, correct(before, PLAN, [found]), found)
