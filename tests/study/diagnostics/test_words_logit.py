"""The words-logit reads the words that a prompt says of a candidate, each on its own, and nothing else."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mmsrarec.data.dataset import IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.prompt.prompts import FACTS
from mmsrarec.recommend.settings import PromptFields, RecommendSettings
from mmsrarec.study.diagnostics.words_logit import WordsLogit, one_hot, read_facts

VOTES_ALONE = RecommendSettings(prompt_fields=PromptFields(popularity=False))


@dataclass
class Levels:
    """Stage 2 whose votes for an item are its code modulo the number of levels; all else is 0."""

    soft: str | None = "soft tokens, which are not read"
    sizes: list[int] = field(default_factory=list)

    def gather(self, queries: Queries, candidates: IntArray, settings: RecommendSettings) -> list[PromptContext]:
        assert self.soft is None
        self.sizes.append(len(queries))
        votes = candidates % len(FACTS["neighbour_votes"])
        nothing = (0,) * candidates.shape[1]
        return [
            PromptContext((), (), tuple(codes), nothing, tuple(levels))
            for codes, levels in zip(candidates.tolist(), votes.tolist(), strict=True)
        ]


def problem(m: int, level: int) -> tuple[Queries, IntArray, IntArray]:
    """m queries among six candidates, one of each level of votes; the target is the one of a level."""
    rng = np.random.default_rng(0)
    items = np.stack([rng.permutation(6) + 6 * rng.integers(0, 5) for _ in range(m)])
    place = (items % 6 == level).argmax(axis=1)
    target = items[np.arange(m), place]
    return Queries(np.arange(m), np.ones(m, dtype=int), target, (np.zeros(0, dtype=int),) * m), items, place


@pytest.fixture
def levels() -> Levels:
    return Levels()


def test_one_term_for_each_word() -> None:
    terms = one_hot([np.array([[0, 2]]), np.array([[1, 0]])], [3, 2])
    assert terms.tolist() == [[[1, 0, 0, 0, 1], [0, 0, 1, 1, 0]]]


@pytest.mark.parametrize("level", [0, 3, 5])
def test_it_finds_the_word_that_goes_with_the_target(levels: Any, level: int) -> None:
    queries, items, place = problem(60, level)
    logit = WordsLogit.fit(levels, VOTES_ALONE, queries, items, place)
    assert (logit.score(queries, items).argmax(axis=1) == place).all()
    (weights,) = logit.weight_of.values()
    assert tuple(weights) == FACTS["neighbour_votes"]
    assert max(weights, key=lambda word: weights[word]) == FACTS["neighbour_votes"][level]


def test_a_level_in_the_middle_may_be_the_best_one_so_words_are_no_scale(levels: Any) -> None:
    queries, items, place = problem(60, 2)
    (weights,) = WordsLogit.fit(levels, VOTES_ALONE, queries, items, place).weight_of.values()
    values = list(weights.values())
    assert values[2] > max(values[:2] + values[3:]) + 1


def test_only_the_facts_that_a_prompt_states_are_read(levels: Any) -> None:
    assert read_facts(VOTES_ALONE.prompt_fields) == ["neighbour_votes"]
    assert read_facts(PromptFields(trend=True)) == ["popularity", "neighbour_votes", "trend"]
    nothing = RecommendSettings(prompt_fields=PromptFields(popularity=False, neighbour_votes=False))
    queries, items, place = problem(4, 1)
    with pytest.raises(MmsrarecError, match="say nothing in words"):
        WordsLogit.fit(levels, nothing, queries, items, place)


def test_many_queries_are_gathered_in_parts_and_the_catalogue_is_not(levels: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("mmsrarec.study.diagnostics.words_logit.QUERIES_PER_CHUNK", 7)
    queries, items, place = problem(20, 4)
    logit = WordsLogit.fit(levels, VOTES_ALONE, queries, items, place)
    assert levels.sizes == [7, 7, 6]
    assert logit.terms(queries, items).shape == (20, 6, len(FACTS["neighbour_votes"]))
    with pytest.raises(MmsrarecError, match="not the whole catalogue"):
        logit.score(queries, None)
