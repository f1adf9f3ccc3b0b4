"""Tables of peers: a row a model, gaps paired over users, and a reason where there are no figures."""

import numpy as np
import pytest
from docs_results import markdown_table
from peer_tables import COLUMNS, Measured, StoredScores, gaps_table, peers_table

from mmsrarec.data.splits import Queries

FACTS = {
    "data": "drawn", "split": "leave-one-out", "seed": 0, "n_items": 9, "training_interactions": 1000,
    "sealed_users": 2, "rankable_users": 200,
}  # fmt: skip
ORDER = ["popularity", "als"]


def measured(library: str, model: str, hits: float, seed: int = 0, **facts) -> Measured:
    values = (np.random.default_rng(seed).random(200) < hits).astype(float)
    told = {"version": "1.0", "fit_cpu_seconds": 1.0, "score_cpu_seconds": 0.25, "peak_mb": 99.6} | facts
    return Measured(library, model, told, {"HR@10": values, "NDCG@10": values / 2}, {"HR@5": values})


ROWS = [
    measured("mmsrarec", "als", 0.2),
    measured("mmsrarec", "popularity", 0.3),
    measured("implicit", "als", 0.8, seed=1, passes=12),
    measured("cornac", "als", 0.4, seed=2),
    Measured("lenskit", "", reason="not installed in 300 seconds"),
    Measured("recbole", "popularity", reason="stopped after 400 seconds"),
]


def test_rows_of_a_model_stand_together_and_the_missing_say_why():
    table = peers_table(ROWS, FACTS, ORDER)
    assert table["columns"] == list(COLUMNS)
    assert [row["name"] for row in table["rows"]] == ["popularity", "popularity", "als", "als", "als", "none"]
    assert table["rows"][-1]["cells"][-1] == {"text": "not installed in 300 seconds"}
    text = markdown_table(table)
    assert "| als | implicit | 1.0 |" in text
    assert "12 passes" in text
    assert "| popularity | recbole |  |  |  |  |  |  | stopped after 400 seconds |" in text


def test_cost_is_training_and_scoring():
    row = peers_table(ROWS[:1], FACTS, ORDER)["rows"][0]["cells"]
    assert row[COLUMNS.index("CPU s")] == {"value": 1.25, "digits": 2}
    assert row[COLUMNS.index("MB")] == {"value": 100, "digits": 0}


def test_the_gap_is_to_the_best_other_library():
    (row,) = gaps_table(ROWS, FACTS, ORDER, "mmsrarec")["rows"]
    best, difference, interval, p = row["cells"]
    assert (row["name"], best) == ("als", {"text": "implicit"})
    expected = ROWS[0].full["NDCG@10"].mean() - ROWS[2].full["NDCG@10"].mean()
    assert difference["value"] == pytest.approx(expected, abs=5e-5)
    assert interval["text"].startswith("-")
    assert p["value"] < 0.01


def test_stored_scores_are_found_by_user():
    scores = np.array([[1.0, 2.0], [3.0, 4.0]])
    scorer = StoredScores("x", scores, np.array([7, 5]))
    queries = Queries(np.array([5]), np.array([0]), np.array([0]), (np.array([1]),))
    np.testing.assert_array_equal(scorer.score(queries, None), [[3.0, 4.0]])
    np.testing.assert_array_equal(scorer.score(queries, np.array([[1, 0]])), [[4.0, 3.0]])
