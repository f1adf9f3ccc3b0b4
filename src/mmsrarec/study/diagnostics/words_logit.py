"""What the words about a candidate are worth without a language model: a conditional logit on their levels.

The language model reads a few facts about each candidate in words, such as how many users consumed it before
(`recommend.prompt.prompts.FACTS`). Each word is one term, 1 where it stands beside the candidate, else 0. The logit
(McFadden 1974) learns their weights from the targets of validation queries. A language model that ranks below it has
not earned its words. Shapes: m queries, c candidates, k words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.ensemble.conditional_logit import likeliest
from mmsrarec.recommend.prompt.prompt_context import PromptContext, Retrieval
from mmsrarec.recommend.prompt.prompts import FACTS, Fact
from mmsrarec.recommend.settings import PromptFields, RecommendSettings

NAME = "words-logit"
QUERIES_PER_CHUNK = 1024
"""Queries whose context is gathered at once."""


def read_facts(prompt_fields: PromptFields) -> list[Fact]:
    """The facts about a candidate that prompts state in words, in the order of the prompt."""
    return [fact for fact in FACTS if getattr(prompt_fields, fact)]


def one_hot(levels: Sequence[IntArray], sizes: Sequence[int]) -> FloatArray:
    """Mark the word of each fact.

    Args:
        levels: For each fact (m, c) levels.
        sizes: Number of levels of each fact.

    Returns:
        (m, c, k) terms, fact after fact; k is the sum of the sizes.
    """
    return np.concatenate([np.eye(size)[level] for level, size in zip(levels, sizes, strict=True)], axis=2)


@dataclass(eq=False)
class WordsLogit:
    """The logit as a ranker.

    Attributes:
        retrieval: Stage 2, which gathers the levels.
        settings: What prompts state.
        weights: (k,) weights of the words, fact after fact.
        name: Name of the row.
    """

    retrieval: Retrieval
    settings: RecommendSettings
    weights: FloatArray
    name: str = NAME

    @classmethod
    def fit(
        cls, retrieval: Retrieval, settings: RecommendSettings, queries: Queries, items: IntArray, place: IntArray
    ) -> Self:
        """Learn the weights.

        Args:
            retrieval: Stage 2; its soft tokens are not read.
            settings: What prompts state.
            queries: m validation queries.
            items: (m, c) candidates.
            place: (m,) columns of the targets.

        Returns:
            The fitted logit.

        Raises:
            MmsrarecError: Prompts state no fact.
        """
        if not read_facts(settings.prompt_fields):
            raise MmsrarecError("prompts say nothing in words about a candidate: switch on a fact in recommend")
        logit = cls(replace(retrieval, soft=None), settings, np.zeros(0))
        logit.weights = likeliest(logit.terms(queries, items), place)
        return logit

    def terms(self, queries: Queries, candidates: IntArray) -> FloatArray:
        """(m, c, k) terms of candidates."""
        facts, parts = read_facts(self.settings.prompt_fields), list[FloatArray]()
        for begin in range(0, len(queries), QUERIES_PER_CHUNK):
            rows = np.arange(begin, min(begin + QUERIES_PER_CHUNK, len(queries)))
            contexts = self.retrieval.gather(queries.pick(rows), candidates[rows], self.settings)
            parts.append(one_hot(levels_of(contexts, facts), [len(FACTS[fact]) for fact in facts]))
        return np.concatenate(parts) if parts else np.zeros((*candidates.shape, 0))

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        """Score candidates; the words about the whole catalogue are not gathered.

        Args:
            queries: m queries.
            candidates: (m, c) item codes.

        Returns:
            (m, c) scores, log-odds up to a constant of the query.

        Raises:
            MmsrarecError: No candidates are given.
        """
        if candidates is None:
            raise MmsrarecError(f"{NAME} ranks named candidates, not the whole catalogue")
        return self.terms(queries, candidates) @ self.weights

    @property
    def weight_of(self) -> Mapping[str, Mapping[str, float]]:
        """Fact to word to weight."""
        facts = read_facts(self.settings.prompt_fields)
        parts = np.split(self.weights, np.cumsum([len(FACTS[fact]) for fact in facts])[:-1])
        return {
            fact: dict(zip(FACTS[fact], part.tolist(), strict=True)) for fact, part in zip(facts, parts, strict=True)
        }


def levels_of(contexts: Sequence[PromptContext], facts: Sequence[Fact]) -> list[IntArray]:
    """(m, c) levels of each fact."""
    return [np.array([getattr(context, fact) for context in contexts], dtype=np.int64) for fact in facts]
