"""What a result says, looked up: the metric that decided, the weakest class, the curves, what was tried. Pure.

Functions of `result.json` as a plain dictionary; what is missing there comes back as None or empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assistant.chat.wording import METRICS, figure

Result = Mapping[str, Any]
#: Metrics of which less is better.
ERRORS = ("mae", "rmse", "wer", "cer", "loss")
_SHARES = ("accuracy", "balanced_accuracy", "subset_accuracy", "precision", "recall")
_CUT = re.compile(r"([\d,]+) of ([\d,]+) texts are longer than ([\d,]+) tokens")


def main_metric(result: Result) -> str:
    """The metric that decided."""
    named = str(result.get("metric") or (result.get("verdict") or {}).get("metric") or "")
    metrics = result.get("metrics") or {}
    return named if named in metrics else next(iter(metrics), "accuracy")


def metric_name(metric: str) -> str:
    """The metric as people call it."""
    return METRICS.get(metric, metric.replace("_", " "))


def gap(difference: float, metric: str) -> str:
    """A difference between two values: "1.2 points" for shares, 0.012 for the others."""
    return f"{abs(100 * difference):.1f} points" if metric in _SHARES else f"{abs(difference):.3f}"


def verdict_code(result: Result) -> str:
    """better, same, worse or not_enough_data."""
    return str((result.get("verdict") or {}).get("code") or "")


def best_baseline(result: Result, metric: str) -> tuple[str, float] | None:
    """(name, value) of the best simple way."""
    known = {
        name: float(figures[metric]["value"])
        for name, figures in (result.get("baselines") or {}).items()
        if metric in figures
    }
    if not known:
        return None
    name = (min if metric in ERRORS else max)(known, key=lambda one: known[one])
    return name, known[name]


def worst_classes(result: Result) -> list[Mapping[str, Any]]:
    """Classes by their F1, the weakest first; only those with test rows."""
    known = [one for one in result.get("classes") or [] if one.get("rows")]
    return sorted(known, key=class_figure)


def class_figure(one: Mapping[str, Any]) -> float:
    """The F1 of a class; its recall where there is none."""
    recall = one.get("recall") or {}
    value = one.get("f1") if one.get("f1") is not None else recall.get("value")
    return float(value if value is not None else 1.0)


def training_rows(result: Result, one: Mapping[str, Any]) -> int:
    """Training rows of a class, about: by its share of the test rows."""
    test = sum(int(known["rows"]) for known in worst_classes(result))
    train = int((result.get("rows") or {}).get("train") or 0)
    return round(train * int(one["rows"]) / max(1, test))


def most_confused(result: Result) -> tuple[str, str, int] | None:
    """(true class, what it was taken for, how often) of the most frequent confusion."""
    pairs = confusions(result)
    return pairs[0] if pairs else None


def confusions(result: Result) -> list[tuple[str, str, int]]:
    """(true class, what it was taken for, how often), the most frequent first."""
    labels, matrix = result.get("labels") or [], result.get("confusion") or []
    if len(labels) != len(matrix):
        return []
    pairs = [
        (str(labels[row]), str(labels[column]), int(count))
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    return sorted(pairs, key=lambda pair: -pair[2])


def curve(result: Result, name: str) -> list[tuple[float, float]]:
    """The points of a curve, as "validation/accuracy"; empty where there is none."""
    return [(float(point[0]), float(point[1])) for point in (result.get("curves") or {}).get(name) or []]


def validation_curve(result: Result) -> tuple[str, list[tuple[float, float]]]:
    """(metric, points) of the figure that was watched during the training; ("", []) where nothing was trained."""
    metric = main_metric(result)
    if len(curve(result, f"validation/{metric}")) > 1:
        return metric, curve(result, f"validation/{metric}")
    for name in result.get("curves") or {}:
        if name.startswith("validation/") and len(curve(result, name)) > 1:
            return name.partition("/")[2], curve(result, name)
    return "", []


def best_point(points: list[tuple[float, float]], metric: str) -> int:
    """Place of the best point, the first one of equals."""
    pick = min if metric in ERRORS else max
    return pick(range(len(points)), key=lambda place: points[place][1])


def falling_loss(result: Result) -> tuple[float, float] | None:
    """(loss in the middle, loss at the end) on the validation rows where it was still falling clearly; else None."""
    points = curve(result, "validation/loss")
    middle = len(points) // 2
    if len(points) < 4 or best_point(points, "loss") != len(points) - 1 or points[-1][1] > 0.97 * points[middle][1]:
        return None
    return points[middle][1], points[-1][1]


def says_one_class(result: Result) -> tuple[str, int, int] | None:
    """(class, times, test rows) where the model says one class for more than nine rows of ten, far more than are it."""
    labels, matrix = result.get("labels") or [], result.get("confusion") or []
    if len(labels) < 2 or len(labels) != len(matrix):
        return None
    said = [sum(int(row[place]) for row in matrix) for place in range(len(labels))]
    place, rows = max(range(len(labels)), key=lambda one: said[one]), sum(said)
    if said[place] <= max(0.9 * rows, 1.15 * sum(int(count) for count in matrix[place])):
        return None
    return str(labels[place]), said[place], rows


def rows_curve(result: Result) -> list[tuple[float, float]]:
    """(training rows, figure on the validation rows) of the last layer with ever more rows."""
    return curve(result, f"rows/{main_metric(result)}")


def last_doubling(result: Result) -> float | None:
    """What the last doubling of the rows gained, positive is good; None where it was not measured."""
    points = rows_curve(result)
    if len(points) < 2:
        return None
    (fewer, before), (more, after) = points[-2], points[-1]
    if more < 1.5 * fewer:
        return None
    return (before - after) if main_metric(result) in ERRORS else (after - before)


def noise(result: Result) -> float:
    """Half the width of the main figure's interval if it were measured on the validation rows: less is chance."""
    own = (result.get("metrics") or {}).get(main_metric(result)) or {}
    if own.get("low") is None or own.get("high") is None:
        return 0.02
    rows = result.get("rows") or {}
    test, validation = float(rows.get("test") or 1), float(rows.get("validation") or rows.get("test") or 1)
    return float((own["high"] - own["low"]) / 2 * (test / max(validation, 1.0)) ** 0.5)


def cut_texts(result: Result) -> tuple[int, int, int] | None:
    """(texts cut, texts, tokens read), from the run's own note."""
    for note in result.get("notes") or []:
        match = _CUT.search(str(note))
        if match:
            cut, every, tokens = (int(group.replace(",", "")) for group in match.groups())
            return cut, every, tokens
    return None


def warned(result: Result, code: str) -> str | None:
    """The text of a warning of the run."""
    return next((str(one.get("text")) for one in result.get("warnings") or [] if one.get("code") == code), None)


def candidate(result: Result, name: str) -> Mapping[str, Any] | None:
    """What was tried under this name."""
    return next((one for one in result.get("candidates") or [] if one.get("name") == name), None)


def chosen(result: Result) -> str:
    """The way that was kept: head, last_layers, lora, full."""
    found = next((one for one in result.get("candidates") or [] if one.get("chosen")), None)
    return str((found or result.get("method") or {}).get("name") or "head")


def total_seconds(result: Result) -> float:
    """Seconds of the whole run."""
    seconds = result.get("seconds") or {}
    parts = [float(value) for name, value in seconds.items() if value and name not in ("total", "predicted")]
    return float(seconds.get("total") or sum(parts))


def figure_of(value: float, metric: str) -> str:
    """A value of a metric, as people read it."""
    return figure(value, metric)
