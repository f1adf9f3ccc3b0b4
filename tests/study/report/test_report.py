"""report.json keeps the shape that others read, and the tables for a terminal tell the same."""

import pytest
from report_inputs import FACT, row, user, written

from mmsrarec.study.report.report import text_table


def test_report_json_keeps_its_shape(tmp_path):
    report, _ = written(tmp_path, [row(shift=0.1), row("popularity", cost={})], [user()])
    assert {"data": "movielens-small", "manifest": "0" * 64}.items() <= report.items()
    first = report["rows"][0]
    expected = {"protocol": "published", "split": "user-8-1-1", "model": "mmsrarec", "variant": "whole", "seed": 0}
    assert (expected | {"users": 80}).items() <= first.items()
    assert list(first["metrics"]) == ["HR@5", "NDCG@5", "MRR@5", "AUC"]
    for metric in first["metrics"].values():
        assert set(metric) == {"value", "low", "high"}
        assert metric["low"] <= metric["value"] <= metric["high"]
    assert first["cost"] == {"tokens_per_user": 640, "calls_per_user": 1, "ms_per_user": 410, "peak_mb": 2100}
    assert first["slices"]["target without an image"]["users"] == 9
    (pair,) = report["pairs"]
    assert {"protocol", "metric", "a", "b", "difference", "low", "high", "p"} <= set(pair)
    assert pair["p_holm"] == pair["p"]  # one test alone
    assert (pair["a"], pair["b"], pair["metric"]) == ("mmsrarec", "popularity", "HR@5")
    assert pair["difference"] == pytest.approx(
        first["metrics"]["HR@5"]["value"] - report["rows"][1]["metrics"]["HR@5"]["value"]
    )
    assert report["facts"] == [FACT]
    assert report["users"][0]["recommendations"][0]["because"] == ["because of Alien"]


def test_the_table_for_a_terminal_keeps_order_and_marks_the_best():
    rows = [row("popularity"), row(shift=0.2), row("als", protocol="full")]
    lines = text_table(rows, "published", "user-8-1-1").splitlines()
    assert lines[0] == "published, user-8-1-1, 80 users"
    assert [line.split()[0] for line in lines[1:]] == ["model", "popularity", "mmsrarec"]
    assert (lines[2].count("*"), lines[3].count("*")) == (0, 4)
    assert "no rows" in text_table(rows, "full", "leave-one-out")


def test_a_table_for_a_terminal_is_that_of_the_recipe_and_tells_the_seeds() -> None:
    one, other = (text_table([row()], "published", "user-8-1-1", seed, 100) for seed in (0, 1))
    assert one != other
    assert one == text_table([row()], "published", "user-8-1-1", 0, 100)
    told = {"published, user-8-1-1, mmsrarec": {"HR@5": 0.0123}}
    assert text_table([row()], "published", "user-8-1-1", deviations=told).count("(seeds 0.0123)") == 1
