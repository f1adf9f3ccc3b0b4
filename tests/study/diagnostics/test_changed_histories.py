"""Only the history of a query changes, and another user's one is never of a later time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.splits import Queries
from mmsrarec.study.diagnostics.changed_histories import HISTORIES, donor_rows, with_changed_histories

times = st.lists(st.integers(0, 20), min_size=2, max_size=30).map(np.array)


def queries_of(time: np.ndarray) -> Queries:
    m = len(time)
    histories = tuple(np.arange(row + 1) + 100 * row for row in range(m))
    return Queries(np.arange(m), time, np.full(m, 7), histories, named=np.full((m, 2), 7))


@given(times, st.integers(0, 9))
def test_users_times_targets_and_candidates_stay(time: np.ndarray, seed: int) -> None:
    queries = queries_of(time)
    changed = with_changed_histories(queries, seed)
    assert tuple(changed) == HISTORIES
    for each in changed.values():
        for name in ("user", "time", "target", "named"):
            assert getattr(each, name) is getattr(queries, name)
        assert len(each.history) == len(queries)
    assert [sorted(history) for history in changed["shuffled"].history] == [list(own) for own in queries.history]
    assert {len(history) for history in changed["empty"].history} == {0}


@given(times, st.integers(0, 9))
def test_nobody_gets_its_own_history_and_only_the_earliest_a_later_one(time: np.ndarray, seed: int) -> None:
    donors = donor_rows(time, np.random.default_rng(seed))
    assert (donors != np.arange(len(time))).all()
    later = np.flatnonzero(time[donors] > time)
    assert len(later) <= 1
    assert (time[later] == time.min()).all()


def test_a_long_history_is_out_of_order_and_the_draw_is_the_seeds() -> None:
    queries = Queries(np.arange(2), np.array([1, 2]), np.array([7, 7]), (np.arange(30), np.arange(30)))
    changed = with_changed_histories(queries, 1)["shuffled"].history
    assert all(history.tolist() != list(range(30)) for history in changed)
    again = with_changed_histories(queries, 1)["shuffled"].history
    assert [history.tolist() for history in changed] == [history.tolist() for history in again]


def test_a_single_query_has_no_other_user() -> None:
    assert set(with_changed_histories(queries_of(np.array([3])), 0)) == {"shuffled", "empty"}
