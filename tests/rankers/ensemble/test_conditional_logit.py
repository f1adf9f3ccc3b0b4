"""The logit finds the weights that choices were made by, with terms missing too, and scores what is missing as the mean
of what might be there."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.rankers.ensemble.conditional_logit import ALONE, RIDGE, Gaussian, Logit, log_share

TOGETHER = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, -0.4], [0.0, -0.4, 0.5]])
MEAN = np.array([0.5, -3.0, 1.0])


def made_by(weights: list[float], m: int, c: int, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Choices of people who weigh terms as told."""
    x = rng.multivariate_normal(MEAN[: len(weights)], TOGETHER[: len(weights), : len(weights)], size=(m, c))
    return x, (x @ np.array(weights) + rng.gumbel(size=(m, c))).argmax(axis=1)


def logit(*weights: float) -> Logit:
    return Logit(weights, tuple(MEAN), tuple(map(tuple, TOGETHER)))


def columns(x: FloatArray) -> list[FloatArray]:
    return list(np.moveaxis(x, -1, 0))


def test_three_of_four_choices_for_one_more_give_the_log_of_three() -> None:
    x = np.tile(np.array([[[1.0], [0.0]]]), (4, 1, 1))
    assert Logit.fit(x, np.array([0, 0, 1, 0]), ridge=0.0).weights == pytest.approx([np.log(3)])


@given(st.integers(0, 999), st.integers(1, 3))
def test_no_other_weights_are_likelier(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    x, place = made_by([1.5] * k, 20, 4, rng)

    def value(w: FloatArray) -> float:
        return float(log_share(x @ w, place).sum() - RIDGE / 2 * (w @ w))

    w = np.array(Logit.fit(x, place).weights)
    assert all(value(w) > value(w + 0.05 * rng.normal(size=k)) for _ in range(5))


def test_the_weights_of_those_who_chose_are_found_again() -> None:
    x, place = made_by([1.0, 0.5, 0.0], 3000, 10, np.random.default_rng(0))
    found = Logit.fit(x, place)
    assert found.weights == pytest.approx([1.0, 0.5, 0.0], abs=0.08)
    np.testing.assert_allclose(found.mean, MEAN, atol=0.05)
    np.testing.assert_allclose(found.covariance, TOGETHER, atol=0.05)


def test_where_nothing_is_missing_the_score_is_the_weighted_sum() -> None:
    x, _ = made_by([1.0, 1.0, 1.0], 5, 4, np.random.default_rng(1))
    np.testing.assert_allclose(logit(0.3, -1.0, 2.0).score(columns(x)), x @ [0.3, -1.0, 2.0])
    np.testing.assert_allclose(ALONE.score([x[:, :, 0]]), x[:, :, 0])


@pytest.mark.parametrize("gone", [(1,), (0, 2), (0, 1, 2)])
def test_a_missing_term_counts_as_the_mean_of_what_may_be_there(gone: tuple[int, ...]) -> None:
    """By drawing: of all items, those whose known terms are as here."""
    w, known = np.array([0.4, 0.7, -0.5]), [i for i in range(3) if i not in gone]
    x = np.array([[[1.2, -2.0, 0.3]]])
    inverse = np.linalg.inv(TOGETHER[np.ix_(known, known)]) if known else np.zeros((0, 0))
    slope = TOGETHER[np.ix_(gone, known)] @ inverse
    mean = MEAN[list(gone)] + slope @ (x[0, 0, known] - MEAN[known])
    left = TOGETHER[np.ix_(gone, gone)] - slope @ TOGETHER[np.ix_(known, gone)]
    drawn = np.random.default_rng(0).multivariate_normal(mean, left, size=400_000)
    expected = np.log(np.exp(x[0, 0, known] @ w[known] + drawn @ w[list(gone)]).mean())
    x[..., list(gone)] = np.nan
    assert logit(*w).score(columns(x))[0, 0] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("weights", [(0.5, 0.0), (0.0, 0.7), (-0.4, -0.2), (0.6, 0.9)])
@pytest.mark.parametrize("nothing", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_missing_whatever_it_weighs(weights: tuple[float, float], nothing: float) -> None:
    x, expected = np.array([[[1.0, nothing], [nothing, nothing], [0.5, -1.0]]]), np.array([[[1.0, np.nan]]])
    scores = logit(*weights, 0.0).score([*columns(x), np.zeros((1, 3))])
    assert np.isfinite(scores).all()
    assert scores[0, 0] == logit(*weights, 0.0).score([*columns(expected), np.zeros((1, 1))])[0, 0]


def test_no_candidates_have_no_scores() -> None:
    assert logit(1.0, 1.0, 1.0).score([np.zeros((2, 0))] * 3).shape == (2, 0)


def test_filled_holes_give_the_same_scores() -> None:
    rng = np.random.default_rng(2)
    x, _ = made_by([1.0, 1.0, 1.0], 30, 6, rng)
    x[rng.random(x.shape) < 0.4] = np.nan
    found = logit(0.4, 0.7, -0.5)
    np.testing.assert_allclose(found.filled(x) @ np.array(found.weights), found.score(columns(x)))
    assert np.isnan(x).any()  # what was given stays as it was


def test_weights_are_found_though_terms_are_missing_and_new_items_are_judged_fairly() -> None:
    """A term of a third of the items is gone, for chosen ones as for others. Held at the mean, it makes choices less
    likely than it does as what is expected of it."""
    rng = np.random.default_rng(3)
    x, place = made_by([0.8, 0.6], 4000, 8, rng)
    holes = rng.random(x.shape[:2]) < 1 / 3
    x[holes, 1] = np.nan
    found = Logit.fit(x, place)
    assert found.weights == pytest.approx([0.8, 0.6], abs=0.06)
    held = x.copy()
    held[holes, 1] = MEAN[1]
    assert log_share(found.score(columns(x)), place).mean() > log_share(held @ [0.8, 0.6], place).mean() + 0.02
    chosen_new = np.take_along_axis(holes, place[:, None], axis=1).mean()
    shares = np.exp(found.score(columns(x)))
    shares /= shares.sum(axis=1, keepdims=True)
    assert (shares * holes).sum(axis=1).mean() == pytest.approx(chosen_new, abs=0.02)


def test_a_term_that_counts_nothing_changes_nothing() -> None:
    x, _ = made_by([1.0, 1.0, 1.0], 5, 4, np.random.default_rng(6))
    x[0, :, 1] = x[1, 2, 0] = np.nan
    found, noise = logit(0.4, 0.7, -0.5), np.random.default_rng(7).normal(size=(5, 4))
    np.testing.assert_allclose(found.behind_nothing().score([noise, *columns(x)]), found.score(columns(x)))


def test_nothing_known_at_all_still_fits() -> None:
    assert Logit.fit(np.full((4, 3, 2), np.nan), np.zeros(4, dtype=int)).weights == (0.0, 0.0)
    scores = Logit.first(2).score([np.full((1, 3), np.nan)] * 2)
    assert scores.tolist() == [[0, 0, 0]]


def test_a_logit_is_kept_as_json_keeps_it() -> None:
    found = logit(1.0, 2.0, 3.0)
    record = asdict(found)
    record["covariance"] = [list(row) for row in record["covariance"]]
    assert Logit.load(record) == found
    assert replace(found, weights=(0.0, 0.0, 0.0)) != found


def test_a_term_of_selected_items_is_distributed_as_it_would_be_among_all() -> None:
    """The first term is seen of items only that the others rank high."""
    x = np.random.default_rng(8).multivariate_normal(MEAN, TOGETHER, size=400_000)
    high = x[x[:, 1] + 0.5 * x[:, 2] > -2.5]
    assert abs(high.mean(axis=0)[0] - MEAN[0]) > 0.3
    found = Gaussian.of(x[:, 1:]).with_first(high)
    np.testing.assert_allclose(found.mean, MEAN, atol=0.03)
    np.testing.assert_allclose(found.covariance, TOGETHER, atol=0.03)


def test_what_is_expected_of_a_new_item_is_not_learned_from_items_chosen_by_it() -> None:
    """Candidates have a high second term, which a new item has not: given the Gaussian of all items, its share of the
    choices is as large as it is; by those of the candidates it is said to be larger."""
    rng = np.random.default_rng(9)
    every, _ = made_by([0.8, 0.6], 3000, 40, rng)
    best = np.argsort(-every[:, :30, 1], axis=1)[:, :6]  # of 30 known items those with the highest second term
    x = np.concatenate([np.take_along_axis(every, best[:, :, None], axis=1), every[:, 30:34]], axis=1)
    place = (x @ [0.8, 0.6] + rng.gumbel(size=x.shape[:2])).argmax(axis=1)
    chosen = (place >= 6).mean()
    x[:, 6:, 1] = np.nan

    def share(gaussian: Gaussian | None) -> float:
        scores = np.exp(Logit.fit(x, place, gaussian=gaussian).score(columns(x)))
        return float((scores / scores.sum(axis=1, keepdims=True))[:, 6:].sum(axis=1).mean())

    assert share(Gaussian.of(every)) == pytest.approx(chosen, abs=0.02)
    assert share(None) > chosen + 0.05
