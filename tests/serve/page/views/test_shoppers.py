"""Shoppers of a run: all with a past, in an order that stays, found by a part of the id."""

from served import Served

from mmsrarec.serve.page.views.shoppers import LAST, shoppers


def test_all_come_once_in_an_order_that_stays(server: Served) -> None:
    view = server.service.catalogue()
    parts = [shoppers(view, offset=offset, limit=7) for offset in range(0, 70, 7)]
    names = [one.user for part in parts for one in part.shoppers]
    assert sorted(names) == sorted(view.dataset.user_ids)
    assert parts[0].total == len(names)
    assert names == [one.user for one in shoppers(view, limit=1000).shoppers]


def test_each_shows_the_newest_of_a_past(server: Served) -> None:
    for one in shoppers(server.service.catalogue(), limit=5).shoppers:
        past = server.had(one.user)
        assert one.n_items == len(past)
        assert [card.item.item_id for card in one.last] == list(dict.fromkeys(reversed(past)))[:LAST]


def test_they_are_found_by_a_part_of_the_id(server: Served) -> None:
    user = server.user(5)
    found = shoppers(server.service.catalogue(), f" {user[-3:].upper()} ")
    assert user in [one.user for one in found.shoppers]
    assert all(user[-3:] in one.user for one in found.shoppers)
    assert shoppers(server.service.catalogue(), "nobody at all").total == 0
