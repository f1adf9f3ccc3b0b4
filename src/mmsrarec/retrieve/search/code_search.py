"""An approximate search that looks at all vectors by codes of 4 bits a pair of numbers, and at the best ones exactly.

Codes are product codes (Jegou et al. 2011) in the layout of faiss's fast scan: 16 bytes for a vector of 64 numbers,
read through tables in registers. No vector is left out unseen, so that it does not matter whether vectors lie in
clusters, as it does for inverted lists; and codes stand in time order, so that what a query may see is a prefix.
"""

from collections.abc import Iterator
from threading import Lock
from typing import Any

import numpy as np

from mmsrarec.data.dataset import IntArray
from mmsrarec.retrieve.search.nearest_search import MIN_APPROXIMATE, Float32Array, NumpySearch, Proposal, faiss_package

BITS, NUMBERS_OF_CODE = 4, 2
"""Bits of a code, and numbers of a vector that it stands for."""
TO_LEARN = 65_536
"""Vectors over the whole log that teach what codes stand for."""
LEAST_COMPARED, COMPARED = 1_500, 10
"""Vectors with the best codes that are compared exactly: for each vector to propose, and the least number of them."""
MAX_COMPARED_SHARE = 0.25
"""The share of the vectors that a query may see, above which all of them are compared exactly, without codes."""
MAX_SPAN = 65_536
"""Queries are asked together whose prefixes differ by so many vectors at most; in these they look exactly."""


class CodeSearch:
    """Proposes the vectors with the largest products among those whose codes are nearest to a query.

    Only vectors of a query's prefix are proposed, so the temporal leakage rule holds as in an exact search. What codes
    stand for is learned from a sample over the whole log; that tells which vectors are compared exactly, and no more. A
    query that may see few vectors looks at all of them, and `neighbours` asks the exact search where too few are
    proposed.

    Attributes:
        vectors: (p, d) unit vectors in time order.
        exact: The search of short prefixes.
        index: The codes; None where there are few vectors.
    """

    def __init__(self, vectors: Float32Array) -> None:
        self.vectors, self.exact, self.index = vectors, NumpySearch(vectors), None
        self._one_at_a_time = Lock()
        faiss = faiss_package()
        if len(vectors) < MIN_APPROXIMATE:
            return
        width = -(-vectors.shape[1] // NUMBERS_OF_CODE)
        self.index = faiss.IndexPQFastScan(width * NUMBERS_OF_CODE, width, BITS, faiss.METRIC_INNER_PRODUCT)
        self.index.train(self._even(vectors[:: max(1, len(vectors) // TO_LEARN)]))
        for begin in range(0, len(vectors), TO_LEARN):
            self.index.add(self._even(vectors[begin : begin + TO_LEARN]))

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> list[Proposal]:
        """See `nearest_search.Search.propose`; the floor is that of the vectors that were compared exactly."""
        proposals: list[Proposal | None] = [None] * len(queries)
        is_short = until < np.maximum(MIN_APPROXIMATE, COMPARED * width / MAX_COMPARED_SHARE)
        short = np.flatnonzero(is_short | (self.index is None))
        if len(short):
            for row, proposal in zip(
                short, self.exact.propose(queries[short], until[short], width[short]), strict=True
            ):
                proposals[row] = proposal
        for rows in _near(until, np.flatnonzero([proposal is None for proposal in proposals])):
            first = int(until[rows].min())
            numbers = self._best_codes(queries[rows], first, int((COMPARED * width[rows]).max()))
            for row, own in zip(rows, numbers, strict=True):
                later = np.arange(first, int(until[row]))
                proposals[row] = self._compared(queries[row], np.concatenate([own[own >= 0], later]), int(width[row]))
        return [proposal for proposal in proposals if proposal is not None]

    def _best_codes(self, queries: Float32Array, end: int, n: int) -> IntArray:
        """(m, n) numbers of the first `end` vectors with the best codes; -1 where there are fewer.

        faiss's fast scan takes no filter. It reads as many codes as it is told to hold, so that it is told of a prefix.
        """
        index: Any = self.index
        whole, block = int(index.ntotal), int(index.bbs)
        with self._one_at_a_time:
            try:
                index.ntotal, index.ntotal2 = end, -(-end // block) * block
                numbers = np.asarray(index.search(self._even(queries), min(max(n, LEAST_COMPARED), end))[1])
            finally:
                index.ntotal, index.ntotal2 = whole, -(-whole // block) * block
        return np.where(numbers < end, numbers, -1)

    def _compared(self, query: Float32Array, numbers: IntArray, width: int) -> Proposal:
        """The `width` of some vectors with the largest products."""
        products = self.vectors[numbers] @ query
        if len(numbers) > width:
            best = np.argpartition(-products, width)[:width]
            numbers, products = numbers[best], products[best]
        return Proposal(numbers, float(products.min(initial=np.inf)), products)

    def _even(self, vectors: Float32Array) -> Float32Array:
        """The vectors, with a 0 behind an odd number of numbers."""
        odd = vectors.shape[1] % NUMBERS_OF_CODE
        return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, odd))) if odd else vectors)


def _near(until: IntArray, rows: IntArray) -> Iterator[IntArray]:
    """Groups of rows whose prefixes differ by at most MAX_SPAN vectors."""
    rows = rows[np.argsort(until[rows], kind="stable")]
    begin = 0
    while begin < len(rows):
        end = int(np.searchsorted(until[rows], until[rows[begin]] + MAX_SPAN, side="right"))
        yield rows[begin:end]
        begin = end
