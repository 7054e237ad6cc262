"""The data sets that come with the assistant, each with a request that a person could have typed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from assistant.errors import PlainError


@dataclass(frozen=True)
class Example:
    """A ready conversation.

    Attributes:
        path: the data file.
        request: what to say with it.
        title: a few words for a card.
        description: one sentence for a card.
    """

    path: Path
    request: str
    title: str
    description: str


#: name -> (file, request, title, description)
_EXAMPLES = {
    "spam": (
        "spam.csv",
        "Tell spam from real e-mails",
        "Spam or real?",
        "Some 600 real e-mails of 2002 and 2003, a third of them spam: learn to tell them apart.",
    ),
    "clothes": (
        "clothes.zip",
        "Tell kinds of clothes apart",
        "Which piece of clothing?",
        "600 small pictures of ten kinds of clothes, from bags to trousers: learn to sort them.",
    ),
    "commands": (
        "commands.zip",
        "Recognise spoken commands",
        "Which word was said?",
        "320 short recordings of eight words, from yes to down, in many voices: learn to tell them apart.",
    ),
    "accent": (
        "accent.zip",
        "Teach a model to understand these accents and write down what is said",
        "Understand an accent",
        "120 sentences of Moby-Dick in four accents, read by machine voices: learn to write them down.",
    ),
    "addresses": (
        "addresses.jsonl",
        "Find the street, the city and the other parts of an address",
        "Which part is the street?",
        "400 real addresses in the USA, word by word: learn to mark street, city, state and the other parts.",
    ),
    "answers": (
        "notices.jsonl",
        "Point to the answer of a question in a notice",
        "Where is the answer?",
        "300 questions about 100 short notices: learn to mark the words that answer them, or to say that none do.",
    ),
    "alike": (
        "alike.csv",
        "Find the command that does what a sentence says, by meaning",
        "Which command does that?",
        "700 things to do at a Linux terminal, each with its command: learn to find the command for a sentence.",
    ),
}


def example_names() -> list[str]:
    """The names that `example` knows."""
    return list(_EXAMPLES)


def example(name: str) -> Example:
    """The example of a name.

    Raises:
        PlainError: example-unknown, with the names that there are.
    """
    if name not in _EXAMPLES:
        raise PlainError(
            "example-unknown", f"There is no example called {name}.", f"There are: {', '.join(_EXAMPLES)}.",
            "Choose one of these.",
        )  # fmt: skip
    file, request, title, description = _EXAMPLES[name]
    path = Path(str(resources.files("assistant") / "examples" / file))
    return Example(path, request, title, description)
