"""Wishes that are no plan: start, stop, status, results, data, models, help. Each has its signs.

A sign must be covered: "start the training now" is a start, "start a club for readers" is not, because too many of its
words have nothing to do with starting. `cover` is that share.
"""

from __future__ import annotations

import re
from typing import Any

from assistant.chat.lexicon import IMAGE
from assistant.chat.method import read_publish
from assistant.chat.words import negated, words_of

_FILLER = words_of(
    """
    a an the it its this that these those my your our me you i we us he she they them please now then and so
    just ok okay yes well oh hey hi hello um hmm right thanks thank can could may might will would shall should
    do does did done be is are was were have has had am to of for on in at with as by from up off out back again
    once more very really want wants like need let lets get got going go still already yet all any some same
    what how when where which who there here one thing things kindly maybe perhaps not no dear think guess too
    also even about after before if or but over down today tonight yesterday tomorrow immediately directly
    quickly first next last right away soon
    """
)  # fmt: skip
_RUN_WORDS = words_of(
    """
    run runs running training trainings train trained job jobs process experiment experiments model models fine-tuning
    finetuning fine tuning finetune fine-tune learning computer thing work works working number latest
    newest previous old second third plan
    """
)


def cover(text: str, words: frozenset[str]) -> float:
    """The share of a text's words that a wish explains."""
    tokens = re.findall(r"[a-z0-9][a-z0-9'-]*", text)
    if not tokens:
        return 0.0
    known = [token for token in tokens if token in words or token in _FILLER or token in _RUN_WORDS or token.isdigit()]
    return len(known) / len(tokens)


# ---------------------------------------------------------------- start, stop, resume, undo

_START = re.compile(
    r"\b(?:go|start\w*|run it|run that|run this|run the plan|run|begin|launch|train it|train|proceed|execute|fire"
    r"|kick|do it|do that|do so|get going|let us go|make it so|make it happen|go ahead|lgtm|approved?|confirm(?:ed)?"
    r"|agreed?"
    r"|looks? (?:good|great|fine|perfect|right)|sounds? (?:good|great|fine|perfect|right)|perfect|yes|yep|yeah|yup|ok"
    r"|okay|sure|alright|fine|of course|absolutely|definitely|ready|green light|engage|hit it|i am happy with)\b"
)
_START_WORDS = words_of(
    """
    go goes start starts started starting run begin launch proceed execute fire kick ahead lgtm approved approve
    confirm confirmed agreed agree looks look good great fine perfect right sounds sound yep yeah yup sure
    alright course absolutely definitely ready green light engage happy nice cool excellent wonderful super make
    happen waiting press button hit correct exactly everything planned carry move forward give shot such sir
    okey dokey okie dokie okidoki righto roger yessir
    love it's that's trust impatient mate buddy pal turn roll rock ball machine training whenever anytime side part
    satisfied way through throttle full steam enough talk hurry
    """
)
_STOP = re.compile(
    r"\b(?:stop|stopping|stops|cancel(?:ling)?|abort(?:ing)?|halt(?:ing)?|interrupt(?:ing)?|kill|quit|paus(?:e|ing)"
    r"|end (?:it|the|this|that|my|run \d+)|(?:be|get|it) (?:stopped|cancel+ed|aborted|halted|interrupted|paused)"
    r"|terminate"
    r"|break (?:it )?off|call it off|pull the plug|shut it down|hold (?:it|on|the (?:run|training))|give up|(?:that"
    r"|it|this) is enough|that will do)\b|^enough\b"
)
#: An order at the beginning; what follows is the reason.
_STOP_AT_ONCE = re.compile(
    r"(?:please |ok(?:ay)? |hey |no,? |oh no,? |quick,? )*(?:stop|cancel|abort|halt|kill|terminate|pause|interrupt)"
    r"(?: (?:the |this |that |my )?(?:current )?(?:run|training|job"
    r"|process)\b| (?:it|this|that|everything|now|immediately)\b)"
    r"(?: \d+)?(?: now| please| at once| immediately| right away)*(?:$|[,.;:!]| because| since| as | it | the | i )"
)
_STOP_WORDS = words_of(
    """
    stop stops stopping cancel cancels cancelling abort halt interrupt kill end quit pause pausing terminate
    break call pull plug shut hold enough takes long whole everything changed mind wrong longer need needed keep
    keeping best far state so give emergency forget early
    """
)
_RESUME = re.compile(
    r"\b(?:resume\w*|carry(?:ing)? on|continu\w*|go on|pick (?:it )?(?:up|back up)|keep going|unpause|restart\w*"
    r"|proceed (?:from|where|there|with it)|go on from|from there on"
    r"|take up|start (?:it )?again|run (?:it )?again from|where (?:it|we|i) (?:left|stopped)|go back to work|keep on"
    r"|proceed with (?:the )?(?:stopped|paused|interrupted))\b"
)
_RESUME_WORDS = words_of(
    """
    resume resuming carry continue continues continuing pick keep unpause restart take left stopped paused
    cancelled interrupted halted crashed cut broken died froze proceed epoch yesterday's where
    from point finish end complete session power reboot closed morning evening week night broke off earlier was ended
    state checkpoint
    """
)
_UNDO = re.compile(
    r"\bundo\w*|\brevert\w*|\btake (?:that|it|this|the (?:last|change)[\w ]*) back\b|\btake back\b"
    r"|\bgo back(?: to)? (?:before|one step|a step|how it was|what (?:it|we) (?:was|had)|the (?:previous|old|last"
    r"|earlier|former)\b[\w ]*)"
    r"|\b(?:back|as|like|the way|how) (?:to )?(?:how |as |what )?(?:it|they) (?:was|were)(?: before)?\b"
    r"|\bscratch that\b|\brestore\b|\bchange (?:it|that) back\b|\bput (?:it|that) back\b|\broll(?:ed)? ?back\b"
    r"|\bprevious (?:plan|version|setting|settings|one)\b"
    r"|(?<!which )\b(?:previous|old|earlier|former) (?:model|plan|one|settings?|version|value)s? (?:was"
    r"|were) (?:\w+ )?(?:fine|better|good|ok|okay|right|nicer)\b"
    r"|\b(?:cancel|reverse|discard|drop|forget|remove) (?:that|the|my|this) (?:last )?(?:change|edit|modification"
    r"|step|correction)\b|^(?:please |can you |could you |ok |no |oh |oops )*(?:go )?back(?: please"
    r"| one step)?[.! ]*$|\bi did not mean that\b|\bone step back\b|\bnever ?mind (?:that|the last"
    r"|this)(?: change)?\b"
)
_LIST = re.compile(
    r"\b(?:show|list|see|display|give|view|open|what|which|tell|print|all|overview|history)\b[\w ]{0,40}\b(?:runs"
    r"|trainings|experiments|training history|history of|jobs|models (?:i|we|have|that i|did)|trained models"
    r"|models so far)\b"
    r"|^(?:my |all |all my |the |old |past |previous )*(?:runs|trainings|experiments|run list|list of runs"
    r"|history)\??$"
    r"|\bhow many (?:models|runs|trainings|experiments) (?:have|did|do|are|were)\b"
    r"|\b(?:everything|all|anything) (?:that )?(?:i|we|you) (?:have )?(?:ever )?(?:train\w*|fine-?tun\w*)\b"
    r"|\bwhat (?:have|did) (?:i|we) (?:\w+ )?train\w*|\bwhich (?:runs|trainings|models) (?:do|have|did"
    r"|are)|\brun list\b|\blist (?:of )?(?:my |the |all )*(?:runs|trainings|jobs)"
)
#: Models that one could have, not those that one has.
_POSSIBLE = re.compile(
    r"\b(?:can|could|might|may) (?:i|we|you|one) (?:\w+ )?(?:build|train|make|do|create|use|have"
    r"|get)\b"
)
_DELETE = re.compile(
    r"\b(?:delet\w*|remov\w*|eras\w*|throw (?:away|out)|get rid of|discard\w*|drop|trash|wipe|bin"
    r"|clear)\b[\w ,']{0,40}\b(?:run|runs|training|trainings|experiment|experiments|model|models|job)\b"
    r"|\b(?:run|training|experiment) (?:number )?#?\d+\b[\w ,']{0,40}\b(?:delete|remove|removed|deleted|erase|away"
    r"|bin|throw|trash|rid of|discard\w*|wipe|can go|drop)\b|\b(?:delete|erase|remove) (?:it|that|that one"
    r"|the last one|the first one|the old one)\b$"
    r"|\b(?:not|no longer) (?:need|want) (?:the |this |that |my )?(?:\w+ )?(?:run|training|model|experiment)(?: \d+)?"
    r"(?: any ?more| any longer)\b|\baway with (?:the |my )?(?:\w+ )?(?:run|training|model)\b"
)


def run_slot(text: str) -> int | str | None:
    """The run that is meant: its number, "last", or None for the one at hand."""
    number = re.search(
        r"\b(?:run|runs|training|experiment|model|job|number|no\.?)\s*(?:number |no\.? ?|nr\.? ?)?#?\s*(\d+)\b"
        r"|#(\d+)\b",
        text,
    )
    if number:
        return int(next(group for group in number.groups() if group))
    if re.search(r"\b(?:last|latest|newest|most recent)\b", text):
        return "last"
    ordinal = re.search(
        r"\b(first|second|third|fourth|fifth|1st|2nd|3rd|4th|5th) (?:run|training|one|experiment|model)\b", text
    )
    if ordinal:
        return (
            {"fi": 1, "se": 2, "th": 3, "fo": 4, "1s": 1, "2n": 2, "3r": 3, "4t": 4, "5t": 5}[ordinal.group(1)[:2]]
            if ordinal.group(1) != "fifth"
            else 5
        )
    return None


def run_numbers(text: str) -> list[int | str]:
    """All runs that a comparison names."""
    numbers = [
        int(value)
        for value in re.findall(
            r"(?:\bruns?\b|#|\band\b|,|\bvs\.?|\bversus\b|\bto\b|\bwith\b|\bagainst\b|\bor\b|\bthan\b|\btrainings?\b"
            r"|\bmodels?\b|\bexperiments?\b)\s*(?:number |no\.? )?#?(\d+)\b",
            text,
        )
    ]
    return list(dict.fromkeys(numbers))


#: Negative words that say yes, and questions that nobody answers.
_YES_ALL_THE_SAME = re.compile(
    r"\b(?:sure |yeah |yes |ok(?:ay)? |well )?why not\b|\b(?:there is )?(?:no|without) (?:problem|objections?|doubt"
    r"|more changes|further changes|need to change anything)s?\b|\b(?:what are you|what are we) waiting for\b"
    r"|\b(?:i have )?nothing (?:else |more )?to (?:add|change)\b"
)


def is_start(text: str) -> bool:
    """A yes and nothing else; "train a model" and "train on this file" ask for a plan."""
    text = _YES_ALL_THE_SAME.sub("yes", text)
    if re.search(r"\d ?%|\b(?:run|plan) (?:number )?#?\d", text.replace("100 %", "")) and not is_resume(text):
        return False
    if re.match(r"(?:so |and |hey )?(?:is|are|was|were|has|have|did|does|do i|do we|should|must|when)\b", text):
        return False
    match = _START.search(text)
    if not match or re.search(
        r"\b(?:train|run|start|build|make|fine-?tune)\w* (?:me )?(?:an?|some|on (?:this|that|it|these|my)"
        r"|with (?:this|that"
        r"|these|my)|from|another|new)\b",
        text,
    ):
        return False
    if negated(text, match.start()) or re.search(r"\b(?:not|never|later|wait|until|unless|before you|hold on)\b", text):
        return False
    if re.search(r"\b(?:what|how|when|why|who|where|back|but|except|unless)\b", text):
        return False
    if text.endswith("?") and not re.search(r"\b(?:can|could|will|would) (?:you|we)\b", text):
        return False
    return cover(text, _START_WORDS) >= 0.99


def holds_back(text: str) -> bool:
    """ "don't start yet", "wait", "not yet": a wish that nothing happens now."""
    if re.search(r"\b(?:how|where|when|what) (?:to|do i|should i) (?:start|begin|go)\b", text) or re.match(
        r"(?:\w+ ){0,2}(?:what|how|which|where|who|why)\b", text
    ):
        return False
    if re.search(
        r"\b(?:not|never)(?: \w+){0,3} (?:start\w*|(?<!the )(?<!this )(?<!that )(?<!first )(?<!last )(?<!second )"
        r"(?<!old )(?<!my )run(?:ning)?|begin\w*|launch\w*|train\w*|go|going|execute"
        r"|proceed)\b(?! (?:from scratch|all|on|every|the whole|\d))|\b(?:start|run|begin|go) (?:it )?(?:later"
        r"|tomorrow)\b|\bbefore (?:you|we|it) (?:start|begin|run)",
        text,
    ):
        return True
    return bool(
        re.fullmatch(
            r"(?:no|nope|nah|wait|not yet|hold on|one moment|a moment|one second|later|not now|wait a (?:minute"
            r"|moment|second|bit)|hang on|no wait|no thanks?|no thank you|stop right there|let me think"
            r"|i need to think|please wait|hold your horses|just a (?:moment|minute|second|sec)|1 minutes"
            r"|0\.0\d* minutes)(?: please)?[.! ,]*(?:(?:wait|please|not yet|let me think|hold on)[.! ]*)?",
            text,
        )
    )


def trailing_start(text: str) -> bool:
    """ "…, 2 epochs and start": a yes at the end of another wish."""
    match = re.search(
        r"(?:\b(?:and|then|afterwards|after that)\b|[,.;:!])\s*(?:and )?(?:so )?(?:then )?(?:you (?:can|may) |please "
        r"|just "
        r"|let us |i (?:am|would) \w+ |we can )*(?:go|start|run it|begin|launch|train it|train|kick off|fire away"
        r"|do it|go ahead|get going|off you go|run)"
        r"(?: it| that| now| please| the training| the run| training| right away| immediately| already| then| off"
        r"| ahead| straight away| at once| directly)*[.! ]*$",
        text,
    )
    return (
        match is not None
        and not negated(text, match.end() - 3)
        and not re.search(r"\b(?:do not|not|never) (?:\w+ )?(?:start|run|begin|train|go|launch)", text)
    )


# ---------------------------------------------------------------- everything else

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
_IMPROVE = re.compile(
    r"\b(?:i|we) (?:had )?(?:expected|hoped for|hoped|counted on|need|needed) (?:\w+ )?(?:more|better|higher)[.!]?$"
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
_EXPORT = re.compile(
    r"(?<!\bmy )(?<!the )(?<!this )(?<!our )(?<!\ban )(?<!that )\b(?:export(?!ed)\w*|download(?!ed)\w*)\b|\b(?:save"
    r"|get|give|send|hand|fetch|take|convert|turn|need|want|have|pack|bundle"
    r"|store|write)\b[\w ,']{0,40}\b(?:onnx|gguf|ggml|safetensors|adapter|merged|weights|model files?"
    r"|files of the model|the (?:trained |finished |tuned |final )?model(?: (?:as|to|in|onto|on) |$| (?:file|folder"
    r"|zip))|zip)\b|\b(?:onnx|gguf|ollama|llama\.?cpp|lm ?studio)\b"
    r"|\bmerg(?:e|ing) (?:the |my |its )?(?:adapters?|lora|weights)\b|\bmerge (?:it|everything|them|all)\b"
    r"|\b(?:adapters?|lora)(?: \w+)? merged\b"
    r"|\b(?:adapter|model|merged) files?\b"
)
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
_DATA_PROBLEM = (
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
    rf"|do something about)\b[\w ,']{{0,40}}?\b{_DATA_PROBLEM}"
    r"|\bkeep (?:only )?(?:each|every|one|a single|1|the first)\b[\w ]{0,30}\b(?:once|one time|copy|of (?:each|them"
    r"|every))\b"
    r"|\bde-?dup\w*|\bde-?duplicat\w*|\b(?:fix|clean|repair|mend|tidy|correct) (?:it|that|this|them|these|those"
    r"|everything|all|(?:up )?(?:my|the|this) (?:data|file|csv|table|labels|rows|data ?set|upload))(?: up| please"
    r"| all| for me)*\b|\bclean (?:up )?(?:my|the|this) (?:data|file|table)|\b(?:yes )?fix (?:it|the data|them)\b"
)
_PREDICT = re.compile(
    r"\b(?:ask|tell|feed|give|query|prompt) (?:it|the (?:\w+ )?(?:model|bot|classifier|network)|my (?:model"
    r"|bot))\b[^:]{0,20}:|"
    r"\b(?:would|will|does|is) (?:it|the (?:\w+ )?model|my model|the bot) (?:call|classify|label|rate|see|consider"
    r"|count"
    r"|recogni[sz]e|flag|think)\b|\b(?:try|test|use|run|apply|feed|give)\b(?: \w+){0,4}? (?:on|with|to|it|this"
    r"|these)(?: \w+){0,4} ?:|\btry (?:it"
    r"|the model|that|this|run \d+|my model|our model|the (?:finished|trained|new|tuned) model)(?: out)?(?: (?:on"
    r"|with|now|please|yourself|for|myself)|$|[:!.?])|\b(?:let me|want to|like to|can i|may i|i will|how (?:can|do) i"
    r"|where can i) (?:\w+ )?(?:try|play with|test|use|talk to|chat with) (?:it|the model|my model|with it|that"
    r"|the bot|this)\b(?! on (?:this|another|the|my|a) (?:\w+ )?(?:file|data|set|csv|table))"
    r"|\bwhat (?:would|does|will|did|is) (?:it|the model|your model|my model|run \d+|she|he|the bot|your answer"
    r"|the answer) (?!mean|cost|need|take)(?:\w+ )?(?:say|predict|think|make|answer|reply|decide|guess|give|do with"
    r"|tell|call"
    r"|classify|label"
    r"|for|to|about|of)\b|\bpredict (?:this|the following|that|for|these|it)\b|\b(?:classify|label|predict|ask|guess"
    r"|judge)(?: (?:it|this|that|these|the following|one|the text|this (?:one|text|sentence|review|message|ticket)))*:"
    r"|\b(?:classify|label|predict|tag|score|rate|sort|translate|summari[sz]e|answer|guess|judge|categori[sz]e"
    r"|which class|what class|what label) (?:is |it |this |the following |that |one |text |sentence |for )+"
    r"(?:sentence|text|one|message|review|e-?mail|ticket)? ?:|\bdemo mode\b|^try it\b|\bmake a prediction\b"
    r"|\bpredictions? (?:for|on"
    r"|of) (?:this|the following|these)\b|\bhow would (?:it|the model|you) (?:classify|label|rate|tag|score|sort"
    r"|answer)\b|\bone example\b.*:|\bask it\b"
)
_EVALUATE = re.compile(
    r"\b(?:test|evaluat\w*|score|check|measure|validat\w*|try|run|benchmark|assess|apply|judge|verify|grade"
    r"|examine)\b[\w ,']{0,45}\b(?:on|with|against|using|over|by) (?:\w+ ){0,5}(?:file|data|data ?set|set|rows|table"
    r"|csv|sheet|examples|one|upload|reviews|tickets|e-?mails|messages|test set|images|photos|recordings|zip|sample)\b"
    r"|\bevaluat\w* (?:it|the (?:\w+ )?model|run \d+|the last run|my model|that|this|again|the run|the result)\b"
    r"|\bhow (?:well|good|accurate) (?:does|is|would|did|do|will) (?:\w+ ){1,4}(?:do|work|on|perform|be|cope|handle"
    r"|for|with)\b[\w ]{0,20}\b(?:file|data|set|table|csv|rows|these|those|this|that|new|other|another)\b|\b(?:and"
    r"|now|what about|also) (?:on|with) (?:this|the other|another|that|my other) (?:file|data ?set|data|set|one)\b"
    r"|\bscore (?:this|the other|another|my other|that) (?:file|data|set|table)\b"
)
_MODEL_AT_HAND = re.compile(
    r"\b(?:finished|trained|tuned|the|my|our|your|this|that|last|new|existing|final|ready"
    r"|fine-?tuned) (?:\w+ )?(?:model|run|bot|classifier|one)\b|\bit\b|\brun \d+|\blast run\b|\bthe result\b"
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


def is_undo(text: str) -> bool:
    """A wish to take the last change back."""
    return bool(_UNDO.search(text)) and not re.search(r"\bnot undo\b", text)


def is_stop(text: str) -> bool:
    """A wish that a run ends; questions about an end are none."""
    if re.search(r"\b(?:why|when|how|what|did|has)\b", text):
        return False
    match = _STOP.search(text)
    if _STOP_AT_ONCE.match(text):
        return True
    if (
        not match
        or negated(text, match.start())
        or re.search(r"\bstop(?:s|ping)? (?:early|when|once|if|as soon|it when|after \d|at \d)|early[- ]stop", text)
    ):
        return False
    return cover(text, _STOP_WORDS) >= 0.75


def is_resume(text: str) -> bool:
    """A wish to go on with a run that was stopped."""
    match = _RESUME.search(text)
    if re.match(r"(?:\w+ ){0,3}(?:why|when|how|what|did|has|is|any)\b", text) and not re.search(
        r"\bcan (?:you|we"
        r"|i)\b",
        text,
    ):
        return False
    if not match or negated(text, match.start()) or re.search(r"pre-?train|\bfrom scratch\b", text):
        return False
    if re.search(r"\bhow (?:do|can|could|should|shall) (?:i|we|you)\b", text):
        return False
    return cover(text, _RESUME_WORDS) >= 0.75


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
    of_data = re.search(_DATA_PROBLEM, text) and not re.search(r"\brun (?:number )?#?\d", text)
    if _DELETE.search(text) and not of_data and not _says_no(text, _DELETE):
        return "delete_run", slots
    for reader in (_stop_or_resume, _about_data, _about_model, _about_results):
        answer = reader(text, raw, has_plan, with_file)
        if answer and not (trying and answer[0] in ("help",)):
            return answer[0], (slots if answer[0] in _TAKES_RUN else {}) | answer[1]
    return None


_TAKES_RUN = words_of(
    """stop resume status report improve evaluate export publish delete_run predict
    """
)


def _says_no(text: str, pattern: re.Pattern[str]) -> bool:
    match = pattern.search(text)
    return match is not None and negated(text, match.start())


def _stop_or_resume(text: str, raw: str, has_plan: bool, with_file: bool) -> tuple[str, dict[str, Any]] | None:
    del raw, with_file, has_plan
    if is_resume(text) and not (is_stop(text) and not re.search(r"\bresume|carry|continu", text)):
        return "resume", {}
    if is_stop(text):
        return "stop", {}
    if (
        _LIST.search(text)
        and not _POSSIBLE.search(text)
        and cover(
            text,
            words_of(
                "show list see display view open overview history past results give tell print runs everything "
                "anything together ever"
            ),
        )
        >= 0.7
    ):
        return "list_runs", {}
    return None


_CHECK_ONLY = re.compile(
    r"\b(?:not|never|without|no|nothing) (?:\w+ ){0,2}?train\w*|\bnot train\b|\bbefore (?:we|you|i|any) train"
    r"|\bbefore training\b"
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


def _about_data(text: str, raw: str, has_plan: bool, with_file: bool) -> tuple[str, dict[str, Any]] | None:
    del raw
    if (
        _FIX.search(text)
        and not _says_no(text, _FIX)
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


def quoted(raw: str) -> str | None:
    """What a person put in quotes or after a colon, as typed."""
    match = re.search(r"[\"“”„«]([^\"“”„»]{2,})[\"“”»]", raw) or re.search(
        r"(?:^|[\s:(])['‘]([^\n]{2,}?)['’](?=$|[\s.,!?)])", raw
    )
    if match:
        return match.group(1).strip()
    after = re.search(r":\s+(\S[\s\S]*)$", raw)
    return after.group(1).strip() if after else None


def what_to_try(raw: str) -> str | None:
    """The text that a model is to be tried on, as typed: in quotes, after a colon, or at the end."""
    return quoted(raw) or _after_predict(raw)


_LEARNS = re.compile(
    r"\b(?:train(?!ed\b)|teach|fine-?tun|classif(?:y|ies|ied|ying|ication)|predict the|sentiment of"
    r"|when (?:it is )?(?:done"
    r"|ready|finished)|afterwards"
    r"|positive or|learn)\w*"
)
_ASKS_ABOUT = re.compile(r"\bwhat (?:is|are|does)\b|\bexplain\b")
_OTHER_FORMAT = re.compile(r"\b(?:onnx|gguf|ggml|ollama|llama\.?cpp|lm ?studio)\b")
_TRY_SETTING = re.compile(
    r"\b(?:try|use|take) (?:it )?(?:with|on) (?:a |an |the )?(?:\w+ )?(?:model|epochs?|gpus?|learning rate|method|lora"
    r"|full|batch|bigger|smaller|larger|layers)\b"
)
_MADE_BEFORE = re.compile(
    r"\b(?:with|by|using|of|is|does|how|apply|run|use|test|on|against|let)\b[\w ]{0,20}\b(?:the|my|our|your|finished"
    r"|trained|tuned|last|existing|new) (?!(?:base|pre-?trained|language|small|large|big|tiny|multilingual|starting) )"
    r"(?:\w+ )?(?:model|classifier|bot|run)\b|\brun \d+\b"
)


#: A file and a model that is there already: "measure the model from yesterday against these".
_MEASURED = re.compile(
    r"\b(?:measure|score|grade|judge|check|assess|evaluate|validate|benchmark|rate|test|try|examine|verify)\b (?:out )?"
    r"(?:the|my|our|your|that|this|yesterday's|last (?:week's|night's)) (?!(?:base|language|small|large|big) )(?:\w+ )?"
    r"(?:model|classifier|bot|run|network)\b"
)


def _about_model(text: str, raw: str, has_plan: bool, with_file: bool) -> tuple[str, dict[str, Any]] | None:
    """Publish, export, try or score a finished model."""
    wants, repo, kind = read_publish(text)
    if wants and not with_file and not _LEARNS.search(text):
        return "publish", {"repo": repo, "kind": kind}
    if _exports_plainly(text, with_file):
        return "export", {"format": export_format(text)}
    tried = _tries(text, raw) if not with_file else None
    if tried is not None:
        return tried
    if _evaluates(text, has_plan, with_file):
        return "evaluate", {}
    return ("export", {"format": export_format(text)}) if _exports(text, with_file) else None


def _exports_plainly(text: str, with_file: bool) -> bool:
    if _LEARNS.search(text) or _ASKS_ABOUT.search(text):
        return False
    imperative = re.search(r"\b(?:export|download) (?:it|the|this|that|my)\b", text)
    return bool(_OTHER_FORMAT.search(text) or (imperative and not with_file))


def _tries(text: str, raw: str) -> tuple[str, dict[str, Any]] | None:
    given = quoted(raw)
    if _PREDICT.search(text) and not _TRY_SETTING.search(text):
        return "predict", {"input": given or _after_predict(raw)}
    in_quotes = given is not None and not re.search(r":\s+\S[^\"']*$", raw)
    if given and in_quotes and _asks_for_its_class(text, given):
        return "predict", {"input": given}
    verbs = r"try|test|predict|what about|and|how about|this|(?:check|label|sort|rate) (?:this|that|the following)" + (
        r"|classify|check|label|sort|rate" if in_quotes else ""
    )
    if given and re.match(rf"^\W*(?:{verbs})\b", text) and len(text.split()) < 60:
        return "predict", {"input": given}
    return None


def _asks_for_its_class(text: str, given: str) -> bool:
    """ "is this one positive: 'best purchase'?": a quoted sentence, and a question which class it has."""
    if len(given.split()) < 2 or _LEARNS.search(re.sub(r"\bpositive or\b", "", text)) or "mean" in text:
        return False
    rest = text.replace(given.casefold(), " ")
    asks = r"\b(?:is|would|what|which|how) (?:\w+ ){0,3}(?:this|it|that|class|label|one|sentence|text)\b"
    return len(rest.split()) <= 12 and bool(re.search(asks, rest))


def _evaluates(text: str, has_plan: bool, with_file: bool) -> bool:
    if with_file and re.match(r"(?:please |now |and |then )*(?:evaluate|benchmark)\b", text):
        return True
    makes = re.search(r"\b(?:train|teach|fine-?tune|build|make|create|want|need)\b", text)
    if with_file and not makes and (_MADE_BEFORE.search(text) or _MEASURED.search(text)):
        return True
    match = _EVALUATE.search(text)
    if not match or not _MODEL_AT_HAND.search(text) or negated(text, match.start()):
        return False
    if re.search(r"\b(?:train|teach|fine-?tune)\b", text):
        return False
    return with_file or not has_plan or bool(re.search(r"\bfinished|trained|run \d|the model|last run\b", text))


def _exports(text: str, with_file: bool) -> bool:
    match = _EXPORT.search(text)
    if not match or negated(text, match.start()) or _ASKS_ABOUT.search(text):
        return False
    if re.search(r"\b(?:train|teach|fine-?tune)\b", text):
        return False
    return not with_file or bool(re.match(r"(?:please |can you |could you )*(?:export|download|convert|save)\b", text))


def _after_predict(raw: str) -> str | None:
    match = re.search(
        r"\b(?:try it (?:out )?(?:on|with)|predict (?:this|the following|for)|ask it|feed it|give it|test it (?:on"
        r"|with)|say (?:about|to|for|of)|think (?:of|about)|make of)\b[:,]?\s+(.{3,})$",
        raw,
        re.IGNORECASE | re.DOTALL,
    )
    rest = match.group(1).strip() if match else ""
    return (
        rest
        if len(rest.split()) >= 3
        and not re.match(
            r"(?:my|some|a few|an?|the|this|these|another|other|one)\b(?: \w+){0,3}[.!?]?$", rest, re.IGNORECASE
        )
        else None
    )


def publish_kind(text: str) -> str:
    """ "space" for a page where the model can be tried, "model" for its files."""
    shown = r"\b(?:demo|\w*page|space|website|web ?site|web ?app|link|browser|click|try|play|gradio|app)\b"
    return "space" if re.search(shown, text) else "model"


def export_format(text: str) -> str | None:
    """The form that the words ask for."""
    for name, pattern in (
        ("gguf", r"gguf|ggml|ollama|llama\.?cpp|lm ?studio"),
        ("onnx", r"onnx"),
        ("merged", r"merg\w*|one (?:single )?model|single (?:model|file)|whole model|full model"),
        ("adapter", r"adapters?|lora (?:weights|file|only)|only the lora"),
    ):
        if re.search(rf"\b(?:{pattern})\b", text):
            return name
    return None


#: "where did it make mistakes": asks to be shown them, not to have them mended.
_WHERE_WRONG = re.compile(
    r"(?:so |and |but )?(?:where|which|on which|in which|for which|what (?:kinds? of )?(?:mistakes|errors)"
    r"|what (?:did|does) (?:it|the model))\b"
    r"(?!.*\b(?:do|done|try|change|next|help)\b)"
    r".*\b(?:mistakes?|wrong|errors|fail\w*|mixed? up|confus\w*|make)\b"
)


def _about_results(text: str, raw: str, has_plan: bool, with_file: bool) -> tuple[str, dict[str, Any]] | None:
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
