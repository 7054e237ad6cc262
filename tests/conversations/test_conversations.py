"""Replays the conversations in this folder: `*.txt`, one line a step, readable as documentation.

you TEXT [+ FILE]        a message, with a file of `files/`
intent NAME [SLOT=VALUE] how the message was read
plan PATH = VALUE        the plan at hand; `< N`, `> N`, `has TEXT`, `none` work too
says TEXT                stands somewhere in the replies to this message, whatever the case
never TEXT               stands nowhere in them
button LABEL             a button below the last reply
does EFFECT              the session was asked to do this
idle                     the session was asked to do nothing
run N STATUS [RESULT]    a run ends, or begins to run; with a result of `shell.RESULTS`
#                        a remark
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conversations.shell import RESULTS, Shell

FOLDER = Path(__file__).parent
CONVERSATIONS = sorted(FOLDER.glob("*.txt"))


def value_at(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def literal(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def check_plan(shell: Shell, rule: str) -> None:
    path, relation, wanted = [*rule.split(None, 2), ""][:3]
    tree = shell.state.plan.model_dump(mode="json") if shell.state.plan else {}
    found = value_at(tree, path)
    holds = {
        "=": lambda: found == literal(wanted),
        "<": lambda: found < float(wanted),
        ">": lambda: found > float(wanted),
        "has": lambda: wanted.casefold() in str(found).casefold(),
        "lacks": lambda: wanted.casefold() not in str(found).casefold(),
        "none": lambda: found is None,
        "some": lambda: found is not None,
    }
    assert holds[relation](), f"plan {path} is {found!r}, wanted {relation} {wanted}"


def check_intent(shell: Shell, rule: str) -> None:
    name, *slots = rule.split(" ", 1)
    assert shell.intent is not None
    assert shell.intent.name == name, f"read as {shell.intent}"
    for slot in slots[0].split(", ") if slots else []:
        key, _, wanted = slot.partition("=")
        assert shell.intent.slots.get(key) == literal(wanted), f"slot {key} is {shell.intent.slots.get(key)!r}"


def follow(shell: Shell, line: str) -> None:
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    said = "\n".join(reply.text for reply in shell.replies)
    if word == "you":
        text, _, files = rest.partition(" + ")
        shell.say(text.strip().removeprefix("(nothing)"), tuple(files.split()))
    elif word == "run":
        number, status, *kind = rest.split()
        if status in ("running", "queued"):
            shell.statuses[f"run-{number}"] = status
        else:
            shell.result = RESULTS[kind[0]] if kind else shell.result
            shell.run_ends(int(number), status)
    elif word == "intent":
        check_intent(shell, rest)
    elif word == "plan":
        check_plan(shell, rest)
    elif word == "says":
        assert rest.casefold() in said.casefold(), f"not said: {rest!r} in {said!r}"
    elif word == "never":
        assert rest.casefold() not in said.casefold(), f"said: {rest!r}"
    elif word == "button":
        labels = [option.label for option in shell.replies[-1].options]
        assert rest in labels, f"buttons are {labels}"
    elif word == "does":
        assert rest in [effect.kind for effect in shell.effects], f"did {shell.effects}"
    elif word == "idle":
        assert not shell.effects, f"did {shell.effects}"
    else:
        raise AssertionError(f"unknown line: {line}")


@pytest.mark.parametrize("path", CONVERSATIONS, ids=[path.stem for path in CONVERSATIONS])
def test_conversation(path: Path) -> None:
    shell = Shell()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            follow(shell, line)
        except AssertionError as error:
            raise AssertionError(f"{path.name}, line {number}: {line}\n{error}") from None


def test_there_are_enough_conversations() -> None:
    assert len(CONVERSATIONS) >= 25


@pytest.mark.parametrize("path", CONVERSATIONS, ids=[path.stem for path in CONVERSATIONS])
def test_every_button_can_be_read(path: Path) -> None:
    """Whatever can be clicked can be said: each option's sentence is understood where it is offered."""
    shell = Shell()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(("you ", "run ")):
            follow(shell, line)
            for reply in shell.replies[-1:]:
                for option in reply.options:
                    copy = Shell()
                    copy.__dict__.update({**shell.__dict__, "statuses": dict(shell.statuses)})
                    copy.say(option.say)
                    assert copy.intent is not None
                    assert copy.intent.name != "unclear", f"{line}: the button {option.label!r} says {option.say!r}"
