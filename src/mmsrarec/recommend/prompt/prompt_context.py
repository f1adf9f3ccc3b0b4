"""What is known at a query: gathered by one function for training, evaluation and serving, under one clock."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, UserPreferences
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.retrieve.collaborative_context import Votes, share_levels, voting_neighbours
from mmsrarec.retrieve.item_time_index import ItemTimeIndex
from mmsrarec.retrieve.neighbours import NeighbourLists, Neighbours
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.signals import neighbour_votes as vote_levels
from mmsrarec.retrieve.signals import popularity_levels
from mmsrarec.retrieve.signals import transitions as after_an_item
from mmsrarec.retrieve.signals.trend import recency_levels, trend_levels

HARDEST = 100
"""Hard negatives come from so many of an encoder's highest."""


class Vote(NamedTuple):
    """An item that speaks by its keywords. people: who took it, by numbers that mean nothing outside the query."""

    item: int
    weight: float
    people: frozenset[int]


@dataclass(frozen=True)
class PromptContext:
    """One query, all of it strictly older than the query. What a prompt would not show need not be there.

    history, similar: item codes, history oldest first. votes: what the collaborative keywords are of, the heaviest
    first. candidates: c item codes; popularity, alike, follows, recency, trend: c levels, which index WORDS of
    `recommend.prompts`. similar_people: distinct people behind each of `similar`; alike_people, follows_people: (c,).
    preferences: what they ask for more or less of, in words.
    """

    history: tuple[int, ...]
    similar: tuple[int, ...]
    candidates: tuple[int, ...]
    popularity: tuple[int, ...]
    neighbour_votes: tuple[int, ...]
    follows: tuple[int, ...] = ()
    recency: tuple[int, ...] = ()
    trend: tuple[int, ...] = ()
    votes: tuple[Vote, ...] = ()
    similar_people: tuple[int, ...] = ()
    vote_people: tuple[int, ...] = ()
    follows_people: tuple[int, ...] = ()
    preferences: UserPreferences = NO_PREFERENCES

    def pick(self, places: IntArray | list[int]) -> "PromptContext":
        """The same query with the candidates at `places` only, in that order."""
        chosen: Mapping[str, tuple[int, ...]] = {
            name: tuple(getattr(self, name)[int(place)] for place in places)
            for name in BY_CANDIDATE
            if getattr(self, name)
        }
        return replace(self, **chosen)

    def as_cold(self, places: Collection[int]) -> "PromptContext":
        """The same query as if nobody had taken the candidates at `places` yet."""
        told: Mapping[str, tuple[int, ...]] = {
            name: tuple(0 if place in places else level for place, level in enumerate(getattr(self, name)))
            for name in BY_CANDIDATE
            if name != "candidates"
        }
        return replace(self, **told)


BY_CANDIDATE = (
    "candidates",
    "popularity",
    "neighbour_votes",
    "follows",
    "recency",
    "trend",
    "vote_people",
    "follows_people",
)


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Stage 2 ready for use: the training log, its index of queries, and how much is asked of it."""

    train: Interactions
    neighbours: Neighbours
    settings: RetrieveSettings

    @cached_property
    def past(self) -> ItemTimeIndex:
        return ItemTimeIndex(self.train)

    def gather(self, queries: Queries, candidates: IntArray, settings: RecommendSettings) -> list[PromptContext]:
        """The prompt context for (m, c) candidates at m queries. Raises MmsrarecError if a query has no time."""
        s = self.settings
        popular = popularity_levels.levels(
            self.train, queries, candidates
        )  # at once: it counts its way through the log
        k, n_next = max(s.k, s.n_vote_neighbours_of(self.train.n_users)), max(s.next_items, s.n_vote_items)
        found: list[PromptContext] = []
        for these, asked, voters, following in voting_neighbours(self.neighbours, self.train, queries, k, n_next):
            found += self._gather(asked, candidates[these], popular[these], voters, following, settings)
        return found

    def _gather(
        self,
        queries: Queries,
        candidates: IntArray,
        popular: IntArray,
        voters: NeighbourLists,
        following: IntArray,
        settings: RecommendSettings,
    ) -> list[PromptContext]:
        s, prompt_fields = self.settings, settings.prompt_fields
        recency = recency_levels(self.past, queries, candidates) if prompt_fields.recency else None
        trend = trend_levels(self.past, queries, candidates) if prompt_fields.trend else None
        found = []
        for row in range(len(queries)):
            near, users, history = voters.similarity[row], voters.user[row], queries.history[row]
            few = Votes.of(following[row, : s.k, : s.next_items], near[: s.k], users[: s.k])
            many = Votes.of(following[row, :, : s.n_vote_items], near, users)
            after = Votes.none()
            if prompt_fields.transitions or prompt_fields.follows:
                same = self.neighbours.same_person(queries, row)
                after = after_an_item.transitions(self.past, queries, row, same, settings.transition_window)
            speaking, behind = few, few.joined(many)
            if prompt_fields.transitions:
                speaking, behind = few.joined(after), behind.joined(after)
            ranked = speaking.ranked(history)
            similar = np.array([code for code, _ in ranked], dtype=np.int64)
            people = behind.people(similar)
            if not prompt_fields.rare_votes:
                similar, people = similar[people >= settings.k_anonymity], people[people >= settings.k_anonymity]
            mine = candidates[row]
            found.append(
                PromptContext(
                    history=tuple(history[-settings.history :].tolist()),
                    similar=tuple(similar[: settings.similar_items].tolist()),
                    similar_people=tuple(people[: settings.similar_items].tolist()),
                    votes=_votes(ranked, behind) if prompt_fields.similar_keywords else (),
                    candidates=tuple(mine.tolist()),
                    popularity=tuple(popular[row].tolist()),
                    neighbour_votes=tuple(share_levels(many, mine, vote_levels.SHARES).tolist()),
                    vote_people=tuple(many.people(mine).tolist()),
                    follows=tuple(share_levels(after, mine, after_an_item.SHARES).tolist())
                    if prompt_fields.follows
                    else (),
                    follows_people=tuple(after.people(mine).tolist()) if prompt_fields.follows else (),
                    recency=() if recency is None else tuple(recency[row].tolist()),
                    trend=() if trend is None else tuple(trend[row].tolist()),
                )
            )
        return found


def _votes(ranked: list[tuple[int, float]], behind: Votes) -> tuple[Vote, ...]:
    """The ranked items with the people behind them, then other items of those people, which count for keywords only."""
    number = {person: place for place, person in enumerate(dict.fromkeys(behind.person.tolist()))}
    people: dict[int, set[int]] = {code: set() for code, _ in ranked}
    for code, person in zip(behind.item.tolist(), behind.person.tolist(), strict=True):
        people.setdefault(code, set()).add(number[person])
    weight = dict(ranked)
    return tuple(Vote(code, weight.get(code, 0.0), frozenset(who)) for code, who in people.items())


def without_negatives(train: Interactions) -> NDArray[np.bool_]:
    """(n_users,): who has taken every item of the catalogue, so that there is no negative for them."""
    pairs = np.unique(train.user * train.n_items + train.item)
    return np.bincount(pairs // train.n_items, minlength=train.n_users) >= train.n_items


def sample_queries(
    train: Interactions,
    n: int,
    rng: np.random.Generator,
    late: float = 0.0,
    skipped: NDArray[np.bool_] | None = None,
) -> Queries:
    """n training queries: users are drawn uniformly, then one of their interactions that has a past; see
    `sample_training` for late. skipped: (n_users,), whom nothing is drawn of."""
    lengths = np.diff(train.offsets)
    with_past = np.flatnonzero((lengths >= 2) & (True if skipped is None else ~skipped))
    if not len(with_past):
        raise MmsrarecError(
            "nobody has two training events and an item left to take, so there is nothing to learn from: give a longer "
            "log, or more items"
        )
    users = rng.choice(with_past, n)
    share = rng.random(n) ** (1 / (1 + late))  # whose density is (1 + late) * x**late
    return queries_at(train, train.offsets[users] + 1 + (share * (lengths[users] - 1)).astype(np.int64))


def sample_training(
    train: Interactions, packs: int, negatives: int, rng: np.random.Generator, late: float = 0.0, matched: bool = True
) -> tuple[Queries, IntArray, IntArray]:
    """Training examples: `packs` queries, (packs, 1 + negatives) candidates, and the positive's place among them.

    The query at share x of a history is drawn as often as x**late. The negatives are items the user never took, as far
    as training knows, and the place of the positive is uniform. matched: of negatives as many are new at their query,
    taken by nobody before it, as of positives, so that being new tells nothing by itself; drawn uniformly, most items
    are new to early queries, and the model learns that what is new is not wanted. An item that nobody took in training
    is no negative: it can never be a positive. Nothing is drawn of users who took every item: they leave no negative.
    """
    queries = sample_queries(train, packs, rng, late, without_negatives(train))
    place = rng.integers(0, negatives + 1, packs)
    candidates = np.empty((packs, negatives + 1), dtype=np.int64)
    first = np.full(train.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, train.item, train.time)
    share = np.mean(first[queries.target] >= queries.time) if packs else 0.0
    for row, user in enumerate(queries.user):
        pool = _unseen_items(train, int(user))
        is_new = first[pool] >= queries.time[row]
        novel = rng.binomial(negatives + 1, share if matched else is_new.mean())
        candidates[row] = _drawn(pool[is_new], pool[~is_new], novel, negatives + 1, rng)
        candidates[row, place[row]] = queries.target[row]
    return queries, candidates, place


def _drawn(new: IntArray, known: IntArray, novel: int, count: int, rng: np.random.Generator) -> IntArray:
    """`count` items in any order, `novel` of them new where there are so many, each once where there are enough."""
    if len(new) + len(known) < count:
        return rng.choice(np.concatenate([new, known]), count)
    novel = min(max(novel, count - len(known)), len(new))
    parts = [rng.choice(new, novel, replace=False), rng.choice(known, count - novel, replace=False)]
    return rng.permutation(np.concatenate(parts))


def _unseen_items(train: Interactions, user: int) -> IntArray:
    """What may be a negative for a user: known in training, and not taken by them. Never empty, but for users who are
    `without_negatives`, whom nothing is drawn of."""
    taken = train.items_of(user)
    unseen_items = np.setdiff1d(np.flatnonzero(train.counts), taken)
    if not len(unseen_items):  # whoever took all that is known leaves only the rest
        unseen_items = np.setdiff1d(np.arange(train.n_items), taken)
    return unseen_items


def harden(
    train: Interactions,
    queries: Queries,
    candidates: IntArray,
    place: IntArray,
    scores: Callable[[Sequence[IntArray]], NDArray[np.floating]],
    hard: int,
    rng: np.random.Generator,
) -> IntArray:
    """(m, c) training candidates with `hard` of each row's negatives drawn anew, from the HARDEST that `scores` ranks
    highest at that query: what the model will be asked to put in order where it re-ranks.

    scores: m histories to (m, n_items). Never the target nor an item that the user takes at any time in training.
    """
    candidates = candidates.copy()
    for begin in range(0, len(queries), 512):  # a block of full rankings at a time
        ranked = scores(queries.history[begin : begin + 512])
        for row, values in enumerate(ranked, start=begin):
            negatives = np.delete(np.arange(candidates.shape[1]), place[row])
            pool = _unseen_items(train, int(queries.user[row]))
            pool = np.setdiff1d(pool, candidates[row, negatives[hard:]])
            hardest = pool[np.argsort(-values[pool], kind="stable")[:HARDEST]]
            count = min(hard, len(hardest))
            candidates[row, negatives[:count]] = rng.choice(hardest, count, replace=False)
    return candidates
