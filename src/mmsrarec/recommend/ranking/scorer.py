"""The language model as a ranker: p = p(yes) / (p(yes) + p(no)) of the first answered token.

This is stage 3 of MMSRARec (arXiv 2512.20916). By `recommend.score` the likelihood of the candidate itself takes the
place of the log-odds of yes (`span_score`).
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmsrarec.core.memory import release_memory
from mmsrarec.core.progress import Count
from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.models.backbone.mllm import Mllm
from mmsrarec.models.packing.forward import PreparedBatch, batch_of, prepare, read_prepared, read_tree
from mmsrarec.models.packing.packed_batch import Batch
from mmsrarec.models.packing.packed_prompt import PackedPrompt
from mmsrarec.models.packing.prefix_tree import PrefixTree
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import Prompts
from mmsrarec.recommend.ranking.span_score import prepare_spans, read_spans

PROCESSOR_BATCH_TOKENS = 4096
"""Tokens of a batch at most on a processor, whose caches larger ones leave: packs of 1,000 tokens are fastest by three,
a seventh faster than by one."""
PACKED_CANDIDATES = 64
"""Largest number of candidates in one pack, which bounds the memory."""


def candidate_logits(prompts: Prompts, packs: Sequence[PackedPrompt], tree: PrefixTree | None = None) -> Tensor:
    """What ranks the candidates of every pack: `yes_minus_no`, or by `recommend.score` the likelihood of each.

    Args:
        prompts: Rendered the packs; holds the model, the pictures and the settings.
        packs: Shared parts with their candidates.
        tree: Cached prefixes, as in `yes_minus_no`; the likelihood of a span cannot use them.

    Returns:
        (candidates,) float32, the candidates of all packs in order.
    """
    if prompts.settings.score == "answer":
        return yes_minus_no(prompts, packs, tree)
    return read_candidates(prompts, prepare_candidates(prompts, batch_of(prompts.mllm, packs)))[0]


def prepare_candidates(prompts: Prompts, batch: Batch, labels: Sequence[Tensor] = ()) -> PreparedBatch:
    """Prepare packs for `read_candidates`, with labels that go to the device along with them."""
    if prompts.settings.score == "answer":
        return prepare(prompts.mllm, batch, prompts.features, batch.answers, labels)
    return prepare_spans(prompts, batch, labels)


def read_candidates(prompts: Prompts, prepared: PreparedBatch) -> tuple[Tensor, list[Tensor]]:
    """`candidate_logits` of packs that were prepared, and their labels on the device."""
    return (read_answers if prompts.settings.score == "answer" else read_spans)(prompts, prepared)


def yes_minus_no(prompts: Prompts, packs: Sequence[PackedPrompt], tree: PrefixTree | None = None) -> Tensor:
    """The difference log p(yes) - log p(no) for every candidate of every pack.

    Args:
        prompts: Rendered the packs; holds the model and the pictures.
        packs: Shared parts with their candidates.
        tree: Cached prefixes. What it holds is not computed again, nor a beginning that packs share, if the model can
            do so (`Mllm.packs`).

    Returns:
        (candidates,) float32, the candidates of all packs in order.
    """
    mllm = prompts.mllm
    if tree is not None and mllm.packs:
        return _answer(prompts, read_tree(mllm, packs, prompts.features, tree))
    return yes_minus_no_of(prompts, batch_of(mllm, packs))


def yes_minus_no_of(prompts: Prompts, batch: Batch) -> Tensor:
    """`yes_minus_no` of packs that are laid out already."""
    return read_answers(prompts, prepare(prompts.mllm, batch, prompts.features, batch.answers))[0]


def read_answers(prompts: Prompts, prepared: PreparedBatch) -> tuple[Tensor, list[Tensor]]:
    """`yes_minus_no` of packs that were prepared with the places of their answers, and their labels on the device."""
    states, labels = read_prepared(prompts.mllm, prepared)
    return _answer(prompts, states), labels


def output_layer(mllm: Mllm) -> nn.Linear:
    """The layer that turns last hidden states, (..., d), into logits over the vocabulary."""
    return mllm.model.get_output_embeddings()


def _answer(prompts: Prompts, hidden: Tensor) -> Tensor:
    """(n,) differences of the two answers' logits from (n, d) hidden states; only two rows of the matrix are used."""
    weight = output_layer(prompts.mllm).weight
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
    """Score the candidates of packs by the logistic function of `candidate_logits`: p(yes) / (p(yes) + p(no)).

    Packs of similar length share a batch. The candidates of a pack are computed in the order of their tokens, whatever
    their order in the pack, so that no order of them changes a bit of a score.

    Args:
        prompts: Rendered the packs; holds the model and the pictures.
        packs: Shared parts with their candidates, which may be none.
        batch_tokens: Tokens of a batch, padding included; on a processor no more than PROCESSOR_BATCH_TOKENS.
        progress: Counts the finished packs.
        tree: Cached prefixes, as in `yes_minus_no`.

    Returns:
        For each pack the (candidates,) scores in [0, 1].
    """
    if prompts.mllm.device.type == "cpu":
        batch_tokens = min(batch_tokens, PROCESSOR_BATCH_TOKENS)
    orders = [candidate_order(pack) for pack in packs]
    sorted_packs = [pack.pick(order) for pack, order in zip(packs, orders, strict=True)]
    pieces = [(row, piece) for row, pack in enumerate(sorted_packs) for piece in pack.chunks(PACKED_CANDIDATES)]
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i][1]))
    scores: list[FloatArray | None] = [None] * len(pieces)
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * len(pieces[order[stop]][1]) <= batch_tokens:
            stop += 1
        batch = order[start:stop]
        values = torch.sigmoid(candidate_logits(prompts, [pieces[i][1] for i in batch], tree).cpu().double()).numpy()
        sizes = [len(pieces[i][1].candidates) for i in batch]
        for i, part in zip(batch, np.split(values, np.cumsum(sizes)[:-1]), strict=True):
            scores[i] = part
        start = stop
        release_memory()
        progress(start, len(order), "ranking")
    parts_by_pack: list[list[FloatArray]] = [[] for _ in packs]
    for (row, _), part in zip(pieces, scores, strict=True):
        assert part is not None
        parts_by_pack[row].append(part)
    return [
        np.concatenate(parts)[np.argsort(order)] if parts else np.empty(0)
        for order, parts in zip(orders, parts_by_pack, strict=True)
    ]


def candidate_order(pack: PackedPrompt) -> list[int]:
    """The places of a pack's candidates by their tokens and pictures, which is the same for every order of them."""
    candidates = pack.candidates
    return sorted(range(len(candidates)), key=lambda place: (candidates[place].ids, candidates[place].pictures))


@dataclass
class MllmScorer:
    """The tuned language model as a ranker that counts its costs.

    Attributes:
        name: Name of the row.
        prompts: Renders the prompts; holds the tuned model.
        retrieval: Gathers the prompt contexts.
        batch_tokens: Tokens of a batch, padding included.
        progress: Counts the finished packs.
        cache_scores: Whether scores are remembered, for rows that are built from the same ones. A remembered answer
            costs as much as it did at first: tokens, calls, queries and seconds.
        cold_items: (n_items,) mask of the items that are shown as if nobody had consumed them yet.
        tokens: Tokens read so far.
        calls: Prompts read so far.
        queries: Queries ranked so far.
        saved_seconds: Seconds that remembered answers took at first.
    """

    name: str
    prompts: Prompts
    retrieval: Retrieval
    batch_tokens: int = 8192
    progress: Count = lambda done, total, label: None
    cache_scores: bool = False
    cold_items: NDArray[np.bool_] | None = None
    tokens: int = field(default=0, init=False)
    calls: int = field(default=0, init=False)
    queries: int = field(default=0, init=False)
    saved_seconds: float = field(default=0.0, init=False)
    _cache: dict[str, tuple[FloatArray, int, float]] = field(
        default_factory=dict[str, tuple[FloatArray, int, float]], init=False
    )

    def as_cold(self, items: NDArray[np.bool_]) -> "MllmScorer":
        """A copy for which nobody has consumed the items of an (n_items,) mask yet."""
        return replace(self, cold_items=items)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """Score candidates.

        Args:
            queries: m queries.
            candidates: (m, c) item codes. The whole catalogue is ranked in two stages (`rankers.ensemble.two_stage`).

        Returns:
            (m, c) scores in [0, 1].

        Raises:
            MmsrarecError: No candidates are given.
        """
        if candidates is None:
            raise MmsrarecError("the language model ranks proposed candidates, not the whole catalogue: use propose")
        start, tokens_before, digest = time.perf_counter(), self.tokens, _digest(queries, candidates)
        if self.cache_scores and digest in self._cache:
            scores, tokens, seconds = self._cache[digest]
            self.tokens += tokens
            self.calls += len(queries)
            self.queries += len(queries)
            self.saved_seconds += seconds
            return scores.copy()
        contexts = self.retrieval.gather(queries, candidates, self.prompts.settings)
        if self.cold_items is not None:
            places = map(np.flatnonzero, self.cold_items[candidates])
            contexts = [
                context.as_cold(set(cold_places.tolist()))
                for context, cold_places in zip(contexts, places, strict=True)
            ]
        scores = np.array(self.score_contexts(contexts)).reshape(candidates.shape)
        if self.cache_scores:
            self._cache[digest] = scores.copy(), self.tokens - tokens_before, time.perf_counter() - start
        return scores

    def score_contexts(self, contexts: Sequence[PromptContext]) -> list[FloatArray]:
        """Score the candidates of prompt contexts. Evaluation, serving and explanations all rank by this method.

        Args:
            contexts: The prompt contexts of queries.

        Returns:
            For each context the (candidates,) scores in [0, 1].
        """
        packs = [self.prompts.render(context) for context in contexts]
        self.tokens += sum(map(len, packs))
        self.calls += len(packs)
        self.queries += len(packs)
        return score_packs(self.prompts, packs, self.batch_tokens, self.progress)


def _digest(queries: Queries, candidates: IntArray) -> str:
    """The sha256 of queries and candidates."""
    parts = (queries.user, queries.time, candidates, [len(history) for history in queries.history], *queries.history)
    return hashlib.sha256(b"|".join(np.asarray(part, dtype="<i8").tobytes() for part in parts)).hexdigest()
