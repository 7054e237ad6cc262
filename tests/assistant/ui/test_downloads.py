"""Downloads: what is offered, to whom, and nothing else."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from starlette.applications import Starlette
from starlette.testclient import TestClient

from assistant.errors import PlainError
from assistant.session import Session
from assistant.ui import downloads, render

from .conftest import add_run


def client(session: Session) -> TestClient:
    return TestClient(Starlette(routes=downloads.routes(session)))


@pytest.fixture
def chat(session: Session) -> str:
    return session.open(None)


def test_the_model_comes_as_a_zip_that_holds_its_files(session: Session, chat: str) -> None:
    run = add_run(session, chat)
    answer = client(session).get(f"/download/{run}/model.zip?chat={chat}")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip"
    assert f'filename="{run}-model.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["config.json", "model.safetensors"]
        assert archive.read("model.safetensors") == bytes(range(256)) * 20_000


def test_a_zip_is_sent_in_pieces(tmp_path: Path) -> None:
    big = tmp_path / "weights"
    big.write_bytes(b"x" * (5 * downloads.CHUNK_BYTES))
    sizes = [len(piece) for piece in downloads.stream_zip([("weights", big)])]
    assert len(sizes) > 5 and max(sizes) < 2 * downloads.CHUNK_BYTES


def test_a_link_out_of_the_folder_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    model = tmp_path / "model"
    (model / "inner").mkdir(parents=True)
    (model / "inner" / "config.json").write_text("{}")
    (model / "link").symlink_to(tmp_path / "secret")
    (model / "folder").symlink_to(tmp_path)
    assert [name for name, _ in downloads.model_files(model)] == ["inner/config.json"]


def test_too_large_a_model_is_refused_with_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    monkeypatch.setattr(downloads, "MAX_ZIP_BYTES", 4)
    with pytest.raises(PlainError, match="too much for one download") as caught:
        downloads.model_files(tmp_path)
    assert str(tmp_path) in caught.value.fix


def test_reports_hold_the_persons_rows_only_where_asked_for(session: Session, chat: str) -> None:
    run = add_run(session, chat)
    get = client(session).get
    for name in ("report.html", "report.md"):
        answer = get(f"/download/{run}/{name}?chat={chat}")
        assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
        assert "95.0 %" in answer.text and "a private text" not in answer.text
    assert "a private text" in get(f"/download/{run}/report-with-mistakes.html?chat={chat}").text


def test_a_page_offers_only_links_that_work(session: Session, chat: str) -> None:
    run = add_run(session, chat)
    get = client(session).get
    assert [get(f"/{address}").status_code for address in downloads.links(run, chat).values()] == [200, 200, 200]


def test_an_export_is_downloaded_by_its_format(session: Session, chat: str) -> None:
    run = add_run(session, chat)
    get = client(session).get
    assert get(f"/download/{run}/export-onnx.zip").status_code == 404
    folder = session.home.run_dir(run) / "exports" / "onnx"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"onnx")
    with zipfile.ZipFile(io.BytesIO(get(f"/download/{run}/export-onnx.zip").content)) as archive:
        assert archive.namelist() == ["model.onnx"]


@pytest.mark.parametrize(
    "path",
    ["20200101-000000-000000/model.zip", "..%2F..%2Fetc/passwd", "x/model.zip", "RUN/plan.json", "RUN/..%2Fplan.json",
     "RUN/export-..%2Fmodel.zip", "RUN/export-.zip", "RUN/log.txt"],
)  # fmt: skip
def test_anything_else_is_not_there(session: Session, chat: str, path: str) -> None:
    run = add_run(session, chat)
    answer = client(session).get("/download/" + path.replace("RUN", run))
    assert answer.status_code == 404 and "mails" not in answer.text


def test_an_unfinished_run_has_no_report(session: Session, chat: str) -> None:
    run = add_run(session, chat, finished=False)
    answer = client(session).get(f"/download/{run}/report.html")
    assert answer.status_code == 404 and "must be finished" in answer.text


def test_in_a_demo_only_the_own_conversation_may_download(tmp_path: Path) -> None:
    session = Session(tmp_path / "home", demo=True)
    mine, other = session.open(None), session.open(None)
    run = add_run(session, mine)
    get = client(session).get
    assert get(f"/download/{run}/report.md?chat={mine}").status_code == 200
    assert get(f"/download/{run}/report.md?chat={other}").status_code == 404
    assert get(f"/download/{run}/report.md").status_code == 404
    session.close()


def test_the_first_recordings_of_a_zip_can_be_heard(session: Session, chat: str, tmp_path: Path) -> None:
    """By the data card's own addresses; only sounds, only to the conversation that they were added to."""
    path, sound = tmp_path / "calls.zip", io.BytesIO()
    soundfile.write(sound, np.sin(np.arange(4000) / 9), 8000, format="WAV")
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(12):
            name = f"{'yes' if number % 2 else 'no'}/{number}<b>.wav"
            archive.writestr(name, sound.getvalue() if number else b"<script>no sound</script>")
    said = session.say(chat, "sort my recordings", [path])
    (card,) = session.state(said.conversation).files
    drawn = render.view(session.messages(chat), {}, chat=chat)[1].html
    addresses = re.findall(r'<audio controls preload="none" src="([^"]+)"', drawn)
    assert addresses == [f"sound/{card.id}/{row}?chat={chat}" for row in range(4)]
    get = client(session).get
    assert [get("/" + address).status_code for address in addresses] == [404, 200, 200, 200]
    heard = get("/" + addresses[1])
    assert heard.headers["content-type"] == "audio/wav" and heard.content == sound.getvalue()
    other = session.open(None)
    for wrong in (f"sound/{card.id}/99?chat={chat}", f"sound/{card.id}/1?chat={other}", f"sound/{card.id}/1",
                  f"sound/..%2F..%2F{card.id}/1?chat={chat}"):  # fmt: skip
        assert get("/" + wrong).status_code == 404
