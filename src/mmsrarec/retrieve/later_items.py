"""Items that join after a sequence model was trained: those that it knows by their content alone.

Shapes: n items that training knew, m that joined, d dimensions of a backbone's states.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmsrarec.models.sequence.content_sasrec import KnownItems
from mmsrarec.models.sequence.encoders import SequenceModel
from mmsrarec.models.sequence.item_tokens import ItemTokens
from mmsrarec.retrieve.encoder import Encoder, new_model

TABLES = ("items.ids.weight", "items.content", "items.known")
"""Weights with a row for each item, then rows for special tokens."""


def reads_new_items(encoder: Encoder) -> bool:
    """Whether a sequence model can know items that it was not trained on."""
    return isinstance(encoder.model.items, KnownItems) and encoder.whitening is not None


def with_new_items(encoder: Encoder, states: Tensor, described: NDArray[np.bool_]) -> Encoder:
    """A sequence model for a catalogue to which items were added; all that it says of the others stays the same.

    Args:
        encoder: Knows n items.
        states: (m, d) item states of the untuned backbone (`recommend.ranking.item_states`), as it was trained with.
        described: (m,) mask of the items that have a state; the others have no content, so that nothing is known of
            them.

    Returns:
        The model for n + m items; the given one where it does not know items by their content, or is of a version that
        did not keep how their content is made.
    """
    if not len(states) or encoder.whitening is None or not reads_new_items(encoder):
        return encoder
    weights, n, m = encoder.model.state_dict(), encoder.n_items, len(states)
    for name in TABLES:
        table = weights[name]
        weights[name] = torch.cat([table[:n], table.new_zeros(m, table.shape[1]), table[n:]])
    content = encoder.whitening(states) * torch.as_tensor(described)[:, None]
    weights["items.content"][n : n + m, : content.shape[1]] = content.to(weights["items.content"])
    known = None if encoder.known is None else np.concatenate([encoder.known, np.zeros(m, dtype=bool)])
    return replace(encoder, model=_with_weights(encoder, weights, n + m), known=known, n_joined=encoder.n_joined + m)


def with_other_states(encoder: Encoder, states: Mapping[int, Tensor | None]) -> Encoder:
    """A sequence model in which items that joined are other than before; all that it says of the others stays the same.

    Args:
        encoder: Knows them.
        states: Item code -> its (d,) state, or None where nothing is known of it any more. What the model was trained
            on stays as it was then; so codes of items of its training, or that it does not know, are passed over.
    """
    rows = {code: state for code, state in states.items() if encoder.n_trained <= code < encoder.n_items}
    if not rows or encoder.whitening is None:
        return encoder
    weights = dict(encoder.model.state_dict())
    weights["items.content"] = table = weights["items.content"].clone()
    for code, state in rows.items():
        table[code] = 0
        if state is not None:
            content = encoder.whitening(state[None])[0]
            table[code, : len(content)] = content.to(table)
    return replace(encoder, model=_with_weights(encoder, weights, encoder.n_items))


def _with_weights(encoder: Encoder, weights: Mapping[str, Tensor], n_items: int) -> SequenceModel:
    """A model of its own, of the kind of an encoder's, with other weights."""
    before = encoder.model
    model = new_model(n_items, encoder.settings, before.body if isinstance(before, ItemTokens) else None)
    model.load_state_dict(weights)
    return model.to(before.scale.device).eval().requires_grad_(False)
