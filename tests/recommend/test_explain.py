"""A reason's weight is what the score loses without it, measured and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_mllm
from world import make_dataset, make_log, make_prompts, only

from mmsrarec.recommend.evidence import Evidence, Voice
from mmsrarec.recommend.explain import explain, log_odds
from mmsrarec.recommend.prompts import Prompts
from mmsrarec.recommend.score import score_packs

MLLM = tiny_mllm()
DATASET = make_dataset(make_log(np.random.default_rng(0)))
PROMPTS = make_prompts(MLLM, DATASET, visual_tokens=2)
ASKED = Evidence(
    history=(3, 4, 9),
    similar=(5, 7),
    similar_people=(5, 9),
    candidates=(11,),
    popularity=(6,),
    alike=(2,),
    alike_people=(5,),
)


def score(prompts: Prompts, evidence: Evidence, hide=None) -> float:
    return float(score_packs(prompts, [prompts.render(evidence, hide)])[0][0])


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
        ("alike", None): score(PROMPTS, ASKED, "alike"),
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
    assert texts["alike", None] == "taken next by a few alike"
    assert texts["keywords", None].startswith("it is ")


@pytest.mark.parametrize("signal", ["titles", "text_keywords", "pictures", "similar", "alike", "popularity"])
def test_what_is_not_shown_is_no_reason(signal: str) -> None:
    kind = {"text_keywords": "keywords", "pictures": "picture", "titles": None}.get(signal, signal)
    prompts = make_prompts(MLLM, DATASET, shows=only(**{signal: True}).model_dump())
    assert {reason.kind for reason in explain(prompts, ASKED)[1]} == {"history", kind} - {None}


def test_somebody_new_is_told_what_speaks_of_the_item() -> None:
    _, reasons = explain(PROMPTS, replace(ASKED, history=(), similar=(), candidates=(12,)))
    assert {reason.kind for reason in reasons} == {"keywords", "alike", "popularity"}  # item 12 has no picture


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
    voices=(Voice(12, 0.9, frozenset(range(5))), Voice(16, 0.8, frozenset({1, 2}))),
)
OPTIONS = {"similar_keywords": True, "follows": True, "recency": True, "trend": True}


def test_options_are_reasons_of_their_own() -> None:
    prompts = make_prompts(MLLM, DATASET, shows=OPTIONS, similar_tokens=200)
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
    prompts = make_prompts(MLLM, DATASET, shows=OPTIONS, similar_tokens=200)
    few = (Voice(12, 0.9, frozenset(range(people))),)
    shy = replace(WORDY, similar_people=(people, 9), alike_people=(people,), follows_people=(people,), voices=few)
    reasons = explain(prompts, shy)[1]
    named = {reason.item_id for reason in reasons if reason.kind == "similar"}
    assert named == ({"i5", "i7"} if people >= 5 else {"i7"})
    kinds = {reason.kind for reason in reasons} & {"alike", "follows", "similar_keywords"}
    assert kinds == ({"alike", "follows", "similar_keywords"} if people >= 5 else set())
    nobody = explain(prompts, replace(shy, alike=(0,), follows=(0,)))[1]
    assert {"alike", "follows"} <= {reason.kind for reason in nobody}  # that nobody did so is said of nobody


def test_how_many_people_a_reason_needs_can_be_set() -> None:
    prompts = make_prompts(MLLM, DATASET, min_people=10)
    assert not {reason.kind for reason in explain(prompts, ASKED)[1]} & {"similar", "alike"}


def test_what_nobody_counted_is_not_named() -> None:
    uncounted = replace(ASKED, similar_people=(), alike_people=())
    assert not {reason.kind for reason in explain(PROMPTS, uncounted)[1]} & {"similar", "alike"}
