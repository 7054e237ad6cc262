"""What the page draws: each card from its data, every foreign text as text, buttons only where they mean something."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.chat.turns import Option, Reply
from assistant.report.run import Failure, Notice, RunView, Stretch
from assistant.ui import render
from recipes.plan import Data, Evaluation, Method, Plan, Training

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{value}}${1+1}`x`'
PLAN = Plan(
    task="text-classification", problem="single_label_classification", base_model="some/encoder",
    method=Method(name="lora", rank=8), evaluation=Evaluation(metric="accuracy", test_fraction=0.2),
    data=Data(name="mails.csv", columns={"text": ["subject", "body"], "label": "kind"}),
    training=Training(epochs=7, learning_rate=0.00003, max_minutes=15),
    reasons={"training.epochs": "Because of 70 rows."},
)  # fmt: skip


@dataclass
class Stored:
    """A stored message."""

    id: int
    role: str
    text: str = ""
    files: list[str] = field(default_factory=list)
    reply: Reply | None = None


class Markup(HTMLParser):
    """What a browser would take for markup, and the text that is left."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def draw(reply: Reply, runs: dict[str, render.RunShown] | None = None, *, newest: bool = True) -> str:
    return render.replied(reply, runs or {}, newest=newest)


def column(name: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "missing": 0, "unique": 3, "label_counts": {}, **more}


def file_card(**changes: Any) -> dict[str, Any]:
    return {
        "id": "f", "name": "mails.csv",
        "profile": {
            "name": "mails.csv", "format": "csv", "rows": 1234,
            "columns": [column("body", missing=3), column("kind", "category", label_counts={"ham": 900, "spam": 334})],
            "sample": [{"body": "hello there", "kind": "ham"}],
        },
        "guesses": [{"columns": {"text": "body", "label": "kind"}}],
        "findings": [{"code": "x", "severity": "warning", "text": "14 copies.", "fix": "Drop them."}], **changes,
    }  # fmt: skip


# ---------------------------------------------------------------- the conversation


def test_the_welcome_offers_its_examples() -> None:
    examples = [render.Example("spam", "Sort spam", "300 e-mails"), render.Example(HOSTILE, HOSTILE, HOSTILE)]
    found = Markup(render.welcome(examples))
    assert ("data-example", "spam") in found.attributes and "Sort spam" in found.text
    assert {"script", "img"}.isdisjoint(found.tags) and found.tags.count("button") == 2
    assert "Everything stays on this machine" not in render.welcome([], reader=True)
    assert "public demo" in render.welcome([], demo=True) and render.view([], {}) == []


def test_only_the_newest_message_keeps_its_buttons() -> None:
    option = Option(label="Start", say="start")
    messages = [Stored(1, "assistant", reply=Reply(text="one", options=[option])), Stored(2, "user", "no")]
    messages.append(Stored(3, "assistant", reply=Reply(text="two", options=[option])))
    drawn = [block.html for block in render.view(messages, {})]
    assert ["data-say" in html for html in drawn] == [False, False, True]
    assert [block.role for block in render.view(messages, {})] == ["assistant", "user", "assistant"]


def test_what_was_typed_is_shown_letter_by_letter_with_its_files() -> None:
    drawn = render.block(Stored(1, "user", HOSTILE, [HOSTILE]), {}).html
    found = Markup(drawn)
    assert set(found.tags) == {"div", "span"} and found.text == HOSTILE * 2


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_typed_text_stays_itself(text: str) -> None:
    found = Markup(render.said(text))
    assert set(found.tags) <= {"div"}
    assert found.text == (text if text.strip() else "") or "\r" in text or "\0" in text


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet=st.sampled_from("<>&\"'`*_[]()!#|{}$ \n\\abc:/=;"), max_size=120))
def test_any_reply_text_has_only_the_tags_of_markdown(text: str) -> None:
    found = Markup(render.markdown(text))
    plain = {"p", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br", "a", "table", "thead"}
    assert set(found.tags) <= plain | {"tbody", "tr", "th", "td", "div", "h1", "h2", "h3", "h4", "h5", "h6", "s"}
    assert {name for name, _ in found.attributes} <= {"href", "title", "target", "rel", "class", "start", "style"}


def test_markdown_of_a_reply() -> None:
    drawn = render.markdown("**Bold** `x`\n\n| a | b |\n|---|---|\n| 1 | <b>2</b> |\n\n[site](https://example.org)")
    assert "<strong>Bold</strong>" in drawn and "<code>x</code>" in drawn and '<table class="fa-table">' in drawn
    assert "&lt;b&gt;2&lt;/b&gt;" in drawn and 'rel="noopener noreferrer" href="https://example.org"' in drawn


@pytest.mark.parametrize("text", ["[x](javascript:alert(1))", "![x](http://tracker/pixel.png)", "<script>x</script>"])
def test_markdown_runs_and_fetches_nothing(text: str) -> None:
    drawn = render.markdown(text)
    assert "<img" not in drawn and "<script" not in drawn and 'href="javascript' not in drawn


def test_no_template_engine_finds_anything_to_fill_in() -> None:
    drawn = draw(Reply(text="{{value}} ${1+1}", options=[Option(label="{{a}}", say="${b}")]))
    assert not re.search(r"\{\{|\$\{", drawn)
    assert html.unescape(drawn).count("{{") == 2


# ---------------------------------------------------------------- cards


def test_data_card() -> None:
    text = Markup(draw(Reply(text="", card="data", data=file_card()))).text
    for shown in ("mails.csv", "1,234 rows", "2 columns", "used as text", "3 missing", "used as label", "900", "73 %"):
        assert shown in text
    assert "14 copies." in text and "Drop them." in text and "hello there" in text
    nested = draw(Reply(text="", card="data", data={"file": file_card(findings=[])}))
    assert "Nothing wrong was found" in nested


def test_the_newest_look_at_the_data_has_a_button_for_each_finding() -> None:
    """All findings are drawn; only the newest card mends, and all at once where two things need no second thought."""
    one = {"severity": "warning", "text": "Found.", "fix": "Mend it.", "fixable": True}
    findings = [{**one, "code": code} for code in ("html", "duplicates")]
    findings += [{**one, "code": "too-few-rows", "fixable": False, "text": f"Also {n}."} for n in range(9)]
    reply = Reply(text="", card="data", data=file_card(findings=findings))
    drawn, older = render.replied(reply, {}, mendable=True), render.replied(reply, {})
    said = [value for name, value in Markup(drawn).attributes if name == "data-say"]
    assert said == ["fix the html", "fix the duplicates", "fix everything"]
    assert "Also 8." in Markup(drawn).text and "data-say" not in older
    brief = Markup(render.replied(Reply(text="", card="data", data={"file": file_card(), "brief": True}), {})).text
    assert "hello there" not in brief and "14 copies." in brief


def test_plan_card_shows_each_choice_with_its_reason() -> None:
    estimate = {
        "seconds_low": 100,
        "seconds_high": 300,
        "peak_bytes_low": 7e8,
        "peak_bytes_high": 9e8,
        "disk_bytes": 1e8,
    }
    data = {"plan": PLAN.model_dump(mode="json"), "estimate": estimate, "advice": ["Few rows."]}
    options = [Option(label="Start", say="start"), Option(label="Faster", say="make it faster")]
    drawn = draw(Reply(text="", card="plan", data=data, options=options))
    text = Markup(drawn).text
    for shown in (
        "some/encoder",
        "LoRA adapters (rank 8)",
        "Because of 70 rows.",
        "20 % of the rows",
        "15 minutes",
        "0.00003",
    ):
        assert shown in text
    for shown in ("2 min to 5 min", "700 MB to 900 MB", "Few rows.", "subject + body"):
        assert shown in text
    assert ("data-say", "make it faster") in Markup(drawn).attributes


def test_prediction_card_ranks_the_classes() -> None:
    data = {"predictions": [{"input": "hi", "prediction": "spam", "scores": {"ham": 0.083, "spam": 0.917}}]}
    drawn = draw(Reply(text="", card="prediction", data=data))
    assert drawn.index("91.7 %") < drawn.index("8.3 %") and 'class="fa-bar fa-bar-model"' in drawn
    number = draw(
        Reply(text="", card="prediction", data={"predictions": [{"input": {"a": "x"}, "prediction": 3.14159}]})
    )
    assert "3.142" in number
    many = draw(
        Reply(text="", card="prediction", data={"prediction": ["a", "b"], "scores": {"a": 0.9, "b": 0.8, "c": 0}})
    )
    assert many.count("fa-bar-model") == 2 and "a, b" in many


def test_an_answer_is_marked_in_its_text() -> None:
    """The question, the answer, and where it stands; or that the text holds none."""
    text = f"{HOSTILE} opens at nine."
    one = {"input": text, "question": HOSTILE, "prediction": "nine", "start": len(text) - 5, "end": len(text) - 1}
    drawn = draw(Reply(text="", card="prediction", data={"predictions": [one | {"score": 0.9}]}))
    assert ">nine<small>answer</small></mark>" in drawn and "90 % sure" in drawn
    assert HOSTILE not in drawn and drawn.count(render.keep(HOSTILE)) >= 2
    none = {"input": text, "question": "Who?", "prediction": "", "score": 0.7}
    assert "No answer in this text" in draw(Reply(text="", card="prediction", data={"predictions": [none]}))


def test_entities_are_marked_in_the_text_with_their_names() -> None:
    """Escaped, in order, each with its kind in words, so that colours are not needed; and a legend."""
    text = f"In {HOSTILE} we met Ann"
    end = 3 + len(HOSTILE)
    entities = [
        {"text": "Ann", "label": "PER", "start": len(text) - 3, "end": len(text), "score": 0.973},
        {"text": HOSTILE, "label": HOSTILE, "start": 3, "end": end, "score": 0.5},
        {"text": "x", "label": "LOC", "start": 5, "end": end, "score": 0.5},
    ]
    data = {"predictions": [{"input": text, "prediction": entities}]}
    drawn = draw(Reply(text="", card="prediction", data=data))
    assert "<script" not in drawn and drawn.count("<mark") == 2
    assert drawn.index("In ") < drawn.index("we met") < drawn.index(">Ann<small>PER</small>")
    assert 'title="97 % sure"' in drawn and drawn.count("fa-kind-0") == 2 and "<li>" in drawn
    nothing = draw(Reply(text="", card="prediction", data={"predictions": [{"input": "hi", "prediction": []}]}))
    assert "Nothing to mark in this text." in nothing and "hi" in nothing


def test_error_and_file_cards() -> None:
    problem = {"code": "c", "what": "It broke.", "expected": "A file.", "fix": "Try again."}
    for data in (problem, {"problem": problem}):
        text = Markup(draw(Reply(text="t", card="error", data=data))).text
        assert "It broke." in text and "Try again." in text
    files = draw(
        Reply(text="Here.", card="files", data={"files": [{"name": "m.onnx", "path": "/secret/m", "bytes": 5e6}]})
    )
    assert "m.onnx" in files and "5.0 MB" in files and "/secret" not in files and "href" not in files
    place = "/home/runs/20260102-030405-abcdef/exports/onnx/m.onnx"
    reply = Reply(text="Here.", card="files", data={"files": [{"name": "m.onnx", "path": place, "bytes": 5e6}]})
    linked = render.replied(reply, {}, chat="c0ffee")
    assert 'href="download/20260102-030405-abcdef/export-onnx.zip?chat=c0ffee"' in linked and "/home" not in linked


@pytest.mark.parametrize("card", ["data", "plan", "run", "report", "prediction", "files", "error", "unheard-of"])
@pytest.mark.parametrize(
    "data", [{}, {"run": "gone"}, {"profile": 3}, {"plan": {"x": 1}}, {"files": None}, {"predictions": 1}]
)
def test_a_card_that_cannot_be_drawn_leaves_its_text(card: str, data: dict[str, Any]) -> None:
    assert "The text itself" in draw(Reply(text="The text itself", card=card, data=data))


def test_hostile_texts_stay_texts_on_every_card() -> None:
    profile = {
        "name": HOSTILE, "format": HOSTILE, "rows": 2, "sample": [{HOSTILE: HOSTILE}],
        "columns": [column(HOSTILE, HOSTILE), column("kind", label_counts={HOSTILE: 2})],
    }  # fmt: skip
    finding = {"code": HOSTILE, "severity": HOSTILE, "text": HOSTILE, "fix": HOSTILE}
    file = file_card(name=HOSTILE, profile=profile, findings=[finding])
    file["guesses"] = [{"columns": {HOSTILE: HOSTILE, "label": "kind"}}]
    tree = PLAN.model_dump(mode="json")
    tree["base_model"] = tree["data"]["name"] = tree["evaluation"]["metric"] = HOSTILE[:60]
    tree["data"]["columns"] = {"text": HOSTILE, "label": HOSTILE}
    tree["reasons"] = {"base_model": HOSTILE}
    view = RunView(
        status="running", phase=HOSTILE, phase_text=HOSTILE, warnings=[Notice(code="c", text=HOSTILE)],
        stretches=[Stretch(name=HOSTILE, seconds=1)], curves={f"train/{HOSTILE}": [[0, 1.0]]},
    )  # fmt: skip
    broken = view.model_copy(
        update={"status": "failed", "failure": Failure(code="c", what=HOSTILE, expected=HOSTILE, fix=HOSTILE)}
    )
    runs = {"a": render.RunShown("a", 1, view), "b": render.RunShown('b"><script>', 2, broken)}
    replies = [
        Reply(text="", card="data", data=file),
        Reply(
            text="", card="plan", data={"plan": tree, "advice": [HOSTILE]}, options=[Option(label=HOSTILE, say=HOSTILE)]
        ),
        Reply(text="", card="prediction", data={"input": HOSTILE, "prediction": HOSTILE, "scores": {HOSTILE: 1.0}}),
        Reply(text=HOSTILE, card="files", data={"files": [{"name": HOSTILE, "bytes": 1}]}),
        Reply(text="", card="error", data={"what": HOSTILE, "expected": HOSTILE, "fix": HOSTILE}),
        Reply(text=HOSTILE, card="concept"),
        Reply(text="", card="run", data={"run": "a"}),
        Reply(text="", card="run", data={"run": "b"}),
    ]
    for reply in replies:
        drawn = draw(reply, runs)
        found = Markup(drawn)
        assert "alert(2)" in found.text, reply.card
        assert {"script", "img"}.isdisjoint(found.tags), reply.card
        assert not [name for name, _ in found.attributes if name.startswith("on")], reply.card
        assert not re.search(r"\{\{|\$\{", drawn), reply.card


def test_a_note_of_a_card_stands_before_it() -> None:
    drawn = draw(Reply(text="", card="data", data={"file": file_card(), "note": "Done: **13** rows went."}))
    assert drawn.index("<strong>13</strong>") < drawn.index("fa-card")


# ---------------------------------------------------------------- runs


def shown(view: RunView, number: int = 3) -> dict[str, render.RunShown]:
    return {"r": render.RunShown("r", number, view)}


RUN = Reply(text="It runs.", card="run", data={"run": "r"})


def test_the_live_card() -> None:
    view = RunView(
        status="running", phase="training", phase_text="Training, pass 1", step=30, total_steps=120, eta_seconds=200,
        seconds=61, curves={"train/loss": [[1, 0.9], [30, 0.5]], "validation/accuracy": [[30, 0.875]]},
        stretches=[Stretch(name="reading", seconds=1.5), Stretch(name="training")],
        warnings=[Notice(code="x", text="Memory is short.")],
    )  # fmt: skip
    drawn = draw(RUN, shown(view))
    text = Markup(drawn).text
    for part in (
        "Run 3",
        "Training, pass 1",
        "step 30 of 120",
        "about 3 min left",
        "1 min 1 s so far",
        "87.5 %",
        "Memory is",
    ):
        assert part in text
    assert 'aria-valuenow="25"' in drawn and "width:25.0%" in drawn and 'aria-live="off"' in drawn
    assert ("data-say", "stop run 3") in Markup(drawn).attributes
    assert "data-say" in draw(RUN, shown(view), newest=False), "Stop stays, whatever was said since"


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (RunView(status="queued"), "Waiting for its turn"),
        (RunView(status="finished", seconds=42), "Done in 42 s."),
        (RunView(status="cancelled", seconds=42, model_kept=True), "best state so far is kept"),
        (RunView(status="interrupted", seconds=42), "last checkpoint"),
        (RunView(status="failed", seconds=42, failure=Failure(code="nan", what="No number.")), "Failed after 42 s."),
    ],
    ids=lambda part: part.status if isinstance(part, RunView) else "",
)
def test_a_run_in_each_state(view: RunView, text: str) -> None:
    drawn = draw(RUN, shown(view))
    assert text in Markup(drawn).text
    assert ("stop" in drawn) == view.live


def test_figures_that_are_no_numbers_do_not_break_the_live_card() -> None:
    view = RunView(status="running", eta_seconds=float("nan"), seconds=float("inf"), step=-3, total_steps=0)
    assert "fa-busy" in draw(RUN, shown(view))
