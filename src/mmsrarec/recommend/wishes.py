"""A taste that a person edits: words they want more or less of. Training draws some, for the model to obey [ours].

What is typed is untrusted: it is made a keyword like any other, one line, few and short, or it is refused.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize.keywords import LONGEST, MOST_WORDS, clean, distinct, same

MOST = 8
"""Words of either kind."""
WISHED = 2.0
"""Log-odds that an item gains for a word that more is asked of, and loses for one that less is asked of: the model
obeys "more" a little, "less" hardly, and where its scores are fused they may hardly count (docs/results.md)."""
STREAM = 5
"""Wishes have random numbers of their own, so that the moments and candidates of a seed do not depend on them."""


@dataclass(frozen=True)
class Wishes:
    """Keywords to be recommended more of, and less of."""

    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()

    @classmethod
    def of(cls, more: Iterable[str] = (), less: Iterable[str] = ()) -> "Wishes":
        """What somebody typed; a comma parts two words. Raises MmsrarecError for what is no keyword, or too many."""
        wishes = cls(_typed("more", more), _typed("less", less))
        if both := set(map(same, wishes.more)) & set(map(same, wishes.less)):
            raise MmsrarecError(f'"{min(both)}" is asked for more of and less of: choose one')
        return wishes

    def __bool__(self) -> bool:
        return bool(self.more or self.less)

    def strikes(self, keyword: str) -> bool:
        """Whether less is wanted of what the keyword says: then a history no longer says it."""
        return any(says(keyword, word) for word in self.less)


UNASKED = Wishes()


def _typed(kind: str, given: Iterable[str]) -> tuple[str, ...]:
    parts = [part for text in ([given] if isinstance(given, str) else given) for part in text.split(",")]
    parts = [part for part in parts if part.strip()]
    for part in parts:
        if clean(part) is None:
            shown = " ".join(part.split())[:40]
            raise MmsrarecError(
                f'{kind}: "{shown}" is no keyword: give 1 to {MOST_WORDS} words in at most {LONGEST} letters'
            )
    words = distinct(map(clean, parts))
    if len(words) > MOST:
        raise MmsrarecError(f"{kind}: {len(words)} keywords are too many: give at most {MOST}")
    return words


def says(keyword: str, word: str) -> bool:
    """Whether a keyword is a word, or holds it whole: "space operas" and "old space opera" say "space opera"."""
    return f" {same(word)} " in f" {same(keyword)} "


def carries(keywords: Iterable[str], words: Sequence[str]) -> bool:
    """Whether any of the keywords says any of the words."""
    return any(says(keyword, word) for keyword in keywords for word in words)


def tilt(wishes: Wishes, shown: Iterable[Sequence[str]]) -> FloatArray:
    """(c,) log-odds that wishes add by rule, beside what a model makes of them. shown: each candidate's keywords."""
    return WISHED * np.array([float(carries(words, wishes.more)) - carries(words, wishes.less) for words in shown])


def draw_wishes(
    candidates: IntArray, place: IntArray, words_of: Callable[[int], tuple[str, ...]], share: float, seed: int
) -> list[Wishes]:
    """Wishes for (m, c) candidates whose positives stand at `place`, (m,); a `share` of the moments has some.

    They tell the truth: more is asked of keywords of the positive that not all negatives have, less of keywords of
    negatives that neither say nor are said by one of the positive, one or two of either or of both.
    """
    rng = np.random.default_rng([seed, STREAM])
    found = []
    for row, at in zip(candidates, place, strict=True):
        if rng.random() >= share:
            found.append(UNASKED)
            continue
        mine = words_of(int(row[at]))
        others = [words_of(int(code)) for column, code in enumerate(row) if column != at]
        telling = [word for word in mine if not all(carries(words, [word]) for words in others)]
        theirs = distinct(word for words in others for word in words)
        against = [word for word in theirs if not (carries(mine, [word]) or carries([word], mine))]
        kind = rng.integers(3)
        more, less = (_some(words, rng) for words in (telling if kind != 1 else [], against if kind != 0 else []))
        found.append(Wishes(more, less))
    return found


def _some(words: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    count = min(int(rng.integers(1, 3)), len(words))
    return tuple(words[int(i)] for i in rng.permutation(len(words))[:count])
