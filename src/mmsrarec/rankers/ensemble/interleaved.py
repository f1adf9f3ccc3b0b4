"""Generators that take turns, so that items that nobody consumed yet are proposed as well [extension]."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import (
    CandidateGenerator,
    Ranker,
    RanksEverything,
    first_items,
    known_items,
    n_trained_items,
    ordered,
)
from mmsrarec.rankers.ensemble.leading import first_allowed, leads


def interleave_cold_items(generator: Ranker, cold_ranker: Ranker, new: NDArray[np.bool_], n: int) -> Ranker:
    """A generator that also proposes items that nobody consumed yet.

    Of the first n proposals they have the share that they have of the catalogue, one at least, half at most. Validation
    could not choose a better share, for it was before these items.

    Args:
        generator: Proposes the other items.
        cold_ranker: Ranks the whole catalogue; its best new items are proposed.
        new: (n_items,) mask of the items that nobody consumed.
        n: Number of proposals.
    """
    every = int(np.clip(round(1 / max(new.mean(), 1 / n)), 2, max(n, 2)))
    return Interleaved(generator, Restricted(cold_ranker, new), every, generator.name) if new.any() else generator


def with_cold_items(
    generator: CandidateGenerator, by_content: CandidateGenerator | None, by_words: Ranker, n_items: int, n: int
) -> Ranker:
    """Apply `interleave_cold_items` to all items that the generator cannot rank.

    Args:
        generator: Proposes the items that it knows.
        by_content: Ranks the others as far as it knows them; None: there is no such ranker.
        by_words: Ranks the rest.
        n_items: Size of the catalogue.
        n: Number of proposals.
    """
    unknown = ~known_items(generator, n_items)
    if by_content is not None:
        rest = unknown & ~known_items(by_content, n_items)
        with_content = interleave_cold_items(generator, by_content, unknown & ~rest, n)
        return interleave_cold_items(with_content, by_words, rest, n)
    return interleave_cold_items(generator, by_words, unknown, n)


def nothing_last(scores: FloatArray) -> FloatArray:
    """The scores as float64, minus infinity instead of NaN; the same array where there is none."""
    scores = np.asarray(scores, dtype=np.float64)
    has_none = np.isnan(scores)
    return np.where(has_none, -np.inf, scores) if has_none.any() else scores


def pad_scores(scores: FloatArray, n_items: int) -> FloatArray:
    """Append NaN scores for items that joined later.

    Args:
        scores: (m, n) scores of the first n items.
        n_items: Size of the catalogue.

    Returns:
        (m, n_items) scores.
    """
    if scores.shape[1] == n_items:
        return np.asarray(scores, dtype=np.float64)
    wide = np.full((len(scores), n_items), np.nan)
    wide[:, : scores.shape[1]] = scores
    return wide


@dataclass
class Interleaved(RanksEverything):
    """Two generators as one for the whole catalogue.

    An item's place is the better one of its two. The second does not propose an item with a score of minus infinity or
    NaN; an item without a score by the first, or beyond its items, comes last by the first.

    Attributes:
        first: Makes all other proposals.
        second: Makes every `every`-th proposal.
        every: 2 or more.
        name: The row's name.
    """

    first: Ranker
    second: Ranker
    every: int = 2
    name: str = "turns"

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """See `Ranker.score`. Given candidates are scored by the first alone."""
        if candidates is not None:
            return self.first.score(queries, candidates)
        second = nothing_last(self.second.score(queries, None))
        first = nothing_last(pad_scores(self.first.score(queries, None), second.shape[1]))
        first_ranks, second_ranks = ordered(first)[1], ordered(second)[1]
        second_places = np.where(np.isneginf(second), np.inf, self.every * (second_ranks + 1) - 1)
        return -np.minimum(first_ranks + first_ranks // (self.every - 1), second_places)

    def leading(self, queries: Queries, n: int) -> IntArray:
        """See `Leads`. Only the first n of either generator can be among the first n of both."""
        second = nothing_last(self.second.score(queries, None))
        seconds, n = first_items(second, n), min(n, second.shape[1])
        if leads(self.first):
            firsts = self.first.leading(queries, n)
        else:
            firsts = first_items(nothing_last(pad_scores(self.first.score(queries, None), second.shape[1])), n)
        if firsts.shape[1] < n:  # it knows fewer items
            return first_items(self.score(queries, None), n)
        ranks = np.arange(n)
        places = np.concatenate([ranks + ranks // (self.every - 1), self.every * (ranks + 1) - 1])
        by_place = np.argsort(places)  # no two are equal
        codes_of_row = np.empty((len(queries), n), dtype=np.int64)
        for row, own in enumerate(seconds):
            is_proposed = np.append(np.ones(n, dtype=bool), second[row, own] > -np.inf)
            codes = np.concatenate([firsts[row], own])[by_place[is_proposed[by_place]]]
            codes_of_row[row] = codes[np.sort(np.unique(codes, return_index=True)[1])][:n]
        return codes_of_row


@dataclass
class _WrappedGenerator:
    """A generator whose name and kind of scores are those of the generator inside."""

    generator: CandidateGenerator

    @property
    def name(self) -> str:
        """As the generator."""
        return self.generator.name

    @property
    def logits(self) -> bool:
        """As the generator."""
        return self.generator.logits


@dataclass
class PaddedCatalogue(_WrappedGenerator):
    """A generator for more items than it was fitted on; items beyond its last have the score NaN.

    Attributes:
        generator: The generator.
        items: Size of the catalogue now.
    """

    items: int

    @property
    def n_trained(self) -> int:
        """As the generator: see `base.n_trained_items`."""
        return n_trained_items(self.generator, self.items)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(items,) mask of the generator's items: see `base.known_items`."""
        return known_items(self.generator, self.items)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """See `Ranker.score`."""
        wide = pad_scores(self.generator.score(queries, None), self.items)
        return wide if candidates is None else np.take_along_axis(wide, candidates, axis=1)


@dataclass
class HiddenItems(_WrappedGenerator):
    """A generator as if nobody had consumed some items in its training; they have the score NaN.

    Attributes:
        generator: The generator.
        hidden: (n_items,) mask of those items.
    """

    hidden: NDArray[np.bool_]

    @property
    def n_trained(self) -> int:
        """As the generator: see `base.n_trained_items`."""
        return n_trained_items(self.generator, len(self.hidden))

    @property
    def known(self) -> NDArray[np.bool_]:
        """(items,) mask of the generator's items that are not hidden: see `base.known_items`."""
        return known_items(self.generator, len(self.hidden)) & ~self.hidden

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """See `Ranker.score`."""
        scores = self.generator.score(queries, candidates)
        return np.where(self.hidden if candidates is None else self.hidden[candidates], np.nan, scores)


@dataclass
class Restricted(RanksEverything):
    """A generator that proposes some of the items only; all others have the score minus infinity.

    Attributes:
        generator: Ranks the whole catalogue.
        keep: (n_items,) mask of the items that it proposes.
        name: The row's name.
    """

    generator: Ranker
    keep: NDArray[np.bool_]
    name: str = "only"

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """See `Ranker.score`."""
        scores = self.generator.score(queries, candidates)
        return np.where(self.keep if candidates is None else self.keep[candidates], scores, -np.inf)

    def leading(self, queries: Queries, n: int) -> IntArray:
        """See `Leads`."""
        if leads(self.generator):
            return first_allowed(self.generator, queries, n, lambda _, codes: self.keep[codes])
        return first_items(nothing_last(self.score(queries, None)), n)
