"""Who proposes the candidates of an answer: rankers of the run, for the catalogue as it is now."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import people

from mmsrarec.data.dataset import FloatArray, IntArray
from mmsrarec.data.splits import Queries
from mmsrarec.rankers.base import RanksEverything, known_items, ordered
from mmsrarec.rankers.ensemble.conditional_logit import Logit
from mmsrarec.rankers.ensemble.interleaved import PaddedCatalogue
from mmsrarec.rankers.popularity import Popularity
from mmsrarec.recommend.prompt.preferences import UserPreferences
from mmsrarec.runs.answers import generators
from mmsrarec.runs.answers.generators import catalogue_generator, served_generators, with_preferred
from mmsrarec.runs.run_folder import RunFolder

SPLIT = "leave-one-out"


class Fixed(RanksEverything):
    """The same scores at every query."""

    name = "fixed"

    def __init__(self, scores: list[float]):
        self.scores = np.array(scores, dtype=np.float64)

    def score(self, queries: Queries, candidates: IntArray | None) -> FloatArray:
        rows = np.tile(self.scores, (len(queries), 1))
        return rows if candidates is None else np.take_along_axis(rows, candidates, axis=1)


def nobody() -> Queries:
    """A query of somebody without a history."""
    return Queries(np.array([-1]), np.array([10]), np.array([-1]), (np.array([], dtype=np.int64),))


def order_of(generator: Any) -> list[int]:
    """The item codes of the whole catalogue, best first."""
    return ordered(np.asarray(generator.score(nobody(), None)))[0][0].tolist()


scores = st.lists(st.integers(-50, 50), min_size=1, max_size=12, unique=True)


@given(scores, st.data())
def test_items_that_carry_the_keyword_take_turns_with_all(values: list[int], data: st.DataObject) -> None:
    red = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    keywords = [("red",) if carrying else ("blue",) for carrying in red]
    generator = Fixed([float(value) for value in values])
    both = with_preferred(generator, UserPreferences.of(["red"]), keywords)
    usual, order = order_of(generator), order_of(both)
    assert sorted(order) == list(range(len(values)))
    for code, carrying in enumerate(red):
        if carrying:  # it never loses by being asked for, but to others that carry the keyword
            ahead = set(order[: order.index(code)]) - set(usual[: usual.index(code)])
            assert not {other for other in ahead if not red[other]}
    preferred = [code for code in usual if red[code]]
    for rank, code in enumerate(preferred):  # among those that carry it, each is at its turn or before
        assert order.index(code) <= 2 * rank + 1


@given(scores)
def test_a_keyword_that_no_item_carries_changes_no_order(values: list[int]) -> None:
    generator = Fixed([float(value) for value in values])
    both = with_preferred(generator, UserPreferences.of(["red"]), [("blue",)] * len(values))
    assert order_of(both) == order_of(generator)


def test_a_keyword_to_have_less_of_proposes_nothing() -> None:
    generator = Fixed([3.0, 2.0, 1.0])
    both = with_preferred(generator, UserPreferences.of([], ["red"]), [("blue",), ("blue",), ("red",)])
    assert order_of(both) == order_of(generator)


def test_each_different_keyword_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(generators, "carries", lambda words, *_: asked.extend(words) or words[0] == "red")
    keywords = [("red", "wool"), ("blue",), (), ("wool", "red"), ("blue", "wool")]
    both = with_preferred(Fixed([5.0, 4.0, 3.0, 2.0, 1.0]), UserPreferences.of(["red"]), keywords)
    assert sorted(asked) == ["blue", "red", "wool"]
    assert order_of(both) == [0, 1, 3, 2, 4]


def test_the_last_item_is_second_where_it_alone_carries_the_keyword() -> None:
    keywords = [("blue",)] * 9 + [("dark red", "wool")]
    both = with_preferred(Fixed([float(-code) for code in range(10)]), UserPreferences.of(["red"]), keywords)
    assert order_of(both) == [0, 9, *range(1, 9)]


def test_named_candidates_keep_the_scores_of_the_generator() -> None:
    both = with_preferred(Fixed([3.0, 2.0, 1.0]), UserPreferences.of(["red"]), [("red",), (), ("red",)])
    assert both.score(nobody(), np.array([[2, 0]])).tolist() == [[1.0, 3.0]]


@pytest.fixture
def larger_catalogue(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What stands for a run whose rankers know four items, though the catalogue has six by now."""
    train = people([0, 1], [0], [0, 2])
    monkeypatch.setattr(
        "mmsrarec.runs.answers.generators.served_rankers",
        lambda run_folder, split, names: [Popularity().fit(train) for _ in names],
    )
    return SimpleNamespace(dataset=SimpleNamespace(items=range(6)))


def test_items_that_joined_later_have_no_score(larger_catalogue: Any) -> None:
    (generator,) = served_generators(larger_catalogue, SPLIT, ["popularity"])
    row = generator.score(nobody(), None)[0]
    assert row[:3].tolist() == [3.0, 1.0, 1.0]
    assert np.isnan(row[4:]).all()
    assert known_items(generator, 6).tolist() == [True, True, True, False, False, False]
    named = generator.score(nobody(), np.array([[5, 0]]))[0]
    assert np.isnan(named[0])
    assert named[1] == 3.0


@pytest.mark.parametrize("names", [[], ["popularity"], ["popularity", "popularity"]])
def test_there_is_a_generator_for_each_name(larger_catalogue: Any, names: list[str]) -> None:
    assert [generator.name for generator in served_generators(larger_catalogue, SPLIT, names)] == names


@pytest.fixture(scope="module")
def run_folder(finished: Path) -> RunFolder:
    return RunFolder.open(finished / "run")


def test_generators_of_a_finished_run_rank_its_whole_catalogue(run_folder: RunFolder) -> None:
    names = ["sequential-rules", "sasrec"]
    rules, encoder = served_generators(run_folder, SPLIT, names)
    query = run_folder.split(SPLIT).test.pick(np.array([0, 3]))
    assert [rules.name, encoder.name] == names
    assert all(isinstance(generator, PaddedCatalogue) for generator in (rules, encoder))
    assert rules.score(query, None).shape == encoder.score(query, None).shape == (2, 60)
    np.testing.assert_allclose(encoder.score(query, None), run_folder.encoder(SPLIT).scores(query.history)[:, :60])


def test_without_fusion_the_sequence_encoder_proposes_and_new_items_have_their_turns(run_folder: RunFolder) -> None:
    query = run_folder.split(SPLIT).test.pick(np.array([0]))
    counts = run_folder.split(SPLIT).train.counts
    order = ordered(catalogue_generator(run_folder, SPLIT, (), None).score(query, None))[0][0]
    own = run_folder.encoder(SPLIT).scores(query.history)[0][:60]
    known = [code for code in order.tolist() if counts[code] > 0]
    assert sorted(order.tolist()) == list(range(60))
    assert known == sorted(known, key=lambda code: -own[code])
    new = np.flatnonzero(counts == 0)
    n_candidates = run_folder.recipe.evaluate.n_candidates
    assert len(new) > 0
    assert np.isin(order[:n_candidates], new).any()


@pytest.mark.parametrize("names", [("als",), ("als", "sequential-rules")])
def test_with_fusion_those_propose_that_were_chosen(run_folder: RunFolder, names: tuple[str, ...]) -> None:
    query = run_folder.split(SPLIT).test.pick(np.array([0, 1]))
    counts = run_folder.split(SPLIT).train.counts
    generators = served_generators(run_folder, SPLIT, ["als", "sequential-rules"])
    fusion: Any = SimpleNamespace(proposing_generators=names, generators_logit=Logit.first(len(names)))
    orders = ordered(catalogue_generator(run_folder, SPLIT, generators, fusion).score(query, None))[0]
    own = generators[0].score(query, None)  # the first has all the weight
    for order, row, history in zip(orders.tolist(), own, query.history, strict=True):
        known = [code for code in order if counts[code] > 0 and code not in history]
        assert len(known) > 20
        assert np.all(np.diff(row[known]) <= 1e-6)
