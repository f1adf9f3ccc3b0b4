"""An approximate search that looks at all vectors by codes of 4 bits a pair of numbers, and at the best ones exactly.

Codes are product codes (Jegou et al. 2011) in the layout of faiss's fast scan: 16 bytes for a vector of 64 numbers,
read through tables in registers. No vector is left out unseen, so that it does not matter whether vectors lie in
clusters, as it does for inverted lists; and codes stand in time order, so that what a query may see is a prefix.
"""

from collections.abc import Iterator
from threading import Lock
from typing import Any

import numpy as np

from mmsrarec.core.memory import use_large_pages
from mmsrarec.data.dataset import IntArray
from mmsrarec.retrieve.search.nearest_search import MIN_APPROXIMATE, Float32Array, NumpySearch, Proposal, faiss_package

BITS, NUMBERS_OF_CODE = 4, 2
"""Bits of a code, and numbers of a vector that it stands for."""
TO_LEARN = 65_536
"""Vectors over the whole log that teach what codes stand for."""
LEAST_COMPARED, COMPARED = 1_000, 10
"""Vectors with the best codes that are compared exactly: for each vector to propose, and the least number of them."""
MAX_COMPARED_SHARE = 0.25
"""The share of the vectors that a query may see, above which all of them are compared exactly, without codes."""
MAX_SPREAD, SPARE = 1.25, 1.15
"""Queries are asked together of which the last sees at most so many times what the first sees. They are asked for so
many times more as the share that the first may not see makes likely."""


class CodeSearch:
    """Proposes the vectors with the largest products among those whose codes are nearest to a query.

    Only vectors of a query's prefix are proposed, so the temporal leakage rule holds as in an exact search. What codes
    stand for is learned from a sample over the whole log; that tells which vectors are compared exactly, and no more. A
    query that may see few vectors looks at all of them, and `neighbours` asks the exact search where too few are
    proposed.

    Attributes:
        holds_all: See `nearest_search.Search`.
        vectors: (p, d) unit vectors in time order.
        exact: The search of short prefixes.
        index: The codes; None where there are few vectors.
    """

    holds_all = False

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
        codes = self.index.codes  # read from end to end by each query
        use_large_pages(int(codes.data()), int(codes.size()))

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
            n_compared = np.maximum(COMPARED * width[rows], LEAST_COMPARED)
            for row, numbers in zip(rows, self._seen_codes(queries[rows], until[rows], n_compared), strict=True):
                proposals[row] = self._compared(queries[row], numbers, int(width[row]))
        return [proposal for proposal in proposals if proposal is not None]

    def _seen_codes(self, queries: Float32Array, until: IntArray, n: IntArray) -> Iterator[IntArray]:
        """The numbers of the vectors with the best codes in the prefix of each query, `n` of them for each.

        Queries share one reading of the longest prefix, of which each takes what it may see. Whoever gets too few is
        asked alone. So the answer to a query depends neither on the others nor on what came after it, but for codes
        that are equally near where the n end.
        """
        last = int(until.max())
        together = int(n.max()) if until.min() == last else int(np.ceil(SPARE * (n * last / until).max()))
        best = self._best_codes(queries, last, together)
        for i, (numbers, end, wanted) in enumerate(zip(best, until.tolist(), n.tolist(), strict=True)):
            seen = numbers[(numbers >= 0) & (numbers < end)]
            if len(seen) < min(wanted, end) and end < last:
                (alone,) = self._best_codes(queries[i : i + 1], end, wanted)
                seen = alone[alone >= 0]
            yield seen[:wanted]

    def _best_codes(self, queries: Float32Array, end: int, n: int) -> IntArray:
        """(m, n) numbers of the first `end` vectors with the best codes; -1 where there are fewer.

        faiss's fast scan takes no filter. It reads as many codes as it is told to hold, so that it is told of a prefix.
        """
        index: Any = self.index
        whole, block = int(index.ntotal), int(index.bbs)
        with self._one_at_a_time:
            try:
                index.ntotal, index.ntotal2 = end, -(-end // block) * block
                numbers = np.asarray(index.search(self._even(queries), min(n, end))[1])
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
    """Groups of rows of which the last sees at most MAX_SPREAD times what the first sees."""
    rows = rows[np.argsort(until[rows], kind="stable")]
    begin = 0
    while begin < len(rows):
        end = int(np.searchsorted(until[rows], MAX_SPREAD * until[rows[begin]], side="right"))
        yield rows[begin:end]
        begin = end
