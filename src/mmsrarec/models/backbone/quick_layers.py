"""Layers in training that read and write less memory than those of the libraries, with the same results.

A linear map with a trained change of low rank (LoRA, arXiv 2106.09685): PEFT scales the change and adds it in steps of
their own, each of which reads and writes a tensor as large as the map's output. Here both products add to one result.
Root mean square norm (Zhang and Sennrich, arXiv 1910.07467): transformers computes all of it in float32, this one only
the mean.
Shapes: m rows, i inputs, o outputs, r the rank, d the width of a norm.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from mmsrarec.models.quantization import is_quantized
from mmsrarec.models.untyped import named_modules

if TYPE_CHECKING:
    from peft import PeftModel

NORMS = {"LlamaRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm", "MistralRMSNorm"}
"""Norms of transformers that compute `root_mean_square_norm`."""


class _LowRankProduct(torch.autograd.Function):
    """x W' + scale (x A') B', and its gradients; W' is the transpose of W, which is not trained."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, down: Tensor, up: Tensor, scale: float) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        inner = rows @ down.T
        out = torch.mm(rows, weight.T).addmm_(inner, up.T, alpha=scale)
        ctx.save_for_backward(rows, weight, down, up, inner)
        ctx.scale, ctx.shape = scale, x.shape
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, Tensor, Tensor, None]:
        rows, weight, down, up, inner = ctx.saved_tensors
        grad = grads[0].reshape(-1, grads[0].shape[-1])
        inner_grad = (grad @ up).mul_(ctx.scale)
        x_grad = None
        if ctx.needs_input_grad[0]:
            x_grad = torch.mm(grad, weight).addmm_(inner_grad, down).view(ctx.shape)
        return x_grad, None, inner_grad.T @ rows, (grad.T @ inner).mul_(ctx.scale), None


def low_rank_product(x: Tensor, weight: Tensor, down: Tensor, up: Tensor, scale: float) -> Tensor:
    """Compute x W' + scale (x A') B' (arXiv 2106.09685, equation 3, for rows).

    Args:
        x: (..., i) inputs.
        weight: (o, i) W, which gets no gradient.
        down: (r, i) A.
        up: (o, r) B.
        scale: alpha / r.

    Returns:
        (..., o) outputs.
    """
    return cast(Any, _LowRankProduct).apply(x, weight, down, up, scale)


class _RootMeanSquareNorm(torch.autograd.Function):
    """x / sqrt(mean(x^2) + eps) * w, and its gradient for x; w is not trained."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        norm = cast(Any, torch.linalg).vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        factor = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_().to(x.dtype)
        normed = x * factor
        ctx.save_for_backward(normed, factor, weight)
        return normed * weight

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        normed, factor, weight = ctx.saved_tensors
        grad = grads[0] * weight
        along = cast(Any, torch.linalg).vecdot(grad, normed)[..., None].div_(normed.shape[-1])
        return grad.addcmul_(normed, along, value=-1).mul_(factor), None, None


def root_mean_square_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Compute x / sqrt(mean(x^2) + eps) * w (arXiv 1910.07467, equation 4).

    Args:
        x: (..., d) inputs.
        weight: (d,) w, which gets no gradient.
        eps: Keeps the root above zero.

    Returns:
        (..., d) outputs.
    """
    return cast(Any, _RootMeanSquareNorm).apply(x, weight, eps)


@contextmanager
def quickened(peft: "PeftModel") -> Generator[None]:
    """Let a model compute `low_rank_product` and `root_mean_square_norm` while the block runs.

    A layer that does more than this (a bias, dropout, several adapters, a norm of another kind) stays as it is.

    Args:
        peft: The model with an adapter.
    """
    from peft.tuners.lora import LoraLayer

    changed: list[nn.Module] = []
    for _, module in named_modules(peft):
        if isinstance(module, LoraLayer) and _is_plain(module):
            cast(Any, module).forward = partial(_forward, module)
            changed.append(cast(nn.Module, module))
        elif type(module).__name__ in NORMS and not cast(Any, module).weight.requires_grad:
            cast(Any, module).forward = partial(_norm, module)
            changed.append(module)
    try:
        yield
    finally:
        for module in changed:
            del module.__dict__["forward"]  # the method of the class again


def _norm(module: Any, x: Tensor) -> Tensor:
    return root_mean_square_norm(x, module.weight, module.variance_epsilon)


def _is_plain(layer: Any) -> bool:
    base = layer.get_base_layer()
    return (
        isinstance(base, nn.Linear)
        and not is_quantized(base.weight)
        and "bias" not in dict(base.named_parameters())
        and list(layer.lora_A) == ["default"]
        and isinstance(layer.lora_dropout["default"], nn.Identity)
        and not layer.use_dora.get("default", False)
    )


def _forward(layer: Any, x: Tensor) -> Tensor:
    base: nn.Linear = layer.get_base_layer()
    if layer.disable_adapters or layer.merged:
        return base(x)
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    return low_rank_product(x, base.weight, down, up, layer.scaling["default"])
