"""Fusion finds the weights that the choices were made by, and its parts are what they are said to be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.base import known_items, places
from mmsrarec.rankers.ensemble.conditional_logit import ALONE, Logit
from mmsrarec.rankers.ensemble.features import ranking_feature
from mmsrarec.rankers.ensemble.two_stage import Reranked, parts_of
from mmsrarec.rankers.ensemble.weighted import WeightedEnsemble
from mmsrarec.recommend.ranking.fusion import (
    FORMER_WITHOUT_LM,
    MODEL,
    WITHOUT_LM,
    FixedScores,
    Fused,
    Fusion,
    learn_fusion,
    ranking_features,
)


class Table:
    """Scorer that are given, (m, n_items). known: items that it was fitted on, all unless told."""

    def __init__(self, scores: list[list[float]] | FloatArray, name: str = "table", known: list[bool] | None = None):
        self.scores, self.name, self.logits = np.array(scores, dtype=float), name, False
        self.known = None if known is None else np.array(known)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        rows = self.scores[queries.user]
        return rows if candidates is None else np.take_along_axis(rows, candidates, axis=1)


def asked(*histories: list[int]) -> Queries:
    m = len(histories)
    return Queries(np.arange(m), np.arange(m), np.full(m, -1), tuple(np.array(h, dtype=int) for h in histories))


def made_by(weights: list[float], m: int, c: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Choices of people who weigh terms as told."""
    x = rng.normal(size=(m, c, len(weights)))
    return x, (x @ np.array(weights) + rng.gumbel(size=(m, c))).argmax(axis=1)


def weighing(*weights: float) -> Logit:
    """A logit that knows nothing of what is missing."""
    return replace(Logit.first(len(weights)), weights=weights)


def first(scores: FloatArray, place: IntArray) -> float:
    """How often the target stands first."""
    return float((scores.argmax(axis=1) == place).mean())


def test_places_count_ties_at_their_mean_and_leave_out_what_was_had() -> None:
    table = Table([[5, 9, 5, 1, 7], [0, 0, 0, 0, 0]])
    found = places(table, asked([4], []))
    assert found.tolist() == [[2.5, 1, 2.5, 4, 5], [3, 3, 3, 3, 3]]
    assert table.scores[0, 4] == 7


def test_several_generators_rank_by_the_weighted_sum_of_their_terms() -> None:
    one, other = Table([[9, 8, 7, 6, 5, 4]], "one"), Table([[1, 8, 2, 0, 9, 0]], "other")
    both = WeightedEnsemble.of([one, other], weighing(1.0, 2.0), 6)
    assert both.name == "one+other"
    # one: 0 1 2 3 4 5, other: 4 1 2 0 and then 3 and 5 alike
    places = np.array([[1, 2, 3, 4, 5, 6], [4, 2, 3, 5.5, 1, 5.5]])
    np.testing.assert_allclose(both.score(asked([]), None)[0], [-1, -2] @ np.log(places))
    assert Reranked("", both, both, 3).proposals(asked([])).tolist() == [[4, 1, 0]]
    assert Reranked("", both, both, 3).proposals(asked([4])).tolist() == [[1, 0, 2]]
    assert both.score(asked([]), np.array([[4]])) == pytest.approx(-np.log(5))
    assert parts_of(both) == (one, other)
    assert WeightedEnsemble.of([one], weighing(0.5), 6) is one


def test_several_know_what_all_of_them_know_and_rank_what_any_knows() -> None:
    one, other = Table([[1, 2, 3]], known=[True, True]), Table([[1, 2, 3]], known=[True, False, False])
    both = WeightedEnsemble((one, other), weighing(1.0, 1.0), 3)
    assert known_items(both, 3).tolist() == [True, False, False]
    assert np.isneginf(both.score(asked([]), None)).tolist() == [[False, False, True]]
    assert np.isfinite(both.score(asked([]), np.array([[0, 1, 2]]))).all()
    assert known_items(Table([[1, 2, 3]]), 3).all()


def test_terms_are_log_odds_and_logs_of_places_or_shares() -> None:
    ranker, proposer = Table([[0.5, 0.9, 0.2]]), Table([[3, 1, 2]])
    x = ranking_features(ranker, [proposer], asked([]), np.array([[0, 1]]))
    np.testing.assert_allclose(x, [[[0, np.log(9)]], [[0, -np.log(3)]]])
    logits = Table([[3, 1, 2]])
    logits.logits = True
    x = ranking_features(ranker, [logits], asked([]), np.array([[1, 0]]))
    share = np.exp([1, 3]) / np.exp([1, 2, 3]).sum()
    np.testing.assert_allclose(x[1], [np.log(share)])
    fused = Fused("", ranker, [proposer], weighing(2.0, 1.0)).score(asked([]), np.array([[0, 1]]))
    np.testing.assert_allclose(fused, [[0, 2 * np.log(9) - np.log(3)]])
    with pytest.raises(MmsrarecError, match="propose"):
        Fused("", ranker, [proposer], weighing(1.0, 1.0)).score(asked([]), None)


def test_of_what_a_proposer_never_saw_it_says_nothing() -> None:
    """Though it would put it last, or first, or nowhere; and of the others it says what it always said."""
    ranker, known = Table([[0.5, 0.5, 0.5, 0.5]]), [True, True, True]
    for logits in (False, True):
        before = Table([[4, 3, 2]])
        before.logits = logits
        _, expected = ranking_features(ranker, [before], asked([]), np.array([[0, 2]]))
        for last in (-9, 9, np.nan, np.inf, -np.inf):
            proposer = Table([[4, 3, 2, last]], known=known)
            proposer.logits = logits
            _, told = ranking_features(ranker, [proposer], asked([]), np.array([[0, 2, 3]]))
            assert np.isnan(told).tolist() == [[False, False, True]]
            np.testing.assert_array_equal(told[:, :2], expected)


def test_who_knows_nothing_at_all_says_nothing() -> None:
    proposer = Table([[4, 3]], known=[False, False])
    for proposer.logits in (False, True):
        assert np.isnan(ranking_feature(proposer, asked([]))).all()


def test_no_candidates_are_no_terms() -> None:
    ranker, proposer = FixedScores(np.zeros((1, 0))), Table([[3, 1, 2]])
    none = np.array([()])  # floats, as numpy has it
    assert [found.shape for found in ranking_features(ranker, [proposer], asked([]), none)] == [(1, 0)] * 2
    assert Fused("", ranker, [proposer], weighing(1.0, 1.0)).score(asked([]), none).shape == (1, 0)


def test_a_proposer_that_knows_what_items_are_speaks_of_new_ones_too() -> None:
    """And counts their places among all others, which is what it was told to do."""
    ranker, candidates = Table([[0.5, 0.5, 0.5]]), np.array([[0, 1, 2]])
    silent, spoken = (
        ranking_features(ranker, [Table([[1, 2, 3]], known=known)], asked([]), candidates)[1][0]
        for known in ([True, True, False], [True, True, True])
    )
    np.testing.assert_array_equal(silent, -np.log([2, 1, np.nan]))
    np.testing.assert_array_equal(spoken, -np.log([3, 2, 1]))


def test_what_two_know_apart_is_worth_more_together() -> None:
    x, place = made_by([1.0, 1.0], 600, 8, np.random.default_rng(1))
    found = learn_fusion(x, place, ["other"], 700, first)
    assert found.improves
    assert (found.queries, found.queries_examined) == (600, 700)
    for alone in (MODEL, "other"):
        assert found.quality["fused"] > found.quality[alone] > 1 / 8
        assert found.log_likelihood["fused"] > found.log_likelihood[alone] > -np.log(8)


def test_figures_are_of_moments_that_the_weights_never_saw() -> None:
    """Ten terms of pure noise fit thirty choices well, and tell nothing of the next."""
    rng = np.random.default_rng(0)
    x, place = rng.normal(size=(30, 5, 10)), rng.integers(5, size=30)
    found = learn_fusion(x, place, [str(number) for number in range(9)], 30)
    assert found.log_likelihood["fused"] < -np.log(5)


def test_without_moments_the_language_model_ranks_alone() -> None:
    found = learn_fusion(np.zeros((0, 1, 3)), np.zeros(0, dtype=int), ["a", "b"], 50)
    assert found.with_lm.weights == (1.0, 0.0, 0.0)
    assert not found.improves


def test_a_fusion_is_kept_and_a_broken_one_is_told(tmp_path: Path) -> None:
    logit = Logit((0.5, 1.25), (0.0, -2.0), ((1.0, 0.5), (0.5, 2.0)))
    log_likelihood = {"fused": -1.0, WITHOUT_LM: -1.5}
    kept = Fusion(("sasrec",), logit, ALONE, 10, 40, log_likelihood, {"fused": 0.3}, ("sasrec",), ALONE)
    kept.save(tmp_path)
    assert Fusion.load(tmp_path) == kept
    record = (tmp_path / "fusion.json").read_text()
    (tmp_path / "fusion.json").write_text(record.replace(WITHOUT_LM, FORMER_WITHOUT_LM))
    assert Fusion.load(tmp_path) == kept  # an earlier version's words
    (tmp_path / "fusion.json").write_text("{}")
    with pytest.raises(MmsrarecError, match="evaluate again"):
        Fusion.load(tmp_path)


def test_what_was_proposed_stays_before_the_rest_though_fused_scores_are_negative() -> None:
    generator, ranker = Table([[4, 3, 2, 1]]), Table([[-30, -10, 0, 0]])
    scores = Reranked("", generator, ranker, 2).score(asked([]), None)
    assert np.argsort(-scores[0]).tolist() == [1, 0, 2, 3]


def test_proposers_are_weighed_without_the_language_model_too() -> None:
    x, place = made_by([1.0, 0.5, 0.5], 60, 5, np.random.default_rng(4))
    learned = learn_fusion(x, place, ("a", "b"), 60)
    assert learned.without_lm == Logit.fit(x[:, :, 1:], place)
    assert learned.with_lm == Logit.fit(x, place)
    assert learned.uses_lm


@pytest.mark.parametrize("weight", [0.0, -0.3])
def test_a_language_model_that_adds_nothing_counts_nothing_and_is_not_asked(weight: float) -> None:
    x, place = made_by([weight, 1.0], 300, 6, np.random.default_rng(5))
    learned = learn_fusion(x, place, ("a",), 300, first)
    assert not learned.uses_lm
    assert learned.with_lm.weights == (0.0, *learned.without_lm.weights)
    assert learned.improves  # the candidate generator does
    ranker, proposer = Table([[0.5, 0.9, 0.2]]), Table([[3, 1, 2]])
    asked_of: list[Queries] = []
    ranker.score = lambda queries, candidates: asked_of.append(queries)
    scores = Fused("", ranker, [proposer], learned.with_lm).score(asked([]), np.array([[0, 1, 2]]))
    alone = WeightedEnsemble((proposer,), learned.without_lm, 3).score(asked([]), np.array([[0, 1, 2]]))
    np.testing.assert_allclose(scores, alone)
    assert not asked_of
