"""Wishes about a finished model: try it, judge it on another file, download it, publish it."""

from __future__ import annotations

import re
from typing import Any

from assistant.chat.method import read_publish
from assistant.chat.words import negated

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
    r"|\bwhat (?!is it (?:for|about)\b)(?:would|does|will|did|is) (?:it|the model|your model|my model|run \d+|she|he"
    r"|the bot|your answer"
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
    r"|\bhow (?:many|much)\b[\w ]{0,25}\b(?:it|the (?:\w+ )?model|run \d+) (?:get|guess"
    r"|classif)\w*\b[\w ]{0,10}\b(?:right|correct"
    r"|wrong)"
    r"|\bscore (?:this|the other|another|my other|that) (?:file|data|set|table)\b"
)
_MODEL_AT_HAND = re.compile(
    r"\b(?:finished|trained|tuned|the|my|our|your|this|that|last|new|existing|final|ready"
    r"|fine-?tuned) (?:\w+ )?(?:model|run|bot|classifier|one)\b|\bit\b|\brun \d+|\blast run\b|\bthe result\b"
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


def about_model(text: str, raw: str, has_plan: bool, with_file: bool) -> tuple[str, dict[str, Any]] | None:
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
    makes = re.search(r"\b(?:train|teach|fine-?tune|build|make|create|want|need|pre-?train(?:ing)?)\b", text)
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
