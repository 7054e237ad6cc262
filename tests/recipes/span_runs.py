"""Questions that a tiny model can learn: the answer is the one word of a kind that is no filler."""

from __future__ import annotations

import random
from typing import Any


def make_questions(
    count: int, kinds: dict[str, list[str]], others: list[str], seed: int = 0, without: float = 0.0
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows in the shape of SQuAD, two questions a text; a text holds one word of a kind, or none.

    Args:
        without: share of the questions whose text has no answer.
    """
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for _ in range(count // 2):
        answer = chance.choice(kinds[chance.choice(sorted(kinds))])
        words = [chance.choice(others) for _ in range(chance.randint(5, 9))]
        has_answer = chance.random() >= without
        if has_answer:
            words.insert(chance.randint(0, len(words)), answer)
        context = " ".join(words)
        place = [context.index(answer)] if has_answer else []
        answers = {"text": [answer] * len(place), "answer_start": place}
        rows += [{"question": f"{word} ?", "context": context, "answers": answers} for word in chance.sample(others, 2)]
    return rows
