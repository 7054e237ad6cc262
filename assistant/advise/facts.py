"""What the adviser needs to know of a data set: rows, classes, lengths in tokens, language. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.data.profile import ColumnProfile, Profile

CHARACTERS_PER_TOKEN = 4.2  # English prose through a BERT vocabulary: 4.0 to 4.6 measured on news and reviews
_PRIOR_TOKENS = 60.0  # weight of that figure against the few samples at hand
_Z99 = 2.326  # standard normal deviate of the 99th percentile
#: Above this share of the largest class, or from this ratio on, accuracy hides the rare classes.
LARGEST_SHARE = 0.8
LARGEST_RATIO = 10
#: Roles whose text the model reads, by which lengths are judged.
TEXT_ROLES = (
    "text", "source", "question", "context", "messages", "prompt", "completion", "tokens", "sentence1", "sentence2",
    "anchor", "positive", "negative", "chosen", "rejected", "target",
)  # fmt: skip
USUAL_CLIP_SECONDS = 5.0  # where nothing is known of the recordings
SPOKEN_A_SECOND = 15.0  # characters of read speech: about 150 English words a minute
LABEL_ROLES = ("label", "tags", "score")
_PIECE = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
_WIDE = re.compile(
    "[\u0e00-\u0e7f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)  # scripts written without spaces


def count_tokens(text: str) -> int:
    """Tokens of a text through a BERT vocabulary, roughly: within 6 % on e-mails, news and reviews (measured)."""
    count = 0
    for piece in _PIECE.findall(text):
        if piece.isdigit():
            count += math.ceil(len(piece) / 3)
        elif _WIDE.search(piece):
            count += len(piece)
        else:
            count += 1 if len(piece) <= 7 else 1 + (len(piece) - 4) // 5
    return count


@dataclass(frozen=True)
class DataFacts:
    """A data set in figures.

    Attributes:
        rows: rows with everything that is needed; test_rows: rows of the person's own test file, None without one.
        class_counts: rows of each class (the 50 largest); empty for regression and other tasks.
        classes: number of classes; 0 where there are none.
        mean_tokens, p99_tokens: length of a text.
        language: ISO 639-1 code, None when unsure; languages: all that were seen, the most frequent first.
        missing: rows left out because a cell is empty.
        clip_seconds: mean length of the recordings.
    """

    rows: int
    test_rows: int | None
    class_counts: tuple[int, ...]
    classes: int
    mean_tokens: float
    p99_tokens: int
    characters: float
    language: str | None
    missing: int = 0
    languages: tuple[str, ...] = ()
    clip_seconds: float = USUAL_CLIP_SECONDS

    @property
    def smallest_class(self) -> int:
        """Rows of the rarest class; rows / 20 where there are no classes (a number needs about that many)."""
        return min(self.class_counts, default=self.rows // 20)

    @property
    def per_class(self) -> float:
        """Mean rows a class."""
        return self.rows / self.classes if self.classes else self.rows / 10

    @property
    def uneven(self) -> bool:
        """Whether always answering the largest class would look good."""
        if len(self.class_counts) < 2:
            return False
        largest, smallest = max(self.class_counts), min(self.class_counts)
        return largest > LARGEST_SHARE * sum(self.class_counts) or largest >= LARGEST_RATIO * smallest

    def share_longer_than(self, tokens: int) -> float:
        """Share of the texts that a limit would cut, by a log-normal of the same mean and 99th percentile."""
        mu, sigma = self._log_normal()
        return 1 - _normal((math.log(max(tokens, 1)) - mu) / sigma)

    def tokens_read(self, limit: int) -> float:
        """Mean tokens of a text once it is cut at a limit."""
        mu, sigma = self._log_normal()
        where = math.log(max(limit, 1))
        below = math.exp(mu + sigma * sigma / 2) * _normal((where - mu - sigma * sigma) / sigma)
        return max(1.0, min(float(limit), below + limit * (1 - _normal((where - mu) / sigma))))

    def _log_normal(self) -> tuple[float, float]:
        mean = max(self.mean_tokens, 1.0)
        spread = math.log(max(self.p99_tokens / mean, 1.02))
        sigma = max(0.02, _Z99 - math.sqrt(max(0.0, _Z99 * _Z99 - 2 * spread)))
        return math.log(mean) - sigma * sigma / 2, sigma


def _normal(deviate: float) -> float:
    return 0.5 * (1 + math.erf(deviate / math.sqrt(2)))


def read(
    profile: Profile | None, columns: Mapping[str, str | Sequence[str]], problem: str | None, test_rows: int | None
) -> DataFacts:
    """The figures of a profile for a choice of columns; a small typical data set where there is no profile yet."""
    if profile is None:
        return DataFacts(
            rows=1000, test_rows=test_rows, class_counts=(), classes=2, mean_tokens=60.0, p99_tokens=200,
            characters=250.0, language=None,
        )  # fmt: skip
    texts = [profile.column(name) for role in TEXT_ROLES for name in names_of(columns.get(role))]
    present = [column for column in texts if column is not None]
    labels = [profile.column(name) for role in LABEL_ROLES for name in names_of(columns.get(role))]
    counts = _class_counts([column for column in labels if column is not None], problem)
    missing = max((_missing(profile, names_of(columns.get(role))) for role in (*TEXT_ROLES, *LABEL_ROLES)), default=0)
    mean, longest = _lengths(profile, present)
    known = [column for column in labels if column is not None]
    return DataFacts(
        rows=max(0, profile.rows - missing),
        test_rows=test_rows,
        class_counts=counts,
        classes=_classes(known, counts, problem),
        mean_tokens=mean,
        p99_tokens=longest,
        characters=sum(column.mean_length for column in present),
        language=_language(profile, present),
        missing=missing,
        languages=tuple(profile.languages),
        clip_seconds=profile.clip_seconds or _spoken_seconds(profile, names_of(columns.get("transcript"))),
    )


def _spoken_seconds(profile: Profile, transcripts: list[str]) -> float:
    columns = [profile.column(name) for name in transcripts]
    characters = sum(column.mean_length for column in columns if column is not None)
    return min(30.0, max(1.0, characters / SPOKEN_A_SECOND)) if characters else USUAL_CLIP_SECONDS


def _missing(profile: Profile, names: list[str]) -> int:
    """Rows without anything in a role, at least: of columns that are joined, one that is filled is enough."""
    columns = [column for column in map(profile.column, names) if column is not None]
    return min((column.missing for column in columns), default=0)


def names_of(value: Any) -> list[str]:
    """A role's columns as a list."""
    if not value:
        return []
    return [value] if isinstance(value, str) else [str(name) for name in value]


def _class_counts(labels: list[ColumnProfile], problem: str | None) -> tuple[int, ...]:
    if problem == "regression" or not labels:
        return ()
    return tuple(sorted((count for count in labels[0].label_counts.values() if count > 0), reverse=True))


def _classes(labels: list[ColumnProfile], counts: tuple[int, ...], problem: str | None) -> int:
    if problem == "regression" or not labels:
        return 0
    separated = labels[0].separator is not None or problem == "multi_label_classification"
    return len(counts) if separated and counts else max(len(counts), labels[0].unique)


def _lengths(profile: Profile, columns: list[ColumnProfile]) -> tuple[float, int]:
    """Mean and 99th percentile of tokens a row, all columns joined; lists hold words, texts hold characters."""
    mean = longest = 0.0
    for column in columns:
        if column.kind == "tokens":
            mean, longest = mean + 1.3 * column.mean_length, longest + 1.3 * column.p99_length
            continue
        if column.kind == "messages":  # turns of a chat
            mean, longest = mean + 45 * column.mean_length, longest + 60 * column.p99_length
            continue
        each = _characters_per_token([row.get(column.name, "") for row in profile.sample] + column.examples)
        mean, longest = mean + column.mean_length / each, longest + column.p99_length / each
    mean = max(mean, 1.0) + 2  # the start and end tokens
    return mean, max(math.ceil(longest) + 2, math.ceil(mean))


def _characters_per_token(samples: Sequence[str]) -> float:
    """By the samples at hand, drawn towards the figure of English prose: they are few."""
    characters = sum(map(len, samples)) + CHARACTERS_PER_TOKEN * _PRIOR_TOKENS
    return characters / (sum(map(count_tokens, samples)) + _PRIOR_TOKENS)


def _language(profile: Profile, columns: list[ColumnProfile]) -> str | None:
    by_length = sorted(columns, key=lambda column: -column.mean_length)
    found = next((column.language for column in by_length if column.language), None)
    return found or next(iter(profile.languages), None)
