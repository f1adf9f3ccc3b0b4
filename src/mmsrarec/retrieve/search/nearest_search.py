"""The search for the vectors nearest to a query: by numpy, the reference, by torch on a GPU, or by faiss (stage 2).

Vectors stand in time order, so that what a query may see is a prefix, and the temporal leakage rule costs nothing. A
search only proposes vectors. `neighbours` computes the cosines of the proposed ones again, so that all exact searches
give the same result to the last bit. `IvfSearch` and `code_search.CodeSearch` are approximate: they may leave out some
of the nearest.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray
from mmsrarec.errors import MissingDependencyError

Float32Array = NDArray[np.float32]
SearchName = Literal["exact", "faiss", "codes", "ivf"]
APPROXIMATE: tuple[SearchName, ...] = ("codes", "ivf")
"""Searches that may leave out some of the nearest; all others give the same result."""
MIN_APPROXIMATE = 20_000
"""Vectors that a query may see, below which even the approximate search looks at all of them."""
VECTORS_PER_LIST, VECTORS_TO_LEARN = 512, 64
"""Vectors of an inverted list, about, and how many for each list teach where the lists lie."""
PROBED_SHARE, MIN_PROBED = 0.15, 16
"""The share of the lists that a query looks into, and the least number of them."""


class Proposal(NamedTuple):
    """The nearest vectors to one query.

    Attributes:
        numbers: (p,) numbers of the proposed vectors.
        floor: No vector that is left out has a product above it; -inf where none is left out.
        products: (p,) products of the query and the proposed vectors, at most `rounding` from the true ones.
    """

    numbers: IntArray
    floor: float
    products: Float32Array


EMPTY = Proposal(np.arange(0), -np.inf, np.zeros(0, dtype=np.float32))
"""The proposal to a query that may see nothing."""


class Search(Protocol):
    """What proposes the nearest vectors.

    Attributes:
        holds_all: Whether it holds the products of a query with all vectors of its prefix at once.
    """

    holds_all: bool

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> Sequence[Proposal]:
        """Propose the nearest vectors to each query.

        Args:
            queries: (m, d) unit vectors.
            until: (m,) how many of the first vectors each query may see.
            width: (m,) about how many vectors to propose.

        Returns:
            A proposal for each query.
        """
        ...


def rounding(dims: int) -> float:
    """How far a product of two unit vectors in float32 may lie from the true one, in any order of summing."""
    return (dims + 2) * 2.0**-23


def make_search(name: SearchName, vectors: Float32Array, device: str = "cpu") -> Search:
    """Build a search over vectors.

    Args:
        name: The search that a recipe names.
        vectors: (p, d) unit vectors in time order.
        device: A torch device; the exact search runs there where it is not the CPU.

    Raises:
        MmsrarecError: If the package of the search is not installed.
    """
    if name == "codes":
        from mmsrarec.retrieve.search.code_search import CodeSearch

        return CodeSearch(vectors)
    if name == "ivf":
        return IvfSearch(vectors)
    if name == "faiss":
        return FaissSearch(vectors)
    return NumpySearch(vectors) if device == "cpu" else TorchSearch(vectors, device)


class NumpySearch:
    """Computes every product and proposes those above a bound that is cheap to find."""

    holds_all = True

    def __init__(self, vectors: Float32Array) -> None:
        self.vectors = vectors

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> list[Proposal]:
        """See `Search.propose`."""
        products = queries @ self.vectors[: int(until.max(initial=0))].T
        return [_above_bound(row[:end], int(w)) for row, end, w in zip(products, until, width, strict=True)]


def _above_bound(products: Float32Array, width: int) -> Proposal:
    """The largest `width` products and a few more.

    The products are dealt into groups. The `width`-th largest of the groups' maxima is the bound: at least `width`
    products reach it, and few others.
    """
    group_size = max(1, min(64, len(products) // (2 * width)))
    if len(products) < 2 * width:
        return Proposal(np.arange(len(products)), -np.inf, products)
    n_groups = len(products) // group_size
    maxima = products[: group_size * n_groups].reshape(group_size, n_groups).max(axis=0)
    floor = np.partition(maxima, n_groups - width)[n_groups - width]
    numbers = np.flatnonzero(products >= floor)
    return Proposal(numbers, float(floor), products[numbers])


class TorchSearch:
    """Proposes the largest products, computed on a torch device."""

    holds_all = True

    def __init__(self, vectors: Float32Array, device: str) -> None:
        import torch  # only where a recipe asks for one of torch's devices

        self.torch = torch
        self.vectors = torch.as_tensor(vectors).to(device)
        self.place = torch.arange(len(vectors), device=device)

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> list[Proposal]:
        """See `Search.propose`."""
        torch, n = self.torch, int(until.max(initial=0))
        ends = torch.as_tensor(until).to(self.place.device)
        products = torch.as_tensor(queries).to(self.place.device) @ self.vectors[:n].T
        products.masked_fill_(self.place[:n] >= ends[:, None], -torch.inf)
        largest = products.topk(min(int(width.max(initial=1)), n), dim=1)
        values, numbers = largest.values.cpu().numpy(), largest.indices.cpu().numpy()
        return [
            _within_prefix(row_values, row_numbers, int(end))
            for row_values, row_numbers, end in zip(values, numbers, until, strict=True)
        ]


class FaissSearch:
    """Proposes the largest products of faiss's flat index, which searches the prefix of each query."""

    holds_all = False

    def __init__(self, vectors: Float32Array) -> None:
        self.faiss = faiss_package()
        self.index = self._built(np.ascontiguousarray(vectors))

    def _built(self, vectors: Float32Array) -> Any:
        """The index of faiss, which holds the vectors."""
        index = self.faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index

    def _within(self, end: int) -> Any:
        """What confines a search to the first `end` vectors."""
        return self.faiss.SearchParameters(sel=self.faiss.IDSelectorRange(0, end))

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> list[Proposal]:
        """See `Search.propose`."""
        proposals = [EMPTY] * len(queries)
        for end in np.unique(until):
            rows = np.flatnonzero(until == end)
            if end:
                k = min(int(width[rows].max()), int(end))
                pairs = zip(*self.index.search(queries[rows], k, params=self._within(int(end))), strict=True)
                for row, (values, numbers) in zip(rows, pairs, strict=True):
                    proposals[row] = _within_prefix(values, numbers, int(end))
        return proposals


class IvfSearch(FaissSearch):
    """Proposes large products, not always the largest: it looks into the inverted lists nearest to a query.

    Only vectors of a query's prefix are proposed, so the temporal leakage rule holds as in an exact search. Where the
    lists lie is learned from a sample over the whole log; that tells which vectors are looked at, and no more. A query
    that may see few vectors looks at all of them, and `neighbours` asks the exact search where too few are proposed.

    Attributes:
        exact: The search of short prefixes.
    """

    def __init__(self, vectors: Float32Array) -> None:
        self.exact = NumpySearch(vectors)
        super().__init__(vectors)

    def _built(self, vectors: Float32Array) -> Any:
        """See `FaissSearch`."""
        n_lists = max(1, len(vectors) // VECTORS_PER_LIST)
        centres = self.faiss.IndexFlatIP(vectors.shape[1])
        index = self.faiss.IndexIVFFlat(centres, vectors.shape[1], n_lists, self.faiss.METRIC_INNER_PRODUCT)
        self.n_probed = max(MIN_PROBED, round(PROBED_SHARE * n_lists))
        if len(vectors) >= MIN_APPROXIMATE:  # else it is never asked
            index.train(vectors[:: max(1, len(vectors) // (VECTORS_TO_LEARN * n_lists))])
            index.add(vectors)
        return index

    def _within(self, end: int) -> Any:
        """See `FaissSearch`."""
        return self.faiss.SearchParametersIVF(sel=self.faiss.IDSelectorRange(0, end), nprobe=self.n_probed)

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> list[Proposal]:
        """See `Search.propose`; the floor is that of the lists that were looked into."""
        proposals = [EMPTY] * len(queries)
        short = until < MIN_APPROXIMATE
        for rows, propose in ((np.flatnonzero(short), self.exact.propose), (np.flatnonzero(~short), super().propose)):
            if len(rows):
                for row, proposal in zip(rows, propose(queries[rows], until[rows], width[rows]), strict=True):
                    proposals[row] = proposal
        return proposals


def _within_prefix(values: Float32Array, numbers: IntArray, end: int) -> Proposal:
    """The proposal without entries that only fill a row up: numbers outside the prefix of `end` vectors."""
    valid = (numbers >= 0) & (numbers < end) & (values > -np.inf)
    floor = -np.inf if valid.sum() == end else float(values[valid].min(initial=np.inf))
    return Proposal(numbers[valid], floor, values[valid])


def faiss_package() -> Any:
    """The faiss package, which has no types. Raises MissingDependencyError."""
    try:
        import faiss  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingDependencyError(
            'retrieve.index = "faiss", "codes" or "ivf" needs the package faiss: pip install faiss-cpu'
        ) from None
    return faiss
