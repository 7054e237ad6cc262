"""Two or more finished runs side by side: the figures, what differs between their plans, and what that may mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from assistant.report import card, paired, words
from assistant.report.paired import Answers
from recipes.events import Result
from recipes.plan import Plan

#: Parts of a plan that say where it ran or what it is called, not how it learns.
NOT_COMPARED = ("reasons", "version", "data.source", "data.test_source", "output", "compute.expected_seconds")
#: Dotted plan path -> how a beginner may call it; for others the path's last part says it.
_NAMES = {
    "base_model": "Base model",
    "method": "What was trained",
    "data.name": "File",
    "data.columns": "Columns",
    "training.epochs": "Passes over the rows",
    "training.batch_size": "Rows per step",
    "training.max_length": "Tokens read of a text",
    "training.max_minutes": "Time limit in minutes",
    "training.early_stopping": "Looks without gain until it stops",
    "training.class_weights": "Rare classes",
    "evaluation.test_fraction": "Share of rows for the test",
    "evaluation.metric": "Judged by",
}


@dataclass(frozen=True)
class Finished:
    """One finished run under the name that people use ("run 2"), with its answers row by row where it kept them."""

    name: str
    result: Result
    plan: Plan | None = None
    answers: Answers | None = None


def comparison(runs: Sequence[Finished]) -> list[card.Table]:
    """Tables of the figures and of the settings that differ; the runs are columns."""
    head = ["", *(run.name for run in runs)]
    figures = [["Verdict", *(words.VERDICTS[run.result.verdict.code] for run in runs)]]
    metrics = list(dict.fromkeys(name for run in runs for name in run.result.metrics))
    for metric in metrics:
        cells = [run.result.metrics.get(metric) for run in runs]
        figures.append(
            [words.metric_name(metric), *("–" if cell is None else words.with_spread(cell, metric) for cell in cells)]
        )
    figures.append(["Test rows", *(f"{run.result.rows.get('test', 0):,}" for run in runs)])
    figures.append(["Time", *(words.duration(card.total_seconds(run.result)) for run in runs)])
    figures.append(["Peak memory", *(words.size(run.result.peak_bytes.get("measured")) for run in runs)])
    settings = [[_name(path), *map(_shown, values)] for path, values in differences(runs)]
    tables = [card.Table("Figures", head, figures, caution(runs))]
    return [*tables, card.Table("What was set differently", head, settings)] if settings else tables


def differences(runs: Sequence[Finished]) -> list[tuple[str, list[Any]]]:
    """Dotted plan paths whose values differ, with the value of each run."""
    flat = [_flat(run.plan) for run in runs]
    paths = dict.fromkeys(path for plan in flat for path in plan)
    found = [(path, [plan.get(path) for plan in flat]) for path in paths]
    return [(path, values) for path, values in found if any(value != values[0] for value in values)]


def caution(runs: Sequence[Finished]) -> str:
    """Why figures of these runs may not be compared; "" when they may."""
    if len({run.result.task for run in runs}) > 1:
        return "These runs do different tasks, so that their figures cannot be compared."
    if len({run.result.data_sha256 for run in runs}) > 1:
        return "These runs saw different data: a difference may come from the rows, not from the model."
    if len({(run.result.seed, run.result.rows.get("test")) for run in runs}) > 1:
        return "These runs were judged on different test rows: small differences may be chance."
    if all(run.answers is not None for run in runs):
        return "Same data and same test rows, compared row by row: that tells more than whether the intervals overlap."
    return "Same data and same test rows. Intervals that overlap widely mean that the difference could be chance."


def verdict(runs: Sequence[Finished]) -> str:
    """Which of two runs is better, by a paired test on the same test rows; or why that cannot be said.

    More than two runs: each later one against the best by the main metric.
    """
    refusal = _refusal(runs)
    if refusal:
        return refusal
    leader = best(runs) or runs[0]
    sentences = []
    for other in runs:
        if other is leader or leader.answers is None or other.answers is None:
            continue
        first, second = (other, leader) if len(runs) > 2 or runs.index(other) < runs.index(leader) else (leader, other)
        if first.answers is None or second.answers is None:
            continue
        found = paired.compare(first.answers, second.answers, card.main_metric(leader.result))
        if found is not None:
            sentences.append(paired.sentence(first.name, second.name, found))
    return " ".join(sentences)


def _refusal(runs: Sequence[Finished]) -> str:
    """Why two runs cannot be compared row by row; "" when they can."""
    if len({run.result.task for run in runs}) > 1:
        return "I cannot say which is better: these runs do different tasks."
    if len({card.main_metric(run.result) for run in runs}) > 1:
        return "I cannot say which is better: these runs are judged by different figures."
    first = runs[0]
    for other in runs[1:]:
        if first.answers is None or other.answers is None:
            return ""  # a run of an earlier version kept no answers: `caution` says what may be said
        if paired.same_rows(first.answers, other.answers) is None:
            both = paired.shared(first.answers, other.answers)
            return (
                f"I cannot say which is better: {first.name} was judged on {len(first.answers.rows):,} test rows and "
                f"{other.name} on {len(other.answers.rows):,}, of which {f'only {both:,}' if both else 'none'} are the "
                "same. Start both with the same file and the same share of test rows, or bring one test file for both."
            )
    return ""


def best(runs: Sequence[Finished]) -> Finished | None:
    """The run with the best main metric; None when they are not judged by the same one."""
    metrics = {card.main_metric(run.result) for run in runs}
    if len(metrics) != 1 or not (metric := metrics.pop()):
        return None
    sign = -1 if metric in words.ERRORS else 1
    return max(runs, key=lambda run: sign * run.result.metrics[metric].value)


def comparison_html(runs: Sequence[Finished]) -> str:
    """The comparison as a fragment of HTML."""
    said = verdict(runs)
    head = f'<p class="fa-verdict">{escape(said)}</p>' if said else ""
    return head + "".join(card.html_table(table, titled=True) for table in comparison(runs))


def comparison_markdown(runs: Sequence[Finished]) -> str:
    """The comparison for a terminal."""
    tables = "\n".join(line for table in comparison(runs) for line in card.markdown_table(table)).strip()
    said = verdict(runs)
    return (f"**{said}**\n\n" if said else "") + tables + "\n"


def _flat(plan: Plan | None) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(tree: dict[str, Any], prefix: str) -> None:
        for name, value in tree.items():
            path = f"{prefix}{name}"
            if path in NOT_COMPARED:
                continue
            if path == "method":  # its layers or rank stand with its name
                found[path] = words.method_name(value) if value.get("name") else None
                continue
            if isinstance(value, dict) and path != "data.columns":
                walk(value, path + ".")
            else:
                found[path] = value

    if plan is not None:
        walk(plan.model_dump(mode="json"), "")
    return found


def _name(path: str) -> str:
    return _NAMES.get(path, path.rpartition(".")[2].replace("_", " ").capitalize())


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return words.plain(value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(inner)}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
