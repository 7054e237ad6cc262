"""A finished model as files for use elsewhere.

    python -m recipes.export RUN FORMAT OUT_DIR

adapter   the small LoRA files and the last layer, to be used with the base model
merged    one whole model for plain transformers; adapters are folded into the weights
onnx      one graph for ONNX Runtime, with the tokenizer beside it

What was written is loaded again and must give the same answers as the run's model. The last line of standard output is
`{"files": [names in OUT_DIR]}`, or `{"error": {"code", "what", "expected", "fix"}}` with exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recipes.parts.errors import RecipeError, explain

ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
ONNX_OPSET = 18
TOLERANCE = 1e-3  #: of the logits, relative to the largest: rounding of a different order of sums stays far below


def main(argv: list[str] | None = None) -> int:
    """Export once; returns the exit code."""
    parser = argparse.ArgumentParser(prog="recipes.export", description="A finished model as files.")
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("format", help=", ".join(FORMATS))
    parser.add_argument("out", type=Path, help="the folder that the files go to")
    arguments = parser.parse_args(argv)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what libraries print is not for whoever reads our last line
            report: dict[str, Any] = {"files": export(arguments.run, arguments.format, arguments.out)}
    except Exception as error:  # noqa: BLE001 whoever reads our output must learn of it
        traceback.print_exc()
        failed = explain(error)
        report = {"error": {name: getattr(failed, name) for name in ("code", "what", "expected", "fix")}}
    sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return 1 if "error" in report else 0


def export(run: Path, form: str, out: Path) -> list[str]:
    """Write a run's model in a format; nothing is written when it fails.

    Args:
        run: the run's folder, with `model/`.
        form: one of `FORMATS`.
        out: created when it does not exist; other files in it stay.

    Returns:
        The names of the files in `out`.

    Raises:
        RecipeError: an unknown format, no model, packages that are missing, or answers that differ.
    """
    write = FORMATS.get(form.lower())
    if write is None:
        raise _not_available(form.lower())
    if not (run / "model" / "config.json").is_file():
        raise RecipeError(
            "no-model",
            f"There is no model in {run}.",
            "A run keeps its model there once it has finished, or was stopped after its first evaluation.",
            "Start the run, and wait for its end.",
        )
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        folder = Path(scratch) / "files"
        folder.mkdir()
        write(run, folder)
        return _deliver(folder, out)


def _deliver(folder: Path, out: Path) -> list[str]:
    """Copy each file beside its place and rename it there, so that none is ever half written."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in names:
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        shutil.copyfile(folder / name, partial)
        os.replace(partial, target)
    return names


def write_adapter(run: Path, folder: Path) -> None:
    """The adapter as it is: its files are already what PEFT loads.

    Raises:
        RecipeError: `no-adapter`.
    """
    if not (run / "model" / "adapter_config.json").is_file():
        raise RecipeError(
            "no-adapter",
            "This run's model has no adapter: it was trained without LoRA, or the head alone did better and was kept.",
            "Only the method lora makes adapter files.",
            "Export it as merged: that is the whole model.",
        )
    shutil.copytree(run / "model", folder, dirs_exist_ok=True)


def write_merged(run: Path, folder: Path) -> None:
    """One whole model; its answers are compared with those of the adapter and its base.

    Raises:
        RecipeError: the base model cannot be had, or `verification-failed`.
    """
    if not (run / "model" / "adapter_config.json").is_file():
        shutil.copytree(run / "model", folder, dirs_exist_ok=True)  # it is whole already
        return
    module = recipe_of(run)
    if hasattr(module, "write_merged"):
        module.write_merged(run, folder)
        _new_card(run, folder, "transformers")
        return
    from recipes.parts import save

    classifier = save.load(run / "model", kind_of(run))
    inputs = classifier.kind.trial_inputs(classifier)
    expected = _logits(classifier, inputs)
    if classifier.pooling == "mean":
        classifier.module.body = classifier.module.body.merge_and_unload()
    else:
        classifier.module = classifier.module.merge_and_unload()
    classifier.adapter = False
    save.save(classifier, folder, classifier.kind.limit(classifier.processor))
    _compare(_logits(save.load(folder, classifier.kind), inputs), expected, "merged")
    _new_card(run, folder, save.model_format(classifier))


def write_onnx(run: Path, folder: Path) -> None:
    """A graph with the model's inputs by their names and the output `logits`, for any number of rows.

    Raises:
        RecipeError: `export-format`, `onnx-missing`, or `verification-failed`.
    """
    kind = kind_of(run)  # a model that cannot be exported so is said before a package that is missing
    if not kind.has_graph:
        raise RecipeError(
            "export-format",
            f"The ONNX export is for models that sort things; this one answers {kind.many} by places in a text.",
            "Which place is best is worked out from the scores of all tokens, which a graph alone does not do.",
            "Export it as merged: plain transformers loads that, and the card has the lines.",
        )
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise RecipeError(
            "onnx-missing",
            f"The ONNX export needs packages that are not installed: {', '.join(missing)}.",
            "They are not part of the assistant, because few people need them.",
            f"Install them with: python -m pip install {' '.join(ONNX_PACKAGES)}",
        )
    from recipes.parts import save

    classifier = save.load(run / "model", kind)
    inputs = kind.trial_inputs(classifier)
    expected = _logits(classifier, inputs)
    if classifier.adapter and classifier.pooling == "mean":
        classifier.module.body = classifier.module.body.merge_and_unload()
    elif classifier.adapter:
        classifier.module = classifier.module.merge_and_unload()
    _write_graph(classifier, inputs, folder / "model.onnx")
    kind.save_processor(classifier.processor, folder, kind.limit(classifier.processor))
    classifier.module.config.save_pretrained(folder)
    _compare(_onnx_logits(folder, inputs), expected, "ONNX")
    only_torch = type(classifier.processor).__name__ == "TimmWrapperImageProcessor"  # it returns nothing else
    (folder / "README.md").write_text(_onnx_readme(kind.task, "pt" if only_torch else "np"), encoding="utf-8")


def kind_of(run: Path) -> Any:
    """What a run's model classifies (`recipes.parts.modality`).

    Raises:
        RecipeError: `export-format`, it does not classify.
    """
    module = recipe_of(run)
    if not hasattr(module, "KIND"):
        raise RecipeError(
            "export-format",
            "This model writes or compares texts; the ONNX export is for models that sort things.",
            "A model that writes or compares is exported as adapter or merged.",
            "Export it as merged: plain transformers and most tools load that.",
        )
    return module.KIND


def recipe_of(run: Path) -> Any:
    """The module that trained a run's model."""
    from recipes.plan import Plan
    from recipes.run import recipe

    return recipe(Plan.load(run / "plan.json"))


def _write_graph(classifier: Any, inputs: dict[str, Any], path: Path) -> None:
    import torch

    names = list(inputs)

    class Logits(torch.nn.Module):  # type: ignore[misc]
        """The classifier with named inputs and one output."""

        def __init__(self) -> None:
            super().__init__()
            self.module = classifier.module

        def forward(self, *values: torch.Tensor) -> torch.Tensor:
            return classifier.kind.logits(self.module(**dict(zip(names, values, strict=True))))

    axes = {axis: torch.export.Dim(name) for axis, name in classifier.kind.free_axes.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter talks about its own future
        torch.onnx.export(
            Logits().eval(),
            tuple(inputs.values()),
            path,
            input_names=names,
            output_names=["logits"],
            dynamic_shapes=(tuple(axes for _ in names),),
            opset_version=ONNX_OPSET,
            external_data=False,
            dynamo=True,
        )


def _logits(classifier: Any, inputs: dict[str, Any]) -> Any:
    """Shape (rows, outputs)."""
    import torch

    with torch.no_grad():
        return classifier.kind.logits(classifier.module(**inputs)).float().numpy()


def _onnx_logits(folder: Path, inputs: dict[str, Any]) -> Any:
    # By name: it is not among our requirements, so that a type checker does not find it.
    session = importlib.import_module("onnxruntime").InferenceSession(
        folder / "model.onnx", providers=["CPUExecutionProvider"]
    )
    return session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]


def _compare(found: Any, expected: Any, form: str) -> None:
    import numpy as np

    allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    apart = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    if not apart <= allowed:  # also when it is not a number
        raise RecipeError(
            "verification-failed",
            f"The {form} model answers differently from the one that was trained: apart by {apart:.3g}, where "
            f"{allowed:.3g} is allowed.",
            "Both must give the same answers; the files were not kept.",
            "Use another format.",
        )


def _new_card(run: Path, folder: Path, model_format: str) -> None:
    """The card with the lines that load this form; a run that was stopped has no result, and so no card."""
    from recipes.events import Result
    from recipes.parts import card
    from recipes.plan import Plan

    model_card = getattr(recipe_of(run), "model_card", card.model_card)
    with contextlib.suppress(OSError, ValueError):
        result = Result.load(run / "result.json").model_copy(update={"model_format": model_format})
        (folder / "README.md").write_text(model_card(Plan.load(run / "plan.json"), result), encoding="utf-8")


def _not_available(form: str) -> RecipeError:
    return RecipeError(
        "export-format",
        f"This model cannot be exported as “{form}”."
        + (" GGUF is a format for language models that write text; this one sorts texts." if form == "gguf" else ""),
        f"The formats are: {', '.join(FORMATS)}.",
        "Export it as merged: plain transformers and most tools load that.",
    )


FORMATS: dict[str, Callable[[Path, Path], None]] = {
    "adapter": write_adapter,
    "merged": write_merged,
    "onnx": write_onnx,
}


def _onnx_readme(task: str, tensors: str = "np") -> str:
    """How to run the graph, in lines that run as they stand; tensors: in which form the inputs are prepared."""
    from recipes.parts.card_words import words_for

    words = words_for(task)
    return _ONNX_README.format(
        imports="".join(f"{line}\n" for line in words.imports), processor=words.processor, name=words.name,
        given=words.given, prepared=words.prepared.replace('"pt"', f'"{tensors}"'), one=words.one,
    )  # fmt: skip


_ONNX_README = """\
# The model for ONNX Runtime

```python
import json
import numpy
import onnxruntime
{imports}from transformers import {processor}

folder = "."  # the folder of this file
{given}

{name} = {processor}.from_pretrained(folder)
{prepared}
session = onnxruntime.InferenceSession(f"{{folder}}/model.onnx")
kinds = {{"tensor(int64)": "int64", "tensor(float)": "float32"}}
feed = {{given.name: numpy.asarray(inputs[given.name], kinds[given.type]) for given in session.get_inputs()}}
logits = session.run(None, feed)[0]
with open(f"{{folder}}/config.json", encoding="utf-8") as file:
    config = json.load(file)
names = config.get("label_names") or [config["id2label"][str(i)] for i in range(logits.shape[-1])]
print([names[i] for i in logits.argmax(-1)])
```

The last line prints the best class of each {one}. Where a {one} can have several labels, take those whose logit is
above 0; where the answer is a number, `logits[:, 0]` is that number.
"""


if __name__ == "__main__":
    sys.exit(main())
