"""Runs of the recipe for texts that belong together, whole; and its parts: split, losses, figures, answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from recipes import evaluate, predict
from recipes.events import EventWriter, Result
from recipes.parts import alike_figures, alike_rows
from recipes.parts.alike_rows import NONE, AlikeStudy
from recipes.parts.context import RunContext
from recipes.plan import Plan
from tests.recipes.alike_runs import make_pairs, make_scored
from tests.recipes.conftest import KINDS, WORDS, write_rows

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
SCORED = {"sentence1": "a", "sentence2": "b", "score": "s"}
TRIPLETS = {"data.columns": {"anchor": "anchor", "positive": "positive", "negative": "negative"}}


def study_of(rows: list[dict[str, Any]], tmp_path: Path, **columns: str) -> tuple[AlikeStudy, RunContext]:
    """Rows divided as a run would."""
    (tmp_path / "data").mkdir(exist_ok=True)
    write_rows(tmp_path / "data" / "train.jsonl", rows)
    plan = Plan().changed({"task": "sentence-similarity", "data.source": "data/train.jsonl", "data.columns": columns})
    run = RunContext(tmp_path, EventWriter(None))
    return alike_rows.read_study(plan, run), run


# The rows


def texts_of_side(study: AlikeStudy, rows: Any) -> set[str]:
    return {study.texts[text] for column in study.columns for text in column[rows] if text != NONE}


def test_no_text_is_on_two_sides(tmp_path: Path) -> None:
    """Rows that share a text stay together, wrong texts that another side knows are left out, and that is said."""
    rows = make_pairs(120, KINDS, WORDS[:40], triplets=True)
    for number in range(0, 120, 3):
        rows[number]["positive"] = rows[(number + 1) % 120]["positive"].upper()  # the same, but for capitals
        rows[number]["negative"] = rows[(number + 50) % 120]["positive"]
    study, run = study_of(rows, tmp_path, anchor="anchor", positive="positive", negative="negative")
    sides = [{text.casefold() for text in texts_of_side(study, each)}
             for each in (study.train, study.validation, study.test)]  # fmt: skip
    assert all(sides) and not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert any("wrong texts (negatives) were left out" in note for note in run.notes)
    assert 40 < int((study.third != NONE).sum()) < 120


def test_scores_may_be_words_or_numbers_and_empty_cells_are_counted(tmp_path: Path) -> None:
    said = ["yes", "NO", True, "0"]
    rows: list[dict[str, Any]] = [
        {"a": f"one {number}", "b": f"two {number}", "same": said[number % 4]} for number in range(40)
    ]
    rows += [{"a": "", "b": "x", "same": "yes"}, {"a": "x", "b": "y", "same": None}]
    study, run = study_of(rows, tmp_path, sentence1="a", sentence2="b", score="same")
    assert study.scores is not None
    assert study.scores[:4].tolist() == [1.0, 0.0, 1.0, 0.0] and len(study.scores) == 40
    assert [each["code"] for each in run.warnings] == ["rows-left-out"]


@pytest.mark.parametrize(
    ("rows", "columns", "code"),
    [
        ([{"a": "x", "b": "y", "s": "close"}] * 9, SCORED, "label-not-number"),
        ([{"a": "x", "b": "y", "s": 3}] * 9, SCORED, "one-class"),
        ([{"a": "x", "b": ""}] * 9, {"sentence1": "a", "sentence2": "b"}, "no-usable-rows"),
        ([{"a": "x", "b": "y"}] * 9, {"sentence1": "a", "sentence2": "c"}, "column-missing"),
        ([{"a": "x", "b": "y"}] * 9, {"sentence1": "a"}, "plan-incomplete"),
        ([{"a": f"x{n}", "b": "y"} for n in range(40)], {"sentence1": "a", "sentence2": "b"}, "one-group-only"),
    ],
)
def test_a_mistake_is_a_sentence(
    rows: Any, columns: dict[str, str], code: str, new_alike_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    done = run_here(new_alike_run(texts=rows, **{"data.columns": columns}))
    assert (done.code, done.last.code) == (1, code)
    assert done.last.what


# The losses


def test_the_ranking_loss_is_that_of_sentence_transformers_but_for_texts_that_belong_together() -> None:
    import torch
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from torch.nn import functional

    from recipes.parts.alike_training import ranking_loss

    torch.manual_seed(0)
    first, second = (functional.normalize(torch.randn(6, 8), dim=1) for _ in range(2))
    apart, same = np.arange(6), np.array([0, 1, 2, 3, 4, 4])
    theirs = MultipleNegativesRankingLoss(
        None, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    )
    expected = float(theirs.compute_loss_from_embeddings([first, second], None))
    assert float(ranking_loss(first, second, apart, apart)) == pytest.approx(expected, rel=1e-5)
    twice = torch.cat([second[:5], second[4:5]])  # the last two rows share a partner: neither is wrong for the other
    guarded = ranking_loss(torch.cat([first[:5], first[4:5]]), twice, same, same)
    blamed = ranking_loss(torch.cat([first[:5], first[4:5]]), twice, apart, apart)
    assert float(guarded) < float(blamed) - 0.05


def test_few_texts_in_memory_change_nothing(tmp_path: Path) -> None:
    """All rows of a step are compared with each other, however few are read at a time: same numbers, same gradient."""
    import torch

    from recipes.parts.alike_training import AlikeTrainer

    layer, ids, mask = torch.nn.Linear(4, 3), torch.randn(8, 4), torch.ones(8, 4)
    trainer: Any = object.__new__(AlikeTrainer)
    trainer.job = SimpleNamespace(encoded=SimpleNamespace(study=plain_study()))
    reads: list[int] = []

    def model(input_ids: Any, attention_mask: Any) -> dict[str, Any]:
        reads.append(len(input_ids))
        return {"logits": layer(input_ids * attention_mask).tanh()}

    found = []
    for most in (None, 1):
        trainer.run = RunContext(tmp_path, EventWriter(None), rows_in_memory=most)
        layer.zero_grad()
        numbers = trainer._numbers(model, ids, mask)
        (numbers @ numbers.T).exp().sum().backward()
        found.append((numbers.detach(), layer.weight.grad.clone()))
    assert reads == [8, *[2] * 8]  # two texts a row; each piece is read again for the gradient
    for all_at_once, in_pieces in zip(*found, strict=True):
        assert torch.allclose(all_at_once, in_pieces, rtol=1e-5)


# The figures


def plain_study(**changes: Any) -> AlikeStudy:
    """Four texts and their partners, all in the test."""
    every = np.arange(4)
    given = {
        "texts": [f"text {number}" for number in range(8)], "first": every, "second": every + 4,
        "third": np.full(4, NONE), "scores": None, "kin": np.array([0, 1, 2, 3, 0, 1, 2, 3]), "numbers": every + 1,
        "families": every, "train": every[:0], "validation": every[:0], "test": every, "own_test": False,
    }  # fmt: skip
    return AlikeStudy(**(given | changes))


def test_ranks_count_ties_in_the_middle_and_skip_what_belongs_together() -> None:
    study = plain_study(kin=np.array([0, 1, 2, 2, 0, 1, 2, 2]))  # the last two rows belong together
    values = np.zeros((8, 3), dtype=np.float32)
    values[[0, 4]] = [1, 0, 0]
    values[[1, 5]] = [0, 1, 0]
    values[[2, 6, 7]] = [0, 0, 1]  # text 2 has the partner of text 3 as near as its own
    values[3] = [1, 0, 0]  # and text 3 is nearest to a stranger's partner
    found = alike_figures.ask(study, alike_figures.by_vectors(values), study.test)
    assert found.ranks is not None and found.ranks.tolist() == [1.0, 1.0, 1.0, 2.5]
    figures = alike_figures.figures(study, found, study.test)
    assert figures["mrr"].value == pytest.approx((3 + 1 / 2.5) / 4)
    assert (figures["recall_at_1"].value, figures["recall_at_5"].value) == (0.75, 1.0)
    wrong = alike_figures.mistakes(study, found)
    assert [(each.input, each.expected, each.predicted) for each in wrong] == [("text 3", "text 7", "text 4")]


def test_words_find_what_shares_them() -> None:
    texts = ["red apple pie", "blue sky", "green sea", "old wall", "an apple pie", "the blue one", "a sea", "wall"]
    study = plain_study(texts=texts, train=np.arange(4))
    rivals = alike_figures.rivals(study, np.eye(8, dtype=np.float32))
    for name in ("rare_words", "word_overlap"):
        found = alike_figures.ask(study, rivals[name], study.test)
        assert found.ranks is not None and found.ranks.tolist() == [1.0] * 4, name
    blind = alike_figures.ask(study, rivals["untuned"], study.test)
    assert blind.ranks is not None and blind.ranks.tolist() == [2.5] * 4


# Whole runs


@pytest.fixture(scope="module")
def scored() -> list[dict[str, Any]]:
    return make_scored(110, KINDS, WORDS[:12])


def test_sentence_transformers_loads_the_model_and_says_the_same(
    scored: list[dict[str, Any]], new_alike_run: Callable[..., Path], run_here: Callable[..., Any]
) -> None:
    """Saved whole, an adapter merged; loaded by the library alone; two texts, the nearest rows, another file."""
    from sentence_transformers import SentenceTransformer

    done = run_here(new_alike_run("lora", texts=scored))
    assert done.code == 0, done.last
    folder = done.folder / "model"
    assert not [*folder.rglob("*.bin"), *folder.rglob("*.pt")]
    _plan, model = predict.load(done.folder)
    one, two = "apple pear word3", "plum word5 apple"
    answer = model.answer({"text": f"{one} | {two}"})
    values = SentenceTransformer(str(folder), device="cpu").encode([one, two], show_progress_bar=False)
    theirs = float(values[0] @ values[1] / np.linalg.norm(values[0]) / np.linalg.norm(values[1]))
    assert answer["prediction"] == pytest.approx(theirs, abs=2e-3)
    assert answer["untuned"] is not None and answer["untuned"] != answer["prediction"]
    assert model.answer({"inputs": {"sentence1": one, "sentence2": two}}) == answer
    nearest = model.answer({"text": "iron gold zinc"})
    assert len(nearest["nearest"]) == len(nearest["untuned"]) == 5
    close = [each["score"] for each in nearest["nearest"]]
    assert close == sorted(close, reverse=True) and nearest["prediction"] == nearest["nearest"][0]["text"]
    metals = [set(each["text"].split()) & set(KINDS["metal"]) for each in nearest["nearest"]]
    assert all(metals)
    for bad in ({"text": " "}, {"text": "a | b | c"}):
        assert next(predict.answers([json.dumps(bad)], _plan, model))["error"]["code"] == "input-unusable"
    write_rows(done.folder / "more.jsonl", make_scored(60, KINDS, WORDS[:12], seed=5))
    report = evaluate.evaluate(done.folder, done.folder / "more.jsonl")
    assert report["rows"] == 60 and report["metrics"]["spearman"]["value"] > 0.5
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "library_name: sentence-transformers" in card and "pipeline_tag: sentence-similarity" in card
    assert "SentenceTransformer(" in card


def test_triplets_with_an_own_test_file(new_alike_run: Callable[..., Path], run_here: Callable[..., Any]) -> None:
    """Retrieval among all candidates of the test file, and whether the right text is closer than the wrong one."""
    plan = new_alike_run("head", texts=make_pairs(200, KINDS, WORDS, triplets=True),
                         **TRIPLETS, **{"data.test_source": "data/test.jsonl"})  # fmt: skip
    write_rows(plan.parent / "data" / "test.jsonl", make_pairs(40, KINDS, WORDS, seed=3, triplets=True))
    done = run_here(plan)
    assert done.code == 0, done.last
    assert done.result.rows["test"] == 40 and done.result.evaluation == "your own test file"
    assert set(done.result.metrics) == {"mrr", "recall_at_1", "recall_at_5", "triplet_accuracy"}
    assert set(done.result.baselines) == {"untuned", "rare_words", "word_overlap"}
    assert done.result.metrics["mrr"].value > done.result.baselines["untuned"]["mrr"].value
    assert done.result.metrics["triplet_accuracy"].value > 0.7
    assert any("candidates" in note for note in done.result.notes)


def test_stopped_and_gone_on(
    scored: list[dict[str, Any]], new_alike_run: Callable[..., Path], run_here: Callable[..., Any],
    run_until: Callable[..., Any],
) -> None:  # fmt: skip
    """A stop keeps the best state; the same command goes on and ends as an uninterrupted run does."""
    few = {"training.micro_batch_size": 3}
    whole, broken = (new_alike_run("full", texts=scored, name=name, **few) for name in ("whole", "broken"))
    first = run_here(whole).result
    stopped = run_until(broken, 5)
    assert (stopped.code, stopped.last.kind, stopped.last.model_kept) == (3, "cancelled", True)
    assert predict.load(broken.parent)[1].answer({"text": "iron | gold"})["input"] == "iron ↔ gold"
    gone_on = run_here(broken)
    assert gone_on.code == 0, gone_on.last
    assert gone_on.result.metrics == first.metrics
    assert gone_on.result.curves == first.curves


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(new_alike_run: Callable[..., Path]) -> None:
    """Every text of a step is compared with all others of it, whichever process reads it."""
    from tests.recipes.test_processes import log_of, run

    rows = make_pairs(160, KINDS, WORDS, triplets=True)
    changes = {**TRIPLETS, "training.batch_size": 9}
    one, two = (new_alike_run("full", texts=rows, name=name, **changes) for name in ("one", "two"))
    assert run(one) == 0, log_of(one)
    assert run(two, processes=2) == 0, log_of(two)
    first, second = Result.load(one.parent / "result.json"), Result.load(two.parent / "result.json")
    assert second.environment["processes"] == 2
    for name, points in (first.curves or {}).items():
        assert np.array((second.curves or {})[name]) == pytest.approx(np.array(points), rel=0.03, abs=3e-3), name


def test_a_model_with_code_of_its_own_is_refused(
    scored: list[dict[str, Any]], tmp_path: Path, new_alike_run: Callable[..., Path], run_here: Callable[..., Any],
    tiny: Callable[[str], Path],
) -> None:  # fmt: skip
    """A folder may name only parts of sentence-transformers itself."""
    import shutil

    folder = tmp_path / "strange"
    shutil.copytree(tiny("bert"), folder)
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "os.path"}]))
    done = run_here(new_alike_run(texts=scored, base_model=str(folder)))
    assert (done.code, done.last.code) == (1, "remote-code")


def test_reasons_for_left_out_rows_are_counted() -> None:
    left_out: Counter[str] = Counter()
    plan = Plan().changed({"data.columns": {"anchor": "a", "positive": "b"}})
    rows = alike_rows.usable_rows([{"a": "x", "b": " "}, {"a": "x", "b": "y"}], plan, "file", left_out)
    assert [(row.first, row.second, row.number) for row in rows] == [("x", "y", 2)]
    assert left_out == {"one of the two texts is empty": 1}
