"""Personal data in texts: e-mail addresses, phone numbers, card numbers; found and masked by patterns."""

from __future__ import annotations

import re

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}\b")
#: An international number, or groups of digits as people write phone numbers; dates and plain numbers are not.
PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}|\(\d{2,5}\) ?\d{3,4}[ .-]?\d{3,5}"
    r"|\d{3}[.-]\d{3}[.-]\d{4}|0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5})(?![\w-])"
)
CARD = re.compile(r"(?<![\d-])\d(?:[ -]?\d){12,18}(?![\d-])")

KINDS = ("e-mail address", "card number", "phone number")


def find(text: str) -> list[str]:
    """Kinds of personal data in a text, of `KINDS`."""
    found = []
    if "@" in text and EMAIL.search(text):
        found.append(KINDS[0])
    if any(letter.isdigit() for letter in text[:50]) or re.search(r"\d{3}", text):
        if any(_is_card(match.group()) for match in CARD.finditer(text)):
            found.append(KINDS[1])
        if any(_is_phone(match.group()) for match in PHONE.finditer(text)):
            found.append(KINDS[2])
    return found


def mask(text: str) -> str:
    """The text with [email], [card] and [phone] in place of personal data."""
    text = EMAIL.sub("[email]", text) if "@" in text else text
    text = CARD.sub(lambda match: "[card]" if _is_card(match.group()) else match.group(), text)
    return PHONE.sub(lambda match: "[phone]" if _is_phone(match.group()) else match.group(), text)


def _is_phone(text: str) -> bool:
    return 8 <= sum(map(str.isdigit, text)) <= 15


def _is_card(text: str) -> bool:
    """Luhn's check digit, and a first digit that cards have."""
    digits = [int(letter) for letter in text if letter.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6) or len(set(digits)) < 2:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
