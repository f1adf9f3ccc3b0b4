"""Reasons of a fused ranking: what is left out of the history drops the score by exactly its weight."""

from dataclasses import dataclass

import numpy as np
import pytest

from mmsrarec.data.dataset import Dataset, FloatArray, IntArray, Item, make_interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.recommend.explain import Reason
from mmsrarec.recommend.ranking.generator_reasons import combined_reasons, generator_reasons

N = 6
NOTHING = np.empty(0, dtype=np.int64)
CATALOGUE = Dataset(
    "six",
    tuple(Item(str(code), f"Item {code}") for code in range(N)),
    (),
    make_interactions(NOTHING, NOTHING, NOTHING, 0, N),
)


@dataclass
class Votes:
    """A softmax in whose logits each item of the history votes for its neighbours on a ring."""

    name: str
    strength: float
    logits: bool = True
    known: None = None

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(queries), N))
        for row, history in enumerate(queries.history):
            for code in history:
                scores[row, (code + 1) % N] += self.strength
        return scores


def log_softmax(scores: FloatArray) -> FloatArray:
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def logit(*weights: float) -> Logit:
    k = len(weights)
    return Logit(weights, (0.0,) * k, ((0.0,) * k,) * k)


def asked(history: list[int]) -> Queries:
    return Queries(np.array([-1]), np.array([9]), np.array([-1]), (np.array(history, dtype=np.int64),))


def reasons_of(history: list[int], candidates: IntArray, rankers: list[Votes], weights: Logit) -> list[list[Reason]]:
    """Of all candidates of one query."""
    every, p = np.arange(len(candidates))[None], np.full((1, len(candidates)), 0.5)
    return generator_reasons(CATALOGUE, asked(history), candidates[None], every, p, rankers, weights)[0]


@pytest.mark.parametrize("scores_held", [0, 10**6])
def test_many_queries_have_the_reasons_that_each_has_alone(scores_held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmsrarec.recommend.ranking.generator_reasons.MAX_SCORES_HELD", scores_held)
    rankers, weights = [Votes("near", 1.0), Votes("far", 3.0, logits=False)], logit(0.0, 0.5, 2.0)
    histories = [[0, 3], [5], [1, 1, 2, 4]]
    candidates = np.array([[1, 4, 5], [0, 2, 3], [0, 3, 5]])
    queries = Queries(
        np.array([-1, 0, 1]), np.array([9] * 3), np.array([-1] * 3), tuple(np.array(one) for one in histories)
    )
    explained = np.array([[2, 0], [1, 2], [0, 1]])
    together = generator_reasons(CATALOGUE, queries, candidates, explained, np.full((3, 3), 0.5), rankers, weights)
    for row, history in enumerate(histories):
        alone = reasons_of(history, candidates[row], rankers, weights)
        assert together[row] == [alone[place] for place in explained[row]]
        assert {reason.item_id for reason in together[row][0]} == {*map(str, history), None}


def test_a_weight_is_the_drop_of_the_score_without_the_item() -> None:
    rankers, weights = [Votes("near", 1.0), Votes("far", 3.0)], (0.0, 0.5, 2.0)
    candidates = np.array([1, 4, 5])
    found = reasons_of([0, 3], candidates, rankers, logit(*weights))

    def score(history: list[int]) -> FloatArray:
        parts = [log_softmax(ranker.score(asked(history), None)[0])[candidates] for ranker in rankers]
        return sum(weight * part for weight, part in zip(weights[1:], parts, strict=True))

    whole, without_0, without_3 = score([0, 3]), score([3]), score([0])
    for place, reasons in enumerate(found):
        drops = {reason.item_id: reason.weight for reason in reasons if reason.kind == "history"}
        assert drops["0"] == pytest.approx(whole[place] - without_0[place])
        assert drops["3"] == pytest.approx(whole[place] - without_3[place])
    assert found[0][0].item_id == "0" or found[0][0].kind == "ranker"  # item 0 votes for item 1, item 3 for item 4
    assert {reason.item_id for reason in found[1] if reason.kind == "history" and reason.weight > 0} >= {"3"}


def test_what_a_ranker_adds_is_told_against_the_mean_of_the_candidates() -> None:
    rankers, candidates = [Votes("near", 1.0)], np.array([1, 2, 5])
    found = reasons_of([0], candidates, rankers, logit(0.0, 2.0))
    ranking_features = log_softmax(rankers[0].score(asked([0]), None)[0])[candidates]
    weights = [reason.weight for reasons in found for reason in reasons if reason.kind == "ranker"]
    assert weights == pytest.approx((2.0 * (ranking_features - ranking_features.mean())).tolist())
    assert sum(weights) == pytest.approx(0)


def test_an_item_that_is_left_out_does_not_compete() -> None:
    class PlacesOnly(Votes):
        logits = False

    history = [0, 3]
    found = reasons_of(history, np.array([2]), [PlacesOnly("places", 1.0, False)], logit(0.0, 1.0))
    drops = {reason.item_id: reason.weight for reason in found[0] if reason.kind == "history"}
    assert drops.keys() == {"0", "3"}
    # without item 0, item 1 ties with 2 and 5 behind 4: places 2 to 4. Items 0 and 3 stay out of the list
    assert drops["0"] == pytest.approx(np.log(3.0) - np.log(3.5))


def test_only_reasons_that_speak_for_an_item_are_listed_where_no_others_are_wanted() -> None:
    rankers, weights = [Votes("near", 1.0), Votes("far", 3.0, logits=False)], logit(0.0, 0.5, 2.0)
    candidates, every, p = np.array([[1, 4, 5]]), np.arange(3)[None], np.full((1, 3), 0.5)
    given_arguments = (CATALOGUE, asked([0, 3]), candidates, every, p, rankers, weights)
    (whole,), (only_for,) = generator_reasons(*given_arguments), generator_reasons(*given_arguments, only_for=True)
    assert only_for == [[reason for reason in reasons if reason.weight > 0] for reasons in whole]
    assert any(len(few) < len(all_of_it) for few, all_of_it in zip(only_for, whole, strict=True))


def test_what_the_generators_say_stays_where_no_model_says_anything() -> None:
    found = reasons_of([0, 3], np.array([1, 4, 5]), [Votes("near", 1.0)], logit(0.0, 0.5))[0]
    assert combined_reasons([], 0.5, found) == found


def test_weights_of_one_item_of_the_history_add_up() -> None:
    model = [Reason("history", "had A", 1.0, "a"), Reason("picture", "its picture", 0.5)]
    generators = [Reason("history", "had A", 0.25, "a"), Reason("history", "had B", 3.0, "b"), Reason("ranker", "r", 1)]
    found = combined_reasons(model, 0.5, generators)
    assert [(reason.kind, reason.item_id, reason.weight) for reason in found] == [
        ("history", "b", 3.0),
        ("ranker", None, 1),
        ("history", "a", 0.75),
        ("picture", None, 0.25),
    ]
