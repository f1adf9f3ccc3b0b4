"""How many similar users took an item, in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve.collaborative_context import SHARPNESS, Votes, next_items, share_levels
from mmsrarec.retrieve.neighbours import NeighbourLists
from mmsrarec.retrieve.signals.neighbour_votes import SHARES, VOTE_LEVELS

# user 0 takes 5 6 7, user 1 takes 6 8, user 2 takes 9 at the seconds 1, 2, 3
TRAIN = make_interactions(*(np.array(a) for a in ([0, 0, 0, 1, 1, 2], [5, 6, 7, 6, 8, 9], [1, 2, 3, 1, 2, 1])), 3, 10)


def asked(time: int) -> Queries:
    return Queries(np.array([-1]), np.array([time]), np.array([-1]), (np.array([], dtype=int),))


def found(rows: list[int], similarity: list[float]) -> NeighbourLists:
    row = np.array([rows])
    return NeighbourLists(np.where(row >= 0, TRAIN.user[row], -1), row, np.array([similarity], dtype=np.float32))


def levels(rows: list[int], similarity: list[float], candidates: list[int], time: int = 99, n_next: int = 1):
    """similarity: as it weighs, once sharpened."""
    near = np.sign(similarity) * np.abs(similarity) ** (1 / SHARPNESS)
    n_vote_neighbours = found(rows, near.tolist())
    votes = Votes.of(next_items(n_vote_neighbours, TRAIN, asked(time), n_next)[0], near, n_vote_neighbours.user[0])
    return share_levels(votes, np.array(candidates), SHARES).tolist()


def test_the_heaviest_item_is_many_and_the_absent_nobody() -> None:
    assert levels([0, 3, 5], [1.0, 1.0, 1.0], [5, 6, 9, 0]) == [5, 5, 5, 0]
    assert levels([0, 3, 5], [1.0, 0.2, 0.05], [5, 6, 9]) == [5, 4, 3]
    assert levels([0, 3, 5], [1.0, 0.02, 0.0], [6, 9]) == [2, 0]
    assert levels([0, 3, 5], [1.0, 0.3001, 0.005], [5, 6, 9]) == [5, 5, 1]


def test_steps_count_less_and_neighbours_add_up() -> None:
    # 5: 1, 6: 1/2 + 1, 7: 1/3, 8: 1/2 -> shares 2/3, 1, 2/9, 1/3
    assert levels([0, 3], [1.0, 1.0], [5, 6, 7, 8], n_next=3) == [5, 5, 4, 5]


def test_the_future_and_nobody_say_nothing() -> None:
    assert levels([0, 3], [1.0, 1.0], [5, 6, 7, 8], time=2, n_next=3) == [5, 5, 0, 0]
    assert levels([0], [1.0], [5, 6], time=1) == [0, 0]
    assert levels([-1, -1], [0.0, 0.0], [5, 0]) == [0, 0]
    assert levels([0], [-0.9], [5]) == [0]
    with pytest.raises(MmsrarecError, match="no time"):
        levels([0], [1.0], [5], time=-1)


def test_there_is_a_word_for_every_level() -> None:
    assert len(VOTE_LEVELS) == len(SHARES) + 2
    assert list(SHARES) == sorted(SHARES)


@given(
    st.lists(st.tuples(st.integers(-1, 5), st.floats(-1, 1, width=32)), min_size=1, max_size=6),
    st.permutations(range(10)),
    st.floats(0.25, 1, width=32),
)
def test_levels_hang_on_the_item_alone_and_not_on_the_scale(neighbours, order, scale) -> None:
    rows, near = [row for row, _ in neighbours], [s for _, s in neighbours]
    straight = levels(rows, near, list(range(10)), n_next=2)
    assert [straight[code] for code in order] == levels(rows, near, list(order), n_next=2)
    assert all(0 <= level < len(VOTE_LEVELS) for level in straight)
    weight = {code for row in rows if row >= 0 for code in TRAIN.item[row : row + 2]}
    assert {code for code, level in enumerate(straight) if level} <= weight
    if max(near) > 0 and any(row >= 0 and s > 1e-6 for row, s in neighbours):
        assert max(straight) == len(VOTE_LEVELS) - 1
