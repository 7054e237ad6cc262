"""Terms, choices, findings and errors, one page each: `concepts/<name>.md`, at most 150 words, plain English.

A page begins with `# Title`, may go on with `Also: other names, …` and, when it explains the code of a finding, a
warning or an error, `Kind: code`; then comes its text. Adding a page is adding a file.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rapidfuzz import process
from rapidfuzz.distance import OSA

from assistant.chat.words import words_of

FOLDER = Path(__file__).parent / "concepts"
#: Words that ask, articles and the like: they are no part of a term.
_EMPTY = words_of(
    """a an the is are was of in on for to my your this that it do does did i we you and with mean means what
        how why
        """
)
#: Aliases that are ordinary words: they name their page only when they are all that was asked about.
_ALONE = words_of(
    """head base rank noise chance label labels seed test body model data loss steps step duplicates missing
        demo plan text text-only rows copies frozen better same worse verdict report run pages page weight job
        jobs experiment experiments duration method methods measure training transfer probability confidence
        curve memory precision-of split schedule languages privacy processor settings parameters run-of body
        vector vectors confusion classes class how-long interval entity tuning space spaces features feature
        """
)


class Concept(BaseModel):
    """One page.

    Attributes:
        name: the file's name without its ending; for findings and errors it is the code.
        text: Markdown, without the title.
        code: whether it explains a code rather than a term.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    text: str
    code: bool = False

    @property
    def words(self) -> int:
        """Words of the text."""
        return len(self.text.split())


@cache
def pages() -> dict[str, Concept]:
    """All pages by name."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.md"))}


def _read(path: Path) -> Concept:
    title, _, rest = path.read_text(encoding="utf-8").lstrip().partition("\n")
    head: dict[str, str] = {}
    while match := re.match(r"(Also|Kind): *(.*)\n", rest):
        head[match.group(1)] = match.group(2)
        rest = rest[match.end() :]
    aliases = tuple(part.strip().casefold() for part in head.get("Also", "").split(",") if part.strip())
    name = path.stem
    return Concept(
        name=name, title=title.lstrip("# ").strip(), aliases=aliases, text=rest.strip(), code=head.get("Kind") == "code"
    )


@cache
def _names() -> dict[str, str]:
    """Every way of naming a page -> its name; names and titles beat aliases."""
    found: dict[str, str] = {}
    for page_ in pages().values():
        for alias in page_.aliases:
            found.setdefault(alias, page_.name)
    for page_ in pages().values():
        found[page_.title.casefold()] = page_.name
        found[page_.name.replace("-", " ").replace("_", " ")] = page_.name
        found[page_.name] = page_.name
    return found


@cache
def _finder() -> re.Pattern[str]:
    ordered = sorted(_names(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(re.escape(name) for name in ordered)})(?:s|es)?(?![\w-])")


def page(topic: str) -> Concept | None:
    """The page of a term or code: by its name, by another name, or by a near spelling; None when there is none."""
    name = find_topic(topic)
    return pages().get(name) if name else None


def find_topic(text: str) -> str | None:
    """The page that a few words are about: the longest name of a page in them, else a near spelling of the whole."""
    wanted = " ".join(text.casefold().replace("_", " ").split())[:200].strip(" ?.!,;:'\"")
    known = _names()
    if not wanted:
        return None
    joined = _bare(wanted).replace(" ", "")
    for spoken in (
        wanted,
        text.strip().casefold(),
        _bare(wanted),
        wanted.removesuffix("s"),
        joined,
        joined.removesuffix("s"),
    ):
        if spoken in known:
            return known[spoken]
    best = max(
        (match.group() for match in _finder().finditer(wanted) if _counts(match.group(), wanted)), key=len, default=None
    )
    if best is not None:
        return known.get(best) or known.get(best.removesuffix("s")) or known.get(best.removesuffix("es"))
    return _near(_bare(wanted))


def topic_said(text: str) -> str | None:
    """The page, with the name that was said where the page is called otherwise: "preference-tuning (dpo)"."""
    name, said = find_topic(text), _bare(text.casefold())
    if name is None or said not in _names() or any(word in name for word in said.split()):
        return name
    both = f"{name} ({said})"
    return both if find_topic(both) == name else name


def is_name(text: str) -> bool:
    """Whether a text is nothing but the name of a page."""
    return _bare(text.casefold()) in _names() or text.strip(" ?.!").casefold() in _names()


def is_term(text: str) -> bool:
    """Whether a text holds a name that only the field uses, so that a question with it asks for a page."""
    return any(_counts(match.group(), text) for match in _finder().finditer(text.casefold()))


def _counts(name: str, text: str) -> bool:
    bare = name.removesuffix("s")
    return bool((bare not in _ALONE and name not in _ALONE) or _bare(text) in (name, bare))


def _bare(text: str) -> str:
    return " ".join(word for word in re.findall(r"[\w.-]+", text) if word not in _EMPTY)


def _near(wanted: str) -> str | None:
    if len(wanted) < 4 or len(wanted.split()) > 4:
        return None
    limit = 1 if len(wanted) < 8 else 2
    near = process.extractOne(wanted, _names().keys(), scorer=OSA.distance, score_cutoff=limit)
    return _names()[near[0]] if near and near[0][0] == wanted[0] else None
