"""A shell without a machine: it performs the effects of a dialogue on the small files beside this one.

Plans come from the real adviser; runs, predictions and exports are made up, so that a conversation takes milliseconds.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from assistant.advise.advisor import advise
from assistant.advise.estimate import estimate
from assistant.advise.hardware import Hardware
from assistant.advise.measured import Measured, correct
from assistant.chat import dialogue
from assistant.chat.turns import (
    Answered,
    Effect,
    FileCard,
    FileRead,
    FileRefused,
    Input,
    Intent,
    PlanPrepared,
    Reply,
    RunCard,
    RunChanged,
    Said,
    State,
)
from assistant.data.doctor import check, fix
from assistant.data.examples import example
from assistant.data.profile import Profile, profile
from assistant.data.roles import TaskGuess, guess_tasks
from assistant.data.table import Table, read_table
from assistant.effects import best_guess, nearest_changes, parts
from assistant.errors import PlainError
from assistant.measuring import answer
from recipes.plan import Plan

FILES = Path(__file__).parent / "files"
LAPTOP = Hardware(cores=4, memory_bytes=16_000_000_000, free_disk_bytes=100_000_000_000, platform="Linux")


@cache
def table_of(name: str) -> Table:
    """One of the small files."""
    return read_table(FILES / name, name)


def card_of(name: str, upload: str = "", table: Table | None = None) -> FileCard:
    """What the dialogue gets to know of a file."""
    table = table if table is not None else table_of(name)
    seen = profile(table)
    guesses = guess_tasks(seen)
    return FileCard(
        id=upload or f"upload-{name}",
        name=name,
        profile=seen.model_dump(mode="json"),
        guesses=[guess.model_dump(mode="json") for guess in guesses],
        findings=[finding.model_dump(mode="json") for finding in check(table, seen, guesses[0])],
    )


def interval(value: float, spread: float = 0.02) -> dict[str, float]:
    return {"value": value, "low": value - spread, "high": value + spread}


def result(code: str = "better", **changes: Any) -> dict[str, Any]:
    """A `result.json` of a run that sorted 200 reviews."""
    tree: dict[str, Any] = {
        "task": "text-classification", "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "method": {"name": "head"},
        "problem": "single_label_classification", "rows": {"train": 128, "validation": 32, "test": 40},
        "metrics": {"accuracy": interval(0.925), "f1": interval(0.924)},
        "baselines": {"majority": {"accuracy": interval(0.5)}, "word_counts": {"accuracy": interval(0.85)}},
        "verdict": {
            "code": code, "text": "On 40 reviews it never saw, 92.5 % are right. Counting words reaches 85.0 %.",
            "best_baseline": "word_counts", "metric": "accuracy",
        },
        "trainable_parameters": 770, "total_parameters": 22_713_986, "seconds": {"total": 14.2},
        "peak_bytes": {"predicted": 9e8, "measured": 8e8}, "environment": {}, "data_sha256": "0" * 64, "seed": 42,
        "metric": "accuracy", "labels": ["bad", "good"], "confusion": [[18, 2], [1, 19]],
        "classes": [
            {"label": "bad", "rows": 20, "precision": interval(0.947), "recall": interval(0.9), "f1": 0.923},
            {"label": "good", "rows": 20, "precision": interval(0.905), "recall": interval(0.95), "f1": 0.927},
        ],
        "mistakes": [], "candidates": [], "warnings": [], "notes": [],
    }  # fmt: skip
    return {**tree, **changes}


def exact(value: float) -> dict[str, float]:
    return {"value": value, "low": value, "high": value}


#: Other results: a training that its time limit cut short (figures of a real run on food reviews), and a perfect one.
RESULTS: dict[str, dict[str, Any]] = {
    "cut-short": result(
        "better", method={"name": "full"}, rows={"train": 3375, "validation": 596, "test": 1000},
        metrics={"accuracy": {"value": 0.857, "low": 0.834, "high": 0.877}, "f1": interval(0.839)},
        baselines={"majority": {"accuracy": interval(0.658)}, "word_counts": {"accuracy": interval(0.806)}},
        verdict={
            "code": "better", "text": "On 1,000 texts it never saw, 85.7 % are right.", "best_baseline": "word_counts",
            "metric": "accuracy", "difference": {"value": 0.051, "low": 0.028, "high": 0.073}, "p_value": 1.2e-05,
        },
        seconds={"reading": 5.2, "features": 283.4, "training": 1006.0, "total": 1365.8, "predicted": 1200.0},
        peak_bytes={"predicted": 3_469_910_568, "measured": 3_981_176_832},
        labels=["great", "other"], confusion=[[594, 64], [79, 263]],
        classes=[
            {"label": "great", "rows": 658, "precision": interval(0.883), "recall": interval(0.903), "f1": 0.893},
            {"label": "other", "rows": 342, "precision": interval(0.804), "recall": interval(0.769), "f1": 0.786},
        ],
        mistakes=[
            {"row": 453, "input": "The only complaint I have is the tape on the boxes.", "expected": "great",
             "predicted": "other", "confidence": 0.99999},
        ],
        candidates=[
            {"name": "head", "metric": "accuracy", "value": 0.755, "seconds": 8.2, "chosen": False},
            {"name": "full", "metric": "accuracy", "value": 0.849, "seconds": 1004.8, "chosen": True},
        ],
        curves={
            "train/loss": [[8, 0.478], [12, 0.632], [396, 0.303], [400, 0.221], [402, 0.18]],
            "validation/accuracy": [[105, 0.815], [210, 0.846], [315, 0.842], [402, 0.849]],
            "validation/loss": [[105, 0.429], [210, 0.356], [315, 0.453], [402, 0.432]],
            "rows/accuracy": [[338, 0.686], [844, 0.75], [1688, 0.76], [3375, 0.755]],
        },
        warnings=[{"code": "time-limit", "text": "The 1,055 planned steps do not fit into 15 minutes."}],
    ),
    "chat": result(
        "better", task="text-generation", base_model="HuggingFaceTB/SmolLM2-135M-Instruct", problem=None,
        method={"name": "lora", "rank": 16}, metric="loss",
        metrics={"loss": interval(3.9, 0.1), "perplexity": interval(49.4, 5)},
        baselines={"untuned": {"loss": interval(4.75, 0.1)}, "few_shot": {"loss": interval(4.2, 0.1)}},
        verdict={
            "code": "better", "text": "On 100 rows it never saw, the tuned model's loss is 3.9 a token (95 % interval "
            "3.8–4); smaller is better. Before the tuning it was 4.75, and 4.2 with 4 examples in the prompt instead "
            "of any training: the tuned model is better than both, and that is hardly chance (p < 0.001).",
            "best_baseline": "few_shot", "metric": "loss",
        },
        labels=None, confusion=None, classes=None, mistakes=None, model_format="peft",
        written=[{"row": 1, "prompt": "Define cat.", "expected": "A soft automaton.", "before": "A pet.",
                  "after": "An automaton."}],
    ),
    "summaries": result(
        "better", task="text2text-generation", base_model="google-t5/t5-small", problem=None, method={"name": "full"},
        rows={"train": 26, "validation": 6, "test": 8}, metric="rouge_l",
        metrics={"rouge_l": interval(0.71), "rouge_1": interval(0.74), "chrf": interval(0.62)},
        baselines={"untuned": {"rouge_l": interval(0.3)}, "copied": {"rouge_l": interval(0.28)},
                   "first_words": {"rouge_l": interval(0.41)}, "nearest_row": {"rouge_l": interval(0.55)}},
        verdict={
            "code": "better", "text": "On 8 texts it never saw, what it writes shares 71.0 % of the words, in order, "
            "with the expected texts (ROUGE-L) (95 % interval 69.0–73.0). The answer of the most similar row learned "
            "from reaches 55.0 %: the model is better, and that is hardly chance (p = 0.002). Before the tuning the "
            "model reached 30.0 %.",
            "best_baseline": "nearest_row", "metric": "rouge_l",
        },
        labels=None, confusion=None, classes=None, mistakes=None, model_format="transformers",
        written=[{"row": 1, "prompt": "The bridge by the river …", "expected": "Bridge closed.", "before": "The bridge",
                  "after": "Bridge closed: cracks were found."}],
    ),
    "sounds": result(
        "better", task="audio-classification", base_model="openai/whisper-tiny.en", method={"name": "head"},
        rows={"train": 20, "validation": 8, "test": 8}, labels=["bark", "meow", "moo"],
        confusion=[[3, 0, 0], [0, 2, 1], [0, 0, 2]], classes=None,
        verdict={
            "code": "better", "text": "On 8 recordings it never saw, 87.5 % are right.", "best_baseline":
            "sound_statistics", "metric": "accuracy",
        },
        baselines={"majority": {"accuracy": interval(0.375)}, "sound_statistics": {"accuracy": interval(0.625)}},
    ),
    "speech": result(
        "better", task="automatic-speech-recognition", base_model="openai/whisper-tiny.en", problem=None,
        method={"name": "full"}, metric="wer", metrics={"wer": interval(0.17), "cer": interval(0.08)},
        baselines={"untuned": {"wer": interval(0.6), "cer": interval(0.3)}},
        verdict={
            "code": "better", "text": "On 64 recordings it never heard, 17 of 100 words are wrong; before, 60 were.",
            "best_baseline": "untuned", "metric": "wer",
        },
        labels=None, confusion=None, classes=None, mistakes=None, model_format="transformers",
        words=[{"word": "kettle", "said": 4, "wrong": 3, "heard": "cattle"}],
    ),
    "entities": result(
        "better", task="token-classification", problem=None, method={"name": "full"}, metric="entity_f1",
        metrics={"entity_f1": interval(0.91), "word_accuracy": interval(0.96)}, labels=["LOC", "PER"], confusion=None,
        baselines={"most_frequent_tag": {"entity_f1": interval(0.6)}, "crf": {"entity_f1": interval(0.85)}},
        verdict={
            "code": "better", "text": "On 40 sentences it never saw, the F1 score of its entities is 91.0 %.",
            "best_baseline": "crf", "metric": "entity_f1",
        },
        classes=[
            {"label": "LOC", "rows": 31, "precision": interval(0.88), "recall": interval(0.85), "f1": 0.865},
            {"label": "PER", "rows": 27, "precision": interval(0.95), "recall": interval(0.96), "f1": 0.955},
        ],
        mistakes=[{"row": 7, "input": "Lake Como was full.", "expected": "LOC: Lake Como", "predicted": "LOC: Como",
                   "confidence": 0.98}],
    ),
    "answers": result(
        "better", task="question-answering", problem=None, method={"name": "full"}, metric="answer_f1",
        metrics={"answer_f1": interval(0.78), "exact_match": interval(0.7)}, labels=None, confusion=None,
        baselines={"alike_sentence": {"answer_f1": interval(0.3)}, "span_regression": {"answer_f1": interval(0.6)}},
        verdict={
            "code": "better", "text": "On 60 questions it never saw, the F1 score of its answers' words is 78.0 %.",
            "best_baseline": "span_regression", "metric": "answer_f1",
        },
        classes=[
            {"label": "the text answers it", "rows": 51, "precision": interval(0.96), "recall": interval(0.94),
             "f1": 0.95},
            {"label": "no answer in the text", "rows": 9, "precision": interval(0.7), "recall": interval(0.78),
             "f1": 0.74},
        ],
        mistakes=[{"row": 7, "input": "When does it open? — Doors close at nine.", "expected": "no answer",
                   "predicted": "nine", "confidence": 0.9}],
    ),
    "alike": result(
        "better", task="sentence-similarity", problem=None, method={"name": "full"}, metric="spearman",
        metrics={"spearman": interval(0.81)}, labels=None, confusion=None, classes=None,
        baselines={"untuned": {"spearman": interval(0.7)}, "rare_words": {"spearman": interval(0.5)},
                   "word_overlap": {"spearman": interval(0.45)}},
        verdict={
            "code": "better", "text": "On 40 pairs it never saw, its answers rank the texts with a correlation "
            "of 0.810.",
            "best_baseline": "untuned", "metric": "spearman",
        },
        mistakes=[{"row": 7, "input": "The shop opens. ↔ The store closes.", "expected": "0.2", "predicted": "0.94"}],
        model_format="sentence-transformers",
    ),
    "perfect": result(
        "same", metrics={"accuracy": exact(1.0)}, confusion=[[20, 0], [0, 20]],
        baselines={"majority": {"accuracy": exact(0.5)}, "word_counts": {"accuracy": exact(1.0)}},
    ),
}  # fmt: skip


class Shell:
    """One conversation and everything around it."""

    def __init__(self) -> None:
        self.state = State(hardware=LAPTOP.model_dump(mode="json"))
        self.replies: list[Reply] = []
        self.effects: list[Effect] = []
        self.intent: Intent | None = None
        self.tables: dict[str, Table] = {}
        self.statuses: dict[str, str] = {}
        self.result = result()
        self.started: Plan | None = None

    # ------------------------------------------------------------ what a conversation can do

    def say(self, text: str, files: tuple[str, ...] = ()) -> None:
        """One message; its files are read first, as the session does it."""
        self.replies, self.effects = [], []
        for name in files:
            self._drive(self._read(name))
        self.intent = self._drive(Said(text=text))

    def run_ends(self, number: int, status: str, view: dict[str, Any] | None = None) -> None:
        """The worker tells of a run's end."""
        self.replies, self.effects = [], []
        self.statuses[f"run-{number}"] = status
        found = self.result if status == "finished" else None
        view = view or {"seconds": 12.0, "model_kept": True}
        self._drive(RunChanged(run=self._run(number), view=view, result=found, plan=self.started))

    # ------------------------------------------------------------ how it is done

    def _read(self, name: str) -> FileRead | FileRefused:
        try:
            return FileRead(file=card_of(name))
        except (PlainError, OSError) as error:
            told = (
                parts(error)
                if isinstance(error, PlainError)
                else {"code": "file-missing", "what": f"{name} is not there."}
            )
            return FileRefused(name=name, **told)

    def _drive(self, event: Input) -> Intent | None:
        first: Intent | None = None
        events: list[Input] = [event]
        while events:
            self.state = self.state.model_copy(update={"runs": self._runs()})
            turn = dialogue.step(self.state, events.pop(0))
            self.state = turn.state
            self.replies += turn.replies
            first = first or turn.intent
            for effect in turn.effects:
                self.effects.append(effect)
                events.append(self._perform(effect))
        return first

    def _perform(self, effect: Effect) -> Input:
        try:
            return getattr(self, f"_{effect.kind}")(effect.arguments)
        except PlainError as error:
            return Answered(effect=effect.kind, problem=parts(error))

    def _file(self, upload: str | None) -> FileCard | None:
        return next((file for file in self.state.files if file.id == upload), None)

    def _prepare_plan(self, arguments: dict[str, Any]) -> PlanPrepared:
        wish, train, test = (
            dict(arguments["wish"]),
            self._file(arguments["file"]),
            self._file(arguments.get("test_file")),
        )
        assert train is not None
        seen = Profile.model_validate(train.profile)
        guess = best_guess([TaskGuess.model_validate(one) for one in train.guesses], wish)
        advice = advise(seen, wish, LAPTOP, guess=guess, test_rows=test.profile["rows"] if test else None, offline=True,
                        goal=arguments["goal"], findings=train.findings)  # fmt: skip
        changes = {"data.source": train.name, "data.name": train.name}
        if test:
            changes |= {"data.test_source": test.name, "data.test_name": test.name}
        plan = advice.plan.changed(changes)
        figures = estimate(plan, seen, LAPTOP).model_dump(mode="json")
        nearest = nearest_changes(advice.plan, advice.nearest)
        return PlanPrepared(plan=plan, estimate=figures, advice=advice.advice, problem=advice.problem, nearest=nearest)

    def _start_run(self, arguments: dict[str, Any]) -> RunChanged:
        number = len(self.statuses) + 1
        self.statuses[f"run-{number}"] = "queued"
        self.title = arguments["plan"]["task"]
        self.started = Plan.model_validate(arguments["plan"])
        return RunChanged(run=self._run(number))

    def _stop_run(self, arguments: dict[str, Any]) -> RunChanged:
        return self._changed(arguments)

    def _resume_run(self, arguments: dict[str, Any]) -> RunChanged:
        self.statuses[arguments["run"]] = "queued"
        return self._changed(arguments)

    def _run_status(self, arguments: dict[str, Any]) -> RunChanged:
        return self._changed(arguments)

    def _report(self, arguments: dict[str, Any]) -> RunChanged:
        return self._changed(arguments)

    def _changed(self, arguments: dict[str, Any]) -> RunChanged:
        number = int(arguments["run"].removeprefix("run-"))
        status = self.statuses[arguments["run"]]
        view = {"phase_text": "Training", "step": 30, "total_steps": 120, "eta_seconds": 40.0, "seconds": 12.0}
        result = self.result if status == "finished" else None
        return RunChanged(run=self._run(number), view=view, result=result, plan=self.started)

    def _predict(self, arguments: dict[str, Any]) -> Answered:
        if self.started is not None and self.started.task in ("text-generation", "preference-tuning"):
            said = {"prediction": "A soft, indestructible automaton.", "untuned": "A cat is a small animal."}
            found = [{"input": text, **said} for text in arguments["inputs"]]
            return Answered(effect="predict", data={"run": arguments["run"], "number": 1, "predictions": found})
        if self.started is not None and self.started.task == "text2text-generation":
            said = {"prediction": "Ferry stopped: the engine broke down.", "untuned": "The ferry to the island"}
            found = [{"input": text, **said} for text in arguments["inputs"]]
            return Answered(effect="predict", data={"run": arguments["run"], "number": 1, "predictions": found})
        if self.started is not None and self.started.task == "automatic-speech-recognition":
            found = [{"input": text, "prediction": "the kettle boils at seven"} for text in arguments["inputs"]]
            return Answered(effect="predict", data={"run": arguments["run"], "number": 1, "predictions": found})
        if self.started is not None and self.started.task == "sentence-similarity":
            near, before = ({"text": "A puppy runs.", "score": 0.91}, {"text": "The shop opens.", "score": 0.44})
            found = [
                {"input": text.replace("|", "↔"), "prediction": 0.87, "untuned": 0.62} if "|" in text else
                {"input": text, "prediction": near["text"], "nearest": [near], "untuned": [before]}
                for text in arguments["inputs"]
            ]  # fmt: skip
            return Answered(effect="predict", data={"run": arguments["run"], "number": 1, "predictions": found})
        if self.started is not None and self.started.task == "question-answering":
            said = {"question": "What does a lost card cost?", "prediction": "five euros", "start": 18, "end": 28}
            found = [{"input": "A lost card costs five euros.", **said, "score": 0.83}]
            return Answered(effect="predict", data={"run": arguments["run"], "number": 1, "predictions": found})
        if self.started is not None and self.started.task == "token-classification":
            mark = {"text": "Oslo", "label": "LOC", "start": 14, "end": 18, "score": 0.97}
            found = [{"input": text, "prediction": [mark]} for text in arguments["inputs"]]
            return Answered(effect="predict", data={"run": arguments["run"], "number": 1, "predictions": found})
        found = [
            {"input": text, "prediction": "bad", "scores": {"bad": 0.91, "good": 0.09}} for text in arguments["inputs"]
        ]
        return Answered(effect="predict", data={"run": arguments["run"], "number": 1, "predictions": found})

    def _evaluate(self, arguments: dict[str, Any]) -> Answered:
        file = self._file(arguments["file"])
        assert file is not None
        data = {
            "run": arguments["run"],
            "file": file.name,
            "rows": file.profile["rows"],
            "metrics": {"accuracy": interval(0.9)},
        }
        return Answered(effect="evaluate", data=data)

    def _export(self, arguments: dict[str, Any]) -> Answered:
        if arguments["format"] == "onnx":
            raise PlainError("export-format", "ONNX is not built in here.", "", "Choose the whole model.")
        files = [{"name": "model.safetensors", "path": "/somewhere/model.safetensors", "bytes": 90_000_000}]
        return Answered(effect="export", data={"run": arguments["run"], "files": files})

    def _publish(self, arguments: dict[str, Any]) -> Answered:
        raise PlainError("publish-not-available", "This version cannot publish yet.", "", "Export the model instead.")

    def _compare(self, arguments: dict[str, Any]) -> Answered:
        return Answered(effect="compare", data={"text": f"Compared {len(arguments['runs'])} runs."})

    def _measure(self, arguments: dict[str, Any]) -> Answered:
        """A trial that found each step twice as long as expected."""
        plan, file = Plan.model_validate(arguments["plan"]), self._file(arguments["file"])
        assert file is not None
        before = estimate(plan, Profile.model_validate(file.profile), LAPTOP)
        found = Measured(
            base_model=plan.base_model or "", method=plan.method.name or "", layers=plan.method.layers,
            origin="a trial on this machine", trial=True, features=2.0, training=2.0, memory=1.0, seconds_a_step=0.21,
        )  # fmt: skip
        return Answered(effect="measure", data=answer(plan, before, correct(before, plan, [found]), found))

    def _use_example(self, arguments: dict[str, Any]) -> FileRead:
        chosen = example(str(arguments["name"]))
        return FileRead(file=card_of(chosen.path.name, "upload-example", read_table(chosen.path, chosen.path.name)))

    def _delete_run(self, arguments: dict[str, Any]) -> Answered:
        number = arguments["run"].removeprefix("run-")
        del self.statuses[arguments["run"]]
        return Answered(effect="delete_run", data={"run": arguments["run"], "number": int(number)})

    def _fix_data(self, arguments: dict[str, Any]) -> FileRead:
        file = self._file(arguments["file"])
        assert file is not None
        table = self.tables.get(file.id) or table_of(file.name)
        found = [str(finding["code"]) for finding in file.findings]
        mended, sentence = fix(table, arguments["code"], file.guesses[0]["columns"], found=found)
        upload = f"{file.id}-mended"
        self.tables[upload] = mended
        return FileRead(
            file=card_of(file.name, upload, mended).model_copy(update={"mends": file.id, "mended": sentence})
        )

    def _read_hub(self, arguments: dict[str, Any]) -> FileRead | FileRefused:
        """A Hub that has one data set; the others cannot be reached."""
        name = str(arguments["dataset"])
        if name == "acme/reviews":
            return FileRead(file=card_of("reviews.csv", "upload-hub").model_copy(update={"name": name}))
        return FileRefused(name=name, code="hub-unreachable", what=f"The Hub cannot be reached: {name} is not read.",
                           fix="Download it from its page, and upload it as a file.")  # fmt: skip

    def _run(self, number: int) -> RunCard:
        status = self.statuses[f"run-{number}"]
        task = str(self.started.task) if self.started is not None else "text-classification"
        return RunCard(id=f"run-{number}", number=number, status=status, task=task, title="reviews")

    def _runs(self) -> list[RunCard]:
        return [self._run(int(run.removeprefix("run-"))) for run in self.statuses]
