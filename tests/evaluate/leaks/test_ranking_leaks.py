"""Checks of the ranking itself: each is green for a sound scorer and red for the fault it is for."""

import numpy as np
import pytest
from leaky import Small, rounds
from test_held_out_leaks import Table

from mmsrarec.data.dataset import Dataset, Item
from mmsrarec.evaluate.leaks import ranking_leaks
from mmsrarec.evaluate.metrics import PUBLISHED, measure
from mmsrarec.evaluate.protocols import Candidates, evaluate_published, published_candidates
from mmsrarec.rankers.random_scores import Random

LOG = rounds()
WORLD = Small(LOG)
TEST = WORLD.split.test
ASKED = published_candidates(TEST, LOG, 0)
FINE = Random().fit(LOG, seed=0)


def test_an_answer_that_always_stands_first_is_found():
    training = np.random.default_rng(0).integers(0, 8, 300)
    assert ranking_leaks.places(ASKED, training, 7, 0).passed
    first = Candidates(ASKED.user, ASKED.items, np.zeros_like(ASKED.place), 0)
    found = ranking_leaks.places(first, training, 7, 0)
    assert (found.passed, found.measured["first in test"]) == (False, 1.0)
    assert not ranking_leaks.places(ASKED, np.where(training < 3, 0, training), 7, 0).passed


def test_ties_that_are_won_are_found():
    def generous(scorer, queries, candidates):
        """Counts only what stands above."""
        scores = scorer.score(queries, candidates.items)
        positive = np.take_along_axis(scores, candidates.place[:, None], axis=1)
        above = (scores > positive).sum(axis=1)
        return measure(above, np.zeros_like(above), candidates.items.shape[1] - 1, PUBLISHED)

    assert ranking_leaks.constant(TEST, ASKED).passed
    found = ranking_leaks.constant(TEST, ASKED, generous)
    assert (found.passed, found.measured["HR@5"]) == (False, 1.0)


def test_a_harness_that_takes_anything_is_found():
    def careless(scorer, queries, candidates):
        scores = np.nan_to_num(scorer.score(queries, candidates.items))
        return evaluate_published(Table("mended", lambda *_: scores), queries, candidates)

    assert ranking_leaks.not_a_number(TEST, ASKED).passed
    assert not ranking_leaks.not_a_number(TEST, ASKED, careless).passed


def test_scores_that_hang_on_the_place_are_found():
    by_place = Table("by place", lambda queries, items: items + np.linspace(0, 0.1, items.shape[1]))
    assert ranking_leaks.order([FINE], TEST, ASKED.items, 0).passed
    found = ranking_leaks.order([FINE, by_place], TEST, ASKED.items, 0)
    assert (found.passed, found.measured["random"]) == (False, 0)


@pytest.mark.parametrize("axis", [0, 1])
def test_scores_that_hang_on_the_others_are_found(axis):
    """Normed over the users of a batch, or over the candidates of a pack."""
    normed = Table("normed", lambda queries, items: items - items.mean(axis=axis, keepdims=True))
    few, items = TEST.pick(np.arange(4)), ASKED.items[:4]
    assert ranking_leaks.batch([FINE], few, items).passed
    assert not ranking_leaks.batch([FINE, normed], few, items).passed


def test_renamed_titles_say_nothing_of_the_old_ones():
    items = (Item("a", title="Toy Story (1995)", text="toys"), Item("b", title=""), Item("c", title="Heat"))
    dataset = Dataset("d", items, LOG.n_users * ("u",), LOG)
    strange = ranking_leaks.renamed(dataset, 0)
    assert [len(item.title.split()) for item in strange.items] == [3, 0, 1]
    assert not {word for item in items for word in item.title.split()} & {
        word for item in strange.items for word in item.title.split()
    }
    assert [(item.item_id, item.text) for item in strange.items] == [(item.item_id, item.text) for item in items]
    assert ranking_leaks.renamed(dataset, 0).items == strange.items != ranking_leaks.renamed(dataset, 1).items


def test_memorised_titles_are_reported_not_judged():
    oracle = Table("oracle", lambda queries, items: (items == queries.target[:, None]).astype(float))
    found = ranking_leaks.memorised_titles(oracle, FINE, TEST, ASKED)
    assert found.passed is None
    assert (found.measured["HR@5"], found.measured["users"]) == (1.0, 80)
    assert found.measured["HR@5 renamed"] < 0.5
