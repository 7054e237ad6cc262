"""Wishes that are no plan: which of them a message holds, and what it asks of the assistant itself.

The signs stand by subject in `run_control`, `about_data`, `about_model` and `about_results`; here is their order.
"""

from __future__ import annotations

import re
from typing import Any

from assistant.chat.about_data import DATA_PROBLEM, about_data
from assistant.chat.about_model import about_model
from assistant.chat.about_results import about_results
from assistant.chat.run_control import is_undo, run_numbers, run_slot, says_no, stop_or_resume
from assistant.chat.words import words_of

_DELETE = re.compile(
    r"\b(?:delet\w*|remov\w*|eras\w*|throw (?:away|out)|get rid of|discard\w*|drop|trash|wipe|bin"
    r"|clear)\b[\w ,']{0,40}\b(?:run|runs|training|trainings|experiment|experiments|model|models|job)\b"
    r"|\b(?:run|training|experiment) (?:number )?#?\d+\b[\w ,']{0,40}\b(?:delete|remove|removed|deleted|erase|away"
    r"|bin|throw|trash|rid of|discard\w*|wipe|can go|drop)\b|\b(?:delete|erase|remove) (?:it|that|that one"
    r"|the last one|the first one|the old one)\b$"
    r"|\b(?:not|no longer) (?:need|want) (?:the |this |that |my )?(?:\w+ )?(?:run|training|model|experiment)(?: \d+)?"
    r"(?: any ?more| any longer)\b|\baway with (?:the |my )?(?:\w+ )?(?:run|training|model)\b"
)
_COMPARE = re.compile(
    r"\bcompar\w*\b[^.;]{0,60}\b(?:runs?|trainings?|models?|experiments?|\d+|previous|last|first|them|both|results?"
    r"|two|the other)\b|\bwhich (?:of (?:the |my |our |those |these )?(?:\w+ ){0,3})?(?:runs?|one|trainings?|models?"
    r"|experiments?)(?: \w+){0,4} (?:better|best|worse|worst|wins?|won|more accurate|highest|winner)\b"
    r"|\brun \d+ (?:vs\.?|versus|against|or|compared (?:to|with)) (?:run )?\d+"
    r"|\bdifference between (?:runs? )?\d+ and (?:run )?\d+|\bdifferences? (?:between|of) (?:the "
    r"|my )?(?:\w+ )?(?:runs|trainings|models)\b|\brun \d+ (?:\w+ ){0,3}(?:better|worse|faster) than\b"
    r"|\b(?:better|worse|faster|more accurate) than\b[^.;?]{0,40}\b(?:runs|trainings|experiments)\b"
    r"|\bbetter than (?:the |my )?(?:last|previous|first|run|before|older|old|other|earlier|second|one)"
    r"|\brun \d+ (?:\w+ ){0,2}(?:beat|win|outperform)\w*"
    r"|\b(?:beat|outperform)\w* run \d+|\bside by side\b|\b(?:my |the )?best (?:run|model"
    r"|training) so far\b|\bwhich (?:was|is) (?:the )?(?:best|better)\b"
)
_HELP = re.compile(
    r"\bwhat (?:do|would|will) (?:i|we) need(?: to (?:do|have|bring|upload|prepare|start|begin|know|get \w+))?[ ?!.]*$"
    r"|\bhow (?:this|it|you|that|everything|the assistant|the tool) (?:all )?works?\b|\byour (?:features|capabilities"
    r"|abilities|skills|functions|job|purpose|limits)\b|\b(?:no|not any|do not have any) idea (?:where|how"
    r"|what) (?:to|i|do)\b[\w ]{0,25}$|^(?:hi|hello|hey|heya|hiya|howdy|yo|greetings|good (?:day|morning|evening"
    r"|afternoon|night)|hallo|moin|servus|hola|bonjour|salut|ciao|namaste|sup|what is up|welcome"
    r"|dear assistant)\b[\w !,.?']{0,30}$"
    r"|^(?:(?:many |lots of )?thanks?(?: you)?|thank you|cheers|great|cool|nice|awesome|wow|merci|danke|gracias"
    r"|well done|good job|you are (?:great|the best|awesome|helpful)|that (?:was|is) (?:great|helpful|nice|all|it)"
    r"|bye|goodbye|see you|good bye|ok thanks|perfect thanks|much appreciated|appreciate it)\b[\w !,.']{0,40}$"
    r"|\bwhat (?:can|could|do|else can|all can|will|are) (?:you|i|we|this|it)(?: \w+){0,2} (?:do|help|offer|train|ask"
    r"|say|able|capable|support|make|good at|for|here|handle)\b[\w ]{0,25}|\bwhat (?:are you|is this|is this (?:thing"
    r"|assistant|bot|program|software"
    r"|page|tool|site|app|place|about|for))(?: (?:for|about|good for|here))?\??$|\bwho are you\b|\bhow (?:does"
    r"|do) (?:this|it|you|that|the assistant|all this|everything|the whole thing) (?:work|function|operate)\b"
    r"|\bhow (?:do|can|should|would|could) (?:i|we|one) (?:start|begin|use (?:this|you|it)|get started|proceed"
    r"|work with|go about|do this|use the assistant)\b|\bwhere (?:do|should|can) (?:i|we) (?:start|begin)\b|^(?:help"
    r"|help me|please help|i need help|can you help(?: me)?|could you help(?: me)?|menu|commands|options|instructions"
    r"|tutorial|guide me|sos|\?+|what now|now what|how|what do i do(?: now)?|what next|i am (?:lost|new|stuck"
    r"|confused)[\w ]{0,30}|no idea[\w ]{0,40}|i (?:do not|don't) know (?:what|how|where)[\w ]{0,40})[ ?!.]*$"
    r"|\bis there (?:an? |any |some )(?:manual|tutorial|guide|documentation|help|instructions?|demo|introduction)\b"
    r"|\b(?:kinds?|sorts?|types?) of (?:models?|tasks?|things|data|files?|networks?|ai)\b[\w ]{0,20}\b(?:(?:can|could"
    r"|do)"
    r" (?:i|we|you|one)|(?:i|we|you|one) (?:can|could|may))\b"
    r"|\bwhich (?:tasks?|kinds? of (?:models|tasks|files|data)|file (?:types|formats)|formats|models"
    r"|languages) (?:can|do|are|does|could)\b[\w ]{0,30}|\bwhat (?:kinds? of |types? of |sorts? of )?(?:tasks?"
    r"|problems?|questions?|languages?|files?"
    r"|formats?|models?|data|things|file formats) (?:can|do|are|does|could|should) (?:you|i|we|there|it"
    r"|this)\b[\w ]{0,25}|\bshow me (?:an example|what you can|how (?:it|this) works|around|the examples?)\b"
    r"|\bgive me an example\b|\bexamples? (?:please|to try)\b|\bdo you (?:speak|understand|support|know)\b"
    r"|\bhow are you\b|\bare you there\b|\banyone (?:there|here)\b"
)
_HELLO = re.compile(r"^(?:hi|hello|hey|good (?:day|morning|evening|afternoon)|hallo|howdy|greetings|yo)\b")
_THANKS = re.compile(r"\b(?:thanks?|thank you|cheers|thx|merci|danke|gracias|appreciate)\b")


def found(text: str, raw: str, *, has_plan: bool, with_file: bool, trying: bool) -> tuple[str, dict[str, Any]] | None:
    """The intent that the signs point to, with its slots; None when there is none.

    Args:
        text: tidy and in digits.
        raw: as typed, for what is quoted.
        with_file: a file came with the message.
    """
    run = run_slot(text)
    slots: dict[str, Any] = {"run": run} if run is not None else {}
    if is_undo(text):
        return "undo", {}
    if _COMPARE.search(text) and len(run_numbers(text)) != 1 and not with_file:
        return "compare", {"runs": run_numbers(text)}
    of_data = re.search(DATA_PROBLEM, text) and not re.search(r"\brun (?:number )?#?\d", text)
    if _DELETE.search(text) and not of_data and not says_no(text, _DELETE):
        return "delete_run", slots
    for reader in (stop_or_resume, about_data, about_model, about_results):
        answer = reader(text, raw, has_plan, with_file)
        if answer and not (trying and answer[0] in ("help",)):
            return answer[0], (slots if answer[0] in _TAKES_RUN else {}) | answer[1]
    return None


_TAKES_RUN = words_of(
    """stop resume status report improve evaluate export publish delete_run predict
    """
)


def is_help(text: str) -> bool:
    """A greeting, thanks, or a question about the assistant itself."""
    return bool(_HELP.search(text))


def help_kind(text: str) -> str:
    """Which kind of help: hello, thanks, how, what."""
    if _THANKS.search(text):
        return "thanks"
    if _HELLO.search(text) and not re.search(r"what can", text):
        return "hello"
    return "how" if re.search(r"\bhow\b|\bstart\b|\bbegin\b", text) else "what"
