"""A taste that a person edits: words they want more or less of. Training draws some, for the model to obey [extension].

What is typed is untrusted: it is made a keyword like any other, one line, few and short, or it is refused.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.errors import MmsrarecError
from mmsrarec.summarize.keyword_parsing import (
    MAX_KEYWORD_LENGTH,
    MAX_KEYWORD_WORDS,
    clean,
    distinct,
    split,
    split_keywords,
)
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon

MOST = 8
"""Words of either kind."""
PREFERENCE_LOG_ODDS = 2.0
"""Log-odds that an item gains for a word that more is asked of, and loses for one that less is asked of: the model
obeys "more" a little, "less" hardly, and where its scores are fused they may hardly count (docs/results.md)."""
STREAM = 5
"""Wishes have random numbers of their own, so that the queries and candidates of a seed do not depend on them."""


@dataclass(frozen=True)
class UserPreferences:
    """Keywords to be recommended more of, and less of. lexicon: what words mean in the catalogue's languages."""

    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    lexicon: Lexicon = field(default=ENGLISH, compare=False, repr=False)

    @classmethod
    def of(cls, more: Iterable[str] = (), less: Iterable[str] = (), lexicon: Lexicon = ENGLISH) -> "UserPreferences":
        """What somebody typed; a comma, of whatever script, parts two words.

        Raises MmsrarecError for what is no keyword, or too many.
        """
        preferences = cls(_typed("more", more, lexicon), _typed("less", less, lexicon), lexicon)
        if both := [
            word for word in preferences.less if lexicon.same(word) in set(map(lexicon.same, preferences.more))
        ]:
            raise MmsrarecError(f'"{both[0]}" is asked for more of and less of: choose one')
        return preferences

    def __bool__(self) -> bool:
        return bool(self.more or self.less)

    def strikes(self, keyword: str) -> bool:
        """Whether less is wanted of what the keyword says: then a history no longer says it."""
        return any(says(keyword, word, self.lexicon) for word in self.less)


NO_PREFERENCES = UserPreferences()


def _typed(kind: str, given: Iterable[str], lexicon: Lexicon) -> tuple[str, ...]:
    parts = [part for text in ([given] if isinstance(given, str) else given) for part in split(text)]
    parts = [part for part in parts if part.strip()]
    for part in parts:
        if None in _read(part, lexicon):
            shown = " ".join(part.split())[:40]
            raise MmsrarecError(
                f'{kind}: "{shown}" is no keyword: '
                f"give 1 to {MAX_KEYWORD_WORDS} words in at most {MAX_KEYWORD_LENGTH} letters"
            )
    words = distinct([keyword for part in parts for keyword in _read(part, lexicon)], lexicon=lexicon)
    if len(words) > MOST:
        raise MmsrarecError(f"{kind}: {len(words)} keywords are too many: give at most {MOST}")
    return words


def _read(part: str, lexicon: Lexicon) -> list[str | None]:
    """What is typed between two commas. A short clause without spaces is meant as it stands; a list would cut it."""
    keyword = clean(part)
    return split_keywords(part, lexicon) if keyword is None else [keyword]


def says(keyword: str, word: str, lexicon: Lexicon = ENGLISH) -> bool:
    """Whether a keyword is a word, or holds it whole: see `Lexicon.contains`."""
    return lexicon.contains(keyword, word)


def carries(keywords: Iterable[str], words: Sequence[str], lexicon: Lexicon = ENGLISH) -> bool:
    """Whether any of the keywords says any of the words."""
    return any(says(keyword, word, lexicon) for keyword in keywords for word in words)


def without_effect(preferences: UserPreferences, shown: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The words that were asked for, more of or less of, and that no item carries.

    Args:
        preferences: What was typed.
        shown: The keywords of each item of the catalogue.
    """
    keywords = {keyword for words in shown for keyword in words}
    return tuple(
        word for word in (*preferences.more, *preferences.less) if not carries(keywords, [word], preferences.lexicon)
    )


def preference_bonus(preferences: UserPreferences, shown: Iterable[Sequence[str]]) -> FloatArray:
    """(c,) log-odds that preferences add by rule, beside what a model makes of them. shown: each candidate's
    keywords."""
    signs = [
        float(carries(words, preferences.more, preferences.lexicon))
        - carries(words, preferences.less, preferences.lexicon)
        for words in shown
    ]
    return PREFERENCE_LOG_ODDS * np.array(signs)


def draw_preferences(
    candidates: IntArray,
    place: IntArray,
    words_of: Callable[[int], tuple[str, ...]],
    share: float,
    seed: int,
    lexicon: Lexicon = ENGLISH,
) -> list[UserPreferences]:
    """Wishes for (m, c) candidates whose positives stand at `place`, (m,); a `share` of the queries has some.

    They tell the truth: more is asked of keywords of the positive that not all negatives have, less of keywords of
    negatives that neither say nor are said by one of the positive, one or two of either or of both.
    """
    rng = np.random.default_rng([seed, STREAM])
    found = []
    for row, at in zip(candidates, place, strict=True):
        if rng.random() >= share:
            found.append(NO_PREFERENCES)
            continue
        mine = words_of(int(row[at]))
        others = [words_of(int(code)) for column, code in enumerate(row) if column != at]
        telling = [word for word in mine if not all(carries(words, [word], lexicon) for words in others)]
        theirs = distinct((word for words in others for word in words), lexicon=lexicon)
        against = [word for word in theirs if not (carries(mine, [word], lexicon) or carries([word], mine, lexicon))]
        kind = rng.integers(3)
        more, less = (_some(words, rng) for words in (telling if kind != 1 else [], against if kind != 0 else []))
        found.append(UserPreferences(more, less, lexicon))
    return found


def _some(words: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    count = min(int(rng.integers(1, 3)), len(words))
    return tuple(words[int(i)] for i in rng.permutation(len(words))[:count])
