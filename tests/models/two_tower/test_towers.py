"""Vectors of users and items: means over histories, strangers, items that nobody consumed."""

import numpy as np
import torch

from mmsrarec.models.two_tower.towers import ABSENT, FactorTowers, GraphTowers, ProfileTowers, mean_of

KNOWN = np.array([True, True, True, False])
FEATURES = torch.arange(8.0).reshape(4, 2)


def test_a_mean_passes_over_empty_places() -> None:
    histories = torch.tensor([[ABSENT, 0, 2], [ABSENT, ABSENT, ABSENT]])
    np.testing.assert_array_equal(mean_of(FEATURES, histories).numpy(), [[2, 3], [0, 0]])


def test_a_stranger_has_the_mean_of_the_history_alone() -> None:
    towers = FactorTowers(2, KNOWN, 3, None, 0)
    histories = torch.tensor([[0, 1], [0, 1]])
    stranger, user = towers.user_vectors(torch.tensor([ABSENT, 1]), histories).detach()
    torch.testing.assert_close(stranger, towers.history_vectors()[:2].mean(0).detach())
    torch.testing.assert_close(user - stranger, towers.own.weight[1].detach())


def test_an_item_that_nobody_consumed_has_its_content_only() -> None:
    vectors, bias = FactorTowers(2, KNOWN, 3, FEATURES, 5).item_vectors()
    assert vectors.shape == (4, 8)
    assert (vectors[3, :3] == 0).all()
    assert (vectors[3, 3:] != 0).any()
    alone, no_bias = FactorTowers(2, KNOWN, 3, None, 0).item_vectors()
    assert (alone[3] == 0).all()
    assert no_bias[3] == 0
    assert bias[3] != 0


def test_vectors_spread_over_the_graph() -> None:
    graph = torch.zeros(4, 4)
    graph[3, 0] = 0.5
    towers = GraphTowers(2, KNOWN, 3, FEATURES, graph.to_sparse(), 1, np.ones(4))
    vectors, _ = towers.item_vectors()
    torch.testing.assert_close(vectors[3], 0.5 * towers.ids.weight[0])
    torch.testing.assert_close(vectors[0], towers.ids.weight[0])


def test_a_training_step_leaves_items_out_by_their_chance() -> None:
    towers = GraphTowers(2, KNOWN, 3, FEATURES, torch.zeros(4, 4).to_sparse(), 1, np.array([0.0, 1.0, 1.0, 1.0]))
    histories = torch.tensor([[0, 1, ABSENT]])
    assert towers.thinned(histories, np.random.default_rng(0)).tolist() == [[ABSENT, 1, ABSENT]]


def test_profiles_know_no_user() -> None:
    towers = ProfileTowers(FEATURES, FEATURES, 8, 3)
    histories = torch.tensor([[0, 1], [0, 1]])
    one, other = towers.user_vectors(torch.tensor([0, 1]), histories)
    torch.testing.assert_close(one, other)
    assert set(towers.arrays()) == {"items", "profiles", "inner_weight", "inner_bias", "outer_weight", "outer_bias"}
