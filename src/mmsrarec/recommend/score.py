"""Score candidates: p = p(yes) / (p(yes) + p(no)), read from the first answered token (stage 3 of the paper)."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.memory import give_back
from mmsrarec.models.packing import Pack
from mmsrarec.models.reading import read_answers, read_packs
from mmsrarec.recommend.evidence import Evidence, Retrieval
from mmsrarec.recommend.prompts import Prompts

PACKED_CANDIDATES = 64
"""Candidates in one pack at most, so that memory stays bounded."""


def yes_minus_no(prompts: Prompts, packs: Sequence[Pack]) -> Tensor:
    """log p(yes) - log p(no) of every candidate of every pack, in order: (candidates,) float32."""
    return logits_and_users(prompts, packs)[0]


def logits_and_users(prompts: Prompts, packs: Sequence[Pack]) -> tuple[Tensor, Tensor]:
    """What `yes_minus_no` gives, and each pack's hidden state at the last token that all candidates share, (b, d)."""
    hidden, batch = read_packs(prompts.mllm, packs, prompts.features)
    rows, columns = (place.to(hidden.device) for place in batch.answers)
    ends = torch.tensor([len(pack.shared.ids) - 1 for pack in packs], device=hidden.device)
    users = hidden[torch.arange(len(packs), device=hidden.device), ends]
    return _answer(prompts, hidden[rows, columns]), users


def _answer(prompts: Prompts, hidden: Tensor) -> Tensor:
    """log p(yes) - log p(no) by (candidates, d) hidden states. Two rows of the output matrix are all that is asked."""
    yes, no = prompts.mllm.model.get_output_embeddings().weight[list(prompts.answers)].float()  # pyright: ignore
    return hidden.float() @ (yes - no)


@torch.inference_mode()
def score_packs(
    prompts: Prompts,
    packs: Sequence[Pack],
    batch_tokens: int = 8192,
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
) -> list[FloatArray]:
    """p(yes) / (p(yes) + p(no)) of each pack's candidates. Neighbours share a batch of `batch_tokens`, in which nothing
    that they start with alike is computed twice."""
    pieces = [piece for pack in packs for piece in pack.chunks(PACKED_CANDIDATES)]
    scores: list[FloatArray] = []
    start = 0
    while start < len(pieces):
        stop, tokens = start + 1, len(pieces[start])
        while stop < len(pieces) and (tokens := tokens + len(pieces[stop])) <= batch_tokens:
            stop += 1
        hidden = read_answers(prompts.mllm, pieces[start:stop], prompts.features)
        scores.append(torch.sigmoid(_answer(prompts, hidden).double()).cpu().numpy())
        start = stop
        give_back()
        progress(start, len(pieces), "ranking")
    ends = np.cumsum([len(pack.candidates) for pack in packs])
    return np.split(np.concatenate(scores), ends[:-1])


@dataclass
class MllmScorer:
    """The tuned model as one more thing that ranks; counts what it costs.

    keep: remember answers, for rows that are made of the same scores. An answer from memory counts as it did when it
    was found: tokens, calls, moments, and the `spared` seconds.
    """

    name: str
    prompts: Prompts
    retrieval: Retrieval
    batch_tokens: int = 8192
    progress: Callable[[int, int, str], None] = lambda done, total, label: None
    keep: bool = False
    tokens: int = field(default=0, init=False)
    calls: int = field(default=0, init=False)
    moments: int = field(default=0, init=False)
    spared: float = field(default=0.0, init=False)
    _kept: dict[str, tuple[FloatArray, int, float]] = field(default_factory=dict, init=False)

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        """(m, c) scores of (m, c) candidates. The whole catalogue is ranked by stages: see `propose`."""
        if candidates is None:
            raise MmsrarecError("the language model ranks proposed candidates, not the whole catalogue: use propose")
        started, before, asked = time.perf_counter(), self.tokens, _digest(moments, candidates)
        if self.keep and asked in self._kept:
            scores, tokens, seconds = self._kept[asked]
            self.tokens += tokens
            self.calls += len(moments)
            self.moments += len(moments)
            self.spared += seconds
            return scores.copy()
        evidence = self.retrieval.gather(moments, candidates, self.prompts.settings)
        scores = np.array(self.score_evidence(evidence)).reshape(candidates.shape)
        if self.keep:
            self._kept[asked] = scores.copy(), self.tokens - before, time.perf_counter() - started
        return scores

    def score_evidence(self, evidence: Sequence[Evidence]) -> list[FloatArray]:
        """The same for evidence that is gathered already: the scores of each one's candidates."""
        packs = [self.prompts.render(one) for one in evidence]
        self.tokens += sum(map(len, packs))
        self.calls += len(packs)
        self.moments += len(packs)
        return score_packs(self.prompts, packs, self.batch_tokens, self.progress)


def _digest(moments: Moments, candidates: IntArray) -> str:
    """Equal digests mean that the same was asked."""
    parts = (moments.user, moments.time, candidates, [len(history) for history in moments.history], *moments.history)
    return hashlib.sha256(b"|".join(np.asarray(part, dtype="<i8").tobytes() for part in parts)).hexdigest()
