"""The command: exit codes, the shapes of its JSON, what goes to which stream, Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scripted
from fakes import FakeLocal

import assistant.chat
from assistant import cli
from assistant.jobs import launchers
from assistant.jobs.home import HOME_VARIABLE, Home
from assistant.jobs.store import Store

ROWS = "text,label\n" + "".join(f"come to the meeting number {i},ham\nwin prize {i} now,spam\n" for i in range(40))
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "assistant.chat.dialogue", scripted)  # type: ignore[arg-type]
    monkeypatch.setattr(assistant.chat, "dialogue", scripted, raising=False)
    monkeypatch.setitem(launchers.LAUNCHERS, "local", FakeLocal())
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs the command in this process; returns the exit code and the two streams."""

    def call(*arguments: object, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["finetune-assistant", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1), out, err

    return call


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "mails.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


@pytest.fixture
def plan(tmp_path: Path, rows: Path) -> Callable[[str], Path]:
    """Writes a plan that behaves as named."""

    def write(how: str, source: str = "mails.csv") -> Path:
        path = tmp_path / f"{how}.json"
        tree = {
            "task": "text-classification", "problem": "single_label_classification", "base_model": how,
            "method": {"name": "head"}, "training": {"epochs": 1, "learning_rate": 0.1, "batch_size": 8},
            "data": {"source": source, "columns": {"text": "text", "label": "label"}},
        }  # fmt: skip
        path.write_text(json.dumps(tree), encoding="utf-8")
        return path

    return write


def one(text: str) -> Any:
    """The one JSON value on standard output."""
    assert text.count("\n") == 1
    return json.loads(text)


# ---------------------------------------------------------------- a run without the chat


def test_a_plan_runs_to_its_result(call: Call, plan: Callable[[str], Path], tmp_path: Path) -> None:
    code, out, err = call("run", plan("finish"), "--json")
    shown = one(out)
    assert (code, shown["status"]) == (0, "finished")
    assert shown["result"]["verdict"]["code"] == "better"
    assert "Training" in err
    folder = tmp_path / "home" / "runs" / shown["id"]
    assert (folder / "result.json").exists()
    assert (folder / "data" / "train.jsonl").exists()


@pytest.mark.parametrize(
    ("how", "expected", "status", "said"),
    [
        ("finish", 0, "finished", ""),
        ("fail", 1, "failed", "All 8 rows are “spam”."),
        ("silent-death", 1, "failed", "without saying why"),
    ],
)
def test_the_exit_code_is_0_exactly_where_there_is_a_result(
    call: Call, plan: Callable[[str], Path], tmp_path: Path, how: str, expected: int, status: str, said: str
) -> None:
    code, out, err = call("run", plan(how), "--json")
    shown = one(out)
    assert (code, shown["status"]) == (expected, status)
    assert (tmp_path / "home" / "runs" / shown["id"] / "result.json").exists() == (code == 0)
    assert said in err and "Traceback" not in err


def test_the_data_lies_beside_the_plan_or_in_the_folder_at_hand(
    call: Call, plan: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = plan("finish")
    moved = path.rename(tmp_path / "elsewhere" / "plan.json")
    assert call("run", moved)[0] == 0  # from the folder at hand
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, _, err = call("run", moved)
    assert code == 1 and "mails.csv" in err and "beside the plan" in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a plan"),
        ("[]", "not a plan"),
        ('{"training": {"epochs": -1, "batch_size": 0}, "colour": 1}', "training.epochs"),
        ('{"task": "text-classification"}', "base_model"),
        ('{"task": "object-detection"}', "cannot train object-detection"),
    ],
)
def test_a_plan_that_cannot_run_says_all_that_is_wrong(call: Call, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    code, out, err = call("run", path)
    assert (code, out) == (1, "")
    assert said in err
    if "colour" in text:
        assert "batch_size" in err and "colour" in err


# ---------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"], ["--no-such-option"], ["run"], ["run", "missing.json"], ["say"],
        ["say", "x", "--file", "missing"], ["doctor", "missing.csv"], ["show"],
        ["chat", "--port", "99999"], ["compare"], ["evaluate", "1"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2(call: Call, arguments: list[str], tmp_path: Path) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert "Error" in err and "Traceback" not in err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "arguments", [["show", "7"], ["delete", "last"], ["predict", "1", "x"], ["export", "../x"], ["stop"]]
)
def test_a_run_that_is_not_there_is_1(call: Call, arguments: list[str]) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("Error: There is no run")


def test_help_tells_the_commands(call: Call) -> None:
    code, out, _ = call("--help")
    assert code == 0
    for name in (
        "say",
        "run",
        "runs",
        "show",
        "compare",
        "predict",
        "evaluate",
        "export",
        "delete",
        "doctor",
        "example",
    ):
        assert name in out
    assert "work" not in out.split()


def test_a_bug_is_a_sentence_and_exit_code_1(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.session.Session.runs", lambda self: 1 / 0)
    code, out, err = call("runs")
    assert (code, out) == (1, "")
    assert "ZeroDivisionError" in err and "Traceback" not in err


def test_a_bug_is_written_down_with_its_traceback(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("assistant.session.Session.runs", lambda self: 1 / 0)
    call("runs")
    assert "Traceback" in (tmp_path / "home" / "assistant.log").read_text()


# ---------------------------------------------------------------- say


def test_one_object_a_message_and_nothing_else(call: Call, rows: Path) -> None:
    code, out, err = call("say", "-", "--file", rows, "--json", "--dry-run", stdin="plan\nhello\n\nstart finish\n")
    answers = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [answer["intent"]["name"] for answer in answers] == ["plan", "help", "help", "start"]
    assert all(set(answer) == {"conversation", "intent", "plan", "run", "replies"} for answer in answers)
    assert len({answer["conversation"] for answer in answers}) == 1
    assert all(answer["run"] is None for answer in answers)
    assert answers[0]["plan"]["data"]["columns"] == {"text": "text", "label": "label"}


def test_a_conversation_goes_on(call: Call, rows: Path) -> None:
    first = one(call("say", "plan", "--file", rows, "--json")[1])
    second = one(call("say", "hello", "--conversation", first["conversation"], "--json")[1])
    assert second["plan"] == first["plan"]
    code, out, err = call("say", "hello", "--conversation", "0" * 32, "--json")
    assert (code, out) == (1, "") and "not known" in err


def test_say_waits_for_the_run_that_it_starts(call: Call, rows: Path, tmp_path: Path) -> None:
    first = one(call("say", "plan", "--file", rows, "--json")[1])
    code, out, err = call("say", "start finish", "--conversation", first["conversation"], "--json")
    answer = one(out)
    assert code == 0
    assert answer["run"]["status"] == "finished"
    assert answer["replies"] == ["run 1 queued", "run 1 finished with result"]
    assert "Training" in err
    assert (tmp_path / "home" / "runs" / answer["run"]["id"] / "result.json").exists()


def test_say_fails_where_its_run_fails(call: Call, rows: Path) -> None:
    code, out, err = call("say", "-", "--file", rows, "--json", stdin="plan\nstart fail\nhello\n")
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert len(answers) == 3
    assert answers[1]["run"]["status"] == "failed"
    assert "All 8 rows" in err


def test_say_for_people(call: Call, rows: Path) -> None:
    code, out, err = call("say", "plan", "--file", rows)
    assert code == 0
    assert out.strip() == "planned"
    assert "--conversation" in err


def test_a_server_works_the_run_that_say_starts(call: Call, rows: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    from assistant.jobs.worker import HomeLock

    lock = HomeLock(home.lock)
    assert lock.take("server")
    first = one(call("say", "plan", "--file", rows, "--json")[1])
    answer = one(call("say", "start finish", "--conversation", first["conversation"], "--json")[1])
    assert answer["run"]["status"] == "queued"
    lock.free()


def test_a_hostile_reply_cannot_move_the_cursor(call: Call, tmp_path: Path) -> None:
    bad = tmp_path / "bad\x1b[2J.csv"
    bad.write_bytes(b"")
    _, out, err = call("say", "hello", "--file", bad)
    assert "refused file-empty" in out
    assert "\x1b" not in out + err


# ---------------------------------------------------------------- lists and figures


def test_runs_show_compare_delete(call: Call, plan: Callable[[str], Path]) -> None:
    assert "no run yet" in call("runs")[1]
    assert one(call("runs", "--json")[1]) == []
    call("run", plan("finish"))
    call("run", plan("fail"))
    listed = one(call("runs", "--json")[1])
    assert [(run["number"], run["status"]) for run in listed] == [(1, "finished"), (2, "failed")]
    shown = one(call("show", "1", "--json")[1])
    assert set(shown) == {"id", "status", "plan", "result"}
    assert one(call("show", "last", "--json")[1])["result"] is None
    assert "finished" in call("runs")[1]
    code, _, err = call("compare", "1", "2")
    assert code == 1 and "Two finished runs" in err
    call("run", plan("finish"))
    assert [run["number"] for run in one(call("compare", "1", "3", "--json")[1])["runs"]] == [1, 3]
    assert one(call("delete", "2", "--json")[1])["deleted"]
    assert [run["number"] for run in one(call("runs", "--json")[1])] == [1, 3]


def test_predict_evaluate_and_export(
    call: Call, plan: Callable[[str], Path], rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("run", plan("finish"))
    fake = tmp_path / "fake" / "recipes"
    fake.mkdir(parents=True)
    (fake / "__init__.py").touch()
    (fake / "predict.py").write_text(
        'import json, sys\nprint(json.dumps({"ready": True}), flush=True)\n'
        'for line in sys.stdin: print(json.dumps({"input": json.loads(line)["text"], "prediction": "spam",'
        ' "scores": {"spam": 0.9, "ham": 0.1}}), flush=True)\n'
    )
    (fake / "evaluate.py").write_text(
        "import json, sys\nfolder, rows, out = sys.argv[1:]\nfigures = {'value': 0.9, 'low': 0.8, 'high': 1.0}\n"
        'found = {"rows": len(open(rows).readlines()), "metrics": {"accuracy": figures}}\n'
        'found = {"error": {"code": "column-missing", "what": "No column label."}} if found["rows"] == 1 else found\n'
        'open(out, "w").write(json.dumps(found)); sys.exit("error" in found)\n'
    )
    (fake / "export.py").write_text(
        "import sys, pathlib\npathlib.Path(sys.argv[3], 'model.safetensors').write_text('x')\n"
        "print('{\"files\": []}')\n"
    )
    monkeypatch.setattr(launchers, "_PACKAGES", str(tmp_path / "fake"))
    _, out, _ = call("predict", "1", "win a prize", "-", "--json", stdin="second\nthird\n")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["input"] for answer in answers] == ["win a prize", "second", "third"]
    assert answers[0]["scores"] == {"spam": 0.9, "ham": 0.1}
    assert call("predict", "1", "win a prize")[1] == "spam   (spam 90.0 %, ham 10.0 %)\n"
    found = one(call("evaluate", "1", rows, "--json")[1])
    assert found == {"rows": 80, "metrics": {"accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}}}
    assert "0.8 to 1" in call("evaluate", "1", rows)[1]
    (tmp_path / "one.csv").write_text("text,x\na b c,1\n")
    code, out, err = call("evaluate", "1", tmp_path / "one.csv", "--json")
    assert (code, out) == (1, "") and "No column label." in err
    files = one(call("export", "1", "--json")[1])["files"]
    assert [file["name"] for file in files] == ["model.safetensors"]
    target = tmp_path / "there"
    call("export", "1", "--out", target)
    assert (target / "model.safetensors").exists()
    code, _, err = call("export", "1", "--format", "exe")
    assert code == 1 and "adapter" in err


def test_doctor(call: Call, rows: Path, tmp_path: Path) -> None:
    report = one(call("doctor", rows, "--json")[1])
    assert set(report) == {"rows", "task", "columns", "findings"}
    assert (report["rows"], report["task"]) == (80, "text-classification")
    assert report["columns"] == {"text": "text", "label": "label"}
    assert all(set(finding) == {"code", "severity", "rows", "text", "fix"} for finding in report["findings"])
    assert "80 rows" in call("doctor", rows)[1]
    (tmp_path / "empty.csv").write_text("")
    code, out, err = call("doctor", tmp_path / "empty.csv", "--json")
    assert (code, out) == (1, "") and err.startswith("Error: ")
    assert not (tmp_path / "home").exists(), "a look at a file makes no home"


def test_the_examples_are_listed_and_an_unknown_one_is_refused(call: Call) -> None:
    assert "example spam" in call("example")[1]
    code, out, err = call("example", "moon")
    assert (code, out) == (1, "") and "spam" in err


# ---------------------------------------------------------------- real processes

DRIVER = (
    "import signal, sys; sys.path.insert(0, {tests!r})\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored\n"
    "from fakes import FakeLocal\n"
    "from assistant.jobs import launchers\n"
    "launchers.LAUNCHERS['local'] = FakeLocal()\n"
    "from assistant.cli import main; main()\n"
)


def start(*arguments: object) -> subprocess.Popen[str]:
    code = DRIVER.format(tests=str(Path(__file__).parent))
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_steps(home: Path) -> None:
    until = time.monotonic() + 30
    while not any("progress" in path.read_text() for path in home.glob("runs/*/events.jsonl")):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_ctrl_c_stops_cleanly_and_keeps_the_best_state(plan: Callable[[str], Path], tmp_path: Path) -> None:
    process = start("run", plan("steps"), "--json")
    wait_for_steps(tmp_path / "home")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    shown = one(out)
    assert (process.returncode, shown["status"], shown["result"]) == (1, "cancelled", None)
    assert (tmp_path / "home" / "runs" / shown["id"] / "model").is_dir()
    assert "Stopping" in err and "Traceback" not in err


def test_a_killed_command_leaves_a_run_that_the_next_one_finds(
    call: Call, plan: Callable[[str], Path], tmp_path: Path
) -> None:
    process = start("run", plan("steps"))
    wait_for_steps(tmp_path / "home")
    process.kill()
    process.communicate()
    listed = one(call("runs", "--json")[1])
    assert [run["status"] for run in listed] == ["running"]
    assert call("stop", "1")[0] == 0
    folder = tmp_path / "home" / "runs" / listed[0]["id"]
    until = time.monotonic() + 20
    while one(call("show", "1", "--json")[1])["status"] != "cancelled":
        assert time.monotonic() < until
    assert (folder / "model").is_dir()


def test_no_wait_leaves_the_run_to_the_background(call: Call, rows: Path, tmp_path: Path) -> None:
    """The worker in the background uses the real launcher, so that here it must only take the run."""
    first = one(call("say", "plan", "--file", rows, "--json")[1])
    began = time.monotonic()
    code, out, _ = call("say", "start finish", "--conversation", first["conversation"], "--json", "--no-wait")
    assert code == 0
    assert one(out)["run"]["status"] == "queued"
    assert time.monotonic() - began < 5
    home = Home(tmp_path / "home")
    store = Store(home)
    run = store.runs()[0].run
    until = time.monotonic() + 60
    try:
        while store.runs()[0].status == "queued":
            assert time.monotonic() < until, "nobody took it"
            time.sleep(0.1)
    finally:
        (home.run_dir(run) / "stop").touch()
        while store.runs()[0].status == "running" and time.monotonic() < until:
            launchers.end_processes(home.run_dir(run), force=True)
            time.sleep(0.1)
        store.close()


def test_the_command_answers_quickly(tmp_path: Path, rows: Path) -> None:
    """With a file to read, in seconds of the processor (about 1.1 on an idle machine), since others may be at work."""
    resource = pytest.importorskip("resource")
    environment = {**os.environ, HOME_VARIABLE: str(tmp_path / "home")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "assistant", "say", "--json", "--dry-run", "--file", str(rows), "sort my mails"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 4


def test_the_installed_command_is_there() -> None:
    command = Path(sys.executable).with_name("finetune-assistant")
    if not command.exists():
        pytest.skip("the package is not installed in this environment")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "doctor" in done.stdout
