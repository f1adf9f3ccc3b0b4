"""Other rankers of a run answer as they were evaluated, without what may not come."""

import numpy as np
import pytest
from served import Served

from mmsrarec.errors import UnknownIdError
from mmsrarec.serve.model.served_run import Question
from mmsrarec.serve.page.views.other_rankers import first_places, other_rankers, other_ranking
from mmsrarec.serve.page.visit import Visit
from mmsrarec.serve.state.user_events import Event, UserState


def ids(server: Served, name: str, visit: Visit, state: UserState | None = None, k: int = 8) -> list[str]:
    question = Question(visit.question(k, reasons=False), state or UserState())
    return other_ranking(server.service.run(), name, question, k)


def test_what_the_run_keeps_can_be_compared(server: Served) -> None:
    names = other_rankers(server.service.run())
    assert {"popularity", "sasrec", "gru4rec", "bert4rec", "content-sasrec", "neighbours-only"} <= set(names)
    for name in names:
        for visit in (Visit(user=server.user()), Visit(like=[server.recommender.dataset.items[0].item_id])):
            ranking = ids(server, name, visit)
            assert len(set(ranking)) == len(ranking) == 8


def test_popularity_is_what_it_says(server: Served) -> None:
    """By hand: the most chosen items that this user did not have."""
    user = server.user(2)
    counts = server.recommender.retrieval.train.counts
    items = [item.item_id for item in server.recommender.dataset.items]
    left = [code for code in np.argsort(-counts, kind="stable").tolist() if items[code] not in server.had(user)]
    shown = ids(server, "popularity", Visit(user=user))
    assert [counts[items.index(one)] for one in shown] == [counts[code] for code in left[:8]]


def test_what_was_hidden_refused_or_had_does_not_come(server: Served) -> None:
    user = server.user()
    first, second, *_ = ids(server, "sasrec", Visit(user=user))
    shown = ids(
        server,
        "sasrec",
        Visit(user=user, hide=[first]),
        UserState(events=(Event(user, second, "not_interested", 1, "key"),), n_events=1),
    )
    assert not {first, second, *server.had(user)} & set(shown)


def test_an_item_that_joined_harms_none(own: Served) -> None:
    own.ok("PUT", "/v1/items/new", {"title": "A red lamp"})
    for name in other_rankers(own.service.run()):
        assert len(ids(own, name, Visit(user=own.user(), like=["new"]))) == 8


def test_others_are_refused(server: Served) -> None:
    with pytest.raises(UnknownIdError, match="no ranker"):
        ids(server, "../../etc", Visit(user=server.user()))


def test_fewer_places_than_asked_for_are_marked(server: Served) -> None:
    class Two:
        name = "two"

        def score(self, queries: object, candidates: object) -> np.ndarray:
            return np.array([[1.0, -np.inf, 2.0, np.nan]])

    query = server.recommender.questions.at(-1, np.array([], dtype=np.int64))
    assert first_places(Two(), query, 3).tolist() == [[2, 0, -1]]
