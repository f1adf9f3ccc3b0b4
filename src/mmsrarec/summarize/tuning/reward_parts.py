"""What the rewards of the summarising policy share: their types, and which keywords of an answer count."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor

from mmsrarec.summarize.keyword_parsing import grounded, parse, split
from mmsrarec.summarize.language.lexicon import ENGLISH, Lexicon

Conditioning = Literal["title", "nothing"]
"""What a reader has without the keywords."""
Form = Literal["bounded", "published"]
"""The form of the rewards: the paper's, or ours [extension]."""
Column = Sequence[str]
"""A column of the tuning data, an entry an answer."""
Rewards = list[float | None]
"""A reward of each answer; None where it does not apply."""


class Reward(Protocol):
    """A reward, as TRL's trainers call it: with lists of one length, by name."""

    __name__: str

    def __call__(self, **columns: Any) -> Rewards:
        """Score answers, given `completions` and the columns of the tuning data."""
        ...


class Embed(Protocol):
    """A sentence embedding, the paper's phi."""

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Turn n texts into (n, d) unit vectors."""
        ...


class LanguageModel(Protocol):
    """A language model, the paper's P."""

    def __call__(self, prefixes: Sequence[str], texts: Sequence[str]) -> list[Tensor]:
        """The log-probabilities of each text's tokens after its prefix."""
        ...


class PictureModel(Protocol):
    """A language model that sees a picture, the paper's P."""

    def __call__(self, codes: Sequence[int], answers: Sequence[str]) -> list[Tensor]:
        """The log-probabilities of each answer's tokens after the question about the picture of an item code."""
        ...


def usable(completion: str, modality: str, text: str, limit: int, lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """Read the usable keywords W of an answer, as in summarizing a catalogue.

    Args:
        completion: The answer.
        modality: "text" or "picture".
        text: The item's text, which must support the keywords of an answer about a text.
        limit: Keywords, at most.
        lexicon: The lexicon of the catalogue.
    """
    keywords = parse(completion, limit, lexicon)
    return tuple(word for word in keywords if grounded(word, text, lexicon)) if modality == "text" else keywords


def new_to(title: str, keywords: Sequence[str], lexicon: Lexicon = ENGLISH) -> tuple[str, ...]:
    """The keywords with a word that the title does not have, in any form."""
    title_forms = lexicon.forms(title)
    return tuple(keyword for keyword in keywords if not lexicon.forms(keyword) <= title_forms)


@dataclass(frozen=True)
class SharedWords:
    """The test of whether other items could have a keyword too.

    The name of a single film's hero brings a keyword list close to its text, and tells a recommender nothing. Neither
    does a word that most items hold, which summarizing drops.

    Attributes:
        counts: The number of items whose texts hold a word, by its common form.
        min_count: Items that must hold a word.
        lexicon: The lexicon of the catalogue.
    """

    counts: Mapping[str, int]
    min_count: int
    lexicon: Lexicon = ENGLISH

    @classmethod
    def among(cls, texts: Iterable[str], min_count: int, lexicon: Lexicon = ENGLISH) -> "SharedWords":
        """Count the words of items' texts."""
        return cls(Counter(form for text in texts for form in lexicon.forms(text)), min_count, lexicon)

    def __call__(self, keyword: str) -> bool:
        """Whether enough items hold all words of a keyword, and not most of them."""
        is_shared = all(self.counts.get(form, 0) >= self.min_count for form in self.lexicon.forms(keyword))
        return is_shared and not self.lexicon.is_common(keyword)


def answer_profile(
    completions: Column,
    modality: Column,
    title: Column,
    text: Column,
    limits: Mapping[str, int],
    lexicon: Lexicon = ENGLISH,
) -> dict[str, float]:
    """Describe n answers in figures.

    Args:
        completions: n answers.
        modality: n times "text" or "picture".
        title: n titles.
        text: n texts.
        limits: Keywords of an answer, at most, by modality.
        lexicon: The lexicon of the catalogue.

    Returns:
        The mean number of usable keywords; the shares of answers that are malformed (nothing is usable), empty, or
        repeat a keyword; and, as copied, the share of usable keywords that only repeat the title.
    """
    rows = list(zip(completions, modality, title, text, strict=True))
    keywords = [usable(answer, kind, item, limits[kind], lexicon) for answer, kind, _, item in rows]
    parts_of = [[part.strip() for part in split(answer) if part.strip()] for answer in completions]
    n_repeated = sum(len(set(map(lexicon.same, parts))) < len(parts) for parts in parts_of)
    n_keywords = sum(map(len, keywords))
    n_new = sum(len(new_to(name, words, lexicon)) for (_, _, name, _), words in zip(rows, keywords, strict=True))
    return {
        "keywords": n_keywords / max(len(rows), 1),
        "malformed": sum(not words for words in keywords) / max(len(rows), 1),
        "empty": sum(not answer.strip() for answer in completions) / max(len(rows), 1),
        "repeated": n_repeated / max(len(rows), 1),
        "copied": (n_keywords - n_new) / max(n_keywords, 1),
    }


def total(rewards: Mapping[str, Rewards], weights: Mapping[str, float]) -> list[float]:
    """The total reward R of each answer: the weighted sum of the rewards that apply.

    Args:
        rewards: n values of each reward, by its name.
        weights: The weights, by the names of the rewards.
    """
    rows = zip(*rewards.values(), strict=True)
    return [sum(weights[name] * (value or 0.0) for name, value in zip(rewards, row, strict=True)) for row in rows]
