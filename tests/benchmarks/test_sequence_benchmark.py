"""The benchmark of sequence models: how it reads a file without times, and what it tells."""

import json
import sys

import numpy as np
import pytest
from benchmark import load_benchmark


@pytest.fixture(scope="module")
def benchmark():
    return load_benchmark("sequence")


def test_the_last_events_of_all_users_share_one_time(benchmark, tmp_path):
    (tmp_path / "log.txt").write_text("7 a b c\n8 c a\n\n")
    interactions = benchmark.read(tmp_path / "log.txt")
    np.testing.assert_array_equal(interactions.user, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(interactions.item, [0, 1, 2, 2, 0])
    np.testing.assert_array_equal(interactions.time, benchmark.LAST - np.array([2, 1, 0, 1, 0]))


@pytest.mark.parametrize("more", [[], ["--validation"], ["--refit"]])
def test_the_last_line_is_what_was_measured(benchmark, tmp_path, monkeypatch, capsys, more):
    rows = [[user, *((user + step) % 20 for step in range(6))] for user in range(40)]
    (tmp_path / "log.txt").write_text("\n".join(" ".join(map(str, row)) for row in rows))
    told = ["--set", "embedding_size=8", "--set", "epochs=2", "--set", "encoder=gru4rec"]
    monkeypatch.setattr(sys, "argv", ["sequence.py", str(tmp_path / "log.txt"), *told, *more])
    assert benchmark.main() == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["test"] is None) == (more == ["--validation"])
    assert (result["test_after_refit"] is not None) == (more == ["--refit"])
    assert {"value", "low", "high"} == result["validation"]["NDCG@10"].keys()
    assert (result["users"], result["items"], result["training_events"], result["passes"]) == (40, 20, 160, 2)
    assert result["settings"]["encoder"] == "gru4rec"
    assert result["seconds_a_pass"] > 0
