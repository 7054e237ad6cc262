"""The loss of a language model, computed only where something is learned.

add_token_loss(model)                                   before adapters and Trainer wrap it
model(input_ids, labels=…, token_loss="sum")            summed loss, in float32, with its gradient
model(input_ids, labels=…, token_loss="each")           the loss of every learned token, shape (learned tokens,)
model(input_ids, labels=…, token_loss="each+gradient")  the same, to be trained on

A vocabulary of 50,000 to 250,000 words makes the scores of all tokens the largest thing in memory, and on a CPU a
quarter of the work. Prompts and padding need none of them, and the others are taken a piece at a time: the gradient
of a piece is computed together with its loss, so that its scores need not be kept.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from recipes.parts.chat_format import IGNORED

PIECE = 512  # tokens whose scores are in memory at once: 100 MB for 50,000 words


class _SummedLoss(torch.autograd.Function):  # type: ignore[misc]
    """Sum of the cross-entropies of `hidden @ weight.T + bias`, without keeping the scores."""

    @staticmethod
    def forward(ctx: Any, hidden: Any, weight: Any, bias: Any, labels: Any, cap: float | None) -> Any:
        total = hidden.new_zeros((), dtype=torch.float32)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros_like(weight) if weight.requires_grad else None
        grad_bias = torch.zeros_like(bias) if bias is not None and bias.requires_grad else None
        for start in range(0, len(hidden), PIECE):
            part, target = hidden[start : start + PIECE], labels[start : start + PIECE]
            scores = functional.linear(part, weight, bias).float()
            scale = None
            if cap is not None:
                bounded = torch.tanh(scores / cap)
                scores, scale = bounded * cap, 1 - bounded**2
            logs = functional.log_softmax(scores, dim=-1)
            total += functional.nll_loss(logs, target, reduction="sum")
            slope = logs.exp_()
            slope[torch.arange(len(target), device=target.device), target] -= 1
            slope = (slope if scale is None else slope * scale).to(weight.dtype)
            grad_hidden[start : start + PIECE] = slope @ weight
            if grad_weight is not None:
                grad_weight += slope.T @ part
            if grad_bias is not None:
                grad_bias += slope.sum(0)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return total

    @staticmethod
    def backward(ctx: Any, above: Any) -> Any:
        slopes = [None if each is None else each * above.to(each.dtype) for each in ctx.saved_tensors]
        return *slopes, None, None, None


def each_loss(hidden: Any, weight: Any, bias: Any, labels: Any, cap: float | None) -> torch.Tensor:
    """Loss of each token, shape (tokens,), in float32, without a gradient."""
    found = []
    with torch.no_grad():
        for start in range(0, len(hidden), PIECE):
            scores = functional.linear(hidden[start : start + PIECE], weight, bias).float()
            scores = scores if cap is None else torch.tanh(scores / cap) * cap
            found.append(functional.cross_entropy(scores, labels[start : start + PIECE], reduction="none"))
    return torch.cat(found) if found else hidden.new_zeros(0, dtype=torch.float32)


def each_loss_with_gradient(hidden: Any, weight: Any, bias: Any, labels: Any, cap: float | None) -> torch.Tensor:
    """Loss of each token, shape (tokens,); the scores of a piece are computed again on the way back."""

    def piece(part: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        scores = functional.linear(part, weight, bias).float()
        scores = scores if cap is None else torch.tanh(scores / cap) * cap
        return functional.cross_entropy(scores, target, reduction="none")

    found = [
        checkpoint(piece, hidden[start : start + PIECE], labels[start : start + PIECE], use_reentrant=False)
        for start in range(0, len(hidden), PIECE)
    ]
    return torch.cat(found) if found else hidden.sum(-1).float()


def add_token_loss(model: Any) -> None:
    """Teach a causal language model's `forward` the argument `token_loss`; without it nothing changes."""
    original = model.forward
    config = model.config.get_text_config()
    cap = getattr(config, "final_logit_softcapping", None)
    scaled = any(getattr(config, name, None) not in (None, 1, 1.0) for name in SCALES)

    @functools.wraps(type(model).forward)  # `generate` checks its arguments against the signature
    def forward(*args: Any, token_loss: str = "", labels: Any = None, **kwargs: Any) -> Any:
        if not token_loss:
            return original(*args, **({"labels": labels} if labels is not None else {}), **kwargs)
        kwargs["use_cache"] = kwargs.get("past_key_values") is not None
        target = labels[:, 1:]
        learned = target != IGNORED
        if scaled:  # an architecture that treats its scores in a way of its own
            scores = original(*args, **kwargs).logits[:, :-1][learned].float()
            return _of_scores(scores, target[learned], token_loss)
        hidden = model.base_model(*args, **kwargs)[0][:, :-1][learned]
        head = model.get_output_embeddings()
        if token_loss == "each":
            return {"loss": each_loss(hidden, head.weight, head.bias, target[learned], cap)}
        if token_loss == "each+gradient":
            return {"loss": each_loss_with_gradient(hidden, head.weight, head.bias, target[learned], cap)}
        return {"loss": _SummedLoss.apply(hidden, head.weight, head.bias, target[learned], cap)}

    model.forward = forward


SCALES = ("logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")


def _of_scores(scores: torch.Tensor, target: torch.Tensor, kind: str) -> dict[str, torch.Tensor]:
    loss = functional.cross_entropy(scores, target, reduction="sum" if kind == "sum" else "none")
    return {"loss": loss}
