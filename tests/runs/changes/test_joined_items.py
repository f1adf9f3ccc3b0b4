"""Items that join a loaded run: known at once, as a fresh load would know them, and nothing else changes."""

from pathlib import Path

import numpy as np
import pytest

from mmsrarec.data.dataset import Item
from mmsrarec.runs.changes.joined_items import JoinedItem, with_items
from mmsrarec.runs.recommender import Recommender

NEW = JoinedItem(Item("new", "A mug of red clay", "", ("Kitchen",)), (), ("red", "clay", "mug"))


@pytest.fixture(scope="module")
def recommender(finished: Path) -> Recommender:
    return Recommender.load(finished / "run")


def scores(recommender: Recommender, user: str) -> dict[str, float]:
    return recommender.score([item.item_id for item in recommender.dataset.items], user=user)


def test_a_new_item_is_recommended_and_others_are_as_before(recommender: Recommender) -> None:
    joined, user = with_items(recommender, [NEW]), recommender.dataset.user_ids[0]
    assert "new" in [item.item_id for item in joined.recommend(user=user, k=100)]
    before, after = scores(recommender, user), scores(joined, user)
    assert np.isfinite(after.pop("new"))
    assert after == pytest.approx(before, abs=1e-6)
    assert "new" not in recommender.dataset.item_code  # the given one stays as it is


def test_costly_parts_are_shared(recommender: Recommender) -> None:
    joined = with_items(recommender, [NEW])
    assert joined.prompts.mllm is recommender.prompts.mllm
    assert joined.retrieval.neighbours is recommender.retrieval.neighbours


def test_an_item_is_replaced(recommender: Recommender) -> None:
    entry = JoinedItem(Item("003", "A violin"), (), ("violin",))
    changed, user = with_items(recommender, [entry]), recommender.dataset.user_ids[1]
    assert changed.dataset.items[changed.dataset.item_code["003"]].title == "A violin"
    assert len(changed.dataset.items) == len(recommender.dataset.items)
    before, after = scores(recommender, user), scores(changed, user)
    assert before.pop("003") != after.pop("003")
    had = {recommender.dataset.items[code].item_id for code in recommender.dataset.interactions.items_of(1)}
    if "003" not in had:
        assert after == pytest.approx(before, abs=1e-6)


def test_items_join_one_after_the_other_or_together(recommender: Recommender) -> None:
    other = JoinedItem(Item("other", "Lamp"), (), ("lamp",))
    user = recommender.dataset.user_ids[2]
    one_by_one = with_items(with_items(recommender, [NEW]), [other])
    assert scores(one_by_one, user) == pytest.approx(scores(with_items(recommender, [NEW, other]), user))


def test_what_is_not_available_is_not_recommended(recommender: Recommender) -> None:
    user = recommender.dataset.user_ids[0]
    best = recommender.recommend(user=user, k=1, reasons=False)[0].item_id
    without = with_items(recommender, [NEW], {best: False, "new": False, "nowhere": False})
    named = {item.item_id for item in without.recommend(user=user, k=100, reasons=False)}
    assert not named & {best, "new"}
    back = with_items(without, [], {best: True})
    assert back.recommend(user=user, k=1, reasons=False)[0].item_id == best


def test_a_history_may_name_a_new_item(recommender: Recommender) -> None:
    joined = with_items(recommender, [NEW])
    answers = joined.recommend(history=["new", "001"], k=3)
    assert len(answers) == 3
    assert answers.left_out == ()
