"""A tree computes every start once and changes no answer, whichever prompts came before and however they part."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, TEXT_ONLY, tiny_of
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_mllm
from world import make_dataset, make_evidence, make_log, make_prompts

from mmsrarec.models.packing import prefix_tree as trees
from mmsrarec.models.packing.packed_prompt import PackedPrompt, TokenSpan
from mmsrarec.models.packing.prefix_tree import PrefixTree
from mmsrarec.models.vision.vision_layout import VisionLayout
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs, yes_minus_no

DATASET = make_dataset(make_log(np.random.default_rng(0)))
NAMES = ("embedded", *ARCHITECTURES, *TEXT_ONLY)
IMAGE = 9


def prompts_of(name: str, visual_tokens: int = 4) -> Prompts:
    mllm = tiny_mllm() if name == "embedded" else tiny_of(name)
    return make_prompts(mllm, DATASET, visual_tokens=visual_tokens, prompt_fields={"pictures": mllm.sees})


def shown(prompts: Prompts, codes: list[int]) -> TokenSpan:
    """A shared part with pictures in it, which today's prompts have not."""
    parts = [prompts.item(code) for code in codes]
    before, after = prompts.mllm.frame
    pictures = [code for part in parts for code in part.pictures]
    return TokenSpan([*before, *(token for part in parts for token in part.ids), *after], pictures)


def parting_packs(prompts: Prompts) -> tuple[PackedPrompt, list[PackedPrompt]]:
    """A ranking, and packs that part with it everywhere: in the shared part, in a candidate, between pictures, nowhere.
    Another user's is among them."""
    rng = np.random.default_rng(1)
    context = make_evidence(rng, 30, 5, history=4)
    whole = prompts.render(context)
    less = [replace(context, history=context.history[:at] + context.history[at + 1 :]) for at in range(4)]
    packs = [prompts.render(one) for one in less]
    packs += [prompts.render(context, hide) for hide in ("keywords", "picture", "neighbour_votes", "popularity")]
    packs += [
        PackedPrompt(shown(prompts, codes), whole.candidates) for codes in ([1, 2, 4, 5], [1, 2, 5], [1, 4, 5], [2])
    ]
    return whole, [*packs, whole.unpacked()[2], prompts.render(make_evidence(rng, 30, 3, history=1)), whole]


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_what_goes_on_from_a_ranking_scores_as_in_packs_of_its_own(name: str) -> None:
    for visual_tokens in (4, 3) if name in ARCHITECTURES else (4,):
        prompts, tree = prompts_of(name, visual_tokens), PrefixTree()
        whole, packs = parting_packs(prompts)
        expected = [yes_minus_no(prompts, [pack]) for pack in packs]
        assert torch.cat(expected).std() > 0.01
        assert max(float((part - expected[-1]).abs().max()) for part in expected[:4]) > 0.01
        torch.testing.assert_close(yes_minus_no(prompts, [whole], tree), expected[-1], atol=1e-4, rtol=0)
        for pack, scores in zip(packs, expected, strict=True):
            torch.testing.assert_close(yes_minus_no(prompts, [pack], tree), scores, atol=1e-4, rtol=0)
        for known in (tree, PrefixTree()):
            torch.testing.assert_close(yes_minus_no(prompts, packs, known), torch.cat(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("batch_tokens", [1, 700, 10000])
@pytest.mark.parametrize("paths", [1, 300, trees.MAX_PATH_TOKENS])
def test_batches_change_no_score(batch_tokens: int, paths: int, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = prompts_of("embedded")
    whole, packs = parting_packs(prompts)
    expected = score_packs(prompts, [whole, *packs])
    monkeypatch.setattr(trees, "MAX_PATH_TOKENS", paths)
    found = score_packs(prompts, [whole, *packs], batch_tokens, tree=PrefixTree())
    for scores, values in zip(found, expected, strict=True):
        np.testing.assert_allclose(scores, values, atol=1e-4, rtol=0)


def test_only_what_is_new_is_computed() -> None:
    tree = PrefixTree()
    first = tree.grow([PackedPrompt(TokenSpan([1, 2, 3]), [TokenSpan([4, 5]), TokenSpan([4, 6]), TokenSpan([7])])])
    assert first.ids.tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert first.positions.tolist() == [[0, 1, 2, 3, 4, 4, 3]]
    assert first.ends.tolist() == [4, 5, 6]
    assert first.branches.keep
    cut = PackedPrompt(TokenSpan([1, 3]), [TokenSpan([4, 6]), TokenSpan([7])])
    for _ in range(2):  # nothing of it stays
        later = tree.grow([cut])
        assert later.ids.tolist() == [[3, 4, 6, 7]]
        assert later.positions.tolist() == [[1, 2, 3, 2]]
        assert later.ends.tolist() == [2, 3]
        assert not later.branches.keep
        paths = {tuple(path) for rows in later.branches.rows for path in rows.path.tolist()}
        assert paths == {(0, 7, 8, 9), (0, 7, 10)}
    asked_again = tree.grow([PackedPrompt(TokenSpan([1, 2, 3]), [TokenSpan([7]), TokenSpan([4])])])
    assert asked_again.ids.tolist() == [[7, 4]]  # the last token, to ask for what follows it


def test_equal_tokens_of_unlike_pictures_are_no_equal_start() -> None:
    pack = PackedPrompt(
        TokenSpan([1]), [TokenSpan([IMAGE, IMAGE, 2], [5]), TokenSpan([IMAGE, IMAGE, 2], [6]), TokenSpan([2])]
    )
    again = PackedPrompt(TokenSpan([1]), [TokenSpan([IMAGE, IMAGE, 3], [6])])
    growth = PrefixTree().grow([pack, again], VisionLayout(IMAGE))
    assert growth.ids.tolist() == [[1, IMAGE, IMAGE, 2, IMAGE, IMAGE, 2, 2, 3]]
    assert growth.pictures == [5, 6]


prompt = st.lists(st.integers(0, 2), min_size=1, max_size=6)


@given(st.lists(prompt, min_size=1, max_size=8), st.lists(prompt, min_size=1, max_size=8))
def test_paths_spell_prompts_and_no_start_is_computed_twice(first: list[list[int]], then: list[list[int]]) -> None:
    tree, row, starts = PrefixTree(), [], set()
    for number, prompts in enumerate((first, then)):
        growth = tree.grow([PackedPrompt(TokenSpan([]), [TokenSpan(ids) for ids in prompts])])
        new, row = growth.ids[0].tolist(), (row if number else []) + growth.ids[0].tolist()
        assert [new[end] for end in growth.ends] == [ids[-1] for ids in prompts]
        told = []
        for rows in growth.branches.rows:
            n = rows.own.shape[1]
            for at in range(len(rows.path)):
                mine = rows.real[rows.real // n == at] % n
                index = rows.index[at, mine]
                told.append([row[place] for place in rows.path[at, : index[-1] + 1].tolist()])
                assert torch.equal(rows.path[at, index], rows.own[at, mine] + len(row) - len(new))
                assert torch.equal(rows.sees[at, mine].sum(1), index + 1)  # each looks at itself and all before it
        assert sorted(told) == sorted(prompts)
        before = len(starts)
        starts |= {tuple(ids[: at + 1]) for ids in prompts for at in range(len(ids))}
        assert len(new) <= len(starts) - before + len(prompts)
