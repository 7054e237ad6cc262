"""Question answering from a text: of the text that comes with a question, the words that answer it, or none.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "question-answering"

Transfer learning in the order of `train`: the frozen pretrained body reads every question with its text once; a new
last layer is fitted on what it says about each token; where the plan asks for more, the body is trained on from there,
and kept only if it answers validation questions better; then questions about texts that it never saw judge, against a
search for the most alike sentence and a regression on pieces of the text.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.events import Candidate, Result
from recipes.parts import classification, device, ending, methods, save, span_answering, span_card, words
from recipes.parts import span_metrics as sm
from recipes.parts import span_rivals as rivals
from recipes.parts.baselines import Predictions
from recipes.parts.classification import Steps, load_base, predict_memory, settle_precision, teller
from recipes.parts.context import RunContext
from recipes.parts.errors import RecipeError
from recipes.parts.judging import SAVING_SECONDS, VERIFIED_ROWS, Chosen, Work, about
from recipes.parts.methods import Base, Classifier
from recipes.parts.metrics import REGRESSION
from recipes.parts.probe import HeadChoice
from recipes.parts.span_training import HeadFitter, Reader, SpanTrainer, TokenFeatures, windows_to_read
from recipes.parts.span_windows import Passages, Spans, span_logits
from recipes.parts.spans import Asked, read_study
from recipes.parts.steady import Outcome
from recipes.parts.training import Job, fine_tune
from recipes.plan import Plan

KIND = Spans()
open_model, model_card = span_answering.open_pointer, span_card.model_card


@dataclass(frozen=True)
class SpanWork(Work):
    """What every step after the loading needs. `reader`: makes answers of logits; `fitter`: of last layers."""

    asked: Asked
    passages: Passages
    reader: Reader
    fitter: HeadFitter


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    place = device.set_up(run)
    with run.phase("reading", "Reading the questions and setting test texts aside"):
        study, asked = read_study(plan, run)
        study = dataclasses.replace(study, material=asked)
    with run.phase("model", f"Loading {plan.base_model}"):
        base = load_base(plan, KIND, study, place, run)
        passages: Any = KIND.encode(plan, study, base, run)
        reader = Reader.of(study, asked, passages)
        memory = settle_precision(plan, base, place, run)
        predict_memory(plan, base, passages, place, run)
    with run.phase("features", "The pretrained model reads every question with its text"):
        windows = windows_to_read(study, passages)
        found = TokenFeatures(windows, *words.word_features(base, passages, windows, place, run, teller(plan, run)))
    fitter = HeadFitter(reader, found)
    work = SpanWork(plan, run, KIND, place, study, passages, {}, memory, asked, passages, reader, fitter)
    with run.phase("head", "Fitting a new last layer"):
        head = run.on_main(fitter.choose)
    with run.phase("baselines", "Asking what simple methods reach"):
        simple = run.on_main(lambda: rivals.ask_all(study, asked))
    chosen = classification.best_of_head_and_body(work, base, head, STEPS)
    with run.phase("testing", "Judging on texts that the model never saw", stoppable=False):
        result = run.on_main(lambda: judge(work, head, chosen, simple))
    with run.phase("saving", "Saving the model and checking that it answers as in training", stoppable=False):
        save_and_verify(work, chosen)
    return run.on_main(lambda: ending.complete(plan, run, place, result, model_card))


# The body


def make_job(work: SpanWork, classifier: Classifier) -> Job:
    """The windows to learn from, where their answers stand, and how the validation questions judge."""
    study, passages, reader = work.study, work.passages, work.reader
    parts = [passages.of(rows) for rows in (study.train, study.validation, study.test)]
    costs = [int(passages.lengths[rows].sum()) for rows in parts]
    return Job(
        classifier=classifier,
        encoded=passages,
        train=parts[0],
        validation=parts[1],
        labels=reader.targets,
        row_weights=np.ones(len(parts[0]), dtype=np.float32),
        problem=study.goal.problem,
        judge=lambda logits: reader.quality(logits, study.validation),
        reserve_seconds=SAVING_SECONDS,
        test_share=costs[2] / max(1, costs[1]),
    )


def trained_body(work: SpanWork, classifier: Classifier, candidates: list[Candidate], outcome: Outcome) -> Chosen:
    """The trained body, and its answers; the validation questions settle when it says that there is none."""
    study = work.study
    rows = study.judged[:VERIFIED_ROWS] if outcome.stopped else study.judged
    logits = logits_for(work, classifier, np.union1d(study.validation, rows))
    above = work.reader.threshold(logits, study.validation)
    return _chosen(work, classifier, logits, above, candidates, methods.count_parameters(classifier.module))


def head_alone(work: SpanWork, base: Base, head: HeadChoice, candidates: list[Candidate]) -> Chosen:
    """The frozen body with the head fitted on all questions that may be learned from."""
    study, fitter, reader = work.study, work.fitter, work.reader
    final = work.run.on_main(lambda: fitter.fit(study.learnable, head.head.strength))
    classifier = methods.classifier_of(base, "model", final.weight.shape[1], study.goal.outputs)
    classifier.set_head(final.weight, final.bias)
    classifier.module.to(work.place.torch_device)
    if study.folds:
        logits: NDArray[Any] = work.run.on_main(fitter.cross_validated)
        above = work.run.on_main(fitter.usual_threshold)
    else:
        logits = logits_for(work, classifier, study.judged)
        held_out = fitter.rows_read(study.validation if len(study.validation) else study.train)
        above = work.run.on_main(lambda: reader.threshold(fitter.logits(head.head, held_out), held_out))
    known = head.validation or head.held_out
    alone = Candidate(name="head", metric=known.metric, value=known.value, seconds=head.seconds, chosen=True)
    trainable = sum(parameter.numel() for parameter in classifier.head.parameters())
    sizes = (trainable, methods.count_parameters(classifier.module)[1])
    return _chosen(work, classifier, logits, above, candidates or [alone], sizes)


def _chosen(
    work: SpanWork, classifier: Classifier, logits: NDArray[Any], above: float | None, candidates: list[Candidate],
    sizes: tuple[int, int],
) -> Chosen:  # fmt: skip
    span_answering.describe(classifier.module.config, work.reader.longest, above)
    sample = logits_for(work, classifier, work.study.judged[:VERIFIED_ROWS])
    return Chosen(classifier, Predictions(logits.argmax(axis=1), logits), sample, candidates, *sizes)


def logits_for(work: SpanWork, classifier: Classifier, questions: NDArray[Any]) -> NDArray[np.float32]:
    """Logits of all candidates, shape (candidates, 2); zeros but for those of some questions."""
    return span_logits(classifier, work.passages, work.passages.of(questions), work.place, work.run)


# The verdict


def judge(work: SpanWork, head: HeadChoice, chosen: Chosen, simple: dict[str, rivals.Answers]) -> Result:
    """Figures, baselines and verdict on the judged questions.

    Raises:
        RecipeError: the model never finds an answer.
    """
    plan, study, asked, reader = work.plan, work.study, work.asked, work.reader
    goal, rows = study.goal, study.judged
    logits = chosen.answers.scores
    if logits is None:
        raise AssertionError("logits are always there")
    above = chosen.classifier.module.config.no_answer_above
    said = reader.said(logits, rows, above if not study.folds or above is None else 0.0)  # folds: each has its own
    listed, spoken = rows.tolist(), reader.spoken(said, rows)
    right, groups = [asked.right(row) for row in listed], asked.families(listed)
    failure = sm.learned(said, right, logits[work.passages.candidates(rows)])
    if failure is not None:
        raise RecipeError(failure.code, failure.what, failure.expected, failure.fix)
    ours, theirs = sm.score(spoken, right), {name: sm.score(each, right) for name, each in simple.items()}
    return Result(
        **about(work, chosen),
        rows={"train": len(study.train), "validation": len(study.validation), "test": len(rows)},
        metrics=sm.figures(ours, groups),
        baselines={name: sm.figures(scores, groups) for name, scores in theirs.items()},
        verdict=sm.judge(
            goal.metric, ours, theirs, groups, cross_validated=bool(study.folds),
            test_fraction=None if study.own_test else plan.evaluation.test_fraction,
        ),
        classes=sm.per_kind(spoken, right),
        mistakes=sm.mistakes(asked, listed, said, spoken),
        curves={**chosen.curves, **work.fitter.curve(head.head.strength)},
    )  # fmt: skip


# The end


def save_and_verify(work: SpanWork, chosen: Chosen) -> None:
    """Write `model/`, load it again, and compare what it says of every token with what it said in the run."""
    folder, rows = work.run.directory / "model", work.study.judged[:VERIFIED_ROWS]
    some = work.passages.candidates(rows)

    def logits(loaded: Classifier) -> NDArray[Any]:
        return span_logits(loaded, work.passages, work.passages.of(rows), work.place)[some]

    def do() -> None:
        save.save(chosen.classifier, folder, work.passages.max_length)
        save.verify(folder, KIND, logits, chosen.sample_logits[some], work.place, REGRESSION)

    work.run.on_main(do)


STEPS = Steps(make_job, partial(fine_tune, kind=SpanTrainer), head_alone, trained_body, save_and_verify)
