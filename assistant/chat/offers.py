"""What was just offered or asked is answered in few words: the guided beginning, the example, the plan that can work.

`read` comes before the other readers: "texts" means something only where the guide has just asked what goes in. The
guide asks three questions at most: what goes in, what should come out, and a file (or the example).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from assistant.chat import run_answers
from assistant.chat.intents import intent
from assistant.chat.turns import FileCard, Intent, Option, Reply, State
from assistant.chat.words import tidy

#: `state.pending` while the guide waits for an answer.
GUIDE = "guide"
_GUIDE_ME = re.compile(
    r"^(?:please |ok |okay |yes |yes please )*(?:guide me|guide|help me (?:to )?(?:start|begin)|walk me through(?: it)?"
    r"|lead me(?: through(?: it)?)?|step by step|ask me(?: (?:the|three|3) questions)?|start the guide"
    r"|take me by the hand)(?: please)?[.! ]*$"
)
#: Which shipped example is meant: what goes in, or its subject -> its name.
_EXAMPLES = (
    ("spam", r"spam|texts?|e-?mails?"),
    ("clothes", r"clothes|clothing|fashion|pictures?|photos?|images?"),
    ("accent", r"accents?|speech|dictation|transcri\w+"),
    ("commands", r"commands?|spoken commands?|sounds?|audio|recordings?"),
    ("addresses", r"address(?:es)?|names?|entit(?:y|ies)|streets?"),
    ("answers", r"answers?|questions?|notices?"),
    ("alike", r"alike|similar(?:ity)?|meaning|linux|terminal"),
)
#: The example for what the guide was told goes in.
_EXAMPLE_OF = {"text": "spam", "image": "clothes", "audio": "commands"}
_KINDS = "(?:" + "|".join(pattern for _, pattern in _EXAMPLES) + ")"
_EXAMPLE = re.compile(
    r"^(?:please |ok |okay |yes |then |so |just |let us |i want to |can i |can we |could we )*(?:try|use|take|show me"
    r"|show"
    r"|start with|begin with|load|run|see|with|have)?(?: me)?(?: with)? ?(?:the|an|your|a|that)? ?(?:ready |shipped )?"
    rf"(?:(?P<which>{_KINDS} )?(?:example|example data|sample data|example file|examples)|(?P<whose>{_KINDS} )data)"
    r"(?: first| please| instead| then)*[.!? ]*$"
)
_NO_DATA = re.compile(
    r"\b(?:no|not have|without|have not got|haven't got|not got)(?: \w+){0,2} (?:data|file|files|examples|rows)\b"
    r"|\b(?:do not|don't) have (?:any|one|it|a file|data|that)(?: yet)?\b|^(?:no|none|nothing)(?: yet)?[.! ]*$"
)
_NEAREST = re.compile(
    r"^(?:please |ok |okay |yes |then )*(?:take|use|do|accept|show me|make|give me|go with) (?:the |that |your )?"
    r"(?:plan that (?:works|can work|fits)|nearest(?: one| plan)?|other plan|plan you propose|working plan"
    r"|proposed plan|proposal)[.! ]*$"
)
_MEASURE = re.compile(
    r"^(?:please |ok |okay |yes |can you |could you |first |then )*(?:measure(?: it| first| it first| the (?:time"
    r"|speed)"
    r"| how long it (?:takes|will take|would take)| on (?:this|my) (?:machine|computer))*|(?:do|make|run|try) (?:a "
    r"|one )?"
    r"(?:dry run|trial|trial run|test run|few steps|probe)(?: first)?)(?: please| first| on (?:this|my) "
    r"(?:machine|computer))*[.!? ]*$"
)
_WHY = re.compile(r"^(?:but |and |so |ok |okay )*(?:why|how come|why so|why is that|why is it so)[?!. ]*$")
#: What goes in -> the words that say so.
_INPUTS = (
    ("text", r"texts?|words?|e-?mails?|mails?|messages?|reviews?|tickets?|sentences?|documents?|articles?|tweets?"
             r"|comments?|posts?|chats?|writing"),
    ("image", r"pictures?|photos?|images?|drawings?|scans?|x-?rays?"),
    ("audio", r"recordings?|sounds?|audio|speech|voices?|calls?|music|podcasts?"),
)  # fmt: skip
#: What comes out of each kind of input: (label, what the button says, plan paths).
_OUTPUTS: dict[str, tuple[tuple[str, str, dict[str, Any]], ...]] = {
    "text": (
        ("A class, like spam or not", "one class for each text",
         {"task": "text-classification", "problem": "single_label_classification"}),
        ("Several labels", "several labels for each text",
         {"task": "text-classification", "problem": "multi_label_classification"}),
        ("A number, like stars", "a number for each text", {"task": "text-classification", "problem": "regression"}),
        ("Names marked in it", "names marked in each text", {"task": "token-classification"}),
        ("Another text, like a summary", "another text for each text", {"task": "text2text-generation"}),
    ),
    "image": (
        ("A class, like cat or dog", "one class for each picture", {"task": "image-classification"}),
        ("Boxes around things", "boxes around things in each picture", {"task": "object-detection"}),
        ("A description", "a description of each picture", {"task": "image-text-to-text"}),
    ),
    "audio": (
        ("A class, like yes or no", "one class for each recording", {"task": "audio-classification"}),
        ("The spoken words", "the spoken words of each recording", {"task": "automatic-speech-recognition"}),
    ),
}  # fmt: skip
_NOUN = {"text": "text", "image": "picture", "audio": "recording"}
_OUT_WORDS = (
    (r"\bseveral\b|\bmany\b|\bmore than one\b|\bmultiple\b|\btags\b|\blabels\b", 1),
    (r"\bnumber\b|\bscore\b|\brating\b|\bstars\b|\bprice\b|\bhow (?:much|many)\b", 2),
    (r"\bnames?\b|\bmarked\b|\bparts?\b|\bentit", 3),
    (r"\banother text\b|\bsummar|\btranslat|\brewrit|\ba text\b", 4),
    (r"\bclass\b|\bclasses\b|\bcategor|\bsort|\bkind\b|\byes or no\b|\bone\b|\blabel\b|\btopic", 0),
)


def read(text: str, state: State, files_now: Sequence[FileCard]) -> Intent | None:
    """The intent of an answer to an offer; None where the words are no such answer."""
    if files_now or len(text) > 200:
        return None
    words = tidy(text)
    if _GUIDE_ME.match(words):
        return intent("help", kind="hello", step="inputs")
    example = _EXAMPLE.match(words)
    if example:
        return intent("plan", example=_example_named(example["which"] or example["whose"] or ""))
    if _MEASURE.match(words) and state.plan is not None and state.plan.base_model:
        return intent("explain", topic="measure")
    if state.nearest and _NEAREST.match(words):
        return intent("change", **state.nearest)
    kind, _, step = (state.pending or "").partition(":")
    if kind == "told" and step in run_answers.WHY and _WHY.match(words):
        return intent("explain", topic=run_answers.WHY[step])
    return _guided(words, step) if kind == GUIDE else None


def _guided(words: str, step: str) -> Intent | None:
    """An answer to the guide's question at hand; longer sentences are left to the other readers."""
    if _NO_DATA.search(words):
        return intent("plan", example=_EXAMPLE_OF.get(step, "spam"))
    if len(words.split()) > 6:
        return None
    if step == "inputs":
        found = next((kind for kind, pattern in _INPUTS if re.search(rf"\b(?:{pattern})\b", words)), None)
        return intent("help", kind="hello", step=found) if found else None
    outputs = _OUTPUTS.get(step, ())
    chosen = next((place for place, output in enumerate(outputs) if output[1] == words.strip(" .!?")), None)
    if chosen is None and step == "text":
        chosen = next((place for pattern, place in _OUT_WORDS if re.search(pattern, words)), None)
    if chosen is None and re.search(_OUT_WORDS[-1][0], words):
        chosen = 0
    return intent("plan", **outputs[chosen][2]) if chosen is not None and chosen < len(outputs) else None


def _example_named(which: str) -> str:
    return next((name for name, pattern in _EXAMPLES if re.fullmatch(pattern, which.strip())), "spam")


def ask(step: str) -> tuple[Reply, str]:
    """The guide's next question, and what `state.pending` becomes."""
    if step in _OUTPUTS:
        text = f"Question 2 of 3: what should come out for each {_NOUN[step]}?"
        options = [Option(label=label, say=say) for label, say, _ in _OUTPUTS[step]]
        return Reply(text=text, options=options), f"{GUIDE}:{step}"
    text = (
        "Three short questions, then there is a plan. You can also drop in your file at any time.\n\n"
        "Question 1 of 3: what goes in?"
    )
    options = [Option(label="Texts", say="texts"), Option(label="Pictures", say="pictures")]
    options += [Option(label="Recordings", say="recordings"), Option(label="No data yet", say="I have no data yet")]
    return Reply(text=text, options=options), f"{GUIDE}:inputs"
