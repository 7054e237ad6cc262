"""The command `finetune-assistant`. Exit codes: 0 done, 1 the run or request failed, 2 wrong usage.

What belongs to a machine goes to standard output (`--json`), what belongs to a waiting person to standard error.
"""
# ruff: noqa: PLC0415 - the command must answer within a second: what is heavy is imported where it is used

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.errors import PlainError
from assistant.jobs.home import HOME_VARIABLE

if TYPE_CHECKING:
    from assistant.chat.llm import SecondReader
    from assistant.jobs.store import QueueRow
    from assistant.session import Answer, Session
    from recipes.plan import Plan

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Fine-tune a pretrained model by chat, and get an honest verdict on your own data.",
)

HomeOption = Annotated[
    Path | None, typer.Option("--home", metavar="FOLDER", help=f"where the state lives; else {HOME_VARIABLE}")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="its id, its number, or “last”")]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]
HostOption = Annotated[str, typer.Option(help="0.0.0.0 lets other machines in; there is no password")]
PortOption = Annotated[int, typer.Option(min=0, max=65535)]
ReaderUrlOption = Annotated[
    str | None, typer.Option("--reader-url", metavar="URL", help="a second reader for unclear requests (see README)")
]
ReaderModelOption = Annotated[str | None, typer.Option("--reader-model", metavar="NAME", help="the model it asks for")]
DemoOption = Annotated[bool, typer.Option("--demo", help="for a public page: small runs, few of them, no publishing")]


def main() -> None:
    """Run the command; the only place where errors become sentences and exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    from assistant.terminal import complain

    try:
        app()
    except PlainError as error:
        complain(error)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last net: written down, and told in a sentence
        what = f"Something in the assistant itself went wrong ({type(error).__name__}: {str(error)[:200]})."
        complain(PlainError("internal-error", what, f"The details are in {_write_down()}."))
        sys.exit(1)


def _write_down() -> Path:
    """The traceback at hand goes to the home's log, never to the person's screen."""
    from assistant.jobs.home import Home
    from assistant.session import open_log

    home = Home()
    handler = open_log(home)
    logging.getLogger("assistant").exception("the command failed")
    logging.getLogger("assistant").removeHandler(handler)
    handler.close()
    return home.log


@contextmanager
def opened(home: Path | None, *, demo: bool = False, reader: SecondReader | None = None) -> Iterator[Session]:
    """A session that is closed again."""
    from assistant.session import Session

    session = Session(home, demo=demo, reader=reader)
    os.environ[HOME_VARIABLE] = str(session.home.root)  # for what we start, and for `_write_down`
    try:
        yield session
    finally:
        session.close()


def put(value: Any) -> None:
    """One JSON value on a line of standard output."""
    typer.echo(json.dumps(value))


# ---------------------------------------------------------------- chat


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    host: HostOption = "127.0.0.1",
    port: PortOption = 7860,
    home: HomeOption = None,
    demo: DemoOption = False,
    reader_url: ReaderUrlOption = None,
    reader_model: ReaderModelOption = None,
) -> None:
    """Without a command: the chat in the browser."""
    if home is not None:
        os.environ[HOME_VARIABLE] = str(home)
    if context.invoked_subcommand is None:
        chat(host, port, home, demo, reader_url, reader_model)


@app.command()
def chat(
    host: HostOption = "127.0.0.1",
    port: PortOption = 7860,
    home: HomeOption = None,
    demo: DemoOption = False,
    reader_url: ReaderUrlOption = None,
    reader_model: ReaderModelOption = None,
) -> None:
    """Open the chat in the browser (the default)."""
    from assistant.ui.lean import without_pyarrow

    without_pyarrow()
    from assistant.chat.llm import from_environment

    with opened(home, demo=demo, reader=from_environment(reader_url, reader_model)) as session:
        from assistant.ui.app import launch

        launch(session, host, port)


# ---------------------------------------------------------------- talk


@app.command()
def say(
    text: Annotated[str, typer.Argument(metavar="TEXT|-", help="one message; - reads one a line from standard input")],
    file: Annotated[list[Path] | None, typer.Option("--file", exists=True, dir_okay=False, help="repeatable")] = None,
    conversation: Annotated[str | None, typer.Option(metavar="ID", help="go on with this one")] = None,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="decide and answer, but start and delete nothing")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="leave a run that starts to the background")] = False,
    home: HomeOption = None,
) -> None:
    """Say one message, or several, and read the answers."""
    from assistant.chat.llm import from_environment
    from assistant.terminal import write_replies

    failed = False
    with opened(home, reader=from_environment()) as session:
        files = file or []
        for line in _lines() if text == "-" else [text]:
            answer = session.say(conversation, line, files, dry_run=dry_run)
            conversation, files = answer.conversation, []
            if not as_json:
                write_replies(answer.replies)
                answer.replies = []
            for run in answer.started:
                failed |= not _see_through(session, run, no_wait)
            if answer.started:
                answer = _with_end(session, answer)
            if as_json:
                put(answer.as_json())
            else:
                write_replies(answer.replies)
            sys.stdout.flush()
        if text != "-" and not as_json:
            _hint(conversation)
    raise typer.Exit(1 if failed else 0)


def _lines() -> Iterator[str]:
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    for line in sys.stdin:
        yield line.rstrip("\r\n")


def _hint(conversation: str | None) -> None:
    from assistant.terminal import note

    note(f"(go on with: finetune-assistant say --conversation {conversation} …)")


def _see_through(session: Session, run: str, no_wait: bool) -> bool:
    """Wait for a run that was started, unless a server does or nobody wants to; returns whether nothing went wrong."""
    if session.worker.served():
        return True
    if no_wait:
        _work_in_background(session)
        return True
    row = session.find_run(run)
    status = _wait(session, row)
    if status != "finished":
        _complain_of(session, row, status)
    return status == "finished"


def _with_end(session: Session, answer: Answer) -> Answer:
    """The answer with what was said meanwhile, and the run as it stands now."""
    later = session.messages(answer.conversation, limit=1000, after=answer.last_message)
    answer.replies = [*answer.replies, *(message.reply for message in later if message.reply is not None)]
    answer.run = session.card(session.find_run(answer.started[-1]))
    return answer


def _work_in_background(session: Session) -> None:
    import subprocess

    from assistant.jobs.launchers import environment

    subprocess.Popen(
        [sys.executable, "-m", "assistant", "work", "--home", str(session.home.root)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
        start_new_session=True,
    ).returncode = 0  # fmt: skip  # it outlives us on purpose


@app.command(hidden=True)
def work(home: HomeOption = None) -> None:
    """Work the queue until it is empty."""
    import time

    with opened(home) as session:
        while session.store.runs(status="queued") or session.store.runs(status="running"):
            if session.worker.take():
                session.worker.tick()
            time.sleep(0.3)


@app.command()
def example(name: Annotated[str, typer.Argument(metavar="NAME")] = "", home: HomeOption = None) -> None:
    """A ready conversation on shipped data, from the request to the verdict."""
    from assistant.data import examples
    from assistant.terminal import write

    if not name:
        known = [
            f"finetune-assistant example {one}   {examples.example(one).title}" for one in examples.example_names()
        ]
        write("Examples:\n  " + "\n  ".join(known))
        return
    chosen = examples.example(name)
    with opened(home) as session:
        write(f"> {chosen.request}   [{chosen.path.name}]\n")
        answer = session.say(None, chosen.request, [chosen.path])
        _write_and_see_through(session, answer)
        write("> start\n")
        fine = _write_and_see_through(session, session.say(answer.conversation, "start"))
        _hint(answer.conversation)
    raise typer.Exit(0 if fine else 1)


def _write_and_see_through(session: Session, answer: Answer) -> bool:
    """Write the replies, wait for a run that was started, and write what is said at its end."""
    from assistant.terminal import write_replies

    write_replies(answer.replies)
    answer.replies, fine = [], True
    for run in answer.started:
        row = session.find_run(run)
        status = _wait(session, row)
        if status != "finished":
            fine = False
            _complain_of(session, row, status)
    if answer.started:
        write_replies(_with_end(session, answer).replies)
    return fine


# ---------------------------------------------------------------- runs


@app.command()
def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN.json", exists=True, dir_okay=False)],
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Run a plan without the chat. Ctrl-C stops cleanly and keeps the best state."""
    with opened(home) as session:
        row = _submit(session, plan)
        status = _wait(session, row)
        _show(session, row, as_json)
        if status != "finished":
            _complain_of(session, row, status)
            raise typer.Exit(1)


def _submit(session: Session, path: Path) -> QueueRow:
    from assistant.data.stored import Stored
    from assistant.effects import check_can_run, create_run

    plan = _load_plan(path)
    check_can_run(plan)
    files = {}
    for role, source in (("train", plan.data.source), ("test", plan.data.test_source)):
        found = _beside(path, source)
        if found is not None:
            files[role] = Stored(found, found.name)
    return create_run(session, plan, files, title=path.stem)


def _load_plan(path: Path) -> Plan:
    from pydantic import ValidationError

    from recipes.plan import Plan

    try:
        return Plan.load(path)
    except (OSError, UnicodeError) as error:
        raise PlainError("plan-invalid", f"{path} cannot be read ({error}).", "A plan in JSON was expected.") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in error.errors())
        raise PlainError("plan-invalid", f"{path} is not a plan that can run: {faults}.") from error


def _beside(path: Path, source: str | None) -> Path | None:
    """The file that a plan names: beside the plan, else in the folder at hand; None for a Hub data set."""
    if source is None:
        return None
    for folder in (path.resolve().parent, Path.cwd()):
        if (folder / source).is_file():
            return folder / source
    from assistant.effects import is_hub_id

    if is_hub_id(source):
        return None
    raise PlainError(
        "file-missing",
        f"The plan's data {source!r} is neither in {path.resolve().parent} nor in {Path.cwd()}.",
        fix="Put the file beside the plan, or correct data.source.",
    )


def _wait(session: Session, row: QueueRow) -> str:
    """Wait with progress; the first Ctrl-C stops the run cleanly, the second ends it at once."""
    from assistant.jobs.launchers import end_processes
    from assistant.jobs.worker import stop_run
    from assistant.terminal import Progress, note

    folder, stopping = session.home.run_dir(row.run), False
    progress = Progress(folder)
    while True:
        try:
            return session.wait(row.run, progress)
        except KeyboardInterrupt:
            if stopping:
                end_processes(folder, force=True)
                continue
            stopping = True
            note("\nStopping; the best state so far is kept. (Ctrl-C again ends it at once.)")
            try:
                stop_run(session.home, session.store, row.run)
            except PlainError:
                continue  # it has ended in this instant


def _complain_of(session: Session, row: QueueRow, status: str) -> None:
    """Why a run did not finish, on standard error."""
    from assistant.jobs import rundir
    from assistant.terminal import complain

    folder = session.home.run_dir(row.run)
    word = rundir.last_word(folder)
    if status == "failed" and word is not None:
        complain(PlainError(word.code, word.what, word.expected, word.fix))
    elif status == "cancelled":
        kept = "Its best state is kept." if (folder / "model").is_dir() else ""
        complain(PlainError("run-stopped", f"Run {row.number} was stopped before it was done.", kept))
    else:
        complain(PlainError("run-not-finished", f"Run {row.number} is {status}.", f"Its log is {folder / 'log.txt'}."))


def _show(session: Session, row: QueueRow, as_json: bool) -> None:
    from assistant.terminal import write

    shown = session.show(row.run)
    if as_json:
        put(shown)
    elif shown["result"] is not None:
        from assistant.report.card import report_markdown
        from recipes.events import Result
        from recipes.plan import Plan

        write(report_markdown(Result.model_validate(shown["result"]), Plan.model_validate(shown["plan"])))
    else:
        write(f"Run {row.number} ({row.run}): {shown['status']}. Folder: {session.home.run_dir(row.run)}")


@app.command()
def runs(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """List the runs, oldest first."""
    from assistant.terminal import table, write

    with opened(home) as session:
        cards = session.runs()
    if as_json:
        put([card.model_dump(mode="json") for card in cards])
    elif cards:
        write(table([["run", "status", "id", "what"], *([str(c.number), c.status, c.id, c.title] for c in cards)]))
    else:
        write("There is no run yet. Begin with: finetune-assistant example spam")


@app.command()
def show(run: RunArgument, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Show a run: its status, its plan, and its result."""
    with opened(home) as session:
        _show(session, session.find_run(run), as_json)


@app.command()
def stop(run: RunArgument = "last", as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Stop a run; its best state is kept."""
    from assistant.jobs.worker import stop_run
    from assistant.terminal import write

    with opened(home) as session:
        row = session.find_run(run)
        stop_run(session.home, session.store, row.run)
        put({"id": row.run, "status": session.status(row)}) if as_json else write(f"Run {row.number} is being stopped.")


@app.command()
def resume(run: RunArgument = "last", as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Go on with a run that was stopped, failed or was cut off."""
    with opened(home) as session:
        row = session.find_run(run)
        session.resume(row)
        status = _wait(session, row)
        _show(session, row, as_json)
        if status != "finished":
            _complain_of(session, row, status)
            raise typer.Exit(1)


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN…")], as_json: JsonOption = False, home: HomeOption = None
) -> None:
    """Compare finished runs."""
    from assistant.effects import compare_runs
    from assistant.terminal import write

    with opened(home) as session:
        found = compare_runs(session, [session.find_run(run) for run in runs])
    put({"runs": found["runs"]}) if as_json else write(found["text"])


@app.command()
def delete(run: RunArgument, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Remove a run with all that it made."""
    from assistant.effects import remove_run
    from assistant.terminal import write

    with opened(home) as session:
        row = session.find_run(run)
        if sys.stdin.isatty() and not as_json:
            typer.confirm(f"Remove run {row.number} ({row.title}) with its model?", abort=True, err=True)
        remove_run(session, row)
    put({"id": row.run, "deleted": True}) if as_json else write(f"Run {row.number} is removed.")


# ---------------------------------------------------------------- models


@app.command()
def predict(
    run: RunArgument,
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT…", help="texts, or files for models of pictures; - reads one a line")
    ],
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Ask a run's model."""
    from assistant import effects, trying
    from assistant.terminal import write

    with opened(home) as session:
        texts = [text for one in inputs for text in (_lines() if one == "-" else [one])]
        row = session.find_run(run)
        for answer in effects.predict(session, row, trying.inputs_of(session, row, texts)):
            if as_json:
                put(answer)
                continue
            scores = sorted((answer.get("scores") or {}).items(), key=lambda pair: -pair[1])[:3]
            shown = ", ".join(f"{label} {100 * value:.1f} %" for label, value in scores)
            write(f"{_spoken(answer['prediction'])}" + (f"   ({shown})" if shown else ""))


def _spoken(prediction: Any) -> str:
    if isinstance(prediction, list) and any(isinstance(each, dict) for each in prediction):
        return "   ".join(f"{each['label']}: {each['text']} ({100 * each['score']:.0f} %)" for each in prediction)
    if isinstance(prediction, list):
        return ", ".join(map(str, prediction)) or "(none)"
    return f"{prediction:.4g}" if isinstance(prediction, float) else str(prediction) or "(nothing)"


@app.command()
def evaluate(run: RunArgument, file: FileArgument, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Score a run's model on another file with labels."""
    from assistant import effects
    from assistant.data.stored import Stored
    from assistant.terminal import table, write

    with opened(home) as session:
        found = effects.evaluate(session, session.find_run(run), Stored(file, file.name))
    if as_json:
        put({"rows": found["rows"], "metrics": found["metrics"]})
        return
    rows = [[name, f"{m['value']:.4g}", f"{m['low']:.4g} to {m['high']:.4g}"] if m.get("low") is not None
            else [name, f"{m['value']:.4g}", ""] for name, m in found["metrics"].items()]  # fmt: skip
    write(f"On {found['rows']:,} rows:\n" + table([["metric", "value", "95 % interval"], *rows]))
    if found.get("classes"):
        rows = [[one["label"], f"{one['rows']:,}", *(f"{one[name]['value']:.3g}" if one.get(name) else "–"
                 for name in ("precision", "recall"))] for one in found["classes"]]  # fmt: skip
        write(table([["type", "in the file", "precision", "recall"], *rows]))


@app.command()
def export(
    run: RunArgument,
    form: Annotated[str, typer.Option("--format", help="merged, adapter, onnx")] = "merged",
    out: Annotated[Path | None, typer.Option(file_okay=False, help="folder; default: inside the run")] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Write a run's model as files."""
    from assistant import effects
    from assistant.terminal import write

    with opened(home) as session:
        files = effects.export(session, session.find_run(run), form, out.absolute() if out else None)
    put({"files": files}) if as_json else write("\n".join(str(one["path"]) for one in files))


@app.command()
def starter(
    name: Annotated[str, typer.Argument(metavar="NAME")] = "", as_json: JsonOption = False, home: HomeOption = None
) -> None:
    """Get a small real model that needs no model hub; without a name: list them."""
    from assistant.advise import catalog
    from assistant.jobs import starters
    from assistant.jobs.home import Home
    from assistant.terminal import download_progress, table, write

    place = Home(home)
    rows = [
        {"name": one.starter, "model": one.id, "title": one.name, "megabytes": one.download_mb, "licence": one.licence,
         "tasks": list(one.tasks), "installed": starters.is_here(place, one.starter, one.package)}
        for one in catalog.starters()
    ]  # fmt: skip
    if not name:
        head = ["name", "model", "download", "licence", "here"]
        lines = [[str(row["name"]), str(row["title"]), f"{row['megabytes']:.0f} MB", str(row["licence"]),
                  "yes" if row["installed"] else "no"] for row in rows]  # fmt: skip
        put(rows) if as_json else write(table([head, *lines]) + "\n\nGet one: finetune-assistant starter NAME")
        return
    known = [str(row["name"]) for row in rows]
    if name not in known:
        raise typer.BadParameter(f"there is no starter {name!r}; there are {', '.join(known)}", param_hint="NAME")
    row = next(row for row in rows if row["name"] == name)
    if not row["installed"]:
        starters.get_watched(place, name, download_progress())
    put({**row, "installed": True}) if as_json else write(
        f"{row['title']} is here ({row['licence']}); a plan names it {row['model']}."
    )


@app.command()
def doctor(file: FileArgument, as_json: JsonOption = False) -> None:
    """Check a file: what it holds, and what is wrong with it."""
    from assistant.data.stored import Stored
    from assistant.terminal import write

    seen = Stored(file, file.name).look()
    rows, findings, guess = seen["profile"]["rows"], seen["findings"], seen["guesses"][0]
    task, columns = guess["task"], guess["columns"]
    if as_json:
        fields = ("code", "severity", "rows", "text", "fix")
        found = [{field: finding[field] for field in fields} for finding in findings]
        put({"rows": rows, "task": task, "columns": columns, "findings": found})
        return
    roles = ", ".join(f"{role} = {column}" for role, column in columns.items())
    write(f"{file.name}: {rows:,} rows. " + (f"It looks like {task} ({roles})." if task else "Its task is not clear."))
    for finding in findings:
        write(f"\n{finding['severity']}: {finding['text']}" + (f"\n  {finding['fix']}" if finding["fix"] else ""))
    if not findings:
        write("Nothing wrong was found.")


if __name__ == "__main__":
    main()
