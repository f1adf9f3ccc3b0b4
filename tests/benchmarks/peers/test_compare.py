"""The comparison runs this library's rows by itself, tells why others are missing, and measures as everywhere."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from compare import SETTINGS, compare, models_of, train
from export_split import read_truth
from peer_protocol import read_split

from mmsrarec.evaluate.protocols import evaluate_full
from mmsrarec.rankers.popularity import Popularity


@pytest.fixture(scope="module")
def compared(exported, tmp_path_factory):
    """Popularity of this library, and two libraries that are not there."""
    folder = tmp_path_factory.mktemp("compared")
    (folder / "environments" / "cornac").mkdir(parents=True)
    (folder / "environments" / "installed.json").write_text(json.dumps({"cornac": {"reason": "no wheel"}}))
    args = argparse.Namespace(
        split=exported,
        environments=folder / "environments",
        out=folder / "out",
        library=["implicit", "cornac"],
        model=["popularity"],
        seed=0,
        limit=100.0,
        budget=5.0,
    )
    return args, compare(args)


def test_own_rows_run_without_any_other_library(compared, exported):
    own, *missing = compared[1]
    assert (own.library, own.model, own.reason) == ("mmsrarec", "popularity", "")
    assert [(row.library, row.reason) for row in missing] == [
        ("implicit", "not installed"),
        ("cornac", "not installed"),
    ]


def test_figures_are_those_of_the_ranker_itself(compared, exported, drawn):
    queries, _, facts = read_truth(exported)
    split = read_split(exported)
    counts = np.bincount(split.item, minlength=split.n_items)

    class Counts(Popularity):
        def __init__(self):
            self.name = "counts"

        def score(self, queries, candidates=None):
            return np.broadcast_to(counts.astype(float), (len(queries), len(counts)))

    expected = evaluate_full(Counts(), queries.rankable, facts["n_items"], ("HR@10", "NDCG@10"))
    for name, values in expected.items():
        np.testing.assert_array_equal(compared[1][0].full[name], values)


def test_what_is_there_is_not_run_again(compared, monkeypatch):
    args, _ = compared
    monkeypatch.setattr("compare.subprocess.run", lambda *_, **__: pytest.fail("ran again"))
    assert train("mmsrarec", "popularity", Path(sys.executable), args) == ""


def test_what_is_there_needs_no_environment(compared, tmp_path):
    """As where the environment of a library was deleted after its run."""
    args, rows = compared
    stored = args.out / "implicit"
    stored.mkdir()
    for file in (args.out / "mmsrarec").glob("popularity.*"):
        (stored / file.name).write_bytes(file.read_bytes())
    again = compare(args)
    assert [(row.library, row.model, row.reason) for row in again] == [
        *(("mmsrarec", "popularity", ""), ("implicit", "popularity", ""), ("cornac", "", "not installed"))
    ]
    np.testing.assert_array_equal(again[1].full["NDCG@10"], rows[0].full["NDCG@10"])


def test_a_failed_model_says_why(exported, tmp_path):
    (tmp_path / "not-a-split").mkdir()
    args = argparse.Namespace(split=tmp_path / "not-a-split", out=tmp_path, seed=0, limit=100.0, budget=5.0)
    reason = train("mmsrarec", "popularity", Path(sys.executable), args)
    assert "split.json" in reason
    assert (tmp_path / "mmsrarec" / "popularity.failed").read_text() == reason


def test_every_row_of_ours_has_settings():
    assert set(models_of("mmsrarec", Path(sys.executable))) == set(SETTINGS)
