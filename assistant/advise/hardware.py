"""What this process may use: cores and memory under its limits, free disk, GPUs. No torch.

A container may see 64 cores and own two: the quota of the control group and the process's affinity count, not the host.
"""

from __future__ import annotations

import math
import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import BaseModel, ConfigDict, Field

_GIGABYTE = 1e9
_NO_LIMIT = 1 << 60  # control groups write a number near 2^63 for "no limit"
_QUESTION_SECONDS = 10


class Gpu(BaseModel):
    """One graphics card."""

    model_config = ConfigDict(frozen=True)

    name: str
    memory_bytes: int


class Hardware(BaseModel):
    """What a run may use on this machine."""

    model_config = ConfigDict(frozen=True)

    cores: Annotated[int, Field(ge=1)]
    memory_bytes: Annotated[int, Field(gt=0)]
    free_disk_bytes: Annotated[int, Field(ge=0)]
    gpus: tuple[Gpu, ...] = ()
    platform: str = ""

    @property
    def gpu(self) -> Gpu | None:
        """The card with the most memory, else None."""
        return max(self.gpus, key=lambda gpu: gpu.memory_bytes, default=None)

    def sentence(self) -> str:
        """The machine in words, for a person."""
        cores = f"{self.cores} processor core{'s' if self.cores != 1 else ''}"
        memory = f"{self.memory_bytes / _GIGABYTE:.0f} GB of memory"
        if not self.gpus:
            return f"{cores}, {memory}, no graphics card"
        names = ", ".join(f"{gpu.name} ({gpu.memory_bytes / _GIGABYTE:.0f} GB)" for gpu in self.gpus)
        return f"{cores}, {memory}, {names}"


@cache
def detect() -> Hardware:
    """The hardware as this process may use it; asked once a process (free disk is that of the first question)."""
    return Hardware(
        cores=usable_cores(),
        memory_bytes=usable_memory(),
        free_disk_bytes=shutil.disk_usage(Path.home() if Path.home().exists() else "/").free,
        gpus=_gpus(),
        platform=f"{platform.system()} {platform.machine()}",
    )


def usable_cores(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores by affinity and by the control group's quota, at least 1; a part of a core is rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root)
    return max(1, min(cores, math.ceil(quota)) if quota else cores)


def usable_memory(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes: the machine's memory, or the control group's limit where that is lower."""
    limits = [psutil.virtual_memory().total]
    for folder in _folders(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            value = _number(folder / name)
            if value is not None and 0 < value < _NO_LIMIT:
                limits.append(value)
    return int(min(limits))


def _quota(root: Path) -> float | None:
    """The tightest quota in cores on the way up the control groups; None: no limit."""
    found: list[float] = []
    for folder in _folders(root, "cpu"):
        parts = _read(folder / "cpu.max").split()  # version 2: "200000 100000" or "max 100000"
        if len(parts) == 2 and parts[0].isdigit() and parts[1].isdigit() and int(parts[1]) > 0:
            found.append(int(parts[0]) / int(parts[1]))
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")  # version 1
        if quota and period and quota > 0:
            found.append(quota / period)
    return min(found) if found else None


def _folders(root: Path, controller: str) -> list[Path]:
    """Folders that may hold a limit: the root, the controller's own tree, and this process's groups in both."""
    folders = [root, root / controller]
    own = _read(Path("/proc/self/cgroup")) if root == Path("/sys/fs/cgroup") else ""
    for line in own.splitlines():
        _, _, path = line.split(":", 2) if line.count(":") >= 2 else ("", "", "")
        group = Path(path.lstrip("/"))
        if ".." in group.parts:
            continue
        for base in (root, root / controller):
            folders += [base / parent for parent in (group, *group.parents) if parent != Path(".")]
    return folders


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _read(path)
    return int(text) if text.lstrip("-").isdigit() else None


def _gpus() -> tuple[Gpu, ...]:
    """NVIDIA cards by `nvidia-smi`, as far as `CUDA_VISIBLE_DEVICES` lets this process see them; none without it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    command = [tool, "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_QUESTION_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(answer.stdout, os.environ.get("CUDA_VISIBLE_DEVICES"))


def parse_gpus(listing: str, visible: str | None) -> tuple[Gpu, ...]:
    """Cards from the listing "index, uuid, name, MiB" of `nvidia-smi`, in the order of `CUDA_VISIBLE_DEVICES`."""
    cards: dict[str, Gpu] = {}
    order: list[str] = []
    for line in listing.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != 4 or not parts[3].isdigit():
            continue
        gpu = Gpu(name=parts[2], memory_bytes=int(parts[3]) * 1024 * 1024)
        cards[parts[0]] = cards[parts[1]] = gpu
        order.append(parts[0])
    if visible is None:
        return tuple(cards[index] for index in order)
    seen = []
    for wanted in (item.strip() for item in visible.split(",")):
        if wanted not in cards:  # CUDA stops at the first one that it does not know
            break
        seen.append(cards[wanted])
    return tuple(seen)
