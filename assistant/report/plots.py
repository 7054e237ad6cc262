"""Drawings as strings of HTML and SVG: no drawing library, light and dark by CSS variables, readable at any width.

Lines and bars are SVG stretched over their box (percentages, strokes that do not scale); words stay HTML beside them,
so that a narrow screen never shrinks a letter. Every string that came from outside is escaped here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from assistant.report import words
from recipes.events import Interval

#: A drawing of a curve needs no more points than it has pixels.
MAX_DRAWN = 200
#: Classes in a confusion matrix that can still be read as a table.
MAX_MATRIX = 12
GRID = "".join(f'<line class="fa-grid" x1="0" x2="300" y1="{y}" y2="{y}"/>' for y in (0.5, 50, 99.5))


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart. `kind`: "model", "best" (the best baseline) or "other"."""

    name: str
    interval: Interval
    kind: str = "other"


@dataclass(frozen=True)
class Line:
    """One curve: `[[x, y], …]` with rising x. `kind`: "train" or "validation"."""

    name: str
    points: Sequence[Sequence[float]]
    kind: str = "train"


def bars(rows: Sequence[Bar], metric: str = "") -> str:
    """Horizontal bars from zero with 95 % whiskers; the figure stands beside each as text."""
    highest = max([1e-12, *(max(row.interval.value, row.interval.high or 0) for row in rows)])
    full = 1.0 if metric in words.SHARES or (metric not in words.ERRORS and highest <= 1) else highest
    lines = "".join(_bar_row(row, metric, full) for row in rows)
    return f'<div class="fa-bars">{lines}</div>'


def _bar_row(row: Bar, metric: str, full: float) -> str:
    value = escape(words.figure(row.interval.value, metric))
    around = escape(words.spread(row.interval, metric))
    return (
        f'<div class="fa-bar fa-bar-{escape(row.kind)}"><span class="fa-bar-name">{escape(row.name)}</span>'
        f'<svg class="fa-bar-drawing" height="18" aria-hidden="true">{_bar_drawing(row.interval, full)}</svg>'
        f'<span class="fa-bar-value"><b>{value}</b>{f" <i>{around}</i>" if around else ""}</span></div>'
    )


def _bar_drawing(interval: Interval, full: float) -> str:
    width = _percent(interval.value / full)
    drawing = '<rect class="fa-track" x="0" y="3" width="100%" height="12" rx="3"/>'
    drawing += f'<rect class="fa-fill" x="0" y="3" width="{width}" height="12" rx="3"/>'
    if interval.low is None or interval.high is None:
        return drawing
    low, high = _percent(interval.low / full), _percent(interval.high / full)
    ends = "".join(f'<line class="fa-whisker" x1="{x}" x2="{x}" y1="5" y2="13"/>' for x in (low, high))
    return f'{drawing}<line class="fa-whisker" x1="{low}" x2="{high}" y1="9" y2="9"/>{ends}'


def _percent(share: float) -> str:
    share = 0.0 if share != share else min(1.0, max(0.0, share))
    return f"{100 * share:.2f}%"


def counts(rows: Sequence[tuple[str, float]], total: float | None = None) -> str:
    """How often each label occurs: thin bars that compare the counts with each other."""
    highest = max([1e-12, *(number for _, number in rows)])
    whole = total or sum(number for _, number in rows) or 1
    lines = "".join(
        f'<div class="fa-bar fa-bar-other"><span class="fa-bar-name">{escape(name)}</span>'
        f'<svg class="fa-bar-drawing" height="14" aria-hidden="true">'
        f'<rect class="fa-fill" x="0" y="2" width="{_percent(number / highest)}" height="10" rx="3"/></svg>'
        f'<span class="fa-bar-value"><b>{number:,.0f}</b> <i>{100 * number / whole:.0f} %</i></span></div>'
        for name, number in rows
    )
    return f'<div class="fa-bars fa-counts">{lines}</div>'


def probabilities(scores: dict[str, float], chosen: str | list[str] | None = None, limit: int = 10) -> str:
    """The classes with their probabilities, the most probable first."""
    chosen_names = [chosen] if isinstance(chosen, str) else list(chosen or [])
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])[:limit]
    lines = "".join(
        f'<div class="fa-bar fa-bar-{"model" if name in chosen_names else "other"}">'
        f'<span class="fa-bar-name">{escape(name)}</span>'
        f'<svg class="fa-bar-drawing" height="14" aria-hidden="true">'
        f'<rect class="fa-track" x="0" y="2" width="100%" height="10" rx="3"/>'
        f'<rect class="fa-fill" x="0" y="2" width="{_percent(share)}" height="10" rx="3"/></svg>'
        f'<span class="fa-bar-value"><b>{100 * share:.1f} %</b></span></div>'
        for name, share in ranked
    )
    return f'<div class="fa-bars fa-counts">{lines}</div>'


def curve(title: str, lines: Sequence[Line], metric: str = "", x_name: str = "step") -> str:
    """Curves over the steps in one box, with the ends of both axes written out; "" when there is nothing to draw."""
    drawn = [line for line in lines if line.points]
    if not drawn:
        return ""
    xs = [point[0] for line in drawn for point in line.points]
    ys = [point[1] for line in drawn for point in line.points]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)
    shapes = "".join(_polyline(line, (left, right), (low, high)) for line in drawn)
    legend = "".join(
        f'<span class="fa-key fa-key-{escape(line.kind)}">{escape(line.name)} '
        f"<b>{escape(words.figure(line.points[-1][1], metric))}</b></span>"
        for line in drawn
    )
    spoken = "; ".join(
        f"{line.name} from {words.figure(line.points[0][1], metric)} to {words.figure(line.points[-1][1], metric)}"
        for line in drawn
    )
    return (
        f'<figure class="fa-curve"><figcaption>{escape(title)}</figcaption>'
        f'<div class="fa-plot">{_axis(low, high, metric)}'
        f'<svg viewBox="0 0 300 100" preserveAspectRatio="none" role="img" aria-label="{escape(f"{title}: {spoken}")}">'
        f"{GRID}{shapes}</svg></div>"
        f'<div class="fa-plot-foot"><span>{escape(x_name)} {left:,.0f}</span>{legend}<span>{right:,.0f}</span></div>'
        f"</figure>"
    )


def _axis(low: float, high: float, metric: str) -> str:
    ends = f'<span class="fa-axis-high">{escape(words.figure(high, metric))}</span>'
    return ends + (f'<span class="fa-axis-low">{escape(words.figure(low, metric))}</span>' if high > low else "")


def _polyline(line: Line, x_range: tuple[float, float], y_range: tuple[float, float]) -> str:
    points = list(line.points)
    stride = max(1, -(-len(points) // MAX_DRAWN))
    kept = points[::stride] + ([points[-1]] if (len(points) - 1) % stride else [])
    x_span, y_span = (x_range[1] - x_range[0]) or 1.0, (y_range[1] - y_range[0]) or 1.0
    flat = y_range[1] == y_range[0]
    places = [(300 * (x - x_range[0]) / x_span, 50.0 if flat else 96 - 92 * (y - y_range[0]) / y_span) for x, y in kept]
    if len(places) == 1:
        places = [(0.0, places[0][1]), (300.0, places[0][1])]
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline class="fa-line fa-line-{escape(line.kind)}" points="{text}"/>'


def curves(of_run: dict[str, list[list[float]]], metric: str = "") -> str:
    """The loss (training and validation) and each validation figure, side by side where there is room."""
    loss = [
        Line(split, of_run[f"{split}/loss"], split) for split in ("train", "validation") if of_run.get(f"{split}/loss")
    ]
    boxes = [curve("Loss", loss, "loss")]
    others = sorted({name.split("/", 1)[-1] for name in of_run} - {"loss", "learning_rate", "grad_norm"})
    others.sort(key=lambda name: name != metric)
    for name in others[:3]:
        lines = [
            Line(split, of_run[f"{split}/{name}"], split)
            for split in ("train", "validation")
            if of_run.get(f"{split}/{name}")
        ]
        boxes.append(curve(words.metric_name(name), lines, name))
    drawn = "".join(boxes)
    return f'<div class="fa-curves">{drawn}</div>' if drawn else ""


def matrix(labels: Sequence[str], confusion: Sequence[Sequence[int]], examples: Mapping[str, str] | None = None) -> str:
    """The confusion matrix as a table, rows: true class; for many classes the pairs that are mixed up most.

    Args:
        examples: class -> data: address of a small picture of it.
    """
    if len(labels) > MAX_MATRIX:
        return _mixed_up(labels, confusion)
    heads = [_example(examples or {}, label) + escape(label) for label in labels]
    head = "".join(f'<th scope="col">{label}</th>' for label in heads)
    body = "".join(_matrix_row(heads[index], index, row) for index, row in enumerate(confusion))
    corner = '<th class="fa-corner">really ↓ predicted →</th>'
    table = f'<table class="fa-matrix"><thead><tr>{corner}{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="fa-scroll">{table}</div>'


def _example(examples: Mapping[str, str], label: str) -> str:
    return f'<img src="{escape(examples[label])}" alt="" loading="lazy">' if label in examples else ""


def _matrix_row(head: str, index: int, row: Sequence[int]) -> str:
    """One true class; `head` is HTML."""
    total = sum(row) or 1
    cells = "".join(
        f'<td class="{"fa-hit" if column == index else "fa-miss" if number else "fa-zero"}" '
        f'style="--share:{number / total:.3f}">{number:,}</td>'
        for column, number in enumerate(row)
    )
    return f'<tr><th scope="row">{head}</th>{cells}</tr>'


def _mixed_up(labels: Sequence[str], confusion: Sequence[Sequence[int]], limit: int = 10) -> str:
    pairs = [
        (number, labels[row], labels[column])
        for row, numbers in enumerate(confusion)
        for column, number in enumerate(numbers)
        if row != column and number
    ]
    pairs.sort(key=lambda pair: -pair[0])
    rows = "".join(
        f"<tr><td>{escape(truth)}</td><td>{escape(guess)}</td><td>{number:,}</td></tr>"
        for number, truth, guess in pairs[:limit]
    )
    head = "<thead><tr><th>really</th><th>predicted</th><th>times</th></tr></thead>"
    return f'<div class="fa-scroll"><table class="fa-table">{head}<tbody>{rows}</tbody></table></div>'
