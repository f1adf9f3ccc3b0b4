"""The rankers of two towers keep the shipped laws; new items are ranked by content; only the leaky edition leaks."""

from typing import Any, ClassVar

import numpy as np
import pytest
from kept_laws import KeptLaws

from mmsrarec.data.dataset import FloatArray, Interactions
from mmsrarec.data.splits import Queries, leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.base import unseen
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.rankers.two_tower.bpr import Bpr
from mmsrarec.rankers.two_tower.freedom_style import FreedomStyle, keep_chances
from mmsrarec.rankers.two_tower.mllmrec_style import MllmrecLeaky, MllmrecStyle
from mmsrarec.rankers.two_tower.vbpr import Vbpr
from mmsrarec.testing import checkerboard, queries, tiny_log

ALL = (Bpr, Vbpr, FreedomStyle, MllmrecStyle, MllmrecLeaky)
READERS = ALL[1:]


def content(n_items: int, n_kinds: int = 2) -> FloatArray:
    """Items of one kind look alike: item i is of kind i modulo `n_kinds`."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(n_kinds, 12))
    return (kinds[np.arange(n_items) % n_kinds] + 0.3 * rng.normal(size=(n_items, 12))).astype(np.float32)


def fit(ranker: type[RankerBase], log: Interactions, seed: int = 0, **settings: Any) -> RankerBase:
    given = {"content": content(log.n_items)} if ranker.reads_content else {}
    return ranker(**given, **settings).fit(log, seed=seed)


class TowerLaws(KeptLaws):
    settings: ClassVar = {"factors": 16, "batch_size": 64, "epochs": 60, "learning_rate": 0.02, "l2": 0.0}

    def trained(self, interactions: Interactions, seed: int) -> RankerBase:
        return fit(self.ranker, interactions, seed, **self.settings)


class TestBpr(TowerLaws):
    ranker = Bpr


class ReaderLaws(TowerLaws):
    """Two components, so that content tells the kind of an item and hardly the item."""

    settings: ClassVar = {**TowerLaws.settings, "content_size": 2}


class TestVbpr(ReaderLaws):
    ranker = Vbpr


class TestFreedomStyle(ReaderLaws):
    ranker = FreedomStyle


class TestMllmrecStyle(ReaderLaws):
    ranker = MllmrecStyle


class TestMllmrecLeaky(ReaderLaws):
    ranker = MllmrecLeaky
    learns_taste = False  # it learns to find the target in the profile, and where none is known there is none

    def test_the_target_is_not_looked_at(self) -> None:
        """The law that it breaks: this is the leak."""
        with pytest.raises(AssertionError):
            super().test_the_target_is_not_looked_at()

    def test_without_a_target_it_is_served_like_the_clean_edition(self) -> None:
        ranker = self.fitted(self.split().train)
        scores = ranker.score(queries([0, 1, 2]), None)
        assert np.isfinite(scores).all()


@pytest.mark.parametrize("ranker", READERS)
def test_an_item_that_nobody_consumed_is_ranked_by_its_content(ranker: type[RankerBase]) -> None:
    """Users consume items of one parity; the two last items have a kind each and no interactions."""
    log = checkerboard().with_items(22)
    fitted = fit(ranker, log, **ReaderLaws.settings)
    users = np.arange(log.n_users)
    histories = tuple(log.items_of(user) for user in users)
    asked = Queries(users, np.full(len(users), 10**6), np.full(len(users), -1), histories)
    new = fitted.score(asked, np.tile([20, 21], (len(users), 1)))
    right = np.where(users % 2 == 0, new[:, 0] - new[:, 1], new[:, 1] - new[:, 0])
    assert (right > 0).mean() > 0.9


@pytest.mark.parametrize("ranker", READERS)
def test_content_that_does_not_fit_is_refused(ranker: type[RankerBase]) -> None:
    log = tiny_log()
    broken = content(log.n_items)
    broken[3, 1] = np.nan
    for given, words in ((None, "needs what items are"), (content(3), "40 items"), (broken, "finite")):
        with pytest.raises(MmsrarecError, match=words):
            ranker(content=given, epochs=1).fit(log)


def test_the_leak_raises_the_place_of_the_target_and_the_clean_edition_has_none() -> None:
    """Items are drawn by nobody's taste, so whoever is above chance has looked."""
    rng = np.random.default_rng(0)
    n_users, n_items, length = 200, 60, 8
    items = np.concatenate([rng.permutation(n_items)[:length] for _ in range(n_users)])
    users = np.repeat(np.arange(n_users), length)
    log = Interactions(users, items, np.tile(np.arange(length), n_users), n_users, n_items)
    split = leave_one_out(log)
    states = rng.normal(size=(n_items, 40)).astype(np.float32)
    places: dict[str, float] = {}
    for ranker in (MllmrecStyle, MllmrecLeaky):
        fitted = ranker(content=states, epochs=40, learning_rate=0.01).fit(split.train, seed=0)
        scores = unseen(fitted, split.test)
        target = np.take_along_axis(scores, split.test.target[:, None], axis=1)
        places[ranker.name] = float((scores > target).sum(axis=1).mean())
    chance = (n_items - length) / 2
    assert places["mllmrec-style"] == pytest.approx(chance, abs=4)
    assert places["mllmrec-leaky"] < chance - 8


def test_popular_items_are_left_out_more_often() -> None:
    log = tiny_log(n_users=30)
    assert (keep_chances(log, 1.0) == 1).all()
    chances = keep_chances(log, 0.5)
    rare, popular = log.counts.argmin(), log.counts.argmax()
    assert 0 < chances[popular] < chances[rare] <= 1
    assert (chances * log.counts).sum() / len(log) == pytest.approx(0.5, abs=0.05)


def test_only_the_leaky_edition_says_that_it_leaks_and_it_never_proposes() -> None:
    assert {ranker.name: ranker.leak_of for ranker in ALL if ranker.leak_of} == {"mllmrec-leaky": "mllmrec-style"}
    assert [ranker.name for ranker in ALL if not ranker.proposes] == ["mllmrec-leaky"]
