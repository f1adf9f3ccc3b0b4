"""Items on both databases: what was written comes back, each change has a number, and kept answers go with it."""

from dataclasses import replace

from sqlalchemy import Engine

from mmsrarec.data.dataset import Item
from mmsrarec.serve.state.item_rows import ItemRow, Summary, load_items, save_item
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
        assert load_items(connection) == [saved] == [replace(ROW, revision=saved.revision)]


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
