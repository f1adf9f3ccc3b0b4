"""Histories as sparse matrices, and the packages that these need."""

import sys

import numpy as np
import pytest

from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.interaction_matrix import (
    binary_matrix,
    count_matrix,
    of_candidates,
    one_blas_thread,
    over_all_items,
    sequences,
)
from mmsrarec.testing import tiny_log


def test_histories_are_counted() -> None:
    histories = [np.array([2, 0, 2]), np.array([], dtype=np.int64), np.array([7])]
    assert count_matrix(histories, 3).toarray().tolist() == [[1, 0, 2], [0, 0, 0], [0, 0, 0]]
    assert binary_matrix(histories, 3).toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert binary_matrix([], 3).shape == (0, 3)


def test_sequences_are_everybodys_items() -> None:
    log = tiny_log(n_users=3, n_items=5, length=2)
    assert [items.tolist() for items in sequences(log)] == [log.items_of(user).tolist() for user in range(3)]


def test_scores_of_known_items_are_spread_over_the_catalogue_and_picked_from_it() -> None:
    wide = over_all_items(np.array([[0.5, 0.25]]), np.array([True, False, True]))
    assert wide.tolist() == [[0.5, 0, 0.25]]
    assert of_candidates(wide, np.array([[2, 0]])).tolist() == [[0.25, 0.5]]
    assert of_candidates(wide, None) is wide


@pytest.mark.parametrize("missing", ["scipy.sparse", "threadpoolctl"])
def test_a_package_that_is_missing_is_named_with_the_remedy(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MmsrarecError, match=r"pip install 'mmsrarec\[baselines\]'"), one_blas_thread():
        count_matrix([np.array([0])], 1)
