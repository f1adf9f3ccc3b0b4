"""Asked for a few places, the model gives what it gives everywhere, and nobody else notices."""

import copy
import threading

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, TEXT_ONLY, tiny_of
from tiny import tiny_mllm
from world import make_dataset, make_evidence, make_log, make_prompts

from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.forward import batch_of, read
from mmsrarec.models.packing.packed_batch import Batch
from mmsrarec.models.packing.token_index import MIN_ROWS
from mmsrarec.recommend.prompt.prompts import Prompts

DATASET = make_dataset(make_log(np.random.default_rng(0)))
PLACES = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([0, 9, 3, 4, 20])


def asked(mllm: Mllm) -> tuple[Prompts, Batch]:
    prompts = make_prompts(mllm, DATASET, visual_tokens=4, prompt_fields={"pictures": mllm.sees})
    rng = np.random.default_rng(3)
    return prompts, batch_of(mllm, [prompts.render(make_evidence(rng, 30, size, history=2)) for size in (4, 2)])


def spoilt_elsewhere(prompts: Prompts, batch: Batch) -> bool:
    """Whether the feed-forward part of the last layer really saw the asked places only."""
    seen: list[int] = []
    hook = prompts.mllm.decoder.layers[-1].mlp.register_forward_hook(
        lambda _, given, __: seen.append(given[0].shape[1])
    )
    read(prompts.mllm, batch, prompts.features, PLACES)
    hook.remove()
    return seen == [MIN_ROWS]  # filled up to what few are multiplied as


@pytest.mark.parametrize("name", ["embedded", *ARCHITECTURES, *TEXT_ONLY])
def test_states_and_gradients_are_those_of_the_whole_batch(name: str) -> None:
    prompts, batch = asked(tiny_mllm() if name == "embedded" else tiny_of(name))
    mllm, found = prompts.mllm, []
    weight = mllm.decoder.layers[0].self_attn.v_proj.weight
    for places in (None, PLACES):
        weight.requires_grad_(True).grad = None
        states = read(mllm, batch, prompts.features, places)
        states = states[PLACES] if places is None else states
        (states**2).mean().backward()
        found.append((states.detach(), weight.grad.clone()))
    weight.requires_grad_(False)
    assert found[0][0].std() > 0.01
    torch.testing.assert_close(found[1][0], found[0][0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[1][1], found[0][1], atol=1e-5, rtol=1e-4)
    assert not mllm.packs or spoilt_elsewhere(prompts, batch)


@torch.no_grad()
def test_a_copy_and_another_thread_are_left_alone() -> None:
    prompts, batch = asked(tiny_mllm())
    mllm = prompts.mllm
    expected = read(mllm, batch, prompts.features)
    read(mllm, batch, prompts.features, PLACES)
    twin = Mllm(copy.deepcopy(mllm.model), mllm.tokenizer, mllm.image_processor, "a copy")
    for weight in twin.decoder.layers[-1].mlp.parameters():
        weight.zero_()
    assert not torch.equal(read(twin, batch, prompts.features, PLACES), expected[PLACES])
    found: list[torch.Tensor] = []

    def look(_, given, __) -> None:  # in the middle of a call that asks for places
        if not found and threading.current_thread() is threading.main_thread():
            other = threading.Thread(target=lambda: found.append(read(mllm, batch, prompts.features)))
            other.start()
            other.join()

    hook = mllm.decoder.layers[-1].mlp.register_forward_hook(look)
    mine = read(mllm, batch, prompts.features, PLACES)
    hook.remove()
    torch.testing.assert_close(mine, expected[PLACES])
    torch.testing.assert_close(found[0], expected)
