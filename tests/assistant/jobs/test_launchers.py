"""The command line of a run, and calls of the recipes' other programs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assistant.errors import PlainError
from assistant.jobs import launchers
from assistant.jobs.launchers import LAUNCHERS, Launch, Local, Machine
from recipes.plan import Compute, Plan


def command(machine: Machine, devices: int | None = None, micro: int | None = None) -> list[str]:
    return Local().command(Launch(Path("/r"), Plan(compute=Compute(devices=devices)), machine, micro))


def after(line: list[str], option: str) -> str:
    return line[line.index(option) + 1]


@pytest.mark.parametrize(
    ("machine", "devices", "processes", "threads", "flags"),
    [
        (Machine(cores=2), None, "1", "2", {"--cpu"}),
        (Machine(cores=4), 2, "2", "2", {"--multi_gpu"}),
        (Machine(cores=8, gpus=1), None, "1", "8", set()),
        (Machine(cores=8, gpus=4), None, "4", "2", {"--multi_gpu"}),
        (Machine(cores=8, gpus=4), 2, "2", "4", {"--multi_gpu"}),
        (Machine(cores=8, gpus=2), 16, "2", "4", {"--multi_gpu"}),
        (Machine(cores=1), 4, "4", "1", {"--multi_gpu"}),
    ],
)
def test_one_process_a_device(
    machine: Machine, devices: int | None, processes: str, threads: str, flags: set[str]
) -> None:
    line = command(machine, devices)
    assert line[:3] == [sys.executable, "-m", "accelerate.commands.launch"]
    assert after(line, "--num_processes") == processes
    assert after(line, "--num_cpu_threads_per_process") == threads
    assert flags == {"--cpu", "--multi_gpu"} & set(line)
    assert line[-3:] == ["-m", "recipes.run", "/r/plan.json"]


def test_a_smaller_micro_batch_is_passed_on() -> None:
    assert command(Machine(), micro=4)[-2:] == ["--micro-batch-size", "4"]


def test_every_target_of_a_plan_has_a_launcher() -> None:
    targets = Plan.model_json_schema()["$defs"]["Compute"]["properties"]["target"]["enum"]
    assert set(LAUNCHERS) == set(targets)


def test_the_child_finds_the_packages_but_nothing_in_its_folder() -> None:
    child = launchers.environment(Path("/r"))
    assert child["PYTHONSAFEPATH"] == "1"
    assert (Path(child["PYTHONPATH"].split(":")[0]) / "recipes" / "plan.py").exists()


def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> Path:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "__init__.py").touch()
    (tmp_path / "recipes" / "fake.py").write_text(code)
    monkeypatch.setattr(launchers, "_PACKAGES", str(tmp_path))
    return tmp_path / "log"


def test_the_last_object_is_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = module(tmp_path, monkeypatch, "print('noise'); print('{\"files\": [1]}'); print('more noise')")
    assert launchers.call_recipe("fake", [], log=log, seconds=20) == {"files": [1]}


def test_the_error_that_a_program_tells_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = 'import sys; print(\'{"error": {"code": "no-onnx", "what": "No.", "fix": "Install it."}}\'); sys.exit(1)'
    log = module(tmp_path, monkeypatch, code)
    with pytest.raises(PlainError, match=r"No\. Install it\.") as caught:
        launchers.call_recipe("fake", [], log=log, seconds=20)
    assert caught.value.code == "no-onnx"


def test_a_program_that_dies_points_to_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = module(tmp_path, monkeypatch, "raise RuntimeError('details')")
    with pytest.raises(PlainError, match="exit code 1"):
        launchers.call_recipe("fake", [], log=log, seconds=20)
    assert "details" in log.read_text()


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = module(tmp_path, monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(PlainError, match="was ended"):
        launchers.call_recipe("fake", [], log=log, seconds=0.5)
