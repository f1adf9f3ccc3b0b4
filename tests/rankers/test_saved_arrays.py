"""Arrays come back from their files to the last bit; large ones are mapped."""

from pathlib import Path

import numpy as np
import pytest

from mmsrarec.rankers import saved_arrays
from mmsrarec.rankers.interaction_matrix import count_matrix
from mmsrarec.rankers.saved_arrays import csr_arrays, csr_from, load_arrays, log_arrays, log_from, save_arrays
from mmsrarec.testing import tiny_log


def test_arrays_of_every_kind_come_back(tmp_path: Path) -> None:
    arrays = {
        "scalar": np.array(7),
        "empty": np.zeros((0, 3), dtype=np.float32),
        "mask": np.array([True, False]),
        "fortran": np.asfortranarray(np.random.default_rng(0).random((3, 4))),
    }
    save_arrays(tmp_path, arrays)
    loaded = load_arrays(tmp_path)
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(loaded[name], array)


def test_a_large_array_is_mapped_and_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_arrays, "MAPPED_BYTES", 1000)
    save_arrays(tmp_path, {"large": np.arange(1000.0), "small": np.arange(5.0)})
    loaded = load_arrays(tmp_path)
    np.testing.assert_array_equal(loaded["large"], np.arange(1000.0))
    assert not loaded["large"].flags.writeable
    assert loaded["small"].flags.writeable


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(tmp_path, {"a": np.array([{}], dtype=object)})


def test_sparse_matrices_and_logs_come_back(tmp_path: Path) -> None:
    log = tiny_log()
    matrix = count_matrix([log.items_of(user) for user in range(log.n_users)], log.n_items)
    save_arrays(tmp_path, csr_arrays(matrix, "matrix") | log_arrays(log))
    loaded = load_arrays(tmp_path)
    found = csr_from(loaded, "matrix")
    assert (found != matrix).nnz == 0
    assert found.shape == matrix.shape
    assert log_from(loaded, log.n_users, log.n_items).digest == log.digest


def test_items_that_joined_later_have_no_column() -> None:
    matrix = count_matrix([np.array([0, 9, 1]), np.array([9])], 3)
    assert matrix.toarray().tolist() == [[1, 1, 0], [0, 0, 0]]
