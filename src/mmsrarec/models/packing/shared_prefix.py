"""The other way to compute packs, for language models that packed attention cannot stand in for.

The shared part is computed once and its keys and values are repeated for the candidates, a batch of their own. Slower
than packing, for packs go one by one, but any model that can generate can do it, and gradients flow through it.
Shapes: b packs, t tokens, s of them shared, c candidates of n tokens, d hidden size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache

from mmsrarec.models.packing.attention import Layout

KINDS = {"full_attention", "sliding_attention"}


def packable(decoder: nn.Module) -> bool:
    """Whether packed attention computes what this language model's own attention does.

    Not where a layer is no attention (recurrent, convolutional, chunked), where scores are capped or have sinks, or
    where the attention cannot be replaced.
    """
    config = decoder.config
    kinds = set(getattr(config, "layer_types", None) or KINDS)
    changed = getattr(config, "attn_logit_softcapping", None) or any(
        name.endswith("sinks") for name, _ in decoder.named_parameters()
    )
    replaceable = getattr(decoder, "_supports_attention_backend", False)
    return bool(replaceable and kinds <= KINDS and not changed and not getattr(decoder, "_is_stateful", False))


def prefix_hidden(decoder: nn.Module, embeddings: Tensor, positions: Tensor, mask: Tensor, layout: Layout) -> Tensor:
    """Last hidden states (b, t, d) of packs, as `Mllm.hidden`, which says what the arguments are."""
    rows = []
    s, c, n = layout.shared, layout.candidates, layout.length
    for row, size in enumerate((mask[:, 0, 0] == 0).sum(-1).tolist()):
        own, cache = positions[..., row, :], DynamicCache(config=decoder.config)  # pyright: ignore
        shared = decoder(
            inputs_embeds=embeddings[row : row + 1, :size],
            position_ids=own[..., None, :size],
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[0]
        cache.batch_repeat_interleave(c)
        candidates = decoder(  # padding stands behind a candidate, which never looks ahead
            inputs_embeds=embeddings[row, s:].unflatten(0, (c, n)),
            position_ids=own[..., s:].unflatten(-1, (c, n)),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        rows.append(torch.cat([F.pad(shared, (0, 0, 0, s - size)), candidates.flatten(0, 1)]))
    return torch.stack(rows)
