"""While an answer is made, encoders compute the state of each history once.

Those who propose items, fuse scores, look for similar users and measure reasons all ask for the same histories.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
States = dict[bytes, Float32Array]
"""The tokens of a history to its (d,) state."""

_kept: ContextVar[dict[object, States] | None] = ContextVar("kept", default=None)


@contextmanager
def keeping_states() -> Generator[None]:
    """Keep what encoders compute until the block ends; a block inside keeps it in that of the outer one."""
    token = None if _kept.get() is not None else _kept.set({})
    try:
        yield
    finally:
        if token is not None:
            _kept.reset(token)


def states_of(
    encoder: object, tokens: NDArray[np.int32], compute: Callable[[NDArray[np.int32]], Float32Array]
) -> Float32Array:
    """The states of histories, of which those are computed that nobody asked for yet.

    Args:
        encoder: Whose states.
        tokens: (m, l) tokens of m distinct histories.
        compute: (n, d) states of n of these rows.

    Returns:
        (m, d) states.
    """
    by_encoder = _kept.get()
    if by_encoder is None or not len(tokens):
        return compute(tokens)
    states = by_encoder.setdefault(encoder, {})
    keys = [row.tobytes() for row in tokens]
    missing = [place for place, key in enumerate(keys) if key not in states]
    if missing:
        states.update(zip([keys[place] for place in missing], compute(tokens[missing]), strict=True))
    return np.stack([states[key] for key in keys])
