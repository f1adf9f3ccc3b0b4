"""Reasons of recommendations: measured by whatever had a part in the order, then put into words."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_mllm
from world import make_dataset, make_evidence, make_keywords, make_log, make_prompts

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.recommend.explain import Reason, explain_all
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, PREFERENCE_LOG_ODDS, UserPreferences
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.fusion import Fusion
from mmsrarec.recommend.ranking.generator_reasons import generator_reasons
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.runs.answers.reasons import SHOWN_REASONS, Reasons, preference_reasons, without_preference_reasons
from mmsrarec.runs.answers.scores import softmax
from mmsrarec.runs.answers.without_model import NoPrompts

DATASET = make_dataset(make_log(np.random.default_rng(0), n_users=8, n_items=15, length=4))
KEYWORDS = make_keywords(DATASET)
PROMPTS = make_prompts(tiny_mllm(), DATASET)
CONTEXT = make_evidence(np.random.default_rng(1), 15, 5)
QUERY = Queries(np.array([-1]), np.array([999]), np.array([-1]), (np.array(CONTEXT.history),))
BEST = np.array([3, 0])
P_YES = np.array([0.2, 0.5, 0.3, 0.9, 0.6])


@dataclass
class Ring:
    """Each item of the history gives a point to the item behind it."""

    name: str = "ring"
    logits: bool = True
    known: None = None

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(queries), 15))
        for row, history in enumerate(queries.history):
            for code in history:
                scores[row, (code + 1) % 15] += 1
        return scores


def fused(weight: float) -> Fusion:
    logit = Logit((weight, 1.5), (0.0, 0.0), ((0.0, 0.0), (0.0, 0.0)))
    alone = Logit((1.5,), (0.0,), ((0.0,),))
    return Fusion(("ring",), logit, alone, 0, 0, {}, {}, ("ring",), alone)


def reasons(prompts: object = PROMPTS) -> Reasons:
    return Reasons(DATASET, KEYWORDS, cast(Prompts, prompts), 8192)


def measured(
    fusion: Fusion | None = None,
    preferences: UserPreferences = NO_PREFERENCES,
    prompts: object = PROMPTS,
    context: PromptContext = CONTEXT,
    brief: bool = False,
) -> list[list[Reason]]:
    given_arguments = QUERY, [context], preferences, BEST[None], P_YES[None], fusion, [Ring()]
    return reasons(prompts).measured(*given_arguments, brief=brief)[0]


class Unasked:
    """Prompts that must not be rendered: the language model has no part."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the language model was asked: {name}")


def test_without_a_fusion_the_language_model_says_why_for_the_best_in_their_order() -> None:
    expected = [found for _, found in explain_all(PROMPTS, CONTEXT.pick(BEST), 8192)]
    assert len(expected[0]) > 0
    assert measured() == expected


def test_a_language_model_without_weight_is_not_asked() -> None:
    codes = np.array([CONTEXT.candidates])
    (told,) = generator_reasons(DATASET, QUERY, codes, BEST[None], P_YES[None], [Ring()], fused(0.0).with_lm)
    assert measured(fused(0.0), prompts=Unasked()) == told


def test_in_a_fusion_each_part_counts_by_its_weight() -> None:
    weight = 0.5
    alone, both = measured(), measured(fused(weight))
    told = measured(fused(0.0), prompts=Unasked())
    for by_model, by_rankers, joint in zip(alone, told, both, strict=True):
        expected = weight * sum(r.weight for r in by_model) + sum(r.weight for r in by_rankers)
        assert sum(r.weight for r in joint) == pytest.approx(expected, abs=1e-6)
        assert [r.weight for r in joint] == sorted((r.weight for r in joint), reverse=True)
        assert {r.kind for r in joint} == {r.kind for r in by_model} | {"history", "ranker"}
        named = [r.item_id for r in joint if r.kind == "history"]
        assert len(named) == len(set(named))  # one reason for an item that both parts speak of


def test_without_any_model_it_is_how_many_chose_an_item_against_the_mean() -> None:
    nothing = NoPrompts(RecommendSettings(), KEYWORDS)
    found = measured(prompts=nothing)
    assert [[r.kind for r in mine] for mine in found] == [["popularity"]] * 2
    logits = np.log(P_YES / (1 - P_YES))
    assert [mine[0].weight for mine in found] == pytest.approx((logits - logits.mean())[BEST])
    assert [mine[0].level for mine in found] == [CONTEXT.popularity[place] for place in BEST]


def test_what_was_asked_for_comes_first_by_rule_and_once() -> None:
    nothing = NoPrompts(RecommendSettings(), KEYWORDS)
    wanted = KEYWORDS.united(CONTEXT.candidates[3])[0]
    preferences = UserPreferences.of(more=[wanted])
    first, second = measured(preferences=preferences, prompts=nothing)
    assert first[0].kind == "more"
    assert first[0].words == (wanted,)
    assert first[0].weight == PREFERENCE_LOG_ODDS
    assert first[1:] == measured(prompts=nothing)[0]
    carried = wanted in KEYWORDS.united(CONTEXT.candidates[0])
    assert [r.kind for r in second] == ["more"] * carried + ["popularity"]


def test_the_models_own_view_of_what_was_asked_for_is_not_told_beside_the_rule() -> None:
    wanted = KEYWORDS.united(CONTEXT.candidates[3])[0]
    preferences = UserPreferences.of(more=[wanted])
    context = replace(CONTEXT, preferences=preferences)
    assert any(r.kind == "more" for r in explain_all(PROMPTS, context.pick(BEST), 8192)[0][1])
    found = measured(preferences=preferences, context=context)
    assert [r.weight for r in found[0] if r.kind == "more"] == [PREFERENCE_LOG_ODDS]


words = st.lists(st.sampled_from(["mug", "blue mug", "clay", "otter"]), max_size=3, unique=True).map(tuple)


@given(words, words, words)
def test_an_item_meets_the_words_that_its_keywords_say(mine: tuple, more: tuple, less: tuple) -> None:
    preferences = UserPreferences(more, tuple(word for word in less if word not in more))
    met = tuple(word for word in more if word in mine or (word == "mug" and "blue mug" in mine))
    found = preference_reasons(mine, preferences)
    assert [reason.words for reason in found] == ([met] if met else [])
    for reason in found:
        struck = any(word in mine or (word == "mug" and "blue mug" in mine) for word in preferences.less)
        assert reason.weight == (0.0 if struck else PREFERENCE_LOG_ODDS)
        assert all(word in reason.text for word in met)


@given(st.lists(st.sampled_from(["more", "history", "keywords", "picture"])))
def test_only_what_was_asked_for_is_taken_out(kinds: list[str]) -> None:
    given_reasons = [Reason(kind, str(place), float(place)) for place, kind in enumerate(kinds)]
    assert without_preference_reasons(given_reasons) == [reason for reason in given_reasons if reason.kind != "more"]


def test_a_recommendation_says_the_heaviest_reasons_for_it_and_keeps_all() -> None:
    code, had = 4, DATASET.items[2]
    found = [
        Reason("history", "", 0.5, item_id=had.item_id),
        Reason("popularity", "", -1.0, level=7),
        Reason("keywords", "", 2.0, words=("red", "clay")),
        Reason("picture", "", 0.1),
        Reason("ranker", "", 0.3, words=("ease",)),
    ]
    answer = reasons().recommendation(code, 1.25, 0.5, found)
    assert (answer.item_id, answer.title, answer.score, answer.probability) == ("i4", DATASET.items[4].title, 1.25, 0.5)
    assert answer.keywords == KEYWORDS.united(code)
    assert [(r.kind, r.items, r.words, r.weight) for r in answer.reasons] == [
        (r.kind, () if r.item_id is None else (r.item_id,), r.words, r.weight) for r in found
    ]
    assert answer.because == (
        "it is described as clay; its picture shows red",  # "red" is told from the picture
        f"you showed interest in {had.title}",
        "people with a history like yours chose it",
    )
    assert len(answer.because) == SHOWN_REASONS


def test_an_item_without_a_title_is_named_by_its_id() -> None:
    untitled = replace(DATASET, items=tuple(replace(item, title="") for item in DATASET.items))
    told = Reasons(untitled, KEYWORDS, PROMPTS, 8192)
    answer = told.recommendation(0, 0.0, None, [Reason("history", "", 1.0, item_id="i3")])
    assert answer.because == ("you showed interest in i3",)


def test_reasons_are_said_in_the_language_of_most_items() -> None:
    german = replace(KEYWORDS, languages=("de",) * 10 + ("en",) * 5)
    told = Reasons(DATASET, german, PROMPTS, 8192)
    answer = told.recommendation(12, 0.0, None, [Reason("history", "", 1.0, item_id="i3")])
    assert told.language == "de"
    assert answer.because == (f"Sie interessierten sich für {DATASET.items[3].title}",)


scores = st.lists(st.floats(-500, 500), min_size=1, max_size=8).map(np.array)


@given(scores, st.floats(-1000, 1000))
def test_shares_add_up_to_one_follow_the_order_and_ignore_a_shift(found: FloatArray, shift: float) -> None:
    shares = softmax(found)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()
    assert (np.diff(shares[np.argsort(found)]) >= 0).all()
    assert softmax(found + shift) == pytest.approx(shares, abs=1e-9)


def test_a_difference_of_scores_is_the_log_of_the_ratio_of_shares() -> None:
    shares = softmax(np.array([1000.0, 998.0, 997.5]))
    assert np.log(shares[0] / shares[1:]) == pytest.approx([2.0, 2.5])


@given(st.lists(st.tuples(st.sampled_from(["history", "popularity", "keywords", "ranker", "more"]), st.floats(-2, 2))))
def test_a_brief_answer_says_the_same_sentences(drawn: list[tuple[str, float]]) -> None:
    given_reasons = [
        Reason(kind, "", weight, item_id="i2" if kind == "history" else None, words=("red", "clay"), level=place % 8)
        for place, (kind, weight) in enumerate(drawn)
    ]
    given_reasons = [replace(r, level=None) if r.kind != "popularity" else r for r in given_reasons]
    whole, brief = (reasons().recommendation(4, 1.0, None, given_reasons, brief) for brief in (False, True))
    assert brief.because == whole.because
    assert (brief.item_id, brief.score) == (whole.item_id, whole.score)


@pytest.mark.parametrize("fusion", [None, fused(0.5), fused(0.0)], ids=["model", "both", "rankers"])
def test_what_is_measured_for_a_table_says_the_same_sentences(fusion: Fusion | None) -> None:
    preferences = UserPreferences.of(more=[KEYWORDS.united(CONTEXT.candidates[3])[0]], less=["nothing"])
    context = replace(CONTEXT, preferences=preferences)
    whole, few = (measured(fusion, preferences, context=context, brief=brief) for brief in (False, True))
    assert sum(map(len, few)) < sum(map(len, whole))
    for found, fewer in zip(whole, few, strict=True):
        because = [reasons().recommendation(4, 0.0, None, told, brief=True).because for told in (found, fewer)]
        assert because[0] == because[1]
