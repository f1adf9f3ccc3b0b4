"""Item states: the mean hidden state of an item's tokens, text and picture, in the untuned backbone.

They are computed once. A new item costs one forward pass and no training. Shapes: n items, hidden size d.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mmsrarec.models.backbone.adapter import save_atomically
from mmsrarec.models.packing.packed_prompt import TokenSpan
from mmsrarec.recommend.prompt.prompts import Prompts


@torch.inference_mode()
def mean_states(prompts: Prompts, spans: Sequence[TokenSpan], batch_tokens: int) -> Tensor:
    """Average the last hidden states of token spans. Spans of similar length share a batch.

    Padding stands behind the tokens, and no token attends to later ones.

    Args:
        prompts: Holds the model and the pictures.
        spans: The token spans.
        batch_tokens: Tokens of a batch, padding included.

    Returns:
        (spans, d) float32 on the CPU.
    """
    mllm = prompts.mllm
    states = torch.zeros(len(spans), mllm.hidden_size, dtype=torch.float32)
    order = sorted(range(len(spans)), key=lambda row: len(spans[row].ids))
    while order:
        stop = 1
        while stop < len(order) and (stop + 1) * len(spans[order[stop]].ids) <= batch_tokens:
            stop += 1
        rows, order = order[:stop], order[stop:]
        n_tokens = torch.tensor([len(spans[row].ids) for row in rows])
        ids = torch.full((len(rows), int(n_tokens.max())), mllm.tokenizer.pad_token_id or 0)
        for place, row in enumerate(rows):
            ids[place, : n_tokens[place]] = torch.tensor(spans[row].ids)
        features = [prompts.features[code] for row in rows for code in spans[row].pictures]
        embeddings = mllm.embed(ids.to(mllm.device), torch.stack(features).to(mllm.device) if features else None)
        hidden = mllm.decoder(inputs_embeds=embeddings, use_cache=False).last_hidden_state.float().cpu()
        is_token = (torch.arange(ids.shape[1]) < n_tokens[:, None]).unsqueeze(-1)
        states[rows] = (hidden * is_token).sum(1) / n_tokens[:, None]
    return states


def item_states(prompts: Prompts, file: Path | None = None, batch_tokens: int = 8192) -> Tensor:
    """The states of the whole catalogue.

    Args:
        prompts: Holds the catalogue and a model without an adapter.
        file: Stores states by a hash of the model, the tokens and the picture; only missing states are computed.
        batch_tokens: Tokens of a batch, padding included.

    Returns:
        (n, d) float32 on the CPU.
    """
    mllm = prompts.mllm
    spans = [prompts.item(code) for code in range(len(prompts.dataset.items))]
    n_layers = len(mllm.decoder.layers)
    digests = [_digest(prompts, span, f"{mllm.fingerprint}-{n_layers}") for span in spans]
    states_by_name = load_states(file) if file else {}
    missing_spans = {digest: span for digest, span in zip(digests, spans, strict=True) if digest not in states_by_name}
    if missing_spans:
        new_states = mean_states(prompts, list(missing_spans.values()), batch_tokens)
        states_by_name |= dict(zip(missing_spans, new_states, strict=True))
        if file:
            save_states(file, states_by_name)
    return torch.stack([states_by_name[digest] for digest in digests])


def save_states(file: Path, states: Mapping[str, Tensor]) -> None:
    """Write states by name, at least one; the file is whole or absent at any time.

    Args:
        file: The file.
        states: Name -> (d,) state.
    """
    save_atomically({"states": torch.stack(list(states.values()))}, file, {"names": json.dumps(list(states))})


def load_states(file: Path) -> dict[str, Tensor]:
    """Name -> (d,) state, as `save_states` wrote them; empty where the file is absent or damaged."""
    try:
        with cast("AbstractContextManager[_StoredTensors]", safe_open(file, framework="pt")) as stored:
            names, states = json.loads((stored.metadata() or {}).get("names", "[]")), stored.get_tensor("states")
    except (OSError, SafetensorError):
        return {}
    return dict(zip(names, states, strict=True)) if len(names) == len(states) else {}


class _StoredTensors(Protocol):
    """An open file of safetensors, whose library declares no types."""

    def metadata(self) -> dict[str, str] | None: ...

    def get_tensor(self, name: str) -> Tensor: ...


def _digest(prompts: Prompts, span: TokenSpan, model: str) -> str:
    """The sha256 of a model, a span's tokens and its pictures."""
    digest = hashlib.sha256(f"{model}|{span.ids}".encode())
    for code in span.pictures:
        digest.update(prompts.features[code].float().cpu().numpy().tobytes())
    return digest.hexdigest()
