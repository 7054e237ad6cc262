"""The fold: whatever a file holds becomes a view, and a whole run becomes the right one."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.report import run
from recipes import events as contract

started = contract.Started(at=100.0, versions={"torch": "2"}, device="cpu", plan="abc")


def test_nothing_yet_is_queued() -> None:
    assert run.fold([]) == run.RunView(status="queued")


def test_a_whole_run() -> None:
    view = run.fold(
        [
            started,
            contract.Phase(at=101, name="reading", text="Reading 300 rows"),
            contract.Phase(at=103, name="training", text="Training"),
            contract.Progress(at=104, step=5, total_steps=20, eta_seconds=15.0),
            contract.Metric(at=104, split="train", step=5, name="loss", value=0.7),
            contract.Estimate(at=104, predicted_peak_bytes=10, predicted_seconds=60),
            contract.Progress(at=109, step=20, total_steps=20, eta_seconds=0),
            contract.Metric(at=109, split="validation", step=20, name="accuracy", value=0.9),
            contract.Warned(at=109, code="few-rows", text="Few rows."),
            contract.Warned(at=109, code="few-rows", text="Few rows."),
            contract.Estimate(at=110, measured_peak_bytes=12),
            contract.Checkpoint(at=110, step=20, path="checkpoints/20", best=True),
            contract.Finished(at=111, verdict="better", text="Good."),
        ]
    )
    assert (view.status, view.verdict_code, view.verdict) == ("finished", "better", "Good.")
    assert (view.started_at, view.ended_at, view.seconds) == (100.0, 111.0, 11.0)
    assert [(s.name, s.seconds) for s in view.stretches] == [("reading", 2.0), ("training", 8.0)]
    assert view.curves == {"train/loss": [[5.0, 0.7]], "validation/accuracy": [[20.0, 0.9]]}
    assert [notice.code for notice in view.warnings] == ["few-rows"]
    assert view.estimate.predicted_peak_bytes == 10 and view.estimate.measured_peak_bytes == 12
    assert view.best_step == 20 and view.eta_seconds is None and not view.live


def test_a_stop_and_a_resume_count_only_the_time_at_work() -> None:
    first = [
        started,
        contract.Progress(at=110, step=50, total_steps=100, eta_seconds=10),
        contract.Metric(at=110, split="train", step=50, name="loss", value=0.5),
        contract.Cancelled(at=110, step=50, model_kept=True),
    ]
    stopped = run.fold(first)
    assert (stopped.status, stopped.model_kept, stopped.seconds) == ("cancelled", True, 10.0)
    again = [
        contract.Resumed(at=1000, step=40),
        contract.Progress(at=1005, step=60, total_steps=100, eta_seconds=4),
        contract.Metric(at=1005, split="train", step=60, name="loss", value=0.4),
    ]
    going = run.fold(first + again)
    assert (going.status, going.step, going.resumed, going.seconds) == ("running", 60, 1, 15.0)
    assert going.curves["train/loss"] == [[60.0, 0.4]], "what came after the checkpoint is repeated, not shown twice"
    assert going.ended_at is None and not going.model_kept


def test_a_failure_keeps_its_three_sentences() -> None:
    view = run.fold([started, contract.Failed(at=105, code="nan-loss", what="A.", expected="B.", fix="C.")])
    assert view.failure is not None
    assert (view.status, view.failure.what, view.failure.expected, view.failure.fix) == ("failed", "A.", "B.", "C.")


def test_a_killed_process_gives_the_time_until_its_last_event() -> None:
    events = [started, contract.Progress(at=105, step=1, total_steps=9), contract.Resumed(at=500, step=0)]
    assert run.fold(events).seconds == 5.0


def test_curves_stay_small_and_keep_the_newest_point() -> None:
    metrics = [contract.Metric(at=1, split="train", step=i, name="loss", value=1 / (i + 1)) for i in range(100_000)]
    points = run.fold(metrics).curves["train/loss"]
    assert len(points) <= run.MAX_POINTS + 1
    assert points[0][0] == 0 and points[-1][0] == 99_999
    steps = [point[0] for point in points]
    assert steps == sorted(set(steps))


def test_a_value_that_is_no_number_has_no_point() -> None:
    metric = contract.Metric(at=1, split="train", step=1, name="loss", value=float("nan"))
    assert run.fold([metric]).curves == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
kinds = st.sampled_from([*sorted(contract._KINDS), "view", "begin", "feed", "", "unheard-of"])
fields = st.sampled_from(["at", "kind", "step", "total_steps", "eta_seconds", "name", "text", "value", "split", "code"])
plausible = {
    "at": st.floats(0, 1e6),
    "step": st.integers(-5, 10**7),
    "total_steps": st.integers(-5, 10**7),
    "value": st.floats(),
    "split": st.sampled_from(["train", "validation", "test"]),
    "versions": st.just({}),
    "eta_seconds": st.floats() | st.none(),
    "best": st.booleans(),
    "model_kept": st.booleans(),
}
events_like = st.fixed_dictionaries(
    {"kind": kinds, **{name: values | json_values for name, values in plausible.items()}},
    optional=dict.fromkeys(["name", "text", "code", "what", "verdict", "path", "device", "plan"], st.text(max_size=12)),
).map(json.dumps)
anything = st.dictionaries(fields, json_values, max_size=5).map(json.dumps) | st.text(max_size=40)


@settings(max_examples=150, deadline=None)
@given(st.lists(events_like | anything, max_size=25))
def test_any_lines_become_a_view(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = "\n".join([*lines, '{"torn'])
        (Path(folder) / "events.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
        view = run.load(Path(folder))
    assert run.RunView.model_validate_json(view.model_dump_json()).status == view.status
    assert view.fraction is None or 0 <= view.fraction <= 1
    assert view.seconds >= 0


@settings(max_examples=60, deadline=None)
@given(st.lists(events_like, max_size=15), st.integers(0, 15))
def test_reading_in_portions_gives_the_same_view(lines: list[str], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole, parts = Path(folder) / "whole", Path(folder) / "parts"
        for path, some in ((whole, lines), (parts, lines[:cut])):
            path.mkdir()
            (path / "events.jsonl").write_text("".join(line + "\n" for line in some))
        run.load(parts)
        with (parts / "events.jsonl").open("a") as file:
            file.write("".join(line + "\n" for line in lines[cut:]))
        assert run.load(parts).model_dump_json() == run.load(whole).model_dump_json()


def test_only_what_was_appended_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = contract.EventWriter(tmp_path / "events.jsonl")
    writer.write(started)
    assert run.load(tmp_path).status == "running"
    offsets: list[int] = []
    genuine = contract.read_events

    def spy(path: Path, offset: int = 0) -> tuple[list[object], int]:
        offsets.append(offset)
        return genuine(path, offset)

    monkeypatch.setattr(contract, "read_events", spy)
    run.load(tmp_path)
    assert offsets == [], "nothing new: the file is not opened"
    writer.write(contract.Progress(at=101, step=1, total_steps=2))
    assert run.load(tmp_path).step == 1
    assert len(offsets) == 1 and offsets[0] > 0


def test_a_file_that_was_replaced_is_read_from_its_beginning(tmp_path: Path) -> None:
    writer = contract.EventWriter(tmp_path / "events.jsonl")
    for step in range(9):
        writer.write(contract.Progress(at=step, step=step, total_steps=9))
    assert run.load(tmp_path).step == 8
    (tmp_path / "events.jsonl").unlink()
    assert run.load(tmp_path).status == "queued"
    writer.write(started)
    assert (run.load(tmp_path).step, run.load(tmp_path).status) == (0, "running")


def result_json(**changes: object) -> str:
    result = {
        "task": "text-classification", "base_model": "minilm", "method": {"name": "head"}, "rows": {"test": 10},
        "metrics": {"accuracy": {"value": 0.9}}, "baselines": {}, "verdict": {"code": "same", "text": "As good."},
        "trainable_parameters": 1, "total_parameters": 2, "seconds": {}, "peak_bytes": {}, "environment": {},
        "data_sha256": "", "seed": 42,
    }  # fmt: skip
    return json.dumps({**result, **changes})


def test_the_result_makes_a_run_finished(tmp_path: Path) -> None:
    writer = contract.EventWriter(tmp_path / "events.jsonl")
    writer.write(started)
    writer.write(contract.Finished(at=110, verdict="same", text="As good."))
    saving = run.load(tmp_path)
    assert (saving.status, saving.phase) == ("running", "saving")
    (tmp_path / "result.json").write_text(result_json())
    assert (run.load(tmp_path).status, run.load(tmp_path).verdict) == ("finished", "As good.")


def test_a_result_without_a_last_word_is_finished(tmp_path: Path) -> None:
    contract.EventWriter(tmp_path / "events.jsonl").write(started)
    (tmp_path / "result.json").write_text("{torn")
    assert run.load(tmp_path).status == "running"
    (tmp_path / "result.json").write_text(result_json())
    view = run.load(tmp_path)
    assert (view.status, view.verdict_code, view.verdict) == ("finished", "same", "As good.")
