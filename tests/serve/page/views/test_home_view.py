"""The home page says how a ranking came about, and only what is true of the visit."""

import pytest

from mmsrarec.serve.page.views.home_view import introduction
from mmsrarec.serve.page.visit import Visit
from mmsrarec.serve.schema.recommending import Origin

USER = Visit(user="u")


@pytest.mark.parametrize("origin", ["warm", "session", "cold", "fallback"])
@pytest.mark.parametrize("visit", [USER, Visit(like=["7"]), Visit(user="u", like=["7"]), Visit(more=["red"])])
def test_nothing_is_said_that_was_not_done(origin: Origin, visit: Visit) -> None:
    said = introduction(origin, visit)
    assert ("liked" in said) <= bool(visit.like)
    assert ("asked for" in said) <= bool(visit.more)
    assert said.endswith(".")
    assert ", ." not in said


def test_what_is_known_is_said() -> None:
    assert introduction("warm", USER) == "From this shopper’s history."
    liked = USER.after("like:7")
    assert introduction("warm", liked) == "From this shopper’s history, and what you liked just now."
    assert introduction("session", Visit(like=["7"])) == "From what you liked just now. Nothing else is known of you."
    assert introduction("session", USER) == "From what this shopper did lately. Nothing else is known."
    assert introduction("cold", Visit(more=["red"])).endswith("chosen by many, or by the keywords that you asked for.")
    assert introduction("cold", Visit(less=["red"])) == "Nothing is known yet: these are chosen by many."
