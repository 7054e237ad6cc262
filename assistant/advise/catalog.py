"""The base models that the assistant knows: typed rows of `models.toml`, and how people's words find them.

`resolve` answers "which model did they mean?" in steps of falling certainty: the Hub id, an alias, the same words in
another order, a slip of the pen. It never lets two different sizes be confused: digits must agree.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz import fuzz, process

from recipes.plan import Task

Modality = Literal["text", "image", "audio", "image-text"]
Tier = Literal["starter", "small", "balanced", "accurate", "multilingual_small", "multilingual"]

STARTER = "sentence-transformers/all-MiniLM-L6-v2"
MAX_SPOKEN = 300  # characters read of what a person says; a model's name is never longer
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}/[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,95}")
_FOLDERS = frozenset(
    {"bin", "boot", "dev", "etc", "home", "lib", "mnt", "opt", "proc", "root", "sys", "tmp", "usr", "var"}
)
_FILE_ENDING = re.compile(r"\.(csv|tsv|jsonl?|txt|zip|xlsx?|parquet|py|pdf|md|conll|arrow|gz)$", re.IGNORECASE)
_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)(b|m)(?![a-z0-9])")
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)*")
_FILLER = frozenset(
    re.findall(
        r"\w+",
        """a an the model models base of from by please use using with pretrained pre trained network net checkpoint
        version variant encoder huggingface hugging face hub google googles facebook facebooks meta metas microsoft
        openai openais mistralai finetune fine tune tuned tuning instruct chat it s my our want take like""",
    )
)
_MEANINGFUL = frozenset({"google", "facebook", "meta", "microsoft", "openai"})  # never enough alone to name a model
_WORDY_SIZES = {  # parameters that a model's name usually means, when the table does not hold it [rule of thumb]
    "tiny": 15e6, "mini": 30e6, "xsmall": 70e6, "small": 60e6, "medium": 350e6, "base": 125e6, "xlarge": 1.5e9,
    "large": 350e6, "xl": 3e9, "xxl": 11e9, "distil": 66e6,
}  # fmt: skip


class Model(BaseModel):
    """One base model.

    `parameters` counts tied weights once; `vocabulary` is 0 where the input is not text or it is not known. `starter`
    is the name of the starter model whose weights these are, "" where a hub is needed; `download_mb` is what it takes
    to get where its `package` is not installed. `licence_read` says where the licence was read, "" that it was not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    modality: Modality
    parameters: Annotated[int, Field(gt=0)]
    hidden: Annotated[int, Field(gt=0)]
    layers: Annotated[int, Field(ge=0)]
    vocabulary: Annotated[int, Field(ge=0)] = 0
    languages: tuple[str, ...] = ()
    licence: Annotated[str, Field(min_length=2)]
    licence_read: Literal["card", "maker", "family", "table", ""] = ""
    context: Annotated[int, Field(gt=0)]
    gated: bool = False
    starter: str = ""
    download_mb: Annotated[float, Field(ge=0)] = 0
    package: str = ""
    listed: bool = True  # False: an explicit Hub id or folder that the table does not hold; its numbers are guesses

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than a handful of languages."""
        return len(self.languages) > 10

    @property
    def block_parameters(self) -> int:
        """Parameters that do arithmetic for every token: all but the embedding of the vocabulary."""
        return max(self.parameters - self.vocabulary * self.hidden, self.parameters // 10)

    @property
    def size_text(self) -> str:
        """Its size as people read it: "22.7 million", "1.2 billion"."""
        if self.parameters >= 1e9:
            return f"{self.parameters / 1e9:.1f} billion"
        return f"{self.parameters / 1e6:.3g} million"

    @property
    def licence_text(self) -> str:
        """Its licence as people are told it, with a word where nobody has read it."""
        return self.licence if self.licence_read or not self.listed else f"{self.licence} (not checked)"

    def speaks(self, language: str | None) -> bool:
        """Whether it was pretrained on a language (ISO 639); True when either is unknown."""
        return language is None or not self.languages or language in self.languages


@cache
def _file() -> dict[str, Any]:
    text = resources.files("assistant.advise").joinpath("models.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _rows() -> tuple[Model, ...]:
    tree = _file()
    sets = {name: tuple(words.split()) for name, words in tree["language_sets"].items()}
    rows = []
    for row in tree["model"]:
        languages = [code for item in row["languages"] for code in (sets[item[1:]] if item[0] == "@" else (item,))]
        rows.append(Model.model_validate({**row, "languages": languages}))
    return tuple(rows)


def all_models() -> list[Model]:
    """Every row of the table, in its order."""
    return list(_rows())


@cache
def placed() -> tuple[Model, ...]:
    """Models of PyTorch Hub and of Keras: found by their place's name, never chosen by the adviser."""
    rows = [
        Model(
            id=f"{place}:{entry}", name=f"{entry} of {about['title']}",
            aliases=tuple(text for said in about["aliases"] for text in _said_of(said, entry)),
            tasks=("image-classification",), modality="image", parameters=parameters, hidden=hidden, layers=layers,
            licence=about.get("licences", {}).get(entry, about["licence"]), context=pixels,
            licence_read="maker" if entry in about.get("licences", {}) else about.get("licence_read", ""),
        )
        for place, about in _file()["places"].items()
        for entry, (parameters, hidden, layers, pixels) in about["models"].items()
    ]  # fmt: skip
    return tuple(rows)


def _said_of(place: str, entry: str) -> tuple[str, ...]:
    return (f"{place} {entry}", f"{entry} from {place}", f"{entry} of {place}", f"{entry} from the {place}")


def get(model_id: str) -> Model | None:
    """The row with this id (upper and lower case do not matter), else None."""
    wanted = model_id.strip().lower()
    return next((model for model in (*_rows(), *placed()) if model.id.lower() == wanted), None)


def starters() -> list[Model]:
    """The models that come from packages and need no model hub, smallest download first."""
    return sorted((model for model in _rows() if model.starter), key=lambda model: model.download_mb)


def starter(name: str) -> Model | None:
    """The starter of this name, as `finetune-assistant starter NAME` takes it, or as people say it."""
    spoken = name.strip().casefold()
    named = next((model for model in starters() if model.starter == spoken), None)
    found = named or resolve_alias(name)
    return found if found is not None and found.starter else None


def default(task: Task, tier: Tier) -> Model | None:
    """The table's recommendation for a task, else None where it has none of this tier."""
    found = _file()["defaults"].get(task, {}).get(tier)
    return get(found) if found else None


def find(
    task: Task | None = None, language: str | None = None, max_parameters: float | None = None, offline: bool = False
) -> list[Model]:
    """Rows that fit, smallest first.

    Args:
        language: ISO 639 code; models for which no language is recorded fit any.
        offline: only the starters, which need no model hub.
    """
    fitting = [
        model
        for model in _rows()
        if (task is None or task in model.tasks)
        and model.speaks(language)
        and (max_parameters is None or model.parameters <= max_parameters)
        and (model.starter or not offline)
    ]
    return sorted(fitting, key=lambda model: model.parameters)


# ---------------------------------------------------------------- words -> model


def _words(spoken: str) -> list[str]:
    """Lower-case words and numbers: "Qwen3-0.6B" -> qwen, 3, 0.6, b."""
    return _WORD.findall(spoken.lower())


def _key(spoken: str) -> str:
    return "".join(_words(spoken))


def _numbers(key: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)*", key)


@cache
def _aliases() -> dict[str, str]:
    """Squeezed alias -> id. A written alias beats the id's last part, which beats nothing."""
    found: dict[str, str] = {}
    for model in _rows():
        for spoken in (model.id, model.id.rpartition("/")[2], model.name):
            found.setdefault(_key(spoken), model.id)
    for model in _rows():
        for spoken in model.aliases:
            found[_key(spoken)] = model.id
    return found


@cache
def _placed_aliases() -> dict[str, str]:
    """The same for the models of other places: read letter by letter, since a slip must never change the place."""
    return {_key(spoken): model.id for model in placed() for spoken in (model.id, *model.aliases)}


@cache
def _bags() -> dict[frozenset[str], str]:
    """The words of each alias without their order -> id."""
    found: dict[frozenset[str], str] = {}
    for model in _rows():
        for spoken in (*model.aliases, model.name, model.id.rpartition("/")[2]):
            found.setdefault(frozenset(_words(spoken)), model.id)
    return found


@cache
def _vocabulary() -> frozenset[str]:
    return frozenset(word for bag in _bags() for word in bag)


def is_hub_id(text: str) -> bool:
    """Whether a text has the form `org/name` of a Hub id (and not that of a path or a file)."""
    if not _HUB_ID.fullmatch(text) or _FILE_ENDING.search(text):
        return False
    return text.split("/")[0].lower() not in _FOLDERS


def resolve(spoken: str, task: Task | None = None) -> Model | None:
    """The model that a person means by "bert", "resnet50", "qwen 0.6b" or "distil bert".

    Args:
        spoken: a few words, or a Hub id; an id that the table does not hold is kept as it is (`listed` False).
        task: where given, a near miss must suit it; exact names are taken whatever the task.

    Returns:
        None when nothing is near enough; then `suggest` has the nearest names.
    """
    text = " ".join(spoken[:MAX_SPOKEN].split()).strip("\"'`,!? ").rstrip(".")
    if not text or text.startswith((".", "/", "~", "\\")) or ".." in text:
        return None
    exact = get(text) or (unlisted(text, task) if is_hub_id(text) else None)
    if exact:
        return exact
    words = [word for word in _words(text) if word not in _FILLER] or _words(text)
    if set(words) <= _MEANINGFUL:
        return None
    found = _by_words(words, _key(text)) or _by_slip(words, task)
    return get(found) if found else None


def at_place(place: str, entry: str) -> Model | None:
    """The model of PyTorch Hub or Keras by the words for its place and its own name, as ("torch hub", "resnet 18")."""
    found = _placed_aliases().get(_key(place) + _key(entry))
    return get(found) if found else None


def _by_words(words: list[str], whole: str) -> str | None:
    """By alias, then by the same words in any order, then by the words that models' names use."""
    aliases, bags = _aliases(), _bags()
    for key in (whole, "".join(words)):
        if key in _placed_aliases():
            return _placed_aliases()[key]
    if whole in aliases:
        return aliases[whole]
    if "".join(words) in aliases:
        return aliases["".join(words)]
    if frozenset(words) in bags:
        return bags[frozenset(words)]
    return None


def _by_slip(words: list[str], task: Task | None) -> str | None:
    """By likeness of the letters; numbers and sizes must be the same, and short names must be right."""
    key = "".join(words)
    if len(key) < 4:
        return None
    aliases = _aliases()
    numbers = _numbers(key)
    sizes = [word for word in words if word in _WORDY_SIZES]
    near = [
        (score, alias)
        for alias, score, _ in process.extract(key, aliases.keys(), scorer=fuzz.ratio, limit=12, score_cutoff=82)
        if _numbers(alias) == numbers and len(alias) >= 4 and _same_family(key, alias, sizes)
    ]
    if task is not None:
        near = [(score, alias) for score, alias in near if task in _known(aliases[alias]).tasks]
    if not near:
        return None
    best_score, best = near[0]
    rivals = {aliases[alias] for score, alias in near if score >= best_score - 2}
    return aliases[best] if len(rivals) == 1 or best_score >= 90 else None


def _same_family(key: str, alias: str, sizes: list[str]) -> bool:
    """Whether an alias has every size that was said and is still alike without them: "bge large" is no BERT large."""
    for size in sizes:
        if size not in alias:
            return False
        key, alias = key.replace(size, ""), alias.replace(size, "")
    return not sizes or fuzz.ratio(key, alias) >= 75


def _known(model_id: str) -> Model:
    model = get(model_id)
    if model is None:
        raise KeyError(model_id)
    return model


def suggest(spoken: str, task: Task | None = None, limit: int = 3) -> list[str]:
    """Hub ids that a person may have meant, nearest first: for "did you mean …?"."""
    key = _key(spoken[:MAX_SPOKEN])
    if not key:
        return []
    aliases = _aliases()
    scored = process.extract(key, aliases.keys(), scorer=fuzz.WRatio, limit=40, score_cutoff=60)
    found: list[str] = []
    for alias, _score, _ in scored:
        model = _known(aliases[alias])
        if model.id not in found and (task is None or task in model.tasks):
            found.append(model.id)
    return found[:limit]


# ---------------------------------------------------------------- models outside the table


def unlisted(model_id: str, task: Task | None = None) -> Model:
    """A row for a Hub id or folder that the table does not hold: size guessed from its name, nothing promised."""
    parameters = guess_parameters(model_id)
    hidden, layers = _shape(parameters)
    tasks: tuple[Task, ...] = (task,) if task else get_args(Task)
    modality: Modality = "text"
    if task in ("image-classification", "object-detection", "image-segmentation"):
        modality = "image"
    elif task in ("audio-classification", "automatic-speech-recognition"):
        modality = "audio"
    elif task == "image-text-to-text":
        modality = "image-text"
    return Model(
        id=model_id, name=model_id.rpartition("/")[2] or model_id, tasks=tasks, modality=modality,
        parameters=parameters, hidden=hidden, layers=layers, licence="not known; see its model card", context=512,
        listed=False,
    )  # fmt: skip


def lookup(model_id: str | None, task: Task | None = None) -> Model:
    """The row of a plan's `base_model`, whatever it is: listed, another Hub id, or a local folder."""
    if not model_id:
        return _known(STARTER)
    return get(model_id) or resolve_alias(model_id) or unlisted(model_id, task)


def resolve_alias(name: str) -> Model | None:
    """The row of an exact alias ("minilm"), without any guessing."""
    found = _aliases().get(_key(name)) if "/" not in name else None
    return get(found) if found else None


def guess_parameters(name: str) -> int:
    """Parameters that a name announces: "…-7B" 7 billion, "…-large" 350 million; else 125 million (a BERT base)."""
    lowered = name.rpartition("/")[2].lower().replace("_", "-")
    sizes = _SIZE.findall(lowered)
    if sizes:
        number, unit = sizes[-1]
        return max(1_000_000, round(float(number) * (1e9 if unit == "b" else 1e6)))
    for word, parameters in _WORDY_SIZES.items():
        if word in lowered:
            return int(parameters)
    return 125_000_000


def _shape(parameters: int) -> tuple[int, int]:
    """A plausible (hidden, layers) for a transformer of this size: parameters near 12 · layers · hidden²."""
    for hidden, layers in ((256, 6), (384, 12), (768, 12), (1024, 24), (2048, 24), (3072, 28), (4096, 32)):
        if parameters <= 16 * layers * hidden * hidden:
            return hidden, layers
    return 8192, 80
