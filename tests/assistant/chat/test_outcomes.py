"""What came of an effect, in words."""

from __future__ import annotations

from assistant.chat import outcomes


def test_an_evaluation_names_each_type_of_entity() -> None:
    """Figures with intervals, then a row for each type; one that the file lacks has no recall; nothing hostile."""
    share = {"value": 0.9, "low": 0.8, "high": 0.95}
    data = {
        "rows": 40,
        "metrics": {"entity_f1": {"value": 0.912, "low": 0.88, "high": 0.94}},
        "classes": [
            {"label": "<b>LOC|", "rows": 31, "precision": share, "recall": share, "f1": 0.9},
            {"label": "PER", "rows": 0, "precision": share, "recall": None, "f1": None},
        ],
    }
    text = outcomes.evaluation(None, data, "test.jsonl").text
    assert "F1 of whole entities | 91.2 %" in text and "On 40 rows" in text
    assert "| ‹b›LOC¦ | 31 | 90.0 %" in text and "| PER | 0 | 90.0 %" in text and text.endswith("| – | – |")
    assert "| Type |" not in outcomes.evaluation(None, {"rows": 1, "metrics": {}}, "test.jsonl").text
