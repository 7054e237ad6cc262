"""Numbers in words, parts, times and powers become digits."""

from __future__ import annotations

import pytest

from assistant.chat.numbers import digits


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("three epochs", "3 epochs"),
        ("thirty-two rows", "32 rows"),
        ("one hundred and twenty tokens", "120 tokens"),
        ("ten thousand", "10000"),
        ("two hundred fifty thousand", "250000"),
        ("a couple of epochs", "2 epochs"),
        ("a dozen epochs", "12 epochs"),
        ("1,000 rows", "1000 rows"),
        ("2k rows", "2000 rows"),
        ("half an hour", "30 minutes"),
        ("a quarter of an hour", "15 minutes"),
        ("an hour and a half", "90 minutes"),
        ("two hours", "120 minutes"),
        ("1h 20min", "80 minutes"),
        ("90 seconds", "1.5 minutes"),
        ("20 percent", "20 %"),
        ("a quarter of the rows", "25 % of the rows"),
        ("one in five rows", "20 % rows"),
        ("a third for testing", "33.3333 % for testing"),
        ("2 x 10^-5", "2e-5"),
        ("five times ten to the minus five", "5e-5"),
        ("zero point five", "0.5"),
        ("lr .01", "lr 0.01"),
        ("0,0002", "0.0002"),
        ("two and a half epochs", "2.5 epochs"),
    ],
)
def test_digits(spoken: str, written: str) -> None:
    assert digits(spoken).strip() == written


@pytest.mark.parametrize(
    "text", ["that one is better", "which one", "the second run", "no one", "everyone", "a third time"]
)
def test_words_that_are_no_numbers_stay(text: str) -> None:
    assert digits(text) == text
