"""Items on both databases: what was written comes back, each change has a number, and kept answers go with it."""

from dataclasses import replace

from sqlalchemy import Engine

from mmsrarec.data.dataset import Item
from mmsrarec.serve.state.item_rows import ItemRow, Summary, load_items, load_picture, save_item, set_stock
from mmsrarec.serve.state.kept_answers import find_answer, keep_answer

ROW = ItemRow(
    Item("a/b", "Ä lamp", "text", ("x", "y|z")),
    described=True,
    summary=Summary(("red",), ("lamp", "粘土"), "de", ("a note",)),
    picture=bytes(range(256)),
    feature=b"\0\1",
)


def test_what_was_written_comes_back(engine: Engine) -> None:
    with engine.begin() as connection:
        saved = save_item(connection, ROW)
        as_held = replace(ROW, revision=saved.revision, has_picture=True, picture=None)
        assert load_items(connection) == [saved] == [as_held]
        assert saved.without_bytes == replace(as_held, feature=None)


def test_the_bytes_of_a_picture_are_read_when_they_are_asked_for(engine: Engine) -> None:
    with engine.begin() as connection:
        save_item(connection, ROW)
        save_item(connection, ItemRow(Item("plain"), described=True))
        assert load_picture(connection, "a/b") == ROW.picture
        assert load_picture(connection, "plain") is load_picture(connection, "nothing") is None
        assert [row.has_picture for row in load_items(connection)] == [True, False]


def test_stock_is_changed_and_nothing_else(engine: Engine) -> None:
    with engine.begin() as connection:
        before = save_item(connection, ROW)
        out = set_stock(connection, "a/b", False)
        assert out == replace(before, in_stock=False, revision=out.revision)
        assert out.revision > before.revision
        assert load_picture(connection, "a/b") == ROW.picture
        other = set_stock(connection, "of the run", False)
        assert (other.described, other.in_stock) == (False, False)
        keep_answer(connection, "a", None, "{}")
        assert set_stock(connection, "of the run", True).in_stock
        assert find_answer(connection, "a") is None
        assert [row.item.item_id for row in load_items(connection, ["of the run", "x"])] == ["of the run"]


def test_each_change_has_a_number(engine: Engine) -> None:
    with engine.begin() as connection:
        first = save_item(connection, ROW)
        second = save_item(connection, ItemRow(Item("c"), in_stock=False))
        third = save_item(connection, replace(ROW, deleted=True))
        assert first.revision < second.revision < third.revision
        assert [row.item.item_id for row in load_items(connection)] == ["c", "a/b"]


def test_kept_answers_go_with_a_change(engine: Engine) -> None:
    with engine.begin() as connection:
        keep_answer(connection, "a", None, "{}")
        save_item(connection, ROW)
        assert find_answer(connection, "a") is None
