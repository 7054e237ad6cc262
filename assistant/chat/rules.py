"""The offline reader: read(text, state, files_now) -> Intent. Pure, no network, milliseconds.

    tidy -> repair spelling -> numbers in digits -> what do the words want? -> the slots of that intent

Every part is a small reader of its own (`settings`, `method`, `mentions`, `tasks`, `controls`, `questions`); this
module
decides between them. What a person types is text and nothing else: it names no path, opens no file, runs no code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from assistant.chat import controls, lexicon, offers, run_answers, run_control, second, starter, words
from assistant.chat.about_data import OF_DATA
from assistant.chat.asking import definition, question
from assistant.chat.intents import intent
from assistant.chat.message import STRONGLY_TRAINS, TRAINS, Message, first_guess
from assistant.chat.questions import asks_how_much, read_definition
from assistant.chat.request import LIKELY, request, was_refused
from assistant.chat.second_thought import second_thought
from assistant.chat.tasks import SURE
from assistant.chat.turns import FileCard, Intent, State
from assistant.chat.wish import ACCURATE, as_change, plan_slots

_OPTION_COLUMN = re.compile(r"^(?:use|take) the column (.+?) as the (label|text)$", re.IGNORECASE)


def read(text: str, state: State, files_now: Sequence[FileCard] = ()) -> Intent:
    """What a message wants.

    Args:
        text: as typed; anything.
        state: what the conversation remembers.
        files_now: files that came with this message, or that nothing was said about yet.
    """
    message = Message(text, state, tuple(files_now))
    if not message.text:
        return _without_words(message)
    for reader in (
        _by_option,
        _offered,
        _starter,
        _about_a_run,
        _trying,
        _noise,
        _hostile,
        _yes_or_no,
        definition,
        _help,
        _outside,
        _control,
        question,
        request,
    ):
        answer = reader(message)
        if answer is not None:
            return answer if reader in _CERTAIN else second_thought(message, answer)
    return second_thought(message, intent("unclear"))


def _without_words(message: Message) -> Intent:
    if message.files_now:
        return intent("plan", **message.columns)
    return intent("help", kind="hello") if not message.raw.strip() else intent("unclear", why="nothing")


def _by_option(message: Message) -> Intent | None:
    """A clicked button says a sentence that holds a column's exact name, whatever that is."""
    match = _OPTION_COLUMN.match(message.raw.strip())
    file = message.file
    if not match or file is None:
        return None
    name = next(
        (
            str(column["name"])
            for column in file.profile.get("columns", [])
            if _same(str(column["name"]), match.group(1))
        ),
        None,
    )
    if name is None:
        return None
    slots = {f"data.columns.{match.group(2).lower()}": name}
    plan = message.plan
    return intent("change" if plan is not None and plan.base_model else "plan", **slots)


def _offered(message: Message) -> Intent | None:
    """Few words that answer what was just offered or asked."""
    return offers.read(message.raw, message.state, message.files_now)


def _starter(message: Message) -> Intent | None:
    """A wish to have a small real model downloaded."""
    return starter.read(message.raw, message.state) if not message.files_now else None


def _about_a_run(message: Message) -> Intent | None:
    """A question that a run which is over answers from its own numbers."""
    over = any(run.status in ("finished", "failed", "cancelled") for run in message.state.runs)
    topic = run_answers.topic_of(message.text) if over and not message.files_now else None
    return intent("explain", topic=topic, run=run_control.run_slot(message.text)) if topic else None


def _same(name: str, spoken: str) -> bool:
    def plain(text: str) -> str:
        return re.sub(r"\W+", " ", text).strip().casefold()[:60]

    return name == spoken or (plain(name) == plain(spoken) and bool(plain(name)))


def _trying(message: Message) -> Intent | None:
    """While a model is tried, what is no clear wish is an input."""
    if not message.state.trying or message.files_now:
        return None
    text = message.text
    wish = controls.is_help(text) and len(text.split()) <= 3 and controls.help_kind(text) == "thanks"
    if (
        wish
        or run_control.is_stop(text)
        or (run_control.is_start(text) and len(text.split()) <= 2)
        or re.search(r"\brun \d+\b|\bthe (?:model|report|plan|run)\b", text)
    ):
        return None
    found = controls.found(text, message.raw, has_plan=True, with_file=False, trying=True)
    if found and found[0] == "predict" and found[1].get("input"):
        return intent("predict", **found[1])
    short = len(text.split()) <= 6
    if found and found[0] != "predict" and short:
        return None
    asks = message.raw.strip().endswith("?") and re.match(r"(?:why|which (?:class|label))\b", text)
    if short and (asks or read_definition(text, message.raw)):
        return None
    if short and message.settings:
        return None
    return intent("predict", input=message.raw.strip()[:20_000])


def _noise(message: Message) -> Intent | None:
    if message.models.wanted:
        return None
    letters = re.sub(r"[^\w]", "", message.text)
    if not letters or (not re.search(r"[^\W\d_]{2,}", message.text) and not message.settings):
        return intent("unclear", why="nothing")
    said = message.text.split()
    if len(said) >= 8 and len(set(said)) <= 2:
        return intent("unclear", why="nothing")  # the same word again and again
    vowels = re.search(r"[aeiouyäöüáéíóúàèìòùâêîôû]", message.text)
    if not vowels and message.text.isascii() and len(letters) > 6 and not message.settings:
        return intent("unclear", why="nothing")
    return None


def _hostile(message: Message) -> Intent | None:
    """Commands and markup are text; only a clear request for a training beside them is read."""
    if not message.hostile:
        return None
    if message.refused and message.task.score >= SURE and not _COMMANDS.search(message.text):
        return None
    if (
        message.task.score >= SURE
        and (message.files_now or STRONGLY_TRAINS.search(message.text))
        and not _COMMANDS.search(message.text)
    ):
        return None
    return intent("unclear", why="not-a-command")


_COMMANDS = re.compile(
    r"\b(?:ignore|disregard|forget|override) (?:\w+ ){0,3}(?:instructions?|rules?|prompts?)|\brm -|\bsudo\b"
    r"|\bdrop table\b|<\s*/?script"
)


def _yes_or_no(message: Message) -> Intent | None:
    text, pending = message.text, message.state.pending or ""
    kind, _, rest = pending.partition(":")
    if kind in ("delete_run", "publish", "fix", "asked") and re.fullmatch(
        r"(?:yes|yep|yeah|ok|okay|sure|do it|go ahead|please do|confirm|yes please|yes do it|yes delete it|delete it"
        r"|publish it|fix it)[.! ]*",
        text,
    ):
        if kind == "asked":
            return second.confirmed(pending)
        known: dict[str, dict[str, Any]] = {"delete_run": {"run": rest}, "publish": {}, "fix": {"code": rest}}
        slots = known[kind]
        return intent({"fix": "fix_data"}.get(kind, kind), **slots)
    if run_control.holds_back(text) and not _other_wishes(message):
        return intent("change")
    if run_control.is_undo(text):
        return None
    nothing_yet = not message.has_plan and not message.state.runs and re.search(r"fine-?tun|^(?:please )?train\b", text)
    if (
        run_control.is_start(text)
        and not nothing_yet
        and not was_refused(message.state)
        and not message.files_now
        and not message.models.wanted
        and not message.settings
    ):
        resumable = any(run.status in ("cancelled", "interrupted") for run in message.state.runs)
        if run_control.is_resume(text) and (
            resumable or not message.has_plan or run_control.run_slot(text) is not None
        ):
            run = run_control.run_slot(text)
            return intent("resume", run=run)
        return intent("start")
    return None


def _other_wishes(message: Message) -> bool:
    return bool(
        message.settings
        or message.models.wanted
        or message.columns
        or (message.files_now and message.task.score >= SURE)
    ) or bool(re.search(r"\b(?:look|check|inspect|analy[sz]e)\b|\btell me\b|\bshow me\b|\bdata\b", message.text))


def _outside(message: Message) -> Intent | None:
    """What this assistant does not do."""
    text, file = message.text, message.file
    for topic, pattern in lexicon.OUT_OF_SCOPE:
        match = pattern.search(text)
        if match and not words.negated(text, match.start()) and not _inside_after_all(message, topic):
            return intent("unclear", why=topic)
    guess = first_guess(file)
    if not message.files_now or guess is None or guess.get("task") is not None:
        return None
    other = controls.found(text, message.raw, has_plan=message.has_plan, with_file=True, trying=False)
    return None if other else intent("unclear", why="tabular")


def _inside_after_all(message: Message, topic: str) -> bool:
    text, guess = message.text, first_guess(message.file)
    fits = guess is not None and guess.get("task") is not None and float(guess.get("score", 0)) >= 0.5
    from_text = bool(
        re.search(
            r"\bfrom (?:the |its |their |an? |what )?(?:\w+ ){0,2}(?:text|descriptions?|reviews?|comments?|titles?"
            r"|messages?|e-?mails?|headlines?|ads?|news|tweets?|articles?|posts?)\b",
            text,
        )
    )
    if topic in ("tabular", "forecasting"):
        return (fits and bool(message.files_now)) or from_text
    if topic == "errand":
        return bool(STRONGLY_TRAINS.search(text)) or bool(message.files_now)
    if topic == "reinforcement-learning":  # "the chosen answers should win against the rejected ones"
        return message.task.task == "preference-tuning"
    if topic == "recommender":
        return message.task.task == "sentence-similarity" and message.task.score >= 2
    if topic == "clustering":
        if message.task.task == "text-generation" and re.search(r"\bunsupervised\b", text):
            return message.task.score >= SURE  # next words of a raw text
        return fits and bool(message.files_now) and bool(re.search(r"\blabel|classif|which\b", text))
    if topic in ("video", "music-generation", "speech-generation", "image-generation"):
        return (
            message.task.score >= 2.5
            and message.task.task
            in (
                "text2text-generation",
                "image-text-to-text",
                "automatic-speech-recognition",
                "text-classification",
                "image-classification",
            )
            and bool(
                re.search(
                    r"\b(?:descri\w+|caption\w*|transcri\w+|subtitle\w*|classif\w*|tell \w+ from|detect\w*"
                    r"|real or fake|whether|titles?)\b",
                    text,
                )
            )
            and not re.search(r"stable ?diffusion|dreambooth|dall-?e|midjourney", text)
        )
    return False


def _help(message: Message) -> Intent | None:
    """Greetings, thanks and "what can you do", as long as they carry no request."""
    text = message.text
    if message.files_now or not controls.is_help(text) or len(text.split()) > 14 or asks_how_much(text):
        return None
    kind = controls.help_kind(text)
    found = controls.found(text, message.raw, has_plan=message.has_plan, with_file=False, trying=False)
    if found and found[0] in ("improve", "report", "status"):
        return None
    asks_how = kind == "how" and re.match(r"(?:\w+ ){0,2}how (?:do|does|can|could|should|would|to)\b", text)
    wishes = message.task.score >= SURE or (TRAINS.search(text) and not asks_how)
    if kind in ("hello", "thanks", "how") and wishes and len(text.split()) > 4:
        return None
    if message.models.wanted or message.dataset[0] or message.settings:
        return None
    return intent("help", kind=kind)


def _control(message: Message) -> Intent | None:
    """A wish about runs, data or models, unless the words say more about a plan."""
    found = controls.found(
        message.text,
        message.raw,
        has_plan=message.has_plan,
        with_file=bool(message.files_now),
        trying=message.state.trying,
    )
    if found is None or _is_about_the_plan(message, found[0]) or _is_a_story(message, found[0]):
        return None
    name, slots = found
    if was_refused(message.state) and name not in ("check_data", "fix_data"):
        return None  # a file came that could not be read: the words are about it
    if name == "publish" and slots.get("repo") and message.has_plan and not message.state.runs:
        return intent("change", **{**as_change(message, plan_slots(message)), "output.publish": slots["repo"]})
    live = any(run.status in ("running", "queued") for run in message.state.runs)
    if name == "status" and message.has_plan and not live and re.search(r"\bhow long\b", message.text):
        return intent("explain", topic="time estimate")
    if name == "resume" and message.goes_on:
        return intent("start")
    return intent(name, **slots)


def _is_a_story(message: Message, name: str) -> bool:
    """A long message that tells of a task: some words in it may look like another wish."""
    told = len(message.text.split()) > 25 and message.task.score >= LIKELY
    return told and not message.has_plan and not (name in ("check_data", "improve") and _says_no_training(message.text))


def _is_about_the_plan(message: Message, name: str) -> bool:
    """Whether what looks like another wish is a request for a plan, or a change of it."""
    text = message.text
    named = bool(message.settings or message.models.wanted)
    strong = message.task.score >= SURE and bool(STRONGLY_TRAINS.search(text))
    results = name in ("status", "report", "improve", "export", "check_data", "predict")
    if results and strong and not _says_no_training(text):
        return True
    if name == "compare":
        return message.task.score >= SURE and not _OF_RUNS.search(text)
    if name in ("check_data", "fix_data") and message.file is None and message.task.score >= LIKELY:
        return not (OF_DATA if name == "check_data" else _OF_OWN_DATA).search(text)
    if name == "export":
        return message.task.score >= SURE and not _OF_A_MODEL.search(text)
    if name == "evaluate" and message.refused:
        return True
    if name == "improve":
        better = not _finished(message.state) and bool(ACCURATE.search(text))
        return message.has_plan and (named or better)
    if name == "undo":
        return message.has_plan and named and not re.search(r"\bundo\b|\brevert\b", text)
    if name == "predict":
        return message.has_plan and (named or bool(message.columns)) and not re.search(r"[\"']", text)
    if name == "check_data":
        return bool(message.settings) and not _says_no_training(text)
    return name in ("stop", "resume", "evaluate") and bool(message.settings)


#: What a comparison is about, where it is no comparison of texts.
_OF_RUNS = re.compile(r"\b(?:runs?|trainings?|models?|experiments?|results?|scores?|last|previous|before|attempts?)\b")
_OF_OWN_DATA = re.compile(
    r"\b(?:my|the|this|that|our) (?:\w+ )?(?:data|file|csv|table|data ?set|upload|labels)\b|\b(?:rows|columns"
    r"|duplicates)\b"
)
_OF_A_MODEL = re.compile(
    r"\b(?:models?|weights|export\w*|download\w*|onnx|gguf|ggml|ollama|adapters?|merge\w*|safetensors|it|run \d+)\b"
)


def _says_no_training(text: str) -> bool:
    return bool(
        re.search(
            r"\b(?:not|never|without|nothing|no) (?:\w+ ){0,2}?train|\bbefore (?:\w+ )?(?:start\w* "
            r"|any )?train",
            text,
        )
    )


def _finished(state: State) -> bool:
    return any(run.status == "finished" for run in state.runs)


#: Readers whose word is not weighed against the sense of the whole message.
_CERTAIN = frozenset({_by_option, _offered, _starter, _about_a_run, _trying, _noise, _hostile, _yes_or_no, _outside})
