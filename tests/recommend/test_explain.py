"""A reason's weight is what the score loses without it, measured and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_mllm
from world import make_dataset, make_log, make_prompts, only

from mmsrarec.recommend.evidence import Evidence
from mmsrarec.recommend.explain import explain, log_odds
from mmsrarec.recommend.prompts import Prompts
from mmsrarec.recommend.score import score_packs

MLLM = tiny_mllm()
DATASET = make_dataset(make_log(np.random.default_rng(0)))
PROMPTS = make_prompts(MLLM, DATASET, visual_tokens=2)
ASKED = Evidence(history=(3, 4, 9), similar=(5, 7), candidates=(11,), popularity=(6,), alike=(2,))


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
