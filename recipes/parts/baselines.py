"""What a model must beat: a trivial answer, counting words, and the nearest class average.

Labels and predictions have the form of `recipes.parts.metrics`; every function returns its predictions in the order of
the test rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

from recipes.parts.metrics import DEFAULT_METRIC, HIGHER_IS_BETTER, MULTI, REGRESSION, SINGLE, score

#: What each baseline is called in a sentence.
NAMES = {
    "majority": "always answering the most frequent class",
    "word_counts": "counting words",
    "picture_statistics": "colours and edges alone",
    "sound_statistics": "how loud each pitch is alone",
    "nearest_centroid": "the nearest class average",
    "from_scratch": "the same model without pretraining",
    "untuned": "the untuned model",
    "longer": "always liking the longer answer",
    "few_shot": "the untuned model with examples in its prompt",
    "most_frequent_tag": "giving each word its most frequent tag",
    "alike_sentence": "the sentence most like the question",
    "span_regression": "a regression on pieces of the text",
    "never_answering": "always saying that there is no answer",
    "crf": "a conditional random field on spelling (CRF)",
    "rare_words": "comparing words, rare ones more (TF-IDF)",
    "word_overlap": "counting shared words",
    "copied": "copying the text",
    "first_words": "the first words of the text",
    "nearest_row": "the answer of the most similar row learned from",
}
#: Names that differ where the answer is a number.
NUMBER_NAMES = {
    "majority": "always answering the average",
    "word_counts": "counting words",
    "picture_statistics": "colours and edges alone",
    "sound_statistics": "how loud each pitch is alone",
    "nearest_centroid": "the average of the nearest rows",
    "from_scratch": "the same model without pretraining",
}

STRENGTH = 10.0  #: C of the logistic regression where there are too many or too few rows to choose it
STRENGTHS = (1.0, 10.0, 100.0)  #: tried otherwise; measured: 10 and 100 win on single-label sets, 100 on multi-label
ENOUGH = 30  #: rows from which C is chosen by cross-validation
AFFORDABLE = 30_000_000  #: word counts x classes up to which C is chosen: some ten fits within half a minute
MANY = 20_000  #: rows from which the solver makes few passes
LARGE = 20_000_000  #: characters from which words are hashed: a list of all word pairs would take gigabytes
READ = 4_000  #: characters read of each text then; the model reads some 2,000
PASSES = 5  #: of the solver over the rows when there are many; measured: as good as 50 passes, in a fifth of the time
NEIGHBOURS = 5


@dataclass(frozen=True)
class Predictions:
    """What a model answers for the test rows.

    Attributes:
        prediction: class indices, shape (rows,); multi-label: 0/1, shape (rows, classes); regression: floats.
        scores: probabilities, shape (rows, classes); None where there are none.
    """

    prediction: NDArray[Any]
    scores: NDArray[np.float64] | None = None


def name_of(baseline: str, problem: str) -> str:
    """How a sentence calls a baseline."""
    return (NUMBER_NAMES if problem == REGRESSION else NAMES).get(baseline, baseline.replace("_", " "))


def majority(train_labels: Any, test_rows: int, *, problem: str, classes: int) -> Predictions:
    """The same answer for every row: the most frequent class, the most frequent set of labels, or the mean.

    Args:
        train_labels: shape (train rows,) or (train rows, classes).
        test_rows: how many answers are wanted.
        problem: as in the plan.
        classes: number of classes; 0 for regression.
    """
    labels = np.asarray(train_labels)
    if problem == REGRESSION:
        return Predictions(np.full(test_rows, float(labels.mean())))
    if problem == SINGLE:
        counts = np.bincount(labels, minlength=classes)
        answer: Any = int(counts.argmax())
        return Predictions(np.full(test_rows, answer), np.tile(counts / counts.sum(), (test_rows, 1)))
    sets, counts = np.unique(labels, axis=0, return_counts=True)
    return Predictions(np.tile(sets[counts.argmax()], (test_rows, 1)), np.tile(labels.mean(axis=0), (test_rows, 1)))


def word_counts(
    train_texts: Sequence[str],
    train_labels: Any,
    test_texts: Sequence[str],
    *,
    problem: str,
    classes: int,
    validation: tuple[Sequence[str], Any] | None = None,
    class_weight: str | None = None,
) -> Predictions:
    """TF-IDF of words and word pairs with a linear model: hard to beat on long texts, done in seconds.

    Logistic regression (one a label for multi-label), ridge regression for numbers. Languages written without spaces
    are read in characters and pairs of them.

    Args:
        train_texts: shape (train rows,); labels likewise, in the form of `recipes.parts.metrics`.
        test_texts: shape (test rows,).
        problem: as in the plan.
        classes: number of classes; 0 for regression.
        validation: texts and labels on which the regularisation is chosen (without them: cross-validation on the
            training rows); the model is then fitted on both.
        class_weight: "balanced" or None, as the model was trained.
    """
    texts, labels = list(train_texts), np.asarray(train_labels)
    fit = _Fit(problem, classes, class_weight)
    held_out = np.arange(len(texts), len(texts) + (len(validation[0]) if validation is not None else 0))
    if validation is not None and len(held_out):
        texts, labels = texts + list(validation[0]), np.concatenate([labels, np.asarray(validation[1])])
    vectorizer, features = _vectorize(texts)
    strength = _best_strength(fit, features, labels, held_out)
    return fit(features, labels, vectorizer.transform(test_texts), strength)


def nearest_centroid(
    train_features: Any, train_labels: Any, test_features: Any, *, problem: str, classes: int
) -> Predictions:
    """The class whose average is nearest among the frozen model's features: what the pretrained model knows already.

    Args:
        train_features: shape (train rows, width); test_features: shape (test rows, width). Scaled to length 1 here.
        train_labels: in the form of `recipes.parts.metrics`. Multi-label: a label is given when the average of its
            rows is nearer than that of the others. Regression: the mean of the five nearest rows.
    """
    train, test, labels = normalize(train_features), normalize(test_features), np.asarray(train_labels)
    if problem == REGRESSION:
        nearest = KNeighborsRegressor(n_neighbors=min(NEIGHBOURS, len(labels))).fit(train, labels)
        return Predictions(nearest.predict(test))
    if problem == SINGLE:
        scores = _centroid_scores(train, labels, test, classes)
        return Predictions(scores.argmax(axis=1), scores)
    scores = np.column_stack([_centroid_scores(train, labels[:, each], test, 2)[:, 1] for each in range(classes)])
    return Predictions((scores > 0.5).astype(np.intp), scores)


def _centroid_scores(train: Any, labels: NDArray[Any], test: Any, classes: int) -> NDArray[np.float64]:
    """Probabilities from the distances to the class averages; shape (test rows, classes)."""
    present = np.unique(labels)
    scores = np.zeros((test.shape[0], classes))
    if len(present) == 1:
        scores[:, int(present[0])] = 1.0
        return scores
    with warnings.catch_warnings():  # a feature that is silent in a whole class is usual after a ReLU, and no harm
        warnings.filterwarnings("ignore", message="self.within_class_std_dev_", category=UserWarning)
        centroids = NearestCentroid(priors="uniform").fit(train, labels)
    scores[:, centroids.classes_.astype(np.intp)] = centroids.predict_proba(test)
    return scores


def _vectorize(texts: list[str]) -> tuple[Any, Any]:
    """Fit TF-IDF (words and word pairs) and return it with the features of `texts`, shape (rows, words)."""
    kind: dict[str, Any] = {"ngram_range": (1, 2)}
    if _without_spaces(texts):
        kind["analyzer"] = "char"
    if sum(len(text) for text in texts) > LARGE:
        counts = HashingVectorizer(**kind, n_features=2**20, alternate_sign=False, norm=None, preprocessor=_beginning)
        return _fitted(make_pipeline(counts, TfidfTransformer()), texts)
    try:
        return _fitted(TfidfVectorizer(**kind), texts)
    except ValueError:  # no words at all: texts of symbols, or of single letters
        return _fitted(TfidfVectorizer(**{**kind, "analyzer": "char"}), [text or " " for text in texts])


def _fitted(vectorizer: Any, texts: list[str]) -> tuple[Any, Any]:
    return vectorizer, vectorizer.fit_transform(texts)


def _beginning(text: str) -> str:
    return text[:READ].lower()


def _without_spaces(texts: list[str]) -> bool:
    """Whether most letters are of a script that puts no spaces between words (Chinese, Japanese, Thai, …)."""
    sample = "".join(text[:200] for text in texts[:500])
    letters = [letter for letter in sample if letter.isalpha()]
    spaceless = sum(1 for letter in letters if "\u0e00" <= letter <= "\u0eff" or "\u3040" <= letter <= "\u9fff")
    return spaceless > len(letters) / 2


@dataclass(frozen=True)
class _Fit:
    """A linear model for a problem: fit on features and labels, answer for other features."""

    problem: str
    classes: int
    class_weight: str | None

    def __call__(self, features: Any, labels: NDArray[Any], test: Any, strength: float) -> Predictions:
        if self.problem == REGRESSION:
            return Predictions(Ridge(alpha=10 / strength, solver="sparse_cg").fit(features, labels).predict(test))
        marks = labels if self.problem == MULTI else np.eye(self.classes, dtype=np.intp)[labels]
        scores = self._each_class(features, marks, test, strength)
        if self.problem == MULTI:
            return Predictions((scores > 0.5).astype(np.intp), scores)
        scores = normalize(scores, norm="l1")
        return Predictions(scores.argmax(axis=1), scores)

    def _each_class(self, features: Any, marks: NDArray[Any], test: Any, strength: float) -> NDArray[np.float64]:
        """One yes-or-no model a class, shape (test rows, classes); what all or no rows have needs no model."""
        scores = np.tile(marks.mean(axis=0), (test.shape[0], 1)).astype(np.float64)
        varied = np.flatnonzero((marks.min(axis=0) == 0) & (marks.max(axis=0) == 1))
        if self.problem != MULTI and len(varied) == 2:  # two classes: one model says both
            first = self._one_class(features, marks[:, varied[0]], test, strength)
            scores[:, varied[0]], scores[:, varied[1]] = first, 1 - first
            return scores
        for each in varied:
            scores[:, each] = self._one_class(features, marks[:, each], test, strength)
        return scores

    def _one_class(self, features: Any, marks: NDArray[Any], test: Any, strength: float) -> NDArray[np.float64]:
        # On wide sparse features liblinear's dual solver is some 40 times as fast as L-BFGS, with the same answers.
        model = LogisticRegression(
            C=strength,
            class_weight=self.class_weight,
            solver="liblinear",
            dual=True,
            max_iter=1000 if features.shape[0] <= MANY else PASSES,
            random_state=0,
        )
        with warnings.catch_warnings():  # the last digits of the weights may be missing: no answer hangs on them
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, marks)
        return np.asarray(model.predict_proba(test)[:, 1])


def _best_strength(fit: _Fit, features: Any, labels: NDArray[Any], held_out: NDArray[np.intp]) -> float:
    """The regularisation that does best on the validation rows, else in 3-fold cross-validation; 10 wins ties."""
    rows = len(labels)
    if rows < ENOUGH or features.nnz * max(1, fit.classes) > AFFORDABLE:
        return STRENGTH
    parts = [held_out] if len(held_out) else [test for _, test in KFold(3, shuffle=True, random_state=0).split(labels)]
    metric = DEFAULT_METRIC[fit.problem]
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    found = {}
    for strength in sorted(STRENGTHS, key=lambda value: value != STRENGTH):
        figures = []
        for part in parts:
            rest = np.setdiff1d(np.arange(rows), part)
            answer = fit(features[rest], labels[rest], features[part], strength)
            figures.append(score(fit.problem, metric, labels[part], answer.prediction, fit.classes or None))
        found[strength] = sign * float(np.mean(figures))
    return max(found, key=lambda strength: found[strength])
