"""Zip files: folders become labels, metadata is joined, and nothing hostile is unpacked."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from files import read, rows, zip_of

from assistant.data import archive
from assistant.data.table import read_bytes
from assistant.errors import PlainError

PIXEL = b"\x89PNG\r\n\x1a\n"


def refused(content: bytes) -> PlainError:
    with pytest.raises(PlainError) as caught:
        read_bytes(content, "upload.zip")
    return caught.value


def test_class_folders_of_texts() -> None:
    content = zip_of(
        {"train/pos/1.txt": "fine", "train/neg/1.txt": "bäd".encode("cp1252"), "__MACOSX/train/pos/._1.txt": "x"}
    )
    found = read(content, "reviews.zip")
    assert found.format == "zip-text"
    assert rows(found) == [{"text": "fine", "label": "pos"}, {"text": "bäd", "label": "neg"}]


def test_train_and_test_folders_are_kept_apart() -> None:
    content = zip_of({f"{part}/{label}/1.txt": f"{part} {label}" for part in ("train", "test") for label in ("a", "b")})
    assert rows(read(content, "x.zip"))[2] == {"text": "test a", "label": "a", "split": "test"}


def test_class_folders_of_pictures_are_listed_not_read() -> None:
    found = read(zip_of({"cats/1.png": PIXEL, "dogs/2.JPG": b"broken", "notes.txt": "hi"}), "pets.zip")
    assert found.format == "zip-images"
    assert rows(found) == [{"image": "cats/1.png", "label": "cats"}, {"image": "dogs/2.JPG", "label": "dogs"}]


@pytest.mark.parametrize("folder", ["", "photos/", "images/", "train/"])
def test_one_folder_is_no_class(folder: str) -> None:
    found = read(zip_of({f"{folder}{n}.png": PIXEL for n in range(3)}), "photos.zip")
    assert found.columns == ["image"]


def test_metadata_is_joined_by_file_name() -> None:
    content = zip_of(
        {
            "metadata.csv": "file_name,transcription\nclips/1.wav,hello there\nclips/2.wav,good bye\nclips/9.wav,no\n",
            **{f"clips/{number}.wav": "RIFF" for number in (1, 2, 3)},
        }
    )  # fmt: skip
    found = read(content, "voices.zip")
    assert found.format == "zip-audio"
    assert rows(found) == [
        {"audio": "clips/1.wav", "transcription": "hello there"},
        {"audio": "clips/2.wav", "transcription": "good bye"},
    ]
    assert any("not in the zip" in note for note in found.notes)
    assert any("not named in" in note for note in found.notes)


def test_metadata_in_json_lines_beside_its_pictures() -> None:
    lines = '{"file": "a.png", "label": "x"}\n{"file": "b.png", "label": "y"}\n'
    found = read(zip_of({"set/labels.jsonl": lines, "set/a.png": PIXEL, "set/b.png": PIXEL}), "x.zip")
    assert rows(found) == [{"image": "set/a.png", "label": "x"}, {"image": "set/b.png", "label": "y"}]


def test_a_table_in_a_zip_and_the_training_one_of_two() -> None:
    found = read(zip_of({"test.csv": "text,label\nt,x\n", "train.csv": "text,label\na,b\n"}), "both.zip")
    assert rows(found) == [{"text": "a", "label": "b"}]
    assert any("2 tables" in note for note in found.notes)


# ---------------------------------------------------------------- hostile archives


@pytest.mark.parametrize("name", ["../../etc/passwd.txt", "/etc/passwd.txt", "C:/x.txt", "a/../../b.txt", "..\\x.txt"])
def test_names_that_lead_outside(name: str) -> None:
    error = refused(zip_of({"ok.txt": "fine", name: "evil"}))
    assert error.code == "archive-unsafe" and "leads outside" in error.text()


def test_links_are_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        link = zipfile.ZipInfo("a/link.txt")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd")
    assert refused(stream.getvalue()).code == "archive-unsafe"


def test_a_bomb_is_told_by_its_ratio() -> None:
    error = refused(zip_of({"a.csv": b"0" * (60 * 1024**2)}))
    assert error.code == "archive-unsafe" and "zip bomb" in error.text()


def claim(content: bytes, size: int) -> bytes:
    """The archive with another unpacked size in its first central directory entry."""
    at = content.index(b"PK\x01\x02")
    return content[: at + 24] + struct.pack("<I", size) + content[at + 28 :]


def test_a_claim_of_two_gigabytes_is_not_opened() -> None:
    error = refused(claim(zip_of({"a.csv": "text,label\na,b\n"}), 2 * 1024**3))
    assert error.code == "file-too-large" and "2.0 GB" in error.text()


def test_a_member_that_unpacks_to_more_than_it_claims_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TABLE_BYTES", 1000)
    assert refused(zip_of({"a.csv": "text,label\n" + "a,b\n" * 1000})).code == "file-too-large"


def test_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 10)
    assert refused(zip_of({f"{n}.txt": "x" for n in range(11)})).code == "file-too-large"


def test_a_password() -> None:
    content = bytearray(zip_of({"a.csv": "text,label\na,b\n"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    error = refused(bytes(content))
    assert error.code == "file-unreadable" and "password" in error.text()


def test_an_empty_archive() -> None:
    assert refused(zip_of({})).code == "file-empty"
