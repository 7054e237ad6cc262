"""Models and data sets by the names that people give them."""

from __future__ import annotations

import pytest

from assistant.advise import catalog
from assistant.chat.mentions import next_size, read_dataset, read_models, relative_size
from assistant.chat.words import tidy


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("use ModernBERT", "modernbert-base"),
        ("with bert", "bert-base-uncased"),
        ("distill bert please", "distilbert"),
        ("distillbert", "distilbert"),
        ("robberta on reviews", "roberta-base"),
        ("roberta large", "roberta-large"),
        ("resnet50 on these", "resnet-50"),
        ("resnet 18", "resnet-18"),
        ("whisper small for my clips", "whisper-small"),
        ("qwen3 0.6b", "qwen3-0.6b"),
        ("llama 3.2 1b", "3.2-1b"),
        ("gemma, 3 epochs", "gemma"),
        ("t5 3 epochs", "t5-small"),
        ("not whisper, wav2vec", "wav2vec2"),
        ("roberta instead of bert", "roberta-base"),
        ("google/flan-t5-small summarises", "google/flan-t5-small"),
        ("fine-tune some-user/odd-model", "some-user/odd-model"),
        ("segformer", "segformer"),
        ("classify these photos with torch hub resnet18", "pytorch/vision:resnet18"),
        ("use pytorch/vision:resnet50 please", "pytorch/vision:resnet50"),
        ("torch.hub.load('pytorch/vision:v0.10.0', 'vgg16')", "pytorch/vision:vgg16"),
        ("use resnet 18 from the pytorch hub", "pytorch/vision:resnet18"),
        ("a keras mobilenet for my x-rays", "keras/applications:mobilenet"),
        ("take the MobileNetV2 of keras", "keras/applications:mobilenetv2"),
        ("tensorflow hub resnet50", "keras/applications:resnet50"),
        ("use kerashub resnet_50_imagenet", "keras/hub:resnet_50_imagenet"),
        ("mobilenet on these tiles", "pytorch/vision:mobilenet_v2"),
        ("xlnet on reviews", "xlnet/xlnet-base-cased"),
        ("start from distilbert-base-cased", "distilbert-base-cased"),
        ("distilbart... hm no, plain bart-base", "facebook/bart-base"),
        ("pegasus? or t5 base... let us take t5 base", "t5-base"),
        ("segformer b0", "segformer"),
    ],
)
def test_models(text: str, part: str) -> None:
    wanted = read_models(tidy(text)).wanted
    assert wanted
    assert part in wanted[0].id.lower()


@pytest.mark.parametrize(
    "text",
    ["albert wrote to me", "the starter of my car", "sort reviews", "load ../../etc/passwd", "yes/no questions"],
)
def test_words_that_are_no_models(text: str) -> None:
    assert read_models(tidy(text)).wanted == ()


def test_a_column_of_that_name_is_no_model() -> None:
    assert read_models("predict bert from the text", known=frozenset({"bert"})).wanted == ()


@pytest.mark.parametrize(
    ("text", "name", "task"),
    [
        ("fine-tune distilbert on imdb", "imdb", "text-classification"),
        ("use the conll2003 dataset from the hub", "conll2003", "token-classification"),
        ("take stanfordnlp/sst2 and make me a sentiment classifier", "stanfordnlp/sst2", "text-classification"),
        ("fine-tune vit on the beans dataset", "beans", "image-classification"),
        ("lora on tatsu-lab/alpaca", "tatsu-lab/alpaca", "text-generation"),
        ("the my_own-set42 data set of the hub", "my_own-set42", None),
        ("tell sick leaves from healthy ones", None, None),
        ("the colour of beans", None, None),
    ],
)
def test_data_sets(text: str, name: str | None, task: str | None) -> None:
    assert read_dataset(tidy(text), None, False) == (name, task)


def test_next_size_keeps_the_language_and_changes_the_size() -> None:
    larger = next_size("distilbert/distilbert-base-uncased", "text-classification", 1)
    assert larger is not None
    assert catalog.lookup(larger).parameters > 1.4 * catalog.lookup("distilbert").parameters
    assert not catalog.lookup(larger).multilingual
    assert next_size("prajjwal1/bert-tiny", "text-classification", -1) is None


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("smaller model please", -1),
        ("a bigger one", 1),
        ("not a bigger model", 0),
        ("a smaller learning rate", 0),
        ("something lighter", -1),
    ],
)
def test_relative_size(text: str, direction: int) -> None:
    assert relative_size(text) == direction
