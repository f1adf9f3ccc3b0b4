"""The protocols ask fair questions: clean negatives, no telling place, no history, the same question every time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmsrarec.data.dataset import make_interactions
from mmsrarec.data.splits import Queries, leave_one_out, user_8_1_1
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate import protocols
from mmsrarec.evaluate.protocols import CoverageRecorder, evaluate_full, evaluate_published, published_candidates
from mmsrarec.evaluate.table_facts import facts


def log(n_users=40, n_items=60, each=8, seed=0):
    rng = np.random.default_rng(seed)
    items = np.concatenate([rng.permutation(n_items)[:each] for _ in range(n_users)])
    return make_interactions(
        np.repeat(np.arange(n_users), each), items, np.tile(np.arange(each), n_users), n_users, n_items
    )


class Table:
    """Scores looked up by (user, item): what it answers cannot depend on how it is asked."""

    name = "table"

    def __init__(self, scores):
        self.scores = scores

    def score(self, queries, candidates):
        rows = self.scores[queries.user]
        return rows if candidates is None else np.take_along_axis(rows, candidates, axis=1)


def oracle(queries, interactions):
    scores = np.zeros((interactions.n_users, interactions.n_items))
    scores[queries.user, queries.target] = 1
    return Table(scores)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["leave-one-out", "user-8-1-1"]))
def test_negatives_are_untouched_and_distinct(seed, split):
    interactions = log(seed=seed % 5)
    test = (leave_one_out(interactions) if split == "leave-one-out" else user_8_1_1(interactions, seed)).test
    asked = published_candidates(test, interactions, seed)
    for row, user in enumerate(test.user):
        place = asked.place[row]
        assert asked.items[row, place] == test.target[row]
        negatives = np.delete(asked.items[row], place)
        assert len(set(negatives)) == 20
        assert not set(negatives) & set(interactions.items_of(int(user)))


def test_an_item_taken_later_is_no_negative():
    interactions = log(n_items=28)  # 8 items each: all 20 others are drawn
    valid = leave_one_out(interactions).valid
    asked = published_candidates(valid, interactions, 0)
    for row, user in enumerate(valid.user):
        assert int(interactions.items_of(int(user))[-1]) not in asked.items[row]


def test_negatives_of_a_stranger_avoid_the_history():
    interactions = log(n_items=30)
    stranger = Queries(np.array([-1]), np.array([99]), np.array([3]), (np.arange(4, 14),))
    asked = published_candidates(stranger, interactions, 0, n=19)  # 30 items, 11 known: all others are drawn
    assert set(asked.items[0]) == {*range(4), *range(14, 30)}
    with pytest.raises(MmsrarecError, match="leaves 20 of 30 items untouched"):
        published_candidates(stranger, interactions, 0, n=20)


def test_the_place_of_the_positive_is_uniform():
    test = leave_one_out(log(n_users=4200)).test
    seen = np.bincount(published_candidates(test, log(n_users=4200), 1).place, minlength=21)
    chi_square = ((seen - 200) ** 2 / 200).sum()
    assert chi_square < 45.3  # 20 degrees of freedom, p = .001


def test_the_digest_names_the_question():
    interactions = log()
    test = leave_one_out(interactions).test
    first = published_candidates(test, interactions, 5)
    assert first.digest == published_candidates(test, interactions, 5).digest
    assert first.digest != published_candidates(test, interactions, 6).digest
    assert first.digest != published_candidates(test.pick(np.arange(30)), interactions, 5).digest


def test_oracle_and_constant():
    interactions = log()
    test = leave_one_out(interactions).test
    asked = published_candidates(test, interactions, 0)
    best = oracle(test, interactions)
    for figures in (evaluate_published(best, test, asked), evaluate_full(best, test, interactions.n_items)):
        assert all(values.shape == (40,) and (values == 1).all() for values in figures.values())
    flat = Table(np.zeros((interactions.n_users, interactions.n_items)))
    assert evaluate_published(flat, test, asked)["HR@5"] == pytest.approx(5 / 21)
    assert evaluate_published(flat, test, asked)["AUC"] == pytest.approx(0.5)
    assert evaluate_full(flat, test, interactions.n_items)["HR@10"] == pytest.approx(
        10 / (60 - 7)
    )  # 7 items of history


def test_shuffled_targets_fall_to_chance():
    interactions = log(n_users=2000, n_items=200)
    test = leave_one_out(interactions).test
    wrong = Queries(test.user, test.time, np.random.default_rng(0).permutation(test.target), test.history)
    figures = evaluate_published(oracle(test, interactions), wrong, published_candidates(wrong, interactions, 0))
    assert figures["AUC"].mean() == pytest.approx(0.5, abs=0.03)
    assert figures["HR@5"].mean() == pytest.approx(5 / 21, abs=0.03)


def test_permuting_candidates_changes_nothing():
    interactions = log()
    test = leave_one_out(interactions).test
    asked = published_candidates(test, interactions, 0)
    rng = np.random.default_rng(1)
    order = np.argsort(rng.random(asked.items.shape), axis=1)
    place = np.argmax(order == asked.place[:, None], axis=1)
    moved = protocols.Candidates(asked.user, np.take_along_axis(asked.items, order, axis=1), place, 0)
    scorer = Table(rng.integers(0, 4, (interactions.n_users, interactions.n_items)))
    for name, values in evaluate_published(scorer, test, asked).items():
        assert values.tolist() == evaluate_published(scorer, test, moved)[name].tolist()


def test_what_the_user_had_does_not_compete():
    interactions = log()
    test = leave_one_out(interactions).test
    scores = np.zeros((interactions.n_users, interactions.n_items))
    scores[test.user, test.target] = 1
    for user, history in zip(test.user, test.history, strict=True):
        scores[user, history] = 2
    assert (evaluate_full(Table(scores), test, interactions.n_items)["HR@5"] == 1).all()


def test_a_target_taken_again_is_ranked_where_that_is_allowed_and_nowhere_else():
    """It was ranked whatever a user had had, though no row of two stages could ever propose it."""
    again = Queries(np.array([0]), np.array([9]), np.array([2]), (np.array([1, 2]),))
    scores = np.array([[0.0, 9.0, 1.0, 2.0]])
    with pytest.raises(ValueError, match="may not be recommended"):
        evaluate_full(Table(scores), again, 4)
    allowed = replace(again, allow_seen=True)
    assert evaluate_full(Table(scores), allowed, 4)["MRR"] == pytest.approx([1 / 3])  # item 1 competes as well


def test_users_who_leave_too_few_items_are_left_out_and_others_are_asked_the_same():
    interactions = log(n_users=6, n_items=30)
    greedy = np.arange(30)
    items, users = np.concatenate([interactions.item, greedy]), np.concatenate([interactions.user, np.full(30, 6)])
    more = make_interactions(users, items, np.concatenate([interactions.time, greedy]), 7, 30)
    test = leave_one_out(more).test
    asked = published_candidates(test, more, 3)
    assert asked.rows.tolist() == asked.user.tolist() == [0, 1, 2, 3, 4, 5]
    alone = published_candidates(leave_one_out(interactions).test, interactions, 3)
    assert alone.digest == asked.digest
    with pytest.raises(ValueError, match=r"pick candidates\.rows"):
        evaluate_published(oracle(test, more), test, asked)
    assert (evaluate_published(oracle(test, more), test.pick(asked.rows), asked)["AUC"] == 1).all()
    few = asked.pick(np.array([4, 1]))
    assert (few.rows.tolist(), few.items.tolist()) == ([4, 1], asked.items[[4, 1]].tolist())
    told = facts(leave_one_out(more), more, 3, asked)
    assert (told["users"], told["test_users"], told["left_out"]) == (6, 7, 1)
    assert told["left_out_reason"] == "they leave too few items untouched"


@pytest.mark.parametrize("n_items", [60, 20_000])
def test_negatives_are_those_of_a_draw_among_all_untouched_items(n_items):
    """The plain way: a mask of the catalogue for each query. Small and large catalogues draw by other algorithms."""
    interactions = log(n_items=n_items)
    test = leave_one_out(interactions).test
    found, rng = published_candidates(test, interactions, 3), np.random.default_rng(3)
    place = rng.integers(21, size=len(test))
    for row, (user, target, history) in enumerate(zip(test.user, test.target, test.history, strict=True)):
        touched = np.concatenate([history, interactions.items_of(int(user)), [target]])
        untouched = np.setdiff1d(np.arange(n_items), touched)
        expected = np.insert(rng.choice(untouched, 20, replace=False), place[row], target)
        assert found.items[row].tolist() == expected.tolist()
        assert found.place[row] == place[row]


def test_large_catalogues_are_ranked_for_fewer_queries_at_once(monkeypatch):
    interactions = log()
    test = leave_one_out(interactions).test
    table, sizes = np.random.default_rng(0).random((interactions.n_users, interactions.n_items)), []

    class Counting(Table):
        def score(self, queries, candidates):
            sizes.append(len(queries))
            return super().score(queries, candidates)

    whole = evaluate_full(Counting(table), test, interactions.n_items)
    assert sizes == [len(test)]
    monkeypatch.setattr("mmsrarec.core.memory.MAX_SCORES_HELD", 3 * interactions.n_items)
    parts = evaluate_full(Counting(table), test, interactions.n_items)
    assert set(sizes[1:-1]) == {3}
    assert all((whole[name] == parts[name]).all() for name in whole)


def test_chunks_change_nothing(monkeypatch):
    interactions = log()
    test = leave_one_out(interactions).test
    scorer = Table(np.random.default_rng(0).random((interactions.n_users, interactions.n_items)))
    whole = evaluate_full(scorer, test, interactions.n_items)
    monkeypatch.setattr(protocols, "QUERIES_PER_CHUNK", 7)
    parts = evaluate_full(scorer, test, interactions.n_items)
    assert all((whole[name] == parts[name]).all() for name in whole)


def test_broken_scorers_are_refused():
    interactions = log()
    test = leave_one_out(interactions).test
    scores = np.zeros((interactions.n_users, interactions.n_items))
    with pytest.raises(ValueError, match="shape"):
        evaluate_full(Table(scores[:, :-1]), test, interactions.n_items)
    scores[3, 4] = np.nan
    with pytest.raises(MmsrarecError, match="table gave 1 scores"):
        evaluate_full(Table(scores), test, interactions.n_items)
    nowhere = Queries(test.user, test.time, np.full(len(test), -1), test.history)
    with pytest.raises(MmsrarecError, match="known target"):
        evaluate_full(Table(scores), nowhere, interactions.n_items)


def test_coverage_is_what_stands_among_anybodys_first_ten():
    interactions = log(n_users=40, n_items=100)
    test = leave_one_out(interactions).test
    same = CoverageRecorder(Table(np.tile(np.arange(100.0), (40, 1))), 100)
    evaluate_full(same, test, 100)
    assert 0.1 <= same.coverage <= 0.2  # the last ten, and what takes the place of those that somebody had
    drawn = CoverageRecorder(Table(np.random.default_rng(0).random((40, 100))), 100)
    found = evaluate_full(drawn, test, 100)
    assert drawn.coverage > 0.9
    assert all(np.array_equal(found[name], values) for name, values in evaluate_full(drawn.scorer, test, 100).items())
    nothing = CoverageRecorder(Table(np.full((40, 100), -np.inf)), 100)
    evaluate_full(nothing, test, 100)
    assert nothing.coverage == 0
    evaluate_published(nothing, test, published_candidates(test, interactions, 0))
    assert nothing.coverage == 0
