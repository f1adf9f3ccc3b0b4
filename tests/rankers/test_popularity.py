"""Popularity counts, and where it keeps the clock it counts only what happened before the query."""

from typing import ClassVar

import numpy as np
import pytest

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.rankers.popularity import Popularity, PopularityAsOf, RecentPopularity
from mmsrarec.testing import RankerLaws, queries, tiny_log


class TestPopularity(RankerLaws):
    ranker = Popularity
    learns_taste = False


class TestPopularityAsOf(RankerLaws):
    ranker = PopularityAsOf
    learns_taste = False


class TestRecentPopularity(RankerLaws):
    ranker = RecentPopularity
    settings: ClassVar = {"share": 0.3}
    learns_taste = False


def test_popularity_counts() -> None:
    interactions = make_interactions(np.array([0, 0, 1]), np.array([2, 1, 2]), np.array([1, 2, 3]), 2, 4)
    ranker = Popularity().fit(interactions)
    assert ranker.score(queries([]), None).tolist() == [[0, 1, 2, 0]]
    assert ranker.score(queries([]), np.array([[2, 0]])).tolist() == [[2, 0]]


@pytest.mark.parametrize(
    ("time", "user", "expected"),
    [
        (10, -1, [0, 0, 0]),  # nothing is earlier than the first interaction
        (11, -1, [1, 0, 0]),
        (20, -1, [1, 0, 0]),  # an interaction of the same second is not earlier
        (21, -1, [1, 2, 0]),
        (99, -1, [1, 2, 1]),
        (99, 1, [1, 1, 0]),  # without the user's own two
        (21, 1, [1, 1, 0]),  # of which one has not happened yet
    ],
)
def test_popularity_as_of_keeps_the_clock(time: int, user: int, expected: list[int]) -> None:
    interactions = make_interactions(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), np.array([10, 20, 20, 30]), 2, 3)
    ranker = PopularityAsOf().fit(interactions)
    assert ranker.score(queries([0], user=user, time=time), None).tolist() == [expected]


@pytest.mark.parametrize(
    ("time", "user", "expected"),
    [
        (10, -1, [0, 0, 0]),
        (20, -1, [1, 0, 0]),
        (21, -1, [0, 2, 0]),  # the latest two
        (99, -1, [0, 2, 1]),  # the latest two begin at 20, and that second counts whole
        (99, 1, [0, 1, 0]),
        (99, 0, [0, 1, 1]),  # the user's own first interaction was too old to count anyhow
    ],
)
def test_recent_popularity_counts_the_latest_share(time: int, user: int, expected: list[int]) -> None:
    interactions = make_interactions(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), np.array([10, 20, 20, 30]), 2, 3)
    ranker = RecentPopularity(share=0.5).fit(interactions)
    assert ranker.score(queries([0], user=user, time=time), None).tolist() == [expected]


@pytest.mark.parametrize("ranker", [PopularityAsOf, RecentPopularity])
def test_queries_are_served_in_any_order(ranker: type[PopularityAsOf]) -> None:
    interactions = tiny_log()
    test = leave_one_out(interactions).test
    fitted = ranker().fit(interactions)
    backwards = fitted.score(test.pick(np.arange(len(test))[::-1]), None)
    assert (backwards[::-1] == fitted.score(test, None)).all()
