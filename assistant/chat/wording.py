"""Values in words: file names and labels made safe to show, numbers, durations, plan choices as people read them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from recipes.plan import Plan

#: Characters of a name from outside that a sentence shows.
LONGEST_NAME = 60

#: Task -> what it does, to finish "a model that …".
TASKS: dict[str, str] = {
    "text-classification": "sorts texts",
    "token-classification": "finds names and other parts in texts",
    "question-answering": "points to the answer in a text",
    "text2text-generation": "writes one text from another (summaries, translations)",
    "text-generation": "writes texts or answers",
    "preference-tuning": "prefers the better of two answers",
    "sentence-similarity": "tells how close two texts are in meaning",
    "image-classification": "sorts pictures",
    "object-detection": "finds things in pictures and puts boxes around them",
    "image-segmentation": "cuts out parts of pictures, pixel by pixel",
    "image-text-to-text": "answers questions about pictures or describes them",
    "audio-classification": "sorts recordings",
    "automatic-speech-recognition": "writes down speech",
}
#: Tasks that have a recipe. The others can be planned and talked about.
RUNNABLE_TASKS = frozenset(
    {
        "text-classification", "image-classification", "audio-classification", "automatic-speech-recognition",
        "text-generation", "preference-tuning", "token-classification", "sentence-similarity", "text2text-generation",
        "question-answering",
    }
)  # fmt: skip
PROBLEMS: dict[str, str] = {
    "single_label_classification": "one class for each {one}",
    "multi_label_classification": "several labels for each {one}",
    "regression": "a number for each {one}",
}
#: Task -> what one row is called; a text where nothing is said.
ROWS: dict[str, str] = {"image-classification": "picture", "audio-classification": "recording"}
METHODS: dict[str, str] = {
    "head": "only a new last layer (the pretrained model stays frozen)",
    "last_layers": "the last layers",
    "lora": "LoRA adapters",
    "qlora": "LoRA adapters on a 4-bit model",
    "full": "all layers",
}
#: Dotted plan path -> what a person calls it.
CHOICES: dict[str, str] = {
    "task": "Task",
    "problem": "Kind of answer",
    "base_model": "Base model",
    "method.name": "What is trained",
    "method.layers": "Layers that train",
    "method.rank": "LoRA rank",
    "training.epochs": "Epochs",
    "training.learning_rate": "Learning rate",
    "training.batch_size": "Batch size",
    "training.max_length": "Longest text, in tokens",
    "training.max_minutes": "Time limit",
    "training.early_stopping": "Early stopping",
    "training.seed": "Seed",
    "training.class_weights": "Rare classes",
    "training.weight_decay": "Weight decay",
    "training.warmup": "Warm-up",
    "evaluation.metric": "Judged by",
    "evaluation.test_fraction": "Rows kept aside for the test",
    "evaluation.validation_fraction": "Rows that steer the training",
    "data.source": "Data",
    "data.test_source": "Test file",
    "data.languages": "Languages, from and to",
    "data.prefix": "Put before each text",
    "compute.target": "Runs on",
    "compute.devices": "Devices",
    "compute.flavor": "Rented machine",
    "output.publish": "Published as",
}
METRICS: dict[str, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "f1_macro": "macro F1",
    "f1_micro": "micro F1",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R²",
    "wer": "word error rate",
    "cer": "character error rate",
    "general_wer": "word error rate on other speech",
    "spearman": "Spearman correlation",
    "mrr": "mean reciprocal rank of the right partner",
    "recall_at_1": "partners found first",
    "recall_at_5": "partners found among the first five",
    "triplet_accuracy": "right text closer than the wrong one",
    "entity_f1": "F1 of whole entities",
    "entity_precision": "precision of entities",
    "entity_recall": "recall of entities",
    "word_accuracy": "words with the right tag",
    "answer_f1": "F1 of the words of its answers",
    "exact_match": "answers word for word right",
    "rouge": "words shared with your own texts (ROUGE)",
    "rouge_1": "words shared with the expected texts (ROUGE-1)",
    "rouge_2": "pairs of words shared with the expected texts (ROUGE-2)",
    "rouge_l": "words shared with the expected texts (ROUGE-L)",
    "chrf": "groups of letters shared with the expected texts (chrF)",
    "bleu": "groups of words shared with the expected texts (BLEU)",
}
_SHARES = (
    "accuracy", "balanced_accuracy", "precision", "recall", "subset_accuracy", "wer", "cer", "general_wer", "entity_f1",
    "entity_precision", "entity_recall", "word_accuracy", "answer_f1", "exact_match", "recall_at_1", "recall_at_5",
    "triplet_accuracy", "rouge_1", "rouge_2", "rouge_l", "chrf", "bleu",
)  # fmt: skip
BASELINES: dict[str, str] = {
    "majority": "always the most frequent answer",
    "word_counts": "counting words",
    "nearest_centroid": "nearest class centre",
    "from_scratch": "the same network without pretraining",
    "picture_statistics": "colours and edges alone",
    "sound_statistics": "the loudness of each pitch alone",
    "untuned": "the model before the training",
    "few_shot": "that model with examples in its prompt",
    "longer": "always the longer answer",
    "most_frequent_tag": "each word's most frequent tag",
    "crf": "a conditional random field on spelling (CRF)",
    "alike_sentence": "the sentence most like the question",
    "span_regression": "a regression on pieces of the text",
    "never_answering": "always saying that there is no answer",
    "rare_words": "comparing words, rare ones more (TF-IDF)",
    "word_overlap": "counting shared words",
    "copied": "copying the text",
    "first_words": "the first words of the text",
    "nearest_row": "the answer of the most similar row learned from",
    "mean": "always the mean",
    "median": "always the median",
}


def safe(text: object, most: int = LONGEST_NAME) -> str:
    """Text from outside for a Markdown sentence: one line, no control characters, no markup that could take effect."""
    line = "".join(
        " " if unicodedata.category(character)[0] in "CZ" else character for character in str(text)[: 4 * most]
    )
    line = " ".join(line.split())
    line = line if len(line) <= most else line[: most - 1] + "…"
    return line.translate(_HARMLESS)


_HARMLESS = str.maketrans({"<": "‹", ">": "›", "`": "'", "[": "(", "]": ")", "|": "¦", "*": "∗", "\\": "/"})


def code(text: object, most: int = LONGEST_NAME) -> str:
    """A name from outside as a Markdown code span: `reviews.csv`."""
    return f"`{safe(text, most)}`"


def codes(names: Iterable[object], joiner: str = "and", most: int = 6) -> str:
    """`a`, `b` and `c`; at most six."""
    shown = [code(name) for name in names]
    if len(shown) > most:
        return ", ".join(shown[:most]) + f" and {len(shown) - most} more"
    return listed(shown, joiner)


def listed(parts: Iterable[str], joiner: str = "and") -> str:
    """a, b and c."""
    items = list(parts)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {joiner} {items[-1]}"


def many(number: float, noun: str, plural: str | None = None) -> str:
    """1 row, 2 rows, 1,000 rows."""
    return f"{number:,.0f} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float, decimals: int = 1) -> str:
    """97.1 %; tiny shares are not rounded to nothing."""
    if decimals and 0 < share < 0.001:
        return "less than 0.1 %"
    return f"{100 * share:.{decimals}f} %"


def duration(seconds: float | None) -> str:
    """12 seconds, 3 minutes, 1 hour 20 minutes."""
    if seconds is None or seconds != seconds or seconds < 0:
        return "an unknown time"
    if seconds < 90:
        return many(max(1, round(seconds)), "second")
    minutes = round(seconds / 60)
    if minutes < 90:
        return many(minutes, "minute")
    hours, rest = divmod(minutes, 60)
    return many(hours, "hour") + (f" {many(rest, 'minute')}" if rest else "")


def size(count: float | None) -> str:
    """12 kB, 850 MB, 1.4 GB."""
    if not count:
        return "0 MB"
    if count < 1e6:
        return f"{max(1, round(count / 1e3))} kB"
    if count < 1e9:
        return f"{max(1, round(count / 1e6))} MB"
    return f"{count / 1e9:.1f} GB"


def between(low: str, high: str) -> str:
    """2 to 5 minutes; 1.2 GB where both are the same."""
    if low == high:
        return low
    first, last = low.rsplit(" ", 1), high.rsplit(" ", 1)
    if len(first) == len(last) == 2 and first[1].rstrip("s") == last[1].rstrip("s") and " " not in first[0] + last[0]:
        return f"{first[0]} to {high}"
    return f"{low} to {high}"


def figure(value: float, metric: str) -> str:
    """A metric's value: 97.1 % for shares, 0.873 for the others."""
    return percent(value) if metric in _SHARES else f"{value:.3f}"


def with_interval(interval: Mapping[str, Any], metric: str) -> str:
    """97.1 % (95.7 to 98.1 %)."""
    shown = figure(float(interval["value"]), metric)
    low, high = interval.get("low"), interval.get("high")
    if low is None or high is None:
        return shown
    return f"{shown} ({figure(float(low), metric).removesuffix(' %')} to {figure(float(high), metric)})"


def value_at(plan: Plan, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    node: Any = plan
    if path.startswith("data.columns."):
        return plan.data.columns.get(path.removeprefix("data.columns."))
    for name in path.split("."):
        node = getattr(node, name, None)
    return node


def choice_name(path: str) -> str:
    """What a person calls a field of the plan."""
    if path.startswith("data.columns."):
        return f"Column for the {path.removeprefix('data.columns.')}"
    return CHOICES.get(path, path.rpartition(".")[2].replace("_", " ").capitalize())


def problem(name: str, task: str | None) -> str:
    """A plan's kind of answer as people read it: "one class for each picture"."""
    return PROBLEMS.get(name, name).format(one=ROWS.get(task or "", "text"))


def choice_value(path: str, value: Any, plan: Plan | None = None) -> str:
    """A plan's value as people read it."""
    if path == "training.early_stopping":
        return "off" if value is None else f"after {many(value, 'check')} without gain"
    if path == "training.max_minutes":
        return (
            "no limit"
            if value is None
            else many(value, "minute")
            if float(value).is_integer()
            else f"{value:g} minutes"
        )
    if value is None:
        return "nothing" if path == "output.publish" else "none"
    if path == "method.name":
        return _method(str(value), plan)
    if path == "task":
        return str(value).replace("-", " ")
    if path == "problem":
        return problem(str(value), plan.task if plan is not None else None)
    if path.endswith("_fraction"):
        return percent(float(value), 0)
    if path == "evaluation.metric":
        return METRICS.get(str(value), safe(value))
    if path == "compute.target":
        return {"local": "this machine", "hf_jobs": "Hugging Face Jobs", "ray": "Ray"}[str(value)]
    if path.startswith("data."):
        return _of_data(path, value)
    if isinstance(value, float):
        return f"{value:g}"
    return code(value, 100) if isinstance(value, str) else str(value)


def _of_data(path: str, value: Any) -> str:
    if path.startswith("data.columns."):
        return codes([value] if isinstance(value, str) else value)
    if path == "data.languages":
        return " to ".join(safe(name) for name in value)
    if path == "data.prefix":
        return code(value.strip(), 100) if value.strip() else "nothing"
    return code(value, 100) if isinstance(value, str) else str(value)


def _method(name: str, plan: Plan | None) -> str:
    if plan is not None and name == "last_layers" and plan.method.layers:
        return f"the last {plan.method.layers} layers and the head"
    if plan is not None and name in ("lora", "qlora") and plan.method.rank:
        return f"{METHODS[name]}, rank {plan.method.rank}"
    return METHODS.get(name, name)
