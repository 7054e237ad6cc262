"""Every finding by name: a file that has it, the finding, the fix that takes it away, and the file as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from files import zip_of
from media_files import media_parquet, moving_picture, picture, sound

from assistant.data import desk
from assistant.data.doctor import FINDING_CODES, FIXES

ROWS = 120


def text(number: int) -> str:
    return f"Visitor {number} of the museum asked where hall {number * 7} is and who painted picture {number * 13}"


def csv(*more: str, header: str = "text,label", count: int = ROWS, ending: Callable[[int], str] | None = None) -> bytes:
    """Different rows of two classes, then the rows that have what is to be found."""
    end = ending or (lambda number: ("good", "bad")[number % 2])
    return "\n".join([header, *[f"{text(n)},{end(n)}" for n in range(count)], *more, ""]).encode()


def jsonl(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def chat(said: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": said}, {"role": "assistant", "content": "It is upstairs."}]}


def many(make: Callable[[int], dict[str, Any]], *more: dict[str, Any]) -> bytes:
    return jsonl(*[make(number) for number in range(ROWS)], *more)


def question(number: int, context: str = "") -> dict[str, Any]:
    context = context or f"{text(number)}. Painter{number} did."
    name = f"Painter{number}"
    answers = {"text": [name], "answer_start": [context.index(name)]}
    return {"question": f"Who painted picture {number * 13}?", "context": context, "answers": answers}


def media(role: str, extra: dict[str, bytes]) -> bytes:
    make = picture if role == "image" else sound
    ending = "png" if role == "image" else "wav"
    return zip_of({f"{('cat', 'dog')[n % 2]}/{n}.{ending}": make(n) for n in range(ROWS)} | extra)


def wrong_labels() -> bytes:
    """Texts of two kinds whose words tell them apart, and four labels that say the opposite."""
    kinds = {"animal": "cat dog horse cow sheep goat lion tiger", "plant": "rose oak tulip fern grass moss lily pine"}
    rows = []
    for number in range(400):
        kind = ("animal", "plant")[number % 2]
        words = kinds[kind].split()
        said = " ".join(words[(number * step) % 8] for step in (1, 3, 5, 7)) + f" of garden {number}"
        flipped = number in (10, 101, 202, 303)
        rows.append(f"{said},{'plant' if flipped == (kind == 'animal') else 'animal'}")
    return "\n".join(["text,label", *rows]).encode()


def tagged(number: int) -> dict[str, Any]:
    """Words with BIO tags, an entity of two words in each sentence."""
    words = text(number).split()
    return {"tokens": words, "tags": ["O", "B-HALL", "I-HALL", *["O"] * (len(words) - 3)]}


#: What is found -> the name and content of a file that has it.
FILES: dict[str, tuple[str, bytes]] = {
    "missing-text": ("d.csv", csv(",good", "  ,bad")),
    "missing-text: an answer": ("d.jsonl", many(
        lambda n: {"prompt": text(n), "completion": f"It is in hall {n}, upstairs."},
        {"prompt": "Where is it?", "completion": ""})),
    "missing-label": ("d.csv", csv(f"{text(900)},")),
    "duplicates": ("d.csv", csv(f"{text(3)} ,bad")),
    "duplicates: chats": ("d.jsonl", many(lambda n: chat(text(n)), chat(text(5)))),
    "duplicates: pictures": ("d.zip", media("image", {"cat/again.png": picture(4)})),
    "duplicates: recordings": ("d.zip", media("audio", {"cat/again.wav": sound(4)})),
    "near-duplicates": ("d.csv", csv(f"{' '.join(text(n) for n in range(5))},good",
                                     f"{' '.join(text(n) for n in range(5))} today,good")),
    "conflicting-labels": ("d.csv", csv(f"{text(3)},good")),
    "conflicting-labels: pictures": ("d.zip", media("image", {"dog/again.png": picture(4)})),
    "likely-wrong-labels": ("d.csv", wrong_labels()),
    "label-leak": ("d.csv", csv(header="text,label,points", ending=lambda n: f"{('good,5', 'bad,1')[n % 2]}")),
    "group-leak": ("d.csv", csv(
        header="text,label,patient_id", ending=lambda n: f"{('good', 'bad')[n % 2]},P{n % 30}")),
    "group-leak: speakers": ("d.zip", zip_of({f"clips/{n}.wav": sound(n) for n in range(60)} | {
        "metadata.csv": "file,label,speaker\n" + "".join(f"clips/{n}.wav,w{n % 2},s{n % 6}\n" for n in range(60))})),
    "tags-misaligned": ("d.jsonl", many(tagged, {"tokens": text(1).split(), "tags": ["O", "B-HALL"]})),
    "answer-not-in-text": ("d.jsonl", many(
        question, question(900) | {"answers": {"text": ["Zurich"], "answer_start": [2]}})),
    "no-answer-given": ("d.jsonl", many(question, question(900) | {"answers": {"text": [], "answer_start": []}})),
    "broken-tags": ("d.jsonl", many(tagged, {"tokens": text(1).split()[:4], "tags": ["O", "I-HALL", "O", "I-HALL"]})),
    "small-class: entities": ("d.jsonl", many(tagged, {"tokens": ["in", "Rome", "and", "Bari"],
                                                       "tags": ["O", "B-CITY", "O", "B-CITY"]})),
    "small-class: marked texts": ("d.jsonl", many(
        lambda n: {"text": text(n), "entities": [{"start": 0, "end": 3, "label": "HALL"}]},
        {"text": text(1), "entities": [{"start": 0, "end": 3, "label": "CITY"}]})),
    "imbalance": ("d.csv", csv(*[f"{text(n)},rare" for n in range(200, 205)])),
    "small-class": ("d.csv", csv(*[f"{text(n)},rare" for n in range(200, 203)])),
    "many-classes": ("d.csv", csv(ending=lambda n: f"class{n // 2}")),
    "one-class": ("d.csv", csv(ending=lambda n: "same")),
    "label-spelling": ("d.csv", csv(f"{text(200)},Good", f"{text(201)},good ")),
    "long-texts": ("d.csv", csv(f"{'word ' * 600},good")),
    "long-texts: without spaces": ("d.csv", csv(f"{'漢字' * 800},good")),
    "other-languages": ("d.csv", csv(*[
        f"Der Zug nach Ort {n} war nicht pünktlich und die Reise mit ihm hat sich nicht gelohnt,{'ab'[n % 2]}"
        for n in range(ROWS)], count=0)),
    "html": ("d.csv", csv("Great<br />soup &amp; bread,good")),
    "html: chats": ("d.jsonl", many(lambda n: chat(text(n)), chat("Where is <b>hall 3</b>?"))),
    "html: questions": ("d.jsonl", many(question, question(900, "<p>They say that Painter900 was here.</p>"))),
    "mojibake": ("d.csv", csv("Das BrÃ¶tchen war sÃ¼ÃŸ,good")),
    "personal-data": ("d.csv", csv("write to ann.lee@example.org or +44 20 7946 0958,good")),
    "personal-data: chats": ("d.jsonl", many(lambda n: chat(text(n)), chat("My card is 4111 1111 1111 1111"))),
    "personal-data: words": ("d.jsonl", many(
        lambda n: {"tokens": [f"Ann{n}", "lives", "in", "Oslo"], "ner_tags": ["B-PER", "O", "O", "B-LOC"]},
        {"tokens": ["mail", "me@example.org", "now"], "ner_tags": ["O", "O", "O"]})),
    "formulas": ("d.csv", csv("=1+1,good")),
    "broken-media": ("d.zip", media("image", {"cat/cut.png": picture(500)[:200], "dog/empty.png": b"",
                                             "dog/page.png": b"<html>not found</html>"})),
    "broken-media: recordings": ("d.zip", media("audio", {"cat/cut.wav": b"RIFF" + b"\0" * 30, "dog/empty.wav": b""})),
    "broken-media: parquet": ("d.parquet", media_parquet(
        [*[picture(n) for n in range(ROWS)], picture(500)[:200]], [n % 2 for n in range(ROWS + 1)])),
    "odd-images": ("d.zip", media("image", {
        "cat/tiny.png": picture(500, (4, 4)), "dog/wide.png": picture(501, (300, 20)),
        "dog/print.jpg": picture(502, mode="CMYK", form="JPEG"), "cat/moves.gif": moving_picture()})),
    "silent-audio": ("d.zip", media("audio", {
        "cat/off.wav": sound(500, loudness=0), "dog/click.wav": sound(501, 0.02)})),
    "long-audio": ("d.zip", media("audio", {"cat/talk.wav": sound(500, 31)})),
    "sample-rates": ("d.zip", media("audio", {"cat/cd.wav": sound(500, rate=44100)})),
    "too-few-rows": ("d.csv", csv(count=30)),
    "no-label-column": ("d.csv", csv(header="text", ending=lambda n: "").replace(b",\n", b"\n")),
    "no-text-column": ("d.csv", ("a,b\n" + "\n".join(f"{n},{n * n}" for n in range(ROWS))).encode()),
    "file-repaired": ("d.csv", csv() + "Das Brötchen,good\n".encode("cp1252")),
}  # fmt: skip
#: These have tests of their own: they need a second file, another guess, or what another module looks at.
ELSEWHERE = {"test-leak", "label-not-number", "one-word-rule"}


def look(folder: Path, name: str, content: bytes) -> dict[str, Any]:
    (folder / name).write_bytes(content)
    return desk.look(str(folder / name), name)


def codes(card: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in card["findings"]]


def test_every_finding_is_in_the_table() -> None:
    assert {case.partition(":")[0] for case in FILES} | ELSEWHERE == set(FINDING_CODES)


@pytest.mark.parametrize("case", FILES)
def test_it_is_found_and_its_fix_takes_it_away(case: str, tmp_path: Path) -> None:
    name, content = FILES[case]
    code = case.partition(":")[0]
    card = look(tmp_path, name, content)
    assert code in codes(card), card["findings"]
    finding = next(finding for finding in card["findings"] if finding["code"] == code)
    assert finding["text"].rstrip().endswith(".") and finding["fix"]
    meant = card["guesses"][0]
    if finding["change"]:
        roles = {path.removeprefix("data.columns."): column for path, column in finding["change"].items()}
        table = desk.read_table(tmp_path / name, name)
        agreed = desk.TaskGuess.model_validate({**meant, "columns": {**meant["columns"], **roles}})
        assert code not in [found.code for found in desk.check(table, desk.profile(table), agreed)]
        return
    assert finding["fixable"] == (code in FIXES)
    for fix in [code, finding["other_fix"]] if finding["fixable"] else []:
        if not fix:
            continue
        out = tmp_path / ("mended.zip" if "media" in code or name.endswith((".zip", ".parquet")) else "mended.jsonl")
        form = card["profile"]["format"]
        mended = desk.mend(str(tmp_path / name), name, fix, meant, str(out), form=form, before=codes(card))
        assert code not in codes(mended), mended["findings"]
        assert mended["guesses"][0]["task"] == meant["task"] and mended["sentence"].endswith(".")
        assert (tmp_path / name).read_bytes() == content, "the person's file was changed"
        assert look(tmp_path, name, content)["findings"] == card["findings"], "the way back"
        again = desk.look(str(out), name)
        assert again["profile"]["rows"] == mended["profile"]["rows"]
        assert again["guesses"][0]["columns"] == meant["columns"]


def test_a_clean_file_of_each_kind_has_no_findings(tmp_path: Path) -> None:
    for name, content in [
        ("d.csv", csv()),
        ("d.jsonl", many(lambda n: chat(text(n)))),
        ("q.jsonl", many(question)),
        ("i.zip", media("image", {})),
        ("a.zip", media("audio", {})),
        ("d.parquet", media_parquet([picture(n) for n in range(ROWS)], [n % 2 for n in range(ROWS)])),
    ]:
        left = [code for code in codes(look(tmp_path, name, content)) if code not in ("file-repaired",)]
        assert left == [], (name, left)


def test_answers_are_found_again_in_mended_texts(tmp_path: Path) -> None:
    name, content = FILES["html: questions"]
    card = look(tmp_path, name, content)
    out = tmp_path / "mended.jsonl"
    desk.mend(str(tmp_path / name), name, "html", card["guesses"][0], str(out))
    last = json.loads(out.read_text(encoding="utf-8").splitlines()[-1])
    assert last["context"] == "They say that Painter900 was here."
    assert last["answers"] == {"text": ["Painter900"], "answer_start": [14]}


def test_words_keep_their_tags(tmp_path: Path) -> None:
    name, content = FILES["personal-data: words"]
    card = look(tmp_path, name, content)
    out = tmp_path / "mended.jsonl"
    desk.mend(str(tmp_path / name), name, "personal-data", card["guesses"][0], str(out))
    last = json.loads(out.read_text(encoding="utf-8").splitlines()[-1])
    assert last["tokens"] == ["mail", "[email]", "now"] and len(last["ner_tags"]) == 3
