"""Attention in merged pieces is used where it may be, and a candidate's output depends on nothing beside it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mmsrarec.models.packing.attention import Layout, packed_attention
from mmsrarec.models.packing.merged_attention import can_merge, merged_attention

SHARED, LENGTH = 16, 5


def drawn(candidates: int, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries, keys, values and the mask of two packs, the second with a padded shared part."""
    draw = torch.Generator().manual_seed(seed)
    width = SHARED + candidates * LENGTH
    query, key, value = (torch.randn(2, heads, width, 8, generator=draw).to(dtype) for heads in (6, 2, 2))
    mask = torch.zeros(2, 1, 1, SHARED, dtype=dtype)
    mask[1, ..., 11:] = torch.finfo(dtype).min
    return query, key, value, mask


@given(st.integers(1, 12), st.integers(0, 5))
def test_it_equals_the_tables_of_weights(candidates: int, seed: int) -> None:
    layout = Layout(SHARED, candidates, LENGTH)
    query, key, value, mask = drawn(candidates, torch.float32, seed)
    merged = merged_attention(query * 8**-0.5, key, value, mask, layout)
    expected, _ = packed_attention(torch.nn.Module(), query.requires_grad_(), key, value, mask, layout=layout)
    torch.testing.assert_close(merged, expected.detach(), atol=1e-5, rtol=1e-5)


def test_candidates_in_another_order_and_number_change_no_bit() -> None:
    query, key, value, mask = drawn(7, torch.bfloat16)
    whole = merged_attention(query, key, value, mask, Layout(SHARED, 7, LENGTH))
    for order in ([4], [6, 0], [3, 1, 5, 0, 2, 6, 4]):
        tokens = [*range(SHARED), *(SHARED + LENGTH * place + at for place in order for at in range(LENGTH))]
        picked = (x[:, :, tokens] for x in (query, key, value))
        part = merged_attention(*picked, mask, Layout(SHARED, len(order), LENGTH))
        assert torch.equal(part, whole[:, tokens])


def test_weights_far_apart_in_size_do_not_overflow() -> None:
    query, key, value, mask = drawn(2, torch.float32)
    key[:, :, :SHARED] *= 1e4
    merged = merged_attention(query, key, value, mask, Layout(SHARED, 2, LENGTH))
    assert merged.isfinite().all()
    mask[:] = torch.finfo(torch.float32).min  # nothing is shared: a candidate is alone
    merged = merged_attention(query, key, value, mask, Layout(SHARED, 2, LENGTH))
    own = slice(SHARED, SHARED + LENGTH)
    alone = torch.nn.functional.scaled_dot_product_attention(
        query[:, :, own], key[:, :, own], value[:, :, own], is_causal=True, scale=1.0, enable_gqa=True
    )
    torch.testing.assert_close(merged[:, own], alone.transpose(1, 2), atol=1e-5, rtol=1e-5)


def test_training_windows_pictures_and_empty_parts_go_the_other_way() -> None:
    query, key, _, _ = drawn(2, torch.bfloat16)
    layout, width = Layout(SHARED, 2, LENGTH), SHARED + LENGTH
    assert can_merge(query, key, layout, None)
    assert can_merge(query, key, layout, width)
    assert not can_merge(query, key, layout, width - 1)
    assert not can_merge(query, key.clone().requires_grad_(), layout, None)
    assert not can_merge(query.clone().requires_grad_(), key, layout, None)
    assert not can_merge(query, key, Layout(SHARED, 2, LENGTH, torch.zeros(2, width)), None)
    assert not can_merge(query, key, Layout(SHARED, 0, 0), None)
    assert not can_merge(query.to("meta"), key, layout, None)
    assert not can_merge(query.float(), key.float(), layout, None)


@pytest.mark.parametrize("gradient", [False, True])
def test_packs_in_bfloat16_are_near_float32(gradient: bool) -> None:
    layout, exact = Layout(SHARED, 4, LENGTH), drawn(4, torch.float32)
    expected, _ = packed_attention(torch.nn.Module(), *exact, layout=layout)
    query, *others = drawn(4, torch.bfloat16)
    near, _ = packed_attention(torch.nn.Module(), query.requires_grad_(gradient), *others, layout=layout)
    torch.testing.assert_close(near.detach().float(), expected, atol=0.03, rtol=0.03)
