"""The parts of the language recipes: shapes of data, what is learned, the loss, packing, few-shot prompts, figures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_language
import torch

from recipes.events import EventWriter
from recipes.parts import (
    chat_format,
    conversations,
    few_shot,
    language_figures,
    language_memory,
    language_model,
    packing,
    token_loss,
    writing,
)
from recipes.parts.chat_format import IGNORED
from recipes.parts.context import RunContext
from recipes.parts.conversations import Example
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.language_training import Job, answer_losses, pieces_of
from recipes.plan import Method, Plan

LORA = Method(name="lora", rank=4)
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),  # PEFT asks for it
]


@pytest.fixture
def place() -> Device:
    return Device(torch.device("cpu"), "CPU, 1 core", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_language.save(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def model(folder: Path, place: Device) -> language_model.LanguageModel:
    return language_model.load(str(folder), str(folder), place, LORA)


def chat(*turns: str) -> Example:
    """user, assistant, user, assistant, …"""
    roles = ("user", "assistant")
    return Example(tuple({"role": roles[number % 2], "content": text} for number, text in enumerate(turns)))


# Shapes


def columns(**roles: Any) -> Plan:
    return Plan().changed({"data.columns": roles})


@pytest.mark.parametrize(
    ("record", "plan"),
    [
        ({"m": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, columns(messages="m")),
        ({"m": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, columns(messages="m")),
        ({"m": '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]'}, columns(messages="m")),
        ({"m": {"messages": [{"role": "user", "content": "a"}, {"role": "model", "content": "b"}]}},
         columns(messages="m")),
        ({"i": "a", "n": "", "o": "b"}, columns(prompt=["i", "n"], completion="o")),
        ({"p": [{"role": "user", "content": "a"}], "c": [{"role": "assistant", "content": "b"}]},
         columns(prompt="p", completion="c")),
        ({"q": "a", "s": {"text": ["b"], "answer_start": [0]}}, columns(question="q", answers="s")),
        ({"q": "a", "s": ["b", "c"]}, columns(question="q", answers="s")),
        ({"x": "a", "y": "b"}, columns(source="x", target="y")),
    ],
)  # fmt: skip
def test_every_shape_becomes_the_same_conversation(record: dict[str, Any], plan: Plan) -> None:
    example = conversations.read([record], plan, "file").examples[0]
    assert example.messages == ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})
    assert (example.prompt, example.answer) == ("a", "b")


def test_what_follows_the_last_answer_is_dropped_and_rows_without_an_answer_are_counted() -> None:
    records = [
        {"m": [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}, {"role": "user", "content": "c"}]},
        {"m": [{"role": "user", "content": "a"}]},
        {"m": [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}]},
        {"m": "no conversation"},
        {"m": None},
    ]  # fmt: skip
    reading = conversations.read(records, columns(messages="m"), "file")
    assert [len(example.messages) for example in reading.examples] == [2]
    assert sum(reading.left_out.values()) == 4
    assert reading.examples[0].row == 1


def test_a_missing_column_and_rows_of_nothing_are_sentences() -> None:
    with pytest.raises(RecipeError) as missing:
        conversations.read([{"a": 1}], columns(messages="m"), "file")
    assert missing.value.code == "column-missing" and "a" in missing.value.expected
    with pytest.raises(RecipeError) as empty:
        conversations.read([{"m": ""}], columns(messages="m"), "file")
    assert empty.value.code == "no-usable-rows"
    with pytest.raises(RecipeError) as open_plan:
        conversations.read([{"m": "x"}], Plan(), "file")
    assert open_plan.value.code == "plan-incomplete"


# What is learned


def test_only_answers_are_learned_and_the_end_of_each(model: language_model.LanguageModel) -> None:
    example = chat("what is it ?", "it is rome", "the capital ?", "paris")
    parts = model.form.parts(example)
    assert "".join(text for text, _ in parts) == model.form.render(example.messages).rstrip()
    assert [text for text, learned in parts if learned] == ["it is rome<|end|>", "paris<|end|>"]
    encoded = chat_format.encode(model.form, [example], 64)
    learned = encoded.ids[0][encoded.labels[0] != IGNORED]
    assert model.tokenizer.decode(learned).replace(" ", "") == "itisrome<|end|>paris<|end|>"
    assert model.form.end_tokens == {"<|end|>"}
    language_model.settle_generation(model)
    assert model.module.generation_config.eos_token_id == [2, 4]


def test_a_model_without_a_chat_format_gets_a_simple_one_that_ends(folder: Path) -> None:
    form = chat_format.of(tiny_language.tokenizer(chat=False))
    assert form.simple
    parts = form.parts(chat("the capital ?", "rome"))
    assert parts == [("User: the capital ?\n\nAssistant:", False), (" rome<eos>", True)]
    assert form.render(chat("the capital ?", "").messages[:1], for_answer=True) == parts[0][0]


def test_a_template_without_a_system_role_reads_it_with_the_first_question() -> None:
    tokenizer = tiny_language.tokenizer()
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        + tiny_language.CHAT_TEMPLATE
    )
    messages = [{"role": "system", "content": "it"}, {"role": "user", "content": "what ?"}]
    assert chat_format.of(tokenizer).render(messages) == "<|start|>user it\n\nwhat ?<|end|>\n"


def test_rows_that_are_cut_or_have_nothing_left_are_counted(model: language_model.LanguageModel) -> None:
    long = chat("the capital", " ".join(["it is"] * 20))
    asks_long = chat(" ".join(["what is"] * 20), "rome")
    encoded = chat_format.encode(model.form, [long, asks_long, chat("what ?", "rome")], 16)
    assert encoded.cut == 1 and encoded.usable.tolist() == [0, 2]
    assert len(encoded.ids[0]) == 16
    whole = chat_format.encode(model.form, [long], 128)
    assert encoded.cut_answer_tokens == whole.learned[0] - encoded.learned[0] > 0
    assert list(encoded.left_out.values()) == [1]
    with pytest.raises(RecipeError) as refused:
        chat_format.encode(model.form, [asks_long], 16)
    assert refused.value.code == "all-masked"


def test_a_long_plain_text_is_read_in_pieces(model: language_model.LanguageModel) -> None:
    encoded = chat_format.encode(model.form, [Example(text="it is " * 25), Example(text="rome")], 16)
    assert encoded.lengths.tolist() == [16, 16, 16, 3, 2]
    assert encoded.owner.tolist() == [0, 0, 0, 0, 1]
    assert encoded.ids[3][-1] == 2, "the end of a text is learned"
    assert encoded.cut == 0


# The loss


@pytest.mark.parametrize("cap", [None, 5.0])
def test_the_loss_in_pieces_is_the_loss(monkeypatch: pytest.MonkeyPatch, cap: float | None) -> None:
    """Value and gradients equal those of the plain way."""
    monkeypatch.setattr(token_loss, "PIECE", 5)
    torch.manual_seed(0)
    hidden, weight = torch.randn(13, 8, requires_grad=True), torch.randn(30, 8, requires_grad=True)
    bias, labels = torch.randn(30, requires_grad=True), torch.randint(0, 30, (13,))
    scores = torch.nn.functional.linear(hidden, weight, bias)
    scores = scores if cap is None else torch.tanh(scores / cap) * cap
    expected = torch.nn.functional.cross_entropy(scores, labels, reduction="sum")
    wanted = torch.autograd.grad(expected * 0.5, (hidden, weight, bias))
    found = token_loss._SummedLoss.apply(hidden, weight, bias, labels, cap)
    gradients = torch.autograd.grad(found * 0.5, (hidden, weight, bias))
    assert torch.allclose(found, expected, rtol=1e-5)
    for mine, theirs in zip(gradients, wanted, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
    each = token_loss.each_loss(hidden, weight, bias, labels, cap)
    assert torch.allclose(each.sum(), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_loss_is_the_models_own(kind: str, tmp_path: Path, place: Device) -> None:
    """What is summed over the answers is what transformers computes with the same labels, padded or not."""
    model = language_model.load(str(tiny_language.save(tmp_path, kind)), kind, place, LORA)
    encoded = chat_format.encode(
        model.form, [chat("what is it ?", "it is rome"), chat("what ?", "the capital of peru is lima")], 64
    )
    together = answer_losses(model, encoded, np.arange(2), place)
    for number in range(2):
        batch = chat_format.padded([encoded.ids[number]], [encoded.labels[number]], 0)
        tensors = {name: torch.from_numpy(value) for name, value in batch.items()}
        with torch.no_grad():
            mean = model.module(**tensors).loss
            summed = model.module(**tensors, token_loss="sum")["loss"]
        assert together[number] == pytest.approx(float(mean) * encoded.learned[number], rel=1e-5)
        assert float(summed) == pytest.approx(together[number], rel=1e-5)


# Layout


def job_of(model: language_model.LanguageModel, encoded: Any, **how: Any) -> Job:
    every = np.arange(len(encoded.ids))
    return Job(model, encoded, every, every, **{"tokens_at_once": 32, "rows_at_once": 16, **how})


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_in_pieces_has_the_loss_of_the_whole(
    model: language_model.LanguageModel, place: Device, packed: bool
) -> None:
    """Cut by tokens, padded or laid end to end: the sum over the answers stays."""
    examples = [
        chat("what ?", "rome"),
        chat("the capital of peru ?", "it is lima"),
        chat("it ?", "paris is the capital"),
    ]
    encoded = chat_format.encode(model.form, examples, 64)
    batch = {
        name: torch.from_numpy(value) for name, value in chat_format.padded(encoded.ids, encoded.labels, 0).items()
    }
    pieces = pieces_of(batch, job_of(model, encoded, packed=packed))
    assert len(pieces) > 1
    with torch.no_grad():
        found = sum(float(model.module(**piece, token_loss="sum")["loss"]) for piece in pieces)
    assert found == pytest.approx(float(answer_losses(model, encoded, np.arange(3), place).sum()), rel=1e-4)


def test_rows_at_once_are_kept(model: language_model.LanguageModel) -> None:
    encoded = chat_format.encode(model.form, [chat("what ?", "rome")] * 5, 64)
    batch = {
        name: torch.from_numpy(value) for name, value in chat_format.padded(encoded.ids, encoded.labels, 0).items()
    }
    pieces = pieces_of(batch, job_of(model, encoded, tokens_at_once=1000, rows_at_once=2))
    assert sorted(len(piece["input_ids"]) for piece in pieces) == [1, 2, 2]


def test_two_documents_laid_end_to_end_cannot_see_each_other(
    model: language_model.LanguageModel, place: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test passes where positions restart, and notices a model that ignores them."""
    assert packing.apart_by(model, place) < 1e-4
    forward = model.module.forward
    monkeypatch.setattr(
        model.module, "forward", lambda *args, position_ids=None, **kwargs: forward(*args, **kwargs)
    )  # fmt: skip
    assert packing.apart_by(model, place) > packing.TOLERANCE
    assert not packing.keeps_apart(model, place)


def test_memory_that_is_short_is_met_with_fewer_rows_then_with_checkpointing(
    model: language_model.LanguageModel, place: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    language_model.prepare(model, LORA, 0)
    need = language_memory.activation_bytes(model.module.config, LORA, place)

    def room(free: float) -> language_memory.Room:
        monkeypatch.setattr(language_memory, "free_memory_bytes", lambda _place: int(free))
        return language_memory.room_for(model.module, LORA, 64, 4096, place, None)

    ample, short, tiny = room(1e12), room(3e6 + 300 * need / 0.75), room(1e3)
    assert (ample.tokens, ample.checkpointing) == (1024, False)
    assert 64 <= short.tokens < 1024 and not short.checkpointing
    assert (tiny.tokens, tiny.checkpointing) == (64, True)
    assert tiny.peak_bytes < ample.peak_bytes


# Few-shot


def test_a_few_shot_loss_is_that_of_the_whole_prompt(
    model: language_model.LanguageModel, place: Device, tmp_path: Path
) -> None:
    """Reading the common beginning once changes nothing; only the row's own answer counts."""
    examples = [chat("what ?", "rome"), chat("the capital of peru ?", "it is lima"), chat("it ?", "paris")]
    shots = [chat("is it ?", "it is"), chat("the capital ?", "cairo")]
    encoded = chat_format.encode(model.form, examples, 64)
    run = RunContext(tmp_path, EventWriter(None))
    found = few_shot.losses(model, encoded, np.arange(3), examples, shots, place, run)
    for number, example in enumerate(examples):
        messages = [message for shot in shots for message in shot.messages]
        whole = chat_format.encode(model.form, [Example((*messages, *example.messages))], 128)
        labels = whole.labels[0].copy()
        labels[: -int(encoded.learned[number])] = IGNORED
        batch = chat_format.padded(whole.ids, [labels], 0)
        tensors = {name: torch.from_numpy(value) for name, value in batch.items()}
        with torch.no_grad():
            expected = float(model.module(**tensors, token_loss="sum")["loss"])
        assert found[number] == pytest.approx(expected, rel=1e-4)


def test_shots_are_training_rows_that_fit(model: language_model.LanguageModel) -> None:
    examples = [chat("what ?", "rome")] * 10
    rows = np.arange(3, 10)
    chosen = few_shot.choose(examples, rows, np.full(7, 10), seed=1, context=128)
    assert len(chosen) == 3, "a quarter of the context holds three"
    assert few_shot.choose([Example(text="a")] * 10, rows, np.full(7, 10), 1, 128) == []


# Writing and figures


def test_written_answers_do_not_depend_on_their_neighbours(model: language_model.LanguageModel, place: Device) -> None:
    prompts = writing.prompts_of(model, [chat("what ?", "x"), chat("what is the capital of peru ?", "x")], 8)
    together = writing.write(model, prompts, place, new_tokens=8)
    assert together == [writing.write(model, [prompt], place, new_tokens=8)[0] for prompt in prompts]


def losses(values: list[float], tokens: list[int]) -> language_figures.Losses:
    return language_figures.Losses(np.array(values), np.array(tokens, dtype=np.float64))


def test_the_loss_is_weighted_by_tokens_and_perplexity_follows() -> None:
    found = language_figures.figures(losses([10.0, 1.0] * 40, [10, 4] * 40))
    assert found["loss"].value == pytest.approx(11 / 14)
    assert found["loss"].low is not None and found["loss"].low < 11 / 14 < (found["loss"].high or 0)
    assert found["perplexity"].low == pytest.approx(math.exp(found["loss"].low))


def test_the_verdict_is_against_the_better_rival() -> None:
    chance = np.random.default_rng(0)
    tokens = chance.integers(5, 50, 100)
    base = 2.0 * tokens + chance.normal(0, 3, 100)
    untuned, shown = losses(base.tolist(), tokens.tolist()), losses((base - 0.2 * tokens).tolist(), tokens.tolist())
    mine = losses((base - 0.5 * tokens + chance.normal(0, 1, 100)).tolist(), tokens.tolist())
    found = language_figures.judge(mine, {"untuned": untuned, "few_shot": shown}, 3)
    assert (found.code, found.best_baseline) == ("better", "few_shot")
    assert found.difference is not None and found.difference.value == pytest.approx(0.3, abs=0.03)
    assert "3 examples" in found.text and "better than both" in found.text and "hardly chance" in found.text
    assert language_figures.judge(untuned, {"untuned": mine}, 0).code == "worse"
    same = losses((base + chance.normal(0, 1, 100)).tolist(), tokens.tolist())
    assert language_figures.judge(same, {"untuned": untuned}, 0).code == "same"
    few = language_figures.judge(losses([10.0] * 5, [10] * 5), {"untuned": losses([20.0] * 5, [10] * 5)}, 0)
    assert few.code == "not_enough_data" and "too few" in few.text


def test_how_answers_can_be_compared() -> None:
    assert language_figures.kind_of_answers(["yes", "no", "maybe"]) == "exact_match"
    assert language_figures.kind_of_answers(['{"a": 1}', "[1, 2]"]) == "json_valid"
    assert (
        language_figures.kind_of_answers(["a long answer that goes on and on for a while, as people do"]) == "rouge_l"
    )
    exact = language_figures.written_figures("exact_match", ["Yes.", "no"], ["yes", "yes"])
    assert exact["exact_match"].value == 0.5
    valid = language_figures.written_figures("json_valid", ['{"b":2,"a":1}', "{"], ['{"a": 1, "b": 2}', "{}"])
    assert (valid["json_valid"].value, valid["exact_match"].value) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("mine", "right", "expected"),
    [("the cat sat", "the cat sat", 1.0), ("a b c d", "a x c", 2 * 2 / 7), ("", "a", 0.0), ("c b a", "a b c", 1 / 3)],
)
def test_rouge_l(mine: str, right: str, expected: float) -> None:
    assert language_figures.rouge_l(mine, right) == pytest.approx(expected)
