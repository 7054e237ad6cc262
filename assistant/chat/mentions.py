"""Base models and Hub data sets as people name them: "bert", "resnet 50", "not whisper", "the beans data set"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from rapidfuzz import process
from rapidfuzz.distance import OSA

from assistant.advise import catalog
from assistant.chat import lexicon
from assistant.chat.clauses import person, told
from assistant.chat.method import REPO
from assistant.chat.words import common_words, negated, words_of
from recipes.plan import Task

_SIZES = words_of(
    """tiny mini small medium base large xlarge xl xxl xsmall nano micro huge giant big little uncased cased
        multilingual distilled instruct chat it en de fr turbo lite english german french v1 v2 v3 v4 b0 b1 b2
        b3
        """
)  # fmt: skip
#: Names that are also words or people; they name a model only where one is expected.
_DOUBTFUL = words_of(
    """albert flan opus dino marian phi mistral electra hubert ast starter llama e5 gte bge gpt bart bert
        flux pythia deit yolo whisper
        """
) - {"bert", "bart", "whisper", "yolo", "e5", "gte", "bge", "gpt", "deit"}  # fmt: skip
_MODEL_BEFORE = re.compile(
    r"(?:\b(?:use|using|with|take|try|tune|finetune|fine-tune|train|model|base|switch to|switch|change|to|prefer|want"
    r"|than|from|not|of|no|or|and|about|consider|on top of|like|go for|pick|choose|called|named|be|is|should be"
    r"|try it with|say|suggest|maybe|perhaps|vote for|recommend"
    r"|retrain|instead of|make it|load)"
    r"(?: the| a| an| my| that| google's| meta's| openai's| microsoft's| plain| big| small)*|^|[,;:])\s*$"
)
_AFTER_NUMBER = re.compile(
    r"^\s*(?:more |full )?(?:epochs?|passes|rounds|minutes|hours?|rows|gpus?|%|layers?|tokens?|times|labels|classes)"
)
_TOKEN = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*")


_PLACE = (
    r"(?P<place>pytorch[/ ]vision|torch ?hub|pytorch ?hub|torchvision|keras[/. ]applications|keras"
    r"|tensorflow(?: hub)?|tf[- ]?hub|tf)"
)
_PLACE_FIRST = re.compile(
    rf"\b{_PLACE}\b(?::v?[\d.]+(?=['\"]))?['\"]?[:,.]?\s*['\"]?(?:the |a |model |entry |'s )*"
    r"(?P<rest>[a-z0-9].{0,40})"
)
_PLACE_LAST = re.compile(rf"(?P<rest>[a-z0-9][^,;:!?]{{0,40}}?) (?:model )?(?:from|of|in|by|on) (?:the )?{_PLACE}\b")

#: A preset of KerasHub is named as it is written there, as resnet_50_imagenet.
_PRESET = re.compile(r"\bkeras[/ -]?hub(?:'s)?[:/ ]\s*(?:preset )?([a-z0-9]+(?:_[a-z0-9]+)+)")


@dataclass(frozen=True)
class Mention:
    """A name in the text."""

    id: str
    start: int
    end: int
    refused: bool
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Models:
    """The models that a message names."""

    wanted: tuple[Mention, ...] = ()
    refused: tuple[Mention, ...] = ()
    unknown: str | None = None  # a name in a model's place that nobody knows

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that the wanted models stand for; only where a model stands for few."""
        return self.wanted[0].tasks[:1] if self.wanted and len(self.wanted[0].tasks) <= 3 else ()


@cache
def _index() -> dict[str, str]:
    found: dict[str, str] = {}
    for model in catalog.all_models():
        for spoken in (model.id, model.id.rpartition("/")[2], model.name, *model.aliases):
            found.setdefault(_squeezed(spoken), model.id)
    for model in catalog.all_models():
        for spoken in model.aliases:
            found[_squeezed(spoken)] = model.id
    return found


@cache
def families() -> frozenset[str]:
    """Words that begin a model's name: bert, roberta, qwen, whisper …"""
    words = {word for model in catalog.all_models() for alias in model.aliases for word in re.findall(r"[a-z]+", alias)}
    first = {
        match.group()
        for model in catalog.all_models()
        for alias in model.aliases
        if (match := re.match(r"[a-z]+", alias))
    }
    ordinary = _SIZES | {
        "the", "model", "plain", "google", "english", "spanish", "to", "sentence", "medical", "biomedical", "chinese",
            "vision", "audio", "transformer", "mobile",
        "efficient", "modern", "seg", "conv", "wave", "mini", "smol", "rt", "mit", "all", "paraphrase", "microsoft",
            "openai", "ro", "mm", "xlm", "me", "distil", "r",
    }  # fmt: skip
    return frozenset(
        (words | first) - ordinary - {word for word in words if len(word) < 3} | {"vit", "ast", "t5", "e5", "phi"}
    )


@cache
def names() -> frozenset[str]:
    """Every word of every model's and data set's name, for the spelling check to leave alone."""
    models = {
        word
        for model in catalog.all_models()
        for alias in (*model.aliases, model.name)
        for word in re.findall(r"[a-z]+", alias.lower())
    }
    data = {word for name in (*lexicon.DATASETS, *lexicon.OTHER_MODELS) for word in re.findall(r"[a-z]+", name)}
    return frozenset(models | data)


def _squeezed(spoken: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "", spoken.casefold()).replace(".", "")


def read_models(
    text: str, task: Task | None = None, known: frozenset[str] = frozenset(), taken: tuple[str, ...] = ()
) -> Models:
    """The models that a message wants and refuses, in order.

    Args:
        text: tidy, in digits.
        task: settles near misses.
        known: words that are no model here (the file's columns).
        taken: repositories that were read as something else (a data set, the place to publish).
    """
    text = _names_put_right(re.sub(r" ?\((?:the )?([a-z0-9.]+)(?: one| version| model)?\)", r" \1", text), known)
    mentions, unknown = _by_hub_id(text, taken)
    placed = _by_place(text)
    mentions = [*placed, *(one for one in mentions if not any(at.start <= one.start < at.end for at in placed))]
    covered = [(mention.start, mention.end) for mention in mentions]
    tokens = [
        match for match in _TOKEN.finditer(text) if not any(start <= match.start() < end for start, end in covered)
    ]
    place = 0
    while place < len(tokens):
        mention, used = _at(text, tokens, place, task, known)
        other_size = _other_size(text, tokens, place + used, mention) if mention else None
        if other_size:
            unknown = text[tokens[place].start() : other_size.end()]
        elif mention:
            mentions.append(mention)
        place += max(1, used)
    others = _others(text)
    mentions = [*others, *(one for one in mentions if not any(at.start <= one.start < at.end for at in others))]
    mentions.sort(key=lambda mention: mention.start)
    wanted = tuple(mention for mention in mentions if not mention.refused)
    refused = tuple(mention for mention in mentions if mention.refused)
    if (
        re.search(
            r"\b(?:replace|swap|switch|change|go|move)\b[^.;]*\b(?:by|with|to|for)\b|\b(?:no wait|actually|rather"
            r"|or better)\b",
            text,
        )
        and len(wanted) > 1
    ):
        wanted = wanted[::-1]
    corrected = tuple(mention for mention in wanted if _CORRECTED.search(text[: mention.start]))
    if corrected and len(corrected) < len(wanted):
        wanted = corrected  # "distilbart ... hm no, plain bart"
    wished = tuple(mention for mention in wanted if not told(text, mention.start))
    wanted = wished or wanted  # "I tried bert before, so distilbert now"
    liked = tuple(mention for mention in wanted if not _DISLIKED.match(text, mention.end))
    wanted = liked or wanted  # "everybody takes bert; I don't want it"
    settled = tuple(mention for mention in wanted if not re.match(r"\s*\?\s*\S", text[mention.end :]))
    wanted = settled or wanted  # "pegasus? or t5 ... let us take t5"
    unknown = unknown or _unknown(text, known)
    return Models(wanted, refused, unknown if not wanted else None)


_DISLIKED = re.compile(r"[^.!?]{0,50}[,;] (?:but )?(?:i|we) do not (?:want|like|need|trust|use) (?:it|that|this)\b")
#: What follows counts, and not what went before.
_CORRECTED = re.compile(
    r"\w\W+(?:(?:hm+|ah|oh|well|wait|sorry|actually),? )?(?:no|nah|nope|sorry|scratch that|or rather"
    r"|make that)[, ]"
)
_OTHERS = re.compile(
    rf"(?<![\w/])(?:{'|'.join(sorted(map(re.escape, lexicon.OTHER_MODELS), key=len, reverse=True))})(?![\w/])"
)


def _others(text: str) -> list[Mention]:
    """Well-known models that the catalog does not hold: "xlnet"."""
    return [
        Mention(
            lexicon.OTHER_MODELS[match.group()][0],
            match.start(),
            match.end(),
            negated(text, match.start(), match.end()),
            lexicon.OTHER_MODELS[match.group()][1:],
        )
        for match in _OTHERS.finditer(text)
        if match.group() not in common_words() or _expected(text, match)
    ]


_UNKNOWN = re.compile(
    r"\b(?:use|using|with|take|try|based on|on top of|start from|tune|model (?:is|should be|called|named)|switch to"
    r"|prefer"
    r"|called|by|replace \w+ by) (?:the |a |an |google's |apple's |meta's )*([a-z][a-z0-9._-]{3,40})(?= |$|[,.;:!?])"
)
_SHAPED = re.compile(
    r"(?:bert|net|vit|former|llama|gpt|lm|t5|whisper|mixer|gemma|mamba|clip)(?:[-_]?[\w.]+)?$|v\d+$"
    r"|\d+[bm]$"
)


_SURELY_SHAPED = re.compile(r"\b[a-z]{2,14}(?:bert|former|vit|llama|gpt)(?:-?v?\d)?\b|\b[a-z]{3,12}-?net(?:-?v?\d+)?\b")


def _unknown(text: str, known: frozenset[str]) -> str | None:
    """A word in a model's place, and of a model's shape, that the catalog does not hold: "use fancynet"."""
    for match in _UNKNOWN.finditer(text):
        word = match.group(1).rstrip(".,")
        if (
            word in ("transformer", "transformers", "llm", "convnet", "vlm")
            or word in known
            or word in common_words()
            or word in lexicon.DATASETS
            or catalog.get(word)
        ):
            continue
        if _SHAPED.search(word) and not negated(text, match.start(1), match.end(1)):
            return word
    for match in _SURELY_SHAPED.finditer(text):
        if match.group() not in common_words() | known and not negated(text, match.start(), match.end()):
            return match.group()
    return None


def _by_place(text: str) -> list[Mention]:
    """Models of PyTorch Hub and Keras: "torch hub resnet18", "pytorch/vision:vgg16", "mobilenet from keras"."""
    found = [
        Mention(f"keras/hub:{match[1]}", match.start(), match.end(), negated(text, match.start(), match.end()))
        for match in _PRESET.finditer(text)
    ]
    for match in (*_PLACE_FIRST.finditer(text), *_PLACE_LAST.finditer(text)):
        first = match.start("place") < match.start("rest")
        tokens = list(_TOKEN.finditer(match["rest"]))
        for length in range(min(4, len(tokens)), 0, -1):
            span = tokens[:length] if first else tokens[-length:]
            model = catalog.at_place(match["place"], match["rest"][span[0].start() : span[-1].end()])
            if model is not None:
                start = match.start() if first else match.start("rest") + span[0].start()
                end = match.start("rest") + span[-1].end() if first else match.end()
                found.append(Mention(model.id, start, end, negated(text, start, end), _tasks(model)))
                break
    return found


def _names_put_right(text: str, known: frozenset[str]) -> str:
    """Slips in the names of families: "xlm robrta"."""

    def put_right(match: re.Match[str]) -> str:
        word = match.group()
        if (
            word in families()
            or word in known
            or word in common_words()
            or word in lexicon.VOCABULARY
            or word in names()
        ):
            return word
        if _squeezed(word) in _index():
            return word
        allowed = 1 if len(word) < 10 else 2
        near = process.extract(word, families(), scorer=OSA.distance, score_cutoff=allowed, limit=2)
        near = [found for found in near if found[0][0] == word[0] and len(found[0]) >= 6]
        return str(near[0][0]) if len(near) == 1 else word

    return re.sub(r"(?<![\w./@-])[a-z]{6,14}(?![\w/@])", put_right, text)


def _by_hub_id(text: str, taken: tuple[str, ...]) -> tuple[list[Mention], str | None]:
    found: list[Mention] = []
    for match in REPO.finditer(text):
        name = match.group(1).rstrip(".,")
        if (
            name in taken
            or not catalog.is_hub_id(name)
            or re.fullmatch(
                r"[\d.]+/[\d.]+|(?:(?:peft|q?lora|adapters?|dpo|sft|gpu|cpu|head|full|dora)[/-]?)+|(?:lr|bs|r|rank"
                r"|epochs?"
                r"|batch)/\d+|and/or|yes/no|w/o|n/a",
                name,
            )
        ):
            continue
        known = catalog.get(name)
        if known is None and not _looks_like_model(text, match, name):
            continue
        found.append(
            Mention(
                known.id if known else name,
                match.start(),
                match.end(),
                negated(text, match.start(), match.end()),
                _tasks(known),
            )
        )
    return found, None


def _looks_like_model(text: str, match: re.Match[str], name: str) -> bool:
    if all(part.casefold() in common_words() for part in name.split("/")):  # "train/test" is no model
        return bool(re.search(r"\bmodel(?: is| called| named|:)? $", text[: match.start()]))
    return bool(_MODEL_BEFORE.search(text[: match.start()])) or any(family in name for family in families())


def _tasks(model: catalog.Model | None) -> tuple[str, ...]:
    return tuple(model.tasks) if model else ()


def _at(
    text: str, tokens: list[re.Match[str]], place: int, task: Task | None, known: frozenset[str]
) -> tuple[Mention | None, int]:
    """The longest name that begins at a token, and how many tokens it takes."""
    slip = _joined_slip(text, tokens, place)
    if slip:
        return _mention(slip, text, tokens[place : place + 2]), 2
    for length in range(min(6, len(tokens) - place), 0, -1):
        span = tokens[place : place + length]
        between = (text[one.end() : two.start()] for one, two in pairwise(span))
        if any(gap not in (" ", "-", "_", ".") for gap in between):
            continue
        spoken = text[span[0].start() : span[-1].end()]
        model_id = _index().get(_squeezed(spoken))
        if model_id and _is_name(text, span, spoken, known):
            return _mention(_showing(model_id, spoken, task), text, span), length
    return _near(text, tokens, place, task, known)


def _joined_slip(text: str, tokens: list[re.Match[str]], place: int) -> str | None:
    """Two words that are one name with a slip: "distill bert"."""
    if place + 1 >= len(tokens) or tokens[place + 1].group() not in families():
        return None
    if text[tokens[place].end() : tokens[place + 1].start()] != " ":
        return None
    joined = tokens[place].group() + tokens[place + 1].group()
    if joined in _index() or len(tokens[place].group()) < 4:
        return None
    near = process.extractOne(joined, [key for key in _index() if key.isalpha()], scorer=OSA.distance, score_cutoff=1)
    return _index()[near[0]] if near and near[0][0] == joined[0] else None


def _showing(model_id: str, spoken: str, task: Task | None) -> str:
    """A model whose id shows the family that was said, where the alias points to one with another name."""
    family = next((word for word in re.findall(r"[a-z]+", spoken) if word in families()), None)
    if family is None or family in model_id.lower():
        return model_id
    tasks = catalog.lookup(model_id).tasks
    shown = [model.id for model in catalog.all_models() if family in model.id.lower() and set(model.tasks) & set(tasks)]
    return next((name for name in shown if task is None or task in catalog.lookup(name).tasks), model_id)


def _is_name(text: str, span: list[re.Match[str]], spoken: str, known: frozenset[str]) -> bool:
    words = re.findall(r"[a-z]+", spoken)
    if spoken in known or not words or spoken == "llamas":  # the animals
        return False
    if len(span) == 1 and spoken.isalpha() and person(text, span[0].start(), span[0].end()):
        return False
    if re.search(r"\d$", spoken) and len(span) > 1 and _AFTER_NUMBER.match(text[span[-1].end() :]):
        return False  # "gemma, 3 epochs" names no Gemma 3
    if not (
        set(words) & families() or any(family in word for word in words for family in families() if len(family) > 4)
    ):
        return len(span) > 1 or spoken not in common_words()
    if len(span) == 1 and spoken in _DOUBTFUL:
        return _expected(text, span[0])
    return True


def _expected(text: str, token: re.Match[str]) -> bool:
    before, after = text[: token.start()], text[token.end() :]
    if len(text.split()) <= 2 or re.match(r"\s*(?:model|(?:tiny|small|base|large|xl)\b)", after):
        return True
    begins = not before.strip() and re.match(
        r"\s*(?:on|for|with|as|or|frozen|unfrozen|fully|head|lora|tuned|fine-tuned|please|and|maybe|perhaps|then"
        r"|instead|would|could|should|[,.:;?!-]|$)",
        after,
    )
    listed = re.search(r"[.!?]\s*$", before) and re.match(r"\s*[,;:]", after)  # "by topic. Albert, 3 epochs, go"
    return bool(begins or listed or (before.strip() and _MODEL_BEFORE.search(before)))


def _near(
    text: str, tokens: list[re.Match[str]], place: int, task: Task | None, known: frozenset[str]
) -> tuple[Mention | None, int]:
    """A family with a size that is no alias ("whisper small german"), or a slip of the pen ("distillbert")."""
    token = tokens[place]
    word = token.group()
    stem = re.match(r"[a-z]+", word)
    if stem is None or word in known or word == "llamas" or person(text, token.start(), token.end()):
        return None, 1
    if (stem.group() in families() and stem.group() not in _DOUBTFUL) or (
        stem.group() in _DOUBTFUL and _expected(text, token) and len(word) > len(stem.group())
    ):
        length = 1
        while place + length < len(tokens) and length < 4 and _goes_on(text, tokens, place + length):
            length += 1
        for size in range(length, 0, -1):
            span = tokens[place : place + size]
            model = catalog.resolve(text[span[0].start() : span[-1].end()], task)
            if model:
                return _mention(model.id, text, span), size
        return None, 1
    if (
        len(word) >= 6
        and stem.group() not in common_words()
        and stem.group() not in lexicon.VOCABULARY
        and "-" not in word
    ):
        model = catalog.resolve(word, task)
        if model and model.listed and _close(word, model):
            return _mention(model.id, text, [token]), 1
    return None, 1


def _close(word: str, model: catalog.Model) -> bool:
    """One slip for six letters or more: shares its first letter and nearly its length with an alias."""
    return any(
        alias[0] == word[0] and abs(len(_squeezed(alias)) - len(word)) <= 2
        for alias in (*model.aliases, model.name.lower())
    )


def _goes_on(text: str, tokens: list[re.Match[str]], place: int) -> bool:
    gap = text[tokens[place - 1].end() : tokens[place].start()]
    word = tokens[place].group()
    sized = word in _SIZES or re.fullmatch(r"v?\d+(?:\.\d+)?[bmk]?", word)
    return gap in (" ", "-", "_") and bool(sized) and not _AFTER_NUMBER.match(text[tokens[place].end() :])


_SIZE_WORD = re.compile(r"tiny|mini|small|medium|large|xlarge|xl|xxl|huge|giant|\d+(?:\.\d+)?[bmk]|v\d+|b\d")
_OF_SOMETHING_ELSE = re.compile(
    r"\s*(?:learning|batch|rank|test|share|part|steps?|data\w*|file|changes?|number|set\b|amount|sample)"
)


def _other_size(text: str, tokens: list[re.Match[str]], place: int, mention: Mention) -> re.Match[str] | None:
    """The word that makes a known family a model that the catalog does not hold: "llama 70b"."""
    if place >= len(tokens) or not _SIZE_WORD.fullmatch(tokens[place].group()) or not _goes_on(text, tokens, place):
        return None
    size = tokens[place]
    known = size.group() in mention.id.lower() or _OF_SOMETHING_ELSE.match(text[size.end() :])
    return None if known or "/" in text[mention.start : mention.end] else size


def _mention(model_id: str, text: str, span: list[re.Match[str]]) -> Mention:
    start, end = span[0].start(), span[-1].end()
    spoken = text[start:end] + (re.match(r"[-_ ]?(?:un)?cased\b", text[end:]) or [""])[0]
    if re.search(r"(?<!un)cased$", spoken) and re.match(r"(?:google-bert|distilbert)/.*-uncased$", model_id):
        model_id = model_id.removesuffix("uncased") + "cased"  # these exist in both forms
    return Mention(model_id, start, end, negated(text, start, end), _tasks(catalog.get(model_id)))


# ---------------------------------------------------------------- size of the model

_VARIANT = re.compile(
    r"\b(?:the |a |an |its )?(\d+(?:\.\d+)?[mb]|tiny|mini|small|medium|base|large|xl|nano|micro|huge|b\d|\d{2,3})"
    r" (?:version|variant|one|size|edition|checkpoint)\b|^(?:no |rather |please |then |the |make it |take |use )*"
    r"(\d+(?:\.\d+)?[mb]|tiny|mini|small|medium|base|large|xl)(?: instead| please| then| rather)*(?: of (?:the )?\w+)?"
    r"[.! ]*$"
)


def sibling(text: str, model_id: str | None, task: Task | None) -> str | None:
    """ "rather the 135m version": the model of the same family whose id holds that size."""
    match = _VARIANT.search(text)
    if match is None or model_id is None or negated(text, match.start()):
        return None
    size = str(match.group(1) or match.group(2))
    now = catalog.lookup(model_id, task)
    family = _family(now)
    for model in catalog.find(task):
        parts = re.split(r"[^a-z0-9.]+", model.id.rpartition("/")[2].lower())
        if size in parts and family & _family(model):
            return model.id
    return None


_SMALLER = re.compile(
    r"\b(?:model|network|it|that|this|one|bert) (?:is|are|seems|looks|gets) (?:\w+ )?too (?:big|large|heavy)\b"
    r"|\btoo (?:big|large|heavy) (?:a |of a )?(?:model|network)\b|\b(?:smaller|lighter|tinier|slimmer|more compact"
    r"|less heavy|lower memory|leaner)(?: and (?:faster"
    r"|quicker))?(?: (?:base |language |pre-?trained )?(?:model|one|network|version|net|variant|bert"
    r"|llm))?\b(?! (?:batch|learning|rate|lr|step|rank|test|number|set|max))"
)
_LARGER = re.compile(
    r"\b(?:model|network|it|that|this|one|bert) (?:is|are|seems|looks) (?:\w+ )?too (?:small|weak|simple|tiny)\b"
    r"|\b(?:something|anything) (?:bigger|larger|stronger|more powerful|more capable|better)\b|\b(?:bigger|larger"
    r"|stronger|more powerful|more capable|heavier)(?: (?:base |language |pre-?trained )?(?:model"
    r"|one|network|version|net|variant|bert|llm))\b|\b(?:bigger|larger) please\b|^(?:a )?(?:bigger|larger|stronger)$"
)


_OTHER_SETTING = re.compile(r"\b(?:learning|lr|batch\w*|epochs?|rank|tokens|length|test|seed|layers)\b")


def relative_size(text: str) -> int:
    """-1 for "smaller model please", 1 for "a bigger one", 0 for neither."""
    for sign, pattern in ((-1, _SMALLER), (1, _LARGER)):
        match = pattern.search(text)
        named = match and re.search(r"\b(?:model|one|network|net|version|variant|bert|llm)\b", match.group())
        if match and (named or not _OTHER_SETTING.search(text)) and not negated(text, match.start()):
            return sign
    return 0


def next_size(
    model_id: str | None, task: Task | None, direction: int, offline: bool = False, *, much: bool = False
) -> str | None:
    """The next smaller or larger model for a task, of the same family where there is one; None at the end.

    Args:
        much: a third of its size or less, for "much smaller".
    """
    now = catalog.lookup(model_id, task)
    fitting = [model for model in catalog.find(task, offline=offline) if model.id != now.id and not model.gated]
    if direction < 0:
        fitting = [model for model in fitting if model.parameters < (0.34 if much else 0.75) * now.parameters][::-1]
    else:
        fitting = [model for model in fitting if model.parameters > 1.4 * now.parameters]
    if now.languages:
        alike = [
            model for model in fitting if model.multilingual == now.multilingual and model.speaks(now.languages[0])
        ]
        fitting = alike or fitting
    same = [model for model in fitting if _family(model) & _family(now)]
    return next((model.id for model in same or fitting), None)


def families_of(mentioned: tuple[Mention, ...]) -> list[str]:
    """The families of what was mentioned, for the adviser to avoid: whisper, roberta …"""
    return sorted({word for mention in mentioned for word in _family(catalog.lookup(mention.id))})


def _family(model: catalog.Model) -> set[str]:
    words = re.findall(r"[a-z]+", model.id.rpartition("/")[2].lower())
    return {word for word in words if word in families()}


# ---------------------------------------------------------------- data sets of the Hub

_NOT_A_NAME = words_of(
    """this that my our your the a an own same small large big new whole full other test training train data
        labelled labeled given following entire old first second their his her its good attached uploaded
        which what any some each every public free suitable ready-made existing custom medical french german
        english of for in hub hugging huggingface face on from use
        """
)


@cache
def _plain_names() -> re.Pattern[str]:
    ordered = sorted(lexicon.DATASETS, key=len, reverse=True)
    return re.compile(rf"(?<![\w/-])(?:{'|'.join(re.escape(name) for name in ordered)})(?![\w/]|-\w)")


def read_dataset(text: str, publish_repo: str | None, with_file: bool) -> tuple[str | None, str | None]:
    """The id of a Hub data set and the task that it is known for; (None, None) when none is named."""
    found = _dataset_by_id(text, publish_repo, with_file) or _dataset_by_name(text, with_file)
    if found is None and not with_file:
        found = _dataset_so_called(text)
    return found or (None, None)


def _dataset_by_id(text: str, publish_repo: str | None, with_file: bool) -> tuple[str, str | None] | None:
    """ "stanfordnlp/sst2", where it stands for data and not for a model or the place to publish."""
    for match in REPO.finditer(text):
        name = match.group(1).rstrip(".,")
        if name == publish_repo or not catalog.is_hub_id(name) or catalog.get(name) or re.fullmatch(_PLACE, name):
            continue
        if negated(text, match.start(), match.end()):
            continue
        before, after = text[: match.start()], text[match.end() :]
        task = _task_of(name.rpartition("/")[2])
        called = re.match(r" (?:data ?set|corpus|data)\b", after) or re.search(
            r"\b(?:data ?set|corpus|data|on|hub)(?: the| from| called| named|:)* $", before
        )
        taken = re.search(r"\b(?:take|use|from|load)(?: the)? $", before)
        family = any(word in name for word in families())
        beside = re.search(r"(?:\+|&|,|\band|\bwith|\busing)(?: the)? $", before) and len(before.split()) >= 2
        if task or (not with_file and (called or ((taken or beside) and not family))):
            return name, task
    return None


def _dataset_by_name(text: str, with_file: bool) -> tuple[str, str | None] | None:
    """ "imdb", "the beans data set": names that the lexicon knows."""
    for match in _plain_names().finditer(text):
        name = match.group()
        if negated(text, match.start(), match.end()):
            continue
        before, after = text[: match.start()], text[match.end() :]
        marked = re.search(r"\b(?:on|data ?set|from|corpus|hub)(?: the| called| named)* $", before) or re.match(
            r"(?: \w+)? (?:data ?set|corpus|from the hub|data\b|benchmark)", after
        )
        plain = name in lexicon.PLAIN_WORD_DATASETS
        if (with_file and (plain or not marked)) or (plain and not _surely_data(text, match)):
            continue
        return name.replace(" ", "_"), lexicon.DATASETS[name]
    return None


def _dataset_so_called(text: str) -> tuple[str, str | None] | None:
    """ "the my_set42 data set": any name that is called a data set."""
    match = re.search(
        r"\b([a-z0-9][\w.-]{2,60}) (?:data ?set|corpus)\b"
        r"|\bdata ?set (?:called |named )?([a-z0-9][\w.-]*[\d_-][\w.-]*)",
        text,
    )
    name = next((group for group in match.groups() if group), None) if match else _after_a_model(text)
    if not name or name in _NOT_A_NAME:
        return None
    on_hub = re.search(r"\b(?:hub|hugging ?face)\b", text)
    unusual = re.search(r"[\d_-]", name) or name not in common_words()
    return (name, None) if on_hub or unusual else None


def _after_a_model(text: str) -> str | None:
    """ "phi 3 mini on databricks-dolly-15k": a name no word has, behind what is to be tuned."""
    match = re.search(r"^(?:[\w.'-]+ ){1,6}on (?:the )?([a-z][\w.]*(?:[-_][\w.]+)+)(?=$|[ ,;!?]|\.$)", text)
    if match is None or re.search(r"^(?:x|a|t|l|h|hf|gpu|cpu|rtx|two|my)[-_]", match.group(1)):
        return None
    named = any(part in _plain_parts() for part in re.split(r"[-_]", match.group(1)))
    unusual = re.search(r"\d|_", match.group(1)) and not any(one in match.group(1) for one in families())
    return match.group(1) if named or unusual else None


@cache
def _plain_parts() -> frozenset[str]:
    return frozenset(name for name in lexicon.DATASETS if name.isalpha() and name not in common_words())


def _surely_data(text: str, match: re.Match[str]) -> bool:
    """Whether an ordinary word is a data set here: "fine-tune ViT on beans", "the beans data set"."""
    before, after = text[: match.start()], text[match.end() :]
    named = re.match(
        r" (?:data ?set|corpus|from the hub|on the hub|benchmark|data (?:from|on|of) (?:the )?(?:hub|hugging))", after
    ) or re.search(r"\b(?:data ?set|corpus|hub)(?: called| named|:)* $", before)
    trained_on = re.search(
        r"\b(?:train|tune|tuned|fine-?tune|finetune|trained|run)\w*\b[^.;]*\b(?:on|with|using)(?: the)? $", before
    ) or re.match(r"^(?:\S+ ){1,4}on(?: the)? $", before)
    return bool(named or trained_on)


def _task_of(name: str) -> str | None:
    lowered = name.casefold()
    if lowered in lexicon.DATASETS:
        return lexicon.DATASETS[lowered]
    begun = re.match(r"([a-z0-9]{4,})[-_.]", lowered)  # "alpaca-cleaned", "squad_it"
    if begun and begun.group(1) in lexicon.DATASETS:
        return lexicon.DATASETS[begun.group(1)]
    flat = re.sub(r"[^a-z0-9]", "", lowered)
    return next((task for known, task in lexicon.DATASETS.items() if re.sub(r"[^a-z0-9]", "", known) == flat), None)
