"""Each baseline does what its name says, and all of them keep the laws of a scorer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walks import log, refuse

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import Queries, leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.protocols import evaluate_full, evaluate_published, published_candidates
from mmsrarec.rankers import ease
from mmsrarec.rankers.ease import Ease
from mmsrarec.rankers.item_knn import ItemKnn
from mmsrarec.rankers.popularity import Popularity, PopularityAsOf, RecentPopularity
from mmsrarec.rankers.random_scores import Random
from mmsrarec.rankers.registry import CLASSIC, Source
from mmsrarec.rankers.sequential_rules import SequentialRules
from mmsrarec.rankers.user_knn import UserKnn
from mmsrarec.study.model_names import check_generators, check_rows


def query(history, user=-1, time=100):
    return Queries(np.array([user]), np.array([time]), np.array([-1]), (np.array(history, dtype=np.int64),))


def als(train, factors=8):
    pytest.importorskip("implicit")
    from mmsrarec.rankers.als import Als

    return Als(train, seed=0, factors=factors)


MAKERS = {
    name: als if name == "als" else lambda train, name=name: CLASSIC[name](Source(train, 0, refuse, refuse))
    for name in CLASSIC
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
    assert scorer.score(query([]), None).shape == (1, 40)


@pytest.mark.parametrize("name", MAKERS)
def test_a_row_made_again_says_the_same_to_the_last_bit(name):
    split = leave_one_out(log())
    first, again = (MAKERS[name](split.train).score(split.test, None) for _ in range(2))
    assert (first == again).all()


@pytest.mark.parametrize("name", MAKERS)
def test_a_history_that_training_has_never_seen_is_served(name):
    train = log(n_items=40)
    train = make_interactions(
        train.user, train.item, train.time, train.n_users, 43
    )  # three more items, which nobody took
    scores = MAKERS[name](train).score(query([41, 42, 41]), np.array([[0, 40, 41]]))
    assert scores.shape == (1, 3)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", ["sequential-rules", "item-knn", "user-knn", "als", "ease"])
def test_what_is_taken_together_is_found(name):
    """Everybody walks on from where it stands: the next item is one of few, whoever asks."""
    split = leave_one_out(log())
    assert evaluate_full(MAKERS[name](split.train), split.test, 40)["HR@10"].mean() > 0.5
    stranger = MAKERS[name](split.train).score(query([3, 4, 5]), None)[0]
    assert stranger[[6, 7]].min() > np.delete(stranger, [2, 3, 4, 5, 6, 7, 8, 9]).mean()


def test_random_reads_chance_and_keeps_its_word():
    interactions = log(n_users=2000)
    test = leave_one_out(interactions).test
    asked = published_candidates(test, interactions, 0)
    scorer = Random(interactions.n_items, 1)
    assert evaluate_published(scorer, test, asked)["AUC"].mean() == pytest.approx(0.5, abs=0.03)
    assert (scorer.score(test, None) == Random(interactions.n_items, 1).score(test, None)).all()
    assert (scorer.score(test, None) != Random(interactions.n_items, 2).score(test, None)).any()


def test_popularity_counts():
    interactions = make_interactions(np.array([0, 0, 1]), np.array([2, 1, 2]), np.array([1, 2, 3]), 2, 4)
    assert Popularity(interactions).score(query([]), None).tolist() == [[0, 1, 2, 0]]
    assert Popularity(interactions).score(query([]), np.array([[2, 0]])).tolist() == [[2, 0]]


@pytest.mark.parametrize(
    ("time", "user", "expected"),
    [
        (10, -1, [0, 0, 0]),  # nothing is earlier than the first interaction
        (11, -1, [1, 0, 0]),
        (20, -1, [1, 0, 0]),  # an interaction of the same second is not earlier
        (21, -1, [1, 2, 0]),
        (99, -1, [1, 2, 1]),
        (99, 1, [1, 1, 0]),  # without the user's own two
        (21, 1, [1, 1, 0]),  # of which one has not happened yet
    ],
)
def test_popularity_as_of_keeps_the_clock(time, user, expected):
    interactions = make_interactions(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), np.array([10, 20, 20, 30]), 2, 3)
    assert PopularityAsOf(interactions).score(query([0], user, time), None).tolist() == [expected]


@pytest.mark.parametrize(
    ("time", "user", "expected"),
    [
        (10, -1, [0, 0, 0]),
        (20, -1, [1, 0, 0]),
        (21, -1, [0, 2, 0]),  # the latest two
        (99, -1, [0, 2, 1]),  # the latest two begin at 20, and that second counts whole
        (99, 1, [0, 1, 0]),
        (99, 0, [0, 1, 1]),  # the user's own first interaction was too old to count anyhow
    ],
)
def test_recent_popularity_counts_the_latest_share(time, user, expected):
    interactions = make_interactions(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), np.array([10, 20, 20, 30]), 2, 3)
    assert RecentPopularity(interactions, share=0.5).score(query([0], user, time), None).tolist() == [expected]


@pytest.mark.parametrize("make", [PopularityAsOf, RecentPopularity])
def test_popularity_as_of_serves_moments_in_any_order(make):
    interactions = log()
    test = leave_one_out(interactions).test
    scorer = make(interactions)
    backwards = scorer.score(test.pick(np.arange(len(test))[::-1]), None)
    assert (backwards[::-1] == scorer.score(test, None)).all()


def test_rules_by_hand():
    interactions = make_interactions(np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1]), np.arange(5), 2, 4)
    rules = SequentialRules(interactions)
    assert rules.score(query([0]), None).tolist() == [[0, 2, 0.5, 0]]  # twice one step on, once two
    assert rules.score(query([0, 1]), None).tolist() == [[0, 1, 1.25, 0]]  # item 0 is now two steps back: halved
    assert rules.score(query([0, 3, 3, 3, 3]), None).tolist() == [[0, 0, 0, 0]]  # out of the window


def test_rules_find_the_way_everybody_walks():
    interactions = log()
    split = leave_one_out(interactions)
    assert evaluate_full(SequentialRules(split.train), split.test, interactions.n_items)["HR@5"].mean() > 0.9


def test_als_learns_two_camps_and_serves_a_stranger():
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(40), 6), []
    for user in range(40):
        items.append(rng.permutation(10)[:6] + 10 * (user % 2))
    model = als(make_interactions(users, np.concatenate(items), np.arange(240), 40, 20), factors=2)
    scores = model.score(query([10, 11, 12]), None)[0]
    unseen = np.setdiff1d(np.arange(20), [10, 11, 12])
    assert set(unseen[np.argsort(-scores[unseen])[:7]]) == set(range(13, 20))


def people(*sequences, n_items=4):
    """The log of users who took the given items."""
    lengths = [len(items) for items in sequences]
    user = np.repeat(np.arange(len(sequences)), lengths)
    items = np.array([item for items in sequences for item in items])
    return make_interactions(user, items, np.arange(len(items)), len(sequences), n_items)


def test_item_knn_by_hand():
    rows = ItemKnn(people([0, 1], [0, 1, 2, 2], [2]))  # two people each took 0, 1 and 2
    assert rows.score(query([0]), None) == pytest.approx(np.array([[0, 1, 0.5, 0]]))
    assert rows.score(query([0, 1, 1]), None) == pytest.approx(np.array([[1, 1, 1, 0]]))  # once is as good as twice


def test_user_knn_by_hand():
    train = people([0, 1], [0, 2], [3, 3])
    common, rare = np.log(3 / 2), np.log(3)
    near = common / np.hypot(common, rare)
    one, two = UserKnn(train, k=1), UserKnn(train, k=2)
    assert one.score(query([0, 0]), None) == pytest.approx(np.array([[near, near, 0, 0]]))  # of equals the first
    assert two.score(query([0]), None) == pytest.approx(np.array([[2 * near, near, near, 0]]))
    assert one.score(query([0], user=0), None) == pytest.approx(np.array([[near, 0, near, 0]]))  # never oneself
    far = rare / np.hypot(common, rare)
    assert two.score(query([1]), None) == pytest.approx(np.array([[far, far, 0, 0]]))  # who shares nothing has no vote


def test_ease_by_hand():
    row = Ease(people([0, 1], [0], n_items=2), l2=1)
    assert row.score(query([0]), None) == pytest.approx(np.array([[0, 1 / 3]]))
    assert row.score(query([1]), None) == pytest.approx(np.array([[1 / 2, 0]]))


@given(seed=st.integers(0, 2**32 - 1), l2=st.floats(0.5, 50))
@settings(max_examples=20, deadline=None)
def test_ease_is_the_ridge_regression_of_each_item_on_the_others(seed, l2):
    taken = np.random.default_rng(seed).random((30, 6)) < 0.4
    taken[0] = True
    weights = Ease(people(*(np.flatnonzero(row) for row in taken), n_items=6), l2).weights
    for item in range(6):
        x, y = np.delete(taken, item, axis=1).astype(float), taken[:, item].astype(float)
        expected = np.linalg.solve(x.T @ x + l2 * np.eye(5), x.T @ y)
        assert np.delete(weights[:, item], item) == pytest.approx(expected, abs=1e-4)
    assert (np.diagonal(weights) == 0).all()


def test_rows_are_checked_before_anything_is_made(monkeypatch):
    check_rows(["ease", "sasrec", "mmsrarec"], 20_000)
    with pytest.raises(MmsrarecError, match=r'unknown row "eaes": choose from random'):
        check_rows(["ease", "eaes"], 5)
    with pytest.raises(MmsrarecError, match=r'EASE needs 40.0 GB for 100,000 items .*leave "ease" out'):
        check_rows(["ease"], 100_000)
    check_rows(["als"], 100_000)
    check_generators(["als", "mmsrarec"])
    with pytest.raises(MmsrarecError, match=r"full ranking needs a generator among evaluate.rows: sequential-rules"):
        check_generators(["popularity", "mmsrarec"])
    monkeypatch.setattr(ease, "MOST_ITEMS", 3)
    with pytest.raises(MmsrarecError, match="EASE needs"):
        Ease(people([0, 1]))
