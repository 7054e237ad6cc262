"""What the untuned language model answered, kept in the run's folder: a resumed run need not ask it again."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

from recipes.parts import checkpoints
from recipes.parts.context import RunContext

FILE = "before.json"


@dataclass
class Before:
    """The untuned model on the rows that will judge, and what it writes.

    Attributes:
        losses, few_shot: summed loss of each judged sequence; few_shot is empty where no examples can be shown.
        shots: how many examples the prompt held.
        general: summed loss of each sentence of plain English.
        rows: test rows whose answers were written; written: those answers; seconds: what the writing took.
    """

    losses: list[float] = field(default_factory=list)
    few_shot: list[float] = field(default_factory=list)
    shots: int = 0
    general: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def known(cls, run: RunContext) -> Before | None:
        """What an earlier process of this run found; None when there is none."""

        def read() -> Before | None:
            try:
                return cls(**json.loads((run.directory / "checkpoints" / FILE).read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                return None

        return run.on_main(read)

    def keep(self, run: RunContext) -> None:
        """Write it whole."""

        def write() -> None:
            folder = run.directory / "checkpoints"
            folder.mkdir(parents=True, exist_ok=True)
            checkpoints.write_atomically(folder / FILE, json.dumps(dataclasses.asdict(self)))

        run.on_main(write)
