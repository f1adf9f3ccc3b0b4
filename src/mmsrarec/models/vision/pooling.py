"""Averages the visual tokens of a picture to a smaller number."""

import math

from torch import Tensor
from torch.nn import functional as F


def pool_grid(features: Tensor, tokens: int, grid: tuple[int, int] | None = None) -> Tensor:
    """Average the visual tokens of a picture: over the grid where `tokens` is a square number, else in order.

    Args:
        features: (v, d) visual tokens.
        tokens: The number of tokens of the result.
        grid: Rows and columns of the visual tokens, for models whose grid depends on the picture. The result then has
            `tokens` rows for any v, because pictures of all sizes are stacked. None takes a square grid if v is a
            square number; fewer visual tokens than `tokens` then stay as they are.

    Returns:
        (tokens, d), or (v, d) as said above, in the number format of the features.
    """
    count, dim = features.shape
    if grid is None:
        if tokens >= count:
            return features
        side = math.isqrt(count)
        grid = (side, side) if side * side == count else None
    new_side = math.isqrt(tokens)
    if grid is not None and new_side * new_side == tokens:
        pooled = F.adaptive_avg_pool2d(features.T.reshape(1, dim, *grid).float(), new_side).reshape(dim, tokens).T
    else:
        pooled = F.adaptive_avg_pool1d(features.T.float()[None], tokens)[0].T
    return pooled.to(features.dtype)
