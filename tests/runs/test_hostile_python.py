"""A hostile pass over the public class: whatever a program hands over, it gets an answer or a MmsrarecError."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hostile import WORDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmsrarec.errors import MmsrarecError
from mmsrarec.runs.recommender import Recommender

SOME = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(SOME, max_examples=2500)
ITEMS = [f"{code:03}" for code in range(1, 61)]

known = st.sampled_from(ITEMS)
scalars = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=4), st.sampled_from(WORDS)),
    *(st.text(max_size=5), st.just(np.bool_(True))),
    *(st.just(np.int64(7)), st.just(np.float32("nan")), st.just(np.str_("001")), st.just(np.datetime64("2020-01-01"))),
    *(st.just(Path("001")), st.just(object()), st.just(1j), st.just(...)),
)
oddities = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.lists(st.lists(known, max_size=2), max_size=2),
    st.dictionaries(known, scalars, max_size=2),
    st.sampled_from(
        [np.array([1, 2]), np.array(["001"]), np.array([["001"]]), np.array(3), np.array([], dtype=object)]
    ),
    st.sampled_from(
        [("001", "002"), {"001"}, frozenset({"002"}), range(3), b"001", "001", "001,002", bytearray(b"001")]
    ),
)
users = st.sampled_from([None, "u0001", "u0002", "nobody", np.str_("u0001"), 1]) | oddities
histories = st.one_of(
    st.none(),
    st.lists(known, max_size=5),
    st.lists(known | scalars, max_size=4),
    st.lists(st.integers(-2, 70) | st.integers(1, 60).map(np.int64), max_size=4),
    st.lists(known, min_size=3, max_size=3).map(np.array),
    st.lists(known, max_size=4).map(tuple),
    st.sampled_from([ITEMS, ITEMS * 20, ITEMS[:-1], [*ITEMS, "delisted"], ["001"] * 500, [""], ["delisted"]]),
    oddities,
)
some = st.sampled_from([1, 3, 10, 60, 61, 10**6, np.int64(3), np.uint8(200)])
counts = some | st.sampled_from([10**30, 0, -1, -(10**30), True, 2.0, 2.5, math.nan, math.inf, "3", None]) | oddities
preferences = st.sampled_from([(), ["red"], ["clay", "mug"], "red", ["", " "], ["the"], None, ("x" * 500,)]) | oddities
candidates = st.lists(known, max_size=5) | st.lists(known | scalars, max_size=4) | histories
many = st.lists(users, max_size=2) | oddities


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A method and what it is given."""
    verb = draw(st.sampled_from(["recommend", "score", "explain", "similar_items"]))
    if verb == "similar_items":
        return verb, {"items": draw(candidates), "k": draw(counts)}
    given = {
        "recommend": {
            "k": counts,
            "reasons": st.booleans() | scalars,
            "exclude": candidates,
            "among": candidates,
            "users": many,
            "histories": st.dictionaries(known | scalars, histories, max_size=2) | st.lists(histories, max_size=2),
        },
        "score": {"candidates": candidates, "users": many},
        "explain": {"item": known | scalars | oddities},
    }[verb] | {"more": preferences, "less": preferences}
    needed = {"candidates", "item"}
    asked = {name: draw(value) for name, value in given.items() if name in needed or draw(st.booleans())}
    who = draw(st.sampled_from(["user", "history", "history", "history", "both", "nobody"]))
    if who in ("user", "both"):
        asked["user"] = draw(users)
    if who in ("history", "both"):
        asked["history"] = draw(histories)
    return verb, asked


@pytest.fixture(scope="module")
def recommender(finished: Path) -> Recommender:
    return Recommender.load(finished / "run")


def finite(value: float) -> bool:
    return math.isfinite(value)


def ends_well(recommender: Recommender, verb: str, asked: dict[str, Any]) -> bool:
    """Whether there was an answer; only a MmsrarecError of one line may stand in its place."""
    method: Callable[..., Any] = getattr(recommender, verb)
    try:
        answer = method(**asked)
    except MmsrarecError as error:
        refused = str(error)
    else:
        refused = None
    if refused is not None:
        assert refused.strip(), asked
        return False
    if isinstance(answer, pl.DataFrame):
        assert all(map(finite, answer["score"])), asked
        assert set(answer["item_id"]) <= set(ITEMS), asked
    elif verb == "recommend":
        found = [one.item_id for one in answer]
        assert len(set(found)) == len(found), asked
        assert set(found) <= set(ITEMS), asked
        assert all(finite(one.score) for one in answer), asked
        assert [one.score for one in answer] == sorted((one.score for one in answer), reverse=True), asked
    elif verb == "score":
        assert all(finite(score) for score in answer.values()), asked
    else:
        assert answer.item_id in ITEMS, asked
        assert finite(answer.score), asked
    return True


@SOME
@given(calls())
def test_a_call_ends_well(recommender: Recommender, call: tuple[str, dict[str, Any]]) -> None:
    ends_well(recommender, *call)


@pytest.mark.slow
@MANY
@given(calls())
def test_thousands_of_calls_end_well(recommender: Recommender, call: tuple[str, dict[str, Any]]) -> None:
    ends_well(recommender, *call)


@pytest.mark.parametrize(
    "asked",
    [
        {"history": ["001", "002"], "k": 3},
        {"history": ("001",), "k": np.int64(2)},
        {"history": np.array(["001", "002"]), "reasons": False},
        {"user": "u0001", "k": 1, "more": ["clay"]},
    ],
)
def test_what_programs_mean_well_is_answered(recommender: Recommender, asked: dict[str, Any]) -> None:
    """The pass above would also hold for a class that refuses everything."""
    assert ends_well(recommender, "recommend", asked)


@pytest.mark.parametrize("history", [[1, 2], [None], "001", [["001"]], b"001", 7, [np.nan]])
def test_what_is_no_history_is_refused(recommender: Recommender, history: Any) -> None:
    """The ids of this catalogue are three digits: 1 is none of them, and a lone string is no list of ids."""
    with pytest.raises(MmsrarecError):
        recommender.recommend(history=history)


@pytest.mark.parametrize("who", [{"history": ITEMS}, {"history": [*ITEMS, "001"]}])
def test_somebody_who_had_everything_is_answered(recommender: Recommender, who: dict[str, Any]) -> None:
    assert recommender.recommend(**who) == []
    assert recommender.score([], **who) == {}
