"""Typed values -> what the page shows: one block of HTML a message. Pure; every value from outside is escaped here.

    view(messages, runs) -> [Block(role, html)]

Buttons are plain `<button data-say="…">`: a click says that sentence, so that whatever can be clicked can also be said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal, Protocol

from markdown_it import MarkdownIt

from assistant.chat import data_replies
from assistant.chat.nearest import is_one
from assistant.chat.turns import Option, Reply
from assistant.report import card as report_card
from assistant.report import plots, words
from assistant.report.run import RunView
from assistant.ui import nearest
from recipes.events import Result
from recipes.plan import Plan

#: Raw HTML stays text, pictures are never fetched, `javascript:` links are refused by the parser.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
MAX_TEXT = 20_000
#: Where an export lies: .../runs/<run>/exports/<format>/...
_EXPORTED = re.compile(r"/([0-9]{8}-[0-9]{6}-[0-9a-f]{6})/exports/([a-z0-9_]{1,20})/")
MAX_FINDINGS = 8
KINDS = 8  # colours of marked parts in a text; more kinds share them, and each carries its name
MAX_LABELS = 12
MAX_COLUMNS = 16

Role = Literal["user", "assistant"]


class Message(Protocol):
    """A stored message: what a person typed, with the names of its files, or what the assistant replied."""

    @property
    def id(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def files(self) -> Sequence[str]: ...
    @property
    def reply(self) -> Reply | None: ...


@dataclass(frozen=True)
class Block:
    """One message as the page draws it."""

    role: Role
    html: str


@dataclass(frozen=True)
class RunShown:
    """All that the cards of one run are drawn from.

    Attributes:
        links: name -> address of a download. pictures: path, as in the result -> data: address.
    """

    id: str
    number: int
    view: RunView
    result: Result | None = None
    plan: Plan | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """A card of the welcome: one click sends `say` with the example's file."""

    name: str
    title: str
    text: str


# ---------------------------------------------------------------- the conversation


def view(messages: Sequence[Message], runs: Mapping[str, RunShown], *, chat: str = "") -> list[Block]:
    """The conversation as blocks. Only the newest message has its buttons.

    Args:
        chat: the conversation's id, for the addresses of downloads.
    """
    last = messages[-1].id if messages else None
    data = next((message.id for message in reversed(messages) if message.reply and message.reply.card == "data"), None)
    return [
        block(message, runs, newest=message.id == last, chat=chat, mendable=message.id == data) for message in messages
    ]


def block(
    message: Message, runs: Mapping[str, RunShown], *, newest: bool = False, chat: str = "", mendable: bool = False
) -> Block:
    """One message; `mendable`: it shows the newest look at the data, so that its findings can be mended."""
    if message.reply is None:
        return Block("user" if message.role == "user" else "assistant", said(message.text, message.files))
    return Block("assistant", replied(message.reply, runs, newest=newest, chat=chat, mendable=mendable))


def said(text: str, files: Sequence[str] = ()) -> str:
    """What the person typed, letter by letter, and the names of the files that came with it."""
    chips = "".join(f'<span class="fa-file">{keep(name)}</span>' for name in files)
    words_typed = f'<div class="fa-said">{keep(text[:MAX_TEXT])}</div>' if text.strip() else ""
    return f'{words_typed}<div class="fa-chips">{chips}</div>' if chips else words_typed


def replied(
    reply: Reply, runs: Mapping[str, RunShown], *, newest: bool = False, chat: str = "", mendable: bool = False
) -> str:
    """A reply: its card where it can be drawn, else its text; then its buttons while it is the newest."""
    drawn = _card(reply, runs, chat, mendable=mendable)
    body = drawn or f'<div class="fa-text">{markdown(reply.text)}</div>'
    if drawn and reply.data.get("note"):
        body = f'<div class="fa-text fa-before">{markdown(str(reply.data["note"]))}</div>{body}'
    shown = reply.options if newest else []
    if reply.card == "run":
        shown = []  # the live card brings its own Stop
    if reply.card == "data" and drawn:  # each finding has its button beside it
        shown = [option for option in shown if f'data-say="{keep(option.say)}"' not in drawn]
    return body + buttons(shown)


def thinking() -> str:
    """The sign that an answer is being prepared."""
    return '<div class="fa-thinking" role="status" aria-label="Thinking"><i></i><i></i><i></i></div>'


def markdown(text: str) -> str:
    """Markdown of a reply as HTML; tags inside it stay text, links open in a tab of their own."""
    html = str(_MARKDOWN.render(text[:MAX_TEXT]))
    html = html.replace("<a href=", '<a target="_blank" rel="noopener noreferrer" href=')
    html = html.replace("<table>", '<div class="fa-scroll"><table class="fa-table">').replace(
        "</table>", "</table></div>"
    )
    return inert(html)


def keep(text: str) -> str:
    """Escaped text that no template engine on its way to the screen takes for its own."""
    return inert(escape(text))


def inert(html: str) -> str:
    """The page's HTML component is a template: braces and dollar signs become entities, which mean the same."""
    return html.replace("{", "&#123;").replace("}", "&#125;").replace("$", "&#36;").replace("`", "&#96;")


def buttons(options: Sequence[Option]) -> str:
    """The buttons below a reply; the first is the one that most people want."""
    if not options:
        return ""
    drawn = "".join(button(option, main=index == 0) for index, option in enumerate(options))
    return f'<div class="fa-buttons">{drawn}</div>'


def button(option: Option, *, main: bool = False, kind: str = "") -> str:
    """One button; a click says `option.say`."""
    style = kind or ("main" if main else "plain")
    return (
        f'<button type="button" class="fa-button fa-button-{style}" data-say="{keep(option.say)}">'
        f"{keep(option.label)}</button>"
    )


# ---------------------------------------------------------------- cards


def _card(reply: Reply, runs: Mapping[str, RunShown], chat: str, *, mendable: bool = False) -> str:
    """The card's HTML, or "" when this reply has none or its data do not hold what the card needs."""
    if reply.card in ("run", "report"):
        run = runs.get(str(reply.data.get("run", "")))
        if run is None:
            return ""
        return live_card(run, reply) if reply.card == "run" else report(run, str(reply.data.get("next") or ""))
    if reply.card == "concept":
        return _article("concept", f'<div class="fa-text">{markdown(reply.text)}</div>', _picture(reply, runs))
    draw = _CARDS.get(reply.card or "")
    if draw is None and reply.card not in ("files", "data"):
        return ""
    try:
        if draw is None:
            return data_card(reply, chat, mendable=mendable) if reply.card == "data" else files_card(reply, chat)
        return draw(reply)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""  # the text is whole by itself


def _article(kind: str, *parts: str) -> str:
    return f'<article class="fa-card fa-{kind}">{"".join(inert(part) for part in parts if part)}</article>'


def _picture(reply: Reply, runs: Mapping[str, RunShown]) -> str:
    """The drawing of the person's own run that belongs to a page; "" where there is none."""
    run = runs.get(str(reply.data.get("run", "")))
    return report_card.picture(run.result, str(reply.data.get("picture", ""))) if run and run.result else ""


def download_card(reply: Reply) -> str:
    """A model on its way here: how far it is, while `data["progress"]` tells (bytes done and in all)."""
    now = reply.data["progress"]
    done, total = float(now["done"]), float(now["total"])
    much = f"{now['text']}: {done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{now['text']} …"
    share = f"{100 * min(1.0, done / total):.0f}" if total else ""
    bar = (
        f'<div class="fa-progress" role="progressbar" aria-valuenow="{share}" aria-valuemin="0" aria-valuemax="100">'
        f'<i style="width:{share}%"></i></div>'
        if share
        else '<div class="fa-progress fa-busy"><i></i></div>'
    )
    return _article("download", f"<p>{escape(reply.text)}</p>", bar, f'<p class="fa-sub">{escape(much)}</p>')


def data_card(reply: Reply, chat: str = "", *, mendable: bool = False) -> str:
    """What the file holds: size, columns with the roles found, the labels with their counts, a sample, the findings.

    After a mending (`data["brief"]`) columns and sample are left out: they stand further up.

    Args:
        chat: the conversation's id: with it, the first recordings of an archive can be heard.
        mendable: each finding that can be mended has its button.
    """
    file = reply.data.get("file", reply.data)
    profile, guesses = file["profile"], file.get("guesses") or []
    roles = _roles(guesses[0]["columns"] if guesses else {})
    columns: list[dict[str, Any]] = profile["columns"]
    header = (
        f"<header><h3>{escape(str(file.get('name') or profile['name']))}</h3>"
        f'<p class="fa-sub">{_many(profile["rows"], "row")}, {_many(len(columns), "column")}</p></header>'
    )
    label = next((column for column in columns if roles.get(column["name"]) == "label"), None)
    counted = _label_counts(label)
    named = f'<ul class="fa-columns">{"".join(_column(column, roles) for column in columns[:MAX_COLUMNS])}</ul>'
    sample = _sample(profile.get("sample") or [], [column["name"] for column in columns], _addresses(file, chat))
    brief = bool(reply.data.get("brief"))
    return _article(
        "data",
        header,
        "" if brief else named,
        f"<section><h4>Labels in “{escape(str(label['name']))}”</h4>{counted}</section>" if label and counted else "",
        "" if brief else sample,
        _findings(file.get("findings") or [], mendable=mendable),
    )


def _roles(columns: Mapping[str, Any]) -> dict[str, str]:
    """Column -> role, from role -> column or columns."""
    found: dict[str, str] = {}
    for role, names in columns.items():
        for name in [names] if isinstance(names, str) else list(names):
            found[str(name)] = role
    return found


def _many(number: float, noun: str) -> str:
    return f"{number:,.0f} {noun}" + ("" if number == 1 else "s")


def _column(column: Mapping[str, Any], roles: Mapping[str, str]) -> str:
    role = roles.get(str(column["name"]))
    missing = int(column.get("missing") or 0)
    about = [str(column.get("kind", "")), f"used as {role}" if role else "", f"{missing:,} missing" if missing else ""]
    return (
        f'<li class="{"fa-used" if role else "fa-unused"}"><b>{escape(str(column["name"]))}</b> '
        f"<span>{escape(', '.join(part for part in about if part))}</span></li>"
    )


def _label_counts(column: Mapping[str, Any] | None) -> str:
    counted = (column or {}).get("label_counts") or {}
    pairs = list(counted.items()) if isinstance(counted, Mapping) else [(name, number) for name, number in counted]
    rows = [(str(name), float(number)) for name, number in pairs]
    if not rows:
        return ""
    more = f'<p class="fa-note">and {_many(len(rows) - MAX_LABELS, "more label")}</p>' if len(rows) > MAX_LABELS else ""
    return plots.counts(rows[:MAX_LABELS], sum(number for _, number in rows)) + more


def _addresses(file: Mapping[str, Any], chat: str) -> list[str]:
    """Where the page gets the recordings of the sample's rows; empty where there are none to be heard."""
    profile, upload = file["profile"], str(file.get("id") or "")
    if profile.get("format") != "zip-audio" or not chat or not upload.isalnum():
        return []
    return [f"sound/{upload}/{row}?chat={chat}" for row in range(len(profile.get("sample") or []))]


def _sample(rows: Sequence[Mapping[str, Any]], names: Sequence[str], sounds: Sequence[str] = ()) -> str:
    """The first rows as a table; `sounds` are the addresses of their recordings."""
    if not rows:
        return ""
    shown = [str(name) for name in names[:6]]
    head = "".join(f"<th>{escape(name)}</th>" for name in shown)
    players = [f'<audio controls preload="none" src="{escape(address)}"></audio>' for address in sounds]
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{players[row] if name == 'audio' and players else ''}<div>{escape(_cell(cells.get(name)))}</div></td>"
            for name in shown
        )
        + "</tr>"
        for row, cells in enumerate(rows[:4])
    )
    return (
        f'<section><h4>The first rows</h4><div class="fa-scroll"><table class="fa-table fa-sample">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _cell(value: Any) -> str:
    text = "–" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 160 else text[:160].rstrip() + " …"


def _findings(findings: Sequence[Mapping[str, Any]], *, mendable: bool = False) -> str:
    if not findings:
        return '<p class="fa-fine">Nothing wrong was found in the rows.</p>'
    lines = [
        f'<li class="fa-finding-{escape(str(finding["severity"]))}">{escape(str(finding["text"]))}'
        f"{_fix(finding, mendable=mendable)}</li>"
        for finding in findings
    ]
    rest = "".join(lines[MAX_FINDINGS:])
    more = (
        f'<details class="fa-fold" data-key="findings"><summary>{_many(len(lines) - MAX_FINDINGS, "more finding")}'
        f'</summary><div class="fa-fold-body"><ul class="fa-findings">{rest}</ul></div></details>'
    )
    every = data_replies.fix_all_option(findings) if mendable else []
    return (
        f'<section><h4>What the check found</h4><ul class="fa-findings">{"".join(lines[:MAX_FINDINGS])}</ul>'
        f"{more if rest else ''}{''.join(button(option) for option in every)}</section>"
    )


def _fix(finding: Mapping[str, Any], *, mendable: bool) -> str:
    told = f' <span class="fa-note">{escape(str(finding["fix"]))}</span>' if finding.get("fix") else ""
    if not mendable or not finding.get("fixable"):
        return told
    ways = data_replies.fix_options(finding)
    first = ways[0].model_copy(update={"label": ways[0].label if len(ways) > 1 or finding.get("change") else "Fix"})
    return told + "".join(f" {button(way, kind='small')}" for way in [first, *ways[1:]])


# ---------------------------------------------------------------- the plan

#: Dotted plan path -> heading; the first ones are always shown, the rest folds away.
CHOICES = {
    "base_model": "Base model",
    "method.name": "What is trained",
    "training.epochs": "Passes over the rows",
    "evaluation.test_fraction": "Held out for the verdict",
    "evaluation.metric": "Judged by",
    "training.learning_rate": "Learning rate",
    "training.batch_size": "Rows per step",
    "training.max_length": "Tokens read of a text",
    "training.max_minutes": "Time limit",
    "training.early_stopping": "Stops early",
    "training.class_weights": "Rare classes",
    "training.warmup": "Warm-up",
    "training.weight_decay": "Weight decay",
    "training.layer_decay": "Layer decay",
    "training.augmentation": "Varies the rows",
    "evaluation.validation_fraction": "Rows that steer it",
    "evaluation.baselines": "Must beat",
    "compute.target": "Runs on",
    "compute.devices": "Devices",
    "compute.precision": "Precision",
    "output.publish": "Published to",
}
ALWAYS_SHOWN = 3


def plan_card(reply: Reply) -> str:
    """Each choice with its value and its reason, the cost to expect, and how to change it."""
    plan = Plan.model_validate(reply.data["plan"])
    rows = [row for row in (_choice(path, title, plan) for path, title in CHOICES.items()) if row]
    more = "".join(rows[ALWAYS_SHOWN:])
    advice = "".join(f"<li>{escape(str(text))}</li>" for text in reply.data.get("advice") or [])
    return _article(
        "plan",
        f'<header><h3>{escape(_plan_title(plan))}</h3><p class="fa-sub">{escape(_plan_subtitle(plan))}</p></header>',
        f'<ul class="fa-notices">{advice}</ul>' if advice else "",
        _estimate(reply.data.get("estimate") or {}),
        f'<dl class="fa-choices">{"".join(rows[:ALWAYS_SHOWN])}</dl>',
        f'<details class="fa-fold" data-key="plan-more"><summary>All settings and their reasons</summary>'
        f'<dl class="fa-choices fa-fold-body">{more}</dl></details>'
        if more
        else "",
        '<p class="fa-note">Change it by saying so (“5 epochs”, “use LoRA”), or in the settings below.</p>',
    )


def _plan_title(plan: Plan) -> str:
    one = {"image-classification": "picture", "audio-classification": "recording"}.get(plan.task or "", "text")
    what = {
        "single_label_classification": f"sort {one}s into classes",
        "multi_label_classification": f"give {one}s their labels",
        "regression": f"predict a number from a {one}",
    }
    return "Plan: " + what.get(plan.problem or "", (plan.task or "fine-tune a model").replace("-", " "))


def _plan_subtitle(plan: Plan) -> str:
    read = next((" + ".join(plan.column(role)) for role in ("text", "image", "audio") if plan.column(role)), "")
    label = " + ".join(plan.column("label"))
    columns = f"reads “{read}”, learns “{label}”" if read and label else ""
    source = plan.data.name or plan.data.source or ""
    test = plan.data.test_name or plan.data.test_source or ""
    parts = (f"from {source}" if source else "", f"tested on {test}" if test else "", columns)
    return ", ".join(part for part in parts if part)


def _choice(path: str, title: str, plan: Plan) -> str:
    value = _value(path, plan)
    if not value:
        return ""
    reason = plan.reasons.get(path, "")
    return (
        f"<div><dt>{escape(title)}</dt><dd><b>{escape(value)}</b>"
        f"{f'<span>{escape(reason)}</span>' if reason else ''}</dd></div>"
    )


def _value(path: str, plan: Plan) -> str:
    """The choice in words; "" when the plan leaves it open."""
    value: Any = plan
    for name in path.split("."):
        value = getattr(value, name)
    if value is None or value == () or (path == "compute.target" and value == "local"):
        return ""
    if path == "method.name":
        return words.method_name(plan.method.model_dump())
    if path in ("evaluation.test_fraction", "evaluation.validation_fraction"):
        return f"{100 * value:.0f} % of the rows"
    if path == "training.max_minutes":
        return f"{value:g} minutes"
    if path == "training.early_stopping":
        return f"after {_many(value, 'evaluation')} without gain"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if path == "evaluation.metric":
        return words.metric_name(value)
    if path == "evaluation.baselines":
        return ", ".join(words.baseline_name(name).lower() for name in value)
    return words.plain(value) if isinstance(value, float) else str(value).replace("hf_jobs", "Hugging Face Jobs")


def _estimate(estimate: Mapping[str, Any]) -> str:
    facts = [
        ("expected time", _range(estimate.get("seconds_low"), estimate.get("seconds_high"), words.rough)),
        ("expected memory", _range(estimate.get("peak_bytes_low"), estimate.get("peak_bytes_high"), words.size)),
        ("rented", _range(estimate.get("dollars_low"), estimate.get("dollars_high") or None, _dollars)),
        ("on disk", words.size(estimate["disk_bytes"]) if estimate.get("disk_bytes") else ""),
    ]
    shown = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts if value)
    note = f'<p class="fa-note">{escape(str(estimate["note"]))}</p>' if estimate.get("note") else ""
    return (f'<dl class="fa-facts">{shown}</dl>' if shown else "") + note


def _dollars(amount: float | None) -> str:
    return f"${amount or 0:.2f}"


def _range(low: float | None, high: float | None, write: Callable[[float | None], str]) -> str:
    if low is None or high is None:
        return ""
    first, last = write(low), write(high)
    return first if first == last else f"{first} to {last}"


# ---------------------------------------------------------------- runs

STATUS = {
    "queued": "Waiting",
    "running": "Running",
    "finished": "Finished",
    "failed": "Failed",
    "cancelled": "Stopped",
    "interrupted": "Interrupted",
}


def live_card(run: RunShown, reply: Reply) -> str:
    """Where the run is, how long still, its curves, and Stop; after the end, one line and the curves folded away."""
    view = run.view
    name = f"Run {run.number}" if run.number else "The run"
    tag = f'<span class="fa-tag fa-tag-{escape(view.status)}">{STATUS[view.status]}</span>'
    head = f'<header class="fa-run-head"><h3>{name}</h3>{tag}</header>'
    if not view.live:
        folds = _folded_curves(view, run.id) + reads(view, run.id)
        return _article("run fa-run-over", head, _ended(view), folds)  # why it failed is the next message
    stop = [option for option in reply.options if "stop" in option.say.lower()]
    option = stop[0] if stop else Option(label="Stop", say=f"stop run {run.number}" if run.number else "stop")
    return _article(
        "run",
        head,
        f'<div aria-live="off">{_progress(view)}{plots.curves(view.curves)}</div>',
        _stretches(view),
        reads(view, run.id),
        _warnings(view),
        f'<div class="fa-buttons">{button(option, kind="quiet")}<span class="fa-note">The best state so far is kept.'
        f"</span></div>",
    )


def _progress(view: RunView) -> str:
    if view.status == "queued":
        return '<p class="fa-sub">Waiting for its turn: one run at a time.</p><div class="fa-progress"><i></i></div>'
    phase = view.phase_text or words.phase_name(view.phase or "starting")
    fraction = view.fraction
    left = words.remaining(view.eta_seconds)
    done = f"step {view.step:,} of {view.total_steps:,}" if view.total_steps else ""
    facts = ", ".join(part for part in (done, left, f"{words.duration(view.seconds)} so far") if part)
    bar = (
        '<div class="fa-progress fa-busy"><i></i></div>'
        if fraction is None
        else f'<div class="fa-progress" role="progressbar" aria-valuenow="{100 * fraction:.0f}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-label="{escape(phase)}"><i style="width:{100 * fraction:.1f}%"></i></div>'
    )
    return f'<p class="fa-phase">{escape(phase)}</p>{bar}<p class="fa-sub">{escape(facts)}</p>'


def _stretches(view: RunView) -> str:
    done = [stretch for stretch in view.stretches if stretch.seconds is not None]
    if not done:
        return ""
    parts = "".join(
        f"<li>{escape(words.phase_name(stretch.name))} <span>{words.duration(stretch.seconds)}</span></li>"
        for stretch in done[-8:]
    )
    return f'<ul class="fa-stretches" aria-label="Done so far">{parts}</ul>'


def _warnings(view: RunView) -> str:
    rows = "".join(f"<li>{escape(notice.text)}</li>" for notice in view.warnings[-5:])
    return f'<ul class="fa-notices">{rows}</ul>' if rows else ""


def _ended(view: RunView) -> str:
    time = words.duration(view.seconds)
    text = {
        "finished": f"Done in {time}.",
        "failed": f"Failed after {time}.",
        "cancelled": f"Stopped after {time}. "
        + ("The best state so far is kept; say “resume” to go on." if view.model_kept else "Say “resume” to go on."),
        "interrupted": f"Interrupted after {time}. Say “resume” to go on from the last checkpoint.",
    }
    return f'<p class="fa-sub">{escape(text.get(view.status, ""))}</p>' + _warnings(view)


def reads(view: RunView, key: str) -> str:
    """One training row as a language model reads it, with what it learns marked; "" for other models."""
    if not view.reads:
        return ""
    parts = "".join(f"<mark>{escape(part.text)}</mark>" if part.learned else escape(part.text) for part in view.reads)
    return (
        f'<details class="fa-fold" data-key="reads-{escape(key)}"><summary>What the model reads</summary>'
        f'<div class="fa-fold-body"><p class="fa-note">One of your rows as the model reads it; the coloured part is '
        f'what it learns.</p><pre class="fa-reads">{parts}</pre></div></details>'
    )


def _folded_curves(view: RunView, key: str) -> str:
    drawn = plots.curves(view.curves)
    if not drawn:
        return ""
    return (
        f'<details class="fa-fold" data-key="curves-{escape(key)}"><summary>How it learned</summary>'
        f'<div class="fa-fold-body">{drawn}</div></details>'
    )


def report(run: RunShown, after: str = "") -> str:
    """The report of a finished run with its downloads; "" without a result.

    Args:
        after: what to try next, as Markdown.
    """
    if run.result is None:
        return ""
    links = "".join(
        f'<a class="fa-button fa-button-plain" href="{escape(address)}" download>{escape(name)}</a>'
        for name, address in run.links.items()
    )
    return _article(
        "report",
        report_card.report_html(run.result, run.plan, with_rows=True, pictures=run.pictures),
        f'<div class="fa-text">{markdown(after)}</div>' if after else "",
        f'<div class="fa-buttons fa-downloads">{links}</div>' if links else "",
    )


# ---------------------------------------------------------------- the other cards


_JPEG = "data:image/jpeg;base64,"


def prediction_card(reply: Reply) -> str:
    """What the model says to a text: the answer large, each class with its probability."""
    predictions = reply.data.get("predictions") or [reply.data]
    return "".join(_prediction(prediction) for prediction in predictions[:20])


def _prediction(prediction: Mapping[str, Any]) -> str:
    answer = prediction["prediction"]
    if is_one(prediction):
        return _article("prediction", nearest.drawn(prediction))
    if "untuned" in prediction:
        return _written(prediction)
    if "question" in prediction:
        return _pointed(prediction)
    if isinstance(answer, list) and not prediction.get("scores"):
        return _article("prediction", marked(str(prediction.get("input") or ""), answer))
    scores = {str(name): float(value) for name, value in (prediction.get("scores") or {}).items()}
    if isinstance(answer, list):
        shown = ", ".join(map(str, answer)) or "no label"
        chosen: str | list[str] = [str(name) for name in answer]
    else:
        shown = f"{answer:.4g}" if isinstance(answer, float) else str(answer)
        chosen = shown
    given = prediction.get("input")
    text = given if isinstance(given, str) else _cell(" · ".join(map(str, given.values()))) if given else ""
    seen = str(prediction.get("picture") or "")
    looked_at = str(prediction.get("looked_at") or "")
    pictures = [(seen, ""), (looked_at, "In red: the parts that spoke for this answer.")]
    shown_picture = "".join(
        f'<figure><img src="{escape(address)}" alt=""><figcaption>{escape(told)}</figcaption></figure>'
        for address, told in pictures
        if address.startswith(_JPEG)
    )
    return _article(
        "prediction",
        f'<div class="fa-tried">{shown_picture}</div>' if shown_picture else "",
        f"<blockquote>{escape(_cell(text))}</blockquote>" if text else "",
        f'<p class="fa-answer">{escape(shown)}</p>',
        plots.probabilities(scores, chosen) if scores else "",
    )


def marked(text: str, entities: Sequence[Mapping[str, Any]]) -> str:
    """A text with its entities marked: each in the colour of its kind and with its name, so that nobody needs colours.

    Args:
        entities: `{"start", "end", "label", "score"}`, places in characters of the text.
    """
    kinds = list(dict.fromkeys(str(each["label"]) for each in entities))
    drawn, at = [], 0
    for each in sorted(entities, key=lambda one: int(one["start"])):
        start, end = max(at, int(each["start"])), min(len(text), int(each["end"]))
        if end <= start:
            continue
        kind, sure = str(each["label"]), f"{100 * float(each['score']):.0f} % sure"
        drawn.append(escape(text[at:start]))
        drawn.append(
            f'<mark class="fa-mark fa-kind-{kinds.index(kind) % KINDS}" title="{escape(sure)}">'
            f"{escape(text[start:end])}<small>{escape(kind)}</small></mark>"
        )
        at = end
    counts = Counter(str(each["label"]) for each in entities)
    legend = "".join(
        f'<li><span class="fa-mark fa-kind-{place % KINDS}">{escape(kind)}</span> {counts[kind]}</li>'
        for place, kind in enumerate(kinds)
    )
    if not entities:
        legend = "<li>Nothing to mark in this text.</li>"
    return (
        f'<p class="fa-marked">{"".join(drawn)}{escape(text[at:])}</p>'
        f'<ul class="fa-kinds" aria-label="Kinds that were found">{legend}</ul>'
    )


def _pointed(prediction: Mapping[str, Any]) -> str:
    """A question, its answer, and the text with the answer marked in it."""
    answer, sure = str(prediction["prediction"]), float(prediction.get("score") or 0)
    place = {"start": prediction.get("start"), "end": prediction.get("end")}
    marks = [{**place, "label": "answer", "score": sure}] if answer else []
    return _article(
        "prediction",
        f"<blockquote>{escape(_cell(prediction['question']))}</blockquote>",
        f'<p class="fa-answer">{escape(_cell(answer)) or "No answer in this text"}</p>',
        marked(str(prediction.get("input") or ""), marks),
    )


def _written(prediction: Mapping[str, Any]) -> str:
    """What a tuned language model writes, beside what it wrote before the tuning."""
    sides = [("The tuned model", prediction["prediction"]), ("Before the tuning", prediction["untuned"])]
    shown = "".join(
        f'<section><h4>{name}</h4><p class="fa-written">{escape(str(said)) or "–"}</p></section>'
        for name, said in sides
        if said is not None
    )
    asked = f"<blockquote>{escape(str(prediction.get('input') or ''))}</blockquote>"
    return _article("prediction", asked, f'<div class="fa-sides">{shown}</div>')


def files_card(reply: Reply, chat: str = "") -> str:
    """Exported files by name and size, and one button that brings them all."""
    files = reply.data["files"]
    rows = "".join(
        f"<tr><td>{escape(str(file['name']))}</td><td>{words.size(file.get('bytes'))}</td></tr>" for file in files[:50]
    )
    place = _EXPORTED.search(str(files[0].get("path", "")).replace("\\", "/")) if files else None
    address = f"download/{place[1]}/export-{place[2]}.zip?chat={chat}" if place else ""
    link = (
        f'<a class="fa-button fa-button-main" href="{escape(address)}" download>Download (zip)</a>' if address else ""
    )
    return _article(
        "files",
        "<header><h3>The model as files</h3></header>",
        f'<div class="fa-scroll"><table class="fa-table"><tbody>{rows}</tbody></table></div>',
        f'<div class="fa-buttons">{link}</div>' if link else f'<div class="fa-text">{markdown(reply.text)}</div>',
    )


def error_card(reply: Reply) -> str:
    """What went wrong, what would have been right, what to do."""
    data = reply.data.get("problem", reply.data)
    way_out = str(data.get("nearest") or "")
    return _article(
        "error",
        _error_body(str(data["what"]), str(data.get("expected") or ""), str(data.get("fix") or "")),
        f'<div class="fa-text">{markdown(way_out)}</div>' if way_out else "",
    )


def _error_body(what: str, expected: str, fix: str) -> str:
    parts = f"<p><b>{escape(what)}</b></p>" + (f"<p>{escape(expected)}</p>" if expected else "")
    return f'<div class="fa-problem">{parts}{f"<p>{escape(fix)}</p>" if fix else ""}</div>'


def text_card(kind: str) -> Callable[[Reply], str]:
    """A card that frames the reply's own text."""

    def draw(reply: Reply) -> str:
        return _article(kind, f'<div class="fa-text">{markdown(reply.text)}</div>')

    return draw


_CARDS: dict[str, Callable[[Reply], str]] = {
    "download": download_card,
    "plan": plan_card,
    "prediction": prediction_card,
    "error": error_card,
    "comparison": text_card("comparison"),
    "runs": text_card("runs"),
}


# ---------------------------------------------------------------- the welcome


def welcome(examples: Sequence[Example], *, demo: bool = False, reader: bool = False) -> str:
    """What the assistant does, in three lines, and examples to click.

    Args:
        reader: a second reader is on; what it is sent is told below the box.
    """
    cards = "".join(
        f'<button type="button" class="fa-example" data-example="{keep(example.name)}"><b>{keep(example.title)}</b>'
        f"<span>{keep(example.text)}</span></button>"
        for example in examples
    )
    if demo:
        note = (
            "This is a public demo: small files, short runs, nothing is kept for long. Do not upload anything private."
        )
    elif reader:
        note = "Your files stay on this machine. No account needed. What a second reader is sent stands below the box."
    else:
        note = "Everything stays on this machine. No account, no key, no network needed."
    return (
        '<div class="fa-welcome"><h1>What should the model learn?</h1>'
        "<p>Drop in a file of texts, pictures, recordings or chats with their labels or answers, and say in your own "
        "words what you want. I look at the data, propose a plan with a reason for every choice, train when you say "
        "yes, and tell you honestly how good the model is, on rows it never saw, against the simple ways.</p>"
        f'<div class="fa-examples">{cards}</div><p class="fa-note">{note}</p></div>'
    )
