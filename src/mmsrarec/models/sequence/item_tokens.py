"""Items as tokens of a language model: its lowest layers are the body of a sequence model [extension].

An item's vector, of content and id as in `content_sasrec`, is projected into the space of word embeddings. The layers
read the history as a sentence, with their own positions, and every state predicts the next item among all items.

What pretrained layers write is many times as large as an embedding, and most of it is the same after every token. So
their output is centred and scaled by its mean and spread on random histories, and is added to the vector of the item
that a state stands at. A history follows the words with which every prompt opens, because the first tokens of a text
have states unlike all others.

Shapes: b windows, t tokens, e dimensions of an item's vector, h hidden size, p tokens of the opening, n items.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsrarec.data.dataset import IntArray
from mmsrarec.models.sequence.content_sasrec import ContentItems, KnownItems
from mmsrarec.models.sequence.encoders import Causal
from mmsrarec.models.sequence.language_body import LanguageBody

CALIBRATION = (64, 12)
"""Windows and tokens of the random histories by which the output of the layers is centred and scaled."""
CONTENT_SCALE = 0.05
"""The first values of a content's share in an item's vector; those of ids are drawn with .02."""
MAX_PLAIN = 128
"""Tokens of a window up to which a processor computes attention as plain products of matrices."""


class ItemTokens(Causal):
    """The lowest layers of a language model over items of content and id.

    Attributes:
        items: The item vectors.
        layers: The layers of the language model.
        id_dropout: The share of items, in [0, 1], whose ids a training step drops.
        opening: (p, h) embeddings of the words before a history.
        centre: (h,) the mean of the layers' output.
        spread: (h,) the standard deviation of the layers' output.
    """

    items: KnownItems  # pyright: ignore[reportIncompatibleVariableOverride]
    opening: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(
        self, n_items: int, dims: int, dropout: float, items: KnownItems, id_dropout: float, body: LanguageBody
    ) -> None:
        """Build it, untrained.

        Args:
            n_items: n.
            dims: e.
            dropout: The share of activations that training drops.
            items: The vectors of the items and the start token.
            id_dropout: The share of items whose ids a training step drops.
            body: The layers.
        """
        super().__init__(n_items, dims)
        hidden = body.hidden_size
        self.items = items
        self.id_dropout, self.body = id_dropout, replace(body, weights=None)
        self.dtype: torch.dtype = getattr(torch, body.dtype)
        self.item_norm = nn.LayerNorm(dims)
        self.enter = nn.Linear(dims, hidden)
        self.layers = body.module()
        self.stay = nn.Linear(dims, dims, bias=False)
        self.leave = nn.Linear(hidden, dims)
        self.state_norm = nn.LayerNorm(dims)
        self.drop = nn.Dropout(dropout)
        self.register_buffer("opening", body.opening.clone())
        self.register_buffer("centre", torch.zeros(hidden))
        self.register_buffer("spread", torch.ones(hidden))
        for layer in cast(Any, self.layers).layers:
            layer.register_forward_hook(_DropUpdate(dropout))

    def reset(self, generator: torch.Generator) -> "ItemTokens":
        """Draw all weights anew; those of the layers as their language model draws them before it is trained."""
        super().reset(generator)
        spread = float(self.body.config.get("initializer_range", 0.02))
        for module in self.layers.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=spread, generator=generator)
        with torch.no_grad():
            # a normalised vector has values of size one: it enters as wide as a word; no score is far from another
            nn.init.orthogonal_(self.enter.weight, generator=generator)
            self.enter.weight.mul_(self.body.word_scale * (self.enter.out_features / self.enter.in_features) ** 0.5)
            if isinstance(self.items, ContentItems):
                self.items.map.weight.mul_(CONTENT_SCALE)
            self.leave.weight.mul_(0.5)
        return self

    def set_content(self, content: Tensor, known: Tensor) -> None:
        """Set what the items are, as `ContentSASRec.set_content` does."""
        self.items.set_content(content, known)

    @torch.no_grad()
    def start_from(self, weights: Mapping[str, Tensor] | None) -> None:
        """Take the weights of the pretrained layers, and centre and scale what the layers give.

        Args:
            weights: Name to weight; None keeps the layers as they are.
        """
        if weights is not None:
            self.layers.load_state_dict(dict(weights))
        windows, tokens = CALIBRATION
        draw = torch.Generator().manual_seed(0)
        tokens_bt = torch.randint(self.n_items, (windows, tokens), generator=draw).to(self.scale.device)
        mode = self.training
        output = self.eval()._read(self.item_norm(self.items(tokens_bt))).flatten(0, 1)
        self.train(mode)
        self.centre.copy_(output.mean(0))
        self.spread.copy_(output.std(0).clamp(min=1e-3))

    def training_batch(self, items_bt: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """As in `Causal`; the ids to drop in this step are drawn first."""
        self.items.leave_out(rng.random(self.n_items) < self.id_dropout)
        return super().training_batch(items_bt, rng)

    def forward(self, tokens_bt: Tensor) -> Tensor:
        """(b, t) tokens -> (b, t, e) states."""
        x_bte = self.drop(self.item_norm(self.items(tokens_bt)))
        output_bth = (self._read(x_bte) - self.centre) / self.spread
        return self.state_norm(self.stay(x_bte) + self.drop(self.leave(output_bth)))

    def _read(self, x_bte: Tensor) -> Tensor:
        """(b, t, e) item vectors -> (b, t, h) what the layers make of them."""
        layers = cast(Any, self.layers)
        # of short histories, products of matrices are several times as fast on a processor as fused attention
        short = x_bte.device.type == "cpu" and x_bte.shape[1] <= MAX_PLAIN
        layers.config._attn_implementation = "eager" if short else "sdpa"
        cache = self._opening_cache(len(x_bte))
        with self._computing():
            inputs = self.enter(x_bte).float()
            return layers(inputs_embeds=inputs, past_key_values=cache, use_cache=True).last_hidden_state.float()

    def _opening_cache(self, windows: int) -> Any:
        """The keys and values of the opening, once for each window. No gradient flows through them.

        The number format is set apart from what follows, so that no weight that is converted here, without gradients,
        is used there.
        """
        mode = self.layers.training
        with torch.no_grad(), self._computing():
            cache = self.layers.eval()(inputs_embeds=self.opening[None], use_cache=True).past_key_values
        self.layers.train(mode)
        cache.batch_repeat_interleave(windows)
        return cache

    def _computing(self) -> AbstractContextManager[Any]:
        """The number format of the layers, while the block runs."""
        device = self.scale.device.type
        if self.dtype == torch.float32 or not torch.amp.is_autocast_available(device):
            return nullcontext()
        return torch.autocast(device, self.dtype)


class _DropUpdate:
    """Drops a share of what a layer adds to its input, in training."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if not (layer.training and self.share):
            return output
        return inputs[0] + F.dropout(output - inputs[0], self.share)
