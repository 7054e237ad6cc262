"""The offline reader: read(text, state, files_now) -> Intent. Pure, no network, milliseconds.

    tidy -> repair spelling -> numbers in digits -> what do the words want? -> the slots of that intent

Every part is a small reader of its own (`settings`, `method`, `mentions`, `tasks`, `controls`, `questions`); this
module
decides between them. What a person types is text and nothing else: it names no path, opens no file, runs no code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from assistant.advise import catalog
from assistant.chat import (
    controls,
    lexicon,
    mentions,
    numbers,
    offers,
    phrases,
    references,
    run_answers,
    second,
    sense,
    starter,
    words,
)
from assistant.chat.explain import find_topic
from assistant.chat.intents import checked_paths, intent
from assistant.chat.method import read_compute, read_method, read_publish
from assistant.chat.questions import asks_how_much, read_definition, read_question
from assistant.chat.settings import read_settings
from assistant.chat.tasks import SURE, TaskReading, read_columns, read_task
from assistant.chat.turns import FileCard, Intent, State
from recipes.plan import CLASSIFICATION, Plan, Task

_TRAINS = re.compile(
    r"(?<!next )(?<!by )(?<!last )(?<!a )(?<!this )\b(?:train|teach|fine-?tun|finetun|retrain|re-train)\w*|\b(?:build"
    r"|make|create|develop|get|want|need|have|give"
    r"|set up|like|looking for)\b(?: \w+){0,5} (?:model|classifier|ai|network|bot|chatbot|detector|recogni[sz]er"
    r"|tagger|system|assistant|tool|program|something|filter|translator|predictor)\b"
    r"|\b(?:model|ai|network|computer|machine|program|system|something|it)\b (?:that|which|to|should|can|could|must"
    r"|has to|learns?|will|is able)\b|\blearn\w*\b|\bclassif\w*\b|\bautomat\w*"
)
_STRONGLY_TRAINS = re.compile(
    r"(?<!next )(?<!by )(?<!last )(?<!this )\b(?:train|teach|fine-?tune|finetune)s?\b|\b(?:build|make|create|get|want"
    r"|need)\b(?: \w+){0,4} (?:model"
    r"|classifier|ai|network|bot|chatbot)\b"
)
_WISHES = re.compile(
    r"\b(?:want|like|need|help|please|can you|could you|is it possible|possible|goal|task|looking for|would|should"
    r"|must|my|our|these|this|the|all|every|each)\b|^(?:\w+)\b"
)
_CHANGES = re.compile(
    r"\b(?:instead|rather|actually|change|switch|make it|set|use|take|no|not|try|go with|let us|but|only|also|and"
    r"|with|better|wait|without|please|replace|swap|add|turn|prefer|keep|want|should|must|put|lower|raise)\b"
)
_SMALL = re.compile(
    r"\bsmall enough\b|\b(?:fit|fits|run|runs|work|works|go|goes|use it)\b[\w ]{0,20}\b(?:phone|mobile|smartphone"
    r"|raspberry|browser|edge|watch|microcontroller|tablet|old (?:computer|laptop|pc))\b|\b(?:for|on) (?:a |my |the "
    r"|an? )?(?:phone|mobile|smartphone|raspberry ?pi|browser|edge device|jetson|android|iphone|embedded \w+"
    r"|tablet)\b|\bas small as possible\b|\b(?:tiny|lightweight|light-weight|compact|little) (?:\w+ )?(?:model|one"
    r"|network)\b"
    r"|\b(?:model|it) (?:must|should|has to|needs to|shall) be (?:\w+ )?(?:small|tiny|light|compact)\b"
    r"|\bnot (?:a )?(?:big|large|huge) (?:model|computer|one)\b|\bno big (?:model|computer)\b|\bless than \d+ ?(?:mb"
    r"|million parameters)\b|\bold (?:laptop|computer|pc)\b|\bweak (?:laptop|computer|pc|machine)\b"
    r"|\bsmall(?:er)? (?:language )?model\b(?! than)|\bnot (?:\w+ )?(?:big|good|fast|strong) computer\b"
)
_FAST = re.compile(
    r"^(?:make it |do it |go |a bit |much |even |please )*(?:faster|quicker|speed it up|quick|fast)(?: please"
    r"| version| plan| training)*[.! ]*$|\b(?:faster|quicker|speed (?:it|things|this|that) up|takes too long|too slow"
    r"|can not wait (?:that|so) long|less time|in less time|hurry|be quick|must be (?:quick|fast)|has to be (?:quick"
    r"|fast)|as (?:fast"
    r"|quick(?:ly)?) as possible|quick(?:est)? (?:way|version|result|and dirty|try|test)|quickly|save time"
    r"|not (?:take|last) (?:so |too )?long|fastest)\b"
)
_ACCURATE = re.compile(
    r"^(?:make it |a bit |much |even |please )*(?:more accurate|better|as accurate as possible)(?: please)?[.! ]*$"
    r"|\b(?:more accurate|most accurate|(?:better|best|higher|highest|maximum|max) (?:possible )?(?:quality|accuracy"
    r"|results?)|as (?:good|accurate) as (?:possible|it gets)|accuracy (?:is )?(?:most |more )?(?:important|first"
    r"|matters)|quality (?:first|matters|before speed|over speed)|take all the time|do not care how long"
    r"|time does not matter|slower but better|more precise|fewer (?:mistakes|errors))\b"
)
_TEST_FILE = re.compile(
    r"\b(?:use|take|keep|treat|put|have)\b (?:\w+ ){0,5}(?:as|for|to) (?:the |a |my |our )?(?:test\w*|evaluat\w*"
    r"|hold-?out|final check)\b|\b(?:this|it|that|here) (?:\w+ )?(?:is|comes?) (?:the|my|a|our) (?:test|evaluation"
    r"|held-?out) (?:set|file|data|rows)\b|\b(?:test|evaluation) (?:file|set|data)\b(?! (?:of|to|should|at|=))"
    r"|\bfor (?:the )?test(?:ing|s)?\b$|\btest (?:it |the model )?on this (?:file|one)\b"
)
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
        _definition,
        _likeness,
        _help,
        _outside,
        _control,
        _question,
        _request,
    ):
        answer = reader(message)
        if answer is not None:
            return answer if reader in _CERTAIN else _second_thought(message, answer)
    return _second_thought(message, intent("unclear"))


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
        if not found and not self.state.trying:
            found = references.read_again(self.text, self.state)
        model = catalog.lookup(self.plan.base_model) if self.plan and self.plan.base_model else None
        found |= read_method(self.text, layers=model.layers if model else None)
        found |= read_compute(self.text)
        publish, repo, _ = self.publish
        if publish is False:
            found["output.publish"] = None
        elif publish and repo:
            found["output.publish"] = repo
        return checked_paths(found)

    @cached_property
    def columns(self) -> dict[str, Any]:
        task = self.task.task or (self.plan.task if self.plan else None) or (_first_guess(self.file) or {}).get("task")
        named = checked_paths(self._columns_by_reference(task) | read_columns(self.text, self.file, task))
        if named or not (self.files_now and self.has_plan and self.state.goal):
            return named
        return checked_paths(read_columns(words.tidy(self.state.goal), self.file, task))  # said before the file came

    def _columns_by_reference(self, task: str | None) -> dict[str, Any]:
        """Columns that the words mean without naming them: a direction, "the other one"."""
        if self.file is None:
            return {}
        columns, guess = self.file.profile.get("columns", []), _first_guess(self.file)
        now = references.columns_at_hand(self.plan, guess)
        other = references.other_column(self.text, columns, str(now.get("label")))
        found = {"data.columns.label": other} if other else {}
        return found | references.read_direction(self.text, columns, task or (guess or {}).get("task"), now)


def _spelled(text: str) -> frozenset[str]:
    """The words of a text that the concepts know, or that begin as one does."""
    whole, begun = lexicon.known_words()
    return frozenset(word for word in re.findall(r"[a-z]{4,}", text) if word in whole or word.startswith(begun))


def _first_guess(file: FileCard | None) -> dict[str, Any] | None:
    return file.guesses[0] if file is not None and file.guesses else None


# ---------------------------------------------------------------- readers, in the order in which they are asked


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
    return intent("explain", topic=topic, run=controls.run_slot(message.text)) if topic else None


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
        or controls.is_stop(text)
        or (controls.is_start(text) and len(text.split()) <= 2)
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
    vowels = re.search(r"[aeiouyäöüáéíóúàèìòùâêîôû]", message.text)
    if not vowels and message.text.isascii() and len(letters) > 6 and not message.settings:
        return intent("unclear", why="nothing")
    return None


def _hostile(message: Message) -> Intent | None:
    """Commands and markup are text; only a clear request for a training beside them is read."""
    if not message.hostile or (message.refused and message.task.score >= SURE):
        return None
    if (
        message.task.score >= SURE
        and (message.files_now or _STRONGLY_TRAINS.search(message.text))
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
    if controls.holds_back(text) and not _other_wishes(message):
        return intent("change")
    if controls.is_undo(text):
        return None
    nothing_yet = not message.has_plan and not message.state.runs and re.search(r"fine-?tun|^(?:please )?train\b", text)
    if (
        controls.is_start(text)
        and not nothing_yet
        and not message.files_now
        and not message.models.wanted
        and not message.settings
    ):
        resumable = any(run.status in ("cancelled", "interrupted") for run in message.state.runs)
        if controls.is_resume(text) and (resumable or not message.has_plan or controls.run_slot(text) is not None):
            run = controls.run_slot(text)
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
    guess = _first_guess(file)
    if not message.files_now or guess is None or guess.get("task") is not None:
        return None
    other = controls.found(text, message.raw, has_plan=message.has_plan, with_file=True, trying=False)
    return None if other else intent("unclear", why="tabular")


def _inside_after_all(message: Message, topic: str) -> bool:
    text, guess = message.text, _first_guess(message.file)
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
        return bool(_STRONGLY_TRAINS.search(text)) or bool(message.files_now)
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
    wishes = message.task.score >= SURE or (_TRAINS.search(text) and not asks_how)
    if kind in ("hello", "thanks", "how") and wishes and len(text.split()) > 4:
        return None
    if message.models.wanted or message.dataset[0] or message.settings:
        return None
    return intent("help", kind=kind)


def _likeness(message: Message) -> Intent | None:
    """A message that is nearly an example word for word, whatever else its words could mean."""
    if message.files_now or message.models.wanted or message.dataset[0] or message.settings:
        return None
    near = phrases.surely(message.text)
    if near is None or _is_about_the_plan(message, near) or _was_refused(message.state):
        return None
    return _by_phrase(message, near)


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


def _definition(message: Message) -> Intent | None:
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
    told = bool(asked) and bool(read_settings(rest, message.plan))
    return told or bool(_POLITE_CHANGE.match(message.text))


#: "Could HF Jobs do the training instead?" asks for a setting; "would 10 epochs be too many?" is a question.
_POLITE_CHANGE = re.compile(
    r"(?:and |so |ok |hm+ |please )*(?:can|could|may|(?:would|will) (?:you|we))\b(?!.*\b(?:run|work|go)\w* (?:on|in"
    r"|with)\b)"
    r"(?!.*\b(?:too|enough|better|worse|help|hurt|harm|mean|matter|difference|sense|cost|need|fit|risky?|problem)\b)"
)


def _question(message: Message) -> Intent | None:
    if message.has_plan and message.settings and _orders_at_last(message):
        return None
    found = read_question(message.text, message.raw, has_plan=message.has_plan, with_file=bool(message.files_now))
    if found is None:
        return None
    if found[1].get("topic") == "time estimate" and any(
        run.status in ("running", "queued") for run in message.state.runs
    ):
        return intent("status")
    return intent(found[0], **found[1])


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
    if _was_refused(message.state) and name not in ("check_data", "fix_data"):
        return None  # a file came that could not be read: the words are about it
    if name == "publish" and slots.get("repo") and message.has_plan and not message.state.runs:
        return intent("change", **{**_as_change(message, _plan_slots(message)), "output.publish": slots["repo"]})
    live = any(run.status in ("running", "queued") for run in message.state.runs)
    if name == "status" and message.has_plan and not live and re.search(r"\bhow long\b", message.text):
        return intent("explain", topic="time estimate")
    if name == "resume" and _goes_on(message):
        return intent("start")
    return intent(name, **slots)


def _is_a_story(message: Message, name: str) -> bool:
    """A long message that tells of a task: some words in it may look like another wish."""
    told = len(message.text.split()) > 25 and message.task.score >= _LIKELY
    return told and not message.has_plan and not (name in ("check_data", "improve") and _says_no_training(message.text))


def _is_about_the_plan(message: Message, name: str) -> bool:
    """Whether what looks like another wish is a request for a plan, or a change of it."""
    text = message.text
    named = bool(message.settings or message.models.wanted)
    strong = message.task.score >= SURE and bool(_STRONGLY_TRAINS.search(text))
    results = name in ("status", "report", "improve", "export", "check_data", "predict")
    if results and strong and not _says_no_training(text):
        return True
    if name == "compare":
        return message.task.score >= SURE and not _OF_RUNS.search(text)
    if name in ("check_data", "fix_data") and message.file is None and message.task.score >= _LIKELY:
        return not (_OF_DATA if name == "check_data" else _OF_OWN_DATA).search(text)
    if name == "export":
        return message.task.score >= SURE and not _OF_A_MODEL.search(text)
    if name == "evaluate" and message.refused:
        return True
    if name == "improve":
        better = not _finished(message.state) and bool(_ACCURATE.search(text))
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


_OF_DATA = re.compile(
    r"\b(?:data|files?|csv|table|data ?set|(?:my|the|this) upload|rows|columns|zip|examples|cells|spreadsheet"
    r"|duplicates)\b"
)
_OF_OWN_DATA = re.compile(
    r"\b(?:my|the|this|that|our) (?:\w+ )?(?:data|file|csv|table|data ?set|upload|labels)\b|\b(?:rows|columns"
    r"|duplicates)\b"
)
_OF_SOME_DATA = re.compile(
    _OF_DATA.pattern + r"|\b(?:labels?|doubles?|entries|classes|characters|cells|fix"
    r"|problems?)\b"
)
_OF_A_MODEL = re.compile(
    r"\b(?:models?|weights|export\w*|download\w*|onnx|gguf|ggml|ollama|adapters?|merge\w*|safetensors|it|run \d+)\b"
)


def _goes_on(message: Message) -> bool:
    """ "good, carry on" before a plan, with no run that could go on, is a yes."""
    text, plan = message.text, message.plan
    if plan is None or plan.base_model is None or re.search(r"\brun\b|stopped|left|paus|interrupt|resume", text):
        return False
    stopped = any(run.status in ("cancelled", "interrupted", "failed") for run in message.state.runs)
    return not stopped and bool(re.search(r"\b(?:good|ok|okay|yes|fine|great|right)\b", text))


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
#: How likely another intent must be, and how many times likelier than what the patterns read, or than "unclear". On 650
#: messages that neither had seen, the patterns were right about 618 intents, both together about 631.
_LIKELY_SENSE, _LIKELIER, _LIKELIER_THAN_UNCLEAR = 0.6, 30.0, 5.0
#: How likely a wish must be that starts, stops or deletes something.
_SURE_TO_ACT = 0.75
_ACTS = frozenset({"start", "stop", "resume", "delete_run", "publish"})


def _second_thought(message: Message, answer: Intent) -> Intent:
    """What the whole sense of a message says, where it is much likelier than what the patterns read."""
    if answer.slots.get("why") or message.state.trying or message.hostile or message.refused:
        return answer
    if answer.name == "publish":  # which of now and after the training is meant is read from the plan at hand
        return answer
    file = len(message.state.files) > len(message.files_now)
    chances = sense.meant(message.text, plan=message.has_plan, file_now=bool(message.files_now), file=file)
    name = max(chances, key=lambda each: chances[each], default=answer.name)
    needed = _LIKELIER_THAN_UNCLEAR if answer.name == "unclear" else _LIKELIER
    if name == answer.name or chances[name] < max(_LIKELY_SENSE, needed * chances.get(answer.name, 0.0)):
        return answer
    if not _may_overrule(message, answer, name):
        return answer
    if name in _ACTS and (chances[name] < _SURE_TO_ACT or controls.holds_back(message.text)):
        return answer
    return _meant_as(message, name) or answer


#: Wishes whose patterns are narrow: a request for a training must be plain to stand against them.
_PLAINLY_OTHER = frozenset({"explain", "help", "predict", "evaluate", "improve", "report", "export", "publish"})


def _may_overrule(message: Message, answer: Intent, name: str) -> bool:
    """Whether nothing that was read word by word speaks against the sense of the whole."""
    if answer.name == "change" and message.settings and name != "explain":
        return False  # a setting was named
    if answer.slots.get("topic") == "where-it-looked":
        return False  # these words mean nothing else
    if name == "publish" and message.publish[0] is False:
        return False  # "don't publish it"
    if answer.name in _PLAINLY_OTHER and name == "plan":
        return message.task.score >= SURE and bool(_STRONGLY_TRAINS.search(message.text))
    return not (answer.name == "stop" and name == "delete_run")  # a run that is stopped can be deleted later


def _meant_as(message: Message, name: str) -> Intent | None:
    """A message as an intent that its patterns did not show; None where it lacks what the intent needs."""
    if name == "plan":
        return None if message.has_plan else intent("plan", **_plan_slots(message))
    if name == "change":
        slots = _as_change(message, _plan_slots(message)) if message.has_plan else {}
        return intent("change", **slots) if set(slots) - {"refused", "then"} else None
    if name == "start":
        return intent("start") if message.has_plan else None
    if name == "unclear":
        return None if message.has_plan and message.settings else intent("unclear")
    if name == "explain":
        return _question(message) or intent("explain", topic=find_topic(message.text) or message.text[:200])
    return _by_phrase(message, name)


# ---------------------------------------------------------------- the request for a plan, or a change of it


def _request(message: Message) -> Intent | None:
    slots = _plan_slots(message)
    fresh = bool(message.files_now) or not message.has_plan or _asks_anew(message)
    if fresh:
        return _fresh(message, slots)
    asked, slots = slots, _as_change(message, slots)
    if set(slots) == {"then"}:
        return intent("start")
    if set(slots) - {"refused"}:
        return intent("change", **slots)
    whole = _TRAINS.search(message.text) or len(message.text.split()) >= 5
    if message.task.task and message.task.score >= SURE and whole:
        return intent("plan", **asked)  # the same wish in other words
    return _last_resort(message)


def _is_weakly_a_request(message: Message) -> bool:
    """Whether no word asks for a training, so that a short message may be another wish."""
    asked = message.dataset[0] or message.models.wanted or _STRONGLY_TRAINS.search(message.text)
    return not (asked or message.has_plan or message.file is not None or message.settings)


def _was_refused(state: State) -> bool:
    """Whether a file came with the message, and could not be read."""
    return (state.pending or "").startswith("refused")


#: A score that is enough where the words also say what goes in and that something should be learned.
_LIKELY = 0.55


def _fresh(message: Message, slots: dict[str, Any]) -> Intent | None:
    text, score = message.text, message.task.score
    if message.files_now:
        if _TEST_FILE.search(text) and message.plan is not None and message.plan.data.source:
            return intent("change", **{**_as_change(message, slots), "data.test_source": message.files_now[-1].name})
        return _about_the_new_file(message, slots) or intent("plan", **slots)
    if controls.is_help(text) and not (
        score >= 1.4 and (_TRAINS.search(text) or _WISHES.search(text)) and len(text.split()) > 6
    ):
        return intent("help", kind=controls.help_kind(text))
    spoken = score >= _LIKELY and message.task.modality is not None and len(text.split()) >= 6
    told = len(text.split()) >= 15 and _WISHES.search(text)
    near = phrases.leaning(text) if _is_weakly_a_request(message) and not _was_refused(message.state) else None
    answer = _by_phrase(message, near) if near is not None else None
    if answer is not None:
        return answer
    if message.file is None and len(text.split()) <= 4 and not phrases.has_content(text) and not _TRAINS.search(text):
        return None
    named = (
        (spoken and (_TRAINS.search(text) or told))
        or message.dataset[0]
        or (message.models.wanted and (message.file or _TRAINS.search(text) or score > 0))
    )
    settings = {key for key in slots if key not in ("task", "problem", "then", "refused", "like")}
    if (score >= SURE and (_TRAINS.search(text) or _WISHES.search(text))) or named or _STRONGLY_TRAINS.search(text):
        return intent("plan", **slots)
    if _was_refused(message.state) and (_TRAINS.search(text) or score > 0):
        return intent("plan", **slots)
    if message.file is not None and (slots or score >= 0.5):
        return intent("plan", **slots)
    if settings and (message.plan is not None or len(settings) > 1 or message.models.wanted):
        return intent("plan", **slots)
    return _last_resort(message)


def _about_the_new_file(message: Message, slots: dict[str, Any]) -> Intent | None:
    """A question about a file that came with it, where no word asks for a training."""
    text = message.text
    if slots or message.has_plan or message.task.score >= SURE or _TRAINS.search(text):
        return None
    near = phrases.nearest(text, believed=0.55)
    return intent(near) if near in ("check_data", "evaluate") else None


def _last_resort(message: Message) -> Intent | None:
    """What the patterns left: the nearest example phrasing, or an unknown model's name."""
    text = message.text
    if controls.is_help(text):
        return intent("help", kind=controls.help_kind(text))
    near = phrases.nearest(text) if not message.files_now else None
    if near is not None:
        return _by_phrase(message, near)
    if message.models.unknown:
        return intent("unclear", why=f"model:{message.models.unknown}")
    task = message.task
    asks = re.match(r"(?:when|who|where|how|why|what|which day)\b", text)
    if not message.has_plan and not asks and task.alike and task.score >= _LIKELY and len(text.split()) >= 5:
        return intent("plan", **_plan_slots(message))
    return None


def _by_phrase(message: Message, name: str) -> Intent | None:
    """The intent of the nearest phrasing, with the slots that the words give; None where they do not suffice."""
    text, run = message.text, controls.run_slot(message.text)
    if name == "explain":
        topic = find_topic(text)
        return _question(message) or (intent("explain", topic=topic) if topic else None)
    if name == "resume" and _goes_on(message) and len(text.split()) <= 4:
        return intent("start")
    if not _has_what_it_needs(message, name):
        return None
    slots: dict[str, dict[str, Any]] = {
        "help": {"kind": controls.help_kind(text)},
        "compare": {"runs": controls.run_numbers(text)},
        "predict": {"run": run, "input": controls.what_to_try(message.raw)},
        "export": {"run": run, "format": controls.export_format(text)},
        "publish": {"run": run, "repo": message.publish[1], "kind": controls.publish_kind(text)},
    }
    without = name in ("undo", "list_runs", "check_data", "fix_data")
    return intent(name, **({} if without else slots.get(name, {"run": run})))


def _has_what_it_needs(message: Message, name: str) -> bool:
    """Whether the words hold what an intent cannot be without."""
    text = message.text
    # A run starts on a plain yes only, never on a likeness; and "why" asks for more than how it stands.
    if name in ("start", "unclear") or (name == "status" and re.search(r"\bwhy\b", text)):
        return False
    if name in ("check_data", "fix_data") and message.file is None and not _OF_SOME_DATA.search(text):
        return False
    if name == "check_data" and re.search(r"\b(?:enough|sufficient|need)\b", text):
        return False
    return name not in _NEEDS or bool(_NEEDS[name].search(text))


#: Words of which an intent needs one.
_NEEDS: dict[str, re.Pattern[str]] = {
    "delete_run": re.compile(r"\b(?:runs?|trainings?|models?|experiments?|attempt|it|that|one)\b"),
    "list_runs": re.compile(r"\b(?:runs?|train\w*|models?|experiments?|attempts?|jobs?|history|overview|everything)\b"),
    "predict": re.compile(
        r"\b(?:it|its|model|this|that|these|one|bot|run \d+|examples?|sentence|predict\w*|demo|try|test|play|ask|what"
        r"|how)\b|[:'\"]"
    ),
}


def _asks_anew(message: Message) -> bool:
    """Another wish than the plan at hand: another task in a whole sentence, or another data set."""
    text, task, plan = message.text, message.task, message.plan
    if re.search(
        r"\b(?:new|another|different|second|other) (?:\w+ )?(?:task|project|problem|plan|model for|thing|idea|request"
        r"|training)\b|\bstart over\b|\bfrom the beginning\b|\bforget (?:all|everything|it all)\b",
        text,
    ):
        return bool(task.task and task.score >= SURE) or bool(
            re.search(r"\bstart over\b|\bnew (?:task|project|plan)\b", text)
        )
    if message.dataset[0] and plan is not None and plan.data.source != message.dataset[0]:
        return True
    return bool(
        plan is not None
        and task.task
        and task.task != plan.task
        and task.score >= 1.8
        and _TRAINS.search(text)
        and len(text.split()) >= 5
    )


def _plan_slots(message: Message) -> dict[str, Any]:
    """Everything that the words say about the plan."""
    slots: dict[str, Any] = dict(message.settings)
    task = message.task
    if task.task and task.score >= SURE * 0.5:
        slots["task"] = task.task
    if task.problem and task.task in (None, *CLASSIFICATION):
        slots["problem"] = task.problem
    if message.dataset[0]:
        slots["data.source"] = message.dataset[0]
    slots |= message.columns
    slots |= _model_slots(message)
    preference = _preference(message.text)
    if preference and not (preference == "smaller" and "base_model" in slots):
        slots.setdefault("preference", preference)
    if controls.trailing_start(message.text):
        slots["then"] = "start"
    if message.refused:
        slots["refused"] = message.refused
    return slots


def _model_slots(message: Message) -> dict[str, Any]:
    models, plan = message.models, message.plan
    task = cast(
        "Task | None",
        message.task.task or (plan.task if plan else None) or (_first_guess(message.file) or {}).get("task"),
    )
    direction = mentions.relative_size(message.text)
    other = mentions.sibling(message.text, plan.base_model, task) if plan and not models.wanted else None
    if other:
        return {"base_model": other}
    if models.wanted:
        now = plan.base_model if plan else None
        chosen = next((mention.id for mention in models.wanted if mention.id != now), models.wanted[0].id)
        unwanted = (
            {"avoid": mentions.families_of(models.refused)}
            if models.refused and not message.settings.get("avoid")
            else {}
        )
        return {
            "base_model": chosen,
            **(unwanted if not set(unwanted.get("avoid", [])) & set(mentions.families_of(models.wanted)) else {}),
        }
    if direction and plan is not None and plan.base_model:
        much = direction < 0 and re.search(
            r"\b(?:much|far|way|lot|tiny|considerably"
            r"|really) (?:\w+ )?\w+er\b",
            message.text,
        )
        next_one = (
            mentions.next_size(plan.base_model, task, direction, much=bool(much)) if direction > 0 or much else None
        )
        return {"base_model": next_one} if next_one else {"preference": "smaller" if direction < 0 else "more accurate"}
    if models.refused:
        return {"avoid": [*message.settings.get("avoid", []), *mentions.families_of(models.refused)]}
    return {"like": models.unknown} if models.unknown else {}


def _preference(text: str) -> str | None:
    for name, pattern in (("smaller", _SMALL), ("faster", _FAST), ("more accurate", _ACCURATE)):
        match = pattern.search(text)
        if match and (match.group().startswith(("not ", "no ")) or not words.negated(text, match.start())):
            return name
    return None


def _as_change(message: Message, slots: dict[str, Any]) -> dict[str, Any]:
    """Only what differs from the plan at hand, or what was said in so many words."""
    plan, text = message.plan, message.text
    if plan is None:
        return slots
    kept = dict(slots)
    if (
        kept.get("task") == plan.task
        or message.task.score < 1.3
        or not re.search(r"\b(?:task|instead|rather|actually|no|not|change|want|make it|should|treat)\b", text)
    ):
        kept.pop("task", None)
    if kept.get("problem") == plan.problem:
        kept.pop("problem", None)
    if not message.has_plan or message.settings or message.models.wanted or message.columns:
        kept.pop("preference", None) if kept.get("preference") in ("faster", "more accurate") and (
            "training.epochs" in kept or "base_model" in kept
        ) else None
    return kept
