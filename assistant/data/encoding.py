"""From bytes to text: byte order marks, UTF-8, UTF-16, and the older encodings that spreadsheets still write."""

from __future__ import annotations

import codecs
import warnings

from assistant.data.cells import row_list

#: Longest marks first: UTF-32 begins with UTF-16's mark.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
#: Western encodings and their neighbours: letters with accents are rare among plain ones.
_WESTERN = ("cp1252", "latin_1", "iso8859_15", "cp1250", "iso8859_2", "cp1254", "iso8859_9", "cp850", "cp437", "cp1257")
#: Encodings of computers that write no such files any more, and look like those that do.
_OUTDATED = ("mac_cyrillic", "mac_greek", "mac_latin2", "mac_roman", "mac_turkish", "mac_iceland", "cp037", "cp500")
_SAMPLE = 65_536


def decode(data: bytes) -> tuple[str, list[str]]:
    """Text of a file, with line ends as \\n and without NUL characters, and notes on what was repaired.

    Never raises: bytes that fit no encoding become the replacement character.
    """
    notes: list[str] = []
    text = _decode_marked(data, notes)
    if text is None:
        text = _decode_unmarked(data, notes)
    if "\0" in text:
        notes.append(f"{_count(text.count(chr(0)), 'NUL character was', 'NUL characters were')} left out.")
        text = text.replace("\0", "")
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark, told by the zero bytes at every second place; None when it is not."""
    head = data[: _SAMPLE // 16]
    if len(head) < 4:
        return None
    half = len(head) // 2
    even, odd = head[::2].count(0), head[1::2].count(0)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def _decode_marked(data: bytes, notes: list[str]) -> str | None:
    for mark, codec, name in _MARKS:
        if data.startswith(mark):
            if name != "UTF-8":
                notes.append(f"The file is in the encoding {name}; it was read as such.")
                return data[len(mark) :].decode(codec, errors="replace")
            data = data[len(mark) :]
            break
    else:
        codec = wide_encoding(data) or ""
        if codec:
            notes.append("The file is in the encoding UTF-16; it was read as such.")
            return data.decode(codec, errors="replace")
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_unmarked(data, notes)


def _decode_unmarked(data: bytes, notes: list[str]) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    lines = data.split(b"\n")
    bad, good = _sort_lines(lines)
    if good:
        notes.append(
            f"Most of the file is in the encoding UTF-8, but {_count(len(bad), 'line is', 'lines are')} not "
            f"(line {row_list(number + 1 for number in bad)}); there Windows-1252 was read instead."
        )
        broken = set(bad)
        parts = [_single_byte(line) if n in broken else line.decode("utf-8") for n, line in enumerate(lines)]
        return "\n".join(parts)
    codec = _detect(data)
    label = "Windows-1252" if codec == "cp1252" else codec.replace("_", "-")
    notes.append(f"The file is not in the encoding UTF-8; it was read as {label}.")
    return _single_byte(data) if codec == "cp1252" else data.decode(codec, errors="replace")


def _sort_lines(lines: list[bytes]) -> tuple[list[int], int]:
    """Numbers of the lines that are no UTF-8, and how many lines are UTF-8 with more than ASCII in them."""
    bad: list[int] = []
    good = 0
    for number, line in enumerate(lines):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            good += 1
        except UnicodeDecodeError:
            bad.append(number)
    return bad, good


def _single_byte(data: bytes) -> str:
    """Windows-1252, with its five undefined bytes shown as the replacement character."""
    return data.decode("cp1252", errors="replace")


def _detect(data: bytes) -> str:
    """The encoding of bytes that are no UTF-8. Western ones are all read as Windows-1252, which holds their letters."""
    from charset_normalizer import from_bytes  # noqa: PLC0415  only files in old encodings need it

    sample = b"\n".join(line for line in data[: 4 * _SAMPLE].split(b"\n") if not line.isascii())[:_SAMPLE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best = from_bytes(sample, chunk_size=512, cp_exclusion=list(_OUTDATED)).best()
    if best is None or best.encoding in ("utf_8", "ascii"):
        return "cp1252"
    accents = sum(byte >= 0x80 for byte in sample)
    letters = accents + sum(map(str.isalpha, sample.decode("ascii", "ignore")))
    if best.encoding not in _WESTERN and accents < 0.35 * letters:
        return "cp1252"  # the detector needs more than a few bytes to tell
    if best.encoding in _WESTERN and best.language in ("Unknown", "English", *_WESTERN_LANGUAGES):
        return "cp1252"
    return str(best.encoding)


_WESTERN_LANGUAGES = (
    "German", "French", "Spanish", "Portuguese", "Italian", "Dutch", "Swedish", "Danish", "Norwegian", "Finnish",
    "Indonesian", "Catalan",
)  # fmt: skip


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
