"""From data, wishes and hardware to a complete plan, each choice with its reason and runner-up. Pure.

    advise(profile, wish, hardware, guess=…) -> Advice(plan, advice, problem, nearest)

Wishes win over every choice; what the person left open follows from the data's size, lengths, balance and language,
and from what the machine can do in the time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, Field

from assistant.advise import catalog, estimate, facts, models, remarks, rewriting, tasks, training
from assistant.advise.catalog import Model
from assistant.advise.draft import Draft
from assistant.advise.facts import DataFacts
from assistant.advise.hardware import Hardware
from assistant.errors import PlainError
from recipes.plan import CLASSIFICATION, ROLES, Plan, Problem, Task

if TYPE_CHECKING:
    from assistant.data.profile import ColumnProfile, Profile
    from assistant.data.roles import TaskGuess

PREFERENCES = ("faster", "more accurate", "smaller")


class Advice(BaseModel):
    """The adviser's answer.

    Attributes:
        advice: sentences about the fit of the tool, the data and the time; most important first.
        problem: a PlainError's parts (code, what, expected, fix) when the plan cannot work; the plan is then for show.
        nearest: the nearest plan that can work, when there is a problem and one was found.
    """

    model_config = ConfigDict(frozen=True)

    plan: Plan
    advice: list[str] = Field(default_factory=list)
    problem: dict[str, str] | None = None
    nearest: Plan | None = None


def advise(  # noqa: PLR0913 - what a plan follows from; all but the first three are named
    profile: Profile | None,
    wish: Mapping[str, Any],
    hardware: Hardware,
    *,
    guess: TaskGuess | None = None,
    test_rows: int | None = None,
    offline: bool = False,
    demo: bool = False,
    goal: str = "",
    findings: Sequence[Mapping[str, Any]] = (),
) -> Advice:
    """Plan a run.

    Args:
        profile: of the training data; None before there is a file: the plan then has gaps.
        wish: dotted plan paths that the person asked for; besides `preference` ("faster", "more accurate", "smaller")
            and `avoid` (methods or parts of model names that they do not want).
        guess: task and columns as the data suggest them.
        test_rows: rows of the person's own test file.
        offline: the hub cannot be reached. demo: a shared machine with a tight time limit.
        goal: the request in the person's words.
        findings: of the data check, as dumps; some say that fine-tuning is not the tool.
    """
    draft = Draft(wish)
    data, machine = _start(draft, profile, hardware, guess, test_rows)
    task = draft.values["task"]
    if task is None:
        return _nothing_to_learn(draft, data, hardware, profile is not None)
    languages = rewriting.languages_of(profile, draft.plan())
    need = models.Need(task=task, data=data, machine=machine, offline=offline, languages=languages)
    model = models.choose(need, draft)
    rewriting.settle(profile, languages, model, draft)
    minutes = _minutes(draft, machine, demo)
    _settle(need, model, draft, hardware, minutes)
    expected = estimate.of(draft.plan(), model, data, hardware)
    late, said = _time_limit(draft, machine, demo, minutes, expected)
    plan = draft.plan()
    said = [
        *draft.refused, *said, *remarks.about_tool(plan, data, goal, findings), *remarks.about_data(plan, data, model),
        *remarks.about_model(plan, model, offline), *remarks.about_machine(plan, hardware),
    ]  # fmt: skip
    fault = remarks.problem(plan, model, data, hardware, expected) or late
    if profile is None or fault is None:
        return Advice(plan=plan, advice=said)
    nearest = _nearest(fault, plan, need, hardware, expected)
    return Advice(plan=plan, advice=said, problem=_parts(fault), nearest=nearest)


def _nothing_to_learn(draft: Draft, data: DataFacts, hardware: Hardware, has_file: bool) -> Advice:
    """A plan without a task: a problem when there is a file, else a draft."""
    plan, model = draft.plan(), catalog.lookup(None)
    fault = remarks.problem(plan, model, data, hardware, estimate.of(plan, model, data, hardware))
    return Advice(plan=plan, advice=draft.refused, problem=_parts(fault) if has_file else None)


def _settle(need: models.Need, model: Model, draft: Draft, hardware: Hardware, minutes: float) -> None:
    """Machine, metric, split, method and training."""
    if draft.plan().compute.target == "hf_jobs":
        _flavor(need, model, draft)
    _judgement(need.data, draft, need.task)
    if need.task == "text-classification":
        training.settle(training.Situation(need.data, model, hardware, draft.plan(), minutes), draft)
    else:
        tasks.settle(need.task, need.data, model, need.machine.gpu is not None, draft)


def _parts(fault: PlainError | None) -> dict[str, str] | None:
    if fault is None:
        return None
    return {"code": fault.code, "what": fault.what, "expected": fault.expected, "fix": fault.fix}


# ---------------------------------------------------------------- task, problem and columns


def _start(
    draft: Draft, profile: Profile | None, hardware: Hardware, guess: TaskGuess | None, test_rows: int | None
) -> tuple[DataFacts, Hardware]:
    """Set task, problem and data; read the figures."""
    evidence = " ".join(guess.evidence) if guess else ""
    task = cast("Task | None", draft.choose("task", guess.task if guess else None, evidence))
    again = rewriting.another_kind(draft)
    columns = dict(guess.columns) if guess and again else {}
    columns |= _columns(draft, guess)
    task = draft.values["task"]
    draft.values = {path: value for path, value in draft.values.items() if not path.startswith("data.columns.")}
    for role, names in columns.items():
        path = f"data.columns.{role}"
        draft.choose(path, names, _about(facts.names_of(names), guess))
    problem: Problem | None = None
    if task in CLASSIFICATION:
        problem = _problem(draft, profile, columns, guess)
        if guess and problem == "multi_label_classification" and not draft.wished("data.label_separator"):
            draft.values["data.label_separator"] = guess.label_separator or _separator(profile, columns)
    elif draft.wished("problem"):
        draft.wish.pop("problem")
    if profile is not None:
        draft.choose("data.source", profile.name, "")
        draft.choose("data.name", profile.name, "")
    machine = estimate.effective(draft.plan(), hardware)
    return facts.read(profile, columns, problem, test_rows), machine


def _columns(draft: Draft, guess: TaskGuess | None) -> dict[str, Any]:
    """Role -> column: the guess where it is for the same task, and the person's words above it."""
    task = draft.values.get("task")
    columns: dict[str, Any] = dict(guess.columns) if guess and guess.task == task else {}
    asked = draft.wish.get("data.columns")
    if isinstance(asked, Mapping):
        columns |= dict(asked)
        draft.wish.pop("data.columns")
    for path, value in draft.wish.items():
        role = path.removeprefix("data.columns.")
        if role != path and role in ROLES:
            columns[role] = value
    return columns


def _about(names: list[str], guess: TaskGuess | None) -> str:
    """The sentences of the evidence that speak of these columns."""
    sentences = [part for text in (guess.evidence if guess else []) for part in re.split(r"(?<=[.!?]) ", text)]
    return " ".join(part for part in sentences if any(name in part for name in names)) or "By its name and content."


def _label(profile: Profile | None, columns: Mapping[str, Any]) -> ColumnProfile | None:
    names = facts.names_of(columns.get("label"))
    return profile.column(names[0]) if profile and names else None


def _separator(profile: Profile | None, columns: Mapping[str, Any]) -> str | None:
    column = _label(profile, columns)
    return column.separator if column else None


def _problem(
    draft: Draft, profile: Profile | None, columns: Mapping[str, Any], guess: TaskGuess | None
) -> Problem | None:
    """One class a row, several, or a number: as the guess says, else by the kind of the label column."""
    same = guess is not None and facts.names_of(guess.columns.get("label")) == facts.names_of(columns.get("label"))
    found, reason = (guess.problem, "") if guess and same else (None, "")
    column = _label(profile, columns)
    if found is None and column is not None:
        found, reason = "single_label_classification", f"“{column.name}” holds one class a row."
        if column.kind == "list":
            found, reason = "multi_label_classification", f"“{column.name}” holds several labels a row."
        elif column.kind == "number" and column.unique > 20:
            found, reason = "regression", f"“{column.name}” holds {column.unique} different numbers."
    elif found is not None and guess is not None:
        reason = " ".join(guess.evidence)
    if found is None and profile is None:
        found, reason = "single_label_classification", "One class a row is the usual case; your file will tell."
    return cast("Problem | None", draft.choose("problem", found, reason))


# ---------------------------------------------------------------- judgement and time


def _judgement(data: DataFacts, draft: Draft, task: str) -> None:
    """Metric and split."""
    if task in CLASSIFICATION:
        _metric(data, draft)
    if data.test_rows is None:
        rows = data.rows
        fraction = 0.2 if rows < 10_000 else 0.1 if rows < 50_000 else 0.05
        counted = f"{round(rows * fraction):,} of {rows:,} rows"
        reason = (
            f"{counted} are kept aside for the verdict and never trained on. Runner-up: half as many, with a less sure "
            "verdict."
        )
        if rows < training.FEW_ROWS and task in CLASSIFICATION:
            reason = (
                "So few rows are judged by repeated cross-validation: each row is tested by a model that never saw it."
            )
        draft.choose("evaluation.test_fraction", fraction, reason)
    elif draft.wished("evaluation.test_fraction"):
        draft.refused.append("Your own test file is used, so no rows are held out of the training file.")
    rest = data.rows if data.test_rows is not None else round(data.rows * 0.8)
    fraction = 0.2 if rest < 500 else 0.15 if rest < 5000 else 0.1 if rest < 20_000 else 0.05
    if task == "automatic-speech-recognition":  # each recording holds many words, and writing them down is slow
        fraction = min(0.1, 100 / max(1, rest))
    draft.choose(
        "evaluation.validation_fraction", fraction,
        f"{round(rest * fraction):,} of the other rows steer the training: when to stop, which version to keep. "
        "Runner-up: fewer, leaving more to learn from.",
    )  # fmt: skip


def _metric(data: DataFacts, draft: Draft) -> None:
    problem = draft.values.get("problem")
    if problem == "regression":
        value, reason = "mae", "The mean distance from the right number, in its own unit. Runner-up: RMSE."
    elif problem == "multi_label_classification":
        value, reason = "f1_micro", "Counts labels found and labels invented, over all rows. Runner-up: macro F1."
    elif data.uneven:
        value, reason = (
            "f1",
            (
                f"The classes are uneven: always saying the largest would already be right for "
                f"{max(data.class_counts) / sum(data.class_counts):.0%} of the rows, which F1 sees through. "
                "Runner-up: accuracy."
            ),
        )
    else:
        value, reason = "accuracy", "The classes are even enough for the share of right answers. Runner-up: F1."
    draft.choose("evaluation.metric", value, reason)


def _minutes(draft: Draft, machine: Hardware, demo: bool) -> float:
    """The time that the plan is made for."""
    wished = draft.wish.get("training.max_minutes")
    if wished:
        return float(wished)
    minutes = training.GPU_MINUTES if machine.gpu else training.CPU_MINUTES
    if draft.preference == "more accurate":
        minutes *= training.PATIENT
    return min(minutes, training.DEMO_MINUTES) if demo else minutes


def _time_limit(
    draft: Draft, machine: Hardware, demo: bool, minutes: float, expected: estimate.Estimate
) -> tuple[PlainError | None, list[str]]:
    """Set `training.max_minutes`; say so when the plan needs longer than planned."""
    needed = math.ceil(expected.seconds / 60 / training.USABLE)
    about = estimate.readable_seconds(expected.seconds)
    if draft.wished("training.max_minutes"):
        wished = draft.choose("training.max_minutes", minutes, "")
        late = wished is not None and expected.seconds_low > 60 * minutes
        return (remarks.not_enough_time(minutes, expected) if late else None), []
    said = []
    where = "a graphics card" if machine.gpu else f"{machine.cores} processor core{'s' if machine.cores != 1 else ''}"
    reason = f"On {where} this should take about {about}. It stops at {minutes:.0f} minutes and keeps the best state."
    if expected.seconds > 60 * minutes:
        reason = (
            f"On {where} this takes about {about}, longer than the {minutes:.0f} minutes that I would plan; it "
            "stops at "
            f"{needed} minutes and keeps the best state."
        )
        fix = (
            "fewer rows would do for a first look" if machine.gpu else "a graphics card or fewer rows would be quicker"
        )
        said.append(f"This is much work for this machine: about {about}, and {fix}.")
        minutes = float(needed)
    reason += " Runner-up: no limit." if not demo else " This is a shared machine."
    draft.choose("training.max_minutes", minutes, reason)
    return None, said


def _flavor(need: models.Need, model: Model, draft: Draft) -> None:
    """The cheapest rented machine with a card that holds the model."""
    peak = models.peak_bytes(need, model)
    cards = [(name, row) for name, row in estimate.FLAVORS.items() if row[2]]
    name, row = next((pair for pair in cards if pair[1][3] * models.GPU_SHARE >= peak), cards[-1])
    draft.choose(
        "compute.flavor", name,
        f"The cheapest with a graphics card that holds {model.name}: {row[2]}, about ${row[4]:.2f} an hour (prices "
        "change). Runner-up: the next larger one.",
    )  # fmt: skip


# ---------------------------------------------------------------- the nearest plan that can work


def _nearest(
    fault: PlainError, plan: Plan, need: models.Need, hardware: Hardware, expected: estimate.Estimate
) -> Plan | None:
    """The same plan with as little changed as makes it possible."""
    if fault.code == "not-enough-time":
        minutes = float(math.ceil(expected.seconds / 60 / training.USABLE))
        reason = f"You asked for {plan.training.max_minutes:g} minutes; the quickest way needs about {minutes:.0f}."
        reasons = {**plan.reasons, "training.max_minutes": reason}
        return plan.changed({"training.max_minutes": minutes, "reasons": reasons})
    if fault.code in ("qlora-needs-gpu", "method-not-available"):
        changed = plan.changed({"method.name": "lora", "method.layers": None, "method.rank": plan.method.rank or 16})
        model = catalog.lookup(plan.base_model, plan.task)
        if not remarks.problem(changed, model, need.data, hardware, estimate.of(changed, model, need.data, hardware)):
            return changed
    if fault.code in ("not-enough-memory", "not-enough-disk", "qlora-needs-gpu", "method-not-available"):
        return _that_fits(plan, need, hardware)
    return None


def _that_fits(plan: Plan, need: models.Need, hardware: Hardware) -> Plan | None:
    """Smaller steps, then adapters or the head alone, then the largest model that fits."""
    model = catalog.lookup(plan.base_model, plan.task)
    thrifty = "head" if plan.task in ("text-classification", "image-classification", "audio-classification") else "lora"
    tries: list[dict[str, Any]] = [{"training.micro_batch_size": 1}, {"method.name": "lora", "method.rank": 16}]
    tries.append({"method.name": "lora", "method.rank": 16, "training.micro_batch_size": 1})
    tries.append({"method.name": thrifty, "method.rank": 16 if thrifty == "lora" else None})
    smaller = catalog.find(need.task, need.data.language, 0.9 * model.parameters, need.offline and _has_starter(need))
    for other in reversed(smaller):
        tries += [{"base_model": other.id}, {"base_model": other.id, "method.name": "lora", "method.rank": 16}]
    for changes in tries:
        candidate = plan.changed(changes)
        other = catalog.lookup(candidate.base_model, candidate.task)
        expected = estimate.of(candidate, other, need.data, hardware)
        if remarks.problem(candidate, other, need.data, hardware, expected) is None:
            reasons = {**plan.reasons, **{path: "Changed so that it fits this machine." for path in changes}}
            return candidate.changed({"reasons": reasons})
    return None


def _has_starter(need: models.Need) -> bool:
    return catalog.default(need.task, "starter") is not None


def faster(profile: Profile | None, wish: Mapping[str, Any], hardware: Hardware, **details: Any) -> Advice:
    """`advise` again, for about half the time."""
    return advise(profile, {**wish, "preference": "faster"}, hardware, **details)


def more_accurate(profile: Profile | None, wish: Mapping[str, Any], hardware: Hardware, **details: Any) -> Advice:
    """`advise` again, for up to three times the time."""
    return advise(profile, {**wish, "preference": "more accurate"}, hardware, **details)
