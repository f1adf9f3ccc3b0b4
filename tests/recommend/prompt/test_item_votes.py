"""Votes kept as arrays are the votes that are counted one by one, and so is the whole context."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import make_log, make_retrieval

from mmsrarec.data.splits import leave_one_out
from mmsrarec.recommend.prompt.item_votes import ItemVotes, Vote
from mmsrarec.recommend.settings import PromptFields, RecommendSettings
from mmsrarec.retrieve.collaborative_context import Votes, share_levels, voting_neighbours
from mmsrarec.retrieve.signals import neighbour_votes
from mmsrarec.retrieve.signals.transitions import transitions


def one_by_one(ranked: list[tuple[int, float]], entries: Votes) -> tuple[Vote, ...]:
    people: dict[int, set[int]] = {code: set() for code, _ in ranked}
    numbers: dict[int, int] = {}
    for code, person in zip(entries.item.tolist(), entries.person.tolist(), strict=True):
        people.setdefault(code, set()).add(numbers.setdefault(person, len(numbers)))
    return tuple(Vote(code, dict(ranked).get(code, 0.0), frozenset(members)) for code, members in people.items())


@pytest.mark.parametrize("second_source", [False, True])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), rare_votes=st.booleans())
def test_contexts_are_those_of_tables_and_sets(second_source: bool, seed: int, rare_votes: bool) -> None:
    """The plain way: the table of next items, every vote in it, all people of all items."""
    split = leave_one_out(make_log(np.random.default_rng(seed)))
    fields = PromptFields(similar_keywords=True, follows=True, transitions=second_source, rare_votes=rare_votes)
    asked = RecommendSettings(prompt_fields=fields, k_anonymity=2, similar_items=50)
    retrieval, queries = make_retrieval(split.train, n_vote_neighbours=10, n_vote_items=3), split.test
    candidates = np.broadcast_to(np.arange(12), (len(queries), 12))
    gathered = retrieval.gather(queries, candidates, asked)
    ((_, _, voters, items),) = voting_neighbours(retrieval.neighbours, split.train, queries, 10, 3)
    for row, one in enumerate(gathered):
        near, users = voters.similarity[row], voters.user[row]
        own, everyone = Votes.of(items[row, :3], near[:3], users[:3]), Votes.of(items[row], near, users)
        same = retrieval.neighbours.same_person(queries, row)
        second = transitions(retrieval.past, queries, row, same, asked.transition_window)
        sources, people = (own, own.joined(everyone))
        if second_source:
            sources, people = own.joined(second), people.joined(second)
        ranked = sources.ranked(queries.history[row])
        assert one.votes == one_by_one(ranked, people)
        n_people = {vote.item: len(vote.people) for vote in one.votes}
        shown = [code for code, _ in ranked if rare_votes or n_people[code] >= 2]
        assert one.similar == tuple(shown)
        assert one.similar_people == tuple(n_people[code] for code in shown)
        assert one.neighbour_votes == tuple(share_levels(everyone, np.arange(12), neighbour_votes.SHARES).tolist())
        took = [len(set(everyone.person[everyone.item == code].tolist())) for code in range(12)]
        assert one.vote_people == tuple(took)


def test_votes_are_a_sequence_and_arrays_alike() -> None:
    votes = (Vote(4, 0.9, frozenset({0, 1})), Vote(2, 0.5, frozenset({0, 2})), Vote(1, 0.0, frozenset({3})))
    arrays = ItemVotes.of(votes)
    assert ItemVotes.of(arrays) is arrays
    assert arrays == votes
    assert arrays == ItemVotes.of(votes)
    assert hash(arrays) == hash(ItemVotes.of(votes))
    assert (len(arrays), arrays[1], list(arrays)) == (3, votes[1], list(votes))
    assert arrays != votes[:2]
    assert arrays.people_behind(np.array([2, 1])) == 3
    assert arrays.people_behind(np.array([7])) == arrays.people_behind(np.zeros(0, dtype=int)) == 0
    assert ItemVotes.of(()) == ()
