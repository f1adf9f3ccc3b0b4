"""What encoders computed for an answer is kept until the answer is made, for each encoder apart."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rounds import SMALL

from mmsrarec.retrieve.encoder import Encoder, new_model
from mmsrarec.retrieve.kept_states import keeping_states, states_of

tokens = st.lists(st.integers(0, 5), min_size=1, max_size=5, unique=True).map(
    lambda rows: np.array([[row, row + 1] for row in rows], dtype=np.int32)
)


class Sums:
    """The state of a history is the sum of its tokens; what it computes is counted."""

    def __init__(self) -> None:
        self.computed: list[list[int]] = []

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        self.computed += rows.tolist()
        return rows.sum(axis=1, keepdims=True).astype(np.float32)


@given(st.lists(tokens, min_size=1, max_size=4))
def test_each_history_is_computed_once_and_has_its_own_state(asked: list[np.ndarray]) -> None:
    sums = Sums()
    with keeping_states():
        found = [states_of("one", rows, sums) for rows in asked]
    for rows, states in zip(asked, found, strict=True):
        np.testing.assert_array_equal(states, rows.sum(axis=1, keepdims=True))
    assert sorted(map(tuple, sums.computed)) == sorted({tuple(row) for rows in asked for row in rows.tolist()})


def test_outside_and_for_another_encoder_everything_is_computed() -> None:
    rows, sums = np.array([[1, 2]], dtype=np.int32), Sums()
    states_of("one", rows, sums)
    with keeping_states():
        with keeping_states():
            states_of("one", rows, sums)
        states_of("one", rows, sums)  # the block inside kept it in the outer one
        states_of("another", rows, sums)
    with keeping_states():
        states_of("one", rows, sums)
    assert len(sums.computed) == 4


def test_an_encoder_says_the_same_with_and_without() -> None:
    encoder, histories = Encoder(new_model(30, SMALL), SMALL), [*map(np.arange, range(8))]
    alone = encoder.encode(histories)
    with keeping_states():
        first = encoder.encode(histories[:3])
        again = encoder.encode(histories)
    np.testing.assert_array_equal(again[:3], first)
    np.testing.assert_allclose(again, alone, atol=1e-5)
