"""Find similar users: the exact nearest moments of the training data, under the clock rule (stage 2).

A training row stands for "this user, with what it had before the row, then took the row's item". A row can be a
neighbour of a moment only if it happened strictly earlier, to somebody else.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import Events, IntArray
from mmsrarec.data.split import Moments, moments_at
from mmsrarec.errors import MmsrarecError

SHORTEST_COPY = 5  # events: shorter sequences are shared by chance, not because one person has two accounts
CELLS = 16_000_000  # similarities held at once: 64 MB


class Encodes(Protocol):
    """What is asked of an encoder; `retrieve.encode.Encoder` is one."""

    def encode(self, histories: Sequence[IntArray]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Found:
    """The neighbours of m moments, nearest first.

    user: (m, k) codes. row: (m, k) row numbers, in the training events, of what each neighbour took *next*.
    similarity: (m, k) cosine, float32. Where there are fewer than k: -1, -1 and 0.
    """

    user: IntArray
    row: IntArray
    similarity: NDArray[np.float32]


def clock(moments: Moments) -> IntArray:
    """(m,) the moments' times. Raises MmsrarecError if one has none: without a clock, nothing may be retrieved."""
    time = np.asarray(moments.time)
    if time.shape != (len(moments),) or not np.issubdtype(time.dtype, np.integer) or (time < 0).any():
        raise MmsrarecError(
            "a moment has no time (seconds since 1970): give one, so that no context comes from its future"
        )
    return time.astype(np.int64)


class Neighbours:
    """An index of every training moment. Building it encodes each training row's history once."""

    def __init__(self, train: Events, encoder: Encodes) -> None:
        self.train = train
        self.encoder = encoder
        vectors = _unit(encoder.encode(moments_at(train, np.arange(len(train))).history))
        # equal histories have equal vectors: kept once, they are equally near to the last bit, wherever they stand
        self.vectors, place = np.unique(vectors, axis=0, return_inverse=True)
        self.place = place.ravel()
        self.active = np.unique(train.user)
        self.copies: dict[bytes, list[int]] = defaultdict(list)
        for user in self.active:
            items = train.items_of(user)
            if len(items) >= SHORTEST_COPY:
                for sequence in (items, items[:-1]):
                    self.copies[sequence.tobytes()].append(int(user))

    def find(self, moments: Moments, k: int) -> Found:
        """The k nearest users of each moment, each by its own nearest earlier row; equally near: the latest first.

        Raises MmsrarecError if a moment has no time.
        """
        m, time = len(moments), clock(moments)
        found = Found(
            np.full((m, k), -1, dtype=np.int64), np.full((m, k), -1, dtype=np.int64), np.zeros((m, k), dtype=np.float32)
        )
        if not m or not len(self.train):
            return found
        queries = _unit(self.encoder.encode(moments.history))
        block = max(1, CELLS // len(self.train))
        for begin in range(0, m, block):
            these = np.arange(begin, min(begin + block, m))
            near = (queries[these] @ self.vectors.T)[:, self.place]
            near[self.train.time >= time[these, None]] = -np.inf
            for i, row in zip(these, near, strict=True):
                for user in self._same_person(moments, int(i)):
                    row[self.train.rows(user)] = -np.inf
            per_user = np.maximum.reduceat(near, self.train.offsets[self.active], axis=1)
            cut = per_user.shape[1] - min(k, per_user.shape[1])
            worst = np.partition(per_user, cut, axis=1)[:, cut]
            for i, row, least in zip(these, near, worst, strict=True):
                self._take(found, int(i), row, least)
        return found

    def _same_person(self, moments: Moments, i: int) -> set[int]:
        """Codes of the moment's user and of accounts that copy it: the same whole sequence, as far as it is known.

        What is known of the moment's user is its training sequence and its history. An account that holds the history
        and one event more is a copy as well: the event would be the answer.
        """
        user, history = int(moments.user[i]), np.asarray(moments.history[i], dtype=np.int64)
        alike = set(self.copies.get(history.tobytes(), ()))
        if 0 <= user < self.train.n_users:
            own = self.train.items_of(user)
            twins = self.copies.get(own.tobytes(), ())
            alike |= {user} | {v for v in twins if len(self.train.items_of(v)) == len(own)}
        return alike

    def _take(self, found: Found, i: int, near: NDArray[np.float32], least: np.float32) -> None:
        rows = np.flatnonzero((near >= least) & (near > -np.inf))
        time, item, user = self.train.time[rows], self.train.item[rows], self.train.user[rows]
        # item before user: what is found must not hang on the order in which users stand in the file
        rows = rows[np.lexsort((rows, user, item, -time, -near[rows]))]
        _, first = np.unique(self.train.user[rows], return_index=True)
        best = rows[np.sort(first)][: found.row.shape[1]]
        found.user[i, : len(best)] = self.train.user[best]
        found.row[i, : len(best)] = best
        found.similarity[i, : len(best)] = near[best]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length one, so that a product is a cosine; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
