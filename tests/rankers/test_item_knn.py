"""Item kNN is the truncated cosine of items, checked against a slow reference."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import people

from mmsrarec.data.dataset import FloatArray, Interactions, make_interactions
from mmsrarec.data.splits import leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.rankers import interaction_matrix, item_knn
from mmsrarec.rankers.interaction_matrix import block_ends, training_matrix
from mmsrarec.rankers.item_knn import ItemKnn
from mmsrarec.testing import RankerLaws, queries, tiny_log


class TestItemKnn(RankerLaws):
    ranker = ItemKnn


class TestItemKnnOfFew(RankerLaws):
    ranker = ItemKnn
    settings: ClassVar = {"k": 12, "shrinkage": 2.0}


class TestItemKnnOfConsumed(RankerLaws):
    ranker = ItemKnn
    settings: ClassVar = {"k": 12, "neighbours_of": "consumed"}


SIDES = ("scored", "consumed")


def slow_reference(log: Interactions, k: int | None, shrinkage: float, side: str) -> FloatArray:
    """(n_items, n_items) weights of consumed and scored items, in loops and dense float64: the definition."""
    users = [{int(u) for u in log.user[log.item == item]} for item in range(log.n_items)]
    weights = np.zeros((log.n_items, log.n_items))
    for a in range(log.n_items):
        for b in range(log.n_items):
            if a != b and users[a] and users[b]:
                weights[a, b] = len(users[a] & users[b]) / (np.sqrt(len(users[a]) * len(users[b])) + shrinkage)
        if k is not None:
            weights[a, np.argsort(-weights[a], kind="stable")[k:]] = 0
    return weights if side == "consumed" else weights.T


@given(st.integers(0, 10**6), st.sampled_from([None, 1, 3, 50]), st.sampled_from([0.0, 2.5]), st.sampled_from(SIDES))
@settings(max_examples=40, deadline=None)
def test_it_agrees_with_the_slow_reference(seed: int, k: int | None, shrinkage: float, side: str) -> None:
    """Where cosines are equal, or differ by rounding alone, either neighbour may be kept: their sums are compared."""
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(0, 12, rng.integers(1, 7)).tolist() for _ in range(15)]
    log = people(*sequences, n_items=13)
    ranker = ItemKnn(k=k, shrinkage=shrinkage, neighbours_of=side).fit(log)
    expected, kept_along = slow_reference(log, k, shrinkage, side), 1 if side == "consumed" else 0
    found = ranker.score(queries(*([item] for item in range(13))), None)
    assert np.sort(found, axis=kept_along) == pytest.approx(np.sort(expected, axis=kept_along), abs=1e-5)
    if k in (None, 50):
        assert found == pytest.approx(expected, abs=1e-5)
    whole = slow_reference(log, None, shrinkage, side)
    assert found[found > 0] == pytest.approx(whole[found > 0], abs=1e-5)


@pytest.mark.parametrize("k", [1, 5, 30])
def test_it_agrees_with_implicit_where_that_can_hold_the_formula(k: int) -> None:
    """Without shrinkage, and but for which of equally near items is kept: so the kept cosines are compared."""
    nearest = pytest.importorskip("implicit.nearest_neighbours")
    rng = np.random.default_rng(0)
    log = people(*(rng.permutation(60)[: rng.integers(1, 12)].tolist() for _ in range(200)), n_items=60)
    other = nearest.CosineRecommender(K=k + 1, num_threads=1)  # an item is its own nearest neighbour there
    other.fit(training_matrix(log).astype(float), show_progress=False)
    expected = other.similarity.toarray()
    np.fill_diagonal(expected, 0)
    found = ItemKnn(k=k, neighbours_of="consumed").fit(log).score(queries(*([item] for item in range(60))), None)
    assert np.sort(found, axis=1) == pytest.approx(np.sort(expected, axis=1), abs=1e-6)


@pytest.mark.parametrize(("k", "shrinkage"), [(None, 0.0), (3, 0.0), (7, 4.0)])
def test_blocks_change_nothing(k: int | None, shrinkage: float, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ItemKnn(k=k, shrinkage=shrinkage).fit(tiny_log())
    monkeypatch.setattr(interaction_matrix, "MAX_PAIRS_HELD", 90)
    cut = ItemKnn(k=k, shrinkage=shrinkage).fit(tiny_log())
    np.testing.assert_array_equal(cut.similarity.toarray(), whole.similarity.toarray())


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 12))
def test_blocks_hold_no_more_than_they_may_unless_one_row_does(costs: list[int], most: int) -> None:
    ends = block_ends(np.array(costs, dtype=np.int64), most)
    spans = list(zip([0, *ends], ends, strict=False))
    assert [row for begin, end in spans for row in range(begin, end)] == list(range(len(costs)))
    assert all(end - begin == 1 or sum(costs[begin:end]) <= most for begin, end in spans)
    joined = [(first[0], second[1]) for first, second in pairwise(spans)]
    assert all(sum(costs[begin:end]) > most for begin, end in joined)  # no block is smaller than it must be


@pytest.mark.parametrize("k", [None, 2])
def test_a_large_catalogue_keeps_some_neighbours_where_no_number_is_set(
    k: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_knn, "MAX_ITEMS_UNCUT", tiny_log().n_items - 1)
    monkeypatch.setattr(item_knn, "LARGE_K", 3)
    found = ItemKnn(k=k).fit(tiny_log()).similarity
    assert np.bincount(found.indices).max() == (k or 3)
    expected = ItemKnn(k=k or 3).fit(tiny_log()).similarity
    np.testing.assert_array_equal(found.toarray(), expected.toarray())


def test_item_knn_by_hand() -> None:
    rows = ItemKnn().fit(people([0, 1], [0, 1, 2, 2], [2]))  # two people each consumed 0, 1 and 2
    assert rows.score(queries([0]), None) == pytest.approx(np.array([[0, 1, 0.5, 0]]))
    assert rows.score(queries([0, 1, 1]), None) == pytest.approx(np.array([[1, 1, 1, 0]]))  # once is as good as twice


def test_nearest_items_by_hand() -> None:
    """Item 0 is with 1 twice, with 2 once; each of 1 and 2 has other company too."""
    user, item = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 0, 2, 2])
    interactions = make_interactions(user, item, np.arange(7), 4, 4)

    def scores(**how) -> list[float]:
        return ItemKnn(**how).fit(interactions).score(queries([0]), None)[0].tolist()

    first, second = 2 / (3 * 2) ** 0.5, 1 / (3 * 2) ** 0.5
    assert scores() == pytest.approx([0, first, second, 0], abs=1e-6)
    assert scores(k=1) == scores(), "item 0 is the one neighbour of 1, and of 2"
    assert scores(k=1, neighbours_of="consumed") == pytest.approx([0, first, 0, 0], abs=1e-6)
    assert scores(k=9) == scores() == scores(k=9, neighbours_of="consumed") == scores(neighbours_of="consumed")
    assert scores(shrinkage=3) == pytest.approx([0, 2 / (6**0.5 + 3), 1 / (6**0.5 + 3), 0], abs=1e-6)


def test_of_equally_near_items_the_first_is_kept() -> None:
    log, near = people([0, 1], [0, 2], [0, 3]), 1 / 3**0.5
    of_consumed = ItemKnn(k=1, neighbours_of="consumed").fit(log)
    assert of_consumed.score(queries([0]), None)[0].tolist() == pytest.approx([0, near, 0, 0])
    of_scored = ItemKnn(k=1).fit(log)
    assert [of_scored.score(queries([item]), None)[0, 0] for item in (1, 2, 3)] == pytest.approx([near, 0, 0])


@given(st.integers(0, 10**6), st.sampled_from([1, 3, 7]))
@settings(max_examples=20, deadline=None)
def test_the_two_sides_are_each_other_transposed(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    log = people(*(rng.permutation(20)[: rng.integers(1, 7)].tolist() for _ in range(30)), n_items=20)
    scored, consumed = (ItemKnn(k=k, neighbours_of=side).fit(log).similarity.toarray() for side in SIDES)
    np.testing.assert_array_equal(scored, consumed.T)
    assert (np.count_nonzero(scored, axis=0) <= k).all()


def test_what_was_saved_with_the_neighbours_of_the_other_side_is_not_read(tmp_path) -> None:
    """Version 1 kept the neighbours of the consumed item and had no setting for it."""
    ItemKnn(k=2).fit(tiny_log()).save(tmp_path)
    record = tmp_path / "ranker.json"
    record.write_text(record.read_text().replace('"version": 2', '"version": 1'))
    with pytest.raises(MmsrarecError, match="fit it again"):
        ItemKnn.load(tmp_path)


def test_what_is_consumed_together_is_found() -> None:
    split = leave_one_out(tiny_log())
    ranker = ItemKnn().fit(split.train)
    assert evaluate_full(ranker, split.test, 40)["HR@10"].mean() > 0.5
    stranger = ranker.score(queries([3, 4, 5]), None)[0]
    assert stranger[[6, 7]].min() > np.delete(stranger, [2, 3, 4, 5, 6, 7, 8, 9]).mean()
