"""What encoder-decoder models must be told before they read a text: words for T5, languages for mBART, NLLB and M2M100.

prefix_for(config, languages, shortens)         "summarize: ", "translate English to German: ", or ""
tell_languages(module, tokenizer, languages)    from now on the model reads the first and writes the second
"""

from __future__ import annotations

from typing import Any

from recipes.parts.errors import RecipeError

#: Language -> its name in English (T5 was trained with these words) and its code of three letters (NLLB).
LANGUAGES = {
    "ar": ("Arabic", "arb"), "bg": ("Bulgarian", "bul"), "bn": ("Bengali", "ben"), "ca": ("Catalan", "cat"),
    "cs": ("Czech", "ces"), "da": ("Danish", "dan"), "de": ("German", "deu"), "el": ("Greek", "ell"),
    "en": ("English", "eng"), "es": ("Spanish", "spa"), "et": ("Estonian", "est"), "fa": ("Persian", "pes"),
    "fi": ("Finnish", "fin"), "fr": ("French", "fra"), "he": ("Hebrew", "heb"), "hi": ("Hindi", "hin"),
    "hr": ("Croatian", "hrv"), "hu": ("Hungarian", "hun"), "id": ("Indonesian", "ind"), "it": ("Italian", "ita"),
    "ja": ("Japanese", "jpn"), "ko": ("Korean", "kor"), "lt": ("Lithuanian", "lit"), "lv": ("Latvian", "lvs"),
    "nl": ("Dutch", "nld"), "no": ("Norwegian", "nob"), "pl": ("Polish", "pol"), "pt": ("Portuguese", "por"),
    "ro": ("Romanian", "ron"), "ru": ("Russian", "rus"), "sk": ("Slovak", "slk"), "sl": ("Slovenian", "slv"),
    "sv": ("Swedish", "swe"), "sw": ("Swahili", "swh"), "th": ("Thai", "tha"), "tr": ("Turkish", "tur"),
    "uk": ("Ukrainian", "ukr"), "ur": ("Urdu", "urd"), "vi": ("Vietnamese", "vie"), "zh": ("Chinese", "zho"),
}  # fmt: skip


def prefix_for(config: Any, languages: tuple[str, str] | None, shortens: bool) -> str:
    """The words that the model was trained to find before a text of this kind; empty for most models.

    Its own files say whether it was: the first T5 models carry `task_specific_params`, mT5 and Flan-T5 do not.

    Args:
        languages: of a translation; shortens: what is to be written is much shorter than what is read.
    """
    told = getattr(config, "task_specific_params", None) or {}
    own = {task: str(each.get("prefix") or "") for task, each in told.items() if isinstance(each, dict)}
    if not any(own.values()):
        return ""
    if languages is not None:
        names = [LANGUAGES.get(code, (code, ""))[0] for code in languages]
        return f"translate {names[0]} to {names[1]}: "
    return own.get("summarization", "") if shortens else ""


def needs_languages(tokenizer: Any) -> bool:
    """Whether a model of many languages must be told which one it reads and which one it writes."""
    return hasattr(tokenizer, "src_lang") and hasattr(tokenizer, "tgt_lang")


def tell_languages(module: Any, tokenizer: Any, languages: tuple[str, str] | None, name: str) -> str:
    """Tell the tokenizer both languages, and generation the one that it writes; a sentence about it, or nothing.

    Raises:
        RecipeError: `plan-incomplete`: it must be told, and the plan does not say; or it does not know one of them.
    """
    if not needs_languages(tokenizer):
        return ""
    if languages is None:
        raise RecipeError(
            "plan-incomplete",
            f"“{name}” knows many languages and must be told which one it reads and which one it writes; the plan says "
            "neither.",
            "The field data.languages names both, as en and de.",
            "Name the columns after their languages (en, de), or choose a model without language marks, as mT5.",
        )
    tokens = [_token_of(tokenizer, code, name) for code in languages]
    codes = [token.strip("_") for token in tokens] if tokens[0].startswith("__") else tokens
    tokenizer.src_lang, tokenizer.tgt_lang = codes
    number = int(tokenizer.convert_tokens_to_ids(tokens[1]))
    generation = module.generation_config
    if _starts_with_language(tokenizer):
        generation.decoder_start_token_id = number
        module.config.decoder_start_token_id = number
    else:
        generation.forced_bos_token_id = number
    return f"The model is told that it reads {codes[0]} and writes {codes[1]}, in the training and ever after."


def _starts_with_language(tokenizer: Any) -> bool:
    """The first mBART begins what it writes with the language; its followers put it after their start token."""
    return type(tokenizer).__name__.startswith("MBartTokenizer")


def _token_of(tokenizer: Any, code: str, name: str) -> str:
    """The mark of a language: “de_DE” (mBART), “deu_Latn” (NLLB) or “__de__” (M2M100).

    Raises:
        RecipeError: `plan-incomplete`.
    """
    three = LANGUAGES.get(code, ("", code))[1]
    marks = sorted(str(token) for token in {*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens})
    for mark in marks:
        if mark in (f"__{code}__", code) or mark.startswith((f"{code}_", f"{three}_")):
            return mark
    raise RecipeError(
        "plan-incomplete",
        f"“{name}” has no mark for the language “{code}”.",
        f"Its marks are: {', '.join(mark for mark in marks if '_' in mark)[:200] or 'none'}.",
        "Write the language as one of these, or choose a model that knows it, as mT5.",
    )
