"""The laws of rankers, as pytest tests that the test class of a ranker inherits."""

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

    def close(self, actual: FloatArray, expected: FloatArray) -> None:
        """Assert that scores are equal but for the order of summing."""
        assert_allclose(actual, expected, rtol=self.rtol, atol=self.atol)

    def test_an_unfitted_ranker_says_what_to_do(self) -> None:
        """Scoring before `fit` raises an error that says so."""
        unfitted = self.ranker(**self.settings)
        assert "fit" in refusal(lambda: unfitted.score(queries([0]), None)), "the error must say that it is not fitted"

    def test_settings_are_described_and_strict(self) -> None:
        """Each setting has a description, each value of the search space is valid, and unknown settings are refused."""
        kind = self.ranker.Settings
        for name, field in kind.model_fields.items():
            assert field.description, f"{kind.__name__}.{name} needs a description with its unit"
        for name, values in self.ranker.search_space.items():
            for value in values:
                self.ranker.parse_settings({name: value})
        assert "no_such_setting" in refusal(lambda: self.ranker.parse_settings({"no_such_setting": 1}))

    def test_scores_are_of_all_items_or_of_the_candidates(self) -> None:
        """A candidate has the score that it has among all items, whatever the other candidates."""
        split = self.split()
        ranker, n_items = self.fitted(split.train), split.train.n_items
        every = ranker.score(split.test, None)
        assert every.shape == (len(split.test), n_items)
        assert np.isfinite(every[:, ranker.known]).all()
        candidates = np.argsort(np.random.default_rng(0).random(every.shape), axis=1)[:, :11]
        scores = ranker.score(split.test, candidates)
        self.close(scores, np.take_along_axis(every, candidates, axis=1))
        self.close(ranker.score(split.test, candidates[:, ::-1])[:, ::-1], scores)
        self.close(ranker.score(split.test, candidates[:, :1]), scores[:, :1])

    def test_a_score_does_not_depend_on_the_other_queries(self) -> None:
        """A query has the same scores alone and among others."""
        split = self.split()
        ranker, rows = self.fitted(split.train), np.array([17, 3, 41])
        every = np.asarray(ranker.score(split.test, None))
        self.close(ranker.score(split.test.pick(rows), None), every[rows])
        for row in rows:
            self.close(ranker.score(split.test.pick(np.array([row])), None), every[[row]])

    def test_nobody_and_nothing_are_served(self) -> None:
        """No query, no candidates and an empty history are valid input."""
        split = self.split()
        ranker, nobody = self.fitted(split.train), split.test.pick(np.empty(0, dtype=np.int64))
        assert ranker.score(nobody, None).shape == (0, split.train.n_items)
        assert ranker.score(nobody, np.zeros((0, 3), dtype=np.int64)).shape == (0, 3)
        assert np.isfinite(ranker.score(queries([]), None)[:, ranker.known]).all()

    def test_equal_seeds_give_bit_equal_scores(self) -> None:
        """Two fits with one seed give the same scores to the last bit."""
        split = self.split()
        first, second = (self.fitted(split.train, seed=5).score(split.test, None) for _ in range(2))
        assert_array_equal(first, second)

    def test_a_saved_ranker_scores_the_same_to_the_last_bit(self, tmp_path: Path) -> None:
        """A loaded ranker has the same settings, sizes and scores, and nothing was pickled."""
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
        """Loading files of another ranker, or broken ones, raises an error that names this one."""
        self.fitted(self.split().train).save(tmp_path)
        file = tmp_path / "ranker.json"
        for before, after in ((f'"name": "{self.ranker.name}"', '"name": "another"'), ("{", "[")):
            file.write_text(file.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
            assert self.ranker.name in refusal(lambda: self.ranker.load(tmp_path))

    def test_scoring_changes_nothing(self) -> None:
        """Scoring changes neither the ranker nor the queries nor the candidates."""
        split = self.split()
        ranker, before = self.fitted(split.train), _copied(split.test)
        candidates = np.tile(np.arange(5), (len(split.test), 1))
        state = {name: array.copy() for name, array in _fitted_arrays(ranker).items()}
        first = np.array(ranker.score(split.test, None))
        ranker.score(split.test, candidates)
        assert_array_equal(ranker.score(split.test, None), first)
        assert_array_equal(candidates, np.tile(np.arange(5), (len(split.test), 1)))
        for name, array in _fitted_arrays(ranker).items():
            assert_array_equal(array, state[name], err_msg=name)
        for after, expected in zip(_copied(split.test), before, strict=True):
            assert_array_equal(after, expected)

    def test_the_target_is_not_looked_at(self) -> None:
        """Other targets give the same scores."""
        split = self.split()
        ranker = self.fitted(split.train)
        test = split.test
        other = Queries(test.user, test.time, np.roll(test.target, 1), test.history)
        assert_array_equal(ranker.score(other, None), ranker.score(test, None))

    def test_it_declares_what_it_can_rank(self) -> None:
        """`known` holds each item that somebody consumed, and new ones only as declared."""
        train = self.split().train
        mask = self.fitted(train).known
        assert (mask.dtype, mask.shape) == (np.dtype(bool), (train.n_items,))
        assert mask[train.counts > 0].all()
        assert mask[-UNCONSUMED:].all() == self.ranker.ranks_new_items

    def test_of_what_it_does_not_know_nothing_is_said(self) -> None:
        """In a larger catalogue, items that it does not know have no score and no ranking feature."""
        split = self.split()
        ranker, n_items = self.fitted(split.train), split.train.n_items
        wide = PaddedCatalogue(ranker, n_items + 2)
        assert_array_equal(known_items(wide, n_items + 2), [*ranker.known, False, False])
        scores = wide.score(split.test, None)
        assert_array_equal(scores[:, :n_items], ranker.score(split.test, None))
        assert np.isnan(scores[:, n_items:]).all()
        terms = ranking_feature(wide, split.test)
        assert_array_equal(np.isnan(terms), np.tile(~known_items(wide, n_items + 2), (len(terms), 1)))

    def test_items_that_joined_later_may_stand_in_a_history(self) -> None:
        """A history may hold items that joined the catalogue after the fit."""
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
        test_queries = Queries(test.user, np.full(len(test), middle), test.target, test.history)
        items = np.where(train.time >= middle, (train.item + 7) % (train.n_items - UNCONSUMED), train.item)
        other = make_interactions(train.user, items, train.time, train.n_users, train.n_items)
        assert_array_equal(self.fitted(other).score(test_queries, None), self.fitted(train).score(test_queries, None))

    def test_the_checkerboard_is_learned(self) -> None:
        """Of all that a user did not consume, one item is of the kind that they consume."""
        if not self.learns_taste:
            return
        board = checkerboard()
        histories = [board.items_of(user) for user in range(board.n_users)]
        users = np.arange(board.n_users)
        test_queries = Queries(users, np.full(len(users), 10**6), np.full(len(users), -1), tuple(histories))
        assert_array_equal(unseen(self.fitted(board), test_queries).argmax(axis=1), users)


def refusal(call: Callable[[], object]) -> str:
    """What the MmsrarecError of a call says. Raises AssertionError where there is none."""
    try:
        call()
    except MmsrarecError as error:
        return str(error)
    raise AssertionError("no MmsrarecError was raised")


def _fitted_arrays(ranker: RankerBase) -> dict[str, NDArray[Any]]:
    """The arrays that a ranker would save, themselves and no copies of them."""
    return ranker._state()  # pyright: ignore[reportPrivateUsage]  # nothing public gives them


def _copied(queries: Queries) -> list[NDArray[Any]]:
    """The arrays of queries."""
    return [array.copy() for array in (queries.user, queries.time, queries.target, *queries.history)]
