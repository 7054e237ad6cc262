"""Pictures as classification needs them: decoded once, varied in training, compared with colours and edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.events import Mistake
from recipes.parts import data, decoding, folding, looking, probe
from recipes.parts.baselines import Predictions
from recipes.parts.context import RunContext
from recipes.parts.copies import components, count_of
from recipes.parts.data import Record, Rows, Warn
from recipes.parts.decoding import Decoded, Geometry, PixelFile
from recipes.parts.device import Device, keep_freed_memory, peak_bytes
from recipes.parts.errors import RecipeError
from recipes.parts.features import TOKENS_A_BATCH
from recipes.parts.methods import Base, Classifier, find_blocks
from recipes.parts.modality import Inputs, Modality
from recipes.parts.picture_views import statistics, thumbnail, vary
from recipes.parts.starter import resolve
from recipes.parts.study import Study, divide
from recipes.plan import Plan

TRIAL_ROWS = 8
COST = 256  # of a picture, in tokens: 32 of them are read at once, as fast as 64 and in half the memory (measured)
SIMILAR = 0.98  # correlation; measured on 32-pixel photos: 97 % of rescaled and recompressed copies, and one other pair
MOST_COPIES = 10
MANY = 30_000  # pictures from which only equal ones are looked for
NAMED = 10  # broken files that a sentence names
ILLUSTRATED_CLASSES = 60


@dataclass(frozen=True)
class Pictures:
    """Prepared pictures of many rows.

    Attributes:
        pixels: shape (pictures, height, width, 3), uint8, in memory or on disk.
        index: shape (rows,): each row's picture.
        made: how pixels become what the model reads.
        varied: whether each pass of a training sees them a little differently; seed: of these variations.
        key: what the pixels depend on.
    """

    pixels: NDArray[np.uint8] | PixelFile
    index: NDArray[np.int64]
    made: Geometry
    key: str = ""
    varied: bool = False
    seed: int = 0

    @property
    def max_length(self) -> int:
        """All pictures cost the same."""
        return COST

    def __len__(self) -> int:
        return len(self.index)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """All pictures cost the same, shape (rows,)."""
        return np.full(len(self.index), COST, dtype=np.int64)

    def batch(self, rows: Any, epoch: int | None = None) -> dict[str, torch.Tensor]:
        """`pixel_values`, shape (rows, 3, height, width), in the memory order that convolutions are fastest with."""
        rows = np.asarray(rows)
        values = torch.from_numpy(np.ascontiguousarray(self.pixels[self.index[rows]])).permute(0, 3, 1, 2)
        if self.varied and epoch is not None:
            values = vary(values, [(self.seed, epoch, int(row)) for row in rows])
        scale, offset = (torch.from_numpy(each).view(1, 3, 1, 1) for each in (self.made.scale, self.made.offset))
        return {"pixel_values": values.float() * scale + offset}

    def cost(self, batch: dict[str, torch.Tensor]) -> int:
        """Pictures, in the unit of `lengths`."""
        return COST * len(batch["pixel_values"])

    def content(self) -> bytes:
        """The key of the pixels, and which row has which."""
        return self.key.encode() + self.index.tobytes()


class PictureKind(Modality):
    """Pictures, for the models that transformers loads for image classification, timm's among them."""

    task = "image-classification"
    role = "image"
    one, many = "picture", "pictures"
    simple = "picture_statistics"
    keeps_dropout = False
    another_model = (
        "Choose a model that transformers can load for image classification: MobileNetV2, ResNet, EfficientNet, "
        "ConvNeXt, ViT, Swin, DINOv2, …"
    )

    # The rows

    def study(self, plan: Plan, run: RunContext) -> Study:
        """The pictures of the plan's rows, decoded; files that cannot be read are named and left out."""
        keep_freed_memory()
        processor = self.load_processor(resolve(plan.base_model or "", run.directory))
        rows, own_test = data.read_rows(plan, run.directory, run.warn, self.role, self.one)
        rows = placed(rows, run.directory)
        own_test = placed(own_test, run.directory) if own_test is not None else None
        made = decoding.geometry(processor)
        paths = [*rows.inputs, *(own_test.inputs if own_test is not None else [])]
        cache = run.cache / "pictures"
        if run.is_main:  # the others find it made
            decoding.decode_all(paths, made, cache, run.check_stop)
        run.agree(None)
        decoded = decoding.decode_all(paths, made, cache)
        names = own_names(plan, run.directory) if decoded.broken else {}
        warn_of_broken(decoded, len(set(paths)), run.warn, names)
        rows = readable(rows, decoded)
        own_test = readable(own_test, decoded) if own_test is not None else None
        if plan.problem != "regression":
            data.check_classes(rows, plan)
        return divide(rows, own_test, plan, run, lambda inputs: find_copies(inputs, decoded), decoded)

    def encode(self, plan: Plan, study: Study, base: Base, run: RunContext) -> Pictures:
        """The decoded pictures, a row each."""
        decoded: Decoded = study.material
        place = {path: number for number, path in enumerate(decoded.paths)}
        index = np.array([place[path] for path in study.rows.inputs], dtype=np.int64)
        varied = plan.training.augmentation is not False and plan.method.name != "head"
        if plan.method.name == "head":
            run.note(
                "The frozen model read each picture once, as it is: pictures are varied (cropped, mirrored, tinted) "
                "only where more than the last layer is trained."
            )
        elif varied:
            run.note(
                "While the model was trained, each pass saw the pictures a little differently (cropped, mirrored, "
                "tinted); the last layer that it started from was fitted on the pictures as they are."
            )
        made = decoding.geometry(base.processor)
        return Pictures(decoded.pixels, index, made, decoded.key, varied, study.goal.seed)

    def encode_new(self, classifier: Classifier, values: Sequence[Any]) -> Pictures:
        """New pictures, from paths."""
        made = decoding.geometry(classifier.processor)
        pixels = decoding.decode_new(values, made)
        return Pictures(pixels, np.arange(len(pixels), dtype=np.int64), made)

    def read_new(self, records: list[Record], plan: Plan, names: list[str] | None, file: Path, warn: Warn) -> Rows:
        """Rows of another file; pictures that cannot be read are named and left out."""
        rows = placed(data.labelled_rows(records, plan, names, warn, file.name, self.role, self.one), file.parent)
        broken = {}
        for path in dict.fromkeys(rows.inputs):
            try:
                decoding.open_picture(path)
            except decoding.Unreadable as error:
                broken[path] = str(error)
        decoded = Decoded([], PixelFile(file, (0, 1, 1, 3)), {}, broken, "")
        warn_of_broken(decoded, len(set(rows.inputs)), warn)
        return readable(rows, decoded)

    def value_of(self, tree: dict[str, Any], plan: Plan) -> str:
        """The path under the name image, or under the column's name."""
        inputs = tree.get("inputs")
        found = next(iter(data.join_text(inputs, plan.column(self.role)).splitlines()), "") if inputs else ""
        return str(found or tree.get(self.role) or "")

    def explain(self, classifier: Classifier, value: Any) -> dict[str, Any]:
        """{"looked_at": the picture with the parts that spoke for the answer in red, as a data: address}."""
        inputs = self.encode_new(classifier, [value])
        batch = inputs.batch([0])["pixel_values"].to(next(classifier.module.parameters()).device)
        with torch.no_grad():
            answer = int(classifier.module(pixel_values=batch)["logits"][0].argmax())
        strength = looking.heat(classifier, batch, answer)
        return {} if strength is None else {"looked_at": looking.drawn(inputs.pixels[inputs.index][0], strength)}

    def shown(self, values: Sequence[str]) -> list[str]:
        """The names of files, with their folder."""
        return ["/".join(Path(value).parts[-2:]) for value in values]

    def baseline(
        self,
        name: str,
        study: Study,
        inputs: Inputs,
        rows: NDArray[Any],
        validation: NDArray[Any] | None,
        test: NDArray[Any],
    ) -> Predictions:
        """A linear model on small colour pictures and the directions of edges."""
        del name
        pictures: Any = inputs
        known = rows if validation is None else np.concatenate([rows, validation])
        values = {int(row): None for row in (*known, *test)}
        found = statistics(pictures.pixels, pictures.index[list(values)])
        place = {row: number for number, row in enumerate(values)}
        at = [np.array([place[int(row)] for row in each], dtype=np.int64) for each in (known, test)]
        return probe.answers_from(study, found[at[0]], rows, validation, found[at[1]])

    # What people see

    def illustrate(self, run: RunContext, study: Study, mistakes: list[Mistake]) -> list[Mistake]:
        """Each mistake with a small copy of its picture in `report/`."""
        by_row = dict(zip(study.rows.take(study.judged).numbers.tolist(), study.inputs(study.judged), strict=True))
        shown = []
        for mistake in mistakes:
            name = thumbnail(by_row[mistake.row], run.directory / "report", f"mistake-{mistake.row}")
            shown.append(mistake.model_copy(update={"picture": name}))
        return shown

    def examples(self, run: RunContext, study: Study) -> dict[str, str] | None:
        """A small picture of each class, from the rows that were learned from."""
        if study.rows.labels.ndim != 1 or not 0 < len(study.goal.names) <= ILLUSTRATED_CLASSES:
            return None
        learned = study.labels(study.learnable)
        found: dict[str, str] = {}
        for number, label in enumerate(study.goal.names):
            rows = study.learnable[learned == number]
            if len(rows):
                path = study.inputs(rows[:1])[0]
                name = thumbnail(path, run.directory / "report", f"class-{number}")
                found |= {label: name} if name else {}
        return found

    # The model

    def auto_model(self, with_head: bool = True) -> Any:
        """Of transformers."""
        from transformers import AutoModel, AutoModelForImageClassification

        return AutoModelForImageClassification if with_head else AutoModel

    def load_processor(self, source: str) -> Any:
        """The image processor.

        Raises:
            RecipeError: `model-not-usable`.
        """
        from transformers import AutoImageProcessor

        brings = "A model for pictures brings a file preprocessor_config.json, or is one of timm's (package timm)."
        return self.processor_by(AutoImageProcessor, source, "pictures", brings)

    def save_processor(self, processor: Any, folder: Path, max_length: int) -> None:
        """The image processor; timm's lies in the model's configuration."""
        del max_length
        if type(processor).__name__ != "TimmWrapperImageProcessor":
            processor.save_pretrained(folder)

    def check(self, base: Base) -> None:
        """It reads three colours and its last layer has a bias; convolutions get the memory order they like."""
        channels = getattr(base.model.config, "num_channels", 3)
        if channels != 3 or base.head.bias is None:
            what = f"reads {channels} colours" if channels != 3 else "has a last layer without a bias"
            raise RecipeError(
                "model-not-usable",
                f"The model “{base.name}” {what}.",
                "Pictures are read in three colours, and the last layer is exchanged for one with a bias.",
                self.another_model,
            )
        base.model.to(memory_format=torch.channels_last)

    def for_reading(self, base: Base, batch: dict[str, torch.Tensor]) -> Base:
        """With batch normalisation folded into the convolutions."""
        return replace(base, model=folding.folded(base.model, {name: value[:2] for name, value in batch.items()}))

    def trial_batch(self, base: Base) -> dict[str, torch.Tensor]:
        """Random pixels."""
        return _random_pixels(base.processor)

    def trial_inputs(self, classifier: Classifier) -> dict[str, torch.Tensor]:
        """Random pixels."""
        return _random_pixels(classifier.processor)

    def pooled(
        self, base: Base, heard: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """{"model": what the last layer reads}."""
        del batch
        found = heard["head_input"]
        if found.ndim != 2:
            raise RecipeError(
                "model-not-usable",
                f"The last layer of “{base.name}” reads {found.ndim - 1}-dimensional maps, not one row of numbers.",
                "The features of a picture are what comes into the last layer.",
                self.another_model,
            )
        return {"model": found.to(torch.float32)}

    def peak_bytes(self, plan: Plan, base: Base, inputs: Inputs, rows: int, device: Device) -> int:
        """What is held now, gradients and AdamW's moments, and the values that one picture leaves for the way back.

        The latter are counted in a pass over one picture. While the frozen body reads, the largest counts four times
        (measured with EfficientNet-Lite0 and ResNet-18), and what that took is not used again by the training.
        """
        model = base.model
        kept, largest = _kept_bytes(model, {"pixel_values": self.trial_batch(base)["pixel_values"][:1]}, device)
        everything = sum(parameter.numel() for parameter in model.parameters())
        blocks = find_blocks(model)
        depth = len(blocks[1]) if blocks else 1
        share = {"head": 0.0, "last_layers": min(1.0, (plan.method.layers or 1) / depth), "full": 1.0}
        trained = share.get(str(plan.method.name), 0.05)
        reading = 4 * largest * min(TOKENS_A_BATCH // COST, max(1, len(inputs)))
        learning = kept * rows * max(trained, 0.5 if plan.method.name == "lora" else 0.0)
        held = everything * 4 if not device.is_cpu else peak_bytes(device)
        return int(held + trained * everything * (4 + 8 + 8) + reading + learning)


def _random_pixels(processor: Any) -> dict[str, torch.Tensor]:
    made = decoding.geometry(processor)
    random = torch.Generator().manual_seed(0)
    values = torch.rand((TRIAL_ROWS, made.height, made.width, 3), generator=random) * 2 - 1
    return {"pixel_values": values.permute(0, 3, 1, 2)}


def _kept_bytes(model: Any, batch: dict[str, torch.Tensor], device: Device) -> tuple[int, int]:
    """Bytes that autograd keeps of one row, weights aside, and the bytes of the largest output of a layer."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}
    largest = 0

    def keep(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    def measure(_module: Any, _given: Any, output: Any) -> None:
        nonlocal largest
        if isinstance(output, torch.Tensor):
            largest = max(largest, output.numel() * 4)

    hooks = [module.register_forward_hook(measure) for module in model.modules() if not list(module.children())]
    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            answer = model(**{name: value.to(device.torch_device) for name, value in batch.items()})
            del answer
    finally:
        for hook in hooks:
            hook.remove()
    return sum(kept.values()), largest


def placed(rows: Rows, folder: Path) -> Rows:
    """The rows with whole paths; one that leads out of the folder becomes that of a file that is not there."""
    paths = [str(data.file_in(folder, value) or folder / "missing" / Path(value).name) for value in rows.inputs]
    return Rows(paths, rows.labels, rows.names, rows.numbers, rows.groups)


def readable(rows: Rows, decoded: Decoded) -> Rows:
    """The rows whose picture could be read.

    Raises:
        RecipeError: `no-usable-rows`.
    """
    good = [row for row, path in enumerate(rows.inputs) if path not in decoded.broken]
    if not good:
        path, reason = next(iter(decoded.broken.items()), ("", "there are none"))
        raise RecipeError(
            "no-usable-rows",
            f"None of the {len(rows):,} pictures can be read ({Path(path).name}: {reason}).",
            "A picture is a PNG, JPEG, GIF, BMP, WebP or TIFF file.",
            "Save them again as PNG or JPEG, and upload them again.",
        )
    return rows.take(good) if len(good) < len(rows) else rows


def own_names(plan: Plan, folder: Path) -> dict[str, str]:
    """Path -> what the person calls the picture, where the rows say it in a column `file`."""
    role = PictureKind.role
    column, found = (plan.column(role) or [role])[0], {}
    for source in (plan.data.source, plan.data.test_source):
        if source and (folder / source).is_file():
            for record in data.read_records(source, folder):
                path = data.file_in(folder, str(record.get(column) or ""))
                if path is not None and isinstance(record.get("file"), str):
                    found[str(path)] = record["file"]
    return found


def warn_of_broken(decoded: Decoded, count: int, warn: Warn, names: Mapping[str, str] | None = None) -> None:
    """Name the files that are left out, as the person calls them (`own_names`) where that is known."""
    known = names or {}
    broken = list(decoded.broken.items())
    if not broken:
        return
    named = "; ".join(f"{known.get(path, Path(path).name)} ({reason})" for path, reason in broken[:NAMED])
    more = f"; and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
    are = "is" if len(broken) == 1 else "are"
    warn("files-left-out", f"{len(broken):,} of {count:,} pictures cannot be read and {are} left out: {named}{more}.")


def find_copies(inputs: Sequence[str], decoded: Decoded) -> tuple[NDArray[np.intp], list[str]]:
    """Number pictures so that those that look the same have the same number.

    Two pictures look the same when their 12 by 12 colours are the same, or correlate by 0.98 or more once the mean
    colour of each, and what all have in common, is taken away. More than ten of a kind are not copies but a way to look
    (plain trousers, X-rays of a knee): of these only equal ones count.

    Returns:
        Shape (rows,), and sentences about what was found.
    """
    marks = np.frombuffer(b"".join(decoded.hashes[path] for path in inputs), dtype=np.uint8).reshape(len(inputs), -1)
    unique, where = np.unique(marks, axis=0, return_inverse=True)
    near = components(len(unique), _near(unique) if len(unique) <= MANY else [])
    alike = np.bincount(near, minlength=len(unique))[near] > MOST_COPIES
    groups = np.where(alike, len(unique) + np.arange(len(unique)), near)[where.reshape(-1)]
    notes = []
    extra = len(inputs) - len(np.unique(groups)) if len(inputs) else 0
    if extra:
        looks = count_of(extra, "picture looks", "pictures look")
        notes.append(f"{looks} (nearly) the same as another one; such copies were kept on one side of the split.")
    return groups, notes


def _near(marks: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Pairs of small pictures, shape (n, colours), that correlate."""
    values = marks.astype(np.float32).reshape(len(marks), -1, 3)
    values -= values.mean(axis=1, keepdims=True)
    values = (values - values.mean(axis=0)).reshape(len(marks), -1)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(values), 1000):
        first, second = np.nonzero(values[start : start + 1000] @ values[start:].T >= SIMILAR)
        pairs += [(int(a) + start, int(b) + start) for a, b in zip(first, second, strict=True) if a < b]
    return pairs
