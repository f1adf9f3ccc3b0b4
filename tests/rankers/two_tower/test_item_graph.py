"""Graphs of similar items: who is joined with whom, by hand-made cases."""

import numpy as np
import pytest

from mmsrarec.data.dataset import Interactions, make_interactions
from mmsrarec.rankers import interaction_matrix
from mmsrarec.rankers.interaction_matrix import training_matrix
from mmsrarec.rankers.two_tower.item_graph import (
    consumed_together,
    normalised,
    refined_graph,
    similar_items,
    standardised,
)

STATES = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]], dtype=np.float32)


def log(*histories: list[int], n_items: int = 4):
    users = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    items = np.concatenate([np.array(history) for history in histories])
    return make_interactions(users, items, np.arange(len(items)), len(histories), n_items)


def test_nearest_items_are_joined_and_no_item_with_itself() -> None:
    graph = similar_items(STATES, 1).toarray()
    np.testing.assert_array_equal(graph.argmax(axis=1), [1, 0, 1, 2])
    np.testing.assert_array_equal(graph.sum(axis=1), [1, 1, 1, 1])
    np.testing.assert_array_equal(similar_items(STATES, 9).toarray(), 1 - np.eye(4))


def test_a_threshold_leaves_out_what_is_too_far() -> None:
    graph = similar_items(STATES, 3, 0.5).toarray()
    np.testing.assert_array_equal(graph, [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_the_jaccard_index_of_users_weighs_what_was_consumed_together() -> None:
    graph = consumed_together(log([0, 1], [0, 1, 2], [2, 3]), 3).toarray()
    assert graph[0, 1] == graph[1, 0] == 1  # the very same users: kept
    assert graph[0, 2] == pytest.approx(1 / 3)
    assert graph[2, 3] == pytest.approx(1 / 2)
    assert graph[0, 3] == 0
    assert np.diag(graph).sum() == 0
    np.testing.assert_array_equal((consumed_together(log([0, 1], [0, 1, 2], [2, 3]), 1).toarray() > 0).sum(1), 1)


def all_pairs_at_once(interactions: Interactions, k: int) -> list[list[tuple[int, float]]]:
    """The k best of each item by the whole matrix of pairs, row by row."""
    users = training_matrix(interactions)
    together = (users.T @ users).tocsr().toarray()
    counts, best = np.diag(together), []
    for item, both in enumerate(together):
        others = np.flatnonzero((both > 0) & (np.arange(len(both)) != item))
        jaccard = both[others] / (counts[item] + counts[others] - both[others])
        order = np.argsort(-jaccard, kind="stable")[:k]
        best.append(sorted(zip(others[order].tolist(), jaccard[order].tolist(), strict=True)))
    return best


@pytest.mark.parametrize("k", [0, 2, 5, 99])
@pytest.mark.parametrize("most", [1, 60, 10**6])
def test_blocks_of_pairs_change_nothing_to_the_last_bit(k, most, monkeypatch) -> None:
    rng = np.random.default_rng(k)
    interactions = log(*(rng.integers(25, size=rng.integers(1, 9)).tolist() for _ in range(60)), n_items=27)
    monkeypatch.setattr(interaction_matrix, "MAX_PAIRS_HELD", most)
    graph = consumed_together(interactions, k)
    assert graph.shape == (27, 27)
    found = [
        sorted(zip(graph.indices[begin:end].tolist(), graph.data[begin:end].tolist(), strict=True))
        for begin, end in zip(graph.indptr[:-1], graph.indptr[1:], strict=True)
    ]
    assert found == all_pairs_at_once(interactions, k)


def test_weights_are_divided_by_the_roots_of_both_degrees() -> None:
    graph = normalised(similar_items(STATES, 3, 0.5) * 4).toarray()
    np.testing.assert_allclose(graph[:2, :2], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(graph[2:], 0)


def test_the_refined_graph_joins_an_item_with_itself_with_lookalikes_and_with_company() -> None:
    graph = refined_graph(STATES, log([0, 1], [2, 3]), 1, 0.5, 1).toarray() > 0
    np.testing.assert_array_equal(graph, [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])


def test_a_shared_direction_no_longer_makes_all_items_alike() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(50, 20)).astype(np.float32) + 100
    assert similar_items(states, 49, 0.9).nnz == 50 * 49
    assert similar_items(standardised(states), 49, 0.9).nnz == 0
