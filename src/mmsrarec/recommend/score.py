"""Score candidates: p = p(yes) / (p(yes) + p(no)), read from the first answered token (stage 3 of the paper)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.packing import Pack, collate
from mmsrarec.recommend.evidence import Evidence, Retrieval
from mmsrarec.recommend.prompts import Prompts

PACKED_CANDIDATES = 64
"""Candidates in one pack at most, so that memory stays bounded."""


def yes_minus_no(prompts: Prompts, packs: Sequence[Pack]) -> Tensor:
    """log p(yes) - log p(no) of every candidate of every pack, in order: (candidates,) float32."""
    mllm = prompts.mllm
    batch = collate(packs, mllm.tokenizer.pad_token_id or 0, mllm.dtype)
    features = torch.stack([prompts.features[code] for code in batch.pictures]) if batch.pictures else None
    device = mllm.device
    embeddings = mllm.embed(batch.ids.to(device), features.to(device) if features is not None else None)
    hidden = mllm.hidden(embeddings, batch.positions.to(device), batch.mask.to(device), batch.layout)
    rows, columns = batch.answers
    # two rows of the output matrix are all that is asked of it
    yes, no = mllm.model.get_output_embeddings().weight[list(prompts.answers)].float()  # pyright: ignore
    return hidden[rows.to(device), columns.to(device)].float() @ (yes - no)


@torch.inference_mode()
def score_packs(
    prompts: Prompts,
    packs: Sequence[Pack],
    batch_tokens: int = 8192,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
) -> list[FloatArray]:
    """p(yes) / (p(yes) + p(no)) of each pack's candidates. Packs of like length share a batch of `batch_tokens`."""
    pieces = [(row, piece) for row, pack in enumerate(packs) for piece in pack.chunks(PACKED_CANDIDATES)]
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i][1]))
    scores: list[FloatArray | None] = [None] * len(pieces)
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * len(pieces[order[stop]][1]) <= batch_tokens:
            stop += 1
        chosen = order[start:stop]
        values = torch.sigmoid(yes_minus_no(prompts, [pieces[i][1] for i in chosen]).double()).cpu().numpy()
        sizes = [len(pieces[i][1].candidates) for i in chosen]
        for i, part in zip(chosen, np.split(values, np.cumsum(sizes)[:-1]), strict=True):
            scores[i] = part
        start = stop
        progress(start, len(order), "ranking")
    joined: list[list[FloatArray]] = [[] for _ in packs]
    for (row, _), part in zip(pieces, scores, strict=True):
        assert part is not None
        joined[row].append(part)
    return [np.concatenate(parts) for parts in joined]


@dataclass
class MllmScorer:
    """The tuned model as one more thing that ranks; counts what it costs."""

    name: str
    prompts: Prompts
    retrieval: Retrieval
    batch_tokens: int = 8192
    progress: Callable[[int, int, str], None] = lambda done, total, label: None
    tokens: int = field(default=0, init=False)
    calls: int = field(default=0, init=False)
    moments: int = field(default=0, init=False)

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        """(m, c) scores of (m, c) candidates. The whole catalogue is ranked by stages: see `propose`."""
        if candidates is None:
            raise MmsrarecError("the language model ranks proposed candidates, not the whole catalogue: use propose")
        evidence = self.retrieval.gather(moments, candidates, self.prompts.settings)
        return np.array(self.score_evidence(evidence)).reshape(candidates.shape)

    def score_evidence(self, evidence: Sequence[Evidence]) -> list[FloatArray]:
        """The same for evidence that is gathered already: the scores of each one's candidates."""
        packs = [self.prompts.render(one) for one in evidence]
        self.tokens += sum(map(len, packs))
        self.calls += len(packs)
        self.moments += len(packs)
        return score_packs(self.prompts, packs, self.batch_tokens, self.progress)
