"""Sparse matrices of interactions, for the rankers that count in them; scipy may be missing."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.errors import MmsrarecError

MAX_PAIRS_HELD = 8_000_000
"""Pairs of items that are held at once, before all but a few of each item are dropped: 64 MB."""


def count_matrix(histories: Sequence[IntArray], n_items: int) -> Any:
    """Count the items of histories.

    Args:
        histories: m sequences of item codes.
        n_items: Size of the catalogue. Codes from it on are left out: those items joined later.

    Returns:
        (m, n_items) CSR, float32: how often each history holds each item. Columns of a row are in ascending order.
    """
    histories = [history if np.all(history < n_items) else history[history < n_items] for history in histories]
    lengths = [len(history) for history in histories]
    items = np.concatenate(histories) if histories else np.empty(0, dtype=np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    matrix = sparse_rows((np.ones(len(items), np.float32), items, ends), (len(histories), n_items))
    matrix.sum_duplicates()
    return matrix


def sparse_rows(parts: tuple[NDArray[Any], NDArray[Any], NDArray[Any]], shape: tuple[int, ...]) -> Any:
    """Build a CSR matrix.

    Args:
        parts: Values, column numbers, and ends of rows.
        shape: Rows and columns.

    Raises:
        MmsrarecError: scipy is missing.
    """
    try:
        from scipy.sparse import csr_matrix  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as missing:
        raise _hint() from missing
    return csr_matrix(parts, shape=shape)


def stack_rows(blocks: Sequence[Any]) -> Any:
    """CSR matrices of equal width as one, the rows of the first on top."""
    from scipy import sparse  # pyright: ignore[reportMissingTypeStubs]

    return cast("Any", sparse).vstack(blocks, format="csr") if len(blocks) > 1 else blocks[0]


def binary_matrix(histories: Sequence[IntArray], n_items: int) -> Any:
    """(m, n_items) CSR, float32: 1 where a history holds an item, however often."""
    matrix = count_matrix(histories, n_items)
    matrix.data[:] = 1
    return matrix


def training_counts(train: Interactions) -> Any:
    """`count_matrix` of every user's training items, (n_users, n_items), without a history of each in memory."""
    # copies, as scipy sorts them in place
    parts = np.ones(len(train), np.float32), train.item.astype(np.int32), train.offsets.copy()
    matrix = sparse_rows(parts, (train.n_users, train.n_items))
    matrix.sum_duplicates()
    return matrix


def training_matrix(train: Interactions) -> Any:
    """`binary_matrix` of every user's training items, (n_users, n_items)."""
    matrix = training_counts(train)
    matrix.data[:] = 1
    return matrix


def pair_blocks(users: Any) -> Iterator[tuple[int, int]]:
    """Cut a catalogue into blocks of items whose pairs with all others fit into memory together.

    Args:
        users: (n_users, n_items) CSR of what each user consumed.

    Yields:
        The first item of a block, and the item after its last.
    """
    lengths, n_items = np.diff(users.indptr), int(users.shape[1])
    # an item has at most as many pairs as its people have interactions
    n_pairs = np.bincount(users.indices, np.repeat(lengths, lengths), minlength=n_items).astype(np.int64)
    ends = block_ends(np.minimum(n_pairs, n_items), MAX_PAIRS_HELD)
    yield from zip([0, *ends], ends, strict=False)


def block_ends(costs: IntArray, most: int) -> list[int]:
    """Cut rows into blocks.

    Args:
        costs: (n,) the cost of each row, 0 or more.
        most: The largest cost of a block of several rows.

    Returns:
        The row after the last of each block, ascending; the last is n.
    """
    sums, ends = np.cumsum(costs, dtype=np.int64), [0]
    while ends[-1] < len(costs):
        before = int(sums[ends[-1] - 1]) if ends[-1] else 0
        ends.append(max(int(np.searchsorted(sums, before + most, side="right")), ends[-1] + 1))
    return ends[1:]


def of_candidates(scores: FloatArray, candidates: IntArray | None) -> FloatArray:
    """The scores of the candidates.

    Args:
        scores: (m, n_items) scores of all items.
        candidates: (m, c) item codes; None: all items.

    Returns:
        (m, c), or the scores as they are.
    """
    return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)


def over_all_items(scores: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    """Spread the scores of known items over all items.

    Args:
        scores: (m, k) scores of the k known items.
        mask: (n_items,) the known items.

    Returns:
        (m, n_items) scores, 0 for items that nobody consumed.
    """
    wide = np.zeros((len(scores), len(mask)), dtype=scores.dtype)
    wide[:, mask] = scores
    return wide


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Hold BLAS to one thread: small solves in several are up to ten times slower, and sums differ from run to run."""
    try:
        from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as missing:
        raise _hint() from missing
    with threadpool_limits(1, "blas"):
        yield


def _hint() -> MmsrarecError:
    return MmsrarecError("rows that count in matrices need more packages: pip install 'mmsrarec[baselines]'")
