"""Rankers after MLLMRec (arXiv 2508.15304): profile and refined item graph of frozen vectors, clean and with its leak.

The published figures come from profiles that were written from the test interactions too (issue 6 of its repository).
The leaky edition does the same, to measure what that is worth. It is no recommender.
"""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from mmsrarec.data.dataset import FloatArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.two_tower.item_graph import refined_graph, standardised
from mmsrarec.rankers.two_tower.two_tower_ranker import ContentTowerSettings, TwoTowerRanker

if TYPE_CHECKING:
    from mmsrarec.models.two_tower.towers import Towers


class MllmrecStyleSettings(ContentTowerSettings):
    """Profile and refined item graph."""

    factors: int = Field(default=64, ge=1, le=1024, description="size of a user's and an item's vector")
    max_length: int = Field(default=50, ge=1, le=1000, description="items of a history that a profile is made of")
    l2: float = Field(default=0.0, ge=0, le=10, description="weight of the squared size of the vectors of a step")
    neighbours: int = Field(default=9, ge=0, le=1000, description="items alike in content that an item is joined with")
    least_cosine: float = Field(default=0.4, ge=-1, le=1, description="cosine from which on items are alike in content")
    consumed_together: int = Field(
        default=10, ge=0, le=1000, description="items with the most users in common that an item is joined with"
    )
    layers: int = Field(default=1, ge=0, le=4, description="how often content spreads over the item graph; 0: not")


class MllmrecStyle(TwoTowerRanker):
    """Maps an item's content, spread over the graph, and a user's profile, the mean content of the history.

    Neither has an id. MLLMRec's profile is a text that a language model writes of all training items; this stand-in
    needs none, and reads what came before the query alone.
    """

    name = "mllmrec-style"
    Settings = MllmrecStyleSettings
    proposes = True
    reads_content = True
    ranks_new_items = True
    search_space: ClassVar = {
        "epochs": (10, 20, 40),
        "learning_rate": (0.002, 0.005, 0.01),
        "least_cosine": (0.3, 0.4, 0.6),
        "consumed_together": (0, 5, 10, 20),
        "content_size": (64, 128, 256),
    }

    def _towers(self, interactions: Interactions) -> "Towers":
        import torch

        from mmsrarec.models.two_tower.towers import ProfileTowers

        assert self.content is not None
        settings, features = self.settings, self._features()
        graph = refined_graph(
            standardised(self.content),
            interactions,
            settings.neighbours,
            settings.least_cosine,
            settings.consumed_together,
        )
        spread = refined = features.numpy()
        for _ in range(settings.layers):
            spread = graph @ spread
            refined = refined + spread
        return ProfileTowers(torch.as_tensor(refined), features, 4 * settings.factors, settings.factors)

    def _training(self) -> dict[str, Any]:
        return {"user_dropout": 0.0, "whole_histories": bool(self.leak_of)}

    def _user_vectors(self, queries: Queries) -> FloatArray:
        arrays = self._arrays
        inner = self._means(arrays["profiles"], self._profiled(queries)) @ arrays["inner_weight"].T
        inner = inner + arrays["inner_bias"]
        return np.where(inner > 0, inner, 0.01 * inner) @ arrays["outer_weight"].T + arrays["outer_bias"]

    def _profiled(self, queries: Queries) -> tuple[Any, ...]:
        """The items that profiles are made of."""
        return queries.history


class MllmrecLeaky(MllmrecStyle):
    """As `MllmrecStyle`, but profiles are made of the target too, in training and at the query. It shows a leak."""

    name = "mllmrec-leaky"
    proposes = False
    leak_of = "mllmrec-style"

    def _profiled(self, queries: Queries) -> tuple[Any, ...]:
        targets = zip(queries.history, queries.target, strict=True)
        return tuple(np.append(history, target) if target >= 0 else history for history, target in targets)
