"""EASE is the ridge regression of each item on the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import people

from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers import ease
from mmsrarec.rankers.ease import Ease
from mmsrarec.testing import RankerLaws, queries


class TestEase(RankerLaws):
    ranker = Ease


def test_ease_by_hand() -> None:
    row = Ease(l2=1).fit(people([0, 1], [0], n_items=2))
    assert row.score(queries([0]), None) == pytest.approx(np.array([[0, 1 / 3]]))
    assert row.score(queries([1]), None) == pytest.approx(np.array([[1 / 2, 0]]))


@given(seed=st.integers(0, 2**32 - 1), l2=st.floats(0.5, 50))
@settings(max_examples=20, deadline=None)
def test_ease_is_the_ridge_regression_of_each_item_on_the_others(seed: int, l2: float) -> None:
    consumed = np.random.default_rng(seed).random((30, 6)) < 0.4
    consumed[0] = True
    log = people(*(np.flatnonzero(row).tolist() for row in consumed), n_items=6)
    weights = Ease(l2=l2).fit(log).weights
    for item in range(6):
        x, y = np.delete(consumed, item, axis=1).astype(float), consumed[:, item].astype(float)
        expected = np.linalg.solve(x.T @ x + l2 * np.eye(5), x.T @ y)
        assert np.delete(weights[:, item], item) == pytest.approx(expected, abs=1e-4)
    assert (np.diagonal(weights) == 0).all()


def test_a_catalogue_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Ease.check_size(20_000)
    with pytest.raises(MmsrarecError, match=r'EASE needs 40.0 GB for 100,000 items .*leave "ease" out'):
        Ease.check_size(100_000)
    monkeypatch.setattr(ease, "MOST_ITEMS", 3)
    with pytest.raises(MmsrarecError, match="EASE needs"):
        Ease().fit(people([0, 1]))
