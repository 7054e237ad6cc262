"""How close written texts come to the expected ones: ROUGE, chrF and BLEU with intervals, rivals, and the verdict.

scores = score(written, expected, language)     what every figure sums, row by row
figures(scores), judge("chrf", scores, rivals)

ROUGE counts shared words (Lin 2004), each row alike, without stemming, in any alphabet. chrF and BLEU are those of
sacrebleu over all rows together, here as shares of 1 instead of 100.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq

from recipes.events import Interval, Verdict
from recipes.parts import verdict
from recipes.parts.metrics import FIGURES
from recipes.parts.resample import bootstrap, by_group, group_numbers, totals
from recipes.parts.sentences import figure
from recipes.parts.verdict import Failure

Scores = dict[str, NDArray[np.float64]]  #: figure -> what it sums, shape (rows, columns)
#: What people call a figure -> its name here.
NAMES = {
    "rouge": "rouge_l", "rougel": "rouge_l", "rouge_l": "rouge_l", "rouge1": "rouge_1", "rouge_1": "rouge_1",
    "rouge2": "rouge_2", "rouge_2": "rouge_2", "chrf": "chrf", "bleu": "bleu", "sacrebleu": "bleu",
    "exact_match": "exact_match", "accuracy": "exact_match",
}  # fmt: skip
LETTER_LANGUAGES = {"zh": "zh", "ja": "char", "th": "char", "lo": "char", "km": "char", "my": "char"}
SAME_ANSWERS = 8  # rows from which one answer for all of them is no accident
_WITHOUT_SPACES = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff])")
_WORD = re.compile(r"\w+")


def deciding(wish: str | None, translates: bool) -> str:
    """The figure that decides: the plan's, else chrF for translations and ROUGE-L for other texts."""
    return NAMES.get((wish or "").lower().replace("-", "_"), "chrf" if translates else "rouge_l")


def words(text: str) -> list[str]:
    """Words in lower case; in scripts without spaces, every letter is one."""
    return _WORD.findall(_WITHOUT_SPACES.sub(r" \1 ", text.casefold()))


def rouge_l(mine: str, right: str) -> float:
    """F1 of the longest common sequence of words (Lin 2004), 0 to 1."""
    one, two = words(mine), words(right)
    if not one or not two:
        return float(one == two)
    return float(2 * LCSseq.similarity(one, two) / (len(one) + len(two)))


def rouge_n(mine: str, right: str, size: int) -> float:
    """F1 of the groups of `size` words that both hold (Lin 2004), 0 to 1."""
    one, two = (
        Counter(zip(*(found[start:] for start in range(size)), strict=False)) for found in (words(mine), words(right))
    )
    if not one or not two:
        return float(words(mine) == words(right))
    return 2 * (one & two).total() / (one.total() + two.total())


def score(written: Sequence[str], expected: Sequence[str], language: str = "") -> Scores:
    """What every figure sums over the rows.

    Args:
        language: of the texts, as "de"; decides only where words end for BLEU.
    """
    pairs = list(zip(written, expected, strict=True))
    ones = np.ones(len(pairs))
    each = {
        "exact_match": [float(" ".join(mine.split()) == " ".join(right.split())) for mine, right in pairs],
        "rouge_1": [rouge_n(mine, right, 1) for mine, right in pairs],
        "rouge_2": [rouge_n(mine, right, 2) for mine, right in pairs],
        "rouge_l": [rouge_l(mine, right) for mine, right in pairs],
    }
    found = {name: np.column_stack([values, ones]) for name, values in each.items()}
    chrf, bleu = _libraries(LETTER_LANGUAGES.get(language, "13a"))
    for name, library in (("chrf", chrf), ("bleu", bleu)):
        # What `corpus_score` sums too: the method that every metric of sacrebleu has for tests over resamples.
        sums = library._extract_corpus_statistics(list(written), [list(expected)])
        found[name] = np.array(sums, dtype=np.float64).reshape(len(pairs), -1)
    return found


@cache
def _libraries(tokens: str) -> tuple[Any, Any]:
    from sacrebleu.metrics import BLEU, CHRF

    return CHRF(), BLEU(tokenize=tokens, force=True)


def value(metric: str, scores: Scores) -> float:
    """A figure without its interval."""
    return float(FIGURES[metric](totals(scores[metric]))[0])


def figures(scores: Scores, groups: Sequence[Any] | None = None, keep: str = "") -> dict[str, Interval]:
    """All figures with their intervals; rows (or groups of them) are drawn again.

    Args:
        keep: the figure that decides. How many are right word for word is left out where none is.
    """
    rows = len(next(iter(scores.values())))
    numbers = group_numbers(groups, rows)
    found = {
        name: bootstrap(by_group(columns, numbers), FIGURES[name], bounded=True) for name, columns in scores.items()
    }
    if keep != "exact_match" and found["exact_match"].value == 0:  # nobody writes a summary twice
        found.pop("exact_match")
    return found


def judge(
    metric: str,
    ours: Scores,
    rivals: Mapping[str, Scores],
    groups: Sequence[Any] | None = None,
    test_fraction: float | None = None,
) -> Verdict:
    """Against the best rival on the same rows, by a paired bootstrap.

    Args:
        rivals: the untuned model, and what costs no training.
        test_fraction: share of the rows that was held out; None: the person's own test file.
    """
    columns = ours[metric]
    rows = len(columns)
    numbers = group_numbers(groups, rows)
    best = max(rivals, key=lambda name: value(metric, rivals[name]))
    theirs = value(metric, rivals[best])
    found = verdict.compare_columns(metric, columns, rivals[best][metric], numbers)
    interval = bootstrap(by_group(columns, numbers), FIGURES[metric], bounded=True)
    said = verdict.pronounce(
        "", metric, interval, best, theirs, found, rows,
        noun="texts", cross_validated=False, test_fraction=test_fraction,
    )  # fmt: skip
    if best == "untuned" or "untuned" not in rivals:
        return said
    before = figure(metric, value(metric, rivals["untuned"]))
    return said.model_copy(update={"text": f"{said.text} Before the tuning the model reached {before}."})


def learned(written: Sequence[str], expected: Sequence[str]) -> Failure | None:
    """What shows that the model learned nothing: the same text, or none, for all rows."""
    if len(written) < SAME_ANSWERS or len({text.strip() for text in written}) > 1 or len(set(expected)) < 2:
        return None
    said = written[0].strip()[:60]
    return Failure(
        "one-class-predicted",
        f"The model writes the same for all {len(written):,} test rows: “{said}”."
        if said
        else f"The model writes nothing at all for all {len(written):,} test rows.",
        f"The test rows expect {len(set(expected)):,} different texts.",
        "Check that the right columns were chosen. If they were, train longer, or with a learning rate ten times "
        "smaller where the loss jumps up.",
    )
