"""Arrays by name as files of a folder: NAME.npy, never pickled, the large ones mapped into memory when read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Interactions

MAPPED_BYTES = 16_000_000
"""Size of a file from which on it is mapped, so that opening takes no time and processes share its memory."""


def save_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write each array to NAME.npy. Raises ValueError for an array of Python objects."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.asarray(array, order="C"), allow_pickle=False)


def load_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a folder by name; mapped ones are read-only. Raises ValueError for a file that holds none."""
    arrays: dict[str, NDArray[Any]] = {}
    for file in sorted(folder.glob("*.npy")):
        is_large = file.stat().st_size >= MAPPED_BYTES
        loaded = np.load(file, mmap_mode="r" if is_large else None, allow_pickle=False)
        arrays[file.stem] = np.asarray(loaded)
    return arrays


def csr_arrays(matrix: Any, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of a sparse matrix in rows (scipy CSR), whose names begin with `name`."""
    parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": np.array(matrix.shape)}
    return {f"{name}_{part}": array for part, array in parts.items()}


def csr_from(arrays: Mapping[str, NDArray[Any]], name: str) -> Any:
    """The matrix of the arrays of `csr_arrays`. Raises MmsrarecError where scipy is missing."""
    from mmsrarec.rankers.interaction_matrix import sparse_rows

    data, indices, indptr = (arrays[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    return sparse_rows((data, indices, indptr), tuple(arrays[f"{name}_shape"].tolist()))


def log_arrays(interactions: Interactions) -> dict[str, NDArray[Any]]:
    """The arrays of interactions: user, item and time, (n,) each."""
    return {"user": interactions.user, "item": interactions.item, "time": interactions.time}


def log_from(arrays: Mapping[str, NDArray[Any]], n_users: int, n_items: int) -> Interactions:
    """The interactions of the arrays of `log_arrays`."""
    return Interactions(arrays["user"], arrays["item"], arrays["time"], n_users, n_items)
