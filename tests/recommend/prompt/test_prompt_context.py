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
from mmsrarec.recommend.prompt.prompt_context import HARDEST, PromptContext, harden, sample_training
from mmsrarec.recommend.settings import PromptFields, RecommendSettings
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


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_training_examples_are_lawful(seed: int, negatives: int) -> None:
    log = make_log(np.random.default_rng(seed), n_users=10, n_items=20, length=5)
    queries, candidates, place = sample_training(log, 15, negatives, np.random.default_rng(seed))
    assert candidates.shape == (15, negatives + 1)
    for row in range(15):
        taken = log.items_of(int(queries.user[row]))
        others = np.delete(candidates[row], place[row])
        assert candidates[row, place[row]] == queries.target[row]
        assert not np.isin(others, taken).any()
        assert len(set(others)) == negatives
        assert len(queries.history[row]) >= 1
        np.testing.assert_array_equal(taken[: len(queries.history[row])], queries.history[row])


def test_what_training_never_shows_is_no_negative() -> None:
    """Or the model would learn that new items are not wanted: they can never be the positive."""
    log = make_log(np.random.default_rng(0), n_users=10, n_items=20, length=5)
    wider = Interactions(log.user, log.item, log.time, log.n_users, 40)  # twenty items that nobody took
    _, candidates, _ = sample_training(wider, 60, 5, np.random.default_rng(0))
    assert set(np.unique(candidates)) <= set(np.flatnonzero(wider.counts))


def test_as_many_negatives_are_new_as_positives() -> None:
    """Of items that appear one after the other, most lie ahead of an early query; that must not count against them."""
    rng = np.random.default_rng(0)
    users, time = np.repeat(np.arange(60), 20), np.tile(np.arange(20), 60) * 60 + np.repeat(np.arange(60), 20)
    log = make_interactions(users, (time // 12 + rng.integers(0, 40, len(time))) % 160, time, 60, 160)
    queries, candidates, place = sample_training(log, 4000, 5, rng)
    first = np.full(log.n_items, log.time.max() + 1)
    np.minimum.at(first, log.item, log.time)
    is_new = first[candidates] >= queries.time[:, None]
    positives = is_new[np.arange(4000), place].mean()
    others = (is_new.sum() - is_new[np.arange(4000), place].sum()) / (4000 * 5)
    everything = (first >= queries.time[:, None]).mean()
    assert 0.05 < positives < everything - 0.1  # or the example says nothing
    assert others == pytest.approx(positives, abs=0.03)
    queries, candidates, place = sample_training(log, 4000, 5, rng, matched=False)
    uniform = first[np.delete(candidates.ravel(), np.arange(4000) * 6 + place)] >= np.repeat(queries.time, 5)
    free = [np.setdiff1d(np.flatnonzero(log.counts), log.items_of(int(user))) for user in queries.user]
    ahead = [(first[items] >= time).mean() for items, time in zip(free, queries.time, strict=True)]
    assert uniform.mean() == pytest.approx(np.mean(ahead), abs=0.02)


def test_users_moments_and_places_are_drawn_uniformly() -> None:
    lengths = np.array([2, 5, 9, 1, 3])  # the fourth has no past to speak of
    log = make_interactions(
        np.repeat(np.arange(5), lengths),
        np.concatenate([np.arange(n) for n in lengths]),
        np.arange(lengths.sum()),
        5,
        20,
    )
    queries, _, place = sample_training(log, 8000, 3, np.random.default_rng(0))
    users = np.bincount(queries.user, minlength=5)
    assert users[3] == 0
    assert np.abs(users[[0, 1, 2, 4]] - 2000).max() < 5 * np.sqrt(2000)
    assert np.abs(np.bincount(place, minlength=4) - 2000).max() < 5 * np.sqrt(2000)
    past = np.bincount([len(h) for h, user in zip(queries.history, queries.user, strict=True) if user == 2])
    assert np.abs(past[1:] - users[2] / 8).max() < 5 * np.sqrt(users[2] / 8)
    assert past[0] == 0


def test_examples_follow_from_the_seed() -> None:
    a, b, c = (sample_training(LOG, 20, 4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a[1], b[1])
    assert not np.array_equal(a[1], c[1])


def test_late_moments_are_drawn_as_often_as_told() -> None:
    """With late = 1 the query at share x comes as often as x: of ten queries of one user, the k-th 2k - 1 times."""
    log = make_interactions(np.zeros(11, dtype=int), np.arange(11), np.arange(11), 1, 20)
    queries, _, _ = sample_training(log, 20_000, 1, np.random.default_rng(0), late=1.0)
    drawn = np.bincount([len(history) for history in queries.history], minlength=11)[1:]
    expected = 200 * (2 * np.arange(10) + 1)
    assert (np.abs(drawn - expected) < 5 * np.sqrt(expected)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 6))
def test_hard_negatives_are_the_highest_that_were_never_taken(seed: int, negatives: int, hard: int) -> None:
    rng = np.random.default_rng(seed)
    log = make_log(rng, n_users=10, n_items=HARDEST + 60, length=5)
    log = Interactions(log.user, log.item, log.time, log.n_users, log.n_items + 3)  # three that training never shows
    hard = min(hard, negatives)
    queries, candidates, place = sample_training(log, 12, negatives, rng)
    scores = rng.normal(size=(12, log.n_items))
    before = candidates.copy()
    found = harden(log, queries, candidates, place, lambda histories: scores, hard, rng)
    np.testing.assert_array_equal(candidates, before)
    for row in range(12):
        assert found[row, place[row]] == queries.target[row]
        others = np.delete(found[row], place[row])
        free = np.setdiff1d(np.flatnonzero(log.counts), log.items_of(int(queries.user[row])))
        assert len(set(others)) == negatives
        assert set(others) <= set(free)
        highest = free[np.argsort(-scores[row, free])][: HARDEST + negatives]
        assert np.isin(others, highest).sum() >= hard
        np.testing.assert_array_equal(others[hard:], np.delete(before[row], place[row])[hard:])


def test_late_is_off_unless_said_and_draws_the_plain_moments() -> None:
    queries, _, place = sample_training(LOG, 3, 4, np.random.default_rng(7))
    rng = np.random.default_rng(7)
    lengths = np.diff(LOG.offsets)
    users = rng.choice(np.flatnonzero(lengths >= 2), 3)
    rows = LOG.offsets[users] + 1 + (rng.random(3) * (lengths[users] - 1)).astype(np.int64)
    np.testing.assert_array_equal(queries.target, LOG.item[rows])
    np.testing.assert_array_equal(place, rng.integers(0, 5, 3))


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
