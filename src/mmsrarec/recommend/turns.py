"""Generators that take turns: what is asked for, and what nobody took yet, is proposed beside the usual [ours]."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.split import Moments
from mmsrarec.recommend.propose import Scores, described_by, ordered, strangers


def beside_new(known: Scores, judge: Scores, new: NDArray[np.bool_], n: int) -> Scores:
    """A generator that also proposes items that nobody took yet, which it cannot know: the best by the judge.

    Of the first n they have the share that they have of the catalogue, one at least, half at most: validation could not
    tell a better one, for what is new now was not there then. judge: ranks the whole catalogue; new: (items,).
    """
    every = int(np.clip(round(1 / max(new.mean(), 1 / n)), 2, max(n, 2)))
    return Turns(known, Only(judge, new), every, known.name) if new.any() else known


def with_new(known: Scores, by_content: Scores | None, by_words: Scores, new: NDArray[np.bool_], n: int) -> Scores:
    """`beside_new` for all that the generator cannot rank: by content where that is known, else by words."""
    unknown = strangers(known, new)
    if by_content is not None:
        left = strangers(by_content, unknown)
        known, unknown = beside_new(known, by_content, unknown & ~left, n), left
    return beside_new(known, by_words, unknown, n)


@dataclass
class Turns:
    """Two generators as one for the whole catalogue: every `every`-th proposal is the second's.

    An item's place is the better one of its two. What the second gives minus infinity it does not propose; items beyond
    those that the first knows, which is narrower then, come last in its order.
    """

    first: Scores
    second: Scores
    every: int = 2
    name: str = "turns"

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        if candidates is not None:
            return self.first.score(moments, candidates)
        second = np.asarray(self.second.score(moments, None), dtype=np.float64)
        first = Widened(self.first, second.shape[1]).score(moments, None)
        mine, theirs = ordered(first)[1], ordered(second)[1]
        theirs = np.where(np.isneginf(second), np.inf, self.every * (theirs + 1) - 1)
        return -np.minimum(mine + mine // (self.every - 1), theirs)


@dataclass
class Widened:
    """A generator for more items than it knows: those beyond its last get minus infinity."""

    generator: Scores
    items: int

    @property
    def name(self) -> str:
        return self.generator.name

    @property
    def logits(self) -> bool:
        """Of the generator: see `fuse`."""
        return getattr(self.generator, "logits", False)

    @property
    def described(self) -> int:
        """Of the generator: see `propose.strangers`."""
        return described_by(self.generator)

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        known = self.generator.score(moments, None)
        wide = np.full((len(moments), self.items), -np.inf)
        wide[:, : known.shape[1]] = known
        return wide if candidates is None else np.take_along_axis(wide, candidates, axis=1)


@dataclass
class Only:
    """A generator that proposes some of the items only. keep: (items,)."""

    generator: Scores
    keep: NDArray[np.bool_]
    name: str = "only"

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        scores = self.generator.score(moments, candidates)
        return np.where(self.keep if candidates is None else self.keep[candidates], scores, -np.inf)


@dataclass
class Likeness:
    """How much of an item's keywords a history says: the mean over them of how many items of the history say each."""

    keywords: Sequence[Sequence[str]]
    name: str = "likeness"

    def score(self, moments: Moments, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(moments), len(self.keywords)))
        for row, history in zip(scores, moments.history, strict=True):
            said = Counter(word for code in history.tolist() for word in self.keywords[code])
            row[:] = [sum(said[word] for word in words) / max(len(words), 1) for words in self.keywords]
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)
