"""The card of a speech model: README.md beside the weights. It holds none of the person's rows.

Figures come from `result.json` alone. The lines that load the model run as they stand, with no code of this project.
"""

from __future__ import annotations

import json

from recipes.events import Result
from recipes.parts import card
from recipes.plan import Plan

_METHODS = {
    "lora": "small adapters (LoRA) in every layer were trained, the pretrained weights left as they are",
    "last_layers": "its last blocks were trained, the blocks below left as they are",
    "full": "all weights were trained",
}


def model_card(plan: Plan, result: Result, base_license: str | None = None) -> str:
    """Markdown with YAML front matter; arguments as in `card.model_card`."""
    kind = str(result.environment.get("family"))
    how = "writes down what is said" if kind == "whisper" else "hears letters and writes them down, without punctuation"
    return card.assembled(
        plan, result, base_license,
        purpose="to write down speech",
        what=f"It {how}. {card.made_from(plan, result, _METHODS)}",
        remark="Case, punctuation and the way numbers are spelled do not count as errors: both sides went through the "
        "same normaliser, Whisper's.",
        lines=usage(plan, result), note=_usage_note(result), limits=_limits(result, kind),
    )  # fmt: skip


def usage(plan: Plan, result: Result) -> str:
    """Python lines that load the model with transformers (and PEFT) alone and print what is said."""
    kind = result.environment.get("family")
    adapter = (result.model_format or "").startswith("peft")
    auto = "AutoModelForSpeechSeq2Seq" if kind == "whisper" else "AutoModelForCTC"
    names = sorted(["AutoProcessor", auto, *(["AutoConfig"] if adapter else [])])
    lines = [
        "import soundfile",
        "import torch",
        *(["from peft import PeftModel"] if adapter else []),
        f"from transformers import {', '.join(names)}",
        "",
        f'folder = "."  # the folder of this card, or its id on the Hub, as "{plan.output.publish or "NAME/MODEL"}"',
        "processor = AutoProcessor.from_pretrained(folder)",
    ]
    if adapter:
        base = json.dumps(card.base_name(plan, result))
        lines += [
            f"base = {base}  # the base model: its id, or its folder",
            "config = AutoConfig.from_pretrained(folder)",
            f"base = {auto}.from_pretrained(base, config=config, ignore_mismatched_sizes=True)",
            "model = PeftModel.from_pretrained(base, folder).eval()",
        ]
    else:
        lines.append(f"model = {auto}.from_pretrained(folder).eval()")
    lines += [
        "",
        'sound, rate = soundfile.read("clip.wav")  # one channel, 16,000 samples a second',
        'inputs = processor(sound, sampling_rate=rate, return_tensors="pt")',
        "with torch.no_grad():",
    ]
    if kind == "whisper":
        generate = "model.get_base_model().generate" if adapter else "model.generate"
        lines += [
            f"    written = {generate}(**inputs, max_new_tokens=200)",
            "print(processor.batch_decode(written, skip_special_tokens=True)[0])",
        ]
    else:
        lines += ["    heard = model(**inputs).logits.argmax(-1)", "print(processor.batch_decode(heard)[0])"]
    return "\n".join(lines) + "\n"


def _usage_note(result: Result) -> str:
    if not (result.model_format or "").startswith("peft"):
        return ""
    return "These files are an adapter: a small change to the base model, which is loaded first."


def _limits(result: Result, kind: str) -> list[str]:
    limits = [
        "The figures hold for voices, words and microphones like those it was trained on; on others it may do much "
        "worse, and it will not say so.",
        "It inherits what its base model learned, its mistakes and prejudices included, and its licence.",
    ]
    if kind == "whisper":
        limits.append("In silence or noise it can write sentences that nobody said.")
    if result.verdict.code != "better":
        limits.append("It was not shown to be better than the base model (see above).")
    return limits
