"""How much longer does a new last layer on pictures take than one plain inference pass over the same pictures?

    python benchmarks/picture_head_speed.py [--pictures 1000]

Ours: the default run on pictures in its own process, from the reading of the rows to the saved model (its own seconds,
without the start of Python). Theirs: the model loaded, each file opened, prepared by the model's own image processor
and read once, 32 at a time, in the fastest of three precisions; loading counts on both sides. Goal: at most 1.5 times.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from recipes.events import Result, read_events  # noqa: E402
from recipes.plan import Plan  # noqa: E402

SHARED = ROOT.parent / "shared" / "data" / "photo-objects" / "train.zip"
EXAMPLE = ROOT / "assistant" / "examples" / "clothes.zip"
BATCH = 32
GOAL = 1.5


def main() -> int:
    """Print the comparison; exit code 0 when the goal is reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED if SHARED.is_file() else EXAMPLE, help="class folders")
    parser.add_argument("--pictures", type=int, default=None, help="use only so many of them, evenly spread")
    parser.add_argument("--model", default="timm/tf_efficientnet_lite0.in1k", help="a starter, an id or a folder")
    parser.add_argument("--home", type=Path, default=None, help="a home whose models/ holds the starter")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="picture-head-speed-") as scratch:
        home = Path(scratch)
        if options.home is not None:
            (home / "models").symlink_to((options.home / "models").resolve())
        run = home / "runs" / "head"
        files = unpack(options.data, options.pictures, run)
        plain = min(inference(files, options.model, run, precision) for precision in ("highest", "medium", "bfloat16"))
        seconds = run_head(run, options.model)
    ours = sum(seconds.values())
    print(f"{len(files):,} pictures, {options.model}")
    print(f"one plain inference pass    {plain:7.1f} s")
    parts = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    print(f"a run with a new last layer {ours:7.1f} s   ({parts})")
    print(f"ratio {ours / plain:.2f} (goal: at most {GOAL:g})")
    return 0 if ours / plain <= GOAL else 1


def unpack(archive: Path, limit: int | None, run: Path) -> list[Path]:
    """The pictures beside the rows that name them; the folder of each is its label."""
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.lower().endswith((".jpg", ".png")))
        names = names[:: max(1, len(names) // limit)][:limit] if limit else names
        opened.extractall(run / "data", names)
    rows = [json.dumps({"image": name, "label": name.split("/")[-2]}) for name in names]
    (run / "data" / "train.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return [run / "data" / name for name in names]


def inference(files: list[Path], model: str, run: Path, precision: str) -> float:
    """Seconds from the loading of the model to its answer for the last picture."""
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    from recipes.parts.device import available_cores
    from recipes.parts.starter import resolve

    torch.set_num_threads(available_cores())
    torch.set_float32_matmul_precision("highest" if precision == "highest" else "medium")
    source = resolve(model, run)
    start = time.perf_counter()
    network: Any = AutoModelForImageClassification.from_pretrained(source).eval()
    network = network.to(memory_format=torch.channels_last)
    processor = AutoImageProcessor.from_pretrained(source)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
        for first in range(0, len(files), BATCH):
            opened = [Image.open(io.BytesIO(file.read_bytes())).convert("RGB") for file in files[first : first + BATCH]]
            network(**processor(opened, return_tensors="pt"))
    return time.perf_counter() - start


def run_head(run: Path, model: str) -> dict[str, float]:
    """The recipe as people run it; its seconds by part."""
    plan = Plan().changed(
        {
            "task": "image-classification", "problem": "single_label_classification", "base_model": model,
            "method.name": "head", "data.source": "data/train.jsonl",
            "data.columns": {"image": "image", "label": "label"}, "training.epochs": 1, "training.batch_size": 32,
            "training.learning_rate": 1e-3,
            "evaluation.baselines": ("majority", "picture_statistics", "nearest_centroid"),
        }
    )  # fmt: skip
    plan.save(run / "plan.json")
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(ROOT)}
    with (run / "log.txt").open("w") as log:
        command = [sys.executable, "-m", "recipes.run", str(run / "plan.json")]
        subprocess.run(command, stdout=log, stderr=log, env=environment, check=False)
    if not (run / "result.json").is_file():
        raise SystemExit(f"the run failed: {read_events(run / 'events.jsonl')[0][-1:]}")
    seconds = Result.load(run / "result.json").seconds
    return {name: value for name, value in seconds.items() if name not in ("predicted", "total")}


if __name__ == "__main__":
    raise SystemExit(main())
