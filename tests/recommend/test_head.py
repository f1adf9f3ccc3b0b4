"""The cheap head: one state for who asks and one for each item, trained together with the adapter."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_mllm
from world import make_dataset, make_log, make_prompts, make_retrieval

from mmsrarec.data.dataset import Events
from mmsrarec.data.split import leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.adapter import add_adapter
from mmsrarec.recommend import head as module
from mmsrarec.recommend.evidence import sample_training
from mmsrarec.recommend.head import Head, HeadScorer, item_states, segment_states
from mmsrarec.recommend.prompts import Prompts
from mmsrarec.recommend.score import logits_and_users
from mmsrarec.recommend.settings import Tasks
from mmsrarec.recommend.tune import tune

LOG = make_log(np.random.default_rng(0))
SMALL = {"packs": 22, "batch": 4, "negatives": 3, "rank": 2, "history": 2, "first_layer": 1, "head_dims": 8}


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    return make_prompts(tiny_mllm(), make_dataset(LOG), history=2)


def test_a_users_state_is_the_same_alone_in_a_batch_and_in_a_pack(prompts: Prompts) -> None:
    moments, candidates, _ = sample_training(LOG, 6, 2, np.random.default_rng(0))
    packs = [prompts.render(one) for one in make_retrieval(LOG, crowd=10).gather(moments, candidates, prompts.settings)]
    shared = [pack.shared for pack in packs]
    together = segment_states(prompts, shared, 8192, pooled=False)
    alone = torch.cat([segment_states(prompts, [one], 8192, pooled=False) for one in shared])
    with torch.no_grad():
        packed = logits_and_users(prompts, packs)[1]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together, packed, atol=1e-4, rtol=1e-4)


def test_an_item_state_is_the_mean_over_its_tokens_and_knows_no_adapter(prompts: Prompts) -> None:
    code = next(iter(prompts.features))  # an item with a picture
    segment = prompts.item(code)
    ids = torch.tensor([segment.ids])
    with torch.no_grad():
        embedded = prompts.mllm.embed(ids, prompts.features[code][None])
        hidden = prompts.mllm.decoder(inputs_embeds=embedded, use_cache=False).last_hidden_state[0]
    before = item_states(prompts)
    torch.testing.assert_close(before[code], hidden.mean(0), atol=1e-4, rtol=1e-4)
    worn = make_prompts(tiny_mllm(), make_dataset(LOG), history=2)
    peft = add_adapter(worn.mllm, 2, 0, 0)
    with torch.no_grad():
        for name, weight in peft.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.1)
    torch.testing.assert_close(item_states(worn), before)
    assert any(weight.requires_grad for weight in peft.parameters())


def test_a_new_item_costs_one_forward(prompts: Prompts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = module.segment_states
    monkeypatch.setattr(
        module, "segment_states", lambda p, s, *how, **more: asked.append(len(s)) or real(p, s, *how, **more)
    )
    first = item_states(prompts, tmp_path / "items.safetensors")
    wider = make_dataset(Events(LOG.user, LOG.item, LOG.time, LOG.n_users, LOG.n_items + 1))
    more = make_prompts(prompts.mllm, wider, history=2)
    more.features = prompts.features
    second = item_states(more, tmp_path / "items.safetensors")
    assert asked == [LOG.n_items, 1]
    torch.testing.assert_close(second[:-1], first)
    (tmp_path / "items.safetensors").write_bytes(b"cut short")
    torch.testing.assert_close(item_states(prompts, tmp_path / "items.safetensors"), first)


def test_the_loss_is_the_share_of_the_target_among_what_is_known() -> None:
    head = Head.fresh(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), 3, 0)
    states, hidden = torch.randn(5, 4), torch.randn(2, 4)
    known, target = torch.tensor([0, 2, 4]), torch.tensor([4, 0])
    scores = head(hidden, states)
    expected = -torch.stack([scores[0, [0, 2, 4]].log_softmax(0)[2], scores[1, [0, 2, 4]].log_softmax(0)[0]]).mean()
    torch.testing.assert_close(head.loss(hidden, target, states, known), expected)


def test_what_follows_by_rule_is_learned_through_adapter_and_head(tmp_path: Path) -> None:
    """Everybody goes round the catalogue in one circle, so that the last item tells the next."""
    users, steps, n_items = 60, 4, 6
    start = np.arange(users) % n_items
    items = (start[:, None] + np.arange(steps)) % n_items
    log = Events(np.repeat(np.arange(users), steps), items.ravel(), np.arange(users * steps), users, n_items)
    split = leave_one_out(log)
    many = {**SMALL, "packs": 240, "negatives": 1, "lr": 5e-3, "history": 1, "head_weight": 1.0, "first_layer": 0}
    many |= {"tasks": Tasks(foresee=0, recognise=0, profile=0)}
    prompts = make_prompts(tiny_mllm(), make_dataset(log), **many)
    retrieval = make_retrieval(split.train, crowd=10)
    facts = tune(prompts, retrieval, prompts.settings, 0, tmp_path / "adapter", tmp_path, items=tmp_path / "items")
    assert facts["steps"] == 60
    head = Head.load(tmp_path / "adapter")
    scorer = HeadScorer("head", prompts, retrieval, head, item_states(prompts, tmp_path / "items"))
    scores = scorer.score(split.test, None)
    assert scores.shape == (users, n_items)
    for row, history in zip(scores, split.test.history, strict=True):
        row[history] = -np.inf
    hit = (scores.argmax(axis=1) == split.test.target).mean()
    assert hit > 2 / 3  # of three items that are left, the target is one
    assert scorer.tokens > 0
    candidates = split.test.target[:, None]
    np.testing.assert_allclose(
        scorer.score(split.test, candidates)[:, 0], scores[np.arange(users), split.test.target], rtol=1e-5
    )


def test_without_a_weight_there_is_no_head(tmp_path: Path) -> None:
    prompts = make_prompts(tiny_mllm(), make_dataset(LOG), **SMALL)
    tune(prompts, make_retrieval(LOG, crowd=10), prompts.settings, 0, tmp_path / "adapter", tmp_path)
    with pytest.raises(MmsrarecError, match="head_weight"):
        Head.load(tmp_path / "adapter")
