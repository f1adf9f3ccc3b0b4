"""The small logs are what they say."""

import numpy as np
import pytest

from mmsrarec.testing import checkerboard, grown, queries, tiny_log


def test_everybody_walks_to_the_next_item() -> None:
    log = tiny_log(n_users=7, n_items=5, length=4)
    assert (len(log), log.n_users, log.n_items) == (28, 7, 5)
    assert len(np.unique(log.time)) == 28
    for user in range(7):
        assert (np.diff(log.items_of(user)) % 5 == 1).all()
    assert tiny_log(seed=1).digest != tiny_log().digest == tiny_log().digest


@pytest.mark.parametrize("n", [4, 20])
def test_one_item_of_their_parity_is_left_to_everybody(n: int) -> None:
    board = checkerboard(n)
    for user in range(n):
        left = np.setdiff1d(np.arange(user % 2, n, 2), board.items_of(user))
        assert left.tolist() == [user]
        assert (board.items_of(user) % 2 == user % 2).all()
        assert (np.diff(board.time[board.rows(user)]) > 0).all()


def test_a_catalogue_grows_and_nothing_else_changes() -> None:
    log, more = tiny_log(), grown(tiny_log(), 3)
    assert more.n_items == log.n_items + 3
    assert (more.counts[-3:] == 0).all()
    assert (more.item == log.item).all()


def test_queries_are_of_the_histories_that_are_named() -> None:
    asked = queries([3, 1], [], user=4, time=9)
    assert [history.tolist() for history in asked.history] == [[3, 1], []]
    assert asked.user.tolist() == [4, 4]
    assert asked.time.tolist() == [9, 9]
