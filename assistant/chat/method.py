"""Which weights are trained, where it runs and what happens to the model, read from a message."""

from __future__ import annotations

import re
from typing import Any

from assistant.chat.clauses import person
from assistant.chat.words import negated

_LAYER = r"(?:layers?|blocks?)"
_LAST = r"(?:last|final|top|output|upper|uppermost)"
_BODY = (
    r"(?:body|backbone|encoder|network|base|base model|model|rest|weights|everything|every ?thing else"
    r"|all (?:other )?layers|pre-?trained (?:\w+ )?"
    r"(?:weights|model|part|layers|body|network)?|all (?:the )?(?:other )?(?:pre-?trained )?weights|feature extractor"
    r"|trunk|all of it|whole thing|core)"
)
_HEAD = (
    r"(?:(?:classification |classifier |output |prediction |linear )?head|classifier|(?:a |the |one |its )?"
    rf"{_LAST} layer|(?:new )?(?:output|classification|linear) layer)"
)

_LAST_N = re.compile(
    rf"\b{_LAST} (\d+) (?:\w+ )?{_LAYER}\b|\b(\d+) {_LAST} (?:\w+ )?{_LAYER}\b|\b{_LAST} (\d+)\b(?! ?(?:epoch|min|run"
    rf"|%))"
)
_FULL = re.compile(
    r"\b(?:full(?:y)?|complete(?:ly)?|whole|entire)[- ]?(?:parameter |model )?(?:fine[- ]?tun\w*|tun\w+|train\w*"
    r"|retrain\w*)|\bfine[- ]?tune (?:it |the model )?(?:fully|completely|entirely)"
    r"|\b(?:train|retrain|tun|fine[- ]?tun|updat|unfreez|adapt|adjust|chang|modif|optimi[sz]|learn)\w* (?:all"
    r"|every(?! (?:night|day|week|morning|evening|hour|month|time|year))|the whole"
    r"|the entire"
    r"|everything|the full|the complete|every single)"
    rf"(?: (?:of|the|its|their|single|model's|network's))* ?(?:weights?|{_LAYER}|parameters?|model|network"
    rf"|thing)?\b(?! (?:but|except"
    rf"|other))"
    r"|\b(?:everything|all of it|the (?:whole|entire|full) (?:model|network|thing)) (?:should|must|can|may|has to"
    r"|needs to"
    r"|shall|is to|is going to|will|gets to|is) "
    r"(?:be )?(?:train|learn|updat|chang|tun)\w*|\b(?:let|make|have) (?:all|every)(?: of)?(?: the)? (?:layers?"
    r"|weights|parameters) (?:learn|train|change|adapt)"
    r"|\b(?:everything|all|all (?:weights|layers|param(?:eter)?s)) (?:is |be |stays? |should be )?trainable"
    r"|\b(?:not|never) freez\w* (?:anything|any|a single)\b|\bfreez\w* (?:nothing|none)\b|\bnothing (?:of (?:the |it"
    r"|this|that)?(?: ?\w+)? ?)?(?:is |may be "
    r"|must be |can be |shall be |to be |should be |gets |stays? |remains? )?frozen|\bno (?:frozen|freezing)"
    r"|\bend[- ]to[- ]end\b|\bunfreeze (?:it all|all|everything)"
    r"|\b(?:let|make|have) (?:it all|everything|all of it|the whole (?:model|network|thing)) (?:be |get )?(?:train"
    r"|learn|tun|updat)\w*"
    r"|\bwithout freezing|\bmethod(?: is| =|:| to)? ?full\b|\bfull method\b|\b(?:do|use|try|make it"
    r"|go) (?:a )?full\b(?! stop)"
    r"|\b(?:full|whole|entire|complete) (?:model|network) (?:is |be |should be )?(?:trainable|(?:re)?trained|tuned"
    r"|unfrozen)\b"
    r"|\b(?:train|tun)\w* (?:it |the model |everything |them )?(?:fully|completely|entirely)\b"
    r"|\b(?:full|whole|entire|complete) (?:model|network)(?: please| instead)?(?=$|[,.;!])"
    r"|(?:^|(?<=[,:;])|(?<=[,:;] ))all (?:the |its )?(?:weights|parameters|layers)(?: please)?(?=$|[,.;!])"
    r"|\b(?:all|every|each)(?: the| single)? (?:weights?|parameters?|layers?)(?: (?:of|in) (?:the |its )?\w+)?"
    r" (?:should|must|can|may|are|is|get|to be|be)"
    r" (?:be )?(?:train|updat|chang|learn|tun|free|mov|adapt|adjust)\w*"
)
_HEAD_ONLY = re.compile(
    rf"\b(?:only|just|solely|nothing but|merely|purely)\b[\w ]{{0,40}}?\b{_HEAD}\b"
    rf"|\b{_HEAD}\b (?:only|alone)\b|\bfreez\w* (?:the |all |all of |its |my )*(?:(?:whole|entire"
    rf"|pre-?trained) )?{_BODY}(?! (?:but|except|apart)\b[\w ]*\d)"
    rf"|\bfreez\w* (?:it )?(?:all|everything)(?: \w+)? (?:but|except|apart from|besides|save)(?: for)? (?:the |a "
    rf"|its )*{_HEAD}"
    rf"|\b{_BODY} (?:is |are |stays?|remains?|should be |should stay |kept |must stay |must remain "
    rf"|untouched)? ?(?:frozen|fixed|untouched|unchanged)"
    rf"|\bkeep\w* (?:the |all |all the )*(?:(?:whole|entire) )?{_BODY}[\w ]{{0,20}}? ?(?:frozen|fixed|unchanged"
    rf"|as (?:it is|they are)|as-is|exactly|intact|still)"
    r"|\blinear prob\w*|\bfeature extract\w*|\b(?:new|fresh) classifier on top|\bprobe on top|\bmethod(?: is| =|:"
    r"| to)? ?head\b|\bhead[- ]only\b"
    rf"|\b(?:not|never) (?:touch|change|alter|retrain|train|update)\w* (?:the |any of the |any |its )*(?:{_BODY}"
    rf"|pre-?trained \w+)"
    rf"|\bleave (?:the |all the )*{_BODY} (?:alone|untouched|as)|\b(?:use|train|learn|fit|try) (?:a "
    rf"|the )?(?:classification )?head\b"
)
_LORA = re.compile(r"\b(?:lora|low[- ]rank(?: adapt\w*)?|peft|adapters?\b(?! file)|dora)\b")
_QLORA = re.compile(
    r"\bq-?lora\b|\b4[- ]?bits?\b|\b(?:quanti[sz]ed|four[- ]bit) (?:lora|base|weights|model|training)"
    r"|\bquanti[sz]e(?:d)? (?:it|the base)"
)


def read_method(text: str, *, layers: int | None = None) -> dict[str, Any]:
    """`method.name` and what belongs to it, or `avoid` where a method is only refused.

    Args:
        text: tidy, in digits.
        layers: how many layers the model at hand has ("freeze the first 8 layers").
    """
    correction = _TAKEN_BACK.search(text)
    corrected = read_method(text[correction.end() :], layers=layers) if correction else {}
    if "method.name" in corrected:
        return corrected  # "just the last layer? no, all of it"
    opened = re.search(rf"\bunfreez\w* (?:only |just )?(?:the )?(\d+) {_LAYER}", text)
    if opened and not negated(text, opened.start()):
        return {"method.name": "last_layers", "method.layers": int(opened.group(1))}
    first = re.search(rf"\bfreez\w* (?:only )?(?:the )?(?:first|lowest|bottom|lower) (\d+) {_LAYER}", text)
    if first and layers and layers - int(first.group(1)) > 0:
        return {"method.name": "last_layers", "method.layers": layers - int(first.group(1))}
    refused: str | None = None
    for name, pattern in (
        ("qlora", _QLORA),
        ("lora", _LORA),
        ("last_layers", _LAST_N),
        ("head", _HEAD_ONLY),
        ("full", _FULL),
    ):
        for match in pattern.finditer(text):
            if _refused(text, match, name):
                refused = refused or name
                continue
            if name == "last_layers":
                count = int(next(group for group in match.groups() if group))
                return {"method.name": "last_layers", "method.layers": count} if count > 1 else {"method.name": "head"}
            if name == "head" and _BEYOND_HEAD.search(text):
                continue
            return {"method.name": name}
    return {"avoid": [refused]} if refused else {}


#: "just the last layer? no, all of it"; but "no lora" takes nothing back.
_TAKEN_BACK = re.compile(
    r"[,;.!?]\s*(?:no(?: wait)?(?=\s*[,.!-])|sorry|actually|i mean|or rather|make that)\b[\s,.!-]*"
)


def read_layers(text: str) -> dict[str, Any]:
    """Another number of layers for a plan that trains the last ones: "make it 4 layers"."""
    match = re.search(rf"\b(\d+) {_LAYER}\b", text)
    return {"method.layers": int(match[1])} if match and not negated(text, match.start()) else {}


_BEYOND_HEAD = re.compile(r"\bnot (?:only|just) (?:the )?(?:last|final|head|classifier)")


def _refused(text: str, match: re.Match[str], name: str) -> bool:
    if name == "head" and re.match(r"(?:not|never)\b", match.group()):
        return False  # "never touch the pretrained weights" is a way to say head
    if name == "last_layers" and re.search(
        r"\b(?:freez\w*|frozen|fixed|lock\w*)\b[^.;]*\b(?:except|but|apart from|besides|excluding|other than|save)\b",
        text[: match.start()],
    ):
        return False  # "freeze all except the top five"
    if name == "head" and re.match(r"(?:only|just)", match.group()) and re.search(r"\bnot $", text[: match.start()]):
        return True
    return negated(text, match.start(), match.end())


# ---------------------------------------------------------------- where it runs, what happens afterwards

_FLAVORS: tuple[tuple[str, str], ...] = (
    ("a10g-largex4", r"a10g[- ]?large[- ]?x ?4"),
    ("a10g-largex2", r"a10g[- ]?large[- ]?x ?2"),
    ("a10g-large", r"a10g[- ]?large"),
    ("a10g-small", r"a10g?(?:[- ]?small)?\b"),
    ("a100-large", r"a100(?:[- ]?large)?\b"),
    ("t4-medium", r"t4[- ]?medium"),
    ("t4-small", r"t4(?:[- ]?small)?\b"),
    ("l40sx1", r"l40s?(?: ?x ?1)?\b"),
    ("l4x4", r"l4 ?x ?4\b"),
    ("l4x1", r"l4(?: ?x ?1)?\b"),
    ("h200", r"h200\b"),
    ("h100", r"h100\b"),
    ("rtx-pro-6000", r"rtx[- ]pro[- ]6000"),
    ("cpu-upgrade", r"cpu[- ]upgrade"),
    ("cpu-basic", r"cpu[- ]basic"),
)
_JOBS = re.compile(
    r"\b(?:gpu|hugging ?face|hf)(?: \w+)? cloud\b|\bcloud (?:from|of|by|at) (?:hugging|hf)|\b(?:hugging ?face|hf"
    r"|huggingface)[ _-]?(?:'s )?jobs?\b|\bhf_jobs\b|\bin the cloud\b|\b(?:on|use|to|with"
    r"|via) (?:a |the |some )?cloud\b|\bcloud (?:gpu|machine|server)"
    r"|\brent(?:ed|ing|al)?\b(?=[\w ]{0,30}\b(?:gpu|machine|server|computer|card|cloud|a100|h100|t4|one)\b)"
    r"|\bremote(?:ly)?(?: (?:gpu|machine|server|job))?\b"
    r"|\blet (?:hugging ?face|hf|huggingface) (?:\w+ )?(?:compute|train|run|do|calculate)\w*"
    r"|\b(?:move|shift|send|put|transfer|take|bring|do|run)\b[^.;]{0,12}\b(?:job|training|run|computation|calculation"
    r"|work)\b"
    r"[^.;]{0,12}\b(?:to|onto|on|at) (?:hf|hugging ?face)\b"
    r"|\bjobs? on (?:the )?(?:hub|hugging ?face)\b"
    r"|\b(?:run|train|do|execute|compute|calculate)\w* (?:it |this |that |the (?:training|run) )?(?:on|at"
    r"|by) hugging ?face\b"
)
_RAY = re.compile(
    r"\b(?:on|use|with|via|to|our|my|a|the) (?:\w+ )?ray\b(?! ?-?(?:image|photo|picture|scan|s\b))|\bray (?:cluster"
    r"|jobs?)\b"
)
_LOCAL = re.compile(
    r"\b(?:on|with) (?:my|this|our|the|an?) (?:own |old |little |small |home |office |work )?(?:laptop|computer|pc"
    r"|machine|notebook|macbook|mac|desktop|workstation|server|box)\b"
    r"|\blocal(?:ly)?\b|\b(?:only|just) (?:have|got|own) (?:a|an|my|this) (?:\w+ )?(?:laptop|computer|pc|notebook"
    r"|macbook|desktop)\b|\b(?:no|without) (?:a |any |big |fast )*(?:gpu|graphics card|video card)\b"
    r"|\bcpu only\b|\bonly (?:a |the )?cpu\b|\b(?:have|got) (?:a |an |only |just |not |no )*(?:\w+ )?(?:laptop"
    r"|big computer)\b|\bhere on\b|\bin-?house\b|\bon[- ]prem\w*"
)
_SECRET = re.compile(
    r"\bconfidential\b|\b(?:is|are|stays?|keep|remains?|top|our|company|trade|very|highly"
    r"|strictly)\b(?: \w+){0,2} secret\b"
    r"|\bsecret (?:data|file|texts?|documents?)\b|\bsensitive\b|\bnothing (?:may|must|can|should"
    r"|is allowed to) leave\b|\b(?:may|must"
    r"|can|should|is|are) (?:not|never)(?: be)?(?: allowed to)? (?:leave|leav\w+|go out|"
    r"be uploaded|uploaded|sent|shared|put online|go online|go to the cloud)\b|\bprivate data\b|\bdata (?:is"
    r"|are) private\b|\bgdpr\b|\bpatient(?:s'?)? (?:data|records)\b|\bstays? (?:here|in the house|on (?:this|my|our))\b"
    r"|\bno (?:upload|cloud|data leaves)\b|\bkeep (?:it|everything|the data|all)(?: \w+)? (?:here|local|private"
    r"|on (?:this|my|our))\b|\bnda\b|\bmust stay\b|\boffline only\b"
)
_OWN_CARD = re.compile(r"\b(?:my|our|have|got|own) (?:an? |1 |one |the |\d )?(?:nvidia )?$")


def read_compute(text: str) -> dict[str, Any]:
    """`compute.*`, and `output.publish: None` where nothing may leave."""
    found: dict[str, Any] = {}
    secret = [
        match for match in _SECRET.finditer(text) if not negated(text, match.start()) or match.group().startswith("no ")
    ]
    jobs = [match for match in _JOBS.finditer(text) if not negated(text, match.start(), match.end())]
    flavor = _flavor(text)
    if secret:
        found |= {"compute.target": "local", "output.publish": None}
    elif any(
        not negated(text, match.start()) and not person(text, match.end() - 3, match.end())
        for match in _RAY.finditer(text)
    ):
        found["compute.target"] = "ray"
    elif jobs or flavor:
        found["compute.target"] = "hf_jobs"
        if flavor:
            found["compute.flavor"] = flavor
    elif _LOCAL.search(text) or _JOBS.search(text):
        found["compute.target"] = "local"
        if _JOBS.search(text) and not jobs:
            found["compute.flavor"] = None
    return found | _devices(text)


def _flavor(text: str) -> str | None:
    for name, pattern in _FLAVORS:
        match = re.search(rf"\b(?:{pattern})", text)
        if match and not negated(text, match.start()) and not _OWN_CARD.search(text[: match.start()]):
            return name
    return None


def _devices(text: str) -> dict[str, Any]:
    if re.search(r"\ball (?:the |my |our |available )*(?:gpus|graphics cards|cards)\b|\bevery gpu\b", text):
        return {"compute.devices": None}
    for count, pattern in (
        (2, r"\bboth (?:gpus|graphics cards|cards|my gpus)\b"),
        (1, r"\b(?:a single|only one|just one|one|1) (?:gpu|graphics card)\b"),
    ):
        match = re.search(pattern, text)
        if match and not negated(text, match.start()):
            return {"compute.devices": count}
    return {}


REPO = re.compile(r"(?<![\w./\\:@-])([a-z0-9][\w.-]{0,95}/[a-z0-9][\w.-]{0,95})(?![\w/\\])", re.IGNORECASE)
_PUBLISH = re.compile(
    r"\b(?:push|publish|upload|share|release|deploy|send|post|put)(?:ed|es|ing)?\b[^.;!?]{0,60}?(?:\bhub\b"
    r"|\bhugging ?face\b(?! jobs)|\bto [\w.-]+/[\w.-]+|\bas [\w.-]+/[\w.-]+|\bunder [\w.-]+/[\w.-]+"
    r"|\bat [\w.-]+/[\w.-]+|\bpublic\w*\b|\bonline\b|\bhf\b(?! jobs)"
    r"|\bwith (?:the (?:whole )?world|everyone|everybody|others|the community|the public)\b)"
    r"|\b(?:on|to|in|at) (?:my|our) (?:\w+ )?(?:profile|account|organi[sz]ation|org|repo(?:sitory)?|page|hub)\b"
    r"[^.;!?]{0,40}[\w.-]+/[\w.-]+|\brepo(?:sitory)?(?: name)?(?: is| =|:| called| named| should be)* [\w.-]+/[\w.-]+"
    r"|\b(?:ends? up|land|goes?|appear|live|be|available|stored?|saved?|put)\b[^.;!?]{0,30}\b(?:at|as|under|to|on|in)"
    r" [\w.-]+/[\w.-]+(?= (?:on|at) (?:the )?(?:hub|hugging ?face))"
    r"|\b(?:go|goes|be|have it|want it|put it|see it) (?:\w+ ){0,2}(?:on|onto|to) (?:the |my |our )?(?:hf "
    r"|hugging ?face )?"
    r"hub\b|\bpublish(?:ed)?\b|^(?:please |now |and |then |ok(?:ay)? )*push it\b(?! (?:up|higher|further|over|beyond"
    r"|above))"
    r"|\bmake (?:it|this|that|them|(?:the|my|our) (?:\w+ )?model|run \d+) (?:\w+ )?(?:public|available|accessible)\b"
)


#: The model as a page, without the word for it.
_HOST = re.compile(
    r"\b(?:host|deploy)(?:ed|ing)? (?:it|this|that|the (?:\w+ )?model|my model|run \d+)\b(?! (?:on|to) (?:my|our|the) "
    r"(?:phone|laptop|server|computer|device))"
    r"|\b(?:an?|some|online|web|gradio|public|live|little) demo (?:for|of|so|where|that|page|on)\b"
    r"|\b(?:colleagues?|friends?|boss|team|others|people|everyone|everybody|customers?|users?)\b[^.;!?]{0,30}\b(?:try"
    r"|test"
    r"|play with|click|use) (?:\w+ ){0,3}(?:in (?:the|a|their) browser|online|on the (?:web|internet)|around|out)\b"
)


def read_publish(text: str) -> tuple[bool | None, str | None, str]:
    """Whether the message asks to publish (None: says nothing, False: forbids it), the repository, and its kind."""
    match = _PUBLISH.search(text)
    shown = re.search(
        r"\b(?:it|model|demo|gradio|space|try|play|test|people|boss|colleagues?|friends?|customers?|users?|team"
        r"|everyone|others)\b",
        text,
    )
    space = shown and re.search(
        r"\b(?:like|put|set|build|make|create|deploy|host|spin|give|launch|open|publish|get|want"
        r"|need)\w*\b[^.;!?]{0,40}\b(?:demo|space|web ?page|web ?site|web app|online page|page where|link|playground"
        r"|gradio)\b",
        text,
    )
    space = space or _HOST.search(text)
    if not match and not space:
        return None, None, "model"
    hit = match or space
    if hit and (negated(text, hit.start()) or re.search(r"\b(?:not|never) (?:be )?$", text[: hit.start()])):
        return False, None, "model"
    repo = REPO.search(text, hit.start() if hit else 0) or REPO.search(text)
    kind = "space" if space or re.search(r"\b(?:demo|space|gradio)\b", text) else "model"
    return True, repo.group(1) if repo else None, kind
