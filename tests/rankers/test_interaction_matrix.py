"""Histories as sparse matrices, and the packages that these need."""

import sys

import numpy as np
import pytest

from mmsrarec.data.dataset import make_interactions
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.interaction_matrix import (
    binary_matrix,
    count_matrix,
    of_candidates,
    one_blas_thread,
    over_all_items,
    training_counts,
    training_matrix,
)


def test_histories_are_counted() -> None:
    histories = [np.array([2, 0, 2]), np.array([], dtype=np.int64), np.array([7])]
    assert count_matrix(histories, 3).toarray().tolist() == [[1, 0, 2], [0, 0, 0], [0, 0, 0]]
    assert binary_matrix(histories, 3).toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert binary_matrix([], 3).shape == (0, 3)


def test_the_matrix_of_a_log_is_that_of_everybodys_history_and_leaves_the_log_as_it_is() -> None:
    rng = np.random.default_rng(0)
    log = make_interactions(rng.integers(9, size=60), rng.integers(5, size=60), np.arange(60), 10, 6)
    before, histories = log.digest, [log.items_of(user) for user in range(10)]
    pairs = [
        (training_counts(log), count_matrix(histories, 6)),
        (training_matrix(log), binary_matrix(histories, 6)),
    ]
    for one, other in pairs:
        assert one.shape == other.shape
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
            assert getattr(one, part).dtype == getattr(other, part).dtype
    del log.__dict__["digest"]
    assert log.digest == before
    assert log.offsets.tolist() == np.searchsorted(log.user, np.arange(11)).tolist()


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
