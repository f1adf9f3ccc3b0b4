"""Answers become tables, a row an item, in the order of the users."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mmsrarec.runs.answers.recommendations import TABLE, Recommendation, Recommendations, table, text_lists


def item(item_id: str, score: float, *because: str) -> Recommendation:
    return Recommendation(item_id, item_id.upper(), score, None, (), because)


def test_rows_keep_the_order_of_users_and_rank_from_one() -> None:
    frame = table([("second", [item("b", 2.0, "why"), item("a", 1.0)]), ("first", [item("c", 0.5)])])
    assert frame.rows() == [
        ("second", "b", 1, 2.0, ["why"]),
        ("second", "a", 2, 1.0, []),
        ("first", "c", 1, 0.5, []),
    ]


@given(st.lists(st.lists(st.text(max_size=4), max_size=4)))
def test_lists_of_texts_are_a_column(lists: list[list[str]]) -> None:
    column = text_lists(lists)
    assert column.to_list() == lists
    assert column.dtype == TABLE["because"]


def test_an_empty_answer_has_the_columns_all_the_same() -> None:
    frame = Recommendations().to_frame("nobody")
    assert frame.is_empty()
    assert frame.schema == pl.Schema(TABLE)


def test_an_answer_tells_what_it_did_without() -> None:
    answer = Recommendations([item("a", 1.0)], left_out=["x"], notes=["note"])
    assert answer.left_out == ("x",)
    assert answer.notes == ("note",)
    assert answer.to_frame().row(0) == (None, "a", 1, 1.0, [])
