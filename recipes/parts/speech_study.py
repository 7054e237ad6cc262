"""Recordings with their transcripts: read, faulty ones named and left out, and test recordings set aside.

study = read_study(plan, run, rate=16000, longest=30.0)
study.texts, study.clips, study.train, study.validation, study.test
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.parts import audio, copies, data, splits
from recipes.parts.audio import Clips
from recipes.parts.context import RunContext
from recipes.parts.errors import RecipeError
from recipes.plan import Plan

TEST_FRACTION, VALIDATION_FRACTION = 0.2, 0.1  # where the plan leaves them open
MOST_VALIDATION = 100  # recordings: writing them down is slow, and these tell enough
SAME_SENTENCES = 0.5  # from this share of repeated sentences on, only equal recordings count as copies
OWN_NAME = "file"  # the column with the name that a person knows, where recordings were unpacked from an archive
CHARACTERS_A_SECOND = 40.0  # nobody speaks faster: such a transcript belongs to another recording


@dataclass(frozen=True)
class SpeechStudy:
    """All usable rows and which of them learn, steer and judge.

    Attributes:
        clips: the sound of every row that was read; sounds: shape (rows,): each row's number in it.
        names: each row's recording, as the rows name it.
        numbers: shape (rows,): the row's number in its file, from 1.
        speakers: shape (rows,), or None.
        train, validation, test: row indices, shape (n,) each.
    """

    clips: Clips
    sounds: NDArray[np.int64]
    texts: list[str]
    names: list[str]
    numbers: NDArray[np.int64]
    speakers: list[Any] | None
    train: NDArray[Any]
    validation: NDArray[Any]
    test: NDArray[Any]
    own_test: bool

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Length of each row's recording, shape (rows,)."""
        found: NDArray[np.float64] = self.clips.seconds[self.sounds]
        return found

    def samples(self, row: int) -> NDArray[np.float32]:
        """The sound of a row, shape (samples,)."""
        return self.clips.samples(int(self.sounds[row]))

    def texts_of(self, rows: NDArray[Any]) -> list[str]:
        """Transcripts of some rows."""
        return [self.texts[row] for row in rows]

    def speakers_of(self, rows: NDArray[Any]) -> list[Any] | None:
        """Speakers of some rows, where the plan names a column for them."""
        return None if self.speakers is None else [self.speakers[row] for row in rows]


@dataclass(frozen=True)
class Spoken:
    """Rows of one file. `names`: of the recordings as the rows have them; `shown`: as the person knows them."""

    texts: list[str]
    names: list[str]
    shown: list[str]
    paths: list[Path]
    numbers: list[int]
    speakers: list[Any]


def read_study(plan: Plan, run: RunContext, *, rate: int, longest: float) -> SpeechStudy:
    """Read the plan's rows and their recordings, and divide them.

    Args:
        longest: seconds of a recording that the model can hear at once; longer ones are left out.

    Raises:
        RecipeError: the data cannot be used. splits.CannotSplit: it cannot be divided.
    """
    files = [(plan.data.source or "", plan.data.name or plan.data.source or "", "train")]
    if plan.data.test_source:
        files.append((plan.data.test_source, plan.data.test_name or plan.data.test_source, "test"))
    read = [
        named_rows(plan, data.read_records(source, run.directory, split), run, name) for source, name, split in files
    ]
    paths = [path for rows in read for path in rows.paths]
    clips = audio.read_clips(
        paths, rate=rate, cache=run.cache, check_stop=run.check_stop,
        tell=lambda done, total: run.progress(0, total, None, f"reading recording {done:,}"),
    )  # fmt: skip
    kept, offset = [], 0
    for rows, (_, name, _) in zip(read, files, strict=True):
        kept.append(_usable(rows, offset, clips, longest, run, name))
        offset += len(rows.texts)
    return _divided(plan, run, read, kept, clips)


def named_rows(plan: Plan, records: list[data.Record], run: RunContext, file_name: str) -> Spoken:
    """Rows that have both a transcript and a recording's name; the others are counted in a warning.

    Raises:
        RecipeError: `column-missing` or `no-usable-rows`.
    """
    sound, words = _column(plan, records, "audio", file_name), _column(plan, records, "transcript", file_name)
    group = plan.column("group")
    rows = Spoken([], [], [], [], [], [])
    for number, record in enumerate(records, start=1):
        text = " ".join(str(record.get(words) or "").split())
        if not text or not record.get(sound):
            continue
        rows.texts.append(text)
        rows.names.append(str(record[sound].get("path") if isinstance(record[sound], dict) else record[sound]))
        rows.shown.append(audio.name_of(record.get(OWN_NAME) or rows.names[-1]))
        rows.paths.append(data.file_in(run.directory, rows.names[-1]) or Path())
        rows.numbers.append(number)
        rows.speakers.append(record.get(group[0]) if group else None)
    missing = len(records) - len(rows.texts)
    if missing:
        run.warn(
            "rows-left-out",
            f"{missing:,} of {len(records):,} rows of {file_name} are left out: they lack a transcript or a recording.",
        )
    if not rows.texts:
        raise audio.no_usable_sound(len(records), file_name, {})
    return rows


def _column(plan: Plan, records: list[data.Record], role: str, file_name: str) -> str:
    present = {column for record in records[:1000] for column in record}
    found = plan.column(role)
    if found and found[0] in present:
        return found[0]
    raise RecipeError(
        "column-missing",
        f"{file_name} has no column “{found[0] if found else ''}”, which the plan uses as the {role}.",
        f"Its columns are: {', '.join(sorted(present)[:30]) or 'none'}.",
        "Choose one of these columns, or rename the column in the file.",
    )


def _usable(rows: Spoken, offset: int, clips: Clips, longest: float, run: RunContext, file_name: str) -> list[int]:
    """Places of the rows of a file whose recordings can be used; the others are named in a warning."""
    faults: dict[str, str] = {}
    kept = []
    for place in range(len(rows.names)):
        seconds = float(clips.seconds[offset + place])
        why = clips.faults.get(offset + place)
        if why is None and seconds > longest:
            why = f"is {seconds:.0f} seconds long, and the model hears {longest:g} at once"
        if why is None and len(rows.texts[place]) > max(20.0, CHARACTERS_A_SECOND * seconds):
            why = f"lasts {seconds:.1f} seconds, too short for its {len(rows.texts[place]):,} characters of transcript"
        if why is None:
            kept.append(place)
        else:
            faults[rows.shown[place]] = why
    left_out = len(rows.names) - len(kept)
    if left_out:
        run.warn("rows-left-out", audio.say_faults(faults, len(rows.names), file_name))
    if not kept:
        raise audio.no_usable_sound(len(rows.names), file_name, faults)
    return kept


def _divided(plan: Plan, run: RunContext, read: list[Spoken], kept: list[list[int]], clips: Clips) -> SpeechStudy:
    """The study, its test rows set aside before anything is trained."""
    first = [read[0].texts[place] for place in kept[0]]
    own_test = len(read) > 1
    sounds = np.array(kept[0] + [len(read[0].texts) + place for place in (kept[1] if own_test else [])], dtype=np.int64)
    texts = first + ([read[1].texts[place] for place in kept[1]] if own_test else [])
    speakers = [rows.speakers[place] for rows, places in zip(read, kept, strict=True) for place in places]
    has_speakers = bool(plan.column("group"))
    keys = _copy_keys(texts, [clips.content[sound] for sound in sounds], run)
    seconds = clips.seconds[sounds]
    parts = run.on_main(
        lambda: splits.split(
            keys[: len(first)],
            seconds[: len(first)],
            problem="regression",
            test_fraction=plan.evaluation.test_fraction or TEST_FRACTION,
            validation_fraction=_validation_fraction(plan, len(first)),
            seed=plan.training.seed,
            groups=speakers[: len(first)] if has_speakers and not own_test else None,
            fixed_test=keys[len(first) :] if own_test else None,
        )
    )
    for sentence in parts.notes:
        run.note(sentence)
    return SpeechStudy(
        clips=clips,
        sounds=sounds,
        texts=texts,
        names=[rows.names[place] for rows, places in zip(read, kept, strict=True) for place in places],
        numbers=np.array([rows.numbers[p] for rows, places in zip(read, kept, strict=True) for p in places]),
        speakers=speakers if has_speakers else None,
        train=parts.train,
        validation=parts.validation,
        test=np.arange(len(first), len(texts)) if own_test else parts.test,
        own_test=own_test,
    )


def _validation_fraction(plan: Plan, rows: int) -> float:
    """The plan's share; otherwise a tenth, but not more recordings than are needed."""
    return plan.evaluation.validation_fraction or min(VALIDATION_FRACTION, MOST_VALIDATION / max(1, rows))


def _copy_keys(texts: list[str], content: list[str], run: RunContext) -> list[str]:
    """What tells whether two rows are copies: the sentence, so that none is both learned and asked.

    Where most sentences are said again and again (commands, digits), that would leave nothing to divide: then the
    sound file's content is what counts.
    """
    different = len({copies.normalised(text) for text in texts})
    if different >= (1 - SAME_SENTENCES) * len(texts):
        return texts
    run.note(
        f"There are {different:,} different sentences in {len(texts):,} recordings, so test recordings hold sentences "
        "that were also learned, said another time."
    )
    return content
