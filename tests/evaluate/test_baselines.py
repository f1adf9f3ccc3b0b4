"""Each baseline does what its name says, and all of them keep the laws of a scorer."""

import numpy as np
import pytest

from mmsrarec.data.dataset import make_events
from mmsrarec.data.split import Moments, leave_one_out
from mmsrarec.evaluate.baselines.popularity import Popularity, PopularityAsOf
from mmsrarec.evaluate.baselines.random_ import Random
from mmsrarec.evaluate.baselines.rules import SequentialRules
from mmsrarec.evaluate.protocol import evaluate_full, evaluate_published, published_candidates


def moment(history, user=-1, time=100):
    return Moments(np.array([user]), np.array([time]), np.array([-1]), (np.array(history, dtype=np.int64),))


def log(n_users=60, n_items=40, each=9, seed=0):
    """Everybody walks from a random start to the next item number: what comes next is known."""
    starts = np.random.default_rng(seed).integers(n_items, size=n_users)
    items = (starts[:, None] + np.arange(each)) % n_items
    times = np.arange(n_users * each).reshape(each, n_users).T
    return make_events(np.repeat(np.arange(n_users), each), items.ravel(), times.ravel(), n_users, n_items)


def als(train, factors=8):
    pytest.importorskip("implicit")
    from mmsrarec.evaluate.baselines.als import Als

    return Als(train, seed=0, factors=factors)


MAKERS = {
    "random": lambda train: Random(train.n_items, 0),
    "popularity": Popularity,
    "popularity-as-of": PopularityAsOf,
    "sequential-rules": SequentialRules,
    "als": als,
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_laws_of_a_scorer(name):
    """Named right; the catalogue and candidate lists agree; order and company change nothing; strangers are served."""
    split = leave_one_out(log())
    scorer = MAKERS[name](split.train)
    assert scorer.name == name
    everything = scorer.score(split.test, None)
    assert everything.shape == (60, 40)
    assert np.isfinite(everything).all()
    candidates = np.argsort(np.random.default_rng(0).random((60, 40)), axis=1)[:, :11]
    asked = scorer.score(split.test, candidates)
    assert asked == pytest.approx(np.take_along_axis(everything, candidates, axis=1), rel=1e-4, abs=1e-5)
    assert scorer.score(split.test, candidates[:, ::-1])[:, ::-1] == pytest.approx(asked, rel=1e-4, abs=1e-5)
    alone = scorer.score(split.test.pick(np.array([17])), candidates[17:18])
    assert alone == pytest.approx(asked[17:18], rel=1e-4, abs=1e-5)
    assert scorer.score(moment([]), None).shape == (1, 40)


def test_random_reads_chance_and_keeps_its_word():
    events = log(n_users=2000)
    test = leave_one_out(events).test
    asked = published_candidates(test, events, 0)
    scorer = Random(events.n_items, 1)
    assert evaluate_published(scorer, test, asked)["AUC"].mean() == pytest.approx(0.5, abs=0.03)
    assert (scorer.score(test, None) == Random(events.n_items, 1).score(test, None)).all()
    assert (scorer.score(test, None) != Random(events.n_items, 2).score(test, None)).any()


def test_popularity_counts():
    events = make_events(np.array([0, 0, 1]), np.array([2, 1, 2]), np.array([1, 2, 3]), 2, 4)
    assert Popularity(events).score(moment([]), None).tolist() == [[0, 1, 2, 0]]
    assert Popularity(events).score(moment([]), np.array([[2, 0]])).tolist() == [[2, 0]]


@pytest.mark.parametrize(
    ("time", "user", "expected"),
    [
        (10, -1, [0, 0, 0]),  # nothing is earlier than the first event
        (11, -1, [1, 0, 0]),
        (20, -1, [1, 0, 0]),  # an event of the same second is not earlier
        (21, -1, [1, 2, 0]),
        (99, -1, [1, 2, 1]),
        (99, 1, [1, 1, 0]),  # without the user's own two
        (21, 1, [1, 1, 0]),  # of which one has not happened yet
    ],
)
def test_popularity_as_of_keeps_the_clock(time, user, expected):
    events = make_events(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), np.array([10, 20, 20, 30]), 2, 3)
    assert PopularityAsOf(events).score(moment([0], user, time), None).tolist() == [expected]


def test_popularity_as_of_serves_moments_in_any_order():
    events = log()
    test = leave_one_out(events).test
    scorer = PopularityAsOf(events)
    backwards = scorer.score(test.pick(np.arange(len(test))[::-1]), None)
    assert (backwards[::-1] == scorer.score(test, None)).all()


def test_rules_by_hand():
    events = make_events(np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1]), np.arange(5), 2, 4)
    rules = SequentialRules(events)
    assert rules.score(moment([0]), None).tolist() == [[0, 2, 0.5, 0]]  # twice one step on, once two
    assert rules.score(moment([0, 1]), None).tolist() == [[0, 1, 1.25, 0]]  # item 0 is now two steps back: halved
    assert rules.score(moment([0, 3, 3, 3, 3]), None).tolist() == [[0, 0, 0, 0]]  # out of the window


def test_rules_find_the_way_everybody_walks():
    events = log()
    split = leave_one_out(events)
    assert evaluate_full(SequentialRules(split.train), split.test, events.n_items)["HR@5"].mean() > 0.9


def test_als_learns_two_camps_and_serves_a_stranger():
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(40), 6), []
    for user in range(40):
        items.append(rng.permutation(10)[:6] + 10 * (user % 2))
    model = als(make_events(users, np.concatenate(items), np.arange(240), 40, 20), factors=2)
    scores = model.score(moment([10, 11, 12]), None)[0]
    unseen = np.setdiff1d(np.arange(20), [10, 11, 12])
    assert set(unseen[np.argsort(-scores[unseen])[:7]]) == set(range(13, 20))
