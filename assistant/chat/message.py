"""One message on its way through the readers: its tidy text, and what is read from it once for all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from assistant.advise import catalog
from assistant.chat import lexicon, mentions, numbers, references, words
from assistant.chat.intents import checked_paths
from assistant.chat.method import read_compute, read_layers, read_method, read_publish
from assistant.chat.settings import read_settings
from assistant.chat.tasks import TaskReading, read_columns, read_task
from assistant.chat.turns import FileCard, State
from recipes.plan import Plan

TRAINS = re.compile(
    r"(?<!next )(?<!by )(?<!last )(?<!a )(?<!this )\b(?:train|teach|fine-?tun|finetun|retrain|re-train)\w*|\b(?:build"
    r"|make|create|develop|get|want|need|have|give"
    r"|set up|like|looking for)\b(?: \w+){0,5} (?:model|classifier|ai|network|bot|chatbot|detector|recogni[sz]er"
    r"|tagger|system|assistant|tool|program|something|filter|translator|predictor)\b"
    r"|\b(?:model|ai|network|computer|machine|program|system|something|it)\b (?:that|which|to|should|can|could|must"
    r"|has to|learns?|will|is able)\b|\blearn\w*\b|\bclassif\w*\b|\bautomat\w*"
)
STRONGLY_TRAINS = re.compile(
    r"(?<!next )(?<!by )(?<!last )(?<!this )\b(?:train|teach|fine-?tune|finetune)s?\b|\b(?:build|make|create|get|want"
    r"|need)\b(?: \w+){0,4} (?:model"
    r"|classifier|ai|network|bot|chatbot)\b"
)


@dataclass
class Message:
    """One message on its way through the readers; what is costly is read once, when it is asked for."""

    raw: str
    state: State
    files_now: tuple[FileCard, ...] = ()
    hostile: bool = field(init=False)

    def __post_init__(self) -> None:
        tidy = words.tidy(self.raw)
        self.hostile = bool(lexicon.HOSTILE.search(tidy))
        self.refused = (
            "path" if lexicon.PATH_LIKE.search(tidy) else "remote-code" if lexicon.REMOTE_CODE.search(tidy) else None
        )
        tidy = lexicon.PATH_LIKE.sub(" ", tidy)
        self.text = numbers.digits(
            words.repair(tidy, lexicon.VOCABULARY, mentions.names() | self.column_words | _spelled(tidy))
        )

    @property
    def plan(self) -> Plan | None:
        return self.state.plan

    @property
    def has_plan(self) -> bool:
        """Whether a plan is at hand that a message may change."""
        return self.plan is not None and self.plan.task is not None

    @property
    def goes_on(self) -> bool:
        """ "good, carry on" before a plan, with no run that could go on, is a yes."""
        text, plan = self.text, self.plan
        if plan is None or plan.base_model is None or re.search(r"\brun\b|stopped|left|paus|interrupt|resume", text):
            return False
        stopped = any(run.status in ("cancelled", "interrupted", "failed") for run in self.state.runs)
        return not stopped and bool(re.search(r"\b(?:good|ok|okay|yes|fine|great|right)\b", text))

    @property
    def file(self) -> FileCard | None:
        """The file that the words are about: the newest that came with them, else the training file at hand."""
        if self.files_now:
            return self.files_now[-1]
        return next((file for file in reversed(self.state.files) if file.role == "train"), None)

    @property
    def column_words(self) -> frozenset[str]:
        file = self.file
        columns = file.profile.get("columns", []) if file else []
        return frozenset(
            word for column in columns for word in re.findall(r"[a-z]+", str(column.get("name", "")).casefold())
        )

    @cached_property
    def publish(self) -> tuple[bool | None, str | None, str]:
        return read_publish(self.text)

    @cached_property
    def dataset(self) -> tuple[str | None, str | None]:
        return mentions.read_dataset(self.text, self.publish[1], self.file is not None)

    @cached_property
    def models(self) -> mentions.Models:
        taken = tuple(name for name in (self.publish[1], self.dataset[0]) if name)
        task = self.plan.task if self.plan else None
        return mentions.read_models(self.text, task, self.column_words, taken)

    @cached_property
    def task(self) -> TaskReading:
        hints = [(self.dataset[1], 2.2)] if self.dataset[1] else []
        hints += [(task, 1.2) for task in self.models.tasks]
        return read_task(self.text, self.file, hints)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Dotted plan paths that the words set, task and columns left aside."""
        rows = self.file.profile.get("rows") if self.file else None
        found = read_settings(self.text, self.plan, rows if isinstance(rows, int) else None)
        if not self.state.trying:
            found = found or references.read_again(self.text, self.state)
            found = references.read_after_question(self.text, self.plan) | found
        model = catalog.lookup(self.plan.base_model) if self.plan and self.plan.base_model else None
        found |= read_method(self.text, layers=model.layers if model else None)
        if self.plan and self.plan.method.name == "last_layers" and "method.name" not in found:
            found |= read_layers(self.text)
        found |= read_compute(self.text)
        publish, repo, _ = self.publish
        if publish is False:
            found["output.publish"] = None
        elif publish and repo:
            found["output.publish"] = repo
        return checked_paths(found)

    @cached_property
    def columns(self) -> dict[str, Any]:
        task = self.task.task or (self.plan.task if self.plan else None) or (first_guess(self.file) or {}).get("task")
        named = checked_paths(self._columns_by_reference(task, self.text) | read_columns(self.text, self.file, task))
        if named or not (self.files_now and self.has_plan and self.state.goal):
            return named
        goal = words.tidy(self.state.goal)  # said before the file came
        return checked_paths(self._columns_by_reference(task, goal) | read_columns(goal, self.file, task))

    def _columns_by_reference(self, task: str | None, text: str) -> dict[str, Any]:
        """Columns that the words mean without naming them: a direction, "the other one"."""
        if self.file is None:
            return {}
        columns, guess = self.file.profile.get("columns", []), first_guess(self.file)
        now = references.columns_at_hand(self.plan, guess)
        other = references.other_column(text, columns, str(now.get("label")))
        found = {"data.columns.label": other} if other else {}
        return found | references.read_direction(text, columns, task or (guess or {}).get("task"), now)


def _spelled(text: str) -> frozenset[str]:
    """The words of a text that the concepts know, or that begin as one does."""
    whole, begun = lexicon.known_words()
    return frozenset(word for word in re.findall(r"[a-z]{4,}", text) if word in whole or word.startswith(begun))


def first_guess(file: FileCard | None) -> dict[str, Any] | None:
    """What the data check takes a file for, or None."""
    return file.guesses[0] if file is not None and file.guesses else None
