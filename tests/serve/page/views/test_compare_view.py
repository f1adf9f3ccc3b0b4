"""Two rankings side by side: places, lines between them, and what only one has."""

import asyncio

import pytest
from served import Served
from served_pages import get

from mmsrarec.errors import UnknownIdError
from mmsrarec.serve.page.views.compare_view import comparison
from mmsrarec.serve.page.visit import Visit


def test_lines_join_what_both_have(server: Served) -> None:
    page = get(server, "/compare", user=server.user(), by="sasrec")
    keys = page.values("li", "data-key")
    ours, theirs = keys[:10], keys[10:]
    both = [one for one in theirs if one in ours]
    assert sum(tag == "path" for tag, _ in page.tags) == 4 + len(both)  # four are in the symbols of the page
    assert f"{len(both)} of 10 items stand in both" in page.text
    assert page.text.count("only here") == 20 - 2 * len(both)


def test_the_usual_one_is_the_sequence_model(server: Served) -> None:
    shown = asyncio.run(comparison(server.service, Visit(), ""))
    assert shown.name == server.recommender.run_folder.recipe.retrieve.encoder
    assert shown.ours == []


def test_it_must_be_of_the_run(server: Served) -> None:
    with pytest.raises(UnknownIdError, match="choose one of popularity"):
        asyncio.run(comparison(server.service, Visit(), "nothing"))
