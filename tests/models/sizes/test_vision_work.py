"""The operations of a picture are those that torch counts while the tower runs."""

import pytest
import torch
from architectures import tiny_of
from PIL import Image
from tiny import tiny_mllm
from torch.utils.flop_counter import FlopCounterMode

from mmsrarec.models.sizes.model_size import count, model_size
from mmsrarec.models.sizes.vision_work import vision_work


@pytest.mark.parametrize("name", ["llava", "internvl", "gemma3", "smolvlm"])
def test_a_transformer_is_counted_as_torch_counts_it(name: str) -> None:
    mllm = tiny_of(name)
    mllm.model.config._attn_implementation = "eager"
    planned = count(mllm.model, name).vision
    assert planned is not None
    with FlopCounterMode(display=False) as counter:
        mllm.encode_images([Image.new("RGB", (64, 64), "red")], 4)
    total = counter.get_total_flops()
    assert planned.flops + planned.attention_flops == pytest.approx(total, rel=0.1)


def test_a_tower_of_convolutions_is_counted_without_numbers() -> None:
    mllm = tiny_mllm()
    planned = vision_work(mllm.model, 512)
    assert planned is not None
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        mllm.model.model.vision_tower(torch.zeros(1, 3, 56, 56))
    assert planned.flops == counter.get_total_flops() > 0
    assert planned.attention_flops == 0


def test_a_grid_that_follows_the_picture_costs_more_for_a_larger_one_and_a_fixed_grid_does_not() -> None:
    small, large = (model_size("Qwen2.5-VL-3B", side).vision for side in (280, 560))
    assert small is not None
    assert large is not None
    assert large.patches == 4 * small.patches
    assert large.flops == pytest.approx(4 * small.flops)
    assert 4 < large.attention_flops / small.attention_flops < 16  # most layers look through windows
    assert model_size("Gemma-3-4B", 280).vision == model_size("Gemma-3-4B", 560).vision
    assert count(tiny_of("llama").model, "llama").vision is None
