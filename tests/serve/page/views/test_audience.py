"""Who is shown an item: it stands in the very ranking that these shoppers are answered with."""

import asyncio

import numpy as np
import pytest
from served import Served

from mmsrarec.errors import UnknownIdError
from mmsrarec.serve.page.views import audience as module
from mmsrarec.serve.page.views.audience import PLACES, proposals_of


def test_viewers_have_it_where_it_is_said(server: Served) -> None:
    users, proposals = proposals_of(server.service.run())
    dataset = server.recommender.dataset
    item_id = dataset.items[int(np.bincount(proposals[proposals >= 0]).argmax())].item_id
    html = server.client.get("/item", params={"id": item_id, "audience": "1"}).text
    proposed = int((proposals == dataset.item_code[item_id]).any(axis=1).sum())
    assert f"It is proposed to {proposed} of {len(users)} shoppers" in html
    told = [user for user in dataset.user_ids if f">{user}</bdi></a> <span" in html]
    assert told
    for user in told:
        place = server.ids(user=user, k=PLACES).index(item_id) + 1
        assert f'{user}</bdi></a> <span class="quiet">place {place}</span>' in html


def test_proposals_leave_out_what_they_had(server: Served) -> None:
    users, proposals = proposals_of(server.service.run())
    interactions = server.recommender.dataset.interactions
    for user, row in zip(users.tolist(), proposals.tolist(), strict=True):
        assert not set(interactions.items_of(user).tolist()) & set(row)
    assert proposals_of(server.service.run())[1] is proposals


def test_many_shoppers_are_looked_at_in_part(own: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 7)
    monkeypatch.setattr(module, "BLOCK", 3)
    users, proposals = proposals_of(own.service.run())
    assert len(set(users.tolist())) == len(proposals) == 7


def test_there_must_be_an_item(server: Served) -> None:
    with pytest.raises(UnknownIdError):
        asyncio.run(module.audience(server.service, "nothing"))
