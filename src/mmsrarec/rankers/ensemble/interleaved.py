"""Generators that take turns: what is asked for, and what nobody took yet, is proposed beside the usual [extension]."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import CandidateGenerator, Ranker, RanksEverything, known_items, ordered


def interleave_cold_items(known: Ranker, judge: Ranker, new: NDArray[np.bool_], n: int) -> Ranker:
    """A generator that also proposes items that nobody took yet, which it cannot know: the best by the judge.

    Of the first n they have the share that they have of the catalogue, one at least, half at most: validation could not
    tell a better one, for what is new now was not there then. judge: ranks the whole catalogue; new: (items,).
    """
    every = int(np.clip(round(1 / max(new.mean(), 1 / n)), 2, max(n, 2)))
    return Interleaved(known, Restricted(judge, new), every, known.name) if new.any() else known


def with_cold_items(
    known: CandidateGenerator, by_content: CandidateGenerator | None, by_words: Ranker, n_items: int, n: int
) -> Ranker:
    """`interleave_cold_items` for all that the generator cannot rank: by content where that is known, else by words."""
    unknown = ~known_items(known, n_items)
    if by_content is not None:
        left = unknown & ~known_items(by_content, n_items)
        with_content = interleave_cold_items(known, by_content, unknown & ~left, n)
        return interleave_cold_items(with_content, by_words, left, n)
    return interleave_cold_items(known, by_words, unknown, n)


def nothing_last(scores: FloatArray) -> FloatArray:
    """The scores as float64, minus infinity where there is none (NaN)."""
    return np.nan_to_num(np.asarray(scores, dtype=np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)


def widened(scores: FloatArray, n_items: int) -> FloatArray:
    """(m, n) scores -> (m, n_items) scores: NaN for items beyond the first n."""
    wide = np.full((len(scores), n_items), np.nan)
    wide[:, : scores.shape[1]] = scores
    return wide


@dataclass
class Interleaved(RanksEverything):
    """Two generators as one for the whole catalogue: every `every`-th proposal is the second's.

    An item's place is the better one of its two. What the second gives minus infinity, or nothing, it does not propose;
    of what the first gives nothing, or that is beyond its items, it says that it comes last.
    """

    first: Ranker
    second: Ranker
    every: int = 2
    name: str = "turns"

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        if candidates is not None:
            return self.first.score(queries, candidates)
        second = nothing_last(self.second.score(queries, None))
        first = nothing_last(widened(self.first.score(queries, None), second.shape[1]))
        mine, theirs = ordered(first)[1], ordered(second)[1]
        theirs = np.where(np.isneginf(second), np.inf, self.every * (theirs + 1) - 1)
        return -np.minimum(mine + mine // (self.every - 1), theirs)


@dataclass
class PaddedCatalogue:
    """A generator for more items than it was fitted on: of those beyond its last it says nothing, NaN."""

    generator: CandidateGenerator
    items: int

    @property
    def name(self) -> str:
        return self.generator.name

    @property
    def logits(self) -> bool:
        """As the generator."""
        return self.generator.logits

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of the generator, which knows nothing beyond its items: see `base.known_items`."""
        return known_items(self.generator, self.items)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        wide = widened(self.generator.score(queries, None), self.items)
        return wide if candidates is None else np.take_along_axis(wide, candidates, axis=1)


@dataclass
class HiddenItems:
    """A generator as if its training had not seen some items taken: it says nothing of them. hidden: (items,)."""

    generator: CandidateGenerator
    hidden: NDArray[np.bool_]

    @property
    def name(self) -> str:
        return self.generator.name

    @property
    def logits(self) -> bool:
        """As the generator."""
        return self.generator.logits

    @property
    def known(self) -> NDArray[np.bool_]:
        """See `base.known_items`."""
        return known_items(self.generator, len(self.hidden)) & ~self.hidden

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = self.generator.score(queries, candidates)
        return np.where(self.hidden if candidates is None else self.hidden[candidates], np.nan, scores)


@dataclass
class Restricted(RanksEverything):
    """A generator that proposes some of the items only. keep: (items,)."""

    generator: Ranker
    keep: NDArray[np.bool_]
    name: str = "only"

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = self.generator.score(queries, candidates)
        return np.where(self.keep if candidates is None else self.keep[candidates], scores, -np.inf)


@dataclass
class KeywordOverlap(RanksEverything):
    """How much of an item's keywords a history says: the mean over them of how many items of the history say each."""

    keywords: Sequence[Sequence[str]]
    name: str = "likeness"

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(queries), len(self.keywords)))
        for row, history in zip(scores, queries.history, strict=True):
            said = Counter(word for code in history.tolist() for word in self.keywords[code])
            row[:] = [sum(said[word] for word in words) / max(len(words), 1) for words in self.keywords]
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)
