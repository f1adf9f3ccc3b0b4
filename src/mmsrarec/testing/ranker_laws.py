"""What every ranker must keep, as pytest tests that the test class of a ranker inherits."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from mmsrarec.data.dataset import FloatArray, Interactions, make_interactions
from mmsrarec.data.splits import Queries, Split, leave_one_out
from mmsrarec.errors import MmsrarecError
from mmsrarec.rankers.base import known_items, unseen
from mmsrarec.rankers.ensemble.features import ranking_feature
from mmsrarec.rankers.ensemble.interleaved import PaddedCatalogue
from mmsrarec.rankers.ranker_base import RankerBase
from mmsrarec.testing.logs import checkerboard, grown, queries, tiny_log

UNCONSUMED = 3
"""Items at the end of the catalogue of `RankerLaws.split` that nobody consumed."""


class RankerLaws:
    """Inherit it, and name the ranker.

    Attributes:
        ranker: The class under test.
        settings: Its settings by name, for a fit of at most some seconds.
        learns_taste: Whether what somebody consumed decides what is recommended to them; False for popularity.
        rtol: Of scores that should be equal and are summed in another order.
        atol: Likewise.
    """

    ranker: ClassVar[type[RankerBase]]
    settings: ClassVar[Mapping[str, Any]] = {}
    learns_taste: ClassVar[bool] = True
    rtol: ClassVar[float] = 1e-4
    atol: ClassVar[float] = 1e-5

    def fitted(self, interactions: Interactions, seed: int = 0) -> RankerBase:
        """The ranker, fitted. Override it where a fit needs more than the interactions."""
        return self.ranker(**self.settings).fit(interactions, seed=seed)

    def split(self) -> Split:
        """A log whose last items nobody consumed."""
        return leave_one_out(grown(tiny_log(), UNCONSUMED))

    def close(self, found: FloatArray, expected: FloatArray) -> None:
        """Equal but for the order of summing."""
        assert_allclose(found, expected, rtol=self.rtol, atol=self.atol)

    def test_an_unfitted_ranker_says_what_to_do(self) -> None:
        unfitted = self.ranker(**self.settings)
        assert "fit" in refusal(lambda: unfitted.score(queries([0]), None)), "the error must say that it is not fitted"

    def test_settings_are_described_and_strict(self) -> None:
        kind = self.ranker.Settings
        for name, field in kind.model_fields.items():
            assert field.description, f"{kind.__name__}.{name} needs a description with its unit"
        for name, values in self.ranker.search_space.items():
            for value in values:
                self.ranker.parse_settings({name: value})
        assert "no_such_setting" in refusal(lambda: self.ranker.parse_settings({"no_such_setting": 1}))

    def test_scores_are_of_all_items_or_of_the_candidates(self) -> None:
        split = self.split()
        ranker, n_items = self.fitted(split.train), split.train.n_items
        every = ranker.score(split.test, None)
        assert every.shape == (len(split.test), n_items)
        assert np.isfinite(every[:, ranker.known]).all()
        candidates = np.argsort(np.random.default_rng(0).random(every.shape), axis=1)[:, :11]
        some = ranker.score(split.test, candidates)
        self.close(some, np.take_along_axis(every, candidates, axis=1))
        self.close(ranker.score(split.test, candidates[:, ::-1])[:, ::-1], some)
        self.close(ranker.score(split.test, candidates[:, :1]), some[:, :1])

    def test_a_score_does_not_depend_on_the_other_queries(self) -> None:
        split = self.split()
        ranker, rows = self.fitted(split.train), np.array([17, 3, 41])
        every = np.asarray(ranker.score(split.test, None))
        self.close(ranker.score(split.test.pick(rows), None), every[rows])
        for row in rows:
            self.close(ranker.score(split.test.pick(np.array([row])), None), every[[row]])

    def test_nobody_and_nothing_are_served(self) -> None:
        split = self.split()
        ranker, nobody = self.fitted(split.train), split.test.pick(np.empty(0, dtype=np.int64))
        assert ranker.score(nobody, None).shape == (0, split.train.n_items)
        assert ranker.score(nobody, np.zeros((0, 3), dtype=np.int64)).shape == (0, 3)
        assert np.isfinite(ranker.score(queries([]), None)[:, ranker.known]).all()

    def test_equal_seeds_give_bit_equal_scores(self) -> None:
        split = self.split()
        first, second = (self.fitted(split.train, seed=5).score(split.test, None) for _ in range(2))
        assert_array_equal(first, second)

    def test_a_saved_ranker_scores_the_same_to_the_last_bit(self, tmp_path: Path) -> None:
        split = self.split()
        ranker = self.fitted(split.train)
        ranker.save(tmp_path)
        loaded = self.ranker.load(tmp_path)
        assert loaded.settings == ranker.settings
        assert (loaded.n_items, loaded.n_users) == (ranker.n_items, ranker.n_users)
        assert_array_equal(loaded.known, ranker.known)
        for query in (split.test, split.valid, queries([], [0, 1])):
            assert_array_equal(loaded.score(query, None), ranker.score(query, None))
        assert not [file.name for file in tmp_path.rglob("*") if file.suffix in (".pkl", ".pickle", ".pt")]

    def test_what_another_ranker_saved_is_refused(self, tmp_path: Path) -> None:
        self.fitted(self.split().train).save(tmp_path)
        file = tmp_path / "ranker.json"
        for before, after in ((f'"name": "{self.ranker.name}"', '"name": "another"'), ("{", "[")):
            file.write_text(file.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
            assert self.ranker.name in refusal(lambda: self.ranker.load(tmp_path))

    def test_scoring_changes_nothing(self) -> None:
        split = self.split()
        ranker, before = self.fitted(split.train), _copied(split.test)
        candidates = np.tile(np.arange(5), (len(split.test), 1))
        state = {name: array.copy() for name, array in ranker._state().items()}
        first = np.array(ranker.score(split.test, None))
        ranker.score(split.test, candidates)
        assert_array_equal(ranker.score(split.test, None), first)
        assert_array_equal(candidates, np.tile(np.arange(5), (len(split.test), 1)))
        for name, array in ranker._state().items():
            assert_array_equal(array, state[name], err_msg=name)
        for found, expected in zip(_copied(split.test), before, strict=True):
            assert_array_equal(found, expected)

    def test_the_target_is_not_looked_at(self) -> None:
        split = self.split()
        ranker = self.fitted(split.train)
        test = split.test
        other = Queries(test.user, test.time, np.roll(test.target, 1), test.history)
        assert_array_equal(ranker.score(other, None), ranker.score(test, None))

    def test_it_declares_what_it_can_rank(self) -> None:
        train = self.split().train
        known = self.fitted(train).known
        assert (known.dtype, known.shape) == (np.dtype(bool), (train.n_items,))
        assert known[train.counts > 0].all()
        assert known[-UNCONSUMED:].all() == self.ranker.ranks_new_items

    def test_of_what_it_does_not_know_nothing_is_said(self) -> None:
        split = self.split()
        ranker, n_items = self.fitted(split.train), split.train.n_items
        wide = PaddedCatalogue(ranker, n_items + 2)
        assert_array_equal(known_items(wide, n_items + 2), [*ranker.known, False, False])
        scores = wide.score(split.test, None)
        assert_array_equal(scores[:, :n_items], ranker.score(split.test, None))
        assert np.isnan(scores[:, n_items:]).all()
        said = ranking_feature(wide, split.test)
        assert_array_equal(np.isnan(said), np.tile(~known_items(wide, n_items + 2), (len(said), 1)))

    def test_items_that_joined_later_may_stand_in_a_history(self) -> None:
        split = self.split()
        ranker, n_items = self.fitted(split.train), split.train.n_items
        scores = ranker.score(queries([0, n_items, 1], [n_items + 7]), None)
        assert scores.shape == (2, n_items)
        assert np.isfinite(scores[:, ranker.known]).all()

    def test_people_who_joined_later_are_served(self) -> None:
        """By their history, like everybody who is not in the log, but for a ranker that draws by the user's number."""
        split = self.split()
        ranker = self.fitted(split.train)
        scores = ranker.score(queries([3, 4], user=split.train.n_users + 5), None)
        assert np.isfinite(scores[:, ranker.known]).all()

    def test_the_future_has_no_part_where_it_declares_so(self) -> None:
        """What others do from the query's time on is exchanged; nothing may change."""
        if not self.ranker.needs_time:
            return
        split = self.split()
        train, middle = split.train, int(np.median(split.train.time))
        test = split.test.pick(np.arange(10))
        asked = Queries(test.user, np.full(len(test), middle), test.target, test.history)
        items = np.where(train.time >= middle, (train.item + 7) % (train.n_items - UNCONSUMED), train.item)
        other = make_interactions(train.user, items, train.time, train.n_users, train.n_items)
        assert_array_equal(self.fitted(other).score(asked, None), self.fitted(train).score(asked, None))

    def test_the_checkerboard_is_learned(self) -> None:
        """Of all that a user did not consume, one item is of the kind that they consume."""
        if not self.learns_taste:
            return
        board = checkerboard()
        histories = [board.items_of(user) for user in range(board.n_users)]
        users = np.arange(board.n_users)
        asked = Queries(users, np.full(len(users), 10**6), np.full(len(users), -1), tuple(histories))
        assert_array_equal(unseen(self.fitted(board), asked).argmax(axis=1), users)


def refusal(call: Callable[[], object]) -> str:
    """What the MmsrarecError of a call says. Raises AssertionError where there is none."""
    try:
        call()
    except MmsrarecError as error:
        return str(error)
    raise AssertionError("no MmsrarecError was raised")


def _copied(queries: Queries) -> list[NDArray[Any]]:
    """The arrays of queries."""
    return [array.copy() for array in (queries.user, queries.time, queries.target, *queries.history)]
