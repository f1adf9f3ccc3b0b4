"""Models that make a vector of a user and one of an item, whose product is the item's score.

A user is a vector of their own and the mean of what they consumed before (as in SVD++ and FISM). Users outside
training have no vector of their own, and are served by their history.
Shapes: n items, b users of a batch, t items of a history, d dimensions of a vector, k columns of the items' features.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mmsrarec.data.dataset import FloatArray

ABSENT = -1
"""Stands in a history's row where it has no item."""


def mean_of(table: Tensor, histories_bt: Tensor) -> Tensor:
    """Average the rows of a table that histories name.

    Args:
        table: (n, d) rows.
        histories_bt: (b, t) item codes, `ABSENT` where there is none.

    Returns:
        (b, d) means; zeros for an empty history.
    """
    present = histories_bt != ABSENT
    shares = present / present.sum(1, keepdim=True).clamp(min=1)
    return F.embedding_bag(histories_bt.clamp(min=0), table, mode="sum", per_sample_weights=shares.to(table.dtype))


class Towers(nn.Module, ABC):
    """A tower for users and one for items."""

    @abstractmethod
    def item_vectors(self) -> tuple[Tensor, Tensor]:
        """(n, d) vectors of all items, and (n,) what is added to the score of each."""

    @abstractmethod
    def user_vectors(self, users: Tensor, histories_bt: Tensor) -> Tensor:
        """Make vectors of users.

        Args:
            users: (b,) user codes; `ABSENT` for one outside training.
            histories_bt: (b, t) item codes.

        Returns:
            (b, d).
        """

    def content_vectors(self) -> Tensor | None:
        """(n, d) vectors of all items by their content alone, which are trained beside; None: there are none."""
        return None

    def thinned(self, histories_bt: Tensor, rng: np.random.Generator) -> Tensor:
        """The histories as a training step sees them."""
        _ = rng
        return histories_bt

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What scoring needs."""


class FactorTowers(Towers):
    """Learned vectors of users and items; where features are given, mapped features stand beside them, as in VBPR.

    An item that nobody consumed has its features only. Matrix factorisation is the case without features.
    """

    def __init__(self, n_users: int, known: NDArray[np.bool_], dims: int, features: Tensor | None, content_dims: int):
        super().__init__()
        n_items, self.dims = len(known), dims
        width = dims + (content_dims if features is not None else 0)
        self.ids, self.history_ids = nn.Embedding(n_items, dims), nn.Embedding(n_items, dims)
        self.own, self.bias = nn.Embedding(n_users, width), nn.Embedding(n_items, 1)
        self.register_buffer("known", torch.as_tensor(known, dtype=torch.float32).unsqueeze(-1))
        self.features = features
        if features is not None:
            self.map = nn.Linear(features.shape[1], content_dims, bias=False)
            self.history_map = nn.Linear(features.shape[1], content_dims, bias=False)
            self.content_bias = nn.Linear(features.shape[1], 1, bias=False)

    known: Tensor

    def item_vectors(self) -> tuple[Tensor, Tensor]:
        """See `Towers`."""
        ids, bias = self.ids.weight * self.known, self.bias.weight * self.known
        if self.features is None:
            return ids, bias.squeeze(-1)
        return torch.cat([ids, self.map(self.features)], 1), (bias + self.content_bias(self.features)).squeeze(-1)

    def history_vectors(self) -> Tensor:
        """(n, d) what an item of a history tells of its user."""
        ids = self.history_ids.weight * self.known
        return ids if self.features is None else torch.cat([ids, self.history_map(self.features)], 1)

    def user_vectors(self, users: Tensor, histories_bt: Tensor) -> Tensor:
        """See `Towers`."""
        own = F.embedding(users.clamp(min=0), self.own.weight) * (users != ABSENT).unsqueeze(-1)
        return own + mean_of(self.history_vectors(), histories_bt)

    @torch.no_grad()
    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """See `Towers`."""
        vectors, bias = self.item_vectors()
        parts = {"items": vectors, "bias": bias, "histories": self.history_vectors(), "users": self.own.weight}
        return {name: part.numpy() for name, part in parts.items()}


class GraphTowers(FactorTowers):
    """Learned vectors of items spread over a graph of similar items that stays as it is, as in FREEDOM.

    Args:
        graph: (n, n) sparse, the weights of an item's neighbours.
        layers: How often vectors are spread.
        keep: (n,) how likely a training step keeps an item of a history: the more often consumed, the less likely.
    """

    def __init__(
        self,
        n_users: int,
        known: NDArray[np.bool_],
        dims: int,
        features: Tensor,
        graph: Tensor,
        layers: int,
        keep: FloatArray,
    ):
        super().__init__(n_users, known, dims, None, 0)
        self.graph, self.layers, self.keep = graph, layers, keep
        self.content, self.content_map = features, nn.Linear(features.shape[1], dims, bias=False)

    def item_vectors(self) -> tuple[Tensor, Tensor]:
        """See `Towers`."""
        ids, bias = super().item_vectors()
        spread = ids
        for _ in range(self.layers):
            spread = self.graph @ spread
        return ids + spread, bias

    def history_vectors(self) -> Tensor:
        """See `FactorTowers`."""
        return self.item_vectors()[0]

    def content_vectors(self) -> Tensor:
        """See `Towers`."""
        return self.content_map(self.content)

    def thinned(self, histories_bt: Tensor, rng: np.random.Generator) -> Tensor:
        """Leave out items at random, popular ones more often (degree-sensitive edge pruning)."""
        dropped = rng.random(tuple(histories_bt.shape)) >= self.keep[histories_bt.clamp(min=0).numpy()]
        return histories_bt.masked_fill(torch.as_tensor(dropped), ABSENT)


class ProfileTowers(Towers):
    """Maps of frozen vectors: an item's, refined by a graph, and a user's profile, as in MLLMRec. No ids at all.

    Args:
        refined: (n, k) item features after the graph.
        features: (n, k) item features, whose mean over a history is the profile.
        hidden: Width of the inner layer of each map.
        dims: d.
    """

    def __init__(self, refined: Tensor, features: Tensor, hidden: int, dims: int):
        super().__init__()
        self.refined, self.features = refined, features
        self.item_map, self.user_map = (
            nn.Sequential(nn.Linear(refined.shape[1], hidden), nn.LeakyReLU(), nn.Linear(hidden, dims))
            for _ in range(2)
        )

    def item_vectors(self) -> tuple[Tensor, Tensor]:
        """See `Towers`."""
        return self.item_map(self.refined), torch.zeros(len(self.refined))

    def user_vectors(self, users: Tensor, histories_bt: Tensor) -> Tensor:
        """See `Towers`. Who it is says nothing."""
        return self.user_map(mean_of(self.features, histories_bt))

    @torch.no_grad()
    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """See `Towers`."""
        names = ("inner_weight", "inner_bias", "outer_weight", "outer_bias")
        weights = dict(zip(names, self.user_map.parameters(), strict=True))
        return {
            name: part.numpy()
            for name, part in {"items": self.item_vectors()[0], "profiles": self.features, **weights}.items()
        }
