"""Checks of pictures and recordings: broken ones, odd ones, silent and very short or long ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median

from assistant.data.findings import Check, Finding, View, counted, first_rows, share_of, some_examples
from assistant.data.media import Medium, role_of

#: Pixels of the shorter side below which hardly anything can be seen in a picture.
SMALLEST_SIDE = 16
#: Times as wide as high, or as high as wide: models look at a square.
LONGEST_SHAPE = 4.0
#: Loudness (of 1) below which a recording is silence: -60 dB.
SILENCE = 0.001
SHORTEST_SECONDS = 0.1
#: Broken files that a finding names.
MOST_NAMED = 6
#: Whisper hears 30 seconds at a time; models for sounds hear less.
LONGEST_SECONDS = 30.0
_PLAIN_MODES = ("RGB", "L", "1")


def _media(view: View) -> list[tuple[int, Medium]]:
    return [(row, medium) for row, medium in enumerate(view.media) if medium is not None and medium.seen]


def _names(view: View, rows: Iterable[int]) -> list[str]:
    cells = view.table.frame[str(role_of(view.table))].tolist()
    return some_examples(str(cells[row]) for row in rows)


def broken(view: View) -> Iterable[Finding]:
    """Files that cannot be opened, or end too early."""
    found = [(row, medium) for row, medium in _media(view) if medium.fault]
    if not found:
        return
    rows = [row for row, _ in found]
    what = "picture" if role_of(view.table) == "image" else "recording"
    names = _names(view, rows)
    cells = view.table.frame[str(role_of(view.table))].tolist()
    named = "; ".join(f"{str(cells[row])[-60:]} ({medium.fault})" for row, medium in found[:MOST_NAMED])
    more = f"; and {len(rows) - MOST_NAMED:,} more" if len(rows) > MOST_NAMED else ""
    yield Finding(
        code="broken-media",
        severity="warning",
        rows=first_rows(rows),
        count=len(rows),
        text=f"{counted(len(rows), f'{what} cannot be read', f'{what}s cannot be read')}: {named}{more}. "
        "A run leaves them out.",
        fix="Nothing has to be done if you can spare them; else upload files that open in a viewer or player.",
        fixable=True,
        examples=names,
    )


def odd_images(view: View) -> Iterable[Finding]:
    """Tiny pictures, long stripes, and colours that models do not read as they are."""
    pictures = [(row, medium) for row, medium in _media(view) if medium.width and not medium.fault]
    kinds: dict[str, list[int]] = {}
    for row, medium in pictures:
        sides = sorted((medium.width, medium.height))
        if sides[0] < SMALLEST_SIDE:
            kinds.setdefault(f"smaller than {SMALLEST_SIDE} pixels", []).append(row)
        elif sides[1] > LONGEST_SHAPE * sides[0]:
            kinds.setdefault("long stripes, of which the ends are cut off or squeezed", []).append(row)
        if medium.frames > 1:
            kinds.setdefault("moving, of which only the first frame is seen", []).append(row)
        if medium.mode not in _PLAIN_MODES:
            kinds.setdefault(f"in other colours ({medium.mode})", []).append(row)
    if kinds:
        rows = sorted({row for found in kinds.values() for row in found})
        listed = "; ".join(f"{len(found):,} {kind}" for kind, found in kinds.items())
        yield Finding(
            code="odd-images",
            severity="warning" if len(rows) > 0.05 * len(pictures) and _small(kinds) else "info",
            rows=first_rows(rows),
            count=len(rows),
            text=f"{counted(len(rows), 'picture is', 'pictures are')} out of the ordinary: {listed}. Models look at "
            "squares of some 224 pixels in plain colours, and everything is brought to that.",
            fix="Nothing has to be done when you still see what matters in such a picture; else leave it out.",
            examples=_names(view, rows),
        )


def _small(kinds: dict[str, list[int]]) -> bool:
    return any(kind.startswith("smaller") for kind in kinds)


def is_silent(medium: Medium) -> bool:
    """Whether a recording holds hardly any sound."""
    heard = medium.seen and medium.rate and not medium.fault
    return bool(heard and (medium.peak < SILENCE or medium.seconds < SHORTEST_SECONDS))


def silent(view: View) -> Iterable[Finding]:
    """Recordings without a sound in them, or too short to hold one."""
    clips = [(row, medium) for row, medium in _media(view) if medium.rate and not medium.fault]
    quiet = [row for row, medium in clips if medium.peak < SILENCE]
    short = [row for row, medium in clips if medium.seconds < SHORTEST_SECONDS and medium.peak >= SILENCE]
    rows = sorted(quiet + short)
    if rows:
        parts = [f"{len(quiet):,} silent"] if quiet else []
        parts += [f"{len(short):,} shorter than a tenth of a second"] if short else []
        yield Finding(
            code="silent-audio",
            severity="warning",
            rows=first_rows(rows),
            count=len(rows),
            text=f"{counted(len(rows), 'recording holds', 'recordings hold')} hardly any sound ({', '.join(parts)}). "
            "They teach the model that nothing sounds like their label.",
            fix="Leave them out, or record them again.",
            fixable=True,
            examples=_names(view, rows),
        )


def long_audio(view: View) -> Iterable[Finding]:
    """Recordings that are longer than a model hears, or of several sample rates."""
    clips = [(row, medium) for row, medium in _media(view) if medium.rate and not medium.fault]
    long = [row for row, medium in clips if medium.seconds > LONGEST_SECONDS]
    if long:
        longest = max(medium.seconds for _, medium in clips)
        yield Finding(
            code="long-audio",
            severity="warning" if len(long) > 0.05 * len(clips) else "info",
            rows=first_rows(long),
            count=len(long),
            text=f"{counted(len(long), 'recording is', 'recordings are')} longer than {LONGEST_SECONDS:.0f} seconds "
            f"({share_of(len(long), len(clips))}; the longest has {longest:,.0f}, the middle one "
            f"{median(medium.seconds for _, medium in clips):.1f}). Models hear at most {LONGEST_SECONDS:.0f} seconds "
            "at once, and never hear the rest.",
            fix="Cut them at pauses, each piece with its own text or label.",
            examples=_names(view, long),
        )
    rates = Counter(medium.rate for _, medium in clips)
    if len(rates) > 1:
        (most, _), *others = rates.most_common()
        yield Finding(
            code="sample-rates",
            severity="info",
            count=len(rates),
            text=f"The recordings have {len(rates)} different sample rates ({most:,} Hz mostly, "
            f"{', '.join(f'{rate:,} Hz in {count:,}' for rate, count in others[:3])}). All are brought to the one that "
            "the model knows.",
            fix="Nothing has to be done, unless the rate goes with the label: then the model hears the microphone "
            "instead.",
        )


CHECKS: tuple[Check, ...] = (broken, odd_images, silent, long_audio)
