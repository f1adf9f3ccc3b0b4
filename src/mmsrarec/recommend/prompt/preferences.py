"""User preferences: the words that a person wants more or less of. Training draws some for each seed [extension].

Typed text is untrusted. It becomes a keyword like any other, short and on one line, or it is refused.
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

MAX_PREFERENCES = 8
"""Largest number of words to have more of, and of words to have less of."""
PREFERENCE_LOG_ODDS = 2.0
"""Log-odds that an item gains for a word of `more`, and loses for a word of `less`.

The model by itself obeys "more" a little and "less" hardly, and fusion may give its scores little weight
(docs/results)."""
RANDOM_STREAM = 5
"""Number of the random stream of preferences. With a stream of their own they change no query and no candidate."""


@dataclass(frozen=True)
class UserPreferences:
    """The keywords that a user wants more of and less of.

    Attributes:
        more: Keywords to be recommended more of.
        less: Keywords to be recommended less of.
        lexicon: The meanings of words in the catalogue's languages.
    """

    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    lexicon: Lexicon = field(default=ENGLISH, compare=False, repr=False)

    @classmethod
    def of(cls, more: Iterable[str] = (), less: Iterable[str] = (), lexicon: Lexicon = ENGLISH) -> "UserPreferences":
        """Read typed preferences.

        Args:
            more: Texts; a comma of any script parts two keywords.
            less: Texts, likewise.
            lexicon: The meanings of words in the catalogue's languages.

        Returns:
            The preferences as keywords, each once.

        Raises:
            MmsrarecError: A text is no keyword, there are too many, or more and less of the same word are wanted.
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
        """Whether the keyword says a word of `less`. The history in a prompt omits such a keyword."""
        return any(says(keyword, word, self.lexicon) for word in self.less)


NO_PREFERENCES = UserPreferences()
"""The preferences of a user who stated none."""


def _typed(kind: str, texts: Iterable[str], lexicon: Lexicon) -> tuple[str, ...]:
    """The keywords of typed texts of one kind, "more" or "less"."""
    parts = [part for text in ([texts] if isinstance(texts, str) else texts) for part in split(text)]
    parts = [part for part in parts if part.strip()]
    for part in parts:
        if None in _read(part, lexicon):
            excerpt = " ".join(part.split())[:40]
            raise MmsrarecError(
                f'{kind}: "{excerpt}" is no keyword: '
                f"give 1 to {MAX_KEYWORD_WORDS} words in at most {MAX_KEYWORD_LENGTH} letters"
            )
    words = distinct([keyword for part in parts for keyword in _read(part, lexicon)], lexicon=lexicon)
    if len(words) > MAX_PREFERENCES:
        raise MmsrarecError(f"{kind}: {len(words)} keywords are too many: give at most {MAX_PREFERENCES}")
    return words


def _read(part: str, lexicon: Lexicon) -> list[str | None]:
    """The keywords typed between two commas, None for a part that is none.

    A short clause without spaces is one keyword; reading it as a list would cut it.
    """
    keyword = clean(part)
    return split_keywords(part, lexicon) if keyword is None else [keyword]


def says(keyword: str, word: str, lexicon: Lexicon = ENGLISH) -> bool:
    """Whether a keyword is a word, or contains it whole (`Lexicon.says`)."""
    return lexicon.contains(keyword, word)


def carries(keywords: Iterable[str], words: Sequence[str], lexicon: Lexicon = ENGLISH) -> bool:
    """Whether any of the keywords says any of the words."""
    return any(says(keyword, word, lexicon) for keyword in keywords for word in words)


def without_effect(preferences: UserPreferences, item_keywords: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The words of the preferences that no item carries.

    Args:
        preferences: The preferences of a user.
        item_keywords: The keywords of each item of the catalogue.

    Returns:
        Words of `more`, then of `less`, that change no ranking.
    """
    if not preferences.more and not preferences.less:
        return ()  # without a look at the catalogue, as for most answers
    keywords = {keyword for words in item_keywords for keyword in words}
    return tuple(
        word for word in (*preferences.more, *preferences.less) if not carries(keywords, [word], preferences.lexicon)
    )


def preference_bonus(preferences: UserPreferences, candidate_keywords: Iterable[Sequence[str]]) -> FloatArray:
    """The log-odds that preferences add to candidates by rule, beside the model's own reading of them.

    Args:
        preferences: The preferences of a user.
        candidate_keywords: The keywords of each of c candidates.

    Returns:
        (c,) log-odds: `PREFERENCE_LOG_ODDS` for a candidate with a word of `more`, minus as much for one with a word of
        `less`.
    """
    signs = [
        float(carries(words, preferences.more, preferences.lexicon))
        - carries(words, preferences.less, preferences.lexicon)
        for words in candidate_keywords
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
    """Draw preferences for training queries, so that the model learns to obey them.

    They agree with the positive. Words of `more` are keywords of the positive that not all negatives carry. Words of
    `less` are keywords of negatives that neither say a keyword of the positive nor are said by one. A query has one or
    two words of one kind or of both.

    Args:
        candidates: (m, c) item codes.
        place: (m,) columns of the positives.
        words_of: Item code to the keywords of the item.
        share: Share of the queries that have preferences.
        seed: Seed of the random numbers.
        lexicon: The meanings of words in the catalogue's languages.

    Returns:
        m preferences, `NO_PREFERENCES` for the queries without.
    """
    rng = np.random.default_rng([seed, RANDOM_STREAM])
    preferences: list[UserPreferences] = []
    for row, positive_place in zip(candidates, place, strict=True):
        if rng.random() >= share:
            preferences.append(NO_PREFERENCES)
            continue
        positive_words = words_of(int(row[positive_place]))
        negative_words = [words_of(int(code)) for column, code in enumerate(row) if column != positive_place]
        wanted_words = [
            word for word in positive_words if not all(carries(words, [word], lexicon) for words in negative_words)
        ]
        all_negative_words = distinct((word for words in negative_words for word in words), lexicon=lexicon)
        unwanted_words = [
            word
            for word in all_negative_words
            if not (carries(positive_words, [word], lexicon) or carries([word], positive_words, lexicon))
        ]
        kind = rng.integers(3)
        more = _one_or_two(wanted_words if kind != 1 else [], rng)
        less = _one_or_two(unwanted_words if kind != 0 else [], rng)
        preferences.append(UserPreferences(more, less, lexicon))
    return preferences


def _one_or_two(words: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    """One or two of the words, drawn at random; fewer where there are fewer."""
    count = min(int(rng.integers(1, 3)), len(words))
    return tuple(words[int(i)] for i in rng.permutation(len(words))[:count])
