"""How many examples a second does fine-tuning all weights take, against Trainer's defaults, on this CPU?

    python benchmarks/full_speed.py [--rows 320 --test-rows 24]

Ours: the method `full` of the recipe (texts of like length together, no dropout masks, the fastest safe precision),
from the first step to the last with the evaluations in between. Theirs: one epoch of Trainer with its defaults (batches
of 8 in random order, padded to the longest), from the end of its first step to the end of its last. Loading and
tokenising are left out on both sides. The gain depends on the lengths: where every text fills the limit
(`--max-length 128`) only the dropout masks are saved, where they differ the padding is saved too. Goal: 2.5 times.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from common import LONGEST, accuracy, arguments, read_rows, run_recipe, shown, train_plainly

GOAL = 2.5
VALIDATION_ROWS = 20  # at least: with fewer the recipe does not train the body


def main() -> int:
    """Print the comparison; exit code 0 when the goal is reached."""
    options = arguments(__doc__.splitlines()[0], max_length=LONGEST, batch_size=16).parse_args()
    rows = read_rows(options.data, options.rows, options.test_rows)
    with tempfile.TemporaryDirectory(prefix="full-speed-", dir=options.work) as scratch:
        result, events = run_recipe(
            Path(scratch) / "runs" / "full",
            rows,
            {
                "method.name": "full",
                "training.max_length": options.max_length,
                "training.batch_size": options.batch_size,
                "evaluation.validation_fraction": max(0.05, VALIDATION_ROWS / len(rows.train)),
            },
        )
        plain = train_plainly(rows, options, frozen=False, folder=Path(scratch) / "trainer", num_train_epochs=1)
    ours = training_speed(events, result.rows["train"])
    theirs = (len(rows.train) - options.trainer_batch_size) / plain.steady_seconds
    print(f"{len(rows.train):,} rows, one epoch, {options.max_length} tokens")
    print(f"recipe, method full     {ours:8.1f} examples/s   accuracy {shown(result.metrics['accuracy'])}")
    print(f"Trainer, its defaults   {theirs:8.1f} examples/s   accuracy {shown(accuracy(rows, plain.prediction))}")
    print(f"ratio {ours / theirs:.1f} (goal {GOAL:g})")
    return 0 if ours / theirs >= GOAL else 1


def training_speed(events: list[Any], rows: int) -> float:
    """Examples a second of the training phase of one epoch, from its progress events."""
    steps = [event for event in events if event.kind == "progress" and event.phase == "training"]
    first, last = steps[0], steps[-1]
    share = (last.step - first.step) / last.total_steps
    return float(rows * share / (last.at - first.at))


if __name__ == "__main__":
    raise SystemExit(main())
