"""A ranker by paths in an item graph, after MGRASRec (arXiv 2610.11228), without its language model.

An edge leads from an item to one that users consumed soon after it, or to one alike in text and picture. The evidence
for a candidate is the paths that lead to it from the last items of the history. Nothing is trained.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.interaction_matrix import of_candidates, sparse_rows
from mmsrarec.rankers.ranker_base import ContentRanker, RankerSettings
from mmsrarec.rankers.saved_arrays import csr_arrays, csr_from
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.rankers.two_tower.item_graph import similar_items, standardised


class MgrasrecStyleSettings(RankerSettings):
    """The item graph, and which paths in it count."""

    window: int = Field(default=4, ge=1, le=1000, description="interactions between the ends of an edge, at most")
    last_items: int = Field(default=4, ge=1, le=1000, description="items of a history where paths start, the newest")
    steps: int = Field(default=2, ge=1, le=3, description="edges of a path, at most")
    step_weight: float = Field(default=0.3, gt=0, le=1, description="weight of a path for each edge after its first")
    edges: int = Field(default=50, ge=1, le=1000, description="edges of an item to what was consumed soon after it")
    neighbours: int = Field(default=10, ge=0, le=1000, description="edges of an item to those alike in content")
    content_share: float = Field(
        default=0.2, ge=0, le=1, description="share of the weight of an item's edges that those to items alike have"
    )


class ItemPath(NamedTuple):
    """A path in the item graph.

    Attributes:
        items: Codes of its items: one of the history, those between, the candidate.
        weight: What it adds to the candidate's score.
    """

    items: tuple[int, ...]
    weight: float


class MgrasrecStyle(ContentRanker):
    """Scores an item by the weights of all paths to it from the last items of the history.

    The weights of an item's edges add up to 1. A path weighs the product of its edges, times `step_weight` for each
    edge after the first, over how many places back in the history it starts.
    """

    name = "mgrasrec-style"
    Settings = MgrasrecStyleSettings
    proposes = True
    ranks_new_items = True
    search_space: ClassVar = {
        "window": (1, 2, 4, 8),
        "last_items": (1, 2, 4, 8),
        "steps": (1, 2, 3),
        "step_weight": (0.1, 0.3, 1.0),
        "content_share": (0.0, 0.2, 0.5),
    }

    def _fit(self, interactions: Interactions, seed: int) -> None:
        settings, content = self.settings, self.checked_content()
        rules = SequentialRules(window=settings.window).fit(interactions)
        shape = (self.n_items, self.n_items)
        after = sparse_rows((rules.weights, rules.second, rules.offsets), shape)
        after.data[np.repeat(np.arange(self.n_items), np.diff(after.indptr)) == after.indices] = 0  # again is no path
        after = shares(strongest(after, settings.edges))
        alike = shares(similar_items(standardised(content), settings.neighbours).astype(np.float64))
        both = settings.content_share * alike + (1 - settings.content_share) * after
        self.graph = shares(both.tocsr())

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        reached = self._starts(queries.history)
        scores = np.zeros(reached.shape)
        for step in range(self.settings.steps):
            reached = reached @ self.graph
            scores += self.settings.step_weight**step * reached.toarray()
        return of_candidates(scores, candidates)

    def paths(self, history: IntArray, item: int, most: int = 5) -> list[ItemPath]:
        """The evidence for an item: the heaviest paths to it. The weights of all of them add up to its score.

        Args:
            history: Item codes, oldest first.
            item: Code of the item.
            most: Number of paths, at most.
        """
        starts = self._starts([history])
        ends: FloatArray = self.graph[:, [item]].toarray()[:, 0]
        ways = [ItemPath((int(code),), float(weight)) for code, weight in _entries(starts)]
        paths: list[ItemPath] = []
        for step in range(self.settings.steps):
            weight = self.settings.step_weight**step
            paths += [
                ItemPath((*way.items, item), weight * way.weight * float(ends[way.items[-1]]))
                for way in ways
                if ends[way.items[-1]] > 0
            ]
            if step + 1 < self.settings.steps:
                ways = [
                    ItemPath((*way.items, int(code)), way.weight * float(share))
                    for way in ways
                    for code, share in _entries(self.graph[way.items[-1]])
                ]
        return sorted(paths, key=lambda path: (-path.weight, path.items))[:most]

    def _starts(self, histories: Sequence[IntArray]) -> Any:
        """(m, n_items) CSR: of the last items of each history, one over how many places back they stand."""
        codes: list[int] = []
        weights: list[float] = []
        ends = [0]
        for history in histories:
            places: dict[int, float] = {}
            for back, code in enumerate(history[::-1][: self.settings.last_items].tolist(), start=1):
                if code < self.n_items:  # joined later: it has its place, and no edges
                    places[code] = places.get(code, 0.0) + 1 / back
            codes += places.keys()
            weights += places.values()
            ends.append(len(codes))
        parts = np.array(weights, dtype=np.float64), np.array(codes, dtype=np.int64), np.array(ends, dtype=np.int64)
        return sparse_rows(parts, (len(histories), self.n_items))

    def _state(self) -> dict[str, NDArray[Any]]:
        return csr_arrays(self.graph, "graph")

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.graph = csr_from(arrays, "graph")


def strongest(graph: Any, k: int) -> Any:
    """The k heaviest edges of each item, of equals those to items first in the catalogue; (n, n) CSR."""
    graph.eliminate_zeros()
    graph.sort_indices()
    for begin, end in zip(graph.indptr[:-1].tolist(), graph.indptr[1:].tolist(), strict=True):
        order = np.argsort(-graph.data[begin:end], kind="stable")
        graph.data[begin:end][order[k:]] = 0
    graph.eliminate_zeros()
    return graph


def shares(graph: Any) -> Any:
    """Edges as shares of all of their item; an item without any stays so; (n, n) CSR with sorted columns."""
    totals = np.asarray(graph.sum(axis=1), dtype=np.float64).ravel()
    scale = np.divide(1.0, totals, out=np.zeros(len(totals)), where=totals > 0)
    scaled = graph.multiply(scale[:, None]).tocsr()
    scaled.sort_indices()
    return scaled


def _entries(row: Any) -> list[tuple[int, float]]:
    """Columns and values of a (1, n) CSR."""
    return cast("list[tuple[int, float]]", list(zip(row.indices.tolist(), row.data.tolist(), strict=True)))
