"""What a classifier of texts, of pictures or of sounds brings along; everything else is `recipes.parts.classification`.

To add a modality (say, sounds):

1. `recipes/parts/<modality>.py`: a class after `Modality`, and its inputs, a class after `Inputs`; the smallest example
   is `recipes.parts.texts`. Rows are JSON lines; a file that a row names lies in the run's folder, under `data/`.
2. `recipes/<task>.py`: `KIND = <the class>()` and `train(plan, run)` that hands it to `classification.train`.
3. Register the task in `RECIPES` of `recipes/run.py`, and add its case to `tests/recipes/test_contract.py`.

Nothing else asks what the inputs are: the frozen body reads all of them once (`features`), the last layer is fitted on
what it says (`probe`), the body is trained on from there (`training`), and the verdict is the same for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from recipes.parts.data import labelled_rows
from recipes.parts.errors import RecipeError

if TYPE_CHECKING:
    from recipes.events import Mistake
    from recipes.parts.baselines import Predictions
    from recipes.parts.context import RunContext
    from recipes.parts.data import Rows, Warn
    from recipes.parts.device import Device
    from recipes.parts.methods import Base, Classifier, Pooling
    from recipes.parts.study import Study
    from recipes.plan import Plan


class Inputs(Protocol):
    """All rows, prepared for a model; batches are made from it without preparing anything twice.

    Attributes:
        lengths: what each row costs, shape (rows,), int64, in a unit of which 8,000 fit into a batch: tokens; or 1.
        max_length: the largest cost that a row can have.
    """

    @property
    def max_length(self) -> int:
        """In the same unit."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> NDArray[Any]:
        """Shape (rows,)."""

    def batch(self, rows: Any, epoch: int | None = None) -> dict[str, Any]:
        """The model's inputs for some rows, as tensors on the CPU, by the names that the model gives them.

        Args:
            epoch: which pass of a training this is: the inputs may vary with it and with the row, and with nothing
                else, so that a resumed run sees the same; None: the inputs as they are.
        """

    def cost(self, batch: dict[str, Any]) -> int:
        """What a batch costs, padding included, in the unit of `lengths`."""

    def content(self) -> bytes:
        """What the features of these rows depend on, apart from the model: the key of the cache."""


class Modality(ABC):
    """One kind of input, as classification needs it.

    Attributes:
        task: as in the plan. role: the role of the column that holds the inputs.
        one, many: what a row is called in sentences.
        simple: the name of the baseline that reads the inputs themselves.
        another_model: what to choose when a base model cannot be used.
        keeps_dropout: whether dropout stays on where it costs nothing (on a GPU).
        trial_pooling: the features that precisions are compared by.
        free_axes: axes of the model's inputs that may have any length in an exported graph, with their names.
        peft_task: PEFT's name for the task; None: it has none.
        has_graph: whether a graph of the model alone (ONNX) gives answers that a few lines can read.
    """

    task: str
    role: str
    one: str
    many: str
    simple: str
    another_model: str
    keeps_dropout: bool = True
    trial_pooling: Pooling = "model"
    peft_task: str | None = None
    free_axes: Mapping[int, str] = {0: "batch"}
    has_graph: bool = True

    # The rows

    @abstractmethod
    def study(self, plan: Plan, run: RunContext) -> Study:
        """Read the rows and set test rows aside, copies on one side (`study.read_study`).

        Raises:
            RecipeError: the data cannot be used.
        """

    def fit_to(self, base: Base, study: Study) -> None:
        """Change a model that was just loaded so that it suits the rows (how much of each it hears)."""
        del base, study

    @abstractmethod
    def encode(self, plan: Plan, study: Study, base: Base, run: RunContext) -> Inputs:
        """All rows of the study, prepared for the model once."""

    @abstractmethod
    def encode_new(self, classifier: Classifier, values: Sequence[Any]) -> Inputs:
        """New inputs (as in `Rows.inputs`), prepared exactly as for training."""

    @abstractmethod
    def baseline(
        self,
        name: str,
        study: Study,
        inputs: Inputs,
        rows: NDArray[Any],
        validation: NDArray[Any] | None,
        test: NDArray[Any],
    ) -> Predictions:
        """A simple method that reads the inputs themselves: answers for `test`, learned from `rows`."""

    def read_new(
        self, records: list[dict[str, Any]], plan: Plan, names: list[str] | None, file: Path, warn: Warn
    ) -> Rows:
        """Rows of another file (`data.labelled_rows`), to score a finished model on.

        Args:
            names: the model's classes; file: where the records come from.
        """
        return labelled_rows(records, plan, names, warn, file.name, self.role, self.one)

    @abstractmethod
    def value_of(self, tree: dict[str, Any], plan: Plan) -> str:
        """The input that a line of `recipes.predict` holds; empty when it holds none.

        Args:
            tree: {role: …} or {"inputs": {column: …}}.
        """

    def explain(self, classifier: Classifier, value: Any) -> dict[str, Any]:
        """What shows how the model came to its answer, by name; empty where nothing can."""
        del classifier, value
        return {}

    def shown(self, values: Sequence[str]) -> list[str]:
        """Inputs as the report names them."""
        return list(values)

    def illustrate(self, run: RunContext, study: Study, mistakes: list[Mistake]) -> list[Mistake]:
        """Mistakes with what a person needs to see or hear them."""
        del run, study
        return mistakes

    def examples(self, run: RunContext, study: Study) -> dict[str, str] | None:
        """For each class a file in the run's folder that shows it."""
        del run, study
        return None

    # The model

    @abstractmethod
    def auto_model(self, with_head: bool = True) -> Any:
        """The class of transformers that loads a classifier, or its body alone."""

    @abstractmethod
    def load_processor(self, source: str) -> Any:
        """What prepares inputs: a tokenizer, an image processor, a feature extractor.

        Args:
            source: a folder or Hub id; no code of the repository is run.
        """

    def processor_by(self, auto: Any, source: str, what: str, brings: str) -> Any:
        """What an Auto class finds in the model's files.

        Args:
            what: is prepared, in a word; brings: what a model for it has.

        Raises:
            RecipeError: `model-not-usable`.
        """
        try:
            return auto.from_pretrained(source, trust_remote_code=False)
        except (OSError, ValueError, ImportError, KeyError, AttributeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise RecipeError(
                "model-not-usable",
                f"The model “{source}” does not say how it wants {what} prepared: {reason}",
                brings,
                self.another_model,
            ) from error

    @abstractmethod
    def save_processor(self, processor: Any, folder: Path, max_length: int) -> None:
        """Write it beside the weights, for plain transformers to load.

        Args:
            max_length: of the run's inputs.
        """

    @abstractmethod
    def check(self, base: Base) -> None:
        """Whether a model that was just loaded can be used; settles what its files leave open.

        Raises:
            RecipeError: `model-not-usable`.
        """

    def for_reading(self, base: Base, batch: dict[str, Any]) -> Base:
        """The base as it is read fastest while nothing of it is trained, with the same features.

        Args:
            batch: made-up inputs on the base's device.
        """
        del batch
        return base

    @abstractmethod
    def trial_batch(self, base: Base) -> dict[str, Any]:
        """Made-up inputs of usual size, to try precisions on."""

    def trial_inputs(self, classifier: Classifier) -> dict[str, Any]:
        """A few inputs of all sorts as tensors, that an exported model must answer as the original does.

        Raises:
            RecipeError: `export-format`, models of this kind are not exported so.
        """
        del classifier
        raise RecipeError(
            "export-format",
            f"Models that sort {self.many} cannot be exported in this format yet.",
            "The run's own model is whole, and plain transformers loads it.",
            "Download the model instead.",
        )

    def logits(self, found: Any) -> Any:
        """The scores in what a model returns, as one tensor."""
        return found["logits"]

    def limit(self, processor: Any) -> int:
        """The `max_length` that a saved processor carries."""
        del processor
        return 1

    @abstractmethod
    def pooled(self, base: Base, heard: dict[str, Any], batch: dict[str, Any]) -> dict[str, Any]:
        """Features of a pass over `batch`, by the way of pooling: {"model": the head's input, float32, …}.

        Args:
            heard: "hidden", the body's last states; "head_input", what came into the last layer.
        """

    @abstractmethod
    def peak_bytes(self, plan: Plan, base: Base, inputs: Inputs, rows: int, device: Device) -> int:
        """A forecast of the most memory, with `rows` rows in memory at once."""
