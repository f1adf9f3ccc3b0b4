"""Users of the report: which recommendation was right, and what report.json says of them."""

from io import BytesIO
from pathlib import Path

import pytest
from html_pages import EVIL, shown
from PIL import Image

from mmsrarec.data.dataset import Dataset
from mmsrarec.study.report.sections.regressions_section import users_section
from mmsrarec.study.report.user_examples import ItemCard, UserCard, small_picture, thumbnail

MUG, BAG = ItemCard("Mug", item_id="1"), ItemCard("Bag", item_id="2")


def user(recommendations: list[ItemCard], taken: ItemCard, name: str = "User 7") -> UserCard:
    return UserCard(name, [], [], recommendations, taken)


def test_the_place_is_that_of_the_item_that_came_next() -> None:
    assert user([BAG, MUG], MUG).place == 2
    assert user([BAG], MUG).place is None
    assert user([], MUG).place is None


def test_items_are_known_by_their_id_and_without_any_by_their_title() -> None:
    assert ItemCard("Mug", item_id="9").same_as(ItemCard("Other title", item_id="9"))
    assert not MUG.same_as(ItemCard("Mug", item_id="9"))
    assert not MUG.same_as(ItemCard("Mug"))
    assert ItemCard("Mug").same_as(ItemCard("Mug"))


def test_a_record_holds_all_but_pictures() -> None:
    record = user([ItemCard("Mug", ("clay",), b"jpeg", 0.5, ("red",), "1")], BAG).record()
    assert record["recommendations"] == [
        {"title": "Mug", "keywords": ("clay",), "score": 0.5, "because": ("red",), "item_id": "1"}
    ]
    assert record["taken"]["title"] == "Bag"
    assert (record["name"], record["note"], record["similar"], record["history"]) == ("User 7", "", [], [])


@pytest.mark.parametrize(("size", "expected"), [((900, 1300), (83, 120)), ((60, 30), (60, 30))])
def test_a_thumbnail_is_a_small_jpeg(size: tuple[int, int], expected: tuple[int, int]) -> None:
    small = thumbnail(Image.new("RGBA", size, "teal"))
    assert len(small) < 4000
    with Image.open(BytesIO(small)) as picture:
        assert (picture.format, picture.size) == ("JPEG", expected)


def test_an_item_without_a_picture_that_opens_has_none(drawn: Dataset, tmp_path: Path) -> None:
    codes = [code for code, item in enumerate(drawn.items) if item.image]
    jpeg = small_picture(drawn, codes[0])
    assert jpeg is not None
    assert jpeg.startswith(b"\xff\xd8")
    without = next(code for code, item in enumerate(drawn.items) if not item.image)
    assert small_picture(drawn, without) is None


def test_the_section_counts_its_users_and_marks_the_hit() -> None:
    page = shown(users_section([user([BAG, MUG], MUG), user([BAG], MUG)]))
    assert "2 users" in page.text
    assert [attributes.get("class") for tag, attributes in page.tags if tag == "li"].count("hit") == 1
    assert "It was recommended at place 2." in page.text
    assert "It was not among the recommendations." in page.text
    assert "One user" in shown(users_section([user([], MUG)])).text
    assert "Ten users" in shown(users_section([user([], MUG)] * 10)).text
    assert users_section([]) is None


def test_all_that_data_says_of_a_user_is_text_and_may_run_from_right_to_left() -> None:
    item = ItemCard(EVIL, (EVIL,), None, 0.25, (EVIL,), EVIL)
    html = users_section([UserCard(EVIL, [item], [EVIL], [item], item, EVIL)])
    page = shown(html)
    assert page.names.isdisjoint({"script", "img"})
    assert page.text.count("alert('&')") == 12
    assert [tag for tag, _ in page.tags].count("bdi") == 11  # all but the note, which is ours
    assert "0.250" in page.text
    assert "untitled" in shown(users_section([user([], ItemCard(""))])).text
