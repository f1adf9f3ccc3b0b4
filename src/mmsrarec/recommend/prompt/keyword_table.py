"""The keywords of a catalogue as numbers, so that those of many items are weighed without a loop over words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class KeywordTable:
    """The keywords of n items.

    Attributes:
        words: The distinct keywords; the number of a keyword is its place here.
        numbers: The numbers of the keywords of item 0, of item 1, and so on.
        offsets: (n + 1,) the keywords of item i are numbers[offsets[i] : offsets[i + 1]].
    """

    words: tuple[str, ...]
    numbers: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, keywords: Sequence[Sequence[str]]) -> "KeywordTable":
        """The table of each item's keywords; a repeated one counts once."""
        distinct = [tuple(dict.fromkeys(words)) for words in keywords]
        number = {word: place for place, word in enumerate(dict.fromkeys(word for words in distinct for word in words))}
        numbers = np.array([number[word] for words in distinct for word in words], dtype=np.int64)
        return cls(tuple(number), numbers, np.concatenate([[0], np.cumsum([len(words) for words in distinct])]))

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each keyword."""
        return {word: place for place, word in enumerate(self.words)}

    def items_with(self, word: str) -> IntArray:
        """The codes of the items that have a keyword."""
        places = np.flatnonzero(self.numbers == self.number[word])
        return np.searchsorted(self.offsets, places, side="right") - 1

    def ranked(self, codes: IntArray, weights: FloatArray, rarities: FloatArray) -> Iterator[str]:
        """Rank the keywords of weighted items as `retrieve.collaborative_context.weigh_keywords` does.

        Args:
            codes: (c,) item codes.
            weights: (c,) their weights.
            rarities: The rarity of each word.

        Yields:
            The distinct keywords, the weightiest first; among equals, the first met.
        """
        begins, sizes = self.offsets[codes], np.diff(self.offsets)[codes]
        places = np.repeat(begins - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
        met, first, which = np.unique(self.numbers[places], return_index=True, return_inverse=True)
        weight = np.bincount(which, np.repeat(weights, sizes), len(met)) * rarities[met]
        for place in np.lexsort((first, -weight)).tolist():
            yield self.words[met[place]]
