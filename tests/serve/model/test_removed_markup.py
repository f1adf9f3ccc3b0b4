"""What cleaning takes out of an item is said, by field; an item that is kept as it came has no notes."""

import pytest
from served import Served

from mmsrarec.serve.model.removed_markup import removed_notes
from mmsrarec.serve.schema.changing import ItemAsked


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"title": "<script>alert(1)</script>", "text": "<img src=x>"}, ["title", "text"]),
        ({"title": "A <b>red</b> mug"}, ["title"]),
        ({"title": "A mug", "categories": ["<b>Cat</b>", "Ho'me\"&"]}, ["categories"]),
        ({"text": "Salt &amp; pepper"}, ["text"]),
        ({"text": "a\u202eb"}, ["text"]),
        ({"title": "  two   blanks\n", "text": "1 < 2 & 3 > 2", "categories": ["Kitchen", "Ho'me\"&"]}, []),
        ({}, []),
    ],
)
def test_the_field_is_named(body: dict, named: list[str]) -> None:
    notes = removed_notes(ItemAsked.model_validate(body))
    assert [note.partition(":")[0] for note in notes] == named


def test_an_emptied_field_is_said() -> None:
    notes = removed_notes(ItemAsked(title="<script>x</script>", text="<b>bold</b>", categories=["<i></i>", "Kitchen"]))
    assert ["nothing is left" in note for note in notes] == [True, False, True]


def test_the_answer_says_it(own: Served) -> None:
    body = {"title": "<script>alert(1)</script>", "text": "A lamp"}
    item = own.ok("PUT", "/v1/items/m", body)
    assert item["title"] == ""
    assert any(note.startswith("title: markup") for note in item["notes"])
