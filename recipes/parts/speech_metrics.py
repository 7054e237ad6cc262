"""How well speech is written down: word and character error rates with intervals, before and after, and the verdict.

Counts are kept an utterance, so that utterances (or speakers) can be resampled and two models be compared on the same
draws. Both sides go through the same normaliser: case, punctuation and the spelling of numbers do not count as errors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray

from recipes.events import Heard, Interval, Verdict, WordFigures
from recipes.parts.metrics import FIGURES
from recipes.parts.resample import bootstrap, by_group, group_numbers
from recipes.parts.sentences import count, p_value
from recipes.parts.verdict import ALPHA, FEW_ROWS, Comparison, Failure, compare_columns

Normaliser = Callable[[str], str]
#: Languages that are written without spaces: every character counts as a word (Radford 2022, appendix C).
WITHOUT_SPACES = frozenset({"zh", "ja", "th", "lo", "my", "yue", "bo"})
BLUNT = 0.10  #: an undecided difference between error rates that is known no better than this says nothing
FORGOTTEN = 0.10  #: a rise of the error rate on other speech, as a part of it, that is worth a warning
MOST_WORDS = 20  #: words in the list of those most often wrong
SHOWN = 8  #: utterances with what was heard before and after
TEXT_SHOWN = 400


@dataclass(frozen=True)
class Counts:
    """Errors and lengths of each utterance, shape (utterances,) each, float64."""

    word_errors: NDArray[np.float64]
    words: NDArray[np.float64]
    character_errors: NDArray[np.float64]
    characters: NDArray[np.float64]

    def columns(self, metric: str) -> NDArray[np.float64]:
        """What is resampled for `wer` or `cer`, shape (utterances, 2)."""
        if metric == "wer":
            return np.column_stack([self.word_errors, self.words])
        return np.column_stack([self.character_errors, self.characters])

    def rate(self, metric: str) -> float:
        """Errors over all words (or characters)."""
        errors, whole = self.columns(metric).sum(axis=0)
        return float(errors / max(1.0, whole))


def normaliser(language: str | None, tokenizer: Any = None) -> Normaliser:
    """Whisper's normaliser: the English one for English, the basic one for every other language.

    Args:
        language: as “en”; None: not known.
        tokenizer: Whisper's, which may carry British and American spellings.
    """
    from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

    if language == "en":
        english: Normaliser = EnglishTextNormalizer(getattr(tokenizer, "english_spelling_normalizer", None) or {})
        return english
    basic: Normaliser = BasicTextNormalizer(split_letters=language in WITHOUT_SPACES)
    return basic


def count_errors(references: Sequence[str], heard: Sequence[str], normal: Normaliser) -> Counts:
    """Errors of each utterance; a reference without words counts none, and every word heard in it is an error."""
    found = np.zeros((len(references), 4))
    for number, (reference, said) in enumerate(zip(references, heard, strict=True)):
        one, two = " ".join(words_of(reference, normal)), " ".join(words_of(said, normal))
        if not one:
            found[number] = [len(two.split()), 0, len(two), 0]
            continue
        words, characters = jiwer.process_words(one, two), jiwer.process_characters(one, two)
        found[number] = [
            words.substitutions + words.deletions + words.insertions,
            len(one.split()),
            characters.substitutions + characters.deletions + characters.insertions,
            len(one),
        ]
    return Counts(*found.T)


def words_of(text: str, normal: Normaliser) -> list[str]:
    """The words of a text as they are compared; a lone sign is none."""
    return [word for word in normal(text).split() if any(character.isalnum() for character in word)]


def figures(counts: Counts, groups: Sequence[Any] | None = None) -> dict[str, Interval]:
    """`wer` and `cer` with their intervals, by speaker where utterances share one."""
    numbers = group_numbers(groups, len(counts.words))
    return {
        metric: bootstrap(by_group(counts.columns(metric), numbers), FIGURES[metric], bounded=False)
        for metric in ("wer", "cer")
    }


def compare(metric: str, ours: Counts, theirs: Counts, groups: Sequence[Any] | None = None) -> Comparison:
    """Paired difference of an error rate; positive where ours is smaller."""
    return compare_columns(metric, ours.columns(metric), theirs.columns(metric), group_numbers(groups, len(ours.words)))


def judge(
    metric: str, ours: Counts, theirs: Counts, groups: Sequence[Any] | None = None, test_fraction: float | None = None
) -> Verdict:
    """Against the untuned model on the same recordings, by a paired bootstrap over them (or over speakers).

    Args:
        metric: `wer` or `cer`.
        test_fraction: share of the recordings that was held out; None: the person's own test file.
    """
    rows = len(ours.words)
    speakers = group_numbers(groups, rows)
    units = rows if speakers is None else int(speakers.max()) + 1
    found, comparison = figures(ours, groups)[metric], compare(metric, ours, theirs, groups)
    code = _code(comparison, rows)
    said = f"On {count(rows, 'recordings')} it never saw: {spoken(metric, found)}; {_before(theirs.rate(metric))}"
    said += _ending(code, comparison, rows, test_fraction)
    if speakers is not None and units < 10:
        said += f" They come from {units} speakers only, so other voices may fare differently."
    return Verdict(
        code=code, text=said, best_baseline="untuned", metric=metric, difference=comparison.difference,
        p_value=comparison.p_value,
    )  # fmt: skip


def spoken(metric: str, found: Interval) -> str:
    """ "of 100 words, 15 are wrong (95 % interval 13–17)"."""
    what = "words" if metric == "wer" else "characters"
    bounds = ""
    if found.low is not None and found.high is not None:
        bounds = f" (95 % interval {_hundredths(found.low)}–{_hundredths(found.high)})"
    value = _hundredths(found.value)
    return f"of 100 {what}, {value} {'is' if value == '1' else 'are'} wrong{bounds}"


def _before(rate: float) -> str:
    value = _hundredths(rate)
    return f"before the training, {value} {'was' if value == '1' else 'were'}"


def _hundredths(rate: float) -> str:
    """0.153 -> "15"; small ones with a digit: 0.034 -> "3.4"."""
    hundred = 100 * rate
    text = f"{hundred:.0f}" if hundred >= 9.95 or hundred == 0 else f"{hundred:.1f}"
    return text.removesuffix(".0")


def _code(found: Comparison, rows: int) -> Any:
    if found.p_value < ALPHA and found.difference.value != 0 and rows >= FEW_ROWS:
        return "better" if found.difference.value > 0 else "worse"
    half = ((found.difference.high or 0.0) - (found.difference.low or 0.0)) / 2
    return "not_enough_data" if rows < FEW_ROWS or half > BLUNT else "same"


def _ending(code: str, found: Comparison, rows: int, test_fraction: float | None) -> str:
    if code == "better":
        return f". The training helped, and that is hardly chance ({p_value(found.p_value)})."
    if code == "worse":
        return (
            f". The training did harm, and that is hardly chance ({p_value(found.p_value)}): use the model as it was, "
            "or try a smaller learning rate."
        )
    if code == "same":
        return ". The difference could be chance: the model wrote such speech down about as well before."
    wanted = max(FEW_ROWS, found.rows_wanted)
    more = f" Some {int(np.ceil(wanted / (test_fraction or 1.0) / 10) * 10):,} recordings would show it."
    return f". {count(rows, 'recordings')} are too few to tell whether that is chance.{more}"


def learned(heard: Sequence[str], before: Sequence[str], ours: Counts, theirs: Counts) -> Failure | None:
    """What shows that the model learned nothing, or forgot how to listen; or None."""
    if len(heard) >= 8 and len({text.strip() for text in heard}) == 1 and len(set(before)) > 1:
        said = heard[0].strip()[:60]
        return Failure(
            "one-class-predicted",
            f"The model writes the same for all {len(heard):,} test recordings: “{said}”." if said else
            f"The model writes nothing at all for all {len(heard):,} test recordings.",
            "Each recording says something else.",
            "Check that the transcripts belong to the recordings. If they do, take a learning rate ten times smaller "
            "(Whisper), or many more epochs (a model that never learned letters).",
        )  # fmt: skip
    if ours.rate("wer") > 1.0 and ours.rate("wer") > 1.5 * theirs.rate("wer"):
        return Failure(
            "one-class-predicted",
            f"After the training, more words are wrong ({100 * ours.rate('wer'):.0f} for 100 spoken ones) than before "
            f"({100 * theirs.rate('wer'):.0f}): the model repeats itself or invents words.",
            "Training should lower the share of wrong words.",
            "Take a learning rate ten times smaller, or fewer epochs; and check that the transcripts belong to the "
            "recordings.",
        )
    return None


def forgetting(now: Counts, then: Counts, what: str) -> tuple[bool, str]:
    """Whether other speech is written down worse than before, and a sentence with the figures.

    Args:
        what: the recordings that were used, in words.
    """
    after, before = now.rate("wer"), then.rate("wer")
    figures_said = (
        f"on {what}, {_hundredths(before)} of 100 words were wrong before and {_hundredths(after)} are now "
        f"({int(now.words.sum()):,} words)"
    )
    more = now.word_errors.sum() - then.word_errors.sum()
    if after > before * (1 + FORGOTTEN) and more >= 3:
        return True, (
            f"The model lost some of what it knew: {figures_said}. Fewer epochs, a smaller learning rate, or the "
            "method lora keep more."
        )
    if more > 0:
        return False, f"It may have lost a little of what it knew: {figures_said}; so few words cannot tell for sure."
    return False, f"What it knew is still there: {figures_said}."


def worst_words(references: Sequence[str], heard: Sequence[str], normal: Normaliser) -> list[WordFigures]:
    """The words most often wrong, with how often they were said and what was heard instead."""
    said: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    instead: dict[str, Counter[str]] = {}
    for reference, text in zip(references, heard, strict=True):
        one, two = words_of(reference, normal), words_of(text, normal)
        said.update(one)
        if not one:
            continue
        for chunk in jiwer.process_words(" ".join(one), " ".join(two)).alignments[0]:
            if chunk.type not in ("substitute", "delete"):
                continue
            for place, word in enumerate(one[chunk.ref_start_idx : chunk.ref_end_idx]):
                other = two[chunk.hyp_start_idx + place] if chunk.type == "substitute" else ""
                wrong[word] += 1
                instead.setdefault(word, Counter())[other] += 1
    return [
        WordFigures(word=word, said=said[word], wrong=times, heard=instead[word].most_common(1)[0][0])
        for word, times in sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:MOST_WORDS]
    ]


def side_by_side(
    rows: Sequence[int], recordings: Sequence[str], references: Sequence[str], before: Sequence[str],
    after: Sequence[str], counts: Counts,
) -> list[Heard]:  # fmt: skip
    """The utterances with the most wrong words, what was said, and what was heard before and after."""
    order = np.argsort(-counts.word_errors, kind="stable")[:SHOWN]
    return [
        Heard(
            row=int(rows[place]),
            audio=recordings[place],
            expected=references[place][:TEXT_SHOWN],
            before=before[place][:TEXT_SHOWN],
            after=after[place][:TEXT_SHOWN],
            wrong=int(counts.word_errors[place]),
            words=int(counts.words[place]),
        )
        for place in order.tolist()
    ]
