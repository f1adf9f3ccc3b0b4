"""What is known at a query is older than the query, whoever asks; training examples are drawn as published."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import make_log, make_retrieval

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import Queries, leave_one_out, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.prompt.prompt_context import PromptContext
from mmsrarec.recommend.settings import PromptFields, RecommendSettings
from mmsrarec.recommend.training.training_samples import sample_training
from mmsrarec.retrieve.settings import RetrieveSettings

SETTINGS = RecommendSettings(history=3, similar_items=4)
LOG = make_log(np.random.default_rng(0))
CANDIDATES = np.arange(12)


OPTIONS = ("similar_keywords", "transitions", "follows", "recency", "trend")
ALL = SETTINGS.model_copy(update={"prompt_fields": PromptFields(**dict.fromkeys(OPTIONS, True))})


def gather(
    train: Interactions, queries: Queries, asked: RecommendSettings = SETTINGS, **retrieve
) -> list[PromptContext]:
    candidates = np.broadcast_to(CANDIDATES, (len(queries), len(CANDIDATES)))
    return make_retrieval(train, **retrieve).gather(queries, candidates, asked)


def test_evidence_is_what_it_says() -> None:
    queries = leave_one_out(LOG).test
    for row, one in enumerate(gather(leave_one_out(LOG).train, queries)):
        assert one.history == tuple(queries.history[row][-3:])
        assert one.candidates == tuple(CANDIDATES)
        assert len(one.similar) <= 4
        assert not set(one.similar) & set(queries.history[row])
        assert len(one.popularity) == len(one.neighbour_votes) == len(CANDIDATES)
    assert any(max(one.neighbour_votes) > 0 for one in gather(leave_one_out(LOG).train, queries))


@pytest.mark.parametrize("asked", [SETTINGS, ALL], ids=["default", "all options"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), now=st.integers(5, 195))
def test_nothing_at_or_after_the_moment_is_known(asked: RecommendSettings, seed: int, now: int) -> None:
    rng = np.random.default_rng(seed)
    log = make_log(rng)
    past = log.time < now
    future = np.where(past, log.item, rng.permutation(log.item))  # others take other things from now on
    queries = Queries(np.array([-1]), np.array([now]), np.array([-1]), (np.array([3, 5]),))
    (known,) = gather(log, queries, asked)
    changed = make_interactions(log.user, future, log.time, log.n_users, log.n_items)
    assert gather(changed, queries, asked) == gather(log.where(past), queries, asked) == [known]


def test_the_future_would_show_if_it_were_looked_at() -> None:
    known = [
        gather(LOG, Queries(np.array([-1]), np.array([now]), np.array([-1]), (np.array([3, 5]),))) for now in (50, 150)
    ]
    assert known[0] != known[1]


@pytest.mark.parametrize("asked", [SETTINGS, ALL], ids=["default", "all options"])
def test_own_later_events_are_unknown(asked: RecommendSettings) -> None:
    """What a user did from the query on, the target above all, changes nothing of what is known at the query."""
    row = np.array([LOG.offsets[7] + 3])
    queries = queries_at(LOG, row)
    items = LOG.item.copy()
    items[row[0] : LOG.offsets[8]] = (items[row[0] : LOG.offsets[8]] + 11) % LOG.n_items
    changed = make_interactions(LOG.user, items, LOG.time, LOG.n_users, LOG.n_items)
    assert gather(LOG, queries, asked) == gather(changed, queries, asked)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 39))
def test_own_events_are_unknown_whenever_they_were(seed: int, user: int) -> None:
    """What is in the log of the user itself says nothing: the history is all that is known of it."""
    log = make_log(np.random.default_rng(seed))
    query = Queries(np.array([user]), np.array([120]), np.array([-1]), (np.array([3, 5]),))
    own = np.where(log.user == user, (log.item + 7) % log.n_items, log.item)
    changed = make_interactions(log.user, own, log.time, log.n_users, log.n_items)
    assert gather(changed, query, ALL) == gather(log, query, ALL)


def test_what_is_not_shown_is_not_gathered_and_what_is_shown_is() -> None:
    queries = leave_one_out(LOG).test
    plain, everything = gather(LOG, queries), gather(LOG, queries, ALL)
    for one, more in zip(plain, everything, strict=True):
        assert (one.votes, one.follows, one.recency, one.trend) == ((), (), (), ())
        assert len(more.follows) == len(more.recency) == len(more.trend) == len(CANDIDATES)
        assert (one.popularity, one.neighbour_votes, one.vote_people) == (
            more.popularity,
            more.neighbour_votes,
            more.vote_people,
        )
    for name in ("votes", "follows", "recency", "trend"):
        assert len({getattr(more, name) for more in everything}) >= 4


@pytest.mark.parametrize("shown", OPTIONS)
def test_what_the_first_prompt_would_wait_for_is_built_before_it_where_a_prompt_shows_it(shown: str) -> None:
    asked = SETTINGS.model_copy(update={"prompt_fields": PromptFields(**{shown: True})})
    retrieval = make_retrieval(make_log(np.random.default_rng(1)))
    retrieval.prepare(asked)
    assert ("keys" in vars(retrieval.past)) == (shown != "similar_keywords")


def test_people_are_counted_once_each() -> None:
    queries = leave_one_out(LOG).test
    n_vote_neighbours = make_retrieval(LOG).neighbours.find(queries, 10)
    asked = SETTINGS.model_copy(update={"prompt_fields": PromptFields(similar_keywords=True)})
    gathered = gather(LOG, queries, asked, n_vote_neighbours=10, n_vote_items=3)
    for one, users, rows in zip(gathered, n_vote_neighbours.user, n_vote_neighbours.row, strict=True):
        ends = np.minimum(rows + 3, LOG.offsets[users + 1])
        took = [set(LOG.item[row:end].tolist()) for row, end in zip(rows, ends, strict=True)]
        votes = {vote.item: vote for vote in one.votes}
        for item, people in zip(one.similar, one.similar_people, strict=True):
            assert 1 <= people <= sum(item in taken for taken in took)
            assert len(votes[item].people) == people
        assert one.similar == tuple(vote.item for vote in one.votes if vote.weight > 0)[:4]
        assert not {vote.item for vote in one.votes if vote.weight > 0} & set(one.history)
        for people, level in zip(one.vote_people, one.neighbour_votes, strict=True):
            assert (people > 0) == (level > 0)


def test_transitions_are_a_second_source() -> None:
    queries = leave_one_out(LOG).test
    alone, both = (
        gather(
            LOG,
            queries,
            SETTINGS.model_copy(update={"prompt_fields": PromptFields(transitions=on), "similar_items": 50}),
        )
        for on in (False, True)
    )
    assert all(set(a.similar) <= set(b.similar) for a, b in zip(alone, both, strict=True))
    assert any(set(a.similar) < set(b.similar) for a, b in zip(alone, both, strict=True))


def test_a_copy_of_the_account_is_no_source_of_transitions() -> None:
    """The copy holds the answer: user 1 did what user 0 did, and what user 0 is about to do."""
    user, item = np.repeat([0, 1, 2], 6), np.array([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 9, 4, 8, 7, 6, 9])
    log = make_interactions(user, item, np.concatenate([np.arange(6) + 50, np.arange(12)]), 3, 30)
    for code in (0, -1):
        query = Queries(np.array([code]), np.array([60]), np.array([5]), (item[:5],))
        (one,) = gather(log, query, ALL)
        assert one.follows[8] > one.follows[5] == 0
        assert 5 not in one.similar


def test_hushed_voices_are_not_shown() -> None:
    queries = leave_one_out(LOG).test
    asked = SETTINGS.model_copy(update={"k_anonymity": 3, "similar_items": 50})
    hushed = asked.model_copy(update={"prompt_fields": PromptFields(rare_votes=False)})
    loud = gather(LOG, queries, asked)
    for one, less in zip(loud, gather(LOG, queries, hushed), strict=True):
        pairs = zip(one.similar, one.similar_people, strict=True)
        assert less.similar == tuple(item for item, people in pairs if people >= 3)
    people = [people for one in loud for people in one.similar_people]
    assert min(people) < 3 <= max(people)


def test_training_and_test_ask_alike() -> None:
    """A training query, asked as a test would ask about it, has the same prompt context."""
    queries, candidates, _ = sample_training(LOG, 12, 5, np.random.default_rng(1))
    retrieval = make_retrieval(LOG)
    together = retrieval.gather(queries, candidates, SETTINGS)
    for row in range(12):
        one = Queries(
            queries.user[[row]],
            queries.time[[row]],
            np.array([-1]),  # the answer is not part of the question
            (queries.history[row],),
        )
        assert retrieval.gather(one, candidates[[row]], SETTINGS) == [together[row]]


def test_a_moment_without_a_time_is_refused() -> None:
    queries = Queries(np.array([0]), np.array([-1]), np.array([-1]), (np.array([1]),))
    with pytest.raises(MmsrarecError, match="no time"):
        gather(LOG, queries)


def test_picking_candidates_keeps_their_facts() -> None:
    (one,) = gather(LOG, queries_at(LOG, np.array([4])), ALL)
    picked = one.pick([2, 0])
    assert picked.follows == (one.follows[2], one.follows[0])
    assert picked.vote_people == (one.vote_people[2], one.vote_people[0])
    assert picked.candidates == (one.candidates[2], one.candidates[0])
    assert picked.popularity == (one.popularity[2], one.popularity[0])
    assert picked.neighbour_votes == (one.neighbour_votes[2], one.neighbour_votes[0])
    assert (picked.history, picked.similar) == (one.history, one.similar)


def test_evidence_gathered_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    queries = leave_one_out(LOG).test
    at_once = gather(LOG, queries, ALL, n_vote_neighbours=10)
    monkeypatch.setattr("mmsrarec.retrieve.collaborative_context.MAX_NEXT_ITEMS_HELD", 250)  # two queries at a time
    assert gather(LOG, queries, ALL, n_vote_neighbours=10) == at_once


def test_a_crowd_is_a_share_of_the_users_unless_said() -> None:
    sizes = [RetrieveSettings().n_vote_neighbours_of(users) for users in (12, 600, 1_000_000)]
    assert sizes == [50, 100, 5000]
    assert RetrieveSettings(n_vote_neighbours=7).n_vote_neighbours_of(600) == 7


def test_a_candidate_shown_as_new_says_what_an_item_says_that_nobody_took() -> None:
    wider = Interactions(LOG.user, LOG.item, LOG.time, LOG.n_users, LOG.n_items + 1)
    candidates = np.broadcast_to(np.array([3, LOG.n_items, 5]), (40, 3))
    for one in make_retrieval(wider).gather(leave_one_out(wider).test, candidates, ALL):
        for shown in (one.as_cold({0}), one.as_cold({0}).as_cold(())):
            assert shown.pick([0]) == replace(one.pick([1]), candidates=(3,))
            assert shown.pick([1, 2]) == one.pick([1, 2])
