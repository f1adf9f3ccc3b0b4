"""The exported split: nothing held out is in it, and it reads back as it was."""

import json

import numpy as np
from export_split import export, read_truth
from peer_protocol import read_split

from mmsrarec.data.splits import leave_one_out
from mmsrarec.evaluate.protocols import published_candidates


def test_training_is_all_but_the_test_targets_of_users(drawn, exported):
    split = leave_one_out(drawn.interactions)
    peers = read_split(exported)
    assert len(peers.user) == len(drawn.interactions) - len(split.test)
    taken = set(zip(peers.user.tolist(), peers.item.tolist(), strict=True))
    assert not taken & set(zip(split.test.user.tolist(), split.test.target.tolist(), strict=True))


def test_a_history_is_what_training_holds_of_the_user(exported):
    peers = read_split(exported)
    for user, history in zip(peers.query_user, peers.history, strict=True):
        np.testing.assert_array_equal(history, peers.item[peers.user == user])


def test_sealed_users_are_not_asked(drawn, exported):
    facts = json.loads((exported / "split.json").read_text())
    assert facts["test_users"] + facts["sealed_users"] == len(drawn.user_ids)
    assert 0 < facts["sealed_users"] < facts["test_users"]


def test_the_truth_reads_back_with_candidates_that_are_drawn_anew(drawn, exported):
    queries, candidates, facts = read_truth(exported)
    again = published_candidates(queries, drawn.interactions, facts["seed"])
    assert again.digest == candidates.digest == facts["candidates_digest"]
    assert facts["cold_targets"] == (np.isin(queries.target, read_split(exported).item, invert=True)).sum()


def test_what_adapters_read_tells_no_target(exported):
    names = {path.name for path in exported.iterdir()}
    assert names == {"train.npz", "queries.npz", "split.json", "truth.npz"}
    with np.load(exported / "queries.npz") as queries:
        assert set(queries) == {"user", "time", "history", "ends"}


def test_another_seed_draws_other_candidates(drawn, exported, tmp_path):
    facts = json.loads((exported / "split.json").read_text())
    other = export(drawn, tmp_path, seed=1)
    assert other["train_digest"] == facts["train_digest"]
    assert other["candidates_digest"] != facts["candidates_digest"]
