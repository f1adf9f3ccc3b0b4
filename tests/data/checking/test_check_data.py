"""The facts of a data set, by hand and on a drawn one."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from broken_pictures import encoded, noise
from PIL import Image

from mmsrarec.core.json_values import plain
from mmsrarec.data.checking import check_data
from mmsrarec.data.checking.check_data import check
from mmsrarec.data.dataset import Dataset, Item, make_interactions
from mmsrarec.data.profile import cold_share
from mmsrarec.data.splits import leave_one_out


def small(folder: Path) -> Dataset:
    user, item, time = np.array([[0, 0, 1], [0, 1, 2], [0, 2, 2], [0, 3, 9], [1, 0, 2], [1, 0, 5], [1, 1, 6]]).T
    items = (
        Item("a", "A lamp", "x", image="gone.png"),
        Item("b", "A lamp!", "x", image="blank.png"),
        Item("c", image="http://example.com/1.jpg"),
        Item("d", "D", image="noise.png"),
        Item("e", "E", text="y"),
    )
    (folder / "images").mkdir()
    (folder / "images" / "blank.png").write_bytes(encoded(Image.new("RGB", (50, 50)), "PNG"))
    (folder / "images" / "noise.png").write_bytes(encoded(noise(size=(64, 64)), "PNG"))
    return Dataset("d", items, ("u", "v"), make_interactions(user, item, time, 2, 5), folder)


def test_counts_by_hand(tmp_path: Path) -> None:
    facts = check(small(tmp_path))
    assert (facts.items, facts.users, facts.events) == (5, 2, 7)
    assert facts.density == 6 / 10
    assert (facts.items_without_title, facts.items_without_text, facts.items_without_image) == (1, 2, 2)
    assert (facts.items_without_events, facts.pictures_by_address, facts.pictures_opened) == (1, 1, 3)
    assert facts.broken_images == {"a": "no such file"}
    assert facts.odd_images == {"b": "shows one colour"}
    assert [group.item_ids for group in facts.duplicate_texts] == [("a", "b")]
    assert facts.duplicate_images == []
    assert facts.events_without_image == 4 / 7  # a thrice, c once
    assert facts.events_without_text == 1 / 7
    assert facts.median_events_per_user == 3.5
    assert facts.tie_share == 2 / 7
    assert facts.repeat_share == pytest.approx(1 / 7)
    assert facts.immediate_repeat_share == 1 / 7
    assert (facts.first_time, facts.last_time, facts.times, facts.time) == (1, 9, "steps", None)
    assert facts.cold_share.keys() == {"leave-one-out", "user-8-1-1"}
    assert facts.languages == {}
    json.dumps(plain(facts), allow_nan=False)


def test_as_many_pictures_are_opened_as_are_wished_for(tmp_path: Path) -> None:
    facts = check(small(tmp_path), max_pictures=1)
    assert (facts.pictures_named, facts.pictures_opened) == (3, 1)
    assert (list(facts.broken_images), facts.odd_images) == (["a"], {})
    assert check(small_again(tmp_path), max_pictures=0).pictures_opened == 0


def small_again(folder: Path) -> Dataset:
    for path in (folder / "images").iterdir():
        path.unlink()
    (folder / "images").rmdir()
    return small(folder)


def test_as_many_texts_are_compared_as_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_data, "MAX_TEXTS", 1)
    facts = check(small(tmp_path))
    assert (facts.texts_compared, facts.duplicate_texts) == (1, [])


def test_languages_are_asked_for_items_evenly_over_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_data, "MAX_LANGUAGE_ITEMS", 3)
    asked: list[str] = []

    def languages(texts: Sequence[str]) -> list[str]:
        asked.extend(texts)
        return ["en", "de", "en"]

    assert check(small(tmp_path), languages=languages).languages == {"en": 2, "de": 1}
    assert [text.split("\n")[0] for text in asked] == ["A lamp", "", "E"]


def test_descriptions_of_several_items_are_counted(drawn: Dataset) -> None:
    assert check(drawn).shared_texts == sum(
        count for count in Counter(item.text for item in drawn.items if item.text).values() if count >= 5
    )
    items = tuple(Item(str(code), f"title {code * 7919}", "made with care") for code in range(5))
    none = np.zeros(0, dtype=np.int64)
    assert check(Dataset("d", items, (), make_interactions(none, none, none, 0, 5))).shared_texts == 5


def test_the_drawn_catalogue(drawn: Dataset) -> None:
    facts = check(drawn)
    assert (facts.items, facts.users, facts.events) == (100, 200, len(drawn.interactions))
    assert facts.items_without_image == 8
    assert (facts.broken_images, facts.odd_images, facts.suspicious_users) == ({}, {}, [])
    assert facts.times == "seconds"
    assert facts.time is not None
    assert sum(facts.time.per_period.values()) == facts.events
    assert facts.cold_share.keys() == {"leave-one-out", "user-8-1-1", "time-cut"}
    assert facts.cold_share["leave-one-out"] == cold_share(leave_one_out(drawn.interactions)) > 0


def test_a_data_set_without_interactions_is_looked_at_too() -> None:
    none = np.zeros(0, dtype=np.int64)
    facts = check(Dataset("d", (Item("a", "A"),), (), make_interactions(none, none, none, 0, 1)))
    assert (facts.events, facts.first_time, facts.time) == (0, None, None)
    assert [finding.what for finding in facts.findings] == ["there are no interactions"]


def test_real_posters_show_one_that_belongs_to_another_film(movielens: Path) -> None:
    groups = check(Dataset.load(movielens)).duplicate_images
    assert [group.item_ids for group in groups] == [("97", "2572"), ("1367", "2085")]
