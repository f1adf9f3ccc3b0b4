"""Questions as laws: known ids become codes, unknown ones are named or refused, and nothing is guessed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import make_dataset, make_log

from mmsrarec.errors import MmsrarecError, UnknownIdError
from mmsrarec.recommend.prompt.preferences import NO_PREFERENCES, UserPreferences
from mmsrarec.runs.answers.questions import MAX_IDS_NAMED, Questions, left_out_notes, many_users, unmet_notes

DATASET = make_dataset(make_log(np.random.default_rng(0), n_users=6, n_items=12, length=4))
QUESTIONS = Questions(DATASET)
N_ITEMS = len(DATASET.items)
item_ids = st.integers(0, N_ITEMS + 5).map(lambda number: f"i{number}")
"""Of which the last ones are no items."""


def is_known(item_id: str) -> bool:
    return item_id in DATASET.item_code


@given(st.integers(0, 5))
def test_a_user_is_asked_about_after_everything_in_the_log(user: int) -> None:
    query, left_out = QUESTIONS.query(f"u{user}", None)
    log = DATASET.interactions
    assert len(query) == 1
    assert query.user.tolist() == [user]
    assert query.history[0].tolist() == log.item[log.user == user].tolist()
    assert query.time[0] > log.time.max()
    assert query.target.tolist() == [-1]
    assert left_out == ()


@given(st.lists(item_ids, max_size=8), st.booleans())
def test_a_history_keeps_its_order_and_repeats_and_names_what_is_unknown_once(ids: list[str], strict: bool) -> None:
    known = [one for one in ids if is_known(one)]
    unknown = list(dict.fromkeys(one for one in ids if not is_known(one)))
    if unknown and (strict or not known):
        with pytest.raises(UnknownIdError) as refused:
            QUESTIONS.query(None, ids, strict)
        assert all(one in str(refused.value) for one in unknown)
        return
    query, left_out = QUESTIONS.query(None, ids, strict)
    assert [DATASET.items[code].item_id for code in query.history[0]] == known
    assert list(left_out) == unknown
    assert query.user.tolist() == [-1]
    assert query.history[0].dtype == np.int64


def test_a_history_of_nothing_is_a_question_by_somebody_new() -> None:
    query, left_out = QUESTIONS.query(None, [])
    assert query.history[0].tolist() == []
    assert left_out == ()


@pytest.mark.parametrize("given_ids", [(None, None), ("u0", ["i1"])])
def test_a_question_is_about_a_user_or_a_history(given_ids: tuple) -> None:
    with pytest.raises(MmsrarecError, match="one of the two"):
        QUESTIONS.query(*given_ids)


@pytest.mark.parametrize("user", ["nobody", "", "U0", 99, "u0 "])
def test_an_unknown_user_is_refused_with_what_to_give_instead(user: str | int) -> None:
    with pytest.raises(UnknownIdError, match=f'no user "{user}" in made up: give a history'):
        QUESTIONS.query(user, None)


@pytest.mark.parametrize("wrong", ["i1", b"i1", {"i1"}, [1.5], [None], 7])
def test_a_history_that_is_no_list_of_ids_is_refused(wrong: object) -> None:
    with pytest.raises(MmsrarecError, match="history: "):
        QUESTIONS.query(None, wrong)  # pyright: ignore[reportArgumentType]


def test_whole_numbers_are_ids_by_their_decimal_form() -> None:
    numbered = replace(DATASET, items=tuple(replace(item, item_id=item.item_id[1:]) for item in DATASET.items))
    for ids in ([3, 1], np.array([3, 1]), ["3", "1"]):
        assert Questions(numbered).query(None, ids)[0].history[0].tolist() == [3, 1]


@pytest.mark.parametrize("allow", [False, True])
def test_whether_seen_items_come_again_is_as_the_run_says(allow: bool) -> None:
    query, _ = Questions(DATASET, allow).query("u0", None)
    assert query.allow_seen is allow
    assert set(query.excluded[0].tolist()) == (set() if allow else set(query.history[0].tolist()))


def test_a_log_without_anything_in_it_has_a_now() -> None:
    empty = make_dataset(make_log(np.random.default_rng(0), n_users=2, n_items=3, length=0))
    query, _ = Questions(empty).query("u1", None)
    assert query.history[0].tolist() == []
    assert query.time.shape == (1,)


@given(st.lists(item_ids, max_size=MAX_IDS_NAMED + 5))
def test_codes_are_those_of_the_catalogue_and_an_unknown_id_is_refused_by_name(ids: list[str]) -> None:
    unknown = QUESTIONS.unknown(ids)
    assert len(set(unknown)) == len(unknown)
    assert set(unknown) == {one for one in ids if not is_known(one)}
    if unknown:
        with pytest.raises(UnknownIdError, match=unknown[0]):
            QUESTIONS.codes(ids)
    else:
        assert [DATASET.items[code].item_id for code in QUESTIONS.codes(ids)] == ids


def test_a_refusal_stays_short_however_many_ids_are_unknown() -> None:
    with pytest.raises(UnknownIdError) as refused:
        QUESTIONS.codes([f"x{number}" for number in range(1000)])
    shown = str(refused.value).partition(": ")[2].split(", ")
    assert shown == [f"x{number}" for number in range(MAX_IDS_NAMED)]


masks = st.lists(st.booleans(), min_size=N_ITEMS, max_size=N_ITEMS).map(np.array)
some_ids = st.none() | st.lists(item_ids, max_size=8)


@given(masks, st.lists(item_ids, max_size=8), some_ids)
def test_what_may_be_recommended_is_available_named_and_not_excluded(
    available: np.ndarray, exclude: list[str], among: list[str] | None
) -> None:
    before = available.copy()
    may, notes = QUESTIONS.allowed(available, exclude, among)
    expected = [
        bool(available[code]) and item.item_id not in exclude and (among is None or item.item_id in among)
        for code, item in enumerate(DATASET.items)
    ]
    assert may.tolist() == expected
    assert (available == before).all()  # the caller's own is not written to
    unknown_of = {"exclude": QUESTIONS.unknown(exclude), "among": QUESTIONS.unknown(among or [])}
    named = [name for name, unknown in unknown_of.items() if unknown]
    assert [note.partition(":")[0] for note in notes] == named
    for name, note in zip(named, notes, strict=True):
        assert f"does not know {len(unknown_of[name])} of these items" in note
        assert all(one in note for one in unknown_of[name][:5])
        assert ("..." in note) == (len(unknown_of[name]) > 5)


ids = st.text("abc0", min_size=1, max_size=3)


@given(st.lists(ids | st.integers(0, 99), max_size=6))
def test_users_are_asked_about_in_order_with_repeats(users: list[str | int]) -> None:
    assert many_users(users, None) == [(str(user), {"user": str(user)}) for user in users]


@given(st.dictionaries(ids | st.integers(100, 200), st.lists(ids, max_size=3), max_size=5))
def test_histories_go_by_their_keys_or_by_their_places(histories: dict) -> None:
    assert many_users(None, histories) == [(str(key), {"history": value}) for key, value in histories.items()]
    listed = list(histories.values())
    assert many_users(None, listed) == [(str(place), {"history": value}) for place, value in enumerate(listed)]


@pytest.mark.parametrize(
    ("users", "histories", "says"),
    [
        (None, None, "one of the two"),
        (["u0"], [["i0"]], "one of the two"),
        ("u0", None, "users: "),
        ({"u0"}, None, "users: "),
        ([None], None, "users: "),
        (None, "i0", "histories: give a mapping"),
        (None, b"i0", "histories: give a mapping"),
        (None, {"i0"}, "histories: give a mapping"),
        (None, 3, "histories: give a mapping"),
        (None, {1.5: ["i0"]}, "histories: 1.5 is no id"),
    ],
)
def test_what_names_no_users_is_refused(users: object, histories: object, says: str) -> None:
    with pytest.raises(MmsrarecError, match=says):
        many_users(users, histories)


@given(st.lists(ids, max_size=9, unique=True))
def test_a_note_names_five_items_that_were_left_out_and_counts_all(left_out: list[str]) -> None:
    notes = left_out_notes(left_out)
    assert len(notes) == bool(left_out)
    for note in notes:
        assert f": {', '.join(left_out[:5])}" in note
        assert note.endswith(f"({len(left_out)} in all)")
        assert ("..." in note) == (len(left_out) > 5)


def test_keywords_that_no_item_carries_are_said_to_change_nothing() -> None:
    shown = [("blue mug", "clay"), ("otter",), ()]
    wanted = UserPreferences.of(more=["mugs", "copper"], less=["otter", "moon"])
    assert unmet_notes(wanted, shown) == ["no item carries copper, moon: asking for it changes nothing"]
    assert unmet_notes(UserPreferences.of(more=["clay"]), shown) == []
    assert unmet_notes(NO_PREFERENCES, shown) == []
    assert unmet_notes(UserPreferences.of(less=["clay"]), []) == ["no item carries clay: asking for it changes nothing"]
