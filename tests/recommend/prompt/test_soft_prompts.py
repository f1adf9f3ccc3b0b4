"""Where soft tokens stand in a prompt: before the words of what they tell of, and beside them, never in their place."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from soft import SOFT, drawn_sources, soft_context, soft_map, soft_prompts, soft_retrieval
from tiny import SPECIAL, tiny_mllm
from world import make_dataset, make_items, make_log, make_prompts

from mmsrarec.data.dataset import Item
from mmsrarec.models.packing.soft_ids import LAST, SoftKind, kinds_and_codes
from mmsrarec.recommend.ablations import variant_named
from mmsrarec.recommend.prompt.prompt_context import MAX_SOFT_HISTORY
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import yes_minus_no
from mmsrarec.recommend.training.training_samples import sample_training

LOG = make_log(np.random.default_rng(0))
DATASET, SOURCES, MLLM = make_dataset(LOG), drawn_sources(30), tiny_mllm()
PROMPTS = soft_prompts(MLLM, DATASET, SOURCES)
CONTEXT = soft_context(np.random.default_rng(1), SOURCES, 4)


def soft_tokens(ids: list[int]) -> list[tuple[SoftKind, int]]:
    kinds, codes = kinds_and_codes(torch.tensor([token for token in ids if token <= LAST], dtype=torch.long))
    return [(SoftKind(kind), code) for kind, code in zip(kinds.tolist(), codes.tolist(), strict=True)]


def words(ids: list[int]) -> str:
    return MLLM.tokenizer.decode([token for token in ids if token >= 0], clean_up_tokenization_spaces=False)


def of(**soft) -> Prompts:
    return make_prompts(MLLM, DATASET, visual_tokens=2, soft=SOFT | soft)


def test_the_history_the_user_and_each_candidate_have_a_token() -> None:
    pack = PROMPTS.render(CONTEXT)
    history = [(SoftKind.HISTORY, code) for code in CONTEXT.soft_history]
    assert soft_tokens(pack.shared.ids) == [*history, (SoftKind.USER, 0)]
    assert [soft_tokens(part.ids) for part in pack.candidates] == [
        [(SoftKind.CANDIDATE, code)] for code in CONTEXT.candidates
    ]
    assert all(part.ids[0] <= LAST for part in pack.candidates)
    assert pack.state is CONTEXT.state


def test_the_words_are_those_without_soft_tokens() -> None:
    plain = replace(CONTEXT, soft_history=(), state=None)
    with_soft, without = PROMPTS.render(CONTEXT), PROMPTS.render(plain)
    assert words(with_soft.shared.ids) == words(without.shared.ids).replace(
        "Someone took", "History:\nUser:\nSomeone took", 1
    )
    for one, other in zip(with_soft.candidates, without.candidates, strict=True):
        assert one.ids[1:] == other.ids
        assert one.pictures == other.pictures
    assert without.state is None
    assert min(without.shared.ids) >= 0


@pytest.mark.parametrize(("n", "shown"), [(0, 0), (2, 2), (5, 5), (50, 5)])
def test_so_many_items_of_the_history_have_a_token(n: int, shown: int) -> None:
    tokens = soft_tokens(of(history=n).shared(CONTEXT).ids)
    newest = CONTEXT.soft_history[len(CONTEXT.soft_history) - shown :]
    assert tokens == [*((SoftKind.HISTORY, code) for code in newest), (SoftKind.USER, 0)]


def test_each_kind_can_be_left_out() -> None:
    assert (SoftKind.USER, 0) not in soft_tokens(of(user=False).shared(CONTEXT).ids)
    assert not any(soft_tokens(part.ids) for part in of(candidates=False).render(CONTEXT).candidates)
    assert of(candidates=False).soft_candidate(CONTEXT, 0) == []
    nobody = replace(CONTEXT, soft_history=())
    assert soft_tokens(PROMPTS.shared(nobody).ids) == [(SoftKind.USER, 0)]


def test_a_cold_candidate_has_a_token_of_its_content() -> None:
    cold = CONTEXT.as_cold({1, 3})
    kinds = [soft_tokens(part.ids)[0] for part in PROMPTS.render(cold).candidates]
    assert [kind for kind, _ in kinds] == [
        *(SoftKind.CANDIDATE, SoftKind.COLD_CANDIDATE, SoftKind.CANDIDATE, SoftKind.COLD_CANDIDATE)
    ]
    assert tuple(code for _, code in kinds) == CONTEXT.candidates
    few = cold.pick([3, 0])
    assert [soft_tokens(part.ids)[0][0] for part in PROMPTS.render(few).candidates] == [
        SoftKind.COLD_CANDIDATE,
        SoftKind.CANDIDATE,
    ]


def test_soft_is_a_part_that_can_be_hidden() -> None:
    whole, hidden = PROMPTS.render(CONTEXT), PROMPTS.render(CONTEXT, "soft")
    assert hidden.shared == whole.shared
    assert [part.ids for part in hidden.candidates] == [part.ids[1:] for part in whole.candidates]


def test_a_gathered_context_has_the_state_of_the_whole_history() -> None:
    retrieval = soft_retrieval(LOG, SOURCES, n_vote_neighbours=10)
    queries, candidates, _ = sample_training(LOG, 6, 3, np.random.default_rng(0))
    long = replace(queries, history=tuple(np.resize(history, 60) for history in queries.history))
    for asked in (queries, long):
        contexts = retrieval.gather(asked, candidates, PROMPTS.settings)
        for context, history, state in zip(contexts, asked.history, SOURCES.states(asked.history), strict=True):
            np.testing.assert_array_equal(context.state, state)
            assert context.soft_history == tuple(history[-MAX_SOFT_HISTORY:].tolist())
    plain = replace(retrieval, soft=None).gather(queries, candidates, PROMPTS.settings)
    assert all(context.state is None and not context.soft_history for context in plain)


hostile = st.lists(st.sampled_from([*SPECIAL, "History:", "User:", f"{LAST}", "\n", "yes"]), max_size=5).map("".join)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30) | hostile, st.text(max_size=30) | hostile, hostile)
def test_no_title_text_or_keyword_yields_a_soft_token(title: str, text: str, word: str) -> None:
    evil = [Item(item.item_id, title, text, (word,), item.image) for item in make_items(30)]
    for fields in ({}, variant_named("raw descriptions").prompt_fields):
        prompts = make_prompts(MLLM, make_dataset(LOG, tuple(evil)), prompt_fields=fields, visual_tokens=2)
        keywords = prompts.keywords
        prompts.keywords = replace(keywords, text=((word, title),) * 30, image=((text,),) * 30)
        pack = prompts.render(replace(CONTEXT, soft_history=(), state=None))
        assert min(min(part.ids) for part in (pack.shared, *pack.candidates)) >= 0


@torch.no_grad()
def test_shuffled_vectors_are_other_prompts_to_the_model() -> None:
    pack = PROMPTS.render(CONTEXT)
    plain = yes_minus_no(PROMPTS, [pack])
    token_map = soft_map(SOURCES, MLLM)
    token_map.read_from(SOURCES.shuffled(1))
    shuffled = yes_minus_no(PROMPTS, [pack])
    soft_map(SOURCES, MLLM)
    assert (plain - shuffled).abs().max() > 0.01
    assert torch.equal(yes_minus_no(PROMPTS, [pack]), plain)
