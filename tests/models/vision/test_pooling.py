"""Pooling of visual tokens: means that keep what all tokens share, over the grid or in order."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mmsrarec.models.vision.pooling import pool_grid

grids = st.tuples(st.integers(1, 7), st.integers(1, 7))
squares = st.integers(1, 5).map(lambda side: side * side)
quick = settings(deadline=None, max_examples=60)


def drawn(count: int, dim: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


@quick
@given(grids, st.integers(1, 30))
def test_with_a_grid_the_result_has_as_many_rows_as_asked_for_and_each_lies_among_the_tokens(
    grid: tuple[int, int], tokens: int
) -> None:
    features = drawn(grid[0] * grid[1])
    pooled = pool_grid(features, tokens, grid)
    assert pooled.shape == (tokens, 3)
    assert (pooled <= features.max(0).values + 1e-5).all()
    assert (pooled >= features.min(0).values - 1e-5).all()


@quick
@given(grids, st.integers(1, 30), st.floats(-3, 3), st.floats(-3, 3))
def test_pooling_is_linear_and_leaves_a_constant_alone(
    grid: tuple[int, int], tokens: int, weight: float, shift: float
) -> None:
    one, other = drawn(grid[0] * grid[1]), drawn(grid[0] * grid[1], seed=1)
    together = pool_grid(one + weight * other + shift, tokens, grid)
    parts = pool_grid(one, tokens, grid) + weight * pool_grid(other, tokens, grid) + shift
    torch.testing.assert_close(together, parts, atol=1e-4, rtol=1e-4)


@quick
@given(grids, st.integers(1, 30), st.permutations(range(3)))
def test_channels_are_pooled_apart(grid: tuple[int, int], tokens: int, order: list[int]) -> None:
    features = drawn(grid[0] * grid[1])
    pooled = pool_grid(features, tokens, grid)
    torch.testing.assert_close(pool_grid(features[:, order], tokens, grid), pooled[:, order])


@quick
@given(squares, st.integers(1, 3))
def test_square_blocks_that_fit_the_grid_become_their_means(tokens: int, block: int) -> None:
    side = math.isqrt(tokens)
    width = side * block
    features = drawn(width * width)
    pooled = pool_grid(features, tokens)
    for row in range(side):
        for column in range(side):
            of_block = [
                (row * block + down) * width + column * block + right for down in range(block) for right in range(block)
            ]
            torch.testing.assert_close(pooled[row * side + column], features[of_block].mean(0), atol=1e-5, rtol=1e-5)


@quick
@given(st.integers(1, 6), st.integers(1, 6))
def test_tokens_in_order_become_the_means_of_runs_where_no_square_is_asked_for(runs: int, length: int) -> None:
    tokens = {1: 2, 4: 3}.get(runs, runs)
    features = drawn(tokens * length)
    expected = features.reshape(tokens, length, 3).mean(1)
    torch.testing.assert_close(pool_grid(features, tokens), expected, atol=1e-5, rtol=1e-5)


@quick
@given(st.integers(1, 30), st.integers(1, 40))
def test_without_a_grid_tokens_are_never_made_up(count: int, tokens: int) -> None:
    features = drawn(count)
    pooled = pool_grid(features, tokens)
    assert len(pooled) == min(tokens, count)
    assert torch.equal(pooled, features) == (tokens >= count)


@quick
@given(grids, squares)
def test_turning_the_picture_turns_its_pooled_tokens(grid: tuple[int, int], tokens: int) -> None:
    rows, columns = grid
    side = math.isqrt(tokens)
    features = drawn(rows * columns)
    turned = features.reshape(rows, columns, 3).transpose(0, 1).reshape(-1, 3)
    pooled = pool_grid(features, tokens, grid).reshape(side, side, 3)
    torch.testing.assert_close(
        pool_grid(turned, tokens, (columns, rows)).reshape(side, side, 3).transpose(0, 1), pooled
    )


@pytest.mark.parametrize("tokens", [4, 3, 99])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_number_format_stays_and_sums_are_made_in_float32(dtype: torch.dtype, tokens: int) -> None:
    features = torch.full((36, 2), 60000.0 if dtype == torch.float16 else 1.0).to(dtype)  # 2 of them overflow float16
    pooled = pool_grid(features, tokens)
    assert pooled.dtype == dtype
    assert pooled.unique().tolist() == features.unique().tolist()


def test_gradients_reach_every_visual_token_in_equal_shares() -> None:
    features = drawn(36).requires_grad_(True)
    pool_grid(features, 9).sum().backward()
    torch.testing.assert_close(features.grad, torch.full((36, 3), 1 / 4))
