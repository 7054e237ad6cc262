"""Method, length, epochs and the other settings of a text classifier, each with its reason. Pure.

The ladder: the best way that the data deserve stands on top, cheaper ways below; the first that the time allows is
taken. Sources of the defaults: Kumar 2022 (linear probe, then fine-tune), Mosbach 2021 and Zhang 2021 (small data: low
learning rate, more epochs, warm-up), AutoGluon (layer decay 0.9), SetFit (few rows: a frozen sentence encoder).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.advise import estimate
from assistant.advise.catalog import Model
from assistant.advise.draft import Draft
from assistant.advise.estimate import readable_seconds
from assistant.advise.facts import DataFacts
from assistant.advise.hardware import Hardware
from recipes.plan import Plan

LENGTHS = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192)
FEW_PER_CLASS = 16  # up to here a frozen body with a new last layer is at least as good (SetFit paper)
FEW_ROWS = 100  # below, the judgement is by repeated cross-validation
MANY_PER_CLASS = 200  # from here on there is enough to move every layer
CPU_MINUTES = 15.0
GPU_MINUTES = 60.0
DEMO_MINUTES = 10.0
SMALL_ROWS, SMALL_SECONDS = 1000, 70.0  # below so many rows a first result should be there in about a minute
PATIENT = 3.0  # "more accurate" may take so many times as long
USABLE = 0.75  # share of the time limit that the middle estimate may fill: estimates err
LORA_FROM = 300e6  # parameters from which adapters replace full fine-tuning [facts, section 2]


@dataclass(frozen=True)
class Way:
    """One rung: how much of the model trains, how often, and how much of each text it reads."""

    method: str
    layers: int | None
    epochs: float
    length: int

    def changes(self) -> dict[str, object]:
        """As fields of a plan."""
        return {
            "method.name": self.method,
            "method.layers": self.layers if self.method == "last_layers" else None,
            "method.rank": 16 if self.method in ("lora", "qlora") else None,
            "training.epochs": self.epochs,
            "training.max_length": self.length,
        }


@dataclass(frozen=True)
class Situation:
    """Everything that the settings follow from."""

    data: DataFacts
    model: Model
    hardware: Hardware
    plan: Plan  # task, columns, compute and the split are set
    minutes: float

    @property
    def machine(self) -> Hardware:
        """The machine that the run uses."""
        return estimate.effective(self.plan, self.hardware)

    def seconds(self, way: Way, batch_size: int = 32) -> float:
        """Middle estimate of a whole run."""
        plan = self.plan.changed({**way.changes(), "training.batch_size": batch_size})
        return estimate.of(plan, self.model, self.data, self.hardware).seconds

    @property
    def limit(self) -> float:
        """Seconds that the middle estimate may reach."""
        return USABLE * 60 * self.minutes


def length_for(tokens: int, cap: int) -> int:
    """The smallest step that holds so many tokens, at most the cap."""
    return min(cap, next((step for step in LENGTHS if step >= tokens), LENGTHS[-1]))


def half(model: Model) -> int:
    """Half of the blocks, rounded up."""
    return max(1, math.ceil(model.layers / 2))


def best_way(situation: Situation, draft: Draft) -> Way:
    """The way that the data deserve if time were no matter."""
    data, model = situation.data, situation.model
    on_gpu = situation.machine.gpu is not None
    cap = min(model.context, 2048 if on_gpu else 512)
    length = length_for(data.p99_tokens, cap)
    accurate = draft.preference == "more accurate"
    if data.per_class <= FEW_PER_CLASS or data.rows < FEW_ROWS:
        return Way("head", None, 1, length)
    if data.rows < 1000 or data.per_class < MANY_PER_CLASS:
        few_epochs = 8.0 if on_gpu else 5.0 if data.rows < 1000 else 4.0
        if accurate:
            return Way("full", None, few_epochs + 3, length)
        return Way("last_layers", half(model), few_epochs, length)
    epochs = 3.0 if data.rows < 20_000 else 2.0 if data.rows < 100_000 else 1.0
    method = "lora" if model.parameters >= LORA_FROM else "full"
    return Way(method, None, epochs + (2 if accurate else 0), length)


def ladder(best: Way, model: Model) -> Iterator[Way]:
    """The best way, then cheaper ones: fewer epochs, fewer layers, shorter texts; last the head alone."""
    lengths = [best.length, *(step for step in reversed(LENGTHS) if step < best.length)]
    if best.method != "head":
        fewer = (best.epochs, max(2.0, math.ceil(best.epochs / 2)), 2.0)
        epochs = list(dict.fromkeys(min(best.epochs, each) for each in fewer))
        for length in [step for step in lengths if step >= min(best.length, max(128, best.length // 4))]:
            if best.method != "last_layers":
                yield from (Way(best.method, None, each, length) for each in epochs)
            yield from (Way("last_layers", best.layers or half(model), each, length) for each in epochs)
    yield from (Way("head", None, 1, length) for length in lengths)


def allowed(way: Way, draft: Draft) -> bool:
    """Whether a way keeps to what the person asked for."""
    return way.method == draft.method if draft.method else way.method not in draft.avoid


def asked_ways(best: Way, model: Model, draft: Draft) -> list[Way]:
    """The rungs that fit the wishes; a wished count of layers, epochs or length replaces the choice."""
    wish, method = draft.wish, draft.method
    ways = list(ladder(best, model))
    if method and not any(way.method == method for way in ways):
        layers = half(model) if method == "last_layers" else None
        epochs = max(3.0, best.epochs) if method != "head" else 1.0
        ways = [Way(method, layers, e, way.length) for way in ways for e in dict.fromkeys((epochs, min(2.0, epochs)))]
    ways = [
        Way(
            way.method,
            int(wish["method.layers"]) if way.method == "last_layers" and "method.layers" in wish else way.layers,
            float(wish.get("training.epochs") or way.epochs),
            int(wish.get("training.max_length") or way.length),
        )
        for way in ways
    ]
    ways = list(dict.fromkeys(ways))
    return [way for way in ways if allowed(way, draft)] or ways


def in_a_minute(situation: Situation, draft: Draft) -> float:
    """Seconds for a small data set on a processor, where the person said nothing about time or quality."""
    quick = situation.data.rows < SMALL_ROWS and situation.machine.gpu is None
    if not quick or draft.preference == "more accurate" or draft.wished("training.max_minutes"):
        return math.inf
    whole = length_for(situation.data.p99_tokens, min(situation.model.context, 512))
    return max(SMALL_SECONDS, 1.2 * situation.seconds(Way("head", None, 1, whole)))


def pick(situation: Situation, draft: Draft) -> tuple[Way, Way, float]:
    """The first rung that the time allows (else the cheapest), the top rung, and the top rung's seconds."""
    best = best_way(situation, draft)
    ways = asked_ways(best, situation.model, draft)
    top = ways[0]
    top_seconds = situation.seconds(top)
    limit = min(situation.limit, in_a_minute(situation, draft))
    if draft.preference == "faster":
        usual = next((way for way in ways if situation.seconds(way) <= limit), ways[-1])
        limit = 0.5 * situation.seconds(usual)
    chosen = next((way for way in ways if situation.seconds(way) <= limit), None)
    return chosen or min(ways, key=situation.seconds), top, top_seconds


# ---------------------------------------------------------------- settings with reasons


def settle(situation: Situation, draft: Draft) -> None:
    """Choose every field of `method` and `training`."""
    way, top, top_seconds = pick(situation, draft)
    _method(situation, draft, way, top, top_seconds)
    _length(situation, draft, way, top)
    _steps(situation, draft, way, top)
    _guards(situation, draft, way)


def _method(situation: Situation, draft: Draft, way: Way, top: Way, top_seconds: float) -> None:
    data, model = situation.data, situation.model
    per_class = f"{data.per_class:,.0f} rows a class" if data.classes else f"{data.rows:,} rows"
    slower = way.method != top.method or way.layers != top.layers
    why_not = ""
    if slower:
        step = f" {NAMES[top.method]} is the runner-up: about {readable_seconds(top_seconds)} here"
        why_not = f"{step}, so say “more accurate” if you can wait." if top_seconds < 5400 else f"{step}."
    if way.method == "head":
        reason = (
            f"The pretrained body stays frozen and only a new last layer learns: with {per_class} this is quick and "
            "hard to overfit (SetFit paper)."
        )
        reason += why_not or " Runner-up: also training the last layers, worth it from a few hundred rows on."
    elif way.method == "last_layers":
        reason = (
            f"{per_class}: enough to adapt the upper {way.layers} of {model.layers} layers; the lower ones hold "
            "general "
            "language and stay frozen. It starts from the fitted last layer (Kumar 2022) and is kept only if it wins."
        )
        reason += why_not or " Runner-up: only the last layer, seconds instead of minutes."
    elif way.method == "lora":
        reason = (
            f"{model.name} has {model.size_text} parameters: small adapters in every layer learn as well as training "
            "all of it and need much less memory. Runner-up: training every weight."
        )
    else:
        reason = (
            f"{per_class}: enough to let every layer adapt. It starts from the fitted last layer (Kumar 2022) and is "
            "kept only if it wins. Runner-up: the last layers only, quicker and a little less accurate."
        )
    draft.choose("method.name", way.method, reason)
    if way.method == "last_layers":
        layers = min(int(way.layers or 1), max(model.layers, 1))
        if draft.wished("method.layers") and layers != draft.wish["method.layers"]:
            draft.refused.append(
                f"{model.name} has {model.layers} layers, so “the last {draft.wish['method.layers']}” means all of "
                "them."
            )
            draft.wish["method.layers"] = layers
        draft.choose(
            "method.layers", layers,
            f"{layers} of {model.layers} layers. Fewer would be quicker, more could adapt further.",
        )  # fmt: skip
    if way.method in ("lora", "qlora"):
        rank = draft.choose("method.rank", 16, "16 is wide enough for a classifier; 8 is the thriftier runner-up.")
        draft.choose("method.alpha", min(4096, 2 * int(rank)), "Twice the rank, as usual for LoRA.")
        draft.choose("method.dropout", 0.0, "Dropout in adapters costs memory and rarely helps; 0.05 is the runner-up.")


NAMES = {
    "head": "Only the last layer",
    "last_layers": "Training the last layers",
    "lora": "Training with adapters (LoRA)",
    "qlora": "Training with adapters on a 4-bit model (QLoRA)",
    "full": "Training every layer",
}


def _length(situation: Situation, draft: Draft, way: Way, top: Way) -> None:
    data = situation.data
    cut = data.share_longer_than(way.length)
    longest = f"99 of 100 texts have at most about {data.p99_tokens:,} tokens (word pieces)"
    if way.length >= data.p99_tokens:
        reason = f"{longest}, so {way.length} reads nearly all of each. A larger limit would change nothing."
    elif way.length < top.length:
        reason = (
            f"{longest}, but {top.length} would take too long here; with {way.length} about {cut:.0%} of the texts "
            "are cut "
            f"at the end. Runner-up: {top.length}, with more time."
        )
    else:
        reason = (
            f"{longest}; {way.length} is as much as is sensible here, so about {cut:.0%} of the texts are cut at "
            "the end. "
            "What a text is about mostly shows at its start."
        )
    draft.choose("training.max_length", way.length, reason)


def learning_rate_for(method: str, model: Model, rows: int) -> float:
    """1e-4 for MiniLM-sized bodies, 2e-5 to 5e-5 for a base, 1e-5 for a large one; LoRA: about ten times as much."""
    if method == "head":
        return 1e-3
    small, large = model.parameters <= 40e6, model.parameters >= 250e6
    if method in ("lora", "qlora"):
        return 5e-4 if small else 2e-4 if large else 3e-4
    if small:
        return 1e-4
    return 1e-5 if large else 2e-5 if rows < 1000 else 3e-5


def _steps(situation: Situation, draft: Draft, way: Way, top: Way) -> None:
    data, model = situation.data, situation.model
    if way.method == "head":
        draft.choose("training.epochs", way.epochs, "The body is read once; the last layer is then fitted exactly.")
        draft.choose(
            "training.learning_rate", 1e-3,
            "Hardly matters: the last layer is fitted by L-BFGS, which finds its own step size.",
        )  # fmt: skip
    else:
        draft.choose(
            "training.epochs", way.epochs,
            _epochs_reason(data, way, top),
        )  # fmt: skip
        rate = learning_rate_for(way.method, model, data.rows)
        draft.choose(
            "training.learning_rate", rate,
            f"What suits {'adapters on ' if way.method == 'lora' else ''}a model of {model.size_text} parameters; "
            "smaller "
            f"models bear more. Runner-up: {rate / 2:g}, slower and safer.",
        )  # fmt: skip
    size = batch_size_for(situation)
    draft.choose(
        "training.batch_size", size,
        f"{size} rows a step: with {data.rows:,} rows that gives {max(1, round(data.rows * 0.7 / size)):,} steps a "
        "pass. "
        f"Runner-up: {size * 2}, steadier with fewer steps.",
    )  # fmt: skip


def _epochs_reason(data: DataFacts, way: Way, top: Way) -> str:
    rule = f"{data.rows:,} rows: small data need more passes, large data fewer (Mosbach 2021)."
    if way.epochs < top.epochs and data.rows < SMALL_ROWS:
        return f"{rule} Two or three give a first result in about a minute. Runner-up: {top.epochs:g}, with more time."
    if way.epochs < top.epochs:
        return f"{rule} The time allows {way.epochs:g}. Runner-up: {top.epochs:g}, with more time."
    more = way.epochs + 2
    return f"{rule} It stops earlier when the validation rows say so. Runner-up: {more:g}, a little better at best."


def batch_size_for(situation: Situation) -> int:
    """16 below a thousand rows, 32 and 64 above: enough steps for small data, steady ones for large."""
    rows = situation.data.rows
    if rows < 200:
        return 8
    return 16 if rows < 4000 else 32 if rows < 50_000 else 64


def _guards(situation: Situation, draft: Draft, way: Way) -> None:
    """Layer decay, early stopping, class weights."""
    data = situation.data
    if way.method in ("full", "last_layers"):
        draft.choose(
            "training.layer_decay", 0.9,
            "Each layer moves 0.9 times as fast as the one above: the lower ones hold general language (AutoGluon's "
            "default). Runner-up: 1, all alike.",
        )  # fmt: skip
    if way.method != "head":
        draft.choose(
            "training.early_stopping", 4,
            "Looks at the validation rows twice a pass and stops after 4 looks without gain. Runner-up: never.",
        )  # fmt: skip
    if data.uneven:
        draft.choose(
            "training.class_weights", "balanced",
            f"The classes are uneven ({max(data.class_counts):,} rows against {min(data.class_counts):,}): rare "
            "ones count "
            "more, or they would be ignored. Runner-up: every row the same.",
        )  # fmt: skip
