"""What this home knows of the speed of its machine: trials that were asked for, and the runs that were finished here.

known(session)                      newest first, for `advise.measured.correct`
measure(session, plan, file)        a few real steps in a child process; remembered in `measured.json`
expect(folder, plan, …)             what is expected of a run, kept beside it: `expected.json`
"""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.advise import measured
from assistant.advise.estimate import Estimate, estimate
from assistant.advise.hardware import Hardware
from assistant.advise.measured import Measured
from assistant.data.stored import Stored
from assistant.errors import PlainError
from assistant.jobs import rundir, trial
from assistant.jobs.home import Home, new_run_id
from assistant.jobs.launchers import Machine
from assistant.jobs.store import Store
from recipes.plan import Plan

if TYPE_CHECKING:
    from assistant.data.profile import Profile

#: Trials that are remembered, and finished runs that are looked at.
KEPT, LOOKED_AT = 20, 8
EXPECTED = "expected.json"


def known(home: Home, store: Store) -> list[Measured]:
    """Every measurement of this home, newest first."""
    found = [*_trials(home), *(one for one in map(_of_run, _finished(home, store)) if one is not None)]
    return sorted(found, key=lambda one: -one.at)


def expect(folder: Path, plan: Plan, profile: Profile | None, hardware: Hardware, test_rows: int | None) -> None:
    """Keep the uncorrected estimate beside a run, so that the run's truth can be held against it."""
    rundir.write_json(folder / EXPECTED, estimate(plan, profile, hardware, test_rows))


def measure(
    home: Home, plan: Plan, file: Stored, hardware: Hardware, *, seed: int = 0
) -> tuple[Measured | None, Trial]:
    """Run a few real steps on a part of the rows.

    Returns:
        what it says about the machine (None where it says nothing), and the trial.

    Raises:
        PlainError: the trial failed, or took too long.
    """
    from assistant.data.profile import Profile

    small = trial.trial_plan(plan)
    folder = home.root / "trials" / new_run_id()
    (folder / "data").mkdir(parents=True, mode=0o700)
    part = file.copy(folder / "data" / "train.jsonl", most=trial.rows_for(plan), seed=seed, look=True)
    small.save(folder / "plan.json")
    done = trial.run(folder, small, Machine(cores=hardware.cores, gpus=len(hardware.gpus)))
    expected = estimate(small, Profile.model_validate(part["profile"]), hardware)
    found = measured.ratios(
        small, expected, done.result, done.step_seconds, origin="a trial on this machine", trial=True
    )
    if found is not None:
        _remember(home, found)
    return found, done


Trial = trial.Trial


def _remember(home: Home, found: Measured) -> None:
    kept = [*_trials(home), found][-KEPT:]
    rundir.write_json(home.root / "measured.json", {"measured": [one.model_dump(mode="json") for one in kept]})


def _trials(home: Home) -> list[Measured]:
    tree = rundir.read_json(home.root / "measured.json") or {}
    found = []
    for one in tree.get("measured") or []:
        try:
            found.append(Measured.model_validate(one))
        except ValueError:
            continue  # of another version
    return found


def _finished(home: Home, store: Store) -> list[tuple[int, Path]]:
    rows = [row for row in store.runs() if row.status == "finished"][-LOOKED_AT:]
    return [(row.number, home.run_dir(row.run)) for row in rows]


def _of_run(row: tuple[int, Path]) -> Measured | None:
    """What a finished run says, by its own folder."""
    number, folder = row
    plan, result = rundir.read_plan(folder), rundir.read_json(folder / "result.json")
    tree = rundir.read_json(folder / EXPECTED)
    if plan is None or result is None or tree is None:
        return None
    try:
        expected = Estimate.model_validate(tree)
        seconds = trial.step_seconds(folder / "events.jsonl")
        found = measured.ratios(plan, expected, result, seconds, origin=f"run {number}", trial=False)
        return found.model_copy(update={"at": (folder / "result.json").stat().st_mtime}) if found else None
    except (ValueError, OSError):
        return None


def refuse_if_busy(store: Store) -> None:
    """A trial beside a run at work would measure both.

    Raises:
        PlainError: a run is at work or waits.
    """
    busy = next((row for row in store.runs() if row.status in ("queued", "running")), None)
    if busy is not None:
        raise PlainError(
            "run-active",
            f"Run {busy.number} is at work, so a trial now would measure the two together.",
            "A machine that is quiet tells its true speed.",
            "Ask again when it has ended, or start: the run corrects its own estimate from its first steps on.",
        )


def answer(plan: Plan, before: Estimate, after: Estimate, found: Measured | None) -> dict[str, Any]:
    """The data of the answer to a trial: a sentence, and the corrected estimate."""
    text = (
        measured.told(before, after, found)
        if found is not None
        else "The trial was too short to measure anything: the run itself will be over soon."
    )
    expected = (after.seconds_low * after.seconds_high) ** 0.5
    return {
        "text": text, "estimate": after.model_dump(mode="json"), "expected_seconds": round(expected, 1),
        "plan": plan.fingerprint(),
    }  # fmt: skip
