"""Error rates with their intervals, what is said of them, and what shows that nothing was learned."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.parts import speech_metrics
from recipes.parts.speech_metrics import Counts

ENGLISH = speech_metrics.normaliser("en")


def counts(errors: list[int], words: int = 10) -> Counts:
    """Utterances of ten words with some wrong ones; a wrong word is four wrong characters of fifty."""
    wrong = np.array(errors, dtype=np.float64)
    return Counts(wrong, np.full(len(errors), float(words)), 4 * wrong, np.full(len(errors), 5.0 * words))


def test_errors_are_counted_after_the_same_normaliser() -> None:
    """Case, punctuation, numbers and short forms are no errors; words are."""
    said = ["Mr. Smith can't come at 10!", "the cat sat on the mat", "..."]
    heard = ["mister smith can not come at ten", "the bat sat the mat mat", "um"]
    found = speech_metrics.count_errors(said, heard, ENGLISH)
    assert found.word_errors.tolist() == [0, 3, 0]  # one replaced, one left out, one too many; “um” is a filler
    assert found.words.tolist()[1:] == [6, 0]
    assert found.character_errors[1] > 0


def test_languages_without_spaces_count_characters() -> None:
    normal = speech_metrics.normaliser("ja")
    found = speech_metrics.count_errors(["今日は雨"], ["今日は晴"], normal)
    assert (found.word_errors[0], found.words[0]) == (1, 4)


def test_rates_are_of_all_words_and_intervals_hold_them() -> None:
    """Long utterances count more; speakers widen the interval."""
    found = speech_metrics.figures(Counts(*(np.array(each, float) for each in ([5, 0], [5, 45], [9, 0], [10, 90]))))
    assert found["wer"].value == pytest.approx(0.1) and found["cer"].value == pytest.approx(0.09)
    errors = [0] * 40 + [6] * 40
    alone = speech_metrics.figures(counts(errors))["wer"]
    grouped = speech_metrics.figures(counts(errors), ["a"] * 20 + ["b"] * 20 + ["c"] * 20 + ["d"] * 20)["wer"]
    assert alone.low is not None and alone.high is not None and grouped.low is not None and grouped.high is not None
    assert alone.low < 0.3 < alone.high
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_verdicts() -> None:
    """Better, worse, the same, and too few; in sentences that a beginner reads."""
    chance = np.random.default_rng(0)
    before = chance.binomial(10, 0.6, 64).tolist()
    after = chance.binomial(10, 0.15, 64).tolist()
    found = speech_metrics.judge("wer", counts(after), counts(before))
    assert found.code == "better" and found.best_baseline == "untuned" and found.metric == "wer"
    assert "of 100 words, 1" in found.text and "before the training it were" not in found.text
    assert found.difference is not None and found.difference.value == pytest.approx(0.45, abs=0.05)
    assert speech_metrics.judge("wer", counts(before), counts(after)).code == "worse"
    assert speech_metrics.judge("wer", counts(after * 10), counts(after * 10)).code == "same"
    few = speech_metrics.judge("wer", counts(after[:12]), counts(before[:12]), test_fraction=0.2)
    assert few.code == "not_enough_data" and "too few" in few.text


def test_what_learned_nothing() -> None:
    """One sentence for everything, or more errors than words, is a failure; a poor model is not."""
    same = ["thank you"] * 10
    before = [f"sentence {number}" for number in range(10)]
    failure = speech_metrics.learned(same, before, counts([9] * 10), counts([6] * 10))
    assert failure is not None and failure.code == "one-class-predicted" and "thank you" in failure.what
    failure = speech_metrics.learned(before, before, counts([20] * 10), counts([6] * 10))
    assert failure is not None and "invents" in failure.what
    assert speech_metrics.learned(before, before, counts([5] * 10), counts([6] * 10)) is None


def test_forgetting() -> None:
    forgotten, sentence = speech_metrics.forgetting(counts([2] * 10), counts([1] * 10), "a book")
    assert forgotten and "10 of 100" in sentence and "20 are now" in sentence
    forgotten, sentence = speech_metrics.forgetting(counts([1] * 10), counts([1] * 10), "a book")
    assert not forgotten and "still there" in sentence
    forgotten, sentence = speech_metrics.forgetting(counts([2, *[1] * 9]), counts([1] * 10), "a book")
    assert not forgotten and "may have lost a little" in sentence and "11 are now" in sentence


def test_the_words_most_often_wrong() -> None:
    said = ["the whale swims", "a whale", "the ship"]
    heard = ["the well swims", "a well", "the"]
    words = speech_metrics.worst_words(said, heard, ENGLISH)
    assert [(word.word, word.said, word.wrong, word.heard) for word in words] == [
        ("whale", 2, 2, "well"),
        ("ship", 1, 1, ""),
    ]
