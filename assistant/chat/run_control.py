"""Wishes about runs: start, stop, resume, undo, list, and which run is meant.

A sign must be covered: "start the training now" is a start, "start a club for readers" is not, because too many of its
words have nothing to do with starting. `cover` is that share.
"""

from __future__ import annotations

import re
from typing import Any

from assistant.chat.words import negated, words_of

_FILLER = words_of(
    """
    a an the it its this that these those my your our me you i we us he she they them please now then and so
    just ok okay yes well oh hey hi hello um hmm right thanks thank can could may might will would shall should
    do does did done be is are was were have has had am to of for on in at with as by from up off out back again
    once more very really want wants like need let lets get got going go still already yet all any some same
    what how when where which who there here one thing things kindly maybe perhaps not no dear think guess too
    also even about after before if or but over down today tonight yesterday tomorrow immediately directly
    quickly first next last right away soon kind enough mind
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
    r"|not (?:want|wish|let|like) (?:the |this |that |my )?(?:training|run|it|job)(?: to)? (?:go(?:es|ing)? on"
    r"|continue|run|keep"
    r"|carry on)[^.;]{0,20}(?:any )?(?:longer|more|further)"
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
    if re.search(r"\b(?:go on|continue|carry on|run|running) (?:for )?(?:any ?(?:longer|more|further)|longer)\b", text):
        return False  # what should not go on has begun
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


def says_no(text: str, pattern: re.Pattern[str]) -> bool:
    """Whether a sign's match stands under a negation."""
    match = pattern.search(text)
    return match is not None and negated(text, match.start())


def stop_or_resume(text: str, raw: str, has_plan: bool, with_file: bool) -> tuple[str, dict[str, Any]] | None:
    """The wish about runs that a text holds, or None."""
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
