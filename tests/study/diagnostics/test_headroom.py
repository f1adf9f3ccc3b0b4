"""What a model would add that is right on a share of another one's errors."""

import numpy as np
import pytest

from mmsrarec.study.diagnostics.headroom import SHARES, headroom, mended

HITS = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
NDCG = np.array([1.0, 0.5, 0.0, 0.0, 0.0])


def test_rows_known_by_hand() -> None:
    (half, all_of_them) = headroom(HITS, NDCG, (0.5, 1.0))
    assert (half.share, half.hr, half.ndcg) == (0.5, pytest.approx(0.7), pytest.approx(0.3 + 0.3))
    assert (all_of_them.hr, all_of_them.ndcg) == (pytest.approx(1.0), pytest.approx(0.9))


def test_the_reported_shares_grow_to_all_errors() -> None:
    points = headroom(HITS, NDCG)
    assert [point.share for point in points] == list(SHARES) == [0.1, 0.25, 0.5, 1.0]
    assert [point.hr for point in points] == sorted(point.hr for point in points)
    assert points[-1].hr == pytest.approx(1)


def test_without_errors_there_is_nothing_to_gain() -> None:
    assert {(point.hr, point.ndcg) for point in headroom(np.ones(3), np.ones(3))} == {(1.0, 1.0)}
    assert mended(np.ones(3), np.zeros(3)) == 0


def test_only_the_errors_count_for_what_another_model_mends() -> None:
    assert mended(HITS, np.array([0.0, 0.0, 1.0, 0.0, 0.0])) == pytest.approx(1 / 3)
    assert mended(HITS, HITS) == 0
    assert mended(np.array([0.5, 0.0]), np.array([1.0, 0.0])) == pytest.approx(0.5 / 1.5)
