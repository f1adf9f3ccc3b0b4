"""Item states: what the untuned backbone makes of an item's text and picture, the mean of its tokens' hidden states.

They are computed once; a new item costs one forward and no training. Shapes: n items, d hidden size.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mmsrarec.models.backbone.adapter import save_atomically
from mmsrarec.models.packing.packed_prompt import TokenSpan
from mmsrarec.recommend.prompt.prompts import Prompts


@torch.inference_mode()
def mean_states(prompts: Prompts, segments: Sequence[TokenSpan], batch_tokens: int) -> Tensor:
    """(len(segments), d) float32, on the CPU: the mean over a segment's tokens of their last hidden states.

    Segments of like length share a batch; padding stands behind them, and no token looks ahead.
    """
    mllm, found = prompts.mllm, torch.zeros(len(segments), prompts.mllm.hidden_size)
    order = sorted(range(len(segments)), key=lambda row: len(segments[row].ids))
    while order:
        stop = 1
        while stop < len(order) and (stop + 1) * len(segments[order[stop]].ids) <= batch_tokens:
            stop += 1
        rows, order = order[:stop], order[stop:]
        lengths = torch.tensor([len(segments[row].ids) for row in rows])
        ids = torch.full((len(rows), int(lengths.max())), mllm.tokenizer.pad_token_id or 0)
        for place, row in enumerate(rows):
            ids[place, : lengths[place]] = torch.tensor(segments[row].ids)
        seen = [prompts.features[code] for row in rows for code in segments[row].pictures]
        embedded = mllm.embed(ids.to(mllm.device), torch.stack(seen).to(mllm.device) if seen else None)
        hidden = mllm.decoder(inputs_embeds=embedded, use_cache=False).last_hidden_state.float().cpu()
        real = (torch.arange(ids.shape[1]) < lengths[:, None]).unsqueeze(-1)
        found[rows] = (hidden * real).sum(1) / lengths[:, None]
    return found


def item_states(prompts: Prompts, file: Path | None = None, batch_tokens: int = 8192) -> Tensor:
    """(n, d) of the whole catalogue; the model that the prompts are of wears no adapter.

    file: keeps states by what they are of: the model, the tokens and the picture. Only what is not there is computed.
    """
    mllm = prompts.mllm
    segments = [prompts.item(code) for code in range(len(prompts.dataset.items))]
    depth = len(mllm.decoder.layers)  # pyright: ignore
    names = [_digest(prompts, segment, f"{mllm.fingerprint}-{depth}") for segment in segments]
    kept = _load(file) if file else {}
    missing = {name: segment for name, segment in zip(names, segments, strict=True) if name not in kept}
    if missing:
        made = mean_states(prompts, list(missing.values()), batch_tokens)
        kept |= dict(zip(missing, made, strict=True))
        if file:
            save_atomically({"states": torch.stack(list(kept.values()))}, file, {"names": json.dumps(list(kept))})
    return torch.stack([kept[name] for name in names])


def _digest(prompts: Prompts, segment: TokenSpan, model: str) -> str:
    digest = hashlib.sha256(f"{model}|{segment.ids}".encode())
    for code in segment.pictures:
        digest.update(prompts.features[code].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _load(file: Path) -> dict[str, Tensor]:
    """Nothing where the file is absent or damaged."""
    try:
        with safe_open(file, framework="pt") as opened:
            names, states = json.loads((opened.metadata() or {}).get("names", "[]")), opened.get_tensor("states")
    except (OSError, SafetensorError):
        return {}
    return dict(zip(names, states, strict=True)) if len(names) == len(states) else {}
