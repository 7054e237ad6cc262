"""The plan: what goes into a run. Standard library and pydantic only, so that `recipes/` can travel alone.

A plan that a chat is still talking about may have gaps (None); `Plan.check_ready()` lists all of them at once before
anything runs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Task = Literal[
    "text-classification",
    "token-classification",
    "question-answering",
    "text2text-generation",
    "text-generation",
    "preference-tuning",
    "sentence-similarity",
    "image-classification",
    "object-detection",
    "image-segmentation",
    "image-text-to-text",
    "audio-classification",
    "automatic-speech-recognition",
]
Problem = Literal["single_label_classification", "multi_label_classification", "regression"]
MethodName = Literal["head", "last_layers", "lora", "qlora", "full"]
Baseline = Literal[
    "majority", "word_counts", "picture_statistics", "sound_statistics", "nearest_centroid", "from_scratch"
]
#: Tasks that sort rows into classes, and the role of the column with what is sorted.
CLASSIFICATION = {"text-classification": "text", "image-classification": "image", "audio-classification": "audio"}

#: The roles that a column can play; a role may list several columns (subject and body make one text).
ROLES = (
    "text", "label", "tokens", "tags", "question", "context", "answers", "source", "target", "messages", "prompt",
    "completion", "chosen", "rejected", "image", "audio", "transcript", "sentence1", "sentence2", "score", "anchor",
    "positive", "negative", "objects", "mask", "group",
)  # fmt: skip


class Strict(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Method(Strict):
    """Which weights are trained."""

    name: Annotated[
        MethodName | None,
        Field(description="head: only a new last layer, quickest; last_layers: also the last blocks; lora: small "
                          "adapters in every layer; full: every weight, slowest and often the most accurate"),
    ] = None  # fmt: skip
    layers: Annotated[
        int | None, Field(ge=1, le=200, description="last_layers: how many blocks train; more: slower, more adaptive")
    ] = None
    rank: Annotated[
        int | None,
        Field(ge=1, le=1024, description="lora: the adapter's width; higher: learns more, needs more memory"),
    ] = None
    alpha: Annotated[
        int | None, Field(ge=1, le=4096, description="lora: the adapter's scale, usually twice the rank")
    ] = None
    dropout: Annotated[
        float | None, Field(ge=0, lt=1, description="lora: share of adapter inputs dropped; higher: less overfitting")
    ] = None


class Data(Strict):
    """Where the rows are and which column plays which role."""

    source: Annotated[
        str | None, Field(description="a file beside the plan (JSONL, CSV or Parquet), or a Hub data set's id")
    ] = None
    test_source: Annotated[
        str | None, Field(description="the person's own test file; without it a part of the rows is held out")
    ] = None
    name: Annotated[str | None, Field(max_length=300, description="the name of the file as the person knows it")] = None
    test_name: Annotated[str | None, Field(max_length=300, description="the name of the test file")] = None
    columns: Annotated[
        dict[str, str | list[str]], Field(description="role -> column, or several columns that are joined")
    ] = Field(default_factory=dict)
    labels: Annotated[list[str] | None, Field(description="the classes in a fixed order; None: found in the data")] = (
        None
    )
    label_separator: Annotated[
        str | None, Field(max_length=5, description="multi-label: what separates labels inside one cell")
    ] = None
    prefix: Annotated[
        str | None,
        Field(
            max_length=200, description="text to text: words put before each text, as T5 was trained with "
            "(“summarize: ”); None: those of the base model, empty: none"
        ),
    ] = None  # fmt: skip
    languages: Annotated[
        tuple[str, str] | None, Field(description="a translation's two languages, from and to, as (en, de)")
    ] = None


class Training(Strict):
    """How the weights are trained."""

    epochs: Annotated[
        float | None, Field(gt=0, le=1000, description="passes over the rows; more: learns more, then memorises")
    ] = None
    learning_rate: Annotated[
        float | None, Field(gt=0, le=1, description="size of each step; higher: quicker, but may destroy what is known")
    ] = None
    batch_size: Annotated[
        int | None, Field(ge=1, le=4096, description="rows per step, in effect; higher: steadier, fewer steps")
    ] = None
    micro_batch_size: Annotated[
        int | None,
        Field(ge=1, le=4096, description="rows in memory at once; smaller: less memory, same result, slower"),
    ] = None
    max_length: Annotated[
        int | None, Field(ge=8, le=131072, description="tokens read of each text; longer: sees more, costs more")
    ] = None
    max_minutes: Annotated[
        float | None, Field(gt=0, le=100000, description="stop in time and keep the best state; None: no limit")
    ] = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="same seed, same data, same machine: same result")] = 42
    early_stopping: Annotated[
        int | None, Field(ge=1, le=1000, description="evaluations without gain before it stops; None: never")
    ] = None
    warmup: Annotated[float, Field(ge=0, lt=1, description="share of the steps in which the learning rate rises")] = 0.1
    weight_decay: Annotated[
        float, Field(ge=0, lt=1, description="pull of the weights to zero; higher: simpler model")
    ] = 0.01
    layer_decay: Annotated[
        float | None, Field(gt=0, le=1, description="learning rate ratio from one layer to the one below; lower: the "
                                                    "general lower layers move less")
    ] = None  # fmt: skip
    augmentation: Annotated[
        bool | None,
        Field(
            description="pictures: each pass sees them cropped, mirrored, tinted; words with tags: some swapped with "
            "others of the same tag, some hidden; speech: pieces of each recording are blank; false: as they are"
        ),
    ] = None
    class_weights: Annotated[
        Literal["balanced"] | None, Field(description="balanced: rare classes count more; None: every row the same")
    ] = None


class Evaluation(Strict):
    """How the result is judged."""

    metric: Annotated[str | None, Field(max_length=60, description="the figure that decides: accuracy, f1, mae, …")] = (
        None
    )
    test_fraction: Annotated[
        float | None,
        Field(
            gt=0, lt=0.9, description="share of the rows held out for the verdict; more: surer, but fewer to learn from"
        ),
    ] = None
    validation_fraction: Annotated[
        float | None, Field(gt=0, lt=0.9, description="share of the other rows that steers the training")
    ] = None
    baselines: Annotated[
        tuple[Baseline, ...], Field(description="what the model must beat; from_scratch costs a second training")
    ] = ("majority", "word_counts", "nearest_centroid")


class Compute(Strict):
    """Where it runs."""

    target: Annotated[Literal["local", "hf_jobs", "ray"], Field(description="this machine, or a rented one")] = "local"
    devices: Annotated[
        int | None,
        Field(ge=1, le=1024, description="how many GPUs (or CPU processes); None: all GPUs, else one process"),
    ] = None
    flavor: Annotated[str | None, Field(max_length=60, description="the rented machine, as a10g-small")] = None
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Field(description="auto: the fastest that a short trial on this device finds safe"),
    ] = "auto"
    expected_seconds: Annotated[
        float | None,
        Field(ge=0, description="what the adviser expects the run to take; only reported beside the truth"),
    ] = None


class Output(Strict):
    """What happens to the model afterwards."""

    publish: Annotated[
        str | None, Field(max_length=200, description="Hub repository to push to after a yes; None: stays here")
    ] = None


class Plan(Strict):
    """One run, whole: `runs/<id>/plan.json`."""

    version: Literal[1] = 1
    task: Task | None = None
    problem: Problem | None = None
    base_model: Annotated[
        str | None, Field(max_length=500, description="a Hub id, a starter model's name, or a local folder")
    ] = None
    method: Method = Method()
    data: Data = Data()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    compute: Compute = Compute()
    output: Output = Output()
    reasons: Annotated[dict[str, str], Field(description="dotted path of a choice -> why it was made")] = Field(
        default_factory=dict
    )

    def gaps(self) -> list[str]:
        """Dotted paths that a run needs and that are still None; empty when the plan can run."""
        needed: dict[str, Any] = {
            "task": self.task,
            "base_model": self.base_model,
            "method.name": self.method.name,
            "data.source": self.data.source,
            "training.epochs": self.training.epochs,
            "training.learning_rate": self.training.learning_rate,
            "training.batch_size": self.training.batch_size,
        }
        missing = [path for path, value in needed.items() if value is None]
        if self.task in CLASSIFICATION:
            roles = (CLASSIFICATION[self.task], "label")
            missing += [f"data.columns.{role}" for role in roles if not self.data.columns.get(role)]
            missing += ["problem"] if self.problem is None else []
        if self.task == "token-classification":
            words = [role for role in ("tokens", "text") if self.data.columns.get(role)]
            missing += [] if words else ["data.columns.tokens"]
            missing += [] if self.data.columns.get("tags") else ["data.columns.tags"]
        if self.task == "text2text-generation":
            missing += [f"data.columns.{role}" for role in ("source", "target") if not self.data.columns.get(role)]
        if self.task == "question-answering":
            wanted = ("question", "context", "answers")
            missing += [f"data.columns.{role}" for role in wanted if not self.data.columns.get(role)]
        if self.task == "sentence-similarity":
            pair = ("anchor", "positive") if self.data.columns.get("anchor") else ("sentence1", "sentence2")
            missing += [f"data.columns.{role}" for role in pair if not self.data.columns.get(role)]
        if self.task == "automatic-speech-recognition":
            missing += [f"data.columns.{role}" for role in ("audio", "transcript") if not self.data.columns.get(role)]
        if self.method.name == "last_layers" and self.method.layers is None:
            missing.append("method.layers")
        if self.method.name in ("lora", "qlora") and self.method.rank is None:
            missing.append("method.rank")
        return missing

    def changed(self, changes: dict[str, Any]) -> Plan:
        """A copy with dotted paths set, validated as a whole.

        Raises:
            pydantic.ValidationError: all faults at once; the plan at hand stays as it was.
        """
        tree = self.model_dump()
        for path, value in changes.items():
            *parents, leaf = path.split(".")
            node = tree
            for name in parents:
                node = node.setdefault(name, {})
            node[leaf] = value
        return Plan.model_validate(tree)

    def column(self, role: str) -> list[str]:
        """The columns of a role, as a list; empty when it has none."""
        found = self.data.columns.get(role) or []
        return [found] if isinstance(found, str) else list(found)

    def fingerprint(self) -> str:
        """SHA-256 of the plan without its reasons: two plans with the same one train the same model."""
        tree = self.model_dump(exclude={"reasons": True, "compute": {"expected_seconds"}})
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read `plan.json`.

        Raises:
            OSError: the file cannot be read.
            pydantic.ValidationError: all faults at once.
        """
        return cls.model_validate_json(path.read_text(encoding="utf-8"))

    def save(self, path: Path) -> None:
        """Write `plan.json`, indented for people."""
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
