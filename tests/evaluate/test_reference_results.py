"""Figures that papers print."""

from typing import get_args

import pytest

from mmsrarec.evaluate.reference_results import ReferenceName, reference_rows


@pytest.mark.parametrize("data", get_args(ReferenceName))
def test_published_figures_are_shares_above_chance(data):
    rows = reference_rows(data)
    assert len({row.model + row.source for row in rows}) == len(rows) == 14
    for published in rows:
        assert all(0.13 < value < 1 for value in published.metrics.values())
        assert published.metrics["AUC"] > 0.5
