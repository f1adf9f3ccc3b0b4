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

from mmsrarec.models.backbone.vision_layout import Sight
from mmsrarec.models.packing import prefix_tree as trees
from mmsrarec.models.packing.packed_prompt import Pack, Segment
from mmsrarec.models.packing.prefix_tree import Tree
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs, yes_minus_no

DATASET = make_dataset(make_log(np.random.default_rng(0)))
NAMES = ("embedded", *ARCHITECTURES, *TEXT_ONLY)
IMAGE = 9


def prompts_of(name: str, visual_tokens: int = 4) -> Prompts:
    mllm = tiny_mllm() if name == "embedded" else tiny_of(name)
    return make_prompts(mllm, DATASET, visual_tokens=visual_tokens, shows={"pictures": mllm.sees})


def shown(prompts: Prompts, codes: list[int]) -> Segment:
    """A shared part with pictures in it, which today's prompts have not."""
    parts = [prompts.item(code) for code in codes]
    before, after = prompts.mllm.frame
    pictures = [code for part in parts for code in part.pictures]
    return Segment([*before, *(token for part in parts for token in part.ids), *after], pictures)


def parting_packs(prompts: Prompts) -> tuple[Pack, list[Pack]]:
    """A ranking, and packs that part with it everywhere: in the shared part, in a candidate, between pictures, nowhere.
    Another user's is among them."""
    rng = np.random.default_rng(1)
    evidence = make_evidence(rng, 30, 5, history=4)
    whole = prompts.render(evidence)
    less = [replace(evidence, history=evidence.history[:at] + evidence.history[at + 1 :]) for at in range(4)]
    packs = [prompts.render(one) for one in less]
    packs += [prompts.render(evidence, hide) for hide in ("keywords", "picture", "alike", "popularity")]
    packs += [Pack(shown(prompts, codes), whole.candidates) for codes in ([1, 2, 4, 5], [1, 2, 5], [1, 4, 5], [2])]
    return whole, [*packs, whole.unpacked()[2], prompts.render(make_evidence(rng, 30, 3, history=1)), whole]


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_what_goes_on_from_a_ranking_scores_as_in_packs_of_its_own(name: str) -> None:
    for visual_tokens in (4, 3) if name in ARCHITECTURES else (4,):
        prompts, tree = prompts_of(name, visual_tokens), Tree()
        whole, packs = parting_packs(prompts)
        expected = [yes_minus_no(prompts, [pack]) for pack in packs]
        assert torch.cat(expected).std() > 0.01
        assert max(float((part - expected[-1]).abs().max()) for part in expected[:4]) > 0.01
        torch.testing.assert_close(yes_minus_no(prompts, [whole], tree), expected[-1], atol=1e-4, rtol=0)
        for pack, scores in zip(packs, expected, strict=True):
            torch.testing.assert_close(yes_minus_no(prompts, [pack], tree), scores, atol=1e-4, rtol=0)
        for known in (tree, Tree()):
            torch.testing.assert_close(yes_minus_no(prompts, packs, known), torch.cat(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("batch_tokens", [1, 700, 10000])
@pytest.mark.parametrize("paths", [1, 300, trees.PATHS])
def test_batches_change_no_score(batch_tokens: int, paths: int, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = prompts_of("embedded")
    whole, packs = parting_packs(prompts)
    expected = score_packs(prompts, [whole, *packs])
    monkeypatch.setattr(trees, "PATHS", paths)
    found = score_packs(prompts, [whole, *packs], batch_tokens, tree=Tree())
    for scores, values in zip(found, expected, strict=True):
        np.testing.assert_allclose(scores, values, atol=1e-4, rtol=0)


def test_only_what_is_new_is_computed() -> None:
    tree = Tree()
    first = tree.grow([Pack(Segment([1, 2, 3]), [Segment([4, 5]), Segment([4, 6]), Segment([7])])])
    assert first.ids.tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert first.positions.tolist() == [[0, 1, 2, 3, 4, 4, 3]]
    assert first.ends.tolist() == [4, 5, 6]
    assert first.branches.keep
    cut = Pack(Segment([1, 3]), [Segment([4, 6]), Segment([7])])
    for _ in range(2):  # nothing of it stays
        later = tree.grow([cut])
        assert later.ids.tolist() == [[3, 4, 6, 7]]
        assert later.positions.tolist() == [[1, 2, 3, 2]]
        assert later.ends.tolist() == [2, 3]
        assert not later.branches.keep
        paths = {tuple(path) for rows in later.branches.rows for path in rows.path.tolist()}
        assert paths == {(0, 7, 8, 9), (0, 7, 10)}
    asked_again = tree.grow([Pack(Segment([1, 2, 3]), [Segment([7]), Segment([4])])])
    assert asked_again.ids.tolist() == [[7, 4]]  # the last token, to ask for what follows it


def test_equal_tokens_of_unlike_pictures_are_no_equal_start() -> None:
    pack = Pack(Segment([1]), [Segment([IMAGE, IMAGE, 2], [5]), Segment([IMAGE, IMAGE, 2], [6]), Segment([2])])
    again = Pack(Segment([1]), [Segment([IMAGE, IMAGE, 3], [6])])
    growth = Tree().grow([pack, again], Sight(IMAGE))
    assert growth.ids.tolist() == [[1, IMAGE, IMAGE, 2, IMAGE, IMAGE, 2, 2, 3]]
    assert growth.pictures == [5, 6]


prompt = st.lists(st.integers(0, 2), min_size=1, max_size=6)


@given(st.lists(prompt, min_size=1, max_size=8), st.lists(prompt, min_size=1, max_size=8))
def test_paths_spell_prompts_and_no_start_is_computed_twice(first: list[list[int]], then: list[list[int]]) -> None:
    tree, row, starts = Tree(), [], set()
    for number, prompts in enumerate((first, then)):
        growth = tree.grow([Pack(Segment([]), [Segment(ids) for ids in prompts])])
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
