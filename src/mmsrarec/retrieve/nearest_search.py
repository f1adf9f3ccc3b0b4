"""Which vectors are nearest to a query: by numpy, the reference, by torch on a GPU, or by faiss (stage 2).

Vectors stand in time order, so that what a query may see is a prefix: the clock costs nothing. Whoever searches only
proposes; `neighbours` computes the proposed cosines again, so that all searches find the same to the last bit.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray
from mmsrarec.errors import MmsrarecError

Float32Array = NDArray[np.float32]
SearchName = Literal["exact", "faiss"]


class Proposal(NamedTuple):
    """The nearest vectors to one query, by number. floor: no product that is left out is above it; -inf: all are in."""

    numbers: IntArray
    floor: float


class Search(Protocol):
    """What proposes the nearest vectors."""

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> Sequence[Proposal]:
        """For each of m queries (m, d) about `width` (m,) of the nearest among its first `until` (m,) vectors."""
        ...


def rounding(dims: int) -> float:
    """How far a product of two unit vectors in float32 may lie from the true one, whatever the order of summing."""
    return (dims + 2) * 2.0**-23


def make_search(name: SearchName, vectors: Float32Array, device: str = "cpu") -> Search:
    """name: as a recipe says it. device: a torch device; the exact search runs there where it is not the CPU."""
    if name == "faiss":
        return FaissSearch(vectors)
    return NumpySearch(vectors) if device == "cpu" else TorchSearch(vectors, device)


class NumpySearch:
    """Every product, then only what exceeds a bound that is cheap to find."""

    def __init__(self, vectors: Float32Array) -> None:
        self.vectors = vectors

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> list[Proposal]:
        products = queries @ self.vectors[: int(until.max(initial=0))].T
        return [_above_bound(row[:end], int(w)) for row, end, w in zip(products, until, width, strict=True)]


def _above_bound(products: Float32Array, width: int) -> Proposal:
    """The largest `width` and a few more. The vectors are dealt into piles, and the `width`-th largest of the piles'
    maxima is the bound: at least `width` products reach it, and few others."""
    deep = min(64, len(products) // (2 * width))
    if deep < 2:
        return Proposal(np.arange(len(products)), -np.inf)
    piles = len(products) // deep
    maxima = products[: deep * piles].reshape(deep, piles).max(axis=0)
    floor = np.partition(maxima, piles - width)[piles - width]
    return Proposal(np.flatnonzero(products >= floor), float(floor))


class TorchSearch:
    """The same on a torch device."""

    def __init__(self, vectors: Float32Array, device: str) -> None:
        import torch  # only where a recipe asks for a device of torch's

        self.torch = torch
        self.vectors = torch.from_numpy(vectors).to(device)
        self.place = torch.arange(len(vectors), device=device)

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> list[Proposal]:
        torch, n = self.torch, int(until.max(initial=0))
        ends = torch.from_numpy(until).to(self.place.device)
        products = torch.from_numpy(queries).to(self.place.device) @ self.vectors[:n].T
        products.masked_fill_(self.place[:n] >= ends[:, None], -torch.inf)
        best = products.topk(min(int(width.max(initial=1)), n), dim=1)
        values, numbers = best.values.cpu().numpy(), best.indices.cpu().numpy()
        return [_real(near, which, int(end)) for near, which, end in zip(values, numbers, until, strict=True)]


class FaissSearch:
    """The same by faiss: a flat index of inner products, told which prefix it may see."""

    def __init__(self, vectors: Float32Array) -> None:
        self.faiss = _faiss()
        self.index = self.faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(np.ascontiguousarray(vectors))

    def propose(self, queries: Float32Array, until: IntArray, width: IntArray) -> list[Proposal]:
        found: list[Proposal] = [Proposal(np.arange(0), -np.inf)] * len(queries)
        for end in np.unique(until):
            rows = np.flatnonzero(until == end)
            if end:
                earlier = self.faiss.SearchParameters(sel=self.faiss.IDSelectorRange(0, int(end)))
                k = min(int(width[rows].max()), int(end))
                pairs = zip(*self.index.search(queries[rows], k, params=earlier), strict=True)
                for row, (values, numbers) in zip(rows, pairs, strict=True):
                    found[row] = _real(values, numbers, int(end))
        return found


def _real(values: Float32Array, numbers: IntArray, end: int) -> Proposal:
    """Without what only fills up: numbers outside the prefix of `end` vectors."""
    real = (numbers >= 0) & (numbers < end) & (values > -np.inf)
    return Proposal(numbers[real], -np.inf if real.sum() == end else float(values[real].min()))


def _faiss() -> Any:
    try:
        import faiss  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MmsrarecError('retrieve.index = "faiss" needs the package faiss: pip install faiss-cpu') from None
    return faiss
