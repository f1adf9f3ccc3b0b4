"""A warm-up teaches the projector, and nothing else, to name what pictures show."""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import tiny_mllm

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.warm_up import answer_loss, draw_from, grids, projector_of, warm_up
from mmsrarec.summarize.prompts import image_prompt


def pictures(n: int) -> tuple[list[Image.Image], list[str]]:
    """Red ones and blue ones, with a little noise."""
    rng = np.random.default_rng(0)
    words = ["red" if i % 2 else "blue" for i in range(n)]
    colours = {"red": (220, 30, 30), "blue": (30, 30, 220)}
    arrays = [np.clip(np.array(colours[w]) + rng.integers(-20, 20, (56, 56, 3)), 0, 255).astype("uint8") for w in words]
    return [Image.fromarray(array) for array in arrays], words


def test_the_loss_falls_and_only_the_projector_moves() -> None:
    mllm = tiny_mllm()
    shown, words = pictures(16)
    seen = grids(mllm, shown)
    assert seen.shape[:2] == (16, 49)
    before = {name: w.clone() for name, w in mllm.model.state_dict().items()}
    losses = warm_up(mllm, draw_from(seen, words, 0, 8), partial(image_prompt, mllm), steps=12, lr=1e-2)
    assert len(losses) == 12
    assert np.mean(losses[-3:]) < losses[0] - 0.5
    moved = {name for name, w in mllm.model.state_dict().items() if not torch.equal(w, before[name])}
    assert moved
    assert all("multi_modal_projector" in name for name in moved)
    assert not any(w.requires_grad for w in projector_of(mllm).parameters())


def test_equal_seeds_give_equal_projectors() -> None:
    shown, words = pictures(6)
    found = []
    for _ in range(2):
        mllm = tiny_mllm()
        draw = draw_from(grids(mllm, shown), words, seed=1, batch=4)
        found.append(warm_up(mllm, draw, partial(image_prompt, mllm), steps=3))
    assert found[0] == found[1]


def test_only_answers_count() -> None:
    mllm = tiny_mllm()
    features = torch.zeros(2, 1, mllm.hidden_size)
    prompt = image_prompt(mllm, 1)
    short, long = mllm.encode("red"), mllm.encode("blue mug of clay")
    with torch.no_grad():
        both = answer_loss(mllm, prompt, features, [short, long])
        parts = [answer_loss(mllm, prompt, features[:1], [answer]) * len(answer) for answer in (short, long)]
    assert both.item() == pytest.approx(sum(p.item() for p in parts) / (len(short) + len(long)), abs=1e-4)


def test_prompts_have_nine_visual_tokens_or_one_and_attention_is_put_back() -> None:
    mllm = tiny_mllm()
    shown, words = pictures(4)
    asked: list[int] = []

    def prompt(visual_tokens: int) -> list[int]:
        asked.append(visual_tokens)
        return image_prompt(mllm, visual_tokens)

    attention = mllm.decoder.config._attn_implementation
    warm_up(mllm, draw_from(grids(mllm, shown), words, 0, 2), prompt, steps=4)
    assert asked == [9, 1, 9, 1]
    assert mllm.decoder.config._attn_implementation == attention


def test_a_model_without_a_projector_says_so() -> None:
    mllm = tiny_mllm()
    del mllm.model.model.multi_modal_projector
    with pytest.raises(MmsrarecError, match="warm_up_steps to 0"):
        projector_of(mllm)
