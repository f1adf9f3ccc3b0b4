"""What adapters share: scores of the whole catalogue, with what they cost."""

import json
import sys

import numpy as np
import pytest
from peer_protocol import UNKNOWN, Fitted, adapter, measured, read_split, spread


def counts(split, settings, seed):
    """Popularity, as an adapter would have it."""
    scores = np.bincount(split.item, minlength=split.n_items) * settings.get("scale", 1.0)
    return Fitted(lambda: np.broadcast_to(scores, (len(split.query_user), split.n_items)), {"passes": 3})


def test_an_adapter_writes_scores_and_facts(exported, tmp_path, monkeypatch):
    given = ["--model", "popularity", "--settings", '{"scale": 2.0}', "--seed", "4", "--budget", "9"]
    monkeypatch.setattr(sys, "argv", ["peer.py", str(exported), str(tmp_path / "out"), *given])
    assert adapter("numpy", {"popularity": counts}) == 0
    facts = json.loads((tmp_path / "out" / "popularity.json").read_text())
    assert (facts["version"], facts["seed"], facts["passes"]) == (np.__version__, 4, 3)
    assert facts["settings"] == {"scale": 2.0, "budget": 9.0}
    assert facts["peak_mb"] > 10
    split = read_split(exported)
    with np.load(tmp_path / "out" / "popularity.npz") as stored:
        assert stored["scores"].shape == (len(split.query_user), split.n_items)
        assert stored["scores"].sum() == 2.0 * len(split.item) * len(split.query_user)


def test_it_lists_its_models(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["peer.py", "--list"])
    assert adapter("numpy", {"als": counts, "ease": counts}) == 0
    assert capsys.readouterr().out == "als ease\n"


def test_scores_of_another_shape_are_refused(exported):
    split = read_split(exported)
    with pytest.raises(ValueError, match="shape"):
        measured(split, lambda *_: Fitted(lambda: np.zeros((2, split.n_items))), {}, 0)


def test_time_is_that_of_training_and_of_scoring(exported):
    def slow(split, settings, seed):
        sum(range(3_000_000))
        return counts(split, settings, seed)

    _, facts = measured(read_split(exported), slow, {}, 0)
    assert facts["fit_cpu_seconds"] > facts["score_cpu_seconds"]
    assert facts["fit_seconds"] >= 0.9 * facts["fit_cpu_seconds"]


def test_items_that_a_library_does_not_know_come_last():
    wide = spread(np.array([[-5.0, 2.0]]), np.array([3, 1]), 4)
    assert wide.tolist() == [[UNKNOWN, 2.0, UNKNOWN, -5.0]]


def test_the_matrix_holds_each_pair_once(exported):
    split = read_split(exported)
    matrix = split.matrix()
    assert matrix.shape == (split.n_users, split.n_items)
    assert matrix.sum() == len(split.user)
    assert matrix[split.user[0], split.item[0]] == 1
