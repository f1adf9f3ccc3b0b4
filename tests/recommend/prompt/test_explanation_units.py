"""What soft tokens tell is a fact of its own: it is left out alone, and the words stay."""

from dataclasses import replace

import numpy as np
import pytest
from soft import SOFT, drawn_sources, soft_context, soft_prompts
from tiny import tiny_mllm
from world import make_dataset, make_log

from mmsrarec.models.packing.soft_ids import LAST, SoftKind, soft_id
from mmsrarec.recommend.prompt.explanation_units import Mask, candidate_facts, user_facts

DATASET, SOURCES, MLLM = make_dataset(make_log(np.random.default_rng(0))), drawn_sources(30), tiny_mllm()
PROMPTS = soft_prompts(MLLM, DATASET, SOURCES, history=3)
CONTEXT = soft_context(np.random.default_rng(1), SOURCES, 3)


def words(ids: list[int]) -> list[int]:
    return [token for token in ids if token > LAST]


def test_each_newest_item_is_told_in_words_and_apart_in_vectors() -> None:
    facts = list(user_facts(PROMPTS, CONTEXT))
    told = {kind: [fact.item for fact in facts if fact.kind == kind] for kind in ("history", "soft_history")}
    assert told == {"history": list(CONTEXT.history), "soft_history": list(CONTEXT.soft_history[-3:])}
    soft = next(fact for fact in facts if fact.kind == "soft_history")
    assert soft.text == f"people who had {DATASET.items[CONTEXT.history[0]].title} choose it"
    assert soft.cut == Mask(soft_history=frozenset([2]))


def test_a_candidates_vector_is_one_fact() -> None:
    (fact,) = [fact for fact in candidate_facts(PROMPTS, CONTEXT, 1) if fact.kind == "soft"]
    assert fact.cut == Mask(hide=frozenset(["soft"]))
    whole, cut = Mask().candidate(PROMPTS, CONTEXT, 1), fact.cut.candidate(PROMPTS, CONTEXT, 1)
    assert whole.ids == [soft_id(SoftKind.CANDIDATE, CONTEXT.candidates[1]), *cut.ids]


@pytest.mark.parametrize("place", [0, 2, 4])
def test_an_item_left_out_of_the_vectors_stays_in_the_words(place: int) -> None:
    mask = Mask(soft_history=frozenset([place]))
    cut, whole = mask.of(PROMPTS, CONTEXT), Mask().of(PROMPTS, CONTEXT)
    assert whole is not cut
    rest = [code for at, code in enumerate(CONTEXT.soft_history) if at != place]
    assert list(cut.soft_history) == rest
    assert cut.history == CONTEXT.history
    np.testing.assert_array_equal(cut.state, SOURCES.states([np.array(rest)])[0])
    np.testing.assert_array_equal(whole.state, CONTEXT.state)
    assert words(mask.shared(PROMPTS, CONTEXT).ids) == words(Mask().shared(PROMPTS, CONTEXT).ids)
    assert len(mask.shared(PROMPTS, CONTEXT).ids) == len(Mask().shared(PROMPTS, CONTEXT).ids) - 1


def test_an_item_left_out_of_the_words_stays_in_the_vectors() -> None:
    cut = Mask(history=frozenset([0])).of(PROMPTS, CONTEXT)
    assert cut.history == CONTEXT.history[1:]
    assert cut.soft_history == CONTEXT.soft_history
    np.testing.assert_array_equal(cut.state, CONTEXT.state)


def test_masks_add_up() -> None:
    both = Mask(soft_history=frozenset([0]), history=frozenset([1])) | Mask(soft_history=frozenset([3]))
    assert both == Mask(soft_history=frozenset([0, 3]), history=frozenset([1]))
    everything = Mask(soft_history=frozenset(range(5))).of(PROMPTS, CONTEXT)
    assert everything.soft_history == ()
    np.testing.assert_array_equal(everything.state, SOURCES.states([np.array([], dtype=np.int64)])[0])


def test_without_soft_tokens_there_is_no_such_fact() -> None:
    plain = replace(CONTEXT, soft_history=(), state=None)
    prompts = soft_prompts(MLLM, DATASET, SOURCES, soft=SOFT | {"candidates": False, "history": 0, "user": False})
    for shown, context in ((PROMPTS, plain), (prompts, CONTEXT)):
        facts = [*user_facts(shown, context), *candidate_facts(shown, context, 0)]
        assert not {fact.kind for fact in facts} & {"soft", "soft_history"}
