"""Interactions of a catalogue that grows: what is counted is kept, and what counts items has room for the new ones."""

import numpy as np

from mmsrarec.data.dataset import Interactions, make_interactions


def log() -> Interactions:
    rng = np.random.default_rng(0)
    users, items, times = (rng.integers(0, bound, 200) for bound in (20, 30, 50))
    return make_interactions(users, items, times, 20, 30)


def test_a_wider_catalogue_has_the_same_interactions() -> None:
    before = log()
    _ = before.by_time, before.offsets, before.times
    wider = before.with_items(35)
    assert wider.by_time is before.by_time
    assert (wider.counts[:30] == before.counts).all()
    assert wider.counts[30:].tolist() == [0] * 5
    fresh = Interactions(before.user, before.item, before.time, 20, 35)
    assert fresh.digest == wider.digest
    assert (fresh.times == wider.times).all()


def test_times_are_in_order() -> None:
    times = log().times
    assert (np.diff(times) >= 0).all()
    assert sorted(log().time.tolist()) == times.tolist()
