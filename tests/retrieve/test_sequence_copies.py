"""Copies of accounts are those that a look at every account finds, also where hashes collide."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data import dataset
from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.retrieve import sequence_copies as module
from mmsrarec.retrieve.sequence_copies import SequenceCopies, code_type


def log_of(sequences: list[list[int]], n_items: int = 3) -> Interactions:
    user = np.repeat(np.arange(len(sequences)), [len(sequence) for sequence in sequences]).astype(np.int64)
    item = np.array([code for sequence in sequences for code in sequence], dtype=np.int64)
    return make_interactions(user, item, np.arange(len(user)), len(sequences), n_items)


def by_hand(sequences: list[list[int]], asked: list[int], min_length: int) -> list[int]:
    """The definition, one account at a time."""
    return [user for user, own in enumerate(sequences) if len(own) >= min_length and (asked in (own, own[:-1]))]


SEQUENCES = st.lists(st.lists(st.integers(0, 2), max_size=5), max_size=8)


@given(SEQUENCES, st.lists(st.integers(-1, 3), max_size=6), st.integers(1, 4), st.sampled_from([1, 6, 10**6]))
@settings(max_examples=60, deadline=None)
def test_it_agrees_with_the_definition_whatever_the_block(sequences, other, min_length, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "ROWS_AT_ONCE", block)
        copies = SequenceCopies(log_of(sequences), min_length)
    for asked in [other, *sequences, *(own[:-1] for own in sequences)]:
        assert copies.of(np.array(asked, dtype=np.int64)).tolist() == by_hand(sequences, asked, min_length)


@given(SEQUENCES)
@settings(max_examples=20, deadline=None)
def test_equal_hashes_are_not_believed(sequences):
    """With a hash that is the same for all, the result is still exact."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_mixed", lambda items: np.zeros(len(items), dtype=np.uint64))
        copies = SequenceCopies(log_of(sequences), 1)
        for asked in sequences:
            assert copies.of(np.array(asked, dtype=np.int64)).tolist() == by_hand(sequences, asked, 1)


def test_order_and_length_are_part_of_a_hash():
    """Hashes that forget either would make every look-up slow."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(50, size=rng.integers(5, 9)).tolist() for _ in range(2000)]
    sequences = [*rows, *(row[::-1] for row in rows)]
    copies = SequenceCopies(log_of(sequences, 50), 5)
    distinct = {tuple(own) for own in sequences} | {tuple(own[:-1]) for own in sequences}
    assert len(np.unique(copies.hashes)) == len(distinct)


def test_two_hashes_and_two_codes_are_all_that_an_account_costs():
    copies = SequenceCopies(log_of([[0, 1, 2, 0, 1]] * 1000), 5)
    assert copies.hashes.nbytes + copies.users.nbytes == 1000 * 2 * (8 + 4)
    assert len(copies.of(np.array([0, 1, 2, 0]))) == 1000


def test_codes_are_small_where_they_can_be():
    assert code_type(0) is code_type(2**31 - 2) is np.int32
    assert code_type(2**31 - 1) is np.int64
