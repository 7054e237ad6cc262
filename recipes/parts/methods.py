"""Base models with a new last layer, and which of their weights each method trains.

base = load_base(kind, source, ...)           a pretrained body with a new last layer
prepare(method, classifier)                   frozen and trainable weights set, adapters added
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MethodType
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from recipes.parts import places
from recipes.parts.errors import RecipeError, cannot_load
from recipes.parts.modality import Modality
from recipes.plan import Method

Pooling = Literal["model", "mean"]
HEAD_FILE = "classification_head.safetensors"
#: Parts of a body that come after its blocks: they train with the last blocks.
AFTER_BLOCKS = re.compile(
    r"(^|\.)(pooler|final_norm|final_layer_norm|ln_f|norm)$"
    r"|^(encoder\.)?(layernorm|conv_1x1|conv_head|top_conv|top_bn|bn2|fc_norm|pre_logits)$"
)


class MeanPooledClassifier(nn.Module):  # type: ignore[misc]
    """A body, the mean of its last hidden states over the real tokens, and one linear layer.

    Input: `input_ids`, `attention_mask`, shape (rows, tokens). Output: {"logits": shape (rows, classes)}.
    """

    def __init__(self, body: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.body = body
        self.classifier = nn.Linear(width, outputs)
        self.config = body.config

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.body(input_ids=input_ids, attention_mask=attention_mask)[0]
        return {"logits": self.classifier(mean_pool(hidden, attention_mask))}


def mean_pool(hidden: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Mean over real tokens, in float32: (rows, tokens, width), (rows, tokens) -> (rows, width)."""
    mask = attention_mask.unsqueeze(-1).to(torch.float32)
    return (hidden.to(torch.float32) * mask).sum(1) / mask.sum(1).clamp(min=1.0)


@dataclass
class Base:
    """A pretrained body with a new last layer, as transformers loads it.

    Attributes:
        processor: prepares its inputs: a tokenizer, an image processor, …
        name: the plan's base model; source: the folder or Hub id it was loaded from.
        fresh: names of parameters that the checkpoint lacks.
        dropout: the configuration's own dropout values, where they were set to zero for speed.
    """

    model: Any
    processor: Any
    name: str
    source: str
    fresh: list[str]
    kind: Modality
    dropout: dict[str, float] = field(default_factory=dict)

    @property
    def head(self) -> nn.Linear:
        """The last linear layer."""
        return find_head(self.model)


@dataclass
class Classifier:
    """A module that maps inputs to logits, and how it pools.

    Attributes:
        module: the tensors of `Inputs.batch` -> {"logits"}.
        adapter: whether its body carries LoRA adapters.
    """

    module: Any
    pooling: Pooling
    processor: Any
    base_name: str
    kind: Modality
    adapter: bool = False
    dropout: dict[str, float] = field(default_factory=dict)

    @property
    def head(self) -> nn.Linear:
        """The last linear layer."""
        return self.module.classifier if self.pooling == "mean" else find_head(self.module)

    def set_head(self, weight: Any, bias: Any) -> None:
        """Put fitted weights, shape (outputs, width), and biases, shape (outputs,), into the last layer."""
        with torch.no_grad():
            self.head.weight.copy_(torch.as_tensor(weight))
            self.head.bias.copy_(torch.as_tensor(bias))


def load_base(
    kind: Modality,
    source: str,
    name: str,
    *,
    labels: list[str],
    problem: str,
    seed: int,
    no_dropout: bool,
    from_scratch: bool = False,
) -> Base:
    """Load a body with a new last layer; new square layers before it start as the identity.

    Args:
        kind: what it classifies.
        source: a local folder or a Hub id; safetensors only, no code of the repository is run.
        labels: the classes; empty for regression.
        no_dropout: set every dropout to zero (on a CPU, drawing its masks costs as much as the model).
        from_scratch: random weights instead of the pretrained ones.

    Raises:
        RecipeError: `unsafe-weights`, `remote-code`, `model-not-found` or `model-not-usable`.
    """
    from transformers import AutoConfig

    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")
    check_weight_files(source, name)
    places.know(source)
    torch.manual_seed(seed)
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        _describe_labels(config, labels, problem)
        dropout = zero_dropout(config) if no_dropout else {}
        processor = kind.load_processor(source)
        if from_scratch:
            model = kind.auto_model().from_config(config, dtype=torch.float32)
            fresh: list[str] = []
        else:
            model, fresh = _pretrained(kind.auto_model(), source, config)
    except RecipeError:
        raise
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise _cannot_load(name, error, kind) from error
    base = Base(model, processor, name, source, fresh, kind, dropout)
    kind.check(base)
    _check_loaded(base)
    _identity_in_fresh_layers(base)
    model.eval()
    return base


def _pretrained(auto: Any, source: str, config: Any) -> tuple[Any, list[str]]:
    model, report = auto.from_pretrained(
        source,
        config=config,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    mismatched = [key[0] if isinstance(key, (tuple, list)) else key for key in report.get("mismatched_keys", [])]
    return model, sorted({*report.get("missing_keys", []), *mismatched})


def check_weight_files(source: str, name: str) -> None:
    """Refuse a folder that has weights only in a format that can run code when it is opened.

    Raises:
        RecipeError: `unsafe-weights`.
    """
    folder = Path(source)
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    unsafe = sorted(path.name for suffix in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(suffix))
    if unsafe:
        raise _unsafe(name, ", ".join(unsafe[:3]))


def _unsafe(name: str, files: str) -> RecipeError:
    return RecipeError(
        "unsafe-weights",
        f"The model “{name}” holds its weights only in a pickle file ({files}), which can run any code when opened.",
        "Weights are read from safetensors files only.",
        "Choose a model with model.safetensors (most have one), or convert it where you trust it.",
    )


def _cannot_load(name: str, error: Exception, kind: Modality) -> RecipeError:
    found = cannot_load(name, error, f" to classify {kind.many}", kind.another_model)
    return _unsafe(name, "no .safetensors file") if found.code == "unsafe-weights" else found


def _describe_labels(config: Any, labels: list[str], problem: str) -> None:
    config.id2label = dict(enumerate(labels)) if labels else {0: "value"}
    config.label2id = {label: number for number, label in config.id2label.items()}
    config.problem_type = problem
    arguments = getattr(config, "model_args", None)
    if isinstance(arguments, dict):  # timm's: the classes that it was trained with would be asked for twice
        arguments.pop("num_classes", None)


def zero_dropout(config: Any) -> dict[str, float]:
    """Set every dropout of a configuration to zero; returns the values it had."""
    had: dict[str, float] = {}
    for key, value in config.to_dict().items():
        if ("dropout" in key or key.endswith(("_drop", "pdrop"))) and isinstance(value, float) and value:
            had[key] = value
            setattr(config, key, 0.0)
    return had


def _check_loaded(base: Base) -> None:
    """The head is there, and the blocks are not new."""
    find_head(base.model)
    blocks = find_blocks(base.model)
    lacking = [name for name in base.fresh if blocks is not None and name.startswith(blocks[0] + ".")]
    if lacking:
        raise RecipeError(
            "model-not-usable",
            f"The files of “{base.name}” lack {len(lacking)} weights that its configuration names, as {lacking[0]}.",
            "A pretrained model brings the weights of all its layers.",
            "Choose another base model, or mend the folder.",
        )


def _identity_in_fresh_layers(base: Base) -> None:
    """New square layers before the last one start as the identity, so that the features that reach it make sense."""
    head = base.head
    for name, module in base.model.named_modules():
        if isinstance(module, nn.Linear) and module is not head and f"{name}.weight" in base.fresh:
            if module.in_features == module.out_features:
                nn.init.eye_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def find_head(model: Any) -> nn.Linear:
    """The last linear layer: as many outputs as there are labels.

    Raises:
        RecipeError: `model-not-usable`, the architecture ends in something else.
    """
    outputs = model.config.num_labels
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == outputs and "original_module" not in name
    ]
    if not found:
        raise RecipeError(
            "model-not-usable",
            f"The architecture {type(model).__name__} does not end in a linear layer with {outputs} outputs.",
            "The last layer is exchanged for a new one, so there must be one.",
            "Choose another base model.",
        )
    return found[-1]


def find_blocks(model: nn.Module) -> tuple[str, Any] | None:
    """The list of blocks that make up the body, with its dotted name: the list that holds the most weights.

    Where there is no list, a sequence of modules counts (timm's convolutional networks).
    """
    for form in (nn.ModuleList, nn.Sequential):
        lists = [(name, module) for name, module in model.named_modules() if isinstance(module, form) and len(module)]
        if lists:
            return max(lists, key=lambda item: sum(parameter.numel() for parameter in item[1].parameters()))
    return None


def classifier_of(base: Base, pooling: Pooling, width: int, outputs: int) -> Classifier:
    """The base as a classifier with one of the two poolings; shares the base's weights."""
    module = base.model if pooling == "model" else MeanPooledClassifier(base.model.base_model, width, outputs)
    return Classifier(module, pooling, base.processor, base.name, base.kind, dropout=base.dropout)


def prepare(classifier: Classifier, method: Method, fresh: list[str], from_scratch: bool = False) -> None:
    """Freeze and unfreeze weights as the method says; lora adds adapters. The head always trains.

    Args:
        fresh: names of parameters that the checkpoint lacks; an adapter must carry them along.
        from_scratch: the weights are random, so that batch normalisation must learn its averages too.

    Raises:
        RecipeError: `no-layers` when last_layers finds no list of blocks.
    """
    module = classifier.module
    for parameter in module.parameters():
        parameter.requires_grad_(method.name == "full")
    if method.name == "last_layers":
        _unfreeze_last(classifier, method.layers or 1)
    if method.name in ("lora", "qlora"):
        _add_adapters(classifier, method, fresh)
    for parameter in classifier.head.parameters():
        parameter.requires_grad_(True)
    if not from_scratch:
        pin_normalisation(module)


def pin_normalisation(module: nn.Module) -> None:
    """Let batch normalisation stay as in evaluation, whatever is trained: its averages are part of what is known.

    A batch of a few rows is a poor estimate of them, and the last layer was fitted on features made with the old ones.
    """
    for each in module.modules():
        if isinstance(each, _BatchNorm):
            each.eval()
            each.train = MethodType(_stays, each)  # type: ignore[method-assign]


def _stays(module: nn.Module, mode: bool = True) -> nn.Module:
    """Instead of `Module.train`: evaluation mode it is, whatever is asked."""
    del mode
    return module


def _unfreeze_last(classifier: Classifier, layers: int) -> None:
    found = find_blocks(classifier.module)
    if found is None:
        raise RecipeError(
            "no-layers",
            f"{classifier.base_name} has no list of layers, so its last {layers} cannot be told apart.",
            "last_layers needs a model made of a stack of blocks.",
            "Choose the method full, or lora.",
        )
    name, blocks = found
    body = classifier.module.body if classifier.pooling == "mean" else classifier.module.base_model
    inside_body = {id(parameter) for parameter in body.parameters()}
    trained = [block for block in list(blocks)[-layers:]]
    trained += [
        module for label, module in body.named_modules() if AFTER_BLOCKS.search(label) and not _within(name, label)
    ]
    for module in trained:
        for parameter in module.parameters():
            parameter.requires_grad_(True)
    for parameter in classifier.module.parameters():
        if id(parameter) not in inside_body:  # layers of the new head
            parameter.requires_grad_(True)


def _within(blocks_name: str, module_name: str) -> bool:
    """Whether a module, named from the body, lies inside a block."""
    return bool(re.search(rf"(^|\.){re.escape(blocks_name.split('.')[-1])}\.\d+", module_name))


def _add_adapters(classifier: Classifier, method: Method, fresh: list[str]) -> None:
    from peft import LoraConfig, TaskType, get_peft_model

    target = classifier.module.body if classifier.pooling == "mean" else classifier.module
    whole = classifier.pooling == "model"
    rank = method.rank or 16
    config = LoraConfig(
        task_type=classifier.kind.peft_task if whole else TaskType.FEATURE_EXTRACTION,
        r=rank,
        lora_alpha=method.alpha or 2 * rank,
        lora_dropout=method.dropout or 0.0,
        target_modules=_linear_layers_pattern(target),
        modules_to_save=_modules_to_save(target, fresh) if whole else None,
    )
    wrapped = get_peft_model(target, config)
    wrapped.peft_config["default"].base_model_name_or_path = classifier.base_name
    if whole:
        classifier.module = wrapped
    else:
        classifier.module.body = wrapped
    classifier.adapter = True


def _linear_layers_pattern(model: nn.Module) -> str:
    """A pattern that matches every linear layer of every block, by full name."""
    found = find_blocks(model)
    if found is None:
        raise RecipeError(
            "no-layers", "This base model has no list of layers that adapters could be added to.",
            "lora needs a model made of a stack of blocks.", "Choose the method full.",
        )  # fmt: skip
    name, blocks = found
    inner = sorted(
        {label for block in blocks for label, module in block.named_modules() if isinstance(module, nn.Linear)}
    )
    if not inner:
        raise RecipeError(
            "no-layers", "The layers of this base model are convolutions, which adapters (LoRA) are not made for here.",
            "lora needs linear layers, as transformers (ViT, DINOv2, Swin) have.",
            "Choose the method last_layers, or full.",
        )  # fmt: skip
    return rf"{re.escape(name)}\.\d+\.({'|'.join(re.escape(label) for label in inner)})"


def _modules_to_save(model: Any, fresh: list[str]) -> list[str]:
    """The new head, and every other module that the checkpoint lacks: an adapter must carry their weights."""
    prefix = model.base_model_prefix
    found = find_blocks(model)
    bodies = {prefix, found[0].split(".")[0] if found is not None else prefix}  # not every body goes by its prefix
    names = [
        name for name, child in model.named_children() if name not in bodies and any(True for _ in child.parameters())
    ]
    for parameter in fresh:
        module = parameter.rpartition(".")[0]
        if module.startswith(prefix + "."):
            names.append(module.rpartition(".")[2] if "pooler" not in module else "pooler")
    head = next(label for label, module in model.named_modules() if module is find_head(model))
    if not any(head == name or head.startswith(f"{name}.") for name in names):  # timm keeps it inside the body
        names.append(head)
    return list(dict.fromkeys(names))


def freeze_unused(classifier: Classifier, batch: dict[str, torch.Tensor]) -> None:
    """Freeze trainable weights that a forward and backward pass does not reach (a pooler that mean pooling skips)."""
    module = classifier.module
    module.zero_grad(set_to_none=True)
    logits = classifier.kind.logits(module(**batch))
    logits.float().pow(2).sum().backward()
    for parameter in module.parameters():
        if parameter.requires_grad and parameter.grad is None:
            parameter.requires_grad_(False)
    module.zero_grad(set_to_none=True)


def parameter_groups(
    module: nn.Module, head: nn.Module, *, learning_rate: float, weight_decay: float, layer_decay: float | None
) -> list[dict[str, Any]]:
    """Optimizer groups: lower layers learn slower, biases and norms do not decay.

    The head and what follows the blocks learn at `learning_rate`; block k of n at `learning_rate * decay**(n - 1 - k)`;
    what lies before the blocks at `decay**n`.
    """
    found = find_blocks(module)
    name, depth = (found[0], len(found[1])) if found is not None else ("", 0)
    order = {label: number for number, (label, _) in enumerate(found[1].named_children())} if found is not None else {}
    above = {id(parameter) for parameter in head.parameters()}
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    seen_blocks = False
    for label, parameter in module.named_parameters():
        inside = label.startswith(name + ".") and found is not None
        seen_blocks = seen_blocks or inside
        if not parameter.requires_grad:
            continue
        if inside:
            below_top = depth - 1 - order[label[len(name) + 1 :].split(".")[0]]
        else:
            below_top = 0 if seen_blocks or id(parameter) in above else depth
        rate = learning_rate * (layer_decay or 1.0) ** below_top
        decay = 0.0 if parameter.ndim < 2 else weight_decay
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})
        group["params"].append(parameter)
    return list(groups.values())


def trainable_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Copies of the trainable weights, on the CPU, by name."""
    dense = torch.contiguous_format
    return {name: value.detach().cpu().clone(memory_format=dense) for name, value in _named(module, trainable=True)}


def load_trainable(module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Put trainable weights back.

    Raises:
        ValueError: the names are not those of the module's trainable weights.
    """
    own = dict(_named(module, trainable=True))
    if own.keys() != state.keys():
        raise ValueError(f"the saved state has {len(state)} trainable weights, the model {len(own)}")
    with torch.no_grad():
        for name, value in state.items():
            own[name].copy_(value)


def weights_sha256(module: nn.Module, *, trainable: bool | None, without: nn.Module | None = None) -> str:
    """SHA-256 over names and values of weights; `trainable` chooses a side, None takes all."""
    left_out = {id(parameter) for parameter in without.parameters()} if without is not None else set()
    digest = hashlib.sha256()
    for name, value in _named(module, trainable):
        if id(value) not in left_out:
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _named(module: nn.Module, trainable: bool | None) -> Iterator[tuple[str, torch.Tensor]]:
    """Weights, and the running averages of batch normalisation: they move while it trains."""
    for name, parameter in module.named_parameters():
        if trainable is None or parameter.requires_grad == trainable:
            yield name, parameter
    if trainable is None:  # whatever else its answers depend on: networks of Keras keep their averages in buffers
        yield from module.named_buffers()
        return
    for name, each in module.named_modules():
        if isinstance(each, _BatchNorm) and each.track_running_stats:
            moves = "train" not in vars(each) and any(parameter.requires_grad for parameter in each.parameters())
            if moves == trainable:
                yield from ((f"{name}.{label}", value) for label, value in each.named_buffers())


def count_parameters(module: nn.Module) -> tuple[int, int]:
    """Trainable and total number of weights."""
    parameters = list(module.parameters())
    return sum(p.numel() for p in parameters if p.requires_grad), sum(p.numel() for p in parameters)


def micro_batches(batch_size: int, world_size: int, wish: int | None) -> tuple[int, int]:
    """Rows in memory at once, and how many such batches make a step: their product with the processes is the batch."""
    per_process = math.ceil(batch_size / world_size)
    accumulation = math.ceil(per_process / max(1, wish or per_process))
    return math.ceil(per_process / accumulation), accumulation
