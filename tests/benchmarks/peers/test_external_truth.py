"""This library's side of the comparison with RecBole's evaluation; RecBole's own side is stood in for."""

import sys

import external_truth as truth
import numpy as np
import pytest

from mmsrarec.data.splits import leave_one_out
from mmsrarec.rankers.item_knn import ItemKnn
from mmsrarec.rankers.popularity import Popularity


@pytest.fixture(scope="module")
def split(drawn):
    return leave_one_out(drawn.interactions)


def test_scores_come_from_training_and_the_whole_history_is_filtered(split):
    """By hand: cosines of the training log alone, and ranks among items of neither training nor validation."""
    n_users, n_items = split.train.n_users, split.train.n_items
    matrix = np.zeros((n_users, n_items))
    matrix[split.train.user, split.train.item] = 1
    length = np.maximum(np.sqrt(matrix.sum(axis=0)), 1e-12)
    cosine = matrix.T @ matrix / np.outer(length, length)
    np.fill_diagonal(cosine, 0)
    hits = []
    for user, target, history in zip(split.test.user, split.test.target, split.test.history, strict=True):
        scores = np.round(matrix[user] @ cosine, 6)
        scores[history] = -np.inf
        above, tied = (scores > scores[target]).sum(), (scores == scores[target]).sum() - 1
        hits.append(np.clip((10 - above) / (tied + 1), 0, 1))
    own = truth.own_figures(ItemKnn().fit(split.train), split)
    assert own["HR@10"] == pytest.approx(np.mean(hits), abs=0.02)


def recbole_by_definition(matrix, k, shrinkage):
    """(n_items, n_items) weights as RecBole's ItemKNN has them: cosines, then the k largest of each column."""
    length = np.sqrt(matrix.sum(axis=0))
    weights = matrix.T @ matrix / (np.outer(length, length) + shrinkage + 1e-6)
    np.fill_diagonal(weights, 0)
    for column in weights.T:
        column[np.argsort(-column, kind="stable")[k:]] = 0
    return weights


@pytest.mark.parametrize(("k", "shrinkage"), [(100, 0.0), (5, 0.0), (3, 10.0)])
def test_item_knn_by_default_is_that_of_recbole_to_four_digits(split, k, shrinkage):
    matrix = np.zeros((split.train.n_users, split.train.n_items))
    matrix[split.train.user, split.train.item] = 1
    expected = recbole_by_definition(matrix, k, shrinkage)
    ranker = ItemKnn(k=k, shrinkage=shrinkage).fit(split.train)
    found = ranker.similarity.toarray()
    # of neighbours that are equally near either may be kept, so each column's kept weights are compared
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(expected, axis=0), atol=5e-5)
    uncut = np.count_nonzero(expected, axis=0) < k
    assert k < 100 or uncut.any()
    np.testing.assert_allclose(found[:, uncut], expected[:, uncut], atol=5e-5)
    other_side = ItemKnn(k=k, shrinkage=shrinkage, neighbours_of="consumed").fit(split.train).similarity.toarray()
    assert k == 100 or not np.allclose(np.sort(other_side, axis=0), np.sort(expected, axis=0), atol=1e-3)


def test_the_table_has_both_sides(drawn, split, monkeypatch):
    asked = []

    def stand_in(python, folder, model, settings):
        header = (folder / f"{folder.name}.inter").read_text().splitlines()[0]
        asked.append((header, model, settings))
        return dict.fromkeys(truth.NAMES, 0.25)

    monkeypatch.setattr(truth, "recbole_figures", stand_in)
    table = truth.truth_table(drawn, sys.executable, 10)
    assert {header for header, *_ in asked} == {"user_id:token\titem_id:token\ttimestamp:float"}
    whole, cut, few = {"k": split.train.n_items}, {"k": 10}, {"k": 2, "shrink": 10.0}
    assert [(model, how) for _, model, how in asked] == [
        *(("Pop", {}), ("ItemKNN", whole), ("ItemKNN", cut), ("ItemKNN", few))
    ]
    shown = [row["name"] for row in table["rows"] if "kNN" in row["name"]]
    assert shown == ["item kNN, all neighbours", "item kNN, k = 10", "item kNN, k = 2, shrinkage 10"]
    popularity = dict(zip(table["columns"], table["rows"][0]["cells"], strict=True))
    expected = truth.own_figures(Popularity().fit(split.train), split)
    assert popularity["HR@10, own"]["value"] == round(expected["HR@10"], 4)
    assert popularity["HR@10, RecBole"]["value"] == 0.25


def test_the_mean_over_ties_lies_between_all_lost_and_all_won(split):
    ranker = Popularity().fit(split.train)
    lost, mean, won = (truth.own_figures(ranker, split, ties)["MRR@10"] for ties in ("lost", "mean", "won"))
    assert lost < mean < won


def test_a_failure_of_recbole_ends_the_program(tmp_path, monkeypatch):
    monkeypatch.setattr(truth, "PROGRAM", tmp_path / "absent.py")
    with pytest.raises(SystemExit, match="RecBole failed"):
        truth.recbole_figures(sys.executable, tmp_path, "Pop", {})
