"""Cores and memory follow the limits of the control group, and GPUs the visible ones."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from assistant.advise import hardware
from assistant.advise.hardware import Gpu, Hardware, parse_gpus, usable_cores, usable_memory

LISTING = "0, GPU-aaa, NVIDIA A10G, 23028\n1, GPU-bbb, NVIDIA H100 80GB HBM3, 81559\n"


@pytest.fixture
def many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", 64), ("", 64)],
)
def test_cores_by_control_group_2(tmp_path: Path, many_cores: None, quota: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("400000", 4), ("-1", 64)])
def test_cores_by_control_group_1(tmp_path: Path, many_cores: None, quota: str, expected: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path) == expected


def test_affinity_counts_where_it_is_tighter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    (tmp_path / "cpu.max").write_text("800000 100000")
    assert usable_cores(tmp_path) == 1


def test_memory_by_both_kinds_of_control_groups(tmp_path: Path) -> None:
    total = psutil.virtual_memory().total
    assert usable_memory(tmp_path) == total
    (tmp_path / "memory.max").write_text("max")
    assert usable_memory(tmp_path) == total
    (tmp_path / "memory.max").write_text("1000000000")
    assert usable_memory(tmp_path) == 1_000_000_000
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("500000000")
    assert usable_memory(tmp_path) == 500_000_000
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(str(2**63 - 4096))
    assert usable_memory(tmp_path) == 1_000_000_000


def test_gpus_in_the_order_that_is_visible() -> None:
    assert [gpu.name for gpu in parse_gpus(LISTING, None)] == ["NVIDIA A10G", "NVIDIA H100 80GB HBM3"]
    assert [gpu.name for gpu in parse_gpus(LISTING, "1")] == ["NVIDIA H100 80GB HBM3"]
    assert [gpu.name for gpu in parse_gpus(LISTING, "GPU-bbb, 0")] == ["NVIDIA H100 80GB HBM3", "NVIDIA A10G"]
    assert parse_gpus(LISTING, "") == ()
    assert parse_gpus(LISTING, "7,0") == ()
    assert parse_gpus("nonsense\n", None) == ()
    assert parse_gpus(LISTING, None)[0].memory_bytes == 23028 * 1024 * 1024


def test_no_tool_means_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hardware._gpus() == ()


def test_a_tool_that_fails_means_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed' >&2\nexit 9\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert hardware._gpus() == ()
    tool.write_text("#!/bin/sh\necho '0, GPU-x, Tesla T4, 15360'\n")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert hardware._gpus() == (Gpu(name="Tesla T4", memory_bytes=15360 * 1024 * 1024),)


def test_this_machine() -> None:
    found = hardware.detect()
    assert found is hardware.detect()
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert 0 < found.memory_bytes <= psutil.virtual_memory().total
    assert found.free_disk_bytes > 0
    assert Hardware.model_validate(found.model_dump()) == found


def test_the_sentence_is_for_people() -> None:
    assert Hardware(cores=1, memory_bytes=int(16e9), free_disk_bytes=1).sentence() == (
        "1 processor core, 16 GB of memory, no graphics card"
    )
    card = Gpu(name="Tesla T4", memory_bytes=int(16e9))
    assert "Tesla T4 (16 GB)" in Hardware(cores=4, memory_bytes=1, free_disk_bytes=1, gpus=(card,)).sentence()
