"""Files as the reader sees them, made of a few rows in memory."""

from __future__ import annotations

from functools import cache

import pandas as pd

from assistant.chat.turns import FileCard
from assistant.data.profile import profile
from assistant.data.roles import guess_tasks
from assistant.data.table import Table

_WORDS = ("parcel", "invoice", "login", "colour", "battery", "garden", "train", "window", "letter", "music")


def card(name: str, frame: pd.DataFrame) -> FileCard:
    seen = profile(Table(name=name, format="csv", frame=frame, notes=[]))
    guesses = [guess.model_dump(mode="json") for guess in guess_tasks(seen)]
    return FileCard(id=name, name=name, profile=seen.model_dump(mode="json"), guesses=guesses)


def _texts(count: int) -> list[str]:
    return [f"I wrote about my {_WORDS[i % 10]} and the {_WORDS[(i * 7) % 10]} on day {i}" for i in range(count)]


@cache
def reviews() -> FileCard:
    labels = [("positive", "negative")[i % 2] for i in range(60)]
    return card("reviews.csv", pd.DataFrame({"review": _texts(60), "sentiment": labels}))


@cache
def tickets() -> FileCard:
    frame = pd.DataFrame(
        {
            "message": _texts(60),
            "department": [("billing", "shipping", "technical")[i % 3] for i in range(60)],
            "priority": [("low", "medium", "high", "low")[i % 4] for i in range(60)],
        }
    )
    return card("tickets.csv", frame)


@cache
def mails() -> FileCard:
    frame = pd.DataFrame(
        {
            "subject": [f"About the {_WORDS[i % 10]} number {i}, please read" for i in range(60)],
            "body": _texts(60),
            "kind": [("work", "private")[i % 2] for i in range(60)],
        }
    )
    return card("mails.csv", frame)


@cache
def houses() -> FileCard:
    frame = pd.DataFrame({"area": [40.5 + i for i in range(50)], "rooms": [1 + i % 5 for i in range(50)]})
    return card("houses.csv", frame)


@cache
def chats() -> FileCard:
    rows = [[{"role": "user", "content": text}, {"role": "assistant", "content": "yes"}] for text in _texts(20)]
    return card("chats.jsonl", pd.DataFrame({"messages": rows}))
