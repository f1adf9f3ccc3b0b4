"""This library's rows run by the rules of the others, and give what they give everywhere."""

import numpy as np
import pytest
from mmsrarec_peer import MODELS, queries_of, training_log
from peer_protocol import read_split

from mmsrarec.data.splits import leave_one_out, with_validation
from mmsrarec.rankers.registry.registry import ranker_class
from mmsrarec.retrieve.settings import RetrieveSettings


@pytest.mark.parametrize("model", ["popularity", "item-knn", "user-knn", "ease"])
def test_scores_are_those_of_the_ranker(drawn, exported, model):
    split = read_split(exported)
    scores = MODELS[model](split, {"budget": 5.0}, 0).score()
    whole = leave_one_out(drawn.interactions)
    ranker = ranker_class(model)().fit(with_validation(whole, drawn.interactions))
    rows = np.flatnonzero(np.isin(whole.test.user, split.query_user))
    np.testing.assert_array_equal(scores, ranker.score(whole.test.pick(rows), None))


def test_settings_reach_the_ranker(exported):
    split = read_split(exported)
    few, all_ = (MODELS["item-knn"](split, {"k": k}, 0).score() for k in (1, None))
    assert (few > 0).sum() < (all_ > 0).sum()


def test_the_log_is_the_exported_one(exported):
    split = read_split(exported)
    log = training_log(split)
    np.testing.assert_array_equal(log.item, split.item)
    assert (log.n_users, log.n_items) == (split.n_users, split.n_items)


def test_no_target_is_known(exported):
    queries = queries_of(read_split(exported))
    assert (queries.target == -1).all()


@pytest.mark.parametrize(("budget", "passes"), [(10**6, RetrieveSettings().epochs), (0.001, 1)])
def test_a_budget_limits_the_passes_of_a_sequence_model(exported, monkeypatch, budget, passes):
    asked = []

    class Fitted(ranker_class("sasrec")):
        def __init__(self, **own):
            asked.append(own)
            super().__init__(**own)

        def fit(self, interactions, seed=0):
            sum(i * i for i in range(50_000))  # some milliseconds of the processor
            return self

    monkeypatch.setattr("mmsrarec_peer.ranker_class", lambda name: Fitted)
    MODELS["sasrec"](read_split(exported), {"factors": 8, "max_length": 5, "budget": budget}, 0)
    first, last = asked
    assert first == {"embedding_size": 8, "max_length": 5, "epochs": 1}
    assert last == first | {"epochs": passes}
