"""Task and problem from the words of a request, with the file's evidence where there is one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.chat import lexicon
from assistant.chat.clauses import CORRECTION
from assistant.chat.likeness import like_request
from assistant.chat.turns import FileCard
from assistant.chat.words import negated

#: A total from which words alone name a task.
SURE = 0.9


@dataclass(frozen=True)
class TaskReading:
    """What a message says about the task."""

    task: str | None = None
    problem: str | None = None
    score: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    modality: str | None = None
    runner_up: str | None = None
    alike: bool = False  # near an example request, and nearer than to any small talk


def read_task(text: str, file: FileCard | None = None, hints: Sequence[tuple[str, float]] = ()) -> TaskReading:
    """The task that the words ask for.

    Args:
        text: tidy and repaired.
        file: the data at hand; its kind of input decides between readings, its guesses break ties.
        hints: tasks that a model's or data set's name points to, with their weights.
    """
    weights = {name: _weight(text, rows) for name, rows in lexicon.concepts().items()}
    modality = _modality_of_file(file) or _modality_of_hints(hints) or _modality(text, weights)
    scores = _scores(weights, modality, text)
    alike = _near_requests(text, modality)
    for near, weight in alike.items():
        scores[near] = scores.get(near, 0.0) + weight
    for hint, weight in hints:
        scores[hint] = scores.get(hint, 0.0) + weight
    from_words = {task: score for task, score in scores.items() if score > 0}
    ranked = _with_file(from_words, file)
    if not ranked:
        return TaskReading(problem=_problem(weights, None), modality=modality)
    order = sorted(ranked, key=lambda task: -ranked[task])
    best = order[0]
    score = from_words.get(best, 0.0)
    second = next(
        (task for task in order[1:] if from_words.get(task, 0.0) >= SURE and ranked[task] > 0.8 * ranked[best]), None
    )
    problem = _problem(weights, best)
    return TaskReading(best if score > 0 else None, problem, score, from_words, modality, second, best in alike)


#: Likeness to an example request from which it counts.
_ALIKE = 0.42
#: How much nearer it must be than any example of small talk.
_MORE_THAN_NONE = 0.08


def _near_requests(text: str, modality: str | None) -> dict[str, float]:
    """What the nearest example requests add to a task's score."""
    scores = like_request(text)
    none = scores.pop("none", 0.0)
    best = max(scores.values(), default=0.0)
    if best < max(_ALIKE, none + _MORE_THAN_NONE):
        return {}
    found = {
        task: score for task, score in scores.items() if score >= max(_ALIKE, 0.9 * best) and _suits(task, modality)
    }
    return {task: score / best for task, score in found.items()}


def _suits(task: str, modality: str | None) -> bool:
    """Whether a task takes this kind of input; anything suits while the kind is not known."""
    kinds = {"image": task.startswith(("image", "object")), "audio": task.startswith(("audio", "automatic"))}
    return modality is None or kinds.get(modality, not any(kinds.values()))


def _weight(text: str, rows: tuple[tuple[re.Pattern[str], float], ...]) -> float:
    total = 0.0
    for pattern, weight in rows:
        for match in pattern.finditer(text):
            if not negated(text, match.start(), match.end()) or match.group().startswith(("not ", "no ")):
                total += weight
                break
    return total


def _modality(text: str, weights: dict[str, float]) -> str | None:
    counts = {
        "image": len(set(lexicon.IMAGE.findall(text))),
        "audio": len(set(lexicon.AUDIO.findall(text))),
        "text": len(set(lexicon.TEXT.findall(text))),
    }
    if lexicon.LANGUAGE_MODEL.search(text) and not counts["image"]:
        return "text"
    if lexicon.FROM_TEXT.search(text) and max(weights["write_down"], weights["look_and_talk"], weights["boxes"]) < 3.1:
        return "text"
    if counts["image"] and weights["look_and_talk"] < 1 and counts["image"] >= counts["audio"]:
        return "image"
    if counts["image"] and counts["image"] >= counts["audio"]:
        return "image"
    if counts["text"] > counts["audio"] and weights["write_down"] < 1.5 and weights["rewrite"] >= 1.5:
        return "text"  # "turn interview notes into a paragraph"
    if counts["audio"] and (counts["audio"] >= counts["text"] or weights["write_down"] >= 1.5):
        return "audio"
    if counts["audio"] and not weights["talk"]:
        return "audio"
    if not counts["text"] and max(weights["boxes"], weights["pixels"]) >= 2:
        return "image"
    if not counts["text"] and lexicon.SEEN.search(text) and weights["classify"] >= 0.5:
        return "image"
    return "text" if counts["text"] else None


def _modality_of_file(file: FileCard | None) -> str | None:
    if file is None:
        return None
    kinds = {column.get("kind") for column in file.profile.get("columns", [])}
    if "image" in kinds:
        return "image"
    if "audio" in kinds:
        return "audio"
    return "text" if kinds & {"text", "messages", "tokens", "category", "list"} else None


def _modality_of_hints(hints: Sequence[tuple[str, float]]) -> str | None:
    """A model for pictures reads pictures, whatever else the words say."""
    kinds = {"image" if task.startswith(("image", "object")) else
             "audio" if task.startswith(("audio", "automatic")) else "text" for task, _ in hints}  # fmt: skip
    return kinds.pop() if len(kinds) == 1 else None


def _scores(weights: dict[str, float], modality: str | None, text: str) -> dict[str, float]:
    classify = weights["classify"]
    if modality == "image":
        boxes = weights["boxes"]
        return {
            "image-classification": max(classify, 0.55),
            "object-detection": boxes * 1.2 + (0.3 * classify if boxes >= 1.5 else 0),
            "image-segmentation": weights["pixels"] * 1.3,
            "image-text-to-text": weights["look_and_talk"] * 1.3
            + (0.4 if weights["talk"] and weights["look_and_talk"] else 0),
        }
    if modality == "audio":
        return {
            "audio-classification": classify + (0.3 if classify else 0.0),
            "automatic-speech-recognition": weights["write_down"] * 1.2 + (0.4 if "understand" in text else 0),
        }
    several, number = weights["several_labels"], weights["number"]
    return {
        "text-classification": min(classify, 4.0) + 0.8 * several + 0.8 * number,
        "token-classification": weights["entities"] * 1.2,
        "question-answering": weights["point_to_answer"] * 1.2,
        "text2text-generation": weights["rewrite"],
        "text-generation": weights["talk"],
        "preference-tuning": weights["prefer"] * 1.3,
        "sentence-similarity": weights["similar"] * (1.0 if classify < 2.5 else 0.6),
        "automatic-speech-recognition": weights["write_down"] * 0.6 if weights["write_down"] >= 3 else 0.0,
    }


def _with_file(scores: dict[str, float], file: FileCard | None) -> dict[str, float]:
    """Words and file together: a file that fits counts as much as two clear words."""
    if file is None or not file.guesses:
        return scores
    fits = {str(guess["task"]): float(guess.get("score", 0.5)) for guess in reversed(file.guesses)}
    ranked = {task: min(scores.get(task, 0.0), 3.0) + 2.5 * fit for task, fit in fits.items()}
    sure = max(fits.values()) >= 0.6
    for task, score in scores.items():
        if task not in ranked and score >= SURE:
            ranked[task] = min(score, 3.0) - (1.5 if sure else 0.5)
    return ranked


def _problem(weights: dict[str, float], task: str | None) -> str | None:
    if task not in (None, "text-classification"):
        return None
    if weights["several_labels"] >= 1.5 and weights["several_labels"] >= weights["number"]:
        return "multi_label_classification"
    if weights["number"] >= 1.5:
        return "regression"
    return None


# ---------------------------------------------------------------- columns


def read_columns(text: str, file: FileCard | None, task: str | None) -> dict[str, Any]:
    """`data.columns.<role>` for columns that the words name: "the label is department", "not the priority".

    Only what differs between readings is returned: a column that is mentioned in passing and that the file's own
    guess has in
    the same role stays out.
    """
    if file is None:
        return {}
    columns = [column for column in file.profile.get("columns", []) if column.get("name")]
    correction = CORRECTION.search(text)
    if correction and any(_mention(text[correction.end() :], column) for column in columns):
        text = text[correction.end() :]
    mentions = [mention for column in columns if (mention := _mention(text, column) or _by_values(text, column))]
    found: dict[str, Any] = {}
    target_role, input_role = _roles(task)
    outputs = [
        mention
        for mention in mentions
        if not mention.refused and (mention.kind in _OUTPUT_KINDS or mention.named_output)
    ]
    named = [mention for mention in outputs if mention.named_output]
    if target_role and (named or outputs):
        found[f"data.columns.{target_role}"] = max(named or outputs, key=lambda mention: mention.weight).name
    elif target_role:
        refused = {mention.name for mention in mentions if mention.refused}
        rest = [
            str(column["name"])
            for column in columns
            if column.get("kind") in ("category", "boolean") and column["name"] not in refused
        ]
        if (
            refused & {str(column["name"]) for column in columns if column.get("kind") in _OUTPUT_KINDS}
            and len(rest) == 1
        ):
            found[f"data.columns.{target_role}"] = rest[0]
    target = found.get(f"data.columns.{target_role}")
    guess = next((guess for guess in file.guesses if guess.get("task") == task), {}).get("columns") or {}
    answers = guess.get(target_role) if target_role in ("completion", "target", "transcript") else None
    inputs = [
        mention
        for mention in mentions
        if mention.named_input and not mention.refused and mention.name not in (target, answers)
    ]
    if input_role and inputs:
        names = [mention.name for mention in sorted(inputs, key=lambda mention: mention.place)]
        found[f"data.columns.{input_role}"] = names[0] if len(names) == 1 else names
    return found


_OUTPUT_KINDS = ("category", "boolean", "list")


@dataclass(frozen=True)
class _Mention:
    name: str
    kind: str
    place: int
    weight: float
    refused: bool
    named_output: bool
    named_input: bool

    @property
    def rank(self) -> tuple[float, bool, bool]:
        """Of two places where a column is named the one that says more."""
        return self.weight, not self.refused, self.named_input


_OUTPUT_BEFORE = re.compile(
    r"(?:label|target|class|category|answer|output|result|outcome|truth|y)s?(?: column)?(?: is| are| should be"
    r"| stands?| sits?| =|:| in| comes from| called| named)+(?: in)?(?: the| called| named| column| my| a)*\s*$"
    r"|(?:predict|guess|learn|by|into|find out|decide|determine|tell|estimate|which|what|get|know|recogni[sz]e|detect"
    r"|come out(?: \w+){0,4} is|comes out(?: \w+){0,4} is|use|for|to|want|rather|as (?:the )?(?:label|target"
    r"|answer))(?: the| its| their| right| correct| column| each"
    r"| my| called)*\s*$"
)
_OUTPUT_AFTER = re.compile(
    r"^(?: column| field)?(?: is| are| has| holds?| contains?| should be| as| =|:)+(?: the| my"
    r"| what)*(?: \w+)? ?(?:label|target|answer|class|category|output|truth|predict|want|learn|result)"
    r"|^(?: column)? (?:instead|rather)\b|^ column\b(?! (?:is|has|holds|contains) (?:the )?(?:text|input))"
)
_INPUT_BEFORE = re.compile(
    r"(?:from|text|input|reads?|texts|inputs|message|words)(?: column)?(?: is| are| stands?| in| comes from| only|:"
    r"| =)*(?: in)?(?: the| both| column| my| a)*\s*$"
    r"|(?:only|just) (?:use |read |look at )?(?:the )?$|(?:use|read|combine|join|take|look at|using"
    r"|together) (?:both )?(?:the )?$|\band (?:the )?$"
)
_INPUT_AFTER = re.compile(
    r"^(?: column| field)?(?: is| are| has| holds?| contains?| as| =|:)+(?: the| my)* ?(?:text|input|message|words"
    r"|content)|^ (?:column )?as (?:the )?(?:text|input)|^ and (?:the )?\w+ (?:together|as (?:the )?(?:text|input)"
    r"|joined|combined|in\b|go(?:es)? in)"
)


def _mention(text: str, column: dict[str, Any]) -> _Mention | None:
    name, kind = str(column["name"]), str(column.get("kind", ""))
    best: _Mention | None = None
    for spoken, weight in _spoken_forms(name):
        for match in re.finditer(rf"(?<![\w]){re.escape(spoken)}(?![\w])", text):
            before, after = text[max(0, match.start() - 60) : match.start()], text[match.end() : match.end() + 60]
            output = bool(_OUTPUT_BEFORE.search(before) or _OUTPUT_AFTER.search(after))
            named_input = kind == "text" and bool(_INPUT_BEFORE.search(before) or _INPUT_AFTER.search(after))
            if kind in ("text", "id", "date", "image", "audio", "messages", "tokens"):
                output = (
                    output
                    and bool(re.search(r"\b(?:label|target|answer|predict)", before[-25:] + "|" + after[:25]))
                    and not named_input
                )
            mention = _Mention(
                name, kind, match.start(), weight + 2 * output + (kind in _OUTPUT_KINDS),
                negated(text, match.start(), match.end()), output, named_input,
            )  # fmt: skip
            if best is None or mention.rank > best.rank:
                best = mention
    return best


def _by_values(text: str, column: dict[str, Any]) -> _Mention | None:
    """A column whose values are named: "low, medium or high?" means the column that holds them."""
    values = [str(value).casefold() for value in (column.get("label_counts") or {}) if len(str(value)) > 1]
    if column.get("kind") not in _OUTPUT_KINDS or not 2 <= len(values) <= 30:
        return None
    places = [match.start() for value in values if (match := re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text))]
    if len(places) < 2:
        return None
    return _Mention(
        str(column["name"]), str(column["kind"]), min(places), 1.0 + len(places) / len(values), False, True, False
    )


def _spoken_forms(name: str) -> list[tuple[str, float]]:
    """How people say a column: its name, its words, singular and plural."""
    lowered = " ".join(name.casefold().split())[:60]
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold())
    forms = {lowered: 2.0, " ".join(words): 1.8}
    if len(words) == 1 and len(words[0]) > 2:
        word = words[0]
        for form in (
            word + "s",
            word[:-1] if word.endswith("s") else word,
            word[:-1] + "ies" if word.endswith("y") else word,
        ):
            forms.setdefault(form, 1.5)
        if word in _SYNONYMS:
            for form in _SYNONYMS[word]:
                forms.setdefault(form, 1.0)
    elif words:
        last = words[-1]
        if len(last) > 3 and last not in ("name", "text", "date", "type", "code"):
            forms.setdefault(last, 1.0)
    return [(form, weight) for form, weight in forms.items() if form]


_SYNONYMS: dict[str, tuple[str, ...]] = {
    "sentiment": ("mood", "polarity", "opinion"),
    "department": ("team", "division"),
    "priority": ("urgency", "importance", "how urgent", "urgent", "important", "pressing"),
    "category": ("topic", "class"),
    "topic": ("category", "subject"),
    "message": ("text of the ticket",),
    "rating": ("stars", "score"),
    "stars": ("rating",),
    "language": ("tongue",),
    "author": ("writer", "who wrote"),
}


def _roles(task: str | None) -> tuple[str | None, str | None]:
    table = {
        "text-classification": ("label", "text"),
        "token-classification": ("tags", "tokens"),
        "text2text-generation": ("target", "source"),
        "image-classification": ("label", "image"),
        "audio-classification": ("label", "audio"),
        "automatic-speech-recognition": ("transcript", "audio"),
        "text-generation": ("completion", "prompt"),
        None: ("label", "text"),
    }
    return table.get(task, (None, None))
