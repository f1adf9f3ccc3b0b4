"""Deepstack features: what a model adds to its states after the first layers, at a picture's places (arXiv 2406.04334).

Qwen3-VL takes them from other layers of its vision encoder. Here they follow the channels of a picture's visual tokens,
and those of the input embeddings; words have zeros there. So whatever pools, keeps or places visual tokens does the
same with them, and the language model takes them apart again.
Shapes: b prompts, t tokens, v visual tokens, d hidden size, n layers that features are added after.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def with_deepstack(features: Sequence[Tensor], levels: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Put the deepstack features of pictures behind their visual tokens.

    Args:
        features: (v, d) visual tokens of each picture.
        levels: For each of n layers (v, d) of each picture; empty for a model without such features.

    Returns:
        (v, d + n d) of each picture.
    """
    return [torch.cat(parts, dim=-1) for parts in zip(features, *levels, strict=True)]


def place_features(embeddings: Tensor, places: Tensor, features: Tensor) -> Tensor:
    """Put visual tokens into the places of a prompt.

    Args:
        embeddings: (b, t, d) embeddings of words.
        places: (b, t) bool, where visual tokens stand.
        features: (visual tokens, d + n d), in reading order.

    Returns:
        (b, t, d + n d) embeddings, zero beyond d for words.
    """
    wide = F.pad(embeddings, (0, features.shape[-1] - embeddings.shape[-1]))
    return wide.masked_scatter(places.unsqueeze(-1), features.to(embeddings.dtype))


def take_apart(decoder: nn.Module, hidden_size: int) -> None:
    """Let a language model read embeddings with deepstack features; others it reads as before.

    Args:
        decoder: The language model without its head, changed in place.
        hidden_size: d.
    """
    decoder.register_forward_pre_hook(partial(_split, hidden_size), with_kwargs=True)


def _split(
    hidden_size: int, decoder: nn.Module, args: tuple[Any, ...], options: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """The arguments with the features apart; None where there are none."""
    wide: Tensor | None = options.get("inputs_embeds")
    if wide is None or wide.shape[-1] == hidden_size:
        return None
    levels = [wide[..., start : start + hidden_size] for start in range(hidden_size, wide.shape[-1], hidden_size)]
    rows = torch.arange(len(wide), device=wide.device)  # they are added in whole rows, as words have zeros
    return args, {
        **options, "inputs_embeds": wide[..., :hidden_size], "visual_pos_masks": rows, "deepstack_visual_embeds": levels
    }  # fmt: skip
