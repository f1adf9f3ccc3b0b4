"""A ranker after FREEDOM (arXiv 2211.06924): a frozen graph of items alike in content, and a thinned graph of users."""

from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, Interactions
from mmsrarec.rankers.two_tower.item_graph import normalised, similar_items, standardised
from mmsrarec.rankers.two_tower.two_tower_ranker import ContentTowerSettings, TwoTowerRanker

if TYPE_CHECKING:
    from torch import Tensor

    from mmsrarec.models.two_tower.towers import Towers


class FreedomStyleSettings(ContentTowerSettings):
    """A frozen item graph and a thinned user graph."""

    neighbours: int = Field(default=10, ge=1, le=1000, description="items alike in content that an item is joined with")
    layers: int = Field(default=1, ge=1, le=4, description="how often vectors spread over the item graph")
    kept_edges: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="share of the items of histories that a training step keeps; popular ones are left out more often",
    )
    content_weight: float = Field(
        default=0.001, ge=0, le=10, description="weight of ranking by mapped content alone, beside the whole"
    )


class FreedomStyle(TwoTowerRanker):
    """Item vectors spread over neighbours in content; a user is the mean of the items consumed, thinned in training.

    Unlike FREEDOM there is one graph for text and picture together, and users send nothing back to items.
    """

    name = "freedom-style"
    Settings = FreedomStyleSettings
    proposes = True
    reads_content = True
    ranks_new_items = True
    search_space: ClassVar = {**TwoTowerRanker.search_space, "neighbours": (5, 10, 20), "kept_edges": (0.5, 0.8, 1.0)}

    def _towers(self, interactions: Interactions) -> "Towers":
        from mmsrarec.models.two_tower.towers import GraphTowers

        assert self.content is not None
        graph = normalised(similar_items(standardised(self.content), self.settings.neighbours))
        return GraphTowers(
            interactions.n_users,
            interactions.counts > 0,
            self.settings.factors,
            self._features(),
            sparse_tensor(graph),
            self.settings.layers,
            keep_chances(interactions, self.settings.kept_edges),
        )


def keep_chances(log: Interactions, share: float) -> FloatArray:
    """How likely an item of a history is kept, in inverse proportion to the root of its popularity.

    Args:
        log: Training interactions.
        share: Mean over all interactions, about: no chance is above 1.

    Returns:
        (n_items,) chances.
    """
    if share == 1:
        return np.ones(log.n_items)
    rarity = 1 / np.sqrt(np.maximum(log.counts, 1))
    mean = (rarity * log.counts).sum() / max(len(log), 1)
    return np.minimum(rarity * share / max(mean, 1e-12), 1.0)


def sparse_tensor(graph: Any) -> "Tensor":
    """A CSR matrix of scipy as a sparse tensor of torch."""
    import torch

    entries = graph.tocoo()
    places = torch.as_tensor(np.stack([entries.row, entries.col]).astype(np.int64))
    values = torch.as_tensor(entries.data.astype(np.float32))
    return cast(Any, torch).sparse_coo_tensor(places, values, graph.shape, check_invariants=True, is_coalesced=True)
