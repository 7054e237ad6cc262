"""What models that hear need of time and memory, where the sums for texts do not hold. Pure.

Whisper hears thirty seconds however short a recording is: half of its blocks run over 1,500 positions, the others over
the few tokens of the transcript. While it learns, most batches are heard only as long as they last.
"""

from __future__ import annotations

import math

from assistant.advise.catalog import Model
from assistant.advise.facts import SPOKEN_A_SECOND

WHISPER_SECONDS = 30.0  # that it hears at once
POSITIONS_A_SECOND = 50
CHARACTERS_A_TOKEN = 4.0
WHOLE = 1 / 16  # share of the batches that Whisper hears whole while it learns (recipes/parts/speech_training.py)
LONGEST_WINDOW = 15.0  # seconds that a classifier hears at most
MARGIN = 1.0  # seconds that a window is longer than the recording, about
CONVOLUTIONS = 4.9e9  # operations a second of sound before wav2vec2's blocks; they never learn
CONVOLUTION_BYTES = 3 * 3200 * 512 * 4.0  # a second of sound, while the first of them is at work
SPEED = 0.74  # of what larger networks reach on a processor (measured with Whisper tiny: 70e9 a second and core)
WRITING = 1.3  # times hearing alone: tokens are written one by one (measured)
ROWS_AT_ONCE, GPU_ROWS_AT_ONCE = 8, 16  # recordings in memory while it learns
EVALUATED = 64  # validation recordings that are written down at each look
GENERAL_ROWS = 5  # recordings of other speech, before and after
HEAP = 0.2  # of what is kept: what the way back computes from it, and holes between blocks (measured)
LOOKED_AT_ONCE = 0.6e9  # bytes: writing down recordings with Whisper, before it learns (measured)


def is_whisper(model: Model) -> bool:
    """Whether it is one of Whisper's family."""
    return "whisper" in model.id.lower()


def tokens_of_a_window(clip_seconds: float) -> float:
    """Tokens of a classifier's window, which holds nearly all recordings: about twice their mean length."""
    return POSITIONS_A_SECOND * min(LONGEST_WINDOW, math.ceil(2 * clip_seconds))


def text_tokens(seconds: float) -> float:
    """Tokens that are said in so many seconds."""
    return 2 + seconds * SPOKEN_A_SECOND / CHARACTERS_A_TOKEN


def listening(model: Model, seconds: float) -> float:
    """Operations of what hears: Whisper's encoder, or all blocks and the convolutions before them."""
    positions, width, layers = seconds * POSITIONS_A_SECOND, model.hidden, model.layers
    if is_whisper(model):
        return 12.0 * layers * width * width * positions + 2.0 * layers * width * positions * positions
    attention = 4.0 * layers * width * positions * positions
    return 2.0 * model.block_parameters * positions + attention + CONVOLUTIONS * seconds


def hearing(model: Model, seconds: float, window: float) -> float:
    """Operations to hear a recording through a window, and to read what is said in it."""
    if not is_whisper(model):
        return listening(model, window)
    width, layers = model.hidden, model.layers
    looked_at = 2.0 * layers * width * width * window * POSITIONS_A_SECOND  # what the decoder's blocks make of it
    text = text_tokens(seconds) * 2.0 * (7 * layers * width * width + model.vocabulary * width)
    return listening(model, window) + looked_at + text


def learning(model: Model, seconds: float, method: str) -> float:
    """Operations to learn from a recording once."""
    passes = 3.0  # adapters too: what they save in gradients of the weights they cost in small products (measured)
    short = min(WHISPER_SECONDS, seconds + MARGIN)
    if not is_whisper(model):
        return passes * hearing(model, seconds, seconds) - (passes - 1) * CONVOLUTIONS * seconds
    whole = hearing(model, seconds, WHISPER_SECONDS)
    if method == "last_layers":  # the encoder has heard everything once
        return passes * hearing(model, seconds, 0.0)
    return passes * (WHOLE * whole + (1 - WHOLE) * hearing(model, seconds, short))


def writing(model: Model, seconds: float) -> float:
    """Operations to write a recording down."""
    return WRITING * hearing(model, seconds, WHISPER_SECONDS if is_whisper(model) else seconds)


def kept_bytes(model: Model, seconds: float, rows: int) -> float:
    """Bytes that recordings in memory at once leave for the way back, float32.

    Counted with autograd over Whisper tiny, for H the width and an inner width of 4 H: 70 H a position and block of the
    encoder, 8 H for a block of the decoder, 22 H for the convolutions; 90 H a token and block of the decoder, and 12
    for each token of the vocabulary. Over wav2vec2: 64 H a position and block, and 24 H before them.
    """
    width, half = model.hidden, model.layers / 2
    if is_whisper(model):
        positions = WHISPER_SECONDS * POSITIONS_A_SECOND
        row = positions * width * (78 * half + 22)
        row += 2 * text_tokens(seconds) * (90 * half * width + 12.0 * model.vocabulary)  # the longest in a batch
    else:
        longest = min(WHISPER_SECONDS, math.ceil(2 * seconds))
        row = longest * max(POSITIONS_A_SECOND * (model.layers * 64 + 24) * width, CONVOLUTION_BYTES)
    return rows * row
