"""The closed set of intents: what a person can want, and the slots that come with it.

Each class is one intent; its docstring describes it to a person and to an optional second reader. Slots that change the
plan use dotted plan paths ("training.epochs") and are checked by `recipes.plan`; the other slots are the fields below.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assistant.chat.turns import Intent
from recipes.plan import Plan

#: Wishes that are no field of the plan: `preference` steers several choices at once, `avoid` lists methods and parts of
#: model names that are not wanted.
PREFERENCES = ("faster", "more accurate", "smaller")
PSEUDO_PATHS = ("preference", "avoid")


class Slots(BaseModel):
    """What was read from the words, beside plan paths."""

    model_config = ConfigDict(extra="allow")

    def plan_paths(self) -> dict[str, Any]:
        """The dotted plan paths (and `preference`) among the slots."""
        extra = self.model_extra or {}
        return {path: value for path, value in extra.items() if is_plan_path(path)}


class PlanSlots(Slots):
    """The person wants to fine-tune something; slots hold what their words say about it, as dotted plan paths."""

    then: Literal["start"] | None = Field(default=None, description="they asked to start in the same message")
    refused: str | None = Field(default=None, description="a part that is never taken from a chat: path, remote-code")
    like: str | None = Field(default=None, description="a model name nobody knows, with close ones to offer")


class ChangeSlots(PlanSlots):
    """The person changes the plan at hand; slots hold the dotted plan paths that change."""


class StartSlots(Slots):
    """The person says yes: run the plan at hand."""


class StopSlots(Slots):
    """The person wants the run to stop; its best state is kept."""

    run: int | str | None = None


class ResumeSlots(StopSlots):
    """The person wants to go on with a run that was stopped."""


class StatusSlots(StopSlots):
    """The person asks how the run stands: is it done, how far, how long still."""


class CheckDataSlots(Slots):
    """The person wants to hear what the file holds and what is wrong with it."""


class FixDataSlots(Slots):
    """The person wants a reported problem of the data fixed."""

    code: str | None = Field(default=None, description="the finding's code, as exact-duplicates")


class ExplainSlots(Slots):
    """The person wants to understand a term, a choice in the plan, a number or an error."""

    topic: str = ""
    other: str | None = Field(default=None, description="a second term it is compared with")
    rows: int | None = Field(default=None, description="a number of rows that they ask about")


class ReportSlots(StopSlots):
    """The person wants the results of a finished run."""


class CompareSlots(Slots):
    """The person wants runs compared with each other."""

    runs: list[int | str] = Field(default_factory=list)


class ImproveSlots(StopSlots):
    """The person wants a better result than the last run's."""


class PredictSlots(Slots):
    """The person wants to try the model on an input."""

    input: str | None = None
    run: int | str | None = None


class EvaluateSlots(StopSlots):
    """The person wants a finished model scored on another file."""


class ExportSlots(StopSlots):
    """The person wants the model as files."""

    format: Literal["adapter", "merged", "onnx", "gguf"] | None = None


class PublishSlots(StopSlots):
    """The person wants the model on the Hub, or a demo page of it."""

    repo: str | None = None
    kind: Literal["model", "space"] = "model"


class ListRunsSlots(Slots):
    """The person wants to see their runs."""


class DeleteRunSlots(StopSlots):
    """The person wants a run removed."""


class GetStarterSlots(Slots):
    """The person wants a starter model downloaded: a small real model that needs no model hub."""

    starter: str | None = Field(default=None, description="its name, as mobilenetv2; else the one the plan needs")


class UndoSlots(Slots):
    """The person takes the last change back."""


class HelpSlots(Slots):
    """A greeting, a thank-you, or: what can you do?"""

    kind: Literal["hello", "thanks", "what", "how"] | None = None


class UnclearSlots(Slots):
    """Anything that must be asked back about, or that the assistant does not do."""

    why: str | None = Field(default=None, description="out-of-scope topic, or two readings, or nothing understood")


INTENTS: dict[str, type[Slots]] = {
    "plan": PlanSlots,
    "change": ChangeSlots,
    "start": StartSlots,
    "stop": StopSlots,
    "resume": ResumeSlots,
    "status": StatusSlots,
    "check_data": CheckDataSlots,
    "fix_data": FixDataSlots,
    "explain": ExplainSlots,
    "report": ReportSlots,
    "compare": CompareSlots,
    "improve": ImproveSlots,
    "predict": PredictSlots,
    "evaluate": EvaluateSlots,
    "export": ExportSlots,
    "publish": PublishSlots,
    "list_runs": ListRunsSlots,
    "delete_run": DeleteRunSlots,
    "get_starter": GetStarterSlots,
    "undo": UndoSlots,
    "help": HelpSlots,
    "unclear": UnclearSlots,
}


def is_plan_path(path: str) -> bool:
    """Whether a slot's name is a dotted path of the plan, or one of the pseudo-paths."""
    if path in (*PSEUDO_PATHS, "task", "problem", "base_model"):
        return True
    parent, _, leaf = path.partition(".")
    if parent == "data" and leaf.startswith("columns."):
        return True
    field = Plan.model_fields.get(parent)
    section = field.annotation if field else None
    return bool(leaf) and isinstance(section, type) and issubclass(section, BaseModel) and leaf in section.model_fields


def intent(name: str, **slots: Any) -> Intent:
    """An intent of the closed set whose slots were checked; empty slots are left out, but plan paths may be None.

    Raises:
        KeyError: the name is not one of the set.
        pydantic.ValidationError: a slot is of the wrong kind.
    """
    INTENTS[name].model_validate(slots)
    kept = {key: value for key, value in slots.items() if value not in (None, [], "") or is_plan_path(key)}
    return Intent(name=name, slots=kept)


def checked_paths(paths: dict[str, Any]) -> dict[str, Any]:
    """Those plan paths whose values a plan accepts; values out of range are left out one by one."""
    good: dict[str, Any] = {}
    for path, value in paths.items():
        if path in PSEUDO_PATHS:
            if path == "avoid" or value in PREFERENCES:
                good[path] = value
            continue
        try:
            Plan().changed({path: value})
        except (ValidationError, TypeError, AttributeError):
            continue
        good[path] = value
    return good
