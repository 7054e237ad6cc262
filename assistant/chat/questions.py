"""Questions that want an explanation: terms, choices in the plan, numbers, whether fine-tuning is the right tool."""

from __future__ import annotations

import re
from typing import Any

from assistant.chat.explain import find_topic, is_name, is_term, topic_said
from assistant.chat.words import common_words

_ASKS = re.compile(
    r"^(?:(?:(?:my|our|the|a) \w+ (?:keeps asking|asks?|asked|wonders|wants to know)(?: me| us)?|remind me|tell me"
    r"|i forgot|i (?:wonder"
    r"|am wondering"
    r"|was wondering|ask myself|would like to know|want to know|need to know)|do you know|curious|and|but|so|ok|okay"
    r"|hm+|wait|sorry|please|hi|hello|hey|um|quick question|question|well|also|by the way"
    r"|can you|could you|would you|i (?:do not|don't) (?:understand|get)|just)[,: ]+)*"
    r"(?:please )?(?:what(?: is|'s| are| does| do| did| was| were| would| happens?| exactly| kind of| about"
    r"| difference| the)?|why|how (?:come|does|do|is|are|much|many|long|big|large|often|high|low|can|should|would"
    r"|expensive|fast|slow|did)|explain|define|describe|tell me (?:about|what|why|how|more)|meaning of"
    r"|is|are|do (?:i|we|you)|does|should (?:i|we"
    r"|it)|would|when (?:should|do|is)|which (?:is|one|method|model|metric|should|would)|can (?:not )?(?:i|it|a|the"
    r"|this)"
    r"|could (?:i|it)|will (?:it|this|that|the|my)|who|where|difference|teach me (?:about|what)|help me understand"
    r"|i (?:do not"
    r"|don't) (?:understand|know what|get)"
    r"|not sure what|no idea what|never heard of|confused about|remind me what|lora\?|in plain|what's)\b"
)
_TERM = re.compile(
    r"\b(?:what (?:is|are|was|were|does|do|exactly is|about|the hell is|on earth is)|explain(?: to me| me)?|define"
    r"|describe|meaning of|tell me (?:more )?about|what is meant by|help me understand|do not (?:understand|know"
    r"|get)(?: what)?|never heard of|confused about|remind me what|how does|how (?:do|should|can) i (?:read|interpret"
    r"|understand|use|choose|set|pick)|how do(?! i\b)|teach me about|not sure what"
    r"|know what|what does|what do you mean by|what is the point of|what is the (?:idea|purpose|role) (?:of|behind))\s+"
    r"(?:it mean (?:to |when |if |by )?|is |are |does |do |the term |the word |a |an |the |this |that |these |those "
    r"|your |my |exactly |mean by "
    r"|meant by |by |of |so-called |about )*(.+?)(?: (?:mean(?:s|ing)?(?: here| exactly)?|stand(?:s)? for|is|are"
    r"|do(?:es)?|work(?:s)?(?: exactly)?|again|for|good for|in (?:simple|plain|easy) (?:words|terms|english|language)"
    r"|exactly|actually|about|called|tells? (?:me|us)(?: about \w+)?|measures?|in this context|for beginners"
    r"|like i am \w+|please|here|to me|in my plan"
    r"|in general))*[?.! ]*$"
)
_DIFFERENCE = re.compile(
    r"\b(?:difference|differ|distinction|versus|vs\.?|compared (?:to|with)|rather than|instead of|better than|or)\b"
)
_PAIR = re.compile(
    r"(?:difference|distinction|differences) (?:between|of) (.+?) (?:and|vs\.?|versus) (.+?)[?.! ]*$|\b(?:is"
    r"|are) (.+?) (?:better|worse|cheaper|faster|more "
    r"\w+) than (.+?)[?.! ]*$|(?:how (?:does|do|is|are)|what makes) (.+?) (?:differ|different) from (.+?)[?.! ]*$"
    r"|^(?:what is )?(?:better"
    r"|best)?[:,]? ?(.+?) (?:vs\.?|versus|or) (.+?)(?: which is better| what is better)?\?*$|(?:should i (?:use|take"
    r"|choose|pick)|which is better,?|what is better,?|when (?:do i|should i) use) (.+?) (?:or|vs\.?|versus"
    r"|instead of|rather than|over) (.+?)[?.! ]*$"
)
_WHY = re.compile(
    r"^(?:\w+[, ]+){0,3}?why\b|\band why\b|\bhow come\b|\bwhat (?:is|was) the reason\b|\bwhat made you\b"
    r"|\bfor what reason\b"
    r"|\bexplain (?:your|the|this|that|me the|me your) (?:plan|choices?|decision|proposal|settings?|reasons?"
    r"|reasoning)\b|^explain(?: (?:it|that|this|everything|please|it please))?[.! ]*$|\breasons? (?:for|behind)\b"
    r"|\bhow did you (?:choose|pick"
    r"|decide|come up|select|arrive)\b|\bjustify\b|\bwhat speaks (?:for|against)\b"
)
_ENOUGH = re.compile(
    r"\b(?:is|are|would|will|do|does) (?:my |the |these |only |about |just )*(\d+)?(?: ?(?:labelled|labeled"
    r"|good))? ?(?:rows?|examples?|samples?|data|texts?|reviews|images|pictures|photos|sentences|messages|e-?mails"
    r"|tickets|recordings|clips|documents|lines|per class|minutes|pairs|chats|files?|that|it"
    r"|this)?\b[\w ]{0,30}\b(?:enough|sufficient|too (?:few|little|small|many|much)|suffice)\b"
    r"|\bhow (?:much|many) (?:\w+ ){0,4}(?:data|rows|examples|samples|texts|labels|images|pictures|photos|recordings"
    r"|hours|minutes|reviews|messages|sentences|lines|pairs)?\b[\w ]{0,25}\b(?:do|does|did|can|would|should|must|is"
    r"|are|will) (?:i"
    r"|we|it|you|one|the model)?\s?(?:\w+ ){0,2}(?:need\w*|necessary|required|enough|collect|label|provide)\b"
    r"|\bdo (?:i|we) (?:really )?need (?:at least |more than |over )?\d+ \w+|\b(?:would|will|do|does"
    r"|can) (?:\w+ ){0,2}\d+ \w+[\w ]{0,30}\b(?:do|suffice|be (?:ok(?:ay)?|enough|fine"
    r"|sufficient))[ ?.!]*$|\bis (?:it|this|that) (?:possible"
    r"|feasible|doable|enough) with (?:only |just )?(\d+)\b|\b(?:minimum"
    r"|least) (?:number|amount) of (?:rows|examples|data|samples)|\bcan (?:i|you|it|we) (?:train|learn"
    r"|do (?:it|this|that)|work) (?:\w+ )?with (?:only |just )?(\d+)\b|\bi (?:only |just )?have (?:only "
    r"|just )?(\d+) (?:\w+,? ){0,3}(?:is|are|will|would|does|do|can)"
    r" (?:that|it|this|they|we) (?:\w+ )?(?:enough|ok|sufficient|work|do|possible)"
    r"|\b(\d+) (?:rows|examples|texts|images|samples)(?: \w+){0,3}\??,? (?:is|are) (?:that|it|this|they) (?:enough|ok"
    r"|too few)|\bdo i have enough\b|\benough (?:data|rows|examples)\b"
)
_RIGHT_TOOL = re.compile(
    r"\b(?:can|could|should|why) (?:i|we|one|not)(?: \w+){0,3} (?:use|ask|take|prompt|do it with) (?:just "
    r"|simply )?(?:chatgpt|chat gpt|gpt-?\d?|claude|gemini|copilot|a prompt|prompting|a rule|rules|regex|keywords"
    r"|excel)\b|\b(?:should|must|do|does|would|need|have to|worth|sense|better)\b[\w ,']{0,40}\b(?:fine-?tun\w*"
    r"|train(?:ing)?(?: a model)?|own model)\b[\w ,']{0,60}(?:\?|$|\bfor (?:this|that|it)|\bor\b|\bat all|\beven)"
    r"|\bis (?:fine-?tuning|training|this|it) (?:\w+ ){0,3}(?:right|worth|necessary|needed|overkill|sensible"
    r"|good idea|make sense|the way to go|a good idea|smart|the answer|the right (?:tool|thing|way|approach))\b"
    r"|\bdo i (?:really "
    r"|even )?need (?:to )?(?:fine-?tun\w*|train|a model|an? own model|this)\b|\b(?:fine-?tuning|training) (?:or"
    r"|vs\.?|versus|instead of|rather than) (?:rag|a prompt|prompting|prompt\w*|search|retrieval|rules|chatgpt)"
    r"|\b(?:rag|prompting|a prompt|chatgpt|gpt-?4|rules|regex|keyword search) (?:\w+ ){0,4}(?:or|vs|versus|instead"
    r"|rather|be enough|better|not enough|suffice|do the job)\b|\bwhy not (?:just )?(?:use|ask) (?:chatgpt|gpt"
    r"|a prompt|a rule|rules|claude|gemini|search)\b|\b(?:ask|asks|asking|answer|answers) questions? (?:about|on|from"
    r"|to) (?:one|1|a|a single|my|this|some|our|two|three|2|3|the)(?: \w+)? (?:pdf|document|book|manual|contract|page"
    r"|handbook|website|wiki|documents)s?\b|\bwhen (?:should i|is it worth|does it make sense to) fine-?tun\w*"
    r"|\bknows? (?:[\w']+ ){0,4}(?:contents?|facts|everything|what is)\b[^?]{0,60}\b(?:pdfs?|manuals?|documents?|files"
    r"|handbooks?|wiki|website)\b[^?]*\?"
    r"|\b(?:newest|latest|current|up[- ]to[- ]date|today's|daily) (?:\w+ ){0,2}(?:numbers|data|prices|stocks?|facts"
    r"|news"
    r"|information|figures)\b[^?]*\?"
    r"|\b(?:documents?|files|facts|pages|rules|prices|manuals?|texts|data|information)\b[\w ]{0,25}\bchang\w*\b"
    r"[^?]{0,60}\b(?:ask|answer|question|fine-?tun|train)\w*"
    r"|\bdoes (?:fine-?tuning|it|this|that) make sense\b"
    r"|\bprompt\w*\b[^.;]{0,60}\b(?:instead of|rather than|over|or) (?:fine-?tuning|training)\b"
)
_COST = re.compile(
    r"\bhow (?:long|much time) (?:does|will|would|is|do|should|might|can|could)(?: \w+){0,4} (?:take|need|last"
    r"|require|run|train\w*|be)\b|\bhow (?:expensive|much (?:does|will|would|is) (?:it|this|that|the (?:run"
    r"|training)) cost)\b|\bwhat (?:does|will|would) (?:it|this|that|the (?:run|training)) cost\b"
    r"|\bhow much (?:memory|ram|gpu|vram|disk|space)\b|\bdo (?:i|we) need (?:a |an |any )?(?:gpu|graphics card"
    r"|expensive|big computer|fast computer|powerful)\b|\bcan (?:i|it|this|my) (?:\w+ ){0,4}(?:without|on) (?:a |an "
    r"|my )?(?:gpu|cpu|laptop|computer|old)\b|\bwill (?:it|that|this) (?:run|fit|work) (?:on|in|into|with|without)\b"
    r"|\b(?:is|are) (?:it|this|that|the) (?:\w+ )?too (?:big|large|heavy|slow|much) for (?:my|our|an?|this|the)\b"
    r"|\bdoes it fit\b|\bwhat (?:hardware|computer|machine) (?:do|does|is)\b"
)
_RUN_NUMBERS = re.compile(
    r"\bbeats?(?:en)? (?:the |a )?(?:baselines?|guess\w*|chance)\b|\bbetter than (?:guess\w*|chance|random|a coin"
    r"|the baselines?|nothing)\b"
    r"|\bwhich (?:class(?:es)?|labels?|category|categories|department|topic|one)\b[\w ]{0,25}\b(?:worst|best|hardest"
    r"|easiest|confus\w*"
    r"|weak\w*|mixed up|wrong|poor\w*|problem\w*|difficult)\b|\b(?:worst|weakest|hardest|best) (?:class|label"
    r"|category)\b|\b(?:is|are|was) (?:an? |the |my )?(?:\w+ )?(?:accuracy|f1|wer|loss|score|precision|recall|rouge"
    r"|bleu|perplexity)"
    r"(?: score)?(?: of| at)? (\d+(?:\.\d+)?)(?: ?%)? (?:\w+ ){0,2}(?:good|bad|ok|okay|enough|high|low|great|normal"
    r"|poor|acceptable|reasonable)\b|\bis (\d+(?:\.\d+)?) ?%(?: \w+){0,2} (?:good|bad|ok|okay|enough|a lot|high|low"
    r"|great|normal|poor"
    r"|reasonable)\b|\bis (?:that|it|this|the (?:result|accuracy|score|model)) (?:a )?(?:good|any good|bad|ok|okay"
    r"|reliable|trustworthy|significant|normal|chance|luck|real|better than)\b"
    r"|\bwas (?:\d+ |the |that )?(?:epochs?|rows|data|training|time|it)(?: \w+){0,2} (?:enough|too (?:much|many|few"
    r"|little|long|short)|overfit\w*)\b|\b(?:did|does|has|is) it (?:\w+ )?overfit\w*|\bwhy did (?:it|the (?:run"
    r"|training)) (?:stop|fail|crash|end|get|take|predict|choose|not)\b|\bwhat (?:went wrong|did it confuse"
    r"|does it confuse|does it get wrong|are its mistakes|mistakes)\b|\bcan i trust (?:it|this|that|the)\b"
    r"|\bhow (?:sure|certain|confident|trustworthy|significant) (?:is|are|can|am)\b|\bwhat does (?:the |this "
    r"|my )?(?:verdict|result|report|interval|curve|number|matrix|figure)\b"
)
_CHOICE: tuple[tuple[str, str], ...] = (
    ("base_model", r"model|bert|minilm|base|network|this one|distilbert|roberta|architecture|qwen|llama|whisper"),
    ("method.name", r"method|last layer|head|lora|full|freez\w*|frozen|unfreez\w*|layers?"),
    ("training.learning_rate", r"learning rate|lr\b|step size"),
    ("training.epochs", r"epochs?|passes|\d+ rounds|train(?:ing)? (?:so )?(?:long|short)"),
    ("training.batch_size", r"batch(?: size)?"),
    ("training.max_length", r"max(?:imum)? length|tokens|\blength\b|cut|truncat\w*"),
    (
        "evaluation.test_fraction",
        r"test (?:set|rows|share|part|fraction|data)|held out|hold out|\d+ ?% |set aside|keep back",
    ),
    ("evaluation.metric", r"metric|f1|accuracy|measure|judge"),
    ("data.columns", r"columns?|label column|text column"),
    ("problem", r"classes|regression|several labels|multi|single label|number"),
    ("training.early_stopping", r"early stopping|stop early|patience"),
    ("training.max_minutes", r"minutes|time limit|long"),
    ("task", r"task|classification|kind of"),
    ("compute.target", r"local|cloud|machine|gpu|computer|cpu"),
)


#: Which part of a picture an answer rests on; no wish for boxes around things.
_LOOKED = re.compile(
    r"\b(?:where|what|which part\w*)\b[\w ]{0,12}\b(?:model|it|network|ai)\b(?: \w+)? look(?:s|ed|ing)?(?: at)?[ ?.!]*$"
    r"|\bgrad-?(?: )?cam\b|\b(?:saliency|attention|heat) ?maps?\b|\battention rollout\b"
)


def asks_how_much(text: str) -> bool:
    """ "how much data do you need from me": a question about rows, not about the assistant."""
    return bool(_ENOUGH.search(text)) and not _OTHER_AMOUNT.search(text)


def read_definition(text: str, raw: str) -> tuple[str, dict[str, Any]] | None:
    """Questions that can be nothing else: "what is X", "what does X mean", "X or Y", with terms of the field."""
    if _LOOKED.search(text):
        return "explain", {"topic": "where-it-looked"}
    pair = _pair(text)
    if pair and (_is_question(text, raw) or re.search(r"\b(?:vs\.?|versus|difference)\b", text)):
        return "explain", {"topic": pair[0], "other": pair[1]}
    if raw.strip().endswith("?") and len(text.split()) <= 3 and is_name(text):
        return "explain", {"topic": str(topic_said(text))}
    if not _is_question(text, raw):
        return None
    match = re.search(r"\bwhat (?:does|do) (?:an? |the )?(.+?) mean\b", text) or _TERM.search(text)
    topic = topic_said(match.group(1).strip(" ?.!'\"")) if match else None
    if topic and match and len(match.group(1).split()) <= 5:
        return "explain", {"topic": topic}
    return None


#: "Can you train a model?" is a polite order.
_ORDERS = re.compile(
    r"(?:ok |and |so |hi |hello |please )*(?:can|could|would|will) (?:you|we) (?:please |maybe |also )?(?:fine-?tune"
    r"|train|build"
    r"|make|create|teach|develop)\b"
)
#: "I only have 30 pictures, does that work": a question without its mark.
_ASKS_AT_THE_END = re.compile(
    r"\b(?:does|is|will|would|are|can) (?:that|it|this|they|we) (?:\w+ ){0,2}(?:work|do|enough|ok(?:ay)?|sufficient"
    r"|possible|problem|issue|bad|harmful|normal|fine|good|harm|matter)[ ?.]*$"
)
#: Where the data go, and who sees them.
_PRIVACY = re.compile(
    r"\b(?:is|are|does|do|will|where|who|how)\b[\w ]{0,25}\bmy (?:\w+ )?(?:data|files?|texts?|recordings|pictures"
    r"|uploads?)\b"
    r"[\w ]{0,20}\b(?:safe|private|secure|shared|stored?|saved|upload(?:ed)?|sent|leave|local|deleted|go|seen?|kept)\b"
    r"|\b(?:do|does|will|would|can) (?:you|it|this|anyone|anybody|someone|others?)\b[\w ]{0,20}\b(?:send|upload|share"
    r"|store"
    r"|keep|see|leak|steal|read) (?:\w+ ){0,2}(?:my|our) (?:\w+ )?(?:data|files?|texts?)\b"
    r"|\bwho (?:can |will )?sees? my\b|\bwhere (?:is|are|does|do) my (?:data|files?)\b"
)


#: What overfitting looks like: one curve goes down while the other goes up.
_OVERFITS = re.compile(
    r"\btrain\w* (?:loss|error|accuracy)\b.{0,60}\b(?:val\w*|eval\w*|test|dev|held[- ]out) (?:loss|error|accuracy|set"
    r"|rows)?"
    r".{0,30}\b(?:up|rises?|rising|climb\w*|grow\w*|increas\w*|worse|higher|stays?|stuck|not|falls?|drops?)\b"
    r"|\b(?:perfect|great|good|100 ?%|99 ?%|well) on (?:the )?train\w*\b.{0,40}\b(?:bad|poor|worse|terrible|weak"
    r"|fails?)\b"
)
#: Classes of very different sizes, however it is said.
_UNEVEN = re.compile(
    r"\b\d+ (?:\w+ ){0,4}(?:one|the first|1) (?:class|label|kind|category)\b[\w ,]{0,12} (?:and|but)(?: only"
    r"| just)? \d+ (?:\w+ )?"
    r"(?:of|in|for) the (?:other|second)\b|"
    r"\b(?:un(?:even|balanced|equal)|imbalanced?|skewed|lopsided|one-sided)\b"
    r"|\b(?:one|some|most|the other|another) (?:class|label|category)(?:es|s)? (?:is|are|has|have) (?:\w+ ){0,2}(?:more"
    r"|rarer?|fewer|bigger|smaller|less)\b"
)


def read_question(text: str, raw: str, *, has_plan: bool, with_file: bool) -> tuple[str, dict[str, Any]] | None:
    """("explain", slots) when the message wants an explanation, else None. `topic` is a page's name or a plan path."""
    if _OVERFITS.search(text) or (has_plan and _BETTER_CHOICE.search(text)):
        return "explain", {"topic": "overfitting" if _OVERFITS.search(text) else "base_model"}
    asks = _is_question(text, raw) or bool(_ASKS_AT_THE_END.search(text))
    if not asks or _asks_for_a_change(text, has_plan) or _ORDERS.match(text):
        return None
    plain = _plain_topic(text)
    if plain is not None:
        return "explain", {"topic": plain}
    enough = _ENOUGH.search(text)
    if enough and not _OTHER_AMOUNT.search(text):
        rows = next((int(group) for group in enough.groups() if group), None) or _first_number(text)
        return "explain", {"topic": "how much data", "rows": rows}
    if with_file:
        return None
    if _RUN_NUMBERS.search(text) or (enough and "epoch" in text):
        return "explain", {"topic": _number_topic(text)}
    if _COST.search(text):
        memory = re.search(r"memory|ram|vram|fit|gpu|hardware|computer|laptop|machine", text)
        time = re.search(r"how long|cost|expensive", text)
        return "explain", {"topic": "gpu memory" if memory and not time else "time estimate"}
    if _WHY.search(text):
        about_plan = has_plan and (
            re.search(r"\b(?:you|your|this|that|so|plan|chosen|did|not)\b", text) or not find_topic(_stripped(text))
        )
        if not about_plan and is_term(text):
            return "explain", {"topic": find_topic(_stripped(text)) or find_topic(text) or "plan"}
        return "explain", {"topic": _choice(text) or find_topic(_stripped(text)) or "plan"}
    return _term(text, has_plan)


def _plain_topic(text: str) -> str | None:
    """The topic of a question whose words can mean nothing else."""
    if re.search(r"\bneed (?:\w+ )?(?:gpu|graphics card|video card)\b", text):
        return "gpu"
    if _RIGHT_TOOL.search(text) and not re.match(r"how (?:do|can|would|should|could) (?:i|we) (?!know)", text):
        return "is fine-tuning right"
    return "imbalance" if _UNEVEN.search(text) else "privacy" if _PRIVACY.search(text) else None


#: "would roberta have been a better choice?" asks for no change.
_BETTER_CHOICE = re.compile(
    r"^(?:and |so |but )?(?:would|is|was|were|might) .{2,40} (?:have been|be|been) (?:a |the |any )?(?:better|worse"
    r"|wiser"
    r"|smarter)(?: \w+)?\?$"
)


def _asks_for_a_change(text: str, has_plan: bool) -> bool:
    """ "Could you do three times as many epochs?" is a polite order."""
    polite = re.match(r"(?:ok |okay |and |please )*(?:can|could|would|will) (?:you|we)\b", text)
    return bool(
        has_plan
        and polite
        and re.search(r"\d|\b(?:more|fewer|less|twice|double|half|use|take|set|make|change)\b", text)
    )


def _is_question(text: str, raw: str) -> bool:
    return bool(_ASKS.search(text)) or raw.strip().endswith("?")


_OTHER_AMOUNT = re.compile(
    r"\b(?:epochs?|passes|learning rate|batch|gpus?|memory|layers?|rank|tokens|test rows|minutes of)\b"
)


def _first_number(text: str) -> int | None:
    match = re.search(r"\b(\d{1,9})\b", text)
    return int(match.group(1)) if match else None


def _number_topic(text: str) -> str:
    named = re.match(r"(?:\w+ )?(?:is|are|was) (?:an? |the |my )?(?:\w+ )?(loss|wer|rouge|bleu|perplexity|f1)\b", text)
    if named:
        return find_topic(named[1]) or named[1]
    if re.search(r"\bstop|crash|fail|end\b", text) and "why" in text:
        return "why it ended"
    if re.search(r"\bworst|weakest|hardest|confus|mistake|wrong|mixed|best|easiest|difficult|problem", text):
        return "worst class"
    if re.search(r"\bepoch|overfit|too long|long enough", text):
        return "enough epochs"
    return "is it good"


def _pair(text: str) -> tuple[str, str] | None:
    if not _DIFFERENCE.search(text):
        return None
    match = _PAIR.search(text)
    if not match:
        return None
    sides = [group.strip(" ,") for group in match.groups() if group]
    sides = [
        side.rpartition(",")[2].strip() if place == 0 else side.partition(",")[0] for place, side in enumerate(sides)
    ]
    topics = [find_topic(side) for side in sides[:2]]
    if len(topics) == 2 and all(topics) and topics[0] != topics[1]:
        return str(topics[0]), str(topics[1])
    if len(topics) == 2 and any(topics) and re.search(r"difference|differ", text):
        return str(topics[0] or topics[1]), sides[1] if topics[0] else sides[0]
    return None


def _choice(text: str) -> str | None:
    for path, pattern in _CHOICE:
        if re.search(rf"\b(?:{pattern})", text):
            return path
    return None


def _stripped(text: str) -> str:
    return re.sub(
        r"^.*?\b(?:why|explain|how come|reasons? for)\b|\b(?:did|do|you|choose|use|pick|take|is|are|it|the|this|that"
        r"|we|need|a|an|so|not|does|there|matter|important)\b|[?.!,]",
        " ",
        text,
    ).strip()


def _term(text: str, has_plan: bool) -> tuple[str, dict[str, Any]] | None:
    match = _TERM.search(text)
    if match:
        spoken = match.group(1).strip(" ?.!'\"")
        topic = topic_said(spoken)
        if topic:
            return "explain", {"topic": topic}
        if re.search(r"\b(?:plan|proposal|settings)\b", spoken) and has_plan:
            return "explain", {"topic": "plan"}
        if (
            re.search(r"\bmean|\bexplain|\bdefine|\bwhat (?:is|are) (?:a|an|the)?", text)
            and len(spoken.split()) <= 4
            and _technical(spoken)
        ):
            return "explain", {"topic": spoken[:80]}
    asked = re.search(r"^(?:\w+[, ]+){0,2}?(?:do|does|should|would|can|is|are|when|how|which|what|could)\b", text)
    topic = (
        find_topic(text)
        if asked
        and re.search(
            r"\?|\bshould\b|\bwhat happens\b|\bhow (?:high|low|big|many|much)\b|\bwhich\b|\bneed\b", text + "?"
        )
        else None
    )
    if topic and is_term(text):
        return "explain", {"topic": topic}
    return None


def _technical(spoken: str) -> bool:
    words = re.findall(r"[a-z]{4,}", spoken)
    return bool(words) and any(word not in common_words() for word in words)
