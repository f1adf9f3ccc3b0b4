"""A reason's weight is what the score loses without it, measured and nothing else."""

from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_mllm
from world import make_dataset, make_evidence, make_log, make_prompts, make_retrieval, only

from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.recommend.explain import explain, explain_all, explanation_prompts, facts_of, log_odds
from mmsrarec.recommend.prompt.preferences import UserPreferences
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Vote
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.scorer import score_packs
from mmsrarec.recommend.training.fine_tuning import tune

MLLM = tiny_mllm()
DATASET = make_dataset(make_log(np.random.default_rng(0)))
PROMPTS = make_prompts(MLLM, DATASET, visual_tokens=2)
ASKED = PromptContext(
    history=(3, 4, 9),
    similar=(5, 7),
    similar_people=(5, 9),
    candidates=(11,),
    popularity=(6,),
    neighbour_votes=(3,),
    vote_people=(5,),
)


def score(prompts: Prompts, context: PromptContext, hide=None) -> float:
    return float(score_packs(prompts, [prompts.render(context, hide)])[0][0])


def test_every_reason_is_measured_by_leaving_it_out() -> None:
    total, reasons = explain(PROMPTS, ASKED)
    assert total == pytest.approx(score(PROMPTS, ASKED), abs=1e-5)
    assert [reason.weight for reason in reasons] == sorted((r.weight for r in reasons), reverse=True)
    found = {(reason.kind, reason.item_id): reason.weight for reason in reasons}
    assert len(found) == len(reasons) == 3 + 2 + 4
    without = {
        ("history", "i3"): score(PROMPTS, replace(ASKED, history=(4, 9))),
        ("history", "i9"): score(PROMPTS, replace(ASKED, history=(3, 4))),
        ("similar", "i7"): score(PROMPTS, replace(ASKED, similar=(5,))),
        ("keywords", None): score(PROMPTS, ASKED, "keywords"),
        ("picture", None): score(PROMPTS, ASKED, "picture"),
        ("neighbour_votes", None): score(PROMPTS, ASKED, "neighbour_votes"),
        ("popularity", None): score(PROMPTS, ASKED, "popularity"),
    }
    for reason, value in without.items():
        assert found[reason] == pytest.approx(log_odds(total) - log_odds(value), abs=1e-3)
    assert max(abs(weight) for weight in found.values()) > 0.01


def test_reasons_are_said_in_words() -> None:
    texts = {(reason.kind, reason.item_id): reason.text for reason in explain(PROMPTS, ASKED)[1]}
    assert texts["history", "i3"] == f"had {DATASET.items[3].title}"
    assert texts["similar", "i7"] == f"similar people took {DATASET.items[7].title} next"
    assert texts["popularity", None] == "taken before by very many"
    assert texts["neighbour_votes", None] == "taken next by a few alike"
    assert texts["keywords", None].startswith("it is ")


@pytest.mark.parametrize("signal", ["titles", "text_keywords", "pictures", "similar", "neighbour_votes", "popularity"])
def test_what_is_not_shown_is_no_reason(signal: str) -> None:
    kind = {"text_keywords": "keywords", "pictures": "picture", "titles": None}.get(signal, signal)
    prompts = make_prompts(MLLM, DATASET, prompt_fields=only(**{signal: True}).model_dump())
    assert {reason.kind for reason in explain(prompts, ASKED)[1]} == {"history", kind} - {None}


def test_somebody_new_is_told_what_speaks_of_the_item() -> None:
    _, reasons = explain(PROMPTS, replace(ASKED, history=(), similar=(), candidates=(12,)))
    assert {reason.kind for reason in reasons} == {
        "keywords",
        "neighbour_votes",
        "popularity",
    }  # item 12 has no picture


def one_by_one(prompts: Prompts, context: PromptContext, kind: str, item: int | None) -> PromptContext | None:
    """The prompt context without a reason of the asker's, made by hand."""
    if kind in ("history", "similar"):
        return replace(context, **{kind: tuple(code for code in getattr(context, kind) if code != item)})
    return replace(context, votes=()) if kind == "similar_keywords" else None


def test_many_explained_together_equal_each_explained_alone() -> None:
    """And both equal prompts that are rendered whole, one at a time."""
    prompts, rng = make_prompts(MLLM, DATASET, prompt_fields=OPTIONS, similar_tokens=200), np.random.default_rng(2)
    many = replace(
        WORDY,
        candidates=(11, 2, 12, 6),
        popularity=(6, 0, 3, 1),
        neighbour_votes=(2, 0, 1, 4),
        vote_people=(5, 0, 5, 9),
        follows=(3, 0, 1, 2),
        follows_people=(6, 0, 5, 7),
        recency=(7, 1, 2, 3),
        trend=(3, 0, 1, 2),
    )
    together = explain_all(prompts, many)
    assert len(together) == 4
    for place in rng.permutation(4):
        alone = many.pick([place])
        total, reasons = together[place]
        assert total == pytest.approx(score(prompts, alone), abs=1e-5)
        ((single, told),) = explain_all(prompts, alone)
        assert single == pytest.approx(total, abs=1e-5)
        assert {(r.kind, r.text): r.weight for r in told} == pytest.approx(
            {(r.kind, r.text): r.weight for r in reasons}, abs=2e-4
        )
        for reason in reasons:
            item = None if reason.item_id is None else DATASET.item_code[reason.item_id]
            less = one_by_one(prompts, alone, reason.kind, item)
            value = score(prompts, less) if less else score(prompts, alone, reason.kind)
            assert reason.weight == pytest.approx(log_odds(total) - log_odds(value), abs=1e-3)


@pytest.mark.parametrize("batch_tokens", [1, 8192])
def test_reasons_through_a_tree_are_those_of_packs(batch_tokens: int) -> None:
    """With all that a prompt can say, and preferences."""
    prompts = make_prompts(MLLM, DATASET, prompt_fields=OPTIONS, similar_tokens=200, visual_tokens=2)
    ranked = make_evidence(np.random.default_rng(4), 30, 7)
    ranked = replace(
        WORDY,
        candidates=ranked.candidates,
        popularity=ranked.popularity,
        neighbour_votes=ranked.neighbour_votes,
        vote_people=(5,) * 7,
        follows=(3,) * 7,
        follows_people=(6,) * 7,
        recency=(1,) * 7,
        trend=(0,) * 7,
        preferences=UserPreferences(("clay", "oak"), ("steel",)),
    )
    top = ranked.pick([4, 0, 5])
    about_user, own = facts_of(prompts, top, each_keyword=True)
    whole, *less = score_packs(
        prompts, explanation_prompts(prompts, top, about_user, own)
    )  # in packs, nothing remembered
    found = explain_all(prompts, top, batch_tokens, each_keyword=True)
    drops, kinds = [], set()
    for place, (total, reasons) in enumerate(found):
        assert total == pytest.approx(whole[place], abs=1e-4)
        weights = {(one.kind, one.text): one.weight for reason in reasons for one in (reason, *reason.parts)}
        for fact, scores in zip(about_user, less, strict=True):
            drop = log_odds(float(whole[place])) - log_odds(float(scores[place]))
            assert weights[fact.kind, fact.text] == pytest.approx(drop, abs=1e-3)
            drops.append(drop)
        at = 3 + sum(map(len, own[:place]))
        for fact, value in zip(own[place], whole[at : at + len(own[place])], strict=True):
            drop = log_odds(float(whole[place])) - log_odds(float(value))
            assert weights[fact.kind, fact.text] == pytest.approx(drop, abs=1e-3)
        kinds |= {kind for kind, _ in weights}
    assert np.std(drops) > 0.01
    assert kinds >= {
        "history",
        "similar",
        "similar_keywords",
        "more",
        "less",
        "keywords",
        "picture",
        "neighbour_votes",
        "trend",
    }


def test_a_reason_of_the_asker_is_one_pack_whoever_is_explained() -> None:
    for n in (1, 5):
        context = replace(
            ASKED, candidates=(11,) * n, popularity=(6,) * n, neighbour_votes=(2,) * n, vote_people=(5,) * n
        )
        about_user, own = facts_of(PROMPTS, context)
        packs = explanation_prompts(PROMPTS, context, about_user, own)
        assert len(packs) == 1 + 3 + 2
        assert [len(pack.candidates) for pack in packs] == [n * (1 + 4)] + [n] * 5


def test_keywords_are_weighed_one_by_one_as_well() -> None:
    prompts = make_prompts(MLLM, DATASET, prompt_fields=OPTIONS, similar_tokens=200)
    _, reasons = explain(prompts, WORDY)
    by_kind = {reason.kind: reason for reason in reasons}
    words = {part.text: part.weight for part in by_kind["keywords"].parts}
    assert set(words) == set(prompts.shown_keywords(11))
    total = log_odds(score(prompts, WORDY))
    for word, weight in words.items():
        shared, candidate = prompts.shared(WORDY), prompts.candidate(WORDY, 0, omitted_words=(word,))
        assert len(candidate.ids) < len(prompts.candidate(WORDY, 0).ids)
        (scores,) = score_packs(prompts, [PackedPrompt(shared, [candidate])])
        assert weight == pytest.approx(total - log_odds(float(scores[0])), abs=1e-3)
    assert {part.text for part in by_kind["similar_keywords"].parts} == set(prompts.similar_keywords(WORDY, 5))
    assert not any(reason.parts for _, told in explain_all(prompts, WORDY) for reason in told)


def test_without_the_top_reason_the_score_falls_further_than_without_another(tmp_path: Path) -> None:
    """Over many users of a model that learned something: one reason alone, and two left out together."""
    log = make_log(np.random.default_rng(1), n_users=60)
    prompts = make_prompts(
        tiny_mllm(4),
        make_dataset(log),
        n_examples=120,
        batch_size=8,
        negatives=5,
        rank=8,
        learning_rate=1e-2,
        history=3,
        visual_tokens=2,
    )
    retrieval = make_retrieval(log, n_vote_neighbours=10)
    tune(prompts, retrieval, prompts.settings, 7, tmp_path / "adapter", tmp_path / "work")
    rng, single, double = np.random.default_rng(3), [], []
    for _ in range(30):
        context = make_evidence(rng, log.n_items, 1)
        about_user, own = facts_of(prompts, context)
        facts = [*about_user, *own[0]]
        ((total, reasons),) = explain_all(prompts, context)
        place_of = {fact.text: place for place, fact in enumerate(facts)}
        order = [place_of[reason.text] for reason in reasons]

        def drop(*left_out: int, facts=facts, context=context, total=total) -> float:
            cut = reduce(or_, (facts[place].cut for place in left_out))
            pack = PackedPrompt(cut.shared(prompts, context), [cut.candidate(prompts, context, 0)])
            return log_odds(total) - log_odds(float(score_packs(prompts, [pack])[0][0]))

        some, pair = int(rng.choice(order)), rng.choice(order, 2, replace=False)
        single.append(drop(order[0]) - drop(some))
        double.append(drop(*order[:2]) - drop(*pair))
    assert np.mean(single) > 0.01
    assert np.mean(double) > 0.01


@given(st.floats(0, 1))
def test_log_odds_are_finite_and_turn_round(p: float) -> None:
    assert np.isfinite(log_odds(p))
    assert log_odds(p) == pytest.approx(-log_odds(1 - p), abs=1e-6)


WORDY = replace(
    ASKED,
    follows=(3,),
    follows_people=(6,),
    recency=(7,),
    trend=(3,),
    votes=(Vote(12, 0.9, frozenset(range(5))), Vote(16, 0.8, frozenset({1, 2}))),
)
OPTIONS = {"similar_keywords": True, "follows": True, "recency": True, "trend": True}


def test_options_are_reasons_of_their_own() -> None:
    prompts = make_prompts(MLLM, DATASET, prompt_fields=OPTIONS, similar_tokens=200)
    texts = {reason.kind: reason.text for reason in explain(prompts, WORDY)[1]}
    assert texts["follows"] == "it often follows what they had last"
    assert texts["recency"] == "taken just now"
    assert texts["trend"] == "it is rising"
    words = prompts.similar_keywords(WORDY, 5)
    assert texts["similar_keywords"] == f"similar people went on to {', '.join(words)}"
    assert set(words) == set(prompts.shown_keywords(12)) & set(prompts.similar_keywords(WORDY))
    assert 0 < len(words) < len(prompts.similar_keywords(WORDY))


@pytest.mark.parametrize("people", [0, 1, 4, 5])
def test_a_reason_names_nothing_that_fewer_than_five_people_stand_behind(people: int) -> None:
    prompts = make_prompts(MLLM, DATASET, prompt_fields=OPTIONS, similar_tokens=200)
    few = (Vote(12, 0.9, frozenset(range(people))),)
    shy = replace(WORDY, similar_people=(people, 9), vote_people=(people,), follows_people=(people,), votes=few)
    reasons = explain(prompts, shy)[1]
    named = {reason.item_id for reason in reasons if reason.kind == "similar"}
    assert named == ({"i5", "i7"} if people >= 5 else {"i7"})
    kinds = {reason.kind for reason in reasons} & {"neighbour_votes", "follows", "similar_keywords"}
    assert kinds == ({"neighbour_votes", "follows", "similar_keywords"} if people >= 5 else set())
    nobody = explain(prompts, replace(shy, neighbour_votes=(0,), follows=(0,)))[1]
    assert {"neighbour_votes", "follows"} <= {reason.kind for reason in nobody}  # that nobody did so is said of nobody


def test_how_many_people_a_reason_needs_can_be_set() -> None:
    prompts = make_prompts(MLLM, DATASET, k_anonymity=10)
    assert not {reason.kind for reason in explain(prompts, ASKED)[1]} & {"similar", "neighbour_votes"}


def test_reasons_that_are_not_wanted_are_not_measured_and_change_no_others() -> None:
    def wanted(kind: str, level: int | None) -> bool:
        return kind != "history" and level != ASKED.popularity[0]

    ((_, whole),) = explain_all(PROMPTS, ASKED)
    ((_, few),) = explain_all(PROMPTS, ASKED, wanted=wanted)
    expected = [reason for reason in whole if wanted(reason.kind, reason.level)]
    assert {reason.kind for reason in whole} - {reason.kind for reason in few} == {"history", "popularity"}
    assert [(r.kind, r.item_id) for r in few] == [(r.kind, r.item_id) for r in expected]
    assert [r.weight for r in few] == pytest.approx([r.weight for r in expected], abs=2e-4)
    about_user, _ = facts_of(PROMPTS, ASKED, wanted=wanted)
    assert len(about_user) == len(ASKED.similar)


def test_what_nobody_counted_is_not_named() -> None:
    uncounted = replace(ASKED, similar_people=(), vote_people=())
    assert not {reason.kind for reason in explain(PROMPTS, uncounted)[1]} & {"similar", "neighbour_votes"}
