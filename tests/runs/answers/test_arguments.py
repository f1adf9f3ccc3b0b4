"""What callers may give is checked at the door, and refused in a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.answers.arguments import checked_count, checked_id, checked_ids, checked_words
from mmsrarec.runs.recommender import Recommender


@pytest.fixture(scope="module")
def recommender(finished: Path) -> Recommender:
    return Recommender.load(finished / "run")


@pytest.mark.parametrize(("given", "means"), [(12, "12"), (np.int32(7), "7"), (np.str_("007"), "007"), ("", "")])
def test_ids_are_text_or_whole_numbers(given: Any, means: str) -> None:
    assert checked_id("item", given) == means
    assert type(checked_id("item", given)) is str


@pytest.mark.parametrize(
    "given",
    [None, True, np.bool_(True), 1.0, np.float64(2), b"12", ["12"], object(), pytest.param(10**5000, id="huge")],
)
def test_what_is_no_id_is_refused(given: Any) -> None:
    with pytest.raises(MmsrarecError, match=r"item: .* is no id: give text, or a whole number"):
        checked_id("item", given)


def test_lists_of_ids() -> None:
    assert checked_ids("history", [1, "b", np.int64(3)]) == ["1", "b", "3"]
    assert checked_ids("history", np.array([1, 2])) == ["1", "2"]
    assert checked_ids("history", (one for one in "ab")) == ["a", "b"]
    for lone in ("i01", b"i01", bytearray(b"i")):
        with pytest.raises(MmsrarecError, match="one piece of text: give a list"):
            checked_ids("history", lone)
    for other in (5, None, {"a": 1}, {"a"}, np.array(5), 1.5):
        with pytest.raises(MmsrarecError, match="no list of item ids"):
            checked_ids("history", other)


def test_counts_and_words() -> None:
    assert checked_count("k", np.int64(3)) == 3
    for wrong in (0, -1, 2.0, "3", None, True, np.bool_(True), [1]):
        with pytest.raises(MmsrarecError, match=r"k: .* is no count: give a whole number, 1 or more"):
            checked_count("k", wrong)
    assert checked_words("more", "red") == ["red"]
    assert checked_words("more", ("red", np.str_("blue"))) == ["red", "blue"]
    for wrong in (5, None, b"red", [None], [b"red"], {"red": 1}):
        with pytest.raises(MmsrarecError, match="more: "):
            checked_words("more", wrong)


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("given", ["\x1b[31m", "\u202ex", "x" * 10**6, Unspeakable()])
def test_messages_are_short_and_printable(given: Any) -> None:
    with pytest.raises(MmsrarecError) as error:
        checked_count("k", given)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 150


def test_numbers_count_as_their_decimal_form(finished: Path) -> None:
    """Of a run whose ids are numbers by luck: 001 is none of them, so a whole number is not found, and said."""
    recommender = Recommender.load(finished / "run")
    with pytest.raises(MmsrarecError, match='no user "3"'):
        recommender.recommend(user=3)
    found = recommender.recommend(history=np.array(["001", "002"]), k=2)
    assert [one.item_id for one in found] == [one.item_id for one in recommender.recommend(history=["001", "002"], k=2)]


def test_nothing_to_score_is_an_empty_answer(recommender: Recommender) -> None:
    assert recommender.score([], user="u0005") == {}
    assert recommender.score([]) == {}
    assert recommender.score(np.array([], dtype=int), history=[]) == {}
    once, twice = (recommender.score(asked, user="u0005") for asked in (["001"], ["001", "001"]))
    assert once.keys() == twice.keys()


def test_somebody_who_had_everything_gets_nothing_and_is_told_why(recommender: Recommender) -> None:
    everything = [item.item_id for item in recommender.dataset.items]
    found = recommender.recommend(history=everything, k=3)
    assert found == []
    assert any("nothing is left to recommend" in note for note in found.notes)
    again = recommender.recommend(history=everything, k=3, allow_seen=True, reasons=False)
    assert len(again) == 3
    none_asked_for = recommender.recommend(user="u0005", among=[], k=3)
    assert none_asked_for == []
    assert any("nothing may be recommended" in note for note in none_asked_for.notes)


def test_an_item_that_is_gone_is_left_out_and_named(recommender: Recommender) -> None:
    found = recommender.recommend(history=["001", "gone99", "gone99", "002"], k=2, reasons=False)
    assert found.left_out == ("gone99",)
    assert any("gone99" in note for note in found.notes)
    without = recommender.recommend(history=["001", "002"], k=2, reasons=False)
    assert list(found) == list(without)
    assert without.left_out == ()
    for refused in ({"history": ["gone98", "gone99"]}, {"history": ["001", "gone99"], "strict": True}):
        with pytest.raises(MmsrarecError, match=r"no such items in data: .*gone99"):
            recommender.recommend(**refused)


def test_what_they_had_may_be_recommended_again(recommender: Recommender) -> None:
    history = ["001", "002", "003"]
    ever = {one.item_id for one in recommender.recommend(history=history, k=60, allow_seen=True, reasons=False)}
    never = {one.item_id for one in recommender.recommend(history=history, k=60, reasons=False)}
    assert ever - never == set(history)


def test_flags_and_places_are_of_their_kind(recommender: Recommender, finished: Path) -> None:
    for wrong in ({"allow_seen": "no"}, {"reasons": 1}, {"strict": None}):
        with pytest.raises(MmsrarecError, match="is neither True nor False"):
            recommender.recommend(history=["001"], k=1, **wrong)
    for wrong in (None, 5, b"run"):
        with pytest.raises(MmsrarecError, match=r"run: .* is no place"):
            Recommender.load(wrong)  # type: ignore[arg-type]
    with pytest.raises(MmsrarecError, match=r"data: .* is no place"):
        Recommender.load(finished / "run", data=5)  # type: ignore[arg-type]
    for wrong in (0, b"cpu"):
        with pytest.raises(MmsrarecError, match="is no name of a device"):
            Recommender.load(finished / "run", device=wrong)  # type: ignore[arg-type]
    import torch

    assert Recommender.load(finished / "run", device=torch.device("cpu")).notes == ()  # type: ignore[arg-type]


def test_a_wish_that_no_item_meets_is_said(recommender: Recommender) -> None:
    found = recommender.recommend(user="u0005", k=1, more=["zeppelin"], reasons=False)
    assert any("zeppelin" in note for note in found.notes)
