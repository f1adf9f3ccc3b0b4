"""Rows come back as saved, fit together, and are compared with a p corrected for each table."""

import numpy as np
import pytest
from report_inputs import row

from mmsrarec.errors import MmsrarecError
from mmsrarec.study.results import ModelResult, compare_rows, corrected, load_row, row_metrics, save_row


def test_a_row_survives_the_disk(tmp_path):
    path = save_row(tmp_path, row(variant="without stage 2 / text"))
    assert path.parent == tmp_path
    back = load_row(path)
    assert (back.label, back.cost) == ("mmsrarec, without stage 2 / text", row().cost)
    assert all((back.metrics[name] == values).all() for name, values in row().metrics.items())
    assert back.slices["target without an image"].sum() == 9
    assert save_row(tmp_path, row()) != path


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"user": [1], "metrics": {"HR@5": [1, 2]}, "slices": {}}'])
def test_a_broken_row_is_named(tmp_path, text):
    (tmp_path / "row.json").write_text(text)
    with pytest.raises(MmsrarecError, match=r"row\.json is not a row"):
        load_row(tmp_path / "row.json")


def test_rows_must_fit_together():
    with pytest.raises(ValueError, match="one value a user"):
        ModelResult("full", "s", "m", "whole", 0, np.arange(3), {"MRR": np.zeros(2)})
    with pytest.raises(ValueError, match="unknown costs"):
        row(cost={"dollars": 1.0})
    with pytest.raises(ValueError, match="not asked the same"):
        compare_rows(row(), row(protocol="full"))


def test_slices_are_the_same_metrics_over_fewer_users():
    whole, part = row_metrics(row()), row_metrics(row(), np.arange(80) < 9)
    assert part["HR@5"].value == pytest.approx(row().metrics["HR@5"][:9].mean())
    assert part["HR@5"].high - part["HR@5"].low > whole["HR@5"].high - whole["HR@5"].low
    assert row_metrics(row(), np.zeros(80, dtype=bool)) == {}


def test_p_is_corrected_within_a_table():
    tables = [("full", "s"), ("full", "s"), ("full", "s"), ("published", "s")]
    pairs = [{"protocol": protocol, "split": split, "p": 0.02} for protocol, split in tables]
    assert [pair["p_holm"] for pair in corrected(pairs)] == pytest.approx([0.06, 0.06, 0.06, 0.02])
    assert all("p_holm" not in pair for pair in pairs)
