"""The table of base models is in order, and people's words find the right row."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest

from assistant.advise import catalog
from assistant.advise.catalog import Tier, all_models, find, resolve, suggest
from assistant.data.languages import NAMES
from recipes.parts.starters import STARTERS
from recipes.plan import Task

KNOWN_LICENCES = {
    "apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-3.0", "dinov3-license", "gemma",
    "llama3.1", "llama3.2", "other (NVIDIA, research only)",
}  # fmt: skip


def test_the_table_is_large_and_its_ids_are_unique() -> None:
    ids = [model.id.lower() for model in all_models()]
    assert len(ids) >= 60
    assert [name for name, count in Counter(ids).items() if count > 1] == []


def test_no_alias_names_two_models() -> None:
    owners: dict[str, set[str]] = {}
    for model in all_models():
        for spoken in model.aliases:
            owners.setdefault(catalog._key(spoken), set()).add(model.id)
        owners.setdefault(catalog._key(model.id), set()).add(model.id)
    assert {alias: ids for alias, ids in owners.items() if len(ids) > 1} == {}


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.id)
def test_every_row_is_complete_and_plausible(model: catalog.Model) -> None:
    assert catalog.is_hub_id(model.id) or model.id.startswith("pytorch/vision:")
    assert 1e6 < model.parameters < 2e10
    assert model.licence in KNOWN_LICENCES
    assert model.vocabulary * model.hidden <= 4 * model.parameters  # ALBERT and ELECTRA have a narrower embedding
    assert model.layers or any(name in model.id for name in ("timm/", "efficientnet", "mobilenet"))
    assert model.context >= (8 if model.modality == "audio" else 224)
    if model.modality == "text":
        assert model.languages
        assert model.vocabulary > 20_000
    assert model.aliases, "nobody can name it"


def test_the_licence_of_every_row_was_read_somewhere_and_mostly_on_its_own_card() -> None:
    read = Counter(model.licence_read for model in all_models())
    assert read[""] == 0
    assert read["card"] >= 78
    assert all(model.licence_text == model.licence for model in all_models())


def test_a_licence_that_nobody_read_is_told_as_not_checked() -> None:
    keras = {model.id.partition(":")[2]: model for model in catalog.placed() if model.id.startswith("keras/")}
    assert keras["VGG16"].licence_text == "cc-by-4.0"  # the weights' own, not that of the library
    assert keras["ResNet50"].licence_text == "mit"
    assert keras["EfficientNetB0"].licence_text == "apache-2.0 (not checked)"
    assert set(catalog._file()["places"]["keras/applications"]["licences"]) <= set(keras)
    assert "not known" in catalog.lookup("acme/ocelot-7b").licence_text
    assert "not checked" not in catalog.lookup("acme/ocelot-7b").licence_text


def test_every_task_has_models_and_recommendations() -> None:
    for task in get_args(Task):
        assert find(task), task
        assert catalog.default(task, "small") is not None, task
        for tier in get_args(Tier):
            model = catalog.default(task, tier)
            assert model is None or task in model.tasks, (task, tier)
        small, accurate = catalog.default(task, "small"), catalog.default(task, "accurate")
        assert small is not None and accurate is not None and small.parameters <= accurate.parameters


def test_recommendations_name_rows_of_the_table() -> None:
    for task, tiers in catalog._file()["defaults"].items():
        assert task in get_args(Task)
        for tier, name in tiers.items():
            assert tier in get_args(Tier)
            assert catalog.get(name) is not None, name


def test_only_starters_need_no_hub_and_each_is_one_that_can_be_prepared() -> None:
    found = find(offline=True)
    assert {model.starter: model.id for model in found} == {one.name: one.model_id for one in STARTERS.values()}
    for model in found:
        made = STARTERS[model.starter]
        assert model.download_mb == round(made.wheel_bytes / 1e6)
        assert model.package in ("", made.package)
        assert catalog.starter(model.starter) == catalog.starter(model.aliases[0]) == model
    minilm = catalog.lookup("minilm")
    assert minilm.parameters == 22_713_216
    assert minilm.speaks("en") and not minilm.speaks("de")
    assert catalog.starter("bert") is None


def test_multilingual_recommendations_know_other_languages() -> None:
    for tier in ("multilingual", "multilingual_small"):
        model = catalog.default("text-classification", tier)
        assert model is not None
        assert all(model.speaks(code) for code in ("en", "de", "fr", "es", "zh", "ar", "hi", "ru"))


@pytest.mark.parametrize("code", NAMES)
@pytest.mark.parametrize(
    "name",
    ["Qwen/Qwen3-0.6B", "FacebookAI/xlm-roberta-base", "distilbert/distilbert-base-multilingual-cased",
     "google/mt5-small", "facebook/nllb-200-distilled-600M", "openai/whisper-tiny", "facebook/wav2vec2-xls-r-300m",
     "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"],
)  # fmt: skip
def test_a_set_of_languages_uses_the_codes_that_texts_are_told_by(name: str, code: str) -> None:
    assert catalog.lookup(name).speaks(code)


@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        ("bert", "google-bert/bert-base-uncased"),
        ("BERT large", "google-bert/bert-large-uncased"),
        ("distil bert", "distilbert/distilbert-base-uncased"),
        ("distlibert", "distilbert/distilbert-base-uncased"),
        ("distilbert-base-uncased", "distilbert/distilbert-base-uncased"),
        ("robreta", "FacebookAI/roberta-base"),
        ("the large version of roberta", "FacebookAI/roberta-large"),
        ("roberta large", "FacebookAI/roberta-large"),
        ("deberta v3 small", "microsoft/deberta-v3-small"),
        ("ModernBERT", "answerdotai/ModernBERT-base"),
        ("xlm-r", "FacebookAI/xlm-roberta-base"),
        ("minilm", catalog.STARTER),
        ("all-MiniLM-L6-v2", catalog.STARTER),
        ("t5-small", "google-t5/t5-small"),
        ("flan t5 base", "google/flan-t5-base"),
        ("bart-base", "facebook/bart-base"),
        ("qwen 0.6b", "Qwen/Qwen3-0.6B"),
        ("qwen3 0.6b", "Qwen/Qwen3-0.6B"),
        ("Qwen3-1.7B", "Qwen/Qwen3-1.7B"),
        ("Llama 3.2 1B", "meta-llama/Llama-3.2-1B-Instruct"),
        ("lama 3b", "meta-llama/Llama-3.2-3B-Instruct"),
        ("smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("smollm2 360m", "HuggingFaceTB/SmolLM2-360M-Instruct"),
        ("gemma 3 270m", "google/gemma-3-270m-it"),
        ("gpt2", "openai-community/gpt2"),
        ("resnet50", "microsoft/resnet-50"),
        ("ResNet 18", "microsoft/resnet-18"),
        ("resnet 101", "microsoft/resnet-101"),
        ("mobilenet v3", "timm/mobilenetv3_large_100.ra_in1k"),
        ("efficientnet b0", "google/efficientnet-b0"),
        ("convnext tiny", "facebook/convnext-tiny-224"),
        ("vit small", "facebook/deit-small-patch16-224"),
        ("dino v2 small", "facebook/dinov2-small"),
        ("vgg19", "timm/vgg19.tv_in1k"),
        ("torch hub resnet18", "pytorch/vision:resnet18"),
        ("pytorch/vision:resnet50", "pytorch/vision:resnet50"),
        ("resnet50 from torchvision", "pytorch/vision:resnet50"),
        ("torch hub mobilenet v2", "pytorch/vision:mobilenet_v2"),
        ("keras MobileNetV2", "keras/applications:MobileNetV2"),
        ("tensorflow resnet50", "keras/applications:ResNet50"),
        ("vgg16", "timm/vgg16.tv_in1k"),
        ("mobilenet", "pytorch/vision:mobilenet_v2"),
        ("ViT", "google/vit-base-patch16-224-in21k"),
        ("dino v2", "facebook/dinov2-small"),
        ("dino v3", "timm/vit_small_patch16_dinov3.lvd1689m"),
        ("ettin 32m", "jhu-clsp/ettin-encoder-32m"),
        ("embedding gemma", "google/embeddinggemma-300m"),
        ("qwen3.5 0.8b", "Qwen/Qwen3.5-0.8B"),
        ("distil whisper large", "distil-whisper/distil-large-v3.5"),
        ("whisper small", "openai/whisper-small"),
        ("wisper tiny", "openai/whisper-tiny"),
        ("whisper tiny.en", "openai/whisper-tiny.en"),
        ("whisper large v3", "openai/whisper-large-v3"),
        ("wav2vec", "facebook/wav2vec2-base"),
        ("google-BERT/bert-base-UNCASED", "google-bert/bert-base-uncased"),
        ("llama 3 8b", "meta-llama/Llama-3.1-8B-Instruct"),
        ("meta llama 3", "meta-llama/Llama-3.1-8B-Instruct"),
        ("gemma-3-1b", "google/gemma-3-1b-it"),
        ("mobilenet_v3_small", "timm/mobilenetv3_small_100.lamb_in1k"),
        ("mobile net v4", "timm/mobilenetv4_conv_small.e2400_r224_in1k"),
        ("wav2vec 2.0", "facebook/wav2vec2-base"),
        ("XLM R large", "FacebookAI/xlm-roberta-large"),
        ("deberta v3 xsmall", "microsoft/deberta-v3-xsmall"),
        ("modern-bert-base", "answerdotai/ModernBERT-base"),
        ("qwen 3 4b", "Qwen/Qwen3-4B"),
        ("qwen3 4b 2507", "Qwen/Qwen3-4B-Instruct-2507"),
        ("qwen 2.5 0.5b", "Qwen/Qwen2.5-0.5B-Instruct"),
        ("vgg net", "timm/vgg16.tv_in1k"),
        ("vit b/16", "google/vit-base-patch16-224-in21k"),
        ("effnet b0", "google/efficientnet-b0"),
        ("whisper turbo", "openai/whisper-large-v3-turbo"),
        ("open ai whisper tiny", "openai/whisper-tiny"),
        ("smol lm", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("phi 3 mini", "microsoft/Phi-3.5-mini-instruct"),
        ("deepseek r1 1.5b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"),
        ("distil gpt", "distilbert/distilgpt2"),
        ("bert base multilingual", "google-bert/bert-base-multilingual-cased"),
        ("pubmed bert", "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext"),
        ("nllb 200", "facebook/nllb-200-distilled-600M"),
        ("opus-mt-fr-en", "Helsinki-NLP/opus-mt-fr-en"),
    ],
)
def test_people_are_understood(spoken: str, expected: str) -> None:
    found = resolve(spoken)
    assert found is not None
    assert found.id == expected


@pytest.mark.parametrize(
    "spoken",
    ["", "   ", "cat", "model", "a small model", "large", "google", "meta", "12", "resnet 999", "qwen3 14b",
     "llama 70b", "whisper huge", "t5 large", "flan t5 xl", "gpt2 large", "vit large", "bge large", "whisper large v2",
     "resnet 152", "qwen 2.5 3b", "yolo v8", "../../etc/passwd", "etc/passwd", "./bert", "data/train.csv",
     "org/../name", "a" * 5000, "🙂",
     "<script>alert(1)</script>"],
)  # fmt: skip
def test_what_names_no_model_finds_none(spoken: str) -> None:
    assert resolve(spoken) is None


def test_a_wrong_size_is_never_taken_for_another_but_suggested() -> None:
    assert "microsoft/resnet-50" in suggest("resnet 999")
    assert all("Qwen3" in name for name in suggest("qwen3 14b"))
    assert suggest("") == []


def test_an_explicit_hub_id_is_kept_as_it_is() -> None:
    model = resolve("acme/Ocelot-7B-chat", "text-generation")
    assert model is not None
    assert (model.id, model.listed, model.parameters) == ("acme/Ocelot-7B-chat", False, 7_000_000_000)
    assert model.tasks == ("text-generation",)
    assert model.size_text == "7.0 billion"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b-350m", 350e6),
        ("a/b-1.5B-instruct", 1.5e9),
        ("a/thing-large", 350e6),
        ("a/thing", 125e6),
        ("x/v2.5-3b", 3e9),
    ],
)
def test_a_size_is_guessed_from_a_name(name: str, expected: float) -> None:
    assert catalog.guess_parameters(name) == expected


def test_find_filters_and_sorts_by_size() -> None:
    german = find("text-classification", language="de", max_parameters=300e6)
    assert german
    assert all(model.speaks("de") and model.parameters <= 300e6 for model in german)
    assert [model.parameters for model in german] == sorted(model.parameters for model in german)
    assert all("text-classification" in model.tasks for model in german)


def test_lookup_never_fails() -> None:
    assert catalog.lookup(None).id == catalog.STARTER
    assert catalog.lookup("minilm").id == catalog.STARTER
    assert catalog.lookup("/home/anna/my-model").listed is False


_PERMISSIVE = ("apache-2.0", "mit", "bsd", "cc-by-4.0")
_TEXT_TASKS = (
    "text-classification", "token-classification", "question-answering", "text2text-generation", "text-generation",
    "preference-tuning", "sentence-similarity", "automatic-speech-recognition", "image-text-to-text",
)  # fmt: skip


@pytest.mark.parametrize("task", get_args(Task))
def test_every_task_has_free_models_small_enough_for_a_laptop(task: Task) -> None:
    free = [model for model in catalog.find(task) if model.licence.startswith(_PERMISSIVE) and not model.gated]
    assert any(model.parameters < 300e6 for model in free), [model.id for model in free]
    assert len(free) >= 2
    if task in _TEXT_TASKS:
        assert any(model.multilingual for model in free)


@pytest.mark.parametrize("task", get_args(Task))
def test_no_default_of_a_task_is_gated_or_not_free(task: Task) -> None:
    for tier in ("small", "balanced", "accurate", "multilingual_small", "multilingual"):
        model = catalog.default(task, tier)
        assert model is None or (model.licence.startswith(_PERMISSIVE) and not model.gated), model
