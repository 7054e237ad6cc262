"""Figures in words: how a number of a result is written for a person, on the page, in a file and in a terminal."""

from __future__ import annotations

from recipes.events import Interval

#: Name of a metric -> how a beginner may call it.
METRICS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1 (mean over classes)",
    "f1_macro": "F1 (mean over labels)",
    "f1_micro": "F1 (over all labels)",
    "subset_accuracy": "All labels right",
    "precision": "Precision",
    "recall": "Recall",
    "average_precision": "Average precision",
    "roc_auc": "ROC AUC",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "mse": "Mean squared error",
    "r2": "R² (variance explained)",
    "spearman": "Rank correlation (Spearman)",
    "pearson": "Correlation (Pearson)",
    "mrr": "Mean reciprocal rank (MRR)",
    "recall_at_1": "Right partner found first",
    "recall_at_5": "Right partner among the first five",
    "triplet_accuracy": "Right text closer than the wrong one",
    "loss": "Loss",
    "perplexity": "Perplexity",
    "wer": "Wrong words",
    "cer": "Wrong characters",
    "general_wer": "Wrong words in other speech",
    "exact_match": "Right word for word",
    "json_valid": "Valid JSON",
    "rouge_1": "Words shared with the expected text (ROUGE-1)",
    "rouge_2": "Pairs of words shared with the expected text (ROUGE-2)",
    "rouge_l": "Words shared with the expected answer (ROUGE-L)",
    "chrf": "Groups of letters shared with the expected text (chrF)",
    "bleu": "Groups of words shared with the expected text (BLEU)",
    "reward_accuracy": "Pairs ordered as people did",
    "margin": "Margin between the two answers",
    "entity_f1": "F1 of whole entities",
    "entity_precision": "Entities found that are right (precision)",
    "entity_recall": "Entities that are found (recall)",
    "word_accuracy": "Words with the right tag",
    "answer_f1": "Words shared with the right answer (F1)",
}
#: Metrics that are shares of rows and read best as a percentage.
SHARES = {
    "accuracy", "balanced_accuracy", "subset_accuracy", "precision", "recall", "exact_match", "json_valid", "rouge_l",
    "reward_accuracy", "wer", "cer", "general_wer", "entity_f1", "entity_precision", "entity_recall", "word_accuracy",
    "answer_f1",
    "rouge_1", "rouge_2", "chrf", "bleu", "recall_at_1", "recall_at_5", "triplet_accuracy",
}  # fmt: skip
#: Metrics of which less is better.
ERRORS = {"mae", "rmse", "mse", "wer", "cer", "general_wer", "loss", "perplexity", "hamming_loss"}
BASELINES = {
    "majority": "Always the most frequent answer",
    "mean": "Always the mean",
    "median": "Always the median",
    "word_counts": "Counting words",
    "picture_statistics": "Colours and edges alone",
    "sound_statistics": "Loudness of each pitch alone",
    "nearest_centroid": "Nearest class centre",
    "from_scratch": "Same network, not pretrained",
    "untuned": "Before the tuning",
    "few_shot": "Untuned, examples in the prompt",
    "longer": "Always the longer answer",
    "most_frequent_tag": "Each word's most frequent tag",
    "crf": "Random field on spelling (CRF)",
    "alike_sentence": "The sentence most like the question",
    "span_regression": "Regression on pieces of the text",
    "never_answering": "Always no answer",
    "rare_words": "Shared words, rare ones more (TF-IDF)",
    "word_overlap": "Shared words",
    "copied": "Copying the text",
    "first_words": "The first words of the text",
    "nearest_row": "The answer of the most similar row",
}
METHODS = {
    "head": "new last layer only",
    "last_layers": "last layers",
    "lora": "LoRA adapters",
    "qlora": "LoRA adapters on a 4-bit model",
    "full": "all layers",
}
VERDICTS = {
    "better": "Better than the simple ways",
    "same": "No better than a simple way",
    "worse": "Worse than a simple way",
    "not_enough_data": "Not enough data to tell",
}
PHASES = {
    "starting": "Starting",
    "reading": "Reading the data",
    "model": "Loading the model",
    "splitting": "Splitting the rows",
    "baselines": "Baselines",
    "features": "Reading every row once",
    "head": "Fitting the last layer",
    "training": "Training",
    "from_scratch": "Training from scratch, to compare",
    "testing": "Testing",
    "saving": "Saving",
}


def metric_name(name: str) -> str:
    """The metric as a heading."""
    return METRICS.get(name, name.replace("_", " ").capitalize())


def baseline_name(name: str) -> str:
    """The baseline as a heading."""
    return BASELINES.get(name, name.replace("_", " ").capitalize())


def phase_name(name: str) -> str:
    """The phase as a heading."""
    return PHASES.get(name, name.replace("_", " ").capitalize())


def method_name(method: dict[str, object]) -> str:
    """The method with its size: "last layers (2)", "LoRA adapters (rank 16)"."""
    name = METHODS.get(str(method.get("name") or ""), str(method.get("name") or "unknown"))
    size = (
        f" ({method['layers']})" if method.get("layers") else f" (rank {method['rank']})" if method.get("rank") else ""
    )
    return name + size


def figure(value: float, metric: str = "") -> str:
    """97.1 % for a share, three significant decimals for anything else."""
    if value != value or value in (float("inf"), float("-inf")):
        return "–"
    if metric in SHARES:
        return f"{100 * value:.1f} %".replace("-", "−")
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    return (f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}").replace("-", "−")


def plain(value: float) -> str:
    """A setting as a person would type it: 0.00003, not 3e-05; 3, not 3.0."""
    return f"{value:.10f}".rstrip("0").rstrip(".") if value == value else "–"


def spread(interval: Interval, metric: str = "") -> str:
    """95.7–98.1 %, or nothing where no interval is known."""
    if interval.low is None or interval.high is None:
        return ""
    low, high = figure(interval.low, metric), figure(interval.high, metric)
    if metric in SHARES:
        low = low.removesuffix(" %")
    return f"{low} to {high}" if interval.low < 0 else f"{low}–{high}"


def with_spread(interval: Interval, metric: str = "") -> str:
    """97.1 % (95.7–98.1 %)."""
    around = spread(interval, metric)
    return figure(interval.value, metric) + (f" ({around})" if around else "")


def duration(seconds: float | None) -> str:
    """0.4 s, 12 s, 3 min 20 s, 1 h 5 min."""
    if seconds is None or seconds != seconds or seconds in (float("inf"), float("-inf")) or seconds < 0:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{round(whole / 60)} min"
    hours, rest = divmod(round(whole / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def rough(seconds: float | None) -> str:
    """An expected time without a precision that it does not have: 20 s, 3 min, 1 h 10 min."""
    if seconds is None or seconds != seconds or seconds < 0 or seconds > 10**8:
        return "–"
    if seconds < 57.5:
        return f"{max(1, round(seconds / 5) * 5 if seconds > 7 else round(seconds))} s"
    minutes = round(seconds / 60)
    return duration(60 * (minutes if minutes < 60 else round(minutes / 10) * 10))


def remaining(seconds: float | None) -> str:
    """A rough time to go, which does not pretend to know the second."""
    if seconds is None or seconds != seconds or seconds < 0 or seconds > 10**8:
        return ""
    if seconds < 5:
        return "a few seconds left"
    if seconds < 57.5:
        return f"about {round(seconds / 5) * 5} s left"
    return f"about {duration(max(60, round(seconds / 60) * 60))} left"


def size(bytes_count: float | None) -> str:
    """310 MB, 1.2 GB; powers of ten, as disks and downloads are counted."""
    if bytes_count is None or bytes_count != bytes_count or bytes_count < 0:
        return "–"
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if bytes_count >= step:
            scaled = bytes_count / step
            return f"{scaled:.1f} {unit}" if scaled < 10 else f"{scaled:.0f} {unit}"
    return f"{bytes_count:.0f} bytes"


def count(number: float) -> str:
    """22,713,216 -> 22.7 million; 3,000 stays 3,000."""
    return (
        f"{number / 1e9:.1f} billion"
        if number >= 1e9
        else f"{number / 1e6:.1f} million"
        if number >= 1e6
        else f"{number:,.0f}"
    )
