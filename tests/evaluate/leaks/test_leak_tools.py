"""The tools of the leak checks: changed logs, and the statistics, against plain definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaky import rounds
from world import make_log

from mmsrarec.data.splits import leave_one_out, queries_at, user_8_1_1
from mmsrarec.evaluate.leaks import perturbations
from mmsrarec.evaluate.leaks.finding import Finding, share_difference, uniform_p
from mmsrarec.evaluate.protocols import published_candidates


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_what_others_took_before_is_counted_as_defined(seed):
    log = make_log(np.random.default_rng(seed), n_users=12, n_items=9, length=5)
    queries = queries_at(log, np.arange(len(log)))
    items = np.random.default_rng(seed).integers(-1, 9, (len(log), 3))
    counts = perturbations.count_earlier_by_others(log, queries, items)
    for i, j in np.ndindex(items.shape):
        known = (log.item == items[i, j]) & (log.time < queries.time[i]) & (log.user != queries.user[i])
        assert counts[i, j] == (known.sum() if items[i, j] >= 0 else 0)


@pytest.mark.parametrize("split", [leave_one_out, lambda log: user_8_1_1(log, 0)])
def test_the_rows_of_moments_are_where_their_targets_are(split):
    log = make_log(np.random.default_rng(0))
    for queries in (split(log).valid, split(log).test):
        rows = perturbations.rows_of(log, queries)
        np.testing.assert_array_equal(log.item[rows], queries.target)
        np.testing.assert_array_equal(log.time[rows], queries.time)


def test_free_items_are_nowhere_and_nothing_else_moves():
    log = rounds()
    changed, free = perturbations.free_items(log, 2)
    assert len(set(free)) == 2
    assert not np.isin(changed.item, free).any()
    kept = ~np.isin(log.item, free)
    np.testing.assert_array_equal(changed.item[kept], log.item[kept])


def test_the_future_at_once():
    log = rounds()
    changed = perturbations.all_at_once(log, 200, 7)
    assert changed.time.max() == 200
    assert (changed.item[log.time >= 200] == 7).all()
    np.testing.assert_array_equal(changed.item[log.time < 200], log.item[log.time < 200])


def test_relabelled_targets_are_candidates_at_a_place_of_their_own():
    log = rounds()
    test = leave_one_out(log).test
    asked = published_candidates(test, log, 0)
    changed, moved = perturbations.relabelled(log, test, asked, np.random.default_rng([0, 1]))
    after = leave_one_out(changed).test
    np.testing.assert_array_equal(after.target, moved.items[np.arange(len(test)), moved.place])
    assert all((a == b).all() for a, b in zip(after.history, test.history, strict=True))
    assert (moved.place == asked.place).mean() < 0.2


def test_shuffled_ties_move_within_a_second_only():
    log = make_log(np.random.default_rng(0), length=12)
    changed = perturbations.shuffled_ties(log, np.random.default_rng(1))
    assert (changed.item != log.item).any()
    alone = np.append(True, np.diff(log.time) != 0) & np.append(np.diff(log.time) != 0, True)
    np.testing.assert_array_equal(changed.item[alone], log.item[alone])
    for interactions in (log, changed):
        order = np.lexsort((interactions.item, interactions.time, interactions.user))
        np.testing.assert_array_equal(interactions.item[order], log.item[np.lexsort((log.item, log.time, log.user))])


@pytest.mark.parametrize("counts", [[30, 25, 28, 33], [60, 20, 20, 16], [3, 0, 1, 0, 5]])
def test_unevenness_is_as_likely_as_chi_square_says(counts):
    p = pytest.importorskip("scipy.stats").chisquare(counts).pvalue
    assert uniform_p(np.array(counts), 0) == pytest.approx(p, abs=0.02 if sum(counts) > 20 else 0.05)


def test_shares_are_compared_among_equals():
    """Simpson's paradox: in each stratum a hits twice as often as b; overall b does, for it is asked the easy ones."""
    a, b = np.array([1, 0, 0, 0, 0, 0, 0, 0] * 10 + [1] * 10), np.array([1, 0] * 50 + [0] * 10)
    strata_a, strata_b = np.repeat([0, 1], [80, 10]), np.repeat([1, 0], [100, 10])
    assert a.mean() < b.mean()
    difference, error = share_difference(a, strata_a, b, strata_b)
    weights = np.array([80 * 10 / 90, 10 * 100 / 110])
    assert difference == pytest.approx((weights @ [1 / 8 - 0, 1 - 1 / 2]) / weights.sum())
    assert 0 < error < 0.1
    assert share_difference(a, np.zeros(90), b, np.ones(110)) == (0, 0)


def test_a_finding_says_what_to_do_only_where_something_is():
    for passed, advice in ((True, ""), (False, "mend it"), (None, "mend it")):
        record = Finding("c", passed, {"n": 1}, "m", "mend it", split="s").record()
        assert record == {
            **{"check": "c", "split": "s", "passed": passed, "measured": {"n": 1}},
            **{"means": "m", "advice": advice},
        }
