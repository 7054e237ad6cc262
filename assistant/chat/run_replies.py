"""Sentences about runs: how one stands, how it ended, and what is done with its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.chat import nearest
from assistant.chat.buttons import DOWNLOAD, IMPROVE, NO, REPORT, RESUME, STATUS, TRY, YES_DELETE
from assistant.chat.turns import FileCard, Option, Reply, RunCard
from assistant.chat.wording import (
    code,
    duration,
    listed,
    many,
    percent,
    safe,
    size,
)  # fmt: skip


def no_runs() -> Reply:
    """There is no run at all."""
    return Reply(text="There are no runs yet. When a plan is ready and you say “start”, the first one begins.")


def no_such_run(spoken: object, runs: Sequence[RunCard]) -> Reply:
    """A run that does not exist."""
    known = listed([f"run {run.number}" for run in runs[-8:]])
    return Reply(text=f"There is no run {safe(spoken)}. I know {known}." if runs else no_runs().text)


def no_finished_run(runs: Sequence[RunCard], what: str) -> Reply:
    """Something that needs a finished model was asked for."""
    live = next((run for run in reversed(runs) if run.status in ("queued", "running")), None)
    if live is not None:
        return Reply(
            text=f"Run {live.number} is still {_STATUS[live.status]}; when it has finished you can {what}.",
            options=[STATUS],
        )
    return Reply(text=f"There is no finished model yet. Once a run has finished you can {what}.")


_STATUS = {
    "queued": "waiting for its turn",
    "running": "running",
    "finished": "finished",
    "failed": "failed",
    "cancelled": "stopped",
    "interrupted": "interrupted",
}


def run_began(run: RunCard) -> Reply:
    """The live card of a run."""
    text = (
        f"Run {run.number} is {_STATUS.get(run.status, run.status)}. I tell you here when it ends; “how is it "
        f"going?” and “stop” work at any time."
    )
    return Reply(
        text=text,
        card="run",
        data={"run": run.id},
        options=[STATUS, Option(label="Stop", say=f"stop run {run.number}")],
    )


def run_status(run: RunCard, view: Mapping[str, Any]) -> Reply:
    """How a run stands."""
    status = _STATUS.get(run.status, run.status)
    parts = [f"Run {run.number} is {status}"]
    if run.status == "running":
        phase = str(view.get("phase_text") or view.get("phase") or "")
        if phase:
            parts[0] += f": {safe(phase, 120)}"
        if view.get("total_steps"):
            parts.append(f"step {int(view.get('step') or 0):,} of {int(view['total_steps']):,}")
        if view.get("eta_seconds") is not None:
            parts.append(f"about {duration(view['eta_seconds'])} to go")
        last = _last_figures(view.get("curves") or {})
        if last:
            parts.append(last)
    elif view.get("seconds"):
        parts.append(f"it worked for {duration(view['seconds'])}")
    options = {
        "running": [STATUS, Option(label="Stop", say=f"stop run {run.number}")],
        "queued": [STATUS, Option(label="Stop", say=f"stop run {run.number}")],
        "finished": [REPORT, TRY],
        "cancelled": [RESUME],
        "interrupted": [RESUME],
        "failed": [Option(label="Why?", say="why did it stop?")],
    }
    return Reply(text=", ".join(parts) + ".", options=options.get(run.status, []))


def _last_figures(curves: Mapping[str, Any]) -> str:
    shown = []
    for name, points in curves.items():
        if name.startswith("validation/") and points:
            metric = name.partition("/")[2]
            shown.append(f"{metric} {points[-1][1]:.3f} on the validation rows")
    return listed(shown[:2])


def stopping(run: RunCard) -> Reply:
    """A stop was wished."""
    if run.status == "cancelled":
        return Reply(
            text=f"Run {run.number} is stopped. Its best state so far is kept; “resume” goes on with it.",
            options=[RESUME],
        )
    return Reply(text=f"Run {run.number} stops at its next step and keeps its best state. Say “resume” to go on later.")


def cancelled(run: RunCard, view: Mapping[str, Any]) -> Reply:
    """A run was stopped, or was interrupted."""
    if run.status == "interrupted":
        text = (
            f"Run {run.number} was interrupted (the computer or the process went away). It can go on from its "
            f"last checkpoint."
        )
        return Reply(text=text, options=[RESUME])
    kept = " The best state so far is kept and can be tried." if view.get("model_kept") else ""
    options = [RESUME, TRY, DOWNLOAD] if view.get("model_kept") else [RESUME]
    return Reply(text=f"Run {run.number} is stopped.{kept} Say “resume” to go on where it left off.", options=options)


def failed(run: RunCard, view: Mapping[str, Any]) -> Reply:
    """A run failed: what, expected, fix."""
    failure = view.get("failure") or {}
    what = failure.get("what") or "It ended without a word about why."
    parts = [f"Run {run.number} failed. {safe(what, 600)}"]
    parts += [safe(failure[key], 600) for key in ("expected", "fix") if failure.get(key)]
    options = (
        [Option(label="What does that mean?", say=f"what does {failure['code']} mean?")] if failure.get("code") else []
    )
    data = {
        "run": run.id,
        **{key: str(failure.get(key) or "") for key in ("code", "expected", "fix")},
        "what": f"Run {run.number} failed. {what}",
    }
    return Reply(
        text=" ".join(parts), card="error", data=data, options=[*options, Option(label="Start again", say="start")]
    )


def run_list(runs: Sequence[RunCard]) -> Reply:
    """All runs as a table."""
    lines = ["| Run | What | State |", "|---|---|---|"]
    lines += [
        f"| {run.number} | {safe(run.title or run.task, 60)} | {_STATUS.get(run.status, run.status)} |"
        for run in runs[-30:]
    ]
    more = f"\n\nThe oldest {len(runs) - 30} are not shown." if len(runs) > 30 else ""
    data = {"runs": [run.model_dump(mode="json") for run in runs[-30:]]}
    finished = [run for run in runs if run.status == "finished"]
    options = [REPORT] if finished else []
    if len(finished) > 1:
        options.append(
            Option(label="Compare the last two", say=f"compare run {finished[-2].number} and run {finished[-1].number}")
        )
    return Reply(text="\n".join(lines) + more, card="runs", data=data, options=options)


def ask_delete(run: RunCard) -> Reply:
    """Deleting needs a yes."""
    return Reply(
        text=f"Delete run {run.number} ({safe(run.title or run.task, 60)}) with its model, report and data copy? "
        f"This cannot be undone. Say yes to delete it.",
        options=[YES_DELETE, NO],
    )


def which_run(runs: Sequence[RunCard], verb: str) -> Reply:
    """Several runs could be meant."""
    return Reply(
        text=f"Which run should I {verb}?",
        options=[Option(label=f"Run {run.number}", say=f"{verb} run {run.number}") for run in runs[-5:]],
    )


def deleted(number: object) -> Reply:
    """A run is gone."""
    return Reply(text=f"Run {safe(number)} is deleted.")


def comparing(runs: Sequence[RunCard]) -> Reply:
    """A comparison is being made."""
    return Reply(text=f"Comparing {listed([f'run {run.number}' for run in runs])}.")


def compare_needs_two(runs: Sequence[RunCard]) -> Reply:
    """Fewer than two finished runs."""
    finished = sum(run.status == "finished" for run in runs)
    return Reply(
        text=f"A comparison needs two finished runs; there {'is' if finished == 1 else 'are'} {finished or 'none'}. "
        f"Change the plan and start another run, then I compare them."
    )


def try_now(run: RunCard) -> Reply:
    """The next plain text, or the next picture or recording, is an input."""
    what = {"image": "add a picture", "audio": "add a recording"}.get(run.task.partition("-")[0], "type a text")
    what = "add a recording" if run.task == "automatic-speech-recognition" else what
    what = nearest.HOW if run.task == nearest.TASK else what
    what = "type a question and, after it, the text to search" if run.task == "question-answering" else what
    return Reply(
        text=f"Run {run.number} is ready to be tried: {what} and I tell you what the model says. Say “stop” "
        f"when you are done."
    )


def predictions(found: Sequence[Mapping[str, Any]]) -> Reply:
    """What the model says to one or more inputs."""
    lines = [_prediction(one) for one in found[:20]]
    return Reply(
        text="\n\n".join(lines) or "The model gave no answer.", card="prediction", data={"predictions": list(found)}
    )


def _prediction(one: Mapping[str, Any]) -> str:
    answer, scores = one.get("prediction"), one.get("scores") or {}
    if nearest.is_one(one):
        return nearest.said(one)
    if "untuned" in one:
        return _written(one)
    if "question" in one:
        return _pointed(one)
    if isinstance(answer, list) and not scores:
        return _entities(answer)
    if isinstance(answer, list):
        shown = listed([f"**{safe(name)}**" for name in answer]) or "**none of the labels**"
        most = sorted(scores.items(), key=lambda pair: -pair[1])[:5]
        return f"{shown} ({', '.join(f'{safe(name, 40)} {percent(value, 0)}' for name, value in most)})."
    if isinstance(answer, (int, float)) and not isinstance(answer, bool) and not scores:
        return f"The model says **{answer:.3g}**."
    ranked = sorted(scores.items(), key=lambda pair: -pair[1])
    top = ranked[0][1] if ranked else None
    sure = "" if top is None else f", {percent(top, 0)} sure"
    rest = ", ".join(f"{safe(name, 40)} {percent(value, 0)}" for name, value in ranked[1:5])
    close = " That is close to a guess." if top is not None and len(ranked) > 1 and top - ranked[1][1] < 0.1 else ""
    return f"**{safe(answer)}**{sure}{f' ({rest})' if rest else ''}.{close}"


def _entities(answer: Sequence[Mapping[str, Any]]) -> str:
    """What was found in a text, one after the other."""
    found = [f"**{safe(each['text'], 80)}**: {safe(each['label'], 40)} ({percent(float(each['score']), 0)} sure)"
             for each in answer[:30]]  # fmt: skip
    more = f" And {len(answer) - 30} more." if len(answer) > 30 else ""
    return f"{'; '.join(found)}.{more}" if found else "I found nothing to mark in this text."


def _pointed(one: Mapping[str, Any]) -> str:
    """The words of a text that answer a question, or that there are none."""
    sure = f"({percent(float(one.get('score') or 0), 0)} sure)"
    if one.get("prediction"):
        return f"**{safe(one['prediction'], 300)}** {sure}."
    return f"The text does not answer that, says the model {sure}."


def _written(one: Mapping[str, Any]) -> str:
    """What a model writes, and what it wrote before the tuning."""
    said = f"**The tuned model:** {safe(one.get('prediction') or 'nothing', 2000)}"
    before = one.get("untuned")
    return said if before is None else f"{said}\n\n**Before the tuning:** {safe(before or 'nothing', 2000)}"


def trying_over() -> Reply:
    """Trying was ended."""
    return Reply(text="All right, no more inputs. What next?", options=[REPORT, IMPROVE, DOWNLOAD])


def evaluating(run: RunCard, file: FileCard) -> Reply:
    """A file is being scored."""
    return Reply(text=f"Scoring run {run.number} on {code(file.name)} ({many(file.profile.get('rows') or 0, 'row')}).")


def ask_evaluation_file() -> Reply:
    """There is no file to score on."""
    return Reply(
        text="Please add the file to test on: it needs the same columns as the training file, with the right answers."
    )


def exporting(form: str) -> Reply:
    """Files are being written."""
    named = {"adapter": "the adapter", "merged": "the whole model", "onnx": "ONNX", "gguf": "GGUF"}[form]
    return Reply(text=f"Writing the files ({named}).")


def files(found: Sequence[Mapping[str, Any]], form: str) -> Reply:
    """Exported files."""
    total = sum(float(one.get("bytes") or 0) for one in found)
    names = ", ".join(f"{code(one.get('name'))} ({size(one.get('bytes'))})" for one in found[:12])
    where = str(found[0].get("path", "")) if found else ""
    folder = where[: -len(str(found[0].get("name", "")))].rstrip("/\\") if found else ""
    text = f"The model is ready ({form}, {size(total)}): {names}."
    if folder:
        text += f" The files are in {code(folder, 300)}."
    return Reply(text=text, card="files", data={"files": list(found)})


def gguf_not_for(task: str) -> Reply:
    """GGUF holds language models only."""
    return Reply(
        text=f"GGUF (for Ollama and llama.cpp) holds language models that write; this model does "
        f"{task.replace('-', ' ')}. "
        "I can export it as the whole model (transformers) or as ONNX.",
        options=[Option(label="Whole model", say="download the model"), Option(label="ONNX", say="export as onnx")],
    )


def ask_publish(run: RunCard, repo: str | None, kind: str) -> Reply:
    """Publishing needs a yes."""
    what = "a demo page (Space)" if kind == "space" else "the model"
    where = f" as {code(repo)}" if repo else ""
    return Reply(
        text=f"Put {what} of run {run.number} on the Hugging Face Hub{where}? Others may then be able to see it. It "
        f"needs your login (HF_TOKEN). Say yes to go on.",
        options=[Option(label="Yes, publish it", say="yes"), NO],
    )
