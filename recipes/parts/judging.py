"""The end of a classification run: figures, baselines and verdict; the model saved and checked.

result = judge(work, head, chosen, answers)
save_and_verify(work, chosen)
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Candidate, Result
from recipes.parts import answers as kept_answers
from recipes.parts import checkpoints, data, device, metrics, probe, save, verdict
from recipes.parts.baselines import Predictions
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.features import Features
from recipes.parts.methods import Classifier
from recipes.parts.modality import Inputs, Modality
from recipes.parts.probe import HeadChoice
from recipes.parts.study import Study
from recipes.parts.training import logits_of
from recipes.plan import Plan

VERIFIED_ROWS = 8
SAVING_SECONDS = 8.0


@dataclass(frozen=True)
class Work:
    """What every step after the loading needs."""

    plan: Plan
    run: RunContext
    kind: Modality
    place: Device
    study: Study
    encoded: Inputs
    found: Features
    memory: checkpoints.Memory


@dataclass(frozen=True)
class Chosen:
    """What goes into `model/`.

    Attributes:
        answers: for the judged rows; sample_logits: for the first few of them, shape (8, outputs).
        trainable, total: numbers of weights.
    """

    classifier: Classifier
    answers: Predictions
    sample_logits: NDArray[Any]
    candidates: list[Candidate]
    trainable: int
    total: int
    curves: dict[str, list[list[float]]] = field(default_factory=dict)


def judge(work: Work, head: HeadChoice, chosen: Chosen, answers: dict[str, Predictions]) -> Result:
    """Figures, baselines and verdict on the judged rows.

    Raises:
        RecipeError: the model gives every input the same answer.
    """
    plan, study, goal = work.plan, work.study, work.study.goal
    rows, mine = study.rows.take(study.judged), chosen.answers
    names = goal.names or None
    failure = verdict.learned(goal.problem, rows.labels, mine.prediction, scores=mine.scores, labels=names)
    if failure is not None:
        raise RecipeError(failure.code, failure.what, failure.expected, failure.fix)

    one_label = goal.problem == metrics.SINGLE
    confusion = metrics.confusion(rows.labels, mine.prediction, len(goal.names)) if one_label else None

    shown = work.kind.shown(rows.inputs)
    kept_answers.write(work.run.directory, goal.problem, goal.names, shown, rows.labels, mine.prediction)

    def figures(given: Predictions) -> Any:
        return metrics.compute(goal.problem, rows.labels, given.prediction, given.scores, names, rows.groups)

    return Result(
        **about(work, chosen),
        problem=goal.problem,
        rows={"train": len(study.train), "validation": len(study.validation), "test": len(rows)},
        metrics=figures(mine),
        baselines={name: figures(given) for name, given in answers.items()},
        verdict=verdict.judge(
            goal.problem, goal.metric, rows.labels, mine, answers, labels=names, groups=rows.groups,
            noun=work.kind.many, cross_validated=bool(study.folds),
            test_fraction=None if study.own_test else plan.evaluation.test_fraction,
        ),
        labels=names,
        confusion=confusion,
        classes=metrics.per_class(goal.problem, rows.labels, mine.prediction, goal.names) or None,
        mistakes=work.kind.illustrate(work.run, study, metrics.mistakes(
            goal.problem,
            shown,
            rows.labels,
            mine.prediction,
            scores=mine.scores,
            labels=names,
            rows=rows.numbers.tolist(),
        )),
        examples=work.kind.examples(work.run, study),
        curves={**chosen.curves, **probe.curve_by_rows(study, work.found, head)},
    )  # fmt: skip


def about(work: Work, chosen: Chosen) -> dict[str, Any]:
    """The fields of a result that say what was trained, on what, and how it is judged."""
    plan, goal = work.plan, work.study.goal
    return {
        "task": str(plan.task),
        "base_model": str(plan.base_model),
        "method": plan.method.model_dump(exclude_none=True),
        "trainable_parameters": chosen.trainable,
        "total_parameters": chosen.total,
        "seconds": {},
        "peak_bytes": {},
        "environment": environment(work.place, work.run),
        "data_sha256": data.data_sha256(plan, work.run.directory),
        "seed": goal.seed,
        "metric": goal.metric,
        "candidates": chosen.candidates,
        "evaluation": work.study.evaluation,
        "model_format": save.model_format(chosen.classifier),
    }


def save_and_verify(work: Work, chosen: Chosen) -> None:
    """Write `model/`, load it again, and compare its answers with those of the run."""
    folder = work.run.directory / "model"

    def do() -> None:
        save.save(chosen.classifier, folder, work.encoded.max_length)
        values = work.study.inputs(work.study.judged[:VERIFIED_ROWS])

        def logits(loaded: Classifier) -> NDArray[Any]:
            return logits_of(loaded, work.kind.encode_new(loaded, values), np.arange(len(values)), work.place)

        save.verify(folder, work.kind, logits, chosen.sample_logits, work.place, work.study.goal.problem)

    work.run.on_main(do)


def environment(place: Device, run: RunContext) -> dict[str, Any]:
    """What computed."""
    return {
        **device.versions(),
        "device": place.name,
        "precision": place.precision,
        "threads": place.threads,
        "processes": run.world_size,
        "platform": platform.platform(),
    }
