"""Each law finds the ranker that breaks it; a sound ranker keeps them all."""

import itertools
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from mmsrarec.data.dataset import FloatArray, IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.rankers import RankerBase, RankerSettings
from mmsrarec.testing import RankerLaws
from mmsrarec.testing.ranker_laws import refusal

COUNTER = itertools.count()


class TogetherSettings(RankerSettings):
    """How much each common user counts."""

    weight: float = Field(default=1.0, gt=0, description="factor of a count of users in common")


class WeightedEnsemble(RankerBase):
    """An item's score is how many users it has in common with each item of the history."""

    name = "together"
    Settings = TogetherSettings

    def _fit(self, interactions: Interactions, seed: int) -> None:
        consumed = np.zeros((interactions.n_users, interactions.n_items))
        consumed[interactions.user, interactions.item] = self.settings.weight
        self.common = consumed.T @ consumed

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = np.zeros((len(queries), self.n_items))
        for row, history in zip(scores, queries.history, strict=True):
            row[:] = self.common[history[history < self.n_items]].sum(axis=0)
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"common": self.common}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.common = arrays["common"]


class TestTogether(RankerLaws):
    ranker = WeightedEnsemble


class LooseSettings(BaseModel):
    """Takes any key, and describes none."""

    weight: float = 1.0


class Loose(WeightedEnsemble):
    Settings = LooseSettings


class Unfitted(WeightedEnsemble):
    def score(self, queries: Queries, candidates: IntArray | None = None) -> FloatArray:
        return np.zeros((len(queries), 1))


class LooksAtCompany(WeightedEnsemble):
    """Scores are relative to the best candidate."""

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = super()._score(queries, candidates)
        return scores - scores.max(axis=1, keepdims=True, initial=0)


class LooksAtTheBatch(WeightedEnsemble):
    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        return super()._score(queries, candidates) + len(queries)


class NeedsSomebody(WeightedEnsemble):
    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        if not len(queries):
            return np.zeros((0,))
        return super()._score(queries, candidates)


class Drawn(WeightedEnsemble):
    """Ignores its seed."""

    def _fit(self, interactions: Interactions, seed: int) -> None:
        super()._fit(interactions, seed)
        self.common = self.common + next(COUNTER)


class Forgets(WeightedEnsemble):
    """What is saved is rounded."""

    def _state(self) -> dict[str, NDArray[Any]]:
        return {"common": self.common * 1.000001}


class TakesAnything(WeightedEnsemble):
    """Loads whatever is there."""

    @classmethod
    def load(cls, folder: Path) -> "TakesAnything":
        loaded = cls()
        loaded.common = np.load(folder / "common.npy")
        loaded._known = np.load(folder / "known.npy")
        return loaded


class Tires(WeightedEnsemble):
    """Each scoring changes it."""

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        self.common *= 0.99
        return super()._score(queries, candidates)


class Cheats(WeightedEnsemble):
    """Gives the target the best score."""

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = super()._score(queries, None)
        scores[np.arange(len(queries)), np.maximum(queries.target, 0)] += 99
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)


class KnowsAll(WeightedEnsemble):
    """Claims to rank what nobody consumed."""

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.ones_like(super().known)


class SaysNothing(WeightedEnsemble):
    """Gives no score to an item that it declares to know."""

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = super()._score(queries, None)
        scores[:, 0] = np.nan
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)


class Stumbles(WeightedEnsemble):
    """Looks up items that joined later."""

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        for history in queries.history:
            _ = self.common[history]
        return super()._score(queries, candidates)


class StrangersBreakIt(WeightedEnsemble):
    """Looks up users who joined later."""

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        _ = np.zeros(self.n_users)[queries.user]
        return super()._score(queries, candidates)


class SeesTheFuture(WeightedEnsemble):
    """Declares that it looks at the past of a query alone, and counts everything."""

    needs_time: ClassVar[bool] = True


class Popular(WeightedEnsemble):
    """Recommends the same to everybody."""

    def _score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        scores = np.tile(np.diagonal(self.common), (len(queries), 1))
        return scores if candidates is None else np.take_along_axis(scores, candidates, axis=1)


BREAKS = {
    Unfitted: "test_an_unfitted_ranker_says_what_to_do",
    Loose: "test_settings_are_described_and_strict",
    LooksAtCompany: "test_scores_are_of_all_items_or_of_the_candidates",
    LooksAtTheBatch: "test_a_score_does_not_depend_on_the_other_queries",
    NeedsSomebody: "test_nobody_and_nothing_are_served",
    Drawn: "test_equal_seeds_give_bit_equal_scores",
    Forgets: "test_a_saved_ranker_scores_the_same_to_the_last_bit",
    TakesAnything: "test_what_another_ranker_saved_is_refused",
    Tires: "test_scoring_changes_nothing",
    Cheats: "test_the_target_is_not_looked_at",
    KnowsAll: "test_it_declares_what_it_can_rank",
    SaysNothing: "test_of_what_it_does_not_know_nothing_is_said",
    Stumbles: "test_items_that_joined_later_may_stand_in_a_history",
    StrangersBreakIt: "test_people_who_joined_later_are_served",
    SeesTheFuture: "test_the_future_has_no_part_where_it_declares_so",
    Popular: "test_the_checkerboard_is_learned",
}


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.__name__)
def test_the_law_finds_who_breaks_it(broken: type[RankerBase], tmp_path: Path) -> None:
    class Laws(RankerLaws):
        ranker = broken

    law = getattr(Laws(), BREAKS[broken])
    needs_folder = "tmp_path" in law.__func__.__code__.co_varnames[:2]
    with pytest.raises((AssertionError, IndexError)):
        law(tmp_path) if needs_folder else law()


def test_there_is_a_breaker_for_every_law() -> None:
    assert {*BREAKS.values()} == {name for name in dir(RankerLaws) if name.startswith("test_")}


def test_a_call_that_is_not_refused_is_an_error() -> None:
    with pytest.raises(AssertionError, match="no MmsrarecError was raised"):
        refusal(lambda: None)
