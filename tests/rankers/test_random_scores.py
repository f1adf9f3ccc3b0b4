"""The floor of every table: chance, and always the same answer to the same question."""

import pytest

from mmsrarec.data.splits import leave_one_out
from mmsrarec.evaluate.protocols import evaluate_published, published_candidates
from mmsrarec.rankers.random_scores import Random
from mmsrarec.testing import RankerLaws, tiny_log


class TestRandom(RankerLaws):
    ranker = Random
    learns_taste = False


def test_random_reads_chance_and_keeps_its_word() -> None:
    interactions = tiny_log(n_users=2000)
    test = leave_one_out(interactions).test
    asked = published_candidates(test, interactions, 0)
    first, same, other = (Random().fit(interactions, seed=seed) for seed in (1, 1, 2))
    assert evaluate_published(first, test, asked)["AUC"].mean() == pytest.approx(0.5, abs=0.03)
    assert (first.score(test, None) == same.score(test, None)).all()
    assert (first.score(test, None) != other.score(test, None)).any()
