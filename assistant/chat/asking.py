"""Questions: what a term means, why something was chosen; and what looks like one and sets something."""

from __future__ import annotations

import re

from assistant.chat import controls
from assistant.chat.intents import intent
from assistant.chat.message import Message
from assistant.chat.questions import read_definition, read_question
from assistant.chat.references import read_after_question
from assistant.chat.settings import read_settings
from assistant.chat.turns import Intent

#: A figure that a run reached, not the meaning of its name: "what f1 did it get".
_OF_A_RUN = re.compile(
    r"\b(?:of|for|in) (?:the (?:last |latest )?)?run\b"
    r"|\b(?:did|does|has) (?:it|the (?:\w+ )?(?:model|run)|we|i)\b[\w ]*\b(?:get|got|reach|reached|have|achieve|score"
    r"|end)\b"
    r"|\b(?:accuracy|f1|score|loss|wer) (?:now|so far|at the moment|currently|right now)\b"
    r"|\bthe (?:final|test|last|current) (?:accuracy|f1|score|wer|loss|result)\b"
)
#: "what is bert?": a model's name and nothing else.
_WHAT_IS = re.compile(
    r"(?:and |so |please )*(?:what(?: is| are|'s)|who is|explain|tell me (?:more )?about|do you know) (?:a |an |the )?"
    r"[\w./-]+(?: [\w.-]+)?(?: model)?[ ?.!]*$"
)
#: "So the wish is: a computer which speaks like me. Is this to do?"
_TELLS_THE_WISH = re.compile(r"\b(?:the|my|our) (?:wish|goal|aim|idea|task|dream|plan) is\b")


def definition(message: Message) -> Intent | None:
    """A question for the meaning of a term, or for what a model is; None where the words ask for something else."""
    if _OF_A_RUN.search(message.text):
        return None
    about_me = re.search(r"\b(?:you|your)\b", message.text) and controls.is_help(message.text)
    found = None if message.files_now or about_me else read_definition(message.text, message.raw)
    if found is None and not message.files_now and _WHAT_IS.match(message.text) and message.models.wanted:
        return intent("explain", topic=message.models.wanted[0].id)
    return intent(found[0], **found[1]) if found else None


def _orders_at_last(message: Message) -> bool:
    """Whether what looks like a question sets something: asked politely, or after the question mark."""
    _, asked, rest = message.text.rpartition("?")
    told = bool(asked and (read_settings(rest, message.plan) or read_after_question(message.text, message.plan)))
    return told or bool(_POLITE_CHANGE.match(message.text))


#: "Could HF Jobs do the training instead?" asks for a setting; "would 10 epochs be too many?" is a question.
_POLITE_CHANGE = re.compile(
    r"(?:and |so |ok |hm+ |please )*(?:can|could|may|(?:would|will) (?:you|we))\b(?!.*\b(?:run|work|go)\w* (?:on|in"
    r"|with)\b)"
    r"(?!.*\b(?:too|enough|better|worse|help|hurt|harm|mean|matter|difference|sense|cost|need|fit|risky?|problem)\b)"
)


def question(message: Message) -> Intent | None:
    """A question about the plan, a number or the method; None where it sets something, or asks nothing."""
    if message.has_plan and message.settings and _orders_at_last(message):
        return None
    if not message.has_plan and _TELLS_THE_WISH.search(message.text):
        return None
    found = read_question(message.text, message.raw, has_plan=message.has_plan, with_file=bool(message.files_now))
    if found is None:
        return None
    if found[1].get("topic") == "time estimate" and any(
        run.status in ("running", "queued") for run in message.state.runs
    ):
        return intent("status")
    return intent(found[0], **found[1])
