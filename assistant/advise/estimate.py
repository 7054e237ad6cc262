"""What a plan costs before it starts: seconds, peak bytes, disk and money, each as a range with its terms. Pure.

Time is counted in floating-point operations: 2 for every parameter and token on the way forward, 6 to train every
weight, 4 to train adapters (the weights' own gradients are left out), plus attention; divided by what a core or card
really reaches. The CPU figure was measured with MiniLM on 2 cores without bfloat16 arithmetic: 115-146 texts a second
forward at 64 tokens, 27 at 256; 40 and 10 trained. Memory follows the same model: weights, gradients and optimiser,
what the layers keep for the way back, and what Python and torch take before any of that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from assistant.advise import catalog, facts, pictures, sounds
from assistant.advise.catalog import Model
from assistant.advise.facts import DataFacts
from assistant.advise.hardware import Gpu, Hardware
from recipes.plan import Plan

if TYPE_CHECKING:
    from assistant.data.profile import Profile

GIGABYTE = 1e9
CORE_FLOPS = 95e9  # float32 operations a second of one core; n cores reach n^0.85 times that (measured: 85e9 each of 2)
CORE_EXPONENT = 0.85
GPU_FLOPS = {  # dense bfloat16 (T4: float16) operations a second by the maker's data sheet
    "B200": 2250e12, "H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L40": 181e12, "A10": 125e12,
    "L4": 121e12, "T4": 65e12, "V100": 112e12, "4090": 165e12, "3090": 71e12,
}  # fmt: skip
OTHER_GPU_FLOPS = 40e12
SMALL_MODEL_SHARE = 0.08  # of a card's peak that small models reach; 3-23 % measured for 1 billion parameters
LARGE_MODEL_SHARE = 0.2  # from 3 billion parameters on; 9-41 % measured for 8 billion
SPEECH = "automatic-speech-recognition"
HEARD_SECONDS = 0.03  # to decode a recording and prepare it (measured)
TAGGED_SECONDS, MOST_TAGGED = 2e-3, 60_000  # a word of the random field's training; words that are learned at most
ASKED_SECONDS = 0.02  # a question of the regression on pieces of its text
MOST_WRITTEN, MOST_WRITTEN_GPU, WRITTEN_TOGETHER = 400, 1000, 16  # rows that are written to be judged, and at once
WRITTEN_TOKENS = 64  # of a text that is written [judgement]; each reads all weights once
CPU_READ_BYTES, GPU_TOKEN_SECONDS = 8e9, 0.02  # weights read a second; a token of many small kernels [judgement]
START_SECONDS = 9.0  # start of the process and of torch on a CPU (measured)
PYTHON_BYTES = 1.12e9  # Python with torch, transformers, scikit-learn and Trainer (measured: 1.02 GB, then 0.1 more)
CPU_TOKENS, GPU_TOKENS = 1024, 8192  # of a language model's training in memory at once, at least one row
CHAT_TOKENS = 40  # of a conversation that no one wrote: who speaks, where answers end, a standing instruction
FEATURE_TOKENS = 8192  # tokens that the frozen body reads at once
BEYOND_P99 = 1.15  # the longest hundredth of the texts, against the 99th percentile (measured on mails and reviews)
HEAP = 0.26  # of the activations on a CPU: freed blocks of other sizes that cannot be used again (measured)
TEXT_BYTES = 400.0  # a token of the texts of a classifier: rows, token ids, and counted pairs of words (measured)
KEPT_COPIES = 8.0  # bytes a trained parameter: the best state and the first one
CUDA_BYTES = 1.2e9  # a card's own context and fragments
DOWNLOAD_BYTES_PER_SECOND = 20e6
LOW, HIGH = 0.6, 1.7  # seconds: the middle estimate times these
MEMORY_LOW, MEMORY_HIGH = 0.85, 1.25

#: Rented machines: (cores, memory, card, card's memory, dollars an hour), as listed on 22 August 2026; prices change.
FLAVORS: dict[str, tuple[int, float, str | None, float, float]] = {
    "cpu-basic": (2, 16e9, None, 0, 0.01),
    "cpu-upgrade": (8, 32e9, None, 0, 0.03),
    "t4-small": (4, 15e9, "T4", 16e9, 0.40),
    "t4-medium": (8, 30e9, "T4", 16e9, 0.60),
    "l4x1": (8, 30e9, "L4", 24e9, 0.80),
    "a10g-small": (4, 15e9, "A10G", 24e9, 1.00),
    "a10g-large": (12, 46e9, "A10G", 24e9, 1.50),
    "l40sx1": (8, 62e9, "L40S", 48e9, 1.80),
    "a100-large": (12, 142e9, "A100", 80e9, 2.50),
    "h200": (23, 256e9, "H200", 141e9, 5.00),
}
DEFAULT_FLAVOR = "t4-small"


class Estimate(BaseModel):
    """Ranges. `terms` holds the middle of each part: names in `seconds/…` and `bytes/…`."""

    model_config = ConfigDict(frozen=True)

    seconds_low: Annotated[float, Field(ge=0)]
    seconds_high: float
    peak_bytes_low: int
    peak_bytes_high: int
    disk_bytes: int
    dollars_low: float = 0.0
    dollars_high: float = 0.0
    device: str = "cpu"
    terms: dict[str, float] = Field(default_factory=dict)
    note: str = ""  # what a corrected estimate rests on

    @property
    def seconds(self) -> float:
        """The middle estimate."""
        return sum(value for name, value in self.terms.items() if name.startswith("seconds/"))

    @property
    def peak_bytes(self) -> float:
        """The middle estimate."""
        return sum(value for name, value in self.terms.items() if name.startswith("bytes/"))


@dataclass(frozen=True)
class Work:
    """What a plan does, in numbers that time and memory follow from.

    Attributes:
        train, validation, test: rows; epochs: passes over the training rows.
        tokens: mean read of a row; longest: the limit. whole: mean tokens of an uncut text.
        trained: share of the blocks that train; adapters: trainable parameters of LoRA.
    """

    train: int
    validation: int
    test: int
    epochs: float
    tokens: float
    longest: int
    whole: float
    method: str
    trained: float
    adapters: float

    @property
    def rows(self) -> int:
        """All rows."""
        return self.train + self.validation + self.test


def estimate(plan: Plan, profile: Profile | None, hardware: Hardware, test_rows: int | None = None) -> Estimate:
    """Seconds, peak bytes, disk and money of a plan.

    Args:
        profile: of the training data; None: a thousand short rows are assumed.
        hardware: of this machine; a plan for a rented machine is judged by that machine's.
        test_rows: rows of the person's own test file.
    """
    model = catalog.lookup(plan.base_model, plan.task)
    data = facts.read(profile, plan.data.columns, plan.problem, test_rows)
    return of(plan, model, data, hardware)


def of(plan: Plan, model: Model, data: DataFacts, hardware: Hardware) -> Estimate:
    """As `estimate`, from figures that are already read."""
    machine = effective(plan, hardware)
    gpu = machine.gpu
    work = work_of(plan, model, data)
    seconds = _seconds(plan, model, data, work, machine)
    memory = _memory(plan, model, data, work, gpu)
    middle, peak = sum(seconds.values()), sum(memory.values())
    download = 0.0 if model.starter else model.parameters * _stored_bytes(model) / DOWNLOAD_BYTES_PER_SECOND
    dollars = _dollars_an_hour(plan) / 3600
    low, high = LOW * middle, HIGH * middle + download
    return Estimate(
        seconds_low=round(low, 1), seconds_high=round(high, 1),
        peak_bytes_low=int(MEMORY_LOW * peak), peak_bytes_high=int(MEMORY_HIGH * peak),
        disk_bytes=int(_disk(model, data, work)),
        dollars_low=round(low * dollars, 4), dollars_high=round(high * dollars, 4),
        device=gpu.name if gpu else "cpu",
        terms={**{f"seconds/{k}": round(v, 2) for k, v in seconds.items()},
               **{f"bytes/{k}": round(v) for k, v in memory.items()}},
    )  # fmt: skip


def effective(plan: Plan, hardware: Hardware) -> Hardware:
    """The machine that the plan runs on: this one, or the rented one that it names."""
    if plan.compute.target != "hf_jobs":
        return hardware
    cores, memory, card, card_memory, _ = FLAVORS.get(plan.compute.flavor or "", FLAVORS[DEFAULT_FLAVOR])
    gpus = (Gpu(name=card, memory_bytes=int(card_memory)),) if card else ()
    return Hardware(
        cores=cores, memory_bytes=int(memory), free_disk_bytes=int(50e9), gpus=gpus, platform=plan.compute.flavor or ""
    )


def _dollars_an_hour(plan: Plan) -> float:
    if plan.compute.target != "hf_jobs":
        return 0.0
    return FLAVORS.get(plan.compute.flavor or "", FLAVORS[DEFAULT_FLAVOR])[4]


def split_sizes(plan: Plan, rows: int, test_rows: int | None) -> tuple[int, int, int]:
    """Rows that train, steer and judge."""
    if test_rows is None:
        test = round(rows * (plan.evaluation.test_fraction or 0.2))
        rest = rows - test
    else:
        test, rest = test_rows, rows
    validation = round(rest * (plan.evaluation.validation_fraction or 0.1))
    return max(0, rest - validation), validation, test


def work_of(plan: Plan, model: Model, data: DataFacts) -> Work:
    """The plan in numbers."""
    train, validation, test = split_sizes(plan, data.rows, data.test_rows)
    limit = min(plan.training.max_length or 512, max(model.context, 16) if model.modality == "text" else 131072)
    tokens, whole = _tokens(plan, data, limit)
    method = plan.method.name or "head"
    rank = plan.method.rank or 16
    blocks = max(model.layers, 1) if plan.task != "image-classification" or model.layers else pictures.STAGES
    trained = {"head": 0.0, "last_layers": min(1.0, (plan.method.layers or 1) / blocks)}.get(method, 1.0)
    return Work(
        train=train, validation=validation, test=test, epochs=plan.training.epochs or 1, tokens=tokens, longest=limit,
        whole=whole, method=method, trained=trained,
        adapters=23.0 * model.hidden * rank * blocks if method in ("lora", "qlora") else 0.0,
    )  # fmt: skip


def _tokens(plan: Plan, data: DataFacts, limit: int) -> tuple[float, float]:
    """Mean tokens read of a row, and of a whole one; media count as the tokens that a transformer cuts them into."""
    media = {
        "image-classification": 200.0, "object-detection": 1200.0, "image-segmentation": 1100.0,
        "audio-classification": sounds.tokens_of_a_window(data.clip_seconds), SPEECH: 900.0,
    }  # fmt: skip
    fixed = media.get(plan.task or "")
    if fixed is not None:
        return fixed, fixed
    if plan.task == "image-text-to-text":
        return 400.0, 400.0
    marks = CHAT_TOKENS if plan.task in ("text-generation", "preference-tuning") and not plan.column("text") else 0
    return min(float(limit), data.tokens_read(limit) + marks), data.mean_tokens + marks


# ---------------------------------------------------------------- seconds


def speed(model: Model, machine: Hardware) -> float:
    """Operations a second that this model reaches on a machine."""
    gpu = machine.gpu
    if gpu is None:
        share = sounds.SPEED if model.modality == "audio" else 1.0
        return CORE_FLOPS * share * float(machine.cores**CORE_EXPONENT)
    peak = next((flops for name, flops in GPU_FLOPS.items() if name in gpu.name.upper()), OTHER_GPU_FLOPS)
    share = LARGE_MODEL_SHARE if model.parameters >= 3e9 else SMALL_MODEL_SHARE
    return peak * share * float(max(1, len(machine.gpus)) ** CORE_EXPONENT)


def forward_operations(model: Model, tokens: float) -> float:
    """Operations to read one row of so many tokens."""
    if model.modality == "audio":
        return sounds.listening(model, tokens / sounds.POSITIONS_A_SECOND)
    attention = 4.0 * model.layers * model.hidden * tokens * tokens
    return 2.0 * model.block_parameters * tokens + attention


def training_operations(model: Model, work: Work) -> float:
    """Operations to learn from one row once: the frozen part is read, the trained part is read and corrected."""
    forward = forward_operations(model, work.tokens)
    if model.modality == "image" and not pictures.is_transformer(model):
        return forward * (1 - work.trained) + pictures.TRAINING * forward * work.trained
    if work.method in ("lora", "qlora"):
        return 2.2 * forward * (1.3 if work.method == "qlora" else 1.0)
    return forward * (1 - work.trained) + 3 * forward * work.trained


def _seconds(plan: Plan, model: Model, data: DataFacts, work: Work, machine: Hardware) -> dict[str, float]:
    """The middle of each term."""
    rate = speed(model, machine)
    forward = forward_operations(model, work.tokens) / rate
    classes = max(data.classes, 1)
    seconds = {
        "start": START_SECONDS + model.parameters * 4 / 1e9,
        "reading": work.rows * (0.001 + 4e-6 * work.whole),
        "baselines": 1 + work.rows * work.whole * 8e-6,
    }
    if plan.task == SPEECH:
        return seconds | _of_speech(plan, model, data, work, rate)
    tagged = plan.task == "token-classification"
    asked = plan.task == "question-answering"  # each token is a row of the last layer there too
    heads = ("text-classification", "image-classification", "audio-classification", "sentence-similarity", None)
    features = tagged or asked or plan.task in heads
    if asked:  # each question has some hundred pieces that may be its answer
        seconds["baselines"] += ASKED_SECONDS * work.rows
    if tagged:  # a random field is trained four times; each word is a row of the last layer
        seconds["baselines"] += TAGGED_SECONDS * min(work.rows * work.whole, MOST_TAGGED)
    if features:
        seconds["features"] = work.rows * forward
        each = pictures.HEAD_SECONDS if plan.task == "image-classification" else 1e-6
        each *= min(work.tokens, MOST_TAGGED / max(1, work.rows)) / 2 if tagged or asked else 1
        seconds["head"] = 1 + work.rows * model.hidden * min(classes, 50) * each
    if plan.task == "text2text-generation":  # test rows are written before and after, token by token
        rows = min(work.test, MOST_WRITTEN_GPU if machine.gpu else MOST_WRITTEN)
        a_token = GPU_TOKEN_SECONDS if machine.gpu else model.parameters * 4 / CPU_READ_BYTES
        seconds["writing"] = 2 * math.ceil(rows / WRITTEN_TOGETHER) * min(work.tokens, WRITTEN_TOKENS) * a_token
    if work.method != "head" or not features:
        looks = max(1.0, 2 * work.epochs) if features else max(1.0, work.epochs)
        steps = work.epochs * work.train / max(plan.training.batch_size or 16, 1)
        seconds["training"] = work.epochs * work.train * training_operations(model, work) / rate
        seconds["optimiser"] = steps * trainable_parameters(model, work) * (2e-11 if machine.gpu else 1.5e-9)
        seconds["evaluation"] = looks * work.validation * forward + work.test * forward
    return seconds


def _of_speech(plan: Plan, model: Model, data: DataFacts, work: Work, rate: float) -> dict[str, float]:
    """The terms in which writing down speech differs."""
    each, steps = data.clip_seconds, work.epochs * work.train / max(plan.training.batch_size or 16, 1)
    written = sounds.writing(model, each) / rate
    return {
        "features": HEARD_SECONDS * work.rows,
        "baselines": written * (work.test + sounds.GENERAL_ROWS),
        "training": work.epochs * work.train * sounds.learning(model, each, work.method) / rate,
        "optimiser": steps * trainable_parameters(model, work) * 1.5e-9,
        "evaluation": written
        * (work.epochs * min(work.validation, sounds.EVALUATED) + work.test + sounds.GENERAL_ROWS),
    }


# ---------------------------------------------------------------- bytes


def trainable_parameters(model: Model, work: Work) -> float:
    """Weights that change."""
    if work.method == "head":
        return 0.0
    if work.method in ("lora", "qlora"):
        return work.adapters
    return (
        float(model.parameters)
        if work.trained >= 1 and work.method == "full"
        else (work.trained * model.block_parameters)
    )


def _memory(plan: Plan, model: Model, data: DataFacts, work: Work, gpu: Gpu | None) -> dict[str, float]:
    """The middle of each term at the peak. A GPU plan counts the card's memory, a CPU plan the machine's."""
    trainable = trainable_parameters(model, work)
    adapters = work.method in ("lora", "qlora")
    width = 2.0 if gpu and (adapters or work.method == "head") else 4.0
    weights = model.parameters * width
    if work.method == "qlora":
        weights = 0.55 * model.block_parameters + 2.0 * (model.parameters - model.block_parameters)
    longest = min(work.longest, max(work.tokens, data.p99_tokens))
    if 0.01 * work.rows >= _rows_at_once(plan, gpu):  # a whole batch is longer than the 99th percentile
        longest = min(work.longest, BEYOND_P99 * longest)
    tokens_at_once = _rows_at_once(plan, gpu) * longest
    writes = plan.task in ("text-generation", "preference-tuning")
    if writes:  # cut by tokens, whatever the batch: the figures of recipes/parts/language_training.py
        whole_step = (plan.training.batch_size or 16) * work.tokens
        tokens_at_once = max(longest, min(GPU_TOKENS if gpu else CPU_TOKENS, whole_step))
    if work.method == "head":
        tokens_at_once = max(longest, min(FEATURE_TOKENS, work.rows * work.tokens))
    memory = {
        "python and torch": CUDA_BYTES if gpu else PYTHON_BYTES,
        "weights": weights,
        "gradients and optimiser": (12.0 + KEPT_COPIES) * trainable + (4.0 * trainable if adapters else 0.0),
        "activations": tokens_at_once * _activation_bytes(model, work, gpu) * _kept_layers(model, work),
        "data": 0.0 if gpu else work.rows * (46 * work.whole + 4 * model.hidden),
    }
    if plan.task == "image-classification" and not gpu:
        memory |= _of_pictures(plan, model, work)
    if plan.task == SPEECH:
        rows = sounds.GPU_ROWS_AT_ONCE if gpu else sounds.ROWS_AT_ONCE
        memory["activations"] = sounds.kept_bytes(model, data.clip_seconds, rows)
        memory["heap"] = 0.0 if gpu else sounds.HEAP * memory["activations"] + sounds.LOOKED_AT_ONCE
    if plan.task in ("text-classification", None) and not gpu:
        memory["data"] = work.rows * (TEXT_BYTES * work.whole + 4 * model.hidden)
        reading = 64.0 * model.hidden * min(FEATURE_TOKENS, work.rows * work.tokens)  # before the training, not beside
        memory["heap"] = max(0.0, reading - memory["activations"])
        if work.method in ("full", "last_layers"):
            memory["heap"] = max(memory["heap"], HEAP * memory["activations"])
    if writes:  # only learned tokens are scored, 512 at a time
        memory["logits"] = 12.0 * model.vocabulary * 512
    elif plan.task in ("text2text-generation", "image-text-to-text"):
        memory["logits"] = 10.0 * model.vocabulary * tokens_at_once
    return memory


def _of_pictures(plan: Plan, model: Model, work: Work) -> dict[str, float]:
    """The terms in which pictures differ from texts; what the reading took is not used again (measured)."""
    kept = {"python and torch": pictures.PYTHON_BYTES}
    if not pictures.is_transformer(model):
        kept["heap"] = pictures.reading_bytes(model) * min(pictures.ROWS_AT_ONCE, max(work.rows, 1))
        kept["activations"] = 0.0
        if work.method != "head":
            kept["activations"] = pictures.kept_bytes(model, work.trained) * _rows_at_once(plan, None)
    return kept


def _rows_at_once(plan: Plan, gpu: Gpu | None) -> int:
    rows = plan.training.micro_batch_size or plan.training.batch_size or 16
    if plan.task == "image-text-to-text":
        rows = min(rows, 4)
    return min(rows, 64 if gpu else 32)


def _activation_bytes(model: Model, work: Work, gpu: Gpu | None) -> float:
    """Bytes that one token leaves in one trained layer for the way back, as multiples of the width.

    Measured with MiniLM in float32: 76 trained, 157 with adapters, 64 in all when nothing is trained. On a card under
    bfloat16 by the facts' table for gated blocks of inner width 3.5 H: 25 H + 8.2 I with adapters, 34 H + 14 I trained
    (a plain block, as BERT's, keeps half of the I part).
    """
    hidden = float(model.hidden)
    if work.method == "head":
        return 64.0 * hidden  # nothing is kept: one layer's values at a time
    if work.method in ("lora", "qlora"):
        return (25 + 8.2 * 3.5) * hidden if gpu else 155 * hidden
    return (34 + 7 * 4) * hidden if gpu else 76 * hidden


def _kept_layers(model: Model, work: Work) -> float:
    """Layers whose values are held at the peak; where some are frozen, one of them is at work besides."""
    if work.method == "head":
        return 1.0
    return max(1.0, model.layers * work.trained) + (1.0 if work.trained < 1 else 0.0)


def _stored_bytes(model: Model) -> float:
    return 2.0 if model.parameters >= 5e8 else 4.0


def _disk(model: Model, data: DataFacts, work: Work) -> float:
    """Download, saved model, two checkpoints with the optimiser's state, features and the copy of the data."""
    trainable = trainable_parameters(model, work)
    saved = 4.0 * (work.adapters if work.adapters else model.parameters)
    checkpoints = 0.0 if work.method == "head" else 2 * (12.0 * trainable + 4.0 * trainable)
    download = 0.0 if model.starter else model.parameters * _stored_bytes(model)
    return download + saved + checkpoints + work.rows * (4.0 * model.hidden + 2 * data.characters)


def readable_seconds(seconds: float) -> str:
    """ "40 seconds", "12 minutes", "3.5 hours" """
    if seconds < 90:
        return f"{max(1, round(seconds, -1 if seconds >= 20 else 0)):.0f} seconds"
    if seconds < 5400:
        return f"{round(seconds / 60):.0f} minutes"
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours < 10 else f"{round(hours):.0f} hours"


def readable_bytes(number: float) -> str:
    """ "350 MB", "1.4 GB" """
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{math.ceil(number / 1e6)} MB"


def sentence(estimated: Estimate, extra: Mapping[str, str] | None = None) -> str:
    """The estimate in words, for the plan card."""
    low, high = readable_seconds(estimated.seconds_low), readable_seconds(estimated.seconds_high)
    if low.split()[-1] == high.split()[-1]:
        low = low.split()[0]
    text = (
        f"About {low + ' to ' if low != high.split()[0] else ''}{high}, "
        f"{readable_bytes(estimated.peak_bytes_high)} of memory at most and "
        f"{readable_bytes(estimated.disk_bytes)} of disk."
    )
    if estimated.dollars_high:
        text += f" Rented: about ${estimated.dollars_low:.2f} to ${max(estimated.dollars_high, 0.01):.2f}."
    return text + "".join(f" {name}: {value}." for name, value in (extra or {}).items())
