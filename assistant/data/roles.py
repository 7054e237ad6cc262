"""From a profile to what could be learned from it: tasks with their columns, the likeliest first, with the evidence.

Each reader below looks for the shape of one task and returns its guesses; the scores make them comparable: 0.9 and more
is a shape that can hardly be anything else, from 0.6 on a plan may be proposed without asking, below 0.5 something is
missing that only the person can give.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from assistant.data import names
from assistant.data.guesses import MULTI, REGRESSION, SINGLE, SURE, TaskGuess, named, texts_of
from assistant.data.labels import classification, label_score, problem_of, text_column
from assistant.data.names import key_of
from assistant.data.profile import ColumnProfile, Profile

__all__ = ["SURE", "TaskGuess", "guess_tasks"]


def guess_tasks(profile: Profile) -> list[TaskGuess]:
    """What could be learned from a table, best first; never empty.

    A table that fits no task (only numbers, say) gives one guess with task None and score 0, whose evidence says why.
    """
    readers: tuple[Callable[[Profile], Iterable[TaskGuess]], ...] = (
        _tagged_tokens, _marked_texts, _question_answering, _chat, _preference, _instructions, _sentence_pairs,
        _text_to_text, _media, _labelled_texts, _prose,
    )  # fmt: skip
    guesses = [guess for reader in readers for guess in reader(profile)]
    if not guesses:
        return [TaskGuess(task=None, evidence=[_why_nothing(profile)])]
    return sorted(guesses, key=lambda guess: -guess.score)


def _why_nothing(profile: Profile) -> str:
    kinds = {column.kind for column in profile.columns}
    if kinds <= {"number", "id", "date", "boolean", "category", "empty"} and "number" in kinds:
        return (
            f"The {len(profile.columns)} columns hold numbers and short values, no texts, pictures or sounds. This is "
            "a table for tabular models (gradient boosting, say), which need no fine-tuning."
        )
    listed = ", ".join(f"{column.name} ({column.kind})" for column in profile.columns[:6])
    return f"No column holds texts, pictures or sounds to learn from: {listed}."


# ---------------------------------------------------------------- shapes that can hardly be anything else


def _tagged_tokens(profile: Profile) -> list[TaskGuess]:
    guesses = []
    for first, second in profile.aligned:
        pair = [column for column in map(profile.column, (first, second)) if column]
        tags = next((column for column in pair if _is_tags(column)), None)
        tokens = next((column for column in pair if column is not tags), None)
        if tags is None or tokens is None:
            continue
        evidence = f"{tokens.name} and {tags.name} are lists of the same length in every row: a tag for each word."
        columns: dict[str, str | list[str]] = {"tokens": tokens.name, "tags": tags.name}
        guesses.append(TaskGuess(task="token-classification", columns=columns, score=0.97, evidence=[evidence]))
    return guesses


def _marked_texts(profile: Profile) -> list[TaskGuess]:
    """Texts with a list of their entities: each with start, end and label."""
    text = text_column(profile) or named(profile, ("text", "sentence"), ("text", "id"))
    guesses = []
    for column in profile.columns:
        keys = {key.casefold() for key in column.keys}
        if text is None or column.kind != "list" or not {"start", "end"} <= keys or not _MARK_KINDS & keys:
            continue
        evidence = f"{column.name} gives the places of parts of {text.name}, each with its kind."
        columns: dict[str, str | list[str]] = {"text": text.name, "tags": column.name}
        guesses.append(TaskGuess(task="token-classification", columns=columns, score=0.97, evidence=[evidence]))
    return guesses


_MARK_KINDS = {"label", "type", "tag", "entity", "entity_group", "entity_type", "category", "class"}


def _is_tags(column: ColumnProfile) -> bool:
    named = re.search(r"tags?$|labels?$|^ner|^pos$|bio$|entities", key_of(column.name)) is not None
    values = list(column.label_counts)
    written = sum(value == "O" or re.fullmatch(r"[BIESLUM]-\S+", value) is not None for value in values)
    return (bool(values) and written >= 0.9 * len(values)) or (named and column.kind == "list")


def _question_answering(profile: Profile) -> list[TaskGuess]:
    question = named(profile, ("question", "query"), ("text",))
    context = named(profile, ("context", "passage", "paragraph", "document", "article"), ("text",))
    answers = named(profile, ("answers", "answer", "answer_text"), ("record", "text", "list", "category", "number"))
    if not (question and context and answers):
        return []
    positioned = answers.kind == "record" and "answer_start" in answers.keys
    evidence = [f"Each row has a question ({question.name}), a text ({context.name}) and its answer ({answers.name})."]
    columns: dict[str, str | list[str]] = {
        "question": question.name, "context": context.name, "answers": answers.name
    }  # fmt: skip
    score = 0.97 if positioned else 0.88
    return [TaskGuess(task="question-answering", columns=columns, score=score, evidence=evidence)]


def _chat(profile: Profile) -> list[TaskGuess]:
    column = next((column for column in profile.columns if column.kind == "messages"), None)
    if column is None:
        return []
    evidence = f"{column.name} holds conversations, {column.mean_length:g} turns each on average."
    return [
        TaskGuess(task="text-generation", columns={"messages": column.name}, score=0.96, evidence=[evidence]),
    ]


def _preference(profile: Profile) -> list[TaskGuess]:
    kinds = ("text", "category", "messages", "id")
    chosen = named(profile, ("chosen", "preferred", "response_chosen", "better"), kinds)
    rejected = named(profile, ("rejected", "dispreferred", "response_rejected", "worse"), kinds)
    if not (chosen and rejected):
        return []
    prompt = named(profile, ("prompt", "question", "instruction", "input"), (*kinds, "text"))
    columns: dict[str, str | list[str]] = {"prompt": prompt.name} if prompt else {}
    columns |= {"chosen": chosen.name, "rejected": rejected.name}
    evidence = f"Each row has an answer that was preferred ({chosen.name}) and one that was not ({rejected.name})."
    guesses = [TaskGuess(task="preference-tuning", columns=columns, score=0.97, evidence=[evidence])]
    if prompt and all(column.kind != "messages" for column in (prompt, chosen, rejected)):
        triplet = {"anchor": prompt.name, "positive": chosen.name, "negative": rejected.name}
        guesses.append(_matching(triplet, f"{prompt.name}, what belongs to it ({chosen.name}) and what does not"))
    return guesses


def _matching(columns: Mapping[str, str], evidence: str) -> TaskGuess:
    """Rows of another purpose as texts that belong together: taken only where somebody asks for it."""
    said = [f"Each row has {evidence}."]
    return TaskGuess(task="sentence-similarity", columns=dict(columns), score=0.2, evidence=said)


def _instructions(profile: Profile) -> list[TaskGuess]:
    if named(profile, ("context", "chosen", "rejected")):
        return []
    prompt = named(profile, names.PROMPT, ("text",))
    completion = named(profile, names.ANSWER, ("text",))
    if not prompt or not completion or prompt is completion:
        return []
    extra = named(profile, ("input", "context"), ("text",))
    asked = [prompt.name, extra.name] if extra and extra is not prompt else prompt.name
    strong = key_of(prompt.name) in ("instruction", "prompt", "question") and key_of(completion.name) != "target"
    columns: dict[str, str | list[str]] = {"prompt": asked, "completion": completion.name}
    evidence = f"Each row has something asked ({prompt.name}) and the answer to it ({completion.name})."
    return [
        TaskGuess(task="text-generation", columns=columns, score=0.92 if strong else 0.7, evidence=[evidence]),
        _matching({"anchor": prompt.name, "positive": completion.name}, f"{prompt.name} and {completion.name}"),
    ]


def _sentence_pairs(profile: Profile) -> list[TaskGuess]:
    keys = {key_of(column.name): column for column in profile.columns if column.kind in ("text", "category", "id")}
    anchor, positive = keys.get("anchor") or keys.get("query"), keys.get("positive")
    if anchor and positive:
        roles: dict[str, str | list[str]] = {"anchor": anchor.name, "positive": positive.name}
        roles |= {"negative": keys["negative"].name} if "negative" in keys else {}
        evidence = f"Each row has a text ({anchor.name}) and one that belongs to it ({positive.name})."
        return [TaskGuess(task="sentence-similarity", columns=roles, score=0.95, evidence=[evidence])]
    pair = next(((keys[a], keys[b]) for a, b in names.PAIRS if a in keys and b in keys), None)
    if pair is None:
        return []
    columns: dict[str, str | list[str]] = {"sentence1": pair[0].name, "sentence2": pair[1].name}
    score = named(profile, ("score", "similarity", "label", "is_duplicate", "relatedness_score", "rating"))
    if score is None:
        evidence = f"{pair[0].name} and {pair[1].name} are pairs of sentences, without a score."
        return [TaskGuess(task="sentence-similarity", columns=columns, score=0.6, evidence=[evidence])]
    evidence = f"{pair[0].name} and {pair[1].name} are pairs of sentences, {score.name} says how close they are."
    similar = TaskGuess(
        task="sentence-similarity", columns=columns | {"score": score.name}, evidence=[evidence],
        score=0.95 if score.kind in ("number", "boolean") else 0.55,
    )  # fmt: skip
    if score.kind not in ("category", "boolean"):
        return [similar]
    both: dict[str, str | list[str]] = {"text": [pair[0].name, pair[1].name], "label": score.name}
    reason = f"{score.name} names how {pair[0].name} and {pair[1].name} belong together."
    return [
        similar,
        TaskGuess(task="text-classification", problem=SINGLE, columns=both, score=0.8, evidence=[reason]),
    ]


def _text_to_text(profile: Profile) -> list[TaskGuess]:
    texts = texts_of(profile)
    if len(texts) < 2 or named(profile, ("chosen", "rejected", "context", "instruction")):
        return []
    guesses = []
    for position, first in enumerate(texts[:6]):
        for second in texts[position + 1 : 6]:
            guesses += [guess for guess in (_translation(first, second), _summary(first, second)) if guess]
    return sorted(guesses, key=lambda guess: -guess.score)[:2]


def _translation(source: ColumnProfile, target: ColumnProfile) -> TaskGuess | None:
    named = [key_of(column.name).split("_")[0] in names.LANGUAGE for column in (source, target)]
    differ = bool(source.language and target.language and source.language != target.language)
    alike = 0.5 <= (source.mean_length + 1) / (target.mean_length + 1) <= 2
    if not (differ or all(named)) or not alike:
        return None
    languages = f" ({source.language} to {target.language})" if differ else ""
    evidence = f"{source.name} and {target.name} hold texts of like length in two languages{languages}."
    score = 0.95 if differ and all(named) else 0.85
    columns: dict[str, str | list[str]] = {"source": source.name, "target": target.name}
    return TaskGuess(task="text2text-generation", columns=columns, score=score, evidence=[evidence])


def _summary(first: ColumnProfile, second: ColumnProfile) -> TaskGuess | None:
    source, target = (first, second) if first.mean_length >= second.mean_length else (second, first)
    keys = key_of(source.name), key_of(target.name)
    if keys[0] in ("target", "target_text", "output") or keys[1] in ("source", "source_text", "input"):
        source, target = target, source
        keys = keys[1], keys[0]
    explicit = keys[0] in ("source", "source_text", "input", "input_text") and keys[1].startswith(("target", "output"))
    short = keys[1] in names.SHORT and keys[0] in names.LONG and target.mean_length < 0.7 * source.mean_length
    if not explicit and not short:
        return None
    evidence = f"{source.name} holds a text and {target.name} what is to be written from it"
    evidence += f", {target.mean_length / max(1.0, source.mean_length):.0%} as long."
    columns: dict[str, str | list[str]] = {"source": source.name, "target": target.name}
    score = 0.9 if explicit or keys[1] not in names.TITLE[:3] else 0.6
    return TaskGuess(task="text2text-generation", columns=columns, score=score, evidence=[evidence])


# ---------------------------------------------------------------- pictures and sounds


def _media(profile: Profile) -> list[TaskGuess]:
    column = next((column for column in profile.columns if column.kind in ("image", "audio")), None)
    if column is None:
        return []
    role = column.kind
    labels = [c for c in profile.columns if c.kind in ("category", "boolean", "number") and c.unique <= 1000]
    labels += [c for c in profile.columns if c.kind == "list" and c.separator and c.label_counts]
    label = max(labels, key=lambda c: label_score(c, profile), default=None)
    texts = texts_of(profile)
    text = named(profile, names.SPEECH, ("text", "category")) or (texts[0] if texts else None)
    what = "pictures" if role == "image" else "recordings"
    guesses = []
    if role == "image":
        guesses += _boxes_and_masks(profile, column)
    if text is not None and text is not label:
        task = "image-text-to-text" if role == "image" else "automatic-speech-recognition"
        roles: dict[str, str | list[str]] = {
            role: column.name,
            "target" if role == "image" else "transcript": text.name,
        }
        says = f"{text.name} holds a text for each of the {what}."
        guesses.append(TaskGuess(task=task, columns=roles, score=0.93, evidence=[says]))
    if label is not None:
        problem = problem_of(label)
        given = {MULTI: f"some of {len(label.label_counts)} labels", REGRESSION: "a number"}
        says = f"{label.name} gives each of the {what} {given.get(problem, f'one of {label.unique} classes')}."
        roles = {role: column.name, "label": label.name}
        score = 0.95 if text is None else 0.5
        guesses.append(
            TaskGuess(task=f"{role}-classification", problem=None if problem == SINGLE else problem, columns=roles,
                      score=score, evidence=[says], label_separator=label.separator if problem == MULTI else None)
        )  # fmt: skip
    if not guesses:
        says = f"The {what} have no labels: no class folders, and no file that names a class for each."
        guesses.append(
            TaskGuess(task=f"{role}-classification", columns={role: column.name}, score=0.3, evidence=[says])
        )
    return guesses


def _boxes_and_masks(profile: Profile, image: ColumnProfile) -> list[TaskGuess]:
    guesses = []
    boxes = named(profile, ("objects", "bbox", "bboxes", "boxes", "annotations"), ("list", "record"))
    if boxes:
        roles: dict[str, str | list[str]] = {"image": image.name, "objects": boxes.name}
        says = f"{boxes.name} gives the places of things in each picture."
        guesses.append(TaskGuess(task="object-detection", columns=roles, score=0.95, evidence=[says]))
    mask = next((c for c in profile.columns if c is not image and c.kind == "image"), None)
    if mask:
        roles = {"image": image.name, "mask": mask.name}
        says = f"{mask.name} names a second picture for each, as masks are."
        guesses.append(TaskGuess(task="image-segmentation", columns=roles, score=0.85, evidence=[says]))
    return guesses


def _labelled_texts(profile: Profile) -> list[TaskGuess]:
    return [] if _sentence_pairs(profile) else classification(profile)


def _prose(profile: Profile) -> list[TaskGuess]:
    """Texts without anything beside them: something to write like, or texts whose labels are still missing."""
    text = text_column(profile)
    if text is None or any(column.kind in ("image", "audio", "messages") for column in profile.columns):
        return []
    beside = [c for c in profile.columns if c is not text and c.kind not in ("id", "date", "empty")]
    if beside and (len(texts_of(profile)) > 1 or _labelled_texts(profile)):
        return []
    book = profile.format == "txt"
    writes = "The file is running text without labels: a model can learn to write like it."
    lacks = f"{text.name} holds texts, but no column says which class each text belongs to."
    return [
        TaskGuess(task="text-generation", columns={"text": text.name}, score=0.75 if book else 0.2, evidence=[writes]),
        TaskGuess(
            task="text-classification", columns={"text": text.name}, score=0.15 if book else 0.3, evidence=[lacks]
        ),
    ]
