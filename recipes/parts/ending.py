"""What every recipe checks after its training, and what it adds to the result when all is done.

outcome = learn(plan, run, module, train, keep)     what must not change has not changed, what must move has moved
result = complete(plan, run, place, result, card)   times, memory and notes; the model's card is written from it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recipes.events import Estimate, Result
from recipes.parts import device, methods
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError, Stopped
from recipes.parts.steady import Outcome
from recipes.plan import Plan


def learn(
    plan: Plan,
    run: RunContext,
    module: Any,
    train: Callable[[], Outcome],
    keep: Callable[[], object],
    saving_seconds: float,
) -> Outcome:
    """Run a training; what must not change is checked to be unchanged, bit for bit.

    Args:
        keep: writes `model/` with the best state, when the training was stopped.
        saving_seconds: with less time left than this, no step could be taken.

    Raises:
        RecipeError: `nan`, `no-step`, `weights-unchanged` or `frozen-changed`. Stopped: the best state is in `model/`.
    """
    frozen = methods.weights_sha256(module, trainable=False)
    outcome = train()
    check_frozen(plan, module, frozen)
    if outcome.stopped:
        if outcome.quality is not None:
            run.on_main(keep)
        raise Stopped(outcome.steps, model_kept=outcome.quality is not None)
    if outcome.steps == 0:
        late = run.seconds_left() < saving_seconds
        raise RecipeError(
            "no-step",
            "The training ended without a single step: "
            + ("the time was over before it." if late else "there was nothing to do."),
            "At least one step is needed to learn anything.",
            "Allow more time (training.max_minutes), more epochs, or a smaller base model.",
        )
    check_moved(plan, outcome)
    return outcome


def check_frozen(plan: Plan, module: Any, before: str, first: str = "") -> None:
    """Weights that do not train are what they were.

    Args:
        before: `methods.weights_sha256` of them; first: what to try before reporting it.

    Raises:
        RecipeError: `frozen-changed`.
    """
    if methods.weights_sha256(module, trainable=False) != before:
        raise RecipeError(
            "frozen-changed",
            "Weights that were to stay as they are have changed during the training.",
            f"The method {plan.method.name} trains only a part of the model.",
            f"This is a fault of the program: {first}report it.",
        )


def check_moved(plan: Plan, outcome: Outcome) -> None:
    """A training that took steps changed weights.

    Raises:
        RecipeError: `weights-unchanged`.
    """
    if outcome.steps and not outcome.moved:
        raise RecipeError(
            "weights-unchanged",
            f"After {outcome.steps:,} steps every trained weight is what it was before.",
            "Training changes weights; it cannot when the learning rate is too small to matter.",
            f"Choose a higher learning rate than {plan.training.learning_rate:g}.",
        )


def complete(
    plan: Plan, run: RunContext, place: Device, result: Result, model_card: Callable[[Plan, Result], str]
) -> Result:
    """The result with what is known only at the end; the model's card is written from it."""
    measured = device.peak_bytes(place)
    seconds = {name: round(value, 3) for name, value in run.seconds.items()}
    expected = plan.compute.expected_seconds
    seconds |= {"predicted": expected} if expected is not None else {}
    final = result.model_copy(
        update={
            "seconds": {**seconds, "total": round(run.elapsed(), 3)},
            "peak_bytes": {"predicted": run.predicted_peak_bytes, "measured": measured},
            "warnings": run.warnings,
            "notes": run.notes,
        }
    )
    (run.directory / "model" / "README.md").write_text(model_card(plan, final), encoding="utf-8")
    run.write(
        Estimate(
            predicted_peak_bytes=run.predicted_peak_bytes,
            measured_peak_bytes=measured,
            predicted_seconds=expected,
            measured_seconds=run.elapsed(),
        )
    )
    return final
