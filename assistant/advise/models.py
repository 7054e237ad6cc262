"""Which base model a plan starts from, with the reason. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.advise import catalog, estimate
from assistant.advise.catalog import Model, Tier
from assistant.advise.draft import ASKED, Draft
from assistant.advise.facts import DataFacts
from assistant.advise.hardware import Hardware
from recipes.plan import Plan, Task

CPU_SHARE, GPU_SHARE = 0.75, 0.9  # of the memory that a plan may fill: nothing catches an overdrawn machine
LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi",
    "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


@dataclass(frozen=True)
class Need:
    """What a model must suit."""

    task: Task
    data: DataFacts
    machine: Hardware
    offline: bool
    languages: tuple[str, ...] = ()  # source and target of a translation


def language_name(code: str) -> str:
    """ "de" -> "German"; an unknown code stays as it is."""
    return LANGUAGES.get(code, code)


def memory_limit(machine: Hardware) -> float:
    """Bytes that a plan may use on its device."""
    gpu = machine.gpu
    return GPU_SHARE * gpu.memory_bytes if gpu else CPU_SHARE * machine.memory_bytes


def peak_bytes(need: Need, model: Model, method: str | None = None) -> float:
    """Middle estimate of the peak for a modest plan with a model."""
    large = model.parameters > 1e9 or need.task in ("text-generation", "preference-tuning", "image-text-to-text")
    plan = Plan().changed({
        "task": need.task, "base_model": model.id, "method.name": method or ("lora" if large else "full"),
        "method.rank": 16, "training.batch_size": 8, "training.max_length": min(512, model.context),
    })  # fmt: skip
    return estimate.of(plan, model, need.data, need.machine).peak_bytes


def fits(need: Need, model: Model) -> bool:
    """Whether the model can be tuned in the device's memory."""
    return peak_bytes(need, model) <= memory_limit(need.machine)


def choose(need: Need, draft: Draft) -> Model:
    """The base model, set in the draft with its reason."""
    asked = draft.wish.get("base_model")
    if asked:
        wished = catalog.lookup(str(asked), need.task)
        smaller = _smaller(need, wished) if draft.preference == "smaller" else None
        if smaller:
            draft.values["base_model"] = smaller.id
            draft.reasons["base_model"] = (
                f"You asked for something smaller: {smaller.name} has {smaller.size_text} parameters, "
                f"{wished.name} {wished.size_text}."
            )
            draft.wish.pop("base_model")
            return smaller
        draft.wish["base_model"] = wished.id
        draft.choose("base_model", wished.id, ASKED)
        return wished
    model, reason = _recommended(need, draft)
    if draft.preference == "smaller":
        smaller = _smaller(need, model)
        if smaller and (smaller.starter or not need.offline):
            model, reason = (
                smaller,
                f"You asked for something smaller than {model.name}: {smaller.size_text} parameters.",
            )
    draft.choose("base_model", model.id, reason)
    return model


def _recommended(need: Need, draft: Draft) -> tuple[Model, str]:
    """By network, device, language and preference."""
    translator = _translator(need)
    if translator and not _avoided(translator, draft):
        return translator, (
            f"It already translates {language_name(need.languages[0])} into {language_name(need.languages[1])} and "
            "only "
            "has to learn your wording. Runner-up: mT5, which knows a hundred languages but not the craft."
        )
    on_gpu = need.machine.gpu is not None
    starter = catalog.default(need.task, "starter")
    if need.offline and starter and not _avoided(starter, draft):
        return starter, _starter_reason(starter, "no network is needed for it", need.task)
    speaks = catalog.default(need.task, "balanced" if on_gpu else "small")
    foreign = speaks is not None and not speaks.speaks(need.data.language)
    for tier in _tiers(on_gpu, foreign, draft.preference):
        model = catalog.default(need.task, tier)
        if model and not _avoided(model, draft) and fits(need, model):
            return model, _reason(need, model, foreign)
    pool = [model for model in catalog.find(need.task, need.data.language) if not _avoided(model, draft)]
    pool = pool or catalog.find(need.task)
    return pool[0], f"The smallest model for this task that suits: {pool[0].size_text} parameters."


def _tiers(on_gpu: bool, foreign: bool, preference: str) -> tuple[Tier, ...]:
    if foreign:
        return (
            ("multilingual", "multilingual_small", "small")
            if on_gpu
            else ("multilingual_small", "multilingual", "small")
        )
    if not on_gpu or preference in ("faster", "smaller"):
        return ("small",)
    return ("accurate", "balanced", "small") if preference == "more accurate" else ("balanced", "small")


def _avoided(model: Model, draft: Draft) -> bool:
    words = (model.id.lower(), model.name.lower())
    return any(item in word for item in draft.avoid for word in words)


def _starter_reason(model: Model, why: str, task: Task) -> str:
    better = catalog.default(task, "balanced")
    other = better.name if better is not None and better.id != model.id else "a larger model"
    if not model.package:  # to be downloaded once
        here = f"It needs no model hub: its weights come as a package ({model.download_mb:.0f} MB)"
    else:
        here = f"It comes as a Python package, so {why}"
    return (
        f"{here}; with {model.size_text} parameters a processor can train it in minutes. "
        f"Runner-up with a network and a graphics card: {other}, often a little more accurate."
    )


def _reason(need: Need, model: Model, foreign: bool) -> str:
    if model.starter:
        return _starter_reason(model, "it starts at once", need.task)
    gpu = need.machine.gpu
    if foreign and model.multilingual and need.data.language:
        several = [language_name(code) for code in need.data.languages[:3]]
        look = f"are in several languages ({', '.join(several)} and so on)"
        if len(need.data.languages) < 3:
            look = f"look {language_name(need.data.language)}"
        return (
            f"Your texts {look}; it was trained on {'these' if len(several) > 2 else 'that language'} and many more. "
            "Runner-up: an English model, which would read them badly."
        )
    if gpu:
        return (
            f"{model.size_text} parameters fit the {gpu.name} well and are accurate for their size. "
            f"Runner-up: {_runner_up(need, model)}."
        )
    return (
        f"{model.size_text} parameters: small enough to train on a processor. Runner-up: {_runner_up(need, model)}, "
        "with a graphics card."
    )


def _runner_up(need: Need, model: Model) -> str:
    tiers: tuple[Tier, ...] = ("balanced", "accurate", "small", "multilingual")
    others = [catalog.default(need.task, tier) for tier in tiers]
    other = next((other for other in others if other and other.id != model.id), None)
    others_by_size = [row for row in catalog.find(need.task) if row.id != model.id]
    other = other or (others_by_size[-1] if others_by_size else None)
    return f"{other.name} ({other.size_text})" if other else "none in the table"


def _translator(need: Need) -> Model | None:
    if need.task != "text2text-generation" or len(need.languages) != 2:
        return None
    return catalog.get(f"Helsinki-NLP/opus-mt-{need.languages[0]}-{need.languages[1]}")


def _smaller(need: Need, model: Model) -> Model | None:
    """The next smaller one of the same family, else the table's small one, else a smaller one at all."""
    pool = [
        row
        for row in catalog.find(need.task, need.data.language, offline=need.offline and bool(model.starter))
        if row.parameters < 0.9 * model.parameters
    ]
    family = model.name.lower().split()[0]
    same = [row for row in pool if row.name.lower().split()[0] == family]
    small = catalog.default(need.task, "small")
    if same:
        return same[-1]
    if small and small in pool:
        return small
    return pool[-1] if pool else None
