"""Cards of items, and how far each moved."""

import pytest
from served import Served

from mmsrarec.errors import UnknownIdError
from mmsrarec.serve.page.views.cards import card, cards, ranked_cards
from mmsrarec.serve.page.views.home_view import change
from mmsrarec.serve.schema.recommending import ItemRanked


def ranked(*ids: str) -> list[ItemRanked]:
    return [
        ItemRanked(
            rank=rank,
            item_id=item_id,
            title="",
            score=0.0,
            probability=None,
            keywords=[],
            because=["a", "b", "c"],
            reasons=[],
        )
        for rank, item_id in enumerate(ids, 1)
    ]


def test_each_says_how_far_it_moved(server: Served) -> None:
    a, b, c, d = (item.item_id for item in server.recommender.dataset.items[:4])
    shown = ranked_cards(server.service.catalogue(), ranked(b, a, d), ranked(a, b, c))
    assert [(one.rank, one.moved) for one in shown] == [(1, 1), (2, -1), (3, None)]
    assert shown[0].because == ("a", "b")
    assert change(shown) == "The ranking changed: 1 new, 2 moved."
    same = ranked_cards(server.service.catalogue(), ranked(a), ranked(a))
    assert change(same) == "The ranking stays as it was."
    assert not ranked_cards(server.service.catalogue(), ranked(a))[0].compared


def test_what_is_not_there_is_left_out(server: Served) -> None:
    view = server.service.catalogue()
    item_id = server.recommender.dataset.items[0].item_id
    assert [one.item.item_id for one in cards(view, ["nothing", item_id])] == [item_id]
    assert ranked_cards(view, ranked("nothing", item_id))[0].rank == 2
    with pytest.raises(UnknownIdError):
        card(view, "nothing")


def test_a_changed_item_has_another_picture_address(own: Served) -> None:
    own.ok("PUT", "/v1/items/a b", {"title": ""})
    first = card(own.service.catalogue(), "a b")
    assert first.name == "Item a b"
    assert first.picture().startswith("picture?id=a+b&size=small&v=")
    own.ok("PUT", "/v1/items/a b", {"title": "A lamp"})
    second = card(own.service.catalogue(), "a b")
    assert second.name == "A lamp"
    assert second.picture() != first.picture()
