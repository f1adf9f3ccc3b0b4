"""The profile of a visit: the keywords that tell most of what somebody chose, of those by which items are ranked."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

from mmsrarec.serve.model.served_run import ServedRun
from mmsrarec.serve.page.visit import Visit

SHOWN = 14
HALF_LIFE = 8
"""Items after which a choice counts half as much."""
LIKED = 2.0
"""How much more an item counts that was liked in this visit."""

_item_counts: WeakKeyDictionary[ServedRun, Counter[str]] = WeakKeyDictionary()


@dataclass(frozen=True)
class ProfileWord:
    """A keyword of a profile.

    Attributes:
        word: It.
        share: How much it tells, in (0, 1]; 0 for one that was only typed.
        preference: What the visit asks of it.
    """

    word: str
    share: float
    preference: Literal["more", "less", ""] = ""

    @property
    def size(self) -> int:
        """In which of four sizes it is written."""
        return 1 + min(3, int(4 * self.share))


def profile(served: ServedRun, codes: Sequence[int], n_liked: int, visit: Visit) -> list[ProfileWord]:
    """The keywords of somebody's choices, the most telling first, behind those that were asked for.

    A keyword counts for each choice that carries it, newer ones more, and less the more items carry it (tf-idf).

    Args:
        served: The run.
        codes: Item codes, oldest first.
        n_liked: How many of the last ones were liked in this visit.
        visit: What is asked of keywords.
    """
    words_of, counts = served.recommender.shown_keywords, _counts(served)
    weights: defaultdict[str, float] = defaultdict(float)
    for age, code in enumerate(reversed(codes)):
        weight = 0.5 ** (age / HALF_LIFE) * (LIKED if age < n_liked else 1.0)
        for word in words_of[code]:
            weights[word] += weight * math.log(1 + len(words_of) / counts[word])
    preferences = {word.casefold(): "more" for word in visit.more} | {word.casefold(): "less" for word in visit.less}
    most = max(weights.values(), default=1.0)
    words = sorted(weights, key=lambda word: (-weights[word], word))[:SHOWN]
    typed = [word for word in (*visit.more, *visit.less) if word.casefold() not in map(str.casefold, words)]
    return [
        *(ProfileWord(word, 0.0, _preference(preferences, word)) for word in typed),
        *(ProfileWord(word, weights[word] / most, _preference(preferences, word)) for word in words),
    ]


def _preference(preferences: dict[str, str], word: str) -> Literal["more", "less", ""]:
    preference = preferences.get(word.casefold(), "")
    return "more" if preference == "more" else "less" if preference == "less" else ""


def _counts(served: ServedRun) -> Counter[str]:
    """How many items carry each keyword."""
    if served not in _item_counts:
        _item_counts[served] = Counter(word for words in served.recommender.shown_keywords for word in words)
    return _item_counts[served]
