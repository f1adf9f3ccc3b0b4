"""Whom a table asks: the sealed are the same people everywhere, and whoever is left out is counted before any work."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import make_dataset, make_items

from mmsrarec.data.dataset import Dataset, make_interactions
from mmsrarec.data.splits import Split, make_split
from mmsrarec.errors import MmsrarecError
from mmsrarec.evaluate.protocols import published_candidates
from mmsrarec.evaluate.settings import EvaluateSettings
from mmsrarec.evaluate.table_facts import facts
from mmsrarec.evaluate.test_queries import check_queries, open_rows, sealed_users, sealed_words, users_in_words
from mmsrarec.recommend.training.training_samples import sample_training, without_negatives

IDS = [f"user {number}" for number in range(5000)]


def test_a_fifth_is_sealed() -> None:
    assert sealed_users(IDS, 0.2).mean() == pytest.approx(0.2, abs=0.02)
    assert not sealed_users(IDS, 0).any()
    # sha256 of "a" begins with ca97..., .79 of all; of "alice" with 2bd8..., .17
    assert sealed_users(["a", "alice"], 0.2).tolist() == [False, True]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=30, unique=True), st.floats(0, 0.9), st.randoms())
def test_who_is_sealed_hangs_on_the_id_alone(ids: list[str], share: float, random) -> None:
    sealed = dict(zip(ids, sealed_users(ids, share), strict=True))
    if not all(sealed.values()):
        assert sum(sealed.values()) < len(ids)
        shuffled = random.sample(ids, len(ids))
        assert dict(zip(shuffled, sealed_users(shuffled, share), strict=True)) == sealed
        wider = dict(zip(ids, sealed_users(ids, min(share + 0.05, 0.95)), strict=True))
        assert not any(wider.values()) or all(wider[one] for one in ids if sealed[one])


def test_nobody_is_sealed_where_nobody_would_be_left() -> None:
    assert sealed_users(["alice"], 0.2).tolist() == [False]


def run_view(n_users: int = 30, n_items: int = 40, each: int = 6, again: int = 0, greedy: int = 0) -> Dataset:
    """Everybody takes `each` items; `again` take their first ones once more at the end, `greedy` others take all."""
    rng = np.random.default_rng(0)
    taken = [rng.permutation(n_items)[:each] for _ in range(n_users - greedy)]
    for items in taken[:again]:
        items[-2:] = items[:2]
    taken += [rng.permutation(n_items) for _ in range(greedy)]
    users = np.repeat(np.arange(n_users), [len(items) for items in taken])
    times = np.concatenate([np.arange(len(items)) for items in taken])
    return make_dataset(make_interactions(users, np.concatenate(taken), times, n_users, n_items), make_items(n_items))


def split_of(dataset: Dataset, settings: EvaluateSettings) -> Split:
    return make_split("leave-one-out", dataset.interactions, 0, settings.repeat_consumption)


def said(dataset: Dataset, **settings) -> str:
    given = EvaluateSettings.model_validate(settings)
    return "\n".join(check_queries(split_of(dataset, given), dataset, given))


def test_all_is_well_and_nothing_is_said() -> None:
    assert said(run_view()) == ""


def test_repeats_are_counted_and_the_setting_is_named() -> None:
    found = said(run_view(again=30))
    assert "30 of 30 test users' targets were consumed before: left out of full ranking" in found
    assert "set evaluate.repeat_consumption=allow" in found
    assert "it has no rows" in found
    assert "no validation target is new" in found
    assert "smaller part of the test users, 10 of them" in said(run_view(again=20))
    few = said(run_view(again=3))
    assert few.startswith("leave-one-out: 3 of 30")
    assert "\n" not in few
    assert "ranked like all others" in said(run_view(again=30), repeat_consumption="allow")
    assert "left out" not in said(run_view(again=30), repeat_consumption="allow")


def test_a_search_without_anything_to_choose_by_is_refused_at_once() -> None:
    with pytest.raises(MmsrarecError, match=r"evaluate\.tune_baselines has nothing to choose by"):
        said(run_view(again=30), tune_baselines=3)
    said(run_view(again=30), tune_baselines=3, repeat_consumption="allow")


def test_who_touched_nearly_everything_is_left_out_before_training() -> None:
    found = said(run_view(greedy=2))
    assert "2 of 30 test users leave fewer than 20 items untouched: left out of the published protocol" in found
    with pytest.raises(MmsrarecError, match="none of 30 test users leaves 36 of 40 items untouched"):
        said(run_view(), negatives=36)
    with pytest.raises(MmsrarecError, match=r"has 15 items in all: set evaluate\.negatives to 7 or less"):
        said(run_view(n_items=15))


def test_who_took_everything_is_not_trained_on_and_named_by_id() -> None:
    """Leave-one-out takes the last two interactions away, so the greedy take everything twice."""
    rng, n_items = np.random.default_rng(0), 30
    taken = [rng.permutation(n_items)[:5] for _ in range(20)] + [np.tile(np.arange(n_items), 2)]
    users = np.repeat(np.arange(21), list(map(len, taken)))
    times = np.concatenate([np.arange(len(items)) for items in taken])
    data = make_dataset(make_interactions(users, np.concatenate(taken), times, 21, n_items), make_items(n_items))
    assert f'1 of 21 users to learn from have taken every item, such as "{data.user_ids[20]}"' in said(data)
    only = data.interactions.where(data.interactions.user == 20)
    with pytest.raises(MmsrarecError, match="none of 1 test users leaves 20 of 30"):
        said(replace(data, interactions=only))


def test_facts_say_whom_a_table_asks() -> None:
    data, settings = run_view(again=4, greedy=2), EvaluateSettings()
    split = split_of(data, settings)
    asked, sealed = open_rows(split.test, data.user_ids, settings)
    assert sorted([*asked, *sealed]) == list(range(30))
    rankable = split.test.pick(asked).rankable
    full = facts(split, data.interactions, 0, None, len(rankable), len(sealed))
    assert (full["users"], full["test_users"], full["left_out"]) == (len(rankable), 30, 4)
    assert full["left_out_reason"] == "their target was consumed before"
    assert full["repeat_share"] == pytest.approx(4 / 30)
    assert f"test users: {len(rankable)} ({len(sealed)} sealed; 4 of all left out" in users_in_words(full)
    published = facts(split, data.interactions, 0, published_candidates(split.test, data.interactions, 0))
    assert (published["users"], published["left_out"]) == (28, 2)
    opened = open_rows(split.test, data.user_ids, settings.model_copy(update={"open_sealed": True}))
    assert [len(part) for part in opened] == [30, len(sealed)]
    assert "no table asks them" in sealed_words(split, len(sealed), settings)[0]


def test_nothing_is_drawn_of_who_took_everything_and_all_else_stays_as_it_was() -> None:
    rng, n_items = np.random.default_rng(0), 12
    taken = [rng.permutation(n_items)[:5] for _ in range(8)]
    users, times = np.repeat(np.arange(8), 5), np.tile(np.arange(5), 8)
    few = make_interactions(users, np.concatenate(taken), times, 9, n_items)
    more = make_interactions(
        np.append(users, np.full(n_items, 8)),
        np.concatenate([*taken, np.arange(n_items)]),
        np.append(times, np.arange(n_items)),
        *(9, n_items),
    )
    assert without_negatives(more).tolist() == [False] * 8 + [True]
    queries, candidates, _ = sample_training(more, 200, 4, np.random.default_rng(1))
    assert set(queries.user) == set(range(8))
    for user, target, row in zip(queries.user, queries.target, candidates, strict=True):
        assert set(row.tolist()) & set(taken[user].tolist()) == {target}
    assert sample_training(few, 200, 4, np.random.default_rng(1))[0].target.tolist() == queries.target.tolist()
    with pytest.raises(MmsrarecError, match="an item left to take"):
        sample_training(more.where(more.user == 8), 5, 4, np.random.default_rng(1))
