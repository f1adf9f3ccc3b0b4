"""Prompt context: what is known at a query. One function gathers it for training, evaluation and serving.

Only interactions strictly before the query count: the temporal leakage rule.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmsrarec.data.dataset import IntArray, Interactions
from mmsrarec.data.splits import Queries
from mmsrarec.recommend.prompt.item_votes import ItemVotes, Vote
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, UserPreferences
from mmsrarec.recommend.settings import RecommendSettings
from mmsrarec.recommend.soft.soft_sources import SoftSources
from mmsrarec.retrieve.collaborative_context import Votes, blocks, count_people, share_levels
from mmsrarec.retrieve.item_time_index import ItemTimeIndex
from mmsrarec.retrieve.neighbours import NeighbourLists, Neighbours, query_times
from mmsrarec.retrieve.settings import RetrieveSettings
from mmsrarec.retrieve.signals import neighbour_votes as vote_levels
from mmsrarec.retrieve.signals import popularity_levels
from mmsrarec.retrieve.signals import transitions as after_an_item
from mmsrarec.retrieve.signals.trend import recency_levels, trend_levels

HARDEST = 100
"""Hard negatives come from so many of an encoder's highest."""


MAX_SOFT_HISTORY = 50
"""Items of a history that soft tokens are made from, at most."""


@dataclass(frozen=True)
class PromptContext:
    """What is known at one query. A field that the prompt does not show may be empty.

    A level is an index into the words of its signal in `recommend.prompt.prompts.FACTS`.

    Attributes:
        history: Item codes of the user's newest items, oldest first.
        similar: Item codes that similar users consumed next, the heaviest first.
        candidates: c item codes.
        popularity: c levels of how many users consumed the candidate before.
        neighbour_votes: c levels of how many similar users consumed the candidate next.
        follows: c levels of how often the candidate came soon after the last items of the history.
        recency: c levels of when the candidate was last consumed.
        trend: c levels of whether the candidate is rising.
        votes: The items whose keywords are the collaborative keywords, the heaviest first.
        similar_people: Number of distinct users behind each item of `similar`.
        vote_people: c numbers of distinct users behind `neighbour_votes`.
        follows_people: c numbers of distinct users behind `follows`.
        preferences: What the user wants more or less of.
        cold: c marks of the candidates that are shown as if nobody had consumed them; empty: none is.
        soft_history: Item codes of the newest items of the history, oldest first, from which soft tokens are made.
        state: (k,) the user's state, which soft tokens read (`recommend.soft`); None without soft tokens.
    """

    history: tuple[int, ...]
    similar: tuple[int, ...]
    candidates: tuple[int, ...]
    popularity: tuple[int, ...]
    neighbour_votes: tuple[int, ...]
    follows: tuple[int, ...] = ()
    recency: tuple[int, ...] = ()
    trend: tuple[int, ...] = ()
    votes: Sequence[Vote] = ()
    similar_people: tuple[int, ...] = ()
    vote_people: tuple[int, ...] = ()
    follows_people: tuple[int, ...] = ()
    preferences: UserPreferences = NO_PREFERENCES
    cold: tuple[bool, ...] = field(default=(), compare=False)
    soft_history: tuple[int, ...] = ()
    state: NDArray[np.float32] | None = field(default=None, compare=False)

    @classmethod
    def of_candidates(cls, codes: Sequence[int]) -> "PromptContext":
        """What is known of candidates that no prompt is rendered of: which items they are."""
        return cls((), (), tuple(codes), (), ())

    def pick(self, places: IntArray | list[int]) -> "PromptContext":
        """The same query with fewer candidates.

        Args:
            places: Places in `candidates`, in the order wanted.

        Returns:
            The context of these candidates.
        """
        columns: Mapping[str, tuple[int, ...]] = {
            name: tuple(getattr(self, name)[int(place)] for place in places)
            for name in CANDIDATE_FIELDS
            if getattr(self, name)
        }
        return replace(self, **columns)

    def as_cold(self, places: Collection[int]) -> "PromptContext":
        """The same query as if nobody had consumed some of the candidates yet.

        Args:
            places: Places in `candidates` whose levels and numbers become 0.

        Returns:
            The context with the same candidates.
        """
        if not places:
            return self
        cold = tuple(place in places for place in range(len(self.candidates)))
        levels: Mapping[str, tuple[int, ...]] = {
            name: tuple(0 if place in places else level for place, level in enumerate(getattr(self, name)))
            for name in CANDIDATE_FIELDS
            if name not in ("candidates", "cold")
        }
        return replace(self, cold=cold, **levels)


CANDIDATE_FIELDS = (
    "candidates",
    "popularity",
    "neighbour_votes",
    "follows",
    "recency",
    "trend",
    "vote_people",
    "follows_people",
    "cold",
)
"""The fields of `PromptContext` that hold one value a candidate."""


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Stage 2 ready for use.

    Attributes:
        train: The training log.
        neighbours: The index of similar users.
        settings: Settings of stage 2.
        soft: What soft tokens are made from; None without soft tokens.
    """

    train: Interactions
    neighbours: Neighbours
    settings: RetrieveSettings
    soft: SoftSources | None = None

    @cached_property
    def past(self) -> ItemTimeIndex:
        """The times at which each item of the training log was consumed."""
        return ItemTimeIndex.of(self.train)

    def prepare(self, settings: RecommendSettings) -> None:
        """Build now what the first prompt context would wait for: 10 s for 100 million interactions.

        Args:
            settings: What a prompt shows.
        """
        fields = settings.prompt_fields
        if fields.recency or fields.trend or fields.transitions or fields.follows:
            _ = self.past.keys

    def gather(self, queries: Queries, candidates: IntArray, settings: RecommendSettings) -> list[PromptContext]:
        """Gather the prompt context of queries.

        Args:
            queries: m queries.
            candidates: (m, c) item codes.
            settings: What a prompt shows, and how much of it.

        Returns:
            m prompt contexts.

        Raises:
            MmsrarecError: A query has no time.
        """
        s = self.settings
        popularity = popularity_levels.levels(self.train, queries, candidates)
        k, n_next = max(s.k, s.n_vote_neighbours_of(self.train.n_users)), max(s.next_items, s.n_vote_items)
        contexts: dict[int, PromptContext] = {}
        by_time = np.argsort(query_times(queries), kind="stable")  # a block then sees about the same part of the log
        parts = list(blocks(len(queries), k * n_next))
        # encoded in the given order: the last bit of a vector depends on the others that are encoded with it
        vectors = [self.neighbours.query_vectors(queries.pick(part)) for part in parts]
        query_vectors = np.concatenate(vectors) if vectors else np.zeros((0, 0), dtype=np.float32)
        for rows in (by_time[part] for part in parts):
            block = queries.pick(rows)
            voters = self.neighbours.find(block, k, query_vectors[rows])
            gathered = self._gather(block, candidates[rows], popularity[rows], voters, settings)
            contexts.update(zip(rows.tolist(), gathered, strict=True))
        in_order = [contexts[row] for row in range(len(queries))]
        if self.soft is None or not settings.soft.sources:
            return in_order
        return self._with_soft_tokens(in_order, self.soft, queries)

    @staticmethod
    def _with_soft_tokens(contexts: list[PromptContext], soft: SoftSources, queries: Queries) -> list[PromptContext]:
        """The contexts with users' states and the items that have soft tokens."""
        histories = [tuple(history[-MAX_SOFT_HISTORY:].tolist()) for history in queries.history]
        return [
            replace(context, soft_history=history, state=state)
            for context, history, state in zip(contexts, histories, soft.states(queries.history), strict=True)
        ]

    def _gather(
        self,
        queries: Queries,
        candidates: IntArray,
        popularity: IntArray,
        voters: NeighbourLists,
        settings: RecommendSettings,
    ) -> list[PromptContext]:
        """The prompt context of a block of queries, from their similar users."""
        s, prompt_fields = self.settings, settings.prompt_fields
        recency = recency_levels(self.past, queries, candidates) if prompt_fields.recency else None
        trend = trend_levels(self.past, queries, candidates) if prompt_fields.trend else None
        contexts: list[PromptContext] = []
        for row, time in enumerate(query_times(queries).tolist()):
            rows, users, near = voters.row[row], voters.user[row], voters.similarity[row]
            history = queries.history[row]
            own_votes = Votes.after(rows[: s.k], users[: s.k], near[: s.k], self.train, time, s.next_items)
            all_votes = Votes.after(rows, users, near, self.train, time, s.n_vote_items)
            transition_votes = Votes.none()
            if prompt_fields.transitions or prompt_fields.follows:
                same_person = self.neighbours.same_person(queries, row)
                window = settings.transition_window
                transition_votes = after_an_item.transitions(self.past, queries, row, same_person, window)
            source_votes, sources = own_votes, [own_votes, all_votes]
            if prompt_fields.transitions:
                source_votes, sources = own_votes.joined(transition_votes), [*sources, transition_votes]
            ranked = source_votes.ranked(history)
            similar = np.array([code for code, _ in ranked], dtype=np.int64)
            if prompt_fields.rare_votes:
                similar = similar[: settings.similar_items]
            n_people = count_people(sources, similar)
            if not prompt_fields.rare_votes:
                anonymous = n_people >= settings.k_anonymity
                similar, n_people = similar[anonymous], n_people[anonymous]
            codes = candidates[row]
            contexts.append(
                PromptContext(
                    history=tuple(history[-settings.history :].tolist()),
                    similar=tuple(similar[: settings.similar_items].tolist()),
                    similar_people=tuple(n_people[: settings.similar_items].tolist()),
                    votes=ItemVotes.from_sources(ranked, sources) if prompt_fields.similar_keywords else (),
                    candidates=tuple(codes.tolist()),
                    popularity=tuple(popularity[row].tolist()),
                    neighbour_votes=tuple(share_levels(all_votes, codes, vote_levels.SHARES).tolist()),
                    vote_people=tuple(all_votes.people(codes).tolist()),
                    follows=tuple(share_levels(transition_votes, codes, after_an_item.SHARES).tolist())
                    if prompt_fields.follows
                    else (),
                    follows_people=tuple(transition_votes.people(codes).tolist()) if prompt_fields.follows else (),
                    recency=() if recency is None else tuple(recency[row].tolist()),
                    trend=() if trend is None else tuple(trend[row].tolist()),
                )
            )
        return contexts
