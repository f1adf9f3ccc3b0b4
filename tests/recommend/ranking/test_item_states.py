"""Item states: one forward an item, kept by what it is of."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_mllm
from world import make_dataset, make_log, make_prompts

from mmsrarec.data.dataset import Interactions
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking import item_states as module
from mmsrarec.recommend.ranking.item_states import item_states, mean_states

LOG = make_log(np.random.default_rng(0))


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    return make_prompts(tiny_mllm(), make_dataset(LOG), history=2)


def test_an_item_state_is_the_mean_over_its_tokens(prompts: Prompts) -> None:
    code = next(iter(prompts.features))  # an item with a picture
    segment = prompts.item(code)
    ids = torch.tensor([segment.ids])
    with torch.no_grad():
        embedded = prompts.mllm.embed(ids, prompts.features[code][None])
        hidden = prompts.mllm.decoder(inputs_embeds=embedded, use_cache=False).last_hidden_state[0]
    torch.testing.assert_close(item_states(prompts)[code], hidden.mean(0), atol=1e-4, rtol=1e-4)


def test_states_are_the_same_alone_and_in_a_batch(prompts: Prompts) -> None:
    segments = [prompts.item(code) for code in range(len(prompts.dataset.items))]
    alone = torch.cat([mean_states(prompts, [one], 8192) for one in segments])
    torch.testing.assert_close(mean_states(prompts, segments, 8192), alone, atol=1e-4, rtol=1e-4)


def test_a_new_item_costs_one_forward(prompts: Prompts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = module.mean_states
    monkeypatch.setattr(
        module, "mean_states", lambda p, s, batch_tokens: asked.append(len(s)) or real(p, s, batch_tokens)
    )
    first = item_states(prompts, tmp_path / "items.safetensors")
    wider = make_dataset(Interactions(LOG.user, LOG.item, LOG.time, LOG.n_users, LOG.n_items + 1))
    more = make_prompts(prompts.mllm, wider, history=2)
    more.features = prompts.features
    second = item_states(more, tmp_path / "items.safetensors")
    assert asked == [LOG.n_items, 1]
    torch.testing.assert_close(second[:-1], first)
    (tmp_path / "items.safetensors").write_bytes(b"cut short")
    torch.testing.assert_close(item_states(prompts, tmp_path / "items.safetensors"), first)
