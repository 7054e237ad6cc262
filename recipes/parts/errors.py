"""What can go wrong in a run, in words for a person who never trained a model.

RecipeError(code, what, expected, fix)   raised on purpose, becomes the event `failed`
Stopped(step, model_kept)                somebody asked the run to stop, becomes the event `cancelled`
explain(error)                           any exception -> `Failed`, the traceback stays in the log
"""

from __future__ import annotations

import errno
from pathlib import Path

from recipes.events import Failed

#: Codes of `failed` and of `warning` that this process can write; each has a page that explains it.
FAILURE_CODES = (
    "plan-invalid", "plan-incomplete", "task-not-available", "data-missing", "data-unreadable", "column-missing",
    "label-not-number", "one-class", "no-usable-rows", "hub-unreachable", "model-not-found", "model-not-usable",
    "unsafe-weights", "remote-code", "starter-damaged", "qlora-needs-gpu", "no-layers", "nan", "out-of-memory",
    "disk-full", "no-step", "weights-unchanged", "frozen-changed", "verification-failed", "no-model", "crashed",
    "input-unusable", "all-masked", "method-not-available",
)  # fmt: skip
WARNING_CODES = (
    "rows-left-out", "unknown-test-labels", "out-of-memory", "time-limit", "too-few-rows", "head-kept", "number-format",
    "cache-unusable", "checkpoint-damaged", "baseline-left-out", "rows-cut", "forgetting", "length-bias",
    "preferred-unlikely", "files-left-out", "letters-unknown",
)  # fmt: skip


class RecipeError(Exception):
    """Something that a person can understand, and mostly mend.

    Args:
        code: stable name with a page that explains it.
        what: what happened, with the values at hand.
        expected: what would have been right; may be empty.
        fix: what to do next; may be empty.
    """

    def __init__(self, code: str, what: str, expected: str = "", fix: str = "") -> None:
        self.code = code
        self.what = what
        self.expected = expected
        self.fix = fix
        super().__init__(" ".join(part for part in (what, expected, fix) if part))


def cannot_load(name: str, error: Exception, purpose: str, another_model: str) -> RecipeError:
    """What went wrong while transformers loaded a base model.

    Args:
        purpose: completes "cannot be loaded", as " to classify texts"; another_model: what to choose instead.
    """
    text = str(error)
    if "trust_remote_code" in text:
        return RecipeError(
            "remote-code",
            f"The model “{name}” needs code from its repository to be run.",
            "Only architectures that are part of transformers are loaded; code of strangers is never run.",
            another_model,
        )
    if "safetensors" in text and isinstance(error, OSError):
        return RecipeError(
            "unsafe-weights",
            f"The model “{name}” holds no weights in safetensors files.",
            "Other formats can run any code when they are opened, so they are not read.",
            "Choose a model with model.safetensors (most have one).",
        )
    what = f"The model “{name}” cannot be loaded{purpose}: {first_line(error)}"
    return RecipeError("model-not-usable", what, "", another_model)


def first_line(error: Exception) -> str:
    """The first line of a message that says something, at most 300 characters; else the error's kind."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]


def no_model(folder: Path) -> RecipeError:
    """A run's folder without a model in it."""
    return RecipeError(
        "no-model",
        f"There is no model in {folder}.",
        "A run keeps its model there once it has finished, or was stopped after its first evaluation.",
        "Start the run, and wait for its end.",
    )


class Stopped(Exception):
    """The run was asked to stop, and did.

    Args:
        step: the last training step taken.
        model_kept: whether `model/` holds the best state so far.
    """

    def __init__(self, step: int = 0, model_kept: bool = False) -> None:
        self.step = step
        self.model_kept = model_kept
        super().__init__(f"stopped at step {step}")


def is_out_of_memory(error: BaseException) -> bool:
    """True for Python's, CUDA's and the CPU allocator's ways of saying that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "defaultcpuallocator" in text
    )


def explain(error: BaseException) -> Failed:
    """The last word for an exception. A kind that is not known becomes `crashed`, with its first line."""
    code = getattr(error, "code", None)
    what = getattr(error, "what", None)
    if isinstance(code, str) and isinstance(what, str):
        return Failed(
            code=code, what=what, expected=getattr(error, "expected", "") or "", fix=getattr(error, "fix", "") or ""
        )
    if is_out_of_memory(error):
        return Failed(
            code="out-of-memory",
            what="The memory of this machine was not enough, even with one text at a time.",
            expected="The model and one text must fit into memory together.",
            fix="Choose a smaller base model, read fewer tokens of each text (training.max_length), or train only the "
            "last layer (method head).",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed(
            code="disk-full",
            what="There is no space left on the disk.",
            expected="The run needs space for its checkpoints and for the model.",
            fix="Delete runs that you do not need any more, then start this one again: it goes on where it stopped.",
        )
    first_line = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
    return Failed(
        code="crashed",
        what=f"The training process hit an error that it has no words for: {type(error).__name__}: {first_line[:300]}",
        fix="The whole message stands in the file log.txt of the run. Starting the run again goes on from the last "
        "checkpoint.",
    )
