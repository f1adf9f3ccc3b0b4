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


def test_transposed_keeps_the_neighbours_of_the_scored_item(split):
    kept = truth.transposed(ItemKnn(k=2).fit(split.train)).similarity.toarray()
    assert (np.count_nonzero(kept, axis=0) <= 2).all()
    assert (np.count_nonzero(kept, axis=1) > 2).any()


def test_the_table_has_both_sides(drawn, split, monkeypatch):
    asked = []

    def stand_in(python, folder, model, k):
        header = (folder / f"{folder.name}.inter").read_text().splitlines()[0]
        asked.append((header, model, k))
        return dict.fromkeys(truth.NAMES, 0.25)

    monkeypatch.setattr(truth, "recbole_figures", stand_in)
    table = truth.truth_table(drawn, sys.executable, 3)
    assert {header for header, *_ in asked} == {"user_id:token\titem_id:token\ttimestamp:float"}
    assert [(model, k) for _, model, k in asked] == [("Pop", 3), ("ItemKNN", split.train.n_items), ("ItemKNN", 3)]
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
        truth.recbole_figures(sys.executable, tmp_path, "Pop", 3)
