"""Questions and their texts as tokens, long texts in windows that overlap; the best answer over the windows of a text.

passages = encode(tokenizer, questions, contexts, longest)
logits = span_logits(classifier, passages, rows, place)       shape (candidates, 2): is this the first, the last token?
answers = best_answers(logits, passages, rows, longest_answer)

Candidates are the tokens of the text, and each window's first token (CLS), which stands for “no answer here”.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.features import LONGEST_BY_DEFAULT
from recipes.parts.methods import Base, Classifier
from recipes.parts.modality import Inputs
from recipes.parts.span_metrics import Answer
from recipes.parts.spans import Asked, Place
from recipes.parts.study import Study
from recipes.parts.texts import TRIAL_TEXTS, Texts, max_tokens
from recipes.parts.words import OVERLAP, TEXTS_AT_ONCE, Windows, bounds, check_tokenizer, each_word
from recipes.plan import Plan

QUESTION_SHARE = 2  # a question may take one part in so many of a window
Targets = NDArray[np.int64]  #: shape (windows, 2): candidates that are the answer's first and last token


@dataclass(frozen=True, kw_only=True)
class Passages(Windows):
    """Windows of a question and a part of its text; `sentences` are the questions, words are candidates.

    Attributes:
        kinds: shape (all tokens,), int8: the model's token types (question 0, text 1); None: it reads none.
        letters: shape (candidates, 2): first and last character in the text; the first candidate of a window is CLS.
    """

    kinds: NDArray[np.int8] | None
    letters: NDArray[np.int64]

    def batch(self, rows: Any, epoch: int | None = None) -> dict[str, torch.Tensor]:
        """As of other windows, with `token_type_ids` where the model reads them."""
        found = super().batch(rows, epoch)
        if self.kinds is not None:
            types = torch.zeros_like(found["input_ids"])
            for number, row in enumerate(rows):
                piece = self.kinds[self.starts[row] : self.starts[row + 1]]
                types[number, : len(piece)] = torch.from_numpy(piece.astype(np.int64))
            found["token_type_ids"] = types
        return found

    def content(self) -> bytes:
        """The tokens of all windows, with their types."""
        return super().content() + (b"" if self.kinds is None else self.kinds.tobytes())

    def candidates(self, questions: NDArray[Any]) -> NDArray[np.int64]:
        """Numbers of the candidates of some questions."""
        return np.concatenate([np.arange(*self.firsts[[row, row + 1]]) for row in self.of(questions)])

    def targets(self, asked: Asked) -> Targets:
        """Where each window's answer begins and ends; CLS where it holds no whole one."""
        found = np.stack([self.firsts[:-1]] * 2, axis=1)
        for window, question in enumerate(self.sentences):
            if asked.answers[question]:
                first, last = self.firsts[window] + 1, self.firsts[window + 1]
                inside = tokens_of(self.letters[first:last], asked.answers[question][0])
                if inside is not None:
                    found[window] = first + np.array(inside)
        return found


def tokens_of(letters: NDArray[np.int64], place: Place) -> tuple[int, int] | None:
    """First and last token of a place in a text; None where the window does not hold all of it.

    Args:
        letters: first and last character of each token, shape (tokens, 2), in order.
    """
    start, end = place
    if not len(letters) or letters[0, 0] > start or letters[-1, 1] < end:
        return None
    first = int(np.searchsorted(np.maximum.accumulate(letters[:, 1]), start, side="right"))
    last = int(np.searchsorted(letters[:, 0], end, side="left")) - 1
    return (first, last) if first <= last else None


def encode(
    tokenizer: Any, questions: Sequence[str], contexts: Sequence[str], longest: int, typed: bool,
    check: Callable[[], None] = lambda: None,
) -> Passages:  # fmt: skip
    """Tokenise questions with their texts once.

    Args:
        longest: tokens of a window. typed: whether the model reads token types. check: called now and then; may raise.
    """
    asked = [cut_question(tokenizer, each, longest // QUESTION_SHARE) for each in questions]
    room = longest - longest // QUESTION_SHARE - tokenizer.num_special_tokens_to_add(pair=True)
    ids: list[list[int]] = []
    kinds: list[list[int]] = []
    sentences: list[int] = []
    places: list[NDArray[np.int64]] = []
    letters: list[NDArray[np.int64]] = []
    for start in range(0, len(asked), TEXTS_AT_ONCE):
        check()
        found = tokenizer(
            asked[start : start + TEXTS_AT_ONCE], list(contexts[start : start + TEXTS_AT_ONCE]),
            truncation="only_second", max_length=longest, stride=max(0, min(OVERLAP, room // 4)),
            return_overflowing_tokens=True, return_offsets_mapping=True, return_attention_mask=False,
            return_token_type_ids=typed, verbose=False,
        )  # fmt: skip
        for number, row in enumerate(found["overflow_to_sample_mapping"]):
            tokens = found["input_ids"][number]
            inside = np.array([each == 1 for each in found.sequence_ids(number)], dtype=np.bool_)
            cls = tokens.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in tokens else 0
            places.append(np.concatenate([[cls], np.flatnonzero(inside)]).astype(np.int64))
            offsets = np.array(found["offset_mapping"][number], dtype=np.int64).reshape(-1, 2)
            letters.append(np.concatenate([np.zeros((1, 2), dtype=np.int64), offsets[inside]]))
            ids.append(tokens)
            kinds.append(found["token_type_ids"][number] if typed else [])
            sentences.append(start + row)
    firsts, at = bounds(places), np.concatenate([*places, np.zeros(0, dtype=np.int64)])
    return Passages(
        ids=np.array([token for piece in ids for token in piece], dtype=np.int32),
        starts=bounds(ids),
        padding=int(tokenizer.pad_token_id or 0),
        max_length=longest,
        cut=len(ids) - len(asked),
        sentences=np.array(sentences, dtype=np.int64),
        numbers=np.arange(len(at)),
        places=at,
        ends=at + 1,
        firsts=firsts,
        words=len(at),
        kinds=np.array([kind for piece in kinds for kind in piece], dtype=np.int8) if typed else None,
        letters=np.concatenate([*letters, np.zeros((0, 2), dtype=np.int64)]),
    )


def reads_types(module: Any, tokenizer: Any) -> bool:
    """Whether a model has embeddings for token types, and its tokenizer gives them."""
    return (
        int(getattr(module.config, "type_vocab_size", 0) or 0) > 1 and "token_type_ids" in tokenizer.model_input_names
    )


def cut_question(tokenizer: Any, question: str, most: int) -> str:
    """A question without what is too much of it: its text needs room beside it."""
    if len(question) <= most:  # no tokenizer makes more tokens than letters
        return question
    offsets = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
        "offset_mapping"
    ]
    return question[: offsets[most - 1][1]] if len(offsets) > most else question


# Logits to answers


def heads(found: Any) -> torch.Tensor:
    """What a model says of every token, shape (rows, tokens, 2)."""
    return torch.stack([found["start_logits"], found["end_logits"]], dim=-1)


def span_logits(
    classifier: Classifier, passages: Passages, rows: NDArray[Any], place: Device, run: RunContext | None = None
) -> NDArray[np.float32]:
    """Logits of the candidates of some windows, shape (all candidates, 2); zeros for those that were not read."""
    classifier.module.eval()
    numbers, values = each_word(lambda batch: heads(classifier.module(**batch)), passages, rows, place, run)
    logits = np.zeros((passages.words, 2), dtype=np.float32)
    logits[numbers] = values
    return logits


def best_answers(
    logits: NDArray[Any], passages: Passages, questions: NDArray[Any], longest: int, above: float | None
) -> list[Answer]:
    """The best place over all windows of each question's text.

    Args:
        logits: shape (all candidates, 2); longest: tokens of an answer.
        above: by how much “no answer” must beat the best place to be said; None: never.
    """
    found = []
    for spans in spans_of(logits, passages, questions, longest):
        none, best = float(spans[:, 0].min()), int(spans[:, 1].argmax())
        if above is not None and none - spans[best, 1] > above:
            found.append(Answer(None, float(np.exp(none))))
        else:
            start, end = spans[best, 2:4].astype(np.int64).tolist()
            found.append(Answer(None if end <= start else (start, end), float(np.exp(spans[best, 1]))))
    return found


def margins(logits: NDArray[Any], passages: Passages, questions: NDArray[Any], longest: int) -> NDArray[np.float64]:
    """By how much “no answer” beats the best place, shape (questions,)."""
    every = spans_of(logits, passages, questions, longest)
    return np.array([spans[:, 0].min() - spans[:, 1].max() for spans in every])


def spans_of(
    logits: NDArray[Any], passages: Passages, questions: NDArray[Any], longest: int
) -> list[NDArray[np.float64]]:
    """For each question a table with a row a window: log probability of no answer and of the best place, the place's
    first and last character, shape (windows, 4).

    Within a window only differences of logits were learned, so that windows are compared by probabilities.
    """
    windows: dict[int, list[int]] = {}
    for window in passages.of(questions):
        windows.setdefault(int(passages.sentences[window]), []).append(int(window))
    return [
        np.array([_best_of(logits, passages, window, longest) for window in windows[int(question)]])
        for question in questions
    ]


def _best_of(logits: NDArray[Any], passages: Passages, window: int, longest: int) -> list[float]:
    first, last = passages.firsts[window], passages.firsts[window + 1]
    start, end = np.asarray(logits[first:last], dtype=np.float64).T
    every = float(logsumexp(start) + logsumexp(end))
    none = float(start[0] + end[0])
    best, place = -np.inf, (0, 0)
    for more in range(min(longest, len(start) - 1)):
        scores = start[1 : len(start) - more] + end[1 + more :]
        top = int(scores.argmax())
        if scores[top] > best:
            best, place = float(scores[top]), (top + 1, top + 1 + more)
    letters = passages.letters[first:last]
    at = float(letters[place[0], 0]), float(letters[place[1], 1])
    return [none - every, best - every, *at]


class Spans(Texts):
    """Texts with a question each, for the encoders that transformers loads for extractive question answering."""

    task = "question-answering"
    one, many = "question", "questions"
    another_model = (
        "Choose an encoder that transformers can load for question answering: BERT, RoBERTa, DistilBERT, ModernBERT, "
        "DeBERTa, MiniLM, XLM-R, …"
    )
    has_graph = False
    peft_task: str | None = None  # type: ignore[assignment] # PEFT's own class would drop the token types

    def auto_model(self, with_head: bool = True) -> Any:
        """Of transformers."""
        from transformers import AutoModel, AutoModelForQuestionAnswering

        return AutoModelForQuestionAnswering if with_head else AutoModel

    def logits(self, found: Any) -> torch.Tensor:
        """Of each token: is it the first, the last of the answer? Shape (rows, tokens, 2)."""
        return heads(found)

    def trial_inputs(self, classifier: Classifier) -> dict[str, torch.Tensor]:
        """Tokens of texts short and long, plain and odd, each with a question."""
        pairs = [("What came late?", text) for text in TRIAL_TEXTS]
        return self.encode_new(classifier, pairs).batch(np.arange(len(pairs)))

    def check(self, base: Base) -> None:
        """The tokenizer says which letters a token stands for, as all fast ones do."""
        check_tokenizer(base, "An answer is a place in a text, so tokens and letters must be lined up.")
        super().check(base)

    def encode(self, plan: Plan, study: Study, base: Base, run: RunContext) -> Inputs:
        """All questions with their texts as windows of tokens, once. `study.material` holds them."""
        asked: Asked = study.material
        longest = min(plan.training.max_length or LONGEST_BY_DEFAULT, max_tokens(base.model, base.processor))
        typed = reads_types(base.model, base.processor)
        passages = encode(base.processor, asked.questions, asked.contexts, longest, typed, run.check_stop)
        if passages.cut:
            long = int((np.bincount(passages.sentences) > 1).sum())
            run.note(
                f"{long:,} of {len(asked):,} questions have a text that does not fit into {longest} tokens; it is read "
                f"in {passages.cut + long:,} windows that overlap, and the best answer of them counts."
            )
        return passages

    def encode_new(self, classifier: Classifier, values: Sequence[Any]) -> Passages:
        """New questions, each a pair of question and text."""
        tokenizer = classifier.processor
        longest = min(max_tokens(classifier.module, tokenizer), int(tokenizer.model_max_length))
        questions, texts = zip(*values, strict=True)
        return encode(tokenizer, questions, texts, longest, reads_types(classifier.module, tokenizer))


def shifted(logits: NDArray[Any], passages: Passages, above: float | None) -> NDArray[Any]:
    """Logits in which “no answer” has to beat a place of the same window by nothing any more."""
    if above is None:
        return logits
    found = np.array(logits)
    found[passages.firsts[:-1], 0] -= above
    return found
