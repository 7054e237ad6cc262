"""Wishes about the data: look at it, mend it."""

from __future__ import annotations

import re
from typing import Any

from assistant.chat.run_control import says_no

_CHECK = re.compile(
    r"(?:^|\bplease |\byou |\bto |\bjust |\bonly |\bfirst )(?:review|test|profile)\b[\w ]{0,25}\b(?:data|file|csv|table"
    r"|data ?set|upload|rows|columns|spreadsheet|excel|zip|labels|quality)\b"
    r"|\bcount (?:the |my |all )*(?:rows|lines|labels|classes|examples|entries)\b|\btell me (?:something "
    r"|more )?about (?:my|the|this|that) (?:\w+ )?(?:data|file|csv|table|set|zip|upload"
    r"|spreadsheet)\b"
    r"|\b(?:is|are) (?:something|anything|rows|values|cells|labels|texts) (?:missing|wrong|broken|empty|lacking|odd"
    r"|strange)\b"
    r"|\bwhat do (?:the|my|these|those) (?:columns|labels|rows|fields|classes) (?:mean|contain|hold|say)\b|\b(?:check"
    r"|look (?:\w+ )?(?:at|into|over|through)|inspect\w*|examin\w*|analy[sz](?:e[sd]?|ing)|analysis (?:of|for)"
    r"|describe|validat\w*"
    r"|explore|verify|diagnos\w*|go (?:over|through)|assess|have a look"
    r"|take a look)\b[\w ,']{0,35}\b(?:data|file|csv|table|data ?set|upload|rows|columns|spreadsheet|excel|zip|labels"
    r"|quality)\b"
    r"|\bwhat is (?:wrong|the (?:matter|problem|issue|trouble)|not right|off|bad)\b[\w ]{0,15}\b(?:with|about"
    r"|in) (?:my|the|this|that|it)(?: \w+)? ?(?:data|file|csv|table|set|upload|spreadsheet)?\b|\b(?:is|are) (?:my|the"
    r"|this|these|that) (?:\w+ )?(?:data|file|csv|table|data ?set|labels|rows|columns|spreadsheet)(?: \w+)? (?:ok"
    r"|okay|good|fine|clean|usable|right|valid|correct|balanced|broken|enough|alright|in order|useable|readable"
    r"|complete|all right|any good|suitable)\b"
    r"|\b(?:any|are there|has it|find|see|show|what|which|tell|list) (?:\w+ ){0,5}(?:problems?|issues?|errors?"
    r"|mistakes|duplicates?|doubles|missing values|empty (?:rows|cells)|defects|outliers"
    r"|oddities)\b[\w ]{0,20}\b(?:data|file|csv|table|set|it|there|rows|labels|columns|upload|spreadsheet|have)\b"
    r"|\bwhat (?:is|do (?:you|i)|does|did|have i|kind of data is)(?: \w+){0,3} (?:in|inside|on|have in)"
    r" (?:(?:my|the|this|that|these)(?: \w+)? (?:files?|data|csv|table|set|upload|zip|spreadsheet|sheet|archive|folder"
    r"|export|columns?|rows)\b|(?:it|this|that|there|here)[ ?.!]*$)"
    r"|^(?:so |and )?(?:is|are) (?:this|that|it|these|they) (?:\w+ )?(?:usable|useable|ok|okay|good|fine|clean|valid"
    r"|alright"
    r"|suitable|balanced|readable)(?: like this| so| for training| enough)?[ ?.!]*$"
    r"|\b(?:overview|summary|statistics|description|profile) (?:of|for|about) (?:this|the|my|that"
    r"|these) (?:\w+ )?(?:table"
    r"|file|data|csv|data ?set|sheet|spreadsheet|zip|upload|rows|columns)\b"
    r"|\bany (?:duplicates?|doubles?|empty|missing|blank|broken|odd|wrong|strange|repeated) ?(?:\w+ )?"
    r"(?:rows|cells|values|labels|lines|entries|columns|or\b|in\b|\?)"
    r"|\b(?:does|do|did) (?:my|the|this|that|these) (?:\w+ )?(?:data|file|csv|table|data ?set|labels|rows|columns"
    r"|spreadsheet|sheet|upload|export|zip) (?:look|seem|appear|sound)\b"
    r"|\b(?:something|anything|what|nothing) (?:is|seems|looks|feels) (?:\w+ )?(?:off|wrong|odd|strange|weird|fishy"
    r"|broken|not right|amiss) (?:with|about|in)\b"
    r"|\bhow many (?:rows|lines|examples|columns|classes|labels|samples|duplicates|images|pictures|recordings|clips"
    r"|texts|entries)\b(?! (?:do|would|should|must) (?:i|we|you|it) need)|\b(?:which|what) columns\b|^(?:is there "
    r"|do you see "
    r"|see )?any(?:thing)? (?:wrong|problems?|issues?|errors?|odd|strange)\b[\w ?!.]{0,25}$|\bwhat is (?:in"
    r"|inside) (?:there|it|this|that)\b|\b(?:are|is) there (?:\w+ ){0,2}(?:duplicates?|missing|empty|errors?"
    r"|double[sd]?|repeated|repeats|identical"
    r"|the same|copies|blank|broken|unlabell?ed|odd|strange|wrong|bad)\b"
    r"|\b(?:show|print|display|list)(?: me)? (?:the |my |some |a few |first )*(?:\d+ )?(?:data|file|rows|columns"
    r"|labels|label counts|lines|sample|class counts|classes|data card|examples from)\b|\bdata (?:check|quality"
    r"|doctor|report|problems|issues)\b|\bdo (?:you see|i have)(?: \w+){0,3} (?:problems|duplicates|errors|issues"
    r"|missing)"
    r"|\b(?:what|tell me what) do you (?:see|find|think of (?:my|the|this) (?:data|file))\b|\bdid (?:you"
    r"|it) (?:read|get|load|import|receive|understand|find|see) (?:\w+ ){0,2}(?:file|data|it|everything|lines|rows"
    r"|columns"
    r"|table|all)\b|\bcan you read (?:my|the|this) (?:file|data)"
    r"|\bhow (?:is|are|does|do) (?:my|the) (?:data|labels|classes|file) (?:look|distributed|balanced)|\bwhy (?:can"
    r"|could|do|did) (?:not )?you (?:not )?(?:read|open|load|understand)\b"
    r"|\bwhy (?:can|could|do|did|is|does) (?:not )?(?:i|we|you|it|this|that|my|the)\b[\w ]{0,20}\b(?:use|import|read"
    r"|open|load|work|accepted|readable)\b[\w ]{0,12}\b(?:file|table|data|csv|sheet|zip|upload)\b"
    r"|\bwhat (?:do )?you (?:see|find|found"
    r"|think)\b|\b(?:check|inspect|look at|examine|analy[sz]e) (?:it|that|this|them|these) (?:first|only|please"
    r"|for me|over)|\bonly (?:check|inspect|look)\b|\bhow (?:clean|good|balanced|messy) is (?:my|the|this) (?:data"
    r"|file)|\bjust (?:look|check)\b"
)
DATA_PROBLEM = (
    r"(?:duplicat\w*|doubles?|double (?:rows|entries)|copies|repeat\w*|empty|blank|missing|nulls?|nan|broken (?:rows"
    r"|lines|characters|text)|rows? without|unlabel\w*|html|markup|encoding|mojibake|umlauts|white ?space|spaces"
    r"|spelling(?:s)?(?: variants?)?|variants?|label (?:spelling|names|variants)|inconsisten\w*|conflict\w*"
    r"|contradict\w*|wrong labels|mislabel\w*|personal (?:data|information)|phone numbers|e-?mail addresses"
    r"|names? (?:and|of) people|pii|card numbers|outliers|too (?:long|short) (?:texts|rows)|rare classes|tiny classes"
    r"|classes with (?:too )?few|id columns?|leak\w*|bad (?:rows|lines|labels)|problems?|issues?|errors?|garbage|junk"
    r"|mess|same text|dirty|silent (?:audio|recordings?|clips?|files?)|(?:broken|damaged|unreadable"
    r"|corrupt\w*) (?:media"
    r"|files?|pictures?|images?|photos?|audio|recordings?|clips?)|label (?:errors?|noise)|suspicious labels?)"
)
_FIX = re.compile(
    rf"\b(?:fix\w*|remov\w*|drop|delet\w*|clean\w*|repair\w*|merg\w*|unif\w*|mask\w*|correct|strip|throw (?:out|away)"
    rf"|get rid of|solve|take out|filter out|leave out|sort out|tidy|mend|kick out|eliminat\w*|hide|anonymi[sz]\w*"
    rf"|normali[sz]\w*|discard|purge|cut out|skip|join|harmoni[sz]e|handle|deal with"
    rf"|do something about)\b[\w ,']{{0,40}}?\b{DATA_PROBLEM}"
    r"|\bkeep (?:only )?(?:each|every|one|a single|1|the first)\b[\w ]{0,30}\b(?:once|one time|copy|of (?:each|them"
    r"|every))\b"
    r"|\bde-?dup\w*|\bde-?duplicat\w*|\b(?:fix|clean|repair|mend|tidy|correct) (?:it|that|this|them|these|those"
    r"|everything|all|(?:up )?(?:my|the|this) (?:data|file|csv|table|labels|rows|data ?set|upload))(?: up| please"
    r"| all| for me)*\b|\bclean (?:up )?(?:my|the|this) (?:data|file|table)|\b(?:yes )?fix (?:it|the data|them)\b"
)
_CHECK_ONLY = re.compile(
    r"\b(?:not|never|without|no|nothing) (?:\w+ ){0,2}?train\w*|\bnot train\b|\bbefore (?:we|you|i|any) train"
    r"|\bbefore training\b|\b(?:not|never|no) (?:\w+ ){0,3}plan\b(?: yet|[.!]*$)"
)
#: A file that does not look right to the person.
_COMPLAINS = re.compile(
    r"\b(?:file|export|table|csv|data|upload|letters|characters|umlauts|columns?|it|this|that|rows|lines)\b"
    r"(?: \w+){0,2} (?:seems?|looks?|is|are|comes?|appears?|gets?) (?:\w+ )?(?:broken|weird|strange|odd|wrong|damaged"
    r"|corrupt(?:ed)?|garbled|funny|messed|mixed up|unreadable|scrambled|empty)\b"
    r"|\berrors? (?:when|if|while|on|message)\b|\bsa(?:y|ys|id|ying) (?:\w+ )?errors?\b"
    r"|\b(?:not|never|can not|will not) (?:\w+ )?(?:open|load|opened|loaded)\b"
)
#: With a file that just came, this mends texts or a way of working, not the file: "it goes wrong often, fix that".
_FIXED_BY_A_MODEL = re.compile(
    r"\b(?:spelling|mistakes|errors)\b|\b(?:with|by|using|through) (?:an? |the |some )?(?:\w+ )?(?:ai|model|machine"
    r"|machine learning|computer|network|program)\b"
)


#: Words for the data themselves.
OF_DATA = re.compile(
    r"\b(?:data|files?|csv|table|data ?set|(?:my|the|this) upload|rows|columns|zip|examples|cells|spreadsheet"
    r"|duplicates)\b"
)


def about_data(text: str, raw: str, has_plan: bool, with_file: bool) -> tuple[str, dict[str, Any]] | None:
    """The wish about the data that a text holds, or None."""
    del raw
    if (
        _FIX.search(text)
        and not says_no(text, _FIX)
        and not re.search(
            r"\bgrammar|\btrain|\bteach|\bfine-?tun|\bmodel (?:that|which|to)|\bi want (?:a|to have) (?:a )?model", text
        )
    ) and not (with_file and _FIXED_BY_A_MODEL.search(text)):
        return "fix_data", {}
    looks = re.search(r"\b(?:inspect|check|look|know|see|quality|examine|review|tell me)\b", text)
    if with_file and _CHECK_ONLY.search(text) and len(text.split()) <= (18 if looks else 10):
        return "check_data", {}
    if with_file and _COMPLAINS.search(text) and not re.search(r"\btrain|\bteach|\blearn|\bclassif|\bdetect", text):
        return "check_data", {}
    if re.search(r"\b(?:enough|sufficient|needed|need|necessary|required)\b", text) and not with_file:
        return None
    if _CHECK.search(text) and not _EVALUATES_MODEL.search(text):
        wants_model = re.search(r"\b(?:train|teach|fine-?tun|build|classif)\w*|\bmodel\b", text)
        if (
            not wants_model
            or _CHECK_ONLY.search(text)
            or re.search(
                r"\bwhat is (?:wrong|the (?:matter|problem))\b|\bhow many\b|\b(?:is|are) (?:my|this|these|that|the)"
                r" (?:\w+ )?(?:data|file|table|csv|spreadsheet|zip|labels)\b",
                text,
            )
        ):
            return "check_data", {}
    del has_plan
    return None


_EVALUATES_MODEL = re.compile(
    r"\b(?:the|my|finished|trained|tuned) (?:\w+ )?(?:model|classifier|bot)\b|\brun \d+\b|\btest (?:it|the model)\b"
    r"|\bevaluate\b"
)
