"""Checks of the rows and texts. One check, one small function: a view in, findings out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from assistant.data import personal
from assistant.data.cells import row_list
from assistant.data.findings import (
    LOOKED_AT,
    Check,
    Finding,
    View,
    counted,
    empty_rows,
    first_rows,
    share_of,
    some_examples,
)
from assistant.data.kinds import spread
from assistant.data.languages import language_name, language_of
from assistant.data.names import key_of
from assistant.data.similar import near_copies

FEWEST_ROWS = 8
FEW_ROWS = 100
#: Tokens that the usual models of a task read of each text; English needs about 1.3 tokens a word.
MOST_TOKENS = {
    "text-classification": 512, "token-classification": 512, "sentence-similarity": 512, "question-answering": 512,
    "text2text-generation": 1024, "text-generation": 2048, "preference-tuning": 2048,
}  # fmt: skip
TOKENS_PER_WORD = 1.3
#: Of a language without spaces between words, about two letters make a token.
LETTERS_PER_TOKEN = 2.0

#: Share of the texts that must be told to be in another language, each by itself.
FOREIGN = 0.2

HTML = re.compile(
    r"</?[a-zA-Z][a-zA-Z0-9]{0,10}(\s[^<>]{0,200})?/?>|&(amp|lt|gt|quot|nbsp|#\d{1,5}|#x[0-9a-fA-F]{1,4});"
)
_FORMULA = re.compile(r"[=+@-]\s*[A-Za-z_.]{2,30}\(|=\s*[-+]?(\d|[A-Z]{1,3}\d|\()")
_ERROR_VALUE = re.compile(r"#(REF!|N/A|VALUE!|DIV/0!|NAME\?|NULL!|NUM!)")


def repaired(view: View) -> Iterable[Finding]:
    """What reading the file had to guess or mend."""
    fix = "Nothing has to be done if this is right; else mend the file there, and upload it again."
    for note in view.profile.notes:
        yield Finding(code="file-repaired", severity="info", count=1, text=note, fix=fix)


def no_columns(view: View) -> Iterable[Finding]:
    """No column to read, or none to learn."""
    guess = view.guess
    names = ", ".join(view.table.columns[:8])
    if guess.task is None:
        why = guess.evidence[0] if guess.evidence else "No column holds texts, pictures or sounds."
        fix = "Upload a file with a column of texts and a column of labels, or a zip of class folders."
        yield Finding(code="no-text-column", severity="error", count=1, text=why, fix=fix)
    elif guess.task.endswith("-classification") and guess.task != "token-classification" and not _has_label(view):
        several = len(view.table.columns) > 1
        text = f"No column holds labels: the file has {'the columns' if several else 'one column,'} {names}. "
        if view.profile.format.endswith(("-images", "-audio")):
            text = "Nothing says which class each file belongs to: there are no folders named after classes. "
        yield Finding(
            code="no-label-column",
            severity="error",
            count=view.rows,
            text=f"{text}A model learns classes from examples whose class is known.",
            fix="Add a column with the right category for some hundred rows (or put files into a folder for each "
            "class), and upload it again.",
        )


def _has_label(view: View) -> bool:
    return bool(view.guess.columns.get("label"))


def too_few_rows(view: View) -> Iterable[Finding]:
    """So few rows that nothing can be learned, or nothing can be told about the result."""
    rows = view.rows
    if rows < FEWEST_ROWS:
        yield Finding(
            code="too-few-rows",
            severity="error",
            count=rows,
            text=f"The file has {counted(rows, 'row', 'rows')}. From so few nothing can be learned, let alone tested.",
            fix=f"Bring at least {FEWEST_ROWS} rows of each class; 50 to 100 of each make a useful model.",
        )
    elif rows < FEW_ROWS:
        yield Finding(
            code="too-few-rows",
            severity="warning",
            count=rows,
            text=f"The file has {rows} rows. A model can learn from them, but so few cannot tell how good it is: the "
            "result stays uncertain by several percent.",
            fix="A few hundred rows make it much surer.",
        )


def missing_text(view: View) -> Iterable[Finding]:
    """Rows without a text."""
    empty = empty_rows(view.table, view.guess.columns)
    if empty:
        columns = " and ".join(view.text_columns)
        what = counted(len(empty), "row has", "rows have")
        effect = "It teaches nothing and is" if len(empty) == 1 else "They teach nothing and are"
        yield Finding(
            code="missing-text",
            severity="warning",
            rows=first_rows(empty),
            count=len(empty),
            text=f"{what} no text in {columns} (row {row_list(row + 1 for row in empty)}). {effect} left out.",
            fix="Remove these rows, or fill in their texts.",
            fixable=True,
        )


def duplicates(view: View) -> Iterable[Finding]:
    """The same text with the same label, more than once."""
    first: dict[tuple[str, ...], int] = {}
    copies: list[int] = []
    labels = view.labels or [[] for _ in range(view.rows)]
    for row, key in enumerate(view.keys):
        if key and first.setdefault((key, *sorted(labels[row])), row) != row:
            copies.append(row)
    if copies:
        what = counted(len(copies), "row repeats", "rows repeat")
        how = "with the very same file" if view.media else "word for word"
        yield Finding(
            code="duplicates",
            severity="warning",
            rows=first_rows(copies),
            count=len(copies),
            text=f"{what} an earlier row {how} ({share_of(len(copies), view.rows)} of all). Copies count "
            "double in training, and a copy in the test would make the result look better than it is; so copies are "
            "kept together.",
            fix="Remove the copies, and keep the first of each.",
            fixable=True,
            examples=some_examples(view.texts[row] for row in copies),
        )


def near_duplicates(view: View) -> Iterable[Finding]:
    """Texts that are nearly the same as an earlier one."""
    if view.media or view.guess.task == "question-answering":  # questions about one text share it, and stay together
        return
    seen: dict[str, int] = {}
    unique = [row for row, key in enumerate(view.keys) if key and seen.setdefault(key, row) == row]
    pairs = near_copies([view.texts[row] for row in unique])
    if not pairs:
        return
    later = [unique[row] for row, _ in pairs]
    row, earlier = (unique[position] for position in pairs[0])
    yield Finding(
        code="near-duplicates",
        severity="warning" if len(pairs) > 0.05 * view.rows else "info",
        rows=first_rows(later),
        count=len(pairs),
        text=f"{counted(len(pairs), 'row is', 'rows are')} nearly the same as an earlier one (row {row + 1} and row "
        f"{earlier + 1}, for instance). They are kept on one side of the test, so that it stays honest.",
        fix="Nothing has to be done; more varied rows teach more.",
        examples=some_examples(view.texts[row] for row in later),
    )


def html(view: View) -> Iterable[Finding]:
    """Tags and entities of web pages inside the texts."""
    found = [
        row
        for row, text in enumerate(view.texts)
        if ("<" in text or "&" in text) and HTML.search(text[:LOOKED_AT])
    ]  # fmt: skip
    if found:
        yield Finding(
            code="html",
            severity="warning" if len(found) > 0.05 * view.rows else "info",
            rows=first_rows(found),
            count=len(found),
            text=f"{counted(len(found), 'text holds', 'texts hold')} HTML, as <br> or &amp; "
            f"({share_of(len(found), view.rows)}). The model reads it as words: it costs length and may mislead.",
            fix="Take the tags out and keep the text.",
            fixable=True,
            examples=some_examples(_around(HTML, view.texts[row]) for row in found),
        )


def _around(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return text[max(0, match.start() - 30) : match.end() + 30] if match else text


def mojibake(view: View) -> Iterable[Finding]:
    """Letters broken by a wrong encoding, as Ã¤ for ä."""
    from ftfy.badness import is_bad  # noqa: PLC0415  quick to run, slow to import

    found = [
        row
        for row, text in enumerate(view.texts)
        if not text.isascii() and (is_bad(text[:LOOKED_AT]) or "\ufffd" in text)
    ]
    if found:
        yield Finding(
            code="mojibake",
            severity="warning",
            rows=first_rows(found),
            count=len(found),
            text=f"{counted(len(found), 'text holds', 'texts hold')} letters broken by a wrong encoding, as Ã¤ for ä. "
            "The model does not know such words.",
            fix="Mend the letters; those that were lost (�) stay lost, so better export the file again as UTF-8.",
            fixable=True,
            examples=some_examples(view.texts[row] for row in found),
        )


def personal_data(view: View) -> Iterable[Finding]:
    """E-mail addresses, phone numbers and card numbers."""
    kinds: dict[str, int] = {}
    found: list[int] = []
    for row, text in enumerate(view.texts):
        here = personal.find(text[:LOOKED_AT])
        if here:
            found.append(row)
        for kind in here:
            kinds[kind] = kinds.get(kind, 0) + 1
    if found:
        listed = ", ".join(f"{kind} in {counted(count, 'row', 'rows')}" for kind, count in kinds.items())
        yield Finding(
            code="personal-data",
            severity="warning",
            rows=first_rows(found),
            count=len(found),
            text=f"Texts hold what looks like personal data: {listed}. A model can remember it, and whoever gets the "
            "model may get it out again.",
            fix="Mask it before training: each is replaced by [email], [phone] or [card].",
            fixable=True,
        )


def long_texts(view: View) -> Iterable[Finding]:
    """Texts that are longer than most models of the task read."""
    most = MOST_TOKENS.get(view.guess.task or "")
    if most is None or view.profile.format == "txt":  # a book is cut into pieces anyway
        return
    long = [row for row, text in enumerate(view.texts) if len(text) > most and _tokens(text) > most]
    if long:
        share = len(long) / max(1, view.rows)
        yield Finding(
            code="long-texts",
            severity="warning" if share > 0.3 else "info",
            rows=first_rows(long),
            count=len(long),
            text=f"{counted(len(long), 'text is', 'texts are')} longer than about {most / TOKENS_PER_WORD:.0f} words "
            f"({share_of(len(long), view.rows)}). Most models for this task read at most {most:,} tokens, and never "
            "see the rest.",
            fix="Fine when what matters stands at the beginning; else ask for a model that reads longer texts.",
        )


def _tokens(text: str) -> float:
    """Roughly how many tokens a text is. Every word has a space after it, and counting these is quick."""
    spaces = text.count(" ")
    return len(text) / LETTERS_PER_TOKEN if len(text) > 20 * (spaces + 1) else spaces * TOKENS_PER_WORD


def other_languages(view: View) -> Iterable[Finding]:
    """Texts in other languages than English, which is all that many models know."""
    found = view.profile.languages
    told = view.label_column is not None and key_of(view.label_column) in ("language", "lang")
    if not view.text_columns or found in ([], ["en"]) or told or view.guess.task == "text2text-generation":
        return
    told_apart = [language_of([text]) for text in spread(view.texts, 200)]
    if sum(code not in (None, "en") for code in told_apart) < FOREIGN * len(told_apart):
        return  # addresses and names look like many languages
    names = [language_name(code) for code in found[:4]]
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    mixed = f"in several languages ({', '.join(names)}{more})" if len(found) > 1 else f"in {names[0]}"
    yield Finding(
        code="other-languages",
        severity="info",
        count=len(found),
        text=f"The texts look as if they were {mixed}. Many models, and the small starter models among them, learned "
        "English only; in other languages they hardly beat counting words.",
        fix="Choose a model that reads these languages: say “use a multilingual model”.",
    )


def formulas(view: View) -> Iterable[Finding]:
    """Cells that a spreadsheet would compute."""
    found: dict[int, str] = {}
    for name in view.table.columns:
        for row, cell in enumerate(view.table.frame[name].tolist()):
            if isinstance(cell, str) and cell[:1] in ("=", "+", "@", "-", "#") and (
                _FORMULA.match(cell) or _ERROR_VALUE.match(cell)
            ):  # fmt: skip
                found.setdefault(row, cell)
    if found:
        yield Finding(
            code="formulas",
            severity="info",
            rows=first_rows(found),
            count=len(found),
            text=f"{counted(len(found), 'row holds', 'rows hold')} a spreadsheet formula or its error, as "
            f"{next(iter(found.values()))[:40]}. It was read as plain text and never computed.",
            fix="If its result was meant, save the sheet with values only, and upload it again.",
            examples=some_examples(found.values()),
        )


def test_leak(view: View, test: View) -> Iterable[Finding]:
    """Rows of the person's own test file that stand in the training file too."""
    trained = {key for key in view.keys if key}
    leaked = [row for row, key in enumerate(test.keys) if key in trained]
    if leaked:
        yield Finding(
            code="test-leak",
            severity="warning",
            rows=first_rows(leaked),
            count=len(leaked),
            text=f"{counted(len(leaked), 'row', 'rows')} of {test.table.name} ({share_of(len(leaked), test.rows)}) "
            f"also stand in {view.table.name}. A model that has seen the test rows looks better than it is, so they "
            "are left out of the training.",
            fix="Nothing has to be done; a test file with other rows tells more.",
            examples=some_examples(test.texts[row] for row in leaked),
        )


CHECKS: tuple[Check, ...] = (
    no_columns, too_few_rows, missing_text, duplicates, near_duplicates, html, mojibake, personal_data, long_texts,
    other_languages, formulas, repaired,
)  # fmt: skip
