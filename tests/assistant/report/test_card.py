"""The report: every figure comes from the result, every text stays text, and nothing of the person's rows slips out."""

from __future__ import annotations

import copy
import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from assistant.report import card, compare, plots, words
from recipes.events import Interval, Result

from .samples import PLAN, result_tree

Path = tuple[str | int, ...]


def shown(tree: dict[str, Any], **options: Any) -> str:
    """The words of the page's report, without tags and drawings."""
    text = card.report_html(Result.model_validate(tree), PLAN, **{"with_rows": True, "opened": True, **options})
    return html.unescape(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", text, flags=re.DOTALL))


def changed(path: Path, value: Any) -> dict[str, Any]:
    tree = copy.deepcopy(result_tree())
    node: Any = tree
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return tree


FIGURES: list[tuple[Path, Any, str]] = [
    (("metrics", "accuracy", "value"), 0.7077, "70.8 %"),
    (("metrics", "accuracy", "low"), 0.6066, "60.7–98.4 %"),
    (("metrics", "accuracy", "high"), 0.9999, "95.7–100.0 %"),
    (("metrics", "f1", "value"), 0.7077, "0.708 (0.881–0.921)"),
    (("metrics", "f1", "low"), 0.1234, "0.902 (0.123–0.921)"),
    (("baselines", "majority", "accuracy", "value"), 0.5055, "50.5 %"),
    (("baselines", "word_counts", "accuracy", "value"), 0.9055, "90.5 %"),
    (("baselines", "word_counts", "accuracy", "low"), 0.8088, "80.9–97.5 %"),
    (("baselines", "word_counts", "f1", "value"), 0.7666, "0.767"),
    (("verdict", "text"), "31.4 % are right.", "31.4 % are right."),
    (("verdict", "difference", "value"), 0.0777, "+7.8 points"),
    (("verdict", "difference", "low"), -0.0888, "−8.9 to +2.7"),
    (("verdict", "difference", "high"), 0.0999, "−0.3 to +10.0"),
    (("verdict", "p_value"), 0.0321, "p = 0.032"),
    (("trainable_parameters",), 770, "770 of 22.7 million"),
    (("total_parameters",), 88_800_000, "3.6 million of 88.8 million"),
    (("rows", "train"), 5551, "5,551 rows"),
    (("rows", "validation"), 5552, "5,552"),
    (("rows", "test"), 5553, "5,553 rows"),
    (("seconds", "total"), 77.0, "1 min 17 s"),
    (("seconds", "predicted"), 3700.0, "1 h 2 min"),
    (("seconds", "training"), 47.0, "47 s"),
    (("peak_bytes", "measured"), 555_000_000, "555 MB"),
    (("peak_bytes", "predicted"), 1_300_000_000, "1.3 GB"),
    (("seed",), 9876, "9876"),
    (("data_sha256",), "abcd1234", "abcd1234"),
    (("confusion", 0, 1), 777, "777"),
    (("classes", 0, "rows"), 7771, "7,771"),
    (("classes", 0, "precision", "value"), 0.1119, "11.2 %"),
    (("classes", 1, "recall", "low"), 0.2229, "22.3–90.9 %"),
    (("classes", 1, "f1"), 0.3339, "0.334"),
    (("mistakes", 0, "row"), 1212, "row 1,212"),
    (("mistakes", 0, "confidence"), 0.77, "77 % sure"),
    (("mistakes", 0, "input"), "a text that fooled it", "a text that fooled it"),
    (("candidates", 0, "value"), 0.4449, "44.5 %"),
    (("candidates", 1, "seconds"), 44.0, "44 s"),
    (("curves", "train/loss"), [[0, 0.71], [90, 0.456]], "0.456"),
    (("curves", "validation/accuracy"), [[45, 0.951], [90, 0.8181]], "81.8 %"),
    (("warnings", 0, "text"), "Watch out 17 times.", "Watch out 17 times."),
    (("notes", 0), "Noted 18 times.", "Noted 18 times."),
    (("evaluation",), "5-fold cross-validation", "5-fold cross-validation"),
    (("base_model",), "other/model-19", "other/model-19"),
    (("method",), {"name": "lora", "rank": 23}, "LoRA adapters (rank 23)"),
]


@pytest.mark.parametrize(("path", "value", "text"), FIGURES, ids=lambda part: str(part)[:40])
def test_each_figure_follows_the_result(path: Path, value: Any, text: str) -> None:
    before, after = " ".join(shown(result_tree()).split()), " ".join(shown(changed(path, value)).split())
    assert text not in before
    assert text in after


def test_no_figure_comes_from_elsewhere() -> None:
    """Every number on the page is one of the result's (or the plan's) in one of the ways that figures are written."""
    tree, known = result_tree(), {"95"}

    def collect(node: Any) -> None:
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else [node]:
            if isinstance(value, dict | list):
                collect(value)
            elif isinstance(value, int | float):
                ways = [words.figure(value, "accuracy"), words.figure(value), words.duration(value), words.size(value)]
                ways += [
                    words.count(value),
                    f"{value:,}",
                    f"{100 * value:+.1f}",
                    words.plain(value),
                    f"{value:.2g}",
                    f"{100 * value:.0f}",
                ]
                known.update(number for way in ways for number in numbers(way))
            elif isinstance(value, str):
                known.update(numbers(value))

    collect(tree)
    collect(PLAN.training.model_dump())
    strange = [number for number in numbers(shown(tree)) if number not in known]
    assert strange == []


def numbers(text: str) -> list[str]:
    # "F1" is a name; "1,234" is written alike on both sides
    return re.findall(r"\d+(?:\.\d+)?", re.sub(r"\bF1\b|R²|SHA-256", "", text).replace(",", ""))


def test_the_verdict_comes_first_and_the_best_baseline_is_marked() -> None:
    page = card.report_html(Result.model_validate(result_tree()), PLAN)
    assert page.index("fa-verdict") < page.index("fa-facts") < page.index("fa-bars") < page.index("fa-fold")
    best = page[page.index("fa-bar-best") :]
    assert best.index("Counting words") < best.index("Always the most frequent answer")


def test_the_persons_rows_are_shown_only_where_asked_for() -> None:
    result = Result.model_validate(changed(("mistakes", 0, "input"), "my private words"))
    for text in (card.report_page(result, PLAN), card.report_markdown(result, PLAN), card.report_html(result, PLAN)):
        assert "my private words" not in text
    assert "my private words" in card.report_page(result, PLAN, with_rows=True)
    assert "my private words" in card.report_markdown(result, PLAN, with_rows=True)


def test_a_regression_has_no_classes_and_less_error_is_better() -> None:
    tree = result_tree()
    for gone in ("labels", "confusion", "classes"):
        tree[gone] = None
    tree |= {
        "problem": "regression", "metric": "mae", "metrics": {"mae": interval(0.51), "r2": interval(-0.2)},
        "baselines": {"mean": {"mae": interval(0.9)}, "word_counts": {"mae": interval(0.7)}},
        "mistakes": [{"row": 1, "input": "x", "expected": "4.5", "predicted": "1.2"}],
        "verdict": {"code": "better", "text": "Off by 0.51 on average."},
    }  # fmt: skip
    text = shown(tree)
    assert card.best_baseline(Result.model_validate(tree)) == "word_counts"
    assert "less is better" in text and "−0.200" in text
    assert "mixed up" not in text and "sure)" not in text


def interval(value: float) -> dict[str, float]:
    return {"value": value}


def test_a_result_of_the_barest_kind_has_a_report() -> None:
    bare = {
        "task": "t", "base_model": "m", "method": {}, "rows": {}, "metrics": {}, "baselines": {}, "seconds": {},
        "verdict": {"code": "not_enough_data", "text": "Too few rows."}, "trainable_parameters": 0, "seed": 1,
        "total_parameters": 0, "peak_bytes": {}, "environment": {}, "data_sha256": "",
    }  # fmt: skip
    result = Result.model_validate(bare)
    assert "Too few rows." in card.report_html(result) and "Too few rows" in card.report_markdown(result)


# ---------------------------------------------------------------- hostile texts

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{value}}${1}|`*'
ALLOWED_TAGS = {
    "article", "header", "section", "details", "summary", "div", "span", "p", "b", "i", "h1", "h3", "h4", "dl", "dt",
    "dd", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "svg", "rect", "line", "polyline", "figure",
    "figcaption", "blockquote",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {
    "class", "data-key", "open", "style", "scope", "aria-hidden", "aria-label", "role", "x", "y", "x1", "x2", "y1",
    "y2", "width", "height", "rx", "points", "viewbox", "preserveaspectratio",
}  # fmt: skip


class Tags(HTMLParser):
    """Collects what a browser would see as markup."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def hostile_result() -> Result:
    tree = result_tree()
    tree |= {
        "base_model": HOSTILE, "labels": [HOSTILE, "b"], "evaluation": HOSTILE, "data_sha256": HOSTILE,
        "warnings": [{"code": "x", "text": HOSTILE}], "notes": [HOSTILE], "environment": {"device": HOSTILE},
        "method": {"name": HOSTILE}, "rows": {"test": 3, HOSTILE: 4}, "seconds": {HOSTILE: 1.0},
        "curves": {f"train/{HOSTILE}": [[0, 1.0]], "validation/loss": [[0, 1.0]]},
    }  # fmt: skip
    tree["metrics"][HOSTILE] = tree["baselines"][HOSTILE] = {}
    tree["metrics"][HOSTILE] = {"value": 0.5}
    tree["baselines"][HOSTILE] = {"accuracy": {"value": 0.5}}
    tree["verdict"] |= {"text": HOSTILE, "best_baseline": HOSTILE}
    for name in ("input", "expected", "predicted"):
        tree["mistakes"][0][name] = HOSTILE
    tree["candidates"][0] |= {"name": HOSTILE, "note": HOSTILE, "metric": HOSTILE}
    tree["classes"][0]["label"] = HOSTILE
    return Result.model_validate(tree)


def test_hostile_texts_stay_texts() -> None:
    page = card.report_html(hostile_result(), PLAN, with_rows=True, opened=True)
    found = Tags(page)
    assert found.tags <= ALLOWED_TAGS and found.attributes <= ALLOWED_ATTRIBUTES
    assert html.escape("<script>alert(2)</script>") in page


def test_the_report_file_needs_nothing_from_outside() -> None:
    page = card.report_page(hostile_result(), PLAN, title=HOSTILE, with_rows=True)
    found = Tags(page)
    assert "script" not in found.tags and "img" not in found.tags and "link" not in found.tags
    assert "default-src &#x27;none&#x27;" in page and "url(" not in page
    assert page.count("<details") == page.count("<details class") and " open>" in page


def test_hostile_texts_do_not_break_a_markdown_table() -> None:
    text = card.report_markdown(hostile_result(), PLAN, with_rows=True)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 20
    assert "<script" not in re.sub(r"\\<", "", text)
    widths: list[int] = []
    for line in text.splitlines():
        if line.startswith("|"):
            widths.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(widths)) <= 1, "a cell has broken its row"
            widths = []


# ---------------------------------------------------------------- drawings and words


def test_bars_have_whiskers_only_where_an_interval_is_known() -> None:
    with_one = plots.bars([plots.Bar("a", Interval(value=0.5, low=0.4, high=0.6), "model")], "accuracy")
    assert with_one.count("fa-whisker") == 3 and 'x1="40.00%" x2="60.00%"' in with_one and 'width="50.00%"' in with_one
    assert "fa-whisker" not in plots.bars([plots.Bar("a", Interval(value=0.5))], "accuracy")


@pytest.mark.parametrize("value", [float("nan"), -1.0, 7.0])
def test_a_bar_never_leaves_its_box(value: float) -> None:
    drawing = plots.bars([plots.Bar("a", Interval(value=value, low=value, high=value))], "accuracy")
    assert all(0 <= float(number) <= 100 for number in re.findall(r'"(-?[\d.]+)%"', drawing))


def test_many_classes_become_the_pairs_that_are_mixed_up_most() -> None:
    labels = [f"class {index}" for index in range(30)]
    confusion = [[40 if row == column else 0 for column in range(30)] for row in range(30)]
    confusion[3][7], confusion[9][2] = 5, 11
    drawn = plots.matrix(labels, confusion)
    assert drawn.index("class 9") < drawn.index("class 3") and "11" in drawn and "40" not in drawn


def test_a_curve_is_thinned_and_keeps_its_end() -> None:
    points = [[float(step), 1 / (1 + step)] for step in range(5000)]
    drawn = plots.curve("Loss", [plots.Line("train", points)])
    places = re.findall(r'points="([^"]+)"', drawn)[0].split()
    assert len(places) <= plots.MAX_DRAWN + 1 and places[-1].startswith("300.0,")
    assert plots.curve("Loss", []) == "" and plots.curves({}) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (12, "12 s"), (200, "3 min 20 s"), (59.7, "1 min"), (3900, "1 h 5 min"), (None, "–"), (-1, "–")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(950, "950 bytes"), (310e6, "310 MB"), (1.24e9, "1.2 GB"), (None, "–"), (float("nan"), "–")]
)
def test_sizes(number: float | None, text: str) -> None:
    assert words.size(number) == text


def test_times_to_go_do_not_pretend_to_know_the_second() -> None:
    assert [words.remaining(s) for s in (2, 43, 200, None, float("nan"))] == [
        "a few seconds left", "about 45 s left", "about 3 min left", "", "",
    ]  # fmt: skip
    assert [words.rough(s) for s in (3, 43, 58, 200, 4000)] == ["3 s", "45 s", "1 min", "3 min", "1 h 10 min"]


# ---------------------------------------------------------------- comparison


def run(name: str, **changes: Any) -> compare.Finished:
    plan = PLAN.changed({"training.epochs": changes.pop("epochs", 7)})
    return compare.Finished(name, Result.model_validate(result_tree() | changes), plan)


def test_a_comparison_shows_the_figures_and_what_was_set_differently() -> None:
    runs = [run("run 1"), run("run 2", epochs=3, metrics={"accuracy": {"value": 0.8888}})]
    text = compare.comparison_markdown(runs)
    assert "88.9 %" in text and "97.3 % (95.7–98.4 %)" in text
    assert "| Passes over the rows | 7 | 3 |" in text and "Learning rate" not in text
    assert compare.best(runs) is runs[0]
    assert Tags(compare.comparison_html(runs)).tags <= ALLOWED_TAGS


@pytest.mark.parametrize(
    ("changes", "words_expected"),
    [
        ({"task": "regression"}, "different tasks"),
        ({"data_sha256": "other"}, "different data"),
        ({"seed": 1}, "different test rows"),
        ({}, "same test rows"),
    ],
)
def test_a_comparison_says_whether_it_is_fair(changes: dict[str, Any], words_expected: str) -> None:
    assert words_expected in compare.caution([run("run 1"), run("run 2", **changes)])
