"""Where a picture's tokens stand in a prompt, and whom they look at: in this the architectures differ.

Most count tokens in text order. The Qwens count three axes (M-RoPE: Qwen2-VL, arXiv 2409.12191, section 2.1): a
picture's tokens share a time and differ in row and column, and text goes on after the largest of them. In Gemma 3 a
picture's tokens look at one another in both directions (arXiv 2503.19786, section 2.1). Shapes: t tokens of a segment.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

MUTUAL = {"gemma3"}
"""model_type of those whose picture tokens look at one another."""


@dataclass(frozen=True, slots=True)
class VisionLayout:
    """How a model reads pictures. image_token: the id that holds a picture's place, None where it reads none; axes: of
    its positions, 1 or 3; mutual: whether a picture's tokens look at one another."""

    image_token: int | None = None
    axes: int = 1
    mutual: bool = False

    def positions(self, ids: Sequence[int], pictures: int, first: int) -> Tensor:
        """(axes, t) positions of a segment that starts at position `first` and shows so many pictures."""
        if self.axes == 1 or not pictures:
            return torch.arange(first, first + len(ids)).expand(self.axes, -1)
        starts, size = self._pictures(ids, pictures)
        rows, columns = grid(size)
        place = torch.arange(size)
        inside = torch.stack([torch.zeros_like(place), place // columns, place % columns])
        parts, done, at = [], 0, first
        for start in starts:
            parts += [torch.arange(at, at + start - done).expand(3, -1), inside + at + start - done]
            at += start - done + max(rows, columns)
            done = start + size
        return torch.cat([*parts, torch.arange(at, at + len(ids) - done).expand(3, -1)], dim=1)

    def blocks(self, ids: Sequence[int], pictures: int) -> Tensor:
        """(t,) the number of the picture that a token belongs to, -1 for words."""
        found = torch.full((len(ids),), -1)
        starts, size = self._pictures(ids, pictures)
        for number, start in enumerate(starts):
            found[start : start + size] = number
        return found

    def _pictures(self, ids: Sequence[int], pictures: int) -> tuple[list[int], int]:
        """Where each picture starts, and the tokens of one."""
        places = [place for place, token in enumerate(ids) if token == self.image_token] if pictures else []
        size = len(places) // pictures if pictures else 0
        return places[::size] if size else [], size


def vision_layout_of(model: nn.Module) -> VisionLayout:
    """What the configuration of a transformers model says."""
    config = model.config
    image_token = getattr(config, "image_token_id", None)
    rope = getattr(config.get_text_config(), "rope_parameters", None) or {}  # pyright: ignore
    return VisionLayout(
        image_token=None if image_token is None else int(image_token),  # pyright: ignore
        axes=3 if "mrope_section" in rope else 1,
        mutual=config.model_type in MUTUAL,  # pyright: ignore
    )


def grid(tokens: int) -> tuple[int, int]:
    """Rows and columns of a pooled picture: a square where there is one, else a row (see `mllm.pool_grid`)."""
    side = math.isqrt(tokens)
    return (side, side) if side * side == tokens else (1, tokens)
