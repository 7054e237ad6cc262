"""The device of this process, its threads, and the fastest precision that is safe on it."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from recipes.parts.context import RunContext
from recipes.plan import Method

Precision = Literal["float32", "medium", "bfloat16", "float16"]
WORTH_IT = 1.15  # another precision must be so much faster than float32; less is within the noise of a short trial
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's mallopt
CLOSE_ENOUGH = 0.999  # least cosine between its features and those of float32


@dataclass
class Device:
    """Where this process computes.

    Attributes:
        torch_device: `cpu`, `cuda:0`, `mps`.
        name: for people, as “CPU, 2 cores” or “NVIDIA H100”.
        threads: threads of this process.
        precision: float32; medium: float32 weights, matrix products in bfloat16; bfloat16, float16: autocast.
    """

    torch_device: Any
    name: str
    threads: int
    precision: Precision = "float32"

    @property
    def is_cpu(self) -> bool:
        """Whether it computes on the CPU."""
        return str(self.torch_device.type) == "cpu"

    def autocast(self, precision: Precision | None = None) -> AbstractContextManager[Any]:
        """The context in which forward passes run."""
        import torch

        precision = precision or self.precision
        if precision in ("bfloat16", "float16"):
            context: AbstractContextManager[Any] = torch.autocast(
                self.torch_device.type, dtype=getattr(torch, precision)
            )
            return context
        return contextlib.nullcontext()

    def use(self, precision: Precision) -> None:
        """Settle on a precision for the rest of the process."""
        import torch

        self.precision = precision
        torch.set_float32_matmul_precision("highest" if precision == "float32" else "medium")


def set_up(run: RunContext) -> Device:
    """Join the other processes, take this process's share of the cores, find the device."""
    import torch
    from accelerate import PartialState

    _be_quiet()
    threads = max(1, available_cores() // run.local_world_size)
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true" if threads > 1 else "false")
    use_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes") or not (
        torch.cuda.is_available() or torch.backends.mps.is_available()
    )
    state = PartialState(cpu=use_cpu)
    device = state.device
    if device.type == "cuda":
        torch.cuda.set_device(device)
        return Device(device, torch.cuda.get_device_name(device), threads)
    cores = "1 core" if threads == 1 else f"{threads} cores"
    return Device(device, f"CPU, {cores}" if device.type == "cpu" else str(device), threads)


def keep_freed_memory(largest: int = 1 << 30) -> None:
    """Tell glibc to keep freed blocks: given back, each layer's maps cost thousands of page faults anew.

    Measured with MobileNetV2, 64 pictures at once, 2 cores: 2.6 times as fast.

    Args:
        largest: bytes; larger blocks are given back at once, so that they leave no holes. Measured with Whisper tiny,
            whose batches differ in length by a factor of ten: 3.2 GB instead of 4.1 with 16 MB, at a tenth more time
            for the longest batches, none for the others.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library: nothing to gain
        allocator = ctypes.CDLL(None)
        for option, value in ((M_MMAP_THRESHOLD, largest), (M_TRIM_THRESHOLD, (1 << 31) - 1), (M_TOP_PAD, 64 << 20)):
            allocator.mallopt(option, value)


def _be_quiet() -> None:
    """The log is for what a person may need to read; progress goes to the events."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def available_cores() -> int:
    """Cores that this process may use: CPU affinity and the container's quota, not the machine's count."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()[:2]
        if quota != "max":
            cores = min(cores, max(1, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return max(1, cores)


def choose_precision(wish: str, device: Device, forward: Callable[[], Any], run: RunContext) -> Precision:
    """The wish, or the fastest precision whose features stay close to float32's, by a trial of a few seconds.

    A table would be wrong: the same bfloat16 that trebles the speed of one CPU makes another four times slower.

    Args:
        wish: `plan.compute.precision`.
        forward: one forward pass over a small batch; returns features, shape (rows, width).
    """
    if wish == "float16" and device.is_cpu:
        run.warn("number-format", "float16 is not for CPUs, so the fastest safe precision of this one is used instead.")
        wish = "auto"
    if wish != "auto":
        return wish  # type: ignore[return-value]
    return run.agree(_fastest(device, forward) if run.is_main else "float32")


def _fastest(device: Device, forward: Callable[[], Any]) -> Precision:
    device.use("float32")
    best: Precision = "float32"
    reference, best_seconds = _timed(device, forward)
    limit = best_seconds / WORTH_IT
    candidates: tuple[Precision, ...] = ("medium", "bfloat16") if device.torch_device.type != "mps" else ()
    for candidate in candidates:
        device.use(candidate)
        features, seconds = _timed(device, forward, give_up_after=limit * 1.5)
        if seconds < min(limit, best_seconds) and _cosine(reference, features) >= CLOSE_ENOUGH:
            best, best_seconds = candidate, seconds
    device.use(best)
    return best


def _timed(device: Device, forward: Callable[[], Any], give_up_after: float = math.inf) -> tuple[Any, float]:
    """Features and the seconds of the quickest of a few passes; gives up early on a slow precision."""
    import torch

    best = math.inf
    features: Any = None
    for number in range(4):
        start = time.perf_counter()
        with torch.inference_mode(), device.autocast():
            features = forward()
        if device.torch_device.type == "cuda":
            torch.cuda.synchronize(device.torch_device)
        seconds = time.perf_counter() - start
        best = min(best, seconds) if number else best  # the first one warms up
        if number and seconds > give_up_after:
            break
    return np.asarray(features, dtype=np.float64), best


def _cosine(reference: Any, features: Any) -> float:
    """The least cosine between rows, shape (rows, width) each; 0 when something is not finite."""
    if not np.isfinite(features).all():
        return 0.0
    norms = np.linalg.norm(reference, axis=1) * np.linalg.norm(features, axis=1)
    return float(((reference * features).sum(axis=1) / np.maximum(norms, 1e-12)).min())


#: What comes into memory after the forecast: scikit-learn, Trainer and what they import (measured: 0.08 to 0.12 GB).
LATER_IMPORTS = 100e6
#: Bytes of counted words a token of all texts: pairs of words in a dictionary, and the sparse matrix (measured).
COUNTED_BYTES = 250


def predicted_peak_bytes(
    model: Any, method: Method, tokens: int, device: Device, *, reading: int = 0, every: int = 0
) -> int:
    """A forecast of the peak: what is held now, what comes later, and the larger of reading and training.

    Reading, by the frozen body: 64 H bytes a token for H the width. Training: gradient and AdamW's moments of what
    trains, copies of its best and of its first state, and the activations of one micro-batch: 32 H + 16 I bytes a token
    and trained block for I the inner width, with adapters 82 H + 20 I, float32; below trained blocks one frozen block
    is at work besides. Measured with saved_tensors_hooks; over 11 runs on CPUs the sum was within 15 %. The eager
    attention of a few architectures needs more.

    Args:
        tokens: rows in memory at once times tokens of the longest text.
        reading: tokens that the frozen body reads at once. every: tokens of all texts.
    """
    sizes = model.config.to_dict()
    width = int(sizes.get("hidden_size") or sizes.get("dim") or 768)
    inner = int(sizes.get("intermediate_size") or sizes.get("hidden_dim") or 4 * width)
    depth = int(sizes.get("num_hidden_layers") or sizes.get("n_layers") or 12)
    block = 4 * width * width + 2 * width * inner
    everything = sum(parameter.numel() for parameter in model.parameters())
    layers = min(depth, method.layers or 1) if method.name == "last_layers" else depth
    trained = {"head": 0, "last_layers": layers * block, "full": everything}.get(
        str(method.name), depth * (method.rank or 16) * (10 * width + 2 * inner)
    )
    kept = 82 * width + 20 * inner if method.name in ("lora", "qlora") else 32 * width + 16 * inner
    at_work = 0 if method.name == "head" else layers + (layers < depth)
    training = trained * (4 + 8 + 8) + tokens * at_work * kept
    if device.torch_device.type == "cuda":
        return int(everything * 4 + max(training, reading * 64 * width))
    return int(peak_bytes(device) + LATER_IMPORTS + COUNTED_BYTES * every + max(training, reading * 64 * width))


def peak_bytes(device: Device) -> int:
    """The most memory this process has held so far: of the GPU where it uses one, else of the process."""
    import resource

    import torch

    if device.torch_device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device.torch_device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def free_memory_bytes(device: Device) -> int:
    """Memory that this process may still take, by the container's limit."""
    import psutil
    import torch

    if device.torch_device.type == "cuda":
        return int(torch.cuda.mem_get_info(device.torch_device)[0])
    free = int(psutil.virtual_memory().available)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        if limit != "max":
            free = min(free, int(limit) - used)
    except (OSError, ValueError):
        pass
    return max(0, free)


def versions() -> dict[str, str]:
    """Versions of what computes, read without importing it."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("torch", "transformers", "accelerate", "peft", "scikit-learn", "numpy", "safetensors", "tokenizers"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
