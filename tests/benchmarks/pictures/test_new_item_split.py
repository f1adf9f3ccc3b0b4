"""New items are in nothing that trains, and every query for one has its whole past and nothing later."""

from pathlib import Path

import numpy as np
import pytest
from new_item_split import AmongNew, NewItemSplit, chosen, new_candidates, only_pictured, split_new_items

from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.evaluate.metrics import FULL
from mmsrarec.evaluate.protocols import evaluate_full, published_candidates


def drawn_dataset(n_users: int = 60, n_items: int = 150, length: int = 24, every: int = 4) -> Dataset:
    """Every user takes different items; each item but one in `every` has a picture, which is never read."""
    rng = np.random.default_rng(0)
    items = tuple(Item(f"i{code}", image=f"{code}.png" if code % every else None) for code in range(n_items))
    taken = np.concatenate([rng.choice(n_items, length, replace=False) for _ in range(n_users)])
    users = np.repeat(np.arange(n_users), length)
    log = make_interactions(users, taken, np.tile(np.arange(length), n_users), n_users, n_items)
    return Dataset("drawn", items, tuple(f"u{code}" for code in range(n_users)), log, Path("nowhere"))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return drawn_dataset()


@pytest.fixture(scope="module")
def split(dataset: Dataset) -> NewItemSplit:
    return split_new_items(dataset)


def test_a_share_of_the_items_is_new_and_the_choice_is_the_ids_alone(dataset: Dataset, split: NewItemSplit) -> None:
    assert 0.1 < split.new.mean() < 0.3
    ids = [item.item_id for item in dataset.items]
    np.testing.assert_array_equal(chosen(ids[::-1], 0.2, "new")[::-1], split.new)
    assert (chosen(ids, 0.2, "other") != split.new).any()


def test_training_holds_no_new_item_and_no_late_interaction(dataset: Dataset, split: NewItemSplit) -> None:
    assert not split.new[split.train.item].any()
    assert split.train.time.max() < 18 == 24 * 0.75
    early_and_old = (dataset.interactions.time < 18) & ~split.new[dataset.interactions.item]
    assert len(split.train) == early_and_old.sum()


def test_queries_are_the_late_new_items_with_a_picture(dataset: Dataset, split: NewItemSplit) -> None:
    log = dataset.interactions
    pictured = np.array([item.image is not None for item in dataset.items])
    expected = {
        (int(user), int(item))
        for user, item, time in zip(log.user, log.item, log.time, strict=True)
        if time >= 18 and split.new[item] and pictured[item]
    }
    found = [pair for part in (split.valid, split.test) for pair in zip(part.user, part.target, strict=True)]
    assert {(int(user), int(item)) for user, item in found} == expected
    assert len(found) == len(expected)
    assert not set(split.valid.user) & set(split.test.user)
    assert len(split.valid)


def test_a_history_is_all_that_came_before_new_items_too(dataset: Dataset, split: NewItemSplit) -> None:
    for user, time, history in zip(split.test.user, split.test.time, split.test.history, strict=True):
        np.testing.assert_array_equal(history, dataset.interactions.items_of(user)[: int(time)])
    assert any(split.new[history].any() for history in split.test.history)


class ByCode:
    """Scores an item by its code."""

    name = "code"

    def score(self, queries, candidates):
        codes = np.arange(150) if candidates is None else candidates
        return np.broadcast_to(codes, (len(queries), np.shape(codes)[-1])).astype(float)


def test_only_new_items_compete_where_all_new_are_ranked(dataset: Dataset, split: NewItemSplit) -> None:
    queries = split.test.pick(np.arange(len(split.test)))
    assert isinstance(queries, AmongNew)
    expected = [
        sum(1 for code in np.flatnonzero(split.new) if code > target and code not in history)
        for target, history in zip(queries.target, queries.history, strict=True)
    ]
    found = evaluate_full(ByCode(), queries, 150, ("HR@5",))["HR@5"]
    np.testing.assert_array_equal(found, np.array(expected) < 5)
    everywhere = evaluate_full(ByCode(), queries.among_all, 150, FULL)["HR@5"]
    assert everywhere.mean() < found.mean()


def test_new_candidates_are_new_items_that_the_user_never_takes(dataset: Dataset, split: NewItemSplit) -> None:
    drawn = new_candidates(split.test, dataset.interactions, split.new, seed=3, n=10)
    queries = split.test.pick(drawn.rows)
    rows = np.arange(len(queries))
    np.testing.assert_array_equal(drawn.items[rows, drawn.place], queries.target)
    assert split.new[drawn.items].all()
    for row, user in zip(rows, queries.user, strict=True):
        others = np.delete(drawn.items[row], drawn.place[row])
        assert len(set(others)) == 10
        assert not np.isin(others, dataset.interactions.items_of(user)).any()
    assert drawn.digest == new_candidates(split.test, dataset.interactions, split.new, seed=3, n=10).digest
    assert drawn.digest != new_candidates(split.test, dataset.interactions, split.new, seed=4, n=10).digest


def test_candidates_from_the_catalogue_hold_old_items_too(dataset: Dataset, split: NewItemSplit) -> None:
    drawn = published_candidates(split.test.among_all, dataset.interactions, seed=0)
    assert 0.6 < 1 - split.new[np.delete(drawn.items, 0, axis=1)].mean() < 0.95


def test_the_catalogue_of_pictured_items_is_a_core(dataset: Dataset) -> None:
    kept = only_pictured(dataset, (5, 5))
    log = dataset.interactions
    stays = np.array([item.image is not None for item in dataset.items]) & (log.counts >= 5)
    assert 100 < len(kept.items) < 112  # 112 have a picture
    assert [item.item_id for item in kept.items] == [f"i{code}" for code in np.flatnonzero(stays)]
    assert kept.interactions.counts.min() >= 5
    first = log.items_of(0)[stays[log.items_of(0)]]
    assert [kept.items[code].item_id for code in kept.interactions.items_of(0)] == [f"i{code}" for code in first]
