"""Counts, last times, trends and transitions agree with a look at every interaction, and know nothing they must not."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.data.splits import Queries, queries_at
from mmsrarec.errors import MmsrarecError
from mmsrarec.retrieve import item_time_index
from mmsrarec.retrieve.item_time_index import ItemTimeIndex
from mmsrarec.retrieve.signals import transitions as transitions_module
from mmsrarec.retrieve.signals import trend as trend_module
from mmsrarec.retrieve.signals.transitions import TRANSITION_LEVELS, transitions
from mmsrarec.retrieve.signals.trend import RECENCY, TREND, recency_levels, trend_levels

ITEMS = np.arange(6)


def random_interactions(seed: int, n: int = 80) -> Interactions:
    rng = np.random.default_rng(seed)
    return make_interactions(rng.integers(8, size=n), rng.integers(5, size=n), rng.integers(20, size=n), 8, 6)


def at(user: int, time: int, history=(0, 1)) -> Queries:
    return Queries(np.array([user]), np.array([time]), np.array([-1]), (np.array(history, dtype=int),))


def signals(interactions: Interactions, query: Queries) -> list:
    """All that the signals of this file say at one query."""
    past, everything = ItemTimeIndex(interactions), ITEMS[None, :]
    votes = transitions(past, query, 0, {int(query.user[0])}, window=3)
    said = [recency_levels(past, query, everything), trend_levels(past, query, everything)]
    return [*(levels.tolist() for levels in said), votes.ranked(np.array([])), votes.people(ITEMS).tolist()]


@given(st.integers(0, 10_000), st.integers(-1, 7), st.integers(0, 21))
@settings(max_examples=30, deadline=None)
def test_the_past_is_what_a_look_at_every_event_shows(seed: int, user: int, time: int) -> None:
    interactions = random_interactions(seed)
    past = ItemTimeIndex(interactions)
    others = (interactions.user != user) & (interactions.time < time)
    counts = [int((others & (interactions.item == item)).sum()) for item in ITEMS]
    last = [max(interactions.time[others & (interactions.item == item)].tolist(), default=-1) for item in ITEMS]
    assert past.by_others(ITEMS, user, time).tolist() == counts
    assert past.last_by_others(ITEMS, user, time).tolist() == last
    assert past.until(time) == (interactions.time < time).sum()


@given(st.integers(0, 10_000), st.integers(-1, 7), st.integers(0, 21))
@settings(max_examples=30, deadline=None)
def test_the_words_follow_their_definitions(seed: int, user: int, time: int) -> None:
    interactions, query = random_interactions(seed), at(user, time)
    others = np.flatnonzero((interactions.user != user) & (interactions.time < time))
    when = np.sort(interactions.time[others])
    recency = recency_levels(ItemTimeIndex(interactions), query, ITEMS[None])[0]
    trend = trend_levels(ItemTimeIndex(interactions), query, ITEMS[None])[0]
    for item in ITEMS:
        mine = interactions.time[others][interactions.item[others] == item]
        if not len(mine):
            assert (recency[item], trend[item]) == (0, 0)
            continue
        share = np.log1p((when > mine.max()).sum()) / np.log1p(len(when))
        assert recency[item] == 7 - min(int(share * 7), 6)
        start = when[len(when) - max(1, round(0.1 * len(when)))]
        ratio = Fraction(1 + int((mine >= start).sum())) / (
            1 + Fraction(len(mine) * int((when >= start).sum()), len(when))
        )
        assert trend[item] == (3 if ratio >= Fraction(3, 2) else 1 if ratio <= Fraction(2, 3) else 2)


@given(st.integers(0, 10_000), st.integers(-1, 7), st.integers(0, 21), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_transitions_are_those_of_others_before_the_moment(seed: int, user: int, time: int, window: int) -> None:
    interactions, query = random_interactions(seed), at(user, time, (3, 1, 0))
    weight, people = np.zeros(6), [set() for _ in ITEMS]
    for back, had in enumerate((0, 1, 3)[:window], start=1):
        for row in np.flatnonzero((interactions.item == had) & (interactions.user != user)):
            for step in range(1, window + 1):
                after = row + step
                if (
                    after < len(interactions)
                    and interactions.user[after] == interactions.user[row]
                    and interactions.time[after] < time
                ):
                    weight[interactions.item[after]] += 1 / (step * back)
                    people[interactions.item[after]].add(interactions.user[after])
    votes = transitions(ItemTimeIndex(interactions), query, 0, {user}, window)
    np.testing.assert_allclose(np.bincount(votes.item, votes.weight, 6), weight)
    assert votes.people(ITEMS).tolist() == [len(who) for who in people]


@given(st.integers(0, 10_000), st.integers(-1, 7), st.integers(0, 21))
@settings(max_examples=30, deadline=None)
def test_events_at_or_after_the_moment_and_own_events_change_nothing(seed: int, user: int, time: int) -> None:
    interactions, rng = random_interactions(seed), np.random.default_rng(seed)
    query = at(user, time)
    known = signals(interactions, query)
    more = 30
    later = make_interactions(
        np.append(interactions.user, rng.integers(8, size=more)),
        np.append(interactions.item, rng.integers(6, size=more)),
        np.append(interactions.time, time + rng.integers(3, size=more)),
        8,
        6,
    )
    assert signals(later, query) == known
    if user >= 0:
        own = make_interactions(
            np.append(interactions.user, np.full(more, user)),
            np.append(interactions.item, rng.integers(6, size=more)),
            np.append(interactions.time, rng.integers(25, size=more)),
            8,
            6,
        )
        assert signals(own, query) == known
        assert signals(interactions.where(interactions.user != user), query) == known


def test_the_guards_are_what_holds_the_future_and_oneself_back(monkeypatch) -> None:
    """Without the clock, or as somebody else, other things are said."""
    interactions = random_interactions(0)
    queries = queries_at(interactions, np.arange(10, len(interactions)))
    one = [queries.pick(np.array([i])) for i in range(len(queries))]
    known = [signals(interactions, query) for query in one]
    strangers = [signals(interactions, Queries(np.array([-1]), m.time, m.target, m.history)) for m in one]
    for part in range(3):
        assert any(a[part] != b[part] for a, b in zip(known, strangers, strict=True))
    for module in (trend_module, transitions_module):
        monkeypatch.setattr(module, "query_times", lambda m: np.full(len(m), 99))
    blind = [signals(interactions, query) for query in one]
    for part in range(3):
        assert any(a[part] != b[part] for a, b in zip(known, blind, strict=True))


def test_recency_counts_events_not_seconds() -> None:
    # items 0, 1, 2 are taken 1, 10 and 100 interactions before the query; 3 never
    item = np.full(101, 5)
    item[[0, 90, 99]] = [2, 1, 0]
    interactions = make_interactions(np.arange(101), item, np.arange(101) ** 2, 101, 6)
    told = recency_levels(ItemTimeIndex(interactions), at(-1, 101**2), ITEMS[None])[0]
    # log(1 + 1), log(1 + 10) and log(1 + 100) as shares of log(1 + 101): .15, .52, .998, and 0 for the latest
    assert [RECENCY[level] for level in told[[0, 1, 2, 3, 5]]] == [
        "taken lately", "taken a while ago", "taken ages ago", "never taken", "taken just now",
    ]  # fmt: skip


def test_trends_are_told_by_the_newest_tenth() -> None:
    item = np.full(100, 5)
    item[:40] = 0  # falling: 40 of 100, none of the newest ten
    item[40:88:2] = 1  # steady: 24 and 3 of the newest ten
    item[[90, 91, 92]] = 1
    item[[93, 94, 95]] = 2  # rising: new
    item[50] = 3  # once, long ago: too little to tell
    interactions = make_interactions(np.arange(100), item, np.arange(100), 100, 6)
    told = trend_levels(ItemTimeIndex(interactions), at(-1, 100), ITEMS[None])[0]
    assert [TREND[level] for level in told[:5]] == ["falling", "steady", "rising", "steady", "without a trend"]
    assert trend_levels(ItemTimeIndex(interactions), at(-1, 0), ITEMS[None])[0].tolist() == [0] * 6


def test_a_transition_needs_the_item_first_and_weighs_less_with_distance() -> None:
    # user 0 takes 1 2 3, user 1 takes 2 4
    interactions = make_interactions(*(np.array(a) for a in ([0, 0, 0, 1, 1], [1, 2, 3, 2, 4], [1, 2, 3, 4, 5])), 2, 6)
    past = ItemTimeIndex(interactions)
    assert transitions(past, at(-1, 9, (2,)), 0, set(), 2).ranked(np.array([])) == [(3, 1.0), (4, 1.0)]
    assert transitions(past, at(-1, 9, (1, 2)), 0, set(), 2).ranked(np.array([])) == [(3, 1.25), (4, 1.0), (2, 0.5)]
    assert transitions(past, at(-1, 5, (2,)), 0, set(), 2).ranked(np.array([])) == [(3, 1.0)]
    assert transitions(past, at(-1, 9, (2,)), 0, {0}, 2).ranked(np.array([])) == [(4, 1.0)]
    for history in ((), (-1,), (5,)):
        assert not len(transitions(past, at(-1, 9, history), 0, set(), 2).item)


def test_a_word_for_every_level_and_a_time_for_every_moment() -> None:
    assert all(len(set(words)) == len(words) for words in (RECENCY, TREND, TRANSITION_LEVELS))
    past = ItemTimeIndex(random_interactions(0))
    for asked in (recency_levels, trend_levels):
        with pytest.raises(MmsrarecError, match="no time"):
            asked(past, at(0, -1), ITEMS[None])
    with pytest.raises(MmsrarecError, match="no time"):
        transitions(past, at(0, -1), 0, set(), 2)


@pytest.mark.parametrize("block", [7, 10**6])
@pytest.mark.parametrize("seed", range(6))
def test_rows_and_keys_are_those_of_a_sort(seed: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_time_index, "ROWS_AT_ONCE", block)
    interactions = random_interactions(seed)
    past = ItemTimeIndex(interactions)
    by_time = np.argsort(interactions.time, kind="stable")
    place = np.argsort(by_time)
    rows = np.lexsort((interactions.time, interactions.item))
    np.testing.assert_array_equal(past.rows(slice(None)), rows)
    np.testing.assert_array_equal(past.rows(np.array([3, 0])), rows[[3, 0]])
    np.testing.assert_array_equal(past.keys, interactions.item[rows] * len(rows) + place[rows])
    np.testing.assert_array_equal([past.time_at(n) for n in range(len(rows))], interactions.time[by_time])
    asked = np.arange(-1, 22)
    np.testing.assert_array_equal(past.n_before(asked), [(interactions.time < time).sum() for time in asked])
    asked = ((-1, 3), (0, 9), (5, 19))
    highest = [past.highest_by_others(user, time) for user, time in asked]
    monkeypatch.setattr(item_time_index, "ROWS_AT_ONCE", 10**6)
    assert [ItemTimeIndex(interactions).highest_by_others(user, time) for user, time in asked] == highest


def test_a_log_has_one_index_which_builds_nothing_that_nobody_asks_for() -> None:
    interactions = random_interactions(3)
    past = ItemTimeIndex.of(interactions)
    assert ItemTimeIndex.of(interactions) is past
    assert past.by_others(ITEMS[:5], -1, 10**6).tolist() == interactions.counts[:5].tolist()
    assert past.highest_by_others(-1, 10**6) == interactions.counts.max()
    assert "keys" not in past.__dict__  # after the whole log, counts suffice
    assert not {"by_time", "times"} & interactions.__dict__.keys()
    assert past.by_others(np.array([5, 77]), -1, 10**6).tolist() == past.by_others(np.array([5, 77]), -1, 19).tolist()


def test_an_empty_log_has_an_empty_past() -> None:
    nothing = random_interactions(0, n=0)
    past = ItemTimeIndex(nothing)
    assert past.by_others(ITEMS, 1, 5).tolist() == [0] * 6
    assert past.highest_by_others(1, 5) == 0
    assert past.last_by_others(ITEMS[:0], 1, 5).tolist() == []
