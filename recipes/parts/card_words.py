"""What a model's card says about its inputs, and the lines of Python that prepare them: one row a task."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InputWords:
    """Words and lines for one kind of input.

    Attributes:
        one, many: "text", "texts"; does: "reads a text".
        auto, body: classes of transformers: with the new last layer, and the body alone.
        processor: the class that prepares inputs; name: what the lines call it.
        given: the line that names the inputs; prepared: the line that makes tensors of them.
        imports: further imports, in order.
    """

    one: str
    many: str
    does: str
    auto: str
    processor: str
    name: str
    given: str
    prepared: str
    imports: tuple[str, ...] = ()
    body: str = "AutoModel"


_TEXTS = InputWords(
    one="text", many="texts", does="reads a text", auto="AutoModelForSequenceClassification",
    processor="AutoTokenizer", name="tokenizer", given='texts = ["Put your text here."]',
    prepared='inputs = tokenizer(texts, truncation=True, padding=True, return_tensors="pt")',
)  # fmt: skip
_PICTURES = InputWords(
    one="picture", many="pictures", does="looks at a picture", auto="AutoModelForImageClassification",
    processor="AutoImageProcessor", name="processor", given='pictures = [Image.open("picture.jpg").convert("RGB")]',
    prepared='inputs = processor(pictures, return_tensors="pt")', imports=("from PIL import Image",),
)  # fmt: skip
_BY_TASK = {"image-classification": _PICTURES}


def words_for(task: str) -> InputWords:
    """The words of a task; those of texts where it has none of its own."""
    return _BY_TASK.get(task, _TEXTS)
