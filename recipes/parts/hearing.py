"""A finished speech model that listens: sound files to text, long ones in pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recipes.parts import audio, data, device, speech_loading, speech_metrics
from recipes.parts.context import RunContext
from recipes.parts.device import Device
from recipes.parts.errors import RecipeError
from recipes.parts.speech_models import SpeechModel
from recipes.plan import Plan

MOST_TOKENS = 224  # of one window: what Whisper itself was trained with
TOLERANCE = 1e-3  # of the loss: rounding of a different order of sums stays far below
LONGEST_PIECE = 20.0  # seconds of a long recording that are heard at once: both families hear them well


class Hearing:
    """A loaded model on its device.

    Attributes:
        plan: how it was made; it names the columns of rows that are judged.
    """

    def __init__(self, model: SpeechModel, plan: Plan, place: Device) -> None:
        self.model, self.plan, self.place = model, plan, place

    def transcribe(self, sounds: list[Any]) -> list[str]:
        """What is said in each of some recordings, given as samples at 16,000 a second."""
        longest = int(LONGEST_PIECE * audio.RATE)
        pieces = [audio.windows(samples, longest) if len(samples) > self._most() else [samples] for samples in sounds]
        flat = [piece for each in pieces for piece in each]
        owner = np.repeat(np.arange(len(sounds)), [len(each) for each in pieces])
        heard = self.model.transcribe(self.model.listen(flat), range(len(flat)), self.place, MOST_TOKENS)
        return [" ".join(heard[place] for place in np.flatnonzero(owner == number)) for number in range(len(sounds))]

    def _most(self) -> int:
        return int(self.model.longest * audio.RATE)

    def answer(self, tree: dict[str, Any]) -> dict[str, Any]:
        """`{"input", "prediction"}` for `{"audio": path}` or `{"inputs": {column: path}}`.

        Raises:
            RecipeError: `input-unusable`.
        """
        inner = tree.get("inputs")
        column = (self.plan.column("audio") or ["audio"])[0]
        named = (
            inner.get(column, inner.get("audio")) if isinstance(inner, dict) else tree.get("audio") or tree.get("text")
        )
        if not isinstance(named, str) or not named.strip():
            raise RecipeError(
                "input-unusable",
                "This input names no recording.",
                'Each line is an object, as {"audio": "clip.wav"}.',
                "Send the path of a sound file under the name audio.",
            )
        try:
            samples = audio.load(Path(named).expanduser())
        except audio.Unreadable as error:
            raise RecipeError(
                "input-unusable",
                f"{audio.name_of(named)} {error}.",
                "A recording is a wav, flac, mp3 or ogg file with something to hear in it.",
                "Choose another recording.",
            ) from error
        return {"input": audio.name_of(named), "prediction": self.transcribe([samples])[0]}

    def evaluate(self, path: Path) -> dict[str, Any]:
        """Figures with their intervals on the rows of a file; recordings are looked for beside it.

        Raises:
            RecipeError: rows that cannot be used.
        """
        from recipes.events import EventWriter
        from recipes.parts.speech_study import named_rows

        folder = path.resolve().parent
        run = RunContext(folder, EventWriter(None))
        rows = named_rows(self.plan, data.read_records(path.name, folder), run, path.name)
        clips = audio.read_clips(rows.paths)
        kept = [number for number in range(len(clips)) if number not in clips.faults]
        if not kept:
            raise audio.no_usable_sound(
                len(clips), path.name, {rows.shown[number]: why for number, why in clips.faults.items()}
            )
        heard = self.transcribe([clips.samples(number) for number in kept])
        normal = speech_metrics.normaliser(self.model.language, self.model.processor.tokenizer)
        counts = speech_metrics.count_errors([rows.texts[number] for number in kept], heard, normal)
        speakers = [rows.speakers[number] for number in kept] if self.plan.column("group") else None
        figures = speech_metrics.figures(counts, speakers)
        report: dict[str, Any] = {
            "rows": len(kept),
            "metrics": {name: figure.model_dump() for name, figure in figures.items()},
        }
        notes = [warning["text"] for warning in run.warnings]
        if clips.faults:
            faults = {rows.shown[number]: why for number, why in clips.faults.items()}
            notes.append(audio.say_faults(faults, len(clips), path.name))
        return report | ({"notes": notes} if notes else {})


def open_hearing(directory: Path, plan: Plan) -> Hearing:
    """Load a run's model.

    Raises:
        RecipeError: there is none.
    """
    from recipes.events import EventWriter

    place = device.set_up(RunContext(directory, EventWriter(None)))
    return Hearing(speech_loading.load_saved(directory / "model", place), plan, place)


def write_merged(run: Path, folder: Path) -> None:
    """One whole model of a base model and its adapter; what it says is compared with what both said.

    Args:
        run: the run's folder, with an adapter in `model/`. folder: where the files go.

    Raises:
        RecipeError: the base model cannot be had, or `verification-failed`.
    """
    from recipes.events import EventWriter
    from recipes.parts.speech_training import mean_loss

    place = device.set_up(RunContext(run, EventWriter(None)))
    model = speech_loading.load_saved(run / "model", place)
    noise = np.random.default_rng(0).normal(0, 0.1, audio.RATE).astype(np.float32)
    sounds, labels = model.listen([noise]), model.labels(["one two three"])
    expected = mean_loss(model, sounds, labels, [0], place)
    model.module, model.adapter = model.module.merge_and_unload(), False
    speech_loading.save(model, folder)
    found = mean_loss(speech_loading.load_saved(folder, place), sounds, labels, [0], place)
    if not abs(found - expected) <= TOLERANCE * max(1.0, abs(expected)):  # also when it is not a number
        raise RecipeError(
            "verification-failed",
            f"The merged model answers differently from the one that was trained: a loss of {found:.4g} instead of "
            f"{expected:.4g}.",
            "Both must give the same answers; the files were not kept.",
            "Use the adapter.",
        )
