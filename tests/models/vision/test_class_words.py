"""The words of the ImageNet classes, and which of them are said of a picture."""

import pytest

from mmsrarec.models.vision import class_words
from mmsrarec.models.vision.class_words import (
    KIND_PROBABILITY,
    MAX_WORDS,
    NAME_PROBABILITY,
    class_counts,
    class_words_hash,
    likely_words,
    read_class_words,
)


def test_every_class_has_a_name_and_its_kinds() -> None:
    rows = read_class_words()
    assert len(rows) == 1000
    assert all(word == word.lower().strip() and word for row in rows for word in row)
    assert sum(not row for row in rows) == 4
    assert rows[917] == ()  # comic book: how a picture is made
    assert all(len(set(row)) == len(row) for row in rows)
    assert rows[967][0] == "espresso"
    assert "drink" in rows[967]
    assert "dog" in rows[151]  # chihuahua
    assert class_counts()["dog"] > 100


def test_a_name_is_said_where_it_is_likely_and_then_its_kinds() -> None:
    assert tuple(likely_words({"espresso": NAME_PROBABILITY, "drink": KIND_PROBABILITY})) == ("espresso", "drink")
    assert tuple(likely_words({"espresso": NAME_PROBABILITY - 0.01, "drink": KIND_PROBABILITY})) == ("drink",)
    assert tuple(likely_words({"espresso": NAME_PROBABILITY, "drink": KIND_PROBABILITY - 0.01})) == ("espresso",)


def test_a_dog_of_an_unknown_breed_is_a_dog() -> None:
    assert tuple(likely_words({"dog": 0.95, "beagle": 0.2, "basset": 0.2})) == ("dog",)


def test_nothing_likely_gives_no_words() -> None:
    assert likely_words({}) == {}
    assert likely_words({"beagle": 0.2, "food": 0.3}) == {}


def test_narrow_kinds_come_before_broad_ones_and_words_in_longer_ones_are_left_out() -> None:
    assert tuple(likely_words({"food": 0.9, "fruit": 0.9, "lemon": 0.8})) == ("lemon", "fruit", "food")
    assert tuple(likely_words({"bear": 0.95, "polar bear": 0.9})) == ("polar bear",)
    assert len(likely_words({"polar bear": 0.4, "lemon": 0.4, "fruit": 0.6, "food": 0.7, "bird": 0.8})) == MAX_WORDS


def test_words_of_another_table_are_passed_over() -> None:
    assert tuple(likely_words({"no such word": 0.9, "lemon": 0.9})) == ("lemon",)


@pytest.mark.parametrize("name", ["NAME_PROBABILITY", "LOOK_AGAIN", "FARTHER"])
def test_the_hash_follows_the_thresholds_and_the_views(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = class_words_hash()
    monkeypatch.setattr(class_words, name, 0.41)
    assert class_words_hash() != before


def test_words_keep_their_probabilities() -> None:
    assert likely_words({"food": 0.9, "lemon": 0.8}) == {"lemon": 0.8, "food": 0.9}
