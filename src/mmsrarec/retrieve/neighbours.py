"""Similar users: the exact nearest queries of the training data, under the temporal leakage rule (stage 2).

A training row stands for a user with the history before the row; the row's item is what that user consumed next. A row
can be a neighbour of a query only if it happened strictly earlier, to another user.
"""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve.indexed_rows import Encodes, encoded_rows, indexed_rows
from mmsrarec.retrieve.nearest_users import cosines, first_of_each, may_be_nearest, may_reach, order_of
from mmsrarec.retrieve.search.nearest_search import (
    Float32Array,
    NumpySearch,
    Proposal,
    SearchName,
    make_search,
    rounding,
)
from mmsrarec.retrieve.sequence_copies import SequenceCopies, code_type
from mmsrarec.retrieve.unit_vectors import unit

MIN_COPY_LENGTH = 5
"""Interactions of a sequence that shows two accounts to be copies; shorter ones are equal by chance."""
MAX_SIMILARITIES_HELD = 16_000_000
"""Similarities held at once: 64 MB."""
ASKED_AT_ONCE = 256
"""Queries asked together, at most."""
MAX_REACH = 64.0
"""Vectors proposed for each neighbour at first, at most; a query that needs more asks again."""
INDEX_FILE, ROWS = "moments.safetensors", "rows_per_user"


@dataclass(frozen=True, eq=False)
class NeighbourLists:
    """The k neighbours of each of m queries, nearest first.

    Where there are fewer than k neighbours, the rest holds -1, -1 and 0.

    Attributes:
        user: (m, k) user codes.
        row: (m, k) row numbers, in the training interactions, of what each neighbour consumed next.
        similarity: (m, k) cosines, float32.
    """

    user: IntArray
    row: IntArray
    similarity: Float32Array


def query_times(queries: Queries) -> IntArray:
    """The (m,) times of queries in seconds since 1970.

    Raises:
        MmsrarecError: If a query has no time: without one, nothing may be retrieved.
    """
    time = np.asarray(queries.time)
    if time.shape != (len(queries),) or not np.issubdtype(time.dtype, np.integer) or (time < 0).any():
        raise MmsrarecError(
            "a query has no time (seconds since 1970): give one, so that no context comes from its future"
        )
    return time.astype(np.int64)


class Neighbours:
    """An index of training queries. Building it encodes each indexed row's history once.

    Row numbers and ranks have 32 bits where the log is small enough for that.

    Attributes:
        train: The n training interactions.
        encoder: What turns histories into embeddings.
        rows_per_user: How many of each user's newest rows are in the index; None: all.
        vectors: (p, d) float32, the distinct unit vectors in the order in which they first happened.
        place: (s,) the number of each indexed row's vector, in time order.
        search: What proposes the nearest vectors.
        reference: The search that is asked again where `search` proposed too few.
        rank: (n,) the order of equally near rows: the latest first, then by item and user, so that results do not
            depend on the order of users in the file. Only indexed rows have one.
        rows: (s,) numbers of the rows that share their vector with others, by vector, then rank.
        starts: (p + 1,) the rows of vector v are rows[starts[v] : starts[v + 1]] where it has several.
        times: Distinct times of the indexed rows, ascending.
        keys: (s,) vector and time, from late to early, of `rows` as one ascending number: one search answers for many
            vectors.
        first: (p,) the time at which each vector first happened.
        repeats: The most rows that one user has of one vector.
        only: (p,) the row of each vector that has one row, else -1.
        reach: Vectors to propose for each neighbour wanted, so that the nearest users are among them. It is learned
            from the queries asked so far; results do not depend on it.
        copies: The users of each sequence of at least MIN_COPY_LENGTH items, whole or without its last item.
    """

    def __init__(
        self,
        train: Interactions,
        encoder: Encodes,
        index: SearchName = "exact",
        device: str = "cpu",
        encoded: tuple[Float32Array, IntArray] | None = None,
        rows_per_user: int | None = None,
    ) -> None:
        """Build the index.

        Args:
            train: The n training interactions.
            encoder: What turns histories into embeddings.
            index: The search that a recipe names.
            device: A torch device.
            encoded: The (p, d) distinct vectors and the (s,) number of each indexed row's vector, as `save` wrote them;
                encoded from `train` unless given.
            rows_per_user: How many of each user's newest rows are indexed; None: all.

        Raises:
            MmsrarecError: If `index` names a package that is not installed.
        """
        self.train, self.encoder, self.rows_per_user = train, encoder, rows_per_user
        rows, number = indexed_rows(train, rows_per_user), code_type(len(train))
        self.vectors, place = encoded or encoded_rows(train, rows, encoder)
        self.place = place.astype(number)
        self.reference = NumpySearch(self.vectors)
        self.search = make_search(index, self.vectors, device)
        time = train.time[rows]  # ascending
        self.rank = np.zeros(len(train), dtype=number)
        by_rank = np.lexsort((train.user[rows], train.item[rows], -time))
        self.rank[rows[by_rank]] = np.arange(len(rows), dtype=number)
        is_later = _is_first(time)
        self.times, when = time[is_later], np.cumsum(is_later) - 1
        self.first = time[_is_first(np.maximum.accumulate(self.place))]  # numbers ascend as vectors first happen
        n_rows = np.bincount(self.place, minlength=len(self.vectors))
        self.only = np.full(len(self.vectors), -1, dtype=number)
        single = np.flatnonzero(n_rows[self.place] == 1)
        self.only[self.place[single]] = rows[single]
        shared = np.flatnonzero(n_rows[self.place] > 1)
        shared = shared[np.lexsort((self.rank[rows[shared]], self.place[shared]))]
        self.rows = rows[shared].astype(number)
        vectors = self.place[shared].astype(np.int64)
        self.starts = np.concatenate([[0], np.cumsum(np.where(n_rows > 1, n_rows, 0))]).astype(number)
        self.keys = vectors * (len(self.times) + 1) + len(self.times) - 1 - when[shared]
        self.repeats = int(
            np.unique(vectors * train.n_users + train.user[self.rows], return_counts=True)[1].max(initial=1)
        )
        self.reach = 4.0
        self.copies = SequenceCopies(train, MIN_COPY_LENGTH)

    def save(self, folder: Path) -> None:
        """Write the vectors into a folder, so that `load` need not encode the log again."""
        from safetensors.numpy import save_file  # pyright: ignore[reportUnknownVariableType]

        place = np.full(len(self.train), -1, dtype=np.int32)
        place[indexed_rows(self.train, self.rows_per_user)] = self.place
        tensors = {"vectors": np.ascontiguousarray(self.vectors), "place": place}
        save_file(tensors, folder / INDEX_FILE, {"log": self.train.digest, ROWS: str(self.rows_per_user)})

    @classmethod
    def load(
        cls,
        folder: Path,
        train: Interactions,
        encoder: Encodes,
        index: SearchName = "exact",
        device: str = "cpu",
        rows_per_user: int | None = None,
    ) -> "Neighbours":
        """Read the saved index of `train`; build it anew where none was saved, or one of another log or other rows."""
        from safetensors import safe_open

        if (folder / INDEX_FILE).is_file():
            opened: Any = safe_open(folder / INDEX_FILE, "numpy")  # safetensors has no types
            with opened as saved:
                metadata: dict[str, str] = saved.metadata() or {}
                if (metadata.get("log"), metadata.get(ROWS, "None")) == (train.digest, str(rows_per_user)):
                    place = saved.get_tensor("place")[indexed_rows(train, rows_per_user)]
                    encoded = saved.get_tensor("vectors"), place
                    return cls(train, encoder, index, device, encoded, rows_per_user)
        return cls(train, encoder, index, device, rows_per_user=rows_per_user)

    def neighbours(self, history: ArrayLike, as_of: int | None, k: int = 3, user: int = -1) -> NeighbourLists:
        """Find the k nearest users of one history.

        Args:
            history: Item codes, oldest first.
            as_of: Seconds since 1970; only what happened strictly before counts.
            k: Neighbours.
            user: The code of the history's user; -1 for a user who is not in the data.

        Returns:
            (1, k) neighbours.

        Raises:
            MmsrarecError: If `as_of` is None.
        """
        query = Queries(np.array([user]), np.array([as_of]), np.array([-1]), (np.asarray(history, dtype=np.int64),))
        return self.find(query, k)

    def query_vectors(self, queries: Queries) -> Float32Array:
        """The (m, d) unit vectors of queries."""
        return unit(self.encoder.encode(queries.history))

    def find(self, queries: Queries, k: int, query_vectors: Float32Array | None = None) -> NeighbourLists:
        """Find the k nearest users of each query, each by its own nearest earlier row; among equals, the latest.

        Args:
            queries: m queries, each with a time.
            k: Neighbours of a query.
            query_vectors: The (m, d) unit vectors of the queries; encoded here unless given.

        Returns:
            (m, k) neighbours.

        Raises:
            MmsrarecError: If a query has no time.
        """
        m, time = len(queries), query_times(queries)
        lists = NeighbourLists(
            np.full((m, k), -1, dtype=np.int64), np.full((m, k), -1, dtype=np.int64), np.zeros((m, k), dtype=np.float32)
        )
        if not m or not len(self.train):
            return lists
        query_vectors = self.query_vectors(queries) if query_vectors is None else query_vectors
        until = np.searchsorted(self.first, time)
        same = [self.same_person(queries, i) for i in range(m)]
        most = len(self.train) if self.rows_per_user is None else self.rows_per_user
        n_own = np.array([sum(min(self._n_rows(user), most) for user in users) for users in same])
        by_time = np.argsort(until, kind="stable")
        begin = 0
        while begin < m:
            furthest = int(until[by_time[min(begin + ASKED_AT_ONCE, m) - 1]])
            size = max(1, MAX_SIMILARITIES_HELD // max(furthest, 1)) if self.search.holds_all else ASKED_AT_ONCE
            numbers: IntArray = by_time[begin : begin + min(size, ASKED_AT_ONCE)]
            # the nearest vectors are mostly the user's own, which do not count
            width = n_own[numbers] + ceil(self.reach * k)
            proposals = self.search.propose(query_vectors[numbers], until[numbers], width)
            needed = 0
            for number, proposal, wider in zip(numbers, proposals, width.tolist(), strict=True):
                i = int(number)
                while not self._fill(lists, i, proposal, query_vectors[i], int(time[i]), same[i]):
                    wider *= 8
                    (proposal,) = self.reference.propose(query_vectors[i : i + 1], until[i : i + 1], np.array([wider]))
                if lists.row[i, -1] >= 0:
                    above = np.count_nonzero(proposal.products >= lists.similarity[i, -1])
                    needed = max(needed, int(above) - int(n_own[i]))
            self.reach = min(max(1.25 * needed / k, self.reach / 2, 1.5), MAX_REACH)
            begin += len(numbers)
        return lists

    def same_person(self, queries: Queries, i: int) -> set[int]:
        """Find the query's user and the accounts that copy it: those with the same whole sequence, as far as it shows.

        What shows of the query's user is its training sequence and its history. An account that holds the history and
        one interaction more is a copy as well: the interaction would be the answer.

        Args:
            queries: Queries.
            i: The number of the query.

        Returns:
            User codes.
        """
        user, history = int(queries.user[i]), np.asarray(queries.history[i], dtype=np.int64)
        users = set(self.copies.of(history).tolist())
        if 0 <= user < self.train.n_users:
            own_items = self.train.items_of(user)
            copies = self.copies.of(own_items).tolist()
            users |= {user} | {copy for copy in copies if self._n_rows(copy) == len(own_items)}
        return users

    def _n_rows(self, user: int) -> int:
        """The number of a user's training interactions."""
        return int(self.train.offsets[user + 1] - self.train.offsets[user])

    def _fill(
        self,
        lists: NeighbourLists,
        i: int,
        proposal: Proposal,
        query_vector: Float32Array,
        time: int,
        same: set[int],
    ) -> bool:
        """Fill in query i from the proposed vectors; False where a vector that is left out may be nearer."""
        k = lists.row.shape[1]
        error, same_users = rounding(len(query_vector)), np.fromiter(same, dtype=np.int64)
        only = self.only[proposal.numbers]
        single_users = np.where(only >= 0, self.train.user[only], -1)
        reaching, bound = may_reach(proposal.products, single_users, same_users, k, error)
        numbers, products = proposal.numbers[reaching], proposal.products[reaching]
        rows, source = self._rows_before(numbers, time, k + len(same))
        users = self.train.user[rows]
        other = np.flatnonzero(~np.isin(users, same_users))
        relevant = other[may_be_nearest(products[source[other]], users[other], bound, error)]
        rows, users = rows[relevant], users[relevant]
        similarities = cosines(self.vectors, query_vector, numbers[source[relevant]])
        nearest = first_of_each(users, order_of(similarities, self.rank[rows]))[:k]
        if proposal.floor > -np.inf and (len(nearest) < k or similarities[nearest[-1]] <= proposal.floor + error):
            return False
        lists.user[i, : len(nearest)], lists.row[i, : len(nearest)] = users[nearest], rows[nearest]
        lists.similarity[i, : len(nearest)] = similarities[nearest]
        return True

    def _rows_before(self, numbers: IntArray, time: int, n_users: int) -> tuple[IntArray, IntArray]:
        """The rows of vectors before a time, and the place in `numbers` of each row's vector.

        Of a vector with many rows the first in rank suffice that belong to `n_users` users.
        """
        only = self.only[numbers]
        many = np.flatnonzero(only < 0)
        if not len(many):  # a vector that may be seen has a row before the query
            return only, np.arange(len(numbers))
        single, vectors = np.flatnonzero(only >= 0), numbers[many]
        first = np.searchsorted(
            self.keys,
            vectors.astype(np.int64) * (len(self.times) + 1) + len(self.times) - np.searchsorted(self.times, time),
        )
        # so many rows hold all users that count, however often one user has this very vector
        n_rows = np.minimum(self.starts[vectors + 1] - first, n_users * self.repeats)
        rows = self.rows[np.repeat(first - np.cumsum(n_rows) + n_rows, n_rows) + np.arange(n_rows.sum())]
        return np.concatenate([only[single], rows]), np.concatenate([single, np.repeat(many, n_rows)])


def _is_first(values: IntArray) -> NDArray[np.bool_]:
    """(n,) whether each of ascending values is the first of its kind."""
    is_first = np.ones(len(values), dtype=bool)
    is_first[1:] = values[1:] > values[:-1]
    return is_first
