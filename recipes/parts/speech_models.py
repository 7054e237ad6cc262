"""Models that write down speech: Whisper, which writes token by token, and wav2vec2's kin, which hear letters (CTC).

sounds = model.listen(samples of many recordings) prepared once, kept as half-precision numbers
model.transcribe(sounds, rows, place)             greedy, in batches
"""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from recipes.parts.device import Device

IGNORED = -100
ROWS_A_BATCH = 16  # recordings that are written down together
FRAME = 160  # samples a frame of Whisper's log-mel spectrogram
POSITIONS_A_SECOND = 50  # of Whisper's encoder, two frames each; of wav2vec2's blocks
LONGEST = 30.0  # seconds of a recording: Whisper's window; and attention's memory grows with the square

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Sounds:
    """Recordings prepared for a model, one after the other, without padding.

    Attributes:
        flat: float16; shape (all frames, width) for spectrograms, (all samples, 1) for waveforms.
        starts: shape (recordings + 1,).
    """

    flat: NDArray[np.float16]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Frames or samples of each recording, shape (recordings,)."""
        return np.diff(self.starts)

    def piece(self, row: int) -> NDArray[np.float32]:
        """One recording, shape (frames, width)."""
        return np.asarray(self.flat[self.starts[row] : self.starts[row + 1]], dtype=np.float32)


class SpeechModel(ABC):
    """What both families share.

    Attributes:
        module: the transformers model, perhaps with adapters around it.
        processor: for saving beside it; name: the plan's base model.
        language: that Whisper is told, or that its files name; None: not known.
        dropout: the configuration's own values, where others serve the training.
    """

    kind: str

    def __init__(self, module: Any, processor: Any, name: str, language: str | None = None) -> None:
        self.module, self.processor, self.name, self.language = module, processor, name, language
        self.adapter = False
        self.dropout: dict[str, float] = {}

    @property
    def bare(self) -> Any:
        """The model without the adapters' wrapping."""
        return self.module.get_base_model() if self.adapter else self.module

    @property
    @abstractmethod
    def longest(self) -> float:
        """Seconds that it hears at once."""

    @property
    @abstractmethod
    def rate(self) -> int:
        """Samples a second that it listens at."""

    @abstractmethod
    def listen(self, samples: Sequence[Samples], check_stop: Callable[[], None] = lambda: None) -> Sounds:
        """Prepare recordings."""

    @abstractmethod
    def labels(self, texts: Sequence[str]) -> list[list[int]]:
        """What the model shall write, as numbers."""

    @abstractmethod
    def inputs(self, sounds: Sounds, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """Some recordings, padded, by the names that the model gives them."""

    @abstractmethod
    def loss(self, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss of a batch, and the logits. `labels`, shape (rows, longest), is filled up with -100."""

    @abstractmethod
    def units(self, labels: torch.Tensor) -> torch.Tensor:
        """What the loss is a mean over: learned tokens, or recordings."""

    @abstractmethod
    def written(self, inputs: dict[str, torch.Tensor], most: int) -> list[str]:
        """What the model hears in a batch, at most `most` tokens of each."""

    @abstractmethod
    def trained_parts(self, layers: int) -> list[nn.Module]:
        """What the method last_layers trains."""

    @abstractmethod
    def blocks(self) -> list[nn.ModuleList]:
        """Where adapters go."""

    @abstractmethod
    def kept_bytes(self, seconds: float, tokens: int) -> float:
        """Bytes of float32 that a recording, and what is written for it, leave for the way back.

        Counted with saved_tensors_hooks; H is the width, I the inner width.
        """

    def always_frozen(self) -> list[nn.Module]:
        """What no method trains."""
        return []

    def reading(self, seconds: float) -> contextlib.AbstractContextManager[None]:
        """While entered, the model hears at most so many seconds, if that saves time."""
        del seconds
        return contextlib.nullcontext()

    def seconds_of(self, inputs: dict[str, torch.Tensor]) -> float:
        """The window that some inputs were made for."""
        del inputs
        return self.longest

    def heard_once(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Inputs that can be used several times without being listened to again, where the model has such."""
        return inputs

    def batches(
        self, sounds: Sounds, rows: Sequence[int], place: Device
    ) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """Places in `rows` and their inputs, in evaluation mode; recordings of like length go together."""
        self.module.eval()
        order = sorted(range(len(rows)), key=lambda number: -int(sounds.lengths[rows[number]]))
        for start in range(0, len(order), ROWS_A_BATCH):
            places = order[start : start + ROWS_A_BATCH]
            batch = self.inputs(sounds, [rows[number] for number in places])
            yield places, {name: value.to(place.torch_device) for name, value in batch.items()}

    def transcribe(self, sounds: Sounds, rows: Sequence[int], place: Device, most: int) -> list[str]:
        """What is said in some recordings."""
        found = [""] * len(rows)
        with torch.inference_mode(), place.autocast():
            for places, batch in self.batches(sounds, rows, place):
                for number, text in zip(places, self.written(batch, most), strict=True):
                    found[number] = " ".join(text.split())
        return found


class Whisper(SpeechModel):
    """Whisper: a spectrogram of thirty seconds in, text out, token by token."""

    kind = "whisper"
    kept: tuple[Sounds, NDArray[np.float16]] | None = None

    @property
    def longest(self) -> float:
        """Thirty, for every Whisper that was published."""
        return float(self.processor.feature_extractor.chunk_length)

    @property
    def rate(self) -> int:
        """Always 16,000."""
        return int(self.processor.feature_extractor.sampling_rate)

    def listen(self, samples: Sequence[Samples], check_stop: Callable[[], None] = lambda: None) -> Sounds:
        """Log-mel spectrograms of the sounding part; the silence up to thirty seconds is one constant, added later."""
        return log_mel(self.processor.feature_extractor, samples, check_stop)

    def labels(self, texts: Sequence[str]) -> list[list[int]]:
        """Special tokens, text, end; without the first token, which transformers adds while shifting."""
        start = self.bare.config.decoder_start_token_id
        found = [list(ids) for ids in self.processor.tokenizer(list(texts))["input_ids"]]
        longest = int(self.bare.config.max_target_positions) - 1
        return [(ids[1:] if ids and ids[0] == start else ids)[:longest] for ids in found]

    def inputs(self, sounds: Sounds, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """`input_features`, shape (rows, mel bands, frames of the window); `hidden` where it was kept."""
        if self.kept is not None and self.kept[0] is sounds:
            return {"hidden": torch.from_numpy(self.kept[1][np.asarray(rows)].astype(np.float32))}
        frames = 2 * int(self.bare.config.max_source_positions)
        batch = np.empty((len(rows), int(self.bare.config.num_mel_bins), frames), dtype=np.float32)
        for number, row in enumerate(rows):
            piece = sounds.piece(row)[:frames]
            batch[number, :, : len(piece)] = piece.T
            batch[number, :, len(piece) :] = piece[-1][:, None]
        return {"input_features": torch.from_numpy(batch)}

    def loss(self, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross-entropy of the tokens."""
        config = self.bare.config
        before = labels.new_full(labels.shape, config.decoder_start_token_id)
        before[:, 1:] = labels[:, :-1]
        before = before.masked_fill(before == IGNORED, config.pad_token_id)
        logits = self.module(**self._heard(inputs), decoder_input_ids=before).logits
        flat = functional.cross_entropy(
            logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return flat, logits

    def units(self, labels: torch.Tensor) -> torch.Tensor:
        """Learned tokens."""
        return (labels != IGNORED).sum()

    def written(self, inputs: dict[str, torch.Tensor], most: int) -> list[str]:
        """Greedy, with a cache of keys and values."""
        most = min(most, int(self.bare.config.max_target_positions) - 8)
        # The bare model: adapters work inside it, and the wrapping knows nothing of Whisper's own way to generate.
        tokens = self.bare.generate(**self._heard(inputs), max_new_tokens=most, num_beams=1, do_sample=False)
        texts: list[str] = self.processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return texts

    def trained_parts(self, layers: int) -> list[nn.Module]:
        """The last blocks of the decoder, and its last norm."""
        decoder = self.bare.model.decoder
        return [*list(decoder.layers)[-layers:], decoder.layer_norm]

    def blocks(self) -> list[nn.ModuleList]:
        """Encoder and decoder."""
        return [self.bare.model.encoder.layers, self.bare.model.decoder.layers]

    def kept_bytes(self, seconds: float, tokens: int) -> float:
        """38 H + 8 I a position and block of the encoder, 22 H for its convolutions, 8 H for each block of the decoder;
        58 H + 8 I a token and block of the decoder, and three times the vocabulary (Whisper tiny)."""
        config = self.bare.config
        width, blocks = config.d_model, config.decoder_layers
        position = config.encoder_layers * (38 * width + 8 * config.encoder_ffn_dim) + (22 + 8 * blocks) * width
        token = blocks * (58 * width + 8 * config.decoder_ffn_dim) + 12 * config.vocab_size
        return float(seconds * POSITIONS_A_SECOND * position + tokens * token)

    def always_frozen(self) -> list[nn.Module]:
        """The encoder's positions are sines that nobody learned."""
        return [self.bare.model.encoder.embed_positions]

    def keep_hearing(self, sounds: Sounds, place: Device, path: Path, check_stop: Callable[[], None]) -> None:
        """Run the encoder over every recording once; worth it where the encoder does not train.

        Args:
            path: where its states are kept, shape (recordings, positions, width), float16.
        """
        config = self.bare.config
        shape = (len(sounds), int(config.max_source_positions), int(config.d_model))
        states = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        self.module.eval()
        for start in range(0, len(sounds), ROWS_A_BATCH):
            check_stop()
            rows = range(start, min(start + ROWS_A_BATCH, len(sounds)))
            features = self.inputs(sounds, rows)["input_features"].to(place.torch_device)
            with torch.inference_mode(), place.autocast():
                heard = self.bare.model.encoder(features)[0]
            states[rows.start : rows.stop] = heard.to(torch.float16).cpu().numpy()
        self.kept = (sounds, states)

    def heard_once(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """What the encoder says, in place of the sound."""
        return inputs if "hidden" in inputs else {"hidden": self.bare.model.encoder(**inputs)[0]}

    def _heard(self, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        """The model's own names: what the encoder said may take the place of the sound."""
        from transformers.modeling_outputs import BaseModelOutput

        if "hidden" not in inputs:
            return dict(inputs)
        return {"encoder_outputs": BaseModelOutput(last_hidden_state=inputs["hidden"])}

    def seconds_of(self, inputs: dict[str, torch.Tensor]) -> float:
        """Two frames a position; the whole window where the encoder's states were kept."""
        if "hidden" in inputs:
            return self.longest
        return float(inputs["input_features"].shape[2] / (2 * POSITIONS_A_SECOND))

    @contextlib.contextmanager
    def reading(self, seconds: float) -> Iterator[None]:
        """A shorter window: the silence that fills thirty seconds up costs as much as speech."""
        encoder, config = self.bare.model.encoder, self.bare.config
        whole, limit = encoder.embed_positions, int(config.max_source_positions)
        positions = min(limit, int(np.ceil(round(seconds * POSITIONS_A_SECOND, 3))))
        short = nn.Embedding(positions, whole.embedding_dim, device=whole.weight.device)
        short.weight = nn.Parameter(whole.weight[:positions].detach(), requires_grad=False)
        encoder.embed_positions, config.max_source_positions = short, positions
        try:
            yield
        finally:
            encoder.embed_positions, config.max_source_positions = whole, limit


class Letters(SpeechModel):
    """wav2vec2, HuBERT, WavLM, XLS-R: a waveform in, a letter (or none) for each fiftieth of a second out."""

    kind = "ctc"

    @property
    def longest(self) -> float:
        """What memory allows."""
        return LONGEST

    @property
    def rate(self) -> int:
        """As its files say."""
        return int(self.processor.feature_extractor.sampling_rate)

    def listen(self, samples: Sequence[Samples], check_stop: Callable[[], None] = lambda: None) -> Sounds:
        """Waveforms, brought to one loudness where the model expects that."""
        return waveforms(samples, bool(self.processor.feature_extractor.do_normalize), check_stop)

    def labels(self, texts: Sequence[str]) -> list[list[int]]:
        """Letters; words are parted by the tokenizer's own sign."""
        tokenizer = self.processor.tokenizer
        return [list(tokenizer(spelled(text, tokenizer))["input_ids"]) for text in texts]

    def inputs(self, sounds: Sounds, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """`input_values`, shape (rows, samples), and `attention_mask` where the model wants one."""
        pieces = [sounds.piece(row)[:, 0] for row in rows]
        width = max(len(piece) for piece in pieces)
        values, mask = np.zeros((len(rows), width), np.float32), np.zeros((len(rows), width), np.int64)
        for number, piece in enumerate(pieces):
            values[number, : len(piece)] = piece
            mask[number, : len(piece)] = 1
        batch = {"input_values": torch.from_numpy(values)}
        if self.processor.feature_extractor.return_attention_mask:
            batch["attention_mask"] = torch.from_numpy(mask)
        return batch

    def loss(self, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """CTC, a mean over the letters of each recording; sounds too short for their letters count nothing."""
        logits = self.module(**inputs).logits
        chances = functional.log_softmax(logits, dim=-1, dtype=torch.float32).transpose(0, 1)
        mask = inputs.get("attention_mask")
        whole = torch.full((len(logits),), inputs["input_values"].shape[1]) if mask is None else mask.sum(1)
        heard = self.bare._get_feat_extract_output_lengths(whole.cpu()).long()
        targets = (labels != IGNORED).sum(1).cpu()
        with torch.backends.cudnn.flags(enabled=False):
            each = functional.ctc_loss(
                chances, labels.clamp(min=0), heard, targets, blank=int(self.bare.config.pad_token_id),
                reduction="none", zero_infinity=True,
            )  # fmt: skip
        lengths = targets.to(each.device)
        return (each / lengths.clamp(min=1) * (lengths > 0)).sum(), logits

    def units(self, labels: torch.Tensor) -> torch.Tensor:
        """Recordings that are no fillers."""
        return (labels != IGNORED).any(1).sum()

    def written(self, inputs: dict[str, torch.Tensor], most: int) -> list[str]:
        """The likeliest letter at each place, repeats and blanks taken out."""
        del most
        logits = self.module(**inputs).logits
        best = logits.argmax(-1)
        mask = inputs.get("attention_mask")
        if mask is not None:  # what lies behind a recording's end says nothing
            heard = self.bare._get_feat_extract_output_lengths(mask.sum(1))
            behind = torch.arange(best.shape[1], device=best.device)[None, :] >= heard[:, None]
            best = best.masked_fill(behind, int(self.bare.config.pad_token_id))
        texts: list[str] = self.processor.tokenizer.batch_decode(best)
        return texts

    def trained_parts(self, layers: int) -> list[nn.Module]:
        """The last blocks, what follows them, and the layer of letters."""
        body = self.bare.base_model
        after = [body.encoder.layer_norm] if hasattr(body.encoder, "layer_norm") else []
        return [*list(body.encoder.layers)[-layers:], *after, self.bare.lm_head]

    def blocks(self) -> list[nn.ModuleList]:
        """Of the transformer; the convolutions before it stay as they are."""
        return [self.bare.base_model.encoder.layers]

    def kept_bytes(self, seconds: float, tokens: int) -> float:
        """32 H + 8 I a position and block, 16 H + 8 C before them for C the width of the convolutions (wav2vec2). These
        keep nothing, since they do not train, but three maps of the first of them are at work at once."""
        del tokens
        config = self.bare.config
        width, wide = config.hidden_size, config.conv_dim[0]
        position = config.num_hidden_layers * (32 * width + 8 * config.intermediate_size) + 16 * width + 8 * wide
        kept = seconds * POSITIONS_A_SECOND * (position + 12 * config.vocab_size)
        return float(max(kept, seconds * self.rate / config.conv_stride[0] * wide * 12))

    def always_frozen(self) -> list[nn.Module]:
        """The convolutions that read the waveform (wav2vec 2.0 paper: frozen in fine-tuning)."""
        return [self.bare.base_model.feature_extractor]


def log_mel(extractor: Any, samples: Sequence[Samples], check_stop: Callable[[], None] = lambda: None) -> Sounds:
    """Whisper's spectrograms, shape (frames, mel bands) each; behind its last frame each goes on as that frame."""
    pieces = []
    for number, each in enumerate(samples):
        if number % 50 == 0:
            check_stop()
        # A few more frames than the sound: windows reach over its end. From there on every frame is the same.
        frames = min(-(-len(each) // FRAME) + 3, int(extractor.nb_max_frames))
        padded = np.pad(each[: int(extractor.n_samples)], (0, max(0, frames * FRAME + 400 - len(each))))
        found = extractor(padded, sampling_rate=extractor.sampling_rate, padding="longest", return_tensors="np")
        pieces.append(found["input_features"][0].T[:frames].astype(np.float16))
    return joined(pieces)


def waveforms(samples: Sequence[Samples], normalise: bool, check_stop: Callable[[], None] = lambda: None) -> Sounds:
    """Samples as they are, or with mean 0 and variance 1, shape (samples, 1) each."""
    pieces = []
    for number, each in enumerate(samples):
        if number % 200 == 0:
            check_stop()
        found = (each - each.mean()) / np.sqrt(each.var() + 1e-7) if normalise else each
        pieces.append(np.asarray(found, dtype=np.float16)[:, None])
    return joined(pieces)


def joined(pieces: Sequence[NDArray[np.float16]]) -> Sounds:
    """Prepared recordings one after the other."""
    starts = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
    return Sounds(np.concatenate(pieces), starts)


def is_upper(letters: Any) -> bool:
    """Whether a vocabulary writes everything in capitals."""
    single = [letter for letter in letters if len(letter) == 1 and letter.isalpha()]
    return bool(single) and sum(letter.isupper() for letter in single) > len(single) / 2


def plain_letters(text: str, upper: bool) -> str:
    """Letters, digits, apostrophes and single spaces, in one case: what can be heard."""
    heard = re.sub(r"[^\w' ]|_", " ", text.replace("’", "'"))
    heard = " ".join(heard.split())
    return heard.upper() if upper else heard.lower()


def spelled(text: str, tokenizer: Any) -> str:
    """A transcript as a model of letters learns it."""
    return plain_letters(text, is_upper(tokenizer.get_vocab()))
