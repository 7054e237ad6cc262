"""The page in Chromium, with conversations that were made before: how it looks, what survives, what stays text."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from assistant.chat.turns import FileCard, Option, Reply
from assistant.jobs import rundir
from assistant.jobs.home import new_run_id
from assistant.session import Session
from recipes import events as contract
from recipes.plan import Data, Evaluation, Method, Plan, Training

pytestmark = pytest.mark.browser

HOSTILE = (
    """</div><img src=x onerror="window.hacked=1"><script>window.hacked=2</script>{{value}} ${window.hacked=3} `x`"""
)
PLAN = Plan(
    task="text-classification", problem="single_label_classification", base_model="minilm", method=Method(name="head"),
    data=Data(name="mails.csv", columns={"text": ["subject", "body"], "label": "kind"}),
    training=Training(epochs=3, learning_rate=0.001, batch_size=16), evaluation=Evaluation(metric="accuracy"),
    reasons={"method.name": "Few rows. " + HOSTILE},
)  # fmt: skip
RESULT: dict[str, Any] = {
    "task": "text-classification", "base_model": "minilm", "method": {"name": "head"},
    "rows": {"train": 80, "test": 20},
    "metrics": {"accuracy": {"value": 0.95, "low": 0.76, "high": 0.99}, "f1": {"value": 0.94}},
    "baselines": {"majority": {"accuracy": {"value": 0.5, "low": 0.3, "high": 0.7}}}, "metric": "accuracy",
    "verdict": {"code": "better", "text": "On 20 texts it never saw, 95.0 % are right."}, "labels": [HOSTILE, "ham"],
    "trainable_parameters": 770, "total_parameters": 22713986, "seconds": {"total": 12.0}, "peak_bytes": {},
    "environment": {}, "data_sha256": "ab" * 32, "seed": 42, "confusion": [[9, 1], [0, 10]],
    "mistakes": [{"row": 7, "input": HOSTILE, "expected": HOSTILE, "predicted": "ham", "confidence": 0.9}],
}  # fmt: skip


class Home:
    """The server's home, written to from the test as another process of the same home does."""

    def __init__(self, root: Path) -> None:
        self.session = Session(root)
        self.chat = self.session.open(None)

    def add(self, role: str, **body: Any) -> None:
        self.session.store.add_message(self.chat, role, body)

    def reply(self, text: str = "", **more: Any) -> None:
        self.add("assistant", **Reply(text=text, **more).model_dump(mode="json"))

    def run(self) -> Path:
        """A run that this process plays; its live card is in the conversation."""
        number = self.session.store.next_number()
        about = rundir.About(id=new_run_id(), number=number, title="mails", conversation=self.chat, created=time.time())
        folder = self.session.home.run_dir(about.id)
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "config.json").write_text("{}")
        PLAN.save(folder / "plan.json")
        rundir.write_json(folder / "run.json", about)
        self.session.store.add_run(about, "text-classification", "running", told=True)
        start = rundir.start_time(os.getpid()) or ""
        rundir.write_json(
            folder / "process.json", rundir.ProcessCard(pid=os.getpid(), start_time=start, launched_at=time.time())
        )
        contract.EventWriter(folder / "events.jsonl").write(contract.Started(versions={}, device="cpu", plan="x"))
        self.reply("A run.", card="run", data={"run": about.id})
        return folder

    def finish(self, folder: Path) -> None:
        contract.EventWriter(folder / "events.jsonl").write(contract.Finished(verdict="better", text="Good."))
        (folder / "result.json").write_text(json.dumps(RESULT))
        self.session.store.set_status(folder.name, "finished")
        self.reply("Done.", card="report", data={"run": folder.name}, options=[Option(label="Try it", say="try it")])


@pytest.fixture
def home(server: Any) -> Any:
    made = Home(server.home)
    yield made
    made.session.close()


def fill(home: Home) -> None:
    """One message of each kind."""
    file = FileCard.model_validate(
        {
            "id": "f", "name": HOSTILE,
            "findings": [{"severity": "warning", "text": HOSTILE, "fix": HOSTILE, "code": "x"}],
            "profile": {
                "name": HOSTILE, "format": "csv", "rows": 100, "sample": [{"body": HOSTILE, "kind": "ham"}] * 4,
                "columns": [{"name": "body"}, {"name": "kind", "label_counts": {HOSTILE: 60, "ham": 40}}],
            },
            "guesses": [{"columns": {"text": "body", "label": "kind"}}],
        }
    )  # fmt: skip
    home.add("user", text=HOSTILE, files=[HOSTILE])
    home.reply("data", card="data", data={"file": file.model_dump(mode="json")})
    home.reply(f"A table\n\n| a | b |\n|---|---|\n| {HOSTILE} | `x` |")
    home.reply("plan", card="plan", data={"plan": PLAN.model_dump(mode="json"), "advice": [HOSTILE]})
    scores = {HOSTILE: 0.9, "ham": 0.1}
    home.reply(
        "p", card="prediction", data={"predictions": [{"input": HOSTILE, "prediction": HOSTILE, "scores": scores}]}
    )
    home.finish(home.run())


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_card_fits_in_light_and_dark(home: Home, new_page: Any, pictures: Path, width: int, scheme: str) -> None:
    fill(home)
    page = new_page(viewport={"width": width, "height": 844}, color_scheme=scheme).open(home.chat)
    page.wait(".fa-report")
    for card in ("data", "plan", "prediction", "report"):
        page.tab.eval_on_selector(f".fa-{card}", "card => card.scrollIntoView()")
        page.shot(pictures / f"{width}-{scheme}-{card}.png")
        right = page.tab.eval_on_selector(f".fa-{card}", "card => card.getBoundingClientRect().right")
        assert right <= width
    assert page.overflow() <= 0
    assert contrast(page) >= 4.5


def contrast(page: Any) -> float:
    """Contrast of the verdict's letters on its card, by WCAG."""
    script = """card => { const verdict = card.querySelector('.fa-verdict');
      return [getComputedStyle(verdict).color, getComputedStyle(card).backgroundColor] }"""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, bright = sorted(map(light, page.tab.eval_on_selector(".fa-report", script)))
    return (bright + 0.05) / (dark + 0.05)


def test_hostile_texts_are_shown_and_never_run(home: Home, new_page: Any) -> None:
    fill(home)
    page = new_page().open(home.chat)
    page.wait(".fa-report")
    page.tab.evaluate("document.querySelectorAll('.fa-fold').forEach(fold => { fold.open = true })")
    text = page.text()
    assert page.tab.evaluate("window.hacked") is None
    assert page.tab.query_selector("#fa-chat img") is None
    for shown in ("{{value}}", "${window.hacked=3}", "<script>window.hacked=2</script>"):
        assert text.count(shown) >= 8


def test_a_live_card_moves_in_place_and_ends_with_the_verdict(home: Home, new_page: Any) -> None:
    home.add("user", text="start", files=[])
    folder = home.run()
    page = new_page().open(home.chat)
    page.wait(".fa-run")
    page.tab.evaluate("window.marked = document.querySelector('.fa-run')")
    writer = contract.EventWriter(folder / "events.jsonl")
    writer.write(contract.Phase(name="training", text="Training, pass 1 of 3"))
    writer.write(contract.Progress(step=30, total_steps=120, eta_seconds=200))
    for step in (10, 20, 30):
        writer.write(contract.Metric(split="train", step=step, name="loss", value=1 / step))
    page.wait(".fa-run .fa-line-train")
    assert "step 30 of 120, about 3 min left" in page.text()
    assert page.tab.evaluate("document.contains(window.marked)"), "the card was made anew, not updated in place"
    home.finish(folder)
    page.wait(".fa-report")
    assert "On 20 texts it never saw, 95.0 % are right." in page.text()
    time.sleep(1)
    top = page.tab.eval_on_selector(".fa-report", "card => card.getBoundingClientRect().top")
    assert 0 < top < 200, "the verdict is on the screen without scrolling"


def test_a_reader_who_scrolled_up_is_left_alone(home: Home, new_page: Any) -> None:
    for number in range(30):
        home.add("user", text=f"message {number}", files=[])
    page = new_page().open(home.chat)
    page.wait("text=message 29")
    page.tab.hover("#fa-chat")
    page.tab.mouse.wheel(0, -900)
    time.sleep(0.5)
    where = "document.querySelector('#fa-chat .panel-wrap').scrollTop"
    before = page.tab.evaluate(where)
    home.reply("An answer that came later")
    page.wait("text=An answer that came later")
    assert abs(page.tab.evaluate(where) - before) < 5


def test_a_fold_stays_as_the_reader_left_it(home: Home, new_page: Any) -> None:
    home.finish(home.run())
    page = new_page().open(home.chat)
    page.tab.click("text=Time and memory")
    page.tab.click("text=Which classes are mixed up")
    home.reply("Something new")
    page.wait("text=Something new")
    state = "key => document.querySelector(`.fa-report [data-key=${key}]`).open"
    assert page.tab.evaluate(state, "cost") is True and page.tab.evaluate(state, "matrix") is False


def test_downloads(home: Home, new_page: Any) -> None:
    home.finish(home.run())
    page = new_page().open(home.chat)
    for name, suffix in (("Model (zip)", "model.zip"), ("Report (HTML)", "report.html")):
        with page.tab.expect_download() as caught:
            page.tab.click(f"text={name}")
        assert caught.value.suggested_filename.endswith(suffix)


def test_the_address_and_the_browser_both_carry_the_chat(home: Home, new_page: Any, chromium: Any) -> None:
    home.add("user", text="what I said before", files=[])
    page = new_page().open(home.chat)
    page.wait("text=what I said before")
    page.tab.goto(page.server.url)
    page.wait("text=what I said before")  # the browser remembers
    page.tab.wait_for_url(f"**/?chat={home.chat}")
    other = new_page().open()
    assert "what I said before" not in other.text(), "another browser sees none of it"
    page.tab.click("#fa-new")
    page.wait(".fa-welcome")
    page.tab.wait_for_url(page.server.url + "/")


def test_nothing_is_fetched_from_elsewhere(new_page: Any) -> None:
    page, hosts = new_page(), set()
    page.tab.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.open()
    time.sleep(1)
    assert hosts == {f"127.0.0.1:{page.server.port}"}
