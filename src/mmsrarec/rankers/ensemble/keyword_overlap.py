"""Scores items by the keywords that they share with a history, through an index from keywords to items."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import RanksEverything


@dataclass(frozen=True)
class _KeywordIndex:
    """A sparse matrix of items and keywords, by item and by keyword; a keyword that an item has twice counts twice.

    Attributes:
        words: (e,) keyword codes by item.
        word_starts: (n_items + 1,) the keywords of item i are words[word_starts[i] : word_starts[i + 1]].
        items: (e,) item codes by keyword.
        item_starts: (n_words + 1,) the items of keyword w are items[item_starts[w] : item_starts[w + 1]].
    """

    words: NDArray[np.int32]
    word_starts: IntArray
    items: NDArray[np.int32]
    item_starts: IntArray


@dataclass
class KeywordOverlap(RanksEverything):
    """Scores an item by its keywords: the mean over them of how many items of the history have each.

    Only items that share a keyword with the history are looked at.

    Attributes:
        keywords: The keywords of each item.
        name: The row's name.
    """

    keywords: Sequence[Sequence[str]]
    name: str = "likeness"

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """See `Ranker.score`."""
        n_items = len(self.keywords)
        n_words = np.maximum(np.diff(self._index.word_starts), 1)
        scores = np.empty((len(queries), n_items if candidates is None else candidates.shape[1]))
        for number, history in enumerate(queries.history):
            sums = self._sums(history)
            if candidates is None:
                np.divide(sums, n_words, out=scores[number])
            else:
                scores[number] = sums[candidates[number]] / n_words[candidates[number]]
        return scores

    def _sums(self, history: IntArray) -> FloatArray:
        """(n_items,) the sum over each item's keywords of how many items of the history have each."""
        index, n_items = self._index, len(self.keywords)
        parts = [index.words[index.word_starts[code] : index.word_starts[code + 1]] for code in history.tolist()]
        if not parts:
            return np.zeros(n_items)
        words, counts = np.unique(np.concatenate(parts), return_counts=True)
        spans = [index.items[index.item_starts[word] : index.item_starts[word + 1]] for word in words.tolist()]
        if not spans:
            return np.zeros(n_items)
        weights = np.repeat(counts.astype(np.float64), [len(span) for span in spans])
        sums = np.bincount(np.concatenate(spans), weights, minlength=n_items)  # whole numbers: no rounding
        return np.asarray(sums, dtype=np.float64)

    @cached_property
    def _index(self) -> _KeywordIndex:
        codes: dict[str, int] = {}
        lengths = np.fromiter(map(len, self.keywords), dtype=np.int64, count=len(self.keywords))
        all_words = (codes.setdefault(word, len(codes)) for item_words in self.keywords for word in item_words)
        words = np.fromiter(all_words, dtype=np.int32, count=int(lengths.sum()))
        items = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        by_word = np.argsort(words, kind="stable")
        item_starts = np.concatenate([[0], np.cumsum(np.bincount(words, minlength=len(codes)))])
        return _KeywordIndex(words, np.concatenate([[0], np.cumsum(lengths)]), items[by_word], item_starts)
