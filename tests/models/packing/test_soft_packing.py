"""Packs with soft tokens score as one prompt a candidate, packed or through a tree, on any backbone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from architectures import tiny_of
from soft import drawn_sources, soft_context, soft_prompts
from tiny import tiny_mllm
from world import make_dataset, make_log

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.packing.prefix_tree import PrefixTree
from mmsrarec.models.packing.soft_ids import SoftKind, soft_id
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs, yes_minus_no

DATASET = make_dataset(make_log(np.random.default_rng(0)))
SOURCES = drawn_sources(30, "sasrec", "content-sasrec")
BACKBONES = ("embedded", "qwen2_5_vl", "gemma3", "llama")
SETTINGS = [{}, {"history": 0}, {"user": False}, {"candidates": False}]
"""Changes of `recommend.soft`."""


def prompts_of(name: str = "embedded", **soft) -> Prompts:
    mllm = tiny_mllm() if name == "embedded" else tiny_of(name)
    settings = {"sources": ("sasrec", "content-sasrec"), **soft}
    return soft_prompts(mllm, DATASET, SOURCES, soft=settings, prompt_fields={"pictures": mllm.sees}, visual_tokens=4)


def packs_of(prompts: Prompts, sizes: tuple[int, ...] = (5, 1, 3)) -> list[PackedPrompt]:
    rng = np.random.default_rng(0)
    contexts = [soft_context(rng, SOURCES, size, history=1 + row) for row, size in enumerate(sizes)]
    return [prompts.render(context.as_cold({0, 2} if len(context.candidates) > 2 else ())) for context in contexts]


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", BACKBONES)
@torch.no_grad()
def test_a_pack_scores_as_one_prompt_a_candidate(name: str) -> None:
    prompts = prompts_of(name)
    packs = packs_of(prompts)
    single = torch.cat([yes_minus_no(prompts, [one]) for pack in packs for one in pack.unpacked()])
    assert single.std() > 0.01
    close(yes_minus_no(prompts, packs), single)
    close(torch.cat([yes_minus_no(prompts, [pack]) for pack in reversed(packs)]), torch.cat(
        list(reversed(single.split([5, 1, 3])))
    ))  # fmt: skip


@pytest.mark.parametrize("name", BACKBONES)
@torch.no_grad()
def test_a_tree_scores_as_packs(name: str) -> None:
    prompts = prompts_of(name)
    packs = packs_of(prompts)
    tree, expected = PrefixTree(), [yes_minus_no(prompts, [pack]) for pack in packs]
    for pack, scores in zip([*packs, packs[0]], [*expected, expected[0]], strict=True):
        close(yes_minus_no(prompts, [pack], tree), scores)
    close(yes_minus_no(prompts, packs, PrefixTree()), torch.cat(expected))


@pytest.mark.parametrize("soft", SETTINGS, ids=str)
@torch.no_grad()
def test_any_choice_of_soft_tokens_is_packed(soft: dict) -> None:
    prompts = prompts_of(**soft)
    packs = packs_of(prompts)
    single = torch.cat([yes_minus_no(prompts, [one]) for pack in packs for one in pack.unpacked()])
    close(yes_minus_no(prompts, packs), single)
    close(yes_minus_no(prompts, packs, PrefixTree()), single)


@torch.no_grad()
def test_packs_that_differ_by_their_state_alone_share_no_token_that_reads_it() -> None:
    prompts = prompts_of()
    (pack,) = packs_of(prompts, (4,))
    assert pack.state is not None
    other = replace(pack, state=-pack.state)
    expected = [yes_minus_no(prompts, [one]) for one in (pack, other)]
    assert (expected[0] - expected[1]).abs().max() > 0.01
    close(yes_minus_no(prompts, [pack, other], PrefixTree()), torch.cat(expected))
    tree = PrefixTree()
    for one, scores in [(pack, expected[0]), (other, expected[1]), (pack, expected[0])]:
        close(yes_minus_no(prompts, [one], tree), scores)


def test_a_tree_computes_what_packs_with_another_state_share() -> None:
    history, user = soft_id(SoftKind.HISTORY, 3), soft_id(SoftKind.USER)
    item, state = soft_id(SoftKind.CANDIDATE, 5), np.ones(2, dtype=np.float32)
    pack = PackedPrompt(TokenSpan([1, history, 2, user]), [TokenSpan([item, 7])], state)
    tree = PrefixTree()
    first = tree.grow([pack])
    assert first.ids.tolist() == [[1, history, 2, user, item, 7]]
    assert first.states is not None
    assert first.states.tolist() == [[1, 1]] * 3
    other = tree.grow([replace(pack, state=2 * state), pack])
    assert other.ids.tolist() == [[user, item, 7, 7]]  # of the equal pack the last token alone, where the answer is
    assert other.states is not None
    assert other.states.tolist() == [[2, 2]] * 2
    words = tree.grow([PackedPrompt(TokenSpan([1]), [TokenSpan([9])], state)])
    assert words.states is None


@torch.no_grad()
def test_batches_change_no_score() -> None:
    prompts = prompts_of()
    packs = packs_of(prompts, (3, 70, 2))
    expected = score_packs(prompts, packs, 10_000)
    for found in (score_packs(prompts, packs, 300), score_packs(prompts, packs, tree=PrefixTree())):
        for scores, values in zip(found, expected, strict=True):
            np.testing.assert_allclose(scores, values, atol=1e-4)


def test_a_model_without_a_map_refuses_in_one_line() -> None:
    prompts = prompts_of()
    packs = packs_of(prompts)
    prompts.mllm.soft_tokens = None
    for tree in (None, PrefixTree()):
        with pytest.raises(MmsrarecError, match="soft tokens, and this model was not trained with any") as refused:
            score_packs(prompts, packs, tree=tree)
        assert "\n" not in str(refused.value)


def test_soft_tokens_stand_among_words_and_pictures_in_reading_order() -> None:
    prompts = prompts_of()
    mllm, image = prompts.mllm, prompts.mllm.image_token
    assert mllm.soft_tokens is not None
    tokens = torch.tensor([[soft_id(SoftKind.HISTORY, 1), 5, image], [image, soft_id(SoftKind.USER), 6]])
    states = torch.as_tensor(SOURCES.states([np.array([1]), np.array([2])]))
    features = torch.arange(2.0)[:, None, None].expand(2, 1, mllm.hidden_size)
    embeddings = mllm.embed(tokens, features, states)
    soft = mllm.soft_tokens(tokens[tokens < 0], states)
    assert torch.equal(embeddings[0, 0], soft[0])
    assert torch.equal(embeddings[1, 1], soft[1])
    words = mllm.model.get_input_embeddings()(torch.tensor([5, 6]))
    assert torch.equal(embeddings[[0, 1], [1, 2]], words)
    assert embeddings[0, 2].unique().tolist() == [0]
    assert embeddings[1, 0].unique().tolist() == [1]
