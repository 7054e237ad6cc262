"""A page with a number of the person's own run: what a term was in the run at hand. Pure.

sentence("recall", result, plan)      "In this run: of the 223 rows that are “spam”, it found 97.8 %."
PICTURES["confusion-matrix"]          "matrix": the drawing of the run that belongs to the page
"""

from __future__ import annotations

from collections.abc import Callable

from assistant.chat import figures, run_answers
from assistant.chat.figures import Result, metric_name
from assistant.chat.wording import BASELINES, METHODS, figure, many, percent, safe, size, with_interval
from recipes.plan import Plan

#: Page -> the drawing of a run that belongs to it: matrix, curves (over steps), rows (more of them), baselines (bars).
PICTURES = {
    "confusion-matrix": "matrix", "per-class": "matrix", "precision": "matrix", "recall": "matrix",
    "loss": "curves", "overfitting": "curves", "epoch": "curves", "step": "curves", "validation": "curves",
    "early-stopping": "curves", "learning-rate": "curves", "warm-up": "curves", "training-set": "rows",
    "baseline": "baselines", "accuracy": "baselines", "f1": "baselines", "majority": "baselines",
    "word-counts": "baselines", "picture-statistics": "baselines", "nearest-centroid": "baselines",
    "verdict": "baselines",
    "confidence-interval": "baselines", "mae": "baselines", "r2": "baselines", "p-value": "baselines",
    "balanced-accuracy": "baselines", "macro-micro": "baselines", "from-scratch": "baselines",
}  # fmt: skip

Speaker = Callable[[Result, "Plan | None"], str]


def sentence(page: str, result: Result, plan: Plan | None) -> str:
    """What the page's term was in this run, in a sentence or two; "" where the run has no number for it."""
    speaker = _SPEAKERS.get(page)
    return speaker(result, plan) if speaker else ""


def known(page: str) -> bool:
    """Whether a finished run has a number for this page."""
    return page in _SPEAKERS


def _metric(name: str) -> Speaker:
    def say(result: Result, plan: Plan | None) -> str:
        del plan
        own = (result.get("metrics") or {}).get(name)
        if not own:
            return ""
        best, rival = figures.best_baseline(result, name), ""
        if best:
            rival = f"; the best simple way ({BASELINES.get(best[0], safe(best[0]))}) reaches {figure(best[1], name)}"
        return f"its {metric_name(name)} is {with_interval(own, name)}{rival}."

    return say


def _class_share(which: str) -> Speaker:
    def say(result: Result, plan: Plan | None) -> str:
        del plan
        rows = [one for one in result.get("classes") or [] if (one.get(which) or {}).get("value") is not None]
        if not rows:
            return ""
        weak = min(rows, key=lambda one: float(one[which]["value"]))
        value, label = percent(float(weak[which]["value"])), safe(weak.get("label"), 40)
        if which == "recall":
            return f"it is lowest for “{label}”: of {many(float(weak['rows']), 'such row')} it found {value}."
        return f"it is lowest for “{label}”: when it says so, it is right in {value} of the cases."

    return say


def _of_answer(answer: Callable[[Result], str]) -> Speaker:
    def say(result: Result, plan: Plan | None) -> str:
        del plan
        return answer(result)

    return say


def _rows(which: str, doing: str) -> Speaker:
    def say(result: Result, plan: Plan | None) -> str:
        del plan
        count = int((result.get("rows") or {}).get(which) or 0)
        return f"{many(count, 'row')} {doing}." if count else ""

    return say


def _baseline(name: str) -> Speaker:
    def say(result: Result, plan: Plan | None) -> str:
        del plan
        metric = figures.main_metric(result)
        theirs, own = (
            (result.get("baselines") or {}).get(name, {}).get(metric),
            (result.get("metrics") or {}).get(metric),
        )
        if not theirs or not own:
            return ""
        return (
            f"it reaches {metric_name(metric)} {with_interval(theirs, metric)}; the model {with_interval(own, metric)}."
        )

    return say


def _p_value(result: Result, plan: Plan | None) -> str:
    del plan
    verdict = result.get("verdict") or {}
    if verdict.get("p_value") is None:
        return ""
    rival = BASELINES.get(str(verdict.get("best_baseline")), "the best simple way")
    return (
        f"p = {float(verdict['p_value']):.2g} for the difference between the model and {rival}, on the same test rows."
    )


def _parameters(result: Result, plan: Plan | None) -> str:
    del plan
    trained, every = float(result.get("trainable_parameters") or 0), float(result.get("total_parameters") or 0)
    if not trained or not every:
        return ""
    return (
        f"{trained:,.0f} of {every:,.0f} weights were trained ({percent(trained / every, 1)}); the rest stayed frozen."
    )


def _way(result: Result, plan: Plan | None) -> str:
    kept = figures.chosen(result)
    tried = figures.candidate(result, kept) or {}
    others = [one for one in result.get("candidates") or [] if one.get("name") != kept]
    text = f"what was trained and kept: {METHODS.get(kept, kept)}"
    if tried and others:
        metric = str(tried.get("metric") or figures.main_metric(result))
        text += (
            f": {metric_name(metric)} {figure(float(tried['value']), metric)} on the validation rows, against "
            f"{figure(float(others[0]['value']), metric)} for {METHODS.get(str(others[0]['name']), 'the other')}"
        )
    return f"{text}. {_parameters(result, plan)}".strip()


def _cut(result: Result, plan: Plan | None) -> str:
    cut = figures.cut_texts(result)
    if cut:
        return f"{cut[0]:,} of {cut[1]:,} texts ({percent(cut[0] / cut[1], 0)}) were cut after {cut[2]} tokens."
    limit = plan.training.max_length if plan is not None else None
    return f"no text was longer than the {limit} tokens that are read." if limit else ""


def _setting(path: str, words: str) -> Speaker:
    def say(result: Result, plan: Plan | None) -> str:
        if plan is None or figures.chosen(result) == "head":
            return ""
        section, _, name = path.partition(".")
        value = getattr(getattr(plan, section), name)
        return f"{words.format(value=f'{value:g}')}" if value is not None else ""

    return say


def _steps(result: Result, plan: Plan | None) -> str:
    points = figures.curve(result, "train/loss")
    if not points:
        return "the last layer alone was fitted, which takes no steps."
    batch = plan.training.batch_size if plan is not None else None
    return f"{points[-1][0]:,.0f} steps" + (f", each from {batch} rows." if batch else ".")


def _loss(result: Result, plan: Plan | None) -> str:
    del plan
    training, validation = figures.curve(result, "train/loss"), figures.curve(result, "validation/loss")
    if not training or not validation:
        return ""
    lowest = min(value for _, value in validation)
    return (
        f"on the rows it learned from it went from {training[0][1]:.2f} to {training[-1][1]:.2f}; on the validation "
        "rows "
        f"its lowest was {lowest:.2f}."
    )


def _verdict(result: Result, plan: Plan | None) -> str:
    del plan
    return safe((result.get("verdict") or {}).get("text", ""), 500)


def _memory(result: Result, plan: Plan | None) -> str:
    del plan
    peak = (result.get("peak_bytes") or {}).get("measured")
    return f"it held at most {size(float(peak))}." if peak else ""


def _precision_used(result: Result, plan: Plan | None) -> str:
    del plan
    used = (result.get("environment") or {}).get("precision")
    return f"it computed in {safe(used)}, which a short trial found fastest and safe here." if used else ""


def _seed(result: Result, plan: Plan | None) -> str:
    del plan
    return f"the seed was {result['seed']}." if result.get("seed") is not None else ""


_SPEAKERS: dict[str, Speaker] = {
    "accuracy": _metric("accuracy"), "f1": _metric("f1"), "balanced-accuracy": _metric("balanced_accuracy"),
    "macro-micro": _metric("f1_micro"), "mae": _metric("mae"), "r2": _metric("r2"),
    "precision": _class_share("precision"), "recall": _class_share("recall"),
    "per-class": _of_answer(run_answers.about_classes), "confusion-matrix": _of_answer(run_answers.about_classes),
    "overfitting": _of_answer(run_answers.about_overfitting), "epoch": _of_answer(run_answers.about_epochs),
    "early-stopping": _of_answer(run_answers.why_ended), "confidence-interval": _of_answer(run_answers.how_sure),
    "baseline": _of_answer(run_answers.is_it_good), "training-set": _of_answer(run_answers.about_more_data),
    "label-noise": _of_answer(run_answers.about_mistakes), "gpu-memory": _memory, "loss": _loss, "step": _steps,
    "test-set": _rows("test", "were set aside and judged the model once, at the end"),
    "validation": _rows("validation", "steered the training and never taught it"),
    "majority": _baseline("majority"), "word-counts": _baseline("word_counts"),
    "picture-statistics": _baseline("picture_statistics"), "sound-statistics": _baseline("sound_statistics"),
    "wer": _metric("wer"),
    "nearest-centroid": _baseline("nearest_centroid"), "from-scratch": _baseline("from_scratch"), "p-value": _p_value,
    "verdict": _verdict, "parameters": _parameters, "freezing": _parameters, "last-layer": _way, "last-layers": _way,
    "fine-tuning-methods": _way, "full-fine-tuning": _way, "lora": _way, "transfer-learning": _way,
    "truncation": _cut, "max-length": _cut, "token": _cut, "mixed-precision": _precision_used, "seed": _seed,
    "learning-rate": _setting("training.learning_rate", "the largest step was {value}."),
    "batch-size": _setting("training.batch_size", "each step learned from {value} rows."),
    "time-limit": _of_answer(run_answers.time_taken),
}  # fmt: skip
