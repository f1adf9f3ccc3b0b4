"""Finds the accounts that hold the same sequence of items, by a hash of 8 bytes for each."""

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray, Interactions

UInt64Array = NDArray[np.uint64]
BASE = np.uint64(0x9E3779B97F4A7C15)
"""The odd number whose powers weigh the places of a sequence."""


class SequenceCopies:
    """The users of each sequence of at least `min_length` items, whole or without its last item.

    A sequence's hash is the sum of its mixed items, each times a power of BASE that its place gives, modulo 2**64. So
    one running sum over the log gives the hashes of all users. Equal hashes are compared item by item: hashes only
    save memory, and the result is exact.

    Attributes:
        train: The n training interactions.
        hashes: (h,) hashes in ascending order: two for each user whose sequence is long enough.
        users: (h,) the user code of each hash, 32 bits where they suffice.
    """

    def __init__(self, train: Interactions, min_length: int) -> None:
        self.train = train
        lengths = np.diff(train.offsets)
        users = np.flatnonzero(lengths >= min_length)
        self.powers = _powers(int(lengths.max(initial=0)))
        hashes = np.concatenate(self._hashes(users))
        order = np.argsort(hashes, kind="stable")
        self.hashes = hashes[order]
        self.users = np.concatenate([users, users])[order].astype(code_type(train.n_users))

    def _hashes(self, users: IntArray) -> tuple[UInt64Array, UInt64Array]:
        """The (u,) hashes of users' whole sequences, and (u,) without the last items; the log is read in blocks."""
        offsets = self.train.offsets
        whole, shorter = (np.empty(len(users), dtype=np.uint64) for _ in range(2))
        for block, rows in self.train.user_blocks():
            begin, end = int(rows.start), int(rows.stop)
            place: IntArray = np.arange(begin, end) - offsets[self.train.user[rows]]
            sums = np.zeros(end - begin + 1, dtype=np.uint64)
            np.cumsum(_mixed(self.train.item[rows]) * self.powers[place], out=sums[1:])
            inside = slice(*np.searchsorted(users, [block.start, block.stop]).tolist())
            starts, ends = offsets[users[inside]] - begin, offsets[users[inside] + 1] - begin
            whole[inside], shorter[inside] = sums[ends] - sums[starts], sums[ends - 1] - sums[starts]
        return whole, shorter

    def of(self, sequence: IntArray) -> IntArray:
        """The users whose sequence, whole or without its last item, is the given one.

        Args:
            sequence: Item codes, oldest first.

        Returns:
            User codes, ascending.
        """
        if len(sequence) > len(self.powers):
            return np.empty(0, dtype=np.int64)
        value = np.sum(_mixed(sequence) * self.powers[: len(sequence)], dtype=np.uint64)
        places = slice(np.searchsorted(self.hashes, value, "left"), np.searchsorted(self.hashes, value, "right"))
        users = np.unique(self.users[places]).astype(np.int64)
        lengths = np.diff(self.train.offsets)[users] if len(users) else users
        users = users[(lengths == len(sequence)) | (lengths == len(sequence) + 1)]
        if not len(users):
            return users
        items = self.train.item[self.train.offsets[users][:, None] + np.arange(len(sequence))]
        return users[(items == sequence).all(axis=1)]


def code_type(n: int) -> type[np.signedinteger]:
    """The smaller of int32 and int64 that holds the numbers from -1 to n."""
    return np.int32 if n < 2**31 - 1 else np.int64


def _powers(n: int) -> UInt64Array:
    """(n,) powers of BASE, from the first on, modulo 2**64."""
    return np.multiply.accumulate(np.full(n, BASE, dtype=np.uint64))


def _mixed(items: IntArray) -> UInt64Array:
    """Item codes as numbers without a pattern, by the last steps of splitmix64 (Steele et al. 2014)."""
    mixed = items.astype(np.uint64) + BASE
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
