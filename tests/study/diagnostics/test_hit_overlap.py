"""How far two rows hit the same users."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmsrarec.study.diagnostics.hit_overlap import hit_by_any, overlap

some_hits = arrays(float, (4, 9), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))


def test_rows_known_by_hand() -> None:
    hits = np.array([[1, 1, 0, 0, 0], [1, 0, 1, 1, 0], [0, 0, 0, 0, 0]], dtype=float)
    pairs = overlap(hits)
    assert pairs.jaccard.tolist() == [[1, 0.25, 0], [0.25, 1, 0], [0, 0, 0]]
    assert pairs.union.tolist() == [[0.4, 0.8, 0.4], [0.8, 0.6, 0.6], [0.4, 0.6, 0]]
    assert hit_by_any(list(hits)) == pytest.approx(0.8)


def test_where_ties_leave_a_hit_open_its_chance_counts() -> None:
    pairs = overlap(np.array([[0.5, 1.0], [0.25, 0.0]]))
    assert pairs.jaccard[0, 1] == pytest.approx(0.25 / 1.5)
    assert pairs.union[0, 1] == pytest.approx(0.75)


@given(some_hits)
def test_the_diagonal_of_the_union_is_the_hit_rate_and_both_are_symmetric(hits: np.ndarray) -> None:
    pairs = overlap(hits)
    assert np.allclose(np.diag(pairs.union), hits.mean(axis=1))
    for table in pairs:
        assert np.array_equal(table, table.T)
        assert ((table >= 0) & (table <= 1)).all()


@given(some_hits)
def test_more_rows_hit_no_fewer_users(hits: np.ndarray) -> None:
    assert hit_by_any(list(hits[:2])) == pytest.approx(overlap(hits).union[0, 1])
    assert hit_by_any(list(hits)) >= hit_by_any(list(hits[:3])) >= hits[:3].mean(axis=1).max() - 1e-12
