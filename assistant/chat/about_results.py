"""Wishes about results: how it stands, what came out, how it gets better."""

from __future__ import annotations

import re
from typing import Any

from assistant.chat.lexicon import IMAGE
from assistant.chat.run_control import cover
from assistant.chat.words import words_of

_STATUS = re.compile(
    r"\b(?:percent\w*|%) (?:is |are |has been |of it is )?(?:done|finished|complete\w*)\b|^(?:done|finished|ready"
    r"|complete|over)(?: yet| now| already)?\b[ ?!.]*$|\bhow many (?:epochs|steps|minutes"
    r"|passes) (?:\w+ )?(?:left|remain\w*|to go|done|more|has it|is it|are done|so far)\b|\b(?:is|are|was|has|have"
    r"|did) (?:it|that|this|the (?:run|training|model|job|fine-?tuning)|run \d+|we|they|my (?:run|model|training)"
    r"|everything)(?: \w+){0,3} (?:done|finish(?:ed)?|ready|complete[d]?|over|there yet|running|going|started|stopped"
    r"|working|stuck|crashed|hanging|ended|progress\w*|alive|training|learn\w*|through)\b"
    r"|\bhow (?:is|are) (?:it|that|this|things|everything|the (?:run|training|model|job|progress|fine-?tuning"
    r"|learning)|my (?:run|model|training)|run \d+|we)(?: \w+){0,2} ?(?:going|doing|coming|looking|progress\w*"
    r"|getting|standing|moving)?\b(?! (?:good|well|accurate|reliable|sure|different|it possible|better|calculated"
    r"|computed|chosen|measured|split))"
    r"|\bhow (?:far|long (?:still|more|left|until|till|to go|is left|does it still|do i (?:still )?have to wait"
    r"|remains|now|yet)|much (?:longer|time (?:is )?(?:left|remain\w*|still|more)|is left|is done|progress))\b"
    r"|\bhow long will (?:it|that|this) still\b"
    r"|\b(?:status|progress|eta)\b|\bwhen (?:will|is|does|do|can) (?:it|that|the (?:run|training|model)|this"
    r"|we)(?: \w+){0,3} (?:done|finish\w*|ready|complete[d]?|end\w*|be over|through|expect\w*)\b|\bdone yet\b"
    r"|\bfinished yet\b|\bready yet\b|\bare we there\b|\bstill (?:running|training|going|at it|busy|learning|working"
    r"|alive)\b"
    r"|\bwhat (?:is|are) (?:it|the (?:run|training|model|machine|computer)|you) doing\b|\bwhat is happening\b"
    r"|\bwhat is going on\b|\bany (?:news|progress|update)\b|\bupdate me\b|\bgive me an update\b|\bwhere (?:are we"
    r"|does it stand|do we stand|is it (?:at|now))\b|\b(?:at )?which (?:epoch|step) (?:is|are|am)\b"
    r"|\bhow does it (?:look|stand|go)\b|\bhas it (?:finished|started|stopped|ended|crashed)\b|\bdid it (?:finish"
    r"|start|stop|crash|end)\b"
)
_STATUS_WORDS = words_of(
    """
    status epochs steps many percentage percent come progress eta done finish finished ready complete completed
    over running going started stopped working stuck crashed hanging ended alive far long much longer time left
    remaining remain remains until till doing happening news update updates check check-in stand stands epoch
    step wait waiting minutes hours percent everything tell show me coming along current currently look looking
    busy it's thats moving faster loss curve end expect soon report moment give crash crashed fail failed die died dead
    hang hangs freeze frozen freezes broken break
    """
)
_REPORT = re.compile(
    r"^(?:please )?(?:show|open|display|see)(?: me)? (?:the )?run (?:number )?#?\d+(?: please)?[.! ]*$"
    r"|\bhow (?:good|well|accurate|reliable|bad) (?:it|the model|my model|that|run \d+) (?:is|works?|does|did|was"
    r"|performs?|performed|worked|has become|got)\b|\b(?:show|see|give|open|display|view|read|tell|print|bring|get"
    r"|have|present)\b[\w ,']{0,35}\b(?:report|results?|outcome|verdict|scores?|figures|metrics|numbers"
    r"|confusion matrix|performance|evaluation|test results?|mistakes|statistics|summary of the run|learning curve)\b"
    r"|\b(?:what|how) (?:is|are|was|were|did|does|do|has|have) (?:\w+ ){0,5}(?:results?|report|verdict|outcome"
    r"|score[ds]?|performance|perform(?:s|ed|ing)?|accuracy (?:of|did|now)|get wrong|turn(?:ed)? out|come out"
    r"|came out|reach(?:ed)?|achieve[d]?)\b"
    r"|\bhow (?:good|well|accurate|reliable|bad|precise|successful) (?:is|was|did|does|has|are|were)\b|\bwhat (?:is"
    r"|was) the (?:final|test|last) (?:accuracy|f1|score|wer|result)\b"
    r"|\bhow many (?:of (?:the|them|my|these|those|all) ?)?(?:\w+ ){0,3}(?:(?:were|was|are|is|did|does|has|have|got)"
    r"(?: \w+){0,3} (?:right|correct\w*|wrong|mistaken|misclassified)|(?:did|does|has) (?:it|the model) (?:get|miss"
    r"|classify|predict|recogni[sz]e))\b"
    r"|\bhow (?:did|has) (?:it|the (?:run|training|model|last run)|run \d+|my model) (?:do|done|go|gone|fare|work)\b"
    r"|\b(?:examples?|ones|rows|cases|texts?|images?|pictures|clips|which|what) (?:\w+ ){0,4}(?:wrong|misclassified"
    r"|mistaken|mixed up)\b|\bwas it (?:any )?(?:good|success\w*|worth)\b|\bdid (?:it|the training|the run) (?:work"
    r"|learn|succeed|go well"
    r"|help)\b"
    r"|^(?:the )?(?:report|results?|verdict|final results?|test results?|scores?)(?: please| of (?:the )?(?:last "
    r"|latest )?run(?: \d+)?| for run \d+)?\??$|\b(?:report|results?|verdict) (?:of|for|from) (?:the |my )?(?:last"
    r"|latest|first|second|previous|run|training|\d)\b|\b(?:what|which) (?:test |final )?(?:accuracy|f1|score|wer|"
    r"recall|precision)\b[\w ]{0,30}\b(?:reach|get|got|achiev|have|has"
    r"|end)"
)
_IMPROVE = re.compile(
    r"\b(?:next|best|other) thing to (?:try|do)\b|\b(?:i|we) (?:had )?(?:expected|hoped for|hoped|counted on|need"
    r"|needed) (?:\w+ )?(?:more|better|higher)[.!]?$"
    r"|\b(?:i|we) (?:had )?(?:expected|hoped for) (?:\w+ )?(?:more|better|higher)\b[^?]{0,30}\b(?:how|what)\b|"
    r"\b(?:confus\w*|mix(?:es|ing)? up|wrong|mistakes?|fail(?:s|ing)?|weak|poor|bad)\b[^?]{0,60}\bwhat (?:can|could"
    r"|should"
    r"|do i|do we|now|to do)\b|\b(?:want|need|would like|should be|must be|has to be) (?:it |this |that "
    r"|them )?(?:to be )?(?:even |much "
    r"|a bit )?"
    r"(?:more (?:precise|accurate|reliable|exact|correct)|smarter)\b|\b(?:accuracy|f1|score|recall|precision) (?:is "
    r"|of "
    r"|at )*(?:only|just|merely) \d|\b(?:accuracy|recall|precision|f1|score|wer|results?)\b(?: \w+){1,5} (?:is|are"
    r"|was|were"
    r"|looks?) (?:\w+ )?(?:terrible|awful|poor|bad|low|horrible|weak|disappointing)\b|\bhow (?:can|could|might|should"
    r"|would) (?:\w+ ){1,4}be (?:improved|increased"
    r"|raised|boosted|bettered"
    r"|made (?:better|more accurate))\b|\b(?:disappointed|dissatisfied|unhappy|frustrated) (?:by|with|about|at)\b"
    r"|\bhow (?:can|could|do|should|would) (?:i|we|you|one) (?:push|raise|get|bring|drive|lift|bump|move"
    r"|pull) (?:the |my "
    r"|its |this |up )*(?:\w+ )?(?:accuracy|f1|score|result|results|quality|precision|recall|numbers|figure|wer|error"
    r"|mistakes|errors)\b|\b(?:accuracy|f1|score|result|results|quality|precision|recall|wer|loss|it)\b[^?]{0,30}\b"
    r"(?:is stuck|stuck at|stagnat\w*|plateau\w*|not (?:rise|rising|improv\w*|going up|go up|getting (?:any )?better))"
    r"|\b\d+[^?]{0,20}, (?:any )?(?:ideas?|suggestions?|tips|advice)\b"
    r"|\bhow (?:can|could|do|does|would"
    r"|will) (?:the |my |its )?(?:\w+ )?(?:accuracy|f1|score|result|results|model"
    r"|quality|precision|recall|it)"
    r" (?:go up|get (?:better|higher)|increase|improve|rise|become better)\b|\b(?:get|reach|achieve|have|obtain|want"
    r"|need|like) (?:an? |some |even |to |get )*(?:higher|better|more"
    r"|improved) (?:accuracy|score|f1|results?|quality|performance|precision|recall)\b|\b(?:make|get|making"
    r"|getting) (?:it|this|that|them|the \w+|my \w+) (?:even |any |a bit |a little |much |way )?(?:better|smarter"
    r"|more accurate|stronger)\b|\b\d+ ?%?[^.;]{0,20}\b(?:is|are|that is|seems|sounds) (?:\w+ )?(?:bad|poor|low"
    r"|not (?:good|enough|great|much)|disappointing|too little|weak)\b|\bwrong (?:too|so|very) often\b"
    r"|\boften wrong\b|\bhow (?:can|do|could|should|would|to)(?: (?:i|we|one|you))? (?:\w+ ){0,2}?(?:improv\w*"
    r"|get (?:it|this|that|them|the \w+|a|to a|more)(?: \w+)? ?(?:better|higher|right|good|accura\w*)?|make (?:it"
    r"|this|that|the \w+)(?: \w+)? (?:better|good|smarter|more accurate)|boost|rais\w*|increas\w* (?:the "
    r"|its )?(?:accuracy|score|quality|f1|performance)|do better|fix the (?:accuracy|result))\b"
    r"|\b(?:improve|boost|raise|increase|enhance|optimi[sz]e|refine) (?:it|this|that|the (?:result|results|model"
    r"|accuracy|score|quality|performance|f1|predictions|numbers)|my (?:model|result|results|score)|on (?:it|that"
    r"|this)|results?|further|the last)\b|^improve\b|\bimprovements?\b|\bnot (?:good|accurate|great"
    r"|reliable) enough\b|\bnot (?:so |really |very |that |too |quite )?(?:happy|satisfied|content|pleased|impressed"
    r"|convinced)\b[\w ]{0,12}\b(?:with|by|about)\b"
    r"|\b(?:results?|accuracy|score|model|performance|quality|it|numbers|predictions?|outcome|f1) (?:is|are|was|were"
    r"|look|looks|seems?) (?:\w+ )?(?:poor|bad|terrible|disappointing|weak|low|awful|not good|not great|horrible"
    r"|useless|mediocre|meh|too low|rubbish|unsatisf\w*|not satisf\w*|wrong too often|worse than)\b"
    r"|\btoo many (?:mistakes|errors|wrong)\b|\bmakes? (?:\w+ ){0,3}mistakes\b"
    r"|\bwhat (?:can|could|should|would|else can|shall|do) (?:i|we|you|one) (?:\w+ )?(?:do|try|change"
    r"|improve)(?: \w+)? (?:next|better|to (?:improve|get|make|raise|increase)|now|differently|about (?:it|that|this)"
    r"|against)\b|\bwhat would (?:help|improve|make it better)\b|\b(?:get|want|need|like|expected|hoped for|make"
    r"|deserve)(?: \w+){0,3} better (?:results?|model|accuracy|score|one|quality|predictions?|than (?:that|this))?\b"
    r"|\b(?:can|could) (?:it|this|that|we|you|they) (?:\w+ )?(?:do |be |get |become )?(?:any )?better\b|\bdo better\b"
    r"|\bany (?:ideas|suggestions|tips)\b[\w ]{0,30}\b(?:better|improv\w*|next)|\bhow (?:do|can|could) (?:i|we"
    r"|you) get (?:any )?(?:further"
    r"|higher|up|more out|past|beyond|above)\b|\bhow do i get (?:it|this|that) (?:up"
    r"|better|higher)\b|\bmake it (?:better|smarter)\b|\bget better\b|\btry to beat\b|\bsuggest (?:an? "
    r"|some )?(?:improvement|next|better)|\b(?:get|go|come|be|bring it|push it|reach|want|need)\w* (?:it |us "
    r"|me )?(?:above"
    r"|over|past|beyond|at least|up to|to) \d+(?:\.\d+)? ?%"
)
#: "where did it make mistakes": asks to be shown them, not to have them mended.
_WHERE_WRONG = re.compile(
    r"(?:so |and |but )?(?:where|which|on which|in which|for which|what (?:kinds? of )?(?:mistakes|errors)"
    r"|what (?:did|does) (?:it|the model))\b"
    r"(?!.*\b(?:do|done|try|change|next|help)\b)"
    r".*\b(?:mistakes?|wrong|errors|fail\w*|mixed? up|confus\w*|make)\b"
)


def about_results(text: str, raw: str, has_plan: bool, with_file: bool) -> tuple[str, dict[str, Any]] | None:
    """The wish about results that a text holds, or None."""
    del raw
    if with_file:
        return None
    if _WHERE_WRONG.match(text):
        return "report", {}
    if _IMPROVE.search(text) and not re.search(r"\b(?:train|teach) (?:a|me)\b", text):
        return "improve", {}
    if (
        _REPORT.search(text)
        and not re.search(
            r"\bwhat (?:is|are) (?:a|an|the) (?:test set|metric|baseline|confusion|learning curve|f1|score\b)"
            r"|\bmean(?:s|ing)?\b",
            text,
        )
        and not IMAGE.search(text.replace("learning curve", ""))
    ):
        return "report", {}
    if _STATUS.search(text) and cover(text, _STATUS_WORDS) >= 0.7 and not re.match(r"(?:\w+ )?why\b", text):
        return "status", {}
    del has_plan
    return None
