"""Events on both databases: counted once, in the order of their times, and the newest only where there are many."""

import pytest
from sqlalchemy import Engine

from mmsrarec.serve.state import user_events
from mmsrarec.serve.state.kept_answers import drop_oldest, find_answer, keep_answer
from mmsrarec.serve.state.user_events import Event, UserState, add_events, load_user, set_keywords


def event(number: int, user: str = "u", kind: str = "click", time: int | None = None) -> Event:
    return Event(user, f"i{number}", kind, number if time is None else time, f"{user}-{number}")


def test_events_come_back_in_the_order_of_their_times(engine: Engine) -> None:
    with engine.begin() as connection:
        assert add_events(connection, [event(3), event(1), event(2, "other"), event(5, kind="not_interested")]) == 4
        assert add_events(connection, [event(4, time=1), event(3)]) == 1
        state = load_user(connection, "u")
    assert state.chosen == ["i1", "i4", "i3"]  # of two at one time, the one that arrived first
    assert state.refused == ["i5"]
    assert state.n_events == 4


def test_equal_keys_in_one_batch_count_once(engine: Engine) -> None:
    with engine.begin() as connection:
        assert add_events(connection, [event(1)] * 3) == 1


def test_nobody_is_an_empty_state(engine: Engine) -> None:
    with engine.begin() as connection:
        assert load_user(connection, "nobody") == UserState()


def test_the_newest_events_are_remembered(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_events, "MAX_REMEMBERED", 3)
    with engine.begin() as connection:
        add_events(connection, [event(number) for number in range(10)])
        state = load_user(connection, "u")
    assert state.chosen == ["i7", "i8", "i9"]
    assert state.n_events == 10


@pytest.mark.parametrize("text", ["粘土", "a'b\"c", "%s", "🔥", "x" * 256, "\\", "007"])
def test_ids_are_opaque(engine: Engine, text: str) -> None:
    with engine.begin() as connection:
        add_events(connection, [Event(text, text, "click", 1, text)])
        assert load_user(connection, text).chosen == [text]


def test_keywords_are_replaced(engine: Engine) -> None:
    with engine.begin() as connection:
        set_keywords(connection, "u", ["red"], ["blue", "粘土"])
        set_keywords(connection, "v", ["green"], [])
        assert (load_user(connection, "u").more, load_user(connection, "u").less) == (("red",), ("blue", "粘土"))
        set_keywords(connection, "u", [], [])
        assert load_user(connection, "u") == UserState()
        assert load_user(connection, "v").more == ("green",)


def test_an_event_drops_the_kept_answers_of_its_user(engine: Engine) -> None:
    with engine.begin() as connection:
        for digest, user in (("a", "u"), ("b", "v"), ("c", None)):
            keep_answer(connection, digest, user, "{}")
            keep_answer(connection, digest, user, "other")  # the first one stays
        add_events(connection, [event(1)])
        assert [find_answer(connection, digest) for digest in "abc"] == [None, "{}", "{}"]


def test_the_oldest_answers_go(engine: Engine) -> None:
    with engine.begin() as connection:
        for number in range(20):
            keep_answer(connection, str(number), None, str(number))
        drop_oldest(connection, most=10)
        assert [find_answer(connection, str(number)) for number in range(20)] == [None] * 11 + [
            str(number) for number in range(11, 20)
        ]


@pytest.mark.parametrize(
    ("kinds", "refused"),
    [
        (["not_interested"], True),
        (["like", "not_interested"], True),
        (["not_interested", "view", "click"], True),
        (["not_interested", "like"], False),
        (["not_interested", "cart"], False),
        (["not_interested", "purchase", "view"], False),
        (["not_interested", "like", "not_interested"], True),
    ],
)
def test_the_newest_word_on_an_item_counts(kinds: list[str], refused: bool) -> None:
    events = tuple(Event("u", "i1", kind, time, str(time)) for time, kind in enumerate(kinds))
    assert UserState(events).refused == (["i1"] if refused else [])


def test_keys_count_per_user(engine: Engine) -> None:
    with engine.begin() as connection:
        for user in ("u", "v", "u v"):
            assert add_events(connection, [Event(user, "i1", "click", 1, "v one")]) == 1
            assert add_events(connection, [Event(user, "i2", "click", 2, "v one")]) == 0
        assert add_events(connection, [Event("u v", "i1", "click", 1, "one")]) == 1
        assert [load_user(connection, user).n_events for user in ("u", "v", "u v")] == [1, 1, 2]
        assert load_user(connection, "u").events[0].key == "v one"
