"""Names and ids from outside never become part of a path."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import PlainError
from assistant.jobs import home as homes
from assistant.jobs.home import Home

HOSTILE = [
    "../../etc/passwd", "..", ".", "", "/", "\\\\server\\share\\x.csv", "C:\\Windows\\win.ini", "a/b/../../c.csv",
    "x\x00y.csv", "$(rm -rf ~).csv", "`id`.csv", "-rf.csv", "con.csv", "a" * 5000 + ".csv", "naïve café.csv",
    "зима.csv", "\u202egpj.exe", "line\nbreak.csv", "\x1b[2J.csv", ".bashrc", "~/.ssh/id_rsa", "%2e%2e%2f.csv",
    "\udcff.csv",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_inside_the_uploads(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / "home")
    source = tmp_path / "rows.csv"
    source.write_text("text,label\na,b\n", encoding="utf-8")
    upload = home.keep_upload(source, name)
    stored = home.upload_path(upload)
    assert stored.resolve().is_relative_to(home.uploads.resolve())
    assert stored.read_text(encoding="utf-8") == "text,label\na,b\n"
    home.forget_upload(upload)
    with pytest.raises(PlainError, match="add it again"):
        home.upload_path(upload)


@given(st.text())
def test_every_shadow_of_a_name_is_plain(name: str) -> None:
    safe = homes.safe_name(name)
    assert safe and len(safe) <= homes.MAX_NAME and safe.isascii()
    assert not set(safe) & set("/\\\x00 $`;&|<>\"'") and not safe.startswith((".", "-"))


@given(st.text())
def test_a_shown_name_is_one_line_without_control_characters(name: str) -> None:
    shown = homes.display_name(name)
    assert shown and len(shown) <= 300
    assert shown.isprintable()
    assert not set(shown) & set("\n\r\x1b\x00\u202e")


@pytest.mark.parametrize(
    "run", ["../x", "", "a", "20260101-000000-zzzzzz", "20260101-000000-abcdef/..", None, "x" * 99]
)
def test_only_the_shape_of_a_run_id_becomes_a_path(tmp_path: Path, run: str) -> None:
    with pytest.raises(PlainError, match="no run"):
        Home(tmp_path / "home").run_dir(run)


@pytest.mark.parametrize("upload", ["../x", "", "A" * 32, "0" * 31, "0" * 33])
def test_only_the_shape_of_an_upload_id_becomes_a_path(tmp_path: Path, upload: str) -> None:
    with pytest.raises(PlainError, match="not known"):
        Home(tmp_path / "home").upload_dir(upload)


def test_ids_have_their_shapes_and_differ() -> None:
    assert homes.is_run_id(homes.new_run_id()) and homes.is_secret(homes.new_secret())
    assert len({homes.new_secret() for _ in range(100)}) == 100


def test_the_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    assert Home(home.root).root == home.root
    (tmp_path / "empty").mkdir(mode=0o755)
    assert stat.S_IMODE(Home(tmp_path / "empty").root.stat().st_mode) == 0o700


def test_a_folder_that_is_used_for_other_things_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine").chmod(0o755)
    (tmp_path / "mine" / "thesis.txt").touch()
    home = Home(tmp_path / "mine")
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o755
    assert stat.S_IMODE(home.runs.stat().st_mode) == stat.S_IMODE(home.uploads.stat().st_mode) == 0o700


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlainError, match="--home"):
        Home(tmp_path / "file" / "home")


def test_the_variable_names_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(homes.HOME_VARIABLE, str(tmp_path / "there"))
    assert Home().root == tmp_path / "there"
    monkeypatch.delenv(homes.HOME_VARIABLE)
    assert homes.default_home().name == "finetune-assistant"


def test_too_large_a_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    (tmp_path / "big.csv").write_bytes(b"x" * 11)
    with pytest.raises(PlainError, match="are taken"):
        home.keep_upload(tmp_path / "big.csv", "big.csv", limit=10)
    with pytest.raises(PlainError, match="zip"):
        home.keep_upload(tmp_path, "folder")
    assert list(home.uploads.iterdir()) == []


def test_what_was_left_half_made_is_swept_after_a_day(tmp_path: Path) -> None:
    import os
    import time

    home = Home(tmp_path / "home")
    old, new = home.runs / ".new-old", home.runs / ".new-new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (time.time() - 1e6,) * 2)
    home.sweep()
    assert not old.exists() and new.exists()
