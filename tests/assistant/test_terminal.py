"""What the command writes for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant import terminal
from assistant.chat.turns import Option, Reply
from assistant.errors import PlainError
from recipes.events import Cancelled, EventWriter, Metric, Phase, Progress, Resumed, Warned


def test_characters_that_move_the_cursor_are_left_out() -> None:
    assert terminal.printable("a\x1b[2Jb\u202ec\x07\nd\te\x9b") == "a[2Jbc\nd\te"


def test_progress_follows_the_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = EventWriter(tmp_path / "events.jsonl")
    progress = terminal.Progress(tmp_path)
    progress("run")
    writer.write(Phase(name="training", text="Training the last layers"))
    for step in range(1, 50):
        writer.write(Progress(step=step, total_steps=50, eta_seconds=125))
    progress("run")
    writer.write(Warned(code="out-of-memory", text="It goes on with 8 rows."))
    writer.write(Resumed(step=40))
    writer.write(Metric(split="validation", step=50, name="accuracy", value=0.9))
    writer.write(Cancelled(step=50, model_kept=True))
    progress("run")
    progress("run")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "… Training the last layers",
        "  training: step 1 of 50, about 2 min left",
        "! It goes on with 8 rows.",
        "… going on from step 40",
        "Stopped. The best state so far is kept.",
    ], "on a stream that is no terminal, one line of progress in ten seconds"


def test_an_error_is_one_block(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.complain(PlainError("x", "It is \x1bbroken.", "", "Mend it."))
    assert capsys.readouterr().err == "Error: It is broken.\n       Mend it.\n"


def test_replies_end_with_what_may_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        Option(label="Start", say="start"),
        Option(label="Go", say="start"),
        Option(label="Why", say="why head?"),
    ]
    terminal.write_replies([Reply(text="Here is a plan."), Reply(text="Shall I?", options=options)])
    assert capsys.readouterr().out == "Here is a plan.\n\nShall I?\n\nYou can say: start · why head?\n\n"


@pytest.mark.parametrize(("seconds", "said"), [(5, "5 s"), (89, "89 s"), (120, "2 min"), (7200, "2.0 h")])
def test_durations(seconds: float, said: str) -> None:
    assert terminal.duration(seconds) == said


def test_columns_are_aligned() -> None:
    assert terminal.table([["run", "status"], ["10", "x"]]) == "run  status\n10   x"
