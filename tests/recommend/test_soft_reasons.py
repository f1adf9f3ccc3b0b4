"""Reasons of soft tokens are measured like others, apart from those of words, packed with many or asked alone."""

from dataclasses import replace

import numpy as np
import pytest
from soft import SOFT, drawn_sources, soft_context, soft_prompts
from tiny import tiny_mllm
from world import make_dataset, make_log

from mmsrarec.recommend.explain import explain, explain_all, explanation_prompts, facts_of, log_odds
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Hidden, Prompts
from mmsrarec.recommend.ranking.scorer import score_packs

DATASET, SOURCES = make_dataset(make_log(np.random.default_rng(0))), drawn_sources(30)
PROMPTS = soft_prompts(tiny_mllm(), DATASET, SOURCES, history=3)
ASKED = soft_context(np.random.default_rng(1), SOURCES, 4)


def score(context: PromptContext, hide: Hidden | None = None, prompts: Prompts = PROMPTS) -> np.ndarray:
    (scores,) = score_packs(prompts, [prompts.render(context, hide)])
    return np.array([log_odds(float(p)) for p in scores])


def without(place: int) -> PromptContext:
    """The context as if an item had never been in the vectors."""
    rest = tuple(code for at, code in enumerate(ASKED.soft_history) if at != place)
    (state,) = SOURCES.states([np.array(rest)])
    return replace(ASKED, soft_history=rest, state=state)


def test_a_reason_of_vectors_is_what_the_score_loses_without_them() -> None:
    whole, hidden = score(ASKED), score(ASKED, "soft")
    left_out = [score(without(place)) for place in (2, 3, 4)]
    for at, (p, reasons) in enumerate(explain_all(PROMPTS, ASKED)):
        assert log_odds(p) == pytest.approx(whole[at], abs=1e-3)
        weight = {(reason.kind, reason.item_id): reason.weight for reason in reasons}
        assert weight["soft", None] == pytest.approx(whole[at] - hidden[at], abs=1e-3)
        for place, values in zip((2, 3, 4), left_out, strict=True):
            item = DATASET.items[ASKED.soft_history[place]].item_id
            assert weight["soft_history", item] == pytest.approx(whole[at] - values[at], abs=1e-3)
    assert np.abs(whole - hidden).max() > 0.01
    assert max(np.abs(whole - values).max() for values in left_out) > 0.01


def test_words_and_vectors_of_an_item_weigh_apart() -> None:
    _, reasons = explain(PROMPTS, ASKED.pick([0]))
    told = {(reason.kind, reason.item_id): reason.weight for reason in reasons}
    for code in ASKED.history:
        item = DATASET.items[code].item_id
        assert told["history", item] != told["soft_history", item]
    words_alone = score(replace(ASKED, history=ASKED.history[1:]))
    first = DATASET.items[ASKED.history[0]].item_id
    assert told["history", first] == pytest.approx(score(ASKED)[0] - words_alone[0], abs=1e-3)


def test_many_explained_together_equal_each_explained_alone() -> None:
    together = explain_all(PROMPTS, ASKED)
    for place in range(4):
        ((p, reasons),) = explain_all(PROMPTS, ASKED.pick([place]))
        assert together[place][0] == pytest.approx(p, abs=1e-4)
        weights = {(reason.kind, reason.item_id): reason.weight for reason in reasons}
        assert {(one.kind, one.item_id): one.weight for one in together[place][1]} == pytest.approx(weights, abs=1e-3)


def test_packs_without_an_item_carry_the_state_without_it() -> None:
    about_user, own = facts_of(PROMPTS, ASKED)
    packs = explanation_prompts(PROMPTS, ASKED, about_user, own)
    assert packs[0].state is ASKED.state
    for fact, pack in zip(about_user, packs[1:], strict=True):
        assert pack.state is not None
        changed = not np.array_equal(pack.state, ASKED.state)
        assert changed == (fact.kind == "soft_history")


@pytest.mark.parametrize("soft", [{"user": False}, {"candidates": False}, {"history": 0}, {"history": 1}], ids=str)
def test_every_reason_of_vectors_moves_a_score(soft: dict) -> None:
    prompts = soft_prompts(tiny_mllm(), DATASET, SOURCES, history=3, soft=SOFT | soft)
    _, reasons = explain(prompts, ASKED.pick([0]))
    moved = [reason.weight for reason in reasons if reason.kind in ("soft", "soft_history")]
    assert len(moved) == 3 + prompts.settings.soft.candidates
    assert all(moved)


def test_tokens_of_the_history_alone_are_reasons_of_the_history_alone() -> None:
    soft = SOFT | {"user": False, "candidates": False, "history": 2}
    prompts = soft_prompts(tiny_mllm(), DATASET, SOURCES, history=3, soft=soft)
    _, reasons = explain(prompts, ASKED.pick([0]))
    told = [reason.item_id for reason in reasons if reason.kind == "soft_history"]
    assert sorted(told, key=str) == sorted(DATASET.items[code].item_id for code in ASKED.soft_history[-2:])
