"""Chooses the layers that a shortened model keeps, and freezes a model's weights."""

from typing import Any, cast

from torch import nn
from torch.nn.modules import batchnorm

from mmsrarec.models.backbone.settings import LayerSelection


def selected_layers(count: int, layers: int, keep: LayerSelection) -> list[int]:
    """Choose the layers that stay.

    Args:
        count: The number of layers of the model.
        layers: The number of layers that stay.
        keep: "lowest" keeps the first ones; "even" keeps the first, the last, and evenly spaced ones between them.

    Returns:
        The numbers of the layers, in order.
    """
    if keep == "lowest" or layers == 1:
        return list(range(layers))
    return [round(place * (count - 1) / (layers - 1)) for place in range(layers)]


def renumber(layer: nn.Module, number: int) -> None:
    """Give a layer and its parts the number under which a cache keeps their keys and values."""
    for part in layer.modules():
        if hasattr(part, "layer_idx"):
            cast(Any, part).layer_idx = number


def freeze(model: nn.Module) -> None:
    """Freeze all weights and batch statistics of a model; an adapter can be trained all the same.

    A frozen BatchNorm still updates its statistics in train mode, so these modules ignore `.train()`.
    """
    model.requires_grad_(False)
    batch_norm: type[nn.Module] = cast(Any, batchnorm)._BatchNorm
    for module in model.modules():
        if isinstance(module, batch_norm):
            cast(Any, module).train = lambda mode=True, module=module: module
