"""Token classification: names, places, parts of addresses, parts of speech: a tag for each word of a text.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "token-classification"

Transfer learning in the order of `train`: the frozen pretrained body reads every text once; a new last layer is fitted
on what it says about each word; where the plan asks for more, the body is trained on from there, and kept only if it
finds more entities in validation sentences; then the test sentences judge, against a conditional random field.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Candidate, Result
from recipes.parts import classification, device, ending, linear_head, methods, save, tag_card, tagging, words
from recipes.parts import tag_metrics as tm
from recipes.parts import tag_rivals as rivals
from recipes.parts.classification import Steps, load_base, predict_memory, settle_precision, teller
from recipes.parts.context import RunContext
from recipes.parts.errors import RecipeError
from recipes.parts.judging import SAVING_SECONDS, VERIFIED_ROWS, Chosen, Work, about
from recipes.parts.methods import Base, Classifier
from recipes.parts.probe import HeadChoice
from recipes.parts.steady import Outcome
from recipes.parts.tag_training import (
    HeadFitter,
    TagTrainer,
    WordFeatures,
    counts_of,
    labels_of,
    quality,
    sentences_to_read,
    spans_from,
    windows_of,
    word_weights,
    words_of,
)
from recipes.parts.tag_variation import Variation
from recipes.parts.tagged import Tagged, read_study
from recipes.parts.tags import spans_of
from recipes.parts.training import Job, fine_tune
from recipes.parts.words import Tags, Windows, word_logits
from recipes.plan import Plan

KIND = Tags()
open_model, model_card = tagging.open_tagger, tag_card.model_card


@dataclass(frozen=True)
class TagWork(Work):
    """What every step after the loading needs. `fitter`: of last layers; `labels`: of all words, shape (words,)."""

    tagged: Tagged
    windows: Windows
    fitter: HeadFitter
    labels: NDArray[np.int64]


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    with run.phase("reading", "Reading the texts and setting test sentences aside"):
        study, tagged = read_study(plan, run)
        study = dataclasses.replace(study, material=tagged)
    with run.phase("model", f"Loading {plan.base_model}"):
        base = load_base(plan, KIND, study, place, run)
        tagging.describe(base.model.config, tagged)
        windows: Any = KIND.encode(plan, study, base, run)
        memory = settle_precision(plan, base, place, run)
        predict_memory(plan, base, windows, place, run)
    with run.phase("features", "The pretrained model reads every text once"):
        rows = windows_of(windows, sentences_to_read(study, tagged))
        numbers, values = words.word_features(base, windows, rows, place, run, teller(plan, run))
    labels = labels_of(tagged, study.goal.names)
    fitter = HeadFitter(study, tagged, WordFeatures.of_all(numbers, values, tagged), labels)
    work = TagWork(plan, run, KIND, place, study, windows, {}, memory, tagged, windows, fitter, labels)
    with run.phase("head", "Fitting a new last layer"):
        head = run.on_main(fitter.choose)
    with run.phase("baselines", "Asking what simple methods reach"):
        simple = run.on_main(lambda: rivals.ask_all(study, tagged))
    chosen = classification.best_of_head_and_body(work, base, head, STEPS)
    with run.phase("testing", "Judging on sentences that the model never saw", stoppable=False):
        result = run.on_main(lambda: judge(work, head, chosen, simple))
    with run.phase("saving", "Saving the model and checking that it answers as in training", stoppable=False):
        save_and_verify(work, chosen)
    return run.on_main(lambda: ending.complete(plan, run, place, result, model_card))


# The body


def make_job(work: TagWork, classifier: Classifier) -> Job:
    """The windows to learn from, the labels of their words, and how the validation sentences judge."""
    study, windows = work.study, work.windows
    parts = [windows_of(windows, rows) for rows in (study.train, study.validation, study.test)]
    costs = [int(windows.lengths[rows].sum()) for rows in parts]
    return Job(
        classifier=classifier,
        encoded=windows,
        train=parts[0],
        validation=parts[1],
        labels=work.labels,
        row_weights=word_weights(study, work.tagged, work.labels),
        problem=study.goal.problem,
        judge=lambda logits: quality(logits, study, work.tagged, work.labels, study.validation),
        reserve_seconds=SAVING_SECONDS,
        test_share=costs[2] / max(1, costs[1]),
        vary=variation(work, classifier, parts[0]) if work.plan.training.augmentation is not False else None,
    )


def variation(work: TagWork, classifier: Classifier, train: NDArray[Any]) -> Variation:
    """Words swapped and hidden: each pass sees the sentences a little different."""
    outside = None if work.tagged.plain else 0
    mask = classifier.processor.mask_token_id
    return Variation(work.windows, work.labels, train, outside, mask, work.study.goal.seed)


def trained_body(work: TagWork, classifier: Classifier, candidates: list[Candidate], outcome: Outcome) -> Chosen:
    """The trained body, and its answers."""
    rows = work.study.judged[:VERIFIED_ROWS] if outcome.stopped else work.study.judged
    trainable, total = methods.count_parameters(classifier.module)
    return _chosen(work, classifier, answers_for(work, classifier, rows), candidates, (trainable, total))


def head_alone(work: TagWork, base: Base, head: HeadChoice, candidates: list[Candidate]) -> Chosen:
    """The frozen body with the head fitted on all sentences that may be learned from."""
    study, fitter = work.study, work.fitter
    tagging.describe(base.model.config, work.tagged)
    final = work.run.on_main(lambda: fitter.fit(study.learnable, head.head.strength))
    classifier = methods.classifier_of(base, "model", final.weight.shape[1], study.goal.outputs)
    classifier.set_head(final.weight, final.bias)
    classifier.module.to(work.place.torch_device)
    if study.folds:
        logits: NDArray[Any] = work.run.on_main(fitter.cross_validated)
    else:
        logits = answers_for(work, classifier, study.judged)
    known = head.validation or head.held_out
    alone = Candidate(name="head", metric=known.metric, value=known.value, seconds=head.seconds, chosen=True)
    trainable = sum(parameter.numel() for parameter in classifier.head.parameters())
    total = methods.count_parameters(classifier.module)[1]
    return _chosen(work, classifier, logits, candidates or [alone], (trainable, total))


def _chosen(
    work: TagWork, classifier: Classifier, logits: NDArray[Any], candidates: list[Candidate], sizes: tuple[int, int]
) -> Chosen:
    answers = linear_head.predict(logits, work.study.goal.problem)
    sample = answers_for(work, classifier, work.study.judged[:VERIFIED_ROWS])
    return Chosen(classifier, answers, sample, candidates, *sizes)


def answers_for(work: TagWork, classifier: Classifier, sentences: NDArray[Any]) -> NDArray[np.float32]:
    """Logits of the words of all sentences, shape (words, tags); zeros but for those of some."""
    return word_logits(classifier, work.windows, windows_of(work.windows, sentences), work.place, work.run)


# The verdict


def judge(work: TagWork, head: HeadChoice, chosen: Chosen, simple: dict[str, rivals.Answers]) -> Result:
    """Figures, baselines and verdict on the judged sentences.

    Raises:
        RecipeError: the model found nothing.
    """
    plan, study, tagged = work.plan, work.study, work.tagged
    goal, rows = study.goal, study.judged
    scores = chosen.answers.scores
    if scores is None:
        raise AssertionError("word scores are always there")
    ours = counts_of(scores, study, tagged, rows)
    failure = tm.learned(ours, scores[words_of(tagged, rows)], goal.names)
    if failure is not None:
        raise RecipeError(failure.code, failure.what, failure.expected, failure.fix)
    listed, groups = rows.tolist(), None if tagged.groups is None else [tagged.groups[row] for row in rows]
    truth, lengths = [tagged.spans[row] for row in listed], [len(tagged.words[row]) for row in listed]
    theirs = {
        name: tm.count(truth, [spans_of(each, tagged.plain) for each in answers], lengths, tagged.plain)
        for name, answers in simple.items()
    }
    found = spans_from(scores, tagged, listed, goal.names)
    per_word = [scores[tagged.starts[row] : tagged.starts[row + 1]] for row in listed]
    return Result(
        **about(work, chosen),
        rows={"train": len(study.train), "validation": len(study.validation), "test": len(rows)},
        metrics=tm.figures(ours, groups),
        baselines={name: tm.figures(counts, groups) for name, counts in theirs.items()},
        verdict=tm.judge(
            goal.metric, ours, theirs, groups=groups, cross_validated=bool(study.folds),
            test_fraction=None if study.own_test else plan.evaluation.test_fraction,
        ),
        labels=ours.types,
        classes=tm.per_type(ours),
        mistakes=tm.mistakes(tagged, listed, found, per_word, goal.names),
        curves={**chosen.curves, **work.fitter.curve(head.head.strength)},
    )  # fmt: skip


# The end


def save_and_verify(work: TagWork, chosen: Chosen) -> None:
    """Write `model/`, load it again, and compare its answers with those of the run."""
    folder, rows = work.run.directory / "model", work.study.judged[:VERIFIED_ROWS]
    some = words_of(work.tagged, rows)

    def logits(loaded: Classifier) -> NDArray[Any]:
        return word_logits(loaded, work.windows, windows_of(work.windows, rows), work.place)[some]

    def do() -> None:
        save.save(chosen.classifier, folder, work.windows.max_length)
        save.verify(folder, KIND, logits, chosen.sample_logits[some], work.place, work.study.goal.problem)

    work.run.on_main(do)


STEPS = Steps(make_job, partial(fine_tune, kind=TagTrainer), head_alone, trained_body, save_and_verify)
