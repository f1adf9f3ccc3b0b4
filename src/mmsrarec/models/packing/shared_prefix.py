"""Computes packed prompts for language models whose attention cannot be replaced by packed attention.

The shared part is computed once, and its keys and values are repeated for the candidates, which are a batch of their
own. This is slower than packing, because packs are computed one by one, but any model that can generate text can do
it, and gradients flow through it.
Shapes: b packs, t tokens, s of them shared, c candidates of n tokens, d hidden size.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmsrarec.models.packing.attention import Layout
from mmsrarec.models.untyped import to_list

PACKABLE_LAYERS = {"full_attention", "sliding_attention"}
"""Types of layers, as transformers names them, that packed attention can compute."""


def packable(decoder: nn.Module) -> bool:
    """Whether packed attention computes the same as this language model's own attention.

    It does not where a layer is no attention (recurrent, convolutional, chunked), where scores are capped or have
    sinks, or where the attention cannot be replaced.
    """
    config = cast(Any, decoder).config
    layer_types: set[str] = set(getattr(config, "layer_types", None) or PACKABLE_LAYERS)
    special_scores = getattr(config, "attn_logit_softcapping", None) or any(
        name.endswith("sinks") for name, _ in decoder.named_parameters()
    )
    replaceable = getattr(decoder, "_supports_attention_backend", False)
    stateful = getattr(decoder, "_is_stateful", False)
    return bool(replaceable and layer_types <= PACKABLE_LAYERS and not special_scores and not stateful)


def prefix_hidden(decoder: nn.Module, embeddings: Tensor, positions: Tensor, mask: Tensor, layout: Layout) -> Tensor:
    """Compute the last hidden states of packed prompts, pack by pack.

    Args:
        decoder: The language model without its head.
        embeddings: (b, t, d) input embeddings.
        positions: (b, t) positions, or (3, b, t) for a model with three axes.
        mask: (b, 1, 1, s), 0 on shared tokens and very negative on their padding.
        layout: The lengths of the parts.

    Returns:
        (b, t, d) states.
    """
    from transformers import DynamicCache  # takes seconds, and only such a model needs it

    rows: list[Tensor] = []
    s, c, n = layout.shared, layout.candidates, layout.length
    sizes: list[int] = to_list((mask[:, 0, 0] == 0).sum(-1))
    for row, size in enumerate(sizes):
        own, cache = positions[..., row, :], DynamicCache(config=cast(Any, decoder).config)
        shared: Tensor = decoder(
            inputs_embeds=embeddings[row : row + 1, :size],
            position_ids=own[..., None, :size],
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[0]
        cache.batch_repeat_interleave(c)
        candidates: Tensor = decoder(  # padding follows a candidate, which never looks ahead
            inputs_embeds=embeddings[row, s:].unflatten(0, (c, n)),
            position_ids=own[..., s:].unflatten(-1, (c, n)),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        rows.append(torch.cat([F.pad(shared, (0, 0, 0, s - size)), candidates.flatten(0, 1)]))
    return torch.stack(rows)
