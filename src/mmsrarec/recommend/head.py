"""A second, cheap head: who is asking against what each item is, so that one forward ranks the whole catalogue.

An item's state is what the untuned backbone makes of its text and picture, the mean of its tokens' last hidden states;
it is computed once, and a new item costs one forward and no training. A user's state is the tuned model's at the last
token of what all candidates share. Two linear maps make vectors of them, whose dot product is the score.

Shapes: b users, n items, d hidden size, k dimensions of the vectors.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.adapter import save_whole, without_adapter
from mmsrarec.models.packing import Segment
from mmsrarec.recommend.evidence import Retrieval
from mmsrarec.recommend.prompts import Prompts

FILE = "head.safetensors"


class Head(nn.Module):
    """The two maps, in float32. center, scale: (d,), of the catalogue's item states when it was trained."""

    center: Tensor
    scale: Tensor

    def __init__(self, center: Tensor, scale: Tensor, dims: int, seed: int = 0):
        super().__init__()
        self.register_buffer("center", center)
        self.register_buffer("scale", scale)
        self.items = nn.Linear(len(center), dims, bias=False)
        self.users = nn.Linear(len(center), dims, bias=False)
        generator = torch.Generator().manual_seed(seed)
        for layer in (self.items, self.users):
            with torch.no_grad():
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / len(center) ** 0.5)

    @classmethod
    def fresh(cls, states: Tensor, dims: int, seed: int) -> "Head":
        """An untrained head for a catalogue's (n, d) item states."""
        return cls(states.mean(0), states.std(0, correction=0).clamp(min=1e-6), dims, seed)

    def vectors(self, states: Tensor) -> Tensor:
        """(n, d) item states to (n, k) item vectors."""
        return self.items((states - self.center) / self.scale)

    def forward(self, hidden: Tensor, states: Tensor) -> Tensor:
        """(b, n) scores of items by their states, (n, d), for users by theirs, (b, d)."""
        users = self.users(F.layer_norm(hidden.float(), hidden.shape[-1:]))
        return users @ self.vectors(states).T / users.shape[-1] ** 0.5

    def loss(self, hidden: Tensor, target: Tensor, states: Tensor, known: Tensor) -> Tensor:
        """Cross-entropy of the targets, (b,) codes, among the `known` items, (j,) codes in order, of the catalogue.

        An item that nobody took in training is not known: it could only ever be wrong.
        """
        return F.cross_entropy(self(hidden, states[known]), torch.searchsorted(known, target))

    def save(self, folder: Path) -> None:
        save_file({name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> "Head":
        """Raises MmsrarecError where none was trained."""
        try:
            tensors = load_file(folder / FILE)
        except FileNotFoundError:
            raise MmsrarecError(f"no cheap head in {folder}: train with recommend.head_weight above 0") from None
        head = cls(tensors["center"], tensors["scale"], len(tensors["items.weight"]))
        head.load_state_dict(tensors)
        return head.requires_grad_(False)


@torch.no_grad()  # not inference_mode: the head trains on what comes out
def segment_states(prompts: Prompts, segments: Sequence[Segment], batch_tokens: int, pooled: bool) -> Tensor:
    """(len(segments), d) float32 last hidden states, on the CPU: the mean over a segment's tokens, or its last one's.

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
        if pooled:
            real = (torch.arange(ids.shape[1]) < lengths[:, None]).unsqueeze(-1)
            found[rows] = (hidden * real).sum(1) / lengths[:, None]
        else:
            found[rows] = hidden[torch.arange(len(rows)), lengths - 1]
    return found


def item_states(prompts: Prompts, file: Path | None = None, batch_tokens: int = 8192) -> Tensor:
    """(n, d) of the whole catalogue by the untuned backbone, whether or not it wears an adapter.

    file: keeps states by what they are of: the model, the tokens and the picture. Only what is not there is computed.
    """
    mllm = prompts.mllm
    segments = [prompts.item(code) for code in range(len(prompts.dataset.items))]
    depth = len(mllm.decoder.layers)  # pyright: ignore
    names = [_digest(prompts, segment, f"{mllm.fingerprint}-{depth}") for segment in segments]
    kept = _load(file) if file else {}
    missing = {name: segment for name, segment in zip(names, segments, strict=True) if name not in kept}
    if missing:
        with without_adapter(mllm):
            made = segment_states(prompts, list(missing.values()), batch_tokens, pooled=True)
        kept |= dict(zip(missing, made, strict=True))
        if file:
            save_whole({"states": torch.stack(list(kept.values()))}, file, {"names": json.dumps(list(kept))})
    return torch.stack([kept[name] for name in names])


def _digest(prompts: Prompts, segment: Segment, model: str) -> str:
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


@dataclass
class HeadScorer:
    """The head as one more thing that ranks; counts what it costs, item states aside."""

    name: str
    prompts: Prompts
    retrieval: Retrieval
    head: Head
    states: Tensor
    batch_tokens: int = 8192
    tokens: int = field(default=0, init=False)
    moments: int = field(default=0, init=False)
    calls: int = field(default=0, init=False)
    spared: float = field(default=0.0, init=False)

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        """(m, c) scores of (m, c) candidates; None: (m, n) of all items."""
        anything = np.zeros((len(moments), 1), dtype=np.int64)  # what all candidates share hangs on none of them
        evidence = self.retrieval.gather(moments, anything, self.prompts.settings)
        shared = [self.prompts.render(one).shared for one in evidence]
        self.tokens += sum(len(segment.ids) for segment in shared)
        self.moments += len(shared)
        self.calls += len(shared)
        hidden = segment_states(self.prompts, shared, self.batch_tokens, pooled=False)
        with torch.inference_mode():
            scores = self.head(hidden, self.states).numpy()
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)
