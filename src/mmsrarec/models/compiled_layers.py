"""Compiles parts of a language model with torch.compile, for models that only answer and rank.

Norms and feed-forward parts are a handful of small operations each, which a compiler joins into one. Attention is left
as it is: its shapes differ from batch to batch. Modules are not replaced, so hooks and adapters work as before.
"""

from typing import Any, cast

import torch
from torch import nn

from mmsrarec.core.terminal import remark
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.untyped import named_modules


def compiled(mllm: Mllm, wanted: bool = True) -> Mllm:
    """Compile a model where that is wanted and can pay: on CUDA, with whole weights. Elsewhere one line says so.

    Args:
        mllm: The model, changed in place; it must not be trained afterwards.
        wanted: Whether the recipe asks for it.

    Returns:
        The model itself.
    """
    if not wanted:
        return mllm
    if mllm.device.type != "cuda":
        remark(f"runtime.compile_layers is for cuda: the model on {mllm.device.type} is not compiled")
    elif mllm.is_quantized:
        remark("runtime.compile_layers is for whole weights: a model with model.quantization is not compiled")
    else:
        compile_layers(mllm.decoder)
    return mllm


def compile_layers(decoder: nn.Module, backend: str = "inductor") -> int:
    """Let the norms and the feed-forward parts of a language model be compiled when they are first used.

    Args:
        decoder: The language model without its head, changed in place; it must not be trained afterwards.
        backend: Of torch.compile. "eager" traces and compiles nothing.

    Returns:
        The number of parts.
    """
    parts = [part for name, part in named_modules(decoder) if name.endswith("mlp") or "Norm" in type(part).__name__]
    for part in parts:
        target = cast(Any, part)
        target.forward = cast(Any, torch).compile(target.forward, dynamic=True, backend=backend)
    return len(parts)
