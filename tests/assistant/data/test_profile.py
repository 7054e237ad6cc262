"""A profile says what the columns are, without the rows."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from files import read

from assistant.data.languages import language_of
from assistant.data.profile import Profile, profile
from assistant.data.roles import guess_tasks
from assistant.data.table import read_table


def kinds(content: str, name: str = "data.csv") -> dict[str, str]:
    return {column.name: column.kind for column in profile(read(content, name)).columns}


def lines(**columns: list[object]) -> str:
    return "\n".join(
        json.dumps(dict(zip(columns, cells, strict=True))) for cells in zip(*columns.values(), strict=True)
    )


def test_kinds_of_columns() -> None:
    texts = [f"This is text number {n}, long enough to be one." for n in range(12)]
    content = lines(
        id=list(range(100, 112)),
        text=texts,
        label=["good", "bad"] * 6,
        stars=[1, 2, 3.5] * 4,
        spam=["yes", "no"] * 6,
        day=[f"2025-01-{n + 1:02}" for n in range(12)],
        tags=[["a"], ["a", "b"], ["b"]] * 4,
        code=[f"B00{n}XZ" for n in range(12)],
        picture=[f"img/{n}.jpg" for n in range(12)],
        nothing=[None] * 12,
        chat=[[{"role": "user", "content": "hi"}]] * 12,
        meta=[{"source": "web"}] * 12,
    )
    assert kinds(content, "x.jsonl") == {
        "id": "id", "text": "text", "label": "category", "stars": "number", "spam": "boolean", "day": "date",
        "tags": "list", "code": "id", "picture": "image", "nothing": "empty", "chat": "messages", "meta": "record",
    }  # fmt: skip


@pytest.mark.parametrize("separator", [";", "|", ","])
def test_several_labels_in_a_cell(separator: str) -> None:
    cells = [["sport"], ["sport", "health"], ["health"], ["economy", "sport"], ["economy"], ["health", "economy"]] * 2
    content = "text\ttags\n" + "".join(f"headline number {n}\t{separator.join(cell)}\n" for n, cell in enumerate(cells))
    column = profile(read(content)).column("tags")
    assert column is not None
    assert (column.kind, column.separator) == ("list", separator)
    assert column.label_counts == {"sport": 6, "health": 6, "economy": 6}
    assert column.multiple == 0.5


def test_a_class_whose_name_holds_a_comma_is_one_class() -> None:
    content = "text;label\n" + "".join(
        f"thing {n};{label}\n" for n, label in enumerate(["Home, Garden", "Toys", "Books"] * 4)
    )
    column = profile(read(content)).column("label")
    assert column is not None and column.kind == "category"
    assert column.label_counts == {"Home, Garden": 4, "Toys": 4, "Books": 4}


def test_figures_of_a_column() -> None:
    found = profile(read("text,label\nabc,x\n  ,x\n,y\nabcdefg,\nabc,x\n"))
    text, label = found.columns
    assert (found.rows, text.missing, text.unique, label.missing) == (5, 2, 2, 1)
    assert label.label_counts == {"x": 3, "y": 1}
    assert found.duplicates == 1
    assert found.sample[3] == {"text": "abcdefg", "label": ""}


def test_ids_and_dates_do_not_hide_duplicates() -> None:
    content = "id,message,created_at\n" + "".join(
        f"{n},the very same words as before,2025-02-0{n}\n" for n in range(1, 6)
    )
    assert profile(read(content)).duplicates == 4


def test_samples_are_cut() -> None:
    found = profile(read('text,label\n"' + "word " * 200 + '",x\n'))
    assert len(found.sample[0]["text"]) == 200
    assert len(found.columns[0].examples[0]) == 80


def test_a_profile_is_json(tmp_path: Path) -> None:
    found = profile(read("text,label\na b c,x\nd e f,y\n"))
    assert Profile.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The weather was fine and we went to the beach with the children.", "en"),
        ("Das Wetter war schön und wir sind mit den Kindern an den Strand gegangen.", "de"),
        ("Il faisait beau et nous sommes allés à la plage avec les enfants.", "fr"),
        ("El tiempo era bueno y fuimos a la playa con los niños por la tarde.", "es"),
        ("Погода была хорошая, и мы пошли на пляж с детьми.", "ru"),
        ("天気が良かったので、子供たちと海に行きました。", "ja"),
        ("天气很好,我们和孩子们一起去了海滩。", "zh"),
        ("B000J0LSBG 4711", None),
    ],
)
def test_languages(text: str, code: str | None) -> None:
    assert language_of([text]) == code


def test_five_thousand_rows_take_about_a_second(shared_data: Path) -> None:
    started = time.process_time()
    seen = profile(read_table(shared_data / "food-reviews" / "train.xlsx"))
    guess_tasks(seen)
    assert seen.rows == 3972
    assert time.process_time() - started < 3  # 0.6 s on an idle core; room for a busy one
