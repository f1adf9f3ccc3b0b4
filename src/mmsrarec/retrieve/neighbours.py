"""Find similar users: the exact nearest queries of the training data, under the temporal leakage rule (stage 2).

A training row stands for "this user, with what it had before the row, then took the row's item". A row can be a
neighbour of a query only if it happened strictly earlier, to somebody else.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve.nearest_search import Float32Array, NumpySearch, Proposal, SearchName, make_search, rounding

MIN_COPY_LENGTH = 5  # interactions: shorter sequences are shared by chance, not because one person has two accounts
MAX_SIMILARITIES_HELD = 16_000_000  # similarities held at once: 64 MB
FILE = "moments.safetensors"


class HistoryEncoder(Protocol):
    """What is asked of an encoder; `retrieve.encode.Encoder` is one. The search itself asks for no scores."""

    def encode(self, histories: Sequence[IntArray]) -> NDArray[np.float32]: ...

    def scores(self, histories: Sequence[IntArray]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class NeighbourLists:
    """The neighbours of m queries, nearest first.

    user: (m, k) codes. row: (m, k) row numbers, in the training interactions, of what each neighbour took *next*.
    similarity: (m, k) cosine, float32. Where there are fewer than k: -1, -1 and 0.
    """

    user: IntArray
    row: IntArray
    similarity: Float32Array


def query_times(queries: Queries) -> IntArray:
    """(m,) the queries' times. Raises MmsrarecError if one has none: without a clock, nothing may be retrieved."""
    time = np.asarray(queries.time)
    if time.shape != (len(queries),) or not np.issubdtype(time.dtype, np.integer) or (time < 0).any():
        raise MmsrarecError(
            "a moment has no time (seconds since 1970): give one, so that no context comes from its future"
        )
    return time.astype(np.int64)


class Neighbours:
    """An index of every training query. Building it encodes each training row's history once.

    vectors: (p, d) float32, the distinct ones of length one, in the order in which they first happened. starts:
    (p + 1,), the rows of vector v are rows[starts[v] : starts[v + 1]], latest first.
    """

    def __init__(
        self,
        train: Interactions,
        encoder: HistoryEncoder,
        index: SearchName = "exact",
        device: str = "cpu",
        made: tuple[Float32Array, IntArray] | None = None,
    ) -> None:
        """made: distinct vectors and the (n,) number of each row's, where they are known: what `save` wrote.

        Raises MmsrarecError where `index` names a package that is not installed.
        """
        self.train, self.encoder = train, encoder
        self.vectors, self.place = made or distinct(
            _unit(encoder.encode(queries_at(train, np.arange(len(train))).history)), train.by_time
        )
        self.reference = NumpySearch(self.vectors)
        self.search = make_search(index, self.vectors, device)
        # equally near rows: the latest first; then item before user, for what is found must not hang on the order in
        # which users stand in the file
        self.rank = np.empty(len(train), dtype=np.int64)
        self.rank[np.lexsort((train.user, train.item, -train.time))] = np.arange(len(train))
        self.rows = np.lexsort((self.rank, self.place))
        self.starts = np.searchsorted(self.place[self.rows], np.arange(len(self.vectors) + 1))
        self.times, when = np.unique(train.time, return_inverse=True)
        # (vector, time from late to early) as one number, so that one search in `keys` answers for many vectors
        self.keys = self.place[self.rows] * (len(self.times) + 1) + len(self.times) - 1 - when[self.rows]
        first = np.full(len(self.vectors), len(self.times))
        np.minimum.at(first, self.place, when)
        self.first = self.times[first] if len(self.times) else first
        self.repeats = int(np.unique(self.place * train.n_users + train.user, return_counts=True)[1].max(initial=1))
        self.copies: dict[bytes, list[int]] = defaultdict(list)
        for user in np.unique(train.user):
            items = train.items_of(user)
            if len(items) >= MIN_COPY_LENGTH:
                for sequence in (items, items[:-1]):
                    self.copies[sequence.tobytes()].append(int(user))

    def save(self, folder: Path) -> None:
        """Write queries.safetensors, so that `load` need not encode the log again."""
        from safetensors.numpy import save_file

        made = {"vectors": self.vectors, "place": self.place.astype(np.int32)}
        save_file(made, folder / FILE, {"log": self.train.digest})

    @classmethod
    def load(
        cls,
        folder: Path,
        train: Interactions,
        encoder: HistoryEncoder,
        index: SearchName = "exact",
        device: str = "cpu",
    ) -> "Neighbours":
        """The saved index of `train`; built anew where none was saved, or another log's."""
        from safetensors import safe_open

        if (folder / FILE).is_file():
            with safe_open(folder / FILE, "numpy") as saved:
                if (saved.metadata() or {}).get("log") == train.digest:
                    made = saved.get_tensor("vectors"), saved.get_tensor("place").astype(np.int64)
                    return cls(train, encoder, index, device, made)
        return cls(train, encoder, index, device)

    def neighbours(self, history: ArrayLike, as_of: int | None, k: int = 3, user: int = -1) -> NeighbourLists:
        """The k nearest users of one history as it stands at a query: item codes, oldest first; (1, k) neighbours.

        as_of: seconds since 1970; only what happened strictly before counts. user: whose history it is, -1 for somebody
        who is not in the data. Raises MmsrarecError without a query.
        """
        one = Queries(np.array([user]), np.array([as_of]), np.array([-1]), (np.asarray(history, dtype=np.int64),))
        return self.find(one, k)

    def find(self, queries: Queries, k: int) -> NeighbourLists:
        """The k nearest users of each query, each by its own nearest earlier row; equally near: the latest first.

        Raises MmsrarecError if a query has no time.
        """
        m, time = len(queries), query_times(queries)
        found = NeighbourLists(
            np.full((m, k), -1, dtype=np.int64), np.full((m, k), -1, dtype=np.int64), np.zeros((m, k), dtype=np.float32)
        )
        if not m or not len(self.train):
            return found
        query_vectors = _unit(self.encoder.encode(queries.history))
        until = np.searchsorted(self.first, time)
        same = [self.same_person(queries, i) for i in range(m)]
        # the nearest vectors are mostly the user's own, which do not count
        own = np.array([sum(self.train.rows(user).stop - self.train.rows(user).start for user in who) for who in same])
        width = own + 4 * k
        by_time = np.argsort(until, kind="stable")
        begin = 0
        while begin < m:
            block = max(1, MAX_SIMILARITIES_HELD // max(int(until[by_time[min(begin + 255, m - 1)]]), 1))
            these = by_time[begin : begin + min(block, 256)]
            proposed = self.search.propose(query_vectors[these], until[these], width[these])
            for i, one in zip(these.tolist(), proposed, strict=True):
                wider = int(width[i])
                while not self._take(found, i, one, query_vectors[i], int(time[i]), same[i]):
                    wider *= 8
                    (one,) = self.reference.propose(query_vectors[i : i + 1], until[i : i + 1], np.array([wider]))
            begin += len(these)
        return found

    def same_person(self, queries: Queries, i: int) -> set[int]:
        """Codes of the query's user and of accounts that copy it: the same whole sequence, as far as it is known.

        What is known of the query's user is its training sequence and its history. An account that holds the history
        and one interaction more is a copy as well: the interaction would be the answer.
        """
        user, history = int(queries.user[i]), np.asarray(queries.history[i], dtype=np.int64)
        alike = set(self.copies.get(history.tobytes(), ()))
        if 0 <= user < self.train.n_users:
            own = self.train.items_of(user)
            twins = self.copies.get(own.tobytes(), ())
            alike |= {user} | {v for v in twins if len(self.train.items_of(v)) == len(own)}
        return alike

    def _take(
        self, found: NeighbourLists, i: int, proposed: Proposal, query_vector: Float32Array, time: int, same: set[int]
    ) -> bool:
        """Fill in query i from the proposed vectors; False where a vector that is left out may be nearer."""
        k, numbers = found.row.shape[1], proposed.numbers
        near = cosines(self.vectors[numbers], query_vector)
        past = np.searchsorted(self.times, time)
        begin = np.searchsorted(self.keys, numbers * (len(self.times) + 1) + len(self.times) - past)
        # so many rows hold k users that count, however often one user has this very vector
        kept = np.minimum(self.starts[numbers + 1] - begin, (k + len(same)) * self.repeats)
        rows = self.rows[np.repeat(begin - np.cumsum(kept) + kept, kept) + np.arange(kept.sum())]
        near = np.repeat(near, kept)
        users = self.train.user[rows]
        order = np.lexsort((self.rank[rows], -near))
        order = order[~np.isin(users[order], list(same))]
        _, first = np.unique(users[order], return_index=True)
        best = order[np.sort(first)[:k]]
        if proposed.floor > -np.inf:
            enough = proposed.floor + rounding(len(query_vector))
            if len(best) < k or near[best[-1]] <= enough:
                return False
        found.user[i, : len(best)], found.row[i, : len(best)] = users[best], rows[best]
        found.similarity[i, : len(best)] = near[best]
        return True


def distinct(vectors: Float32Array, order: IntArray) -> tuple[Float32Array, IntArray]:
    """Equal histories have equal vectors: each is kept once, in the order of its first row.

    vectors: (n, d); order: (n,) rows in time order. Returns (p, d) and, for each row, its vector's number, (n,).
    """
    if not len(vectors):
        return vectors, np.zeros(0, dtype=np.int64)
    ordered = np.ascontiguousarray(vectors[order] + np.float32(0))  # -0 and 0 are one number, but not one byte
    as_bytes = ordered.view(np.dtype((np.void, ordered.shape[1] * 4))).ravel()
    _, first, inverse = np.unique(as_bytes, return_index=True, return_inverse=True)
    by_first = np.argsort(first)
    number = np.empty(len(first), dtype=np.int64)
    number[by_first] = np.arange(len(first))
    place = np.empty(len(vectors), dtype=np.int64)
    place[order] = number[inverse]
    return ordered[first[by_first]], place


def cosines(vectors: Float32Array, query_vector: Float32Array) -> Float32Array:
    """(p, d) and (d,), all of length one -> (p,) cosines, right to the last bit of float32 whoever stands beside."""
    return (vectors.astype(np.float64) * query_vector.astype(np.float64)).sum(axis=1).astype(np.float32)


def _unit(vectors: Float32Array) -> Float32Array:
    """Rows of length one, so that a product is a cosine; a zero row stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
