"""The rows that an index holds: each user's newest, in time order; vectors made in blocks are those made at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_neighbours import Bag, all_queries, random_interactions, violations

from mmsrarec.data.dataset import Interactions
from mmsrarec.retrieve import indexed_rows as module
from mmsrarec.retrieve.indexed_rows import encoded_rows, indexed_rows
from mmsrarec.retrieve.neighbours import INDEX_FILE, Neighbours


def newest_by_hand(log: Interactions, most: int) -> set[int]:
    return {row for user in range(log.n_users) for row in range(len(log))[log.rows(user)][-most:]}


@given(st.integers(0, 1000), st.integers(1, 12))
@settings(max_examples=20, deadline=None)
def test_the_newest_rows_of_each_user_in_time_order(seed, most):
    log = random_interactions(seed, n_users=12)  # some users have none
    rows = indexed_rows(log, most)
    assert set(rows.tolist()) == newest_by_hand(log, most)
    assert len(np.unique(rows)) == len(rows)
    assert sorted(zip(log.time[rows], rows, strict=True)) == list(zip(log.time[rows], rows, strict=True))
    np.testing.assert_array_equal(indexed_rows(log, None), log.by_time)


def test_vectors_made_in_blocks_are_those_made_at_once(monkeypatch):
    log = random_interactions(2, n=90)
    whole = encoded_rows(log, log.by_time, Bag(6))
    for block in (1, 7, 89, 90):
        monkeypatch.setattr(module, "ENCODED_AT_ONCE", block)
        for one, other in zip(encoded_rows(log, log.by_time, Bag(6)), whole, strict=True):
            np.testing.assert_array_equal(one, other)


@given(st.integers(0, 1000), st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_an_index_of_few_rows_finds_the_nearest_among_them_and_nothing_of_the_future(seed, most):
    log = random_interactions(seed, n=120)
    queries, bag = all_queries(log), Bag(6)
    found = Neighbours(log, bag, rows_per_user=most).find(queries, 3)
    assert violations(log, queries, found) == {"future": 0, "self": 0, "twice": 0}
    newest = newest_by_hand(log, most)
    assert set(found.row[found.row >= 0].tolist()) <= newest
    vectors = bag.encode(all_queries(log).history)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = Neighbours(log, bag)
    for i in range(0, len(queries), 17):  # by hand, the best row of each user
        same = index.same_person(queries, i)
        seen = [r for r in sorted(newest) if log.time[r] < queries.time[i] and int(log.user[r]) not in same]
        best: dict[int, float] = {}
        for row in seen:
            cosine = float(vectors[i] @ vectors[row])
            best[int(log.user[row])] = max(best.get(int(log.user[row]), -2.0), cosine)
        expected = sorted(best.values(), reverse=True)[:3]
        np.testing.assert_allclose(found.similarity[i][: len(expected)], expected, atol=1e-6)


def test_an_index_that_holds_all_rows_of_everybody_is_the_whole_index():
    log = random_interactions(4, n=150)
    queries = all_queries(log)
    whole, most = Neighbours(log, Bag(6)).find(queries, 4), Neighbours(log, Bag(6), rows_per_user=150).find(queries, 4)
    for name in ("user", "row", "similarity"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(most, name))


def test_a_saved_index_is_read_for_the_same_number_of_rows_only(tmp_path):
    log = random_interactions(5, n=150)
    made, queries = Neighbours(log, Bag(6), rows_per_user=4), all_queries(log)
    made.save(tmp_path)
    assert (tmp_path / INDEX_FILE).is_file()

    class Never(Bag):
        def encode(self, histories):
            assert len(histories) < 100, "the log is not encoded again"
            return super().encode(histories)

    asked = queries.pick(np.arange(9))
    read = Neighbours.load(tmp_path, log, Never(6), rows_per_user=4)
    np.testing.assert_array_equal(read.find(asked, 3).row, made.find(asked, 3).row)
    with pytest.raises(AssertionError, match="again"):
        Neighbours.load(tmp_path, log, Never(6))  # all rows are asked for, and four were saved
