"""Plans for texts that belong together: what is trained, and the figure that decides."""

from __future__ import annotations

from typing import Any

import pandas
import pytest

from assistant.advise.advisor import advise
from assistant.advise.estimate import estimate
from assistant.advise.hardware import Hardware
from assistant.data.profile import profile
from assistant.data.roles import guess_tasks
from assistant.data.table import Table

LAPTOP = Hardware(cores=4, memory_bytes=16_000_000_000, free_disk_bytes=100_000_000_000, platform="Linux")


def pairs(count: int, **more: Any) -> Table:
    frame = pandas.DataFrame(
        {"sentence1": [f"how do I do thing number {row}" for row in range(count)],
         "sentence2": [f"thing {row} is done like this" for row in range(count)], **more}
    )  # fmt: skip
    return Table("pairs.csv", "csv", frame, [])


@pytest.mark.parametrize(
    ("rows", "wish", "method"),
    [(300, {}, "head"), (3000, {}, "full"), (30_000, {}, "head"), (300, {"preference": "more accurate"}, "full")],
)
def test_a_processor_trains_every_layer_where_that_pays(rows: int, wish: dict[str, Any], method: str) -> None:
    seen = profile(pairs(rows))
    advice = advise(seen, wish, LAPTOP, guess=guess_tasks(seen)[0], test_rows=None, offline=True, goal="")
    assert (advice.plan.task, advice.plan.method.name) == ("sentence-similarity", method)
    assert advice.plan.evaluation.metric == "mrr" and advice.plan.gaps() == []
    assert any("training" in name for name in estimate(advice.plan, seen, LAPTOP).terms) == (method == "full")


def test_scores_are_ranked() -> None:
    seen = profile(pairs(300, score=[row % 5 for row in range(300)]))
    advice = advise(seen, {}, LAPTOP, guess=guess_tasks(seen)[0], test_rows=None, offline=True, goal="")
    assert advice.plan.evaluation.metric == "spearman"
    assert advice.plan.training.batch_size == 32  # the other rows of a step count, so few rows do not make it small
