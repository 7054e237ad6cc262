"""Which language a text is in, roughly: by its script, else by its most frequent small words."""

from __future__ import annotations

import re
from collections import Counter

#: ISO 639-1 -> small words that nearly every longer text of the language holds.
_WORDS = {
    "en": "the and of to in is that it for was with you not are this have on be as at he she but they what my "
    "we your a i do if by from can no will how",
    "de": "der die und das ist nicht ich ein eine zu den mit auf für sie es dem von im sich auch wir wird hat zur",
    "fr": "le la les et des est une un du dans que qui pour pas vous je il en au sur avec ce sont nous mais à été",
    "es": "el la los que y de en una un es por con para no se las del lo su al más como pero sus tiene está muy",
    "it": "il di che la e è un una per non sono con del della si le gli i nel alla ma anche questo come ogni ha dei",
    "pt": "o de que e do da em um uma para com não os no se na por mais as dos como mas foi ao ele das tem à seu sua",
    "nl": "de het een en van is dat niet op te zijn voor met die ik je aan er ook als bij maar om heeft wordt naar",
    "sv": "och att det som en på är av för med den till inte har jag ett om var så vi de eller skall rätt sig",
    "da": "og at det som en på er af for med den til ikke har jeg et om var så vi de eller skal ret sig hun blev",
    "no": "og at det som en på er av for med den til ikke har jeg et om var så vi de eller skal rett seg hun ble",
    "fi": "ja on ei se että oli hän joka mutta niin kun tai ovat myös olla sen kuin jos mitä hänen oikeus jokaisella",
    "pl": "i w na z nie się do to że jest o jak za po co od przez ale czy dla są być jego prawo lub każdy",
    "cs": "a se v na je že to s z do o by i ale jako za pro jsem nebo byl má každý právo není",
    "hu": "a az és hogy nem egy is van meg ez de ha csak mint joga vagy minden kell volt mert személynek",
    "ro": "și de la în nu o a un cu pe să este care din mai pentru că sunt au dreptul orice sau fi",
    "tr": "ve bir bu için de da ile çok ne olarak daha var değil gibi her hakkı veya olan ben herkes kadar",
    "id": "yang dan di ini itu dengan untuk tidak dari pada dalam akan adalah ke saya ada bisa juga atau kami",
    "vi": "và của là không có được cho một các trong người với này đã những để khi về đến tôi",
}
#: ISO 639-1 -> the language's name in English.
NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "sv": "Swedish", "da": "Danish", "no": "Norwegian", "fi": "Finnish", "pl": "Polish",
    "cs": "Czech", "hu": "Hungarian", "ro": "Romanian", "tr": "Turkish", "id": "Indonesian", "vi": "Vietnamese",
    "ja": "Japanese", "ko": "Korean", "zh": "Chinese", "uk": "Ukrainian", "ru": "Russian", "ar": "Arabic",
    "he": "Hebrew", "el": "Greek", "hi": "Hindi", "th": "Thai",
}  # fmt: skip
_OF_WORD: dict[str, list[str]] = {}
for _code, _list in _WORDS.items():
    for _word in _list.split():
        _OF_WORD.setdefault(_word, []).append(_code)

#: Scripts that give the language away, at least roughly.
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("uk", re.compile("[іїєґІЇЄҐ]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_WORD = re.compile(r"[^\W\d_]+")
_MOST_CHARACTERS = 20_000


def language_name(code: str) -> str:
    """ "de" -> "German"; an unknown code stays as it is."""
    return NAMES.get(code, code)


def language_of(texts: list[str]) -> str | None:
    """ISO 639-1 code of the language that most of the texts together are in; None when there is too little to tell."""
    joined = " ".join(text[:500] for text in texts)[:_MOST_CHARACTERS]
    letters = sum(map(str.isalpha, joined))
    if not joined.isascii():
        for code, script in _SCRIPTS:
            found = len(script.findall(joined))
            if found > (0.02 if code == "uk" else 0.1 if code == "ja" else 0.4) * letters and letters:
                return code
    found_words = _WORD.findall(joined)
    small = [word for word in found_words if not word.isupper()]  # IL and LA are states of the USA, E is east
    words = [word.lower() for word in (small if 2 * len(small) >= len(found_words) else found_words)]
    hits: Counter[str] = Counter()
    kinds: dict[str, set[str]] = {}
    for word in words:
        owners = _OF_WORD.get(word, ())
        for code in owners:
            hits[code] += 1
            kinds.setdefault(code, set()).add(word)
    if not hits:
        return None
    (best, count), *rest = hits.most_common(2)
    enough = len(kinds[best]) >= 2 and count >= 0.04 * len(words)
    return best if enough and (not rest or count > rest[0][1]) else None
