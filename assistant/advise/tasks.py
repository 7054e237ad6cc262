"""Settings for the tasks other than text classification: complete, sensible, each with its reason. Pure.

Sources: LoRA Without Regret and Tinker (language models), DPO paper and Tinker (preferences), Hugging Face and OpenAI
guidance (Whisper), AugReg, BiT and DINOv2 (images).
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.advise import pictures
from assistant.advise.catalog import Model
from assistant.advise.draft import Draft
from assistant.advise.estimate import CHAT_TOKENS
from assistant.advise.facts import DataFacts
from assistant.advise.pictures import is_transformer
from assistant.advise.training import FEW_ROWS, half, length_for


@dataclass(frozen=True)
class Defaults:
    """What a task starts from. `tokens`: whether a limit on the length makes sense, and its cap."""

    metric: str
    metric_reason: str
    batch_size: int
    tokens: int | None
    epochs: float
    learning_rate: float


DEFAULTS = {
    "token-classification": Defaults("f1", "Counts whole names that are found, not single words", 16, 512, 4, 5e-5),
    "question-answering": Defaults(
        "f1", "Counts how many words the answer shares with the right one", 16, 384, 3, 3e-5
    ),
    "text2text-generation": Defaults(
        "rouge", "Counts the words shared with your own texts, in order", 16, 512, 4, 3e-4
    ),
    "text-generation": Defaults("loss", "How surprised the model is by answers it never saw", 16, 1024, 3, 2e-4),
    "preference-tuning": Defaults("reward_accuracy", "How often it likes the better answer more", 16, 1024, 1, 5e-6),
    "sentence-similarity": Defaults("spearman", "Whether it ranks pairs as you do", 32, 256, 3, 2e-5),
    "image-classification": Defaults("accuracy", "The share of pictures it gets right", 32, None, 8, 1e-4),
    "object-detection": Defaults("map", "The usual figure for boxes: found, and in the right place", 8, None, 30, 5e-5),
    "image-segmentation": Defaults("mean_iou", "How well the areas overlap with yours", 8, None, 20, 6e-5),
    "image-text-to-text": Defaults("loss", "How surprised the model is by answers it never saw", 8, 1024, 3, 1e-4),
    "audio-classification": Defaults("accuracy", "The share of sounds it gets right", 16, None, 10, 5e-5),
    "automatic-speech-recognition": Defaults(
        "wer", "The share of words that are wrong: lower is better", 16, None, 4, 1e-4
    ),
}
#: Whisper, all weights: about a fortieth of the rate it was first trained with.
WHISPER_RATES = (("tiny", 3e-5), ("base", 2.5e-5), ("small", 1.25e-5), ("medium", 6.25e-6), ("large", 5e-6))
#: Tagged sentences up to which a processor trains every layer of a small model in minutes: sentences are short.
TAGGED_ROWS = 5000
#: Questions up to which it does so: each comes with a text.
ASKED_ROWS = 2000
#: Pictures of each class from which a processor too trains all of a small network. Measured with EfficientNet-Lite0 on
#: 2,500 photos of ten kinds: 83.2 % after 3 epochs, 75.7 % with the last layer alone.
MANY_A_CLASS = 100
EPOCHS_ON_A_PROCESSOR = 3.0
SPEECH = "automatic-speech-recognition"
ACCENT_SECONDS = 3600.0  # of recordings, up to which adapters are the usual choice (PEFT's example, MAS-LoRA)
FEW_RECORDINGS = 1000  # below, steps of 8: as many rows, more steps
LARGE_REWRITER = 350e6  # parameters from which a processor trains adapters of a model that writes one text from another
#: Pairs of texts between which a processor trains every layer: fewer gain nothing by it (measured on 476 pairs: mean
#: reciprocal rank 0.82 with all layers, 0.82 with a projection alone), more take too long.
FEW_PAIRS, MANY_PAIRS = 1000, 20_000
LANGUAGE_MODEL_TASKS = ("text-generation", "preference-tuning", "image-text-to-text")


def settle(task: str, data: DataFacts, model: Model, on_gpu: bool, draft: Draft) -> None:
    """Choose method, training and metric for one of the other tasks."""
    defaults = DEFAULTS[task]
    method = _method(task, data, model, on_gpu, draft)
    patient = on_gpu or draft.preference == "more accurate"
    draft.choose("training.epochs", *_epochs(task, data, method, defaults, patient))
    draft.choose("training.learning_rate", *_learning_rate(task, model, method, defaults))
    small = data.rows < 200 and task != "sentence-similarity"  # there the other rows of a step are the wrong answers
    small = small or (task == "question-answering" and data.rows < ASKED_ROWS)  # more steps in as many passes
    small = small or (task == SPEECH and data.rows < FEW_RECORDINGS)
    batch = 8 if small else defaults.batch_size
    draft.choose("training.batch_size", batch, f"{batch} rows a step is usual here. Runner-up: {batch * 2}, steadier.")
    if defaults.tokens:
        cap = min(defaults.tokens if on_gpu else min(defaults.tokens, 512), model.context)
        marks = CHAT_TOKENS if task in ("text-generation", "preference-tuning") else 0
        marks += data.p99_tokens if task == "token-classification" else 0  # names and numbers fall into many pieces
        length = length_for(data.p99_tokens + marks, cap)
        draft.choose(
            "training.max_length", length,
            f"99 of 100 rows have at most about {data.p99_tokens:,} tokens; {cap:,} is the most that is sensible here. "
            "Runner-up: twice as much, at twice the cost or more.",
        )  # fmt: skip
    if method != "head" and task not in ("preference-tuning",):
        looks = {"token-classification": 8, "question-answering": 6}.get(task, 3)  # both jump while the steps are large
        draft.choose("training.early_stopping", looks, f"Stops after {looks} looks without gain. Runner-up: never.")
    if task == "audio-classification":
        _sounds(data, draft)
    if task == SPEECH and "whisper" in model.id:
        draft.choose(
            "training.augmentation", False,
            "Recordings are heard as they are: with few passes, blank pieces (SpecAugment) cost more than they bring "
            "(tried on 320 sentences). Runner-up: blank pieces, for many passes.",
        )  # fmt: skip
    if task == "image-classification":
        _pictures(data, method, draft)
    else:
        draft.choose("evaluation.metric", *_metric(task, data, model, defaults, draft))


def _pictures(data: DataFacts, method: str, draft: Draft) -> None:
    """What a plan for pictures must beat, and how its body is trained (AugReg, timm, BiT)."""
    draft.choose(
        "evaluation.baselines", ("majority", "picture_statistics", "nearest_centroid"),
        "Always the most frequent class, colours and edges alone, and the nearest class average of what the pretrained "
        "model sees. Runner-up: also the same architecture without pretraining, a second training.",
    )  # fmt: skip
    _rare_classes(data, draft)
    if method in ("full", "last_layers"):
        draft.choose(
            "training.layer_decay", 0.75,
            "Each block moves three quarters as fast as the one above: the lower ones see edges and textures, which "
            "are the same everywhere (timm's default). Runner-up: 1, all alike.",
        )  # fmt: skip
    if method != "head":
        draft.choose("training.weight_decay", 0.05, "Usual for pictures (timm). Runner-up: 0.01.")
        draft.choose(
            "training.augmentation", True,
            "Each pass sees the pictures cropped, mirrored and tinted a little differently, so that they are not "
            "learned by heart. Runner-up: as they are, for letters, digits and arrows, which must not be mirrored.",
        )  # fmt: skip


def _sounds(data: DataFacts, draft: Draft) -> None:
    """What a plan for recordings must beat."""
    draft.choose(
        "evaluation.baselines", ("majority", "sound_statistics", "nearest_centroid"),
        "Always the most frequent class, how loud each pitch is alone, and the nearest class average of what the "
        "pretrained model hears. Runner-up: also the same architecture without pretraining, a second training.",
    )  # fmt: skip
    _rare_classes(data, draft)


def _rare_classes(data: DataFacts, draft: Draft) -> None:
    if data.uneven:
        draft.choose(
            "training.class_weights", "balanced",
            "The classes are uneven: rare ones count more, or they would be ignored. Runner-up: every row the same.",
        )  # fmt: skip


def _method(task: str, data: DataFacts, model: Model, on_gpu: bool, draft: Draft) -> str:
    quick = draft.preference in ("faster", "smaller") or not pictures.trains_in_minutes(model, data.rows)
    patient = on_gpu or draft.preference == "more accurate" or (data.per_class >= MANY_A_CLASS and not quick)
    slow_is_fine = {
        "image-classification": patient,
        "sentence-similarity": on_gpu or draft.preference == "more accurate",
    }
    wanted, reason = _method_for(task, data, model, slow_is_fine.get(task, on_gpu))
    if draft.method:
        wanted, reason = draft.method, "It follows from what you asked for."
    elif wanted in draft.avoid:
        wanted = next(name for name in ("full", "last_layers", "head", "lora") if name not in draft.avoid)
        reason = "The usual choice is one that you do not want."
    method = str(draft.choose("method.name", wanted, reason))
    if method == "last_layers":
        draft.choose(
            "method.layers",
            half(model) if model.layers else 4,
            "Half of the layers: the lower ones hold general knowledge. Runner-up: all.",
        )
    if method in ("lora", "qlora"):
        rank = 32 if task == "automatic-speech-recognition" else 16
        rank = draft.choose("method.rank", rank, f"{rank} is enough for data of this size. Runner-up: {rank * 2}.")
        draft.choose("method.alpha", min(4096, 2 * int(rank)), "Twice the rank, as usual for LoRA.")
        draft.choose("method.dropout", 0.0, "Dropout in adapters costs memory and rarely helps; 0.05 is the runner-up.")
    return method


def _method_for(task: str, data: DataFacts, model: Model, on_gpu: bool) -> tuple[str, str]:
    if task in LANGUAGE_MODEL_TASKS:
        return "lora", (
            "Small adapters in every layer learn as much as training all weights at this size of data, with a fraction "
            "of the memory (LoRA Without Regret). Runner-up: every weight."
        )
    if task in ("image-classification", "audio-classification"):
        if data.per_class < 20 or not on_gpu:
            return "head", (
                "The pretrained body reads each file once and only a new last layer learns: quick, and hard to "
                "overfit. "
                "Runner-up: also the last layers."
            )
        return "full", (
            "Enough data and enough time: every layer adapts, from a fitted last layer on, and is kept only if it does "
            "better than that layer alone. Runner-up: a new last layer only, several times as quick."
        )
    if task == SPEECH and "whisper" in model.id and (model.parameters > 100e6 or _an_accent(data, model)):
        return "lora", (
            "The language is known already: adapters learn in few passes how these voices say it. The report shows "
            "what that costs on other speech. Runner-up: every weight, slower to learn."
        )
    if task == "sentence-similarity" and not on_gpu and not FEW_PAIRS <= data.rows <= MANY_PAIRS:
        return "head", (
            "The pretrained encoder reads each text once, and a linear projection of what it says is fitted in "
            "seconds. On 700 sentences with their commands that did as well as training every layer, which took many "
            "times as long. Runner-up: every layer."
        )
    if task == "token-classification" and (on_gpu or data.rows < TAGGED_ROWS):
        return "full", (
            "Which words belong together is not what the model was trained for, so every layer adapts (measured on "
            "1,000 addresses: F1 0.71 with a frozen body). Runner-up: the last layers, quicker."
        )
    if task == "question-answering" and data.rows < FEW_ROWS and data.test_rows is None:
        return "head", (
            f"Fewer than {FEW_ROWS} questions cannot show whether more training helps: only a new last layer learns, "
            "and every question is tested in turn. Runner-up: every layer, with more questions."
        )
    if task == "question-answering" and (on_gpu or data.rows < ASKED_ROWS):
        return "full", (
            "Question and text must look at each other, which a model of meanings was not trained for, so every layer "
            "adapts (measured on 300 questions: F1 0.32 with a frozen body, 0.82 so). Runner-up: the last layers."
        )
    if task == SPEECH and "whisper" in model.id:
        return "full", (
            "On small Whispers, training every weight, the encoder too, beat adapters by far where the speech was new "
            "to them (arXiv 2604.06507, on Pashto); the report shows what it costs on other speech. Runner-up: "
            "adapters (LoRA), which forget less."
        )
    if task in ("token-classification", "question-answering") and not on_gpu:
        return "last_layers", "Half of the layers is what a processor can train in time. Runner-up: every layer."
    if task == "text2text-generation" and model.parameters > (1e9 if on_gpu else LARGE_REWRITER):
        return "lora", (
            f"{model.size_text} parameters: adapters learn about as much, with a fraction of the memory and files of "
            "some megabytes. Runner-up: every weight."
        )
    return "full", "A model of this size learns best with every weight. Runner-up: adapters (LoRA), less memory."


def _an_accent(data: DataFacts, model: Model) -> bool:
    """Whether little speech is given in a language that the model knows: what is new is how it is said."""
    return data.rows * data.clip_seconds < ACCENT_SECONDS and model.speaks(data.language)


def _epochs(task: str, data: DataFacts, method: str, defaults: Defaults, patient: bool) -> tuple[float, str]:
    epochs = defaults.epochs
    if method == "head":
        return 1.0, "The body is read once; the last layer is then fitted exactly."
    if task == "image-classification" and not patient and data.rows >= 500:
        epochs = EPOCHS_ON_A_PROCESSOR
    elif task in LANGUAGE_MODEL_TASKS and task != "preference-tuning":
        epochs = 3.0 if data.rows < 500 else 2.0 if data.rows < 10_000 else 1.0
    elif task == "token-classification" and data.rows < TAGGED_ROWS:
        epochs = 16.0 if data.rows < 2000 else 8.0
        return epochs, (
            f"{data.rows:,} rows: small data need many passes until whole entities are right (Mosbach 2021; on 1,000 "
            f"addresses five were too few). Runner-up: {epochs / 2:g}, half the time."
        )
    elif task == "question-answering" and data.rows < ASKED_ROWS:
        epochs = 10.0 if data.rows < 1000 else 5.0
        return epochs, (
            f"{data.rows:,} questions: small data need many passes (Mosbach 2021); the best is kept. Runner-up: "
            f"{epochs / 2:g}, half the time."
        )
    elif data.rows > 20_000:
        epochs = max(1.0, round(epochs / 2))
    return epochs, f"Usual for {data.rows:,} rows: more learn by heart. Runner-up: {epochs + 1:g}."


def _learning_rate(task: str, model: Model, method: str, defaults: Defaults) -> tuple[float, str]:
    rate = defaults.learning_rate
    if method == "head":
        return 1e-3, "Hardly matters: the last layer is fitted by L-BFGS, which finds its own step size."
    if task in ("text-generation", "image-text-to-text") and method in ("lora", "qlora"):
        rate = adapter_rate(model)
    elif task == "text-generation":
        rate = 2e-5 if model.parameters <= 3e9 else 1e-5
    elif task == "preference-tuning" and method == "full":
        rate = 5e-7
    elif "whisper" in model.id and method != "lora":
        rate = next((rate for name, rate in WHISPER_RATES if name in model.id), 1e-5)
    elif task == SPEECH and method == "lora":
        rate = 1e-3 if model.parameters <= 100e6 else 1e-4
    elif task == "text2text-generation":
        rate = rate if "t5" in model.id.lower() else 3e-5
        rate *= 5 if method == "lora" else 1  # adapters start from nothing and learn some ten times as slowly
    elif task == "token-classification":
        rate = 4e-4 if model.parameters <= 40e6 else 5e-5 if model.parameters < 250e6 else 2e-5
        rate *= 5 if method in ("lora", "qlora") else 1
    elif task == "question-answering":
        rate = 3e-4 if model.parameters <= 40e6 else 3e-5 if model.parameters < 250e6 else 1e-5
        rate *= 5 if method in ("lora", "qlora") else 1
    elif task == "sentence-similarity" and model.parameters <= 40e6:
        rate = 1e-4
    elif task == "image-classification" and not is_transformer(model):
        rate = 5e-4
    return rate, f"What suits this way of training {model.name}. Runner-up: {rate / 2:.2g}, slower and safer."


def adapter_rate(model: Model) -> float:
    """Tinker's fit over families: 5e-4 · (2000 / hidden)^p, p 0.781 for Llama, 0.0775 for Qwen; others 2e-4."""
    name = model.id.lower()
    power = 0.781 if "llama" in name and "tiny" not in name else 0.0775 if "qwen" in name else None
    return 2e-4 if power is None else float(f"{5e-4 * (2000 / model.hidden) ** power:.2g}")


def _metric(task: str, data: DataFacts, model: Model, defaults: Defaults, draft: Draft) -> tuple[str, str]:
    if task == "sentence-similarity" and not draft.values.get("data.columns.score"):
        return "mrr", "How early each text finds its partner. Runner-up: the share that finds it first."
    if task == "text2text-generation" and (
        draft.values.get("data.languages") or any(word in model.id for word in ("opus-mt", "nllb"))
    ):
        return "chrf", (
            "Counts shared groups of letters, and agrees with people about translations more often than BLEU (Kocmi "
            "2021). Runner-up: BLEU."
        )
    if task in ("image-classification", "audio-classification") and data.uneven:
        return "f1", "The classes are uneven: accuracy would hide the rare ones. Runner-up: accuracy."
    return defaults.metric, f"{defaults.metric_reason}. Runner-up: reading some of its answers yourself."
