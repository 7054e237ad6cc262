"""Encoder-decoder models write one text from another: T5, BART and Marian, every method, and the laws of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_language
import tiny_seq2seq
import torch
from safetensors.torch import load_file

from recipes.events import EventWriter
from recipes.parts import seq2seq_model, text_metrics, text_rivals, tongues
from recipes.parts.conversations import Example
from recipes.parts.errors import RecipeError
from recipes.plan import Plan
from tests.recipes.test_contract import check_events

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses:UserWarning"),
]
LAYERS = {"last_layers": 1, "full": None, "lora": None, "head": None, "qlora": None}


@pytest.fixture(scope="session")
def tiny_pair_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """tiny_pair_model("t5") -> a folder with a tiny random model, made once."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            made[kind] = tiny_language.save(folder) if kind == "llama" else tiny_seq2seq.save(folder, kind)
        return made[kind]

    return get


@pytest.fixture
def new_pairs(tmp_path: Path, tiny_pair_model: Callable[[str], Path]) -> Callable[..., Path]:
    """new_pairs(kind, method, **{dotted path: value}) -> the path of a plan that is ready to run."""

    def make(
        kind: str = "bart", method: str = "full", *, rows: int = 160, name: str = "run",
        data: list[dict[str, Any]] | None = None, **changes: Any,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "runs" / name
        (folder / "data").mkdir(parents=True)
        lines = "".join(json.dumps(row) + "\n" for row in (data or tiny_seq2seq.rows(rows)))
        (folder / "data" / "train.jsonl").write_text(lines, encoding="utf-8")
        settings = {
            "task": "text2text-generation",
            "base_model": str(tiny_pair_model(kind)),
            "method.name": method,
            "method.layers": LAYERS[method],
            "method.rank": 8 if method in ("lora", "qlora") else None,
            "data.source": "data/train.jsonl",
            "data.columns": {"source": "long", "target": "short"},
            "training.epochs": 6,
            "training.learning_rate": 1e-2,
            "training.batch_size": 16,
            "training.max_length": 48,
            "compute.precision": "float32",
        }
        plan = Plan().changed({**settings, **changes})
        plan.save(folder / "plan.json")
        return folder / "plan.json"

    return make


def says(card: str, plan: Path, text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the lines of a card print for a text, as they stand."""
    base = Plan.load(plan).base_model or ""
    code = card.split("```python\n")[1].split("```")[0].replace(json.dumps(Path(base).name), json.dumps(base))
    code = code.replace('folder = "."', f"folder = {json.dumps(str(plan.parent / 'model'))}")
    capsys.readouterr()
    exec(compile(code.replace("Put your text here.", text), "card", "exec"), {})
    return capsys.readouterr().out.strip().splitlines()[-1]


def check_run(done: Any, plan: Path, rows: int, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What holds for every finished run; returns what its model answers, which the lines of the card print too."""
    from recipes.predict import answers, load

    assert done.code == 0, done.last
    check_events(done.events)
    result, model = done.result, done.folder / "model"
    assert sum(result.rows.values()) == rows and result.metric == "rouge_l"
    assert set(result.baselines) == {"untuned", "copied", "first_words", "nearest_row"}
    assert all(result.metric in figures for figures in result.baselines.values())
    assert result.metrics["rouge_l"].value > result.baselines["untuned"]["rouge_l"].value
    assert result.verdict.text == done.last.text and result.verdict.code == done.last.verdict
    assert result.curves is not None and len(result.curves["validation/loss"]) > 1
    assert len(result.written or []) == 5 and not list(model.glob("*.bin"))
    shown = next(event for event in done.events if event.kind == "sample").value["parts"]
    assert [part["learned"] for part in shown] == [False, True] and "it is" in shown[1]["text"]
    config = json.loads((model / "generation_config.json").read_text(encoding="utf-8"))
    assert config.get("min_length") in (0, None) and config.get("num_beams") in (1, None)
    assert config["max_new_tokens"] < 40
    text = "word3 the capital of japan ?"
    said = next(answers([json.dumps({"inputs": {"long": text}})], *load(done.folder)))  # type: ignore[arg-type]
    card = (model / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---") and "capital" not in card
    assert says(card, plan, text, capsys) == said["prediction"]
    return said


def test_bart_from_the_rows_to_an_adapter_of_the_tuned_model(
    new_pairs: Callable[..., Path], run_here: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All weights learn the texts; then an adapter learns on the model that came out, and is merged."""
    from recipes.evaluate import evaluate
    from recipes.export import export

    plan = new_pairs("bart", rows=160, **{"training.epochs": 8, "training.early_stopping": None})
    done = run_here(plan)
    said = check_run(done, plan, 160, capsys)
    assert said["prediction"] == "it is tokyo" != said["untuned"]
    assert done.result.metrics["rouge_l"].value > 0.9 and done.result.verdict.code in ("better", "same")
    assert done.result.trainable_parameters == done.result.total_parameters
    more = tmp_path / "more.jsonl"
    more.write_text("".join(json.dumps(row) + "\n" for row in tiny_seq2seq.rows(20, seed=5)), encoding="utf-8")
    report = evaluate(done.folder, more)
    assert report["rows"] == 20 and report["metrics"]["rouge_l"]["value"] > 0.9

    tuned = str(done.folder / "model")
    rate = {"base_model": tuned, "training.epochs": 1, "training.learning_rate": 1e-3}
    adapter = run_here(new_pairs("bart", "lora", rows=60, name="adapter", **rate))
    assert adapter.code == 0, adapter.last
    assert adapter.result.model_format == "peft" and (adapter.folder / "model" / "adapter_config.json").is_file()
    assert 0 < adapter.result.trainable_parameters < adapter.result.total_parameters
    files = export(adapter.folder, "merged", tmp_path / "merged")
    assert "model.safetensors" in files and "adapter_config.json" not in files
    assert "PeftModel" not in (tmp_path / "merged" / "README.md").read_text(encoding="utf-8")
    assert says((adapter.folder / "model" / "README.md").read_text(encoding="utf-8"), adapter.folder / "plan.json",
                "word3 the capital of spain ?", capsys) == "it is madrid"  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "method", "rows", "epochs"), [("t5", "full", 160, 12), ("marian", "last_layers", 120, 8)]
)
def test_t5_and_marian_bring_their_own_marks(
    kind: str, method: str, rows: int, epochs: int, new_pairs: Callable[..., Path], run_here: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """T5's words before each text, Marian's two vocabularies, the start token of each."""
    plan = new_pairs(kind, method, rows=rows, **{"training.epochs": epochs, "training.early_stopping": None})
    done = run_here(plan)
    check_run(done, plan, rows, capsys)
    shown = next(event for event in done.events if event.kind == "sample").value["parts"]
    assert shown[0]["text"].startswith("what is ") == (kind == "t5"), "the words that the model's own files name"
    assert any("“what is”" in note for note in done.result.notes) == (kind == "t5")
    assert (done.result.trainable_parameters == done.result.total_parameters) == (method == "full")


@pytest.mark.parametrize(
    ("kind", "changes", "code", "word"),
    [
        ("bart", {"method.name": "head"}, "method-not-available", "full"),
        ("bart", {"method.name": "qlora", "method.rank": 4}, "method-not-available", "lora"),
        ("llama", {}, "model-not-usable", "choose the task text-generation"),
        ("bart", {"data.columns": {"source": "text", "target": "short"}}, "column-missing", "text"),
        ("bart", {"data.columns": {"source": "long"}}, "plan-incomplete", "data.columns.target"),
        ("bart", {"base_model": "someone/some-model"}, "hub-unreachable", "as instructions"),
    ],
)
def test_a_persons_mistake_is_a_sentence(
    kind: str, changes: dict[str, Any], code: str, word: str, new_pairs: Callable[..., Path],
    run_here: Callable[..., Any],
) -> None:  # fmt: skip
    done = run_here(new_pairs(kind, rows=40, **{"training.epochs": 1, **changes}))
    assert (done.code, done.last.kind, done.last.code) == (1, "failed", code), done.last
    assert word in f"{done.last.what} {done.last.expected} {done.last.fix}"
    assert not (done.folder / "result.json").exists()


def test_rows_that_are_cut_or_left_out_and_letters_that_are_not_known_are_counted(
    new_pairs: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    rows = tiny_seq2seq.rows(60)
    rows[3]["long"] = "word1 " * 60
    rows[4]["short"] = ""
    rows[5]["short"] = "это ответ"
    done = run_here(new_pairs("bart", data=rows, **{"training.epochs": 1, "data.prefix": "the"}))
    assert done.last.kind in ("finished", "failed")  # one pass over 40 rows need not learn anything
    told = {event.code: event.text for event in done.events if event.kind == "warning"}
    assert "1 texts and 0 expected texts are longer than 48 tokens" in told["rows-cut"]
    assert "1 of 60 rows" in told["rows-left-out"]
    assert "does not know" in told["letters-unknown"]


class Killed(BaseException):
    """Ends a run at once, without a last word, as kill -9 does."""


def test_stopped_then_killed_then_resumed_equals_uninterrupted(
    new_pairs: Callable[..., Path], run_here: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights, bit for bit, and the same figures."""
    written, todo = EventWriter.write, {}
    monkeypatch.setattr("recipes.parts.context.PROGRESS_SECONDS", 0.0)

    def write(self: EventWriter, event: Any) -> None:
        written(self, event)
        if self.path is not None and event.kind == "progress" and event.step in todo:
            todo[event.step](self.path.parent)

    def die(_folder: Path) -> None:
        raise Killed

    monkeypatch.setattr(EventWriter, "write", write)
    how = {"training.epochs": 5, "training.early_stopping": None}
    whole, broken = (new_pairs("bart", rows=120, name=name, **how) for name in ("whole", "broken"))
    reference = run_here(whole)
    assert reference.code == 0, reference.last
    todo[6] = lambda folder: (folder / "stop").touch()
    stopped = run_here(broken)
    assert (stopped.code, stopped.last.kind, stopped.last.model_kept) == (3, "cancelled", True)
    (broken.parent / "stop").unlink()
    todo.clear()
    todo[16] = die
    with pytest.raises(Killed):
        run_here(broken)
    todo.clear()
    resumed = run_here(broken)
    assert resumed.code == 0, resumed.last
    assert resumed.kinds.count("resumed") == 2
    assert resumed.result.metrics == reference.result.metrics and resumed.result.curves == reference.result.curves
    first, second = (load_file(plan.parent / "model" / "model.safetensors") for plan in (whole, broken))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


# Figures


def test_chrf_and_bleu_are_those_of_sacrebleu() -> None:
    from sacrebleu.metrics import BLEU, CHRF

    right = ["Das ist ein kleiner Test, ja.", "Wir fahren morgen nach Köln.", "Hallo Welt", "x y z"]
    mine = ["Das ist kleiner ein Test, ja.", "Wir fahren heute nach Köln!", "Hallo", ""]
    scores = text_metrics.score(mine, right)
    assert text_metrics.value("chrf", scores) == pytest.approx(CHRF().corpus_score(mine, [right]).score / 100)
    assert text_metrics.value("bleu", scores) == pytest.approx(BLEU(force=True).corpus_score(mine, [right]).score / 100)
    alone = text_metrics.score(["ab"], ["xy"])
    assert (text_metrics.value("bleu", alone), text_metrics.value("chrf", alone)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("mine", "right", "one", "two", "longest"),
    [
        ("the cat sat", "the cat sat", 1.0, 1.0, 1.0),
        ("police killed the gunman", "police kill the gunman", 0.75, 1 / 3, 0.75),  # Lin 2004, figure 2.1
        ("the gunman kill police", "police kill the gunman", 1.0, 1 / 3, 0.5),
        ("Straße über Köln", "straße ÜBER köln!", 1.0, 1.0, 1.0),
        ("今天天气", "今天很好", 0.5, 1 / 3, 0.5),
        ("", "a", 0.0, 0.0, 0.0),
    ],
)
def test_rouge(mine: str, right: str, one: float, two: float, longest: float) -> None:
    found = (text_metrics.rouge_n(mine, right, 1), text_metrics.rouge_n(mine, right, 2))
    assert (*found, text_metrics.rouge_l(mine, right)) == pytest.approx((one, two, longest))


def test_the_verdict_names_the_best_rival_and_the_model_as_it_was() -> None:
    right = [f"the answer to number {number} is {number * 7}" for number in range(60)]
    bad, copied = ["nothing at all"] * 60, [text.replace("answer", "question") for text in right]
    rivals = {"untuned": text_metrics.score(bad, right), "copied": text_metrics.score(copied, right)}
    found = text_metrics.judge("rouge_l", text_metrics.score(right, right), rivals, None, 0.2)
    assert found.code == "better" and found.best_baseline == "copied"
    assert "Copying the text reaches" in found.text and "Before the tuning the model reached 0.0 %" in found.text
    worse = text_metrics.judge("chrf", text_metrics.score(bad, right), {"copied": text_metrics.score(copied, right)})
    assert worse.code == "worse" and "copying the text is the method to use" in worse.text
    assert text_metrics.learned(bad, right) is not None and text_metrics.learned(right, right) is None
    assert [text_metrics.deciding(wish, True) for wish in (None, "rouge", "ROUGE-2", "bleu")] == [
        "chrf", "rouge_l", "rouge_2", "bleu",
    ]  # fmt: skip


def test_rivals_that_cost_no_training() -> None:
    def pair(asked: str, answered: str) -> Example:
        return Example(({"role": "user", "content": asked}, {"role": "assistant", "content": answered}))

    train = [pair("the red house by the sea", "red house"), pair("a small dog in the garden", "small dog")]
    test = [pair("a big dog in the garden today", "big dog")]
    found = text_rivals.ask_all(train, test, shortens=True)
    expected = {"copied": [test[0].prompt], "first_words": ["a big"], "nearest_row": ["small dog"]}
    assert found == expected
    assert set(text_rivals.ask_all(train, test, shortens=False)) == {"copied", "nearest_row"}
    assert text_rivals.nearest([pair("?", "one")], [pair("!", "two")]) == ["one"]


# What models must be told, and where they lie


def test_t5_is_told_what_to_do_and_its_followers_are_not() -> None:
    t5 = SimpleNamespace(
        task_specific_params={
            "summarization": {"prefix": "summarize: "},
            "translation_en_to_de": {"prefix": "translate"},
        }
    )
    assert tongues.prefix_for(t5, None, True) == "summarize: "
    assert tongues.prefix_for(t5, ("en", "fr"), False) == "translate English to French: "
    assert tongues.prefix_for(t5, None, False) == ""
    assert tongues.prefix_for(SimpleNamespace(task_specific_params=None), ("en", "fr"), True) == ""


def test_models_of_many_languages_are_told_both() -> None:
    """mBART-50 and NLLB put the language behind the start token; the first mBART starts with it."""
    from transformers import GenerationConfig, MBart50Tokenizer, MBartTokenizer, NllbTokenizer

    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁hallo", -1.0)]
    numbers = {piece: number for number, (piece, _) in enumerate(pieces)}
    for tokenizer, mark in (
        (MBart50Tokenizer(vocab=pieces), "de_DE"), (NllbTokenizer(vocab=numbers, merges=[]), "deu_Latn"),
        (MBartTokenizer(vocab=pieces), "de_DE"),
    ):  # fmt: skip
        module = SimpleNamespace(generation_config=GenerationConfig(), config=SimpleNamespace())
        said = tongues.tell_languages(module, tokenizer, ("en", "de"), "m")
        number = tokenizer.convert_tokens_to_ids(mark)
        told = module.generation_config
        first = told.decoder_start_token_id if type(tokenizer) is MBartTokenizer else told.forced_bos_token_id
        assert first == number and mark in said and number in tokenizer(text_target="hallo")["input_ids"]
        with pytest.raises(RecipeError, match="must be told"):
            tongues.tell_languages(module, tokenizer, None, "m")
        with pytest.raises(RecipeError, match="no mark for the language “xx”"):
            tongues.tell_languages(module, tokenizer, ("en", "xx"), "m")
    assert tongues.tell_languages(module, SimpleNamespace(), None, "m") == "", "most models are told nothing"


@pytest.mark.parametrize(
    ("files", "offers", "revision"),
    [
        (["model.safetensors"], [4], "main"),
        (["pytorch_model.bin"], [2, 4], "refs/pr/4"),
        (["pytorch_model.bin"], [], "main"),
        (OSError("no network"), [4], "main"),
    ],
)
def test_safetensors_are_found_in_the_converters_pull_request(
    files: Any, offers: list[int], revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most Marian models and mT5 have only pickle files on the main branch."""

    class Hub:
        def list_repo_files(self, _name: str) -> list[str]:
            if isinstance(files, OSError):
                raise files
            return list(files)

        def get_repo_discussions(self, _name: str, author: str) -> list[Any]:
            assert author == "SFconvertbot"
            return [SimpleNamespace(num=number, is_pull_request=True) for number in offers]

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert seq2seq_model.safe_revision("someone/opus-mt-en-de") == revision
