"""Turns soft tokens into input embeddings of the language model: LayerNorm(MLP(x)) times a learned gain.

x holds what is known of the token's item: its vector of each sequence model; for a candidate the product of this
vector and the user's state, element by element (generalised matrix factorisation, He et al., arXiv 1708.05031, equation
9), and its sum as the log-probability that the sequence model gives the item; and marks of the kind of the token. The
user's own token holds the state in the place of a vector. The gain starts at the spread of the word embeddings: of
another size a soft token would be noise to the model.
Shapes: m soft tokens, k numbers of an item's vector over all sources, s sources, d hidden size.
"""

import copy
from math import log
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.adapter import save_atomically
from mmsrarec.models.loading_lock import LOADING
from mmsrarec.models.packing.soft_ids import SoftKind, kinds_and_codes
from mmsrarec.models.untyped import load_tensors, saved_random_state, set_seed, split_columns
from mmsrarec.recommend.soft.soft_sources import SoftSources

FILE = "soft_tokens.safetensors"
"""The file of a map, beside the adapter that was trained with it."""


class SoftTokenMap(nn.Module):
    """The map of a model.

    Attributes:
        vectors: (2, n, k) the vectors of all items, and those of their content alone.
        scales: (k,) by what the vectors are divided.
        product_scales: (k,) by what the products are multiplied, so that they vary about as much.
        n_trained: The number of items that the sources were trained with.
    """

    vectors: Tensor
    scales: Tensor
    product_scales: Tensor

    def __init__(self, sources: SoftSources, width: int, hidden: int, spread: float, seed: int) -> None:
        """Draw a new map.

        Args:
            sources: The vectors of the items.
            width: d, the hidden size of the language model.
            hidden: The width of the inner layer.
            spread: The standard deviation of the word embeddings.
            seed: Seed of the first weights.
        """
        super().__init__()
        self.sizes = sources.sizes
        k, s = sum(self.sizes), len(self.sizes)
        with LOADING, saved_random_state():
            set_seed(seed)
            self.inner = nn.Linear(2 * k + 2 * s + len(SoftKind), hidden)
            self.outer = nn.Linear(hidden, width)
            self.norm = nn.LayerNorm(width)
        nn.init.constant_(self.norm.weight, spread)
        self.register_buffer("vectors", torch.zeros(0), persistent=False)
        self.register_buffer("scales", torch.zeros(0), persistent=False)
        sizes = torch.cat([torch.full((size,), float(size), dtype=torch.float32) for size in self.sizes])
        self.register_buffer("product_scales", sizes.sqrt() / 4, persistent=False)
        self.read_from(sources)

    def read_from(self, sources: SoftSources) -> None:
        """Read the vectors of items from other sources of the same sizes from now on."""
        device, self.n_trained = self.inner.weight.device, sources.n_trained
        vectors = [torch.as_tensor(sources.vectors), torch.as_tensor(sources.cold_vectors)]
        self.vectors = torch.stack(vectors).float().to(device)
        repeats = zip(sources.scales, self.sizes, strict=True)
        self.scales = torch.cat([torch.full((size,), scale, dtype=torch.float32) for scale, size in repeats]).to(device)

    def for_sources(self, sources: SoftSources) -> "SoftTokenMap":
        """The same learned weights, which are shared, with the vectors of other sources of the same sizes."""
        other = copy.copy(self)
        other.__dict__["_buffers"] = dict(self.__dict__["_buffers"])
        other.read_from(sources)
        return other

    def forward(self, ids: Tensor, states: Tensor | None) -> Tensor:
        """Embed soft tokens.

        Args:
            ids: (m,) their numbers (`packing.soft_ids`).
            states: (m, k + s) the users' states; None where no token depends on one.

        Returns:
            (m, d) embeddings.

        Raises:
            MmsrarecError: A token depends on the user's state, and there is none.
        """
        return self.norm(self.outer(nn.functional.gelu(self.inner(self.inputs(ids, states)))))

    def inputs(self, ids: Tensor, states: Tensor | None) -> Tensor:
        """What is known of each token, (m, 2 k + 2 s + kinds)."""
        kind, code = kinds_and_codes(ids)
        is_user = kind == SoftKind.USER
        is_candidate = (kind == SoftKind.CANDIDATE) | (kind == SoftKind.COLD_CANDIDATE)
        vectors = self.vectors[(kind == SoftKind.COLD_CANDIDATE).long(), torch.where(is_user, 0, code)]
        known = self._sums((vectors != 0).float()) > 0
        n_items = self.n_trained
        if states is None:
            if bool((kind != SoftKind.HISTORY).any()):
                raise MmsrarecError("soft tokens read the user's state, and the pack has none: give it its `state`")
            states = vectors.new_zeros(len(ids), sum(self.sizes) + len(self.sizes))
        parts = split_columns(states.float(), [size + 1 for size in self.sizes])
        user = torch.cat([part[:, :-1] for part in parts], dim=1)
        products = torch.where(is_candidate[:, None], user * vectors, 0.0)
        totals = torch.stack([part[:, -1] for part in parts], dim=1)
        log_probabilities = self._sums(products) - totals + log(n_items)  # 0 for an item as likely as all others
        log_probabilities = torch.where(is_candidate[:, None] & known, log_probabilities, 0.0) / log(max(n_items, 2))
        item_inputs = torch.where(is_user[:, None], user, vectors) / self.scales
        kinds = nn.functional.one_hot(kind, len(SoftKind)).float()
        return torch.cat([item_inputs, products * self.product_scales, log_probabilities, known.float(), kinds], dim=1)

    def _sums(self, values: Tensor) -> Tensor:
        """(m, k) -> (m, s) the sums over the numbers of each source."""
        return torch.stack([part.sum(1) for part in split_columns(values, self.sizes)], dim=1)

    def save(self, folder: Path) -> None:
        """Write the learned weights, not the items' vectors."""
        save_atomically({name: weight.contiguous() for name, weight in self.state_dict().items()}, folder / FILE)

    @classmethod
    def load(cls, folder: Path, sources: SoftSources) -> "SoftTokenMap":
        """Read what `save` wrote."""
        weights = load_tensors(folder / FILE)
        hidden, width = weights["inner.weight"].shape[0], weights["outer.weight"].shape[0]
        token_map = cls(sources, width, hidden, 1.0, 0)
        token_map.load_state_dict(dict(weights))
        return token_map.eval().requires_grad_(False)


def spread_of(embeddings: nn.Module) -> float:
    """The standard deviation of the word embeddings of a model."""
    return float(cast(Tensor, embeddings.weight).float().std())
