"""What this machine really did: ratios of measured to expected, from a short trial or from earlier runs. Pure.

    ratios(expected, result, step_seconds, …)  -> Measured | None
    correct(expected, plan, known)             -> Estimate, narrower, with a sentence on what it rests on

Only ratios are kept, so that a trial of a hundred rows corrects a plan for a hundred thousand.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from assistant.advise.estimate import HIGH, LOW, MEMORY_HIGH, MEMORY_LOW, Estimate, readable_bytes
from recipes.plan import Plan

#: Seconds of reading below which nothing is learned: the start takes as long, or the features were kept from before.
LEAST_SECONDS = 0.5
#: A ratio beyond these is an accident (a sleeping laptop, features that were kept), not a speed.
LEAST_RATIO, MOST_RATIO = 0.05, 20.0
#: Ranges around the corrected middle: the same model and method, and any other on the same machine.
SAME = (0.8, 1.3)
OTHER = (0.65, 1.5)
SAME_MEMORY = (0.92, 1.12)
#: Earlier measurements that count; older ones saw another machine's load.
NEWEST = 5


class Measured(BaseModel):
    """Measured over expected. A ratio is None where nothing was measured.

    Attributes:
        origin: "a trial on this machine", "run 3".
        features: reading all texts once; training: one step; memory: the peak.
        seconds_a_step: as measured; 0.0 where no step was made.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    base_model: str
    method: str
    layers: int | None = None
    device: str = "cpu"
    origin: str
    trial: bool = False
    features: float | None = None
    training: float | None = None
    memory: float | None = None
    seconds_a_step: float = 0.0
    at: float = Field(default_factory=time.time)

    def fits(self, plan: Plan) -> bool:
        """Whether it was measured with the same model and method."""
        return (self.base_model, self.method, self.layers) == _key(plan)


def _key(plan: Plan) -> tuple[str, str, int | None]:
    method = plan.method.name or "head"
    return plan.base_model or "", method, plan.method.layers if method == "last_layers" else None


def planned_steps(plan: Plan, training_rows: float) -> float:
    """Steps of all epochs."""
    return max(1.0, (plan.training.epochs or 1) * training_rows / max(plan.training.batch_size or 16, 1))


def ratios(
    plan: Plan, expected: Estimate, result: Mapping[str, Any], step_seconds: float | None, *, origin: str, trial: bool
) -> Measured | None:
    """What a run, or a trial, says about the estimate that was made for it; None where it says nothing.

    Args:
        expected: the uncorrected estimate for exactly this run's rows.
        result: `result.json`. step_seconds: mean seconds of a training step, None where there was none.
    """
    seconds, rows = result.get("seconds") or {}, result.get("rows") or {}
    model, method, layers = _key(plan)
    read, foreseen = float(seconds.get("features") or 0), expected.terms.get("seconds/features", 0.0)
    features = _ratio(read, foreseen) if read >= LEAST_SECONDS else None
    training = None
    if step_seconds and expected.terms.get("seconds/training"):
        work = expected.terms["seconds/training"] + expected.terms.get("seconds/optimiser", 0.0)
        training = _ratio(step_seconds, work / planned_steps(plan, float(rows.get("train") or 1)))
    peak = (result.get("peak_bytes") or {}).get("measured")
    memory = _ratio(float(peak), expected.peak_bytes) if peak else None
    if features is None and training is None:
        return None
    return Measured(
        base_model=model, method=method, layers=layers, device=expected.device, origin=origin, trial=trial,
        features=features, training=training, memory=memory, seconds_a_step=round(step_seconds or 0.0, 4),
    )  # fmt: skip


def _ratio(measured: float, foreseen: float) -> float | None:
    ratio = measured / foreseen if foreseen > 0 else 0.0
    return ratio if LEAST_RATIO <= ratio <= MOST_RATIO else None


def correct(expected: Estimate, plan: Plan, known: Sequence[Measured]) -> Estimate:
    """The estimate with what this machine was seen to do; as it was where nothing is known of it.

    Args:
        known: newest first. A trial of the same plan beats everything; then the same model and method; then any run of
            this machine, which tells its speed but not the memory of another model.
    """
    here = [one for one in known if one.device == expected.device][: 4 * NEWEST]
    same = [one for one in here if one.fits(plan)][:NEWEST]
    used = same[:1] if same and same[0].trial else same or here[:NEWEST]
    if not used:
        return expected
    features = _middle([one.features for one in used])
    training = _middle([one.training for one in used]) or features
    memory = _middle([one.memory for one in used]) if same else None
    factors = {
        "features": features, "training": training, "optimiser": training, "evaluation": training or features,
    }  # fmt: skip
    terms = {
        name: value * (factors.get(name.removeprefix("seconds/")) or 1.0) if name.startswith("seconds/") else value
        for name, value in expected.terms.items()
    }
    return _narrowed(expected, terms, memory, used, same=bool(same))


def _middle(ratios_: Sequence[float | None]) -> float | None:
    found = [one for one in ratios_ if one]
    return median(found) if found else None


def _narrowed(
    expected: Estimate, terms: dict[str, float], memory: float | None, used: Sequence[Measured], *, same: bool
) -> Estimate:
    low, high = SAME if same else OTHER
    before = expected.seconds
    after = sum(value for name, value in terms.items() if name.startswith("seconds/"))
    extra = max(0.0, expected.seconds_high - HIGH * before)  # a download, whose speed is not measured
    changes: dict[str, Any] = {"seconds_low": round(low * after, 1), "seconds_high": round(high * after + extra, 1)}
    if memory:
        terms |= {name: value * memory for name, value in terms.items() if name.startswith("bytes/")}
        changes["peak_bytes_low"] = int(expected.peak_bytes_low / MEMORY_LOW * memory * SAME_MEMORY[0])
        changes["peak_bytes_high"] = int(expected.peak_bytes_high / MEMORY_HIGH * memory * SAME_MEMORY[1])
    scale = after / before if before else 1.0
    changes |= {"dollars_low": expected.dollars_low * scale * low / LOW, "dollars_high": expected.dollars_high * scale}
    return expected.model_copy(update={**changes, "terms": terms, "note": _sentence(used, same=same)})


def _sentence(used: Sequence[Measured], *, same: bool) -> str:
    """What the corrected figures rest on."""
    step = used[0].seconds_a_step
    speed = f"{step:.2g} s a step" if step else "how fast it reads"
    if used[0].trial and same:
        return f"Measured on this machine: {speed}."
    origins = list(dict.fromkeys(one.origin for one in used))
    named = origins[0] if len(origins) == 1 else f"{', '.join(origins[:-1])} and {origins[-1]}"
    if same:
        return f"By what {named} took here with the same model and method ({speed})."
    return f"By the speed of {named} on this machine, with another model or method."


def told(before: Estimate, after: Estimate, found: Measured) -> str:
    """The outcome of a trial, in a sentence or two."""
    step = f"{found.seconds_a_step:.2g} s a step" if found.seconds_a_step else "it only reads and fits a last layer"
    off = after.seconds / before.seconds if before.seconds else 1.0
    compared = (
        "as I had expected" if 0.83 <= off <= 1.2 else f"{off:.1f} times what I had expected"
        if off > 1 else f"{1 / off:.1f} times as quick as I had expected"
    )  # fmt: skip
    memory = f", with at most about {readable_bytes(after.peak_bytes)} of memory" if found.memory else ""
    return f"Measured on this machine: {step}; that is {compared}{memory}."
