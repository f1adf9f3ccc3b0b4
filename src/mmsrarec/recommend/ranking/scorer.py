"""Score candidates: p = p(yes) / (p(yes) + p(no)), read from the first answered token (stage 3 of the paper)."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmsrarec.core.memory import release_memory
from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.packing.forward import batch_of, read, read_tree
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.packing.prefix_tree import PrefixTree
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts

PACKED_CANDIDATES = 64
"""Candidates in one pack at most, so that memory stays bounded."""


def yes_minus_no(prompts: Prompts, packs: Sequence[PackedPrompt], tree: PrefixTree | None = None) -> Tensor:
    """log p(yes) - log p(no) of every candidate of every pack, in order: (candidates,) float32.

    tree: what it knows is not computed again, nor what packs start with alike, if the model can do so (`Mllm.packs`).
    """
    mllm = prompts.mllm
    if tree is not None and mllm.packs:
        return _answer(prompts, read_tree(mllm, packs, prompts.features, tree))
    batch = batch_of(mllm, packs)
    rows, columns = (places.to(mllm.device) for places in batch.answers)
    return _answer(prompts, read(mllm, batch, prompts.features, (rows, columns)))


def _answer(prompts: Prompts, hidden: Tensor) -> Tensor:
    """Two rows of the output matrix are all that is asked of it."""
    weight: Tensor = prompts.mllm.model.get_output_embeddings().weight  # pyright: ignore
    yes, no = weight.index_select(0, torch.tensor(prompts.answers, device=weight.device)).float()
    return (hidden.float() * (yes - no)).sum(-1)  # a product with a matrix may sum in another order for more rows


@torch.inference_mode()
def score_packs(
    prompts: Prompts,
    packs: Sequence[PackedPrompt],
    batch_tokens: int = 8192,
    progress: Count = lambda done, total, label: None,
    tree: PrefixTree | None = None,
) -> list[FloatArray]:
    """p(yes) / (p(yes) + p(no)) of each pack's candidates, be they none. Packs of like length share a batch of
    `batch_tokens`.

    tree: as of `yes_minus_no`.
    """
    pieces = [(row, piece) for row, pack in enumerate(packs) for piece in pack.chunks(PACKED_CANDIDATES)]
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i][1]))
    scores: list[FloatArray | None] = [None] * len(pieces)
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * len(pieces[order[stop]][1]) <= batch_tokens:
            stop += 1
        chosen = order[start:stop]
        values = torch.sigmoid(yes_minus_no(prompts, [pieces[i][1] for i in chosen], tree).cpu().double()).numpy()
        sizes = [len(pieces[i][1].candidates) for i in chosen]
        for i, part in zip(chosen, np.split(values, np.cumsum(sizes)[:-1]), strict=True):
            scores[i] = part
        start = stop
        release_memory()
        progress(start, len(order), "ranking")
    joined: list[list[FloatArray]] = [[] for _ in packs]
    for (row, _), part in zip(pieces, scores, strict=True):
        assert part is not None
        joined[row].append(part)
    return [np.concatenate(parts) if parts else np.empty(0) for parts in joined]


@dataclass
class MllmScorer:
    """The tuned model as one more thing that ranks; counts what it costs.

    keep: remember answers, for rows that are made of the same scores. An answer from memory counts as it did when it
    was found: tokens, calls, queries, and the `spared` seconds. new: (items,), shown as if nobody had taken them yet.
    """

    name: str
    prompts: Prompts
    retrieval: Retrieval
    batch_tokens: int = 8192
    progress: Count = lambda done, total, label: None
    keep: bool = False
    new: NDArray[np.bool_] | None = None
    tokens: int = field(default=0, init=False)
    calls: int = field(default=0, init=False)
    queries: int = field(default=0, init=False)
    spared: float = field(default=0.0, init=False)
    _kept: dict[str, tuple[FloatArray, int, float]] = field(default_factory=dict, init=False)

    def as_cold(self, items: NDArray[np.bool_]) -> "MllmScorer":
        """The same, for whom nobody has taken the (items,) yet."""
        return replace(self, new=items)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """(m, c) scores of (m, c) candidates. The whole catalogue is ranked by stages: see `propose`."""
        if candidates is None:
            raise MmsrarecError("the language model ranks proposed candidates, not the whole catalogue: use propose")
        started, before, asked = time.perf_counter(), self.tokens, _digest(queries, candidates)
        if self.keep and asked in self._kept:
            scores, tokens, seconds = self._kept[asked]
            self.tokens += tokens
            self.calls += len(queries)
            self.queries += len(queries)
            self.spared += seconds
            return scores.copy()
        context = self.retrieval.gather(queries, candidates, self.prompts.settings)
        if self.new is not None:
            places = map(np.flatnonzero, self.new[candidates])
            context = [one.as_cold(set(new.tolist())) for one, new in zip(context, places, strict=True)]
        scores = np.array(self.score_contexts(context)).reshape(candidates.shape)
        if self.keep:
            self._kept[asked] = scores.copy(), self.tokens - before, time.perf_counter() - started
        return scores

    def score_contexts(self, context: Sequence[PromptContext]) -> list[FloatArray]:
        """The same for prompt context that is gathered already: the scores of each one's candidates.

        Whoever is ranked is ranked so: evaluated or served, alone or in company, and whatever else is asked of it.
        """
        packs = [self.prompts.render(one) for one in context]
        self.tokens += sum(map(len, packs))
        self.calls += len(packs)
        self.queries += len(packs)
        return score_packs(self.prompts, packs, self.batch_tokens, self.progress)


def _digest(queries: Queries, candidates: IntArray) -> str:
    """Equal digests mean that the same was asked."""
    parts = (queries.user, queries.time, candidates, [len(history) for history in queries.history], *queries.history)
    return hashlib.sha256(b"|".join(np.asarray(part, dtype="<i8").tobytes() for part in parts)).hexdigest()
