"""What is held out stays out; where it does not, the check says so."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from leaky import N_ITEMS, ROWS, SETTINGS, Small, TooMuch, rounds, whole_log

from mmsrarec.data.dataset import make_interactions
from mmsrarec.evaluate.leaks import held_out_leaks
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.rankers.popularity import Popularity
from mmsrarec.retrieve import neighbours

LOG = rounds()
SOUND = Small(LOG)
ASKED = published_candidates(SOUND.split.test, LOG, 0)


class Table:
    """Scores looked up by (query, item)."""

    def __init__(self, name, of):
        self.name, self.of = name, of

    def score(self, queries, candidates):
        assert candidates is not None
        return self.of(queries, candidates)


def test_training_on_what_is_held_out_is_found():
    assert held_out_leaks.split_apart(SOUND.split).passed
    found = held_out_leaks.split_apart(replace(SOUND.split, train=LOG))
    assert (found.passed, found.measured["trained on"]) == (False, 160)


def test_a_statistic_of_the_whole_log_is_found():
    assert held_out_leaks.statistics(LOG, Small, ASKED, ROWS, SETTINGS, 0).passed
    counted = partial(Small, rows=lambda run_view: {"popularity": Popularity().fit(run_view.log)})
    found = held_out_leaks.statistics(LOG, counted, ASKED, ROWS, SETTINGS, 0)
    assert (found.passed, found.measured["changed"]) == (False, 0)
    assert found.measured["changed rows"] == "popularity"
    indexed = held_out_leaks.statistics(LOG, partial(Small, seen=whole_log), ASKED, (), SETTINGS, 0)
    assert not indexed.passed
    assert indexed.measured["changed"] > 50


def test_shuffled_labels_fall_to_chance_for_all_that_do_not_know_them():
    found = held_out_leaks.labels(LOG, Small, ASKED, ROWS, 0)
    assert found.passed
    assert found.measured["chance"] == pytest.approx(5 / 21)
    few = held_out_leaks.labels(LOG, Small, ASKED, ("popularity",), 0, np.arange(0, 80, 2))
    assert (few.passed, few.measured["users"], few.check) == (True, 40, "shuffled labels, popularity")


def test_who_knows_the_labels_is_found(monkeypatch):
    peeks = Table("peeks", lambda queries, items: (items == queries.target[:, None]).astype(float))
    found = held_out_leaks.labels(LOG, partial(Small, rows=lambda run_view: {"peeks": peeks}), ASKED, ("peeks",), 0)
    assert (found.passed, found.measured["peeks"]) == (False, 1.0)
    monkeypatch.setattr(neighbours, "MIN_COPY_LENGTH", 99)
    leaky = partial(Small, retrieval=TooMuch, seen=whole_log)
    assert not held_out_leaks.labels(LOG, leaky, ASKED, ("context-only",), 0).passed


def test_targets_swapped_between_users_would_not_do():
    """Why the label is drawn among the candidates: a swapped target is still popular, which is no leak."""
    rng = np.random.default_rng(0)
    liked = 1 / np.arange(1, 61) / (1 / np.arange(1, 61)).sum()
    items = np.concatenate([rng.choice(60, 5, replace=False, p=liked) for _ in range(400)])
    log = make_interactions(np.repeat(np.arange(400), 5), items, np.arange(2000), 400, 60)
    run_view = Small(log)
    swapped = replace(run_view.split.test, target=rng.permutation(run_view.split.test.target))
    asked = published_candidates(swapped, log, 0)
    row, chance = run_view.row("popularity"), 5 / 21
    above = held_out_leaks.evaluate_published(row, swapped, asked)["HR@5"].mean()
    assert above > chance + 0.1
    assert held_out_leaks.labels(
        log, Small, published_candidates(run_view.split.test, log, 0), ("popularity",), 0
    ).passed


def test_the_order_of_the_file_may_not_tell_the_answer():
    """Items of one second are sorted in the file, so the last one is the highest."""
    items = np.sort(np.random.default_rng(1).permuted(np.tile(np.arange(N_ITEMS), (300, 1)), axis=1)[:, :6], axis=1)
    log = make_interactions(np.repeat(np.arange(300), 6), items.ravel(), np.repeat(np.arange(300), 6), 300, N_ITEMS)
    highest = Table("highest", lambda queries, candidates: candidates.astype(float))
    found = held_out_leaks.ties(log, partial(Small, rows=lambda run_view: {"highest": highest}), ("highest",), 0, 20)
    assert not found.passed
    assert found.measured["tied events"] == 1
    assert found.measured["highest"] > max(found.measured["highest shuffled"]) + 0.3
    assert "highest" in found.advice
    sound = held_out_leaks.ties(LOG, Small, ("sequential-rules",), 0, 20)
    assert (sound.passed, sound.measured["sequential-rules spread"]) == (True, 0)  # no ties: the same thrice
    assert len(sound.measured["sequential-rules shuffled"]) == 3
