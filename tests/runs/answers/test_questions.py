"""Questions about many users are read in order, and what an answer does without is named."""

from typing import Any

import pytest

from mmsrarec.errors import MmsrarecError
from mmsrarec.recommend.prompt.preferences import UserPreferences
from mmsrarec.runs.answers.questions import left_out_notes, many_users, unmet_notes


def test_users_keep_their_order_and_repeats() -> None:
    assert many_users([3, "1", 3], None) == [("3", {"user": "3"}), ("1", {"user": "1"}), ("3", {"user": "3"})]


def test_histories_are_named_by_their_keys_or_their_places() -> None:
    assert many_users(None, {7: ["a"]}) == [("7", {"history": ["a"]})]
    assert many_users(None, [["a"], ["b"]]) == [("0", {"history": ["a"]}), ("1", {"history": ["b"]})]


@pytest.mark.parametrize(
    ("users", "histories"), [(None, None), (["1"], [["a"]]), (None, "ab"), (None, b"ab"), (None, 3), (None, {"a"})]
)
def test_neither_both_or_another_kind_is_refused(users: Any, histories: Any) -> None:
    with pytest.raises(MmsrarecError, match=r"give|histories"):
        many_users(users, histories)


def test_items_left_out_are_named_five_at_most() -> None:
    assert left_out_notes([]) == []
    (note,) = left_out_notes(list("abcdefg"))
    assert "a, b, c, d, e, ... (7 in all)" in note


def test_a_keyword_that_no_item_carries_is_named() -> None:
    preferences = UserPreferences.of(["red", "purple"])
    assert unmet_notes(preferences, [("red",)]) == ["no item carries purple: asking for it changes nothing"]
    assert unmet_notes(preferences, [("red",), ("purple",)]) == []
