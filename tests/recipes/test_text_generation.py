"""Language models learn answers: every shape of data, every method, and the laws of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_language
import torch
from safetensors.torch import load_file

from recipes.events import EventWriter
from recipes.parts import language_training, steady
from recipes.plan import Plan

pytestmark = [pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")]
SHAPES = ("messages", "sharegpt", "alpaca", "prompt", "table", "text")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """tiny_model("llama") -> a folder with a tiny random model, made once."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = tiny_language.save(tmp_path_factory.mktemp(kind), kind)
        return made[kind]

    return get


@pytest.fixture
def new_chat(tmp_path: Path, tiny_model: Callable[[str], Path]) -> Callable[..., Path]:
    """new_chat(shape, method, **{dotted path: value}) -> the path of a plan that is ready to run."""

    def make(
        shape: str = "messages", method: str = "lora", *, rows: int = 120, kind: str = "llama", name: str = "run",
        data: list[dict[str, Any]] | None = None, **changes: Any,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "runs" / name
        (folder / "data").mkdir(parents=True)
        made, columns = tiny_language.as_shape(shape, tiny_language.rows(rows))
        lines = "".join(json.dumps(row) + "\n" for row in (data or made))
        (folder / "data" / "train.jsonl").write_text(lines, encoding="utf-8")
        settings = {
            "task": "text-generation",
            "base_model": str(tiny_model(kind)),
            "method.name": method,
            "method.rank": 8 if method == "lora" else None,
            "data.source": "data/train.jsonl",
            "data.columns": columns,
            "training.epochs": 4,
            "training.learning_rate": 1e-2,
            "training.batch_size": 16,
            "training.max_length": 64,
            "compute.precision": "float32",
        }
        plan = Plan().changed({**settings, **changes})
        plan.save(folder / "plan.json")
        return folder / "plan.json"

    return make


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_data_is_learned(
    shape: str, new_chat: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    done = run_here(new_chat(shape))
    assert done.code == 0, done.last
    result = done.result
    assert sum(result.rows.values()) == 120
    assert result.metric == "loss" and result.model_format == "peft"
    assert result.metrics["loss"].value < 0.9 * result.baselines["untuned"]["loss"].value
    assert result.metrics["perplexity"].value == pytest.approx(math.exp(result.metrics["loss"].value))
    assert result.verdict.code in ("better", "not_enough_data") and result.verdict.text == done.last.text
    assert ("few_shot" in result.baselines) == (shape != "text")
    assert 0 < result.trainable_parameters < result.total_parameters
    shown = next(event for event in done.events if event.kind == "sample")
    learned = "".join(part["text"] for part in shown.value["parts"] if part["learned"])
    assert learned.startswith("it is") == (shape != "text")
    assert (done.folder / "model" / "adapter_config.json").is_file()


@pytest.mark.parametrize(
    ("method", "kind"), [("full", "llama"), ("full", "gpt2"), ("lora", "gpt2"), ("lora", "llama-plain")]
)
def test_every_method_and_architecture(
    method: str, kind: str, new_chat: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    """The model lies there as plain transformers and PEFT load it, and says what it said in the run."""
    done = run_here(new_chat("table", method, kind=kind))
    assert done.code == 0, done.last
    assert done.result.model_format == ("peft" if method == "lora" else "transformers")
    assert done.result.metrics["loss"].value < 0.9 * done.result.baselines["untuned"]["loss"].value
    assert (done.folder / "model" / "README.md").read_text(encoding="utf-8").startswith("---")
    assert not list((done.folder / "model").glob("*.bin"))
    config = json.loads((done.folder / "model" / "generation_config.json").read_text(encoding="utf-8"))
    assert 2 in config["eos_token_id"] and config.get("do_sample", False) is False
    assert (4 in config["eos_token_id"]) == (kind == "llama"), "the chat format's own end of an answer"


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_card_loads_the_model_and_it_answers(
    method: str, new_chat: Callable[..., Path], run_here: Callable[..., Any], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The lines of the card run as they stand, and print what the run's model says."""
    from recipes.predict import answers, load

    rate = 1e-2 if method == "lora" else 3e-3
    done = run_here(new_chat("messages", method, rows=300, **{"training.epochs": 12, "training.learning_rate": rate}))
    assert done.code == 0, done.last
    card = (done.folder / "model" / "README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    base = Plan.load(done.folder / "plan.json").base_model or ""
    code = code.replace(json.dumps(Path(base).name), json.dumps(base))
    question = "what is the capital of japan ?"
    said = next(answers([json.dumps({"text": question})], *load(done.folder)))  # type: ignore[arg-type]
    expected = said["prediction"]
    monkeypatch.chdir(done.folder / "model")
    capsys.readouterr()
    exec(compile(code.replace("Put your question here.", question), "card", "exec"), {})
    assert capsys.readouterr().out.strip() == expected.strip() != ""
    assert expected.startswith("it is") and len(expected.split()) < 6, "it answers in the form, and stops"
    assert "exact_match" in done.result.metrics and "exact_match" in done.result.baselines["untuned"]
    assert len(done.result.written or []) == 5
    assert "rows" in done.result.verdict.text and "paris" not in card


def test_predict_evaluate_and_export(
    new_chat: Callable[..., Path], run_here: Callable[..., Any], tmp_path: Path
) -> None:
    """The tuned and the untuned answer; figures on other rows; a merged model that says the same."""
    from recipes.evaluate import evaluate
    from recipes.export import export
    from recipes.predict import answers, load

    done = run_here(new_chat("messages", rows=200, **{"training.epochs": 8}))
    assert done.code == 0, done.last
    plan, chat = load(done.folder)
    lines = [
        '{"text": "what is the capital of peru ?"}', '{"messages": [{"role": "user", "content": "the capital ?"}]}',
        '{"text": " "}', "no json", '{"text": "what ?", "untuned": false}',
    ]  # fmt: skip
    said = list(answers(lines, plan, chat))  # type: ignore[arg-type]
    assert said[0]["prediction"] and said[0]["untuned"] != said[0]["prediction"]
    assert said[1]["input"] == "the capital ?"
    assert [one.get("error", {}).get("code") for one in said] == [None, None, "input-unusable", "input-unusable", None]
    assert "untuned" not in said[4]
    rows, _ = tiny_language.as_shape("messages", tiny_language.rows(30, seed=5))
    path = tmp_path / "more.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    report = evaluate(done.folder, path)
    assert report["rows"] == 30 and report["metrics"]["loss"]["low"] < report["metrics"]["loss"]["value"]
    files = export(done.folder, "merged", tmp_path / "merged")
    assert "model.safetensors" in files and "README.md" in files and "adapter_config.json" not in files
    assert "PeftModel" not in (tmp_path / "merged" / "README.md").read_text(encoding="utf-8")
    assert "adapter_model.safetensors" in export(done.folder, "adapter", tmp_path / "adapter")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method.name": "head"}, "method-not-available"),
        ({"method.name": "qlora", "method.rank": 4}, "qlora-needs-gpu"),
        ({"data.columns": {"messages": "talk"}}, "column-missing"),
        ({"training.max_length": 8}, "all-masked"),
        ({"base_model": "someone/some-model"}, "hub-unreachable"),
    ],
)
def test_a_persons_mistake_is_a_sentence(
    changes: dict[str, Any], code: str, new_chat: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    done = run_here(new_chat("messages", rows=60, **{"training.epochs": 1, **changes}))
    assert (done.code, done.last.kind, done.last.code) == (1, "failed", code), done.last
    assert done.last.what and (done.last.expected or done.last.fix)
    assert not (done.folder / "result.json").exists()


def test_rows_that_are_cut_or_left_out_are_counted(new_chat: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    rows, _ = tiny_language.as_shape("messages", tiny_language.rows(80))
    rows[3]["messages"][1]["content"] = "it is paris " * 30
    rows[4]["messages"] = rows[4]["messages"][:1]
    done = run_here(new_chat("messages", data=rows, **{"training.epochs": 1}))
    assert done.code == 0, done.last
    told = {event.code: event.text for event in done.events if event.kind == "warning"}
    assert "1 of 79 rows are longer than 64 tokens" in told["rows-cut"]
    assert "1 of 80 rows" in told["rows-left-out"] and "no answer" in told["rows-left-out"]


# Interrupted


class Killed(BaseException):
    """Ends a run at once, without a last word, as kill -9 does."""


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """at_step(step, do): call `do(folder)` when the training's progress has reached that step."""
    written = EventWriter.write
    monkeypatch.setattr("recipes.parts.context.PROGRESS_SECONDS", 0.0)  # every step is told

    def arrange(step: int, do: Callable[[Path], None]) -> None:
        def write(self: EventWriter, event: Any) -> None:
            written(self, event)
            if self.path is not None and event.kind == "progress" and event.step >= step:
                do(self.path.parent)

        monkeypatch.setattr(EventWriter, "write", write)

    return arrange


def die(_folder: Path) -> None:
    raise Killed


def test_stopped_then_killed_then_resumed_equals_uninterrupted(
    new_chat: Callable[..., Path], run_here: Callable[..., Any], at_step: Callable[..., None]
) -> None:
    """The same adapter, bit for bit, and the same figures."""
    how = {"training.epochs": 6, "training.early_stopping": None}
    whole, broken = new_chat(name="whole", **how), new_chat(name="broken", **how)
    reference = run_here(whole)
    assert reference.code == 0, reference.last
    at_step(8, lambda folder: (folder / "stop").touch())
    stopped = run_here(broken)
    assert (stopped.code, stopped.last.kind, stopped.last.model_kept) == (3, "cancelled", True)
    assert (broken.parent / "model" / "adapter_config.json").is_file()
    (broken.parent / "stop").unlink()
    at_step(20, die)
    with pytest.raises(Killed):
        run_here(broken)
    at_step(10**9, die)
    resumed = run_here(broken)
    assert resumed.code == 0, resumed.last
    assert resumed.kinds.count("resumed") == 2
    assert resumed.result.metrics == reference.result.metrics
    assert resumed.result.curves == reference.result.curves
    first, second = (load_file(plan.parent / "model" / "adapter_model.safetensors") for plan in (whole, broken))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_number_that_is_none_stops_before_the_step(
    new_chat: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, calls = language_training.AnswersTrainer.compute_loss, []

    def sometimes_nan(self: Any, *arguments: Any, **named: Any) -> Any:
        calls.append(1)
        return steps(self, *arguments, **named) * (float("nan") if len(calls) == 4 else 1.0)

    monkeypatch.setattr(language_training.AnswersTrainer, "compute_loss", sometimes_nan)
    plan = new_chat()
    done = run_here(plan)
    assert (done.code, done.last.kind, done.last.code) == (1, "failed", "nan")
    assert not (plan.parent / "model").exists()


def test_memory_that_runs_out_halves_the_rows_in_memory_not_the_batch(
    new_chat: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh process with fewer rows at once learns the same as the run would have with enough memory."""
    reference, plan = run_here(new_chat(name="rich")), new_chat(name="poor")
    losses, restarts = language_training.AnswersTrainer.compute_loss, []

    def no_memory(self: Any, model: Any, inputs: dict[str, Any], *arguments: Any, **named: Any) -> Any:
        if len(inputs["input_ids"]) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return losses(self, model, inputs, *arguments, **named)

    class Replaced(BaseException):
        pass

    def execv(_path: str, arguments: list[str]) -> None:
        restarts.append(arguments)
        raise Replaced

    monkeypatch.setattr(language_training.AnswersTrainer, "compute_loss", no_memory)
    monkeypatch.setattr("os.execv", execv)
    with pytest.raises(Replaced):
        run_here(plan)
    assert restarts[0][-2] == "--micro-batch-size" and int(restarts[0][-1]) <= 8
    done = run_here(plan, *restarts[0][-2:])
    assert done.code == 0, done.last
    assert done.result.metrics["loss"].value == pytest.approx(reference.result.metrics["loss"].value, rel=0.02)


def test_time_is_kept(
    new_chat: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand epochs in a minute on a slow machine: shortened with a word."""
    monkeypatch.setattr(steady.Speed, "seconds_a_unit", lambda _self: 0.002)
    done = run_here(new_chat(**{"training.epochs": 1000, "training.max_minutes": 1, "training.early_stopping": None}))
    assert done.code == 0, done.last
    assert [event.code for event in done.events if event.kind == "warning"].count("time-limit") == 1
