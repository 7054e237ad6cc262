"""A dialogue of one-word commands in place of the real one: the session's tests are about deeds, not about words."""

from __future__ import annotations

from typing import Any

from assistant.chat.turns import (
    Answered,
    Effect,
    FileRead,
    FileRefused,
    Intent,
    PlanPrepared,
    Reply,
    RunChanged,
    Said,
    State,
    Turn,
)


def step(state: State, event: Any) -> Turn:
    """`plan`, `start HOW`, and every other effect by its name with `key=value` arguments; `boom` raises."""
    if isinstance(event, FileRead):
        files = [card for card in state.files if card.name != event.file.name]
        return Turn(state=state.model_copy(update={"files": [*files, event.file]}))
    if isinstance(event, FileRefused):
        return Turn(state=state, replies=[Reply(text=f"refused {event.code}: {event.what}")])
    if isinstance(event, PlanPrepared):
        text = f"problem {event.problem['code']}" if event.problem else "planned"
        return Turn(state=state.model_copy(update={"plan": event.plan}), replies=[Reply(text=text)])
    if isinstance(event, RunChanged):
        text = f"run {event.run.number} {event.run.status}" + (" with result" if event.result else "")
        reply = Reply(text=text, card="run", data={"run": event.run.id})
        return Turn(state=state.model_copy(update={"current_run": event.run.id}), replies=[reply])
    if isinstance(event, Answered):
        text = f"{event.effect}: {event.problem['code'] if event.problem else event.data}"
        return Turn(state=state, replies=[Reply(text=text)])
    assert isinstance(event, Said)
    return _said(state, event.text)


def _said(state: State, text: str) -> Turn:
    name, *words = text.split() or ["hello"]
    arguments: dict[str, Any] = dict(word.split("=", 1) for word in words if "=" in word)
    if name == "boom":
        raise RuntimeError("a bug in the dialogue")
    if name == "circle":
        return Turn(state=state, effects=[Effect(kind="run_status")] * 3, intent=Intent(name="status"))
    if name == "plan":
        arguments = {"wish": {}, "file": state.files[-1].id if state.files else None}
        return Turn(state=state, effects=[Effect(kind="prepare_plan", arguments=arguments)], intent=Intent(name="plan"))
    if name == "start" and state.plan is not None:
        plan = state.plan.changed({"base_model": words[0] if words else "finish"})
        arguments = {"plan": plan.model_dump(mode="json")}
        return Turn(state=state, effects=[Effect(kind="start_run", arguments=arguments)], intent=Intent(name="start"))
    if name == "hello":
        return Turn(state=state, replies=[Reply(text="Hello.")], intent=Intent(name="help"))
    if "file" in arguments:
        arguments["file"] = state.files[-1].id
    if "runs" in arguments:
        arguments["runs"] = arguments["runs"].split(",")
    if "inputs" in arguments:
        arguments["inputs"] = arguments["inputs"].split(",")
    return Turn(state=state, effects=[Effect(kind=name, arguments=arguments)], intent=Intent(name=name))
