"""The positions of a picture's tokens in a prompt and the tokens that they attend to, which differ by architecture.

Most models count tokens in text order. The Qwen models have three axes (M-RoPE: Qwen2-VL, arXiv 2409.12191, section
2.1): a picture's tokens share a time and differ in row and column, and text continues after the largest of these. In
Gemma 3 a picture's tokens attend to one another in both directions (arXiv 2503.19786, section 2.1).
Shapes: t tokens of a span.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

MUTUAL_MODEL_TYPES = {"gemma3"}
"""The model_type of models whose picture tokens attend to one another in both directions."""


@dataclass(frozen=True, slots=True)
class VisionLayout:
    """How a model places pictures.

    Attributes:
        image_token: The token id of image placeholders; None for a model that reads no pictures.
        axes: The number of axes of its positions, 1 or 3.
        mutual: Whether a picture's tokens attend to one another in both directions.
    """

    image_token: int | None = None
    axes: int = 1
    mutual: bool = False

    def positions(self, ids: Sequence[int], pictures: int, first: int) -> Tensor:
        """Place a span of tokens.

        Args:
            ids: t token ids.
            pictures: The number of pictures in the span.
            first: The position of its first token.

        Returns:
            (axes, t) positions.
        """
        if self.axes == 1 or not pictures:
            return torch.arange(first, first + len(ids)).expand(self.axes, -1)
        starts, size = self._pictures(ids, pictures)
        rows, columns = grid(size)
        place = torch.arange(size)
        inside = torch.stack([torch.zeros_like(place), place // columns, place % columns])
        parts: list[Tensor] = []
        done, at = 0, first
        for start in starts:
            parts += [torch.arange(at, at + start - done).expand(3, -1), inside + at + start - done]
            at += start - done + max(rows, columns)
            done = start + size
        return torch.cat([*parts, torch.arange(at, at + len(ids) - done).expand(3, -1)], dim=1)

    def blocks(self, ids: Sequence[int], pictures: int) -> Tensor:
        """Number the pictures of a span.

        Args:
            ids: t token ids.
            pictures: The number of pictures in the span.

        Returns:
            (t,) the number of the picture of each token, -1 for words.
        """
        numbers = torch.full((len(ids),), -1)
        starts, size = self._pictures(ids, pictures)
        for number, start in enumerate(starts):
            numbers[start : start + size] = number
        return numbers

    def _pictures(self, ids: Sequence[int], pictures: int) -> tuple[list[int], int]:
        """The first place of each picture, and the number of tokens of a picture."""
        places = [place for place, token in enumerate(ids) if token == self.image_token] if pictures else []
        size = len(places) // pictures if pictures else 0
        return places[::size] if size else [], size


WORDS_ONLY = VisionLayout()
"""The layout of a model without pictures."""


def vision_layout_of(model: nn.Module) -> VisionLayout:
    """The layout that the configuration of a transformers model describes."""
    config = cast(Any, model).config
    image_token = getattr(config, "image_token_id", None)
    rope: dict[str, Any] = getattr(config.get_text_config(), "rope_parameters", None) or {}
    return VisionLayout(
        image_token=None if image_token is None else int(image_token),
        axes=3 if "mrope_section" in rope else 1,
        mutual=config.model_type in MUTUAL_MODEL_TYPES,
    )


def grid(tokens: int) -> tuple[int, int]:
    """The rows and columns of a pooled picture: a square if it can be one, else a row (see `pooling.pool_grid`)."""
    side = math.isqrt(tokens)
    return (side, side) if side * side == tokens else (1, tokens)
