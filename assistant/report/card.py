"""The report of a finished run: for the page (HTML), for a file (one page by itself) and for a terminal (Markdown).

Functions of the result and the plan alone: every figure that they show stands in `result.json`. The person's own texts
(the mistakes) are only in a report that was asked to hold them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from assistant.report import plots, style, words
from recipes.events import Interval, Result
from recipes.plan import Plan

MAX_CLASSES = 60
MAX_MISTAKES = 10
MAX_PICTURES = 24
MISTAKE_LENGTH = 280


@dataclass(frozen=True)
class Table:
    """A heading, column names and rows of plain text; drawn as HTML or as Markdown. Figures start at `numbers_from`."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    numbers_from: int = 1


# ---------------------------------------------------------------- the figures as tables


def main_metric(result: Result) -> str:
    """The metric that decided; the first one when the result names none."""
    named = result.metric or result.verdict.metric or ""
    return named if named in result.metrics else next(iter(result.metrics), "")


def best_baseline(result: Result) -> str | None:
    """The baseline that the verdict compares with, or the best by the main metric."""
    if result.verdict.best_baseline in result.baselines:
        return result.verdict.best_baseline
    metric = main_metric(result)
    known = {name: figures[metric].value for name, figures in result.baselines.items() if metric in figures}
    if not known:
        return None
    return min(known, key=lambda name: known[name] if metric in words.ERRORS else -known[name])


def comparison(result: Result) -> Table:
    """Each metric of the model beside the same metric of each baseline."""
    names = list(result.baselines)
    rows = [
        [
            words.metric_name(metric),
            words.with_spread(interval, metric),
            *(_cell(result.baselines[name].get(metric), metric) for name in names),
        ]
        for metric, interval in result.metrics.items()
    ]
    note = "The range is the 95 % interval: how far the figure could move with other test rows of the same kind."
    return Table("All figures", ["", "This model", *map(words.baseline_name, names)], rows, note)


def _cell(interval: Interval | None, metric: str) -> str:
    return "–" if interval is None else words.with_spread(interval, metric)


def per_class(result: Result) -> Table | None:
    """Precision, recall and F1 of each class, the weakest first."""
    if not result.classes:
        return None
    ranked = sorted(result.classes, key=lambda row: row.f1 if row.f1 is not None else 1.0)
    rows = [
        [
            row.label,
            f"{row.rows:,}",
            _cell(row.precision, "precision"),
            _cell(row.recall, "recall"),
            "–" if row.f1 is None else words.figure(row.f1, "f1"),
        ]
        for row in ranked[:MAX_CLASSES]
    ]
    if result.task == "token-classification":
        note = "Precision: of what it marks as this type, the share that is right. Recall: the share that it finds."
        return Table("Each type, the weakest first", ["type", "in the test", "precision", "recall", "F1"], rows, note)
    if result.task == "question-answering":
        note = "Precision: how often it is right to say so. Recall: the share of these questions of which it says so."
        return Table("Does the text answer it?", ["question", "in the test", "precision", "recall", "F1"], rows, note)
    note = "Precision: how often it is right when it gives this class. Recall: the share of this class that it finds."
    return Table("Each class, the weakest first", ["class", "test rows", "precision", "recall", "F1"], rows, note)


def candidates(result: Result) -> Table | None:
    """The ways of training that were tried, on validation rows."""
    if not result.candidates:
        return None
    rows = [
        [
            words.METHODS.get(row.name, row.name.replace("_", " ")) + (" (kept)" if row.chosen else ""),
            f"{words.metric_name(row.metric)} {words.figure(row.value, row.metric)}",
            words.duration(row.seconds),
            row.note,
        ]
        for row in result.candidates
    ]
    note = "Compared on validation rows, never on the test rows; the best was kept."
    return Table("What was tried", ["way", "on validation rows", "time", ""], rows, note)


def cost(result: Result) -> Table:
    """Time by part and memory, predicted and measured."""
    rows = [["Time", words.duration(result.seconds.get("predicted")), words.duration(total_seconds(result))]]
    parts = {name: value for name, value in result.seconds.items() if name not in ("predicted", "total")}
    rows += [[f"– {words.phase_name(name).lower()}", "", words.duration(value)] for name, value in parts.items()]
    peak = result.peak_bytes
    rows.append(["Peak memory", words.size(peak.get("predicted")), words.size(peak.get("measured"))])
    return Table("Time and memory", ["", "predicted", "measured"], rows)


def total_seconds(result: Result) -> float | None:
    """The whole run's seconds; the sum of its parts where the result holds no total."""
    if "total" in result.seconds:
        return result.seconds["total"]
    parts = [value for name, value in result.seconds.items() if name != "predicted"]
    return sum(parts) if parts else None


def settings(result: Result, plan: Plan | None) -> Table:
    """What was trained, on what."""
    rows = [
        ["Base model", result.base_model],
        ["What was trained", words.method_name(result.method)],
        ["Trained weights", f"{words.count(result.trainable_parameters)} of {words.count(result.total_parameters)}"],
        *([f"Rows: {name}", f"{number:,}"] for name, number in result.rows.items()),
        ["Judged on", result.evaluation or "test rows that it never saw"],
    ]
    if plan is not None:
        training = plan.training
        known = [("Passes over the rows", training.epochs), ("Learning rate", training.learning_rate)]
        known += [("Batch size", training.batch_size), ("Tokens read of a text", training.max_length)]
        rows += [[name, words.plain(value)] for name, value in known if value is not None]
    device = result.environment.get("device")
    rows += [["Machine", str(device)]] if device else []
    rows += [["Seed", str(result.seed)], ["SHA-256 of the data", result.data_sha256 or "–"]]
    return Table("Settings, to repeat it", ["", ""], rows, numbers_from=99)


def difference(result: Result) -> str:
    """The paired difference to the best baseline as a sentence; "" when the verdict holds none."""
    verdict = result.verdict
    if verdict.difference is None or verdict.best_baseline is None:
        return ""
    metric = verdict.metric or main_metric(result)
    scale, unit = (100, " points") if metric in words.SHARES else (1, "")
    value, low, high = (
        None if number is None else f"{scale * number:+.{1 if scale == 100 else 3}f}".replace("-", "−")
        for number in (verdict.difference.value, verdict.difference.low, verdict.difference.high)
    )
    sentence = f"Against “{words.baseline_name(verdict.best_baseline).lower()}” on the same rows: {value}{unit}"
    sentence += f" (95 % interval {low} to {high})" if low is not None and high is not None else ""
    return sentence + (f", p = {verdict.p_value:.2g}." if verdict.p_value is not None else ".")


# ---------------------------------------------------------------- HTML


def report_html(
    result: Result,
    plan: Plan | None = None,
    *,
    with_rows: bool = False,
    opened: bool = False,
    pictures: Mapping[str, str] | None = None,
) -> str:
    """The report as a fragment of HTML, every value escaped.

    Args:
        with_rows: also show the mistakes, which are rows of the person.
        pictures: path, as in the result -> data: address (`report.media`); shown where rows are.
        opened: show all parts at once, as a file does; the page folds the secondary ones.
    """
    metric = main_metric(result)
    verdict = result.verdict
    head = (
        f'<header><span class="fa-tag fa-tag-{verdict.code}">{escape(words.VERDICTS[verdict.code])}</span>'
        f'<p class="fa-verdict">{escape(verdict.text)}</p>{_facts(result)}</header>'
    )
    shown = (pictures or {}) if with_rows else {}
    folds = [
        ("matrix", "Which classes are mixed up", _matrix(result, shown)),
        ("mistakes", "The surest mistakes", _mistakes(result, shown) if with_rows else ""),
        ("written", "Five prompts, before and after", _written(result) if with_rows else ""),
        ("heard", "What was said, and what was written before and after", _heard(result, shown) if with_rows else ""),
        ("curves", "How it learned", plots.curves(result.curves or {}, metric)),
        ("rows", "Would more rows help?", _rows_curve(result)),
    ]
    tables = {"classes": per_class(result), "figures": comparison(result), "tried": candidates(result)}
    tables |= {"words": wrong_words(result) if with_rows else None}
    tables |= {"cost": cost(result), "settings": settings(result, plan)}
    folds += [(key, table.title, html_table(table)) for key, table in tables.items() if table is not None]
    folds.append(("notes", "Notes on this run", _notes(result)))
    drawn = "".join(_fold(key, title, body, opened or key == "matrix") for key, title, body in folds if body)
    return head + _notices(result) + _against(result, metric) + drawn


def picture(result: Result, name: str) -> str:
    """One drawing of the report by itself: matrix, curves, rows, baselines; "" where the result has none."""
    metric = main_metric(result)
    drawn = {
        "matrix": lambda: _matrix(result),
        "curves": lambda: plots.curves(result.curves or {}, metric),
        "baselines": lambda: _against(result, metric),
        "rows": lambda: _rows_curve(result),
    }
    return drawn[name]() if name in drawn else ""


def _fold(key: str, title: str, body: str, opened: bool) -> str:
    state = " open" if opened else ""
    return (
        f'<details class="fa-fold" data-key="{escape(key)}"{state}><summary>{escape(title)}</summary>'
        f'<div class="fa-fold-body">{body}</div></details>'
    )


def _facts(result: Result) -> str:
    facts = [
        ("model", result.base_model.rsplit("/", 1)[-1]),
        ("trained", words.method_name(result.method)),
        ("learned from", f"{result.rows['train']:,} rows" if "train" in result.rows else ""),
        ("judged on", f"{result.rows['test']:,} rows" if result.rows.get("test") else result.evaluation or ""),
        ("time", words.duration(total_seconds(result))),
        ("peak memory", words.size(result.peak_bytes.get("measured"))),
    ]
    shown = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts if value not in ("", "–")
    )
    return f'<dl class="fa-facts">{shown}</dl>'


def _notices(result: Result) -> str:
    shown = "".join(f"<li>{escape(warning['text'])}</li>" for warning in result.warnings or [] if warning.get("text"))
    return f'<ul class="fa-notices">{shown}</ul>' if shown else ""


def _notes(result: Result) -> str:
    shown = "".join(f"<li>{escape(note)}</li>" for note in result.notes or [] if note)
    return f'<ul class="fa-notes">{shown}</ul>' if shown else ""


def _against(result: Result, metric: str) -> str:
    if not metric:
        return ""
    best = best_baseline(result)
    rows = [plots.Bar("This model", result.metrics[metric], "model")]
    known = [(name, figures[metric]) for name, figures in result.baselines.items() if metric in figures]
    known.sort(key=lambda pair: pair[1].value, reverse=metric not in words.ERRORS)
    rows += [
        plots.Bar(words.baseline_name(name), figure, "best" if name == best else "other") for name, figure in known
    ]
    hint = " (less is better)" if metric in words.ERRORS else ""
    sentence = difference(result)
    note = f'<p class="fa-note">{escape(sentence)}</p>' if sentence else ""
    heading = escape(f"{words.metric_name(metric)}{hint}, against the simple ways")
    return f"<section><h4>{heading}</h4>{plots.bars(rows, metric)}{note}</section>"


def _matrix(result: Result, pictures: Mapping[str, str] | None = None) -> str:
    if not result.confusion or not result.labels or len(result.labels) != len(result.confusion):
        return ""
    known = pictures or {}
    examples = {label: known[path] for label, path in (result.examples or {}).items() if path in known}
    return plots.matrix(result.labels, result.confusion, examples)


def _rows_curve(result: Result) -> str:
    """The last layer on ever more of the training rows, judged on the validation rows."""
    metric = main_metric(result)
    points = (result.curves or {}).get(f"rows/{metric}") or []
    if len(points) < 2:
        return ""
    drawn = plots.curve(
        f"{words.metric_name(metric)} on the validation rows, by training rows",
        [plots.Line("last layer", points, "validation")], metric, x_name="rows",
    )  # fmt: skip
    note = (
        '<p class="fa-note">Still rising on the right: more rows would help. Flat: other rows, or cleaner labels.</p>'
    )
    return f'<div class="fa-curves">{drawn}</div>{note}'


def _mistakes(result: Result, pictures: Mapping[str, str]) -> str:
    if any(mistake.picture in pictures for mistake in result.mistakes or []):
        return _gallery(result, pictures)
    rows = "".join(
        f"<li>{_player(mistake.audio, pictures)}<blockquote>{escape(_cut(mistake.input))}</blockquote>"
        f"<p>said <b>{escape(mistake.predicted)}</b>"
        f"{'' if mistake.confidence is None else f' ({100 * mistake.confidence:.0f} % sure)'}, "
        f"really <b>{escape(mistake.expected)}</b> <i>· row {mistake.row:,}</i></p></li>"
        for mistake in (result.mistakes or [])[:MAX_MISTAKES]
    )
    return f'<ol class="fa-mistakes">{rows}</ol>' if rows else ""


def _gallery(result: Result, pictures: Mapping[str, str]) -> str:
    """Mistaken pictures side by side, the surest first."""
    shown = [mistake for mistake in result.mistakes or [] if mistake.picture in pictures][:MAX_PICTURES]
    figures = "".join(
        f'<figure><img src="{escape(pictures[str(mistake.picture)])}" alt="{escape(_cut(mistake.input))}" '
        f'loading="lazy"><figcaption>said <b>{escape(mistake.predicted)}</b>'
        f"{'' if mistake.confidence is None else f' ({100 * mistake.confidence:.0f} % sure)'}, "
        f"really <b>{escape(mistake.expected)}</b> <i>· row {mistake.row:,}</i></figcaption></figure>"
        for mistake in shown
    )
    return f'<div class="fa-gallery">{figures}</div>'


def _written(result: Result) -> str:
    """What a language model wrote before the training and after it, beside the expected answer."""
    rows = "".join(
        f'<li><blockquote>{escape(_cut(one.prompt))}</blockquote><dl class="fa-written">'
        f"<div><dt>before</dt><dd>{escape(_cut(one.before)) or '–'}</dd></div>"
        f"<div><dt>after</dt><dd>{escape(_cut(one.after)) or '–'}</dd></div>"
        f"<div><dt>expected</dt><dd>{escape(_cut(one.expected))}</dd></div></dl></li>"
        for one in (result.written or [])[:MAX_MISTAKES]
    )
    return f'<ol class="fa-mistakes">{rows}</ol>' if rows else ""


def _heard(result: Result, sounds: Mapping[str, str]) -> str:
    """Recordings with a player, what was said, and what the model wrote before the training and after it."""
    rows = "".join(
        f'<li>{_player(one.audio, sounds)}<dl class="fa-written">'
        f"<div><dt>said</dt><dd>{escape(_cut(one.expected))}</dd></div>"
        f"<div><dt>before</dt><dd>{escape(_cut(one.before)) or '–'}</dd></div>"
        f"<div><dt>after</dt><dd>{escape(_cut(one.after)) or '–'}</dd></div></dl>"
        f"<p>{one.wrong:,} of {one.words:,} words are wrong <i>· row {one.row:,}</i></p></li>"
        for one in result.heard or []
    )
    return f'<ol class="fa-mistakes">{rows}</ol>' if rows else ""


def _player(name: str | None, sounds: Mapping[str, str]) -> str:
    if name not in sounds:
        return ""
    return f'<audio controls preload="none" src="{escape(sounds[str(name)])}"></audio>'


def wrong_words(result: Result) -> Table | None:
    """The words that are most often written wrongly; they are the person's own."""
    if not result.words:
        return None
    rows = [
        [word.word, word.heard or "(nothing)", f"{word.wrong:,} of {word.said:,}"]
        for word in result.words[:MAX_MISTAKES]
    ]
    return Table("The words most often wrong", ["said", "mostly written as", "wrong"], rows, numbers_from=2)


def _cut(text: str) -> str:
    return text if len(text) <= MISTAKE_LENGTH else text[:MISTAKE_LENGTH].rstrip() + " …"


def html_table(table: Table, *, titled: bool = False) -> str:
    """The table as HTML, every cell escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="fa-number">{escape(cell)}</td>' if index >= table.numbers_from else f"<td>{escape(cell)}</td>"
            for index, cell in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    heading = f"<thead><tr>{head}</tr></thead>" if any(table.head) else ""
    note = f'<p class="fa-note">{escape(table.note)}</p>' if table.note else ""
    title = f"<h4>{escape(table.title)}</h4>" if titled else ""
    drawn = f'<div class="fa-scroll"><table class="fa-table">{heading}<tbody>{body}</tbody></table></div>'
    return f"<section>{title}{drawn}{note}</section>"


def report_page(
    result: Result,
    plan: Plan | None = None,
    *,
    title: str = "",
    with_rows: bool = False,
    pictures: Mapping[str, str] | None = None,
) -> str:
    """The report as one HTML file that needs nothing else: no script, no address, no font from anywhere."""
    name = escape(title or "Report of a fine-tuning run")
    body = report_html(result, plan, with_rows=with_rows, opened=True, pictures=pictures)
    policy = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        f"<style>{style.PAGE}{style.CARDS}</style></head>"
        f'<body class="fa-page"><main><h1>{name}</h1><article class="fa-card fa-report">{body}</article></main></body>'
        "</html>"
    )


# ---------------------------------------------------------------- Markdown


def report_markdown(result: Result, plan: Plan | None = None, *, with_rows: bool = False) -> str:
    """The report as Markdown, for a terminal or a file."""
    verdict = result.verdict
    lines = [f"# {words.VERDICTS[verdict.code]}", "", f"**{_plain(verdict.text)}**", ""]
    sentence = difference(result)
    lines += [_plain(sentence), ""] if sentence else []
    texts = [warning.get("text", "") for warning in result.warnings or []]
    lines += [f"- {_plain(text)}" for text in [*texts, *(result.notes or [])] if text]
    tables = [comparison(result), _matrix_table(result), per_class(result)]
    tables += [candidates(result), cost(result), settings(result, plan)]
    for table in tables:
        lines += markdown_table(table) if table is not None and table.rows else []
    if with_rows and result.written:
        lines += ["", "## Five prompts, before and after", ""]
        lines += [
            f"- {_plain(_cut(one.prompt))}\n  - before: {_plain(_cut(one.before))}\n  - after: "
            f"{_plain(_cut(one.after))}\n  - expected: {_plain(_cut(one.expected))}"
            for one in result.written
        ]
    if with_rows and result.mistakes:
        lines += ["", "## The surest mistakes", ""]
        lines += [
            f"- row {mistake.row:,}: said **{_plain(mistake.predicted)}**, really **{_plain(mistake.expected)}**: "
            f"{_plain(_cut(mistake.input))}"
            for mistake in result.mistakes[:MAX_MISTAKES]
        ]
    return "\n".join(lines).rstrip() + "\n"


def _matrix_table(result: Result) -> Table | None:
    if not result.confusion or not result.labels or len(result.labels) > plots.MAX_MATRIX:
        return None
    rows = [
        [label, *(f"{number:,}" for number in row)] for label, row in zip(result.labels, result.confusion, strict=False)
    ]
    return Table("Which classes are mixed up", ["really \\ predicted", *result.labels], rows)


def markdown_table(table: Table) -> list[str]:
    """The table as lines of Markdown, an empty line first."""
    lines = ["", f"## {table.title}", ""]
    lines.append("| " + " | ".join(_plain(name) or " " for name in table.head) + " |")
    lines.append(
        "|" + "|".join("---" if index < table.numbers_from else "---:" for index in range(len(table.head))) + "|"
    )
    lines += ["| " + " | ".join(_plain(cell) or " " for cell in row) + " |" for row in table.rows]
    return [*lines, "", table.note] if table.note else lines


def _plain(text: str) -> str:
    """Text that stays text inside Markdown: no new line, no cell border, no tag, no emphasis."""
    flat = " ".join(text.split())
    for sign in "\\`|*<>[]":
        flat = flat.replace(sign, "\\" + sign)
    return flat
