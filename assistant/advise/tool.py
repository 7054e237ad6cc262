"""Is fine-tuning the right tool here? A rule, a prompt, a model as it is, a search or more data may be better. Pure.

    by_words("find every mail that contains the word invoice")      Alternative("rule", "A rule does this …")
    by_data(plan, data, findings)                                   what the rows themselves say about it

Words decide only where they are plain; otherwise nothing is said, and the data and the verdict of the run decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from assistant.advise.facts import DataFacts
from recipes.plan import Plan

Kind = Literal["rule", "prompt", "existing model", "search", "more data"]

#: Rows a class: below the first a prompt is better; the second is a good start [facts, section 2; judgement].
BEGIN_PER_CLASS, GOOD_PER_CLASS = 10, 50
#: Examples of answers below which a prompt with some of them in it is usually as good [judgement].
FEW_ANSWERS = 100


@dataclass(frozen=True)
class Alternative:
    """What may be better than fine-tuning, and why, in a sentence or two."""

    kind: Kind
    text: str


_SEARCH = re.compile(
    r"\b(?:chat|talk|ask|asks|asking|questions?|answers?|answering|look(?:ing)? (?:things )?up|find (?:facts|answers"
    r"|things|information))\b.{0,50}\b(?:pdfs?|documents?|documentation|manuals?|hand ?books?|books?|contracts?|wikis?"
    r"|knowledge base|polic(?:y|ies)|guidelines?|intranet|web ?sites?|docs)\b"
    r"|\b(?:know|knows|learn|learns|memori[sz]e|remember)s?\b.{0,30}\b(?:company|our|my|the|all) (?:\w+ ){0,3}(?:pdfs?"
    r"|hand ?books?|documents?|documentation|manuals?|wikis?|knowledge base|polic(?:y|ies)|contracts?|facts|products"
    r"|prices|catalogu?e|docs)\b",
    re.IGNORECASE,
)
_PATTERNED = (
    r"(?:phone|telephone|card|order|invoice|account|customer|serial|tracking|ticket) numbers?|e-?mail addresses?|urls?"
    r"|links?|hashtags?|ibans?|(?:zip|postal|post) ?codes?|dates?|ip addresses?"
)
_RULE = re.compile(
    r"\b(?:contain|include|have|with|hold|mention)(?:s|ing)? (?:the |a |certain |these |one of these "
    r"|some )?(?:exact )?"
    r"(?:words?|keywords?|phrases?|strings?|terms?|hashtags?)\b"
    rf"|\b(?:find|flag|detect|extract|pull out|mask|remove|hide|spot|get|contains?|with|mark)s? (?:all |every |the |a "
    rf"|an "
    rf"|any )?(?:{_PATTERNED})\b"
    r"|\b(?:start|begin|end)s? with\b|\b(?:longer|shorter) than \d+ (?:words|characters|letters)\b",
    re.IGNORECASE,
)
#: What models that exist already do well: the sign, and the sentence.
_EXISTING: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), text)
    for pattern, text in (
        (r"\b(?:which|what|detect|identify|recogni[sz]e|tell|guess|find out) (?:\w+ ){0,3}languages?\b(?! model)"
         r"|\blanguage (?:detection|identification|recognition)\b|\btell (?:\w+ ){0,2}languages? apart\b",
         "Telling languages apart is solved: a ready language detector (fastText's `lid.176`, or "
         "`papluca/xlm-roberta-base-language-detection`) knows many languages without any training. Fine-tuning pays "
         "for dialects, very short texts or odd spelling."),
        (r"\btranslat\w+\b.{0,40}\b(?:english|german|french|spanish|italian|portuguese|dutch|russian|chinese|japanese"
         r"|arabic)\b",
         "Models that translate between large languages exist (Opus-MT, NLLB), and work as they are. Try one first; "
         "fine-tuning pays when your wording or your field's terms must be kept, with some thousand pairs."),
        (r"\b(?:transcri\w+|speech[ -]to[ -]text|write down|dictat\w+)\b(?!.{0,60}\b(?:accent|dialect|noisy|medical"
         r"|jargon)\w*)",
         "Whisper writes down clear speech in some hundred languages as it is. Try it first; fine-tuning pays for "
         "accents, "
         "noise or a field's own words, from about an hour of recordings on."),
        (r"\b(?:sentiment|positive|negative|good (?:and|or|from) bad)\b.{0,40}\b(?:tweets?|reviews?|posts?|comments?)\b"
         r"|\b(?:tweets?|reviews?|posts?|comments?)\b.{0,40}\b(?:positive|negative|sentiment)\b",
         "For English, ready sentiment models exist (`cardiffnlp/twitter-roberta-base-sentiment-latest`, say) and need "
         "no training. Yours pays when your classes, your language or your field are different."),
        (r"\b(?:toxic|hate ?speech|insults?|offensive|profan\w+)\b",
         "Ready models mark insults and hate in English (`unitary/toxic-bert`, say). Yours pays when your rules of "
         "what "
         "is allowed differ, or the language does."),
        (r"\b(?:names? of |find |extract |recogni[sz]e )(?:all )?(?:the )?(?:people|persons?|places|cities|compan(?:y"
         r"|ies)"
         r"|organi[sz]ations?)\b",
         "Ready models find people, places and organisations in news-like texts (`dslim/bert-base-NER`, or spaCy's). "
         "Yours pays for other kinds of names."),
        (r"\b(?:dogs?|cats?|cars?|people|everyday (?:things|objects))\b.{0,40}\b(?:photos?|pictures|images)\b"
         r"|\b(?:photos?|pictures|images)\b.{0,40}\b(?:dogs?|cats?|cars?|people|everyday)\b",
         "Everyday things are known to ready models: a CLIP or SigLIP model sorts photos by class names alone, without "
         "training. Try it first; yours pays where the classes look alike."),
    )
)  # fmt: skip
_ONCE = re.compile(
    r"\b(?:just|only) (?:once|one time|this once|these \d+)\b|\bone-?off\b|\bone time (?:job|task|thing)\b"
)
_ROWS = re.compile(
    r"\b(\d[\d,]*) (?:\w+ )?(?:rows?|examples?|samples?|texts?|reviews?|e-?mails?|messages?|tickets?|sentences?"
    r"|documents?|comments?|posts?|lines|pictures?|images?|photos?|recordings?|clips?)\b",
    re.IGNORECASE,
)
_CLASSES = re.compile(
    r"\b(\d{1,3}) (?:\w+ )?(?:class(?:es)?|categor(?:y|ies)|departments?|topics?|labels?|kinds?|groups?|types?"
    r"|folders)\b",
    re.IGNORECASE,
)

SEARCH = (
    "Fine-tuning teaches a way of answering, hardly facts: for answers out of documents you do not need it. Give the "
    "text to a ready chat "
    "model in its prompt, or, when it is too long for that, let a search pick the right passages first (retrieval, "
    "often called RAG). Both work without training, and show where the answer stands."
)
RULE = (
    "A rule does this: a search for the words, or a pattern (a regular expression), is exact, takes minutes to write "
    "and needs no examples. A model pays when the same thing is said in many ways."
)
PROMPT = (
    "For something that is done once, a ready chat model with a good prompt is quicker than training. Training pays "
    "when the task comes again and again, must be cheap, or must stay on your machine."
)


def by_words(goal: str) -> Alternative | None:
    """What the words of a wish say: the tool that is plainly better; None where they do not say."""
    if _SEARCH.search(goal):
        return Alternative("search", SEARCH)
    if _RULE.search(goal):
        return Alternative("rule", RULE)
    few = _too_few(goal)
    if few is not None:
        return few
    if _ONCE.search(goal):
        return Alternative("prompt", PROMPT)
    return next((Alternative("existing model", text) for sign, text in _EXISTING if sign.search(goal)), None)


def _too_few(goal: str) -> Alternative | None:
    """A number of rows that the words name, against the classes that they name (two where they do not)."""
    rows_said, classes_said = _ROWS.search(goal), _CLASSES.search(goal)
    if not rows_said or rows_said.group(1) == (classes_said.group(1) if classes_said else None):
        return None
    rows = int(rows_said.group(1).replace(",", ""))
    classes = int(classes_said.group(1)) if classes_said else 2
    return Alternative("more data", too_few(rows, classes)) if rows < BEGIN_PER_CLASS * max(2, classes) else None


def too_few(rows: int, classes: int) -> str:
    """Why so few rows are not enough, and how many would do."""
    classes = max(2, classes)
    return (
        f"{rows:,} rows for {classes} classes are too few to learn from or to judge by. From about "
        f"{BEGIN_PER_CLASS * classes:,} ({BEGIN_PER_CLASS} a class) it can begin, {GOOD_PER_CLASS * classes:,} "
        f"rows ({GOOD_PER_CLASS} a class) are a good start. Until then a ready chat model with a good prompt, and some "
        "of "
        "your "
        "rows in it as examples, is better."
    )


def by_data(plan: Plan, data: DataFacts, findings: Sequence[Mapping[str, Any]] = ()) -> list[Alternative]:
    """What the rows say: a word that decides, or too few of them."""
    found = [
        Alternative("rule", str(finding.get("text", "")) + " " + str(finding.get("fix", "")))
        for finding in findings
        if finding.get("code") == "one-word-rule"
    ]
    if plan.task == "text-classification" and data.classes > 1 and plan.problem == "single_label_classification":
        if data.rows < BEGIN_PER_CLASS * data.classes:
            found.append(Alternative("more data", too_few(data.rows, data.classes)))
    elif plan.task == "text-generation" and data.rows < FEW_ANSWERS:
        found.append(
            Alternative(
                "prompt",
                f"With {data.rows} examples a ready chat model that sees some of them in its prompt is often as good. "
                "Training pays from a few hundred on, or when the tone must always be the same.",
            )
        )
    return found
