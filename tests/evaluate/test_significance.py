"""Intervals cover what they should, and the paired test tells a difference from luck."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.evaluate.significance import holm, intervals, paired


def test_the_interval_is_that_of_the_mean():
    values = np.random.default_rng(0).random(500)
    got = intervals({"x": values})["x"]
    error = values.std() / np.sqrt(500)
    assert got.value == pytest.approx(values.mean())
    assert got.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert got.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_intervals_cover_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(1)
    samples = [intervals({"x": (rng.random(200) < 0.3).astype(float)}, seed=s, resamples=400)["x"] for s in range(200)]
    assert 0.89 <= np.mean([i.low <= 0.3 <= i.high for i in samples]) <= 0.99


def test_a_seed_fixes_the_interval_and_metrics_do_not_disturb_one_another():
    a, b = np.random.default_rng(2).random((2, 50))
    assert intervals({"a": a}, 3)["a"] == intervals({"b": b, "a": a}, 3)["a"]
    assert intervals({"a": a}, 3) != intervals({"a": a}, 4)


def test_blocks_change_the_draws_not_the_answer(monkeypatch):
    values = np.random.default_rng(5).random(300)
    whole = intervals({"x": values})["x"]
    monkeypatch.setattr("mmsrarec.evaluate.significance.NUMBERS_PER_BLOCK", 300 * 7)
    parts = intervals({"x": values})["x"]
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=0.005)


def test_one_value_has_no_spread():
    got = intervals({"x": np.full(20, 0.5)})["x"]
    assert (got.value, got.low, got.high) == pytest.approx((0.5, 0.5, 0.5))


def test_nobody_is_refused():
    with pytest.raises(ValueError, match="no users"):
        intervals({"x": np.empty(0)})


def test_a_real_difference_is_found_and_its_sign_kept():
    rng = np.random.default_rng(3)
    base = rng.random(300)
    better = base + 0.05 + rng.normal(0, 0.1, 300)
    found, other = paired(better, base), paired(base, better)
    assert found.p < 0.001
    assert 0 < found.low < found.difference < found.high
    assert other.difference == pytest.approx(-found.difference)
    assert other.p < 0.001


def test_no_difference_is_not_found_more_often_than_it_should():
    rng = np.random.default_rng(4)
    p = [paired(*rng.random((2, 60)), seed=s, resamples=100).p for s in range(100)]
    assert np.mean(np.array(p) < 0.05) <= 0.12
    assert 0.35 < np.mean(p) < 0.65


def test_equal_models_and_few_users():
    same = np.arange(10.0)
    assert paired(same, same).p == 1
    # three users, all better by the same: of 8 sign patterns, 2 are as extreme
    assert paired(np.ones(3), np.zeros(3)).p == pytest.approx(2 / 8, abs=0.03)
    with pytest.raises(ValueError, match="same users"):
        paired(np.ones(3), np.ones(4))


def test_holm_by_hand():
    """.01 of four is .04; .02 of the three left .06; .03 of two .06, as the one before; .5 of one stays."""
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.4, 0.5]) == pytest.approx([0.8, 0.8])
    assert holm([0.9, 0.9, 0.9]) == [1, 1, 1]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.sampled_from([0.01, 0.05, 0.2]))
def test_holm_is_the_step_down_rule(p, level):
    """Reject from the smallest on while p <= level / (those that are left); keep all from the first that is not."""
    corrected, left, going = holm(p), len(p), True
    for place in np.argsort(p, kind="stable"):
        assert p[place] <= corrected[place] <= 1
        margin = abs(p[place] * left - level)
        going = going and p[place] * left <= level
        assert (corrected[place] <= level) == going or margin < 1e-9
        left -= 1
